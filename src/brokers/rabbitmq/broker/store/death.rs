//! What the end of a process leaves of a queue, and what recovery makes of it.
//!
//! | what | kill | loss of power | orderly stop |
//! | --- | --- | --- | --- |
//! | in the process's buffer | lost | lost | written |
//! | in the page cache | kept | lost, but for what was written back | fsynced |
//! | an acknowledgement in either | undone, as its record is | undone | written |
//! | an entry whose message is not in its store | dropped | dropped | |
//! | transient, or in a queue that is not durable | lost | lost | lost |

use std::collections::VecDeque;

use crate::engine::Time;
use crate::observe::{BecauseId, NodeId, Observer, Removal};
use crate::world::{Death, DiskView};

use super::super::super::message::QueueSeq;
use super::super::super::rules::Rule;
use super::super::super::words::{because, cause};
use super::bodies::Bodies;
use super::index::{Fold, is_folded};
use super::queue::{Entry, Place, Request, payload, report_stored};
use super::{BackingQueue, Record, State};

/// What the disk kept of one entry.
#[derive(Clone, Copy)]
struct Kept {
    record: bool,
    body: bool,
}

impl BackingQueue {
    /// The process is gone. Keeps what the disk kept, tells `observer` which copies are lost, and
    /// brings back what was settled by a record that did not survive.
    pub fn died(
        &mut self,
        death: Death,
        disk: &DiskView<'_>,
        bodies: &mut Bodies,
        at: Time,
        node: NodeId,
        observer: &mut dyn Observer,
    ) {
        self.ended((death, false), disk, bodies, at, node, observer);
    }

    /// The process alone is gone, and the message store goes on with all that it was sent.
    pub fn crashed(
        &mut self,
        disk: &DiskView<'_>,
        bodies: &mut Bodies,
        at: Time,
        node: NodeId,
        observer: &mut dyn Observer,
    ) {
        self.clean = false;
        self.ended((Death::Killed, true), disk, bodies, at, node, observer);
    }

    fn ended(
        &mut self,
        (death, store_lives): (Death, bool),
        disk: &DiskView<'_>,
        bodies: &mut Bodies,
        at: Time,
        node: NodeId,
        observer: &mut dyn Observer,
    ) {
        let (index_kept, segments_kept) =
            (disk.kept(self.layout.index), disk.kept(self.layout.segments));
        for (id, offset) in std::mem::take(&mut self.index.written_acks) {
            if let Some(index) = self.index_of(id)
                && offset <= index_kept
            {
                self.entries[index].record = Record::None;
            }
        }
        if let Some(fold) = self.index.folding.take() {
            self.take_folded(fold, index_kept, segments_kept);
        }
        let mut entries = std::mem::take(&mut self.entries);
        for (id, entry) in (self.base..).zip(&mut entries) {
            let mut kept = self.kept(entry, bodies, index_kept, segments_kept);
            kept.body |= store_lives && entry.place == Place::Shared && entry.body != 0;
            self.recover_entry(id, entry, kept, death, bodies, (at, node), observer);
        }
        self.settle_down(entries, index_kept, segments_kept);
    }

    /// A fold was under way: a record that it had written is in its segment, another one still in
    /// the journal.
    fn take_folded(&mut self, fold: Fold, index_kept: u64, segments_kept: u64) {
        let mut end = fold.start;
        for id in self.index.folded.max(self.base)..fold.upto {
            let entry = &mut self.entries[(id - self.base) as usize];
            if !is_folded(entry.state, entry.record) {
                continue;
            }
            end += self.layout.record_bytes(entry.message);
            let in_journal = entry.record == Record::Written && entry.offset <= index_kept;
            if !in_journal && end <= segments_kept {
                (entry.record, entry.offset) = (Record::Segment, end);
            }
        }
    }

