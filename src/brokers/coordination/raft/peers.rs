//! Connections to the voters, one request at a time on each (`RequestManager`, 3.9).

use crate::engine::{Span, Time};
use crate::observe::NodeId;
use crate::world::ConnId;

/// `RaftManager.buildNetworkClient` (3.9): `reconnect.backoff.ms` and its maximum.
const RECONNECT: Span = Span::from_millis(50);
const RECONNECT_MAX: Span = Span::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    Awaiting { id: u32, until: Time },
    BackingOff(Time),
}

/// One voter, as another replica reaches it.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) node: NodeId,
    pub(super) conn: Option<ConnId>,
    state: State,
    /// Connections that did not come about, or broke, in a row.
    failures: u32,
}

/// All voters but oneself.
#[derive(Clone, Debug)]
pub(super) struct Peers {
    pub(super) all: Vec<Peer>,
    next_id: u32,
    retry_backoff: Span,
    request_timeout: Span,
}

impl Peers {
    pub(super) fn new(
        nodes: impl Iterator<Item = NodeId>,
        retry_backoff: Span,
        request_timeout: Span,
    ) -> Peers {
        let peer = |node| Peer { node, conn: None, state: State::Ready, failures: 0 };
        Peers { all: nodes.map(peer).collect(), next_id: 0, retry_backoff, request_timeout }
    }

    pub(super) fn peer(&mut self, node: NodeId) -> Option<&mut Peer> {
        self.all.iter_mut().find(|peer| peer.node == node)
    }

    pub(super) fn by_conn(&self, conn: ConnId) -> Option<NodeId> {
        self.all.iter().find(|peer| peer.conn == Some(conn)).map(|peer| peer.node)
    }

    /// The id for a request to `node`, if one can be sent now.
    pub(super) fn begin(&mut self, node: NodeId, now: Time) -> Option<u32> {
        let (id, until) = (self.next_id, now + self.request_timeout);
        let peer = self.peer(node)?;
        if !peer.is_ready(now) {
            return None;
        }
        peer.state = State::Awaiting { id, until };
        self.next_id = self.next_id.wrapping_add(1);
        Some(id)
    }

    /// Whether an answer with this id is waited for. An answer that is not, because what was asked
    /// has been forgotten, is ignored.
    pub(super) fn expects(&self, node: NodeId, id: u32) -> bool {
        let awaits = |peer: &Peer| matches!(peer.state, State::Awaiting { id: a, .. } if a == id);
        self.all.iter().any(|peer| peer.node == node && awaits(peer))
    }

    /// The answer was handled: the next request may go at once, or after the back-off. One that
    /// was asked something else meanwhile stays as it is.
    pub(super) fn finish(&mut self, node: NodeId, id: u32, success: bool, now: Time) {
        if !self.expects(node, id) {
            return;
        }
        let until = now + self.retry_backoff;
        if let Some(peer) = self.peer(node) {
            peer.state = if success { State::Ready } else { State::BackingOff(until) };
        }
    }

    /// A connection broke or did not come about; a request on it fails
    /// (`BROKER_NOT_AVAILABLE`).
    pub(super) fn broke(&mut self, conn: ConnId, now: Time) {
        let retry = self.retry_backoff;
        let Some(peer) = self.all.iter_mut().find(|peer| peer.conn == Some(conn)) else { return };
        peer.fail(now, retry);
    }

    pub(super) fn connected(&mut self, conn: ConnId) {
        if let Some(peer) = self.all.iter_mut().find(|peer| peer.conn == Some(conn)) {
            peer.failures = 0;
        }
    }

    /// Requests that are out of time fail, and their connections with them. Returns these.
    pub(super) fn expire(&mut self, now: Time) -> Vec<ConnId> {
        let retry = self.retry_backoff;
        let mut aborted = Vec::new();
        for peer in &mut self.all {
            if matches!(peer.state, State::Awaiting { until, .. } if until <= now) {
                aborted.extend(peer.conn);
                peer.fail(now, retry);
            }
        }
        aborted
    }

    /// Forgets what was asked of whom (`RequestManager.resetAll`).
    pub(super) fn reset(&mut self) {
        for peer in &mut self.all {
            peer.state = State::Ready;
        }
    }

    pub(super) fn any_in_flight(&self) -> bool {
        self.all.iter().any(|peer| matches!(peer.state, State::Awaiting { .. }))
    }

    pub(super) fn is_ready(&self, node: NodeId, now: Time) -> bool {
        self.all.iter().any(|peer| peer.node == node && peer.is_ready(now))
    }

    /// When the first request is out of time, or the first back-off after `now` over.
    pub(super) fn deadline(&self, now: Time) -> Time {
        let due = self.all.iter().map(|peer| match peer.state {
            State::Awaiting { until, .. } => until,
            State::BackingOff(until) if until > now => until,
            State::Ready | State::BackingOff(_) => Time::MAX,
        });
        due.min().unwrap_or(Time::MAX)
    }
}

impl Peer {
    fn is_ready(&self, now: Time) -> bool {
        match self.state {
            State::Ready => true,
            State::Awaiting { .. } => false,
            State::BackingOff(until) => until <= now,
        }
    }

    fn fail(&mut self, now: Time, retry: Span) {
        let reconnect = (RECONNECT * (1 << self.failures.min(4))).min(RECONNECT_MAX);
        self.failures += 1;
        self.conn = None;
        self.state = State::BackingOff(now + retry.max(reconnect));
    }
}
