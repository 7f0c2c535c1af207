//! The first screen of a run: is it safe, what was lost and why, how long was it away.

use super::{Page, Tone};
use crate::report::glance::{self, Mood, Safe};
use crate::verdict::Report;

/// The tone of a mood; none for a plain one.
pub(super) const fn tone(mood: Mood) -> Tone {
    match mood {
        Mood::Good => Tone::Good,
        Mood::Plain => Tone::Faint,
        Mood::Doubtful => Tone::Doubtful,
        Mood::Bad => Tone::Bad,
    }
}

/// Prints the three answers, in the order in which they are asked for.
pub(super) fn print(out: &mut Page, report: &Report) {
    out.line("");
    let (safe, sentence) = glance::safe(report);
    let (answer, tone) = match safe {
        Safe::Yes => ("yes", Tone::Good),
        Safe::No => ("no", Tone::Bad),
        Safe::NotKnown => ("not known", Tone::Doubtful),
        Safe::Nothing => ("nothing to lose", Tone::Faint),
    };
    out.answer("Safe", &format!("{answer}: {sentence}"), Some((tone, answer)));
    if let Some(stuck) = glance::stuck(report) {
        out.answer("Stuck", &stuck, None);
    }
    let lost = glance::lost(report);
    let none = if report.quiet { "nothing" } else { "not known to be anything" };
    match lost.split_first() {
        None => out.answer("Lost", none, None),
        Some((first, rest)) => {
            out.answer("Lost", first, None);
            rest.iter().for_each(|line| out.answer("", line, None));
        }
    }
    for (index, (what, how)) in glance::away(report).into_iter().enumerate() {
        out.answer(if index == 0 { "Away" } else { "" }, &format!("{what}: {how}"), None);
    }
}
