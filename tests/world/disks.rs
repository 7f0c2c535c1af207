//! Disks that slow down and stall: what is under way goes on at the speed of the moment.

use crate::toy::*;
use insta::assert_snapshot;
use mqsim::world::fault::{FaultKind, SlowDisk};

/// n1 writes 1 MB at 1 s and fsyncs it (a second at 1 MB/s, and 10 ms), then 100 kB.
fn writer() -> Toy {
    Toy::new()
        .on(On::Boot, [Do::Ready, Do::After(ms(1_000), "go")])
        .on(On::Word("go"), [Do::Write(1_000_000), Do::Fsync("one"), Do::Write(100_000)])
        .on(On::Word("go"), [Do::Fsync("two")])
}

fn with(kind: FaultKind, from: u64, lasts: u64) -> String {
    let mut setup = setup(vec![writer()], 20);
    setup.faults = vec![fault(from, Some(lasts), kind, &[1])];
    let lines = run(setup);
    let done: Vec<&str> =
        lines.lines().filter(|l| l.contains("one") || l.contains("two")).collect();
    done.join("\n")
}

#[test]
fn what_is_left_when_a_slow_disk_is_over_goes_at_the_old_speed() {
    // Half of the first is through when the disk becomes 1,000 times slower for a second.
    let slow = FaultKind::SlowDisk(SlowDisk { factor: 1_000 });
    assert_snapshot!(with(slow, 1_505, 1_000), @r"
    3.009000 n1 one
    3.119000 n1 two
    ");
    // Queued while it is slow.
    let slow = FaultKind::SlowDisk(SlowDisk { factor: 1_000 });
    assert_snapshot!(with(slow, 500, 1_000), @r"
    2.509500 n1 one
    2.619500 n1 two
    ");
    let slow = FaultKind::SlowDisk(SlowDisk { factor: 2 });
    assert_snapshot!(with(slow, 1_505, 60_000), @r"
    2.515000 n1 one
    2.735000 n1 two
    ");
}

#[test]
fn what_a_stall_meets_takes_as_much_longer_as_it_lasts() {
    assert_snapshot!(with(FaultKind::DiskStall, 1_505, 1_000), @r"
    3.010000 n1 one
    3.120000 n1 two
    ");
    assert_snapshot!(with(FaultKind::DiskStall, 500, 1_000), @r"
    2.510000 n1 one
    2.620000 n1 two
    ");
}
