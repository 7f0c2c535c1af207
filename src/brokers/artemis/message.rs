//! What is sent (packets of the Core protocol), and every timer.

use std::sync::Arc;

use crate::observe::{DestinationId, MessageRange, NodeId};
use crate::world::ConnId;

use super::store::{Record, Store};

/// An anycast queue of the scenario, or behind them `DLQ`; they are the destinations.
pub type QueueId = DestinationId;

/// Bytes of a packet without a body (core/protocol/core/impl/PacketImpl.java, with its ids).
pub const PACKET: u32 = 60;
/// Bytes of a message beside its body: headers, properties, address.
pub const HEADERS: u32 = 200;

/// A message (`CoreMessage`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreMessage {
    /// What the workload knows it by; one message.
    pub range: MessageRange,
    /// The queue that it was sent to (`_AMQ_ORIG_QUEUE`).
    pub origin: QueueId,
    /// Whether it is kept on the disk.
    pub durable: bool,
    /// Whether its application has given it a `_AMQ_DUPL_ID`, the same whenever it sends it.
    pub duplicate_id: bool,
}

impl CoreMessage {
    /// Bytes on the wire, in memory and in the journal.
    #[must_use]
    pub const fn bytes(&self) -> u32 {
        self.range.bytes.saturating_add(HEADERS)
    }
}

/// A message on its way to a broker (`SessionSendMessage`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// Under which number it is to be answered; none if it is not (`requiresResponse`).
    pub call: Option<u32>,
    /// The message.
    pub message: CoreMessage,
    /// Whether it belongs to the session's transaction.
    pub transacted: bool,
}

/// An acknowledgement (`SessionAcknowledgeMessage`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The last message that it is about, as the broker has numbered it.
    pub last: u64,
    /// That one only, or all so far.
    pub individual: bool,
    /// Whether it belongs to the session's transaction.
    pub transacted: bool,
}

/// What a client wants of a session (`CreateSessionMessage`, `ReattachSessionMessage`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// `connectionTTL` in ms.
    pub ttl: u32,
    /// `confirmationWindowSize`; 0 for none.
    pub window: u32,
    /// The session that it has had, and how many packets of that it has received.
    pub reattach: Option<(u32, u32)>,
}

/// What a broker says of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The session.
    pub session: u32,
    /// Whether it is the one that the client has had, and how many packets of it had come.
    pub reattached: Option<u32>,
    /// The other broker of its pair, which its clients may try as well.
    pub backup: Option<NodeId>,
}

/// What a consumer wants (`SessionCreateConsumerMessage`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// From which queue.
    pub queue: QueueId,
    /// PRE_ACKNOWLEDGE: messages are acknowledged before they are delivered.
    pub early: bool,
}

/// Where a flush of the journal goes on a file server.
#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    /// Where the journal ended before it.
    pub at: u64,
    /// The records with their bytes.
    pub records: Vec<(Record, u32)>,
    /// Whether they are fsynced before it is answered.
    pub sync: bool,
}

/// An operation of the journal on its way to the backup (`ReplicationAddMessage` and its kin).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Packet {
    /// Its place in the order of the primary.
    pub number: u64,
    /// What it says.
    pub record: Record,
    /// Bytes of it in the journal.
    pub bytes: u32,
}

/// What a voter is asked (`QuorumVoteServerConnect`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// About which pair.
    pub pair: u32,
    /// Which vote it is of whoever asks.
    pub vote: u32,
    /// Whether an active broker asks if it may stay, or a backup if it may take over.
    pub stays: bool,
}

