//! As a leader: who joins and who leaves (ra_server.erl v3.1: `append_log_leader` of `$ra_join` and
//! `$ra_leave`, `maybe_promote_peer`).

use crate::observe::NodeId;

use super::super::super::super::message::ra::{CallAnswer, Command, Index};
use super::leading::Progress;
use super::{Role, Server};

impl Server {
    /// Whether the members can be changed: the last change is committed, and something of this
    /// leader's term (`cluster_change_permitted`).
    fn may_change(&self) -> bool {
        let settled = self.commit >= self.noop.max(self.membership.last_change());
        self.leads() && (settled || self.faulty.changes_at_once)
    }

    /// As a leader: appends a change of the members, which counts at once.
    ///
    /// # Errors
    /// Why it is not appended.
    pub fn change(&mut self, command: Command) -> Result<Index, CallAnswer> {
        if !self.may_change() {
            return Err(CallAnswer::NotPermitted);
        }
        match command {
            Command::Join { node, .. } if self.cluster().members().contains(&node) => {
                Err(CallAnswer::AlreadyMember)
            }
            Command::Leave { node } if !self.cluster().members().contains(&node) => {
                Err(CallAnswer::NotMember)
            }
            _ => Ok(self.append(command)),
        }
    }

    /// As a leader: a member that has come as far as it had to gets a vote. If the members cannot
    /// be changed now it will when it answers next.
    pub(super) fn promote(&mut self, node: NodeId) {
        let Role::Leader(peers) = &self.role else { return };
        let matched = peers.iter().find(|peer| peer.node == node).map(|peer| peer.matched);
        let target = self.cluster().target(node);
        let arrived = matched.zip(target).is_some_and(|(matched, target)| matched >= target);
        if arrived && self.may_change() {
            self.append(Command::Join { node, votes: true });
            self.replicate();
        }
    }

    /// As a leader: who has joined is sent everything; who has left, nothing any more.
    pub(super) fn seat(&mut self) {
        let others = self.others();
        let Role::Leader(peers) = &mut self.role else { return };
        peers.retain(|peer| others.contains(&peer.node));
        for node in others {
            if peers.iter().all(|peer| peer.node != node) {
                peers.push(Progress::new(node, 1));
            }
        }
    }
}
