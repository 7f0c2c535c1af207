//! What names the loss of a line: the rules of precedence.

use super::lines::{Flags, Line, State};
use super::losses::Reasons;
use crate::engine::Time;
use crate::observe::{Catalog, CauseKind};

/// A removal or drop, ready to name the loss of lines.
pub(super) struct Naming<'a> {
    pub(super) at: Time,
    pub(super) id: u16,
    pub(super) kind: CauseKind,
    pub(super) precedence: u8,
    pub(super) catalog: &'a Catalog,
    pub(super) reasons: &'a Reasons,
    pub(super) retained: bool,
}

impl Naming<'_> {
    /// Applies it to a line; `state` must have its copies counted already.
    pub(super) fn apply(&self, line: &mut Line<'_>, state: &mut State) {
        match self.kind {
            CauseKind::DeadLettered => state.set(Flags::DEAD_LETTERED),
            CauseKind::Expired => {
                state.clear(Flags::LETTER);
                state.set(Flags::EXPIRED);
            }
            // Somebody has taken it from where it was dead-lettered to.
            CauseKind::Settled if state.is(Flags::LETTER) => state.set(Flags::DEAD_LETTERED),
            CauseKind::Lost if state.copies == 0 => state.clear(Flags::LETTER),
            CauseKind::Settled | CauseKind::Lost => {}
        }
        // Of what a log has deleted it is kept why: a group may have wanted it.
        if self.retained && state.is(Flags::EXPIRED) && !state.is(Flags::PROCESSED) {
            if state.reason == 0 && self.kind == CauseKind::Expired {
                self.name(line, state);
            }
            return;
        }
        let over = if self.retained { Flags::default() } else { Flags::PROCESSED };
        if state.is(over.with(Flags::DEAD_LETTERED).with(Flags::EXPIRED)) {
            state.reason = 0;
            line.dig_up();
            return;
        }
        self.name(line, state);
        if state.copies == 0 {
            line.bury(self.at);
        }
    }

    fn name(&self, line: &mut Line<'_>, state: &mut State) {
        let again = line.name(self.at);
        let settled = self.kind == CauseKind::Settled;
        let given_up = state.is(Flags::SETTLED) && state.reason != 0;
        let outranked = again && self.precedence_of(state.reason) > self.precedence;
        if settled {
            state.set(Flags::SETTLED);
        }
        if settled || !(given_up || outranked) {
            state.reason = self.id;
        }
    }

    fn precedence_of(&self, id: u16) -> u8 {
        let cause = self.reasons.get(id).map(|reason| reason.removal.cause);
        cause.map_or(0, |cause| self.catalog.causes[cause.index()].precedence)
    }
}
