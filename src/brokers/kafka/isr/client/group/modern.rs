//! KIP-848: the coordinator assigns; a member tells what it has by its heartbeats, and takes what it
//! is given in poll() (AbstractMembershipManager.java 4.0, ConsumerHeartbeatRequestManager.java).

use crate::brokers::kafka::PartitionId;
use crate::engine::Time;
use crate::observe::NodeId;
use crate::world::Context;

use super::super::super::groups::{Beat, GroupRequest, MemberId};
use super::super::super::message::{Error, Message};
use super::super::super::rules::Rule;
use super::super::consumer::Consumer;
use super::super::fetcher::Step;
use super::super::settings::Commits;
use super::commits::Kind;
use super::{About, State};

impl Consumer {
    /// Sends a heartbeat if one is due; when the next is. Joining is one as well, and does not wait
    /// for poll().
    pub(super) fn send_beat(
        &mut self,
        peer: NodeId,
        now: Time,
        ctx: &mut Context<'_, Message>,
    ) -> Time {
        let client = self.config.id;
        let topic = self.topic();
        let in_poll = self.is_in_poll();
        let Some(member) = &mut self.member else { return Time::MAX };
        if member.has_asked(&About::Beat) {
            return Time::MAX;
        }
        let joins = member.generation.is_none();
        // Who was stale, or fenced, gives up what it had in poll() first (STALE, FENCED).
        let burdened = joins && !self.parts.is_empty();
        if burdened || joins && member.rejoin && !in_poll {
            return Time::MAX;
        }
        if joins && member.join_from > now {
            return member.join_from;
        }
        if !joins && !member.tells && member.beat_at > now {
            return member.beat_at;
        }
        if joins {
            if member.id.is_none() {
                let unique = ctx.random().next_u64() as u32;
                member.id = Some(MemberId { client, unique });
            }
            member.state = State::Joining;
            member.rejoin = false;
        }
        let Some(id) = member.id else { return Time::MAX };
        let owned = (joins || member.tells)
            .then(|| self.parts.iter().map(|part| part.partition).collect::<Vec<PartitionId>>());
        let beat = Beat {
            member: id,
            epoch: member.generation.unwrap_or(0) as i32,
            instance: member.settings.instance,
            rebalance: member.settings.max_poll,
            topic,
            owned,
        };
        member.tells = false;
        member.beat_at = now + member.settings.heartbeat;
        let next = member.beat_at;
        self.post_group(ctx, peer, GroupRequest::Beat(Box::new(beat)), About::Beat, None);
        next
    }

    /// The answer to a heartbeat.
    pub(super) fn beat_answered(
        &mut self,
        ctx: &mut Context<'_, Message>,
        error: Error,
        epoch: u32,
        share: Option<Vec<PartitionId>>,
    ) {
        let now = ctx.clock();
        let backoff = self.config.settings.backoff;
        let Some(member) = &mut self.member else { return };
        match error {
            Error::None => {
                member.heard = now;
                // It has left, and answers come late.
                if member.generation.is_none() && member.state != State::Joining {
                    return;
                }
                member.generation = Some(epoch);
                if member.state == State::Joining {
                    member.state = State::Stable;
                }
                if share.is_some() {
                    member.given = share;
                }
            }
            Error::FencedMemberEpoch | Error::UnknownMemberId => {
                member.lose_place(false);
                (member.join_from, member.rejoin) = (now, false);
            }
            Error::UnreleasedInstanceId | Error::FencedInstanceId => self.fenced(ctx),
            error if error.is_coordinators() => {
                (member.beat_at, member.join_from) = (now + backoff, now + backoff);
                self.forget_coordinator(ctx);
            }
            _ => (member.beat_at, member.join_from) = (now + backoff, now + backoff),
        }
    }

    /// In poll(): what it is given and what it has are brought together (`maybeReconcile`).
    pub(super) fn reconcile(&mut self, ctx: &mut Context<'_, Message>) {
        let rule = self.config.config.has(Rule::CommitBeforeRebalance);
        let now = ctx.clock();
        let Some(member) = &mut self.member else { return };
        if member.generation.is_none() {
            member.rejoin = false;
            return self.lose_share(ctx);
        }
        if member.state != State::Stable || member.given.is_none() {
            return;
        }
        let (auto, until) =
            (matches!(member.settings.commits, Commits::Auto(_)), now + member.settings.max_poll);
        let target = member.given.clone().unwrap_or_default();
        let offsets = self.all_consumed();
        for part in &mut self.parts {
            // What is to be given up is not fetched any more (`markPendingRevocation`).
            if !target.contains(&part.partition) {
                part.step = Step::Idle;
            }
        }
        if let Some(member) = &mut self.member {
            member.state = State::Committing;
        }
        if auto && rule && !offsets.is_empty() {
            return self.start_commit(ctx, Kind::Prepare, offsets, until);
        }
        self.take_target(ctx);
    }

    /// What is not given is given up, what is new is taken, and the coordinator is told at once.
    pub(super) fn take_target(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(member) = &mut self.member else { return };
        member.state = if member.generation.is_some() { State::Stable } else { State::Unjoined };
        let Some(target) = member.given.take() else { return };
        member.tells = true;
        let gone: Vec<PartitionId> = self
            .parts
            .iter()
            .map(|part| part.partition)
            .filter(|partition| !target.contains(partition))
            .collect();
        self.give_up(ctx, &gone);
        let new: Vec<PartitionId> =
            target.into_iter().filter(|partition| self.place_of(*partition).is_none()).collect();
        self.take_share(ctx, &new, false);
    }
}
