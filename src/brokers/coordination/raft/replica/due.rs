//! What is due (`KafkaRaftClient.poll...`, 3.9).

use std::sync::Arc;

use crate::engine::Time;
use crate::observe::NodeId;

use super::super::leader::Leading;
use super::super::log::{Batch, Record};
use super::super::message::{Fetch, Request};
use super::super::role::{Role, RoleName};
use super::{Clock, Event, Replica, Step};

impl<R: Record> Replica<R> {
    /// Does what is due.
    pub(super) fn poll(&mut self, clock: &mut Clock<'_>) {
        for conn in self.peers.expire(clock.now) {
            self.steps.push_back(Step::Abort(conn));
        }
        self.write_snapshot();
        if self.has_stopped(clock.now) {
            return;
        }
        match self.role.name() {
            RoleName::Leader => self.poll_leader(clock),
            RoleName::Prospective => self.poll_prospective(clock),
            RoleName::Candidate => self.poll_candidate(clock),
            RoleName::Resigned => self.poll_resigned(clock),
            RoleName::Follower if self.voter => self.poll_voter(clock),
            RoleName::Follower => self.poll_observer(clock),
            RoleName::Unattached | RoleName::Voted => {
                if !self.voter {
                    self.fetch_from_any(clock);
                } else if let Role::Unattached { until, .. } = self.role
                    && until <= clock.now
                    && self.stopping.is_none()
                {
                    self.stand(clock);
                }
            }
        }
    }

    /// When [`poll`](Self::poll) has something to do again.
    pub(super) fn deadline(&self, now: Time) -> Time {
        let stopping = self.stopping.is_some();
        let role = match &self.role {
            Role::Leader(leading) => leading.deadline(),
            Role::Unattached { .. } | Role::Follower { .. } if stopping => Time::MAX,
            Role::Unattached { until, .. } | Role::Follower { until, .. } => *until,
            Role::Candidate { .. } | Role::Resigned { .. } if stopping => Time::MAX,
            Role::Prospective { until, .. } => *until,
            Role::Candidate { until, back_off, .. } => back_off.unwrap_or(*until),
            Role::Resigned { until, .. } => *until,
        };
        // An observer whose time is over has nothing to wait for but answers.
        let role = if role <= now && !self.voter { Time::MAX } else { role };
        role.min(self.peers.deadline(now)).min(self.stopping.unwrap_or(Time::MAX))
    }

    /// `maybeCompleteShutdown`.
    fn has_stopped(&mut self, now: Time) -> bool {
        let Some(until) = self.stopping else { return false };
        let followed = matches!(self.role, Role::Follower { .. });
        let alone = self.config.voters.len() == 1;
        if until <= now || !self.voter || alone || followed {
            self.stopping = None;
            self.halted = true;
            self.tell(Event::Stopped);
            return true;
        }
        false
    }

    fn write_snapshot(&mut self) {
        let Some(snapshot) = self.offered.take() else { return };
        let newer = self.store.latest().is_none_or(|latest| latest.id < snapshot.id);
        if !newer || snapshot.id.offset > self.applied {
            return;
        }
        let file = self.config.snapshot_file();
        let bytes = snapshot.bytes;
        self.store.add_snapshot(Arc::new(snapshot));
        let end = self.store.snapshot_end();
        self.changes = self.changes.wrapping_add(1);
        self.steps.extend([Step::Write(file, bytes), Step::Sync(file), Step::Clean(end)]);
    }

    fn ask(&mut self, to: NodeId, request: Request, now: Time) {
        if let Some(id) = self.peers.begin(to, now) {
            self.steps.push_back(Step::Request { to, id, body: Box::new(request) });
        }
    }

    fn poll_leader(&mut self, clock: &mut Clock<'_>) {
        let now = clock.now;
        self.answer_parked(now, true);
        if self.config.high_watermark_answers {
            self.answer_parked(now, false);
        }
        let (epoch, me) = (self.epoch, self.me);
        let interval = self.config.begin_quorum_interval();
        let Role::Leader(leading) = &mut self.role else { return };
        if leading.resigns || leading.check_quorum <= now || self.stopping.is_some() {
            return self.become_resigned(clock);
        }
        let tells = leading.begin_quorum <= now;
        if tells {
            leading.begin_quorum = now + interval;
        }
        if !leading.begun || leading.linger <= now {
            self.append_as_leader(now);
        }
        if tells {
            for other in self.others() {
                self.ask(other, Request::BeginQuorumEpoch { epoch, leader: me }, now);
            }
        }
    }

    /// What was accumulated becomes batches. Fetches that wait get them before the leader has
    /// fsynced them itself (`flushLeaderLog`); it counts itself after.
    fn append_as_leader(&mut self, now: Time) {
        let (epoch, me, most) = (self.epoch, self.me, self.config.max_batch_bytes);
        let Role::Leader(leading) = &mut self.role else { return };
        let mut batches = Vec::new();
        if !leading.begun {
            leading.begun = true;
            batches.push(Batch::leader_change(leading.epoch_start, epoch, me));
        }
        let mut base = self.store.log.end() + batches.len() as u64;
        for records in drain(leading, most) {
            let batch = Batch::of(base, epoch, records);
            base = batch.end();
            batches.push(batch);
        }
        let mut bytes = 0;
        for batch in batches {
            bytes += self.store.log.append(Arc::new(batch));
        }
        let (file, end) = (self.config.log_file(), self.store.log.end());
        self.steps.push_back(Step::Write(file, bytes));
        self.answer_parked(now, false);
        if !self.config.faulty.counts_unsynced {
            self.steps.push_back(Step::Sync(file));
        }
        self.steps.push_back(Step::Count(epoch, end));
    }

