//! The file of consumer offsets (`config/consumerOffset.json`): written whole, again and again. What a
//! loss of power leaves of it is the last version that had become durable.

use std::collections::VecDeque;

use super::super::message::Offsets;

/// The versions of the file of which one may be what is left. Write-back makes a version durable
/// after 40 s at most, and there is one every 5 s.
const VERSIONS: usize = 16;

/// The file of consumer offsets. Each version is appended to the file on the disk, so that the durable
/// prefix tells which is left.
#[derive(Clone, Debug, Default)]
pub struct OffsetFile {
    /// The length of the file behind each version, and what it says, the oldest first.
    versions: VecDeque<(u64, Offsets)>,
    length: u64,
}

impl OffsetFile {
    /// What it says now.
    #[must_use]
    pub fn content(&self) -> Option<&Offsets> {
        self.versions.back().map(|(_, offsets)| offsets)
    }

    /// It is written, in so many bytes.
    pub fn write(&mut self, offsets: Offsets, bytes: u64) {
        self.length += bytes;
        self.versions.push_back((self.length, offsets));
        if self.versions.len() > VERSIONS {
            self.versions.pop_front();
        }
    }

    /// The host has lost power, and kept so many bytes.
    pub fn lose_page_cache(&mut self, kept: u64) {
        while self.versions.back().is_some_and(|(length, _)| *length > kept) {
            self.versions.pop_back();
        }
        self.length = self.length.min(kept);
    }

    /// The disk was replaced.
    pub fn clear(&mut self) {
        *self = OffsetFile::default();
    }
}
