//! Elections, each after a pre-vote (ra_server.erl: `call_for_election`, `handle_pre_vote`,
//! `handle_candidate`).

use crate::observe::NodeId;

use super::super::super::super::message::Pid;
use super::super::super::super::message::ra::{Candidate, Command, Rpc, Term};
use super::leading::Progress;
use super::{Delay, Meta, Out, Role, Server};

impl Server {
    /// The election timer has fired.
    pub fn election_timeout(&mut self) {
        if !self.leads() {
            self.stand();
        }
    }

    /// ra_server.erl `call_for_election(pre_vote, ..)`: the term stays as it is.
    pub(super) fn stand(&mut self) {
        // "follower ignored election_timeout, non-voter".
        if !self.has_vote() {
            return;
        }
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
            self.out.push(Out::Send(node, Rpc::PreVote { from, candidate }));
        }
        self.out.push(Out::Timer(Delay::Long));
    }

    pub(super) fn others(&self) -> Vec<NodeId> {
        let members = self.cluster().members().iter().copied();
        members.filter(|node| *node != self.me.node).collect()
    }

    pub(super) fn has_majority(&self, votes: usize) -> bool {
        votes > self.cluster().votes() / 2
    }

    /// ra_server.erl `process_pre_vote`. There is no loyalty: a follower that hears its leader well
    /// grants it all the same. Only the leader resists, by a word to everybody.
    pub(super) fn pre_vote(&mut self, from: Pid, candidate: Candidate) {
        // "follower ignored pre_vote_rpc, non-voter".
        if !self.has_vote() && !self.leads() {
            return;
        }
        if candidate.term > self.meta.term {
            self.later_term(candidate.term);
        } else if self.leads() && !self.yields {
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
        let result = Rpc::PreVoteResult { from: me, term, token, granted };
        self.out.push(Out::Send(from.node, result));
    }

    pub(super) fn pre_vote_result(&mut self, term: Term, token: u32, granted: bool) {
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
    pub(super) fn call_for_election(&mut self) {
        let term = self.meta.term + 1;
        self.set_meta(Meta { term, voted_for: Some(self.me.node) });
        self.role = Role::Candidate { votes: 1 };
        if self.has_majority(1) {
            return self.lead();
        }
        let (from, last) = (self.me, self.log.last());
        for node in self.others() {
            let candidate = Box::new(Candidate { term, last, token: 0 });
            self.out.push(Out::Send(node, Rpc::RequestVote { from, candidate }));
        }
        self.out.push(Out::Timer(Delay::Medium));
    }

    pub(super) fn request_vote(&mut self, from: Pid, candidate: Candidate) {
        if !self.has_vote() && !self.leads() {
            return;
        }
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
        let result = Rpc::VoteResult { from: self.me, term: self.meta.term, granted };
        self.out.push(Out::Send(from.node, result));
    }

    pub(super) fn vote_result(&mut self, term: Term, granted: bool) {
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

    /// As a leader: another member is to lead (ra_server.erl: `handle_leader({transfer_leadership,
    /// ..})`). Whether it can be asked to: it is a member, and not this one.
    pub fn transfer(&mut self, to: NodeId) -> bool {
        let possible = self.leads() && to != self.me.node && self.cluster().has_vote(to);
        self.yields |= possible;
        possible
    }

    /// Whether it has asked another member to lead.
    #[must_use]
    pub fn yields(&self) -> bool {
        self.yields
    }

    /// It has waited for that long enough.
    pub fn leads_on(&mut self) {
        self.yields = false;
    }

    pub(super) fn lead(&mut self) {
        self.yields = false;
        let next = self.log.last().index + 1;
        let progress = |node| Progress::new(node, next);
        self.role = Role::Leader(self.others().into_iter().map(progress).collect());
        self.leader = Some(self.me.node);
        self.out.extend([Out::NoTimer, Out::Leads]);
        // Nothing of an earlier term is committed but along with an entry of this one.
        self.noop = self.append(Command::Noop);
        self.replicate();
    }
}
