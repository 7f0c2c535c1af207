//! An application that reads: from when to when, one message at a time, each for a while.

use crate::engine::{Distribution, Span, Time};
use crate::observe::{ConsumerId, DestinationId, Observer};
use crate::workload::ConsumerLoad;
use crate::world::{Context, Lane};

/// From when to when an application reads, counted from the beginning of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// When it begins; `None` for an auditor, which begins when the load ends.
    pub start: Option<Span>,
    /// When it stops asking for more; never if `None`.
    pub stop: Option<Span>,
}

impl Hours {
    /// Those of an auditor.
    pub const AUDITOR: Hours = Hours { start: None, stop: None };

    /// Those of a consumer.
    #[must_use]
    pub const fn of(load: &ConsumerLoad) -> Hours {
        Hours { start: Some(load.start), stop: load.stop }
    }

    /// Whether they are those of an auditor.
    #[must_use]
    pub const fn is_auditor(self) -> bool {
        self.start.is_none()
    }
}

/// What a reading application is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has not begun.
    Waiting,
    Active,
    /// It asks for nothing any more; what it has in hand it finishes.
    Stopped,
}

/// The application behind a consumer. `W` is a piece of work: a message, or several that go
/// together, and what is to be done when it is through.
///
/// What it has in hand dies with its process. Started again it begins as at its first start, unless
/// its hours are over.
#[derive(Clone, Debug)]
pub struct Reading<W> {
    id: ConsumerId,
    hours: Hours,
    processing: Distribution,
    state: State,
    work: Option<W>,
    wants: bool,
}

impl<W> Reading<W> {
    /// One that has not begun, and works on each message for so long.
    #[must_use]
    pub const fn new(id: ConsumerId, hours: Hours, processing: Distribution) -> Reading<W> {
        Reading { id, hours, processing, state: State::Waiting, work: None, wants: false }
    }

    /// Which consumer it is behind.
    #[must_use]
    pub const fn id(&self) -> ConsumerId {
        self.id
    }

    /// Whether it begins when the load ends.
    #[must_use]
    pub const fn is_auditor(&self) -> bool {
        self.hours.is_auditor()
    }

    /// Whether it has begun and has not stopped.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state == State::Active
    }

    /// Whether it has stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.state == State::Stopped
    }

    /// Its process is up: it gets `begin` and `stop` on the main lane when it is time. Whether that
    /// is now, and [`begin`](Self::begin) to be called.
    pub fn boot<M>(&mut self, begin: M, stop: M, ctx: &mut Context<'_, M>) -> bool {
        let at = |span| Time::ZERO + span;
        if let Some(end) = self.hours.stop {
            if at(end) <= ctx.now() && ctx.incarnation() > 0 {
                self.stop();
                return false;
            }
            ctx.at(at(end), Lane::MAIN, stop);
        }
        match self.hours.start.map(at) {
            Some(start) if start > ctx.now() => {
                ctx.at(start, Lane::MAIN, begin);
                false
            }
            Some(_) => true,
            None => false,
        }
    }

    /// It is time to begin. Whether it does, and had not before.
    pub fn begin(&mut self) -> bool {
        let begins = self.state == State::Waiting;
        if begins {
            self.state = State::Active;
        }
        begins
    }

    /// It asks for nothing any more.
    pub const fn stop(&mut self) {
        self.state = State::Stopped;
    }

    /// It has ended by itself, and waits for [`begin`](Self::begin): whatever it worked on, it will
    /// not finish.
    pub fn pause(&mut self) {
        self.state = State::Waiting;
        self.work = None;
    }

    /// Whether its work takes no time at all, ever.
    #[must_use]
    pub fn is_instant(&self) -> bool {
        self.processing == Distribution::Constant(0)
    }

    /// Whether it works on something.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        self.work.is_some()
    }

    /// Gives it something to work on; it must not be busy. When it is through it gets `done` on the
    /// main lane; what takes no time comes back at once.
    pub fn work<M>(&mut self, work: W, done: M, ctx: &mut Context<'_, M>) -> Option<W> {
        debug_assert!(!self.is_busy(), "it works on one thing at a time");
        let takes = self.processing.span(ctx.random());
        if takes.is_zero() {
            return Some(work);
        }
        ctx.after(takes, Lane::MAIN, done);
        self.work = Some(work);
        None
    }

    /// It is through with what it worked on.
    pub const fn done(&mut self) -> Option<W> {
        self.work.take()
    }

    /// Tells whether it would take another message of these destinations now.
    pub fn tell_wants<'a, M>(
        &mut self,
        has_room: bool,
        destinations: impl IntoIterator<Item = &'a DestinationId>,
        ctx: &mut Context<'_, M>,
    ) {
        let (wants, now) = (has_room && self.is_active(), ctx.now());
        if wants != self.wants {
            self.wants = wants;
            for destination in destinations {
                ctx.observer().wants(now, self.id, *destination, wants);
            }
        }
    }

    /// The process has died, and the application with it.
    pub fn died<'a>(
        &mut self,
        at: Time,
        destinations: impl IntoIterator<Item = &'a DestinationId>,
        observer: &mut dyn Observer,
    ) {
        self.work = None;
        self.state = State::Waiting;
        if std::mem::take(&mut self.wants) {
            for destination in destinations {
                observer.wants(at, self.id, *destination, false);
            }
        }
    }
}
