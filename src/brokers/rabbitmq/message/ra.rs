//! What comes to a member of a quorum queue's Raft group (ra_server_proc), and to the log that all
//! members of a node write to (ra_log_wal).

use std::sync::Arc;

use crate::engine::{Span, Time};
use crate::observe::{MessageRange, NodeId};

use super::super::broker::quorum::fifo::Fifo;
use super::super::broker::ra::cluster::Cluster;
use super::super::letters::{LetterId, Reason};
use super::amqp::Terms;
use super::khepri::Change;
use super::{DownReason, Message, Pid, QueueId};

/// The number of a leader's term; 0 is before the first.
pub type Term = u32;

/// A place in the log, from 1; 0 is before the first.
pub type Index = u64;

/// A delivery's number among those of its consumer, from 0 (rabbit_fifo.erl: `msg_id`).
pub type MessageId = u64;

/// The place of an entry, and its term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Its term: what is later in the log of a later term is newer.
    pub term: Term,
    /// Its place.
    pub index: Index,
}

/// What a command asks of the state machine (rabbit_fifo.erl: `apply`).
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "fields are the arguments of the command that is named")]
pub enum Command {
    /// The first entry of a term (ra_server.erl: `noop`).
    Noop,
    /// `register_enqueuer`: a channel publishes here for the first time.
    Register { channel: Pid },
    /// `enqueue`: the `seq`-th of its channel, from 1.
    Enqueue { channel: Pid, seq: u64, message: MessageRange, letter: LetterId, given: u8 },
    /// `checkout`: a channel consumes.
    Checkout { channel: Pid, terms: Terms },
    /// `checkout` with `{once, _}`: `basic.get`.
    Get { channel: Pid, no_ack: bool },
    /// `checkout` with `cancel`.
    Cancel { channel: Pid },
    /// `settle`: `count` deliveries of the channel, from `first` on, are done.
    Settle { channel: Pid, first: MessageId, count: u32 },
    /// `return`: they are given back; `failed` counts as a failure to process them.
    Return { channel: Pid, first: MessageId, count: u32, failed: bool },
    /// `discard`: they are rejected for good.
    Discard { channel: Pid, first: MessageId, count: u32 },
    /// `down`: a channel is gone, or its node cannot be reached.
    Down { channel: Pid, reason: DownReason },
    /// `nodeup`.
    NodeUp { node: NodeId },
    /// `timeout` with `{consumer_disconnected_timeout, _}`: a channel could not be reached for so
    /// long that what it holds is given back.
    Disconnected { channel: Pid },
    /// `timeout` with `expire_msgs`: what is at the head may have expired.
    Expire,
    /// `timeout` with `evaluate_consumer_timeout`: consumers may have had deliveries for so long.
    TimeOut { timeout: Span },
    /// `$ra_join`: a node has a member from this entry on, with a vote or, until it has this entry,
    /// without.
    Join { node: NodeId, votes: bool },
    /// `$ra_leave`: it has none any more.
    Leave { node: NodeId },
    /// `dlx` with `checkout`: the worker of a new leader gets what has died.
    TakeLetters { worker: Pid },
    /// `dlx` with `settle`: one of those has arrived.
    SettleLetter { id: MessageId },
    /// Of Khepri's group: a change of the metadata. The node that has written it waits for the last
    /// change of a write, which has the write's number; 0 is none.
    Metadata { from: NodeId, number: u32, change: Change },
}

/// An entry of the log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// The term of the leader that appended it.
    pub term: Term,
    /// The leader's clock when it did (`ts` of the command's meta data).
    pub at: Time,
    /// What is to be done.
    pub command: Command,
}

/// Who is told when a command is applied (ra_server.erl: `reply_mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nobody.
    None,
    /// `notify`: the channel, along with what else was applied, by its own number for the command.
    Notify(Pid, u64),
    /// `await_consensus`: the channel waits for the answer to its call of that number.
    Call(Pid, u32),
}

/// A command on its way to a leader.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    /// What is to be done.
    pub command: Command,
    /// Who is told.
    pub reply: Reply,
}

