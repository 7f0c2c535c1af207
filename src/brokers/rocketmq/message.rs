//! Everything that machines of this family send to each other and to themselves.

use std::sync::Arc;

use crate::brokers::coordination::{Carry, raft};
use crate::observe::{MessageRange, NodeId};

use super::config::QueueId;
use super::store::Record;

/// Bytes of a request or answer beside what it carries (the header of the remoting protocol, JSON).
pub const HEADER: u32 = 200;

/// What a broker answers to a send (`ResponseCode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// SUCCESS: SEND_OK.
    Ok,
    /// It is stored here, and was not flushed in time.
    FlushDiskTimeout,
    /// It is stored here, and slaves did not have it in time.
    FlushSlaveTimeout,
    /// It is stored here, and there is no slave.
    SlaveNotAvailable,
    /// It is not stored.
    SystemError,
    /// It is not stored: no master, no room on the disk.
    ServiceNotAvailable,
    /// It is not stored: it has waited for too long, or too many wait.
    SystemBusy,
    /// It is not stored: too large.
    MessageIllegal,
}

impl Code {
    /// As RocketMQ calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Code::Ok => "SEND_OK",
            Code::FlushDiskTimeout => "FLUSH_DISK_TIMEOUT",
            Code::FlushSlaveTimeout => "FLUSH_SLAVE_TIMEOUT",
            Code::SlaveNotAvailable => "SLAVE_NOT_AVAILABLE",
            Code::SystemError => "SYSTEM_ERROR",
            Code::ServiceNotAvailable => "SERVICE_NOT_AVAILABLE",
            Code::SystemBusy => "SYSTEM_BUSY",
            Code::MessageIllegal => "MESSAGE_ILLEGAL",
        }
    }

    /// Whether the client gets a `SendResult` of it, not an exception.
    #[must_use]
    pub const fn is_result(self) -> bool {
        matches!(
            self,
            Code::Ok | Code::FlushDiskTimeout | Code::FlushSlaveTimeout | Code::SlaveNotAvailable
        )
    }
}

/// What a message carries that a consumer has sent back (`PROPERTY_RECONSUME_TIME`,
/// `PROPERTY_REAL_TOPIC`): it is the message of one consumer group only from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Back {
    /// Which group.
    pub group: u16,
    /// How often its application has failed (`reconsumeTimes`).
    pub times: u8,
    /// Whether it waits for flush and slaves as others do (`isWaitStoreMsgOK`).
    pub waits: bool,
}

/// A message to be stored in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// Under which number it is to be answered; none if it is not (oneway).
    pub id: Option<u32>,
    /// The queue.
    pub queue: QueueId,
    /// The message.
    pub message: MessageRange,
    /// Whether a consumer sends it, and for which group.
    pub back: Option<Back>,
}

/// A message that the application of a consumer has failed on (`ConsumerSendMsgBackRequestHeader`). The
/// broker looks it up where it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendBack {
    /// Its number.
    pub id: u32,
    /// Where it was read.
    pub from: QueueId,
    /// At which offset.
    pub offset: u64,
    /// Where it goes: to a delay level, or to the dead letters.
    pub to: QueueId,
    /// The message.
    pub message: MessageRange,
    /// For which group, and how often it has failed.
    pub back: Back,
}

/// A member of a group asks for locks of queues, or gives them back (`LockBatchRequestBody`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The group.
    pub group: u32,
    /// The member.
    pub client: u32,
    /// The queues.
    pub queues: Vec<QueueId>,
}

/// A request for messages (`PullMessageRequestHeader`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Its number.
    pub id: u32,
    /// Which consumer group asks.
    pub group: u32,
    /// The queue.
    pub queue: QueueId,
    /// From this offset on.
    pub offset: u64,
    /// So many at most.
    pub most: u32,
    /// The offset that the group commits by the way.
    pub commit: Option<u64>,
    /// Whether it brings its own subscription, as a pull consumer does.
    pub subscribed: bool,
}

/// What comes of a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullStatus {
    /// PULL_FOUND.
    Found,
    /// PULL_NOT_FOUND: nothing yet.
    NotFound,
    /// PULL_OFFSET_MOVED: there is no such offset.
    OffsetMoved,
    /// PULL_RETRY_IMMEDIATELY.
    RetryImmediately,
    /// SUBSCRIPTION_NOT_EXIST.
    NoSubscription,
    /// SYSTEM_BUSY: a slave that is not to be read.
    Refused,
}

/// The answer to a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Of which.
    pub id: u32,
    /// What came of it.
    pub status: PullStatus,
    /// Where to go on.
    pub next: u64,
    /// What was found, from the offset that was asked for on.
    pub messages: Vec<MessageRange>,
    /// How often the application has failed on each of them; empty where nobody could have.
    pub times: Vec<u8>,
}

/// Bytes of a master's CommitLog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// From this position on.
    pub from: u64,
    /// So many.
    pub bytes: u32,
    /// The records that begin in them.
    pub records: Vec<Record>,
    /// In the mode with controllers: the epoch that they are of.
    pub epoch: Option<Epoch>,
}

