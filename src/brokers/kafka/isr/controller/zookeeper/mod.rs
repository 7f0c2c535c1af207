//! The controller among brokers that keep their state in ZooKeeper (KafkaController,
//! PartitionStateMachine, ReplicaStateMachine; 0.8.2.2, 1.1 and 2.8).
//!
//! Every broker has one; that of the broker that holds `/controller` is active. It does one thing
//! after the other: what happens meanwhile waits in its queue (a lock before 1.1, then
//! ControllerEventManager).
//!
//! | file | what |
//! | --- | --- |
//! | `decide.rs` | the next state of a partition (Election); pure |
//! | `term.rs` | how a term begins and ends |
//! | `events.rs` | brokers come and go, leaders leave notes, brokers ask |
//! | `jobs.rs` | reading and writing partitions |
//! | `channel.rs` | requests to brokers (ControllerChannelManager) |

mod channel;
mod decide;
mod events;
mod jobs;
mod term;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::observe::{Event as Told, EventId, NodeId};
use crate::world::{ConnId, Context, TimerId};

use super::super::config::Config;
use super::super::message::{Message, Request, Response};
use super::super::nodes::NodeSet;
use super::super::state::{Led, PartitionState, View};
use super::super::zookeeper::{Purpose, Result, Step, Wire};

use channel::Channels;
pub use decide::{Brokers, Why, decide, imbalanced};
use events::{Event, Reading};
use jobs::Job;

/// Who has asked for something: a connection, its place at the broker, the number of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Its place at the broker.
    pub place: u32,
    /// The connection.
    pub conn: ConnId,
}

/// How far a term has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Another broker is the controller, or none.
    Idle,
    /// `/controller` is its own; it takes a number.
    Claimed,
    /// It looks who lives.
    Counting,
    /// It reads the partitions.
    Loading,
    /// It decides.
    Active,
}

/// A broker's controller.
#[derive(Clone, Debug)]
pub struct ZooKeeperController {
    config: Arc<Config>,
    me: NodeId,
    phase: Phase,
    /// Counts its terms, so that answers to an earlier one are known.
    term: u32,
    epoch: u32,
    epoch_version: u32,
    /// The registrations of those that live.
    live: Vec<Option<u64>>,
    shutting_down: NodeSet,
    /// Brokers that have registered again, which come back when what they led and were members of
    /// has been seen to.
    bounced: Vec<(NodeId, u64)>,
    /// Partitions, as it last wrote or read them.
    states: Vec<Option<PartitionState>>,
    channels: Channels,
    events: VecDeque<Event>,
    reading: Option<Reading>,
    jobs: VecDeque<Job>,
    rebalance: Option<TimerId>,
    /// Answers to brokers that are to be sent.
    answers: Vec<(Asker, Response)>,
    /// Another controller has been elected, as a write has shown.
    moved: bool,
}

impl ZooKeeperController {
    /// That of a broker before its first start.
    #[must_use]
    pub fn new(config: &Arc<Config>, me: NodeId) -> ZooKeeperController {
        ZooKeeperController {
            config: config.clone(),
            me,
            phase: Phase::Idle,
            term: 0,
            epoch: 0,
            epoch_version: 0,
            live: vec![None; config.brokers as usize],
            shutting_down: NodeSet::EMPTY,
            bounced: Vec::new(),
            states: vec![None; config.partitions.len()],
            channels: Channels::new(config.brokers),
            events: VecDeque::new(),
            reading: None,
            jobs: VecDeque::new(),
            rebalance: None,
            answers: Vec::new(),
            moved: false,
        }
    }

    /// Its epoch, if it decides.
    #[must_use]
    pub fn leads(&self) -> Option<u32> {
        (self.phase == Phase::Active).then_some(self.epoch)
    }

