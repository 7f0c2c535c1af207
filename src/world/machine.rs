//! What a machine is: the contract between the state machines of a broker family and the world.

use std::borrow::Cow;

use crate::engine::Time;
use crate::observe::{ActionId, NodeId, Observer, Violation};

use super::action::{Answer, NODE_DOWN};
use super::context::Context;
use super::disk::DiskView;
use super::selector::{RoleQuery, WorldView};

/// A sans-IO state machine on one host: a broker node, a producer, a consumer, an auditor.
///
/// It is handed one [`Input`] at a time and writes its effects into the [`Context`]. It reads no
/// clock and draws no randomness but the context's, does no I/O and never blocks.
pub trait Machine: Clone {
    /// What its family sends over connections and to itself: messages, timers, disk completions.
    /// Keep it small (48 bytes or less): it is moved, not boxed.
    type Message: Clone;

    /// Handles one input. Called when the input's lane is free; effects happen at
    /// [`Context::now`], the start of the input plus the CPU time spent so far.
    fn handle(&mut self, input: Input<Self::Message>, ctx: &mut Context<'_, Self::Message>);

    /// How urgent an input is that has to wait for its lane: it goes before those that are less
    /// urgent, and behind those that are as urgent. By default inputs are taken as they come.
    fn urgency(&self, lane: Lane, input: &Input<Self::Message>) -> u8 {
        let _ = (lane, input);
        0
    }

    /// The process has just died or ended, or the disk under a dead one was lost: forget what was
    /// in memory, trim the image of the disk to what `disk` kept, and tell the observer which
    /// copies are gone.
    ///
    /// Called again when a process that is dead already loses more: power after a kill
    /// ([`Death::PowerLoss`]), or the whole disk ([`Death::Wiped`]).
    fn died(&mut self, death: Death, disk: &DiskView<'_>, at: Time, observer: &mut dyn Observer);

    /// An operator gives a command for this node while it has no process: what a tool does that works
    /// on the files of a node that is down, and can reach those that are up. By default there is no
    /// such tool.
    ///
    /// # Errors
    /// Why nothing was done, in the words of the tool.
    fn command_offline(&mut self, action: ActionId, up: &dyn Fn(NodeId) -> bool) -> Answer {
        let _ = (action, up);
        Err(NODE_DOWN)
    }

    /// What it waits for; `None` if nothing is outstanding here: booted, nothing unanswered, nothing
    /// left to deliver. Decides the quiet end of a run, and is told if there is none; called rarely.
    fn waits_for(&self) -> Option<Wait>;
}

/// A broker family as the world sees it: its machines, and what its selectors mean.
pub trait Cluster: Clone {
    /// The enum of its machines.
    type Machine: Machine;

    /// What [`check`](Self::check) knows of the whole cluster beside its machines: the greatest
    /// values seen, who ever led. Belongs to the run and is cloned with it; `()` for a family
    /// without invariants.
    type Oracle: Clone + Default;

    /// Whether the family has invariants to check. Where it has none, nothing is left of the calls
    /// of [`check`](Self::check).
    const CHECKED: bool = false;

    /// Compares the states of the machines with each other and with the oracle, and tells `report`
    /// what disagrees. Called after `node` has handled an input, and after its process has died;
    /// not at all in a run that has its checks switched off.
    ///
    /// It is called after every input, so machines keep a short list of what they touched, which
    /// this takes: an input that touches nothing then costs one branch. The machines may be changed
    /// only in what nobody but this reads. Report a broken invariant once for the states that break
    /// it, not again while they last.
    fn check(
        oracle: &mut Self::Oracle,
        machines: &mut [Self::Machine],
        node: NodeId,
        at: Time,
        report: &mut dyn FnMut(Violation),
    ) {
        let _ = (oracle, machines, node, at, report);
    }

    /// The nodes that `query` means at this moment, in order of preference; none if there are none.
    fn resolve(machines: &[Self::Machine], query: &RoleQuery, world: &WorldView<'_>)
    -> Vec<NodeId>;

    /// Whether the cluster is whole again after a fault: every member knows of every other, every
    /// copy is what it should be. Asked only while all brokers are up; random faults can wait for
    /// it.
    fn in_sync(machines: &[Self::Machine], world: &WorldView<'_>) -> bool {
        let _ = (machines, world);
        true
    }

    /// Whether a broker that a fault has met is up again and has all that it should have by now:
    /// until then another of its kind may be more than the cluster is meant to bear.
    fn has_recovered(machines: &[Self::Machine], broker: NodeId, world: &WorldView<'_>) -> bool {
        world.is_up(broker) && Self::in_sync(machines, world)
    }

    /// Who waits for what: nobody, at the quiet end of a run. A family overrides it if only all
    /// machines together tell whether one of them waits for something that may still come.
    ///
    /// `lives` says whether a node has a process. One without is down for good, since at the end of
    /// the load all are started: it waits for nothing, and nothing is to be had from it.
    fn waits(machines: &[Self::Machine], lives: &dyn Fn(NodeId) -> bool) -> Vec<Waiting> {
        let nodes = (0..).map(NodeId).zip(machines).filter(|(node, _)| lives(*node));
        let waits =
            |(node, machine): (NodeId, &Self::Machine)| Waiting::of(node, machine.waits_for());
        nodes.filter_map(waits).collect()
    }
}

/// What a machine waits for, in words that go on from "waits for": `confirms of 3 messages`.
pub type Wait = Cow<'static, str>;

/// A node that waits for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which.
    pub node: NodeId,
    /// For what.
    pub what: Wait,
}

impl Waiting {
    /// A node that may wait for something.
    #[must_use]
    pub fn of(node: NodeId, what: Option<Wait>) -> Option<Waiting> {
        what.map(|what| Waiting { node, what })
    }
}

/// The message type of a cluster.
pub type MessageOf<C> = <<C as Cluster>::Machine as Machine>::Message;

/// How a process ended, or what was lost after it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// SIGKILL: memory is gone, the page cache is not.
    Killed,
    /// The host lost power: the page cache is gone too.
    PowerLoss,
    /// It ended by itself, by [`Context::exit`].
    Exited,
    /// The disk was replaced by an empty one.
    Wiped,
}

/// One thing that happens to a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<M> {
    /// The process starts. Main lane.
    Boot(Boot),
    /// The world tells the process something. Main lane.
    Signal(Signal),
    /// A connection was accepted on a port that was listened on. Main lane; [`Context::bind`] it to
    /// another lane if wanted.
    Accepted {
        /// This side's id of the connection.
        conn: ConnId,
        /// Who connected.
        peer: NodeId,
        /// The port it connected to.
        port: Port,
    },
    /// A connection that this side asked for is open. Bound lane.
    Connected {
        /// This side's id of the connection.
        conn: ConnId,
    },
    /// A connection that this side asked for did not come about. Bound lane. The id is dead.
    Failed {
        /// This side's id of the connection.
        conn: ConnId,
        /// Why.
        why: ConnectError,
    },
    /// The connection has ended. Bound lane. Not reported to the side that closed. The id is dead.
    Closed {
        /// This side's id of the connection.
        conn: ConnId,
        /// How.
        how: Closing,
    },
    /// There is room in the send buffer again after [`Context::room`] had been 0. Bound lane.
    Writable {
        /// This side's id of the connection.
        conn: ConnId,
    },
    /// A message came over a connection. Bound lane, or the lane it was addressed to.
    Message {
        /// The receiving side's id of the connection.
        conn: ConnId,
        /// The message.
        body: M,
    },
    /// From this node to itself: a tell, a timer, a completed fsync, or idleness. Its lane.
    Local {
        /// What was left to be said.
        body: M,
    },
    /// An fsync or a read of this node's disk failed (EIO). Its lane.
    DiskFailed {
        /// What would have been said had it not.
        body: M,
    },
}

