//! What is in the batches of an internal topic. Of messages nothing matters but which they are, and
//! so a log has no contents; what a coordinator writes is read again by the next one.

use std::sync::Arc;

use super::super::groups::OffsetsRecord;

/// The batches of a log, by their first offsets.
#[derive(Clone, Debug, Default)]
pub struct Values {
    entries: Vec<(u64, Arc<OffsetsRecord>)>,
}

impl Values {
    /// A batch was appended at this offset.
    pub fn push(&mut self, base: u64, value: Arc<OffsetsRecord>) {
        self.entries.push((base, value));
    }

    /// The log was cut, and ends here.
    pub fn truncate(&mut self, end: u64) {
        let keep = self.entries.partition_point(|(base, _)| *base < end);
        self.entries.truncate(keep);
    }

    /// The batches from one offset to before another.
    #[must_use]
    pub fn between(&self, from: u64, to: u64) -> &[(u64, Arc<OffsetsRecord>)] {
        let first = self.entries.partition_point(|(base, _)| *base < from);
        let last = self.entries.partition_point(|(base, _)| *base < to);
        &self.entries[first..last.max(first)]
    }
}
