//! One server of an ensemble: a host's whole machine (`QuorumPeer.java` 3.4.14).
//!
//! It looks for a leader, then leads or follows, until it loses its majority or its leader and
//! looks again. Clients are served only while it leads or follows. One lane does everything; the
//! threads of the real server only overlap its work.
//!
//! | file | what |
//! | --- | --- |
//! | `peers.rs` | connections on which servers elect |
//! | `looking.rs` | the election, and what follows from it |
//! | `leader.rs`, `handlers.rs` | a leader: its epoch, its history, proposals, sessions |
//! | `follower.rs` | a follower: catching up, acknowledging, committing |
//! | `clients.rs` | connections of clients, reads, watches, what waits for a commit |
//! | `disk.rs` | the log: written, fsynced, cut, folded, and what an end leaves of it |
//!
//! Not modelled: observers, hierarchical quorums, ACLs and passwords, a server that elects anew
//! because its disk is slow to load a snapshot. The files of the epochs are durable at once.

mod clients;
mod disk;
mod follower;
mod handlers;
mod leader;
mod looking;
mod peers;

use std::sync::Arc;

use crate::engine::{Span, Time};
use crate::observe::{Event, EventId, NodeId, Observer};
use crate::world::{Boot, Context, Death, DiskView, Input, Port, TimerId, Wait};

use super::super::Carry;
use super::config::{CLIENT_PORT, Config, ELECTION_PORT, QUORUM_PORT};
use super::data::{Data, SessionId, Zxid};
use super::election::{Doing, Vote};
use super::log::Log;
use super::message::{Message, Timer};
use super::tree::Tree;
use clients::Clients;
use disk::Disk;
use follower::Following;
use leader::Leading;
use looking::Looking;
use peers::Peers;

/// What a server is doing.
#[derive(Clone, Debug)]
enum Role<D> {
    /// Its process is down.
    Down,
    Looking(Box<Looking>),
    Following(Box<Following>),
    Leading(Box<Leading<D>>),
}

/// A ZooKeeper server.
#[derive(Clone, Debug)]
pub struct Server<D> {
    config: Arc<Config>,
    /// Its index in [`Config::servers`].
    me: u32,
    disk: Disk<D>,
    /// What is committed and done here.
    tree: Tree<D>,
    applied: Zxid,
    role: Role<D>,
    /// Counts its roles, so that timers of an earlier one are known.
    era: u32,
    peers: Peers,
    /// The last round of elections that it took part in (`logicalclock`).
    round: u64,
    /// What it says it votes for while it is not looking.
    vote: Vote,
    clients: Clients<D>,
}

impl<D: Data> Server<D> {
    /// The server on host `node` of the ensemble; its tree is `initial` before the run.
    ///
    /// # Panics
    /// If `node` is no server of `config`.
    #[must_use]
    pub fn new(config: Arc<Config>, node: NodeId, initial: &Tree<D>) -> Server<D> {
        let me = config.server(node).expect("the host is one of the ensemble");
        let servers = config.servers.len();
        Server {
            me,
            disk: Disk::new(initial.clone()),
            tree: initial.clone(),
            applied: Zxid::ZERO,
            role: Role::Down,
            era: 0,
            peers: Peers::new(servers),
            round: 0,
            vote: Vote { leader: me, zxid: Zxid::ZERO, epoch: 0 },
            clients: Clients::new(),
            config,
        }
    }

    /// One input of its host.
    pub fn handle<M: Carry<Message<D>>>(&mut self, input: Input<M>, ctx: &mut Context<'_, M>) {
        match input {
            Input::Boot(boot) => self.boot(&boot, ctx),
            Input::Signal(crate::world::Signal::Stop) => ctx.exit(),
            Input::Signal(_) | Input::Writable { .. } => {}
            Input::Accepted { conn, peer, port } => self.accepted(conn, peer, port, ctx),
            Input::Connected { conn } => {
                if !self.peer_connected(conn, ctx) {
                    self.leader_connected(conn, ctx);
                }
            }
            Input::Failed { conn, .. } => {
                if !self.peer_closed(conn) {
                    self.leader_refused(conn, ctx);
                }
            }
            Input::Closed { conn, .. } => {
                if !self.peer_closed(conn)
                    && !self.client_closed(conn)
                    && !self.handler_closed(conn)
                {
                    self.leader_closed(conn, ctx);
                }
            }
            Input::Message { conn, body } => {
                if let Ok(message) = body.open() {
                    self.message(conn, message, ctx);
                }
            }
            // "Severe unrecoverable error, exiting" (SyncRequestProcessor.java 3.4.14, `run`).
            Input::DiskFailed { .. } => ctx.exit(),
            Input::Local { body } => match body.open() {
                Ok(Message::Synced { cuts }) => self.synced(cuts, ctx),
                Ok(Message::Timer { timer, era }) if era == self.era => self.timer(timer, ctx),
                _ => {}
            },
        }
        self.debug_check();
    }

    fn boot<M: Carry<Message<D>>>(&mut self, _: &Boot, ctx: &mut Context<'_, M>) {
        self.disk.boot(ctx);
        self.applied = self.disk.log.base().zxid;
        self.tree = self.disk.log.base().tree.clone();
        self.clients.boot(self.me, ctx.monotonic());
        ctx.listen(CLIENT_PORT);
        if self.is_standalone() {
            return self.lead_alone(ctx);
        }
        ctx.listen(ELECTION_PORT);
        self.look(ctx);
    }

