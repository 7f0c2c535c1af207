//! A broker as an observer of the metadata log (BrokerLifecycleManager, BrokerMetadataPublisher).
//!
//! It registers with the quorum's leader, sends heartbeats, follows the metadata log, and does what
//! that says: that is how it learns who leads.

use std::sync::Arc;

use crate::brokers::coordination::raft::{Event, Replica};
use crate::brokers::kafka::PartitionId;
use crate::engine::{Span, Time};
use crate::observe::NodeId;
use crate::world::{Context, Death, DiskView, Input, Lane};

use super::super::super::config::{CONTROLLER, Config};
use super::super::super::controller::Image;
use super::super::super::link::{Link, doubled};
use super::super::super::message::{Error, Message, Request, Response, Standing, Timer};
use super::super::super::rules::Rule;
use super::super::super::state::{PartitionChange, Record};
use super::super::super::words::event;
use super::super::{Broker, FIRST_LOG, Status};
use super::Membership;

/// What a broker has to do with the controller quorum.
#[derive(Clone, Debug)]
pub struct KraftMember {
    /// Its copy of the metadata log.
    pub raft: Replica<Record>,
    raft_lane: Option<Lane>,
    /// What it has read of that.
    pub image: Image,
    /// Up to where it has read it.
    applied: u64,
    lane: Option<Lane>,
    link: Link,
    /// Its registration; 0 before it has one.
    broker_epoch: u64,
    /// What the controller said last.
    standing: Standing,
    /// The number of the heartbeat or registration that is not answered yet.
    asked: Option<u32>,
    turn: u32,
    /// When the first of its heartbeats is due that come one a period, if it is there from the
    /// beginning of the run; else that is a matter of when it has started.
    rhythm: Option<Time>,
    /// Requests for other ISRs: (number, partition), and those that wait for a connection.
    changes: Vec<(u32, PartitionId)>,
    waiting: Vec<(PartitionId, PartitionChange)>,
    stopping: bool,
    /// How often it was told that it may not register yet.
    refused: u32,
    /// Replicas are told what the metadata log says.
    published: bool,
}

/// The link to the controller among the machine's links.
const LINK: u32 = u32::MAX;

impl KraftMember {
    pub(super) fn new(config: &Arc<Config>, me: NodeId) -> KraftMember {
        let quorum =
            config.quorum(crate::world::FileId(FIRST_LOG + config.partitions.len() as u32));
        let first = Image::first(config);
        let leader = config.coordinators[0];
        let raft = Replica::founded(Arc::new(quorum), me, leader, first.records());
        KraftMember {
            applied: raft.applied(),
            raft,
            raft_lane: None,
            image: first,
            lane: None,
            link: Link::new(LINK, config.coordinators[0], CONTROLLER),
            broker_epoch: 0,
            standing: Standing::default(),
            asked: None,
            turn: 0,
            rhythm: None,
            changes: Vec::new(),
            waiting: Vec::new(),
            stopping: false,
            refused: 0,
            published: false,
        }
    }

    pub(super) fn broker_epoch(&self) -> u64 {
        self.broker_epoch
    }

    pub(super) fn owns(&self, lane: Lane) -> bool {
        self.lane == Some(lane) || self.raft_lane == Some(lane)
    }

    pub(super) fn forget(&mut self) {
        self.raft_lane = None;
        self.lane = None;
        self.link = Link::new(LINK, self.link.to(), CONTROLLER);
        (self.broker_epoch, self.applied, self.asked) = (0, 0, None);
        self.standing = Standing::default();
        self.changes.clear();
        self.waiting.clear();
        (self.stopping, self.refused) = (false, 0);
        self.published = false;
        self.image.clear();
    }

    /// The process has ended, or its disk has lost something.
    pub fn died(&mut self, death: Death, disk: &DiskView<'_>) {
        self.raft.died(death, disk);
    }
}

/// Whether the controller counts a broker as one that may serve.
const fn may_serve(standing: Standing) -> bool {
    !standing.fenced
}

