//! What a script declares, as the scenario that it is: read by the keys and the plan that read
//! every scenario.

use mqsim::brokers::kafka::isr::costs::Costs;
use mqsim::brokers::kafka::isr::spec::Spec;
use mqsim::engine::{Chance, Distribution, Span, Time};
use mqsim::world::{CardSpec, CpuSpec, DiskSpec, Host, LinkSpec, PageCacheSpec, Topology};

use crate::golden::{Command, Script, pair, pairs, read, resolve, section, span};

/// One-way latency between any two hosts.
const LATENCY: Span = Span::from_millis(1);
const FSYNC: Span = Span::from_millis(5);

/// What a script says before it begins.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) spec: Spec,
    pub(crate) seed: u64,
}

/// The scenario's text as it grows.
#[derive(Default)]
struct Declared {
    brokers: u32,
    seed: u64,
    version: String,
    broker: String,
    controller: String,
    rules: String,
    zookeeper: String,
    /// `[[topic]]`, `[[producer]]`, `[[consumer]]`.
    sections: String,
    now: Time,
}

/// Reads the lines of a script that declare something: producers and consumers begin when their
/// line comes.
pub(crate) fn declare(script: &Script) -> Result<Plan, String> {
    let mut declared = Declared { seed: 1, ..Declared::default() };
    read(script, |command| declared.line(command))?;
    let last = script.last_line();
    declared.plan().map_err(|error| format!("{last}: {error}"))
}

impl Declared {
    fn line(&mut self, command: &Command<'_>) -> Result<(), String> {
        match command.name {
            "cluster" => {
                self.brokers = command.word(0)?.parse().map_err(|_| "how many brokers?")?;
                self.seed = u64::from(command.number("seed", 1)?);
                self.version = command.value("version").unwrap_or("2.8").to_owned();
                for key in ["metadata", "controllers"] {
                    if let Some(value) = command.value(key) {
                        pair(&mut self.controller, key, value);
                    }
                }
                if let Some(value) = command.value("zookeeper") {
                    pair(&mut self.zookeeper, "servers", value);
                }
            }
            "broker" => self.broker.push_str(&pairs(command)),
            "controller" => self.controller.push_str(&pairs(command)),
            "rules" => self.rules.push_str(&pairs(command)),
            "topic" => self.section("topic", command)?,
            "produce" => {
                self.section("producer", command)?;
                if command.value("rate").is_none() {
                    pair(&mut self.sections, "rate", "100/s");
                }
                let start = self.millis();
                pair(&mut self.sections, "start", &start);
            }
            "consume" => {
                self.section("consumer", command)?;
                let start = self.millis();
                pair(&mut self.sections, "start", &start);
            }
            "run" | "skip" => self.now += span(command.word(0)?)?,
            _ => {}
        }
        Ok(())
    }

    fn millis(&self) -> String {
        format!("{}ms", self.now.as_nanos() / 1_000_000)
    }

    fn section(&mut self, name: &str, command: &Command<'_>) -> Result<(), String> {
        self.sections.push_str(&section(name, command)?);
        Ok(())
    }

    fn plan(self) -> Result<Plan, String> {
        let text = format!(
            "format = 1\nname = \"script\"\nmode = \"kafka-isr\"\n\
             broker-version = \"{}\"\nduration = \"1000h\"\n[cluster]\nnodes = {}\nboot-time = \"2s\"\n[broker]\n{}[controller]\n{}[rules]\n{}\
             [zookeeper]\n{}{}",
            self.version,
            self.brokers,
            self.broker,
            self.controller,
            self.rules,
            self.zookeeper,
            self.sections
        );
        let mut spec: Spec = resolve(text, &self.version, ())?;
        let (elect, reload) = (spec.config.costs.elect, spec.config.costs.reload.clone());
        spec.config.costs = Costs { elect, reload, ..Costs::nothing() };
        spec.frame.cluster.topology = topology(spec.frame.topology());
        Ok(Plan { spec, seed: self.seed })
    }
}

/// The same hosts, with round figures.
fn topology(planned: &Topology) -> Topology {
    let latency = Distribution::Constant(LATENCY.as_nanos());
    let mut topology = Topology::flat(LinkSpec { latency, bandwidth: 0, loss: Chance::NEVER });
    for host in &planned.hosts {
        topology.add(Host {
            name: host.name.clone(),
            kind: host.kind,
            zone: 0,
            disk: DiskSpec {
                fsync: Distribution::Constant(FSYNC.as_nanos()),
                spread: 0,
                bandwidth: 0,
                capacity: u64::MAX,
                write_back_age: Span::from_secs(30),
                torn_tail: false,
                seek: Span::ZERO,
                cache: PageCacheSpec::UNLIMITED,
            },
            cpu: CpuSpec { cores: 64, percent: 100 },
            card: CardSpec::UNLIMITED,
        });
    }
    topology
}
