//! What the engine costs: `cargo bench --bench engine [-- PART [COUNT [REPEATS]]]`, of these parts:
//!
//! * `w1`: three nodes, 64 tokens; a token that arrives is sent on, exponential latency of mean
//!   500 us from one stream. One event a hop.
//! * `w2`: a producer (window of 256), a leader, two followers, a consumer; eight events a record.
//!   The run checks that every record was acknowledged, replicated and applied exactly once.
//! * `hold`: one pop and one push with 10, 100, 10 thousand and 1 million events pending.
//! * `fork`: a clone of a kernel with a thousand events pending.
//! * `draws`: the random streams and distributions by themselves.
//!
//! Everything goes through the public interface with the fingerprint on. Each line has the median
//! of the repeats, per second of CPU time where the system tells it and of wall time otherwise.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the wall clock")]

use std::hint::black_box;
use std::time::Instant;

use mqsim::engine::{Distribution, Event, EventQueue, Kernel, Limits, Stream, Time};

const MEAN: Distribution = Distribution::Exponential { mean: 500_000 };

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let which = arguments.first().map_or("", String::as_str);
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok());
    let repeats = number(2).unwrap_or(5) as usize;
    let wanted = |name: &str| which.is_empty() || which == name;
    // First, as what a process has freed before blurs how much memory the queue takes.
    if wanted("hold") {
        for pending in [10, 100, 10_000, 1_000_000] {
            hold(pending, number(1).unwrap_or(4_000_000), repeats);
        }
    }
    if wanted("w1") {
        let hops = number(1).unwrap_or(4_000_000);
        measure("w1", "hops", hops, repeats, || ring(hops));
    }
    if wanted("w2") {
        let records = number(1).unwrap_or(400_000);
        measure("w2", "records", records, repeats, || log::run(records as u32));
    }
    if wanted("fork") {
        fork(number(1).unwrap_or(20_000), repeats);
    }
    if wanted("draws") {
        draws(number(1).unwrap_or(10_000_000), repeats);
    }
}

/// Nanoseconds of CPU time used by this (only) thread, if the system tells.
fn cpu_nanos() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// Runs `work` and returns the seconds it took and what it returned.
fn timed<T>(mut work: impl FnMut() -> T) -> (f64, T) {
    let (cpu, wall) = (cpu_nanos(), Instant::now());
    let result = work();
    let wall = wall.elapsed().as_secs_f64();
    let used = cpu.zip(cpu_nanos()).map(|(before, after)| (after - before) as f64 / 1e9);
    (used.filter(|used| *used > 0.0).unwrap_or(wall), result)
}

/// Prints one line: the median rate and cost of `count` units of work and the slowest and fastest.
fn measure(name: &str, unit: &str, count: u64, repeats: usize, mut work: impl FnMut() -> u64) {
    let mut seconds = Vec::new();
    let mut check = 0;
    for _ in 0..repeats.max(1) {
        let (used, result) = timed(&mut work);
        seconds.push(used);
        check = result;
    }
    seconds.sort_by(f64::total_cmp);
    let nanos = |seconds: f64| seconds * 1e9 / count as f64;
    let median = seconds[seconds.len() / 2];
    println!(
        "{name}: {:.2} M {unit} a CPU second; {:.1} ns each ({:.1} to {:.1}); check {check:016x}",
        count as f64 / median / 1e6,
        nanos(median),
        nanos(seconds[0]),
        nanos(seconds[seconds.len() - 1]),
    );
}

/// A hop of a token: where it comes from and goes to, which token, how often it was sent before.
#[derive(Clone, Copy)]
struct Hop {
    to: u32,
    from: u32,
    token: u32,
    sent: u32,
}

