//! What `mqsim run` prints: the verdict, why, and how to see it again.
//!
//! Plain text: the summary of a run of at most 80 columns but for its wide tables, which come below
//! the first screen and have 100, as what is made of many runs; colours only if asked for. Every
//! number has a unit.

mod check;
mod compare;
mod glance;
mod matrix;
mod seeds;
mod sparkline;
mod sweep;
mod tables;

pub use check::{checked, cut_words, failure, forever, span, standings, sum, width};
pub use compare::compare;
pub use matrix::matrix;
pub use seeds::overview;
pub use sweep::sweep;

use super::glance::{Badge, badge, lines};
use super::number;
use crate::engine::Span;
use crate::scenario::shown;
use crate::verdict::{Busy, Judged, Report, Verdict};

/// Width that everything fits into.
pub const COLUMNS: usize = 100;

/// Width that the summary of one run fits into, but for its wide tables.
pub const PAGE: usize = 80;

/// How to print, and what only the caller knows.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether to use colours (a terminal, and no `NO_COLOR`).
    pub color: bool,
    /// How many columns the terminal has, if that is known: a narrower one than [`PAGE`] has a
    /// narrower page.
    pub columns: Option<usize>,
    /// The command that runs this seed again.
    pub replay: String,
    /// Wall-clock time that the simulation of this seed took, if it was measured.
    pub took: Option<std::time::Duration>,
    /// The report folder, if one was written.
    pub folder: Option<String>,
}

/// What a piece of text stands for, hence its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tone {
    Good,
    Bad,
    Doubtful,
    Strong,
    Faint,
}

