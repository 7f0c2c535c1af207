//! A process that counts by way of a quorum, as Kafka's `ReplicatedCounter` does: whoever leads
//! appends the next number, and all read what is committed.

use std::sync::Arc;

use mqsim::brokers::coordination::Carry;
use mqsim::brokers::coordination::raft::{
    Batch, Config, Event, Invariant, Message, Offset, Oracle, PORT, Record, Replica, RoleName,
};
use mqsim::engine::{Span, Time};
use mqsim::observe::{InvariantId, NodeId, Observer, Violation};
use mqsim::world::{
    Cluster, Context, Death, DiskView, Input, Lane, Machine, RoleQuery, Signal, Wait, WorldView,
};

/// A number, 100 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) u32);

impl Record for Number {
    fn bytes(&self) -> u32 {
        100
    }
}

/// What a counter does at a given time, if it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Appends the next numbers.
    Append(u32),
    /// Gives up leadership.
    Resign,
}

#[derive(Clone, Debug)]
pub(crate) enum Said {
    Raft(Message<Number>),
    /// The next number is due.
    Count,
    Act(Action),
}

impl From<Message<Number>> for Said {
    fn from(message: Message<Number>) -> Said {
        Said::Raft(message)
    }
}

impl Carry<Message<Number>> for Said {
    fn open(self) -> Result<Message<Number>, Said> {
        match self {
            Said::Raft(message) => Ok(message),
            Said::Count | Said::Act(_) => Err(self),
        }
    }
}

/// A voter or an observer.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    pub(crate) replica: Replica<Number>,
    /// How often the leader counts; not at all if there is none.
    every: Option<Span>,
    /// Until when.
    until: Time,
    schedule: Vec<(Time, Action)>,
    /// The last number that was read, and up to where the log was.
    pub(crate) value: u32,
    read: Offset,
    next: u32,
    /// What has gone wrong in the counting.
    pub(crate) wrong: Option<String>,
    pub(crate) tells: bool,
    pub(crate) trace: Vec<(Time, String)>,
}

impl Counter {
    pub(crate) fn new(config: &Arc<Config>, me: NodeId) -> Counter {
        Counter {
            replica: Replica::new(config.clone(), me),
            every: None,
            until: Time::MAX,
            schedule: Vec::new(),
            value: 0,
            read: 0,
            next: 0,
            wrong: None,
            tells: false,
            trace: Vec::new(),
        }
    }

    pub(crate) fn counting(mut self, every: Span, until: Time) -> Counter {
        (self.every, self.until) = (Some(every), until);
        self
    }

    pub(crate) fn telling(mut self, schedule: Vec<(Time, Action)>) -> Counter {
        (self.tells, self.schedule) = (true, schedule);
        self
    }

    fn note(&mut self, at: Time, text: String) {
        if self.tells {
            self.trace.push((at, text));
        }
    }

    fn on_main(&mut self, input: Input<Said>, ctx: &mut Context<'_, Said>) {
        match input {
            Input::Boot(_) => {
                let lane = ctx.spawn();
                self.replica.boot(lane, ctx);
                ctx.ready();
                let now = ctx.now();
                for (at, action) in self.schedule.clone() {
                    if at >= now {
                        ctx.after(at.since(now), Lane::MAIN, Said::Act(action));
                    }
                }
            }
            Input::Accepted { conn, port: PORT, .. } => self.replica.accept(conn, ctx),
            Input::Signal(Signal::Stop) => self.replica.shutdown(ctx),
            Input::Local { body: Said::Count } => self.count(ctx),
            Input::Local { body: Said::Act(Action::Append(count)) } => {
                let numbers = (0..count).map(|index| Number(self.next + index)).collect();
                let done = self.replica.append(numbers, ctx);
                self.next += count;
                let text = match done {
                    Ok(last) => format!("appends {count}, the last at {last}"),
                    Err(error) => format!("cannot append: {error}"),
                };
                self.note(ctx.now(), text);
            }
            Input::Local { body: Said::Act(Action::Resign) } => {
                self.replica.resign(self.replica.epoch(), ctx);
            }
            _ => {}
        }
    }

    fn count(&mut self, ctx: &mut Context<'_, Said>) {
        let Some(every) = self.every.filter(|_| ctx.now() < self.until) else { return };
        if !self.replica.is_writable() {
            return;
        }
        if self.replica.append(vec![Number(self.next)], ctx).is_ok() {
            self.next += 1;
        }
        ctx.after(every, Lane::MAIN, Said::Count);
    }

