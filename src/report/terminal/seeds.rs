//! Several seeds of one scenario on one page.

use super::{COLUMNS, Page, Tone, cut, sign, sign_of, toned};
use crate::report::glance::lines;
use crate::report::{number, verdict, verdict_word};
use crate::verdict::{Report, Verdict};

/// At most this many seeds get a line; those that did not hold come first.
const LINES: usize = 20;

/// Every expectation over all seeds, then a line a seed. `replay` makes the command for a seed.
#[must_use]
pub fn overview(reports: &[Report], color: bool, replay: &dyn Fn(u64) -> String) -> String {
    let mut out = Page::new(color);
    let Some(first) = reports.first() else { return String::new() };
    let worst = reports.iter().map(verdict).max().flatten();
    let name = toned(color, Tone::Strong, &first.scenario);
    let seeds = number::counted(reports.len() as u64, "seed");
    let word = worst.map_or("nothing expected", verdict_word);
    let word = toned(color, sign_of(worst).1, word);
    let mode = format!("{} {}", first.mode, first.broker_version);
    out.line(&format!("{name} · {mode} · {seeds} · {word}"));
    expectations(&mut out, reports);
    out.line("");
    for report in in_order(reports).into_iter().take(LINES) {
        line(&mut out, report);
    }
    if reports.len() > LINES {
        let more = number::counted((reports.len() - LINES) as u64, "more seed");
        out.line(&format!("  and {more} in summary.csv"));
    }
    if let Some(bad) = in_order(reports).into_iter().find(|r| verdict(r) == Some(Verdict::Broken)) {
        out.line("");
        out.line(&format!("first broken seed again:  {}", replay(bad.seed)));
    }
    out.text
}

/// Broken seeds, then undecided ones, then the rest, each in the order of simulation.
fn in_order(reports: &[Report]) -> Vec<&Report> {
    let mut order: Vec<&Report> = reports.iter().collect();
    order.sort_by_key(|report| std::cmp::Reverse(verdict(report)));
    order
}

/// In how many seeds each expectation holds.
fn expectations(out: &mut Page, reports: &[Report]) {
    let all = reports.len();
    for (i, judged) in reports[0].expectations.iter().enumerate() {
        let verdicts = || reports.iter().filter_map(|r| r.expectations.get(i)).map(|j| j.verdict);
        let count = |wanted| verdicts().filter(|&v| v == wanted).count();
        let (mark, tone) = sign(verdicts().max().unwrap_or(Verdict::Undecided));
        let mut text = format!("holds in {} of {all} seeds", count(Verdict::Holds));
        if count(Verdict::Undecided) > 0 {
            text += &format!(", undecided in {}", count(Verdict::Undecided));
        }
        let mark = toned(out.color, tone, mark);
        out.line(&format!("  {mark} {:<46}  {text}", cut(&judged.text, 46)));
    }
}

/// The headline numbers of a seed.
fn line(out: &mut Page, report: &Report) {
    let s = &report.summary;
    let (mark, tone) = sign_of(verdict(report));
    let mark = toned(out.color, tone, mark);
    let lost = format!("{} lost", lines(report, s.success_gone));
    let available = s.write_availability.map_or("-".to_owned(), number::percent);
    let gap = s.write_longest_ms.map_or("-".to_owned(), |ms| match ms {
        0 => "none".to_owned(),
        ms => number::latency(ms * 1_000),
    });
    let text =
        format!("seed {:<20} {lost:<18} writes {available:>9}, longest gap {gap:>8}", report.seed);
    out.line(&format!("  {mark} {}", cut(&text, COLUMNS - 4)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn seeds_that_broke_come_first() {
        let mut reports = vec![fixture::quiet_run(), fixture::crash_run(), fixture::quiet_run()];
        reports[0].seed = u64::MAX;
        reports[1].seed = 2;
        reports[2].seed = 3;
        reports[2].expectations[0].verdict = Verdict::Undecided;
        let replay = |seed| format!("mqsim run scenarios/mirror.toml --seed {seed}");
        let text = overview(&reports, false, &replay);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn many_seeds_are_cut_short() {
        let reports: Vec<Report> =
            (0..50).map(|seed| Report { seed, ..fixture::quiet_run() }).collect();
        let text = overview(&reports, false, &|seed| seed.to_string());
        assert!(text.contains("and 30 more seeds in summary.csv"), "{text}");
    }
}
