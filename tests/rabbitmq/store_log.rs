//! What a queue finds again after any interleaving of publishes, acknowledgements, flushes, kills
//! and losses of power, against a model of its files: a log of records, of which a kill leaves what
//! was written and a loss of power a prefix.

use mqsim::brokers::rabbitmq::broker::store::bodies::Bodies;
use mqsim::brokers::rabbitmq::broker::store::index::Written;
use mqsim::brokers::rabbitmq::broker::store::{
    BackingQueue, DueConfirm, Extra, Layout, QueueVersion, State,
};
use mqsim::brokers::rabbitmq::message::{Message, Pid, Properties};
use mqsim::brokers::rabbitmq::rules::Rules;
use mqsim::engine::{Chance, Distribution, Limits, Span, Time};
use mqsim::observe::{Blind, DestinationId, MessageRange, NodeId, NodeKind, ProducerId};
use mqsim::world::{
    CardSpec, Cluster, Context, CpuSpec, Death, DiskSpec, DiskView, FileId, Host, Input, Lane,
    LinkSpec, Machine, PageCacheSpec, RoleQuery, Setup, Simulation, Topology, Wait, WorldView,
};
use proptest::prelude::*;

const INDEX: FileId = FileId(0);
const SEGMENTS: FileId = FileId(1);
const CHANNEL: Pid = Pid { node: NodeId(1), lane: Lane(7) };

/// What is done to the queue.
#[derive(Clone, Copy, Debug)]
enum Do {
    /// Publishes a persistent message with a confirm.
    Publish,
    /// The oldest message is delivered and acknowledged.
    Consume,
    /// The buffers are written, and fsynced where the version does that.
    Flush,
    /// The buffers are written, and the process is killed or the power lost before the fsync.
    FlushCut(Cut),
    /// The journal is folded, or buffers written.
    Hibernate,
    /// A fold is cut short.
    HibernateCut(Cut),
    /// The end of the process.
    Cut(Cut),
}

/// How the process ends.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Kill,
    /// So many percent of what was not durable are on the disk all the same, in each file.
    Power(u64, u64),
    Stop,
}

/// What a message has gone through, as its publisher and its consumer know it.
#[derive(Clone, Copy, Debug, Default)]
struct Story {
    confirmed: bool,
    acked: bool,
}

#[derive(Clone, Debug)]
struct Desk {
    steps: Vec<Do>,
    layout: Layout,
    bq: BackingQueue,
    stories: Vec<Story>,
    /// Lengths of the files that are durable.
    durable: [u64; 2],
    wrong: Option<String>,
}

impl Desk {
    fn confirm(&mut self, due: Vec<DueConfirm>) {
        for (_, id) in due {
            self.stories[id as usize - 1].confirmed = true;
        }
    }

    fn one(&mut self, ctx: &mut Context<'_, Message>, step: Do) {
        match step {
            Do::Publish => {
                let id = self.stories.len() as u64 + 1;
                let message =
                    MessageRange { producer: ProducerId(0), first: id as u32, count: 1, bytes: 50 };
                let properties =
                    Properties { persistent: true, confirm: true, ..Properties::default() };
                let confirm = Some((CHANNEL, id));
                self.stories.push(Story::default());
                let (_, due) =
                    self.bq.publish(ctx, message, properties, false, confirm, Extra::default());
                self.confirm(due.into_iter().collect());
            }
            Do::Consume => {
                if let Some(fetched) = self.bq.fetch() {
                    let due = self.bq.settle(ctx, fetched.id).flatten();
                    self.confirm(due.into_iter().collect());
                    self.stories[fetched.message.first as usize - 1].acked = true;
                }
            }
            Do::Flush => {
                let written = self.bq.write_buffer(ctx).expect("the disk has room");
                self.finish(ctx, written);
            }
            Do::FlushCut(cut) => {
                self.bq.write_buffer(ctx).expect("the disk has room");
                self.cut(ctx, cut);
            }
            Do::Hibernate => {
                let written = self.bq.hibernate(ctx).expect("the disk has room");
                self.finish(ctx, written);
            }
            Do::HibernateCut(cut) => {
                let written = self.bq.hibernate(ctx).expect("the disk has room");
                // A process that folds handles no request to end before it is through.
                if matches!(cut, Cut::Stop) {
                    self.finish(ctx, written);
                }
                self.cut(ctx, cut);
            }
            Do::Cut(cut) => self.cut(ctx, cut),
        }
    }

