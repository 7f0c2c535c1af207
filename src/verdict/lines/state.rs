//! What the ledger knows about one line, in six bytes.

use crate::observe::Outcome;

/// What the producer was told so far. The order is the precedence: an answer displaces those that
/// stand after it, and equal ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(in crate::verdict) enum Answer {
    Acked,
    Accepted,
    Returned,
    Rejected,
    /// A negative answer: counts as unknown.
    Nacked,
    Unknown,
    Unsent,
    /// None yet.
    #[default]
    Open,
}

impl Answer {
    pub(in crate::verdict) const fn of(outcome: Outcome) -> Answer {
        match outcome {
            Outcome::Acked => Answer::Acked,
            Outcome::Accepted => Answer::Accepted,
            Outcome::Returned => Answer::Returned,
            Outcome::Rejected => Answer::Rejected,
            Outcome::Nacked => Answer::Nacked,
            Outcome::Unknown => Answer::Unknown,
            Outcome::Unsent => Answer::Unsent,
        }
    }

    /// The answer that stands when `self` did and `next` arrives.
    pub(in crate::verdict) fn then(self, next: Answer) -> Answer {
        let open = |answer| matches!(answer, Answer::Nacked | Answer::Unknown);
        if next <= self || (open(self) && open(next)) { next } else { self }
    }

    /// Whether the operation succeeded. A success is never displaced by a failure.
    pub(in crate::verdict) const fn is_success(self) -> bool {
        matches!(self, Answer::Acked | Answer::Accepted)
    }
}

/// Which of several things have happened to a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::verdict) struct Flags(u16);

impl Flags {
    /// The workload wanted it.
    pub(in crate::verdict) const ATTEMPTED: Flags = Flags(1);
    /// Handed to a connection at least once.
    pub(in crate::verdict) const SENT: Flags = Flags(1 << 1);
    /// Sent, and not answered since.
    pub(in crate::verdict) const WAITING: Flags = Flags(1 << 2);
    /// Handed to an application.
    pub(in crate::verdict) const DELIVERED: Flags = Flags(1 << 3);
    /// An application finished with it.
    pub(in crate::verdict) const PROCESSED: Flags = Flags(1 << 4);
    /// Read by an auditor.
    pub(in crate::verdict) const AUDITED: Flags = Flags(1 << 5);
    /// Dead-lettered.
    pub(in crate::verdict) const DEAD_LETTERED: Flags = Flags(1 << 6);
    /// Expired.
    pub(in crate::verdict) const EXPIRED: Flags = Flags(1 << 7);
    /// A broker gave its copy up because a consumer was finished with it.
    pub(in crate::verdict) const SETTLED: Flags = Flags(1 << 8);
    /// Some broker made a copy, or said that it made none.
    pub(in crate::verdict) const ARRIVED: Flags = Flags(1 << 9);
    /// A copy came to where it was dead-lettered to, and is there unless the last one is lost.
    pub(in crate::verdict) const LETTER: Flags = Flags(1 << 10);
    /// The broker's rules allow it to be read.
    pub(in crate::verdict) const READABLE: Flags = Flags(1 << 11);
    /// It could be read, and a consumer began behind it.
    pub(in crate::verdict) const SKIPPED: Flags = Flags(1 << 12);
    /// A member of a group had it in hand, will not finish it, and has committed behind it.
    pub(in crate::verdict) const ABANDONED: Flags = Flags(1 << 13);
    /// Handed to an application more than once.
    pub(in crate::verdict) const AGAIN: Flags = Flags(1 << 14);

    /// Its producer has a positive answer with a remark: it is not stored as durably as asked for.
    pub(in crate::verdict) const REMARKED: Flags = Flags(1 << 14);

    pub(in crate::verdict) const fn with(self, more: Flags) -> Flags {
        Flags(self.0 | more.0)
    }

    pub(in crate::verdict) const fn without(self, less: Flags) -> Flags {
        Flags(self.0 & !less.0)
    }

    /// Whether any of `which` is set.
    pub(in crate::verdict) const fn any(self, which: Flags) -> bool {
        self.0 & which.0 != 0
    }
}

/// A line has no more than so many copies; one that ever had is taken to have some for ever. A
/// producer that publishes a message again and again makes them.
const MOST_COPIES: u16 = 0x1fff;

