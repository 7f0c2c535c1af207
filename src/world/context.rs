//! What a machine can do: its effects.

use crate::engine::{Span, Stream, Time, TimerKey};
use crate::observe::{ActionId, Contact, ContactState, NodeId, NodeState, Observer};

use super::action::Answer;
use super::disk::DiskError;
use super::effect::{Deferred, Effect, Then};
use super::event::Event;
use super::hold::Hold;
use super::machine::{ConnId, FileId, Lane, Port, TimerId};
use super::network::{BOUND, Cargo};
use super::node::Owed;
use super::simulation::{Note, World};

/// Effects that lie no further than this in the future are done at once: they take their place in
/// the queues of links and disks a little early. What a longer computation does late in its course
/// waits for its instant, so that it cannot hold up others that come before.
const AT_ONCE: Span = Span::from_millis(1);

/// The effects of one input, and what a machine may know of its node.
///
/// Effects happen at [`now`](Self::now), which is the start of the input plus the CPU time that it
/// has spent so far. State of the node itself (lanes, bindings, ports, holds, the page cache)
/// changes at once; a process that is killed in the middle of a long computation has changed it
/// already, so long work is better told to oneself in pieces.
pub struct Context<'a, M> {
    world: &'a mut World<M>,
    observer: &'a mut dyn Observer,
    node: u32,
    slot: u32,
    lane: Lane,
    now: Time,
    core: Option<u32>,
    ended: bool,
    exits: bool,
    /// What holds this input up in the kernel: the rest of its effects waits for that.
    hold: Option<u32>,
}

