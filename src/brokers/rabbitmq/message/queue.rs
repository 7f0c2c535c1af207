//! What comes to the process of a queue, leader or mirror (rabbit_amqqueue_process,
//! rabbit_mirror_queue_slave, with rabbit_mirror_queue_coordinator and rabbit_mirror_queue_sync).

use crate::observe::{ActionId, MessageRange, NodeId, Removal};

use super::super::broker::store::BatchEntry;
use super::super::letters::LetterId;
use super::amqp::Terms;
use super::ring::Instruction;
use super::{DownReason, Message, Pid, Properties, PublishSeq, QueueSeq};

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

/// A piece of a batch of the leader's queue, in queue order: as much as arrives together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncBatch {
    /// Who sends it.
    pub leader: Pid,
    /// In which of its synchronisations.
    pub round: u64,
    /// The messages.
    pub entries: Vec<BatchEntry>,
    /// The batch is complete with it.
    pub ends: bool,
}

/// What a channel asks of a queue; only a leader serves clients.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "fields are the arguments of the call that is named")]
pub enum QueueCall {
    /// `basic_consume`: answered by `Subscribed`, `InUse` or the process's death.
    Subscribe { channel: Pid, terms: Terms },
    /// `stat`: answered by `Counted` or the process's death.
    Stat { channel: Pid },
    /// `basic_get`: answered by `Got` or the process's death.
    Get { channel: Pid, no_ack: bool },
    /// `basic_cancel`.
    Unsubscribe { channel: Pid },
    /// `ack`: a consumer has acknowledged `count` messages of this queue from `first` on.
    Settle { channel: Pid, first: QueueSeq, count: u32 },
    /// `requeue`: a consumer gives `count` messages back.
    GiveBack { channel: Pid, first: QueueSeq, count: u32 },
    /// `reject`: a consumer has rejected `count` messages for good.
    Reject { channel: Pid, first: QueueSeq, count: u32 },
    /// `notify_sent`: the channel's writer has passed `count` deliveries on.
    NotifySent { channel: Pid, count: u32 },
}

/// What an operator's command asks of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields are the options of the command")]
pub enum QueueCommand {
    /// `sync_queue`.
    Sync,
    /// `cancel_sync_queue`.
    CancelSync,
    /// `purge_queue`.
    Purge,
    /// `delete_queue`.
    Delete { if_empty: bool, if_unused: bool },
}

/// Who has given a command: the node to answer, and which it is.
pub type Commander = (NodeId, ActionId);

/// What only a leader has a use for.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "fields are the arguments of the call that is named")]
pub enum LeaderMessage {
    /// Synchronise the mirrors that need it.
    SyncMirrors,
    /// A mirror has emptied itself and waits for the first batch.
    SyncReady { mirror: Pid, round: u64 },
    /// A mirror has everything: it needs no synchronisation.
    SyncDeny { mirror: Pid, round: u64 },
    /// A mirror has taken so many batches that the syncer gets credit for more.
    SyncCredit { mirror: Pid, round: u64 },
    /// The next batch of a synchronisation is due.
    SyncStep { round: u64 },
    /// A syncer that has handed over everything looks whether a memory alarm is over.
    SyncDone { round: u64 },
    /// The queue's head may have expired.
    DropExpired,
    /// It stops its mirrors, and has waited for one of them long enough.
    StopTimeout { turn: u32 },
    /// The queue has a record for the first time: it is declared.
    Declared,
    /// The connection that the queue belongs to is gone.
    OwnerGone,
    /// The queue's record is deleted.
    Deleted,
    /// Another policy applies to the queue.
    PolicyChanged,
    /// The queue, which is to have mirrors, has a ring.
    RingMade,
    /// An operator's command, for which `asker` waits.
    Command { asker: NodeId, action: ActionId, command: QueueCommand },
}

