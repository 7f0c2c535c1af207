//! What happens to a controller: brokers come and go, leaders leave notes, brokers ask for
//! something (KafkaController.scala: `processBrokerChange`, `processIsrChangeNotification`,
//! `processControlledShutdown`, `processAlterPartition`).

use crate::brokers::coordination::zookeeper::{Answer, Op, Path, WatchKind};
use crate::brokers::kafka::PartitionId;
use crate::observe::NodeId;
use crate::world::Context;

use super::super::super::message::{Error, Message, Request, Response};
use super::super::super::nodes::NodeSet;
use super::super::super::rules::Rule;
use super::super::super::state::{PartitionChange, PartitionState, Znode};
use super::super::super::words::event;
use super::super::super::zookeeper::{BROKERS, NOTES, Purpose, Result, Step, Wire, read};
use super::decide::{Why, imbalanced};
use super::jobs::{Aim, Job};
use super::{Asker, Phase, ZooKeeperController};

/// Something that happens.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// Brokers have come or gone.
    Brokers,
    /// Leaders have left notes.
    Notes,
    /// Preferred replicas are looked at.
    Preferred,
    /// A broker is about to stop.
    Shutdown(Asker, NodeId, u64),
    /// A leader wants another ISR.
    Alter(Asker, NodeId, u64, PartitionId, Box<PartitionChange>),
}

impl Event {
    /// Who waits for it, and what the answer is like.
    pub(super) fn asker(self) -> Option<(Asker, Response)> {
        match self {
            Event::Brokers | Event::Notes | Event::Preferred => None,
            Event::Shutdown(asker, ..) => {
                Some((asker, Response::ControlledShutdown(Error::None, 0)))
            }
            Event::Alter(asker, _, _, partition, _) => {
                Some((asker, Response::AlterPartition(partition, Error::None, None)))
            }
        }
    }
}

/// What is being read of ZooKeeper beside partitions.
#[derive(Clone, Debug)]
pub(super) enum Reading {
    Brokers { awaited: usize, found: Vec<(NodeId, u64)> },
    Notes { awaited: usize, partitions: Vec<PartitionId> },
}

impl ZooKeeperController {
    /// A watch has fired.
    pub fn watched(
        &mut self,
        path: &Path,
        kind: WatchKind,
        wire: &mut Wire,
        ctx: &mut Context<'_, Message>,
    ) {
        if kind != WatchKind::ChildrenChanged {
            return;
        }
        match (&**path, self.phase) {
            (BROKERS, Phase::Counting) if self.reading.is_none() => self.read_brokers(wire, ctx),
            (BROKERS, Phase::Counting | Phase::Loading | Phase::Active) => {
                self.events.push_back(Event::Brokers);
            }
            (NOTES, Phase::Active) => self.events.push_back(Event::Notes),
            _ => {}
        }
        self.proceed(wire, ctx);
    }

    /// Preferred replicas are to be looked at.
    pub fn look_at_preferred(
        &mut self,
        term: u32,
        wire: &mut Wire,
        ctx: &mut Context<'_, Message>,
    ) {
        if self.phase == Phase::Active && term == self.term {
            self.events.push_back(Event::Preferred);
            self.plan_rebalance(self.config.settings.imbalance_check, ctx);
            self.proceed(wire, ctx);
        }
    }

    /// A request that is for the controller.
    pub fn request(&mut self, asker: Asker, request: Request) {
        let event = match request {
            Request::ControlledShutdown { broker, broker_epoch } => {
                Event::Shutdown(asker, broker, broker_epoch)
            }
            Request::AlterPartition { broker, broker_epoch, partition, change } => {
                Event::Alter(asker, broker, broker_epoch, partition, Box::new(change))
            }
            _ => return self.answers.push((asker, Response::Done(Error::InvalidRequest))),
        };
        if self.phase == Phase::Idle {
            if let Some((asker, response)) = event.asker() {
                self.refuse(asker, response);
            }
            return;
        }
        self.events.push_back(event);
    }

