//! A member of a DLedger group (`store/dledger/DLedgerCommitLog.java`,
//! `broker/dledger/DLedgerRoleChangeHandler.java`; openmessaging/dledger): the CommitLog is the log of a Raft
//! group, whose leader is the master.
//!
//! The Raft is that of [`raft`](crate::brokers::coordination::raft). The CommitLog here is a copy of
//! its log, record by record, of which what is committed can be read. An entry counts where it is written; the
//! flusher makes it durable within 10 ms.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::coordination::raft::{Config, Event, Offset, Replica};
use crate::engine::{Span, Time};
use crate::observe::{self, NodeId};
use crate::world::{Alarm, By, ConnId, Context, Death, DiskView, Input, Lane};

use super::super::invariants::Touch;
use super::super::message::{Code, HEADER, Message, Send, Timer};
use super::super::store::{Dispatch, Entry, Record};
use super::super::words::{event, role};
use super::Broker;
use super::put::tell_stored;

/// A send waits so long for most members (`maxWaitAckTimeMs`).
const ACK: Span = Span::from_millis(2_500);
/// No more sends than so many wait (`maxPendingRequestsNum`).
const PENDING: usize = 10_000;
/// A group that was up before the run takes messages as soon as the run has begun.
const EARLY: (Time, Span) = (Time::from_nanos(1_000_000_000), Span::from_millis(5));

/// A send that waits for most members to have its record.
#[derive(Clone, Copy, Debug)]
struct Append {
    conn: ConnId,
    id: Option<u32>,
    record: Record,
    offset: Offset,
    due: Time,
}

/// What a broker has of its group.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    raft: Replica<Record>,
    /// Whether it leads, and is master.
    leads: bool,
    /// Up to where the CommitLog has the log.
    copied: Offset,
    /// Up to where the CommitLog is committed.
    committed: u64,
    /// As leader: where the next record begins.
    next: u64,
    waiting: VecDeque<Append>,
    alarm: Alarm,
}

impl Ledger {
    pub(super) fn new(quorum: Arc<Config>, node: NodeId, leader: NodeId) -> Ledger {
        let raft = Replica::founded(quorum, node, leader, Vec::new());
        Ledger {
            copied: raft.applied(),
            raft,
            leads: false,
            committed: 0,
            next: 0,
            waiting: VecDeque::new(),
            alarm: Alarm::new(By::Monotonic),
        }
    }

    /// Whether a lane is the one on which its Raft lives.
    pub(super) fn owns(&self, lane: Lane) -> bool {
        lane != Lane::MAIN && lane == self.raft.lane()
    }

    /// The position of an offset of the log in the CommitLog.
    fn position(&self, offset: Offset) -> u64 {
        let mut end = offset;
        while end > self.raft.log().start() {
            let Some(batch) = self.raft.log().batches(end - 1).next() else { break };
            let count = (end - batch.base) as usize;
            if let Some(last) = batch.records().iter().take(count).next_back() {
                return last.end();
            }
            // A leader's first record is no message.
            end = batch.base;
        }
        0
    }

    /// The process has ended. Returns up to where the CommitLog is left.
    pub(super) fn died(&mut self, death: Death, disk: &DiskView<'_>) -> u64 {
        self.raft.died(death, disk);
        self.leads = false;
        self.copied = self.raft.log().end();
        self.waiting.clear();
        self.alarm.forget();
        let kept = self.position(self.copied);
        self.committed = self.committed.min(kept);
        kept
    }
}

impl Broker {
    pub(super) fn leads_ledger(&self) -> bool {
        self.ledger.as_ref().is_some_and(|ledger| ledger.leads)
    }

    /// The term in which it is master.
    pub(super) fn ledger_epoch(&self) -> Option<u32> {
        self.ledger.as_ref().map(|ledger| ledger.raft.epoch())
    }

    /// Up to where the CommitLog is committed; none if that is nobody's affair.
    pub(super) fn ledger_committed(&self) -> Option<u64> {
        self.ledger.as_ref().map(|ledger| ledger.committed)
    }

    /// The leader of its group as it knows it, and where its CommitLog ends.
    #[must_use]
    pub fn ledger_end(&self) -> Option<(Option<NodeId>, u64)> {
        self.ledger.as_ref().map(|ledger| (ledger.raft.leader(), self.store.log.end()))
    }

