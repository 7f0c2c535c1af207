//! Reading and writing partitions, a few at a time since 1.1, one by one before
//! (PartitionStateMachine.scala, ReplicaStateMachine.scala: `handleStateChanges`; KafkaZkClient).
//!
//! The brokers are told when all of a job is done (ControllerBrokerRequestBatch).

use std::collections::VecDeque;

use crate::brokers::coordination::zookeeper::{Answer, Error as ZkError, Op, Path, Stat};
use crate::brokers::kafka::PartitionId;
use crate::engine::Time;
use crate::observe::NodeId;
use crate::world::Context;

use super::super::super::message::{Error, Message, Request, Response, Timer};
use super::super::super::nodes::NodeSet;
use super::super::super::rules::Rule;
use super::super::super::state::PartitionState;
use super::super::super::words::event;
use super::super::super::zookeeper::{
    CONTROLLER_EPOCH, Result, Step, Wire, partition_of, partition_path, read, write_partition,
};
use super::decide::{Why, decide};
use super::{Asker, Phase, ZooKeeperController};

/// `zookeeper.max.in.flight.requests` (KafkaConfig.scala 1.1).
const IN_FLIGHT: usize = 10;

/// What is done with partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// They are read, at the start of a term.
    Load,
    /// They are read, since their leaders have changed them.
    Refresh,
    /// They may have to change.
    Change(Why),
    /// The leader wants another ISR.
    Alter(Asker, NodeSet),
    /// A broker that is about to stop does not follow them any more.
    Stop(NodeId),
    /// A broker may stop, if it leads nothing.
    Answer(Asker, NodeId),
    /// All are told who lives.
    Announce,
    /// Brokers that were gone for a moment are back.
    Return,
}

/// Work on partitions.
#[derive(Clone, Debug)]
pub(super) struct Job {
    aim: Aim,
    left: VecDeque<PartitionId>,
    /// How many are being read or written.
    busy: usize,
    /// Those of which brokers have to be told.
    batch: Vec<PartitionId>,
    /// When the last one was asked for, and when the next one may be.
    asked: Time,
    pause: Time,
}

impl Job {
    pub(super) fn new(aim: Aim, partitions: Vec<PartitionId>) -> Job {
        Job {
            aim,
            left: partitions.into(),
            busy: 0,
            batch: Vec::new(),
            asked: Time::ZERO,
            pause: Time::ZERO,
        }
    }

    /// Who waits for it, and what the answer is like.
    pub(super) fn asker(&self) -> Option<(Asker, Response)> {
        match self.aim {
            Aim::Alter(asker, _) => {
                let partition = self.left.front().or(self.batch.first());
                let partition = partition.copied().unwrap_or(PartitionId(0));
                Some((asker, Response::AlterPartition(partition, Error::None, None)))
            }
            Aim::Answer(asker, _) => Some((asker, Response::ControlledShutdown(Error::None, 0))),
            _ => None,
        }
    }
}

/// Why a write was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// The partition has changed.
    Version,
    /// There is another controller.
    Controller,
    Other,
}

/// What came of a write, which may have been one of two operations.
fn written(result: Result) -> std::result::Result<Stat, Refused> {
    match result {
        Ok(Answer::Stat(stat)) => Ok(stat),
        Ok(Answer::Multi(outcomes)) => match &outcomes[..] {
            [Ok(_), Ok(Answer::Stat(stat))] => Ok(*stat),
            [_, Err(ZkError::BadVersion)] => Err(Refused::Version),
            [Err(ZkError::BadVersion), _] => Err(Refused::Controller),
            _ => Err(Refused::Other),
        },
        Err(ZkError::BadVersion) => Err(Refused::Version),
        _ => Err(Refused::Other),
    }
}

