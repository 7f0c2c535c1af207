//! close(): automatic commits are made once more, and the group is left (ConsumerCoordinator.java,
//! `close`; AsyncKafkaConsumer.java, `close`). And an application that throws, which closes its
//! consumer in `finally`.

use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::log::Piece;
use crate::engine::Span;
use crate::observe::Observer;
use crate::world::{Context, Lane};

use super::super::super::groups::{Beat, GroupRequest};
use super::super::super::message::{Message, Timer};
use super::super::super::rules::Rule;
use super::super::consumer::Consumer;
use super::super::settings::Commits;
use super::commits::Kind;
use super::{About, Member};

/// How long close() takes at most (ConsumerConfig.java, `DEFAULT_CLOSE_TIMEOUT_MS`).
const CLOSE: Span = Span::from_secs(30);

/// Why a consumer is closed, and how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Closing {
    /// Its hours are over.
    Hours,
    /// Its process is asked to end.
    Exit,
    /// Its application has thrown.
    Fault,
    /// It has committed, and leaves.
    Leaving,
}

impl Consumer {
    /// It is to be closed when the application has finished what it has in hand.
    pub(in super::super) fn close(&mut self, ctx: &mut Context<'_, Message>, why: Closing) {
        let (active, by) = (self.application.is_active(), ctx.clock() + CLOSE);
        let Some(member) = &mut self.member else { return };
        if !active {
            self.application.stop();
            if why == Closing::Exit {
                ctx.exit();
            }
            return;
        }
        if member.closing.is_none() {
            member.closing = Some(why);
            member.after = why;
            member.close_by = by;
            self.poll(ctx);
        } else if why == Closing::Exit {
            member.after = why;
        }
    }

    /// poll() would be called, and close() is: the positions behind all that was returned are
    /// committed.
    pub(super) fn close_on(&mut self, ctx: &mut Context<'_, Message>) {
        let rule = self.config.config.has(Rule::CommitAtClose);
        let now = ctx.clock();
        let Some(member) = &mut self.member else { return };
        if member.closing == Some(Closing::Leaving) || member.commits_to_close() {
            if member.close_by <= now {
                self.closed(ctx);
            }
            return;
        }
        let (auto, until) = (matches!(member.settings.commits, Commits::Auto(_)), member.close_by);
        let joined = !member.settings.subscribes || member.identity().is_some();
        if auto && rule && joined {
            let offsets = self.all_consumed();
            self.start_commit(ctx, Kind::Close, offsets, until);
        } else {
            self.leave(ctx);
        }
    }

    /// It leaves the group; a static member does not (KIP-345).
    pub(super) fn leave(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(member) = &mut self.member else { return };
        if member.closing.is_none() || member.closing == Some(Closing::Leaving) {
            return;
        }
        member.closing = Some(Closing::Leaving);
        if !self.send_leave(ctx) {
            self.closed(ctx);
        }
    }

    /// Tells its coordinator that it leaves, if it has one and a place to leave.
    pub(super) fn send_leave(&mut self, ctx: &mut Context<'_, Message>) -> bool {
        let Some(member) = &self.member else { return false };
        let stays = member.settings.instance && !member.is_modern();
        let Some(who) = member.identity().filter(|_| !stays && member.settings.subscribes) else {
            return false;
        };
        let modern = member.is_modern();
        let (instance, rebalance) = (member.settings.instance, member.settings.max_poll);
        let Some(peer) = member.coordinator.map(|broker| self.network.coordinator(broker)) else {
            return false;
        };
        if self.network.ready(ctx, peer).is_err() {
            return false;
        }
        let request = match modern {
            true => GroupRequest::Beat(Box::new(Beat {
                member: who.member,
                epoch: if instance { -2 } else { -1 },
                instance,
                rebalance,
                topic: 0,
                owned: None,
            })),
            false => GroupRequest::Leave(who.member),
        };
        self.post_group(ctx, peer, request, About::Leave, None);
        true
    }