    pub(super) fn is_ledger_settled(&self) -> bool {
        let settled = |ledger: &Ledger| ledger.waiting.is_empty() && ledger.raft.is_settled();
        self.ledger.as_deref().is_none_or(settled)
    }

    pub(super) fn start_ledger(&mut self, ctx: &mut Context<'_, Message>) {
        let first = ctx.incarnation() == 0 && self.place.id == 0;
        let Some(ledger) = &mut self.ledger else { return };
        let lane = ctx.spawn();
        ledger.leads = first;
        ledger.raft.boot(lane, ctx);
    }

    /// After a start nothing more can be read than before, until a leader says what is committed.
    pub(super) fn recover_ledger(&mut self) {
        let end = self.store.log.end();
        (self.store.flushed, self.store.committed) = (end, end);
    }

    pub(super) fn member_connected(&self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        if let Some(ledger) = &self.ledger {
            ledger.raft.accept(conn, ctx);
        }
    }

    pub(super) fn ledger_input(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        let Some(ledger) = &mut self.ledger else { return };
        let events = ledger.raft.handle(input, ctx);
        let (cuts, others): (Vec<Event>, Vec<Event>) =
            events.into_iter().partition(|event| matches!(event, Event::Truncated(_)));
        for event in cuts {
            self.ledger_event(event, ctx);
        }
        self.copy_ledger(ctx);
        for event in others {
            self.ledger_event(event, ctx);
        }
    }

    /// What is new in the log goes to the CommitLog.
    fn copy_ledger(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(ledger) = &mut self.ledger else { return };
        let log = ledger.raft.log();
        let from = ledger.copied.max(log.start());
        if log.end() <= from {
            return;
        }
        let mut records = Vec::new();
        for batch in log.batches(from) {
            let known = from.saturating_sub(batch.base) as usize;
            records.extend(batch.records().iter().skip(known).copied());
        }
        ledger.copied = log.end();
        let leads = ledger.leads;
        let (now, node, config) = (ctx.now(), self.node, self.config.clone());
        for record in &records {
            self.store.log.push(record.at, record.bytes(), &[*record], |record| {
                tell_stored(&config, (now, node), &record, ctx.observer());
            });
        }
        self.store.committed = self.store.log.end();
        if let Some(last) = records.last().filter(|_| !leads) {
            self.touched.note(Touch::Pushed(last.end()));
        }
        self.plan_flush(false, ctx);
    }

    fn ledger_event(&mut self, event: Event, ctx: &mut Context<'_, Message>) {
        match event {
            Event::BecameLeader { epoch } => self.lead(epoch, ctx),
            Event::Resigned { .. } => self.step_down(ctx),
            Event::LeaderIs(leader, _) => self.follow(leader, ctx),
            Event::Committed(end) => self.ledger_grew(end, ctx),
            Event::Truncated(offset) => self.cut_ledger(offset, ctx),
            Event::Halted(_) | Event::Stopped => ctx.exit(),
            Event::SnapshotLoaded(_) | Event::SnapshotDue(_) => {}
        }
    }

    /// `changeToMaster`: all that earlier leaders have left is committed, and can be read first.
    fn lead(&mut self, epoch: u32, ctx: &mut Context<'_, Message>) {
        let Some(ledger) = &mut self.ledger else { return };
        let was = std::mem::replace(&mut ledger.leads, true);
        let end = self.store.log.end();
        (ledger.committed, ledger.next) = (end, end);
        while let Dispatch::Message(record) = self.store.dispatch(end) {
            self.dispatched(record, ctx);
        }
        for (next, queue) in self.store.next.iter_mut().zip(&self.store.queues) {
            *next = queue.max();
        }
        if !was {
            self.load_delays();
            self.start_schedule(ctx);
        }
        self.upstream.online = false;
        let (now, node) = (ctx.now(), self.node);
        ctx.observer().event(
            now,
            observe::Event::new(event::BECAME_MASTER, node, None, None, u64::from(epoch)),
        );
        self.touched.note(Touch::Master(epoch));
        self.tell_role(now, Some(role::MASTER), ctx.observer());
        self.register_all(ctx);
    }

    /// It leads no more. Nobody answers sends that wait (`QuorumAckChecker` does so as leader only).
    fn step_down(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(ledger) = &mut self.ledger else { return };
        ledger.waiting.clear();
        if !std::mem::take(&mut ledger.leads) {
            return;
        }
        let now = ctx.now();
        self.tell_role(now, Some(role::DISCONNECTED), ctx.observer());
        self.register_all(ctx);
    }