    fn on_event(&mut self, event: Event, ctx: &mut Context<'_, Said>) {
        let now = ctx.now();
        match event {
            Event::BecameLeader { epoch } => {
                self.next = self.value + 1;
                self.note(now, format!("may append in epoch {epoch}"));
                ctx.tell(Lane::MAIN, Said::Count);
            }
            Event::Resigned { epoch } => self.note(now, format!("leads epoch {epoch} no more")),
            Event::LeaderIs(leader, epoch) => {
                let leader = leader.map_or("nobody".to_owned(), |leader| name(leader.0));
                self.note(now, format!("knows: {leader} leads epoch {epoch}"));
            }
            Event::Committed(end) => {
                let batches: Vec<Arc<Batch<Number>>> =
                    self.replica.committed(self.read).cloned().collect();
                for batch in batches {
                    batch.records().iter().for_each(|number| self.read_one(*number));
                    self.read = batch.end();
                }
                if self.read != end {
                    self.wrong = Some(format!("read to {}, committed to {end}", self.read));
                }
                self.note(now, format!("has read to {end}, the number is {}", self.value));
            }
            Event::SnapshotLoaded(id) => {
                let snapshot = self.replica.snapshot().expect("it was loaded");
                self.value = snapshot.records[0].0;
                self.read = id.offset;
                let value = self.value;
                self.note(now, format!("loads snapshot {}-{}: {value}", id.offset, id.epoch));
            }
            Event::SnapshotDue(end) => {
                self.note(now, format!("takes a snapshot at {end}"));
                self.replica.take_snapshot(end, vec![Number(self.value)], ctx);
            }
            Event::Truncated(end) => self.note(now, format!("cuts its log off at {end}")),
            Event::Stopped => ctx.exit(),
            Event::Halted(why) => {
                self.note(now, format!("halts: {why}"));
                ctx.exit();
            }
        }
    }

    /// What is committed are the numbers from 1 on, each once.
    fn read_one(&mut self, number: Number) {
        if number.0 != self.value + 1 {
            self.wrong = Some(format!("read {} after {}", number.0, self.value));
        }
        self.value = number.0;
    }
}

pub(crate) fn name(node: u32) -> String {
    format!("n{}", node + 1)
}

impl Machine for Counter {
    type Message = Said;

    fn handle(&mut self, input: Input<Said>, ctx: &mut Context<'_, Said>) {
        if ctx.lane() == Lane::MAIN {
            return self.on_main(input, ctx);
        }
        let before = (self.replica.role(), self.replica.epoch());
        let events = self.replica.handle(input, ctx);
        let (role, epoch) = (self.replica.role(), self.replica.epoch());
        if (role, epoch) != before && !matches!(role, RoleName::Follower | RoleName::Unattached) {
            let voted = self.replica.voted().map_or(String::new(), |node| name(node.0));
            let text = match role {
                RoleName::Voted => format!("votes for {voted} in epoch {epoch}"),
                RoleName::Prospective => format!("asks for votes, still in epoch {epoch}"),
                RoleName::Candidate => format!("is a candidate in epoch {epoch}"),
                RoleName::Leader => format!("is elected in epoch {epoch}"),
                _ => format!("resigns from epoch {epoch}"),
            };
            self.note(ctx.now(), text);
        }
        for event in events {
            self.on_event(event, ctx);
        }
    }

    fn died(&mut self, death: Death, disk: &DiskView<'_>, at: Time, _: &mut dyn Observer) {
        let before = self.replica.log().end();
        self.replica.died(death, disk);
        let after = self.replica.log().end();
        let lost =
            if after < before { format!(", its log now ends at {after}") } else { String::new() };
        let how = match death {
            Death::Killed => "is killed",
            Death::PowerLoss => "loses power",
            Death::Exited => "has stopped",
            Death::Wiped => "has a new disk",
        };
        self.note(at, format!("{how}{lost}"));
        (self.value, self.read, self.next) = (0, 0, 0);
    }

    fn waits_for(&self) -> Option<Wait> {
        (!self.replica.is_settled()).then(|| "its quorum".into())
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters;

impl Cluster for Counters {
    type Machine = Counter;
    type Oracle = Oracle<Number>;

    const CHECKED: bool = true;

    /// The invariants of the quorum, and behind them that the counting is right.
    fn check(
        oracle: &mut Oracle<Number>,
        machines: &mut [Counter],
        node: NodeId,
        _: Time,
        report: &mut dyn FnMut(Violation),
    ) {
        let mut tell = |invariant: usize, node, detail| {
            let invariant = InvariantId(invariant as u32);
            report(Violation { invariant, node, destination: None, detail });
        };
        if let Some(wrong) = machines[node.index()].wrong.take() {
            tell(Invariant::ALL.len(), node, wrong);
        }
        if oracle.changed(&machines[node.index()].replica, node.index()) {
            let replicas: Vec<&Replica<Number>> =
                machines.iter().map(|counter| &counter.replica).collect();
            oracle.check(&replicas, node.index(), &mut |violation| {
                tell(violation.invariant.index(), violation.node, violation.what);
            });
        }
    }

    fn resolve(_: &[Counter], _: &RoleQuery, _: &WorldView<'_>) -> Vec<NodeId> {
        Vec::new()
    }
}
