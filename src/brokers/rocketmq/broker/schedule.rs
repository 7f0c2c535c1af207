//! What consumers send back, and messages that wait for their delay
//! (`AbstractSendMessageProcessor.consumerSendMsgBack`, `schedule/ScheduleMessageService.java`).
//!
//! A message that is sent back is stored in the queue of its delay level; when its delay is over it is
//! stored once more, in the retry topic of its group. Neither is waited for by a flush or a slave. Up to
//! where each level was delivered is written to a file every ten seconds: after a death what was
//! delivered since is delivered again.

use crate::engine::{Span, Time};
use crate::world::{Alarm, By, ConnId, Context, Lane};

use super::super::config::{Config, DELAYS, QueueId};
use super::super::message::{Back, Code, HEADER, Message, Offsets, Send, SendBack, Timer};
use super::super::rules::Rule;
use super::super::store::{OffsetFile, Record};
use super::{Broker, DELAYS as DELAY_FILE};

/// `FIRST_DELAY_TIME` and `DELAY_FOR_A_WHILE`: how often levels are looked at.
const LOOK: Span = Span::from_millis(100);
/// `flushDelayOffsetInterval`.
const PERSIST: Span = Span::from_secs(10);
/// Bytes of an entry in the file.
const ENTRY: u64 = 12;

/// The levels of a broker.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// The queue of each level; none if nothing is ever sent back.
    queues: Vec<QueueId>,
    /// Up to where each was delivered.
    next: Vec<u64>,
    alarm: Alarm,
    changed: bool,
    /// `config/delayOffset.json`.
    pub(super) file: OffsetFile,
}

impl Schedule {
    pub(super) fn new(config: &Config, group: u32) -> Schedule {
        let levels = 1..=DELAYS.len() as u32;
        let queues: Vec<QueueId> =
            levels.filter_map(|level| config.delay_queue(group, level)).collect();
        Schedule {
            next: vec![0; queues.len()],
            queues,
            alarm: Alarm::new(By::Monotonic),
            changed: false,
            file: OffsetFile::default(),
        }
    }

    pub(super) fn forget(&mut self) {
        self.next.iter_mut().for_each(|next| *next = 0);
        self.alarm.forget();
        self.changed = false;
    }
}

impl Broker {
    /// `asyncConsumerSendMsgBack`: looks the message up, and stores it at its delay level or with the dead
    /// letters.
    pub(super) fn sent_back(
        &mut self,
        conn: ConnId,
        sent: &SendBack,
        ctx: &mut Context<'_, Message>,
    ) {
        let SendBack { id, from, offset, to, message, back } = *sent;
        let found = self.store.message(from, offset).map(|record| record.message());
        if found != Some(message) {
            // "look message by offset failed".
            return ctx.send(conn, Message::Sent(id, Code::SystemError), HEADER);
        }
        let waits = !self.config.has(Rule::ReturnsWaitForNobody);
        let back = Some(Back { waits, ..back });
        self.arrived(conn, Send { id: Some(id), queue: to, message, back }, ctx);
    }

    /// `loadDelayOffset`, and `correctDelayOffset`.
    pub(super) fn load_delays(&mut self) {
        if let Some(offsets) = self.schedule.file.content() {
            self.schedule.next.clone_from(&offsets[0]);
        }
        for (next, queue) in self.schedule.next.iter_mut().zip(&self.schedule.queues) {
            let queue = &self.store.queues[queue.index()];
            *next = (*next).clamp(queue.min(), queue.max());
        }
    }

    pub(super) fn start_schedule(&mut self, ctx: &mut Context<'_, Message>) {
        if self.schedule.queues.is_empty() || !self.is_master() {
            return;
        }
        let first = self.first(PERSIST, ctx);
        ctx.after(first, Lane::MAIN, Timer::PersistDelays.into());
        self.plan_delivery(ctx);
    }

    /// The next message of a level that was not delivered.
    fn next_delayed(&self, level: usize) -> Option<Record> {
        let (queue, next) = (self.schedule.queues[level], self.schedule.next[level]);
        self.store.message(queue, next)
    }

    /// Whether anything waits for its delay.
    pub(super) fn has_delayed(&self) -> bool {
        (0..self.schedule.queues.len()).any(|level| self.next_delayed(level).is_some())
    }

    /// When a message is due, by the wall clock.
    fn due(level: usize, record: &Record) -> Time {
        record.stored + Span::from_secs(DELAYS[level])
    }

    /// A level is looked at every 100 ms; what matters is the first look at which something is due.
    fn plan_delivery(&mut self, ctx: &mut Context<'_, Message>) {
        let levels = 0..self.schedule.queues.len();
        let due = levels.filter_map(|level| Some(Self::due(level, &self.next_delayed(level)?)));
        let Some(first) = due.min() else { return };
        let waits = first.since(ctx.clock()).max(Span::from_nanos(1)).as_nanos();
        let looks = waits.div_ceil(LOOK.as_nanos()) * LOOK.as_nanos();
        let at = ctx.monotonic() + Span::from_nanos(looks);
        self.schedule.alarm.wake(at, Lane::MAIN, Timer::Deliver.into(), ctx);
    }

    /// A record was dispatched; it may wait for its delay.
    pub(super) fn delayed(&mut self, record: &Record, ctx: &mut Context<'_, Message>) {
        if self.is_master() && self.config.delay_level(record.queue).is_some() {
            self.plan_delivery(ctx);
        }
    }

    /// `executeOnTimeUp`: what is due is stored in the retry topic of its group.
    pub(super) fn deliver(&mut self, ctx: &mut Context<'_, Message>) {
        self.schedule.alarm.rang(ctx);
        if !self.is_serving() || !self.is_master() {
            return;
        }
        let now = ctx.clock();
        for level in 0..self.schedule.queues.len() {
            while let Some(record) = self.next_delayed(level).filter(|r| Self::due(level, r) <= now)
            {
                self.schedule.next[level] += 1;
                self.schedule.changed = true;
                self.deliver_one(&record, ctx);
            }
        }
        self.plan_delivery(ctx);
    }

    fn deliver_one(&mut self, record: &Record, ctx: &mut Context<'_, Message>) {
        let Some(group) = record.group() else { return };
        let Some(returns) = self.config.returns[group as usize] else { return };
        let queue = self.config.streams.partition(returns.retry, self.place.group);
        let waits = !self.config.has(Rule::ReturnsWaitForNobody);
        let back = Some(Back { group: group as u16, times: record.times, waits });
        let send = Send { id: None, queue, message: record.message(), back };
        let now = ctx.now().as_nanos();
        self.puts.queue();
        ctx.tell(self.lanes.put, Timer::Put(ConnId(u32::MAX), send, now).into());
    }

    pub(super) fn persist_delays_turn(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(PERSIST, Lane::MAIN, Timer::PersistDelays.into());
        self.persist_delays(ctx);
    }

    /// `ConfigManager.persist`.
    pub(super) fn persist_delays(&mut self, ctx: &mut Context<'_, Message>) {
        let bytes = ENTRY * self.schedule.queues.len() as u64;
        if !std::mem::take(&mut self.schedule.changed) || ctx.write(DELAY_FILE, bytes).is_err() {
            return;
        }
        let offsets: Offsets = vec![self.schedule.next.clone()];
        self.schedule.file.write(offsets, bytes);
        if self.config.has(Rule::FsyncMetadata) {
            ctx.fsync(DELAY_FILE, Timer::OffsetsDurable.into());
        }
    }
}
