//! When the process of a queue flushes what it holds (rabbit_amqqueue_process.erl and
//! rabbit_mirror_queue_slave.erl: `next_state`, `handle_pre_hibernate`; v3.10 to v3.13).

use crate::engine::{Span, Time};
use crate::world::{Context, Lane, TimerId};

use super::super::super::message::node::NodeMessage;
use super::super::super::message::queue::{LeaderMessage, QueueMessage};
use super::super::super::message::{DownReason, Message};
use super::super::super::rules::Rule;
use super::super::super::words::{event, role};
use super::super::Node;
use super::super::store::index::Written;
use super::super::store::queue::NeedsSync;
use super::replica::{Replica, Role};

/// Flush ceiling under load and idle time-out of a leader
/// (rabbit_amqqueue_process.erl: `?SYNC_INTERVAL` 200 ms).
const LEADER_SYNC_INTERVAL: Span = Span::from_millis(200);
/// The same of a mirror (rabbit_mirror_queue_slave.erl: `?SYNC_INTERVAL` 25 ms).
const MIRROR_SYNC_INTERVAL: Span = Span::from_millis(25);
/// A process that has had nothing to do for this long hibernates
/// (rabbit_common, rabbit.hrl: `?HIBERNATE_AFTER_MIN` 1,000 ms).
const HIBERNATE_AFTER: Span = Span::from_secs(1);

/// How far a process is with its own disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Flushes {
    /// A flush is under way.
    under_way: bool,
    /// The disk took nothing more: the next attempt is the sync timer's.
    disk_full: bool,
    pub(super) idle_asked: bool,
    timer: Option<TimerId>,
    /// Fires when it may hibernate.
    hibernation: Option<TimerId>,
    /// When it last handled a message from outside.
    pub(super) last_work: Time,
}

impl Replica {
    fn sync_interval(&self) -> Span {
        match self.role() {
            Role::Leader => LEADER_SYNC_INTERVAL,
            Role::Mirror => MIRROR_SYNC_INTERVAL,
        }
    }

    /// rabbit_amqqueue_process.erl `next_state`: an index with confirms waiting is flushed as soon
    /// as the mailbox is empty, and after the sync interval at the latest; a journal without is
    /// flushed when the process has been idle for that long. What is left is for hibernation.
    pub(crate) fn plan_flush(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if self.flushes.under_way || self.flushes.disk_full {
            return;
        }
        if self.base.bq.is_full() {
            self.relieve(node, ctx);
            return;
        }
        match self.base.bq.needs_sync() {
            NeedsSync::No => {
                if self.flushes.hibernation.is_none() && self.base.bq.flushes_to_hibernate() {
                    let timer =
                        ctx.after(HIBERNATE_AFTER, ctx.lane(), QueueMessage::HibernateTimer.into());
                    self.flushes.hibernation = Some(timer);
                }
                return;
            }
            NeedsSync::Soon if !self.flushes.idle_asked => {
                self.flushes.idle_asked = true;
                ctx.when_idle(QueueMessage::Idle.into());
            }
            NeedsSync::Soon | NeedsSync::WhenIdleLong => {}
        }
        if self.flushes.timer.is_none() {
            self.flushes.timer =
                Some(ctx.after(self.sync_interval(), ctx.lane(), QueueMessage::SyncTimer.into()));
        }
    }

    pub(crate) fn on_sync_timer(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        self.flushes.timer = None;
        self.flushes.disk_full = false;
        if self.terminating {
            // The process of a node that stops waits for nothing but this.
            self.flush(node, ctx);
            return;
        }
        match self.base.bq.needs_sync() {
            NeedsSync::No => {}
            NeedsSync::Soon => self.flush(node, ctx),
            NeedsSync::WhenIdleLong => {
                // Every message starts the wait anew: the time-out is that of a gen_server.
                let idle_at = self.flushes.last_work + self.sync_interval();
                let missing = idle_at.since(ctx.now());
                if missing.is_zero() {
                    self.flush(node, ctx);
                } else {
                    self.flushes.timer =
                        Some(ctx.after(missing, ctx.lane(), QueueMessage::SyncTimer.into()));
                }
            }
        }
    }

    /// rabbit_variable_queue.erl `handle_pre_hibernate`: the journal is folded into its segments,
    /// or the buffers of a queue of version 2 are written, whoever waits.
    pub(crate) fn on_hibernate_timer(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        self.flushes.hibernation = None;
        let missing = (self.flushes.last_work + HIBERNATE_AFTER).since(ctx.now());
        if !missing.is_zero() {
            self.flushes.hibernation =
                Some(ctx.after(missing, ctx.lane(), QueueMessage::HibernateTimer.into()));
        } else if !self.flushes.under_way
            && !self.flushes.disk_full
            && self.base.bq.flushes_to_hibernate()
        {
            let written = self.base.bq.hibernate(ctx);
            self.wrote(node, ctx, written.ok());
        }
    }

    /// A buffer or the journal has its size: it is written or folded whoever waits.
    fn relieve(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let written = self.base.bq.relieve(ctx);
        self.wrote(node, ctx, written.ok());
    }

