//! What a run has cost so far: events, bytes, and how long processors and devices worked.

use crate::engine::Span;
use crate::observe::Observer;

use super::disk::Disk;
use super::machine::Cluster;
use super::network::Card;
use super::simulation::Simulation;

/// What a run cost so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes on the wire between brokers, what retransmissions after a cut repeat included.
    pub broker_bytes: u64,
    /// Bytes that brokers wrote to their files.
    pub disk_bytes: u64,
    /// Calls of fsync by brokers.
    pub fsyncs: u64,
    /// Events dispatched.
    pub events: u64,
    /// CPU time that each node spent.
    pub busy: Vec<Span>,
    /// The same until the end of the load; empty before it.
    pub busy_in_load: Vec<Span>,
    /// How long the disk and the card of each host worked until the end of the load; empty before it.
    pub devices_in_load: Vec<Devices>,
}

/// How long the devices of a host have worked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// Its disk: fsyncs, write-back and reads.
    pub disk: Span,
    /// Its network card, each way; nothing if that is never the limit.
    pub sending: Span,
    /// What comes in.
    pub receiving: Span,
}

impl<C: Cluster, O: Observer> Simulation<C, O> {
    /// What the run has cost so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let world = &self.world;
        let brokers = || self.topology().brokers().map(|node| &world.disks[node.index()]);
        let links = world.net.links.iter().filter(|link| link.between_brokers);
        Statistics {
            broker_bytes: links.map(|link| link.carried).sum(),
            disk_bytes: brokers().map(Disk::written).sum(),
            fsyncs: brokers().map(Disk::syncs).sum(),
            events: world.kernel.events(),
            busy: self.busy(),
            busy_in_load: self.busy_in_load.clone(),
            devices_in_load: self.devices_in_load.clone(),
        }
    }

    /// CPU time that each node has spent so far.
    pub(crate) fn busy(&self) -> Vec<Span> {
        self.world.nodes.iter().map(|node| node.busy).collect()
    }

    /// How long the devices of each host have worked so far.
    pub(crate) fn devices(&self) -> Vec<Devices> {
        let now = self.now();
        let both = self.world.disks.iter().zip(&self.world.net.cards);
        let of = |(disk, card): (&Disk, &Card)| {
            let (sending, receiving) = card.worked(now);
            Devices { disk: disk.worked(now), sending, receiving }
        };
        both.map(of).collect()
    }
}
