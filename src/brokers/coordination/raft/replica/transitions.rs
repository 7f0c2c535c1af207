//! From role to role (`QuorumState`, 3.9).

use crate::engine::{Span, Time};
use crate::observe::NodeId;

use super::super::leader::Leading;
use super::super::log::{Epoch, Record};
use super::super::message::Error;
use super::super::role::Role;
use super::super::store::Election;
use super::{Clock, Event, Replica, Step};

/// `KafkaRaftClient.RETRY_BACKOFF_BASE_MS` (3.9).
const BACK_OFF_BASE: Span = Span::from_millis(100);

impl<R: Record> Replica<R> {
    pub(super) fn election_timeout(&self, clock: &mut Clock<'_>) -> Span {
        let least = self.config.election_timeout;
        least + Span::from_nanos(clock.stream.below(least.as_nanos().max(1)))
    }

    /// `KafkaRaftClient.binaryExponentialElectionBackoffMs` (3.9).
    pub(super) fn election_back_off(&self, retries: u32, clock: &mut Clock<'_>) -> Span {
        let steps = clock.stream.below(2 << retries.saturating_sub(1).min(20));
        (BACK_OFF_BASE * steps).min(self.config.election_backoff_max)
    }

    /// As it was when it went down, with what the disk kept (`QuorumState.initialize`, 3.9).
    pub(super) fn start(&mut self, clock: &mut Clock<'_>) {
        let now = clock.now;
        self.running = true;
        // `KafkaMetadataLog.apply` (3.9): a snapshot that was fetched but not put in place.
        if let Some(latest) = self.store.latest().map(|snapshot| snapshot.id) {
            self.install(latest);
        }
        // What a kill left in the page cache is acknowledged by the first fetch.
        if self.voter && self.store.log.bytes() > 0 {
            self.steps.push_back(Step::Sync(self.config.log_file()));
        }
        let Election { epoch, leader, voted } = self.store.election();
        let last_epoch = self.store.last_epoch();
        self.epoch = epoch.max(last_epoch);
        self.changes = self.changes.wrapping_add(1);
        let until = now + self.election_timeout(clock);
        let until = if self.voter { until } else { Time::MAX };
        if self.founded && leader == Some(self.me) {
            return self.become_leader(clock);
        }
        self.role = if epoch < last_epoch {
            Role::Unattached { voted: None, until }
        } else if leader == Some(self.me) {
            // Whoever led starts as resigned: it must neither vote in this epoch nor append to
            // it, since it may have lost what it had appended.
            Role::Resigned { unacked: self.others(), successors: Vec::new(), until }
        } else if voted == Some(self.me) {
            let granted = vec![self.me];
            Role::Candidate { granted, rejected: Vec::new(), retries: 1, until, back_off: None }
        } else if let Some(leader) = leader {
            let until = now + self.config.fetch_timeout;
            Role::Follower { leader, until, fetched: false, download: None }
        } else {
            Role::Unattached { voted, until }
        };
        if self.epoch > epoch {
            self.persist(Election { epoch: self.epoch, leader: None, voted: None });
        }
        self.tell_leader();
        // `KafkaRaftClient.initialize` (3.9): an only voter need not wait.
        if self.voter && self.config.voters.len() == 1 {
            self.become_candidate(clock);
        }
    }

    pub(super) fn others(&self) -> Vec<NodeId> {
        self.config.voters.iter().copied().filter(|voter| *voter != self.me).collect()
    }

    /// Tells its machine who leads, if that is new; of its own leadership it is told when its log
    /// has been read (`KafkaRaftClient.maybeFireLeaderChange`, 3.9).
    fn tell_leader(&mut self) {
        if let Role::Leader(_) | Role::Resigned { .. } = self.role {
            return;
        }
        let current = (self.leader(), self.epoch);
        if self.told != current {
            self.told = current;
            self.tell(Event::LeaderIs(current.0, current.1));
        }
    }

    /// Whatever it was as a leader is over: fetches that wait are refused.
    fn leave(&mut self) {
        self.changes = self.changes.wrapping_add(1);
        let Role::Leader(leading) = &mut self.role else { return };
        let claimed = leading.claimed;
        for parked in std::mem::take(&mut leading.parked) {
            let mut answer = self.fetch_error(Error::NotLeaderOrFollower);
            answer.leader = None;
            self.respond(parked.conn, parked.id, answer);
        }
        if claimed {
            self.tell(Event::Resigned { epoch: self.epoch });
        }
    }

    /// `QuorumState.transitionToUnattached` (3.9): an election under way keeps its time.
    pub(super) fn become_unattached(&mut self, epoch: Epoch, clock: &mut Clock<'_>) {
        self.renew_timers(clock);
        let until = match self.role {
            _ if !self.voter => Time::MAX,
            Role::Candidate { until, .. }
            | Role::Prospective { until, .. }
            | Role::Unattached { until, .. } => until,
            _ => clock.now + self.election_timeout(clock),
        };
        self.leave();
        self.role = Role::Unattached { voted: None, until };
        self.persist(Election { epoch, leader: None, voted: None });
        self.tell_leader();
        self.peers.reset();
    }

