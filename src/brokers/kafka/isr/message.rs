//! What brokers, controllers and clients say to each other and to themselves.
//!
//! Requests on one connection are answered in their order, and a broker handles the next one when
//! the one before is answered (SocketServer.scala: a channel is muted while its request is worked
//! on, a parked one included).

use std::sync::Arc;

use crate::brokers::coordination::{Carry, raft, zookeeper};
use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::log::Piece;
use crate::engine::{Span, Time};
use crate::observe::{ConsumerId, MessageRange, NodeId};

use super::content::Content;
pub use super::error::Error;
use super::groups::{GroupId, GroupRequest, GroupResponse};
use super::sequence::Sequenced;
use super::state::{PartitionChange, PartitionState, Record, View, Znode};
use super::transactions::{Aborted, Marker, TxnId, TxnRequest, TxnResponse};

/// Everything that is sent, and every timer. Small: what is large is boxed.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Asks for something.
    Request {
        /// Numbers the requests of a connection.
        id: u32,
        /// What is asked.
        body: Box<Request>,
    },
    /// The answer to the request with this number.
    Response {
        /// The request's number.
        id: u32,
        /// The answer.
        body: Box<Response>,
    },
    /// A timer, or something that one lane tells another.
    Timer(Timer),
    /// Something is on the disk.
    Synced(Synced),
    /// Of ZooKeeper.
    ZooKeeper(zookeeper::Message<Znode>),
    /// Of the controller quorum.
    Raft(raft::Message<Record>),
}

impl From<zookeeper::Message<Znode>> for Message {
    fn from(message: zookeeper::Message<Znode>) -> Message {
        Message::ZooKeeper(message)
    }
}

impl Carry<zookeeper::Message<Znode>> for Message {
    fn open(self) -> Result<zookeeper::Message<Znode>, Message> {
        match self {
            Message::ZooKeeper(message) => Ok(message),
            other => Err(other),
        }
    }
}

impl From<raft::Message<Record>> for Message {
    fn from(message: raft::Message<Record>) -> Message {
        Message::Raft(message)
    }
}

impl Carry<raft::Message<Record>> for Message {
    fn open(self) -> Result<raft::Message<Record>, Message> {
        match self {
            Message::Raft(message) => Ok(message),
            other => Err(other),
        }
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// `Produce`.
    Produce {
        /// How many must have it.
        acks: Acks,
        /// How long the broker may wait for them.
        timeout: Span,
        /// By partition.
        batches: Vec<Batch>,
        /// The transactional id of the producer, if it has one.
        transaction: Option<TxnId>,
    },
    /// `InitProducerId`, of a producer without a transactional id.
    InitProducerId,
    /// `Fetch`.
    Fetch(Fetch),
    /// `ListOffsets`.
    ListOffsets {
        /// Which partition.
        partition: PartitionId,
        /// Which end of it.
        which: Which,
        /// The leader epoch that the client knows; none before 2.1.
        epoch: Option<u32>,
        /// `isolation.level` is `read_committed`.
        committed: bool,
    },
    /// `OffsetForLeaderEpoch`: by partition, the epoch whose end is asked for.
    EpochEnds {
        /// The follower; `None` for a consumer.
        replica: Option<NodeId>,
        /// Partition, the leader epoch that the asker knows, the epoch that is asked about.
        asked: Vec<(PartitionId, Option<u32>, u32)>,
    },
    /// `Metadata`.
    Metadata,
    /// Controller to broker: `LeaderAndIsr`.
    LeaderAndIsr {
        /// Of the controller.
        controller_epoch: u32,
        /// Of the broker that it is meant for, from 2.2 on.
        broker_epoch: Option<u64>,
        /// By partition.
        states: Vec<(PartitionId, PartitionState)>,
    },
    /// Controller to broker: `UpdateMetadata`.
    UpdateMetadata {
        /// Of the controller.
        controller_epoch: u32,
        /// What is known now.
        view: Arc<View>,
    },
    /// Controller to broker: `StopReplica`, for partitions of a broker that shuts down.
    StopReplica {
        /// Of the controller.
        controller_epoch: u32,
        /// Which.
        partitions: Vec<PartitionId>,
    },
    /// Broker to controller: `ControlledShutdown`.
    ControlledShutdown {
        /// Who.
        broker: NodeId,
        /// Its incarnation.
        broker_epoch: u64,
    },
    /// Leader to controller: `AlterPartition` (`AlterIsr` before 3.3).
    AlterPartition {
        /// Who.
        broker: NodeId,
        /// Its incarnation.
        broker_epoch: u64,
        /// Which partition.
        partition: PartitionId,
        /// What it should become.
        change: PartitionChange,
    },
    /// Broker to a KRaft controller: `BrokerRegistration`.
    Register {
        /// Who.
        broker: NodeId,
        /// Which start of its process.
        incarnation: u32,
        /// The epoch in the file that an orderly stop leaves, if it is there.
        clean_epoch: Option<u64>,
    },
    /// Broker to a KRaft controller: `BrokerHeartbeat`.
    Heartbeat {
        /// Who.
        broker: NodeId,
        /// Its registration.
        broker_epoch: u64,
        /// How far it has followed the metadata log.
        metadata_offset: u64,
        /// It has not caught up yet, or wants to be fenced.
        want_fence: bool,
        /// It wants to stop in order.
        want_shutdown: bool,
    },
    /// Consumer to the coordinator of its group.
    Group {
        /// Which group.
        group: GroupId,
        /// `client.id`.
        client: ConsumerId,
        /// What is asked.
        body: GroupRequest,
    },
    /// To the coordinator of a transactional id, of a producer or of a leader.
    Transaction {
        /// Which transactional id.
        id: TxnId,
        /// What is asked.
        body: TxnRequest,
    },
    /// Coordinator to leader: `WriteTxnMarkers`.
    WriteMarkers {
        /// What is written.
        marker: Marker,
        /// Where.
        partitions: Vec<PartitionId>,
    },
}

/// A batch of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Where it goes.
    pub partition: PartitionId,
    /// What is in it.
    pub messages: MessageRange,
    /// Bytes of it, headers included, as it is sent and stored.
    pub bytes: u32,
    /// Whether it is compressed, and so is kept as a whole.
    pub whole: bool,
    /// What a batch of an idempotent producer bears: its messages have a sequence each, from this
    /// one on.
    pub sequenced: Option<Sequenced>,
    /// When its last message was handed to the client, by that one's clock.
    pub stamp: Time,
}

