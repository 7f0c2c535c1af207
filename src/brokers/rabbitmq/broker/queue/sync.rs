//! Synchronisation of mirrors: the queue stands still (rabbit_mirror_queue_sync.erl, v3.10).
//!
//! The leader handles nothing else meanwhile. Mirrors to be synchronised purge themselves, then
//! take the leader's messages batch by batch. A process beside the leader, the syncer, sends them
//! on and has credit for so many batches at each mirror, so that the slowest sets the pace in the
//! end. It lives and dies with the leader, and is part of it here.

use crate::engine::{Span, Time};
use crate::observe::{BecauseId, Event, Removal};
use crate::world::Context;

use super::super::super::message::queue::{Commander, LeaderMessage, MirrorMessage, SyncBatch};
use super::super::super::message::ring::Instruction;
use super::super::super::message::{Message, Pid, QueueSeq};
use super::super::super::rules::Rule;
use super::super::super::words::{cause, event};
use super::super::Node;
use super::super::cluster::mnesia::Purpose;
use super::super::store::BatchEntry;
use super::base::Base;
use super::replica::{Leader, Mirror};

/// Bytes of a batch beside the payloads, a message.
const SYNC_ENTRY_BYTES: u32 = 200;
/// Batches that a syncer sends to a mirror ahead of it, and by how many the mirror lets it go on
/// (credit_flow.erl: `credit_flow_default_credit` {400, 200}; a batch is one message).
const SYNC_CREDIT: (u32, u32) = (400, 200);
/// So much of a batch arrives together (erts sends what is large in fragments): what has arrived of it
/// takes memory at the mirror, the rest does not yet.
const PIECE: u64 = 1 << 20;
/// How often a leader looks whether it reads too fast
/// (rabbit_mirror_queue_sync.erl: `?SYNC_THROUGHPUT_EVAL_INTERVAL_MILLIS`).
const THROUGHPUT_INTERVAL: Span = Span::from_millis(50);
/// While a memory alarm is in force a synchronisation looks so often whether it is over.
const ALARM_LOOK: Span = Span::from_millis(50);

/// A synchronisation under way at the leader: its own part, and that of its syncer, the process
/// that it starts for it.
#[derive(Clone, Debug)]
pub struct LeaderSync {
    round: u64,
    /// Mirrors that have not said yet whether they take part.
    awaited: Vec<Pid>,
    /// Mirrors that take part, with the syncer's credit for each and the batches until it gets
    /// more.
    mirrors: Vec<(Pid, u32)>,
    next: QueueSeq,
    /// Whether a step is on its way; without it the syncer waits for credit.
    stepping: bool,
    /// What was read since the throughput was looked at, and when that was.
    bytes: u64,
    looked_at: Time,
    /// Whose command waits for its end.
    commander: Option<Commander>,
}

impl LeaderSync {
    /// Whether it is past the questions to the mirrors, so that it can be cancelled.
    pub(super) fn is_under_way(&self) -> bool {
        self.awaited.is_empty()
    }

    /// Whether the queue waits for that mirror.
    pub(crate) fn waits_for(&self, mirror: Pid) -> bool {
        self.awaited.contains(&mirror) || self.mirrors.iter().any(|(other, _)| *other == mirror)
    }

    /// How long the leader sleeps so as not to read more than `limit` bytes a second
    /// (rabbit_mirror_queue_sync.erl v3.10: `maybe_throttle_sync_throughput`, `get_time_diff`).
    fn throttle(&mut self, now: Time, limit: u64) -> Span {
        let elapsed = now.since(self.looked_at);
        if limit == 0 || elapsed <= THROUGHPUT_INTERVAL {
            return Span::ZERO;
        }
        let nanos = u128::from(self.bytes) * 1_000_000_000 / u128::from(limit);
        let due = Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let pause = Span::from_nanos(due.as_nanos().saturating_sub(elapsed.as_nanos()));
        self.bytes = 0;
        self.looked_at = now + pause;
        pause
    }
}

/// Ends a batch with the message that brings it above `room` bytes (`maybe_master_batch_send`);
/// says how many bytes it has.
fn cut_batch(entries: &mut Vec<BatchEntry>, room: u64) -> u64 {
    let mut bytes = 0;
    let mut count = 0;
    for entry in entries.iter() {
        bytes += u64::from(entry.message.bytes);
        count += 1;
        if bytes > room {
            break;
        }
    }
    entries.truncate(count);
    bytes
}