/// `#append_entries_rpc{}`.
#[derive(Clone, Debug, PartialEq)]
pub struct AppendEntries {
    /// The leader's term.
    pub term: Term,
    /// The leader.
    pub leader: Pid,
    /// The entry before the first.
    pub previous: Position,
    /// Up to where the leader has committed.
    pub commit: Index,
    /// What follows; nothing where only the commit index is told.
    pub entries: Vec<Entry>,
}

/// `#append_entries_reply{}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendReply {
    /// The follower's term.
    pub term: Term,
    /// Whether its log goes on where the leader's entries began.
    pub success: bool,
    /// The entry that it wants next.
    pub next: Index,
    /// Up to where its log is written and fsynced.
    pub written: Index,
}

/// A candidate and the end of its log (`#request_vote_rpc{}`, `#pre_vote_rpc{}`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its term.
    pub term: Term,
    /// The last entry of its log.
    pub last: Position,
    /// Which of its pre-votes this is; 0 in an election.
    pub token: u32,
}

/// A snapshot of the state machine, of which this is one chunk (`#install_snapshot_rpc{}`).
#[derive(Clone, Debug)]
pub struct InstallSnapshot {
    /// The leader's term.
    pub term: Term,
    /// The leader.
    pub leader: Pid,
    /// The last entry that it covers.
    pub last: Position,
    /// Which chunk, from 1.
    pub chunk: u32,
    /// Its size.
    pub bytes: u32,
    /// With the last one: the state.
    pub state: Option<Arc<Fifo>>,
    /// Who belongs to the group then.
    pub cluster: Arc<Cluster>,
}

/// What members say to each other.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "fields are those of the record that is named")]
pub enum Rpc {
    /// See [`AppendEntries`].
    AppendEntries(Box<AppendEntries>),
    /// See [`AppendReply`].
    AppendReply { from: Pid, reply: Box<AppendReply> },
    /// `#pre_vote_rpc{}`.
    PreVote { from: Pid, candidate: Box<Candidate> },
    /// `#pre_vote_result{}`.
    PreVoteResult { from: Pid, term: Term, token: u32, granted: bool },
    /// `#request_vote_rpc{}`.
    RequestVote { from: Pid, candidate: Box<Candidate> },
    /// `#request_vote_result{}`.
    VoteResult { from: Pid, term: Term, granted: bool },
    /// See [`InstallSnapshot`].
    InstallSnapshot(Box<InstallSnapshot>),
    /// `#install_snapshot_result{}`.
    SnapshotReply { from: Pid, term: Term, chunk: u32 },
}

impl Rpc {
    /// Who has sent it.
    #[must_use]
    pub fn sender(&self) -> Pid {
        match self {
            Rpc::AppendEntries(rpc) => rpc.leader,
            Rpc::InstallSnapshot(rpc) => rpc.leader,
            Rpc::AppendReply { from, .. }
            | Rpc::PreVote { from, .. }
            | Rpc::PreVoteResult { from, .. }
            | Rpc::RequestVote { from, .. }
            | Rpc::VoteResult { from, .. }
            | Rpc::SnapshotReply { from, .. } => *from,
        }
    }

    /// The entries that it carries.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match self {
            Rpc::AppendEntries(rpc) => &rpc.entries,
            _ => &[],
        }
    }
}

/// What is sent to a member, and its own timers.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "fields are the arguments of the call that is named")]
pub enum RaMessage {
    /// From another member.
    Rpc(Rpc),

    // ---- from channels
    /// See [`Request`].
    Command(Box<Request>),
    /// A channel lacks deliveries of its consumer, from `first` on.
    Missing { channel: Pid, first: MessageId },

    // ---- from its node
    /// aten: that node is silent, or is heard again.
    Suspected { node: NodeId, down: bool },
    /// A node is connected again (net_kernel: `nodeup`).
    NodeUp { node: NodeId },
    /// The connection to a node is gone (`nodedown`).
    NodeDown { node: NodeId },
    /// The node stops.
    Shutdown,
    /// An operator wants the member on that node to lead.
    Transfer { to: NodeId },
    /// The member that was to lead instead has had its time (`await_condition_timeout`).
    TransferOver,
    /// The leader wants this member to stand for election at once.
    Stand,

    // ---- from its node's log
    /// The log is fsynced up to here.
    Written(Position),

