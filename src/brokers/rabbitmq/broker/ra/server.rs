//! One member of a Raft group, without clocks, disks or mailboxes (ra_server.erl v3.1).
//!
//! It is told what happens, and says in [`Out`]s what is to be done about it. What it says after
//! [`Out::Persist`] may be done only when term and vote are durable.

use crate::engine::Time;
use crate::observe::NodeId;

use super::super::super::message::Pid;
use super::super::super::message::ra::{
    AppendEntries, AppendReply, Candidate, Command, Entry, Index, InstallSnapshot, Position,
    RaMessage, Term,
};
use super::log::{Log, Snapshot};

/// Entries of one `#append_entries_rpc{}` (rabbit_ra_systems.erl:
/// `quorum_max_append_entries_rpc_batch_size`).
const BATCH: usize = 16;
/// Entries that a follower has been sent and has not answered for (ra_server.hrl:
/// `?DEFAULT_MAX_PIPELINE_COUNT`).
const PIPELINE: u64 = 4_096;
/// Bytes of a chunk of a snapshot (ra_server.hrl: `?DEFAULT_SNAPSHOT_CHUNK_SIZE`).
const CHUNK: u64 = 1_000_000;

/// What must be durable before anything is said that rests on it (ra_log_meta.erl).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The latest term that was heard of.
    pub term: Term,
    /// Who has this member's vote in it.
    pub voted_for: Option<NodeId>,
}

/// How long until the next election (ra_server_proc.erl: `election_timeout_strategy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// The leader's process has ended, and its node lives.
    ReallyShort,
    /// The connection to the leader's node is gone; or this member has just started.
    Short,
    /// An election that came to nothing.
    Medium,
    /// The leader's node is silent; a pre-vote came to nothing; it has given its vote away.
    Long,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Out {
    /// Say this to the member on that node, if it is connected.
    Send(NodeId, RaMessage),
    /// Make term and vote durable, and only then go on.
    Persist,
    /// The log has entries from here on that are to be written.
    Appended(Index),
    /// The log has lost these entries, the last ones before that.
    Truncated(Vec<Entry>),
    /// The log begins with a leader's snapshot now, which has taken the place of these entries.
    Installed(Vec<(Index, Entry)>),
    /// It follows this leader: watch it.
    Follows(Pid),
    /// Set the election timer anew.
    Timer(Delay),
    /// Set it if it is not set (ra_server_proc.erl: `maybe_set_election_timeout`, "already set, don't
    /// update").
    TimerUnlessSet(Delay),
    /// Forget the election timer.
    NoTimer,
    /// It leads from now on.
    Leads,
    /// It does not lead any more.
    StepsDown,
}

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Follows, or would.
    Follower,
    /// Asks whether it would be elected.
    PreVote,
    /// Wants to lead.
    Candidate,
    /// Leads.
    Leader,
}

/// How far a follower has come, as its leader knows.
#[derive(Clone, Copy, Debug)]
struct Progress {
    node: NodeId,
    /// What it is sent next.
    next: Index,
    /// Up to where it has written.
    matched: Index,
    /// What it was last told of the commit index.
    commit_sent: Index,
    connected: bool,
    /// The snapshot that it is being sent, and which chunk.
    snapshot: Option<(Position, u32)>,
}

#[derive(Clone, Debug)]
enum Role {
    Follower,
    PreVote { votes: usize },
    Candidate { votes: usize },
    Leader(Vec<Progress>),
}

/// Rules that are broken: two by a scenario, to see what they are good for, the others by tests of
/// the invariants. No broker has these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faulty {
    /// An entry is committed when all members have it.
    pub waits_for_all: bool,
    /// Leaders and followers count what they have not fsynced.
    pub counts_unsynced: bool,
    /// A vote is given to whoever asks, whatever its log.
    pub votes_for_any_log: bool,
    /// A leader commits entries of earlier terms by counting alone.
    pub commits_old_terms: bool,
    /// A follower takes entries without looking whether its log goes on there.
    pub ignores_gaps: bool,
}

/// A member's state.
#[derive(Clone, Debug)]
pub struct Server {
    me: Pid,
    members: Vec<NodeId>,
    meta: Meta,
    /// Its log.
    pub log: Log,
    role: Role,
    leader: Option<NodeId>,
    commit: Index,
    /// Up to where its log is known to be the present leader's.
    agreed: Index,
    /// It has asked for entries that it lacks (`await_condition`).
    asked: bool,
    token: u32,
    now: Time,
    faulty: Faulty,
    out: Vec<Out>,
}

