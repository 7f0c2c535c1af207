//! A push consumer (`DefaultMQPushConsumerImpl`): pulls from the queues that it has taken, hands messages
//! to the threads of its application, and commits for each queue the offset of the lowest message
//! that is not finished. Auditors are consumers that are given all queues when the load ends.

mod back;
mod orderly;
mod pull;
mod queue;
mod rebalance;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::brokers::kit::application::{Crew, Hours, Reading};
use crate::brokers::kit::touched::Touched;
use crate::engine::{Chance, Distribution, Slab, Span, Time};
use crate::observe::{ConsumerId, DestinationId, MessageRange, Observer};
use crate::world::{Context, Input, Lane, Signal, Wait};

use super::super::config::{Config, QueueId, Returns};
use super::super::invariants::Touch;
use super::super::message::{HEADER, Message, Timer};
use super::super::remoting::Event;
use super::super::rules::Rule;
use super::{Asked, Instance};
use back::Returning;
use queue::ProcessQueue;
use rebalance::Rebalancing;

/// A consumer tells brokers its offsets so long after its start, then every
/// `persistConsumerOffsetInterval`.
const FIRST_PERSIST: Span = Span::from_secs(10);
/// Its threads have that much to do at most before it counts as having no room.
const BACKLOG: usize = 1_000;

/// What a consumer does.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// Which one it is.
    pub id: ConsumerId,
    /// The topic.
    pub topic: u32,
    /// Its group among all, and among those that read the topic.
    pub group: u32,
    /// The place of its group among those of the topic.
    pub group_of_topic: usize,
    /// `consumeFromWhere = CONSUME_FROM_FIRST_OFFSET`.
    pub from_first: bool,
    /// `pullBatchSize`.
    pub batch: u32,
    /// `pullThresholdForQueue`.
    pub threshold: u32,
    /// `consumeConcurrentlyMaxSpan`.
    pub span: u32,
    /// `consumeThreadMin`.
    pub threads: u32,
    /// `persistConsumerOffsetInterval`.
    pub persist_interval: Span,
    /// `heartbeatBrokerInterval`.
    pub heartbeat_interval: Span,
    /// `pollNameServerInterval`.
    pub poll_interval: Span,
    /// How it consumes.
    pub listener: Listener,
    /// Where its group sends back to; none if its application never fails.
    pub returns: Option<Returns>,
    /// How probable it is that its application fails on a message.
    pub fails: Chance,
    /// `maxReconsumeTimes`; none for no limit.
    pub most_times: Option<u8>,
    /// `consumeTimeout`.
    pub timeout: Span,
    /// `suspendCurrentQueueTimeMillis`.
    pub suspend: Span,
    /// One message on which it works for longer: which, and how long.
    pub stuck: Option<(u64, Span)>,
    /// How long its application works on a message.
    pub processing: Distribution,
    /// From when to when it reads.
    pub hours: Hours,
}

/// How a consumer consumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Any messages at the same time, as a member of a group.
    Concurrently,
    /// One message of each queue at a time, as a member of a group.
    Orderly,
    /// Any messages of all queues (BROADCASTING).
    Broadcast,
}

/// What it has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Messages of a queue, in this life of its.
    Pull(QueueId, u32),
    /// Who is in its group.
    Consumers,
    /// Where its group is in a queue.
    Offset(QueueId),
    /// Where a queue ends.
    End(QueueId),
    /// That what the application has failed on is taken back: which.
    Back(u32),
    /// For the lock of a queue, to take it.
    Lock(QueueId),
    /// For the locks of its queues in a group of brokers once more.
    LockAgain(u32),
}

/// A message that a thread works on or is to.
#[derive(Clone, Copy, Debug)]
struct Work {
    queue: QueueId,
    life: u32,
    offset: u64,
    message: MessageRange,
    /// How often the application has failed on it.
    times: u8,
}

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    config: Arc<Config>,
    own: ConsumerConfig,
    instance: Instance<Question>,
    queues: Vec<ProcessQueue>,
    lives: u32,
    rebalancing: Rebalancing,
    /// What waits for a thread.
    backlog: VecDeque<Work>,
    crew: Crew<Work>,
    /// What is being sent back.
    back: Slab<Returning>,
    /// On how many messages its process has begun to work.
    begun: u64,
    /// Queues whose locks it gives back when the message in hand is through: which, of which life.
    unlocking: Vec<(QueueId, u32)>,
    /// The file of offsets on its own host (`LocalFileOffsetStore`), of a broadcast consumer.
    local: BTreeMap<QueueId, u64>,
    subscribed: bool,
    application: Reading<()>,
    lines: Vec<DestinationId>,
    leaving: bool,
    /// What the invariants have to look at.
    pub(in super::super) touched: Touched<Touch>,
}

