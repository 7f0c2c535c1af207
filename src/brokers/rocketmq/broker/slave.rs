//! The slave's side of replication (`store/ha/DefaultHAClient.java`, before 5.0 in `HAService.java`), and
//! what it copies beside the CommitLog (`broker/slave/SlaveSynchronize.java`).

use std::sync::Arc;

use crate::engine::{Span, Time};
use crate::observe::{Event, NodeId};
use crate::world::{ConnId, Context, Input, Lane};

use super::super::config::HA;
use super::super::invariants::Touch;
use super::super::message::{HEADER, Message, NO_OFFSET, Offsets, Timer, Transfer};
use super::super::remoting::Waits;
use super::super::rules::Rule;
use super::super::words::{event, role};
use super::put::tell_stored;
use super::register::Asked;
use super::{Broker, COMMIT_LOG};

/// After a failure it waits so long before it connects again.
const RECONNECT: Span = Span::from_secs(5);
/// Bytes of a report.
const REPORT: u32 = 8;
/// The first copy of the offsets (`scheduleAtFixedRate(..., 1000 * 3, ...)`).
const FIRST_SYNC: Span = Span::from_secs(3);
/// A request for the offsets waits so long.
const SYNC_TIMEOUT: Span = Span::from_secs(3);

/// The connection to the master.
#[derive(Clone, Debug)]
pub(super) struct Upstream {
    pub(super) master: NodeId,
    /// Whether a NameServer has told it where its master is.
    pub(super) known: bool,
    /// Whether there is a master, as the last registration has said.
    pub(super) online: bool,
    conn: Option<ConnId>,
    open: bool,
    last_read: Time,
    last_report: Time,
}

impl Upstream {
    pub(super) const fn new(master: NodeId) -> Upstream {
        Upstream {
            master,
            known: false,
            online: false,
            conn: None,
            open: false,
            last_read: Time::ZERO,
            last_report: Time::ZERO,
        }
    }

    pub(super) fn owns(&self, conn: ConnId) -> bool {
        self.conn == Some(conn)
    }

    pub(super) fn forget(&mut self) {
        *self = Upstream::new(self.master);
    }
}

impl Broker {
    /// Whether a slave has a connection to its master.
    #[must_use]
    pub const fn is_linked(&self) -> bool {
        self.upstream.open
    }

    pub(super) fn connect_upstream(&mut self, ctx: &mut Context<'_, Message>) {
        if self.upstream.conn.is_some() || self.is_master() {
            return;
        }
        if !self.upstream.known {
            ctx.after(RECONNECT, self.lanes.ha, Timer::HaConnect.into());
            return;
        }
        let conn = ctx.connect(self.upstream.master, HA);
        ctx.bind(conn, self.lanes.ha);
        self.upstream.conn = Some(conn);
        self.upstream.last_read = ctx.clock();
    }

