//! The connections on which servers elect (`QuorumCnxManager.java` 3.4.14): one for each pair,
//! opened by the server with the greater number.
//!
//! The real `connectAll` waits for each peer in turn (asynchronous since 3.6); here it does not.

use crate::engine::{Span, Time};
use crate::world::{ConnId, Context};

use super::super::super::Carry;
use super::super::config::ELECTION_PORT;
use super::super::data::Data;
use super::super::election::Notification;
use super::super::message::Message;
use super::Server;

/// `cnxTO`: an attempt to connect is given up after this.
const CONNECT_TIMEOUT: Span = Span::from_secs(5);

#[derive(Clone, Debug, Default)]
struct Peer {
    conn: Option<ConnId>,
    open: bool,
    /// When the connection was asked for.
    since: Time,
    /// What was said last, or waits to be said: only the newest counts (`SEND_CAPACITY` is 1).
    last: Option<Notification>,
}

/// The other servers of an ensemble.
#[derive(Clone, Debug)]
pub(super) struct Peers(Vec<Peer>);

impl Peers {
    pub(super) fn new(servers: usize) -> Peers {
        Peers(vec![Peer::default(); servers])
    }

    /// Which server a connection leads to.
    pub(super) fn find(&self, conn: ConnId) -> Option<u32> {
        self.0.iter().position(|peer| peer.conn == Some(conn)).map(|index| index as u32)
    }
}

impl<D: Data> Server<D> {
    /// Tells a server something, now or as soon as there is a connection.
    pub(super) fn say<M: Carry<Message<D>>>(
        &mut self,
        server: u32,
        said: Notification,
        ctx: &mut Context<'_, M>,
    ) {
        let peer = &mut self.peers.0[server as usize];
        peer.last = Some(said);
        match peer.conn {
            Some(conn) if peer.open => {
                self.send(conn, Message::Notification(Box::new(said)), ctx);
            }
            Some(conn) if ctx.monotonic().since(peer.since) < CONNECT_TIMEOUT => {
                debug_assert!(!peer.open, "{conn:?}");
            }
            pending => {
                if let Some(conn) = pending {
                    ctx.abort(conn);
                }
                self.connect_peer(server, ctx);
            }
        }
    }

    fn connect_peer<M: Carry<Message<D>>>(&mut self, server: u32, ctx: &mut Context<'_, M>) {
        let conn = ctx.connect(self.config.servers[server as usize], ELECTION_PORT);
        let peer = &mut self.peers.0[server as usize];
        (peer.conn, peer.open, peer.since) = (Some(conn), false, ctx.monotonic());
    }

    /// `initiateConnection`: a server with a greater number only needs to know that it is wanted;
    /// it connects itself.
    pub(super) fn peer_connected<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        ctx: &mut Context<'_, M>,
    ) -> bool {
        let Some(server) = self.peers.find(conn) else { return false };
        if server > self.me {
            ctx.close(conn);
            self.peers.0[server as usize].conn = None;
        } else {
            self.peer_open(server, ctx);
        }
        true
    }

    fn peer_open<M: Carry<Message<D>>>(&mut self, server: u32, ctx: &mut Context<'_, M>) {
        let peer = &mut self.peers.0[server as usize];
        peer.open = true;
        // `SendWorker.run`: the last message is sent again, as it may have been lost.
        if let (Some(conn), Some(last)) = (peer.conn, peer.last) {
            self.send(conn, Message::Notification(Box::new(last)), ctx);
        }
    }

    /// `receiveConnection`.
    pub(super) fn peer_accepted<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        server: u32,
        ctx: &mut Context<'_, M>,
    ) {
        let peer = &mut self.peers.0[server as usize];
        let old = peer.conn.take();
        if server < self.me {
            // An attempt of our own that is under way is as good as a new one.
            if !peer.open && old.is_some() {
                peer.conn = old;
                return ctx.close(conn);
            }
            ctx.close(conn);
            if let Some(old) = old {
                ctx.abort(old);
            }
            self.connect_peer(server, ctx);
        } else {
            if let Some(old) = old {
                ctx.abort(old);
            }
            peer.conn = Some(conn);
            self.peer_open(server, ctx);
        }
    }

    pub(super) fn peer_closed(&mut self, conn: ConnId) -> bool {
        let Some(server) = self.peers.find(conn) else { return false };
        let peer = &mut self.peers.0[server as usize];
        (peer.conn, peer.open) = (None, false);
        true
    }
}
