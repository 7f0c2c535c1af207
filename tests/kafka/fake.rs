//! Clients of Kafka against brokers that do what a list says: what clients send, when, and what
//! they make of the answers.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::collections::VecDeque;
use std::sync::Arc;

use mqsim::brokers::kafka::isr::client::{
    Consumer, ConsumerConfig, ConsumerSettings, Producer, ProducerConfig, ProducerSettings,
    ScalaProducer, ScalaSettings,
};
use mqsim::brokers::kafka::isr::config::{Assignment, BROKER, Config, Metadata, Settings, Topic};
use mqsim::brokers::kafka::isr::costs::Costs;
use mqsim::brokers::kafka::isr::keys::SECTIONS;
use mqsim::brokers::kafka::isr::message::{
    Acks, Batch, EpochEnd, Error, Fetch, FetchedPart, Message, Request, Response, Timer, Which,
};
use mqsim::brokers::kafka::isr::nodes::NodeSet;
use mqsim::brokers::kafka::isr::state::{Led, View};
use mqsim::brokers::kafka::isr::words;
use mqsim::brokers::kafka::{PartitionId, Streams, TopicPlan};
use mqsim::brokers::kit::application::{Hours, Sending};
use mqsim::brokers::kit::log::{Log, Piece};
use mqsim::engine::{Chance, Distribution, Limits, Span, Time};
use mqsim::observe::{
    CauseId, ConsumerId, DestinationId, Event, MessageRange, NodeId, NodeKind, Observer, Outcome,
    ProducerId, Removal,
};
use mqsim::scenario::{Diagnostics, Document, Scenario, Version};
use mqsim::workload::{ConsumerLoad, Load};
use mqsim::world::{
    CardSpec, Cluster, ConnId, Context, CpuSpec, Death, DiskSpec, DiskView, FileId, Host, Input,
    Lane, LinkSpec, Machine, PageCacheSpec, PlannedFault, RoleQuery, Setup, Simulation, Topology,
    Wait, WorldView,
};

/// What a broker does with a produce request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum React {
    /// Appends and answers.
    Take,
    /// Appends nothing, and answers with an error.
    Say(Error),
    /// Appends, and answers with an error.
    TakeAndSay(Error),
    /// Appends, and answers later.
    Late(Span),
    /// Appends and never answers.
    Hush,
    /// Does nothing at all.
    Ignore,
    /// Appends, and the connection breaks.
    TakeAndBreak,
    /// The connection breaks.
    Break,
    /// Closes the connection in order.
    Close,
}

/// What happens at a broker by itself.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// It knows this from now on.
    Know(View),
    /// It leads a log that is cut there.
    Cut(u32, u64),
    /// It appends messages of a stream under a leader epoch.
    Append { partition: u32, stream: u32, first: u32, count: u32, epoch: u32 },
    /// The first messages of a log are deleted.
    Release(u32, u64),
    /// It takes no connections any more, and breaks those that are there.
    Leave,
    /// It breaks its connections.
    BreakAll,
}

/// What became of the batches of a request.
type Answers = Vec<(PartitionId, Error, u64)>;

/// A broker of the script.
#[derive(Clone, Debug)]
pub(crate) struct Fake {
    pub(crate) view: View,
    pub(crate) logs: Vec<Log>,
    /// What it does with the next produce requests; it takes those after them.
    pub(crate) reacts: VecDeque<React>,
    /// What it says to the next questions for an offset; it answers those after them.
    pub(crate) offset_errors: VecDeque<Error>,
    pub(crate) changes: Vec<(Span, Change)>,
    /// Whether it leads what it is asked about; else it says so.
    pub(crate) leads: Vec<bool>,
    pub(crate) produced: Vec<(Time, Vec<Batch>)>,
    pub(crate) fetches: Vec<(Time, Fetch)>,
    pub(crate) asked_metadata: Vec<Time>,
    parked: Vec<(u32, ConnId, u32, Fetch)>,
    late: Vec<(ConnId, u32, Answers)>,
    conns: Vec<ConnId>,
    next: u32,
}

impl Fake {
    pub(crate) fn new(view: &View) -> Fake {
        let partitions = view.partitions.len();
        Fake {
            view: view.clone(),
            logs: (0..partitions).map(|file| Log::new(FileId(file as u32))).collect(),
            reacts: VecDeque::new(),
            offset_errors: VecDeque::new(),
            changes: Vec::new(),
            leads: vec![true; partitions],
            produced: Vec::new(),
            fetches: Vec::new(),
            asked_metadata: Vec::new(),
            parked: Vec::new(),
            late: Vec::new(),
            conns: Vec::new(),
            next: 0,
        }
    }

