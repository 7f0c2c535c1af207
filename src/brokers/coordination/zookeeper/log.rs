//! A server's transaction log and the snapshot that it begins with (`FileTxnLog.java`,
//! `ZKDatabase.java` 3.4.14): what its disk holds.
//!
//! The real log is kept in files of 100,000 transactions with a snapshot each; here what is old is
//! folded into one snapshot all the time, which costs no I/O. The last [`KEPT`] transactions stay,
//! for followers that are not far behind.

use std::collections::VecDeque;
use std::sync::Arc;

use super::data::{Data, Zxid};
use super::tree::{Entry, Tree};

/// `ZKDatabase.commitLogCount`.
pub(super) const KEPT: usize = 500;

/// A state of the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot<D> {
    /// Everything up to [`zxid`](Self::zxid).
    pub tree: Tree<D>,
    /// The last transaction in it.
    pub zxid: Zxid,
}

#[derive(Clone, Debug)]
struct Logged<D> {
    entry: Arc<Entry<D>>,
    /// The length of the file with it.
    end: u64,
}

/// A snapshot and the transactions after it, with their places in the file.
#[derive(Clone, Debug)]
pub struct Log<D> {
    base: Snapshot<D>,
    base_end: u64,
    entries: VecDeque<Logged<D>>,
}

impl<D: Data> Log<D> {
    /// A log that begins with a snapshot, which ends at this offset of the file.
    #[must_use]
    pub fn new(base: Snapshot<D>, base_end: u64) -> Log<D> {
        Log { base, base_end, entries: VecDeque::new() }
    }

    /// What it begins with.
    #[must_use]
    pub fn base(&self) -> &Snapshot<D> {
        &self.base
    }

    /// Where the snapshot ends in the file.
    #[must_use]
    pub fn base_end(&self) -> u64 {
        self.base_end
    }

    /// The last transaction.
    #[must_use]
    pub fn last(&self) -> Zxid {
        self.entries.back().map_or(self.base.zxid, |logged| logged.entry.zxid)
    }

    /// The length of the file.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.entries.back().map_or(self.base_end, |logged| logged.end)
    }

    /// Adds a transaction; `end` is the length of the file with it.
    pub fn append(&mut self, entry: Arc<Entry<D>>, end: u64) {
        debug_assert!(entry.zxid > self.last(), "{} after {}", entry.zxid, self.last());
        debug_assert!(end > self.end(), "the file grows");
        self.entries.push_back(Logged { entry, end });
    }

    /// How many transactions there are after the snapshot.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is nothing after the snapshot.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn after_index(&self, zxid: Zxid) -> usize {
        self.entries.partition_point(|logged| logged.entry.zxid <= zxid)
    }

    /// The transactions after `zxid`, of those that are kept.
    pub fn after(&self, zxid: Zxid) -> impl Iterator<Item = &Arc<Entry<D>>> {
        self.entries.range(self.after_index(zxid)..).map(|logged| &logged.entry)
    }

    /// The last transaction that is not after `zxid`; `None` if that was folded away.
    #[must_use]
    pub fn last_until(&self, zxid: Zxid) -> Option<Zxid> {
        match self.after_index(zxid) {
            0 => (zxid >= self.base.zxid).then_some(self.base.zxid),
            index => Some(self.entries[index - 1].entry.zxid),
        }
    }

    /// The last transaction that lies in the first `length` bytes of the file.
    #[must_use]
    pub fn last_within(&self, length: u64) -> Zxid {
        match self.entries.partition_point(|logged| logged.end <= length) {
            0 => self.base.zxid,
            index => self.entries[index - 1].entry.zxid,
        }
    }

    /// Drops what is after `zxid`. `false` if the snapshot is: it cannot be undone.
    #[must_use]
    pub fn truncate(&mut self, zxid: Zxid) -> bool {
        self.entries.truncate(self.after_index(zxid));
        self.base.zxid <= zxid
    }

    /// Drops what does not lie in the first `length` bytes of the file.
    pub fn trim(&mut self, length: u64) {
        self.entries.truncate(self.entries.partition_point(|logged| logged.end <= length));
    }

    /// Puts into the snapshot what is neither after `zxid` nor beyond `length` of the file, but for
    /// the last `KEPT`. Returns the bytes that were in the file.
    pub fn fold(&mut self, zxid: Zxid, length: u64) -> u64 {
        let before = self.base_end;
        while self.entries.len() > KEPT
            && let Some(first) = self.entries.front()
            && first.entry.zxid <= zxid
            && first.end <= length
        {
            let Entry { zxid, session, txn, .. } = &*first.entry;
            // What a failed transaction says matters to nobody any more.
            self.base.tree.apply(*zxid, *session, txn, &mut Vec::new()).ok();
            (self.base.zxid, self.base_end) = (*zxid, first.end);
            self.entries.pop_front();
        }
        self.base_end - before
    }

    /// The state after `zxid`.
    #[must_use]
    pub fn state(&self, zxid: Zxid) -> Tree<D> {
        let mut tree = self.base.tree.clone();
        for logged in self.entries.range(..self.after_index(zxid)) {
            let Entry { zxid, session, txn, .. } = &*logged.entry;
            tree.apply(*zxid, *session, txn, &mut Vec::new()).ok();
        }
        tree
    }
}
