//! What is drawn, and what is refused.

use super::*;
use crate::engine::Stream;
use crate::engine::Time;
use crate::observe::{NodeId, NodeKind};
use crate::scenario::{Diagnostics, Document, Tagged};
use crate::world::fault::{Direction, FAULT, PlannedFault, Vocabulary};
use crate::world::{Argument, ClusterPlan, SelectorSpec, Topology, plan};

const ROLES: &[SelectorSpec] =
    &[SelectorSpec { name: "leader", arguments: &[Argument::Destination], meaning: "The leader." }];

/// A scenario of 100 s with five brokers.
fn read(body: &str) -> Result<(Topology, Option<Nemesis>), Diagnostics> {
    let head = "format = 1\nname = 'x'\nmode = 'toy'\nduration = '100s'\n[cluster]\nnodes = 5\n";
    let document = Document::parse("test.toml", format!("{head}{body}"))?;
    let mut sections = plan::SECTIONS.to_vec();
    sections.extend([&FAULT, &NEMESIS, &NEMESIS_FAULT]);
    let scenario = document.check(&sections, None)?;
    let mut cluster = ClusterPlan::new(&scenario)?;
    cluster.add_coordinator("keeper");
    cluster.add_client("p1", NodeKind::Producer);
    let destinations = ["orders".to_owned()];
    let words = Vocabulary {
        topology: &cluster.topology,
        destinations: &destinations,
        roles: ROLES,
        refused: &[],
    };
    let nemesis = parse(&scenario, &words)?;
    Ok((cluster.topology.clone(), nemesis))
}

fn draw(body: &str, seed: u64) -> Vec<PlannedFault> {
    let (topology, nemesis) = read(body).unwrap_or_else(|wrong| panic!("{wrong}"));
    nemesis.expect("there is a nemesis").draw(seed, &topology, 0)
}

fn told(faults: &[PlannedFault]) -> String {
    let line = |fault: &PlannedFault| {
        let lasts = fault.lasts.map_or(String::new(), |lasts| format!(" for {lasts}"));
        format!("{} {}{lasts}\n", fault.at, fault.text)
    };
    faults.iter().map(line).collect()
}

fn end(fault: &PlannedFault) -> Time {
    fault.at + fault.lasts.unwrap_or(Span::ZERO)
}

const MIX: &str = "
    [nemesis]
    from = '5s'
    every = { distribution = 'exponential', mean = '4s' }
    [[nemesis.fault]]
    kind = 'crash'
    weight = 3
    [[nemesis.fault]]
    kind = 'partition'
    shapes = ['one', 'one-way', 'majorities-ring']
    for = '2s'
    [[nemesis.fault]]
    kind = 'latency'
    add = '10ms'
    targets = ['leader(orders)', 'link(n1, n2)', 'n4,random']
    for = { distribution = 'exponential', mean = '3s' }
    for-min = '1s'
    for-max = '5s'
    [[nemesis.fault]]
    kind = 'restart'
";

#[test]
fn a_schedule_reads_as_a_story() {
    insta::assert_snapshot!(told(&draw(MIX, 3)));
}

#[test]
fn what_is_drawn_depends_on_the_seed_alone() {
    let more = format!("{MIX}\n[[fault]]\nat = '1s'\nkind = 'stop'\ntarget = 'n1'\n");
    for seed in 0..50 {
        assert_eq!(draw(MIX, seed), draw(MIX, seed));
        assert_eq!(draw(MIX, seed), draw(&more, seed), "another fault shifts nothing");
    }
    assert_ne!(told(&draw(MIX, 1)), told(&draw(MIX, 2)));
}