    pub(crate) fn reacts(mut self, reacts: impl IntoIterator<Item = React>) -> Fake {
        self.reacts = reacts.into_iter().collect();
        self
    }

    pub(crate) fn at(mut self, millis: u64, change: Change) -> Fake {
        self.changes.push((Span::from_millis(millis), change));
        self
    }

    /// The messages of a log: `0:0-4 1:0-1`, by stream.
    pub(crate) fn log(&self, partition: usize) -> String {
        let pieces = self.logs[partition].pieces().map(|piece| range(piece.messages));
        pieces.collect::<Vec<String>>().join(" ")
    }

    fn append(&mut self, partition: usize, messages: MessageRange, epoch: u32, bytes: u64) -> u64 {
        let log = &mut self.logs[partition];
        let base = log.end();
        log.append(Piece { base, messages, epoch, width: 1, bytes, whole: true });
        base
    }

    fn answer(&self, ctx: &mut Context<'_, Message>, conn: ConnId, id: u32, body: Response) {
        let bytes = body.bytes();
        ctx.send(conn, Message::Response { id, body: Box::new(body) }, bytes);
    }

    fn request(&mut self, ctx: &mut Context<'_, Message>, conn: ConnId, id: u32, request: Request) {
        let now = ctx.now();
        match request {
            Request::Metadata => {
                self.asked_metadata.push(now);
                let view = Arc::new(self.view.clone());
                self.answer(ctx, conn, id, Response::Metadata(view));
            }
            Request::InitProducerId => {
                self.answer(ctx, conn, id, Response::InitProducerId(Error::None, 7));
            }
            Request::Produce { acks, batches, .. } => self.produce(ctx, conn, id, acks, batches),
            Request::Fetch(fetch) => {
                self.fetches.push((now, fetch.clone()));
                self.fetch(ctx, conn, id, fetch, true);
            }
            Request::ListOffsets { partition, which, .. } => {
                let error = self.offset_errors.pop_front().unwrap_or(Error::None);
                let log = &self.logs[partition.index()];
                let offset = if which == Which::Earliest { log.start() } else { log.end() };
                self.answer(ctx, conn, id, Response::ListOffsets(error, offset, None));
            }
            Request::EpochEnds { asked, .. } => {
                let ends = asked.iter().map(|(partition, _, epoch)| {
                    let mut pieces = self.logs[partition.index()].pieces().rev();
                    let last = pieces.find(|piece| piece.epoch <= *epoch);
                    let end = last.map(|last| EpochEnd { epoch: last.epoch, end: last.end() });
                    (*partition, Error::None, end)
                });
                self.answer(ctx, conn, id, Response::EpochEnds(ends.collect()));
            }
            _ => {}
        }
    }

    fn produce(
        &mut self,
        ctx: &mut Context<'_, Message>,
        conn: ConnId,
        id: u32,
        acks: Acks,
        batches: Vec<Batch>,
    ) {
        self.produced.push((ctx.now(), batches.clone()));
        let react = self.reacts.pop_front().unwrap_or(React::Take);
        let takes = !matches!(react, React::Say(_) | React::Ignore | React::Break | React::Close);
        let error = match react {
            React::Say(error) | React::TakeAndSay(error) => error,
            _ => Error::None,
        };
        let mut parts = Vec::new();
        for batch in &batches {
            let index = batch.partition.index();
            if !self.leads[index] {
                parts.push((batch.partition, Error::NotLeaderOrFollower, 0));
                continue;
            }
            let epoch = self.view.partitions[index].map_or(0, |led| led.epoch);
            let base = match takes {
                true => self.append(index, batch.messages, epoch, u64::from(batch.bytes)),
                false => 0,
            };
            parts.push((batch.partition, error, base));
        }
        self.wake(ctx);
        match react {
            React::Break | React::TakeAndBreak => ctx.abort(conn),
            React::Close => ctx.close(conn),
            React::Hush | React::Ignore => {}
            React::Late(delay) => {
                self.late.push((conn, id, parts));
                let slot = self.late.len() as u32 - 1;
                let body = Timer::ProduceExpired { slot, generation: 0 };
                ctx.after(delay, Lane::MAIN, Message::Timer(body));
            }
            _ if acks == Acks::None => {
                if parts.iter().any(|part| part.1 != Error::None) {
                    ctx.close(conn);
                }
            }
            _ => self.answer(ctx, conn, id, Response::Produce(parts)),
        }
    }

