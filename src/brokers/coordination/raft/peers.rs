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

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NodeId = NodeId(1);
    const CONN: ConnId = ConnId(4);

    fn peers() -> Peers {
        let mut peers =
            Peers::new([ONE].into_iter(), Span::from_millis(20), Span::from_millis(2_000));
        peers.peer(ONE).unwrap().conn = Some(CONN);
        peers
    }

    fn at(millis: u64) -> Time {
        Time::ZERO + Span::from_millis(millis)
    }

    #[test]
    fn one_request_at_a_time() {
        let mut peers = peers();
        let id = peers.begin(ONE, at(0)).unwrap();
        assert_eq!(peers.begin(ONE, at(1)), None);
        assert!(peers.any_in_flight() && peers.expects(ONE, id));
        peers.finish(ONE, id, true, at(2));
        assert!(peers.is_ready(ONE, at(2)) && !peers.expects(ONE, id));
    }

    #[test]
    fn a_refusal_is_followed_by_the_back_off() {
        let mut peers = peers();
        let id = peers.begin(ONE, at(0)).unwrap();
        peers.finish(ONE, id, false, at(2));
        assert_eq!(peers.deadline(at(2)), at(22));
        assert_eq!(peers.begin(ONE, at(21)), None);
        assert!(peers.begin(ONE, at(22)).is_some());
    }

    #[test]
    fn a_request_out_of_time_takes_its_connection_along() {
        let mut peers = peers();
        let id = peers.begin(ONE, at(0)).unwrap();
        assert_eq!(peers.deadline(at(0)), at(2_000));
        assert_eq!(peers.expire(at(1_999)), []);
        assert_eq!(peers.expire(at(2_000)), [CONN]);
        assert!(!peers.expects(ONE, id));
        assert_eq!(peers.peer(ONE).unwrap().conn, None);
        assert_eq!(peers.deadline(at(2_000)), at(2_050), "reconnect.backoff.ms");
    }

    #[test]
    fn connections_that_fail_are_tried_less_and_less() {
        let mut peers = peers();
        let mut waits = Vec::new();
        for _ in 0..6 {
            peers.peer(ONE).unwrap().conn = Some(CONN);
            peers.broke(CONN, at(0));
            waits.push(peers.deadline(at(0)).as_millis());
        }
        assert_eq!(waits, [50, 100, 200, 400, 500, 500]);
        peers.peer(ONE).unwrap().conn = Some(CONN);
        peers.connected(CONN);
        peers.broke(CONN, at(0));
        assert_eq!(peers.deadline(at(0)), at(50));
    }

    #[test]
    fn answers_to_what_was_forgotten_are_not_expected() {
        let mut peers = peers();
        let old = peers.begin(ONE, at(0)).unwrap();
        peers.reset();
        let new = peers.begin(ONE, at(1)).unwrap();
        peers.finish(ONE, old, true, at(2));
        assert!(!peers.expects(ONE, old) && peers.expects(ONE, new));
    }
}
