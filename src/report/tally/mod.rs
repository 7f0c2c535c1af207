//! What many seeds of one scenario came to: of every seed only what `mqsim check` tells, a few words
//! an expectation.

use serde::{Deserialize, Serialize};

use super::{Unfinished, glance, is_defective, number, verdict};
use crate::observe::BecauseId;
use crate::verdict::{Judged, Loss, OverSeeds, Report, Told, Trial, Unit, Verdict};

/// Something that a scenario expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// As the scenario says it: `success_lost <= 0`.
    pub text: String,
    /// What its bounds and measurements are counted in.
    pub unit: Unit,
    /// The line of the scenario's file on which it begins; what the mode claims stands on none.
    pub line: Option<usize>,
}

impl Expected {
    /// Whether it is expected of every run, whatever its scenario is about: that the cluster comes
    /// to rest. A scenario that says no more asks for nothing.
    #[must_use]
    pub fn of_every_run(&self) -> bool {
        self.line.is_none() && self.unit == Unit::Waiting
    }

    /// What is told first of what does not hold alike: broken promises of the mode, then losses,
    /// then all else.
    const fn rank(&self) -> u8 {
        match self.unit {
            Unit::Violations => 0,
            Unit::Lines => 1,
            _ => 2,
        }
    }
}

/// How a seed or a scenario stands, by what matters more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// Every expectation holds.
    Holds,
    /// It cannot be said of every one.
    Undecided,
    /// It does something else than what is locked. No seed stands so, only a scenario.
    Drifted,
    /// One is broken.
    Broken,
    /// mqsim itself failed, or lost a message without a cause.
    Failed,
}

impl From<Verdict> for Standing {
    fn from(verdict: Verdict) -> Standing {
        match verdict {
            Verdict::Holds => Standing::Holds,
            Verdict::Undecided => Standing::Undecided,
            Verdict::Broken => Standing::Broken,
        }
    }
}

impl Standing {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Standing::Holds => "holds",
            Standing::Undecided => "undecided",
            Standing::Drifted => "drifted",
            Standing::Broken => "broken",
            Standing::Failed => "failed",
        }
    }
}

/// Why seeds that might count were not simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// One that came before does not hold, and the call ends there.
    FirstFailure,
    /// The time that the call may take was over.
    TimeBudget,
}

impl Cut {
    /// One word for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Cut::FirstFailure => "first-failure",
            Cut::TimeBudget => "time-budget",
        }
    }
}

/// The verdict on an expectation, and what was measured.
type Found = (Verdict, Option<f64>);

/// What is kept of one seed: also on disk, so that a call that was killed goes on from there and
/// comes to the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedResult {
    standing: Standing,
    /// The verdict on every expectation, and what was measured.
    judged: Vec<Found>,
    /// What it contributes to the expectations over seeds.
    over: Vec<Option<f64>>,
    /// The expectations that do not hold, with their places.
    failing: Vec<(usize, Judged)>,
    /// Why there is no report, or what failed if it is mqsim itself.
    trouble: Option<String>,
    /// What was lost and why, in words; of a seed that lost nothing after success and holds, none.
    lost: Vec<String>,
}

/// At most this many kinds of loss are told of a seed.
const LOSSES: usize = 5;

impl SeedResult {
    /// What is kept of a run, or of why there is none.
    #[must_use]
    pub fn of(result: Result<Report, Unfinished>) -> SeedResult {
        let report = match result {
            Ok(report) => report,
            Err(Unfinished { message, limit }) => {
                let standing = if limit { Standing::Undecided } else { Standing::Failed };
                let (judged, over, failing) = (Vec::new(), Vec::new(), Vec::new());
                let (trouble, lost) = (Some(message), Vec::new());
                return SeedResult { standing, judged, over, failing, trouble, lost };
            }
        };
        let trouble = is_defective(&report).then(|| defect(&report));
        let standing = match verdict(&report) {
            _ if trouble.is_some() => Standing::Failed,
            // Nothing that was expected is not so.
            None => Standing::Holds,
            Some(verdict) => verdict.into(),
        };
        let telling = standing != Standing::Holds || report.summary.success_gone > 0;
        let lost = if telling { losses(&report, LOSSES) } else { Vec::new() };
        let judged = report.expectations.iter().map(|j| (j.verdict, j.value)).collect();
        let failing = report.expectations.into_iter().enumerate();
        let failing = failing.filter(|(_, judged)| judged.verdict != Verdict::Holds).collect();
        SeedResult { standing, judged, over: report.over_seeds, failing, trouble, lost }
    }
}

