//! A broker: its logs, its request handlers, its flusher and its registration.
//!
//! Lanes are threads: the main one accepts, starts, stops and talks to ZooKeeper (zkclient's event
//! thread); each processor of the socket server handles all requests of its connections, one after
//! the other; one flushes. Only they are ever blocked by a log's lock or an fsync.
//!
//! When the software ends while its host goes on (a start that fails, a halt), the process stays
//! and plays its supervisor: it starts the software again after `restart-delay`.

mod flush;
mod life;
mod partition;
mod register;
mod serve;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::coordination::zookeeper::{SESSIONS, Session};
use crate::brokers::kit::touched::Touched;
use crate::observe::{NodeId, Observer, RoleId};
use crate::world::{ConnId, Context, FileId, Input, Lane, Signal, Wait};

pub use partition::{PartitionLog, Segment};

use super::super::PartitionId;
use super::config::{Config, KAFKA};
use super::invariants::Touch;
use super::message::{Message, StartStep, Znode};
use register::Registration;
use serve::Job;

/// How far the software has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is none.
    Down,
    /// The process has started, and loads its logs; the place of the one that is scanned.
    Loading(u32),
    /// It waits for ZooKeeper.
    Connecting,
    /// It listens, and registers itself; handlers wait.
    Registering,
    /// It serves.
    Serving,
    /// It closes its logs.
    Stopping,
    /// It closes its session; then it ends.
    Leaving,
    /// It has ended, and the supervisor waits.
    Ended,
}

/// A thread of the socket server.
#[derive(Clone, Debug)]
struct Processor {
    lane: Lane,
    jobs: VecDeque<Job>,
    /// Whether it reads its connections; not while it waits.
    reads: bool,
}

/// A broker.
#[derive(Clone, Debug)]
pub struct Broker {
    config: Arc<Config>,
    node: NodeId,
    /// On its disk: the logs of its partitions, and `.kafka_cleanshutdown`.
    logs: Vec<PartitionLog>,
    clean: bool,
    phase: Phase,
    /// Counts its lives, so that timers of an earlier one are known.
    life: u32,
    processors: Vec<Processor>,
    next_processor: usize,
    /// Connections, and the processor of each.
    conns: Vec<(ConnId, usize)>,
    /// Handlers that wait for the registration (`awaitStartup`).
    awaiting: Vec<Lane>,
    flusher: Lane,
    /// The logs that the flusher, or a stop, has still to look at.
    to_flush: VecDeque<u32>,
    next_tick: crate::engine::Time,
    session: Session<Znode>,
    registration: Registration,
    /// What the roles told last.
    told: Option<RoleId>,
    /// What the invariants have to look at.
    pub(super) touched: Touched<Touch>,
}

impl Broker {
    /// The broker on a host. The directories of its partitions exist.
    #[must_use]
    pub fn new(config: Arc<Config>, node: NodeId) -> Broker {
        let local = config.local(node).into_iter().enumerate();
        let logs =
            local.map(|(file, partition)| PartitionLog::new(partition, FileId(file as u32), true));
        let timeout = config.settings.session_timeout;
        Broker {
            node,
            logs: logs.collect(),
            clean: false,
            phase: Phase::Down,
            life: 0,
            processors: Vec::new(),
            next_processor: 0,
            conns: Vec::new(),
            awaiting: Vec::new(),
            flusher: Lane::MAIN,
            to_flush: VecDeque::new(),
            next_tick: crate::engine::Time::ZERO,
            session: Session::new(config.zookeeper.clone(), timeout, 0, SESSIONS),
            registration: Registration::default(),
            told: None,
            touched: Touched::default(),
            config,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(boot) => self.boot(boot.incarnation, ctx),
            Input::Signal(Signal::Stop) => self.stop(ctx),
            Input::Signal(_) | Input::Writable { .. } => {}
            Input::DiskFailed { body } => self.disk_failed(&body, ctx),
            Input::Accepted { conn, port, .. } => self.accepted(conn, port == KAFKA, ctx),
            input => {
                if self.concerns_session(&input) {
                    return self.zookeeper_input(input, ctx);
                }
                match input {
                    Input::Closed { conn, .. } => self.conns.retain(|(other, _)| *other != conn),
                    Input::Message { conn, body } => self.request(conn, body, ctx),
                    Input::Local { body } => self.local(body, ctx),
                    _ => {}
                }
            }
        }
    }

