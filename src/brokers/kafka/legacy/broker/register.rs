//! A broker's registration in ZooKeeper (`server/KafkaZooKeeper.scala`, `utils/ZkUtils.scala` 0.7).

use std::collections::VecDeque;

use crate::brokers::coordination::zookeeper::{Error, Event, Mode, Op, Outcome, Path, Xid};
use crate::world::{Context, Input};

use super::super::super::PartitionId;
use super::super::message::{Message, Znode};
use super::super::rules::Rule;
use super::super::words::{event, role};
use super::{Broker, Phase};
use crate::observe;

/// An ephemeral node that the broker is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// `/brokers/ids/1`.
    Broker,
    /// `/brokers/topics/orders/1`.
    Topic(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The node is created.
    Create,
    /// It is there already, and is read.
    Read,
    /// It is deleted, to be created anew.
    Delete,
}

/// How far the registration has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Registration {
    tasks: VecDeque<Task>,
    waits: Option<(Xid, Step)>,
    /// The end of the session.
    closing: Option<Xid>,
    /// Whether `/brokers/ids` has it.
    registered: bool,
    creator: u64,
}

impl Registration {
    /// Whether nothing more is to be registered now.
    pub(super) fn rests(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) fn is_done(&self) -> bool {
        self.registered && self.tasks.is_empty()
    }
}

/// `/brokers/ids/1`.
pub(in super::super) fn broker_path(broker: u32) -> Path {
    format!("/brokers/ids/{}", broker + 1).into()
}

impl Broker {
    pub(super) fn zookeeper_input(
        &mut self,
        input: Input<Message>,
        ctx: &mut Context<'_, Message>,
    ) {
        for event in self.session.handle(input, ctx) {
            match event {
                Event::Connected { new: true, .. } => self.session_begins(ctx),
                Event::Expired => self.session_expired(ctx),
                Event::Response { xid, outcome } => self.answered(xid, &outcome, ctx),
                Event::Connected { .. } | Event::Disconnected | Event::Watch { .. } => {}
            }
        }
    }

    fn session_begins(&mut self, ctx: &mut Context<'_, Message>) {
        match self.phase {
            Phase::Connecting => {
                self.open_sockets(ctx);
                self.phase = Phase::Registering;
            }
            // `handleNewSession`.
            Phase::Serving | Phase::Registering => {
                if !self.config.settings.rules.has(Rule::RegisterAgain) {
                    return;
                }
            }
            _ => return,
        }
        // The creator id has the time of the registration in it.
        self.registration.creator = ctx.now().as_millis();
        let exists = |topic: &u32| {
            self.logs
                .iter()
                .any(|log| log.exists() && self.config.streams.get(log.partition).topic == *topic)
        };
        let topics = (0..self.config.topics.len() as u32).filter(exists).map(Task::Topic);
        self.registration.tasks = std::iter::once(Task::Broker).chain(topics).collect();
        self.next_task(ctx);
    }

