//! The journal (`JournalImpl`) and what its records say, without clocks or disks.
//!
//! Records are appended one after the other and have their places in one long order, of which each file
//! has a stretch. Messages are what the records say: a body, a reference from a queue, acknowledgements.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::message::{CoreMessage, QueueId};

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `ADD_MESSAGE`: a body, which nothing refers to yet.
    Body,
    /// `ADD_REF`: the message is in a queue.
    Reference,
    /// `ACKNOWLEDGE_RECORD`: it is not any more.
    Ack,
    /// `UPDATE_DELIVERY_COUNT`.
    Count(u32),
    /// The transaction of so many records is committed.
    Commit(u32),
}

/// A record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it says.
    pub op: Op,
    /// Of which queue.
    pub queue: QueueId,
    /// In which transaction; 0 for none.
    pub of: u32,
    /// Of which message.
    pub message: CoreMessage,
    /// How the broker has numbered it (`messageID`).
    pub id: u64,
    /// Where the record ends; known once it is appended.
    pub end: u64,
}

/// A message in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The queue.
    pub queue: QueueId,
    /// The message.
    pub message: CoreMessage,
    /// How often it was delivered, as far as that is recorded.
    pub count: u32,
    /// Where its record ends.
    pub end: u64,
}

/// What a record does to the messages that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whether a message is added or removed.
    pub added: bool,
    /// The queue.
    pub queue: QueueId,
    /// The message.
    pub message: CoreMessage,
}

/// A file of the journal, by where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct JournalFile {
    number: u32,
    start: u64,
    length: u64,
}

impl JournalFile {
    const fn end(&self) -> u64 {
        self.start + self.length
    }
}

/// What was sent with a duplicate id to an address, the newest last (`DuplicateIDCache`).
#[derive(Clone, Debug, Default, PartialEq)]
struct Cache {
    known: BTreeSet<(u32, u32)>,
    order: VecDeque<((u32, u32), u64)>,
}

/// The journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    /// `journal-file-size`.
    file_size: u64,
    /// `id-cache-size`.
    cache_size: usize,
    files: VecDeque<JournalFile>,
    records: VecDeque<Record>,
    end: u64,
    /// Bodies without a reference.
    bodies: BTreeSet<u64>,
    index: BTreeMap<u64, Held>,
    /// Records of transactions that are not committed.
    open: BTreeMap<u32, Vec<Record>>,
    caches: BTreeMap<QueueId, Cache>,
    next_id: u64,
    next_transaction: u32,
    /// The last file when it was looked for files that nothing needs.
    collected: u32,
}

impl Store {
    /// An empty one.
    #[must_use]
    pub fn new(file_size: u64, cache_size: usize) -> Store {
        Store {
            file_size,
            cache_size,
            files: VecDeque::from([JournalFile { number: 0, start: 0, length: 0 }]),
            records: VecDeque::new(),
            end: 0,
            bodies: BTreeSet::new(),
            index: BTreeMap::new(),
            open: BTreeMap::new(),
            caches: BTreeMap::new(),
            next_id: 1,
            next_transaction: 1,
            collected: 0,
        }
    }