impl ZooKeeperController {
    /// Goes on with the first job. Whether it is done, or something else can go on.
    pub(super) fn pump_job(&mut self, wire: &mut Wire, ctx: &mut Context<'_, Message>) -> bool {
        let most = if self.config.has(Rule::PipelineZooKeeper) { IN_FLIGHT } else { 1 };
        loop {
            let now = ctx.now();
            let Some(job) = self.jobs.front_mut() else { return false };
            if matches!(job.aim, Aim::Stop(_)) {
                job.batch = job.left.drain(..).collect();
            }
            if job.busy >= most {
                return false;
            }
            let pause = job.pause;
            if now < pause {
                // Again if it comes too early, by a clock that runs fast.
                let (timer, lane) = (Timer::Controller { term: self.term }, ctx.lane());
                ctx.after(pause.since(now), lane, Message::Timer(timer));
                return false;
            }
            let Some(job) = self.jobs.front_mut() else { return false };
            let Some(partition) = job.left.pop_front() else {
                if job.busy > 0 {
                    return false;
                }
                let job = self.jobs.pop_front().expect("it is there");
                self.finish(job, ctx);
                return true;
            };
            job.busy += 1;
            job.asked = now;
            if let Aim::Alter(_, isr) = job.aim {
                self.change(partition, self.state(partition), Why::Isr(isr), wire, ctx);
            } else {
                let path = partition_path(&self.config, partition);
                wire.ask(read(path, false), self.purpose(Step::Read(partition)), ctx);
            }
        }
    }

    fn one_less(&mut self) {
        if let Some(job) = self.jobs.front_mut() {
            job.busy = job.busy.saturating_sub(1);
        }
    }

    pub(super) fn partition_read(
        &mut self,
        partition: PartitionId,
        result: Result,
        wire: &mut Wire,
        ctx: &mut Context<'_, Message>,
    ) {
        let known = match result {
            Ok(Answer::Data(data, stat)) => partition_of(data, stat),
            _ => None,
        };
        let Some(aim) = self.jobs.front().map(|job| job.aim) else { return };
        let Some((state, epoch)) = known else { return self.one_less() };
        match aim {
            Aim::Load => {
                self.states[partition.index()] = Some(state);
                self.pause_loading(ctx);
                self.one_less();
            }
            // "Controller was elected by another broker": what it wrote is not touched
            // (PartitionStateMachine.scala 0.8.2.2, `electLeaderForPartition`).
            _ if epoch > self.epoch => self.one_less(),
            Aim::Change(why) => self.change(partition, Some(state), why, wire, ctx),
            _ => {
                self.take(partition, state);
                self.one_less();
            }
        }
    }

    /// Before 1.1 one partition is read after the other, which takes some time each.
    fn pause_loading(&mut self, ctx: &mut Context<'_, Message>) {
        if self.config.has(Rule::PipelineZooKeeper) {
            return;
        }
        let takes = self.config.costs.reload.clone().span(ctx.random());
        if let Some(job) = self.jobs.front_mut() {
            job.pause = job.asked + takes;
        }
    }

    /// What is written there is what holds: brokers are told if they may not know.
    fn take(&mut self, partition: PartitionId, state: PartitionState) {
        let before = self.states[partition.index()].replace(state);
        if before != Some(state)
            && let Some(job) = self.jobs.front_mut()
        {
            job.batch.push(partition);
        }
    }

    fn change(
        &mut self,
        partition: PartitionId,
        state: Option<PartitionState>,
        why: Why,
        wire: &mut Wire,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(state) = state else { return self.one_less() };
        ctx.spend(self.config.costs.elect);
        let decided = decide(&self.config, partition, &state, why, self.brokers());
        let Some((next, unclean)) = decided else {
            self.take(partition, state);
            return self.one_less();
        };
        let (epoch, version) = (self.epoch, state.partition_epoch);
        let write = write_partition(&self.config, partition, next, epoch, version);
        let op = if self.config.has(Rule::FenceControllerWrites) {
            let path = Path::from(CONTROLLER_EPOCH);
            Op::Multi(vec![Op::Check { path, version: self.epoch_version }, write])
        } else {
            write
        };
        wire.ask(op, self.purpose(Step::Write(partition, Box::new(next), unclean)), ctx);
    }

