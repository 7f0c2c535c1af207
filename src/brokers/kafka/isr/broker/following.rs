//! The partitions that a fetcher follows, and what the leader knows of them (FetchSessionHandler.java 1.1,
//! `FetchRequestData`; KIP-227).
//!
//! The leader remembers what it was asked over a connection. Of most partitions there is nothing else to
//! ask, round after round: those are *settled*, and a round looks only at the others.

use crate::brokers::kafka::PartitionId;
use crate::engine::Time;

use super::super::message::FetchPart;

/// A partition that is fetched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Following {
    pub(super) partition: PartitionId,
    pub(super) step: Step,
    /// Not before this time, after an error.
    pub(super) not_before: Time,
    /// Under which leader epoch it follows.
    pub(super) epoch: u32,
    /// It has been told already that offsets do not fit.
    pub(super) stuck: bool,
    /// What the leader was asked last, and knows that it is asked.
    asked: Option<FetchPart>,
}

/// What is to be asked next about a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Where this epoch ends at the leader (KIP-101).
    Truncating(u32),
    /// Records.
    Fetching,
    /// Where the leader's log ends: the offset was out of its range.
    OutOfRange,
    /// Where it begins: it ends behind this replica's.
    Behind,
}

impl Following {
    pub(super) const fn new(
        partition: PartitionId,
        step: Step,
        not_before: Time,
        epoch: u32,
    ) -> Following {
        Following { partition, step, not_before, epoch, stuck: false, asked: None }
    }

    /// From which offset it was asked for, if it was.
    pub(super) fn asked_from(&self) -> Option<u64> {
        self.asked.map(|asked| asked.offset)
    }
}

/// What is to be said of the partitions that one fetcher follows.
#[derive(Clone, Debug)]
pub(super) struct Partitions {
    /// By partition.
    parts: Vec<Following>,
    /// Those of which something else may have to be asked. Between rounds one may be named twice, or be
    /// followed no longer.
    unsettled: Vec<PartitionId>,
    /// Followed no longer, which the leader does not know yet.
    gone: Vec<PartitionId>,
    /// How many the leader knows of.
    asked: u32,
    /// The leader knows of none: the connection is new.
    anew: bool,
}

/// What a request says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) anew: bool,
    pub(super) parts: Vec<FetchPart>,
    pub(super) forgotten: Vec<PartitionId>,
    /// How many partitions are asked for.
    pub(super) all: u32,
}

impl Partitions {
    pub(super) const fn new() -> Partitions {
        Partitions {
            parts: Vec::new(),
            unsettled: Vec::new(),
            gone: Vec::new(),
            asked: 0,
            anew: true,
        }
    }

    /// Of how many partitions the leader knows that they are asked for.
    pub(super) const fn asked(&self) -> u32 {
        self.asked
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    fn place_of(&self, partition: PartitionId) -> Result<usize, usize> {
        self.parts.binary_search_by_key(&partition, |part| part.partition)
    }

    pub(super) fn has(&self, partition: PartitionId) -> bool {
        self.place_of(partition).is_ok()
    }

    pub(super) fn get(&self, partition: PartitionId) -> Option<&Following> {
        self.place_of(partition).ok().map(|place| &self.parts[place])
    }

    /// A partition of which something changes: it is looked at in the next round.
    pub(super) fn change(&mut self, partition: PartitionId) -> Option<&mut Following> {
        let place = self.place_of(partition).ok()?;
        if self.unsettled.last() != Some(&partition) {
            self.unsettled.push(partition);
        }
        Some(&mut self.parts[place])
    }

    /// One more is followed. One that is followed stays as it is (AbstractFetcherThread.scala 0.8.2,
    /// `addPartitions`: "If the partitionMap already has the topic/partition, then do not update the map
    /// with the old offset").
    pub(super) fn add(&mut self, following: Following) {
        if let Err(place) = self.place_of(following.partition) {
            self.parts.insert(place, following);
            self.unsettled.push(following.partition);
        }
    }

    /// One is followed no longer.
    pub(super) fn remove(&mut self, partition: PartitionId) {
        let Ok(place) = self.place_of(partition) else { return };
        if self.parts.remove(place).asked.is_some() {
            self.asked -= 1;
            self.gone.push(partition);
        }
    }

    /// The leader forgets what it was asked; nothing is asked before this time.
    pub(super) fn begin_anew(&mut self, again: Time) {
        for part in &mut self.parts {
            (part.asked, part.not_before) = (None, again);
        }
        self.unsettled = self.parts.iter().map(|part| part.partition).collect();
        self.gone.clear();
        (self.asked, self.anew) = (0, true);
    }

    /// A round begins: when the first partition may be asked about, if that is later than now.
    pub(super) fn begin_round(&mut self, now: Time) -> Option<Time> {
        self.unsettled.sort_unstable();
        self.unsettled.dedup();
        let parts = &self.parts;
        self.unsettled.retain(|p| parts.binary_search_by_key(p, |part| part.partition).is_ok());
        if self.unsettled.len() < self.parts.len() {
            return None;
        }
        let first = self.parts.iter().map(|part| part.not_before).min();
        first.filter(|first| *first > now)
    }

    /// In a round, those of which something else may have to be asked and that may be asked about now, by
    /// partition.
    pub(super) fn ready(&self, now: Time) -> impl Iterator<Item = &Following> + '_ {
        let unsettled = self.unsettled.iter().filter_map(|partition| self.get(*partition));
        unsettled.filter(move |part| part.not_before <= now)
    }

