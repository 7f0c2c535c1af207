//! A queue's process: leader (`rabbit_amqqueue_process`) or mirror (`rabbit_mirror_queue_slave`).
//!
//! This file holds what both have in common: confirms and dispatch. What a leader does is in
//! `leader.rs`, what a mirror does in `mirror.rs`, synchronisation in `sync.rs`, when the index is
//! flushed in `store/flush.rs`.

use std::collections::VecDeque;

use crate::engine::Time;
use crate::observe::{BecauseId, MessageRange, Removal};
use crate::world::{Context, TimerId};

use super::super::arguments::Arguments;
use super::super::letters::LetterId;
use super::super::message::{DownReason, Message, Pid, Properties, PublishSeq, QueueId};
use super::super::rules::Rule;
use super::super::words::{cause, role};
use super::Node;
use super::alarm::Paged;
use super::consumers::Consumers;
use super::credit::{Credit, Grants};
use super::gm::Instruction;
use super::queue_members::Stopping;
use super::store::{BackingQueue, DueConfirm};
use super::sync::{LeaderSync, MirrorSync};

/// Bytes of a confirm between processes.
const CONFIRM_BYTES: u32 = 60;
/// Bytes of a grant of credit.
const BUMP_BYTES: u32 = 40;

/// What the process is to its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// All client work goes through it.
    Leader,
    /// Follows the leader.
    Mirror,
}

/// What a replica knows of a publishing channel.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) channel: Pid,
    /// Came from the channel, not yet over the ring.
    pub(super) waiting: VecDeque<(PublishSeq, MessageRange, Properties)>,
    /// Came over the ring, not yet from the channel; whether its confirm is due already.
    pub(super) early: VecDeque<(PublishSeq, bool)>,
    /// How far it is from being granted more credit.
    pub(super) grants: Grants,
    /// Who has told of the channel's death so far.
    pub(super) down: Option<DownFrom>,
}

/// Who has told a mirror of a channel's death (rabbit_mirror_queue_slave.erl: `forget_sender`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DownFrom {
    /// Its own monitor.
    Channel,
    /// The leader, over the ring.
    Ring,
}

/// The process of one replica.
#[derive(Clone, Debug)]
pub struct Replica {
    pub(super) queue: QueueId,
    pub(super) me: Pid,
    /// Its ring member, if the queue is mirrored.
    pub(super) group: Option<Pid>,
    pub(super) role: Role,
    pub(super) bq: BackingQueue,
    /// What of it is on the disk only.
    pub(super) paged: Paged,
    /// What it may still send to the message store; none while it has sent nothing.
    store_credit: Option<Credit>,
    /// What channels are granted as soon as the store does not block this process.
    deferred_grants: Vec<(Pid, u32)>,
    pub(super) consumers: Consumers,
    pub(super) senders: Vec<Sender>,
    /// Confirms that are due and not sent yet.
    pub(super) due: Vec<DueConfirm>,
    /// How many messages it has dead-lettered.
    pub(super) letters_sent: u64,
    /// When the queue's head is looked at next.
    pub(super) ttl_timer: Option<(Time, TimerId)>,
    /// Messages that nobody reads go on to another queue after a while.
    passes_on: bool,
    /// How many messages the leader holds that this mirror lacks; `None` while unknown.
    pub(super) missing: Option<u64>,
    pub(super) sync_rounds: u64,
    pub(super) leader_sync: Option<LeaderSync>,
    pub(super) mirror_sync: Option<MirrorSync>,
    /// What arrived while the process did nothing but synchronise.
    pub(super) deferred: VecDeque<Message>,
    pub(super) flushing: bool,
    /// The disk took nothing more: the next attempt is the sync timer's.
    pub(super) disk_full: bool,
    pub(super) idle_asked: bool,
    pub(super) timer: Option<TimerId>,
    /// Fires when it may hibernate.
    pub(super) hibernation: Option<TimerId>,
    /// When it last handled a message from outside.
    pub(super) last_work: Time,
    /// It opens what its disk kept; nobody is served before that.
    pub(super) recovering: bool,
    /// The node stops: nothing is delivered any more.
    pub(super) ending: bool,
    /// Its ring member stops before it.
    pub(super) member_stopped: bool,
    /// Its mirrors stop before it.
    pub(super) stopping: Option<Stopping>,
    /// Its ring member outlives it.
    pub(super) leaves_ring_member: bool,
    /// Ends once its journal is durable.
    pub(super) terminating: bool,
}

