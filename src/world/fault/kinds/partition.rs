//! `partition`: packets between sides do not get through.

use crate::scenario::{Kind, Preset};
use crate::world::fault::freeze::quoted;
use crate::world::fault::links::{DIRECTION, Direction};
use crate::world::fault::nemesis::{AMONG, SHAPES};
use crate::world::fault::parse::{parse_target, refuse_links};
use crate::world::simulation::World;

use super::*;

const CLIENTS: KeySpec = KeySpec::new(
    "clients",
    Kind::Choice(&["follow", "unaffected"]),
    Preset::Is("follow"),
    "Where clients are that no side names: with the broker to which they are connected (on \
     the largest side without connection), or unaffected, seeing all brokers.",
);

const HOW: KeySpec = KeySpec::new(
    "how",
    Kind::Choice(&["drop", "reject"]),
    Preset::Is("drop"),
    "Packets vanish, or are answered with an error that breaks the connection.",
);

/// A cut of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Partition {
    /// The sides; if there is one (or none, then it is the fault's target), the other brokers are
    /// the other side. Nodes in no side see all.
    pub between: Vec<Target>,
    /// Which way packets do not get through.
    pub direction: Direction,
    /// On which side clients are.
    pub clients: ClientSide,
    /// Whether packets are answered with an error, or vanish.
    pub rejects: bool,
}

/// On which side of a partition the clients are that it does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientSide {
    /// On that of the broker with which they have a connection; without one on the largest.
    Follow,
    /// They see all brokers.
    Unaffected,
}

impl Fault for Partition {
    const SPEC: Variant = Variant {
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

    const DRAWN: &'static [KeySpec] = &[SHAPES, AMONG, DIRECTION, CLIENTS, HOW];

    fn parse(
        values: &Values,
        words: Option<&Vocabulary<'_>>,
        wrong: &mut Diagnostics,
    ) -> Option<Partition> {
        let between = match words {
            Some(words) => sides(values, words, wrong)?,
            None => Vec::new(),
        };
        let clients = match values.choice("clients") {
            "unaffected" => ClientSide::Unaffected,
            _ => ClientSide::Follow,
        };
        let rejects = values.choice("how") == "reject";
        Some(Partition { between, direction: Direction::parse(values), clients, rejects })
    }

    fn sides(&self) -> Option<&[Target]> {
        Some(&self.between)
    }

    /// Cuts the network between sides, none of which is empty.
    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        let mut sides = met.sides.clone();
        if self.clients == ClientSide::Follow {
            simulation.world.place_clients(&mut sides);
        }
        for (i, from) in sides.iter().enumerate() {
            for (j, to) in sides.iter().enumerate() {
                if i < j || (i > j && self.direction == Direction::Both) {
                    for a in from {
                        met.pairs.extend(to.iter().map(|b| (a.0, b.0)));
                    }
                }
            }
        }
        simulation.world.net.cut(&met.pairs, self.rejects, true);
    }

    fn end<C: Cluster, O: Observer>(&self, met: &Met, simulation: &mut Simulation<C, O>) {
        simulation.world.net.cut(&met.pairs, self.rejects, false);
    }

    fn write(&self, keys: &mut Keys) {
        self.direction.write(keys);
        if self.clients == ClientSide::Unaffected {
            keys.put("clients", quoted("unaffected"));
        }
        if self.rejects {
            keys.put("how", quoted("reject"));
        }
    }
}

/// The sides as `between` names them; none if `target` is one.
fn sides(values: &Values, words: &Vocabulary<'_>, wrong: &mut Diagnostics) -> Option<Vec<Target>> {
    if values.has("target") == values.has("between") {
        let message = if values.has("target") {
            "`target` and `between` contradict each other"
        } else {
            "a partition needs `between` or `target`"
        };
        let help =
            "write between = [\"n1\", \"n2,n3\"], or target = \"n1\" to cut n1 from all others";
        wrong.push(values.span("between"), message, help);
        return None;
    }
    let sides = values.selectors("between");
    let between: Vec<Target> = sides.iter().map(|side| parse_target(side, words, wrong)).collect();
    for (side, target) in sides.iter().zip(&between) {
        refuse_links(side.place, &target.0, wrong);
    }
    Some(between)
}

impl<C: Cluster, O: Observer> Simulation<C, O> {
    /// The sides of a partition: a node that several name is on the first of them, and a single
    /// side is opposite all other brokers, and what stands in a zone beside them.
    pub(in crate::world::fault) fn whole_sides(
        &self,
        mut sides: Vec<Vec<NodeId>>,
    ) -> Vec<Vec<NodeId>> {
        separate(&mut sides);
        if let [only] = sides.as_slice() {
            let topology = self.topology();
            let others = topology.brokers().chain(topology.placed.iter().copied());
            sides.push(others.filter(|node| !only.contains(node)).collect());
        }
        sides
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
