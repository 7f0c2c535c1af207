//! From the text of a scenario to the cluster and the schedule of faults.

use insta::assert_snapshot;
use mqsim::engine::{Chance, Distribution, Span, Time};
use mqsim::observe::{DestinationId, NodeId, NodeKind};
use mqsim::scenario::{Diagnostics, Document};
use mqsim::world::fault::{
    Bandwidth, ClientSide, ClockSkew, Direction, FAULT, Failing, FaultKind, KINDS, Latency,
    LatencyChange, PacketLoss, SlowDisk, Vocabulary, parse_all,
};
use mqsim::world::{
    Argument, CardSpec, ClusterPlan, Host, PageCacheSpec, Pick, PlannedFault, RoleQuery,
    SelectorSpec, Target, plan,
};

const ROLES: &[SelectorSpec] = &[
    SelectorSpec { name: "leader", arguments: &[Argument::Destination], meaning: "The leader." },
    SelectorSpec {
        name: "mirror",
        arguments: &[Argument::Destination, Argument::Number],
        meaning: "A mirror.",
    },
    SelectorSpec { name: "controller", arguments: &[], meaning: "The controller." },
];

const HEAD: &str = "format = 1\nname = \"test\"\nmode = \"toy\"\nduration = \"10s\"\n";

fn read(body: &str) -> Result<(ClusterPlan, Vec<PlannedFault>), Diagnostics> {
    let document = Document::parse("test.toml", format!("{HEAD}{body}"))?;
    let mut sections = plan::SECTIONS.to_vec();
    sections.push(&FAULT);
    let scenario = document.check(&sections, None)?;
    let mut cluster = ClusterPlan::new(&scenario)?;
    cluster.add_client("p1", NodeKind::Producer);
    cluster.add_client("c1", NodeKind::Consumer);
    let destinations = ["orders".to_owned(), "payments".to_owned()];
    let words = Vocabulary {
        topology: &cluster.topology,
        destinations: &destinations,
        roles: ROLES,
        refused: &[],
    };
    let faults = parse_all(scenario.many("fault"), Some(scenario.settings().duration), &words)?;
    Ok((cluster, faults))
}

fn one(body: &str) -> PlannedFault {
    let (_, mut faults) = read(&format!("[[fault]]\nat = \"6s\"\n{body}")).unwrap();
    faults.remove(0)
}

/// What is wrong, without the lines of the file.
fn wrong(body: &str) -> String {
    let diagnostics = read(body).expect_err("something is wrong");
    let lines = diagnostics.iter().map(|one| format!("{}: {}", one.message, one.help));
    lines.collect::<Vec<_>>().join("\n")
}

fn wrong_fault(body: &str) -> String {
    wrong(&format!("[[fault]]\nat = \"6s\"\n{body}"))
}

#[test]
fn nothing_written_is_three_nodes_of_the_lab() {
    let (cluster, faults) = read("").unwrap();
    assert!(faults.is_empty());
    let names: Vec<&str> = cluster.topology.hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["n1", "n2", "n3", "p1", "c1"]);
    let disk = &cluster.topology.hosts[0].disk;
    assert_eq!(disk.fsync, Distribution::lognormal(210_000, 1_200_000));
    assert_eq!((disk.bandwidth, disk.capacity), (500_000_000, 100_000_000_000));
    assert_eq!(disk.write_back_age, Span::from_secs(30));
    assert_eq!(cluster.topology.hosts[0].cpu.cores, 2);
    let clients = cluster.topology.hosts[3].zone;
    let link = cluster.topology.between(clients, 0).unwrap();
    assert_eq!(link.latency, Distribution::lognormal(50_000, 200_000));
    assert_eq!(cluster.topology.check(), Ok(()));
}