    fn kept(&self, entry: &Entry, bodies: &Bodies, index_kept: u64, segments_kept: u64) -> Kept {
        Kept {
            record: match entry.record {
                Record::None | Record::Buffered => false,
                Record::Written => entry.offset <= index_kept,
                Record::Segment => entry.offset <= segments_kept,
            },
            body: match entry.place {
                Place::Record => true,
                Place::Queue => entry.body > 0 && entry.body <= segments_kept,
                Place::Shared => bodies.survives(entry.body),
            },
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one entry's fate")]
    fn recover_entry(
        &self,
        id: QueueSeq,
        entry: &mut Entry,
        kept: Kept,
        death: Death,
        bodies: &mut Bodies,
        (at, node): (Time, NodeId),
        observer: &mut dyn Observer,
    ) {
        let rules = self.layout.rules;
        // rabbit_queue_index.erl `recover_message`, rabbit_classic_queue_index_v2.erl
        // `recover_segment`: an entry whose message is in no store is dropped.
        let body = kept.body || !rules.has(Rule::EntriesWithoutBodyDropped);
        if self.durable && kept.record && body {
            if entry.state == State::Gone {
                report_stored(at, node, self.destination, entry, observer);
                if entry.place == Place::Shared {
                    bodies.take_back(entry.body);
                }
            }
            // An orderly stop leaves how far the queue was delivered in its recovery terms; after
            // any other end every message counts as delivered (rabbit_variable_queue.erl: `init`).
            let by_mark = rules.has(Rule::DeliveredWithPublish) && id < self.next_deliver;
            entry.delivered |= match self.clean {
                true => by_mark || entry.state == State::Unacked,
                false => rules.has(Rule::RedeliveredAfterDirtyStart),
            };
            entry.state = State::Ready;
            return;
        }
        if entry.state != State::Gone {
            let removal = self.loss_of(entry, kept, death);
            observer.removed(at, node, entry.origin, entry.message, removal);
            if entry.place == Place::Shared && entry.body != 0 {
                bodies.drop_reference(entry.body);
            }
        }
        entry.state = State::Gone;
        entry.record = Record::None;
    }

    fn loss_of(&self, entry: &Entry, kept: Kept, death: Death) -> Removal {
        if !self.durable {
            return Removal { cause: cause::QUEUE_NOT_DURABLE, because: BecauseId::NONE };
        }
        if !entry.stored {
            let because = because::TRANSIENT_MESSAGE;
            return Removal { cause: cause::TRANSIENT_DROPPED, because };
        }
        if death == Death::Wiped {
            return Removal { cause: cause::DISK_WIPED, because: BecauseId::NONE };
        }
        let written = matches!(entry.record, Record::Written | Record::Segment);
        let because = if written { because::NOT_FSYNCED } else { because::NOT_WRITTEN };
        let cause = if kept.record {
            let because = match death {
                Death::PowerLoss => because::NOT_FSYNCED,
                _ => because::NOT_WRITTEN,
            };
            return Removal { cause: cause::BODY_MISSING, because };
        } else if death == Death::PowerLoss && written {
            cause::PAGE_CACHE_LOST
        } else {
            cause::PROCESS_BUFFER_LOST
        };
        Removal { cause, because }
    }

    fn settle_down(&mut self, entries: VecDeque<Entry>, index_kept: u64, segments_kept: u64) {
        let old = std::mem::take(&mut self.index);
        let records = (self.base..).zip(&entries);
        let journalled = records.clone().filter(|(_, entry)| entry.record == Record::Written);
        let each = 1 + u64::from(self.layout.rules.has(Rule::DeliveredWithPublish));
        let dirty = journalled.count() as u64 * each;
        let mut index = old.reopened(index_kept, segments_kept, dirty);
        let kept = records.filter(|(_, entry)| entry.record != Record::None);
        index.count_again(kept.map(|(id, _)| id));
        self.index = index;
        let alive = || entries.iter().filter(|entry| entry.state == State::Ready);
        (self.ready, self.unacked, self.unacked_bytes) = (alive().count() as u64, 0, 0);
        self.page_in_all();
        self.ready_bytes = alive().map(|entry| payload(entry.message)).sum();
        self.entries = entries;
        self.ready_from = self.base;
        self.unconfirmed.clear();
        self.requests.clear();
        self.next_deliver = match self.clean {
            true => self.next_deliver,
            false => self.next_id(),
        };
        self.forget_settled_front();
    }

    /// Whether its last process ended in order.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.clean
    }

    /// Its process has ended in order, and its recovery terms are on the disk
    /// (rabbit_queue_index.erl: `terminate`).
    pub fn closed(&mut self) {
        self.clean = true;
    }

    /// A process has opened it: its recovery terms are used up (rabbit_queue_index.erl: `start`
    /// clears them).
    pub fn opened(&mut self) {
        self.clean = false;
    }

    /// Bytes that a recovery without recovery terms reads of its files: the index twice, for the
    /// store's counts and for its own (rabbit_queue_index.erl: `queue_index_walker`, `recover`).
    #[must_use]
    pub fn bytes_to_scan(&self) -> u64 {
        2 * self.index.bytes(&self.layout)
    }

    /// Every message is about to be forgotten by intent (a mirror rejoins or purges itself).
    pub fn wipe(&mut self, at: Time, node: NodeId, observer: &mut dyn Observer, removal: Removal) {
        let mut requests = std::mem::take(&mut self.requests);
        for entry in &self.entries {
            if entry.state != State::Gone {
                observer.removed(at, node, entry.origin, entry.message, removal);
                if entry.place == Place::Shared && entry.body != 0 {
                    requests.push(Request::Remove(entry.body));
                }
            }
        }
        let next = self.next_id();
        let index = self.index.emptied();
        *self = BackingQueue {
            base: next,
            ready_from: next,
            next_deliver: next,
            requests,
            erase: true,
            paged: self.paged.emptied(),
            index,
            ..BackingQueue::new(self.destination, self.durable, self.layout)
        };
    }
}
