//! What one run came to: plain data, from which every output format is made.

mod course;

use std::sync::Arc;

use crate::engine::{Span, Time};
use serde::{Deserialize, Serialize};

use crate::observe::{BecauseId, Catalog, CauseId, DestinationId, FaultId, NodeId, ProducerId};

pub use self::course::*;

/// Everything known about one run of one seed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The scenario's `name`.
    pub scenario: String,
    /// The scenario's `description`, one line.
    pub description: String,
    /// The scenario's `mode`.
    pub mode: String,
    /// The scenario's `broker-version`.
    pub broker_version: String,
    /// The seed of this run.
    pub seed: u64,
    /// The names behind the ids below.
    pub catalog: Arc<Catalog>,
    /// `duration`: how long load was offered.
    pub duration: Span,
    /// `warmup`: latency and throughput before it do not count.
    pub warmup: Span,
    /// When the run ended, its drain included.
    pub ended: Time,
    /// Whether all was quiet when the run ended; if not, fates are not final.
    pub quiet: bool,
    /// If not, who waited for what.
    pub waits: Vec<Waits>,
    /// Whether it was not quiet because messages still got on: it needs a longer drain.
    pub at_work: bool,
    /// The numbers of `summary.csv`.
    pub summary: Summary,
    /// How busy the processors of each broker were, in the order of the catalogue.
    pub busy: Vec<Busy>,
    /// Latency series, in the order of `latency.csv`.
    pub latency: Vec<LatencySeries>,
    /// What was lost, by cause: the rows of `loss.csv`.
    pub losses: Vec<Loss>,
    /// How every line ended, by producer, destination and sequence; empty unless it was asked for
    /// ([`LedgerOptions::lines`](super::LedgerOptions::lines)).
    pub lines: Vec<LineRun>,
    /// Lost lines by cause, indexed by [`CauseId`]: each line once, whatever classes it counts in.
    pub causes: Vec<u64>,
    /// What was counted for the expectations, in the order of the questions.
    pub answers: Vec<u64>,
    /// The destinations of which availability was measured, by kind of operation.
    pub measured: Vec<(WindowKind, DestinationId)>,
    /// Every unavailability window, by start.
    pub windows: Vec<Window>,
    /// When it could not be told whether a destination could be read, by destination and start.
    pub unmeasured: Vec<Unmeasured>,
    /// The rows of `events.csv`, by time.
    pub events: Vec<EventRow>,
    /// Buckets of equal length from the start to the end of the run.
    pub timeline: Timeline,
    /// Who was up, paused, leading or in sync, for the lanes of the plot.
    pub lanes: Vec<Lane>,
    /// When which fault was in force, by start: the bands of the plot.
    pub faults: Vec<FaultSpan>,
    /// What was seen of each invariant, indexed by [`InvariantId`](crate::observe::InvariantId);
    /// empty if none were checked.
    pub invariants: Vec<InvariantTally>,
    /// The verdict on each `[[expect]]`, in the order of the file, then that on the invariants that
    /// the family claims.
    pub expectations: Vec<Judged>,
    /// What this run contributes to each expectation over seeds, in the order of the file; `None`
    /// if that is not known of it.
    pub over_seeds: Vec<Option<f64>>,
    /// What a reader should know before trusting a number ("write availability differs ...").
    pub remarks: Vec<String>,
    /// How many reports of machines contradicted earlier ones (a copy removed that was never made):
    /// anything but 0 is a defect of mqsim.
    pub inconsistencies: u64,
    /// The run's fingerprint and its ingredients, by name.
    pub fingerprint: u64,
    /// `outcomes`, `roles`, `faults`, `draws`, `events`.
    pub ingredients: [(&'static str, u64); 5],
}

/// At most this many of them are named by the verdict; the remarks have the others.
pub const WAITS_IN_NOTE: usize = 3;

/// A host that waits for something when the run ends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waits {
    /// Which.
    pub node: NodeId,
    /// For what, in words that go on from "waits for".
    pub what: String,
}

/// Counts of lines by outcome and fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Matrix {
    /// `cells[outcome][fate]`, indexed by [`FinalOutcome`] and [`Fate`].
    pub cells: [[u64; 8]; 6],
}

