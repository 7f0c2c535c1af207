//! Start, loading of the journal, stop and death.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Span, Time};
use crate::observe::{BecauseId, CauseId, Observer};
use crate::world::{Context, Death, DiskView, Lane};

use super::super::config::ARTEMIS;
use super::super::invariants::Touch;
use super::super::message::{CoreMessage, Message, QueueId, Timer};
use super::super::words::{because, cause, event, removal, role};
use super::journal::CLEANUP;
use super::{Broker, Entry, Phase, journal_file};

impl Broker {
    /// At time zero it has run for a while.
    pub(super) fn boot(&mut self, incarnation: u32, ctx: &mut Context<'_, Message>) {
        self.phase = Phase::Starting;
        if incarnation == 0 {
            return self.start(ctx);
        }
        let takes = self.config.settings.boot_time.span(ctx.random());
        ctx.after(takes, Lane::MAIN, Timer::Start.into());
    }

    /// Its process is there.
    pub(super) fn start(&mut self, ctx: &mut Context<'_, Message>) {
        self.load(ctx);
    }

    /// `JournalStorageManager.loadMessageJournal`: reads all files.
    pub(super) fn load(&mut self, ctx: &mut Context<'_, Message>) {
        self.phase = Phase::Loading;
        let bytes = self.journal.bytes();
        if bytes == 0 {
            return self.loaded(ctx);
        }
        ctx.spend(self.config.costs.load.time(u32::try_from(bytes).unwrap_or(u32::MAX)));
        ctx.read(bytes, Timer::Loaded.into());
    }

    /// The journal was read: what it says is in the queues.
    pub(super) fn loaded(&mut self, ctx: &mut Context<'_, Message>) {
        let rolled_back = self.journal.load();
        for (file, length) in self.journal.files().collect::<Vec<_>>() {
            ctx.truncate(journal_file(file), length);
        }
        let now = ctx.now();
        let known = std::mem::take(&mut self.on_disk);
        let messages: Vec<_> = self.journal.messages().map(|(id, held)| (id, *held)).collect();
        for (id, held) in &messages {
            if known.get(id).is_none_or(|known| *known != (held.queue, held.message)) {
                self.tell_stored(now, held.queue, held.message, ctx.observer());
            }
            let entry = self.entries.insert(Entry {
                message: held.message,
                queue: held.queue,
                id: *id,
                count: held.count,
                recorded: held.count,
                awaited: true,
            });
            let of = &mut self.queues[held.queue.index()];
            of.size += u64::from(held.message.bytes());
            of.waits(entry);
        }
        if ctx.incarnation() > 0 || now > Time::ZERO {
            self.tell(event::LOADED, None, (None, messages.len() as u64), ctx);
            if rolled_back > 0 {
                self.tell(event::ROLLED_BACK, None, (None, rolled_back), ctx);
            }
        }
        self.activate(ctx);
    }

    /// Clients can connect.
    fn activate(&mut self, ctx: &mut Context<'_, Message>) {
        self.phase = Phase::Active;
        self.start_journal(ctx);
        ctx.listen(ARTEMIS);
        let ttl_check = self.config.settings.ttl_check;
        for (period, timer) in [(ttl_check, Timer::TtlCheck), (CLEANUP, Timer::Cleanup)] {
            let first: Span = ctx.first_round(period);
            ctx.after(first, Lane::MAIN, timer.into());
        }
        let now = ctx.now();
        self.role_is(now, true, ctx.observer());
        ctx.ready();
    }

    pub(super) fn queue_ids(&self) -> impl Iterator<Item = QueueId> + use<> {
        (0..self.config.queues.len() as u32).map(crate::observe::DestinationId)
    }

    fn role_is(&self, at: Time, active: bool, observer: &mut dyn Observer) {
        for queue in self.queue_ids() {
            observer.role(at, self.node, queue, active.then_some(role::ACTIVE));
        }
    }