impl<'a, M> Context<'a, M> {
    #[inline]
    pub(crate) fn new(
        world: &'a mut World<M>,
        observer: &'a mut dyn Observer,
        node: u32,
        slot: u32,
    ) -> Context<'a, M> {
        let now = world.kernel.now();
        let lane = Lane(world.nodes[node as usize].lanes.slot(slot).number);
        Context {
            world,
            observer,
            node,
            slot,
            lane,
            now,
            core: None,
            ended: false,
            exits: false,
            hold: None,
        }
    }

    /// The input is handled. Returns when the process ends, if it asked for that.
    #[inline]
    pub(crate) fn finish(self) -> Option<Time> {
        let node = &mut self.world.nodes[self.node as usize];
        if self.ended {
            node.lanes.end(self.lane);
        } else {
            let lane = node.lanes.slot(self.slot);
            lane.busy_until = self.now;
            if lane.wants_wake() {
                self.world.wake_later(self.node, self.slot);
            }
        }
        self.exits.then_some(self.now)
    }

    /// The instant at which effects happen: the start of this input plus the CPU time spent so far.
    #[must_use]
    #[inline]
    pub fn now(&self) -> Time {
        self.now
    }

    /// What this host's wall clock shows at [`now`](Self::now): what goes by the time of day
    /// (expiry dates, time stamps) goes by it. It may be wrong, and jumps when it is set. Counted
    /// from an epoch of its own: compare it with its like only, also those of other hosts.
    #[must_use]
    #[inline]
    pub fn clock(&self) -> Time {
        self.world.nodes[self.node as usize].clock.wall(self.now)
    }

    /// What this host's monotonic clock shows at [`now`](Self::now): what measures how long
    /// something takes (leases, session time-outs) goes by it, as timers do. It may be too fast or
    /// too slow, and never jumps. Compare it with its like of this host only.
    #[must_use]
    #[inline]
    pub fn monotonic(&self) -> Time {
        self.world.nodes[self.node as usize].clock.monotonic(self.now)
    }

    /// This node.
    #[must_use]
    pub fn node(&self) -> NodeId {
        NodeId(self.node)
    }

    /// The lane that handles this input.
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// Which start of the process this is, from 0.
    #[must_use]
    pub fn incarnation(&self) -> u32 {
        self.world.nodes[self.node as usize].incarnation
    }

    /// How long it takes until something that is done every `period` is done for the first time.
    ///
    /// Hosts do not start together. What begins with the run is taken as if it had gone on for long:
    /// its first time is anywhere in the period. What begins later waits for a whole one.
    pub fn first_round(&mut self, period: Span) -> Span {
        if self.incarnation() > 0 || self.now >= Time::ZERO + period {
            return period;
        }
        Span::from_nanos(self.random().below(period.as_nanos()))
    }

    /// Spends CPU time, stated for a speed of 100 %: waits for a free core, then occupies it. The
    /// lane is busy until [`now`](Self::now).
    #[inline]
    pub fn spend(&mut self, cost: Span) {
        if !cost.is_zero() {
            let node = &mut self.world.nodes[self.node as usize];
            self.now = node.spend(cost, self.now, &mut self.core);
        }
    }

    /// The node's own random stream, ready for draws at this instant.
    pub fn random(&mut self) -> &mut Stream {
        let now = self.world.kernel.now();
        self.world.nodes[self.node as usize].stream.at(now)
    }

    /// A new lane.
    pub fn spawn(&mut self) -> Lane {
        self.world.nodes[self.node as usize].lanes.spawn()
    }

    /// Ends a lane: its mailbox, its timers and what is sent to it later vanish. The main lane
    /// cannot be ended.
    pub fn end(&mut self, lane: Lane) {
        if lane == self.lane {
            self.ended = lane != Lane::MAIN;
        } else {
            self.world.nodes[self.node as usize].lanes.end(lane);
        }
    }

    /// Gives a lane of this node an input, at [`now`](Self::now).
    pub fn tell(&mut self, to: Lane, body: M) {
        if self.hold.is_some() {
            return self.defer(Effect::Tell { lane: to, body });
        }
        self.after(Span::ZERO, to, body);
    }

    /// Gives a lane of this node an input later, by its monotonic clock.
    pub fn after(&mut self, delay: Span, to: Lane, body: M) -> TimerId {
        let delay = self.lasts(delay);
        self.at(self.now + delay, to, body)
    }

    /// Gives a lane of this node an input at an instant of the run, whatever its clocks show; now if
    /// that is over.
    pub fn at(&mut self, at: Time, to: Lane, body: M) -> TimerId {
        let (node, incarnation) = (self.node, self.incarnation());
        let TimerKey { slot, generation } =
            self.world.notes.insert(Note { node, incarnation, lane: to, body });
        self.world.kernel.schedule(at.max(self.now), Event::Note { slot, generation });
        TimerId { slot, generation }
    }

    /// How long a wait of `span` takes in truth, by this host's monotonic clock at its present pace.
    #[must_use]
    pub fn lasts(&self, span: Span) -> Span {
        self.world.nodes[self.node as usize].clock.lasts(span)
    }

    /// Whether a timer has neither fired nor been cancelled.
    #[must_use]
    pub fn is_pending(&self, timer: TimerId) -> bool {
        let TimerId { slot, generation } = timer;
        self.world.notes.get(TimerKey { slot, generation }).is_some()
    }

    /// Cancels a timer. One that has fired, or is from an earlier incarnation, is left alone.
    pub fn cancel(&mut self, timer: TimerId) {
        let TimerId { slot, generation } = timer;
        let key = TimerKey { slot, generation };
        if self.world.notes.get(key).is_some_and(|note| note.node == self.node) {
            self.world.notes.remove(key);
        }
    }

    /// How many inputs wait for this lane.
    #[must_use]
    #[inline]
    pub fn waiting(&mut self) -> usize {
        self.world.nodes[self.node as usize].lanes.slot(self.slot).mailbox.len()
    }

    /// Gives this lane an input once its mailbox is empty (as `after 0` of a `receive`): what waits
    /// already, or arrives before the lane is free, goes first. At most one is pending a lane; the
    /// last counts.
    pub fn when_idle(&mut self, body: M) {
        self.world.nodes[self.node as usize].lanes.slot(self.slot).idle = Some(body);
    }

    /// Accepts connections on a port from now on.
    pub fn listen(&mut self, port: Port) {
        self.world.nodes[self.node as usize].listen(port);
    }

    /// Refuses connections on a port from now on; open ones stay.
    pub fn unlisten(&mut self, port: Port) {
        self.world.nodes[self.node as usize].unlisten(port);
    }

    fn is_late(&self) -> bool {
        self.now > self.world.kernel.now() + AT_ONCE || self.hold.is_some()
    }

    #[cold]
    fn defer(&mut self, effect: Effect<M>) {
        let (node, incarnation) = (self.node, self.incarnation());
        let slot = self.world.deferred.insert(Deferred { node, incarnation, effect });
        match self.hold.and_then(|hold| self.world.holds.get_mut(hold)) {
            Some(hold) => hold.effects.push(slot),
            None => self.world.kernel.schedule(self.now, Event::Deferred { slot }),
        }
    }

    /// What holds this input up from now on, if nothing does yet.
    #[cold]
    fn hold_up(&mut self) -> u32 {
        if let Some(hold) = self.hold {
            return hold;
        }
        let hold = Hold::new(self.node, self.incarnation(), self.lane);
        let hold = self.world.holds.insert(hold);
        self.world.nodes[self.node as usize].lanes.slot(self.slot).held = true;
        *self.hold.insert(hold)
    }

    /// Asks for a connection, bound to this lane. `Connected` or `Failed` follows; what is sent
    /// before that waits.
    pub fn connect(&mut self, to: NodeId, port: Port) -> ConnId {
        let conn = self.world.connect(self.node, self.lane, to.0, port);
        if self.now > self.world.kernel.now() || self.hold.is_some() {
            self.defer(Effect::Connect(conn));
        } else {
            self.world.send_syn(conn, 0);
        }
        conn
    }

    /// Gives this side's events of a connection to a lane from now on, those included that wait for
    /// this lane already: they came while it was busy or the node paused.
    pub fn bind(&mut self, conn: ConnId, lane: Lane) {
        if let Some(index) = self.world.net.living(self.node, conn) {
            self.world.net.sides[index].lane = lane;
        }
        if lane == self.lane {
            return;
        }
        let node = &mut self.world.nodes[self.node as usize];
        for owed in &mut node.owed {
            if let Owed::Input { lane: to, input } = owed
                && *to == self.lane
                && input.conn() == Some(conn)
            {
                *to = lane;
            }
        }
        let Some(slot) = node.lanes.find(lane) else { return };
        let old = node.lanes.slot(self.slot);
        let moved = old.mailbox.take(conn);
        if let Some(index) = self.world.net.living(self.node, conn) {
            // Whether it is read does not depend on this lane any more.
            let far = self.world.net.sides[index ^ 1].end;
            if let Some(at) = old.unread.iter().position(|end| *end == far) {
                old.unread.remove(at);
                self.world.kernel.schedule(self.now, Event::Read { end: far.0 });
            }
        }
        node.lanes.slot(slot).mailbox.append(moved);
        self.world.wake_later(self.node, slot);
    }

    /// Sends to the lane to which the far side bound the connection. `bytes` includes what framing
    /// costs on the wire.
    #[inline]
    pub fn send(&mut self, conn: ConnId, body: M, bytes: u32) {
        self.send_to(conn, BOUND, body, bytes);
    }

    /// Sends to a given lane of the far node; vanishes if there is no such lane when it arrives.
    #[inline]
    pub fn send_to(&mut self, conn: ConnId, lane: Lane, body: M, bytes: u32) {
        let Some(index) = self.world.net.living(self.node, conn) else { return };
        if self.is_late() {
            self.world.promise(index, bytes);
            return self.defer(Effect::Send { conn, lane, body, bytes });
        }
        self.world.push(index, Cargo::Data(body), lane, bytes, self.now);
    }

    /// Closes a connection: what was sent still arrives, then the other side is told `Finished`.
    pub fn close(&mut self, conn: ConnId) {
        if self.is_late() {
            return self.defer(Effect::Close(conn));
        }
        if let Some(index) = self.world.net.living(self.node, conn) {
            self.world.close(index, self.now);
        }
    }

    /// Aborts a connection: the other side is told `Reset`; what waits here is thrown away.
    pub fn abort(&mut self, conn: ConnId) {
        if self.is_late() {
            return self.defer(Effect::Abort(conn));
        }
        if let Some(index) = self.world.net.living(self.node, conn) {
            self.world.abort(index, self.now);
        }
    }

    /// Stops (`true`) or resumes (`false`) reading a connection. Back-pressure reaches the sender
    /// when the buffers are full. Its end is not seen either while it is not read.
    pub fn hold(&mut self, conn: ConnId, hold: bool) {
        if let Some(index) = self.world.net.living(self.node, conn) {
            self.world.hold(index, hold, self.now);
        }
    }

    /// Reads no more of a connection while so much waits in the mailbox of the lane to which it is
    /// bound, and goes on when half of it is done: what a process between the socket and the lane
    /// may take ahead. Unlimited unless it is said. Back-pressure reaches the sender when the
    /// buffers are full.
    pub fn read_ahead(&mut self, conn: ConnId, inputs: u32) {
        if let Some(index) = self.world.net.living(self.node, conn) {
            self.world.net.sides[index].ahead = inputs;
        }
    }

    /// Bytes that still fit into the send buffer. At 0 the machine should wait for `Writable`;
    /// sending all the same is allowed. A dead connection has 0.
    #[must_use]
    pub fn room(&self, conn: ConnId) -> u64 {
        self.world.net.living(self.node, conn).map_or(0, |index| self.world.room(index))
    }

    /// The process keeps a buffer of its own before the kernel's: so much more fits into the
    /// connection.
    pub fn buffer(&mut self, conn: ConnId, bytes: u64) {
        if let Some(index) = self.world.net.living(self.node, conn) {
            self.world.net.sides[index].own_buffer = bytes;
        }
    }

    /// Bytes that were sent on a connection and not yet read; 0 for a dead one.
    #[must_use]
    pub fn buffered(&self, conn: ConnId) -> u64 {
        self.world.net.living(self.node, conn).map_or(0, |index| self.world.buffered(index))
    }

    /// This lane handles nothing after this input, until another one resumes it.
    pub fn suspend(&mut self) {
        self.world.nodes[self.node as usize].lanes.slot(self.slot).suspended = true;
    }

    /// Whether this lane was suspended while it handled this input.
    #[must_use]
    pub fn is_suspended(&mut self) -> bool {
        self.world.nodes[self.node as usize].lanes.slot(self.slot).suspended
    }

    /// Lets a lane of this node go on that was suspended.
    pub fn resume(&mut self, lane: Lane) {
        let lanes = &mut self.world.nodes[self.node as usize].lanes;
        if let Some(slot) = lanes.find(lane) {
            lanes.slot(slot).suspended = false;
            self.world.wake_later(self.node, slot);
        }
    }

    /// Bytes that this process has read from a connection; 0 for a dead one.
    #[must_use]
    pub fn bytes_received(&self, conn: ConnId) -> u64 {
        let index = self.world.net.living(self.node, conn);
        index.map_or(0, |index| self.world.net.sides[index ^ 1].flow.read)
    }

    /// Bytes that this process has written to a connection; 0 for a dead one.
    #[must_use]
    pub fn bytes_sent(&self, conn: ConnId) -> u64 {
        let index = self.world.net.living(self.node, conn);
        index.map_or(0, |index| self.world.net.sides[index].flow.sent)
    }

    /// Who is at the other end of a connection; `None` for a dead one.
    #[must_use]
    pub fn peer(&self, conn: ConnId) -> Option<NodeId> {
        let index = self.world.net.living(self.node, conn)?;
        Some(NodeId(self.world.net.sides[index ^ 1].node))
    }

    /// Appends to a file, into the page cache. If more of that is dirty than may be, this lane waits
    /// for the disk: the effects behind this one happen when it has caught up, and nothing is handled
    /// until then.
    ///
    /// # Errors
    /// [`DiskError::Full`] or [`DiskError::Io`]; nothing was written then.
    pub fn write(&mut self, file: FileId, bytes: u64) -> Result<(), DiskError> {
        let disk = &mut self.world.disks[self.node as usize];
        if let Some(target) = disk.write(file, bytes, self.now)? {
            let hold = self.hold_up();
            self.world.wait_for_write_back(hold, target, self.now);
        }
        Ok(())
    }

    /// Reads a stretch of a file, of which what is not in the page cache comes from the disk: then
    /// this lane waits for it as it waits in [`write`](Self::write).
    ///
    /// # Errors
    /// [`DiskError::Io`] if it must come from a disk that cannot be read.
    pub fn load(&mut self, file: FileId, from: u64, to: u64) -> Result<(), DiskError> {
        let disk = &mut self.world.disks[self.node as usize];
        let Some(sync) = disk.load(file, from, to, self.now) else { return Ok(()) };
        if disk.fails_reads() {
            return Err(DiskError::Io);
        }
        let hold = self.hold_up();
        self.world.wait_for_read(hold, sync);
        Ok(())
    }

    /// Makes all that was written to a file durable; this lane gets `done` when it is, or
    /// [`Input::DiskFailed`](super::Input::DiskFailed) with it if that failed: then what was to
    /// become durable never will, though the file still has it and another fsync may succeed. The
    /// lane goes on meanwhile.
    pub fn fsync(&mut self, file: FileId, done: M) {
        self.sync(file, done, false);
    }

    /// The same, but this lane handles nothing until then; `done` comes before anything that waits.
    /// One at a time a lane.
    pub fn fsync_blocking(&mut self, file: FileId, done: M) {
        let lane = self.world.nodes[self.node as usize].lanes.slot(self.slot);
        debug_assert!(!lane.blocked, "a lane waits for one fsync at a time");
        lane.blocked = true;
        self.sync(file, done, true);
    }

    fn sync(&mut self, file: FileId, done: M, blocking: bool) {
        let lane = self.lane;
        if self.is_late() {
            return self.defer(Effect::Fsync { lane, file, done, blocking });
        }
        let incarnation = self.incarnation();
        let then = if blocking { Then::Unblock(done) } else { Then::Tell(done) };
        self.world.fsync((self.node, incarnation, lane), file, then, self.now);
    }

    /// Reads so many bytes from the disk; this lane gets `done` when they are here, or
    /// [`Input::DiskFailed`](super::Input::DiskFailed) with it if they cannot be read, and goes on
    /// meanwhile.
    pub fn read(&mut self, bytes: u64, done: M) {
        let lane = self.lane;
        if self.is_late() {
            return self.defer(Effect::Read { lane, bytes, done });
        }
        let incarnation = self.incarnation();
        self.world.read_disk((self.node, incarnation, lane), bytes, done, self.now);
    }

    /// Gives back the space of the next `bytes` at the front of a file, as if they had been in files
    /// of their own and those files were deleted. Offsets stay as they are.
    pub fn release(&mut self, file: FileId, bytes: u64) {
        self.world.disks[self.node as usize].release(file, bytes);
    }

    /// Cuts a file to a length. Durable at once.
    pub fn truncate(&mut self, file: FileId, length: u64) {
        self.world.disks[self.node as usize].truncate(file, length);
    }

    /// Bytes of a file.
    #[must_use]
    pub fn file_length(&self, file: FileId) -> u64 {
        self.world.disks[self.node as usize].length(file)
    }

    /// What an end of this process now would leave of each file, by file: to be looked at through a
    /// [`DiskView`](super::DiskView) by a machine whose software ends while its process goes on.
    #[must_use]
    pub fn file_lengths(&self) -> Vec<u64> {
        self.world.disks[self.node as usize].lengths()
    }

    /// Bytes that can still be written to this node's disk.
    #[must_use]
    pub fn disk_free(&self) -> u64 {
        self.world.disks[self.node as usize].free()
    }

    /// The node now serves: booting becomes up. Clients announce it too.
    pub fn ready(&mut self) {
        let node = &mut self.world.nodes[self.node as usize];
        if node.state == NodeState::Booting {
            node.state = NodeState::Up;
            self.observer.node(self.now, NodeId(self.node), NodeState::Up);
        }
    }

    /// Ends the process after this input: sockets are closed after what they still have to send,
    /// and [`Machine::died`](super::Machine::died) is called.
    pub fn exit(&mut self) {
        self.exits = true;
    }

    /// A client tells what its connection to a broker has come to, why, and how long that took. This
    /// does not put the quiet end of a run off: whoever tries for ever to reach a broker that is
    /// gone for good tells so for ever.
    pub fn contact(
        &mut self,
        broker: NodeId,
        state: ContactState,
        (why, lasted): (&'static str, Span),
    ) {
        let client = NodeId(self.node);
        self.observer.contact(self.now, Contact { client, broker, state, why, lasted });
    }

    /// A command that this node was given has ended ([`Signal::Command`](super::Signal::Command)).
    pub fn answer(&mut self, action: ActionId, answer: Answer) {
        let (now, node) = (self.now, self.node());
        if let Some((id, phase)) = self.world.answered(now, node, action, answer) {
            self.observer().fault(now, id, phase, &[node]);
        }
    }

    /// Who is told what happens. A run does not become quiet within 2 s of its use, so it should
    /// be used to tell something.
    #[inline]
    pub fn observer(&mut self) -> &mut dyn Observer {
        self.world.told_at = self.world.kernel.now();
        self.observer
    }
}
