//! Transactions: what brokers and producers both know of them (KIP-98).
//!
//! | file | what it has |
//! | --- | --- |
//! | `mod.rs` | which transactional ids there are, and where their coordinators are |
//! | `message.rs` | requests to a coordinator and its answers |
//! | `record.rs` | what a coordinator writes to `__transaction_state`, and markers |
//! | `settings.rs` | the brokers' keys |
//!
//! A coordinator is `broker/transactions/`, the application that uses them `client/pipeline/`.

mod message;
mod record;
mod settings;

use crate::brokers::kafka::PartitionId;
use crate::observe::DestinationId;

pub use message::{TxnRequest, TxnResponse};
pub use record::{Aborted, Marker, TransactionRecord, TxnState};
pub use settings::{TRANSACTION_KEYS, TransactionSettings};

/// The topic in which coordinators keep what they know (Topic.java, TRANSACTION_STATE_TOPIC_NAME).
pub const STATE_TOPIC: &str = "__transaction_state";

/// A transactional id among those of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxnId(pub u32);

impl TxnId {
    /// As an index into a dense table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A transactional id of the scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionalId {
    /// `transactional.id`.
    pub name: String,
    /// The partition of [`STATE_TOPIC`] that has its records.
    pub partition: PartitionId,
    /// A destination that stands for it where people are told of it.
    pub told_of: Option<DestinationId>,
}

/// The transactional ids of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transactions {
    /// They.
    pub all: Vec<TransactionalId>,
    /// The topic that has their records, by place among the topics; none without them.
    pub topic: Option<u32>,
}

impl Transactions {
    /// What is known of a transactional id.
    #[must_use]
    pub fn get(&self, id: TxnId) -> &TransactionalId {
        &self.all[id.index()]
    }
}
