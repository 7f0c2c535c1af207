//! A broker family, whole: one broker that keeps what a producer sends it, in memory or, if it is
//! told to, on its disk. Two keys, one cause, one invariant.

use mqsim::brokers::kit::keys::keys;
use mqsim::brokers::kit::machines::{all, machines};
use mqsim::brokers::kit::words::{invariants, words};
use mqsim::brokers::kit::{About, Cast, Family, Frame, Mode, Reach, complete};
use mqsim::engine::{Span, Stream, Time};
use mqsim::observe::{
    DestinationId, InvariantWord, MessageRange, NodeId, Observer, Outcome, ProducerId, Removal,
    Violation,
};
use mqsim::scenario::{Diagnostics, Kind, Scenario, SectionSpec};
use mqsim::workload::{Load, PRODUCER_KEYS, Pacer, Turn};
use mqsim::world::{
    Cluster, ConnId, Context, Death, DiskView, FileId, Input, Lane, Port, RoleQuery, Signal, Wait,
    WorldView,
};

keys! {
    pub struct Settings from BROKER_KEYS {
        work: Span = "work", Kind::ANY_DURATION, "100us", "What a message costs the broker.";
        durable: bool = "durable", Kind::Flag, "false", "Whether it fsyncs before it answers.";
    }
}

const BROKER: SectionSpec = SectionSpec::single("broker", &[BROKER_KEYS], "The broker.");
const PRODUCER: SectionSpec = SectionSpec::repeated("producer", &[PRODUCER_KEYS], "A client.");

words! {
    causes { FORGOTTEN = "forgotten", Lost, 1, "the broker died, and it was not on its disk"; }
    selectors { KEEPER = "keeper", [Destination], "The broker that keeps what is sent there."; }
}

invariants! {
    ANSWERED_IS_KEPT = "answered-is-kept", ["durable = true"], "The broker has all it has answered.";
}

#[derive(Clone, Debug)]
pub enum Message {
    Publish(MessageRange),
    Synced(ConnId, MessageRange),
    Answer(MessageRange),
    Due,
}

const PORT: Port = Port(1);
const FILE: FileId = FileId(0);
const NOTES: DestinationId = DestinationId(0);

#[derive(Clone, Debug)]
pub struct Broker {
    settings: Settings,
    held: Vec<MessageRange>,
    answered: usize,
}

impl Broker {
    fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                ctx.listen(PORT);
                ctx.ready();
            }
            Input::Signal(Signal::Stop) => ctx.exit(),
            Input::Message { conn, body: Message::Publish(messages) } => {
                ctx.spend(self.settings.work);
                let written = ctx.write(FILE, u64::from(messages.bytes)).is_ok();
                match self.settings.durable {
                    true if written => ctx.fsync_blocking(FILE, Message::Synced(conn, messages)),
                    true => ctx.abort(conn),
                    false => self.keep(conn, messages, ctx),
                }
            }
            Input::Local { body: Message::Synced(conn, sent) } => self.keep(conn, sent, ctx),
            _ => {}
        }
    }

    fn keep(&mut self, conn: ConnId, messages: MessageRange, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), ctx.node());
        self.held.push(messages);
        self.answered += 1;
        ctx.observer().stored(now, node, NOTES, messages);
        ctx.send(conn, Message::Answer(messages), 20);
    }

    fn died(&mut self, death: Death, _: &DiskView<'_>, at: Time, observer: &mut dyn Observer) {
        let kept = if self.settings.durable && death != Death::Wiped { self.held.len() } else { 0 };
        let removal = Removal { cause: cause::FORGOTTEN, because: because::NONE };
        for messages in self.held.drain(kept..) {
            observer.removed(at, NodeId(0), NOTES, messages, removal);
        }
    }

    fn waits_for(&self) -> Option<Wait> {
        None
    }
}

#[derive(Clone, Debug)]
pub struct Producer {
    id: ProducerId,
    load: Load,
    pacer: Pacer,
    streams: (Stream, Stream),
    next: u32,
    conn: Option<ConnId>,
    open: Vec<MessageRange>,
}

