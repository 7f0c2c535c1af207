//! What the network and its hosts are made of: plain data, built by the plan.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::engine::{Chance, Distribution, Span};
use crate::observe::{NodeId, NodeKind};

use super::tcp::CongestionControl;

/// One host with one process on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// Its name in the scenario; random streams are keyed by it.
    pub name: String,
    /// What it is there for.
    pub kind: NodeKind,
    /// Index into [`Topology::zones`].
    pub zone: u32,
    /// Its disk.
    pub disk: DiskSpec,
    /// Its processors.
    pub cpu: CpuSpec,
    /// Its network card.
    pub card: CardSpec,
}

/// A host's network card: what all its links share, in bytes a second; 0 is unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardSpec {
    /// What it receives.
    pub inwards: u64,
    /// What it sends.
    pub outwards: u64,
}

impl CardSpec {
    /// A card that is never the limit.
    pub const UNLIMITED: CardSpec = CardSpec::of(0);

    /// A card that sends and receives at one rate, at once (full duplex).
    #[must_use]
    pub const fn of(rate: u64) -> CardSpec {
        CardSpec { inwards: rate, outwards: rate }
    }
}

/// A host's disk.
#[derive(Clone, Debug, PartialEq)]
pub struct DiskSpec {
    /// Time of one fsync beside the transfer of what is dirty, in ns.
    pub fsync: Distribution,
    /// By how many percent, at most, fsyncs are slower or faster in one run than in another.
    pub spread: u32,
    /// Bytes a second; 0 is unlimited.
    pub bandwidth: u64,
    /// What it costs that write-back or a read turns to another file than the one before.
    pub seek: Span,
    /// Bytes.
    pub capacity: u64,
    /// After this long in the page cache a byte is durable without an fsync.
    pub write_back_age: Span,
    /// Whether a loss of power may leave a part of what was in the page cache.
    pub torn_tail: bool,
    /// The memory of its host that holds what is in files.
    pub cache: PageCacheSpec,
}

/// The memory of a host that holds what is in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageCacheSpec {
    /// Bytes; 0 is unlimited.
    pub bytes: u64,
    /// From how many percent of it being dirty on write-back begins, whatever their age
    /// (`vm.dirty_background_ratio`).
    pub background: u32,
    /// The most percent of it that may be dirty (`vm.dirty_ratio`).
    pub limit: u32,
}

impl PageCacheSpec {
    /// Memory that is never the limit.
    pub const UNLIMITED: PageCacheSpec = PageCacheSpec { bytes: 0, background: 10, limit: 20 };
}

/// A host's processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuSpec {
    /// How many lanes can spend CPU time at once, at least 1.
    pub cores: u32,
    /// Speed, where 100 is what costs are stated for.
    pub percent: u32,
}

/// One direction between two zones.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkSpec {
    /// One-way latency in ns.
    pub latency: Distribution,
    /// Bytes a second of each pair of hosts and direction, beside what the hosts' cards allow; 0 is
    /// unlimited.
    pub bandwidth: u64,
    /// Of each packet of 1,448 bytes.
    pub loss: Chance,
}

/// Hosts, zones and the links between zones.
///
/// The graph has a node for each zone and an edge for each direction between two zones (and within
/// one). It is read when a pair of hosts first talk to each other; from then on the pair has its
/// own link.
#[derive(Clone, Debug)]
pub struct Topology {
    /// The hosts; a host's index is its [`NodeId`]. Brokers first.
    pub hosts: Vec<Host>,
    /// Names of the zones.
    pub zones: Vec<String>,
    /// How many bytes a connection holds per direction that were sent and not yet read: the two
    /// kernels' buffers together.
    pub socket_buffer: u64,
    /// The hosts beside the brokers that were put into a zone of the brokers: they belong to it where
    /// a zone is the target of a fault.
    pub placed: Vec<NodeId>,
    /// After how long a broker's process that is frozen or has ended by itself is started anew; never
    /// if there is nobody who would.
    pub restart_after: Option<Span>,
    /// How senders keep to what a lossy path carries.
    pub congestion_control: CongestionControl,
    graph: DiGraph<u32, LinkSpec>,
}

