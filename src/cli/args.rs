//! What can be typed.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::console::shell_word;
use super::run::processors;
use super::{help, machine};
use crate::report::sweep::Shard;
use crate::run::Which;
use crate::scenario::units;

/// Simulates message queues under faults, deterministically: which messages are lost, duplicated
/// or delayed when brokers crash, and why.
#[derive(Debug, Parser)]
#[command(name = "mqsim", version, long_version = help::VERSION, after_help = help::MQSIM)]
#[command(max_term_width = 100)]
pub(super) struct Cli {
    /// Colours: on a terminal only, always, never
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub(super) color: Color,
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

/// When there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[repr(u8)]
pub(super) enum Color {
    // On a terminal, unless `NO_COLOR` is set. (A doc comment would be a second page of help.)
    Auto,
    Always,
    Never,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Simulate scenarios, print the verdict, write the report folder
    #[command(after_help = help::RUN)]
    Run(Run),
    /// Hold scenarios to every expectation over many seeds, in parallel
    #[command(after_help = help::CHECK)]
    Check(Check),
    /// Tell the story of a message: why it was lost, when it was too late, what would have saved it
    #[command(after_help = help::EXPLAIN)]
    Explain(Explain),
    /// Print the scenario that a variant of a portable one comes to, in its broker's own settings
    #[command(after_help = help::EXPLAIN_SETTINGS)]
    ExplainSettings(ExplainSettings),
    /// Put brokers side by side: every variant of a portable scenario under the same load, faults and seeds
    #[command(after_help = help::MATRIX)]
    Matrix(Matrix),
    /// Keep what scenarios do in mqsim.lock, so that `check --locked` tells when it changes
    #[command(after_help = help::LOCK)]
    Lock(Lock),
    /// Compare two reports, or two scenarios under the same seeds: what changed, and for which lines
    #[command(after_help = help::COMPARE)]
    Compare(Compare),
    /// Vary keys and seeds: one tidy table, one plot, and which cells no other beats
    #[command(after_help = help::SWEEP)]
    Sweep(Sweep),
    /// Put the shards of a sweep together
    #[command(after_help = help::MERGE)]
    Merge(Merge),
    /// Print a scenario to begin with: one of a mode, or of a failure that is known
    #[command(after_help = help::NEW)]
    New(New),
    /// Print the JSON Schema of scenario files, for editors
    #[command(after_help = help::SCHEMA)]
    Schema(Schema),
    /// List modes, faults, actions, metrics, selectors, known failures, or the keys of a mode
    #[command(after_help = help::LIST)]
    List(List),
    /// Print what makes a shell complete the words of mqsim
    #[command(after_help = help::COMPLETIONS)]
    Completions(Completions),
    /// Print the manual page of mqsim or of one of its commands
    #[command(after_help = help::MAN)]
    Man(Man),
}

/// `mqsim run`.
#[derive(Clone, Debug, Args)]
pub(super) struct Run {
    /// Scenario files; - is stdin
    #[arg(required = true, value_name = "SCENARIO")]
    pub(super) scenarios: Vec<PathBuf>,
    /// Where report folders go; each gets the name of its scenario
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(super) out: PathBuf,
    /// Run again whenever a scenario's file changes, until Ctrl-C
    #[arg(long, conflicts_with_all = ["json", "freeze_faults"])]
    pub(super) watch: bool,
    /// Write the scenario with the faults that [nemesis] drew as [[fault]], for one seed
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    pub(super) freeze_faults: Option<PathBuf>,
    /// Write what every client did, for one seed, as a history in Jepsen's form: .edn or .jsonl
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seeds", "watch"])]
    pub(super) history: Option<PathBuf>,
    /// What `check` takes too
    #[command(flatten)]
    pub(super) common: Common,
}

/// `mqsim check`.
#[derive(Clone, Debug, Args)]
pub(super) struct Check {
    /// Scenario files, and directories that are searched for them; - is stdin
    #[arg(required = true, value_name = "SCENARIO|DIR")]
    pub(super) scenarios: Vec<PathBuf>,
    /// Write the report folder of the first failing seed of each scenario that fails
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Write a JUnit document: a suite a scenario, a case an expectation
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// Write a summary in Markdown; on GitHub --markdown "$GITHUB_STEP_SUMMARY", which is added to
    #[arg(long, value_name = "FILE")]
    pub(super) markdown: Option<PathBuf>,
    /// Only scenarios whose name contains this (repeatable: any of them)
    #[arg(long, short = 'k', value_name = "WORD")]
    pub(super) filter: Vec<String>,
    /// Only the Ith of N parts of the scenarios: each part in a job of its own
    #[arg(long, value_name = "I/N", value_parser = shard, allow_hyphen_values = true)]
    pub(super) shard: Option<Shard>,
    /// End with the first scenario that does not hold, at its first such seed
    #[arg(long, short = 'x')]
    pub(super) fail_fast: bool,
    /// Begin no more runs after this time, as in 10min; what is not done by then is undecided
    #[arg(long, value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
    pub(super) time_budget: Option<std::time::Duration>,
    /// Go on with new seeds, from --seed on, until Ctrl-C or the time budget is over; keep what fails
    /// in --out [default: failing]
    #[arg(long, conflicts_with_all = ["seeds", "junit", "markdown", "resume", "locked", "json"])]
    pub(super) forever: bool,
    /// Keep finished seeds in this file until all are done: after a kill the same call goes on
    #[arg(long, value_name = "FILE")]
    pub(super) resume: Option<PathBuf>,
    /// Fail if a scenario behaves otherwise than mqsim.lock says (see `mqsim lock`)
    #[arg(long, conflicts_with = "set")]
    pub(super) locked: bool,
    /// What `run` takes too
    #[command(flatten)]
    pub(super) common: Common,
}

/// `mqsim compare`.
///
/// Two scenarios are simulated under the same seeds, so both meet the same random draws as long as
/// their histories are the same, and line by line it is told what became of it in A and in B.
#[derive(Clone, Debug, Args)]
pub(super) struct Compare {
    /// A report folder, a summary.csv, or a scenario file; - is a scenario from stdin
    #[arg(value_name = "A")]
    pub(super) first: PathBuf,
    /// The same kind of thing; not needed with --set-a, --set-b or --seed-b [default: A]
    #[arg(value_name = "B")]
    pub(super) second: Option<PathBuf>,
    /// Change a value of scenario A only (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub(super) set_a: Vec<String>,
    /// Change a value of scenario B only (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub(super) set_b: Vec<String>,
    /// Compare this seed of A with --seed-b: where two seeds part, and why
    #[arg(long, value_name = "N", value_parser = seed, requires = "seed_b")]
    #[arg(conflicts_with_all = ["seed", "seeds"], allow_negative_numbers = true)]
    pub(super) seed_a: Option<u64>,
    /// The seed of B
    #[arg(long, value_name = "N", value_parser = seed, requires = "seed_a")]
    #[arg(conflicts_with_all = ["seed", "seeds"], allow_negative_numbers = true)]
    pub(super) seed_b: Option<u64>,
    /// How much worse B may be: by a number or percent of A, as in success_lost=0,ack_p99_us=10%
    #[arg(long, value_name = "METRIC=LIMIT,..", default_value = "success_lost=0")]
    pub(super) tolerance: String,
    /// Write the comparison in Markdown, for a pull request
    #[arg(long, value_name = "FILE")]
    pub(super) markdown: Option<PathBuf>,
    /// Where the folder of the comparison goes, NAME-compare or A-vs-B
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(super) out: PathBuf,
    /// What `run` takes too
    #[command(flatten)]
    pub(super) common: Common,
}

/// `mqsim sweep`.
///
/// A --set with several values is an axis of the sweep: --set producer.p1.rate=1k/s,5k/s. Commas in
/// brackets, braces and quotes belong to a value. A --set with one value is the same everywhere. A
/// sweep that was interrupted goes on where it was when the same command is given again.
#[derive(Clone, Debug, Args)]
pub(super) struct Sweep {
    /// The scenario file; - is stdin
    #[arg(value_name = "SCENARIO")]
    pub(super) scenario: PathBuf,
    /// Where the folder of the sweep goes, NAME-sweep
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(super) out: PathBuf,
    /// Take the first value of every axis, then the second and so on, not every combination
    #[arg(long)]
    pub(super) paired: bool,
    /// How cells are grouped and what is shown of them
    #[command(flatten)]
    pub(super) view: View,
    /// Run the Ith of N parts only, for `mqsim merge` to put together
    #[arg(long, value_name = "I/N", value_parser = shard, allow_hyphen_values = true)]
    pub(super) shard: Option<Shard>,
    /// What `run` takes too
    #[command(flatten)]
    pub(super) common: Common,
}

/// How the cells of a sweep are shown.
#[derive(Clone, Debug, Args)]
pub(super) struct View {
    /// Weigh cells only against those with the same values of these keys, or of none [default: keys
    /// of faults]
    #[arg(long, value_name = "KEY,..|none", value_delimiter = ',')]
    pub(super) group_by: Vec<String>,
    /// Print these metrics, as in ack_p50_us,acked_per_s,read_lost [default: loss, availability,
    /// latency]
    #[arg(long, value_name = "METRIC,..", value_delimiter = ',')]
    pub(super) show: Vec<String>,
}

/// `mqsim merge`.
#[derive(Clone, Debug, Args)]
pub(super) struct Merge {
    /// Folders of shards, and directories in which they are
    #[arg(required = true, value_name = "DIR")]
    pub(super) shards: Vec<PathBuf>,
    /// Where the folder of the sweep goes, NAME-sweep
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(super) out: PathBuf,
    /// How cells are grouped and what is shown of them
    #[command(flatten)]
    pub(super) view: View,
    /// Print errors only
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// What every command takes that simulates.
#[derive(Clone, Debug, Args)]
pub(super) struct Common {
    /// Simulate this seed instead of the scenario's
    #[arg(long, value_name = "N", conflicts_with = "seeds", value_parser = seed)]
    #[arg(allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
    /// Simulate these seeds, both ends included
    #[arg(long, value_name = "A..=B", value_parser = seeds, allow_hyphen_values = true)]
    pub(super) seeds: Option<RangeInclusive<u64>>,
    /// Change a value of the scenario, for example producer.p1.rate=5k/s (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub(super) set: Vec<String>,
    /// How many seeds to simulate at once [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    #[arg(allow_negative_numbers = true)]
    pub(super) jobs: Option<u32>,
    /// Give up a run after so many events, naming the machines that chase each other
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    #[arg(allow_negative_numbers = true)]
    pub(super) max_events: Option<u64>,
    /// Refuse what could need more memory, as in 8GiB [default: as much as the machine has, divided
    /// among the runs that go on at once]
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub(super) max_memory: Option<u64>,
    /// Print errors only, and what does not hold under `check`
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Print one JSON document instead of text; seeds and fingerprints are strings in it
    #[arg(long, conflicts_with = "quiet")]
    pub(super) json: bool,
}

impl Compare {
    /// A seed of A and one of B, if such a pair is compared.
    pub(super) fn pair(&self) -> Option<[u64; 2]> {
        self.seed_a.zip(self.seed_b).map(|(a, b)| [a, b])
    }
}

impl Common {
    /// The seeds that the command line names, if it does.
    pub(super) fn wanted_seeds(&self) -> Option<Vec<u64>> {
        let range = self.seeds.as_ref().map(|range| range.clone().collect());
        range.or(self.seed.map(|seed| vec![seed]))
    }

