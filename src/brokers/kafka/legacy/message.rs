//! Everything that machines of this family send to each other and to themselves.

use crate::brokers::coordination::{Carry, zookeeper};
use crate::brokers::kit::log::Piece;
use crate::observe::MessageRange;

use super::super::PartitionId;

/// Bytes of a message in a log and on the wire beside its payload: length, magic, attributes, CRC
/// (`message/Message.scala` 0.7).
pub const MESSAGE_HEADER: u32 = 10;

/// Messages for one partition of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The partition.
    pub partition: PartitionId,
    /// The messages, all of one size.
    pub messages: MessageRange,
}

impl Part {
    /// Bytes of the message set.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        u64::from(self.messages.count) * u64::from(self.messages.bytes + MESSAGE_HEADER)
    }
}

/// A fetch of several partitions (`api/MultiFetchRequest.scala` 0.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// From each the bytes from this offset on.
    pub parts: Vec<(PartitionId, u64)>,
    /// So many bytes of each at most.
    pub size: u32,
}

/// What is wrong with the answer to a fetch of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// `OffsetOutOfRange`.
    OffsetOutOfRange,
    /// The bytes from that offset on are no message, or none that fits the fetch size: the client
    /// finds out as it decodes them (`InvalidMessageSizeException`).
    Undecodable,
}

/// The answer to a fetch of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Which.
    pub partition: PartitionId,
    /// The offset that was asked for.
    pub offset: u64,
    /// What is there.
    pub pieces: Result<Vec<Piece>, FetchError>,
}

impl Fetched {
    /// Bytes of the messages.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.pieces.as_ref().map_or(0, |pieces| pieces.iter().map(|piece| piece.bytes).sum())
    }
}

/// Which offset is asked for (`api/OffsetRequest.scala` 0.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetTime {
    /// -2, `smallest`.
    Earliest,
    /// -1, `largest`.
    Latest,
}

/// What a znode holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Znode {
    /// `creatorId:host:port` of a broker; the creator id has the start's time in it.
    Broker {
        /// When its process started, in ms.
        creator: u64,
    },
    /// How many partitions a broker offers of a topic.
    Partitions(u32),
    /// The topics of a consumer.
    Consumer,
    /// The consumer that owns a partition, and which of its lives.
    Owner(u32, u32),
    /// Up to where a group has consumed a partition.
    Offset(u64),
}

impl zookeeper::Data for Znode {
    fn bytes(&self) -> u32 {
        match self {
            Znode::Broker { .. } => 45,
            Znode::Partitions(_) => 1,
            Znode::Consumer => 20,
            Znode::Owner(..) => 30,
            Znode::Offset(_) => 12,
        }
    }
}

/// What travels to and from ZooKeeper.
pub type Coordination = zookeeper::Message<Znode>;

/// A message, a timer, or a completion.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Client to broker: one message set. It is not answered.
    Produce(Part),
    /// Client to broker: several message sets. It is not answered.
    MultiProduce(Vec<Part>),
    /// Client to broker.
    MultiFetch(Box<Fetch>),
    /// Broker to client.
    Fetched(Vec<Fetched>),
    /// Client to broker: the offset at this end of a partition.
    Offsets(PartitionId, OffsetTime),
    /// Broker to client.
    OffsetIs(PartitionId, u64),
    /// Between a client or broker and ZooKeeper, or within either.
    Zk(Coordination),

    /// A broker to itself: this step of its start-up, in its so manieth life.
    Start(StartStep, u32),
    /// A broker to itself: the fsync of a log, by its place, is through.
    Flushed(u32),
    /// A broker to one of its lanes: what it waited for may be there.
    Nudge,
    /// The flusher's turn.
    FlusherTick,
    /// The cleaner's turn, in this life.
    CleanerTick(u32),

    /// A client to itself: the next intended send may be due.
    Pace,
    /// A client to itself: the pause before the next attempt to connect to a broker is over.
    Reconnect {
        /// Which broker.
        broker: u32,
        /// Which of the pauses.
        attempt: u32,
    },
    /// A producer to itself: `queue.time` of a broker's queue is over.
    QueueTime {
        /// Which broker.
        broker: u32,
        /// Which of the waits.
        wait: u32,
    },
    /// A producer to itself: `queue.enqueueTimeout.ms` is over.
    EnqueueTimeout(u32),
    /// A consumer to itself: the application is through with a message.
    Processed,
    /// A fetcher's pause is over.
    FetchAgain {
        /// Which broker.
        broker: u32,
        /// Which life of the fetcher.
        life: u32,
    },
    /// Auto-commit.
    CommitTick,
    /// A consumer to itself: the pause of its rebalance is over, or it is to begin.
    Rebalance(u32),
    /// A client to itself: it begins, or stops to ask for more.
    Begin(bool),
}

/// A step of a broker's start-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartStep {
    /// Its process is there: the logs are loaded.
    Load,
    /// The last segment of a log, by its place, was read.
    Scan(u32),
    /// ZooKeeper has not been reached in time.
    ConnectionTimeout,
    /// The supervisor starts it again.
    Again,
}

impl From<Coordination> for Message {
    fn from(message: Coordination) -> Message {
        Message::Zk(message)
    }
}

impl Carry<Coordination> for Message {
    fn open(self) -> Result<Coordination, Message> {
        match self {
            Message::Zk(message) => Ok(message),
            other => Err(other),
        }
    }
}

/// Bytes of a request beside its message sets (`api/ProducerRequest.scala`, `FetchRequest.scala`
/// 0.7: length, type, topic, partition, length or offset and size).
pub const REQUEST: u32 = 26;
/// Bytes of each part of a request of several parts.
pub const REQUEST_PART: u32 = 20;
/// Bytes of a response beside its message sets, and of each part of it.
pub const RESPONSE: u32 = 6;

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn a_message_is_small() {
        assert!(std::mem::size_of::<Message>() <= 48);
    }
}
