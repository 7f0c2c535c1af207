//! The process of the message store that all queues of a node share (rabbit_msg_store.erl).
//!
//! Queues send it the bodies of large messages and go on; it appends them to a buffer of 1 MB, and
//! tells the queues when they are safe. Until 3.12 that is after an fsync, from 3.13 on after the
//! write to the operating system.

use crate::engine::Span;
use crate::world::{Context, Lane, TimerId};

use super::super::super::message::queue::QueueMessage;
use super::super::super::message::store::StoreMessage;
use super::super::super::message::{DownReason, Message, QueueSeq};
use super::super::super::rules::Rule;
use super::super::Node;
use super::super::Process;
use super::super::vm::credit::Grants;
use super::BackingQueue;
use super::bodies::{BodyId, Filing};
use super::queue::Request;

/// rabbit_msg_store.erl v3.12: `?SYNC_INTERVAL` 25 ms.
const SYNC_INTERVAL: Span = Span::from_millis(25);
/// rabbit_msg_store.erl v3.13: `?SYNC_INTERVAL` 200 ms.
const WRITE_INTERVAL: Span = Span::from_millis(200);
/// rabbit_msg_store.erl: `?HANDLE_CACHE_BUFFER_SIZE`, v3.13: `?MAX_BUFFER_SIZE`.
const WRITE_BUFFER: u64 = 1 << 20;

/// The store's process.
#[derive(Clone, Debug, Default)]
pub struct SharedStore {
    /// Who waits for which of its messages to be safe.
    waiting: Vec<(Lane, QueueSeq)>,
    /// How far each queue is from being granted more credit.
    grants: Vec<(Lane, Grants)>,
    /// Bodies of which nobody wants to hear, and which a flush is due for all the same.
    owed: bool,
    idle_asked: bool,
    timer: Option<TimerId>,
    syncing: bool,
    rolling: bool,
    disk_full: bool,
    /// The node stops: ends once all is written.
    terminating: bool,
}

impl SharedStore {
    /// Handles one message.
    pub fn handle(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        message: StoreMessage,
    ) {
        match message {
            StoreMessage::Write { queue, id, body, confirm } => {
                self.write(node, ctx, queue, id, body, confirm);
            }
            StoreMessage::Idle => {
                self.idle_asked = false;
                self.flush(node, ctx);
            }
            StoreMessage::SyncTimer => {
                self.timer = None;
                self.disk_full = false;
                self.flush(node, ctx);
            }
            StoreMessage::Synced => self.synced(node, ctx),
            StoreMessage::Terminate => {
                self.terminating = true;
                self.flush(node, ctx);
            }
        }
        self.plan(node, ctx);
    }

    /// rabbit_msg_store.erl `write_message`.
    fn write(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: Lane,
        id: QueueSeq,
        body: BodyId,
        confirm: bool,
    ) {
        ctx.spend(node.config.costs.store_write);
        self.take_from_queue(node, ctx, queue);
        match node.bodies.append(body) {
            Filing::Unwanted => return,
            Filing::Older => {
                if confirm {
                    ctx.tell(queue, QueueMessage::BodiesWritten { ids: Box::new([id]) }.into());
                }
                return;
            }
            Filing::Current => {}
        }
        if confirm {
            self.waiting.push((queue, id));
        } else {
            self.owed |= !node.config.settings.rules.has(Rule::StoreFlushedForConfirmsOnly);
        }
        if node.bodies.is_file_full() {
            self.rolling = true;
            self.flush(node, ctx);
        } else if node.bodies.buffered() >= WRITE_BUFFER && !self.syncing {
            self.disk_full |= node.bodies.write(ctx).is_err();
        }
    }

    /// rabbit_msg_store.erl `handle_cast({write, ...})`: `credit_flow:ack(CPid, CreditDiscBound)`.
    fn take_from_queue(&mut self, node: &Node, ctx: &mut Context<'_, Message>, queue: Lane) {
        let spec = node.config.settings.store_credit;
        let known = self.grants.iter().position(|(known, _)| *known == queue);
        let at = known.unwrap_or_else(|| {
            self.grants.push((queue, Grants::new(spec)));
            self.grants.len() - 1
        });
        if let Some(more) = self.grants[at].1.ack(spec) {
            ctx.tell(queue, QueueMessage::BumpCredit { more }.into());
        }
    }

    /// rabbit_msg_store.erl `next_state`: what waits is flushed as soon as the mailbox is empty,
    /// and after the sync interval at the latest.
    fn plan(&mut self, node: &Node, ctx: &mut Context<'_, Message>) {
        let flushes = !self.waiting.is_empty() || self.owed || self.rolling;
        if self.syncing || !(flushes || self.disk_full) {
            return;
        }
        if !self.idle_asked && !self.disk_full {
            self.idle_asked = true;
            ctx.when_idle(StoreMessage::Idle.into());
        }
        if self.timer.is_none() {
            let interval = match fsyncs(node) {
                true => SYNC_INTERVAL,
                false => WRITE_INTERVAL,
            };
            self.timer = Some(ctx.after(interval, ctx.lane(), StoreMessage::SyncTimer.into()));
        }
    }

    /// rabbit_msg_store.erl `internal_sync`, and the close of a file that is rolled.
    fn flush(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let due = !self.waiting.is_empty() || self.owed || self.rolling || self.terminating;
        if self.syncing || self.disk_full || !due {
            return;
        }
        if node.bodies.write(ctx).is_err() {
            self.disk_full = true;
            return;
        }
        ctx.spend(node.config.costs.store_flush);
        if fsyncs(node) {
            self.syncing = true;
            ctx.fsync_blocking(node.bodies.current_file(), StoreMessage::Synced.into());
        } else {
            self.synced(node, ctx);
        }
    }

    /// What was written is as safe as it is going to be: the queues that wait are told.
    fn synced(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        self.syncing = false;
        self.owed = false;
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_by_key(|(queue, _)| *queue);
        for same in waiting.chunk_by(|a, b| a.0 == b.0) {
            let ids = same.iter().map(|(_, id)| *id).collect();
            ctx.tell(same[0].0, QueueMessage::BodiesWritten { ids }.into());
        }
        if std::mem::take(&mut self.rolling) {
            node.bodies.roll(ctx);
        }
        if self.terminating {
            node.bodies.closed();
            node.end_process(ctx.lane(), DownReason::Shutdown);
        }
    }

    /// Whether nobody waits here.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.waiting.is_empty() && !self.owed && !self.syncing
    }
}

/// Until 3.12 a flush is an fsync; from 3.13 on the store leaves that to the kernel
/// (rabbit_msg_store.erl v3.13 `writer_flush`).
fn fsyncs(node: &Node) -> bool {
    node.config.settings.rules.has(Rule::StoreFsyncedBeforeConfirm)
}

impl Node {
    /// The lane of the message store, which starts when it is first needed.
    fn store(&mut self, ctx: &mut Context<'_, Message>) -> Lane {
        if let Some(lane) = self.store {
            return lane;
        }
        let lane = self.start(ctx);
        self.store = Some(lane);
        self.spawned.push((lane, Process::Store(Box::default())));
        lane
    }

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
                    ctx.tell(store, StoreMessage::Write { queue, id, body, confirm }.into());
                    sent += 1;
                }
                Request::Remove(body) => self.bodies.unrefer(ctx, body),
            }
        }
        sent
    }
}
