//! Start, recovery, stop and death.

use std::collections::BTreeSet;

use crate::engine::{Span, Time};
use crate::observe::{Observer, Removal};
use crate::world::{Context, Death, DiskView, Lane};

use super::super::config::{OPENWIRE, SyncStrategy};
use super::super::invariants::Touch;
use super::super::message::{Message, QueueId, Timer};
use super::super::rules::Rule;
use super::super::store::Place;
use super::super::words::{because, cause, event, role};
use super::{Broker, Entry, Lanes, Phase, Stage, journal_file};

impl Broker {
    /// At time zero it has run for a while.
    pub(super) fn boot(&mut self, incarnation: u32, ctx: &mut Context<'_, Message>) {
        self.phase = Phase::Loading;
        if incarnation == 0 {
            // The first broker has the lock, the others have tried before.
            if self.remote.is_some() && self.node.0 > 0 {
                let phase = ctx.first_round(self.config.settings.lock_poll);
                ctx.after(phase.max(Span::from_secs(1)), Lane::MAIN, Timer::Mount.into());
                return ctx.ready();
            }
            return self.load(ctx);
        }
        let takes = self.config.settings.boot_time.span(ctx.random());
        ctx.after(takes, Lane::MAIN, Timer::Load.into());
    }

    /// `MessageDatabase.recover`: reads the journal behind the last location that is indexed.
    pub(super) fn load(&mut self, ctx: &mut Context<'_, Message>) {
        if self.remote.is_some() {
            ctx.ready();
            return self.mount(ctx);
        }
        let bytes = std::mem::take(&mut self.since_checkpoint);
        if std::mem::take(&mut self.clean) || bytes == 0 {
            return self.scanned(ctx);
        }
        ctx.spend(self.config.costs.scan.time(u32::try_from(bytes).unwrap_or(u32::MAX)));
        ctx.read(bytes, Timer::Scanned.into());
    }

    pub(super) fn scanned(&mut self, ctx: &mut Context<'_, Message>) {
        let rolled_back = self.journal.recover();
        let own = self.journal.files().filter(|_| self.remote.is_none());
        for (file, length) in own.collect::<Vec<_>>() {
            ctx.truncate(journal_file(file), length);
        }
        let now = ctx.now();
        let known = std::mem::take(&mut self.on_disk);
        let messages = self.journal.messages();
        for (queue, message) in &messages {
            if !known.contains(&(*queue, message.id())) {
                self.tell_stored(now, *queue, *message, ctx.observer());
            }
            let serial = self.serial;
            self.serial += 1;
            let of = &mut self.queues[queue.index()];
            of.ids.insert(message.id());
            of.memory += u64::from(message.bytes());
            let entry = self.entries.insert(Entry {
                message: *message,
                queue: *queue,
                serial,
                stage: Stage::Stored,
                awaited: true,
                reply: None,
                redeliveries: 0,
                acked: false,
            });
            self.offer(entry, ctx);
        }
        if ctx.incarnation() > 0 || ctx.now() > Time::ZERO {
            self.tell(event::RECOVERED, None, (None, messages.len() as u64), ctx);
            if rolled_back > 0 {
                self.tell(event::ROLLED_BACK, None, (None, rolled_back), ctx);
            }
        }
        self.serve(ctx);
    }

    fn serve(&mut self, ctx: &mut Context<'_, Message>) {
        self.phase = Phase::Serving;
        self.lanes = Lanes { store: ctx.spawn(), writer: ctx.spawn() };
        ctx.listen(OPENWIRE);
        let settings = self.config.settings.clone();
        let mut every = |period: Span, timer: Timer| {
            let first = ctx.first_round(period);
            ctx.after(first, Lane::MAIN, timer.into());
        };
        every(settings.checkpoint_interval, Timer::Checkpoint);
        every(settings.cleanup_interval, Timer::Cleanup);
        if settings.strategy == SyncStrategy::Periodic {
            every(settings.sync_interval, Timer::PeriodicSync);
        }
        self.start_lock_timers(ctx);
        self.tell_role(ctx.now(), true, ctx);
        ctx.ready();
    }

    fn queues(&self) -> impl Iterator<Item = QueueId> + use<> {
        (0..self.config.queues.len() as u32).map(crate::observe::DestinationId)
    }

    fn tell_role(&self, at: Time, master: bool, ctx: &mut Context<'_, Message>) {
        self.role_is(at, master, ctx.observer());
    }

    fn role_is(&self, at: Time, master: bool, observer: &mut dyn Observer) {
        for queue in self.queues() {
            observer.role(at, self.node, queue, master.then_some(role::MASTER));
        }
    }

    /// SIGTERM: connections are closed, what waits for the journal is written.
    pub(super) fn stop(&mut self, ctx: &mut Context<'_, Message>) {
        match self.phase {
            Phase::Down | Phase::Loading => return ctx.exit(),
            Phase::Stopping => return,
            Phase::Serving => {}
        }
        ctx.unlisten(OPENWIRE);
        self.phase = Phase::Stopping;
        let connections: Vec<_> = self.connections.keys().copied().collect();
        for conn in connections {
            ctx.close(conn);
            self.closed(conn, ctx);
        }
        self.stop_if_done(ctx);
    }

