//! The batches of a log whose contents matter, by their first offsets.

use std::sync::Arc;

use super::super::content::Content;

/// The batches of a log, by their first offsets.
#[derive(Clone, Debug, Default)]
pub struct Values {
    entries: Vec<(u64, Arc<Content>)>,
}

impl Values {
    /// A batch was appended at this offset.
    pub fn push(&mut self, base: u64, value: Arc<Content>) {
        self.entries.push((base, value));
    }

    /// The log was cut, and ends here.
    pub fn truncate(&mut self, end: u64) {
        let keep = self.entries.partition_point(|(base, _)| *base < end);
        self.entries.truncate(keep);
    }

    /// The batches from one offset to before another.
    #[must_use]
    pub fn between(&self, from: u64, to: u64) -> &[(u64, Arc<Content>)] {
        let first = self.entries.partition_point(|(base, _)| *base < from);
        let last = self.entries.partition_point(|(base, _)| *base < to);
        &self.entries[first..last.max(first)]
    }
}
