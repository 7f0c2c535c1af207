//! What a node's disk holds while its process is gone, and what a death leaves of it.

use std::sync::Arc;

use crate::engine::Time;
use crate::observe::{NodeId, Observer, Removal};
use crate::world::{Death, DiskView, FileId};

use super::super::message::ra::Position;
use super::super::message::{Pid, QueueId};
use super::super::policy::Force;
use super::super::words::{because, cause};
use super::Node;
use super::quorum::disk::{MemberDisk, Place};
use super::store::{BackingQueue, Layout};

/// Files of each queue on a node's disk: index, segments, and what is paged out. Those of the
/// message store follow.
pub(super) const FILES: u32 = 3;

/// What a node's disk holds while its process is gone.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    /// The queues' journals, by queue.
    pub(super) queues: Vec<Option<BackingQueue>>,
    /// Members of quorum queues, by queue.
    pub(super) members: Vec<Option<MemberDisk>>,
    /// `rabbit_durable_queue`.
    pub(super) durable: Vec<Option<Pid>>,
    /// `rabbit_runtime_parameters`: the policies.
    pub(super) force: Arc<Force>,
    /// See `Tables::recoverable` and `Tables::forgotten`.
    pub(super) recoverable: Vec<Vec<NodeId>>,
    pub(super) forgotten: Vec<NodeId>,
    /// See `Tables::quorum`.
    pub(super) quorum: Vec<Vec<NodeId>>,
    /// `force_load`: the next start waits for nobody.
    pub(super) force_load: bool,
    /// The members that ran when this node went down.
    pub(super) saw_running: Vec<NodeId>,
}

impl Node {
    /// How the messages of a queue are kept on this node.
    pub(super) fn layout(&self, queue: QueueId) -> Layout {
        let settings = &self.config.settings;
        Layout {
            version: self.config.queue(queue).version,
            index: FileId(FILES * queue.0),
            segments: FileId(FILES * queue.0 + 1),
            embed_below: settings.embed_below,
            max_journal_entries: settings.max_journal_entries,
            rules: settings.rules,
        }
    }

    /// What this node's disk holds of a queue; it is taken from there.
    pub(super) fn open_queue(&mut self, queue: QueueId) -> BackingQueue {
        let on_disk = self.disk.queues[queue.0 as usize].take();
        on_disk.unwrap_or_else(|| {
            let destination = self.config.destination(queue);
            let durable = self.config.queue(queue).durable;
            BackingQueue::new(destination, durable, self.layout(queue))
        })
    }

    /// RabbitMQ is gone from this node: of its queues and its message store that remains which
    /// `disk` has kept.
    pub(super) fn lose_memory(
        &mut self,
        death: Death,
        disk: &DiskView<'_>,
        at: Time,
        observer: &mut dyn Observer,
    ) {
        self.bodies.died(disk);
        for queue in self.disk.queues.iter_mut().flatten() {
            queue.died(death, disk, &mut self.bodies, at, self.me, observer);
        }
        self.store = None;
    }

    /// What the disk has of the members of quorum queues after a death. Of a log that is on the
    /// disk nothing goes but with the disk; what was written and not fsynced, as far as the disk
    /// has it, is there as well.
    pub(super) fn lose_members(
        &mut self,
        death: Death,
        disk: &DiskView<'_>,
        at: Time,
        observer: &mut dyn Observer,
    ) {
        let kept = |group| disk.kept(self.wal_file(group));
        let kept: Vec<u64> = (0..self.config.groups() as u32).map(QueueId).map(kept).collect();
        let config = self.config.clone();
        for (queue, member) in (0..).map(QueueId).zip(&mut self.disk.members) {
            let Some(member) = member else { continue };
            let destination = config.destination(queue);
            let place = Place { queue, destination, node: self.me };
            let letters = &*config.letters;
            if death == Death::Wiped {
                self.wiped = true;
                let fresh = member.fifo.fresh();
                let removal = Removal { cause: cause::DISK_WIPED, because: because::NONE };
                member.wiped(fresh, removal, at, place, letters, observer);
                continue;
            }
            let log = &member.log;
            let there = |of: Position| log.term_at(of.index) == Some(of.term);
            let survived = self.marks.survived(queue, kept[queue.0 as usize], there);
            let kept = survived.unwrap_or(0).max(log.written());
            let because = because::NOT_FSYNCED;
            let cause = match death {
                Death::PowerLoss => cause::PAGE_CACHE_LOST,
                _ => cause::PROCESS_BUFFER_LOST,
            };
            let removal = Removal { cause, because };
            let words = (letters, &config.given[..]);
            member.died(kept, removal, at, place, words, observer);
        }
    }

    /// What Mnesia and the node monitor leave on the disk.
    pub(super) fn keep_tables(&mut self) {
        self.disk.saw_running = self.running_peers();
        self.disk.durable = self.mnesia.tables.durable.clone();
        self.disk.force = self.mnesia.tables.force.clone();
        self.disk.recoverable.clone_from(&self.mnesia.tables.recoverable);
        self.disk.forgotten.clone_from(&self.mnesia.tables.forgotten);
        self.disk.quorum.clone_from(&self.mnesia.tables.quorum);
    }
}
