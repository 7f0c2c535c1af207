//! The journal of a KahaDB and what its index says, without clocks or disks.
//!
//! Records are appended in batches, a batch is whole or it is nothing, and files of the journal are
//! deleted when nothing refers to them. What a death leaves of the files says which records there are,
//! and these alone say which messages there are: the index on disk only spares reading all of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::message::{Append, Jms, MessageId, QueueId};

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `KahaAddMessageCommand`.
    Add,
    /// `KahaRemoveMessageCommand`.
    Remove,
    /// `KahaCommitCommand`.
    Commit,
    /// `KahaProducerAuditCommand`: what was stored last of each producer.
    Audit,
}

/// A record of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it says.
    pub op: Op,
    /// Of which queue.
    pub queue: QueueId,
    /// Of which message.
    pub message: Jms,
    /// In which transaction, 0 for none; of an audit, which of its images.
    pub of: u32,
    /// Where its batch ends in its file; known once it is appended.
    pub end: u64,
}

/// What an audit says: the sequence id behind the last message of each producer.
pub type Image = Arc<BTreeMap<u32, u32>>;

/// What a record does to the messages that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whether one is added or removed; none if it is lost.
    pub added: Option<bool>,
    /// The queue.
    pub queue: QueueId,
    /// The message.
    pub message: Jms,
}

/// A message of a queue.
pub type Place = (QueueId, MessageId);

/// A file of the journal (`db-1.log`).
#[derive(Clone, Debug, PartialEq)]
struct DataFile {
    number: u32,
    length: u64,
    records: Vec<Record>,
    /// How many messages that are not acknowledged it holds, those of open transactions included.
    live: u32,
    /// The earlier files of whose messages it has acknowledgements, ascending.
    acks_for: Vec<u32>,
}

impl DataFile {
    const fn new(number: u32) -> DataFile {
        DataFile { number, length: 0, records: Vec::new(), live: 0, acks_for: Vec::new() }
    }
}

/// A message in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Indexed {
    message: Jms,
    /// Its place in the order of what was stored.
    sequence: u64,
    file: u32,
    end: u64,
}

/// A KahaDB.
#[derive(Clone, Debug, PartialEq)]
pub struct Journal {
    /// `journalMaxFileLength`.
    file_length: u64,
    files: VecDeque<DataFile>,
    index: BTreeMap<Place, Indexed>,
    sequence: u64,
    /// Records of transactions that are neither committed nor rolled back, with their files.
    open: BTreeMap<u32, Vec<(u32, Record)>>,
    /// The sequence id behind the last message that was stored, by producer
    /// (`ActiveMQMessageAuditNoSync.getLastSeqId`).
    stored: BTreeMap<u32, u32>,
    images: BTreeMap<u32, Image>,
    next_image: u32,
}

impl Journal {
    /// An empty one.
    #[must_use]
    pub fn new(file_length: u64) -> Journal {
        Journal {
            file_length,
            files: VecDeque::from([DataFile::new(1)]),
            index: BTreeMap::new(),
            sequence: 0,
            open: BTreeMap::new(),
            stored: BTreeMap::new(),
            images: BTreeMap::new(),
            next_image: 1,
        }
    }

    fn last(&self) -> &DataFile {
        self.files.back().expect("there is a file to append to")
    }

    /// The file that is appended to, and its length.
    #[must_use]
    pub fn tail(&self) -> (u32, u64) {
        (self.last().number, self.last().length)
    }