    pub(super) fn partition_written(
        &mut self,
        partition: PartitionId,
        (state, unclean): (PartitionState, bool),
        result: Result,
        wire: &mut Wire,
        ctx: &mut Context<'_, Message>,
    ) {
        let aim = self.jobs.front().map(|job| job.aim);
        match (written(result), aim) {
            (Ok(stat), _) => {
                let state = PartitionState { partition_epoch: stat.version, ..state };
                let before = self.state(partition);
                self.take(partition, state);
                self.tell_change(partition, before, &state, unclean, ctx);
                if let Some(Aim::Alter(asker, _)) = aim {
                    let answer = Response::AlterPartition(partition, Error::None, Some(state));
                    self.answers.push((asker, answer));
                }
                self.one_less();
            }
            (Err(Refused::Controller), _) => {
                self.moved = true;
                self.one_less();
            }
            (Err(error), Some(Aim::Alter(asker, _))) => {
                let error = match error {
                    Refused::Version => Error::InvalidUpdateVersion,
                    _ => Error::Unknown,
                };
                self.answers.push((asker, Response::AlterPartition(partition, error, None)));
                self.one_less();
            }
            // Its leader was faster: it is read again.
            (Err(Refused::Version), _) => {
                let path = partition_path(&self.config, partition);
                wire.ask(read(path, false), self.purpose(Step::Read(partition)), ctx);
            }
            (Err(Refused::Other), _) => self.one_less(),
        }
    }

    fn tell_change(
        &self,
        partition: PartitionId,
        before: Option<PartitionState>,
        after: &PartitionState,
        unclean: bool,
        ctx: &mut Context<'_, Message>,
    ) {
        let had_leader = before.is_some_and(|before| before.leader.is_some());
        if unclean {
            let count = u64::from(after.leader_epoch);
            self.told(ctx, event::UNCLEAN_ELECTION, Some(partition), after.leader, count);
        } else if after.leader.is_none() && had_leader {
            self.told(ctx, event::OFFLINE_PARTITION, Some(partition), None, 0);
        }
    }

    /// All of a job is done: the brokers are told.
    fn finish(&mut self, job: Job, ctx: &mut Context<'_, Message>) {
        match job.aim {
            Aim::Load if self.phase == Phase::Loading => return self.loaded(ctx),
            Aim::Load | Aim::Announce => return self.send_metadata(ctx),
            Aim::Answer(asker, broker) => return self.answer_shutdown(asker, broker),
            Aim::Return => return self.returned(ctx),
            Aim::Stop(broker) => {
                if !job.batch.is_empty() {
                    let (controller_epoch, partitions) = (self.epoch, job.batch);
                    let request = Request::StopReplica { controller_epoch, partitions };
                    self.channels.push(&self.config, broker, request, ctx);
                }
                return;
            }
            Aim::Refresh | Aim::Change(_) | Aim::Alter(..) => {}
        }
        if job.batch.is_empty() {
            return;
        }
        let brokers = self.brokers();
        let told = match job.aim {
            // Its leader has the answer, and the others need not know.
            Aim::Refresh | Aim::Alter(..) => NodeSet::EMPTY,
            Aim::Change(Why::Left(gone)) => brokers.live.minus(gone),
            Aim::Change(Why::Shutdown) => brokers.live,
            _ => brokers.eligible(),
        };
        for broker in told.iter() {
            self.send_states(broker, job.batch.iter().copied(), ctx);
        }
        self.send_metadata(ctx);
    }

    fn answer_shutdown(&mut self, asker: Asker, broker: NodeId) {
        let leads = |p: &PartitionId| {
            self.config.replicas(*p).len() > 1
                && self.state(*p).is_some_and(|state| state.leader == Some(broker))
        };
        let left = self.config.all_partitions().filter(leads).count() as u32;
        self.answers.push((asker, Response::ControlledShutdown(Error::None, left)));
    }
}
