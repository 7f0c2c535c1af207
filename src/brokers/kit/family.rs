//! What the rest of mqsim asks of a broker family.

use std::fmt::Debug;

use crate::observe::{
    Catalog, Cause, ConsumerInfo, DestinationId, DestinationInfo, EventWord, InvariantId,
    InvariantWord, NodeId, NodeInfo, NodeKind, ProducerInfo, RoleWord, Situation,
};
use crate::scenario::{Diagnostics, Scenario, SectionSpec};
use crate::world::{Cluster, SelectorSpec, Setup};

use super::frame::{Cast, Frame, Reach};
use super::portable::Dialect;

/// The machines of a family.
pub type MachineOf<F> = <<F as Family>::Cluster as Cluster>::Machine;

/// What is true of a family in every scenario.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The product's name.
    pub product: &'static str,
    /// Whether its brokers keep what was read, and hold back what may not be read yet.
    pub log: bool,
    /// The sections that a scenario of it may have beside those of every scenario.
    pub sections: &'static [&'static SectionSpec],
    /// In which words it reports.
    pub words: &'static Words,
    /// What is checked while it runs; `claimed` as it is by default. [`Family::invariants`] says
    /// what a scenario's version and configuration claim.
    pub invariants: &'static [InvariantWord],
}

/// A family's words: made by `words!`.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// Why a copy ceases to exist or is never made.
    pub causes: &'static [Cause],
    /// What made a copy the last one; the first is `none`.
    pub conditions: &'static [&'static str],
    /// A sentence about each of them.
    pub condition_meanings: &'static [&'static str],
    /// What a broker is to a destination.
    pub roles: &'static [RoleWord],
    /// What happens, close to the broker's own log lines.
    pub events: &'static [EventWord],
    /// What a suite may have to reach, beside events, roles, causes and conditions.
    pub situations: &'static [Situation],
    /// What faults can be aimed at, beside the world's own selectors.
    pub selectors: &'static [SelectorSpec],
    /// The kinds of faults of which it does not know what its brokers would do, with the reason.
    pub refused: &'static [(&'static str, &'static str)],
}

/// A value of `mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// As written in a scenario.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub meaning: &'static str,
    /// The default `broker-version`.
    pub version: &'static str,
    /// The first and the last release whose rules are known; all patches of the last one are.
    pub versions: (&'static str, &'static str),
    /// What to write for another release, if there is more to say than which are known.
    pub otherwise: Option<&'static str>,
    /// A scenario to begin with, with comments, that runs as it is.
    pub starter: &'static str,
}

/// A producer as the catalogue has it. A host has one, or one for each of its streams of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sends {
    /// Its host's place among the producers.
    pub host: usize,
    /// The destinations that each of its messages is meant for.
    pub to: Vec<DestinationId>,
    /// Whether it asks for no answer.
    pub unanswered: bool,
}