    pub(super) fn begin_event(
        &mut self,
        event: Event,
        wire: &mut Wire,
        ctx: &mut Context<'_, Message>,
    ) {
        match event {
            Event::Brokers => self.read_brokers(wire, ctx),
            Event::Notes => {
                self.reading = Some(Reading::Notes { awaited: 0, partitions: Vec::new() });
                let children = Op::GetChildren { path: Path::from(NOTES), watch: true };
                wire.ask(children, self.purpose(Step::Notes), ctx);
            }
            Event::Preferred => {
                let wanted = imbalanced(&self.config, &self.states, self.brokers());
                if !wanted.is_empty() {
                    self.jobs.push_back(Job::new(Aim::Change(Why::Preferred), wanted));
                }
            }
            Event::Shutdown(asker, broker, epoch) => self.shut_down(asker, broker, epoch),
            Event::Alter(asker, broker, epoch, partition, change) => {
                self.alter((asker, broker, epoch), partition, &change, ctx);
            }
        }
    }

    /// The brokers that live, as ZooKeeper has them now. One that has a new registration was gone
    /// in between, which could not be seen before 2.2 (KAFKA-7235).
    pub(super) fn brokers_changed(
        &mut self,
        found: &[(NodeId, u64)],
        ctx: &mut Context<'_, Message>,
    ) {
        let known = self.brokers().live;
        let now: NodeSet = found.iter().map(|(node, _)| *node).collect();
        let again = |(node, epoch): &&(NodeId, u64)| {
            known.has(*node) && self.live[node.index()].is_some_and(|before| *epoch > before)
        };
        let bounced: Vec<(NodeId, u64)> = if self.config.has(Rule::BrokerEpochs) {
            found.iter().filter(again).copied().collect()
        } else {
            Vec::new()
        };
        let new: Vec<_> = found.iter().filter(|(node, _)| !known.has(*node)).copied().collect();
        self.begin(&new, ctx);
        if !bounced.is_empty() {
            // "onBrokerFailure(bouncedBrokers)", and when that is done "onBrokerStartup": until
            // then they are not alive (KafkaController.scala 2.2, processBrokerChange).
            self.on_failure(bounced.iter().map(|(node, _)| *node).collect(), ctx);
            self.bounced = bounced;
            self.jobs.push_back(Job::new(Aim::Return, Vec::new()));
        }
        self.on_failure(known.minus(now), ctx);
    }

    /// What brokers that have registered again led and were members of has been seen to.
    pub(super) fn returned(&mut self, ctx: &mut Context<'_, Message>) {
        let bounced = std::mem::take(&mut self.bounced);
        self.begin(&bounced, ctx);
    }

    /// These are there from now on.
    fn begin(&mut self, brokers: &[(NodeId, u64)], ctx: &mut Context<'_, Message>) {
        for (broker, epoch) in brokers {
            self.live[broker.index()] = Some(*epoch);
            self.channels.add(*broker);
        }
        self.on_startup(brokers.iter().map(|(node, _)| *node).collect(), ctx);
    }

    /// `onBrokerStartup`.
    fn on_startup(&mut self, brokers: NodeSet, ctx: &mut Context<'_, Message>) {
        if brokers.is_empty() {
            return;
        }
        self.send_metadata(ctx);
        for broker in brokers.iter() {
            let config = self.config.clone();
            self.send_states(broker, config.all_partitions(), ctx);
        }
        self.elect_for_offline(false);
    }

    /// `onBrokerFailure`.
    fn on_failure(&mut self, brokers: NodeSet, ctx: &mut Context<'_, Message>) {
        if brokers.is_empty() {
            return;
        }
        self.shutting_down = self.shutting_down.minus(brokers);
        for broker in brokers.iter() {
            self.live[broker.index()] = None;
            self.channels.remove(broker, ctx);
        }
        self.elect_for_offline(true);
        self.remove_from_isrs(brokers);
    }

    pub(super) fn notes_read(
        &mut self,
        result: Result,
        wire: &mut Wire,
        ctx: &mut Context<'_, Message>,
    ) {
        let names = match result {
            Ok(Answer::Children(names, _)) => names,
            _ => Vec::new(),
        };
        let Some(Reading::Notes { awaited, .. }) = &mut self.reading else { return };
        *awaited = names.len();
        if names.is_empty() {
            self.reading = None;
        }
        for name in names {
            let path = Path::from(format!("{NOTES}/{name}"));
            wire.ask(read(path.clone(), false), self.purpose(Step::Note(path)), ctx);
        }
    }

