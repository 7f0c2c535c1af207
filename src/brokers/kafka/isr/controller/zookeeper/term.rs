//! How a controller's term begins and ends (KafkaController.scala: `elect`, `onControllerFailover`,
//! `onControllerResignation`).

use crate::brokers::coordination::zookeeper::{Answer, Op, Path};
use crate::engine::{Span, Time};
use crate::observe::NodeId;
use crate::world::Context;

use super::super::super::message::{Error, Message, Response, Timer};
use super::super::super::nodes::NodeSet;
use super::super::super::rules::Rule;
use super::super::super::state::Znode;
use super::super::super::words::event;
use super::super::super::zookeeper::{
    BROKERS, CONTROLLER, CONTROLLER_EPOCH, Result, Step, Wire, broker_of, broker_path, ephemeral,
    read,
};
use super::decide::Why;
use super::events::{Event, Reading};
use super::jobs::{Aim, Job};
use super::{Phase, ZooKeeperController};

/// Preferred replicas are looked at for the first time so long after a term began
/// (KafkaController.scala 0.8.2.2 to 3.9: `scheduleAutoLeaderRebalanceTask(delay = 5, ..)`).
const FIRST_REBALANCE: Span = Span::from_secs(5);

impl ZooKeeperController {
    /// There is no controller: it tries to be the one.
    pub fn claim(&mut self, wire: &mut Wire, ctx: &mut Context<'_, Message>) {
        if self.phase != Phase::Idle {
            return;
        }
        self.term += 1;
        let claim = ephemeral(CONTROLLER, Znode::Controller(self.me));
        wire.ask(claim, self.purpose(Step::Claim), ctx);
    }

    pub(super) fn claimed(
        &mut self,
        result: &Result,
        wire: &mut Wire,
        ctx: &mut Context<'_, Message>,
    ) {
        if result.is_ok() {
            self.holds(wire, ctx);
        }
    }

    /// `/controller` is its own.
    pub fn holds(&mut self, wire: &mut Wire, ctx: &mut Context<'_, Message>) {
        if self.phase == Phase::Idle {
            self.phase = Phase::Claimed;
            wire.ask(read(CONTROLLER_EPOCH, false), self.purpose(Step::Epoch), ctx);
        }
    }

    pub(super) fn epoch_read(
        &mut self,
        result: Result,
        wire: &mut Wire,
        ctx: &mut Context<'_, Message>,
    ) {
        let Ok(Answer::Data(Some(Znode::ControllerEpoch(last)), stat)) = result else { return };
        let epoch = last + 1;
        let write = Op::SetData {
            path: Path::from(CONTROLLER_EPOCH),
            data: Some(Znode::ControllerEpoch(epoch)),
            version: Some(stat.version),
        };
        wire.ask(write, self.purpose(Step::NewEpoch(epoch)), ctx);
    }

    /// It has a number, or another one was faster (`incrementControllerEpoch`).
    pub(super) fn epoch_written(
        &mut self,
        epoch: u32,
        result: Result,
        wire: &mut Wire,
        ctx: &mut Context<'_, Message>,
    ) {
        let Ok(Answer::Stat(stat)) = result else {
            self.moved = true;
            return;
        };
        (self.epoch, self.epoch_version) = (epoch, stat.version);
        self.told(ctx, event::CONTROLLER, None, None, u64::from(epoch));
        self.phase = Phase::Counting;
        self.read_brokers(wire, ctx);
        let lane = ctx.lane();
        let grace = self.grace(ctx.now(), ctx.incarnation());
        if !grace.is_zero() {
            ctx.after(grace, lane, Message::Timer(Timer::Controller { term: self.term }));
        }
    }

    /// For so long brokers may still come back that were there before the run: until then their
    /// sessions, which go back to before it, would not have expired.
    fn grace(&self, now: Time, incarnation: u32) -> Span {
        let until = Time::ZERO + self.config.settings.zookeeper_session;
        if incarnation == 0 && now < until { until.since(now) } else { Span::ZERO }
    }

    /// Its timer has fired.
    pub fn timer(&mut self, term: u32, wire: &mut Wire, ctx: &mut Context<'_, Message>) {
        if term != self.term {
            return;
        }
        if self.phase == Phase::Counting && self.reading.is_none() {
            self.read_brokers(wire, ctx);
        }
        self.proceed(wire, ctx);
    }

    pub(super) fn read_brokers(&mut self, wire: &mut Wire, ctx: &mut Context<'_, Message>) {
        self.reading = Some(Reading::Brokers { awaited: 0, found: Vec::new() });
        let children = Op::GetChildren { path: Path::from(BROKERS), watch: true };
        wire.ask(children, self.purpose(Step::Brokers), ctx);
    }

