//! Actions of an operator: who is given the command, and how it ends.

use insta::assert_snapshot;
use mqsim::engine::Time;
use mqsim::observe::{FaultId, NodeId};
use mqsim::world::fault::FaultKind;
use mqsim::world::{PlannedAction, Setup, Simulation, action};

use crate::toy::*;

/// The first action, given at this time to a node, or to whoever is up.
fn action(at: u64, node: Option<u32>) -> PlannedAction {
    let nodes: Vec<NodeId> = node.map(|node| NodeId(node - 1)).into_iter().collect();
    PlannedAction {
        id: FaultId(7),
        at: Time::from_nanos(at * 1_000_000),
        on: mqsim::world::Target::nodes(&nodes),
        text: String::new(),
    }
}

/// What is told of a run: states of nodes, faults and actions.
fn told(setup: Setup<Toy>) -> String {
    let mut simulation =
        Simulation::<Toys, _>::new(setup, Diary::default()).expect("a sound setup");
    simulation.run().expect("a run that ends");
    simulation.observer().0.join("\n")
}

#[test]
fn a_command_is_given_to_a_node_and_ends_when_that_answers() {
    let toy = Toy::new()
        .on(On::Boot, [Do::Ready])
        .on(On::Command, [Do::After(ms(30), "done")])
        .on(On::Word("done"), [Do::Answer(Ok(())), Do::Answer(Err("told twice"))]);
    let mut plan = setup(vec![Toy::new().on(On::Boot, [Do::Ready]), toy], 1);
    plan.actions = vec![action(10, Some(2))];
    assert_snapshot!(told(plan), @r"
    0 ms n1 Booting
    0 ms n2 Booting
    0 ms n1 Up
    0 ms n2 Up
    10 ms fault 7 Begun n2
    40 ms fault 7 Ended n2
    ");
}

#[test]
fn a_command_can_be_refused() {
    let toy =
        Toy::new().on(On::Boot, [Do::Ready]).on(On::Command, [Do::Answer(Err("not_syncing"))]);
    let mut plan = setup(vec![toy], 1);
    plan.actions = vec![action(10, Some(1))];
    assert_snapshot!(told(plan), @r#"
    0 ms n1 Booting
    0 ms n1 Up
    10 ms fault 7 Begun n1
    10 ms fault 7 Failed("not_syncing") n1
    "#);
}

#[test]
fn whoever_is_up_is_given_a_command_that_names_nobody() {
    let toy = || Toy::new().on(On::Boot, [Do::Ready]).on(On::Command, [Do::Answer(Ok(()))]);
    let mut plan = setup(vec![toy(), toy()], 1);
    plan.faults = vec![fault(5, Some(100), FaultKind::Crash, &[1])];
    plan.actions = vec![action(10, None)];
    assert_snapshot!(told(plan), @r"
    0 ms n1 Booting
    0 ms n2 Booting
    0 ms n1 Up
    0 ms n2 Up
    5 ms fault 0 Begun n1
    5 ms n1 Killed
    10 ms fault 7 Begun n2
    10 ms fault 7 Ended n2
    105 ms fault 0 Ended n1
    105 ms n1 Booting
    105 ms n1 Up
    ");
}

#[test]
fn a_node_that_is_down_or_dies_fails_the_command() {
    let toy = || Toy::new().on(On::Boot, [Do::Ready]);
    let mut plan = setup(vec![toy(), toy()], 1);
    plan.faults = vec![
        fault(5, Some(100), FaultKind::Crash, &[1]),
        fault(50, Some(100), FaultKind::Crash, &[2]),
    ];
    plan.actions = vec![action(10, Some(1)), action(20, Some(2))];
    assert_eq!(action::NODE_DOWN, "nodedown");
    assert_snapshot!(told(plan), @r#"
    0 ms n1 Booting
    0 ms n2 Booting
    0 ms n1 Up
    0 ms n2 Up
    5 ms fault 0 Begun n1
    5 ms n1 Killed
    10 ms fault 7 Begun n1
    10 ms fault 7 Failed("nodedown") n1
    20 ms fault 7 Begun n2
    50 ms fault 0 Begun n2
    50 ms n2 Killed
    50 ms fault 7 Failed("nodedown") n2
    105 ms fault 0 Ended n1
    105 ms n1 Booting
    105 ms n1 Up
    150 ms fault 0 Ended n2
    150 ms n2 Booting
    150 ms n2 Up
    "#);
}

#[test]
fn what_comes_when_the_load_is_over_is_not_done() {
    let mut plan = setup(vec![Toy::new().on(On::Boot, [Do::Ready])], 1);
    plan.actions = vec![action(1_500, None)];
    assert_snapshot!(told(plan), @r"
    0 ms n1 Booting
    0 ms n1 Up
    1000 ms fault 7 Skipped
    ");
}
