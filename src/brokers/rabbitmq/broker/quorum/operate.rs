//! What operators do to the members of quorum queues: maintenance (rabbit_maintenance.erl v3.10) and
//! leaders that are moved (rabbit_amqqueue.erl v3.10: `iterative_rebalance`; ra_server.erl v3.1:
//! `transfer_leadership`).

use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{Context, Lane};

use super::super::super::message::ra::RaMessage;
use super::super::super::message::{Message, QueueId};
use super::super::super::words::event;
use super::super::{AMQP, Broker, Node, Process};
use super::member::Member;

/// How long a leader waits for another one to take its office (ra_server_proc.erl:
/// `?DEFAULT_AWAIT_CONDITION_TIMEOUT`).
const AWAIT_CONDITION: Span = Span::from_secs(30);

impl Broker {
    /// `do_drain`: no client stays, and no member of a quorum queue works here. A member is stopped in
    /// order, so that another one is elected at once.
    pub(crate) fn drain(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.unlisten(AMQP);
        let (now, event) = (ctx.now(), self.node.own_event(event::MAINTENANCE, None));
        ctx.observer().event(now, event);
        // "Node was put into maintenance mode".
        self.close_connections(ctx);
        for (index, process) in self.processes.iter().enumerate() {
            if let Some(Process::Member(member)) = process {
                let lane = Lane(self.first_lane + index as u32);
                ctx.tell(lane, Message::Ra(member.queue(), RaMessage::Shutdown));
            }
        }
    }

    /// `do_revive`: members that do not run start, then clients are taken again.
    pub(crate) fn revive(&mut self, ctx: &mut Context<'_, Message>) {
        for queue in self.node.quorum_queues_here() {
            if self.node.members[queue.0 as usize].is_none() {
                self.start_member(ctx, queue, None);
            }
        }
        ctx.listen(AMQP);
    }

    /// `iterative_rebalance`: while a node leads more queues than its share, the queue with the fewest
    /// messages is to be led from the member's node that leads the fewest. What leads what is what
    /// this node has heard; how much is in a queue it does not know, and takes the first.
    pub(crate) fn rebalance(&mut self, ctx: &mut Context<'_, Message>) {
        let config = self.node.config.clone();
        let queues = (0..config.queues.len() as u32).map(QueueId);
        let queues: Vec<QueueId> =
            queues.filter(|queue| config.queue(*queue).is_quorum()).collect();
        let running: Vec<NodeId> =
            self.node.members().filter(|node| self.node.runs(*node)).collect();
        let most = queues.len().div_ceil(running.len().max(1));
        let mut leaders: Vec<NodeId> =
            queues.iter().map(|queue| self.node.known_leader(*queue)).collect();
        let leads = |leaders: &[NodeId], node: NodeId| {
            leaders.iter().filter(|leader| **leader == node).count()
        };
        for (place, queue) in queues.iter().enumerate() {
            let from = leaders[place];
            if leads(&leaders, from) <= most {
                continue;
            }
            let members = self.node.mnesia.tables.quorum[queue.0 as usize].iter().copied();
            let others = members.filter(|node| *node != from && running.contains(node));
            let Some(to) = others.min_by_key(|node| leads(&leaders, *node)) else { continue };
            if leads(&leaders, to) < leads(&leaders, from) {
                leaders[place] = to;
                self.node.send_member(ctx, *queue, from, RaMessage::Transfer { to }, 60);
            }
        }
    }
}

impl Member {
    /// The leader is to hand its office over: it asks that member to stand at once, and does not
    /// resist.
    pub(super) fn transfer(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, to: NodeId) {
        if self.server.transfer(to) {
            node.send_member(ctx, self.queue, to, RaMessage::Stand, 40);
            let over = Message::Ra(self.queue, RaMessage::TransferOver);
            ctx.after(AWAIT_CONDITION, ctx.lane(), over);
        }
    }

    /// Nobody has taken the office: it leads on.
    pub(super) fn transfer_over(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if self.server.yields() {
            self.server.leads_on();
            for request in std::mem::take(&mut self.calls) {
                self.append_one(node, ctx, request.command, request.reply);
            }
            self.flush(node, ctx);
        }
    }
}
