//! What others answer (`KafkaRaftClient.handle...Response`, 3.9).

use std::sync::Arc;

use crate::engine::Time;
use crate::observe::NodeId;

use super::super::log::{Batch, Epoch, Offset, OffsetAndEpoch, Record, Snapshot};
use super::super::message::{Answer, Error, Found, Response};
use super::super::role::{Download, Role};
use super::{Clock, Event, Replica, Step};

impl<R: Record> Replica<R> {
    /// Returns whether the next request may be sent at once.
    pub(super) fn on_response(
        &mut self,
        from: NodeId,
        response: Response<R>,
        clock: &mut Clock<'_>,
    ) -> bool {
        let before = (self.epoch, self.leader());
        if let Some(handled) = self.common(&response, clock) {
            // Where nothing was learned, asking again at once would be asked for ever.
            return handled && (self.epoch, self.leader()) != before;
        }
        match response.answer {
            Answer::Vote { granted } => self.on_vote(from, granted, clock),
            Answer::BeginQuorumEpoch => {}
            Answer::EndQuorumEpoch => {
                if let Role::Resigned { unacked, .. } = &mut self.role {
                    unacked.retain(|node| *node != from);
                }
            }
            Answer::Fetch { found, high_watermark } => {
                self.on_found(found, high_watermark, clock.now);
            }
            Answer::FetchSnapshot { bytes, last } => {
                let lost = response.error == Some(Error::SnapshotNotFound);
                self.on_snapshot(bytes, last, lost, clock.now);
            }
        }
        true
    }

    /// `maybeHandleCommonResponse`: what any answer says of epoch and leader. `None` if the rest of
    /// the answer counts.
    fn common(&mut self, response: &Response<R>, clock: &mut Clock<'_>) -> Option<bool> {
        let Response { epoch, leader, error, .. } = *response;
        if epoch < self.epoch || error == Some(Error::UnknownLeaderEpoch) {
            return Some(true);
        }
        let outdated = matches!(error, Some(Error::FencedLeaderEpoch | Error::NotLeaderOrFollower));
        if epoch > self.epoch || outdated {
            self.maybe_transition(leader, epoch, clock);
            return Some(true);
        }
        if let Some(leader) = leader
            && self.leader().is_none()
        {
            self.become_follower(epoch, leader, clock);
            return error.map(|_| true);
        }
        (error == Some(Error::BrokerNotAvailable)).then_some(false)
    }

    /// `maybeTransition`: somebody says who leads in an epoch.
    pub(super) fn maybe_transition(
        &mut self,
        leader: Option<NodeId>,
        epoch: Epoch,
        clock: &mut Clock<'_>,
    ) {
        let consistent = match (leader, self.leader()) {
            (Some(leader), _) if leader == self.me => {
                matches!(self.role, Role::Leader(_) | Role::Resigned { .. }) && epoch == self.epoch
            }
            (Some(leader), Some(known)) => epoch != self.epoch || leader == known,
            _ => true,
        };
        if !consistent {
            self.halt("two leaders are named for one epoch");
        } else if epoch > self.epoch {
            match leader {
                Some(leader) => self.become_follower(epoch, leader, clock),
                None => self.become_unattached(epoch, clock),
            }
        } else if let Some(leader) = leader
            && self.leader().is_none()
        {
            self.become_follower(epoch, leader, clock);
        }
    }

    /// `handleVoteResponse`.
    fn on_vote(&mut self, from: NodeId, vote: bool, clock: &mut Clock<'_>) {
        let voters = self.config.voters.len();
        if let Role::Prospective { granted, rejected, .. } = &mut self.role {
            if vote {
                granted.push(from);
            } else {
                rejected.push(from);
            }
            if granted.len() > voters / 2 {
                self.become_candidate(clock);
            } else if rejected.len() > voters - (voters / 2 + 1) {
                self.stand_back(clock);
            }
            return;
        }
        let Role::Candidate { granted, rejected, retries, back_off, .. } = &mut self.role else {
            return;
        };
        if vote {
            granted.push(from);
            if granted.len() > voters / 2 {
                self.become_leader(clock);
            }
            return;
        }
        rejected.push(from);
        let lost = rejected.len() > voters - (voters / 2 + 1);
        // From 4.0 on it waits until its time is over, and asks first.
        if lost && back_off.is_none() && !self.config.pre_vote {
            let retries = *retries;
            let until = clock.now + self.election_back_off(retries, clock);
            if let Role::Candidate { back_off, .. } = &mut self.role {
                *back_off = Some(until);
            }
        }
    }

