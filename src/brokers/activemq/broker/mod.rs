//! A broker (`BrokerService` with its `RegionBroker`).
//!
//! Its lanes are the threads of ActiveMQ that matter: one a connection (`TransportConnection`), which
//! blocks where that thread would; the executor of `concurrentStoreAndDispatch`; the writer of the
//! journal; and the main one for what is periodic.

mod acks;
mod connections;
pub(super) use connections::{FIRST_CHECK, ReadCheck};
mod life;
mod queue;
mod remote;
mod sends;
mod store;
mod transactions;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::brokers::kit::touched::Touched;
use crate::engine::{Slab, Time};
use crate::observe::{Event, EventId, NodeId, Observer, Removal};
use crate::world::{Context, FileId, Input, Lane, Signal, Wait};

use super::config::{Config, OPENWIRE};
use super::invariants::Touch;
use super::message::{Jms, Message, QueueId, Timer};
use super::store::{Journal, Place};

use connections::Connection;
use queue::Queue;
use remote::Remote;
use sends::Parked;
use store::{Executor, Writer};
use transactions::Commit;

/// The index of the KahaDB (`db.data`); files of the journal come behind it.
const INDEX: FileId = FileId(0);

/// A file of the journal on the disk.
const fn journal_file(number: u32) -> FileId {
    FileId(number)
}

/// How far a broker's process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Down,
    /// Its store is opened and recovered.
    Loading,
    Serving,
    Stopping,
}

/// The threads beside the main one and those of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lanes {
    store: Lane,
    writer: Lane,
}

/// Where a message is on its way into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// In memory, for good.
    Memory,
    /// It waits for the executor, and can be cancelled.
    Queued,
    /// The writer of the journal has it.
    Storing,
    /// As much in the journal as anybody waits for.
    Stored,
}

/// A message in a queue, or at a consumer that has not acknowledged it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    message: Jms,
    queue: QueueId,
    /// Tells it from what had its place before.
    serial: u64,
    stage: Stage,
    /// Whether its sender waits or has waited for an answer.
    awaited: bool,
    /// Whom to answer, and under which number.
    reply: Option<(crate::world::ConnId, u32)>,
    /// How often it had been delivered before, as far as the broker knows.
    redeliveries: u32,
    /// A consumer is through with it while it is being stored.
    acked: bool,
}

/// A message: its producer, and its number among what that sends.
pub type Sent = (u32, u32);

/// A broker.
#[derive(Clone, Debug)]
pub struct Broker {
    config: Arc<Config>,
    node: NodeId,
    phase: Phase,
    lanes: Lanes,
    journal: Journal,
    /// Where the store is, if it is elsewhere.
    remote: Option<Remote>,
    /// Whether the last process ended in order.
    clean: bool,
    entries: Slab<Entry>,
    serial: u64,
    queues: Vec<Queue>,
    connections: BTreeMap<crate::world::ConnId, Connection>,
    executor: Executor,
    writer: Writer,
    commits: Slab<Commit>,
    next_transaction: u32,
    /// Sends that wait for space, in the order in which they came.
    parked: VecDeque<Parked>,
    /// When it last said that producers wait, by the monotonic clock.
    warned: Option<Time>,
    /// Whether there is something that a checkpoint would write.
    dirty: bool,
    /// Bytes of the journal behind the last checkpoint.
    since_checkpoint: u64,
    /// While it is down: the messages on its disk of which the observer knows.
    on_disk: BTreeSet<Place>,
    /// What the invariants have to look at.
    pub(super) touched: Touched<Touch>,
}

impl Broker {
    /// One that has not started.
    #[must_use]
    pub fn new(config: Arc<Config>, node: NodeId) -> Broker {
        let queues = (0..config.queues.len()).map(|_| Queue::default()).collect();
        Broker {
            node,
            phase: Phase::Down,
            lanes: Lanes { store: Lane::MAIN, writer: Lane::MAIN },
            journal: Journal::new(config.settings.file_length),
            remote: config.storage.map(Remote::new),
            clean: true,
            entries: Slab::new(),
            serial: 0,
            queues,
            connections: BTreeMap::new(),
            executor: Executor::default(),
            writer: Writer::default(),
            commits: Slab::new(),
            next_transaction: 1,
            parked: VecDeque::new(),
            warned: None,
            dirty: false,
            since_checkpoint: 0,
            on_disk: BTreeSet::new(),
            touched: Touched::default(),
            config,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            input if input.conn().is_some_and(|conn| self.is_remote(conn)) => {
                self.remote_input(input, ctx);
            }
            Input::Boot(boot) => self.boot(boot.incarnation, ctx),
            Input::Signal(Signal::Stop) => self.stop(ctx),
            Input::Signal(_) => {}
            Input::Accepted { conn, port: OPENWIRE, peer } => self.accepted(conn, peer, ctx),
            Input::Message { conn, body } => self.command(conn, body, ctx),
            Input::Closed { conn, .. } => self.closed(conn, ctx),
            Input::Local { body: Message::Timer(timer) } => self.timer(timer, ctx),
            Input::DiskFailed { .. } => self.io_error(ctx),
            _ => {}
        }
    }

