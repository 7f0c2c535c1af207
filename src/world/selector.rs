//! Who a fault is aimed at: the world's selectors, and the hook for those of a family.

use crate::engine::{Stream, Time};
use crate::observe::{DestinationId, NodeId, NodeKind, NodeState, Observer};

use super::machine::Cluster;
use super::network::Topology;
use super::simulation::Simulation;

/// A selector that a family offers: `leader(orders)`, `mirror(orders, 1)`, `controller`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelectorSpec {
    /// The word before the parenthesis.
    pub name: &'static str,
    /// What stands in the parentheses, in order; the word stands alone if there is nothing.
    pub arguments: &'static [Argument],
    /// One sentence for people.
    pub meaning: &'static str,
}

/// An argument of a selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// The name of a destination.
    Destination,
    /// A number, at least 1.
    Number,
    /// The name of a node, client or broker.
    Node,
    /// The name of a zone.
    Zone,
    /// The name of a producer.
    Producer,
    /// The name of a consumer.
    Consumer,
}

impl std::fmt::Display for SelectorSpec {
    /// As it is written: `mirror(destination, number)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)?;
        if self.arguments.is_empty() {
            return Ok(());
        }
        let words = self.arguments.iter().map(|argument| match argument {
            Argument::Destination => "destination",
            Argument::Number => "number",
            Argument::Node => "node",
            Argument::Zone => "zone",
            Argument::Producer => "producer",
            Argument::Consumer => "consumer",
        });
        write!(f, "({})", words.collect::<Vec<_>>().join(", "))
    }
}

/// The world's own selectors, beside the names of nodes.
pub const SELECTORS: &[SelectorSpec] = &[
    SelectorSpec { name: "all", arguments: &[], meaning: "All brokers." },
    SelectorSpec { name: "random", arguments: &[], meaning: "One broker, drawn by the seed." },
    SelectorSpec {
        name: "minority",
        arguments: &[],
        meaning: "As many brokers as a minority has at most, drawn by the seed.",
    },
    SelectorSpec {
        name: "zone",
        arguments: &[Argument::Zone],
        meaning: "All brokers of a zone, and the servers and clients whose section puts them there.",
    },
    SelectorSpec {
        name: "link",
        arguments: &[Argument::Node, Argument::Node],
        meaning: "The link between two nodes; for faults of the network.",
    },
    SelectorSpec {
        name: "producer",
        arguments: &[Argument::Producer],
        meaning: "The host of a producer.",
    },
    SelectorSpec {
        name: "consumer",
        arguments: &[Argument::Consumer],
        meaning: "The host of a consumer.",
    },
];

/// A family's selector with its arguments; resolved when the fault begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleQuery {
    /// Index into the family's list of [`SelectorSpec`].
    pub selector: u32,
    /// What it names, by its place in the vocabulary; `DestinationId(0)` if it takes none.
    pub destination: DestinationId,
    /// The number it names, from 1; 1 if it takes none.
    pub nth: u32,
}

/// What a fault is aimed at: the union of what its picks mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target(pub Vec<Pick>);

impl Target {
    /// These nodes.
    #[must_use]
    pub fn nodes(nodes: &[NodeId]) -> Target {
        Target(nodes.iter().map(|node| Pick::Node(*node)).collect())
    }
}

/// One selector of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// This node.
    Node(NodeId),
    /// All brokers.
    All,
    /// One broker, drawn.
    Random,
    /// A minority of the brokers, drawn.
    Minority,
    /// What stands in this zone.
    Zone(u32),
    /// The link between these two.
    Link(NodeId, NodeId),
    /// What the family says.
    Role(RoleQuery),
}

/// What a family may know of the world to resolve a selector.
#[derive(Clone, Copy, Debug)]
pub struct WorldView<'a> {
    /// This instant.
    pub now: Time,
    /// State of each node.
    pub states: &'a [NodeState],
    /// Hosts and zones.
    pub topology: &'a Topology,
}

impl WorldView<'_> {
    /// Whether a node serves.
    #[must_use]
    pub fn is_up(&self, node: NodeId) -> bool {
        self.states[node.index()] == NodeState::Up
    }

    /// Whether a process is running on the node, serving or not, frozen or not.
    #[must_use]
    pub fn is_running(&self, node: NodeId) -> bool {
        matches!(self.states[node.index()], NodeState::Up | NodeState::Booting | NodeState::Paused)
    }
}

impl<C: Cluster, O: Observer> Simulation<C, O> {
    /// The nodes that a target means at this moment, each once, in the order in which it names
    /// them.
    pub(crate) fn resolve(&self, target: &Target, stream: &mut Stream) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> = Vec::new();
        for pick in &target.0 {
            for node in self.resolve_pick(*pick, stream) {
                if !nodes.contains(&node) {
                    nodes.push(node);
                }
            }
        }
        nodes
    }

    fn resolve_pick(&self, pick: Pick, stream: &mut Stream) -> Vec<NodeId> {
        match pick {
            Pick::Link(a, b) => vec![a, b],
            Pick::Role(query) => {
                let states = self.states();
                let topology = self.topology();
                let view = WorldView { now: self.now(), states: &states, topology };
                C::resolve(&self.machines, &query, &view)
            }
            pick => settled(pick, self.topology(), stream).unwrap_or_default(),
        }
    }

    fn states(&self) -> Vec<NodeState> {
        self.world.nodes.iter().map(|node| node.state).collect()
    }

    /// Whether these brokers are up, and the family finds that they have all again.
    pub(crate) fn have_recovered(&self, brokers: &[NodeId]) -> bool {
        let states = self.states();
        let view = WorldView { now: self.now(), states: &states, topology: self.topology() };
        brokers.iter().all(|broker| C::has_recovered(&self.machines, *broker, &view))
    }

    /// Whether all brokers are up, no fault is in force, and the family finds itself in sync.
    pub(crate) fn is_in_sync(&self) -> bool {
        let topology = self.topology();
        let states = self.states();
        let view = WorldView { now: self.now(), states: &states, topology };
        self.active.is_empty()
            && topology.brokers().all(|broker| view.is_up(broker))
            && C::in_sync(&self.machines, &view)
    }
}

/// The nodes of a pick that depends on nothing that happens: not on the state of a cluster, as
/// roles do. A link has none.
pub(crate) fn settled(pick: Pick, topology: &Topology, stream: &mut Stream) -> Option<Vec<NodeId>> {
    let mut brokers: Vec<NodeId> = topology.brokers().collect();
    Some(match pick {
        Pick::Node(node) => vec![node],
        Pick::All => brokers,
        Pick::Random if brokers.is_empty() => brokers,
        Pick::Random => vec![brokers[stream.below(brokers.len() as u64) as usize]],
        Pick::Minority => {
            stream.shuffle(&mut brokers);
            brokers.truncate(brokers.len().saturating_sub(1) / 2);
            brokers.sort_unstable();
            brokers
        }
        Pick::Zone(zone) => {
            brokers.extend(&topology.placed);
            brokers.retain(|node| topology.hosts[node.index()].zone == zone);
            brokers
        }
        Pick::Link(..) | Pick::Role(_) => return None,
    })
}

/// The names of the hosts of one kind.
pub(crate) fn names_of(topology: &Topology, kind: NodeKind) -> Vec<&str> {
    let hosts = topology.hosts.iter().filter(|host| host.kind == kind);
    hosts.map(|host| host.name.as_str()).collect()
}
