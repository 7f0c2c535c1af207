//! What batches of idempotent producers bear (KIP-98; DefaultRecordBatch.java).

/// A producer id with its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// `producerId`.
    pub id: u32,
    /// `producerEpoch`.
    pub epoch: u16,
    /// Whether it has a transactional id: all of its batches belong to transactions then
    /// (`isTransactional`, which in Kafka stands in every batch).
    pub transactional: bool,
}

impl Identity {
    /// The same producer in its next epoch.
    #[must_use]
    pub const fn next(self) -> Identity {
        Identity { epoch: self.epoch + 1, ..self }
    }
}

/// Whose a batch is, and the sequence of its first message (`baseSequence`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequenced {
    /// The producer.
    pub by: Identity,
    /// The sequence.
    pub first: u32,
}

/// An epoch is a Java short; after the last one there is another id.
pub const LAST_EPOCH: u16 = i16::MAX as u16;

/// The greatest sequence; 0 follows (DefaultRecordBatch.java, `incrementSequence`).
pub const LAST_SEQUENCE: u32 = i32::MAX as u32;

/// The sequence so many messages further.
#[must_use]
pub const fn plus(sequence: u32, count: u32) -> u32 {
    sequence.wrapping_add(count) & LAST_SEQUENCE
}
