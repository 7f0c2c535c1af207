//! Expectations: what a scenario says of its own outcome, and the verdict on it.

use super::bounds::bound;
use super::metrics::{METRICS, Metric, Unit, metric};
use super::seeds::{OVER_SEEDS, OverSeeds};
use super::{Fate, FinalOutcome, InvariantTally, Judged, Report, Verdict, WAITS_IN_NOTE};
use crate::observe::{Catalog, CauseId, InvariantId};
use crate::scenario::{Diagnostics, KeySpec, Kind, Preset, SectionSpec, Values, suggest};

const BOUND: Kind = Kind::Either(&[Kind::ANY_INTEGER, Kind::Text, Kind::Chance]);

/// `[[expect]]`.
pub const EXPECT: SectionSpec = SectionSpec::repeated(
    "expect",
    &[&[
        KeySpec::new(
            "metric",
            Kind::Text,
            Preset::Absent,
            "The metric that is bounded; `mqsim list metrics` names them. Of many seeds together \
             lossy_seeds, success_lost_per_million, quantiles (p99(write_longest_ms)) and means \
             (mean(write_availability)) are judged: by `mqsim check`, and with a confidence.",
        ),
        KeySpec::new(
            "cause",
            Kind::Text,
            Preset::Absent,
            "The cause whose lost lines are counted and bounded, instead of a metric.",
        ),
        KeySpec::new(
            "invariant",
            Kind::Text,
            Preset::Absent,
            "The invariant that must never break, instead of a metric; `mqsim list` with the mode \
             names them. `min`, `max` or `equals` bound how often it breaks, where that is what is \
             expected, also of one that the mode claims.",
        ),
        KeySpec::new(
            "sometimes",
            Kind::Text,
            Preset::Absent,
            "The situation that at least one seed of `mqsim check` must come into, instead of a \
             metric: if none does, the suite is too weak. `mqsim list` with the mode names them; \
             its events, roles, causes and conditions are situations too.",
        ),
        KeySpec::new(
            "min",
            BOUND,
            Preset::Absent,
            "The least value that holds, in the metric's unit. Times may be durations (\"300ms\"), \
             availabilities percentages (\"99.9%\"), throughputs rates (\"450/s\"); other decimals \
             are written as text (\"1.5\").",
        ),
        KeySpec::new("max", BOUND, Preset::Absent, "The greatest value that holds; see min."),
        KeySpec::new("equals", BOUND, Preset::Absent, "The only value that holds; see min."),
        KeySpec::new(
            "confidence",
            Kind::Chance,
            Preset::Absent,
            "How sure a verdict over many seeds must be, \"95%\" if not written: the probability \
             that it is wrong is at most the rest, at whatever seed it is reached. With too few \
             seeds there is none (exit code 3).",
        ),
        KeySpec::new(
            "assume-at-most",
            Kind::Either(&[Kind::ANY_INTEGER, Kind::Text]),
            Preset::Absent,
            "What one seed can lose at most, per million, for success_lost_per_million: nothing \
             that was measured can say so, but fewer seeds then suffice. A seed that loses more \
             breaks the expectation. 1000000 if not written.",
        ),
    ]],
    "Something that must hold at the end of a run: a metric, or the number of lines lost for a \
     cause, with `min`, `max` or `equals`; or an invariant; or, of many seeds together, a share, a \
     quantile, a mean, or a situation. Invariants that the mode claims for this \
     version and configuration are always expected.",
);

