//! How a run went over time: its events, counts per bucket, faults, and what every node was when.

use crate::engine::{Span, Time};
use crate::observe::{DestinationId, FaultId, NodeId};

/// A row of `events.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventRow {
    /// When.
    pub at: Time,
    /// `fault`, `action`, `node`, `role`, `event` or `client`.
    pub kind: &'static str,
    /// What: the fault, the node's state, the role, the family's word.
    pub what: String,
    /// Where.
    pub node: Option<NodeId>,
    /// Which destination it concerns.
    pub destination: Option<DestinationId>,
    /// Which other node it concerns.
    pub subject: Option<NodeId>,
    /// A count that goes with it, or 0.
    pub count: u64,
}

impl EventRow {
    /// The kind of a row about a client's connection: `node` is the client, `subject` the broker.
    pub const CLIENT: &'static str = "client";
}

/// Counts per bucket of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeline {
    /// Length of a bucket.
    pub bucket: Span,
    /// The buckets, from time zero.
    pub buckets: Vec<Bucket>,
}

/// What happened within one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is a column of timeline.csv, defined in docs/reports.md")]
#[non_exhaustive]
pub struct Bucket {
    pub attempted: u64,
    pub acked: u64,
    pub accepted: u64,
    pub returned: u64,
    pub nacked: u64,
    pub unknown: u64,
    pub delivered: u64,
    pub redelivered: u64,
    pub processed: u64,
    /// Lost lines whose message was meant to be sent in this bucket.
    pub lost: u64,
    /// Lines with a copy in some broker and not yet delivered, at the end of the bucket.
    pub backlog: u64,
    /// Median ack latency of answers within the bucket, microseconds; 0 if none.
    pub ack_p50_us: u64,
    /// Largest ack latency of answers within the bucket, microseconds; 0 if none.
    pub ack_max_us: u64,
}

/// A fault as it was injected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultSpan {
    /// Which one.
    pub fault: FaultId,
    /// When it was injected.
    pub begun: Time,
    /// When it was healed; `None` for one that is over at once or never ended (a wiped disk).
    pub ended: Option<Time>,
    /// The nodes that its selector meant at that time.
    pub targets: Vec<NodeId>,
}

/// One horizontal lane of the timeline plot: a node, a node's role for a destination, or a client's
/// connection to a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lane {
    /// Which node.
    pub node: NodeId,
    /// Which destination; `None` for the node's own state and for connections.
    pub destination: Option<DestinationId>,
    /// Of a client's connection, the broker's node; the node is the client's.
    pub broker: Option<NodeId>,
    /// (from, until, what): state or role names; gaps are "nothing to say".
    pub stretches: Vec<(Time, Time, LaneState)>,
}

/// What a lane shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LaneState {
    /// The node's state.
    Node(crate::observe::NodeState),
    /// The node's role for the destination.
    Role(crate::observe::RoleId),
    /// What the client's connection to the broker has come to.
    Contact(crate::observe::ContactState),
}
