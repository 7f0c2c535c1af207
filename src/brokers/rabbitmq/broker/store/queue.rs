//! The messages of one queue replica: `rabbit_variable_queue`.
//!
//! Messages stand in publish order under the queue's own numbers. A persistent message of a durable
//! queue gets a record in the index; what is written, and when, is in `index.rs`.

use std::collections::VecDeque;

use crate::engine::Time;
use crate::observe::{DestinationId, MessageRange, NodeId, Observer, Removal};
use crate::world::{Context, FileId};

use super::super::super::letters::LetterId;
use super::super::super::message::{Message, Properties, QueueSeq};
use super::super::super::rules::Rule;
use super::super::super::words::CONSUMED;
use super::bodies::BodyId;
use super::confirms::{DueConfirm, Unconfirmed};
use super::index::Index;
use super::paging::Paged;
use super::{Layout, QueueVersion};

/// Where a message stands with regard to consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for a consumer.
    Ready,
    /// A consumer has it and has not acknowledged it.
    Unacked,
    /// Settled; kept only while its record may still come back.
    Gone,
}

/// How far a message's record in the index has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// None: transient, or settled before it was written.
    None,
    /// In the process's buffer.
    Buffered,
    /// Handed to the operating system, in the journal (v1) or the index (v2).
    Written,
    /// Folded into a segment (v1).
    Segment,
}

/// Where the message itself is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In memory only, or within its record.
    Record,
    /// In the queue's own store (v2): `body` is its end there, 0 before it is written.
    Queue,
    /// In the node's shared store: `body` is its number there, 0 before it has one.
    Shared,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) message: MessageRange,
    /// End of the record in the index (journal, segments or index v2), once written.
    pub(super) offset: u64,
    pub(super) body: u64,
    pub(super) state: State,
    pub(super) record: Record,
    pub(super) place: Place,
    /// Will be delivered with `redelivered = true`.
    pub(super) delivered: bool,
    /// `delivery_mode = 2`.
    pub(super) persistent: bool,
    /// It has, or had, a record: the queue is durable as well.
    pub(super) stored: bool,
    /// Where it was sent to: elsewhere, if it was dead-lettered to this queue.
    pub(super) origin: DestinationId,
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
    /// How far its record in the index has come.
    pub record: Record,
    /// Whether the record has been fsynced.
    pub durable: bool,
}

/// When the index wants to be flushed (rabbit_variable_queue.erl: `needs_timeout`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeedsSync {
    /// Not before the process hibernates.
    No,
    /// Once the process has been idle for its sync interval: nobody waits for a confirm.
    WhenIdleLong,
    /// As soon as the mailbox is empty, or after the sync interval: confirms wait.
    Soon,
}

/// What a queue wants of the shared store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Keep the body of this message.
    Write { id: QueueSeq, confirm: bool },
    /// It is not needed any more.
    Remove(BodyId),
}

/// The messages of one replica.
#[derive(Clone, Debug)]
pub struct BackingQueue {
    pub(super) destination: DestinationId,
    pub(super) durable: bool,
    pub(super) layout: Layout,
    pub(super) base: QueueSeq,
    pub(super) entries: VecDeque<Entry>,
    /// No ready entry has a smaller number.
    pub(super) ready_from: QueueSeq,
    pub(super) ready: u64,
    pub(super) ready_bytes: u64,
    pub(super) unacked: u64,
    pub(super) unacked_bytes: u64,
    pub(super) paged: Paged,
    /// In queue order, of those messages that have any.
    pub(super) extras: VecDeque<(QueueSeq, Extra)>,
    pub(super) unconfirmed: VecDeque<Unconfirmed>,
    /// `next_deliver_seq_id`: everything before it has been delivered, or counts as if.
    pub(super) next_deliver: QueueSeq,
    pub(super) index: Index,
    pub(super) requests: Vec<Request>,
    /// Its files are to be emptied.
    pub(super) erase: bool,
    /// Its process ended in order, and its recovery terms are on the disk.
    pub(super) clean: bool,
}

