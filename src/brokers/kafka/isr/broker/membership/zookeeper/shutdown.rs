//! An orderly stop: the controller is asked to move leaderships first (KafkaServer.scala 0.8.2.2
//! and 2.8, `controlledShutdown`).

use crate::brokers::coordination::zookeeper::Answer;
use crate::world::{Context, Lane};

use super::super::super::super::message::{Error, Message, Request, Response, Timer};
use super::super::super::super::rules::Rule;
use super::super::super::super::state::Znode;
use super::super::super::super::words::event;
use super::super::super::super::zookeeper::{CONTROLLER, Purpose, Result, read};
use super::super::super::{Broker, Status};

/// The attempt that stands for the end of all of them.
const OVER: u32 = u32::MAX;

impl Broker {
    pub(in super::super) fn zk_stop(&mut self, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        if self.status != Status::Running {
            self.zk().wire.close(ctx);
            self.status = Status::Off;
            return ctx.exit();
        }
        let asks = self.config.has(Rule::HandOverAtStop);
        if !asks || !self.config.settings.controlled_shutdown {
            return self.flush_and_stop(ctx);
        }
        self.status = Status::Stopping;
        self.report_event(ctx, now, event::CONTROLLED_SHUTDOWN, None, None, 0);
        if let Some(lane) = self.zk().lane {
            ctx.tell(lane, Message::Timer(Timer::Shutdown { attempt: 0 }));
        }
    }

    /// The process is about to end: so does its session, and what goes with it.
    pub(in super::super) fn zk_leave(&mut self, ctx: &mut Context<'_, Message>) {
        self.zk().wire.close(ctx);
    }

    /// Finds out who is to be asked.
    pub(super) fn try_shutdown(&mut self, attempt: u32, ctx: &mut Context<'_, Message>) {
        let config = self.config.clone();
        let settings = &config.settings;
        let member = self.zk();
        if member.attempt.is_some_and(|last| attempt <= last) {
            return;
        }
        member.attempt = Some(attempt);
        member.shutdown.close(ctx);
        if attempt >= settings.shutdown_retries {
            return self.shutdown_over(ctx);
        }
        self.zk().wire.ask(read(CONTROLLER, false), Purpose::ShutdownBy(attempt), ctx);
        let lane = ctx.lane();
        let next = Message::Timer(Timer::Shutdown { attempt: attempt + 1 });
        ctx.after(settings.controller_timeout + settings.shutdown_backoff, lane, next);
    }

    pub(super) fn shutdown_by(
        &mut self,
        attempt: u32,
        result: &Result,
        ctx: &mut Context<'_, Message>,
    ) {
        let config = self.config.clone();
        let member = self.zk();
        if member.attempt != Some(attempt) {
            return;
        }
        let Ok(Answer::Data(Some(Znode::Controller(controller)), _)) = result else {
            return self.shutdown_failed(ctx);
        };
        member.shutdown.aim(*controller);
        member.shutdown.open_in_time(&config, Some(config.settings.controller_timeout), ctx);
    }

    pub(super) fn send_shutdown(&mut self, ctx: &mut Context<'_, Message>) {
        let (broker, broker_epoch) = (self.me, self.broker_epoch());
        let timeout = self.config.settings.controller_timeout;
        let request = Request::ControlledShutdown { broker, broker_epoch };
        self.zk().shutdown.send(ctx, request, timeout);
    }

    pub(super) fn shutdown_answered(
        &mut self,
        response: &Response,
        ctx: &mut Context<'_, Message>,
    ) {
        match response {
            Response::ControlledShutdown(Error::None, 0) => self.shutdown_over(ctx),
            _ => self.shutdown_failed(ctx),
        }
    }

    /// It is tried again later.
    pub(super) fn shutdown_failed(&mut self, ctx: &mut Context<'_, Message>) {
        let (wait, lane) = (self.config.settings.shutdown_backoff, ctx.lane());
        // When it is over there is nothing left to fail, whatever becomes of its connection.
        if let Some(attempt) = self.zk().attempt.filter(|attempt| *attempt != OVER) {
            let next = Message::Timer(Timer::Shutdown { attempt: attempt + 1 });
            ctx.after(wait, lane, next);
        }
    }

    fn shutdown_over(&mut self, ctx: &mut Context<'_, Message>) {
        self.zk().attempt = Some(OVER);
        ctx.tell(Lane::MAIN, Message::Timer(Timer::ShutdownOver));
    }
}
