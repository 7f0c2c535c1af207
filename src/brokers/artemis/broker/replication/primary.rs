//! The active broker's side of replication (`ReplicationManager`): the first copy, the packets, and what becomes of
//! whoever waits when the backup is lost.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::{Span, Time};
use crate::observe::NodeId;
use crate::world::{ConnId, Context, Lane};

use super::super::super::config::Config;
use super::super::super::message::{Message, PACKET, Packet, Timer};
use super::super::super::rules::Rule;
use super::super::super::store::{Record, Store};
use super::super::super::words::event;
use super::super::{After, Broker, Phase};
use super::TTL;

/// Bytes of a file that go together.
const CHUNK: u64 = 32 << 10;
/// How long the connection may take nothing (`call-timeout`).
const BLOCKED: Span = Span::from_secs(30);

/// How far a backup has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Files are copied while packets flow.
    Copying,
    /// All was sent, and the journal stands still.
    Locked,
    Live,
}

/// The way to the backup.
#[derive(Clone, Debug)]
pub(in super::super) struct Replicator {
    conn: ConnId,
    peer: NodeId,
    stage: Stage,
    /// Files with their bytes that are still to be copied, and what they say.
    to_copy: VecDeque<(u32, u64)>,
    image: Arc<Store>,
    /// The last packet that was answered.
    answered: u64,
    /// When something came last, and how many bytes had come by then.
    heard: Time,
    bytes: u64,
    /// The connection has taken nothing since.
    blocked: Option<Time>,
}

impl Broker {
    /// The backup's connection, if this is it.
    pub(in super::super) fn is_backup(&self, conn: ConnId) -> bool {
        self.replicator.as_ref().is_some_and(|own| own.conn == conn)
    }

    /// A record is a packet for the backup, if there is one; its number.
    pub(in super::super) fn replicate(&mut self, record: Record, bytes: u32) -> Option<u64> {
        self.replicator.as_ref()?;
        self.packets_sent += 1;
        self.packets.push(Packet { number: self.packets_sent, record, bytes });
        Some(self.packets_sent)
    }

    /// The number of the last packet.
    pub(in super::super) const fn packets_sent(&self) -> u64 {
        self.packets_sent
    }

    /// Whether the backup has answered all packets up to this one, or there is none to wait for.
    pub(in super::super) fn is_replicated(&self, packet: u64) -> bool {
        let answered = self.replicator.as_ref().is_none_or(|own| own.answered >= packet);
        answered || !self.config.has(Rule::AnswerWhenReplicated)
    }

    /// Whether a backup copies the journal.
    pub(in super::super) fn is_synchronizing(&self) -> bool {
        self.replicator.as_ref().is_some_and(|own| own.stage != Stage::Live)
    }

    /// Whether the journal stands still.
    pub(in super::super) fn is_locked(&self) -> bool {
        self.replicator.as_ref().is_some_and(|own| own.stage == Stage::Locked)
    }

    /// Whether its backup has everything.
    #[must_use]
    pub fn has_backup(&self) -> bool {
        self.replicator.as_ref().is_some_and(|own| own.stage == Stage::Live)
    }

    /// A backup comes (`BackupRegistrationMessage`); there can be one.
    pub(in super::super) fn register(
        &mut self,
        conn: ConnId,
        key: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some((peer, lane)) = self.take_connection(conn, key) else { return };
        if !self.is_replicated_pair() || self.replicator.is_some() {
            ctx.abort(conn);
            return ctx.end(lane);
        }
        // From here on the journal's lane speaks with it, so that everything goes in one order.
        ctx.bind(conn, self.journal_lane());
        ctx.end(lane);
        let image = Arc::new(self.journal.clone());
        self.tell(event::SYNC_BEGUN, None, (Some(peer), image.bytes()), ctx);
        self.replicator = Some(Replicator {
            conn,
            peer,
            stage: Stage::Copying,
            to_copy: image.files().collect(),
            image,
            answered: self.packets_sent,
            heard: ctx.monotonic(),
            bytes: 0,
            blocked: None,
        });
        self.copy(ctx);
    }

    /// Sends as much of the files as the connection takes, and then that this was all: from now on the
    /// journal stands still (`sendSynchronizationDone`).
    pub(in super::super) fn copy(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(own) = &mut self.replicator else { return };
        own.blocked = None;
        while own.stage == Stage::Copying && ctx.room(own.conn) > 0 {
            let Some((file, left)) = own.to_copy.front_mut() else {
                own.stage = Stage::Locked;
                let (conn, peer, image) = (own.conn, own.peer, own.image.clone());
                self.send_packets(ctx);
                ctx.send(conn, Message::Image(image), PACKET);
                let most = self.config.settings.initial_sync_timeout;
                ctx.after(most, Lane::MAIN, Timer::SyncTimeout(conn).into());
                return self.tell(event::SYNC_LOCKED, None, (Some(peer), 0), ctx);
            };
            let bytes = (*left).min(CHUNK);
            *left -= bytes;
            let chunk = Message::SyncChunk(*file, bytes as u32);
            if *left == 0 {
                own.to_copy.pop_front();
            }
            ctx.send(own.conn, chunk, PACKET.saturating_add(bytes as u32));
        }
    }

