//! Dead letters: which ways messages can go from queue to queue, and what they remember of it.
//!
//! A message that is dead-lettered carries its deaths along (`x-death`). What the broker reads of
//! them is little: the routing key, and the queues through which the message came by itself, for a
//! cycle of those is broken. All that a message can remember is therefore known before the run, and
//! a message carries the number of what it remembers.

use crate::observe::ProducerId;

use super::message::{ExchangeId, QueueId};

/// What a message remembers of its deaths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LetterId(pub u16);

impl LetterId {
    /// Nothing: it is as it was published.
    pub const NONE: LetterId = LetterId(0);
}

/// Why a queue dead-letters a message (rabbit_dead_letter.erl: `reason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A consumer rejected it without requeue.
    Rejected,
    /// Its time to live was over.
    Expired,
    /// The queue was too long.
    MaxLength,
    /// It came back to a quorum queue too often.
    DeliveryLimit,
}

/// A routing key, of all that producers and dead-letter arguments use.
type Key = u32;

/// The key of a message whose key nobody knows: it equals no other.
const UNKNOWN: Key = 0;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Letter {
    /// The queue in which it died first.
    origin: QueueId,
    key: Key,
    /// The queues in which it died since a consumer last rejected it, in order of their numbers.
    automatic: Vec<QueueId>,
}

/// One death: where the message goes, and what it remembers from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// What it remembers.
    pub letter: LetterId,
    /// The queues that the dead-letter exchange routes it to.
    pub routed: Vec<QueueId>,
    /// Those of them to which it would only go round in a circle.
    pub cycling: Vec<QueueId>,
}

/// What a message remembers, its own key if that is nothing, where it dies, whether by rejection.
type Place = (LetterId, Key, QueueId, bool);

/// Every death that messages can die.
#[derive(Clone, Debug, Default)]
pub struct Letters {
    letters: Vec<Letter>,
    /// In the order of their places.
    deaths: Vec<(Place, Death)>,
    /// The routing key of each producer's messages.
    keys: Vec<Key>,
}

/// A queue's `x-dead-letter-exchange` and `x-dead-letter-routing-key`.
#[derive(Clone, Debug)]
pub struct DeadLetterTo {
    /// The queue.
    pub queue: QueueId,
    /// The exchange.
    pub exchange: ExchangeId,
    /// The key; the message keeps its own if there is none.
    pub key: Option<String>,
}

/// The dead-letter routes of a scenario are too entangled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("messages can be dead-lettered in more than 65,535 ways")]
pub struct TooManyWays;

impl Letters {
    /// All that can come of these queues. `keys` has the routing key of each producer's messages,
    /// `route` the queues behind an exchange and a key (`None` equals no other key).
    ///
    /// # Errors
    /// There are more ways than can be told apart.
    pub fn new(
        from: &[DeadLetterTo],
        keys: &[String],
        route: impl Fn(ExchangeId, Option<&str>) -> Vec<QueueId>,
    ) -> Result<Letters, TooManyWays> {
        let letters = Letters::default();
        let mut explorer = Explorer { from, names: vec![None], route, letters, open: Vec::new() };
        let own: Vec<Key> = keys.iter().map(|key| explorer.key(key)).collect();
        for to in from {
            explorer.visit(LetterId::NONE, UNKNOWN, to.queue);
            for &key in &own {
                explorer.visit(LetterId::NONE, key, to.queue);
            }
        }
        explorer.explore()?;
        Ok(Letters { keys: own, ..explorer.letters })
    }

    /// What becomes of a message that `queue` dead-letters; `None` if it has no dead-letter
    /// exchange.
    #[must_use]
    pub fn death(
        &self,
        producer: ProducerId,
        letter: LetterId,
        queue: QueueId,
        reason: Reason,
    ) -> Option<&Death> {
        let key = match letter {
            LetterId::NONE => self.keys.get(producer.index()).copied().unwrap_or(UNKNOWN),
            _ => UNKNOWN,
        };
        let place: Place = (letter, key, queue, reason == Reason::Rejected);
        let found = self.deaths.binary_search_by_key(&place, |(place, _)| *place);
        found.ok().map(|index| &self.deaths[index].1)
    }

    /// The queue that a message was first sent to, which is `queue` if it has not died.
    #[inline]
    #[must_use]
    pub fn origin(&self, letter: LetterId, queue: QueueId) -> QueueId {
        match letter {
            LetterId::NONE => queue,
            LetterId(number) => self.letters[usize::from(number) - 1].origin,
        }
    }
}

/// While the ways are being explored.
struct Explorer<'a, R> {
    from: &'a [DeadLetterTo],
    /// Texts of keys; the first equals no other.
    names: Vec<Option<&'a str>>,
    route: R,
    letters: Letters,
    /// Where messages can be: what they remember, their own key if that is nothing, and the queue.
    open: Vec<(LetterId, Key, QueueId)>,
}

impl<'a, R: Fn(ExchangeId, Option<&str>) -> Vec<QueueId>> Explorer<'a, R> {
    fn key(&mut self, text: &'a str) -> Key {
        let known = self.names.iter().position(|name| *name == Some(text));
        known.unwrap_or_else(|| {
            self.names.push(Some(text));
            self.names.len() - 1
        }) as Key
    }

