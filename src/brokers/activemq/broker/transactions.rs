//! Local transactions (`KahaDBTransactionStore`): records bear the transaction, nothing is dispatched
//! or removed before the commit is stored, and the commit is waited for.

use crate::world::{ConnId, Context};

use super::super::invariants::Touch;
use super::super::message::{Ack, Jms, Message};
use super::super::store::{Op, Record};
use super::super::words::{because, cause};
use super::store::{Then, Write};
use super::{Broker, Stage};
use crate::observe::Removal;

/// The transaction of a connection.
#[derive(Clone, Debug)]
pub(super) struct Transaction {
    number: u32,
    sends: Vec<Jms>,
}

/// A commit that is being stored.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    reply: (ConnId, u32),
    sends: Vec<Jms>,
    acked: Vec<u32>,
    /// Which of them it has not removed from the store, because they were not there yet.
    unstored: Vec<u32>,
}

impl Commit {
    /// The messages that it acknowledges, by their entries.
    pub(super) fn acked(&self) -> &[u32] {
        &self.acked
    }
}

impl Broker {
    fn transaction(&mut self, conn: ConnId) -> u32 {
        let next = self.next_transaction;
        let Some(connection) = self.connections.get_mut(&conn) else { return next };
        let own =
            connection.transaction.get_or_insert(Transaction { number: next, sends: Vec::new() });
        if own.number == next {
            self.next_transaction += 1;
        }
        own.number
    }

    pub(super) fn send_in_transaction(
        &mut self,
        conn: ConnId,
        message: Jms,
        ctx: &mut Context<'_, Message>,
    ) {
        let number = self.transaction(conn);
        if let Some(own) = self.connections.get_mut(&conn).and_then(|own| own.transaction.as_mut())
        {
            own.sends.push(message);
        }
        if message.persistent {
            ctx.spend(self.config.costs.store);
            let queue = message.origin;
            let record = Record { op: Op::Add, queue, message, of: number, end: 0 };
            self.enqueue(Write::new(record, false, Then::Nothing), ctx);
        }
    }

    pub(super) fn commit(
        &mut self,
        conn: ConnId,
        id: u32,
        ack: Option<Ack>,
        ctx: &mut Context<'_, Message>,
    ) {
        let number = self.transaction(conn);
        let transaction = self.connections.get_mut(&conn).and_then(|own| own.transaction.take());
        let sends = transaction.map_or_else(Vec::new, |own| own.sends);
        let acked = ack.map_or_else(Vec::new, |ack| self.take_acked(conn, &ack));
        let (mut of, mut unstored) = (None, Vec::new());
        for entry in &acked {
            let (queue, message) = (self.entries[*entry].queue, self.entries[*entry].message);
            of = Some((queue, message));
            if self.entries[*entry].stage == Stage::Queued {
                unstored.push(*entry);
            } else if self.entries[*entry].stage != Stage::Memory {
                let record = Record { op: Op::Remove, queue, message, of: number, end: 0 };
                self.enqueue(Write::new(record, false, Then::Nothing), ctx);
            }
        }
        let last = of.or(sends.last().map(|message| (message.origin, *message)));
        let Some((queue, message)) = last else {
            return self.reply((conn, id), true, ctx);
        };
        let commit = self.commits.insert(Commit { reply: (conn, id), sends, acked, unstored });
        let record = Record { op: Op::Commit, queue, message, of: number, end: 0 };
        let waits = self.awaits_syncs();
        if waits {
            self.block(conn, ctx);
        }
        self.enqueue(Write::new(record, waits, Then::Commit(commit)), ctx);
    }

    /// The commit is stored: now it is done.
    pub(super) fn committed(&mut self, commit: u32, success: bool, ctx: &mut Context<'_, Message>) {
        let Some(commit) = self.commits.remove(commit) else { return };
        let Commit { reply, sends, acked, unstored } = commit;
        for message in sends {
            if !success {
                let (now, node) = (ctx.now(), self.node);
                let why = Removal::new(cause::REFUSED, because::NONE);
                ctx.observer().dropped(now, node, Some(message.origin), message.range, why);
                continue;
            }
            let entry = self.enter(message.origin, message, ctx);
            self.entries[entry].awaited = true;
            if message.persistent {
                self.entries[entry].stage = Stage::Stored;
                self.touched.note(Touch::Committed(message.origin, message));
            }
            self.offer(entry, ctx);
        }
        if !success {
            self.put_back(reply.0, acked, ctx);
            return self.reply(reply, false, ctx);
        }
        for entry in acked {
            let queue = self.entries[entry].queue;
            // Its record of the transaction has removed it from the store.
            if self.entries[entry].stage == Stage::Stored && !unstored.contains(&entry) {
                self.entries[entry].stage = Stage::Memory;
            }
            self.consumed(entry, ctx);
            self.dispatch(queue, ctx);
        }
        self.reply(reply, success, ctx);
        self.space(ctx);
    }

    /// What was to be acknowledged is with its consumer as before, or in the queue if that is gone.
    fn put_back(&mut self, conn: ConnId, acked: Vec<u32>, ctx: &mut Context<'_, Message>) {
        let own = self.connections.get_mut(&conn).and_then(|own| own.subscription.as_mut());
        if let Some(own) = own {
            acked.into_iter().rev().for_each(|entry| own.dispatched.push_front(entry));
            return;
        }
        for entry in acked {
            self.touched
                .note(Touch::Returned(self.entries[entry].queue, self.entries[entry].message));
            self.offer(entry, ctx);
        }
    }

    /// A connection has ended: its transaction is rolled back.
    pub(super) fn abandon_transaction(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        let connection = self.connections.get_mut(&conn);
        let Some(own) = connection.and_then(|own| own.transaction.take()) else { return };
        self.journal.roll_back(own.number);
        let (now, node) = (ctx.now(), self.node);
        for message in own.sends {
            let why = Removal::new(cause::ROLLED_BACK, because::NOT_REPLAYED);
            ctx.observer().dropped(now, node, Some(message.origin), message.range, why);
        }
    }
}