    // ---- its own
    /// It starts: what the disk has is to be read.
    Recover,
    /// It is read, and is to be made durable.
    HasRead,
    /// It is.
    Recovered,
    /// There was no room for term and vote on the disk; there may be now.
    PersistAgain,
    /// Term and vote are durable.
    MetaSynced,
    /// The election timer.
    ElectionTimeout { turn: u32 },
    /// `tick`.
    Tick,
    /// The mailbox is empty: commands of low priority are taken.
    Flush,
    /// A channel has been out of reach for long.
    DisconnectedTimeout { channel: Pid },
    /// The message at the head may have expired, or a delay be over.
    ExpireTimer,
    /// A delivery may have taken too long.
    ConsumerTimer,
}

/// All that a member takes.
#[derive(Clone, Debug)]
pub enum RaMail {
    /// Members, channels, the node, and its own timers.
    Message(RaMessage),
    /// A process that it monitors is down.
    Down(Pid, DownReason),
}

impl TryFrom<Message> for RaMail {
    type Error = Message;

    /// Gives back what is for processes of another kind.
    fn try_from(message: Message) -> Result<RaMail, Message> {
        match message {
            Message::Ra(_, message) => Ok(RaMail::Message(message)),
            Message::Down { pid, reason } => Ok(RaMail::Down(pid, reason)),
            other => Err(other),
        }
    }
}

/// What comes to the worker of a quorum queue that dead-letters at least once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields are the arguments of the call that is named")]
pub enum LetterMessage {
    /// A message has died.
    Died { id: MessageId, message: MessageRange, letter: LetterId, reason: Reason },
    /// It may not have arrived everywhere, and is published again.
    Again { id: MessageId },
}

/// What comes to the process of a node's write-ahead log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields are the arguments of the call that is named")]
pub enum WalMessage {
    /// Entries of a member, up to this one.
    Write { queue: QueueId, last: Position, entries: u32, bytes: u32 },
    /// The mailbox is empty: what was written is fsynced.
    Idle,
    /// The batch is durable.
    Synced,
    /// What a full disk had no room for is tried again.
    Retry,
}

/// What a channel hears of a quorum queue (rabbit_fifo_client.erl: `handle_ra_event`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields are the arguments of the event that is named")]
pub enum QuorumMessage {
    /// `applied`: `count` of its commands from `first` on, at the leader `from`.
    Applied { queue: QueueId, from: NodeId, first: u64, count: u32 },
    /// `applied` with `not_enqueued`: one before it is missing; it stays pending.
    NotEnqueued { queue: QueueId, from: NodeId },
    /// `leader_change`: the member `leader` leads now.
    LeaderChange { queue: QueueId, leader: NodeId },
    /// `rejected` with `not_leader`.
    NotLeader { queue: QueueId, leader: Option<NodeId> },
    /// Of what its consumer lacks, nothing below this is with it any more: it was given back.
    Missed { queue: QueueId, next: MessageId },
    /// `released`: what its consumer held was taken back, for it took too long.
    TimedOut { queue: QueueId },
    /// `queue_status`: the queue is full, or has room again.
    Status { queue: QueueId, full: bool },
    /// The answer of the member on that node to a call.
    Answered { from: NodeId, call: u32, answer: CallAnswer },
    /// A call took too long.
    CallTimeout { call: u32 },
    /// A channel that has been blocked for long looks for another leader.
    ResendTimer { queue: QueueId },
}

/// The answer to a channel's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields are the arguments of the event that is named")]
pub enum CallAnswer {
    /// The command is applied.
    Done,
    /// It is applied, and the queue is full.
    Full,
    /// The consumer is attached; that is the number of the delivery that it gets next.
    Attached { next: MessageId },
    /// `basic.get` finds nothing.
    Empty,
    /// This member follows another.
    Redirect { leader: NodeId },
    /// The node cannot be reached, or has no such process.
    NoMember,
    /// `cluster_change_not_permitted`: the last change of the members is not committed, or nothing
    /// of the leader's term is.
    NotPermitted,
    /// `already_member`.
    AlreadyMember,
    /// `not_member`.
    NotMember,
}
