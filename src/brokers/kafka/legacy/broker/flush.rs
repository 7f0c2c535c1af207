//! Flushing, and the lock that it holds (`log/Log.scala`, `log/LogManager.scala` 0.7).
//!
//! A log's lock is held by who appends to it or flushes it. Appends take no time of their own, so
//! it matters only while an fsync is under way: everybody else who wants to append to that log, or
//! to flush it, waits.

use crate::world::{Context, Lane};

use super::super::invariants::Touch;
use super::super::message::Message;
use super::super::rules::Rule;
use super::super::words::{because, cause};
use super::{Broker, Phase};
use crate::observe::Removal;

impl Broker {
    /// Whether this lane may have a log's lock; if not, it is suspended until it is nudged.
    pub(super) fn lock_is_free(&mut self, index: usize, ctx: &mut Context<'_, Message>) -> bool {
        let log = &mut self.logs[index];
        if log.locked.is_none() {
            return true;
        }
        log.waiters.push(ctx.lane());
        ctx.suspend();
        false
    }

    /// Flushes a log whose lock this lane has, and keeps it meanwhile.
    pub(super) fn flush(&mut self, index: usize, ctx: &mut Context<'_, Message>) {
        let log = &mut self.logs[index];
        log.locked = Some((ctx.lane(), log.log.end()));
        ctx.fsync_blocking(log.log.file(), Message::Flushed(index as u32));
    }

    /// An fsync that this lane waited for is through.
    pub(super) fn flush_done(&mut self, index: u32, ctx: &mut Context<'_, Message>) {
        let index = index as usize;
        let Some((lane, upto)) = self.logs[index].locked.take() else { return };
        debug_assert_eq!(lane, ctx.lane(), "who waits for an fsync has the lock");
        self.mark_flushed(index, upto, ctx);
        let now = ctx.now();
        let settings = &self.config.settings;
        if self.logs[index].wants_roll(settings.file_size, settings.roll, now) {
            self.logs[index].roll(now);
        }
        for waiter in std::mem::take(&mut self.logs[index].waiters) {
            ctx.resume(waiter);
            ctx.tell(waiter, Message::Nudge);
        }
        self.nudged(ctx);
    }

    pub(super) fn mark_flushed(&mut self, index: usize, upto: u64, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        self.touched.note(Touch::Flushed(self.logs[index].partition, upto));
        for piece in self.logs[index].mark_flushed(upto, ctx.clock()) {
            self.config.each_line(piece.messages, |line| {
                ctx.observer().readable(now, line, piece.messages);
            });
        }
    }

    /// Goes on with what this lane waited for.
    pub(super) fn nudged(&mut self, ctx: &mut Context<'_, Message>) {
        let lane = ctx.lane();
        if let Some(processor) = self.processor(lane) {
            self.work(processor, ctx);
        } else if lane == self.flusher || self.phase == Phase::Stopping {
            self.flush_next(ctx);
        }
    }

    /// `flushAllLogs`, at a fixed rate.
    pub(super) fn flusher_tick(&mut self, ctx: &mut Context<'_, Message>) {
        if self.phase != Phase::Serving {
            return;
        }
        self.to_flush = (0..self.logs.len() as u32).collect();
        self.flush_next(ctx);
    }

    /// The next log that the flusher, or a stop, has to flush.
    pub(super) fn flush_next(&mut self, ctx: &mut Context<'_, Message>) {
        while let Some(index) = self.to_flush.front().copied() {
            let index = index as usize;
            if self.is_due(index, ctx.clock()) {
                if !self.lock_is_free(index, ctx) {
                    return;
                }
                if self.logs[index].unflushed > 0 {
                    self.to_flush.pop_front();
                    return self.flush(index, ctx);
                }
            }
            self.to_flush.pop_front();
        }
        match self.phase {
            Phase::Stopping => self.logs_closed(ctx),
            Phase::Serving if ctx.lane() == self.flusher => self.plan_tick(ctx),
            _ => {}
        }
    }

    fn is_due(&self, index: usize, now: crate::engine::Time) -> bool {
        let log = &self.logs[index];
        if self.phase == Phase::Stopping {
            return log.unflushed > 0 || log.locked.is_some();
        }
        let interval = self.config.topic(log.partition).flush_interval;
        self.config.settings.rules.has(Rule::FlushByTime)
            && log.unflushed > 0
            && now.since(log.last_flush) >= interval
    }

    pub(super) fn plan_tick(&mut self, ctx: &mut Context<'_, Message>) {
        self.next_tick += self.config.settings.flush_scheduler;
        let delay = self.next_tick.since(ctx.monotonic());
        let lane: Lane = self.flusher;
        ctx.after(delay, lane, Message::FlusherTick);
    }

    /// Deletes old segments (`cleanupLogs`).
    pub(super) fn clean_logs(&mut self, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), self.node);
        let config = self.config.clone();
        for log in &mut self.logs {
            let mut count = log.expired(config.topic(log.partition).retention, now);
            if let Some(size) = config.settings.retention_size {
                count = count.max(log.beyond(size));
            }
            // An open segment with unflushed messages is flushed before it is replaced.
            if count == log.segments.len() && (log.unflushed > 0 || log.locked.is_some()) {
                count -= 1;
            }
            let file = log.log.file();
            let bytes = log.delete_segments(count, now, |piece| {
                let removal = Removal::new(cause::RETENTION, because::NONE);
                config.removed((now, node), piece, removal, ctx.observer());
            });
            ctx.release(file, bytes);
        }
        let life = self.life;
        ctx.after(self.config.settings.cleanup_interval, Lane::MAIN, Message::CleanerTick(life));
    }
}
