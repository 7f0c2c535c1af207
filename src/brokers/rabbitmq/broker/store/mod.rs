//! Where the messages of queues are kept, and what each failure takes of it.
//!
//! | file | what it is in RabbitMQ |
//! | --- | --- |
//! | `queue.rs` | rabbit_variable_queue: the messages of one replica |
//! | `confirms.rs` | its confirms that wait for the disk |
//! | `sync.rs` | rabbit_mirror_queue_sync: messages on their way to a mirror |
//! | `index.rs` | rabbit_queue_index: a journal, folded into segments (CQv1) |
//! | | rabbit_classic_queue_index_v2, rabbit_classic_queue_store_v2 (CQv2) |
//! | `bodies.rs` | rabbit_msg_store: its tables and files |
//! | `shared.rs` | rabbit_msg_store: the process that writes them |
//! | `death.rs` | what a kill, a loss of power and an orderly stop leave, and what recovery finds |
//! | `paging.rs` | what is in memory, and what on the disk only: `reduce_memory_use` |
//!
//! A message smaller than `queue_index_embed_msgs_below` is kept with its queue, in the index (v1)
//! or in the queue's own store (v2). A larger one is in the message store that all queues of a node
//! share, once however many queues hold it, and the index of each refers to it.
//!
//! What is written goes from the process's buffer to the page cache (`write`) and from there to the
//! disk (`fsync`, or the kernel's write-back). Which of these steps a confirm waits for is what the
//! versions differ in.

pub mod bodies;
mod confirms;
mod death;
pub mod index;
pub(super) mod paging;
pub mod queue;
pub mod shared;
mod sync;

use crate::observe::MessageRange;
use crate::world::FileId;

use super::super::rules::{Rule, Rules};

pub use self::confirms::DueConfirm;
pub use self::queue::{
    BackingQueue, Extra, Fetched, GivenUp, Head, Held, NeedsSync, Record, State,
};
pub use self::sync::BatchEntry;

/// Bytes of a journal record beside the embedded body: sequence, message id, properties, expiry
/// (rabbit_queue_index.erl: `?PUB_RECORD_SIZE_BYTES` and the serialised basic message around it).
const PUBLISH_RECORD_BYTES: u64 = 180;
/// The same without a message in it (rabbit_queue_index.erl: 8 bytes of sequence,
/// `?PUB_RECORD_SIZE_BYTES`, and the record of its delivery).
const REFERENCE_RECORD_BYTES: u64 = 48;
/// Bytes of an acknowledgement's or a delivery's record (rabbit_queue_index.erl: `?SEQ_BYTES`).
const ACK_RECORD_BYTES: u64 = 8;
/// The same in a segment file (rabbit_queue_index.erl: `?REL_SEQ_ONLY_RECORD_BYTES`).
const SEGMENT_ACK_BYTES: u64 = 2;
/// An entry of the index v2 (rabbit_classic_queue_index_v2.erl: `?ENTRY_SIZE`).
const V2_ENTRY_BYTES: u64 = 32;
/// Bytes around a message in a store: header, message id, and the serialised message around the
/// payload (rabbit_msg_store.erl `writer_append`; rabbit_classic_queue_store_v2.erl
/// `?ENTRY_HEADER_SIZE`).
const BODY_RECORD_BYTES: u64 = 160;
/// What a message's properties take at least: flags and delivery mode. They count for its size
/// (rabbit_variable_queue.erl: `determine_persist_to`).
const PROPERTIES_BYTES: u64 = 3;
/// Entries of a segment file (rabbit_queue_index.erl and rabbit_classic_queue_index_v2.erl:
/// `segment_entry_count`).
const SEGMENT_ENTRIES: u64 = 16_384;
/// Write buffer of a queue's own store (rabbit_classic_queue_store_v2.erl: `max_cache_size`).
const V2_STORE_BUFFER: u64 = 512_000;

/// Which index and store a queue has: `x-queue-version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueVersion {
    /// rabbit_queue_index: small messages in the index, fsynced before they are confirmed.
    V1,
    /// rabbit_classic_queue_index_v2 and rabbit_classic_queue_store_v2: written before they are
    /// confirmed, never fsynced.
    V2,
}

/// How a replica's messages are kept.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Index and store.
    pub version: QueueVersion,
    /// The journal (v1) or the index (v2), as a log of what is written to it.
    pub index: FileId,
    /// The segments (v1) or the queue's own store (v2), each as one log.
    pub segments: FileId,
    /// `queue_index_embed_msgs_below`.
    pub embed_below: u64,
    /// `queue_index_max_journal_entries`.
    pub max_journal_entries: u64,
    /// What the broker does.
    pub rules: Rules,
}

impl Layout {
    /// Whether a message is kept in the shared store rather than with its queue
    /// (rabbit_variable_queue.erl: `determine_persist_to`).
    fn shares(&self, message: MessageRange) -> bool {
        u64::from(message.bytes) + PROPERTIES_BYTES >= self.embed_below
    }

    /// Whether what is confirmed was fsynced before.
    fn fsyncs(&self) -> bool {
        let rule = match self.version {
            QueueVersion::V1 => Rule::IndexFsyncedBeforeConfirm,
            QueueVersion::V2 => return !self.rules.has(Rule::V2NeverFsynced),
        };
        self.rules.has(rule)
    }

    /// Bytes of a message's record in the index.
    fn record_bytes(&self, message: MessageRange) -> u64 {
        match self.version {
            QueueVersion::V2 => V2_ENTRY_BYTES,
            QueueVersion::V1 if self.shares(message) => REFERENCE_RECORD_BYTES,
            QueueVersion::V1 => PUBLISH_RECORD_BYTES + u64::from(message.bytes),
        }
    }

    /// Bytes of a settlement's record in the index.
    fn ack_bytes(&self) -> u64 {
        match self.version {
            QueueVersion::V1 => ACK_RECORD_BYTES,
            QueueVersion::V2 => V2_ENTRY_BYTES,
        }
    }
}

/// Bytes of a message in a store.
fn body_bytes(message: MessageRange) -> u64 {
    BODY_RECORD_BYTES + u64::from(message.bytes)
}