impl Event for Hop {
    fn words(&self) -> [u64; 2] {
        [pair(self.to, self.from), pair(self.token, self.sent)]
    }
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

fn ring(hops: u64) -> u64 {
    let mut kernel = Kernel::new(Limits::default());
    let mut stream = Stream::new(42, "link");
    let mut left = hops - 64;
    let mut arrived = [0_u64; 3];
    for token in 0..64 {
        let at = kernel.now() + MEAN.span(stream.at(kernel.now()));
        kernel.schedule(at, Hop { to: token % 3, from: 2, token, sent: 0 });
    }
    while let Some(hop) = kernel.next().expect("no limit is passed") {
        arrived[hop.to as usize] += 1;
        if left > 0 {
            left -= 1;
            let to = [1, 2, 0][hop.to as usize];
            let at = kernel.now() + MEAN.span(stream.at(kernel.now()));
            kernel.schedule(at, Hop { to, from: hop.to, token: hop.token, sent: hop.sent + 1 });
        }
    }
    assert_eq!(arrived.iter().sum::<u64>(), hops);
    kernel.fingerprint().total()
}

fn hold(pending: usize, steps: u64, repeats: usize) {
    let before = resident_bytes();
    let mut queue = EventQueue::new();
    let mut stream = Stream::fixed(7, "hold");
    for i in 0..pending {
        queue.push(Time::ZERO + MEAN.span(&mut stream), [i as u64, 0]);
    }
    let step = |queue: &mut EventQueue<[u64; 2]>, stream: &mut Stream| {
        let (now, event) = queue.pop().expect("the number pending stays the same");
        queue.push(now + MEAN.span(stream), event);
        event[0]
    };
    for _ in 0..pending {
        step(&mut queue, &mut stream);
    }
    if let (Some(before), Some(after)) = (before, resident_bytes()) {
        let each = after.saturating_sub(before) as f64 / pending as f64;
        if pending >= 100_000 {
            println!("hold {pending}: {each:.1} bytes resident a pending event");
        }
    }
    measure(&format!("hold {pending} with a draw"), "steps", steps, repeats, || {
        (0..steps).fold(0, |sum, _| sum ^ step(&mut queue, &mut stream))
    });
    let gaps: Vec<u64> = (0..1 << 16).map(|_| MEAN.sample(&mut stream)).collect();
    measure(&format!("hold {pending}"), "steps", steps, repeats, || {
        (0..steps).fold(0, |sum, i| {
            let (now, event) = queue.pop().expect("the number pending stays the same");
            let gap = gaps[i as usize % gaps.len()];
            queue.push(Time::from_nanos(now.as_nanos() + gap), event);
            sum ^ event[0]
        })
    });
}

fn fork(count: u64, repeats: usize) {
    let mut kernel = Kernel::new(Limits::default());
    let mut stream = Stream::fixed(3, "fork");
    for i in 0..1_000_u64 {
        kernel.schedule(Time::ZERO + MEAN.span(&mut stream), i);
    }
    measure("fork 1000", "clones", count, repeats, || {
        (0..count).fold(0, |sum, _| sum + black_box(kernel.clone()).pending() as u64)
    });
}

/// Bytes of memory in use by the process, if the system tells; pages are taken to be of 4 KiB.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(text.split_whitespace().nth(1)?.parse::<u64>().ok()? * 4096)
}

fn draws(count: u64, repeats: usize) {
    let mut stream = Stream::fixed(1, "draws");
    measure("next_u64", "draws", count, repeats, || {
        (0..count).fold(0, |sum: u64, _| sum ^ stream.next_u64())
    });
    let shapes = [
        ("uniform", Distribution::Uniform { low: 100_000, high: 900_000 }),
        ("exponential", MEAN),
        ("lognormal", Distribution::lognormal(100_000, 400_000)),
    ];
    for (name, shape) in shapes {
        let shape = black_box(shape);
        measure(name, "samples", count, repeats, || {
            (0..count).fold(0, |sum: u64, _| sum.wrapping_add(shape.sample(&mut stream)))
        });
    }
    let mut stream = Stream::new(1, "seconds");
    let seconds = count / 100;
    measure("move to another second and draw once", "draws", seconds, repeats, || {
        (0..seconds).fold(0, |sum, second| {
            sum ^ stream.at(Time::from_nanos(second * 1_000_000_000)).next_u64()
        })
    });
}

/// A replicated log: five nodes, eight events a record.
mod log {
    use super::{Event, Kernel, Limits, MEAN, Stream, pair};

    const WINDOW: u32 = 256;

    #[derive(Clone, Copy)]
    #[repr(u8)]
    enum Kind {
        Append,
        Copy,
        Copied,
        Acked,
        Apply,
        Applied,
    }

    #[derive(Clone, Copy)]
    struct Note {
        kind: Kind,
        from: u8,
        to: u8,
        index: u32,
        record: u32,
        value: u32,
    }

    impl Event for Note {
        #[inline(always)]
        fn words(&self) -> [u64; 2] {
            let head = self.kind as u32 | u32::from(self.from) << 8 | u32::from(self.to) << 16;
            [pair(head, self.index), pair(self.record, self.value)]
        }
    }

    const PRODUCER: u8 = 0;
    const LEADER: u8 = 1;
    const FOLLOWERS: [u8; 2] = [2, 3];
    const CONSUMER: u8 = 4;

    struct Network {
        kernel: Kernel<Note>,
        latency: Stream,
    }

    impl Network {
        #[inline(always)]
        fn send(&mut self, note: Note) {
            let now = self.kernel.now();
            self.kernel.schedule(now + MEAN.span(self.latency.at(now)), note);
        }
    }

    #[derive(Clone, Copy, Default, PartialEq)]
    struct Record {
        id: u32,
        value: u32,
    }

    /// A set of record ids that counts what was inserted twice.
    struct Seen {
        bits: Vec<u64>,
        twice: u32,
    }

    impl Seen {
        fn new(count: u32) -> Seen {
            Seen { bits: vec![0; count as usize / 64 + 1], twice: 0 }
        }