/// At most so many kinds of loss of a run, what nobody was told to be safe last, else the greatest
/// first: `9,789 lines acked_lost: unroutable-confirmed, for home-node-down, first on n2 at 5.018
/// s`.
pub(super) fn losses(report: &Report, most: usize) -> Vec<String> {
    let catalog = &report.catalog;
    let mut kinds: Vec<(u64, &Loss)> = Vec::new();
    for loss in &report.losses {
        let of = |other: &Loss| (other.class, other.cause, other.because);
        match kinds.iter_mut().find(|(_, other)| of(other) == of(loss)) {
            Some((count, _)) => *count += loss.count,
            None => kinds.push((loss.count, loss)),
        }
    }
    // Stable: equal counts stay in the order of `loss.csv`.
    let allowed = |loss: &Loss| loss.class == "unknown_lost";
    kinds.sort_by_key(|(count, loss)| (allowed(loss), std::cmp::Reverse(*count)));
    let told = |(count, loss): &(u64, &Loss)| {
        let cause = loss.cause.map_or("lost on its way", |id| catalog.causes[id.index()].name);
        let because = match loss.because {
            BecauseId::NONE => String::new(),
            id => format!(", for {}", catalog.conditions[id.index()]),
        };
        let node = loss.node.map_or(String::new(), |id| format!(" on {}", catalog.node(id)));
        let (lines, at) = (glance::lines(report, *count), number::instant(loss.at));
        format!("{lines} {}: {cause}{because}, first{node} at {at}", loss.class)
    };
    kinds.iter().take(most).map(told).collect()
}

/// Of the worst seeds the first, with all that there is to say of it.
#[derive(Clone, Debug, PartialEq)]
pub struct First {
    /// The seed.
    pub seed: u64,
    /// How it stands.
    pub standing: Standing,
    /// The expectations that do not hold, the gravest first, each with the line on which it stands.
    pub judged: Vec<(Judged, Option<usize>)>,
    /// Why there is no report, or what failed if it is mqsim itself.
    pub trouble: Option<String>,
    /// What was lost and why, in words.
    pub lost: Vec<String>,
}

/// A seed that shows how an expectation does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The seed.
    pub seed: u64,
    /// The verdict on it there; `None` of an expectation over seeds.
    pub judged: Option<Judged>,
    /// What was lost and why, in words.
    pub lost: Vec<String>,
}

/// Counts of one expectation over all seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Count {
    /// In how many seeds it holds.
    pub holds: u64,
    /// In how many it is undecided.
    pub undecided: u64,
    /// In how many it is broken.
    pub broken: u64,
    /// The least and the greatest value that was measured.
    pub range: Option<(f64, f64)>,
}

impl Count {
    /// The verdict on the expectation.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self {
            Count { broken: 1.., .. } => Verdict::Broken,
            Count { undecided: 0, holds: 1.., .. } => Verdict::Holds,
            _ => Verdict::Undecided,
        }
    }
}

/// The seeds of one scenario, as far as they are done.
///
/// Seeds count in their order: what comes before its turn waits. If the expectations over seeds are
/// all decided by the first so many, the others do not count, whether they were simulated or not.
/// So the end does not depend on the order in which seeds are done.
#[derive(Clone, Debug)]
pub struct Tally {
    expected: Vec<Expected>,
    seeds: Vec<u64>,
    trials: Vec<Trial>,
    waiting: Vec<Option<SeedResult>>,
    /// Of each seed that counts: how it stands, and the verdicts.
    rows: Vec<(Standing, Vec<Found>)>,
    stopped: bool,
    /// Whether the first seed that does not hold is the last that counts.
    first_failure_ends: bool,
    cut: Option<Cut>,
    first: Option<First>,
    examples: Vec<Option<Example>>,
    over_examples: Vec<Option<Example>>,
    /// What the trials came to, once all seeds that count are done: bounds take some computing.
    told: Vec<Told>,
}

impl Tally {
    /// None of the seeds is done yet.
    #[must_use]
    pub fn new(expected: Vec<Expected>, over: &[OverSeeds], seeds: Vec<u64>) -> Tally {
        Tally {
            waiting: vec![None; seeds.len()],
            trials: over.iter().map(Trial::new).collect(),
            rows: Vec::new(),
            stopped: false,
            first_failure_ends: false,
            cut: None,
            first: None,
            examples: vec![None; expected.len()],
            over_examples: vec![None; over.len()],
            told: Vec::new(),
            expected,
            seeds,
        }
    }

