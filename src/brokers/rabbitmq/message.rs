//! Everything that travels between RabbitMQ's processes and its clients, and their timers.

use crate::observe::{MessageRange, NodeId};
use crate::world::{ConnId, Lane};

use super::broker::cluster::autoheal::Word;
use super::broker::cluster::mnesia::{TableOp, Tables};
use super::broker::queue::sync::SyncBatch;
use super::broker::ring::gm::{Activity, CatchUp, Instruction};
use super::broker::vm::alarm::Resource;
use super::letters::LetterId;

/// A queue of the scenario, by its order there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u32);

/// An exchange of the scenario; 0 is the default exchange, whose routing key is a queue's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u32);

impl ExchangeId {
    /// The default exchange `""`.
    pub const DEFAULT: ExchangeId = ExchangeId(0);
}

/// A routing key, by its place in the plan's table of keys. On the default exchange it is a
/// [`QueueId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutingKey(pub u32);

/// An Erlang process: a lane of a broker node. Never reused, so it also names one incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid {
    /// Where it runs.
    pub node: NodeId,
    /// Which process there.
    pub lane: Lane,
}

/// Properties of a published message that the broker acts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// `delivery_mode = 2`.
    pub persistent: bool,
    /// `mandatory`: return it if it cannot be routed.
    pub mandatory: bool,
    /// The channel is in confirm mode.
    pub confirm: bool,
    /// `expiration`, by its place in [`Config::expirations`](super::config::Config); 0 is none.
    pub expiration: u8,
    /// What it remembers of being dead-lettered.
    pub letter: LetterId,
}

/// With what a consumer subscribes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Most deliveries without acknowledgement; 0 is unlimited.
    pub prefetch: u32,
    /// `x-priority`.
    pub priority: i32,
    /// Automatic acknowledgement.
    pub no_ack: bool,
    /// `exclusive`: no other consumer beside this one.
    pub exclusive: bool,
    /// `x-cancel-on-ha-failover`.
    pub cancel_on_ha_failover: bool,
}

/// Why the broker closes a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelError {
    /// 404 NOT_FOUND: the queue is not there, or its home node is down.
    NotFound,
    /// 403 ACCESS_REFUSED: the queue is in exclusive use.
    AccessRefused,
    /// 406 PRECONDITION_FAILED: an unknown delivery tag.
    UnknownDeliveryTag,
    /// 406 PRECONDITION_FAILED: a delivery was not acknowledged in time.
    DeliveryTimeout,
    /// 406 PRECONDITION_FAILED: a message is larger than the greatest size.
    MessageTooLarge,
}

/// A message on its way from a queue to its consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Its number in the queue.
    pub id: QueueSeq,
    /// The message.
    pub message: MessageRange,
    /// The `redelivered` flag.
    pub redelivered: bool,
    /// What it remembers of being dead-lettered.
    pub letter: LetterId,
}

/// Why a monitored process is reported down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// Its node cannot be reached, or went away.
    NoConnection,
    /// There is no such process (any more).
    NoProc,
    /// It was shut down in an orderly way.
    Shutdown,
    /// It ended because its work was over (queue deleted, connection closed).
    Normal,
}

/// How far a node has come, as it tells another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// RabbitMQ does not run.
    Down,
    /// It boots, and waits for members that ran when it stopped.
    Waits,
    /// It boots, and no member ran when it stopped.
    StoppedLast,
    /// RabbitMQ runs.
    Runs,
}

/// A number by which one publish is known in its channel, from 1.
pub type PublishSeq = u64;

/// A message's place in its queue, the same on the leader and on every mirror.
pub type QueueSeq = u64;

/// A message's consumer-side number in its channel.
pub type DeliveryTag = u64;

