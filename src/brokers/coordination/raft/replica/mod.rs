//! One replica: what its machine sees of it, and how its effects are carried out.

mod answers;
mod due;
mod requests;
mod transitions;
mod view;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::{Stream, Time};
use crate::observe::NodeId;
use crate::world::{ConnId, Context, Death, DiskView, FileId, Input, Lane, TimerId};

use super::super::Carry;
use super::config::{Config, PORT};
use super::log::{Epoch, Offset, OffsetAndEpoch, Record, Snapshot};
use super::message::{Message, Request, Response};
use super::peers::Peers;
use super::role::Role;
use super::store::{ELECTION_BYTES, Election, Store};

/// What the machine that embeds a replica must react to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It leads, and has read its log up to the first record of its epoch: it may append.
    BecameLeader {
        /// Its epoch.
        epoch: Epoch,
    },
    /// It had become leader, and is none any more.
    Resigned {
        /// Its epoch.
        epoch: Epoch,
    },
    /// Another leads, or nobody that is known.
    LeaderIs(Option<NodeId>, Epoch),
    /// Records before this offset are committed and not yet read.
    Committed(Offset),
    /// The state is that of the newest snapshot; what was read before is void.
    SnapshotLoaded(OffsetAndEpoch),
    /// Much was committed since the last snapshot: make one of the state at this offset.
    SnapshotDue(Offset),
    /// The end of the log was cut off: it was none of the leader's.
    Truncated(Offset),
    /// What [`Replica::shutdown`] asked for: the process may end.
    Stopped,
    /// What cannot happen has happened; the process must end.
    Halted(&'static str),
}

/// It does not lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the replica is not the current leader")]
pub struct NotLeader;

/// An effect that waits for those before it.
#[derive(Clone, Debug)]
enum Step<R> {
    Request {
        to: NodeId,
        id: u32,
        body: Box<Request>,
    },
    Respond {
        conn: ConnId,
        id: u32,
        body: Box<Response<R>>,
    },
    Abort(ConnId),
    Write(FileId, u64),
    Truncate(FileId, u64),
    Release(FileId, u64),
    /// Nothing behind it happens before it is through.
    Sync(FileId),
    /// What was there before the run is in the files.
    Given,
    /// `quorum-state` is durable up to there.
    Elected(u64),
    /// The leader's log is durable up to there.
    Count(Epoch, Offset),
    /// A snapshot that was fetched is durable, up to there.
    Install(OffsetAndEpoch, u64),
    /// An own snapshot is durable, up to there.
    Clean(u64),
    Tell(Event),
}

/// What time it is, and luck.
struct Clock<'a> {
    now: Time,
    /// What the wall clock shows, which may be less.
    wall: Time,
    stream: &'a mut Stream,
}

/// What has come.
enum Received<R> {
    Request(ConnId, u32, Box<Request>),
    Response(ConnId, u32, Box<Response<R>>),
    Connected(ConnId),
    Lost(ConnId),
    Start,
    DiskFailed,
    Nothing,
}

/// A voter or an observer.
#[derive(Clone, Debug)]
pub struct Replica<R> {
    config: Arc<Config>,
    me: NodeId,
    voter: bool,
    lane: Lane,
    store: Store<R>,
    running: bool,
    epoch: Epoch,
    role: Role<R>,
    /// The greatest high watermark that it has known since it started.
    high_watermark: Option<Offset>,
    /// Up to where its machine was told of the log.
    applied: Offset,
    told: (Option<NodeId>, Epoch),
    peers: Peers,
    steps: VecDeque<Step<R>>,
    timer: Option<(Time, TimerId)>,
    /// Which timer that is.
    turn: u32,
    /// The latest time that its timers have seen.
    latest: Time,
    stopping: Option<Time>,
    halted: bool,
    /// Up to where a snapshot was asked for.
    asked: Offset,
    offered: Option<Snapshot<R>>,
    loaded_while_leading: bool,
    /// Counts what an invariant could be about.
    changes: u32,
    /// It is part of a quorum that was up before the run, and has not started yet.
    founded: bool,
    /// What it has on its disk since before the run is not in the world's files yet.
    given: bool,
    /// How many disks it has had.
    disk: u32,
}

