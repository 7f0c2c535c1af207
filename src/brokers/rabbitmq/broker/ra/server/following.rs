//! As a follower (ra_server.erl: `handle_follower`, `handle_await_condition`, `handle_receive_snapshot`).

use crate::observe::NodeId;

use super::super::super::super::message::ra::{
    AppendEntries, AppendReply, Index, InstallSnapshot, Position, Rpc,
};
use super::super::log::Snapshot;
use super::{Breach, Delay, Membership, Out, Role, Server};

impl Server {
    /// ra_server.erl `handle_follower(#append_entries_rpc{})`.
    pub(super) fn append_entries(&mut self, rpc: AppendEntries) {
        if rpc.term < self.meta.term {
            return self.reply(rpc.leader.node, false, self.log.last().index + 1);
        }
        if rpc.term > self.meta.term {
            self.later_term(rpc.term);
        }
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
                // Above what is committed, unless the leader has votes of members that had lost their
                // disks.
                if index <= self.commit {
                    self.breach = Some(Breach::Overwritten(index));
                }
                self.cut(index - 1);
            }
            let at = self.log.append(entry);
            self.membership.append(at, &entry.command);
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

    pub(super) fn reply(&mut self, to: NodeId, success: bool, next: Index) {
        let counted =
            if self.faulty.counts_unsynced { self.log.last().index } else { self.log.written() };
        let written = counted.min(self.agreed);
        let reply = AppendReply { term: self.meta.term, success, next, written };
        let message = Rpc::AppendReply { from: self.me, reply: Box::new(reply) };
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

    pub(super) fn install_snapshot(&mut self, rpc: InstallSnapshot) {
        if rpc.term < self.meta.term {
            return self.reply(rpc.leader.node, false, self.log.last().index + 1);
        }
        if rpc.term > self.meta.term {
            self.later_term(rpc.term);
        }
        self.follow(rpc.leader);
        if let Some(state) =
            rpc.state.filter(|_| rpc.last.index > self.commit.max(self.log.base().index))
        {
            let cluster = rpc.cluster.clone();
            let gone = self.log.shorten(Snapshot { last: rpc.last, state, cluster });
            self.membership = Membership::of((*rpc.cluster).clone(), &self.log);
            self.commit = rpc.last.index;
            self.agreed = self.agreed.max(rpc.last.index);
            self.asked = false;
            self.out.push(Out::Installed(gone));
        }
        let (from, term, chunk) = (self.me, self.meta.term, rpc.chunk);
        self.out.push(Out::Send(rpc.leader.node, Rpc::SnapshotReply { from, term, chunk }));
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
}
