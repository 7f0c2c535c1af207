//! What is committed when: by poll() itself, before partitions are given up, at close(), or by the
//! application (ConsumerCoordinator.java, `maybeAutoCommitOffsetsAsync`, `commitOffsetsSync`,
//! `commitOffsetsAsync`, OffsetCommitResponseHandler).

use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::log::Piece;
use crate::engine::{Span, Time};
use crate::observe::NodeId;
use crate::world::Context;

use super::super::super::groups::{GroupRequest, Position};
use super::super::super::message::{Error, Message};
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::super::consumer::Consumer;
use super::super::fetcher::Step;
use super::super::settings::Commits;
use super::{About, State};

/// `default.api.timeout.ms`: how long commitSync() tries.
const API_TIMEOUT: Span = Span::from_secs(60);

/// What a commit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// poll() commits by itself.
    Auto,
    /// The application does, and does not wait.
    Async,
    /// The application does, and waits.
    Sync,
    /// Partitions are about to be given up.
    Prepare,
    /// close().
    Close,
}

/// A commit that is not done.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Commit {
    number: u32,
    kind: Kind,
    offsets: Vec<(PartitionId, Position)>,
    /// It is not sent (again) before.
    from: Time,
    /// It is given up then.
    pub(super) until: Time,
    asked: bool,
}

impl Commit {
    pub(super) fn is_for(&self, kind: Kind) -> bool {
        self.kind == kind
    }
}

impl Consumer {
    /// The positions behind what was returned, of partitions that it fetches from
    /// (SubscriptionState.java, `allConsumed`).
    pub(super) fn all_consumed(&self) -> Vec<(PartitionId, Position)> {
        let returned = self.config.config.has(Rule::CommitReturned);
        let of = |part: &super::super::fetcher::Part| {
            let offset = part.position.filter(|_| part.step == Step::Fetch)?;
            let fetched = self.fetched.iter().rfind(|(partition, _)| *partition == part.partition);
            let fetched = fetched.and_then(|(_, pieces)| pieces.back()).map(Piece::end);
            let offset = fetched.filter(|_| !returned).unwrap_or(offset);
            Some((part.partition, Position { offset, epoch: part.epoch }))
        };
        self.parts.iter().filter_map(of).collect()
    }

    /// In poll(), before anything is returned: what earlier polls have returned is committed, if it
    /// is time.
    pub(super) fn commit_if_due(&mut self, ctx: &mut Context<'_, Message>) {
        let (now, rule) = (ctx.clock(), self.config.config.has(Rule::CommitInPoll));
        let Some(member) = &mut self.member else { return };
        let Commits::Auto(interval) = member.settings.commits else { return };
        let joined = !member.settings.subscribes || member.state == State::Stable;
        if !joined || !rule || member.commit_at > now {
            return;
        }
        member.commit_at = now + interval;
        let offsets = self.all_consumed();
        self.start_commit(ctx, Kind::Auto, offsets, now + API_TIMEOUT);
    }

    /// poll() has returned: an application that commits first does.
    pub(in super::super) fn took(&mut self, ctx: &mut Context<'_, Message>) {
        let count: u32 = self.hand.iter().map(|piece| piece.messages.count).sum();
        let Some(member) = &mut self.member else { return };
        (member.returned, member.finished) = (count, 0);
        if member.settings.commits == Commits::Before {
            let offsets = self.all_consumed();
            self.application_commits(ctx, offsets);
        }
    }

    /// How many of so many messages that take no time an application may do at once: it has to see
    /// the end of what it commits for, and the message at which it throws.
    pub(in super::super) fn at_once(&self, count: u32) -> u32 {
        let Some(member) = &self.member else { return count };
        let upto = match member.settings.commits {
            Commits::Each => 1,
            Commits::Middle if member.finished < member.returned.div_ceil(2) => {
                member.returned.div_ceil(2) - member.finished
            }
            _ => count,
        };
        let throws = member
            .settings
            .fails_at
            .map_or(u32::MAX, |at| if at > member.begun + 1 { at - member.begun - 1 } else { 1 });
        count.min(upto).min(throws).max(1)
    }

    /// The application is through with something: it may commit that.
    pub(in super::super) fn finished(&mut self, piece: &Piece, ctx: &mut Context<'_, Message>) {
        let partition = self.config.config.streams.meant_for(piece.messages.producer);
        let empty = self.hand.is_empty();
        let Some(member) = &mut self.member else { return };
        member.finished += piece.messages.count;
        let position = Position { offset: piece.end(), epoch: Some(piece.epoch) };
        let middle = member.returned.div_ceil(2);
        let passed = member.finished >= middle && member.finished - piece.messages.count < middle;
        let offsets = match member.settings.commits {
            Commits::Each => vec![(partition, position)],
            Commits::Middle if passed => self.all_consumed(),
            Commits::After if empty => self.all_consumed(),
            _ => return,
        };
        self.application_commits(ctx, offsets);
    }

