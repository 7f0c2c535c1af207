//! An application that sends: when, how large, and which message is next.

use crate::engine::{Span, Stream, Time};
use crate::observe::{MessageRange, Observer, ProducerId};
use crate::workload::{Load, Pacer, Sizes, Turn};
use crate::world::{Alarm, By, Context, Lane};

/// What the application is to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Send a message that was meant to be sent at `intended`. Its slot is taken until
    /// [`Sending::settled`] gives it back.
    Send {
        /// When it was meant to be sent.
        intended: Time,
    },
    /// Count a message as unsent: it is further behind than the application catches up.
    Skip {
        /// When it was meant to be sent.
        intended: Time,
    },
    /// Nothing before it is woken, or an outcome is known, or ever again.
    Nothing,
}

/// The application behind a producer. It outlives the process: a load goes on where it was, and
/// messages keep their numbers.
///
/// Its pace is that of its users, who do not look at the host's clock; only the pause of a closed
/// loop (`think`) is the application's own, and goes by the host's monotonic clock.
#[derive(Clone, Debug)]
pub struct Sending {
    pacer: Pacer,
    pace: Stream,
    sizes: Sizes,
    draws: Stream,
    /// The next number of each stream of messages.
    next: Vec<u32>,
    /// Messages that were handed out and are not settled: what a death owes the pace.
    out: u64,
    /// Once woken it sleeps at least this long.
    nap: Span,
    woken: Time,
    wake: Alarm,
    ended: bool,
}

impl Sending {
    /// What `load` asks for in a run of this length, in `streams` streams of messages. Draws come
    /// from `pace of NAME` and `sizes of NAME`.
    #[must_use]
    pub fn new(load: &Load, duration: Span, seed: u64, streams: usize) -> Sending {
        let name = &load.name;
        Sending {
            pacer: load.pacer(duration),
            pace: Stream::fixed(seed, &format!("pace of {name}")),
            sizes: load.sizes.clone(),
            draws: Stream::fixed(seed, &format!("sizes of {name}")),
            next: vec![0; streams],
            out: 0,
            nap: Span::ZERO,
            woken: Time::ZERO,
            wake: Alarm::new(By::Run),
            ended: false,
        }
    }

    /// The same, but it does not wake more often than this: what is due meanwhile it sends at once.
    #[must_use]
    pub fn napping(self, nap: Span) -> Sending {
        Sending { nap, ..self }
    }

    /// What to do now. When there is something to do later it is woken on the main lane by `wake`,
    /// and says [`woken`](Self::woken).
    pub fn due<M>(&mut self, wake: M, ctx: &mut Context<'_, M>) -> Due {
        if self.ended {
            return Due::Nothing;
        }
        match self.pacer.turn(ctx.now(), &mut self.pace) {
            Turn::Send { intended } => {
                self.out += 1;
                Due::Send { intended }
            }
            Turn::Skip { intended } => Due::Skip { intended },
            Turn::Wait { until } => {
                self.wake.wake(until.max(self.woken + self.nap), Lane::MAIN, wake, ctx);
                Due::Nothing
            }
            Turn::InFlight | Turn::Done => Due::Nothing,
        }
    }

    /// Whether something is due. If only later, it is woken then.
    pub fn is_due<M>(&mut self, wake: M, ctx: &mut Context<'_, M>) -> bool {
        let mut ahead = self.pacer.clone();
        match ahead.turn(ctx.now(), &mut self.pace.clone()) {
            _ if self.ended => false,
            Turn::Send { .. } | Turn::Skip { .. } => true,
            Turn::Wait { until } => {
                self.wake.wake(until.max(self.woken + self.nap), Lane::MAIN, wake, ctx);
                false
            }
            Turn::InFlight | Turn::Done => false,
        }
    }

    /// Has itself woken at once: what is due is more than it may do in one go.
    pub fn go_on<M>(&mut self, wake: M, ctx: &mut Context<'_, M>) {
        self.wake.wake(ctx.now(), Lane::MAIN, wake, ctx);
    }

    /// Messages were settled that nobody will be told of: a closed loop has itself woken at once, to
    /// send others.
    pub fn look_again<M>(&mut self, wake: M, ctx: &mut Context<'_, M>) {
        if self.pacer.is_closed() {
            self.go_on(wake, ctx);
        }
    }

    /// The wake that was asked for has come.
    pub fn woken<M>(&mut self, ctx: &Context<'_, M>) {
        self.wake.rang(ctx);
        self.woken = ctx.now();
    }

    /// The payload of the next message, in bytes.
    pub fn size(&mut self) -> u32 {
        self.sizes.next(&mut self.draws)
    }

    /// The mean payload, in bytes.
    #[must_use]
    pub fn mean_size(&self) -> u64 {
        self.sizes.mean()
    }

    /// The number that the next message of a stream gets.
    #[must_use]
    pub fn next_number(&self, stream: usize) -> u32 {
        self.next[stream]
    }

    /// A message is to be sent: it gets the next number of its stream, and is told of.
    pub fn attempt(
        &mut self,
        at: Time,
        intended: Time,
        (stream, producer): (usize, ProducerId),
        bytes: u32,
        observer: &mut dyn Observer,
    ) -> MessageRange {
        let first = self.next[stream];
        self.next[stream] += 1;
        let message = MessageRange { producer, first, count: 1, bytes };
        observer.attempted(at, intended, message);
        message
    }

    /// The last word has been said of so many messages: a closed loop may send others in their
    /// place.
    pub fn settled<M>(&mut self, count: u32, ctx: &Context<'_, M>) {
        let ready = ctx.now() + ctx.lasts(self.pacer.think());
        for _ in 0..count {
            self.pacer.free(ready);
        }
        self.out = self.out.saturating_sub(u64::from(count));
    }

    /// The measured time is over: nothing is sent any more. What was meant to be sent by now and
    /// was not is taken with [`overdue`](Self::overdue).
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether the measured time is over.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    /// The next message that was meant to be sent by `now` and never is. Ask until there is none.
    pub fn overdue(&mut self, now: Time) -> Option<Time> {
        self.pacer.overdue(now, &mut self.pace)
    }

    /// The process has died, and nobody will hear of what it had under way: when it is started
    /// again the application sends others in place of all that was not settled.
    pub fn died(&mut self, at: Time) {
        for _ in 0..std::mem::take(&mut self.out) {
            self.pacer.settled(at);
        }
        self.wake.forget();
    }
}
