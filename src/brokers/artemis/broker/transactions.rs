//! Transactions of sessions (`TransactionImpl`): their records bear their number, and are there with the commit.

use crate::world::Context;

use super::super::message::{CoreMessage, Message, QueueId};
use super::super::store::{Op, Record};
use super::super::words::{because, cause};
use super::Broker;
use super::sessions::Task;
use crate::observe::Removal;

/// A transaction that is open, or being committed.
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction {
    /// Its number in the journal; 0 as long as it has no records there.
    number: u32,
    /// How many records it has there.
    records: u32,
    /// The call that commits it.
    call: u32,
    /// What is sent in it, as the broker has numbered it.
    sends: Vec<(u64, CoreMessage)>,
    /// What is acknowledged in it, by entries.
    acks: Vec<u32>,
    /// Whose it is.
    session: u32,
}

impl Broker {
    fn append_in_transaction(&mut self, key: u32, record: Record, ctx: &mut Context<'_, Message>) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let own = session.transaction.get_or_insert_default();
        if own.number == 0 {
            own.number = self.journal.transaction();
        }
        own.records += 1;
        let record = Record { of: own.number, ..record };
        self.append(Some(key), record, false, ctx);
    }

    pub(super) fn send_in_transaction(
        &mut self,
        key: u32,
        message: CoreMessage,
        ctx: &mut Context<'_, Message>,
    ) {
        let id = self.journal.number();
        let queue = message.origin;
        if message.durable {
            for op in [Op::Body, Op::Reference] {
                self.append_in_transaction(key, Self::record(op, queue, (id, message)), ctx);
            }
        }
        if let Some(session) = self.sessions.get_mut(&key) {
            session.transaction.get_or_insert_default().sends.push((id, message));
        }
    }

    pub(super) fn ack_in_transaction(
        &mut self,
        key: u32,
        acked: Vec<u32>,
        ctx: &mut Context<'_, Message>,
    ) {
        for entry in acked {
            let own = self.entries[entry];
            if own.message.durable {
                let record = Self::record(Op::Ack, own.queue, (own.id, own.message));
                self.append_in_transaction(key, record, ctx);
            }
            if let Some(session) = self.sessions.get_mut(&key) {
                session.transaction.get_or_insert_default().acks.push(entry);
            }
        }
    }

    pub(super) fn commit(&mut self, key: u32, call: u32, ctx: &mut Context<'_, Message>) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let own = session.transaction.take();
        let Some(own) = own else {
            return self.when_stored(key, Task::Respond(call, true), ctx);
        };
        let transaction = Transaction { call, session: key, ..own };
        if let Some((id, queue, message)) = self.last_of(&transaction)
            && transaction.records > 0
        {
            let commit = Self::record(Op::Commit(transaction.records), queue, (id, message));
            let syncs = self.config.settings.sync_transactional;
            let record = Record { of: transaction.number, ..commit };
            self.append(Some(key), record, syncs, ctx);
            self.note_call(key, call, message, self.journal.end());
        }
        self.when_stored(key, Task::Committed(Box::new(transaction)), ctx);
    }

    fn last_of(&self, transaction: &Transaction) -> Option<(u64, QueueId, CoreMessage)> {
        let send = transaction.sends.last().map(|(id, message)| (*id, message.origin, *message));
        let ack = transaction.acks.last().map(|entry| {
            let own = self.entries[*entry];
            (own.id, own.queue, own.message)
        });
        send.or(ack)
    }

    /// The commit is stored: what was sent is in its queues, and the call is answered.
    pub(super) fn committed(&mut self, transaction: Transaction, ctx: &mut Context<'_, Message>) {
        for (id, message) in transaction.sends {
            let entry = self.enter(message.origin, (id, message), ctx);
            self.entries[entry].awaited = true;
            self.route(entry, ctx);
        }
        for entry in transaction.acks {
            self.leave(entry, cause::ACKNOWLEDGED, ctx);
        }
        self.perform(transaction.session, Task::Respond(transaction.call, true), ctx);
        self.room(ctx);
    }

    /// A client rolls back. What is acknowledged in the transaction was delivered; what else the consumer
    /// has was not, but for the first message if it `delivered` that (`cancelRefs`).
    pub(super) fn roll_back(
        &mut self,
        key: u32,
        call: u32,
        delivered: bool,
        ctx: &mut Context<'_, Message>,
    ) {
        let mut entries = self.abandon_transaction(key, ctx);
        let session = self.sessions.get_mut(&key);
        if let Some(consumer) = session.and_then(|own| own.consumer.as_mut()) {
            let queue = consumer.queue;
            // The client has stopped its session: it is sent nothing before the answer.
            consumer.stopped = true;
            let buffered: Vec<u32> = consumer.delivering.drain(..).collect();
            for (at, entry) in buffered.iter().enumerate() {
                self.uncount(*entry, at == 0 && delivered);
            }
            entries.extend(buffered);
            self.put_back(queue, entries, ctx);
        }
        self.when_stored(key, Task::Restart(call), ctx);
    }

    /// A transaction ends without a commit: what it has acknowledged was delivered, and goes back.
    pub(super) fn abandon_transaction(
        &mut self,
        key: u32,
        ctx: &mut Context<'_, Message>,
    ) -> Vec<u32> {
        let session = self.sessions.get_mut(&key);
        let Some(own) = session.and_then(|own| own.transaction.take()) else { return Vec::new() };
        self.journal.roll_back(own.number);
        for (_, message) in own.sends {
            self.tell_dropped(message, Removal::new(cause::ROLLED_BACK, because::NOT_RESENT), ctx);
        }
        own.acks
    }
}

impl Transaction {
    /// What is sent in it.
    pub(super) fn sends(&self) -> &[(u64, CoreMessage)] {
        &self.sends
    }
}
