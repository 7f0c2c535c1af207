//! Sends (`ServerSessionImpl.send`, `PostOfficeImpl.route`): whether there is room, whether the message was had
//! before, then the journal, and then the queue.

use crate::world::Context;

use super::super::config::FullPolicy;
use super::super::message::{CoreMessage, Message, PACKET, QueueId, Send};
use super::super::rules::Rule;
use super::super::store::Op;
use super::super::words::{because, cause, event};
use super::sessions::Task;
use super::{Broker, Entry};
use crate::observe::Removal;

impl Broker {
    /// Whether an address holds as much as it may.
    fn is_full(&self, queue: QueueId) -> bool {
        let most = self.config.addresses[queue.index()].max_size;
        most.is_some_and(|most| self.queues[queue.index()].size >= most)
    }

    /// A producer asks for credits: it gets them as long as its address is not full, or at once if that
    /// does not matter there (`PagingStoreImpl.checkMemory`).
    pub(super) fn request_credits(
        &mut self,
        key: u32,
        queue: QueueId,
        bytes: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        let blocks = self.config.addresses[queue.index()].full == FullPolicy::Block;
        if blocks && self.is_full(queue) {
            let peer = self.sessions.get(&key).map(|session| session.peer);
            self.tell(event::BLOCKED, Some(queue), (peer, 0), ctx);
            return self.starved.push_back((key, queue, bytes));
        }
        self.send_to(key, Message::ProducerCredits(bytes), PACKET, ctx);
    }

    /// There may be room again.
    pub(super) fn room(&mut self, ctx: &mut Context<'_, Message>) {
        while let Some((key, queue, bytes)) = self.starved.front().copied() {
            if self.is_full(queue) {
                return;
            }
            self.starved.pop_front();
            self.send_to(key, Message::ProducerCredits(bytes), PACKET, ctx);
        }
    }

    /// A message has come from a client.
    pub(super) fn sent(&mut self, key: u32, send: Send, ctx: &mut Context<'_, Message>) {
        let Send { call, message, transacted } = send;
        if message.duplicate_id
            && self.config.has(Rule::DetectDuplicates)
            && self.journal.is_duplicate(&message)
        {
            // What it is a duplicate of may not be stored yet.
            self.wait_for_all(key);
            let peer = self.sessions.get(&key).map(|session| session.peer);
            self.tell(event::DUPLICATE, Some(message.origin), (peer, 1), ctx);
            return self.refuse(key, send, (cause::DUPLICATE, true), ctx);
        }
        if self.is_full(message.origin) {
            match self.config.addresses[message.origin.index()].full {
                FullPolicy::Drop => {
                    return self.refuse(key, send, (cause::FULL_DROPPED, true), ctx);
                }
                FullPolicy::Fail => {
                    return self.refuse(key, send, (cause::FULL_FAILED, false), ctx);
                }
                FullPolicy::Block => {}
            }
        }
        if transacted && self.config.has(Rule::CheckCommits) {
            return self.send_in_transaction(key, message, ctx);
        }
        let settings = &self.config.settings;
        let syncs = settings.sync_non_transactional;
        let entry = self.store(Some(key), (message.origin, message), syncs, ctx);
        self.entries[entry].awaited = call.is_some();
        if let Some(call) = call {
            self.note_call(key, call, message, self.journal.end());
        }
        self.when_stored(key, Task::Route(entry), ctx);
        if let Some(call) = call {
            self.when_stored(key, Task::Respond(call, true), ctx);
        }
    }

    /// No copy is made of a message.
    fn refuse(
        &mut self,
        key: u32,
        send: Send,
        (cause, success): (crate::observe::CauseId, bool),
        ctx: &mut Context<'_, Message>,
    ) {
        self.tell_dropped(send.message, Removal::new(cause, because::NONE), ctx);
        if let Some(call) = send.call {
            self.when_stored(key, Task::Respond(call, success), ctx);
        }
    }

    /// A message is in the broker: in its journal if it is durable, and in no queue yet.
    pub(super) fn store(
        &mut self,
        session: Option<u32>,
        (queue, message): (QueueId, CoreMessage),
        syncs: bool,
        ctx: &mut Context<'_, Message>,
    ) -> u32 {
        let id = self.journal.number();
        if message.durable {
            let body = Self::record(Op::Body, queue, (id, message));
            self.append(session, body, false, ctx);
            let reference = Self::record(Op::Reference, queue, (id, message));
            self.append(session, reference, syncs, ctx);
        }
        self.enter(queue, (id, message), ctx)
    }

    /// The broker knows of a message.
    pub(super) fn enter(
        &mut self,
        queue: QueueId,
        (id, message): (u64, CoreMessage),
        ctx: &mut Context<'_, Message>,
    ) -> u32 {
        let now = ctx.now();
        self.tell_stored(now, queue, message, ctx.observer());
        self.queues[queue.index()].size += u64::from(message.bytes());
        self.entries.insert(Entry { message, queue, id, count: 0, recorded: 0, awaited: false })
    }
}
