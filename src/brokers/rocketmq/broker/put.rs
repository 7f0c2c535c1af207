//! Sends (`SendMessageProcessor`, `CommitLog.asyncPutMessage`): a message is appended under one lock,
//! then waits for a flush and for slaves if it is to; both at the same time.

use std::collections::VecDeque;

use crate::engine::{Span, Time};
use crate::observe::{NodeId, Observer, Removal};
use crate::world::{Alarm, By, ConnId, Context, DiskError, Lane};

use super::super::config::Config;
use super::super::invariants::Touch;
use super::super::message::{Code, HEADER, Message, Send, Timer};
use super::super::rules::Rule;
use super::super::store::{Entry, Record};
use super::super::words::{because, cause};
use super::{Broker, COMMIT_LOG, Phase};

/// A delayed message that could not be stored is tried again so much later.
const PERIOD: Span = Span::from_secs(10);

/// What a send waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// Nothing any more: what came of it.
    Done(Code),
    /// Until this time, by the monotonic clock.
    Until(Time),
}

/// A message that is stored and not answered yet.
#[derive(Clone, Copy, Debug)]
struct Put {
    conn: ConnId,
    id: Option<u32>,
    record: Record,
    flush: Waiting,
    replicas: Waiting,
}

impl Put {
    /// What it is answered with: what came of the slaves if that is no success
    /// (`handleDiskFlushAndHA`).
    fn answer(&self) -> Option<Code> {
        match (self.flush, self.replicas) {
            (Waiting::Done(flush), Waiting::Done(Code::Ok)) => Some(flush),
            (Waiting::Done(_), Waiting::Done(replicas)) => Some(replicas),
            _ => None,
        }
    }
}

/// The sends that wait.
#[derive(Clone, Debug)]
pub(super) struct Puts {
    /// How many wait for their turn (`sendThreadPoolQueue`).
    queued: u32,
    /// Those that are stored, by where their records end.
    stored: VecDeque<Put>,
    alarm: Alarm,
}

impl Puts {
    pub(super) const fn new() -> Puts {
        Puts { queued: 0, stored: VecDeque::new(), alarm: Alarm::new(By::Monotonic) }
    }

    /// One more waits for its turn.
    pub(super) const fn queue(&mut self) {
        self.queued += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stored.is_empty() && self.queued == 0
    }

    /// Whether a send waits for a flush.
    pub(super) fn wait_for_a_flush(&self) -> bool {
        self.stored.iter().any(|put| matches!(put.flush, Waiting::Until(_)))
    }

    pub(super) fn forget(&mut self) {
        self.queued = 0;
        self.stored.clear();
        self.alarm.forget();
    }
}

/// Tells that a broker has a copy of a message; of one that has come to the dead letters, that too.
pub(super) fn tell_stored(
    config: &Config,
    (now, node): (Time, NodeId),
    record: &Record,
    observer: &mut dyn Observer,
) {
    let (message, dead) =
        (record.message(), record.group().is_some() && config.is_dead(record.queue));
    config.each_line(record, |line| match dead {
        true => observer.dead_lettered(now, node, line, line, message),
        false => observer.stored(now, node, line, message),
    });
}

impl Broker {
    /// It waits for its turn to be put.
    pub(super) fn arrived(&mut self, conn: ConnId, send: Send, ctx: &mut Context<'_, Message>) {
        if self.puts.queued >= self.config.settings.queue_capacity {
            return self.refuse(conn, send, Code::SystemBusy, ctx);
        }
        self.puts.queued += 1;
        let now = ctx.now().as_nanos();
        ctx.tell(self.lanes.put, Timer::Put(conn, send, now).into());
    }

