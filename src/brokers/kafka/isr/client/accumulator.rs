//! What a producer holds before it is sent: batches by partition, and the memory that they take
//! (RecordAccumulator.java, BufferPool.java).

use std::collections::{BTreeSet, VecDeque};

use crate::engine::{Span, Time};
use crate::observe::{MessageRange, ProducerId};

use super::super::link::doubled;
use super::super::sequence::Sequenced;
use super::settings::RecordFormat;

/// When a batch that could not be sent is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Never (0.8.2).
    Never,
    /// When it could have been sent for so long (KIP-19).
    Waiting(Span),
    /// So long after its first message came (KIP-91).
    Delivery(Span),
}

/// The numbers of an accumulator.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `batch.size`.
    pub batch_size: u32,
    /// `buffer.memory`.
    pub memory: u64,
    /// `linger.ms`.
    pub linger: Span,
    /// `retry.backoff.ms`.
    pub backoff: Span,
    /// `retry.backoff.max.ms`.
    pub backoff_max: Span,
    /// When a batch is given up.
    pub expiry: Expiry,
    /// What headers take.
    pub format: RecordFormat,
    /// One batch of a partition at a time (`max.in.flight.requests.per.connection` 1).
    pub one_at_a_time: bool,
    /// How many messages it holds at most.
    pub queue: u64,
}

/// A batch of one partition.
#[derive(Clone, Debug)]
pub struct ProducerBatch {
    producer: ProducerId,
    first: u32,
    count: u32,
    payload: u64,
    /// Bytes of it, headers included.
    pub bytes: u32,
    /// Bytes of memory that it takes.
    capacity: u32,
    /// When it got its first message.
    pub created: Time,
    /// When it got its last.
    appended: Time,
    /// When it was last taken back, or `created`.
    tried: Time,
    /// How often it was taken back.
    pub attempts: u32,
    /// It takes no more messages.
    closed: bool,
    /// It was handed to a connection.
    pub sent: bool,
    /// Some try may have stored it.
    pub doubt: bool,
    /// It has failed while it was under way.
    pub done: bool,
    /// What it bears since it was first sent, if its producer is idempotent.
    pub sequenced: Option<Sequenced>,
    /// It was given another sequence and is to be sent again (`reopened`).
    pub reset: bool,
}

impl ProducerBatch {
    /// Its messages. Where their sizes differ, each has the mean.
    #[must_use]
    pub const fn messages(&self) -> MessageRange {
        MessageRange {
            producer: self.producer,
            first: self.first,
            count: self.count,
            bytes: (self.payload / self.count as u64) as u32,
        }
    }

    /// How many messages it has.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// When it got its last message.
    #[must_use]
    pub const fn stamp(&self) -> Time {
        self.appended
    }

    const fn is_full(&self) -> bool {
        self.closed || self.bytes >= self.capacity
    }
}

/// The batches that wait, by partition.
#[derive(Clone, Debug)]
pub struct Accumulator {
    limits: Limits,
    queues: Vec<VecDeque<ProducerBatch>>,
    /// The partitions that have some.
    active: BTreeSet<u32>,
    /// The partitions one batch of which is under way, where only one may be.
    muted: Vec<bool>,
    free: u64,
    /// How many messages it holds, those under way included.
    held: u64,
}

impl Accumulator {
    /// For so many partitions.
    #[must_use]
    pub fn new(limits: Limits, partitions: usize) -> Accumulator {
        Accumulator {
            limits,
            queues: vec![VecDeque::new(); partitions],
            active: BTreeSet::new(),
            muted: vec![false; partitions],
            free: limits.memory,
            held: 0,
        }
    }

    /// Bytes that a message takes in a batch.
    #[must_use]
    pub const fn size(&self, payload: u32) -> u32 {
        self.limits.format.message.saturating_add(payload)
    }

