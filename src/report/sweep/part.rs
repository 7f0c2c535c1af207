//! Shards: what is written beside their rows, and how they come together.

use serde::{Deserialize, Serialize};

use super::{MANIFEST, MARK, Run, Shard, Sweep, cells, line, row_columns, sum};
use crate::scenario::{Grid, is_name, no_folder, shown};

/// The version of the format of `sweep.json`.
const FORMAT: u32 = 1;

/// `sweep.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    mqsim_version: String,
    /// Equal for all shards of one sweep.
    key: String,
    scenario: String,
    /// First and last, as texts: many readers keep only 53 bits of a number.
    seeds: (String, String),
    grid: Grid,
    shard: Shard,
    /// How many rows `sweep.csv` has, and which bytes it is.
    runs: usize,
    sum: String,
}

/// The text of `sweep.json` for a table.
pub(super) fn manifest(sweep: &Sweep, shard: Shard, table: &str) -> String {
    let manifest = Manifest {
        format: FORMAT,
        mqsim_version: env!("CARGO_PKG_VERSION").to_owned(),
        key: sweep.key.clone(),
        scenario: sweep.scenario.clone(),
        seeds: (sweep.seeds.0.to_string(), sweep.seeds.1.to_string()),
        grid: sweep.grid.clone(),
        shard,
        runs: sweep.runs.len(),
        sum: sum(table),
    };
    serde_json::to_string_pretty(&manifest).expect("it is plain data") + "\n"
}

/// A shard as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    shard: Shard,
    sweep: Sweep,
}

/// Why shards do not come together. Each is one sentence and a remedy for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}\n  = help: {help}")]
pub struct PartError {
    what: String,
    help: String,
}

fn wrong<T>(what: String, help: &str) -> Result<T, PartError> {
    Err(PartError { what, help: help.to_owned() })
}

const AGAIN: &str = "run that shard again";

impl Part {
    /// Reads a shard from the texts of its two files.
    ///
    /// # Errors
    /// If they are not what a shard of this version wrote, or do not belong together.
    pub fn read(manifest: &str, table: &str) -> Result<Part, PartError> {
        let version = env!("CARGO_PKG_VERSION");
        // The version first: another one may have written anything else.
        let by = serde_json::from_str::<serde_json::Value>(manifest).ok();
        let by = by.as_ref().and_then(|value| value.get("mqsim_version")?.as_str());
        if let Some(by) = by.filter(|by| *by != version) {
            return wrong(
                format!("it was made by mqsim {}, and this is mqsim {version}", shown(by)),
                "make all shards and merge them with one version",
            );
        }
        let Some(manifest) = serde_json::from_str::<Manifest>(manifest).ok() else {
            return wrong(format!("{MANIFEST} is damaged"), AGAIN);
        };
        if manifest.format != FORMAT {
            return wrong(format!("{MANIFEST} has format {}", manifest.format), AGAIN);
        }
        let seeds = (manifest.seeds.0.parse::<u64>(), manifest.seeds.1.parse::<u64>());
        let (Ok(first), Ok(last)) = seeds else {
            return wrong(format!("{MANIFEST} has no seeds"), AGAIN);
        };
        let Shard { index, count } = manifest.shard;
        let named = is_name(&manifest.scenario) && no_folder(&manifest.scenario).is_none();
        if !named || first > last || index == 0 || index > count || manifest.grid.axes.is_empty() {
            return wrong(format!("{MANIFEST} contradicts itself"), AGAIN);
        }
        if sum(table) != manifest.sum {
            return wrong(format!("{MARK} is damaged: its bytes are not those written"), AGAIN);
        }
        let mut sweep = Sweep {
            scenario: manifest.scenario,
            weather: super::weather(&manifest.grid),
            grid: manifest.grid,
            seeds: (first, last),
            key: manifest.key,
            runs: Vec::with_capacity(manifest.runs),
        };
        sweep.runs = runs(&sweep, table)?;
        let mine = |(at, ..): &(usize, usize, u64)| manifest.shard.has(*at);
        let wanted = numbered(&sweep).filter(mine).map(|(_, cell, seed)| (cell, seed));
        if !sweep.runs.iter().map(|run| (run.cell, run.seed)).eq(wanted) {
            return wrong(format!("{MARK} has not the runs of shard {index}/{count}"), AGAIN);
        }
        Ok(Part { shard: manifest.shard, sweep })
    }
}

/// Every run of a sweep in order: number, cell, seed.
fn numbered(sweep: &Sweep) -> impl Iterator<Item = (usize, usize, u64)> {
    let (first, last) = sweep.seeds;
    let cells = 0..sweep.grid.cells();
    let runs = cells.flat_map(move |cell| (first..=last).map(move |seed| (cell, seed)));
    runs.enumerate().map(|(at, (cell, seed))| (at, cell, seed))
}

/// The rows of `sweep.csv`.
fn runs(sweep: &Sweep, table: &str) -> Result<Vec<Run>, PartError> {
    let damaged = |at: usize| PartError {
        what: format!("{MARK} is damaged in line {at}"),
        help: AGAIN.to_owned(),
    };
    let Some((header, rest)) = table.split_once('\n') else { return Err(damaged(1)) };
    if header != sweep.header() {
        return wrong(format!("{MARK} has other columns than this version writes"), AGAIN);
    }
    let before = 2 + 1 + sweep.grid.axes.len();
    let width = before + row_columns().count();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(rest.as_bytes());
    let mut runs = Vec::new();
    for (at, record) in reader.records().enumerate() {
        let record = record.ok().filter(|record| record.len() == width);
        let record: Vec<String> =
            record.ok_or_else(|| damaged(at + 2))?.iter().map(str::to_owned).collect();
        let cell = record[2].parse::<usize>().ok().and_then(|cell| cell.checked_sub(1));
        let cell = cell.filter(|cell| *cell < sweep.grid.cells());
        let (Some(cell), Ok(seed)) = (cell, record[1].parse()) else { return Err(damaged(at + 2)) };
        runs.push(Run { cell, seed, row: line(&record[before..]) });
    }
    debug_assert!(runs.iter().all(|run| cells(&run.row).len() == width - before));
    Ok(runs)
}

