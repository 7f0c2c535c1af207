//! Start, loading of the journal, stop and death.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Span, Time};
use crate::observe::{BecauseId, Observer, Removal, RoleId};
use crate::world::{Context, Death, DiskView, Lane};

use super::super::config::{ARTEMIS, Config, Policy};
use super::super::invariants::Touch;
use super::super::message::{CoreMessage, Message, QueueId, Timer};
use super::super::words::{because, cause, event, role};
use super::journal::CLEANUP;
use super::{After, Broker, Entry, Phase, journal_file};

impl Broker {
    /// At time zero it has run for a while.
    pub(super) fn boot(&mut self, incarnation: u32, ctx: &mut Context<'_, Message>) {
        self.phase = Phase::Starting;
        self.start_pings(ctx);
        if incarnation == 0 {
            return self.start(ctx);
        }
        let takes = self.config.settings.boot_time.span(ctx.random());
        ctx.after(takes, Lane::MAIN, Timer::Start.into());
    }

    /// Its process is there.
    pub(super) fn start(&mut self, ctx: &mut Context<'_, Message>) {
        match self.config.policy {
            Policy::Single => self.load(ctx),
            Policy::SharedStore { .. } => self.await_lock(ctx),
            Policy::Replication => self.start_in_pair(ctx),
        }
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
        if self.storage().is_none() {
            for (file, length) in self.journal.files().collect::<Vec<_>>() {
                ctx.truncate(journal_file(file), length);
            }
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
        self.after = After::Exit;
        ctx.listen(ARTEMIS);
        self.start_timers(ctx);
        let now = ctx.now();
        self.role_is(now, Some(role::ACTIVE), ctx.observer());
        ctx.ready();
        self.start_cluster(ctx);
    }

    /// What is periodic, of an active broker and of a backup.
    pub(super) fn start_timers(&mut self, ctx: &mut Context<'_, Message>) {
        if std::mem::replace(&mut self.timers, true) {
            return;
        }
        let ttl_check = self.config.settings.ttl_check;
        for (period, timer) in [(ttl_check, Timer::TtlCheck), (CLEANUP, Timer::Cleanup)] {
            let first: Span = ctx.first_round(period);
            ctx.after(first, Lane::MAIN, timer.into());
        }
    }

    pub(super) fn queue_ids(&self) -> impl Iterator<Item = QueueId> + use<> {
        (0..self.config.queues.len() as u32).map(crate::observe::DestinationId)
    }

    /// What it is to the queues: those are the first pair's.
    pub(super) fn role_is(&mut self, at: Time, role: Option<RoleId>, observer: &mut dyn Observer) {
        let changes = std::mem::replace(&mut self.role, role) != role;
        if changes && Config::pair(self.node) == 0 {
            for queue in self.queue_ids() {
                observer.role(at, self.node, queue, role);
            }
        }
    }

    /// SIGTERM: connections are closed, what waits for the journal is written.
    pub(super) fn stop(&mut self, ctx: &mut Context<'_, Message>) {
        match self.phase {
            Phase::Stopping => self.after = After::Exit,
            Phase::Active => {
                self.tell_backup(false, ctx);
                self.quiesce(After::Exit, ctx);
            }
            _ => ctx.exit(),
        }
    }

    /// It stops to serve.
    pub(super) fn quiesce(&mut self, after: After, ctx: &mut Context<'_, Message>) {
        ctx.unlisten(ARTEMIS);
        self.end_cluster(ctx);
        self.close_all(ctx);
        self.phase = Phase::Stopping;
        self.after = after;
        self.stop_if_done(ctx);
    }

    /// Nothing waits for the journal any more.
    pub(super) fn stop_if_done(&mut self, ctx: &mut Context<'_, Message>) {
        if self.phase != Phase::Stopping || self.is_storing() {
            return;
        }
        self.send_packets(ctx);
        match self.after {
            After::Exit => {
                self.tell_backup(true, ctx);
                self.pause_store(ctx);
                ctx.exit();
            }
            After::HandOver => self.hand_over_lock(ctx),
            After::FailBack => {
                self.tell_backup(true, ctx);
                self.close_backup(ctx);
                self.retire(ctx);
                self.become_backup(ctx);
            }
            After::Isolate => {
                self.close_backup(ctx);
                self.retire(ctx);
                self.phase = Phase::Isolated;
            }
        }
    }

    /// It has stopped to serve, and its process goes on: what is in its queues is in the journal only.
    pub(super) fn retire(&mut self, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        self.role_is(now, None, ctx.observer());
        for (_, entry) in std::mem::take(&mut self.entries).iter() {
            let Entry { message, queue, id, awaited, .. } = *entry;
            let why = match (message.durable, self.storage()) {
                (true, None) => {
                    self.on_disk.insert(id, (queue, message));
                    continue;
                }
                (true, Some(_)) => Removal::new(cause::LOST_BY_STORAGE, because::NONE),
                (false, _) => Removal::new(cause::HEAP_LOST, self.because(awaited)),
            };
            ctx.observer().removed(now, self.node, message.origin, message.range, why);
        }
        self.forget_queues();
        if self.storage().is_some() {
            self.journal.clear();
        }
        self.forget_buffer();
    }

    fn forget_queues(&mut self) {
        self.queues.iter_mut().for_each(|queue| *queue = super::queue::Queue::default());
        self.sessions.clear();
        self.attached.clear();
        self.starved.clear();
        self.locked_out.clear();
        self.touched.note(Touch::Died);
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
        let lost_backup = self.is_replicated_pair() && self.replicator.is_none();
        self.role_is(at, None, observer);
        self.lose_backup();
        if matches!(self.phase, Phase::Active | Phase::Stopping | Phase::Backup) {
            // What was only in the buffer of the process.
            let written = self.buffer.written();
            heap.extend(self.journal.since(written).into_iter().map(|(record, _)| record.id));
            self.journal.cut(written);
        }
        if self.storage().is_some() {
            self.journal.clear();
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
                let why = Removal::new(cause::ROLLED_BACK, because::NOT_RESENT);
                observer.dropped(at, self.node, Some(message.origin), message.range, why);
            }
        }
        self.give_up_entries((death, &heap, lost_backup), at, observer);
        self.forget();
    }

