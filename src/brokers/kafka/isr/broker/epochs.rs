//! Where each leader epoch begins in a log (`LeaderEpochFileCache`, KIP-101).

use super::super::message::EpochEnd;

/// (epoch, start offset), both ascending. Kept in the file `leader-epoch-checkpoint`, which is
/// written whenever it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochCache {
    entries: Vec<(u32, u64)>,
}

impl EpochCache {
    /// Notes that an epoch begins at an offset. What it knew of later ones, or from that offset
    /// on, was wrong, and `cuts` says that it is forgotten (LeaderEpochFileCache.scala 2.0,
    /// `assign`).
    pub fn assign(&mut self, epoch: u32, start: u64, cuts: bool) {
        if self.entries.last().is_some_and(|(last, at)| *last == epoch && *at <= start) {
            return;
        }
        if cuts {
            self.entries.retain(|(other, at)| *other < epoch && *at < start);
        }
        self.entries.push((epoch, start));
    }

    /// The latest epoch, if there is any.
    #[must_use]
    pub fn latest(&self) -> Option<u32> {
        self.entries.last().map(|(epoch, _)| *epoch)
    }

    /// Its entries.
    #[must_use]
    pub fn entries(&self) -> &[(u32, u64)] {
        &self.entries
    }

    /// The start of the first epoch after one, or `end`.
    fn end_of(&self, epoch: u32, end: u64) -> u64 {
        let next = self.entries.iter().find(|(other, _)| *other > epoch);
        next.map_or(end, |(_, start)| *start)
    }

    /// The greatest epoch that is not after the one asked about, and where it ends in a log that
    /// ends at `end`; `None` if nothing is known (KIP-279; LeaderEpochFileCache.scala 2.0,
    /// `endOffsetFor`).
    #[must_use]
    pub fn end_for(&self, epoch: u32, end: u64) -> Option<EpochEnd> {
        let (first, last) = (self.entries.first()?, self.entries.last()?);
        if epoch > last.0 {
            return None;
        }
        if epoch < first.0 {
            return Some(EpochEnd { epoch, end: first.1 });
        }
        let found = self.entries.iter().rfind(|(other, _)| *other <= epoch)?;
        Some(EpochEnd { epoch: found.0, end: self.end_of(epoch, end) })
    }

    /// As before 2.0: the end of the very epoch that is asked about, as the start of the next one
    /// that is known, whichever that is (LeaderEpochFileCache.scala 0.11, `endOffsetFor`).
    #[must_use]
    pub fn end_for_same(&self, epoch: u32, end: u64) -> Option<EpochEnd> {
        let last = self.entries.last()?;
        if epoch > last.0 || epoch < self.entries[0].0 {
            return None;
        }
        Some(EpochEnd { epoch, end: self.end_of(epoch, end) })
    }

    /// Forgets what begins at or after the end of the log.
    pub fn truncate(&mut self, end: u64) {
        self.entries.retain(|(_, start)| *start < end);
    }

    /// The log begins here: of the epochs before, only the one that goes on there is of account
    /// (LeaderEpochFileCache.java, `truncateFromStartAsyncFlush`).
    pub fn release(&mut self, start: u64) {
        let before = self.entries.partition_point(|(_, at)| *at <= start);
        self.entries.drain(..before.saturating_sub(1));
        if let Some((_, at)) = self.entries.first_mut() {
            *at = (*at).max(start);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(entries: &[(u32, u64)]) -> EpochCache {
        let mut cache = EpochCache::default();
        entries.iter().for_each(|(epoch, start)| cache.assign(*epoch, *start, true));
        cache
    }

    #[test]
    fn the_end_of_an_epoch_is_the_start_of_the_next() {
        let cache = cache(&[(1, 0), (3, 21)]);
        let end = |epoch, end| Some(EpochEnd { epoch, end });
        assert_eq!(cache.end_for(1, 31), end(1, 21));
        assert_eq!(cache.end_for(2, 31), end(1, 21), "the one before, since 2 is not known");
        assert_eq!(cache.end_for_same(2, 31), end(2, 21), "KIP-279: as if it were known");
        assert_eq!(cache.end_for(3, 31), end(3, 31));
        assert_eq!(cache.end_for(4, 31), None);
        assert_eq!(cache.end_for(0, 31), end(0, 0));
    }

    #[test]
    fn a_newer_truth_replaces_an_older_one() {
        let mut cache = cache(&[(1, 0), (2, 11), (3, 11)]);
        assert_eq!(cache.entries(), [(1, 0), (3, 11)]);
        cache.truncate(11);
        assert_eq!(cache.entries(), [(1, 0)]);
    }

    #[test]
    fn a_log_whose_start_moves_keeps_the_epoch_there() {
        let mut cache = cache(&[(1, 0), (3, 21), (4, 40)]);
        cache.release(30);
        assert_eq!(cache.entries(), [(3, 30), (4, 40)]);
        cache.release(50);
        assert_eq!(cache.entries(), [(4, 50)]);
    }
}
