//! Expectations: what a scenario says of its own outcome, and the verdict on it.

use super::metrics::{METRICS, Metric, Unit, metric};
use super::{Judged, Report, Verdict};
use crate::observe::{Cause, CauseId};
use crate::scenario::units::{self, Rate};
use crate::scenario::{Diagnostics, KeySpec, Kind, Preset, SectionSpec, Value, Values, suggest};

const BOUND: Kind = Kind::Either(&[Kind::ANY_INTEGER, Kind::Text, Kind::Chance]);

/// `[[expect]]`.
pub const EXPECT: SectionSpec = SectionSpec::repeated(
    "expect",
    &[&[
        KeySpec::new(
            "metric",
            Kind::Text,
            Preset::Absent,
            "The metric that is bounded; `mqsim list metrics` names them.",
        ),
        KeySpec::new(
            "cause",
            Kind::Text,
            Preset::Absent,
            "The cause whose lost lines are counted and bounded, instead of a metric.",
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
    ]],
    "Something that must hold at the end of a run: a metric, or the number of lines lost for a \
     cause, with `min`, `max` or `equals`.",
);

/// What is bounded.
#[derive(Clone, Copy, Debug)]
enum Subject {
    Metric(&'static Metric),
    Cause(CauseId, &'static str),
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
}

impl Expectations {
    /// Reads the `[[expect]]` sections; `causes` is the family's catalogue.
    ///
    /// # Errors
    /// If one names no metric or cause, or one that does not exist, or has no bound, or one that
    /// nothing can meet.
    pub fn parse(
        sections: &[Values],
        causes: &'static [Cause],
    ) -> Result<Expectations, Diagnostics> {
        let mut wrong = sections.first().map_or_else(Diagnostics::new, Values::diagnostics);
        let mut list = Vec::new();
        for section in sections {
            list.extend(wrong.keep(Expectation::parse(section, causes)));
        }
        wrong.into_result(Expectations { list })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Each as the scenario says it (`success_lost <= 0`), with the unit of what it bounds.
    #[must_use]
    pub fn texts(&self) -> Vec<(String, Unit)> {
        self.list.iter().map(|one| (one.text(), one.subject.unit())).collect()
    }

    /// Judges a run, in the order of the file. The result belongs into
    /// [`Report::expectations`].
    #[must_use]
    pub fn judge(&self, report: &Report) -> Vec<Judged> {
        self.list.iter().map(|expectation| expectation.judge(report)).collect()
    }
}

impl Subject {
    const fn unit(self) -> Unit {
        match self {
            Subject::Metric(metric) => metric.unit,
            Subject::Cause(..) => Unit::Lines,
        }
    }

    fn parse(section: &Values, causes: &'static [Cause]) -> Result<Subject, Diagnostics> {
        match (section.get_text("metric"), section.get_text("cause")) {
            (Some(name), None) => metric(name).map(Subject::Metric).ok_or_else(|| {
                let known: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
                let message = format!("there is no metric `{name}`");
                Diagnostics::at(
                    section.span("metric"),
                    message,
                    suggest(name, &known, "the metrics"),
                )
            }),
            (None, Some(name)) => {
                let found = causes.iter().position(|cause| cause.name == name);
                let found =
                    found.map(|index| Subject::Cause(CauseId(index as u32), causes[index].name));
                found.ok_or_else(|| {
                    let known: Vec<&str> = causes.iter().map(|cause| cause.name).collect();
                    let message = format!("there is no cause `{name}` in this mode");
                    Diagnostics::at(
                        section.span("cause"),
                        message,
                        suggest(name, &known, "the causes"),
                    )
                })
            }
            (None, None) => Err(Diagnostics::at(
                section.place(),
                "this expectation says nothing of what it expects",
                "write metric = \"success_lost\", or cause = \"...\"",
            )),
            (Some(_), Some(_)) => Err(Diagnostics::at(
                section.span("cause"),
                "an expectation is about a metric or a cause, not both",
                "write two expectations",
            )),
        }
    }
}

impl Expectation {
    fn parse(section: &Values, causes: &'static [Cause]) -> Result<Expectation, Diagnostics> {
        let subject = Subject::parse(section, causes)?;
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
        };
        // Counts speak for themselves; other numbers do not.
        let print = |value| match self.subject.unit() {
            Unit::Lines | Unit::Messages => Unit::Count.print(value),
            unit => unit.print(value),
        };
        match (self.min, self.max) {
            (Some(least), Some(most)) if least == most => format!("{name} = {}", print(most)),
            (Some(least), Some(most)) => format!("{} <= {name} <= {}", print(least), print(most)),
            (Some(least), None) => format!("{name} >= {}", print(least)),
            (None, Some(most)) => format!("{name} <= {}", print(most)),
            (None, None) => name,
        }
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
        };
        let holds = |value: f64| {
            self.min.is_none_or(|least| value >= least) && self.max.is_none_or(|most| value <= most)
        };
        let (verdict, note) = match measured {
            None => (Verdict::Undecided, Some("nothing was measured".to_owned())),
            Some(_) if needs_quiet && !report.quiet => {
                (Verdict::Undecided, Some("the run was not quiet at its end".to_owned()))
            }
            Some(value) if holds(value) => (Verdict::Holds, None),
            Some(_) if particulars.is_empty() => (Verdict::Broken, None),
            Some(_) => (Verdict::Broken, Some(format!("see {particulars}"))),
        };
        let print = |value| self.subject.unit().print(value);
        let printed = measured.map_or_else(|| "nothing".to_owned(), print);
        Judged { text: self.text(), measured: printed, value: measured, verdict, note }
    }
}

/// The bound `key` in `unit`; `None` if it is not written.
fn bound(section: &Values, key: &str, unit: Unit) -> Result<Option<f64>, Diagnostics> {
    let Some(value) = section.value(key) else { return Ok(None) };
    let number = match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Chance(chance) => Some(chance.as_billionths() as f64 / 1e9),
        Value::Text(text) => number(text, unit),
        _ => None,
    };
    let number = number.filter(|number| unit != Unit::Share || *number <= 1.0);
    match number {
        Some(number) => Ok(Some(number)),
        None => Err(Diagnostics::at(
            section.span(key),
            format!("`{key}` is no value of this metric"),
            match unit {
                Unit::Milliseconds => "write a number of milliseconds, or a duration: \"300ms\"",
                Unit::Microseconds => "write a number of microseconds, or a duration: \"300us\"",
                Unit::Share => "write a share of 1, or a percentage: 0.999 or \"99.9%\"",
                Unit::PerSecond => "write a number per second, or a rate: \"450/s\"",
                Unit::Ratio => "write a number: 2 or \"1.5\"",
                Unit::Lines | Unit::Messages | Unit::Count => "write a whole number",
            },
        )),
    }
}

/// A bound that is written as text.
fn number(text: &str, unit: Unit) -> Option<f64> {
    let plain = || {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        text.parse::<f64>().ok().filter(|_| digits)
    };
    match unit {
        Unit::Milliseconds => {
            let span = units::duration(text).ok()?;
            Some(span.as_nanos() as f64 / 1e6)
        }
        Unit::Microseconds => {
            let span = units::duration(text).ok()?;
            Some(span.as_nanos() as f64 / 1e3)
        }
        Unit::Share => {
            let chance = units::chance(text).ok()?;
            Some(chance.as_billionths() as f64 / 1e9)
        }
        Unit::PerSecond => {
            let rate = text.parse::<Rate>().ok().map(Rate::as_per_second_f64);
            rate.or_else(plain)
        }
        Unit::Ratio => plain(),
        Unit::Lines | Unit::Messages | Unit::Count => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::stories::{self, *};
    use super::*;
    use crate::observe::Observer;
    use crate::scenario::Document;

    fn parse(text: &str) -> Result<Expectations, Diagnostics> {
        let text = format!("format = 1\nmode = 'm'\nduration = '1s'\n{text}");
        let document = Document::parse("test.toml", text).expect("it is TOML");
        let scenario = document.check(&[&EXPECT], None)?;
        Expectations::parse(scenario.many("expect"), CAUSES)
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
        let judged = judge(text, true);
        let told: Vec<String> = judged
            .iter()
            .map(|one| {
                let note = one.note.as_ref().map_or(String::new(), |note| format!(" ({note})"));
                format!("{:?}: {} is {}{note}", one.verdict, one.text, one.measured)
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        Broken: success_lost <= 0 is 2 lines (see loss.csv, class acked_lost or accepted_lost)
        Holds: 1 <= acked_lost <= 2 is 2 lines
        Holds: ack_p50_us = 2000 us is 2000 us
        Holds: write_availability >= 99.9 % is 100 %
        Holds: write_longest_ms <= 300 ms is 0 ms
        Broken: lost by page-cache-lost <= 1 is 2 lines (see loss.csv, cause page-cache-lost)
        Broken: e2e_p99_us >= 1000000 us is 3000 us (see latency.csv, end_to_end_latency)
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
        assert_eq!(verdicts, [Verdict::Undecided, Verdict::Undecided, Verdict::Holds]);
    }

    #[test]
    fn what_was_not_measured_is_undecided() {
        let judged = judge("[[expect]]\nmetric = 'read_availability'\nmin = 1", true);
        assert_eq!(judged[0].verdict, Verdict::Undecided, "nobody reported room");
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