#[test]
fn what_is_written_overrides_the_hardware() {
    let (cluster, _) = read(
        r#"
        [cluster]
        boot-time = "6s"
        [cluster.network]
        latency = "100us"
        zone-latency = "1ms"
        bandwidth = "1MB/s"
        loss = "0.1%"
        socket-buffer = "64KiB"
        [cluster.disk]
        fsync = { distribution = "uniform", min = "1ms", max = "2ms" }
        capacity = "1GB"
        [cluster.cpu]
        cores = 8
        speed = 50
        [[cluster.node]]
        name = "east"
        zone = "x"
        [[cluster.node]]
        name = "west"
        zone = "y"
        "#,
    )
    .unwrap();
    let topology = &cluster.topology;
    assert_eq!(cluster.boot_time, Distribution::Constant(6_000_000_000));
    assert_eq!(topology.zones, ["x", "y", "clients"]);
    assert_eq!(topology.socket_buffer, 64 << 10);
    let latency = |from, to| topology.between(from, to).unwrap().latency.clone();
    assert_eq!(latency(0, 0), Distribution::Constant(100_000));
    assert_eq!(latency(0, 1), Distribution::Constant(1_000_000));
    assert_eq!(latency(2, 1), Distribution::Constant(100_000));
    assert_eq!(topology.between(0, 1).unwrap().bandwidth, 0);
    assert_eq!(topology.between(0, 1).unwrap().loss, Chance::from_billionths(1_000_000));
    let host = &topology.hosts[1];
    assert_eq!((host.name.as_str(), host.zone, host.kind), ("west", 1, NodeKind::Broker));
    assert_eq!(host.disk.fsync, Distribution::Uniform { low: 1_000_000, high: 2_000_000 });
    assert_eq!(host.disk.bandwidth, 500_000_000);
    assert_eq!((host.cpu.cores, host.cpu.percent), (8, 50));
    assert_eq!(host.card, CardSpec::of(1_000_000));
    // Three quarters of the memory hold what is in files.
    let bytes = cluster.memory[1] / 4 * 3;
    assert_eq!(host.disk.cache, PageCacheSpec { bytes, background: 10, limit: 20 });
}

#[test]
fn hardware_names_disks_and_cards() {
    let (cluster, _) = read(
        r#"
        [cluster]
        hardware = "hdd-1gbe"
        memory = "8GiB"
        [cluster.disk]
        dirty-ratio = 40
        [[cluster.node]]
        name = "slow"
        [[cluster.node]]
        name = "fast"
        hardware = "nvme-10gbe"
        [[cluster.node]]
        name = "small"
        memory = "1GiB"
        "#,
    )
    .unwrap();
    let [slow, fast, small, client, _] = &cluster.topology.hosts[..] else { panic!("five hosts") };
    // 1,448 of 1,538 bytes of a packet are payload.
    assert_eq!((slow.card.inwards, slow.card.outwards), (117_684_752, 117_684_752));
    assert_eq!((fast.card.inwards, client.card), (1_176_851_864, slow.card));
    let figures = |host: &Host| (host.disk.bandwidth / 1_000_000, host.disk.seek.as_micros());
    assert_eq!((figures(slow), figures(fast)), ((175, 12_660), (2_000, 20)));
    let cache = |host: &Host| (host.disk.cache.bytes >> 20, host.disk.cache.limit);
    assert_eq!((cache(slow), cache(fast), cache(small)), ((6 << 10, 40), (6 << 10, 40), (768, 40)));
    let (own, _) = read("[cluster.disk]\npage-cache = '1GiB'\nseek = '1ms'").unwrap();
    assert_eq!(figures(&own.topology.hosts[0]), (500, 1_000));
    assert_eq!(cache(&own.topology.hosts[0]), (1 << 10, 20));
}

