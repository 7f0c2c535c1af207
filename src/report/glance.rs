//! The first glance at a run: is it safe, what was lost and why, how long was it away. Words only;
//! the terminal, the plots and `--json` show them.

use super::{number, tally, verdict, verdict_word};
use crate::observe::CauseId;
use crate::verdict::{Fate, FinalOutcome, Report, Verdict, WAITS_IN_NOTE, Window, WindowKind};

/// How good the news is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// All that was expected holds, and nothing is lost but what was expected to be.
    Good,
    /// Neither good nor bad.
    Plain,
    /// Something is not known, or was lost and nobody had said that it may be.
    Doubtful,
    /// Something that was expected is not so.
    Bad,
}

/// A run in a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Badge {
    /// `holds`, `as expected: 9,789 lost`, `nothing expected, 12 lost`.
    pub text: String,
    /// How good that is.
    pub mood: Mood,
}

/// Whether what producers believe safe is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safe {
    /// Nothing that was acknowledged or accepted is lost.
    Yes,
    /// Something is.
    No,
    /// Nothing is known to be, but some of it could not be read at the end.
    NotKnown,
    /// Nothing was acknowledged or accepted.
    Nothing,
}

impl Safe {
    /// The word for it in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Safe::Yes => "yes",
            Safe::No => "no",
            Safe::NotKnown => "not-known",
            Safe::Nothing => "nothing-acknowledged",
        }
    }
}

/// The badge of a run. It is good only if nothing was lost unless that was expected.
#[must_use]
pub fn badge(report: &Report) -> Badge {
    let gone = report.summary.success_gone;
    let lost = format!("{} lost", number::grouped(gone));
    let expected = report.expectations.iter().any(|judged| judged.loss);
    let (text, mood) = match verdict(report) {
        None if gone > 0 => (format!("nothing expected, {lost}"), Mood::Doubtful),
        None => ("nothing expected".to_owned(), Mood::Plain),
        Some(Verdict::Holds) if gone == 0 => ("holds".to_owned(), Mood::Good),
        Some(Verdict::Holds) if expected => (format!("as expected: {lost}"), Mood::Good),
        Some(Verdict::Holds) => (format!("holds, {lost}"), Mood::Doubtful),
        Some(verdict @ Verdict::Undecided) => (verdict_word(verdict).to_owned(), Mood::Doubtful),
        Some(verdict @ Verdict::Broken) => (verdict_word(verdict).to_owned(), Mood::Bad),
    };
    Badge { text, mood }
}

/// What a line is called: a message, in a run in which none is several lines.
#[must_use]
pub fn line_word(report: &Report) -> &'static str {
    if report.catalog.fans_out() { "line" } else { "message" }
}

/// `20,000 messages`, or lines.
pub(crate) fn lines(report: &Report, count: u64) -> String {
    number::counted(count, line_word(report))
}

/// `20,000 acknowledged messages`, or lines.
fn things(report: &Report, count: u64, told: &str) -> String {
    number::counted(count, &format!("{told} {}", line_word(report)))
}

/// Lines with that fate whose producer believes that they are safe.
fn believed(report: &Report, fate: Fate) -> u64 {
    let cells = &report.summary.matrix.cells;
    cells[FinalOutcome::Acked as usize][fate as usize]
        + cells[FinalOutcome::Accepted as usize][fate as usize]
}

/// Is it safe? With a sentence that says how much of what is.
#[must_use]
pub fn safe(report: &Report) -> (Safe, String) {
    let (safe, mut sentence) = safety(report);
    if report.catalog.fans_out() && sentence.contains(" line") {
        sentence += " (a message at one of its destinations is a line)";
    }
    (safe, sentence)
}