    /// The bytes that each run may need, if there are so many runs.
    pub(super) fn memory(&self, runs: Option<usize>) -> u64 {
        let jobs = self.jobs.map_or_else(processors, |jobs| jobs as usize);
        let at_once = jobs.min(runs.unwrap_or(jobs)).max(1) as u64;
        self.max_memory.unwrap_or_else(machine::memory) / at_once
    }

    /// The same without the changes to a section.
    pub(super) fn without(&self, section: &str) -> Common {
        let of = |set: &String| {
            let path = set.split('=').next().unwrap_or("").trim();
            path.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        Common { set: self.set.iter().filter(|set| !of(set)).cloned().collect(), ..self.clone() }
    }

    /// The command that runs one seed of this call again.
    pub(super) fn replay(&self, path: &str, seed: u64) -> String {
        let mut words = vec!["mqsim".to_owned(), "run".to_owned(), shell_word(path)];
        words.push(format!("--seed {seed}"));
        words.extend(self.set.iter().map(|set| format!("--set {}", shell_word(set))));
        words.extend(self.max_events.map(|events| format!("--max-events {events}")));
        words.join(" ")
    }
}

/// `mqsim matrix`.
///
/// A matrix that was interrupted goes on where it was when the same command is given again.
#[derive(Clone, Debug, Args)]
pub(super) struct Matrix {
    /// The portable scenario, with mode = "any"; - is stdin
    #[arg(value_name = "SCENARIO")]
    pub(super) scenario: PathBuf,
    /// Where the folder of the matrix goes, NAME-matrix
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(super) out: PathBuf,
    /// What `run` takes too
    #[command(flatten)]
    pub(super) common: Common,
}

/// `mqsim explain-settings`.
#[derive(Clone, Debug, Args)]
pub(super) struct ExplainSettings {
    /// The portable scenario, with mode = "any"; - is stdin
    #[arg(value_name = "SCENARIO")]
    pub(super) scenario: PathBuf,
    /// The name of one of its variants
    pub(super) variant: String,
    /// Change a value of the portable scenario, for example producer.p1.rate=5k/s (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub(super) set: Vec<String>,
}

/// `mqsim explain`.
///
/// Without --message it is the message that was lost first, of those that their producers took for a success.
#[derive(Clone, Debug, Args)]
pub(super) struct Explain {
    /// The scenario file; - is stdin
    #[arg(value_name = "SCENARIO")]
    pub(super) scenario: PathBuf,
    /// This message, as loss.csv has it: p1/5012, or p1/orders/0/5012 where a producer numbers what it sends
    /// by destination
    #[arg(long, value_name = "PRODUCER/NUMBER", value_parser = message)]
    pub(super) message: Option<Which>,
    /// The message that was lost first, which is what is explained if nothing is said
    #[arg(long, conflicts_with = "message")]
    pub(super) first_loss: bool,
    /// Simulate this seed instead of the scenario's
    #[arg(long, value_name = "N", value_parser = seed, allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
    /// Change a value of the scenario, for example producer.p1.rate=5k/s (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub(super) set: Vec<String>,
    /// How many runs go on at once [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    #[arg(allow_negative_numbers = true)]
    pub(super) jobs: Option<u32>,
}

impl Explain {
    /// The message that is meant.
    pub(super) fn which(&self) -> Which {
        self.message.clone().unwrap_or(Which::FirstLoss)
    }
}

/// `mqsim lock`.
#[derive(Clone, Debug, Args)]
pub(super) struct Lock {
    /// Scenario files, and directories that are searched for them
    #[arg(required = true, value_name = "SCENARIO|DIR")]
    pub(super) scenarios: Vec<PathBuf>,
    /// Take over what has changed, and forget scenarios that are gone
    #[arg(long)]
    pub(super) accept: bool,
    /// How many scenarios to simulate at once [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    #[arg(allow_negative_numbers = true)]
    pub(super) jobs: Option<u32>,
    /// Print errors and what has changed only
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// `mqsim list`.
#[derive(Debug, Args)]
pub(super) struct List {
    /// modes, faults, actions, metrics, selectors, failures, or the name of a mode [default: modes]
    pub(super) what: Option<String>,
    /// Of failures those that all these words describe; of a mode these sections only
    #[arg(value_name = "WORD|SECTION")]
    pub(super) only: Vec<String>,
}

/// `mqsim new`.
#[derive(Debug, Args)]
pub(super) struct New {
    /// The name of a mode; `mqsim list` has them. That of a broker means its mode that replicates
    #[arg(required_unless_present = "from")]
    pub(super) mode: Option<String>,
    /// A shipped failure scenario instead; `mqsim list failures` has them
    #[arg(long, value_name = "NAME", conflicts_with = "mode")]
    pub(super) from: Option<String>,
    /// Write it to this file, which must not exist yet
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// `mqsim schema`.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Only for scenarios of this mode: editors then mark what is wrong alone [default: of any]
    pub(super) mode: Option<String>,
}

/// `mqsim completions`.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    pub(super) shell: clap_complete::Shell,
}

/// `mqsim man`.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// The command [default: mqsim itself]
    pub(super) command: Option<String>,
}

/// At most this many seeds in one call: a report of more helps nobody and would not fit memory.
const MOST_SEEDS: u64 = 100_000;

/// Any number of 64 bits.
fn seed(text: &str) -> Result<u64, String> {
    let expected = |_| format!("expected a whole number from 0 to {}", u64::MAX);
    text.trim().parse().map_err(expected)
}

/// `1..=20`, `1..21`.
fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let expected = || "expected the first and the last seed, as in 1..=20".to_owned();
    let empty = "there is no seed in it; write the lesser number first, as in 1..=20";
    let (first, last) = text.split_once("..").ok_or_else(expected)?;
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| expected());
    let first = number(first)?;
    let last = match last.strip_prefix('=') {
        Some(last) => number(last)?,
        None => number(last)?.checked_sub(1).ok_or(empty)?,
    };
    if first > last {
        return Err(empty.to_owned());
    }
    if last - first >= MOST_SEEDS {
        return Err(format!("one call simulates at most {MOST_SEEDS} seeds; split the range"));
    }
    Ok(first..=last)
}