/// A broker family. What implements it is a scenario that is resolved: all that a run needs but the
/// seed, one [`Frame`] and what is the family's own.
pub trait Family: Clone + Debug + Send + Sync + 'static {
    /// How its modes differ, for its plan; `()` if it has only one.
    type Mode: Copy + 'static;
    /// Its machines, its selectors and its invariants.
    type Cluster: Cluster;

    /// What is true of it in every scenario.
    const ABOUT: &'static About;
    /// Its modes.
    const MODES: &'static [(Self::Mode, Mode)];

    /// Settings that make messages safer than they are by default, at a price, as `--set` takes them; a `*` stands
    /// for every member of a list: `producer.*.acks=all`. One that a version or scenario does not have is passed over.
    const REMEDIES: &'static [&'static str] = &[];

    /// How a mode reads a portable scenario; `None` if it cannot.
    fn dialect(_mode: Self::Mode) -> Option<&'static Dialect> {
        None
    }

    /// Resolves a scenario that was checked with its sections. [`complete`](super::complete) is
    /// the end of every plan.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place and a remedy.
    fn plan(scenario: &Scenario, mode: Self::Mode) -> Result<Self, Diagnostics>;

    /// What it has in common with every other scenario.
    fn frame(&self) -> &Frame;

    /// The same, to be completed at the end of the plan.
    fn frame_mut(&mut self) -> &mut Frame;

    /// Who is there beside the brokers.
    fn cast(&self) -> Cast;

    /// Where the messages of a producer go, which is given by its place. Asked only if nothing is
    /// wrong with the scenario so far.
    fn reach(&self, producer: usize) -> Reach<'_>;

    /// The names of its destinations, in the order of their ids.
    fn destinations(&self) -> Vec<String>;

    /// What faults can call the destinations, if that is not their names.
    fn targets(&self) -> Vec<String> {
        self.destinations()
    }

    /// The producers of the catalogue, in the order of their ids: one a host, whose messages are
    /// meant for every destination and are answered, if it is not said.
    fn producers(&self) -> Vec<Sends> {
        let to: Vec<_> = (0..self.destinations().len() as u32).map(DestinationId).collect();
        let hosts = 0..self.cast().producers.len();
        hosts.map(|host| Sends { host, to: to.clone(), unanswered: false }).collect()
    }

    /// What each consumer reads, then each auditor; nobody reads anything if it is not said.
    fn consumers(&self) -> Vec<Vec<DestinationId>> {
        Vec::new()
    }

    /// The machines of the run with this seed, one a host, in the order of the hosts.
    fn machines(&self, seed: u64) -> Vec<MachineOf<Self>>;

    /// The connections that exist before the run: (who had connected, to whom).
    fn established(&self) -> Vec<(NodeId, NodeId)> {
        Vec::new()
    }

    /// Whether this version and configuration have what an invariant rests on, in the order in which
    /// it is named; they have what is not said.
    fn meets(&self, _invariant: InvariantId) -> Vec<bool> {
        Vec::new()
    }

    /// Its invariants, with what this version and configuration lack for each to be claimed.
    fn invariants(&self) -> Vec<InvariantWord> {
        let with_lacks = |(id, word): (InvariantId, &InvariantWord)| {
            let met = self.meets(id).into_iter().chain(std::iter::repeat(true));
            let lacks = word.rests_on.iter().zip(met).filter(|(_, met)| !met);
            InvariantWord { lacks: lacks.map(|(what, _)| *what).collect(), ..word.clone() }
        };
        (0..).map(InvariantId).zip(Self::ABOUT.invariants).map(with_lacks).collect()
    }

    /// What is done with settings that contradict each other: whole sentences.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// The names of its runs.
    fn catalog(&self) -> Catalog {
        let (frame, words) = (self.frame(), Self::ABOUT.words);
        let named = |node: NodeId| frame.topology().hosts[node.index()].name.clone();
        let senders = frame.hosts(&[NodeKind::Producer]);
        let producers = self.producers().into_iter().map(|Sends { host, to, unanswered }| {
            let node = senders[host];
            ProducerInfo { name: named(node), node, destinations: to, unanswered }
        });
        let readers = frame.hosts(&[NodeKind::Consumer, NodeKind::Auditor]).into_iter();
        let consumers = readers.zip(self.consumers()).map(|(node, destinations)| {
            let auditor = frame.topology().hosts[node.index()].kind == NodeKind::Auditor;
            ConsumerInfo { name: named(node), node, destinations, auditor }
        });
        let nodes = frame.topology().hosts.iter();
        let destinations = self.destinations().into_iter();
        Catalog {
            nodes: nodes
                .map(|host| NodeInfo { name: host.name.clone(), kind: host.kind })
                .collect(),
            producers: producers.collect(),
            consumers: consumers.collect(),
            destinations: destinations.map(|name| DestinationInfo { name }).collect(),
            faults: {
                let faults = frame.faults.iter().map(|fault| fault.text.clone());
                faults.chain(frame.actions.iter().map(|action| action.text.clone())).collect()
            },
            actions: frame.action_ids(),
            causes: words.causes,
            conditions: words.conditions,
            condition_meanings: words.condition_meanings,
            roles: words.roles,
            events: words.events,
            invariants: self.invariants(),
            notes: self.notes(),
            situations: words.situations,
        }
    }

    /// The set-up of the run with this seed.
    fn setup(&self, seed: u64) -> Setup<MachineOf<Self>> {
        let frame = self.frame();
        Setup {
            seed,
            topology: frame.topology().clone(),
            machines: self.machines(seed),
            established: self.established(),
            faults: frame.schedule(seed),
            actions: frame.actions.clone(),
            duration: frame.duration,
            drain: frame.drain,
            limits: frame.limits,
            invariants: frame.invariants,
        }
    }
}
