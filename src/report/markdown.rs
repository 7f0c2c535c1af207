//! Markdown as GitHub renders it, and what `mqsim check --markdown` makes: the summary of a job's
//! step.

use super::tally::{Count, Expected, Standing, Tally};
use super::{number, terminal};
use crate::verdict::Verdict;

/// With what the summary begins, so that it is known again.
pub const CHECK: &str = "<!-- mqsim check -->";

/// So many scenarios that do not hold are told at length. GitHub takes 1 MiB a step.
const TOLD: usize = 20;

/// One scenario of the call.
pub struct Checked<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its file, as it was named.
    pub file: &'a str,
    /// What its seeds came to.
    pub tally: &'a Tally,
    /// How it stands, with what the lock says.
    pub standing: Standing,
    /// How it differs from what is locked, if it does.
    pub drift: Option<&'a str>,
}

/// The summary of a check, the gravest first; the scenarios are given in that order. `replay` makes
/// the command for a file and a seed.
#[must_use]
pub fn check(scenarios: &[Checked<'_>], replay: &dyn Fn(&str, u64) -> String) -> String {
    let stand: Vec<_> = scenarios.iter().map(|one| (one.tally, one.standing)).collect();
    let counts: Vec<String> =
        terminal::standings(&stand).into_iter().map(|(_, text)| text).collect();
    let worst = stand.iter().map(|(_, standing)| *standing).max().unwrap_or(Standing::Holds);
    let runs = scenarios.iter().map(|one| one.tally.len() as u64).sum();
    let mut out = format!("{CHECK}\n## {} mqsim check: {}\n\n", sign(worst), counts.join(", "));
    let total = number::counted(scenarios.len() as u64, "scenario");
    out += &format!("{total}, {}.\n\n", number::counted(runs, "run"));
    let fails = |one: &&Checked<'_>| one.standing != Standing::Holds && !one.tally.is_skipped();
    for one in scenarios.iter().filter(fails).take(TOLD) {
        out += &failing(one, &|seed| replay(one.file, seed));
    }
    let more = scenarios.iter().filter(fails).count().saturating_sub(TOLD);
    if more > 0 {
        out += &format!("And {more} more that do not hold: the log of this step has them.\n\n");
    }
    let held: Vec<_> = scenarios.iter().filter(|one| one.standing == Standing::Holds).collect();
    if !held.is_empty() {
        let count = number::counted(held.len() as u64, "scenario");
        let verb = if held.len() == 1 { "holds" } else { "hold" };
        out += &format!("<details><summary>{count} that {verb}</summary>\n\n");
        out += &line(&["scenario", "runs", "expected", "found"]);
        out += "| --- | ---: | --- | --- |\n";
        for one in held {
            out += &rows(one);
        }
        out += "\n</details>\n";
    }
    out.trim_end().to_owned() + "\n"
}

/// The sign of a standing, which is seen from afar.
const fn sign(standing: Standing) -> &'static str {
    match standing {
        Standing::Holds => "✅",
        Standing::Undecided => "❔",
        Standing::Drifted | Standing::Broken => "❌",
        Standing::Failed => "💥",
    }
}

const fn verdict_sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "✅",
        Verdict::Undecided => "❔",
        Verdict::Broken => "❌",
    }
}

/// A scenario that does not hold: what was expected and found, what was lost, how to see it.
fn failing(one: &Checked<'_>, replay: &dyn Fn(u64) -> String) -> String {
    let (tally, standing) = (one.tally, one.standing);
    let mut title = format!("### {} {}: {}", sign(standing), escaped(one.name), standing.word());
    match tally.count(standing) {
        0 => {}
        count => {
            let of = number::grouped(tally.len() as u64);
            title += &format!(" with {} of {of} seeds", number::grouped(count));
        }
    }
    let mut out = format!("{title}\n\n{}", escaped(one.file));
    out += &tally.line().map_or(String::new(), |line| format!(", line {line}"));
    out += "\n\n";
    if let Some(words) = terminal::cut_words(tally) {
        out += &format!("Not all seeds count: {words}.\n\n");
    }
    let first = tally.first();
    if let Some(trouble) = first.and_then(|first| first.trouble.as_ref()) {
        out += &format!("mqsim itself failed: {}\n\n", escaped(trouble));
    }
    if !tally.is_empty() {
        out += &line(&["", "expected", "found"]);
        out += "| --- | --- | --- |\n";
        for (verdict, expected, found) in judged(tally) {
            out += &line(&[verdict_sign(verdict), &escaped(&expected), &escaped(&found)]);
        }
        out.push('\n');
    }
    if let Some(drift) = one.drift {
        out += &format!("{}\n\n", drift.lines().map(escaped).collect::<Vec<_>>().join("<br>\n"));
    }
    let lost = first.map_or(&[] as &[String], |first| &first.lost);
    for lost in lost {
        out += &format!("* lost: {}\n", escaped(lost));
    }
    if let Some(seed) = tally.telling() {
        let before = if lost.is_empty() { "" } else { "\n" };
        out += &format!("{before}{}\n", code(&replay(seed)));
    }
    out
}

