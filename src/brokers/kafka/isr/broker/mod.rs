//! A broker.
//!
//! | file | Kafka's own name |
//! | --- | --- |
//! | `connections.rs` | SocketServer, KafkaApis |
//! | `produce.rs` | ReplicaManager.appendRecords, DelayedProduce |
//! | `producers.rs` | ProducerStateManager, ProducerAppendInfo |
//! | `fetch.rs`, `session.rs` | ReplicaManager.fetchMessages, DelayedFetch; FetchSession |
//! | `replica.rs`, `epochs.rs` | Partition, Replica, LeaderEpochFileCache |
//! | `isr.rs` | Partition.maybeShrinkIsr, maybeExpandIsr, AlterPartitionManager |
//! | `roles.rs` | ReplicaManager.becomeLeaderOrFollower, Partition.makeLeader, makeFollower |
//! | `fetcher.rs`, `following.rs` | ReplicaFetcherThread, AbstractFetcherThread; FetchSessionHandler |
//! | `storage.rs` | LogManager, checkpoints, recovery |
//! | `segments.rs`, `retention.rs` | LogSegments, TimeIndex; LogManager.cleanupLogs, UnifiedLog.deleteOldSegments |
//! | `coordinator/` | GroupCoordinator, GroupMetadataManager |
//! | `transactions/` | TransactionCoordinator, TransactionMarkerChannelManager, TransactionIndex |
//! | `own.rs`, `values.rs` | what a broker writes for itself, and what is in the batches of that |
//! | `life.rs` | KafkaServer, BrokerServer: start and stop |
//!
//! Lanes: the main lane has timers and what comes from the controller; every connection has one
//! (its requests are worked on one after the other), and so has the fetcher of each other broker.

mod connections;
mod coordinator;
mod epochs;
mod fetch;
mod fetcher;
mod following;
mod isr;
mod life;
mod membership;
mod own;
mod produce;
mod producers;
mod replica;
mod retention;
mod roles;
mod segments;
mod session;
mod storage;
mod transactions;
mod values;

use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::log::Piece;
use crate::engine::Time;
use crate::observe::{BecauseId, CauseId, NodeId, Observer, Removal};
use crate::world::{Context, Input, Lane};

use super::config::Config;
use super::message::{Message, Timer};
use super::state::View;

pub use connections::Connection;
pub use coordinator::Coordinator;
pub use epochs::EpochCache;
pub use fetcher::Fetcher;
pub use membership::{KraftMember, Membership, ZooKeeperMember};
pub use produce::Parked;
pub use producers::ProducerStates;
pub use replica::{FIRST_LOG, Leading, Notes, Remote, Replica, Role, Storage};
pub use segments::Segments;
pub use storage::{CHECKPOINTS, Marks};
pub use transactions::{Errands, OpenTransactions, TransactionCoordinator, Verifying};
pub use values::Values;

/// How far a broker's process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No process.
    Off,
    /// The process starts, and loads its logs.
    Loading,
    /// It serves.
    Running,
    /// It was asked to stop.
    Stopping,
}

/// A broker.
#[derive(Clone, Debug)]
pub struct Broker {
    /// What all know.
    pub(super) config: Arc<Config>,
    /// Which one it is.
    pub(super) me: NodeId,
    /// How far it is.
    pub(super) status: Status,
    /// Its replicas, by partition.
    pub(super) replicas: Vec<Option<Box<Replica>>>,
    /// What it knows of the cluster.
    pub(super) view: Arc<View>,
    /// The greatest controller epoch that it has heard of.
    pub(super) controller_epoch: u32,
    /// Clients and other brokers that are connected, by place.
    connections: Vec<Option<Connection>>,
    /// (lane, place), ascending.
    lanes: Vec<(Lane, u32)>,
    /// What fetches from each other broker.
    fetchers: Vec<Fetcher>,
    /// How many fetches have waited.
    fetches_parked: u64,
    /// Writes that wait for replicas.
    parked: Parked,
    /// What is on its disk beside the logs.
    pub(super) marks: Marks,
    /// Partitions of which something changed that invariants speak of.
    pub(super) touched: Vec<PartitionId>,
    /// Which start of its process it is.
    pub(super) incarnation: u32,
    /// How it belongs to the cluster.
    pub(super) membership: Membership,
    /// It has been told that it may serve.
    served: bool,
    /// How many producer ids it has given away.
    ids: u32,
    /// It looks regularly for producers to forget.
    watches_producers: bool,
    /// The groups that it coordinates.
    coordinator: Coordinator,
    /// The transactional ids that it coordinates.
    transactions: TransactionCoordinator,
    /// What it asks other brokers about transactions.
    errands: Errands,
    /// Requests that wait until their transactions are verified.
    verifying: Verifying,
}