impl<R: Record> Replica<R> {
    /// A replica with an empty disk, on a node that is not running yet.
    #[must_use]
    pub fn new(config: Arc<Config>, me: NodeId) -> Replica<R> {
        let others: Vec<NodeId> =
            config.voters.iter().copied().filter(|voter| *voter != me).collect();
        let peers = Peers::new(others.into_iter(), config.retry_backoff, config.request_timeout);
        Replica {
            voter: config.voters.contains(&me),
            config,
            me,
            lane: Lane::MAIN,
            store: Store::empty(),
            running: false,
            epoch: 0,
            role: Role::Unattached { voted: None, until: Time::MAX },
            high_watermark: None,
            applied: 0,
            told: (None, 0),
            peers,
            steps: VecDeque::new(),
            timer: None,
            turn: 0,
            latest: Time::ZERO,
            stopping: None,
            halted: false,
            asked: 0,
            offered: None,
            loaded_while_leading: false,
            changes: 0,
            founded: false,
            given: false,
            disk: 0,
        }
    }

    /// A replica of a quorum that has been up for a while when the run starts: its state is what
    /// `records` make, and `leader` leads.
    #[must_use]
    pub fn founded(config: Arc<Config>, me: NodeId, leader: NodeId, records: Vec<R>) -> Replica<R> {
        let id = OffsetAndEpoch { epoch: 1, offset: records.len() as u64 + 1 };
        let body: u64 = records.iter().map(|record| u64::from(record.bytes())).sum();
        let bytes = body + 3 * u64::from(super::log::BATCH_OVERHEAD);
        let mut replica = Replica::new(config, me);
        replica.store = Store::founded(Snapshot { id, bytes, records }, leader);
        (replica.founded, replica.given, replica.applied) = (true, true, id.offset);
        replica.high_watermark = Some(id.offset);
        replica
    }

    /// The process starts: the replica lives on `lane` from now on.
    pub fn boot<M: Carry<Message<R>>>(&mut self, lane: Lane, ctx: &mut Context<'_, M>) {
        self.lane = lane;
        if self.voter {
            ctx.listen(PORT);
        }
        ctx.tell(lane, M::from(Message::Start));
    }

    /// A connection was accepted on [`PORT`].
    pub fn accept<M: Carry<Message<R>>>(&self, conn: ConnId, ctx: &mut Context<'_, M>) {
        ctx.bind(conn, self.lane);
    }

