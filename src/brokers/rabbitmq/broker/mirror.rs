//! What a mirror does (rabbit_mirror_queue_slave.erl, v3.10).
//!
//! A mirror gets each publish twice: from the publishing channel and, in the leader's order, over
//! the ring. It queues by the ring, and confirms when it has both and its own disk is done.

use crate::engine::Span;
use crate::observe::{BecauseId, MessageRange, Removal};
use crate::world::Context;

use super::super::message::{DownReason, Message, Pid, Properties, PublishSeq, QueueSeq};
use super::super::rules::Rule;
use super::super::words::{because, cause, event};
use super::Node;
use super::gm::Instruction;
use super::limits::DELETED;
use super::mnesia::Purpose;
use super::replica::{DownFrom, Replica, Role};

/// A mirror that has seen a channel die asks after this long whether the leader has as well
/// (rabbit_mirror_queue_slave.erl: `?DEATH_TIMEOUT` 20 s).
const DEAD_SENDER_TIMEOUT: Span = Span::from_secs(20);

impl Replica {
    pub(super) fn handle_as_mirror(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        message: Message,
    ) {
        match message {
            Message::Deliver { channel, seq, message, properties, .. } => {
                self.mirror_publish(node, ctx, channel, seq, message, properties);
            }
            Message::GmDeliver { instruction } => {
                ctx.spend(node.config.costs.mirror_instruction);
                self.process_instruction(node, ctx, instruction);
            }
            Message::Down { pid, .. } => {
                self.mirror_sync_abandoned(node, ctx, pid);
                self.sender_down(node, ctx, pid, DownFrom::Channel);
                self.bq.forget_channel(pid);
            }
            Message::GmJoined => {
                let (queue, mirror) = (self.queue, self.me);
                node.transaction(ctx, Purpose::AddMirror { queue, mirror });
            }
            Message::MirrorAdded => self.broadcast(ctx, Instruction::RequestDepth),
            Message::SenderTimeout { channel } => self.confirm_sender_death(ctx, channel),
            Message::SyncMessages(batch) => self.mirror_sync_batch(node, ctx, *batch),
            Message::SyncComplete { leader, round } => {
                self.mirror_sync_complete(node, ctx, leader, round);
            }
            Message::StopMirror => {
                let because = because::NO_SYNCHRONISED_MIRROR;
                let removal = Removal { cause: cause::MIRROR_STOPPED, because };
                self.delete_and_end(node, ctx, removal, DownReason::Shutdown);
            }
            Message::DeleteMirror => {
                let (now, here) = (ctx.now(), ctx.node());
                self.bq.wipe(now, here, ctx.observer(), DELETED);
                node.end_process(ctx.lane(), DownReason::Normal);
            }
            // Only a leader serves clients; what still comes from the time before is answered by
            // the monitors of those who sent it.
            Message::Subscribe { .. }
            | Message::Unsubscribe { .. }
            | Message::Settle { .. }
            | Message::GiveBack { .. }
            | Message::Reject { .. }
            | Message::Get { .. }
            | Message::DropExpired
            | Message::NotifySent { .. }
            | Message::SyncMirrors => {}
            other => debug_assert!(false, "a mirror has no use for {other:?}"),
        }
    }

    /// The channel's own copy arrives (`maybe_enqueue_message`).
    fn mirror_publish(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        channel: Pid,
        seq: PublishSeq,
        message: MessageRange,
        properties: Properties,
    ) {
        ctx.spend(node.config.costs.mirror_instruction);
        self.take_from_channel(node, ctx, channel, properties);
        let sender = self.sender(node, ctx, channel);
        match sender.early.iter().position(|(early, _)| *early == seq) {
            Some(at) => {
                if let Some((_, true)) = sender.early.remove(at) {
                    self.due.push((channel, seq));
                }
            }
            None => sender.waiting.push_back((seq, message, properties)),
        }
    }