/// What is sent, and to whom.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "fields are the arguments of the method or call that is named")]
pub enum Message {
    // ---- AMQP, client to server
    /// One step of opening a connection and a channel.
    Handshake { step: u8, last: bool, heartbeat_ms: u32 },
    /// `basic.publish`.
    BasicPublish {
        exchange: ExchangeId,
        key: RoutingKey,
        message: MessageRange,
        properties: Properties,
    },
    /// `basic.consume`.
    BasicConsume { queue: QueueId, terms: Terms },
    /// `basic.get`.
    BasicGet { queue: QueueId, no_ack: bool },
    /// `basic.cancel` by the consumer.
    BasicCancel { queue: QueueId },
    /// `basic.ack`.
    BasicAck { tag: DeliveryTag, multiple: bool },
    /// `basic.nack` with `requeue = true`.
    BasicRequeue { tag: DeliveryTag, multiple: bool },
    /// `basic.reject` or `basic.nack` with `requeue = false`.
    BasicReject { tag: DeliveryTag, multiple: bool },
    /// `channel.open`, after the broker has closed the one before.
    ChannelOpen,

    // ---- AMQP, server to client
    /// Answer to a step of the handshake.
    HandshakeOk { step: u8, heartbeat_ms: u32 },
    /// `basic.return` 312 NO_ROUTE.
    BasicReturn { message: MessageRange, seq: PublishSeq },
    /// Publisher confirm.
    ConfirmAck { seq: PublishSeq, multiple: bool },
    /// Negative publisher confirm.
    ConfirmNack { seq: PublishSeq, multiple: bool },
    /// `basic.consume-ok`.
    ConsumeOk { queue: QueueId },
    /// `basic.cancel` by the server: the queue is gone or cannot be reached.
    ServerCancel { queue: QueueId },
    /// `connection.blocked`: an alarm is in force, and the connection is not read.
    ConnectionBlocked,
    /// `connection.unblocked`.
    ConnectionUnblocked,
    /// `channel.close`; the client must open a new channel.
    ChannelClose { error: ChannelError },
    /// `channel.open-ok`.
    ChannelOpenOk,
    /// `basic.deliver`, or `basic.get-ok`.
    BasicDeliver {
        queue: QueueId,
        tag: DeliveryTag,
        message: MessageRange,
        redelivered: bool,
        letter: LetterId,
    },
    /// `basic.get-empty`.
    GetEmpty { queue: QueueId },

    // ---- both directions
    /// Heartbeat frame, or the distribution's tick.
    Heartbeat,

    // ---- between processes: channel and queue
    /// A publish on its way to a queue's leader or one of its mirrors.
    Deliver {
        queue: QueueId,
        channel: Pid,
        seq: PublishSeq,
        message: MessageRange,
        properties: Properties,
    },
    /// `count` publishes of a channel, from `first` on, are safe at this replica.
    Confirm { queue: QueueId, from: Pid, first: PublishSeq, count: u32 },
    /// The leader has a mandatory publish: it will not come back.
    MandatoryReceived { seq: PublishSeq },
    /// A full queue refuses a publish of a channel.
    Refuse { queue: QueueId, from: Pid, seq: PublishSeq },
    /// A channel subscribes; a call, answered by `Subscribed`, `InUse` or the process's death.
    Subscribe { queue: QueueId, channel: Pid, terms: Terms },
    /// Answer to `Subscribe`.
    Subscribed { queue: QueueId, from: Pid },
    /// Answer to `Subscribe`: the queue is in exclusive use.
    InUse { queue: QueueId, from: Pid },
    /// A channel takes one message; a call, answered by `Got` or the process's death.
    Get { queue: QueueId, channel: Pid, no_ack: bool },
    /// Answer to `Get`.
    Got { queue: QueueId, from: Pid, got: Option<Box<Pushed>> },
    /// A channel cancels its consumer.
    Unsubscribe { channel: Pid },
    /// A message on its way to a consumer's channel.
    Push { queue: QueueId, from: Pid, pushed: Pushed },
    /// A consumer acknowledged `count` messages of this queue from `first` on.
    Settle { channel: Pid, first: QueueSeq, count: u32 },
    /// A consumer gives `count` messages back.
    GiveBack { channel: Pid, first: QueueSeq, count: u32 },
    /// `bump_credit`: a queue's process lets a channel send so many publishes more.
    BumpCredit { from: Pid, more: u32 },
    /// An alarm is in force somewhere in the cluster, or no longer.
    ConserveResources { alarm: bool },
    /// A consumer rejected `count` messages for good.
    Reject { channel: Pid, first: QueueSeq, count: u32 },
    /// The channel's writer has passed `count` deliveries on.
    NotifySent { channel: Pid, count: u32 },

