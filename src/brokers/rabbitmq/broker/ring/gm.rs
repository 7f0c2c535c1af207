//! Guaranteed multicast: the ring of a mirrored queue (gm.erl, v3.10).
//!
//! Each replica has a group process. A broadcast travels from its origin to the right, all around
//! the ring and back; then an acknowledgement travels around, so that members may forget it. When a
//! neighbour dies, a member waits 100 ms, records the death in Mnesia, and the left neighbour of
//! the dead sends what is not acknowledged to its new right neighbour. That erases the dead from the
//! ring, in a transaction of its own, before it delivers anything; the death is delivered after it,
//! in stream order.

mod view;

use std::collections::VecDeque;

use crate::engine::{Span, Time};
use crate::world::{Context, Lane};

use super::super::super::message::ring::{Activity, CatchUp, Instruction, RingMail, RingMessage};
use super::super::super::message::{DownReason, Message, Pid, QueueId};
use super::super::Node;
use super::super::cluster::mnesia::Purpose;
use super::origin::{Origin, wire_bytes};

/// A broadcast waits no longer than this for an empty mailbox (gm.erl: `?BROADCAST_TIMER` 25 ms).
const BROADCAST_TIMER: Span = Span::from_millis(25);
/// nor are more bytes buffered (gm.erl: `?MAX_BUFFER_SIZE` 100 MB).
const MAX_BUFFER_SIZE: u64 = 100_000_000;

/// What a member goes on with when it has erased the dead to its left (gm.erl:
/// `maybe_erase_aliases`, `erase_members_in_group`).
#[derive(Clone, Debug)]
enum Erasing {
    /// What its new left neighbour sent it.
    CatchUp(CatchUp),
    /// It is the only one that lives.
    Alone,
}

/// A ring member.
#[derive(Clone, Debug)]
pub struct Group {
    queue: QueueId,
    me: Pid,
    replica: Lane,
    origins: Vec<Origin>,
    /// Own broadcasts that wait for an empty mailbox, and whether an acknowledgement does.
    buffer: Vec<Instruction>,
    buffered_since: Time,
    buffered_bytes: u64,
    idle_asked: bool,
    acknowledged: u64,
    /// Neighbours as last seen.
    left: Option<Pid>,
    right: Option<Pid>,
    /// The ring as last seen; empty before this member is part of one.
    ring: Vec<Pid>,
    /// Members that have left the ring and whose deaths are not delivered yet.
    gone: Vec<Pid>,
    /// Deaths that were delivered.
    buried: Vec<Pid>,
    /// Its node stops: it handles nothing any more.
    pub(crate) stopped: bool,
    /// Traffic of a ring that this node's tables do not show yet.
    ahead: Vec<Activity>,
    /// A neighbour whose death is being recorded: meanwhile the process does nothing else, so the
    /// ring stands still here.
    recording: Option<Pid>,
    /// The dead are being erased, which is no less of a stop.
    erasing: Option<Erasing>,
    /// What arrived meanwhile.
    deferred: VecDeque<RingMail>,
    /// A joiner takes its state from its left neighbour before it delivers anything.
    joined: bool,
    /// The queue stops, and this member with it (gm.erl: `shutting_down`).
    shutting_down: bool,
}

impl Group {
    /// The group process of a replica; `joined` if it is part of the ring from the start.
    #[must_use]
    pub fn new(queue: QueueId, me: Pid, replica: Lane, joined: bool) -> Group {
        Group {
            queue,
            me,
            replica,
            origins: Vec::new(),
            buffer: Vec::new(),
            buffered_since: Time::ZERO,
            buffered_bytes: 0,
            idle_asked: false,
            acknowledged: 0,
            left: None,
            right: None,
            ring: Vec::new(),
            gone: Vec::new(),
            buried: Vec::new(),
            stopped: false,
            ahead: Vec::new(),
            recording: None,
            erasing: None,
            deferred: VecDeque::new(),
            joined,
            shutting_down: false,
        }
    }

    /// The queue whose ring it is.
    #[must_use]
    pub fn queue(&self) -> QueueId {
        self.queue
    }

    /// The process itself.
    #[must_use]
    pub fn me(&self) -> Pid {
        self.me
    }

    /// The replica that it serves.
    #[must_use]
    pub fn replica(&self) -> Pid {
        Pid { node: self.me.node, lane: self.replica }
    }

