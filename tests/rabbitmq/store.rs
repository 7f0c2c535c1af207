//! A replica's messages and journal (`rabbit_variable_queue` over `rabbit_queue_index` v1), input
//! in, effects out: what is held, what is written, which confirms are due, and what each kind of
//! death leaves.

use mqsim::brokers::rabbitmq::broker::store::bodies::Bodies;
use mqsim::brokers::rabbitmq::broker::store::index::Written;
use mqsim::brokers::rabbitmq::broker::store::{
    BackingQueue, DueConfirm, Extra, Fetched, Held, Layout, NeedsSync, QueueVersion, Record, State,
};
use mqsim::brokers::rabbitmq::message::{Message, Pid, Properties};
use mqsim::brokers::rabbitmq::rules::Rules;
use mqsim::brokers::rabbitmq::words::WORDS;
use mqsim::engine::{Chance, Distribution, Limits, Span, Time};
use mqsim::observe::{
    Blind, DestinationId, MessageRange, NodeId, NodeKind, Observer, ProducerId, Removal,
};
use mqsim::world::{
    CardSpec, Cluster, Context, CpuSpec, Death, DiskSpec, DiskView, FileId, Host, Input, Lane,
    LinkSpec, Machine, PageCacheSpec, RoleQuery, Setup, Simulation, Topology, Wait, WorldView,
};

const JOURNAL: FileId = FileId(0);
const LAYOUT: Layout = Layout {
    version: QueueVersion::V1,
    index: JOURNAL,
    segments: FileId(1),
    embed_below: 4_096,
    max_journal_entries: 32_768,
    rules: Rules::every(),
};
const CHANNEL: Pid = Pid { node: NodeId(1), lane: Lane(7) };
/// What a publish record of a message of 100 B takes in the journal, and a settlement's.
const PUBLISHED: u64 = 280;
const SETTLED: u64 = 8;

/// What is done to the queue.
#[derive(Clone, Copy, Debug)]
enum Do {
    /// Publishes the next message: persistent or not, with a confirm or not.
    Publish(bool, bool),
    Fetch,
    Settle(u64),
    Requeue(u64),
    RequeueAll,
    /// Writes the buffer to the operating system.
    Write,
    /// What is written is on disk.
    Synced,
    /// Looks whether it wants a flush.
    Look,
}

/// What came of it, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Came {
    Due(Vec<u64>),
    Fetched(Option<(u64, bool)>),
    Needs(NeedsSync),
    /// Something was written.
    Written(Written),
    /// Whether it was there to be settled or given back.
    Known(bool),
}

/// A process that does it all as it boots.
#[derive(Clone, Debug)]
struct Desk {
    steps: Vec<Do>,
    bq: BackingQueue,
    came: Vec<Came>,
    length: u64,
}

