//! What a coordinator writes: the state of a transactional id, and markers.

use crate::brokers::kafka::PartitionId;
use crate::engine::{Span, Time};

use super::super::sequence::Identity;
use super::TxnId;

/// How far a transaction is (TransactionState.java).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxnState {
    /// There was none yet.
    Empty,
    /// Partitions are written to.
    Ongoing,
    /// It is decided; markers are written.
    Prepare {
        /// Whether it is committed.
        commit: bool,
    },
    /// Every partition has its marker.
    Complete {
        /// Whether it is committed.
        commit: bool,
    },
}

/// `TransactionLogValue`: a transactional id as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionRecord {
    /// Which transactional id.
    pub id: TxnId,
    /// Its producer id and epoch.
    pub by: Identity,
    /// How far its transaction is.
    pub state: TxnState,
    /// What the transaction has written to, ascending.
    pub partitions: Vec<PartitionId>,
    /// When it began, by the coordinator's clock.
    pub started: Time,
    /// `transaction.timeout.ms`.
    pub timeout: Span,
}

/// A control batch that ends a transaction (EndTransactionMarker.java).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Whose transaction; the epoch is that which holds from now on.
    pub by: Identity,
    /// Whether it is committed.
    pub commit: bool,
    /// The leader epoch in which its coordinator decided.
    pub coordinator: u32,
}

/// An aborted transaction in a partition (AbortedTxn.java), with where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted {
    /// Whose.
    pub id: u32,
    /// The first offset.
    pub first: u64,
    /// The offset of its marker.
    pub last: u64,
}
