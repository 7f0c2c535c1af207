//! The names behind the ids of one run.

use super::{
    BecauseId, CauseId, ConsumerId, DestinationId, EventId, FaultId, NodeId, ProducerId, RoleId,
};

/// What a node is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// Part of the cluster under test.
    Broker,
    /// A server by which the brokers coordinate themselves, on a host of its own. Selectors that
    /// speak of brokers do not mean it.
    Coordinator,
    /// Host of one producer.
    Producer,
    /// Host of one consumer.
    Consumer,
    /// Host of an auditor, which reads a destination without consumer at the end of the run.
    Auditor,
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its name in the scenario: `n1`, or the client's name.
    pub name: String,
    /// What it is there for.
    pub kind: NodeKind,
}

/// One producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerInfo {
    /// Its name in the scenario.
    pub name: String,
    /// Where it runs.
    pub node: NodeId,
    /// The destinations that each of its messages is meant for; a message has one line for each.
    /// Empty when no binding matches, then its lines have no destination.
    pub destinations: Vec<DestinationId>,
    /// Whether it asks for no answer, so that its sends end as `accepted`.
    pub unanswered: bool,
}

/// One consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerInfo {
    /// Its name in the scenario.
    pub name: String,
    /// Where it runs.
    pub node: NodeId,
    /// What it reads.
    pub destinations: Vec<DestinationId>,
    /// Whether it is an auditor: its deliveries decide fate, but not latency or throughput.
    pub auditor: bool,
}

/// One destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationInfo {
    /// Its name in the scenario.
    pub name: String,
}

/// What a removal does to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CauseKind {
    /// The message was finished with (acknowledged by a consumer): losing the copy is right.
    Settled,
    /// Dead-lettered.
    DeadLettered,
    /// Expired: TTL, length limit, retention.
    Expired,
    /// The copy is lost. If it was the last one, the message is.
    Lost,
}

/// A cause: why a copy ceased to exist or was never made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Kebab-case, as in `loss.csv`.
    pub name: &'static str,
    /// What it does to a message.
    pub kind: CauseKind,
    /// One sentence for people.
    pub meaning: &'static str,
    /// Precedence when several copies were destroyed at one instant: the greatest names the loss.
    pub precedence: u8,
}

/// How much a role is worth, for the lanes of the timeline plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleRank {
    /// Serves nobody, may lack messages.
    Lagging,
    /// Has all that the leader has.
    InSync,
    /// Leads.
    Leader,
}

/// A role's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleWord {
    /// As in `events.csv`.
    pub name: &'static str,
    /// Its colour on the plot.
    pub rank: RoleRank,
}

/// A family's word for something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventWord {
    /// Kebab-case, as in `events.csv`.
    pub name: &'static str,
    /// One sentence for people, the broker's own log line where there is one.
    pub meaning: &'static str,
}

/// Something that a family says of its state at every moment of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvariantWord {
    /// Kebab-case, as in `invariants.csv`.
    pub name: &'static str,
    /// One sentence for people: what is always so.
    pub meaning: &'static str,
    /// What a broker must have or be told for it to be claimed, in the words under which people
    /// find it: a proposal, a ticket, a setting (`KIP-101`).
    pub rests_on: &'static [&'static str],
    /// What of that this version or configuration lacks.
    pub lacks: Vec<&'static str>,
}

impl InvariantWord {
    /// Whether the family claims it for this version and configuration, so that a violation fails
    /// the run. One that is not claimed is checked and told all the same.
    #[must_use]
    pub fn claimed(&self) -> bool {
        self.lacks.is_empty()
    }
}

/// By what one sees that a run came into a situation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// This happened.
    Event(EventId),
    /// This happened, with this count.
    EventWithCount(EventId, u64),
    /// A node had this role for a destination.
    Role(RoleId),
    /// A node went from the first role straight to the second, for one destination.
    RoleAfter(RoleId, RoleId),
    /// A line was lost for this cause.
    Cause(CauseId),
    /// A line was lost because of this condition.
    Condition(BecauseId),
}

/// Something that can happen to a cluster and that a suite of scenarios may have to reach, so that
/// what it shows is worth something. Events, roles, causes and conditions are situations by their
/// own names; these are the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// Kebab-case.
    pub name: &'static str,
    /// One sentence for people.
    pub meaning: &'static str,
    /// How it shows.
    pub sign: Sign,
}

/// The names behind every id of a run. Built once by the plan; never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Hosts, brokers first.
    pub nodes: Vec<NodeInfo>,
    /// Producers, in the order of the scenario.
    pub producers: Vec<ProducerInfo>,
    /// Consumers, in the order of the scenario, then auditors.
    pub consumers: Vec<ConsumerInfo>,
    /// Destinations, in the order of the scenario.
    pub destinations: Vec<DestinationInfo>,
    /// Faults of the schedule as people write them: `crash leader(orders)`; those of the scenario,
    /// then what an operator does, `sync_queue orders`, then faults that are drawn.
    pub faults: Vec<String>,
    /// Which of them are actions of an operator.
    pub actions: std::ops::Range<u32>,
    /// The family's causes.
    pub causes: &'static [Cause],
    /// The family's conditions, kebab-case; the first is `none`.
    pub conditions: &'static [&'static str],
    /// A sentence about each of them.
    pub condition_meanings: &'static [&'static str],
    /// The family's roles.
    pub roles: &'static [RoleWord],
    /// The family's events.
    pub events: &'static [EventWord],
    /// What the family checks while it runs; empty if nothing.
    pub invariants: Vec<InvariantWord>,
    /// What the real thing does with a configuration that contradicts itself, and so is done here:
    /// whole sentences. Empty if there is nothing to say.
    pub notes: Vec<String>,
    /// The family's situations beside its events, roles, causes and conditions.
    pub situations: &'static [Situation],
}

impl Catalog {
    /// Name of a host.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &str {
        &self.nodes[id.index()].name
    }

    /// Name of a producer.
    #[must_use]
    pub fn producer(&self, id: ProducerId) -> &str {
        &self.producers[id.index()].name
    }

    /// Name of a consumer.
    #[must_use]
    pub fn consumer(&self, id: ConsumerId) -> &str {
        &self.consumers[id.index()].name
    }

    /// Name of a destination.
    #[must_use]
    pub fn destination(&self, id: DestinationId) -> &str {
        &self.destinations[id.index()].name
    }

    /// What a condition means, in a sentence; empty if there is nothing to say.
    #[must_use]
    pub fn because(&self, condition: usize) -> &'static str {
        self.condition_meanings.get(condition).copied().unwrap_or("")
    }

    /// Whether it is an action of an operator, and no fault.
    #[must_use]
    pub fn is_action(&self, id: FaultId) -> bool {
        self.actions.contains(&id.0)
    }

    /// Whether some message is meant for several destinations, and so is several lines. If none is,
    /// a line is a message, and is called that.
    #[must_use]
    pub fn fans_out(&self) -> bool {
        self.producers.iter().any(|producer| producer.destinations.len() > 1)
    }

    /// The broker hosts, in order.
    pub fn brokers(&self) -> impl Iterator<Item = NodeId> + '_ {
        (0..self.nodes.len() as u32)
            .map(NodeId)
            .filter(|id| self.nodes[id.index()].kind == NodeKind::Broker)
    }
}
