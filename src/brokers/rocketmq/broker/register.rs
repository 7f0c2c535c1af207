//! Registration with the NameServers (`BrokerController.registerBrokerAll`): with each of them, again
//! and again.

use crate::engine::Span;
use crate::observe;
use crate::world::{Context, Lane};

use super::super::config::Mode;
use super::super::message::{HEADER, Message, Timer};
use super::super::remoting::{Event, Waits};
use super::super::words::event;
use super::Broker;

/// After its start a broker registers again so soon; then every `registerNameServerPeriod`.
const SECOND: Span = Span::from_secs(10);
/// `registerBrokerTimeoutMills` 4.9.
const TIMEOUT: Span = Span::from_secs(6);
/// Bytes of the topics' configuration in a registration, a topic.
const TOPIC: u32 = 100;

/// What a broker has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To be registered with this NameServer.
    Register(usize),
    /// For the master's offsets.
    Offsets,
    /// A controller, what is decided.
    Replicas,
    /// A controller, for another SyncStateSet.
    Set,
    /// A controller, who leads.
    Leader,
}

impl Broker {
    pub(super) fn start_registering(&mut self, ctx: &mut Context<'_, Message>) {
        self.register_all(ctx);
        let again = match ctx.incarnation() {
            0 => self.first(self.config.settings.register_period, ctx),
            _ => SECOND,
        };
        ctx.after(again, Lane::MAIN, Timer::Register.into());
    }

    pub(super) fn register(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(self.config.settings.register_period, Lane::MAIN, Timer::Register.into());
        self.register_all(ctx);
    }

    pub(super) fn register_all(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.has_role() {
            return;
        }
        let master = self.master_epoch();
        let bytes = HEADER + TOPIC * self.config.topics.len() as u32;
        for server in 0..self.config.nameservers.len() {
            let (waits, asked) = (Waits::Sync(TIMEOUT), Asked::Register(server));
            let request = (|id| Message::Register(id, master), bytes);
            self.remoting.request(server, waits, asked, request, ctx);
        }
    }

    pub(super) fn unregister(&mut self, ctx: &mut Context<'_, Message>) {
        for server in 0..self.config.nameservers.len() {
            self.remoting.post(server, Message::Unregister, HEADER, ctx);
        }
    }

    pub(super) fn remoting_events(
        &mut self,
        events: Vec<Event<Asked>>,
        ctx: &mut Context<'_, Message>,
    ) {
        for event in events {
            match event {
                Event::Answered(Asked::Register(server), Message::Registered(_, has_master)) => {
                    self.registered(server, has_master, ctx);
                }
                Event::Answered(Asked::Offsets, Message::AllOffsets(_, offsets)) => {
                    self.offsets_copied(&offsets, ctx);
                }
                Event::Answered(Asked::Replicas, Message::Replicas(_, decided)) => {
                    self.replicas_are(decided.as_deref(), ctx);
                }
                Event::Failed(Asked::Replicas, _) => self.replicas_are(None, ctx),
                Event::Answered(Asked::Set, Message::Replicas(_, decided)) => {
                    self.set_is(decided.as_deref(), ctx);
                }
                Event::Failed(Asked::Set, _) => self.set_is(None, ctx),
                Event::Answered(Asked::Leader, Message::LeaderIs(_, leader)) => {
                    self.leader_is(leader, ctx);
                }
                Event::Failed(Asked::Leader, _) => self.leader_is(None, ctx),
                Event::Opened(server) => self.reached(server),
                Event::Told(Message::RoleChanged(decided)) => self.learn(&decided, ctx),
                // The next round tries again.
                _ => {}
            }
        }
    }

    fn registered(&mut self, server: usize, has_master: bool, ctx: &mut Context<'_, Message>) {
        let first = ctx.incarnation() > 0 && self.registered & 1 << server == 0;
        if first {
            self.registered |= 1 << server;
            let (now, node) = (ctx.now(), self.node);
            let name = self.config.nameservers[server];
            ctx.observer()
                .event(now, observe::Event::new(event::REGISTERED, node, None, Some(name), 0));
        }
        if !self.is_master() && self.config.mode == Mode::MasterSlave {
            self.upstream.known |= has_master;
            self.upstream.online = has_master;
        }
    }
}