fn safety(report: &Report) -> (Safe, String) {
    let s = &report.summary;
    let told = match (s.acked, s.accepted) {
        (0, 0) => return (Safe::Nothing, "no message was acknowledged".to_owned()),
        (_, 0) => "acknowledged",
        (0, _) => "accepted",
        _ => "acknowledged or accepted",
    };
    let all = things(report, s.acked + s.accepted, told);
    let unread = believed(report, Fate::Unreachable);
    let gone = s.success_gone;
    // They are in the log still, but their group reads on behind them.
    let skipped = s.success_lost.saturating_sub(believed(report, Fate::Gone));
    if gone == 0 && skipped > 0 {
        let count = number::grouped(skipped);
        let are = if skipped == 1 { "was" } else { "were" };
        return (Safe::No, format!("{count} of {all} {are} passed over by their consumers"));
    }
    if gone == 0 && s.read_lost > 0 {
        let (were, count) =
            (if s.read_lost == 1 { "was" } else { "were" }, number::grouped(s.read_lost));
        let others = if s.read_lost == 1 { "other" } else { "others" };
        let text =
            format!("none of {all} is gone, but {count} {others} {were} read and {were} lost then");
        return (Safe::No, text);
    }
    if gone == 0 && unread == 0 && !report.quiet {
        return (Safe::NotKnown, format!("the run ended before {all} had come to rest"));
    }
    if gone == 0 && unread == 0 {
        return (Safe::Yes, format!("none of {all} is lost"));
    }
    let unread_too = match unread {
        0 => String::new(),
        many => format!(", and {} could not be read at the end", number::grouped(many)),
    };
    let unread_too = match skipped {
        0 => unread_too,
        many => {
            let many = number::grouped(many);
            format!(", and {many} were passed over by their consumers{unread_too}")
        }
    };
    let (are, count) = (if gone == 1 { "is" } else { "are" }, number::grouped(gone));
    let read = gone.saturating_sub(believed(report, Fate::Gone));
    if gone == 0 {
        let count = number::grouped(unread);
        return (Safe::NotKnown, format!("{count} of {all} could not be read at the end"));
    }
    let lost = match read {
        0 => format!("{count} of {all} {are} lost"),
        read if read == gone => {
            format!("{count} of {all} {are} gone from every log, all of them read before")
        }
        read => {
            let read = number::grouped(read);
            format!("{count} of {all} {are} gone from every log, {read} of them read before")
        }
    };
    (Safe::No, lost + &unread_too)
}

/// Who waits for what in a run that did not become quiet; nothing if messages still got on.
#[must_use]
pub fn stuck(report: &Report) -> Option<String> {
    let told = report
        .waits
        .iter()
        .take(WAITS_IN_NOTE)
        .map(|wait| format!("{} waits for {}", report.catalog.node(wait.node), wait.what));
    let told = told.collect::<Vec<_>>().join("; ");
    let stuck = !report.quiet && !report.at_work && !told.is_empty();
    stuck.then(|| format!("{told} (at {})", number::instant(report.ended)))
}

/// At most this many kinds of loss are told.
const LOSSES: usize = 3;

/// What was lost and why, the greatest first; and what the greatest cause means. Nothing if nothing
/// was.
#[must_use]
pub fn lost(report: &Report) -> Vec<String> {
    let mut told = tally::losses(report, LOSSES);
    if told.is_empty() {
        return told;
    }
    let greatest = (0..).zip(&report.causes).max_by_key(|&(id, lines)| (*lines, u32::MAX - id));
    if let Some((id, 1..)) = greatest {
        let cause = &report.catalog.causes[CauseId(id).index()];
        if !cause.meaning.is_empty() {
            told.push(format!("{}: {}", cause.name, cause.meaning));
        }
    }
    told
}

/// How long it was away: of each kind of operation, what was asked and the answer.
#[must_use]
pub fn away(report: &Report) -> Vec<(&'static str, String)> {
    let s = &report.summary;
    let (writes, late) = outage(report, WindowKind::Write, s.write_availability);
    let (lasting, lasting_late) =
        outage(report, WindowKind::EffectiveWrite, s.effective_write_availability);
    let differs = lasting != writes;
    let mut told = vec![("writes", writes + &late)];
    if differs {
        // Why the same client came back late is told once.
        let late = if lasting_late == late { "" } else { &lasting_late };
        told.push(("writes that lasted", lasting + late));
    }
    let (mut reads, late) = outage(report, WindowKind::Read, s.read_availability);
    reads += &late;
    if let Some(one) = report.unmeasured.iter().max_by_key(|one| one.to.since(one.from)) {
        let (from, to) = (number::instant(one.from), number::instant(one.to));
        reads += &format!("; not measurable from {from} to {to}, with nothing there to read");
    }
    told.push(("reads", reads));
    told
}

