//! What its machine, and those who look on, see of a replica.

use std::sync::Arc;

use crate::observe::NodeId;

use super::super::config::Config;
use super::super::log::{Batch, Epoch, Log, Offset, Record, Snapshot};
use super::super::role::{Role, RoleName};
use super::super::store::Election;
use super::Replica;

impl<R: Record> Replica<R> {
    /// Committed batches from `from` on that are in the log; those before its start are in the
    /// snapshot.
    pub fn committed(&self, from: Offset) -> impl Iterator<Item = &Arc<Batch<R>>> {
        let end = self.applied;
        self.store.log.batches(from).take_while(move |batch| batch.end() <= end)
    }

    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Option<&Arc<Snapshot<R>>> {
        self.store.latest()
    }

    /// The oldest snapshot that is kept.
    #[must_use]
    pub fn earliest_snapshot(&self) -> Option<&Arc<Snapshot<R>>> {
        self.store.earliest()
    }

    /// The log, with what is not committed.
    #[must_use]
    pub fn log(&self) -> &Log<R> {
        &self.store.log
    }

    /// What it knows to be committed: a leader nothing before a record of its epoch is.
    #[must_use]
    pub fn high_watermark(&self) -> Option<Offset> {
        match &self.role {
            Role::Leader(leading) => leading.high_watermark,
            _ => self.high_watermark,
        }
    }

    /// Up to where its machine was told of the log.
    #[must_use]
    pub fn applied(&self) -> Offset {
        self.applied
    }

    /// Its epoch; that on disk while it does not run, or does so no more.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        if self.is_running() { self.epoch } else { self.store.durable_election().epoch }
    }

    /// Who leads in its epoch, if it knows; itself if it has resigned.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        match &self.role {
            Role::Follower { leader, .. } => Some(*leader),
            Role::Leader(_) | Role::Resigned { .. } => Some(self.me),
            Role::Prospective { leader, .. } => *leader,
            Role::Unattached { .. } | Role::Candidate { .. } => None,
        }
    }

    /// Whom it has voted for in its epoch; as a candidate, itself.
    #[must_use]
    pub fn voted(&self) -> Option<NodeId> {
        match &self.role {
            Role::Unattached { voted, .. } | Role::Prospective { voted, .. } => *voted,
            Role::Candidate { .. } => Some(self.me),
            _ => None,
        }
    }

    /// Its role.
    #[must_use]
    pub fn role(&self) -> RoleName {
        self.role.name()
    }

    /// Whether it leads and its machine was told so.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        matches!(&self.role, Role::Leader(leading) if leading.claimed)
    }

    /// Whether it has loaded a snapshot while it might append, which it must not.
    #[must_use]
    pub fn loaded_while_leading(&self) -> bool {
        self.loaded_while_leading
    }

    /// Whether its process runs and it has read its disk.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running && !self.halted
    }

    /// Whether it votes.
    #[must_use]
    pub fn is_voter(&self) -> bool {
        self.voter
    }

    /// What is written in `quorum-state`, durably.
    #[must_use]
    pub fn election(&self) -> Election {
        self.store.durable_election()
    }

    /// Whether it waits for its disk, and so has said nothing yet of what it last learned.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        !self.steps.is_empty()
    }

    /// How many disks were taken from it.
    #[must_use]
    pub fn disk(&self) -> u32 {
        self.disk
    }

    /// Its node.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.me
    }

    /// Its quorum.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A count that moves whenever something does that an invariant is about.
    #[must_use]
    pub fn changes(&self) -> u32 {
        self.changes
    }

    /// There is a leader, and its machine was told of all that is in the log.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_settled_but_for(|_| false)
    }

    /// The same, where records may be outstanding that say nothing: a leader that writes such a
    /// record again and again never tells its followers that the last one is committed.
    #[must_use]
    pub fn is_settled_but_for(&self, says_nothing: impl Fn(&R) -> bool) -> bool {
        let nothing = |batch: &Arc<Batch<R>>| {
            !batch.records().is_empty() && batch.records().iter().all(&says_nothing)
        };
        self.is_running()
            && self.steps.is_empty()
            && self.leader().is_some()
            && self.role() != RoleName::Resigned
            && self.store.log.batches(self.applied).all(nothing)
    }
}