    /// `commitSync()`, `commitAsync()`.
    fn application_commits(
        &mut self,
        ctx: &mut Context<'_, Message>,
        offsets: Vec<(PartitionId, Position)>,
    ) {
        let now = ctx.clock();
        let waits = self.member.as_ref().is_some_and(|member| member.settings.waits);
        let kind = if waits { Kind::Sync } else { Kind::Async };
        self.start_commit(ctx, kind, offsets, now + API_TIMEOUT);
    }

    pub(super) fn start_commit(
        &mut self,
        ctx: &mut Context<'_, Message>,
        kind: Kind,
        offsets: Vec<(PartitionId, Position)>,
        until: Time,
    ) {
        let Some(member) = &mut self.member else { return };
        let number = member.commit_number;
        member.commit_number = number.wrapping_add(1);
        if kind == Kind::Sync {
            member.held = Some(number);
        }
        if offsets.is_empty() {
            return self.commit_done(ctx, number, kind);
        }
        if member.settings.subscribes && member.identity().is_none() {
            // "The consumer is not part of an active group."
            return self.commit_failed(ctx, number, kind);
        }
        let commit = Commit { number, kind, offsets, from: Time::ZERO, until, asked: false };
        member.commits.push(commit);
    }

    /// Sends commits that are due; when to look again.
    pub(super) fn send_commits(
        &mut self,
        peer: NodeId,
        now: Time,
        ctx: &mut Context<'_, Message>,
    ) -> Time {
        let mut again = Time::MAX;
        loop {
            let Some(member) = &mut self.member else { return again };
            let who = member.identity().filter(|_| member.settings.subscribes);
            let mut open = member.commits.iter_mut().filter(|commit| !commit.asked);
            let Some(commit) = open.find(|commit| commit.from <= now) else {
                let open = member.commits.iter().filter(|commit| !commit.asked);
                return open.map(|commit| commit.from).fold(again, Time::min);
            };
            again = Time::MAX;
            commit.asked = true;
            let (number, offsets) = (commit.number, commit.offsets.clone());
            for (partition, position) in &offsets {
                let sent = member.sent.entry(*partition).or_default();
                *sent = position.offset.max(*sent);
            }
            let request = GroupRequest::OffsetCommit { who, offsets };
            self.post_group(ctx, peer, request, About::Commit(number), None);
        }
    }

    /// What became of a commit.
    pub(super) fn commit_answered(
        &mut self,
        ctx: &mut Context<'_, Message>,
        number: u32,
        error: Error,
    ) {
        let (now, backoff) = (ctx.clock(), self.config.settings.backoff);
        if error.is_coordinators() {
            self.forget_coordinator(ctx);
        }
        let Some(member) = &mut self.member else { return };
        let found = member.commits.iter().position(|commit| commit.number == number);
        let Some(place) = found else { return };
        let (kind, until) = (member.commits[place].kind, member.commits[place].until);
        let repeats = matches!(kind, Kind::Sync | Kind::Prepare | Kind::Close) && now < until;
        let retried =
            error.is_retriable() || kind == Kind::Prepare && error == Error::StaleMemberEpoch;
        if retried && error != Error::None && repeats {
            (member.commits[place].from, member.commits[place].asked) = (now + backoff, false);
            return;
        }
        member.commits.remove(place);
        match error {
            Error::None => return self.commit_done(ctx, number, kind),
            error if error.is_retriable() && kind == Kind::Auto => {
                // "Asynchronous auto-commit ... failed due to retriable error": soon again.
                member.commit_at = now + backoff;
            }
            Error::UnknownMemberId | Error::IllegalGeneration if !member.is_modern() => {
                member.lose_place(error == Error::UnknownMemberId);
            }
            Error::RebalanceInProgress => member.rejoin = true,
            Error::FencedInstanceId => self.fenced(ctx),
            _ => {}
        }
        self.commit_failed(ctx, number, kind);
    }

    fn commit_failed(&mut self, ctx: &mut Context<'_, Message>, number: u32, kind: Kind) {
        let (now, node) = (ctx.now(), ctx.node());
        let destination = self.lines.first().copied();
        let word = event::COMMIT_FAILED;
        let event = crate::observe::Event { word, node, destination, subject: None, count: 0 };
        ctx.observer().event(now, event);
        self.commit_done(ctx, number, kind);
    }

    /// It is known what became of a commit, and whoever waited goes on.
    fn commit_done(&mut self, ctx: &mut Context<'_, Message>, number: u32, kind: Kind) {
        let Some(member) = &mut self.member else { return };
        match kind {
            Kind::Auto | Kind::Async => {}
            Kind::Sync => {
                if member.held == Some(number) {
                    member.held = None;
                }
            }
            Kind::Prepare if member.state == State::Committing => match member.is_modern() {
                true => self.take_target(ctx),
                false => self.revoke_and_join(ctx),
            },
            Kind::Prepare => {}
            Kind::Close => self.leave(ctx),
        }
    }

    /// Commits that have taken too long are given up.
    pub(super) fn expire_commits(&mut self, now: Time, ctx: &mut Context<'_, Message>) {
        while let Some(member) = &mut self.member
            && let Some(place) = member.commits.iter().position(|commit| commit.until <= now)
        {
            let commit = member.commits.remove(place);
            self.commit_failed(ctx, commit.number, commit.kind);
        }
    }
}