/// `acks`, `request.required.acks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// 0: no answer.
    None,
    /// 1: the leader.
    Leader,
    /// n > 1, up to 0.8.2: so many members of the ISR.
    Some(u32),
    /// `all`, -1: the in-sync replicas.
    All,
}

/// A fetch of a follower or of a consumer.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetch {
    /// The follower; `None` for a consumer.
    pub replica: Option<NodeId>,
    /// The follower's incarnation (KIP-903), or 0.
    pub broker_epoch: u64,
    /// How long the answer may wait for data.
    pub max_wait: Span,
    /// How much data is worth an answer.
    pub min_bytes: u32,
    /// How much data an answer may have.
    pub max_bytes: u32,
    /// `isolation.level` is `read_committed`.
    pub committed: bool,
    /// `client.rack`.
    pub rack: Option<u32>,
    /// What was asked before over this connection counts no longer. A consumer says so each time.
    pub anew: bool,
    /// What is asked otherwise than in the request before, by partition.
    pub parts: Vec<FetchPart>,
    /// What is asked no longer.
    pub forgotten: Vec<PartitionId>,
    /// Of how many partitions the request speaks on the wire.
    pub wire: u32,
}

/// What is fetched of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPart {
    /// Which.
    pub partition: PartitionId,
    /// From which offset. A follower has everything before it.
    pub offset: u64,
    /// The leader epoch that the asker knows, from 2.1 on (KIP-320).
    pub epoch: Option<u32>,
    /// The epoch of its last record, from 2.7 on (KIP-595).
    pub last_epoch: Option<u32>,
    /// How many bytes at most.
    pub max_bytes: u32,
}

/// Which end of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// `earliest`, `smallest`.
    Earliest,
    /// `latest`, `largest`: the high watermark, for a consumer.
    Latest,
    /// The first that is not older than this; the end if there is none (`offsetsForTimes`).
    Since(Time),
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// By partition: what became of the batch or marker, and its first offset.
    Produce(Vec<(PartitionId, Error, u64)>),
    /// Of `InitProducerId`: the id, its epoch being 0.
    InitProducerId(Error, u32),
    /// By partition, those of which there is something to say to this asker; and of how many partitions
    /// the answer speaks on the wire.
    Fetch(Vec<FetchedPart>, u32),
    /// The offset, with the leader epoch of the record there if it is known.
    ListOffsets(Error, u64, Option<u32>),
    /// By partition: the epoch that was found, if the version has that, and where it ends.
    EpochEnds(Vec<(PartitionId, Error, Option<EpochEnd>)>),
    /// What the broker knows.
    Metadata(Arc<View>),
    /// By partition: whether the state was taken.
    LeaderAndIsr(Error),
    /// Of `UpdateMetadata`, `StopReplica`.
    Done(Error),
    /// The partitions that the broker still leads.
    ControlledShutdown(Error, u32),
    /// Of `AlterPartition`: the state that holds now.
    AlterPartition(PartitionId, Error, Option<PartitionState>),
    /// Of `BrokerRegistration`: the broker epoch.
    Registered(Error, u64),
    /// Of `BrokerHeartbeat`.
    Heartbeat(Error, Standing),
    /// Of a group's coordinator.
    Group(GroupResponse),
    /// Of the coordinator of a transactional id.
    Transaction(TxnResponse),
}

