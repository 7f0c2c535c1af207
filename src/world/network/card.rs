//! A host's network card: what all its links share, each way.
//!
//! What a host sends goes over its card, whatever link it is for. The card is given a little at a
//! time; what is more waits in its connection, and [connections take turns](super::turns). What
//! reaches a host from several others at once waits at the port of the switch before it, in the
//! order in which it arrives: switches know no connections. A packet is passed on while the next is still coming in, so that a message that meets
//! nobody is held up by the card that it comes in by only as far as that is slower than the card
//! that it was sent by.

use std::collections::VecDeque;

use crate::engine::{Span, Time};

use super::super::machine::ConnId;
use super::tcp;
use super::topology::CardSpec;

/// The connections of a host that have something for its card and wait for their turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    /// Those that had nothing to send for a while, and those that have had a turn since.
    pub(super) fresh: VecDeque<ConnId>,
    pub(super) others: VecDeque<ConnId>,
    /// Whether the event is scheduled that gives somebody a turn.
    pub(super) due: bool,
}

impl Turns {
    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.others.is_empty()
    }
}

/// A card at work.
#[derive(Clone, Debug)]
pub(crate) struct Card {
    spec: CardSpec,
    /// Until when it sends what it was given, and receives what has arrived.
    pub(super) sends_until: Time,
    receives_until: Time,
    /// Who waits to send.
    pub(super) turns: Turns,
    /// How long it has worked each way, what waits included.
    sending: Span,
    receiving: Span,
}

impl Card {
    pub(crate) fn new(spec: CardSpec) -> Card {
        Card {
            spec,
            sends_until: Time::ZERO,
            receives_until: Time::ZERO,
            turns: Turns::default(),
            sending: Span::ZERO,
            receiving: Span::ZERO,
        }
    }

    /// Whether it may hold up what comes in.
    #[inline]
    pub(crate) const fn limits_what_comes(&self) -> bool {
        self.spec.inwards != 0
    }

    /// Whether it may hold up what is sent.
    #[inline]
    pub(crate) const fn limits_what_goes(&self) -> bool {
        self.spec.outwards != 0
    }

    /// The most that a connection gives it in a turn.
    pub(super) fn turn(&self) -> u32 {
        tcp::burst(self.spec.outwards)
    }

    /// Whether nobody is before whoever sends at `at` but for what the card was given already, which
    /// is little.
    pub(super) fn is_free(&self, at: Time) -> bool {
        self.turns.is_empty() && self.sends_until < at + self.takes(self.turn())
    }

    /// When the first and the last byte of a message that is handed over at `at` leave.
    #[inline]
    pub(crate) fn sends(&mut self, bytes: u32, at: Time) -> (Time, Time) {
        if self.spec.outwards == 0 {
            return (at, at);
        }
        let takes = time(bytes.into(), self.spec.outwards);
        let begins = at.max(self.sends_until);
        self.sends_until = begins + takes;
        self.sending += takes;
        (begins, self.sends_until)
    }

    /// How long it takes to send so much.
    pub(crate) fn takes(&self, bytes: u32) -> Span {
        time(bytes.into(), self.spec.outwards)
    }

    /// When it has received a message of which the last byte has come by `now`, so long after the
    /// first.
    pub(crate) fn receives(&mut self, bytes: u32, now: Time, came: Span) -> Time {
        let takes = time(bytes.into(), self.spec.inwards);
        let first = Time::from_nanos(now.as_nanos().saturating_sub(came.as_nanos()));
        self.receives_until = now.max(self.receives_until.max(first) + takes);
        self.receiving += takes;
        self.receives_until
    }

    /// So much of what waits to be sent is not, or waits anew.
    pub(crate) fn take_back(&mut self, bytes: u64, now: Time) {
        if self.spec.outwards == 0 {
            return;
        }
        let takes = time(bytes, self.spec.outwards);
        let until = Time::from_nanos(self.sends_until.as_nanos().saturating_sub(takes.as_nanos()));
        self.sends_until = self.sends_until.min(until.max(now));
        self.sending = self.sending.saturating_sub(takes);
    }

    /// How long it has sent and received until `now`.
    pub(crate) fn worked(&self, now: Time) -> (Span, Span) {
        let done = |all: Span, until: Time| all.saturating_sub(until.since(now.min(until)));
        (done(self.sending, self.sends_until), done(self.receiving, self.receives_until))
    }
}

/// How long so many bytes take at a rate.
fn time(bytes: u64, rate: u64) -> Span {
    match rate {
        0 => Span::ZERO,
        rate => {
            let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate);
            Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Card {
        Card::new(CardSpec { inwards: 1_000_000, outwards: 2_000_000 })
    }

    fn at(millis: u64) -> Time {
        Time::ZERO + Span::from_millis(millis)
    }

    #[test]
    fn what_is_sent_waits_for_what_was_sent_before() {
        let mut card = card();
        assert_eq!(card.sends(20_000, at(0)), (at(0), at(10)));
        assert_eq!(card.sends(20_000, at(5)), (at(10), at(20)));
        assert_eq!(card.worked(at(15)).0, Span::from_millis(15));
        card.take_back(20_000, at(5));
        assert_eq!(card.sends(2_000, at(5)), (at(10), at(11)));
    }

    #[test]
    fn who_comes_alone_is_not_held_up_and_who_comes_second_waits() {
        let (mut card, takes) = (card(), Span::from_millis(20));
        assert_eq!(card.receives(20_000, at(30), takes), at(30));
        assert_eq!(card.receives(20_000, at(31), takes), at(50));
        assert_eq!(card.receives(20_000, at(90), takes), at(90));
        // The sender's card is twice as fast.
        assert_eq!(card.receives(20_000, at(150), takes / 2), at(160));
    }
}
