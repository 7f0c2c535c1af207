//! What is sent (commands of OpenWire), and every timer.

use std::sync::Arc;

use crate::observe::{DestinationId, MessageRange};
use crate::world::ConnId;

use super::store::{Image, Journal, Record};

/// A queue of the scenario, or behind them `ActiveMQ.DLQ`; they are the destinations.
pub type QueueId = DestinationId;

/// Bytes of a command without a body on the wire, with its ids (OpenWire, loose encoding).
pub const COMMAND: u32 = 80;
/// Bytes of a message beside its body.
pub const HEADERS: u32 = 220;

/// What tells a message from all others (`MessageId`): who sent it, and its place in the sequence of that
/// producer's sends. What an application sends once more is another message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageId {
    /// The producer.
    pub producer: u32,
    /// `producerSequenceId`.
    pub sequence: u32,
}

/// A message (`ActiveMQMessage`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jms {
    /// What the workload knows it by; one message.
    pub range: MessageRange,
    /// The queue that it was sent to (`originalDestination`).
    pub origin: QueueId,
    /// Its place among the sends of its producer.
    pub sequence: u32,
    /// `DeliveryMode.PERSISTENT`.
    pub persistent: bool,
}

impl Jms {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> MessageId {
        MessageId { producer: self.range.producer.0, sequence: self.sequence }
    }

    /// Bytes on the wire, in memory and in the journal.
    #[must_use]
    pub const fn bytes(&self) -> u32 {
        self.range.bytes.saturating_add(HEADERS)
    }
}

/// A message on its way to a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// Under which number it is to be answered; none if it is not (`responseRequired`).
    pub id: Option<u32>,
    /// The message.
    pub message: Jms,
    /// Whether it belongs to the connection's transaction.
    pub transacted: bool,
}

/// What a consumer says of messages (`MessageAck`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckKind {
    /// STANDARD_ACK: it is through with them.
    Standard,
    /// INDIVIDUAL_ACK: it is through with the one.
    Individual,
    /// POISON_ACK: to the dead letters.
    Poison,
    /// REDELIVERED_ACK: it has put them back and will try again.
    Redelivered,
}

/// An acknowledgement of the `count` messages that were dispatched last up to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// What it says.
    pub kind: AckKind,
    /// The last of them.
    pub last: MessageId,
    /// How many they are.
    pub count: u32,
}

/// A batch of records, written at its place in a file of the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    /// The file.
    pub file: u32,
    /// Where in it.
    pub at: u64,
    /// So many bytes.
    pub bytes: u64,
    /// Whether they are fsynced before it is answered.
    pub sync: bool,
    /// The records.
    pub records: Vec<Record>,
    /// What audits among them say.
    pub images: Vec<(u32, Image)>,
}

/// Everything that machines send each other and themselves.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Both ways, first of all: `WireFormatInfo` with maxInactivityDuration in ms, 0 for none.
    WireFormat(u32),
    /// Client to broker: whether it has had this connection before and lost it (`failoverReconnect`).
    ConnectionInfo(bool),
    /// Broker to client: the connection can be used.
    ConnectionReady,
    /// Client to broker: it consumes from a queue, with this prefetch.
    ConsumerInfo(QueueId, u32),
    /// Client to broker: it does so no more; the last message that its application has seen.
    RemoveConsumer(Option<MessageId>),
    /// Client to broker.
    Send(Send),
    /// Client to broker.
    Ack(Ack),
    /// Client to broker: the transaction is to be committed, with these acknowledgements if it has any.
    Commit(u32, Option<Ack>),
    /// Broker to client: `Response`, or `ExceptionResponse` if false.
    Response(u32, bool),
    /// Broker to consumer: a message of a queue, and how often it had been delivered before.
    Dispatch(QueueId, Jms, u32),
    /// Both ways: `KeepAliveInfo`.
    KeepAlive,

    /// Broker to storage: it wants the lock.
    Lock,
    /// Broker to storage: whether it has the lock.
    CheckLock,
    /// Storage to broker: whether it has.
    LockIs(bool),
    /// The host of a broker to storage: it is there.
    RenewLease,
    /// Broker to storage: it opens the store.
    OpenStore,
    /// Storage to broker: what is in it.
    Image(Arc<Journal>),
    /// Broker to storage: a batch of the journal.
    Append(Box<Append>),
    /// Storage to broker: it is written, and as durable as was asked for, or it is not.
    Appended(bool),
    /// Broker to storage: a file of the journal is deleted.
    Delete(u32),

    /// To itself.
    Timer(Timer),
}

impl From<Timer> for Message {
    fn from(timer: Timer) -> Message {
        Message::Timer(timer)
    }
}

/// What a machine tells itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Broker: its process is there.
    Load,
    /// Broker: the journal was read.
    Scanned,
    /// Broker: the executor of the store takes the next message.
    StoreTask,
    /// Broker: the writer of the journal takes what waits.
    Write,
    /// Broker: what the writer has taken is in the journal, as durable as it has to be.
    Written,
    /// Broker, periodic: the journal is fsynced.
    PeriodicSync,
    /// Broker, periodic: that fsync of a file up to a length is through.
    PeriodicSynced(u32, u64),
    /// Broker: checkpoint.
    Checkpoint,
    /// Broker: so many bytes of the index are durable.
    IndexWritten(u64),
    /// Broker: journal files that nothing needs are deleted.
    Cleanup,
    /// Broker: connect to the storage.
    Mount,
    /// Broker: ask for the lock.
    TryLock,
    /// Broker: see whether it still has the lock.
    CheckLock,
    /// Broker: its host renews its lease.
    RenewLease,
    /// Storage: whether a lease is over.
    LeaseCheck,
    /// Storage: what came on this connection is durable.
    StorageSynced(ConnId),
    /// Broker: whether a connection is silent.
    ReadCheck(ConnId),
    /// Broker: whether nothing was said on a connection.
    WriteCheck(ConnId),

    /// Client: connect, in this life of its connection.
    Connect(u32),
    /// Client: it has taken too long to connect.
    ConnectTimeout(u32),
    /// Client: whether the broker is silent.
    ClientReadCheck(u32),
    /// Client: whether it has said nothing.
    ClientWriteCheck(u32),
    /// Producer: the next message may be due.
    Pace,
    /// Consumer: begin, or stop to ask for more.
    Begin(bool),
    /// Consumer: its application is through with what it had.
    Processed,
    /// Consumer: a message that was put back may be delivered again.
    Redeliver(u32),
    /// Consumer: what is processed is acknowledged at last (`optimizeAcknowledgeTimeOut`).
    AckTimeout,
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn a_message_is_small() {
        assert!(std::mem::size_of::<Message>() <= 48);
    }
}