    pub(super) fn brokers_read(
        &mut self,
        result: Result,
        wire: &mut Wire,
        ctx: &mut Context<'_, Message>,
    ) {
        let names = match result {
            Ok(Answer::Children(names, _)) => names,
            _ => Vec::new(),
        };
        let brokers: Vec<NodeId> = names.iter().filter_map(|name| broker_of(name)).collect();
        let Some(Reading::Brokers { awaited, .. }) = &mut self.reading else { return };
        *awaited = brokers.len();
        if brokers.is_empty() {
            return self.brokers_known(Vec::new(), ctx);
        }
        for broker in brokers {
            wire.ask(read(broker_path(broker), false), self.purpose(Step::Broker(broker)), ctx);
        }
    }

    pub(super) fn broker_read(
        &mut self,
        broker: NodeId,
        result: Result,
        _wire: &mut Wire,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(Reading::Brokers { awaited, found }) = &mut self.reading else { return };
        *awaited = awaited.saturating_sub(1);
        if let Ok(Answer::Data(_, stat)) = result {
            found.push((broker, stat.czxid.0));
        }
        if *awaited == 0 {
            let found = std::mem::take(found);
            self.brokers_known(found, ctx);
        }
    }

    fn brokers_known(&mut self, found: Vec<(NodeId, u64)>, ctx: &mut Context<'_, Message>) {
        self.reading = None;
        if self.phase == Phase::Active {
            return self.brokers_changed(&found, ctx);
        }
        let missing = found.len() < self.config.brokers as usize;
        if missing && !self.grace(ctx.now(), ctx.incarnation()).is_zero() {
            return;
        }
        for (broker, epoch) in found {
            self.live[broker.index()] = Some(epoch);
        }
        self.phase = Phase::Loading;
        self.jobs.push_back(Job::new(Aim::Load, self.config.all_partitions().collect()));
    }

    /// All partitions are known: it decides from now on (`onControllerFailover`).
    pub(super) fn loaded(&mut self, ctx: &mut Context<'_, Message>) {
        self.phase = Phase::Active;
        let brokers = self.brokers();
        for broker in brokers.live.iter() {
            self.channels.add(broker);
        }
        self.send_metadata(ctx);
        for broker in brokers.live.iter() {
            let all = self.config.clone();
            self.send_states(broker, all.all_partitions(), ctx);
        }
        self.elect_for_offline(false);
        let dead = self.config.everyone().minus(brokers.live);
        if self.config.has(Rule::ShrinkAtFailover) && !dead.is_empty() {
            self.remove_from_isrs(dead);
        }
        self.events.push_back(Event::Brokers);
        self.events.push_back(Event::Notes);
        if self.config.settings.rebalance_leaders {
            self.plan_rebalance(FIRST_REBALANCE, ctx);
        }
    }

    pub(super) fn plan_rebalance(&mut self, wait: Span, ctx: &mut Context<'_, Message>) {
        let lane = ctx.lane();
        let timer = Message::Timer(Timer::PreferredLeaders { term: self.term });
        self.rebalance = Some(ctx.after(wait, lane, timer));
    }

    /// Partitions whose leaders do not live get others, if there are candidates
    /// (`triggerOnlinePartitionStateChange`).
    pub(super) fn elect_for_offline(&mut self, announce: bool) {
        let brokers = self.brokers();
        let offline = |p: &_| self.state(*p).is_some_and(|state| !brokers.has_leader_of(&state));
        let partitions: Vec<_> = self.config.all_partitions().filter(offline).collect();
        if !partitions.is_empty() {
            self.jobs.push_back(Job::new(Aim::Change(Why::Offline), partitions));
        } else if announce {
            self.jobs.push_back(Job::new(Aim::Announce, Vec::new()));
        }
    }

    /// Brokers leave the ISRs that they are in (`handleStateChanges(.., OfflineReplica)`).
    pub(super) fn remove_from_isrs(&mut self, gone: NodeSet) {
        let has = |p: &_| self.config.replicas(*p).iter().any(|node| gone.has(*node));
        let partitions: Vec<_> = self.config.all_partitions().filter(has).collect();
        if !partitions.is_empty() {
            self.jobs.push_back(Job::new(Aim::Change(Why::Left(gone)), partitions));
        }
    }

    /// It is the controller no more (`onControllerResignation`).
    pub fn resign(&mut self, ctx: &mut Context<'_, Message>) {
        if self.phase == Phase::Idle {
            return;
        }
        let lost = self.events.drain(..).filter_map(Event::asker);
        let under_way = self.jobs.drain(..).filter_map(|job| job.asker());
        let refused: Vec<_> = lost.chain(under_way).collect();
        for (asker, mut response) in refused {
            response.refuse(Error::NotController);
            self.answers.push((asker, response));
        }
        if let Some(timer) = self.rebalance.take() {
            ctx.cancel(timer);
        }
        self.channels.clear(ctx);
        let answers = std::mem::take(&mut self.answers);
        self.forget();
        self.answers = answers;
    }

    /// The answer to a request that came to a broker that is not the controller.
    pub(super) fn refuse(&mut self, asker: super::Asker, mut response: Response) {
        response.refuse(Error::NotController);
        self.answers.push((asker, response));
    }
}
