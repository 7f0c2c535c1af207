//! The story of one message: what happened to it, after which moment nothing could save it any more, and which
//! single setting would have.
//!
//! All of it comes of simulating the same seed again. The story is that of an observer that keeps the reports about
//! the message and about what stood around it. The point of no return is looked for among the moments at which a
//! copy went, a role changed or a fault began, the latest first: the run is repeated with every later fault left out
//! and every earlier one over at that moment, and it is looked whether the message lives then. It is not monotone,
//! so it is not bisected. Settings are tried one at a time.

mod biography;
mod settings;
mod turning;

use crate::engine::Time;
use crate::observe::{Catalog, DestinationId, ProducerId};
use crate::verdict::{FATES, FinalOutcome, LineRun, OUTCOMES, Report};

use super::simulate::report;
use super::{Prepared, RunError, simulate};
use biography::Biographer;

pub use settings::Tried;
pub use turning::Turning;

/// Which message is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one that was lost first of those that its producer took for a success, or of all if there is none.
    FirstLoss,
    /// This one.
    Named {
        /// Whose.
        producer: String,
        /// Where it was sent to; not needed if its producer numbers all that it sends in one row.
        destination: Option<String>,
        /// Its number, from 0.
        number: u32,
    },
}

/// Why nothing is explained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// A run came to no report.
    #[error(transparent)]
    Run(#[from] RunError),
    /// No message was lost.
    #[error(
        "no message was lost with seed {seed}\n  = help: name one: --message {producer}/0, or try another --seed"
    )]
    NothingLost {
        /// The seed.
        seed: u64,
        /// Some producer.
        producer: String,
    },
    /// There is no such producer, or it is not known which of its rows is meant.
    #[error("{message}\n  = help: {help}")]
    NotFound {
        /// What is wrong.
        message: String,
        /// What to write instead.
        help: String,
    },
}

/// A message, or of a message with several destinations its line to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    producer: ProducerId,
    number: u32,
}

/// What became of the message in one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Where it was meant for, if anywhere.
    pub destination: Option<String>,
    /// What its producer was told: a word of [`OUTCOMES`].
    pub outcome: &'static str,
    /// What became of it: a word of [`FATES`].
    pub fate: &'static str,
    /// Whether it counts as lost.
    pub lost: bool,
    /// Why, with its meaning.
    pub cause: Option<(&'static str, &'static str)>,
    /// What made that matter, with its meaning.
    pub because: Option<(&'static str, &'static str)>,
}

/// The story of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// As it can be named again: `p1/5012`.
    pub message: String,
    /// The scenario.
    pub scenario: String,
    /// Mode and version of the broker.
    pub broker: String,
    /// The seed.
    pub seed: u64,
    /// How it ended, by destination.
    pub ends: Vec<End>,
    /// What was so when it was first sent, in sentences.
    pub before: Vec<String>,
    /// What happened then, by time, in sentences.
    pub story: Vec<(Time, String)>,
    /// The point of no return; `None` if the message is not lost.
    pub turning: Option<Turning>,
    /// The settings that would have saved it; empty if it is not lost or none of those that were tried does.
    pub saved_by: Vec<Tried>,
    /// How many were tried.
    pub tried: usize,
    /// The same of the run as it is, for comparison.
    pub as_it_is: Tried,
}

/// Explains one message of one seed; `variant` is the same scenario with one more setting, `None` where that is
/// not understood. So many runs go on at once.
///
/// # Errors
/// If no message is meant, or a run does not end by itself.
pub fn explain(
    prepared: &Prepared,
    seed: u64,
    which: &Which,
    variant: &(dyn Fn(&str) -> Option<Prepared> + Sync),
    jobs: usize,
) -> Result<Explanation, ExplainError> {
    let prepared = &prepared.clone().with_lines();
    let whole = simulate(prepared, seed, None)?;
    let subject = find(&whole, which, seed)?;
    let (mut biographer, _) =
        super::observe(prepared, seed, Biographer::new(whole.catalog.clone(), subject))?;
    let ends = ends(&whole, subject);
    let lost = ends.iter().any(|end| end.lost);
    let turning = lost.then(|| turning::find(prepared, seed, subject, &biographer, jobs));
    let (tried, saved_by) = match lost {
        true => settings::try_all(prepared, seed, subject, &whole, variant, jobs),
        false => (0, Vec::new()),
    };
    Ok(Explanation {
        message: name(&whole.catalog, subject),
        scenario: whole.scenario.clone(),
        broker: format!("{} {}", whole.mode, whole.broker_version),
        seed,
        ends,
        before: std::mem::take(&mut biographer.before),
        story: biographer.story(),
        turning,
        saved_by,
        tried,
        as_it_is: Tried::of("as it is", &whole, subject),
    })
}