impl BackingQueue {
    /// An empty queue that is kept as `layout` says.
    #[must_use]
    pub fn new(destination: DestinationId, durable: bool, layout: Layout) -> BackingQueue {
        BackingQueue {
            destination,
            durable,
            layout,
            base: 1,
            entries: VecDeque::new(),
            ready_from: 1,
            ready: 0,
            ready_bytes: 0,
            unacked: 0,
            unacked_bytes: 0,
            paged: Paged::default(),
            extras: VecDeque::new(),
            unconfirmed: VecDeque::new(),
            next_deliver: 1,
            index: Index::default(),
            requests: Vec::new(),
            erase: false,
            clean: false,
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
        self.index_of(id).is_some_and(|index| self.entries[index].state != State::Gone)
    }

    /// Every message that is known here, in queue order; also what is settled while its record may
    /// still come back.
    pub fn held(&self) -> impl Iterator<Item = Held> + '_ {
        let known = |entry: &Entry| entry.state != State::Gone || entry.record != Record::None;
        (self.base..).zip(&self.entries).filter(move |(_, entry)| known(entry)).map(
            |(id, entry)| Held {
                id,
                message: entry.message,
                state: entry.state,
                redelivered: entry.delivered,
                record: entry.record,
                durable: match entry.record {
                    Record::Written => entry.offset <= self.index.durable,
                    Record::Segment => self.layout.fsyncs(),
                    Record::None | Record::Buffered => false,
                },
            },
        )
    }

    pub(super) fn index_of(&self, id: QueueSeq) -> Option<usize> {
        let index = id.checked_sub(self.base)? as usize;
        (index < self.entries.len()).then_some(index)
    }

    /// Appends a message. `confirm` names the publish that asks for a confirm; if it is due at once
    /// (no record to wait for) it is returned.
    pub fn publish(
        &mut self,
        ctx: &mut Context<'_, Message>,
        message: MessageRange,
        properties: Properties,
        delivered: bool,
        confirm: Option<DueConfirm>,
        extra: Extra,
    ) -> (QueueSeq, Option<DueConfirm>) {
        let id = self.next_id();
        let stored = self.durable
            && (properties.persistent || !self.layout.rules.has(Rule::TransientDroppedAtStart));
        let record = if stored { Record::Buffered } else { Record::None };
        let place = match self.layout.version {
            _ if !stored => Place::Record,
            _ if self.layout.shares(message) => Place::Shared,
            QueueVersion::V1 => Place::Record,
            QueueVersion::V2 => Place::Queue,
        };
        let entry = Entry {
            message,
            offset: 0,
            body: 0,
            state: State::Ready,
            record,
            place,
            delivered,
            persistent: properties.persistent,
            stored,
            origin: extra.origin.unwrap_or(self.destination),
        };
        self.entries.push_back(entry);
        if extra != Extra::default() {
            self.extras.push_back((id, extra));
        }
        self.ready += 1;
        self.ready_bytes += payload(message);
        self.paged.add(id, message);
        if delivered {
            self.next_deliver = id + 1;
        }
        let (now, node) = (ctx.now(), ctx.node());
        report_stored(now, node, self.destination, &entry, ctx.observer());
        if !stored {
            return (id, confirm);
        }
        self.note_publish(id, message, place);
        if place == Place::Shared {
            self.requests.push(Request::Write { id, confirm: confirm.is_some() });
        }
        if let Some((channel, seq)) = confirm {
            let body = place != Place::Shared;
            self.unconfirmed.push_back(Unconfirmed { id, channel, seq, settled: false, body });
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
                let redelivered = entry.delivered;
                let (message, record) = (entry.message, entry.record);
                entry.state = State::Unacked;
                entry.delivered = true;
                self.ready -= 1;
                self.ready_bytes -= payload(message);
                self.unacked += 1;
                self.unacked_bytes += payload(message);
                self.ready_from = id + 1;
                self.note_delivery(id, record, redelivered);
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
            let index = self.index_of(*id);
            index.is_some_and(|index| self.entries[index].state == State::Ready)
        };
        self.extras.iter().filter(over).map(|(id, _)| *id).filter(ready).collect()
    }

    /// When the next message is over after that.
    #[must_use]
    pub fn next_expiry(&self, now: Time) -> Option<Time> {
        self.extras.iter().filter_map(|(_, extra)| extra.expires).filter(|at| *at > now).min()
    }

    pub(super) fn extra(&self, id: QueueSeq) -> Extra {
        if self.extras.is_empty() {
            return Extra::default();
        }
        let found = self.extras.binary_search_by_key(&id, |(id, _)| *id);
        found.map_or(Extra::default(), |index| self.extras[index].1)
    }

