//! Availability: which windows there were, what made them, and what could not be measured.

use super::fates;
use super::finish::ending;
use super::latency::Usual;
use super::ledger::Ledger;
use super::lines::{Answer, Flags, Stretch};
use super::windows::{Gaps, Outage};
use super::{FaultSpan, FinalOutcome, Late, Unmeasured, Window, WindowKind};
use crate::engine::{Span, Time};
use crate::observe::{ConsumerInfo, DestinationId, NodeId, ProducerInfo};

/// Availability of one kind of operation.
#[derive(Default)]
pub(super) struct Availability {
    pub(super) share: Option<f64>,
    /// Sum over the worst destination, and its longest.
    pub(super) unavailable: Option<Span>,
    pub(super) longest: Option<Span>,
}

/// What was unavailable when.
pub(super) struct Outages {
    /// As the client sees it.
    pub(super) writes: Availability,
    pub(super) effective: Availability,
    pub(super) reads: Availability,
    pub(super) windows: Vec<Window>,
    pub(super) measured: Vec<(WindowKind, DestinationId)>,
    pub(super) unmeasured: Vec<Unmeasured>,
    pub(super) remarks: Vec<String>,
}

/// Write windows of all destinations, as the client sees them and effective.
struct WriteGaps {
    seen: Vec<Gaps>,
    effective: Vec<Gaps>,
}

/// Works out the outages of a run that ended at `ended`, quiet or not.
pub(super) fn outages(ledger: &Ledger, ended: Time, quiet: bool) -> Outages {
    let gap = ledger.options.availability_gap;
    let latencies = &ledger.latencies;
    // What takes longer by nature has no windows.
    let usual = gap / 2;
    let gaps = write_gaps(ledger, quiet, usual);
    let mut remarks = Vec::new();
    let writes_judged = is_judged(&latencies.fault_free_write, gap, "write", &mut remarks);
    let reads_judged = is_judged(&latencies.fault_free_read, gap, "read", &mut remarks);
    let (mut windows, mut measured) = (Vec::new(), Vec::new());
    let mut availability = |judged: bool, of: &dyn Fn(usize) -> Option<Found>| {
        if judged {
            average(ledger, ended, (&mut windows, &mut measured), of)
        } else {
            Availability::default()
        }
    };
    let written = |index: usize| ledger.watches[index].operations > 0;
    let writes = availability(writes_judged, &|index| {
        let found = gaps.seen[index].windows(measured_time(ledger), gap, usual);
        written(index).then_some((WindowKind::Write, found))
    });
    let effective = availability(writes_judged, &|index| {
        let found = gaps.effective[index].windows(measured_time(ledger), gap, usual);
        written(index).then_some((WindowKind::EffectiveWrite, found))
    });
    let reads = availability(reads_judged, &|index| {
        let reads = &ledger.watches[index].reads;
        let found = reads.windows(measured_time(ledger), ended, usual);
        reads.was_asked().then_some((WindowKind::Read, found))
    });
    windows.sort_by_key(|window| (window.start, window.destination, window.kind));
    if let (Some(seen), Some(effective)) = (writes.share, effective.share)
        && seen != effective
    {
        remarks.push(format!(
            "write availability: {:.3} % as the client sees it, {:.3} % by what became of the \
             messages",
            seen * 100.0,
            effective * 100.0
        ));
    }
    let unmeasured = if reads_judged { unmeasured(ledger, &windows, ended) } else { Vec::new() };
    for one in &unmeasured {
        let destination = ledger.catalog.destination(one.destination);
        let (from, to) = (one.from.as_millis(), one.to.as_millis());
        remarks.push(format!(
            "reads of {destination} are not measurable from {from} ms to {to} ms: consumers were \
             there, but nothing to be read"
        ));
    }
    Outages { writes, effective, reads, windows, measured, unmeasured, remarks }
}

pub(super) fn measured_time(ledger: &Ledger) -> (Time, Time) {
    (Time::ZERO + ledger.options.warmup, Time::ZERO + ledger.options.duration)
}

/// Windows of one destination.
type Found = (WindowKind, Vec<Outage>);

/// Whether windows can be told from the usual: not if operations take longer than half the gap by
/// nature.
fn is_judged(usual: &Usual, gap: Span, kind: &str, remarks: &mut Vec<String>) -> bool {
    let Some(slow) = usual.slow_by_nature() else { return true };
    remarks.push(format!(
        "{kind} availability is not given: without a fault, 1 % of the {kind}s take {} ms or \
         longer, more than half of availability-gap ({gap})",
        slow.as_millis()
    ));
    false
}

fn write_gaps(ledger: &Ledger, quiet: bool, usual: Span) -> WriteGaps {
    // First the successes that only the end of the run could confirm, then the writes that were
    // none: they are pending within the gaps that all successes leave.
    let mut effective: Vec<_> = ledger.watches.iter().map(|w| w.effective.clone()).collect();
    let each = |see: &mut dyn FnMut(usize, &Stretch, bool)| {
        for track in &ledger.tracks {
            let Some(destination) = track.destination else { continue };
            let ending = ending(ledger, track.destination, quiet);
            track.lines.scan(|stretch| {
                let well = fates::ended_well(stretch.state, ending);
                let good = stretch.state.answer.is_success() && well;
                see(destination.index(), &stretch, good);
            });
        }
    };
    each(&mut |destination, stretch, good| {
        if good
            && let Some(times) = stretch.times
            && let Some(at) = times.mark
        {
            effective[destination].add(times.intended, at);
        }
    });
    let mut gaps = WriteGaps {
        seen: ledger.watches.iter().map(|watch| watch.writes.gaps()).collect(),
        effective: effective.iter().map(|successes| successes.gaps()).collect(),
    };
    each(&mut |destination, stretch, good| {
        let Some(times) = stretch.times else { return };
        let (state, count) = (stretch.state, u64::from(stretch.count));
        let open = state.is(Flags::WAITING) || state.answer == Answer::Open;
        let until = times.mark.filter(|_| !open).unwrap_or(Time::MAX);
        if !state.answer.is_success() {
            gaps.seen[destination].pend((times.intended, until), count, None, usual);
        }
        if !good {
            let told = fates::outcome(state);
            let told = matches!(told, FinalOutcome::Acked | FinalOutcome::Accepted);
            let lost = stretch.lost_at.filter(|_| told);
            gaps.effective[destination].pend((times.intended, until), count, lost, usual);
        }
    });
    gaps
}

