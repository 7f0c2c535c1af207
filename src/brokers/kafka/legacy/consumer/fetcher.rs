//! A fetcher: one thread for one broker, one request at a time (`consumer/FetcherRunnable.scala`,
//! `SimpleConsumer.scala` 0.7).

use std::collections::VecDeque;

use crate::engine::Span;
use crate::observe::{ContactState, Event, NodeId};
use crate::world::{ConnId, Context, Lane};

use super::super::super::PartitionId;
use super::super::config::KAFKA;
use super::super::message::{
    Fetch, FetchError, Fetched, Message, OffsetTime, REQUEST, REQUEST_PART,
};
use super::super::rules::Rule;
use super::super::words::event;
use super::{Chunk, Consumer, Kind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has no request under way and no pause.
    Idle,
    Connecting(ConnId),
    /// It waits for the answer to a fetch.
    Fetching(ConnId),
    /// It waits for the offset at one end of a partition; whether that is to be written to
    /// ZooKeeper.
    Asking(ConnId, bool),
    /// It has an answer in hand for which the chunk queue has no room.
    Blocked(ConnId),
    /// Nothing new was there.
    Pausing(Option<ConnId>),
    /// It has died of an error.
    Dead,
}

/// A fetcher.
#[derive(Clone, Debug)]
pub(super) struct Fetcher {
    pub(super) broker: u32,
    pub(super) partitions: Vec<PartitionId>,
    /// Counts fetchers, so that timers of an earlier one are known.
    life: u32,
    state: State,
    /// Parts of the answer that are not in the queue yet, and bytes of those that are.
    answer: VecDeque<Fetched>,
    read: u64,
    /// Whether the request was sent for the second time.
    repeated: bool,
}

impl Fetcher {
    pub(super) fn new(broker: u32, partitions: Vec<PartitionId>, life: u32) -> Fetcher {
        Fetcher {
            broker,
            partitions,
            life,
            state: State::Idle,
            answer: VecDeque::new(),
            read: 0,
            repeated: false,
        }
    }

    fn conn(&self) -> Option<ConnId> {
        match self.state {
            State::Idle | State::Dead => None,
            State::Connecting(conn)
            | State::Fetching(conn)
            | State::Asking(conn, _)
            | State::Blocked(conn) => Some(conn),
            State::Pausing(conn) => conn,
        }
    }

    pub(super) fn owns(&self, conn: ConnId) -> bool {
        self.conn() == Some(conn)
    }

    pub(super) fn is_dead(&self) -> bool {
        self.state == State::Dead
    }

    /// Whether it has got no more than it could queue.
    pub(super) fn is_idle(&self) -> bool {
        self.answer.is_empty()
    }
}

impl Consumer {
    pub(super) fn fetcher_connected(&mut self, at: usize, ctx: &mut Context<'_, Message>) {
        if let State::Connecting(conn) = self.fetchers[at].state {
            self.fetcher_tells(at, ContactState::Connected, "", ctx);
            self.fetch(at, conn, ctx);
        }
    }

    /// What its connection has come to.
    pub(super) fn fetcher_tells(
        &self,
        at: usize,
        state: ContactState,
        why: &'static str,
        ctx: &mut Context<'_, Message>,
    ) {
        ctx.contact(NodeId(self.fetchers[at].broker), state, (why, Span::ZERO));
    }

    /// Begins, or goes on.
    pub(super) fn start_fetcher(&mut self, at: usize, ctx: &mut Context<'_, Message>) {
        let conn = ctx.connect(NodeId(self.fetchers[at].broker), KAFKA);
        self.fetchers[at].state = State::Connecting(conn);
    }

    /// Asks for more of all its partitions; first for an offset, if one has none yet.
    fn fetch(&mut self, at: usize, conn: ConnId, ctx: &mut Context<'_, Message>) {
        let fetcher = &self.fetchers[at];
        let unknown = fetcher.partitions.iter().find(|of| self.fetched(**of).is_none());
        if let Some(partition) = unknown.copied() {
            return self.ask_offset(at, conn, partition, false, ctx);
        }
        let parts: Vec<(PartitionId, u64)> = fetcher
            .partitions
            .iter()
            .filter_map(|partition| Some((*partition, self.fetched(*partition)?)))
            .collect();
        let bytes = REQUEST + REQUEST_PART * parts.len() as u32;
        let fetch = Fetch { parts, size: self.own.fetch_size };
        ctx.send(conn, Message::MultiFetch(Box::new(fetch)), bytes);
        self.fetchers[at].state = State::Fetching(conn);
        self.fetchers[at].read = 0;
    }

    fn ask_offset(
        &mut self,
        at: usize,
        conn: ConnId,
        partition: PartitionId,
        reset: bool,
        ctx: &mut Context<'_, Message>,
    ) {
        let time = if self.own.from_largest { OffsetTime::Latest } else { OffsetTime::Earliest };
        ctx.send(conn, Message::Offsets(partition, time), REQUEST + 12);
        self.fetchers[at].state = State::Asking(conn, reset);
    }

    /// The broker's answer.
    pub(super) fn broker_input(
        &mut self,
        at: usize,
        body: Message,
        ctx: &mut Context<'_, Message>,
    ) {
        match (self.fetchers[at].state, body) {
            (State::Fetching(conn), Message::Fetched(parts)) => {
                self.fetchers[at].repeated = false;
                self.fetchers[at].answer = parts.into_iter().collect();
                self.queue_answer(at, conn, ctx);
            }
            (State::Asking(conn, reset), Message::OffsetIs(partition, offset)) => {
                self.fetchers[at].repeated = false;
                self.set_offset(partition, offset);
                if !reset {
                    return self.fetch(at, conn, ctx);
                }
                let (now, node) = (ctx.now(), ctx.node());
                let told = Event::new(event::OFFSET_RESET, node, None, None, offset);
                ctx.observer().event(now, told);
                self.commit_now(partition, offset, ctx);
                self.queue_answer(at, conn, ctx);
            }
            _ => {}
        }
    }

