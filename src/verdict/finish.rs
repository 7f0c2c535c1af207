//! Makes the report of a ledger.

use super::expect::LineSeen;
use super::fates::{self, Ending, Lost};
use super::ledger::Ledger;
use super::lines::Stretch;
use super::losses::{Rows, count_cause};
use super::outages::{self, Outages};
use super::visible::Sights;
use super::{
    Fate, FinalOutcome, LineEnd, LineRun, Loss, Matrix, Question, Report, RunFacts, Summary, Unit,
    WAITS_IN_NOTE, Waits,
};
use crate::engine::{Fingerprint, Ingredient, Span, Time, hash_words};
use crate::observe::{BecauseId, DestinationId, NodeId, ProducerId};

/// A run whose messages have got on in this time before its end is still at work.
const AT_WORK: Span = Span::from_secs(2);

/// At most this many faults that never began are named.
const NEVER_BEGUN: usize = 3;

/// What a walk over all lines finds.
struct Tally {
    matrix: Matrix,
    losses: Vec<Loss>,
    lines: Vec<LineRun>,
    /// Lost lines by cause, each once.
    causes: Vec<u64>,
    /// Lost lines by the time at which they should have been sent.
    lost: Vec<(Time, u64)>,
    consumer_lost: u64,
    read_lost: u64,
    success_gone: u64,
    /// To the questions.
    answers: Vec<u64>,
    acked_lost: u64,
    accepted_lost: u64,
    unknown_lost: u64,
    /// Acknowledged with a remark, and of those the lost ones.
    remarked: (u64, u64),
    phantom: u64,
    delivered_again: u64,
    unexplained: u64,
    /// Lines that were meant for no destination.
    nowhere: u64,
    fingerprint: Fingerprint,
}

/// The report of a ledger.
pub(super) fn report(ledger: &Ledger, facts: RunFacts) -> Report {
    let tally = walk(ledger, facts.quiet, &facts.questions);
    let mut remarks = remarks(ledger, &facts, &tally);
    let outages = outages::outages(ledger, facts.ended, facts.quiet);
    remarks.extend(outages.remarks.iter().cloned());
    let summary = summary(ledger, &facts, &tally, &outages);
    let ingredients = ingredients(&tally.fingerprint, &facts.fingerprint);
    Report {
        scenario: facts.scenario,
        description: facts.description,
        mode: facts.mode,
        broker_version: facts.broker_version,
        seed: facts.seed,
        catalog: ledger.catalog.clone(),
        duration: ledger.options.duration,
        warmup: ledger.options.warmup,
        ended: facts.ended,
        quiet: facts.quiet,
        at_work: !facts.quiet && facts.ended.since(ledger.progressed) < AT_WORK,
        waits: facts.waits,
        summary,
        busy: facts.busy,
        latency: ledger.latencies.reported().iter().map(|series| series.report()).collect(),
        losses: tally.losses,
        lines: tally.lines,
        causes: tally.causes,
        answers: tally.answers,
        measured: outages.measured,
        windows: outages.windows,
        unmeasured: outages.unmeasured,
        events: ledger.history.rows(&ledger.catalog),
        timeline: ledger.timeline.finish(facts.ended, &tally.lost),
        lanes: ledger.history.lanes(&ledger.catalog, facts.ended),
        faults: ledger.history.spans.clone(),
        invariants: ledger.invariants.clone(),
        expectations: Vec::new(),
        over_seeds: Vec::new(),
        remarks,
        inconsistencies: ledger.counts.inconsistencies,
        fingerprint: hash_words(&ingredients.map(|(_, hash)| hash)),
        ingredients,
    }
}

