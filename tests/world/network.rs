//! Connections and links, as the machines at their ends see them.

use crate::toy::*;
use insta::assert_snapshot;
use mqsim::engine::{Chance, Distribution, Span};
use mqsim::observe::NodeId;
use mqsim::world::Setup;
use mqsim::world::fault::{
    Bandwidth, ClientSide, Direction, FaultKind, Latency, LatencyChange, PacketLoss, Partition,
};
use mqsim::world::{Pick, Target};

/// n1 sends words at given times to n2, over a connection that exists from the start.
fn talk(seconds: u64, sends: &[(u64, &'static str)]) -> Setup<Toy> {
    let mut first = Toy::new().quietly().on(On::Boot, [Do::Ready]);
    for (at, word) in sends {
        first = first.on(On::Boot, [Do::After(ms(*at), word)]);
        first = first.on(On::Word(word), [Do::Send(word, 100)]);
    }
    let mut setup = setup(vec![first, Toy::server(), Toy::server()], seconds);
    setup.established = vec![(NodeId(0), NodeId(1))];
    setup
}

fn cut(at: u64, lasts: u64, direction: Direction, rejects: bool) -> mqsim::world::PlannedFault {
    let between = vec![Target::nodes(&[NodeId(0)]), Target::nodes(&[NodeId(1)])];
    let partition = Partition { between, direction, clients: ClientSide::Unaffected, rejects };
    fault(at, Some(lasts), FaultKind::Partition(partition), &[])
}

#[test]
fn a_connection_is_refused_where_nobody_listens_and_where_the_process_is_dead() {
    let client = |to| {
        Toy::new()
            .on(On::Boot, [Do::Ready, Do::After(ms(10), "go")])
            .on(On::Word("go"), [Do::Connect(to), Do::Send("never", 1)])
    };
    let deaf = Toy::new().on(On::Boot, [Do::Ready]);
    let mut setup = setup(vec![client(2), client(3), deaf, Toy::server()], 1);
    setup.faults = vec![fault(5, None, FaultKind::Crash, &[4])];
    assert_snapshot!(run(setup), @r"
    0.000000 n1 boots (0)
    0.000000 n2 boots (0)
    0.000000 n3 boots (0)
    0.000000 n4 boots (0)
    0.005000 n4 dies: Killed
    0.010000 n1 go
    0.010000 n2 go
    0.012000 n1 cannot connect: Refused
    0.012000 n2 cannot connect: Refused
    ");
}

#[test]
fn a_connection_to_a_dark_host_is_tried_for_two_minutes() {
    let client = Toy::new().on(On::Boot, [Do::Ready, Do::After(ms(10), "go")]);
    let client = client.on(On::Word("go"), [Do::Connect(1)]);
    let mut setup = setup(vec![client, Toy::server()], 200);
    setup.faults = vec![fault(5, None, FaultKind::PowerLoss, &[2])];
    assert_snapshot!(run(setup), @r"
    0.000000 n1 boots (0)
    0.000000 n2 boots (0)
    0.005000 n2 dies: PowerLoss
    0.010000 n1 go
    131.010000 n1 cannot connect: TimedOut
    ");
}

#[test]
fn a_connection_comes_about_at_the_first_try_after_a_heal() {
    let client = Toy::new().on(On::Boot, [Do::Ready, Do::After(ms(10), "go")]);
    let client = client.on(On::Word("go"), [Do::Connect(1), Do::Send("hello", 10)]);
    let mut setup = setup(vec![client, Toy::server()], 20);
    setup.faults = vec![cut(5, 4_000, Direction::Both, false)];
    // Tries at 0.01, 1.01, 2.01, 3.01 and 4.01 s.
    assert_snapshot!(run(setup), @r"
    0.000000 n1 boots (0)
    0.000000 n2 boots (0)
    0.010000 n1 go
    4.012000 n1 is connected
    4.013000 n2 accepts n1
    4.013000 n2 gets hello
    ");
}

#[test]
fn a_saturated_link_delivers_its_bandwidth() {
    let sender = Toy::new().on(On::Boot, [Do::Ready, Do::Burst(1_000, "load", 1_000)]);
    let mut setup = setup(vec![sender, Toy::server().quietly()], 10);
    let mut link = plain_link();
    link.bandwidth = 500_000;
    setup.topology.link(0, 0, link);
    setup.established = vec![(NodeId(0), NodeId(1))];
    let mut simulation = mqsim::world::Simulation::<Toys, _>::new(setup, Diary::default()).unwrap();
    // 1 MB at 500 kB/s; the first millisecond is latency.
    simulation.run_until(mqsim::engine::Time::from_nanos(1_001_000_001)).unwrap();
    assert_eq!(simulation.machines()[1].received, 500);
    simulation.run_until(mqsim::engine::Time::from_nanos(2_001_000_000)).unwrap();
    assert_eq!(simulation.machines()[1].received, 999);
    simulation.run_until(mqsim::engine::Time::from_nanos(2_001_000_001)).unwrap();
    assert_eq!(simulation.machines()[1].received, 1_000);
    assert_eq!(simulation.statistics().broker_bytes, 1_000_000);
}

#[test]
fn a_cut_stalls_and_the_retransmission_timer_decides_when_it_goes_on() {
    let mut setup =
        talk(30, &[(50, "before"), (100, "lost"), (900, "behind"), (1_600, "open again")]);
    setup.faults = vec![cut(60, 1_500, Direction::Both, false)];
    // The heal is at 1.56 s. Tries of what was sent at 0.1 s: at 0.304, 0.508, 0.924 and 1.756 s; even
    // what is sent between the heal and that waits for it.
    assert_snapshot!(run(setup), @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.000000 n3 boots (0)
    0.051000 n2 gets before
    1.757000 n2 gets lost
    1.757000 n2 gets behind
    1.757000 n2 gets open again
    ");
}

#[test]
fn after_a_long_cut_it_takes_as_long_again_at_most() {
    let mut setup = talk(100, &[(100, "lost")]);
    setup.faults = vec![cut(60, 26_500, Direction::Both, false)];
    assert_snapshot!(run(setup), @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.000000 n3 boots (0)
    54.429000 n2 gets lost
    ");
}

#[test]
fn what_is_never_acknowledged_is_given_up_after_fifteen_minutes() {
    let mut setup = talk(2_000, &[(0, "lost")]);
    setup.faults = vec![cut(0, 1_500_000, Direction::Both, false)];
    // Fault and boot share an instant; boot comes first, the packet is still on its way.
    assert_snapshot!(run(setup), @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.000000 n3 boots (0)
    934.328000 n1 connection closed: TimedOut
    ");
}

#[test]
fn a_one_way_cut_lets_data_through_until_the_acknowledgements_are_missed() {
    // n2 cannot answer n1: what n1 sends within its first time-out arrives, the rest waits.
    let mut setup = talk(20, &[(100, "arrives"), (250, "arrives too"), (400, "waits")]);
    let mut back = cut(60, 5_000, Direction::Forth, false);
    if let FaultKind::Partition(partition) = &mut back.kind {
        partition.between.reverse();
    }
    setup.faults = vec![back];
    assert_snapshot!(run(setup), @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.000000 n3 boots (0)
    0.101000 n2 gets arrives
    0.251000 n2 gets arrives too
    6.717000 n2 gets waits
    ");
}

#[test]
fn a_rejecting_cut_breaks_a_connection_that_is_used_and_refuses_new_ones() {
    let mut setup = talk(5, &[(100, "rejected")]);
    let first = &mut setup.machines[0];
    *first = first.clone().on(On::Closed, [Do::Connect(1)]);
    setup.faults = vec![cut(60, 1_000, Direction::Both, true)];
    assert_snapshot!(run(setup), @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.000000 n3 boots (0)
    0.102000 n1 connection closed: Reset
    0.104000 n1 cannot connect: Unreachable
    ");
}

#[test]
fn in_a_partial_partition_the_third_sees_both() {
    let hub = Toy::server();
    let spoke = |to: &[u32]| {
        let mut toy = Toy::server().on(On::Boot, [Do::After(ms(100), "go")]);
        for to in to {
            toy = toy.on(On::Word("go"), [Do::Connect(*to), Do::Send("hello", 10)]);
        }
        toy
    };
    let mut setup = setup(vec![spoke(&[1, 2]), spoke(&[2]), hub], 1);
    setup.faults = vec![cut(50, 10_000, Direction::Both, false)];
    assert_snapshot!(run(setup), @r"
    0.000000 n1 boots (0)
    0.000000 n2 boots (0)
    0.000000 n3 boots (0)
    0.100000 n1 go
    0.100000 n2 go
    0.102000 n1 is connected
    0.102000 n2 is connected
    0.103000 n3 accepts n1
    0.103000 n3 gets hello
    0.103000 n3 accepts n2
    0.103000 n3 gets hello
    ");
}

#[test]
fn clients_follow_the_broker_to_which_they_are_connected() {
    let client = |to| {
        let toy = Toy::new().on(On::Boot, [Do::Ready, Do::Connect(to), Do::After(ms(100), "try")]);
        toy.on(On::Word("try"), [Do::Connect(0), Do::Connect(1)])
    };
    let story = |clients| {
        let mut setup = setup(vec![Toy::server(), Toy::server()], 2);
        for (name, to) in [("p1", 0), ("p2", 1)] {
            setup.topology.add(host(name, mqsim::observe::NodeKind::Producer));
            setup.machines.push(client(to));
        }
        let mut fault = cut(50, 10_000, Direction::Both, false);
        if let FaultKind::Partition(partition) = &mut fault.kind {
            partition.clients = clients;
        }
        setup.faults = vec![fault];
        let lines: Vec<String> = run(setup)
            .lines()
            .filter(|line| line.contains("accepts") && !line.starts_with("0.00"))
            .map(str::to_owned)
            .collect();
        lines.join("\n")
    };
    assert_snapshot!(story(ClientSide::Follow), @r"
    0.103000 n1 accepts n3
    0.103000 n2 accepts n4
    ");
    assert_snapshot!(story(ClientSide::Unaffected), @r"
    0.103000 n1 accepts n3
    0.103000 n1 accepts n4
    0.103000 n2 accepts n3
    0.103000 n2 accepts n4
    ");
}

#[test]
fn back_pressure_reaches_the_sender_and_ends() {
    let sender = Toy::new()
        .on(On::Boot, [Do::Ready, Do::Fill("load", 1_000), Do::Room])
        .on(On::Writable, [Do::Room, Do::Send("more", 10)]);
    let receiver = Toy::new()
        .quietly()
        .on(On::Boot, [Do::Ready, Do::Hold(true), Do::After(ms(100), "read")])
        .on(On::Word("read"), [Do::Counters, Do::Hold(false)])
        .on(On::Word("more"), [Do::Counters]);
    let mut setup = setup(vec![sender, receiver], 1);
    setup.topology.socket_buffer = 10_000;
    setup.established = vec![(NodeId(0), NodeId(1))];
    let simulation = simulate(setup);
    assert_snapshot!(story(&simulation), @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n1 room 0
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.100000 n2 read 0 B, wrote 0 B
    0.101000 n1 may write
    0.101000 n1 room 10000
    0.102000 n2 read 10010 B, wrote 0 B
    ");
    assert_eq!(simulation.machines()[1].received, 11);
}

/// What is sent after a long computation takes its place on the wire when its instant comes, but its room at once: else
/// a process that makes up for lost time would find room for ever.
#[test]
fn what_is_sent_late_in_an_input_has_its_room_already() {
    let sender = Toy::new()
        .on(On::Boot, [Do::Ready, Do::Spend(ms(20)), Do::Fill("load", 1_000), Do::Room])
        .on(On::Writable, [Do::Room]);
    let receiver = Toy::new()
        .quietly()
        .on(On::Boot, [Do::Ready, Do::Hold(true), Do::After(ms(100), "read")])
        .on(On::Word("read"), [Do::Counters, Do::Hold(false)]);
    let mut setup = setup(vec![sender, receiver], 1);
    setup.topology.socket_buffer = 10_000;
    setup.established = vec![(NodeId(0), NodeId(1))];
    let simulation = simulate(setup);
    assert_snapshot!(story(&simulation), @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.020000 n1 room 0
    0.100000 n2 read 0 B, wrote 0 B
    0.101000 n1 may write
    0.101000 n1 room 10000
    ");
    assert_eq!(simulation.machines()[1].received, 10);
}

#[test]
fn loss_is_delay_and_nothing_is_missing_or_reordered() {
    let words: Vec<&'static str> =
        (0..200).map(|n| &*Box::leak(format!("{n}").into_boxed_str())).collect();
    let sends: Vec<Do> = words.iter().map(|word| Do::Send(word, 1_000)).collect();
    let sender = Toy::new().on(On::Boot, [Do::Ready]).on(On::Boot, sends);
    let mut setup = setup(vec![sender, Toy::server()], 60);
    let mut link = plain_link();
    link.loss = Chance::from_billionths(50_000_000);
    setup.topology.link(0, 0, link);
    setup.established = vec![(NodeId(0), NodeId(1))];
    let simulation = simulate(setup);
    let got: Vec<&(mqsim::engine::Time, String)> = simulation.machines()[1]
        .trace
        .iter()
        .filter(|(_, text)| text.starts_with("gets"))
        .collect();
    let texts: Vec<&str> = got.iter().map(|(_, text)| &text[5..]).collect();
    assert_eq!(texts, words);
    let first = got[0].0.as_millis();
    let last = got[199].0.as_millis();
    assert_eq!(first, 1, "the first was not lost with this seed");
    // Measured at 5 % and 2 ms: a connection carries 0.62 to 0.99 MB/s. The first ten packets of the
    // 200 kB go at once, and a time-out may hold up the end.
    assert!((187..700).contains(&last), "{last} ms");
}

#[test]
fn faults_of_links_stack_and_are_taken_back() {
    let mut setup = talk(10, &[(100, "a"), (1_100, "b"), (2_100, "c"), (3_100, "d")]);
    let link = Target(vec![Pick::Link(NodeId(0), NodeId(1))]);
    let slower = |at, lasts, change| {
        let kind = FaultKind::Latency(Latency { change, direction: Direction::Both });
        let mut fault = fault(at, Some(lasts), kind, &[]);
        fault.target = link.clone();
        fault
    };
    let add = |millis: u64| LatencyChange::Add(Distribution::Constant(millis * 1_000_000));
    let be = |millis: u64| LatencyChange::Replace(Distribution::Constant(millis * 1_000_000));
    setup.faults = vec![slower(1_000, 1_500, add(10)), slower(2_000, 1_000, be(100))];
    for (index, fault) in setup.faults.iter_mut().enumerate() {
        fault.id = mqsim::observe::FaultId(index as u32);
    }
    let lines = run(setup);
    let gets: Vec<&str> = lines.lines().filter(|line| line.contains("gets")).collect();
    assert_snapshot!(gets.join("\n"), @r"
    0.101000 n2 gets a
    1.111000 n2 gets b
    2.210000 n2 gets c
    3.101000 n2 gets d
    ");
}

#[test]
fn a_narrow_link_and_one_that_loses_everything() {
    let mut setup = talk(20, &[(100, "a"), (1_100, "b")]);
    let link = Target(vec![Pick::Link(NodeId(0), NodeId(1))]);
    let both = Direction::Both;
    let mut narrow =
        fault(50, Some(500), FaultKind::Bandwidth(Bandwidth { rate: 1_000, direction: both }), &[]);
    narrow.target = link.clone();
    let kind = FaultKind::PacketLoss(PacketLoss { chance: Chance::ALWAYS, direction: both });
    let mut lossy = fault(1_000, Some(1_000), kind, &[]);
    lossy.target = link;
    setup.faults = vec![narrow, lossy];
    let lines = run(setup);
    let gets: Vec<&str> = lines.lines().filter(|line| line.contains("gets")).collect();
    // 100 bytes at 1 kB/s take 0.1 s. The other is sent again at 1.30, 1.51, 1.92 and 2.76 s.
    assert_snapshot!(gets.join("\n"), @r"
    0.201000 n2 gets a
    2.757000 n2 gets b
    ");
}

#[test]
fn an_unrelated_client_leaves_the_draws_of_other_links_as_they_were() {
    let random = |extra: bool| {
        let mut setup = talk(5, &[(100, "a"), (1_200, "b"), (2_700, "c")]);
        let mut link = plain_link();
        link.latency = Distribution::lognormal(1_000_000, 5_000_000);
        setup.topology.link(0, 0, link);
        if extra {
            setup.topology.add(host("p9", mqsim::observe::NodeKind::Producer));
            let toy = Toy::new().on(On::Boot, [Do::Ready, Do::Draw, Do::Connect(2)]);
            setup.machines.push(toy.on(On::Connected, [Do::Burst(50, "noise", 10)]));
        }
        let lines = run(setup);
        let of_two = lines.lines().filter(|line| line.contains("n2 gets")).map(str::to_owned);
        of_two.collect::<Vec<_>>()
    };
    let alone = random(false);
    assert_eq!(alone.len(), 3);
    assert_eq!(alone, random(true));
}

#[test]
fn a_late_send_of_a_long_computation_does_not_hold_up_what_comes_before_it() {
    let busy = Toy::new()
        .quietly()
        .on(On::Boot, [Do::Ready, Do::Spawn, Do::Tell(1, "compute"), Do::After(ms(100), "tick")])
        .on(On::Word("compute"), [Do::Spend(Span::from_secs(2)), Do::Send("result", 100)])
        .on(On::Word("tick"), [Do::Send("tick", 10)]);
    let mut setup = setup(vec![busy, Toy::server()], 5);
    setup.established = vec![(NodeId(0), NodeId(1))];
    let lines = run(setup);
    let gets: Vec<&str> = lines.lines().filter(|line| line.contains("gets")).collect();
    assert_snapshot!(gets.join("\n"), @r"
    0.101000 n2 gets tick
    2.001000 n2 gets result
    ");
}

#[test]
fn close_comes_after_the_data_and_abort_at_once() {
    let closer = |last: Do| {
        Toy::new().on(
            On::Boot,
            [Do::Ready, Do::Send("one", 10), Do::Send("two", 10), last, Do::Send("after", 10)],
        )
    };
    for last in [Do::Close, Do::Abort] {
        let mut setup = setup(vec![closer(last.clone()), Toy::server()], 1);
        setup.established = vec![(NodeId(0), NodeId(1))];
        let story = run(setup);
        let how = if matches!(last, Do::Close) { "Finished" } else { "Reset" };
        let seen: Vec<&str> =
            story.lines().filter_map(|line| line.strip_prefix("0.001000 n2 ")).collect();
        assert_eq!(seen, ["gets one", "gets two", &format!("connection closed: {how}")]);
        assert!(!story.contains("n1 connection closed"), "{story}");
    }
}

#[test]
fn what_is_sent_to_a_lane_arrives_there_and_bindings_hold() {
    let receiver = Toy::new().on(On::Boot, [Do::Ready, Do::Spawn, Do::Spawn, Do::Bind(1)]);
    let sender = Toy::new().on(
        On::Boot,
        [
            Do::Ready,
            Do::Send("to the bound lane", 10),
            Do::SendTo(2, "to lane 2", 10),
            Do::SendTo(9, "to nobody", 10),
        ],
    );
    let mut setup = setup(vec![sender, receiver], 1);
    setup.established = vec![(NodeId(0), NodeId(1))];
    assert_snapshot!(run(setup), @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.000000 n2 spawned lane 1
    0.000000 n2 spawned lane 2
    0.001000 n2 gets to the bound lane on lane 1
    0.001000 n2 gets to lane 2 on lane 2
    ");
}

#[test]
fn a_reset_that_a_cut_swallows_leaves_the_other_side_half_open_until_it_sends() {
    let mut setup = talk(20, &[(3_000, "anyone?")]);
    setup.faults =
        vec![cut(50, 1_000, Direction::Both, false), fault(100, Some(500), FaultKind::Crash, &[2])];
    assert_snapshot!(run(setup), @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.000000 n3 boots (0)
    0.100000 n2 dies: Killed
    0.600000 n2 boots (1)
    3.002000 n1 connection closed: Reset
    ");
}

#[test]
fn data_that_a_cut_holds_up_outlives_its_process() {
    let mut setup = talk(20, &[(100, "last words")]);
    setup.faults =
        vec![cut(50, 1_000, Direction::Both, false), fault(300, None, FaultKind::Crash, &[1])];
    assert_snapshot!(run(setup), @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.000000 n3 boots (0)
    0.300000 n1 dies: Killed
    1.757000 n2 gets last words
    1.757000 n2 connection closed: Reset
    ");
    // Without power nobody repeats them.
    let mut setup = talk(20, &[(100, "last words")]);
    setup.faults =
        vec![cut(50, 1_000, Direction::Both, false), fault(300, None, FaultKind::PowerLoss, &[1])];
    assert!(!run(setup.clone()).contains("gets"));
    // Not even what was on the wire, and is lost at the cut, as it goes dark.
    let mut dark = fault(100, Some(300), FaultKind::PowerLoss, &[1]);
    dark.at += Span::from_micros(500);
    setup.faults = vec![cut(50, 1_000, Direction::Both, false), dark];
    let told = run(setup);
    assert!(told.contains("n1 boots (1)") && !told.contains("gets"), "{told}");
}

#[test]
fn what_is_unread_when_a_process_freezes_is_read_when_it_goes_on() {
    let mut setup = talk(5, &[(20, "held"), (40, "held too"), (200, "while frozen")]);
    setup.machines[1] = Toy::server()
        .on(On::Boot, [Do::Hold(true), Do::After(ms(100), "read")])
        .on(On::Word("read"), [Do::Hold(false)]);
    // Frozen just before its timer would have made it read.
    setup.faults = vec![fault(100, Some(400), FaultKind::Pause, &[2])];
    let frozen = run(setup.clone());
    assert_snapshot!(frozen, @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.000000 n3 boots (0)
    0.500000 n2 goes on
    0.500000 n2 read
    0.500000 n2 gets held
    0.500000 n2 gets held too
    0.500000 n2 gets while frozen
    ");
    setup.faults = vec![fault(150, Some(400), FaultKind::Pause, &[2])];
    let later = run(setup);
    assert!(later.contains("0.100000 n2 gets held too"), "{later}");
    assert!(later.contains("0.550000 n2 gets while frozen"), "{later}");
}

#[test]
fn a_frozen_process_keeps_its_connections_and_its_senders_run_out_of_room() {
    let sender = Toy::new()
        .quietly()
        .on(On::Boot, [Do::Ready, Do::After(ms(100), "fill")])
        .on(On::Word("fill"), [Do::Fill("load", 1_000), Do::Room])
        .on(On::Writable, [Do::Room]);
    let mut setup = setup(vec![sender, Toy::server().quietly()], 2_000);
    setup.topology.socket_buffer = 5_000;
    setup.established = vec![(NodeId(0), NodeId(1))];
    setup.faults = vec![fault(50, Some(1_500_000), FaultKind::Pause, &[2])];
    // 25 minutes: its kernel acknowledges, so nothing is given up.
    assert_snapshot!(run(setup), @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.100000 n1 room 0
    1500.050000 n2 goes on
    1500.051000 n1 may write
    1500.051000 n1 room 5000
    ");
}

#[test]
fn a_zero_window_and_a_dead_reader_end_in_a_reset() {
    let sender = Toy::new().quietly().on(On::Boot, [Do::Ready, Do::Fill("load", 1_000)]);
    let reader = Toy::server().on(On::Boot, [Do::Hold(true)]);
    let mut setup = setup(vec![sender, reader], 5);
    setup.topology.socket_buffer = 5_000;
    setup.established = vec![(NodeId(0), NodeId(1))];
    setup.faults = vec![fault(100, None, FaultKind::Crash, &[2])];
    assert_snapshot!(run(setup), @r"
    0.000000 n1 is connected with n2
    0.000000 n1 boots (0)
    0.000000 n2 is connected with n1
    0.000000 n2 boots (0)
    0.100000 n2 dies: Killed
    0.101000 n1 connection closed: Reset
    ");
}
