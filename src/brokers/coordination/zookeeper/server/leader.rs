//! A leader (`Leader.java`, `PrepRequestProcessor.java`, `LeaderZooKeeperServer.java` 3.4.14).

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::engine::Span;
use crate::world::{ConnId, Context};

use super::super::super::Carry;
use super::super::config::QUORUM_PORT;
use super::super::data::{Data, Op, SessionId, Xid, Zxid, pop_front_if};
use super::super::message::{Ask, Message, Timer, ToFollower};
use super::super::tracker::Tracker;
use super::super::tree::{Entry, Tree, Txn};
use super::handlers::{Handler, Stage};
use super::{Role, Server};

/// How far a leader has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Step {
    /// A majority has to say which epochs it knows (`getEpochToPropose`).
    Epoch,
    /// A majority has to accept the new one (`waitForEpochAck`).
    Accept,
    /// A majority has to have the leader's history (`waitForNewLeaderAck`).
    History,
    /// It leads.
    Serving,
}

/// A leader's own affairs.
#[derive(Clone, Debug)]
pub(super) struct Leading<D> {
    pub(super) epoch: u32,
    pub(super) step: Step,
    pub(super) handlers: Vec<Handler>,
    /// The length of the log when it was elected.
    history: u64,
    /// Who has answered at the present step.
    pub(super) answers: BTreeSet<u32>,
    /// The tree with all that is proposed (`outstandingChanges`).
    pending: Tree<D>,
    /// The last number given to a transaction.
    last: Zxid,
    pub(super) tracker: Tracker,
    /// Ticks since it serves, and whether half of another is over.
    pub(super) ticks: u64,
    pub(super) half: bool,
    /// Syncs that wait for a transaction, with the server that is to be told.
    syncs: VecDeque<(Zxid, u32, SessionId, Xid)>,
}

impl<D: Data> Leading<D> {
    pub(super) fn is_serving(&self) -> bool {
        self.step == Step::Serving
    }

    pub(super) fn conns(&self) -> impl Iterator<Item = ConnId> {
        self.handlers.iter().map(|handler| handler.conn)
    }

    /// The connections of followers that get proposals.
    pub(super) fn forwarding(&self) -> Vec<ConnId> {
        let forwarded = |handler: &&Handler| handler.stage >= Stage::Syncing;
        self.handlers.iter().filter(forwarded).map(|handler| handler.conn).collect()
    }
}

impl<D: Data> Server<D> {
    pub(super) fn is_majority(&self, servers: usize) -> bool {
        servers > self.config.servers.len() / 2
    }

    fn new_leading<M>(&self, epoch: u32, step: Step, ctx: &mut Context<'_, M>) -> Leading<D> {
        let tick = self.config.settings.tick;
        let phase = Span::from_nanos(ctx.random().below(tick.as_nanos().max(1)));
        Leading {
            epoch,
            step,
            handlers: Vec::new(),
            history: self.disk.log.end(),
            answers: BTreeSet::from([self.me]),
            pending: Tree::new(),
            last: Zxid::ZERO,
            tracker: Tracker::new(tick, phase),
            ticks: 0,
            half: false,
            syncs: VecDeque::new(),
        }
    }

