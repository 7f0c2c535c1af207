//! The backup's side of replication (`ReplicationEndpoint`, `SharedNothingBackupActivation`).

use std::sync::Arc;

use crate::engine::Span;
use crate::observe::{NodeId, Removal};
use crate::world::{ConnId, Context, Input, Lane};

use super::super::super::config::ARTEMIS;
use super::super::super::invariants::Touch;
use super::super::super::message::{Message, PACKET, Packet, Timer};
use super::super::super::rules::Rule;
use super::super::super::silence::Silence;
use super::super::super::storage::tell;
use super::super::super::store::Store;
use super::super::super::words::{because, cause, event, role};
use super::super::{Broker, Phase, journal_file};
use super::{CHECK, Outgoing, TTL};

/// How long a backup waits before it tries again to join (`retry-replication-wait`).
const RETRY: Span = Span::from_secs(2);
/// A primary that has said that it stops has done so after this time.
const FORCED: Span = Span::from_secs(60);

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// It looks for its primary.
    #[default]
    Joining,
    /// The journal is copied.
    Copying,
    /// It has everything.
    InSync,
}

/// A backup.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Backup {
    stage: Stage,
    conn: Option<ConnId>,
    /// Packets that came before the journal they belong to.
    backlog: Vec<Packet>,
    /// The last packet that came.
    received: u64,
    silence: Silence,
    /// Its primary has said that it stops.
    stop_called: bool,
}

impl Broker {
    /// Whether it is a backup that has everything.
    #[must_use]
    pub fn is_in_sync(&self) -> bool {
        self.phase == Phase::Backup && self.backup.stage == Stage::InSync
    }

    /// Whether it is a backup that copies its primary's journal.
    pub(in super::super) fn is_copying(&self) -> bool {
        self.phase == Phase::Backup && self.backup.stage == Stage::Copying
    }