    /// `handleFetchResponse`.
    fn on_found(&mut self, found: Found<R>, high_watermark: Option<Offset>, now: Time) {
        if !matches!(self.role, Role::Follower { .. }) {
            return;
        }
        match found {
            Found::Diverging(end) => self.cut_off(end),
            Found::Snapshot(id) => {
                if let Role::Follower { download, .. } = &mut self.role
                    && self.store.snapshot(id).is_none()
                {
                    *download = Some(Download { id, position: 0, complete: false });
                }
            }
            Found::Batches(batches) => {
                if !batches.is_empty() {
                    self.append_as_follower(batches);
                }
                if let Some(high_watermark) = high_watermark {
                    self.follow_high_watermark(high_watermark);
                }
            }
        }
        self.reset_fetch_timeout(now);
    }

    fn reset_fetch_timeout(&mut self, now: Time) {
        let timeout = self.config.fetch_timeout;
        if let Role::Follower { until, fetched, .. } = &mut self.role {
            *fetched = true;
            *until = now + timeout;
        }
    }

    /// A voter fsyncs before it fetches what is next, and so acknowledges; an observer need not
    /// (`appendAsFollower`).
    fn append_as_follower(&mut self, batches: Vec<Arc<Batch<R>>>) {
        let mut bytes = 0;
        for batch in batches {
            if batch.base == self.store.log.end() {
                bytes += self.store.log.append(batch);
            }
        }
        let file = self.config.log_file();
        self.steps.push_back(Step::Write(file, bytes));
        if self.voter && !self.config.faulty.counts_unsynced {
            self.steps.push_back(Step::Sync(file));
        }
    }

    /// `updateFollowerHighWatermark`.
    fn follow_high_watermark(&mut self, leaders: Offset) {
        let known = leaders.min(self.store.log.end());
        if self.high_watermark.is_none_or(|before| before < known) {
            self.high_watermark = Some(known);
            self.changes = self.changes.wrapping_add(1);
            self.progress();
            if self.config.faulty.drops_without_snapshot {
                let bytes = self.store.log.drop_before(known);
                self.steps.push_back(Step::Release(self.config.log_file(), bytes));
            }
        }
    }

    /// The log is not a prefix of the leader's: what is behind the common part goes
    /// (`ReplicatedLog.truncateToEndOffset`).
    fn cut_off(&mut self, leaders: OffsetAndEpoch) {
        let may_lose = self.config.faulty.counts_unsynced;
        if !may_lose && self.high_watermark.is_some_and(|known| leaders.offset < known) {
            return self.halt("told to truncate below the high watermark");
        }
        let store = &mut self.store;
        let offset = if leaders.epoch == 0 {
            leaders.offset.min(store.log.end())
        } else {
            let earliest = store.earliest().map(|snapshot| snapshot.id);
            let own = store.log.end_offset_for_epoch(leaders.epoch, earliest, store.last_epoch());
            if own.epoch == leaders.epoch { own.offset.min(leaders.offset) } else { own.offset }
        };
        if !may_lose && self.high_watermark.is_some_and(|known| offset < known) {
            return self.halt("told to truncate below the high watermark");
        }
        self.high_watermark = self.high_watermark.map(|known| known.min(offset));
        self.applied = self.applied.min(offset);
        let length = store.log.truncate(offset);
        self.changes = self.changes.wrapping_add(1);
        self.steps.push_back(Step::Truncate(self.config.log_file(), length));
        self.tell(Event::Truncated(offset));
    }

