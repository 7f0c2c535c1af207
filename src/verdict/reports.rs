//! The ledger as an observer: one method a report.

use super::effects::credit;
use super::ledger::{Ledger, TrackOf};
use super::lines::{Answer, Flags};
use super::naming::Naming;
use super::{BREACHES_KEPT, Breach};
use crate::engine::{Ingredient, Time};
use crate::observe::{
    ConsumerId, Contact, DestinationId, Event, FaultId, FaultPhase, MessageRange, NodeId,
    NodeState, Observer, Outcome, Removal, RoleId, Violation,
};

/// Tags of the fingerprint.
mod tag {
    pub(super) const OUTCOME: u64 = 1;
    pub(super) const DELIVERED: u64 = 16;
    pub(super) const PROCESSED: u64 = 17;
}

// A macro, since it borrows some fields of the ledger while others change.
macro_rules! naming {
    ($ledger:ident, $at:ident, $node:ident, $removal:ident) => {{
        let id = $ledger.reasons.id($removal, $node);
        let cause = $ledger.catalog.causes[$removal.cause.index()];
        Naming {
            at: $at,
            id,
            kind: cause.kind,
            precedence: cause.precedence,
            catalog: &$ledger.catalog,
            reasons: &$ledger.reasons,
            retained: $ledger.options.retained,
        }
    }};
}

impl Observer for Ledger {
    fn attempted(&mut self, at: Time, intended: Time, messages: MessageRange) {
        let count = u64::from(messages.count);
        self.counts.attempted += count;
        self.timeline.attempted(at, intended, count);
        let measured = self.is_measured(intended);
        if measured {
            self.counts.operations += count;
        }
        for index in self.tracks_of(messages.producer) {
            let track = &mut self.tracks[index];
            if measured && let Some(destination) = track.destination {
                self.watches[destination.index()].operations += count;
            }
            let counts = &mut self.counts;
            track.lines.visit(messages.first, messages.count, |line| {
                let mut state = line.state();
                if state.is(Flags::ATTEMPTED) {
                    counts.inconsistencies += 1;
                    return;
                }
                state.set(Flags::ATTEMPTED);
                line.open_times(intended);
                line.put(state);
            });
        }
    }

    fn sent(&mut self, at: Time, messages: MessageRange) {
        for index in self.tracks_of(messages.producer) {
            let counts = &mut self.counts;
            self.tracks[index].lines.visit(messages.first, messages.count, |line| {
                let mut state = line.state();
                if !state.is(Flags::ATTEMPTED) {
                    counts.inconsistencies += 1;
                    return;
                }
                state.set(Flags::SENT);
                if !state.answer.is_success() {
                    state.set(Flags::WAITING);
                    line.mark(at);
                }
                line.put(state);
            });
        }
    }

    fn outcome(&mut self, at: Time, messages: MessageRange, outcome: Outcome) {
        self.fold(at, tag::OUTCOME + outcome as u64, u32::MAX, messages);
        let range = self.tracks_of(messages.producer);
        let first = range.start;
        let lines = u64::from(messages.count) * range.len() as u64;
        let bucket = self.timeline.at(at);
        match outcome {
            Outcome::Returned => bucket.returned += u64::from(messages.count),
            Outcome::Unknown => bucket.unknown += u64::from(messages.count),
            Outcome::Nacked => {
                bucket.nacked += u64::from(messages.count);
                self.counts.nacked += lines;
            }
            Outcome::Acked | Outcome::Accepted | Outcome::Rejected | Outcome::Unsent => {}
        }
        for index in range {
            self.answer(at, index, messages, Answer::of(outcome), index == first);
        }
    }

    fn remarked(&mut self, _: Time, messages: MessageRange) {
        for index in self.tracks_of(messages.producer) {
            self.tracks[index].lines.visit(messages.first, messages.count, |line| {
                let mut state = line.state();
                state.set(Flags::REMARKED);
                line.put(state);
            });
        }
    }