    /// Marks a given ready message as unacknowledged: a mirror follows its leader's fetch.
    pub fn take(&mut self, id: QueueSeq) -> bool {
        let Some(index) = self.index_of(id) else { return false };
        let entry = &mut self.entries[index];
        if entry.state != State::Ready {
            return false;
        }
        entry.state = State::Unacked;
        self.ready -= 1;
        self.ready_bytes -= payload(entry.message);
        self.unacked += 1;
        self.unacked_bytes += payload(entry.message);
        true
    }

    /// Puts an unacknowledged message back into its original place, flagged as redelivered.
    pub fn requeue(&mut self, id: QueueSeq) -> bool {
        let Some(index) = self.index_of(id) else { return false };
        let entry = &mut self.entries[index];
        if entry.state != State::Unacked {
            return false;
        }
        entry.state = State::Ready;
        entry.delivered = true;
        self.unacked -= 1;
        self.unacked_bytes -= payload(entry.message);
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
            }
        }
        self.ready += std::mem::take(&mut self.unacked);
        self.ready_bytes += std::mem::take(&mut self.unacked_bytes);
        self.ready_from = self.base;
    }

    /// The message is finished with. Returns the confirm that was still waiting for it, which is
    /// due now (rabbit_variable_queue.erl: `ack` removes it from the messages awaiting their
    /// sync). `None` if the message is not held here.
    pub fn settle(
        &mut self,
        ctx: &mut Context<'_, Message>,
        id: QueueSeq,
    ) -> Option<Option<DueConfirm>> {
        self.give_up(ctx, id, CONSUMED).map(|given_up| given_up.due)
    }

    /// The message goes, for whatever reason; as [`Self::settle`].
    pub fn give_up(
        &mut self,
        ctx: &mut Context<'_, Message>,
        id: QueueSeq,
        removal: Removal,
    ) -> Option<GivenUp> {
        let index = self.index_of(id)?;
        let letter = self.extra(id).letter;
        let entry = &mut self.entries[index];
        match entry.state {
            State::Gone => return None,
            State::Ready => {
                self.ready -= 1;
                self.ready_bytes -= payload(entry.message);
            }
            State::Unacked => {
                self.unacked -= 1;
                self.unacked_bytes -= payload(entry.message);
            }
        }
        entry.state = State::Gone;
        self.paged.remove(id, entry.message);
        let (message, persistent, origin) = (entry.message, entry.persistent, entry.origin);
        if entry.stored {
            self.note_settlement(ctx, id, index);
        }
        let (now, node) = (ctx.now(), ctx.node());
        ctx.observer().removed(now, node, origin, message, removal);
        let due = self.take_unconfirmed(id);
        self.forget_settled_front();
        Some(GivenUp { message, persistent, letter, due })
    }

    pub(super) fn forget_settled_front(&mut self) {
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

    /// After a wipe: the next message may bring any number, an old one included.
    pub fn restart_numbering(&mut self) {
        debug_assert!(self.entries.is_empty(), "only an empty replica can be numbered anew");
        self.base = 1;
        self.ready_from = 1;
        self.next_deliver = 1;
        self.index = self.index.emptied();
    }

    /// Whether something is to be asked of the shared store or of the disk.
    #[inline]
    pub(in super::super) fn asks(&self) -> bool {
        !self.requests.is_empty() || self.erase
    }

    pub(super) fn take_requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    /// The message whose body is to be kept, if it is still wanted and has none yet.
    pub(super) fn wanted(&self, id: QueueSeq) -> Option<MessageRange> {
        let entry = &self.entries[self.index_of(id)?];
        let wanted = entry.state != State::Gone && entry.body == 0;
        wanted.then_some(entry.message)
    }

    pub(super) fn set_body(&mut self, id: QueueSeq, body: BodyId) {
        if let Some(index) = self.index_of(id) {
            self.entries[index].body = body;
        }
    }

    /// The index's file: the journal of a queue of version 1.
    #[must_use]
    pub fn file(&self) -> FileId {
        self.layout.index
    }
}

/// Bytes of payload.
pub(super) fn payload(message: MessageRange) -> u64 {
    u64::from(message.bytes) * u64::from(message.count)
}

pub(super) fn report_stored(
    at: Time,
    node: NodeId,
    destination: DestinationId,
    entry: &Entry,
    observer: &mut dyn Observer,
) {
    observer.arrived(at, node, (entry.origin, destination), entry.message);
}
