//! How a leader changes an ISR: it writes the partition's znode itself (ReplicationUtils.scala
//! 0.8.2.2, `updateLeaderAndIsr`; ZkPartitionStateStore 2.6), or asks the controller from 2.7 on
//! (AlterIsrManager.scala; KIP-497).

use crate::brokers::coordination::zookeeper::{Answer, Error as ZkError, Mode, Op, Path};
use crate::brokers::kafka::PartitionId;
use crate::engine::Span;
use crate::world::Context;

use super::super::super::super::message::{Error, Message, Request, Response, Timer};
use super::super::super::super::rules::Rule;
use super::super::super::super::state::{PartitionChange, PartitionState, Znode};
use super::super::super::super::words::event;
use super::super::super::super::zookeeper::{
    NOTE, Purpose, Result, partition_of, partition_path, read, write_partition,
};
use super::super::super::Broker;

/// Notes for the controller are thought of this often (ReplicaManager.scala 0.9.0.1,
/// `isr-change-propagation`).
pub(super) const PROPAGATION: Span = Span::from_millis(2_500);
/// A note is left when no ISR has changed for this long, or
const QUIET: Span = Span::from_secs(5);
/// when this has passed since the last one (`IsrChangePropagationInterval`).
const LONGEST: Span = Span::from_secs(60);
/// A broker without a controller looks for one again after this
/// (BrokerToControllerChannelManager.scala 2.7).
const BACKOFF: Span = Span::from_millis(100);

impl Broker {
    pub(in super::super) fn zk_propose(
        &mut self,
        partition: PartitionId,
        change: PartitionChange,
        ctx: &mut Context<'_, Message>,
    ) {
        if self.config.has(Rule::IsrThroughController) {
            let member = self.zk();
            member.waiting.push((partition, change));
            if let Some(lane) = member.lane {
                ctx.tell(lane, Message::Timer(Timer::Sender));
            }
            return;
        }
        let Some(state) = self.replica(partition).and_then(|replica| replica.state) else { return };
        let version = change.partition_epoch;
        let wanted = PartitionState { isr: change.isr, partition_epoch: version + 1, ..state };
        let epoch = self.controller_epoch;
        let op = write_partition(&self.config, partition, wanted, epoch, version);
        let purpose = Purpose::Isr(partition, Box::new(wanted));
        if !self.zk().wire.ask(op.clone(), purpose.clone(), ctx) {
            if self.config.has(Rule::PipelineZooKeeper) {
                self.isr_write_failed(partition, ctx);
            } else {
                self.zk().again.push((purpose, op));
            }
        }
    }

    pub(super) fn isr_write_failed(
        &mut self,
        partition: PartitionId,
        ctx: &mut Context<'_, Message>,
    ) {
        self.isr_decided(partition, Error::Unknown, None, ctx);
    }

    pub(super) fn isr_written(
        &mut self,
        partition: PartitionId,
        mut state: Box<PartitionState>,
        result: &Result,
        ctx: &mut Context<'_, Message>,
    ) {
        match result {
            Ok(Answer::Stat(stat)) => {
                state.partition_epoch = stat.version;
                self.isr_is_written(partition, *state, ctx);
            }
            // It may have been done by a request whose answer was lost
            // (ReplicationUtils.scala 0.8.2.2, `checkLeaderAndIsrZkData`).
            Err(ZkError::BadVersion) => {
                let path = partition_path(&self.config, partition);
                let purpose = Purpose::IsrCheck(partition, state);
                self.zk().wire.ask(read(path, false), purpose, ctx);
            }
            _ => self.isr_write_failed(partition, ctx),
        }
    }

