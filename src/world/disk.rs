//! A host's disk.

use super::machine::FileId;

/// Why a write failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// ENOSPC.
    #[error("no space left on device")]
    Full,
}

/// What a disk kept when its process or host died.
#[derive(Clone, Copy, Debug)]
pub struct DiskView<'a> {
    pub(crate) kept: &'a [u64],
}

impl DiskView<'_> {
    /// Bytes of the file that are still there; always a prefix of what was written.
    #[must_use]
    pub fn kept(&self, file: FileId) -> u64 {
        self.kept.get(file.0 as usize).copied().unwrap_or(0)
    }
}
