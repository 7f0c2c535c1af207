//! The confirms of a queue replica that wait for the disk (`rabbit_variable_queue`: `unconfirmed`,
//! `msgs_on_disk`, `msg_indices_on_disk`).

use super::super::super::message::{Pid, PublishSeq, QueueSeq};
use super::queue::BackingQueue;

/// A confirm that waits for the disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unconfirmed {
    pub(super) id: QueueSeq,
    pub(super) channel: Pid,
    pub(super) seq: PublishSeq,
    /// Given, or due to nobody.
    pub(super) settled: bool,
    /// Whether the message itself is as safe as it has to be, beside its record.
    pub(super) body: bool,
}

/// A confirm that is due: to which channel, for which of its publishes.
pub type DueConfirm = (Pid, PublishSeq);

impl BackingQueue {
    /// Messages whose confirm waits for the disk.
    #[must_use]
    pub fn unconfirmed(&self) -> usize {
        self.unconfirmed.len()
    }

    pub(super) fn take_unconfirmed(&mut self, id: QueueSeq) -> Option<DueConfirm> {
        let index = self.unconfirmed.partition_point(|waiting| waiting.id < id);
        let waiting = self.unconfirmed.get_mut(index)?;
        if waiting.id != id || waiting.settled {
            return None;
        }
        waiting.settled = true;
        let due = (waiting.channel, waiting.seq);
        self.forget_confirmed_front();
        Some(due)
    }

    fn forget_confirmed_front(&mut self) {
        while self.unconfirmed.front().is_some_and(|waiting| waiting.settled) {
            self.unconfirmed.pop_front();
        }
    }

    /// The records of all before `upto` are as safe as they have to be
    /// (rabbit_variable_queue.erl: `msg_indices_written_to_disk`,
    /// `msgs_and_indices_written_to_disk`).
    pub(super) fn confirm_records(&mut self, upto: QueueSeq, due: &mut Vec<DueConfirm>) {
        let from = self.unconfirmed.partition_point(|waiting| waiting.id < self.index.confirmed);
        for waiting in self.unconfirmed.range_mut(from..) {
            if waiting.id >= upto {
                break;
            }
            if waiting.body && !waiting.settled {
                waiting.settled = true;
                due.push((waiting.channel, waiting.seq));
            }
        }
        self.index.confirmed = self.index.confirmed.max(upto);
        self.forget_confirmed_front();
    }

    /// The bodies of these messages are as safe in the shared store as they have to be
    /// (rabbit_variable_queue.erl: `msgs_written_to_disk`).
    pub fn bodies_written(&mut self, ids: &[QueueSeq], due: &mut Vec<DueConfirm>) {
        for &id in ids {
            let index = self.unconfirmed.partition_point(|waiting| waiting.id < id);
            let Some(waiting) = self.unconfirmed.get_mut(index) else { continue };
            if waiting.id != id {
                continue;
            }
            waiting.body = true;
            if id < self.index.confirmed && !waiting.settled {
                waiting.settled = true;
                due.push((waiting.channel, waiting.seq));
            }
        }
        self.forget_confirmed_front();
    }

    /// Confirms that never will be asked for: their channel is gone.
    pub fn forget_channel(&mut self, channel: Pid) {
        for waiting in &mut self.unconfirmed {
            waiting.settled |= waiting.channel == channel;
        }
        self.forget_confirmed_front();
    }

    /// Takes every confirm that still waits, as due: the messages are about to be purged.
    pub fn take_all_unconfirmed(&mut self, due: &mut Vec<DueConfirm>) {
        for waiting in self.unconfirmed.drain(..) {
            if !waiting.settled {
                due.push((waiting.channel, waiting.seq));
            }
        }
    }
}