    /// `handleFetchSnapshotResponse`.
    fn on_snapshot(&mut self, bytes: u64, last: Option<Arc<Snapshot<R>>>, lost: bool, now: Time) {
        self.reset_fetch_timeout(now);
        let Role::Follower { download, .. } = &mut self.role else { return };
        let Some(under_way) = download else { return };
        if lost {
            *download = None;
            return;
        }
        under_way.position += bytes;
        let Some(snapshot) = last else { return };
        under_way.complete = true;
        let (id, size) = (snapshot.id, snapshot.bytes);
        self.store.add_snapshot(snapshot);
        // It is frozen, which fsyncs it, before the log goes (`FileRawSnapshotWriter.freeze`).
        let (file, end) = (self.config.snapshot_file(), self.store.snapshot_end());
        let done = Step::Install(id, end);
        self.steps.extend([Step::Write(file, size), Step::Sync(file), done]);
    }

    /// A snapshot that reaches further than the log takes its place
    /// (`KafkaMetadataLog.truncateToLatestSnapshot`).
    pub(super) fn install(&mut self, id: OffsetAndEpoch) {
        if let Role::Follower { download, .. } = &mut self.role {
            *download = None;
        }
        let newest = self.store.latest().is_some_and(|latest| latest.id == id);
        let reaches = id
            > OffsetAndEpoch {
                epoch: self.store.log.latest_epoch().unwrap_or(0),
                offset: self.store.log.end(),
            };
        if !newest || !reaches {
            return;
        }
        let length = self.store.log.truncate_fully(id.offset);
        let freed = self.store.forget_snapshots_before(id);
        self.steps.push_back(Step::Truncate(self.config.log_file(), length));
        self.steps.push_back(Step::Release(self.config.snapshot_file(), freed));
        self.changes = self.changes.wrapping_add(1);
        self.high_watermark = self.high_watermark.max(Some(id.offset));
        self.progress();
    }

    /// The oldest snapshots and what they cover go while log and snapshots together are larger
    /// than `metadata.max.retention.bytes` (`KafkaMetadataLog.cleanSnapshotsRetentionSize`).
    pub(super) fn clean(&mut self) {
        loop {
            let size = self.store.log.bytes() + self.store.snapshot_bytes();
            let start = self.store.log.start();
            let next = if self.store.earliest().is_some_and(|first| first.id.offset > start) {
                self.store.earliest()
            } else {
                self.store.second()
            };
            let Some(next) = next.map(|snapshot| snapshot.id) else { return };
            if size <= self.config.retention_bytes {
                return;
            }
            let log = self.store.log.drop_before(next.offset);
            let snapshots = self.store.forget_snapshots_before(next);
            self.changes = self.changes.wrapping_add(1);
            self.steps.push_back(Step::Release(self.config.log_file(), log));
            self.steps.push_back(Step::Release(self.config.snapshot_file(), snapshots));
        }
    }

    /// Its machine is told what is committed (`updateListenersProgress`), and that it leads once it
    /// has read everything up to its epoch's first record.
    pub(super) fn progress(&mut self) {
        let Some(committed) = self.high_watermark() else { return };
        if let Some(latest) = self.store.latest().map(|snapshot| snapshot.id)
            && (self.applied == 0 || self.applied < self.store.log.start())
        {
            self.applied = latest.offset;
            self.loaded_while_leading |= self.is_writable();
            self.changes = self.changes.wrapping_add(1);
            self.tell(Event::SnapshotLoaded(latest));
        }
        if self.applied < committed {
            self.applied = committed;
            self.tell(Event::Committed(committed));
        }
        let first = u64::from(!self.config.faulty.begins_silently);
        if matches!(&self.role, Role::Leader(leading) if leading.epoch_start + first <= self.applied)
        {
            self.claim();
        }
        self.ask_for_snapshot();
    }

    fn ask_for_snapshot(&mut self) {
        let covered = self.store.latest().map_or(0, |snapshot| snapshot.id.offset);
        let since = covered.max(self.asked).max(self.store.log.start());
        if since >= self.applied {
            return;
        }
        let log = &self.store.log;
        let bytes = log.byte_at(self.applied).saturating_sub(log.byte_at(since));
        if bytes >= self.config.snapshot_after_bytes {
            self.asked = self.applied;
            self.tell(Event::SnapshotDue(self.applied));
        }
    }
}