    /// It was elected.
    pub(super) fn lead<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let leading = self.new_leading(self.disk.accepted + 1, Step::Epoch, ctx);
        self.role = Role::Leading(Box::new(leading));
        ctx.listen(QUORUM_PORT);
        self.limit_step(ctx);
    }

    /// A server alone leads at once, and numbers on (`ZooKeeperServerMain.java` 3.4.14). It serves
    /// once what it has found in its log is durable; the real one writes a snapshot first, which it
    /// does not fsync, so that a kill and then a loss of power could take back what was read.
    pub(super) fn lead_alone<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        self.era += 1;
        let mut leading = self.new_leading(self.disk.current, Step::History, ctx);
        leading.answers.clear();
        self.role = Role::Leading(Box::new(leading));
        self.flush(ctx);
    }

    /// A step may take `initLimit`.
    pub(super) fn limit_step<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let Role::Leading(leading) = &self.role else { return };
        let step = leading.step as u8;
        let limit = self.config.settings.ticks(self.config.settings.init_limit);
        self.after(limit, Timer::Establish(step), ctx);
    }

    pub(super) fn not_established<M: Carry<Message<D>>>(
        &mut self,
        step: u8,
        ctx: &mut Context<'_, M>,
    ) {
        if matches!(&self.role, Role::Leading(leading) if leading.step as u8 == step) {
            self.look(ctx);
        }
    }

    /// The leader's own log has come onto the disk.
    pub(super) fn acknowledge_own<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let safe = self.disk.safe(self.config.settings.force_sync);
        let Role::Leading(leading) = &mut self.role else { return };
        // The history is durable before the epoch counts as current: else a loss of power could
        // leave an epoch that wins elections without it. The real one flushes before it elects.
        let durable = safe >= leading.history;
        if durable && leading.step >= Step::History {
            self.disk.current = leading.epoch;
        }
        match leading.step {
            Step::Epoch | Step::Accept => {}
            Step::History => {
                if durable {
                    leading.answers.insert(self.me);
                    self.try_establish(ctx);
                }
            }
            Step::Serving => self.try_commit(ctx),
        }
    }

    pub(super) fn try_establish<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let Role::Leading(leading) = &self.role else { return };
        if leading.step == Step::History && self.is_majority(leading.answers.len()) {
            self.establish(ctx);
        }
    }

    /// A majority has the history: all of it is committed. Every session gets a whole timeout, as
    /// nobody knows when it was last heard of (`LeaderZooKeeperServer.java` 3.4.14,
    /// `createSessionTracker`).
    fn establish<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let Role::Leading(leading) = &mut self.role else { return };
        leading.step = Step::Serving;
        let epoch = leading.epoch;
        self.vote.epoch = epoch;
        let last = self.disk.log.last();
        self.commit_to(last, ctx);
        let Role::Leading(leading) = &mut self.role else { return };
        leading.pending = self.tree.clone();
        // A server alone goes on to count in its old epoch.
        leading.last = last.max(Zxid::new(epoch, 0));
        for (session, timeout) in self.tree.sessions() {
            leading.tracker.add(session, timeout, self.config.clock.now(ctx));
        }
        let synced = |handler: &&Handler| handler.stage == Stage::Synced;
        let synced: Vec<ConnId> =
            leading.handlers.iter().filter(synced).map(|handler| handler.conn).collect();
        for conn in synced {
            self.send(conn, Message::Down(ToFollower::UpToDate(last)), ctx);
        }
        if !self.is_standalone() {
            self.wait_half_tick(ctx);
        }
        self.wait_for_bucket(ctx);
        ctx.ready();
        self.tell(self.config.words.leading, None, u64::from(epoch), ctx);
    }

    fn wait_for_bucket<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let Role::Leading(leading) = &self.role else { return };
        let now = self.config.clock.now(ctx);
        let wait = leading.tracker.bucket(now).since(now);
        self.after(wait, Timer::Sessions, ctx);
    }

    /// A bucket of sessions is over: what is in it has expired (`SessionTrackerImpl.java` 3.4.14,
    /// `run`).
    pub(super) fn expire_sessions<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let Role::Leading(leading) = &mut self.role else { return };
        let expired = leading.tracker.expire(self.config.clock.now(ctx));
        if !expired.is_empty() {
            self.tell(self.config.words.expired, None, expired.len() as u64, ctx);
        }
        for session in expired {
            ctx.spend(self.config.costs.propose);
            self.close_session(session, Xid(0), ctx);
        }
        self.wait_for_bucket(ctx);
    }

    fn close_session<M: Carry<Message<D>>>(
        &mut self,
        session: SessionId,
        xid: Xid,
        ctx: &mut Context<'_, M>,
    ) {
        let Role::Leading(leading) = &mut self.role else { return };
        leading.tracker.close(session);
        let zxid = leading.last.next();
        leading.pending.apply(zxid, session, &Txn::Close, &mut Vec::new()).ok();
        self.propose(session, xid, Txn::Close, ctx);
    }

    /// A client's request that came by way of `server`.
    pub(super) fn request<M: Carry<Message<D>>>(
        &mut self,
        server: u32,
        session: SessionId,
        xid: Xid,
        ask: Ask<D>,
        ctx: &mut Context<'_, M>,
    ) {
        let Role::Leading(leading) = &mut self.role else { return };
        if leading.step != Step::Serving {
            return;
        }
        let zxid = leading.last.next();
        let txn = match ask {
            Ask::Op(Op::Sync) => return self.request_sync(server, session, xid, ctx),
            Ask::Close => {
                ctx.spend(self.config.costs.propose);
                return self.close_session(session, xid, ctx);
            }
            Ask::Open(timeout) => {
                leading.tracker.add(session, timeout, self.config.clock.now(ctx));
                leading.tracker.set_owner(session, server);
                let txn = Txn::Open { timeout };
                leading.pending.apply(zxid, session, &txn, &mut Vec::new()).ok();
                txn
            }
            Ask::Op(op) => match leading.tracker.check(session, server) {
                Ok(()) => leading.pending.propose(zxid, session, &op),
                Err(error) => Txn::Failed(error),
            },
        };
        ctx.spend(self.config.costs.propose);
        self.propose(session, xid, txn, ctx);
    }

    fn propose<M: Carry<Message<D>>>(
        &mut self,
        session: SessionId,
        xid: Xid,
        txn: Txn<D>,
        ctx: &mut Context<'_, M>,
    ) {
        let Role::Leading(leading) = &mut self.role else { return };
        leading.last = leading.last.next();
        let entry = Arc::new(Entry { zxid: leading.last, session, xid, txn });
        for handler in &mut leading.handlers {
            handler.note_proposal(entry.zxid, ctx.monotonic());
        }
        let conns = leading.forwarding();
        if !self.append(entry.clone(), ctx) {
            return;
        }
        for conn in conns {
            self.send(conn, Message::Down(ToFollower::Propose(entry.clone())), ctx);
        }
        self.flush(ctx);
    }

    /// Commits what a majority has in its logs, in order.
    pub(super) fn try_commit<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let own = self.safe_zxid();
        let Role::Leading(leading) = &self.role else { return };
        if leading.step != Step::Serving {
            return;
        }
        let synced = leading.handlers.iter().filter(|handler| handler.stage == Stage::Synced);
        let mut acked: Vec<Zxid> = synced.map(|handler| handler.acked).collect();
        acked.push(own);
        acked.sort_unstable_by(|a, b| b.cmp(a));
        let majority = self.config.servers.len() / 2;
        let Some(zxid) = acked.get(majority).copied().filter(|zxid| *zxid > self.applied) else {
            return;
        };
        for conn in leading.forwarding() {
            self.send(conn, Message::Down(ToFollower::Commit(zxid)), ctx);
        }
        self.commit_to(zxid, ctx);
        self.finish_syncs(ctx);
    }

    /// `Leader.processSync`: it waits for what is proposed.
    fn request_sync<M: Carry<Message<D>>>(
        &mut self,
        server: u32,
        session: SessionId,
        xid: Xid,
        ctx: &mut Context<'_, M>,
    ) {
        let last = self.disk.log.last();
        let Role::Leading(leading) = &mut self.role else { return };
        leading.syncs.push_back((last, server, session, xid));
        self.finish_syncs(ctx);
    }

    fn finish_syncs<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        loop {
            let Role::Leading(leading) = &mut self.role else { return };
            let applied = self.applied;
            let Some((_, server, session, xid)) =
                pop_front_if(&mut leading.syncs, |(zxid, ..)| *zxid <= applied)
            else {
                return;
            };
            if server == self.me {
                self.answer_sync(session, xid, ctx);
            } else if let Some(handler) =
                leading.handlers.iter().find(|handler| handler.server == server)
            {
                let conn = handler.conn;
                self.send(conn, Message::Down(ToFollower::Synced(session, xid)), ctx);
            }
        }
    }
}