    /// Puts the parts of an answer into the chunk queue, as far as there is room.
    fn queue_answer(&mut self, at: usize, conn: ConnId, ctx: &mut Context<'_, Message>) {
        while let Some(part) = self.fetchers[at].answer.pop_front() {
            match &part.pieces {
                Ok(pieces) if pieces.is_empty() => {}
                Ok(_) if self.chunks.len() >= self.own.queued_chunks as usize => {
                    self.fetchers[at].answer.push_front(part);
                    self.fetchers[at].state = State::Blocked(conn);
                    return self.report_wants(ctx);
                }
                Ok(_) => self.enqueue(at, part),
                Err(FetchError::OffsetOutOfRange)
                    if self.config.settings.rules.has(Rule::ResetOutOfRange) =>
                {
                    return self.ask_offset(at, conn, part.partition, true, ctx);
                }
                Err(_) => return self.fetcher_error(at, ctx),
            }
        }
        // The application may wait for what was queued.
        if self.fetchers[at].read > 0 {
            self.fetch(at, conn, ctx);
            self.work(ctx);
        } else {
            self.pause(at, Some(conn), ctx);
        }
        self.report_wants(ctx);
    }

    fn enqueue(&mut self, at: usize, part: Fetched) {
        let bytes = part.bytes();
        let Ok(pieces) = part.pieces else { return };
        let Some(info) = self.infos.iter_mut().find(|info| info.partition == part.partition) else {
            return;
        };
        info.fetched = Some(part.offset + bytes);
        let (partition, offset, registry) = (part.partition, part.offset, self.registry);
        self.chunks.push_back(Chunk { partition, offset, pieces: pieces.into(), registry });
        self.fetchers[at].read += bytes;
    }

    /// `fetcher.backoff.ms`.
    fn pause(&mut self, at: usize, conn: Option<ConnId>, ctx: &mut Context<'_, Message>) {
        let fetcher = &mut self.fetchers[at];
        fetcher.state = State::Pausing(conn);
        let again = Message::FetchAgain { broker: fetcher.broker, life: fetcher.life };
        ctx.after(self.own.fetcher_backoff, Lane::MAIN, again);
    }

    pub(super) fn fetch_again(&mut self, broker: u32, life: u32, ctx: &mut Context<'_, Message>) {
        let found = self.fetchers.iter().position(|f| f.broker == broker && f.life == life);
        let Some(at) = found else { return };
        match self.fetchers[at].state {
            State::Pausing(Some(conn)) => self.fetch(at, conn, ctx),
            State::Pausing(None) => self.start_fetcher(at, ctx),
            _ => {}
        }
    }

    /// There is room in the chunk queue again.
    pub(super) fn unblock_fetchers(&mut self, ctx: &mut Context<'_, Message>) {
        for at in 0..self.fetchers.len() {
            if let State::Blocked(conn) = self.fetchers[at].state {
                self.queue_answer(at, conn, ctx);
            }
        }
    }

    /// Its connection is gone, or none came about. A request is sent once more over a new
    /// connection (`SimpleConsumer.multifetch`: "multifetch reconnect due to").
    pub(super) fn fetcher_lost(&mut self, at: usize, ctx: &mut Context<'_, Message>) {
        let fetcher = &mut self.fetchers[at];
        match fetcher.state {
            State::Fetching(_) | State::Asking(..) if !fetcher.repeated => {
                fetcher.repeated = true;
                fetcher.answer.clear();
                self.start_fetcher(at, ctx);
            }
            // Nothing was under way: the next request finds out, and connects anew.
            State::Pausing(_) => fetcher.state = State::Pausing(None),
            State::Blocked(_) => {
                fetcher.repeated = true;
                fetcher.answer.clear();
                self.start_fetcher(at, ctx);
            }
            _ => self.fetcher_error(at, ctx),
        }
    }

    /// Any error that is not handled ends the thread. One who uses a simple consumer tries again.
    fn fetcher_error(&mut self, at: usize, ctx: &mut Context<'_, Message>) {
        let dies = self.config.settings.rules.has(Rule::FetcherDiesOfErrors);
        let fetcher = &mut self.fetchers[at];
        fetcher.answer.clear();
        fetcher.repeated = false;
        let conn = fetcher.conn();
        if let Some(conn) = conn {
            ctx.close(conn);
        }
        if !dies || matches!(self.own.kind, Kind::Simple) {
            return self.pause(at, None, ctx);
        }
        fetcher.state = State::Dead;
        let (now, node) = (ctx.now(), ctx.node());
        let subject = Some(NodeId(fetcher.broker));
        let told = Event::new(event::FETCHER_STOPPED, node, None, subject, 0);
        ctx.observer().event(now, told);
    }

    /// All fetchers end, and the chunk queue is cleared.
    pub(super) fn stop_fetchers(&mut self, ctx: &mut Context<'_, Message>) {
        for fetcher in std::mem::take(&mut self.fetchers) {
            if let Some(conn) = fetcher.conn() {
                ctx.close(conn);
            }
        }
        self.chunks.clear();
    }
}