    /// It is not stored.
    pub(super) fn refuse(
        &self,
        conn: ConnId,
        send: Send,
        code: Code,
        ctx: &mut Context<'_, Message>,
    ) {
        let (now, node) = (ctx.now(), self.node);
        let why = Removal::new(cause::REFUSED, because::NO_RETRY);
        if send.back.is_none() {
            ctx.observer().dropped(now, node, None, send.message, why);
        } else if send.id.is_none() {
            // What the broker delivers of itself it tries again (`DELAY_FOR_A_PERIOD`).
            let again = Timer::Put(conn, send, (ctx.now() + PERIOD).as_nanos());
            ctx.after(PERIOD, self.lanes.put, again.into());
            return;
        }
        if let Some(id) = send.id {
            ctx.send(conn, Message::Sent(id, code), HEADER);
        }
    }

    pub(super) fn put(
        &mut self,
        conn: ConnId,
        send: Send,
        arrived: Time,
        ctx: &mut Context<'_, Message>,
    ) {
        self.puts.queued = self.puts.queued.saturating_sub(1);
        let settings = &self.config.settings;
        let waited = ctx.now().since(arrived);
        if self.config.has(Rule::FastFailure) && waited >= settings.send_wait && send.id.is_some() {
            return self.refuse(conn, send, Code::SystemBusy, ctx);
        }
        ctx.spend(self.config.costs.append);
        if !self.is_master() || self.phase != Phase::Serving || self.disk_full {
            return self.refuse(conn, send, Code::ServiceNotAvailable, ctx);
        }
        if send.message.bytes > settings.max_message_size {
            return self.refuse(conn, send, Code::MessageIllegal, ctx);
        }
        let too_few = self.in_sync_members() < settings.min_in_sync;
        if self.is_controlled() && too_few && send.back.is_none_or(|back| back.waits) {
            // IN_SYNC_REPLICAS_NOT_ENOUGH.
            return self.refuse(conn, send, Code::SystemError, ctx);
        }
        if self.ledger.is_some() {
            return self.put_in_ledger(conn, send, ctx);
        }
        let bytes = self.config.record_bytes(send.queue, send.message.bytes);
        let pool = self.has_pool();
        if !pool {
            let padding = self.store.log.padding_before(bytes);
            match ctx.write(COMMIT_LOG, u64::from(bytes) + padding) {
                Ok(()) => {}
                Err(DiskError::Full) => {
                    return self.refuse(conn, send, Code::ServiceNotAvailable, ctx);
                }
                Err(DiskError::Io) => return self.refuse(conn, send, Code::SystemError, ctx),
            }
        }
        let Send { queue, message, back, .. } = send;
        let record = self.store.append(&Entry { queue, message, back, stored: ctx.clock() }, bytes);
        let (now, node) = (ctx.now(), self.node);
        tell_stored(&self.config, (now, node), &record, ctx.observer());
        if !pool {
            self.store.committed = self.store.log.end();
            self.plan_dispatch(ctx);
        }
        // `isWaitStoreMsgOK`: what a broker stores of itself waits for nobody.
        let waits = send.back.is_none_or(|back| back.waits);
        let put = Put {
            conn,
            id: send.id,
            record,
            flush: if waits { self.wait_for_flush(ctx) } else { Waiting::Done(Code::Ok) },
            replicas: match waits {
                true => self.wait_for_replicas(record.end(), ctx),
                false => Waiting::Done(Code::Ok),
            },
        };
        let until = |waiting| matches!(waiting, Waiting::Until(_));
        self.plan_flush(until(put.flush), ctx);
        self.plan_push(until(put.replicas), ctx);
        match put.answer() {
            Some(code) => self.reply(&put, code, ctx),
            None => {
                self.puts.stored.push_back(put);
                self.arm_puts(ctx);
                // A slave may have said long ago that it is further.
                self.look_at_puts(ctx);
            }
        }
    }

    fn wait_for_flush(&self, ctx: &Context<'_, Message>) -> Waiting {
        let settings = &self.config.settings;
        match settings.sync_flush && self.config.has(Rule::GroupCommit) {
            true => Waiting::Until(ctx.monotonic() + settings.sync_flush_timeout),
            false => Waiting::Done(Code::Ok),
        }
    }