    pub(super) fn upstream_input(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Connected { .. } => {
                self.upstream.open = true;
                self.upstream.last_read = ctx.clock();
                let (now, node) = (ctx.now(), self.node);
                let (master, end) = (self.upstream.master, self.store.log.end());
                ctx.observer()
                    .event(now, Event::new(event::MASTER_LINKED, node, None, Some(master), end));
                self.tell_role(now, Some(role::SLAVE), ctx.observer());
                match self.upstream.conn {
                    Some(conn) if self.is_controlled() => self.begin_handshake(conn, ctx),
                    _ => self.report(end, ctx),
                }
            }
            Input::Message { body: Message::Epochs(epochs, end), .. } => {
                match self.compare_epochs(&epochs, end, ctx) {
                    true => self.report(self.store.log.end(), ctx),
                    false => self.close_upstream(ctx),
                }
            }
            Input::Failed { .. } => self.upstream_lost(ctx),
            Input::Closed { .. } => self.upstream_lost(ctx),
            Input::Message { body: Message::Transfer(transfer), .. } => {
                self.pushed(&transfer, ctx);
            }
            _ => {}
        }
    }

    fn upstream_lost(&mut self, ctx: &mut Context<'_, Message>) {
        self.upstream.conn = None;
        if std::mem::take(&mut self.upstream.open) {
            let (now, node, master) = (ctx.now(), self.node, self.upstream.master);
            ctx.observer().event(now, Event::new(event::MASTER_LOST, node, None, Some(master), 0));
            self.tell_role(now, Some(role::DISCONNECTED), ctx.observer());
        }
        ctx.after(RECONNECT, self.lanes.ha, Timer::HaConnect.into());
    }

    /// It follows nobody any more, or another one.
    pub(super) fn drop_upstream(&mut self, ctx: &mut Context<'_, Message>) {
        if let Some(conn) = self.upstream.conn.take() {
            ctx.close(conn);
        }
        self.upstream.open = false;
        self.upstream.known = false;
        self.upstream.online = false;
    }

    fn close_upstream(&mut self, ctx: &mut Context<'_, Message>) {
        if let Some(conn) = self.upstream.conn {
            ctx.close(conn);
            self.upstream_lost(ctx);
        }
    }

    /// Bytes have come. They must begin where the own CommitLog ends, unless that is empty.
    fn pushed(&mut self, transfer: &Transfer, ctx: &mut Context<'_, Message>) {
        self.upstream.last_read = ctx.clock();
        if transfer.bytes == 0 {
            return;
        }
        ctx.spend(self.config.costs.replicate);
        let before = self.store.log.end();
        if before != 0 && before != transfer.from {
            let (now, node) = (ctx.now(), self.node);
            ctx.observer()
                .event(now, Event::new(event::OFFSETS_DIFFER, node, None, None, transfer.from));
            return self.close_upstream(ctx);
        }
        if ctx.write(COMMIT_LOG, u64::from(transfer.bytes)).is_err() {
            return self.close_upstream(ctx);
        }
        let (now, node, config) = (ctx.now(), self.node, self.config.clone());
        self.store.log.push(transfer.from, transfer.bytes, &transfer.records, |record| {
            if !record.is_padding() {
                tell_stored(&config, (now, node), &record, ctx.observer());
            }
        });
        if before == 0 && self.store.log.start() == transfer.from {
            self.store.dispatched = transfer.from;
            self.store.flushed = transfer.from;
        }
        self.replicas.pushed(transfer.epoch);
        let end = self.store.log.end();
        self.store.committed = end;
        self.touched.note(Touch::Pushed(transfer.from));
        self.plan_dispatch(ctx);
        self.plan_flush(false, ctx);
        if self.config.has(Rule::SlaveAcksFromMemory) {
            self.report(end, ctx);
        }
    }

    /// Without the rule that a slave acknowledges from memory: more is flushed.
    pub(super) fn report_flushed(&mut self, ctx: &mut Context<'_, Message>) {
        if self.upstream.open && !self.config.has(Rule::SlaveAcksFromMemory) {
            self.report(self.store.flushed, ctx);
        }
    }

    /// `reportSlaveMaxOffset`.
    fn report(&mut self, position: u64, ctx: &mut Context<'_, Message>) {
        let Some(conn) = self.upstream.conn else { return };
        self.upstream.last_report = ctx.clock();
        ctx.send(conn, Message::Position(position), REPORT);
    }

    pub(super) fn upstream_tick(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.upstream.open {
            return;
        }
        let now = ctx.clock();
        let settings = &self.config.settings;
        if now.since(self.upstream.last_read) > settings.ha_housekeeping {
            self.close_upstream(ctx);
        } else if now.since(self.upstream.last_report) > settings.ha_heartbeat {
            let from_memory = self.config.has(Rule::SlaveAcksFromMemory);
            let position = if from_memory { self.store.log.end() } else { self.store.flushed };
            self.report(position, ctx);
        }
    }

    pub(super) fn start_slave_sync(&mut self, ctx: &mut Context<'_, Message>) {
        self.upstream.online = ctx.incarnation() == 0 && !self.is_master();
        let first = match ctx.incarnation() {
            0 => ctx.first_round(self.config.settings.slave_sync),
            _ => FIRST_SYNC,
        };
        ctx.after(first, Lane::MAIN, Timer::SlaveSync.into());
    }

    /// `syncAll`: asks its master, if it knows of one, for the offsets.
    pub(super) fn slave_sync(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(self.config.settings.slave_sync, Lane::MAIN, Timer::SlaveSync.into());
        if !self.upstream.online || self.is_master() || !self.config.has(Rule::SlaveCopiesOffsets) {
            return;
        }
        let member = self.config.place(self.upstream.master).id as usize;
        let master = self.config.nameservers.len() + member;
        let request = (Message::GetAllOffsets, HEADER);
        self.remoting.request(master, Waits::Sync(SYNC_TIMEOUT), Asked::Offsets, request, ctx);
    }

    /// They replace the own ones, newer or not (`offsetTable.putAll`).
    pub(super) fn offsets_copied(
        &mut self,
        offsets: &Arc<Offsets>,
        ctx: &mut Context<'_, Message>,
    ) {
        let mut back = 0;
        for (own, new) in self.offsets.iter_mut().flatten().zip(offsets.iter().flatten()) {
            if *new == NO_OFFSET || *own == *new {
                continue;
            }
            back += u64::from(*own != NO_OFFSET && *own > *new);
            *own = *new;
            self.offsets_changed = true;
        }
        if back > 0 {
            let (now, node, master) = (ctx.now(), self.node, self.upstream.master);
            ctx.observer()
                .event(now, Event::new(event::OFFSETS_ROLLED_BACK, node, None, Some(master), back));
        }
        self.persist_offsets(ctx);
    }
}
