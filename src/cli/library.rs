//! The library behind the command line.

use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::OnceLock;

use super::find::is_stdin;
use super::sweep::few;
use super::{Asked, Entry, Simulator, Topic, Variants};
use crate::report::Unfinished;
use crate::report::compare::Parted;
use crate::report::lock::{self, Trace};
use crate::report::tally::Expected;
use crate::run::{self, Families, Progress};
use crate::scenario::{MOST_BYTES, MOST_MEMORY, shown, shown_path, suggest};
use crate::verdict::{METRICS, OVER_SEEDS, OverSeeds, Report};

fn unfinished(error: run::RunError) -> Unfinished {
    Unfinished { limit: error.is_limit(), message: error.to_string() }
}

/// What was read from stdin: a sweep loads its scenario for every cell, and it comes only once.
fn stdin() -> Result<&'static [u8], String> {
    static READ: OnceLock<Result<Vec<u8>, String>> = OnceLock::new();
    let read = || {
        let mut bytes = Vec::new();
        // Of one that is too long only so much that this shows.
        let stdin = io::stdin().lock().take(MOST_BYTES as u64 + 1);
        { stdin }.read_to_end(&mut bytes).map(|_| bytes).map_err(|error| {
            format!("stdin: cannot be read: {error}\n  = help: name a file, or send one: < FILE")
        })
    };
    READ.get_or_init(read).as_deref().map_err(Clone::clone)
}

/// mqsim itself, with the families that it knows: its own by default.
#[derive(Clone, Debug, Default)]
pub struct Library {
    /// Which modes there are.
    pub families: Families,
}

impl Library {
    fn portable(&self, path: &Path, sets: &[String]) -> Result<run::Portable, String> {
        let loaded = if is_stdin(path) {
            self.families.portable("stdin", stdin()?, sets)
        } else {
            self.families.load_portable(path, sets)
        };
        loaded.map_err(|error| error.to_string())
    }
}

impl Simulator for Library {
    type Prepared = run::Prepared;

    fn load(&self, path: &Path, sets: &[String], memory: u64) -> Result<run::Prepared, String> {
        let loaded = if is_stdin(path) {
            self.families.parse("stdin", stdin()?, sets, memory)
        } else {
            self.families.load(path, sets, memory)
        };
        loaded.map_err(|error| error.to_string())
    }

    fn variants(
        &self,
        path: &Path,
        sets: &[String],
        memory: u64,
    ) -> Result<Variants<run::Prepared>, String> {
        let portable = self.portable(path, sets)?;
        let (mut variants, mut wrong) = (Vec::new(), Vec::<String>::new());
        for (at, name) in portable.variants().into_iter().enumerate() {
            match portable.prepare(&self.families, at, memory) {
                Ok(prepared) => variants.push((name.to_owned(), prepared)),
                Err(error) => {
                    // What is wrong for all variants is told once.
                    let message = error.to_string();
                    if !wrong.contains(&message) {
                        wrong.push(message);
                    }
                }
            }
        }
        if !wrong.is_empty() {
            return Err(few(wrong));
        }
        Ok(Variants { name: portable.name().to_owned(), variants })
    }

    fn variant_text(&self, path: &Path, variant: &str, sets: &[String]) -> Result<String, String> {
        let portable = self.portable(path, sets)?;
        let names = portable.variants();
        let Some(at) = names.iter().position(|name| *name == variant) else {
            let help = suggest(variant, &names, "the variants");
            let file = shown_path(path);
            return Err(format!(
                "{file}: there is no variant `{}`\n  = help: {help}",
                shown(variant)
            ));
        };
        // What cannot be simulated is not printed.
        portable.prepare(&self.families, at, MOST_MEMORY).map_err(|error| error.to_string())?;
        portable.written(at).map(|written| written.text).map_err(|error| error.to_string())
    }

