//! Start, recovery, stop and death (`DefaultMessageStore.load`, `recover`; `BrokerController.start`,
//! `shutdown`).

use crate::engine::{Span, Time};
use crate::observe::{CauseId, Event, Observer, Removal};
use crate::world::{Context, Death, DiskView, Lane};

use super::super::config::{BROKER, HA};
use super::super::invariants::Touch;
use super::super::message::{Message, NO_OFFSET, Timer};
use super::super::rules::Rule;
use super::super::store::Record;
use super::super::words::{because, cause, event, role};
use super::leading::Leading;
use super::{Broker, COMMIT_LOG, DELAYS, Lanes, NO_LANES, OFFSETS, Phase};

impl Broker {
    /// At time zero it has run for a while.
    pub(super) fn boot(&mut self, incarnation: u32, ctx: &mut Context<'_, Message>) {
        self.phase = Phase::Loading;
        if incarnation == 0 {
            return self.load(ctx);
        }
        let takes = self.config.settings.boot_time.span(ctx.random());
        ctx.after(takes, Lane::MAIN, Timer::Load.into());
    }

    /// A file `abort` is there unless the last process ended in order: then the CommitLog is scanned
    /// from the segment on that may not be whole.
    pub(super) fn load(&mut self, ctx: &mut Context<'_, Message>) {
        let clean = std::mem::take(&mut self.clean);
        let from = self.store.log.recovered_from(self.store.flushed);
        let bytes = self.store.log.end() - from;
        if clean || bytes == 0 || self.ledger.is_some() {
            return self.scanned(ctx);
        }
        ctx.spend(self.config.costs.scan.time(u32::try_from(bytes).unwrap_or(u32::MAX)));
        ctx.read(bytes, Timer::Scanned.into());
    }

    /// `recoverAbnormally`: stops at the first record that is not whole.
    pub(super) fn scanned(&mut self, ctx: &mut Context<'_, Message>) {
        let from = self.store.log.recovered_from(self.store.flushed);
        let (end, valid) = (self.store.log.end(), self.store.log.valid_end(from));
        if self.config.has(Rule::RecoveryTruncates) && valid < end {
            let (now, config, node) = (ctx.now(), self.config.clone(), self.node);
            let master = self.is_master();
            self.store.cut(valid, |record| {
                let why = Removal::new(cause::BEYOND_BAD_RECORD, because::NOT_FLUSHED);
                config.removed((now, node, master), &record, why, ctx.observer());
            });
            ctx.truncate(COMMIT_LOG, valid - self.store.log.base());
            self.replicas.cut(valid);
            self.touched.note(Touch::Cut(valid));
        }
        if ctx.incarnation() > 0 {
            let now = ctx.now();
            let cut = end - self.store.log.end();
            ctx.observer().event(now, Event::new(event::RECOVERED, self.node, None, None, cut));
        }
        self.touched.note(Touch::Recovered);
        match self.ledger {
            Some(_) => self.recover_ledger(),
            None => self.store.recover(),
        }
        if let Some(offsets) = self.offset_file.content() {
            self.offsets.clone_from(offsets);
        }
        self.load_delays();
        self.serve(ctx);
    }

    fn serve(&mut self, ctx: &mut Context<'_, Message>) {
        self.phase = Phase::Serving;
        self.lanes = Lanes { put: ctx.spawn(), flush: ctx.spawn(), ha: ctx.spawn() };
        self.dispatched_at = ctx.now();
        ctx.listen(BROKER);
        self.start_replicas(ctx);
        self.start_ledger(ctx);
        if self.is_master() && self.ledger.is_none() {
            ctx.listen(HA);
        }
        self.start_flusher(ctx);
        self.start_ha(ctx);
        self.start_registering(ctx);
        self.start_serving_clients(ctx);
        self.start_schedule(ctx);
        self.start_cleaning(ctx);
        let now = ctx.now();
        let own = if self.is_master() { role::MASTER } else { role::DISCONNECTED };
        self.tell_role(now, Some(own), ctx.observer());
        ctx.ready();
        self.plan_dispatch(ctx);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.phase == Phase::Stopping
    }

