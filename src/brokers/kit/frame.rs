//! What every scenario comes to, whatever its family: hosts, network, faults, and how long.

use crate::engine::{Limits, Span};
use crate::observe::{FaultId, NodeId, NodeKind};
use crate::scenario::{Diagnostics, Scenario, Values};
use crate::workload::{Load, Volume, check_volume};
use crate::world::fault::{self, Nemesis, Vocabulary};
use crate::world::{ClusterPlan, PlannedAction, PlannedFault, Topology, action};

use super::family::Family;

/// What every scenario comes to. [`complete`] adds to the brokers who else is there, and the faults.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Hosts and network: the brokers, then coordinators, producers, consumers and auditors.
    pub cluster: ClusterPlan,
    /// The faults that the scenario names.
    pub faults: Vec<PlannedFault>,
    /// What an operator does, in the order of the family's own list.
    pub actions: Vec<PlannedAction>,
    /// Faults that are drawn.
    pub nemesis: Option<Nemesis>,
    /// `duration`.
    pub duration: Span,
    /// `drain`.
    pub drain: Span,
    /// `max-events`.
    pub limits: Limits,
    /// `invariants`.
    pub invariants: bool,
}

/// Who is there beside the brokers: the names of the hosts, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cast {
    /// The servers by which the brokers coordinate themselves.
    pub coordinators: Vec<String>,
    /// The section about them, which may name their zones.
    pub coordinated_by: Option<&'static str>,
    /// The producers.
    pub producers: Vec<String>,
    /// The consumers.
    pub consumers: Vec<String>,
    /// What nobody reads, and so an auditor at the end: the host's name is made of it.
    pub unread: Vec<String>,
}

impl Cast {
    /// Clients, and what nobody reads.
    #[must_use]
    pub fn of<'a>(
        loads: impl Iterator<Item = &'a Load>,
        consumers: impl Iterator<Item = &'a String>,
        unread: impl Iterator<Item = &'a String>,
    ) -> Cast {
        Cast {
            producers: loads.map(|load| load.name.clone()).collect(),
            consumers: consumers.cloned().collect(),
            unread: unread.cloned().collect(),
            ..Cast::default()
        }
    }

    /// And so many servers of each prefix, `zk1`, `zk2`, ..., whose zones a section names.
    #[must_use]
    pub fn with_servers(self, servers: &[(&str, usize)], section: &'static str) -> Cast {
        let named = |(prefix, count): &(&str, usize)| -> Vec<String> {
            (1..=*count).map(|number| format!("{prefix}{number}")).collect()
        };
        let coordinators = servers.iter().flat_map(named).collect();
        Cast { coordinators, coordinated_by: Some(section), ..self }
    }
}

/// Where the messages of a producer go.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'a> {
    /// What it is asked to do.
    pub load: &'a Load,
    /// To how many destinations each of its messages goes.
    pub lines: u64,
    /// How many copies the brokers have of a message, all destinations together.
    pub copies: u64,
    /// Bytes that a broker needs for a copy, as measured: at the peak, when lists have just grown.
    pub copy: u64,
}

/// With this the name of every auditor's host begins, and no other.
const AUDITOR: &str = "auditor.";

impl Frame {
    /// The brokers of a scenario, for which the family can plan.
    ///
    /// # Errors
    /// What is wrong with `[cluster]`.
    pub fn new(scenario: &Scenario) -> Result<Frame, Diagnostics> {
        let run = scenario.settings();
        let limits = Limits::default();
        Ok(Frame {
            cluster: ClusterPlan::new(scenario)?,
            faults: Vec::new(),
            actions: Vec::new(),
            nemesis: None,
            duration: run.duration,
            drain: run.drain,
            limits: run.max_events.map_or(limits, |max_events| Limits { max_events, ..limits }),
            invariants: run.invariants,
        })
    }

