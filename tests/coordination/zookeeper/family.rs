//! A family of nothing but ZooKeeper servers and clients that do as they are told.

use std::collections::BTreeMap;
use std::sync::Arc;

use mqsim::brokers::coordination::Carry;
use mqsim::brokers::coordination::zookeeper::{
    Answer, Config, Costs, Data, Event, Op, Outcome, Path, Server, Session, SessionId, Settings,
    Tree, Words, Xid,
};
use mqsim::engine::{Chance, Distribution, Limits, Span, Time};
use mqsim::observe::{EventId, NodeId, NodeKind, Observer};
use mqsim::world::{
    By, CardSpec, Cluster, Context, CpuSpec, Death, DiskSpec, DiskView, Host, Input, Lane,
    LinkSpec, Machine, PageCacheSpec, PlannedFault, RoleQuery, Setup, Topology, Wait, WorldView,
};

type Zk = mqsim::brokers::coordination::zookeeper::Message<Value>;

/// What a znode holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Value(pub(crate) u32);

impl Data for Value {
    fn bytes(&self) -> u32 {
        100
    }
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Zk(Zk),
    /// The next action of the schedule is due.
    Do(u32),
}

impl From<Zk> for Message {
    fn from(message: Zk) -> Message {
        Message::Zk(message)
    }
}

impl Carry<Zk> for Message {
    fn open(self) -> Result<Zk, Message> {
        match self {
            Message::Zk(message) => Ok(message),
            other => Err(other),
        }
    }
}

/// What a client is told to do.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// A session with these servers.
    Open(Vec<NodeId>, Span),
    Close,
    Ask(Op<Value>),
}

/// What came of one request.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) op: Op<Value>,
    pub(crate) asked: Time,
    pub(crate) answered: Time,
    pub(crate) session: Option<SessionId>,
    pub(crate) outcome: Outcome<Value>,
}

#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) session: Option<Session<Value>>,
    schedule: Vec<(Time, Action)>,
    clock: By,
    /// Whether it opens a new session when one has expired.
    persists: bool,
    /// What waits for an answer; nothing is the end of the session.
    asked: BTreeMap<Xid, (Time, Option<Op<Value>>)>,
    pub(crate) records: Vec<Record>,
    pub(crate) trace: Vec<(Time, String)>,
}

impl Client {
    pub(crate) fn new(schedule: Vec<(Time, Action)>, persists: bool) -> Client {
        Client {
            session: None,
            schedule,
            clock: By::Monotonic,
            persists,
            asked: BTreeMap::new(),
            records: Vec::new(),
            trace: Vec::new(),
        }
    }

    fn act(&mut self, index: u32, ctx: &mut Context<'_, Message>) {
        match self.schedule[index as usize].1.clone() {
            Action::Open(servers, timeout) => {
                let mut session = Session::new(Arc::from(servers), timeout, 0, self.clock);
                session.open(ctx);
                self.session = Some(session);
            }
            Action::Close => {
                if let Some(xid) = self.session.as_mut().and_then(|session| session.close(ctx)) {
                    self.asked.insert(xid, (ctx.now(), None));
                }
            }
            Action::Ask(op) => {
                let Some(session) = &mut self.session else { return };
                match session.request(op.clone(), ctx) {
                    Ok(xid) => {
                        self.asked.insert(xid, (ctx.now(), Some(op)));
                    }
                    Err(error) => self.trace.push((ctx.now(), format!("has no session: {error}"))),
                }
            }
        }
    }

    fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                for (index, (at, _)) in self.schedule.iter().enumerate() {
                    ctx.after(at.since(ctx.now()), Lane::MAIN, Message::Do(index as u32));
                }
                ctx.ready();
            }
            Input::Local { body: Message::Do(index) } => self.act(index, ctx),
            input => {
                let Some(session) = &mut self.session else { return };
                for event in session.handle(input, ctx) {
                    self.react(event, ctx);
                }
            }
        }
    }

    fn react(&mut self, event: Event<Value>, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        let text = match event {
            Event::Connected { session, new } => {
                let first = if new { "a new session" } else { "its session" };
                format!("has {first} at zk{} ({})", session.0 >> 56, session.0 & 0xffff)
            }
            Event::Disconnected => "is disconnected".to_owned(),
            Event::Expired => {
                if self.persists
                    && let Some(session) = &mut self.session
                {
                    session.open(ctx);
                }
                "learns that its session has expired".to_owned()
            }
            Event::Watch { path, kind } => format!("is told of {path}: {kind:?}"),
            Event::Response { xid, outcome } => {
                let (asked, op) = self.asked.remove(&xid).expect("it was asked for");
                let text = match &op {
                    Some(op) => format!("{}: {}", show_op(op), show(&outcome)),
                    None => format!("close: {}", show(&outcome)),
                };
                let session = self.session.as_ref().and_then(Session::id);
                if let Some(op) = op {
                    self.records.push(Record { op, asked, answered: now, session, outcome });
                }
                text
            }
        };
        self.trace.push((now, text));
    }
}

fn show_op(op: &Op<Value>) -> String {
    match op {
        Op::Create { path, .. } => format!("create {path}"),
        Op::Delete { path, .. } => format!("delete {path}"),
        Op::Exists { path, .. } => format!("exists {path}"),
        Op::GetData { path, .. } => format!("get {path}"),
        Op::SetData { path, data, .. } => {
            format!("set {path} {}", data.map_or(0, |Value(value)| value))
        }
        Op::GetChildren { path, .. } => format!("children {path}"),
        Op::Check { path, version } => format!("check {path} {version}"),
        Op::Multi(ops) => ops.iter().map(show_op).collect::<Vec<_>>().join(", "),
        Op::Sync => "sync".to_owned(),
    }
}

fn show(outcome: &Outcome<Value>) -> String {
    match outcome {
        Err(error) => error.to_string(),
        Ok(Answer::Created(path)) => format!("created {path}"),
        Ok(Answer::Done) => "done".to_owned(),
        Ok(Answer::Stat(stat)) => format!("version {} of {}", stat.version, stat.mzxid),
        Ok(Answer::Data(data, stat)) => {
            let data = data.map_or("nothing".to_owned(), |Value(value)| value.to_string());
            format!("{data}, version {} of {}", stat.version, stat.mzxid)
        }
        Ok(Answer::Children(names, _)) if names.is_empty() => "none".to_owned(),
        Ok(Answer::Children(names, _)) => names.join(" "),
        Ok(Answer::Multi(outcomes)) => outcomes.iter().map(show).collect::<Vec<_>>().join(", "),
    }
}

/// A host's machine.
#[derive(Clone, Debug)]
pub(crate) enum Actor {
    Server(Box<Server<Value>>),
    Client(Box<Client>),
}

impl Actor {
    pub(crate) fn server(&self) -> Option<&Server<Value>> {
        match self {
            Actor::Server(server) => Some(server),
            Actor::Client(_) => None,
        }
    }

    pub(crate) fn client(&self) -> Option<&Client> {
        match self {
            Actor::Server(_) => None,
            Actor::Client(client) => Some(client),
        }
    }
}

impl Machine for Actor {
    type Message = Message;

    fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match self {
            Actor::Server(server) => server.handle(input, ctx),
            Actor::Client(client) => client.handle(input, ctx),
        }
    }

    fn died(&mut self, death: Death, disk: &DiskView<'_>, at: Time, observer: &mut dyn Observer) {
        if let Actor::Server(server) = self {
            server.died(death, disk, at, observer);
        }
    }

    fn waits_for(&self) -> Option<Wait> {
        match self {
            Actor::Server(server) => server.waits_for(),
            Actor::Client(client) => {
                let settled =
                    |session: &Session<Value>| session.is_connected() && session.is_idle();
                let waits = !client.session.as_ref().is_none_or(settled);
                waits.then(|| "its session".into())
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Actors;

impl Cluster for Actors {
    type Machine = Actor;
    type Oracle = ();

    fn resolve(_: &[Actor], _: &RoleQuery, _: &WorldView<'_>) -> Vec<NodeId> {
        Vec::new()
    }
}

/// The events that servers report, by id.
pub(crate) const WORDS: [&str; 6] = [
    "looks for a leader",
    "follows",
    "leads",
    "ends sessions",
    "truncates",
    "gets a snapshot from",
];

/// An ensemble and its clients.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) servers: u32,
    pub(crate) tick: Span,
    /// By which clock sessions are reckoned, on both sides.
    pub(crate) clock: By,
    pub(crate) force_sync: bool,
    pub(crate) fsync: Span,
    pub(crate) seed: u64,
    /// Znodes that are there from the start.
    pub(crate) planted: Vec<(Path, Value)>,
    pub(crate) clients: Vec<(String, Client)>,
    pub(crate) faults: Vec<PlannedFault>,
}

impl Plan {
    pub(crate) fn hosts(&self) -> Vec<String> {
        let servers = (1..=self.servers).map(|number| format!("zk{number}"));
        servers.chain(self.clients.iter().map(|(name, _)| name.clone())).collect()
    }

    fn config(&self) -> Config {
        let word = |index| Some(EventId(index));
        Config {
            settings: Settings {
                force_sync: self.force_sync,
                ..Settings::new(self.servers, self.tick)
            },
            servers: (0..self.servers).map(NodeId).collect(),
            clock: self.clock,
            costs: Costs::nothing(),
            words: Words {
                looking: word(0),
                following: word(1),
                leading: word(2),
                expired: word(3),
                truncated: word(4),
                snapshot: word(5),
            },
        }
    }

    /// 1 ms from host to host; computing takes no time.
    fn topology(&self) -> Topology {
        let millis = |millis| Distribution::Constant(Span::from_millis(millis).as_nanos());
        let link = LinkSpec { latency: millis(1), bandwidth: 0, loss: Chance::NEVER };
        let mut topology = Topology::flat(link);
        for (index, name) in self.hosts().into_iter().enumerate() {
            let server = (index as u32) < self.servers;
            topology.add(Host {
                name,
                kind: if server { NodeKind::Broker } else { NodeKind::Producer },
                zone: 0,
                disk: DiskSpec {
                    fsync: Distribution::Constant(self.fsync.as_nanos()),
                    spread: 0,
                    bandwidth: 0,
                    capacity: u64::MAX,
                    write_back_age: Span::from_secs(30),
                    torn_tail: true,
                    seek: Span::ZERO,
                    cache: PageCacheSpec::UNLIMITED,
                },
                cpu: CpuSpec { cores: 64, percent: 100 },
                card: CardSpec::UNLIMITED,
            });
        }
        topology
    }

    pub(crate) fn setup(&self, duration: Span, drain: Span) -> Setup<Actor> {
        let config = Arc::new(self.config());
        let mut tree = Tree::new();
        self.planted.iter().for_each(|(path, value)| tree.plant(path, Some(*value)));
        let servers = (0..self.servers).map(NodeId);
        let servers =
            servers.map(|node| Actor::Server(Box::new(Server::new(config.clone(), node, &tree))));
        let clients =
            self.clients.iter().map(|(_, client)| Actor::Client(Box::new(client.clone())));
        Setup {
            seed: self.seed,
            topology: self.topology(),
            machines: servers.chain(clients).collect(),
            established: Vec::new(),
            faults: self.faults.clone(),
            actions: Vec::new(),
            duration,
            drain,
            limits: Limits::default(),
            // The tests look at the servers themselves, after every event.
            invariants: false,
        }
    }
}
