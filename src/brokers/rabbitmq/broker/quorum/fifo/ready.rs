//! Messages that were never delivered, by priority (rabbit_fifo_q.erl v4.0.5; rabbit_fifo_pq.erl
//! v4.3.5).

use std::collections::VecDeque;

use super::super::super::super::message::Given;
use super::super::super::super::rules::{Rule, Rules};
use super::Held;

/// The priority of a message without one.
const DEFAULT: u8 = Given::NO_PRIORITY;
/// The highest of 4.3 (rabbit_fifo.hrl v4.3.5: `?MAX_PRIORITY`).
const HIGHEST: u8 = 31;
/// How many of high priority come before one of normal priority (rabbit_fifo_q.erl: `?WEIGHT`).
const WEIGHT: u8 = 2;

/// What priorities do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing, before 4.0.
    None,
    /// Above 4 is high, all else normal: of three, two are high.
    TwoToOne,
    /// The higher always comes first.
    Strict,
}

/// The queue.
#[derive(Clone, Debug)]
pub struct Ready {
    kind: Kind,
    /// The highest first; one that is empty stays.
    levels: Vec<(u8, VecDeque<Held>)>,
    len: usize,
    /// How many have gone since one of normal priority had its turn.
    turn: u8,
}

impl Ready {
    /// An empty one.
    #[must_use]
    pub fn new(rules: Rules) -> Ready {
        let kind = match (rules.has(Rule::MessagePriorities), rules.has(Rule::StrictPriorities)) {
            (false, _) => Kind::None,
            (true, false) => Kind::TwoToOne,
            (true, true) => Kind::Strict,
        };
        Ready { kind, levels: vec![(DEFAULT, VecDeque::new())], len: 0, turn: 0 }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn level(&mut self, priority: u8) -> &mut VecDeque<Held> {
        let level = match self.kind {
            Kind::None => DEFAULT,
            Kind::TwoToOne if priority > DEFAULT => HIGHEST,
            Kind::TwoToOne => DEFAULT,
            Kind::Strict => priority.min(HIGHEST),
        };
        let at = self.levels.partition_point(|(of, _)| *of > level);
        if self.levels.get(at).is_none_or(|(of, _)| *of != level) {
            self.levels.insert(at, (level, VecDeque::new()));
        }
        &mut self.levels[at].1
    }

    /// One more, the last of its priority.
    pub fn push(&mut self, priority: u8, held: Held) {
        self.level(priority).push_back(held);
        self.len += 1;
    }

    /// One more, the first of all of its priority.
    pub fn push_front(&mut self, held: Held) {
        self.level(DEFAULT).push_front(held);
        self.len += 1;
    }

    /// Whose turn it is (rabbit_fifo_q.erl: `next`; rabbit_fifo_pq.erl: `out`).
    fn next(&self) -> Option<usize> {
        let mut some = (0..self.levels.len()).filter(|at| !self.levels[*at].1.is_empty());
        let first = some.next()?;
        let other = some.next();
        match (self.kind, other) {
            (Kind::TwoToOne, Some(normal)) if self.turn == WEIGHT => {
                let index = |at: usize| self.levels[at].1.front().map(|held| held.index);
                // One of high priority that is older is not held up.
                Some(if index(first) < index(normal) { first } else { normal })
            }
            _ => Some(first),
        }
    }

    /// The one that is next.
    #[must_use]
    pub fn front(&self) -> Option<&Held> {
        if self.levels.len() == 1 {
            return self.levels[0].1.front();
        }
        self.levels[self.next()?].1.front()
    }

    /// Takes it.
    pub fn pop(&mut self) -> Option<Held> {
        let at = if self.levels.len() == 1 { 0 } else { self.next()? };
        let held = self.levels[at].1.pop_front()?;
        self.len -= 1;
        if self.kind == Kind::TwoToOne {
            self.turn = if self.turn == WEIGHT { 0 } else { self.turn + 1 };
        }
        Some(held)
    }

    /// Takes one that is the first of its priority and of which this is so. Before 4.3 only the one
    /// that is next is looked at.
    pub fn pop_if(&mut self, so: impl Fn(&Held) -> bool) -> Option<Held> {
        if self.kind != Kind::Strict {
            return self.front().is_some_and(&so).then(|| self.pop()).flatten();
        }
        let level = self.levels.iter_mut().find(|(_, of)| of.front().is_some_and(&so))?;
        self.len -= 1;
        level.1.pop_front()
    }

    /// The first ones that are looked at for having expired.
    pub fn heads(&self) -> impl Iterator<Item = &Held> + '_ {
        let all = self.kind == Kind::Strict;
        let each = self.levels.iter().filter(move |_| all).filter_map(|(_, of)| of.front());
        each.chain(self.front().filter(|_| !all))
    }

    /// All, by priority and in the order of enqueueing.
    pub fn iter(&self) -> impl Iterator<Item = &Held> + '_ {
        self.levels.iter().flat_map(|(_, of)| of)
    }

    /// One that is behind one of its priority that was enqueued later.
    #[must_use]
    pub fn overtaken(&self) -> Option<u64> {
        let behind = |of: &VecDeque<Held>| {
            let pairs = of.iter().zip(of.iter().skip(1));
            pairs.filter(|(one, next)| one.index >= next.index).map(|(_, next)| next.index).next()
        };
        self.levels.iter().find_map(|(_, of)| behind(of))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::super::letters::LetterId;
    use super::*;
    use crate::engine::Time;
    use crate::observe::{MessageRange, ProducerId};

    fn order(rules: Rules, priorities: &[u8]) -> Vec<u64> {
        let mut ready = Ready::new(rules);
        for (index, priority) in (1..).zip(priorities) {
            let message =
                MessageRange { producer: ProducerId(0), first: index as u32, count: 1, bytes: 1 };
            let (letter, expires) = (LetterId::NONE, Time::MAX);
            ready
                .push(*priority, Held { index, message, letter, expires, failures: 0, returns: 0 });
        }
        std::iter::from_fn(|| ready.pop()).map(|held| held.index).collect()
    }

    #[test]
    fn before_4_3_two_of_three_are_of_high_priority_but_for_older_ones() {
        let two_to_one = Rules::every().without(Rule::StrictPriorities);
        assert_eq!(order(two_to_one, &[0, 4, 0, 5, 9, 255, 5]), [4, 5, 1, 6, 7, 2, 3]);
        assert_eq!(order(two_to_one, &[9, 9, 9, 0, 0]), [1, 2, 3, 4, 5], "the third is older");
    }

    #[test]
    fn from_4_3_on_the_higher_comes_first() {
        assert_eq!(order(Rules::every(), &[0, 4, 31, 5, 255, 4]), [3, 5, 4, 2, 6, 1]);
    }

    #[test]
    fn before_4_0_there_are_none() {
        let none = Rules::every().without(Rule::MessagePriorities);
        assert_eq!(order(none, &[0, 9, 4]), [1, 2, 3]);
    }
}
