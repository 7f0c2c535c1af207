//! The network: topology, links and connections.
//!
//! A connection behaves as TCP does, seen from the processes at its ends. Each of its two
//! directions (a *flow*) is one queue of segments: at its front what has arrived and was not read,
//! then what is on the wire, then what waits to be sent. Only what is on the wire has events, one a
//! segment. When a packet hits a cut, everything on the wire is lost, and the flow *stalls*: from
//! then on its retransmission timer alone decides when it moves on. A packet that is lost by chance
//! leaves a *hole*: what was sent behind it waits, and what repairs it is in `repair`.

mod card;
mod closing;
mod connect;
mod connection;
mod flow;
mod link;
mod repair;
mod tcp;
mod topology;
mod turns;

pub(crate) use card::Card;
pub(crate) use connection::{Arrival, BOUND, Side, SideState};
pub(crate) use flow::Cargo;
use link::{CUT, DARK, LOSES_ALL, REJECTS};
pub(crate) use link::{Change, Link};
pub use tcp::CongestionControl;
pub use topology::{
    CardSpec, CpuSpec, DEFAULT_SOCKET_BUFFER, DiskSpec, Host, LinkSpec, PageCacheSpec, Topology,
    TopologyError,
};

use std::sync::Arc;

use crate::engine::Stream;
use crate::observe::NodeKind;

use super::machine::ConnId;
use super::simulation::World;

/// No link, no slot.
const NONE: u32 = u32::MAX;

/// A change of some links by a fault that is in force.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    /// The number by which it is taken back.
    pub(crate) key: u32,
    /// The pairs (from, to) that it concerns.
    pub(crate) pairs: Vec<(u32, u32)>,
    pub(crate) change: Change,
}

/// Links and connections of a run.
#[derive(Clone, Debug)]
pub(crate) struct Network<M> {
    pub(crate) topology: Arc<Topology>,
    seed: u64,
    pub(crate) links: Vec<Link>,
    /// The network card of each host.
    pub(crate) cards: Vec<Card>,
    /// Link of each pair (from × hosts + to), made on first use.
    link_of: Vec<u32>,
    /// Partitions in force for each pair: those that drop, and those that reject.
    drops: Vec<u16>,
    rejects: Vec<u16>,
    /// Hosts without power.
    dark: Vec<bool>,
    overrides: Vec<Override>,
    /// Two sides a connection: slot × 2 + (0 for who connected, 1 for who accepted).
    pub(crate) sides: Vec<Side<M>>,
    /// Slot of each connection ever made.
    slot_of: Vec<u32>,
    free: Vec<u32>,
}

impl<M> Network<M> {
    pub(crate) fn new(topology: Arc<Topology>, seed: u64) -> Network<M> {
        let hosts = topology.hosts.len();
        Network {
            cards: topology.hosts.iter().map(|host| Card::new(host.card)).collect(),
            topology,
            seed,
            links: Vec::new(),
            link_of: vec![NONE; hosts * hosts],
            drops: vec![0; hosts * hosts],
            rejects: vec![0; hosts * hosts],
            dark: vec![false; hosts],
            overrides: Vec::new(),
            sides: Vec::new(),
            slot_of: Vec::new(),
            free: Vec::new(),
        }
    }

    fn pair(&self, from: u32, to: u32) -> usize {
        from as usize * self.topology.hosts.len() + to as usize
    }

    /// The link between two hosts, made from the topology if they have not talked yet.
    pub(crate) fn link(&mut self, from: u32, to: u32) -> u32 {
        let pair = self.pair(from, to);
        if self.link_of[pair] == NONE {
            let (a, b) = (&self.topology.hosts[from as usize], &self.topology.hosts[to as usize]);
            let spec = self
                .topology
                .between(a.zone, b.zone)
                .expect("Simulation::new checks that all zones with hosts are linked");
            let stream = Stream::new(self.seed, &format!("link {}>{}", a.name, b.name));
            let brokers = a.kind == NodeKind::Broker && b.kind == NodeKind::Broker;
            let link = Link::new(from, to, brokers, spec, stream);
            self.link_of[pair] = self.links.len() as u32;
            self.links.push(link);
            let index = self.links.len() - 1;
            self.refresh(index);
            self.rechange(index);
        }
        self.link_of[pair]
    }

