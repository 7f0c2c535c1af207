//! Exit codes.

/// What a call came to, by what matters more: a later one outranks an earlier one when several
/// scenarios are run in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// All expectations hold.
    Holds,
    /// Something is undecided: too few seeds, a run that was not quiet at its end, or one that the
    /// user's own `max-events` ended.
    Undecided,
    /// An expectation or a claimed invariant broke.
    Broken,
    /// The input or the command line is wrong; nothing was written.
    Input,
    /// The environment or mqsim itself failed.
    Failure,
}

impl Exit {
    /// The number for the shell.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Exit::Holds => 0,
            Exit::Broken => 1,
            Exit::Input => 2,
            Exit::Undecided => 3,
            Exit::Failure => 4,
        }
    }
}

/// When a signal ended the call.
pub(super) const INTERRUPTED: i32 = 130;
