//! What others ask (`KafkaRaftClient.handle...Request`, 3.9).

use std::sync::Arc;

use crate::engine::{Span, Time};
use crate::observe::NodeId;
use crate::world::ConnId;

use super::super::leader::Parked;
use super::super::log::{Epoch, Offset, OffsetAndEpoch, Record, Validity};
use super::super::message::{Answer, Error, Fetch, Found, Request, Response};
use super::super::role::Role;
use super::{Clock, Replica, Step};

impl<R: Record> Replica<R> {
    pub(super) fn respond(&mut self, conn: ConnId, id: u32, answer: Response<R>) {
        self.steps.push_back(Step::Respond { conn, id, body: Box::new(answer) });
    }

    fn response(&self, error: Option<Error>, answer: Answer<R>) -> Response<R> {
        Response { epoch: self.epoch, leader: self.leader(), error, answer }
    }

    pub(super) fn on_request(
        &mut self,
        conn: ConnId,
        id: u32,
        request: Request,
        clock: &mut Clock<'_>,
    ) {
        match request {
            Request::Vote { epoch, candidate, last, pre_vote } => {
                let (error, granted) = match self.refuse_voter(epoch) {
                    Some(error) => (Some(error), false),
                    None => (None, self.vote(epoch, candidate, last, pre_vote, clock)),
                };
                let answer = self.response(error, Answer::Vote { granted });
                self.respond(conn, id, answer);
            }
            Request::BeginQuorumEpoch { epoch, leader } => {
                let error = self.refuse_voter(epoch);
                if error.is_none() {
                    self.maybe_transition(Some(leader), epoch, clock);
                }
                let answer = self.response(error, Answer::BeginQuorumEpoch);
                self.respond(conn, id, answer);
            }
            Request::EndQuorumEpoch { epoch, leader, successors } => {
                let error = self.refuse_voter(epoch);
                if error.is_none() {
                    self.maybe_transition(Some(leader), epoch, clock);
                    self.leader_ends(leader, &successors, clock.now);
                }
                let answer = self.response(error, Answer::EndQuorumEpoch);
                self.respond(conn, id, answer);
            }
            Request::Fetch(fetch) => self.on_fetch(conn, id, fetch, clock.now),
            Request::FetchSnapshot { epoch, replica, id: snapshot, position } => {
                let answer = self.fetch_snapshot(epoch, replica, snapshot, position, clock.now);
                self.respond(conn, id, answer);
            }
        }
    }

    /// `validateVoterOnlyRequest`.
    fn refuse_voter(&self, epoch: Epoch) -> Option<Error> {
        (epoch < self.epoch).then_some(Error::FencedLeaderEpoch)
    }

    /// `validateLeaderOnlyRequest`.
    fn refuse_follower(&self, epoch: Epoch) -> Option<Error> {
        if epoch < self.epoch {
            Some(Error::FencedLeaderEpoch)
        } else if epoch > self.epoch {
            Some(Error::UnknownLeaderEpoch)
        } else if !matches!(self.role, Role::Leader(_)) {
            Some(Error::NotLeaderOrFollower)
        } else if self.stopping.is_some() {
            Some(Error::BrokerNotAvailable)
        } else {
            None
        }
    }

    /// Whether the candidate gets the vote: one vote an epoch, and only for a log that lacks
    /// nothing of this one (`handleVoteRequest`, `QuorumState.canGrantVote`, 3.9).
    fn vote(
        &mut self,
        epoch: Epoch,
        candidate: NodeId,
        last: OffsetAndEpoch,
        pre_vote: bool,
        clock: &mut Clock<'_>,
    ) -> bool {
        if epoch > self.epoch {
            self.become_unattached(epoch, clock);
        }
        let up_to_date = last >= self.store.end() || self.config.faulty.votes_for_any_log;
        if pre_vote {
            // Nobody who follows a leader that answers wants another (`FollowerState.canGrantVote`,
            // 4.0).
            let content = match self.role {
                Role::Leader(_) => true,
                Role::Follower { fetched, .. } => fetched,
                _ => false,
            };
            return up_to_date && !content;
        }
        let voted = match self.role {
            Role::Unattached { voted, .. } | Role::Prospective { voted, leader: None, .. } => voted,
            _ => return false,
        };
        match voted {
            Some(voted) => voted == candidate,
            None if up_to_date => {
                self.become_voted(candidate, clock);
                true
            }
            None => false,
        }
    }

    /// The leader has resigned: whoever is first among its successors need not wait
    /// (`handleEndQuorumEpochRequest`, `strictExponentialElectionBackoffMs`, 3.9).
    fn leader_ends(&mut self, leader: NodeId, successors: &[NodeId], now: Time) {
        let most = self.config.election_backoff_max;
        let place = successors.iter().position(|successor| *successor == self.me);
        let wait = match place {
            // With no successors at all, the first place is everybody's.
            None if successors.is_empty() => Span::ZERO,
            None => most,
            Some(0) => Span::ZERO,
            Some(place) => {
                let base = most / (1 << (successors.len() - 1).min(20));
                (base * (1 << (place - 1).min(20))).min(most)
            }
        };
        if let Role::Follower { leader: mine, until, .. } = &mut self.role
            && *mine == leader
        {
            *until = now + wait;
        }
    }

