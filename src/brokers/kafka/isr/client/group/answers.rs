//! What comes back from the coordinator, and connections to it that are lost.

use crate::brokers::kafka::PartitionId;
use crate::observe::NodeId;
use crate::world::Context;

use super::super::super::groups::{GroupResponse, Position};
use super::super::super::message::{Error, Message};
use super::super::consumer::Consumer;
use super::super::fetcher::Step;
use super::super::settings::Reset;
use super::{About, Closing, State};

impl Consumer {
    /// The coordinator, or the broker that was asked for it, answers.
    pub(in super::super) fn group_answered(
        &mut self,
        ctx: &mut Context<'_, Message>,
        (node, id): (NodeId, u32),
        answer: GroupResponse,
    ) {
        let Some(member) = &mut self.member else { return };
        let found = member.asked.iter().position(|(to, of, _)| (*to, *of) == (node, id));
        let Some(place) = found else { return };
        let (_, _, about) = member.asked.remove(place);
        match (about, answer) {
            (About::Find, GroupResponse::Coordinator(error, broker)) => {
                member.find_from = ctx.clock() + self.config.settings.backoff;
                member.coordinator = broker.filter(|_| error == Error::None);
                // Who has found it has heard of it.
                member.heard = ctx.clock();
            }
            (About::Join, GroupResponse::Joined(error, joined)) => self.joined(ctx, error, joined),
            (About::Sync, GroupResponse::Synced(error, share)) => self.synced(ctx, error, share),
            (About::Heartbeat, GroupResponse::Done(error)) => self.beaten(ctx, error),
            (About::Beat, GroupResponse::Beat(error, epoch, share)) => {
                self.beat_answered(ctx, error, epoch, share);
            }
            (About::Commit(number), GroupResponse::Done(error)) => {
                self.commit_answered(ctx, number, error);
            }
            (About::Offsets(asked), GroupResponse::Offsets(error, offsets, expired)) => {
                self.offsets_known(ctx, &asked, error, (&offsets, &expired));
            }
            (About::Leave, _) => self.left(ctx),
            _ => {}
        }
    }

    /// A connection is lost, and what was asked on it is not answered.
    pub(in super::super) fn group_lost(
        &mut self,
        ctx: &mut Context<'_, Message>,
        node: NodeId,
        ids: &[u32],
    ) {
        let again = ctx.clock() + self.config.settings.backoff;
        let Some(member) = &mut self.member else { return };
        let coordinates = member.coordinator.map(|broker| self.network.coordinator(broker));
        let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut member.asked)
            .into_iter()
            .partition(|(to, id, _)| *to == node && ids.contains(id));
        member.asked = kept;
        if coordinates == Some(node) {
            self.forget_coordinator(ctx);
        }
        for (_, _, about) in gone {
            let Some(member) = &mut self.member else { return };
            match about {
                About::Find => member.find_from = again,
                About::Join => member.join_from = again,
                // SyncGroupResponseHandler: whoever cannot sync joins anew.
                About::Sync => {
                    member.state = State::Joining;
                    member.join_from = again;
                }
                About::Heartbeat => member.beat_at = again,
                About::Beat => {
                    member.beat_at = again;
                    member.tells = true;
                }
                About::Commit(number) => {
                    self.commit_answered(ctx, number, Error::CoordinatorNotAvailable);
                }
                About::Offsets(partitions) => self.ask_again(&partitions, again),
                About::Leave => self.left(ctx),
            }
        }
    }

    fn ask_again(&mut self, partitions: &[PartitionId], again: crate::engine::Time) {
        for partition in partitions {
            if let Some(part) = self.part(*partition) {
                part.asked = false;
                part.not_before = again;
            }
        }
    }

    /// What is committed: positions to go on at (ConsumerCoordinator.java,
    /// `initWithCommittedOffsetsIfNeeded`); without one `auto.offset.reset` says where to begin.
    fn offsets_known(
        &mut self,
        ctx: &mut Context<'_, Message>,
        asked: &[PartitionId],
        error: Error,
        (offsets, expired): (&[(PartitionId, Option<Position>)], &[PartitionId]),
    ) {
        let again = ctx.clock() + self.config.settings.backoff;
        if error != Error::None {
            if error.is_coordinators() {
                self.forget_coordinator(ctx);
            }
            return self.ask_again(asked, again);
        }
        let (reset, detects) = (self.config.settings.reset, self.detects_truncation());
        for (partition, position) in offsets {
            let Some(index) = self.place_of(*partition) else { continue };
            let part = &mut self.parts[index];
            if part.step != Step::Committed {
                continue;
            }
            part.asked = false;
            part.not_before = crate::engine::Time::ZERO;
            part.expired = expired.contains(partition);
            match position {
                Some(position) => {
                    (part.position, part.epoch) = (Some(position.offset), position.epoch);
                    let validates = detects && position.epoch.is_some();
                    part.step = if validates { Step::Validate } else { Step::Fetch };
                }
                None if reset == Reset::None => self.reset(ctx, index),
                None => part.step = Step::LookUp(reset),
            }
        }
    }

    /// It has left, or as good as.
    fn left(&mut self, ctx: &mut Context<'_, Message>) {
        if self.member.as_ref().is_some_and(|own| own.closing == Some(Closing::Leaving)) {
            self.closed(ctx);
        }
    }
}
