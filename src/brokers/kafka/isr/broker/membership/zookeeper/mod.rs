//! A broker's session with ZooKeeper (KafkaHealthcheck, KafkaZkClient), and the controller that
//! every broker has in it.
//!
//! | file | what |
//! | --- | --- |
//! | `registration.rs` | its znode, and who is the controller |
//! | `isr.rs` | how a leader changes an ISR |
//! | `shutdown.rs` | an orderly stop |
//!
//! One lane does all of it: the session, the controller, the connections that the broker makes for
//! both.

mod isr;
mod registration;
mod shutdown;

use std::sync::Arc;

use crate::brokers::coordination::zookeeper::Op;
use crate::brokers::kafka::PartitionId;
use crate::engine::Time;
use crate::observe::NodeId;
use crate::world::{ConnId, Context, Input, Lane};

use super::super::super::config::{BROKER, Config};
use super::super::super::controller::{Asker, ZooKeeperController};
use super::super::super::link::Link;
use super::super::super::message::{Message, Request, Response, Timer};
use super::super::super::rules::Rule;
use super::super::super::state::{PartitionChange, Znode};
use super::super::super::zookeeper::{News, Purpose, Step, Wire};
use super::super::Broker;
use super::Membership;

/// The link on which a leader asks the controller for another ISR.
const ALTER: u32 = u32::MAX;
/// The link on which a broker asks the controller to stop.
const SHUTDOWN: u32 = u32::MAX - 1;

/// What a broker has to do with ZooKeeper.
#[derive(Clone, Debug)]
pub struct ZooKeeperMember {
    wire: Wire,
    lane: Option<Lane>,
    /// `czxid` of its `/brokers/ids/N` (KIP-380).
    broker_epoch: u64,
    registered: bool,
    /// What its timer is for, and which of its waits that is.
    next: Next,
    turn: u32,
    /// There has been a controller, or it has been waited for long enough.
    seen_controller: bool,
    /// Its controller.
    pub controller: ZooKeeperController,
    /// Requests that are done in the next session.
    again: Vec<(Purpose, Op<Znode>)>,
    /// Partitions whose ISR it has written, and of which the controller has not been told.
    changed: Vec<PartitionId>,
    last_change: Time,
    last_note: Time,
    /// Refused writes of ISRs that were reported: partition and version.
    refused: Vec<(PartitionId, u32)>,
    alter: Link,
    /// Requests for other ISRs: (number, partition), and those that wait for a connection.
    changes: Vec<(u32, PartitionId)>,
    waiting: Vec<(PartitionId, PartitionChange)>,
    shutdown: Link,
    /// Which try of a controlled shutdown is under way.
    attempt: Option<u32>,
}

/// What a broker does when it has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Open,
    Register,
    Look,
}

impl ZooKeeperMember {
    pub(super) fn new(config: &Arc<Config>, me: NodeId) -> ZooKeeperMember {
        ZooKeeperMember {
            wire: Wire::new(config),
            lane: None,
            broker_epoch: 0,
            registered: false,
            next: Next::Open,
            turn: 0,
            seen_controller: false,
            controller: ZooKeeperController::new(config, me),
            again: Vec::new(),
            changed: Vec::new(),
            last_change: Time::ZERO,
            last_note: Time::ZERO,
            refused: Vec::new(),
            alter: Link::new(ALTER, me, BROKER),
            changes: Vec::new(),
            waiting: Vec::new(),
            shutdown: Link::new(SHUTDOWN, me, BROKER),
            attempt: None,
        }
    }

    pub(super) fn broker_epoch(&self) -> u64 {
        self.broker_epoch
    }

    pub(super) fn owns(&self, lane: Lane) -> bool {
        self.lane == Some(lane)
    }

    pub(super) fn controller_term(&self) -> Option<u32> {
        self.controller.leads()
    }

    /// Whether it is registered, and nothing is under way.
    pub(super) fn is_settled(&self) -> bool {
        self.registered && self.wire.is_idle() && self.controller.is_settled()
    }