    /// `changeToSlave`.
    fn follow(&mut self, leader: Option<NodeId>, ctx: &mut Context<'_, Message>) {
        self.step_down(ctx);
        let Some(master) = leader.filter(|leader| *leader != self.node) else {
            self.upstream.online = false;
            return;
        };
        self.upstream.master = master;
        self.upstream.online = true;
        let (now, node, epoch) = (ctx.now(), self.node, self.ledger_epoch().unwrap_or(0));
        ctx.observer().event(
            now,
            observe::Event::new(event::BECAME_SLAVE, node, None, Some(master), u64::from(epoch)),
        );
        self.tell_role(now, Some(role::SLAVE), ctx.observer());
        self.register_all(ctx);
    }

    fn cut_ledger(&mut self, offset: Offset, ctx: &mut Context<'_, Message>) {
        let Some(ledger) = &mut self.ledger else { return };
        let to = ledger.position(offset);
        ledger.copied = ledger.copied.min(offset);
        ledger.committed = ledger.committed.min(to);
        let cut = self.truncate_to(to, ctx);
        if cut > 0 {
            let (now, node, master) = (ctx.now(), self.node, self.upstream.master);
            ctx.observer()
                .event(now, observe::Event::new(event::TRUNCATED, node, None, Some(master), cut));
        }
    }

    /// More is committed: sends are answered, and it can be read.
    fn ledger_grew(&mut self, end: Offset, ctx: &mut Context<'_, Message>) {
        let Some(ledger) = &mut self.ledger else { return };
        ledger.committed = ledger.committed.max(ledger.position(end));
        while let Some(append) = ledger.waiting.front().copied().filter(|one| one.offset < end) {
            ledger.waiting.pop_front();
            if append.record.group().is_none() {
                self.touched.note(Touch::Acked(append.record));
            }
            if let Some(id) = append.id {
                ctx.send(append.conn, Message::Sent(id, Code::Ok), HEADER);
            }
        }
        self.plan_dispatch(ctx);
    }

    /// `asyncPutMessage`.
    pub(super) fn put_in_ledger(
        &mut self,
        conn: ConnId,
        send: Send,
        ctx: &mut Context<'_, Message>,
    ) {
        let Send { queue, message, back, id } = send;
        let bytes = self.config.record_bytes(queue, message.bytes);
        let Some(ledger) = &mut self.ledger else { return };
        if ledger.waiting.len() >= PENDING {
            return self.refuse(conn, send, Code::SystemBusy, ctx);
        }
        let entry = Entry { queue, message, back, stored: ctx.clock() };
        let next = &mut self.store.next[queue.index()];
        let record = Record::of(&entry, (ledger.next, *next), bytes);
        let Ok(offset) = ledger.raft.append(vec![record], ctx) else {
            let (until, wait) = EARLY;
            if ctx.incarnation() == 0 && ctx.now() < until {
                let again = Timer::Put(conn, send, ctx.now().as_nanos());
                ctx.after(wait, self.lanes.put, again.into());
                return;
            }
            return self.refuse(conn, send, Code::ServiceNotAvailable, ctx);
        };
        ledger.next = record.end();
        *next += 1;
        let due = ctx.monotonic() + ACK;
        ledger.waiting.push_back(Append { conn, id, record, offset, due });
        ledger.alarm.wake(due, Lane::MAIN, Timer::LedgerTimeout.into(), ctx);
    }

    /// `WAIT_QUORUM_ACK_TIMEOUT`: the client is told that the page cache is busy, though the record stays in
    /// the log and may be committed later.
    pub(super) fn ledger_timeout(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(ledger) = &mut self.ledger else { return };
        ledger.alarm.rang(ctx);
        let now = ctx.monotonic();
        while let Some(append) = ledger.waiting.front().copied().filter(|one| one.due <= now) {
            ledger.waiting.pop_front();
            if let Some(id) = append.id {
                ctx.send(append.conn, Message::Sent(id, Code::SystemBusy), HEADER);
            }
        }
        if let Some(first) = ledger.waiting.front() {
            ledger.alarm.wake(first.due, Lane::MAIN, Timer::LedgerTimeout.into(), ctx);
        }
    }
}