impl Broker {
    fn kraft(&mut self) -> &mut KraftMember {
        match &mut self.membership {
            Membership::Kraft(member) => member,
            Membership::ZooKeeper(_) => unreachable!("only asked where there is a quorum"),
        }
    }

    pub(super) fn kraft_register(&mut self, ctx: &mut Context<'_, Message>) {
        let raft_lane = ctx.spawn();
        let lane = ctx.spawn();
        let heartbeat = self.config.settings.heartbeat;
        let member = self.kraft();
        (member.raft_lane, member.lane) = (Some(raft_lane), Some(lane));
        member.raft.boot(raft_lane, ctx);
        let first = ctx.first_round(heartbeat);
        member.rhythm = (first < heartbeat).then_some(ctx.now() + first);
        self.heartbeat_soon(Span::ZERO, ctx);
    }

    fn heartbeat_soon(&mut self, wait: Span, ctx: &mut Context<'_, Message>) {
        let member = self.kraft();
        let Some(lane) = member.lane else { return };
        member.turn = member.turn.wrapping_add(1);
        let timer = Timer::Heartbeat { turn: member.turn };
        ctx.after(wait, lane, Message::Timer(timer));
    }

    pub(super) fn kraft_input(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        let lane = ctx.lane();
        let member = self.kraft();
        if member.raft_lane == Some(lane) {
            let events = member.raft.handle(input, ctx);
            for event in events {
                self.quorum_event(event, ctx);
            }
            return;
        }
        match input {
            Input::Local { body: Message::Timer(Timer::Heartbeat { turn }) }
                if turn == member.turn =>
            {
                self.speak(ctx);
            }
            Input::Local { body: Message::Timer(Timer::Link { turn, .. }) }
                if member.link.timer(ctx, turn).is_some() =>
            {
                self.controller_lost(ctx);
            }
            Input::Connected { conn } => {
                member.link.connected(conn);
                self.speak(ctx);
                self.send_changes(ctx);
            }
            Input::Failed { conn, .. } | Input::Closed { conn, .. } if member.link.owns(conn) => {
                member.link.lost(ctx);
                self.controller_lost(ctx);
            }
            Input::Message { conn, body: Message::Response { id, body } }
                if member.link.owns(conn) && member.link.answered(id) =>
            {
                self.controller_answered(id, *body, ctx);
            }
            // Tells the lane that has the link that changes wait.
            Input::Local { body: Message::Timer(Timer::Sender) } => self.send_changes(ctx),
            _ => {}
        }
    }

    /// What the broker has learned from the metadata log.
    fn quorum_event(&mut self, event: Event, ctx: &mut Context<'_, Message>) {
        match event {
            Event::Committed(_) | Event::SnapshotLoaded(_) => self.follow_metadata(ctx),
            Event::LeaderIs(leader, _) => {
                let member = self.kraft();
                if let Some(leader) = leader.filter(|leader| *leader != member.link.to()) {
                    member.link.close(ctx);
                    member.link.aim(leader);
                    self.controller_lost(ctx);
                    self.heartbeat_soon(Span::ZERO, ctx);
                }
            }
            Event::SnapshotDue(offset) => {
                let member = self.kraft();
                let records = member.image.records();
                member.raft.take_snapshot(offset, records, ctx);
            }
            // Whatever the quorum's thread did not expect is fatal to the process
            // (SharedServer.scala 3.9, `raftManagerFaultHandler`), and so is a metadata directory
            // that takes no write (LogManager.scala 3.7, `handleLogDirFailure`).
            Event::Halted(_) => self.disk_failed(ctx),
            _ => {}
        }
    }