    // ---- Erlang's own signals
    /// A connection stands already: is the new one meant to replace it?
    AliveQuestion { from: NodeId },
    /// It is: the old one is gone on this side.
    AliveAnswer { from: NodeId, incarnation: u32 },
    /// Monitor a process of the receiving node.
    Monitor { watcher: Pid, watched: Pid },
    /// A monitored process is down.
    Down { pid: Pid, reason: DownReason },

    // ---- mirrored queues
    /// A leader's instruction to its own ring member, to be multicast.
    GmBroadcast { instruction: Instruction },
    /// Ring traffic.
    GmActivity(Box<Activity>),
    /// Ring traffic after a neighbour's death.
    GmCatchUp(Box<CatchUp>),
    /// A ring member passes an instruction to its own replica, in ring order.
    GmDeliver { instruction: Instruction },
    /// A ring member tells its own replica of a member's death, in ring order.
    GmDeath { dead: Pid },
    /// The 100 ms that a ring member waits before it records a neighbour's death are over.
    GmGraceOver { dead: Pid },
    /// A neighbour's death is recorded.
    GmDeathRecorded { dead: Pid },
    /// The ring changed: look at your neighbours.
    GmView,
    /// A new mirror's ring member has taken over its left neighbour's state.
    GmJoined,
    /// A new mirror counts among the replicas.
    MirrorAdded,
    /// Synchronise the mirrors that need it.
    SyncMirrors,
    /// A mirror has emptied itself and waits for the first batch.
    SyncReady { mirror: Pid, round: u64 },
    /// A mirror has everything: it needs no synchronisation.
    SyncDeny { mirror: Pid, round: u64 },
    /// One batch of the leader's queue.
    SyncMessages(Box<SyncBatch>),
    /// A mirror has taken so many batches that its leader's syncer gets credit for more.
    SyncCredit { mirror: Pid, round: u64 },
    /// The synchronisation is complete.
    SyncComplete { leader: Pid, round: u64 },
    /// Stop: the queue's record does not name this mirror any more.
    StopMirror,
    /// The queue is deleted: stop.
    DeleteMirror,
    /// The policy wants no replica here: delete it (`exit(Pid, {shutdown, dropped})`).
    DropReplica,
    /// This mirror would lead, and may not: it is not synchronised.
    NotSynced,
    /// All mirrors have stopped, and the tables say so.
    MirrorsStopped,
    /// The tables name this mirror as the leader.
    Promote,
    /// The node stops: make all durable and end.
    Terminate,

    // ---- Mnesia and the node monitor
    /// A transaction's first phase. It is voted for once it has locked the queue's record here; if
    /// a node joins by it, that is told of every change from now on.
    MnesiaPrepare {
        from: NodeId,
        transaction: u32,
        locks: Option<QueueId>,
        joins: Option<(NodeId, u32)>,
    },
    /// A transaction is over: its locks are free.
    MnesiaRelease { from: NodeId, transaction: u32 },
    /// The vote on it; against it votes who does not see the node that joins.
    MnesiaVote { from: NodeId, transaction: u32, agrees: bool },
    /// A transaction's outcome: change the tables.
    MnesiaCommit { from: NodeId, transaction: u32, op: Box<TableOp> },
    /// They are changed.
    MnesiaCommitted { from: NodeId, transaction: u32 },
    /// A booting node asks for the state of a peer.
    MnesiaHello { from: NodeId, incarnation: u32 },
    /// The answer.
    MnesiaStatus { from: NodeId, progress: Progress },
    /// A booting node asks a running peer for its tables.
    MnesiaFetch { from: NodeId, anyway: bool },
    /// These running nodes do not see the one that asked; unless it asks to join anyway it does
    /// not.
    MnesiaUnseen { nodes: Vec<NodeId> },
    /// The tables, and the nodes whose Mnesia is one with them.
    MnesiaTables { tables: Box<Tables>, running: Vec<NodeId> },
    /// `reporter` has lost that start of a node: does the receiver still see it?
    CheckPartialPartition { reporter: NodeId, lost: NodeId, incarnation: u32 },
    /// Does RabbitMQ run? The answer goes to `proxy`.
    AskRunning { proxy: NodeId, reporter: NodeId },
    /// It does.
    StillRunning { reporter: NodeId },
    /// A node that the receiver has lost still talks to `proxy`.
    PartialPartition { proxy: NodeId },
    /// The sender cuts itself off.
    PartialPartitionDisconnect { from: NodeId },
    /// RabbitMQ and Mnesia have stopped on `from`, whose VM goes on.
    RabbitDown { from: NodeId },
    /// What node monitors tell each other to heal a partition.
    Autoheal { from: NodeId, word: Box<Word> },
    /// A node has joined: `from` now runs RabbitMQ on these tables.
    NodeRunning { from: NodeId },
    /// An alarm is set or cleared on `from`.
    Alarm { from: NodeId, resource: Resource, set: bool },

