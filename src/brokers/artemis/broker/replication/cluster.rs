//! Connections between the active brokers of different pairs (`ClusterConnectionImpl`): whose is open is in the
//! topology, and so it is what votes say.

use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{ConnId, Context, Input, Lane};

use super::super::super::config::{ARTEMIS, Config};
use super::super::super::message::{Message, PACKET, Timer};
use super::super::super::rules::Rule;
use super::super::super::silence::Silence;
use super::super::{Broker, Phase};
use super::{CHECK, Outgoing, TTL};

/// `retry-interval` of a cluster connection.
const RETRY: Span = Span::from_millis(500);

/// The way to another pair.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct ClusterLink {
    conn: Option<ConnId>,
    /// Whether the active broker of that pair is at its other end.
    open: bool,
    /// Whom it tries: the primary, or else the backup.
    tries_backup: bool,
    silence: Silence,
}

impl Broker {
    pub(in super::super) fn start_cluster(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.is_replicated_pair() {
            return;
        }
        self.cluster = vec![ClusterLink::default(); self.config.brokers as usize / 2];
        for pair in 0..self.cluster.len() as u32 {
            self.cluster_try(pair, ctx);
        }
    }

    /// Connects to one of a pair, and the next time to the other.
    pub(in super::super) fn cluster_try(&mut self, pair: u32, ctx: &mut Context<'_, Message>) {
        if self.phase != Phase::Active || pair == Config::pair(self.node) {
            return;
        }
        let Some(link) = self.cluster.get_mut(pair as usize).filter(|link| link.conn.is_none())
        else {
            return;
        };
        let broker = NodeId(pair * 2 + u32::from(link.tries_backup));
        link.tries_backup = !link.tries_backup;
        let conn = ctx.connect(broker, ARTEMIS);
        link.conn = Some(conn);
        self.outgoing.insert(conn, Outgoing::Cluster(pair));
    }

    pub(super) fn cluster_input(
        &mut self,
        conn: ConnId,
        pair: u32,
        input: Input<Message>,
        ctx: &mut Context<'_, Message>,
    ) {
        let link = self.cluster.get_mut(pair as usize).filter(|link| link.conn == Some(conn));
        let Some(link) = link else { return };
        match input {
            Input::Connected { .. } => {
                link.silence = Silence::new(ctx.monotonic());
                ctx.send(conn, Message::ClusterConnect(pair), PACKET);
                ctx.after(CHECK, Lane::MAIN, Timer::ClusterCheck(pair, conn).into());
            }
            Input::Message { body: Message::ClusterIs(active), .. } => {
                link.open = active;
                link.tries_backup = !link.tries_backup;
            }
            Input::Failed { .. } | Input::Closed { .. } => self.cluster_lost(pair, ctx),
            _ => {}
        }
    }

    fn cluster_lost(&mut self, pair: u32, ctx: &mut Context<'_, Message>) {
        if let Some(link) = self.cluster.get_mut(pair as usize) {
            (link.conn, link.open) = (None, false);
            ctx.after(RETRY, Lane::MAIN, Timer::ClusterTry(pair).into());
        }
    }

    /// Whether the other end is silent.
    pub(in super::super) fn cluster_check(
        &mut self,
        pair: u32,
        conn: ConnId,
        ctx: &mut Context<'_, Message>,
    ) {
        let link = self.cluster.get_mut(pair as usize).filter(|link| link.conn == Some(conn));
        let Some(link) = link else { return };
        let rule = (TTL, self.config.has(Rule::CheckByWindow));
        if link.silence.is_over(ctx.monotonic(), ctx.bytes_received(conn), rule) {
            self.hang_up(conn, ctx);
            return self.cluster_lost(pair, ctx);
        }
        ctx.send(conn, Message::Ping, PACKET);
        ctx.after(CHECK, Lane::MAIN, Timer::ClusterCheck(pair, conn).into());
    }

    /// Another broker looks for the active one of a pair.
    pub(in super::super) fn cluster_asked(
        &mut self,
        conn: ConnId,
        key: u32,
        pair: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        if let Some(session) = self.sessions.get_mut(&key) {
            session.set_ttl(TTL);
        }
        ctx.send(conn, Message::ClusterIs(pair == Config::pair(self.node)), PACKET);
    }

    /// Whether its topology has an active broker of a pair.
    pub(super) fn knows_active(&self, pair: u32) -> bool {
        pair == Config::pair(self.node)
            || self.cluster.get(pair as usize).is_some_and(|link| link.open)
    }

    pub(in super::super) fn end_cluster(&mut self, ctx: &mut Context<'_, Message>) {
        for link in std::mem::take(&mut self.cluster) {
            if let Some(conn) = link.conn {
                self.hang_up(conn, ctx);
            }
        }
    }
}