impl Replica {
    /// A process for `queue`, with what its disk kept.
    #[must_use]
    pub fn new(queue: QueueId, me: Pid, group: Option<Pid>, role: Role, bq: BackingQueue) -> Self {
        Replica {
            queue,
            me,
            group,
            role,
            bq,
            paged: Paged::default(),
            store_credit: None,
            deferred_grants: Vec::new(),
            consumers: Consumers::default(),
            senders: Vec::new(),
            due: Vec::new(),
            letters_sent: 0,
            ttl_timer: None,
            passes_on: false,
            missing: None,
            sync_rounds: 0,
            leader_sync: None,
            mirror_sync: None,
            deferred: VecDeque::new(),
            flushing: false,
            disk_full: false,
            idle_asked: false,
            timer: None,
            hibernation: None,
            last_work: Time::ZERO,
            recovering: false,
            ending: false,
            member_stopped: false,
            stopping: None,
            leaves_ring_member: false,
            terminating: false,
        }
    }

    /// The same for a queue with these arguments.
    #[must_use]
    pub fn with(mut self, arguments: &Arguments) -> Self {
        self.passes_on = arguments.passes_on();
        self
    }

    /// The queue it belongs to.
    #[must_use]
    pub fn queue(&self) -> QueueId {
        self.queue
    }

    /// What it is to its queue.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Handles one message.
    pub fn handle(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, message: Message) {
        if !is_own_work(&message) {
            self.last_work = ctx.now();
        }
        if self.stands_still(node, &message) {
            self.deferred.push_back(message);
            return;
        }
        self.dispatch(node, ctx, message);
        while let Some(message) = self.deferred.pop_front() {
            if self.stands_still(node, &message) {
                self.deferred.push_front(message);
                break;
            }
            self.dispatch(node, ctx, message);
        }
        self.send_confirms(node, ctx);
        self.keep_bodies(node, ctx);
        self.plan_flush(node, ctx);
    }

    fn dispatch(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, message: Message) {
        let last_work = matches!(
            message,
            Message::Terminate
                | Message::StopTimeout { .. }
                | Message::MirrorsStopped
                | Message::Deleted
        );
        if let Message::Down { pid, .. } = message {
            self.mirror_stopped(node, ctx, Some(pid), None);
        }
        if self.ending && !last_work && !is_own_work(&message) {
            // The process is on its way out: what is in its mailbox goes with it.
            return;
        }
        match message {
            Message::Idle => {
                self.idle_asked = false;
                self.flush(node, ctx);
            }
            Message::SyncTimer => self.on_sync_timer(node, ctx),
            Message::HibernateTimer => self.on_hibernate_timer(node, ctx),
            Message::BodiesWritten { ids } => self.bodies_written(&ids),
            Message::RecoverQueue { read } => self.recover(node, ctx, read),
            Message::JournalSynced => self.journal_synced(node, ctx),
            Message::SyncReady { mirror, round } => self.sync_ready(node, ctx, mirror, round),
            Message::SyncCredit { mirror, round } => self.sync_credit(ctx, mirror, round),
            Message::SyncStep { round } => self.sync_step(node, ctx, round),
            Message::SyncDeny { mirror, round } => self.sync_denied(node, ctx, mirror, round),
            Message::GmDeath { .. } => self.on_ring_death(node, ctx),
            Message::Promote => self.promote(node, ctx),
            Message::BumpCredit { more, .. } => self.store_bump(node, ctx, more),
            Message::ReduceMemory { keep } => self.reduce_memory(node, ctx, keep),
            Message::Deleted => node.end_process(ctx.lane(), DownReason::Normal),
            Message::NotSynced => self.not_synced(node, ctx),
            Message::DropReplica => {
                let removal = Removal { cause: cause::REPLICA_DROPPED, because: BecauseId::NONE };
                self.delete_and_end(node, ctx, removal, DownReason::Shutdown);
            }
            Message::Terminate if !self.member_stopped && self.takes_mirrors_along(node) => {
                self.ending = true;
                self.stop_all_mirrors(node, ctx);
            }
            Message::StopTimeout { turn } => self.mirror_stopped(node, ctx, None, Some(turn)),
            Message::Terminate | Message::MirrorsStopped => self.end_in_order(node, ctx),
            other => match self.role {
                Role::Leader => self.handle_as_leader(node, ctx, other),
                Role::Mirror => self.handle_as_mirror(node, ctx, other),
            },
        }
    }