#[test]
fn a_cluster_that_contradicts_itself_is_refused() {
    assert_snapshot!(
        wrong("[cluster]\nnodes = 2\n[[cluster.node]]\nname = \"a\"\nzone = \"clients\""),
        @r"
    `nodes` and [[cluster.node]] contradict each other: leave one of the two away
    the zone `clients` is that of the clients: give the zone another name
    "
    );
    assert_snapshot!(wrong("[cluster]\nnodes = 65"), @"`nodes` = 65 is out of range: write a whole number: 1 to 64");
    assert_snapshot!(wrong("[cluster]\nhardware = \"lab-wm\""), @r#"`hardware` = "lab-wm" is not known: did you mean `lab-vm`?"#);
}

#[test]
fn every_kind_of_fault_is_read() {
    let fault = one("for = \"10s\"\nkind = \"crash\"\ntarget = \"leader(payments)\"");
    let query = RoleQuery { selector: 0, destination: DestinationId(1), nth: 1 };
    assert_eq!(fault.at, Time::from_nanos(6_000_000_000));
    assert_eq!(fault.lasts, Some(Span::from_secs(10)));
    assert_eq!((fault.kind, fault.target), (FaultKind::Crash, Target(vec![Pick::Role(query)])));
    assert_eq!(fault.text, "crash leader(payments)");

    let simple = [
        ("stop", FaultKind::Stop),
        ("power-loss", FaultKind::PowerLoss),
        ("pause", FaultKind::Pause),
        ("restart", FaultKind::Restart),
        ("reset", FaultKind::Reset),
        ("slow-disk", FaultKind::SlowDisk(SlowDisk { factor: 10 })),
        ("disk-stall", FaultKind::DiskStall),
        ("disk-full", FaultKind::DiskFull),
        ("disk-error", FaultKind::DiskError(Failing::ALL)),
        ("wipe-disk", FaultKind::WipeDisk),
    ];
    for (name, kind) in simple {
        assert_eq!(one(&format!("kind = \"{name}\"\ntarget = \"n2\"")).kind, kind);
    }
    let both = Direction::Both;
    let fault = one("kind = \"latency\"\ntarget = \"link(n1, n3)\"\nadd = \"5ms\"");
    let change = LatencyChange::Add(Distribution::Constant(5_000_000));
    assert_eq!(fault.kind, FaultKind::Latency(Latency { change, direction: both }));
    assert_eq!(fault.target, Target(vec![Pick::Link(NodeId(0), NodeId(2))]));
    let fault = one("kind = \"packet-loss\"\ntarget = \"n1\"\nchance = \"5%\"");
    let chance = Chance::from_billionths(50_000_000);
    assert_eq!(fault.kind, FaultKind::PacketLoss(PacketLoss { chance, direction: both }));
    let fault =
        one("kind = \"bandwidth\"\ntarget = \"n1\"\nrate = \"1MB/s\"\ndirection = \"forth\"");
    assert_eq!(
        fault.kind,
        FaultKind::Bandwidth(Bandwidth { rate: 1_000_000, direction: Direction::Forth })
    );
    let fault = one("kind = \"disk-error\"\ntarget = \"n1\"\noperations = [\"fsync\"]");
    let fsyncs = Failing { writes: false, fsyncs: true, reads: false };
    assert_eq!(fault.kind, FaultKind::DiskError(fsyncs));
    let fault =
        one("kind = \"clock-skew\"\ntarget = \"n1\"\noffset = \"-1.5s\"\ndrift = \"-0.02%\"");
    assert_eq!(
        fault.kind,
        FaultKind::ClockSkew(ClockSkew { offset: -1_500_000_000, drift: -200_000 })
    );
    let fault = one("kind = \"clock-skew\"\ntarget = \"producer(p1)\"\ndrift = \"50ppm\"");
    assert_eq!(fault.kind, FaultKind::ClockSkew(ClockSkew { offset: 0, drift: 50_000 }));
}

#[test]
fn partitions_name_sides_or_a_target() {
    let fault =
        one("kind = \"partition\"\nbetween = [\"n1\", \"n2,n3\"]\nclients = \"unaffected\"\n\
         how = \"reject\"");
    let FaultKind::Partition(partition) = fault.kind else { panic!("{:?}", fault.kind) };
    let sides = [Target::nodes(&[NodeId(0)]), Target::nodes(&[NodeId(1), NodeId(2)])];
    assert_eq!(partition.between, sides);
    assert_eq!(partition.clients, ClientSide::Unaffected);
    assert!(partition.rejects);
    assert_eq!(fault.text, "partition n1 | n2,n3");
    let fault = one("kind = \"partition\"\ntarget = \"minority\"");
    assert_eq!(fault.target, Target(vec![Pick::Minority]));
}

#[test]
fn every_selector_is_read() {
    let target = |text: &str| one(&format!("kind = \"pause\"\ntarget = \"{text}\"")).target.0;
    assert_eq!(target("all,random"), [Pick::All, Pick::Random]);
    assert_eq!(target("zone(a)"), [Pick::Zone(0)]);
    assert_eq!(target("producer(p1), consumer(c1)"), [3, 4].map(|n| Pick::Node(NodeId(n))));
    let role = |selector, nth| RoleQuery { selector, destination: DestinationId(0), nth };
    assert_eq!(target("mirror(orders, 2)"), [Pick::Role(role(1, 2))]);
    assert_eq!(target("controller"), [Pick::Role(role(2, 1))]);
}

#[test]
fn wrong_selectors_name_the_nearest_right_one() {
    let wrong = |text: &str| wrong_fault(&format!("kind = \"crash\"\ntarget = \"{text}\""));
    let all = [
        "n4",
        "leder(orders)",
        "leader(order)",
        "leader",
        "all(n1)",
        "mirror(orders)",
        "mirror(orders, 0)",
        "zone(b)",
        "producer(c1)",
        "link(n1, n2)",
        "n1,nobody,leader(x)",
    ];
    let all: Vec<String> = all.iter().map(|text| format!("{text} => {}", wrong(text))).collect();
    assert_snapshot!(all.join("\n"), @r#"
    n4 => there is no node or selector `n4`: the nodes and selectors are n1, n2, n3, p1, c1, all, random, minority, zone, link, producer, consumer, leader, mirror, controller
    leder(orders) => there is no selector `leder(..)`: did you mean `leader`?
    leader(order) => there is no destination `order`: did you mean `orders`?
    leader => `leader` takes one argument: write leader(destination)
    all(n1) => `all` takes no argument: write all
    mirror(orders) => `mirror` takes two arguments: write mirror(destination, number)
    mirror(orders, 0) => `0` is no number to count by: write a whole number from 1 to 4294967295, 1 for the first
    zone(b) => there is no zone `b`: the zones are a, clients
    producer(c1) => there is no producer `c1`: the producers are p1
    link(n1, n2) => a link is no target for this kind of fault: name nodes; to cut a link write kind = "partition" with between = ["n1", "n2"]
    n1,nobody,leader(x) => there is no node or selector `nobody`: the nodes and selectors are n1, n2, n3, p1, c1, all, random, minority, zone, link, producer, consumer, leader, mirror, controller
    there is no destination `x`: the destinations are orders, payments
    "#);
}

#[test]
fn wrong_keys_say_what_to_write() {
    let all = [
        "kind = \"crush\"\ntarget = \"n1\"",
        "kind = \"crash\"\ntarget = \"n1\"\nfactor = 3",
        "kind = \"restart\"\ntarget = \"n1\"\nfor = \"1s\"",
        "kind = \"partition\"",
        "kind = \"partition\"\ntarget = \"n1\"\nbetween = [\"n1\", \"n2\"]",
        "kind = \"partition\"\nbetween = [\"link(n1, n2)\", \"n3\"]",
        "kind = \"latency\"\ntarget = \"n1\"",
        "kind = \"latency\"\ntarget = \"n1\"\nadd = \"1ms\"\nlatency = \"1ms\"",
        "kind = \"latency\"\ntarget = \"link(n1, n1)\"\nadd = \"1ms\"",
        "kind = \"bandwidth\"\ntarget = \"n1\"\nrate = \"unlimited\"",
    ];
    let all: Vec<String> = all.iter().map(|body| wrong_fault(body)).collect();
    assert_snapshot!(all.join("\n"), @r#"
    `kind` = "crush" is not known: did you mean `crash`?
    `factor` does not go with kind = "crash": it goes with kind = "slow-disk"; remove one
    `for` does not go with kind = "restart": a restart takes as long as stop and boot take; for a stay in between write kind = "stop" with `for`
    a partition needs `between` or `target`: write between = ["n1", "n2,n3"], or target = "n1" to cut n1 from all others
    `target` and `between` contradict each other: write between = ["n1", "n2,n3"], or target = "n1" to cut n1 from all others
    a link is no target for this kind of fault: name nodes; to cut a link write kind = "partition" with between = ["n1", "n2"]
    a latency fault needs `add` or `latency`: write add = "10ms" for what comes on top, or latency = "10ms" for what it is instead
    `add` and `latency` contradict each other: write add = "10ms" for what comes on top, or latency = "10ms" for what it is instead
    a link joins two nodes: name two nodes: link(n1, n2)
    this limits nothing: a link without limit needs no fault; write a rate, "10MB/s"
    "#);
}

#[test]
fn a_diagnostic_points_at_its_line() {
    let body = "[[fault]]\nat = \"6s\"\nkind = \"crash\"\ntarget = \"n9\"";
    let text = read(body).expect_err("there is no n9").render(false);
    assert_snapshot!(text, @r#"
    error: there is no node or selector `n9`
      ┌─ test.toml:8:10
      │
    8 │ target = "n9"
      │          ^^^^
      │
      = help: the nodes and selectors are n1, n2, n3, p1, c1, all, random, minority, zone, link, producer, consumer, leader, mirror, controller
    "#);
}

#[test]
fn every_kind_and_key_has_a_meaning() {
    for kind in KINDS.variants {
        assert!(kind.meaning.ends_with('.'), "{}", kind.name);
        assert!(kind.keys.iter().any(|key| key.name == "target"), "{}", kind.name);
        assert!(kind.keys.iter().all(|key| !key.meaning.is_empty()), "{}", kind.name);
    }
}
