//! The storage that brokers share: a file server (NFSv4, a SAN's file system) with the journal, and the
//! file `lock`, which one broker has at a time (`SharedFileLocker`).
//!
//! It sees a broker's process end at once, because its connection does. A host that is silent has its
//! lock for the length of a lease, which its kernel renews; a host that is frozen does not. What is
//! written is written at its place in a file, whoever writes it: two brokers that both believe to
//! have the lock overwrite each other.

use std::sync::Arc;

use crate::brokers::kit::lock::FileLock;
use crate::engine::{Span, Time};
use crate::observe::{CauseId, Event, NodeId, Observer, Removal};
use crate::world::{ConnId, Context, Death, DiskView, FileId, Input, Lane, Signal, Wait};

use super::config::{Config, STORAGE};
use super::message::{Append, Message, Timer};
use super::store::{Change, Journal};
use super::words::{because, cause, event};

/// Bytes of a request or an answer without data.
pub(super) const REQUEST: u32 = 200;

/// The storage.
#[derive(Clone, Debug)]
pub struct Storage {
    config: Arc<Config>,
    node: NodeId,
    journal: Journal,
    /// Known across its own deaths: it is on the disk.
    lock: FileLock,
    connections: Vec<(ConnId, NodeId)>,
}

impl Storage {
    /// An empty one.
    #[must_use]
    pub fn new(config: Arc<Config>, node: NodeId) -> Storage {
        let journal = Journal::new(config.settings.file_length);
        Storage { config, node, journal, lock: FileLock::default(), connections: Vec::new() }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                ctx.listen(STORAGE);
                for (file, length) in self.journal.files().collect::<Vec<_>>() {
                    ctx.truncate(FileId(file), length);
                }
                let now = ctx.monotonic();
                self.lock.restarted(now);
                ctx.after(Span::from_secs(1), Lane::MAIN, Timer::LeaseCheck.into());
            }
            Input::Signal(Signal::Stop) => ctx.exit(),
            Input::Accepted { conn, peer, .. } => self.connections.push((conn, peer)),
            Input::Closed { conn, .. } => self.closed(conn, ctx),
            Input::Message { conn, body } => self.request(conn, body, ctx),
            Input::Local { body: Message::Timer(Timer::LeaseCheck) } => self.lease_check(ctx),
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
        match body {
            Message::Lock => {
                let has = self.lock.take(peer, conn, now);
                ctx.send(conn, Message::LockIs(has), REQUEST);
            }
            Message::CheckLock => {
                ctx.send(conn, Message::LockIs(self.lock.is_held_by(peer)), REQUEST);
            }
            Message::OpenStore => {
                let bytes = self.journal.bytes();
                let image = Message::Image(Arc::new(self.journal.clone()));
                // Reading it takes what it takes the broker; the answer is as large as the journal.
                ctx.send(conn, image, u32::try_from(bytes).unwrap_or(u32::MAX).max(REQUEST));
            }
            Message::Append(append) => self.append(conn, &append, ctx),
            Message::Delete(file) => {
                let length = self.journal.delete(file);
                ctx.release(FileId(file), length);
            }
            _ => {}
        }
    }

    fn append(&mut self, conn: ConnId, append: &Append, ctx: &mut Context<'_, Message>) {
        // A file that was replaced is not the one that was opened.
        if append.at > self.journal.length_of(append.file) {
            return ctx.send(conn, Message::Stale, REQUEST);
        }
        // What is overwritten takes no more room.
        let more = (append.at + append.bytes).saturating_sub(self.journal.length_of(append.file));
        if ctx.write(FileId(append.file), more).is_err() {
            return ctx.send(conn, Message::Appended(false), REQUEST);
        }
        let mut changes = Vec::new();
        let overwrites = self.journal.place(append, &mut changes);
        let (now, node) = (ctx.now(), self.node);
        self.tell(changes, cause::OVERWRITTEN, (now, ctx.observer()));
        if overwrites > 0 {
            ctx.observer().event(now, Event::new(event::OVERWRITTEN, node, None, None, overwrites));
        }
        if append.sync {
            ctx.fsync(FileId(append.file), Timer::StorageSynced(conn).into());
        } else {
            ctx.send(conn, Message::Appended(true), REQUEST);
        }
    }

    fn tell(&self, changes: Vec<Change>, lost: CauseId, (at, observer): (Time, &mut dyn Observer)) {
        for change in changes {
            let (node, queue, message) = (self.node, change.queue, change.message);
            match change.added {
                Some(true) => {
                    observer.arrived(at, node, (message.origin, queue), message.range);
                }
                Some(false) => {
                    let why = Removal::new(cause::CONSUMED, because::NONE);
                    observer.removed(at, node, message.origin, message.range, why);
                }
                None => {
                    let why = Removal::new(lost, because::NONE);
                    observer.removed(at, node, message.origin, message.range, why);
                }
            }
        }
    }

    fn tell_released(&self, whose: Option<NodeId>, ctx: &mut Context<'_, Message>) {
        if let Some(whose) = whose {
            let (now, node) = (ctx.now(), self.node);
            let lost = Event::new(event::LOCK_RELEASED, node, None, Some(whose), 0);
            ctx.observer().event(now, lost);
        }
    }

    /// The process at the other end is gone, and its locks with it.
    fn closed(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        self.connections.retain(|(own, _)| *own != conn);
        let whose = self.lock.closed(conn);
        self.tell_released(whose, ctx);
    }

    /// A lease that was not renewed is over.
    fn lease_check(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(Span::from_secs(1), Lane::MAIN, Timer::LeaseCheck.into());
        let whose = self.lock.expire(self.config.settings.lease, ctx.monotonic());
        self.tell_released(whose, ctx);
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
        let before = self.journal.messages();
        let lost = match death {
            Death::Wiped => {
                self.journal.clear();
                self.lock.forget();
                cause::DISK_WIPED
            }
            Death::PowerLoss => {
                self.journal.lose(|file| disk.kept(FileId(file)), false);
                cause::PAGE_CACHE_LOST
            }
            Death::Killed | Death::Exited => return,
        };
        self.journal.recover();
        let gone = before.into_iter().filter(|(queue, m)| !self.journal.has((*queue, m.id())));
        let gone = gone.map(|(queue, message)| Change { added: None, queue, message });
        let gone: Vec<Change> = gone.collect();
        self.tell(gone, lost, (at, observer));
    }

    /// What is in it.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What it waits for.
    #[must_use]
    pub const fn waits_for(&self) -> Option<Wait> {
        None
    }
}
