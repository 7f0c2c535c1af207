//! Synchronisation of mirrors: the queue stands still (rabbit_mirror_queue_sync.erl, v3.10).
//!
//! The leader handles nothing else meanwhile. Mirrors to be synchronised purge themselves, then take
//! the leader's messages batch by batch; the slowest sets the pace.

use crate::observe::{BecauseId, Event, Observer, Removal};
use crate::world::Context;

use super::super::message::{Message, Pid, QueueSeq};
use super::super::words::{cause, event};
use super::Node;
use super::gm::Instruction;
use super::mnesia::Purpose;
use super::replica::{Replica, Role};
use super::store::BatchEntry;

/// Bytes of a batch beside the payloads, a message.
const SYNC_ENTRY_BYTES: u32 = 200;

/// A batch of the leader's queue, in queue order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncBatch {
    /// Who sends it.
    pub leader: Pid,
    /// In which of its synchronisations.
    pub round: u64,
    /// The messages.
    pub entries: Vec<BatchEntry>,
}

/// A synchronisation under way at the leader.
#[derive(Clone, Debug)]
pub struct LeaderSync {
    /// Mirrors that take part, and whether each is ready for the next batch.
    mirrors: Vec<(Pid, bool)>,
    round: u64,
    next: QueueSeq,
}

impl LeaderSync {
    /// Whether the queue waits for that mirror.
    pub(super) fn waits_for(&self, mirror: Pid) -> bool {
        self.mirrors.iter().any(|(other, _)| *other == mirror)
    }
}

/// A synchronisation under way at a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MirrorSync {
    pub(super) leader: Pid,
    round: u64,
}

