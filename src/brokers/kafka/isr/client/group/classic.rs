//! Joining and syncing, as the Java consumer does it in poll(), and heartbeats beside it
//! (AbstractCoordinator.java, `joinGroupIfNeeded`; ConsumerCoordinator.java, `onJoinPrepare`,
//! `onJoinComplete`).

use crate::brokers::kafka::PartitionId;
use crate::engine::{Span, Time};
use crate::observe::NodeId;
use crate::world::Context;

use super::super::super::groups::{
    Assignor, GroupRequest, Identity, Join, Joined, MemberId, Offered, Owned, Subscriber, share_out,
};
use super::super::super::message::{Error, Message};
use super::super::super::rules::Rule;
use super::super::consumer::Consumer;
use super::super::settings::Commits;
use super::commits::Kind;
use super::{About, State};

/// A join is given up so long after the rebalance time-out
/// (AbstractCoordinator.java, JOIN_GROUP_TIMEOUT_LAPSE).
const LAPSE: Span = Span::from_secs(5);

impl Consumer {
    /// What poll() does for a classic group.
    pub(super) fn poll_classic(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(member) = &mut self.member else { return };
        if member.state == State::Stable
            && let Some(share) = member.given.take()
        {
            self.complete_join(ctx, share);
        }
        let Some(member) = &self.member else { return };
        let joins = match member.state {
            State::Unjoined => true,
            State::Stable => member.rejoin,
            State::Committing | State::Joining | State::Syncing => false,
        };
        if joins {
            self.prepare_join(ctx);
        }
    }

    /// `onJoinPrepare`.
    fn prepare_join(&mut self, ctx: &mut Context<'_, Message>) {
        let rule = self.config.config.has(Rule::CommitBeforeRebalance);
        let now = ctx.clock();
        let Some(member) = &mut self.member else { return };
        member.rejoin = false;
        if member.generation.is_none() && !self.parts.is_empty() {
            self.lose_share(ctx);
        }
        let Some(member) = &self.member else { return };
        let auto = matches!(member.settings.commits, Commits::Auto(_));
        let (eager, until) = (!member.cooperative, now + member.settings.max_poll);
        if auto && rule && member.generation.is_some() {
            let offsets = self.all_consumed();
            if !offsets.is_empty() {
                if eager {
                    self.pause_all();
                }
                if let Some(member) = &mut self.member {
                    member.state = State::Committing;
                }
                return self.start_commit(ctx, Kind::Prepare, offsets, until);
            }
        }
        self.revoke_and_join(ctx);
    }

    /// What is to be given up is given up, and it asks to join.
    pub(super) fn revoke_and_join(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(member) = &mut self.member else { return };
        member.state = State::Joining;
        if member.generation.is_none() {
            self.lose_share(ctx);
        } else if !member.cooperative {
            let all: Vec<PartitionId> = self.parts.iter().map(|part| part.partition).collect();
            self.give_up(ctx, &all);
        }
    }

    pub(super) fn send_join(&mut self, peer: NodeId, ctx: &mut Context<'_, Message>) {
        let owned: Vec<PartitionId> = self.parts.iter().map(|part| part.partition).collect();
        let topic = self.topic();
        let Some(member) = &mut self.member else { return };
        let settings = &member.settings;
        let sticky = settings.assignors.iter().any(|assignor| assignor.is_sticky());
        let owned = match sticky {
            true => Owned { generation: member.generation, partitions: owned },
            false => Owned::default(),
        };
        let join = Join {
            member: member.id,
            instance: settings.instance,
            session: settings.session,
            rebalance: settings.max_poll,
            assignors: settings.assignors.clone(),
            topic,
            owned,
        };
        let timeout = (settings.max_poll + LAPSE).max(self.config.settings.request_timeout);
        let request = GroupRequest::Join(Box::new(join));
        self.post_group(ctx, peer, request, About::Join, Some(timeout));
    }

    /// The answer to a join.
    pub(super) fn joined(
        &mut self,
        ctx: &mut Context<'_, Message>,
        error: Error,
        joined: Option<Box<Joined>>,
    ) {
        let again = ctx.clock() + self.config.settings.backoff;
        let Some(member) = &mut self.member else { return };
        if member.state != State::Joining {
            return;
        }
        match (error, joined) {
            (Error::None, Some(joined)) => self.sync(ctx, *joined),
            (Error::MemberIdRequired, Some(joined)) => member.id = Some(joined.member),
            (Error::FencedInstanceId | Error::InconsistentGroupProtocol, _) => {
                self.fenced(ctx);
            }
            (Error::UnknownMemberId, _) => {
                member.lose_place(true);
                member.state = State::Joining;
                self.lose_share(ctx);
            }
            (error, _) => {
                member.join_from = again;
                if error.is_coordinators() {
                    self.forget_coordinator(ctx);
                }
            }
        }
    }

