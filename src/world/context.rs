//! What a machine can do: its effects.

use crate::engine::{Span, Stream, Time};
use crate::observe::{NodeId, Observer};

use super::disk::DiskError;
use super::machine::{ConnId, FileId, Lane, Port, TimerId};
use super::simulation::World;

/// The effects of one input, and what a machine may know of its node.
pub struct Context<'a, M, O> {
    pub(crate) world: &'a mut World<M>,
    pub(crate) observer: &'a mut O,
    pub(crate) node: NodeId,
    pub(crate) lane: Lane,
    pub(crate) now: Time,
}

#[allow(unused_variables)]
impl<M: Clone, O: Observer> Context<'_, M, O> {
    /// The instant at which effects happen: the start of this input plus the CPU time spent so far.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }
    /// This node.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.node
    }
    /// The lane that handles this input.
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.lane
    }
    /// Which start of the process this is, from 0.
    #[must_use]
    pub fn incarnation(&self) -> u32 {
        self.world.todo()
    }
    /// Spends CPU time (stated for a speed of 100 %): waits for a free core, then occupies it. The
    /// lane is busy until [`now`](Self::now).
    pub fn spend(&mut self, cost: Span) {}
    /// The node's own random stream, ready for draws at this instant.
    pub fn random(&mut self) -> &mut Stream {
        self.world.todo()
    }
    /// A new lane.
    pub fn spawn(&mut self) -> Lane {
        self.world.todo()
    }
    /// Ends a lane: its mailbox, its timers and what is sent to it later vanish. The main lane
    /// cannot be ended.
    pub fn end(&mut self, lane: Lane) {}
    /// Gives a lane of this node an input, at [`now`](Self::now).
    pub fn tell(&mut self, to: Lane, body: M) {}
    /// Gives a lane of this node an input later.
    pub fn after(&mut self, delay: Span, to: Lane, body: M) -> TimerId {
        self.world.todo()
    }
    /// Cancels a timer. One that has fired, or is from an earlier incarnation, is left alone.
    pub fn cancel(&mut self, timer: TimerId) {}
    /// Gives this lane an input once its mailbox is empty (Erlang's `after 0`): what waits already, or
    /// arrives before the lane is free, goes first. At most one is pending a lane; the last counts.
    pub fn when_idle(&mut self, body: M) {}
    /// Accepts connections on a port from now on.
    pub fn listen(&mut self, port: Port) {}
    /// Refuses connections on a port from now on; open ones stay.
    pub fn unlisten(&mut self, port: Port) {}
    /// Asks for a connection, bound to this lane. `Connected` or `Failed` follows.
    pub fn connect(&mut self, to: NodeId, port: Port) -> ConnId {
        self.world.todo()
    }
    /// Gives this side's events of a connection to a lane from now on.
    pub fn bind(&mut self, conn: ConnId, lane: Lane) {}
    /// Sends to the lane to which the far side bound the connection. `bytes` includes what framing
    /// costs on the wire.
    pub fn send(&mut self, conn: ConnId, body: M, bytes: u32) {}
    /// Sends to a given lane of the far node; vanishes if there is no such lane when it arrives.
    pub fn send_to(&mut self, conn: ConnId, lane: Lane, body: M, bytes: u32) {}
    /// Closes a connection: what was sent still arrives, then the other side is told `Finished`.
    pub fn close(&mut self, conn: ConnId) {}
    /// Aborts a connection: the other side is told `Reset`; what waits here is thrown away.
    pub fn abort(&mut self, conn: ConnId) {}
    /// Stops (`true`) or resumes (`false`) reading a connection. Back-pressure reaches the sender
    /// when the buffers are full.
    pub fn hold(&mut self, conn: ConnId, hold: bool) {}
    /// Bytes that still fit into the send buffer. At 0 the machine should wait for `Writable`;
    /// sending all the same is allowed. A dead connection has 0.
    #[must_use]
    pub fn room(&self, conn: ConnId) -> u64 {
        0
    }
    /// Bytes that this process has read from a connection.
    #[must_use]
    pub fn bytes_received(&self, conn: ConnId) -> u64 {
        0
    }
    /// Bytes that this process has written to a connection.
    #[must_use]
    pub fn bytes_sent(&self, conn: ConnId) -> u64 {
        0
    }
    /// Appends to a file, into the page cache.
    ///
    /// # Errors
    /// [`DiskError::Full`]; nothing was written then.
    pub fn write(&mut self, file: FileId, bytes: u64) -> Result<(), DiskError> {
        Ok(())
    }
    /// Makes all that was written to a file durable; this lane gets `done` when it is. The lane
    /// goes on meanwhile.
    pub fn fsync(&mut self, file: FileId, done: M) {}
    /// The same, but this lane handles nothing until then; `done` comes before anything that waits.
    pub fn fsync_blocking(&mut self, file: FileId, done: M) {}
    /// Cuts a file to a length. Durable at once.
    pub fn truncate(&mut self, file: FileId, length: u64) {}
    /// Bytes of a file.
    #[must_use]
    pub fn file_length(&self, file: FileId) -> u64 {
        0
    }
    /// Bytes that can still be written to this node's disk.
    #[must_use]
    pub fn disk_free(&self) -> u64 {
        0
    }
    /// The node now serves: booting becomes up.
    pub fn ready(&mut self) {}
    /// Ends the process after this input: sockets are closed after what they still have to send,
    /// and [`Machine::died`](super::Machine::died) is called.
    pub fn exit(&mut self) {}
    /// Who is told what happens.
    pub fn observer(&mut self) -> &mut O {
        self.observer
    }
}