    fn on_fetch(&mut self, conn: ConnId, id: u32, fetch: Fetch, now: Time) {
        let answer = self.try_fetch(&fetch, now);
        let empty = matches!(&answer.answer, Answer::Fetch { found: Found::Batches(batches), .. }
            if batches.is_empty());
        let news = self.config.high_watermark_answers
            && matches!(answer.answer, Answer::Fetch { high_watermark: Some(known), .. }
                if known > fetch.high_watermark);
        let until = now + self.config.fetch_max_wait;
        match &mut self.role {
            Role::Leader(leading) if answer.error.is_none() && empty && !news => {
                let answer = Box::new(answer);
                leading.parked.push(Parked { conn, id, fetch, until, answer });
            }
            _ => self.respond(conn, id, answer),
        }
    }

    pub(super) fn fetch_error(&self, error: Error) -> Response<R> {
        let found = Found::Batches(Vec::new());
        self.response(Some(error), Answer::Fetch { found, high_watermark: None })
    }

    /// `tryCompleteFetchRequest`: the offset from which a follower fetches acknowledges what is
    /// before it.
    fn try_fetch(&mut self, fetch: &Fetch, now: Time) -> Response<R> {
        if let Some(error) = self.refuse_follower(fetch.epoch) {
            return self.fetch_error(error);
        }
        let store = &self.store;
        let validity = match store.latest() {
            // An empty log is filled faster by a snapshot, even where the log still has it all.
            Some(latest) if fetch.offset == 0 => Validity::Snapshot(latest.id),
            _ if self.config.faulty.ignores_divergence => Validity::Valid,
            _ => {
                let ids = store.snapshot_ids();
                store.log.validate(fetch.offset, fetch.last_epoch, ids, store.last_epoch())
            }
        };
        let found = match validity {
            Validity::Valid => {
                let batches = store.log.read(fetch.offset, self.config.max_batch_bytes);
                self.acknowledged(fetch.replica, Some(fetch.offset), now);
                Found::Batches(batches)
            }
            Validity::Diverging(end) => Found::Diverging(end),
            Validity::Snapshot(id) => Found::Snapshot(id),
        };
        let high_watermark = self.high_watermark();
        self.response(None, Answer::Fetch { found, high_watermark })
    }

    /// `LeaderState.updateReplicaState`.
    fn acknowledged(&mut self, replica: NodeId, end: Option<Offset>, now: Time) {
        let check = now + self.config.check_quorum_timeout();
        let Role::Leader(leading) = &mut self.role else { return };
        if leading.fetched(replica, end) && leading.check_quorum != Time::MAX {
            leading.check_quorum = check;
        }
        self.commit();
    }

    /// The leader's own log is durable up to `end`.
    pub(super) fn count(&mut self, epoch: Epoch, end: Offset, now: Time) {
        let Role::Leader(leading) = &mut self.role else { return };
        if epoch == self.epoch {
            leading.own_end = leading.own_end.max(Some(end));
            self.commit();
            self.answer_parked(now, false);
        }
    }

    /// Moves the high watermark, and tells.
    pub(super) fn commit(&mut self) {
        let faulty = self.config.faulty;
        let Role::Leader(leading) = &mut self.role else { return };
        if leading.update_high_watermark(faulty.commits_old_epochs) {
            self.changes = self.changes.wrapping_add(1);
            self.high_watermark = self.high_watermark.max(leading.high_watermark);
            self.progress();
        }
    }

    /// Fetches that wait are answered if there is something for them now: records, or with
    /// `only_due` out of time.
    pub(super) fn answer_parked(&mut self, now: Time, only_due: bool) {
        let end = self.store.log.end();
        let news = self.config.high_watermark_answers.then(|| self.high_watermark()).flatten();
        let Role::Leader(leading) = &mut self.role else { return };
        let ready = |parked: &Parked<R>| {
            if only_due {
                return parked.until <= now;
            }
            parked.fetch.offset < end || news.is_some_and(|hw| hw > parked.fetch.high_watermark)
        };
        if !leading.parked.iter().any(ready) {
            return;
        }
        let (answered, waiting) = std::mem::take(&mut leading.parked).into_iter().partition(ready);
        leading.parked = waiting;
        let answered: Vec<Parked<R>> = answered;
        for parked in answered {
            let answer = if only_due { *parked.answer } else { self.try_fetch(&parked.fetch, now) };
            self.respond(parked.conn, parked.id, answer);
        }
    }

    /// `handleFetchSnapshotRequest`.
    fn fetch_snapshot(
        &mut self,
        epoch: Epoch,
        replica: NodeId,
        id: OffsetAndEpoch,
        position: u64,
        now: Time,
    ) -> Response<R> {
        let nothing = Answer::FetchSnapshot { bytes: 0, last: None };
        if let Some(error) = self.refuse_follower(epoch) {
            return self.response(Some(error), nothing);
        }
        let Some(snapshot) = self.store.snapshot(id).map(Arc::clone) else {
            return self.response(Some(Error::SnapshotNotFound), nothing);
        };
        let bytes =
            (snapshot.bytes - position.min(snapshot.bytes)).min(self.config.max_batch_bytes);
        let last = (position + bytes >= snapshot.bytes).then_some(snapshot);
        self.acknowledged(replica, None, now);
        self.response(None, Answer::FetchSnapshot { bytes, last })
    }
}