/// Puts all shards of a sweep together; each comes with the name of where it was found.
///
/// # Errors
/// If they are not all shards of one sweep, each once.
pub fn merge(mut parts: Vec<(String, Part)>) -> Result<Sweep, PartError> {
    let Some((place, first)) = parts.first().cloned() else {
        return wrong("there is no shard to merge".to_owned(), "name the folders of all shards");
    };
    let count = first.shard.count;
    for (other_place, other) in &parts[1..] {
        let differs = [
            ("another scenario", first.sweep.scenario != other.sweep.scenario),
            ("other values of keys", first.sweep.grid != other.sweep.grid),
            ("other seeds", first.sweep.seeds != other.sweep.seeds),
            ("another text of the scenario", first.sweep.key != other.sweep.key),
            ("another number of shards", count != other.shard.count),
        ];
        if let Some((what, _)) = differs.iter().find(|(_, differs)| *differs) {
            return wrong(
                format!("{other_place} is of {what} than {place}: they are shards of two sweeps"),
                "merge the shards of one sweep only",
            );
        }
    }
    parts.sort_by_key(|(_, part)| part.shard.index);
    for pair in parts.windows(2) {
        if pair[0].1.shard == pair[1].1.shard {
            let index = pair[0].1.shard.index;
            return wrong(
                format!("shard {index}/{count} is there twice: {} and {}", pair[0].0, pair[1].0),
                "name each shard once",
            );
        }
    }
    let there = |index: &u32| parts.iter().any(|(_, part)| part.shard.index == *index);
    let missing: Vec<String> =
        (1..=count).filter(|index| !there(index)).map(|index| format!("{index}/{count}")).collect();
    if !missing.is_empty() {
        let shown = missing.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
        let more = missing.len().saturating_sub(8);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        return wrong(
            format!("shards are missing: {shown}{more}"),
            "run `mqsim sweep` with --shard for each of them, then merge again",
        );
    }
    let mut whole = Sweep { runs: Vec::new(), ..first.sweep };
    whole.runs = parts.into_iter().flat_map(|(_, part)| part.sweep.runs).collect();
    whole.runs.sort_by_key(|run| (run.cell, run.seed));
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::super::tests::sweep;
    use super::*;

    fn part(index: u32, count: u32) -> (String, String) {
        let (whole, shard) = (sweep(), Shard { index, count });
        let runs = whole.runs.iter().enumerate().filter(|(at, _)| shard.has(*at));
        let runs = runs.map(|(_, run)| run.clone()).collect();
        let part = Sweep { runs, ..whole.clone() };
        let table = part.table();
        (manifest(&part, shard, &table), table)
    }

    fn read(index: u32, count: u32) -> (String, Part) {
        let (manifest, table) = part(index, count);
        (format!("part-{index}"), Part::read(&manifest, &table).unwrap())
    }

    #[test]
    fn a_damaged_shard_is_noticed() {
        let (manifest, table) = part(2, 3);
        let said =
            |manifest: &str, table: &str| Part::read(manifest, table).unwrap_err().to_string();
        for cut in [0, 10, table.len() / 2, table.len() - 1] {
            assert!(said(&manifest, &table[..cut]).contains("sweep.csv is damaged"));
        }
        assert!(said(&manifest[..40], &table).contains("sweep.json is damaged"));
        let version = format!("\"{}\"", env!("CARGO_PKG_VERSION"));
        let older = manifest.replace(&version, "\"0.0.9\"");
        assert!(said(&older, &table).starts_with("it was made by mqsim 0.0.9, and this is"));
        // A whole table, but of another shard.
        let (_, other) = part(1, 3);
        let swapped = manifest.replace(&sum(&table), &sum(&other));
        assert!(said(&swapped, &other).contains("has not the runs of shard 2/3"));
        let none = manifest.replace("\"index\": 2", "\"index\": 4");
        assert!(said(&none, &table).contains("contradicts itself"));
    }

    #[test]
    fn shards_must_be_all_of_one_sweep_each_once() {
        let said = |parts: Vec<(String, Part)>| merge(parts).unwrap_err().to_string();
        assert!(said(vec![]).starts_with("there is no shard"));
        let missing = said(vec![read(2, 4)]);
        assert!(missing.starts_with("shards are missing: 1/4, 3/4, 4/4"), "{missing}");
        let twice = said(vec![read(1, 2), read(2, 2), read(1, 2)]);
        assert!(twice.starts_with("shard 1/2 is there twice: part-1 and part-1"), "{twice}");
        let counts = said(vec![read(1, 2), read(2, 3)]);
        assert!(counts.contains("another number of shards"), "{counts}");
        let mut other = read(2, 2);
        other.1.sweep.seeds = (4, 8);
        let seeds = said(vec![read(1, 2), other]);
        assert!(seeds.starts_with("part-2 is of other seeds than part-1"), "{seeds}");
    }
}