    /// It is in a generation, and asks for its share; the leader works out everybody's.
    fn sync(&mut self, ctx: &mut Context<'_, Message>, joined: Joined) {
        let now = ctx.clock();
        let Some(member) = &mut self.member else { return };
        (member.id, member.generation) = (Some(joined.member), Some(joined.generation));
        member.cooperative = joined.assignor.is_cooperative();
        member.state = State::Syncing;
        member.heard = now;
        member.beat_at = now + member.settings.heartbeat;
        let who = Identity {
            member: joined.member,
            generation: joined.generation,
            instance: member.settings.instance,
        };
        let coordinator = member.coordinator;
        let assignments = joined.members.map(|all| self.assign(joined.assignor, &all));
        let request = GroupRequest::Sync { who, assignments: assignments.unwrap_or_default() };
        let peer = coordinator.map(|broker| self.network.coordinator(broker));
        let ready = peer.filter(|peer| self.network.ready(ctx, *peer).is_ok());
        match ready {
            Some(peer) => self.post_group(ctx, peer, request, About::Sync, None),
            None => {
                if let Some(member) = &mut self.member {
                    member.state = State::Joining;
                }
            }
        }
    }

    /// What the leader assigns. What members say they have counts if it is of the latest generation
    /// that any of them knows.
    fn assign(&self, assignor: Assignor, all: &[Offered]) -> Vec<(MemberId, Vec<PartitionId>)> {
        let latest = all.iter().filter_map(|member| member.owned.generation).max();
        let subscriber = |member: &Offered| {
            let counts = assignor.is_sticky() && member.owned.generation == latest;
            let owned = if counts { member.owned.partitions.clone() } else { Vec::new() };
            Subscriber { member: member.member, topic: member.topic, owned }
        };
        let members: Vec<Subscriber> = all.iter().map(subscriber).collect();
        let streams = &self.config.config.streams;
        let shares = share_out(assignor, &members, |topic| streams.of_topic(topic).collect());
        shares.into_iter().collect()
    }

    /// Its share is known; it is taken in poll().
    pub(super) fn synced(
        &mut self,
        ctx: &mut Context<'_, Message>,
        error: Error,
        share: Vec<PartitionId>,
    ) {
        let again = ctx.clock() + self.config.settings.backoff;
        let Some(member) = &mut self.member else { return };
        if member.state != State::Syncing {
            return;
        }
        member.state = State::Joining;
        match error {
            Error::None => {
                member.state = State::Stable;
                member.given = Some(share);
            }
            Error::RebalanceInProgress => {}
            Error::UnknownMemberId | Error::IllegalGeneration => {
                member.lose_place(error == Error::UnknownMemberId);
            }
            Error::FencedInstanceId => self.fenced(ctx),
            error => {
                member.join_from = again;
                if error.is_coordinators() {
                    self.forget_coordinator(ctx);
                }
            }
        }
    }

    /// `onJoinComplete`.
    fn complete_join(&mut self, ctx: &mut Context<'_, Message>, mut share: Vec<PartitionId>) {
        let now = ctx.clock();
        share.sort_unstable();
        let Some(member) = &mut self.member else { return };
        if let Commits::Auto(interval) = member.settings.commits {
            member.commit_at = now + interval;
        }
        let gone: Vec<PartitionId> = self
            .parts
            .iter()
            .map(|part| part.partition)
            .filter(|partition| share.binary_search(partition).is_err())
            .collect();
        if !gone.is_empty() {
            // Cooperative: whoever gets them can have them in the next generation.
            member.rejoin = true;
            self.give_up(ctx, &gone);
        }
        let new: Vec<PartitionId> =
            share.into_iter().filter(|partition| self.place_of(*partition).is_none()).collect();
        self.take_share(ctx, &new, false);
    }

    /// Sends a heartbeat if one is due; when the next is.
    pub(super) fn send_heartbeat(
        &mut self,
        peer: NodeId,
        now: Time,
        ctx: &mut Context<'_, Message>,
    ) -> Time {
        let by_itself = self.config.config.has(Rule::BackgroundHeartbeats);
        let may = by_itself || self.is_in_poll();
        let Some(member) = &mut self.member else { return Time::MAX };
        let joined = matches!(member.state, State::Stable | State::Committing | State::Syncing);
        let Some(who) = member.identity().filter(|_| joined && may) else { return Time::MAX };
        if member.has_asked(&About::Heartbeat) {
            return Time::MAX;
        }
        if member.beat_at > now {
            return member.beat_at;
        }
        member.beat_at = now + member.settings.heartbeat;
        let next = member.beat_at;
        self.post_group(ctx, peer, GroupRequest::Heartbeat(who), About::Heartbeat, None);
        next
    }

    /// The answer to a heartbeat.
    pub(super) fn beaten(&mut self, ctx: &mut Context<'_, Message>, error: Error) {
        let now = ctx.clock();
        let Some(member) = &mut self.member else { return };
        match error {
            Error::None => member.heard = now,
            Error::RebalanceInProgress => {
                member.heard = now;
                if member.state == State::Stable {
                    member.rejoin = true;
                }
            }
            Error::UnknownMemberId | Error::IllegalGeneration => {
                let current = matches!(member.state, State::Stable | State::Committing);
                if current {
                    member.lose_place(error == Error::UnknownMemberId);
                }
            }
            Error::FencedInstanceId => self.fenced(ctx),
            error if error.is_coordinators() => self.forget_coordinator(ctx),
            _ => {}
        }
    }
}