        #[inline(always)]
        fn insert(&mut self, id: u32) {
            let (word, bit) = (id as usize / 64, 1 << (id % 64));
            self.twice += u32::from(self.bits[word] & bit != 0);
            self.bits[word] |= bit;
        }
    }

    struct Nodes {
        count: u32,
        produced: u32,
        acked: Seen,
        log: Vec<Record>,
        copies: Vec<u8>,
        committed: u32,
        /// Hash of the record ids in the order of commitment, and in that of application.
        order: [u64; 2],
        applied_at_leader: u32,
        replicas: [Vec<Record>; 2],
        applied: u32,
        held: std::collections::VecDeque<Option<Record>>,
        seen: Seen,
        wrong: u32,
    }

    fn value_of(id: u32) -> u32 {
        (id ^ 0x5bd1_e995).wrapping_mul(0x9e37_79b1).rotate_left(11)
    }

    fn roll(hash: u64, id: u32) -> u64 {
        (hash ^ u64::from(id)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn note(kind: Kind, from: u8, to: u8, index: u32, record: Record) -> Note {
        Note { kind, from, to, index, record: record.id, value: record.value }
    }

    impl Nodes {
        fn append(&mut self, network: &mut Network) {
            let id = self.produced;
            self.produced += 1;
            let record = Record { id, value: value_of(id) };
            network.send(note(Kind::Append, PRODUCER, LEADER, 0, record));
        }

        fn handle(&mut self, event: Note, network: &mut Network) {
            let record = Record { id: event.record, value: event.value };
            match event.kind {
                Kind::Append => {
                    let index = self.log.len() as u32;
                    self.log.push(record);
                    self.copies.push(0);
                    for follower in FOLLOWERS {
                        network.send(note(Kind::Copy, LEADER, follower, index, record));
                    }
                }
                Kind::Copy => {
                    let replica = &mut self.replicas[(event.to - FOLLOWERS[0]) as usize];
                    let index = event.index as usize;
                    if index >= replica.len() {
                        replica.resize(index + 1, Record::default());
                    }
                    replica[index] = record;
                    network.send(note(Kind::Copied, event.to, LEADER, event.index, record));
                }
                Kind::Copied => {
                    let copies = &mut self.copies[event.index as usize];
                    *copies += 1;
                    if *copies == 2 {
                        let record = self.log[event.index as usize];
                        let place = self.committed;
                        self.committed += 1;
                        self.order[0] = roll(self.order[0], record.id);
                        network.send(note(Kind::Acked, LEADER, PRODUCER, event.index, record));
                        network.send(note(Kind::Apply, LEADER, CONSUMER, place, record));
                    }
                }
                Kind::Acked => {
                    self.acked.insert(record.id);
                    if self.produced < self.count {
                        self.append(network);
                    }
                }
                Kind::Apply => self.apply(event.index, record, network),
                Kind::Applied => self.applied_at_leader += 1,
            }
        }

        /// The consumer applies in the order of commitment, in whatever order notes arrive.
        fn apply(&mut self, place: u32, record: Record, network: &mut Network) {
            let offset = (place - self.applied) as usize;
            if offset >= self.held.len() {
                self.held.resize(offset + 1, None);
            }
            self.held[offset] = Some(record);
            while let Some(Some(record)) = self.held.front().copied() {
                self.held.pop_front();
                self.wrong += u32::from(record.value != value_of(record.id));
                self.order[1] = roll(self.order[1], record.id);
                self.seen.insert(record.id);
                self.applied += 1;
            }
            network.send(note(Kind::Applied, CONSUMER, LEADER, place, record));
        }
    }

    /// Runs the log until every record is applied everywhere and checks that each was, once.
    pub(super) fn run(count: u32) -> u64 {
        let mut network =
            Network { kernel: Kernel::new(Limits::default()), latency: Stream::new(42, "link") };
        let mut nodes = Nodes {
            count,
            produced: 0,
            acked: Seen::new(count),
            log: Vec::new(),
            copies: Vec::new(),
            committed: 0,
            order: [0; 2],
            applied_at_leader: 0,
            replicas: [Vec::new(), Vec::new()],
            applied: 0,
            held: std::collections::VecDeque::new(),
            seen: Seen::new(count),
            wrong: 0,
        };
        for _ in 0..WINDOW.min(count) {
            nodes.append(&mut network);
        }
        while let Some(event) = network.kernel.next().expect("no limit is passed") {
            nodes.handle(event, &mut network);
        }
        assert_eq!(network.kernel.events(), u64::from(count) * 8);
        assert_eq!((nodes.acked.twice, nodes.seen.twice, nodes.wrong), (0, 0, 0));
        assert_eq!(nodes.order[0], nodes.order[1]);
        assert_eq!((nodes.applied, nodes.applied_at_leader), (count, count));
        assert!(nodes.replicas.iter().all(|replica| *replica == nodes.log));
        network.kernel.fingerprint().total()
    }
}