impl Server {
    /// The member `me` of a group, with what its disk has. It has yet to [`start`](Self::start).
    #[must_use]
    pub fn new(me: Pid, members: Vec<NodeId>, meta: Meta, log: Log, faulty: Faulty) -> Server {
        let commit = log.base().index;
        Server {
            me,
            members,
            meta,
            log,
            role: Role::Follower,
            leader: None,
            commit,
            agreed: 0,
            asked: false,
            token: 0,
            now: Time::ZERO,
            faulty,
            out: Vec::new(),
        }
    }

    /// What is to be done since this was last asked.
    pub fn take(&mut self) -> Vec<Out> {
        std::mem::take(&mut self.out)
    }

    /// What the clock shows while the next input is handled.
    pub fn set_now(&mut self, now: Time) {
        self.now = now;
    }

    /// What it is.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match self.role {
            Role::Follower => Standing::Follower,
            Role::PreVote { .. } => Standing::PreVote,
            Role::Candidate { .. } => Standing::Candidate,
            Role::Leader(_) => Standing::Leader,
        }
    }

    /// Whether it leads.
    #[must_use]
    pub fn leads(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// Who leads, as far as it knows.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    /// Its term and vote.
    #[must_use]
    pub fn meta(&self) -> Meta {
        self.meta
    }

    /// Up to where entries are known to be on a majority of the members' disks.
    #[must_use]
    pub fn commit(&self) -> Index {
        self.commit
    }

    /// The members.
    #[must_use]
    pub fn members(&self) -> &[NodeId] {
        &self.members
    }

    /// As a leader: whether every follower has all that it has itself.
    #[must_use]
    pub fn all_caught_up(&self) -> bool {
        let last = self.log.last().index;
        match &self.role {
            Role::Leader(peers) => {
                peers.iter().all(|peer| peer.matched == last && peer.commit_sent == self.commit)
            }
            _ => false,
        }
    }

    /// Entries up to here are known to be committed, for they were applied.
    pub fn applied_before(&mut self, applied: Index) {
        self.commit = self.commit.max(applied);
    }

    /// At time zero: `leader` has been elected, in the term that the disk has.
    pub fn found(&mut self, leader: NodeId) {
        if leader == self.me.node {
            self.lead();
        } else {
            self.leader = Some(leader);
        }
    }

    /// It begins as a follower that knows no leader (ra_server_proc.erl: `recovered`).
    pub fn start(&mut self) {
        if self.members.len() == 1 {
            self.stand();
        } else {
            self.out.push(Out::Timer(Delay::Short));
        }
    }

    /// As a leader: appends a command.
    pub fn append(&mut self, command: Command) -> Index {
        let entry = Entry { term: self.meta.term, at: self.now, command };
        let index = self.log.append(entry);
        self.out.push(Out::Appended(index));
        if self.faulty.counts_unsynced {
            self.count();
        }
        index
    }

    /// As a leader: sends what followers lack, as far as that is allowed at once.
    pub fn replicate(&mut self) {
        let Role::Leader(peers) = &mut self.role else { return };
        let mut peers = std::mem::take(peers);
        for peer in &mut peers {
            self.replicate_to(peer);
        }
        self.role = Role::Leader(peers);
    }

    fn replicate_to(&mut self, peer: &mut Progress) {
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

    fn send_entries(&mut self, peer: &mut Progress, entries: Vec<Entry>) {
        let Some(previous) = self.log.position(peer.next - 1) else { return };
        let (term, leader, commit) = (self.meta.term, self.me, self.commit);
        peer.commit_sent = commit;
        let rpc = AppendEntries { term, leader, previous, commit, entries };
        self.out.push(Out::Send(peer.node, RaMessage::AppendEntries(Box::new(rpc))));
    }

    /// Whether a follower is alive and how far it is: an empty request, which it answers.
    fn probe(&mut self, peer: &mut Progress) {
        if self.log.term_at(peer.next - 1).is_some() {
            self.send_entries(peer, Vec::new());
        } else if peer.snapshot.is_none() {
            self.send_snapshot(peer, 1);
        }
    }

    fn send_snapshot(&mut self, peer: &mut Progress, chunk: u32) {
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
        let rpc = InstallSnapshot { term, leader, last, chunk, bytes: bytes as u32, state };
        self.out.push(Out::Send(peer.node, RaMessage::InstallSnapshot(Box::new(rpc))));
    }

    /// A message from another member.
    pub fn receive(&mut self, message: RaMessage) {
        match message {
            RaMessage::AppendEntries(rpc) => self.append_entries(*rpc),
            RaMessage::AppendReply { from, reply } => self.append_reply(from, &reply),
            RaMessage::PreVote { from, candidate } => self.pre_vote(from, *candidate),
            RaMessage::PreVoteResult { term, token, granted, .. } => {
                self.pre_vote_result(term, token, granted);
            }
            RaMessage::RequestVote { from, candidate } => self.request_vote(from, *candidate),
            RaMessage::VoteResult { term, granted, .. } => self.vote_result(term, granted),
            RaMessage::InstallSnapshot(rpc) => self.install_snapshot(*rpc),
            RaMessage::SnapshotReply { from, term, chunk } => {
                self.snapshot_reply(from, term, chunk);
            }
            _ => debug_assert!(false, "not from a member"),
        }
    }

    /// A later term: whatever it was, it is a follower in it (ra_server.erl: `update_term`).
    fn later_term(&mut self, term: Term) {
        self.set_meta(Meta { term, voted_for: None });
        self.step_down();
        self.leader = None;
    }

    fn set_meta(&mut self, meta: Meta) {
        if meta.term > self.meta.term {
            self.agreed = 0;
        }
        if meta != self.meta {
            self.meta = meta;
            self.out.push(Out::Persist);
        }
    }

    fn step_down(&mut self) {
        if self.leads() {
            self.out.push(Out::StepsDown);
        }
        self.role = Role::Follower;
    }

    fn follow(&mut self, leader: Pid) {
        self.step_down();
        self.out.push(Out::NoTimer);
        if self.leader != Some(leader.node) {
            self.leader = Some(leader.node);
            self.asked = false;
        }
        self.out.push(Out::Follows(leader));
    }

    // ---- as a follower

    /// ra_server.erl `handle_follower(#append_entries_rpc{})`.
    fn append_entries(&mut self, rpc: AppendEntries) {
        if rpc.term < self.meta.term {
            return self.reply(rpc.leader.node, false, self.log.last().index + 1);
        }
        if rpc.term > self.meta.term {
            self.later_term(rpc.term);
        }
        debug_assert!(!self.leads(), "two leaders in one term");
        self.follow(rpc.leader);
        let AppendEntries { leader, previous, commit, entries, .. } = rpc;
        let (base, last) = (self.log.base().index, self.log.last().index);
        if previous.index > last && !self.faulty.ignores_gaps {
            // It lacks what is before: it asks once, and waits (`await_condition`).
            if !std::mem::replace(&mut self.asked, true) || entries.is_empty() {
                self.reply(leader.node, false, last + 1);
            }
            return;
        }
        let agrees = previous.index <= base
            || self.faulty.ignores_gaps
            || self.log.term_at(previous.index) == Some(previous.term);
        if !agrees {
            // It goes back to what is surely the leader's as well.
            return self.reply(leader.node, false, self.commit + 1);
        }
        self.asked = false;
        let end = previous.index + entries.len() as u64;
        let mut first_new = None;
        for (index, entry) in (previous.index + 1..).zip(entries) {
            if index <= base || self.log.term_at(index) == Some(entry.term) {
                continue;
            }
            if first_new.is_none() && index <= self.log.last().index {
                debug_assert!(index > self.commit, "what is committed is never overwritten");
                let cut = self.log.truncate(index - 1);
                self.out.push(Out::Truncated(cut));
            }
            let at = self.log.append(entry);
            first_new.get_or_insert(at);
        }
        self.agreed = self.agreed.max(end);
        self.commit = self.commit.max(commit.min(end));
        match first_new {
            // It answers when they are fsynced.
            Some(first) if !self.faulty.counts_unsynced => self.out.push(Out::Appended(first)),
            Some(first) => {
                self.out.push(Out::Appended(first));
                self.reply(leader.node, true, self.agreed + 1);
            }
            None => self.reply(leader.node, true, self.agreed + 1),
        }
    }

    fn reply(&mut self, to: NodeId, success: bool, next: Index) {
        let counted =
            if self.faulty.counts_unsynced { self.log.last().index } else { self.log.written() };
        let written = counted.min(self.agreed);
        let reply = AppendReply { term: self.meta.term, success, next, written };
        let message = RaMessage::AppendReply { from: self.me, reply: Box::new(reply) };
        self.out.push(Out::Send(to, message));
    }

    /// This member's log is fsynced up to an entry.
    pub fn fsynced(&mut self, upto: Position) {
        if !self.log.fsynced(upto) {
            return;
        }
        if self.leads() {
            self.count();
        } else if let Some(leader) = self.leader.filter(|_| self.agreed > 0) {
            self.reply(leader, true, self.agreed + 1);
        }
    }

    fn install_snapshot(&mut self, rpc: InstallSnapshot) {
        if rpc.term < self.meta.term {
            return self.reply(rpc.leader.node, false, self.log.last().index + 1);
        }
        if rpc.term > self.meta.term {
            self.later_term(rpc.term);
        }
        self.follow(rpc.leader);
        if let Some(state) = rpc.state.filter(|_| rpc.last.index > self.commit) {
            let gone = self.log.shorten(Snapshot { last: rpc.last, state });
            self.commit = rpc.last.index;
            self.agreed = self.agreed.max(rpc.last.index);
            self.asked = false;
            self.out.push(Out::Installed(gone));
        }
        let (from, term, chunk) = (self.me, self.meta.term, rpc.chunk);
        self.out.push(Out::Send(rpc.leader.node, RaMessage::SnapshotReply { from, term, chunk }));
    }

    /// The leader's process is down, or its node cannot be reached.
    pub fn leader_down(&mut self, leader: NodeId, delay: Delay) {
        if self.leader == Some(leader) && !self.leads() {
            self.leader = None;
            self.out.push(Out::TimerUnlessSet(delay));
        }
    }

    /// aten takes a node for down, or hears it again. An election that its silence alone would have
    /// begun does not take place then.
    pub fn suspected(&mut self, node: NodeId, down: bool) {
        if self.leads() || !matches!(self.role, Role::Follower) || self.leader != Some(node) {
            return;
        }
        self.out.push(if down { Out::TimerUnlessSet(Delay::Long) } else { Out::NoTimer });
    }

    // ---- elections

    /// The election timer has fired.
    pub fn election_timeout(&mut self) {
        if !self.leads() {
            self.stand();
        }
    }

    /// ra_server.erl `call_for_election(pre_vote, ..)`: the term stays as it is.
    fn stand(&mut self) {
        self.leader = None;
        self.token += 1;
        self.role = Role::PreVote { votes: 1 };
        if self.has_majority(1) {
            return self.call_for_election();
        }
        let (term, last, token) = (self.meta.term, self.log.last(), self.token);
        let from = self.me;
        for node in self.others() {
            let candidate = Box::new(Candidate { term, last, token });
            self.out.push(Out::Send(node, RaMessage::PreVote { from, candidate }));
        }
        self.out.push(Out::Timer(Delay::Long));
    }

    fn others(&self) -> Vec<NodeId> {
        self.members.iter().copied().filter(|node| *node != self.me.node).collect()
    }

    fn has_majority(&self, votes: usize) -> bool {
        votes > self.members.len() / 2
    }

    /// ra_server.erl `process_pre_vote`. There is no loyalty: a follower that hears its leader well
    /// grants it all the same. Only the leader resists, by a word to everybody.
    fn pre_vote(&mut self, from: Pid, candidate: Candidate) {
        if candidate.term > self.meta.term {
            self.later_term(candidate.term);
        } else if self.leads() {
            let Role::Leader(peers) = &mut self.role else { return };
            let mut peers = std::mem::take(peers);
            for peer in &mut peers {
                if peer.node == from.node {
                    // It has lost what it was being sent.
                    (peer.connected, peer.snapshot) = (true, None);
                }
                self.probe(peer);
            }
            self.role = Role::Leader(peers);
            return;
        }
        let newer = candidate.last >= self.log.last();
        let granted = candidate.term == self.meta.term && newer;
        if !granted && !newer && matches!(self.role, Role::Follower) {
            // It would be the better candidate.
            self.out.push(Out::TimerUnlessSet(Delay::Long));
        }
        let (me, term, token) = (self.me, self.meta.term, candidate.token);
        let result = RaMessage::PreVoteResult { from: me, term, token, granted };
        self.out.push(Out::Send(from.node, result));
    }

    fn pre_vote_result(&mut self, term: Term, token: u32, granted: bool) {
        if term > self.meta.term {
            self.later_term(term);
            self.out.push(Out::Timer(Delay::Long));
            return;
        }
        let Role::PreVote { votes } = &mut self.role else { return };
        if granted && token == self.token && term == self.meta.term {
            *votes += 1;
            let votes = *votes;
            if self.has_majority(votes) {
                self.call_for_election();
            }
        }
    }

    /// ra_server.erl `call_for_election(candidate, ..)`.
    fn call_for_election(&mut self) {
        let term = self.meta.term + 1;
        self.set_meta(Meta { term, voted_for: Some(self.me.node) });
        self.role = Role::Candidate { votes: 1 };
        if self.has_majority(1) {
            return self.lead();
        }
        let (from, last) = (self.me, self.log.last());
        for node in self.others() {
            let candidate = Box::new(Candidate { term, last, token: 0 });
            self.out.push(Out::Send(node, RaMessage::RequestVote { from, candidate }));
        }
        self.out.push(Out::Timer(Delay::Medium));
    }

    fn request_vote(&mut self, from: Pid, candidate: Candidate) {
        if candidate.term > self.meta.term {
            self.later_term(candidate.term);
        }
        let free = self.meta.voted_for.is_none_or(|voted| voted == from.node);
        let newer = candidate.last >= self.log.last() || self.faulty.votes_for_any_log;
        let granted = candidate.term == self.meta.term && free && newer && !self.leads();
        if granted {
            self.set_meta(Meta { term: candidate.term, voted_for: Some(from.node) });
        }
        if granted || (self.leader.is_none() && matches!(self.role, Role::Follower)) {
            self.out.push(Out::TimerUnlessSet(Delay::Long));
        }
        let result = RaMessage::VoteResult { from: self.me, term: self.meta.term, granted };
        self.out.push(Out::Send(from.node, result));
    }

    fn vote_result(&mut self, term: Term, granted: bool) {
        if term > self.meta.term {
            self.later_term(term);
            self.out.push(Out::Timer(Delay::Long));
            return;
        }
        let Role::Candidate { votes } = &mut self.role else { return };
        if granted && term == self.meta.term {
            *votes += 1;
            let votes = *votes;
            if self.has_majority(votes) {
                self.lead();
            }
        }
    }

    fn lead(&mut self) {
        let next = self.log.last().index + 1;
        let progress = |node| Progress {
            node,
            next,
            matched: 0,
            commit_sent: 0,
            connected: true,
            snapshot: None,
        };
        self.role = Role::Leader(self.others().into_iter().map(progress).collect());
        self.leader = Some(self.me.node);
        self.out.extend([Out::NoTimer, Out::Leads]);
        // Nothing of an earlier term is committed but along with an entry of this one.
        self.append(Command::Noop);
        self.replicate();
    }

    // ---- as a leader

    fn with_peer(&mut self, node: NodeId, act: impl FnOnce(&mut Server, &mut Progress)) {
        let Role::Leader(peers) = &mut self.role else { return };
        let mut peers = std::mem::take(peers);
        if let Some(peer) = peers.iter_mut().find(|peer| peer.node == node) {
            act(self, peer);
        }
        self.role = Role::Leader(peers);
    }

    /// ra_server.erl `handle_leader(#append_entries_reply{})`.
    fn append_reply(&mut self, from: Pid, reply: &AppendReply) {
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
    }

    fn snapshot_reply(&mut self, from: Pid, term: Term, chunk: u32) {
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
    }

    /// What a majority has fsynced is committed, if it is of this term (ra_server.erl:
    /// `evaluate_quorum`, `increment_commit_index`).
    fn count(&mut self) {
        let Role::Leader(peers) = &self.role else { return };
        let own =
            if self.faulty.counts_unsynced { self.log.last().index } else { self.log.written() };
        let mut matched: Vec<Index> = peers.iter().map(|peer| peer.matched).chain([own]).collect();
        matched.sort_unstable_by(|a, b| b.cmp(a));
        let needed = if self.faulty.waits_for_all { matched.len() - 1 } else { matched.len() / 2 };
        let majority = matched[needed];
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
