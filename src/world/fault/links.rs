//! What faults of links have in common: their target, which way they work, and the change of links.

use crate::observe::{NodeId, Observer};
use crate::scenario::{KeySpec, Kind, Preset, Values};

use super::super::machine::Cluster;
use super::super::network::{Change, Override};
use super::super::simulation::Simulation;
use super::Met;
use super::freeze::{Keys, quoted};

pub(super) const DIRECTION: KeySpec = KeySpec::new(
    "direction",
    Kind::Choice(&["both", "forth"]),
    Preset::Is("both"),
    "Both ways, or only from the first to the second (of a node: what it sends).",
);

pub(super) const LINK_TARGET: KeySpec = KeySpec::new(
    "target",
    Kind::Selector,
    Preset::Required,
    "`link(n1, n2)`, or nodes, then it concerns all their links.",
);

/// Which way a fault of the network works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    Both,
    /// From the first to the second only; of a node: what it sends.
    Forth,
}

impl Direction {
    pub(super) fn parse(values: &Values) -> Direction {
        match values.choice("direction") {
            "forth" => Direction::Forth,
            _ => Direction::Both,
        }
    }

    pub(super) fn write(self, keys: &mut Keys) {
        if self == Direction::Forth {
            keys.put("direction", quoted("forth"));
        }
    }
}

impl Met {
    /// The pairs (from, to) of hosts that a fault of links concerns: the links that its target
    /// names, and all those of the nodes that it names.
    pub(super) fn linked(&self, hosts: u32, direction: Direction) -> Vec<(u32, u32)> {
        let mut pairs = Vec::new();
        for (a, b) in &self.links {
            add_pair(&mut pairs, a.0, b.0, direction);
        }
        let named = |node: &NodeId| self.links.iter().any(|(a, b)| a == node || b == node);
        for node in self.nodes.iter().filter(|node| !named(node)) {
            for other in (0..hosts).filter(|other| *other != node.0) {
                add_pair(&mut pairs, node.0, other, direction);
            }
        }
        pairs
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

impl<C: Cluster, O: Observer> Simulation<C, O> {
    /// Changes the links that a fault has met, until [`restore_links`](Simulation::restore_links).
    pub(super) fn change_links(&mut self, met: &Met, direction: Direction, change: Change) {
        let pairs = met.linked(self.topology().hosts.len() as u32, direction);
        self.world.add_override(Override { key: met.index, pairs, change });
    }

    /// The links are as they were before this fault.
    pub(super) fn restore_links(&mut self, met: &Met) {
        self.world.remove_override(met.index);
    }
}
