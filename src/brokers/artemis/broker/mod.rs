//! A broker (`ActiveMQServerImpl` with its `JournalStorageManager`).
//!
//! Its lanes are one a session, the timed buffer of the journal, and the main one for what is periodic.

mod acks;
mod journal;
mod life;
mod queue;
mod sends;
mod sessions;
mod transactions;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::engine::{Slab, Time};
use crate::observe::{EventId, NodeId, Observer, Removal};
use crate::world::{ConnId, Context, FileId, Input, Signal, Wait};

use super::config::{ARTEMIS, Config};
use super::invariants::Touched;
use super::message::{CoreMessage, Message, QueueId, Timer};
use super::store::Store;
use super::words::told;

use journal::Buffer;
use queue::Queue;
use sessions::Session;

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
    /// The journal is read.
    Loading,
    /// Clients can connect.
    Active,
    Stopping,
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
    /// What the invariants have to look at.
    pub(super) touched: Touched,
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
            touched: Touched::default(),
            config,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(boot) => self.boot(boot.incarnation, ctx),
            Input::Signal(Signal::Stop) => self.stop(ctx),
            Input::Signal(_) => {}
            Input::Accepted { conn, port: ARTEMIS, peer } => self.accepted(conn, peer, ctx),
            Input::Message { conn, body } => self.packet(conn, body, ctx),
            Input::Closed { conn, .. } => self.disconnected(conn, ctx),
            Input::Local { body: Message::Timer(timer) } => self.timer(timer, ctx),
            Input::DiskFailed { .. } => self.io_error(ctx),
            _ => {}
        }
    }

    fn timer(&mut self, timer: Timer, ctx: &mut Context<'_, Message>) {
        match timer {
            Timer::Start => self.start(ctx),
            Timer::Loaded => self.loaded(ctx),
            Timer::Flush => self.flush(ctx),
            Timer::Flushed(end) => self.flushed(end, ctx),
            Timer::Cleanup => self.cleanup(ctx),
            Timer::TtlCheck => self.ttl_check(ctx),
            Timer::Redeliver(entry, id) => self.redeliver(entry, id, ctx),
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
        let (node, range) = (self.node, message.range);
        if queue == message.origin {
            observer.stored(at, node, queue, range);
        } else {
            observer.dead_lettered(at, node, message.origin, queue, range);
        }
    }

    fn tell_removed(
        &self,
        message: CoreMessage,
        removal: Removal,
        ctx: &mut Context<'_, Message>,
    ) {
        let (now, node) = (ctx.now(), self.node);
        ctx.observer().removed(now, node, message.origin, message.range, removal);
    }

    fn tell_dropped(
        &self,
        message: CoreMessage,
        removal: Removal,
        ctx: &mut Context<'_, Message>,
    ) {
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
        ctx.observer().event(now, told(word, self.node, queue, subject, count));
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

    fn has_left_consumer(&self) -> bool {
        let own = self.sessions.values().filter(|own| own.consumer.is_some());
        let peers: Vec<NodeId> = own.map(|own| own.peer).collect();
        peers.iter().enumerate().any(|(at, peer)| peers[..at].contains(peer))
    }
}
