//! Why lines are lost: the table of reasons, and the rows of `loss.csv`.

use crate::engine::{Span, Time};
use crate::observe::{BecauseId, CauseId, DestinationId, NodeId, ProducerId, Removal};
use crate::verdict::Loss;

/// Lines lost with a hole between them belong to one row if they were lost within this time.
const HOLE: Span = Span::from_secs(1);

/// Why and where a copy went, or none was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) removal: Removal,
    pub(super) node: NodeId,
}

/// Every different reason of a run. Few: causes times conditions times nodes at most.
#[derive(Clone, Debug, Default)]
pub(super) struct Reasons {
    known: Vec<Reason>,
    latest: usize,
}

impl Reasons {
    /// The id of a reason, from 1.
    pub(super) fn id(&mut self, removal: Removal, node: NodeId) -> u16 {
        let reason = Reason { removal, node };
        if self.known.get(self.latest) != Some(&reason) {
            let found = self.known.iter().position(|known| *known == reason);
            self.latest = found.unwrap_or_else(|| {
                self.known.push(reason);
                self.known.len() - 1
            });
        }
        u16::try_from(self.latest + 1).expect("a run has fewer than 65,536 different reasons")
    }

    /// The reason with that id; `None` for 0.
    pub(super) fn get(&self, id: u16) -> Option<Reason> {
        self.known.get(usize::from(id).checked_sub(1)?).copied()
    }

    pub(super) fn heap(&self) -> usize {
        self.known.capacity() * size_of::<Reason>()
    }
}

/// Why a line counts as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Acked,
    Accepted,
    Unknown,
    Consumer,
    Read,
}

impl Class {
    /// As in `loss.csv`: the column of `summary.csv` that counts the line.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Class::Acked => "acked_lost",
            Class::Accepted => "accepted_lost",
            Class::Unknown => "unknown_lost",
            Class::Consumer => "consumer_lost",
            Class::Read => "read_lost",
        }
    }
}

/// A row that may still grow.
struct OpenRow {
    class: Class,
    reason: u16,
    latest: Time,
    row: usize,
}

/// Gathers the lost lines of one track into rows; lines must come in order.
///
/// A row holds lines of one class and one reason that follow each other without a hole, or with
/// holes, if they were lost within a second of each other: the hole is then a line of the same
/// interval that survived or was lost for another reason.
pub(super) struct Rows<'a> {
    rows: &'a mut Vec<Loss>,
    open: Vec<OpenRow>,
    producer: ProducerId,
    destination: Option<DestinationId>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(
        rows: &'a mut Vec<Loss>,
        producer: ProducerId,
        destination: Option<DestinationId>,
    ) -> Rows<'a> {
        Rows { rows, open: Vec::new(), producer, destination }
    }

    /// Adds `count` lines from `first` on, lost at `at`.
    pub(super) fn add(
        &mut self,
        class: Class,
        (id, reason): (u16, Option<Reason>),
        at: Time,
        (first, count): (u32, u32),
    ) {
        let last = first + (count - 1);
        let found = self.open.iter_mut().find(|open| open.class == class && open.reason == id);
        if let Some(open) = found {
            let row = &mut self.rows[open.row];
            let apart = Span::from_nanos(at.as_nanos().abs_diff(open.latest.as_nanos()));
            open.latest = at;
            if row.last + 1 == first || apart <= HOLE {
                row.last = last;
                row.count += u64::from(count);
                row.at = row.at.min(at);
                return;
            }
            open.row = self.rows.len();
        } else {
            self.open.push(OpenRow { class, reason: id, latest: at, row: self.rows.len() });
        }
        self.rows.push(Loss {
            class: class.name(),
            cause: reason.map(|reason| reason.removal.cause),
            because: reason.map_or(BecauseId::NONE, |reason| reason.removal.because),
            node: reason.map(|reason| reason.node),
            at,
            producer: self.producer,
            destination: self.destination,
            first,
            last,
            count: u64::from(count),
        });
    }
}

/// Adds lost lines to their cause's count, each line once.
pub(super) fn count_cause(by_cause: &mut [u64], cause: Option<CauseId>, lines: u64) {
    if let Some(cause) = cause {
        by_cause[cause.index()] += lines;
    }
}