/// `8GiB`.
fn memory(text: &str) -> Result<u64, String> {
    match units::size(text.trim()) {
        Ok(bytes) if bytes >= 1 << 20 => Ok(bytes),
        _ => Err("expected a size of at least 1MiB, as in 8GiB".to_owned()),
    }
}

/// `10min`, `90s`: as in scenarios.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let span = crate::scenario::units::duration(text).map_err(|error| error.to_string())?;
    Ok(std::time::Duration::from_nanos(span.as_nanos()))
}

/// `3/16`.
fn shard(text: &str) -> Result<Shard, String> {
    let expected = || "expected which part of how many, as in 3/16".to_owned();
    let (index, count) = text.split_once('/').ok_or_else(expected)?;
    let number = |text: &str| text.trim().parse::<u32>().map_err(|_| expected());
    let (index, count) = (number(index)?, number(count)?);
    match (index, count) {
        (_, 0) => Err("there is at least one part, 1/1".to_owned()),
        (index, count) if index == 0 || index > count => {
            Err(format!("the parts are 1/{count} to {count}/{count}"))
        }
        _ => Ok(Shard { index, count }),
    }
}

/// `KEY=VALUE`; what the key may be is the scenario's affair.
fn message(text: &str) -> Result<Which, String> {
    let expected = || "expected a producer and a number, as in p1/5012".to_owned();
    let (row, number) = text.trim().rsplit_once('/').ok_or_else(expected)?;
    let number = number.parse().map_err(|_| expected())?;
    let (producer, destination) = match row.split_once('/') {
        Some((producer, destination)) => (producer, Some(destination.to_owned())),
        None => (row, None),
    };
    if producer.is_empty() {
        return Err(expected());
    }
    Ok(Which::Named { producer: producer.to_owned(), destination, number })
}