impl Producer {
    fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                ctx.ready();
                self.pump(ctx);
            }
            Input::Signal(Signal::Stop) => ctx.exit(),
            Input::Connected { conn } => {
                self.conn = Some(conn);
                self.pump(ctx);
            }
            Input::Failed { .. } | Input::Closed { .. } => {
                let now = ctx.now();
                self.died(now, ctx.observer());
                ctx.after(Span::from_millis(100), Lane::MAIN, Message::Due);
            }
            Input::Message { body: Message::Answer(messages), .. } => {
                let now = ctx.now();
                self.open.retain(|open| *open != messages);
                self.pacer.settled(now);
                ctx.observer().outcome(now, messages, Outcome::Acked);
            }
            Input::Local { body: Message::Due } => self.pump(ctx),
            _ => {}
        }
    }

    fn pump(&mut self, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        let Some(conn) = self.conn else {
            ctx.connect(NodeId(0), PORT);
            return;
        };
        loop {
            let intended = match self.pacer.turn(now, &mut self.streams.0) {
                Turn::Send { intended } | Turn::Skip { intended } => intended,
                Turn::Wait { until } => {
                    ctx.after(until.since(now), Lane::MAIN, Message::Due);
                    return;
                }
                Turn::InFlight | Turn::Done => return,
            };
            let bytes = self.load.sizes.next(&mut self.streams.1);
            let messages = MessageRange { producer: self.id, first: self.next, count: 1, bytes };
            self.next += 1;
            self.open.push(messages);
            ctx.observer().attempted(now, intended, messages);
            ctx.observer().sent(now, messages);
            ctx.send(conn, Message::Publish(messages), bytes);
        }
    }

    fn died(&mut self, at: Time, observer: &mut dyn Observer) {
        self.conn = None;
        for messages in self.open.drain(..) {
            observer.outcome(at, messages, Outcome::Unknown);
            self.pacer.settled(at);
        }
    }

    fn waits_for(&self) -> Option<Wait> {
        (!self.open.is_empty()).then(|| "answers".into())
    }
}

machines! {
    pub enum Toy: Message {
        Broker(Broker): disk,
        Producer(Producer): memory,
    }
}

#[derive(Clone, Copy, Debug)]
pub struct ToyCluster;

impl Cluster for ToyCluster {
    type Machine = Toy;
    /// How much was missing when it was last looked at.
    type Oracle = usize;
    const CHECKED: bool = true;

    fn check(
        missed: &mut usize,
        machines: &mut [Toy],
        node: NodeId,
        _: Time,
        report: &mut dyn FnMut(Violation),
    ) {
        for (_, broker) in all::<_, Broker>(machines) {
            let misses = broker.answered - broker.held.len();
            if misses > *missed {
                let detail = format!("{misses} of what was answered is gone");
                let (invariant, destination) = (invariant::ANSWERED_IS_KEPT, Some(NOTES));
                report(Violation { invariant, node, destination, detail });
            }
            *missed = misses;
        }
    }

    fn resolve(_: &[Toy], query: &RoleQuery, _: &WorldView<'_>) -> Vec<NodeId> {
        (query.selector == selector::KEEPER).then_some(NodeId(0)).into_iter().collect()
    }
}

#[derive(Clone, Debug)]
pub struct Spec {
    frame: Frame,
    settings: Settings,
    loads: Vec<Load>,
}

impl Family for Spec {
    type Mode = ();
    type Cluster = ToyCluster;
    const ABOUT: &'static About = &About {
        product: "Toy",
        log: false,
        sections: &[&BROKER, &PRODUCER],
        words: WORDS,
        invariants: INVARIANTS,
    };
    const MODES: &'static [((), Mode)] = &[(
        (),
        Mode {
            name: "toy",
            meaning: "One broker that keeps what it is sent.",
            version: "1.0",
            versions: ("1.0", "1.0"),
            starter: include_str!("starter.toml"),
        },
    )];

    fn plan(scenario: &Scenario, (): ()) -> Result<Spec, Diagnostics> {
        let mut wrong = scenario.diagnostics();
        let loads = scenario.many("producer").iter();
        let loads = loads.filter_map(|values| wrong.keep(Load::from_values(values))).collect();
        let settings = Settings::of(scenario.one("broker"));
        let mut spec = Spec { frame: Frame::new(scenario)?, settings, loads };
        complete(&mut spec, scenario, &mut wrong);
        wrong.into_result(spec)
    }

    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn frame_mut(&mut self) -> &mut Frame {
        &mut self.frame
    }

    fn cast(&self) -> Cast {
        let producers = self.loads.iter().map(|load| load.name.clone()).collect();
        Cast { producers, ..Cast::default() }
    }

    fn reach(&self, producer: usize) -> Reach<'_> {
        Reach { load: &self.loads[producer], lines: 1, copies: 1, copy: 32 }
    }

    fn destinations(&self) -> Vec<String> {
        vec!["notes".to_owned()]
    }

    fn machines(&self, seed: u64) -> Vec<Toy> {
        let broker = Broker { settings: self.settings.clone(), held: Vec::new(), answered: 0 };
        let producers = self.loads.iter().enumerate().map(|(id, load)| {
            let stream = |what: &str| Stream::fixed(seed, &format!("{what} of {}", load.name));
            Toy::from(Producer {
                id: ProducerId(id as u32),
                load: load.clone(),
                pacer: load.pacer(self.frame.duration),
                streams: (stream("pace"), stream("sizes")),
                next: 0,
                conn: None,
                open: Vec::new(),
            })
        });
        std::iter::once(Toy::from(broker)).chain(producers).collect()
    }

    fn invariants(&self) -> Vec<InvariantWord> {
        let lacks = if self.settings.durable { &[] } else { INVARIANTS[0].rests_on };
        vec![InvariantWord { lacks: lacks.to_vec(), ..INVARIANTS[0].clone() }]
    }
}