/// How a line's outcome stands at the end of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FinalOutcome {
    /// The broker's positive answer.
    Acked,
    /// The client call succeeded and no answer was asked for.
    Accepted,
    /// Came back as unroutable.
    Returned,
    /// An error that proves that it was not stored.
    Rejected,
    /// Time-out, broken connection, negative answer that leaves it open.
    Unknown,
    /// Never left the producer.
    Unsent,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Fate {
    /// The application finished with it.
    Processed,
    /// Handed to the application, which never finished, and not redelivered.
    ReceivedOnly,
    /// Dead-lettered.
    DeadLettered,
    /// Expired by TTL, length limit or retention.
    Expired,
    /// Still in the broker, readable.
    Stored,
    /// In some copy, but not readable at the end.
    Unreachable,
    /// No copy left.
    Gone,
    /// Never left the producer, so nothing could become of it (outcome `unsent` only).
    NeverSent,
}

/// The words for outcomes, in the order of [`FinalOutcome`].
pub const OUTCOMES: [&str; 6] = ["acked", "accepted", "returned", "rejected", "unknown", "unsent"];

/// The words for fates, in the order of [`Fate`].
pub const FATES: [&str; 8] = [
    "processed",
    "received only",
    "dead-lettered",
    "expired",
    "stored",
    "unreachable",
    "gone",
    "never sent",
];

/// How consecutive lines of one producer and destination ended, all alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineRun {
    /// Whose.
    pub producer: ProducerId,
    /// Meant for which destination; `None` if for none.
    pub destination: Option<DestinationId>,
    /// First sequence number.
    pub first: u32,
    /// How many lines.
    pub count: u32,
    /// How they ended.
    pub end: LineEnd,
}

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineEnd {
    /// What its producer was told.
    pub outcome: FinalOutcome,
    /// What became of it.
    pub fate: Fate,
    /// Whether it counts as lost in some class.
    pub lost: bool,
    /// Of a line that is lost or gone: what removed its last copy, or why none was made. `None` if no
    /// broker ever had to do with it.
    pub cause: Option<CauseId>,
    /// The condition that made it the last copy.
    pub because: BecauseId,
    /// Where that was.
    pub node: Option<NodeId>,
}

/// The numbers of `summary.csv` that are not in [`Report`] itself. Latencies in microseconds;
/// `None` where there is nothing to measure, an empty cell in the CSV.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "each is a column of summary.csv, defined in docs/reports.md")]
#[non_exhaustive]
pub struct Summary {
    pub lines: u64,
    pub attempted: u64,
    pub acked: u64,
    pub accepted: u64,
    pub returned: u64,
    pub rejected: u64,
    pub nacked: u64,
    pub unknown: u64,
    pub unsent: u64,
    pub delivered: u64,
    pub processed: u64,
    pub redelivered: u64,
    pub duplicated: u64,
    pub reordered: u64,
    pub success_lost: u64,
    pub success_gone: u64,
    pub acked_lost: u64,
    pub accepted_lost: u64,
    pub read_lost: u64,
    pub unknown_lost: u64,
    pub consumer_lost: u64,
    pub phantom: u64,
    pub dead_lettered: u64,
    pub expired: u64,
    pub stored_at_end: u64,
    pub unreachable_at_end: u64,
    pub waiting_at_end: u64,
    pub unexplained: u64,
    pub write_availability: Option<f64>,
    pub effective_write_availability: Option<f64>,
    pub read_availability: Option<f64>,
    pub write_unavailable_ms: Option<u64>,
    pub write_longest_ms: Option<u64>,
    pub read_unavailable_ms: Option<u64>,
    pub read_longest_ms: Option<u64>,
    pub ack_p50_us: Option<u64>,
    pub ack_p99_us: Option<u64>,
    pub ack_max_us: Option<u64>,
    pub ack_service_p50_us: Option<u64>,
    pub ack_service_p99_us: Option<u64>,
    pub e2e_p50_us: Option<u64>,
    pub e2e_p99_us: Option<u64>,
    pub e2e_max_us: Option<u64>,
    pub acked_per_s: Option<f64>,
    pub processed_per_s: Option<f64>,
    pub broker_bytes_per_payload_byte: Option<f64>,
    pub disk_bytes_per_payload_byte: Option<f64>,
    pub fsyncs: u64,
    pub events: u64,
    pub violations: Option<u64>,
    /// Share of the operations of measured time that succeeded within `operation-timeout`. No
    /// column.
    pub operations_in_time: Option<f64>,
    /// Of what is acknowledged, what was so with a remark, and what of that is lost. No columns.
    pub acked_with_remark: u64,
    pub acked_with_remark_lost: u64,
    /// What clients alone can see to be wrong, where there are offsets. No columns.
    pub lost_writes: Option<u64>,
    /// Messages of aborted transactions that were read.
    pub aborted_reads: Option<u64>,
    /// Lines that were handed to applications more than once.
    pub delivered_again: u64,
    pub unseen: Option<u64>,
    pub duplicate_values: Option<u64>,
    pub inconsistent_offsets: Option<u64>,
    pub nonmonotonic_polls: Option<u64>,
    pub poll_skips: Option<u64>,
    pub nonmonotonic_sends: Option<u64>,
    pub matrix: Matrix,
}