/// Everything about a line that is not a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::verdict) struct State {
    pub(in crate::verdict) flags: Flags,
    /// Why its last copy went, an id of the ledger's table of reasons; 0 for none.
    pub(in crate::verdict) reason: u16,
    /// How many copies brokers hold; from [`MOST_COPIES`] on it is not counted.
    pub(in crate::verdict) copies: u16,
    pub(in crate::verdict) answer: Answer,
}

impl State {
    /// The state in the low 48 bits of a word.
    pub(super) const fn pack(self) -> u64 {
        self.flags.0 as u64
            | (self.reason as u64) << 16
            | (self.copies as u64) << 32
            | (self.answer as u64) << 45
    }

    /// The state that was packed into a word; its high 16 bits do not matter.
    pub(super) const fn unpack(word: u64) -> State {
        const ANSWERS: [Answer; 8] = [
            Answer::Acked,
            Answer::Accepted,
            Answer::Returned,
            Answer::Rejected,
            Answer::Nacked,
            Answer::Unknown,
            Answer::Unsent,
            Answer::Open,
        ];
        State {
            flags: Flags(word as u16),
            reason: (word >> 16) as u16,
            copies: (word >> 32) as u16 & MOST_COPIES,
            answer: ANSWERS[(word >> 45) as usize & 7],
        }
    }

    pub(in crate::verdict) const fn is(self, which: Flags) -> bool {
        self.flags.any(which)
    }

    pub(in crate::verdict) fn set(&mut self, which: Flags) {
        self.flags = self.flags.with(which);
    }

    pub(in crate::verdict) fn clear(&mut self, which: Flags) {
        self.flags = self.flags.without(which);
    }

    /// One copy more.
    pub(in crate::verdict) fn add_copy(&mut self) {
        self.copies = (self.copies + 1).min(MOST_COPIES);
    }

    /// One copy less; there must be one.
    pub(in crate::verdict) fn remove_copy(&mut self) {
        self.copies -= u16::from(self.copies < MOST_COPIES);
    }

    /// Whether some broker holds it where it was sent to, it may be read, and nobody has, nor began
    /// behind it.
    pub(in crate::verdict) const fn is_backlog(self) -> bool {
        const READ: Flags = Flags::DELIVERED.with(Flags::PROCESSED).with(Flags::AUDITED);
        const NOT: Flags = READ.with(Flags::LETTER).with(Flags::SKIPPED);
        self.copies > 0 && self.is(Flags::READABLE) && !self.is(NOT)
    }

    /// Whether the write was a success that nothing can undo: confirmed, and processed or
    /// dead-lettered.
    pub(in crate::verdict) const fn is_good(self) -> bool {
        self.answer.is_success() && self.is(Flags::PROCESSED.with(Flags::DEAD_LETTERED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_displace_by_precedence() {
        assert_eq!(Answer::Open.then(Answer::Unsent), Answer::Unsent);
        assert_eq!(Answer::Unknown.then(Answer::Acked), Answer::Acked);
        assert_eq!(Answer::Returned.then(Answer::Acked), Answer::Acked);
        assert_eq!(Answer::Acked.then(Answer::Returned), Answer::Acked);
        assert_eq!(Answer::Rejected.then(Answer::Unknown), Answer::Rejected);
        assert_eq!(Answer::Nacked.then(Answer::Unknown), Answer::Unknown, "the latest of equals");
        assert_eq!(Answer::Unknown.then(Answer::Nacked), Answer::Nacked);
        assert_eq!(Answer::Acked.then(Answer::Accepted), Answer::Acked);
    }

    #[test]
    fn copies_beyond_counting_never_go() {
        let mut state = State::default();
        state.add_copy();
        state.remove_copy();
        assert_eq!(state.copies, 0);
        (0..MOST_COPIES + 1).for_each(|_| state.add_copy());
        (0..MOST_COPIES + 1).for_each(|_| state.remove_copy());
        assert_eq!(state.copies, MOST_COPIES);
    }

    #[test]
    fn a_state_survives_packing() {
        for answer in [Answer::Acked, Answer::Nacked, Answer::Unsent, Answer::Open] {
            let flags = Flags(0x8421);
            for copies in [0xa5, 0x1234, MOST_COPIES] {
                let state = State { flags, reason: 0xfedc, copies, answer };
                assert_eq!(State::unpack(state.pack() | 0xffff << 48), state);
                assert_eq!(state.pack() >> 48, 0);
            }
        }
    }
}