/// Wraps text into the escape codes of a tone, if colours are wanted.
fn toned(color: bool, tone: Tone, text: &str) -> String {
    let code = match tone {
        Tone::Good => "32",
        Tone::Bad => "31",
        Tone::Doubtful => "33",
        Tone::Strong => "1",
        Tone::Faint => "2",
    };
    if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Sign and tone of a verdict.
const fn sign(verdict: Verdict) -> (&'static str, Tone) {
    match verdict {
        Verdict::Holds => ("✓", Tone::Good),
        Verdict::Undecided => ("?", Tone::Doubtful),
        Verdict::Broken => ("✗", Tone::Bad),
    }
}

/// Sign and tone of a verdict, if there is one.
const fn sign_of(verdict: Option<Verdict>) -> (&'static str, Tone) {
    match verdict {
        Some(verdict) => sign(verdict),
        None => ("-", Tone::Faint),
    }
}

/// The summary of one run.
#[must_use]
pub fn summary(report: &Report, options: &Options) -> String {
    let mut out = Page::new(options.color);
    out.columns = options.columns.map_or(PAGE, |columns| columns.clamp(40, PAGE));
    out.tables = options.columns.map_or(COLUMNS, |columns| columns.clamp(PAGE, COLUMNS));
    heading(&mut out, report);
    glance::print(&mut out, report);
    expectations(&mut out, report);
    sparkline::print(&mut out, report);
    counts(&mut out, report);
    availability(&mut out, report);
    tables::windows(&mut out, report);
    tables::losses(&mut out, report);
    tables::latency(&mut out, report);
    tables::matrix(&mut out, report);
    tables::invariants(&mut out, report);
    processors(&mut out, report);
    remarks(&mut out, report);
    footer(&mut out, report, options);
    out.text
}

/// Text being put together.
struct Page {
    color: bool,
    /// Width that it fits into.
    columns: usize,
    /// Width that its tables fit into.
    tables: usize,
    text: String,
}

impl Page {
    /// An empty one of [`COLUMNS`].
    fn new(color: bool) -> Page {
        Page { color, columns: COLUMNS, tables: COLUMNS, text: String::new() }
    }

    /// An empty one that fits into so many columns, if it can: a table has no less than 60.
    fn within(columns: usize, color: bool) -> Page {
        let columns = columns.clamp(40, COLUMNS);
        Page { color, columns, tables: columns.max(60), text: String::new() }
    }

    /// A line.
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A blank line, then a section's title.
    fn section(&mut self, title: &str) {
        let title = toned(self.color, Tone::Strong, title);
        self.line("");
        self.line(&title);
    }

    /// A paragraph, wrapped, every line after the first indented like the text of the first.
    fn wrapped(&mut self, lead: &str, text: &str) {
        let indent = lead.chars().count();
        let mut line = lead.to_owned();
        let mut empty = true;
        for word in text.split_whitespace() {
            if !empty && line.chars().count() + 1 + word.chars().count() > self.columns {
                self.line(&line);
                line = " ".repeat(indent);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.line(&line);
    }

    /// An answer beside its question, wrapped; the words at its beginning that it begins with may
    /// have a tone.
    fn answer(&mut self, question: &str, answer: &str, beginning: Option<(Tone, &str)>) {
        let from = self.text.len();
        self.wrapped(&format!("  {question:<5}  "), answer);
        if let Some((tone, words)) = beginning
            && let Some(at) = self.text[from..].find(words)
        {
            let at = from + at;
            let toned = self.toned(tone, words);
            self.text.replace_range(at..at + words.len(), &toned);
        }
        if !question.is_empty()
            && let Some(at) = self.text[from..].find(question)
        {
            let at = from + at;
            let toned = self.toned(Tone::Strong, question);
            self.text.replace_range(at..at + question.len(), &toned);
        }
    }

    fn toned(&self, tone: Tone, text: &str) -> String {
        toned(self.color, tone, text)
    }
}

/// Text in one line, cut to so many columns, with an ellipsis.
fn cut(text: &str, columns: usize) -> String {
    let text = shown(text);
    if text.chars().count() <= columns {
        return text.into_owned();
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

fn heading(out: &mut Page, report: &Report) {
    let Badge { text: word, mood } = badge(report);
    let (word, tone) = (word.as_str(), glance::tone(mood));
    let seed = format!(" · seed {}", report.seed);
    let name = cut(&report.scenario, out.columns - seed.chars().count()) + &seed;
    let mode = format!("{} {}", report.mode, report.broker_version);
    let length = [&name, word, &mode].map(|part| part.chars().count()).iter().sum::<usize>() + 6;
    let (name, word) = (out.toned(Tone::Strong, &name), out.toned(tone, word));
    if length <= out.columns {
        out.line(&format!("{name} · {mode} · {word}"));
    } else {
        out.line(&name);
        out.line(&format!("{mode} · {word}"));
    }
    if !report.description.is_empty() {
        // Lines of the text are none of the page; what else is hidden in it is shown.
        let words: Vec<&str> = report.description.split_whitespace().collect();
        out.wrapped("", &shown(&words.join(" ")));
    }
    for note in &report.catalog.notes {
        out.wrapped("", &format!("Note: {note}"));
    }
}

fn expectations(out: &mut Page, report: &Report) {
    if report.expectations.is_empty() {
        return;
    }
    out.line("");
    let texts = report.expectations.iter().map(|judged| judged.text.chars().count());
    let wide = texts.max().unwrap_or(0).min(46).min(out.columns * 6 / 10);
    for judged in &report.expectations {
        expectation(out, judged, wide);
    }
}

fn expectation(out: &mut Page, judged: &Judged, wide: usize) {
    let (mark, tone) = sign(judged.verdict);
    let text = cut(&judged.text, wide);
    let measured = cut(&judged.measured, out.columns - wide - 6);
    let mark = out.toned(tone, mark);
    out.line(&format!("  {mark} {text:<wide$}  {measured}"));
    if let Some(note) = &judged.note {
        out.wrapped("      ", note);
    }
}

/// What became of lines, in one or two sentences without what is zero.
fn counts(out: &mut Page, report: &Report) {
    let s = &report.summary;
    out.section("Messages");
    let parts = [
        (s.attempted, "attempted"),
        (s.acked, "acked"),
        (s.accepted, "accepted"),
        (s.returned, "returned"),
        (s.rejected, "rejected"),
        (s.nacked, "nacked"),
        (s.unknown, "unknown"),
        (s.unsent, "unsent"),
        (s.processed, "processed"),
        (s.dead_lettered, "dead-lettered"),
        (s.expired, "expired"),
        (s.stored_at_end, "stored at the end"),
        (s.unreachable_at_end, "unreachable at the end"),
        (s.duplicated, "delivered again"),
        (s.reordered, "out of order"),
        (s.phantom, "phantom (not acked, delivered all the same)"),
    ];
    let said = parts.iter().filter(|(n, _)| *n > 0);
    let said: Vec<String> =
        said.map(|(n, what)| format!("{} {what}", number::grouped(*n))).collect();
    out.wrapped("  ", &format!("{}: {}", lines(report, s.lines), said.join(", ")));
    if let (Some(acked), Some(processed)) = (s.acked_per_s, s.processed_per_s) {
        let acked = number::rate(acked, "messages");
        let processed = number::rate(processed, "messages");
        out.line(&format!("  {acked} acked, {processed} processed (after the warm-up)"));
    }
    if s.success_lost > 0 {
        let lost = lines(report, s.success_lost);
        let text = format!(
            "{lost} lost after success ({} acked, {} accepted)",
            number::grouped(s.acked_lost),
            number::grouped(s.accepted_lost)
        );
        let text = out.toned(Tone::Bad, &text);
        out.line(&format!("  {text}"));
    } else {
        out.line(&format!("  {} lost after success", lines(report, 0)));
    }
    if s.success_gone > s.success_lost {
        let gone = lines(report, s.success_gone);
        let text = format!("{gone} gone from every log after success, read before or not");
        let text = out.toned(Tone::Bad, &text);
        out.line(&format!("  {text}"));
    }
    if s.unexplained > 0 {
        let text = format!("{} lost without a cause: a defect of mqsim, please report it", {
            lines(report, s.unexplained)
        });
        let text = out.toned(Tone::Bad, &text);
        out.line(&format!("  {text}"));
    }
}

/// Both availabilities side by side, and reads.
fn availability(out: &mut Page, report: &Report) {
    let s = &report.summary;
    let rows = [
        ("writes, as clients see them", s.write_availability, s.write_longest_ms),
        ("writes that lasted (effective)", s.effective_write_availability, None),
        ("reads", s.read_availability, s.read_longest_ms),
    ];
    if rows.iter().all(|(_, share, _)| share.is_none()) {
        return;
    }
    out.section("Availability");
    for (what, share, longest) in rows {
        let share = share.map_or("not measured".to_owned(), number::percent);
        let gap = longest.filter(|&ms| ms > 0).map(|ms| number::span(Span::from_millis(ms)));
        let gap = gap.map_or(String::new(), |gap| format!("   longest gap {gap}"));
        out.line(&format!("  {what:<31} {share:>12}{gap}"));
    }
}

/// How busy each broker was.
fn processors(out: &mut Page, report: &Report) {
    if report.busy.is_empty() {
        return;
    }
    out.section("Processors, while load was offered");
    let share = |busy: &Busy| {
        let share = number::percent(busy.share(report.duration));
        let cores = number::counted(u64::from(busy.cores), "core");
        format!("{} {share} of {cores}", report.catalog.node(busy.node))
    };
    let said: Vec<String> = report.busy.iter().map(share).collect();
    out.wrapped("  ", &said.join(", "));
}

fn remarks(out: &mut Page, report: &Report) {
    if report.remarks.is_empty() {
        return;
    }
    out.section("Remarks");
    for remark in &report.remarks {
        out.wrapped("  - ", remark);
    }
}

/// How fast it went, where the report is, how to see it again.
fn footer(out: &mut Page, report: &Report, options: &Options) {
    out.line("");
    let events = report.summary.events;
    let ended = number::instant(report.ended);
    let mut line = format!("{} and {ended} simulated", number::counted(events, "event"));
    if let Some(took) = options.took.filter(|took| !took.is_zero()) {
        let seconds = took.as_secs_f64();
        let simulated = (report.ended.as_nanos() as f64 / 1e9 / seconds) as u64;
        line += &format!(
            " in {}: {}, {} s/s",
            number::latency(took.as_micros() as u64),
            number::rate(events as f64 / seconds, "events"),
            number::grouped(simulated),
        );
    }
    let line = out.toned(Tone::Faint, &line);
    out.line(&line);
    let print = out.toned(Tone::Faint, &format!("fingerprint {:016x}", report.fingerprint));
    out.line(&print);
    if let Some(folder) = &options.folder {
        out.line(&format!("report: {folder}"));
    }
    if !options.replay.is_empty() {
        out.line(&format!("again:  {}", options.replay));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn options() -> Options {
        Options {
            columns: None,
            color: false,
            replay: "mqsim run scenarios/mirror.toml --seed 1".to_owned(),
            took: Some(std::time::Duration::from_millis(250)),
            folder: Some("reports/mirror".to_owned()),
        }
    }

    /// Text without escape codes.
    fn plain(text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("\u{1b}[") {
            out.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        out + rest
    }

    #[test]
    fn a_run_with_a_crash() {
        insta::assert_snapshot!(summary(&fixture::crash_run(), &options()));
    }

    #[test]
    fn a_run_without_trouble() {
        insta::assert_snapshot!(summary(&fixture::quiet_run(), &options()));
    }

    #[test]
    fn a_run_that_never_became_quiet() {
        insta::assert_snapshot!(summary(&fixture::crowded_run(), &options()));
    }

    #[test]
    fn colours_change_nothing_else() {
        let report = fixture::crash_run();
        let colored = summary(&report, &Options { color: true, ..options() });
        assert!(colored.contains("\u{1b}[31m✗"), "{colored}");
        assert_eq!(plain(&colored), summary(&report, &options()));
    }

    #[test]
    fn everything_fits() {
        for report in [fixture::crash_run(), fixture::quiet_run(), fixture::crowded_run()] {
            let text = summary(&report, &options());
            let (first, _) = text.split_once("\nMessages\n").expect("all have messages");
            for line in first.lines() {
                assert!(line.chars().count() <= PAGE, "{line}");
            }
            for line in text.lines() {
                assert!(line.chars().count() <= COLUMNS, "{line}");
            }
        }
    }
}
