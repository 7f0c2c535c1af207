//! An alarm: wakes a machine at the earliest of the times that it has something to do.
//!
//! A process waits for a span (`poll(timeout)`, `wait(timeout)`, a `receive ... after`), which the
//! kernel measures by the host's monotonic clock; whether its time has come it reads off the clock
//! that it goes by. So a deadline by the time of day is noticed late if that clock is set ahead
//! while the process sleeps, and one that is not reached yet when it wakes is waited for again.

use crate::engine::Time;

use super::context::Context;
use super::machine::{Lane, TimerId};

/// By which clock a machine keeps a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The host's wall clock ([`Context::clock`]): it drifts, and jumps when it is set.
    Wall,
    /// The host's monotonic clock ([`Context::monotonic`]): it drifts.
    Monotonic,
    /// The true time ([`Context::now`]), whatever the host's clocks show: for what comes from
    /// outside of the host, such as users who ask, or a person who starts a program.
    Run,
}

impl By {
    /// What this clock shows now.
    #[must_use]
    #[inline]
    pub fn now<M>(self, ctx: &Context<'_, M>) -> Time {
        match self {
            By::Wall => ctx.clock(),
            By::Monotonic => ctx.monotonic(),
            By::Run => ctx.now(),
        }
    }
}

/// "Wake me at the earliest of these times."
///
/// The machine names each time as it learns of it ([`Alarm::wake`]); when the message comes it says
/// so ([`Alarm::rang`]), looks at the clock for what is due, and names what is next. It may be
/// woken early, and then nothing is due.
#[derive(Clone, Debug)]
pub struct Alarm {
    by: By,
    set: Option<(Time, TimerId)>,
}

impl Alarm {
    /// An alarm that is not set, for times of this clock.
    #[must_use]
    pub const fn new(by: By) -> Alarm {
        Alarm { by, set: None }
    }

    /// What the clock shows that it goes by.
    #[must_use]
    #[inline]
    pub fn now<M>(&self, ctx: &Context<'_, M>) -> Time {
        self.by.now(ctx)
    }

    /// Gives `lane` the input at `at`, unless it gets one as early or earlier. A time that is over
    /// is now; [`Time::MAX`] is never.
    pub fn wake<M>(&mut self, at: Time, lane: Lane, body: M, ctx: &mut Context<'_, M>) {
        match self.set {
            _ if at == Time::MAX => return,
            Some((set, _)) if set <= at => return,
            Some((_, later)) => ctx.cancel(later),
            None => {}
        }
        let timer = match self.by {
            By::Run => ctx.at(at, lane, body),
            by => ctx.after(at.since(by.now(ctx)), lane, body),
        };
        self.set = Some((at, timer));
    }

    /// Its message has come, or that of one that was cancelled too late, which changes nothing.
    /// Whether it is its own.
    pub fn rang<M>(&mut self, ctx: &Context<'_, M>) -> bool {
        self.set.take_if(|(_, timer)| !ctx.is_pending(*timer)).is_some()
    }

    /// Nothing is waited for any more.
    pub fn cancel<M>(&mut self, ctx: &mut Context<'_, M>) {
        if let Some((_, timer)) = self.set.take() {
            ctx.cancel(timer);
        }
    }

    /// The process has died, and its timers with it.
    pub const fn forget(&mut self) {
        self.set = None;
    }
}
