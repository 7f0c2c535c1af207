//! A broker whose journal is on shared storage (`FileLockNodeManager`, `SharedStorePrimaryActivation`,
//! `SharedStoreBackupActivation`): it waits for the lock, loads the journal, and has every flush written there.
//! A server that does not answer is waited for, as a hard mount does.

use std::sync::Arc;

use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{ConnId, Context, Input, Lane};

use super::super::config::{Config, Policy, STORAGE};
use super::super::message::{Append, Message, Timer};
use super::super::rules::Rule;
use super::super::storage::REQUEST;
use super::super::store::Store;
use super::super::words::event;
use super::{After, Broker, Phase};

/// How long a mount waits before it connects again.
const RECONNECT: Span = Span::from_secs(1);
/// How often a broker tries to get the lock (`LOCK_ACCESS_FAILURE_WAIT_TIME`, lock polling of 500 ms).
const POLL: Span = Span::from_millis(500);

/// The way to the storage.
#[derive(Clone, Debug, Default)]
pub(super) struct Mount {
    conn: Option<ConnId>,
    open: bool,
    /// The flush that is not answered, and where the journal ends with it.
    pending: Option<(Box<Append>, u64)>,
    bytes: u64,
}

impl Mount {
    /// Whether a flush is not answered.
    pub(super) const fn is_busy(&self) -> bool {
        self.pending.is_some()
    }
}

impl Broker {
    pub(super) fn storage(&self) -> Option<NodeId> {
        match self.config.policy {
            Policy::SharedStore { storage } => Some(storage),
            Policy::Single | Policy::Replication => None,
        }
    }

    /// Whether a connection is the one to the storage.
    pub(super) fn is_mount(&self, conn: ConnId) -> bool {
        self.mount.conn == Some(conn)
    }

    pub(super) fn connect_storage(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(storage) = self.storage() else { return };
        self.mount.open = false;
        self.mount.conn = Some(ctx.connect(storage, STORAGE));
    }

    fn ask(&self, message: Message, bytes: u32, ctx: &mut Context<'_, Message>) {
        if let Some(conn) = self.mount.conn.filter(|_| self.mount.open) {
            ctx.send(conn, message, bytes);
        }
    }