    /// What was in memory: what the journal still has is there, for the observer as well.
    fn give_up_entries(
        &mut self,
        (death, heap, alone): (Death, &BTreeSet<u64>, bool),
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
            let why = Removal::new(cause::HEAP_LOST, self.because(entry.awaited));
            observer.removed(at, self.node, entry.message.origin, entry.message.range, why);
        }
        let on_disk = std::mem::take(&mut self.on_disk).into_iter();
        known.extend(on_disk.map(|(id, (queue, message))| (id, (queue, message, true))));
        for (id, (queue, message, awaited)) in known {
            if self.journal.get(id).is_some_and(|held| held.message == message) {
                self.on_disk.insert(id, (queue, message));
                continue;
            }
            let cause = match death {
                Death::Wiped => cause::DISK_WIPED,
                _ if heap.contains(&id) => cause::NOT_WRITTEN,
                // If the storage still has it nothing is lost, and this says nothing.
                _ if self.storage().is_some() => cause::LOST_BY_STORAGE,
                _ => cause::PAGE_CACHE_LOST,
            };
            let because = match cause {
                cause::LOST_BY_STORAGE => because::NONE,
                cause::DISK_WIPED if awaited && alone => because::ONE_COPY,
                cause::DISK_WIPED => because::NONE,
                _ => self.because(awaited),
            };
            let why = Removal::new(cause, because);
            observer.removed(at, self.node, message.origin, message.range, why);
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
        self.after = After::Exit;
        self.forget_queues();
        self.forget_buffer();
        self.mount = super::shared::Mount::default();
        (self.lock_timers, self.timers) = (false, false);
        self.outgoing.clear();
        self.replicator = None;
        self.packets.clear();
        self.packets_planned = false;
        self.vote = super::Vote::default();
        self.cluster.clear();
    }
}
