//! Dead-lettering (rabbit_dead_letter.erl, v3.10): the queue's own process publishes the message
//! anew, without confirms, and is done with it.

use crate::observe::{MessageRange, Removal};
use crate::world::Context;

use super::super::super::letters::Reason;
use super::super::super::message::queue::QueueMessage;
use super::super::super::message::{Message, Pid, Properties};
use super::super::super::rules::Rule;
use super::super::super::words::{because, cause};
use super::super::Node;
use super::replica::Leader;

/// Bytes of a dead letter between processes beside the payload: a publish, and its headers.
const LETTER_BYTES: u32 = 530;

impl Leader<'_> {
    /// `publish`: routed by this node's tables, to the leaders and all mirrors of the queues that
    /// it finds there; who is not there, or refuses, does not get it.
    pub(crate) fn dead_letter(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        message: MessageRange,
        properties: Properties,
        reason: Reason,
    ) {
        let config = node.config.clone();
        let letters = &config.letters;
        let Some(death) =
            letters.death(message.producer, properties.letter, self.base.queue, reason)
        else {
            return;
        };
        ctx.spend(config.costs.queue_deliver);
        let origin = config.destination(letters.origin(death.letter, self.base.queue));
        let (now, here) = (ctx.now(), ctx.node());
        let breaks_cycles = config.settings.rules.has(Rule::BreakDeadLetterCycles);
        if death.routed.is_empty() {
            let cause = cause::DEAD_LETTER_UNROUTABLE;
            let removal = Removal { cause, because: because::NO_BINDING };
            ctx.observer().dropped(now, here, Some(origin), message, removal);
        }
        for &target in &death.routed {
            if breaks_cycles && death.cycling.contains(&target) {
                let (cause, because) = (cause::DEAD_LETTER_CYCLE, because::NONE);
                let removal = Removal { cause, because };
                ctx.observer().dropped(now, here, Some(origin), message, removal);
                continue;
            }
            let Some(record) = node.mnesia.tables.queue(target) else {
                let recorded = node.mnesia.tables.durable[target.0 as usize].is_some();
                let because = if recorded { because::HOME_NODE_DOWN } else { because::QUEUE_GONE };
                let removal = Removal { cause: cause::DEAD_LETTER_UNROUTABLE, because };
                ctx.observer().dropped(now, here, Some(origin), message, removal);
                continue;
            };
            let replicas: Vec<Pid> = record.replicas().collect();
            self.leading.letters_sent += 1;
            let (channel, seq) = (self.base.me, self.leading.letters_sent);
            let (persistent, letter) = (properties.persistent, death.letter);
            let properties = Properties { persistent, letter, ..Properties::default() };
            for pid in replicas {
                let deliver = QueueMessage::Deliver { channel, seq, message, properties };
                node.send(ctx, pid, deliver, LETTER_BYTES + message.bytes * message.count);
            }
        }
    }
}