/// Takes the next piece off what is left of a batch; says how many bytes it has on the wire.
fn cut_piece<'a>(rest: &mut &'a [BatchEntry]) -> (&'a [BatchEntry], u32) {
    let (mut bytes, mut count) = (0, 0);
    while count < rest.len() && bytes < PIECE {
        bytes += u64::from(SYNC_ENTRY_BYTES + rest[count].message.bytes);
        count += 1;
    }
    let (piece, left) = rest.split_at(count);
    *rest = left;
    // What a message of the world may have at most: 4 GiB.
    (piece, u32::try_from(bytes).unwrap_or(u32::MAX))
}

/// A synchronisation under way at a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MirrorSync {
    pub(crate) leader: Pid,
    round: u64,
    /// Batches that it has taken.
    batches: u32,
}

impl Leader<'_> {
    /// rabbit_mirror_queue_master.erl `sync_mirrors`: every mirror is asked over the ring, and the
    /// queue stands still until each has answered.
    ///
    /// `commander` is told when it is over, or that there is nothing to do.
    pub(super) fn start_sync(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        commander: Option<Commander>,
    ) {
        let record = node.mnesia.tables.queue(self.base.queue);
        let own = record.filter(|record| record.leader == self.base.me);
        // `await_slaves`: those on nodes that do not run count as dead.
        let mut mirrors = own.map_or(Vec::new(), |record| record.mirrors.clone());
        mirrors.retain(|mirror| node.runs(mirror.node));
        if mirrors.is_empty() || self.leading.sync.is_some() {
            return self.base.answer(node, ctx, commander, Ok(()));
        }
        self.leading.sync_rounds += 1;
        let (leader, round) = (self.base.me, self.leading.sync_rounds);
        for &mirror in &mirrors {
            node.monitor(ctx, ctx.lane(), mirror);
            self.base.broadcast(ctx, Instruction::SyncStart { leader, mirror, round });
        }
        self.leading.sync = Some(LeaderSync {
            round,
            awaited: mirrors,
            mirrors: Vec::new(),
            next: 0,
            stepping: false,
            bytes: 0,
            looked_at: ctx.now(),
            commander,
        });
    }

    /// An operator gives the synchronisation up (`master_send_receive`, `stop_syncer`): mirrors take
    /// the end of the syncer for a failure, and throw away what they have.
    pub(super) fn cancel_sync(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        canceller: Commander,
    ) {
        let Some(sync) = self.leading.sync.take() else {
            return self.base.answer(node, ctx, Some(canceller), Err("not_syncing"));
        };
        let (leader, round) = (self.base.me, sync.round);
        for (mirror, _) in sync.mirrors {
            node.send(ctx, mirror, MirrorMessage::SyncerDown { leader, round }, 60);
        }
        self.base.event(node, ctx, event::SYNC_CANCELLED, self.base.bq.depth());
        self.base.answer(node, ctx, Some(canceller), Ok(()));
        self.base.answer(node, ctx, sync.commander, Ok(()));
    }

    /// A mirror has emptied itself and takes part.
    pub(super) fn sync_ready(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        mirror: Pid,
        round: u64,
    ) {
        let Some(sync) = self.leading.sync.as_mut().filter(|sync| sync.round == round) else {
            return;
        };
        if sync.awaited.contains(&mirror) {
            sync.awaited.retain(|other| *other != mirror);
            sync.mirrors.push((mirror, SYNC_CREDIT.0));
            self.sync_answered(node, ctx);
        }
    }

    /// A mirror has everything already (rabbit_mirror_queue_sync.erl: `sync_deny`).
    pub(super) fn sync_denied(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        mirror: Pid,
        round: u64,
    ) {
        if self.leading.sync.as_ref().is_some_and(|sync| sync.round == round) {
            self.sync_without(node, ctx, mirror);
        }
    }

    /// A mirror takes no part in the synchronisation, or no longer: it is dead or needs none.
    pub(super) fn sync_without(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        mirror: Pid,
    ) {
        let Some(sync) = &mut self.leading.sync else { return };
        if sync.awaited.contains(&mirror) {
            sync.awaited.retain(|other| *other != mirror);
            self.sync_answered(node, ctx);
        } else {
            sync.mirrors.retain(|(other, _)| *other != mirror);
            self.sync_go_on(ctx);
        }
    }

    fn sync_answered(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let Some(sync) = &self.leading.sync else { return };
        if !sync.awaited.is_empty() {
            return;
        }
        if sync.mirrors.is_empty() {
            // "all mirrors already synced"
            let commander = sync.commander;
            self.leading.sync = None;
            self.base.answer(node, ctx, commander, Ok(()));
            return;
        }
        self.base.event(node, ctx, event::SYNC_STARTED, self.base.bq.depth());
        self.sync_go_on(ctx);
    }

    /// The syncer's `wait_for_credit`: the next batch, unless a mirror has too much before it.
    fn sync_go_on(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(sync) = &mut self.leading.sync else { return };
        let waits = !sync.awaited.is_empty() || sync.mirrors.iter().any(|(_, credit)| *credit == 0);
        if !sync.stepping && !waits {
            sync.stepping = true;
            ctx.tell(ctx.lane(), LeaderMessage::SyncStep { round: sync.round }.into());
        }
    }

    /// A mirror has taken some batches: there may be more.
    pub(super) fn sync_credit(&mut self, ctx: &mut Context<'_, Message>, mirror: Pid, round: u64) {
        let Some(sync) = self.leading.sync.as_mut().filter(|sync| sync.round == round) else {
            return;
        };
        for (other, credit) in &mut sync.mirrors {
            if *other == mirror {
                *credit += SYNC_CREDIT.1;
            }
        }
        self.sync_go_on(ctx);
    }

    /// The leader reads a batch of its queue, and the syncer hands it to every mirror.
    pub(super) fn sync_step(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        round: u64,
    ) {
        let Some(sync) = self.leading.sync.as_mut().filter(|sync| sync.round == round) else {
            return;
        };
        sync.stepping = false;
        let policy = node.mirroring(self.base.queue);
        let mut size = policy.map_or(0, |policy| policy.sync_batch_size as usize);
        if sync.mirrors.is_empty() {
            size = 0;
        }
        let mut entries = self.base.bq.batch(sync.next, size);
        if entries.is_empty() {
            self.finish_sync(node, ctx);
            return;
        }
        if node.memory_alarm() {
            // `syncer_check_resources`, `wait_for_resources`: the alarm's end wakes the syncer.
            sync.stepping = true;
            ctx.after(ALARM_LOOK, ctx.lane(), LeaderMessage::SyncStep { round }.into());
            return;
        }
        let limit = node.config.settings.sync_max_throughput;
        if limit > 0 {
            sync.bytes += cut_batch(&mut entries, limit.saturating_sub(sync.bytes));
        }
        ctx.spend(node.config.costs.sync_message * entries.len() as u64);
        sync.next = entries[entries.len() - 1].id + 1;
        let (leader, round) = (self.base.me, sync.round);
        for (mirror, credit) in &mut sync.mirrors {
            *credit -= 1;
            let mut rest = entries.as_slice();
            while !rest.is_empty() {
                let (piece, bytes) = cut_piece(&mut rest);
                let (entries, ends) = (piece.to_vec(), rest.is_empty());
                let batch = Box::new(SyncBatch { leader, round, entries, ends });
                node.send(ctx, *mirror, MirrorMessage::SyncMessages(batch), bytes);
            }
        }
        let pause = sync.throttle(ctx.now(), limit);
        if pause.is_zero() {
            self.sync_go_on(ctx);
        } else {
            sync.stepping = true;
            ctx.after(pause, ctx.lane(), LeaderMessage::SyncStep { round }.into());
        }
    }

    /// The leader has handed over everything and goes on with its work (`master_done`).
    fn finish_sync(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let Some(sync) = self.leading.sync.take() else { return };
        let mirrors = sync.mirrors.into_iter().map(|(mirror, _)| mirror).collect();
        self.leading.syncer = Some((sync.round, mirrors));
        self.base.event(node, ctx, event::SYNC_FINISHED, self.base.bq.depth());
        self.base.answer(node, ctx, sync.commander, Ok(()));
        self.syncer_done(node, ctx, sync.round);
    }

    /// The syncer tells the mirrors that this was all, unless there is a memory alarm: it sees that
    /// first, and waits (`syncer_loop`, `wait_for_resources`). If the alarm is that of a mirror it waits
    /// for ever, for a mirror puts nothing out of its memory before it has been told.
    pub(super) fn syncer_done(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        round: u64,
    ) {
        let this = |syncer: &mut (u64, Vec<Pid>)| syncer.0 == round;
        let Some((_, mirrors)) = self.leading.syncer.take_if(this) else { return };
        if node.memory_alarm() {
            self.leading.syncer = Some((round, mirrors));
            ctx.after(ALARM_LOOK, ctx.lane(), LeaderMessage::SyncDone { round }.into());
            return;
        }
        let leader = self.base.me;
        for mirror in mirrors {
            node.send(ctx, mirror, MirrorMessage::SyncComplete { leader, round }, 60);
        }
    }
}