    /// The same, but of which the first seed that does not hold is the last that counts.
    #[must_use]
    pub fn ending_at_first_failure(mut self) -> Tally {
        self.first_failure_ends = true;
        self
    }

    /// Seeds that are not counted in yet never will be: the time is over.
    pub fn cut_short(&mut self) {
        if !self.is_complete() {
            self.cut = Some(Cut::TimeBudget);
            self.end();
        }
    }

    /// As if none of its seeds had been simulated: a scenario before it does not hold, and the
    /// first of those is the last that counts.
    pub fn skip(&mut self) {
        let over: Vec<OverSeeds> = self.trials.iter().map(|trial| trial.over().clone()).collect();
        let (expected, seeds) =
            (std::mem::take(&mut self.expected), std::mem::take(&mut self.seeds));
        *self = Tally::new(expected, &over, seeds);
        self.cut = Some(Cut::FirstFailure);
        self.end();
    }

    fn end(&mut self) {
        self.stopped = true;
        self.waiting.fill(None);
        self.told = self.trials.iter().map(Trial::told).collect();
    }

    /// Why not all seeds that might count were simulated, if they were not.
    #[must_use]
    pub fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// Whether none of its seeds was simulated, since the call ended before.
    #[must_use]
    pub fn is_skipped(&self) -> bool {
        self.cut.is_some() && self.rows.is_empty()
    }

