//! Dead-lettering (rabbit_dead_letter.erl, v3.10): the queue's own process publishes the message
//! anew, without confirms, and is done with it.

use crate::observe::{MessageRange, Removal};
use crate::world::Context;

use super::super::super::letters::{LetterId, Reason};
use super::super::super::message::queue::QueueMessage;
use super::super::super::message::ra::{Command, RaMessage, Reply, Request};
use super::super::super::message::{Message, Pid, Properties, PublishSeq, QueueId};
use super::super::super::rules::Rule;
use super::super::super::words::{because, cause};
use super::super::Node;
use super::replica::Leader;

/// Bytes of a dead letter between processes beside the payload: a publish, and its headers.
pub(crate) const LETTER_BYTES: u32 = 530;

/// A message that its queue dead-letters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeadLetter {
    /// The process that does it.
    pub(crate) from: Pid,
    /// Its number among those of that process.
    pub(crate) seq: PublishSeq,
    /// The queue.
    pub(crate) queue: QueueId,
    /// The message.
    pub(crate) message: MessageRange,
    /// Whether it is persistent.
    pub(crate) persistent: bool,
    /// What it remembers of earlier deaths.
    pub(crate) letter: LetterId,
    /// Why.
    pub(crate) reason: Reason,
}

impl Reason {
    /// How the copy in the queue ends, if that has a dead-letter exchange or not.
    pub(crate) fn removal(self, dead_letters: bool) -> Removal {
        if dead_letters {
            let because = match self {
                Reason::Rejected => because::CONSUMER_REJECTED,
                Reason::Expired => because::TIME_TO_LIVE_OVER,
                Reason::MaxLength => because::QUEUE_TOO_LONG,
                Reason::DeliveryLimit => because::RETURNED_TOO_OFTEN,
            };
            return Removal { cause: cause::DEAD_LETTER_DROPPED, because };
        }
        let cause = match self {
            Reason::Rejected => cause::REJECTED_BY_CONSUMER,
            Reason::Expired => cause::MESSAGE_EXPIRED,
            Reason::MaxLength => cause::HEAD_DROPPED,
            Reason::DeliveryLimit => cause::DELIVERY_LIMIT_EXCEEDED,
        };
        Removal { cause, because: because::NONE }
    }
}

impl Node {
    /// Whether a queue has a dead-letter exchange.
    pub(crate) fn dead_letters(&self, queue: QueueId) -> bool {
        self.config.queue(queue).arguments.dead_letter_exchange.is_some()
            && self.config.settings.rules.has(Rule::DeadLetter)
    }

    /// `publish`: routed by this node's tables, to the leaders and all mirrors of the queues that
    /// it finds there; who is not there, or refuses, does not get it.
    pub(crate) fn dead_letter(&mut self, ctx: &mut Context<'_, Message>, dead: &DeadLetter) {
        let DeadLetter { from: channel, seq, message, persistent, .. } = *dead;
        let config = self.config.clone();
        let letters = &config.letters;
        let Some(death) = letters.death(message.producer, dead.letter, dead.queue, dead.reason)
        else {
            return;
        };
        ctx.spend(config.costs.queue_deliver);
        let origin = config.destination(letters.origin(death.letter, dead.queue));
        let (now, here) = (ctx.now(), ctx.node());
        let breaks_cycles = config.settings.rules.has(Rule::BreakDeadLetterCycles);
        if death.routed.is_empty() {
            let cause = cause::DEAD_LETTER_UNROUTABLE;
            let removal = Removal { cause, because: because::NO_BINDING };
            ctx.observer().dropped(now, here, Some(origin), message, removal);
        }
        let bytes = LETTER_BYTES + message.bytes * message.count;
        for &target in &death.routed {
            if breaks_cycles && death.cycling.contains(&target) {
                let (cause, because) = (cause::DEAD_LETTER_CYCLE, because::NONE);
                let removal = Removal { cause, because };
                ctx.observer().dropped(now, here, Some(origin), message, removal);
                continue;
            }
            if config.queue(target).is_quorum() {
                self.enqueue_letter(ctx, target, message, death.letter, bytes);
                continue;
            }
            let Some(record) = self.mnesia.tables.queue(target) else {
                let recorded = self.mnesia.tables.durable[target.0 as usize].is_some();
                let because = if recorded { because::HOME_NODE_DOWN } else { because::QUEUE_GONE };
                let removal = Removal { cause: cause::DEAD_LETTER_UNROUTABLE, because };
                ctx.observer().dropped(now, here, Some(origin), message, removal);
                continue;
            };
            let replicas: Vec<Pid> = record.replicas().collect();
            let letter = death.letter;
            let properties = Properties { persistent, letter, ..Properties::default() };
            for pid in replicas {
                let deliver = QueueMessage::Deliver { channel, seq, message, properties };
                self.send(ctx, pid, deliver, bytes);
            }
        }
    }

    /// To the leader of a quorum queue, without a number (rabbit_quorum_queue.erl: `deliver`,
    /// `stateless`).
    fn enqueue_letter(
        &mut self,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        message: MessageRange,
        letter: LetterId,
        bytes: u32,
    ) {
        let channel = self.pid(ctx.lane());
        let enqueue = Command::Enqueue { channel, seq: 0, message, letter, given: 0 };
        let request = Request { command: enqueue, reply: Reply::None };
        let leader = self.known_leader(queue);
        self.send_member(ctx, queue, leader, RaMessage::Command(Box::new(request)), bytes);
    }
}

impl Leader<'_> {
    /// The queue gives a message to its dead-letter exchange.
    pub(crate) fn dead_letter(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        message: MessageRange,
        properties: Properties,
        reason: Reason,
    ) {
        self.leading.letters_sent += 1;
        let (from, seq, queue) = (self.base.me, self.leading.letters_sent, self.base.queue);
        let Properties { persistent, letter, .. } = properties;
        node.dead_letter(
            ctx,
            &DeadLetter { from, seq, queue, message, persistent, letter, reason },
        );
    }
}