    fn process_instruction(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        instruction: Instruction,
    ) {
        match instruction {
            Instruction::Publish { channel, seq, id, message, properties, delivered } => {
                self.follow_publish(node, ctx, (channel, seq), id, message, properties);
                if delivered {
                    self.bq.take(id);
                }
            }
            Instruction::Discard { channel, seq } => {
                let sender = self.sender(node, ctx, channel);
                let known = sender.waiting.binary_search_by_key(&seq, |(waiting, ..)| *waiting);
                match known.ok().and_then(|at| sender.waiting.remove(at)) {
                    Some((_, _, properties)) if properties.confirm => {
                        self.due.push((channel, seq));
                    }
                    Some(_) => {}
                    None => sender.early.push_back((seq, true)),
                }
            }
            Instruction::Fetch { id } => {
                self.bq.take(id);
            }
            Instruction::Ack { first, count } => {
                for id in first..first + u64::from(count) {
                    match self.bq.settle(ctx, id) {
                        Some(confirm) => self.due.extend(confirm),
                        None => self.one_less_missing(node, ctx),
                    }
                }
            }
            Instruction::Drop { first, count, removal } => {
                for id in first..first + u64::from(count) {
                    match self.bq.give_up(ctx, id, removal) {
                        Some(given_up) => self.due.extend(given_up.due),
                        None => self.one_less_missing(node, ctx),
                    }
                }
            }
            Instruction::Requeue { first, count } => {
                for id in first..first + u64::from(count) {
                    self.bq.requeue(id);
                }
            }
            Instruction::Depth { depth, next } => {
                self.bq.number_from(next);
                let missing = depth.saturating_sub(self.bq.depth());
                self.set_missing(node, ctx, missing);
            }
            Instruction::SenderDeath { channel } => {
                self.sender_down(node, ctx, channel, DownFrom::Ring);
            }
            Instruction::DeleteAndTerminate => {
                let because = because::NO_SYNCHRONISED_MIRROR;
                let removal = Removal { cause: cause::MIRROR_STOPPED, because };
                self.delete_and_end(node, ctx, removal, DownReason::Normal);
            }
            // These are of value to the leader only.
            Instruction::RequestDepth | Instruction::EnsureMonitoring { .. } => {}
            Instruction::SyncStart { leader, mirror, round } => {
                if mirror == self.me {
                    self.mirror_sync_start(node, ctx, leader, round);
                }
            }
        }
    }

    fn follow_publish(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        (channel, seq): (Pid, PublishSeq),
        id: QueueSeq,
        message: MessageRange,
        properties: Properties,
    ) {
        // A synchronisation may have brought it, if the leader did not stand still for it.
        let known = self.bq.next_id() > id;
        let confirm = properties.confirm.then_some((channel, seq));
        let sender = self.sender(node, ctx, channel);
        // In the order of the channel's numbers; a full queue leaves there what it refused without
        // having been asked for a confirm.
        let from_channel = sender.waiting.binary_search_by_key(&seq, |(waiting, ..)| *waiting);
        match from_channel.ok() {
            Some(at) => {
                sender.waiting.remove(at);
                self.due.extend(confirm.filter(|_| known));
            }
            None if sender.down != Some(DownFrom::Channel) => sender.early.push_back((seq, known)),
            None => {}
        }
        if known {
            return;
        }
        self.bq.number_from(id);
        // Mirrors insert what the ring brings as delivered: after a promotion every message held
        // is flagged as redelivered (rabbit_mirror_queue_slave.erl: `publish_or_discard` passes
        // `true` for IsDelivered).
        let extra = self.extra(node, ctx.clock(), properties);
        let delivered = node.config.settings.rules.has(Rule::MirrorsMarkDelivered);
        let (_, due) = self.bq.publish(ctx, message, properties, delivered, confirm, extra);
        self.due.extend(due);
    }

    /// A channel is dead, as its monitor or the leader says. What it had sent to this mirror alone
    /// is forgotten once both have said so (`maybe_forget_sender`): before the leader has, that may
    /// still come around the ring.
    fn sender_down(
        &mut self,
        node: &Node,
        ctx: &mut Context<'_, Message>,
        channel: Pid,
        from: DownFrom,
    ) {
        let Some(at) = self.senders.iter().position(|sender| sender.channel == channel) else {
            return;
        };
        if from == DownFrom::Channel {
            // `local_sender_death`: the leader may never have heard of that channel.
            ctx.after(DEAD_SENDER_TIMEOUT, ctx.lane(), Message::SenderTimeout { channel });
        }
        let sender = &mut self.senders[at];
        match sender.down {
            Some(other) if other != from => {
                if node.config.settings.rules.has(Rule::ForgetDeadSenders) {
                    self.senders.remove(at);
                }
            }
            _ => sender.down = Some(from),
        }
    }