    /// While it synchronises, a process handles nothing but that, the death of the other side, and
    /// its own disk (rabbit_mirror_queue_sync.erl: `master_go`, `slave_sync_loop`). The deaths of
    /// ring members reach a leader by way of its coordinator, another process.
    fn stands_still(&self, node: &Node, message: &Message) -> bool {
        if self.role == Role::Mirror && self.is_about_to_lead(node, message) {
            return true;
        }
        if self.leader_sync.is_none() && self.mirror_sync.is_none() {
            return false;
        }
        let own_work = matches!(
            message,
            Message::Terminate
                | Message::StopMirror
                | Message::StopTimeout { .. }
                | Message::MirrorsStopped
        );
        if own_work || is_own_work(message) {
            return false;
        }
        if let Some(sync) = &self.leader_sync {
            return match message {
                _ if !node.config.settings.rules.has(Rule::StopTheWorldSync) => false,
                Message::SyncReady { .. }
                | Message::SyncDeny { .. }
                | Message::SyncCredit { .. }
                | Message::SyncStep { .. }
                | Message::GmDeath { .. } => false,
                Message::Down { pid, .. } => !sync.waits_for(*pid),
                _ => true,
            };
        }
        self.mirror_sync.is_some_and(|sync| match message {
            Message::SyncMessages(_) | Message::SyncComplete { .. } => false,
            Message::GmDeliver { instruction: Instruction::DeleteAndTerminate } => false,
            Message::Down { pid, .. } => *pid != sync.leader,
            _ => true,
        })
    }

    /// The tables name this mirror as the leader already: it is in the call by which it came to
    /// that (rabbit_mirror_queue_slave.erl: `promote_me` in `handle_call({gm_deaths, ...})`), and
    /// what clients ask of the leader waits in its mailbox.
    fn is_about_to_lead(&self, node: &Node, message: &Message) -> bool {
        let for_leader = matches!(
            message,
            Message::Subscribe { .. }
                | Message::Unsubscribe { .. }
                | Message::Settle { .. }
                | Message::GiveBack { .. }
                | Message::Reject { .. }
                | Message::Get { .. }
                | Message::NotifySent { .. }
        );
        for_leader
            && node.mnesia.tables.queue(self.queue).is_some_and(|record| record.leader == self.me)
    }

    /// Sends the confirms that are due, consecutive ones of a channel together. A mirror holds one
    /// back until it has the message from the channel as well
    /// (rabbit_mirror_queue_slave.erl: `confirm_messages`).
    pub(super) fn send_confirms(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if self.due.is_empty() {
            return;
        }
        let due = std::mem::take(&mut self.due);
        let mut run: Option<(Pid, PublishSeq, u32)> = None;
        for (channel, seq) in due {
            if self.hold_back(channel, seq) {
                continue;
            }
            match &mut run {
                Some((of, first, count)) if *of == channel && *first + u64::from(*count) == seq => {
                    *count += 1;
                }
                _ => {
                    if let Some(done) = run.replace((channel, seq, 1)) {
                        self.send_confirm(node, ctx, done);
                    }
                }
            }
        }
        if let Some(done) = run {
            self.send_confirm(node, ctx, done);
        }
    }

    fn send_confirm(
        &self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        (channel, first, count): (Pid, PublishSeq, u32),
    ) {
        let message = Message::Confirm { queue: self.queue, from: self.me, first, count };
        node.send(ctx, channel, message, CONFIRM_BYTES);
    }

