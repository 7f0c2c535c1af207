//! A queue's process: leader (rabbit_amqqueue_process) or mirror (rabbit_mirror_queue_slave).
//!
//! What both have is a `Base`; what only one of them has is in the `Part` that it plays, so that
//! a mirror has nothing of a leader's. Here mail is handed to who it is for; `leader.rs` and
//! `mirror.rs` say what they do with it, `sync.rs` how they synchronise, `flush.rs` when the index is
//! flushed.

use std::collections::VecDeque;

use crate::engine::Time;
use crate::observe::{BecauseId, Removal, RoleId};
use crate::world::{Context, TimerId, Wait};

use super::super::super::arguments::Arguments;
use super::super::super::message::queue::{
    Commander, LeaderMessage, MirrorMessage, QueueCommand, QueueMail, QueueMessage,
};
use super::super::super::message::ring::Instruction;
use super::super::super::message::{DownReason, Message, Pid, QueueId};
use super::super::super::rules::Rule;
use super::super::super::words::{cause, role};
use super::super::Node;
use super::super::store::BackingQueue;
use super::base::Base;
use super::consumers::Consumers;
use super::flush::Flushes;
use super::members::Stopping;
use super::sync::{LeaderSync, MirrorSync};

/// What the process is to its queue, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// All client work goes through it.
    Leader,
    /// Follows the leader.
    Mirror,
}

/// What only a leader has.
#[derive(Clone, Debug, Default)]
pub(super) struct Leading {
    pub(super) consumers: Consumers,
    /// How many messages it has dead-lettered.
    pub(super) letters_sent: u64,
    /// When the queue's head is looked at next.
    pub(super) ttl_timer: Option<(Time, TimerId)>,
    pub(super) sync_rounds: u64,
    /// The synchronisation under way.
    pub(super) sync: Option<LeaderSync>,
    /// A synchronisation that is over for it, and not for its syncer: the round, and the mirrors that wait.
    pub(super) syncer: Option<(u64, Vec<Pid>)>,
    /// Its ring is being made, for a policy wants mirrors.
    pub(super) makes_ring: bool,
    /// Its mirrors stop before it, or while it goes on.
    pub(super) stopping: Option<Stopping>,
    /// It opens what its disk kept; nobody is served before that.
    pub(super) recovering: bool,
    /// Who has ordered that the queue be deleted, and waits for it.
    pub(super) deleter: Option<Commander>,
}

/// What only a mirror has.
#[derive(Clone, Debug, Default)]
pub(super) struct Following {
    /// How many messages the leader holds that this mirror lacks; `None` while unknown.
    pub(super) missing: Option<u64>,
    /// The synchronisation under way.
    pub(super) sync: Option<MirrorSync>,
    /// Calls by which it hears of deaths and that are not over.
    removals: u32,
}

impl Following {
    pub(super) fn role(&self) -> RoleId {
        match self.missing {
            Some(0) => role::MIRROR,
            _ => role::UNSYNCHRONISED_MIRROR,
        }
    }
}

/// What it is to its queue, with what it has as that.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Leader(Box<Leading>),
    Mirror(Following),
}

/// A leader at work.
pub(super) struct Leader<'a> {
    pub(super) base: &'a mut Base,
    pub(super) leading: &'a mut Leading,
}

/// A mirror at work.
pub(super) struct Mirror<'a> {
    pub(super) base: &'a mut Base,
    pub(super) following: &'a mut Following,
}

