//! What can be typed.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Simulates message queues under faults, deterministically: which messages are lost, duplicated
/// or delayed when brokers crash, and why.
#[derive(Debug, Parser)]
#[command(name = "mqsim", version, after_help = super::exit::HELP, max_term_width = 100)]
pub(super) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Simulate scenarios, print the verdict, write the report folder
    #[command(after_help = super::exit::HELP)]
    Run(Run),
    /// List modes, faults, metrics and selectors, or all keys of a mode
    List(List),
}

/// `mqsim run`.
#[derive(Clone, Debug, Args)]
pub(super) struct Run {
    /// Scenario files
    #[arg(required = true, value_name = "SCENARIO")]
    pub(super) scenarios: Vec<PathBuf>,
    /// Where report folders go; each gets the name of its scenario
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(super) out: PathBuf,
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
    /// Print errors only
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Print one JSON document instead of text; seeds and fingerprints are strings in it
    #[arg(long, conflicts_with = "quiet")]
    pub(super) json: bool,
}

/// `mqsim list`.
#[derive(Debug, Args)]
pub(super) struct List {
    /// modes, faults, metrics, selectors, or the name of a mode [default: modes]
    pub(super) what: Option<String>,
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

/// `KEY=VALUE`; what the key may be is the scenario's affair.
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
    fn settings_need_a_key() {
        assert!(setting("a=b=c").is_ok());
        assert!(setting("=b").is_err());
        assert!(setting("a").is_err());
    }
}
