//! How Kafka uses ZooKeeper: its paths, and a session whose requests know what they are for
//! (KafkaZkClient, ZooKeeperClient; ZkUtils before 1.1).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::coordination::zookeeper::{
    Answer, Error, Event, Message as ZkMessage, Mode, Op, Path, Session, SessionId, Stat,
    WatchKind, Xid,
};
use crate::brokers::kafka::PartitionId;
use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{ConnId, Context, Input};

use super::config::Config;
use super::message::Message;
use super::state::{PartitionState, Znode};

/// The znodes of live brokers.
pub const BROKERS: &str = "/brokers/ids";
/// The controller's ephemeral.
pub const CONTROLLER: &str = "/controller";
/// How many controllers there have been.
pub const CONTROLLER_EPOCH: &str = "/controller_epoch";
/// Notes of leaders that have written another ISR.
pub const NOTES: &str = "/isr_change_notification";
/// What a note is called, before its number.
pub const NOTE: &str = "/isr_change_notification/isr_change_";

/// The znode of a broker.
#[must_use]
pub fn broker_path(broker: NodeId) -> Path {
    Path::from(format!("{BROKERS}/{}", broker.0))
}

/// The broker of a name below [`BROKERS`].
#[must_use]
pub fn broker_of(name: &str) -> Option<NodeId> {
    name.parse().ok().map(NodeId)
}

/// The znode of a partition.
#[must_use]
pub fn partition_path(config: &Config, partition: PartitionId) -> Path {
    let known = config.streams.get(partition);
    let topic = &config.topics[known.topic as usize].name;
    Path::from(format!("/brokers/topics/{topic}/partitions/{}/state", known.index))
}

/// What a partition's znode says: its state, whose version is that of the znode, and the epoch of
/// the controller that last wrote it.
#[must_use]
pub fn partition_of(data: Option<Znode>, stat: Stat) -> Option<(PartitionState, u32)> {
    match data {
        Some(Znode::Partition(state, epoch)) => {
            Some((PartitionState { partition_epoch: stat.version, ..state }, epoch))
        }
        _ => None,
    }
}

/// A partition's znode is to hold this, if it has not changed since.
#[must_use]
pub fn write_partition(
    config: &Config,
    partition: PartitionId,
    state: PartitionState,
    controller_epoch: u32,
    version: u32,
) -> Op<Znode> {
    Op::SetData {
        path: partition_path(config, partition),
        data: Some(Znode::Partition(state, controller_epoch)),
        version: Some(version),
    }
}

/// Reads a znode.
#[must_use]
pub fn read(path: impl Into<Path>, watch: bool) -> Op<Znode> {
    Op::GetData { path: path.into(), watch }
}

/// Creates an ephemeral.
#[must_use]
pub fn ephemeral(path: impl Into<Path>, data: Znode) -> Op<Znode> {
    Op::Create { path: path.into(), data: Some(data), mode: Mode::EPHEMERAL }
}

/// What a request is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Purpose {
    /// The broker's own znode is created.
    Register,
    /// It is read.
    Registered,
    /// Who is the controller?
    WhoControls,
    /// Whether there is a controller at all.
    Vacancy,
    /// A leader writes another ISR.
    Isr(PartitionId, Box<PartitionState>),
    /// It was refused: is that what is written there already?
    IsrCheck(PartitionId, Box<PartitionState>),
    /// A note for the controller.
    Note,
    /// Who is to be asked for a controlled shutdown?
    ShutdownBy(u32),
    /// The controller's, in one of its terms.
    Controller(u32, Step),
    /// Nobody waits for it.
    Forgotten,
}

/// What the controller asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Its znode.
    Claim,
    /// The number of the last controller.
    Epoch,
    /// Its own number is written.
    NewEpoch(u32),
    /// The brokers that live.
    Brokers,
    /// One of them.
    Broker(NodeId),
    /// A partition's state.
    Read(PartitionId),
    /// A partition's next state is written; whether its leader was elected uncleanly.
    Write(PartitionId, Box<PartitionState>, bool),
    /// The notes of leaders.
    Notes,
    /// One of them.
    Note(Path),
}

