//! The view changes: members die and join, and neighbours give each other what they lack (gm.erl:
//! `change_view`, `check_neighbours`, `handle_msg({catchup, ...})`).

use crate::engine::Span;
use crate::observe::Event;
use crate::world::Context;

use super::super::super::super::message::queue::{MirrorMessage, QueueMessage};
use super::super::super::super::message::ring::{Activity, CatchUp, RingMessage};
use super::super::super::super::message::{DownReason, Message, Pid};
use super::super::super::super::rules::Rule;
use super::super::super::super::words::event;
use super::super::super::Node;
use super::super::super::cluster::mnesia::Purpose;
use super::super::origin::wire_bytes;
use super::{Erasing, Group};

/// How long a member sleeps before it records a neighbour's death
/// (gm.erl: `handle_info({'DOWN', ...})`, `timer:sleep(100)`, in case it is a partial partition
/// that will be a full one by then).
const GRACE: Span = Span::from_millis(100);

impl Group {
    pub(super) fn on_catch_up(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        catch_up: CatchUp,
    ) {
        if self.buried.contains(&catch_up.from) || !self.knows(node, catch_up.from) {
            return;
        }
        if !self.joined {
            self.take_state(node, ctx, catch_up);
            return;
        }
        if catch_up.deaths.iter().any(|dead| !self.buried.contains(dead)) {
            self.erase(node, ctx, Erasing::CatchUp(catch_up));
        } else {
            self.catch_up(node, ctx, catch_up);
        }
    }

    /// The right neighbour of the dead takes them out of the ring for good. Until then it delivers
    /// nothing of what it has been sent: `handle_msg({activity, ...})` comes to its callback after
    /// `maybe_erase_aliases`. A node that still believes in the node of the dead waits for its vote.
    pub(super) fn erase(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, then: Erasing) {
        self.erasing = Some(then);
        let purpose = Purpose::EraseFromRing { queue: self.queue, by: ctx.lane() };
        node.transaction(ctx, purpose);
    }

    pub(super) fn catch_up(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        catch_up: CatchUp,
    ) {
        let CatchUp { activities, deaths, .. } = catch_up;
        // What the dead had broadcast comes before their death, and that before what others have: it
        // is erased before anything is delivered, unless something of it is not acknowledged.
        let (of_the_dead, others): (Vec<_>, Vec<_>) =
            activities.into_iter().partition(|activity| deaths.contains(&activity.origin));
        self.take_missed(node, ctx, of_the_dead);
        self.begin_notice(node, ctx, deaths);
        self.take_missed(node, ctx, others);
    }

    pub(super) fn take_missed(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        activities: Vec<Activity>,
    ) {
        let catches_up = node.config.settings.rules.has(Rule::GmCatchUp);
        for activity in activities.into_iter().filter(|_| catches_up) {
            if activity.origin == self.me {
                self.came_around(ctx, &activity);
            } else if !self.buried.contains(&activity.origin) {
                let origin = self.origin(activity.origin);
                if activity.first > origin.next() {
                    // Everything before it is acknowledged, so everybody has it.
                    origin.log_first = activity.first;
                    origin.log.clear();
                }
                self.take_over(node, ctx, activity);
            }
        }
    }

    /// gm.erl `handle_msg({catchup, ...})` of a joiner: it takes over the state of its left
    /// neighbour and passes it on to its right one, which may be a joiner as well; what is in
    /// flight there is not delivered to it.
    pub(super) fn take_state(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        catch_up: CatchUp,
    ) {
        for activity in catch_up.activities {
            let origin = self.origin(activity.origin);
            origin.log_first = activity.first;
            origin.log.extend(activity.instructions);
        }
        self.gone.retain(|gone| !catch_up.deaths.contains(gone));
        self.buried.extend(catch_up.deaths);
        self.becomes_member(ctx);
        self.send_catch_up(node, ctx);
        let early: Vec<Activity> =
            self.origins.iter_mut().flat_map(|origin| std::mem::take(&mut origin.early)).collect();
        for activity in early {
            self.on_activity(node, ctx, activity);
        }
    }

    pub(super) fn becomes_member(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.joined {
            self.joined = true;
            ctx.tell(self.replica, MirrorMessage::GmJoined.into());
        }
    }