    /// It is closed.
    pub(super) fn closed(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(member) = &mut self.member else { return };
        let why = member.after;
        let (now, id) = (ctx.now(), self.config.id);
        let all: Vec<PartitionId> = self.parts.iter().map(|part| part.partition).collect();
        self.give_up(ctx, &all);
        ctx.observer().subscribes(now, id, false);
        self.fetched.clear();
        self.asked.clear();
        match why {
            Closing::Exit => {
                self.application.stop();
                self.forget_member();
                ctx.exit();
            }
            Closing::Fault => {
                self.network.shut(ctx);
                self.network.forget();
                self.application.pause();
                let wait =
                    self.member.as_ref().map_or(Span::ZERO, |own| own.settings.restart_after);
                self.forget_member();
                ctx.after(wait, Lane::MAIN, Message::Timer(Timer::Start));
            }
            Closing::Hours | Closing::Leaving => {
                self.network.shut(ctx);
                self.stop(ctx);
                self.forget_member();
            }
        }
    }

    fn forget_member(&mut self) {
        if let Some(member) = &mut self.member {
            member.forget();
        }
    }

    /// Whether its application throws at one of the next messages, of which it has now begun with
    /// so many.
    pub(in super::super) fn throws(&mut self, count: u32) -> bool {
        let Some(member) = &mut self.member else { return false };
        let before = member.begun;
        member.begun = before.saturating_add(count);
        member.settings.fails_at.is_some_and(|at| before < at && at <= member.begun)
    }

    /// The application throws while it works on this, and closes the consumer in `finally`; what it
    /// has in hand nobody looks at any more.
    pub(in super::super) fn fail(&mut self, piece: Piece, ctx: &mut Context<'_, Message>) {
        let by = ctx.clock() + CLOSE;
        let rule = self.config.config.has(Rule::CommitAtClose);
        let sent = self.all_consumed();
        self.hand.push_front(piece);
        let Some(member) = &mut self.member else { return };
        member.closing = Some(Closing::Fault);
        member.after = Closing::Fault;
        member.close_by = by;
        member.held = None;
        if matches!(member.settings.commits, Commits::Auto(_)) && rule {
            for (partition, position) in sent {
                let known = member.sent.entry(partition).or_default();
                *known = position.offset.max(*known);
            }
        }
        let (now, me) = (ctx.now(), ctx.node());
        self.tell_abandoned(now, ctx.observer() as &mut dyn Observer);
        self.pipeline_died(now, me, ctx.observer() as &mut dyn Observer);
        self.poll(ctx);
    }

    /// Its application gives up, closes what it has, and begins anew after a while.
    pub(in super::super) fn application_failed(&mut self, ctx: &mut Context<'_, Message>) {
        let by = ctx.clock() + CLOSE;
        let Some(member) = &mut self.member else { return };
        if member.closing.is_none() {
            member.closing = Some(Closing::Fault);
            member.after = Closing::Fault;
            member.close_by = by;
        }
        member.held = None;
        let (now, me) = (ctx.now(), ctx.node());
        self.tell_abandoned(now, ctx.observer() as &mut dyn Observer);
        self.pipeline_died(now, me, ctx.observer() as &mut dyn Observer);
        self.poll(ctx);
    }

    /// Another process has its `group.instance.id`, or its former self is not gone yet: poll() throws,
    /// and the application begins anew after a while.
    pub(super) fn fenced(&mut self, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), ctx.node());
        let word = super::super::super::words::event::CONSUMER_FENCED;
        let destination = self.config.partitions.first();
        let destination = destination.and_then(|of| self.config.lines_of(*of).first().copied());
        let event = crate::observe::Event { word, node, destination, subject: None, count: 0 };
        ctx.observer().event(now, event);
        if let Some(member) = &mut self.member {
            (member.after, member.closing) = (Closing::Fault, Some(Closing::Leaving));
            member.held = None;
        }
        self.tell_abandoned(now, ctx.observer() as &mut dyn Observer);
        self.closed(ctx);
    }
}

impl Member {
    fn commits_to_close(&self) -> bool {
        self.commits.iter().any(|commit| commit.is_for(Kind::Close))
    }
}
