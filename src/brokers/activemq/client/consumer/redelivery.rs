//! Redelivery, which the client does (`ActiveMQMessageConsumer.rollback`, `RedeliveryPolicy`): a message
//! with which the application has failed is tried again after a wait, and given up in the end.

use crate::world::{Context, Lane};

use super::super::super::invariants::Touch;
use super::super::super::message::{Ack, AckKind, Message, Timer};
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::{Acknowledge, Consumer, Delivery};
use crate::observe::Event;

impl Consumer {
    /// `redeliveryExceeded`: whether a message is given up before the application has it.
    pub(super) fn is_exceeded(&self, delivery: &Delivery) -> bool {
        let looks = matches!(self.own.acknowledge, Acknowledge::Transacted(_))
            || !self.config.has(Rule::PoisonCheckTransactedOnly);
        looks && delivery.redeliveries > self.own.max_redeliveries
    }

    /// It goes to the dead letters.
    pub(super) fn poison(&mut self, delivery: &Delivery, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), ctx.node());
        let count = u64::from(delivery.redeliveries);
        ctx.observer()
            .event(now, Event::new(event::POISONED, node, Some(self.own.queue), None, count));
        let ack = Ack { kind: AckKind::Poison, last: delivery.id(), count: 1 };
        self.send_ack(ack, delivery.session, ctx);
    }

    /// The application has failed with a message: its listener has thrown, or it rolls back. What
    /// else is in the transaction fails with it.
    pub(super) fn failed(&mut self, delivery: Delivery, ctx: &mut Context<'_, Message>) {
        if delivery.session != self.session || self.transport.open().is_none() {
            self.audit.roll_back(delivery.id());
            return self.touched.note(Touch::GivenBack(self.own.queue, delivery.id()));
        }
        let again = Delivery { redeliveries: delivery.redeliveries + 1, ..delivery };
        self.touched.note(Touch::GivenBack(self.own.queue, delivery.id()));
        if again.redeliveries > self.own.max_redeliveries {
            return self.poison(&again, ctx);
        }
        let ack = Ack { kind: AckKind::Redelivered, last: delivery.id(), count: 1 };
        self.send_ack(ack, delivery.session, ctx);
        self.buffer.push_front(again);
        if matches!(self.own.acknowledge, Acknowledge::Transacted(_)) {
            self.roll_back(ctx);
        }
        self.waits += 1;
        self.waiting = Some(self.waits);
        let timer = Timer::Redeliver(self.waits);
        ctx.after(self.own.redelivery_delay, Lane::MAIN, timer.into());
    }
}
