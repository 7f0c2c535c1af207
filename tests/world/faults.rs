//! Faults: what machines and observers see of them, and that nothing is left of them.

use crate::toy::*;
use insta::assert_snapshot;
use mqsim::engine::{Ingredient, Span};
use mqsim::observe::{DestinationId, FaultId, NodeId, NodeKind};
use mqsim::world::fault::{
    ClientSide, ClockSkew, Direction, Failing, FaultKind, Partition, SlowDisk,
};
use mqsim::world::{Pick, PlannedFault, RoleQuery, Setup, Simulation, Target};

/// Gives faults their places in the schedule, runs, and returns what was seen and what was told.
pub(crate) fn both(mut setup: Setup<Toy>, faults: Vec<PlannedFault>) -> (String, String) {
    setup.faults = faults;
    for (index, fault) in setup.faults.iter_mut().enumerate() {
        fault.id = FaultId(index as u32);
    }
    let mut simulation = Simulation::<Toys, _>::new(setup, Diary::default()).unwrap();
    simulation.run().unwrap();
    (story(&simulation), simulation.observer().0.join("\n"))
}

/// What was told after the start.
pub(crate) fn told(setup: Setup<Toy>, faults: Vec<PlannedFault>) -> String {
    let (_, told) = both(setup, faults);
    let started = |line: &&str| !line.starts_with("0 ms");
    told.lines().filter(started).collect::<Vec<_>>().join("\n")
}

fn pair(seconds: u64) -> Setup<Toy> {
    let first = Toy::server()
        .on(On::Boot, [Do::After(ms(10), "go")])
        .on(On::Word("go"), [Do::Send("hello", 10)])
        .on(On::Stop, [Do::Send("goodbye", 10), Do::Exit]);
    let mut setup = setup(vec![first, Toy::server()], seconds);
    setup.established = vec![(NodeId(0), NodeId(1))];
    setup
}