/// The run of a seed in which every fault is over at `healed`, and none begins afterwards.
fn healed(
    prepared: &Prepared,
    seed: u64,
    biographer: &Biographer,
    healed: Time,
) -> Result<Report, RunError> {
    let Prepared { plan, catalog, options, .. } = prepared;
    let done = plan.run_healed(seed, catalog, *options, biographer.begun(), healed)?;
    Ok(report(prepared, seed, done))
}

/// The lines of a message.
fn lines(report: &Report, subject: Subject) -> impl Iterator<Item = &LineRun> {
    let number = subject.number;
    report.lines.iter().filter(move |run| {
        run.producer == subject.producer && (run.first..run.first + run.count).contains(&number)
    })
}

/// Whether the message lives on in every destination, or its producer knows that it does not.
fn is_safe(report: &Report, subject: Subject) -> bool {
    lines(report, subject).all(|line| !line.end.lost)
}

fn ends(report: &Report, subject: Subject) -> Vec<End> {
    let catalog = &report.catalog;
    let end = |line: &LineRun| {
        let because = report.losses.iter().find(|loss| {
            (loss.producer, loss.destination, loss.cause)
                == (line.producer, line.destination, line.end.cause)
                && (loss.first..=loss.last).contains(&subject.number)
        });
        let because = because.map_or(0, |loss| loss.because.index());
        End {
            destination: line.destination.map(|id| catalog.destination(id).to_owned()),
            outcome: OUTCOMES[line.end.outcome as usize],
            fate: FATES[line.end.fate as usize],
            lost: line.end.lost,
            cause: line.end.cause.map(|id| {
                let cause = &catalog.causes[id.index()];
                (cause.name, cause.meaning)
            }),
            because: (because > 0).then(|| (catalog.conditions[because], catalog.because(because))),
        }
    };
    lines(report, subject).map(end).collect()
}

/// The message that is meant.
fn find(report: &Report, which: &Which, seed: u64) -> Result<Subject, ExplainError> {
    let catalog = &report.catalog;
    match which {
        Which::FirstLoss => {
            let successes = report
                .losses
                .iter()
                .filter(|loss| ["acked_lost", "accepted_lost"].contains(&loss.class));
            let first = successes.min_by_key(|loss| (loss.at, loss.producer, loss.first));
            let any = || report.losses.iter().min_by_key(|l| (l.at, l.producer, l.first));
            let producer = || catalog.producers.first().map_or(String::new(), |p| p.name.clone());
            let loss = first
                .or_else(any)
                .ok_or_else(|| ExplainError::NothingLost { seed, producer: producer() })?;
            Ok(Subject { producer: loss.producer, number: loss.first })
        }
        Which::Named { producer, destination, number } => {
            let row = row_of(catalog, producer, destination.as_deref())?;
            let subject = Subject { producer: row, number: *number };
            if lines(report, subject).next().is_none() {
                let last = report.lines.iter().filter(|line| line.producer == row);
                let last = last.map(|line| line.first + line.count - 1).max().unwrap_or(0);
                return Err(ExplainError::NotFound {
                    message: format!("{} was never sent with seed {seed}", name(catalog, subject)),
                    help: format!("its numbers go from 0 to {last}"),
                });
            }
            Ok(subject)
        }
    }
}