    fn timer(&mut self, timer: Timer, ctx: &mut Context<'_, Message>) {
        match timer {
            Timer::Load => self.load(ctx),
            Timer::Scanned => self.scanned(ctx),
            Timer::StoreTask => self.store_task(ctx),
            Timer::Write => self.write(ctx),
            Timer::Written => self.written(ctx),
            Timer::PeriodicSync => self.periodic_sync(ctx),
            Timer::PeriodicSynced(file, length) => self.note_synced(file, length),
            Timer::Checkpoint => self.checkpoint(ctx),
            Timer::IndexWritten(bytes) => ctx.release(INDEX, bytes),
            Timer::Cleanup => self.cleanup(ctx),
            Timer::Reply(conn, id) => self.reply((conn, id), true, ctx),
            Timer::Mount => self.mount(ctx),
            Timer::TryLock => self.try_lock(ctx),
            Timer::CheckLock => self.check_lock(ctx),
            Timer::RenewLease => self.renew_lease(ctx),
            Timer::ReadCheck(conn) => self.read_check(conn, ctx),
            Timer::WriteCheck(conn) => self.write_check(conn, ctx),
            _ => {}
        }
    }

    /// Tells that a copy is here: one more of the line of the queue that it was sent to.
    fn tell_stored(&self, at: Time, queue: QueueId, message: Jms, observer: &mut dyn Observer) {
        observer.arrived(at, self.node, (message.origin, queue), message.range);
    }

    fn tell_removed(&self, message: Jms, removal: Removal, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), self.node);
        ctx.observer().removed(now, node, message.origin, message.range, removal);
    }

    fn tell(
        &self,
        word: EventId,
        queue: Option<QueueId>,
        (subject, count): (Option<NodeId>, u64),
        ctx: &mut Context<'_, Message>,
    ) {
        let now = ctx.now();
        ctx.observer().event(now, Event::new(word, self.node, queue, subject, count));
    }

    /// Its store.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What every machine knows.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether it serves.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.phase == Phase::Serving
    }

    /// Of a queue: the messages that nobody has, and those that consumers have, with the consumers'
    /// hosts. A message is its producer and its number among that producer's.
    #[must_use]
    pub fn contents(&self, queue: QueueId) -> (Vec<Sent>, Vec<(NodeId, Sent)>) {
        let of = |entry: u32| {
            let message = self.entries.get(entry).map(|entry| entry.message.range);
            message.map(|message| (message.producer.0, message.first))
        };
        let waiting = self.queues[queue.index()].waiting().filter_map(of).collect();
        let held = self.connections.values().filter_map(|connection| {
            let own = connection.subscription.as_ref().filter(|own| own.queue == queue)?;
            Some(
                own.dispatched
                    .iter()
                    .filter_map(move |entry| of(*entry).map(|sent| (connection.peer, sent))),
            )
        });
        (waiting, held.flatten().collect())
    }

    /// Whether a consumer on this host is subscribed.
    #[must_use]
    pub fn has_consumer(&self, host: NodeId) -> bool {
        let mut own = self.connections.values().filter(|connection| connection.peer == host);
        own.any(|connection| connection.subscription.is_some())
    }

    /// What it waits for.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        match self.phase {
            Phase::Loading if self.remote.is_some() => None,
            Phase::Down | Phase::Loading | Phase::Stopping => Some("its start".into()),
            Phase::Serving if self.writer.is_busy() || self.executor.is_busy() => {
                Some("its store".into())
            }
            // A host has one consumer: of two connections it has left one, and what was sent there waits.
            Phase::Serving if self.has_left_consumer() => {
                Some("the end of a connection that its consumer has left".into())
            }
            Phase::Serving => None,
        }
    }

    fn has_left_consumer(&self) -> bool {
        let own = self.connections.values().filter(|own| own.subscription.is_some());
        let peers: Vec<NodeId> = own.map(|own| own.peer).collect();
        peers.iter().enumerate().any(|(at, peer)| peers[..at].contains(peer))
    }
}