    /// Answers a fetch if there is something to tell; else it waits, if it may.
    fn fetch(
        &mut self,
        ctx: &mut Context<'_, Message>,
        conn: ConnId,
        id: u32,
        fetch: Fetch,
        waits: bool,
    ) {
        let part = |part: &mqsim::brokers::kafka::isr::message::FetchPart| {
            let log = &self.logs[part.partition.index()];
            if !self.leads[part.partition.index()] {
                return FetchedPart::failed(part.partition, Error::NotLeaderOrFollower);
            }
            let own = self.view.partitions[part.partition.index()].map(|led| led.epoch);
            if part.epoch.is_some_and(|epoch| Some(epoch) < own) {
                return FetchedPart::failed(part.partition, Error::FencedLeaderEpoch);
            }
            if part.offset > log.end() || part.offset < log.start() {
                return FetchedPart::failed(part.partition, Error::OffsetOutOfRange);
            }
            FetchedPart {
                partition: part.partition,
                error: Error::None,
                high_watermark: log.end(),
                log_start: log.start(),
                records: log.read(part.offset, log.end()).collect(),
                sequenced: Vec::new(),
                values: Vec::new(),
                times: Vec::new(),
                aborted: Vec::new(),
                diverging: None,
                preferred: None,
            }
        };
        let answer: Vec<FetchedPart> = fetch.parts.iter().map(part).collect();
        let tells = answer.iter().any(|p| p.error != Error::None || !p.records.is_empty());
        if tells || !waits {
            return self.answer(ctx, conn, id, Response::Fetch(answer, fetch.wire));
        }
        let slot = self.next;
        self.next += 1;
        let body = Timer::FetchExpired { slot, generation: 0 };
        ctx.after(fetch.max_wait, Lane::MAIN, Message::Timer(body));
        self.parked.push((slot, conn, id, fetch));
    }

    /// Looks at the fetches that wait.
    fn wake(&mut self, ctx: &mut Context<'_, Message>) {
        for (_, conn, id, fetch) in std::mem::take(&mut self.parked) {
            self.fetch(ctx, conn, id, fetch, true);
        }
    }

    fn change(&mut self, ctx: &mut Context<'_, Message>, change: Change) {
        match change {
            Change::Know(view) => {
                let own = Some(ctx.node());
                let leads =
                    view.partitions.iter().map(|led| led.is_none_or(|led| led.leader == own));
                self.leads = leads.collect();
                self.view = view;
            }
            Change::Cut(partition, to) => self.logs[partition as usize].truncate(to, |_| ()),
            Change::Release(partition, to) => self.logs[partition as usize].release(to, |_| ()),
            Change::Append { partition, stream, first, count, epoch } => {
                let producer = ProducerId(stream);
                let messages = MessageRange { producer, first, count, bytes: 100 };
                self.append(partition as usize, messages, epoch, 100 * u64::from(count));
            }
            Change::Leave => {
                ctx.unlisten(BROKER);
                self.conns.drain(..).for_each(|conn| ctx.abort(conn));
                self.parked.clear();
            }
            Change::BreakAll => {
                self.conns.drain(..).for_each(|conn| ctx.abort(conn));
                self.parked.clear();
            }
        }
        self.wake(ctx);
    }

    fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                ctx.listen(BROKER);
                ctx.ready();
                for (turn, (at, _)) in self.changes.iter().enumerate() {
                    let body = Timer::Fetcher { from: NodeId(0), turn: turn as u32 };
                    ctx.after(*at, Lane::MAIN, Message::Timer(body));
                }
            }
            Input::Accepted { conn, .. } => self.conns.push(conn),
            Input::Message { conn, body: Message::Request { id, body } } => {
                self.request(ctx, conn, id, *body);
            }
            Input::Local { body: Message::Timer(Timer::Fetcher { turn, .. }) } => {
                let change = self.changes[turn as usize].1.clone();
                self.change(ctx, change);
            }
            Input::Local { body: Message::Timer(Timer::FetchExpired { slot, .. }) } => {
                if let Some(place) = self.parked.iter().position(|parked| parked.0 == slot) {
                    let (_, conn, id, fetch) = self.parked.remove(place);
                    self.fetch(ctx, conn, id, fetch, false);
                }
            }
            Input::Local { body: Message::Timer(Timer::ProduceExpired { slot, .. }) } => {
                let (conn, id, parts) = self.late[slot as usize].clone();
                self.answer(ctx, conn, id, Response::Produce(parts));
            }
            _ => {}
        }
    }
}