impl Consumer {
    /// A consumer that has not started.
    #[must_use]
    pub fn new(config: Arc<Config>, own: ConsumerConfig) -> Consumer {
        let queues = config.streams.of_topic(own.topic);
        let seen = |queue| config.streams.seen_by(queue, own.group_of_topic);
        Consumer {
            instance: Instance::new(config.clone(), own.poll_interval),
            queues: Vec::new(),
            lives: 0,
            rebalancing: Rebalancing::new(),
            backlog: VecDeque::new(),
            back: Slab::new(),
            begun: 0,
            unlocking: Vec::new(),
            local: BTreeMap::new(),
            subscribed: false,
            crew: Crew::new(own.threads as usize, own.processing.clone()),
            application: Reading::new(own.id, own.hours, own.processing.clone()),
            lines: queues.map(seen).collect(),
            leaving: false,
            touched: Touched::default(),
            config,
            own,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                ctx.ready();
                let (begin, stop) = (Timer::Begin(true).into(), Timer::Begin(false).into());
                if self.application.boot(begin, stop, ctx) {
                    self.begin(ctx);
                }
            }
            Input::Signal(Signal::LoadEnded) if self.application.is_auditor() => self.begin(ctx),
            Input::Signal(Signal::Stop) => {
                self.leaving = true;
                self.shut_down(ctx);
            }
            Input::Signal(_) => {}
            Input::Local { body: Message::Timer(timer) } => self.timer(timer, ctx),
            input => {
                let server = input.conn().and_then(|conn| self.instance.remoting.owner(conn));
                if let Some(server) = server {
                    let events = self.instance.remoting.handle(server, input, ctx);
                    self.events(events, ctx);
                }
            }
        }
        if self.leaving && self.crew.is_idle() {
            self.instance.remoting.close(ctx);
            ctx.exit();
        }
    }

    fn timer(&mut self, timer: Timer, ctx: &mut Context<'_, Message>) {
        match timer {
            Timer::Begin(true) => self.begin(ctx),
            Timer::Begin(false) => self.shut_down(ctx),
            Timer::Processed(thread) => {
                if let Some(work) = self.crew.done(thread) {
                    self.finish(work, ctx);
                }
                self.work(ctx);
            }
            Timer::Requests => {
                let events = self.instance.remoting.overdue(ctx);
                self.events(events, ctx);
            }
            _ if !self.application.is_active() => {}
            Timer::PollRoute => self.instance.poll(ctx),
            Timer::PullAgain(queue, life) => self.pull(queue, life, ctx),
            Timer::GiveUp(queue, life) => self.give_up(queue, life, ctx),
            Timer::Rebalance => self.rebalance_round(ctx),
            Timer::Reconsume(back) => self.reconsume(back, ctx),
            Timer::Resume(queue, life) => self.resume(queue, life, ctx),
            Timer::Locks => self.lock_round(ctx),
            Timer::Expire => self.expire(ctx),
            Timer::Heartbeats => {
                ctx.after(self.own.heartbeat_interval, Lane::MAIN, Timer::Heartbeats.into());
                self.heartbeats(ctx);
            }
            Timer::Persist => {
                ctx.after(self.own.persist_interval, Lane::MAIN, Timer::Persist.into());
                self.persist_all(ctx);
            }
            _ => {}
        }
    }

    fn events(&mut self, events: Vec<Event<Asked<Question>>>, ctx: &mut Context<'_, Message>) {
        for event in events {
            match event {
                Event::Answered(Asked::Route(..), Message::RouteIs(_, route)) => {
                    let changed = self.instance.route_is(route, ctx);
                    self.route_known(changed, ctx);
                }
                Event::Failed(Asked::Route(_, tried), failure) => {
                    if !self.instance.route_failed(tried, failure, ctx) {
                        self.route_known(false, ctx);
                    }
                }
                Event::Answered(
                    Asked::Own(Question::Pull(queue, life)),
                    Message::Pulled(found),
                ) => {
                    self.pulled(queue, life, *found, ctx);
                }
                Event::Failed(Asked::Own(Question::Pull(queue, life)), _) => {
                    self.pull_later(queue, life, pull::AFTER_ERROR, ctx);
                }
                Event::Answered(Asked::Own(Question::Back(back)), Message::Sent(_, code)) => {
                    self.back_answered(back, code.is_result(), ctx);
                }
                Event::Failed(Asked::Own(Question::Back(back)), _) => {
                    self.back_answered(back, false, ctx);
                }
                Event::Answered(
                    Asked::Own(Question::LockAgain(group)),
                    Message::Locked(_, granted),
                ) => {
                    self.locked_again(group, &granted, ctx);
                }
                Event::Answered(Asked::Own(question), answer) => {
                    self.rebalance_answer(question, Some(answer), ctx);
                }
                Event::Failed(Asked::Own(question), _) => {
                    self.rebalance_answer(question, None, ctx);
                }
                Event::Told(Message::ConsumersChanged) => self.rebalance_now(ctx),
                Event::Opened(server) => self.opened(server, ctx),
                Event::Told(_) => {}
                Event::Answered(Asked::Route(..), _) => {}
            }
        }
    }

    fn begin(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.application.begin() {
            return;
        }
        self.instance.start(ctx);
        self.report_wants(ctx);
        if self.application.is_auditor() {
            // It has all of them, from the beginning on.
            let all: Vec<QueueId> = self.config.streams.of_topic(self.own.topic).collect();
            for queue in all {
                self.take(queue, 0, ctx);
            }
            return;
        }
        self.tell_subscribes(true, ctx.now(), ctx.observer());
        self.start_listener(ctx);
        self.heartbeats(ctx);
        let beat = ctx.first_round(self.own.heartbeat_interval);
        ctx.after(beat, Lane::MAIN, Timer::Heartbeats.into());
        let persist = match ctx.incarnation() {
            0 => ctx.first_round(self.own.persist_interval),
            _ => FIRST_PERSIST,
        };
        ctx.after(persist, Lane::MAIN, Timer::Persist.into());
        self.rebalance_now(ctx);
    }

    /// A route has come, or has not: what waited for it goes on.
    fn route_known(&mut self, changed: bool, ctx: &mut Context<'_, Message>) {
        if changed && !self.application.is_auditor() && self.rebalancing.waits_for_route() {
            self.heartbeats(ctx);
        }
        self.rebalance_has_route(ctx);
    }

    /// `sendHeartbeatToAllBrokerWithLock`.
    fn heartbeats(&mut self, ctx: &mut Context<'_, Message>) {
        let brokers: Vec<usize> = self.instance.brokers().map(|broker| broker.index()).collect();
        for broker in brokers {
            self.beat(broker, ctx);
        }
    }

    fn beat(&mut self, broker: usize, ctx: &mut Context<'_, Message>) {
        let beat = Message::Heartbeat { group: self.own.group, client: self.own.id.0 };
        self.instance.remoting.post(broker, beat, HEADER, ctx);
    }

    /// A connection to a broker is open (`onChannelActive`).
    fn opened(&mut self, server: usize, ctx: &mut Context<'_, Message>) {
        let broker = server < self.config.brokers as usize;
        let is_member = self.application.is_active() && !self.application.is_auditor();
        if broker && is_member && self.config.has(Rule::HeartbeatOnConnect) {
            self.beat(server, ctx);
        }
    }

    /// Whether it is a member of its group, or not any more.
    fn tell_subscribes(&mut self, subscribes: bool, at: Time, observer: &mut dyn Observer) {
        if self.subscribed != subscribes {
            self.subscribed = subscribes;
            observer.subscribes(at, self.own.id, subscribes);
        }
    }

    /// A queue is its own from now on, or not any more.
    fn tell_holds(&self, queue: QueueId, holds: bool, at: Time, observer: &mut dyn Observer) {
        if !self.application.is_auditor() && !self.config.streams.is_internal(queue) {
            let line = self.config.streams.seen_by(queue, self.own.group_of_topic);
            observer.holds(at, self.own.id, line, holds);
        }
    }

    /// Gives threads what waits for them.
    fn work(&mut self, ctx: &mut Context<'_, Message>) {
        if self.own.listener == Listener::Orderly {
            return self.work_orderly(ctx);
        }
        while self.crew.is_free() {
            let Some(work) = self.backlog.pop_front() else { break };
            // `ConsumeRequest.run`: of a queue that was given up nothing more is begun.
            if self.life_of(work.queue) != Some(work.life) {
                continue;
            }
            self.start_work(work, ctx);
        }
        self.report_wants(ctx);
    }

    /// A thread begins to work on a message.
    fn start_work(&mut self, work: Work, ctx: &mut Context<'_, Message>) {
        ctx.spend(self.config.costs.consume);
        let (now, id, line) = (ctx.now(), self.own.id, self.line(work.message));
        ctx.observer().delivered(now, id, line, work.message, work.times > 0);
        let clock = ctx.clock();
        if let Some(queue) = self.queue_mut(work.queue, work.life) {
            queue.begins(work.offset, clock);
        }
        self.begun += 1;
        let done = |thread| Timer::Processed(thread).into();
        let through = match self.own.stuck {
            Some((number, takes)) if number == self.begun => {
                self.crew.work_for(takes, work, done, ctx)
            }
            _ => self.crew.work(work, done, ctx),
        };
        if let Some(work) = through {
            self.finish(work, ctx);
        }
    }

    fn line(&self, message: MessageRange) -> DestinationId {
        self.config.streams.destination(message.producer, self.own.group_of_topic)
    }

    /// The application is through with a message.
    fn finish(&mut self, work: Work, ctx: &mut Context<'_, Message>) {
        let orderly = self.own.listener == Listener::Orderly;
        if self.own.fails != Chance::NEVER && ctx.random().chance(self.own.fails) {
            return if orderly { self.suspend(work, ctx) } else { self.failed(work, ctx) };
        }
        let (now, id, line) = (ctx.now(), self.own.id, self.line(work.message));
        ctx.observer().processed(now, id, line, work.message);
        self.passed(work, ctx);
        if orderly {
            self.next_in_order(work, ctx);
        }
    }

    /// A message is finished with, whatever came of it.
    fn passed(&mut self, work: Work, _: &mut Context<'_, Message>) {
        let lowest = self.config.has(Rule::CommitLowestUnfinished);
        if let Some(queue) = self.queue_mut(work.queue, work.life) {
            queue.finished(work.offset, lowest);
            if let Some((committed, unfinished)) = queue.committed.zip(queue.lowest()) {
                self.touched.note(Touch::Committed(work.queue, committed, unfinished));
            }
        }
    }

    fn report_wants(&mut self, ctx: &mut Context<'_, Message>) {
        let room = self.backlog.len() < BACKLOG;
        self.application.tell_wants(room, &self.lines, ctx);
    }

    /// `shutdown`: tells its offsets, and leaves its group.
    fn shut_down(&mut self, ctx: &mut Context<'_, Message>) {
        let was = self.application.is_active();
        self.application.stop();
        self.report_wants(ctx);
        if !was || self.application.is_auditor() {
            return;
        }
        self.persist_all(ctx);
        self.unlock_all(ctx);
        for queue in std::mem::take(&mut self.queues) {
            self.tell_holds(queue.id, false, ctx.now(), ctx.observer());
        }
        self.tell_subscribes(false, ctx.now(), ctx.observer());
        self.backlog.clear();
        let brokers: Vec<usize> = self.instance.brokers().map(|broker| broker.index()).collect();
        for broker in brokers {
            let leave = Message::Leave { group: self.own.group, client: self.own.id.0 };
            self.instance.remoting.post(broker, leave, HEADER, ctx);
        }
    }

    /// The process has died, and its application with it.
    pub fn died(&mut self, at: Time, observer: &mut dyn Observer) {
        self.instance.died();
        for queue in std::mem::take(&mut self.queues) {
            self.tell_holds(queue.id, false, at, observer);
        }
        self.tell_subscribes(false, at, observer);
        self.back = Slab::new();
        self.begun = 0;
        self.unlocking.clear();
        self.backlog.clear();
        self.crew.died();
        self.rebalancing = Rebalancing::new();
        self.leaving = false;
        self.application.died(at, &self.lines, observer);
    }

    /// The queues that it has, and where it will pull from next.
    pub fn reads(&self) -> impl Iterator<Item = (QueueId, u64)> + '_ {
        self.queues.iter().map(|queue| (queue.id, queue.next))
    }

    /// Whether it asks for messages.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.application.is_active()
    }

    /// The group whose queues it shares; none for an auditor.
    #[must_use]
    pub fn group(&self) -> Option<u32> {
        (!self.application.is_auditor()).then_some(self.own.group)
    }

    /// The queues of its topic, and of the retry topic of its group.
    pub fn queues(&self) -> impl Iterator<Item = QueueId> + use<> {
        let retried = self.own.returns.map(|returns| self.config.streams.of_topic(returns.retry));
        self.config.streams.of_topic(self.own.topic).chain(retried.into_iter().flatten())
    }

    /// The topic that it reads.
    #[must_use]
    pub const fn topic(&self) -> u32 {
        self.own.topic
    }

    /// What it waits for beside messages; `None` if it has nothing in hand.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        let waits = self.queues.iter().any(|queue| queue.busy || !queue.waiting.is_empty());
        if !self.crew.is_idle() || !self.backlog.is_empty() || waits || !self.back.is_empty() {
            return Some("its application, to finish what it has in hand".into());
        }
        if self.application.is_stopped() {
            return None;
        }
        (!self.application.is_active()).then(|| "its time to begin".into())
    }
}
