//! Segments that are deleted because they are too old, or their log too large (LogManager.scala,
//! `cleanupLogs`; UnifiedLog.java, `deleteOldSegments`), and logs that begin where their leader's does (KIP-107).
//!
//! Every replica deletes by its own clock and its own segments. A follower also gives up what is before its
//! leader's log start, at once and to the message, where Kafka keeps the rest of that segment unread.

use crate::brokers::kafka::PartitionId;
use crate::engine::Time;
use crate::observe::BecauseId;
use crate::world::{Context, Lane};

use super::super::message::{Message, Timer};
use super::super::rules::Rule;
use super::super::settings::Timestamps;
use super::super::words::{because, cause, event};
use super::segments::Extent;
use super::{Broker, Replica, report_removed};

impl Broker {
    /// `kafka-log-retention`.
    pub(super) fn delete_old_segments(&mut self, ctx: &mut Context<'_, Message>) {
        let (config, clock) = (self.config.clone(), ctx.clock());
        ctx.after(config.settings.retention_check, Lane::MAIN, Message::Timer(Timer::LogRetention));
        let stamped = config.has(Rule::RetainByTimestamp);
        for partition in config.all_partitions() {
            let Some(kept) = config.topic(partition).retention else { continue };
            let by_size = |replica: &Replica| {
                kept.bytes.and_then(|bytes| replica.segments.beyond(bytes, extent(replica)))
            };
            let large = self.replica(partition).and_then(by_size);
            self.begin_at(partition, large, because::RETENTION_BYTES, ctx);
            let by_age = |replica: &Replica| {
                kept.age
                    .and_then(|age| replica.segments.older(age, clock, stamped, extent(replica)))
            };
            let old = self.replica(partition).and_then(by_age);
            self.begin_at(partition, old, because::RETENTION_MS, ctx);
        }
    }

    /// A leader's log begins here: so does a follower's, as far as that is committed (KIP-107;
    /// ReplicaFetcherThread.scala 0.11, `processPartitionData`).
    pub(super) fn follow_log_start(
        &mut self,
        partition: PartitionId,
        leader: u64,
        ctx: &mut Context<'_, Message>,
    ) {
        if self.config.has(Rule::FollowLogStart)
            && let Some(replica) = self.replica(partition).filter(|r| r.log.start() < leader)
        {
            let to = leader.min(replica.high_watermark);
            self.begin_at(partition, Some(to), because::LEADER_DELETED, ctx);
        }
    }

    /// A batch is about to be appended by its leader, which was made at `made` by its producer's clock.
    pub(super) fn stamped(
        &mut self,
        partition: PartitionId,
        made: Time,
        ctx: &mut Context<'_, Message>,
    ) {
        let (config, clock) = (self.config.clone(), ctx.clock());
        let stamp = match config.settings.timestamp_type {
            Timestamps::Create => made,
            Timestamps::Append => clock,
        };
        let Some(replica) = self.replica_mut(partition) else { return };
        let (end, length) = (replica.log.end(), replica.log.length());
        let rolls = replica.segments.is_old(stamp, config.settings.roll_age);
        if rolls {
            replica.segments.roll(end, length, clock);
        }
        replica.segments.appended(end, stamp, clock);
        if rolls {
            self.flush(partition, ctx);
        }
    }

    /// A follower has appended what its leader has, which these times are of.
    pub(super) fn copied(
        &mut self,
        partition: PartitionId,
        times: &[(u64, Time)],
        ctx: &mut Context<'_, Message>,
    ) {
        let clock = ctx.clock();
        if let Some(replica) = self.replica_mut(partition) {
            replica.segments.copied(times, clock);
        }
    }

    /// A log begins at an offset from now on.
    fn begin_at(
        &mut self,
        partition: PartitionId,
        start: Option<u64>,
        because: BecauseId,
        ctx: &mut Context<'_, Message>,
    ) {
        let (config, now, clock, me) = (self.config.clone(), ctx.now(), ctx.clock(), self.me);
        self.asks_otherwise(partition);
        let Some(replica) = self.replica_mut(partition) else { return };
        let Some(start) = start.filter(|start| *start > replica.log.start()) else { return };
        let (before, length) = (replica.log.position(replica.log.start()), replica.log.length());
        if start == replica.log.end() && replica.segments.size(length) > 0 {
            // UnifiedLog.java, `deleteSegments`: "we must always have at least one segment".
            replica.segments.roll(start, length, clock);
        }
        let mut gone = Vec::new();
        replica.log.release(start, |piece| gone.push(piece));
        replica.segments.release(start);
        replica.epochs.release(start);
        let bytes = replica.log.position(start) - before;
        ctx.release(replica.log.file(), bytes);
        for piece in &gone {
            report_removed(&config, (now, me), piece, (cause::RETENTION, because), ctx.observer());
        }
        self.report_event(ctx, now, event::SEGMENTS_DELETED, Some(partition), None, start);
        self.touch(partition);
    }

    /// Nothing of what this replica has is in its leader's log any more: it begins anew there
    /// (UnifiedLog.java, `truncateFullyAndStartAt`).
    pub(super) fn begin_anew(
        &mut self,
        partition: PartitionId,
        start: u64,
        ctx: &mut Context<'_, Message>,
    ) {
        let (config, now, me) = (self.config.clone(), ctx.now(), self.me);
        self.asks_otherwise(partition);
        let Some(replica) = self.replica_mut(partition) else { return };
        let mut gone = Vec::new();
        replica.log.restart(start, |piece| gone.push(piece));
        replica.begins_anew(config.batches_kept());
        ctx.truncate(replica.log.file(), 0);
        let because = because::LEADER_DELETED;
        for piece in &gone {
            report_removed(&config, (now, me), piece, (cause::RETENTION, because), ctx.observer());
        }
        self.report_event(ctx, now, event::SEGMENTS_DELETED, Some(partition), None, start);
        self.touch(partition);
    }

    /// Where the log of a replica begins, and when its broker takes what it has from.
    #[must_use]
    pub fn log_start(&self, partition: PartitionId) -> Option<u64> {
        self.replica(partition).map(|replica| replica.log.start())
    }

    /// The first offset of what is not older than `time`, if that may be read.
    pub(super) fn offset_since(&self, replica: &Replica, time: Time, upto: u64) -> u64 {
        let found = replica.segments.since(time).unwrap_or(upto);
        found.max(replica.log.start()).min(upto)
    }
}

fn extent(replica: &Replica) -> Extent {
    let log = &replica.log;
    Extent { end: log.end(), length: log.length(), upto: replica.high_watermark }
}