/// The expectations of a scenario that holds, a row each.
fn rows(one: &Checked<'_>) -> String {
    let runs = number::grouped(one.tally.len() as u64);
    let mut out = String::new();
    for (at, (_, expected, found)) in judged(one.tally).into_iter().enumerate() {
        let (name, runs) = if at == 0 { (escaped(one.name), &*runs) } else { Default::default() };
        out += &line(&[&name, runs, &escaped(&expected), &escaped(&found)]);
    }
    out
}

/// Every expectation with its verdict and what was found, the gravest first.
fn judged(tally: &Tally) -> Vec<(Verdict, String, String)> {
    let each = tally
        .counts()
        .map(|(expected, count)| (count.verdict(), expected.text.clone(), found(expected, count)));
    let over = tally.over().map(|(text, told, _)| {
        let note = if told.note.is_empty() { String::new() } else { format!("; {}", told.note) };
        (told.verdict, text, format!("{}{note}", told.measured))
    });
    let mut all: Vec<_> = each.chain(over).collect();
    all.sort_by_key(|(verdict, ..)| std::cmp::Reverse(*verdict));
    all
}

fn found(expected: &Expected, count: Count) -> String {
    let mut said = vec![terminal::span(expected, count)];
    for (seeds, word) in [(count.broken, "broken"), (count.undecided, "undecided")] {
        if seeds > 0 {
            said.push(format!("{word} with {}", number::counted(seeds, "seed")));
        }
    }
    said.join(", ")
}

fn line(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// A table of cells that are Markdown; those of the columns in `numbers` stand right.
pub(super) fn table(header: &[String], numbers: &[usize], rows: &[Vec<String>]) -> String {
    let of = |cells: &[String]| line(&cells.iter().map(String::as_str).collect::<Vec<_>>());
    let rule = |at: usize| if numbers.contains(&at) { "---:" } else { "---" };
    let rules: Vec<&str> = (0..header.len()).map(rule).collect();
    let rows: String = rows.iter().map(|row| of(row)).collect();
    of(header) + &line(&rules) + &rows
}

/// A block that is shown as it is, whatever is in it.
fn code(text: &str) -> String {
    let text: String = text.chars().map(|c| if is_unseen(c) { '\u{fffd}' } else { c }).collect();
    // A fence is longer than any run of backticks within it.
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}console\n$ {text}\n{fence}\n")
}

/// Control characters, and those that turn text around or are not seen.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

/// Text that Markdown and HTML take as it is.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '&' => out += "&amp;",
            // A name that is mentioned would be told.
            '@' => out += "&#64;",
            '|' | '*' | '_' | '`' | '[' | ']' | '#' | '\\' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c if is_unseen(c) => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use crate::report::tally::SeedResult;
    use crate::verdict::Unit;

    #[test]
    fn a_summary() {
        let expected = |text: &str, unit| Expected { text: text.to_owned(), unit, line: Some(31) };
        let tally = |results: Vec<_>| {
            let expected = vec![
                expected("write_longest_ms <= 3000 ms", Unit::Milliseconds),
                expected("success_lost <= 0", Unit::Lines),
            ];
            let mut tally = Tally::new(expected, &[], (1..=results.len() as u64).collect());
            for (index, result) in results.into_iter().enumerate() {
                tally.add(index, SeedResult::of(result));
            }
            tally
        };
        let quiet = fixture::quiet_run;
        let (broken, drifted) =
            (tally(vec![Ok(quiet()), Ok(fixture::crash_run())]), tally(vec![Ok(quiet())]));
        let calm = tally(vec![Ok(quiet())]);
        let one = |name, tally, standing, drift| Checked {
            name,
            file: "a|b <i>@all</i>`.toml",
            tally,
            standing,
            drift,
        };
        let text = check(
            &[
                one("broken", &broken, Standing::Broken, None),
                one("drifted", &drifted, Standing::Drifted, Some("has drifted\n  at 6.000 s")),
                one("calm", &calm, Standing::Holds, None),
            ],
            &|file, seed| format!("mqsim run '{file}' --seed {seed}"),
        );
        insta::assert_snapshot!(text);
    }
}
