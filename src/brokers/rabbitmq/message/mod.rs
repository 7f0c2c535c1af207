//! Everything that travels between RabbitMQ's processes and its clients, and their timers.
//!
//! By protocol: [`amqp`] between client and channel, [`channel`] and [`queue`] between the processes
//! of channels and queues, [`ra`] between the members of a quorum queue, [`ring`] around the ring of a mirrored queue, [`store`] to the message
//! store, [`mnesia`], [`khepri`], [`monitor`] and [`node`] between nodes, [`client`] for a client's own timers.
//! What one process takes is an enum of its own (`ChannelMail`, `QueueMail`, `RingMail`, ...), so
//! that the compiler knows of every message that comes to it, and of none that does not.

pub mod amqp;
pub mod channel;
pub mod client;
pub mod khepri;
pub mod mnesia;
pub mod monitor;
pub mod node;
pub mod queue;
pub mod ra;
pub mod ring;
pub mod store;

use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::Lane;

use self::amqp::{FromClient, FromServer};
use self::channel::ChannelMessage;
use self::client::ClientTimer;
use self::khepri::KhepriMessage;
use self::mnesia::MnesiaMessage;
use self::monitor::MonitorMessage;
use self::node::NodeMessage;
use self::queue::QueueMessage;
use self::ra::{LetterMessage, QuorumMessage, RaMessage, WalMessage};
use self::ring::{Instruction, RingMessage};
use self::store::StoreMessage;
use super::letters::LetterId;

/// A queue of the scenario, by its order there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u32);

/// An exchange of the scenario; 0 is the default exchange, whose routing key is a queue's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u32);

impl ExchangeId {
    /// The default exchange `""`.
    pub const DEFAULT: ExchangeId = ExchangeId(0);
}

/// A routing key, by its place in the plan's table of keys. On the default exchange it is a
/// [`QueueId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutingKey(pub u32);

/// An Erlang process: a lane of a broker node. Never reused, so it also names one incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid {
    /// Where it runs.
    pub node: NodeId,
    /// Which process there.
    pub lane: Lane,
}

/// Properties of a published message that the broker acts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// `delivery_mode = 2`.
    pub persistent: bool,
    /// `mandatory`: return it if it cannot be routed.
    pub mandatory: bool,
    /// The channel is in confirm mode.
    pub confirm: bool,
    /// `expiration` and `priority`, by their place in [`Config::given`](super::config::Config); 0
    /// is neither.
    pub given: u8,
    /// What it remembers of being dead-lettered.
    pub letter: LetterId,
}

/// `expiration` and `priority`, as a producer gives them to its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// The time to live.
    pub expiration: Option<Span>,
    /// The priority.
    pub priority: u8,
}

impl Given {
    /// What counts for a message without a priority (rabbit_fifo.hrl v4.3.5: `?DEFAULT_PRIORITY`).
    pub const NO_PRIORITY: u8 = 4;
    /// Neither.
    pub const NOTHING: Given = Given { expiration: None, priority: Given::NO_PRIORITY };
}

/// Why a monitored process is reported down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// Its node cannot be reached, or went away.
    NoConnection,
    /// There is no such process (any more).
    NoProc,
    /// It was shut down in an orderly way.
    Shutdown,
    /// It ended because its work was over (queue deleted, connection closed).
    Normal,
    /// It has crashed: any other reason (rabbit_misc.erl v3.10: `is_abnormal_exit`).
    Killed,
}

/// A number by which one publish is known in its channel, from 1.
pub type PublishSeq = u64;

/// A message's place in its queue, the same on the leader and on every mirror.
pub type QueueSeq = u64;

/// A message's consumer-side number in its channel.
pub type DeliveryTag = u64;

/// What is sent, by protocol.
#[derive(Clone, Debug)]
pub enum Message {
    /// AMQP, to a channel.
    FromClient(FromClient),
    /// AMQP, to a client.
    FromServer(FromServer),
    /// To a channel.
    Channel(ChannelMessage),
    /// To a queue's process.
    Queue(QueueMessage),
    /// From a replica to its ring member, which multicasts it; from a ring member to its replica,
    /// in ring order (gm.erl: `broadcast`, `callback`).
    Instruction(Instruction),
    /// To a ring member.
    Ring(RingMessage),
    /// To a message store.
    Store(StoreMessage),
    /// To the member of a quorum queue's Raft group.
    Ra(QueueId, RaMessage),
    /// To the worker for a quorum queue's dead letters.
    Letter(LetterMessage),
    /// To a node's write-ahead log.
    Wal(WalMessage),
    /// To a node's Mnesia.
    Mnesia(MnesiaMessage),
    /// To a node, of what it has written to Khepri.
    Khepri(KhepriMessage),
    /// To a node's monitor.
    Monitor(MonitorMessage),
    /// To a node itself.
    Node(NodeMessage),
    /// Erlang's signal to whoever monitors a process: it is down.
    Down {
        /// The process.
        pid: Pid,
        /// Why.
        reason: DownReason,
    },
    /// A client's timer.
    Client(ClientTimer),
}

// It is moved, not boxed: every event copies it.
const _: () = assert!(size_of::<Message>() <= 48);

/// Lets what is sent be written without its protocol, which its type names already.
macro_rules! protocols {
    ($($protocol:ident: $message:ty),* $(,)?) => {
        $(impl From<$message> for Message {
            fn from(message: $message) -> Message {
                Message::$protocol(message)
            }
        })*
    };
}

protocols! {
    FromClient: FromClient,
    FromServer: FromServer,
    Channel: ChannelMessage,
    Queue: QueueMessage,
    Instruction: Instruction,
    Ring: RingMessage,
    Store: StoreMessage,
    Letter: LetterMessage,
    Wal: WalMessage,
    Mnesia: MnesiaMessage,
    Khepri: KhepriMessage,
    Monitor: MonitorMessage,
    Node: NodeMessage,
    Client: ClientTimer,
}

impl From<QuorumMessage> for Message {
    fn from(message: QuorumMessage) -> Message {
        Message::Channel(ChannelMessage::Quorum(message))
    }
}
