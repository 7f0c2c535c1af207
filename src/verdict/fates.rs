//! What became of each line, and which lines count as lost: the rules of the matrix.

use super::lines::{Answer, Flags, State};
use super::losses::Class;
use super::{Fate, FinalOutcome, Matrix};
use crate::observe::CauseKind;

/// What the fate of a line depends on beside the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// Whether the run became quiet.
    pub(super) quiet: bool,
    /// Whether the line's destination has a consumer that is no auditor.
    pub(super) has_consumer: bool,
    /// Whether such a consumer would take another message.
    pub(super) is_wanted: bool,
    /// Whether brokers keep messages that were read.
    pub(super) retained: bool,
}

/// What the producer was told in the end. An answer that never came is unknown if the message was
/// sent, and unsent if it was not.
pub(super) fn outcome(state: State) -> FinalOutcome {
    let left = state.is(Flags::SENT.with(Flags::ARRIVED));
    match state.answer {
        Answer::Acked => FinalOutcome::Acked,
        Answer::Accepted => FinalOutcome::Accepted,
        Answer::Returned => FinalOutcome::Returned,
        Answer::Rejected => FinalOutcome::Rejected,
        Answer::Nacked | Answer::Unknown => FinalOutcome::Unknown,
        Answer::Unsent | Answer::Open if left => FinalOutcome::Unknown,
        Answer::Unsent | Answer::Open => FinalOutcome::Unsent,
    }
}

/// What became of a line. The first that applies of:
///
/// 1. never sent (exactly the outcome `unsent`), processed, dead-lettered;
/// 2. stored, if an auditor read it;
/// 3. expired;
/// 4. unreachable, if the run did not become quiet: nothing below can be known then;
/// 5. received only, if an application had it, whether a broker still holds a copy or not: it is
///    lost only if none does, or if its group has gone on behind it in a log. (A message dead-lettered or expired after a delivery that was never
///    finished was not given up, hence the order.)
/// 6. with a copy left: stored, if the destination has consumers none of which would have taken
///    it, or one began behind it when it could be read; else unreachable, since somebody, a
///    consumer or the auditor, wanted it and did not get it;
/// 7. gone.
pub(super) fn fate(state: State, ending: Ending) -> Fate {
    if outcome(state) == FinalOutcome::Unsent {
        Fate::NeverSent
    } else if state.is(Flags::PROCESSED) {
        Fate::Processed
    } else if state.is(Flags::DEAD_LETTERED.with(Flags::LETTER)) {
        Fate::DeadLettered
    } else if state.is(Flags::AUDITED) {
        Fate::Stored
    } else if state.is(Flags::EXPIRED) {
        Fate::Expired
    } else if !ending.quiet {
        Fate::Unreachable
    } else if state.is(Flags::DELIVERED.with(Flags::ABANDONED)) {
        Fate::ReceivedOnly
    } else if state.copies == 0 {
        Fate::Gone
    } else if state.is(Flags::SKIPPED) || ending.has_consumer && !ending.is_wanted {
        Fate::Stored
    } else {
        Fate::Unreachable
    }
}

/// Why a line counts as lost: at most one class by what its producer was told, and beside it the
/// consumer's or the reader's. Each class is a column of `summary.csv`, and the rows of `loss.csv`
/// of that class sum to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// By outcome: acked, accepted or unknown.
    pub(super) told: Option<Class>,
    /// A consumer acknowledged or committed before it finished.
    pub(super) consumer: bool,
    /// A consumer saw it, and it is gone from every log.
    pub(super) read: bool,
    /// Its producer was told that it is safe, and no copy is left, read before or not.
    pub(super) gone: bool,
}

impl Lost {
    pub(super) fn classes(self) -> impl Iterator<Item = Class> {
        let consumer = self.consumer.then_some(Class::Consumer);
        let read = self.read.then_some(Class::Read);
        [self.told, consumer, read].into_iter().flatten()
    }

    pub(super) fn any(self) -> bool {
        self.told.is_some() || self.consumer || self.read
    }
}