    pub(super) fn isr_checked(
        &mut self,
        partition: PartitionId,
        wanted: &PartitionState,
        result: Result,
        ctx: &mut Context<'_, Message>,
    ) {
        let found = match result {
            Ok(Answer::Data(data, stat)) => partition_of(data, stat),
            _ => None,
        };
        let Some((found, _)) = found else { return self.isr_write_failed(partition, ctx) };
        let same = (found.leader, found.leader_epoch, found.isr)
            == (wanted.leader, wanted.leader_epoch, wanted.isr);
        if same {
            return self.isr_is_written(partition, found, ctx);
        }
        let now = ctx.now();
        let what = (partition, wanted.partition_epoch);
        if !self.zk().refused.contains(&what) {
            self.zk().refused.retain(|(other, _)| *other != partition);
            self.zk().refused.push(what);
            self.report_event(ctx, now, event::ISR_CHANGE_REFUSED, Some(partition), None, 0);
        }
        self.isr_decided(partition, Error::InvalidUpdateVersion, None, ctx);
    }

    fn isr_is_written(
        &mut self,
        partition: PartitionId,
        state: PartitionState,
        ctx: &mut Context<'_, Message>,
    ) {
        let now = ctx.now();
        let notes = self.config.has(Rule::IsrChangeNotification);
        let member = self.zk();
        if notes {
            if !member.changed.contains(&partition) {
                member.changed.push(partition);
            }
            member.last_change = now;
        }
        self.isr_decided(partition, Error::None, Some(state), ctx);
    }

    /// `maybePropagateIsrChanges`.
    pub(super) fn propagate_isr_changes(&mut self, ctx: &mut Context<'_, Message>) {
        let (now, lane) = (ctx.now(), ctx.lane());
        ctx.after(PROPAGATION, lane, Message::Timer(Timer::IsrPropagation));
        let member = self.zk();
        let quiet = now.since(member.last_change) > QUIET;
        if member.changed.is_empty() || !(quiet || now.since(member.last_note) > LONGEST) {
            return;
        }
        member.last_note = now;
        let partitions = std::mem::take(&mut member.changed);
        let note = Op::Create {
            path: Path::from(NOTE),
            data: Some(Znode::IsrChange(partitions)),
            mode: Mode::PERSISTENT_SEQUENTIAL,
        };
        member.wire.ask(note, Purpose::Note, ctx);
    }

    /// Sends what waits to the controller that the broker has been told of.
    pub(super) fn send_isr_changes(&mut self, ctx: &mut Context<'_, Message>) {
        let (me, controller) = (self.me, self.view.controller);
        let config = self.config.clone();
        let timeout = config.settings.controller_timeout;
        let member = self.zk();
        if member.waiting.is_empty() {
            return;
        }
        if !member.alter.is_open() {
            if member.alter.is_closed() {
                match controller {
                    Some(controller) => {
                        member.alter.aim(controller);
                        member.alter.open_in_time(&config, Some(timeout), ctx);
                    }
                    None => {
                        let lane = ctx.lane();
                        ctx.after(BACKOFF, lane, Message::Timer(Timer::Sender));
                    }
                }
            }
            return;
        }
        let broker_epoch = member.broker_epoch;
        for (partition, change) in std::mem::take(&mut member.waiting) {
            let request = Request::AlterPartition { broker: me, broker_epoch, partition, change };
            let id = member.alter.send(ctx, request, timeout);
            member.changes.push((id, partition));
        }
    }

    /// The connection to the controller is gone; leaders ask again.
    pub(super) fn isr_link_lost(&mut self, ctx: &mut Context<'_, Message>) {
        let member = self.zk();
        let sent = std::mem::take(&mut member.changes).into_iter().map(|(_, partition)| partition);
        let waiting =
            std::mem::take(&mut member.waiting).into_iter().map(|(partition, _)| partition);
        let lost: Vec<_> = sent.chain(waiting).collect();
        for partition in lost {
            self.isr_write_failed(partition, ctx);
        }
    }

    pub(super) fn isr_change_answered(
        &mut self,
        id: u32,
        response: Response,
        ctx: &mut Context<'_, Message>,
    ) {
        let Response::AlterPartition(partition, error, state) = response else { return };
        self.zk().changes.retain(|(number, _)| *number != id);
        self.isr_decided(partition, error, state, ctx);
        if error == Error::NotController {
            self.zk().alter.close(ctx);
            self.isr_link_lost(ctx);
        }
    }
}