    /// Hosts and network.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.cluster.topology
    }

    /// The hosts of these kinds, in their order.
    #[must_use]
    pub fn hosts(&self, kinds: &[NodeKind]) -> Vec<NodeId> {
        let all = (0..).map(NodeId).zip(&self.topology().hosts);
        all.filter(|(_, host)| kinds.contains(&host.kind)).map(|(node, _)| node).collect()
    }

    /// The names of all hosts so far: of the brokers, while the family plans.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.topology().hosts.iter().map(|host| host.name.clone()).collect()
    }

    /// The faults of a seed: those of the scenario, then those that are drawn.
    #[must_use]
    pub fn schedule(&self, seed: u64) -> Vec<PlannedFault> {
        let named = self.faults.len() + self.actions.len();
        let drawn = self.nemesis.iter();
        let drawn = drawn.flat_map(|one| one.draw(seed, self.topology(), named));
        self.faults.iter().cloned().chain(drawn).collect()
    }

    /// Where the actions are in the catalogue: behind the faults.
    #[must_use]
    pub fn action_ids(&self) -> std::ops::Range<u32> {
        let first = self.faults.len() as u32;
        first..first + self.actions.len() as u32
    }

    /// Adds the hosts beside the brokers; `clients` are the sections of those that have one.
    fn add(
        &mut self,
        cast: &Cast,
        scenario: &Scenario,
        clients: &[&Values],
        wrong: &mut Diagnostics,
    ) {
        for name in &cast.coordinators {
            self.cluster.add_coordinator(name);
        }
        if let Some(section) = cast.coordinated_by {
            self.cluster.place_coordinators(scenario.one(section), wrong);
        }
        for name in &cast.producers {
            self.cluster.add_client(name, NodeKind::Producer);
        }
        for name in &cast.consumers {
            self.cluster.add_client(name, NodeKind::Consumer);
        }
        for name in &cast.unread {
            self.cluster.add_client(&format!("{AUDITOR}{name}"), NodeKind::Auditor);
        }
        self.cluster.place_clients(clients.iter().copied(), wrong);
    }
}

/// Ends a plan: refuses names that are taken and loads that no memory would hold, adds the hosts
/// beside the brokers, and reads the faults.
pub fn complete<F: Family>(family: &mut F, scenario: &Scenario, wrong: &mut Diagnostics) {
    let cast = family.cast();
    // A family may have no section for the one or the other.
    let has = |path: &str| F::ABOUT.sections.iter().any(|section| section.path == path);
    let sections = |path: &str| if has(path) { scenario.many(path) } else { &[] };
    let clients: Vec<&Values> = sections("producer").iter().chain(sections("consumer")).collect();
    check_names(family.frame(), &cast, &clients, wrong);
    if wrong.is_empty() {
        let sections = sections("producer").iter().enumerate();
        let volumes = sections.map(|(producer, values)| {
            let Reach { load, lines, copies, copy } = family.reach(producer);
            Volume { values, load, lines, copies, copy }
        });
        let volumes: Vec<Volume<'_>> = volumes.collect();
        wrong.keep(check_volume(&volumes, family.frame().duration, scenario.settings().memory));
    }
    if wrong.is_empty() {
        family.frame_mut().add(&cast, scenario, &clients, wrong);
    }
    let destinations = family.targets();
    let words = Vocabulary {
        topology: family.frame().topology(),
        destinations: &destinations,
        roles: F::ABOUT.words.selectors,
        refused: F::ABOUT.words.refused,
    };
    // Who cuts a run short with `--set duration` knows that not all of it happens, and is told.
    let is_cut = scenario.top().span("duration").is_argument();
    let duration = (!is_cut).then(|| scenario.settings().duration);
    let faults = fault::parse_all(scenario.many("fault"), duration, &words);
    let nemesis = fault::nemesis::parse(scenario, &words);
    let actions = if has("action") { scenario.many("action") } else { &[] };
    let actions = action::parse_all(actions, duration, &words);
    let frame = family.frame_mut();
    frame.faults = wrong.keep(faults).unwrap_or_default();
    frame.actions = wrong.keep(actions).unwrap_or_default();
    for (id, action) in frame.action_ids().zip(&mut frame.actions) {
        action.id = FaultId(id);
    }
    frame.nemesis = wrong.keep(nemesis).flatten();
}

/// Hosts are told apart by their names, so no two may share one.
fn check_names(frame: &Frame, cast: &Cast, clients: &[&Values], wrong: &mut Diagnostics) {
    let mut taken: Vec<String> = frame.names();
    taken.extend(cast.coordinators.iter().cloned());
    let own = match &cast.coordinators[..] {
        [] => format!("what begins with {AUDITOR} is"),
        [one] => format!("{one} and what begins with {AUDITOR} are"),
        [one, two, ..] => format!("{one}, {two} and what begins with {AUDITOR} are"),
    };
    for values in clients {
        let name = values.text("name");
        if taken.iter().any(|other| other == name) || name.starts_with(AUDITOR) {
            wrong.push(
                values.span("name"),
                format!("the name `{name}` is taken already"),
                format!("nodes, producers and consumers need different names; {own} mqsim's own"),
            );
        }
        taken.push(name.to_owned());
    }
}
