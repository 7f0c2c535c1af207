//! What comes to a node itself: its Erlang VM, RabbitMQ as an application in it, and its alarms.

use crate::observe::{ActionId, NodeId};
use crate::world::ConnId;
use crate::world::action::Answer;

use super::{Pid, QueueId};

/// What runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `vm_memory_high_watermark`.
    Memory,
    /// `disk_free_limit`.
    Disk,
}

/// What comes to a node's main lane beside Mnesia's and the node monitor's own.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "fields are the arguments of the call that is named")]
pub enum NodeMessage {
    // ---- the distribution
    /// A node introduces itself on a new connection, or asks again while it boots.
    Hello { from: NodeId, incarnation: u32 },
    /// A connection stands already: is the new one meant to replace it?
    AliveQuestion { from: NodeId },
    /// It is: the old one is gone on this side.
    AliveAnswer { from: NodeId, incarnation: u32 },
    /// The tick of a distribution that has nothing else to send.
    Heartbeat,
    /// Monitor a process of the receiving node.
    Monitor { watcher: Pid, watched: Pid },
    /// Tick the distribution.
    Tick,
    /// The port mapper of another member has answered.
    PortKnown { node: NodeId },
    /// What a connection to a member takes beside round trips is done.
    Handshaken { conn: ConnId },
    /// An attempt to reach a member took too long.
    SetupTimeout { conn: ConnId },

    // ---- aten
    /// A heartbeat for the failure detector.
    Beat { from: NodeId },
    /// Heartbeats are due.
    BeatTimer,
    /// The detector looks who is silent.
    AtenPoll,

    // ---- alarms
    /// An alarm is set or cleared on `from`.
    Alarm { from: NodeId, resource: Resource, set: bool },
    /// How much memory is used?
    MemoryCheck,
    /// How much is free on the disk?
    DiskCheck,

    // ---- RabbitMQ starts and stops
    /// The Erlang VM is up.
    VmStarted,
    /// RabbitMQ starts, or starts again in the same VM.
    StartRabbit { start: u32 },
    /// The message store has read its files: queues are recovered now.
    StoreRecovered,
    /// A queue's process has opened what its disk kept.
    QueueRecovered { queue: QueueId },
    /// A mirror is started here.
    StartMirror { queue: QueueId },
    /// RabbitMQ stops, and its VM goes on.
    StopRabbit,
    /// The node stops, and the leader handles nothing any more.
    Quiesce { queue: QueueId },
    /// The node stops, and it is this queue's turn.
    EndReplica { queue: QueueId },

    // ---- clients declare
    /// A queue that a channel declares is to live here, owned by that connection if by any.
    DeclareQueue { queue: QueueId, channel: Pid, owner: Option<Pid> },

    // ---- processes that crash
    /// Its supervisor starts a queue's process again.
    RestartQueue { queue: QueueId },

    // ---- commands of an operator
    /// Clients are to go.
    CloseConnections,
    /// The leader that is to carry a command out is asked again.
    AskAgain { action: ActionId },
    /// A member of a quorum queue is to start here, which the order of that number will have join.
    AddMember { queue: QueueId, by: NodeId, number: u32 },
    /// It has started.
    MemberStarted { number: u32 },
    /// The member here does not belong to its queue any more, and is to go with all that it has.
    DeleteMember { queue: QueueId },
    /// The metadata says who the members are now.
    MembersRecorded { number: u32 },
    /// A change of the members has taken too long.
    MemberTimeout { number: u32 },
    /// A change that was not permitted is asked for again.
    AskMemberAgain { number: u32 },
    /// Mnesia has forgotten a node by the command of an operator, or refuses to.
    Forgotten { node: NodeId, action: ActionId, answer: Answer },
    /// A command is carried out, or refused.
    Answered { action: ActionId, answer: Answer },
}
