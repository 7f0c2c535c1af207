//! A quorum in the world, its invariants looked at after every event, and faults that are decided
//! on while it runs.
//!
//! A fault belongs to the schedule before a run starts. So whatever is injected at some moment is
//! put into the schedule, and the run is repeated up to there: it is the same run.

use std::sync::Arc;

use mqsim::brokers::coordination::raft::{Config, Invariant, RoleName};
use mqsim::engine::{Chance, Distribution, Limits, Span, Stream, Time};
use mqsim::observe::{FaultId, NodeId, NodeKind, Observer, Violation};
use mqsim::world::fault::{ClientSide, Direction, FaultKind, Partition};
use mqsim::world::{
    CardSpec, CpuSpec, DiskSpec, Host, LinkSpec, PageCacheSpec, PlannedFault, Setup, Simulation,
    Target, Topology,
};

use super::counter::{Counter, Counters, name};

/// What a lab is made of.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) voters: u32,
    pub(crate) observers: u32,
    pub(crate) config: Config,
    /// Numbers are counted until then.
    pub(crate) until: Time,
    pub(crate) latency: Distribution,
    pub(crate) fsync: Distribution,
    pub(crate) faults: Vec<PlannedFault>,
}

impl Plan {
    /// Voters n1, n2, ..., then observers. Times as in Kafka's simulation, where these are its
    /// (`RaftEventSimulationTest`): election 1 s, fetch 3 s, request 3 s, retry back-off 50 ms,
    /// fetch wait 100 ms, no linger.
    pub(crate) fn new(seed: u64, voters: u32, observers: u32) -> Plan {
        let millis = Span::from_millis;
        let config = Config {
            fetch_timeout: millis(3_000),
            request_timeout: millis(3_000),
            retry_backoff: millis(50),
            election_backoff_max: millis(100),
            fetch_max_wait: millis(100),
            append_linger: Span::ZERO,
            snapshot_after_bytes: 3_000,
            retention_bytes: 6_000,
            // Every other run as 4.1 is, for the rest.
            pre_vote: seed.is_multiple_of(2),
            high_watermark_answers: seed.is_multiple_of(2),
            ..Config::new((0..voters).map(NodeId).collect())
        };
        Plan {
            seed,
            voters,
            observers,
            config,
            until: Time::MAX,
            latency: Distribution::Uniform { low: 200_000, high: 3_000_000 },
            fsync: Distribution::Uniform { low: 1_000_000, high: 12_000_000 },
            faults: Vec::new(),
        }
    }

    pub(crate) fn topology(&self) -> Topology {
        let link = LinkSpec { latency: self.latency.clone(), bandwidth: 0, loss: Chance::NEVER };
        let mut topology = Topology::flat(link);
        for node in 0..self.voters + self.observers {
            topology.add(Host {
                name: name(node),
                kind: NodeKind::Broker,
                zone: 0,
                disk: DiskSpec {
                    fsync: self.fsync.clone(),
                    spread: 0,
                    bandwidth: 0,
                    capacity: u64::MAX,
                    write_back_age: Span::from_secs(30),
                    torn_tail: false,
                    seek: Span::ZERO,
                    cache: PageCacheSpec::UNLIMITED,
                },
                cpu: CpuSpec { cores: 8, percent: 100 },
                card: CardSpec::UNLIMITED,
            });
        }
        topology
    }

    pub(crate) fn setup(&self, machines: Vec<Counter>) -> Setup<Counter> {
        Setup {
            seed: self.seed,
            topology: self.topology(),
            machines,
            established: Vec::new(),
            faults: self.faults.clone(),
            actions: Vec::new(),
            duration: Span::from_secs(1_000_000),
            drain: Span::ZERO,
            limits: Limits::default(),
            invariants: true,
        }
    }

    fn simulation(&self) -> Simulation<Counters, Witness> {
        let config = Arc::new(self.config.clone());
        let every = Span::from_millis(20);
        let nodes = (0..self.voters + self.observers).map(NodeId);
        let machines = nodes.map(|node| Counter::new(&config, node).counting(every, self.until));
        let machines = machines.collect();
        Simulation::new(self.setup(machines), Witness::default()).expect("a sound setup")
    }
}

pub(crate) fn planned(at: Time, kind: FaultKind, nodes: &[u32]) -> PlannedFault {
    let nodes: Vec<NodeId> = nodes.iter().copied().map(NodeId).collect();
    PlannedFault {
        id: FaultId(0),
        at,
        lasts: None,
        kind,
        target: Target::nodes(&nodes),
        text: String::new(),
        waits: None,
        after_recovery: false,
    }
}

/// A cut between these and all others.
pub(crate) fn cut(nodes: &[u32]) -> FaultKind {
    let side: Vec<NodeId> = nodes.iter().copied().map(NodeId).collect();
    FaultKind::Partition(Partition {
        between: vec![Target::nodes(&side)],
        direction: Direction::Both,
        clients: ClientSide::Unaffected,
        rejects: false,
    })
}

/// What went wrong, as text.
pub(crate) type Outcome = Result<(), String>;

/// Remembers which invariants were broken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness(Vec<(Time, Violation)>);

impl Observer for Witness {
    fn violated(&mut self, at: Time, violation: Violation) {
        self.0.push((at, violation));
    }
}

