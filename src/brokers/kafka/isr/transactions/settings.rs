//! What `[broker]` says of transactions.

use crate::brokers::kit::keys::keys;
use crate::engine::Span;
use crate::scenario::Kind;

use super::super::keys::ANY_COUNT;

keys! {
    /// The coordinators' configuration.
    pub struct TransactionSettings from TRANSACTION_KEYS {
        partitions: u32 | 50 = "transaction.state.log.num.partitions", ANY_COUNT, "50" since "0.11",
            "How many partitions __transaction_state has. It is there if somebody has a transactional.id.",
            "KafkaConfig 0.11; KIP-98";
        "transaction.state.log.replication.factor", Kind::Integer { min: 1, max: 64 }, none since "0.11",
            "How many replicas they have; 3, or as many as there are brokers, if not written.",
            "KafkaConfig 0.11; KIP-98";
        min_isr: u32 | 2 = "transaction.state.log.min.isr", Kind::Integer { min: 1, max: 64 }, "2" since "0.11",
            "How many in-sync replicas they need: with fewer no transaction begins or ends.",
            "KafkaConfig 0.11; KIP-98";
        max_timeout: Span | (Span::from_secs(900)) = "transaction.max.timeout.ms", Kind::POSITIVE_MILLIS, "900s" since "0.11",
            "The longest transaction.timeout.ms that a producer may have.", "KafkaConfig 0.11; KIP-98";
        scan: Span | (Span::from_secs(10)) = "transaction.abort.timed.out.transaction.cleanup.interval.ms", Kind::POSITIVE_MILLIS, "10s" since "0.11",
            "How often a coordinator looks for transactions that have taken longer than their \
             transaction.timeout.ms, and aborts them.",
            "TransactionStateManager.scala 3.9, DefaultAbortTimedOutTransactionsIntervalMs; KIP-98";
    }
}