/// What is bounded.
#[derive(Clone, Copy, Debug)]
enum Subject {
    Metric(&'static Metric),
    Cause(CauseId, &'static str),
    Invariant(InvariantId, &'static str),
}

/// One `[[expect]]`.
#[derive(Clone, Copy, Debug)]
struct Expectation {
    subject: Subject,
    min: Option<f64>,
    max: Option<f64>,
}

/// The expectations of a scenario, ready to judge any number of runs.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    list: Vec<Expectation>,
    /// Invariants that the family claims and of which the scenario says nothing.
    claimed: Vec<InvariantId>,
    /// Whether it is expected that a run comes to rest: the scenario says nothing of that.
    rests: bool,
    /// What is said of many seeds together.
    seeds: Vec<OverSeeds>,
}

/// What is said of the invariants that a family claims.
const CLAIMED: &str = "claimed invariants hold";

/// What is expected of every run.
const RESTS: &str = "the cluster comes to rest";

/// The metric by which a scenario says that it does not, or how far.
const WAITING: &str = "waiting_at_end";

impl Expectations {
    /// Reads the `[[expect]]` sections; the catalogue has the names of the family, and the
    /// invariants that it claims, which are expected to hold unless a section says what is expected
    /// of them, or they are not `checked`.
    ///
    /// # Errors
    /// If one names no metric, cause or invariant, or one that does not exist, or has no bound, or
    /// one that nothing can meet.
    pub fn parse(
        sections: &[Values],
        catalog: &Catalog,
        checked: bool,
    ) -> Result<Expectations, Diagnostics> {
        let mut wrong = sections.first().map_or_else(Diagnostics::new, Values::diagnostics);
        let mut list: Vec<Expectation> = Vec::new();
        let mut seeds = Vec::new();
        for section in sections {
            match wrong.keep(OverSeeds::parse(section, catalog)) {
                Some(Some(over)) => seeds.push(over),
                Some(None) => list.extend(wrong.keep(Expectation::parse(section, catalog))),
                None => {}
            }
        }
        let said = |id| {
            list.iter().any(|one| matches!(one.subject, Subject::Invariant(of, _) if of == id))
        };
        let claims = catalog.invariants.iter().enumerate().filter(|(_, word)| word.claimed());
        let claims = claims.map(|(index, _)| InvariantId(index as u32));
        let claimed = claims.filter(|id| checked && !said(*id)).collect();
        let of_rest = |one: &Expectation| matches!(one.subject, Subject::Metric(metric) if metric.name == WAITING);
        let rests = !list.iter().any(of_rest);
        wrong.into_result(Expectations { list, claimed, rests, seeds })
    }

    /// What is said of many seeds together, in the order of the file.
    #[must_use]
    pub fn over_seeds(&self) -> &[OverSeeds] {
        &self.seeds
    }

    /// What a run contributes to each of [`Expectations::over_seeds`]. It belongs into
    /// [`Report::over_seeds`].
    #[must_use]
    pub fn observe(&self, report: &Report) -> Vec<Option<f64>> {
        self.seeds.iter().map(|over| over.observe(report)).collect()
    }

    /// What to say in a run of what it cannot judge alone.
    #[must_use]
    pub fn aside(&self, report: &Report) -> Option<String> {
        let asides: Vec<String> = self.seeds.iter().map(|over| over.aside(report)).collect();
        let what = asides.join("; ");
        (!asides.is_empty())
            .then(|| format!("not judged here, for it takes many seeds (mqsim check): {what}"))
    }

    /// How many are about each run by itself, those included that are expected of every run.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len() + usize::from(!self.claimed.is_empty()) + usize::from(self.rests)
    }

    /// Whether there are none about each run by itself.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each that is about a run by itself, as the scenario says it (`success_lost <= 0`), with the
    /// unit of what it bounds.
    #[must_use]
    pub fn texts(&self) -> Vec<(String, Unit)> {
        let said = self.list.iter().map(|one| (one.text(), one.subject.unit()));
        let claimed = (!self.claimed.is_empty()).then(|| (CLAIMED.to_owned(), Unit::Violations));
        let rests = self.rests.then(|| (RESTS.to_owned(), Unit::Count));
        said.chain(claimed).chain(rests).collect()
    }

    /// Judges a run, in the order of the file; what the family claims comes last. The result
    /// belongs into [`Report::expectations`].
    #[must_use]
    pub fn judge(&self, report: &Report) -> Vec<Judged> {
        let said = self.list.iter().map(|expectation| expectation.judge(report));
        let claimed = (!self.claimed.is_empty()).then(|| self.judge_claims(report));
        let rests = self.rests.then(|| judge_rest(report));
        said.chain(claimed).chain(rests).collect()
    }

    fn judge_claims(&self, report: &Report) -> Judged {
        let checked =
            self.claimed.iter().filter_map(|id| Some((*id, report.invariants.get(id.index())?)));
        let broken = checked.filter(|(_, tally)| tally.violations > 0);
        let (mut violations, mut notes) = (0, Vec::new());
        for (id, tally) in broken {
            violations += tally.violations;
            let name = report.catalog.invariants[id.index()].name;
            let count = Unit::Violations.print(tally.violations as f64);
            notes.push(format!("{name}: {count}, {}", first_breach(report, tally)));
        }
        Judged {
            text: CLAIMED.to_owned(),
            measured: Unit::Violations.print(violations as f64),
            value: Some(violations as f64),
            verdict: if violations == 0 { Verdict::Holds } else { Verdict::Broken },
            note: (violations > 0).then(|| format!("{}; see invariants.csv", notes.join("; "))),
            claimed: true,
            loss: false,
        }
    }
}

/// Whether the cluster came to rest after the last fault had ended and all was up. One that did not
/// has failed, unless messages still got on when the drain was over: then that was too short.
fn judge_rest(report: &Report) -> Judged {
    let waiting = report.summary.waiting_at_end;
    let told = report
        .waits
        .iter()
        .take(WAITS_IN_NOTE)
        .map(|wait| format!("{} waits for {}", report.catalog.node(wait.node), wait.what));
    let told = told.collect::<Vec<_>>().join("; ");
    let (verdict, note) = match (report.quiet, report.at_work) {
        (true, _) => (Verdict::Holds, None),
        (false, true) => {
            let note = "messages still got on when the drain was over: write a longer drain";
            (Verdict::Undecided, Some(note.to_owned()))
        }
        (false, false) if told.is_empty() => {
            (Verdict::Broken, Some("it is never quiet for 2 s: see events.csv".to_owned()))
        }
        (false, false) => (Verdict::Broken, Some(told)),
    };
    let at = report.ended.as_millis();
    let measured = match (report.quiet, waiting) {
        (true, _) => "quiet".to_owned(),
        (false, 1) => format!("1 host waits at {at} ms"),
        (false, many) => format!("{many} hosts wait at {at} ms"),
    };
    let text = RESTS.to_owned();
    let value = Some(waiting as f64);
    Judged { text, measured, value, verdict, note, claimed: true, loss: false }
}

/// When and where an invariant was first broken, and how: `first at 6203 ms on n1: ...`.
fn first_breach(report: &Report, tally: &InvariantTally) -> String {
    tally.first.first().map_or_else(String::new, |breach| {
        let node = report.catalog.node(breach.node);
        format!("first at {} ms on {node}: {}", breach.at.as_millis(), breach.detail)
    })
}

impl Subject {
    const fn unit(self) -> Unit {
        match self {
            Subject::Metric(metric) => metric.unit,
            Subject::Cause(..) => Unit::Lines,
            Subject::Invariant(..) => Unit::Violations,
        }
    }

