//! Connections that are reset once.

use insta::assert_snapshot;
use mqsim::engine::Span;
use mqsim::observe::NodeId;
use mqsim::world::fault::{ClientSide, Direction, FaultKind, Partition};
use mqsim::world::{Pick, PlannedFault, Setup, Target};

use crate::faults;
use crate::toy::*;

/// n2 connects to n1, sends a word at 100 ms and one at 200 ms, and connects again when it is told
/// that the connection has ended.
fn talk() -> Setup<Toy> {
    let client = Toy::new()
        .on(On::Boot, [Do::Connect(0), Do::Ready])
        .on(On::Boot, [Do::After(ms(100), "send"), Do::After(ms(200), "send")])
        .on(On::Word("send"), [Do::Send("hello", 10)])
        .on(On::Closed, [Do::Connect(0)]);
    setup(vec![Toy::server(), client, Toy::server()], 2)
}

/// A reset of what the target means, at 100.5 ms, while a word is under way.
fn reset(target: Target) -> PlannedFault {
    let mut fault = fault(100, None, FaultKind::Reset, &[]);
    fault.at += Span::from_micros(500);
    fault.target = target;
    fault
}

fn story(schedule: Vec<PlannedFault>) -> String {
    faults::both(talk(), schedule).0
}

#[test]
fn both_ends_see_it_at_once_and_connect_again() {
    let link = Target(vec![Pick::Link(NodeId(0), NodeId(1))]);
    let by_link = story(vec![reset(link)]);
    assert_snapshot!(by_link, @r"
    0.000000 n1 boots (0)
    0.000000 n2 boots (0)
    0.000000 n3 boots (0)
    0.002000 n2 is connected
    0.003000 n1 accepts n2
    0.100000 n2 send
    0.100500 n1 connection closed: Reset
    0.100500 n2 connection closed: Reset
    0.102500 n2 is connected
    0.103500 n1 accepts n2
    0.200000 n2 send
    0.201000 n1 gets hello
    ");
    assert_eq!(story(vec![reset(Target::nodes(&[NodeId(1)]))]), by_link);
}

#[test]
fn another_link_is_not_met() {
    let link = Target(vec![Pick::Link(NodeId(1), NodeId(2))]);
    assert_eq!(story(vec![reset(link)]), story(Vec::new()));
}

#[test]
fn it_comes_although_no_packet_gets_through() {
    let cut = Partition {
        between: vec![Target::nodes(&[NodeId(0)]), Target::nodes(&[NodeId(1)])],
        direction: Direction::Both,
        clients: ClientSide::Unaffected,
        rejects: false,
    };
    let cut = fault(50, Some(300), FaultKind::Partition(cut), &[]);
    assert_snapshot!(story(vec![cut, reset(Target::nodes(&[NodeId(0)]))]), @r"
    0.000000 n1 boots (0)
    0.000000 n2 boots (0)
    0.000000 n3 boots (0)
    0.002000 n2 is connected
    0.003000 n1 accepts n2
    0.100000 n2 send
    0.100500 n1 connection closed: Reset
    0.100500 n2 connection closed: Reset
    0.200000 n2 send
    1.102500 n2 is connected
    1.103500 n1 accepts n2
    1.103500 n1 gets hello
    ");
}