    /// Votes for another in its epoch.
    pub(super) fn become_voted(&mut self, candidate: NodeId, clock: &mut Clock<'_>) {
        self.renew_timers(clock);
        let until = clock.now + self.election_timeout(clock);
        self.role = Role::Unattached { voted: Some(candidate), until };
        self.persist(Election { epoch: self.epoch, leader: None, voted: Some(candidate) });
    }

    /// Its time has come to try to lead.
    pub(super) fn stand(&mut self, clock: &mut Clock<'_>) {
        if !self.config.pre_vote || self.config.voters.len() == 1 {
            return self.become_candidate(clock);
        }
        let (leader, voted) = (self.leader(), self.voted());
        let until = clock.now + self.election_timeout(clock);
        self.leave();
        let granted = vec![self.me];
        self.role = Role::Prospective { leader, voted, granted, rejected: Vec::new(), until };
        self.persist(Election { epoch: self.epoch, leader, voted });
        self.peers.reset();
    }

    /// Too few would vote for it, or too late: it follows as before, or waits for the rest of its
    /// time (`KafkaRaftClient.prospectiveToUnattachedOrFollower`, 4.0).
    pub(super) fn stand_back(&mut self, clock: &mut Clock<'_>) {
        let Role::Prospective { leader, voted, until, .. } = self.role else { return };
        if let Some(leader) = leader {
            return self.become_follower(self.epoch, leader, clock);
        }
        let fresh = clock.now + self.election_timeout(clock);
        let until = if until <= clock.now { fresh } else { until };
        self.role = Role::Unattached { voted, until };
        self.persist(Election { epoch: self.epoch, leader: None, voted });
        self.peers.reset();
    }

    pub(super) fn become_candidate(&mut self, clock: &mut Clock<'_>) {
        self.renew_timers(clock);
        let retries = match self.role {
            Role::Candidate { retries, .. } => retries + 1,
            _ => 1,
        };
        let until = clock.now + self.election_timeout(clock);
        self.leave();
        let granted = vec![self.me];
        self.role =
            Role::Candidate { granted, rejected: Vec::new(), retries, until, back_off: None };
        self.persist(Election { epoch: self.epoch + 1, leader: None, voted: Some(self.me) });
        self.tell_leader();
        self.peers.reset();
        if self.config.voters.len() == 1 {
            self.become_leader(clock);
        }
    }

    pub(super) fn become_leader(&mut self, clock: &mut Clock<'_>) {
        self.renew_timers(clock);
        let others = self.others();
        let alone = others.is_empty();
        let check = clock.now + self.config.check_quorum_timeout();
        let checks = self.config.check_quorum && !alone;
        let check = if checks { check } else { Time::MAX };
        let end = self.store.log.end();
        let mut leading = Leading::new(end, others.into_iter(), clock.now, check);
        if alone {
            leading.begin_quorum = Time::MAX;
        }
        let silent = self.config.faulty.begins_silently;
        if silent {
            (leading.begun, leading.next_offset, leading.own_end) = (true, end, Some(end));
        }
        self.role = Role::Leader(Box::new(leading));
        self.persist(Election { epoch: self.epoch, leader: Some(self.me), voted: None });
        self.peers.reset();
        if silent {
            self.commit();
        }
        if self.config.faulty.claims_unread {
            self.claim();
        }
    }

    pub(super) fn become_follower(&mut self, epoch: Epoch, leader: NodeId, clock: &mut Clock<'_>) {
        self.renew_timers(clock);
        if leader == self.me {
            return self.halt("told to follow itself");
        }
        self.leave();
        let until = clock.now + self.config.fetch_timeout;
        self.role = Role::Follower { leader, until, fetched: false, download: None };
        self.persist(Election { epoch, leader: Some(leader), voted: None });
        self.tell_leader();
        self.peers.reset();
    }

    pub(super) fn become_resigned(&mut self, clock: &mut Clock<'_>) {
        self.renew_timers(clock);
        let Role::Leader(leading) = &self.role else { return };
        let successors = leading.successors();
        let until = clock.now + self.election_timeout(clock);
        self.leave();
        self.role = Role::Resigned { unacked: self.others(), successors, until };
        self.persist(Election { epoch: self.epoch, leader: Some(self.me), voted: None });
        self.peers.reset();
    }

    pub(super) fn claim(&mut self) {
        if let Role::Leader(leading) = &mut self.role
            && !leading.claimed
        {
            leading.claimed = true;
            self.told = (Some(self.me), self.epoch);
            self.tell(Event::BecameLeader { epoch: self.epoch });
        }
    }
}