#[test]
fn faults_keep_to_their_bounds() {
    let window = Time::from_nanos(5_000_000_000)..=Time::from_nanos(75_000_000_000);
    for seed in 0..300 {
        let faults = draw(MIX, seed);
        let mut free = Time::ZERO;
        for (index, fault) in faults.iter().enumerate() {
            assert_eq!(fault.id.index(), index);
            assert!(window.contains(&fault.at) && window.contains(&end(fault)), "{fault:?}");
            let together = faults.get(index.wrapping_sub(1)).is_some_and(|f| f.at == fault.at);
            assert!(fault.at >= free || together, "one at a time");
            free = end(fault);
            if fault.text.starts_with("latency") {
                let lasts = fault.lasts.expect("it ends");
                assert!(lasts >= Span::from_secs(1) && lasts <= Span::from_secs(5));
            }
        }
    }
}

#[test]
fn as_many_at_once_as_allowed() {
    let body = "
        [nemesis]
        every = '1s'
        at-most = 3
        [[nemesis.fault]]
        kind = 'crash'
        for = '5s'
    ";
    let faults = draw(body, 1);
    let at = |time: Time| faults.iter().filter(|f| f.at <= time && time < end(f)).count();
    let most = faults.iter().map(|fault| at(fault.at)).max();
    assert_eq!(most, Some(3));
    assert!(faults.len() > 30, "three at a time, five seconds each, in 75 s: {}", faults.len());
}

#[test]
fn a_swarm_leaves_some_out_but_never_all() {
    let body = MIX.replace("from = '5s'", "swarm = true");
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let faults = draw(&body, seed);
        assert!(!faults.is_empty());
        let kinds = faults.iter().filter_map(|fault| fault.text.split(' ').next());
        let kinds: std::collections::BTreeSet<String> = kinds.map(str::to_owned).collect();
        seen.insert(kinds);
    }
    assert_eq!(seen.len(), 15, "every subset but the empty one: {seen:?}");
}

/// The oracle's "all nodes within 1 s, all return".
#[test]
fn all_within_a_second() {
    let body = "
        [nemesis]
        [[nemesis.fault]]
        kind = 'crash'
        targets = 'all'
        spread = '1s'
        for = { distribution = 'uniform', min = '2s', max = '6s' }
    ";
    let faults = draw(body, 4);
    for attack in faults.chunks(5) {
        let mut nodes: Vec<&str> = attack.iter().map(|fault| &*fault.text).collect();
        nodes.sort_unstable();
        assert_eq!(nodes, ["crash n1", "crash n2", "crash n3", "crash n4", "crash n5"]);
        let (first, last) = (attack[0].at, attack[4].at);
        assert!(last.since(first) <= Span::from_secs(1) && last > first);
        let ends: std::collections::BTreeSet<Time> = attack.iter().map(end).collect();
        assert!(ends.len() > 1, "each returns at its own time");
    }
}

#[test]
fn those_that_wait_have_turns() {
    let body = MIX.replace("from = '5s'", "when = 'in-sync'");
    let faults = draw(&body, 3);
    let turns: Vec<u32> = faults.iter().map(|f| f.waits.expect("all wait").turn).collect();
    assert!(turns.is_sorted() && turns.first() == Some(&0));
    assert!(faults.iter().all(|fault| fault.at.as_nanos() % 1_000_000 > 0), "odd instants");
}

#[test]
fn in_a_ring_everybody_sees_a_majority() {
    for count in 3..9_usize {
        let brokers: Vec<NodeId> = (0..count as u32).map(NodeId).collect();
        for seed in 0..20 {
            let cuts = Shape::MajoritiesRing.draw(&brokers, &mut Stream::fixed(seed, "ring"));
            let mut views = std::collections::BTreeSet::new();
            for me in &brokers {
                let heard = brokers.iter().filter(|other| {
                    !cuts.iter().any(|cut| {
                        let [from, to] = &cut.sides;
                        let forth = from.contains(other) && to.contains(me);
                        let back = from.contains(me) && to.contains(other);
                        forth || (back && cut.direction == Some(Direction::Both))
                    })
                });
                let heard: Vec<NodeId> = heard.copied().collect();
                assert_eq!(heard.len(), count / 2 + 1);
                views.insert(heard);
            }
            assert_eq!(views.len(), count, "no two see the same");
        }
    }
}