impl Replica {
    /// rabbit_mirror_queue_master.erl `sync_mirrors`: synchronises every mirror that is not.
    pub(super) fn start_sync<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
    ) {
        let Some(record) = node.mnesia.tables.queue(self.queue) else { return };
        if self.role != Role::Leader || record.leader != self.me {
            return;
        }
        let mirrors: Vec<(Pid, bool)> = record
            .mirrors
            .iter()
            .filter(|mirror| !record.synchronised.contains(mirror))
            .map(|&mirror| (mirror, false))
            .collect();
        if mirrors.is_empty() {
            return;
        }
        self.event(node, ctx, event::SYNC_STARTED, self.bq.depth());
        self.sync_rounds += 1;
        let (leader, round) = (self.me, self.sync_rounds);
        for &(mirror, _) in &mirrors {
            node.monitor(ctx, ctx.lane(), mirror);
            self.broadcast(ctx, Instruction::SyncStart { leader, mirror, round });
        }
        self.leader_sync = Some(LeaderSync { mirrors, round, next: 0 });
    }

    /// A mirror is ready; when all are, the next batch goes out.
    pub(super) fn sync_next<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        mirror: Pid,
        round: u64,
    ) {
        let Some(sync) = self.leader_sync.as_mut().filter(|sync| sync.round == round) else {
            return;
        };
        for (other, ready) in &mut sync.mirrors {
            *ready |= *other == mirror;
        }
        self.sync_step(node, ctx);
    }

    /// A mirror has everything already (rabbit_mirror_queue_sync.erl: `sync_deny`).
    pub(super) fn sync_denied<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        mirror: Pid,
        round: u64,
    ) {
        if self.leader_sync.as_ref().is_some_and(|sync| sync.round == round) {
            self.sync_without(node, ctx, mirror);
        }
    }

    /// A mirror takes no part in the synchronisation any more: it died.
    pub(super) fn sync_without<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        mirror: Pid,
    ) {
        if let Some(sync) = &mut self.leader_sync {
            sync.mirrors.retain(|(other, _)| *other != mirror);
            self.sync_step(node, ctx);
        }
    }

    fn sync_step<O: Observer>(&mut self, node: &mut Node, ctx: &mut Context<'_, Message, O>) {
        let Some(sync) = &mut self.leader_sync else { return };
        if sync.mirrors.iter().any(|(_, ready)| !ready) {
            return;
        }
        let size = node.config.queue(self.queue).mirroring.map_or(0, |mirroring| {
            if sync.mirrors.is_empty() { 0 } else { mirroring.sync_batch_size as usize }
        });
        let entries = self.bq.batch(sync.next, size);
        if entries.is_empty() {
            self.finish_sync(node, ctx);
            return;
        }
        ctx.spend(node.config.costs.sync_message * entries.len() as u64);
        sync.next = entries[entries.len() - 1].id + 1;
        let sizes = entries.iter().map(|entry| u64::from(SYNC_ENTRY_BYTES + entry.message.bytes));
        // What a message of the world may have at most: 4 GiB.
        let bytes = u32::try_from(sizes.sum::<u64>()).unwrap_or(u32::MAX);
        for (_, ready) in &mut sync.mirrors {
            *ready = false;
        }
        let (leader, round) = (self.me, sync.round);
        let mirrors: Vec<Pid> = sync.mirrors.iter().map(|(mirror, _)| *mirror).collect();
        for mirror in mirrors {
            let batch = Box::new(SyncBatch { leader, round, entries: entries.clone() });
            node.send(ctx, mirror, Message::SyncMessages(batch), bytes);
        }
    }

    fn finish_sync<O: Observer>(&mut self, node: &mut Node, ctx: &mut Context<'_, Message, O>) {
        let Some(sync) = self.leader_sync.take() else { return };
        let (leader, round) = (self.me, sync.round);
        for (mirror, _) in sync.mirrors {
            node.send(ctx, mirror, Message::SyncComplete { leader, round }, 60);
        }
        self.event(node, ctx, event::SYNC_FINISHED, self.bq.depth());
    }

    /// The leader offers a synchronisation to this mirror: it purges itself and says it is ready,
    /// unless it has everything (rabbit_mirror_queue_sync.erl: `slave`).
    pub(super) fn mirror_sync_start<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        leader: Pid,
        round: u64,
    ) {
        let mirror = self.me;
        if self.missing == Some(0) {
            node.send(ctx, leader, Message::SyncDeny { mirror, round }, 60);
            return;
        }
        let mut due = std::mem::take(&mut self.due);
        self.bq.take_all_unconfirmed(&mut due);
        self.due = due;
        self.send_confirms(node, ctx);
        self.purge_for_sync(ctx);
        self.mirror_sync = Some(MirrorSync { leader, round });
        node.monitor(ctx, ctx.lane(), leader);
        node.send(ctx, leader, Message::SyncNext { mirror, round }, 60);
    }

    fn purge_for_sync<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        let (now, node) = (ctx.now(), ctx.node());
        let removal = Removal { cause: cause::PURGED_FOR_SYNC, because: BecauseId::NONE };
        self.bq.wipe(now, node, ctx.observer(), removal);
        self.bq.restart_numbering();
    }

    /// A batch arrives at a mirror.
    pub(super) fn mirror_sync_batch<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        batch: SyncBatch,
    ) {
        let (leader, round) = (batch.leader, batch.round);
        if self.mirror_sync != Some(MirrorSync { leader, round }) {
            return;
        }
        ctx.spend(node.config.costs.sync_message * batch.entries.len() as u64);
        for entry in batch.entries {
            self.bq.synchronise(ctx, entry);
        }
        let mirror = self.me;
        node.send(ctx, leader, Message::SyncNext { mirror, round }, 60);
    }

    /// The leader is through: this mirror holds all that it holds.
    pub(super) fn mirror_sync_complete<O: Observer>(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message, O>,
        leader: Pid,
        round: u64,
    ) {
        if self.mirror_sync != Some(MirrorSync { leader, round }) {
            return;
        }
        self.mirror_sync = None;
        self.missing = Some(0);
        node.transaction(ctx, Purpose::Synchronised { queue: self.queue, mirror: self.me });
    }

    /// The leader died midway: what came so far is thrown away, the mirror stays unsynchronised
    /// (rabbit_mirror_queue_sync.erl: `slave_sync_loop`, on the death of the syncer).
    pub(super) fn mirror_sync_abandoned<O: Observer>(
        &mut self,
        ctx: &mut Context<'_, Message, O>,
        dead: Pid,
    ) {
        if self.mirror_sync.is_some_and(|sync| sync.leader == dead) {
            self.mirror_sync = None;
            self.purge_for_sync(ctx);
            self.missing = None;
        }
    }

    pub(super) fn event<O: Observer>(
        &self,
        node: &Node,
        ctx: &mut Context<'_, Message, O>,
        word: crate::observe::EventId,
        count: u64,
    ) {
        let (now, here) = (ctx.now(), ctx.node());
        let destination = Some(node.config.destination(self.queue));
        ctx.observer().event(now, Event { word, node: here, destination, subject: None, count });
    }
}
