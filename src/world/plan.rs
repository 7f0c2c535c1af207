//! From the `[cluster]` sections to a topology: what the hosts, disks and links are.
//!
//! A section that is not written changes nothing: hardware is a named set of figures
//! ([`hardware`]), and every key that is written overrides one of them.

use crate::engine::{Distribution, Span};
use crate::observe::{NodeId, NodeKind};
use crate::scenario::{Diagnostics, KeySpec, Kind, Place, Preset, Scenario, SectionSpec, Values};

use super::hardware::{self, Hardware, NAMES};
use super::network::{
    CardSpec, CongestionControl, CpuSpec, DiskSpec, Host, LinkSpec, PageCacheSpec, Topology,
};
use super::supervisor::{self, SUPERVISOR};

/// The most broker nodes of a cluster.
pub const MOST_NODES: u64 = 64;

const MEMORY: Kind = Kind::Size { min: 1 << 20, max: 1 << 50 };

const HARDWARE: Kind = Kind::Choice(NAMES);

/// The section `[cluster]`.
pub const CLUSTER: SectionSpec = SectionSpec::single(
    "cluster",
    &[&[
        KeySpec::new(
            "nodes",
            Kind::Integer { min: 1, max: MOST_NODES },
            Preset::Absent,
            "How many broker nodes there are: n1, n2, ... Or write [[cluster.node]] for each; 3 if \
             neither is written.",
        ),
        KeySpec::new(
            "hardware",
            HARDWARE,
            Preset::Is("lab-vm"),
            "The named set of figures for network, disk, CPU and boot time.",
        ),
        KeySpec::new(
            "memory",
            MEMORY,
            Preset::Absent,
            "Of each broker node; the hardware's if not written.",
        ),
        KeySpec::new(
            "boot-time",
            Kind::DURATIONS,
            Preset::Absent,
            "From the start of a broker's process until it begins to serve; the hardware's if not \
             written.",
        ),
        KeySpec::new(
            "zones",
            Kind::Names,
            Preset::Absent,
            "Zones beside those of the nodes, such as one that has only a third server to vote.",
        ),
    ]],
    "The broker nodes and what they run on.",
);

/// The section `[[cluster.node]]`.
pub const NODE: SectionSpec = SectionSpec::repeated(
    "cluster.node",
    &[&[
        KeySpec::new("name", Kind::Name, Preset::Required, "The node's name."),
        KeySpec::new("zone", Kind::Name, Preset::Is("a"), "The zone in which it is."),
        KeySpec::new("memory", MEMORY, Preset::Absent, "The cluster's if not written."),
        KeySpec::new(
            "hardware",
            HARDWARE,
            Preset::Absent,
            "Its disk, CPU and network card; the cluster's if not written.",
        ),
    ]],
    "One broker node, instead of `nodes`.",
);

/// The section `[cluster.network]`.
pub const NETWORK: SectionSpec = SectionSpec::single(
    "cluster.network",
    &[&[
        KeySpec::new(
            "latency",
            Kind::DURATIONS,
            Preset::Absent,
            "One-way latency between brokers of one zone, and between clients and brokers.",
        ),
        KeySpec::new(
            "zone-latency",
            Kind::DURATIONS,
            Preset::Absent,
            "One-way latency between brokers of different zones; as within one if not written.",
        ),
        KeySpec::new(
            "client-latency",
            Kind::DURATIONS,
            Preset::Absent,
            "One-way latency between clients and brokers; `latency` if not written.",
        ),
        KeySpec::new(
            "bandwidth",
            Kind::Bandwidth,
            Preset::Absent,
            "Of each host's network card, for what it sends and as much for what it receives: all its \
             connections share it.",
        ),
        KeySpec::new(
            "loss",
            Kind::Chance,
            Preset::Absent,
            "Of each packet of 1,448 bytes; shows as delay.",
        ),
        KeySpec::new(
            "socket-buffer",
            Kind::Size { min: 1 << 10, max: 1 << 30 },
            Preset::Absent,
            "Bytes that a connection holds per direction, sent and not yet read: 360KiB, or what the \
             `hardware` has that the cluster names. Bulk transfers, or several brokers on one host, \
             have more: up to 4 to 7 MiB.",
        )
        .source("measured on Linux 6.18: 0.36 MB on a wire, 2.7 to 4.3 MB within one host"),
        KeySpec::new(
            "congestion-control",
            Kind::Choice(&["cubic", "bbr"]),
            Preset::Is("cubic"),
            "How senders take lost packets: as congestion, which bounds what a lossy link carries, or \
             not.",
        )
        .source("Linux tcp_congestion_control"),
    ]],
    "The network, where it differs from the hardware's.",
);

