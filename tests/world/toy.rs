//! A toy machine for tests of the world: what it does is a list, what it sees is a trace.
#![allow(dead_code, reason = "every test file uses its own part")]

use mqsim::engine::{Chance, Distribution, Limits, Span, Time};
use mqsim::observe::{
    ActionId, Blind, FaultId, FaultPhase, InvariantId, NodeId, NodeKind, NodeState, Observer,
    Violation,
};
use mqsim::world::fault::{FaultKind, PlannedFault};
use mqsim::world::{
    CardSpec, Cluster, ConnId, Context, CpuSpec, Death, DiskSpec, DiskView, FileId, Host, Input,
    Lane, LinkSpec, Machine, PageCacheSpec, Port, RoleQuery, Setup, Signal, Simulation, Target,
    Topology, Wait, WorldView,
};

pub(crate) const PORT: Port = Port(5672);
pub(crate) const FILE: FileId = FileId(0);

/// What a toy can be told to do.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    Listen,
    Unlisten,
    /// Connects; the connection is the one used from then on.
    Connect(u32),
    /// On the current connection.
    Send(&'static str, u32),
    SendTo(u32, &'static str, u32),
    /// This many messages on the current connection.
    Burst(u32, &'static str, u32),
    /// Sends for as long as there is room.
    Fill(&'static str, u32),
    Close,
    Abort,
    Hold(bool),
    /// How much may wait at the lane of the current connection.
    ReadAhead(u32),
    Spend(Span),
    Spawn,
    /// Ends this lane.
    EndLane,
    Tell(u32, &'static str),
    After(Span, &'static str),
    WhenIdle(&'static str),
    Write(u64),
    /// The same to another file.
    WriteTo(u32, u64),
    /// Reads a stretch of the file, and writes down when the next thing is done.
    Load(u64, u64),
    Truncate(u64),
    Fsync(&'static str),
    FsyncBlocking(&'static str),
    /// Reads so many bytes.
    Read(u64, &'static str),
    /// Writes down by how much the clocks are wrong.
    Clock,
    /// The current connection's events go to this lane.
    Bind(u32),
    /// Writes down the room on the current connection.
    Room,
    /// Writes down what was read and written on the current connection.
    Counters,
    /// Draws from the node's stream, and writes it down.
    Draw,
    /// Takes the crown, or lays it down; see [`Kings`].
    Crown(bool),
    /// Tells the observer something.
    Observe,
    /// Answers the first action.
    Answer(Result<(), &'static str>),
    Ready,
    Exit,
}

/// When a toy does it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum On {
    Boot,
    Word(&'static str),
    Connected,
    Failed,
    Accepted,
    Closed,
    Writable,
    Stop,
    Command,
    LoadEnded,
    Resumed,
    DiskFailed(&'static str),
}

#[derive(Clone, Debug)]
pub(crate) struct Toy {
    rules: Vec<(On, Vec<Do>)>,
    conn: Option<ConnId>,
    file: u64,
    pub(crate) settled: bool,
    /// Whether words that are received are traced.
    pub(crate) quiet: bool,
    pub(crate) received: u64,
    crowned: bool,
    /// Whether the crown was taken or laid down since it was last looked at.
    touched: bool,
    pub(crate) trace: Vec<(Time, String)>,
}

impl Toy {
    pub(crate) fn new() -> Toy {
        Toy {
            rules: Vec::new(),
            conn: None,
            file: 0,
            settled: true,
            quiet: false,
            received: 0,
            crowned: false,
            touched: false,
            trace: Vec::new(),
        }
    }

    pub(crate) fn on(mut self, on: On, what: impl IntoIterator<Item = Do>) -> Toy {
        self.rules.push((on, what.into_iter().collect()));
        self
    }

    /// A server: listens and is ready.
    pub(crate) fn server() -> Toy {
        Toy::new().on(On::Boot, [Do::Listen, Do::Ready])
    }

    pub(crate) fn quietly(mut self) -> Toy {
        self.quiet = true;
        self
    }

    fn act(&mut self, on: &On, ctx: &mut Context<'_, &'static str>) {
        let rules: Vec<Vec<Do>> = self
            .rules
            .iter()
            .filter(|(when, _)| when == on)
            .map(|(_, what)| what.clone())
            .collect();
        for what in rules.concat() {
            self.one(what, ctx);
        }
    }

    fn one(&mut self, what: Do, ctx: &mut Context<'_, &'static str>) {
        let conn = self.conn.unwrap_or(ConnId(u32::MAX));
        match what {
            Do::Listen => ctx.listen(PORT),
            Do::Unlisten => ctx.unlisten(PORT),
            Do::Connect(to) => self.conn = Some(ctx.connect(NodeId(to), PORT)),
            Do::Send(word, bytes) => ctx.send(conn, word, bytes),
            Do::SendTo(lane, word, bytes) => ctx.send_to(conn, Lane(lane), word, bytes),
            Do::Burst(count, word, bytes) => (0..count).for_each(|_| ctx.send(conn, word, bytes)),
            Do::Fill(word, bytes) => {
                while ctx.room(conn) > 0 {
                    ctx.send(conn, word, bytes);
                }
            }
            Do::Close => ctx.close(conn),
            Do::Abort => ctx.abort(conn),
            Do::Hold(hold) => ctx.hold(conn, hold),
            Do::ReadAhead(inputs) => ctx.read_ahead(conn, inputs),
            Do::Spend(cost) => ctx.spend(cost),
            Do::Spawn => {
                let lane = ctx.spawn();
                self.note(ctx.now(), format!("spawned lane {}", lane.0));
            }
            Do::EndLane => ctx.end(ctx.lane()),
            Do::Tell(lane, word) => ctx.tell(Lane(lane), word),
            Do::After(delay, word) => {
                ctx.after(delay, ctx.lane(), word);
            }
            Do::WhenIdle(word) => ctx.when_idle(word),
            Do::Write(bytes) => match ctx.write(FILE, bytes) {
                Ok(()) => self.file += bytes,
                Err(error) => self.note(ctx.now(), format!("write: {error}")),
            },
            Do::WriteTo(file, bytes) => ctx.write(FileId(file), bytes).expect("room"),
            Do::Load(from, to) => {
                if let Err(error) = ctx.load(FILE, from, to) {
                    self.note(ctx.now(), format!("load: {error}"));
                }
            }
            Do::Truncate(length) => ctx.truncate(FILE, length),
            Do::Fsync(word) => ctx.fsync(FILE, word),
            Do::FsyncBlocking(word) => ctx.fsync_blocking(FILE, word),
            Do::Read(bytes, word) => ctx.read(bytes, word),
            Do::Clock => {
                let wall = ctx.clock().as_nanos() as i64 - 1_000_000_000_000_000_000;
                let now = ctx.now().as_nanos() as i64;
                let (wall, steady) = (wall - now, ctx.monotonic().as_nanos() as i64 - now);
                let text = format!("clock {} us, timers {} us", wall / 1_000, steady / 1_000);
                self.note(ctx.now(), text);
            }
            Do::Bind(lane) => ctx.bind(conn, Lane(lane)),
            Do::Room => {
                let room = ctx.room(conn);
                self.note(ctx.now(), format!("room {room}"));
            }
            Do::Counters => {
                let (read, sent) = (ctx.bytes_received(conn), ctx.bytes_sent(conn));
                self.note(ctx.now(), format!("read {read} B, wrote {sent} B"));
            }
            Do::Draw => {
                let drawn = ctx.random().below(1_000_000);
                self.note(ctx.now(), format!("drew {drawn}"));
            }
            Do::Crown(crowned) => self.crown(crowned),
            Do::Observe => ctx.observer().node(Time::ZERO, NodeId(0), NodeState::Up),
            Do::Answer(answer) => ctx.answer(ActionId(0), answer),
            Do::Ready => ctx.ready(),
            Do::Exit => ctx.exit(),
        }
    }

    fn crown(&mut self, crowned: bool) {
        self.crowned = crowned;
        self.touched = true;
    }

    fn note(&mut self, at: Time, text: String) {
        self.trace.push((at, text));
    }
}

impl Machine for Toy {
    type Message = &'static str;

    fn handle(&mut self, input: Input<&'static str>, ctx: &mut Context<'_, &'static str>) {
        let now = ctx.now();
        let lane = match ctx.lane() {
            Lane::MAIN => String::new(),
            Lane(lane) => format!(" on lane {lane}"),
        };
        let on = match input {
            Input::Boot(boot) => {
                for open in &boot.established {
                    self.conn = Some(open.conn);
                    let peer = open.peer.0 + 1;
                    self.note(now, format!("is connected with n{peer}"));
                }
                self.note(now, format!("boots ({})", boot.incarnation));
                On::Boot
            }
            Input::Signal(Signal::Stop) => {
                self.note(now, "is asked to stop".to_owned());
                On::Stop
            }
            Input::Signal(Signal::Command(action)) => {
                self.note(now, format!("is given command {}", action.0));
                On::Command
            }
            Input::Signal(Signal::LoadEnded) => On::LoadEnded,
            Input::Signal(Signal::NodeResumed) => {
                self.note(now, "goes on".to_owned());
                On::Resumed
            }
            Input::Accepted { conn, peer, .. } => {
                self.conn = Some(conn);
                self.note(now, format!("accepts n{}", peer.0 + 1));
                On::Accepted
            }
            Input::Connected { .. } => {
                self.note(now, "is connected".to_owned());
                On::Connected
            }
            Input::Failed { why, .. } => {
                self.note(now, format!("cannot connect: {why:?}"));
                On::Failed
            }
            Input::Closed { how, .. } => {
                self.note(now, format!("connection closed: {how:?}"));
                On::Closed
            }
            Input::Writable { .. } => {
                self.note(now, "may write".to_owned());
                On::Writable
            }
            Input::Message { conn, body } => {
                self.conn = Some(conn);
                self.received += 1;
                if !self.quiet {
                    self.note(now, format!("gets {body}{lane}"));
                }
                On::Word(body)
            }
            Input::DiskFailed { body } => {
                self.note(now, format!("{body} has failed{lane}"));
                On::DiskFailed(body)
            }
            Input::Local { body } => {
                if !self.quiet {
                    self.note(now, format!("{body}{lane}"));
                }
                On::Word(body)
            }
        };
        self.act(&on, ctx);
    }

    fn died(&mut self, death: Death, disk: &DiskView<'_>, at: Time, _: &mut dyn Observer) {
        let kept = disk.kept(FILE);
        let lost = if self.file > 0 {
            format!(", keeps {kept} of {} B", self.file)
        } else {
            String::new()
        };
        self.note(at, format!("dies: {death:?}{lost}"));
        self.file = kept;
        self.conn = None;
        self.crown(false);
    }

    fn waits_for(&self) -> Option<Wait> {
        (!self.settled).then(|| "being told to settle".into())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Toys;

impl Cluster for Toys {
    type Machine = Toy;
    type Oracle = ();

    /// Selector 0 is the node whose number it names, if it is up.
    fn resolve(machines: &[Toy], query: &RoleQuery, world: &WorldView<'_>) -> Vec<NodeId> {
        let node = NodeId(query.nth - 1);
        if node.index() < machines.len() && world.is_up(node) { vec![node] } else { Vec::new() }
    }
}

/// Toys of which at most one may have the crown, and none may take it often.
#[derive(Clone, Debug)]
pub(crate) struct Kings;

pub(crate) const ONE_KING: InvariantId = InvariantId(0);
pub(crate) const NO_THIRD_TIME: InvariantId = InvariantId(1);

impl Cluster for Kings {
    type Machine = Toy;

    /// How often each node took the crown, and whether it has it as far as was seen.
    type Oracle = Vec<(u32, bool)>;

    const CHECKED: bool = true;

    fn resolve(machines: &[Toy], query: &RoleQuery, world: &WorldView<'_>) -> Vec<NodeId> {
        Toys::resolve(machines, query, world)
    }

    fn check(
        seen: &mut Vec<(u32, bool)>,
        toys: &mut [Toy],
        node: NodeId,
        _: Time,
        report: &mut dyn FnMut(Violation),
    ) {
        let toy = &mut toys[node.index()];
        if !std::mem::take(&mut toy.touched) {
            return;
        }
        let crowned = toy.crowned;
        seen.resize(toys.len(), (0, false));
        seen[node.index()].1 = crowned;
        if !crowned {
            return;
        }
        seen[node.index()].0 += 1;
        let mut violated = |invariant, detail| {
            report(Violation { invariant, node, destination: None, detail });
        };
        let others = (0..seen.len()).filter(|other| *other != node.index());
        for other in others.filter(|other| seen[*other].1) {
            violated(ONE_KING, format!("n{} has the crown, n{} too", other + 1, node.0 + 1));
        }
        let times = seen[node.index()].0;
        if times > 2 {
            violated(NO_THIRD_TIME, format!("the crown was taken {times} times"));
        }
    }
}

/// 1 ms from host to host, unlimited, without loss.
pub(crate) fn plain_link() -> LinkSpec {
    LinkSpec { latency: Distribution::Constant(1_000_000), bandwidth: 0, loss: Chance::NEVER }
}

/// 10 ms an fsync, 1 MB/s, 1 GB, 30 s.
pub(crate) fn plain_disk() -> DiskSpec {
    DiskSpec {
        fsync: Distribution::Constant(10_000_000),
        spread: 0,
        bandwidth: 1_000_000,
        capacity: 1_000_000_000,
        write_back_age: Span::from_secs(30),
        torn_tail: false,
        seek: Span::ZERO,
        cache: PageCacheSpec::UNLIMITED,
    }
}

pub(crate) fn host(name: &str, kind: NodeKind) -> Host {
    let cpu = CpuSpec { cores: 2, percent: 100 };
    Host {
        name: name.to_owned(),
        kind,
        zone: 0,
        disk: plain_disk(),
        cpu,
        card: CardSpec::UNLIMITED,
    }
}

/// Brokers n1, n2, ... on one flat network, running until `seconds`.
pub(crate) fn setup(toys: Vec<Toy>, seconds: u64) -> Setup<Toy> {
    let mut topology = Topology::flat(plain_link());
    for n in 1..=toys.len() {
        topology.add(host(&format!("n{n}"), NodeKind::Broker));
    }
    Setup {
        seed: 1,
        topology,
        machines: toys,
        established: Vec::new(),
        faults: Vec::new(),
        actions: Vec::new(),
        duration: Span::from_secs(seconds),
        drain: Span::ZERO,
        limits: Limits::default(),
        invariants: true,
    }
}

pub(crate) fn simulate(setup: Setup<Toy>) -> Simulation<Toys, Blind> {
    let mut simulation = Simulation::new(setup, Blind).expect("a sound setup");
    simulation.run().expect("a run that ends");
    simulation
}

/// What all toys saw, by time, then by node: `1.002000 n2 gets ping`.
pub(crate) fn story<C: Cluster<Machine = Toy>, O: Observer>(
    simulation: &Simulation<C, O>,
) -> String {
    let mut lines: Vec<(Time, usize, String)> = Vec::new();
    for (index, toy) in simulation.machines().iter().enumerate() {
        lines.extend(toy.trace.iter().map(|(at, text)| (*at, index, text.clone())));
    }
    lines.sort_by_key(|(at, index, _)| (*at, *index));
    let name = |index: usize| &simulation.topology().hosts[index].name;
    let line = |(at, index, text): &(Time, usize, String)| {
        let (secs, micros) = (at.as_secs(), at.as_nanos() / 1_000 % 1_000_000);
        format!("{secs}.{micros:06} {} {text}\n", name(*index))
    };
    lines.iter().map(line).collect()
}

pub(crate) fn run(setup: Setup<Toy>) -> String {
    story(&simulate(setup))
}

/// A fault of the schedule.
pub(crate) fn fault(at: u64, lasts: Option<u64>, kind: FaultKind, nodes: &[u32]) -> PlannedFault {
    let nodes: Vec<NodeId> = nodes.iter().map(|node| NodeId(node - 1)).collect();
    PlannedFault {
        id: FaultId(0),
        at: Time::from_nanos(at * 1_000_000),
        lasts: lasts.map(Span::from_millis),
        kind,
        target: Target::nodes(&nodes),
        text: String::new(),
        waits: None,
        after_recovery: false,
    }
}

/// Writes down faults and states of nodes as they are reported.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diary(pub(crate) Vec<String>);

impl Observer for Diary {
    fn node(&mut self, at: Time, node: NodeId, state: NodeState) {
        self.0.push(format!("{} ms n{} {state:?}", at.as_millis(), node.0 + 1));
    }

    fn fault(&mut self, at: Time, fault: FaultId, phase: FaultPhase, targets: &[NodeId]) {
        let nodes: Vec<String> = targets.iter().map(|node| format!("n{}", node.0 + 1)).collect();
        let (at, nodes) = (at.as_millis(), nodes.join(","));
        let line = format!("{at} ms fault {} {phase:?} {nodes}", fault.0);
        self.0.push(line.trim_end().to_owned());
    }

    fn violated(&mut self, at: Time, violation: Violation) {
        let Violation { invariant, node, detail, .. } = violation;
        let (at, node) = (at.as_millis(), node.0 + 1);
        self.0.push(format!("{at} ms n{node} breaks {}: {detail}", invariant.0));
    }
}

pub(crate) fn ms(millis: u64) -> Span {
    Span::from_millis(millis)
}
