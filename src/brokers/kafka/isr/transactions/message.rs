//! What is asked of the coordinator of a transactional id, and what it answers.

use crate::brokers::kafka::PartitionId;
use crate::engine::Span;
use crate::observe::NodeId;

use super::super::error::Error;
use super::super::sequence::Identity;

/// A request to a coordinator.
#[derive(Clone, Debug, PartialEq)]
pub enum TxnRequest {
    /// `FindCoordinator`: any broker answers.
    Find,
    /// `InitProducerId`: whoever had the transactional id before is fenced.
    Init {
        /// `transaction.timeout.ms`.
        timeout: Span,
        /// Who the producer was, if it asks for its next epoch (KIP-360).
        expected: Option<Identity>,
    },
    /// `AddPartitionsToTxn`; `AddOffsetsToTxn` adds the partition of a group's offsets.
    Add {
        /// Who.
        by: Identity,
        /// What its transaction writes to.
        partitions: Vec<PartitionId>,
        /// A leader asks whether they are in the transaction, and adds nothing (KIP-890).
        verify: bool,
    },
    /// `EndTxn`.
    End {
        /// Who.
        by: Identity,
        /// Whether to commit.
        commit: bool,
    },
}

/// An answer of a coordinator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TxnResponse {
    /// Of `FindCoordinator`.
    Coordinator(Error, Option<NodeId>),
    /// Of `InitProducerId` and `EndTxn`: who the producer is from now on.
    Identity(Error, Option<Identity>),
    /// Of the others.
    Done(Error),
}

impl TxnRequest {
    /// Bytes on the wire behind the header.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        match self {
            TxnRequest::Add { partitions, .. } => 50 + partitions.len() as u32 * 8,
            TxnRequest::Find | TxnRequest::Init { .. } | TxnRequest::End { .. } => 50,
        }
    }

    /// The same kind of answer with nothing but an error.
    #[must_use]
    pub const fn refused(&self, error: Error) -> TxnResponse {
        match self {
            TxnRequest::Find => TxnResponse::Coordinator(error, None),
            TxnRequest::Init { .. } | TxnRequest::End { .. } => TxnResponse::Identity(error, None),
            TxnRequest::Add { .. } => TxnResponse::Done(error),
        }
    }
}

impl TxnResponse {
    /// The same answer, refused.
    pub const fn refuse(&mut self, error: Error) {
        match self {
            TxnResponse::Coordinator(old, _)
            | TxnResponse::Identity(old, _)
            | TxnResponse::Done(old) => *old = error,
        }
    }

    /// Whether it went well.
    #[must_use]
    pub const fn error(&self) -> Error {
        match self {
            TxnResponse::Coordinator(error, _)
            | TxnResponse::Identity(error, _)
            | TxnResponse::Done(error) => *error,
        }
    }
}