/// The section `[cluster.disk]`.
pub const DISK: SectionSpec = SectionSpec::single(
    "cluster.disk",
    &[&[
        KeySpec::new(
            "fsync",
            Kind::DURATIONS,
            Preset::Absent,
            "Time of an fsync, beside transfer.",
        ),
        KeySpec::new(
            "spread",
            Kind::Integer { min: 0, max: 100 },
            Preset::Absent,
            "By how many percent, at most, fsyncs of all brokers are slower or faster in one run \
             than in another; the hardware's if not written, 0 if `fsync` is.",
        ),
        KeySpec::new("bandwidth", Kind::Bandwidth, Preset::Absent, "Of writing and reading."),
        KeySpec::new(
            "seek",
            Kind::ANY_DURATION,
            Preset::Absent,
            "What it costs that write-back or a read turns to another file than the one before.",
        ),
        KeySpec::new(
            "page-cache",
            Kind::Size { min: 1 << 10, max: 1 << 50 },
            Preset::Absent,
            "Memory for what is in files: what is older than that is read from the disk, and what is \
             dirty is limited as a part of it. Three quarters of the node's memory if not written.",
        ),
        KeySpec::new(
            "dirty-background-ratio",
            Kind::Integer { min: 0, max: 100 },
            Preset::Is("10"),
            "From how many percent of the page cache being dirty on it is written to the disk, whatever \
             its age.",
        )
        .source("Linux vm.dirty_background_ratio"),
        KeySpec::new(
            "dirty-ratio",
            Kind::Integer { min: 1, max: 100 },
            Preset::Is("20"),
            "The most percent of the page cache that may be dirty: from half-way between the two on, \
             writers wait for the disk.",
        )
        .source("Linux vm.dirty_ratio"),
        KeySpec::new(
            "capacity",
            Kind::Size { min: 1 << 20, max: 1 << 50 },
            Preset::Absent,
            "Bytes that fit.",
        ),
        KeySpec::new(
            "write-back-age",
            Kind::POSITIVE_DURATION,
            Preset::Absent,
            "After this long in the page cache a byte is durable without an fsync.",
        )
        .source("Linux vm.dirty_expire_centisecs: 30 s"),
        KeySpec::new(
            "torn-tail",
            Kind::Flag,
            Preset::Is("false"),
            "A loss of power leaves, of what was in the page cache, a random part of each file's \
             tail, which may end within a record; nothing of it if false.",
        ),
    ]],
    "The brokers' disks, where they differ from the hardware's.",
);

/// The section `[cluster.cpu]`.
pub const CPU: SectionSpec = SectionSpec::single(
    "cluster.cpu",
    &[&[
        KeySpec::new(
            "cores",
            Kind::Integer { min: 1, max: 1024 },
            Preset::Absent,
            "How many things can be computed at once.",
        ),
        KeySpec::new(
            "speed",
            Kind::Integer { min: 1, max: 10_000 },
            Preset::Is("100"),
            "In percent of the speed for which the costs of operations are stated.",
        ),
    ]],
    "The brokers' processors, where they differ from the hardware's.",
);

/// All sections of the cluster, for the check of a scenario.
pub const SECTIONS: &[&SectionSpec] = &[&CLUSTER, &NODE, &NETWORK, &DISK, &CPU, &SUPERVISOR];

/// What the scenario says of the cluster.
#[derive(Clone, Debug)]
pub struct ClusterPlan {
    /// Hosts of the brokers and all zones; add the clients with
    /// [`add_client`](ClusterPlan::add_client).
    pub topology: Topology,
    /// From the start of a broker's process until it begins to serve, in ns.
    pub boot_time: Distribution,
    /// Memory of each broker, in bytes.
    pub memory: Vec<u64>,
    clients: u32,
    /// The network card of every client's host.
    card: CardSpec,
}

