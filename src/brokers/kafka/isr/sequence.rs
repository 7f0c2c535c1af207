//! What batches of idempotent producers bear (KIP-98; DefaultRecordBatch.java).

/// A producer id with its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// `producerId`.
    pub id: u32,
    /// `producerEpoch`.
    pub epoch: u16,
}

/// Whose a batch is, and the sequence of its first message (`baseSequence`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequenced {
    /// The producer.
    pub by: Identity,
    /// The sequence.
    pub first: u32,
}

/// The greatest sequence; 0 follows (DefaultRecordBatch.java, `incrementSequence`).
pub const LAST_SEQUENCE: u32 = i32::MAX as u32;

/// The sequence so many messages further.
#[must_use]
pub const fn plus(sequence: u32, count: u32) -> u32 {
    sequence.wrapping_add(count) & LAST_SEQUENCE
}