/// How busy a node was while load was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Busy {
    /// Which node.
    pub node: NodeId,
    /// CPU time that it spent, on all cores together.
    pub spent: Span,
    /// How many cores it has.
    pub cores: u32,
    /// How long its disk worked: fsyncs, write-back and reads.
    pub disk: Span,
    /// How long its network card sent and received, if that has a limit.
    pub card: Option<(Span, Span)>,
}

impl Busy {
    /// The share of all its cores over so long a time; what was begun in it and ends later counts
    /// as far as it fits.
    #[must_use]
    pub fn share(&self, duration: Span) -> f64 {
        let whole = duration.as_nanos() as f64 * f64::from(self.cores);
        (self.spent.as_nanos() as f64 / whole).min(1.0)
    }

    /// What may be a limit, and its share of so long a time: its processors, its disk, and its
    /// network card each way.
    #[must_use]
    pub fn shares(&self, duration: Span) -> Vec<(Device, f64)> {
        let of = |worked: Span| (worked.as_nanos() as f64 / duration.as_nanos() as f64).min(1.0);
        let mut shares =
            vec![(Device::Processors, self.share(duration)), (Device::Disk, of(self.disk))];
        if let Some((sending, receiving)) = self.card {
            shares.push((Device::CardSending, of(sending)));
            shares.push((Device::CardReceiving, of(receiving)));
        }
        shares
    }
}

/// What of a node may be the limit of what it can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Device {
    /// Its processors, all cores together.
    Processors,
    /// Its disk.
    Disk,
    /// Its network card, which sends.
    CardSending,
    /// Its network card, which receives.
    CardReceiving,
}

impl Device {
    /// In a word, as JSON has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Device::Processors => "processors",
            Device::Disk => "disk",
            Device::CardSending => "card-sending",
            Device::CardReceiving => "card-receiving",
        }
    }

    /// In words for people, with a verb: `its disk worked`.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Device::Processors => "its processors were busy",
            Device::Disk => "its disk worked",
            Device::CardSending => "its network card sent",
            Device::CardReceiving => "its network card received",
        }
    }
}

/// At most this many violations of an invariant are kept; all are counted.
pub const BREACHES_KEPT: usize = 10;

/// What was seen of one invariant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvariantTally {
    /// How often it was broken.
    pub violations: u64,
    /// The first [`BREACHES_KEPT`] violations, in the order in which they were seen.
    pub first: Vec<Breach>,
}

/// A violation of an invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Breach {
    /// When.
    pub at: Time,
    /// The node whose state breaks it.
    pub node: NodeId,
    /// Which destination it concerns, if one.
    pub destination: Option<DestinationId>,
    /// The two states that disagree, in words for people.
    pub detail: String,
}