    /// Whether a message cannot be sent at all (ensureValidRecordSize).
    #[must_use]
    pub fn is_too_large(&self, payload: u32, max_request: u32) -> bool {
        let bytes = self.size(payload).saturating_add(self.limits.format.batch);
        bytes > max_request || u64::from(bytes) > self.limits.memory
    }

    fn open_batch(&mut self, index: u32, next: u32, payload: u32) -> Option<&mut ProducerBatch> {
        let size = self.size(payload);
        let last = self.queues[index as usize].back_mut().filter(|last| !last.closed)?;
        let fits = last.bytes.saturating_add(size) <= last.capacity;
        (fits && last.first + last.count == next).then_some(last)
    }

    /// Whether a message would begin a new batch of a partition.
    pub fn begins_batch(&mut self, index: u32, next: u32, payload: u32) -> bool {
        self.open_batch(index, next, payload).is_none()
    }

    /// Adds a message, or several of one size that go together, to a partition; `false` if there is
    /// no memory for the batch that they need.
    pub fn append(&mut self, now: Time, index: u32, messages: MessageRange) -> bool {
        let size = self.size(messages.bytes);
        if self.held + u64::from(messages.count) > self.limits.queue {
            return false;
        }
        if messages.count == 1
            && let Some(last) = self.open_batch(index, messages.first, messages.bytes)
        {
            last.count += 1;
            last.payload += u64::from(messages.bytes);
            last.bytes += size;
            last.appended = now;
            self.held += 1;
            return true;
        }
        let bytes = self.limits.format.batch.saturating_add(size.saturating_mul(messages.count));
        let capacity = bytes.max(self.limits.batch_size);
        if u64::from(capacity) > self.free {
            return false;
        }
        self.free -= u64::from(capacity);
        self.held += u64::from(messages.count);
        let queue = &mut self.queues[index as usize];
        if let Some(last) = queue.back_mut() {
            last.closed = true;
        }
        queue.push_back(ProducerBatch {
            producer: messages.producer,
            first: messages.first,
            count: messages.count,
            payload: u64::from(messages.bytes) * u64::from(messages.count),
            bytes,
            capacity,
            created: now,
            appended: now,
            tried: now,
            attempts: 0,
            closed: false,
            sent: false,
            doubt: false,
            done: false,
            sequenced: None,
            reset: false,
        });
        self.active.insert(index);
        true
    }

    /// Whether the last batch of a partition is full.
    #[must_use]
    pub fn is_full(&self, index: u32) -> bool {
        self.queues[index as usize].back().is_none_or(ProducerBatch::is_full)
    }

    /// How many batches wait in a partition.
    #[must_use]
    pub fn waiting(&self, index: u32) -> usize {
        self.queues[index as usize].len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// The partitions that have batches, in order.
    pub fn active(&self) -> impl Iterator<Item = u32> + '_ {
        self.active.iter().copied()
    }

    fn backoff(&self, attempts: u32) -> Span {
        match attempts {
            0 => Span::ZERO,
            // ExponentialBackoff; the jitter of 20 % is left out.
            n => doubled(self.limits.backoff, n - 1, self.limits.backoff_max),
        }
    }

    /// When the first batch of a partition may be sent; `urgent` if nothing is to be gained by a
    /// wait: somebody waits for memory, or the producer is to end (RecordAccumulator.ready).
    #[must_use]
    pub fn due(&self, index: u32, urgent: bool) -> Time {
        let queue = &self.queues[index as usize];
        let Some(first) = queue.front().filter(|_| !self.muted[index as usize]) else {
            return Time::MAX;
        };
        let full = queue.len() > 1 || first.is_full() || urgent;
        let linger = if full { Span::ZERO } else { self.limits.linger };
        first.tried + linger.max(self.backoff(first.attempts))
    }

