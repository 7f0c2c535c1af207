//! What was touched, and whom that concerns.

use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::observe::{NodeId, Violation};

use super::super::broker::{Broker, Membership, Notes};
use super::super::config::Config;
use super::super::machine::KafkaMachine;
use super::Invariant;
use super::control::Authority;
use super::data::Partition;
use super::quorum::Quorum;

/// What is known of a whole run beside its machines.
///
/// It costs 7 % of the time of `scenarios/kafka-isr.toml`, and 5 % with 20,000 messages a second
/// (`mqsim run --seeds 1..=40 --jobs 1`, with `--set invariants=false` and without): an event that
/// touches no replica costs a comparison, an append as good as nothing, and a high watermark that
/// moves the comparison of what it passes with the logs of the ISR.
#[derive(Clone, Default)]
pub struct Oracle {
    run: Option<Box<Run>>,
}

#[derive(Clone)]
struct Run {
    config: Arc<Config>,
    partitions: Vec<Partition>,
    authority: Authority,
    quorum: Quorum,
    /// Reused: what a broker touched.
    touched: Vec<(PartitionId, Notes)>,
}

/// Where violations go, each once for the states that break it.
pub(super) struct Tell<'a> {
    pub(super) config: &'a Config,
    pub(super) report: &'a mut dyn FnMut(Violation),
}

impl Tell<'_> {
    /// Whether an invariant holds is known: `broken` has a bit for each that was seen broken and
    /// has not held since.
    pub(super) fn holds(
        &mut self,
        broken: &mut u64,
        (invariant, node): (Invariant, NodeId),
        partition: Option<PartitionId>,
        holds: bool,
        detail: impl FnOnce(&Config) -> String,
    ) {
        if holds {
            *broken &= !invariant.bit();
        } else if *broken & invariant.bit() == 0 {
            *broken |= invariant.bit();
            let of = partition.map(|partition| self.config.streams.destinations_of(partition));
            let destination = of.and_then(|all| all.first().copied());
            let detail = detail(self.config);
            (self.report)(Violation { invariant: invariant.id(), node, destination, detail });
        }
    }
}

/// The name of a host.
pub(super) fn name(config: &Config, node: NodeId) -> &str {
    config.names.get(node.index()).map_or("?", String::as_str)
}

/// The broker on a host, if there is one.
pub(super) fn broker(machines: &[KafkaMachine], node: NodeId) -> Option<&Broker> {
    match machines.get(node.index()) {
        Some(KafkaMachine::Broker(broker)) => Some(broker),
        _ => None,
    }
}

impl Oracle {
    /// Looks at what `node` has touched.
    #[inline]
    pub fn check(
        &mut self,
        machines: &mut [KafkaMachine],
        node: NodeId,
        report: &mut dyn FnMut(Violation),
    ) {
        let run = self.run.as_deref();
        let new = match &machines[node.index()] {
            KafkaMachine::Broker(broker) => {
                let metadata = match &broker.membership {
                    Membership::Kraft(member) => {
                        run.is_none_or(|run| run.quorum.is_new(node, &member.raft))
                    }
                    Membership::ZooKeeper(_) => false,
                };
                metadata || !broker.touched.is_empty()
            }
            KafkaMachine::Controller(controller) => {
                run.is_none_or(|run| run.quorum.is_new(node, &controller.raft))
            }
            KafkaMachine::ZooKeeper(server) => {
                run.is_none_or(|run| run.authority.is_new(server.applied()))
            }
            _ => false,
        };
        if new {
            self.look(machines, node, report);
        }
    }

    #[cold]
    fn start(machines: &[KafkaMachine]) -> Option<Box<Run>> {
        let config = broker(machines, NodeId(0))?.config().clone();
        Some(Box::new(Run {
            partitions: config.all_partitions().map(|p| Partition::new(&config, p)).collect(),
            authority: Authority::new(&config),
            quorum: Quorum::new(&config),
            touched: Vec::new(),
            config,
        }))
    }

    fn look(
        &mut self,
        machines: &mut [KafkaMachine],
        node: NodeId,
        report: &mut dyn FnMut(Violation),
    ) {
        if self.run.is_none() {
            self.run = Oracle::start(machines);
        }
        let Some(run) = self.run.as_deref_mut() else { return };
        let Run { config, partitions, authority, quorum, touched } = run;
        let mut tell = Tell { config, report };
        touched.clear();
        let mut decided = Vec::new();
        match &mut machines[node.index()] {
            KafkaMachine::Broker(broker) => {
                while let Some(partition) = broker.touched.pop() {
                    let notes = broker.replicas[partition.index()].as_deref_mut();
                    let notes = notes.map(|replica| std::mem::take(&mut replica.notes));
                    touched.extend(notes.map(|notes| (partition, notes)));
                }
            }
            KafkaMachine::Controller(controller) => {
                decided = std::mem::take(&mut controller.touched);
            }
            _ => {}
        }
        let machines = &*machines;
        for (partition, notes) in touched.drain(..) {
            partitions[partition.index()].touched(machines, node, notes, &mut tell);
        }
        match &machines[node.index()] {
            KafkaMachine::Broker(broker) => {
                if let Membership::Kraft(member) = &broker.membership {
                    quorum.look(machines, node, &member.raft, &mut tell);
                }
            }
            KafkaMachine::Controller(controller) => {
                quorum.look(machines, node, &controller.raft, &mut tell);
                let log = (controller.applied(), &controller.committed);
                authority.of_quorum(log, &decided, partitions, (machines, node), &mut tell);
            }
            KafkaMachine::ZooKeeper(server) => {
                authority.of_tree(server, partitions, (machines, node), &mut tell);
            }
            _ => {}
        }
    }
}
