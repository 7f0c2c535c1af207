//! When the process of a queue flushes what it holds (rabbit_amqqueue_process.erl and
//! rabbit_mirror_queue_slave.erl: `next_state`, `handle_pre_hibernate`; v3.10 to v3.13).

use crate::engine::Span;
use crate::world::{Context, Lane};

use super::super::super::message::{DownReason, Message};
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::super::Node;
use super::super::replica::{Replica, Role};
use super::BackingQueue;
use super::index::Written;
use super::queue::{NeedsSync, Request};

/// Flush ceiling under load and idle time-out of a leader
/// (rabbit_amqqueue_process.erl: `?SYNC_INTERVAL` 200 ms).
const LEADER_SYNC_INTERVAL: Span = Span::from_millis(200);
/// The same of a mirror (rabbit_mirror_queue_slave.erl: `?SYNC_INTERVAL` 25 ms).
const MIRROR_SYNC_INTERVAL: Span = Span::from_millis(25);
/// A process that has had nothing to do for this long hibernates
/// (rabbit_common, rabbit.hrl: `?HIBERNATE_AFTER_MIN` 1,000 ms).
const HIBERNATE_AFTER: Span = Span::from_secs(1);

impl Replica {
    fn sync_interval(&self) -> Span {
        match self.role {
            Role::Leader => LEADER_SYNC_INTERVAL,
            Role::Mirror => MIRROR_SYNC_INTERVAL,
        }
    }

    /// rabbit_amqqueue_process.erl `next_state`: an index with confirms waiting is flushed as soon
    /// as the mailbox is empty, and after the sync interval at the latest; a journal without is
    /// flushed when the process has been idle for that long. What is left is for hibernation.
    pub(in super::super) fn plan_flush(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if self.flushing || self.disk_full {
            return;
        }
        if self.bq.is_full() {
            self.relieve(node, ctx);
            return;
        }
        match self.bq.needs_sync() {
            NeedsSync::No => {
                if self.hibernation.is_none() && self.bq.flushes_to_hibernate() {
                    let timer = ctx.after(HIBERNATE_AFTER, ctx.lane(), Message::HibernateTimer);
                    self.hibernation = Some(timer);
                }
                return;
            }
            NeedsSync::Soon if !self.idle_asked => {
                self.idle_asked = true;
                ctx.when_idle(Message::Idle);
            }
            NeedsSync::Soon | NeedsSync::WhenIdleLong => {}
        }
        if self.timer.is_none() {
            self.timer = Some(ctx.after(self.sync_interval(), ctx.lane(), Message::SyncTimer));
        }
    }

    pub(in super::super) fn on_sync_timer(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
    ) {
        self.timer = None;
        self.disk_full = false;
        if self.terminating {
            // The process of a node that stops waits for nothing but this.
            self.flush(node, ctx);
            return;
        }
        match self.bq.needs_sync() {
            NeedsSync::No => {}
            NeedsSync::Soon => self.flush(node, ctx),
            NeedsSync::WhenIdleLong => {
                // Every message starts the wait anew: the time-out is that of a gen_server.
                let idle_at = self.last_work + self.sync_interval();
                let missing = idle_at.since(ctx.now());
                if missing.is_zero() {
                    self.flush(node, ctx);
                } else {
                    self.timer = Some(ctx.after(missing, ctx.lane(), Message::SyncTimer));
                }
            }
        }
    }

    /// rabbit_variable_queue.erl `handle_pre_hibernate`: the journal is folded into its segments,
    /// or the buffers of a queue of version 2 are written, whoever waits.
    pub(in super::super) fn on_hibernate_timer(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
    ) {
        self.hibernation = None;
        let missing = (self.last_work + HIBERNATE_AFTER).since(ctx.now());
        if !missing.is_zero() {
            self.hibernation = Some(ctx.after(missing, ctx.lane(), Message::HibernateTimer));
        } else if !self.flushing && !self.disk_full && self.bq.flushes_to_hibernate() {
            let written = self.bq.hibernate(ctx);
            self.wrote(node, ctx, written.ok());
        }
    }

    /// A buffer or the journal has its size: it is written or folded whoever waits.
    fn relieve(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let written = self.bq.relieve(ctx);
        self.wrote(node, ctx, written.ok());
    }