    fn visit(&mut self, letter: LetterId, key: Key, queue: QueueId) {
        let dead_letters = self.from.iter().any(|from| from.queue == queue);
        if dead_letters && !self.open.contains(&(letter, key, queue)) {
            self.open.push((letter, key, queue));
        }
    }

    fn explore(&mut self) -> Result<(), TooManyWays> {
        let mut next = 0;
        while let Some(&(letter, key, queue)) = self.open.get(next) {
            next += 1;
            for rejected in [false, true] {
                let death = self.die((letter, key, queue, rejected))?;
                for &target in &death.routed {
                    self.visit(death.letter, UNKNOWN, target);
                }
                self.letters.deaths.push(((letter, key, queue, rejected), death));
            }
        }
        self.letters.deaths.sort_by_key(|(place, _)| *place);
        Ok(())
    }

    /// rabbit_dead_letter.erl `make_msg`, `detect_cycles`: a message goes round in a circle if it
    /// has died in the queue before and no consumer has rejected it since.
    fn die(&mut self, (letter, key, queue, rejected): Place) -> Result<Death, TooManyWays> {
        let from = self.from;
        let to = from.iter().find(|to| to.queue == queue).expect("only such queues are open");
        let before =
            letter.0.checked_sub(1).map(|at| self.letters.letters[usize::from(at)].clone());
        let before = before.unwrap_or(Letter { origin: queue, key, automatic: Vec::new() });
        let key = to.key.as_deref().map_or(before.key, |text| self.key(text));
        let mut automatic = if rejected { Vec::new() } else { before.automatic };
        if !rejected && !automatic.contains(&queue) {
            automatic.push(queue);
            automatic.sort_unstable();
        }
        let routed = (self.route)(to.exchange, self.names[key as usize]);
        let cycling: Vec<QueueId> =
            routed.iter().copied().filter(|queue| automatic.contains(queue)).collect();
        let letter = Letter { origin: before.origin, key, automatic };
        let letters = &mut self.letters.letters;
        let at = letters.iter().position(|known| *known == letter).unwrap_or_else(|| {
            letters.push(letter);
            letters.len() - 1
        });
        let letter = LetterId(u16::try_from(at + 1).map_err(|_| TooManyWays)?);
        Ok(Death { letter, routed, cycling })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: QueueId = QueueId(0);
    const RETRY: QueueId = QueueId(1);
    const DEAD: QueueId = QueueId(2);
    const P: ProducerId = ProducerId(0);

    /// The default exchange of queues with these names.
    fn route(_: ExchangeId, key: Option<&str>) -> Vec<QueueId> {
        let names = ["orders", "retry", "dead"];
        let found = names.iter().position(|name| Some(*name) == key);
        found.map(|index| QueueId(index as u32)).into_iter().collect()
    }

    fn to(queue: QueueId, key: Option<&str>) -> DeadLetterTo {
        DeadLetterTo { queue, exchange: ExchangeId::DEFAULT, key: key.map(str::to_owned) }
    }

    fn letters(from: &[DeadLetterTo]) -> Letters {
        Letters::new(from, &["orders".to_owned()], route).expect("few ways")
    }

    #[test]
    fn a_dead_letter_remembers_where_it_died_first() {
        let letters = letters(&[to(ORDERS, Some("retry")), to(RETRY, Some("dead"))]);
        let first = letters.death(P, LetterId::NONE, ORDERS, Reason::Expired).expect("it has one");
        assert_eq!((&first.routed[..], &first.cycling[..]), (&[RETRY][..], &[][..]));
        let second = letters.death(P, first.letter, RETRY, Reason::MaxLength).expect("so has that");
        assert_eq!(second.routed, [DEAD]);
        assert_eq!(letters.origin(second.letter, DEAD), ORDERS);
        assert_eq!(letters.origin(LetterId::NONE, DEAD), DEAD);
        assert_eq!(letters.death(P, second.letter, DEAD, Reason::Expired), None);
    }

    #[test]
    fn a_circle_is_broken_unless_a_consumer_rejected_it_on_the_way() {
        let letters = letters(&[to(ORDERS, Some("retry")), to(RETRY, Some("orders"))]);
        let step = |letter, queue, reason| letters.death(P, letter, queue, reason).expect("ways");
        let expired = step(LetterId::NONE, ORDERS, Reason::Expired);
        assert_eq!(step(expired.letter, RETRY, Reason::Expired).cycling, [ORDERS]);
        let rejected = step(LetterId::NONE, ORDERS, Reason::Rejected);
        let back = step(rejected.letter, RETRY, Reason::Expired);
        assert_eq!((&back.routed[..], &back.cycling[..]), (&[ORDERS][..], &[][..]));
        // It has come back through `retry` by itself, which a further death there would repeat.
        assert_eq!(step(back.letter, ORDERS, Reason::Expired).cycling, [RETRY]);
        assert_eq!(step(back.letter, ORDERS, Reason::Rejected).cycling, []);
    }

    #[test]
    fn without_a_key_of_its_own_the_queue_leaves_the_messages_key() {
        let letters = letters(&[to(ORDERS, None)]);
        let expired = letters.death(P, LetterId::NONE, ORDERS, Reason::Expired).expect("ways");
        assert_eq!(expired.cycling, [ORDERS], "the default exchange brings it back");
        let nobody = ProducerId(7);
        let unknown = letters.death(nobody, LetterId::NONE, ORDERS, Reason::Expired);
        assert_eq!(unknown.expect("ways").routed, []);
    }
}
