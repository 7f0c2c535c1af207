//! Faults.

use crate::engine::{Span, Time};
use crate::observe::FaultId;

/// A fault of the schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedFault {
    /// Its place in the schedule and in the catalogue.
    pub id: FaultId,
    /// When it begins.
    pub at: Time,
    /// How long it lasts; until the end of the run's duration if not said.
    pub lasts: Option<Span>,
}