/// `producer.p1.rate=5k/s`.
fn setting(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.trim().is_empty() => Ok(text.to_owned()),
        _ => Err("expected KEY=VALUE as in producer.p1.rate=5k/s".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn ranges_of_seeds() {
        assert_eq!(seeds("1..=20"), Ok(1..=20));
        assert_eq!(seeds("1..21"), Ok(1..=20));
        assert_eq!(seeds("7 ..= 7"), Ok(7..=7));
        for wrong in ["", "5", "..", "a..=b", "9..=8", "5..5", "0..0", "0..=18446744073709551615"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shards_are_counted_from_one() {
        assert_eq!(shard("3/16"), Ok(Shard { index: 3, count: 16 }));
        assert_eq!(shard("1/1"), Ok(Shard::WHOLE));
        for wrong in ["0/0", "17/16", "0/4", "4", "-1/4", "a/b", "1/", "1/2/3"] {
            assert!(shard(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_message_is_a_producer_and_a_number() {
        let named = |producer: &str, destination: Option<&str>, number| {
            let (producer, destination) = (producer.to_owned(), destination.map(str::to_owned));
            Ok(Which::Named { producer, destination, number })
        };
        assert_eq!(message("p1/12"), named("p1", None, 12));
        assert_eq!(message("p1/orders/0/12"), named("p1", Some("orders/0"), 12));
        for wrong in ["p1", "/12", "p1/", "p1/x", "12"] {
            assert!(message(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn settings_need_a_key() {
        assert!(setting("a=b=c").is_ok());
        assert!(setting("=b").is_err());
        assert!(setting("a").is_err());
    }
}
