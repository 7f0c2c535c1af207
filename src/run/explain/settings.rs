//! Which single setting would have saved a message, and at what price.

use std::sync::Mutex;

use crate::run::simulate::side_by_side;
use crate::run::{Prepared, simulate};
use crate::scenario::Values;
use crate::verdict::Report;

use super::{Subject, is_safe, is_success, lines};

/// A run with one more setting, in figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The setting, as `--set` takes it.
    pub set: String,
    /// What the producer is told of the message.
    pub outcome: &'static str,
    /// What becomes of it.
    pub fate: &'static str,
    /// How many messages are lost of those that their producers took for a success.
    pub success_lost: u64,
    /// The longest time without a write, in milliseconds; `None` if it is not measured.
    pub write_longest_ms: Option<u64>,
    /// The median time until the answer, in microseconds; `None` if nothing was answered.
    pub ack_p50_us: Option<u64>,
    /// How many messages were acknowledged.
    pub acked: u64,
}

impl Tried {
    pub(super) fn of(set: &str, report: &Report, subject: Subject) -> Tried {
        let summary = &report.summary;
        let line = lines(report, subject).next();
        let (outcome, fate) = line.map_or(("", ""), |line| {
            (
                crate::verdict::OUTCOMES[line.end.outcome as usize],
                crate::verdict::FATES[line.end.fate as usize],
            )
        });
        Tried {
            set: set.to_owned(),
            outcome,
            fate,
            success_lost: summary.acked_lost + summary.accepted_lost,
            write_longest_ms: summary.write_longest_ms,
            ack_p50_us: summary.ack_p50_us,
            acked: summary.acked,
        }
    }
}

/// Tries what the family knows to make messages safer, one setting at a time: how many were tried, and those with
/// which the message is not lost, the fewest losses first.
pub(super) fn try_all(
    prepared: &Prepared,
    seed: u64,
    subject: Subject,
    whole: &Report,
    variant: &(dyn Fn(&str) -> Option<Prepared> + Sync),
    jobs: usize,
) -> (usize, Vec<Tried>) {
    let sets: Vec<String> =
        prepared.plan.remedies().iter().flat_map(|remedy| expanded(prepared, remedy)).collect();
    let found = Mutex::new(Vec::new());
    side_by_side(sets.len(), jobs, &|place| {
        let Some(other) = variant(&sets[place]) else { return };
        let Ok(report) = simulate(&other.with_lines(), seed, None) else { return };
        // It was so already, or has no effect.
        let other = report.fingerprint != whole.fingerprint;
        let saves = other && is_safe_or_known(&report, subject);
        let mut found = found.lock().expect("no thread panics while it holds this");
        found.push((place, other, saves.then(|| Tried::of(&sets[place], &report, subject))));
    });
    let found = found.into_inner().expect("all threads have ended");
    let tried = found.iter().filter(|(_, other, _)| *other).count();
    let mut saved: Vec<(usize, Tried)> =
        found.into_iter().filter_map(|(place, _, tried)| Some((place, tried?))).collect();
    saved.sort_by_key(|(place, tried)| (tried.success_lost, *place));
    (tried, saved.into_iter().map(|(_, tried)| tried).collect())
}

/// The message is not lost, or its producer knows that it may be.
fn is_safe_or_known(report: &Report, subject: Subject) -> bool {
    let mut lines = lines(report, subject).peekable();
    lines.peek().is_some()
        && (is_safe(report, subject) || lines.all(|line| !is_success(line.end.outcome)))
}

/// A remedy for every member of the list that it names with a `*`: `producer.*.acks=all`.
fn expanded(prepared: &Prepared, remedy: &str) -> Vec<String> {
    let Some((section, rest)) = remedy.split_once(".*.") else { return vec![remedy.to_owned()] };
    let named = prepared.scenario.many(section);
    let member = |(place, one): (usize, &Values)| match one.get_text("name") {
        Some(name) => format!("{section}.{name}.{rest}"),
        None => format!("{section}.{place}.{rest}"),
    };
    named.iter().enumerate().map(member).collect()
}