impl Mirror<'_> {
    /// The leader offers a synchronisation to this mirror: it purges itself and says it is ready,
    /// unless it has everything (rabbit_mirror_queue_sync.erl: `slave`).
    pub(super) fn mirror_sync_start(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        leader: Pid,
        round: u64,
    ) {
        let mirror = self.base.me;
        if self.following.missing == Some(0) {
            node.send(ctx, leader, LeaderMessage::SyncDeny { mirror, round }, 60);
            return;
        }
        let mut due = std::mem::take(&mut self.base.due);
        self.base.bq.take_all_unconfirmed(&mut due);
        self.base.due = due;
        self.base.send_confirms(node, ctx);
        self.purge_for_sync(ctx);
        self.following.missing = None;
        self.following.sync = Some(MirrorSync { leader, round, batches: 0 });
        node.monitor(ctx, ctx.lane(), leader);
        node.send(ctx, leader, LeaderMessage::SyncReady { mirror, round }, 60);
    }

    fn purge_for_sync(&mut self, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), ctx.node());
        let removal = Removal { cause: cause::PURGED_FOR_SYNC, because: BecauseId::NONE };
        self.base.bq.wipe(now, node, ctx.observer(), removal);
        self.base.bq.restart_numbering();
    }

    /// A batch arrives at a mirror.
    pub(super) fn mirror_sync_batch(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        batch: SyncBatch,
    ) {
        let (leader, round) = (batch.leader, batch.round);
        let this = |sync: &&mut MirrorSync| sync.leader == leader && sync.round == round;
        let Some(sync) = self.following.sync.as_mut().filter(this) else { return };
        sync.batches += u32::from(batch.ends);
        if batch.ends && sync.batches.is_multiple_of(SYNC_CREDIT.1) {
            let mirror = self.base.me;
            node.send(ctx, leader, LeaderMessage::SyncCredit { mirror, round }, 60);
        }
        ctx.spend(node.config.costs.sync_message * batch.entries.len() as u64);
        for entry in batch.entries {
            self.base.bq.synchronise(ctx, entry);
        }
    }

    /// The leader is through: this mirror holds all that it holds.
    pub(super) fn mirror_sync_complete(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        leader: Pid,
        round: u64,
    ) {
        if self.following.sync.is_none_or(|sync| sync.leader != leader || sync.round != round) {
            return;
        }
        self.following.sync = None;
        self.following.missing = Some(0);
        node.transaction(
            ctx,
            Purpose::Synchronised { queue: self.base.queue, mirror: self.base.me },
        );
    }

    /// The syncer has ended before it was through.
    pub(super) fn syncer_down(
        &mut self,
        node: &Node,
        ctx: &mut Context<'_, Message>,
        leader: Pid,
        round: u64,
    ) {
        if self.following.sync.is_some_and(|sync| sync.leader == leader && sync.round == round) {
            self.mirror_sync_abandoned(node, ctx, leader);
        }
    }

    /// The leader died midway: what came so far is thrown away, the mirror stays unsynchronised
    /// (rabbit_mirror_queue_sync.erl: `slave_sync_loop`, on the death of the syncer).
    pub(super) fn mirror_sync_abandoned(
        &mut self,
        node: &Node,
        ctx: &mut Context<'_, Message>,
        dead: Pid,
    ) {
        if self.following.sync.is_some_and(|sync| sync.leader == dead) {
            self.following.sync = None;
            self.following.missing = None;
            if node.config.settings.rules.has(Rule::PurgeOnFailedSync) {
                self.purge_for_sync(ctx);
            }
        }
    }
}

impl Base {
    pub(crate) fn event(
        &self,
        node: &Node,
        ctx: &mut Context<'_, Message>,
        word: crate::observe::EventId,
        count: u64,
    ) {
        let (now, here) = (ctx.now(), ctx.node());
        let destination = Some(node.config.destination(self.queue));
        ctx.observer().event(now, Event { word, node: here, destination, subject: None, count });
    }
}
