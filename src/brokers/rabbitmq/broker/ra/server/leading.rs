//! As a leader: who has what, what they are sent, and what is committed (ra_server.erl:
//! `handle_leader`, `evaluate_quorum`).

use crate::observe::NodeId;

use super::super::super::super::message::Pid;
use super::super::super::super::message::ra::{
    AppendEntries, AppendReply, Entry, Index, InstallSnapshot, Position, Rpc, Term,
};
use super::{Delay, Out, Role, Server};

/// Entries of one `#append_entries_rpc{}` (rabbit_ra_systems.erl:
/// `quorum_max_append_entries_rpc_batch_size`).
const BATCH: usize = 16;
/// Entries that a follower has been sent and has not answered for (ra_server.hrl:
/// `?DEFAULT_MAX_PIPELINE_COUNT`).
const PIPELINE: u64 = 4_096;
/// Bytes of a chunk of a snapshot (ra_server.hrl: `?DEFAULT_SNAPSHOT_CHUNK_SIZE`).
const CHUNK: u64 = 1_000_000;

/// How far a follower has come, as its leader knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub(super) node: NodeId,
    /// What it is sent next.
    pub(super) next: Index,
    /// Up to where it has written.
    pub(super) matched: Index,
    /// What it was last told of the commit index.
    pub(super) commit_sent: Index,
    pub(super) connected: bool,
    /// The snapshot that it is being sent, and which chunk.
    pub(super) snapshot: Option<(Position, u32)>,
}

impl Progress {
    /// Of a member that nothing is known of.
    pub(super) fn new(node: NodeId, next: Index) -> Progress {
        Progress { node, next, matched: 0, commit_sent: 0, connected: true, snapshot: None }
    }
}

impl Server {
    /// As a leader: sends what followers lack, as far as that is allowed at once.
    pub fn replicate(&mut self) {
        let Role::Leader(peers) = &mut self.role else { return };
        let mut peers = std::mem::take(peers);
        for peer in &mut peers {
            self.replicate_to(peer);
        }
        self.role = Role::Leader(peers);
    }

    pub(super) fn replicate_to(&mut self, peer: &mut Progress) {
        if !peer.connected || peer.snapshot.is_some() {
            return;
        }
        let last = self.log.last().index;
        while peer.next <= last && peer.next <= peer.matched + PIPELINE {
            if self.log.term_at(peer.next - 1).is_none() {
                self.send_snapshot(peer, 1);
                return;
            }
            let entries = self.log.slice(peer.next, BATCH);
            let count = entries.len() as u64;
            self.send_entries(peer, entries);
            peer.next += count;
        }
        if peer.commit_sent < self.commit && self.log.term_at(peer.next - 1).is_some() {
            self.send_entries(peer, Vec::new());
        }
    }

    pub(super) fn send_entries(&mut self, peer: &mut Progress, entries: Vec<Entry>) {
        let Some(previous) = self.log.position(peer.next - 1) else { return };
        let (term, leader, commit) = (self.meta.term, self.me, self.commit);
        peer.commit_sent = commit;
        let rpc = AppendEntries { term, leader, previous, commit, entries };
        self.out.push(Out::Send(peer.node, Rpc::AppendEntries(Box::new(rpc))));
    }

    /// Whether a follower is alive and how far it is: an empty request, which it answers.
    pub(super) fn probe(&mut self, peer: &mut Progress) {
        if self.log.term_at(peer.next - 1).is_some() {
            self.send_entries(peer, Vec::new());
        } else if peer.snapshot.is_none() {
            self.send_snapshot(peer, 1);
        }
    }

    pub(super) fn send_snapshot(&mut self, peer: &mut Progress, chunk: u32) {
        let Some(snapshot) = self.log.snapshot() else { return };
        let chunk = match peer.snapshot {
            Some((of, _)) if of != snapshot.last => 1,
            _ => chunk,
        };
        let sent = u64::from(chunk - 1) * CHUNK;
        let whole = snapshot.state.bytes();
        let bytes = whole.saturating_sub(sent).min(CHUNK);
        let state = (sent + bytes >= whole).then(|| snapshot.state.clone());
        let (term, leader, last) = (self.meta.term, self.me, snapshot.last);
        peer.snapshot = Some((last, chunk));
        let cluster = snapshot.cluster.clone();
        let rpc =
            InstallSnapshot { term, leader, last, chunk, bytes: bytes as u32, state, cluster };
        self.out.push(Out::Send(peer.node, Rpc::InstallSnapshot(Box::new(rpc))));
    }

