//! What is shared and limited: a network card by all links of its host, a disk by all its writers.

use crate::toy::*;
use insta::assert_snapshot;
use mqsim::engine::{Span, Time};
use mqsim::observe::NodeId;
use mqsim::world::fault::{FaultKind, SlowDisk};
use mqsim::world::{CardSpec, PageCacheSpec, Setup};

/// What toys have received by a time in ms.
fn received(setup: &Setup<Toy>, millis: u64) -> Vec<u64> {
    let mut simulation =
        mqsim::world::Simulation::<Toys, _>::new(setup.clone(), Diary::default()).unwrap();
    simulation.run_until(Time::ZERO + ms(millis) + Span::from_nanos(1)).unwrap();
    simulation.machines().iter().map(|toy| toy.received).collect()
}

/// A hundred messages of 1 kB.
fn sender() -> Toy {
    Toy::new().on(On::Boot, [Do::Ready, Do::Burst(100, "load", 1_000)])
}

#[test]
fn what_several_send_to_one_shares_its_card() {
    let server = Toy::server().quietly();
    let mut setup = setup(vec![server, sender(), sender(), sender()], 10);
    setup.established = (1..=3).map(|n| (NodeId(n), NodeId(0))).collect();
    assert_eq!(received(&setup, 1)[0], 300);
    setup.topology.hosts[0].card = CardSpec { inwards: 100_000, outwards: 0 };
    // 1 ms of latency, then one every 10 ms.
    assert_eq!([501, 1_501, 3_001].map(|at| received(&setup, at)[0]), [50, 150, 300]);
}

#[test]
fn what_one_sends_to_several_shares_its_card() {
    let server = || Toy::server().quietly();
    let both = sender().on(On::Boot, [Do::Connect(2), Do::Burst(100, "load", 1_000)]);
    let mut setup = setup(vec![both, server(), server()], 10);
    setup.established = vec![(NodeId(0), NodeId(1))];
    setup.topology.hosts[0].card = CardSpec { inwards: 0, outwards: 100_000 };
    let all = |at: u64| received(&setup, at).iter().sum::<u64>();
    // Of each a part of the next has been sent as well.
    assert_eq!([501, 1_001, 2_003].map(all), [49, 99, 200]);
}

#[test]
fn one_message_after_the_other_is_held_up_by_two_cards_as_by_one() {
    let mut setup = setup(vec![sender(), Toy::server().quietly()], 10);
    setup.established = vec![(NodeId(0), NodeId(1))];
    setup.topology.hosts[0].card = CardSpec::of(100_000);
    setup.topology.hosts[1].card = CardSpec::of(100_000);
    assert_eq!([501, 1_001].map(|at| received(&setup, at)[1]), [50, 100]);
}

/// `n1` sends a megabyte to `n2`, and a tenth of a second later a small message to `n3`, by a card
/// that does a megabyte a second.
fn bulk_and_small() -> Setup<Toy> {
    let server = || Toy::server().quietly();
    let sender = Toy::new()
        .on(On::Boot, [Do::Ready, Do::Burst(10, "bulk", 100_000), Do::Connect(2)])
        .on(On::Boot, [Do::After(ms(100), "now")])
        .on(On::Word("now"), [Do::Send("small", 1_000)]);
    let mut setup = setup(vec![sender, server(), server()], 10);
    setup.established = vec![(NodeId(0), NodeId(1))];
    setup.topology.hosts[0].card = CardSpec { inwards: 0, outwards: 1_000_000 };
    setup
}

#[test]
fn a_small_message_does_not_wait_for_what_another_connection_has_to_send() {
    let setup = bulk_and_small();
    // The card was given a turn of two packets already; then comes the small message, and 1 ms of
    // latency.
    assert_eq!([101, 106].map(|at| received(&setup, at)[2]), [0, 1]);
    // The bulk has the rest of the second.
    assert_eq!([1_001, 1_003].map(|at| received(&setup, at)[1]), [9, 10]);
}

#[test]
fn connections_that_always_have_something_to_send_share_the_card() {
    let burst = || [Do::Burst(5, "bulk", 100_000)];
    let mut setup = bulk_and_small();
    setup.machines[0] = Toy::new()
        .on(On::Boot, [Do::Ready, Do::Burst(5, "bulk", 100_000), Do::Connect(2)])
        .on(On::Connected, burst());
    let of_each = |at: u64| [received(&setup, at)[1], received(&setup, at)[2]];
    assert_eq!([500, 1_003].map(of_each), [[2, 2], [5, 5]]);
    // They are not held up by the card of a host that receives both.
    setup.machines[0] = Toy::new()
        .on(On::Boot, [Do::Ready, Do::Burst(5, "bulk", 100_000), Do::Connect(1)])
        .on(On::Connected, burst());
    setup.topology.hosts[1].card = CardSpec::of(1_000_000);
    assert_eq!([500, 1_003].map(|at| received(&setup, at)[1]), [4, 10]);
}

