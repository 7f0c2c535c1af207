//! `mqsim matrix`.

use super::args::Matrix as Wanted;
use super::console;
use super::exit::Exit;
use super::interrupt::Interrupt;
use super::simulator::{Simulator, Variants};
use super::sweep::{Done, Failed, Plan, numbers, refuse_too_many, runs, with_rows};
use crate::report::matrix::{MARK, Matrix, Variant, grid, json};
use crate::report::sweep::{Shard, Sweep};
use crate::report::tally::{Standing, Tally};
use crate::report::terminal;
use crate::run::Key;
use crate::scenario::shown_path;

/// Loads every variant, simulates each under the same seeds, writes the folder, prints the table.
pub(super) fn execute<S: Simulator>(simulator: &S, wanted: &Wanted) -> Exit {
    let interrupt = match Interrupt::install() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            console::error(&format!("cannot handle signals: {error}"));
            return Exit::Failure;
        }
    };
    let done = match plan(simulator, wanted) {
        Ok((names, plan)) => carry_out(simulator, wanted, &names, plan, &interrupt),
        Err(message) => Err((message, Exit::Input)),
    };
    done.unwrap_or_else(|(message, exit)| {
        console::error(&message);
        exit
    })
}

/// Reads the call: every variant is checked and planned before anything runs.
fn plan<S: Simulator>(
    simulator: &S,
    wanted: &Wanted,
) -> Result<(Vec<String>, Plan<S::Prepared>), String> {
    let memory = wanted.common.memory(None);
    let Variants { name: scenario, variants } =
        simulator.variants(&wanted.scenario, &wanted.common.set, memory)?;
    let (names, cells): (Vec<String>, Vec<S::Prepared>) = variants.into_iter().unzip();
    let own = || simulator.seeds(&cells[0]).collect();
    let seeds: Vec<u64> = wanted.common.wanted_seeds().unwrap_or_else(own);
    refuse_too_many(cells.len(), seeds.len())?;
    let seeds = (seeds[0], seeds[seeds.len() - 1]);
    let texts: Vec<&str> = cells.iter().map(|cell| simulator.text(cell)).collect();
    let (range, most) = (format!("{seeds:?}"), format!("{:?}", wanted.common.max_events));
    let key = Key::new(&[&["matrix", &*range, &*most], &texts[..]].concat()).text();
    let of: Vec<&str> = names.iter().map(String::as_str).collect();
    let name = format!("{scenario}-matrix");
    let weather = Vec::new();
    let sweep = Sweep { scenario, grid: grid(&of), seeds, key, weather, runs: Vec::new() };
    Ok((names, Plan { name, mark: MARK, cells, sweep, shard: Shard::WHOLE, judges: true }))
}

fn carry_out<S: Simulator>(
    simulator: &S,
    wanted: &Wanted,
    names: &[String],
    plan: Plan<S::Prepared>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let failure = |message: String| (message, Exit::Failure);
    let call = (wanted.out.as_path(), &wanted.common);
    let Done { folders, journal, mut runs } = runs(simulator, call, &plan, interrupt)?;
    let seeds = numbers(&plan.sweep);
    let mut variants = Vec::new();
    for (at, (name, cell)) in names.iter().zip(&plan.cells).enumerate() {
        let over = simulator.over_seeds(cell);
        let mut tally = Tally::new(simulator.expectations(cell), &over, seeds.clone());
        for index in 0..seeds.len() {
            let result = runs.get_mut(&(at, index)).and_then(|record| record.judged.take());
            if let Some(result) = result.filter(|_| tally.is_wanted(index)) {
                tally.add(index, result);
            }
        }
        let (mode, version) = simulator.mode(cell);
        let (mode, version) = (mode.to_owned(), version.to_owned());
        let text = simulator.text(cell).to_owned();
        variants.push(Variant { name: name.clone(), mode, version, text, tally });
    }
    let defective = runs.iter().find(|(_, record)| record.defective).map(|(run, _)| *run);
    let matrix = Matrix { sweep: with_rows(plan.sweep, runs), variants };
    let folder = interrupt.whole(|| folders.write(&plan.name, &matrix.files()));
    let folder = shown_path(&folder.map_err(|error| failure(error.to_string()))?);
    journal.remove().map_err(|error| failure(error.to_string()))?;
    let exit = match matrix.standing() {
        _ if defective.is_some() => Exit::Failure,
        Standing::Holds => Exit::Holds,
        Standing::Undecided => Exit::Undecided,
        Standing::Broken | Standing::Drifted => Exit::Broken,
        Standing::Failed => Exit::Failure,
    };
    if wanted.common.json {
        console::document(&json(exit.code(), &matrix, &folder));
    } else if !wanted.common.quiet {
        let (colors, columns) = (console::colors(), console::columns());
        let text = terminal::matrix(&matrix, &folder, colors, columns);
        console::print(&format!("{text}report: {folder}\n"));
    }
    let Some((cell, at)) = defective else { return Ok(exit) };
    let file = console::shell_word(&format!("{folder}/{}.toml", names[cell]));
    Err(failure(format!(
        "mqsim failed in a run: it lost a message without a cause or contradicted itself\n  = help: please \
         report it: mqsim run {file} --seed {}",
        seeds[at]
    )))
}