    /// Whether it holds `/controller`, as far as it knows.
    #[must_use]
    pub fn is_elected(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// Which of its terms it is.
    #[must_use]
    pub fn term(&self) -> u32 {
        self.term
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let idle = self.events.is_empty() && self.reading.is_none() && self.jobs.is_empty();
        matches!(self.phase, Phase::Idle | Phase::Active) && idle && self.channels.is_idle()
    }

    /// The connections to brokers.
    pub fn channels(&mut self) -> &mut Channels {
        &mut self.channels
    }

    /// What is to be answered to brokers.
    pub fn take_answers(&mut self) -> Vec<(Asker, Response)> {
        std::mem::take(&mut self.answers)
    }

    /// Whether it has found out that it is the controller no more.
    pub fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// The process is gone.
    pub fn forget(&mut self) {
        let term = self.term + 1;
        *self = ZooKeeperController { term, ..ZooKeeperController::new(&self.config, self.me) };
    }

    /// What came of a request.
    pub fn answer(
        &mut self,
        (term, step): (u32, Step),
        result: Result,
        wire: &mut Wire,
        ctx: &mut Context<'_, Message>,
    ) {
        if term != self.term {
            return;
        }
        match step {
            Step::Claim => self.claimed(&result, wire, ctx),
            Step::Epoch => self.epoch_read(result, wire, ctx),
            Step::NewEpoch(epoch) => self.epoch_written(epoch, result, wire, ctx),
            Step::Brokers => self.brokers_read(result, wire, ctx),
            Step::Broker(node) => self.broker_read(node, result, wire, ctx),
            Step::Read(partition) => self.partition_read(partition, result, wire, ctx),
            Step::Write(partition, state, unclean) => {
                self.partition_written(partition, (*state, unclean), result, wire, ctx);
            }
            Step::Notes => self.notes_read(result, wire, ctx),
            Step::Note(path) => self.note_read(&path, result, wire, ctx),
        }
        self.proceed(wire, ctx);
    }

    fn purpose(&self, step: Step) -> Purpose {
        Purpose::Controller(self.term, step)
    }

    /// Goes on with what there is to do.
    pub fn proceed(&mut self, wire: &mut Wire, ctx: &mut Context<'_, Message>) {
        while self.phase != Phase::Idle && self.reading.is_none() {
            if !self.jobs.is_empty() {
                if !self.pump_job(wire, ctx) {
                    return;
                }
            } else if self.phase == Phase::Active
                && let Some(event) = self.events.pop_front()
            {
                self.begin_event(event, wire, ctx);
            } else {
                return;
            }
        }
    }

    fn brokers(&self) -> Brokers {
        let live = self.live.iter().enumerate().filter(|(_, epoch)| epoch.is_some());
        let live = live.map(|(index, _)| NodeId(index as u32)).collect();
        Brokers { live, shutting_down: self.shutting_down }
    }

    fn state(&self, partition: PartitionId) -> Option<PartitionState> {
        self.states[partition.index()]
    }

    /// What brokers and clients are to know.
    fn view(&self) -> View {
        let led = |state: &PartitionState| Led {
            leader: state.leader,
            epoch: state.leader_epoch,
            isr: state.isr,
        };
        View {
            alive: self.brokers().live,
            controller: Some(self.me),
            partitions: self.states.iter().map(|state| state.as_ref().map(led)).collect(),
        }
    }

    /// `sendUpdateMetadataRequest`, to all that live.
    fn send_metadata(&mut self, ctx: &mut Context<'_, Message>) {
        let (view, controller_epoch) = (Arc::new(self.view()), self.epoch);
        for broker in self.brokers().live.iter() {
            let request = Request::UpdateMetadata { controller_epoch, view: view.clone() };
            self.channels.push(&self.config, broker, request, ctx);
        }
    }

    /// Tells a broker the states of partitions of which it has replicas.
    fn send_states(
        &mut self,
        broker: NodeId,
        partitions: impl Iterator<Item = PartitionId>,
        ctx: &mut Context<'_, Message>,
    ) {
        let has = |p: &PartitionId| self.config.replicas(*p).contains(&broker);
        let states = partitions.filter(has);
        let states: Vec<_> = states.filter_map(|p| Some((p, self.state(p)?))).collect();
        if states.is_empty() {
            return;
        }
        let broker_epoch = self.live[broker.index()];
        let request = Request::LeaderAndIsr { controller_epoch: self.epoch, broker_epoch, states };
        self.channels.push(&self.config, broker, request, ctx);
    }

    fn told(
        &self,
        ctx: &mut Context<'_, Message>,
        word: EventId,
        partition: Option<PartitionId>,
        subject: Option<NodeId>,
        count: u64,
    ) {
        let (at, node) = (ctx.now(), self.me);
        let destination =
            partition.and_then(|p| self.config.streams.destinations_of(p).first().copied());
        ctx.observer().event(at, Told { word, node, destination, subject, count });
    }
}
