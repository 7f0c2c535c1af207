//! Segments of the CommitLog that are deleted (`DefaultMessageStore.CleanCommitLogService`): nobody asks whether
//! their messages were consumed.

use crate::engine::Span;
use crate::observe::{BecauseId, Event, Removal};
use crate::world::{Context, Lane};

use super::super::message::{Message, Timer};
use super::super::rules::Rule;
use super::super::words::{cause, event};
use super::{Broker, COMMIT_LOG};

/// `cleanResourceInterval`.
const INTERVAL: Span = Span::from_secs(10);
/// After a start it looks for the first time so much later (`addScheduleTask`).
const FIRST: Span = Span::from_secs(60);
/// `deleteFileBatchMax`.
const BATCH: usize = 10;
/// `deleteWhen`.
const HOUR: u64 = 4;

impl Broker {
    pub(super) fn start_cleaning(&mut self, ctx: &mut Context<'_, Message>) {
        let first = if ctx.incarnation() == 0 { ctx.first_round(INTERVAL) } else { FIRST };
        ctx.after(first, Lane::MAIN, Timer::Clean.into());
    }

    /// How much of its disk is used, in percent.
    fn disk_used(&self, ctx: &Context<'_, Message>) -> u64 {
        let all = u128::from(self.config.disks[self.node.index()].max(1));
        let used = all.saturating_sub(u128::from(ctx.disk_free()));
        (used * 100 / all) as u64
    }

    /// `deleteExpiredFiles`.
    pub(super) fn clean(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(INTERVAL, Lane::MAIN, Timer::Clean.into());
        let (used, settings) = (self.disk_used(ctx), &self.config.settings);
        let full = used > settings.warning_level;
        let forcibly =
            (full || used > settings.clean_forcibly) && self.config.has(Rule::CleanForcibly);
        let clock = ctx.clock();
        let is_time = clock.as_nanos() / 3_600_000_000_000 % 24 == HOUR;
        let cleans = is_time || used > settings.most_used || forcibly;
        let (now, node) = (ctx.now(), self.node);
        if full != std::mem::replace(&mut self.disk_full, full) {
            let word = if full { event::DISK_FULL } else { event::DISK_OK };
            ctx.observer().event(now, Event::new(word, node, None, None, used));
        }
        if !cleans || self.ledger.is_some() {
            return;
        }
        let reserved = Span::from_secs(3_600 * settings.reserved);
        let start = self.store.log.start();
        for _ in 0..BATCH {
            let Some((end, last)) = self.store.log.first_segment() else { break };
            let expired = clock.since(last) >= reserved;
            if !expired && !forcibly {
                break;
            }
            let cause = if expired { cause::RETENTION } else { cause::CLEANED_FORCIBLY };
            let (why, config) = (Removal::new(cause, BecauseId::NONE), self.config.clone());
            self.store.delete_before(end, |record| {
                config.removed((now, node, false), &record, why, ctx.observer());
            });
        }
        let bytes = self.store.log.start() - start;
        if bytes > 0 {
            ctx.release(COMMIT_LOG, bytes);
            ctx.observer().event(now, Event::new(event::SEGMENTS_DELETED, node, None, None, bytes));
        }
    }
}