    /// SIGTERM: it takes itself out of the routes, writes its offsets, flushes, and deletes `abort`.
    pub(super) fn stop(&mut self, ctx: &mut Context<'_, Message>) {
        match self.phase {
            Phase::Down | Phase::Loading => return ctx.exit(),
            Phase::Stopping => return,
            Phase::Serving => {}
        }
        self.unregister(ctx);
        ctx.unlisten(BROKER);
        ctx.unlisten(HA);
        self.persist_offsets(ctx);
        self.persist_delays(ctx);
        self.phase = Phase::Stopping;
        let bytes = self.store.log.end() - self.store.committed;
        if bytes == 0 || ctx.write(COMMIT_LOG, bytes).is_ok() {
            self.store.committed = self.store.log.end();
        }
        ctx.fsync(self.log_file(), Timer::Flushed(self.store.committed).into());
    }

    pub(super) fn stopped(&mut self, ctx: &mut Context<'_, Message>) {
        if self.store.flushed == self.store.log.end() {
            self.clean = true;
            ctx.exit();
        } else {
            // An fsync that was under way did not cover all of it.
            ctx.fsync(self.log_file(), Timer::Flushed(self.store.committed).into());
        }
    }

    /// The process is gone, or more of its host is.
    pub fn died(
        &mut self,
        death: Death,
        disk: &DiskView<'_>,
        at: Time,
        observer: &mut dyn Observer,
    ) {
        let (config, node, master) = (self.config.clone(), self.node, self.is_master());
        let mut gone = |why: CauseId, record: Record| {
            let because = match why {
                cause::DISK_WIPED => because::NOT_REPLICATED,
                _ => because::NOT_FLUSHED,
            };
            config.removed((at, node, master), &record, Removal::new(why, because), observer);
        };
        let buffered = self.store.committed;
        self.store.cut(buffered, |record| gone(cause::WRITE_BUFFER_LOST, record));
        match death {
            Death::Wiped => {
                self.store.clear(|record| gone(cause::DISK_WIPED, record));
                self.offset_file.clear();
                self.schedule.file.clear();
                self.replicas.clear();
                self.clean = false;
            }
            Death::PowerLoss => {
                if self.ledger.is_none() {
                    let kept = self.store.log.base() + disk.kept(COMMIT_LOG);
                    self.clean &= kept >= self.store.log.end();
                    self.store.cut(kept, |record| gone(cause::PAGE_CACHE_LOST, record));
                }
                self.offset_file.lose_page_cache(disk.kept(OFFSETS));
                self.schedule.file.lose_page_cache(disk.kept(DELAYS));
            }
            Death::Killed | Death::Exited => {}
        }
        if let Some(ledger) = &mut self.ledger {
            let kept = ledger.died(death, disk);
            self.store.cut(kept, |record| gone(cause::PAGE_CACHE_LOST, record));
        }
        if matches!(death, Death::PowerLoss | Death::Wiped) {
            self.touched.note(Touch::Cut(self.store.log.end()));
        }
        self.replicas_died(observer, at);
        self.leading = Leading::new();
        self.forget();
    }

    /// What is in memory is gone.
    fn forget(&mut self) {
        self.phase = Phase::Down;
        self.lanes = NO_LANES;
        for of_group in &mut self.offsets {
            of_group.iter_mut().for_each(|offset| *offset = NO_OFFSET);
        }
        self.offsets_changed = false;
        self.puts.forget();
        self.flusher.forget();
        self.links.forget();
        self.upstream.forget();
        self.clients.forget();
        self.locks.clear();
        self.schedule.forget();
        self.held.forget();
        self.remoting.died();
        self.disk_full = false;
        self.dispatch_planned = false;
        self.stuck = None;
        self.registered = 0;
    }

    /// How long after another something that begins with a process happens for the first time.
    pub(super) fn first(&self, wait: Span, ctx: &mut Context<'_, Message>) -> Span {
        if ctx.incarnation() == 0 { ctx.first_round(wait) } else { wait }
    }
}
