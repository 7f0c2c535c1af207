//! When what is acknowledged (`ClientConsumerImpl.acknowledge`), and what an application does that fails
//! (`ClientSessionImpl.rollback`).

use crate::world::{Context, Lane};

use super::super::super::message::{Ack, Message, Timer};
use super::super::super::words::event;
use super::{Acknowledge, Consumer, Delivery};
use crate::observe::Event;

/// What a session has delivered and not acknowledged.
#[derive(Clone, Debug, Default)]
pub(super) struct Unacknowledged {
    delivered: Vec<Delivery>,
    bytes: u64,
    /// The commit that is not answered.
    commit: Option<u32>,
    /// The rollback that is not answered.
    rollback: Option<u32>,
    next_call: u32,
}

impl Unacknowledged {
    pub(super) const fn is_calling(&self) -> bool {
        self.commit.is_some() || self.rollback.is_some()
    }

    pub(super) const fn is_rolling_back(&self) -> bool {
        self.rollback.is_some()
    }

    pub(super) fn forget(&mut self) {
        let next_call = self.next_call;
        *self = Unacknowledged { next_call, ..Unacknowledged::default() };
    }
}

impl Consumer {
    fn send_ack(
        &mut self,
        delivery: &Delivery,
        (individual, transacted): (bool, bool),
        ctx: &mut Context<'_, Message>,
    ) {
        if delivery.session == self.session {
            let ack = Ack { last: delivery.id, individual, transacted };
            self.say(Message::Acknowledge(ack), ctx);
        }
    }

    pub(super) fn acknowledge_one(&mut self, delivery: &Delivery, ctx: &mut Context<'_, Message>) {
        let individual = self.own.acknowledge == Acknowledge::Individual;
        self.send_ack(delivery, (individual, false), ctx);
    }

    /// The application is through with a message.
    pub(super) fn processed(&mut self, delivery: Delivery, ctx: &mut Context<'_, Message>) {
        match self.own.acknowledge {
            Acknowledge::Early => {}
            Acknowledge::Auto if self.own.receive => {}
            Acknowledge::Auto | Acknowledge::Individual => self.acknowledge_one(&delivery, ctx),
            _ if delivery.session != self.session => {}
            Acknowledge::DupsOk(bytes) => {
                self.keep(delivery);
                if self.unacknowledged.bytes >= bytes {
                    self.acknowledge_all(ctx);
                }
            }
            Acknowledge::Client(every) => {
                self.keep(delivery);
                if self.unacknowledged.delivered.len() >= every as usize {
                    self.acknowledge_all(ctx);
                }
            }
            Acknowledge::Transacted(every) => {
                self.keep(delivery);
                self.send_ack(&delivery, (false, true), ctx);
                if self.unacknowledged.delivered.len() >= every as usize {
                    self.acknowledge_all(ctx);
                }
            }
        }
        if self.application.is_stopped() {
            self.close_consumer(ctx);
        }
    }

    fn keep(&mut self, delivery: Delivery) {
        self.unacknowledged.bytes += u64::from(delivery.message.bytes());
        self.unacknowledged.delivered.push(delivery);
    }

    /// Acknowledges all that is delivered, or commits.
    pub(super) fn acknowledge_all(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(last) = self.unacknowledged.delivered.last().copied() else { return };
        if let Acknowledge::Transacted(_) = self.own.acknowledge {
            if self.unacknowledged.commit.is_none() {
                let call = self.begin_call(ctx);
                self.unacknowledged.commit = Some(call);
                self.say(Message::Commit(call), ctx);
            }
            return;
        }
        self.unacknowledged.delivered.clear();
        self.unacknowledged.bytes = 0;
        self.send_ack(&last, (false, false), ctx);
    }

    fn begin_call(&mut self, ctx: &mut Context<'_, Message>) -> u32 {
        let call = self.unacknowledged.next_call;
        self.unacknowledged.next_call += 1;
        ctx.after(self.connection.call_timeout(), Lane::MAIN, Timer::CallTimeout(call).into());
        call
    }

    pub(super) fn call_answered(
        &mut self,
        call: u32,
        success: bool,
        ctx: &mut Context<'_, Message>,
    ) {
        if self.unacknowledged.rollback == Some(call) {
            self.unacknowledged.rollback = None;
        } else if self.unacknowledged.commit == Some(call) {
            if success {
                self.unacknowledged.forget();
            } else {
                self.doubt_commit(ctx);
            }
        }
    }

    /// A call has taken too long: of a commit nobody knows what became, and the application rolls back.
    pub(super) fn call_failed(&mut self, call: u32, ctx: &mut Context<'_, Message>) {
        if self.unacknowledged.commit == Some(call) {
            self.doubt_commit(ctx);
            self.roll_back(false, ctx);
        } else if self.unacknowledged.rollback == Some(call) {
            self.unacknowledged.rollback = None;
        }
    }

    /// What the session has delivered and not acknowledged it never will.
    pub(super) fn doubt_commit(&mut self, ctx: &mut Context<'_, Message>) {
        if self.unacknowledged.commit.is_some() {
            let (now, node) = (ctx.now(), ctx.node());
            let count = self.unacknowledged.delivered.len() as u64;
            let of = Some(self.own.queue);
            ctx.observer().event(now, Event::new(event::COMMIT_IN_DOUBT, node, of, None, count));
        }
        self.unacknowledged.forget();
    }

    /// The application has failed with a message: its listener has thrown, or it rolls back. What else it
    /// has from the session goes back with it.
    pub(super) fn failed(&mut self, delivery: Delivery, ctx: &mut Context<'_, Message>) {
        if delivery.session != self.session {
            return;
        }
        match self.own.acknowledge {
            // It is acknowledged already.
            Acknowledge::Early => {}
            Acknowledge::Auto if self.own.receive => {}
            Acknowledge::Transacted(_) => {
                self.send_ack(&delivery, (false, true), ctx);
                self.roll_back(false, ctx);
            }
            _ => self.roll_back(true, ctx),
        }
    }

    fn roll_back(&mut self, delivered: bool, ctx: &mut Context<'_, Message>) {
        self.unacknowledged.forget();
        for delivery in std::mem::take(&mut self.buffer) {
            self.flow(&delivery, ctx);
        }
        self.buffered = 0;
        if self.connection.open().is_some() {
            let call = self.begin_call(ctx);
            self.unacknowledged.rollback = Some(call);
            self.say(Message::Rollback(call, delivered), ctx);
        }
    }
}