    fn stored(
        &mut self,
        at: Time,
        _node: NodeId,
        destination: DestinationId,
        messages: MessageRange,
    ) {
        let Some(index) = self.track(messages.producer, destination) else { return };
        let mut backlog = 0;
        let gated = self.options.gated;
        let counts = &mut self.counts;
        self.tracks[index].lines.visit(messages.first, messages.count, |line| {
            let mut state = line.state();
            if !state.is(Flags::ATTEMPTED) {
                counts.inconsistencies += 1;
                return;
            }
            let before = state.is_backlog();
            if state.copies == 0 {
                line.dig_up();
                state.reason = 0;
                let stale = Flags::SETTLED.with(Flags::EXPIRED);
                state.clear(stale.with(Flags::READABLE).with(Flags::SKIPPED));
            }
            if !gated {
                state.set(Flags::READABLE);
            }
            state.add_copy();
            state.set(Flags::ARRIVED);
            line.put(state);
            backlog += i64::from(state.is_backlog()) - i64::from(before);
        });
        self.backlog_changed(at, destination, backlog);
    }

    fn readable(&mut self, at: Time, destination: DestinationId, messages: MessageRange) {
        let Some(index) = self.track(messages.producer, destination) else { return };
        let mut backlog = 0;
        self.tracks[index].lines.visit(messages.first, messages.count, |line| {
            let mut state = line.state();
            let before = state.is_backlog();
            state.set(Flags::READABLE);
            line.put(state);
            backlog += i64::from(state.is_backlog()) - i64::from(before);
        });
        self.backlog_changed(at, destination, backlog);
    }

    fn dead_lettered(
        &mut self,
        at: Time,
        node: NodeId,
        destination: DestinationId,
        _target: DestinationId,
        messages: MessageRange,
    ) {
        let Some(index) = self.track(messages.producer, destination) else { return };
        let mut backlog = 0;
        self.tracks[index].lines.visit(messages.first, messages.count, |line| {
            let mut state = line.state();
            if state.is(Flags::ATTEMPTED) {
                backlog -= i64::from(state.is_backlog());
                state.set(Flags::LETTER);
                line.put(state);
            }
        });
        self.backlog_changed(at, destination, backlog);
        self.stored(at, node, destination, messages);
    }

    fn removed(
        &mut self,
        at: Time,
        node: NodeId,
        destination: DestinationId,
        messages: MessageRange,
        removal: Removal,
    ) {
        let Some(index) = self.track(messages.producer, destination) else { return };
        let naming = naming!(self, at, node, removal);
        let mut backlog = 0;
        let counts = &mut self.counts;
        let watch = &mut self.watches[destination.index()];
        self.tracks[index].lines.visit(messages.first, messages.count, |line| {
            let mut state = line.state();
            if state.copies == 0 {
                counts.inconsistencies += 1;
                return;
            }
            let before = state.is_backlog();
            state.remove_copy();
            naming.apply(line, &mut state);
            credit(line, state, Some(watch));
            line.put(state);
            backlog += i64::from(state.is_backlog()) - i64::from(before);
        });
        self.backlog_changed(at, destination, backlog);
    }

    fn dropped(
        &mut self,
        at: Time,
        node: NodeId,
        destination: Option<DestinationId>,
        messages: MessageRange,
        removal: Removal,
    ) {
        let range = match destination {
            None => self.tracks_of(messages.producer),
            Some(destination) => match self.track(messages.producer, destination) {
                Some(index) => index..index + 1,
                None => return,
            },
        };
        let naming = naming!(self, at, node, removal);
        for index in range {
            let track = &mut self.tracks[index];
            let mut watch = track.destination.map(|id| &mut self.watches[id.index()]);
            let counts = &mut self.counts;
            track.lines.visit(messages.first, messages.count, |line| {
                let mut state = line.state();
                if !state.is(Flags::ATTEMPTED) {
                    counts.inconsistencies += 1;
                    return;
                }
                state.set(Flags::ARRIVED);
                if state.copies == 0 {
                    naming.apply(line, &mut state);
                    credit(line, state, watch.as_deref_mut());
                }
                line.put(state);
            });
        }
    }

    fn delivered(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        destination: DestinationId,
        messages: MessageRange,
        redelivered: bool,
    ) {
        self.fold(at, tag::DELIVERED + u64::from(redelivered) * 2, consumer.0, messages);
        let Some(index) = self.track(messages.producer, destination) else { return };
        if self.catalog.consumers[consumer.index()].auditor {
            self.audited(at, index, destination, messages);
        } else {
            self.received(at, index, destination, messages, redelivered);
        }
    }

