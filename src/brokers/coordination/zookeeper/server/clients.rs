//! Connections of clients (`ZooKeeperServer.java`, `CommitProcessor.java`,
//! `FinalRequestProcessor.java` 3.4.14).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::engine::{Span, Time};
use crate::world::{ConnId, Context};

use super::super::super::Carry;
use super::super::data::{Answer, Data, Error, Op, Outcome, SessionId, Xid, Zxid, pop_front_if};
use super::super::message::{Ask, Connect, Message, Reply, ToLeader};
use super::super::tree::{Entry, Txn};
use super::super::watches::{Rewatch, Watches};
use super::{Role, Server};

/// What a client has asked for and not been told yet. Requests of a session are done in order.
#[derive(Clone, Debug)]
enum Waiting<D> {
    Read(Xid, Box<Op<D>>),
    Watches(Box<Rewatch>),
    Ping,
    /// A write, a sync, or the end of the session: the leader has it.
    Sent(Xid),
}

#[derive(Clone, Debug)]
struct Client<D> {
    session: Option<SessionId>,
    timeout: Span,
    /// Whether the session is known to live.
    open: bool,
    queue: VecDeque<Waiting<D>>,
}

/// The clients of a server.
#[derive(Clone, Debug)]
pub(super) struct Clients<D> {
    conns: BTreeMap<ConnId, Client<D>>,
    sessions: BTreeMap<SessionId, ConnId>,
    watches: Watches,
    next: u64,
}

impl<D: Data> Clients<D> {
    pub(super) fn new() -> Clients<D> {
        Clients {
            conns: BTreeMap::new(),
            sessions: BTreeMap::new(),
            watches: Watches::default(),
            next: 0,
        }
    }

    /// `SessionTrackerImpl.initializeNextSession`: numbers of sessions begin with the time, so that
    /// those of an earlier process do not come again.
    pub(super) fn boot(&mut self, server: u32, now: Time) {
        self.next = u64::from(server + 1) << 56 | (now.as_millis() & 0xff_ffff_ffff) << 16;
    }

    pub(super) fn accept(&mut self, conn: ConnId) {
        let client =
            Client { session: None, timeout: Span::ZERO, open: false, queue: VecDeque::new() };
        self.conns.insert(conn, client);
    }

    pub(super) fn find(&self, session: SessionId) -> Option<ConnId> {
        self.sessions.get(&session).copied()
    }

    pub(super) fn load(&self) -> (usize, usize) {
        (self.conns.len(), self.watches.len())
    }

    fn forget(&mut self, conn: ConnId) -> bool {
        let Some(client) = self.conns.remove(&conn) else { return false };
        if let Some(session) = client.session
            && self.sessions.get(&session) == Some(&conn)
        {
            self.sessions.remove(&session);
        }
        self.watches.forget(conn);
        true
    }
}

impl<D: Data> Server<D> {
    pub(super) fn client_closed(&mut self, conn: ConnId) -> bool {
        self.clients.forget(conn)
    }

    fn drop_client<M: Carry<Message<D>>>(&mut self, conn: ConnId, ctx: &mut Context<'_, M>) {
        if self.clients.forget(conn) {
            ctx.close(conn);
        }
    }

