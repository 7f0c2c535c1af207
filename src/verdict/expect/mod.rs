//! Expectations: what a scenario says of its own outcome, and the verdict on it.

mod keys;
mod questions;
mod rest;
mod scope;

pub use self::keys::EXPECT;
pub(super) use self::questions::LineSeen;
pub use self::questions::Question;
use self::questions::{OF_EVENTS, OF_LOSSES, narrowing};
use self::rest::{RESTS, WAITING, judge_rest};
pub(super) use self::scope::NARROWING;
use self::scope::Scope;
use super::bounds::bound;
use super::history::{ACTION, ACTIONS, NODE_STATES};
use super::metrics::{METRICS, Metric, Unit, metric};
use super::seeds::{OVER_SEEDS, OverSeeds, shows, signs, situations};
use super::{Fate, FinalOutcome, InvariantTally, Judged, Report, Verdict};
use crate::observe::{Catalog, CauseId, InvariantId, Sign};
use crate::scenario::{Diagnostics, Values, suggest};

/// What is bounded.
#[derive(Clone, Debug)]
enum Subject {
    Metric(&'static Metric),
    Cause(CauseId, &'static str),
    Invariant(InvariantId, &'static str),
    /// Rows of `events.csv` of that kind.
    Event(&'static str, &'static str),
    /// A situation with its signs.
    Never(String, Vec<Sign>),
}

/// One `[[expect]]`.
#[derive(Clone, Debug)]
struct Expectation {
    subject: Subject,
    scope: Scope,
    /// Which of the ledger's answers it is about, if it needs one.
    question: Option<usize>,
    min: Option<f64>,
    max: Option<f64>,
    /// The line of the scenario's file on which it begins.
    line: Option<usize>,
}

/// The expectations of a scenario, ready to judge any number of runs.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    list: Vec<Expectation>,
    /// Invariants that the family claims and of which the scenario says nothing.
    claimed: Vec<InvariantId>,
    /// What the ledger is to count for them.
    questions: Vec<Question>,
    /// Whether it is expected that a run comes to rest: the scenario says nothing of that.
    rests: bool,
    /// What is said of many seeds together.
    seeds: Vec<OverSeeds>,
    /// Whether a message may be several lines.
    fans_out: bool,
}

/// What is said of the invariants that a family claims.
const CLAIMED: &str = "claimed invariants hold";

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
        let (mut questions, mut seeds) = (Vec::new(), Vec::new());
        for section in sections {
            match wrong.keep(OverSeeds::parse(section, catalog)) {
                Some(Some(over)) => seeds.push(over),
                Some(None) => {
                    let one = wrong.keep(Expectation::parse(section, catalog));
                    list.extend(one.map(|one| one.asking(&mut questions)));
                }
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
        let fans_out = catalog.fans_out();
        wrong.into_result(Expectations { list, claimed, questions, rests, seeds, fans_out })
    }

    /// What is said of many seeds together, in the order of the file.
    #[must_use]
    pub fn over_seeds(&self) -> &[OverSeeds] {
        &self.seeds
    }

    /// What the ledger is to count for them: belongs into [`RunFacts::questions`], and the answers
    /// come in [`Report::answers`].
    ///
    /// [`RunFacts::questions`]: super::RunFacts::questions
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        &self.questions
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
    /// unit of what it bounds, and the line of the file on which it begins; what the family claims
    /// stands on none.
    #[must_use]
    pub fn texts(&self) -> Vec<(String, Unit, Option<usize>)> {
        let unit = |one: &Expectation| one.subject.unit().told(self.fans_out);
        let said = self.list.iter().map(|one| (one.text(), unit(one), one.line));
        let claimed =
            (!self.claimed.is_empty()).then(|| (CLAIMED.to_owned(), Unit::Violations, None));
        let rests = self.rests.then(|| (RESTS.to_owned(), Unit::Waiting, None));
        said.chain(claimed).chain(rests).collect()
    }

    /// Judges a run, in the order of the file; what the family claims comes last. The result
    /// belongs into [`Report::expectations`].
    #[must_use]
    pub fn judge(&self, report: &Report) -> Vec<Judged> {
        // Who says how many cannot be read says of them that they are not lost.
        let of_unread = |one: &Expectation| matches!(one.subject, Subject::Metric(metric) if metric.name == UNREAD);
        let known = self.list.iter().any(of_unread);
        let said = self.list.iter().map(|expectation| expectation.judge(report, known));
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

/// When and where an invariant was first broken, and how: `first at 6203 ms on n1: ...`.
fn first_breach(report: &Report, tally: &InvariantTally) -> String {
    tally.first.first().map_or_else(String::new, |breach| {
        let node = report.catalog.node(breach.node);
        format!("first at {} ms on {node}: {}", breach.at.as_millis(), breach.detail)
    })
}

impl Subject {
    fn unit(&self) -> Unit {
        match self {
            Subject::Metric(metric) => metric.unit,
            Subject::Cause(..) => Unit::Lines,
            Subject::Invariant(..) => Unit::Violations,
            Subject::Event(..) | Subject::Never(..) => Unit::Count,
        }
    }

    /// The keys that can narrow it.
    fn narrowing(&self) -> &'static [&'static str] {
        match self {
            Subject::Metric(metric) => narrowing(metric),
            Subject::Cause(..) => OF_LOSSES,
            Subject::Event(..) => OF_EVENTS,
            Subject::Invariant(..) | Subject::Never(..) => &[],
        }
    }

    fn parse(section: &Values, catalog: &Catalog) -> Result<Subject, Diagnostics> {
        let of = |key: &'static str| section.get_text(key).map(|name| (key, name));
        let keys = ["metric", "cause", "invariant", "event", "never"];
        let mut said = keys.into_iter().filter_map(of);
        let Some((key, name)) = said.next() else {
            return Err(Diagnostics::at(
                section.place(),
                "this expectation says nothing of what it expects",
                "write metric = \"success_lost\", or cause, event, invariant, never or sometimes = \"...\"",
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
            "event" => (
                event(catalog, name).map(|(kind, what)| Subject::Event(kind, what)),
                events(catalog).map(|(_, what)| what).collect(),
                "the events, roles and states",
            ),
            "never" => {
                let signs = signs(catalog, name);
                let found = (!signs.is_empty()).then(|| Subject::Never(name.to_owned(), signs));
                (found, situations(catalog), "the situations")
            }
            _ => (
                place(invariants, |word| word.name == name)
                    .map(|(id, word)| Subject::Invariant(InvariantId(id), word.name)),
                invariants.iter().map(|word| word.name).collect(),
                "the invariants",
            ),
        };
        found.ok_or_else(|| {
            let here = if key == "metric" { "" } else { " in this mode" };
            let what = if key == "never" { "situation" } else { key };
            let message = format!("there is no {what} `{name}`{here}");
            let help = match known.is_empty() {
                true => format!("this mode has no {what}s: expect a metric"),
                false => suggest(name, &known, which),
            };
            Diagnostics::at(section.span(key), message, help)
        })
    }
}

/// The metric by which a scenario says how many lines cannot be read at the end.
const UNREAD: &str = "unreachable_at_end";

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

/// Everything that `event` can name, with the kind of its rows in `events.csv`.
fn events(catalog: &Catalog) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
    let events = catalog.events.iter().map(|word| ("event", word.name));
    let roles = catalog.roles.iter().map(|word| ("role", word.name));
    let actions = ACTIONS.iter().map(|(name, _)| (ACTION, *name));
    events.chain(roles).chain(NODE_STATES.iter().map(|state| ("node", *state))).chain(actions)
}

/// The first of them of that name.
fn event(catalog: &Catalog, name: &str) -> Option<(&'static str, &'static str)> {
    events(catalog).find(|(_, what)| *what == name)
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
        Unit::Lines | Unit::Messages | Unit::Violations | Unit::Waiting | Unit::PerMillion => {
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
        let scope = Scope::parse(section, catalog)?;
        if let Some(key) = scope.beyond(subject.narrowing()) {
            let can = match subject.narrowing() {
                [] => "remove it: nothing narrows this".to_owned(),
                keys => format!("remove it; what narrows this: {}", keys.join(", ")),
            };
            let message = format!("`{key}` does not narrow what is expected here");
            return Err(Diagnostics::at(section.span(key), message, can));
        }
        if let Subject::Never(..) = subject {
            let bounds = ["min", "max", "equals"].into_iter().find(|key| section.has(key));
            return match bounds {
                None => {
                    let (max, line) = (Some(0.0), section.line());
                    Ok(Expectation { subject, scope, question: None, min: None, max, line })
                }
                Some(key) => Err(Diagnostics::at(
                    section.span(key),
                    format!("`never` says that no run gets there; it has no `{key}`"),
                    "remove it, or count an event: event = \"...\"",
                )),
            };
        }
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
                let line = section.line();
                Ok(Expectation { subject, scope, question: None, min: None, max: Some(0.0), line })
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
            _ => {
                let line = section.line();
                Ok(Expectation { subject, scope, question: None, min, max, line })
            }
        }
    }

    /// With the place of its question among all, which is added if it has one.
    fn asking(mut self, questions: &mut Vec<Question>) -> Expectation {
        if self.scope.is_whole() {
            return self;
        }
        let question = match &self.subject {
            Subject::Metric(metric) => Question::of_metric(metric, &self.scope),
            Subject::Cause(cause, _) => Some(Question::of_cause(*cause, &self.scope)),
            Subject::Invariant(..) | Subject::Event(..) | Subject::Never(..) => None,
        };
        if let Some(question) = question {
            self.question = Some(questions.len());
            questions.push(question);
        }
        self
    }

    fn text(&self) -> String {
        let name = match &self.subject {
            Subject::Event(_, name) => format!("events {name}"),
            Subject::Never(name, _) => return format!("never {name}"),
            Subject::Metric(metric) => metric.name.to_owned(),
            Subject::Cause(_, name) => format!("lost by {name}"),
            Subject::Invariant(_, name) if self.max == Some(0.0) => {
                return format!("invariant {name} holds");
            }
            Subject::Invariant(_, name) => format!("violations of {name}"),
        };
        bounded(&name, self.min, self.max, self.subject.unit()) + &self.scope.text()
    }

    /// Whether it says that lines may be lost.
    fn is_about_loss(&self) -> bool {
        let losses = ["success_lost", "success_gone", "acked_lost", "accepted_lost", "read_lost"];
        let about = match &self.subject {
            Subject::Metric(metric) => losses.contains(&metric.name),
            Subject::Cause(..) => true,
            Subject::Invariant(..) | Subject::Event(..) | Subject::Never(..) => false,
        };
        about && self.max.is_none_or(|most| most > 0.0)
    }

    /// The verdict; `known` if the scenario says itself how much cannot be read at the end.
    fn judge(&self, report: &Report, known: bool) -> Judged {
        let answer = |index: usize| report.answers.get(index).map(|lines| *lines as f64);
        let (measured, needs_quiet, particulars) = match &self.subject {
            Subject::Metric(metric) => {
                let whole = || (metric.get)(report).map(|number| number.as_f64());
                let number = match self.question {
                    Some(index) => answer(index),
                    None if self.scope.is_whole() => whole(),
                    None => questions::of_windows(metric, &self.scope, report),
                };
                (number, metric.needs_quiet, metric.particulars.to_owned())
            }
            Subject::Event(kind, what) => {
                let (count, first) = questions::of_events((kind, what), &self.scope, report);
                let particulars = first.map_or(String::new(), |at| format!("events.csv; {at}"));
                (Some(count as f64), false, particulars)
            }
            Subject::Never(_, signs) => {
                let shown = signs.iter().any(|sign| shows(*sign, report));
                (Some(f64::from(u8::from(shown))), false, "events.csv and loss.csv".to_owned())
            }
            Subject::Cause(cause, name) => {
                let lines = match self.question {
                    Some(index) => answer(index),
                    None => Some(report.causes[cause.index()] as f64),
                };
                (lines, true, format!("loss.csv, cause {name}"))
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
        let unread = match &self.subject {
            Subject::Metric(metric) if !known => unread(metric, report) as f64,
            _ => 0.0,
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
        let print = |value| match &self.subject {
            Subject::Never(..) if value > 0.0 => "reached".to_owned(),
            Subject::Never(..) => "not reached".to_owned(),
            subject => subject.unit().told(report.catalog.fans_out()).print(value),
        };
        let printed = measured.map_or_else(|| "nothing".to_owned(), print);
        let text = self.text();
        let loss = self.is_about_loss();
        Judged { text, measured: printed, value: measured, verdict, note, claimed: false, loss }
    }
}

#[cfg(test)]
mod tests;
