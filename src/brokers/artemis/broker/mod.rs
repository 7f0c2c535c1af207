//! A broker (`ActiveMQServerImpl` with its `JournalStorageManager`).
//!
//! Its lanes are one a session, the timed buffer of the journal, and the main one for what is periodic.

mod acks;
mod journal;
mod life;
mod queue;
mod replication;
mod sends;
mod sessions;
mod shared;
mod transactions;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::brokers::kit::touched::Touched;
use crate::engine::{Slab, Time};
use crate::observe::{Event, EventId, NodeId, Observer, Removal, RoleId};
use crate::world::{ConnId, Context, FileId, Input, Signal, Wait};

use super::config::{ARTEMIS, Config};
use super::invariants::Touch;
use super::message::{CoreMessage, Message, Packet, QueueId, Timer};
use super::store::Store;

use journal::Buffer;
use queue::Queue;
use replication::{Backup, ClusterLink, Outgoing, Replicator, Vote};
use sessions::Session;
use shared::Mount;

/// A file of the journal on the disk.
const fn journal_file(number: u32) -> FileId {
    FileId(number)
}

/// How far a broker's process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Down,
    /// Its process starts.
    Starting,
    /// It waits for the lock of the shared store.
    Waiting,
    /// It is a backup with a copy of the journal, or on the way to one.
    Backup,
    /// It does not reach the router, and serves nobody.
    Isolated,
    /// The journal is read.
    Loading,
    /// Clients can connect.
    Active,
    /// It serves nobody any more, and what waits for the journal is written.
    Stopping,
}

/// What a broker does when it has stopped to serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum After {
    /// Its process ends.
    #[default]
    Exit,
    /// It gives the lock of the shared store to its primary.
    HandOver,
    /// It gives way to its primary, and becomes its backup.
    FailBack,
    /// It waits until it reaches the router.
    Isolate,
}

/// A message in a queue, or at a consumer that has not acknowledged it (`MessageReference`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    message: CoreMessage,
    queue: QueueId,
    id: u64,
    /// How often it was delivered (`deliveryCount`), and how often as far as the journal knows.
    count: u32,
    recorded: u32,
    /// Whether its sender waits or has waited for an answer.
    awaited: bool,
}

/// A message: its producer, and its number among what that sends.
pub type Sent = (u32, u32);

/// A broker.
#[derive(Clone, Debug)]
pub struct Broker {
    config: Arc<Config>,
    node: NodeId,
    phase: Phase,
    journal: Store,
    buffer: Buffer,
    entries: Slab<Entry>,
    queues: Vec<Queue>,
    sessions: BTreeMap<u32, Session>,
    /// Whose session a connection is.
    attached: BTreeMap<ConnId, u32>,
    next_session: u32,
    /// While it is down: the messages on its disk of which the observer knows.
    on_disk: BTreeMap<u64, (QueueId, CoreMessage)>,
    /// Requests for credits that wait until there is room, in the order in which they came.
    starved: VecDeque<(u32, QueueId, u32)>,
    /// What it is to the queues.
    role: Option<RoleId>,
    /// What it does when it has stopped to serve.
    after: After,
    /// Whether what is periodic goes on in this process.
    timers: bool,
    lock_timers: bool,
    mount: Mount,
    /// What it has connected to other brokers for.
    outgoing: BTreeMap<ConnId, Outgoing>,
    replicator: Option<Replicator>,
    /// Packets for the backup that were not sent yet, and the number of the last one.
    packets: Vec<Packet>,
    packets_sent: u64,
    packets_planned: bool,
    /// Packets of clients that wait until the journal goes on.
    locked_out: VecDeque<(ConnId, Message)>,
    backup: Backup,
    vote: Vote,
    /// The ways to the other pairs.
    cluster: Vec<ClusterLink>,
    /// What the invariants have to look at.
    pub(super) touched: Touched<Touch>,
}

