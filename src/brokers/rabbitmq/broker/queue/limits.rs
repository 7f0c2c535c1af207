//! What a queue does with messages that are too many or too old (rabbit_amqqueue_process.erl,
//! v3.10), and its end when nobody uses it any more.

use crate::engine::{Span, Time};
use crate::observe::{MessageRange, Removal};
use crate::world::Context;

use super::super::super::arguments::Overflow;
use super::super::super::letters::{LetterId, Reason};
use super::super::super::message::channel::ChannelMessage;
use super::super::super::message::queue::LeaderMessage;
use super::super::super::message::ring::Instruction;
use super::super::super::message::{Message, Pid, Properties, PublishSeq};
use super::super::super::rules::Rule;
use super::super::super::words::{because, cause};
use super::super::Node;
use super::super::store::Extra;
use super::base::Base;
use super::replica::Leader;

/// The end of every copy when a queue is deleted that its last consumer has left.
pub(crate) const DELETED: Removal =
    Removal { cause: cause::QUEUE_DELETED, because: because::LAST_CONSUMER_GONE };

/// A queue's timer has milliseconds, and never fires early (`ensure_ttl_timer`).
const TIMER_STEP: u64 = 1_000_000;

impl Base {
    /// When a message expires that enters the queue now, and where it is from
    /// (`calculate_msg_expiry`: the smaller time to live counts). A mirror reckons from when the
    /// ring brings it. The expiry is a time of day (`os:system_time`), which every node reads from
    /// its own clock; only the timer of the queue goes by the monotonic one.
    #[inline]
    pub(crate) fn extra(&self, node: &Node, now: Time, properties: Properties) -> Extra {
        let arguments = node.arguments(self.queue);
        let Properties { given, letter, .. } = properties;
        if arguments.message_ttl.is_none() && given == 0 && letter == LetterId::NONE {
            return Extra::default();
        }
        let own = node.config.given[usize::from(given)].expiration;
        let ttl = own.into_iter().chain(arguments.message_ttl).min();
        let origin = node.config.letters.origin(letter, self.queue);
        let origin = (origin != self.queue).then(|| node.config.destination(origin));
        let expires = ttl.filter(|_| node.config.settings.rules.has(Rule::ExpireMessages));
        Extra { expires: expires.map(|ttl| now + ttl), letter, origin }
    }

    /// Whether one message more would be too many for a queue that refuses such (`will_overflow`):
    /// only ready ones count.
    #[inline]
    pub(crate) fn refuses(&self, node: &Node, message: MessageRange) -> bool {
        let arguments = node.arguments(self.queue);
        if arguments.overflow == Overflow::DropHead || !arguments.limited() {
            return false;
        }
        let messages = self.bq.ready() + u64::from(message.count);
        let bytes = self.bq.ready_bytes() + u64::from(message.bytes) * u64::from(message.count);
        arguments.exceeded(messages, bytes) && node.config.settings.rules.has(Rule::LimitLength)
    }
}