    /// Handles one message.
    pub fn handle(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, mail: RingMail) {
        if self.stopped {
            return;
        }
        let awaited = matches!(
            mail,
            RingMail::Message(
                RingMessage::GraceOver { .. }
                    | RingMessage::DeathRecorded { .. }
                    | RingMessage::Erased
            )
        );
        if self.is_blocked() && !awaited {
            self.deferred.push_back(mail);
            return;
        }
        let costs = &node.config.costs;
        ctx.spend(match mail {
            RingMail::Message(RingMessage::Idle | RingMessage::Activity(_)) => costs.group_activity,
            _ => costs.group,
        });
        match mail {
            RingMail::Broadcast(instruction) => self.broadcast(node, ctx, instruction),
            RingMail::Down(pid, _) => self.on_down(node, ctx, pid),
            RingMail::Message(message) => self.receive(node, ctx, message),
        }
    }

    fn receive(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, message: RingMessage) {
        match message {
            RingMessage::Idle => self.flush(node, ctx),
            RingMessage::Activity(activity) => self.on_activity(node, ctx, *activity),
            RingMessage::CatchUp(catch_up) => self.on_catch_up(node, ctx, *catch_up),
            RingMessage::View => {
                self.check_neighbours(node, ctx);
                for activity in std::mem::take(&mut self.ahead) {
                    self.on_activity(node, ctx, activity);
                }
            }
            RingMessage::GraceOver { dead } => {
                let purpose = Purpose::RecordRingDeath { queue: self.queue, dead, by: ctx.lane() };
                node.transaction(ctx, purpose);
            }
            RingMessage::DeathRecorded { dead } => {
                debug_assert_eq!(self.recording, Some(dead), "one death is recorded at a time");
                self.recording = None;
                self.check_neighbours(node, ctx);
                self.wake(node, ctx);
            }
            RingMessage::Erased => {
                match self.erasing.take() {
                    Some(Erasing::CatchUp(catch_up)) => self.catch_up(node, ctx, catch_up),
                    Some(Erasing::Alone) => self.bury_all_gone(node, ctx),
                    None => {}
                }
                self.wake(node, ctx);
            }
        }
    }

    /// Whether the process waits for a transaction of its own, or for the time before it.
    fn is_blocked(&self) -> bool {
        self.recording.is_some() || self.erasing.is_some()
    }

    /// gm.erl `internal_broadcast`: buffered at the originator, sent when its mailbox is empty,
    /// after 25 ms at the latest, and when it has 100 MB. A member that has not joined says
    /// nothing.
    fn broadcast(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        instruction: Instruction,
    ) {
        if !self.joined {
            return;
        }
        if self.buffer.is_empty() {
            self.buffered_since = ctx.now();
        }
        if instruction == Instruction::DeleteAndTerminate {
            self.shutting_down = true;
        }
        self.buffer.push(instruction);
        self.buffered_bytes += instruction.bytes();
        let waited = ctx.now().since(self.buffered_since);
        if waited >= BROADCAST_TIMER || self.buffered_bytes > MAX_BUFFER_SIZE {
            self.flush(node, ctx);
        } else {
            self.ask_idle(ctx);
        }
    }

    fn ask_idle(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.idle_asked {
            self.idle_asked = true;
            ctx.when_idle(RingMessage::Idle.into());
        }
    }

    fn flush(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        self.idle_asked = false;
        self.buffered_bytes = 0;
        let instructions = std::mem::take(&mut self.buffer);
        let me = self.me;
        let acknowledged = self.acknowledged;
        let origin = self.origin(me);
        let first = origin.next();
        origin.log.extend(instructions.iter().copied());
        if self.right == Some(me) || self.right.is_none() {
            // Alone: everything has been all around already.
            let origin = self.origin(me);
            let next = origin.next();
            origin.forget_below(next);
            self.acknowledged = next;
            return;
        }
        let queue = self.queue;
        let activity = Activity {
            version: 0,
            queue,
            from: me,
            origin: me,
            first,
            instructions,
            acknowledged,
            deaths: Vec::new(),
        };
        self.send_right(node, ctx, activity);
    }

    fn origin(&mut self, origin: Pid) -> &mut Origin {
        let known = self.origins.iter().position(|known| known.origin == origin);
        let at = known.unwrap_or_else(|| {
            let (log, early) = (VecDeque::new(), Vec::new());
            self.origins.push(Origin { origin, log_first: 0, log, early });
            self.origins.len() - 1
        });
        &mut self.origins[at]
    }