    /// The last packet that it has had of its primary.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.backup.received
    }

    /// It is a backup from now on, and has nothing of its own (`moveServerData`).
    pub(in super::super) fn become_backup(&mut self, ctx: &mut Context<'_, Message>) {
        self.phase = Phase::Backup;
        ctx.ready();
        if self.config.has(Rule::MoveDataAway) {
            self.move_data_away(ctx);
        }
        self.join(ctx);
    }

    fn move_data_away(&mut self, ctx: &mut Context<'_, Message>) {
        let messages = std::mem::take(&mut self.on_disk);
        if !messages.is_empty() {
            self.tell(event::DATA_MOVED, None, (None, messages.len() as u64), ctx);
        }
        let (now, node) = (ctx.now(), self.node);
        for (_, message) in messages.into_values() {
            let why = Removal::new(cause::MOVED_AWAY, because::NONE);
            ctx.observer().removed(now, node, message.origin, message.range, why);
        }
        self.clear_files(ctx);
    }

    fn clear_files(&mut self, ctx: &mut Context<'_, Message>) {
        for file in 0..ctx.file_lengths().len() as u32 {
            ctx.truncate(journal_file(file), 0);
        }
        self.journal.clear();
        self.forget_buffer();
    }

    /// It looks for its primary.
    pub(in super::super) fn join(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(other) = self.config.other(self.node).filter(|_| self.phase == Phase::Backup)
        else {
            return;
        };
        let received = self.backup.received;
        self.backup = Backup { received, ..Backup::default() };
        let conn = ctx.connect(other, ARTEMIS);
        self.backup.conn = Some(conn);
        self.outgoing.insert(conn, Outgoing::Join);
    }

    /// The primary says something, or the connection with it has changed.
    pub(super) fn primary_input(
        &mut self,
        conn: ConnId,
        input: Input<Message>,
        ctx: &mut Context<'_, Message>,
    ) {
        if self.backup.conn != Some(conn) || self.phase != Phase::Backup {
            return;
        }
        match input {
            Input::Connected { .. } => {
                self.backup.silence = Silence::new(ctx.monotonic());
                ctx.send(conn, Message::Register, PACKET);
                ctx.after(CHECK, Lane::MAIN, Timer::LinkCheck(conn).into());
            }
            Input::Failed { .. } | Input::Closed { .. } => self.primary_lost(ctx),
            Input::Message { body, .. } => self.primary_says(conn, body, ctx),
            _ => {}
        }
    }

    fn primary_says(&mut self, conn: ConnId, body: Message, ctx: &mut Context<'_, Message>) {
        match body {
            Message::SyncChunk(file, bytes) => {
                self.begin_copy(ctx);
                if ctx.write(journal_file(file), bytes.into()).is_err() {
                    self.io_error(ctx);
                }
            }
            Message::Image(image) => {
                self.begin_copy(ctx);
                self.copied(image, ctx);
                ctx.send(conn, Message::Synchronized, PACKET);
            }
            Message::Replicate(packets) => self.replicated(conn, *packets, ctx),
            Message::PrimaryStopping(true) if self.is_in_sync() => self.take_over(ctx),
            Message::PrimaryStopping(false) => {
                self.backup.stop_called = true;
                ctx.after(FORCED, Lane::MAIN, Timer::StopForced(conn).into());
            }
            _ => {}
        }
    }

    fn begin_copy(&mut self, ctx: &mut Context<'_, Message>) {
        if self.backup.stage == Stage::Joining {
            self.backup.stage = Stage::Copying;
            if self.config.has(Rule::MoveDataAway) {
                self.clear_files(ctx);
            }
            let now = ctx.now();
            self.role_is(now, Some(role::SYNCHRONIZING), ctx.observer());
        }
    }

    /// The files are here; what has come since is appended to them.
    fn copied(&mut self, image: Arc<Store>, ctx: &mut Context<'_, Message>) {
        if !self.config.has(Rule::MoveDataAway) {
            self.move_data_away(ctx);
        }
        self.journal = Arc::unwrap_or_clone(image);
        self.start_journal(ctx);
        self.start_timers(ctx);
        let now = ctx.now();
        let messages: Vec<_> = self.journal.messages().map(|(_, held)| *held).collect();
        for held in messages {
            self.tell_stored(now, held.queue, held.message, ctx.observer());
        }
        self.backup.stage = Stage::InSync;
        self.touched.note(Touch::InSync);
        for packet in std::mem::take(&mut self.backup.backlog) {
            self.apply(packet, ctx);
        }
        self.role_is(now, Some(role::BACKUP), ctx.observer());
    }

    /// `handlePacket`: packets are answered as soon as they are in the heap.
    fn replicated(&mut self, conn: ConnId, packets: Vec<Packet>, ctx: &mut Context<'_, Message>) {
        let Some(last) = packets.last().map(|packet| packet.number) else { return };
        if self.backup.stage == Stage::InSync {
            packets.into_iter().for_each(|packet| self.apply(packet, ctx));
        } else {
            self.backup.backlog.extend(packets);
        }
        self.backup.received = last;
        if self.config.has(Rule::AnswerFromHeap) || self.backup.stage != Stage::InSync {
            ctx.send(conn, Message::Replicated(last), PACKET);
        }
    }

    /// It is on the disk as far as this packet, which is answered at last.
    pub(in super::super) fn answer_from_disk(&self, ctx: &mut Context<'_, Message>) {
        if self.is_in_sync()
            && !self.config.has(Rule::AnswerFromHeap)
            && let Some(conn) = self.backup.conn
            && !self.is_storing()
        {
            ctx.send(conn, Message::Replicated(self.backup.received), PACKET);
        }
    }

    fn apply(&mut self, packet: Packet, ctx: &mut Context<'_, Message>) {
        ctx.spend(self.config.costs.apply);
        let Packet { number, record, bytes } = packet;
        let mut changes = Vec::new();
        self.journal.changes_of(&record, &mut changes);
        self.journal.append(record, bytes);
        let now = ctx.now();
        tell(&changes, (now, self.node), ctx.observer());
        self.touched.note(Touch::Applied(number));
        self.flush_soon(!self.config.has(Rule::AnswerFromHeap), ctx);
    }

    /// Whether the primary is silent.
    pub(in super::super) fn link_check(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        if self.backup.conn != Some(conn) || self.phase != Phase::Backup {
            return;
        }
        let rule = (TTL, self.config.has(Rule::CheckByWindow));
        let (now, bytes) = (ctx.monotonic(), ctx.bytes_received(conn));
        if self.backup.silence.is_over(now, bytes, rule) {
            self.hang_up(conn, ctx);
            return self.primary_lost(ctx);
        }
        ctx.send(conn, Message::Ping, PACKET);
        ctx.after(CHECK, Lane::MAIN, Timer::LinkCheck(conn).into());
    }

    /// `SharedNothingBackupQuorum.connectionFailed`: a backup that has everything sees whether it may take
    /// over, another one tries again to join.
    fn primary_lost(&mut self, ctx: &mut Context<'_, Message>) {
        let (stage, other) = (self.backup.stage, self.config.other(self.node));
        self.backup.conn = None;
        if stage == Stage::InSync
            || stage == Stage::Copying && !self.config.has(Rule::ActivateInSync)
        {
            self.tell(event::PRIMARY_LOST, None, (other, 0), ctx);
            if self.backup.stop_called {
                return self.take_over(ctx);
            }
            return self.begin_vote(false, ctx);
        }
        if stage == Stage::Copying {
            self.tell(event::NO_ACTIVATION, None, (other, 0), ctx);
            let now = ctx.now();
            self.role_is(now, None, ctx.observer());
        }
        self.backup.stage = Stage::Joining;
        ctx.after(RETRY, Lane::MAIN, Timer::Join.into());
    }

    /// Its primary has said that it stops, long ago.
    pub(in super::super) fn stop_forced(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        if self.backup.conn == Some(conn) && self.backup.stop_called && self.is_in_sync() {
            self.take_over(ctx);
        }
    }

    /// It is the active one from now on.
    pub(super) fn take_over(&mut self, ctx: &mut Context<'_, Message>) {
        self.tell(event::ACTIVATES, None, (self.config.other(self.node), 0), ctx);
        self.touched.note(Touch::Activated);
        if let Some(conn) = self.backup.conn.take() {
            self.hang_up(conn, ctx);
        }
        self.end_vote(ctx);
        self.flush(ctx);
        self.note_on_disk();
        self.load(ctx);
    }

    /// Nobody has let it take over: it begins anew.
    pub(super) fn give_up_journal(&mut self, ctx: &mut Context<'_, Message>) {
        self.note_on_disk();
        let now = ctx.now();
        self.role_is(now, None, ctx.observer());
        self.become_backup(ctx);
    }

    /// What its journal says is what the observer knows.
    fn note_on_disk(&mut self) {
        let messages = self.journal.messages();
        self.on_disk = messages.map(|(id, held)| (id, (held.queue, held.message))).collect();
    }

    /// The backup's process is gone: what its journal had said.
    pub(in super::super) fn lose_backup(&mut self) {
        if self.phase == Phase::Backup && self.backup.stage == Stage::InSync {
            self.note_on_disk();
        }
        self.backup = Backup::default();
    }

    /// Whom it takes for its primary.
    #[must_use]
    pub fn follows(&self) -> Option<NodeId> {
        self.config.other(self.node).filter(|_| self.phase == Phase::Backup)
    }
}