/// Why a topology cannot be simulated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    /// A host is in a zone that does not exist.
    #[error("host {host} is in zone number {zone}, which does not exist")]
    UnknownZone {
        /// The host's name.
        host: String,
        /// The number.
        zone: u32,
    },
    /// Two zones with hosts in them have no link.
    #[error("there is no link from zone {from} to zone {to}")]
    Unlinked {
        /// Name of the zone that cannot send.
        from: String,
        /// Name of the zone that cannot be reached.
        to: String,
    },
    /// Two hosts have one name.
    #[error("two hosts are named {0}")]
    DuplicateName(String),
}

/// What two kernels buffer for one direction of a connection unless the scenario says otherwise: what
/// a sender gets rid of, on the wire of a network, to a process that reads nothing. Measured on Linux
/// 6.18: 0.16 to 0.55 MB, mostly 0.36, of which 90 KB at the receiver, whose window is 64 KiB of the
/// 128 KiB of `tcp_rmem[1]`. Kernels let both buffers grow with bulk transfers (to 7 MB and more); a
/// scenario with such says so by its `socket-buffer`.
pub const DEFAULT_SOCKET_BUFFER: u64 = 360 << 10;

impl Topology {
    /// No hosts, and zones without links.
    #[must_use]
    pub fn new(zones: Vec<String>) -> Topology {
        let mut graph = DiGraph::new();
        for zone in 0..zones.len() as u32 {
            graph.add_node(zone);
        }
        Topology {
            hosts: Vec::new(),
            zones,
            socket_buffer: DEFAULT_SOCKET_BUFFER,
            placed: Vec::new(),
            restart_after: None,
            congestion_control: CongestionControl::Cubic,
            graph,
        }
    }

    /// One zone whose hosts are all alike linked.
    #[must_use]
    pub fn flat(link: LinkSpec) -> Topology {
        let mut topology = Topology::new(vec!["lan".to_owned()]);
        topology.link(0, 0, link);
        topology
    }

    /// Adds a host and returns its id.
    pub fn add(&mut self, host: Host) -> NodeId {
        self.hosts.push(host);
        NodeId(self.hosts.len() as u32 - 1)
    }

    /// Sets the link from one zone to another, or within one.
    ///
    /// # Panics
    /// If there is no such zone.
    pub fn link(&mut self, from: u32, to: u32, spec: LinkSpec) {
        self.graph.update_edge(NodeIndex::new(from as usize), NodeIndex::new(to as usize), spec);
    }

    /// The link from one zone to another.
    #[must_use]
    pub fn between(&self, from: u32, to: u32) -> Option<&LinkSpec> {
        let edge =
            self.graph.find_edge(NodeIndex::new(from as usize), NodeIndex::new(to as usize))?;
        self.graph.edge_weight(edge)
    }

    /// The host of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.hosts.iter().position(|host| host.name == name).map(|index| NodeId(index as u32))
    }

    /// The broker hosts, in order.
    pub fn brokers(&self) -> impl Iterator<Item = NodeId> + '_ {
        (0..self.hosts.len() as u32)
            .map(NodeId)
            .filter(|id| self.hosts[id.index()].kind == NodeKind::Broker)
    }

    /// Checks that hosts have different names and that each can send to each.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), TopologyError> {
        let mut names: Vec<&str> = self.hosts.iter().map(|host| host.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(TopologyError::DuplicateName(pair[0].to_owned()));
        }
        if let Some(host) = self.hosts.iter().find(|h| h.zone as usize >= self.zones.len()) {
            return Err(TopologyError::UnknownZone { host: host.name.clone(), zone: host.zone });
        }
        self.check_links()
    }

    fn check_links(&self) -> Result<(), TopologyError> {
        let used = |zone: u32| self.hosts.iter().any(|host| host.zone == zone);
        let name = |zone: u32| self.zones[zone as usize].clone();
        // One strongly connected part is necessary and cheap to name; direct links are required
        // because a latency is a property of a pair of zones.
        for part in kosaraju_scc(&self.graph) {
            for zone in part {
                let from = self.graph[zone];
                let missing = (0..self.zones.len() as u32)
                    .filter(|to| used(from) && used(*to))
                    .find(|to| self.between(from, *to).is_none());
                if let Some(to) = missing {
                    return Err(TopologyError::Unlinked { from: name(from), to: name(to) });
                }
            }
        }
        Ok(())
    }
}
