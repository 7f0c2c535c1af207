//! `mqsim.lock`: what each scenario did when it was locked, so that it shows when it does something
//! else.
//!
//! Of each scenario its own seed is kept: the ingredients of the fingerprint, the rows of
//! `events.csv` (when, and a hash of what), and the ingredients `outcomes` and `draws` at evenly
//! spaced instants of the load. A run that differs can so be told from what instant on it does.

use serde::{Deserialize, Serialize};

use super::number;
use crate::engine::{Span, Time, hash_name};
use crate::observe::Catalog;
use crate::verdict::{EventRow, Report};

/// The name of the file.
pub const FILE: &str = "mqsim.lock";

/// So many rows of `events.csv` are kept one by one.
const ROWS: usize = 400;

/// At how many instants ingredients are kept.
pub const CHECKPOINTS: u64 = 20;

/// Ingredients whose change is a change of behaviour; of `events` a change is told only.
const BEHAVIOUR: [&str; 4] = ["outcomes", "roles", "faults", "draws"];

/// How a run went: what is locked, or is compared with what is.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The run.
    pub report: Report,
    /// Ingredients so far, in the order of [`Report::ingredients`], at instants that ascend.
    pub checkpoints: Vec<(Time, [u64; 5])>,
}

/// What is kept of one scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// The scenario's file, from the lock's directory on, with `/` between names.
    pub file: String,
    /// The version and the build of mqsim that locked it.
    pub mqsim: String,
    /// The hash of the scenario's text.
    pub text: String,
    /// The seed.
    pub seed: String,
    outcomes: String,
    roles: String,
    faults: String,
    draws: String,
    events: String,
    /// How many rows `events.csv` has.
    rows: usize,
    /// The first rows: microsecond and hash of each.
    history: String,
    /// Of each checkpoint microsecond, outcomes and draws.
    checkpoints: String,
}

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    format: u32,
    /// Its scenarios.
    #[serde(default, rename = "scenario")]
    pub scenarios: Vec<Locked>,
}

/// The word for programs of what does not what is locked.
pub const DRIFTED: &str = "drifted";

/// What a comparison came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It does what is locked.
    Same,
    /// It does the same by other events of the simulation: in words.
    OtherEvents(String),
    /// It does something else: what, from when on, and what to do about it.
    Drifted(String),
}

impl Finding {
    /// One word for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Finding::Same => "same",
            Finding::OtherEvents(_) => "other-events",
            Finding::Drifted(_) => DRIFTED,
        }
    }

    /// What to tell people, if there is anything.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Finding::Same => None,
            Finding::OtherEvents(text) | Finding::Drifted(text) => Some(text),
        }
    }
}

impl Locked {
    /// What is to be kept of a run of the scenario at `file`, whose text this is.
    #[must_use]
    pub fn new(file: &str, text: &str, trace: &Trace) -> Locked {
        let report = &trace.report;
        let hash = |name: &str| {
            let own = report.ingredients.iter().find(|(other, _)| *other == name);
            format!("{:016x}", own.expect("an ingredient of that name").1)
        };
        let history = rows(report).take(ROWS).map(|row| row_word(row, &report.catalog));
        let checkpoints = trace.checkpoints.iter().map(|(at, ingredients)| {
            let short = |index: usize| ingredients[index] & 0xffff;
            format!("{}:{:04x}:{:04x}", at.as_nanos() / 1_000, short(0), short(3))
        });
        Locked {
            file: file.to_owned(),
            mqsim: crate::report::BUILD.to_owned(),
            text: format!("{:016x}", hash_name(text)),
            seed: report.seed.to_string(),
            outcomes: hash("outcomes"),
            roles: hash("roles"),
            faults: hash("faults"),
            draws: hash("draws"),
            events: hash("events"),
            rows: rows(report).count(),
            history: lines(history.collect()),
            checkpoints: lines(checkpoints.collect()),
        }
    }

    fn ingredient(&self, name: &str) -> &str {
        match name {
            "outcomes" => &self.outcomes,
            "roles" => &self.roles,
            "faults" => &self.faults,
            "draws" => &self.draws,
            _ => &self.events,
        }
    }

