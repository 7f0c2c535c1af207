//! Pulls (`PullMessageProcessor`, `DefaultMessageStore.getMessage`), and those that are held until
//! something comes (`PullRequestHoldService`).

use crate::engine::{Span, Time};
use crate::observe::MessageRange;
use crate::world::{ConnId, Context, Lane};

use super::super::config::QueueId;
use super::super::invariants::Touch;
use super::super::message::{HEADER, Message, Pull, PullStatus, Pulled, Timer};
use super::super::rules::Rule;
use super::Broker;

/// How long a pull that finds nothing may be held (`BROKER_SUSPEND_MAX_TIME_MILLIS` of consumers).
const HOLD: Span = Span::from_secs(15);
/// How often those are looked at.
const LOOK: Span = Span::from_secs(5);
/// Bytes of messages that an answer has at most, beside the first one (`maxTransferBytesOnMessageInMemory`).
const MOST_BYTES: u64 = 256 << 10;

#[derive(Clone, Copy, Debug)]
struct Waiting {
    conn: ConnId,
    pull: Pull,
    since: Time,
}

/// The pulls that are held, by queue.
#[derive(Clone, Debug)]
pub(super) struct Held {
    queues: Vec<Vec<Waiting>>,
}

impl Held {
    pub(super) fn new(queues: usize) -> Held {
        Held { queues: vec![Vec::new(); queues] }
    }

    pub(super) fn forget(&mut self) {
        self.queues.iter_mut().for_each(Vec::clear);
    }

    pub(super) fn drop_of(&mut self, conn: ConnId) {
        for queue in &mut self.queues {
            queue.retain(|waiting| waiting.conn != conn);
        }
    }
}

/// What the store says (`GetMessageStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Messages,
    /// There may be something later.
    Nothing,
    /// The offset is none of the queue's: where to go on.
    Outside(u64),
}

impl Broker {
    pub(super) fn start_holding(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(LOOK, Lane::MAIN, Timer::HeldPulls.into());
    }

    pub(super) fn pull(
        &mut self,
        conn: ConnId,
        pull: Pull,
        may_hold: bool,
        ctx: &mut Context<'_, Message>,
    ) {
        ctx.spend(self.config.costs.pull);
        let Pull { id, offset, .. } = pull;
        let answer =
            |status, next| Pulled { id, status, next, messages: Vec::new(), times: Vec::new() };
        let slave = !self.is_master();
        let slave_read = self.config.settings.slave_read;
        if slave && !slave_read && self.config.has(Rule::SlaveRefusesPulls) {
            return self.answer_pull(conn, answer(PullStatus::Refused, offset), ctx);
        }
        let known = pull.subscribed || self.clients.knows(pull.group);
        if !known && self.config.has(Rule::NeedSubscription) {
            return self.answer_pull(conn, answer(PullStatus::NoSubscription, offset), ctx);
        }
        let (found, messages) = self.find(&pull);
        // A slave that does not check offsets says nothing of those that it does not have.
        let answer = match found {
            Found::Messages => {
                let next = offset + messages.len() as u64;
                let times = self.times_of(&pull, messages.len());
                Pulled { id, status: PullStatus::Found, next, messages, times }
            }
            Found::Nothing if may_hold && self.config.has(Rule::HoldPulls) => {
                let since = ctx.clock();
                let held = &mut self.held.queues[pull.queue.index()];
                held.push(Waiting { conn, pull, since });
                return self.commit_by_pull(&pull, may_hold);
            }
            Found::Nothing => answer(PullStatus::NotFound, offset),
            Found::Outside(_) if slave && !self.config.settings.slave_offset_check => {
                answer(PullStatus::RetryImmediately, offset)
            }
            Found::Outside(next) => answer(PullStatus::OffsetMoved, next),
        };
        self.commit_by_pull(&pull, may_hold);
        ctx.spend(self.config.costs.pull_message * answer.messages.len() as u64);
        self.answer_pull(conn, answer, ctx);
    }

    /// Only masters take offsets by the way, and not from one that was held.
    fn commit_by_pull(&mut self, pull: &Pull, may_hold: bool) {
        if let (Some(offset), true, true) = (pull.commit, may_hold, self.is_master()) {
            self.commit(pull.group, pull.queue, offset);
        }
    }

    fn answer_pull(&self, conn: ConnId, answer: Pulled, ctx: &mut Context<'_, Message>) {
        let bytes = answer.messages.iter().map(|message| u64::from(message.bytes) + 160);
        let bytes = u64::from(HEADER) + bytes.sum::<u64>();
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        ctx.send(conn, Message::Pulled(Box::new(answer)), bytes);
    }

    /// How often the application has failed on what is found in a retry topic; nothing elsewhere.
    fn times_of(&self, pull: &Pull, found: usize) -> Vec<u8> {
        if !self.config.streams.is_internal(pull.queue) {
            return Vec::new();
        }
        let offsets = pull.offset..pull.offset + found as u64;
        let times = |offset| self.store.message(pull.queue, offset).map_or(0, |found| found.times);
        offsets.map(times).collect()
    }

    /// `getMessage`.
    fn find(&mut self, pull: &Pull) -> (Found, Vec<MessageRange>) {
        let queue = &self.store.queues[pull.queue.index()];
        let (min, max) = (queue.min(), queue.max());
        // `nextOffsetCorrection` of NO_MESSAGE_IN_QUEUE: only a queue that is empty from the start
        // on has 0 as its end; then there is nothing at whatever offset.
        let outside = if max == 0 {
            (pull.offset > 0).then_some(0)
        } else if pull.offset < min {
            Some(min)
        } else if pull.offset > max {
            let zero = min == 0 && self.config.has(Rule::ResetOverflowToZero);
            Some(if zero { 0 } else { max })
        } else {
            None
        };
        if let Some(next) = outside {
            return (Found::Outside(next), Vec::new());
        }
        let (mut messages, mut bytes, mut last) = (Vec::new(), 0, None);
        for offset in pull.offset..max.min(pull.offset + u64::from(pull.most)) {
            let Some(record) = self.store.message(pull.queue, offset) else { break };
            bytes += u64::from(record.bytes());
            if bytes > MOST_BYTES && !messages.is_empty() {
                break;
            }
            messages.push(record.message());
            last = Some(record);
        }
        if let Some(record) = last.filter(|_| self.is_master()) {
            self.touched.note(Touch::Served(record));
        }
        let found = if messages.is_empty() { Found::Nothing } else { Found::Messages };
        (found, messages)
    }

    /// Something has come to a queue.
    pub(super) fn wake_held(&mut self, queue: QueueId, ctx: &mut Context<'_, Message>) {
        if self.held.queues[queue.index()].is_empty() {
            return;
        }
        let max = self.store.queues[queue.index()].max();
        for waiting in std::mem::take(&mut self.held.queues[queue.index()]) {
            match max > waiting.pull.offset {
                true => self.pull(waiting.conn, waiting.pull, false, ctx),
                false => self.held.queues[queue.index()].push(waiting),
            }
        }
    }

    /// Those that have waited for too long, or for which something has come unnoticed.
    pub(super) fn look_at_held(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(LOOK, Lane::MAIN, Timer::HeldPulls.into());
        let now = ctx.clock();
        for index in 0..self.held.queues.len() {
            for waiting in std::mem::take(&mut self.held.queues[index]) {
                let more = self.store.queues[index].max() > waiting.pull.offset;
                match more || now >= waiting.since + HOLD {
                    true => self.pull(waiting.conn, waiting.pull, false, ctx),
                    false => self.held.queues[index].push(waiting),
                }
            }
        }
    }
}
