//! A broker (`BrokerController`): the master or a slave of its group.
//!
//! Its lanes are the threads of RocketMQ that matter: the main one decodes requests, answers pulls and
//! does what is periodic; one puts messages into the CommitLog, one at a time, as the put lock has
//! it; one flushes; one replicates.

mod clean;
mod clients;
mod dispatch;
mod flush;
mod leading;
mod ledger;
mod life;
mod locks;
mod master;
mod pull;
mod put;
mod register;
mod replicas;
mod schedule;
mod slave;

use std::sync::Arc;

use crate::brokers::kit::touched::Touched;
use crate::engine::{Span, Time};
use crate::observe::{NodeId, Observer, RoleId};
use crate::world::{ConnId, Context, FileId, Input, Lane, Signal, Wait};

use super::config::{BROKER, CONTROLLER, Config, HA, NAMESERVER, Place};
use super::invariants::Touch;
use super::message::{HEADER, Message, NO_OFFSET, Offsets, Timer};
use super::remoting::Remoting;
use super::rules::Rule;
use super::store::{OffsetFile, Store};
use crate::brokers::coordination::raft::PORT as RAFT;

use clients::Clients;
use flush::Flusher;
use leading::Leading;
use ledger::Ledger;
use locks::Locks;
use master::Links;
use pull::Held;
use put::Puts;
use register::Asked;
use replicas::Replicas;
use schedule::Schedule;
use slave::Upstream;

/// The CommitLog.
const COMMIT_LOG: FileId = FileId(0);
/// The consume queues.
const QUEUES: FileId = FileId(1);
/// `config/consumerOffset.json`.
const OFFSETS: FileId = FileId(2);

/// `config/delayOffset.json`.
const DELAYS: FileId = FileId(3);
/// The first file of a DLedger group's member.
pub const LEDGER: FileId = FileId(4);

/// How far a broker's process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Down,
    /// Its store is loaded and recovered.
    Loading,
    Serving,
    Stopping,
}

/// The threads beside the main one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lanes {
    put: Lane,
    flush: Lane,
    ha: Lane,
}

const NO_LANES: Lanes = Lanes { put: Lane::MAIN, flush: Lane::MAIN, ha: Lane::MAIN };

/// A broker.
#[derive(Clone, Debug)]
pub struct Broker {
    config: Arc<Config>,
    node: NodeId,
    place: Place,
    phase: Phase,
    lanes: Lanes,
    store: Store,
    /// The consumer offsets in memory, and in their file.
    offsets: Offsets,
    offsets_changed: bool,
    offset_file: OffsetFile,
    /// Whether the last process ended in order: there is no file `abort`.
    clean: bool,
    puts: Puts,
    flusher: Flusher,
    links: Links,
    /// What controllers make of it.
    replicas: Replicas,
    /// Which of them leads.
    leading: Leading,
    /// Its part of a DLedger group.
    ledger: Option<Box<Ledger>>,
    upstream: Upstream,
    clients: Clients,
    held: Held,
    /// The locks of queues (`RebalanceLockManager`).
    locks: Locks,
    /// Messages that wait for their delay.
    schedule: Schedule,
    /// Connections to the NameServers, then to the members of its group, then to the controllers.
    remoting: Remoting<Asked>,
    /// When it last dispatched, and whether it is about to.
    dispatched_at: Time,
    dispatch_planned: bool,
    stuck: Option<u64>,
    /// Whether too much of its disk is used for it to take messages.
    disk_full: bool,
    /// The NameServers with which it has registered since its start, as a set.
    registered: u32,
    role: Option<RoleId>,
    /// What the invariants have to look at.
    pub(super) touched: Touched<Touch>,
}