impl Leader<'_> {
    /// The queue is full: the publisher gets a nack (`send_reject_publish`), whatever other queues
    /// and this one's own mirrors say. Mirrors hear of it if a confirm was asked for; otherwise
    /// what the channel has sent them stays with them.
    pub(crate) fn refuse(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        (channel, seq): (Pid, PublishSeq),
        message: MessageRange,
        properties: Properties,
    ) {
        let (now, here, queue) = (ctx.now(), ctx.node(), self.base.queue);
        let letter = properties.letter;
        let destination = node.config.destination(node.config.letters.origin(letter, queue));
        let cause = match letter {
            LetterId::NONE => cause::QUEUE_FULL,
            _ => cause::DEAD_LETTER_REFUSED,
        };
        let removal = Removal { cause, because: because::QUEUE_TOO_LONG };
        ctx.observer().dropped(now, here, Some(destination), message, removal);
        if node.arguments(queue).overflow == Overflow::RejectPublishDlx {
            self.dead_letter(node, ctx, message, properties, Reason::MaxLength);
        }
        if properties.confirm {
            if node.config.settings.rules.has(Rule::NackRefused) {
                node.send(ctx, channel, ChannelMessage::Refuse { seq }, 60);
            } else {
                self.base.due.push((channel, seq));
            }
            self.base.broadcast(ctx, Instruction::Discard { channel, seq });
        }
    }

    /// After a publish that was queued: what is too many goes, then what is too old
    /// (`deliver_or_enqueue`).
    pub(crate) fn after_enqueue(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if node.arguments(self.base.queue).limited() {
            self.drop_head(node, ctx);
        }
        if self.base.bq.has_extras() {
            self.drop_expired(node, ctx);
        }
    }

    /// `maybe_drop_head`: the oldest ready messages make room.
    pub(crate) fn drop_head(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let arguments = *node.arguments(self.base.queue);
        let limits = node.config.settings.rules.has(Rule::LimitLength);
        if arguments.overflow != Overflow::DropHead || !limits {
            return;
        }
        while arguments.exceeded(self.base.bq.ready(), self.base.bq.ready_bytes()) {
            let Some(head) = self.base.bq.head() else { return };
            self.dispose(node, ctx, head.id, Reason::MaxLength);
        }
    }

    /// `drop_expired_msgs`: expired messages go from the head of the queue, and only there.
    pub(crate) fn drop_expired(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if !node.config.settings.rules.has(Rule::ExpireAtHeadOnly) {
            for id in self.base.bq.expired(ctx.clock()) {
                self.dispose(node, ctx, id, Reason::Expired);
            }
            if let Some(next) = self.base.bq.next_expiry(ctx.clock()) {
                self.look_again(ctx, next);
            }
        }
        while let Some(head) = self.base.bq.head() {
            let Some(expires) = head.expires else { return };
            if expires > ctx.clock() {
                self.look_again(ctx, expires);
                return;
            }
            self.dispose(node, ctx, head.id, Reason::Expired);
        }
    }

    /// `ensure_ttl_timer`: one timer a queue, for its head.
    fn look_again(&mut self, ctx: &mut Context<'_, Message>, expires: Time) {
        match self.leading.ttl_timer {
            Some((at, timer)) if expires + Span::from_millis(1) < at => ctx.cancel(timer),
            Some(_) => return,
            None => {}
        }
        let after = expires.since(ctx.clock()).as_nanos().next_multiple_of(TIMER_STEP);
        let timer =
            ctx.after(Span::from_nanos(after), ctx.lane(), LeaderMessage::DropExpired.into());
        self.leading.ttl_timer = Some((expires, timer));
    }

    /// The queue gives a message up: it is dead-lettered, or gone. The copy that is dead-lettered
    /// is on its way without anybody waiting for it to arrive.
    pub(crate) fn dispose(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        id: super::super::super::message::QueueSeq,
        reason: Reason,
    ) {
        let dead_letters = node.dead_letters(self.base.queue);
        let removal = reason.removal(dead_letters);
        let Some(given_up) = self.base.bq.give_up(ctx, id, removal) else { return };
        self.base.due.extend(given_up.due);
        self.base.broadcast(ctx, Instruction::Drop { first: id, count: 1, removal });
        if dead_letters {
            let (persistent, letter) = (given_up.persistent, given_up.letter);
            let properties = Properties { persistent, letter, ..Properties::default() };
            self.dead_letter(node, ctx, given_up.message, properties, reason);
        }
    }

    /// A process that begins to lead applies the queue's arguments to what it holds
    /// (`process_args_policy`).
    pub(crate) fn begin_to_lead(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        self.after_enqueue(node, ctx);
    }

    /// A queue that is to go with its last consumer goes (`should_auto_delete`).
    pub(crate) fn delete_if_unused(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let auto_delete = node.arguments(self.base.queue).auto_delete;
        if !auto_delete
            || !self.leading.consumers.had
            || self.leading.consumers.count() > 0
            || self.base.ending
        {
            return;
        }
        self.delete(node, ctx, DELETED);
    }
}