    pub(in super::super) fn flush(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let wanted = self.bq.needs_sync() != NeedsSync::No || self.terminating;
        if self.flushing || self.disk_full || !wanted {
            return;
        }
        let written = match self.terminating {
            true => self.bq.close(ctx),
            false => self.bq.write_buffer(ctx),
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
                self.flushing = true;
                self.fsync_next(ctx);
            }
            None => {
                // Nothing is written while the disk is full; try again at the next interval.
                self.disk_full = true;
                if self.timer.is_none() {
                    let interval = self.sync_interval();
                    self.timer = Some(ctx.after(interval, ctx.lane(), Message::SyncTimer));
                }
            }
        }
    }

    /// The index is fsynced by the queue's own process, which waits for it, file by file
    /// (rabbit_queue_index.erl: `sync`, `append_journal_to_segment`).
    fn fsync_next(&mut self, ctx: &mut Context<'_, Message>) -> bool {
        let next = self.bq.next_fsync();
        if let Some(file) = next {
            ctx.fsync_blocking(file, Message::JournalSynced);
        }
        next.is_some()
    }

    pub(in super::super) fn journal_synced(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
    ) {
        if self.flushing && self.fsync_next(ctx) {
            return;
        }
        let fsynced = std::mem::take(&mut self.flushing);
        let mut due = std::mem::take(&mut self.due);
        self.bq.synced(ctx, fsynced, &mut due);
        self.due = due;
        if self.recovering {
            self.recovered(node, ctx);
        }
        if self.terminating {
            self.bq.closed();
            self.send_confirms(node, ctx);
            node.end_process(ctx.lane(), DownReason::Shutdown);
        }
    }

    /// Bodies of large messages are safe in the store.
    pub(in super::super) fn bodies_written(&mut self, ids: &[u64]) {
        let mut due = std::mem::take(&mut self.due);
        self.bq.bodies_written(ids, &mut due);
        self.due = due;
    }

    /// Passes on what the queue wants of the shared store and of the disk.
    pub(in super::super) fn keep_bodies(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
    ) {
        if self.bq.asks() {
            let process = Some(ctx.lane());
            let sent = node.keep_bodies(ctx, &mut self.bq, process);
            self.spend_store_credit(node, sent);
        }
    }

    /// The node stops: make everything durable, then end.
    pub(in super::super) fn end_in_order(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
    ) {
        self.terminating = true;
        self.keep_bodies(node, ctx);
        if !self.flushing {
            self.flush(node, ctx);
        }
    }

    /// The process opens what its disk kept (rabbit_variable_queue.erl `init`,
    /// rabbit_queue_index.erl `recover`): in its recovery terms if the node was stopped in order,
    /// else entry by entry, after which the journal is folded.
    pub(in super::super) fn recover(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        read: bool,
    ) {
        let costs = &node.config.costs;
        if !read {
            let fast = node.config.settings.rules.has(Rule::FastQueueRecovery);
            ctx.spend(costs.recover_queue / if fast { 5 } else { 1 });
            if self.bq.is_clean() {
                self.bq.opened();
                self.recovered(node, ctx);
                return;
            }
            let bytes = self.bq.bytes_to_scan();
            if bytes > 0 {
                ctx.read(bytes, Message::RecoverQueue { read: true });
                return;
            }
        }
        ctx.spend(costs.recover_entry * self.bq.depth());
        self.bq.opened();
        let folded = self.bq.hibernate(ctx);
        self.wrote(node, ctx, folded.ok());
        if self.disk_full {
            // It is as good as it was: the journal is folded later.
            self.recovered(node, ctx);
        }
    }

    fn recovered(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        self.recovering = false;
        self.event(node, ctx, event::QUEUE_RECOVERED, self.bq.depth());
        self.report_role(node, ctx);
        // What has expired while the node was down goes, and what is too many.
        self.begin_to_lead(node, ctx);
        ctx.tell(Lane::MAIN, Message::QueueRecovered { queue: self.queue });
        // What has expired while the node was down goes, and what is too many.
        if self.bq.has_extras() || node.config.queue(self.queue).arguments.limited() {
            ctx.tell(ctx.lane(), Message::DropExpired);
        }
    }
}

impl Node {
    /// What a queue wants of the shared store and of the disk. Without a process nobody waits for
    /// what is not written yet. Returns how many messages went to the store.
    pub(in super::super) fn keep_bodies(
        &mut self,
        ctx: &mut Context<'_, Message>,
        bq: &mut BackingQueue,
        process: Option<Lane>,
    ) -> u32 {
        let mut sent = 0;
        bq.erase(ctx);
        for request in bq.take_requests() {
            match request {
                Request::Write { id, confirm } => {
                    let (Some(message), Some(queue)) = (bq.wanted(id), process) else { continue };
                    let body = self.bodies.refer(message);
                    bq.set_body(id, body);
                    let store = self.store(ctx);
                    ctx.tell(store, Message::StoreWrite { queue, id, body, confirm });
                    sent += 1;
                }
                Request::Remove(body) => self.bodies.unrefer(ctx, body),
            }
        }
        sent
    }
}
