//! Named hardware: sets of figures for network, disk, CPU and boot, each from a stated source.

use crate::engine::{Chance, Distribution, Span};

use super::network::{CardSpec, CpuSpec, DEFAULT_SOCKET_BUFFER, DiskSpec, LinkSpec, PageCacheSpec};

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
    /// The network card of every host.
    pub card: CardSpec,
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
pub const NAMES: &[&str] = &["lab-vm", "hdd-1gbe", "hdd-10gbe", "nvme-10gbe"];

/// The meaning of each name, for `mqsim list`.
#[must_use]
pub fn all() -> Vec<Hardware> {
    vec![lab_vm(), hdd_1gbe(), hdd_10gbe(), nvme_10gbe()]
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
        brokers: hop(70_000, 350_000, 1 << 30),
        clients: hop(50_000, 200_000, 1 << 30),
        card: CardSpec::UNLIMITED,
        disk: DiskSpec {
            fsync: Distribution::lognormal(210_000, 1_200_000),
            spread: 30,
            bandwidth: 500_000_000,
            seek: Span::ZERO,
            capacity: 100_000_000_000,
            // Linux vm.dirty_expire_centisecs.
            write_back_age: Span::from_secs(30),
            torn_tail: false,
            cache: page_cache(4 << 30),
        },
        cpu: CpuSpec { cores: 2, percent: 100 },
        // Not stated of the machine where this was measured; nothing came near its limit there.
        memory: 4 << 30,
        // The segments are large where both ends are on one host, and buffers grow with them.
        socket_buffer: 3_500_000,
        boot_time: Distribution::Uniform { low: 2_800_000_000, high: 6_900_000_000 },
    }
}

/// What `lab-vm` measured of a hop, if a link carries so many bytes a second.
fn hop(median: u64, p99: u64, bandwidth: u64) -> LinkSpec {
    LinkSpec { latency: Distribution::lognormal(median, p99), bandwidth, loss: Chance::NEVER }
}

/// What of so much memory holds what is in files: what the processes leave, of which Linux lets 10 %
/// be dirty before it writes it, and 20 % at most (`vm.dirty_background_ratio`, `vm.dirty_ratio`).
#[must_use]
pub const fn page_cache(memory: u64) -> PageCacheSpec {
    PageCacheSpec { bytes: memory / 4 * 3, background: 10, limit: 20 }
}

/// Payload that Ethernet carries, in bytes a second: 1,448 of 1,538 bytes that a full packet takes
/// on the wire with headers, preamble and gap (IEEE 802.3).
const fn ethernet(gigabits: u64) -> CardSpec {
    CardSpec::of(gigabits * 125_000_000 / 1_538 * 1_448)
}

/// A server of its own for every broker: what is not of its disk and card.
fn server(name: &'static str, meaning: &'static str, card: CardSpec, disk: DiskSpec) -> Hardware {
    const MEMORY: u64 = 64 << 30;
    Hardware {
        name,
        meaning,
        brokers: hop(70_000, 350_000, 0),
        clients: hop(50_000, 200_000, 0),
        card,
        disk: DiskSpec { cache: page_cache(MEMORY), ..disk },
        cpu: CpuSpec { cores: 24, percent: 100 },
        memory: MEMORY,
        socket_buffer: DEFAULT_SOCKET_BUFFER,
        boot_time: lab_vm().boot_time,
    }
}

/// A SATA disk of 7,200 turns a minute.
fn hard_disk() -> DiskSpec {
    DiskSpec {
        // What is in a file and what the file system keeps of it lie apart: two turns.
        fsync: Distribution::lognormal(16_800_000, 50_000_000),
        spread: 0,
        bandwidth: 175_000_000,
        seek: Span::from_micros(12_660),
        capacity: 4_000_000_000_000,
        ..lab_vm().disk
    }
}

fn hdd_1gbe() -> Hardware {
    server(
        "hdd-1gbe",
        "A server of 2016 with 24 cores, 64 GiB, one SATA disk and 1 GbE. The disk is a Seagate \
         Constellation ES.3 (product manual 100671511): 175 MB/s at its outer tracks, 8.5 ms of \
         average seek and 4.16 ms of average rotation for every turn to another file. The card \
         carries 118 MB/s of payload each way (IEEE 802.3). Not measured: an fsync takes the time of two turns, \
         17 ms in the median; hops take what they take in lab-vm.",
        ethernet(1),
        hard_disk(),
    )
}

fn hdd_10gbe() -> Hardware {
    server(
        "hdd-10gbe",
        "The same with 10 GbE, which carries 1.18 GB/s of payload each way: the disk is the limit.",
        ethernet(10),
        hard_disk(),
    )
}

fn nvme_10gbe() -> Hardware {
    let disk = DiskSpec {
        // With capacitors for a loss of power, a flush of its cache costs nothing.
        fsync: Distribution::lognormal(60_000, 250_000),
        spread: 0,
        bandwidth: 2_000_000_000,
        seek: Span::from_micros(20),
        capacity: 2_000_000_000_000,
        ..lab_vm().disk
    };
    server(
        "nvme-10gbe",
        "A server of 2016 with 24 cores, 64 GiB, an NVMe disk and 10 GbE. The disk is an Intel SSD DC \
         P3700 of 2 TB (product specification 330566): 2,000 MB/s of sequential writes, 20 us for an \
         operation. The card carries 1.18 GB/s of payload each way (IEEE 802.3). Not measured: an fsync \
         takes three operations, 60 us in the median; hops take what they take in lab-vm.",
        ethernet(10),
        disk,
    )
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
