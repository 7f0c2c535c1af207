//! Who belongs to a Raft group, and since which entry (ra_server.erl v3.1: `cluster`,
//! `cluster_index_term`, `previous_cluster`).
//!
//! A change counts from when it is appended, not from when it is committed; what is cut off the log
//! takes its changes back. Ra writes the whole group into each change; here an entry says who joins
//! or leaves, which comes to the same, since the entries before it are the same.

use crate::observe::NodeId;

use super::super::super::message::ra::{Command, Index};
use super::log::Log;

/// The members at some place of the log, in the cluster's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    members: Vec<NodeId>,
    /// Members without a vote, each with the entry with which it gets one (`promotable`).
    promotable: Vec<(NodeId, Index)>,
}

impl Cluster {
    /// Of these members, each with a vote.
    #[must_use]
    pub fn of(members: Vec<NodeId>) -> Cluster {
        Cluster { members, promotable: Vec::new() }
    }

    /// Everybody who is sent entries.
    #[must_use]
    pub fn members(&self) -> &[NodeId] {
        &self.members
    }

    /// The entry with which a member gets a vote, if it has none.
    #[must_use]
    pub fn target(&self, node: NodeId) -> Option<Index> {
        self.promotable.iter().find(|(of, _)| *of == node).map(|(_, target)| *target)
    }

    /// Whether a node has a member with a vote.
    #[must_use]
    pub fn has_vote(&self, node: NodeId) -> bool {
        self.members.contains(&node) && self.target(node).is_none()
    }

    /// How many members have a vote.
    #[must_use]
    pub fn votes(&self) -> usize {
        self.members.len() - self.promotable.len()
    }

    /// The members after the entry at `index`, if that changes them.
    fn after(&self, index: Index, command: &Command) -> Option<Cluster> {
        if !matches!(command, Command::Join { .. } | Command::Leave { .. }) {
            return None;
        }
        let mut next = self.clone();
        match *command {
            Command::Join { node, votes } => {
                next.promotable.retain(|(of, _)| *of != node);
                if !next.members.contains(&node) {
                    let at = next.members.partition_point(|of| *of < node);
                    next.members.insert(at, node);
                }
                if !votes {
                    next.promotable.push((node, index));
                }
            }
            Command::Leave { node } => {
                next.members.retain(|of| *of != node);
                next.promotable.retain(|(of, _)| *of != node);
            }
            _ => {}
        }
        Some(next)
    }
}

/// The members at every place of a log from its snapshot on.
#[derive(Clone, Debug)]
pub struct Membership {
    base: Cluster,
    /// From which entry on there were which members, the first first.
    changes: Vec<(Index, Cluster)>,
}

impl Membership {
    /// What a log says, whose snapshot (or whose beginning) has these members.
    #[must_use]
    pub fn of(base: Cluster, log: &Log) -> Membership {
        let mut membership = Membership { base, changes: Vec::new() };
        for index in log.base().index + 1..=log.last().index {
            if let Some(entry) = log.get(index) {
                membership.append(index, &entry.command);
            }
        }
        membership
    }

    /// The members now.
    #[must_use]
    pub fn now(&self) -> &Cluster {
        self.changes.last().map_or(&self.base, |(_, cluster)| cluster)
    }

    /// Those after the entry at an index.
    #[must_use]
    pub fn at(&self, index: Index) -> &Cluster {
        let behind = self.changes.partition_point(|(of, _)| *of <= index);
        behind.checked_sub(1).map_or(&self.base, |at| &self.changes[at].1)
    }

    /// The last entry that changes them; 0 if none does.
    #[must_use]
    pub fn last_change(&self) -> Index {
        self.changes.last().map_or(0, |(index, _)| *index)
    }

    /// An entry is appended. Returns whether it changes the members.
    pub fn append(&mut self, index: Index, command: &Command) -> bool {
        let next = self.now().after(index, command);
        let changes = next.is_some();
        self.changes.extend(next.map(|next| (index, next)));
        changes
    }

    /// The log ends with this entry now (`pre_append_log_follower`: "reverting cluster change").
    pub fn truncate(&mut self, last: Index) {
        self.changes.retain(|(index, _)| *index <= last);
    }

    /// The log begins behind this entry now.
    pub fn shorten(&mut self, last: Index) {
        self.base = self.at(last).clone();
        self.changes.retain(|(index, _)| *index > last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOIN: Command = Command::Join { node: NodeId(3), votes: false };
    const PROMOTE: Command = Command::Join { node: NodeId(3), votes: true };
    const LEAVE: Command = Command::Leave { node: NodeId(0) };

    fn nodes(of: &[u32]) -> Vec<NodeId> {
        of.iter().copied().map(NodeId).collect()
    }

    #[test]
    fn who_joins_gets_its_vote_by_a_second_entry_and_what_is_cut_off_is_taken_back() {
        let founders = Cluster::of(nodes(&[0, 1, 4]));
        let mut membership = Membership::of(founders.clone(), &Log::new());
        assert!(!membership.append(1, &Command::Noop));
        assert!(membership.append(5, &JOIN));
        assert_eq!(membership.now().members(), nodes(&[0, 1, 3, 4]));
        assert_eq!((membership.now().target(NodeId(3)), membership.now().votes()), (Some(5), 3));
        assert!(membership.append(7, &PROMOTE));
        assert!(membership.now().has_vote(NodeId(3)));
        assert!(membership.append(8, &LEAVE));
        assert_eq!(membership.now().members(), nodes(&[1, 3, 4]));
        assert_eq!((membership.at(4), membership.at(7).votes()), (&founders, 4));
        membership.truncate(6);
        assert_eq!((membership.now().target(NodeId(3)), membership.last_change()), (Some(5), 5));
        membership.shorten(5);
        assert_eq!((membership.now().votes(), membership.last_change()), (3, 0));
    }
}
