//! Flushing (`store/CommitLog.java`): `FlushRealTimeService` with ASYNC_FLUSH, `GroupCommitService` with
//! SYNC_FLUSH, `CommitRealTimeService` with a write buffer.

use crate::engine::{Span, Time};
use crate::world::{Alarm, By, Context};

use super::super::invariants::Touch;
use super::super::message::{Message, Timer};
use super::super::rules::Rule;
use super::{Broker, COMMIT_LOG};

/// `OS_PAGE_SIZE`.
const PAGE: u64 = 4 << 10;
/// With SYNC_FLUSH what nobody waits for is flushed at the next round (`waitForRunning(10)`).
const ROUND: Span = Span::from_millis(10);
/// After a flush that failed the next one is tried (`doCommit`).
const AGAIN: Span = Span::from_millis(1);

/// The flusher.
#[derive(Clone, Debug)]
pub(super) struct Flusher {
    alarm: Alarm,
    /// Whether an fsync is under way.
    syncing: bool,
    /// `lastFlushTimestamp`, by the wall clock.
    thorough: Option<Time>,
    /// How many pages must be dirty in this round.
    pages: u64,
}

impl Flusher {
    pub(super) const fn new() -> Flusher {
        Flusher { alarm: Alarm::new(By::Monotonic), syncing: false, thorough: None, pages: 0 }
    }

    pub(super) fn forget(&mut self) {
        *self = Flusher::new();
    }
}

impl Broker {
    /// The threads begin.
    pub(super) fn start_flusher(&mut self, ctx: &mut Context<'_, Message>) {
        if self.in_rounds() {
            let first = self.first(self.config.settings.flush_interval, ctx);
            self.flusher.thorough = Some(ctx.clock());
            ctx.after(first, self.lanes.flush, Timer::Flush.into());
        }
        if self.has_pool() {
            ctx.after(self.config.settings.commit_interval, self.lanes.flush, Timer::Commit.into());
        }
    }

    /// `FlushRealTimeService`.
    fn in_rounds(&self) -> bool {
        self.ledger.is_none()
            && !self.config.settings.sync_flush
            && self.config.has(Rule::FlushInRounds)
    }

    /// The top of its loop.
    fn next_round(&mut self, ctx: &mut Context<'_, Message>) {
        let settings = &self.config.settings;
        let now = ctx.clock();
        let thorough = settings.flush_thorough;
        self.flusher.pages = settings.flush_pages;
        if self.flusher.thorough.is_none_or(|last| now >= last + thorough) {
            self.flusher.thorough = Some(now);
            self.flusher.pages = 0;
        }
        let interval = settings.flush_interval;
        ctx.after(interval, self.lanes.flush, Timer::Flush.into());
    }

    /// With SYNC_FLUSH: there is something to flush, at once if a send waits for it, else in the next round.
    pub(super) fn plan_flush(&mut self, waited_for: bool, ctx: &mut Context<'_, Message>) {
        if self.in_rounds() || self.flusher.syncing {
            return;
        }
        let soon = waited_for || !self.config.has(Rule::FlushInRounds);
        let delay = if soon { Span::ZERO } else { ROUND };
        let at = ctx.monotonic() + delay;
        self.flusher.alarm.wake(at, self.lanes.flush, Timer::Flush.into(), ctx);
    }

    /// Whether there is enough to flush (`isAbleToFlush`).
    fn can_flush(&self) -> bool {
        let (flushed, end) = (self.store.flushed, self.store.committed);
        let segment = self.config.settings.segment;
        match self.flusher.pages {
            0 => end > flushed,
            _ if end / segment > flushed / segment => true,
            pages => end / PAGE >= flushed / PAGE + pages,
        }
    }

    pub(super) fn flush_turn(&mut self, ctx: &mut Context<'_, Message>) {
        self.flusher.alarm.rang(ctx);
        if self.flusher.syncing {
            return;
        }
        if self.can_flush() {
            self.flusher.syncing = true;
            let upto = self.store.committed;
            ctx.fsync(self.log_file(), Timer::Flushed(upto).into());
        } else if self.in_rounds() {
            self.next_round(ctx);
        }
    }

    /// An fsync has succeeded.
    pub(super) fn synced(&mut self, upto: u64, ctx: &mut Context<'_, Message>) {
        self.touched.note(Touch::Flushed(upto));
        self.flushed(upto, ctx);
    }

    /// An fsync is through, as the broker believes.
    fn flushed(&mut self, upto: u64, ctx: &mut Context<'_, Message>) {
        self.flusher.syncing = false;
        self.store.flushed = self.store.flushed.max(upto.min(self.store.log.end()));
        if self.is_stopping() {
            return self.stopped(ctx);
        }
        self.look_at_puts(ctx);
        self.plan_dispatch(ctx);
        self.report_flushed(ctx);
        if self.in_rounds() {
            self.next_round(ctx);
        } else if self.store.committed > self.store.flushed {
            self.plan_flush(self.puts.wait_for_a_flush(), ctx);
        }
    }

    /// An fsync has failed. What it was to cover is lost to the disk, whatever the broker believes.
    pub(super) fn flush_failed(&mut self, upto: u64, ctx: &mut Context<'_, Message>) {
        if self.config.has(Rule::ForgetFlushErrors) || self.is_stopping() {
            return self.flushed(upto, ctx);
        }
        self.flusher.syncing = false;
        if self.in_rounds() {
            self.next_round(ctx);
        } else {
            let at = ctx.monotonic() + AGAIN;
            self.flusher.alarm.wake(at, self.lanes.flush, Timer::Flush.into(), ctx);
        }
    }

    /// `CommitRealTimeService`: what is in the write buffer goes to the file; then it can be read.
    pub(super) fn commit_buffer(&mut self, ctx: &mut Context<'_, Message>) {
        let interval = self.config.settings.commit_interval;
        ctx.after(interval, self.lanes.flush, Timer::Commit.into());
        let bytes = self.store.log.end() - self.store.committed;
        if bytes == 0 || ctx.write(COMMIT_LOG, bytes).is_err() {
            return;
        }
        self.store.committed = self.store.log.end();
        self.plan_dispatch(ctx);
        self.plan_push(false, ctx);
    }
}