    pub(super) fn drop_clients<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        while let Some((conn, _)) = self.clients.conns.first_key_value() {
            self.drop_client(*conn, ctx);
        }
    }

    /// Something came from a client.
    pub(super) fn client_said<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        message: Message<D>,
        ctx: &mut Context<'_, M>,
    ) {
        let Some(client) = self.clients.conns.get_mut(&conn) else { return };
        let (waiting, ask) = match message {
            Message::Connect(connect) => return self.handshake(conn, *connect, ctx),
            Message::Request(xid, op) if op.is_write() || *op == Op::Sync => {
                (Waiting::Sent(xid), Some((xid, Ask::Op(*op))))
            }
            Message::Request(xid, op) => (Waiting::Read(xid, op), None),
            Message::Close(xid) => (Waiting::Sent(xid), Some((xid, Ask::Close))),
            Message::SetWatches(rewatch) => (Waiting::Watches(rewatch), None),
            Message::Ping => (Waiting::Ping, None),
            _ => return,
        };
        let (Some(session), true) = (client.session, client.open) else { return };
        let timeout = client.timeout;
        client.queue.push_back(waiting);
        self.touch(session, timeout, ctx);
        match ask {
            Some((xid, ask)) => self.submit(session, xid, ask, ctx),
            None => self.serve(conn, ctx),
        }
    }

    /// Every message of a client says that its session lives (`ZooKeeperServer.touch`).
    fn touch<M: Carry<Message<D>>>(
        &mut self,
        session: SessionId,
        timeout: Span,
        ctx: &mut Context<'_, M>,
    ) {
        match &mut self.role {
            Role::Following(following) => following.touch(session, timeout),
            Role::Leading(leading) => {
                leading.tracker.touch(session, timeout, self.config.clock.now(ctx));
            }
            Role::Down | Role::Looking(_) => {}
        }
    }

    /// `ZooKeeperServer.processConnectRequest`.
    fn handshake<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        connect: Connect,
        ctx: &mut Context<'_, M>,
    ) {
        ctx.spend(self.config.costs.read);
        // "ZooKeeperServer not running"; "client must try another server".
        if !self.is_serving() || connect.seen > self.applied {
            return self.drop_client(conn, ctx);
        }
        let timeout = self.config.settings.negotiate(connect.timeout);
        let session = connect.session.unwrap_or_else(|| {
            self.clients.next += 1;
            SessionId(self.clients.next)
        });
        // `cnxnFactory.closeSession`: an older connection of the session.
        if let Some(old) = self.clients.find(session).filter(|old| *old != conn) {
            self.drop_client(old, ctx);
        }
        let Some(client) = self.clients.conns.get_mut(&conn) else { return };
        (client.session, client.timeout) = (Some(session), timeout);
        self.clients.sessions.insert(session, conn);
        if connect.session.is_none() {
            return self.submit(session, Xid(0), Ask::Open(timeout), ctx);
        }
        // `reopenSession`, `revalidateSession`: only the leader knows whether it lives.
        match &mut self.role {
            Role::Leading(leading) => {
                let valid = leading.tracker.touch(session, timeout, self.config.clock.now(ctx));
                leading.tracker.set_owner(session, self.me);
                self.revalidated(session, valid, ctx);
            }
            Role::Following(following) => {
                if let Some(leader) = following.conn {
                    let up = ToLeader::Revalidate(session, timeout);
                    self.send(leader, Message::Up(up), ctx);
                }
            }
            Role::Down | Role::Looking(_) => {}
        }
    }

    /// Whether a session that a client has come back with still lives
    /// (`ZooKeeperServer.finishSessionInit`).
    pub(super) fn revalidated<M: Carry<Message<D>>>(
        &mut self,
        session: SessionId,
        valid: bool,
        ctx: &mut Context<'_, M>,
    ) {
        let Some(conn) = self.clients.find(session) else { return };
        let Some(client) = self.clients.conns.get_mut(&conn).filter(|client| !client.open) else {
            return;
        };
        client.open = valid;
        let session = valid.then_some((session, client.timeout));
        self.send(conn, Message::Session(session), ctx);
        if !valid {
            self.drop_client(conn, ctx);
        }
    }

    /// Gives the leader what is its to decide.
    fn submit<M: Carry<Message<D>>>(
        &mut self,
        session: SessionId,
        xid: Xid,
        ask: Ask<D>,
        ctx: &mut Context<'_, M>,
    ) {
        match &self.role {
            Role::Leading(_) => self.request(self.me, session, xid, ask, ctx),
            Role::Following(following) => {
                ctx.spend(self.config.costs.internal);
                if let Some(leader) = following.conn {
                    let up = ToLeader::Request(session, xid, Box::new(ask));
                    self.send(leader, Message::Up(up), ctx);
                }
            }
            Role::Down | Role::Looking(_) => {}
        }
    }

    /// Does what a client waits for, up to what the leader has to decide.
    fn serve<M: Carry<Message<D>>>(&mut self, conn: ConnId, ctx: &mut Context<'_, M>) {
        while let Some(client) = self.clients.conns.get_mut(&conn) {
            let here = |waiting: &Waiting<D>| !matches!(waiting, Waiting::Sent(_));
            let Some(waiting) = pop_front_if(&mut client.queue, here) else { return };
            ctx.spend(self.config.costs.read);
            match waiting {
                Waiting::Read(xid, op) => {
                    let outcome = self.tree.read(&op);
                    self.clients.watches.register(conn, &op, &outcome);
                    self.respond(conn, xid, outcome, ctx);
                }
                Waiting::Watches(rewatch) => {
                    for (path, kind) in self.clients.watches.set(conn, &self.tree, &rewatch) {
                        self.send(conn, Message::Event(path, kind), ctx);
                    }
                }
                Waiting::Ping => self.send(conn, Message::Pong, ctx),
                Waiting::Sent(_) => {}
            }
        }
    }

    fn respond<M: Carry<Message<D>>>(
        &self,
        conn: ConnId,
        xid: Xid,
        outcome: Outcome<D>,
        ctx: &mut Context<'_, M>,
    ) {
        let reply = Reply { zxid: self.applied, outcome };
        self.send(conn, Message::Response(xid, Box::new(reply)), ctx);
    }

    /// The leader has answered a sync: all that was committed before it is here by now.
    pub(super) fn answer_sync<M: Carry<Message<D>>>(
        &mut self,
        session: SessionId,
        xid: Xid,
        ctx: &mut Context<'_, M>,
    ) {
        self.answer(session, xid, Ok(Answer::Done), ctx);
    }

    /// Tells a client of this server what came of what the leader had.
    fn answer<M: Carry<Message<D>>>(
        &mut self,
        session: SessionId,
        xid: Xid,
        outcome: Outcome<D>,
        ctx: &mut Context<'_, M>,
    ) {
        let Some(conn) = self.clients.find(session) else { return };
        let Some(client) = self.clients.conns.get_mut(&conn) else { return };
        // Not a request that an earlier connection of the session had made.
        let is_it = |waiting: &Waiting<D>| matches!(waiting, Waiting::Sent(sent) if *sent == xid);
        if client.open && pop_front_if(&mut client.queue, is_it).is_some() {
            let moved = outcome == Err(Error::SessionMoved);
            self.respond(conn, xid, outcome, ctx);
            if moved {
                self.drop_client(conn, ctx);
            }
            self.serve(conn, ctx);
        }
    }

    /// Does what is committed, up to `zxid`. Watches tell before anybody can read what they tell
    /// of.
    pub(super) fn commit_to<M: Carry<Message<D>>>(&mut self, zxid: Zxid, ctx: &mut Context<'_, M>) {
        let after = self.disk.log.after(self.applied).take_while(|entry| entry.zxid <= zxid);
        let entries: Vec<Arc<Entry<D>>> = after.cloned().collect();
        for entry in entries {
            ctx.spend(self.config.costs.apply);
            let mut changes = Vec::new();
            let outcome = self.tree.apply(entry.zxid, entry.session, &entry.txn, &mut changes);
            self.applied = entry.zxid;
            for change in &changes {
                for (conn, path, kind) in self.clients.watches.trigger(change) {
                    self.send(conn, Message::Event(path, kind), ctx);
                }
            }
            match &entry.txn {
                Txn::Open { timeout } => self.opened(entry.session, *timeout, ctx),
                Txn::Close => {
                    self.answer(entry.session, entry.xid, Ok(Answer::Done), ctx);
                    self.closed(entry.session, ctx);
                }
                _ => self.answer(entry.session, entry.xid, outcome, ctx),
            }
        }
        self.fold(ctx);
    }

    fn opened<M: Carry<Message<D>>>(
        &mut self,
        session: SessionId,
        timeout: Span,
        ctx: &mut Context<'_, M>,
    ) {
        let Some(conn) = self.clients.find(session) else { return };
        if let Some(client) = self.clients.conns.get_mut(&conn).filter(|client| !client.open) {
            client.open = true;
            self.send(conn, Message::Session(Some((session, timeout))), ctx);
        }
    }

    /// A session is over: its connection as well, if it is here.
    fn closed<M: Carry<Message<D>>>(&mut self, session: SessionId, ctx: &mut Context<'_, M>) {
        if let Role::Leading(leading) = &mut self.role {
            leading.tracker.remove(session);
        }
        if let Some(conn) = self.clients.find(session) {
            self.drop_client(conn, ctx);
        }
    }
}