/// Whether a line with that fate counts as lost, and why. `removed_as` is the kind of the cause
/// that its state names.
pub(super) fn lost(
    state: State,
    fate: Fate,
    removed_as: Option<CauseKind>,
    ending: Ending,
) -> Lost {
    let outcome = outcome(state);
    let given_up = fate == Fate::Gone || (fate == Fate::ReceivedOnly && state.copies == 0);
    let passed = is_passed(state, fate, ending);
    let told = match outcome {
        FinalOutcome::Acked if given_up || passed => Some(Class::Acked),
        FinalOutcome::Accepted if given_up || passed => Some(Class::Accepted),
        FinalOutcome::Unknown if fate == Fate::Gone => Some(Class::Unknown),
        _ => None,
    };
    let may_be_lost = !matches!(outcome, FinalOutcome::Returned | FinalOutcome::Rejected);
    let consumer = may_be_lost && (given_up || passed) && state.is(Flags::SETTLED);
    let seen = state.is(Flags::DELIVERED.with(Flags::PROCESSED));
    let none_left = state.copies == 0 && removed_as == Some(CauseKind::Lost);
    let kept = state.is(Flags::DEAD_LETTERED.with(Flags::EXPIRED).with(Flags::LETTER));
    let read = ending.retained && ending.quiet && seen && none_left && !kept;
    let success = matches!(outcome, FinalOutcome::Acked | FinalOutcome::Accepted);
    Lost { told, consumer, read, gone: success && (given_up || read) }
}

/// Whether the group that the line is for has gone on behind it: the log has the message, and nobody of
/// the group will ever process it. It had it in hand, committed a position behind it, and reads on
/// there; or it had read there before, and was reset to behind it, or found that it had been deleted.
fn is_passed(state: State, fate: Fate, ending: Ending) -> bool {
    let in_hand = state.is(Flags::ABANDONED) && fate == Fate::ReceivedOnly && ending.is_wanted;
    let passed = state.is(Flags::SKIPPED) && state.is(Flags::SETTLED);
    let skipped = passed && matches!(fate, Fate::Stored | Fate::ReceivedOnly);
    let overtaken = passed && fate == Fate::Expired;
    ending.retained && ending.quiet && (overtaken || state.copies > 0 && (in_hand || skipped))
}

/// Whether a lost line lacks an explanation that it should have. A message of which no broker ever
/// made a copy, nor said that it made none, was lost on its way: that explains it, unless a broker
/// acknowledged it.
pub(super) fn is_unexplained(state: State, lost: Lost) -> bool {
    let on_its_way = !state.is(Flags::ARRIVED) && lost.told != Some(Class::Acked);
    lost.any() && state.reason == 0 && !on_its_way
}

/// Whether an effective write ended well.
pub(super) fn ended_well(state: State, ending: Ending) -> bool {
    let fate = fate(state, ending);
    let well = matches!(fate, Fate::Processed | Fate::DeadLettered | Fate::Stored);
    well && !is_passed(state, fate, ending)
}

impl Matrix {
    /// Counts lines.
    pub(super) fn add(&mut self, outcome: FinalOutcome, fate: Fate, lines: u64) {
        self.cells[outcome as usize][fate as usize] += lines;
    }

    /// Lines with that outcome.
    #[must_use]
    pub fn outcome(&self, outcome: FinalOutcome) -> u64 {
        self.cells[outcome as usize].iter().sum()
    }

    /// Lines with that fate.
    #[must_use]
    pub fn fate(&self, fate: Fate) -> u64 {
        self.cells.iter().map(|row| row[fate as usize]).sum()
    }

    /// All lines.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.cells.iter().flatten().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Ending =
        Ending { quiet: true, has_consumer: true, is_wanted: true, retained: false };

    fn state(answer: Answer, copies: u16, flags: &[Flags]) -> State {
        let start = Flags::ATTEMPTED.with(Flags::SENT).with(Flags::ARRIVED);
        let flags = flags.iter().fold(start, |all, flag| all.with(*flag));
        State { flags, reason: 0, copies, answer }
    }

    #[test]
    fn fates_in_their_order() {
        let unread = state(Answer::Acked, 2, &[]);
        assert_eq!(fate(unread, QUIET), Fate::Unreachable, "wanted, and not got");
        assert_eq!(fate(unread, Ending { is_wanted: false, ..QUIET }), Fate::Stored);
        let nobody = Ending { has_consumer: false, is_wanted: false, ..QUIET };
        assert_eq!(fate(unread, nobody), Fate::Unreachable, "not even the auditor got it");
        assert_eq!(fate(state(Answer::Acked, 0, &[]), QUIET), Fate::Gone);
        let cases: [(&[Flags], Fate); 6] = [
            (&[Flags::AUDITED], Fate::Stored),
            (&[Flags::DELIVERED], Fate::ReceivedOnly),
            (&[Flags::DELIVERED, Flags::EXPIRED], Fate::Expired),
            (&[Flags::DELIVERED, Flags::DEAD_LETTERED], Fate::DeadLettered),
            (&[Flags::AUDITED, Flags::EXPIRED], Fate::Stored),
            (&[Flags::PROCESSED, Flags::DEAD_LETTERED, Flags::AUDITED], Fate::Processed),
        ];
        for (flags, expected) in cases {
            assert_eq!(fate(state(Answer::Acked, 0, flags), QUIET), expected);
        }
    }