/// One latency series.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatencySeries {
    /// `ack_latency`, `ack_service_latency`, `end_to_end_latency`, `accepted_latency`.
    pub name: &'static str,
    /// How many samples.
    pub samples: u64,
    /// Their mean in microseconds; `None` without samples.
    pub mean: Option<u64>,
    /// (percentile in thousandths of a percent, latency in microseconds): 50_000 is the median.
    pub percentiles: Vec<(u32, u64)>,
}

/// Consecutive lines of one producer and destination, lost for one reason at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// `acked_lost`, `accepted_lost`, `unknown_lost`, `consumer_lost`, `read_lost`.
    pub class: &'static str,
    /// What removed the last copy, or why none was made. `None`: it was lost on its way, no broker
    /// ever made a copy or said that it made none.
    pub cause: Option<CauseId>,
    /// The condition that made it the last copy.
    pub because: BecauseId,
    /// Where.
    pub node: Option<NodeId>,
    /// When the first of them was lost: its last copy went, or a broker made none. If no broker
    /// ever had to do with it, when its producer last sent it or heard of it.
    pub at: Time,
    /// Whose.
    pub producer: ProducerId,
    /// Meant for which destination; `None` if for none.
    pub destination: Option<DestinationId>,
    /// First sequence number.
    pub first: u32,
    /// Last sequence number.
    pub last: u32,
    /// How many lines (the run may have holes: lines of the same interval that were not lost).
    pub count: u64,
}

/// Which kind of operation a window is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WindowKind {
    /// Writes as the client sees them.
    Write,
    /// Writes that count only if the message ended processed, dead-lettered or stored.
    EffectiveWrite,
    /// Reads.
    Read,
}

/// An interval without a success while an operation was pending.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Window {
    /// Of which destination.
    pub destination: DestinationId,
    /// Of which kind of operation.
    pub kind: WindowKind,
    /// First pending operation after the last success.
    pub start: Time,
    /// Next success, or the end of measured time.
    pub end: Time,
    /// Whether nothing had succeeded when measured time was over: it is not recovered from.
    pub open: bool,
    /// Until when an operation was pending in it, if it is open and nothing was pending any more
    /// when measured time was over, for longer than the gap: nobody tried whether it was over.
    pub tried: Option<Time>,
    /// The last fault that had begun when the first operation in it came to grief: half of
    /// `availability-gap` after its beginning (an operation may be under way when a fault strikes;
    /// those that take longer by nature have no windows); of effective writes, when its message was
    /// lost, if most were. `None` if no fault had begun by then.
    pub fault: Option<FaultId>,
    /// Window end minus the start of that fault; `None` if it is not recovered from, or if the
    /// fault began when the window was over and only undid what had been written in it.
    pub recovery: Option<Span>,
    /// If it went on because a client came back late.
    pub late: Option<Late>,
}

/// A client that came back later than it could have, so that an outage went on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Late {
    /// Its host.
    pub client: NodeId,
    /// Whether there had been no leader for a time; if not, it could have come back when the fault
    /// was over.
    pub led: bool,
    /// Since when there was a leader again, or the fault was over.
    pub free: Time,
    /// When it came back.
    pub back: Time,
    /// What it had waited for: `after its reconnect-delay of 30 s`.
    pub why: String,
}

/// A stretch of measured time in which consumers had room and there was nothing to read, for writes
/// did not last or nobody led the destination: whether it could have been read cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unmeasured {
    /// Which destination.
    pub destination: DestinationId,
    /// Since when there was nothing to read.
    pub from: Time,
    /// Until when.
    pub to: Time,
}

/// The verdict on one expectation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Judged {
    /// As the scenario says it: `success_lost <= 0`.
    pub text: String,
    /// What was measured, as printed, with its unit.
    pub measured: String,
    /// What was measured, in the unit of what is bounded; `None` if nothing was.
    pub value: Option<f64>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is undecided, or which rows of which CSV show the breach.
    pub note: Option<String>,
    /// Whether no `[[expect]]` says it, but it is expected of every run.
    pub claimed: bool,
    /// Whether it says that lines may be lost: how many, at least or at most, but not none.
    pub loss: bool,
}

/// Holds, broken, or cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// The expectation holds.
    Holds,
    /// It cannot be judged (the run was not quiet at its end, nothing was measured).
    Undecided,
    /// It is broken.
    Broken,
}