    /// Takes the first batch of a partition if it need not wait for its next try and fits into so
    /// many bytes; any fits if `first`.
    pub fn drain(
        &mut self,
        now: Time,
        index: u32,
        room: u32,
        first: bool,
    ) -> Option<ProducerBatch> {
        let backoff =
            self.queues[index as usize].front().map(|b| b.tried + self.backoff(b.attempts))?;
        let queue = &mut self.queues[index as usize];
        let fits = queue.front().is_some_and(|batch| batch.bytes <= room || first);
        if self.muted[index as usize] || backoff > now || !fits {
            return None;
        }
        let mut batch = queue.pop_front()?;
        batch.closed = true;
        if queue.is_empty() {
            self.active.remove(&index);
        }
        self.muted[index as usize] = self.limits.one_at_a_time;
        Some(batch)
    }

    /// The first batch of a partition that waits.
    #[must_use]
    pub fn front(&self, index: u32) -> Option<&ProducerBatch> {
        self.queues[index as usize].front()
    }

    /// The batches of a partition that wait to be sent again, with what they bear.
    pub fn sequenced(&mut self, index: u32) -> impl Iterator<Item = &mut ProducerBatch> {
        self.queues[index as usize].iter_mut().filter(|batch| batch.sequenced.is_some())
    }

    /// Puts a batch back that is to be sent again, before all others of its partition; `in_order`,
    /// behind those whose sequences come before it (RecordAccumulator.java, `insertInSequenceOrder`).
    pub fn put_back(&mut self, now: Time, index: u32, mut batch: ProducerBatch, in_order: bool) {
        batch.attempts += 1;
        batch.tried = now;
        let queue = &mut self.queues[index as usize];
        let before =
            |other: &ProducerBatch| other.sequenced.is_some_and(|own| Some(own) < batch.sequenced);
        let place = if in_order { queue.partition_point(before) } else { 0 };
        queue.insert(place, batch);
        self.active.insert(index);
        self.muted[index as usize] = false;
    }

    /// A batch is done with: its memory is free again.
    pub fn release(&mut self, index: u32, batch: &ProducerBatch) {
        self.free += u64::from(batch.capacity);
        self.held -= u64::from(batch.count);
        self.muted[index as usize] = false;
    }

    /// When a batch is given up if it is not sent by then; `last` if none follows it.
    fn expires(&self, batch: &ProducerBatch, last: bool) -> Time {
        match self.limits.expiry {
            Expiry::Never => Time::MAX,
            Expiry::Delivery(limit) => batch.created + limit,
            // ProducerBatch.java 0.10.2, maybeExpire.
            Expiry::Waiting(limit) if batch.attempts > 0 => {
                batch.tried + self.backoff(batch.attempts) + limit
            }
            Expiry::Waiting(limit) => {
                let lingered = batch.created + self.limits.linger + limit;
                let full = !last || batch.is_full();
                if full { lingered.min(batch.appended + limit) } else { lingered }
            }
        }
    }

    /// Takes the first batch of a partition if it must be given up, else says when it must be.
    pub fn expire(&mut self, now: Time, index: u32) -> Result<ProducerBatch, Time> {
        let queue = &self.queues[index as usize];
        let Some(first) = queue.front().filter(|_| !self.muted[index as usize]) else {
            return Err(Time::MAX);
        };
        let at = self.expires(first, queue.len() == 1);
        if at > now {
            return Err(at);
        }
        let batch = self.queues[index as usize].pop_front().ok_or(Time::MAX)?;
        if self.queues[index as usize].is_empty() {
            self.active.remove(&index);
        }
        self.free += u64::from(batch.capacity);
        self.held -= u64::from(batch.count);
        Ok(batch)
    }

    /// The process has died: what it held, in order of the partitions.
    pub fn clear(&mut self) -> Vec<ProducerBatch> {
        let held = self.queues.iter_mut().flat_map(|queue| queue.drain(..)).collect();
        self.active.clear();
        self.muted.fill(false);
        self.free = self.limits.memory;
        self.held = 0;
        held
    }
}