    /// What a run of the scenario's text now is, compared with this. `shown` is the scenario as
    /// people name it, `accept` the command that takes the change over.
    #[must_use]
    pub fn compare(&self, text: &str, trace: &Trace, shown: &str, accept: &str) -> Finding {
        let now = Locked::new(&self.file, text, trace);
        let differs = |name: &&str| self.ingredient(name) != now.ingredient(name);
        let drifted: Vec<&str> = BEHAVIOUR.into_iter().filter(differs).collect();
        if drifted.is_empty() && !differs(&"events") {
            return Finding::Same;
        }
        let mut by = format!("mqsim {}, seed {}", self.mqsim, self.seed);
        if self.mqsim != now.mqsim {
            by += &format!("; this is {}", now.mqsim);
        }
        if drifted.is_empty() {
            return Finding::OtherEvents(format!(
                "{shown}: does what {FILE} says ({by}), by other events of the simulation\n  \
                 = help: {accept}"
            ));
        }
        let edited = if self.text == now.text { "" } else { "; its text has changed, too" };
        let mut told = format!(
            "{shown}: has drifted from {FILE} ({by}): {} differ{edited}\n  {}",
            words(&drifted),
            self.first_event(&now, trace)
        );
        if let Some(when) = self.parting(&now) {
            told += &format!("\n  {when}");
        }
        Finding::Drifted(format!("{told}\n  = help: if that is meant, take it over: {accept}"))
    }

    /// The first row of `events.csv` that differs.
    fn first_event(&self, now: &Locked, trace: &Trace) -> String {
        let (mut old, mut new) = (self.history.split_whitespace(), now.history.split_whitespace());
        let catalog = &trace.report.catalog;
        for row in rows(&trace.report) {
            let (was, is) = (old.next(), new.next());
            match (was, is) {
                (Some(was), Some(is)) if was != is => {
                    return format!(
                        "first differing event: now {}; locked was {} at {}",
                        told(row, catalog),
                        if same_hash(was, is) { "the same" } else { "another" },
                        instant(was)
                    );
                }
                (None, Some(_)) if self.rows <= ROWS => {
                    return format!(
                        "first differing event: now {}; locked was none",
                        told(row, catalog)
                    );
                }
                (Some(_), Some(_)) => {}
                _ => break,
            }
        }
        if self.rows > now.rows && now.rows < ROWS {
            let next = self.history.split_whitespace().nth(now.rows);
            let at = next.map_or(String::new(), |word| {
                format!("; locked was one more at {}", instant(word))
            });
            return format!("first differing event: now none after the {}th{at}", now.rows);
        }
        let rows = number::counted(now.rows.min(ROWS) as u64, "event");
        format!("the first {rows} of events.csv are the same")
    }

    /// Between which checkpoints outcomes or draws part.
    fn parting(&self, now: &Locked) -> Option<String> {
        let mut before = Time::ZERO;
        let pairs = self.checkpoints.split_whitespace().zip(now.checkpoints.split_whitespace());
        for (was, is) in pairs {
            let (mut old, mut new) = (was.split(':').skip(1), is.split(':').skip(1));
            let outcomes = old.next() != new.next();
            let draws = old.next() != new.next();
            let what = match (outcomes, draws) {
                (false, false) => {
                    before = instant(is);
                    continue;
                }
                (true, false) => "outcomes part",
                (false, true) => "draws part",
                (true, true) => "outcomes and draws part",
            };
            let (from, until) = (number::instant(before), number::instant(instant(is)));
            return Some(format!("{what} between {from} and {until}"));
        }
        (self.outcomes != now.outcomes || self.draws != now.draws)
            .then(|| format!("outcomes or draws part after {}", number::instant(before)))
    }
}

/// The instants at which ingredients are kept: of a load of this length.
pub fn checkpoints(duration: Span) -> impl Iterator<Item = Time> {
    (1..=CHECKPOINTS).map(move |step| {
        // Divided first: a thousand hours times twenty still fit, but need not.
        Time::from_nanos(duration.as_nanos() / CHECKPOINTS * step)
    })
}