    /// Whether a member is in this side's ring: after a partition each side has its own, and is not
    /// listened to by the other (gm.erl: `handle_msg({activity, _NotLeft, ...})`).
    fn knows(&self, node: &Node, member: Pid) -> bool {
        let record = node.mnesia.tables.queue(self.queue);
        record.is_some_and(|record| record.ring.iter().any(|other| other.gm == member))
    }

    /// The version of the ring as this node's tables have it.
    fn version(&self, node: &Node) -> u64 {
        node.mnesia.tables.queue(self.queue).map_or(0, |record| record.ring_version)
    }

    fn send_right(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        mut activity: Activity,
    ) {
        activity.version = self.version(node);
        let Some(right) = self.right else { return };
        if right == self.me {
            return;
        }
        let bytes = wire_bytes(activity.instructions.iter());
        node.send(ctx, right, RingMessage::Activity(Box::new(activity)), bytes);
    }

    fn on_activity(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, activity: Activity) {
        if self.buried.contains(&activity.from) {
            // gm.erl `handle_msg`: who is not the left neighbour is not listened to; one that was
            // recorded as dead may still talk, after a partition.
            return;
        }
        if activity.version > self.version(node) {
            // gm.erl `needs_view_update`: first the ring in which it was sent.
            self.ahead.push(activity);
            return;
        }
        if !self.knows(node, activity.from) {
            return;
        }
        if !self.joined {
            // Meant for a member that has its left neighbour's state; that is still to come.
            self.origin(activity.origin).early.push(activity);
            return;
        }
        if activity.origin == self.me {
            self.came_around(ctx, &activity);
        } else if !activity.deaths.is_empty() {
            self.on_notice(node, ctx, activity);
        } else if self.buried.contains(&activity.origin) {
            // All that counted of the dead came before its death.
        } else if activity.first > self.origin(activity.origin).next() {
            self.origin(activity.origin).early.push(activity);
        } else {
            self.take_over(node, ctx, activity);
        }
    }

    /// Deaths go all around, to whoever has not heard of them. Who began a round may die during it;
    /// the new neighbours on both sides of it then begin another.
    fn on_notice(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, notice: Activity) {
        let deaths = notice.deaths.clone();
        if self.ring.contains(&notice.origin) {
            self.send_right(node, ctx, Activity { from: self.me, ..notice });
        }
        for dead in deaths {
            self.bury(node, ctx, dead);
        }
    }

    /// An own broadcast has been all around: the others may forget it. The acknowledgement goes
    /// with the next broadcast, or alone once the mailbox is empty.
    fn came_around(&mut self, ctx: &mut Context<'_, Message>, activity: &Activity) {
        let end = activity.first + activity.instructions.len() as u64;
        if end > self.acknowledged {
            self.acknowledged = end;
            let me = self.me;
            self.origin(me).forget_below(end);
            self.ask_idle(ctx);
        }
    }

    /// Appends what is new, forwards it, then delivers it: each member forwards before its own
    /// callback (gm.erl: `handle_msg`).
    fn take_over(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, activity: Activity) {
        let Activity { queue, origin: whose, first, instructions, acknowledged, .. } = activity;
        let (replica, me, origin) = (self.replica, self.me, self.origin(whose));
        let skip = (origin.next() - first.min(origin.next())) as usize;
        let news: Vec<Instruction> = instructions.into_iter().skip(skip).collect();
        let forgets = acknowledged > origin.log_first;
        let first = origin.next();
        origin.log.extend(news.iter().copied());
        origin.forget_below(acknowledged);
        let early = std::mem::take(&mut origin.early);
        if !news.is_empty() || forgets {
            let forward = Activity {
                version: 0,
                queue,
                from: me,
                origin: whose,
                first,
                instructions: news.clone(),
                acknowledged,
                deaths: Vec::new(),
            };
            self.send_right(node, ctx, forward);
        }
        for instruction in news {
            self.shutting_down |= instruction == Instruction::DeleteAndTerminate;
            ctx.tell(replica, instruction.into());
        }
        for activity in early {
            self.on_activity(node, ctx, activity);
        }
    }

    /// The process goes on with what has waited.
    fn wake(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        while !self.is_blocked()
            && let Some(mail) = self.deferred.pop_front()
        {
            self.handle(node, ctx, mail);
        }
    }

    /// Whether nothing goes on here that time alone would bring to its end.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.joined && !self.is_blocked() && self.gone.is_empty()
    }

    /// Why a group process ends.
    pub const END: DownReason = DownReason::Shutdown;
}