    /// `handleHA`, and before 5.0 `submitReplicaRequest` with `isSlaveOK`.
    fn wait_for_replicas(&self, end: u64, ctx: &Context<'_, Message>) -> Waiting {
        let settings = &self.config.settings;
        let waits = Waiting::Until(ctx.monotonic() + settings.slave_timeout);
        if self.is_controlled() && settings.all_ack {
            return if self.in_sync_members() > 1 { waits } else { Waiting::Done(Code::Ok) };
        }
        // A master by the controllers' word is SYNC_MASTER always.
        if !settings.sync_master && !self.is_controlled() {
            return Waiting::Done(Code::Ok);
        }
        if self.config.has(Rule::CountInSyncReplicas) {
            let alone = settings.in_sync_replicas <= 1;
            return if alone { Waiting::Done(Code::Ok) } else { waits };
        }
        match self.links.best_position() {
            Some(position) if end.saturating_sub(position) < settings.ha_fall_behind => waits,
            _ => Waiting::Done(Code::SlaveNotAvailable),
        }
    }

    fn arm_puts(&mut self, ctx: &mut Context<'_, Message>) {
        let due = self.puts.stored.iter().flat_map(|put| [put.flush, put.replicas]);
        let due = due.filter_map(|waiting| match waiting {
            Waiting::Until(due) => Some(due),
            Waiting::Done(_) => None,
        });
        // Times follow the order in which they were put, so the first ones are the earliest.
        if let Some(first) = due.take(2).min() {
            self.puts.alarm.wake(first, Lane::MAIN, Timer::PutTimeout.into(), ctx);
        }
    }

    /// More is flushed, or on slaves: answers what waited for that.
    pub(super) fn look_at_puts(&mut self, ctx: &mut Context<'_, Message>) {
        let (flushed, needed) = (self.store.flushed, self.config.settings.in_sync_replicas);
        let counts = self.config.has(Rule::CountInSyncReplicas);
        let all = self.is_controlled() && self.config.settings.all_ack;
        let mut stored = std::mem::take(&mut self.puts.stored);
        let links = &self.links;
        for put in &mut stored {
            if matches!(put.flush, Waiting::Until(_)) && put.record.end() <= flushed {
                put.flush = Waiting::Done(Code::Ok);
            }
            let enough = match counts {
                _ if all => self.all_have(put.record.end()),
                true => links.copies(put.record.end()) >= needed,
                false => links.was_reported(put.record.end()),
            };
            if matches!(put.replicas, Waiting::Until(_)) && enough {
                put.replicas = Waiting::Done(Code::Ok);
            }
        }
        self.puts.stored = stored;
        self.answer_puts(ctx);
    }

    pub(super) fn put_timeout(&mut self, ctx: &mut Context<'_, Message>) {
        self.puts.alarm.rang(ctx);
        let now = ctx.monotonic();
        let late = |waiting: &mut Waiting, code: Code| {
            if matches!(waiting, Waiting::Until(due) if *due <= now) {
                *waiting = Waiting::Done(code);
            }
        };
        for put in &mut self.puts.stored {
            late(&mut put.flush, Code::FlushDiskTimeout);
            late(&mut put.replicas, Code::FlushSlaveTimeout);
        }
        self.answer_puts(ctx);
        self.arm_puts(ctx);
    }

    fn answer_puts(&mut self, ctx: &mut Context<'_, Message>) {
        let mut stored = std::mem::take(&mut self.puts.stored);
        stored.retain(|put| match put.answer() {
            Some(code) => {
                self.reply(put, code, ctx);
                false
            }
            None => true,
        });
        self.puts.stored = stored;
    }

    fn reply(&mut self, put: &Put, code: Code, ctx: &mut Context<'_, Message>) {
        if code == Code::Ok && put.record.group().is_none() {
            self.touched.note(Touch::Acked(put.record));
        }
        if let Some(id) = put.id {
            ctx.send(put.conn, Message::Sent(id, code), HEADER);
        }
    }
}
