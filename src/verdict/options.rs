//! What a ledger is told at its start, and what a run tells it at its end.

use super::{Busy, Question, Waits};
use crate::engine::{Fingerprint, Span, Time};

/// What the ledger must know before the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerOptions {
    /// How long load is offered; the end of measured time.
    pub duration: Span,
    /// Latency, throughput and availability before it do not count; losses do.
    pub warmup: Span,
    /// A time without success counts as an unavailability window if it is longer than this.
    pub availability_gap: Span,
    /// The time within which an operation must succeed to count as in time.
    pub operation_timeout: Span,
    /// Length of a bucket of the timeline; `None` chooses one by the duration.
    pub bucket: Option<Span>,
    /// Whether brokers keep messages after they are read (log families), so that a message can be
    /// lost after a consumer saw it (`read_lost`).
    pub retained: bool,
    /// Whether a stored message counts as readable only when a broker says so
    /// ([`Observer::readable`](crate::observe::Observer::readable)).
    pub gated: bool,
    /// Whether the run checks the family's invariants; if not, expectations on them are undecided.
    pub invariants: bool,
    /// Whether the report names how every line ended, for comparing runs line by line.
    pub lines: bool,
}

impl LedgerOptions {
    /// The options of a run of `duration`, everything else as the scenario format presets it.
    #[must_use]
    pub const fn new(duration: Span) -> LedgerOptions {
        LedgerOptions {
            duration,
            warmup: Span::from_secs(1),
            availability_gap: Span::from_millis(250),
            operation_timeout: Span::from_secs(1),
            bucket: None,
            retained: false,
            gated: false,
            invariants: true,
            lines: false,
        }
    }
}

/// What is known about a run when it has ended, beside what the ledger saw.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// The scenario's `name`.
    pub scenario: String,
    /// The scenario's `description`.
    pub description: String,
    /// The scenario's `mode`.
    pub mode: String,
    /// The scenario's `broker-version`.
    pub broker_version: String,
    /// The seed of the run.
    pub seed: u64,
    /// When the run ended, its drain included.
    pub ended: Time,
    /// Whether all was quiet by then.
    pub quiet: bool,
    /// If not, who waited for what.
    pub waits: Vec<Waits>,
    /// What is to be counted for the expectations beside the metrics.
    pub questions: Vec<Question>,
    /// Bytes sent between brokers.
    pub broker_bytes: u64,
    /// Bytes written to the brokers' disks.
    pub disk_bytes: u64,
    /// How many fsyncs the brokers did.
    pub fsyncs: u64,
    /// How many events the engine dispatched.
    pub events: u64,
    /// How busy the processors of each broker were.
    pub busy: Vec<Busy>,
    /// The world's fingerprint: its ingredients `faults`, `draws` and `events` are taken over,
    /// `outcomes` and `roles` are the ledger's.
    pub fingerprint: Fingerprint,
}
