//! A queue that a consumer has taken (`ProcessQueue`): what of it is in hand.

use std::collections::VecDeque;

use crate::engine::{Span, Time};
use crate::observe::MessageRange;

use super::super::super::config::QueueId;
use super::Work;

/// A message in hand.
#[derive(Clone, Copy, Debug)]
struct Item {
    offset: u64,
    message: MessageRange,
    times: u8,
    done: bool,
    /// When the application began to work on it, by the wall clock.
    begun: Option<Time>,
}

/// A queue and what is in hand of it.
#[derive(Clone, Debug)]
pub(super) struct ProcessQueue {
    pub(super) id: QueueId,
    /// What of it waits for its turn, of an orderly listener.
    pub(super) waiting: VecDeque<Work>,
    /// Whether an orderly listener works on a message of it, or leaves it alone for a while.
    pub(super) busy: bool,
    /// When its lock was last granted, by the wall clock; none if it has none.
    pub(super) locked: Option<Time>,
    /// Which of the times that it was taken.
    pub(super) life: u32,
    /// From where it is pulled next.
    pub(super) next: u64,
    /// What is in hand, in the order of offsets; the first is not finished.
    items: VecDeque<Item>,
    unfinished: u32,
    bytes: u64,
    /// The offset that it would commit; none before a message is finished.
    pub(super) committed: Option<u64>,
    /// Whether it is given up: nothing of it is pulled or begun any more.
    pub(super) dropped: bool,
}

impl ProcessQueue {
    pub(super) const fn new(id: QueueId, life: u32, next: u64) -> ProcessQueue {
        ProcessQueue {
            id,
            waiting: VecDeque::new(),
            busy: false,
            locked: None,
            life,
            next,
            items: VecDeque::new(),
            unfinished: 0,
            bytes: 0,
            committed: None,
            dropped: false,
        }
    }

    pub(super) fn put(&mut self, offset: u64, message: MessageRange, times: u8) {
        self.items.push_back(Item { offset, message, times, done: false, begun: None });
        self.unfinished += 1;
        self.bytes += u64::from(message.bytes);
    }

    /// How many messages, how many bytes of them, and how far their offsets are apart.
    pub(super) fn in_hand(&self) -> (u32, u64, u64) {
        let ends = self.items.front().zip(self.items.back());
        let span = ends.map_or(0, |(first, last)| last.offset - first.offset);
        (self.unfinished, self.bytes, span)
    }

    /// The lowest offset in hand that is not finished.
    pub(super) fn lowest(&self) -> Option<u64> {
        self.items.iter().find(|item| !item.done).map(|item| item.offset)
    }

    /// The application begins to work on a message.
    pub(super) fn begins(&mut self, offset: u64, now: Time) {
        if let Ok(at) = self.items.binary_search_by_key(&offset, |item| item.offset) {
            self.items[at].begun = Some(now);
        }
    }

    /// The messages on which the application works for longer than that, as long as there is none before
    /// them on which it does not (`cleanExpiredMsg` looks at the lowest only, again and again).
    pub(super) fn late(&self, (now, timeout): (Time, Span), most: usize) -> Vec<Work> {
        let open = self.items.iter().filter(|item| !item.done);
        let late =
            open.take_while(|item| item.begun.is_some_and(|begun| now.since(begun) > timeout));
        let work = |item: &Item| {
            let Item { offset, message, times, .. } = *item;
            Work { queue: self.id, life: self.life, offset, message, times }
        };
        late.take(most).map(work).collect()
    }

    /// Whether an orderly listener's thread works on a message of it.
    pub(super) fn is_in_hand(&self) -> bool {
        let waiting = self.waiting.len() as u32;
        self.busy && self.unfinished > waiting
    }

    /// A message is finished (`removeMessage`): the offset is that of the lowest that is not, or behind
    /// the last one.
    pub(super) fn finished(&mut self, offset: u64, lowest: bool) {
        let found = self.items.binary_search_by_key(&offset, |item| item.offset);
        let Ok(at) = found else { return };
        let item = &mut self.items[at];
        if std::mem::replace(&mut item.done, true) {
            return;
        }
        self.unfinished -= 1;
        self.bytes -= u64::from(item.message.bytes);
        let mut behind = offset + 1;
        while let Some(first) = self.items.front().filter(|first| first.done) {
            behind = first.offset + 1;
            self.items.pop_front();
        }
        let least = self.items.front().map_or(behind, |first| first.offset);
        let commit = if lowest { least } else { offset + 1 };
        self.committed = Some(self.committed.map_or(commit, |committed| committed.max(commit)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brokers::kit::streams::PartitionId;
    use crate::observe::ProducerId;

    fn queue() -> ProcessQueue {
        let mut queue = ProcessQueue::new(PartitionId(0), 1, 10);
        for offset in 10..14 {
            let message = MessageRange { producer: ProducerId(0), first: 0, count: 1, bytes: 100 };
            queue.put(offset, message, 0);
        }
        queue
    }

    #[test]
    fn the_lowest_unfinished_message_is_committed() {
        let mut queue = queue();
        queue.finished(12, true);
        assert_eq!(queue.committed, Some(10), "10 is not finished");
        queue.finished(10, true);
        assert_eq!((queue.committed, queue.in_hand()), (Some(11), (2, 200, 2)));
        queue.finished(11, true);
        assert_eq!(queue.committed, Some(13));
        queue.finished(13, true);
        assert_eq!((queue.committed, queue.in_hand()), (Some(14), (0, 0, 0)));
    }

    #[test]
    fn without_the_rule_what_is_behind_the_last_one_is_committed() {
        let mut queue = queue();
        queue.finished(12, false);
        assert_eq!(queue.committed, Some(13), "10 and 11 are skipped");
    }
}