impl Broker {
    /// One that has not started.
    #[must_use]
    pub fn new(config: Arc<Config>, node: NodeId) -> Broker {
        let place = config.place(node);
        let master = config.broker(Place { id: 0, ..place });
        let names = config.nameservers.iter().map(|server| (*server, NAMESERVER));
        let members = (0..=config.slaves).map(|id| (config.broker(Place { id, ..place }), BROKER));
        let controllers = config.control.iter().flat_map(|control| &control.hosts);
        let controllers = controllers.map(|controller| (*controller, CONTROLLER));
        let remoting = Remoting::new(names.chain(members).chain(controllers), true);
        let queues = config.streams.partitions().len();
        Broker {
            place,
            phase: Phase::Down,
            lanes: NO_LANES,
            store: Store::new(queues, config.settings.segment),
            offsets: vec![vec![NO_OFFSET; queues]; config.consumer_groups.len()],
            offsets_changed: false,
            offset_file: OffsetFile::default(),
            clean: true,
            puts: Puts::new(),
            flusher: Flusher::new(),
            links: Links::new(),
            replicas: Replicas::new(config.slaves + 1),
            leading: Leading::new(),
            ledger: config
                .ledgers
                .get(place.group as usize)
                .map(|quorum| Box::new(Ledger::new(quorum.clone(), node, master))),
            upstream: Upstream::new(master),
            clients: Clients::new(config.consumer_groups.len()),
            held: Held::new(queues),
            locks: Locks::default(),
            schedule: Schedule::new(&config, place.group),
            remoting,
            dispatched_at: Time::ZERO,
            dispatch_planned: false,
            stuck: None,
            disk_full: false,
            registered: 0,
            role: None,
            touched: Touched::default(),
            config,
            node,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        if self.ledger.as_ref().is_some_and(|ledger| ledger.owns(ctx.lane())) {
            return self.ledger_input(input, ctx);
        }
        match input {
            Input::Boot(boot) => self.boot(boot.incarnation, ctx),
            Input::Signal(Signal::Stop) => self.stop(ctx),
            Input::Signal(_) => {}
            Input::Accepted { conn, port: HA, peer } => self.slave_connected(conn, peer, ctx),
            Input::Accepted { conn, port: RAFT, .. } => self.member_connected(conn, ctx),
            Input::Accepted { .. } => {}
            Input::Local { body: Message::Timer(timer) } => self.timer(timer, ctx),
            Input::DiskFailed { body: Message::Timer(timer) } => self.disk_failed(timer, ctx),
            input => {
                if let Some(conn) = input.conn() {
                    self.connection(conn, input, ctx);
                }
            }
        }
    }

    fn connection(&mut self, conn: ConnId, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        if let Some(server) = self.remoting.owner(conn) {
            let events = self.remoting.handle(server, input, ctx);
            return self.remoting_events(events, ctx);
        }
        if self.upstream.owns(conn) {
            return self.upstream_input(input, ctx);
        }
        if self.links.has(conn) {
            return self.link_input(conn, input, ctx);
        }
        match input {
            Input::Message { body, .. } => self.request(conn, body, ctx),
            Input::Closed { .. } => self.client_closed(conn, ctx),
            _ => {}
        }
    }

    fn request(&mut self, conn: ConnId, body: Message, ctx: &mut Context<'_, Message>) {
        ctx.spend(self.config.costs.request);
        match body {
            Message::Send(send) => self.arrived(conn, send, ctx),
            Message::SendBack(back) => self.sent_back(conn, &back, ctx),
            Message::Lock(id, lock) => self.lock(conn, id, &lock, ctx),
            Message::Unlock(lock) => self.unlock(&lock),
            Message::Pull(pull) => self.pull(conn, *pull, true, ctx),
            Message::Heartbeat { group, client } => self.heartbeat(conn, group, client, ctx),
            Message::Leave { group, client } => self.leave(group, client, ctx),
            Message::GetConsumers(id, group) => {
                let list = self.clients.list(group);
                let bytes = HEADER + list.as_ref().map_or(0, |list| 30 * list.len() as u32);
                ctx.send(conn, Message::ConsumersAre(id, list), bytes);
            }
            Message::QueryOffset(id, group, queue) => {
                let offset = self.query_offset(group, queue);
                ctx.send(conn, Message::OffsetIs(id, offset), HEADER);
            }
            Message::GetMaxOffset(id, queue) => {
                let max = self.store.queues[queue.index()].max();
                ctx.send(conn, Message::OffsetIs(id, Some(max)), HEADER);
            }
            Message::UpdateOffset(group, queue, offset) => self.commit(group, queue, offset),
            Message::GetAllOffsets(id) => {
                let offsets = Arc::new(self.offsets.clone());
                let bytes = HEADER + self.offset_bytes() as u32;
                ctx.send(conn, Message::AllOffsets(id, offsets), bytes);
            }
            _ => {}
        }
    }

    fn timer(&mut self, timer: Timer, ctx: &mut Context<'_, Message>) {
        match timer {
            Timer::Requests => {
                let events = self.remoting.overdue(ctx);
                self.remoting_events(events, ctx);
            }
            Timer::Load => self.load(ctx),
            Timer::Scanned => self.scanned(ctx),
            Timer::Register => self.register(ctx),
            Timer::Put(conn, send, at) => self.put(conn, send, Time::from_nanos(at), ctx),
            Timer::PutTimeout => self.put_timeout(ctx),
            Timer::LedgerTimeout => self.ledger_timeout(ctx),
            Timer::Flush => self.flush_turn(ctx),
            Timer::Flushed(upto) => self.synced(upto, ctx),
            Timer::Commit => self.commit_buffer(ctx),
            Timer::Dispatch => self.dispatch(ctx),
            Timer::Deliver => self.deliver(ctx),
            Timer::PersistDelays => self.persist_delays_turn(ctx),
            Timer::PersistOffsets => self.persist_turn(ctx),
            Timer::HeldPulls => self.look_at_held(ctx),
            Timer::ClientScan => self.client_scan(ctx),
            Timer::Push => self.push_all(ctx),
            Timer::HaTick => self.ha_tick(ctx),
            Timer::Clean => self.clean(ctx),
            Timer::Beat => self.beat(ctx),
            Timer::Metadata => self.ask_metadata(ctx),
            Timer::ScanControllers => self.scan_controllers(ctx),
            Timer::SyncController => self.sync_controller(ctx),
            Timer::FindController => self.find_controller(ctx),
            Timer::CheckSet => self.check_set(ctx),
            Timer::HaConnect => self.connect_upstream(ctx),
            Timer::SlaveSync => self.slave_sync(ctx),
            _ => {}
        }
    }

    fn disk_failed(&mut self, timer: Timer, ctx: &mut Context<'_, Message>) {
        match timer {
            Timer::Flushed(upto) => self.flush_failed(upto, ctx),
            // What cannot be read is found to be bad, and is tried again.
            Timer::Scanned => {
                ctx.after(Span::from_secs(1), Lane::MAIN, Timer::Load.into());
            }
            _ => {}
        }
    }

    /// `isTransientStorePoolEnable`: of masters with ASYNC_FLUSH only.
    fn has_pool(&self) -> bool {
        let settings = &self.config.settings;
        let wanted = settings.pool && self.config.has(Rule::WriteBuffer) && self.ledger.is_none();
        wanted && !settings.sync_flush && self.is_master()
    }

    /// The file of its CommitLog.
    fn log_file(&self) -> FileId {
        if self.ledger.is_some() { LEDGER } else { COMMIT_LOG }
    }

    fn tell_role(&mut self, at: Time, role: Option<RoleId>, observer: &mut dyn Observer) {
        if std::mem::replace(&mut self.role, role) == role {
            return;
        }
        for queue in self.config.queues_of(self.place.group) {
            for destination in self.config.streams.destinations_of(queue) {
                observer.role(at, self.node, *destination, role);
            }
        }
    }

    /// Its store.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Whether a queue is its group's.
    #[must_use]
    pub fn has(&self, queue: super::config::QueueId) -> bool {
        self.config.group_of(queue) == self.place.group
    }

    /// What every machine knows.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its place.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    /// Whether it serves.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.phase == Phase::Serving
    }

    /// What it waits for.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        match self.phase {
            Phase::Down | Phase::Loading | Phase::Stopping => Some("its start".into()),
            Phase::Serving if !self.puts.is_empty() => {
                Some("flushes or slaves, to answer sends".into())
            }
            Phase::Serving if !self.is_ledger_settled() => {
                Some("the other brokers of its DLedger group".into())
            }
            Phase::Serving if self.is_master() && self.has_delayed() => {
                Some("the delay of messages that were sent back".into())
            }
            Phase::Serving => None,
        }
    }
}
