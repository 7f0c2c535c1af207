//! `mqsim compare`.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::args::Compare;
use super::console;
use super::exit::Exit;
use super::find::is_stdin;
use super::interrupt::Interrupt;
use super::new_file::{self, Output};
use super::run::processors;
use super::simulator::{Asked, Simulator};
use crate::report::compare::{
    Comparison, MARK, MARKDOWN, Parted, SeedTables, Side, Standing, Tolerance, markdown, tolerances,
};
use crate::report::folder::Reports;
use crate::report::{self, TABLES, Unfinished, json, terminal};
use crate::scenario::{shown, shown_path};

/// `--markdown`.
const PAGE: new_file::Kind = new_file::Kind { begins: MARKDOWN, called: "comparison" };

/// What is wrong, and whose fault it is.
type Failed = (String, Exit);

fn input(message: impl Into<String>) -> Failed {
    (message.into(), Exit::Input)
}

/// Two sides that are there already, or are to be simulated.
enum Sides<P> {
    Read([Side; 2]),
    Simulate(Box<[Scenario<P>; 2]>, Vec<u64>),
}

/// A scenario of the call.
struct Scenario<P> {
    label: String,
    name: String,
    prepared: P,
}

/// Compares, prints, writes the folder and the Markdown.
pub(super) fn execute<S: Simulator>(simulator: &S, wanted: &Compare) -> Exit {
    let interrupt = match Interrupt::install() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            console::error(&format!("cannot handle signals: {error}"));
            return Exit::Failure;
        }
    };
    compare(simulator, wanted, &interrupt).unwrap_or_else(|(message, exit)| {
        console::error(&message);
        exit
    })
}

fn compare<S: Simulator>(
    simulator: &S,
    wanted: &Compare,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let tolerances = tolerances(&wanted.tolerance)
        .map_err(|message| input(format!("--tolerance {}: {message}", wanted.tolerance)))?;
    let sides = sides(simulator, wanted)?;
    let file = wanted.markdown.as_ref().map(|file| Output::at(file, &PAGE)).transpose()?;
    let names = match &sides {
        Sides::Read(sides) => sides.each_ref().map(|side| side.scenario.clone()),
        Sides::Simulate(scenarios, _) => scenarios.each_ref().map(|one| one.name.clone()),
    };
    let name = match &names {
        [a, b] if a == b => format!("{a}-compare"),
        [a, b] => format!("{a}-vs-{b}"),
    };
    let failure = |message: String| (message, Exit::Failure);
    if !wanted.out.exists() {
        interrupt.made(wanted.out.clone());
    }
    let folders = interrupt.whole(|| Reports::open(&wanted.out));
    let folders = folders.map_err(|error| failure(error.to_string()))?;
    folders.may_write(&name, MARK).map_err(|error| failure(error.to_string()))?;
    let found = match sides {
        Sides::Read(sides) => {
            Ok((Comparison::new(sides, &tolerances, None).of_seeds(wanted.pair()), false))
        }
        Sides::Simulate(scenarios, seeds) => {
            simulate(simulator, wanted, *scenarios, &seeds, &tolerances)
        }
    };
    let (comparison, defective) = found.inspect_err(|_| folders.abandon())?;
    let exit = match comparison.standing() {
        _ if defective => Exit::Failure,
        Standing::Regression => Exit::Broken,
        Standing::Undecided => Exit::Undecided,
        _ => Exit::Holds,
    };
    let files = comparison.files().map_err(|error| failure(error.to_string()))?;
    let folder = interrupt.whole(|| folders.write(&name, &files));
    let folder = folder.map_err(|error| failure(error.to_string()))?;
    let folder = shown_path(&folder);
    if let Some(mut file) = file {
        interrupt.whole(|| file.write(&markdown(&comparison)))?;
    }
    if wanted.common.json {
        console::document(&json::compare(exit.code(), &comparison, &folder));
    } else if !wanted.common.quiet {
        let text = terminal::compare(&comparison, console::colors(), console::columns());
        console::print(&format!("{text}\nreport: {folder}\n"));
    }
    if defective {
        let message = "mqsim failed in a run: it lost a message without a cause or contradicted \
                       itself\n  = help: `mqsim check` names the seed; please report it";
        return Err(failure(message.to_owned()));
    }
    Ok(exit)
}

/// What a path of the call is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    Table,
    Scenario,
}

impl Kind {
    fn of(path: &Path) -> Kind {
        if path.is_dir() {
            Kind::Folder
        } else if path.extension().is_some_and(|ending| ending == "csv") {
            Kind::Table
        } else {
            Kind::Scenario
        }
    }
}

