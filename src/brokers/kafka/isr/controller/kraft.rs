//! A controller of the quorum (QuorumController, ReplicationControlManager,
//! ClusterControlManager; 3.9).
//!
//! The leader of the quorum works on a state that may be ahead of what is committed, and answers
//! when that is. When it no longer leads, what was not committed never was.

use std::sync::Arc;

use crate::brokers::coordination::raft::{self, Event, Replica};
use crate::brokers::kafka::PartitionId;
use crate::engine::{Span, Time};
use crate::observe::{Event as Told, EventId, NodeId};
use crate::world::{ConnId, Context, Death, DiskView, FileId, Input, Lane, Signal, Wait};

use super::super::config::{CONTROLLER, Config};
use super::super::message::{Error, Message, Request, Response, Standing as Word, Timer};
use super::super::nodes::NodeSet;
use super::super::rules::Rule;
use super::super::state::{PartitionChange, PartitionState, Record};
use super::super::words::event;
use super::change::{Change, Standing, next_state};
use super::image::Image;

/// A controller.
#[derive(Clone, Debug)]
pub struct Controller {
    config: Arc<Config>,
    me: NodeId,
    /// Its part of the quorum.
    pub raft: Replica<Record>,
    raft_lane: Option<Lane>,
    /// What is committed.
    pub committed: Image,
    applied: u64,
    /// Partitions of which something was committed, for the invariants.
    pub(in super::super) touched: Vec<PartitionId>,
    /// What it decides on, while it leads.
    leading: Option<Box<Leading>>,
}

/// What only the leader has.
#[derive(Clone, Debug)]
struct Leading {
    epoch: u32,
    image: Image,
    /// When each broker was last heard of, while that session lasts: of one that was fenced already
    /// when it became leader it does not know.
    heard: Vec<Option<Time>>,
    /// When it looks for silent brokers the next time.
    looks: Time,
    /// Who has shown that it has lost what was not on its disk.
    unclean: NodeSet,
    /// Up to where each broker has followed the metadata log.
    followed: Vec<u64>,
    /// Since which offset each broker that is about to stop leads nothing.
    shut_down_at: Vec<u64>,
    /// When it last wrote something.
    written: Time,
    /// Answers that wait until an offset is committed.
    deferred: Vec<(u64, ConnId, u32, Box<Response>)>,
}

/// How often the leader looks at what is due. Up to 3.9 it looks for silent brokers when the oldest
/// contact may be too old (BrokerHeartbeatManager.java 3.9, `nextCheckTimeNs`).
const LOOK: Span = Span::from_millis(100);

/// `metadata.max.idle.interval.ms` (KIP-835): with something new in the log at least so often,
/// those that follow it learn what is committed.
const MOST_IDLE: Span = Span::from_millis(500);

impl Controller {
    /// A controller before its first start.
    #[must_use]
    pub fn new(config: Arc<Config>, me: NodeId) -> Controller {
        let quorum = Arc::new(config.quorum(FileId(0)));
        let first = Image::first(&config);
        let leader = config.coordinators[0];
        let raft = Replica::founded(quorum, me, leader, first.records());
        Controller {
            applied: raft.applied(),
            raft,
            raft_lane: None,
            committed: first,
            touched: Vec::new(),
            leading: None,
            config,
            me,
        }
    }

    /// Whether it decides.
    #[must_use]
    pub fn leads(&self) -> Option<u32> {
        self.leading.as_ref().map(|leading| leading.epoch)
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        if self.raft_lane == Some(ctx.lane()) {
            let events = self.raft.handle(input, ctx);
            for event in events {
                self.quorum_event(event, ctx);
            }
            return;
        }
        match input {
            Input::Boot(_) => {
                let lane = ctx.spawn();
                self.raft_lane = Some(lane);
                self.raft.boot(lane, ctx);
                ctx.listen(CONTROLLER);
                ctx.ready();
            }
            Input::Signal(Signal::Stop) => self.raft.shutdown(ctx),
            Input::Accepted { conn, port, .. } if port == raft::PORT => {
                self.raft.accept(conn, ctx);
            }
            Input::Message { conn, body: Message::Request { id, body } } => {
                ctx.spend(self.config.costs.internal);
                self.request(conn, id, *body, ctx);
            }
            Input::Local { body: Message::Timer(Timer::Sessions { term }) }
                if self.leads() == Some(term) =>
            {
                self.look(term, ctx);
            }
            Input::Local { body: Message::Timer(Timer::PreferredLeaders { term }) }
                if self.leads() == Some(term) =>
            {
                self.prefer(term, ctx);
            }
            _ => {}
        }
    }