    fn hold_back(&mut self, channel: Pid, seq: PublishSeq) -> bool {
        let Some(sender) = self.senders.iter_mut().find(|sender| sender.channel == channel) else {
            return false;
        };
        match sender.early.iter_mut().find(|(early, _)| *early == seq) {
            Some((_, due)) => {
                *due = true;
                true
            }
            None => false,
        }
    }

    /// The record of a channel that publishes to this queue; it is monitored from now on.
    pub(super) fn sender(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        channel: Pid,
    ) -> &mut Sender {
        let known = self.senders.iter().position(|sender| sender.channel == channel);
        let at = known.unwrap_or_else(|| {
            node.monitor(ctx, ctx.lane(), channel);
            let (waiting, early) = (VecDeque::new(), VecDeque::new());
            let grants = Grants::new(node.config.settings.credit);
            self.senders.push(Sender { channel, waiting, early, grants, down: None });
            self.senders.len() - 1
        });
        &mut self.senders[at]
    }

    /// A publish of this channel is taken: it may be granted more
    /// (rabbit_amqqueue_process.erl: `credit_flow:ack`; rabbit_mirror_queue_slave.erl:
    /// `maybe_flow_ack`).
    pub(super) fn take_from_channel(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        channel: Pid,
        properties: Properties,
    ) {
        if properties.letter != LetterId::NONE {
            // Dead letters are sent without credit (rabbit_dead_letter.erl: `publish`).
            return;
        }
        let spec = node.config.settings.credit;
        if let Some(more) = self.sender(node, ctx, channel).grants.ack(spec) {
            self.deferred_grants.push((channel, more));
            self.grant(node, ctx);
        }
    }

    /// A process that is blocked itself, by the message store, grants nothing.
    fn grant(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if self.store_credit.is_some_and(Credit::is_blocked) {
            return;
        }
        let from = self.me;
        for (channel, more) in std::mem::take(&mut self.deferred_grants) {
            node.send(ctx, channel, Message::BumpCredit { from, more }, BUMP_BYTES);
        }
    }

    /// Messages went to the message store (rabbit_variable_queue.erl: `msg_store_write`).
    pub(super) fn spend_store_credit(&mut self, node: &Node, sent: u32) {
        let settings = &node.config.settings;
        if settings.rules.has(Rule::CreditFlow) {
            let credit = self.store_credit.get_or_insert(Credit::new(settings.store_credit));
            for _ in 0..sent {
                credit.send();
            }
        }
    }

    /// The message store grants credit.
    fn store_bump(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, more: u32) {
        if self.store_credit.as_mut().is_some_and(|credit| credit.bump(more)) {
            self.grant(node, ctx);
        }
    }

    /// Passes an instruction to the ring, if there is one.
    pub(super) fn broadcast(&self, ctx: &mut Context<'_, Message>, instruction: Instruction) {
        if let Some(group) = self.group {
            ctx.tell(group.lane, Message::GmBroadcast { instruction });
        }
    }

    /// Tells the observer what this process is now.
    pub(super) fn report_role(&self, node: &Node, ctx: &mut Context<'_, Message>) {
        let role = match self.role {
            Role::Leader => role::LEADER,
            Role::Mirror if self.missing == Some(0) => role::MIRROR,
            Role::Mirror => role::UNSYNCHRONISED_MIRROR,
        };
        let (now, here) = (ctx.now(), ctx.node());
        let destination = node.config.destination(self.queue);
        ctx.observer().role(now, here, destination, Some(role));
    }

    /// Whether time alone will not change anything here.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let served = self.bq.depth() == 0 || (self.consumers.is_empty() && !self.passes_on);
        self.leader_sync.is_none()
            && self.mirror_sync.is_none()
            && self.bq.unconfirmed() == 0
            && (self.role == Role::Mirror || served)
    }
}

/// What concerns the process's own disk, and does not count as work.
fn is_own_work(message: &Message) -> bool {
    matches!(
        message,
        Message::Idle
            | Message::SyncTimer
            | Message::HibernateTimer
            | Message::JournalSynced
            | Message::BodiesWritten { .. }
    )
}