/// Reads what the call names.
fn sides<S: Simulator>(simulator: &S, wanted: &Compare) -> Result<Sides<S::Prepared>, Failed> {
    let second = match &wanted.second {
        Some(second) => second,
        None if wanted.set_a.is_empty() && wanted.set_b.is_empty() && wanted.pair().is_none() => {
            return Err(input(
                "there is only one thing to compare\n  = help: name another one, or what is \
                 different in B: --set-b producer.p1.rate=5k/s, or two seeds: --seed-a 1 --seed-b 3",
            ));
        }
        None => &wanted.first,
    };
    let paths = [&wanted.first, second];
    if let Some(missing) = paths.iter().find(|path| !path.exists() && !is_stdin(path)) {
        return Err(input(format!(
            "{}: there is no such file\n  = help: name a report folder, a summary.csv or a scenario",
            shown_path(missing)
        )));
    }
    let kinds = paths.map(|path| Kind::of(path));
    let is_scenario = kinds.map(|kind| kind == Kind::Scenario);
    if is_scenario[0] != is_scenario[1] {
        let (one, other) = if is_scenario[0] { (paths[1], paths[0]) } else { (paths[0], paths[1]) };
        return Err(input(format!(
            "{} is a report and {} a scenario\n  = help: compare two reports or two scenarios; \
             `mqsim run` makes a report",
            shown_path(one),
            shown_path(other)
        )));
    }
    if is_scenario[0] {
        return scenarios(simulator, wanted, paths);
    }
    let common = &wanted.common;
    if !(common.set.is_empty() && wanted.set_a.is_empty() && wanted.set_b.is_empty()) {
        return Err(input(
            "--set changes scenarios, and these are reports\n  = help: name the scenarios instead",
        ));
    }
    let mut sides = [read(paths[0], kinds[0])?, read(paths[1], kinds[1])?];
    let [a, b] = &sides;
    if a.scenario != b.scenario {
        return Err(input(format!(
            "{} is a report of {} and {} one of {}\n  = help: compare reports of one scenario, or \
             the two scenarios themselves: they are simulated then",
            shown_path(paths[0]),
            a.scenario,
            shown_path(paths[1]),
            b.scenario
        )));
    }
    for (at, (side, path)) in sides.iter_mut().zip(paths).enumerate() {
        let pair = wanted.pair().map(|pair| vec![pair[at]]);
        if let Some(seeds) = pair.or_else(|| common.wanted_seeds()) {
            restrict(side, path, &seeds)?;
        }
    }
    if let Some([seed, _]) = wanted.pair() {
        // Compared as if they were one.
        sides[1].seeds.iter_mut().for_each(|one| one.seed = seed);
    }
    let [a, b] = &sides;
    if !a.seeds.iter().any(|one| b.seeds.iter().any(|other| one.seed == other.seed)) {
        let (a, b) = (range(a), range(b));
        return Err(input(format!(
            "the reports have no seed in common: A has {a}, B has {b}\n  = help: run both with the \
             same --seeds, or compare one of each: --seed-a N --seed-b N"
        )));
    }
    Ok(Sides::Read(sides))
}

/// The seeds of a side, as people read them.
fn range(side: &Side) -> String {
    let seeds = || side.seeds.iter().map(|one| one.seed);
    match (seeds().min(), seeds().max()) {
        (Some(least), Some(most)) if least == most => format!("{least}"),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        _ => "none".to_owned(),
    }
}

/// Leaves only these seeds.
fn restrict(side: &mut Side, path: &Path, seeds: &[u64]) -> Result<(), Failed> {
    if let Some(missing) = seeds.iter().find(|seed| side.seeds.iter().all(|one| one.seed != **seed))
    {
        return Err(input(format!(
            "{} has no seed {missing}: it has {}\n  = help: name seeds that both reports have, or \
             run them",
            shown_path(path),
            range(side)
        )));
    }
    side.seeds.retain(|one| seeds.contains(&one.seed));
    Ok(())
}

/// Reads a report.
fn read(path: &Path, kind: Kind) -> Result<Side, Failed> {
    let shown = shown_path(path);
    let folder = match kind {
        Kind::Folder => path.to_owned(),
        _ => PathBuf::new(),
    };
    let mut texts = Vec::new();
    for table in TABLES {
        let name = table.file_name();
        let file = if kind == Kind::Folder { folder.join(name) } else { path.to_owned() };
        match fs::read(&file) {
            Ok(bytes) => {
                let text = String::from_utf8(bytes).map_err(|_| {
                    let help = "write the report again with `mqsim run`";
                    input(format!("{}: it is no text\n  = help: {help}", shown_path(&file)))
                })?;
                texts.push((name.to_owned(), text));
            }
            Err(error) if error.kind() == ErrorKind::NotFound && !texts.is_empty() => {}
            Err(error) if error.kind() == ErrorKind::NotFound && kind == Kind::Folder => {
                return Err(input(format!(
                    "{shown}: there is no report in it: it has no summary.csv\n  = help: name the \
                     folder of one report, such as reports/NAME"
                )));
            }
            Err(error) => {
                let why = match error.kind() {
                    ErrorKind::NotFound => "there is no such file".to_owned(),
                    _ => error.to_string(),
                };
                let help = "name a report folder, a summary.csv or a scenario";
                return Err(input(format!("{}: {why}\n  = help: {help}", shown_path(&file))));
            }
        }
        if kind == Kind::Table {
            break;
        }
    }
    Side::read(&texts).map_err(|error| input(format!("{shown}: {error}")))
}