/// What is locked of a run's history: what happened to the cluster, not what clients saw of it.
fn rows(report: &Report) -> impl Iterator<Item = &EventRow> {
    report.events.iter().filter(|row| row.kind != EventRow::CLIENT)
}

/// `6103250:3fa9c1`: when, and a hash of what.
fn row_word(row: &EventRow, catalog: &Catalog) -> String {
    let hash = hash_name(&what(row, catalog)) & 0xff_ffff;
    format!("{}:{hash:06x}", row.at.as_nanos() / 1_000)
}

fn same_hash(a: &str, b: &str) -> bool {
    a.split(':').nth(1) == b.split(':').nth(1)
}

fn instant(word: &str) -> Time {
    let micros = word.split(':').next().and_then(|digits| digits.parse().ok());
    Time::from_nanos(micros.unwrap_or(0_u64).saturating_mul(1_000))
}

fn told(row: &EventRow, catalog: &Catalog) -> String {
    format!("{} at {}", what(row, catalog), row.at)
}

/// `role leader on n2 for orders`.
fn what(row: &EventRow, catalog: &Catalog) -> String {
    let mut text = format!("{} {}", row.kind, row.what);
    if let Some(node) = row.node {
        text += &format!(" on {}", catalog.node(node));
    }
    if let Some(destination) = row.destination {
        text += &format!(" for {}", catalog.destination(destination));
    }
    if let Some(subject) = row.subject {
        text += &format!(" about {}", catalog.node(subject));
    }
    if row.count > 0 {
        text += &format!(" ({})", row.count);
    }
    text
}

