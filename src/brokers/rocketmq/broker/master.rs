//! The master's side of replication (`store/ha/HAService.java`, `HAConnection.java`): slaves connect and
//! say up to where they have the CommitLog; the master pushes bytes from there on.

use crate::engine::{Span, Time};
use crate::observe::{Event, NodeId};
use crate::world::{Alarm, By, ConnId, Context, Input};

use super::super::message::{Message, Timer, Transfer};
use super::super::rules::Rule;
use super::super::words::event;
use super::Broker;

/// A pusher that has found nothing sleeps so long (`allWaitForRunning(100)`).
const SLEEP: Span = Span::from_millis(100);
/// Bytes before what is pushed: position and length.
const TRANSFER_HEADER: u32 = 12;
/// How often connections are looked at (`select(1000)`).
pub(super) const TICK: Span = Span::from_secs(1);

/// The connection of a slave.
#[derive(Clone, Copy, Debug)]
struct Link {
    conn: ConnId,
    slave: NodeId,
    /// Where it is pushed from next; none before it has said where it is.
    next: Option<u64>,
    /// Up to where it has the CommitLog, as it says (`slaveAckOffset`).
    position: u64,
    /// Where the CommitLog ended when it was last pushed to, and when that was.
    seen: (u64, Time),
    last_read: Time,
    last_write: Time,
}

/// The connections of slaves.
#[derive(Clone, Debug)]
pub(super) struct Links {
    links: Vec<Link>,
    /// The greatest position that any slave has ever reported (`push2SlaveMaxOffset`).
    greatest: u64,
    alarm: Alarm,
    /// When it last looked whether there is something to push.
    looked: Time,
}

impl Links {
    pub(super) const fn new() -> Links {
        let alarm = Alarm::new(By::Monotonic);
        Links { links: Vec::new(), greatest: 0, alarm, looked: Time::ZERO }
    }

    pub(super) fn has(&self, conn: ConnId) -> bool {
        self.links.iter().any(|link| link.conn == conn)
    }

    pub(super) fn forget(&mut self) {
        *self = Links::new();
    }

    /// The greatest position of a slave that is connected; none if none is.
    pub(super) fn best_position(&self) -> Option<u64> {
        self.links.iter().map(|_| self.greatest).next()
    }

    /// How many have the CommitLog up to a position, the master included.
    pub(super) fn copies(&self, end: u64) -> u32 {
        1 + self.links.iter().filter(|link| link.position >= end).count() as u32
    }

    /// Whether any slave has ever reported a position (`push2SlaveMaxOffset`, which never goes back).
    pub(super) fn was_reported(&self, end: u64) -> bool {
        self.greatest >= end
    }

    /// The position that a slave has reported on its connection.
    pub(super) fn position_of(&self, slave: NodeId) -> Option<u64> {
        let of = self.links.iter().rev().find(|link| link.slave == slave && link.next.is_some());
        of.map(|link| link.position)
    }
}

impl Broker {
    /// The position up to which a slave has the CommitLog, as this master knows it.
    #[must_use]
    pub fn slave_position(&self, slave: NodeId) -> Option<u64> {
        self.links.position_of(slave)
    }

    pub(super) fn start_ha(&mut self, ctx: &mut Context<'_, Message>) {
        if self.config.slaves == 0 {
            return;
        }
        if self.ledger.is_some() {
            return self.start_slave_sync(ctx);
        }
        self.links.looked = ctx.monotonic();
        ctx.after(TICK, self.lanes.ha, Timer::HaTick.into());
        if !self.is_master() || self.is_controlled() {
            // Before the run it has known its master for long.
            self.upstream.known = ctx.incarnation() == 0 && !self.is_master();
            self.connect_upstream(ctx);
            self.start_slave_sync(ctx);
        }
    }

    pub(super) fn slave_connected(
        &mut self,
        conn: ConnId,
        slave: NodeId,
        ctx: &mut Context<'_, Message>,
    ) {
        let now = ctx.clock();
        ctx.bind(conn, self.lanes.ha);
        let (last_read, last_write) = (now, now);
        self.links.links.push(Link {
            conn,
            slave,
            next: None,
            position: 0,
            seen: (0, now),
            last_read,
            last_write,
        });
    }

    pub(super) fn link_input(
        &mut self,
        conn: ConnId,
        input: Input<Message>,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(at) = self.links.links.iter().position(|link| link.conn == conn) else { return };
        match input {
            Input::Message { body: Message::Position(position), .. } => {
                self.position_reported(at, position, ctx);
            }
            Input::Message { body: Message::Handshake, .. } => self.answer_handshake(conn, ctx),
            Input::Writable { .. } => self.push(at, ctx),
            Input::Closed { .. } => self.slave_left(at, ctx),
            _ => {}
        }
    }

    /// It is no master any more.
    pub(super) fn drop_links(&mut self, ctx: &mut Context<'_, Message>) {
        for link in &self.links.links {
            ctx.close(link.conn);
        }
        self.links.forget();
    }

