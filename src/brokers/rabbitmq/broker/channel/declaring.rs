//! `queue.declare` (rabbit_channel.erl v3.10: `handle_method`; rabbit_amqqueue.erl: `with`,
//! `assert_equivalence`, `check_exclusive_access`, `declare`).

use crate::observe::NodeId;
use crate::world::{Context, Lane};

use super::super::super::config::Locator;
use super::super::super::message::amqp::{ChannelError, Declaration, FromServer};
use super::super::super::message::node::NodeMessage;
use super::super::super::message::queue::QueueCall;
use super::super::super::message::{Message, Pid, QueueId};
use super::super::super::rules::Rule;
use super::super::Node;
use super::calls::{Asking, Call, RETRIES, leader_and_owner};
use super::{Channel, METHOD_BYTES};

impl Channel {
    /// A client declares a queue. The record of a quorum queue says all that it asks for
    /// (rabbit_quorum_queue.erl: `stat` answers whatever the members do).
    pub(super) fn declare(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        declaration: Declaration,
    ) {
        if !node.config.queue(declaration.queue).is_quorum() {
            self.call_declare(node, ctx, declaration, RETRIES);
        } else if self.differs(node, declaration) {
            self.close(node, ctx, ChannelError::InequivalentArgument);
        } else {
            self.declare_ok(ctx, declaration.queue);
        }
    }

    /// A queue that exists is compared with what is declared, and its process asked how many messages
    /// it has; one that is known and whose home node is down cannot be had (404); what is not known
    /// is made, unless the client only asks whether it is there.
    pub(super) fn call_declare(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        declaration: Declaration,
        retries_left: u32,
    ) {
        let Declaration { queue, passive, exclusive, .. } = declaration;
        let what = Asking::Declare(declaration);
        let Some((leader, owner)) = leader_and_owner(node, queue) else {
            let known = node.mnesia.tables.durable[queue.0 as usize].is_some()
                && node.config.settings.rules.has(Rule::KeepAbsentQueues);
            if known || passive {
                // "home node ... of durable queue ... is down or inaccessible", or "no queue ...".
                self.call = None;
                return self.close(node, ctx, ChannelError::NotFound);
            }
            let home = Pid { node: node.place_for(ctx, declaration), lane: Lane::MAIN };
            self.call = Some(Call { queue, asked: Some(home), retries_left, what });
            let (channel, owner) = (self.me, exclusive.then_some(self.reader));
            if exclusive && !self.exclusive.contains(&queue) {
                self.exclusive.push(queue);
            }
            node.watch(ctx.lane(), home.node);
            node.send(ctx, home, NodeMessage::DeclareQueue { queue, channel, owner }, 200);
            return;
        };
        let error = match passive {
            // `check_exclusive_access`, strict: the owner must be the same, be it nobody.
            false if self.locks(node) && owner != exclusive.then_some(self.reader) => {
                Some(ChannelError::ResourceLocked)
            }
            false if self.differs(node, declaration) => Some(ChannelError::InequivalentArgument),
            _ => None,
        };
        if let Some(error) = error {
            self.call = None;
            return self.close(node, ctx, error);
        }
        self.call = Some(Call { queue, asked: Some(leader), retries_left, what });
        node.monitor(ctx, ctx.lane(), leader);
        node.send(ctx, leader, QueueCall::Stat { channel: self.me }, 80);
    }

    /// The queue's process has answered.
    pub(super) fn counted(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        from: Pid,
    ) {
        let of_this = |call: &mut Call| call.queue == queue && call.asked == Some(from);
        let Some(Call { what: Asking::Declare(declaration), .. }) = self.call.take_if(of_this)
        else {
            return;
        };
        let owner = leader_and_owner(node, queue).and_then(|(_, owner)| owner);
        if declaration.passive && self.is_locked_out(node, owner) {
            return self.close(node, ctx, ChannelError::ResourceLocked);
        }
        self.declare_ok(ctx, queue);
        self.resume(node, ctx);
    }

    /// The queue's home has made it; or it was there, and "must have been created between the stat and
    /// the declare": it is looked at again.
    pub(super) fn declared(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        new: bool,
    ) {
        let of_this = |call: &mut Call| {
            call.queue == queue && call.asked.is_some_and(|asked| asked.lane == Lane::MAIN)
        };
        let Some(Call { what: Asking::Declare(declaration), retries_left, .. }) =
            self.call.take_if(of_this)
        else {
            return;
        };
        if new {
            self.declare_ok(ctx, queue);
            return self.resume(node, ctx);
        }
        match retries_left.checked_sub(1) {
            Some(left) => self.call_declare(node, ctx, declaration, left),
            None => self.close(node, ctx, ChannelError::NotFound),
        }
    }

    /// The node that was to make the queue is gone, or the metadata store does not take it.
    pub(super) fn not_declared(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        asked: Option<NodeId>,
    ) {
        let of_this = |call: &mut Call| match call.asked {
            Some(to) if to.lane == Lane::MAIN => asked.is_none_or(|asked| asked == to.node),
            _ => false,
        };
        if self.call.take_if(of_this).is_some() {
            self.close_connection(node, ctx);
        }
    }

    fn declare_ok(&self, ctx: &mut Context<'_, Message>, queue: QueueId) {
        ctx.send(self.conn, FromServer::DeclareOk { queue }.into(), METHOD_BYTES);
    }

    fn differs(&self, node: &Node, declaration: Declaration) -> bool {
        let Declaration { passive, equivalent, .. } = declaration;
        !passive && !equivalent && node.config.settings.rules.has(Rule::CheckEquivalence)
    }

    fn locks(&self, node: &Node) -> bool {
        node.config.settings.rules.has(Rule::LockExclusiveQueues)
    }

    /// Whether the queue belongs to another connection (`check_exclusive_access`, lax).
    pub(super) fn is_locked_out(&self, node: &Node, owner: Option<Pid>) -> bool {
        self.locks(node) && owner.is_some_and(|owner| owner != self.reader)
    }
}

impl Node {
    /// Where a queue that is declared here is to live: an exclusive one here
    /// (rabbit_classic_queue.erl v3.10: `declare`; rabbit_queue_master_location_misc.erl;
    /// rabbit_mirror_queue_misc.erl: `initial_queue_node`).
    fn place_for(&self, ctx: &mut Context<'_, Message>, declaration: Declaration) -> NodeId {
        let Declaration { queue, exclusive, .. } = declaration;
        if exclusive {
            return self.me;
        }
        let running = self.running_nodes();
        let home = match self.config.queue(queue).locator {
            Locator::ClientLocal => self.me,
            Locator::MinMasters => {
                let records = || self.mnesia.tables.queues.iter().flatten();
                let led = |node: &NodeId| records().filter(|r| r.leader.node == *node).count();
                running.iter().copied().min_by_key(led).unwrap_or(self.me)
            }
            Locator::Random => running[ctx.random().below(running.len() as u64) as usize],
        };
        match self.mirroring(queue) {
            Some(mirroring) => mirroring.at_declaration(home, &running, ctx.random()).0,
            None => home,
        }
    }
}
