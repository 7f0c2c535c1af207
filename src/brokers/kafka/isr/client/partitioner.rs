//! Which partition a message goes to.

use crate::engine::{Stream, hash_words};

use super::super::config::Config;
use super::super::rules::Rule;

/// How messages without a key are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spread {
    /// DefaultPartitioner.java up to 2.3: one after the other.
    RoundRobin,
    /// StickyPartitionCache.java 2.4: another partition for each new batch.
    PerBatch,
    /// BuiltInPartitioner.java 3.3: another partition after `batch.size` bytes.
    PerBytes,
}

/// A producer's partitioner. Partitions are counted within the topic.
///
/// A key's partition is its hash modulo the number of partitions, available or not. Without a key
/// only partitions that have a leader are taken, if there is one.
#[derive(Clone, Debug)]
pub struct Partitioner {
    spread: Spread,
    count: u32,
    keys: Option<u32>,
    /// Messages so far: each takes the next key.
    number: u64,
    counter: u32,
    sticky: Option<u32>,
    /// Bytes that the sticky partition got.
    produced: u64,
    batch_size: u64,
    /// The partitions that have a leader.
    available: Vec<u32>,
}

impl Partitioner {
    /// For a topic of so many partitions, by the rules of a version.
    #[must_use]
    pub fn new(config: &Config, count: u32, keys: Option<u32>, batch_size: u32) -> Partitioner {
        let spread = if config.has(Rule::UniformStickyPartitioner) {
            Spread::PerBytes
        } else if config.has(Rule::StickyPartitioner) {
            Spread::PerBatch
        } else {
            Spread::RoundRobin
        };
        Partitioner {
            spread,
            count,
            keys,
            number: 0,
            counter: 0,
            sticky: None,
            produced: 0,
            batch_size: u64::from(batch_size).max(1),
            available: Vec::new(),
        }
    }

    /// There is new metadata; `led` says which partitions have a leader.
    pub fn learn(&mut self, led: impl Fn(u32) -> bool) {
        self.available.clear();
        self.available.extend((0..self.count).filter(|index| led(*index)));
    }

    /// The process starts anew.
    pub fn restart(&mut self, random: &mut Stream) {
        // DefaultPartitioner.java begins at a random number.
        self.counter = random.below(1 << 31) as u32;
        self.sticky = None;
        self.produced = 0;
        self.available.clear();
    }

    /// The partition of the next message.
    pub fn pick(&mut self, random: &mut Stream) -> u32 {
        let number = self.number;
        self.number += 1;
        if let Some(keys) = self.keys {
            return (hash_words(&[number % u64::from(keys)]) % u64::from(self.count)) as u32;
        }
        if self.spread == Spread::RoundRobin {
            let counter = self.counter;
            self.counter = counter.wrapping_add(1) & (u32::MAX >> 1);
            return match self.available.len() {
                0 => counter % self.count,
                n => self.available[counter as usize % n],
            };
        }
        match self.sticky {
            Some(sticky) => sticky,
            None => self.stick(None, random),
        }
    }

    /// Whether a message that would begin a batch should go elsewhere ([`Partitioner::next`]).
    #[must_use]
    pub fn moves_on_new_batch(&self) -> bool {
        self.keys.is_none() && self.spread == Spread::PerBatch
    }

    /// The partition of a message that would have begun a batch in `before`.
    pub fn next(&mut self, before: u32, random: &mut Stream) -> u32 {
        self.stick(Some(before), random)
    }

    fn stick(&mut self, before: Option<u32>, random: &mut Stream) -> u32 {
        let others = || self.available.iter().copied().filter(|index| Some(*index) != before);
        let next = match others().count() {
            0 if self.available.is_empty() => random.below(u64::from(self.count)) as u32,
            0 => self.available[0],
            n => others().nth(random.below(n as u64) as usize).unwrap_or(0),
        };
        self.sticky = Some(next);
        self.produced = 0;
        next
    }

    /// A message of so many bytes went to the sticky partition; `full` says whether its batches are
    /// all full, `waiting` how many batches wait in a partition.
    pub fn appended(
        &mut self,
        bytes: u32,
        full: bool,
        waiting: impl Fn(u32) -> usize,
        random: &mut Stream,
    ) {
        if self.keys.is_some() || self.spread != Spread::PerBytes {
            return;
        }
        // BuiltInPartitioner.java 3.5, updatePartitionInfo: not amid a batch, unless it got twice
        // as much.
        self.produced += u64::from(bytes);
        let enough = self.produced >= self.batch_size;
        if !(enough && full || self.produced >= 2 * self.batch_size) {
            return;
        }
        self.produced = 0;
        let most = self.available.iter().map(|index| waiting(*index)).max().unwrap_or(0);
        let weight = |index: u32| (most + 1 - waiting(index).min(most)) as u64;
        let total: u64 = self.available.iter().map(|index| weight(*index)).sum();
        if total == 0 {
            self.sticky = Some(random.below(u64::from(self.count)) as u32);
            return;
        }
        let mut left = random.below(total);
        let chosen = self.available.iter().copied().find(|index| {
            let weight = weight(*index);
            let here = left < weight;
            left = left.saturating_sub(weight);
            here
        });
        self.sticky = chosen;
    }
}
