//! What the command line needs of the library. `run` provides it; tests have a double.

use std::io::Write;
use std::ops::RangeInclusive;
use std::path::Path;

use crate::report::Unfinished;
use crate::report::compare::Parted;
use crate::report::lock::Trace;
use crate::report::tally::Expected;
use crate::run::{Absent, Chapter, Explanation, Failure, HistoryFormat, Progress, Which};
use crate::verdict::{OverSeeds, Report};

/// What the command line adds to a prepared scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// How many seeds to simulate at once.
    pub jobs: usize,
    /// Give up a run after so many events.
    pub max_events: Option<u64>,
}

/// The variants of a portable scenario.
#[derive(Clone, Debug)]
pub struct Variants<P> {
    /// The scenario's name.
    pub name: String,
    /// The names of the variants with what is simulated, in the order of the file.
    pub variants: Vec<(String, P)>,
}

/// One line of `mqsim list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What to write in a scenario.
    pub name: String,
    /// What it means, one sentence.
    pub meaning: String,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The broker architectures: values of `mode`.
    Modes,
    /// Kinds of fault.
    Faults,
    /// What an operator can do.
    Actions,
    /// What `[[expect]]` can judge.
    Metrics,
    /// How targets are named.
    Selectors,
}

/// Loads and simulates scenarios, and knows what can be written in them.
pub trait Simulator: Sync {
    /// A scenario that was read, checked and planned.
    type Prepared: Sync;

    /// Reads, checks and plans a scenario whose messages may need so many bytes of memory; `-` is
    /// stdin. The error is ready for people, with the place in the
    /// file.
    ///
    /// # Errors
    /// If the file cannot be read or says something that is not understood.
    fn load(&self, path: &Path, sets: &[String], memory: u64) -> Result<Self::Prepared, String>;

    /// The variants of a portable scenario, each read, checked and planned as [`Simulator::load`] does it.
    ///
    /// # Errors
    /// If the file cannot be read, is no portable scenario or says something that is not understood.
    fn variants(
        &self,
        path: &Path,
        sets: &[String],
        memory: u64,
    ) -> Result<Variants<Self::Prepared>, String>;

    /// The scenario of a variant as its broker has it.
    ///
    /// # Errors
    /// As [`Simulator::variants`], or if there is no such variant.
    fn variant_text(&self, path: &Path, variant: &str, sets: &[String]) -> Result<String, String>;

    /// The scenario's name: that of its report folder.
    fn name<'p>(&self, prepared: &'p Self::Prepared) -> &'p str;

    /// The scenario's text as it was read, without what `--set` changes.
    fn text<'p>(&self, prepared: &'p Self::Prepared) -> &'p str;

    /// What is simulated: mode and version of the broker.
    fn mode<'p>(&self, prepared: &'p Self::Prepared) -> (&'p str, &'p str);

    /// The same scenario, with reports that say how every line ended.
    fn with_lines(&self, prepared: Self::Prepared) -> Self::Prepared;

    /// Where the histories of two scenarios part, each with its seed; `None` if they never do.
    ///
    /// # Errors
    /// If a run does not end by itself: one sentence for people.
    fn part(
        &self,
        first: &Self::Prepared,
        second: &Self::Prepared,
        seeds: [u64; 2],
    ) -> Result<Option<Parted>, String>;

    /// The scenario's own seed.
    fn seed(&self, prepared: &Self::Prepared) -> u64;

    /// The seeds that `mqsim check` runs of it.
    fn seeds(&self, prepared: &Self::Prepared) -> RangeInclusive<u64>;

    /// What it expects, in the order of the file.
    fn expectations(&self, prepared: &Self::Prepared) -> Vec<Expected>;

    /// What it expects of many seeds together, in the order of the file.
    fn over_seeds(&self, prepared: &Self::Prepared) -> Vec<OverSeeds>;

    /// Simulates pairs of a scenario and a seed. They begin in their order; `each` is handed the
    /// place in `work` and the result, from any thread and in any order.
    fn simulate_each(
        &self,
        work: &[(&Self::Prepared, u64)],
        asked: Asked,
        each: &(dyn Fn(usize, Result<Report, Unfinished>) + Sync),
    ) {
        self.simulate_wanted(work, asked, &|_| true, each);
    }

    /// The same, but each is simulated only if it is still `wanted` when its turn comes.
    fn simulate_wanted(
        &self,
        work: &[(&Self::Prepared, u64)],
        asked: Asked,
        wanted: &(dyn Fn(usize) -> bool + Sync),
        each: &(dyn Fn(usize, Result<Report, Unfinished>) + Sync),
    );

    /// Simulates the own seed of each scenario, `jobs` at a time, with the checkpoints that a lock
    /// keeps; `each` is handed its place and the result, from any thread and in any order.
    fn trace_each(
        &self,
        work: &[&Self::Prepared],
        jobs: usize,
        each: &(dyn Fn(usize, Result<Trace, Unfinished>) + Sync),
    );

    /// Simulates the seeds, results in their order. `told` hears how far it has come, from any thread.
    /// An error is for people: the run ran away, or a limit ended it.
    fn simulate(
        &self,
        prepared: &Self::Prepared,
        seeds: &[u64],
        asked: Asked,
        told: &(dyn Fn(Progress) + Sync),
    ) -> Vec<Result<Report, Unfinished>>;

    /// The text of the scenario with its random faults as they came to be for a seed; `note` is a
    /// comment in it. The error is one sentence for people, and whether the scenario is to blame.
    fn freeze(
        &self,
        prepared: &Self::Prepared,
        seed: u64,
        max_events: Option<u64>,
        note: &str,
    ) -> Result<String, (String, bool)>;

    /// Writes what the clients of a seed's run did. The error is one sentence for people.
    ///
    /// # Errors
    /// If the run does not end by itself, or the history cannot be written.
    fn history(
        &self,
        prepared: &Self::Prepared,
        seed: u64,
        format: HistoryFormat,
        out: &mut dyn Write,
    ) -> Result<(), String>;

    /// The story of a message of a seed. `variant` is the same scenario with one more setting, if that is
    /// understood; so many runs go on at once. The error is for people, and says whether it is a wrong input.
    ///
    /// # Errors
    /// If no message is meant, or a run does not end by itself.
    fn explain(
        &self,
        prepared: &Self::Prepared,
        seed: u64,
        which: &Which,
        variant: &(dyn Fn(&str) -> Option<Self::Prepared> + Sync),
        jobs: usize,
    ) -> Result<Explanation, (String, bool)>;

    /// What can be written for a topic.
    fn list(&self, topic: Topic) -> Vec<Entry>;

    /// The shipped failure scenarios that all of these words describe, the best described first.
    fn failures(&self, words: &[String]) -> Vec<Failure>;

    /// What a word asks for, if it is known to be missing.
    fn absent(&self, word: &str) -> Option<&'static Absent>;

    /// A scenario of this mode to begin with; `None` if there is no such mode.
    fn starter(&self, mode: &str) -> Option<String>;

    /// The JSON Schema of the scenarios of a mode, or of all; `None` if there is no such mode.
    fn schema(&self, mode: Option<&str>) -> Option<String>;

    /// Everything that can be written in a scenario of this mode; `None` if there is no such mode.
    fn describe_mode(&self, name: &str) -> Option<Vec<Chapter>>;
}