impl<M> Input<M> {
    /// The connection that it is about.
    #[must_use]
    pub fn conn(&self) -> Option<ConnId> {
        match self {
            Input::Accepted { conn, .. }
            | Input::Connected { conn }
            | Input::Failed { conn, .. }
            | Input::Closed { conn, .. }
            | Input::Writable { conn }
            | Input::Message { conn, .. } => Some(*conn),
            Input::Boot(_) | Input::Signal(_) | Input::Local { .. } | Input::DiskFailed { .. } => {
                None
            }
        }
    }
}

/// The start of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// Which start of this node it is, from 0.
    pub incarnation: u32,
    /// The connections that exist before time zero, at the first start only. Bound to the main
    /// lane.
    pub established: Vec<Established>,
}

/// A connection that exists before the run starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Established {
    /// This side's id of the connection.
    pub conn: ConnId,
    /// Who is at the other end.
    pub peer: NodeId,
    /// Whether this side is the one that had connected.
    pub initiator: bool,
}

/// What the world tells a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Please stop gracefully, then [`Context::exit`] (SIGTERM).
    Stop,
    /// The measured time is over: producers stop, auditors start. A node that boots later is told
    /// right after its boot.
    LoadEnded,
    /// The process was frozen and goes on. Comes before anything that had waited.
    NodeResumed,
    /// An operator gives this node a command: the action at this place of the family's list. To be
    /// answered by [`Context::answer`], now or when it is done.
    Command(ActionId),
}

/// Why a connection did not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// The host is there but nothing listens on the port.
    Refused,
    /// No answer, however often it was tried (131 s).
    TimedOut,
    /// Something on the way answered that there is no way.
    Unreachable,
}

impl ConnectError {
    /// In words for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            ConnectError::Refused => "connection refused",
            ConnectError::TimedOut => "no answer to the attempt to connect",
            ConnectError::Unreachable => "host unreachable",
        }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The other side closed it, and all that it had sent has been handed over.
    Finished,
    /// The other side's process died or aborted, or its host does not know the connection.
    Reset,
    /// What was sent was never acknowledged (some 924 s).
    TimedOut,
}

impl Closing {
    /// In words for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Closing::Finished => "closed by the other side",
            Closing::Reset => "connection reset",
            Closing::TimedOut => "no TCP acknowledgement of what was sent",
        }
    }
}

/// A serial execution context within a node: an actor, a request thread. It handles one
/// input at a time; others wait in its mailbox.
///
/// Numbered upwards over all incarnations of a node and never reused, except [`Lane::MAIN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(pub u32);

impl Lane {
    /// The lane that boots. It lives as long as the process.
    pub const MAIN: Lane = Lane(0);
}

/// One side's handle of a connection. The two sides of a connection have different ids; none is
/// ever reused, and whatever is done with a dead one is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u32);

/// What a node listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(pub u16);

/// A file of a node's disk. Ids are chosen by the machine, densely from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A timer that was set. Stale ids are harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}