/// Writes 50 kB whenever it may, and writes down when: its disk does 1 MB/s, and 150 kB may be dirty
/// before it waits, 200 kB at most.
fn writer() -> Setup<Toy> {
    let writes = [Do::Write(50_000), Do::Tell(0, "more")];
    let toy = Toy::new()
        .on(On::Boot, [Do::Ready, Do::After(ms(100), "more")])
        .on(On::Word("more"), writes);
    let mut setup = setup(vec![toy], 1);
    let disk = &mut setup.topology.hosts[0].disk;
    disk.cache = PageCacheSpec { bytes: 1_000_000, background: 10, limit: 20 };
    setup
}

fn first(story: &str, lines: usize) -> String {
    let more = story.lines().filter(|line| line.contains("more") || line.contains("boots"));
    more.take(lines).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_writer_gets_the_rate_of_the_disk_when_enough_is_dirty() {
    let story = run(writer());
    assert_snapshot!(first(&story, 9), @r"
    0.000000 n1 boots (0)
    0.100000 n1 more
    0.100000 n1 more
    0.100000 n1 more
    0.100000 n1 more
    0.150000 n1 more
    0.200000 n1 more
    0.250000 n1 more
    0.300000 n1 more
    ");
    // 900 ms at 1 MB/s, and what may be dirty.
    let count = story.matches("more").count() as u64;
    assert!((1_000_000..=1_100_000).contains(&(count * 50_000)), "{count} writes of 50 kB");
}

#[test]
fn a_disk_that_does_nothing_stops_its_writers_at_the_limit() {
    let mut setup = writer();
    setup.faults = vec![fault(50, Some(700), FaultKind::DiskStall, &[1])];
    assert_snapshot!(first(&run(setup), 9), @r"
    0.000000 n1 boots (0)
    0.100000 n1 more
    0.100000 n1 more
    0.100000 n1 more
    0.100000 n1 more
    0.100000 n1 more
    0.850000 n1 more
    0.900000 n1 more
    0.950000 n1 more
    ");
    let mut setup = writer();
    let slow = FaultKind::SlowDisk(SlowDisk { factor: 100 });
    setup.faults = vec![fault(50, Some(700), slow, &[1])];
    assert_snapshot!(first(&run(setup), 9), @r"
    0.000000 n1 boots (0)
    0.100000 n1 more
    0.100000 n1 more
    0.100000 n1 more
    0.100000 n1 more
    0.793500 n1 more
    0.843500 n1 more
    0.893500 n1 more
    0.943500 n1 more
    ");
}

#[test]
fn what_is_held_up_dies_with_its_process_and_waits_with_it() {
    let mut setup = writer();
    setup.faults = vec![
        fault(50, Some(700), FaultKind::DiskStall, &[1]),
        fault(200, Some(100), FaultKind::Crash, &[1]),
    ];
    assert_snapshot!(first(&run(setup), 12), @r"
    0.000000 n1 boots (0)
    0.100000 n1 more
    0.100000 n1 more
    0.100000 n1 more
    0.100000 n1 more
    0.100000 n1 more
    0.300000 n1 boots (1)
    0.400000 n1 more
    0.900000 n1 more
    0.950000 n1 more
    ");
    let mut setup = writer();
    setup.faults = vec![fault(103, Some(500), FaultKind::Pause, &[1])];
    assert_snapshot!(first(&run(setup), 9), @r"
    0.000000 n1 boots (0)
    0.100000 n1 more
    0.100000 n1 more
    0.100000 n1 more
    0.100000 n1 more
    0.603000 n1 more
    0.603000 n1 more
    0.603000 n1 more
    0.653000 n1 more
    ");
}

#[test]
fn what_is_not_in_memory_is_read_from_the_disk_before_the_lane_goes_on() {
    let reads = [Do::Load(0, 50_000), Do::Tell(0, "read"), Do::Tell(1, "too")];
    let again = [Do::Load(0, 50_000), Do::Tell(0, "again")];
    let toy = Toy::new()
        .on(On::Boot, [Do::Ready, Do::Write(900_000), Do::WriteTo(5, 500_000), Do::Spawn])
        .on(On::Boot, [Do::After(ms(5_000), "go"), Do::After(ms(5_001), "waits")])
        .on(On::Word("go"), reads)
        .on(On::Word("read"), again);
    let mut setup = setup(vec![toy], 20);
    setup.topology.hosts[0].disk.cache =
        PageCacheSpec { bytes: 1_000_000, background: 10, limit: 90 };
    assert_snapshot!(run(setup.clone()), @r"
    0.000000 n1 boots (0)
    0.000000 n1 spawned lane 1
    5.000000 n1 go
    5.050000 n1 too on lane 1
    5.050000 n1 waits
    5.050000 n1 read
    5.050000 n1 again
    ");
    setup.faults = vec![fault(5_025, Some(1_000), FaultKind::DiskStall, &[1])];
    assert_snapshot!(run(setup), @r"
    0.000000 n1 boots (0)
    0.000000 n1 spawned lane 1
    5.000000 n1 go
    6.050000 n1 too on lane 1
    6.050000 n1 waits
    6.050000 n1 read
    6.050000 n1 again
    ");
}
