//! What a leader has to do with each of its followers (`LearnerHandler.java` 3.4.14).

use crate::engine::{Span, Time};
use crate::world::{ConnId, Context};

use std::sync::Arc;

use super::super::super::Carry;
use super::super::data::{Data, Zxid};
use super::super::message::{Message, Timer, ToFollower, ToLeader};
use super::leader::{Leading, Step};
use super::{Role, Server};

/// How far a follower has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It is connected.
    Connected,
    /// It has said which epoch it knows.
    Known,
    /// It has accepted the new epoch.
    Accepted,
    /// It gets the history, and what is proposed.
    Syncing,
    /// It has the history.
    Synced,
}

/// A follower as its leader sees it.
#[derive(Clone, Debug)]
pub(super) struct Handler {
    pub(super) conn: ConnId,
    pub(super) server: u32,
    pub(super) stage: Stage,
    /// The last transaction in its log, as far as it has said.
    pub(super) acked: Zxid,
    last: Zxid,
    heard: Time,
    /// `tickOfNextAckDeadline`.
    deadline: u64,
    /// Two proposals that were sent and not acknowledged, and when (`SyncLimitCheck`).
    waits: Option<(Zxid, Time)>,
    next: Option<(Zxid, Time)>,
}

impl Handler {
    /// A proposal is sent (`SyncLimitCheck.updateProposal`).
    pub(super) fn note_proposal(&mut self, zxid: Zxid, now: Time) {
        if self.stage == Stage::Synced {
            let slot = if self.waits.is_none() { &mut self.waits } else { &mut self.next };
            *slot = Some((zxid, now));
        }
    }

    /// All up to `zxid` are acknowledged (`SyncLimitCheck.updateAck`).
    fn note_ack(&mut self, zxid: Zxid) {
        let open = |waits: &Option<(Zxid, Time)>| waits.filter(|(waits, _)| *waits > zxid);
        let next = open(&self.next);
        self.waits = open(&self.waits).or(next);
        self.next = next.filter(|next| self.waits != Some(*next));
    }
}

impl<D: Data> Leading<D> {
    fn handler(&mut self, conn: ConnId) -> Option<&mut Handler> {
        self.handlers.iter_mut().find(|handler| handler.conn == conn)
    }
}