impl ClusterPlan {
    /// The cluster of a scenario that was checked with [`SECTIONS`].
    ///
    /// # Errors
    /// Keys that contradict each other.
    pub fn new(scenario: &Scenario) -> Result<ClusterPlan, Diagnostics> {
        let mut wrong = scenario.diagnostics();
        let cluster = scenario.one("cluster");
        let nodes = scenario.many("cluster.node");
        check_nodes(cluster, nodes, &mut wrong);
        let hardware = named(cluster.choice("hardware"));
        let mut zones = Vec::new();
        for node in nodes {
            if !zones.iter().any(|zone| zone == node.text("zone")) {
                zones.push(node.text("zone").to_owned());
            }
        }
        if zones.is_empty() {
            zones.push("a".to_owned());
        }
        for name in cluster.names("zones") {
            if name.value == "clients" {
                refuse_clients(name.place, &mut wrong);
            } else if !zones.contains(&name.value) {
                zones.push(name.value.clone());
            }
        }
        let clients = zones.len() as u32;
        zones.push("clients".to_owned());
        let network = scenario.one("cluster.network");
        let mut topology = Topology::new(zones);
        let named_one = cluster.is_set("hardware").then_some(hardware.socket_buffer);
        if let Some(bytes) = network.get_size("socket-buffer").or(named_one) {
            topology.socket_buffer = bytes;
        }
        topology.restart_after = supervisor::restart_after(scenario);
        topology.congestion_control = match network.choice("congestion-control") {
            "bbr" => CongestionControl::Bbr,
            _ => CongestionControl::Cubic,
        };
        add_links(&mut topology, network, &hardware, clients);
        let count = cluster.get_integer("nodes").unwrap_or(3);
        let mut memory = Vec::new();
        let of_all = cluster.get_size("memory");
        if nodes.is_empty() {
            for n in 1..=count {
                let bytes = of_all.unwrap_or(hardware.memory);
                memory.push(bytes);
                topology.add(broker(scenario, &hardware, format!("n{n}"), 0, bytes));
            }
        }
        for node in nodes {
            let own = node.get_text("hardware").map_or_else(|| hardware.clone(), named);
            let zone = topology.zones.iter().position(|zone| zone == node.text("zone"));
            let zone = zone.unwrap_or(0) as u32;
            let bytes = node.get_size("memory").or(of_all).unwrap_or(own.memory);
            memory.push(bytes);
            topology.add(broker(scenario, &own, node.text("name").to_owned(), zone, bytes));
        }
        let card = card(scenario, &hardware);
        let boot_time = cluster.get_distribution("boot-time").unwrap_or(hardware.boot_time);
        wrong.into_result(ClusterPlan { topology, boot_time, memory, clients, card })
    }

    /// Adds the host of a server that keeps what the brokers agree on: it is like the first broker,
    /// and in its zone. Its name must differ from all others. Before any client.
    pub fn add_coordinator(&mut self, name: &str) -> NodeId {
        let like = self.topology.hosts[0].clone();
        let (name, kind) = (name.to_owned(), NodeKind::Coordinator);
        self.topology.add(Host { name, kind, ..like })
    }

    /// Adds the host of a client. Its name must differ from all others.
    pub fn add_client(&mut self, name: &str, kind: NodeKind) -> NodeId {
        debug_assert!(kind != NodeKind::Broker, "brokers come from the scenario's cluster");
        self.topology.add(Host {
            name: name.to_owned(),
            kind,
            zone: self.clients,
            disk: DiskSpec {
                fsync: Distribution::Constant(0),
                spread: 0,
                bandwidth: 0,
                seek: Span::ZERO,
                capacity: u64::MAX,
                write_back_age: Span::from_secs(30),
                torn_tail: false,
                cache: PageCacheSpec::UNLIMITED,
            },
            // A client's costs are its workload's to state; its processor is never the limit.
            cpu: CpuSpec { cores: 64, percent: 100 },
            card: self.card,
        })
    }

    /// Puts the clients whose sections say `zone` there. After all clients.
    pub fn place_clients<'v>(
        &mut self,
        sections: impl IntoIterator<Item = &'v Values>,
        wrong: &mut Diagnostics,
    ) {
        for section in sections {
            let Some(name) = section.get_text("zone") else { continue };
            let zone = self.zone(name, section.span("zone"), wrong);
            if let (Some(zone), Some(host)) = (zone, self.topology.find(section.text("name"))) {
                self.place(host, zone);
            }
        }
    }

    /// Puts the coordinators into the zones that their section's `zone` lists, in turn. After all
    /// coordinators.
    pub fn place_coordinators(&mut self, section: &Values, wrong: &mut Diagnostics) {
        let named = section.names("zone").iter();
        let named = named.filter_map(|name| self.zone(&name.value, name.place, wrong));
        let named: Vec<u32> = named.collect();
        let hosts = (0..).map(NodeId).zip(&self.topology.hosts);
        let hosts: Vec<NodeId> = hosts
            .filter(|(_, host)| host.kind == NodeKind::Coordinator)
            .map(|(node, _)| node)
            .collect();
        for (host, zone) in hosts.into_iter().zip(named.into_iter().cycle()) {
            self.place(host, zone);
        }
    }

    fn place(&mut self, host: NodeId, zone: u32) {
        self.topology.hosts[host.index()].zone = zone;
        self.topology.placed.push(host);
    }

    /// The zone of this name; that of the clients has none.
    fn zone(&self, name: &str, place: Place, wrong: &mut Diagnostics) -> Option<u32> {
        let zones = &self.topology.zones[..self.clients as usize];
        let found = wrong.find((name, place), zones.iter().map(String::as_str), "zone");
        found.map(|zone| zone as u32)
    }
}

