//! What is in the batches whose contents matter. Of messages nothing matters but which they are, and so
//! a log has none; what a coordinator writes is read again by the next one.

use crate::engine::Time;

use super::groups::OffsetsRecord;
use super::transactions::{Marker, TransactionRecord};

/// What is in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Of a group, in `__consumer_offsets`, and when it was written, by its coordinator's clock.
    Offsets(OffsetsRecord, Time),
    /// Of a transactional id, in `__transaction_state`.
    Transaction(TransactionRecord),
    /// The end of a transaction, in any partition: a control batch.
    Marker(Marker),
}

impl Content {
    /// How many records it is.
    #[must_use]
    pub fn count(&self) -> u32 {
        match self {
            Content::Offsets(record, _) => record.count(),
            Content::Transaction(_) | Content::Marker(_) => 1,
        }
    }

    /// Bytes in the log, but for the batch's header.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        match self {
            Content::Offsets(record, _) => record.bytes(),
            Content::Transaction(record) => 60 + record.partitions.len() as u32 * 12,
            Content::Marker(_) => 17,
        }
    }

    /// What it says of a group, if it does, and since when.
    #[must_use]
    pub const fn offsets(&self) -> Option<(&OffsetsRecord, Time)> {
        match self {
            Content::Offsets(record, at) => Some((record, *at)),
            Content::Transaction(_) | Content::Marker(_) => None,
        }
    }
}
