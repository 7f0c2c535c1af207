//! A member that is down is forgotten (rabbit_mnesia.erl v3.10: `forget_cluster_node`;
//! rabbit_amqqueue.erl: `forget_all_durable`).

use crate::observe::{ActionId, NodeId};
use crate::world::action::Answer;
use crate::world::{Context, Lane};

use super::super::super::message::mnesia::TableOp;
use super::super::super::message::node::NodeMessage;
use super::super::super::message::{Message, QueueId};
use super::super::super::mirroring::without;
use super::super::super::words::event;
use super::super::{Broker, Node};
use super::mnesia::Tables;

/// Who leads the queues that a node led, once it is forgotten: of their recoverable mirrors the
/// oldest one on a node that `may`; the queue is gone if there is none (`forget_node_for_queue`).
fn heirs(
    tables: &Tables,
    forgotten: NodeId,
    may: &dyn Fn(NodeId) -> bool,
) -> Vec<(QueueId, Option<NodeId>)> {
    let queues = (0..).map(QueueId).zip(&tables.durable);
    let led = queues.filter(|(_, leader)| leader.is_some_and(|pid| pid.node == forgotten));
    let heir = |queue: QueueId| {
        let mut mirrors = tables.recoverable[queue.0 as usize].iter().copied();
        mirrors.find(|node| *node != forgotten && may(*node))
    };
    led.map(|(queue, _)| (queue, heir(queue))).collect()
}

impl Broker {
    /// `remove_node_if_mnesia_running`, on a node that runs.
    pub(crate) fn forget(
        &mut self,
        ctx: &mut Context<'_, Message>,
        forgotten: NodeId,
        action: ActionId,
    ) {
        let node = &self.node;
        let answer = node.may_forget(forgotten);
        if answer.is_ok() {
            let is_member = |member: NodeId| node.members().any(|other| other == member);
            let down = |member: NodeId| is_member(member) && !node.runs(member);
            let queues = heirs(&node.mnesia.tables, forgotten, &down);
            let event = node.own_event(event::NODE_FORGOTTEN, Some(forgotten));
            let now = ctx.now();
            ctx.observer().event(now, event);
            self.commit(ctx, TableOp::Forget { node: forgotten, queues });
        }
        let node = forgotten;
        self.node.then_here(Lane::MAIN, NodeMessage::Forgotten { node, action, answer });
    }

    /// `remove_node_offline_node`, for a node that is down: it takes the place of the one that went
    /// down last, and waits for nobody when it starts.
    ///
    /// # Errors
    /// Others run, or the node is no member.
    pub(crate) fn forget_offline(
        &mut self,
        forgotten: NodeId,
        up: &dyn Fn(NodeId) -> bool,
    ) -> Answer {
        let Node { config, disk, me, .. } = &mut self.node;
        if forgotten == *me || disk.forgotten.contains(&forgotten) {
            return Err("not_a_cluster_node");
        }
        if config.members.iter().any(|member| *member != forgotten && up(*member)) {
            return Err("removing_node_from_offline_node");
        }
        let mut tables = Tables::new(config.queues.len());
        tables.durable.clone_from(&disk.durable);
        tables.recoverable.clone_from(&disk.recoverable);
        let may = |member: NodeId| !disk.forgotten.contains(&member);
        let queues = heirs(&tables, forgotten, &may);
        tables.apply(&TableOp::Forget { node: forgotten, queues });
        disk.durable = tables.durable;
        disk.forgotten.push(forgotten);
        disk.saw_running.retain(|member| *member != forgotten);
        disk.force_load = true;
        Ok(())
    }

    /// `force_load_next_boot`.
    pub(crate) fn force_next_boot(&mut self) {
        self.node.disk.force_load = true;
    }
}

impl Node {
    /// Whether a member can be forgotten.
    pub(crate) fn may_forget(&self, forgotten: NodeId) -> Answer {
        if self.members().all(|member| member != forgotten) {
            return Err("not_a_cluster_node");
        }
        match self.runs(forgotten) {
            true => Err("RabbitMQ on the node must be stopped before it can be removed"),
            false => Ok(()),
        }
    }

    /// rabbit_mirror_queue_misc.erl `update_recoverable`: nodes with mirrors are added, those that
    /// run without one are removed, and those that are down stay.
    pub(crate) fn update_recoverable(&mut self, op: &TableOp) {
        let queue = match op {
            TableOp::ReplicasWithout { queue, .. }
            | TableOp::AddMirror { queue, .. }
            | TableOp::MirrorsStopped { queue } => *queue,
            _ => return,
        };
        let record = self.mnesia.tables.queue(queue);
        let mirrors: Vec<NodeId> = record
            .map_or(Vec::new(), |record| record.mirrors.iter().map(|mirror| mirror.node).collect());
        let mut running = self.running_peers();
        running.push(self.me);
        let gone = without(&running, &mirrors);
        let recoverable = &mut self.mnesia.tables.recoverable[queue.0 as usize];
        let mut kept = without(recoverable, &gone);
        kept.extend(without(&mirrors, recoverable));
        *recoverable = kept;
    }
}
