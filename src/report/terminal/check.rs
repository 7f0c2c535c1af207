//! What `mqsim check` prints: a block a scenario, then what does not hold, the gravest first, then
//! the sum.

use super::{COLUMNS, Page, Tone, cut, sign, toned};
use crate::engine::Span;
use crate::report::number;
use crate::report::tally::{Count, Cut, Expected, First, Standing, Tally};
use crate::verdict::Verdict;

/// Sign and tone of a standing.
const fn mark(standing: Standing) -> (&'static str, Tone) {
    match standing {
        Standing::Holds => sign(Verdict::Holds),
        Standing::Undecided => sign(Verdict::Undecided),
        Standing::Broken | Standing::Drifted => sign(Verdict::Broken),
        Standing::Failed => ("!", Tone::Bad),
    }
}

/// How wide the column of names and expectations must be for a scenario.
#[must_use]
pub fn width(name: &str, tally: &Tally) -> usize {
    let texts = tally.counts().map(|(expected, _)| expected.text.chars().count());
    let over = tally.over_texts().map(|text| text.chars().count());
    texts.chain(over).chain([name.chars().count()]).max().unwrap_or(0)
}

/// Why not all seeds of a scenario were simulated, and how many were; `None` if they were.
#[must_use]
pub fn cut_words(tally: &Tally) -> Option<String> {
    let (done, of) = (number::grouped(tally.len() as u64), number::grouped(tally.offered() as u64));
    match tally.cut()? {
        Cut::FirstFailure => {
            Some(format!("ended at the first failure, after {done} of {of} seeds"))
        }
        Cut::TimeBudget => Some(format!("the time budget was over after {done} of {of} seeds")),
    }
}

/// One scenario with its expectations. `wide` is the greatest [`width`] of all; `same` whether it
/// does what is locked, if that was asked.
#[must_use]
pub fn checked(name: &str, tally: &Tally, same: Option<bool>, wide: usize, color: bool) -> String {
    let mut out = Page::new(color);
    let drifted = if same == Some(false) { Standing::Drifted } else { Standing::Holds };
    let standing = tally.standing().max(drifted);
    let (sign, tone) = mark(standing);
    let wide = wide.clamp(24, 50);
    let seeds = number::counted(tally.len() as u64, "seed");
    let count = tally.count(standing);
    let mut word = standing.word().to_owned();
    if standing != Standing::Holds && count > 0 {
        word += &format!(" with {}", number::counted(count, "seed"));
    }
    if tally.len() < tally.offered() && tally.cut().is_none() {
        let offered = number::grouped(tally.offered() as u64);
        word += &format!(", decided before the last of {offered}");
    }
    let name = format!("{:<wide$}", cut(name, wide));
    let (sign, name) = (toned(color, tone, sign), toned(color, Tone::Strong, &name));
    out.line(&format!("{sign} {name}  {seeds:>12}   {}", toned(color, tone, &word)));
    if let Some(words) = cut_words(tally) {
        out.wrapped("      ", &words);
    }
    if tally.is_empty() {
        return out.text;
    }
    for (expected, count) in tally.counts() {
        expectation(&mut out, expected, count, wide);
    }
    for (text, told, _) in tally.over() {
        let (sign, tone) = super::sign(told.verdict);
        let text = format!("{:<wide$}", cut(&text, wide));
        let measured = cut(&told.measured, COLUMNS - wide - 6);
        out.line(&format!("  {} {text}  {measured}", toned(color, tone, sign)));
        if !told.note.is_empty() {
            out.wrapped("      ", &told.note);
        }
    }
    if same == Some(false) {
        let (sign, tone) = mark(Standing::Drifted);
        let text = format!("{:<wide$}", "behaves as locked");
        out.line(&format!("  {} {text}  drifted", toned(color, tone, sign)));
    }
    out.text
}

