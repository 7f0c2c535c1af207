//! A broker's znode, and who is the controller (KafkaHealthcheck.scala 0.8.2.2;
//! KafkaZkClient.scala 2.8, `registerBroker`; KafkaController.scala, `elect`).

use crate::brokers::coordination::zookeeper::{Answer, Error as ZkError, Op, Path, SessionId};
use crate::engine::{Span, Time};
use crate::world::{Context, Lane};

use super::super::super::super::message::{Message, Timer};
use super::super::super::super::rules::Rule;
use super::super::super::super::state::Znode;
use super::super::super::super::words::event;
use super::super::super::super::zookeeper::{
    CONTROLLER, Purpose, Result, broker_path, ephemeral, read,
};
use super::super::super::{Broker, Status};
use super::Next;
use super::isr::PROPAGATION;

/// So long after a start that failed a supervisor starts the broker again, which then takes its
/// time to boot (systemd.service: RestartSec is 100 ms).
const SUPERVISOR: Span = Span::from_millis(100);

impl Broker {
    /// Whether a broker is known in ZooKeeper before it serves. From 0.9 on its start fails if it
    /// cannot be, so that nothing comes of what it did before.
    pub(in super::super::super) fn registers_first(&self) -> bool {
        let waits = self.config.has(Rule::WaitForOldEphemeral);
        matches!(self.membership, super::Membership::ZooKeeper(_)) && self.incarnation > 0 && !waits
    }

    pub(in super::super) fn zk_register(&mut self, ctx: &mut Context<'_, Message>) {
        if self.zk().lane.is_none() {
            let lane = ctx.spawn();
            self.zk().lane = Some(lane);
            let notes = self.config.has(Rule::IsrChangeNotification)
                && !self.config.has(Rule::IsrThroughController);
            if notes {
                ctx.after(PROPAGATION, lane, Message::Timer(Timer::IsrPropagation));
            }
        }
        // A run starts with brokers that have been up, if not with their sessions.
        if self.incarnation == 0 {
            self.served = true;
            ctx.ready();
        }
        self.zk_next(Next::Open, Span::ZERO, ctx);
    }

    fn zk_next(&mut self, next: Next, wait: Span, ctx: &mut Context<'_, Message>) {
        let member = self.zk();
        let Some(lane) = member.lane else { return };
        member.next = next;
        member.turn = member.turn.wrapping_add(1);
        ctx.after(wait, lane, Message::Timer(Timer::Membership { turn: member.turn }));
    }

    /// It has waited.
    pub(super) fn zk_due(&mut self, ctx: &mut Context<'_, Message>) {
        match self.zk().next {
            Next::Open => self.zk().wire.open(ctx),
            Next::Register => self.ask_to_register(ctx),
            Next::Look => {
                self.zk().seen_controller = true;
                self.look_for_controller(ctx);
            }
        }
    }

    pub(super) fn zk_connected(&mut self, new: bool, ctx: &mut Context<'_, Message>) {
        if !new {
            return;
        }
        let member = self.zk();
        for (purpose, op) in std::mem::take(&mut member.again) {
            member.wire.ask(op, purpose, ctx);
        }
        self.ask_to_register(ctx);
    }

    fn ask_to_register(&mut self, ctx: &mut Context<'_, Message>) {
        let create = ephemeral(broker_path(self.me), Znode::Broker(self.incarnation));
        self.zk().wire.ask(create, Purpose::Register, ctx);
    }

    pub(super) fn register_answered(&mut self, result: &Result, ctx: &mut Context<'_, Message>) {
        if matches!(result, Ok(_) | Err(ZkError::NodeExists)) {
            let path = broker_path(self.me);
            self.zk().wire.ask(read(path, false), Purpose::Registered, ctx);
        }
    }

    pub(super) fn registration_read(&mut self, result: &Result, ctx: &mut Context<'_, Message>) {
        match result {
            Ok(Answer::Data(_, stat)) if stat.ephemeral_owner == self.zk().wire.id() => {
                self.registered(stat.czxid.0, ctx);
            }
            Ok(Answer::Data(_, stat)) => self.occupied(stat.ephemeral_owner, ctx),
            // It has gone in between.
            _ => self.ask_to_register(ctx),
        }
    }