/// Everything that machines send each other and themselves.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Client to broker.
    CreateSession(Hello),
    /// Broker to client.
    SessionCreated(Welcome),
    /// Client to broker.
    CreateConsumer(Subscribe),
    /// Client to broker: it consumes no more.
    CloseConsumer,
    /// Consumer to broker: so many bytes more may be sent ahead (`SessionConsumerFlowCreditMessage`).
    ConsumerCredits(u64),
    /// Producer to broker: it wants to send so many bytes more to an address
    /// (`SessionRequestProducerCreditsMessage`).
    RequestCredits(QueueId, u32),
    /// Broker to producer: so many it may.
    ProducerCredits(u32),
    /// Client to broker.
    Send(Send),
    /// Client to broker.
    Acknowledge(Ack),
    /// Client to broker: the transaction is committed.
    Commit(u32),
    /// Client to broker: it is rolled back; whether the first message that is not acknowledged counts as
    /// delivered.
    Rollback(u32, bool),
    /// Broker to client: the answer to a call, or an exception if false.
    Response(u32, bool),
    /// Broker to consumer: a message with the broker's number for it, and the how manieth delivery it is.
    Receive(CoreMessage, u64, u32),
    /// Both ways: so many packets have come (`PacketsConfirmedMessage`).
    Confirmed(u32),
    /// Both ways.
    Ping,

    /// Broker to storage: it wants the lock, as the primary or as the backup.
    Lock(bool),
    /// Broker to storage: whether it has the lock of the primary.
    CheckLock,
    /// Storage to broker: whether it has the lock; and who wants it is told whether the last one was at work,
    /// who checks it whether the primary waits for it.
    LockIs(bool, bool),
    /// Broker to storage: it is at work, or it stops in order.
    SetState(bool),
    /// Broker to storage: it gives the lock back.
    Unlock,
    /// The host of a broker to storage: it is there.
    RenewLease,
    /// Broker to storage: it opens the journal.
    OpenStore,
    /// Storage to broker, primary to backup: all that is in the journal.
    Image(Arc<Store>),
    /// Broker to storage: a flush of the journal.
    Append(Box<Append>),
    /// Storage to broker: it is written, and as durable as was asked for, or it is not.
    Appended(bool),
    /// Broker to storage: files of the journal are deleted.
    Collect,

    /// Backup to primary (`BackupRegistrationMessage`).
    Register,
    /// Primary to backup: so many bytes of a file of the journal (`ReplicationSyncFileMessage`).
    SyncChunk(u32, u32),
    /// Backup to primary: it has everything (`ReplicationResponseMessageV2`).
    Synchronized,
    /// Primary to backup.
    Replicate(Box<Vec<Packet>>),
    /// Backup to primary: all up to this packet have come.
    Replicated(u64),
    /// Primary to backup: it is about to stop (`STOP_CALLED`), or it has stopped (`FAIL_OVER`).
    PrimaryStopping(bool),
    /// Between brokers of a cluster: it looks for the active one of this pair.
    ClusterConnect(u32),
    /// Who asks is told whether it is.
    ClusterIs(bool),
    /// Backup or primary to another pair's active broker.
    Vote(Ballot),
    /// Its answer.
    Voted(Ballot, bool),

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
    Start,
    /// Broker: the journal was read.
    Loaded,
    /// Broker: the timed buffer is flushed.
    Flush,
    /// Broker: what was appended goes to the backup.
    SendPackets,
    /// Broker: the journal is on the disk up to here.
    Flushed(u64),
    /// Broker: files that nothing needs are deleted.
    Cleanup,
    /// Broker: connections that are silent are looked for.
    TtlCheck,
    /// Broker: a message of a queue may be tried again.
    Redeliver(u32, u64),

    /// Broker: connect to the storage.
    Mount,
    /// Broker: ask for a lock.
    TryLock,
    /// Broker: see whether it still has the lock.
    CheckLock,
    /// Broker: its host renews its lease.
    RenewLease,
    /// Storage: whether a lease is over.
    LeaseCheck,
    /// Storage: what came on this connection is durable.
    StorageSynced(ConnId),

    /// Backup: connect to the primary.
    Join,
    /// Backup: whether its primary is silent, on this connection.
    LinkCheck(ConnId),
    /// Primary: the backup has taken too long to say that it has everything, on this connection.
    SyncTimeout(ConnId),
    /// Primary: the backup takes nothing from this connection since then.
    LinkBlocked(ConnId),
    /// Backup: its primary has said that it stops, and has not said that it has.
    StopForced(ConnId),
    /// Broker: this try of a vote begins.
    Vote(u32),
    /// Broker: it is over, whoever has answered.
    VoteOver(u32),
    /// Broker: it looks for the active broker of this pair.
    ClusterTry(u32),
    /// Broker: whether the active broker of this pair is silent, on this connection.
    ClusterCheck(u32, ConnId),
    /// Broker: it has looked long enough for an active broker with its own identity.
    ActiveCheckOver,
    /// Broker: the router is pinged.
    PingNetwork,
    /// Broker: it has not answered this connection.
    PingLost(ConnId),

    /// Client: connect, in this life of its connection.
    Connect(u32),
    /// Client: it has taken too long to connect.
    ConnectTimeout(u32),
    /// Client: ping, and whether the broker is silent.
    ClientCheck(u32),
    /// Client: a call has taken too long.
    CallTimeout(u32),
    /// Producer: the next message may be due.
    Pace,
    /// Consumer: begin, or stop to ask for more.
    Begin(bool),
    /// Consumer: its application is through with what it had.
    Processed,
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn a_message_is_small() {
        assert!(std::mem::size_of::<Message>() <= 48);
    }
}