    fn told(
        &self,
        ctx: &mut Context<'_, Message>,
        word: EventId,
        partition: Option<PartitionId>,
        subject: Option<NodeId>,
        count: u64,
    ) {
        let (at, node) = (ctx.now(), self.me);
        let destination =
            partition.and_then(|p| self.config.streams.destinations_of(p).first().copied());
        ctx.observer().event(at, Told { word, node, destination, subject, count });
    }

    fn quorum_event(&mut self, event: Event, ctx: &mut Context<'_, Message>) {
        match event {
            Event::Committed(_) | Event::SnapshotLoaded(_) => {
                self.follow_log();
                self.answer_committed(ctx);
            }
            Event::BecameLeader { epoch } => self.lead(epoch, ctx),
            Event::Resigned { .. } => self.resign(ctx),
            Event::SnapshotDue(offset) => {
                let records = self.committed.records();
                self.raft.take_snapshot(offset, records, ctx);
            }
            Event::Stopped | Event::Halted(_) => ctx.exit(),
            Event::LeaderIs(..) | Event::Truncated(_) => {}
        }
    }

    fn follow_log(&mut self) {
        let mut changed = Vec::new();
        if let Some(snapshot) = self.raft.snapshot().cloned()
            && snapshot.id.offset > self.applied
        {
            self.committed.clear();
            for record in &snapshot.records {
                self.committed.apply(record, &mut changed);
            }
            self.applied = snapshot.id.offset;
        }
        let batches: Vec<_> = self.raft.committed(self.applied).cloned().collect();
        for batch in batches {
            for record in batch.records() {
                self.committed.apply(record, &mut changed);
            }
            self.applied = batch.end();
        }
        self.touched.append(&mut changed);
        self.touched.sort_unstable();
        self.touched.dedup();
    }

    /// Up to where it has read the metadata log.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// It leads: all that was committed before is known. Brokers get a session's time to be heard
    /// (BrokerHeartbeatManager: contacts begin anew, of those that are not fenced; KAFKA-18138,
    /// KAFKA-19130).
    fn lead(&mut self, epoch: u32, ctx: &mut Context<'_, Message>) {
        self.follow_log();
        let (now, unfenced) = (ctx.monotonic(), self.committed.unfenced());
        let first = ctx.first_round(self.config.settings.broker_session / 8);
        self.leading = Some(Box::new(Leading {
            epoch,
            image: self.committed.clone(),
            heard: self
                .config
                .all_brokers()
                .map(|node| unfenced.has(node).then_some(now))
                .collect(),
            looks: now + first,
            unclean: NodeSet::EMPTY,
            followed: vec![0; self.config.brokers as usize],
            shut_down_at: vec![0; self.config.brokers as usize],
            written: now,
            deferred: Vec::new(),
        }));
        self.told(ctx, event::CONTROLLER, None, None, u64::from(epoch));
        let term = epoch;
        ctx.after(LOOK, Lane::MAIN, Message::Timer(Timer::Sessions { term }));
        if self.config.settings.rebalance_leaders {
            let wait = self.config.settings.imbalance_check;
            ctx.after(wait, Lane::MAIN, Message::Timer(Timer::PreferredLeaders { term }));
        }
    }

    fn resign(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(leading) = self.leading.take() else { return };
        for (_, conn, id, mut body) in leading.deferred {
            body.refuse(Error::NotController);
            let bytes = body.bytes();
            ctx.send(conn, Message::Response { id, body }, bytes);
        }
    }