    fn concerns_session(&self, input: &Input<Message>) -> bool {
        match input {
            Input::Local { body: Message::Zk(message) } => self.session.owns_timer(message),
            input => input.conn().is_some_and(|conn| self.session.owns(conn)),
        }
    }

    fn local(&mut self, body: Message, ctx: &mut Context<'_, Message>) {
        match body {
            Message::Start(step, life) if life == self.life => self.start(step, ctx),
            Message::Flushed(log) => self.flush_done(log, ctx),
            Message::Nudge => self.nudged(ctx),
            Message::FlusherTick => self.flusher_tick(ctx),
            Message::CleanerTick(life) if life == self.life => self.clean_logs(ctx),
            _ => {}
        }
    }

    /// EIO: of an fsync, upon which the process halts, or of a read at its start.
    fn disk_failed(&mut self, body: &Message, ctx: &mut Context<'_, Message>) {
        match body {
            Message::Flushed(_) => self.halt(ctx),
            Message::Start(StartStep::Scan(_), life) if *life == self.life => {
                self.start_failed(ctx);
            }
            _ => {}
        }
    }

    /// A connection goes to the next processor (`Acceptor.run`, round robin).
    fn accepted(&mut self, conn: ConnId, ours: bool, ctx: &mut Context<'_, Message>) {
        if !ours || self.processors.is_empty() {
            return ctx.abort(conn);
        }
        let processor = self.next_processor;
        self.next_processor = (processor + 1) % self.processors.len();
        self.conns.push((conn, processor));
        ctx.bind(conn, self.processors[processor].lane);
        if !self.processors[processor].reads {
            ctx.hold(conn, true);
        }
    }

    fn processor(&self, lane: Lane) -> Option<usize> {
        self.processors.iter().position(|processor| processor.lane == lane)
    }

    fn log_of(&self, partition: PartitionId) -> Option<usize> {
        self.logs.iter().position(|log| log.partition == partition)
    }

    /// The log of one of its partitions.
    #[must_use]
    pub fn log(&self, partition: PartitionId) -> Option<&PartitionLog> {
        self.log_of(partition).map(|index| &self.logs[index])
    }

    /// All its logs.
    #[must_use]
    pub fn logs(&self) -> &[PartitionLog] {
        &self.logs
    }

    /// How far it has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What it waits for; `None` if it serves, everything is flushed, no request in hand. It need not be registered: one whose
    /// registration has failed in zkclient's event thread never tries again.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        let idle = self.processors.iter().all(|processor| processor.jobs.is_empty());
        let flushed = self.logs.iter().all(|log| log.unflushed == 0 && log.locked.is_none());
        let serves = self.phase == Phase::Serving;
        let known = !self.config.settings.zookeeper
            || (self.registration.rests() && self.session.is_connected());
        let what = match (serves, known, idle, flushed) {
            (false, ..) => "its logs to be loaded, or ZooKeeper",
            (_, false, ..) => "ZooKeeper, to register it",
            (_, _, false, _) => "its disk, to answer requests",
            (.., false) => "its logs to be flushed",
            _ => return None,
        };
        Some(what.into())
    }

    /// Serving, and registered if it should be.
    #[must_use]
    pub fn is_in_sync(&self) -> bool {
        self.phase == Phase::Serving
            && (!self.config.settings.zookeeper || self.registration.is_done())
    }

    fn tell_role(&mut self, at: crate::engine::Time, role: RoleId, observer: &mut dyn Observer) {
        if self.told == Some(role) {
            return;
        }
        self.told = Some(role);
        for log in &self.logs {
            for destination in self.config.streams.destinations_of(log.partition) {
                observer.role(at, self.node, *destination, Some(role));
            }
        }
    }
}
