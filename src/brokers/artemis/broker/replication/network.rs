//! The pinger (`NetworkHealthCheck`): with `network-check-list` a broker that does not reach the router takes itself for
//! cut off.

use crate::observe::NodeId;
use crate::world::{ConnId, Context, Input, Lane};

use super::super::super::message::{Message, Timer};
use super::super::super::router::ECHO;
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::super::{After, Broker, Phase};
use super::Outgoing;

impl Broker {
    /// Pings begin with the process.
    pub(in super::super) fn start_pings(&mut self, ctx: &mut Context<'_, Message>) {
        if self.config.settings.network_check {
            let first = ctx.first_round(self.config.settings.network_check_period);
            ctx.after(first, Lane::MAIN, Timer::PingNetwork.into());
        }
    }

    pub(in super::super) fn ping_network(&mut self, ctx: &mut Context<'_, Message>) {
        let period = self.config.settings.network_check_period;
        ctx.after(period, Lane::MAIN, Timer::PingNetwork.into());
        if matches!(self.phase, Phase::Active | Phase::Isolated) {
            self.ping_router(false, ctx);
        }
    }

    /// Pings the router, for a vote or because it is time.
    pub(super) fn ping_router(&mut self, votes: bool, ctx: &mut Context<'_, Message>) {
        let conn = ctx.connect(NodeId(self.config.brokers), ECHO);
        self.outgoing.insert(conn, Outgoing::Router(votes));
        let most = self.config.settings.network_check_timeout;
        ctx.after(most, Lane::MAIN, Timer::PingLost(conn).into());
    }

    pub(super) fn router_input(
        &mut self,
        conn: ConnId,
        votes: bool,
        input: Input<Message>,
        ctx: &mut Context<'_, Message>,
    ) {
        match input {
            Input::Connected { .. } => {
                self.hang_up(conn, ctx);
                self.pinged(votes, true, ctx);
            }
            Input::Failed { .. } => self.pinged(votes, false, ctx),
            _ => {}
        }
    }

    pub(in super::super) fn ping_lost(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        if let Some(Outgoing::Router(votes)) = self.outgoing.get(&conn).copied() {
            self.hang_up(conn, ctx);
            self.pinged(votes, false, ctx);
        }
    }

    fn pinged(&mut self, votes: bool, reached: bool, ctx: &mut Context<'_, Message>) {
        if votes {
            return self.concluded(reached, ctx);
        }
        match self.phase {
            Phase::Active if !reached && self.config.has(Rule::StopWhenIsolated) => {
                self.tell(event::ISOLATED, None, (None, 0), ctx);
                self.quiesce(After::Isolate, ctx);
            }
            Phase::Isolated if reached => {
                self.tell(event::NETWORK_BACK, None, (None, 0), ctx);
                self.start(ctx);
            }
            _ => {}
        }
    }
}
