//! A broker whose store is elsewhere: it waits for the lock (`SharedFileLocker`), opens the store, and
//! has every batch of the journal written there. A server that does not answer is waited for, as a hard
//! mount does.

use std::sync::Arc;

use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{ConnId, Context, Input, Lane};

use super::super::config::STORAGE;
use super::super::message::{Append, Message, Timer};
use super::super::storage::REQUEST;
use super::super::words::event;
use super::{Broker, Phase};

/// How long a mount waits before it connects again.
const RECONNECT: Span = Span::from_secs(1);

/// The way to the storage.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    storage: NodeId,
    conn: Option<ConnId>,
    open: bool,
    /// The batch that is not answered.
    pending: Option<Box<Append>>,
}

impl Remote {
    pub(super) const fn new(storage: NodeId) -> Remote {
        Remote { storage, conn: None, open: false, pending: None }
    }

    fn open(&self) -> Option<ConnId> {
        self.conn.filter(|_| self.open)
    }

    pub(super) fn forget(&mut self) {
        *self = Remote::new(self.storage);
    }
}

impl Broker {
    /// Whether a connection is the one to the storage.
    pub(super) fn is_remote(&self, conn: ConnId) -> bool {
        self.remote.as_ref().is_some_and(|remote| remote.conn == Some(conn))
    }

    pub(super) fn mount(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(remote) = &mut self.remote else { return };
        remote.open = false;
        remote.conn = Some(ctx.connect(remote.storage, STORAGE));
    }

    fn ask(&self, message: Message, bytes: u32, ctx: &mut Context<'_, Message>) {
        if let Some(conn) = self.remote.as_ref().and_then(Remote::open) {
            ctx.send(conn, message, bytes);
        }
    }

    pub(super) fn remote_input(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        let Some(remote) = &mut self.remote else { return };
        match input {
            Input::Connected { .. } => {
                remote.open = true;
                self.ask(Message::Lock, REQUEST, ctx);
            }
            Input::Failed { .. } | Input::Closed { .. } => {
                remote.open = false;
                remote.conn = None;
                ctx.after(RECONNECT, Lane::MAIN, Timer::Mount.into());
            }
            Input::Message { body: Message::LockIs(held), .. } => self.lock_is(held, ctx),
            Input::Message { body: Message::Image(image), .. } if self.phase == Phase::Loading => {
                self.journal = Arc::unwrap_or_clone(image);
                self.scanned(ctx);
            }
            Input::Message { body: Message::Stale, .. } => self.io_error(ctx),
            Input::Message { body: Message::Appended(success), .. } => self.appended(success, ctx),
            _ => {}
        }
    }

    /// `lockAcquireSleepInterval`: it tries again and again. A master that is told that it does not have
    /// its lock stops, if it asks at all (`lockKeepAlivePeriod`).
    fn lock_is(&mut self, held: bool, ctx: &mut Context<'_, Message>) {
        match (self.phase, held) {
            (Phase::Loading, true) => self.ask(Message::OpenStore, REQUEST, ctx),
            (Phase::Loading, false) => {
                let poll = self.config.settings.lock_poll;
                ctx.after(poll, Lane::MAIN, Timer::TryLock.into());
            }
            (Phase::Serving, false) if !self.config.settings.lock_keep_alive.is_zero() => {
                self.tell(event::LOCK_LOST, None, (None, 0), ctx);
                self.phase = Phase::Stopping;
                ctx.exit();
            }
            (Phase::Serving, _) => self.write_again(ctx),
            _ => {}
        }
    }

    pub(super) fn try_lock(&mut self, ctx: &mut Context<'_, Message>) {
        if self.phase == Phase::Loading {
            self.ask(Message::Lock, REQUEST, ctx);
        }
    }

    /// What its host does to keep the lock, and what the broker does to be sure of it.
    pub(super) fn start_lock_timers(&mut self, ctx: &mut Context<'_, Message>) {
        if self.remote.is_none() {
            return;
        }
        let settings = &self.config.settings;
        if !settings.lease.is_zero() {
            ctx.after(settings.lease / 3, Lane::MAIN, Timer::RenewLease.into());
        }
        if !settings.lock_keep_alive.is_zero() {
            ctx.after(settings.lock_keep_alive, Lane::MAIN, Timer::CheckLock.into());
        }
    }

    pub(super) fn renew_lease(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(self.config.settings.lease / 3, Lane::MAIN, Timer::RenewLease.into());
        self.ask(Message::RenewLease, REQUEST, ctx);
    }

    pub(super) fn check_lock(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(self.config.settings.lock_keep_alive, Lane::MAIN, Timer::CheckLock.into());
        self.ask(Message::CheckLock, REQUEST, ctx);
    }

    /// Has a batch written at its place in a file.
    pub(super) fn write_remote(&mut self, append: Append, ctx: &mut Context<'_, Message>) {
        if let Some(remote) = &mut self.remote {
            remote.pending = Some(Box::new(append));
        }
        self.write_again(ctx);
    }

    fn write_again(&mut self, ctx: &mut Context<'_, Message>) {
        let pending = self.remote.as_ref().and_then(|remote| remote.pending.clone());
        if let Some(append) = pending {
            let bytes = u32::try_from(append.bytes).unwrap_or(u32::MAX).saturating_add(REQUEST);
            self.ask(Message::Append(append), bytes, ctx);
        }
    }

    fn appended(&mut self, success: bool, ctx: &mut Context<'_, Message>) {
        let pending = self.remote.as_mut().and_then(|remote| remote.pending.take());
        let Some(append) = pending else { return };
        if !success {
            return self.no_space(ctx);
        }
        self.apply_batch(append.bytes);
        if append.sync {
            self.note_synced(append.file, append.at + append.bytes);
        }
        self.batch_done(true, ctx);
    }

    /// Files that nothing needs are deleted.
    pub(super) fn delete_remote(&self, file: u32, ctx: &mut Context<'_, Message>) {
        self.ask(Message::Delete(file), REQUEST, ctx);
    }
}