    fn poll_candidate(&mut self, clock: &mut Clock<'_>) {
        let now = clock.now;
        let Role::Candidate { granted, rejected, retries, until, back_off } = &self.role else {
            return;
        };
        if let Some(until) = *back_off {
            if until <= now && self.stopping.is_none() {
                self.become_candidate(clock);
            }
        } else if *until <= now && self.stopping.is_none() && self.config.pre_vote {
            self.stand(clock);
        } else if *until <= now && self.stopping.is_none() {
            let retries = *retries;
            let until = now + self.election_back_off(retries, clock);
            if let Role::Candidate { back_off, .. } = &mut self.role {
                *back_off = Some(until);
            }
            if until <= now {
                self.become_candidate(clock);
            }
        } else {
            let recorded: Vec<NodeId> = granted.iter().chain(rejected).copied().collect();
            self.ask_for_votes(&recorded, false, now);
        }
    }

    /// Of all who have not answered yet.
    fn ask_for_votes(&mut self, recorded: &[NodeId], pre_vote: bool, now: Time) {
        let (epoch, candidate, last) = (self.epoch, self.me, self.store.end());
        let vote = Request::Vote { epoch, candidate, last, pre_vote };
        for voter in self.others() {
            if !recorded.contains(&voter) {
                self.ask(voter, vote.clone(), now);
            }
        }
    }

    fn poll_prospective(&mut self, clock: &mut Clock<'_>) {
        let Role::Prospective { granted, rejected, until, .. } = &self.role else { return };
        if *until <= clock.now {
            return self.stand_back(clock);
        }
        let recorded: Vec<NodeId> = granted.iter().chain(rejected).copied().collect();
        self.ask_for_votes(&recorded, true, clock.now);
    }

    fn poll_resigned(&mut self, clock: &mut Clock<'_>) {
        let now = clock.now;
        let Role::Resigned { unacked, successors, until } = &self.role else { return };
        if *until <= now && self.stopping.is_none() {
            if self.config.pre_vote {
                // It asks first, and not in the epoch from which it has resigned.
                return self.become_unattached(self.epoch + 1, clock);
            }
            return self.become_candidate(clock);
        }
        let request = Request::EndQuorumEpoch {
            epoch: self.epoch,
            leader: self.me,
            successors: successors.clone(),
        };
        for voter in unacked.clone() {
            self.ask(voter, request.clone(), now);
        }
    }

    fn poll_voter(&mut self, clock: &mut Clock<'_>) {
        let Role::Follower { until, leader, .. } = self.role else { return };
        if self.stopping.is_some() {
            return;
        }
        if until <= clock.now {
            self.stand(clock);
        } else {
            self.fetch(leader, clock.now);
        }
    }

    /// From the leader while it answers, else from any voter that may know the leader
    /// (`pollFollowerAsObserver`).
    fn poll_observer(&mut self, clock: &mut Clock<'_>) {
        let Role::Follower { until, leader, .. } = self.role else { return };
        let now = clock.now;
        if until <= now {
            self.fetch_from_any(clock);
        } else if !self.peers.any_in_flight() {
            if self.peers.is_ready(leader, now) {
                self.fetch(leader, now);
            } else {
                self.fetch_from_any(clock);
            }
        }
    }

    fn fetch(&mut self, from: NodeId, now: Time) {
        let (epoch, replica) = (self.epoch, self.me);
        if let Role::Follower { leader, download: Some(download), .. } = &self.role
            && *leader == from
        {
            if !download.complete {
                let (id, position) = (download.id, download.position);
                self.ask(from, Request::FetchSnapshot { epoch, replica, id, position }, now);
            }
            return;
        }
        let end = self.store.end();
        let fetch = Fetch {
            epoch,
            replica,
            offset: end.offset,
            last_epoch: end.epoch,
            high_watermark: self.high_watermark.unwrap_or(0),
        };
        self.ask(from, Request::Fetch(fetch), now);
    }

    /// `RequestManager.findReadyBootstrapServer`.
    fn fetch_from_any(&mut self, clock: &mut Clock<'_>) {
        let voters = self.others();
        if voters.is_empty() || self.peers.any_in_flight() {
            return;
        }
        let first = clock.stream.below(voters.len() as u64) as usize;
        let mut turn = (first..first + voters.len()).map(|index| voters[index % voters.len()]);
        if let Some(ready) = turn.find(|voter| self.peers.is_ready(*voter, clock.now)) {
            let end = self.store.end();
            let fetch = Fetch {
                epoch: self.epoch,
                replica: self.me,
                offset: end.offset,
                last_epoch: end.epoch,
                high_watermark: self.high_watermark.unwrap_or(0),
            };
            self.ask(ready, Request::Fetch(fetch), clock.now);
        }
    }
}

/// Takes what has been accumulated, as the records of one batch after the other. What was appended
/// together stays together.
fn drain<R: Record>(leading: &mut Leading<R>, most: u64) -> Vec<Vec<R>> {
    leading.linger = Time::MAX;
    leading.waiting_bytes = 0;
    let mut batches: Vec<Vec<R>> = Vec::new();
    let mut room = 0;
    for records in std::mem::take(&mut leading.waiting) {
        let bytes: u64 = records.iter().map(|record| u64::from(record.bytes())).sum();
        match batches.last_mut() {
            Some(batch) if bytes <= room => {
                batch.extend(records);
                room -= bytes;
            }
            _ => {
                batches.push(records);
                room = most.saturating_sub(bytes);
            }
        }
    }
    batches
}