    /// A note is read, and deleted (`processIsrChangeNotification`).
    pub(super) fn note_read(
        &mut self,
        path: &Path,
        result: Result,
        wire: &mut Wire,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(Reading::Notes { awaited, partitions }) = &mut self.reading else { return };
        *awaited = awaited.saturating_sub(1);
        if let Ok(Answer::Data(Some(Znode::IsrChange(changed)), _)) = result {
            partitions.extend(changed);
        }
        if *awaited == 0 {
            let mut partitions = std::mem::take(partitions);
            partitions.sort_unstable();
            partitions.dedup();
            self.reading = None;
            self.jobs.push_back(Job::new(Aim::Refresh, partitions));
        }
        wire.ask(Op::Delete { path: path.clone(), version: None }, Purpose::Forgotten, ctx);
    }

    /// A broker is about to stop: its leaderships move first (`doControlledShutdown`).
    fn shut_down(&mut self, asker: Asker, broker: NodeId, epoch: u64) {
        let answer = |error| Response::ControlledShutdown(error, 0);
        let Some(known) = self.live[broker.index()] else {
            return self.answers.push((asker, answer(Error::Unknown)));
        };
        if self.config.has(Rule::BrokerEpochs) && epoch < known {
            return self.answers.push((asker, answer(Error::StaleBrokerEpoch)));
        }
        self.shutting_down = self.shutting_down.with(broker);
        let (led, followed): (Vec<_>, Vec<_>) = self
            .config
            .all_partitions()
            .filter(|p| {
                let replicas = self.config.replicas(*p);
                replicas.len() > 1 && replicas.contains(&broker)
            })
            .partition(|p| self.state(*p).is_some_and(|state| state.leader == Some(broker)));
        self.jobs.push_back(Job::new(Aim::Change(Why::Shutdown), led));
        self.jobs.push_back(Job::new(Aim::Stop(broker), followed.clone()));
        self.jobs.push_back(Job::new(Aim::Change(Why::Left(NodeSet::only(broker))), followed));
        self.jobs.push_back(Job::new(Aim::Answer(asker, broker), Vec::new()));
    }

    /// A leader wants another ISR (KafkaController.scala 2.7 and 3.9, `processAlterPartition`).
    fn alter(
        &mut self,
        (asker, broker, epoch): (Asker, NodeId, u64),
        partition: PartitionId,
        change: &PartitionChange,
        ctx: &mut Context<'_, Message>,
    ) {
        let answer = |error, state| Response::AlterPartition(partition, error, state);
        let stale = self.live[broker.index()].is_none_or(|known| epoch < known);
        let Some(state) = self.state(partition).filter(|_| !stale) else {
            return self.answers.push((asker, answer(Error::StaleBrokerEpoch, None)));
        };
        // What is so already is answered with what is (`equalsAllowStalePartitionEpoch`).
        let done = change.leader_epoch == state.leader_epoch
            && change.isr == state.isr
            && state.leader == Some(broker)
            && change.partition_epoch <= state.partition_epoch;
        if done {
            return self.answers.push((asker, answer(Error::None, Some(state))));
        }
        let error = self.alter_error(&state, change);
        if error != Error::None {
            self.told(ctx, event::ISR_CHANGE_REFUSED, Some(partition), Some(broker), 0);
            return self.answers.push((asker, answer(error, None)));
        }
        self.jobs.push_back(Job::new(Aim::Alter(asker, change.isr), vec![partition]));
    }

    fn alter_error(&self, state: &PartitionState, change: &PartitionChange) -> Error {
        let eligible = self.brokers().eligible();
        if change.leader_epoch > state.leader_epoch {
            Error::NotController
        } else if change.leader_epoch < state.leader_epoch {
            Error::FencedLeaderEpoch
        } else if change.partition_epoch < state.partition_epoch {
            Error::InvalidUpdateVersion
        } else if self.config.has(Rule::JoinIfEligible) && !change.isr.is_within(eligible) {
            Error::IneligibleReplica
        } else {
            Error::None
        }
    }
}