    pub(crate) fn flush(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let wanted = self.base.bq.needs_sync() != NeedsSync::No || self.terminating;
        if self.flushes.under_way || self.flushes.disk_full || !wanted {
            return;
        }
        let written = match self.terminating {
            true => self.base.bq.close(ctx),
            false => self.base.bq.write_buffer(ctx),
        };
        self.wrote(node, ctx, written.ok());
    }

    /// Something was written; without a result the disk was full.
    fn wrote(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, written: Option<Written>) {
        match written {
            Some(Written::Aside) => {}
            Some(Written::Nothing) => self.journal_synced(node, ctx),
            Some(Written::Cached) => {
                ctx.spend(node.config.costs.queue_write);
                self.journal_synced(node, ctx);
            }
            Some(Written::Sync) => {
                ctx.spend(node.config.costs.queue_flush);
                self.flushes.under_way = true;
                self.fsync_next(ctx);
            }
            None => {
                // Nothing is written while the disk is full; try again at the next interval.
                self.flushes.disk_full = true;
                if self.flushes.timer.is_none() {
                    let interval = self.sync_interval();
                    self.flushes.timer =
                        Some(ctx.after(interval, ctx.lane(), QueueMessage::SyncTimer.into()));
                }
            }
        }
    }

    /// The index is fsynced by the queue's own process, which waits for it, file by file
    /// (rabbit_queue_index.erl: `sync`, `append_journal_to_segment`).
    fn fsync_next(&mut self, ctx: &mut Context<'_, Message>) -> bool {
        let next = self.base.bq.next_fsync();
        if let Some(file) = next {
            ctx.fsync_blocking(file, QueueMessage::JournalSynced.into());
        }
        next.is_some()
    }

    pub(crate) fn journal_synced(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if self.flushes.under_way && self.fsync_next(ctx) {
            return;
        }
        let fsynced = std::mem::take(&mut self.flushes.under_way);
        let mut due = std::mem::take(&mut self.base.due);
        self.base.bq.synced(ctx, fsynced, &mut due);
        self.base.due = due;
        if self.leader().is_some_and(|leader| leader.leading.recovering) {
            self.recovered(node, ctx);
        }
        if self.terminating {
            self.base.bq.closed();
            self.base.send_confirms(node, ctx);
            node.end_process(ctx.lane(), DownReason::Shutdown);
        }
    }

    /// Bodies of large messages are safe in the store.
    pub(crate) fn bodies_written(&mut self, ids: &[u64]) {
        let mut due = std::mem::take(&mut self.base.due);
        self.base.bq.bodies_written(ids, &mut due);
        self.base.due = due;
    }

    /// Passes on what the queue wants of the shared store and of the disk.
    pub(crate) fn keep_bodies(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if self.base.bq.asks() {
            let process = Some(ctx.lane());
            let sent = node.keep_bodies(ctx, &mut self.base.bq, process);
            self.base.spend_store_credit(node, sent);
        }
    }

    /// The node stops: make everything durable, then end.
    pub(crate) fn end_in_order(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        self.terminating = true;
        self.keep_bodies(node, ctx);
        if !self.flushes.under_way {
            self.flush(node, ctx);
        }
    }

    /// The process opens what its disk kept (rabbit_variable_queue.erl `init`,
    /// rabbit_queue_index.erl `recover`): in its recovery terms if the node was stopped in order,
    /// else entry by entry, after which the journal is folded.
    pub(crate) fn recover(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, read: bool) {
        let costs = &node.config.costs;
        if !read {
            let fast = node.config.settings.rules.has(Rule::FastQueueRecovery);
            ctx.spend(costs.recover_queue / if fast { 5 } else { 1 });
            if self.base.bq.is_clean() {
                self.base.bq.opened();
                self.recovered(node, ctx);
                return;
            }
            let bytes = self.base.bq.bytes_to_scan();
            if bytes > 0 {
                ctx.read(bytes, QueueMessage::Recover { read: true }.into());
                return;
            }
        }
        ctx.spend(costs.recover_entry * self.base.bq.depth());
        self.base.bq.opened();
        let folded = self.base.bq.hibernate(ctx);
        self.wrote(node, ctx, folded.ok());
        if self.flushes.disk_full {
            // It is as good as it was: the journal is folded later.
            self.recovered(node, ctx);
        }
    }

    fn recovered(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let Some(mut leader) = self.leader() else { return };
        leader.leading.recovering = false;
        leader.base.event(node, ctx, event::QUEUE_RECOVERED, leader.base.bq.depth());
        leader.base.report(node, ctx, role::LEADER);
        // What has expired while the node was down goes, and what is too many.
        leader.begin_to_lead(node, ctx);
        let queue = leader.base.queue;
        ctx.tell(Lane::MAIN, NodeMessage::QueueRecovered { queue }.into());
        // What has expired while the node was down goes, and what is too many.
        if leader.base.bq.has_extras() || node.arguments(queue).limited() {
            ctx.tell(ctx.lane(), LeaderMessage::DropExpired.into());
        }
    }
}