/// A host of the test.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Fake(Box<Fake>),
    Java(Box<Producer>),
    Scala(Box<ScalaProducer>),
    Consumer(Box<Consumer>),
}

impl Machine for Node {
    type Message = Message;

    fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match self {
            Node::Fake(fake) => fake.handle(input, ctx),
            Node::Java(producer) => producer.handle(input, ctx),
            Node::Scala(producer) => producer.handle(input, ctx),
            Node::Consumer(consumer) => consumer.handle(input, ctx),
        }
    }

    fn died(&mut self, _: Death, _: &DiskView<'_>, at: Time, observer: &mut dyn Observer) {
        match self {
            Node::Fake(_) => {}
            Node::Java(producer) => producer.died(at, observer),
            Node::Scala(producer) => producer.died(at, observer),
            Node::Consumer(consumer) => consumer.died(at, observer),
        }
    }

    fn waits_for(&self) -> Option<Wait> {
        match self {
            Node::Fake(_) => None,
            Node::Java(producer) => producer.waits_for(),
            Node::Scala(producer) => producer.waits_for(),
            Node::Consumer(consumer) => consumer.waits_for(),
        }
    }
}

/// Brokers and clients.
#[derive(Clone, Debug)]
pub(crate) struct Hosts;

impl Cluster for Hosts {
    type Machine = Node;
    type Oracle = ();

    fn resolve(_: &[Node], _: &RoleQuery, _: &WorldView<'_>) -> Vec<NodeId> {
        Vec::new()
    }
}

/// `0:3-7`: messages 3 to 7 of stream 0; `0:3` for one.
pub(crate) fn range(messages: MessageRange) -> String {
    let MessageRange { producer, first, count, .. } = messages;
    match count {
        1 => format!("{}:{first}", producer.0),
        n => format!("{}:{first}-{}", producer.0, first + n - 1),
    }
}

/// What clients tell, a line each: `12.500 sent 0:0-4`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diary {
    pub(crate) lines: Vec<String>,
    pub(crate) attempted: Vec<(u64, MessageRange)>,
}

impl Diary {
    fn note(&mut self, at: Time, text: String) {
        let micros = at.as_nanos() / 1_000;
        self.lines.push(format!("{}.{:03} {text}", micros / 1_000, micros % 1_000));
    }
}

impl Observer for Diary {
    fn attempted(&mut self, at: Time, _: Time, messages: MessageRange) {
        self.attempted.push((at.as_millis(), messages));
    }

    fn sent(&mut self, at: Time, messages: MessageRange) {
        self.note(at, format!("sent {}", range(messages)));
    }

    fn outcome(&mut self, at: Time, messages: MessageRange, outcome: Outcome) {
        let word = format!("{outcome:?}").to_lowercase();
        self.note(at, format!("{word} {}", range(messages)));
    }

    fn dropped(
        &mut self,
        at: Time,
        _: NodeId,
        _: Option<DestinationId>,
        messages: MessageRange,
        removal: Removal,
    ) {
        let CauseId(cause) = removal.cause;
        let name = words::WORDS.causes[cause as usize].name;
        self.note(at, format!("dropped {} {name}", range(messages)));
    }

    fn delivered(
        &mut self,
        at: Time,
        _: ConsumerId,
        destination: DestinationId,
        messages: MessageRange,
        _: bool,
    ) {
        self.note(at, format!("delivered {} of {}", range(messages), destination.0));
    }

    fn processed(&mut self, at: Time, _: ConsumerId, _: DestinationId, messages: MessageRange) {
        self.note(at, format!("processed {}", range(messages)));
    }

    fn wants(&mut self, at: Time, _: ConsumerId, destination: DestinationId, wants: bool) {
        let word = if wants { "wants" } else { "wants no more of" };
        self.note(at, format!("{word} {}", destination.0));
    }

    fn event(&mut self, at: Time, event: Event) {
        let name = words::WORDS.events[event.word.index()].name;
        self.note(at, format!("{name} {}", event.count));
    }
}

