//! A controller (`controller/impl/DLedgerController.java`, `manager/ReplicasInfoManager.java`,
//! `heartbeat/DefaultBrokerHeartbeatManager.java`): which broker of each group is its master, and which may
//! become it.
//!
//! Controllers are a Raft group; here it is the one of `coordination::raft`, with DLedger's times. What is
//! decided is a record of its log, and true when it is committed. Who is alive each controller
//! knows by itself, from the heartbeats that brokers send to all of them; only the one that leads acts on
//! it.

use std::sync::Arc;

use crate::brokers::coordination::raft::{Event, Offset, PORT as RAFT, Replica};
use crate::engine::{Span, Time};
use crate::observe::{self, NodeId, Observer};
use crate::world::{ConnId, Context, Death, DiskView, Input, Lane, Signal, Wait};

use super::config::{CONTROLLER, Config, Control, FIRST_EPOCH, Place};
use super::message::{Decided, HEADER, Message, Timer};
use super::rules::Rule;
use super::words::event;

/// A broker that is alive (`BrokerLiveInfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Live {
    /// When it was last heard of, by the wall clock.
    last: Time,
    conn: Option<ConnId>,
    /// Its epoch, and where its CommitLog ends: who has more of both is elected.
    epoch: u32,
    end: u64,
}

/// An answer that waits until a record is committed.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    record: Offset,
    conn: ConnId,
    id: u32,
    group: u32,
}

/// A controller.
#[derive(Clone, Debug)]
pub struct Controller {
    config: Arc<Config>,
    node: NodeId,
    raft: Replica<Decided>,
    /// Up to where the log was read.
    read: Offset,
    /// What is decided, of each group.
    groups: Vec<Decided>,
    /// The groups of which something is under way.
    deciding: Vec<bool>,
    live: Vec<Option<Live>>,
    waiting: Vec<Waiting>,
    up: bool,
}

fn first(config: &Config) -> Vec<Decided> {
    let set = (1 << (config.slaves + 1)) - 1;
    let decided =
        |group| Decided { group, master: Some(0), epoch: FIRST_EPOCH, set, set_epoch: FIRST_EPOCH };
    (0..config.groups()).map(decided).collect()
}

impl Controller {
    /// One that has not started. Before the run all have decided that the first member of each group is
    /// its master, and all members are in sync.
    #[must_use]
    pub fn new(config: Arc<Config>, control: &Control, node: NodeId, leader: NodeId) -> Controller {
        let groups = first(&config);
        let raft = Replica::founded(control.quorum.clone(), node, leader, groups.clone());
        Controller {
            read: raft.applied(),
            raft,
            deciding: vec![false; groups.len()],
            groups,
            live: vec![None; config.brokers as usize],
            waiting: Vec::new(),
            up: false,
            config,
            node,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        if ctx.lane() != Lane::MAIN {
            for event in self.raft.handle(input, ctx) {
                self.decided(event, ctx);
            }
            return;
        }
        match input {
            Input::Boot(_) => self.boot(ctx),
            Input::Signal(Signal::Stop) => self.raft.shutdown(ctx),
            Input::Accepted { conn, port: RAFT, .. } => self.raft.accept(conn, ctx),
            Input::Message { conn, body } => self.request(conn, body, ctx),
            Input::Closed { conn, .. } => self.closed(conn, ctx),
            Input::Local { body: Message::Timer(Timer::CheckBrokers) } => self.check_brokers(ctx),
            Input::Local { body: Message::Timer(Timer::CheckMasters) } => self.check_masters(ctx),
            _ => {}
        }
    }

    fn control(&self) -> Option<&Control> {
        self.config.control.as_ref()
    }

    fn boot(&mut self, ctx: &mut Context<'_, Message>) {
        self.up = true;
        ctx.listen(CONTROLLER);
        let lane = ctx.spawn();
        self.raft.boot(lane, ctx);
        if ctx.incarnation() == 0 {
            let last = ctx.clock();
            let live = Live { last, conn: None, epoch: FIRST_EPOCH, end: 0 };
            self.live.iter_mut().for_each(|broker| *broker = Some(live));
        }
        let (scan, masters) = match self.control() {
            Some(control) => (control.scan, control.masters),
            None => return,
        };
        let scan = ctx.first_round(scan);
        ctx.after(scan, Lane::MAIN, Timer::CheckBrokers.into());
        let masters = ctx.first_round(masters);
        ctx.after(masters, Lane::MAIN, Timer::CheckMasters.into());
        ctx.ready();
    }

    /// Whether it leads the others.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.raft.is_writable()
    }

    /// What it knows to be decided of a group.
    #[must_use]
    pub fn of_group(&self, group: u32) -> &Decided {
        &self.groups[group as usize]
    }