    /// Tells everybody of deaths, those who may have heard of them as well, then this replica.
    pub(super) fn begin_notice(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        mut deaths: Vec<Pid>,
    ) {
        let known = self.buried.iter().filter(|dead| !deaths.contains(dead));
        let known: Vec<Pid> = known.copied().collect();
        deaths.extend(known);
        if deaths.is_empty() {
            return;
        }
        let notice = Activity {
            version: 0,
            queue: self.queue,
            from: self.me,
            origin: self.me,
            first: 0,
            instructions: Vec::new(),
            acknowledged: 0,
            deaths: deaths.clone(),
        };
        self.send_right(node, ctx, notice);
        for dead in deaths {
            self.bury(node, ctx, dead);
        }
    }

    /// The death is delivered to the replica, after everything that the dead had broadcast. Its
    /// last broadcasts stay in the log: a right neighbour that comes later may lack them.
    pub(super) fn bury(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, dead: Pid) {
        if self.buried.contains(&dead) {
            return;
        }
        self.buried.push(dead);
        self.gone.retain(|gone| *gone != dead);
        let (now, here, destination) = (ctx.now(), ctx.node(), node.config.destination(self.queue));
        let (subject, count) = (Some(dead.node), 0);
        let word = event::REPLICA_DOWN;
        ctx.observer()
            .event(now, Event { word, node: here, destination: Some(destination), subject, count });
        ctx.tell(self.replica, QueueMessage::GmDeath { dead }.into());
    }

    pub(super) fn bury_all_gone(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        for dead in self.gone.clone() {
            self.bury(node, ctx, dead);
        }
    }

    /// Only the present neighbours of the dead act on a death.
    pub(super) fn on_down(&mut self, node: &Node, ctx: &mut Context<'_, Message>, dead: Pid) {
        let neighbour = self.left == Some(dead) || self.right == Some(dead);
        if neighbour && !self.buried.contains(&dead) && !self.shutting_down {
            self.recording = Some(dead);
            let waits = node.config.settings.rules.has(Rule::GmDeathGrace);
            let grace = if waits { GRACE } else { Span::ZERO };
            ctx.after(grace, ctx.lane(), RingMessage::GraceOver { dead }.into());
        }
    }

    /// gm.erl `check_neighbours`, `change_view`: monitor the new neighbours; give a new right one
    /// what it needs.
    pub(super) fn check_neighbours(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let Some(record) = node.mnesia.tables.queue(self.queue) else { return };
        let (left, right) = (record.left_of(self.me), record.right_of(self.me));
        let members: Vec<Pid> = record.ring.iter().map(|member| member.gm).collect();
        let Some(right) = right else {
            if !self.ring.is_empty() && !self.shutting_down {
                // gm.erl `check_membership`, `lost_membership`: another member, to which this one
                // seemed dead, has recorded its death. It stops, and its replica with it; nothing
                // starts a mirror here before the node or the leader starts anew.
                node.end_process(self.replica, DownReason::Shutdown);
                node.end_process(ctx.lane(), Group::END);
            }
            return;
        };
        for old in std::mem::replace(&mut self.ring, members) {
            if !self.ring.contains(&old) && !self.buried.contains(&old) {
                self.gone.push(old);
            }
        }
        let (old_left, old_right) = (self.left, self.right);
        self.left = left;
        self.right = Some(right);
        for neighbour in [left, Some(right)].into_iter().flatten() {
            let watched = old_left == Some(neighbour) || old_right == Some(neighbour);
            if neighbour != self.me && !watched {
                node.monitor(ctx, ctx.lane(), neighbour);
            }
        }
        if right == self.me {
            self.becomes_member(ctx);
            self.ask_idle(ctx);
            if !self.gone.is_empty() && self.erasing.is_none() {
                self.erase(node, ctx, Erasing::Alone);
            }
        } else if old_right != Some(right) && self.joined {
            self.send_catch_up(node, ctx);
        }
    }

    pub(super) fn send_catch_up(&self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let Some(right) = self.right.filter(|right| *right != self.me) else { return };
        let deaths = self.gone.iter().chain(&self.buried).copied().collect();
        let mut activities = Vec::new();
        for origin in &self.origins {
            activities.push(Activity {
                version: 0,
                queue: self.queue,
                from: self.me,
                origin: origin.origin,
                first: origin.log_first,
                instructions: origin.log.iter().copied().collect(),
                acknowledged: origin.log_first,
                deaths: Vec::new(),
            });
        }
        let bytes = wire_bytes(activities.iter().flat_map(|activity| &activity.instructions));
        let catch_up = CatchUp { from: self.me, activities, deaths };
        node.send(ctx, right, RingMessage::CatchUp(Box::new(catch_up)), bytes);
    }
}
