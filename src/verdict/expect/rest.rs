//! That a cluster comes to rest: expected of every run of which the scenario does not say otherwise.

use crate::verdict::metrics::Unit;
use crate::verdict::{Judged, Report, Verdict, WAITS_IN_NOTE};

/// What is expected of every run.
pub(super) const RESTS: &str = "the cluster comes to rest";

/// The metric by which a scenario says that it does not, or how far.
pub(super) const WAITING: &str = "waiting_at_end";

/// Whether the cluster came to rest after the last fault had ended and all was up. One that did not
/// has failed, unless messages still got on when the drain was over: then that was too short.
pub(super) fn judge_rest(report: &Report) -> Judged {
    let waiting = report.summary.waiting_at_end;
    let told = report
        .waits
        .iter()
        .take(WAITS_IN_NOTE)
        .map(|wait| format!("{} waits for {}", report.catalog.node(wait.node), wait.what));
    let told = told.collect::<Vec<_>>().join("; ");
    let (verdict, note) = match (report.quiet, report.at_work) {
        (true, _) => (Verdict::Holds, None),
        (false, true) => {
            let note = "messages still got on when the drain was over: write a longer drain";
            (Verdict::Undecided, Some(note.to_owned()))
        }
        (false, false) if told.is_empty() => {
            (Verdict::Broken, Some("it is never quiet for 2 s: see events.csv".to_owned()))
        }
        (false, false) => (Verdict::Broken, Some(told)),
    };
    let measured = Unit::Waiting.print(waiting as f64);
    let text = RESTS.to_owned();
    let value = Some(waiting as f64);
    Judged { text, measured, value, verdict, note, claimed: true, loss: false }
}
