//! A NameServer (`namesrv/routeinfo/RouteInfoManager.java`): who is there, in memory only. It learns
//! of brokers from their registrations, and of their deaths in two ways: their connection ends, which
//! it sees at once, or they are silent for 120 s.

use std::sync::Arc;

use crate::engine::{Span, Time};
use crate::observe::{Event, NodeId, Observer};
use crate::world::{ConnId, Context, Input, Lane, Signal, Wait};

use super::config::{Config, FIRST_EPOCH, Mode, NAMESERVER, Place};
use super::message::{HEADER, Known, Message, Route, Timer};
use super::rules::Rule;
use super::words::event;

/// `DEFAULT_BROKER_CHANNEL_EXPIRED_TIME`.
const EXPIRY: Span = Span::from_secs(120);
/// `brokerNotActiveTimeoutMillis`: the same for brokers that send heartbeats every second.
const HEARTBEAT_EXPIRY: Span = Span::from_secs(10);
/// The first look for silent brokers (`NamesrvController.initialize`).
const FIRST_SCAN: Span = Span::from_secs(5);

/// A broker that is registered (`BrokerLiveInfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Live {
    /// When it last registered, by the wall clock.
    last: Time,
    /// Its connection; none for those that it knew before the run, until they register again.
    conn: Option<ConnId>,
    /// In which epoch it is registered as a master; none of a slave.
    master: Option<u32>,
}

/// A NameServer.
#[derive(Clone, Debug)]
pub struct NameServer {
    config: Arc<Config>,
    node: NodeId,
    live: Vec<Option<Live>>,
    up: bool,
}

impl NameServer {
    /// One that has not started. At time zero it has known all brokers for a while.
    #[must_use]
    pub fn new(config: Arc<Config>, node: NodeId) -> NameServer {
        let live = (0..config.brokers).map(|broker| {
            let master = (config.place(NodeId(broker)).id == 0).then_some(FIRST_EPOCH);
            Some(Live { last: Time::ZERO, conn: None, master })
        });
        NameServer { live: live.collect(), config, node, up: false }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                self.up = true;
                ctx.listen(NAMESERVER);
                let now = ctx.clock();
                self.live.iter_mut().flatten().for_each(|live| live.last = now);
                ctx.after(FIRST_SCAN, Lane::MAIN, Timer::Scan.into());
            }
            Input::Signal(Signal::Stop) => ctx.exit(),
            Input::Message { conn, body } => self.request(conn, body, ctx),
            Input::Closed { conn, .. } => self.closed(conn, ctx),
            Input::Local { body: Message::Timer(Timer::Scan) } => self.scan(ctx),
            _ => {}
        }
    }

    fn request(&mut self, conn: ConnId, body: Message, ctx: &mut Context<'_, Message>) {
        ctx.spend(self.config.costs.request);
        match body {
            Message::Alive => {
                let now = ctx.clock();
                if let Some(broker) = ctx.peer(conn)
                    && let Some(live) = &mut self.live[broker.index()]
                {
                    live.last = now;
                }
            }
            Message::Register(id, master) => {
                let Some(broker) = ctx.peer(conn) else { return };
                let last = ctx.clock();
                self.live[broker.index()] = Some(Live { last, conn: Some(conn), master });
                let group = self.config.place(broker).group;
                let has_master = self.known(group).master.is_some();
                ctx.send(conn, Message::Registered(id, has_master), HEADER);
            }
            Message::Unregister => {
                if let Some(broker) = ctx.peer(conn) {
                    self.remove(broker, event::UNREGISTERED, 0, ctx);
                }
            }
            Message::GetRoute(id) => {
                let route = self.route();
                let bytes = HEADER + 100 * self.config.groups();
                ctx.send(conn, Message::RouteIs(id, route), bytes);
            }
            _ => {}
        }
    }

    /// The brokers of a group that are registered. Of two masters the one with the greater epoch counts
    /// (`registerBroker`, "stateVersion").
    fn known(&self, group: u32) -> Known {
        let mut known = Known::default();
        let mut greatest = None;
        for id in 0..=self.config.slaves {
            let broker = self.config.broker(Place { group, id });
            let Some(live) = self.live[broker.index()] else { continue };
            known.members |= 1 << id;
            if live.master.is_some() && live.master > greatest {
                greatest = live.master;
                known.master = Some(id as u8);
            }
        }
        known
    }

    /// Where topics are: every group has all of them. None if no broker is there (`TOPIC_NOT_EXIST`).
    fn route(&self) -> Option<Route> {
        let groups: Vec<Known> = (0..self.config.groups()).map(|group| self.known(group)).collect();
        groups.iter().any(|known| known.members != 0).then(|| groups.into())
    }

    /// Whether a broker is in the routes.
    #[must_use]
    pub fn knows(&self, broker: NodeId) -> bool {
        self.live[broker.index()].is_some()
    }

    /// Whether its process is there.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.up
    }

    /// `onChannelDestroy`.
    fn closed(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        let owns = |live: &Option<Live>| live.is_some_and(|live| live.conn == Some(conn));
        let Some(broker) = self.live.iter().position(owns) else { return };
        if self.config.has(Rule::UnregisterOnClose) {
            self.remove(NodeId(broker as u32), event::UNREGISTERED, 0, ctx);
        }
    }

    /// `scanNotActiveBroker`.
    fn scan(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(self.config.scan_interval, Lane::MAIN, Timer::Scan.into());
        if !self.config.has(Rule::ExpireSilentBrokers) {
            return;
        }
        let now = ctx.clock();
        let expiry = match self.config.mode {
            Mode::MasterSlave | Mode::Dledger => EXPIRY,
            Mode::Controller => HEARTBEAT_EXPIRY,
        };
        for broker in 0..self.live.len() {
            let Some(live) = self.live[broker] else { continue };
            if live.last + expiry < now {
                if let Some(conn) = live.conn {
                    ctx.close(conn);
                }
                let silent = now.since(live.last).as_millis();
                self.remove(NodeId(broker as u32), event::EXPIRED, silent, ctx);
            }
        }
    }

    fn remove(
        &mut self,
        broker: NodeId,
        word: crate::observe::EventId,
        count: u64,
        ctx: &mut Context<'_, Message>,
    ) {
        if self.live[broker.index()].take().is_some() {
            let (now, node) = (ctx.now(), self.node);
            ctx.observer().event(now, Event::new(word, node, None, Some(broker), count));
        }
    }

    /// The process has died: it kept nothing.
    pub fn died(&mut self, _: Time, _: &mut dyn Observer) {
        self.live.iter_mut().for_each(|live| *live = None);
        self.up = false;
    }

    /// It waits for nothing of its own.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        None
    }
}
