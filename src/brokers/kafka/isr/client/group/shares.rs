//! Partitions that come and go.

use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::log::Piece;
use crate::engine::Time;
use crate::observe::{BecauseId, Event, Observer, Removal};
use crate::world::Context;

use super::super::super::message::Message;
use super::super::super::words::{because, cause, event};
use super::super::consumer::Consumer;
use super::super::fetcher::{Part, Step};
use super::super::settings::Commits;

impl Consumer {
    /// These are its own from now on; `known` if it has read them for long when the run starts, and
    /// is at their start.
    pub(super) fn take_share(
        &mut self,
        ctx: &mut Context<'_, Message>,
        partitions: &[PartitionId],
        known: bool,
    ) {
        if partitions.is_empty() {
            return;
        }
        self.application.tell_wants(false, &self.lines, ctx);
        let (reset, detects) = (self.config.settings.reset, self.detects_truncation());
        for partition in partitions {
            let mut part = Part::new(*partition);
            if known {
                part.begin(true, reset);
            } else {
                part.step = Step::Committed;
            }
            part.learned(self.network.metadata().led(*partition), detects);
            match self.parts.binary_search_by_key(partition, |part| part.partition) {
                Ok(place) => self.parts[place] = part,
                Err(place) => self.parts.insert(place, part),
            }
            self.tell_holds(ctx, *partition, true);
        }
        self.draw_lines();
    }

    /// These are not its own any more (`onPartitionsRevoked`).
    pub(super) fn give_up(&mut self, ctx: &mut Context<'_, Message>, partitions: &[PartitionId]) {
        if partitions.is_empty() {
            return;
        }
        self.application.tell_wants(false, &self.lines, ctx);
        self.parts.retain(|part| !partitions.contains(&part.partition));
        self.fetched.retain(|(partition, _)| !partitions.contains(partition));
        for partition in partitions {
            self.tell_holds(ctx, *partition, false);
        }
        self.draw_lines();
    }

    /// It has lost its place, and so everything that it had (`onPartitionsLost`).
    pub(super) fn lose_share(&mut self, ctx: &mut Context<'_, Message>) {
        let all: Vec<PartitionId> = self.parts.iter().map(|part| part.partition).collect();
        if all.is_empty() {
            return;
        }
        let (now, node) = (ctx.now(), ctx.node());
        let (word, destination) = (event::PARTITIONS_LOST, self.lines.first().copied());
        let event = Event { word, node, destination, subject: None, count: all.len() as u64 };
        ctx.observer().event(now, event);
        self.give_up(ctx, &all);
    }

    /// Nothing of its partitions is fetched or returned any more.
    pub(super) fn pause_all(&mut self) {
        self.parts.iter_mut().for_each(|part| part.step = Step::Idle);
    }

    fn draw_lines(&mut self) {
        let of = |part: &Part| self.config.lines_of(part.partition).to_vec();
        self.lines = self.parts.iter().flat_map(of).collect();
    }

    fn tell_holds(&self, ctx: &mut Context<'_, Message>, partition: PartitionId, holds: bool) {
        let (now, id) = (ctx.now(), self.config.id);
        for line in self.config.lines_of(partition) {
            ctx.observer().holds(now, id, *line, holds);
        }
    }

    /// The process has died, with what the application had in hand: what of it is committed nobody
    /// of the group will read again.
    pub(in super::super) fn member_died(&mut self, at: Time, observer: &mut dyn Observer) {
        if self.member.is_none() {
            return;
        }
        self.tell_abandoned(at, observer);
        let id = self.config.id;
        for part in &self.parts {
            for line in self.config.lines_of(part.partition) {
                observer.holds(at, id, *line, false);
            }
        }
        if self.application.is_active() {
            observer.subscribes(at, id, false);
        }
        if let Some(member) = &mut self.member {
            if member.settings.subscribes {
                self.parts.clear();
            }
            member.forget();
        }
    }

    /// What it has in hand it will not finish.
    pub(super) fn tell_abandoned(&mut self, at: Time, observer: &mut dyn Observer) {
        let mut hand: Vec<Piece> = self.application.done().into_iter().collect();
        hand.extend(self.hand.drain(..));
        let Some(member) = &self.member else { return };
        let because: BecauseId = match (member.closing, member.settings.commits) {
            (Some(_), Commits::Auto(_)) => because::CLOSED,
            (_, Commits::Auto(_)) => because::AUTO_COMMIT,
            _ => because::COMMITTED_FIRST,
        };
        let removal = Removal { cause: cause::COMMITTED_UNPROCESSED, because };
        for piece in hand {
            let partition = self.config.config.streams.meant_for(piece.messages.producer);
            let upto = member.sent.get(&partition).copied().unwrap_or(0);
            let count = piece.count_before(upto);
            if count == 0 {
                continue;
            }
            let messages = piece.part(0, count).messages;
            for line in self.config.lines(messages) {
                observer.abandoned(at, member.me, *line, messages, removal);
            }
            for line in self.config.config.streams.forwarded_lines(messages.producer) {
                let removal = Removal { cause: cause::OUTPUT_LOST, because };
                observer.dropped(at, member.me, Some(*line), messages, removal);
            }
        }
    }
}
