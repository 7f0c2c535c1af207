//! What the world costs: `cargo bench --bench world [-- w1|spend|lognormal [hops [repeats]]]`.
//!
//! Three nodes, 64 tokens; a token that arrives is sent on over the connection to one of the others.
//! Everything goes through connections, links and lanes, with the fingerprint on.
//!
//! * `w1`: exponential latency of mean 500 us, as in the benchmark of the engine; no bandwidth, no
//!   CPU time. One event a hop.
//! * `lognormal`: latency of the lab-vm hardware, and its bandwidth. One event a hop.
//! * `spend`: the same, and each message costs 1 us of CPU time, so that some wait for the lane.
//!
//! Each line has the median of the repeats, per second of CPU time where the system tells it and of
//! wall time otherwise.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the wall clock")]

use std::time::Instant;

use mqsim::engine::{Chance, Distribution, Limits, Span, Time};
use mqsim::observe::{Blind, NodeId, NodeKind, Observer};
use mqsim::world::{
    CardSpec, Cluster, ConnId, Context, CpuSpec, Death, DiskSpec, DiskView, Host, Input, LinkSpec,
    Machine, PageCacheSpec, RoleQuery, Setup, Simulation, Topology, Wait, WorldView,
};

const NODES: u32 = 3;
const TOKENS: u32 = 64;

/// Sends every token on to one of the others.
#[derive(Clone)]
struct Ring {
    cost: Span,
    others: Vec<ConnId>,
    hops: u64,
}

/// As large as a family's messages are.
#[derive(Clone, Copy)]
struct Token([u64; 5]);

impl Machine for Ring {
    type Message = Token;

    #[inline]
    fn handle(&mut self, input: Input<Token>, ctx: &mut Context<'_, Token>) {
        match input {
            Input::Boot(boot) => {
                self.others = boot.established.iter().map(|open| open.conn).collect();
                ctx.ready();
                let own = ctx.node().0;
                for token in (0..TOKENS).filter(|token| token % NODES == own) {
                    ctx.send(self.others[0], Token([u64::from(token); 5]), 100);
                }
            }
            Input::Message { body: Token(mut words), .. } => {
                self.hops += 1;
                ctx.spend(self.cost);
                words[0] = words[0].wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let to = (words[0] >> 33) as usize % self.others.len();
                ctx.send(self.others[to], Token(words), 100);
            }
            _ => {}
        }
    }

    fn died(&mut self, _: Death, _: &DiskView<'_>, _: Time, _: &mut dyn Observer) {}

    fn waits_for(&self) -> Option<Wait> {
        Some("the next round".into())
    }
}

#[derive(Clone)]
struct Rings;

impl Cluster for Rings {
    type Machine = Ring;
    type Oracle = ();

    fn resolve(_: &[Ring], _: &RoleQuery, _: &WorldView<'_>) -> Vec<NodeId> {
        Vec::new()
    }
}

/// Runs until at least `hops` hops are done; returns their number and the fingerprint.
fn ring(hops: u64, latency: &Distribution, bandwidth: u64, cost: Span) -> (u64, u64) {
    let loss = Chance::NEVER;
    let mut topology = Topology::flat(LinkSpec { latency: latency.clone(), bandwidth, loss });
    for n in 1..=NODES {
        let disk = DiskSpec {
            fsync: Distribution::Constant(0),
            spread: 0,
            bandwidth: 0,
            capacity: 0,
            write_back_age: Span::from_secs(30),
            torn_tail: false,
            seek: Span::ZERO,
            cache: PageCacheSpec::UNLIMITED,
        };
        let cpu = CpuSpec { cores: 2, percent: 100 };
        topology.add(Host {
            name: format!("n{n}"),
            kind: NodeKind::Broker,
            zone: 0,
            disk,
            cpu,
            card: CardSpec::UNLIMITED,
        });
    }
    let pairs = [(0, 1), (1, 2), (2, 0)];
    let setup = Setup {
        seed: 42,
        topology,
        machines: vec![Ring { cost, others: Vec::new(), hops: 0 }; NODES as usize],
        established: pairs.map(|(a, b)| (NodeId(a), NodeId(b))).to_vec(),
        faults: Vec::new(),
        actions: Vec::new(),
        duration: Span::MAX,
        drain: Span::ZERO,
        limits: Limits::default(),
        invariants: true,
    };
    let mut simulation: Simulation<Rings, Blind> = Simulation::new(setup, Blind).expect("sound");
    let done = |s: &Simulation<Rings, Blind>| s.machines().iter().map(|m| m.hops).sum::<u64>();
    let step = Span::from_nanos(latency.mean() * 1_000);
    while done(&simulation) < hops {
        let next = simulation.now() + step;
        simulation.run_until(next).expect("no limit is passed");
    }
    (done(&simulation), simulation.fingerprint().total())
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let which = arguments.first().map_or("", String::as_str);
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok());
    let (hops, repeats) = (number(1).unwrap_or(4_000_000), number(2).unwrap_or(5));
    let exponential = Distribution::Exponential { mean: 500_000 };
    let lognormal = Distribution::lognormal(40_000, 200_000);
    let cases = [
        ("w1", exponential, 0, Span::ZERO),
        ("lognormal", lognormal.clone(), 1 << 30, Span::ZERO),
        ("spend", lognormal, 1 << 30, Span::from_micros(1)),
    ];
    for (name, latency, bandwidth, cost) in &cases {
        if which.is_empty() || which == *name {
            measure(name, repeats, || ring(hops, latency, *bandwidth, *cost));
        }
    }
}

/// Nanoseconds of CPU time used by this (only) thread, if the system tells.
fn cpu_nanos() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// Prints one line: the median rate and cost of a hop, and the fastest and slowest.
fn measure(name: &str, repeats: u64, work: impl Fn() -> (u64, u64)) {
    let mut nanos = Vec::new();
    let mut check = 0;
    for _ in 0..repeats.max(1) {
        let (cpu, wall) = (cpu_nanos(), Instant::now());
        let (hops, result) = work();
        let wall = wall.elapsed().as_secs_f64();
        let used = cpu.zip(cpu_nanos()).map(|(before, after)| (after - before) as f64 / 1e9);
        let used = used.filter(|used| *used > 0.0).unwrap_or(wall);
        nanos.push(used * 1e9 / hops as f64);
        check = result;
    }
    nanos.sort_by(f64::total_cmp);
    let median = nanos[nanos.len() / 2];
    let (fastest, slowest) = (nanos[0], nanos[nanos.len() - 1]);
    println!(
        "{name}: {:.2} M hops a CPU second; {median:.1} ns each ({fastest:.1} to {slowest:.1}); \
         check {check:016x}",
        1e3 / median,
    );
}