/// `outcomes, roles and draws`.
fn words(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// Words on lines of at most 100 columns.
fn lines(words: Vec<String>) -> String {
    let (mut text, mut used) = (String::new(), 0);
    for word in words {
        if used > 0 && used + 1 + word.len() > 100 {
            text.push('\n');
            used = 0;
        } else if used > 0 {
            text.push(' ');
            used += 1;
        }
        used += word.len();
        text.push_str(&word);
    }
    text
}

const HEAD: &str = "\
# What scenarios do, kept by `mqsim lock`; `mqsim check --locked` fails if one does something else.
# Not to be edited: `mqsim lock --accept` takes a change over, and the difference shows in review.
";

impl Lock {
    /// One without scenarios.
    #[must_use]
    pub fn new() -> Lock {
        Lock { format: 1, scenarios: Vec::new() }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// One message, if it is none.
    pub fn parse(text: &str) -> Result<Lock, String> {
        let lock: Lock = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        match lock.format {
            1 => Ok(lock),
            other => Err(format!("its format is {other}, and this mqsim reads format 1")),
        }
    }

    /// The scenario of this file.
    #[must_use]
    pub fn get(&self, file: &str) -> Option<&Locked> {
        self.scenarios.iter().find(|locked| locked.file == file)
    }

    /// Puts a scenario in place of the one of the same file, or adds it.
    pub fn put(&mut self, locked: Locked) {
        match self.scenarios.iter_mut().find(|other| other.file == locked.file) {
            Some(other) => *other = locked,
            None => self.scenarios.push(locked),
        }
        self.scenarios.sort_by(|a, b| a.file.cmp(&b.file));
    }

    /// The file's text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = format!("{HEAD}format = 1\n");
        let quoted = |text: &str| toml_edit::Value::from(text).to_string();
        for locked in &self.scenarios {
            out += &format!("\n[[scenario]]\nfile = {}\n", quoted(&locked.file));
            for (key, value) in [
                ("mqsim", &locked.mqsim),
                ("text", &locked.text),
                ("seed", &locked.seed),
                ("outcomes", &locked.outcomes),
                ("roles", &locked.roles),
                ("faults", &locked.faults),
                ("draws", &locked.draws),
                ("events", &locked.events),
            ] {
                out += &format!("{key} = {}\n", quoted(value));
            }
            out += &format!("rows = {}\n", locked.rows);
            out += &format!("history = \"\"\"\n{}\"\"\"\n", locked.history);
            out += &format!("checkpoints = \"\"\"\n{}\"\"\"\n", locked.checkpoints);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn trace() -> Trace {
        let report = fixture::crash_run();
        let at = |ms| Time::from_nanos(ms * 1_000_000);
        let checkpoints = (1..=4).map(|step| (at(step * 10_000), [step; 5])).collect();
        Trace { report, checkpoints }
    }

    fn compare(change: impl FnOnce(&mut Trace)) -> Finding {
        let locked = Locked::new("mirror.toml", "text", &trace());
        let mut now = trace();
        change(&mut now);
        locked.compare("text", &now, "scenarios/mirror.toml", "mqsim lock --accept")
    }

    fn drift(change: impl FnOnce(&mut Trace)) -> String {
        match compare(change) {
            Finding::Drifted(text) => text,
            other => panic!("{other:?}"),
        }
    }

    /// The same version may be another build.
    #[test]
    fn the_build_that_locked_is_named() {
        let mut locked = Locked::new("mirror.toml", "text", &trace());
        locked.mqsim = "0.1.0+0".to_owned();
        let mut now = trace();
        now.report.ingredients[0].1 ^= 1;
        let Finding::Drifted(told) = locked.compare("text", &now, "mirror.toml", "") else {
            panic!("it has drifted");
        };
        let both =
            format!("(mqsim 0.1.0+0, seed {}; this is {})", locked.seed, crate::report::BUILD);
        assert!(told.contains(&both), "{told}");
    }

    #[test]
    fn what_differs_is_named_from_its_first_event_on() {
        assert_eq!(compare(|_| ()), Finding::Same);
        let seen = compare(|now| {
            let mut row = now.report.events[0].clone();
            row.kind = EventRow::CLIENT;
            now.report.events.insert(1, row);
        });
        assert_eq!(seen, Finding::Same, "what clients see is no ingredient");
        let events = compare(|now| now.report.ingredients[4].1 ^= 1);
        assert_eq!(events.word(), "other-events");
        let mut all = Vec::new();
        all.push(drift(|now| {
            now.report.ingredients[0].1 ^= 1;
            now.report.ingredients[1].1 ^= 1;
            now.report.events[3].count += 1;
            now.checkpoints[2].1[0] ^= 1;
        }));
        all.push(drift(|now| {
            now.report.ingredients[3].1 ^= 1;
            now.checkpoints[0].1[3] ^= 1;
        }));
        all.push(drift(|now| {
            now.report.ingredients[1].1 ^= 1;
            let at = now.report.events[3].at;
            now.report.events[3].at = Time::from_nanos(at.as_nanos() + 2_000_000);
        }));
        all.push(drift(|now| {
            now.report.ingredients[1].1 ^= 1;
            now.report.events.pop();
        }));
        all.push(drift(|now| {
            now.report.ingredients[2].1 ^= 1;
            let last = now.report.events.last().unwrap().clone();
            now.report.events.push(last);
        }));
        all.push(drift(|now| now.report.ingredients[0].1 ^= 1));
        insta::assert_snapshot!(all.join("\n\n").replace(crate::report::BUILD, "0.1.0+BUILD"));
    }

    #[test]
    fn a_file_comes_back_as_it_was() {
        let mut lock = Lock::new();
        assert_eq!(Lock::parse(&lock.render()).unwrap(), lock);
        lock.put(Locked::new("z/it's \"x\".toml", "text", &trace()));
        lock.put(Locked::new("a.toml", "text", &trace()));
        let text = lock.render();
        assert_eq!(Lock::parse(&text).unwrap(), lock);
        lock.put(Locked::new("a.toml", "other text", &trace()));
        assert_eq!(lock.scenarios.len(), 2);
        assert_ne!(lock.render(), text);
        assert!(text.lines().all(|line| line.len() <= 100), "{text}");
        for wrong in ["format = 2", "format = 1\nx = 2", "format = ", "", "[[scenario]]\nfile = 1"]
        {
            assert!(Lock::parse(wrong).is_err(), "{wrong}");
        }
    }
}