    // ---- a process's own timers and completions
    /// The mailbox is empty: flush what waits.
    Idle,
    /// The journal's flush is durable, or that of the message store.
    JournalSynced,
    /// A queue's process has been idle for so long that it may hibernate.
    HibernateTimer,
    /// A queue gives the body of a large message to its node's message store.
    StoreWrite { queue: Lane, id: QueueSeq, body: u64, confirm: bool },
    /// The bodies of these messages of a queue are as safe in the store as they have to be.
    BodiesWritten { ids: Box<[QueueSeq]> },
    /// The message store has read its files: queues are recovered now.
    StoreRecovered,
    /// A queue's process opens what its disk kept.
    RecoverQueue { read: bool },
    /// It has.
    QueueRecovered { queue: QueueId },
    /// The flush interval under load is over, or the process has been idle that long.
    SyncTimer,
    /// Check heartbeats, or tick the distribution.
    Tick,
    /// A step of a client's handshake is through.
    HandshakeStep { step: u8 },
    /// The port mapper of another member has answered.
    PortKnown { node: NodeId },
    /// The leader's node stops, and the leader handles nothing any more.
    Quiesce { queue: QueueId },
    /// The Erlang VM is up.
    VmStarted,
    /// RabbitMQ stops, and its VM goes on.
    StopRabbit,
    /// RabbitMQ starts, or starts again in the same VM.
    StartRabbit { start: u32 },
    /// A paused node looks whether it sees enough of the others.
    LookForRecovery,
    /// A booting node has waited for its peers' tables, in this start of it.
    TablesTimeout { start: u32 },
    /// A loser has waited long enough for the winner's word, since this start of it.
    AutohealTimeout { start: u32 },
    /// A winner tells those again that have not stopped.
    AutohealRenotify,
    /// How much memory is used?
    MemoryCheck,
    /// How much is free on the disk?
    DiskCheck,
    /// A queue's process puts what is beyond so many bytes onto the disk.
    ReduceMemory { keep: u64 },
    /// Look for members that are down, once a second.
    PingDownNodes,
    /// A queue's head may have expired.
    DropExpired,
    /// The queue's record is deleted.
    Deleted,
    /// A channel looks for deliveries that are not acknowledged in time.
    ChannelTick,
    /// The next batch of a synchronisation is due.
    SyncStep { round: u64 },
    /// A leader that stops its mirrors has waited for one of them long enough.
    StopTimeout { turn: u32 },
    /// A channel died a while ago: does the leader know?
    SenderTimeout { channel: Pid },
    /// A channel's call may be tried again.
    RetryCall,
    /// An attempt to reach a member took too long.
    SetupTimeout { conn: ConnId },
    /// The clean-up after a member's failure has come to the tables.
    NodeDownCleanUp { node: NodeId },
    /// The transaction's own time is over.
    TransactionDone { transaction: u32 },
    /// A mirror is started here.
    StartMirror { queue: QueueId },
    /// The node stops, and it is this queue's turn.
    EndReplica { queue: QueueId },
    /// A client's pace: the next message is due.
    ClientTimer,
    /// A consumer cancels: it wants no more.
    ConsumerStop,
    /// A client tries the next node.
    Reconnect,
    /// A client's attempt to connect has taken too long.
    ConnectTimeout { attempt: u32 },
    /// A client's connection is due for a heartbeat.
    ClientHeartbeat { attempt: u32 },
    /// A producer checks its unanswered sends.
    SendTimeout,
    /// A consumer's application is through with its message.
    Processed { session: u32 },
    /// A consumer subscribes again, or a client opens its channel again.
    Resubscribe,
    /// A consumer that polls asks for the next message.
    Poll { session: u32 },
}
