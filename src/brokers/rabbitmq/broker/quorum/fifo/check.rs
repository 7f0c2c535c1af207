//! What must always be so of a queue's state, whatever was applied.

use super::super::super::super::message::ra::Index;
use super::{Fifo, Held};

/// Rules of the state machine that tests of these checks break. No broker has these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faulty {
    /// What a consumer gives back stays with it as well.
    pub keeps_what_is_returned: bool,
    /// What is given back is as if it had never been delivered.
    pub forgets_counts: bool,
    /// What is given back waits among what was never delivered, and in front of it.
    pub returns_to_the_front: bool,
}

/// How often a message has come back: because it could not be processed, and at all.
pub type Counts = (Index, u32, u32);

impl Fifo {
    /// A message that is in two places, waiting or with consumers.
    #[must_use]
    pub fn doubled(&self) -> Option<Index> {
        let mut all: Vec<Index> = self.held().map(|held| held.index).collect();
        all.sort_unstable();
        all.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    /// The messages that have come back, in the order of the log.
    #[must_use]
    pub fn counts(&self) -> Vec<Counts> {
        let back = self.held().filter(|held| held.returns > 0);
        let mut all: Vec<Counts> =
            back.map(|held| (held.index, held.failures, held.returns)).collect();
        all.sort_unstable();
        all
    }

    /// A message that has come back less often than it had `before`.
    #[must_use]
    pub fn fewer(&self, before: &[Counts]) -> Option<Index> {
        let fewer = |held: &&Held| {
            let at = before.binary_search_by_key(&held.index, |(index, ..)| *index);
            at.is_ok_and(|at| held.failures < before[at].1 || held.returns < before[at].2)
        };
        self.held().find(fewer).map(|held| held.index)
    }

    /// A message that waits, was never delivered, and is behind one that was enqueued later.
    #[must_use]
    pub fn overtaken(&self) -> Option<Index> {
        self.ready.overtaken()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::super::super::arguments::Arguments;
    use super::super::super::super::super::letters::LetterId;
    use super::super::super::super::super::message::amqp::Terms;
    use super::super::super::super::super::message::ra::{Command, MessageId};
    use super::super::super::super::super::message::{DownReason, Given, Pid};
    use super::super::super::super::super::rules::Rules;
    use super::super::Policy;
    use super::*;
    use crate::engine::{Span, Stream, Time};
    use crate::observe::{MessageRange, NodeId, ProducerId};
    use crate::world::Lane;

    fn channel(number: u64) -> Pid {
        Pid { node: NodeId(number as u32 % 3), lane: Lane(number as u32 + 1) }
    }

    /// What clients might do to a queue, drawn.
    fn command(draw: &mut Stream, next: &mut [u64; 3]) -> Command {
        let who = draw.below(3);
        let consumer = channel(who + 3);
        let first: MessageId = draw.below(12);
        let count = 1 + draw.below(4) as u32;
        match draw.below(22) {
            0..=7 => {
                next[who as usize] += 1;
                let seq = next[who as usize];
                let message = MessageRange {
                    producer: ProducerId(who as u32),
                    first: seq as u32,
                    count: 1,
                    bytes: 9,
                };
                let (letter, channel) = (LetterId::NONE, channel(who));
                Command::Enqueue { channel, seq, message, letter, given: 0 }
            }
            8 | 9 => Command::Checkout {
                channel: consumer,
                terms: Terms { prefetch: 3, ..Terms::default() },
            },
            10 | 11 => Command::Settle { channel: consumer, first, count },
            12..=14 => {
                Command::Return { channel: consumer, first, count, failed: draw.below(2) == 0 }
            }
            15 => Command::Discard { channel: consumer, first, count },
            16 => Command::Down { channel: consumer, reason: DownReason::NoConnection },
            17 => Command::Down { channel: consumer, reason: DownReason::Normal },
            19 => Command::TakeLetters { worker: channel(9) },
            20 => Command::SettleLetter { id: first },
            18 => Command::NodeUp { node: consumer.node },
            _ => Command::Disconnected { channel: consumer },
        }
    }

    /// What is wrong after one of many histories, if anything is.
    fn wrong(faulty: Faulty) -> Option<&'static str> {
        (0..200).find_map(|seed| {
            let arguments = Arguments::default();
            let (delivery_limit, rules) = (Some(20), Rules::every());
            let at_least_once = seed % 2 == 0;
            let policy = Policy { arguments, delivery_limit, rules, at_least_once, faulty };
            let mut fifo = Fifo::new(Arc::new(policy));
            let (mut draw, mut next) = (Stream::fixed(seed, "fifo"), [0; 3]);
            (1..=300).find_map(|index| {
                let before = fifo.counts();
                let command = command(&mut draw, &mut next);
                let _ = fifo.apply(
                    index,
                    Time::ZERO + Span::from_millis(index),
                    &command,
                    &[Given::NOTHING],
                );
                if fifo.doubled().is_some() {
                    Some("doubled")
                } else if fifo.fewer(&before).is_some() {
                    Some("fewer")
                } else {
                    fifo.overtaken().map(|_| "overtaken")
                }
            })
        })
    }

    #[test]
    fn nothing_that_clients_do_brings_a_queue_out_of_order() {
        assert_eq!(wrong(Faulty::default()), None);
    }

    #[test]
    fn each_broken_rule_of_the_state_machine_is_noticed() {
        let none = Faulty::default();
        assert_eq!(wrong(Faulty { keeps_what_is_returned: true, ..none }), Some("doubled"));
        assert_eq!(wrong(Faulty { forgets_counts: true, ..none }), Some("fewer"));
        assert_eq!(wrong(Faulty { returns_to_the_front: true, ..none }), Some("overtaken"));
    }
}