    fn parse(section: &Values, catalog: &Catalog) -> Result<Subject, Diagnostics> {
        let of = |key: &'static str| section.get_text(key).map(|name| (key, name));
        let mut said = ["metric", "cause", "invariant"].into_iter().filter_map(of);
        let Some((key, name)) = said.next() else {
            return Err(Diagnostics::at(
                section.place(),
                "this expectation says nothing of what it expects",
                "write metric = \"success_lost\", or cause, invariant or sometimes = \"...\"",
            ));
        };
        if let Some((other, _)) = said.next() {
            return Err(Diagnostics::at(
                section.span(other),
                format!("an expectation is about one of `{key}` and `{other}`, not both"),
                "write two expectations",
            ));
        }
        let invariants = &catalog.invariants;
        let (found, known, which): (_, Vec<&str>, _) = match key {
            "metric" => (metric(name).map(Subject::Metric), known_metrics(), "the metrics"),
            "cause" => (
                place(catalog.causes, |cause| cause.name == name)
                    .map(|(id, cause)| Subject::Cause(CauseId(id), cause.name)),
                catalog.causes.iter().map(|cause| cause.name).collect(),
                "the causes",
            ),
            _ => (
                place(invariants, |word| word.name == name)
                    .map(|(id, word)| Subject::Invariant(InvariantId(id), word.name)),
                invariants.iter().map(|word| word.name).collect(),
                "the invariants",
            ),
        };
        found.ok_or_else(|| {
            let here = if key == "metric" { "" } else { " in this mode" };
            let message = format!("there is no {key} `{name}`{here}");
            let help = match known.is_empty() {
                true => format!("this mode has no {key}s: expect a metric"),
                false => suggest(name, &known, which),
            };
            Diagnostics::at(section.span(key), message, help)
        })
    }
}

/// Lines that a metric of loss does not count, though nobody could read them at the end: they are in
/// some copy, which is not the same as safe.
pub(super) fn unread(metric: &Metric, report: &Report) -> u64 {
    let of = |outcome: FinalOutcome| {
        report.summary.matrix.cells[outcome as usize][Fate::Unreachable as usize]
    };
    match metric.name {
        "success_lost" | "success_gone" => of(FinalOutcome::Acked) + of(FinalOutcome::Accepted),
        "acked_lost" => of(FinalOutcome::Acked),
        "accepted_lost" => of(FinalOutcome::Accepted),
        _ => 0,
    }
}

/// What can be expected as a metric.
fn known_metrics() -> Vec<&'static str> {
    let plain = METRICS.iter().map(|metric| metric.name);
    let over = OVER_SEEDS.iter().map(|(name, _)| *name).filter(|name| !name.contains('('));
    plain.chain(over).collect()
}

