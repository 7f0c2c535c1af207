//! Lanes, CPU and disks.

use crate::toy::*;
use insta::assert_snapshot;
use mqsim::engine::Limits;
use mqsim::world::fault::FaultKind;
use mqsim::world::{CpuSpec, Simulation};
use mqsim::{observe::Blind, world::fault};

#[test]
fn a_pipeline_of_two_hops_takes_the_sum_of_its_parts() {
    let first = Toy::new()
        .on(On::Boot, [Do::Ready, Do::Connect(1)])
        .on(On::Connected, [Do::After(ms(100), "go")])
        .on(On::Word("go"), [Do::Spend(ms(3)), Do::Send("job", 100)]);
    let second = Toy::server().on(On::Word("job"), [Do::Spend(ms(5)), Do::Send("done", 100)]);
    // Handshake 2 ms, timer 100 ms, 3 ms of work, 1 ms of way, 5 ms of work, 1 ms of way.
    assert_snapshot!(run(setup(vec![first, second], 1)), @r"
    0.000000 n1 boots (0)
    0.000000 n2 boots (0)
    0.002000 n1 is connected
    0.003000 n2 accepts n1
    0.102000 n1 go
    0.106000 n2 gets job
    0.112000 n1 gets done
    ");
}

#[test]
fn a_busy_lane_keeps_inputs_in_order_and_idleness_comes_last() {
    let toy = Toy::new()
        .on(
            On::Boot,
            [
                Do::Ready,
                Do::Tell(0, "a"),
                Do::Tell(0, "b"),
                Do::WhenIdle("idle"),
                Do::Spend(ms(10)),
            ],
        )
        .on(On::Word("a"), [Do::Tell(0, "c"), Do::Spend(ms(10))])
        .on(On::Word("b"), [Do::Spend(ms(10))]);
    assert_snapshot!(run(setup(vec![toy], 1)), @r"
    0.000000 n1 boots (0)
    0.010000 n1 a
    0.020000 n1 b
    0.030000 n1 c
    0.030000 n1 idle
    ");
}

#[test]
fn what_arrives_while_the_last_input_is_handled_goes_before_idleness() {
    let toy = Toy::new()
        .on(
            On::Boot,
            [Do::Ready, Do::After(ms(5), "late"), Do::WhenIdle("idle"), Do::Spend(ms(10))],
        )
        .on(On::Word("late"), [Do::Spend(ms(1))]);
    assert_snapshot!(run(setup(vec![toy], 1)), @r"
    0.000000 n1 boots (0)
    0.010000 n1 late
    0.011000 n1 idle
    ");
}

#[test]
fn lanes_work_side_by_side_until_the_cores_are_all_busy() {
    let toy = || {
        Toy::new()
            .on(
                On::Boot,
                [
                    Do::Ready,
                    Do::Spawn,
                    Do::Spawn,
                    Do::Tell(0, "work"),
                    Do::Tell(1, "work"),
                    Do::Tell(2, "work"),
                ],
            )
            .on(On::Word("work"), [Do::Spend(ms(10)), Do::Tell(0, "done")])
    };
    // Two cores: the third has to wait.
    assert_snapshot!(run(setup(vec![toy()], 1)), @r"
    0.000000 n1 boots (0)
    0.000000 n1 spawned lane 1
    0.000000 n1 spawned lane 2
    0.000000 n1 work
    0.000000 n1 work on lane 1
    0.000000 n1 work on lane 2
    0.010000 n1 done
    0.010000 n1 done
    0.020000 n1 done
    ");
    let mut slow = setup(vec![toy()], 1);
    slow.topology.hosts[0].cpu = CpuSpec { cores: 1, percent: 50 };
    let simulation = simulate(slow);
    assert_eq!(simulation.statistics().busy, [ms(60)]);
}

#[test]
fn an_ended_lane_takes_nothing_and_messages_to_it_vanish() {
    let toy = Toy::new()
        .on(
            On::Boot,
            [
                Do::Ready,
                Do::Spawn,
                Do::Tell(1, "last words"),
                Do::Tell(1, "too late"),
                Do::Tell(7, "to nobody"),
            ],
        )
        .on(On::Word("last words"), [Do::EndLane]);
    assert_snapshot!(run(setup(vec![toy], 1)), @r"
    0.000000 n1 boots (0)
    0.000000 n1 spawned lane 1
    0.000000 n1 last words on lane 1
    ");
}

#[test]
fn an_fsync_takes_latency_and_transfer_and_the_lane_goes_on() {
    let toy = Toy::new()
        .on(On::Boot, [Do::Ready, Do::Write(5_000), Do::Fsync("durable"), Do::Tell(0, "meanwhile")])
        .on(On::Word("meanwhile"), [Do::Fsync("nothing to transfer, but queued")]);
    assert_snapshot!(run(setup(vec![toy], 1)), @r"
    0.000000 n1 boots (0)
    0.000000 n1 meanwhile
    0.015000 n1 durable
    0.025000 n1 nothing to transfer, but queued
    ");
}

#[test]
fn a_blocking_fsync_holds_the_lane_and_its_completion_comes_first() {
    let toy = Toy::new().on(
        On::Boot,
        [
            Do::Ready,
            Do::Write(5_000),
            Do::Tell(0, "waits"),
            Do::WhenIdle("idle"),
            Do::FsyncBlocking("durable"),
            Do::Spend(ms(1)),
        ],
    );
    assert_snapshot!(run(setup(vec![toy], 1)), @r"
    0.000000 n1 boots (0)
    0.015000 n1 durable
    0.015000 n1 waits
    0.015000 n1 idle
    ");
}

fn writer(fault: FaultKind) -> String {
    let toy = Toy::new()
        .on(On::Boot, [Do::Ready, Do::Write(3_000), Do::Fsync("durable")])
        .on(On::Word("durable"), [Do::Write(2_000)]);
    let mut setup = setup(vec![toy], 2);
    setup.faults = vec![crate::toy::fault(100, None, fault, &[1])];
    run(setup)
}

#[test]
fn a_kill_keeps_the_page_cache_and_power_loss_the_durable_prefix() {
    assert_snapshot!(writer(FaultKind::Crash), @r"
    0.000000 n1 boots (0)
    0.013000 n1 durable
    0.100000 n1 dies: Killed, keeps 5000 of 5000 B
    ");
    assert_snapshot!(writer(FaultKind::PowerLoss), @r"
    0.000000 n1 boots (0)
    0.013000 n1 durable
    0.100000 n1 dies: PowerLoss, keeps 3000 of 5000 B
    ");
    assert_snapshot!(writer(FaultKind::WipeDisk), @r"
    0.000000 n1 boots (0)
    0.013000 n1 durable
    0.100000 n1 dies: Killed, keeps 5000 of 5000 B
    0.100000 n1 dies: Wiped, keeps 0 of 5000 B
    ");
}

#[test]
fn what_is_old_enough_is_written_back_without_fsync() {
    let toy = Toy::new()
        .on(On::Boot, [Do::Ready, Do::Write(1_000), Do::After(ms(20_000), "more")])
        .on(On::Word("more"), [Do::Write(500)]);
    let mut setup = setup(vec![toy], 60);
    setup.faults = vec![
        crate::toy::fault(29_000, Some(1), FaultKind::PowerLoss, &[1]),
        crate::toy::fault(60_500, Some(1), FaultKind::PowerLoss, &[1]),
    ];
    setup.duration = ms(61_000);
    assert_snapshot!(run(setup), @r"
    0.000000 n1 boots (0)
    20.000000 n1 more
    29.000000 n1 dies: PowerLoss, keeps 0 of 1500 B
    29.001000 n1 boots (1)
    49.001000 n1 more
    60.500000 n1 dies: PowerLoss, keeps 1000 of 1500 B
    60.501000 n1 boots (2)
    ");
}

#[test]
fn an_fsync_that_power_loss_interrupts_makes_nothing_durable_and_says_nothing() {
    let toy = Toy::new().on(On::Boot, [Do::Ready, Do::Write(4_000), Do::Fsync("durable")]);
    let mut setup = setup(vec![toy.clone()], 1);
    setup.faults = vec![crate::toy::fault(5, None, FaultKind::PowerLoss, &[1])];
    assert_snapshot!(run(setup), @r"
    0.000000 n1 boots (0)
    0.005000 n1 dies: PowerLoss, keeps 0 of 4000 B
    ");
    // After a kill the kernel completes it all the same.
    let mut setup = crate::toy::setup(vec![toy], 1);
    setup.faults = vec![
        crate::toy::fault(5, None, FaultKind::Crash, &[1]),
        crate::toy::fault(50, None, FaultKind::PowerLoss, &[1]),
    ];
    assert_snapshot!(run(setup), @r"
    0.000000 n1 boots (0)
    0.005000 n1 dies: Killed, keeps 4000 of 4000 B
    0.050000 n1 dies: PowerLoss, keeps 4000 of 4000 B
    ");
}

#[test]
fn a_truncated_file_is_shorter_in_every_respect() {
    let toy = Toy::new()
        .on(On::Boot, [Do::Ready, Do::Write(4_000), Do::Fsync("durable")])
        .on(On::Word("durable"), [Do::Truncate(1_000), Do::Write(500)]);
    let mut setup = setup(vec![toy], 1);
    setup.faults = vec![crate::toy::fault(500, None, FaultKind::PowerLoss, &[1])];
    let story = run(setup);
    assert!(story.contains("dies: PowerLoss, keeps 1000 of 4500 B"), "{story}");
}

#[test]
fn a_full_and_a_slow_disk() {
    let toy = Toy::new()
        .on(On::Boot, [Do::Ready, Do::After(ms(100), "try"), Do::After(ms(300), "try")])
        .on(On::Word("try"), [Do::Write(1_000), Do::Fsync("durable")]);
    let mut setup = setup(vec![toy], 1);
    setup.faults = vec![
        crate::toy::fault(50, Some(200), fault::FaultKind::DiskFull, &[1]),
        crate::toy::fault(
            200,
            None,
            fault::FaultKind::SlowDisk(fault::SlowDisk { factor: 5 }),
            &[1],
        ),
    ];
    assert_snapshot!(run(setup), @r"
    0.000000 n1 boots (0)
    0.100000 n1 try
    0.100000 n1 write: no space left on device
    0.110000 n1 durable
    0.300000 n1 try
    0.355000 n1 durable
    ");
}

#[test]
fn a_runaway_names_the_machines_that_chase_each_other() {
    let chaser = Toy::server().quietly().on(On::Word("tag"), [Do::Send("tag", 1)]);
    let starter = Toy::new()
        .quietly()
        .on(On::Boot, [Do::Ready, Do::Connect(2)])
        .on(On::Connected, [Do::Send("tag", 1)])
        .on(On::Word("tag"), [Do::Send("tag", 1)]);
    let mut setup = setup(vec![starter, Toy::server(), chaser], 1);
    let mut link = plain_link();
    link.latency = mqsim::engine::Distribution::Constant(0);
    setup.topology.link(0, 0, link);
    setup.limits = Limits { max_events_per_instant: 10_000, ..Limits::default() };
    let mut simulation: Simulation<Toys, Blind> = Simulation::new(setup, Blind).unwrap();
    let runaway = simulation.run().unwrap_err();
    assert_eq!(runaway.machines, ["n1", "n3"]);
    assert_snapshot!(runaway, @"more than 10000 events at one instant (at 0.000000 s); at work at the end: n1, n3");
}

#[test]
fn what_arrives_before_a_connection_is_bound_follows_it_to_its_lane() {
    // The server is busy when n1 connects and talks at once: the words wait behind the acceptance.
    let client = Toy::new()
        .on(On::Boot, [Do::Ready, Do::Connect(1)])
        .on(On::Connected, [Do::Send("hello", 100), Do::Send("again", 100)]);
    let server = Toy::server()
        .on(On::Boot, [Do::Ready, Do::Listen, Do::Spawn, Do::Spend(ms(50))])
        .on(On::Accepted, [Do::Bind(1)]);
    let trace = run(setup(vec![client, server], 1));
    assert_snapshot!(trace, @r"
    0.000000 n1 boots (0)
    0.000000 n2 boots (0)
    0.000000 n2 spawned lane 1
    0.002000 n1 is connected
    0.050000 n2 accepts n1
    0.050000 n2 gets hello on lane 1
    0.050000 n2 gets again on lane 1
    ");
}

#[test]
fn the_processors_time_is_counted_until_the_load_ends_and_in_all() {
    let toy = Toy::server()
        .on(On::Boot, [Do::Spend(ms(30))])
        .on(On::LoadEnded, [Do::After(ms(10), "tidies up"), Do::Observe])
        .on(On::Word("tidies up"), [Do::Spend(ms(5))]);
    let mut setup = setup(vec![toy, Toy::server()], 1);
    setup.drain = ms(5_000);
    let statistics = simulate(setup).statistics();
    assert_eq!(statistics.busy_in_load, [ms(30), ms(0)]);
    assert_eq!(statistics.busy, [ms(35), ms(0)]);
}
