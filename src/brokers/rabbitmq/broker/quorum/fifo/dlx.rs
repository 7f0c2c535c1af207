//! Dead letters that leave their queue only when they have arrived (rabbit_fifo_dlx.erl v4.3.5): they
//! wait here, and the worker on the leader's node has some of them at a time.

use std::collections::VecDeque;

use super::super::super::super::letters::Reason;
use super::super::super::super::message::Pid;
use super::super::super::super::message::ra::MessageId;
use super::{Effects, Fifo, Gone, Held, Leaving, payload};

/// `dead_letter_worker_consumer_prefetch`.
const PREFETCH: usize = 32;

/// A message that has died.
type Discard = (Held, Reason);

/// The dead letters of a queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Dlx {
    waiting: VecDeque<Discard>,
    /// What the worker has, in the order of its numbers.
    checked_out: VecDeque<(MessageId, Discard)>,
    worker: Option<Pid>,
    next_id: MessageId,
    bytes: u64,
}

impl Dlx {
    /// How many there are, and the bytes of their bodies.
    pub(super) fn size(&self) -> (usize, u64) {
        (self.waiting.len() + self.checked_out.len(), self.bytes)
    }

    /// All of them.
    pub(super) fn held(&self) -> impl Iterator<Item = &Held> + '_ {
        let checked_out = self.checked_out.iter().map(|(_, (held, _))| held);
        checked_out.chain(self.waiting.iter().map(|(held, _)| held))
    }
}

impl Fifo {
    /// Whether dead letters stay until they have arrived.
    #[must_use]
    pub fn is_at_least_once(&self) -> bool {
        self.policy.at_least_once
    }

    /// A message has died: it leaves, or waits here until it has arrived elsewhere.
    pub(super) fn dies(&mut self, held: Held, reason: Reason, effects: &mut Effects) {
        if self.policy.at_least_once {
            self.dlx.bytes += payload(&held);
            self.dlx.waiting.push_back((held, reason));
        } else {
            effects.gone.push(Gone { held, why: Leaving::Dead(reason) });
        }
    }

    /// `checkout`: a new worker gets what the one before had, in its order.
    pub(super) fn take_letters(&mut self, worker: Pid) {
        let dlx = &mut self.dlx;
        dlx.worker = Some(worker);
        for (_, discard) in std::mem::take(&mut dlx.checked_out).into_iter().rev() {
            dlx.waiting.push_front(discard);
        }
    }

    /// `settle`: one has arrived wherever it had to.
    pub(super) fn settle_letter(&mut self, id: MessageId, effects: &mut Effects) {
        let dlx = &mut self.dlx;
        let Ok(at) = dlx.checked_out.binary_search_by_key(&id, |(id, _)| *id) else { return };
        let Some((_, (held, reason))) = dlx.checked_out.remove(at) else { return };
        dlx.bytes -= payload(&held);
        effects.gone.push(Gone { held, why: Leaving::Lettered(reason) });
    }

    /// What the worker may have more.
    pub(super) fn hand_out_letters(&mut self, effects: &mut Effects) {
        let dlx = &mut self.dlx;
        let Some(worker) = dlx.worker else { return };
        while dlx.checked_out.len() < PREFETCH
            && let Some((held, reason)) = dlx.waiting.pop_front()
        {
            let id = dlx.next_id;
            dlx.next_id += 1;
            dlx.checked_out.push_back((id, (held, reason)));
            effects.letters.push((worker, id, held, reason));
        }
    }
}