    fn session_expired(&mut self, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), self.node);
        ctx.observer().event(now, observe::Event::new(event::SESSION_EXPIRED, node, None, None, 0));
        self.registration.registered = false;
        self.registration.waits = None;
        self.tell_role(now, role::UNREGISTERED, ctx.observer());
        // zkclient connects anew by itself.
        self.session.open(ctx);
    }

    /// The first message of a topic (`registerNewTopicInZK`).
    pub(super) fn new_topic(&mut self, partition: PartitionId, ctx: &mut Context<'_, Message>) {
        if !self.config.settings.zookeeper {
            return;
        }
        let topic = self.config.streams.get(partition).topic;
        let of_topic = |log: &&super::PartitionLog| {
            log.exists() && self.config.streams.get(log.partition).topic == topic
        };
        if self.logs.iter().filter(of_topic).count() > 1 {
            return;
        }
        self.registration.tasks.push_back(Task::Topic(topic));
        if self.registration.waits.is_none() {
            self.next_task(ctx);
        }
    }

    fn path(&self, task: Task) -> Path {
        match task {
            Task::Broker => broker_path(self.node.0),
            Task::Topic(topic) => {
                let name = &self.config.topics[topic as usize].name;
                format!("/brokers/topics/{name}/{}", self.node.0 + 1).into()
            }
        }
    }

    fn data(&self, task: Task) -> Znode {
        match task {
            Task::Broker => Znode::Broker { creator: self.registration.creator },
            Task::Topic(topic) => Znode::Partitions(self.config.topics[topic as usize].partitions),
        }
    }

    fn next_task(&mut self, ctx: &mut Context<'_, Message>) {
        if self.registration.tasks.is_empty() {
            return self.registered(ctx);
        }
        self.step(Step::Create, ctx);
    }

    fn step(&mut self, step: Step, ctx: &mut Context<'_, Message>) {
        let Some(task) = self.registration.tasks.front().copied() else { return };
        let path = self.path(task);
        let op = match step {
            Step::Create => Op::Create { path, data: Some(self.data(task)), mode: Mode::EPHEMERAL },
            Step::Read => Op::GetData { path, watch: false },
            Step::Delete => Op::Delete { path, version: None },
        };
        self.registration.waits = self.session.request(op, ctx).ok().map(|xid| (xid, step));
    }

    fn answered(&mut self, xid: Xid, outcome: &Outcome<Znode>, ctx: &mut Context<'_, Message>) {
        if self.registration.closing == Some(xid) {
            return ctx.exit();
        }
        let Some((_, step)) = self.registration.waits.filter(|(waits, _)| *waits == xid) else {
            return;
        };
        self.registration.waits = None;
        let Some(task) = self.registration.tasks.front().copied() else { return };
        match (step, outcome) {
            (_, Err(Error::SessionExpired)) => {}
            // `retryUntilConnected`.
            (_, Err(Error::ConnectionLoss)) => self.step(step, ctx),
            (Step::Create, Ok(_)) => self.created(task, ctx),
            (Step::Create, Err(_)) => self.step(Step::Read, ctx),
            (Step::Read, Ok(answer)) => {
                // `createEphemeralPathExpectConflict`: its own, if the data are the same.
                let own = matches!(
                    answer,
                    crate::brokers::coordination::zookeeper::Answer::Data(Some(data), _)
                        if *data == self.data(task)
                );
                self.conflict(task, own, ctx);
            }
            (Step::Read, Err(_)) => self.conflict(task, false, ctx),
            (Step::Delete, _) => self.step(Step::Create, ctx),
        }
    }

    fn created(&mut self, task: Task, ctx: &mut Context<'_, Message>) {
        self.registration.tasks.pop_front();
        if task == Task::Broker {
            self.registration.registered = true;
            let (now, node) = (ctx.now(), self.node);
            ctx.observer()
                .event(now, observe::Event::new(event::BROKER_REGISTERED, node, None, None, 0));
        }
        self.next_task(ctx);
    }

    fn conflict(&mut self, task: Task, own: bool, ctx: &mut Context<'_, Message>) {
        if own {
            return self.created(task, ctx);
        }
        if !self.config.settings.rules.has(Rule::RefuseWhileRegistered) {
            return self.step(Step::Delete, ctx);
        }
        if self.phase == Phase::Registering {
            return self.start_failed(ctx);
        }
        // In the event thread of zkclient the exception is only logged.
        self.registration.tasks.clear();
    }

    fn registered(&mut self, ctx: &mut Context<'_, Message>) {
        if self.phase == Phase::Registering {
            return self.serve(ctx);
        }
        if self.registration.registered {
            let now = ctx.now();
            self.tell_role(now, role::OWNER, ctx.observer());
        }
    }

    /// Closes the session; whether there is an answer to wait for.
    pub(super) fn leave(&mut self, ctx: &mut Context<'_, Message>) -> bool {
        self.registration.closing = self.session.close(ctx);
        self.registration.closing.is_some()
    }
}
