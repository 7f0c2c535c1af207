//! Named hardware: sets of figures for network, disk, CPU and boot, each from a stated source.

use crate::engine::{Chance, Distribution, Span};

use super::network::{CpuSpec, DiskSpec, LinkSpec};

/// A named set of figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Hardware {
    /// Its name in scenarios.
    pub name: &'static str,
    /// What it stands for, and where the figures are from.
    pub meaning: &'static str,
    /// From broker to broker, and within a zone.
    pub brokers: LinkSpec,
    /// Between clients and brokers.
    pub clients: LinkSpec,
    /// The disk.
    pub disk: DiskSpec,
    /// The processors.
    pub cpu: CpuSpec,
    /// Memory, in bytes.
    pub memory: u64,
    /// What two of its kernels hold for one direction of a connection, in bytes.
    pub socket_buffer: u64,
    /// From the start of a broker's process until it begins to serve, beside what recovery takes.
    pub boot_time: Distribution,
}

/// The names that scenarios may use, in the order of [`Hardware::named`].
pub const NAMES: &[&str] = &["lab-vm"];

/// The meaning of each name, for `mqsim list`.
#[must_use]
pub fn all() -> Vec<Hardware> {
    vec![lab_vm()]
}

impl Hardware {
    /// The hardware of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Hardware> {
        all().into_iter().find(|hardware| hardware.name == name)
    }
}

/// The virtual machine on which the brokers' behaviour was measured: several processes on one host,
/// so that its network is fast and its disk is a cheap virtual one.
fn lab_vm() -> Hardware {
    let link = |median: u64, p99: u64| LinkSpec {
        latency: Distribution::lognormal(median, p99),
        bandwidth: 1 << 30,
        loss: Chance::NEVER,
    };
    Hardware {
        name: "lab-vm",
        meaning: "A small virtual machine with 2 cores and a cheap virtual disk. Measured: an fsync of \
                  1.1 kB takes 0.21 ms in the median and 1.5 ms at the 99th percentile; a hop to another \
                  broker adds 0.06 ms to a delivery; the same confirm takes 0.54 ms in one run and 0.70 ms \
                  in another. So: 50 us from client to broker, 70 us between brokers; 200 us and 350 us at \
                  the 99th percentile, 1 GiB/s; fsyncs that differ by 30 % from run to run, with a 99th \
                  percentile of 1.2 ms within one. From the start of a broker until its port is open: \
                  2.8 s to 6.9 s. A process that reads nothing is sent 2.7 to 4.3 MB. Every node has its cores for itself, though three shared them where this \
                  was measured.",
        brokers: link(70_000, 350_000),
        clients: link(50_000, 200_000),
        disk: DiskSpec {
            fsync: Distribution::lognormal(210_000, 1_200_000),
            spread: 30,
            bandwidth: 500_000_000,
            capacity: 100_000_000_000,
            // Linux vm.dirty_expire_centisecs.
            write_back_age: Span::from_secs(30),
            torn_tail: false,
        },
        cpu: CpuSpec { cores: 2, percent: 100 },
        // Not stated of the machine where this was measured; nothing came near its limit there.
        memory: 4 << 30,
        // The segments are large where both ends are on one host, and buffers grow with them.
        socket_buffer: 3_500_000,
        boot_time: Distribution::Uniform { low: 2_800_000_000, high: 6_900_000_000 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_profiles_are_the_same_list() {
        let names: Vec<&str> = all().iter().map(|hardware| hardware.name).collect();
        assert_eq!(names, NAMES);
        assert!(Hardware::named("toaster").is_none());
    }
}
