//! A broker's start and stop (KafkaServer, BrokerServer).

use crate::brokers::kafka::PartitionId;
use crate::observe::Observer;
use crate::world::{Boot, Context, Lane, Signal};

use super::super::config::BROKER;
use super::super::message::{Message, Request, Timer};
use super::super::state::PartitionChange;
use super::super::words::event;
use super::replica::isr_check_interval;
use super::{Broker, Status};

impl Broker {
    pub(super) fn boot<O: Observer>(&mut self, boot: &Boot, ctx: &mut Context<'_, Message, O>) {
        self.incarnation = boot.incarnation;
        self.status = Status::Loading;
        if boot.incarnation == 0 {
            self.marks.clean = Some(0);
            return self.load_logs(ctx);
        }
        let takes = self.config.settings.boot_time.clone().span(ctx.random());
        ctx.after(takes, Lane::MAIN, Message::Timer(Timer::Boot));
    }

    /// The logs are there: the broker listens, and makes itself known.
    pub(super) fn logs_loaded<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        if self.status != Status::Loading {
            return;
        }
        self.status = Status::Running;
        let config = self.config.clone();
        let settings = &config.settings;
        let timer = |timer| Message::Timer(timer);
        ctx.after(isr_check_interval(&config), Lane::MAIN, timer(Timer::IsrExpiration));
        ctx.after(settings.checkpoint, Lane::MAIN, timer(Timer::HighWatermarkCheckpoint));
        let wait = settings.recovery_checkpoint;
        ctx.after(wait, Lane::MAIN, timer(Timer::RecoveryPointCheckpoint));
        ctx.after(settings.flush_check, Lane::MAIN, timer(Timer::LogFlusher));
        ctx.listen(BROKER);
        self.register(ctx);
    }

    pub(super) fn signal<O: Observer>(
        &mut self,
        signal: Signal,
        ctx: &mut Context<'_, Message, O>,
    ) {
        if signal == Signal::Stop {
            self.stop(ctx);
        }
    }

    /// A follower's log is longer than its leader's, and that is not allowed to be: the broker
    /// halts (ReplicaFetcherThread.scala 0.8.2, `Runtime.getRuntime.halt`).
    pub(super) fn halt<O: Observer>(
        &mut self,
        partition: PartitionId,
        ctx: &mut Context<'_, Message, O>,
    ) {
        let now = ctx.now();
        self.report_event(ctx, now, event::HALTED, Some(partition), None, 0);
        self.status = Status::Off;
        ctx.exit();
    }

    /// Everything that was in memory is gone.
    pub(super) fn forget_process(&mut self) {
        self.status = Status::Off;
        self.forget_connections();
        self.parked.clear();
        self.fetchers.iter_mut().for_each(super::Fetcher::forget);
        self.view = Default::default();
        self.controller_epoch = 0;
    }
}
