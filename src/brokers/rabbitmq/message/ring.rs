//! What comes to a ring member (gm).

use crate::observe::{MessageRange, Removal};

use super::{DownReason, Message, Pid, Properties, PublishSeq, QueueId, QueueSeq};

/// What a leader tells its mirrors (rabbit_mirror_queue_master.erl, rabbit_mirror_queue_slave.erl:
/// `process_instruction`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// `publish`, or `publish_delivered` if a consumer took it at once.
    Publish {
        /// The channel that published it, and its number there.
        channel: Pid,
        /// See `channel`.
        seq: PublishSeq,
        /// Its number in the queue.
        id: QueueSeq,
        /// The message.
        message: MessageRange,
        /// Its properties.
        properties: Properties,
        /// Whether a consumer has it already.
        delivered: bool,
    },
    /// `discard`: the message was handled without ever being queued.
    Discard {
        /// The channel that published it.
        channel: Pid,
        /// Its number there.
        seq: PublishSeq,
    },
    /// `drop` with `AckRequired`: a consumer was handed this message.
    Fetch {
        /// Its number in the queue.
        id: QueueSeq,
    },
    /// `ack`, or `drop` without `AckRequired`: these messages are finished with.
    Ack {
        /// The first.
        first: QueueSeq,
        /// How many.
        count: u32,
    },
    /// `drop` without `AckRequired`, or `drop` and `ack`, of the queue's head, or `ack` of what was
    /// rejected: these messages are given up.
    Drop {
        /// The first.
        first: QueueSeq,
        /// How many.
        count: u32,
        /// Why.
        removal: Removal,
    },
    /// `requeue`: these messages are ready again.
    Requeue {
        /// The first.
        first: QueueSeq,
        /// How many.
        count: u32,
    },
    /// `depth`: how many messages the leader holds at this point of the stream, and the next
    /// number.
    Depth {
        /// Ready and unacknowledged messages.
        depth: u64,
        /// The number that the next message gets.
        next: QueueSeq,
    },
    /// `request_depth`: a new mirror asks the leader how many messages it holds.
    RequestDepth,
    /// `sender_death`: the leader has seen a publishing channel die.
    SenderDeath {
        /// The channel.
        channel: Pid,
    },
    /// `ensure_monitoring`: a mirror tells the leader of a channel that it may not watch.
    EnsureMonitoring {
        /// The channel.
        channel: Pid,
    },
    /// `delete_and_terminate`: the leader stops and nobody may take over.
    DeleteAndTerminate,
    /// `sync_start`: the leader stands still to synchronise this mirror.
    SyncStart {
        /// Who offers it.
        leader: Pid,
        /// Which mirror is meant.
        mirror: Pid,
        /// Which of the leader's synchronisations it is.
        round: u64,
    },
}

/// Ring traffic: consecutive broadcasts of one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// The version of the ring in which the sender passes them on; set as they leave.
    pub version: u64,
    /// The queue whose ring it is.
    pub queue: QueueId,
    /// Who passes them on.
    pub from: Pid,
    /// Who broadcast them.
    pub origin: Pid,
    /// Number of the first instruction.
    pub first: u64,
    /// The broadcasts.
    pub instructions: Vec<Instruction>,
    /// All broadcasts of the origin below this number have been all around.
    pub acknowledged: u64,
    /// Members whose death comes after these broadcasts.
    pub deaths: Vec<Pid>,
}

/// What a new right neighbour needs: everything that is not acknowledged, of every origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatchUp {
    /// Who sends it.
    pub from: Pid,
    /// Unacknowledged broadcasts by origin.
    pub activities: Vec<Activity>,
    /// Members that died.
    pub deaths: Vec<Pid>,
}

/// What is sent to a ring member, and its own timers.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "fields are the arguments of the call that is named")]
pub enum RingMessage {
    /// Ring traffic.
    Activity(Box<Activity>),
    /// Ring traffic after a neighbour's death.
    CatchUp(Box<CatchUp>),
    /// The ring changed: look at your neighbours.
    View,
    /// The mailbox is empty: broadcasts that wait go out.
    Idle,
    /// The 100 ms before a neighbour's death is recorded are over.
    GraceOver { dead: Pid },
    /// A neighbour's death is recorded.
    DeathRecorded { dead: Pid },
    /// The dead are erased from the ring.
    Erased,
}

/// All that a ring member takes.
#[derive(Clone, Debug)]
pub enum RingMail {
    /// Other members, the tables, and its own timers.
    Message(RingMessage),
    /// What its replica wants to have multicast.
    Broadcast(Instruction),
    /// A process that it monitors is down.
    Down(Pid, DownReason),
}

impl TryFrom<Message> for RingMail {
    type Error = Message;

    /// Gives back what is for processes of another kind.
    fn try_from(message: Message) -> Result<RingMail, Message> {
        match message {
            Message::Ring(message) => Ok(RingMail::Message(message)),
            Message::Instruction(instruction) => Ok(RingMail::Broadcast(instruction)),
            Message::Down { pid, reason } => Ok(RingMail::Down(pid, reason)),
            other => Err(other),
        }
    }
}