fn named(name: &str) -> Hardware {
    Hardware::named(name).expect("a Choice of hardware::NAMES, which are all known")
}

fn check_nodes(cluster: &Values, nodes: &[Values], wrong: &mut Diagnostics) {
    if cluster.has("nodes") && !nodes.is_empty() {
        let help = "leave one of the two away";
        let message = "`nodes` and [[cluster.node]] contradict each other";
        wrong.push(cluster.span("nodes"), message, help);
    }
    if nodes.len() as u64 > MOST_NODES {
        let message = format!("a cluster has at most {MOST_NODES} nodes");
        wrong.push(nodes[MOST_NODES as usize].place(), message, "leave some away");
    }
    for node in nodes.iter().filter(|node| node.text("zone") == "clients") {
        refuse_clients(node.span("zone"), wrong);
    }
}

fn refuse_clients(place: Place, wrong: &mut Diagnostics) {
    let message = "the zone `clients` is that of the clients";
    wrong.push(place, message, "give the zone another name");
}

/// Links between all pairs of zones; `clients` is the zone of the clients.
fn add_links(topology: &mut Topology, network: &Values, hardware: &Hardware, clients: u32) {
    let latency = network.get_distribution("latency");
    let near = latency.clone().unwrap_or_else(|| hardware.brokers.latency.clone());
    let far = network.get_distribution("zone-latency").unwrap_or_else(|| near.clone());
    let client = network.get_distribution("client-latency").or(latency);
    let client = client.unwrap_or_else(|| hardware.clients.latency.clone());
    let link = |latency: &Distribution, like: &LinkSpec| LinkSpec {
        latency: latency.clone(),
        // What is written is the cards', and nothing between them is slower.
        bandwidth: if network.has("bandwidth") { 0 } else { like.bandwidth },
        loss: network.get_chance("loss").unwrap_or(like.loss),
    };
    for from in 0..=clients {
        for to in 0..=clients {
            let spec = match (from, to) {
                (a, b) if a == clients || b == clients => link(&client, &hardware.clients),
                (a, b) if a == b => link(&near, &hardware.brokers),
                _ => link(&far, &hardware.brokers),
            };
            topology.link(from, to, spec);
        }
    }
}

/// The network card of hosts of this hardware.
fn card(scenario: &Scenario, hardware: &Hardware) -> CardSpec {
    let written = scenario.one("cluster.network").get_bandwidth("bandwidth");
    written.map_or(hardware.card, CardSpec::of)
}

fn broker(scenario: &Scenario, hardware: &Hardware, name: String, zone: u32, memory: u64) -> Host {
    let (disk, cpu) = (scenario.one("cluster.disk"), scenario.one("cluster.cpu"));
    let base = &hardware.disk;
    let cores = cpu.get_integer("cores").map_or(hardware.cpu.cores, |cores| cores as u32);
    Host {
        name,
        kind: NodeKind::Broker,
        zone,
        disk: DiskSpec {
            fsync: disk.get_distribution("fsync").unwrap_or_else(|| base.fsync.clone()),
            // What is written is meant as it stands.
            spread: match disk.get_integer("spread") {
                Some(percent) => percent as u32,
                None if disk.has("fsync") => 0,
                None => base.spread,
            },
            bandwidth: disk.get_bandwidth("bandwidth").unwrap_or(base.bandwidth),
            capacity: disk.get_size("capacity").unwrap_or(base.capacity),
            write_back_age: disk.get_duration("write-back-age").unwrap_or(base.write_back_age),
            seek: disk.get_duration("seek").unwrap_or(base.seek),
            torn_tail: disk.flag("torn-tail"),
            cache: PageCacheSpec {
                bytes: disk.get_size("page-cache").unwrap_or(hardware::page_cache(memory).bytes),
                background: disk.integer("dirty-background-ratio") as u32,
                limit: disk.integer("dirty-ratio") as u32,
            },
        },
        card: card(scenario, hardware),
        cpu: CpuSpec { cores, percent: cpu.integer("speed") as u32 * hardware.cpu.percent / 100 },
    }
}