/// A view in which partitions are led by these brokers (1, 2, ...; 0 for nobody), all of one epoch.
pub(crate) fn view(leaders: &[u32], epoch: u32) -> View {
    let led = |leader: &u32| {
        let leader = leader.checked_sub(1).map(NodeId);
        Some(Led { leader, epoch, isr: NodeSet::EMPTY })
    };
    View {
        alive: NodeSet::EMPTY.with(NodeId(0)).with(NodeId(1)),
        controller: None,
        partitions: leaders.iter().map(led).collect(),
    }
}

/// Two brokers and what talks to them.
pub(crate) struct Lab {
    scenario: Scenario,
    config: Arc<Config>,
    fakes: Vec<Fake>,
    pub(crate) faults: Vec<PlannedFault>,
    pub(crate) seed: u64,
}

impl Lab {
    /// `sections` are those of a scenario: clients. The topic has as many partitions as the view.
    pub(crate) fn new(version: &str, view: &View, sections: &str) -> Lab {
        let text = format!(
            "format = 1\nname = \"clients\"\nmode = \"kafka-isr\"\nduration = \"1s\"\nbroker-version = \"{version}\"\n\
             [[topic]]\nname = \"t\"\n{sections}"
        );
        let document = Document::from_bytes("clients", text.as_bytes()).expect("a document");
        let version: Version = version.parse().expect("a version");
        let scenario = document.check(SECTIONS, Some(version)).expect("a scenario");
        let partitions = view.partitions.len();
        let names = (0..partitions).map(|index| index.to_string()).collect();
        let plan = TopicPlan { name: "t".to_owned(), partitions: names, groups: Vec::new() };
        let writers = vec![0; scenario.many("producer").len()];
        let replicas = vec![NodeId(0), NodeId(1)];
        let config = Config {
            brokers: 2,
            racks: vec![0, 0],
            names: vec!["n1".to_owned(), "n2".to_owned()],
            coordinators: Vec::new(),
            metadata: Metadata::Kraft,
            settings: Settings::read(&scenario, Distribution::Constant(0)),
            costs: Costs::nothing(),
            topics: vec![Topic {
                name: "t".to_owned(),
                min_isr: 1,
                unclean: false,
                segment_bytes: 1 << 30,
                retention: None,
            }],
            partitions: vec![Assignment { topic: 0, replicas }; partitions],
            streams: Streams::new(&[plan], &writers),
            groups: mqsim::brokers::kafka::isr::groups::Groups::default(),
            transactions: mqsim::brokers::kafka::isr::transactions::Transactions::default(),
        };
        let fake = Fake::new(view);
        let mut fakes = vec![fake.clone(), fake];
        for (node, fake) in fakes.iter_mut().enumerate() {
            let own = Some(NodeId(node as u32));
            let leads = view.partitions.iter().map(|led| led.is_some_and(|led| led.leader == own));
            fake.leads = leads.collect();
        }
        Lab { scenario, config: Arc::new(config), fakes, faults: Vec::new(), seed: 1 }
    }

    /// Changes a broker, 1 or 2.
    pub(crate) fn broker(mut self, number: usize, change: impl FnOnce(Fake) -> Fake) -> Lab {
        let fake = self.fakes[number - 1].clone();
        self.fakes[number - 1] = change(fake);
        self
    }

    fn clients(&self, duration: Span) -> Vec<(NodeKind, Node)> {
        let mut nodes = Vec::new();
        for (writer, values) in self.scenario.many("producer").iter().enumerate() {
            let load = Load::from_values(values).expect("a load");
            let topic = self.config.streams.topic_of(writer as u32);
            let partitions = self.config.streams.of_topic(topic).len();
            let config = ProducerConfig {
                config: self.config.clone(),
                writer: writer as u32,
                connect: vec![NodeId(0)],
                sending: Sending::new(&load, duration, 1, partitions),
                settings: ProducerSettings::read(values),
            };
            let node = match values.choice("client") {
                "scala" => {
                    let scala = ScalaSettings::read(values);
                    Node::Scala(Box::new(ScalaProducer::new(config, scala)))
                }
                _ => Node::Java(Box::new(Producer::new(config))),
            };
            nodes.push((NodeKind::Producer, node));
        }
        for (id, values) in self.scenario.many("consumer").iter().enumerate() {
            let load = ConsumerLoad::from_values(values, &mut Diagnostics::new());
            let config = ConsumerConfig {
                config: self.config.clone(),
                id: ConsumerId(id as u32),
                group: Some(0),
                connect: vec![NodeId(0)],
                partitions: self.config.all_partitions().collect(),
                settings: ConsumerSettings::read(values),
                hours: Hours::of(&load),
                processing: load.processing,
                member: None,
                pipeline: None,
            };
            nodes.push((NodeKind::Consumer, Node::Consumer(Box::new(Consumer::new(config)))));
        }
        nodes
    }

