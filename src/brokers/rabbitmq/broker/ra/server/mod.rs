//! One member of a Raft group, without clocks, disks or mailboxes (ra_server.erl v3.1).
//!
//! It is told what happens, and says in [`Out`]s what is to be done about it. What it says after
//! [`Out::Persist`] may be done only when term and vote are durable.

mod electing;
mod following;
mod leading;
mod membership;

use std::sync::Arc;

use crate::engine::Time;
use crate::observe::NodeId;

use super::super::super::message::Pid;
use super::super::super::message::ra::{Command, Entry, Index, Position, Rpc, Term};
use super::super::quorum::fifo::Fifo;
use super::cluster::{Cluster, Membership};
use super::log::{Log, Snapshot};

use self::leading::Progress;

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
    Send(NodeId, Rpc),
    /// Make term and vote durable, and only then go on.
    Persist,
    /// The log has entries from here on that are to be written.
    Appended(Index),
    /// The log has lost these entries, the last ones before that, of which the first was at this index.
    Truncated(Index, Vec<Entry>),
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
    /// A leader changes the members while the last change is not committed.
    pub changes_at_once: bool,
}

/// What Raft promises never to happen to a member whose group has kept its disks, and has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// A leader has overwritten this entry, which the member knew to be committed.
    Overwritten(Index),
    /// Another member leads in the term in which this one did.
    Ousted(Term, NodeId),
}

/// A member's state.
#[derive(Clone, Debug)]
pub struct Server {
    me: Pid,
    membership: Membership,
    /// It was started to join a group that exists.
    newcomer: bool,
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
    /// As a leader: it has asked another member to lead, and does not resist.
    yields: bool,
    /// As a leader: the first entry of its term. Until that is committed the members stay.
    noop: Index,
    now: Time,
    faulty: Faulty,
    breach: Option<Breach>,
    out: Vec<Out>,
}

impl Server {
    /// The member `me` of a group that was founded by these, with what its disk has; a newcomer was
    /// not there then. It has yet to [`start`](Self::start).
    #[must_use]
    pub fn new(
        me: Pid,
        (mut founders, newcomer): (Vec<NodeId>, bool),
        meta: Meta,
        log: Log,
        faulty: Faulty,
    ) -> Server {
        let commit = log.base().index;
        if newcomer {
            founders.retain(|node| *node != me.node);
        }
        let base = match log.snapshot() {
            Some(snapshot) => (*snapshot.cluster).clone(),
            None => Cluster::of(founders),
        };
        Server {
            me,
            membership: Membership::of(base, &log),
            newcomer,
            meta,
            log,
            role: Role::Follower,
            leader: None,
            commit,
            agreed: 0,
            asked: false,
            token: 0,
            yields: false,
            noop: 0,
            now: Time::ZERO,
            faulty,
            breach: None,
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

    /// The last thing that must not have happened to it since it began.
    #[must_use]
    pub fn breach(&self) -> Option<Breach> {
        self.breach
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
    pub fn cluster(&self) -> &Cluster {
        self.membership.now()
    }

    /// The members after an entry.
    #[must_use]
    pub fn cluster_at(&self, index: Index) -> &Cluster {
        self.membership.at(index)
    }

    /// Whether it was started to join a group that exists.
    #[must_use]
    pub fn is_newcomer(&self) -> bool {
        self.newcomer
    }

    /// Whether it has a vote, as far as it knows.
    #[must_use]
    pub fn has_vote(&self) -> bool {
        self.cluster().has_vote(self.me.node)
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
        if self.cluster().votes() == 1 {
            self.stand();
        } else if self.has_vote() {
            self.out.push(Out::Timer(Delay::Short));
        }
    }

    /// As a leader: appends a command.
    pub fn append(&mut self, command: Command) -> Index {
        let entry = Entry { term: self.meta.term, at: self.now, command };
        let index = self.log.append(entry);
        if self.membership.append(index, &command) {
            self.seat();
        }
        self.out.push(Out::Appended(index));
        if self.faulty.counts_unsynced {
            self.count();
        }
        index
    }

    /// The log has lost all behind an entry, and what that changed of the members.
    fn cut(&mut self, last: Index) {
        let cut = self.log.truncate(last);
        self.membership.truncate(last);
        self.out.push(Out::Truncated(last + 1, cut));
    }

    /// Takes a snapshot of all up to an entry.
    pub fn snapshot(&mut self, last: Position, state: Arc<Fifo>) -> Vec<(Index, Entry)> {
        let cluster = Arc::new(self.membership.at(last.index).clone());
        self.membership.shorten(last.index);
        self.log.shorten(Snapshot { last, state, cluster })
    }

    /// A message from another member.
    pub fn receive(&mut self, message: Rpc) {
        match message {
            Rpc::AppendEntries(rpc) => self.append_entries(*rpc),
            Rpc::AppendReply { from, reply } => self.append_reply(from, &reply),
            Rpc::PreVote { from, candidate } => self.pre_vote(from, *candidate),
            Rpc::PreVoteResult { term, token, granted, .. } => {
                self.pre_vote_result(term, token, granted);
            }
            Rpc::RequestVote { from, candidate } => self.request_vote(from, *candidate),
            Rpc::VoteResult { term, granted, .. } => self.vote_result(term, granted),
            Rpc::InstallSnapshot(rpc) => self.install_snapshot(*rpc),
            Rpc::SnapshotReply { from, term, chunk } => self.snapshot_reply(from, term, chunk),
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
        self.yields = false;
        self.role = Role::Follower;
    }

    fn follow(&mut self, leader: Pid) {
        if self.leads() {
            self.breach = Some(Breach::Ousted(self.meta.term, leader.node));
        }
        self.step_down();
        self.out.push(Out::NoTimer);
        if self.leader != Some(leader.node) {
            self.leader = Some(leader.node);
            self.asked = false;
        }
        self.out.push(Out::Follows(leader));
    }
}
