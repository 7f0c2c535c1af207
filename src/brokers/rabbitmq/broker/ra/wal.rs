//! The log that all Raft members of a node write to (ra_log_wal.erl v3.1): what has come while one
//! batch was being fsynced is the next batch.
//!
//! It is one file here, of the quorum queues, and another one of Khepri's: entries leave it at the front as snapshots take their place. Ra writes what
//! is alive into segment files when its WAL is full, at 512 MiB, and deletes it then.

use std::collections::VecDeque;

use crate::engine::Span;
use crate::world::{Context, FileId};

use super::super::super::message::ra::{Index, Position, RaMessage, WalMessage};
use super::super::super::message::{Message, QueueId};
use super::super::Node;

/// Entries of one batch (rabbit_prelaunch_conf.erl: `wal_max_batch_size`).
const MOST_IN_BATCH: u32 = 4_096;
/// What cannot be written is tried again after this long.
pub const RETRY: Span = Span::from_secs(1);

/// Entries of a member that are in the file, up to `last`.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    last: Position,
    /// Where they end in the file.
    end: u64,
}

/// What a node knows of its log, whether its process lives or not: by queue, what has been written
/// since the last fsync.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    of: Vec<VecDeque<Mark>>,
}

impl Marks {
    /// For so many queues.
    #[must_use]
    pub fn new(queues: usize) -> Marks {
        Marks { of: vec![VecDeque::new(); queues] }
    }

    fn wrote(&mut self, queue: QueueId, mark: Mark) {
        self.of[queue.0 as usize].push_back(mark);
    }

    fn fsynced(&mut self, queue: QueueId, end: u64) {
        let marks = &mut self.of[queue.0 as usize];
        while marks.front().is_some_and(|mark| mark.end <= end) {
            marks.pop_front();
        }
    }

    /// A member that starts has had all that is in the file fsynced.
    pub fn recovered(&mut self, queue: QueueId) {
        self.of[queue.0 as usize].clear();
    }

    /// After a death: the last entry that the first `kept` bytes of the file have beyond what was
    /// fsynced. `is_there` says whether the log has that entry still.
    pub fn survived(
        &self,
        queue: QueueId,
        kept: u64,
        is_there: impl Fn(Position) -> bool,
    ) -> Option<Index> {
        let marks = &self.of[queue.0 as usize];
        let there = marks.iter().filter(|mark| mark.end <= kept && is_there(mark.last));
        there.map(|mark| mark.last.index).max()
    }
}

/// The log's process.
#[derive(Clone, Debug)]
pub struct Wal {
    file: FileId,
    /// What was written since the last fsync: by member, up to where.
    batch: Vec<(QueueId, Position)>,
    entries: u32,
    idle_asked: bool,
    /// The batch is being fsynced.
    syncing: bool,
    /// What a full disk had no room for, in its order.
    waiting: VecDeque<WalMessage>,
}

impl Wal {
    /// One that writes to this file.
    #[must_use]
    pub fn new(file: FileId) -> Wal {
        Wal {
            file,
            batch: Vec::new(),
            entries: 0,
            idle_asked: false,
            syncing: false,
            waiting: VecDeque::new(),
        }
    }

    /// Handles one message.
    pub fn handle(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, message: WalMessage) {
        match message {
            WalMessage::Write { queue, last, entries, bytes } => {
                let costs = &node.config.costs;
                ctx.spend(costs.wal_entry * u64::from(entries));
                let file = self.file;
                if !self.waiting.is_empty() || ctx.write(file, u64::from(bytes)).is_err() {
                    // Its members wait for it (ra_server.erl: `await_condition`, `wal_down`).
                    if self.waiting.is_empty() {
                        ctx.after(RETRY, ctx.lane(), WalMessage::Retry.into());
                    }
                    self.waiting.push_back(message);
                    return;
                }
                let end = ctx.file_length(file);
                node.marks.wrote(queue, Mark { last, end });
                match self.batch.iter_mut().find(|(of, _)| *of == queue) {
                    Some((_, upto)) => *upto = last,
                    None => self.batch.push((queue, last)),
                }
                self.entries += entries;
                if self.entries >= MOST_IN_BATCH {
                    self.fsync(node, ctx);
                } else if !std::mem::replace(&mut self.idle_asked, true) {
                    ctx.when_idle(WalMessage::Idle.into());
                }
            }
            WalMessage::Retry => {
                let mut waiting = std::mem::take(&mut self.waiting);
                while self.waiting.is_empty()
                    && !self.syncing
                    && let Some(message) = waiting.pop_front()
                {
                    self.handle(node, ctx, message);
                }
                // A batch is full: the rest is the next one.
                if self.waiting.is_empty() && !waiting.is_empty() {
                    ctx.tell(ctx.lane(), WalMessage::Retry.into());
                }
                self.waiting.append(&mut waiting);
            }
            WalMessage::Idle => {
                self.idle_asked = false;
                if !self.batch.is_empty() {
                    self.fsync(node, ctx);
                }
            }
            WalMessage::Synced => {
                let end = ctx.file_length(self.file);
                for (queue, last) in self.batch.drain(..) {
                    node.marks.fsynced(queue, end);
                    if let Some(lane) = node.members[queue.0 as usize] {
                        ctx.tell(lane, Message::Ra(queue, RaMessage::Written(last)));
                    }
                }
                self.entries = 0;
                self.syncing = false;
            }
        }
    }

    fn fsync(&mut self, node: &Node, ctx: &mut Context<'_, Message>) {
        self.syncing = true;
        ctx.spend(node.config.costs.wal_batch);
        ctx.fsync_blocking(self.file, WalMessage::Synced.into());
    }

    /// Whether nothing waits to become durable.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.batch.is_empty() && self.waiting.is_empty()
    }
}
