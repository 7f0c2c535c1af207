//! When what is acknowledged (`afterMessageIsConsumed`, `sendAck`, `acknowledge`), and what becomes of it
//! when the connection is lost (`clearMessagesInProgress`, `clearDeliveredList`).

use std::collections::VecDeque;

use crate::world::{ConnId, Context, Lane};

use super::super::super::invariants::Touch;
use super::super::super::message::{Ack, AckKind, COMMAND, Jms, Message, MessageId, Timer};
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::{Acknowledge, Consumer, Delivery};
use crate::observe::Event;

/// OptimizeAcknowledge acknowledges at this share of the prefetch, in percent.
const OPTIMIZED: u32 = 65;

/// What a session has delivered and not acknowledged (`deliveredMessages`).
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    delivered: Vec<Delivery>,
    /// Of a transaction: what came on a connection that is lost, and has not come again
    /// (`previouslyDeliveredMessages`).
    expected: Vec<MessageId>,
    /// What the application works on, and the connection by which it can be acknowledged.
    pub(super) in_hand: Option<(MessageId, u32)>,
    /// The commit that is not answered.
    commit: Option<u32>,
    next_commit: u32,
    /// Acknowledgements that found no connection, where they are kept.
    late: VecDeque<Ack>,
}

impl Ledger {
    pub(super) fn forget(&mut self) {
        let next_commit = self.next_commit;
        *self = Ledger { next_commit, ..Ledger::default() };
    }
}

impl Consumer {
    pub(super) const fn is_committing(&self) -> bool {
        self.ledger.commit.is_some()
    }

    const fn is_transacted(&self) -> bool {
        matches!(self.own.acknowledge, Acknowledge::Transacted(_))
    }

    /// An acknowledgement goes out, or is thrown away where there is no connection
    /// (`FailoverTransport.oneway`).
    pub(super) fn send_ack(&mut self, ack: Ack, session: u32, ctx: &mut Context<'_, Message>) {
        let keeps = !self.config.has(Rule::DropAcksOffline);
        match self.transport.open() {
            Some(conn) if session == self.session || keeps => {
                ctx.send(conn, Message::Ack(ack), COMMAND);
            }
            _ if keeps => self.ledger.late.push_back(ack),
            _ => {}
        }
    }

    pub(super) fn send_late_acks(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        for ack in std::mem::take(&mut self.ledger.late) {
            ctx.send(conn, Message::Ack(ack), COMMAND);
        }
    }

    pub(super) fn acknowledge_one(&mut self, delivery: &Delivery, ctx: &mut Context<'_, Message>) {
        let kind = match self.own.acknowledge {
            Acknowledge::Individual => AckKind::Individual,
            _ => AckKind::Standard,
        };
        let ack = Ack { kind, last: delivery.id(), count: 1 };
        self.send_ack(ack, delivery.session, ctx);
    }

    /// The application is through with a message.
    pub(super) fn processed(&mut self, delivery: Delivery, ctx: &mut Context<'_, Message>) {
        match self.own.acknowledge {
            Acknowledge::Auto if self.own.receive => {}
            Acknowledge::Auto | Acknowledge::Individual => self.acknowledge_one(&delivery, ctx),
            Acknowledge::Optimized(timeout) => {
                if delivery.session == self.session {
                    self.ledger.delivered.push(delivery);
                }
                let due = self.ledger.delivered.len() as u32 * 100 >= self.own.prefetch * OPTIMIZED;
                if due {
                    self.acknowledge_all(ctx);
                } else {
                    let at = ctx.monotonic() + timeout;
                    self.ack_alarm.wake(at, Lane::MAIN, Timer::AckTimeout.into(), ctx);
                }
            }
            Acknowledge::Client(every) => {
                // Of a connection that is lost it cannot be acknowledged any more.
                if delivery.session == self.session {
                    self.ledger.delivered.push(delivery);
                }
                if self.ledger.delivered.len() >= every as usize {
                    self.acknowledge_all(ctx);
                }
            }
            Acknowledge::Transacted(every) => {
                let in_hand = self.ledger.in_hand.filter(|(id, _)| *id == delivery.id());
                let session = in_hand.map_or(delivery.session, |(_, session)| session);
                self.ledger.delivered.push(Delivery { session, ..delivery });
                if self.ledger.delivered.len() >= every as usize {
                    self.commit(ctx);
                }
            }
        }
        if self.application.is_stopped() {
            self.unsubscribe(ctx);
        }
    }

    pub(super) fn ack_timeout(&mut self, ctx: &mut Context<'_, Message>) {
        self.ack_alarm.rang(ctx);
        self.acknowledge_all(ctx);
    }

    /// Acknowledges all that is delivered.
    pub(super) fn acknowledge_all(&mut self, ctx: &mut Context<'_, Message>) {
        if self.is_transacted() {
            if self.ledger.commit.is_none() && !self.ledger.delivered.is_empty() {
                self.commit(ctx);
            }
            return;
        }
        let delivered = std::mem::take(&mut self.ledger.delivered);
        if let Some(last) = delivered.last() {
            let count = delivered.len() as u32;
            let ack = Ack { kind: AckKind::Standard, last: last.id(), count };
            self.send_ack(ack, last.session, ctx);
        }
    }