    /// Whether what counts already shows that it will not hold.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.first.is_some() || (self.is_complete() && self.standing() != Standing::Holds)
    }

    /// The seed at `index` is done.
    pub fn add(&mut self, index: usize, result: SeedResult) {
        if self.is_wanted(index) {
            self.waiting[index] = Some(result);
        }
        while !self.is_complete() {
            let Some(next) = self.waiting[self.rows.len()].take() else { return };
            self.count_in(next);
        }
    }

    /// Whether the seed at `index` may still count and is not done.
    #[must_use]
    pub fn is_wanted(&self, index: usize) -> bool {
        !self.stopped && index >= self.rows.len() && self.waiting[index].is_none()
    }

    fn count_in(&mut self, result: SeedResult) {
        let seed = self.seeds[self.rows.len()];
        let lost = &result.lost;
        for (index, judged) in &result.failing {
            let Some(example) = self.examples.get_mut(*index) else { continue };
            let worse = example.as_ref().and_then(|other| other.judged.as_ref());
            if worse.is_none_or(|other| judged.verdict > other.verdict) {
                let judged = Some(judged.clone());
                *example = Some(Example { seed, judged, lost: lost.clone() });
            }
        }
        for (at, trial) in self.trials.iter_mut().enumerate() {
            let value = result.over.get(at).copied().flatten();
            trial.add(value);
            let beyond = value.is_some_and(|value| trial.over().is_beyond(value));
            if beyond && self.over_examples[at].is_none() {
                let lost = lost.clone();
                self.over_examples[at] = Some(Example { seed, judged: None, lost });
            }
        }
        let worst = self.first.as_ref().map_or(Standing::Holds, |first| first.standing);
        if result.standing > worst {
            let line = |at: usize| self.expected.get(at).and_then(|expected| expected.line);
            let rank = |at: usize| self.expected.get(at).map(Expected::rank);
            let mut failing = result.failing;
            failing.sort_by_key(|(at, judged)| (std::cmp::Reverse(judged.verdict), rank(*at)));
            let judged = failing.into_iter().map(|(at, judged)| (judged, line(at))).collect();
            let (standing, trouble) = (result.standing, result.trouble);
            self.first = Some(First { seed, standing, judged, trouble, lost: result.lost });
        }
        self.rows.push((result.standing, result.judged));
        if self.first_failure_ends && self.first.is_some() && !self.is_complete() {
            self.cut = Some(Cut::FirstFailure);
            self.end();
            return;
        }
        let statistical = self.trials.iter().any(|trial| trial.over().is_statistical());
        self.stopped = statistical && self.trials.iter().all(|trial| trial.settled().is_some());
        if self.is_complete() {
            self.end();
        }
    }

    /// Whether all seeds that count are done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.stopped || self.rows.len() == self.seeds.len()
    }

    /// How many seeds count.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no seed counts yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many seeds there are to choose from.
    #[must_use]
    pub fn offered(&self) -> usize {
        self.seeds.len()
    }

    /// How the scenario stands: as its worst seed, or the worst of what is expected over seeds.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let seeds = self.rows.iter().map(|(standing, _)| *standing);
        let over = self.trials.iter().map(|trial| trial.verdict().into());
        let cut = self.cut.map(|_| Standing::Undecided);
        seeds.chain(over).chain(cut).max().unwrap_or(Standing::Undecided)
    }

    /// In how many seeds it stands like this.
    #[must_use]
    pub fn count(&self, standing: Standing) -> u64 {
        self.seeds(standing).count() as u64
    }

    /// The seeds that stand like this, in their order.
    pub fn seeds(&self, standing: Standing) -> impl Iterator<Item = u64> {
        let rows = self.seeds.iter().zip(&self.rows);
        rows.filter(move |(_, (own, _))| *own == standing).map(|(seed, _)| *seed)
    }

    /// Of the worst seeds the first, unless all hold.
    #[must_use]
    pub fn first(&self) -> Option<&First> {
        self.first.as_ref()
    }

    /// The seed whose report says most of why the scenario does not hold, if one does.
    #[must_use]
    pub fn telling(&self) -> Option<u64> {
        let over = self.trials.iter().zip(&self.over_examples);
        let broken = over.filter(|(trial, _)| trial.verdict() != Verdict::Holds);
        let shown = broken.filter_map(|(_, example)| example.as_ref());
        self.first.as_ref().map(|first| first.seed).or(shown.map(|example| example.seed).next())
    }

    /// Every expectation with its counts.
    pub fn counts(&self) -> impl Iterator<Item = (&Expected, Count)> {
        self.expected.iter().enumerate().map(|(at, expected)| {
            let mut count = Count::default();
            for (verdict, value) in self.rows.iter().filter_map(|(_, judged)| judged.get(at)) {
                match verdict {
                    Verdict::Holds => count.holds += 1,
                    Verdict::Undecided => count.undecided += 1,
                    Verdict::Broken => count.broken += 1,
                }
                if let Some(value) = *value {
                    let (least, most) = count.range.unwrap_or((value, value));
                    count.range = Some((least.min(value), most.max(value)));
                }
            }
            (expected, count)
        })
    }

    /// The first seed that shows best how each expectation does not hold, in the order of
    /// [`Tally::counts`].
    #[must_use]
    pub fn examples(&self) -> &[Option<Example>] {
        &self.examples
    }

    /// Every expectation over seeds as the scenario says it.
    pub fn over_texts(&self) -> impl Iterator<Item = String> {
        self.trials.iter().map(|trial| trial.over().text())
    }

    /// The line of the file on which each expectation over seeds begins.
    pub fn over_lines(&self) -> impl Iterator<Item = Option<usize>> {
        self.trials.iter().map(|trial| trial.over().line())
    }

    /// The line of the file that most deserves a look: of what does not hold the gravest.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        let first = self.first.iter().flat_map(|first| &first.judged);
        let each = first.map(|(judged, line)| (judged.verdict, *line));
        let over = self.told.iter().zip(self.over_lines()).map(|(told, line)| (told.verdict, line));
        let mut worst = (Verdict::Holds, None);
        for (verdict, line) in each.chain(over) {
            if verdict > worst.0 {
                worst = (verdict, line);
            }
        }
        worst.1
    }

    /// Every expectation over seeds as it says it, with the verdict, and a seed that is on the
    /// wrong side; nothing before all seeds that count are done.
    pub fn over(&self) -> impl Iterator<Item = (String, &Told, Option<&Example>)> {
        let trials = self.over_texts().zip(&self.told).zip(&self.over_examples);
        trials.map(|((text, told), example)| (text, told, example.as_ref()))
    }
}

/// What a defective report shows.
fn defect(report: &Report) -> String {
    let (lost, contradictions) = (report.summary.unexplained, report.inconsistencies);
    match (lost, contradictions) {
        (0, _) => format!("the cluster contradicted itself: {contradictions} times"),
        (lost, _) => {
            let were = if lost == 1 { "was" } else { "were" };
            format!("{} {were} lost without a cause", glance::lines(report, lost))
        }
    }
}

#[cfg(test)]
mod tests;