    fn request(&mut self, conn: ConnId, body: Message, ctx: &mut Context<'_, Message>) {
        ctx.spend(self.config.costs.request);
        let Some(broker) = ctx.peer(conn) else { return };
        match body {
            Message::Beat(epoch, end) => {
                let last = ctx.clock();
                self.live[broker.index()] = Some(Live { last, conn: Some(conn), epoch, end });
            }
            Message::GetReplicas(id) => {
                let group = self.config.place(broker).group;
                if !self.leads() {
                    return ctx.send(conn, Message::Replicas(id, None), HEADER);
                }
                // A broker that finds no master asks for an election (`brokerElect`).
                if self.groups[group as usize].master.is_none() {
                    self.elect(group, ctx);
                }
                self.answer(conn, id, group, ctx);
            }
            Message::GetLeader(id) => {
                ctx.send(conn, Message::LeaderIs(id, self.raft.leader()), HEADER);
            }
            Message::AlterSet(id, wanted) => self.alter_set(conn, id, &wanted, ctx),
            _ => {}
        }
    }

    fn answer(&self, conn: ConnId, id: u32, group: u32, ctx: &mut Context<'_, Message>) {
        let decided = self.groups[group as usize];
        ctx.send(conn, Message::Replicas(id, Some(Box::new(decided))), HEADER);
    }

    /// `alterSyncStateSet`: a master may change its set if nothing else was decided meanwhile, to brokers that
    /// are alive.
    fn alter_set(
        &mut self,
        conn: ConnId,
        id: u32,
        wanted: &Decided,
        ctx: &mut Context<'_, Message>,
    ) {
        if !self.leads() {
            return ctx.send(conn, Message::Replicas(id, None), HEADER);
        }
        let group = wanted.group;
        let now = self.groups[group as usize];
        let dead = (0..=self.config.slaves)
            .filter(|id| wanted.set & 1 << id != 0 && now.set & 1 << id == 0)
            .any(|id| self.live[self.config.broker(Place { group, id }).index()].is_none());
        let stale = now.epoch != wanted.epoch
            || now.set_epoch != wanted.set_epoch
            || now.master != wanted.master
            || now.set == wanted.set
            || self.deciding[group as usize];
        if dead || stale {
            return ctx.send(conn, Message::Replicas(id, None), HEADER);
        }
        let decided = Decided { set: wanted.set, set_epoch: now.set_epoch + 1, ..now };
        if let Some(record) = self.append(decided, ctx) {
            self.waiting.push(Waiting { record, conn, id, group });
        }
    }

    fn append(&mut self, decided: Decided, ctx: &mut Context<'_, Message>) -> Option<Offset> {
        let record = self.raft.append(vec![decided], ctx).ok()?;
        self.deciding[decided.group as usize] = true;
        Some(record)
    }

    /// `onChannelDestroy`: a broker whose connection ends is inactive at once.
    fn closed(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        self.waiting.retain(|waiting| waiting.conn != conn);
        let owns = |live: &Option<Live>| live.is_some_and(|live| live.conn == Some(conn));
        if let Some(broker) = self.live.iter().position(owns) {
            self.inactive(NodeId(broker as u32), 0, ctx);
        }
    }

    /// `scanNotActiveBroker`.
    fn check_brokers(&mut self, ctx: &mut Context<'_, Message>) {
        let Some((scan, timeout)) = self.control().map(|control| (control.scan, control.timeout))
        else {
            return;
        };
        ctx.after(scan, Lane::MAIN, Timer::CheckBrokers.into());
        let now = ctx.clock();
        for broker in 0..self.live.len() {
            let Some(live) = self.live[broker] else { continue };
            if live.last + timeout < now {
                if let Some(conn) = live.conn {
                    ctx.close(conn);
                }
                let silent = now.since(live.last).as_millis();
                self.inactive(NodeId(broker as u32), silent, ctx);
            }
        }
    }

    /// `onBrokerInactive`: if it was the master of its group another one is elected.
    fn inactive(&mut self, broker: NodeId, silent: u64, ctx: &mut Context<'_, Message>) {
        self.live[broker.index()] = None;
        if !self.leads() {
            return;
        }
        let (now, node) = (ctx.now(), self.node);
        ctx.observer().event(
            now,
            observe::Event::new(event::BROKER_INACTIVE, node, None, Some(broker), silent),
        );
        let place = self.config.place(broker);
        if self.groups[place.group as usize].master == Some(place.id as u8) {
            self.elect(place.group, ctx);
        }
    }

    /// `scanInactiveMasterAndTriggerReelect`.
    fn check_masters(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(masters) = self.control().map(|control| control.masters) else { return };
        ctx.after(masters, Lane::MAIN, Timer::CheckMasters.into());
        if !self.leads() {
            return;
        }
        for group in 0..self.config.groups() {
            let master = self.groups[group as usize].master;
            if master.is_none_or(|id| self.alive(group, u32::from(id)).is_none()) {
                self.elect(group, ctx);
            }
        }
    }

    fn alive(&self, group: u32, id: u32) -> Option<Live> {
        self.live[self.config.broker(Place { group, id }).index()]
    }

