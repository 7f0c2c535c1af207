//! What a leader knows (`LeaderState`, `BatchAccumulator` and the fetch purgatory, 3.9).

use crate::engine::Time;
use crate::observe::NodeId;
use crate::world::ConnId;

use super::log::{Offset, Record};
use super::message::{Fetch, Response};

/// Another voter, as its leader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Follower {
    pub(super) node: NodeId,
    /// Up to where it has the log: the offset from which it last fetched in this epoch.
    pub(super) end: Option<Offset>,
    /// Whether it has fetched since the majority was last complete.
    fetched: bool,
}

/// A fetch that found nothing and waits.
#[derive(Clone, Debug)]
pub(super) struct Parked<R> {
    pub(super) conn: ConnId,
    pub(super) id: u32,
    pub(super) fetch: Fetch,
    pub(super) until: Time,
    /// What it is told if nothing comes: what was found when it came.
    pub(super) answer: Box<Response<R>>,
}

/// The state of a leader.
#[derive(Clone, Debug)]
pub(super) struct Leading<R> {
    /// The end of its log when it was elected: where its own records begin.
    pub(super) epoch_start: Offset,
    pub(super) followers: Vec<Follower>,
    /// Up to where its own log is durable.
    pub(super) own_end: Option<Offset>,
    /// Unknown until a record of its epoch is committed.
    pub(super) high_watermark: Option<Offset>,
    pub(super) check_quorum: Time,
    pub(super) begin_quorum: Time,
    /// Whether its epoch's first record is in the log.
    pub(super) begun: bool,
    /// Whether its machine was told that it leads.
    pub(super) claimed: bool,
    pub(super) resigns: bool,
    pub(super) parked: Vec<Parked<R>>,
    /// What waits for the linger to be over, or for the batch to be full.
    pub(super) waiting: Vec<Vec<R>>,
    pub(super) waiting_bytes: u64,
    pub(super) linger: Time,
    /// The offset that the next record to be accepted gets.
    pub(super) next_offset: Offset,
}

impl<R: Record> Leading<R> {
    pub(super) fn new(
        epoch_start: Offset,
        others: impl Iterator<Item = NodeId>,
        now: Time,
        check_quorum: Time,
    ) -> Leading<R> {
        Leading {
            epoch_start,
            followers: others.map(|node| Follower { node, end: None, fetched: false }).collect(),
            own_end: None,
            high_watermark: None,
            check_quorum,
            begin_quorum: now,
            begun: false,
            claimed: false,
            resigns: false,
            parked: Vec::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            linger: Time::MAX,
            // The first is the leader change.
            next_offset: epoch_start + 1,
        }
    }

    /// A voter has fetched from `end`. Returns whether a majority has now fetched since this was
    /// last true (`updateCheckQuorumForFollowingVoter`).
    pub(super) fn fetched(&mut self, node: NodeId, end: Option<Offset>) -> bool {
        let Some(follower) = self.followers.iter_mut().find(|other| other.node == node) else {
            return false;
        };
        follower.fetched = true;
        if end.is_some() {
            follower.end = end;
        }
        let count = self.followers.iter().filter(|other| other.fetched).count();
        // The leader is one of the majority.
        let majority = count >= self.followers.len().div_ceil(2);
        if majority {
            self.followers.iter_mut().for_each(|other| other.fetched = false);
        }
        majority
    }

    /// Moves the high watermark to what a majority has, if that is behind the start of the epoch:
    /// what earlier leaders left is committed only along with a record of this one
    /// (`maybeUpdateHighWatermark`). Returns whether it moved.
    pub(super) fn update_high_watermark(&mut self, commits_old_epochs: bool) -> bool {
        let ends = self.followers.iter().map(|other| other.end).chain([self.own_end]);
        let Some(majority) = held_by_majority(ends.collect()) else { return false };
        let own = majority > self.epoch_start || (commits_old_epochs && majority > 0);
        let moves = own && self.high_watermark.is_none_or(|known| known < majority);
        if moves {
            self.high_watermark = Some(majority);
        }
        moves
    }

    /// The other voters, those that have most of the log first
    /// (`nonLeaderVotersByDescendingFetchOffset`).
    pub(super) fn successors(&self) -> Vec<NodeId> {
        let mut all = self.followers.clone();
        all.sort_by_key(|other| std::cmp::Reverse(other.end));
        all.iter().map(|other| other.node).collect()
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Time {
        let parked = self.parked.iter().map(|parked| parked.until).min().unwrap_or(Time::MAX);
        let quorum = self.check_quorum.min(self.begin_quorum);
        self.linger.min(parked).min(quorum)
    }
}

/// The greatest offset that a majority of voters has; `None` if less than a majority has said what
/// it has.
pub(super) fn held_by_majority(mut ends: Vec<Option<Offset>>) -> Option<Offset> {
    ends.sort_unstable_by(|a, b| b.cmp(a));
    ends[ends.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leading(others: u32, epoch_start: Offset) -> Leading<u32> {
        Leading::new(epoch_start, (1..=others).map(NodeId), Time::ZERO, Time::MAX)
    }

    #[test]
    fn a_majority_has_what_half_of_the_others_have() {
        assert_eq!(held_by_majority(vec![Some(7)]), Some(7));
        assert_eq!(held_by_majority(vec![Some(7), Some(3)]), Some(3));
        assert_eq!(held_by_majority(vec![Some(3), None, Some(7)]), Some(3));
        assert_eq!(held_by_majority(vec![Some(7), None, None]), None);
        assert_eq!(held_by_majority(vec![Some(9), Some(1), Some(5), Some(2)]), Some(2));
        assert_eq!(held_by_majority(vec![Some(9), Some(1), Some(5), Some(2), Some(8)]), Some(5));
    }

    #[test]
    fn earlier_epochs_are_committed_with_a_record_of_the_own_one() {
        let mut leading = leading(2, 10);
        leading.own_end = Some(11);
        leading.fetched(NodeId(1), Some(8));
        assert!(!leading.update_high_watermark(false));
        leading.fetched(NodeId(1), Some(10));
        assert!(!leading.update_high_watermark(false), "a majority has 10, none of it its own");
        leading.fetched(NodeId(1), Some(11));
        assert!(leading.update_high_watermark(false));
        assert_eq!(leading.high_watermark, Some(11));
        leading.fetched(NodeId(1), Some(8));
        assert!(!leading.update_high_watermark(false), "it never goes back");
        assert_eq!(leading.high_watermark, Some(11));
    }

    #[test]
    fn the_majority_that_fetches_is_counted_anew_each_time() {
        let mut leading = leading(4, 0);
        assert!(!leading.fetched(NodeId(1), Some(0)));
        assert!(!leading.fetched(NodeId(1), Some(0)));
        assert!(leading.fetched(NodeId(3), None), "two of four others and itself");
        assert!(!leading.fetched(NodeId(3), None));
        assert!(!leading.fetched(NodeId(9), Some(0)), "an observer does not count");
        assert!(leading.fetched(NodeId(2), Some(0)));
    }

    #[test]
    fn who_has_most_follows_first() {
        let mut leading = leading(3, 0);
        leading.fetched(NodeId(3), Some(5));
        leading.fetched(NodeId(2), Some(9));
        assert_eq!(leading.successors(), [NodeId(2), NodeId(3), NodeId(1)]);
    }
}
