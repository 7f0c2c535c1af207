//! The roles of a replica (`UnattachedState`, `ProspectiveState`, `CandidateState`,
//! `FollowerState`, `LeaderState`, `ResignedState`, 3.9 and 4.0).

use crate::engine::Time;
use crate::observe::NodeId;

use super::leader::Leading;
use super::log::OffsetAndEpoch;

/// A snapshot that is being fetched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Download {
    pub(super) id: OffsetAndEpoch,
    pub(super) position: u64,
    /// All of it is here, and is being made durable.
    pub(super) complete: bool,
}

/// A role and what is known in it.
#[derive(Clone, Debug)]
pub(super) enum Role<R> {
    /// Knows no leader of its epoch; may have voted in it.
    Unattached { voted: Option<NodeId>, until: Time },
    /// Asks whether it would be elected (KIP-996). Still knows who led, and for whom it voted.
    Prospective {
        leader: Option<NodeId>,
        voted: Option<NodeId>,
        granted: Vec<NodeId>,
        rejected: Vec<NodeId>,
        until: Time,
    },
    /// Wants to lead.
    Candidate {
        granted: Vec<NodeId>,
        rejected: Vec<NodeId>,
        retries: u32,
        until: Time,
        /// The election is lost, or took too long; the next begins then.
        back_off: Option<Time>,
    },
    /// Fetches from a leader.
    Follower {
        leader: NodeId,
        until: Time,
        /// Whether the leader has answered a fetch.
        fetched: bool,
        download: Option<Download>,
    },
    /// Leads.
    Leader(Box<Leading<R>>),
    /// Led in this epoch, and does not any more.
    Resigned { unacked: Vec<NodeId>, successors: Vec<NodeId>, until: Time },
}

/// The name of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleName {
    /// Knows no leader of its epoch and has not voted in it.
    Unattached,
    /// Has voted in its epoch and knows no leader.
    Voted,
    /// Asks whether it would be elected.
    Prospective,
    /// Wants to lead.
    Candidate,
    /// Follows a leader; as an observer, too.
    Follower,
    /// Leads.
    Leader,
    /// Has led in its epoch and does not any more.
    Resigned,
}

impl<R> Role<R> {
    pub(super) fn name(&self) -> RoleName {
        match self {
            Role::Unattached { voted: None, .. } => RoleName::Unattached,
            Role::Unattached { .. } => RoleName::Voted,
            Role::Prospective { .. } => RoleName::Prospective,
            Role::Candidate { .. } => RoleName::Candidate,
            Role::Follower { .. } => RoleName::Follower,
            Role::Leader(_) => RoleName::Leader,
            Role::Resigned { .. } => RoleName::Resigned,
        }
    }
}