    /// Nothing waits for the journal any more.
    pub(super) fn stop_if_done(&mut self, ctx: &mut Context<'_, Message>) {
        if self.phase == Phase::Stopping && !self.writer.is_busy() && !self.executor.is_busy() {
            self.clean = true;
            ctx.exit();
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
        self.give_up_entries(death == Death::Wiped, at, observer);
        if let Some(remote) = &mut self.remote {
            remote.forget();
            self.journal.clear();
            if self.phase == Phase::Serving || self.phase == Phase::Stopping {
                self.role_is(at, false, observer);
            }
            return self.forget();
        }
        let truncates = !self.config.has(Rule::SkipDamagedBatches);
        let before = self.journal.clone();
        match death {
            Death::Wiped => {
                self.journal.clear();
                self.clean = false;
            }
            Death::PowerLoss => {
                let lengths: Vec<(u32, u64)> = self.journal.files().collect();
                self.journal.lose(|file| disk.kept(journal_file(file)), truncates);
                self.clean &= self.journal.files().eq(lengths);
                self.touched.note(Touch::Lost);
            }
            Death::Killed | Death::Exited => {}
        }
        if matches!(death, Death::PowerLoss | Death::Wiped) {
            self.journal.recover();
            self.tell_lost(&before, death, disk, (at, observer));
        }
        if self.phase == Phase::Serving || self.phase == Phase::Stopping {
            self.role_is(at, false, observer);
        }
        self.forget();
    }

    /// What was in memory: what the journal has is still there, for the observer as well.
    fn give_up_entries(&mut self, wiped: bool, at: Time, observer: &mut dyn Observer) {
        let committing = self.commits.iter().flat_map(|(_, commit)| commit.acked().to_vec());
        let committing: BTreeSet<u32> = committing.collect();
        let entries: Vec<_> = self.entries.iter().map(|(key, entry)| (key, *entry)).collect();
        for (key, entry) in entries {
            let Entry { message, queue, awaited, acked, .. } = entry;
            let place: Place = (queue, message.id());
            if acked {
                continue;
            }
            if message.persistent && self.remote.is_none() && self.journal.has(place) {
                self.on_disk.insert(place);
                continue;
            }
            let cause = match (wiped, message.persistent) {
                // The commit of its consumer is in the journal, and was not answered yet.
                (false, true) if entry.stage == Stage::Stored && committing.contains(&key) => {
                    cause::CONSUMED
                }
                // If the storage still has it nothing is lost, and this says nothing.
                (_, true) if self.remote.is_some() && entry.stage == Stage::Stored => {
                    cause::LOST_BY_STORAGE
                }
                (true, true) => cause::DISK_WIPED,
                (_, true) => cause::NOT_WRITTEN,
                (_, false) => cause::HEAP_LOST,
            };
            let because = match cause {
                cause::LOST_BY_STORAGE => because::NONE,
                _ => self.because(awaited),
            };
            let why = Removal::new(cause, because);
            observer.removed(at, self.node, message.origin, message.range, why);
        }
    }

    fn because(&self, awaited: bool) -> crate::observe::BecauseId {
        if !awaited {
            because::NOT_AWAITED
        } else if self.awaits_syncs() {
            because::NOT_REPLAYED
        } else {
            because::NOT_SYNCED
        }
    }

    /// What the disk has lost of what the observer believes to be there.
    fn tell_lost(
        &mut self,
        before: &super::super::store::Journal,
        death: Death,
        disk: &DiskView<'_>,
        (at, observer): (Time, &mut dyn Observer),
    ) {
        let journal = &self.journal;
        let gone: Vec<Place> =
            self.on_disk.iter().filter(|place| !journal.has(**place)).copied().collect();
        if gone.is_empty() {
            return;
        }
        for (file, record) in before.records() {
            let place = (record.queue, record.message.id());
            if record.op != super::super::store::Op::Add || gone.binary_search(&place).is_err() {
                continue;
            }
            let Some(place) = self.on_disk.take(&place) else { continue };
            let whole = record.of == 0 && record.end <= disk.kept(journal_file(file));
            let cause = match death {
                Death::Wiped => cause::DISK_WIPED,
                _ if whole => cause::BEHIND_DAMAGED_BATCH,
                _ => cause::PAGE_CACHE_LOST,
            };
            // What is fsynced before it is answered is lost only if nobody waited for it.
            let because = match death {
                Death::Wiped => because::NONE,
                _ if self.awaits_syncs() && record.of > 0 => because::FILE_LEFT_UNSYNCED,
                _ if self.awaits_syncs() => because::NOT_AWAITED,
                _ => because::NOT_SYNCED,
            };
            let message = record.message;
            debug_assert_eq!(place.1, message.id());
            let why = Removal::new(cause, because);
            observer.removed(at, self.node, message.origin, message.range, why);
        }
    }

    /// What is in memory is gone.
    fn forget(&mut self) {
        self.phase = Phase::Down;
        self.lanes = Lanes { store: Lane::MAIN, writer: Lane::MAIN };
        self.entries = crate::engine::Slab::new();
        self.queues.iter_mut().for_each(super::queue::Queue::forget);
        self.connections.clear();
        self.executor.forget();
        self.writer.forget();
        self.commits = crate::engine::Slab::new();
        self.parked.clear();
        self.warned = None;
        self.dirty = true;
        self.touched.note(Touch::Died);
    }
}
