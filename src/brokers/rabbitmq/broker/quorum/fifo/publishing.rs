//! Channels that publish, and a queue that is full.

use super::super::super::super::arguments::Overflow;
use super::super::super::super::letters::Reason;
use super::super::super::super::message::Pid;
use super::super::super::super::message::ra::CallAnswer;
use super::super::super::super::rules::Rule;
use super::super::super::super::words::NOT_ENQUEUED;
use super::{Effects, Enqueuer, Fifo, Gone, Held, Leaving, payload};

impl Fifo {
    pub(super) fn enqueuer(&mut self, channel: Pid, effects: &mut Effects) -> &mut Enqueuer {
        let known = self.enqueuers.iter().position(|of| of.channel == channel);
        let at = known.unwrap_or_else(|| {
            effects.monitors.push(channel);
            self.enqueuers.push(Enqueuer { channel, next_seq: 1, blocked: false });
            self.enqueuers.len() - 1
        });
        &mut self.enqueuers[at]
    }

    pub(super) fn register(&mut self, channel: Pid, effects: &mut Effects) {
        let full = self.is_full();
        self.enqueuer(channel, effects).blocked = full;
        effects.answer = Some(if full { CallAnswer::Full } else { CallAnswer::Done });
    }

    /// rabbit_fifo.erl `maybe_enqueue`: by their numbers, what is sent again is not enqueued again,
    /// and what comes after a gap is not enqueued at all. A dead letter has no number (0).
    pub(super) fn enqueue(
        &mut self,
        channel: Pid,
        seq: u64,
        (priority, held): (u8, Held),
        effects: &mut Effects,
    ) {
        let numbered = seq > 0 && self.policy.rules.has(Rule::DeduplicateEnqueues);
        let next_seq = match numbered {
            true => self.enqueuer(channel, effects).next_seq,
            false => seq,
        };
        if seq > next_seq {
            effects.not_enqueued = true;
        } else if seq == next_seq {
            if numbered {
                self.enqueuer(channel, effects).next_seq += 1;
            }
            self.ready_bytes += payload(&held);
            self.ready.push(priority, held);
            return;
        }
        effects.gone.push(Gone { held, why: Leaving::Settled(NOT_ENQUEUED) });
    }

    pub(super) fn refuses(&self) -> bool {
        self.policy.arguments.limited() && self.policy.arguments.overflow != Overflow::DropHead
    }

    pub(super) fn is_full(&self) -> bool {
        let (letters, bytes) = self.dlx.size();
        let waiting = (self.waiting() + letters) as u64;
        self.refuses() && self.policy.arguments.exceeded(waiting, self.ready_bytes + bytes)
    }

    /// Dead letters that have not arrived count as well. rabbit_fifo.erl `evaluate_limit`: the oldest goes; or publishers are told, and told again
    /// when four fifths of the limit are left (`?LOW_LIMIT`).
    pub(super) fn limit(&mut self, effects: &mut Effects) {
        if !self.policy.arguments.limited() {
            return;
        }
        if !self.refuses() {
            while self.policy.arguments.exceeded(self.waiting() as u64, self.ready_bytes) {
                let Some(held) = self.pop() else { break };
                effects.gone.push(Gone { held, why: Leaving::Dead(Reason::MaxLength) });
            }
            return;
        }
        let full = self.is_full();
        let low = |limit: Option<u64>, now: u64| limit.is_none_or(|limit| now * 5 <= limit * 4);
        let arguments = &self.policy.arguments;
        let (letters, bytes) = self.dlx.size();
        let room = low(arguments.max_length, (self.waiting() + letters) as u64)
            && low(arguments.max_length_bytes, self.ready_bytes + bytes);
        for enqueuer in &mut self.enqueuers {
            if (full && !enqueuer.blocked) || (room && enqueuer.blocked) {
                enqueuer.blocked = full;
                effects.told.push((enqueuer.channel, full));
            }
        }
    }
}
