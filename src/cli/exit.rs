//! Exit codes.

/// What a call came to, by what matters more: a later one outranks an earlier one when several
/// scenarios are run in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// All expectations hold.
    Holds,
    /// Something is undecided: too few seeds, or a run that was not quiet at its end.
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

/// For `--help`.
pub(super) const HELP: &str = "\
Exit codes:
  0    all expectations hold
  1    an expectation or a claimed invariant broke
  2    the scenario or the command line is wrong; nothing was written
  3    undecided: too few seeds, or the run was not quiet at its end
  4    the environment or mqsim itself failed: unwritable folder, disk full, unexplained loss
  130  interrupted; nothing half-written is left behind
Of several scenarios the worst counts: 4, then 1, then 3.";

/// For `mqsim compare --help`.
pub(super) const COMPARE: &str = "\
Exit codes:
  0    B is no worse than A by more than is tolerated
  1    regression: a metric of B is worse than is tolerated, by its mean over the seeds
  2    the input or the command line is wrong; nothing was written
  3    undecided: a metric with a tolerance was not measured on both sides
  4    the environment or mqsim itself failed: unwritable folder, disk full, unexplained loss
  130  interrupted; nothing half-written is left behind";
