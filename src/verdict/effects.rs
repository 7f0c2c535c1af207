//! What answers and deliveries do to lines, latencies and windows.

use super::latency::Latencies;
use super::ledger::{Ledger, Watch};
use super::lines::{Answer, Flags, Line, State};
use crate::engine::{Span, Time};
use crate::observe::{DestinationId, MessageRange};

/// Forgets the times of a write that succeeded and whose line ended well, after counting it.
pub(super) fn credit(line: &mut Line<'_>, state: State, watch: Option<&mut Watch>) {
    if !state.is_good() {
        return;
    }
    if let Some(times) = line.times()
        && let (Some(watch), Some(at)) = (watch, times.mark)
    {
        watch.effective.add(times.intended, at);
    }
    line.close_times();
}

impl Ledger {
    /// Applies an answer to the lines of one track; `counted` for the first of a producer's, whose
    /// lines stand for its messages in latency and throughput.
    pub(super) fn answer(
        &mut self,
        at: Time,
        index: usize,
        messages: MessageRange,
        answer: Answer,
        counted: bool,
    ) {
        let options = self.options;
        let (warm, end) = (Time::ZERO + options.warmup, Time::ZERO + options.duration);
        let fault_free = self.history.first_fault().is_none();
        let measured = self.is_measured(at);
        let track = &mut self.tracks[index];
        let mut watch = track.destination.map(|id| &mut self.watches[id.index()]);
        let (counts, latencies, timeline) =
            (&mut self.counts, &mut self.latencies, &mut self.timeline);
        let progressed = &mut self.progressed;
        track.lines.visit(messages.first, messages.count, |line| {
            let mut state = line.state();
            if !state.is(Flags::ATTEMPTED) {
                counts.inconsistencies += 1;
                return;
            }
            let before = state.answer;
            if before.is_success() {
                // The write is over; a better word for it is taken all the same.
                state.answer = before.then(answer);
                line.put(state);
                return;
            }
            state.answer = before.then(answer);
            if !answer.is_success() {
                state.clear(Flags::WAITING);
                line.mark(at);
                line.put(state);
                return;
            }
            let Some(times) = line.times() else { unreachable!("an open write keeps its times") };
            let latency = at.since(times.intended);
            if let Some(watch) = &mut watch {
                watch.writes.add(times.intended, at);
            }
            *progressed = (*progressed).max(at);
            if counted {
                counts.success_bytes += u64::from(messages.bytes);
                let is_ack = answer == Answer::Acked;
                let bucket = timeline.at(at);
                if is_ack {
                    bucket.acked += 1;
                    counts.acked_measured += u64::from(measured);
                } else {
                    bucket.accepted += 1;
                }
                if warm <= times.intended && times.intended <= end {
                    let in_time = latency <= options.operation_timeout;
                    counts.in_time += u64::from(in_time);
                    record(latencies, is_ack, (at, latency), fault_free);
                    let sent = times.mark.filter(|_| state.is(Flags::WAITING) && is_ack);
                    if let Some(sent) = sent {
                        latencies.ack_service.record(at.since(sent));
                    }
                }
                if is_ack {
                    timeline.acked(at, latency);
                }
            }
            state.clear(Flags::WAITING);
            line.mark(at);
            credit(line, state, watch.as_deref_mut());
            line.put(state);
        });
    }

    /// A delivery to an auditor.
    pub(super) fn audited(
        &mut self,
        at: Time,
        index: usize,
        destination: DestinationId,
        messages: MessageRange,
    ) {
        let mut backlog = 0;
        let (counts, progressed) = (&mut self.counts, &mut self.progressed);
        self.tracks[index].lines.visit(messages.first, messages.count, |line| {
            let mut state = line.state();
            if !state.is(Flags::ATTEMPTED) {
                counts.inconsistencies += 1;
                return;
            }
            let before = state.is_backlog();
            if !state.is(Flags::AUDITED) {
                *progressed = (*progressed).max(at);
            }
            state.set(Flags::AUDITED);
            line.put(state);
            backlog += i64::from(state.is_backlog()) - i64::from(before);
        });
        self.backlog_changed(at, destination, backlog);
    }

    /// A delivery to an application.
    pub(super) fn received(
        &mut self,
        at: Time,
        index: usize,
        destination: DestinationId,
        messages: MessageRange,
        redelivered: bool,
    ) {
        let warm = Time::ZERO + self.options.warmup;
        let (mut backlog, mut first_deliveries, mut again) = (0, 0, 0);
        let track = &mut self.tracks[index];
        let (counts, latencies) = (&mut self.counts, &mut self.latencies);
        let furthest = &mut track.furthest;
        track.lines.visit(messages.first, messages.count, |line| {
            let mut state = line.state();
            if !state.is(Flags::ATTEMPTED) {
                counts.inconsistencies += 1;
                return;
            }
            if state.is(Flags::DELIVERED) {
                again += 1;
                if !state.is(Flags::AGAIN) {
                    state.set(Flags::AGAIN);
                    line.put(state);
                }
                return;
            }
            first_deliveries += 1;
            if line.sequence < *furthest {
                counts.reordered += 1;
            } else {
                *furthest = line.sequence.saturating_add(1);
            }
            if let Some(times) = line.times().filter(|times| times.intended >= warm) {
                latencies.end_to_end.record(at.since(times.intended));
            }
            let before = state.is_backlog();
            state.set(Flags::DELIVERED);
            line.put(state);
            backlog += i64::from(state.is_backlog()) - i64::from(before);
        });
        if first_deliveries > 0 {
            self.progressed = self.progressed.max(at);
        }
        self.counts.delivered += first_deliveries;
        self.counts.duplicated += again;
        let flagged = if redelivered { first_deliveries + again } else { 0 };
        self.counts.redelivered += flagged;
        let bucket = self.timeline.at(at);
        bucket.delivered += first_deliveries + again;
        bucket.redelivered += flagged;
        self.backlog_changed(at, destination, backlog);
        let pending = self.watches[destination.index()].reads.success(at);
        if let Some(pending) = pending
            && at >= warm
            && self.history.first_fault().is_none()
        {
            self.latencies.fault_free_read.record(at, pending);
        }
    }
}

fn record(latencies: &mut Latencies, is_ack: bool, (at, latency): (Time, Span), fault_free: bool) {
    if is_ack {
        latencies.ack.record(latency);
    } else {
        latencies.accepted.record(latency);
    }
    if fault_free {
        latencies.fault_free_write.record(at, latency);
    }
}