    pub(super) fn storage_input(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Connected { .. } => {
                self.mount.open = true;
                if self.phase == Phase::Waiting {
                    self.try_lock(ctx);
                } else {
                    self.ask(Message::CheckLock, REQUEST, ctx);
                }
            }
            Input::Failed { .. } | Input::Closed { .. } => {
                self.mount.open = false;
                self.mount.conn = None;
                ctx.after(RECONNECT, Lane::MAIN, Timer::Mount.into());
            }
            Input::Message { body: Message::LockIs(held, flag), .. } => {
                self.lock_is(held, flag, ctx);
            }
            Input::Message { body: Message::Image(image), .. } if self.phase == Phase::Loading => {
                self.journal = Arc::unwrap_or_clone(image);
                let bytes = u32::try_from(self.journal.bytes()).unwrap_or(u32::MAX);
                ctx.spend(self.config.costs.load.time(bytes));
                self.loaded(ctx);
            }
            Input::Message { body: Message::Appended(success), .. } => self.appended(success, ctx),
            _ => {}
        }
    }

    /// It waits for its turn.
    pub(super) fn await_lock(&mut self, ctx: &mut Context<'_, Message>) {
        self.phase = Phase::Waiting;
        ctx.ready();
        if self.mount.open { self.try_lock(ctx) } else { self.connect_storage(ctx) }
    }

    pub(super) fn try_lock(&mut self, ctx: &mut Context<'_, Message>) {
        if self.phase == Phase::Waiting {
            self.ask(Message::Lock(Config::is_primary(self.node)), REQUEST, ctx);
        }
    }

    /// The lock is here or not. A backup that gets it after the active broker has stopped in order gives
    /// it back. Whoever is active and has lost it stops; a backup gives way to its primary that waits.
    fn lock_is(&mut self, held: bool, flag: bool, ctx: &mut Context<'_, Message>) {
        let primary = Config::is_primary(self.node);
        match self.phase {
            Phase::Waiting if held && (primary || flag || !self.config.has(Rule::PausedStays)) => {
                self.tell(event::LOCKED, None, (None, 0), ctx);
                self.ask(Message::SetState(true), REQUEST, ctx);
                self.phase = Phase::Loading;
                self.ask(Message::OpenStore, REQUEST, ctx);
                self.start_lock_timers(ctx);
            }
            Phase::Waiting => {
                if held {
                    self.ask(Message::Unlock, REQUEST, ctx);
                }
                ctx.after(POLL, Lane::MAIN, Timer::TryLock.into());
            }
            Phase::Active | Phase::Stopping if !held => self.lock_lost(ctx),
            Phase::Active if flag && !primary && self.config.settings.allow_failback => {
                self.fail_back(ctx);
            }
            Phase::Active | Phase::Stopping => self.write_again(ctx),
            _ => {}
        }
    }

    /// `lostLock`: it stops at once.
    fn lock_lost(&mut self, ctx: &mut Context<'_, Message>) {
        self.tell(event::LOCK_LOST, None, (None, 0), ctx);
        self.phase = Phase::Stopping;
        ctx.exit();
    }

    /// What its host does to keep the lock, and what the broker does to be sure of it.
    fn start_lock_timers(&mut self, ctx: &mut Context<'_, Message>) {
        if std::mem::replace(&mut self.lock_timers, true) {
            return;
        }
        let settings = &self.config.settings;
        if !settings.lease.is_zero() {
            ctx.after(settings.lease / 3, Lane::MAIN, Timer::RenewLease.into());
        }
        ctx.after(settings.lock_monitor, Lane::MAIN, Timer::CheckLock.into());
    }

    pub(super) fn renew_lease(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(self.config.settings.lease / 3, Lane::MAIN, Timer::RenewLease.into());
        self.ask(Message::RenewLease, REQUEST, ctx);
    }

    pub(super) fn check_lock(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(self.config.settings.lock_monitor, Lane::MAIN, Timer::CheckLock.into());
        if self.phase == Phase::Active && self.config.has(Rule::MonitorLock) {
            self.ask(Message::CheckLock, REQUEST, ctx);
        }
    }

    /// It stops in order: the next one need not take over, unless that was asked for.
    pub(super) fn pause_store(&self, ctx: &mut Context<'_, Message>) {
        let active = self.config.settings.failover_on_shutdown;
        self.ask(Message::SetState(active), REQUEST, ctx);
    }

    /// The primary is back: its backup stops to serve, and waits again (`FailbackChecker`).
    fn fail_back(&mut self, ctx: &mut Context<'_, Message>) {
        self.tell(event::FAILBACK, None, (self.config.other(self.node), 0), ctx);
        self.quiesce(After::HandOver, ctx);
    }

    /// Nothing waits for the journal any more, and the lock can go.
    pub(super) fn hand_over_lock(&mut self, ctx: &mut Context<'_, Message>) {
        self.retire(ctx);
        self.ask(Message::Unlock, REQUEST, ctx);
        self.phase = Phase::Waiting;
        ctx.after(POLL, Lane::MAIN, Timer::TryLock.into());
    }

    /// Has a flush written.
    pub(super) fn write_remote(
        &mut self,
        append: Append,
        end: u64,
        ctx: &mut Context<'_, Message>,
    ) {
        self.mount.bytes = end - append.at;
        self.mount.pending = Some((Box::new(append), end));
        self.write_again(ctx);
    }

    fn write_again(&self, ctx: &mut Context<'_, Message>) {
        if let Some((append, _)) = self.mount.pending.clone() {
            let bytes = u32::try_from(self.mount.bytes).unwrap_or(u32::MAX);
            self.ask(Message::Append(append), bytes.saturating_add(REQUEST), ctx);
        }
    }

    fn appended(&mut self, success: bool, ctx: &mut Context<'_, Message>) {
        let Some((_, end)) = self.mount.pending.take() else { return };
        if success {
            self.remote_written(end, ctx);
        } else {
            self.io_error(ctx);
        }
    }

    pub(super) fn collect_remote(&mut self, ctx: &mut Context<'_, Message>) -> Vec<(u32, u64)> {
        self.ask(Message::Collect, REQUEST, ctx);
        Store::collect(&mut self.journal)
    }
}
