//! Properties: a run that is cloned at any moment goes on as the original does; what a connection
//! that lives carries arrives whole and in order, whatever happens to the network.

use crate::toy::*;
use mqsim::engine::{Chance, Distribution, Time};
use mqsim::observe::NodeId;
use mqsim::world::fault::{
    Bandwidth, ClientSide, Direction, FaultKind, PacketLoss, Partition, SlowDisk,
};
use mqsim::world::{Setup, Simulation, Target};
use proptest::prelude::*;

/// Three brokers that talk to each other all the time, write, and suffer.
fn busy(seed: u64, faults: &[(u64, u64, u8, u32)]) -> Setup<Toy> {
    let toy = || {
        Toy::server()
            .quietly()
            .on(On::Boot, [Do::After(ms(3), "tick"), Do::After(ms(5), "store"), Do::Connect(0)])
            .on(
                On::Word("tick"),
                [Do::Spend(ms(1)), Do::Send("work", 3_000), Do::After(ms(3), "tick")],
            )
            .on(On::Word("work"), [Do::Spend(ms(1)), Do::Draw, Do::Send("answer", 50)])
            .on(
                On::Word("store"),
                [
                    Do::Write(700),
                    Do::FsyncBlocking("stored"),
                    Do::WhenIdle("idle"),
                    Do::After(ms(7), "store"),
                ],
            )
            .on(On::Closed, [Do::Connect(1)])
            .on(On::Failed, [Do::After(ms(50), "again")])
            .on(On::Word("again"), [Do::Connect(2)])
            .on(On::Stop, [Do::Exit])
            .on(On::LoadEnded, [Do::Observe])
    };
    let mut setup = setup(vec![toy(), toy(), toy()], 2);
    setup.seed = seed;
    let mut link = plain_link();
    link.latency = Distribution::lognormal(300_000, 2_000_000);
    link.bandwidth = 10_000_000;
    link.loss = Chance::from_billionths(5_000_000);
    setup.topology.link(0, 0, link);
    setup.established = vec![(NodeId(0), NodeId(1)), (NodeId(1), NodeId(2))];
    setup.drain = ms(500);
    for (at, lasts, kind, node) in faults {
        let kind = match kind {
            0 => FaultKind::Crash,
            1 => FaultKind::PowerLoss,
            2 => FaultKind::Pause,
            3 => FaultKind::Stop,
            4 => FaultKind::WipeDisk,
            5 => FaultKind::Restart,
            6 => FaultKind::SlowDisk(SlowDisk { factor: 3 }),
            way => FaultKind::Partition(Partition {
                between: vec![Target::nodes(&[NodeId(node - 1)])],
                direction: if *way == 7 { Direction::Both } else { Direction::Forth },
                clients: ClientSide::Follow,
                rejects: *way == 9,
            }),
        };
        setup.faults.push(fault(*at, Some(*lasts), kind, &[*node]));
    }
    setup
}

type Run = Simulation<Toys, Diary>;

fn end(mut simulation: Run) -> ([(&'static str, u64); 5], String, Vec<String>, String) {
    let ending = simulation.run().expect("a run that ends");
    let ending = format!("{ending:?} {:?}", simulation.statistics());
    let told = simulation.observer().0.clone();
    (simulation.fingerprint().ingredients(), story(&simulation), told, ending)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_fork_at_any_moment_runs_on_alike(
        seed in any::<u64>(),
        fork_at in 0u64..2_600_000_000,
        faults in prop::collection::vec((0u64..2_000, 1u64..900, 0u8..10, 1u32..=3), 0..6),
    ) {
        let whole = end(Run::new(busy(seed, &faults), Diary::default()).unwrap());
        let mut forked = Run::new(busy(seed, &faults), Diary::default()).unwrap();
        forked.run_until(Time::from_nanos(fork_at)).unwrap();
        let copy = forked.clone();
        prop_assert_eq!(&end(forked), &whole);
        prop_assert_eq!(&end(copy), &whole);
    }
}

/// Numbers as words, made once.
fn words() -> &'static [&'static str] {
    static WORDS: std::sync::OnceLock<Vec<&'static str>> = std::sync::OnceLock::new();
    let word = |n: u32| &*Box::leak(n.to_string().into_boxed_str());
    WORDS.get_or_init(|| (0..300).map(word).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_connection_that_lives_loses_and_reorders_nothing(
        seed in any::<u64>(),
        faults in prop::collection::vec((0u64..3_000, 1u64..2_000, 0u8..6, 1u32..=2), 0..6),
        holds in prop::collection::vec(0u64..3_000, 0..4),
    ) {
        let mut sender = Toy::server().quietly();
        let mut receiver = Toy::server()
            .on(On::Word("hold"), [Do::Hold(true), Do::After(ms(300), "read")])
            .on(On::Word("read"), [Do::Hold(false)]);
        for (n, word) in words().iter().enumerate() {
            sender = sender
                .on(On::Boot, [Do::After(ms(10 * n as u64), word)])
                .on(On::Word(word), [Do::Send(word, 2_000)]);
        }
        for at in holds {
            receiver = receiver.on(On::Boot, [Do::After(ms(at), "hold")]);
        }
        let mut setup = busy(seed, &[]);
        setup.machines = vec![sender, receiver, Toy::server()];
        setup.established = vec![(NodeId(0), NodeId(1))];
        setup.duration = ms(300_000);
        let both = Direction::Both;
        for (at, lasts, kind, node) in faults {
            let one_way = |forth: bool| FaultKind::Partition(Partition {
                between: vec![Target::nodes(&[NodeId(node - 1)])],
                direction: if forth { Direction::Forth } else { both },
                clients: ClientSide::Follow,
                rejects: false,
            });
            let kind = match kind {
                0 => FaultKind::Pause,
                1 => FaultKind::PacketLoss(PacketLoss { chance: Chance::ALWAYS, direction: both }),
                2 => FaultKind::Bandwidth(Bandwidth { rate: 100_000, direction: both }),
                3 => FaultKind::PacketLoss(PacketLoss {
                    chance: Chance::from_billionths(300_000_000),
                    direction: Direction::Forth,
                }),
                way => one_way(way == 4),
            };
            setup.faults.push(fault(at, Some(lasts), kind, &[node]));
        }
        let simulation = simulate(setup);
        let trace = &simulation.machines()[1].trace;
        let got: Vec<&str> = trace.iter().filter_map(|(_, text)| text.strip_prefix("gets ")).collect();
        prop_assert_eq!(got, words());
    }
}

#[test]
fn the_busy_run_is_busy() {
    let simulation = simulate(busy(7, &[(500, 300, 1, 2)]));
    assert!(simulation.statistics().events > 5_000, "{:?}", simulation.statistics());
    assert!(simulation.machines().iter().all(|toy| toy.received > 100));
}
