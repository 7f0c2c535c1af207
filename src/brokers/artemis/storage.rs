//! The storage that brokers share: a file server (NFSv4, a SAN's file system) with the journal, the file
//! `server.lock` with the lock of the primary, and its byte that says how the last active broker has ended.
//!
//! It writes for the broker with the lock only: a host whose lease is over has lost its open files with it
//! (RFC 7530, 9.6.3).

use std::sync::Arc;

use crate::brokers::kit::lock::FileLock;
use crate::engine::{Span, Time};
use crate::observe::{CauseId, Event, NodeId, Observer, Removal};
use crate::world::{ConnId, Context, Death, DiskView, FileId, Input, Lane, Signal, Wait};

use super::config::{Config, STORAGE};
use super::message::{Append, CoreMessage, Message, QueueId, Timer};
use super::store::{Change, Store};
use super::words::{because, cause, event};

/// Bytes of a request or an answer without data.
pub(super) const REQUEST: u32 = 200;

/// The storage.
#[derive(Clone, Debug)]
pub struct Storage {
    config: Arc<Config>,
    node: NodeId,
    journal: Store,
    lock: FileLock,
    /// The state byte: whether a broker is at work (`ACTIVE`), or has stopped in order (`PAUSED`).
    active: bool,
    /// The primary has asked for the lock while its backup had it (`FAILING_BACK`).
    awaited: bool,
    connections: Vec<(ConnId, NodeId)>,
}

impl Storage {
    /// An empty one.
    #[must_use]
    pub fn new(config: Arc<Config>, node: NodeId) -> Storage {
        let settings = &config.settings;
        Storage {
            journal: Store::new(settings.file_size, settings.cache_size as usize),
            node,
            lock: FileLock::default(),
            active: true,
            awaited: false,
            connections: Vec::new(),
            config,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                ctx.listen(STORAGE);
                for (file, length) in self.journal.files().collect::<Vec<_>>() {
                    ctx.truncate(FileId(file), length);
                }
                self.lock.restarted(ctx.monotonic());
                ctx.after(Span::from_secs(1), Lane::MAIN, Timer::LeaseCheck.into());
            }
            Input::Signal(Signal::Stop) => ctx.exit(),
            Input::Accepted { conn, peer, .. } => self.connections.push((conn, peer)),
            Input::Closed { conn, .. } => {
                self.connections.retain(|(own, _)| *own != conn);
                let whose = self.lock.closed(conn);
                self.tell_released(whose, ctx);
            }
            Input::Message { conn, body } => self.request(conn, body, ctx),
            Input::Local { body: Message::Timer(Timer::LeaseCheck) } => {
                ctx.after(Span::from_secs(1), Lane::MAIN, Timer::LeaseCheck.into());
                let whose = self.lock.expire(self.config.settings.lease, ctx.monotonic());
                self.tell_released(whose, ctx);
            }
            Input::Local { body: Message::Timer(Timer::StorageSynced(conn)) } => {
                ctx.send(conn, Message::Appended(true), REQUEST);
            }
            Input::DiskFailed { body: Message::Timer(Timer::StorageSynced(conn)) } => {
                ctx.send(conn, Message::Appended(false), REQUEST);
            }
            _ => {}
        }
    }

    fn request(&mut self, conn: ConnId, body: Message, ctx: &mut Context<'_, Message>) {
        let Some((_, peer)) = self.connections.iter().find(|(own, _)| *own == conn).copied() else {
            return;
        };
        let now = ctx.monotonic();
        self.lock.heard(peer, conn, now);
        let has = self.lock.is_held_by(peer);
        match body {
            Message::Lock(primary) => {
                let has = self.lock.take(peer, conn, now);
                self.awaited = primary && !has || self.awaited && !primary;
                ctx.send(conn, Message::LockIs(has, self.active), REQUEST);
            }
            Message::CheckLock => ctx.send(conn, Message::LockIs(has, self.awaited), REQUEST),
            Message::SetState(active) if has => self.active = active,
            Message::Unlock => {
                self.lock.release(peer);
                self.tell_released(has.then_some(peer), ctx);
            }
            Message::OpenStore => {
                let bytes = self.journal.bytes();
                let image = Message::Image(Arc::new(self.journal.clone()));
                ctx.send(conn, image, u32::try_from(bytes).unwrap_or(u32::MAX).max(REQUEST));
            }
            Message::Append(append) if has => self.append(conn, &append, ctx),
            Message::Append(_) => ctx.send(conn, Message::Appended(false), REQUEST),
            Message::Collect if has => {
                for (file, length) in self.journal.collect() {
                    ctx.release(FileId(file), length);
                }
            }
            _ => {}
        }
    }

    fn append(&mut self, conn: ConnId, append: &Append, ctx: &mut Context<'_, Message>) {
        // What was asked for before the connection was lost may be here already.
        let from = self.journal.end();
        let mut changes = Vec::new();
        if append.at == from {
            for (record, bytes) in &append.records {
                self.journal.changes_of(record, &mut changes);
                self.journal.append(*record, *bytes);
            }
        }
        let stretch: Vec<(u32, u64)> = self.journal.stretch(from, self.journal.end()).collect();
        let (now, node) = (ctx.now(), self.node);
        for (file, bytes) in &stretch {
            if ctx.write(FileId(*file), *bytes).is_err() {
                self.journal.cut(from);
                self.journal.load();
                return ctx.send(conn, Message::Appended(false), REQUEST);
            }
        }
        tell(&changes, (now, node), ctx.observer());
        if !append.sync {
            return ctx.send(conn, Message::Appended(true), REQUEST);
        }
        let last = self.journal.files().last().map_or(0, |(file, _)| file);
        ctx.fsync(FileId(last), Timer::StorageSynced(conn).into());
    }

    fn tell_released(&self, whose: Option<NodeId>, ctx: &mut Context<'_, Message>) {
        if let Some(whose) = whose {
            let (now, node) = (ctx.now(), self.node);
            let free = Event::new(event::LOCK_RELEASED, node, None, Some(whose), 0);
            ctx.observer().event(now, free);
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
        self.connections.clear();
        let before: Vec<(u64, QueueId, CoreMessage)> =
            self.journal.messages().map(|(id, held)| (id, held.queue, held.message)).collect();
        let lost: CauseId = match death {
            Death::Wiped => {
                self.journal.clear();
                self.lock.forget();
                self.active = true;
                cause::DISK_WIPED
            }
            Death::PowerLoss => {
                self.journal.lose(|file| disk.kept(FileId(file)));
                cause::PAGE_CACHE_LOST
            }
            Death::Killed | Death::Exited => return,
        };
        self.journal.load();
        for (id, _, message) in before {
            if self.journal.get(id).is_none() {
                let why = Removal::new(lost, because::NONE);
                observer.removed(at, self.node, message.origin, message.range, why);
            }
        }
    }

    /// What is in it.
    #[must_use]
    pub const fn journal(&self) -> &Store {
        &self.journal
    }

    /// What it waits for.
    #[must_use]
    pub const fn waits_for(&self) -> Option<Wait> {
        None
    }
}

/// Tells what records have done on a host that applies those of another.
pub(super) fn tell(changes: &[Change], (at, node): (Time, NodeId), observer: &mut dyn Observer) {
    for Change { added, queue, message } in changes {
        let (origin, range) = (message.origin, message.range);
        if *added {
            observer.arrived(at, node, (origin, *queue), range);
        } else {
            let why = Removal::new(cause::ACKNOWLEDGED, because::NONE);
            observer.removed(at, node, origin, range, why);
        }
    }
}
