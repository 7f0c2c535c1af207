//! The logs on the disk, and what is kept beside them (LogManager, OffsetCheckpoint).
//!
//! No step of a write waits for the disk. What a broker has written is in the page cache; what of
//! it is on the disk is the operating system's affair, unless a flush is configured.

use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::log::Piece;
use crate::engine::Time;
use crate::observe::{BecauseId, Observer};
use crate::world::{Context, Death, DiskView, FileId, Lane};

use super::super::message::{Message, Synced, Timer};
use super::super::sequence::Sequenced;
use super::super::words::{because, cause, event};
use super::{Broker, Replica, Role, Status, report_removed};

/// The file of the checkpoints.
pub const CHECKPOINTS: FileId = FileId(0);

/// What a broker keeps on its disk beside its logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// `.kafka_cleanshutdown`: there since the last stop, if that was in order; with the broker
    /// epoch from 3.8 on.
    pub clean: Option<u64>,
    /// The broker epoch that it found there at its start, if the last stop was in order.
    pub clean_epoch: Option<u64>,
}

impl Broker {
    /// Appends to a log, and to its file. `false` if the disk does not take it.
    pub(super) fn store(
        &mut self,
        partition: PartitionId,
        (piece, borne): (Piece, Option<(Sequenced, Time)>),
        ctx: &mut Context<'_, Message>,
    ) -> bool {
        let (config, now, clock) = (self.config.clone(), ctx.now(), ctx.clock());
        let Some(replica) = self.replica_mut(partition) else { return false };
        let file = replica.log.file();
        if ctx.write(file, piece.bytes).is_err() {
            self.disk_failed(ctx);
            return false;
        }
        let Some(replica) = self.replica_mut(partition) else { return false };
        // Every record bears the epoch of its leader (KIP-101); the first one tells where it began.
        if config.has(super::super::rules::Rule::TruncateByEpoch) {
            let cuts = config.has(super::super::rules::Rule::CutEpochsWithLog);
            replica.epochs.assign(piece.epoch, piece.base, cuts);
        }
        replica.log.append(piece);
        if let Some((sequenced, stamp)) = borne {
            replica.producers.appended(&piece, sequenced, stamp, config.batches_kept());
            if sequenced.by.transactional {
                replica.transactions.appended(sequenced.by.id, piece.base);
            }
        }
        let storage = &mut replica.storage;
        storage.unflushed += u64::from(piece.messages.count);
        let length = replica.log.length();
        let rolls = replica.segments.size(length) > config.topic(partition).segment_bytes;
        if rolls {
            replica.segments.roll(replica.log.end(), length, clock);
        }
        let flush = rolls || storage.unflushed >= config.settings.flush_messages;
        let by_count = storage.unflushed >= config.settings.flush_messages;
        if by_count && config.has(super::super::rules::Rule::FlushInAppend) {
            storage.held.get_or_insert(piece.base);
        }
        if flush {
            self.flush(partition, ctx);
        }
        // Nobody is told of what brokers write for themselves: it does not put the end of a run off.
        if !config.streams.is_internal(partition) {
            self.report_stored(now, &piece, ctx.observer());
        }
        self.touch(partition);
        true
    }

    pub(super) fn flush(&mut self, partition: PartitionId, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        let Some(replica) = self.replica_mut(partition) else { return };
        replica.storage.unflushed = 0;
        replica.storage.last_flush = now;
        let (upto, life) = (replica.log.end(), replica.storage.life);
        replica.storage.flushing = upto;
        ctx.fsync(replica.log.file(), Message::Synced(Synced::Log { partition, upto, life }));
    }

    /// `kafka-log-flusher`.
    pub(super) fn flush_by_age(&mut self, ctx: &mut Context<'_, Message>) {
        let (config, now) = (self.config.clone(), ctx.now());
        let settings = &config.settings;
        ctx.after(settings.flush_check, Lane::MAIN, Message::Timer(Timer::LogFlusher));
        for partition in config.all_partitions() {
            let due = self.replica(partition).is_some_and(|replica| {
                replica.storage.unflushed > 0
                    && now.since(replica.storage.last_flush) >= settings.flush_age
            });
            if due {
                self.flush(partition, ctx);
            }
        }
    }

    pub(super) fn synced(&mut self, synced: Synced, ctx: &mut Context<'_, Message>) {
        match synced {
            Synced::Log { partition, upto, life } => {
                if let Some(replica) = self.replica_mut(partition)
                    && replica.storage.life == life
                {
                    let storage = &mut replica.storage;
                    storage.flushed = storage.flushed.max(upto);
                    if storage.held.is_some() {
                        // What came after the last flush was asked for waits for none.
                        storage.held = (upto < storage.flushing).then_some(upto);
                        self.append_ended(partition, ctx);
                    }
                }
            }
            Synced::Scanned => self.logs_loaded(ctx),
            Synced::Stopping => self.flushed_for_stop(ctx),
        }
    }

    /// The disk has what an append waited for: the write may be answered, the next fetch sent.
    fn append_ended(&mut self, partition: PartitionId, ctx: &mut Context<'_, Message>) {
        if self.leads(partition) {
            self.ends_moved(partition, ctx);
        } else {
            self.fetch_on(partition, ctx);
        }
    }