impl Desk {
    fn one(&mut self, ctx: &mut Context<'_, Message>, step: Do) {
        let seqs = |due: Vec<DueConfirm>| due.into_iter().map(|(_, seq)| seq).collect();
        let came = match step {
            Do::Publish(persistent, confirm) => {
                let id = self.bq.next_id();
                let properties = Properties { persistent, confirm, ..Properties::default() };
                let confirm = confirm.then_some((CHANNEL, id));
                let extra = Extra::default();
                let (got, due) =
                    self.bq.publish(ctx, message(id), properties, false, confirm, extra);
                assert_eq!(got, id, "messages are numbered in order");
                Came::Due(seqs(due.into_iter().collect()))
            }
            Do::Fetch => {
                let fetched = self.bq.fetch();
                Came::Fetched(fetched.map(|Fetched { id, redelivered, .. }| (id, redelivered)))
            }
            Do::Settle(id) => match self.bq.settle(ctx, id) {
                Some(due) => Came::Due(seqs(due.into_iter().collect())),
                None => Came::Known(false),
            },
            Do::Requeue(id) => Came::Known(self.bq.requeue(id)),
            Do::RequeueAll => {
                let depth = self.bq.depth();
                let unacked = depth - self.bq.ready();
                self.bq.requeue_all();
                Came::Known(unacked > 0)
            }
            Do::Write => Came::Written(self.bq.write_buffer(ctx).expect("the disk has room")),
            Do::Synced => {
                let mut due = Vec::new();
                self.bq.synced(ctx, true, &mut due);
                Came::Due(seqs(due))
            }
            Do::Look => Came::Needs(self.bq.needs_sync()),
        };
        self.came.push(came);
        self.length = ctx.file_length(JOURNAL);
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

    fn died(&mut self, _: Death, _: &DiskView<'_>, _: Time, _: &mut dyn Observer) {}

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

fn message(id: u64) -> MessageRange {
    MessageRange { producer: ProducerId(0), first: id as u32, count: 1, bytes: 100 }
}

/// Does it all to an empty queue.
fn after(durable: bool, steps: &[Do]) -> Desk {
    let link = LinkSpec { latency: Distribution::Constant(0), bandwidth: 0, loss: Chance::NEVER };
    let mut topology = Topology::flat(link);
    topology.add(Host {
        name: "n1".to_owned(),
        kind: NodeKind::Broker,
        zone: 0,
        disk: DiskSpec {
            fsync: Distribution::Constant(0),
            spread: 0,
            bandwidth: 0,
            capacity: u64::MAX,
            write_back_age: Span::from_secs(30),
            torn_tail: false,
            seek: Span::ZERO,
            cache: PageCacheSpec::UNLIMITED,
        },
        cpu: CpuSpec { cores: 1, percent: 100 },
        card: CardSpec::UNLIMITED,
    });
    let bq = BackingQueue::new(DestinationId(0), durable, LAYOUT);
    let setup = Setup {
        seed: 1,
        topology,
        machines: vec![Desk { steps: steps.to_vec(), bq, came: Vec::new(), length: 0 }],
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

/// Every message that waits, with its flag.
fn ready(bq: &BackingQueue) -> Vec<(u64, bool)> {
    let held = bq.held().filter(|held| held.state == State::Ready);
    held.map(|held| (held.id, held.redelivered)).collect()
}

fn held(bq: &BackingQueue, id: u64) -> Option<Held> {
    bq.held().find(|held| held.id == id)
}

/// Which messages came back and which are lost, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Losses {
    back: Vec<u32>,
    lost: Vec<(u32, &'static str)>,
}

impl Observer for Losses {
    fn stored(&mut self, _: Time, _: NodeId, _: DestinationId, messages: MessageRange) {
        self.back.push(messages.first);
    }

    fn removed(
        &mut self,
        _: Time,
        _: NodeId,
        _: DestinationId,
        messages: MessageRange,
        removal: Removal,
    ) {
        self.lost.push((messages.first, WORDS.causes[removal.cause.index()].name));
    }
}

/// The process is gone and the disk has kept so many bytes.
fn die(bq: &mut BackingQueue, death: Death, kept: u64) -> Losses {
    let mut losses = Losses::default();
    if death == Death::Exited {
        bq.closed();
    }
    let files = [kept];
    let disk = DiskView::new(&files);
    bq.died(death, &disk, &mut Bodies::new(2), Time::ZERO, NodeId(0), &mut losses);
    losses
}

const TRANSIENT: Do = Do::Publish(false, true);
const PERSISTENT: Do = Do::Publish(true, true);
const UNHURRIED: Do = Do::Publish(true, false);

/// rabbit_amqqueue_process.erl v3.10 `send_or_record_confirm`.
#[test]
fn a_confirm_is_due_at_once_unless_a_record_is_to_be_written() {
    let desk = after(true, &[TRANSIENT, PERSISTENT, Do::Write, Do::Synced]);
    let due = |seqs: &[u64]| Came::Due(seqs.to_vec());
    assert_eq!(desk.came, [due(&[1]), due(&[]), Came::Written(Written::Sync), due(&[2])]);
    let not_durable = after(false, &[PERSISTENT, Do::Write]);
    assert_eq!(not_durable.came, [due(&[1]), Came::Written(Written::Nothing)]);
}

/// rabbit_queue_index.erl v3.10 `needs_sync`: `confirms`, `other` or `false`.
#[test]
fn the_journal_hurries_only_where_a_confirm_waits() {
    let needs = |steps: &[Do]| {
        let steps: Vec<Do> = steps.iter().copied().chain([Do::Look]).collect();
        match after(true, &steps).came.last() {
            Some(Came::Needs(needs)) => *needs,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(needs(&[]), NeedsSync::No);
    assert_eq!(needs(&[TRANSIENT]), NeedsSync::No);
    assert_eq!(needs(&[UNHURRIED]), NeedsSync::WhenIdleLong);
    assert_eq!(needs(&[UNHURRIED, PERSISTENT]), NeedsSync::Soon);
    assert_eq!(needs(&[PERSISTENT, Do::Write, Do::Synced]), NeedsSync::No);
    // An acknowledgement is a record for which nobody waits.
    let acknowledged = [PERSISTENT, Do::Write, Do::Synced, Do::Fetch, Do::Settle(1)];
    assert_eq!(needs(&acknowledged), NeedsSync::WhenIdleLong);
}

/// rabbit_variable_queue.erl v3.10 `ack`: removes the message from those that await their sync.
#[test]
fn what_is_settled_before_it_is_written_never_touches_the_disk_and_is_confirmed() {
    let desk = after(true, &[PERSISTENT, Do::Fetch, Do::Settle(1), Do::Look, Do::Write]);
    assert_eq!(desk.came[2], Came::Due(vec![1]));
    assert_eq!(desk.came[4], Came::Written(Written::Nothing));
    assert_eq!((desk.length, desk.bq.depth(), desk.bq.held().count()), (0, 0, 0));
    // Of two, the other one's record is all that is written.
    let desk = after(true, &[PERSISTENT, PERSISTENT, Do::Fetch, Do::Settle(1), Do::Write]);
    assert_eq!(desk.length, PUBLISHED);
}

#[test]
fn a_confirm_is_due_once_whether_the_acknowledgement_or_the_disk_is_first() {
    let desk = after(true, &[PERSISTENT, Do::Write, Do::Fetch, Do::Settle(1), Do::Synced]);
    assert_eq!(desk.came[3], Came::Due(vec![1]));
    assert_eq!(desk.came[4], Came::Due(vec![]));
}

#[test]
fn what_was_published_after_the_write_waits_for_the_next_one() {
    let desk = after(true, &[PERSISTENT, Do::Write, PERSISTENT, Do::Synced, Do::Write, Do::Synced]);
    assert_eq!(desk.came[3], Came::Due(vec![1]));
    assert_eq!(desk.came[5], Came::Due(vec![2]));
}

/// rabbitmq.com/docs/confirms: a requeued message takes its original position if it can.
#[test]
fn a_message_that_is_given_back_is_in_its_old_place_and_flagged() {
    let mut steps = vec![TRANSIENT; 4];
    steps.extend([
        Do::Fetch,
        Do::Fetch,
        Do::Fetch,
        Do::Requeue(2),
        Do::Fetch,
        Do::Fetch,
        Do::Fetch,
    ]);
    let desk = after(true, &steps);
    let fetched = |id, redelivered| Came::Fetched(Some((id, redelivered)));
    assert_eq!(desk.came[4..7], [fetched(1, false), fetched(2, false), fetched(3, false)]);
    assert_eq!(desk.came[7], Came::Known(true));
    assert_eq!(desk.came[8..], [fetched(2, true), fetched(4, false), Came::Fetched(None)]);
    // Not what nobody has, nor what is settled.
    let desk = after(true, &[TRANSIENT, Do::Requeue(1), Do::Fetch, Do::Settle(1), Do::Requeue(1)]);
    assert_eq!((&desk.came[1], &desk.came[4]), (&Came::Known(false), &Came::Known(false)));
    let mut steps = vec![TRANSIENT; 3];
    steps.extend([Do::Fetch, Do::Fetch, Do::RequeueAll]);
    assert_eq!(ready(&after(true, &steps).bq), [(1, true), (2, true), (3, false)]);
}

/// 1 is on disk; 2 too, and its settlement is not written; 3 is in the page cache, 4 in the
/// process's buffer, 5 is transient.
fn one_of_each() -> Desk {
    let mut steps = vec![PERSISTENT, UNHURRIED, Do::Write, Do::Synced];
    steps.extend([UNHURRIED, Do::Write, UNHURRIED, TRANSIENT, Do::Fetch, Do::Fetch, Do::Settle(2)]);
    after(true, &steps)
}

#[test]
fn each_record_is_where_it_should_be() {
    let desk = one_of_each();
    let place = |id| held(&desk.bq, id).map(|held| (held.state, held.record, held.durable));
    assert_eq!(place(1), Some((State::Unacked, Record::Written, true)));
    assert_eq!(place(2), Some((State::Gone, Record::Written, true)));
    assert_eq!(place(3), Some((State::Ready, Record::Written, false)));
    assert_eq!(place(4), Some((State::Ready, Record::Buffered, false)));
    assert_eq!(place(5), Some((State::Ready, Record::None, false)));
    assert_eq!((desk.bq.ready(), desk.bq.depth()), (3, 4));
}

/// A kill leaves the page cache. What was settled without a written record comes back.
#[test]
fn a_kill_takes_the_buffer_and_what_is_transient() {
    let mut desk = one_of_each();
    let losses = die(&mut desk.bq, Death::Killed, 3 * PUBLISHED);
    assert_eq!(losses.back, [2]);
    assert_eq!(losses.lost, [(4, "process-buffer-lost"), (5, "transient-dropped")]);
    assert_eq!(ready(&desk.bq), [(1, true), (2, true), (3, true)]);
}

#[test]
fn a_loss_of_power_takes_the_page_cache_too() {
    let mut desk = one_of_each();
    let losses = die(&mut desk.bq, Death::PowerLoss, 2 * PUBLISHED);
    assert_eq!(losses.back, [2]);
    let lost = [(3, "page-cache-lost"), (4, "process-buffer-lost"), (5, "transient-dropped")];
    assert_eq!(losses.lost, lost);
    assert_eq!(ready(&desk.bq), [(1, true), (2, true)]);
    // It may follow a kill.
    let mut desk = one_of_each();
    die(&mut desk.bq, Death::Killed, 3 * PUBLISHED);
    let losses = die(&mut desk.bq, Death::PowerLoss, 2 * PUBLISHED);
    assert_eq!(losses.lost, [(3, "page-cache-lost")]);
    assert_eq!(ready(&desk.bq), [(1, true), (2, true)]);
}

/// An orderly end writes what is buffered, and knows afterwards what had been delivered.
#[test]
fn a_clean_stop_takes_what_is_transient_and_nothing_else() {
    let mut steps = vec![PERSISTENT, UNHURRIED, UNHURRIED, Do::Write, Do::Synced, TRANSIENT];
    steps.extend([Do::Fetch, Do::Fetch, Do::Settle(2), Do::Write, Do::Synced]);
    let mut desk = after(true, &steps);
    assert_eq!(desk.length, 3 * PUBLISHED + SETTLED);
    let losses = die(&mut desk.bq, Death::Exited, desk.length);
    assert_eq!(losses, Losses { back: vec![], lost: vec![(4, "transient-dropped")] });
    assert_eq!(ready(&desk.bq), [(1, true), (3, false)]);
}

#[test]
fn a_settlement_that_is_written_holds_after_a_kill_and_one_that_is_durable_after_a_loss_of_power() {
    let settled = [PERSISTENT, Do::Write, Do::Synced, Do::Fetch, Do::Settle(1), Do::Write];
    let mut desk = after(true, &settled);
    assert_eq!(die(&mut desk.bq, Death::Killed, PUBLISHED + SETTLED), Losses::default());
    assert_eq!(desk.bq.depth(), 0);
    let mut desk = after(true, &settled);
    assert_eq!(die(&mut desk.bq, Death::PowerLoss, PUBLISHED).back, [1]);
    assert_eq!(ready(&desk.bq), [(1, true)]);
}

#[test]
fn a_wiped_disk_and_a_queue_that_is_not_durable_leave_nothing() {
    let mut desk = one_of_each();
    die(&mut desk.bq, Death::Killed, 3 * PUBLISHED);
    let losses = die(&mut desk.bq, Death::Wiped, 0);
    let lost = vec![(1, "disk-wiped"), (2, "disk-wiped"), (3, "disk-wiped")];
    assert_eq!(losses, Losses { back: vec![], lost });
    assert_eq!(desk.bq.depth(), 0);
    let mut desk = after(false, &[PERSISTENT, TRANSIENT]);
    let losses = die(&mut desk.bq, Death::Exited, 0);
    assert_eq!(losses.lost, [(1, "queue-not-durable"), (2, "queue-not-durable")]);
}

/// No number is given twice, so nothing that comes later is taken for something older.
#[test]
fn numbers_go_on_after_a_restart() {
    let mut desk = one_of_each();
    die(&mut desk.bq, Death::Killed, 3 * PUBLISHED);
    assert_eq!(desk.bq.next_id(), 6);
}