    pub(super) fn forget(&mut self) {
        self.wire.died();
        self.lane = None;
        (self.broker_epoch, self.registered) = (0, false);
        (self.next, self.seen_controller) = (Next::Open, false);
        self.controller.forget();
        self.again.clear();
        self.changed.clear();
        (self.last_change, self.last_note) = (Time::ZERO, Time::ZERO);
        self.refused.clear();
        self.alter.forget();
        self.shutdown.forget();
        self.changes.clear();
        self.waiting.clear();
        self.attempt = None;
    }
}

impl Broker {
    fn zk(&mut self) -> &mut ZooKeeperMember {
        match &mut self.membership {
            Membership::ZooKeeper(member) => member,
            Membership::Kraft(_) => unreachable!("only asked where there is ZooKeeper"),
        }
    }

    pub(super) fn zk_input(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        let config = self.config.clone();
        match input {
            Input::Local { body: Message::Timer(timer) } => self.zk_timer(timer, ctx),
            Input::Local { body: Message::ZooKeeper(wake) } => {
                if self.zk().wire.owns_timer(&wake) {
                    let input = Input::Local { body: Message::ZooKeeper(wake) };
                    self.zk_session(input, ctx);
                }
            }
            Input::Message { conn, body: Message::Response { id, body } } => {
                self.zk_answered(conn, id, *body, ctx);
            }
            Input::Connected { conn } if !self.zk().wire.owns(conn) => {
                let member = self.zk();
                if member.alter.owns(conn) {
                    member.alter.connected(conn);
                    self.send_isr_changes(ctx);
                } else if member.shutdown.owns(conn) {
                    member.shutdown.connected(conn);
                    self.send_shutdown(ctx);
                } else {
                    member.controller.channels().connected(&config, conn, ctx);
                }
            }
            Input::Failed { conn, .. } | Input::Closed { conn, .. }
                if !self.zk().wire.owns(conn) =>
            {
                let member = self.zk();
                if member.alter.owns(conn) {
                    member.alter.lost(ctx);
                    self.isr_link_lost(ctx);
                } else if member.shutdown.owns(conn) {
                    member.shutdown.lost(ctx);
                    self.shutdown_failed(ctx);
                } else {
                    member.controller.channels().lost(&config, conn, ctx);
                }
            }
            other => self.zk_session(other, ctx),
        }
        self.zk_settle(ctx);
    }

    /// An input of the session's.
    fn zk_session(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        let news = self.zk().wire.handle(input, ctx);
        for one in news {
            self.zk_news(one, ctx);
        }
    }

    fn zk_timer(&mut self, timer: Timer, ctx: &mut Context<'_, Message>) {
        let config = self.config.clone();
        let member = self.zk();
        match timer {
            Timer::Membership { turn } if turn == member.turn => self.zk_due(ctx),
            Timer::Controller { term } => member.controller.timer(term, &mut member.wire, ctx),
            Timer::PreferredLeaders { term } => {
                member.controller.look_at_preferred(term, &mut member.wire, ctx);
            }
            Timer::Channel { to, turn } => {
                member.controller.channels().retry(&config, (to, turn), ctx);
            }
            Timer::Link { link: ALTER, turn } if member.alter.timer(ctx, turn).is_some() => {
                self.isr_link_lost(ctx);
            }
            Timer::Link { link: SHUTDOWN, turn } if member.shutdown.timer(ctx, turn).is_some() => {
                self.shutdown_failed(ctx);
            }
            Timer::Link { link, turn } => {
                member.controller.channels().timed(&config, (link, turn), ctx);
            }
            Timer::Sender => self.send_isr_changes(ctx),
            Timer::IsrPropagation => self.propagate_isr_changes(ctx),
            Timer::Shutdown { attempt } => self.try_shutdown(attempt, ctx),
            Timer::ShutdownOver => self.flush_and_stop(ctx),
            _ => {}
        }
    }

