//! A broker family, whole: one broker that keeps what a producer sends it, in memory or, if it is
//! told to, on its disk. Two keys, one cause, one invariant.

use mqsim::brokers::kit::application::{Due, Sending};
use mqsim::brokers::kit::keys::keys;
use mqsim::brokers::kit::machines::{all, machines};
use mqsim::brokers::kit::words::{invariants, words};
use mqsim::brokers::kit::{About, Cast, Family, Frame, Mode, Reach, complete};
use mqsim::engine::{Span, Time};
use mqsim::observe::{
    ConsumerId, DestinationId, InvariantWord, MessageRange, NodeId, Observer, Outcome, ProducerId,
    Removal, Violation,
};
use mqsim::scenario::{Diagnostics, Kind, Scenario, SectionSpec};
use mqsim::workload::{Load, PRODUCER_KEYS};
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
    Read,
    All(Vec<MessageRange>),
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
            Input::Boot(_) => ctx.listen(PORT),
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
            Input::Message { conn, body: Message::Read } => {
                ctx.send(conn, Message::All(self.held.clone()), 100 * self.held.len() as u32);
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
        let forgotten = self.held.drain(kept..);
        forgotten.for_each(|one| observer.removed(at, NodeId(0), NOTES, one, removal));
    }

    fn waits_for(&self) -> Option<Wait> {
        None
    }
}

#[derive(Clone, Debug)]
pub struct Producer {
    id: ProducerId,
    sending: Sending,
    conn: Option<ConnId>,
    open: Vec<MessageRange>,
}

impl Producer {
    fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Signal(Signal::Stop) => return ctx.exit(),
            Input::Connected { conn } => self.conn = Some(conn),
            Input::Failed { .. } | Input::Closed { .. } => {
                self.died(ctx.now(), ctx.observer());
                ctx.after(Span::from_millis(100), Lane::MAIN, Message::Due);
                return;
            }
            Input::Message { body: Message::Answer(messages), .. } => {
                let now = ctx.now();
                self.open.retain(|open| *open != messages);
                self.sending.settled(1, ctx);
                ctx.observer().outcome(now, messages, Outcome::Acked);
            }
            Input::Local { body: Message::Due } => self.sending.woken(ctx),
            _ => {}
        }
        self.pump(ctx);
    }

    fn pump(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(conn) = self.conn else {
            ctx.connect(NodeId(0), PORT);
            return;
        };
        while let Due::Send { intended } = self.sending.due(Message::Due, ctx) {
            let (now, bytes) = (ctx.now(), self.sending.size());
            let messages = self.sending.attempt(now, intended, (0, self.id), bytes, ctx.observer());
            self.open.push(messages);
            ctx.observer().sent(now, messages);
            ctx.send(conn, Message::Publish(messages), bytes);
        }
    }

    fn died(&mut self, at: Time, observer: &mut dyn Observer) {
        self.conn = None;
        self.sending.died(at);
        self.open.drain(..).for_each(|one| observer.outcome(at, one, Outcome::Unknown));
    }

    fn waits_for(&self) -> Option<Wait> {
        (!self.open.is_empty()).then(|| "answers".into())
    }
}

/// Reads at the end of the load what is there: nobody else does.
#[derive(Clone, Debug)]
pub struct Auditor;

impl Auditor {
    fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        match input {
            Input::Signal(Signal::LoadEnded) | Input::Failed { .. } | Input::Closed { .. } => {
                ctx.connect(NodeId(0), PORT);
            }
            Input::Connected { conn } => ctx.send(conn, Message::Read, 20),
            Input::Message { body: Message::All(held), .. } => {
                let (reader, tell) = (ConsumerId(0), ctx.observer());
                held.iter().for_each(|one| tell.delivered(now, reader, NOTES, *one, false));
            }
            _ => {}
        }
    }

    fn waits_for(&self) -> Option<Wait> {
        None
    }
}

machines! {
    pub enum Toy: Message {
        Broker(Broker): disk ready,
        Producer(Producer): memory ready,
        Auditor(Auditor): nothing ready,
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
            otherwise: None,
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
        Cast { producers, unread: self.destinations(), ..Cast::default() }
    }

    fn reach(&self, producer: usize) -> Reach<'_> {
        Reach { load: &self.loads[producer], lines: 1, copies: 1, copy: 32 }
    }

    fn destinations(&self) -> Vec<String> {
        vec!["notes".to_owned()]
    }

    fn consumers(&self) -> Vec<Vec<DestinationId>> {
        vec![vec![NOTES]]
    }

    fn machines(&self, seed: u64) -> Vec<Toy> {
        let broker = Broker { settings: self.settings.clone(), held: Vec::new(), answered: 0 };
        let producers = self.loads.iter().enumerate().map(|(id, load)| {
            let sending = Sending::new(load, self.frame.duration, seed, 1);
            Toy::from(Producer { id: ProducerId(id as u32), sending, conn: None, open: Vec::new() })
        });
        std::iter::once(Toy::from(broker)).chain(producers).chain([Toy::from(Auditor)]).collect()
    }

    fn invariants(&self) -> Vec<InvariantWord> {
        let lacks = if self.settings.durable { &[] } else { INVARIANTS[0].rests_on };
        vec![InvariantWord { lacks: lacks.to_vec(), ..INVARIANTS[0].clone() }]
    }
}