    /// Appends records, and counts on them. The offset of the last.
    fn write(&mut self, records: Vec<Record>, ctx: &mut Context<'_, Message>) -> Option<u64> {
        let leading = self.leading.as_mut()?;
        let mut changed = Vec::new();
        for record in &records {
            leading.image.apply(record, &mut changed);
        }
        leading.written = ctx.monotonic();
        self.raft.append(records, ctx).ok()
    }

    /// Answers when an offset is committed; at once if nothing was written.
    fn answer(
        &mut self,
        (conn, id): (ConnId, u32),
        response: Response,
        after: Option<u64>,
        ctx: &mut Context<'_, Message>,
    ) {
        let body = Box::new(response);
        match (after, &mut self.leading) {
            (Some(offset), Some(leading)) => leading.deferred.push((offset, conn, id, body)),
            _ => {
                let bytes = body.bytes();
                ctx.send(conn, Message::Response { id, body }, bytes);
            }
        }
    }

    /// Answers when what was written is committed; if it could not be, since the quorum has another
    /// leader of which this controller has not been told, so it says.
    fn answer_written(
        &mut self,
        at: (ConnId, u32),
        mut response: Response,
        offset: Option<u64>,
        ctx: &mut Context<'_, Message>,
    ) {
        if offset.is_none() {
            response.refuse(Error::NotController);
        }
        self.answer(at, response, offset, ctx);
    }

    fn answer_committed(&mut self, ctx: &mut Context<'_, Message>) {
        let applied = self.applied;
        let Some(leading) = &mut self.leading else { return };
        let ready: Vec<_> =
            leading.deferred.extract_if(.., |(offset, ..)| *offset < applied).collect();
        for (_, conn, id, body) in ready {
            let bytes = body.bytes();
            ctx.send(conn, Message::Response { id, body }, bytes);
        }
    }

    fn request(&mut self, conn: ConnId, id: u32, request: Request, ctx: &mut Context<'_, Message>) {
        let at = (conn, id);
        match request {
            Request::Register { broker, incarnation, clean_epoch } => {
                self.registers(at, broker, incarnation, clean_epoch, ctx);
            }
            Request::Heartbeat { broker, broker_epoch, metadata_offset, want_shutdown, .. } => {
                self.heartbeat(at, broker, broker_epoch, metadata_offset, want_shutdown, ctx);
            }
            Request::AlterPartition { broker, broker_epoch, partition, change } => {
                self.alters(at, broker, broker_epoch, partition, &change, ctx);
            }
            _ => {}
        }
    }

    /// A broker registers (ClusterControlManager.java 3.9, `registerBroker`): it is fenced, and
    /// one whose former self has a session still has to wait (VT966 8.1).
    fn registers(
        &mut self,
        at: (ConnId, u32),
        broker: NodeId,
        incarnation: u32,
        clean_epoch: Option<u64>,
        ctx: &mut Context<'_, Message>,
    ) {
        let config = self.config.clone();
        let Some(leading) = &mut self.leading else {
            return self.answer(at, Response::Registered(Error::NotController, 0), None, ctx);
        };
        let known = leading.image.brokers[broker.index()];
        if let Some(known) = known.filter(|known| known.incarnation == incarnation) {
            leading.heard[broker.index()] = Some(ctx.monotonic());
            // What is known may not be committed yet: the answer waits for that
            // (QuorumController.java 3.9, ControllerWriteEvent: `highestPendingOffset`).
            let pending = leading.deferred.iter().map(|(offset, ..)| *offset).max();
            let answer = Response::Registered(Error::None, known.epoch);
            return self.answer(at, answer, pending, ctx);
        }
        // Up to 3.9 the session ends with the fence (BrokerHeartbeatManager.java 3.9 and
        // BrokerHeartbeatTracker.java 4.0, `hasValidSession`).
        let lasts = config.has(Rule::SessionOutlivesFence);
        let silent = leading.heard[broker.index()]
            .is_none_or(|heard| ctx.monotonic().since(heard) > config.settings.broker_session);
        if known.is_some_and(|known| (lasts || !known.fenced) && !silent) {
            let refused = Response::Registered(Error::DuplicateBrokerRegistration, 0);
            return self.answer(at, refused, None, ctx);
        }
        leading.heard[broker.index()] = Some(ctx.monotonic());
        // Its session is over and nobody has looked yet: it is fenced first, which takes it out of the
        // ISRs (ReplicationControlManager.java 4.0, `handleBrokerFenced`).
        if known.is_some_and(|known| !known.fenced) {
            self.told(ctx, event::FENCED, None, Some(broker), 0);
            self.change_standing(broker, true, false, ctx);
        }
        let next = self.raft.next_offset().unwrap_or(0);
        let Some(leading) = &mut self.leading else { return };
        let was = known.map(|known| known.epoch);
        let clean = clean_epoch.is_some() && clean_epoch == was;
        let mut records = Vec::new();
        if config.has(Rule::DetectUncleanShutdown) && !clean {
            leading.unclean = leading.unclean.with(broker);
            records.extend(self.forget_unclean(broker));
        }
        // Its epoch is the offset that the record gets.
        let epoch = next + records.len() as u64;
        records.push(Record::Register { broker, incarnation, epoch });
        let answer = Response::Registered(Error::None, epoch);
        let offset = self.write(records, ctx);
        self.answer_written(at, answer, offset, ctx);
    }

