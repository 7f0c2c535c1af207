//! What this machine has: how much memory the runs of a call may need together.

use sysinfo::{MemoryRefreshKind, System};

use crate::scenario::MOST_MEMORY;

/// The bytes that this process may come to have: those of the machine, of its container, and of its
/// own limit (`ulimit -v`), whichever are least. Where nothing is known, what a library call may need.
pub(super) fn memory() -> u64 {
    let mut system = System::new();
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let container = system.cgroup_limits().map(|limits| limits.total_memory);
    let known = [Some(system.total_memory()), container, address_space()];
    known.into_iter().flatten().filter(|bytes| *bytes > 0).min().unwrap_or(MOST_MEMORY)
}

/// The limit on the address space of this process, where the system tells.
fn address_space() -> Option<u64> {
    soft_limit(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

/// The soft limit of `Max address space   1024000000   unlimited   bytes`.
fn soft_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_a_process() {
        let limits = "Limit   Soft Limit   Hard Limit   Units\nMax address space   512000000  unlimited  bytes\n";
        assert_eq!(soft_limit(limits), Some(512_000_000));
        assert_eq!(soft_limit(&limits.replace("512000000", "unlimited")), None);
        assert!(memory() >= 64 << 20, "tests need some, too");
    }
}