    /// The backup says something.
    pub(in super::super) fn backup_says(
        &mut self,
        conn: ConnId,
        body: Message,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(own) = &mut self.replicator else { return };
        match body {
            Message::Ping => ctx.send(conn, Message::Ping, PACKET),
            Message::Replicated(packet) => {
                own.answered = own.answered.max(packet);
                self.release_all(ctx);
            }
            Message::Synchronized if own.stage == Stage::Locked => {
                own.stage = Stage::Live;
                let peer = own.peer;
                self.tell(event::IN_SYNC, None, (Some(peer), 0), ctx);
                self.unlock(ctx);
                if !Config::is_primary(self.node) && self.config.settings.allow_failback {
                    // The primary has announced itself: this one gives way.
                    self.tell(event::FAILBACK, None, (Some(peer), 0), ctx);
                    self.quiesce(After::FailBack, ctx);
                }
            }
            _ => {}
        }
    }

    /// The journal goes on, and with it whoever has waited for that.
    fn unlock(&mut self, ctx: &mut Context<'_, Message>) {
        for (conn, body) in std::mem::take(&mut self.locked_out) {
            self.packet(conn, body, ctx);
        }
    }

    /// What was appended goes to the backup, in the order of the journal: one lane sends it.
    pub(in super::super) fn plan_packets(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.packets.is_empty() && !std::mem::replace(&mut self.packets_planned, true) {
            let lane = self.journal_lane();
            ctx.tell(lane, Timer::SendPackets.into());
        }
    }

    /// What was appended since goes to the backup.
    pub(in super::super) fn send_packets(&mut self, ctx: &mut Context<'_, Message>) {
        self.packets_planned = false;
        if self.packets.is_empty() {
            return;
        }
        let packets = std::mem::take(&mut self.packets);
        let Some(own) = &mut self.replicator else { return };
        let conn = own.conn;
        if ctx.room(conn) == 0 && own.blocked.is_none() {
            own.blocked = Some(ctx.monotonic());
            ctx.after(BLOCKED, Lane::MAIN, Timer::LinkBlocked(conn).into());
        }
        let bytes = packets.iter().map(|packet| packet.bytes.saturating_add(PACKET));
        let bytes = bytes.fold(0_u32, u32::saturating_add);
        ctx.send(conn, Message::Replicate(Box::new(packets)), bytes);
    }

    /// The connection takes nothing: the backup is given up.
    pub(in super::super) fn link_blocked(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        let own = self.replicator.as_ref().filter(|own| own.conn == conn);
        let Some(since) = own.and_then(|own| own.blocked) else { return };
        let left = (since + BLOCKED).since(ctx.monotonic());
        if left.is_zero() {
            self.drop_backup(ctx);
        } else {
            ctx.after(left, Lane::MAIN, Timer::LinkBlocked(conn).into());
        }
    }

    /// Whether the backup is silent.
    pub(in super::super) fn check_backup(&mut self, ctx: &mut Context<'_, Message>) {
        let now = ctx.monotonic();
        let Some(own) = &mut self.replicator else { return };
        let bytes = ctx.bytes_received(own.conn);
        if std::mem::replace(&mut own.bytes, bytes) != bytes {
            own.heard = now;
        } else if now.since(own.heard) >= TTL {
            let peer = own.peer;
            self.tell(event::TTL_EXPIRED, None, (Some(peer), 0), ctx);
            self.drop_backup(ctx);
        }
    }

    /// The backup has not said in time that it has everything: in a small cluster the primary stops.
    pub(in super::super) fn sync_timeout(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        let own = self.replicator.as_ref().filter(|own| own.conn == conn);
        let Some(peer) = own.filter(|own| own.stage == Stage::Locked).map(|own| own.peer) else {
            return;
        };
        self.tell(event::SYNC_TIMED_OUT, None, (Some(peer), 0), ctx);
        self.drop_backup(ctx);
        if self.config.brokers / 2 <= 2 {
            self.io_error(ctx);
        }
    }

    fn drop_backup(&mut self, ctx: &mut Context<'_, Message>) {
        if let Some(own) = &self.replicator {
            ctx.abort(own.conn);
        }
        self.backup_lost(ctx);
    }

    /// `clearReplicationTokens`: all that has waited for the backup is answered with one copy.
    pub(in super::super) fn backup_lost(&mut self, ctx: &mut Context<'_, Message>) {
        let Some(own) = self.replicator.take() else { return };
        self.packets.clear();
        let waiting = self.waiting_answers();
        self.tell(event::BACKUP_LOST, None, (Some(own.peer), waiting), ctx);
        if self.phase != Phase::Active {
            return;
        }
        if !self.config.has(Rule::GoOnAlone) {
            self.phase = Phase::Stopping;
            return ctx.exit();
        }
        self.release_all(ctx);
        self.unlock(ctx);
        if own.stage == Stage::Live && self.config.settings.vote_on_replication_failure {
            self.begin_vote(true, ctx);
        }
    }

    /// It stops in order: the backup hears of it, before (`STOP_CALLED`) and after (`FAIL_OVER`).
    pub(in super::super) fn tell_backup(&self, stopped: bool, ctx: &mut Context<'_, Message>) {
        if let Some(own) = &self.replicator {
            ctx.send(own.conn, Message::PrimaryStopping(stopped), PACKET);
        }
    }

    /// It has stopped to serve: the link ends with what was sent.
    pub(in super::super) fn close_backup(&mut self, ctx: &mut Context<'_, Message>) {
        if let Some(own) = self.replicator.take() {
            self.packets.clear();
            ctx.close(own.conn);
        }
    }
}