    fn processed(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        destination: DestinationId,
        messages: MessageRange,
    ) {
        self.fold(at, tag::PROCESSED, consumer.0, messages);
        let Some(index) = self.track(messages.producer, destination) else { return };
        if self.catalog.consumers[consumer.index()].auditor {
            return;
        }
        let (mut processed, mut backlog) = (0, 0);
        let retained = self.options.retained;
        let counts = &mut self.counts;
        let watch = &mut self.watches[destination.index()];
        self.tracks[index].lines.visit(messages.first, messages.count, |line| {
            let mut state = line.state();
            if !state.is(Flags::ATTEMPTED) {
                counts.inconsistencies += 1;
                return;
            }
            if state.is(Flags::PROCESSED) {
                return;
            }
            processed += 1;
            let before = state.is_backlog();
            state.set(Flags::PROCESSED);
            if !retained {
                state.reason = 0;
                state.clear(Flags::SETTLED);
                line.dig_up();
            }
            credit(line, state, Some(watch));
            line.put(state);
            backlog += i64::from(state.is_backlog()) - i64::from(before);
        });
        if processed > 0 {
            self.progressed = self.progressed.max(at);
        }
        self.counts.processed += processed;
        if self.is_measured(at) {
            self.counts.processed_measured += processed;
        }
        self.timeline.at(at).processed += processed;
        self.backlog_changed(at, destination, backlog);
    }

    fn wants(&mut self, at: Time, consumer: ConsumerId, destination: DestinationId, wants: bool) {
        if self.catalog.consumers[consumer.index()].auditor {
            return;
        }
        let known = &mut self.wants[consumer.index()];
        let before = match known.binary_search_by_key(&destination, |(id, _)| *id) {
            Ok(place) => std::mem::replace(&mut known[place].1, wants),
            Err(place) => {
                known.insert(place, (destination, wants));
                false
            }
        };
        let by = i32::from(wants) - i32::from(before);
        if by != 0 {
            self.watches[destination.index()].reads.wanting_changed(at, by);
        }
    }

    // What clients see of offsets is not folded: a run is the same whether it is told or not.
    fn placed(&mut self, _at: Time, messages: MessageRange, offset: u64) {
        self.visible.placed(&self.catalog, messages, offset);
    }

    fn polled(
        &mut self,
        _at: Time,
        consumer: ConsumerId,
        destination: DestinationId,
        messages: MessageRange,
        offset: u64,
    ) {
        self.visible.polled(consumer, destination, messages, offset);
    }

    fn aborted(&mut self, _at: Time, destination: DestinationId, offset: u64, count: u64) {
        self.visible.aborted(destination, offset, count);
    }

    fn overtaken(&mut self, at: Time, destination: DestinationId) {
        let here = |track: &&mut TrackOf| track.destination == Some(destination);
        for track in self.tracks.iter_mut().filter(here) {
            let mut passed = Vec::new();
            track.lines.scan(|stretch| {
                let state = stretch.state;
                if state.is(Flags::EXPIRED) && !state.is(Flags::PROCESSED.with(Flags::SKIPPED)) {
                    passed.push((stretch.first, stretch.count));
                }
            });
            for (first, count) in passed {
                track.lines.visit(first, count, |line| {
                    let mut state = line.state();
                    state.set(Flags::SKIPPED.with(Flags::SETTLED));
                    line.bury(at);
                    line.put(state);
                });
            }
        }
    }

    fn skipped(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        destination: DestinationId,
        node: NodeId,
        removal: Removal,
    ) {
        self.visible.moved(consumer, destination);
        let group = &self.watches[destination.index()].group;
        let (mut had_read, holds) = (group.left, group.holders > 0);
        // A member of a group that reads on, elsewhere.
        for track in self.tracks.iter_mut().filter(|_| holds) {
            if track.destination == Some(destination) && !had_read {
                let read = Flags::DELIVERED.with(Flags::PROCESSED);
                track.lines.scan(|stretch| had_read |= stretch.state.is(read));
            }
        }
        let naming = naming!(self, at, node, removal);
        let mut backlog = 0;
        let here = |track: &&mut TrackOf| track.destination == Some(destination);
        for track in self.tracks.iter_mut().filter(here) {
            let mut passed = Vec::new();
            track.lines.scan(|stretch| {
                let state = stretch.state;
                let unread = state.copies > 0 && state.is(Flags::READABLE);
                // What a group skipped when it began was never its.
                let done = state.is(Flags::PROCESSED.with(Flags::SKIPPED));
                let lost = had_read && unread && !done;
                if state.is_backlog() || lost {
                    passed.push((stretch.first, stretch.count));
                }
            });
            for (first, count) in passed {
                track.lines.visit(first, count, |line| {
                    let mut state = line.state();
                    backlog -= i64::from(state.is_backlog());
                    state.set(Flags::SKIPPED);
                    if had_read {
                        naming.apply(line, &mut state);
                        line.bury(at);
                    }
                    line.put(state);
                });
            }
        }
        self.backlog_changed(at, destination, backlog);
    }