/// Either of them.
enum AtWork<'a> {
    Leader(Leader<'a>),
    Mirror(Mirror<'a>),
}

/// The process of one replica.
#[derive(Clone, Debug)]
pub struct Replica {
    pub(in super::super) base: Base,
    pub(super) part: Part,
    /// Messages that nobody reads go on to another queue after a while.
    passes_on: bool,
    /// What arrived while the process did nothing but synchronise.
    deferred: VecDeque<QueueMail>,
    /// How far it is with its own disk.
    pub(super) flushes: Flushes,
    /// Its ring member stops before it.
    pub(in super::super) member_stopped: bool,
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
            base: Base::new(queue, me, group, bq),
            part: match role {
                Role::Leader => Part::Leader(Box::default()),
                Role::Mirror => Part::Mirror(Following::default()),
            },
            passes_on: false,
            deferred: VecDeque::new(),
            flushes: Flushes::default(),
            member_stopped: false,
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

    /// The same for a leader that opens first what its disk kept.
    #[must_use]
    pub(in super::super) fn that_recovers(mut self) -> Self {
        if let Part::Leader(leading) = &mut self.part {
            leading.recovering = true;
        }
        self
    }

    /// The queue it belongs to.
    #[must_use]
    pub fn queue(&self) -> QueueId {
        self.base.queue
    }

    /// The process itself.
    #[must_use]
    pub fn me(&self) -> Pid {
        self.base.me
    }

    /// What it is to its queue.
    #[must_use]
    pub fn role(&self) -> Role {
        match self.part {
            Part::Leader(_) => Role::Leader,
            Part::Mirror(_) => Role::Mirror,
        }
    }

    /// The ring member that ends with it.
    pub(in super::super) fn dependent(&self) -> Option<Pid> {
        self.base.group.filter(|_| !self.leaves_ring_member)
    }

    /// A mirror has all that its leader has.
    pub(in super::super) fn holds_all(&mut self) {
        if let Part::Mirror(following) = &mut self.part {
            following.missing = Some(0);
        }
    }

    fn at_work(&mut self) -> AtWork<'_> {
        let base = &mut self.base;
        match &mut self.part {
            Part::Leader(leading) => AtWork::Leader(Leader { base, leading }),
            Part::Mirror(following) => AtWork::Mirror(Mirror { base, following }),
        }
    }

    /// The same, if it leads.
    pub(super) fn leader(&mut self) -> Option<Leader<'_>> {
        match self.at_work() {
            AtWork::Leader(leader) => Some(leader),
            AtWork::Mirror(_) => None,
        }
    }

    /// Handles what is in the mailbox.
    pub fn handle(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, mail: QueueMail) {
        if !is_own_work(&mail) {
            self.flushes.last_work = ctx.now();
        }
        if self.stands_still(node, &mail) {
            self.deferred.push_back(mail);
            return;
        }
        self.dispatch(node, ctx, mail);
        while let Some(mail) = self.deferred.pop_front() {
            if self.stands_still(node, &mail) {
                self.deferred.push_front(mail);
                break;
            }
            self.dispatch(node, ctx, mail);
        }
        self.base.send_confirms(node, ctx);
        self.keep_bodies(node, ctx);
        self.plan_flush(node, ctx);
    }

    fn dispatch(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, mail: QueueMail) {
        if let QueueMail::Down(pid, _) = mail
            && let Some(mut leader) = self.leader()
        {
            leader.mirror_stopped(node, ctx, Some(pid), None);
        }
        if self.base.ending && !is_last_work(&mail) && !is_own_work(&mail) {
            // The process is on its way out: what is in its mailbox goes with it.
            return;
        }
        match mail {
            QueueMail::Message(message) => self.receive(node, ctx, message),
            QueueMail::Instruction(instruction) => match self.at_work() {
                AtWork::Leader(mut leader) => leader.hear_mirror(node, ctx, instruction),
                AtWork::Mirror(mut mirror) => mirror.process_instruction(node, ctx, instruction),
            },
            QueueMail::Down(pid, _) => match self.at_work() {
                AtWork::Leader(mut leader) => leader.down(node, ctx, pid),
                AtWork::Mirror(mut mirror) => mirror.down(node, ctx, pid),
            },
        }
    }

    fn receive(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, message: QueueMessage) {
        match message {
            QueueMessage::Idle => {
                self.flushes.idle_asked = false;
                self.flush(node, ctx);
            }
            QueueMessage::SyncTimer => self.on_sync_timer(node, ctx),
            QueueMessage::HibernateTimer => self.on_hibernate_timer(node, ctx),
            QueueMessage::JournalSynced => self.journal_synced(node, ctx),
            QueueMessage::BodiesWritten { ids } => self.bodies_written(&ids),
            QueueMessage::Recover { read } => self.recover(node, ctx, read),
            QueueMessage::BumpCredit { more } => self.base.store_bump(node, ctx, more),
            QueueMessage::ReduceMemory { keep } => self.base.reduce_memory(node, ctx, keep),
            QueueMessage::GmDeath { .. } => {
                if let Part::Mirror(following) = &mut self.part {
                    following.removals += 1;
                }
                self.base.on_ring_death(node, ctx);
            }
            QueueMessage::DeathsRemoved => {
                if let Part::Mirror(following) = &mut self.part {
                    following.removals = following.removals.saturating_sub(1);
                }
            }
            QueueMessage::Promote => self.promote(node, ctx),
            QueueMessage::NotSynced => self.not_synced(node, ctx),
            QueueMessage::DropReplica => {
                let removal = Removal { cause: cause::REPLICA_DROPPED, because: BecauseId::NONE };
                self.base.delete_and_end(node, ctx, removal, DownReason::Shutdown);
            }
            QueueMessage::Terminate if !self.member_stopped && self.takes_mirrors_along(node) => {
                self.base.ending = true;
                if let Some(mut leader) = self.leader() {
                    leader.stop_all_mirrors(node, ctx, false);
                }
            }
            QueueMessage::MirrorsStopped if self.goes_on_alone() => {
                if let Some(mut leader) = self.leader() {
                    leader.is_alone(node, ctx);
                }
            }
            QueueMessage::Terminate | QueueMessage::MirrorsStopped => self.end_in_order(node, ctx),
            QueueMessage::Deliver { channel, seq, message, properties } => match self.at_work() {
                AtWork::Leader(mut leader) => {
                    leader.publish(node, ctx, channel, seq, message, properties);
                }
                AtWork::Mirror(mut mirror) => {
                    mirror.publish(node, ctx, channel, seq, message, properties);
                }
            },
            // Only a leader serves clients; what still comes from the time before is answered by
            // the monitors of those who sent it.
            QueueMessage::Call(call) => {
                if let AtWork::Leader(mut leader) = self.at_work() {
                    leader.serve(node, ctx, call);
                }
            }
            QueueMessage::Leader(message) => {
                if let AtWork::Leader(mut leader) = self.at_work() {
                    leader.receive(node, ctx, message);
                }
            }
            // A leader may get what was still on its way when it was promoted.
            QueueMessage::Mirror(message) => {
                if let AtWork::Mirror(mut mirror) = self.at_work() {
                    mirror.receive(node, ctx, message);
                }
            }
            QueueMessage::StopMirror => match self.at_work() {
                AtWork::Leader(_) => node.end_process(ctx.lane(), DownReason::Shutdown),
                AtWork::Mirror(mut mirror) => mirror.stop(node, ctx),
            },
        }
    }

    /// While it synchronises, a process handles nothing but that, the death of the other side, and
    /// its own disk (rabbit_mirror_queue_sync.erl: `master_go`, `slave_sync_loop`). The deaths of
    /// ring members reach a leader by way of its coordinator, another process.
    fn stands_still(&self, node: &Node, mail: &QueueMail) -> bool {
        match &self.part {
            Part::Leader(leading) => {
                if leading.changes_mirroring() {
                    return !is_own_work(mail) && !interrupts(mail) && !changes_mirroring(mail);
                }
                let Some(sync) = &leading.sync else { return false };
                if is_own_work(mail) || interrupts(mail) {
                    return false;
                }
                match mail {
                    _ if !node.config.settings.rules.has(Rule::StopTheWorldSync) => false,
                    QueueMail::Message(QueueMessage::GmDeath { .. }) => false,
                    QueueMail::Message(QueueMessage::Leader(message)) => {
                        !matches!(
                            message,
                            LeaderMessage::SyncReady { .. }
                                | LeaderMessage::SyncDeny { .. }
                                | LeaderMessage::SyncCredit { .. }
                                | LeaderMessage::SyncStep { .. }
                                | LeaderMessage::SyncDone { .. }
                        ) && !is_cancellation(message, sync)
                    }
                    QueueMail::Down(pid, _) => !sync.waits_for(*pid),
                    _ => true,
                }
            }
            Part::Mirror(following) => {
                if self.is_about_to_lead(node, mail) || following.removals > 0 && !ends_call(mail) {
                    return true;
                }
                let Some(sync) = following.sync else { return false };
                if is_own_work(mail) || interrupts(mail) {
                    return false;
                }
                match mail {
                    QueueMail::Message(QueueMessage::Mirror(message)) => !matches!(
                        message,
                        MirrorMessage::SyncMessages(_)
                            | MirrorMessage::SyncComplete { .. }
                            | MirrorMessage::SyncerDown { .. }
                    ),
                    QueueMail::Instruction(Instruction::DeleteAndTerminate) => false,
                    QueueMail::Down(pid, _) => *pid != sync.leader,
                    _ => true,
                }
            }
        }
    }

    /// The tables name this mirror as the leader already: it is in the call by which it came to
    /// that (rabbit_mirror_queue_slave.erl: `promote_me` in `handle_call({gm_deaths, ...})`), and
    /// what clients ask of the leader waits in its mailbox.
    fn is_about_to_lead(&self, node: &Node, mail: &QueueMail) -> bool {
        let record = || node.mnesia.tables.queue(self.base.queue);
        matches!(mail, QueueMail::Message(QueueMessage::Call(_)))
            && record().is_some_and(|record| record.leader == self.base.me)
    }

    /// Tells the observer what this process is now.
    pub(in super::super) fn report_role(&self, node: &Node, ctx: &mut Context<'_, Message>) {
        let role = match &self.part {
            Part::Leader(_) => role::LEADER,
            Part::Mirror(following) => following.role(),
        };
        self.base.report(node, ctx, role);
    }

    /// What it waits for; `None` if time alone will not change anything here. `name` names a queue.
    pub fn waits_for<'a>(&self, name: &dyn Fn(QueueId) -> &'a str) -> Option<Wait> {
        let bq = &self.base.bq;
        let (syncs, unread) = match &self.part {
            Part::Leader(leading) => {
                let reads = !leading.consumers.is_empty() || self.passes_on;
                (leading.sync.is_some() || leading.syncer.is_some(), bq.depth() > 0 && reads)
            }
            Part::Mirror(following) => (following.sync.is_some(), false),
        };
        let what = match (syncs, bq.unconfirmed() > 0, unread) {
            (true, ..) => "mirrors to be synchronised",
            (_, true, _) => "its store, to confirm what is written",
            (.., true) => "consumers to take and acknowledge what is in it",
            _ => return None,
        };
        Some(format!("queue {}, which waits for {what}", name(self.queue())).into())
    }
}