#[test]
fn every_kind_of_fault_can_be_drawn() {
    let names = |kinds: &Tagged| kinds.variants.iter().map(|kind| kind.name).collect::<Vec<_>>();
    assert_eq!(names(&DRAWN), names(&super::super::KINDS));
    for kind in super::super::KINDS.variants {
        assert_eq!(kind.keys.first().map(|key| key.name), Some("target"), "{}", kind.name);
    }
}

#[test]
fn without_the_section_there_is_none() {
    assert_eq!(read("").unwrap().1, None);
}

#[test]
fn mistakes_are_told_with_what_would_be_right() {
    let mut told = String::new();
    for body in [
        "[nemesis]",
        "[[nemesis.fault]]\nkind = 'crahs'",
        "[[nemesis.fault]]\nkind = 'crash'\ntarget = 'n1'",
        "[[nemesis.fault]]\nkind = 'crash'\nat = '5s'",
        "[[nemesis.fault]]\nkind = 'crash'\ntargets = ['n1', 'n9']",
        "[[nemesis.fault]]\nkind = 'crash'\ntargets = 'link(n1, n2)'",
        "[[nemesis.fault]]\nkind = 'restart'\nfor-min = '1s'",
        "[[nemesis.fault]]\nkind = 'crash'\nfor-min = '2s'\nfor-max = '1s'",
        "[[nemesis.fault]]\nkind = 'crash'\nshapes = 'one'",
        "[[nemesis.fault]]\nkind = 'partition'\nshapes = ['halfs']",
        "[[nemesis.fault]]\nkind = 'partition'\nshapes = ['one']\ntargets = 'n1'",
        "[[nemesis.fault]]\nkind = 'partition'\nspread = '1s'",
        "[nemesis]\nuntil = '200s'\n[[nemesis.fault]]\nkind = 'crash'",
        "[nemesis]\nfrom = '80s'\n[[nemesis.fault]]\nkind = 'crash'",
        "[nemesis]\nevery = '1ms'\n[[nemesis.fault]]\nkind = 'crash'",
        "[nemesis]\nwhen = 'in-sync'\nat-most = 2\n[[nemesis.fault]]\nkind = 'crash'",
        "[nemesis]\nrate = '1/s'\n[[nemesis.fault]]\nkind = 'crash'",
    ] {
        let wrong = read(body).expect_err(body);
        told.push_str(&format!("=== {}\n", body.replace('\n', "; ")));
        for one in wrong.iter() {
            told.push_str(&format!("{}: {}\n", one.message, one.help));
        }
    }
    insta::assert_snapshot!(told);
}

/// The hosts of all sides of what is drawn, for a partition with these keys.
fn parted(keys: &str) -> Vec<Vec<NodeId>> {
    let body = format!("[nemesis]\n[[nemesis.fault]]\nkind = 'partition'\n{keys}");
    let hosts = |fault: &PlannedFault| {
        let mut named = fault.named();
        named.sort_unstable();
        named
    };
    (0..20).flat_map(|seed| draw(&body, seed)).map(|fault| hosts(&fault)).collect()
}

#[test]
fn shapes_part_those_hosts_that_are_named() {
    let all = |from, until| (from..until).map(NodeId).collect::<Vec<_>>();
    for (keys, expected) in [
        ("", all(0, 5)),
        ("among = ['coordinators', 'clients']", all(5, 7)),
        ("among = ['brokers', 'coordinators', 'clients']", all(0, 7)),
    ] {
        let parted = parted(keys);
        assert!(parted.len() > 50, "{}", parted.len());
        assert!(parted.iter().all(|hosts| *hosts == expected), "{keys}: {parted:?}");
    }
    let one = "[nemesis]\n[[nemesis.fault]]\nkind = 'partition'\namong = ['clients']\n";
    let wrong = read(one).expect_err("one client cannot be parted").to_string();
    assert!(wrong.contains("a single host cannot be parted"), "{wrong}");
}