    /// Where it ends.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Where its last file begins.
    #[must_use]
    pub fn last_start(&self) -> u64 {
        self.files.back().map_or(self.end, |file| file.start)
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.length).sum()
    }

    /// A number for the next message.
    pub const fn number(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// A number for the next transaction.
    pub const fn transaction(&mut self) -> u32 {
        self.next_transaction += 1;
        self.next_transaction - 1
    }

    /// Appends a record of so many bytes; where it ends.
    pub fn append(&mut self, record: Record, bytes: u32) -> u64 {
        let bytes = u64::from(bytes);
        let (number, length) = self.files.back().map_or((0, 0), |file| (file.number, file.length));
        if self.files.is_empty() || length > 0 && length + bytes > self.file_size {
            let start = self.end;
            self.files.push_back(JournalFile { number: number + 1, start, length: 0 });
        }
        self.end += bytes;
        if let Some(file) = self.files.back_mut() {
            file.length += bytes;
        }
        let record = Record { end: self.end, ..record };
        self.records.push_back(record);
        self.next_id = self.next_id.max(record.id + 1);
        self.next_transaction = self.next_transaction.max(record.of + 1);
        self.apply(record);
        self.end
    }

    /// What a record that is appended next will do.
    pub fn changes_of(&self, record: &Record, changes: &mut Vec<Change>) {
        let Record { op, of, queue, message, id, .. } = *record;
        match op {
            Op::Commit(_) => {
                for own in self.open.get(&of).into_iter().flatten() {
                    self.changes_of(&Record { of: 0, ..*own }, changes);
                }
            }
            Op::Reference if of == 0 => changes.push(Change { added: true, queue, message }),
            Op::Ack if of == 0 && self.index.contains_key(&id) => {
                changes.push(Change { added: false, queue, message });
            }
            Op::Body | Op::Reference | Op::Ack | Op::Count(_) => {}
        }
    }

    /// What lies between two places: of each file the bytes that do.
    pub fn stretch(&self, from: u64, to: u64) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.files.iter().filter_map(move |file| {
            let bytes = file.end().min(to).saturating_sub(file.start.max(from));
            (bytes > 0).then_some((file.number, bytes))
        })
    }

    /// The files with their lengths.
    pub fn files(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.files.iter().map(|file| (file.number, file.length))
    }

    /// The records behind a place, with their bytes.
    #[must_use]
    pub fn since(&self, from: u64) -> Vec<(Record, u32)> {
        let first = self.records.partition_point(|record| record.end <= from);
        let mut last = from;
        let bytes = |record: &Record| {
            let bytes = u32::try_from(record.end - last).unwrap_or(u32::MAX);
            last = record.end;
            (*record, bytes)
        };
        self.records.range(first..).map(bytes).collect()
    }

    fn apply(&mut self, record: Record) {
        let Record { op, of, id, .. } = record;
        if let Op::Commit(count) = op {
            let records = self.open.remove(&of).unwrap_or_default();
            // What was lost of it in an earlier file it misses (`JournalTransaction.checkCommit`).
            if records.len() as u32 == count {
                records.into_iter().for_each(|own| self.apply(Record { of: 0, ..own }));
            }
            return;
        }
        if of > 0 {
            return self.open.entry(of).or_default().push(record);
        }
        match op {
            Op::Body => {
                self.bodies.insert(id);
            }
            Op::Reference if self.bodies.remove(&id) => {
                let Record { queue, message, end, .. } = record;
                self.index.insert(id, Held { queue, message, count: 0, end });
                if message.duplicate_id && queue == message.origin {
                    self.remember(queue, (message.range.producer.0, message.range.first), id);
                }
            }
            Op::Ack => {
                self.index.remove(&id);
            }
            Op::Count(count) => {
                if let Some(held) = self.index.get_mut(&id) {
                    held.count = count;
                }
            }
            Op::Reference | Op::Commit(_) => {}
        }
    }

    fn remember(&mut self, queue: QueueId, sent: (u32, u32), id: u64) {
        let cache = self.caches.entry(queue).or_default();
        if cache.known.insert(sent) {
            cache.order.push_back((sent, id));
        }
        while cache.order.len() > self.cache_size {
            if let Some((oldest, _)) = cache.order.pop_front() {
                cache.known.remove(&oldest);
            }
        }
    }

    /// Whether an address has had a message with this duplicate id.
    #[must_use]
    pub fn is_duplicate(&self, message: &CoreMessage) -> bool {
        let sent = (message.range.producer.0, message.range.first);
        self.caches.get(&message.origin).is_some_and(|cache| cache.known.contains(&sent))
    }

    /// The messages, in the order in which they were stored.
    pub fn messages(&self) -> impl Iterator<Item = (u64, &Held)> {
        self.index.iter().map(|(id, held)| (*id, held))
    }

    /// A message.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<&Held> {
        self.index.get(&id)
    }

    /// All records, in order.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    /// A transaction is rolled back: its records mean nothing.
    pub fn roll_back(&mut self, transaction: u32) {
        self.open.remove(&transaction);
    }

    /// What is behind a place is gone, as it is of a process that was killed.
    pub fn cut(&mut self, at: u64) {
        self.records.retain(|record| record.end <= at);
        for file in &mut self.files {
            file.length = file.length.min(at.saturating_sub(file.start));
        }
        self.end = self.end.min(at);
        self.drop_empty();
    }

    /// A death has left so many bytes of each file.
    pub fn lose(&mut self, kept: impl Fn(u32) -> u64) {
        for file in &mut self.files {
            let (left, to) = (kept(file.number).min(file.length), file.end());
            file.length = left;
            let from = file.end();
            self.records.retain(|record| record.end <= from || record.end > to);
        }
        self.drop_empty();
        self.end = self.files.back().map_or(self.end, JournalFile::end);
    }

    /// Files at the end in which nothing is are not there; the first always is.
    fn drop_empty(&mut self) {
        while self.files.len() > 1 && self.files.back().is_some_and(|file| file.length == 0) {
            self.files.pop_back();
        }
    }

    /// Everything is gone.
    pub fn clear(&mut self) {
        *self = Store::new(self.file_size, self.cache_size);
    }

    /// Loads what the records say, from the first on; so many messages were in transactions without a
    /// commit. It goes on behind the last record that is whole.
    pub fn load(&mut self) -> u64 {
        self.bodies.clear();
        self.index.clear();
        self.open.clear();
        self.caches.clear();
        let start = self.files.back().map_or(0, |file| file.start);
        self.cut(self.records.back().map_or(start, |record| record.end));
        for record in self.records.clone() {
            self.apply(record);
        }
        let open = std::mem::take(&mut self.open);
        let sends = open.values().flatten().filter(|record| record.op == Op::Reference).count();
        self.bodies.clear();
        sends as u64
    }

    /// Deletes the files that hold nothing that is needed; those files with their lengths. What is in a file
    /// that is kept would be there again without its acknowledgements, and a transaction of which a record
    /// is kept not without its commit (`Reclaimer`), so these are needed as well. It is looked for when a
    /// new file has begun.
    pub fn collect(&mut self) -> Vec<(u32, u64)> {
        let newest = self.files.back().map_or(0, |file| file.number);
        if self.files.len() == 1 || std::mem::replace(&mut self.collected, newest) == newest {
            return Vec::new();
        }
        let kept = self.needed_files();
        let mut gone = Vec::new();
        for (file, _) in self.files.iter().zip(&kept).filter(|(_, keeps)| !**keeps) {
            gone.push((file.number, file.length));
        }
        let files: Vec<(u64, bool)> =
            self.files.iter().map(JournalFile::end).zip(kept.iter().copied()).collect();
        let mut at = 0;
        self.records.retain(|record| {
            while at + 1 < files.len() && files[at].0 < record.end {
                at += 1;
            }
            files[at].1
        });
        let mut keeps = kept.into_iter();
        self.files.retain(|_| keeps.next().unwrap_or(true));
        gone
    }

    /// Which files are needed, the last one in any case.
    fn needed_files(&self) -> Vec<bool> {
        let last = self.files.len() - 1;
        let mut of_file: Vec<Vec<&Record>> = vec![Vec::new(); self.files.len()];
        let mut at = 0;
        for record in &self.records {
            while at < last && self.files[at].end() < record.end {
                at += 1;
            }
            of_file[at].push(record);
        }
        // What is needed beside the messages that are there.
        let cached = self.caches.values().flat_map(|cache| cache.order.iter().map(|(_, id)| *id));
        let open = self.open.values().flatten().map(|record| record.id);
        let mut ids: BTreeSet<u64> =
            cached.chain(open).chain(self.bodies.iter().copied()).collect();
        let bodies = |own: &Vec<&Record>| -> Vec<u64> {
            own.iter().filter(|own| own.op == Op::Body).map(|own| own.id).collect()
        };
        ids.extend(bodies(&of_file[last]));
        let mut whole: BTreeSet<u32> = BTreeSet::new();
        let mut kept = vec![false; self.files.len()];
        kept[last] = true;
        loop {
            let (before, transactions) = (ids.len(), whole.len());
            for record in self.records.iter().filter(|record| record.of > 0) {
                if self.index.contains_key(&record.id) || ids.contains(&record.id) {
                    whole.insert(record.of);
                }
            }
            for at in (0..last).filter(|at| !kept[*at]).collect::<Vec<_>>() {
                let needs = |own: &&Record| {
                    self.index.contains_key(&own.id)
                        || ids.contains(&own.id)
                        || whole.contains(&own.of)
                };
                if of_file[at].iter().any(needs) {
                    kept[at] = true;
                    let more = bodies(&of_file[at]);
                    ids.extend(more);
                }
            }
            if (ids.len(), whole.len()) == (before, transactions) {
                return kept;
            }
        }
    }
}