    fn lengths(ctx: &Context<'_, Message>) -> [u64; 2] {
        [ctx.file_length(INDEX), ctx.file_length(SEGMENTS)]
    }

    fn finish(&mut self, ctx: &mut Context<'_, Message>, written: Written) {
        let fsynced = written == Written::Sync;
        while let Some(file) = self.bq.next_fsync() {
            self.durable[file.0 as usize] = Desk::lengths(ctx)[file.0 as usize];
        }
        let mut due = Vec::new();
        self.bq.synced(ctx, fsynced, &mut due);
        // A journal that was folded is empty.
        let lengths = Desk::lengths(ctx);
        self.durable = [0, 1].map(|file| self.durable[file].min(lengths[file]));
        self.confirm(due);
    }

    /// The process ends and starts again; then what it holds is compared with what had to stay.
    fn cut(&mut self, ctx: &mut Context<'_, Message>, cut: Cut) {
        let kept = match cut {
            Cut::Stop => {
                let written = self.bq.close(ctx).expect("the disk has room");
                self.finish(ctx, written);
                self.bq.closed();
                Desk::lengths(ctx)
            }
            Cut::Kill => Desk::lengths(ctx),
            Cut::Power(index, segments) => {
                let lengths = Desk::lengths(ctx);
                let torn = |file: usize, percent: u64| {
                    let durable = self.durable[file];
                    durable + (lengths[file] - durable) * percent / 100
                };
                [torn(0, index), torn(1, segments)]
            }
        };
        ctx.truncate(INDEX, kept[0]);
        ctx.truncate(SEGMENTS, kept[1]);
        let death = match cut {
            Cut::Kill => Death::Killed,
            Cut::Power(..) => {
                self.durable = kept;
                Death::PowerLoss
            }
            Cut::Stop => Death::Exited,
        };
        let (view, mut bodies) = (DiskView::new(&kept), Bodies::new(2));
        self.bq.died(death, &view, &mut bodies, Time::ZERO, NodeId(0), &mut Blind);
        self.check(cut);
        // Recovery: without recovery terms the journal is folded.
        let clean = self.bq.is_clean();
        self.bq.opened();
        if !clean {
            let written = self.bq.hibernate(ctx).expect("the disk has room");
            self.finish(ctx, written);
        }
    }

    fn check(&mut self, cut: Cut) {
        let held: Vec<(usize, bool)> = (self.bq.held())
            .filter(|held| held.state == State::Ready)
            .map(|held| (held.message.first as usize - 1, held.redelivered))
            .collect();
        let mut wrong = Vec::new();
        if !held.is_sorted() {
            wrong.push("they are not in publish order".to_owned());
        }
        let v1 = self.layout.version == QueueVersion::V1;
        let stopped = matches!(cut, Cut::Stop);
        for (id, story) in self.stories.iter_mut().enumerate() {
            let found = held.iter().find(|(held, _)| *held == id);
            let safe = v1 || !matches!(cut, Cut::Power(..));
            if story.confirmed && !story.acked && safe && found.is_none() {
                wrong.push(format!("{id} was confirmed and is lost"));
            }
            if stopped && story.acked && found.is_some() {
                wrong.push(format!("{id} was acknowledged, and came back after an orderly stop"));
            }
            if !stopped && found.is_some_and(|(_, redelivered)| !redelivered) {
                wrong.push(format!("{id} is not flagged after a dirty start"));
            }
            // What came back waits again; what is gone is of no further interest.
            *story = match found {
                Some(_) => Story { acked: false, ..*story },
                None => Story { confirmed: false, acked: true },
            };
        }
        // An acknowledged message that came back is as safe as its record, no more.
        if !wrong.is_empty() && self.wrong.is_none() {
            self.wrong = Some(format!("after {cut:?}: {}", wrong.join("; ")));
        }
        if !v1 {
            self.stories.iter_mut().for_each(|story| story.confirmed = false);
        }
    }
}

impl Machine for Desk {
    type Message = Message;

    fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        if let Input::Boot(_) = input {
            for step in self.steps.clone() {
                self.one(ctx, step);
            }
        }
    }

    fn died(&mut self, _: Death, _: &DiskView<'_>, _: Time, _: &mut dyn mqsim::observe::Observer) {}

    fn waits_for(&self) -> Option<Wait> {
        None
    }
}

#[derive(Clone, Copy, Debug)]
struct Desks;