    /// A broker that may have lost the end of its logs is no eligible leader any more
    /// (ReplicationControlManager.java 3.8, `handleUncleanBrokerShutdown`).
    fn forget_unclean(&self, broker: NodeId) -> Vec<Record> {
        let Some(leading) = &self.leading else { return Vec::new() };
        if !self.config.has(Rule::EligibleLeaderReplicas) {
            return Vec::new();
        }
        let mut records = Vec::new();
        for partition in self.config.all_partitions() {
            let Some(state) = leading.image.partition(partition) else { continue };
            if state.elr.has(broker) || state.isr.has(broker) {
                let mut next = state;
                next.elr = state.elr.without(broker);
                next.isr = state.isr.without(broker);
                if next.leader == Some(broker) {
                    next.leader = None;
                    next.leader_epoch += 1;
                }
                if next.isr.is_empty() && next.last_known_leader.is_none() {
                    next.last_known_leader = Some(state.leader.unwrap_or(broker));
                }
                next.partition_epoch += 1;
                records.push(Record::Partition(partition, next));
            }
        }
        records
    }

    /// A broker says that it lives (ReplicationControlManager.java 3.9,
    /// `processBrokerHeartbeat`; BrokerHeartbeatManager, `calculateNextBrokerState`).
    fn heartbeat(
        &mut self,
        at: (ConnId, u32),
        broker: NodeId,
        epoch: u64,
        metadata_offset: u64,
        want_shutdown: bool,
        ctx: &mut Context<'_, Message>,
    ) {
        let refuse = |error| Response::Heartbeat(error, Word::default());
        let Some(leading) = &mut self.leading else {
            return self.answer(at, refuse(Error::NotController), None, ctx);
        };
        let known = leading.image.brokers[broker.index()].filter(|known| known.epoch == epoch);
        let Some(known) = known else {
            return self.answer(at, refuse(Error::StaleBrokerEpoch), None, ctx);
        };
        leading.heard[broker.index()] = Some(ctx.monotonic());
        leading.followed[broker.index()] = metadata_offset;
        let caught_up = metadata_offset > known.epoch;
        let mut offset = None;
        let mut word = Word { caught_up, fenced: known.fenced, should_shut_down: false };
        if want_shutdown {
            if !known.shutting_down && !known.fenced {
                offset = self.change_standing(broker, known.fenced, true, ctx);
                if let (Some(offset), Some(leading)) = (offset, &mut self.leading) {
                    leading.shut_down_at[broker.index()] = offset;
                }
            }
            if self.may_stop(broker) {
                word.should_shut_down = true;
                offset = self.change_standing(broker, true, false, ctx).or(offset);
                word.fenced = true;
            }
        } else if known.fenced && caught_up {
            self.told(ctx, event::UNFENCED, None, Some(broker), 0);
            word.fenced = false;
            let offset = self.change_standing(broker, false, false, ctx);
            return self.answer_written(at, Response::Heartbeat(Error::None, word), offset, ctx);
        }
        self.answer(at, Response::Heartbeat(Error::None, word), offset, ctx);
    }

