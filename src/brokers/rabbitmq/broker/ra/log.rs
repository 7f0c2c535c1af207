//! A member's log (ra_log.erl): entries behind a snapshot, and how far they are written.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::super::message::ra::{Entry, Index, Position, Term};
use super::super::quorum::fifo::Fifo;
use super::cluster::Cluster;

/// The state of the machine after all entries up to one.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The last entry that it covers.
    pub last: Position,
    /// The state.
    pub state: Arc<Fifo>,
    /// Who belongs to the group then.
    pub cluster: Arc<Cluster>,
}

/// The log of one member.
#[derive(Clone, Debug)]
pub struct Log {
    snapshot: Option<Snapshot>,
    /// From the entry behind the snapshot on.
    entries: VecDeque<Entry>,
    /// Up to where it is fsynced.
    written: Index,
}

impl Log {
    /// An empty one.
    #[must_use]
    pub fn new() -> Log {
        Log { snapshot: None, entries: VecDeque::new(), written: 0 }
    }

    /// The entry before the first that is here: the snapshot's last, or none.
    #[must_use]
    pub fn base(&self) -> Position {
        self.snapshot.as_ref().map_or_else(Position::default, |snapshot| snapshot.last)
    }

    /// The snapshot, if there is one.
    #[must_use]
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// The last entry.
    #[must_use]
    pub fn last(&self) -> Position {
        let base = self.base();
        self.entries.back().map_or(base, |entry| Position {
            term: entry.term,
            index: base.index + self.entries.len() as u64,
        })
    }

    /// Up to where it is fsynced.
    #[must_use]
    pub fn written(&self) -> Index {
        self.written
    }

    /// How many entries are here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is nothing behind the snapshot.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry at an index that is behind the snapshot.
    #[must_use]
    pub fn get(&self, index: Index) -> Option<&Entry> {
        let at = index.checked_sub(self.base().index + 1)?;
        self.entries.get(at as usize)
    }

    /// The term of the entry at an index; `None` if it is not known.
    #[must_use]
    pub fn term_at(&self, index: Index) -> Option<Term> {
        let base = self.base();
        if index == base.index {
            return Some(base.term);
        }
        self.get(index).map(|entry| entry.term)
    }

    /// The entry at an index with its term, if it is known.
    #[must_use]
    pub fn position(&self, index: Index) -> Option<Position> {
        self.term_at(index).map(|term| Position { term, index })
    }

    /// Entries from `first` on, `most` of them at most.
    #[must_use]
    pub fn slice(&self, first: Index, most: usize) -> Vec<Entry> {
        let start = (first - self.base().index - 1) as usize;
        self.entries.iter().skip(start).take(most).copied().collect()
    }

    /// One more. Returns its index.
    pub fn append(&mut self, entry: Entry) -> Index {
        self.entries.push_back(entry);
        self.base().index + self.entries.len() as u64
    }

    /// Forgets all behind `last`, which are returned, the first of them first.
    pub fn truncate(&mut self, last: Index) -> Vec<Entry> {
        let keep = last.saturating_sub(self.base().index) as usize;
        let keep = keep.min(self.entries.len());
        let cut = self.entries.split_off(keep).into();
        self.written = self.written.min(last);
        cut
    }

    /// An fsync has covered everything up to this entry. One that was overwritten meanwhile counts
    /// for nothing (ra_log.erl: `handle_event({written, ..})`). Returns whether that is news.
    pub fn fsynced(&mut self, upto: Position) -> bool {
        let news = upto.index > self.written && self.term_at(upto.index) == Some(upto.term);
        if news {
            self.written = upto.index;
        }
        news
    }

    /// At the start of its member all that was found in the files is made durable.
    pub fn recovered(&mut self) {
        self.written = self.last().index;
    }

    /// Takes a snapshot instead of the entries up to its last, which must be fsynced; or instead of
    /// all, if it came from a leader and this log is behind it. Returns the entries that went, with
    /// their indices.
    pub fn shorten(&mut self, snapshot: Snapshot) -> Vec<(Index, Entry)> {
        let (base, last) = (self.base(), snapshot.last);
        debug_assert!(last.index >= base.index, "snapshots go forward");
        let covered = (last.index - base.index) as usize;
        let agrees = self.term_at(last.index) == Some(last.term);
        let gone = if agrees { covered } else { self.entries.len() };
        let gone = (base.index + 1..).zip(self.entries.drain(..gone)).collect();
        self.written = self.written.max(last.index);
        self.snapshot = Some(snapshot);
        if !agrees {
            self.written = last.index;
        }
        gone
    }
}

impl Default for Log {
    fn default() -> Log {
        Log::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brokers::rabbitmq::message::ra::Command;
    use crate::engine::Time;

    fn entry(term: Term) -> Entry {
        Entry { term, at: Time::ZERO, command: Command::Noop }
    }

    fn log(terms: &[Term]) -> Log {
        let mut log = Log::new();
        for &term in terms {
            log.append(entry(term));
        }
        log
    }

    fn at(term: Term, index: Index) -> Position {
        Position { term, index }
    }

    #[test]
    fn a_late_fsync_of_what_was_overwritten_counts_for_nothing() {
        let mut log = log(&[1, 1, 1]);
        assert!(log.fsynced(at(1, 2)));
        log.truncate(1);
        assert_eq!(log.written(), 1);
        log.append(entry(2));
        assert!(!log.fsynced(at(1, 2)), "entry 2 is of another term now");
        assert!(log.fsynced(at(2, 2)));
        assert_eq!(log.last(), at(2, 2));
    }

    #[test]
    fn a_snapshot_takes_the_place_of_what_it_covers() {
        let mut log = log(&[1, 1, 2, 2]);
        log.recovered();
        let state = Arc::new(Fifo::default());
        let cluster = Arc::new(Cluster::default());
        let first = Snapshot { last: at(2, 3), state: state.clone(), cluster: cluster.clone() };
        assert_eq!(log.shorten(first).len(), 3);
        assert_eq!((log.base(), log.last(), log.written()), (at(2, 3), at(2, 4), 4));
        assert_eq!((log.term_at(3), log.term_at(2), log.term_at(4)), (Some(2), None, Some(2)));
        let later = Snapshot { last: at(5, 9), state, cluster };
        assert_eq!(log.shorten(later).len(), 1, "it was behind");
        assert_eq!((log.last(), log.written()), (at(5, 9), 9));
    }
}