/// Averages over the destinations that `of` gives windows for, and adds these to `all`.
fn average(
    ledger: &Ledger,
    ended: Time,
    (all, counted): (&mut Vec<Window>, &mut Vec<(WindowKind, DestinationId)>),
    of: &dyn Fn(usize) -> Option<Found>,
) -> Availability {
    let (from, to) = measured_time(ledger);
    let measured = to.since(from);
    if measured.is_zero() || ended < from {
        return Availability::default();
    }
    let (mut destinations, mut sum) = (0u64, Span::ZERO);
    let mut worst: Option<(Span, Span)> = None;
    for index in 0..ledger.watches.len() {
        let Some((kind, windows)) = of(index) else { continue };
        destinations += 1;
        let lengths = || windows.iter().map(|window| window.end.since(window.start));
        let total = lengths().fold(Span::ZERO, |sum, length| sum + length);
        let longest = lengths().max().unwrap_or(Span::ZERO);
        sum += total;
        worst = worst.max(Some((total, longest)));
        let destination = DestinationId(index as u32);
        counted.push((kind, destination));
        let told = |outage| window(ledger, (destination, kind), outage, ended);
        all.extend(windows.into_iter().map(told));
    }
    let whole = measured.as_nanos() as f64 * destinations as f64;
    Availability {
        share: (destinations > 0).then(|| 1.0 - sum.as_nanos() as f64 / whole),
        unavailable: worst.map(|(total, _)| total),
        longest: worst.map(|(_, longest)| longest),
    }
}

fn window(
    ledger: &Ledger,
    (destination, kind): (DestinationId, WindowKind),
    outage: Outage,
    ended: Time,
) -> Window {
    let Outage { start, end, open, tried, made } = outage;
    let fault = ledger.history.last_fault(made);
    // What was undone by a fault that began later had been well in its time: nothing recovered.
    let recovered = fault.filter(|(begun, _)| !open && *begun < end);
    let recovery = recovered.map(|(begun, _)| end.since(begun));
    let fault = fault.map(|(_, id)| id);
    let mut window =
        Window { destination, kind, start, end, open, tried, fault, recovery, late: None };
    window.late = late(ledger, &window, ended);
    window
}

/// Whether a client came back later than it could have: than there was a leader again, or if there
/// was one all the time, than the fault was over.
fn late(ledger: &Ledger, window: &Window, ended: Time) -> Option<Late> {
    if window.open || window.recovery.is_none() {
        return None;
    }
    let Window { destination, start, end, .. } = *window;
    let leaderless = ledger.history.leaderless(destination, &ledger.catalog, ended);
    let without = leaderless.iter().filter(|(from, to)| *from < end && *to > start);
    let again = without.map(|(_, to)| *to).max();
    let free = match again {
        Some(again) => again,
        None => {
            let of = |span: &&FaultSpan| Some(span.fault) == window.fault && span.begun < end;
            ledger.history.spans.iter().rev().find(of)?.ended?
        }
    };
    let (catalog, gap) = (&ledger.catalog, ledger.options.availability_gap);
    let clients: Vec<NodeId> = if window.kind == WindowKind::Read {
        let reads = |of: &&ConsumerInfo| !of.auditor && of.destinations.contains(&destination);
        catalog.consumers.iter().filter(reads).map(|of| of.node).collect()
    } else {
        let writes = |of: &&ProducerInfo| of.destinations.contains(&destination);
        catalog.producers.iter().filter(writes).map(|of| of.node).collect()
    };
    let late = ledger.history.clients.late(clients.into_iter(), (free, end), gap, catalog)?;
    Some(Late { led: again.is_some(), ..late })
}

/// The stretches in which a consumer had room and nothing to read, as far as it is an outage that
/// left it so for longer than the gap: in which writes did not last, or nobody led the destination.
fn unmeasured(ledger: &Ledger, windows: &[Window], ended: Time) -> Vec<Unmeasured> {
    let gap = ledger.options.availability_gap;
    let mut all = Vec::new();
    for (index, watch) in ledger.watches.iter().enumerate() {
        let destination = DestinationId(index as u32);
        let writes = windows
            .iter()
            .filter(|window| window.destination == destination && window.kind != WindowKind::Read)
            .map(|window| (window.start, window.end));
        let leaderless = ledger.history.leaderless(destination, &ledger.catalog, ended);
        let outages: Vec<(Time, Time)> = writes.chain(leaderless).collect();
        let silences = watch.reads.silences(measured_time(ledger)).into_iter();
        let met = |&(from, to): &(Time, Time)| {
            outages.iter().any(|&(start, end)| end.min(to).since(start.max(from)) > gap)
        };
        all.extend(silences.filter(met).map(|(from, to)| Unmeasured { destination, from, to }));
    }
    all
}
