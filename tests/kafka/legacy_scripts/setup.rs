//! What a script says before it begins, as a scenario; its machines, and a probe beside them.

use std::sync::Arc;

use mqsim::brokers::kafka::legacy::config::Config;
use mqsim::brokers::kafka::legacy::machine::LegacyMachine;
use mqsim::brokers::kafka::legacy::message::Message;
use mqsim::brokers::kafka::legacy::spec::Spec;
use mqsim::brokers::kit::Family;
use mqsim::engine::{Span, Time};
use mqsim::observe::{NodeId, NodeKind, Observer};
use mqsim::world::{
    self, Cluster, Context, Death, DiskView, Input, Machine, PlannedFault, RoleQuery, Setup, Wait,
    WorldView,
};

use super::probe::{Action, Probe};
use crate::golden::{Command, Script, pairs, resolve, section};

/// A process of a script.
#[derive(Clone, Debug)]
pub(crate) enum Actor {
    Kafka(Box<LegacyMachine>),
    Probe(Box<Probe>),
}

impl Machine for Actor {
    type Message = Message;

    fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match self {
            Actor::Kafka(machine) => machine.handle(input, ctx),
            Actor::Probe(probe) => probe.handle(input, ctx),
        }
    }

    fn died(&mut self, death: Death, disk: &DiskView<'_>, at: Time, observer: &mut dyn Observer) {
        if let Actor::Kafka(machine) = self {
            machine.died(death, disk, at, observer);
        }
    }

    fn waits_for(&self) -> Option<Wait> {
        Some("the end of the script".into())
    }
}

/// Scripts name nodes; there are no selectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Actors;

impl Cluster for Actors {
    type Machine = Actor;
    type Oracle = ();

    fn resolve(_: &[Actor], _: &RoleQuery, _: &WorldView<'_>) -> Vec<NodeId> {
        Vec::new()
    }
}

/// What a script comes to.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) spec: Spec,
    pub(crate) probe: Vec<(Time, Action)>,
    pub(crate) faults: Vec<PlannedFault>,
}

const FIXED: &str = r#"
format = 1
mode = "kafka-legacy"
duration = "100000s"
[cluster]
boot-time = "1s"
network = { latency = "1ms", bandwidth = "unlimited", loss = 0.0 }
disk = { fsync = "5ms", bandwidth = "unlimited" }
[costs]
request = "0s"
append = "0s"
fetch-part = "0s"
scan = "unlimited"
send = "0s"
consume = "0s"
"#;

impl Plan {
    /// Reads the commands that set the cluster up.
    pub(crate) fn read(script: &Script) -> Result<Plan, String> {
        let mut text = FIXED.to_owned();
        let (mut broker, mut rules, mut zookeeper) = (String::new(), String::new(), String::new());
        let mut sections = String::new();
        for line in script.blocks.iter().flat_map(|block| &block.commands) {
            let command = Command::parse(&line.text);
            match command.name {
                "cluster" => {
                    text = text.replace("[cluster]\n", &format!("[cluster]\n{}", pairs(&command)));
                }
                "broker" => broker.push_str(&pairs(&command)),
                "rules" => rules.push_str(&pairs(&command)),
                "zookeeper" => zookeeper.push_str(&pairs(&command)),
                "topic" | "producer" | "consumer" => {
                    let own = section(command.name, &command);
                    sections.push_str(&own.map_err(|error| format!("{}: {error}", line.number))?);
                }
                _ => {}
            }
        }
        // The probe sends under the name of a producer that never begins.
        sections.push_str(
            "[[producer]]\nname = \"x\"\nto = \"orders\"\nstart = \"90000s\"\nrate = \"1/s\"\ncount = 1\n",
        );
        sections.push_str("broker.list = [\"n1\"]\n");
        text.push_str(&format!("[broker]\n{broker}[rules]\n{rules}[zookeeper]\n{zookeeper}"));
        text.push_str(&sections);
        let spec = resolve(text, "0.7", ()).map_err(|wrong| format!("0: {wrong}"))?;
        Ok(Plan { spec, probe: Vec::new(), faults: Vec::new() })
    }

    /// What every machine knows.
    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.spec.config
    }

    /// The writer under whose name the probe sends: the last one.
    pub(crate) fn probe_writer(&self) -> u32 {
        self.spec.producers.len() as u32 - 1
    }

    pub(crate) fn setup(&self) -> Setup<Actor> {
        let setup = self.spec.setup(1);
        let mut topology = setup.topology;
        let like = topology.hosts.last().expect("there are hosts").clone();
        topology.add(world::Host { name: "probe".to_owned(), kind: NodeKind::Producer, ..like });
        let machines = setup.machines.into_iter().map(|machine| Actor::Kafka(Box::new(machine)));
        let probe = Actor::Probe(Box::new(Probe::new(self.config().clone(), self.probe.clone())));
        Setup {
            seed: 1,
            topology,
            machines: machines.chain([probe]).collect(),
            established: Vec::new(),
            faults: self.faults.clone(),
            actions: Vec::new(),
            duration: Span::from_secs(100_000),
            drain: Span::ZERO,
            limits: setup.limits,
            invariants: false,
        }
    }
}