#[test]
fn a_kill_resets_connections_and_what_the_kernel_has_still_arrives() {
    let mut setup = pair(2);
    // n1 sends half a millisecond before it is killed; the way takes one.
    setup.machines[0] = Toy::server()
        .on(
            On::Boot,
            [Do::After(Span::from_micros(99_500), "last words"), Do::After(ms(101), "never")],
        )
        .on(On::Word("last words"), [Do::Send("last words", 10)]);
    let (story, told) = both(setup, vec![fault(100, Some(400), FaultKind::Crash, &[1])]);
    assert_snapshot!(story, @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.099500 n1 last words
    0.100000 n1 dies: Killed
    0.100500 n2 gets last words
    0.101000 n2 connection closed: Reset
    0.500000 n1 boots (1)
    0.599500 n1 last words
    0.601000 n1 never
    ");
    assert_snapshot!(told, @r"
    0 ms n1 Booting
    0 ms n2 Booting
    0 ms n1 Up
    0 ms n2 Up
    100 ms fault 0 Begun n1
    100 ms n1 Killed
    500 ms fault 0 Ended n1
    500 ms n1 Booting
    500 ms n1 Up
    ");
}

#[test]
fn power_loss_is_silent_until_the_host_is_back_and_answers_with_a_reset() {
    let mut setup = pair(30);
    setup.machines[1] = Toy::server()
        .on(On::Boot, [Do::After(ms(200), "anyone?")])
        .on(On::Word("anyone?"), [Do::Send("anyone?", 10)]);
    let (story, told) = both(setup, vec![fault(100, Some(5_000), FaultKind::PowerLoss, &[1])]);
    // Sent at 0.2 s; tries at 0.404, 0.608, 1.02, 1.86, 3.52 and 6.85 s; the host is back at 5.1 s.
    assert_snapshot!(story, @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.010000 n1 go
    0.011000 n2 gets hello
    0.100000 n1 dies: PowerLoss
    0.200000 n2 anyone?
    5.100000 n1 boots (1)
    5.110000 n1 go
    6.818000 n2 connection closed: Reset
    ");
    assert_snapshot!(told, @r"
    0 ms n1 Booting
    0 ms n2 Booting
    0 ms n1 Up
    0 ms n2 Up
    100 ms fault 0 Begun n1
    100 ms n1 PowerLost
    5100 ms fault 0 Ended n1
    5100 ms n1 Booting
    5100 ms n1 Up
    ");
}

#[test]
fn a_graceful_stop_sends_what_is_to_be_sent_and_closes() {
    let (story, told) = both(pair(2), vec![fault(100, Some(400), FaultKind::Stop, &[1])]);
    assert_snapshot!(story, @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.010000 n1 go
    0.011000 n2 gets hello
    0.100000 n1 is asked to stop
    0.100000 n1 dies: Exited
    0.101000 n2 gets goodbye
    0.101000 n2 connection closed: Finished
    0.500000 n1 boots (1)
    0.510000 n1 go
    ");
    assert_snapshot!(told, @r"
    0 ms n1 Booting
    0 ms n2 Booting
    0 ms n1 Up
    0 ms n2 Up
    100 ms fault 0 Begun n1
    100 ms n1 Stopped
    500 ms fault 0 Ended n1
    500 ms n1 Booting
    500 ms n1 Up
    ");
}

#[test]
fn a_restart_comes_up_at_once_and_starts_what_is_down() {
    let faults = vec![
        fault(100, None, FaultKind::Restart, &[1]),
        fault(200, None, FaultKind::Crash, &[2]),
        fault(300, None, FaultKind::Restart, &[2]),
    ];
    assert_snapshot!(told(pair(2), faults), @r"
    100 ms fault 0 Begun n1
    100 ms n1 Stopped
    100 ms n1 Booting
    100 ms fault 0 Ended n1
    100 ms n1 Up
    200 ms fault 1 Begun n2
    200 ms n2 Killed
    300 ms fault 2 Begun n2
    300 ms n2 Booting
    300 ms fault 2 Ended n2
    300 ms n2 Up
    2000 ms fault 1 Ended n2
    ");
}

#[test]
fn a_paused_process_finds_everything_in_order_when_it_goes_on() {
    let mut setup = pair(2);
    setup.machines[0] = Toy::server()
        .on(On::Boot, [Do::After(ms(150), "first"), Do::After(ms(250), "third")])
        .on(On::Word("first"), [Do::Send("first", 10)])
        .on(On::Word("third"), [Do::Send("third", 10)]);
    setup.machines[1] = Toy::server().on(
        On::Boot,
        [
            Do::After(ms(99), "computes"),
            Do::After(ms(200), "second"),
            Do::After(ms(450), "in time"),
        ],
    );
    setup.machines[1] = setup.machines[1]
        .clone()
        .on(On::Word("computes"), [Do::Spend(ms(3)), Do::WhenIdle("idle")]);
    let (story, told) = both(setup, vec![fault(100, Some(300), FaultKind::Pause, &[2])]);
    assert_snapshot!(story, @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.099000 n2 computes
    0.150000 n1 first
    0.250000 n1 third
    0.402000 n2 goes on
    0.402000 n2 gets first
    0.402000 n2 second
    0.402000 n2 gets third
    0.402000 n2 idle
    0.450000 n2 in time
    ");
    assert_snapshot!(told, @r"
    0 ms n1 Booting
    0 ms n2 Booting
    0 ms n1 Up
    0 ms n2 Up
    100 ms fault 0 Begun n2
    100 ms n2 Paused
    400 ms fault 0 Ended n2
    400 ms n2 Up
    ");
}

#[test]
fn a_killed_process_that_was_paused_starts_afresh() {
    let faults = vec![
        fault(100, Some(900), FaultKind::Pause, &[2]),
        fault(200, Some(100), FaultKind::Crash, &[2]),
    ];
    assert_snapshot!(told(pair(2), faults), @r"
    100 ms fault 0 Begun n2
    100 ms n2 Paused
    200 ms fault 1 Begun n2
    200 ms n2 Killed
    300 ms fault 1 Ended n2
    300 ms n2 Booting
    300 ms n2 Up
    1000 ms fault 0 Ended n2
    ");
}

#[test]
fn a_node_that_two_faults_keep_down_starts_when_both_are_over() {
    let faults = vec![
        fault(100, Some(500), FaultKind::Crash, &[1]),
        fault(200, Some(100), FaultKind::Crash, &[1]),
        fault(250, Some(550), FaultKind::PowerLoss, &[1]),
    ];
    assert_snapshot!(told(pair(2), faults), @r"
    100 ms fault 0 Begun n1
    100 ms n1 Killed
    200 ms fault 1 Begun n1
    250 ms fault 2 Begun n1
    250 ms n1 PowerLost
    300 ms fault 1 Ended n1
    600 ms fault 0 Ended n1
    800 ms fault 2 Ended n1
    800 ms n1 Booting
    800 ms n1 Up
    ");
}

fn cut(at: u64, lasts: Option<u64>) -> PlannedFault {
    let between = vec![Target::nodes(&[NodeId(0)])];
    let partition = Partition {
        between,
        direction: Direction::Both,
        clients: ClientSide::Follow,
        rejects: false,
    };
    fault(at, lasts, FaultKind::Partition(partition), &[])
}

#[test]
fn a_link_that_is_cut_twice_opens_when_both_cuts_are_healed() {
    let mut setup = pair(20);
    let sends = [400, 1_000, 2_900];
    setup.machines[0] = Toy::server();
    for at in sends {
        setup.machines[0] = setup.machines[0].clone().on(On::Boot, [Do::After(ms(at), "go")]);
    }
    setup.machines[0] = setup.machines[0].clone().on(On::Word("go"), [Do::Send("hello", 1)]);
    let (story, told) = both(setup, vec![cut(300, Some(1_000)), cut(500, Some(2_000))]);
    // Sent at 0.4 s, and more at 1.0 s; open from 2.5 s on.
    let seen: Vec<&str> = story.lines().filter(|line| line.contains("gets")).collect();
    assert_snapshot!(seen.join("\n"), @r"
    3.689000 n2 gets hello
    3.689000 n2 gets hello
    3.689000 n2 gets hello
    ");
    assert_snapshot!(told, @r"
    0 ms n1 Booting
    0 ms n2 Booting
    0 ms n1 Up
    0 ms n2 Up
    300 ms fault 0 Begun n1,n2
    500 ms fault 1 Begun n1,n2
    1300 ms fault 0 Ended n1,n2
    2500 ms fault 1 Ended n1,n2
    ");
}

#[test]
fn at_the_end_of_the_duration_faults_end_nodes_start_and_late_faults_are_skipped() {
    let mut setup = pair(1);
    setup.drain = ms(10_000);
    let faults = vec![
        fault(100, None, FaultKind::Crash, &[1]),
        cut(200, None),
        fault(300, None, FaultKind::Pause, &[2]),
        fault(400, None, FaultKind::Pause, &[1]),
        fault(1_000, None, FaultKind::Crash, &[2]),
    ];
    assert_snapshot!(told(setup, faults), @r"
    100 ms fault 0 Begun n1
    100 ms n1 Killed
    200 ms fault 1 Begun n1,n2
    300 ms fault 2 Begun n2
    300 ms n2 Paused
    400 ms fault 3 Skipped n1
    1000 ms fault 0 Ended n1
    1000 ms n1 Booting
    1000 ms fault 1 Ended n1,n2
    1000 ms fault 2 Ended n2
    1000 ms n2 Up
    1000 ms fault 4 Skipped
    1000 ms n1 Up
    ");
}

#[test]
fn a_run_ends_when_all_is_quiet_and_at_the_end_of_the_drain_if_not() {
    let ending = |settled: bool, chatter: bool| {
        let mut setup = pair(1);
        setup.drain = ms(10_000);
        setup.machines[0].settled = settled;
        if chatter {
            let what = [Do::Observe, Do::After(ms(700), "chatter")];
            setup.machines[1] = setup.machines[1]
                .clone()
                .on(On::LoadEnded, [Do::After(ms(700), "chatter")])
                .on(On::Word("chatter"), what);
        }
        let ending = Simulation::<Toys, _>::new(setup, Diary::default()).unwrap().run().unwrap();
        (ending.at.as_millis(), ending.quiet)
    };
    assert_eq!(ending(true, false), (3_000, true));
    assert_eq!(ending(false, false), (11_000, false));
    assert_eq!(ending(true, true), (11_000, false));
}

#[test]
fn who_waits_is_named_and_nobody_waits_for_a_node_that_has_ended_itself() {
    let run = |exits: bool| {
        let mut setup = pair(1);
        setup.drain = ms(10_000);
        setup.machines[0].settled = false;
        if exits {
            setup.machines[0] = setup.machines[0].clone().on(On::LoadEnded, [Do::Exit]);
        }
        let mut simulation = Simulation::<Toys, _>::new(setup, Diary::default()).unwrap();
        let ending = simulation.run().unwrap();
        let waits = simulation.waits().into_iter();
        let waits: Vec<String> = waits.map(|w| format!("{}: {}", w.node.0, w.what)).collect();
        (ending.quiet, waits.join(", "))
    };
    assert_eq!(run(false), (false, "0: being told to settle".to_owned()));
    assert_eq!(run(true), (true, String::new()), "it is down by its own rule");
}

#[test]
fn selectors_are_resolved_when_the_fault_begins() {
    let five = || {
        let mut setup = setup(vec![Toy::server(); 5], 1);
        setup.topology.zones.push("b".to_owned());
        setup.topology = {
            let mut topology = mqsim::world::Topology::new(vec!["a".into(), "b".into()]);
            for from in 0..2 {
                for to in 0..2 {
                    topology.link(from, to, plain_link());
                }
            }
            for n in 0..5 {
                let mut host = host(&format!("n{}", n + 1), NodeKind::Broker);
                host.zone = u32::from(n >= 3);
                topology.add(host);
            }
            topology
        };
        setup
    };
    let role = |nth| Pick::Role(RoleQuery { selector: 0, destination: DestinationId(0), nth });
    let crash = |at, picks: Vec<Pick>| {
        let mut fault = fault(at, Some(50), FaultKind::Crash, &[]);
        fault.target = Target(picks);
        fault
    };
    let faults = vec![
        crash(100, vec![Pick::All]),
        crash(200, vec![Pick::Zone(1)]),
        crash(300, vec![Pick::Random]),
        crash(400, vec![Pick::Minority]),
        crash(500, vec![role(2), Pick::Node(NodeId(0)), Pick::Node(NodeId(1))]),
        crash(600, vec![role(9)]),
    ];
    let told = told(five(), faults);
    let begun: Vec<&str> =
        told.lines().filter(|l| l.contains("Begun") || l.contains("Skipped")).collect();
    assert_snapshot!(begun.join("\n"), @r"
    100 ms fault 0 Begun n1,n2,n3,n4,n5
    200 ms fault 1 Begun n4,n5
    300 ms fault 2 Begun n4
    400 ms fault 3 Begun n2,n5
    500 ms fault 4 Begun n2,n1
    600 ms fault 5 Skipped
    ");
}

#[test]
fn faults_are_an_ingredient_of_the_fingerprint_and_leave_other_draws_alone() {
    let run = |faults: Vec<PlannedFault>| {
        let mut setup = pair(2);
        setup.faults = faults;
        let simulation = simulate(setup);
        let print = simulation.fingerprint();
        (print.ingredient(Ingredient::Faults), print.ingredient(Ingredient::Draws))
    };
    let none = run(vec![]);
    let slow = |at| fault(at, Some(100), FaultKind::SlowDisk(SlowDisk { factor: 2 }), &[1]);
    assert_eq!(run(vec![slow(100)]), run(vec![slow(100)]));
    assert_ne!(run(vec![slow(100)]).0, none.0);
    assert_ne!(run(vec![slow(100)]).0, run(vec![slow(101)]).0);
}

#[test]
fn a_clock_that_is_wrong_shows_it_and_timers_follow_its_pace_only() {
    let mut setup = pair(3);
    setup.machines[0] = Toy::server()
        .on(On::Boot, [Do::Clock, Do::After(ms(150), "clock"), Do::After(ms(400), "clock")])
        .on(On::Word("clock"), [Do::Clock, Do::After(ms(300), "later")])
        .on(On::Word("later"), [Do::Clock]);
    let ahead = FaultKind::ClockSkew(ClockSkew { offset: -2_000_000_000, drift: 0 });
    let fast = FaultKind::ClockSkew(ClockSkew { offset: 0, drift: 200_000_000 });
    let faults = vec![fault(100, Some(500), ahead, &[1]), fault(300, Some(1_000), fast, &[1])];
    let (story, told) = both(setup, faults);
    // 300 ms take 250 ms at a pace that is a fifth too fast.
    assert_snapshot!(story, @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n1 clock 0 us, timers 0 us
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.150000 n1 clock
    0.150000 n1 clock -2000000 us, timers 0 us
    0.400000 n1 clock
    0.400000 n1 clock -1980000 us, timers 20000 us
    0.450000 n1 later
    0.450000 n1 clock -1970000 us, timers 30000 us
    0.650000 n1 later
    0.650000 n1 clock 70000 us, timers 70000 us
    ");
    assert_snapshot!(told, @r"
    0 ms n1 Booting
    0 ms n2 Booting
    0 ms n1 Up
    0 ms n2 Up
    100 ms fault 0 Begun n1
    300 ms fault 1 Begun n1
    600 ms fault 0 Ended n1
    1300 ms fault 1 Ended n1
    ");
}

#[test]
fn a_clock_stays_wrong_through_a_restart_and_is_right_at_the_end_of_the_load() {
    let mut setup = pair(1);
    setup.drain = ms(3_000);
    setup.machines[0] = Toy::server()
        .on(On::Boot, [Do::Clock, Do::Observe])
        .on(On::LoadEnded, [Do::After(ms(100), "after")])
        .on(On::Word("after"), [Do::Clock]);
    let skew = FaultKind::ClockSkew(ClockSkew { offset: 7_000_000, drift: -10_000_000 });
    let faults = vec![fault(100, None, skew, &[1]), fault(200, Some(400), FaultKind::Crash, &[1])];
    let (story, _) = both(setup, faults);
    let clocks: Vec<&str> = story.lines().filter(|line| line.contains("clock")).collect();
    assert_snapshot!(clocks.join("\n"), @r"
    0.000000 n1 clock 0 us, timers 0 us
    0.600000 n1 clock 2000 us, timers -5000 us
    1.101010 n1 clock 0 us, timers -9000 us
    ");
}

#[test]
fn without_a_skew_nothing_is_different() {
    let run = |faults: Vec<PlannedFault>| {
        let mut setup = pair(2);
        setup.faults = faults;
        simulate(setup).fingerprint()
    };
    let events = |faults| run(faults).ingredient(Ingredient::Draws);
    let skew = FaultKind::ClockSkew(ClockSkew { offset: 1_000, drift: 0 });
    assert_eq!(events(vec![]), events(vec![fault(100, None, skew, &[1])]));
}

fn writer() -> Toy {
    Toy::server()
        .on(On::Boot, [Do::Write(1_000), Do::Fsync("safe"), Do::After(ms(150), "write")])
        .on(On::Word("write"), [Do::Write(500), Do::Fsync("safe"), Do::Read(1_000, "read")])
        .on(On::DiskFailed("safe"), [Do::After(ms(400), "again")])
        .on(On::Word("again"), [Do::Write(500), Do::Fsync("safe"), Do::Read(1_000, "read")])
}

fn failing(operations: Failing) -> FaultKind {
    FaultKind::DiskError(operations)
}

#[test]
fn a_disk_that_fails_says_so_and_what_an_fsync_gave_up_is_never_durable() {
    let mut setup = pair(2);
    setup.established.clear();
    setup.machines[0] = writer();
    let fsyncs = Failing { writes: false, fsyncs: true, reads: false };
    let faults = vec![
        fault(100, Some(200), failing(fsyncs), &[1]),
        fault(1_000, None, FaultKind::PowerLoss, &[1]),
    ];
    let (story, told) = both(setup, faults);
    // The second fsync succeeds, and there is a hole before what it made durable.
    assert_snapshot!(story, @r"
    0.000000 n1 boots (0)
    0.000000 n2 boots (0)
    0.011000 n1 safe
    0.150000 n1 write
    0.151000 n1 read
    0.160500 n1 safe has failed
    0.560500 n1 again
    0.561500 n1 read
    0.571000 n1 safe
    1.000000 n1 dies: PowerLoss, keeps 1000 of 2000 B
    ");
    assert_snapshot!(told, @r"
    0 ms n1 Booting
    0 ms n2 Booting
    0 ms n1 Up
    0 ms n2 Up
    100 ms fault 0 Begun n1
    300 ms fault 0 Ended n1
    1000 ms fault 1 Begun n1
    1000 ms n1 PowerLost
    2000 ms fault 1 Ended n1
    2000 ms n1 Booting
    ");
}

#[test]
fn a_kill_keeps_what_an_fsync_gave_up() {
    let mut setup = pair(2);
    setup.established.clear();
    setup.machines[0] = writer();
    let fsyncs = Failing { writes: false, fsyncs: true, reads: false };
    let faults = vec![
        fault(100, Some(200), failing(fsyncs), &[1]),
        fault(1_000, None, FaultKind::Crash, &[1]),
    ];
    let (story, _) = both(setup, faults);
    assert!(story.contains("dies: Killed, keeps 2000 of 2000 B"), "{story}");
}

#[test]
fn writes_and_reads_fail_while_it_lasts_and_overlapping_faults_take_back_their_own() {
    let mut setup = pair(2);
    setup.established.clear();
    setup.machines[0] = Toy::server()
        .on(On::Boot, [150, 250, 350, 450].map(|at| Do::After(ms(at), "try")))
        .on(On::Word("try"), [Do::Write(1), Do::Read(1, "read")]);
    let both_fail = Failing { fsyncs: false, ..Failing::ALL };
    let reads = Failing { writes: false, fsyncs: false, reads: true };
    let faults = vec![
        fault(100, Some(100), failing(both_fail), &[1]),
        fault(120, Some(200), failing(reads), &[1]),
    ];
    let (story, _) = both(setup, faults);
    assert_snapshot!(story, @r"
    0.000000 n1 boots (0)
    0.000000 n2 boots (0)
    0.150000 n1 try
    0.150000 n1 write: input/output error
    0.150001 n1 read has failed
    0.250000 n1 try
    0.250001 n1 read has failed
    0.350000 n1 try
    0.350001 n1 read
    0.450000 n1 try
    0.450001 n1 read
    ");
}

#[test]
fn the_write_back_fails_too_and_the_next_fsync_tells_it_once() {
    let mut setup = pair(70);
    setup.established.clear();
    setup.machines[0] = Toy::server()
        .on(
            On::Boot,
            [Do::Write(1_000), Do::After(ms(40_000), "sync"), Do::After(ms(50_000), "sync")],
        )
        .on(On::Word("sync"), [Do::Fsync("safe")]);
    // It is due in the flusher's first round after 30 s.
    let faults = vec![
        fault(29_000, Some(7_000), failing(Failing::ALL), &[1]),
        fault(60_000, None, FaultKind::PowerLoss, &[1]),
    ];
    let (story, _) = both(setup, faults);
    assert_snapshot!(story, @r"
    0.000000 n1 boots (0)
    0.000000 n2 boots (0)
    40.000000 n1 sync
    40.010000 n1 safe has failed
    50.000000 n1 sync
    50.010000 n1 safe
    60.000000 n1 dies: PowerLoss, keeps 0 of 1000 B
    ");
}
