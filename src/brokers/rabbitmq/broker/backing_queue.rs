//! The messages of one queue replica: `rabbit_variable_queue` over `rabbit_queue_index` v1.
//!
//! Messages stand in publish order under the queue's own numbers. A persistent message of a durable
//! queue gets a journal record; records wait in the process's buffer until a flush writes and fsyncs
//! them in one go, which is what releases its confirm
//! (rabbit_queue_index.erl v3.10: `flush`, `sync`; rabbit_amqqueue_process.erl: `next_state`).

use std::collections::VecDeque;

use crate::engine::Time;
use crate::observe::{BecauseId, DestinationId, MessageRange, NodeId, Observer, Removal};
use crate::world::{Context, Death, DiskError, DiskView, FileId};

use super::super::letters::LetterId;
use super::super::message::{Message, Pid, Properties, PublishSeq, QueueSeq};
use super::super::words::{CONSUMED, because, cause};

/// Bytes of a journal record beside the embedded body: sequence, message id, properties, expiry
/// (rabbit_queue_index.erl: `?PUB_RECORD_SIZE_BYTES` and the serialised basic message around it).
const PUBLISH_RECORD_BYTES: u64 = 180;
/// Bytes of an acknowledgement's or a delivery's record (rabbit_queue_index.erl: `?REL_SEQ_BITS`).
const ACK_RECORD_BYTES: u64 = 8;

/// Where a message stands with regard to consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for a consumer.
    Ready,
    /// A consumer has it and has not acknowledged it.
    Unacked,
    /// Settled; kept only while its journal record may still come back.
    Gone,
}

/// How far a message's journal record has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// None: transient, or settled before it was written.
    None,
    /// In the process's buffer.
    Buffered,
    /// Handed to the operating system, up to the entry's offset.
    Written,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    message: MessageRange,
    /// End of the record in the journal, once written.
    offset: u64,
    state: State,
    record: Record,
    /// Will be delivered with `redelivered = true`.
    delivered: bool,
    persistent: bool,
    /// Where it was sent to: elsewhere, if it was dead-lettered to this queue.
    origin: DestinationId,
}

/// What few messages have: a time to live, a past as a dead letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// When it expires.
    pub expires: Option<Time>,
    /// What it remembers of being dead-lettered.
    pub letter: LetterId,
    /// Where it was sent to, if that is not this queue.
    pub origin: Option<DestinationId>,
}

/// A confirm that waits for the journal.
#[derive(Clone, Copy, Debug)]
struct Unconfirmed {
    id: QueueSeq,
    channel: Pid,
    seq: PublishSeq,
    settled: bool,
}

/// A confirm that is due: to which channel, for which of its publishes.
pub type DueConfirm = (Pid, PublishSeq);

/// What a consumer is handed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The message's number in its queue.
    pub id: QueueSeq,
    /// The message.
    pub message: MessageRange,
    /// The `redelivered` flag.
    pub redelivered: bool,
    /// What it remembers of being dead-lettered.
    pub letter: LetterId,
}

/// The oldest ready message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number in its queue.
    pub id: QueueSeq,
    /// When it expires.
    pub expires: Option<Time>,
}

/// A message that its queue has given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// The message.
    pub message: MessageRange,
    /// `delivery_mode = 2`.
    pub persistent: bool,
    /// What it remembers of being dead-lettered.
    pub letter: LetterId,
    /// The confirm that was still waiting for it, which is due now.
    pub due: Option<DueConfirm>,
}

/// A message as it stands in a replica, for those who look on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its number in its queue.
    pub id: QueueSeq,
    /// The message.
    pub message: MessageRange,
    /// Where it stands with regard to consumers.
    pub state: State,
    /// Whether its next delivery will be flagged as `redelivered`.
    pub redelivered: bool,
    /// How far its journal record has come.
    pub record: Record,
    /// Whether the record has been fsynced.
    pub durable: bool,
}

/// When the journal wants to be flushed (rabbit_queue_index.erl: `needs_sync`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeedsSync {
    /// Nothing is buffered.
    No,
    /// Once the process has been idle for its sync interval: nobody waits for a confirm.
    WhenIdleLong,
    /// As soon as the mailbox is empty, or after the sync interval: confirms wait.
    Soon,
}

