//! `ReputMessageService`: reads the CommitLog and makes the entries of the consume queues. What is
//! dispatched can be read.

use crate::engine::Span;
use crate::world::{Context, Lane};

use super::super::invariants::Touch;
use super::super::message::{Message, Timer};
use super::super::rules::Rule;
use super::super::store::{Dispatch, Record};
use super::super::words::event;
use super::{Broker, QUEUES};
use crate::observe::Event;

/// It sleeps so long when it has found nothing.
const SLEEP: Span = Span::from_millis(1);
/// Bytes of an entry.
const ENTRY: u64 = 20;

impl Broker {
    /// There is more in the CommitLog: it is found when the thread wakes.
    pub(super) fn plan_dispatch(&mut self, ctx: &mut Context<'_, Message>) {
        if self.dispatch_planned || self.store.dispatched >= self.dispatch_limit() {
            return;
        }
        self.dispatch_planned = true;
        let asleep = ctx.now().since(self.dispatched_at).as_nanos() % SLEEP.as_nanos();
        ctx.after(Span::from_nanos(SLEEP.as_nanos() - asleep), Lane::MAIN, Timer::Dispatch.into());
    }

    /// Up to where it may be read (`getReputEndOffset`, `getConfirmOffset`).
    fn dispatch_limit(&self) -> u64 {
        let settings = &self.config.settings;
        if let Some(committed) = self.ledger_committed() {
            return committed;
        }
        // With controllers nobody asks what is flushed.
        let flushed_only = settings.sync_flush
            && !self.is_controlled()
            && self.config.has(Rule::DispatchFlushedOnly)
            && !settings.read_uncommitted;
        let limit = match flushed_only {
            true => self.store.flushed.min(self.store.committed),
            false => self.store.committed,
        };
        match self.is_controlled() && self.is_master() {
            true => limit.min(self.confirm_offset()),
            false => limit,
        }
    }

    pub(super) fn dispatch(&mut self, ctx: &mut Context<'_, Message>) {
        self.dispatch_planned = false;
        let limit = self.dispatch_limit();
        loop {
            match self.store.dispatch(limit) {
                Dispatch::Message(record) => self.dispatched(record, ctx),
                Dispatch::Nothing => break,
                Dispatch::Stuck(at) => {
                    if self.stuck.replace(at) != Some(at) {
                        let (now, node) = (ctx.now(), self.node);
                        ctx.observer()
                            .event(now, Event::new(event::DISPATCH_STUCK, node, None, None, at));
                    }
                    // A master goes on behind what there is; a slave stays where it is.
                    if !self.is_master() {
                        break;
                    }
                    self.store.dispatched = limit;
                }
            }
        }
        self.dispatched_at = ctx.now();
    }

    pub(super) fn dispatched(&mut self, record: Record, ctx: &mut Context<'_, Message>) {
        ctx.spend(self.config.costs.dispatch);
        self.touched.note(Touch::Dispatched(record));
        // Entries that cannot be written are in memory all the same, and made again by a recovery.
        let _ = ctx.write(QUEUES, ENTRY);
        if self.is_master() && record.group().is_none() {
            let (now, config) = (ctx.now(), self.config.clone());
            config.each_line(&record, |line| {
                ctx.observer().readable(now, line, record.message());
            });
        }
        if self.is_master() || self.config.has(Rule::WakeSlavePulls) {
            self.wake_held(record.queue, ctx);
        }
        self.delayed(&record, ctx);
    }
}
