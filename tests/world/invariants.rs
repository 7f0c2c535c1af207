//! What a family checks after every input: that it is checked, when, and that it changes nothing.

use crate::toy::*;
use mqsim::engine::Time;
use mqsim::world::fault::FaultKind;
use mqsim::world::{Cluster, Setup, Simulation};

/// n1 takes the crown at 10 ms and lays it down at 30 ms; n2 takes it at 20 ms, 40 ms and 50 ms.
fn kings() -> Setup<Toy> {
    let first = Toy::server()
        .on(On::Boot, [Do::After(ms(10), "take"), Do::After(ms(30), "leave")])
        .on(On::Word("take"), [Do::Crown(true)])
        .on(On::Word("leave"), [Do::Crown(false)]);
    let second = Toy::server()
        .on(
            On::Boot,
            [20, 25, 40, 50].map(|at| Do::After(ms(at), if at == 25 { "leave" } else { "take" })),
        )
        .on(On::Word("take"), [Do::Crown(true), Do::Draw])
        .on(On::Word("leave"), [Do::Crown(false)]);
    setup(vec![first, second], 1)
}

fn run<C: Cluster<Machine = Toy>>(setup: Setup<Toy>) -> Simulation<C, Diary> {
    let mut simulation = Simulation::new(setup, Diary::default()).expect("a sound setup");
    simulation.run().expect("a run that ends");
    simulation
}

/// What was broken.
fn broken<C: Cluster<Machine = Toy>>(simulation: &Simulation<C, Diary>) -> Vec<&str> {
    let lines = simulation.observer().0.iter().map(String::as_str);
    lines.filter(|line| line.contains("breaks")).collect()
}

#[test]
fn a_broken_invariant_is_told_when_it_breaks_and_once() {
    let simulation = run::<Kings>(kings());
    let wanted = [
        "20 ms n2 breaks 0: n1 has the crown, n2 too",
        "50 ms n2 breaks 1: the crown was taken 3 times",
    ];
    assert_eq!(broken(&simulation), wanted);
    assert_eq!(simulation.oracle(), &[(1, false), (3, true)]);
}

#[test]
fn a_death_is_looked_at_as_an_input_is() {
    let mut setup = kings();
    setup.faults = vec![fault(15, None, FaultKind::Crash, &[1])];
    let simulation = run::<Kings>(setup);
    assert_eq!(broken(&simulation), ["50 ms n2 breaks 1: the crown was taken 3 times"]);
}

#[test]
fn checks_change_nothing_and_can_be_switched_off() {
    let checked = run::<Kings>(kings());
    let off = run::<Kings>(Setup { invariants: false, ..kings() });
    let without = run::<Toys>(kings());
    assert!(broken(&off).is_empty() && off.oracle().is_empty());
    assert_eq!(story(&off), story(&checked));
    assert_eq!(off.fingerprint(), checked.fingerprint());
    assert_eq!(without.fingerprint(), checked.fingerprint());
}

#[test]
fn what_is_known_of_the_cluster_is_cloned_with_the_run() {
    let mut simulation = Simulation::<Kings, _>::new(kings(), Diary::default()).expect("sound");
    simulation.run_until(Time::ZERO + ms(45)).expect("it does not run away");
    let mut fork = simulation.clone().with_observer(Diary::default());
    simulation.run().expect("it ends");
    fork.run().expect("it ends");
    assert_eq!(broken(&fork), ["50 ms n2 breaks 1: the crown was taken 3 times"]);
    assert_eq!(fork.oracle(), simulation.oracle());
}