    fn subscribes(&mut self, at: Time, consumer: ConsumerId, subscribes: bool) {
        let catalog = self.catalog.clone();
        for destination in &catalog.consumers[consumer.index()].destinations {
            self.group_changed(at, *destination, |group| {
                group.members =
                    group.members.saturating_add_signed(if subscribes { 1 } else { -1 });
            });
        }
    }

    fn holds(&mut self, at: Time, consumer: ConsumerId, destination: DestinationId, holds: bool) {
        if !holds {
            self.visible.moved(consumer, destination);
        }
        let held = &mut self.holds[consumer.index()];
        match (held.binary_search(&destination), holds) {
            (Err(place), true) => held.insert(place, destination),
            (Ok(place), false) => {
                held.remove(place);
            }
            (Ok(_), true) | (Err(_), false) => return,
        }
        self.group_changed(at, destination, |group| {
            group.holders = group.holders.saturating_add_signed(if holds { 1 } else { -1 });
            group.left |= !holds;
        });
    }

    fn abandoned(
        &mut self,
        at: Time,
        node: NodeId,
        destination: DestinationId,
        messages: MessageRange,
        removal: Removal,
    ) {
        let Some(index) = self.track(messages.producer, destination) else { return };
        let naming = naming!(self, at, node, removal);
        let mut backlog = 0;
        self.tracks[index].lines.visit(messages.first, messages.count, |line| {
            let mut state = line.state();
            if state.is(Flags::PROCESSED) {
                return;
            }
            let before = state.is_backlog();
            state.set(Flags::ABANDONED);
            naming.apply(line, &mut state);
            line.bury(at);
            line.put(state);
            backlog += i64::from(state.is_backlog()) - i64::from(before);
        });
        self.backlog_changed(at, destination, backlog);
    }

    fn role(&mut self, at: Time, node: NodeId, destination: DestinationId, role: Option<RoleId>) {
        let role_word = role.map_or(0, |role| u64::from(role.0) + 1);
        let place = u64::from(node.0) << 32 | u64::from(destination.0);
        self.fingerprint.fold(Ingredient::Roles, at.as_nanos() ^ role_word << 56);
        self.fingerprint.fold(Ingredient::Roles, place);
        self.history.role(at, node, destination, role);
    }

    fn node(&mut self, at: Time, node: NodeId, state: NodeState) {
        let word = u64::from(node.0) << 32 | u64::from(u32::MAX);
        self.fingerprint.fold(Ingredient::Roles, at.as_nanos() ^ (state as u64) << 56);
        self.fingerprint.fold(Ingredient::Roles, word);
        self.history.node(at, node, state);
        if !matches!(state, NodeState::Up | NodeState::Paused) {
            self.visible.restarted(&self.catalog, node);
        }
    }

    fn fault(&mut self, at: Time, fault: FaultId, phase: FaultPhase, targets: &[NodeId]) {
        self.history.fault(at, fault, phase, targets);
    }

    fn event(&mut self, at: Time, event: Event) {
        self.history.event(at, event);
    }

    // Not folded into the fingerprint either: a client does what it does whether it is told or not.
    fn contact(&mut self, at: Time, contact: Contact) {
        self.history.clients.told(at, contact);
    }

    // Not folded into the fingerprint: a run is the same whether it is checked or not.
    fn violated(&mut self, at: Time, violation: Violation) {
        let Violation { invariant, node, destination, detail } = violation;
        let Some(tally) = self.invariants.get_mut(invariant.index()) else { return };
        tally.violations += 1;
        if tally.first.len() < BREACHES_KEPT {
            tally.first.push(Breach { at, node, destination, detail });
        }
    }
}