    /// What the leader is to be told, of what is `wanted` of each; `None` if nothing is asked for.
    pub(super) fn changes(
        &mut self,
        wanted: impl Fn(&Following) -> Option<FetchPart>,
    ) -> Option<Changes> {
        let (mut parts, mut forgotten) = (Vec::new(), Vec::new());
        let unsettled = std::mem::take(&mut self.unsettled);
        for partition in unsettled {
            let Ok(place) = self.place_of(partition) else { continue };
            let part = &mut self.parts[place];
            let (before, now) = (part.asked, wanted(part));
            part.asked = now;
            self.asked = self.asked + u32::from(now.is_some()) - u32::from(before.is_some());
            match now {
                Some(now) if before != Some(now) => parts.push(now),
                Some(_) => {}
                None => {
                    forgotten.extend(before.map(|_| partition));
                    self.unsettled.push(partition);
                }
            }
        }
        debug_assert!(self.settled_are_settled(wanted), "something else is to be asked");
        for partition in std::mem::take(&mut self.gone) {
            if self.get(partition).is_none_or(|part| part.asked.is_none()) {
                forgotten.push(partition);
            }
        }
        if self.asked == 0 {
            self.anew = true;
            return None;
        }
        let anew = std::mem::replace(&mut self.anew, false);
        if anew {
            forgotten.clear();
        }
        forgotten.sort_unstable();
        forgotten.dedup();
        Some(Changes { anew, parts, forgotten, all: self.asked })
    }

    /// Of many, some are looked at.
    fn settled_are_settled(&self, wanted: impl Fn(&Following) -> Option<FetchPart>) -> bool {
        let step = self.parts.len() / 16 + 1;
        self.parts.iter().step_by(step).all(|part| part.asked == wanted(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::ZERO;

    fn ask(partition: u32, offset: u64) -> FetchPart {
        let partition = PartitionId(partition);
        FetchPart { partition, offset, epoch: None, last_epoch: None, max_bytes: 1 }
    }

    fn three() -> Partitions {
        let mut all = Partitions::new();
        for partition in [2, 0, 1] {
            all.add(Following::new(PartitionId(partition), Step::Fetching, NOW, 0));
        }
        all
    }

    /// All that there is to say, in short: new, asked anew or otherwise, forgotten, all.
    fn said(all: &mut Partitions, wanted: impl Fn(u32) -> Option<u64>) -> String {
        let _ = all.begin_round(NOW);
        let changes = all
            .changes(|part| wanted(part.partition.0).map(|offset| ask(part.partition.0, offset)));
        let Some(changes) = changes else { return "nothing".to_owned() };
        let parts: Vec<_> = changes.parts.iter().map(|p| (p.partition.0, p.offset)).collect();
        let gone: Vec<_> = changes.forgotten.iter().map(|p| p.0).collect();
        let anew = if changes.anew { "anew " } else { "" };
        format!("{anew}{parts:?} without {gone:?}, of {}", changes.all)
    }

    #[test]
    fn what_was_asked_is_not_said_again() {
        let mut all = three();
        assert_eq!(said(&mut all, |_| Some(5)), "anew [(0, 5), (1, 5), (2, 5)] without [], of 3");
        assert_eq!(said(&mut all, |_| Some(5)), "[] without [], of 3");
        all.change(PartitionId(1));
        assert_eq!(said(&mut all, |p| Some(5 + u64::from(p == 1))), "[(1, 6)] without [], of 3");
    }

    #[test]
    fn what_may_not_be_asked_now_is_forgotten_and_comes_back() {
        let mut all = three();
        let _ = said(&mut all, |_| Some(0));
        all.change(PartitionId(2));
        assert_eq!(said(&mut all, |p| (p != 2).then_some(0)), "[] without [2], of 2");
        assert_eq!(said(&mut all, |p| (p != 2).then_some(0)), "[] without [], of 2");
        assert_eq!(said(&mut all, |_| Some(0)), "[(2, 0)] without [], of 3");
    }

    #[test]
    fn one_that_is_followed_again_is_asked_for_again() {
        let mut all = three();
        let _ = said(&mut all, |_| Some(0));
        all.remove(PartitionId(0));
        all.remove(PartitionId(1));
        all.add(Following::new(PartitionId(1), Step::Fetching, NOW, 1));
        assert_eq!(all.get(PartitionId(1)).and_then(Following::asked_from), None);
        assert_eq!(said(&mut all, |_| Some(0)), "[(1, 0)] without [0], of 2");
    }

    #[test]
    fn without_anything_to_ask_the_leader_is_told_all_the_next_time() {
        let mut all = three();
        let _ = said(&mut all, |_| Some(0));
        for partition in 0..3 {
            all.change(PartitionId(partition));
        }
        assert_eq!(said(&mut all, |_| None), "nothing");
        assert_eq!(
            said(&mut all, |p| (p > 0).then_some(3)),
            "anew [(1, 3), (2, 3)] without [], of 2"
        );
    }

    #[test]
    fn a_new_connection_knows_nothing() {
        let mut all = three();
        let _ = said(&mut all, |_| Some(0));
        all.remove(PartitionId(2));
        all.begin_anew(NOW);
        assert_eq!(said(&mut all, |_| Some(0)), "anew [(0, 0), (1, 0)] without [], of 2");
    }
}