/// The row of messages that a producer numbers, to that destination.
fn row_of(
    catalog: &Catalog,
    producer: &str,
    destination: Option<&str>,
) -> Result<ProducerId, ExplainError> {
    let ids = (0..).map(ProducerId).zip(&catalog.producers);
    let own: Vec<_> = ids.filter(|(_, info)| info.name == producer).collect();
    let goes =
        |to: &[DestinationId], name: &str| to.iter().any(|id| catalog.destination(*id) == name);
    let found = own.iter().find(|(_, info)| match destination {
        Some(name) => goes(&info.destinations, name),
        None => own.len() == 1,
    });
    if let Some((id, _)) = found {
        return Ok(*id);
    }
    let names = |most: usize, names: Vec<String>| {
        let more = if names.len() > most { ", ..." } else { "" };
        format!("{}{more}", names[..names.len().min(most)].join(", "))
    };
    if own.is_empty() {
        let mut all: Vec<String> = catalog.producers.iter().map(|p| p.name.clone()).collect();
        all.dedup();
        return Err(ExplainError::NotFound {
            message: format!("there is no producer `{}`", crate::scenario::shown(producer)),
            help: format!("the producers are {}", names(8, all)),
        });
    }
    let rows = own.iter().map(|(id, _)| name(catalog, Subject { producer: *id, number: 0 }));
    Err(ExplainError::NotFound {
        message: format!("`{producer}` numbers what it sends by destination"),
        help: format!("name one: {}", names(8, rows.collect())),
    })
}

/// As it can be named again.
fn name(catalog: &Catalog, subject: Subject) -> String {
    let own = &catalog.producers[subject.producer.index()];
    let rows = catalog.producers.iter().filter(|other| other.name == own.name).count();
    match own.destinations.first().filter(|_| rows > 1) {
        Some(to) => format!("{}/{}/{}", own.name, catalog.destination(*to), subject.number),
        None => format!("{}/{}", own.name, subject.number),
    }
}

/// Whether a producer takes that for a success.
const fn is_success(outcome: FinalOutcome) -> bool {
    matches!(outcome, FinalOutcome::Acked | FinalOutcome::Accepted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Span;
    use crate::run::parse;

    /// What is told of a run before a moment, but for clients: of those a report tells if they were in trouble ever.
    fn told_before(report: &Report, at: Time) -> Vec<String> {
        let before = report.events.iter().filter(|row| row.at < at && row.kind != "client");
        before.map(|row| format!("{row:?}")).collect()
    }

    /// A run that is healed at a moment is the run itself until then, random faults included: only so can the point
    /// of no return be found by simulating again.
    #[test]
    fn until_it_is_healed_a_run_is_the_same() {
        let text = "format = 1\nname = 'healed'\nmode = 'rabbitmq-mirrored'\nduration = '30s'\ndrain = '60s'\n\
                    [cluster]\nnodes = 3\nboot-time = '1s'\n[broker]\nnet_ticktime = '8s'\n\
                    [[queue]]\nname = 'orders'\n[[policy]]\npattern = '.*'\nha-mode = 'all'\n\
                    [[producer]]\nname = 'p1'\nto = 'orders'\nrate = '50/s'\nconfirms = true\n\
                    [nemesis]\nfrom = '1s'\nuntil = '28s'\nevery = '3s'\nat-most = 2\n\
                    [[nemesis.fault]]\nkind = 'crash'\nfor = '4s'\ntargets = ['random']\n\
                    [[nemesis.fault]]\nkind = 'pause'\nfor = '2s'\ntargets = ['random']\n";
        let prepared = parse("healed.toml", text.as_bytes(), &[]).unwrap().with_lines();
        for seed in 1..=3 {
            let whole = simulate(&prepared, seed, None).unwrap();
            let subject = Subject { producer: ProducerId(0), number: 0 };
            let biographer = Biographer::new(whole.catalog.clone(), subject);
            let (biographer, _) = crate::run::observe(&prepared, seed, biographer).unwrap();
            for seconds in [5, 12, 20] {
                let at = Time::ZERO + Span::from_secs(seconds);
                let healed = healed(&prepared, seed, &biographer, at).unwrap();
                let before = told_before(&whole, at);
                assert!(before.len() > 5, "something happens before {seconds} s");
                let other = told_before(&healed, at);
                let differs = before.iter().zip(&other).find(|(one, other)| one != other);
                assert_eq!(differs, None, "seed {seed}, {seconds} s");
                assert_eq!(before.len(), other.len(), "seed {seed}, {seconds} s");
                let later = healed.faults.iter().filter(|span| span.begun > at);
                assert_eq!(later.count(), 0, "no fault begins later");
            }
        }
    }
}
