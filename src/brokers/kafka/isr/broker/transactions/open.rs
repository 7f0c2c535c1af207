//! What a replica knows of transactions in its log (ProducerStateManager.java, `ongoingTxns`,
//! `unreplicatedTxns`; TransactionIndex.java): which are open, and which were aborted where. All of it
//! follows from the log: what is cut off the log goes here as well.

use std::collections::BTreeMap;

use super::super::super::transactions::{Aborted, Marker};

/// A transaction that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ended {
    first: u64,
    /// The offset of its marker.
    at: u64,
    marker: Marker,
}

/// The transactions of a log.
#[derive(Clone, Debug, Default)]
pub struct OpenTransactions {
    /// Those that are open: the first offset, by producer id.
    open: BTreeMap<u32, u64>,
    /// Those that have ended, in the order of their markers.
    ended: Vec<Ended>,
}

impl OpenTransactions {
    /// A batch of a transaction was appended at this offset.
    pub fn appended(&mut self, id: u32, base: u64) {
        self.open.entry(id).or_insert(base);
    }

    /// A marker was appended at this offset.
    pub fn marked(&mut self, marker: Marker, at: u64) {
        let first = self.open.remove(&marker.by.id).unwrap_or(at);
        self.ended.push(Ended { first, at, marker });
    }

    /// The log was cut, and ends here: what ended behind that is open again.
    pub fn cut(&mut self, end: u64) {
        self.open.retain(|_, first| *first < end);
        while let Some(last) = self.ended.pop_if(|last| last.at >= end) {
            if last.first < end {
                self.open.insert(last.marker.by.id, last.first);
            }
        }
    }

    /// Whether a producer has a transaction open.
    #[must_use]
    pub fn is_open(&self, id: u32) -> bool {
        self.open.contains_key(&id)
    }

    /// Where the transaction of a producer begins that is open.
    #[must_use]
    pub fn first_of(&self, id: u32) -> Option<u64> {
        self.open.get(&id).copied()
    }

    /// The last marker of a producer.
    #[must_use]
    pub fn last_marker(&self, id: u32) -> Option<Marker> {
        let mut ended = self.ended.iter().rev();
        ended.find(|ended| ended.marker.by.id == id).map(|ended| ended.marker)
    }

    /// All markers, in order.
    pub fn markers(&self) -> impl Iterator<Item = Marker> + '_ {
        self.ended.iter().map(|ended| ended.marker)
    }

    /// How many markers a producer has: what is verified before the next one counts
    /// (VerificationGuard.java).
    #[must_use]
    pub fn guard(&self, id: u32) -> usize {
        self.ended.iter().filter(|ended| ended.marker.by.id == id).count()
    }

    /// Up to where everything is decided, and its markers are replicated: the last stable offset
    /// (UnifiedLog.scala, `fetchLastStableOffset`).
    #[must_use]
    pub fn last_stable(&self, high_watermark: u64) -> u64 {
        let replicated = |ended: &&Ended| ended.at >= high_watermark;
        let ended = self.ended.iter().rev().take_while(replicated).map(|ended| ended.first);
        self.open.values().copied().chain(ended).fold(high_watermark, u64::min)
    }

    /// The aborted transactions that have something from one offset to before another.
    #[must_use]
    pub fn aborted(&self, from: u64, to: u64) -> Vec<Aborted> {
        let begin = self.ended.partition_point(|ended| ended.at < from);
        let aborted = self.ended[begin..].iter().filter(|ended| !ended.marker.commit);
        let within = aborted.filter(|ended| ended.first < to);
        let of =
            |ended: &Ended| Aborted { id: ended.marker.by.id, first: ended.first, last: ended.at };
        within.map(of).collect()
    }

    /// Those that are open, by producer id, with their first offsets; for people.
    pub fn all_open(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.open.iter().map(|(id, first)| (*id, *first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brokers::kafka::isr::sequence::Identity;

    fn marker(id: u32, commit: bool) -> Marker {
        let by = Identity { id, epoch: 0, transactional: true };
        Marker { by, commit, coordinator: 0 }
    }

    #[test]
    fn what_is_stable_ends_at_the_first_that_is_open() {
        let mut log = OpenTransactions::default();
        assert_eq!(log.last_stable(50), 50);
        log.appended(1, 10);
        log.appended(2, 20);
        log.appended(1, 30);
        assert_eq!(log.last_stable(50), 10);
        log.marked(marker(1, true), 40);
        assert_eq!(log.last_stable(50), 20, "the other one is open");
        assert_eq!(log.last_stable(40), 10, "the marker is not replicated");
        log.marked(marker(2, false), 41);
        assert_eq!(log.last_stable(50), 50);
    }

    #[test]
    fn what_is_aborted_is_found_by_where_it_ends() {
        let mut log = OpenTransactions::default();
        log.appended(1, 0);
        log.marked(marker(1, false), 5);
        log.appended(1, 6);
        log.marked(marker(1, true), 8);
        log.appended(2, 9);
        log.marked(marker(2, false), 12);
        let firsts = |from, to| log.aborted(from, to).iter().map(|one| one.first).collect();
        let all: Vec<u64> = firsts(0, 100);
        assert_eq!(all, [0, 9]);
        let none: Vec<u64> = firsts(6, 9);
        assert!(none.is_empty());
    }

    #[test]
    fn a_marker_that_is_cut_off_opens_its_transaction_again() {
        let mut log = OpenTransactions::default();
        log.appended(1, 10);
        log.marked(marker(1, true), 20);
        log.appended(1, 25);
        assert_eq!(log.guard(1), 1);
        log.cut(15);
        assert_eq!((log.last_stable(15), log.guard(1)), (10, 0));
        log.cut(10);
        assert_eq!(log.last_stable(10), 10);
    }
}