/// What a KRaft controller thinks of a broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// It has followed the metadata far enough.
    pub caught_up: bool,
    /// It must not lead nor be in an ISR.
    pub fenced: bool,
    /// It may stop.
    pub should_shut_down: bool,
}

/// The end of an epoch in a leader's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The greatest epoch that the leader knows and that is not after the one asked about; the
    /// one asked about itself before 2.0.
    pub epoch: u32,
    /// The offset after its last record.
    pub end: u64,
}

/// What was fetched of one partition.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchedPart {
    /// Which.
    pub partition: PartitionId,
    /// Whether it went well.
    pub error: Error,
    /// The leader's high watermark; for `read_committed`, its last stable offset.
    pub high_watermark: u64,
    /// The leader's log start.
    pub log_start: u64,
    /// The records.
    pub records: Vec<Piece>,
    /// For a follower and for `read_committed`, what each of them bears and when it was made; empty where
    /// none bears anything.
    pub sequenced: Vec<Option<(Sequenced, Time)>>,
    /// What is in the batches whose contents matter, by their first offsets.
    pub values: Vec<(u64, Arc<Content>)>,
    /// For a follower, from which offsets on the records are how late.
    pub times: Vec<(u64, Time)>,
    /// For `read_committed`, the aborted transactions among the records.
    pub aborted: Vec<Aborted>,
    /// Where the logs part (truncate-on-fetch); no records then.
    pub diverging: Option<EpochEnd>,
    /// Who is to be asked instead (`preferredReadReplica`); no records then.
    pub preferred: Option<NodeId>,
}

/// What a machine says to itself later. Numbers that go with it tell stale ones from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// A broker's process is up: its logs are to be loaded.
    Boot,
    /// Its logs are loaded.
    LogsLoaded,
    /// Leaders look for late followers (`isr-expiration`).
    IsrExpiration,
    /// High watermarks are written down (`highwatermark-checkpoint`).
    HighWatermarkCheckpoint,
    /// Recovery points are written down (`kafka-recovery-point-checkpoint`).
    RecoveryPointCheckpoint,
    /// Logs are flushed by age (`kafka-log-flusher`).
    LogFlusher,
    /// Old segments are deleted (`kafka-log-retention`).
    LogRetention,
    /// Producers that have long been silent are forgotten (`PeriodicProducerExpirationCheck`).
    ProducerExpiration,
    /// A parked produce request has waited long enough.
    ProduceExpired {
        /// Its place among the parked.
        slot: u32,
        /// Which one there.
        generation: u32,
    },
    /// A parked fetch has waited long enough.
    FetchExpired {
        /// The connection's place.
        slot: u32,
        /// Which fetch there.
        generation: u32,
    },
    /// A follower's fetcher for one leader goes on.
    Fetcher {
        /// The leader's broker.
        from: NodeId,
        /// Which of its waits.
        turn: u32,
    },
    /// A request has not been answered in time, or a connection may be tried again.
    Link {
        /// Which link of the machine.
        link: u32,
        /// Which of its waits.
        turn: u32,
    },
    /// A change of an ISR is tried again.
    AlterPartition {
        /// Which.
        partition: PartitionId,
    },
    /// A broker's heartbeat to the controller quorum, or its next try to register.
    Heartbeat {
        /// Which of its waits.
        turn: u32,
    },
    /// A controller looks for brokers that are silent.
    Sessions {
        /// In which of its terms it was set.
        term: u32,
    },
    /// A controller looks for partitions that are not led by their preferred replica.
    PreferredLeaders {
        /// In which of its terms it was set.
        term: u32,
    },
    /// A controller goes on with its work.
    Controller {
        /// In which of its terms it was set.
        term: u32,
    },
    /// A ZooKeeper controller sends to a broker again.
    Channel {
        /// Which broker.
        to: NodeId,
        /// Which of its waits.
        turn: u32,
    },
    /// A broker tries to belong to the cluster: a session, a znode of its own, a controller.
    Membership {
        /// Which of its waits.
        turn: u32,
    },
    /// A broker looks whether the controller should be told of ISRs (`isr-change-propagation`).
    IsrPropagation,
    /// A controlled shutdown is over.
    ShutdownOver,
    /// A controlled shutdown is tried again.
    Shutdown {
        /// Which try.
        attempt: u32,
    },
    /// The coordinator of a group looks at what is due.
    Group {
        /// Which.
        group: GroupId,
    },
    /// The coordinators of groups look for offsets that are too old.
    OffsetsRetention,
    /// A coordinator has read its partition.
    OwnLoaded {
        /// Which.
        partition: PartitionId,
        /// In which leader epoch it began.
        epoch: u32,
    },
    /// A broker has waited long enough for what it has written for itself.
    OwnWriteExpired {
        /// To which partition.
        partition: PartitionId,
        /// Which write.
        number: u32,
    },
    /// The coordinator of a transactional id sends markers again.
    Markers {
        /// Whose.
        id: TxnId,
    },
    /// A coordinator looks for transactions that take too long
    /// (`transaction-abort`).
    TransactionTimeouts,
    /// A member of a group looks at what is due.
    Member,
    /// A client's sender looks at what is due.
    Sender,
    /// A client is to ask for metadata.
    Metadata,
    /// The next message of a client's load is due.
    Load,
    /// An application is done with a message.
    Processed,
    /// A consumer goes on.
    Poll,
    /// A client starts or stops.
    Start,
    /// See [`Timer::Start`].
    Stop,
}