/// The outages of one kind of operation, at the destination where they are longest.
///
/// Returns them, and why the longest went on if that was because of a client.
fn outage(report: &Report, kind: WindowKind, share: Option<f64>) -> (String, String) {
    let short = |text: &str| (text.to_owned(), String::new());
    if share.is_none() {
        return short("not measured");
    }
    let length = |window: &Window| window.end.since(window.start);
    let of_kind: Vec<&Window> = report.windows.iter().filter(|w| w.kind == kind).collect();
    let total = |destination| {
        let of = of_kind.iter().filter(|window| window.destination == destination);
        of.map(|window| length(window).as_nanos()).sum::<u64>()
    };
    let worst = of_kind.iter().map(|window| window.destination);
    let Some(worst) = worst.max_by_key(|id| (total(*id), std::cmp::Reverse(*id))) else {
        return short("never away");
    };
    let windows: Vec<&Window> =
        of_kind.iter().copied().filter(|window| window.destination == worst).collect();
    let longest = |w: &&&Window| (length(w), std::cmp::Reverse(w.start));
    let Some(longest) = windows.iter().max_by_key(longest) else { unreachable!("it has one") };
    let mut text = match windows.len() {
        1 => String::new(),
        many => {
            let all = crate::engine::Span::from_nanos(total(worst));
            format!("{many} times, {} in all; the longest ", number::span(all))
        }
    };
    text += &number::span(length(longest));
    let from = number::instant(longest.start);
    text += &match (longest.open, longest.tried) {
        (true, Some(tried)) => {
            format!(" from {from} on: not tried again after {}", number::instant(tried))
        }
        (true, None) => format!(" from {from} on: not recovered"),
        (false, _) => format!(" from {from} to {}", number::instant(longest.end)),
    };
    text += &match longest.fault.map(|id| report.catalog.faults[id.index()].as_str()) {
        None => ", without a fault".to_owned(),
        Some(fault) if !longest.open && longest.recovery.is_none() => {
            format!(", undone by {fault}")
        }
        Some(fault) => format!(", after {fault}"),
    };
    if report.catalog.destinations.len() > 1 {
        text += &format!(" (at {})", report.catalog.destination(worst));
    }
    let mut why = String::new();
    if let Some(late) = &longest.late {
        let (free, back) = (number::instant(late.free), number::instant(late.back));
        why += match late.led {
            true => "; a leader was there from ",
            false => "; the fault was over at ",
        };
        let client = report.catalog.node(late.client);
        why += &format!(
            "{free}{}, {client} came back at {back} ({})",
            if late.led { " on" } else { "" },
            late.why
        );
    }
    (text, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_badge_is_good_only_if_what_was_lost_was_expected() {
        let badge = |report: &Report| {
            let Badge { text, mood } = super::badge(report);
            (text, mood)
        };
        let mut run = fixture::quiet_run();
        assert_eq!(badge(&run), ("holds".to_owned(), Mood::Good));
        run.summary.success_gone = 12_551;
        assert_eq!(badge(&run), ("holds, 12,551 lost".to_owned(), Mood::Doubtful));
        run.expectations[0].loss = true;
        assert_eq!(badge(&run), ("as expected: 12,551 lost".to_owned(), Mood::Good));
        run.expectations.clear();
        assert_eq!(badge(&run), ("nothing expected, 12,551 lost".to_owned(), Mood::Doubtful));
        run.summary.success_gone = 0;
        assert_eq!(badge(&run), ("nothing expected".to_owned(), Mood::Plain));
        assert_eq!(badge(&fixture::crash_run()), ("broken".to_owned(), Mood::Bad));
    }

    #[test]
    fn gone_is_gone() {
        let mut run = fixture::quiet_run();
        run.summary.matrix.cells = Default::default();
        let cells = &mut run.summary.matrix.cells[FinalOutcome::Acked as usize];
        cells[Fate::Processed as usize] = 20_000;
        (run.summary.acked, run.summary.lines, run.summary.attempted) = (20_000, 20_000, 20_000);
        let all = "20,000 acknowledged messages";
        assert_eq!(safe(&run), (Safe::Yes, format!("none of {all} is lost")));
        run.summary.success_gone = 13_696;
        let read = format!("13,696 of {all} are gone from every log, all of them read before");
        assert_eq!(safe(&run), (Safe::No, read));
        run.summary.matrix.cells[FinalOutcome::Acked as usize][Fate::Unreachable as usize] = 1_200;
        assert!(safe(&run).1.ends_with("before, and 1,200 could not be read at the end"));
        run.summary.success_gone = 0;
        let unread = format!("1,200 of {all} could not be read at the end");
        assert_eq!(safe(&run), (Safe::NotKnown, unread));
        run.summary.acked = 0;
        assert_eq!(safe(&run).0, Safe::Nothing);
    }

    #[test]
    fn an_outage_says_what_made_it_and_whether_it_is_over() {
        let mut run = fixture::crash_run();
        let told = |run: &Report| {
            away(run)
                .iter()
                .map(|(what, how)| format!("{what}: {how}"))
                .collect::<Vec<_>>()
                .join("\n")
        };
        insta::assert_snapshot!(told(&run));
        for window in &mut run.windows {
            (window.open, window.recovery, window.fault) = (true, None, None);
        }
        assert!(told(&run).contains("on: not recovered, without a fault"), "{}", told(&run));
        for window in &mut run.windows {
            window.tried =
                Some(crate::engine::Time::ZERO + crate::engine::Span::from_millis(59_020));
        }
        let told = told(&run);
        assert!(told.contains("on: not tried again after 59.020 s, without"), "{told}");
    }
}