    /// Whether it has no others to agree with (`ZooKeeperServerMain.java` 3.4.14).
    fn is_standalone(&self) -> bool {
        self.config.servers.len() == 1
    }

    fn accepted<M: Carry<Message<D>>>(
        &mut self,
        conn: crate::world::ConnId,
        peer: NodeId,
        port: Port,
        ctx: &mut Context<'_, M>,
    ) {
        match (port, self.config.server(peer)) {
            (ELECTION_PORT, Some(server)) => self.peer_accepted(conn, server, ctx),
            (QUORUM_PORT, Some(server)) => self.handler_accepted(conn, server, ctx),
            (CLIENT_PORT, _) => self.clients.accept(conn),
            _ => ctx.abort(conn),
        }
    }

    fn message<M: Carry<Message<D>>>(
        &mut self,
        conn: crate::world::ConnId,
        message: Message<D>,
        ctx: &mut Context<'_, M>,
    ) {
        match message {
            Message::Notification(said) => self.notified(conn, *said, ctx),
            Message::Up(up) => self.follower_said(conn, up, ctx),
            Message::Down(down) => self.leader_said(conn, down, ctx),
            message => self.client_said(conn, message, ctx),
        }
    }

    fn timer<M: Carry<Message<D>>>(&mut self, timer: Timer, ctx: &mut Context<'_, M>) {
        match timer {
            Timer::Resend => self.resend(ctx),
            Timer::Settle(number) => self.settle(number, ctx),
            Timer::HalfTick => self.half_tick(ctx),
            Timer::Sessions => self.expire_sessions(ctx),
            Timer::Establish(step) => self.not_established(step, ctx),
            Timer::Silence => self.silence(ctx),
            Timer::Retry => self.connect_leader(ctx),
        }
    }

    /// Sets a timer of the present role.
    fn after<M: Carry<Message<D>>>(
        &self,
        delay: Span,
        timer: Timer,
        ctx: &mut Context<'_, M>,
    ) -> TimerId {
        let lane = ctx.lane();
        ctx.after(delay, lane, Message::Timer { timer, era: self.era }.into())
    }

    fn send<M: Carry<Message<D>>>(
        &self,
        conn: crate::world::ConnId,
        message: Message<D>,
        ctx: &mut Context<'_, M>,
    ) {
        let bytes = message.bytes() + self.config.costs.overhead;
        ctx.send(conn, message.into(), bytes);
    }

    fn tell<M: Carry<Message<D>>>(
        &self,
        word: Option<EventId>,
        subject: Option<u32>,
        count: u64,
        ctx: &mut Context<'_, M>,
    ) {
        let Some(word) = word else { return };
        let subject = subject.map(|server| self.config.servers[server as usize]);
        let (at, node) = (ctx.now(), ctx.node());
        ctx.observer().event(at, Event { word, node, destination: None, subject, count });
    }

    /// The process is gone; called again if more is lost. Keeps what the disk kept.
    pub fn died(&mut self, death: Death, disk: &DiskView<'_>, _: Time, _: &mut dyn Observer) {
        self.disk.died(death, disk);
        self.applied = self.disk.log.base().zxid;
        self.tree = self.disk.log.base().tree.clone();
        self.role = Role::Down;
        self.era += 1;
        self.peers = Peers::new(self.config.servers.len());
        self.round = 0;
        self.clients = Clients::new();
    }

    /// Whether clients are served.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        match &self.role {
            Role::Down | Role::Looking(_) => false,
            Role::Following(following) => following.is_serving(),
            Role::Leading(leading) => leading.is_serving(),
        }
    }

    /// Serving, and nothing proposed that is not committed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.waits_for().is_none()
    }

    /// What it waits for; `None` if it serves and has done all that is in its log.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        if !self.is_serving() {
            return Some("a leader and a majority of the ensemble".into());
        }
        let behind = self.applied != self.disk.log.last();
        behind.then(|| "a proposal to be committed".into())
    }

    /// What it is doing; `None` while its process is down.
    #[must_use]
    pub fn doing(&self) -> Option<Doing> {
        match &self.role {
            Role::Down => None,
            Role::Looking(_) => Some(Doing::Looking),
            Role::Following(_) => Some(Doing::Following),
            Role::Leading(_) => Some(Doing::Leading),
        }
    }

    /// The epoch that it leads, once a majority has agreed to that.
    #[must_use]
    pub fn leads(&self) -> Option<u32> {
        match &self.role {
            Role::Leading(leading) if leading.is_serving() => Some(leading.epoch),
            _ => None,
        }
    }

    /// The tree as its clients see it: what is committed here.
    #[must_use]
    pub fn tree(&self) -> &Tree<D> {
        &self.tree
    }

    /// The last transaction that is committed and done here.
    #[must_use]
    pub fn applied(&self) -> Zxid {
        self.applied
    }

    /// Its log: committed up to [`applied`](Self::applied), beyond that perhaps.
    #[must_use]
    pub fn log(&self) -> &Log<D> {
        &self.disk.log
    }

    /// The last epoch in which it was in sync with a leader.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.disk.current
    }

    /// How many connections of clients it has, and how many watches.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        self.clients.load()
    }

    /// The session of the client on host `node`, if one is connected here.
    #[must_use]
    pub fn serves(&self, session: SessionId) -> bool {
        self.clients.find(session).is_some()
    }

    fn debug_check(&self) {
        debug_assert!(self.applied <= self.disk.log.last() || !self.is_serving());
        debug_assert!(self.applied >= self.disk.log.base().zxid);
        debug_assert!(self.disk.current <= self.disk.accepted);
    }
}