    /// An auditor in place of the consumers of the scenario.
    pub(crate) fn auditor(&self) -> Node {
        Node::Consumer(Box::new(Consumer::new(ConsumerConfig {
            config: self.config.clone(),
            id: ConsumerId(0),
            group: None,
            connect: vec![NodeId(0)],
            partitions: self.config.all_partitions().collect(),
            settings: ConsumerSettings::auditor(),
            processing: Distribution::Constant(0),
            hours: Hours { start: None, stop: None },
            member: None,
            pipeline: None,
        })))
    }

    /// Runs for so many seconds, and as long after that as is needed.
    pub(crate) fn run(self, seconds: u64) -> Seen {
        self.run_with(seconds, Vec::new())
    }

    /// The same, with other machines.
    pub(crate) fn run_with(self, seconds: u64, more: Vec<Node>) -> Seen {
        let duration = Span::from_secs(seconds);
        let link = LinkSpec {
            latency: Distribution::Constant(1_000_000),
            bandwidth: 0,
            loss: Chance::NEVER,
        };
        let mut topology = Topology::flat(link);
        let mut machines = Vec::new();
        let mut add = |name: String, kind: NodeKind, machine: Node| {
            let cpu = CpuSpec { cores: 2, percent: 100 };
            topology.add(Host {
                name,
                kind,
                zone: 0,
                disk: disk(),
                cpu,
                card: CardSpec::UNLIMITED,
            });
            machines.push(machine);
        };
        for (index, fake) in self.fakes.iter().enumerate() {
            add(format!("n{}", index + 1), NodeKind::Broker, Node::Fake(Box::new(fake.clone())));
        }
        for (index, (kind, node)) in self.clients(duration).into_iter().enumerate() {
            add(format!("client{index}"), kind, node);
        }
        for (index, node) in more.into_iter().enumerate() {
            add(format!("more{index}"), NodeKind::Auditor, node);
        }
        let setup = Setup {
            seed: self.seed,
            topology,
            machines,
            established: Vec::new(),
            faults: self.faults,
            actions: Vec::new(),
            duration,
            drain: Span::from_secs(600),
            limits: Limits::default(),
            invariants: false,
        };
        let mut simulation: Simulation<Hosts, Diary> =
            Simulation::new(setup, Diary::default()).expect("a sound setup");
        let ending = simulation.run().expect("a run that ends");
        Seen { simulation, quiet: ending.quiet }
    }
}

fn disk() -> DiskSpec {
    DiskSpec {
        fsync: Distribution::Constant(1_000_000),
        spread: 0,
        bandwidth: 0,
        capacity: 1_000_000_000,
        write_back_age: Span::from_secs(30),
        torn_tail: false,
        seek: Span::ZERO,
        cache: PageCacheSpec::UNLIMITED,
    }
}

/// What came of it.
pub(crate) struct Seen {
    pub(crate) simulation: Simulation<Hosts, Diary>,
    pub(crate) quiet: bool,
}

impl Seen {
    pub(crate) fn broker(&self, number: usize) -> &Fake {
        match &self.simulation.machines()[number - 1] {
            Node::Fake(fake) => fake,
            _ => panic!("brokers come first"),
        }
    }

    /// All lines of the diary that have one of these words.
    pub(crate) fn told(&self, words: &[&str]) -> Vec<&str> {
        let lines = self.simulation.observer().lines.iter();
        let has = |line: &&String| words.iter().any(|word| line.contains(word));
        lines.filter(has).map(String::as_str).collect()
    }

    pub(crate) fn diary(&self) -> &Diary {
        self.simulation.observer()
    }
}

/// A host's process is killed, and starts again after a while.
pub(crate) fn crash(node: u32, at: u64, lasts: u64) -> PlannedFault {
    PlannedFault {
        id: mqsim::observe::FaultId(0),
        at: Time::ZERO + Span::from_millis(at),
        lasts: Some(Span::from_millis(lasts)),
        kind: mqsim::world::fault::FaultKind::Crash,
        target: mqsim::world::Target::nodes(&[NodeId(node - 1)]),
        text: String::new(),
        waits: None,
        after_recovery: false,
    }
}
