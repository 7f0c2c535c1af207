//! The point of no return.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::{Span, Time};
use crate::run::Prepared;
use crate::run::simulate::side_by_side;

use super::biography::Biographer;
use super::{Subject, healed, is_safe};

/// The last moment before which the message could still be saved: had every fault been over just before it, with
/// the nodes started and the network healed, the message would not be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turning {
    /// This was it.
    Point {
        /// When.
        at: Time,
        /// What happened then.
        what: String,
    },
    /// Without any fault it is lost as well.
    Never,
}

/// Looks at each moment, the latest first.
pub(super) fn find(
    prepared: &Prepared,
    seed: u64,
    subject: Subject,
    biographer: &Biographer,
    jobs: usize,
) -> Turning {
    let moments = biographer.moments();
    // So many at once; what is found behind the first that saves it is of no use.
    for few in moments.chunks(jobs.max(1)) {
        let saves: Vec<AtomicBool> = few.iter().map(|_| AtomicBool::new(false)).collect();
        side_by_side(few.len(), jobs, &|place| {
            let just_before = before(few[place].at);
            let report = healed(prepared, seed, biographer, just_before);
            // A run that comes to no report has saved nothing.
            let safe = report.is_ok_and(|report| is_safe(&report, subject));
            saves[place].store(safe, Ordering::Relaxed);
        });
        let first = saves.iter().position(|saves| saves.load(Ordering::Relaxed));
        if let Some(moment) = first.map(|place| &few[place]) {
            return Turning::Point { at: moment.at, what: moment.text.clone() };
        }
    }
    Turning::Never
}

/// Just before a moment: a fault that begins at it has not begun.
fn before(at: Time) -> Time {
    let nanos = Span::from_nanos(at.as_nanos().saturating_sub(1));
    Time::ZERO + nanos
}