/// A name with its bounds: `success_lost <= 0`.
pub(super) fn bounded(name: &str, min: Option<f64>, max: Option<f64>, unit: Unit) -> String {
    // Counts speak for themselves; other numbers do not.
    let print = |value| match unit {
        Unit::Lines | Unit::Messages | Unit::Violations | Unit::PerMillion => {
            Unit::Count.print(value)
        }
        unit => unit.print(value),
    };
    match (min, max) {
        (Some(least), Some(most)) if least == most => format!("{name} = {}", print(most)),
        (Some(least), Some(most)) => format!("{} <= {name} <= {}", print(least), print(most)),
        (Some(least), None) => format!("{name} >= {}", print(least)),
        (None, Some(most)) => format!("{name} <= {}", print(most)),
        (None, None) => name.to_owned(),
    }
}

/// The first of a catalogue's entries that `is` what is wanted, with its id.
fn place<T>(entries: &[T], is: impl Fn(&T) -> bool) -> Option<(u32, &T)> {
    (0..).zip(entries).find(|(_, entry)| is(entry))
}

impl Expectation {
    fn parse(section: &Values, catalog: &Catalog) -> Result<Expectation, Diagnostics> {
        let subject = Subject::parse(section, catalog)?;
        let read = |key| bound(section, key, subject.unit());
        let (mut min, mut max, equals) = (read("min")?, read("max")?, read("equals")?);
        if equals.is_some() {
            if min.is_some() || max.is_some() {
                return Err(Diagnostics::at(
                    section.span("equals"),
                    "`equals` leaves nothing to `min` and `max`",
                    "write either `equals`, or `min` and `max`",
                ));
            }
            (min, max) = (equals, equals);
        }
        match (min, max) {
            (None, None) if matches!(subject, Subject::Invariant(..)) => {
                Ok(Expectation { subject, min: None, max: Some(0.0) })
            }
            (None, None) => Err(Diagnostics::at(
                section.place(),
                "this expectation has no bound",
                "write `min`, `max` or `equals`",
            )),
            (Some(least), Some(most)) if least > most => Err(Diagnostics::at(
                section.span("max"),
                "nothing is at least `min` and at most `max`: `max` is less",
                "swap them",
            )),
            _ => Ok(Expectation { subject, min, max }),
        }
    }

    fn text(&self) -> String {
        let name = match self.subject {
            Subject::Metric(metric) => metric.name.to_owned(),
            Subject::Cause(_, name) => format!("lost by {name}"),
            Subject::Invariant(_, name) if self.max == Some(0.0) => {
                return format!("invariant {name} holds");
            }
            Subject::Invariant(_, name) => format!("violations of {name}"),
        };
        bounded(&name, self.min, self.max, self.subject.unit())
    }