    /// SIGTERM: connections are closed, what waits for the journal is written.
    pub(super) fn stop(&mut self, ctx: &mut Context<'_, Message>) {
        match self.phase {
            Phase::Down | Phase::Starting | Phase::Loading => return ctx.exit(),
            Phase::Stopping => return,
            Phase::Active => {}
        }
        ctx.unlisten(ARTEMIS);
        self.close_all(ctx);
        self.phase = Phase::Stopping;
        self.stop_if_done(ctx);
    }

    /// Nothing waits for the journal any more.
    pub(super) fn stop_if_done(&mut self, ctx: &mut Context<'_, Message>) {
        if self.phase == Phase::Stopping && !self.is_storing() {
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
        let mut heap = BTreeSet::new();
        if matches!(self.phase, Phase::Active | Phase::Stopping) {
            self.role_is(at, false, observer);
            // What was only in the buffer of the process.
            let written = self.buffer.written();
            heap.extend(self.journal.since(written).into_iter().map(|(record, _)| record.id));
            self.journal.cut(written);
        }
        match death {
            Death::Wiped => self.journal.clear(),
            Death::PowerLoss => {
                self.journal.lose(|file| disk.kept(journal_file(file)));
                self.touched.note(Touch::Lost);
            }
            Death::Killed | Death::Exited => {}
        }
        self.journal.load();
        for (id, message) in self.uncommitted() {
            if self.journal.get(id).is_none() {
                let why = removal(cause::ROLLED_BACK, because::NOT_RESENT);
                observer.dropped(at, self.node, Some(message.origin), message.range, why);
            }
        }
        self.give_up_entries((death, &heap), at, observer);
        self.forget();
    }

    /// What was in memory: what the journal still has is there, for the observer as well.
    fn give_up_entries(
        &mut self,
        (death, heap): (Death, &BTreeSet<u64>),
        at: Time,
        observer: &mut dyn Observer,
    ) {
        let entries = std::mem::take(&mut self.entries);
        let mut known: BTreeMap<u64, (QueueId, CoreMessage, bool)> = BTreeMap::new();
        for (_, entry) in entries.iter() {
            if entry.message.durable {
                known.insert(entry.id, (entry.queue, entry.message, entry.awaited));
                continue;
            }
            let why = removal(cause::HEAP_LOST, self.because(entry.awaited));
            observer.removed(at, self.node, entry.message.origin, entry.message.range, why);
        }
        let on_disk = std::mem::take(&mut self.on_disk).into_iter();
        known.extend(on_disk.map(|(id, (queue, message))| (id, (queue, message, true))));
        for (id, (queue, message, awaited)) in known {
            if self.journal.get(id).is_some_and(|held| held.message == message) {
                self.on_disk.insert(id, (queue, message));
                continue;
            }
            let why = removal(Self::cause(death, heap.contains(&id)), self.because(awaited));
            observer.removed(at, self.node, message.origin, message.range, why);
        }
    }

    const fn cause(death: Death, heap: bool) -> CauseId {
        match death {
            Death::Wiped => cause::DISK_WIPED,
            _ if heap => cause::NOT_WRITTEN,
            _ => cause::PAGE_CACHE_LOST,
        }
    }

    fn because(&self, awaited: bool) -> BecauseId {
        let settings = &self.config.settings;
        if !awaited {
            because::NOT_AWAITED
        } else if settings.datasync && settings.sync_non_transactional {
            because::NOT_RESENT
        } else {
            because::NOT_SYNCED
        }
    }

    /// What is in memory is gone.
    fn forget(&mut self) {
        self.phase = Phase::Down;
        self.queues.iter_mut().for_each(|queue| *queue = super::queue::Queue::default());
        self.sessions.clear();
        self.attached.clear();
        self.starved.clear();
        self.buffer.forget(self.journal.end());
        self.touched.note(Touch::Died);
    }
}