impl Broker {
    /// One that has not started.
    #[must_use]
    pub fn new(config: Arc<Config>, node: NodeId) -> Broker {
        let queues = (0..config.queues.len()).map(|_| Queue::default()).collect();
        let settings = &config.settings;
        Broker {
            node,
            phase: Phase::Down,
            journal: Store::new(settings.file_size, settings.cache_size as usize),
            buffer: Buffer::default(),
            entries: Slab::new(),
            queues,
            sessions: BTreeMap::new(),
            attached: BTreeMap::new(),
            next_session: 1,
            on_disk: BTreeMap::new(),
            starved: VecDeque::new(),
            role: None,
            after: After::default(),
            timers: false,
            lock_timers: false,
            mount: Mount::default(),
            outgoing: BTreeMap::new(),
            replicator: None,
            packets: Vec::new(),
            packets_sent: 0,
            packets_planned: false,
            locked_out: VecDeque::new(),
            backup: Backup::default(),
            vote: Vote::default(),
            cluster: Vec::new(),
            touched: Touched::default(),
            config,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        if let Some(conn) = input.conn() {
            if self.is_mount(conn) {
                self.storage_input(input, ctx);
            } else if let Some(what) = self.outgoing.get(&conn).copied() {
                self.outgoing((conn, what), input, ctx);
            } else if self.is_backup(conn) {
                match input {
                    Input::Message { body, .. } => self.backup_says(conn, body, ctx),
                    Input::Writable { .. } => self.copy(ctx),
                    Input::Closed { .. } => self.backup_lost(ctx),
                    _ => {}
                }
            } else {
                self.client_input(conn, input, ctx);
            }
        } else {
            match input {
                Input::Boot(boot) => self.boot(boot.incarnation, ctx),
                Input::Signal(Signal::Stop) => self.stop(ctx),
                Input::Local { body: Message::Timer(timer) } => self.timer(timer, ctx),
                Input::DiskFailed { .. } => self.io_error(ctx),
                _ => {}
            }
        }
        self.plan_packets(ctx);
    }

    fn client_input(
        &mut self,
        conn: ConnId,
        input: Input<Message>,
        ctx: &mut Context<'_, Message>,
    ) {
        match input {
            Input::Accepted { port: ARTEMIS, peer, .. } => self.accepted(conn, peer, ctx),
            Input::Message { body, .. } => self.packet(conn, body, ctx),
            Input::Closed { .. } => self.disconnected(conn, ctx),
            _ => {}
        }
    }

    fn timer(&mut self, timer: Timer, ctx: &mut Context<'_, Message>) {
        match timer {
            Timer::Start => self.start(ctx),
            Timer::Loaded => self.loaded(ctx),
            Timer::Flush => self.flush(ctx),
            Timer::SendPackets => self.send_packets(ctx),
            Timer::Flushed(end) => self.flushed(end, ctx),
            Timer::Cleanup => self.cleanup(ctx),
            Timer::TtlCheck => self.ttl_check(ctx),
            Timer::Redeliver(entry, id) => self.redeliver(entry, id, ctx),
            Timer::Mount => self.connect_storage(ctx),
            Timer::TryLock => self.try_lock(ctx),
            Timer::CheckLock => self.check_lock(ctx),
            Timer::RenewLease => self.renew_lease(ctx),
            Timer::Join => self.join(ctx),
            Timer::LinkCheck(conn) => self.link_check(conn, ctx),
            Timer::SyncTimeout(conn) => self.sync_timeout(conn, ctx),
            Timer::LinkBlocked(conn) => self.link_blocked(conn, ctx),
            Timer::StopForced(conn) => self.stop_forced(conn, ctx),
            Timer::Vote(number) => self.vote_again(number, ctx),
            Timer::VoteOver(number) => self.vote_over(number, ctx),
            Timer::ClusterTry(pair) => self.cluster_try(pair, ctx),
            Timer::ClusterCheck(pair, conn) => self.cluster_check(pair, conn, ctx),
            Timer::ActiveCheckOver => self.active_check_over(ctx),
            Timer::PingNetwork => self.ping_network(ctx),
            Timer::PingLost(conn) => self.ping_lost(conn, ctx),
            _ => {}
        }
    }

    /// Tells that a copy is here: one more of the line of the queue that it was sent to.
    fn tell_stored(
        &self,
        at: Time,
        queue: QueueId,
        message: CoreMessage,
        observer: &mut dyn Observer,
    ) {
        observer.arrived(at, self.node, (message.origin, queue), message.range);
    }

    fn tell_removed(&self, message: CoreMessage, removal: Removal, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), self.node);
        ctx.observer().removed(now, node, message.origin, message.range, removal);
    }

    fn tell_dropped(&self, message: CoreMessage, removal: Removal, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), self.node);
        ctx.observer().dropped(now, node, Some(message.origin), message.range, removal);
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

    /// Its journal.
    #[must_use]
    pub const fn journal(&self) -> &Store {
        &self.journal
    }

    /// What every machine knows.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether clients can connect.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.phase == Phase::Active
    }

    /// Of a queue: the messages that nobody has, and those that consumers have, with the consumers'
    /// hosts. A message is its producer and its number among that producer's.
    #[must_use]
    pub fn contents(&self, queue: QueueId) -> (Vec<Sent>, Vec<(NodeId, Sent)>) {
        let of = |entry: u32| {
            let message = self.entries.get(entry).map(|entry| entry.message.range);
            message.map(|message| (message.producer.0, message.first))
        };
        let waiting = self.queues[queue.index()].entries().filter_map(of).collect();
        let consumers = self.sessions.values().filter_map(|session| {
            let own = session.consumer.as_ref().filter(|own| own.queue == queue)?;
            Some((session.peer, own))
        });
        let held = consumers.flat_map(|(peer, own)| {
            own.delivering.iter().filter_map(move |entry| of(*entry).map(|sent| (peer, sent)))
        });
        (waiting, held.collect())
    }

    /// Whether a consumer on this host has a session.
    #[must_use]
    pub fn has_consumer(&self, host: NodeId) -> bool {
        self.sessions.values().any(|session| session.peer == host && session.consumer.is_some())
    }

    /// What it waits for.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        match self.phase {
            Phase::Down | Phase::Starting | Phase::Loading | Phase::Stopping => {
                Some("its start".into())
            }
            Phase::Backup if self.is_copying() => Some("the copy of the journal".into()),
            Phase::Backup if self.is_voting() => Some("votes".into()),
            Phase::Waiting | Phase::Backup => None,
            Phase::Isolated => Some("the router".into()),
            Phase::Active if self.is_storing() => Some("its journal".into()),
            // A host has one consumer: of two sessions it has left one, and what was sent there waits.
            Phase::Active if self.has_left_consumer() => {
                Some("the end of a session that its consumer has left".into())
            }
            Phase::Active if self.queues.iter().any(Queue::is_waiting) => {
                Some("the time to deliver a message again".into())
            }
            Phase::Active => None,
        }
    }

    /// Whether it stands by to become active.
    #[must_use]
    pub fn stands_by(&self) -> bool {
        matches!(self.phase, Phase::Waiting | Phase::Backup)
    }

    fn has_left_consumer(&self) -> bool {
        let own = self.sessions.values().filter(|own| own.consumer.is_some());
        let peers: Vec<NodeId> = own.map(|own| own.peer).collect();
        peers.iter().enumerate().any(|(at, peer)| peers[..at].contains(peer))
    }
}