    #[test]
    fn nothing_is_gone_in_a_run_that_is_not_quiet() {
        let restless = Ending { quiet: false, ..QUIET };
        for flags in [&[][..], &[Flags::DELIVERED], &[Flags::DELIVERED, Flags::SETTLED]] {
            let state = state(Answer::Acked, 0, flags);
            assert_eq!(fate(state, restless), Fate::Unreachable);
            assert!(!lost(state, Fate::Unreachable, None, restless).any());
        }
        let processed = state(Answer::Acked, 0, &[Flags::PROCESSED]);
        assert_eq!(fate(processed, restless), Fate::Processed, "that is known all the same");
    }

    #[test]
    fn received_only_is_lost_when_the_broker_gave_its_copy_up() {
        let kept = state(Answer::Acked, 1, &[Flags::DELIVERED]);
        assert!(!lost(kept, Fate::ReceivedOnly, None, QUIET).any());
        let given_up = state(Answer::Acked, 0, &[Flags::DELIVERED, Flags::SETTLED]);
        let expected = Lost { told: Some(Class::Acked), consumer: true, read: false, gone: true };
        assert_eq!(lost(given_up, Fate::ReceivedOnly, None, QUIET), expected);
        let unknown = state(Answer::Unknown, 0, &[Flags::DELIVERED, Flags::SETTLED]);
        let expected = Lost { told: None, consumer: true, read: false, gone: false };
        assert_eq!(lost(unknown, Fate::ReceivedOnly, None, QUIET), expected);
    }

    #[test]
    fn what_a_group_has_committed_past_is_lost_to_it() {
        let log = Ending { retained: true, ..QUIET };
        let flags = [Flags::READABLE, Flags::ABANDONED, Flags::SETTLED];
        let in_hand = state(Answer::Acked, 3, &flags);
        assert_eq!(fate(in_hand, log), Fate::ReceivedOnly);
        let expected = Lost { told: Some(Class::Acked), consumer: true, read: false, gone: false };
        assert_eq!(lost(in_hand, Fate::ReceivedOnly, None, log), expected);
        let nobody = Ending { is_wanted: false, ..log };
        assert!(!lost(in_hand, Fate::ReceivedOnly, None, nobody).any(), "nobody has gone on");
        let again = state(Answer::Acked, 3, &[Flags::ABANDONED, Flags::SETTLED, Flags::PROCESSED]);
        assert!(!lost(again, fate(again, log), None, log).any(), "another one has processed it");
        let reset = state(Answer::Acked, 3, &[Flags::READABLE, Flags::SKIPPED, Flags::SETTLED]);
        assert_eq!(lost(reset, fate(reset, log), None, log), expected);
        let flags = [Flags::READABLE, Flags::EXPIRED, Flags::SKIPPED, Flags::SETTLED];
        let overtaken = state(Answer::Acked, 0, &flags);
        assert_eq!(fate(overtaken, log), Fate::Expired);
        assert_eq!(lost(overtaken, Fate::Expired, None, log), expected);
        let new = state(Answer::Acked, 3, &[Flags::READABLE, Flags::SKIPPED]);
        assert!(!lost(new, fate(new, log), None, log).any(), "a group that begins there");
    }

    #[test]
    fn producers_that_were_told_lose_nothing() {
        for answer in [Answer::Returned, Answer::Rejected] {
            let gone = state(answer, 0, &[Flags::SETTLED]);
            assert!(!lost(gone, Fate::Gone, None, QUIET).any());
        }
    }

    #[test]
    fn only_logs_lose_what_was_read() {
        let read = state(Answer::Acked, 0, &[Flags::DELIVERED, Flags::PROCESSED]);
        let kind = Some(CauseKind::Lost);
        assert!(!lost(read, Fate::Processed, kind, QUIET).any());
        let log = Ending { retained: true, ..QUIET };
        let in_a_log = lost(read, Fate::Processed, kind, log);
        assert!(in_a_log.read && in_a_log.gone, "gone is gone, read or not");
        let unknown = State { answer: Answer::Unknown, ..read };
        assert!(!lost(unknown, Fate::Processed, kind, log).gone, "nobody said that it is safe");
        assert!(!lost(read, Fate::Processed, Some(CauseKind::Expired), log).any());
    }

    #[test]
    fn what_never_arrived_needs_no_other_explanation() {
        let sent = Flags::ATTEMPTED.with(Flags::SENT);
        for (answer, unexplained) in
            [(Answer::Unknown, false), (Answer::Accepted, false), (Answer::Acked, true)]
        {
            let state = State { flags: sent, answer, ..State::default() };
            let lost = lost(state, fate(state, QUIET), None, QUIET);
            assert!(lost.any());
            assert_eq!(is_unexplained(state, lost), unexplained);
        }
    }
}