    /// Whether a broker leads nothing any more, and all that may lead know it
    /// (BrokerHeartbeatManager.java 3.9, `calculateNextBrokerState`).
    fn may_stop(&self, broker: NodeId) -> bool {
        let Some(leading) = &self.leading else { return false };
        let leads = |partition| {
            let state = leading.image.partition(partition);
            state.is_some_and(|state: PartitionState| state.leader == Some(broker))
        };
        let since = leading.shut_down_at[broker.index()];
        let mut active = leading.image.active().iter();
        !self.config.all_partitions().any(leads)
            && active.all(|node| leading.followed[node.index()] > since)
    }

    /// A broker is fenced, unfenced, or about to stop: its partitions follow.
    fn change_standing(
        &mut self,
        broker: NodeId,
        fenced: bool,
        shutting_down: bool,
        ctx: &mut Context<'_, Message>,
    ) -> Option<u64> {
        let config = self.config.clone();
        let leading = self.leading.as_mut()?;
        let epoch = leading.image.brokers[broker.index()]?.epoch;
        let standing = Record::Standing { broker, epoch, fenced, shutting_down };
        let mut after = leading.image.clone();
        after.apply(&standing, &mut Vec::new());
        let active = after.active();
        if active.has(broker) {
            leading.unclean = leading.unclean.without(broker);
        }
        let standings =
            Standing { active, gone: config.everyone().minus(active), unclean: leading.unclean };
        let mut records = vec![standing];
        let mut told = Vec::new();
        for partition in config.all_partitions() {
            let Some(state) = after.partition(partition) else { continue };
            if !config.replicas(partition).contains(&broker) {
                continue;
            }
            let next = next_state(&config, partition, &state, Change::Brokers, standings);
            if let Some((next, unclean)) = next {
                told.push((partition, state, next, unclean));
                records.push(Record::Partition(partition, next));
            }
        }
        for (partition, before, after, unclean) in told {
            self.tell_change(partition, &before, &after, unclean, ctx);
        }
        self.write(records, ctx)
    }

    fn tell_change(
        &self,
        partition: PartitionId,
        before: &PartitionState,
        after: &PartitionState,
        unclean: bool,
        ctx: &mut Context<'_, Message>,
    ) {
        if unclean {
            let count = u64::from(after.leader_epoch);
            self.told(ctx, event::UNCLEAN_ELECTION, Some(partition), after.leader, count);
        } else if after.leader.is_none() && before.leader.is_some() {
            self.told(ctx, event::OFFLINE_PARTITION, Some(partition), None, 0);
        }
    }

    /// The leader of a partition wants another ISR (ReplicationControlManager.java 3.9,
    /// `alterPartition`, `validateAlterPartitionData`).
    fn alters(
        &mut self,
        at: (ConnId, u32),
        broker: NodeId,
        broker_epoch: u64,
        partition: PartitionId,
        change: &PartitionChange,
        ctx: &mut Context<'_, Message>,
    ) {
        let config = self.config.clone();
        let answer = |error, state| Response::AlterPartition(partition, error, state);
        let Some(leading) = &self.leading else {
            return self.answer(at, answer(Error::NotController, None), None, ctx);
        };
        let image = &leading.image;
        let registered = image.brokers[broker.index()].is_some_and(|b| b.epoch == broker_epoch);
        let Some(state) = image.partition(partition).filter(|_| registered) else {
            return self.answer(at, answer(Error::StaleBrokerEpoch, None), None, ctx);
        };
        let active = image.active();
        let assigned: NodeSet = config.replicas(partition).iter().copied().collect();
        let stale_member = || {
            config.has(Rule::JoinWithBrokerEpoch)
                && change.incarnations.iter().any(|(node, epoch)| {
                    image.brokers[node.index()].is_none_or(|known| known.epoch != *epoch)
                })
        };
        let error = if change.leader_epoch > state.leader_epoch {
            Error::NotController
        } else if change.leader_epoch < state.leader_epoch {
            Error::FencedLeaderEpoch
        } else if state.leader != Some(broker) {
            Error::InvalidRequest
        } else if change.partition_epoch != state.partition_epoch {
            Error::InvalidUpdateVersion
        } else if !change.isr.is_within(assigned) || !change.isr.has(broker) {
            Error::InvalidRequest
        } else if config.has(Rule::JoinIfEligible) && !change.isr.is_within(active)
            || stale_member()
        {
            Error::IneligibleReplica
        } else {
            Error::None
        };
        if error != Error::None {
            self.told(ctx, event::ISR_CHANGE_REFUSED, Some(partition), Some(broker), 0);
            // By what may not be committed yet, and then is not said (as for a registration).
            let pending = leading.deferred.iter().map(|(offset, ..)| *offset).max();
            return self.answer(at, answer(error, None), pending, ctx);
        }
        let standing =
            Standing { active, gone: config.everyone().minus(active), unclean: leading.unclean };
        let change = Change::Isr(change.isr);
        let next = next_state(&config, partition, &state, change, standing);
        let next = next.map_or(state, |(next, _)| next);
        let offset = self.write(vec![Record::Partition(partition, next)], ctx);
        self.answer_written(at, answer(Error::None, Some(next)), offset, ctx);
    }