    /// The files and their lengths, in order.
    pub fn files(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.files.iter().map(|file| (file.number, file.length))
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.length).sum()
    }

    /// All records, in order, each with its file.
    pub fn records(&self) -> impl Iterator<Item = (u32, &Record)> + '_ {
        let of = |file: &DataFile| file.number;
        self.files.iter().flat_map(move |file| file.records.iter().map(move |r| (of(file), r)))
    }

    /// Makes a new file if a batch of so many bytes has no room in the last one; the file that the
    /// batch goes into.
    pub fn file_for(&mut self, bytes: u64) -> u32 {
        let (number, length) = self.tail();
        if length > 0 && length + bytes > self.file_length {
            self.files.push_back(DataFile::new(number + 1));
            return number + 1;
        }
        number
    }

    /// Appends a batch of so many bytes to the last file, whole; where it ends there.
    pub fn append(&mut self, records: impl IntoIterator<Item = Record>, bytes: u64) -> u64 {
        let file = self.files.back_mut().expect("there is a file to append to");
        file.length += bytes;
        let (number, end) = (file.number, file.length);
        for record in records {
            let record = Record { end, ..record };
            let file = self.files.back_mut().expect("there is a file to append to");
            file.records.push(record);
            self.apply(number, record);
        }
        end
    }

    fn file_mut(&mut self, number: u32) -> Option<&mut DataFile> {
        self.files.iter_mut().rev().find(|file| file.number == number)
    }

    fn live(&mut self, number: u32, more: bool) {
        if let Some(file) = self.file_mut(number) {
            file.live = if more { file.live + 1 } else { file.live.saturating_sub(1) };
        }
    }

    /// `MessageDatabase.process`, `updateIndex`.
    fn apply(&mut self, file: u32, record: Record) {
        match record.op {
            Op::Commit => {
                for (file, record) in self.open.remove(&record.of).unwrap_or_default() {
                    if record.op == Op::Add {
                        self.live(file, false);
                    }
                    self.apply(file, Record { of: 0, ..record });
                }
            }
            Op::Audit => {
                if let Some(image) = self.images.get(&record.of) {
                    for (producer, next) in image.iter() {
                        let known = self.stored.entry(*producer).or_default();
                        *known = (*known).max(*next);
                    }
                }
            }
            Op::Add | Op::Remove if record.of > 0 => {
                if record.op == Op::Add {
                    self.live(file, true);
                }
                self.open.entry(record.of).or_default().push((file, record));
            }
            Op::Add => {
                let id = record.message.id();
                let known = self.stored.entry(id.producer).or_default();
                *known = (*known).max(id.sequence + 1);
                let (message, sequence, end) = (record.message, self.sequence, record.end);
                self.sequence += 1;
                let indexed = Indexed { message, sequence, file, end };
                if self.index.insert((record.queue, id), indexed).is_none() {
                    self.live(file, true);
                }
            }
            Op::Remove => {
                let Some(gone) = self.index.remove(&(record.queue, record.message.id())) else {
                    return;
                };
                self.live(gone.file, false);
                if gone.file != file
                    && let Some(own) = self.file_mut(file)
                    && let Err(at) = own.acks_for.binary_search(&gone.file)
                {
                    own.acks_for.insert(at, gone.file);
                }
            }
        }
    }

    /// Whether the index has a message of a queue.
    #[must_use]
    pub fn has(&self, place: Place) -> bool {
        self.index.contains_key(&place)
    }

    /// The file with a message of a queue, and where its batch ends there.
    #[must_use]
    pub fn location(&self, place: Place) -> Option<(u32, u64)> {
        self.index.get(&place).map(|indexed| (indexed.file, indexed.end))
    }

    /// The messages of all queues, in the order in which they were stored.
    #[must_use]
    pub fn messages(&self) -> Vec<(QueueId, Jms)> {
        let mut all: Vec<_> = self.index.iter().collect();
        all.sort_by_key(|(_, indexed)| indexed.sequence);
        all.into_iter().map(|((queue, _), indexed)| (*queue, indexed.message)).collect()
    }

    /// The sequence id behind the last message of a producer that was stored.
    #[must_use]
    pub fn stored(&self, producer: u32) -> u32 {
        self.stored.get(&producer).copied().unwrap_or(0)
    }

    /// A record of what was stored last of each producer.
    pub fn audit(&mut self, message: Jms) -> Record {
        let image = self.next_image;
        self.next_image += 1;
        self.images.insert(image, Arc::new(self.stored.clone()));
        Record { op: Op::Audit, queue: message.origin, message, of: image, end: 0 }
    }

    /// A transaction is rolled back: its records mean nothing.
    pub fn roll_back(&mut self, transaction: u32) {
        for (file, record) in self.open.remove(&transaction).unwrap_or_default() {
            if record.op == Op::Add {
                self.live(file, false);
            }
        }
    }

    /// `checkpointUpdate(cleanup)`: deletes the files that hold no message and no acknowledgement of a
    /// message in a file that is kept; those files with their lengths.
    pub fn collect(&mut self) -> Vec<(u32, u64)> {
        let current = self.last().number;
        let mut kept: Vec<u32> = Vec::new();
        let mut gone = Vec::new();
        for file in &self.files {
            let needed = file.live > 0
                || file.number == current
                || file.acks_for.iter().any(|of| kept.contains(of));
            if needed {
                kept.push(file.number);
            } else {
                gone.push((file.number, file.length));
            }
        }
        self.files.retain(|file| kept.contains(&file.number));
        let images = self.files.iter().flat_map(|file| &file.records);
        let first = images.filter(|record| record.op == Op::Audit).map(|record| record.of).min();
        self.images = self.images.split_off(&first.unwrap_or(self.next_image));
        gone
    }

    /// A death has left so many bytes of each file: batches beyond that are not whole. Behind one that
    /// is not, recovery looks for the next that is (`Journal.recoveryCheck`), or `truncates` all.
    pub fn lose(&mut self, kept: impl Fn(u32) -> u64, truncates: bool) {
        let mut damaged = false;
        for file in &mut self.files {
            let kept = if truncates && damaged { 0 } else { kept(file.number).min(file.length) };
            damaged |= kept < file.length;
            file.records.retain(|record| record.end <= kept);
            file.length = kept;
        }
    }

    /// `MessageDatabase.recover`: what the records say, from the first on. Transactions without a
    /// commit are rolled back; so many messages were in them. The last file ends with its last batch.
    pub fn recover(&mut self) -> u64 {
        self.index.clear();
        self.open.clear();
        self.stored.clear();
        self.sequence = 0;
        for file in &mut self.files {
            file.live = 0;
            file.acks_for.clear();
            file.length = file.records.last().map_or(0, |record| record.end);
        }
        let records: Vec<(u32, Record)> = self.records().map(|(file, r)| (file, *r)).collect();
        for (file, record) in records {
            self.apply(file, record);
        }
        let open: Vec<u32> = self.open.keys().copied().collect();
        let adds = self.open.values().flatten().filter(|(_, record)| record.op == Op::Add).count();
        open.into_iter().for_each(|transaction| self.roll_back(transaction));
        adds as u64
    }

    /// The images of the audits among some records.
    #[must_use]
    pub fn images_of(&self, records: &[Record]) -> Vec<(u32, Image)> {
        let audits = records.iter().filter(|record| record.op == Op::Audit);
        let image = |record: &Record| Some((record.of, self.images.get(&record.of)?.clone()));
        audits.filter_map(image).collect()
    }

    /// Bytes of a file.
    #[must_use]
    pub fn length_of(&self, number: u32) -> u64 {
        self.files.iter().find(|file| file.number == number).map_or(0, |file| file.length)
    }

    /// Deletes a file; its length. There is always one.
    pub fn delete(&mut self, number: u32) -> u64 {
        let length = self.length_of(number);
        if self.files.len() > 1 {
            self.files.retain(|file| file.number != number);
        }
        length
    }

    /// What a record that is appended will do.
    fn changes_of(&self, record: &Record, changes: &mut Vec<Change>) {
        let Record { op, queue, message, of, .. } = *record;
        let has = self.has((queue, message.id()));
        match op {
            Op::Commit => {
                for (_, record) in self.open.get(&of).into_iter().flatten() {
                    self.changes_of(&Record { of: 0, ..*record }, changes);
                }
            }
            Op::Add if of == 0 && !has => {
                changes.push(Change { added: Some(true), queue, message })
            }
            Op::Remove if of == 0 && has => {
                changes.push(Change { added: Some(false), queue, message });
            }
            Op::Add | Op::Remove | Op::Audit => {}
        }
    }

    /// Writes a batch at its place, whatever is there, and tells what that does to messages; how many
    /// are lost by it, because their records were overwritten.
    pub fn place(&mut self, append: &Append, changes: &mut Vec<Change>) -> u64 {
        self.images.extend(append.images.iter().cloned());
        let (last, length) = self.tail();
        let follows = append.file == last && append.at == length;
        if follows || append.file > last && append.at == 0 {
            if !follows {
                self.files.push_back(DataFile::new(append.file));
            }
            for record in &append.records {
                self.changes_of(record, changes);
            }
            self.append(append.records.iter().copied(), append.bytes);
            return 0;
        }
        let before = self.messages();
        let end = append.at + append.bytes;
        let at = self.files.partition_point(|file| file.number < append.file);
        if self.files.get(at).is_none_or(|file| file.number != append.file) {
            self.files.insert(at, DataFile::new(append.file));
        }
        let file = &mut self.files[at];
        let mut start = 0;
        let mut batch = 0;
        file.records.retain(|record| {
            if record.end != batch {
                (start, batch) = (batch, record.end);
            }
            record.end <= append.at || start >= end
        });
        let own = append.records.iter().map(|record| Record { end, ..*record });
        let place = file.records.partition_point(|record| record.end <= append.at);
        file.records.splice(place..place, own);
        self.recover();
        let had: BTreeSet<Place> = before.iter().map(|(queue, m)| (*queue, m.id())).collect();
        let gone = before.into_iter().filter(|(queue, m)| !self.has((*queue, m.id())));
        let gone = gone.map(|(queue, message)| Change { added: None, queue, message });
        let gone: Vec<Change> = gone.collect();
        let count = gone.len() as u64;
        changes.extend(gone);
        for (queue, message) in self.messages() {
            if !had.contains(&(queue, message.id())) {
                changes.push(Change { added: Some(true), queue, message });
            }
        }
        count
    }

    /// The disk is empty.
    pub fn clear(&mut self) {
        *self = Journal::new(self.file_length);
    }
}

#[cfg(test)]
mod tests;