impl<D: Data> Server<D> {
    pub(super) fn handler_accepted<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        server: u32,
        ctx: &mut Context<'_, M>,
    ) {
        let limits = self.config.settings.init_limit + self.config.settings.sync_limit;
        let Role::Leading(leading) = &mut self.role else { return ctx.abort(conn) };
        // A follower that connects anew has given up the connection that it had.
        if let Some(old) = leading.handlers.iter().position(|handler| handler.server == server) {
            ctx.abort(leading.handlers.swap_remove(old).conn);
        }
        leading.handlers.push(Handler {
            conn,
            server,
            stage: Stage::Connected,
            acked: Zxid::ZERO,
            last: Zxid::ZERO,
            heard: ctx.monotonic(),
            deadline: leading.ticks + u64::from(limits),
            waits: None,
            next: None,
        });
    }

    pub(super) fn handler_closed(&mut self, conn: ConnId) -> bool {
        let Role::Leading(leading) = &mut self.role else { return false };
        let before = leading.handlers.len();
        leading.handlers.retain(|handler| handler.conn != conn);
        leading.handlers.len() < before
    }

    /// Something came from a follower.
    pub(super) fn follower_said<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        up: ToLeader<D>,
        ctx: &mut Context<'_, M>,
    ) {
        let sync_limit = u64::from(self.config.settings.sync_limit);
        let Role::Leading(leading) = &mut self.role else { return };
        let deadline = leading.ticks + sync_limit;
        let Some(handler) = leading.handler(conn) else { return };
        (handler.heard, handler.deadline) = (ctx.monotonic(), deadline);
        let server = handler.server;
        if !matches!(up, ToLeader::Request(..)) {
            ctx.spend(self.config.costs.internal);
        }
        match up {
            ToLeader::Info { accepted } => self.info(conn, server, accepted, ctx),
            ToLeader::AckEpoch { current, last } => {
                handler.last = last;
                self.epoch_accepted(conn, server, current, last, ctx);
            }
            ToLeader::AckNewLeader => {
                handler.stage = Stage::Synced;
                self.history_acknowledged(conn, server, ctx);
            }
            ToLeader::Ack(zxid) => {
                handler.acked = handler.acked.max(zxid);
                handler.note_ack(zxid);
                self.try_commit(ctx);
            }
            ToLeader::Request(session, xid, ask) => self.request(server, session, xid, *ask, ctx),
            ToLeader::Revalidate(session, timeout) => {
                let valid = leading.tracker.touch(session, timeout, self.config.clock.now(ctx));
                if valid {
                    leading.tracker.set_owner(session, server);
                }
                self.send(conn, Message::Down(ToFollower::Revalidated(session, valid)), ctx);
            }
            ToLeader::Pong(touched) => {
                for (session, timeout) in *touched {
                    leading.tracker.touch(session, timeout, self.config.clock.now(ctx));
                }
            }
        }
    }

    /// FOLLOWERINFO (`Leader.getEpochToPropose`): the new epoch is greater than any that a majority
    /// has accepted.
    fn info<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        server: u32,
        accepted: u32,
        ctx: &mut Context<'_, M>,
    ) {
        let Role::Leading(leading) = &mut self.role else { return };
        if let Some(handler) = leading.handler(conn) {
            handler.stage = Stage::Known;
        }
        if leading.step != Step::Epoch {
            let epoch = leading.epoch;
            return self.send(conn, Message::Down(ToFollower::Info(epoch)), ctx);
        }
        leading.epoch = leading.epoch.max(accepted + 1);
        leading.answers.insert(server);
        let (answers, epoch) = (leading.answers.len(), leading.epoch);
        if !self.is_majority(answers) {
            return;
        }
        self.disk.accepted = epoch;
        self.next_step(Step::Accept, ctx);
        let Role::Leading(leading) = &self.role else { return };
        let known = leading.handlers.iter().filter(|handler| handler.stage == Stage::Known);
        for conn in known.map(|handler| handler.conn).collect::<Vec<_>>() {
            self.send(conn, Message::Down(ToFollower::Info(epoch)), ctx);
        }
    }

    fn next_step<M: Carry<Message<D>>>(&mut self, step: Step, ctx: &mut Context<'_, M>) {
        let Role::Leading(leading) = &mut self.role else { return };
        leading.step = step;
        leading.answers.clear();
        if step == Step::Accept {
            leading.answers.insert(self.me);
        }
        self.limit_step(ctx);
    }

    /// ACKEPOCH (`Leader.waitForEpochAck`). A leader that finds a follower ahead of it gives up.
    fn epoch_accepted<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        server: u32,
        current: Option<u32>,
        last: Zxid,
        ctx: &mut Context<'_, M>,
    ) {
        let own = (self.disk.current, self.disk.log.last());
        let Role::Leading(leading) = &mut self.role else { return };
        if leading.step > Step::Accept {
            return self.synchronise(conn, ctx);
        }
        if let Some(handler) = leading.handler(conn) {
            handler.stage = Stage::Accepted;
        }
        if let Some(current) = current {
            if (current, last) > own {
                return self.look(ctx);
            }
            leading.answers.insert(server);
        }
        let answers = leading.answers.len();
        if !self.is_majority(answers) {
            return;
        }
        let Role::Leading(leading) = &self.role else { return };
        let accepted = leading.handlers.iter().filter(|handler| handler.stage == Stage::Accepted);
        let accepted: Vec<ConnId> = accepted.map(|handler| handler.conn).collect();
        self.next_step(Step::History, ctx);
        for conn in accepted {
            self.synchronise(conn, ctx);
        }
        self.flush(ctx);
    }

    /// Brings a follower's log to the leader's: by what it lacks, after it has dropped what the
    /// leader does not have, or by a snapshot if what it lacks is not kept any more.
    fn synchronise<M: Carry<Message<D>>>(&mut self, conn: ConnId, ctx: &mut Context<'_, M>) {
        let log = &self.disk.log;
        let Role::Leading(leading) = &mut self.role else { return };
        let Some(handler) = leading.handler(conn) else { return };
        let mut messages = Vec::new();
        let from = match log.last_until(handler.last) {
            None => {
                messages.push(ToFollower::Snapshot(Arc::new(log.base().clone())));
                log.base().zxid
            }
            Some(common) => {
                if common < handler.last {
                    messages.push(ToFollower::Truncate(common));
                }
                common
            }
        };
        messages.extend(log.after(from).map(|entry| ToFollower::Propose(entry.clone())));
        messages.push(ToFollower::NewLeader);
        (handler.stage, handler.acked) = (Stage::Syncing, log.last());
        for message in messages {
            self.send(conn, Message::Down(message), ctx);
        }
    }

    /// The ACK of NEWLEADER.
    fn history_acknowledged<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        server: u32,
        ctx: &mut Context<'_, M>,
    ) {
        let Role::Leading(leading) = &mut self.role else { return };
        if leading.step == Step::Serving {
            let applied = self.applied;
            self.send(conn, Message::Down(ToFollower::UpToDate(applied)), ctx);
            self.try_commit(ctx);
        } else {
            leading.answers.insert(server);
            self.try_establish(ctx);
        }
    }

    pub(super) fn wait_half_tick<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let half = Span::from_nanos(self.config.settings.tick.as_nanos() / 2);
        self.after(half, Timer::HalfTick, ctx);
    }

    /// `Leader.lead`: followers are pinged every half tick; every tick a majority must have been
    /// heard of within `syncLimit`.
    pub(super) fn half_tick<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let settings = &self.config.settings;
        let limit = settings.ticks(settings.sync_limit);
        let init_limit = settings.ticks(settings.init_limit);
        let now = ctx.monotonic();
        let Role::Leading(leading) = &mut self.role else { return };
        let whole = leading.half;
        leading.half = !whole;
        leading.ticks += u64::from(whole);
        let ticks = leading.ticks;
        let synced = leading
            .handlers
            .iter()
            .filter(|handler| handler.stage == Stage::Synced && ticks <= handler.deadline);
        let majority = synced.count() + 1;
        // `SyncLimitCheck` and the time-outs of the sockets, looked at twice a tick.
        let is_late = |handler: &Handler| {
            let silent = if handler.stage == Stage::Synced { limit } else { init_limit };
            let waits = handler.waits.map_or(Span::ZERO, |(_, since)| now.since(since));
            now.since(handler.heard) >= silent || waits >= limit
        };
        let (late, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut leading.handlers).into_iter().partition(is_late);
        leading.handlers = rest;
        let pinged = leading.forwarding();
        late.iter().for_each(|handler| ctx.abort(handler.conn));
        for conn in pinged {
            self.send(conn, Message::Down(ToFollower::Ping), ctx);
        }
        if whole && !self.is_majority(majority) {
            return self.look(ctx);
        }
        self.wait_half_tick(ctx);
    }
}
