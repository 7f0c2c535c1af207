//! Pairs of brokers (`SharedNothingPrimaryActivation`, `SharedNothingBackupActivation`): the active one sends
//! every operation of its journal to the other, which takes over when it may.
//!
//! Whom a broker has connected to itself, and what for, is an [`Outgoing`] connection.

mod backup;
mod cluster;
mod network;
mod primary;
mod quorum;

use crate::engine::Span;
use crate::world::{ConnId, Context, Input};

use super::super::config::{ARTEMIS, Config, Policy};
use super::super::message::{Message, PACKET, Timer};
use super::{Broker, Phase};

pub(super) use backup::Backup;
pub(super) use cluster::ClusterLink;
pub(super) use primary::Replicator;
pub(super) use quorum::Vote;

/// `connection-ttl` of links between brokers, and how often they are looked at from the side that has connected.
const TTL: Span = Span::from_secs(60);
const CHECK: Span = Span::from_secs(30);
/// How long a primary that starts looks for an active broker with its identity.
const ACTIVE_CHECK: Span = Span::from_secs(5);

/// What a broker has connected to another host for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// To its primary, to be its backup.
    Join,
    /// To the other one of its pair: is it active?
    ActiveCheck,
    /// To a voter.
    Voter,
    /// To the active broker of this pair.
    Cluster(u32),
    /// To the router; for the vote, or because it is time.
    Router(bool),
}

impl Broker {
    /// Something has happened on a connection that this broker has made.
    pub(super) fn outgoing(
        &mut self,
        (conn, what): (ConnId, Outgoing),
        input: Input<Message>,
        ctx: &mut Context<'_, Message>,
    ) {
        if matches!(input, Input::Failed { .. } | Input::Closed { .. }) {
            self.outgoing.remove(&conn);
        }
        match what {
            Outgoing::Join => self.primary_input(conn, input, ctx),
            Outgoing::ActiveCheck => self.active_checked(conn, input, ctx),
            Outgoing::Voter => self.voter_input(conn, input, ctx),
            Outgoing::Cluster(pair) => self.cluster_input(conn, pair, input, ctx),
            Outgoing::Router(votes) => self.router_input(conn, votes, input, ctx),
        }
    }

    /// A connection that this broker needs no more.
    pub(super) fn hang_up(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        if self.outgoing.remove(&conn).is_some() {
            ctx.abort(conn);
        }
    }

    pub(super) fn is_replicated_pair(&self) -> bool {
        self.config.policy == Policy::Replication
    }

    /// A broker of a pair starts: the primary if nobody else is active in its place, the other as a backup.
    pub(super) fn start_in_pair(&mut self, ctx: &mut Context<'_, Message>) {
        self.phase = Phase::Starting;
        if !Config::is_primary(self.node) {
            return self.become_backup(ctx);
        }
        // At time zero it is known that nobody is.
        let first = ctx.incarnation() == 0 && ctx.now() == crate::engine::Time::ZERO;
        let Some(other) = self.config.other(self.node) else { return self.load(ctx) };
        if first || !self.config.settings.check_for_active {
            return self.load(ctx);
        }
        let conn = ctx.connect(other, ARTEMIS);
        self.outgoing.insert(conn, Outgoing::ActiveCheck);
        ctx.after(ACTIVE_CHECK, crate::world::Lane::MAIN, Timer::ActiveCheckOver.into());
    }

    /// `checkForActiveServer`: who finds its own identity active becomes a backup.
    fn active_checked(
        &mut self,
        conn: ConnId,
        input: Input<Message>,
        ctx: &mut Context<'_, Message>,
    ) {
        match input {
            Input::Connected { .. } => {
                ctx.send(conn, Message::ClusterConnect(Config::pair(self.node)), PACKET);
            }
            Input::Message { body: Message::ClusterIs(active), .. } => {
                self.hang_up(conn, ctx);
                if self.phase != Phase::Starting {
                } else if active {
                    self.become_backup(ctx);
                } else {
                    self.load(ctx);
                }
            }
            Input::Failed { .. } | Input::Closed { .. } if self.phase == Phase::Starting => {
                self.load(ctx);
            }
            _ => {}
        }
    }

    /// It has looked long enough.
    pub(super) fn active_check_over(&mut self, ctx: &mut Context<'_, Message>) {
        let check = self.outgoing.iter().find(|(_, what)| **what == Outgoing::ActiveCheck);
        if let Some(conn) = check.map(|(conn, _)| *conn) {
            self.hang_up(conn, ctx);
            if self.phase == Phase::Starting {
                self.load(ctx);
            }
        }
    }
}