fn expectation(out: &mut Page, expected: &Expected, count: Count, wide: usize) {
    let (sign, tone) = sign(count.verdict());
    let mut said = Vec::new();
    if count.broken > 0 {
        said.push(format!("broken with {}", number::counted(count.broken, "seed")));
    }
    if count.undecided > 0 {
        said.push(format!("undecided with {}", number::counted(count.undecided, "seed")));
    }
    said.insert(0, span(expected, count));
    let said = cut(&said.join(", "), COLUMNS - wide - 6);
    let text = format!("{:<wide$}", cut(&expected.text, wide));
    out.line(&format!("  {} {text}  {said}", toned(out.color, tone, sign)));
}

/// What was measured of an expectation: `109 to 124 ms`, `0 lines`.
#[must_use]
pub fn span(expected: &Expected, count: Count) -> String {
    let Some((least, most)) = count.range else { return "nothing measured".to_owned() };
    let (low, high) = (expected.unit.number(least), expected.unit.number(most));
    let printed = expected.unit.print(most);
    if low == high { printed } else { format!("{low} to {printed}") }
}

/// What new seeds came to, how many of them, how many failed and how many were undecided, which they
/// were and where those that failed are kept.
#[must_use]
pub fn forever(
    [runs, failing, undecided]: [u64; 3],
    took: std::time::Duration,
    seeds: std::ops::Range<u64>,
    folder: &str,
) -> String {
    let took = Span::from_nanos(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    let (runs, took) = (number::counted(runs, "run"), number::span(took));
    let mut text = format!("{runs} in {took}: {failing} failed");
    if undecided > 0 {
        text += &format!(", {undecided} undecided");
    }
    if failing > 0 {
        text += &format!("; kept in {folder}");
    }
    format!("{text}\nfrom seed {} on; --seed {} goes on from here\n", seeds.start, seeds.end)
}

/// Why a scenario does not hold, and how to see it; nothing if it holds.
#[must_use]
pub fn failure(
    name: &str,
    tally: &Tally,
    color: bool,
    replay: &dyn Fn(u64) -> String,
    folder: Option<&str>,
) -> String {
    let standing = tally.standing();
    if standing == Standing::Holds {
        return String::new();
    }
    let mut out = Page::new(color);
    let name = toned(color, Tone::Strong, name);
    let word = toned(color, mark(standing).1, standing.word());
    out.line("");
    match tally.first() {
        Some(first) => {
            let with =
                if tally.count(first.standing) > 1 { "first with seed" } else { "with seed" };
            let own = toned(color, mark(first.standing).1, first.standing.word());
            out.line(&format!("{name}: {own}, {with} {}", first.seed));
            seed(&mut out, first);
            out.line(&format!("  again:  {}", replay(first.seed)));
        }
        None => out.line(&format!("{name}: {word}")),
    }
    if let Some(words) = cut_words(tally) {
        out.wrapped("  ", &words);
    }
    let mut over: Vec<_> =
        tally.over().filter(|(_, told, _)| told.verdict != Verdict::Holds).collect();
    over.sort_by_key(|(_, told, _)| std::cmp::Reverse(told.verdict));
    for (text, told, example) in over {
        let (sign, tone) = sign(told.verdict);
        let sign = toned(color, tone, sign);
        out.line(&format!("  {sign} expected {text}, found {}", told.measured));
        out.wrapped("      ", &told.note);
        if let Some(example) = example {
            out.line(&format!("  such a seed:  {}", replay(example.seed)));
        }
    }
    if let Some(folder) = folder {
        out.line(&format!("  report: {folder}"));
    }
    out.text
}

/// What does not hold with a seed.
fn seed(out: &mut Page, first: &First) {
    if let Some(trouble) = &first.trouble {
        for line in trouble.lines() {
            let lead = match first.standing {
                _ if line.starts_with(' ') => "      ",
                Standing::Undecided => "  ? ",
                _ => "  ! ",
            };
            out.wrapped(lead, line);
        }
    }
    for (judged, _) in &first.judged {
        let (sign, tone) = sign(judged.verdict);
        let sign = toned(out.color, tone, sign);
        out.line(&format!("  {sign} expected {}, found {}", judged.text, judged.measured));
        if let Some(note) = &judged.note {
            out.wrapped("      ", note);
        }
    }
}

/// The last line: how many scenarios stand how, the gravest first. Each is given with how it
/// stands, drifts included.
#[must_use]
pub fn sum(scenarios: &[(&Tally, Standing)], color: bool) -> String {
    let mut out = Page::new(color);
    let seeds = scenarios.iter().map(|(tally, _)| tally.len() as u64).sum();
    let said: Vec<String> = standings(scenarios)
        .into_iter()
        .map(|(standing, text)| toned(color, standing.map_or(Tone::Faint, |s| mark(s).1), &text))
        .collect();
    let total = number::counted(scenarios.len() as u64, "scenario");
    out.line("");
    out.line(&format!("{total}, {}: {}", number::counted(seeds, "run"), said.join(", ")));
    out.text
}

/// How many scenarios stand how, in words, the gravest first; last those that were not run at all.
#[must_use]
pub fn standings(scenarios: &[(&Tally, Standing)]) -> Vec<(Option<Standing>, String)> {
    use Standing::{Broken, Drifted, Failed, Holds, Undecided};
    let (skipped, run): (Vec<_>, Vec<_>) = scenarios.iter().partition(|(t, _)| t.is_skipped());
    let mut said: Vec<(Option<Standing>, String)> = Vec::new();
    for standing in [Failed, Broken, Drifted, Undecided, Holds] {
        let count = run.iter().filter(|(_, own)| *own == standing).count();
        let word = if standing == Holds && count != 1 { "hold" } else { standing.word() };
        if count > 0 {
            said.push((Some(standing), format!("{} {word}", number::grouped(count as u64))));
        }
    }
    if !skipped.is_empty() {
        said.push((None, format!("{} not run", number::grouped(skipped.len() as u64))));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Unfinished;
    use crate::report::fixture;
    use crate::report::tally::SeedResult;
    use crate::verdict::{Report, Unit};

    fn tally(results: Vec<Result<Report, Unfinished>>) -> Tally {
        let expected = |text: &str, unit| Expected { text: text.to_owned(), unit, line: Some(7) };
        let expected = vec![
            expected("success_lost <= 0", Unit::Lines),
            expected("write_longest_ms <= 3000 ms", Unit::Milliseconds),
        ];
        let mut tally = Tally::new(expected, &[], (1..=results.len() as u64).collect());
        for (index, result) in results.into_iter().enumerate() {
            tally.add(index, SeedResult::of(result));
        }
        tally
    }

    #[test]
    fn a_page() {
        let mut undecided = fixture::crash_run();
        undecided.expectations[0].verdict = Verdict::Undecided;
        let mut quick = fixture::crash_run();
        quick.expectations[0].verdict = Verdict::Holds;
        quick.expectations[1].value = Some(250.0);
        let runs = [
            ("calm", tally(vec![Ok(quick.clone()), Ok(quick.clone())])),
            ("mirror", tally(vec![Ok(quick), Ok(undecided), Ok(fixture::crash_run())])),
            (
                "a-name-that-is-as-long-as-a-name-can-be-which-is-64-characters-x",
                tally(vec![Err(Unfinished {
                    message: "10 events at one instant\n  = help: report it".to_owned(),
                    limit: false,
                })]),
            ),
        ];
        let wide = runs.iter().map(|(name, tally)| width(name, tally)).max().unwrap();
        let mut text = String::new();
        for (name, tally) in &runs {
            text += &checked(name, tally, None, wide, false);
        }
        let replay = |seed| format!("mqsim run x.toml --seed {seed}");
        for (name, tally) in &runs {
            text += &failure(name, tally, false, &replay, Some("out/x"));
        }
        let stand: Vec<_> = runs.iter().map(|(_, tally)| (tally, tally.standing())).collect();
        text += &sum(&stand, false);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        insta::assert_snapshot!(text);
    }
}