    /// Looks at what is due: silent brokers are fenced, one after the other
    /// (QuorumController.java 3.9 and 4.0, `maybeFenceStaleBroker`).
    fn look(&mut self, term: u32, ctx: &mut Context<'_, Message>) {
        let (session, now) = (self.config.settings.broker_session, ctx.monotonic());
        ctx.after(LOOK, Lane::MAIN, Message::Timer(Timer::Sessions { term }));
        let samples = self.config.has(Rule::SampleSessions);
        let Some(leading) = &mut self.leading else { return };
        if now.since(leading.written) >= MOST_IDLE {
            self.write(vec![Record::NoOp], ctx);
        }
        let Some(leading) = &mut self.leading else { return };
        if samples && now < leading.looks {
            return;
        }
        leading.looks = (leading.looks + session / 8).max(now);
        let unfenced = leading.image.unfenced();
        let is_silent = |node: &NodeId| {
            leading.heard[node.index()].is_none_or(|heard| now.since(heard) > session)
        };
        for node in unfenced.iter().filter(is_silent).collect::<Vec<_>>() {
            self.told(ctx, event::FENCED, None, Some(node), 0);
            self.change_standing(node, true, false, ctx);
        }
    }

    /// Gives leadership back to preferred replicas (`maybeBalancePartitionLeaders`).
    fn prefer(&mut self, term: u32, ctx: &mut Context<'_, Message>) {
        let config = self.config.clone();
        let Some(leading) = &self.leading else { return };
        let wait = config.settings.imbalance_check;
        ctx.after(wait, Lane::MAIN, Message::Timer(Timer::PreferredLeaders { term }));
        let active = leading.image.active();
        let standing = Standing { active, gone: NodeSet::EMPTY, unclean: leading.unclean };
        let mut records = Vec::new();
        for partition in config.all_partitions() {
            let Some(state) = leading.image.partition(partition) else { continue };
            let next = next_state(&config, partition, &state, Change::Preferred, standing);
            records.extend(next.map(|(next, _)| Record::Partition(partition, next)));
        }
        if !records.is_empty() {
            self.write(records, ctx);
        }
    }

    /// The process has ended, or its disk has lost something.
    pub fn died(&mut self, death: Death, disk: &DiskView<'_>) {
        self.raft.died(death, disk);
        self.raft_lane = None;
        self.leading = None;
        self.applied = 0;
        self.committed.clear();
    }

    /// Whether nothing is outstanding here, but for records that say nothing: there is always one
    /// that a follower does not know to be committed.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        let decided = self.leading.as_ref().is_none_or(|leading| leading.deferred.is_empty());
        if !self.raft.is_settled_but_for(|record| matches!(record, Record::NoOp)) {
            return Some("the quorum of controllers: a leader, or a record to be committed".into());
        }
        (!decided).then(|| "its decisions to be committed".into())
    }
}