/// Ingredients of the run's fingerprint: the ledger's own, and the world's.
pub(super) fn ingredients(own: &Fingerprint, world: &Fingerprint) -> [(&'static str, u64); 5] {
    Ingredient::ALL.map(|ingredient| {
        let source = match ingredient {
            Ingredient::Outcomes | Ingredient::Roles => own,
            Ingredient::Faults | Ingredient::Draws | Ingredient::Events => world,
        };
        (ingredient.name(), source.ingredient(ingredient))
    })
}

/// What the fates of a track's lines depend on.
pub(super) fn ending(ledger: &Ledger, destination: Option<DestinationId>, quiet: bool) -> Ending {
    let watch = destination.map(|id| &ledger.watches[id.index()]);
    Ending {
        quiet,
        has_consumer: watch.is_some_and(|watch| watch.has_consumer),
        is_wanted: watch.is_some_and(|watch| watch.reads.is_wanted()),
        retained: ledger.options.retained,
    }
}

/// Decides fate and loss of every line.
fn walk(ledger: &Ledger, quiet: bool, questions: &[Question]) -> Tally {
    let mut tally = Tally {
        matrix: Matrix::default(),
        losses: Vec::new(),
        lines: Vec::new(),
        causes: vec![0; ledger.catalog.causes.len()],
        lost: Vec::new(),
        consumer_lost: 0,
        read_lost: 0,
        success_gone: 0,
        answers: vec![0; questions.len()],
        acked_lost: 0,
        accepted_lost: 0,
        unknown_lost: 0,
        remarked: (0, 0),
        phantom: 0,
        delivered_again: 0,
        unexplained: 0,
        nowhere: 0,
        fingerprint: ledger.fingerprint.clone(),
    };
    let mut losses = Vec::new();
    for track in &ledger.tracks {
        let ending = ending(ledger, track.destination, quiet);
        let mut rows = Rows::new(&mut losses, track.producer, track.destination);
        let mut run = FateRun::default();
        track.lines.scan(|stretch| {
            let outcome = fates::outcome(stretch.state);
            let fate = fates::fate(stretch.state, ending);
            tally.matrix.add(outcome, fate, u64::from(stretch.count));
            if track.destination.is_none() {
                tally.nowhere += u64::from(stretch.count);
            }
            run.follow(&mut tally.fingerprint, outcome, fate, &stretch);
            let delivered = stretch.state.is(super::lines::Flags::DELIVERED);
            if delivered && matches!(outcome, FinalOutcome::Unknown | FinalOutcome::Rejected) {
                tally.phantom += u64::from(stretch.count);
            }
            let again = stretch.state.is(super::lines::Flags::AGAIN);
            tally.delivered_again += if again { u64::from(stretch.count) } else { 0 };
            let reason = ledger.reasons.get(stretch.state.reason);
            let kind = reason.map(|r| ledger.catalog.causes[r.removal.cause.index()].kind);
            let lost = fates::lost(stretch.state, fate, kind, ending);
            if outcome == FinalOutcome::Acked && stretch.state.is(super::lines::Flags::REMARKED) {
                let lines = u64::from(stretch.count);
                tally.remarked.0 += lines;
                tally.remarked.1 += if lost.told.is_some() { lines } else { 0 };
            }
            if lost.any() {
                tally.lose(ledger, &mut rows, &stretch, lost);
            }
            if !questions.is_empty() {
                let line = LineSeen {
                    producer: track.producer,
                    destination: track.destination,
                    outcome,
                    fate,
                    delivered,
                    again,
                    gone: lost.gone,
                    lost: lost.any(),
                    told_lost: lost.told.is_some(),
                    consumer_lost: lost.consumer,
                    read_lost: lost.read,
                    at: when(&stretch),
                    node: reason.map(|reason| reason.node),
                    cause: reason.map(|reason| reason.removal.cause),
                };
                for (answer, question) in tally.answers.iter_mut().zip(questions) {
                    let counts = question.counts(&line);
                    *answer += if counts { u64::from(stretch.count) } else { 0 };
                }
            }
            if ledger.options.lines {
                let named = reason.filter(|_| lost.any() || fate == Fate::Gone);
                let end = LineEnd {
                    outcome,
                    fate,
                    lost: lost.any(),
                    cause: named.map(|reason| reason.removal.cause),
                    because: named.map_or(BecauseId::NONE, |reason| reason.removal.because),
                    node: named.map(|reason| reason.node),
                };
                tally.end((track.producer, track.destination), &stretch, end);
            }
        });
        run.close(&mut tally.fingerprint);
    }
    losses.sort_by_key(|loss| loss.at);
    tally.losses = losses;
    tally
}

/// When a line was lost: its last copy went, or a broker made none; if no broker ever had to do with
/// it, when its producer last sent it or heard of it.
fn when(stretch: &Stretch) -> Time {
    let intended = stretch.times.map(|times| times.intended);
    let last_sign = stretch.times.and_then(|times| times.mark);
    stretch.lost_at.or(last_sign).or(intended).unwrap_or(Time::ZERO)
}

impl Tally {
    /// Notes how lines ended, together with those before them if these ended alike.
    fn end(
        &mut self,
        (producer, destination): (ProducerId, Option<DestinationId>),
        stretch: &Stretch,
        end: LineEnd,
    ) {
        let (first, count) = (stretch.first, stretch.count);
        if let Some(last) = self.lines.last_mut()
            && (last.producer, last.destination, last.end) == (producer, destination, end)
            && last.first + last.count == first
        {
            last.count += count;
            return;
        }
        self.lines.push(LineRun { producer, destination, first, count, end });
    }

    fn lose(&mut self, ledger: &Ledger, rows: &mut Rows<'_>, stretch: &Stretch, lost: Lost) {
        use super::losses::Class;
        let lines = u64::from(stretch.count);
        let reason = ledger.reasons.get(stretch.state.reason);
        let intended = stretch.times.map(|times| times.intended);
        let at = when(stretch);
        for class in lost.classes() {
            *match class {
                Class::Acked => &mut self.acked_lost,
                Class::Accepted => &mut self.accepted_lost,
                Class::Unknown => &mut self.unknown_lost,
                Class::Consumer => &mut self.consumer_lost,
                Class::Read => &mut self.read_lost,
            } += lines;
            let id = stretch.state.reason;
            rows.add(class, (id, reason), at, (stretch.first, stretch.count));
        }
        self.success_gone += if lost.gone { lines } else { 0 };
        count_cause(&mut self.causes, reason.map(|reason| reason.removal.cause), lines);
        if fates::is_unexplained(stretch.state, lost) {
            self.unexplained += lines;
        }
        self.lost.push((intended.unwrap_or(at), lines));
    }
}

/// Folds maximal runs of equal fate into the fingerprint, so that it does not depend on how lines
/// are stored.
#[derive(Default)]
struct FateRun {
    first: u32,
    count: u64,
    what: u64,
}

impl FateRun {
    fn follow(
        &mut self,
        fingerprint: &mut Fingerprint,
        outcome: FinalOutcome,
        fate: Fate,
        stretch: &Stretch,
    ) {
        let what = 1 << 16 | (outcome as u64) << 8 | fate as u64;
        if what != self.what {
            self.close(fingerprint);
            *self = FateRun { first: stretch.first, count: 0, what };
        }
        self.count += u64::from(stretch.count);
    }

    fn close(&self, fingerprint: &mut Fingerprint) {
        if self.count > 0 {
            fingerprint.fold(Ingredient::Outcomes, self.what << 32 | u64::from(self.first));
            fingerprint.fold(Ingredient::Outcomes, self.count);
        }
    }
}

fn remarks(ledger: &Ledger, facts: &RunFacts, tally: &Tally) -> Vec<String> {
    let mut remarks = Vec::new();
    if !facts.quiet {
        remarks.push(
            "the run was not quiet when its drain was over: what became of unread messages is \
             not known"
                .to_owned(),
        );
    }
    for wait in facts.waits.iter().skip(WAITS_IN_NOTE) {
        remarks.push(format!("{} waits for {}", ledger.catalog.node(wait.node), wait.what));
    }
    let idle = ledger.watches.iter().filter(|watch| watch.operations == 0).count();
    if idle > 0 {
        remarks.push(format!(
            "{idle} of {} destinations had no writes in measured time and are left out of write \
             availability",
            ledger.watches.len()
        ));
    }
    remarks.extend(never_begun(ledger));
    remarks.extend(limits(ledger, facts));
    if tally.nowhere > 0 {
        remarks.push(format!(
            "{} were meant for no destination: no binding matches",
            Unit::Lines.told(ledger.catalog.fans_out()).print(tally.nowhere as f64)
        ));
    }
    if ledger.history.left_out > 0 {
        remarks.push(format!(
            "{} events are left out of events.csv, which ends before them",
            ledger.history.left_out
        ));
    }
    if ledger.counts.inconsistencies > 0 {
        remarks.push(format!(
            "mqsim is wrong here: {} reports contradict earlier ones",
            ledger.counts.inconsistencies
        ));
    }
    remarks
}

/// From this share of the time on a device is told to be a limit.
const AT_ITS_LIMIT: f64 = 0.9;

/// Which devices of which brokers worked nearly all the time while load was offered: what is offered
/// beyond that does not go through.
fn limits<'a>(ledger: &'a Ledger, facts: &'a RunFacts) -> impl Iterator<Item = String> + 'a {
    let duration = ledger.options.duration;
    facts.busy.iter().flat_map(move |busy| {
        let shares = busy.shares(duration).into_iter();
        shares.filter(|(_, share)| *share >= AT_ITS_LIMIT).map(|(device, share)| {
            format!(
                "{} was at its limit: {} for {} of the load",
                ledger.catalog.node(busy.node),
                device.words(),
                Unit::Share.print(share)
            )
        })
    })
}

/// What to say of faults of the schedule that never began.
fn never_begun(ledger: &Ledger) -> Option<String> {
    let never = &ledger.history.never_begun;
    let load = Time::ZERO + ledger.options.duration;
    let told = never.iter().take(NEVER_BEGUN).map(|(at, id)| {
        let fault = &ledger.catalog.faults[id.index()];
        match *at >= load {
            true => format!("{fault} (its time had not come when the load ended)"),
            false => format!("{fault} (at {} ms it had nobody to act on)", at.as_millis()),
        }
    });
    let told = told.collect::<Vec<_>>().join("; ");
    let more = never.len().saturating_sub(NEVER_BEGUN);
    let more = if more > 0 { format!("; and {more} more, see events.csv") } else { String::new() };
    let actions = never.iter().filter(|(_, id)| ledger.catalog.is_action(*id)).count();
    let count = |one: &str, many: &str, count: usize| match count {
        0 => None,
        1 => Some(one.to_owned()),
        count => Some(format!("{count} {many}")),
    };
    let faults = count("a fault", "faults", never.len() - actions);
    let both = faults.into_iter().chain(count("an action", "actions", actions));
    let both = both.collect::<Vec<_>>().join(" and ");
    (!never.is_empty()).then(|| format!("{both} of the schedule never began: {told}{more}"))
}

/// How many hosts wait.
fn waiting(waits: &[Waits]) -> u64 {
    let mut nodes: Vec<NodeId> = waits.iter().map(|wait| wait.node).collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes.len() as u64
}

fn ratio(dividend: f64, divisor: f64) -> Option<f64> {
    (divisor > 0.0).then(|| dividend / divisor)
}

/// The numbers of `summary.csv`.
fn summary(ledger: &Ledger, facts: &RunFacts, tally: &Tally, outages: &Outages) -> Summary {
    let (counts, matrix) = (&ledger.counts, tally.matrix);
    let Outages { writes: seen, effective, reads, .. } = outages;
    let lines = matrix.lines();
    let (from, to) = outages::measured_time(ledger);
    let seconds = to.since(from).as_secs_f64();
    let payload = counts.success_bytes as f64;
    let [ack, ack_service, end_to_end, _] = ledger.latencies.reported();
    let millis = |span: Option<Span>| span.map(Span::as_millis);
    let seen_by_clients = ledger.visible.finish();
    let sighted = |count: fn(&Sights) -> u64| seen_by_clients.as_ref().map(count);
    Summary {
        lines,
        attempted: counts.attempted,
        acked: matrix.outcome(FinalOutcome::Acked),
        accepted: matrix.outcome(FinalOutcome::Accepted),
        returned: matrix.outcome(FinalOutcome::Returned),
        rejected: matrix.outcome(FinalOutcome::Rejected),
        nacked: counts.nacked,
        unknown: matrix.outcome(FinalOutcome::Unknown),
        unsent: matrix.outcome(FinalOutcome::Unsent),
        delivered: counts.delivered,
        processed: counts.processed,
        redelivered: counts.redelivered,
        duplicated: counts.duplicated,
        reordered: counts.reordered,
        success_lost: tally.acked_lost + tally.accepted_lost,
        success_gone: tally.success_gone,
        acked_lost: tally.acked_lost,
        accepted_lost: tally.accepted_lost,
        read_lost: tally.read_lost,
        unknown_lost: tally.unknown_lost,
        consumer_lost: tally.consumer_lost,
        phantom: tally.phantom,
        dead_lettered: matrix.fate(Fate::DeadLettered),
        expired: matrix.fate(Fate::Expired),
        stored_at_end: matrix.fate(Fate::Stored),
        unreachable_at_end: matrix.fate(Fate::Unreachable),
        waiting_at_end: waiting(&facts.waits),
        unexplained: tally.unexplained,
        write_availability: seen.share,
        effective_write_availability: effective.share,
        read_availability: reads.share,
        write_unavailable_ms: millis(seen.unavailable),
        write_longest_ms: millis(seen.longest),
        read_unavailable_ms: millis(reads.unavailable),
        read_longest_ms: millis(reads.longest),
        ack_p50_us: ack.micros(50_000),
        ack_p99_us: ack.micros(99_000),
        ack_max_us: ack.micros(100_000),
        ack_service_p50_us: ack_service.micros(50_000),
        ack_service_p99_us: ack_service.micros(99_000),
        e2e_p50_us: end_to_end.micros(50_000),
        e2e_p99_us: end_to_end.micros(99_000),
        e2e_max_us: end_to_end.micros(100_000),
        acked_per_s: ratio(counts.acked_measured as f64, seconds),
        processed_per_s: ratio(counts.processed_measured as f64, seconds),
        broker_bytes_per_payload_byte: ratio(facts.broker_bytes as f64, payload),
        disk_bytes_per_payload_byte: ratio(facts.disk_bytes as f64, payload),
        fsyncs: facts.fsyncs,
        events: facts.events,
        violations: (!ledger.invariants.is_empty())
            .then(|| ledger.invariants.iter().map(|tally| tally.violations).sum()),
        lost_writes: sighted(|seen| seen.lost_writes),
        aborted_reads: sighted(|seen| seen.aborted_reads),
        delivered_again: tally.delivered_again,
        unseen: sighted(|seen| seen.unseen),
        duplicate_values: sighted(|seen| seen.duplicate_values),
        inconsistent_offsets: sighted(|seen| seen.inconsistent_offsets),
        acked_with_remark: tally.remarked.0,
        acked_with_remark_lost: tally.remarked.1,
        nonmonotonic_polls: sighted(|seen| seen.nonmonotonic_polls),
        poll_skips: sighted(|seen| seen.poll_skips),
        nonmonotonic_sends: sighted(|seen| seen.nonmonotonic_sends),
        operations_in_time: ratio(counts.in_time as f64, counts.operations as f64),
        matrix,
    }
}