    fn zk_answered(
        &mut self,
        conn: ConnId,
        id: u32,
        response: Response,
        ctx: &mut Context<'_, Message>,
    ) {
        let config = self.config.clone();
        let member = self.zk();
        if member.alter.owns(conn) {
            if member.alter.answered(id) {
                self.isr_change_answered(id, response, ctx);
            }
        } else if member.shutdown.owns(conn) {
            if member.shutdown.answered(id) {
                self.shutdown_answered(&response, ctx);
            }
        } else {
            member.controller.channels().answered(&config, (conn, id), ctx);
        }
    }

    /// What the session tells.
    fn zk_news(&mut self, news: News, ctx: &mut Context<'_, Message>) {
        match news {
            News::Connected(new) => self.zk_connected(new, ctx),
            News::Expired => self.zk_expired(ctx),
            News::Watch(path, kind) => {
                if &*path == super::super::super::zookeeper::CONTROLLER {
                    self.look_for_controller(ctx);
                } else {
                    let member = self.zk();
                    member.controller.watched(&path, kind, &mut member.wire, ctx);
                }
            }
            News::Answer(purpose, result) => match purpose {
                Purpose::Register => self.register_answered(&result, ctx),
                Purpose::Registered => self.registration_read(&result, ctx),
                Purpose::WhoControls => self.controller_read(&result, ctx),
                Purpose::Vacancy => self.vacancy_seen(&result, ctx),
                Purpose::Isr(partition, state) => self.isr_written(partition, state, &result, ctx),
                Purpose::IsrCheck(partition, state) => {
                    self.isr_checked(partition, &state, result, ctx);
                }
                Purpose::ShutdownBy(attempt) => self.shutdown_by(attempt, &result, ctx),
                Purpose::Controller(term, step) => {
                    let claims = step == Step::Claim;
                    let member = self.zk();
                    member.controller.answer((term, step), result, &mut member.wire, ctx);
                    if claims {
                        self.look_for_controller(ctx);
                    }
                }
                Purpose::Note | Purpose::Forgotten => {}
            },
            News::Dropped(purpose, op) => self.zk_dropped(purpose, op, ctx),
        }
    }

    /// A request was under way when the session ended. Before 1.1 it is done in the next one,
    /// whoever is the controller by then (ZkClient, `retryUntilConnected`; KAFKA-2729).
    fn zk_dropped(&mut self, purpose: Purpose, op: Op<Znode>, ctx: &mut Context<'_, Message>) {
        let outlives = !self.config.has(Rule::PipelineZooKeeper);
        match purpose {
            Purpose::Isr(..) | Purpose::IsrCheck(..) if outlives => {
                self.zk().again.push((purpose, op));
            }
            Purpose::Isr(partition, _) | Purpose::IsrCheck(partition, _) => {
                self.isr_write_failed(partition, ctx);
            }
            Purpose::Controller(_, Step::Write(..)) if outlives => {
                self.zk().again.push((Purpose::Forgotten, op));
            }
            _ => {}
        }
    }

    /// What the controller has decided beside: answers, and that it is none any more.
    fn zk_settle(&mut self, ctx: &mut Context<'_, Message>) {
        let member = self.zk();
        if member.controller.has_moved() {
            member.controller.resign(ctx);
            self.look_for_controller(ctx);
        }
        for (asker, response) in self.zk().controller.take_answers() {
            let connected = self.connection(asker.place).is_some_and(|c| c.conn == asker.conn);
            if connected {
                self.respond(asker.place, response, ctx);
            }
        }
    }

    pub(super) fn zk_controller_request(
        &mut self,
        place: u32,
        request: Request,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(conn) = self.connection(place).map(|connection| connection.conn) else { return };
        let member = self.zk();
        member.controller.request(Asker { place, conn }, request);
        let term = member.controller.term();
        match member.lane {
            Some(lane) if member.controller.is_elected() => {
                ctx.tell(lane, Message::Timer(Timer::Controller { term }));
            }
            _ => self.zk_settle(ctx),
        }
    }
}
