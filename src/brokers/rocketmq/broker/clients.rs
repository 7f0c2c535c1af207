//! Consumers and their offsets (`broker/client/ConsumerManager.java`,
//! `broker/offset/ConsumerOffsetManager.java`).

use std::sync::Arc;

use crate::engine::{Span, Time};
use crate::world::{ConnId, Context, Lane};

use super::super::config::QueueId;
use super::super::message::{HEADER, Message, NO_OFFSET, Timer};
use super::super::rules::Rule;
use super::{Broker, OFFSETS};

/// How often silent clients are looked for (`ClientHousekeepingService`).
const SCAN: Span = Span::from_secs(10);
/// The offsets are written so long after the start, then every `flushConsumerOffsetInterval`.
const FIRST_PERSIST: Span = Span::from_secs(10);
/// Bytes of an entry in the file of offsets.
const ENTRY: u64 = 16;

/// A member of a consumer group (`ClientChannelInfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    client: u32,
    conn: ConnId,
    last: Time,
}

/// The consumers that a broker knows of.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    /// The members of each group.
    groups: Vec<Vec<Member>>,
}

impl Clients {
    pub(super) fn new(groups: usize) -> Clients {
        Clients { groups: vec![Vec::new(); groups] }
    }

    pub(super) fn forget(&mut self) {
        self.groups.iter_mut().for_each(Vec::clear);
    }

    /// Whether it knows of a group at all.
    pub(super) fn knows(&self, group: u32) -> bool {
        !self.groups[group as usize].is_empty()
    }

    /// The members of a group, in the order of their names; none if it knows of none.
    pub(super) fn list(&self, group: u32) -> Option<Arc<[u32]>> {
        let mut clients: Vec<u32> =
            self.groups[group as usize].iter().map(|member| member.client).collect();
        clients.sort_unstable();
        (!clients.is_empty()).then(|| clients.into())
    }
}

impl Broker {
    pub(super) fn start_serving_clients(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(SCAN, Lane::MAIN, Timer::ClientScan.into());
        let first = self.first(FIRST_PERSIST, ctx);
        ctx.after(first, Lane::MAIN, Timer::PersistOffsets.into());
        self.start_holding(ctx);
    }

    pub(super) fn heartbeat(
        &mut self,
        conn: ConnId,
        group: u32,
        client: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        let member = Member { client, conn, last: ctx.clock() };
        let members = &mut self.clients.groups[group as usize];
        match members.iter_mut().find(|known| known.client == client) {
            Some(known) if known.conn == conn => known.last = member.last,
            Some(known) => {
                *known = member;
                self.notify(group, ctx);
            }
            None => {
                members.push(member);
                self.notify(group, ctx);
            }
        }
    }

    pub(super) fn leave(&mut self, group: u32, client: u32, ctx: &mut Context<'_, Message>) {
        self.remove_members(group, |member| member.client == client, ctx);
    }

    /// `doChannelCloseEvent`.
    pub(super) fn client_closed(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        self.held.drop_of(conn);
        for group in 0..self.clients.groups.len() as u32 {
            self.remove_members(group, |member| member.conn == conn, ctx);
        }
    }

    /// `scanNotActiveChannel`: a client that is silent is gone, and its connection is closed.
    pub(super) fn client_scan(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(SCAN, Lane::MAIN, Timer::ClientScan.into());
        if !self.config.has(Rule::ExpireSilentClients) {
            return;
        }
        let (now, limit) = (ctx.clock(), self.config.settings.client_expiry);
        for group in 0..self.clients.groups.len() as u32 {
            let silent = |member: &Member| now.since(member.last) > limit;
            for member in self.clients.groups[group as usize].iter().filter(|m| silent(m)) {
                ctx.close(member.conn);
            }
            self.remove_members(group, silent, ctx);
        }
    }

    fn remove_members(
        &mut self,
        group: u32,
        gone: impl Fn(&Member) -> bool,
        ctx: &mut Context<'_, Message>,
    ) {
        let members = &mut self.clients.groups[group as usize];
        let before = members.len();
        members.retain(|member| !gone(member));
        if members.len() < before {
            self.notify(group, ctx);
        }
    }

    /// `NOTIFY_CONSUMER_IDS_CHANGED` to every member.
    fn notify(&self, group: u32, ctx: &mut Context<'_, Message>) {
        if self.config.has(Rule::NotifyConsumers) {
            for member in &self.clients.groups[group as usize] {
                ctx.send(member.conn, Message::ConsumersChanged, HEADER);
            }
        }
    }

    /// A new group begins at 0 if the queue still has its first message, in memory
    /// (`queryConsumerOffset`).
    pub(super) fn query_offset(&self, group: u32, queue: QueueId) -> Option<u64> {
        match self.offsets[group as usize][queue.index()] {
            NO_OFFSET => (self.store.queues[queue.index()].min() == 0).then_some(0),
            offset => Some(offset),
        }
    }

    /// An offset is taken as it comes, greater or less.
    pub(super) fn commit(&mut self, group: u32, queue: QueueId, offset: u64) {
        let own = &mut self.offsets[group as usize][queue.index()];
        self.offsets_changed |= *own != offset;
        *own = offset;
    }

    /// Bytes of the file of offsets.
    pub(super) fn offset_bytes(&self) -> u64 {
        let entries = self.offsets.iter().flatten().filter(|offset| **offset != NO_OFFSET);
        ENTRY * (1 + entries.count() as u64)
    }

    pub(super) fn persist_turn(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(self.config.settings.offset_interval, Lane::MAIN, Timer::PersistOffsets.into());
        self.persist_offsets(ctx);
    }

    /// `ConfigManager.persist`: the file is written whole.
    pub(super) fn persist_offsets(&mut self, ctx: &mut Context<'_, Message>) {
        let bytes = self.offset_bytes();
        if !self.offsets_changed || ctx.write(OFFSETS, bytes).is_err() {
            return;
        }
        self.offsets_changed = false;
        self.offset_file.write(self.offsets.clone(), bytes);
        if self.config.has(Rule::FsyncMetadata) {
            ctx.fsync(OFFSETS, Timer::OffsetsDurable.into());
        }
    }

    /// The offset that a group has committed.
    #[must_use]
    pub fn committed(&self, group: u32, queue: QueueId) -> Option<u64> {
        let offset = self.offsets[group as usize][queue.index()];
        (offset != NO_OFFSET).then_some(offset)
    }
}