/// An operator's order to stop, which a leader heeds once mirrors take part in the synchronisation.
fn is_cancellation(message: &LeaderMessage, sync: &LeaderSync) -> bool {
    let cancels =
        matches!(message, LeaderMessage::Command { command: QueueCommand::CancelSync, .. });
    cancels && sync.is_under_way()
}

/// What a leader waits for that gets mirrors, or loses them.
fn changes_mirroring(mail: &QueueMail) -> bool {
    matches!(
        mail,
        QueueMail::Down(..) | QueueMail::Message(QueueMessage::Leader(LeaderMessage::RingMade))
    )
}

/// What concerns the process's own disk, and does not count as work.
fn is_own_work(mail: &QueueMail) -> bool {
    matches!(
        mail,
        QueueMail::Message(
            QueueMessage::Idle
                | QueueMessage::SyncTimer
                | QueueMessage::HibernateTimer
                | QueueMessage::JournalSynced
                | QueueMessage::BodiesWritten { .. }
        )
    )
}

/// What a process on its way out still heeds.
fn is_last_work(mail: &QueueMail) -> bool {
    matches!(
        mail,
        QueueMail::Message(
            QueueMessage::Terminate
                | QueueMessage::MirrorsStopped
                | QueueMessage::Leader(LeaderMessage::StopTimeout { .. } | LeaderMessage::Deleted)
        )
    )
}

/// A mirror hears of deaths by a call of its ring member, in which it takes the dead out of the
/// queue's record (rabbit_mirror_queue_slave.erl v3.10: `handle_call({gm_deaths, ...})`). Until that is
/// over it does nothing else: what comes after the death it confirms when channels no longer send to
/// the dead.
fn ends_call(mail: &QueueMail) -> bool {
    let over = matches!(
        mail,
        QueueMail::Message(
            QueueMessage::DeathsRemoved
                | QueueMessage::GmDeath { .. }
                | QueueMessage::Promote
                | QueueMessage::NotSynced
                | QueueMessage::DropReplica
        )
    );
    over || is_own_work(mail) || interrupts(mail)
}

/// What a process heeds though it synchronises.
fn interrupts(mail: &QueueMail) -> bool {
    matches!(
        mail,
        QueueMail::Message(
            QueueMessage::Terminate
                | QueueMessage::StopMirror
                | QueueMessage::MirrorsStopped
                | QueueMessage::Leader(LeaderMessage::StopTimeout { .. })
        )
    )
}
