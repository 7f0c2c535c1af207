//! A queue's policy changes: it gets mirrors, loses them, gets others, or has other limits
//! (rabbit_amqqueue_process.erl v3.10: `update_mirroring`, `process_args_policy`).

use crate::observe::NodeId;
use crate::world::{Context, Lane};

use super::super::super::message::mnesia::Member;
use super::super::super::message::node::NodeMessage;
use super::super::super::message::queue::QueueMessage;
use super::super::super::message::{DownReason, Message, Pid};
use super::super::super::mirroring::{Mirroring, without};
use super::super::cluster::mnesia::Purpose;
use super::super::ring::gm::Group;
use super::super::{Node, Process};
use super::replica::{Leader, Leading, Part, Replica};

impl Leading {
    /// Whether the process does nothing but wait until its queue has a ring, or has none any more.
    pub(super) fn changes_mirroring(&self) -> bool {
        self.makes_ring || self.stopping.as_ref().is_some_and(|stopping| stopping.goes_on)
    }
}

impl Leader<'_> {
    /// Another policy applies to the queue.
    pub(super) fn policy_changed(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let mirroring = node.mirroring(self.base.queue).cloned();
        match (self.base.group.is_some(), mirroring) {
            (false, None) => {}
            (false, Some(_)) => self.start_mirroring(node, ctx),
            (true, None) => self.stop_all_mirrors(node, ctx, true),
            (true, Some(mirroring)) => self.update_mirrors(node, ctx, &mirroring),
        }
        self.begin_to_lead(node, ctx);
    }

    /// rabbit_mirror_queue_master.erl `init_with_existing_bq`: a ring, with this replica in it.
    fn start_mirroring(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let (queue, replica) = (self.base.queue, self.base.me);
        let lane = node.start(ctx);
        let gm = Pid { node: replica.node, lane };
        let group = Group::new(queue, gm, replica.lane, true);
        node.spawned.push((lane, Process::Group(Box::new(group))));
        self.base.group = Some(gm);
        self.leading.makes_ring = true;
        node.transaction(ctx, Purpose::RingMade { queue, member: Member { gm, replica } });
    }

    /// The ring is there: mirrors may join it.
    pub(super) fn ring_made(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        self.leading.makes_ring = false;
        let mirroring = node.mirroring(self.base.queue).cloned();
        if let Some(mirroring) = mirroring {
            self.update_mirrors(node, ctx, &mirroring);
        }
    }

    /// rabbit_mirror_queue_misc.erl `update_mirrors`: mirrors that are missing start, those that are
    /// too many go, the leader among them if the policy wants it elsewhere; then they are
    /// synchronised, if that is to be.
    fn update_mirrors(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        mirroring: &Mirroring,
    ) {
        let queue = self.base.queue;
        let Some(record) = node.mnesia.tables.queue(queue) else { return };
        let nodes = |pids: &[Pid]| pids.iter().map(|pid| pid.node).collect::<Vec<NodeId>>();
        let (leader, mirrors) = (record.leader, record.mirrors.clone());
        let (old, synchronised) = (nodes(&mirrors), nodes(&record.synchronised));
        let running = node.running_nodes();
        let (first, rest) =
            mirroring.suggested(leader.node, &old, &synchronised, &running, ctx.random());
        let wanted: Vec<NodeId> = std::iter::once(first).chain(rest).collect();
        let had: Vec<NodeId> = std::iter::once(leader.node).chain(old).collect();
        for added in without(&wanted, &had) {
            let main = Pid { node: added, lane: Lane::MAIN };
            node.send(ctx, main, NodeMessage::StartMirror { queue }, 200);
        }
        for replica in std::iter::once(leader).chain(mirrors) {
            // `drop_mirror`: "cannot_drop_only_mirror".
            if !wanted.contains(&replica.node) && (replica != leader || had.len() > 1) {
                node.send(ctx, replica, QueueMessage::DropReplica, 60);
            }
        }
        if mirroring.automatic_sync {
            self.start_sync(node, ctx, None);
        }
    }

    /// All mirrors have stopped, and the queue goes on without a ring.
    pub(super) fn is_alone(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        self.leading.stopping = None;
        if let Some(gm) = self.base.group.take() {
            node.end_process(gm.lane, DownReason::Shutdown);
        }
        // Another policy may have come meanwhile.
        if node.mirroring(self.base.queue).is_some() {
            self.start_mirroring(node, ctx);
        }
    }
}

impl Replica {
    /// Whether it has had its mirrors stopped so as to go on alone.
    pub(super) fn goes_on_alone(&self) -> bool {
        match &self.part {
            Part::Leader(leading) => leading.stopping.as_ref().is_some_and(|s| s.goes_on),
            Part::Mirror(_) => false,
        }
    }
}
