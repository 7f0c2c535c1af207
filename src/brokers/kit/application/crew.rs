//! The threads of an application that work at the same time, each on one thing.

use crate::engine::{Distribution, Span};
use crate::world::{Context, Lane};

/// Threads that take work from the same list. `W` is a piece of work: a message, and what is to be
/// done when it is through.
#[derive(Clone, Debug)]
pub struct Crew<W> {
    processing: Distribution,
    threads: Vec<Option<W>>,
    busy: usize,
}

impl<W> Crew<W> {
    /// So many threads, each of which works on a message for so long.
    #[must_use]
    pub fn new(threads: usize, processing: Distribution) -> Crew<W> {
        Crew { processing, threads: (0..threads).map(|_| None).collect(), busy: 0 }
    }

    /// Whether a thread would take something now.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.busy < self.threads.len()
    }

    /// Whether no thread works on anything.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.busy == 0
    }

    /// Gives a free thread something to work on; there must be one. When it is through the main
    /// lane gets what `done` makes of the thread's number; what takes no time comes back at once.
    pub fn work<M>(
        &mut self,
        work: W,
        done: impl FnOnce(u32) -> M,
        ctx: &mut Context<'_, M>,
    ) -> Option<W> {
        let takes = self.processing.span(ctx.random());
        self.work_for(takes, work, done, ctx)
    }

    /// The same with something that takes so long.
    pub fn work_for<M>(
        &mut self,
        takes: Span,
        work: W,
        done: impl FnOnce(u32) -> M,
        ctx: &mut Context<'_, M>,
    ) -> Option<W> {
        if takes.is_zero() {
            return Some(work);
        }
        let thread = self.threads.iter().position(Option::is_none);
        debug_assert!(thread.is_some(), "a thread works on one thing at a time");
        let thread = thread?;
        ctx.after(takes, Lane::MAIN, done(thread as u32));
        self.threads[thread] = Some(work);
        self.busy += 1;
        None
    }

    /// A thread is through with what it worked on.
    pub fn done(&mut self, thread: u32) -> Option<W> {
        let work = self.threads[thread as usize].take();
        self.busy -= usize::from(work.is_some());
        work
    }

    /// The process has died, and its threads with it.
    pub fn died(&mut self) {
        self.threads.iter_mut().for_each(|thread| *thread = None);
        self.busy = 0;
    }
}