/// What was made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synced {
    /// A log, up to an offset.
    Log {
        /// Whose.
        partition: PartitionId,
        /// Up to where.
        upto: u64,
        /// In which life of the log: truncation and death begin another.
        life: u32,
    },
    /// All logs at an orderly stop.
    Stopping,
    /// A scan of segments at a start.
    Scanned,
}

/// Bytes of a request's or a response's header and framing.
const HEADER: u32 = 40;

impl Request {
    /// Bytes on the wire.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        HEADER
            + match self {
                Request::Produce { batches, .. } => {
                    batches.iter().map(|batch| batch.bytes + 20).sum()
                }
                Request::Fetch(fetch) => 40 + fetch.wire * 36,
                Request::EpochEnds { asked, .. } => asked.len() as u32 * 16,
                Request::LeaderAndIsr { states, .. } => states.len() as u32 * 64,
                Request::UpdateMetadata { view, .. } => view.bytes(),
                Request::StopReplica { partitions, .. } => partitions.len() as u32 * 12,
                Request::AlterPartition { .. } => 80,
                Request::Group { body, .. } => body.bytes(),
                Request::Transaction { body, .. } => body.bytes(),
                Request::WriteMarkers { partitions, .. } => 30 + partitions.len() as u32 * 8,
                Request::ListOffsets { .. }
                | Request::InitProducerId
                | Request::Metadata
                | Request::ControlledShutdown { .. }
                | Request::Register { .. }
                | Request::Heartbeat { .. } => 40,
            }
    }
}

impl Response {
    /// Bytes on the wire.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        HEADER
            + match self {
                Response::Produce(parts) => parts.len() as u32 * 30,
                Response::Fetch(parts, wire) => {
                    wire * 40 + parts.iter().map(FetchedPart::bytes).sum::<u32>()
                }
                Response::EpochEnds(ends) => ends.len() as u32 * 20,
                Response::Metadata(view) => view.bytes(),
                Response::Group(answer) => answer.bytes(),
                _ => 24,
            }
    }
}

impl Response {
    /// The same answer, refused.
    pub fn refuse(&mut self, error: Error) {
        match self {
            Response::ListOffsets(old, ..)
            | Response::InitProducerId(old, _)
            | Response::LeaderAndIsr(old)
            | Response::Done(old)
            | Response::ControlledShutdown(old, _)
            | Response::AlterPartition(_, old, _)
            | Response::Registered(old, _)
            | Response::Heartbeat(old, _) => *old = error,
            Response::Produce(parts) => parts.iter_mut().for_each(|part| part.1 = error),
            Response::EpochEnds(parts) => parts.iter_mut().for_each(|part| part.1 = error),
            Response::Fetch(parts, _) => parts.iter_mut().for_each(|part| part.error = error),
            Response::Group(answer) => answer.refuse(error),
            Response::Transaction(answer) => answer.refuse(error),
            Response::Metadata(_) => {}
        }
    }
}

impl FetchedPart {
    /// Bytes of its records on the wire.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        self.records.iter().map(|piece| piece.bytes as u32).sum::<u32>()
    }

    /// An answer without records.
    #[must_use]
    pub const fn failed(partition: PartitionId, error: Error) -> FetchedPart {
        FetchedPart {
            partition,
            error,
            high_watermark: 0,
            log_start: 0,
            records: Vec::new(),
            sequenced: Vec::new(),
            values: Vec::new(),
            times: Vec::new(),
            aborted: Vec::new(),
            diverging: None,
            preferred: None,
        }
    }
}