    /// Reads what is new in the metadata log, and does what it says (BrokerMetadataPublisher). What
    /// it finds at its start counts only when it has read its own registration: what is before that
    /// may long be over (BrokerServer.scala 3.9, `initialCatchUpFuture`).
    fn follow_metadata(&mut self, ctx: &mut Context<'_, Message>) {
        let member = self.kraft();
        let mut changed = Vec::new();
        if let Some(snapshot) = member.raft.snapshot().cloned()
            && snapshot.id.offset > member.applied
        {
            member.image.clear();
            for record in &snapshot.records {
                member.image.apply(record, &mut changed);
            }
            member.applied = snapshot.id.offset;
        }
        let batches: Vec<_> = member.raft.committed(member.applied).cloned().collect();
        for batch in batches {
            for record in batch.records() {
                member.image.apply(record, &mut changed);
            }
            member.applied = batch.end();
        }
        changed.sort_unstable();
        changed.dedup();
        let controller = member.raft.leader();
        self.view = Arc::new(member.image.view(controller));
        // A broker that has started does nothing before it has read of its own registration: what
        // the log said before is about its former self (BrokerServer.scala 3.9, `startup`, which
        // waits for `initialCatchUpFuture` before it installs what publishes metadata).
        let me = self.me.index();
        let incarnation = self.incarnation;
        let member = self.kraft();
        if !member.published {
            let own = member.image.brokers[me];
            if own.is_none_or(|own| own.incarnation != incarnation) {
                return;
            }
            member.published = true;
            changed = self.config.all_partitions().collect();
        }
        let states: Vec<_> = changed
            .iter()
            .filter_map(|partition| Some((*partition, self.kraft().image.partition(*partition)?)))
            .collect();
        for (partition, state) in states {
            self.take_state(partition, state, ctx);
        }
    }

    /// Registers, or says that it lives (BrokerLifecycleManager).
    fn speak(&mut self, ctx: &mut Context<'_, Message>) {
        let (me, incarnation) = (self.me, self.incarnation);
        let clean_epoch = self.marks.clean_epoch;
        let config = self.config.clone();
        let settings = &config.settings;
        let member = self.kraft();
        if member.asked.is_some() {
            // It is late, but may come still: the next one follows it.
            return self.heartbeat_soon(settings.heartbeat, ctx);
        }
        if !member.link.is_open() {
            return member.link.open_in_time(&config, None, ctx);
        }
        let request = if member.broker_epoch == 0 {
            Request::Register { broker: me, incarnation, clean_epoch }
        } else {
            Request::Heartbeat {
                broker: me,
                broker_epoch: member.broker_epoch,
                metadata_offset: member.applied,
                want_fence: false,
                want_shutdown: member.stopping,
            }
        };
        // BrokerLifecycleManager.scala 3.9: half of the session time-out.
        let timeout = settings.broker_session / 2;
        member.asked = Some(member.link.send(ctx, request, timeout));
        let begins = member.rhythm.filter(|first| *first > ctx.now());
        let wait = begins.map_or(settings.heartbeat, |first| first.since(ctx.now()));
        self.heartbeat_soon(wait, ctx);
    }

    /// The controller cannot be reached: the broker tries again, also the others of the quorum.
    fn controller_lost(&mut self, ctx: &mut Context<'_, Message>) {
        let config = self.config.clone();
        let member = self.kraft();
        member.asked = None;
        let lost: Vec<_> = member.changes.drain(..).map(|(_, partition)| partition).collect();
        if member.link.is_closed() {
            let to = match member.raft.leader() {
                Some(leader) => leader,
                None => {
                    let all = &config.coordinators;
                    let now = all.iter().position(|node| *node == member.link.to()).unwrap_or(0);
                    all[(now + 1) % all.len()]
                }
            };
            member.link.aim(to);
        }
        for partition in lost {
            self.isr_decided(partition, Error::Unknown, None, ctx);
        }
        self.heartbeat_soon(config.settings.quorum.retry_backoff.max(RETRY), ctx);
    }