impl Cluster for Desks {
    type Machine = Desk;
    type Oracle = ();

    fn resolve(_: &[Desk], _: &RoleQuery, _: &WorldView<'_>) -> Vec<NodeId> {
        Vec::new()
    }
}

fn run(version: QueueVersion, steps: &[Do]) -> Desk {
    let link = LinkSpec { latency: Distribution::Constant(0), bandwidth: 0, loss: Chance::NEVER };
    let mut topology = Topology::flat(link);
    topology.add(Host {
        name: "n1".to_owned(),
        kind: NodeKind::Broker,
        zone: 0,
        disk: DiskSpec {
            fsync: Distribution::Constant(0),
            bandwidth: 0,
            capacity: u64::MAX,
            write_back_age: Span::from_secs(30),
            spread: 0,
            torn_tail: false,
            seek: Span::ZERO,
            cache: PageCacheSpec::UNLIMITED,
        },
        cpu: CpuSpec { cores: 1, percent: 100 },
        card: CardSpec::UNLIMITED,
    });
    let layout = Layout {
        version,
        index: INDEX,
        segments: SEGMENTS,
        embed_below: 4_096,
        max_journal_entries: 32_768,
        rules: Rules::every(),
    };
    let desk = Desk {
        steps: steps.to_vec(),
        layout,
        bq: BackingQueue::new(DestinationId(0), true, layout),
        stories: Vec::new(),
        durable: [0, 0],
        wrong: None,
    };
    let setup = Setup {
        seed: 1,
        topology,
        machines: vec![desk],
        established: Vec::new(),
        faults: Vec::new(),
        actions: Vec::new(),
        duration: Span::from_secs(1),
        drain: Span::ZERO,
        limits: Limits::default(),
        invariants: true,
    };
    let mut simulation = Simulation::<Desks, Blind>::new(setup, Blind).expect("a sound set-up");
    simulation.run_until(Time::from_nanos(1)).expect("nothing runs away");
    simulation.machines()[0].clone()
}

fn cut() -> impl Strategy<Value = Cut> {
    prop_oneof![
        Just(Cut::Kill),
        (0..=100_u64, 0..=100_u64).prop_map(|(index, segments)| Cut::Power(index, segments)),
        Just(Cut::Stop),
    ]
}

fn step() -> impl Strategy<Value = Do> {
    prop_oneof![
        8 => Just(Do::Publish),
        5 => Just(Do::Consume),
        4 => Just(Do::Flush),
        1 => cut().prop_map(Do::FlushCut),
        1 => Just(Do::Hibernate),
        1 => cut().prop_map(Do::HibernateCut),
        1 => cut().prop_map(Do::Cut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// What version 1 has confirmed survives kills, losses of power with torn tails, and orderly
    /// stops, in any order; a recovered message is flagged unless the stop was orderly; after an
    /// orderly stop no acknowledgement is undone.
    #[test]
    fn version_1_keeps_what_it_has_confirmed(steps in prop::collection::vec(step(), 1..80)) {
        let desk = run(QueueVersion::V1, &steps);
        prop_assert_eq!(desk.wrong, None);
    }

    /// Version 2 does so through kills and orderly stops, and not through a loss of power.
    #[test]
    fn version_2_keeps_what_it_has_confirmed_but_for_losses_of_power(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let desk = run(QueueVersion::V2, &steps);
        prop_assert_eq!(desk.wrong, None);
    }
}

/// A loss of power with nothing written back takes what version 2 has confirmed.
#[test]
fn version_2_loses_what_it_has_confirmed_with_the_power() {
    let steps = [Do::Publish, Do::Publish, Do::Flush, Do::Cut(Cut::Power(0, 0))];
    assert_eq!(run(QueueVersion::V2, &steps).bq.depth(), 0);
    assert_eq!(run(QueueVersion::V1, &steps).bq.depth(), 2);
    // An entry without its message is dropped, a message without its entry is garbage.
    for power in [Cut::Power(100, 0), Cut::Power(0, 100)] {
        let steps = [Do::Publish, Do::Publish, Do::Flush, Do::Cut(power)];
        assert_eq!(run(QueueVersion::V2, &steps).bq.depth(), 0);
    }
    // Each file keeps a prefix of its own.
    let steps = [Do::Publish, Do::Publish, Do::Flush, Do::Cut(Cut::Power(60, 100))];
    assert_eq!(run(QueueVersion::V2, &steps).bq.depth(), 1);
}