/// The offsets of all consumer groups on a broker, by group and then queue; [`NO_OFFSET`] if there is none.
pub type Offsets = Vec<Vec<u64>>;

/// A queue that a consumer group has no offset of.
pub const NO_OFFSET: u64 = u64::MAX;

/// Which brokers of a group a NameServer knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The set of its members that are there.
    pub members: u16,
    /// Which of them is registered as its master (`brokerId` 0).
    pub master: Option<u8>,
}

/// Which brokers a NameServer knows, of each group.
pub type Route = Arc<[Known]>;

/// What the controllers have decided of a group (`SyncStateInfo`, `BrokerReplicaInfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Which group.
    pub group: u32,
    /// Which of its members is the master.
    pub master: Option<u8>,
    /// `masterEpoch`: counts its masters.
    pub epoch: u32,
    /// The members that may become master (`syncStateSet`).
    pub set: u16,
    /// `syncStateSetEpoch`: counts those sets.
    pub set_epoch: u32,
}

/// Where an epoch begins in a CommitLog (`EpochEntry`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Which.
    pub epoch: u32,
    /// From which position on.
    pub start: u64,
}

/// A message, a timer, or a completion.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Broker to NameServer: REGISTER_BROKER; as the master in this epoch, or as a slave.
    Register(u32, Option<u32>),
    /// Broker to NameServer: BROKER_HEARTBEAT.
    Alive,
    /// NameServer to broker: whether the group has a master.
    Registered(u32, bool),
    /// Broker to NameServer: UNREGISTER_BROKER.
    Unregister,
    /// Client to NameServer: GET_ROUTEINFO_BY_TOPIC.
    GetRoute(u32),
    /// NameServer to client; none if it knows no broker that has the topic.
    RouteIs(u32, Option<Route>),

    /// Client to broker: SEND_MESSAGE.
    Send(Send),
    /// Broker to client.
    Sent(u32, Code),
    /// Client to broker: CONSUMER_SEND_MSG_BACK; answered as a send is.
    SendBack(Box<SendBack>),
    /// Client to broker: LOCK_BATCH_MQ.
    Lock(u32, Box<Lock>),
    /// Broker to client: the queues whose locks it has.
    Locked(u32, Arc<[QueueId]>),
    /// Client to broker: UNLOCK_BATCH_MQ, which is not answered.
    Unlock(Box<Lock>),
    /// Client to broker: PULL_MESSAGE.
    Pull(Box<Pull>),
    /// Broker to client.
    Pulled(Box<Pulled>),
    /// Client to broker: HEART_BEAT of a consumer in a group.
    Heartbeat {
        /// Which group.
        group: u32,
        /// Which consumer.
        client: u32,
    },
    /// Client to broker: UNREGISTER_CLIENT.
    Leave {
        /// Which group.
        group: u32,
        /// Which consumer.
        client: u32,
    },
    /// Broker to client: NOTIFY_CONSUMER_IDS_CHANGED.
    ConsumersChanged,
    /// Client to broker: GET_CONSUMER_LIST_BY_GROUP.
    GetConsumers(u32, u32),
    /// Broker to client: none if it has not heard of the group.
    ConsumersAre(u32, Option<Arc<[u32]>>),
    /// Client to broker: QUERY_CONSUMER_OFFSET of a group and queue.
    QueryOffset(u32, u32, QueueId),
    /// Client to broker: GET_MAX_OFFSET.
    GetMaxOffset(u32, QueueId),
    /// Broker to client: the offset; none if there is none.
    OffsetIs(u32, Option<u64>),
    /// Client to broker: UPDATE_CONSUMER_OFFSET, which is not answered.
    UpdateOffset(u32, QueueId, u64),
    /// Slave to master: GET_ALL_CONSUMER_OFFSET.
    GetAllOffsets(u32),
    /// Master to slave.
    AllOffsets(u32, Arc<Offsets>),

    /// Broker to controller: BROKER_HEARTBEAT with its epoch and the end of its CommitLog.
    Beat(u32, u64),
    /// Broker to controller: CONTROLLER_GET_REPLICA_INFO of its group.
    GetReplicas(u32),
    /// Broker to controller: CONTROLLER_ALTER_SYNC_STATE_SET.
    AlterSet(u32, Box<Decided>),
    /// Controller to broker: what is decided; none if it does not lead, or refuses another set.
    Replicas(u32, Option<Box<Decided>>),
    /// Broker to controller: CONTROLLER_GET_METADATA_INFO.
    GetLeader(u32),
    /// Controller to broker: who leads, if it knows.
    LeaderIs(u32, Option<NodeId>),
    /// Controller to broker: NOTIFY_BROKER_ROLE_CHANGED.
    RoleChanged(Box<Decided>),
    /// Between controllers.
    Raft(raft::Message<Decided>),
    /// Between the brokers of a DLedger group.
    Ledger(raft::Message<Record>),

    /// Slave to master, in the mode with controllers: it begins.
    Handshake,
    /// Master to slave: its epochs, and where its CommitLog ends.
    Epochs(Arc<[Epoch]>, u64),
    /// Slave to master: the position up to which it has the CommitLog.
    Position(u64),
    /// Master to slave; without bytes it only says that it is there.
    Transfer(Box<Transfer>),

    /// To itself.
    Timer(Timer),
}