    fn name<'p>(&self, prepared: &'p run::Prepared) -> &'p str {
        prepared.name()
    }

    fn text<'p>(&self, prepared: &'p run::Prepared) -> &'p str {
        prepared.text()
    }

    fn mode<'p>(&self, prepared: &'p run::Prepared) -> (&'p str, &'p str) {
        prepared.mode()
    }

    fn with_lines(&self, prepared: run::Prepared) -> run::Prepared {
        prepared.with_lines()
    }

    fn part(
        &self,
        first: &run::Prepared,
        second: &run::Prepared,
        seeds: [u64; 2],
    ) -> Result<Option<Parted>, String> {
        let parting = run::part(first, second, seeds).map_err(|error| error.to_string())?;
        Ok(parting.map(|run::Parting { same, first, second, .. }| Parted {
            seed: seeds[0],
            same,
            first,
            second,
        }))
    }

    fn seed(&self, prepared: &run::Prepared) -> u64 {
        prepared.seed()
    }

    fn seeds(&self, prepared: &run::Prepared) -> RangeInclusive<u64> {
        prepared.seeds()
    }

    fn expectations(&self, prepared: &run::Prepared) -> Vec<Expected> {
        let texts = prepared.expectations().texts();
        texts.into_iter().map(|(text, unit, line)| Expected { text, unit, line }).collect()
    }

    fn over_seeds(&self, prepared: &run::Prepared) -> Vec<OverSeeds> {
        prepared.expectations().over_seeds().to_vec()
    }

    fn simulate_wanted(
        &self,
        work: &[(&run::Prepared, u64)],
        asked: Asked,
        wanted: &(dyn Fn(usize) -> bool + Sync),
        each: &(dyn Fn(usize, Result<Report, Unfinished>) + Sync),
    ) {
        run::simulate_wanted(work, asked.jobs, asked.max_events, wanted, &|at, result| {
            each(at, result.map_err(unfinished));
        });
    }

    fn trace_each(
        &self,
        work: &[&run::Prepared],
        jobs: usize,
        each: &(dyn Fn(usize, Result<Trace, Unfinished>) + Sync),
    ) {
        run::side_by_side(work.len(), jobs, &|at| {
            let traced = run::trace(work[at], lock::checkpoints);
            let trace = traced.map(|(report, checkpoints)| Trace { report, checkpoints });
            each(at, trace.map_err(unfinished));
        });
    }

    fn simulate(
        &self,
        prepared: &run::Prepared,
        seeds: &[u64],
        asked: Asked,
        told: &(dyn Fn(Progress) + Sync),
    ) -> Vec<Result<Report, Unfinished>> {
        let results = run::simulate_many(prepared, seeds, asked.jobs, asked.max_events, told);
        results.into_iter().map(|result| result.map_err(unfinished)).collect()
    }

    fn freeze(
        &self,
        prepared: &run::Prepared,
        seed: u64,
        max_events: Option<u64>,
        note: &str,
    ) -> Result<String, (String, bool)> {
        run::freeze(prepared, seed, max_events, note).map_err(|error| {
            let is_input = matches!(error, run::FreezeError::Nothing(_));
            (error.to_string(), is_input)
        })
    }

    fn history(
        &self,
        prepared: &run::Prepared,
        seed: u64,
        format: run::HistoryFormat,
        out: &mut dyn std::io::Write,
    ) -> Result<(), String> {
        run::history(prepared, seed, format, out).map(|_| ()).map_err(|error| error.to_string())
    }

    fn explain(
        &self,
        prepared: &run::Prepared,
        seed: u64,
        which: &run::Which,
        variant: &(dyn Fn(&str) -> Option<run::Prepared> + Sync),
        jobs: usize,
    ) -> Result<run::Explanation, (String, bool)> {
        run::explain(prepared, seed, which, variant, jobs).map_err(|error| {
            let is_input = !matches!(error, run::ExplainError::Run(_));
            (error.to_string(), is_input)
        })
    }

    fn list(&self, topic: Topic) -> Vec<Entry> {
        let entry = |(name, meaning): (&str, &str)| Entry {
            name: name.to_owned(),
            meaning: meaning.to_owned(),
        };
        match topic {
            Topic::Modes => {
                let modes = self.families.modes().iter();
                modes.map(|info| entry((info.mode.name, info.mode.meaning))).collect()
            }
            Topic::Faults => run::faults().iter().map(|f| entry((&f.name, &f.meaning))).collect(),
            Topic::Actions => {
                self.families.actions().iter().map(|a| entry((&a.name, &a.meaning))).collect()
            }
            Topic::Selectors => {
                self.families.selectors().iter().map(|s| entry((&s.name, &s.meaning))).collect()
            }
            Topic::Metrics => {
                let described = |metric: &crate::verdict::Metric| Entry {
                    name: metric.name.to_owned(),
                    meaning: match metric.unit.name() {
                        "" => metric.definition.to_owned(),
                        unit => format!("{} ({unit})", metric.definition),
                    },
                };
                let over = OVER_SEEDS.iter().map(|over| entry(*over));
                METRICS.iter().map(described).chain(over).collect()
            }
        }
    }

    fn failures(&self, words: &[String]) -> Vec<run::Failure> {
        self.families.find_failures(words)
    }

    fn absent(&self, word: &str) -> Option<&'static run::Absent> {
        run::Absent::of(word)
    }

    fn starter(&self, mode: &str) -> Option<String> {
        Some(self.families.meant(mode)?.mode.starter.to_owned())
    }

    fn schema(&self, mode: Option<&str>) -> Option<String> {
        let meant = mode.map(|mode| self.families.meant(mode).map_or(mode, |info| info.mode.name));
        self.families.schema(meant)
    }

    fn describe_mode(&self, name: &str) -> Option<Vec<run::Chapter>> {
        self.families.describe_mode(name)
    }
}