    /// `confirm_sender_death`: if the leader has not told of that channel's death yet, it is told
    /// to watch it.
    fn confirm_sender_death(&mut self, ctx: &mut Context<'_, Message>, channel: Pid) {
        if self.senders.iter().any(|sender| sender.channel == channel) {
            self.broadcast(ctx, Instruction::EnsureMonitoring { channel });
            ctx.after(DEAD_SENDER_TIMEOUT, ctx.lane(), Message::SenderTimeout { channel });
        }
    }

    fn one_less_missing(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if let Some(missing) = self.missing
            && missing > 0
        {
            self.set_missing(node, ctx, missing - 1);
        }
    }

    /// `update_delta`: at zero the mirror holds all that the leader holds.
    fn set_missing(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, missing: u64) {
        let changed = (self.missing == Some(0)) != (missing == 0);
        self.missing = Some(missing);
        if changed {
            self.report_role(node, ctx);
        }
        let known = node
            .mnesia
            .tables
            .queue(self.queue)
            .is_some_and(|record| record.synchronised.contains(&self.me));
        if missing == 0 && !known {
            node.transaction(ctx, Purpose::Synchronised { queue: self.queue, mirror: self.me });
        }
    }

    /// A ring member's death has come in stream order: find out who leads now.
    pub(super) fn on_ring_death(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let (queue, by) = (self.queue, ctx.lane());
        node.transaction(ctx, Purpose::RemoveFromQueue { queue, by });
    }

    /// rabbit_mirror_queue_slave.erl `promote_me`: this mirror leads from now on.
    pub fn promote(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        debug_assert_eq!(self.role, Role::Mirror, "a leader is not promoted again");
        self.event(node, ctx, event::PROMOTED, self.bq.depth());
        self.role = Role::Leader;
        if self.mirror_sync.take().is_some() {
            // Half a synchronisation is worth nothing: it is thrown away.
            let (now, here) = (ctx.now(), ctx.node());
            let removal = Removal { cause: cause::PURGED_FOR_SYNC, because: BecauseId::NONE };
            self.bq.wipe(now, here, ctx.observer(), removal);
        }
        let rules = node.config.settings.rules;
        // (a) All that was unacknowledged is ready again, in its original order.
        if rules.has(Rule::RequeueOnPromotion) {
            self.bq.requeue_all();
        }
        // (b) What channels sent here and the old leader never multicast, channel by channel.
        let mut leftovers = Vec::new();
        for sender in &mut self.senders {
            for (seq, message, properties) in sender.waiting.drain(..) {
                leftovers.push((sender.channel, seq, message, properties));
            }
        }
        if !rules.has(Rule::LeftoversOnPromotion) {
            leftovers.clear();
        }
        for (channel, seq, message, properties) in leftovers {
            ctx.spend(node.config.costs.queue_publish);
            let confirm = properties.confirm.then_some((channel, seq));
            let extra = self.extra(node, ctx.clock(), properties);
            let (id, due) = self.bq.publish(ctx, message, properties, true, confirm, extra);
            self.due.extend(due);
            let instruction =
                Instruction::Publish { channel, seq, id, message, properties, delivered: false };
            self.broadcast(ctx, instruction);
        }
        // (c) The others count anew what they lack.
        let (depth, next) = (self.bq.depth(), self.bq.next_id());
        self.broadcast(ctx, Instruction::Depth { depth, next });
        self.missing = None;
        self.report_role(node, ctx);
        // (d) The others forget the channels that are dead.
        let dead = self.senders.extract_if(.., |sender| sender.down == Some(DownFrom::Channel));
        let dead: Vec<Pid> = dead.map(|sender| sender.channel).collect();
        for channel in dead {
            self.broadcast(ctx, Instruction::SenderDeath { channel });
        }
        self.begin_to_lead(node, ctx);
        self.send_confirms(node, ctx);
    }
}