/// The messages of one replica.
#[derive(Clone, Debug)]
pub struct BackingQueue {
    destination: DestinationId,
    durable: bool,
    file: FileId,
    base: QueueSeq,
    entries: VecDeque<Entry>,
    /// No ready entry has a smaller number.
    ready_from: QueueSeq,
    ready: u64,
    ready_bytes: u64,
    unacked: u64,
    /// In queue order, of those messages that have any.
    extras: VecDeque<(QueueSeq, Extra)>,
    unconfirmed: VecDeque<Unconfirmed>,
    /// Publish and acknowledgement records that are not written yet, in order.
    buffered_publishes: VecDeque<QueueSeq>,
    buffered_acks: Vec<QueueSeq>,
    /// Acknowledgements that are written, with the offset of their records, not yet durable.
    written_acks: VecDeque<(QueueSeq, u64)>,
    /// Bytes handed to the operating system, and how many of them were fsynced.
    written: u64,
    durable_bytes: u64,
    buffered_entries: u64,
}

impl BackingQueue {
    /// An empty queue whose journal is `file`.
    #[must_use]
    pub fn new(destination: DestinationId, durable: bool, file: FileId) -> BackingQueue {
        BackingQueue {
            destination,
            durable,
            file,
            base: 1,
            entries: VecDeque::new(),
            ready_from: 1,
            ready: 0,
            ready_bytes: 0,
            unacked: 0,
            extras: VecDeque::new(),
            unconfirmed: VecDeque::new(),
            buffered_publishes: VecDeque::new(),
            buffered_acks: Vec::new(),
            written_acks: VecDeque::new(),
            written: 0,
            durable_bytes: 0,
            buffered_entries: 0,
        }
    }

    /// Messages ready for delivery.
    #[must_use]
    pub fn ready(&self) -> u64 {
        self.ready
    }

    /// Bytes of the payloads of messages ready for delivery.
    #[must_use]
    pub fn ready_bytes(&self) -> u64 {
        self.ready_bytes
    }

    /// Ready and unacknowledged messages.
    #[must_use]
    pub fn depth(&self) -> u64 {
        self.ready + self.unacked
    }

    /// The number that the next message gets.
    #[must_use]
    pub fn next_id(&self) -> QueueSeq {
        self.base + self.entries.len() as u64
    }

    /// Whether the message is held here, ready or unacknowledged.
    #[must_use]
    pub fn holds(&self, id: QueueSeq) -> bool {
        self.index(id).is_some_and(|index| self.entries[index].state != State::Gone)
    }