/// What only a mirror has a use for.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "fields are the arguments of the call that is named")]
pub enum MirrorMessage {
    /// Its ring member has taken over its left neighbour's state.
    GmJoined,
    /// It counts among the replicas now.
    MirrorAdded,
    /// One batch of the leader's queue.
    SyncMessages(Box<SyncBatch>),
    /// The synchronisation is complete.
    SyncComplete { leader: Pid, round: u64 },
    /// Its syncer has ended before that.
    SyncerDown { leader: Pid, round: u64 },
    /// A channel died a while ago: does the leader know?
    SenderTimeout { channel: Pid },
    /// The queue is deleted: stop.
    DeleteMirror { removal: Removal },
}

/// What is sent to a queue's process, and its own timers.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "fields are the arguments of the call that is named")]
pub enum QueueMessage {
    /// A publish on its way from a channel to the leader or one of its mirrors.
    Deliver { channel: Pid, seq: PublishSeq, message: MessageRange, properties: Properties },
    /// See [`QueueCall`].
    Call(QueueCall),
    /// See [`LeaderMessage`].
    Leader(LeaderMessage),
    /// See [`MirrorMessage`].
    Mirror(MirrorMessage),

    // ---- from its ring member and its node
    /// The tables name this mirror as the leader.
    Promote,
    /// This process would lead, and may not: it is not synchronised.
    NotSynced,
    /// All mirrors of a leader that stops have stopped, and the tables say so.
    MirrorsStopped,
    /// Open what the disk kept.
    Recover { read: bool },
    /// A ring member's death, in ring order.
    GmDeath { dead: Pid },
    /// The queue's record is without the dead of whom a mirror has heard.
    DeathsRemoved,
    /// The queue's record does not name this process any more: stop.
    StopMirror,
    /// The policy wants no replica here: delete it (`exit(Pid, {shutdown, dropped})`).
    DropReplica,
    /// The node stops: make all durable and end.
    Terminate,
    /// Put what is beyond so many bytes onto the disk.
    ReduceMemory { keep: u64 },

    // ---- from the message store
    /// The bodies of these messages are as safe in the store as they have to be.
    BodiesWritten { ids: Box<[QueueSeq]> },
    /// `bump_credit`: the store lets the process send so many bodies more.
    BumpCredit { more: u32 },

    // ---- its own
    /// The mailbox is empty: flush what waits.
    Idle,
    /// The journal's flush is durable.
    JournalSynced,
    /// It may have been idle for so long that it hibernates.
    HibernateTimer,
    /// The flush interval under load is over, or the process has been idle that long.
    SyncTimer,
}

impl From<QueueCall> for Message {
    fn from(call: QueueCall) -> Message {
        Message::Queue(QueueMessage::Call(call))
    }
}

impl From<LeaderMessage> for Message {
    fn from(message: LeaderMessage) -> Message {
        Message::Queue(QueueMessage::Leader(message))
    }
}

impl From<MirrorMessage> for Message {
    fn from(message: MirrorMessage) -> Message {
        Message::Queue(QueueMessage::Mirror(message))
    }
}

/// All that a queue's process takes.
#[derive(Clone, Debug)]
pub enum QueueMail {
    /// Channels, other replicas, the node, and its own timers.
    Message(QueueMessage),
    /// What the leader multicasts, or a mirror to the leader, in ring order.
    Instruction(Instruction),
    /// A process that it monitors is down.
    Down(Pid, DownReason),
}

impl TryFrom<Message> for QueueMail {
    type Error = Message;

    /// Gives back what is for processes of another kind.
    fn try_from(message: Message) -> Result<QueueMail, Message> {
        match message {
            Message::Queue(message) => Ok(QueueMail::Message(message)),
            Message::Instruction(instruction) => Ok(QueueMail::Instruction(instruction)),
            Message::Down { pid, reason } => Ok(QueueMail::Down(pid, reason)),
            other => Err(other),
        }
    }
}
