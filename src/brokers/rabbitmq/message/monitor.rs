//! What node monitors tell each other (rabbit_node_monitor, rabbit_autoheal).

use crate::observe::NodeId;

/// What a node sees (rabbit_node_monitor.erl: `status`; rabbit_networking.erl:
/// `connections_local`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Whose view it is.
    pub node: NodeId,
    /// Nodes with which its Mnesia is at odds.
    pub partitions: Vec<NodeId>,
    /// Nodes that it is connected with, and itself.
    pub nodes: Vec<NodeId>,
    /// Its clients.
    pub connections: u32,
}

/// What the node monitors of a cluster tell each other to heal it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// To the leader: a partition is over.
    RequestStart,
    /// From the leader: what do you see?
    Status,
    /// The answer; without a view RabbitMQ does not run there.
    Seen(Option<View>),
    /// To the winner: these have lost.
    BecomeWinner(Vec<NodeId>),
    /// From the winner to a loser: stop.
    WinnerIs,
    /// From the winner to a loser that has stopped: start.
    SafeToStart,
    /// To the winner from a leader that has restarted: how far are you?
    Report,
    /// From the winner to the leader: it is over.
    Finished,
}

/// What comes to a node's monitor.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "fields are the arguments of the call that is named")]
pub enum MonitorMessage {
    /// `reporter` has lost that start of a node: does the receiver still see it?
    CheckPartialPartition { reporter: NodeId, lost: NodeId, incarnation: u32 },
    /// Does RabbitMQ run? The answer goes to `proxy`.
    AskRunning { proxy: NodeId, reporter: NodeId },
    /// It does.
    StillRunning { reporter: NodeId },
    /// A node that the receiver has lost still talks to `proxy`.
    PartialPartition { proxy: NodeId },
    /// The sender cuts itself off.
    PartialPartitionDisconnect { from: NodeId },
    /// RabbitMQ and Mnesia have stopped on `from`, whose VM goes on.
    RabbitDown { from: NodeId },
    /// `'DOWN'` of RabbitMQ on a member: it has stopped, or is lost with its VM.
    RabbitGone { node: NodeId, stopped: bool },
    /// `nodedown`: the connection to a member is lost. `ran` is that start of it with which this
    /// node's Mnesia was one.
    NodeGone { node: NodeId, ran: Option<u32> },
    /// `node_up`: RabbitMQ runs on a member, on tables that are one with these.
    NodeUp { node: NodeId },
    /// `inconsistent_database`, `running_partitioned_network`: Mnesia is at odds with a member.
    Inconsistent { node: NodeId },
    /// To heal a partition.
    Autoheal { from: NodeId, word: Box<Word> },
    /// A loser has waited long enough for the winner's word, since this start of it.
    AutohealTimeout { start: u32 },
    /// A winner tells those again that have not stopped.
    AutohealRenotify,
    /// Look for members that are down, once a second.
    PingDownNodes,
    /// The clean-up after a member's failure has come to the tables.
    NodeDownCleanUp { node: NodeId },
    /// The tables are clean: the node monitor goes on with what has come meanwhile.
    CleanedUp { node: NodeId },
    /// A paused node looks whether it sees enough of the others.
    LookForRecovery,
}