impl raft::Record for Decided {
    fn bytes(&self) -> u32 {
        160
    }
}

/// Bytes of an entry beside its body (`DLedgerEntry.BODY_OFFSET`, openmessaging/dledger).
const ENTRY: u32 = 48;

impl raft::Record for Record {
    fn bytes(&self) -> u32 {
        Record::bytes(self) + ENTRY
    }
}

impl From<raft::Message<Record>> for Message {
    fn from(message: raft::Message<Record>) -> Message {
        Message::Ledger(message)
    }
}

impl Carry<raft::Message<Record>> for Message {
    fn open(self) -> Result<raft::Message<Record>, Message> {
        match self {
            Message::Ledger(message) => Ok(message),
            other => Err(other),
        }
    }
}

impl From<raft::Message<Decided>> for Message {
    fn from(message: raft::Message<Decided>) -> Message {
        Message::Raft(message)
    }
}

impl Carry<raft::Message<Decided>> for Message {
    fn open(self) -> Result<raft::Message<Decided>, Message> {
        match self {
            Message::Raft(message) => Ok(message),
            other => Err(other),
        }
    }
}

impl From<Timer> for Message {
    fn from(timer: Timer) -> Message {
        Message::Timer(timer)
    }
}

/// What a machine tells itself. A life counts what has ended since, so that a stale one is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Requests may be overdue, or a connection that is not open yet.
    Requests,
    /// NameServer: look for silent brokers.
    Scan,

    /// Broker: its process is there.
    Load,
    /// Broker: the CommitLog was read.
    Scanned,
    /// Broker: register.
    Register,
    /// Broker: a send has its turn; it arrived at this time, in ns.
    Put(crate::world::ConnId, Send, u64),
    /// Broker: the flusher wakes.
    Flush,
    /// Broker: the fsync up to this position is through.
    Flushed(u64),
    /// Broker: the write buffer is copied to the file.
    Commit,
    /// Broker: sends that wait may be overdue.
    PutTimeout,
    /// Broker of a DLedger group: the same.
    LedgerTimeout,
    /// Broker: dispatch.
    Dispatch,
    /// Broker: segments may be deleted.
    Clean,
    /// Broker: messages whose delay may be over are looked for.
    Deliver,
    /// Broker: the file that says which were delivered is written.
    PersistDelays,
    /// Broker: the file of offsets is written.
    PersistOffsets,
    /// Broker: that file is durable.
    OffsetsDurable,
    /// Broker: pulls that are held are looked at.
    HeldPulls,
    /// Broker: clients that are silent are looked for.
    ClientScan,
    /// Broker: slaves may be pushed to.
    Push,
    /// Broker: connections between master and slaves are looked at.
    HaTick,
    /// Slave: connect to the master.
    HaConnect,
    /// Broker: tell controllers and NameServers that it is there.
    Beat,
    /// Broker: ask the controllers what is decided.
    Metadata,
    /// Broker: look which controllers can be reached.
    ScanControllers,
    /// Broker: ask who leads them.
    SyncController,
    /// Broker: try again to find one, or to register with it.
    FindController,
    /// Master: look whether a slave is not in sync any more.
    CheckSet,
    /// Controller: look for brokers that are silent.
    CheckBrokers,
    /// Controller: look for groups without a master.
    CheckMasters,
    /// Slave: copy what the master has beside the CommitLog.
    SlaveSync,

    /// Client: ask for the route.
    PollRoute,
    /// Producer: the next send may be due.
    Pace,
    /// Producer: the application calls send again, for what this call was about.
    Resend(u32),
    /// Consumer: begin, or stop to ask for more.
    Begin(bool),
    /// Consumer: a thread of the application is through.
    Processed(u32),
    /// Consumer: pull from this queue again, in this life of its.
    PullAgain(QueueId, u32),
    /// Consumer: give a queue up whose offset was illegal, in this life of its.
    GiveUp(QueueId, u32),
    /// Consumer: rebalance.
    Rebalance,
    /// Consumer: tell the brokers that it is there.
    Heartbeats,
    /// Consumer: tell the brokers its offsets.
    Persist,
    /// Consumer: what could not be sent back is consumed again: which.
    Reconsume(u32),
    /// Consumer: a queue that was suspended goes on, in this life of its.
    Resume(QueueId, u32),
    /// Consumer: look for messages that take too long.
    Expire,
    /// Consumer: ask for the locks of its queues again.
    Locks,
}

#[cfg(test)]
mod tests {
    use super::Message;

    #[test]
    fn a_message_is_small() {
        assert!(std::mem::size_of::<Message>() <= 48);
    }
}