    fn slave_left(&mut self, at: usize, ctx: &mut Context<'_, Message>) {
        let link = self.links.links.remove(at);
        let (now, node) = (ctx.now(), self.node);
        ctx.observer().event(now, Event::new(event::SLAVE_LEFT, node, None, Some(link.slave), 0));
        self.slave_gone(link.slave, ctx);
    }

    fn position_reported(&mut self, at: usize, position: u64, ctx: &mut Context<'_, Message>) {
        let (now, node, clock) = (ctx.now(), self.node, ctx.clock());
        let link = &mut self.links.links[at];
        link.last_read = clock;
        // The first report says where to begin, flushed or not.
        let counts = link.next.is_some() || self.config.has(Rule::SlaveAcksFromMemory);
        link.position = if counts { position } else { 0 };
        let slave = Some(link.slave);
        if link.next.is_none() {
            link.next = Some(match position {
                0 if self.config.has(Rule::LastSegmentFirst) => self.store.log.last_segment(),
                0 => self.store.log.start(),
                position => position,
            });
            ctx.observer().event(now, Event::new(event::SLAVE_JOINED, node, None, slave, position));
        } else if position > self.store.log.end() && self.config.has(Rule::RefuseSlaveAhead) {
            ctx.observer().event(now, Event::new(event::SLAVE_AHEAD, node, None, slave, position));
            ctx.close(link.conn);
            return self.slave_left(at, ctx);
        }
        if !counts {
            return self.push(at, ctx);
        }
        self.links.greatest = self.links.greatest.max(position);
        if self.is_controlled() {
            let link = self.links.links[at];
            let (seen, then) = link.seen;
            if position >= seen {
                let all = position >= self.store.log.end();
                let since = if all { clock } else { then };
                self.slave_caught_up(link.slave, position, since, ctx);
            }
            self.advance_confirmed(ctx);
        }
        self.look_at_puts(ctx);
        self.push(at, ctx);
    }

    /// There is more to push: at once if a send waits for it, else when the pushers wake.
    pub(super) fn plan_push(&mut self, soon: bool, ctx: &mut Context<'_, Message>) {
        if self.links.links.is_empty() {
            return;
        }
        let now = ctx.monotonic();
        let at = if soon && self.config.has(Rule::WakeTransfer) {
            now
        } else {
            let asleep = now.since(self.links.looked).as_nanos() % SLEEP.as_nanos();
            now + Span::from_nanos(SLEEP.as_nanos() - asleep)
        };
        self.links.alarm.wake(at, self.lanes.ha, Timer::Push.into(), ctx);
    }

    pub(super) fn push_all(&mut self, ctx: &mut Context<'_, Message>) {
        self.links.alarm.rang(ctx);
        for at in 0..self.links.links.len() {
            self.push(at, ctx);
        }
        self.links.looked = ctx.monotonic();
    }

    /// Pushes what there is, as long as it fits into the connection.
    fn push(&mut self, at: usize, ctx: &mut Context<'_, Message>) {
        let most = u64::from(self.config.settings.ha_batch);
        while let Some(next) = self.links.links[at].next
            && next >= self.store.log.start()
            && next < self.store.readable_end()
            && ctx.room(self.links.links[at].conn) > 0
        {
            let upto = self.replicas.end_of_epoch(next).unwrap_or(u64::MAX);
            let bytes = (self.store.readable_end().min(upto) - next).min(most) as u32;
            let epoch = self.replicas.epoch_at(next).filter(|_| self.is_controlled());
            self.links.links[at].seen = (self.store.log.end(), ctx.clock());
            let records = self.store.log.beginning_in(next, next + u64::from(bytes));
            ctx.spend(self.config.costs.replicate);
            self.links.links[at].next = Some(next + u64::from(bytes));
            self.transfer(at, Transfer { from: next, bytes, records, epoch }, ctx);
        }
    }

    fn transfer(&mut self, at: usize, transfer: Transfer, ctx: &mut Context<'_, Message>) {
        let link = &mut self.links.links[at];
        link.last_write = ctx.clock();
        let bytes = transfer.bytes + TRANSFER_HEADER;
        ctx.send(link.conn, Message::Transfer(Box::new(transfer)), bytes);
    }

    /// Tells slaves that it is there, and gives up those that say nothing.
    pub(super) fn ha_tick(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(TICK, self.lanes.ha, Timer::HaTick.into());
        if !self.is_master() {
            return self.upstream_tick(ctx);
        }
        let now = ctx.clock();
        let settings = &self.config.settings;
        let (beats, silence) = (settings.ha_heartbeat, settings.ha_housekeeping);
        for at in (0..self.links.links.len()).rev() {
            let link = self.links.links[at];
            if now.since(link.last_read) > silence {
                ctx.close(link.conn);
                self.slave_left(at, ctx);
            } else if let Some(from) = link.next
                && now.since(link.last_write) > beats
            {
                let records = Vec::new();
                self.transfer(at, Transfer { from, bytes: 0, records, epoch: None }, ctx);
            }
        }
    }
}