/// Loads both scenarios, with what is changed in both and in one.
fn scenarios<S: Simulator>(
    simulator: &S,
    wanted: &Compare,
    paths: [&PathBuf; 2],
) -> Result<Sides<S::Prepared>, Failed> {
    let runs = match wanted.pair() {
        Some(_) => Some(2),
        None => wanted.common.wanted_seeds().map(|seeds| 2 * seeds.len()),
    };
    let memory = wanted.common.memory(runs);
    let load = |at: usize, own: &[String]| {
        let path = paths[at];
        let sets: Vec<String> = wanted.common.set.iter().chain(own).cloned().collect();
        let prepared = simulator.load(path, &sets, memory).map_err(input)?;
        let name = simulator.name(&prepared).to_owned();
        let (mode, version) = simulator.mode(&prepared);
        let mut label = format!("{name}, {mode} {version}");
        if !sets.is_empty() {
            label += &format!(", with {}", shown(&sets.join(", ")));
        }
        if let Some(pair) = wanted.pair() {
            label += &format!(", seed {}", pair[at]);
        }
        let prepared = simulator.with_lines(prepared);
        Ok(Scenario { label, name, prepared })
    };
    let first = load(0, &wanted.set_a)?;
    let second = load(1, &wanted.set_b)?;
    let own = || simulator.seeds(&first.prepared).collect();
    let pair = wanted.pair().map(|[seed, _]| vec![seed]);
    let seeds = pair.or_else(|| wanted.common.wanted_seeds()).unwrap_or_else(own);
    Ok(Sides::Simulate(Box::new([first, second]), seeds))
}

/// Simulates both scenarios under the same seeds; also says whether mqsim itself failed.
fn simulate<S: Simulator>(
    simulator: &S,
    wanted: &Compare,
    scenarios: [Scenario<S::Prepared>; 2],
    seeds: &[u64],
    tolerances: &[Tolerance],
) -> Result<(Comparison, bool), Failed> {
    let [first, second] = &scenarios;
    // Both runs of a seed follow each other.
    let other = |seed: u64| wanted.pair().map_or(seed, |[_, other]| other);
    let of = |seed: &u64| [(&first.prepared, *seed), (&second.prepared, other(*seed))];
    let work: Vec<(&S::Prepared, u64)> = seeds.iter().flat_map(of).collect();
    let quiet = wanted.common.quiet || wanted.common.json;
    let bar = console::progress("A and B", work.len() as u64, !quiet);
    let jobs = wanted.common.jobs.map_or_else(processors, |jobs| jobs as usize);
    let asked = Asked { jobs, max_events: wanted.common.max_events };
    let found = Mutex::new((BTreeMap::new(), BTreeMap::new(), false));
    simulator.simulate_each(&work, asked, &|place, result| {
        let result = result
            .map(|report| (SeedTables::of(&report, place < 2), report::is_defective(&report)));
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok((tables, defective)) => {
                found.0.insert(place, tables);
                found.2 |= defective;
            }
            Err(unfinished) => drop(found.1.insert(place, unfinished)),
        }
        bar.inc(1);
    });
    bar.finish_and_clear();
    let (tables, failures, defective) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((place, Unfinished { message, limit })) = failures.first_key_value() {
        let side = if place % 2 == 0 { "A" } else { "B" };
        let seed = work[*place].1;
        let exit = if *limit { Exit::Undecided } else { Exit::Failure };
        return Err((format!("{side}, seed {seed}: {message}"), exit));
    }
    let mut sides = scenarios.each_ref().map(|scenario| Side {
        label: scenario.label.clone(),
        scenario: scenario.name.clone(),
        seeds: Vec::new(),
    });
    for (place, mut tables) in tables {
        // Compared as if they were one.
        tables.seed = seeds[place / 2];
        sides[place % 2].seeds.push(tables);
    }
    let parted = parted(simulator, &scenarios, &sides, &other);
    let parted = parted.map_err(|why| (why, Exit::Failure))?;
    Ok((Comparison::new(sides, tolerances, parted).of_seeds(wanted.pair()), defective))
}

/// Where the histories part, in the first seed in which they do.
fn parted<S: Simulator>(
    simulator: &S,
    [first, second]: &[Scenario<S::Prepared>; 2],
    [a, b]: &[Side; 2],
    other: &dyn Fn(u64) -> u64,
) -> Result<Option<Parted>, String> {
    let differs =
        |(a, b): &(&SeedTables, &SeedTables)| a.summary("fingerprint") != b.summary("fingerprint");
    match a.seeds.iter().zip(&b.seeds).find(differs) {
        Some((tables, _)) => {
            let seeds = [tables.seed, other(tables.seed)];
            simulator.part(&first.prepared, &second.prepared, seeds)
        }
        None => Ok(None),
    }
}