    /// Whether it says that lines may be lost.
    fn is_about_loss(&self) -> bool {
        let losses = ["success_lost", "success_gone", "acked_lost", "accepted_lost", "read_lost"];
        let about = match self.subject {
            Subject::Metric(metric) => losses.contains(&metric.name),
            Subject::Cause(..) => true,
            Subject::Invariant(..) => false,
        };
        about && self.max.is_none_or(|most| most > 0.0)
    }

    fn judge(&self, report: &Report) -> Judged {
        let (measured, needs_quiet, particulars) = match self.subject {
            Subject::Metric(metric) => {
                let number = (metric.get)(report).map(|number| number.as_f64());
                (number, metric.needs_quiet, metric.particulars.to_owned())
            }
            Subject::Cause(cause, name) => {
                let lines = report.causes[cause.index()] as f64;
                (Some(lines), true, format!("loss.csv, cause {name}"))
            }
            Subject::Invariant(id, _) => match report.invariants.get(id.index()) {
                Some(tally) if tally.violations > 0 => {
                    let first = first_breach(report, tally);
                    (Some(tally.violations as f64), false, format!("invariants.csv; {first}"))
                }
                Some(_) => (Some(0.0), false, String::new()),
                None => (None, false, String::new()),
            },
        };
        let holds = |value: f64| {
            self.min.is_none_or(|least| value >= least) && self.max.is_none_or(|most| value <= most)
        };
        let unread = match self.subject {
            Subject::Metric(metric) => unread(metric, report) as f64,
            Subject::Cause(..) | Subject::Invariant(..) => 0.0,
        };
        // Whether some of the values holds that it would have if what could not be read were lost.
        let may_hold = |value: f64| {
            self.min.is_none_or(|least| value + unread >= least)
                && self.max.is_none_or(|most| value <= most)
        };
        let (verdict, note) = match measured {
            None if matches!(self.subject, Subject::Invariant(..)) => {
                (Verdict::Undecided, Some("invariants were not checked".to_owned()))
            }
            None => (Verdict::Undecided, Some("nothing was measured".to_owned())),
            Some(_) if needs_quiet && !report.quiet => {
                (Verdict::Undecided, Some("the run was not quiet at its end".to_owned()))
            }
            Some(value) if holds(value) && holds(value + unread) => (Verdict::Holds, None),
            Some(value) if may_hold(value) => {
                let note = format!("{unread} more could not be read at the end: they may be lost");
                (Verdict::Undecided, Some(note))
            }
            Some(_) if particulars.is_empty() => (Verdict::Broken, None),
            Some(_) => (Verdict::Broken, Some(format!("see {particulars}"))),
        };
        let print = |value| self.subject.unit().print(value);
        let printed = measured.map_or_else(|| "nothing".to_owned(), print);
        let text = self.text();
        let loss = self.is_about_loss();
        Judged { text, measured: printed, value: measured, verdict, note, claimed: false, loss }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::stories::{self, *};
    use super::super::{BREACHES_KEPT, Ledger, LedgerOptions};
    use super::*;
    use crate::engine::Span;
    use crate::observe::Observer;
    use crate::scenario::Document;

    fn parse(text: &str) -> Result<Expectations, Diagnostics> {
        let text = format!("format = 1\nmode = 'm'\nduration = '1s'\n{text}");
        let document = Document::parse("test.toml", text).expect("it is TOML");
        let scenario = document.check(&[&EXPECT], None)?;
        Expectations::parse(scenario.many("expect"), &stories::catalog(), true)
    }

    /// A run that lost two of ten acknowledged lines, and took 2 ms for an answer.
    fn report(is_quiet: bool) -> Report {
        let mut ledger = stories::ledger();
        ledger.whole_life(2_000, range(P1, 0, 8));
        let lost = range(P1, 8, 2);
        ledger.send(3_000, lost);
        ledger.stored(ms(3_001), N1, ORDERS, lost);
        ledger.ack(3_002, lost);
        ledger.removed(ms(3_003), N1, ORDERS, lost, PAGE_CACHE);
        ledger.finish(facts(ms(12_000), is_quiet))
    }

    fn judge(text: &str, is_quiet: bool) -> Vec<Judged> {
        parse(text).expect("the expectations are right").judge(&report(is_quiet))
    }

    #[test]
    fn bounds_hold_or_break() {
        let text = "
            [[expect]]
            metric = 'success_lost'
            max = 0
            [[expect]]
            metric = 'acked_lost'
            min = 1
            max = 2
            [[expect]]
            metric = 'ack_p50_us'
            equals = '2ms'
            [[expect]]
            metric = 'write_availability'
            min = '99.9%'
            [[expect]]
            metric = 'write_longest_ms'
            max = '300ms'
            [[expect]]
            cause = 'page-cache-lost'
            max = 1
            [[expect]]
            metric = 'e2e_p99_us'
            min = '1s'
        ";
        insta::assert_snapshot!(told(&judge(text, true)), @r"
        Broken: success_lost <= 0 is 2 lines (see loss.csv, class acked_lost or accepted_lost)
        Holds: 1 <= acked_lost <= 2 is 2 lines
        Holds: ack_p50_us = 2000 us is 2000 us
        Holds: write_availability >= 99.9 % is 100 %
        Holds: write_longest_ms <= 300 ms is 0 ms
        Broken: lost by page-cache-lost <= 1 is 2 lines (see loss.csv, cause page-cache-lost)
        Broken: e2e_p99_us >= 1000000 us is 3000 us (see latency.csv, end_to_end_latency)
        Holds: claimed invariants hold is 0 violations
        ");
    }

    #[test]
    fn fates_are_undecided_in_a_run_that_is_not_quiet() {
        let text = "
            [[expect]]
            metric = 'success_lost'
            max = 0
            [[expect]]
            cause = 'page-cache-lost'
            max = 9
            [[expect]]
            metric = 'acked'
            equals = 10
        ";
        let verdicts: Vec<Verdict> = judge(text, false).iter().map(|one| one.verdict).collect();
        let [undecided, holds] = [Verdict::Undecided, Verdict::Holds];
        assert_eq!(verdicts, [undecided, undecided, holds, holds], "the last is what is claimed");
    }

    #[test]
    fn what_was_not_measured_is_undecided() {
        let judged = judge("[[expect]]\nmetric = 'read_availability'\nmin = 1", true);
        assert_eq!(judged[0].verdict, Verdict::Undecided, "nobody reported room");
    }

    /// A run in which two invariants break, one of them claimed.
    fn broken(options: LedgerOptions) -> Report {
        let mut ledger = Ledger::new(Arc::new(stories::catalog()), options);
        ledger.whole_life(2_000, range(P1, 0, 8));
        ledger.violate(3_000, ONE_LEADER);
        for at in 0..20 {
            ledger.violate(4_000 + at, NO_GAPS);
        }
        ledger.finish(facts(ms(12_000), true))
    }

    fn told(judged: &[Judged]) -> String {
        let line = |one: &Judged| {
            let note = one.note.as_ref().map_or(String::new(), |note| format!(" ({note})"));
            format!("{:?}: {} is {}{note}", one.verdict, one.text, one.measured)
        };
        judged.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_claimed_is_expected_and_what_is_not_is_counted() {
        let report = broken(LedgerOptions::new(Span::from_secs(10)));
        assert_eq!(report.summary.violations, Some(21));
        assert_eq!(report.invariants[2].first.len(), BREACHES_KEPT);
        assert_eq!(report.invariants[2].first[9].at, ms(4_009));
        let none = parse("").expect("nothing is expected");
        assert_eq!(none.texts(), [(CLAIMED.to_owned(), Unit::Violations)]);
        insta::assert_snapshot!(told(&none.judge(&report)), @"Broken: claimed invariants hold is 1 violation (one-leader: 1 violation, first at 3000 ms on n2: n1 leads, and n2 too at 3000 ms; see invariants.csv)");
        let calm = self::report(true);
        assert_eq!(none.judge(&calm)[0].verdict, Verdict::Holds);
    }

    #[test]
    fn an_invariant_is_expected_to_hold_or_to_break() {
        let text = "
            [[expect]]
            invariant = 'logs-match'
            [[expect]]
            invariant = 'one-leader'
            min = 1
            [[expect]]
            invariant = 'no-gaps'
            [[expect]]
            invariant = 'no-gaps'
            max = 19
            [[expect]]
            metric = 'violations'
            max = 30
        ";
        let expected = parse(text).expect("they are right");
        let report = broken(LedgerOptions::new(Span::from_secs(10)));
        let judged = expected.judge(&report);
        // Of both that are claimed the scenario says itself what is expected.
        assert!(judged.iter().all(|one| !one.claimed));
        insta::assert_snapshot!(told(&judged), @"
        Holds: invariant logs-match holds is 0 violations
        Holds: violations of one-leader >= 1 is 1 violation
        Broken: invariant no-gaps holds is 20 violations (see invariants.csv; first at 4000 ms on n2: n1 leads, and n2 too at 4000 ms)
        Broken: violations of no-gaps <= 19 is 20 violations (see invariants.csv; first at 4000 ms on n2: n1 leads, and n2 too at 4000 ms)
        Holds: violations <= 30 is 21 violations
        ");
        let calm = expected.judge(&self::report(true));
        assert_eq!(calm[1].verdict, Verdict::Broken, "it had to break");
    }

    #[test]
    fn what_is_not_checked_is_undecided() {
        let options =
            LedgerOptions { invariants: false, ..LedgerOptions::new(Span::from_secs(10)) };
        let report = broken(options);
        assert_eq!((report.summary.violations, report.invariants.len()), (None, 0));
        let judged = judge("[[expect]]\ninvariant = 'one-leader'", true);
        assert_eq!(judged[0].verdict, Verdict::Holds);
        let expected = Expectations {
            claimed: Vec::new(),
            ..parse("[[expect]]\ninvariant = 'one-leader'").expect("it is right")
        };
        insta::assert_snapshot!(told(&expected.judge(&report)), @"Undecided: invariant one-leader holds is nothing (invariants were not checked)");
        let unchecked = Expectations::parse(&[], &stories::catalog(), false).expect("none");
        assert!(unchecked.is_empty());
    }

    #[test]
    fn checking_leaves_the_fingerprint_as_it_is() {
        let on = LedgerOptions::new(Span::from_secs(10));
        let off = LedgerOptions { invariants: false, ..on };
        assert_eq!(broken(on).fingerprint, broken(off).fingerprint);
    }

    #[test]
    fn mistakes_are_told_with_what_would_be_right() {
        let mut told = String::new();
        for (text, remedy) in [
            ("metric = 'sucess_lost'\nmax = 0", "success_lost"),
            ("cause = 'page-cash-lost'\nmax = 0", "page-cache-lost"),
            ("metric = 'success_lost'", "equals"),
            ("max = 1", "metric"),
            ("metric = 'lines'\ncause = 'ttl'\nmax = 1", "two expectations"),
            ("invariant = 'one-leader'\ncause = 'ttl'\nmax = 1", "two expectations"),
            ("invariant = 'one-leeder'", "one-leader"),
            ("invariant = 'one-leader'\nmin = 2\nmax = 1", "swap"),
            ("invariant = 'one-leader'\nmax = '1ms'", "whole number"),
            ("metric = 'lines'\nmin = 2\nmax = 1", "swap"),
            ("metric = 'lines'\nmin = 2\nequals = 1", "either"),
            ("metric = 'lines'\nmax = '300ms'", "whole number"),
            ("metric = 'write_longest_ms'\nmax = '300'", "300ms"),
            ("metric = 'write_availability'\nmin = 99", "99.9%"),
        ] {
            let wrong = parse(&format!("[[expect]]\n{text}")).expect_err(text);
            let wrong = wrong.to_string();
            assert!(wrong.contains(remedy), "{text}: {wrong}");
            told.push_str(&wrong);
        }
        assert!(!told.is_empty());
    }
}
