//! A broker's start and stop (KafkaServer, BrokerServer).

use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::world::{Boot, Context, Lane, Signal};

use super::super::config::BROKER;
use super::super::controller::Image;
use super::super::message::{Message, Synced, Timer};
use super::super::words::event;
use super::replica::isr_check_interval;
use super::storage::CHECKPOINTS;
use super::{Broker, Status};

impl Broker {
    pub(super) fn boot(&mut self, boot: &Boot, ctx: &mut Context<'_, Message>) {
        self.incarnation = boot.incarnation;
        self.status = Status::Loading;
        if boot.incarnation == 0 {
            // The run starts with a cluster that has been up for a while.
            self.marks.clean = Some(0);
            self.load_logs(ctx);
            self.write_first_offsets(ctx);
            let config = self.config.clone();
            self.view = Arc::new(Image::first(&config).view(config.first_controller()));
            for partition in config.all_partitions() {
                self.take_state(partition, config.first_state(partition), ctx);
            }
            return;
        }
        let takes = self.config.settings.boot_time.clone().span(ctx.random());
        ctx.after(takes, Lane::MAIN, Message::Timer(Timer::Boot));
    }

    /// The logs are there: the broker listens, and makes itself known.
    pub(super) fn logs_loaded(&mut self, ctx: &mut Context<'_, Message>) {
        if self.status != Status::Loading {
            return;
        }
        if !self.registers_first() {
            self.serve(ctx);
        }
        self.register(ctx);
    }

    /// It listens, and does what is done regularly.
    pub(super) fn serve(&mut self, ctx: &mut Context<'_, Message>) {
        self.status = Status::Running;
        let config = self.config.clone();
        let settings = &config.settings;
        for (period, what) in [
            (isr_check_interval(&config), Timer::IsrExpiration),
            (settings.checkpoint, Timer::HighWatermarkCheckpoint),
            (settings.recovery_checkpoint, Timer::RecoveryPointCheckpoint),
            (settings.flush_check, Timer::LogFlusher),
        ] {
            let first = ctx.first_round(period);
            ctx.after(first, Lane::MAIN, Message::Timer(what));
        }
        let period = settings.retention_check;
        // What begins with the run draws when that is; where nothing is to be deleted, nothing is drawn.
        let first = if config.deletes() { ctx.first_round(period) } else { period };
        ctx.after(first, Lane::MAIN, Message::Timer(Timer::LogRetention));
        let period = settings.groups.retention_check;
        if config.groups.topic.is_some() {
            let first = if config.expires_offsets() { ctx.first_round(period) } else { period };
            ctx.after(first, Lane::MAIN, Message::Timer(Timer::OffsetsRetention));
        }
        self.watch_producers(ctx);
        ctx.listen(BROKER);
    }

    pub(super) fn signal(&mut self, signal: Signal, ctx: &mut Context<'_, Message>) {
        if signal == Signal::Stop {
            self.stop(ctx);
        }
    }

    /// A follower's log is longer than its leader's, and that is not allowed to be: the broker
    /// halts (ReplicaFetcherThread.scala 0.8.2, `Runtime.getRuntime.halt`).
    pub(super) fn halt(&mut self, partition: PartitionId, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        self.report_event(ctx, now, event::HALTED, Some(partition), None, 0);
        self.status = Status::Off;
        ctx.exit();
    }

    /// Logs are flushed, and the process ends with the mark of an orderly stop.
    pub(super) fn flush_and_stop(&mut self, ctx: &mut Context<'_, Message>) {
        self.status = Status::Stopping;
        ctx.unlisten(BROKER);
        for partition in self.config.clone().all_partitions() {
            self.stop_following(partition, ctx);
            self.resign(partition, ctx);
            if let Some(replica) = self.replica(partition) {
                let done =
                    Synced::Log { partition, upto: replica.log.end(), life: replica.storage.life };
                ctx.fsync(replica.log.file(), Message::Synced(done));
            }
        }
        ctx.fsync(CHECKPOINTS, Message::Synced(Synced::Stopping));
    }

    /// All is on the disk: fsyncs are done in their order.
    pub(super) fn flushed_for_stop(&mut self, ctx: &mut Context<'_, Message>) {
        for replica in self.replicas.iter_mut().flatten() {
            replica.storage.checkpointed = replica.high_watermark;
            replica.storage.recovery_point = replica.log.end();
        }
        self.marks.clean = Some(self.broker_epoch());
        self.leave(ctx);
        self.status = Status::Off;
        ctx.exit();
    }

    /// Everything that was in memory is gone.
    pub(super) fn forget_process(&mut self) {
        self.status = Status::Off;
        self.forget_connections();
        self.parked.clear();
        self.fetchers.iter_mut().for_each(super::Fetcher::forget);
        self.view = Arc::default();
        self.controller_epoch = 0;
        self.served = false;
        self.watches_producers = false;
        self.coordinator.forget();
        self.transactions.forget();
        self.errands.forget();
        self.verifying.forget();
        self.membership.forget();
    }
}