    /// Every message that is known here, in queue order; also what is settled while its journal
    /// record may still come back.
    pub fn held(&self) -> impl Iterator<Item = Held> + '_ {
        let known = |entry: &Entry| entry.state != State::Gone || entry.record != Record::None;
        (self.base..).zip(&self.entries).filter(move |(_, entry)| known(entry)).map(
            |(id, entry)| {
                let written = entry.record == Record::Written;
                Held {
                    id,
                    message: entry.message,
                    state: entry.state,
                    redelivered: entry.delivered,
                    record: entry.record,
                    durable: written && entry.offset <= self.durable_bytes,
                }
            },
        )
    }

    /// Messages whose confirm waits for the journal.
    #[must_use]
    pub fn unconfirmed(&self) -> usize {
        self.unconfirmed.len()
    }

    fn index(&self, id: QueueSeq) -> Option<usize> {
        let index = id.checked_sub(self.base)? as usize;
        (index < self.entries.len()).then_some(index)
    }

    /// An empty replica numbers its messages as the leader does, from `id` on.
    pub fn number_from(&mut self, id: QueueSeq) {
        if self.entries.is_empty() && id > self.base {
            self.base = id;
            self.ready_from = id;
        }
        // A number that the leader gave and we never saw: settled before we could.
        while self.next_id() < id {
            let gone = Entry {
                message: MessageRange {
                    producer: crate::observe::ProducerId(0),
                    first: 0,
                    count: 0,
                    bytes: 0,
                },
                offset: 0,
                state: State::Gone,
                record: Record::None,
                delivered: false,
                persistent: false,
                origin: self.destination,
            };
            self.entries.push_back(gone);
        }
    }

    /// Appends a message. `confirm` names the publish that asks for a confirm; if it is due at once
    /// (no journal record to wait for) it is returned.
    pub fn publish<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        message: MessageRange,
        properties: Properties,
        delivered: bool,
        confirm: Option<DueConfirm>,
        extra: Extra,
    ) -> (QueueSeq, Option<DueConfirm>) {
        let id = self.next_id();
        let persistent = properties.persistent && self.durable;
        let record = if persistent { Record::Buffered } else { Record::None };
        let entry = Entry {
            message,
            offset: 0,
            state: State::Ready,
            record,
            delivered,
            persistent: properties.persistent,
            origin: extra.origin.unwrap_or(self.destination),
        };
        self.entries.push_back(entry);
        if extra != Extra::default() {
            self.extras.push_back((id, extra));
        }
        self.ready += 1;
        self.ready_bytes += payload(message);
        let (now, node) = (ctx.now(), ctx.node());
        report_stored(now, node, self.destination, &entry, ctx.observer());
        if !persistent {
            return (id, confirm);
        }
        self.buffered_publishes.push_back(id);
        self.buffered_entries += 1;
        if let Some((channel, seq)) = confirm {
            self.unconfirmed.push_back(Unconfirmed { id, channel, seq, settled: false });
        }
        (id, None)
    }

    /// Takes the oldest ready message for a consumer; it is unacknowledged until [`Self::settle`].
    pub fn fetch(&mut self) -> Option<Fetched> {
        if self.ready == 0 {
            return None;
        }
        let mut id = self.ready_from.max(self.base);
        loop {
            let index = (id - self.base) as usize;
            let entry = &mut self.entries[index];
            if entry.state == State::Ready {
                let (message, redelivered) = (entry.message, entry.delivered);
                entry.state = State::Unacked;
                entry.delivered = true;
                self.ready -= 1;
                self.ready_bytes -= payload(message);
                self.unacked += 1;
                self.ready_from = id + 1;
                let letter = self.extra(id).letter;
                return Some(Fetched { id, message, redelivered, letter });
            }
            id += 1;
        }
    }

    /// The oldest ready message.
    #[must_use]
    pub fn head(&mut self) -> Option<Head> {
        if self.ready == 0 {
            return None;
        }
        let mut id = self.ready_from.max(self.base);
        while self.entries[(id - self.base) as usize].state != State::Ready {
            id += 1;
        }
        self.ready_from = id;
        Some(Head { id, expires: self.extra(id).expires })
    }

    /// Whether messages here have a time to live, or were dead-lettered.
    #[inline]
    #[must_use]
    pub fn has_extras(&self) -> bool {
        !self.extras.is_empty()
    }

    /// The ready messages whose time to live is over, wherever they are.
    #[must_use]
    pub fn expired(&self, now: Time) -> Vec<QueueSeq> {
        let over = |(_, extra): &&(QueueSeq, Extra)| extra.expires.is_some_and(|at| at <= now);
        let ready = |id: &QueueSeq| {
            let index = self.index(*id);
            index.is_some_and(|index| self.entries[index].state == State::Ready)
        };
        self.extras.iter().filter(over).map(|(id, _)| *id).filter(ready).collect()
    }

    /// When the next message is over after that.
    #[must_use]
    pub fn next_expiry(&self, now: Time) -> Option<Time> {
        self.extras.iter().filter_map(|(_, extra)| extra.expires).filter(|at| *at > now).min()
    }

    fn extra(&self, id: QueueSeq) -> Extra {
        if self.extras.is_empty() {
            return Extra::default();
        }
        let found = self.extras.binary_search_by_key(&id, |(id, _)| *id);
        found.map_or(Extra::default(), |index| self.extras[index].1)
    }

    /// Marks a given ready message as unacknowledged: a mirror follows its leader's fetch.
    pub fn take(&mut self, id: QueueSeq) -> bool {
        let Some(index) = self.index(id) else { return false };
        let entry = &mut self.entries[index];
        if entry.state != State::Ready {
            return false;
        }
        entry.state = State::Unacked;
        self.ready -= 1;
        self.ready_bytes -= payload(entry.message);
        self.unacked += 1;
        true
    }

    /// Puts an unacknowledged message back into its original place, flagged as redelivered.
    pub fn requeue(&mut self, id: QueueSeq) -> bool {
        let Some(index) = self.index(id) else { return false };
        let entry = &mut self.entries[index];
        if entry.state != State::Unacked {
            return false;
        }
        entry.state = State::Ready;
        entry.delivered = true;
        self.unacked -= 1;
        self.ready += 1;
        self.ready_bytes += payload(entry.message);
        self.ready_from = self.ready_from.min(id);
        true
    }

    /// Puts every unacknowledged message back.
    pub fn requeue_all(&mut self) {
        for entry in &mut self.entries {
            if entry.state == State::Unacked {
                entry.state = State::Ready;
                entry.delivered = true;
                self.ready_bytes += payload(entry.message);
            }
        }
        self.ready += self.unacked;
        self.unacked = 0;
        self.ready_from = self.base;
    }

    /// The message is finished with. Returns the confirm that was still waiting for it, which is
    /// due now (rabbit_variable_queue.erl: `ack` removes it from the messages awaiting their
    /// sync). `None` if the message is not held here.
    pub fn settle<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        id: QueueSeq,
    ) -> Option<Option<DueConfirm>> {
        self.give_up(ctx, id, CONSUMED).map(|given_up| given_up.due)
    }

    /// The message goes, for whatever reason; as [`Self::settle`].
    pub fn give_up<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        id: QueueSeq,
        removal: Removal,
    ) -> Option<GivenUp> {
        let index = self.index(id)?;
        let letter = self.extra(id).letter;
        let entry = &mut self.entries[index];
        match entry.state {
            State::Gone => return None,
            State::Ready => {
                self.ready -= 1;
                self.ready_bytes -= payload(entry.message);
            }
            State::Unacked => self.unacked -= 1,
        }
        entry.state = State::Gone;
        let (message, persistent, origin) = (entry.message, entry.persistent, entry.origin);
        match entry.record {
            Record::Written => {
                self.buffered_acks.push(id);
                self.buffered_entries += 1;
            }
            // Published and settled within one flush interval: never touches the disk.
            Record::Buffered => entry.record = Record::None,
            Record::None => {}
        }
        let (now, node) = (ctx.now(), ctx.node());
        ctx.observer().removed(now, node, origin, message, removal);
        let due = self.take_unconfirmed(id);
        self.forget_settled_front();
        Some(GivenUp { message, persistent, letter, due })
    }

    fn take_unconfirmed(&mut self, id: QueueSeq) -> Option<DueConfirm> {
        let index = self.unconfirmed.partition_point(|waiting| waiting.id < id);
        let waiting = self.unconfirmed.get_mut(index)?;
        if waiting.id != id || waiting.settled {
            return None;
        }
        waiting.settled = true;
        let due = (waiting.channel, waiting.seq);
        while self.unconfirmed.front().is_some_and(|waiting| waiting.settled) {
            self.unconfirmed.pop_front();
        }
        Some(due)
    }

    fn forget_settled_front(&mut self) {
        while let Some(entry) = self.entries.front() {
            if entry.state != State::Gone || entry.record != Record::None {
                break;
            }
            self.entries.pop_front();
            self.base += 1;
        }
        while self.extras.front().is_some_and(|(id, _)| *id < self.base) {
            self.extras.pop_front();
        }
    }

    /// Whether and when the journal's buffer should be flushed.
    #[must_use]
    pub fn needs_sync(&self) -> NeedsSync {
        if !self.unconfirmed.is_empty() {
            NeedsSync::Soon
        } else if self.buffered_publishes.is_empty() && self.buffered_acks.is_empty() {
            NeedsSync::No
        } else {
            NeedsSync::WhenIdleLong
        }
    }

    /// Journal records in the buffer; at `queue_index_max_journal_entries` they are flushed
    /// whoever waits.
    #[must_use]
    pub fn buffered_entries(&self) -> u64 {
        self.buffered_entries
    }

    /// Writes the buffer to the operating system. The caller fsyncs [`Self::file`] next and reports
    /// back by [`Self::synced`]. Returns whether anything was written.
    ///
    /// # Errors
    /// The disk is full: the buffer stays as it is.
    pub fn write_buffer<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
    ) -> Result<bool, DiskError> {
        let mut bytes = self.buffered_acks.len() as u64 * ACK_RECORD_BYTES;
        for &id in &self.buffered_publishes {
            if let Some(index) = self.index(id) {
                let entry = &self.entries[index];
                if entry.record == Record::Buffered {
                    bytes += record_bytes(entry.message);
                }
            }
        }
        if bytes > 0 {
            ctx.write(self.file, bytes)?;
        }
        while let Some(id) = self.buffered_publishes.pop_front() {
            let Some(index) = self.index(id) else { continue };
            let entry = &mut self.entries[index];
            if entry.record == Record::Buffered {
                self.written += record_bytes(entry.message);
                entry.offset = self.written;
                entry.record = Record::Written;
            }
        }
        for id in self.buffered_acks.drain(..) {
            self.written += ACK_RECORD_BYTES;
            self.written_acks.push_back((id, self.written));
        }
        self.buffered_entries = 0;
        Ok(bytes > 0)
    }

    /// The journal's file.
    #[must_use]
    pub fn file(&self) -> FileId {
        self.file
    }

    /// All that was written is durable: hands every confirm that waited for it to `due`.
    pub fn synced(&mut self, due: &mut Vec<DueConfirm>) {
        self.durable_bytes = self.written;
        while let Some((id, _)) = self.written_acks.pop_front() {
            if let Some(index) = self.index(id) {
                self.entries[index].record = Record::None;
            }
        }
        while let Some(waiting) = self.unconfirmed.front() {
            let (id, settled, confirm) =
                (waiting.id, waiting.settled, (waiting.channel, waiting.seq));
            let written =
                self.index(id).is_none_or(|index| self.entries[index].record != Record::Buffered);
            if !written {
                break;
            }
            self.unconfirmed.pop_front();
            if !settled {
                due.push(confirm);
            }
        }
        self.forget_settled_front();
    }

    /// Confirms that never will be asked for: their channel is gone.
    pub fn forget_channel(&mut self, channel: Pid) {
        for waiting in &mut self.unconfirmed {
            waiting.settled |= waiting.channel == channel;
        }
        while self.unconfirmed.front().is_some_and(|waiting| waiting.settled) {
            self.unconfirmed.pop_front();
        }
    }

    /// Every message is about to be forgotten by intent (a mirror rejoins or purges itself).
    pub fn wipe<O: Observer>(
        &mut self,
        at: Time,
        node: NodeId,
        observer: &mut O,
        removal: Removal,
    ) {
        for entry in &self.entries {
            if entry.state != State::Gone {
                observer.removed(at, node, entry.origin, entry.message, removal);
            }
        }
        let next = self.next_id();
        *self = BackingQueue {
            base: next,
            ready_from: next,
            written: self.written,
            durable_bytes: self.durable_bytes,
            ..BackingQueue::new(self.destination, self.durable, self.file)
        };
    }

    /// The process is gone. Keeps what the disk kept, tells `observer` which copies are lost, and
    /// brings back what was settled by a record that did not survive.
    pub fn died<O: Observer>(
        &mut self,
        death: Death,
        disk: &DiskView<'_>,
        at: Time,
        node: NodeId,
        observer: &mut O,
    ) {
        let kept = disk.kept(self.file);
        for (id, offset) in std::mem::take(&mut self.written_acks) {
            if let Some(index) = self.index(id) {
                let entry = &mut self.entries[index];
                if offset <= kept {
                    entry.record = Record::None;
                }
            }
        }
        let mut survivors = VecDeque::new();
        let first = self.base;
        for mut entry in std::mem::take(&mut self.entries) {
            let survives = self.durable && entry.record == Record::Written && entry.offset <= kept;
            if survives {
                if entry.state == State::Gone {
                    report_stored(at, node, self.destination, &entry, observer);
                }
                // A clean stop keeps the delivered flags; after any other end every recovered
                // message counts as delivered (rabbit_variable_queue.erl: `init`, recovery terms).
                entry.delivered |= death != Death::Exited || entry.state != State::Ready;
                entry.state = State::Ready;
            } else {
                if entry.state != State::Gone {
                    let removal = self.loss_of(&entry, death);
                    observer.removed(at, node, entry.origin, entry.message, removal);
                }
                entry.state = State::Gone;
                entry.record = Record::None;
            }
            survivors.push_back(entry);
        }
        let alive = || survivors.iter().filter(|entry| entry.state == State::Ready);
        let (ready, ready_bytes) =
            (alive().count() as u64, alive().map(|entry| payload(entry.message)).sum());
        *self = BackingQueue {
            base: first,
            ready_from: first,
            entries: survivors,
            ready,
            ready_bytes,
            extras: std::mem::take(&mut self.extras),
            written: self.written.min(kept),
            durable_bytes: self.durable_bytes.min(kept),
            ..BackingQueue::new(self.destination, self.durable, self.file)
        };
        self.forget_settled_front();
    }

    fn loss_of(&self, entry: &Entry, death: Death) -> Removal {
        if !self.durable {
            return Removal { cause: cause::QUEUE_NOT_DURABLE, because: BecauseId::NONE };
        }
        if !entry.persistent {
            let because = because::TRANSIENT_MESSAGE;
            return Removal { cause: cause::TRANSIENT_DROPPED, because };
        }
        // What had been fsynced, and what a kill leaves in the page cache, only a wipe removes.
        let safe = death != Death::PowerLoss || entry.offset <= self.durable_bytes;
        if death == Death::Wiped || (entry.record == Record::Written && safe) {
            return Removal { cause: cause::DISK_WIPED, because: BecauseId::NONE };
        }
        let because = because::NOT_FLUSHED;
        match death {
            Death::PowerLoss if entry.record == Record::Written => {
                Removal { cause: cause::PAGE_CACHE_LOST, because }
            }
            _ => Removal { cause: cause::PROCESS_BUFFER_LOST, because },
        }
    }

    /// After a wipe: the next message may bring any number, an old one included.
    pub fn restart_numbering(&mut self) {
        debug_assert!(self.entries.is_empty(), "only an empty replica can be numbered anew");
        self.base = 1;
        self.ready_from = 1;
    }

    /// Takes every confirm that still waits, as due: the messages are about to be purged.
    pub fn take_all_unconfirmed(&mut self, due: &mut Vec<DueConfirm>) {
        for waiting in self.unconfirmed.drain(..) {
            if !waiting.settled {
                due.push((waiting.channel, waiting.seq));
            }
        }
    }

    /// The oldest `count` messages from `from` on that are held here, for a synchronisation:
    /// (number, message, persistent, unacknowledged).
    pub fn batch(&self, from: QueueSeq, count: usize) -> Vec<BatchEntry> {
        let start = from.saturating_sub(self.base) as usize;
        let mut batch = Vec::new();
        for (index, entry) in self.entries.iter().enumerate().skip(start) {
            if batch.len() == count {
                break;
            }
            if entry.state != State::Gone {
                batch.push(BatchEntry {
                    id: self.base + index as u64,
                    message: entry.message,
                    persistent: entry.persistent,
                    unacked: entry.state == State::Unacked,
                    extra: self.extra(self.base + index as u64),
                });
            }
        }
        batch
    }

    /// Takes over one message of a synchronisation, under the leader's number.
    pub fn synchronise<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        synced: BatchEntry,
    ) {
        self.number_from(synced.id);
        debug_assert_eq!(self.next_id(), synced.id, "a synchronisation goes in queue order");
        let properties = Properties { persistent: synced.persistent, ..Properties::default() };
        let (id, _) = self.publish(ctx, synced.message, properties, true, None, synced.extra);
        if synced.unacked {
            self.take(id);
        }
    }
}

/// One message on its way through a synchronisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchEntry {
    /// The message's number in its queue.
    pub id: QueueSeq,
    /// The message.
    pub message: MessageRange,
    /// Whether it has a journal record.
    pub persistent: bool,
    /// Whether a consumer has it.
    pub unacked: bool,
    /// Its time to live, its past as a dead letter.
    pub extra: Extra,
}

/// Bytes of payload.
fn payload(message: MessageRange) -> u64 {
    u64::from(message.bytes) * u64::from(message.count)
}

fn report_stored<O: Observer>(
    at: Time,
    node: NodeId,
    destination: DestinationId,
    entry: &Entry,
    observer: &mut O,
) {
    if entry.origin == destination {
        observer.stored(at, node, destination, entry.message);
    } else {
        observer.dead_lettered(at, node, entry.origin, destination, entry.message);
    }
}

fn record_bytes(message: MessageRange) -> u64 {
    PUBLISH_RECORD_BYTES + u64::from(message.bytes)
}