    /// `highwatermark-checkpoint`: the file is written anew and fsynced.
    pub(super) fn checkpoint_high_watermarks(&mut self, ctx: &mut Context<'_, Message>) {
        let wait = self.config.settings.checkpoint;
        ctx.after(wait, Lane::MAIN, Message::Timer(Timer::HighWatermarkCheckpoint));
        for replica in self.replicas.iter_mut().flatten() {
            replica.storage.checkpointed = replica.high_watermark;
        }
    }

    /// `kafka-recovery-point-checkpoint`.
    pub(super) fn checkpoint_recovery_points(&mut self, ctx: &mut Context<'_, Message>) {
        let wait = self.config.settings.recovery_checkpoint;
        ctx.after(wait, Lane::MAIN, Message::Timer(Timer::RecoveryPointCheckpoint));
        for replica in self.replicas.iter_mut().flatten() {
            replica.storage.recovery_point = replica.storage.flushed;
        }
    }

    /// The logs are loaded; after an end that was not clean what is behind the recovery points is
    /// checked, batch by batch (LogSegment.scala, `recover`).
    pub(super) fn load_logs(&mut self, ctx: &mut Context<'_, Message>) {
        let mut bytes = 0;
        self.marks.clean_epoch = self.marks.clean.take();
        if self.marks.clean_epoch.is_none() {
            for replica in self.replicas.iter().flatten() {
                let behind = replica.log.read(replica.storage.recovery_point, replica.log.end());
                bytes += behind.map(|piece| piece.bytes).sum::<u64>();
            }
        }
        for replica in self.replicas.iter_mut().flatten() {
            // Partition.scala 0.8.2, getOrCreateReplica: 0 if the checkpoint has no such partition.
            replica.high_watermark = replica.storage.checkpointed.min(replica.log.end());
            replica.producers.expire(ctx.clock(), self.config.settings.producer_expiration());
        }
        if bytes == 0 {
            return self.logs_loaded(ctx);
        }
        let now = ctx.now();
        self.report_event(ctx, now, event::LOG_RECOVERED, None, None, bytes);
        ctx.read(bytes, Message::Synced(Synced::Scanned));
    }

    /// The disk does not take a write: before 1.0 the broker halts, from then on its log directory
    /// is offline (KIP-112).
    pub(super) fn disk_failed(&mut self, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        if !self.config.has(super::super::rules::Rule::SpareOtherLogs) {
            self.status = Status::Off;
            return ctx.exit();
        }
        self.report_event(ctx, now, event::LOG_DIR_OFFLINE, None, None, 0);
        // The only directory: a broker without any stops (LogManager.scala 1.0,
        // handleLogDirFailure: "Shutdown broker because all log dirs have failed").
        self.status = Status::Off;
        ctx.exit();
    }

    /// The process has ended, or its disk has lost something.
    pub fn died(
        &mut self,
        death: Death,
        disk: &DiskView<'_>,
        at: Time,
        observer: &mut dyn Observer,
    ) {
        let (config, me) = (self.config.clone(), self.me);
        for index in 0..self.replicas.len() {
            let Some(replica) = self.replicas[index].as_deref_mut() else { continue };
            if !matches!(replica.role, Role::None) {
                for destination in config.streams.destinations_of(replica.partition) {
                    observer.role(at, me, *destination, None);
                }
            }
            replica.role = Role::None;
            replica.fetches.clear();
            replica.sessions.clear();
            replica.quiet_for = 0;
            replica.state = None;
            replica.offline = false;
            replica.storage.held = None;
            let why = match death {
                Death::Killed | Death::Exited => None,
                Death::PowerLoss => Some((cause::PAGE_CACHE_LOST, because::NOT_FSYNCED)),
                Death::Wiped => Some((cause::DISK_WIPED, BecauseId::NONE)),
            };
            if let Some((cause, because)) = why {
                let kept = disk.kept(replica.log.file());
                let gone = match death {
                    Death::Wiped => lose_all(replica, config.batches_kept()),
                    _ => lose(replica, kept, config.batches_kept()),
                };
                for piece in gone.iter().flat_map(|piece| replica.told_apart(piece)) {
                    // Of what it had alone no other copy was asked for.
                    let because = match replica.had_alone(&piece) {
                        true => because::ISR_SHRUNK_TO_LEADER,
                        false => because,
                    };
                    report_removed(&config, (at, me), &piece, (cause, because), observer);
                }
            }
            self.touch(PartitionId(index as u32));
        }
        if death == Death::Wiped {
            self.marks = Marks::default();
        }
        if let super::Membership::Kraft(member) = &mut self.membership {
            member.died(death, disk);
        }
        self.forget_process();
    }
}

/// Cuts a log to what the disk kept of its file; returns what is gone.
fn lose(replica: &mut Replica, kept: u64, batches_kept: usize) -> Vec<Piece> {
    let to = replica.log.offset_within(kept);
    let mut gone = Vec::new();
    replica.log.truncate(to, |piece| gone.push(piece));
    let end = replica.log.end();
    replica.epochs.truncate(end);
    replica.producers.cut(&replica.log, batches_kept);
    replica.storage.checkpointed = replica.storage.checkpointed.min(end);
    replica.forget_behind_end();
    gone
}

/// A log on a disk that is new; returns what is gone.
fn lose_all(replica: &mut Replica, batches_kept: usize) -> Vec<Piece> {
    let mut gone = Vec::new();
    replica.log.clear(|piece| gone.push(piece));
    gone.reverse();
    let notes = replica.notes;
    replica.storage.checkpointed = 0;
    replica.begins_anew(batches_kept);
    replica.notes = super::Notes { cut: 0, ..notes };
    gone
}