    /// `electMaster`: of the SyncStateSet who is alive and has most. It is the whole set then.
    fn elect(&mut self, group: u32, ctx: &mut Context<'_, Message>) {
        if self.deciding[group as usize] {
            return;
        }
        let old = self.groups[group as usize];
        let unclean = self.control().is_some_and(|control| control.unclean)
            || !self.config.has(Rule::ElectFromSet);
        let best = |set: u16| {
            let members = (0..=self.config.slaves).filter(|id| set & 1 << id != 0);
            let alive = members.filter_map(|id| Some((id, self.alive(group, id)?)));
            let rank = |(id, live): &(u32, Live)| (live.epoch, live.end, std::cmp::Reverse(*id));
            alive.max_by_key(rank).map(|(id, _)| id as u8)
        };
        let new = best(old.set).or_else(|| if unclean { best(u16::MAX) } else { None });
        if new == old.master {
            return;
        }
        let raised = u32::from(self.config.has(Rule::ElectionsCount));
        let decided = match new {
            Some(id) => Decided {
                master: new,
                epoch: old.epoch + raised,
                set: 1 << id,
                set_epoch: old.set_epoch + 1,
                group,
            },
            None => Decided { master: None, ..old },
        };
        if self.append(decided, ctx).is_none() {
            return;
        }
        let (now, node) = (ctx.now(), self.node);
        let member = |id: u8| self.config.broker(Place { group, id: u32::from(id) });
        let told = match new {
            Some(id) => observe::Event::new(
                event::MASTER_ELECTED,
                node,
                None,
                Some(member(id)),
                u64::from(decided.epoch),
            ),
            None => {
                observe::Event::new(event::NO_MASTER_ELECTED, node, None, old.master.map(member), 0)
            }
        };
        ctx.observer().event(now, told);
    }

    /// The Raft group has got on.
    fn decided(&mut self, event: Event, ctx: &mut Context<'_, Message>) {
        match event {
            Event::BecameLeader { epoch } => {
                self.deciding.iter_mut().for_each(|deciding| *deciding = false);
                let (now, node) = (ctx.now(), self.node);
                ctx.observer().event(
                    now,
                    observe::Event::new(
                        event::CONTROLLER_LEADS,
                        node,
                        None,
                        None,
                        u64::from(epoch),
                    ),
                );
            }
            Event::Resigned { .. } => {
                self.deciding.iter_mut().for_each(|deciding| *deciding = false);
                self.waiting.clear();
            }
            Event::Committed(end) => self.committed(end, ctx),
            Event::SnapshotLoaded(id) => {
                if let Some(snapshot) = self.raft.snapshot() {
                    for decided in &snapshot.records {
                        self.groups[decided.group as usize] = *decided;
                    }
                }
                self.read = id.offset;
            }
            Event::SnapshotDue(end) => {
                let groups = self.groups.clone();
                self.raft.take_snapshot(end, groups, ctx);
            }
            Event::Stopped | Event::Halted(_) => ctx.exit(),
            Event::LeaderIs(..) | Event::Truncated(_) => {}
        }
    }

    fn committed(&mut self, end: Offset, ctx: &mut Context<'_, Message>) {
        let mut records = Vec::new();
        for batch in self.raft.committed(self.read) {
            records.extend_from_slice(batch.records());
        }
        self.read = end;
        for decided in records {
            let group = decided.group as usize;
            let before = std::mem::replace(&mut self.groups[group], decided);
            self.deciding[group] = false;
            if self.leads() && before.epoch != decided.epoch {
                self.notify(&decided, ctx);
            }
        }
        let ready = |waiting: &Waiting| waiting.record < end;
        for waiting in self.waiting.iter().filter(|one| ready(one)) {
            self.answer(waiting.conn, waiting.id, waiting.group, ctx);
        }
        self.waiting.retain(|waiting| !ready(waiting));
    }

    /// `notifyBrokerRoleChanged`.
    fn notify(&self, decided: &Decided, ctx: &mut Context<'_, Message>) {
        for id in 0..=self.config.slaves {
            if let Some(conn) = self.alive(decided.group, id).and_then(|live| live.conn) {
                ctx.send(conn, Message::RoleChanged(Box::new(*decided)), HEADER);
            }
        }
    }

    /// The process is gone, or more of its host is.
    pub fn died(&mut self, death: Death, disk: &DiskView<'_>, _: Time, _: &mut dyn Observer) {
        self.raft.died(death, disk);
        self.groups = first(&self.config);
        self.read = 0;
        self.deciding.iter_mut().for_each(|deciding| *deciding = false);
        self.live.iter_mut().for_each(|live| *live = None);
        self.waiting.clear();
        self.up = false;
    }

    /// What it waits for.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        (!self.raft.is_settled()).then(|| "the other controllers".into())
    }
}

/// How often brokers tell controllers and NameServers that they are there (`brokerHeartbeatInterval`).
pub const BEAT: Span = Span::from_secs(1);
