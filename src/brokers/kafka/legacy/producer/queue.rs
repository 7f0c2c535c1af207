//! An `AsyncProducer`: a queue of one broker, and the thread that empties it
//! (`producer/async/AsyncProducer.scala`, `ProducerSendThread.scala` 0.7). Plain data; the producer
//! acts.

use std::collections::VecDeque;

use crate::engine::{Span, Time};
use crate::observe::MessageRange;

use super::super::message::Part;

/// How an asynchronous producer queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// `queue.size`, in messages.
    pub size: u32,
    /// `queue.time`.
    pub time: Span,
    /// `batch.size`, in messages.
    pub batch: u32,
    /// `queue.enqueueTimeout.ms`; none waits for ever.
    pub enqueue_timeout: Option<Span>,
    /// `num.retries`.
    pub retries: u32,
}

/// A queue, and what its thread has in hand.
#[derive(Clone, Debug, Default)]
pub struct SendQueue {
    queue: VecDeque<Part>,
    queued: u32,
    /// The open batch.
    events: Vec<Part>,
    collected: u32,
    /// The batch that is being sent; the thread does nothing else.
    pub sending: Option<Vec<Part>>,
    /// Attempts that are left for it.
    pub attempts: u32,
    /// When a batch last went, or `queue.time` was over, or the thread began; by the wall clock
    /// (`SystemTime.milliseconds`).
    pub last_send: Time,
    /// Which wait for `queue.time` counts.
    pub wait: u32,
    /// Whether there is one.
    pub waiting: bool,
}

/// Puts messages behind others of their partition, as one range if they continue the last one.
fn push(parts: &mut Vec<Part>, part: Part) {
    if let Some(last) = parts.last_mut()
        && continues(last, &part)
    {
        last.messages.count += part.messages.count;
        return;
    }
    parts.push(part);
}

fn continues(last: &Part, next: &Part) -> bool {
    let (a, b) = (&last.messages, &next.messages);
    last.partition == next.partition
        && a.producer == b.producer
        && a.bytes == b.bytes
        && a.first + a.count == b.first
}

impl SendQueue {
    /// Whether another message fits.
    #[must_use]
    pub fn has_room(&self, config: &QueueConfig) -> bool {
        self.queued < config.size
    }

    /// Puts a message at the end.
    pub fn offer(&mut self, part: Part) {
        self.queued += part.messages.count;
        if let Some(last) = self.queue.back_mut()
            && continues(last, &part)
        {
            last.messages.count += part.messages.count;
            return;
        }
        self.queue.push_back(part);
    }

    /// The thread takes from the queue until the batch is full. Whether it is.
    pub fn collect(&mut self, config: &QueueConfig) -> bool {
        if self.sending.is_some() {
            return false;
        }
        while self.collected < config.batch {
            let Some(part) = self.queue.pop_front() else { return false };
            let count = part.messages.count.min(config.batch - self.collected);
            let (head, tail) = split(part, count);
            push(&mut self.events, head);
            if let Some(tail) = tail {
                self.queue.push_front(tail);
            }
            self.collected += count;
            self.queued -= count;
        }
        true
    }

    /// The open batch is to be sent: its messages by partition (`collate`). Whether there are any.
    pub fn dispatch(&mut self, config: &QueueConfig) -> bool {
        let mut parts: Vec<Part> = Vec::new();
        let mut partitions: Vec<_> = self.events.iter().map(|part| part.partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        for partition in partitions {
            let of = self.events.iter().filter(|part| part.partition == partition);
            of.for_each(|part| push(&mut parts, *part));
        }
        self.events.clear();
        self.collected = 0;
        if parts.is_empty() {
            return false;
        }
        self.sending = Some(parts);
        self.attempts = config.retries + 1;
        true
    }

    /// Whether nothing is queued or in hand.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.events.is_empty() && self.sending.is_none()
    }

    /// Whether the open batch has messages.
    #[must_use]
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// When `queue.time` is over: counted from the last time that it was, or that a batch went.
    pub fn deadline(&mut self, config: &QueueConfig, now: Time) -> Time {
        let time = config.time.as_nanos().max(1);
        let rounds = now.since(self.last_send).as_nanos() / time;
        self.last_send += Span::from_nanos(rounds * time);
        self.last_send + config.time
    }

    /// The process has died: everything that was in it.
    pub fn forget(&mut self) -> Vec<MessageRange> {
        let queue = std::mem::take(&mut self.queue).into_iter();
        let events = std::mem::take(&mut self.events).into_iter();
        let sending = self.sending.take().unwrap_or_default().into_iter();
        let lost = sending.chain(events).chain(queue).map(|part| part.messages).collect();
        *self = SendQueue { wait: self.wait + 1, ..SendQueue::default() };
        lost
    }
}

/// The first `count` messages, and the rest if there is one.
fn split(part: Part, count: u32) -> (Part, Option<Part>) {
    let messages = part.messages;
    let head = Part { messages: MessageRange { count, ..messages }, ..part };
    let left = messages.count - count;
    let tail = MessageRange { first: messages.first + count, count: left, ..messages };
    (head, (left > 0).then_some(Part { messages: tail, ..part }))
}