    fn refresh(&mut self, index: usize) {
        let link = &self.links[index];
        let pair = self.pair(link.from, link.to);
        let mut blocked = link.blocked & LOSES_ALL;
        if self.drops[pair] > 0 {
            blocked |= CUT;
        }
        if self.rejects[pair] > 0 {
            blocked |= REJECTS;
        }
        if self.dark[link.to as usize] {
            blocked |= DARK;
        }
        self.links[index].blocked = blocked;
    }

    fn rechange(&mut self, index: usize) {
        let link = &mut self.links[index];
        let pair = (link.from, link.to);
        let of_pair = self.overrides.iter().filter(|o| o.pairs.contains(&pair));
        link.change(of_pair.map(|o| &o.change));
    }

    /// Begins (or ends) a cut of these pairs.
    pub(crate) fn cut(&mut self, pairs: &[(u32, u32)], rejects: bool, begin: bool) {
        for &(from, to) in pairs {
            let pair = self.pair(from, to);
            let counts = if rejects { &mut self.rejects } else { &mut self.drops };
            counts[pair] = if begin { counts[pair] + 1 } else { counts[pair].saturating_sub(1) };
        }
        (0..self.links.len()).for_each(|index| self.refresh(index));
    }

    /// The host has no power, or has it again.
    pub(crate) fn darken(&mut self, node: u32, dark: bool) {
        self.dark[node as usize] = dark;
        (0..self.links.len()).for_each(|index| self.refresh(index));
    }

    /// Returns the links whose bandwidth is another now.
    fn add_override(&mut self, change: Override) -> Vec<usize> {
        self.overrides.push(change);
        self.rechange_all()
    }

    /// Returns the links whose bandwidth is another now.
    fn remove_override(&mut self, key: u32) -> Vec<usize> {
        self.overrides.retain(|o| o.key != key);
        self.rechange_all()
    }

    fn rechange_all(&mut self) -> Vec<usize> {
        let mut changed = Vec::new();
        for index in 0..self.links.len() {
            let before = self.links[index].bandwidth();
            self.rechange(index);
            if self.links[index].bandwidth() != before {
                changed.push(index);
            }
        }
        changed
    }

    /// Index of a side, if its connection is still there.
    #[inline]
    pub(crate) fn side(&self, end: ConnId) -> Option<usize> {
        let slot = *self.slot_of.get((end.0 >> 1) as usize)?;
        (slot != NONE).then_some((slot << 1 | end.0 & 1) as usize)
    }

    /// Index of a side that its process still has.
    pub(crate) fn living(&self, node: u32, end: ConnId) -> Option<usize> {
        let index = self.side(end)?;
        let side = &self.sides[index];
        (side.alive && side.node == node).then_some(index)
    }

    /// A new connection between two hosts, with the number of its first side.
    pub(crate) fn open(&mut self, from: u32, to: u32, state: SideState) -> ConnId {
        let (forth, back) = (self.link(from, to), self.link(to, from));
        let number = self.slot_of.len() as u32;
        let first = ConnId(number << 1);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.sides.push(Side::new());
            self.sides.push(Side::new());
            (self.sides.len() / 2) as u32 - 1
        });
        self.slot_of.push(slot);
        let index = (slot << 1) as usize;
        self.sides[index].start(first, from, forth, back, state);
        self.sides[index + 1].start(ConnId(first.0 | 1), to, back, forth, state);
        first
    }

    /// Gives the slot back if neither process has its side any more.
    pub(crate) fn release(&mut self, index: usize) {
        let first = index & !1;
        if self.sides[first].alive || self.sides[first + 1].alive {
            return;
        }
        let number = (self.sides[first].end.0 >> 1) as usize;
        if self.slot_of[number] == NONE {
            return;
        }
        self.slot_of[number] = NONE;
        self.sides[first].flow.clear();
        self.sides[first + 1].flow.clear();
        self.free.push(first as u32 >> 1);
    }

    /// Digests of all streams, in the order of the names of the links' hosts.
    pub(crate) fn digests(&self) -> Vec<u64> {
        self.link_of
            .iter()
            .enumerate()
            .filter(|(_, link)| **link != NONE)
            .flat_map(|(pair, link)| [pair as u64, self.links[*link as usize].digest()])
            .collect()
    }
}

impl<M> World<M> {
    /// A fault changes links. What waits for its turn on them goes at the new rate.
    pub(crate) fn add_override(&mut self, change: Override) {
        for link in self.net.add_override(change) {
            self.retime(link);
        }
    }

    /// The fault with this key is over.
    pub(crate) fn remove_override(&mut self, key: u32) {
        for link in self.net.remove_override(key) {
            self.retime(link);
        }
    }
}