    fn registered(&mut self, epoch: u64, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        let member = self.zk();
        (member.broker_epoch, member.registered) = (epoch, true);
        self.report_event(ctx, now, event::REGISTERED, None, None, epoch);
        if self.status == Status::Loading {
            self.serve(ctx);
        }
        self.served = true;
        ctx.ready();
        self.look_for_controller(ctx);
    }

    /// Its former self is still there. Up to 0.8 the broker waits for one session time-out and
    /// tries again. Later its start fails ("you have shutdown this broker and restarted it faster
    /// than the zookeeper timeout"), and somebody starts it again.
    fn occupied(&mut self, _owner: Option<SessionId>, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        self.report_event(ctx, now, event::REGISTRATION_REFUSED, None, None, 0);
        if self.status != Status::Loading {
            let timeout = self.zk().wire.timeout();
            return self.zk_next(Next::Register, timeout, ctx);
        }
        // A failed start is a stop in order: `KafkaServer.startup` calls `shutdown`.
        self.zk().wire.close(ctx);
        self.marks.clean = Some(self.marks.clean_epoch.unwrap_or(0));
        let boot = self.config.settings.boot_time.clone().span(ctx.random());
        ctx.after(SUPERVISOR + boot, Lane::MAIN, Message::Timer(Timer::Boot));
    }

    /// The session is over; the broker serves on, and begins another one
    /// (KafkaHealthcheck.scala 0.8.2.2, `handleNewSession`; KafkaController.scala 2.8,
    /// `processExpire`, `processRegisterBrokerAndReelect`).
    pub(super) fn zk_expired(&mut self, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        self.report_event(ctx, now, event::SESSION_EXPIRED, None, None, 0);
        let member = self.zk();
        member.registered = false;
        member.controller.resign(ctx);
        member.wire.open(ctx);
    }

    /// Who is the controller? Told again when that changes.
    pub(super) fn look_for_controller(&mut self, ctx: &mut Context<'_, Message>) {
        self.zk().wire.ask(read(CONTROLLER, true), Purpose::WhoControls, ctx);
    }

    pub(super) fn controller_read(&mut self, result: &Result, ctx: &mut Context<'_, Message>) {
        let checks = !self.config.has(Rule::WaitForOldEphemeral);
        let member = self.zk();
        match result {
            Ok(Answer::Data(_, stat)) => {
                member.seen_controller = true;
                let own = stat.ephemeral_owner == member.wire.id();
                if member.controller.is_elected() && !own {
                    member.controller.resign(ctx);
                } else if own && checks {
                    // The answer to its claim was lost with a connection (ZKCheckedEphemeral,
                    // ZkUtils.scala 0.9.0.1; checkControllerAndEpoch, KafkaZkClient.scala 2.1).
                    member.controller.holds(&mut member.wire, ctx);
                }
            }
            Err(ZkError::NoNode) => {
                member.controller.resign(ctx);
                if self.may_claim() {
                    let member = self.zk();
                    member.controller.claim(&mut member.wire, ctx);
                } else {
                    let exists = Op::Exists { path: Path::from(CONTROLLER), watch: true };
                    self.zk().wire.ask(exists, Purpose::Vacancy, ctx);
                }
            }
            _ => {}
        }
    }

    /// A run begins with a controller that has been one before: the others leave it the time of
    /// its session to come back.
    fn may_claim(&mut self) -> bool {
        let first = self.config.first_controller() == Some(self.me);
        first || self.incarnation > 0 || self.zk().seen_controller
    }

    /// There was no controller; its znode is watched now.
    pub(super) fn vacancy_seen(&mut self, result: &Result, ctx: &mut Context<'_, Message>) {
        if result.is_ok() {
            return self.look_for_controller(ctx);
        }
        let until = Time::ZERO + self.config.settings.zookeeper_session;
        let wait = if until > ctx.now() { until.since(ctx.now()) } else { Span::ZERO };
        self.zk_next(Next::Look, wait, ctx);
    }
}