/// What came of a request.
pub type Result = std::result::Result<Answer<Znode>, Error>;

/// What a session has to tell, with the purposes of what was asked.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// There is a connection; with a new session?
    Connected(bool),
    /// The session has expired.
    Expired,
    /// An answer.
    Answer(Purpose, Result),
    /// The session has expired before this was answered.
    Dropped(Purpose, Op<Znode>),
    /// A watch.
    Watch(Path, WatchKind),
}

/// A session whose requests have purposes, and are asked again after a lost connection
/// (KafkaZkClient.scala 1.1.0, `retryRequestsUntilConnected`; ZkClient, `retryUntilConnected`).
#[derive(Clone, Debug)]
pub struct Wire {
    session: Session<Znode>,
    asked: VecDeque<(Xid, Purpose, Op<Znode>)>,
}

impl Wire {
    /// Before its first session.
    #[must_use]
    pub fn new(config: &Config) -> Wire {
        let servers = Arc::from(config.coordinators.clone());
        let session =
            Session::new(servers, config.settings.zookeeper_session, 0, config.sessions_by());
        Wire { session, asked: VecDeque::new() }
    }

    /// Begins a session, on the lane that handles this input.
    pub fn open(&mut self, ctx: &mut Context<'_, Message>) {
        self.asked.clear();
        self.session.open(ctx);
    }

    /// Ends the session.
    pub fn close(&mut self, ctx: &mut Context<'_, Message>) {
        self.asked.clear();
        self.session.close(ctx);
    }

    /// The process is gone.
    pub fn died(&mut self) {
        self.asked.clear();
        self.session.died();
    }

    /// The session, once there is one.
    #[must_use]
    pub fn id(&self) -> Option<SessionId> {
        self.session.id()
    }

    /// How long it may be silent, as negotiated.
    #[must_use]
    pub fn timeout(&self) -> Span {
        self.session.timeout()
    }

    /// Whether there is a connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.session.is_connected()
    }

    /// Whether nothing is asked that is not answered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.asked.is_empty()
    }

    /// Whether a connection is the session's.
    #[must_use]
    pub fn owns(&self, conn: ConnId) -> bool {
        self.session.owns(conn)
    }

    /// Whether a message to itself is the session's.
    #[must_use]
    pub fn owns_timer(&self, message: &ZkMessage<Znode>) -> bool {
        self.session.owns_timer(message)
    }

    /// Asks for something. `false` if there is no session: nothing will come of it.
    pub fn ask(&mut self, op: Op<Znode>, purpose: Purpose, ctx: &mut Context<'_, Message>) -> bool {
        match self.session.request(op.clone(), ctx) {
            Ok(xid) => {
                self.asked.push_back((xid, purpose, op));
                true
            }
            Err(_) => false,
        }
    }

    /// An input of its connection, or its timer.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) -> Vec<News> {
        let mut news = Vec::new();
        for event in self.session.handle(input, ctx) {
            match event {
                Event::Connected { new, .. } => news.push(News::Connected(new)),
                Event::Disconnected => {}
                Event::Expired => news.push(News::Expired),
                Event::Watch { path, kind } => news.push(News::Watch(path, kind)),
                Event::Response { xid, outcome } => {
                    let place = self.asked.iter().position(|(asked, ..)| *asked == xid);
                    let Some((_, purpose, op)) = place.and_then(|at| self.asked.remove(at)) else {
                        continue;
                    };
                    match outcome {
                        Err(Error::ConnectionLoss) => {
                            self.ask(op, purpose, ctx);
                        }
                        Err(Error::SessionExpired) => news.push(News::Dropped(purpose, op)),
                        outcome => news.push(News::Answer(purpose, outcome)),
                    }
                }
            }
        }
        news
    }
}