    /// The lane on which it lives.
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// Handles an input of its lane. The events are in order.
    pub fn handle<M: Carry<Message<R>>>(
        &mut self,
        input: Input<M>,
        ctx: &mut Context<'_, M>,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        if self.halted {
            return events;
        }
        let received = match input {
            Input::Message { conn, body } => match body.open() {
                Ok(Message::Request(id, body)) => Received::Request(conn, id, body),
                Ok(Message::Response(id, body)) => Received::Response(conn, id, body),
                _ => Received::Nothing,
            },
            Input::Connected { conn } => Received::Connected(conn),
            Input::Failed { conn, .. } | Input::Closed { conn, .. } => Received::Lost(conn),
            Input::Local { body } => match body.open() {
                Ok(Message::Start) => Received::Start,
                // It may be early, by a clock that runs fast; another one is set then. One that has
                // been replaced says nothing about the one that is set.
                Ok(Message::Tick(turn)) => {
                    if turn == self.turn {
                        self.timer = None;
                    }
                    Received::Nothing
                }
                _ => Received::Nothing,
            },
            Input::DiskFailed { .. } => Received::DiskFailed,
            _ => Received::Nothing,
        };
        if let Received::Start = received {
            self.trim_files(ctx);
        } else if let Received::Request(..) | Received::Response(..) = received {
            ctx.spend(self.config.request_cost);
        }
        if !self.running && !matches!(received, Received::Start) {
            return events;
        }
        let mut clock = self.clock(ctx);
        self.react(received, &mut clock);
        while self.carry_out(ctx, &mut events) {
            if self.halted {
                break;
            }
            let mut clock = self.clock(ctx);
            self.poll(&mut clock);
            if self.steps.is_empty() {
                self.arm(ctx);
                break;
            }
        }
        events
    }

    /// What its timers take for the time. They go by the time of day, but none goes back
    /// (KafkaRaftClient.java, `time.milliseconds()`; Timer.java, `update`): where the clock is set
    /// back they stand still until it has caught up.
    fn now<M>(&mut self, ctx: &Context<'_, M>) -> Time {
        self.latest = self.latest.max(ctx.clock());
        self.latest
    }

    fn clock<'a, M>(&mut self, ctx: &'a mut Context<'_, M>) -> Clock<'a> {
        Clock { now: self.now(ctx), wall: ctx.clock(), stream: ctx.random() }
    }

    /// Whoever takes another role has new timers, which read the clock anew.
    fn renew_timers(&mut self, clock: &mut Clock<'_>) {
        self.latest = clock.wall;
        clock.now = clock.wall;
    }

    /// The files are as long as what is known of them.
    fn trim_files<M>(&mut self, ctx: &mut Context<'_, M>) {
        let store = &self.store;
        if self.given {
            // A disk is empty when the run starts: what was there before it is put there.
            for (file, end) in [
                (self.config.quorum_file(), store.election_end()),
                (self.config.snapshot_file(), store.snapshot_end()),
            ] {
                ctx.truncate(file, 0);
                if ctx.write(file, end).is_err() {
                    return self.halt("the disk is full");
                }
                self.steps.push_back(Step::Sync(file));
            }
            self.steps.push_back(Step::Given);
            return;
        }
        ctx.truncate(self.config.log_file(), store.log.end_byte());
        ctx.truncate(self.config.quorum_file(), store.election_end());
        ctx.truncate(self.config.snapshot_file(), store.snapshot_end());
    }

    fn react(&mut self, received: Received<R>, clock: &mut Clock<'_>) {
        match received {
            Received::Request(conn, id, body) => self.on_request(conn, id, *body, clock),
            Received::Response(conn, id, body) => {
                if let Some(from) = self.peers.by_conn(conn)
                    && self.peers.expects(from, id)
                {
                    let success = self.on_response(from, *body, clock);
                    self.peers.finish(from, id, success, clock.now);
                }
            }
            Received::Connected(conn) => self.peers.connected(conn),
            Received::Lost(conn) => self.peers.broke(conn, clock.now),
            Received::Start => self.start(clock),
            // UnifiedLog.flush, FileQuorumStateStore: an IOException, which nobody catches.
            Received::DiskFailed => self.halt("the disk has failed"),
            Received::Nothing => {}
        }
    }

    /// Carries out what is to be done, until an fsync is to be waited for. Returns whether
    /// all is done.
    fn carry_out<M: Carry<Message<R>>>(
        &mut self,
        ctx: &mut Context<'_, M>,
        events: &mut Vec<Event>,
    ) -> bool {
        while let Some(step) = self.steps.pop_front() {
            match step {
                Step::Request { to, id, body } => self.send_request(to, id, body, ctx),
                Step::Respond { conn, id, body } => {
                    let bytes = body.bytes();
                    ctx.send(conn, M::from(Message::Response(id, body)), bytes);
                }
                Step::Abort(conn) => ctx.abort(conn),
                Step::Write(file, bytes) => {
                    if ctx.write(file, bytes).is_err() {
                        self.halt("the disk is full");
                    }
                }
                Step::Given => self.given = false,
                Step::Truncate(file, length) => ctx.truncate(file, length),
                Step::Release(file, bytes) => ctx.release(file, bytes),
                Step::Sync(file) => {
                    ctx.fsync_blocking(file, M::from(Message::Synced));
                    return false;
                }
                Step::Elected(end) => {
                    let bytes = self.store.settle_elections(end);
                    self.changes = self.changes.wrapping_add(1);
                    ctx.release(self.config.quorum_file(), bytes);
                }
                Step::Count(epoch, end) => {
                    let now = self.now(ctx);
                    self.count(epoch, end, now);
                }
                Step::Install(id, end) => {
                    self.store.freeze(end);
                    self.install(id);
                }
                Step::Clean(end) => {
                    self.store.freeze(end);
                    self.clean();
                }
                Step::Tell(event) => {
                    events.push(event);
                    if let Event::Halted(_) = event {
                        self.halted = true;
                        self.steps.clear();
                        return false;
                    }
                }
            }
        }
        true
    }

    fn send_request<M: Carry<Message<R>>>(
        &mut self,
        to: NodeId,
        id: u32,
        body: Box<Request>,
        ctx: &mut Context<'_, M>,
    ) {
        let Some(peer) = self.peers.peer(to) else { return };
        let conn = *peer.conn.get_or_insert_with(|| ctx.connect(to, PORT));
        let bytes = body.bytes();
        ctx.send(conn, M::from(Message::Request(id, body)), bytes);
    }

    /// Sees to it that it is woken when something is due. A timer that comes too early does no
    /// harm, so one is only set anew if it would come too late.
    fn arm<M: Carry<Message<R>>>(&mut self, ctx: &mut Context<'_, M>) {
        let now = self.now(ctx);
        let due = self.deadline(now);
        if due == Time::MAX {
            return;
        }
        if let Some((at, timer)) = self.timer {
            if now < at && at <= due {
                return;
            }
            ctx.cancel(timer);
        }
        let delay = due.max(now).since(now);
        self.turn = self.turn.wrapping_add(1);
        let tick = M::from(Message::Tick(self.turn));
        self.timer = Some((due, ctx.after(delay, self.lane, tick)));
    }

    /// Appends records, all of which will be committed, or none. They wait for others for
    /// `append.linger`. Returns the offset of the last one: it is committed when the high
    /// watermark is behind it.
    ///
    /// # Errors
    /// [`NotLeader`]; nothing was appended.
    pub fn append<M: Carry<Message<R>>>(
        &mut self,
        records: Vec<R>,
        ctx: &mut Context<'_, M>,
    ) -> Result<Offset, NotLeader> {
        let now = self.now(ctx);
        let (linger, most) = (self.config.append_linger, self.config.max_batch_bytes);
        let Role::Leader(leading) = &mut self.role else { return Err(NotLeader) };
        if self.halted || records.is_empty() {
            return Err(NotLeader);
        }
        let was_due = leading.linger;
        leading.next_offset += records.len() as u64;
        leading.waiting_bytes +=
            records.iter().map(|record| u64::from(record.bytes())).sum::<u64>();
        leading.waiting.push(records);
        leading.linger = leading.linger.min(now + linger);
        if leading.waiting_bytes >= most {
            leading.linger = now;
        }
        let last = leading.next_offset - 1;
        if leading.linger < was_due {
            self.arm(ctx);
        }
        Ok(last)
    }

    /// The offset that the next record to be appended gets; `None` if it does not lead.
    #[must_use]
    pub fn next_offset(&self) -> Option<Offset> {
        match &self.role {
            Role::Leader(leading) => Some(leading.next_offset),
            _ => None,
        }
    }

    /// Gives up leadership of an epoch, if it still leads in it (`RaftClient.resign`).
    pub fn resign<M: Carry<Message<R>>>(&mut self, epoch: Epoch, ctx: &mut Context<'_, M>) {
        if let Role::Leader(leading) = &mut self.role
            && epoch == self.epoch
        {
            leading.resigns = true;
            ctx.tell(self.lane, M::from(Message::Wake));
        }
    }

    /// Stops gracefully: a leader resigns and waits until another leads, 5 s at most
    /// (`KafkaRaftManager.shutdown`, 3.9). [`Event::Stopped`] follows.
    pub fn shutdown<M: Carry<Message<R>>>(&mut self, ctx: &mut Context<'_, M>) {
        self.stopping = Some(self.now(ctx) + crate::engine::Span::from_secs(5));
        ctx.tell(self.lane, M::from(Message::Wake));
    }

    /// A snapshot of the state behind all records before `end`, which is committed; ignored if
    /// there is one already, or the log does not know that place.
    pub fn take_snapshot<M: Carry<Message<R>>>(
        &mut self,
        end: Offset,
        records: Vec<R>,
        ctx: &mut Context<'_, M>,
    ) {
        let Some(epoch) = self.store.log.epoch_before(end) else { return };
        let id = OffsetAndEpoch { epoch, offset: end };
        let body: u64 = records.iter().map(|record| u64::from(record.bytes())).sum();
        // Its header, the records, and its footer are batches.
        let bytes = body + 3 * u64::from(super::log::BATCH_OVERHEAD);
        self.offered = Some(Snapshot { id, bytes, records });
        ctx.tell(self.lane, M::from(Message::Wake));
    }

    /// The process has ended, or the disk under a dead one was lost.
    pub fn died(&mut self, death: Death, disk: &DiskView<'_>) {
        self.store.died(death, disk, &self.config, self.given);
        let mut fresh = Replica::new(self.config.clone(), self.me);
        std::mem::swap(&mut fresh.store, &mut self.store);
        fresh.changes = self.changes.wrapping_add(1);
        let wiped = death == Death::Wiped;
        fresh.given = self.given && !wiped;
        fresh.disk = self.disk + u32::from(wiped);
        *self = fresh;
    }

    fn halt(&mut self, why: &'static str) {
        self.steps.clear();
        self.steps.push_back(Step::Tell(Event::Halted(why)));
    }

    fn tell(&mut self, event: Event) {
        self.steps.push_back(Step::Tell(event));
    }

    /// Writes `quorum-state`; nothing that follows happens before it is durable
    /// (`QuorumState.durableTransitionTo`, `FileQuorumStateStore`, 3.9).
    fn persist(&mut self, election: Election) {
        self.changes = self.changes.wrapping_add(1);
        self.epoch = election.epoch;
        let faulty = self.config.faulty;
        let is_vote = election.voted.is_some_and(|voted| voted != self.me);
        if (faulty.votes_unpersisted && is_vote)
            || (faulty.forgets_epochs && self.store.election_end() > 0)
        {
            return;
        }
        self.store.elect(election);
        let (file, end) = (self.config.quorum_file(), self.store.election_end());
        let done = Step::Elected(end);
        self.steps.extend([Step::Write(file, ELECTION_BYTES), Step::Sync(file), done]);
    }
}
