//! What comes to the process of a connection and its channel (rabbit_reader, rabbit_channel).

use crate::observe::MessageRange;

use super::super::letters::LetterId;
use super::amqp::FromClient;
use super::queue::Pushed;
use super::ra::QuorumMessage;
use super::{DownReason, Message, Pid, PublishSeq, QueueId, QueueSeq};

/// What is sent to a channel inside the cluster, and its own timers.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "fields are the arguments of the call that is named")]
pub enum ChannelMessage {
    // ---- from the processes of queues
    /// `count` publishes of the channel, from `first` on, are safe at this replica.
    Confirm { from: Pid, first: PublishSeq, count: u32 },
    /// The leader has a mandatory publish: it will not come back.
    MandatoryReceived { seq: PublishSeq },
    /// A full queue refuses a publish of the channel.
    Refuse { seq: PublishSeq },
    /// Answer to `Stat`: the queue's process lives.
    Counted { queue: QueueId, from: Pid },
    /// The node that was to start a declared queue has done so (`new`), or found that it exists.
    Declared { queue: QueueId, new: bool },
    /// The record of a declared queue could not be written in time.
    NotDeclared { queue: QueueId },
    /// Answer to `Subscribe`.
    Subscribed { queue: QueueId, from: Pid },
    /// Answer to `Subscribe`: the queue is in exclusive use.
    InUse { queue: QueueId },
    /// Answer to `Get`.
    Got { queue: QueueId, from: Pid, got: Option<Box<Pushed>> },
    /// A message on its way to a consumer; the fields of a [`Pushed`], side by side to save room.
    Push {
        queue: QueueId,
        from: Pid,
        id: QueueSeq,
        message: MessageRange,
        redelivered: bool,
        letter: LetterId,
    },
    /// `bump_credit`: a queue's process lets the channel send so many publishes more.
    BumpCredit { from: Pid, more: u32 },

    /// From the members of quorum queues, and about calls to them.
    Quorum(QuorumMessage),

    // ---- from its node
    /// An alarm is in force somewhere in the cluster, or no longer.
    ConserveResources { alarm: bool },

    // ---- its own
    /// The mailbox is empty: confirms that wait go out.
    Idle,
    /// A step of the client's handshake is through.
    HandshakeStep { step: u8 },
    /// Check heartbeats.
    Tick,
    /// Look for deliveries that are not acknowledged in time.
    ChannelTick,
    /// The call may be tried again.
    RetryCall,
}

/// All that a channel takes.
#[derive(Clone, Debug)]
pub enum ChannelMail {
    /// The client, whose socket is read.
    Client(FromClient),
    /// Processes of the cluster, and its own timers.
    Message(ChannelMessage),
    /// A process that it monitors is down.
    Down(Pid, DownReason),
}

impl TryFrom<Message> for ChannelMail {
    type Error = Message;

    /// Gives back what is for processes of another kind.
    fn try_from(message: Message) -> Result<ChannelMail, Message> {
        match message {
            Message::FromClient(method) => Ok(ChannelMail::Client(method)),
            Message::Channel(message) => Ok(ChannelMail::Message(message)),
            Message::Down { pid, reason } => Ok(ChannelMail::Down(pid, reason)),
            other => Err(other),
        }
    }
}