impl Broker {
    /// A broker whose replicas are as the assignment says, before its first start.
    #[must_use]
    pub fn new(config: Arc<Config>, me: NodeId) -> Broker {
        let replicas = config.all_partitions().map(|partition| {
            let here = config.replicas(partition).contains(&me);
            here.then(|| Box::new(Replica::new(partition)))
        });
        let fetchers = config.all_brokers().map(|node| Fetcher::new(node.0)).collect();
        Broker {
            me,
            status: Status::Off,
            replicas: replicas.collect(),
            view: Arc::new(View::default()),
            controller_epoch: 0,
            connections: Vec::new(),
            lanes: Vec::new(),
            fetchers,
            fetches_parked: 0,
            parked: Parked::default(),
            marks: Marks::default(),
            touched: Vec::new(),
            incarnation: 0,
            membership: Membership::new(&config, me),
            served: false,
            ids: 0,
            watches_producers: false,
            coordinator: Coordinator::default(),
            transactions: TransactionCoordinator::default(),
            errands: Errands::new(config.brokers),
            verifying: Verifying::default(),
            config,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        let lane = ctx.lane();
        let input = match input {
            // Whichever lane asked for it: a log is the broker's.
            Input::Local { body: Message::Synced(synced) } => return self.synced(synced, ctx),
            Input::DiskFailed { body: Message::Synced(_) } => return self.disk_failed(ctx),
            other => other,
        };
        if self.membership.owns(lane) {
            return self.handle_member(input, ctx);
        }
        if lane == Lane::MAIN {
            return self.handle_main(input, ctx);
        }
        if let Some(place) = self.place_of(lane) {
            return self.handle_connection(place, input, ctx);
        }
        if self.errands.lane() == Some(lane) {
            return self.handle_errand(input, ctx);
        }
        if let Some(from) = self.fetchers.iter().position(|fetcher| fetcher.lane() == Some(lane)) {
            self.handle_fetcher(NodeId(from as u32), input, ctx);
        }
    }

    fn handle_main(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(boot) => self.boot(&boot, ctx),
            Input::Signal(signal) => self.signal(signal, ctx),
            Input::Accepted { conn, peer, .. } => self.accepted(conn, peer, ctx),
            Input::Local { body: Message::Timer(timer) } => self.timer(timer, ctx),
            other => self.handle_member(other, ctx),
        }
    }

    fn timer(&mut self, timer: Timer, ctx: &mut Context<'_, Message>) {
        ctx.spend(self.config.costs.internal);
        match timer {
            Timer::Boot => self.load_logs(ctx),
            Timer::LogsLoaded => self.logs_loaded(ctx),
            Timer::IsrExpiration => self.isr_expiration(ctx),
            Timer::HighWatermarkCheckpoint => self.checkpoint_high_watermarks(ctx),
            Timer::RecoveryPointCheckpoint => self.checkpoint_recovery_points(ctx),
            Timer::LogFlusher => self.flush_by_age(ctx),
            Timer::LogRetention => self.delete_old_segments(ctx),
            Timer::ProduceExpired { slot, generation } => {
                self.produce_expired(slot, generation, ctx);
            }
            Timer::FetchExpired { slot, generation } => self.fetch_expired(slot, generation, ctx),
            Timer::ProducerExpiration => self.expire_producers(ctx),
            Timer::AlterPartition { partition } => self.ask_for_isr(partition, ctx),
            Timer::OffsetsRetention => self.expire_offsets(ctx),
            Timer::Group { group } => self.group_due(group, ctx),
            Timer::OwnLoaded { partition, epoch } => {
                self.offsets_loaded(partition, epoch, ctx);
                self.transactions_loaded(partition, epoch, ctx);
            }
            Timer::OwnWriteExpired { partition, number } => {
                self.own_write_expired(partition, number, ctx);
            }
            Timer::Markers { id } => {
                self.markers_answered(id, 0, &[], ctx);
                self.send_markers(id, ctx);
            }
            Timer::TransactionTimeouts => self.transaction_timeouts(ctx),
            other => {
                self.handle_member(Input::Local { body: Message::Timer(other) }, ctx);
            }
        }
    }

    /// The replica of a partition, if it is here and its disk works.
    pub(super) fn replica(&self, partition: PartitionId) -> Option<&Replica> {
        self.replicas.get(partition.index())?.as_deref().filter(|replica| !replica.offline)
    }

    fn replica_mut(&mut self, partition: PartitionId) -> Option<&mut Replica> {
        let replica = self.replicas.get_mut(partition.index())?.as_deref_mut();
        replica.filter(|replica| !replica.offline)
    }

    /// Something changed of which invariants speak, and which followers may have to be told.
    fn touch(&mut self, partition: PartitionId) {
        self.stir(partition);
        if let Some(Some(replica)) = self.replicas.get_mut(partition.index())
            && !std::mem::replace(&mut replica.notes.touched, true)
        {
            self.touched.push(partition);
        }
    }

    /// It has acted as a leader by this high watermark, which invariants speak of.
    fn acted_by(&mut self, partition: PartitionId, high_watermark: u64) {
        if let Some(replica) = self.replica_mut(partition) {
            replica.notes.used = replica.notes.used.min(high_watermark);
        }
        self.touch(partition);
    }

    /// This broker has copies of these.
    fn report_stored(&self, at: Time, piece: &Piece, observer: &mut dyn Observer) {
        let (messages, lines) = self.config.streams.told(piece.messages);
        for destination in lines {
            observer.stored(at, self.me, *destination, messages);
        }
    }
}

/// Tells that a broker has given up its copies of these.
fn report_removed(
    config: &Config,
    (at, node): (Time, NodeId),
    piece: &Piece,
    (cause, because): (CauseId, BecauseId),
    observer: &mut dyn Observer,
) {
    let removal = Removal { cause, because };
    let (messages, lines) = config.streams.told(piece.messages);
    for destination in lines {
        observer.removed(at, node, *destination, messages, removal);
    }
    // What nobody has passed on will not come out where it was to come out either.
    for destination in config.streams.forwarded_lines(piece.messages.producer) {
        observer.dropped(at, node, Some(*destination), messages, removal);
    }
}