    pub(super) fn with_peer(&mut self, node: NodeId, act: impl FnOnce(&mut Server, &mut Progress)) {
        let Role::Leader(peers) = &mut self.role else { return };
        let mut peers = std::mem::take(peers);
        if let Some(peer) = peers.iter_mut().find(|peer| peer.node == node) {
            act(self, peer);
        }
        self.role = Role::Leader(peers);
    }

    /// ra_server.erl `handle_leader(#append_entries_reply{})`.
    pub(super) fn append_reply(&mut self, from: Pid, reply: &AppendReply) {
        if reply.term > self.meta.term {
            self.later_term(reply.term);
            self.out.push(Out::Timer(Delay::Long));
            return;
        }
        if reply.term < self.meta.term {
            return;
        }
        let last = self.log.last().index;
        self.with_peer(from.node, |server, peer| {
            peer.connected = true;
            if reply.success {
                peer.matched = peer.matched.max(reply.written.min(last));
                peer.next = peer.next.max(reply.next.min(last + 1));
            } else {
                // "leader saw peer with last_index lower than recorded match index": its disk was
                // replaced.
                peer.matched = peer.matched.min(reply.next - 1);
                peer.next = reply.next.min(last + 1);
                peer.snapshot = None;
            }
            server.replicate_to(peer);
        });
        self.count();
        self.promote(from.node);
    }

    pub(super) fn snapshot_reply(&mut self, from: Pid, term: Term, chunk: u32) {
        if term > self.meta.term {
            self.later_term(term);
            self.out.push(Out::Timer(Delay::Long));
            return;
        }
        self.with_peer(from.node, |server, peer| {
            peer.connected = true;
            let Some((last, sent)) = peer.snapshot.filter(|(_, sent)| *sent == chunk) else {
                return;
            };
            let whole = server.log.snapshot().filter(|known| known.last == last);
            let complete = whole.is_some_and(|of| u64::from(sent) * CHUNK >= of.state.bytes());
            if complete {
                peer.snapshot = None;
                peer.matched = peer.matched.max(last.index);
                peer.next = peer.next.max(last.index + 1);
                server.replicate_to(peer);
            } else {
                server.send_snapshot(peer, sent + 1);
            }
        });
        self.count();
        self.promote(from.node);
    }

    /// What a majority has fsynced is committed, if it is of this term (ra_server.erl:
    /// `evaluate_quorum`, `increment_commit_index`).
    pub(super) fn count(&mut self) {
        let Role::Leader(peers) = &self.role else { return };
        let own =
            if self.faulty.counts_unsynced { self.log.last().index } else { self.log.written() };
        let cluster = self.cluster();
        let voters = peers.iter().filter(|peer| cluster.has_vote(peer.node));
        let own = Some(own).filter(|_| self.has_vote());
        let mut matched: Vec<Index> = voters.map(|peer| peer.matched).chain(own).collect();
        matched.sort_unstable_by(|a, b| b.cmp(a));
        let needed = match self.faulty.waits_for_all {
            true => matched.len().saturating_sub(1),
            false => matched.len() / 2,
        };
        let Some(&majority) = matched.get(needed) else { return };
        let of_term = self.log.term_at(majority) == Some(self.meta.term);
        if majority > self.commit && (of_term || self.faulty.commits_old_terms) {
            self.commit = majority;
            self.replicate();
        }
    }

    /// A member's process, or its node, is down, or cannot be sent to: what it was sent may be lost.
    pub fn member_down(&mut self, node: NodeId) {
        self.with_peer(node, |_, peer| {
            peer.connected = false;
            peer.next = peer.matched + 1;
            peer.snapshot = None;
        });
    }

    /// A node is connected again.
    pub fn node_up(&mut self, node: NodeId) {
        self.with_peer(node, |server, peer| {
            (peer.connected, peer.snapshot) = (true, None);
            server.probe(peer);
        });
    }

    /// ra_server.erl `tick`: followers that lag are asked where they are.
    pub fn tick(&mut self) {
        let last = self.log.last().index;
        let Role::Leader(peers) = &mut self.role else { return };
        let mut peers = std::mem::take(peers);
        for peer in &mut peers {
            if peer.connected && peer.matched < last {
                self.probe(peer);
            }
        }
        self.role = Role::Leader(peers);
    }
}
