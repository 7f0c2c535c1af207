//! Faults of the network: partition, latency, packet loss, bandwidth.

use crate::observe::{NodeId, Observer};
use crate::scenario::{KeySpec, Kind, Preset, Variant};

use super::super::machine::Cluster;
use super::super::network::{Change, Override};
use super::super::selector::Pick;
use super::super::simulation::{Simulation, World};
use super::{ClientSide, Direction, Partition, Undo};

pub(super) const DIRECTION: KeySpec = KeySpec::new(
    "direction",
    Kind::Choice(&["both", "forth"]),
    Preset::Is("both"),
    "Both ways, or only from the first to the second (of a node: what it sends).",
);

pub(super) const CLIENTS: KeySpec = KeySpec::new(
    "clients",
    Kind::Choice(&["follow", "unaffected"]),
    Preset::Is("follow"),
    "Where clients are that no side names: with the broker to which they are connected (on \
     the largest side without connection), or unaffected, seeing all brokers.",
);

pub(super) const HOW: KeySpec = KeySpec::new(
    "how",
    Kind::Choice(&["drop", "reject"]),
    Preset::Is("drop"),
    "Packets vanish, or are answered with an error that breaks the connection.",
);

const LINK_TARGET: KeySpec = KeySpec::new(
    "target",
    Kind::Selector,
    Preset::Required,
    "`link(n1, n2)`, or nodes, then it concerns all their links.",
);

pub(super) const PARTITION: Variant = Variant {
    name: "partition",
    meaning: "Packets between the sides do not get through. Nodes that are in no side see all.",
    keys: &[
        KeySpec::new(
            "target",
            Kind::Selector,
            Preset::Absent,
            "These nodes on one side, all other brokers on the other; or write `between`.",
        ),
        KeySpec::new(
            "between",
            Kind::SelectorList,
            Preset::Absent,
            "The sides: [\"n1\", \"n2,n3\"]. A single side is cut from all other brokers.",
        ),
        DIRECTION,
        CLIENTS,
        HOW,
    ],
};

pub(super) const LATENCY: Variant = Variant {
    name: "latency",
    meaning: "Packets take longer.",
    keys: &[
        LINK_TARGET,
        KeySpec::new("add", Kind::DURATIONS, Preset::Absent, "What comes on top, one way."),
        KeySpec::new("latency", Kind::DURATIONS, Preset::Absent, "What it is instead, one way."),
        DIRECTION,
    ],
};

pub(super) const PACKET_LOSS: Variant = Variant {
    name: "packet-loss",
    meaning: "Packets are lost. A connection shows that as delay (retransmission after 200 ms, \
              doubling), never as a missing message.",
    keys: &[
        LINK_TARGET,
        KeySpec::new(
            "chance",
            Kind::Chance,
            Preset::Required,
            "Of each packet of 1,448 bytes, beside losses that are there already.",
        ),
        DIRECTION,
    ],
};

pub(super) const BANDWIDTH: Variant = Variant {
    name: "bandwidth",
    meaning: "Links carry no more than this.",
    keys: &[
        LINK_TARGET,
        KeySpec::new("rate", Kind::Bandwidth, Preset::Required, "Of each link and direction."),
        DIRECTION,
    ],
};

impl<C: Cluster, O: Observer> Simulation<C, O> {
    /// The sides of a partition: a node that several name is on the first of them, and a single
    /// side is opposite all other brokers.
    pub(super) fn whole_sides(&self, mut sides: Vec<Vec<NodeId>>) -> Vec<Vec<NodeId>> {
        separate(&mut sides);
        if let [only] = sides.as_slice() {
            let rest = self.topology().brokers().filter(|node| !only.contains(node)).collect();
            sides.push(rest);
        }
        sides
    }

    /// Cuts the network between sides, none of which is empty.
    pub(super) fn inject_partition(
        &mut self,
        partition: &Partition,
        mut sides: Vec<Vec<NodeId>>,
    ) -> Undo {
        if partition.clients == ClientSide::Follow {
            self.world.place_clients(&mut sides);
        }
        let mut pairs = Vec::new();
        for (i, from) in sides.iter().enumerate() {
            for (j, to) in sides.iter().enumerate() {
                if i < j || (i > j && partition.direction == Direction::Both) {
                    for a in from {
                        pairs.extend(to.iter().map(|b| (a.0, b.0)));
                    }
                }
            }
        }
        self.world.net.cut(&pairs, partition.rejects, true);
        Undo::Heal { pairs, rejects: partition.rejects }
    }

    /// Changes the links that a target means: those it names, and all those of the nodes it names.
    pub(super) fn inject_change(
        &mut self,
        fault: u32,
        picks: &[Pick],
        nodes: &[NodeId],
        direction: Direction,
        change: Change,
    ) {
        let mut pairs = Vec::new();
        let mut links = Vec::new();
        for pick in picks {
            if let Pick::Link(a, b) = pick {
                links.extend([*a, *b]);
                add_pair(&mut pairs, a.0, b.0, direction);
            }
        }
        let hosts = self.topology().hosts.len() as u32;
        for node in nodes.iter().filter(|node| !links.contains(node)) {
            for other in (0..hosts).filter(|other| *other != node.0) {
                add_pair(&mut pairs, node.0, other, direction);
            }
        }
        self.world.add_override(Override { key: fault, pairs, change });
    }
}

fn add_pair(pairs: &mut Vec<(u32, u32)>, from: u32, to: u32, direction: Direction) {
    let both = [(from, to), (to, from)];
    let wanted = if direction == Direction::Both { &both[..] } else { &both[..1] };
    for pair in wanted {
        if !pairs.contains(pair) {
            pairs.push(*pair);
        }
    }
}

/// A node that several sides name is on the first of them.
fn separate(sides: &mut [Vec<NodeId>]) {
    let mut seen: Vec<NodeId> = Vec::new();
    for side in sides {
        side.retain(|node| {
            let new = !seen.contains(node);
            if new {
                seen.push(*node);
            }
            new
        });
    }
}

impl<M> World<M> {
    /// Puts the clients that no side names onto the side of the broker to which they have their
    /// oldest connection; without connection onto the side with the most brokers (the first such).
    fn place_clients(&self, sides: &mut [Vec<NodeId>]) {
        let named = sides.concat();
        let brokers = |side: &[NodeId]| side.iter().filter(|n| self.is_broker(n.0)).count();
        let most = sides.iter().map(|side| brokers(side)).max().unwrap_or(0);
        let largest = sides.iter().position(|side| brokers(side) == most).unwrap_or(0);
        let hosts = (0..self.net.topology.hosts.len() as u32).map(NodeId);
        for client in hosts.filter(|host| !self.is_broker(host.0)) {
            if named.contains(&client) {
                continue;
            }
            match self.oldest_peer(client.0) {
                None => sides[largest].push(client),
                Some(peer) => {
                    if let Some(side) = sides.iter_mut().find(|side| side.contains(&peer)) {
                        side.push(client);
                    }
                }
            }
        }
    }

    /// Who is at the other end of a node's oldest connection that is open.
    fn oldest_peer(&self, node: u32) -> Option<NodeId> {
        let sides = self.net.sides.iter().enumerate();
        let open = sides.filter(|(_, side)| side.alive && side.node == node);
        let (index, _) = open.min_by_key(|(_, side)| side.end)?;
        Some(NodeId(self.net.sides[index ^ 1].node))
    }
}