    /// `commit()`: rolls back if something that was delivered before a reconnect has not come again.
    fn commit(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(conn) = self.transport.open().filter(|_| self.ledger.expected.is_empty()) else {
            let (now, node, count) = (ctx.now(), ctx.node(), self.ledger.delivered.len() as u64);
            let of = Some(self.own.queue);
            ctx.observer().event(now, Event::new(event::COMMIT_IN_DOUBT, node, of, None, count));
            return self.roll_back(ctx);
        };
        let Some(last) = self.ledger.delivered.last() else { return };
        let count = self.ledger.delivered.len() as u32;
        let ack = Ack { kind: AckKind::Standard, last: last.id(), count };
        let id = self.ledger.next_commit;
        self.ledger.next_commit += 1;
        self.ledger.commit = Some(id);
        ctx.send(conn, Message::Commit(id, Some(ack)), COMMAND);
    }

    pub(super) fn commit_answered(
        &mut self,
        id: u32,
        success: bool,
        ctx: &mut Context<'_, Message>,
    ) {
        if self.ledger.commit != Some(id) {
            return;
        }
        self.ledger.commit = None;
        if success {
            self.ledger.delivered.clear();
        } else {
            self.roll_back(ctx);
        }
        self.work(ctx);
    }

    /// The transaction's messages are delivered again: those that can be acknowledged from here, the
    /// others when they come again.
    pub(super) fn roll_back(&mut self, ctx: &mut Context<'_, Message>) {
        self.ledger.commit = None;
        self.ledger.expected.clear();
        for delivery in std::mem::take(&mut self.ledger.delivered).into_iter().rev() {
            self.touched.note(Touch::GivenBack(self.own.queue, delivery.id()));
            let here = delivery.session == self.session && self.transport.open().is_some();
            if here {
                let redeliveries = delivery.redeliveries + 1;
                self.buffer.push_front(Delivery { redeliveries, ..delivery });
            } else {
                self.audit.roll_back(delivery.id());
            }
        }
        self.report_wants(ctx);
    }

    /// The connection is lost. What was only ahead is forgotten, and expected again; so is in a CLIENT
    /// session what was delivered and not acknowledged. What an AUTO session has delivered the
    /// connection remembers: it will be a duplicate.
    pub(super) fn lost(&mut self, ctx: &mut Context<'_, Message>) {
        let keeps = self.is_transacted() && self.config.has(Rule::AuditKeepsPrefetched);
        for delivery in std::mem::take(&mut self.buffer) {
            if !keeps {
                self.audit.roll_back(delivery.id());
            }
        }
        self.seen = None;
        self.waiting = None;
        match self.own.acknowledge {
            Acknowledge::Transacted(_) => {
                if self.ledger.commit.is_some() {
                    // Nobody knows what became of it.
                    let (now, node) = (ctx.now(), ctx.node());
                    let (of, count) = (Some(self.own.queue), self.ledger.delivered.len() as u64);
                    ctx.observer()
                        .event(now, Event::new(event::COMMIT_IN_DOUBT, node, of, None, count));
                    let all = std::mem::take(&mut self.ledger.delivered);
                    for delivery in all {
                        self.touched.note(Touch::GivenBack(self.own.queue, delivery.id()));
                        self.audit.roll_back(delivery.id());
                    }
                    self.ledger.commit = None;
                }
                let delivered = self.ledger.delivered.iter().map(Delivery::id);
                let in_hand = self.ledger.in_hand.map(|(id, _)| id);
                self.ledger.expected = delivered.chain(in_hand).collect();
            }
            Acknowledge::Client(_) => {
                if let Some((id, _)) = self.ledger.in_hand {
                    self.touched.note(Touch::GivenBack(self.own.queue, id));
                    self.audit.roll_back(id);
                }
                for delivery in std::mem::take(&mut self.ledger.delivered) {
                    self.touched.note(Touch::GivenBack(self.own.queue, delivery.id()));
                    self.audit.roll_back(delivery.id());
                }
            }
            _ => self.ledger.delivered.clear(),
        }
        self.report_wants(ctx);
    }

    /// A message has come that the connection has had.
    pub(super) fn duplicate(&mut self, message: Jms, ctx: &mut Context<'_, Message>) {
        let id = message.id();
        if let Some(at) = self.ledger.expected.iter().position(|other| *other == id) {
            // `redeliveryExpectedInCurrentTransaction`: it can be acknowledged now.
            self.ledger.expected.remove(at);
            let session = self.session;
            let own = self.ledger.delivered.iter_mut().find(|delivery| delivery.id() == id);
            if let Some(delivery) = own {
                delivery.session = session;
            } else if let Some((_, of)) = self.ledger.in_hand.as_mut().filter(|(own, _)| *own == id)
            {
                *of = session;
            }
            return;
        }
        let (now, node) = (ctx.now(), ctx.node());
        let of = Some(self.own.queue);
        ctx.observer().event(now, Event::new(event::DUPLICATE_SUPPRESSED, node, of, None, 1));
        let ack = Ack { kind: AckKind::Poison, last: id, count: 1 };
        self.send_ack(ack, self.session, ctx);
    }
}