/// How often it is looked whether a condition has come about.
const LOOK: Span = Span::from_millis(1);

/// A run under way.
pub(crate) struct Lab {
    pub(crate) plan: Plan,
    simulation: Simulation<Counters, Witness>,
    now: Time,
    /// Invariants that need not hold.
    pub(crate) spared: Vec<Invariant>,
    /// Luck in what the test does.
    pub(crate) luck: Stream,
}

impl Lab {
    pub(crate) fn new(plan: Plan) -> Lab {
        let luck = Stream::fixed(plan.seed, "what the test does");
        let simulation = plan.simulation();
        Lab { simulation, now: Time::ZERO, spared: Vec::new(), luck, plan }
    }

    pub(crate) fn now(&self) -> Time {
        self.now
    }

    pub(crate) fn nodes(&self) -> &[Counter] {
        self.simulation.machines()
    }

    /// The highest high watermark that any leader had.
    pub(crate) fn high_watermark(&self) -> u64 {
        self.simulation.oracle().high_watermark()
    }

    /// Runs until `end`; the invariants have been looked at after every input.
    fn run_to(&mut self, end: Time) -> Outcome {
        self.now = end;
        self.simulation.run_until(end).map_err(|error| error.to_string())?;
        let name = |violation: &Violation| {
            let invariant = Invariant::ALL.get(violation.invariant.index());
            invariant.map_or("Counting", |invariant| invariant.name())
        };
        let is_spared = |violation: &Violation| {
            self.spared.iter().any(|spared| spared.index() == violation.invariant.index())
        };
        let text = |(at, violation): &(Time, Violation)| {
            let (at, node) = (at.as_millis(), violation.node.0);
            format!("at {at} ms: {} at node {node}: {}", name(violation), violation.detail)
        };
        let broken = self.simulation.observer().0.iter();
        let broken: Vec<String> =
            broken.filter(|(_, violation)| !is_spared(violation)).map(text).collect();
        if broken.is_empty() { Ok(()) } else { Err(broken.join("\n")) }
    }

    /// Runs until `condition`, which must come about within `most`.
    pub(crate) fn run_until(
        &mut self,
        what: &str,
        most: Span,
        condition: impl Fn(&Lab) -> bool,
    ) -> Outcome {
        let end = self.now + most;
        while !condition(self) {
            if self.now >= end {
                return Err(format!("not within {} ms: {what}", most.as_millis()));
            }
            self.run_to(self.now + LOOK)?;
        }
        Ok(())
    }

    pub(crate) fn run_for(&mut self, span: Span) -> Outcome {
        self.run_to(self.now + span)
    }

    /// The run again, with the schedule as it is now, up to this moment.
    pub(crate) fn again(&mut self) -> Outcome {
        self.simulation = self.plan.simulation();
        self.run_to(self.now)
    }

    /// Something goes wrong now.
    pub(crate) fn inject(&mut self, kind: FaultKind, nodes: &[u32]) -> Outcome {
        let at = self.now;
        self.plan.faults.push(planned(at, kind, nodes));
        self.again()
    }

    /// All that goes wrong ends now.
    pub(crate) fn heal(&mut self) -> Outcome {
        let now = self.now;
        for fault in self.plan.faults.iter_mut().filter(|fault| fault.lasts.is_none()) {
            fault.lasts = Some(now.since(fault.at));
        }
        self.again()
    }

    pub(crate) fn leader(&self) -> Option<u32> {
        let leads = |counter: &&Counter| {
            counter.replica.is_running() && counter.replica.role() == RoleName::Leader
        };
        let leaders = (0..).zip(self.nodes()).filter(|(_, counter)| leads(counter));
        leaders.max_by_key(|(_, counter)| counter.replica.epoch()).map(|(index, _)| index)
    }

    /// Everybody that runs, but for those that are left out, knows the same leader in the same
    /// epoch (`Cluster.hasConsistentLeader`).
    pub(crate) fn agrees(&self, but: &[u32]) -> bool {
        let Some(leader) = self.leader().filter(|leader| !but.contains(leader)) else {
            return false;
        };
        let epoch = self.nodes()[leader as usize].replica.epoch();
        self.running(but).all(|counter| {
            counter.replica.epoch() == epoch && counter.replica.leader() == Some(NodeId(leader))
        })
    }

    /// Everybody that runs, but for those that are left out, has read so far.
    pub(crate) fn all_reached(&self, offset: u64, but: &[u32]) -> bool {
        self.running(but).all(|counter| counter.replica.applied() >= offset)
    }

    pub(crate) fn any_reached(&self, offset: u64) -> bool {
        self.running(&[]).any(|counter| counter.replica.applied() >= offset)
    }

    fn running<'a>(&'a self, but: &'a [u32]) -> impl Iterator<Item = &'a Counter> {
        let wanted = (0..).zip(self.nodes()).filter(|(index, _)| !but.contains(index));
        wanted.map(|(_, counter)| counter).filter(|counter| counter.replica.is_running())
    }

    /// The furthest that anybody has read.
    pub(crate) fn reached(&self) -> u64 {
        self.running(&[]).map(|counter| counter.replica.applied()).max().unwrap_or(0)
    }
}
