//! What a mirror does (rabbit_mirror_queue_slave.erl, v3.10).
//!
//! A mirror gets each publish twice: from the publishing channel and, in the leader's order, over
//! the ring. It queues by the ring, and confirms when it has both and its own disk is done.

use crate::engine::Span;
use crate::observe::{BecauseId, MessageRange, Removal};
use crate::world::Context;

use super::super::super::message::queue::MirrorMessage;
use super::super::super::message::ring::Instruction;
use super::super::super::message::{DownReason, Message, Pid, Properties, PublishSeq, QueueSeq};
use super::super::super::rules::Rule;
use super::super::super::words::{because, cause, event};
use super::super::Node;
use super::super::cluster::mnesia::Purpose;
use super::base::{Base, DownFrom};
use super::replica::{Mirror, Part, Replica};

/// A mirror that has seen a channel die asks after this long whether the leader has as well
/// (rabbit_mirror_queue_slave.erl: `?DEATH_TIMEOUT` 20 s).
const DEAD_SENDER_TIMEOUT: Span = Span::from_secs(20);

impl Mirror<'_> {
    /// What is for a mirror only.
    pub(super) fn receive(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        message: MirrorMessage,
    ) {
        match message {
            MirrorMessage::GmJoined => {
                let (queue, mirror) = (self.base.queue, self.base.me);
                node.transaction(ctx, Purpose::AddMirror { queue, mirror });
            }
            MirrorMessage::MirrorAdded => self.base.broadcast(ctx, Instruction::RequestDepth),
            MirrorMessage::SenderTimeout { channel } => self.confirm_sender_death(ctx, channel),
            MirrorMessage::SyncMessages(batch) => self.mirror_sync_batch(node, ctx, *batch),
            MirrorMessage::SyncComplete { leader, round } => {
                self.mirror_sync_complete(node, ctx, leader, round);
            }
            MirrorMessage::SyncerDown { leader, round } => {
                self.syncer_down(node, ctx, leader, round);
            }
            MirrorMessage::DeleteMirror { removal } => {
                let (now, here) = (ctx.now(), ctx.node());
                self.base.bq.wipe(now, here, ctx.observer(), removal);
                node.end_process(ctx.lane(), DownReason::Normal);
            }
        }
    }

    /// A channel is down, or the leader whose synchronisation this is.
    pub(super) fn down(&mut self, node: &Node, ctx: &mut Context<'_, Message>, pid: Pid) {
        self.mirror_sync_abandoned(node, ctx, pid);
        self.sender_down(node, ctx, pid, DownFrom::Channel);
        self.base.bq.forget_channel(pid);
    }

    /// The queue's record does not name it, or nobody leads: it goes, with all it has.
    pub(super) fn stop(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let because = because::NO_SYNCHRONISED_MIRROR;
        let removal = Removal { cause: cause::MIRROR_STOPPED, because };
        self.base.delete_and_end(node, ctx, removal, DownReason::Shutdown);
    }

    /// The channel's own copy arrives (`maybe_enqueue_message`).
    pub(super) fn publish(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        channel: Pid,
        seq: PublishSeq,
        message: MessageRange,
        properties: Properties,
    ) {
        ctx.spend(node.config.costs.mirror_instruction);
        self.base.take_from_channel(node, ctx, channel, properties);
        let sender = self.base.sender(node, ctx, channel);
        match sender.early.iter().position(|(early, _)| *early == seq) {
            Some(at) => {
                if let Some((_, true)) = sender.early.remove(at) {
                    self.base.due.push((channel, seq));
                }
            }
            None => sender.waiting.push_back((seq, message, properties)),
        }
    }

    pub(super) fn process_instruction(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        instruction: Instruction,
    ) {
        ctx.spend(node.config.costs.mirror_instruction);
        match instruction {
            Instruction::Publish { channel, seq, id, message, properties, delivered } => {
                self.follow_publish(node, ctx, (channel, seq), id, message, properties);
                if delivered {
                    self.base.bq.take(id);
                }
            }
            Instruction::Discard { channel, seq } => {
                let sender = self.base.sender(node, ctx, channel);
                let known = sender.waiting.binary_search_by_key(&seq, |(waiting, ..)| *waiting);
                match known.ok().and_then(|at| sender.waiting.remove(at)) {
                    Some((_, _, properties)) if properties.confirm => {
                        self.base.due.push((channel, seq));
                    }
                    Some(_) => {}
                    None => sender.early.push_back((seq, true)),
                }
            }
            Instruction::Fetch { id } => {
                self.base.bq.take(id);
            }
            Instruction::Ack { first, count } => {
                for id in first..first + u64::from(count) {
                    match self.base.bq.settle(ctx, id) {
                        Some(confirm) => self.base.due.extend(confirm),
                        None => self.one_less_missing(node, ctx),
                    }
                }
            }
            Instruction::Drop { first, count, removal } => {
                for id in first..first + u64::from(count) {
                    match self.base.bq.give_up(ctx, id, removal) {
                        Some(given_up) => self.base.due.extend(given_up.due),
                        None => self.one_less_missing(node, ctx),
                    }
                }
            }
            Instruction::Requeue { first, count } => {
                for id in first..first + u64::from(count) {
                    self.base.bq.requeue(id);
                }
            }
            Instruction::Depth { depth, next } => {
                self.base.bq.number_from(next);
                let missing = depth.saturating_sub(self.base.bq.depth());
                self.set_missing(node, ctx, missing);
            }
            Instruction::SenderDeath { channel } => {
                self.sender_down(node, ctx, channel, DownFrom::Ring);
            }
            Instruction::DeleteAndTerminate => {
                let because = because::NO_SYNCHRONISED_MIRROR;
                let removal = Removal { cause: cause::MIRROR_STOPPED, because };
                self.base.delete_and_end(node, ctx, removal, DownReason::Normal);
            }
            // These are of value to the leader only.
            Instruction::RequestDepth | Instruction::EnsureMonitoring { .. } => {}
            Instruction::SyncStart { leader, mirror, round } => {
                if mirror == self.base.me {
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
        let known = self.base.bq.next_id() > id;
        let confirm = properties.confirm.then_some((channel, seq));
        let sender = self.base.sender(node, ctx, channel);
        // In the order of the channel's numbers; a full queue leaves there what it refused without
        // having been asked for a confirm.
        let from_channel = sender.waiting.binary_search_by_key(&seq, |(waiting, ..)| *waiting);
        match from_channel.ok() {
            Some(at) => {
                sender.waiting.remove(at);
                self.base.due.extend(confirm.filter(|_| known));
            }
            None if sender.down != Some(DownFrom::Channel) => sender.early.push_back((seq, known)),
            None => {}
        }
        if known {
            return;
        }
        self.base.bq.number_from(id);
        // Mirrors insert what the ring brings as delivered: after a promotion every message held
        // is flagged as redelivered (rabbit_mirror_queue_slave.erl: `publish_or_discard` passes
        // `true` for IsDelivered).
        let extra = self.base.extra(node, ctx.clock(), properties);
        let delivered = node.config.settings.rules.has(Rule::MirrorsMarkDelivered);
        let (_, due) = self.base.bq.publish(ctx, message, properties, delivered, confirm, extra);
        self.base.due.extend(due);
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
        let Some(at) = self.base.senders.iter().position(|sender| sender.channel == channel) else {
            return;
        };
        if from == DownFrom::Channel {
            // `local_sender_death`: the leader may never have heard of that channel.
            ctx.after(
                DEAD_SENDER_TIMEOUT,
                ctx.lane(),
                MirrorMessage::SenderTimeout { channel }.into(),
            );
        }
        let sender = &mut self.base.senders[at];
        match sender.down {
            Some(other) if other != from => {
                if node.config.settings.rules.has(Rule::ForgetDeadSenders) {
                    self.base.senders.remove(at);
                }
            }
            _ => sender.down = Some(from),
        }
    }

    /// `confirm_sender_death`: if the leader has not told of that channel's death yet, it is told
    /// to watch it.
    fn confirm_sender_death(&mut self, ctx: &mut Context<'_, Message>, channel: Pid) {
        if self.base.senders.iter().any(|sender| sender.channel == channel) {
            self.base.broadcast(ctx, Instruction::EnsureMonitoring { channel });
            ctx.after(
                DEAD_SENDER_TIMEOUT,
                ctx.lane(),
                MirrorMessage::SenderTimeout { channel }.into(),
            );
        }
    }

    fn one_less_missing(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if let Some(missing) = self.following.missing
            && missing > 0
        {
            self.set_missing(node, ctx, missing - 1);
        }
    }

    /// `update_delta`: at zero the mirror holds all that the leader holds.
    fn set_missing(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, missing: u64) {
        let changed = (self.following.missing == Some(0)) != (missing == 0);
        self.following.missing = Some(missing);
        if changed {
            self.base.report(node, ctx, self.following.role());
        }
        let known = node
            .mnesia
            .tables
            .queue(self.base.queue)
            .is_some_and(|record| record.synchronised.contains(&self.base.me));
        if missing == 0 && !known {
            node.transaction(
                ctx,
                Purpose::Synchronised { queue: self.base.queue, mirror: self.base.me },
            );
        }
    }
}

impl Base {
    /// A ring member's death has come in stream order: find out who leads now.
    pub(crate) fn on_ring_death(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let (queue, by) = (self.queue, ctx.lane());
        node.transaction(ctx, Purpose::RemoveFromQueue { queue, by });
    }
}

impl Replica {
    /// rabbit_mirror_queue_slave.erl `promote_me`: this mirror leads from now on.
    pub fn promote(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let Part::Mirror(following) = &mut self.part else { return };
        let synchronising = following.sync.is_some();
        self.part = Part::Leader(Box::default());
        self.base.event(node, ctx, event::PROMOTED, self.base.bq.depth());
        if synchronising {
            // Half a synchronisation is worth nothing: it is thrown away.
            let (now, here) = (ctx.now(), ctx.node());
            let removal = Removal { cause: cause::PURGED_FOR_SYNC, because: BecauseId::NONE };
            self.base.bq.wipe(now, here, ctx.observer(), removal);
        }
        let rules = node.config.settings.rules;
        // (a) All that was unacknowledged is ready again, in its original order.
        if rules.has(Rule::RequeueOnPromotion) {
            self.base.bq.requeue_all();
        }
        // (b) What channels sent here and the old leader never multicast, channel by channel.
        let mut leftovers = Vec::new();
        for sender in &mut self.base.senders {
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
            let extra = self.base.extra(node, ctx.clock(), properties);
            let (id, due) = self.base.bq.publish(ctx, message, properties, true, confirm, extra);
            self.base.due.extend(due);
            let instruction =
                Instruction::Publish { channel, seq, id, message, properties, delivered: false };
            self.base.broadcast(ctx, instruction);
        }
        // (c) The others count anew what they lack.
        let (depth, next) = (self.base.bq.depth(), self.base.bq.next_id());
        self.base.broadcast(ctx, Instruction::Depth { depth, next });
        self.report_role(node, ctx);
        // (d) The others forget the channels that are dead.
        let dead =
            self.base.senders.extract_if(.., |sender| sender.down == Some(DownFrom::Channel));
        let dead: Vec<Pid> = dead.map(|sender| sender.channel).collect();
        for channel in dead {
            self.base.broadcast(ctx, Instruction::SenderDeath { channel });
        }
        if let Some(mut leader) = self.leader() {
            leader.begin_to_lead(node, ctx);
        }
        self.base.send_confirms(node, ctx);
    }
}