    fn controller_answered(&mut self, id: u32, response: Response, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        let member = self.kraft();
        match response {
            Response::Registered(error, epoch) => {
                member.asked = None;
                match error {
                    Error::None => {
                        member.broker_epoch = epoch;
                        self.report_event(ctx, now, event::REGISTERED, None, None, epoch);
                        self.follow_metadata(ctx);
                        self.heartbeat_soon(Span::ZERO, ctx);
                    }
                    Error::DuplicateBrokerRegistration => {
                        let before = member.refused;
                        member.refused += 1;
                        if before == 0 {
                            let word = event::REGISTRATION_REFUSED;
                            self.report_event(ctx, now, word, None, None, 0);
                        }
                        let settings = &self.config.settings;
                        // BrokerLifecycleManager.scala, scheduleNextCommunicationAfterFailure.
                        let wait = match self.config.has(Rule::FixedHeartbeats) {
                            true => settings.heartbeat,
                            false => doubled(REFUSED, before, settings.broker_session / 2),
                        };
                        self.heartbeat_soon(wait, ctx);
                    }
                    _ => {
                        member.link.close(ctx);
                        self.controller_lost(ctx);
                    }
                }
            }
            Response::Heartbeat(error, standing) => {
                member.asked = None;
                if error == Error::None {
                    self.stands(standing, ctx);
                } else if error == Error::NotController {
                    member.link.close(ctx);
                    self.controller_lost(ctx);
                }
            }
            Response::AlterPartition(partition, error, state) => {
                member.changes.retain(|(number, _)| *number != id);
                self.isr_decided(partition, error, state, ctx);
            }
            _ => {}
        }
    }

    /// What the controller thinks of the broker (BrokerLifecycleManager.scala 3.9,
    /// `BrokerHeartbeatResponseEvent`).
    fn stands(&mut self, standing: Standing, ctx: &mut Context<'_, Message>) {
        let member = self.kraft();
        let before = std::mem::replace(&mut member.standing, standing);
        let stopping = member.stopping;
        if may_serve(standing) && !may_serve(before) || (may_serve(standing) && !self.served) {
            self.served = true;
            ctx.ready();
        }
        if stopping && standing.should_shut_down && self.status == Status::Stopping {
            self.flush_and_stop(ctx);
        }
        // A broker that is fenced asks again at once when it has caught up.
        if standing.fenced && !stopping {
            self.heartbeat_soon(SOON, ctx);
        }
    }

    pub(super) fn kraft_propose(
        &mut self,
        partition: PartitionId,
        change: PartitionChange,
        ctx: &mut Context<'_, Message>,
    ) {
        let member = self.kraft();
        member.waiting.push((partition, change));
        if let Some(lane) = member.lane {
            ctx.tell(lane, Message::Timer(Timer::Sender));
        }
    }

    fn send_changes(&mut self, ctx: &mut Context<'_, Message>) {
        let (me, config) = (self.me, self.config.clone());
        let member = self.kraft();
        if !member.link.is_open() {
            return member.link.open_in_time(&config, None, ctx);
        }
        for (partition, change) in std::mem::take(&mut member.waiting) {
            let request = Request::AlterPartition {
                broker: me,
                broker_epoch: member.broker_epoch,
                partition,
                change,
            };
            let id = member.link.send(ctx, request, config.settings.controller_timeout);
            member.changes.push((id, partition));
        }
    }

    /// The broker asks for its leaderships to be moved, and stops when the controller says so.
    pub(super) fn kraft_stop(&mut self, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        if self.status != Status::Running {
            self.status = Status::Off;
            return ctx.exit();
        }
        if !self.config.has(Rule::HandOverAtStop) {
            return self.flush_and_stop(ctx);
        }
        self.status = Status::Stopping;
        self.report_event(ctx, now, event::CONTROLLED_SHUTDOWN, None, None, 0);
        let member = self.kraft();
        member.stopping = true;
        member.asked = None;
        self.heartbeat_soon(Span::ZERO, ctx);
    }
}

/// A broker that has lost its controller tries again after this
/// (NodeToControllerChannelManager.scala 3.9: reconnect.backoff.ms, 50 ms).
const RETRY: Span = Span::from_millis(50);
/// A fenced broker's next heartbeat.
const SOON: Span = Span::from_millis(100);
/// A broker whose former self still counts tries again after this, and then after twice as long
/// (BrokerLifecycleManager.scala 3.9, `resendExponentialBackoff`).
const REFUSED: Span = Span::from_millis(100);
