//! What producers and consumers share (`client/impl/factory/MQClientInstance.java`): a NameServer that is
//! asked again and again where the topic is, and connections to brokers.

pub mod consumer;
pub mod producer;

use std::sync::Arc;

use crate::engine::{Span, Time};
use crate::observe::{Event, NodeId};
use crate::world::{Context, Lane};

use super::config::{BROKER, Config, NAMESERVER, Place};
use super::message::{HEADER, Known, Message, Route, Timer};
use super::remoting::{Failure, Remoting, Waits};
use super::rules::Rule;
use super::words::event;

/// How long a question to a NameServer may take (`mqClientApiTimeout`).
const TIMEOUT: Span = Span::from_secs(3);
/// After its start a client asks so soon.
const FIRST_POLL: Span = Span::from_millis(10);

/// What a client has asked for: the route, or what its kind of client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<W> {
    /// The route of its topic, of this NameServer, after so many others.
    Route(usize, usize),
    /// Something else.
    Own(W),
}

/// The client of one topic.
#[derive(Clone, Debug)]
pub struct Instance<W> {
    config: Arc<Config>,
    /// Its connections: to brokers by their hosts, then to the NameServers.
    pub remoting: Remoting<Asked<W>>,
    poll_interval: Span,
    /// The NameServer that it talks to.
    chosen: usize,
    /// Of each group the `brokerId`s that are there, as far as it knows.
    route: Option<Route>,
    asking: bool,
}

impl<W: Copy + PartialEq> Instance<W> {
    /// One that has not started.
    #[must_use]
    pub fn new(config: Arc<Config>, poll_interval: Span) -> Instance<W> {
        let brokers = (0..config.brokers).map(|broker| (NodeId(broker), BROKER));
        let names = config.nameservers.iter().map(|server| (*server, NAMESERVER));
        let remoting = Remoting::new(brokers.chain(names), config.has(Rule::CloseOnTimeout));
        Instance { remoting, config, poll_interval, chosen: 0, route: None, asking: false }
    }

    /// It starts. One from before the run knows the whole cluster.
    pub fn start(&mut self, ctx: &mut Context<'_, Message>) {
        self.chosen = ctx.random().below(self.config.nameservers.len() as u64) as usize;
        if ctx.incarnation() == 0 && ctx.now() == Time::ZERO {
            let members = (1 << (self.config.slaves + 1)) - 1;
            let all = Known { members, master: Some(0) };
            self.route = Some(vec![all; self.config.groups() as usize].into());
            let first = ctx.first_round(self.poll_interval);
            ctx.after(first, Lane::MAIN, Timer::PollRoute.into());
        } else {
            ctx.after(FIRST_POLL, Lane::MAIN, Timer::PollRoute.into());
            self.ask_route(ctx);
        }
    }

    /// `updateTopicRouteInfoFromNameServer`, every `pollNameServerInterval`.
    pub fn poll(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(self.poll_interval, Lane::MAIN, Timer::PollRoute.into());
        self.ask_route(ctx);
    }

    /// Asks for the route, unless it does already.
    pub fn ask_route(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.asking {
            self.ask_route_of(0, ctx);
        }
    }

    fn ask_route_of(&mut self, tried: usize, ctx: &mut Context<'_, Message>) {
        self.asking = true;
        let server = self.config.brokers as usize + self.chosen;
        let asked = Asked::Route(self.chosen, tried);
        let request = (Message::GetRoute, HEADER);
        self.remoting.request(server, Waits::Sync(TIMEOUT), asked, request, ctx);
    }

    /// A NameServer to which there is no connection is left for the next one at once; one that does
    /// not answer is asked again at the next round.
    pub fn route_failed(
        &mut self,
        tried: usize,
        failure: Failure,
        ctx: &mut Context<'_, Message>,
    ) -> bool {
        self.asking = false;
        let servers = self.config.nameservers.len();
        if failure == Failure::TimedOut || tried + 1 >= servers {
            if !self.config.has(Rule::KeepRoute) {
                self.route = None;
            }
            return false;
        }
        self.chosen = (self.chosen + 1) % servers;
        self.ask_route_of(tried + 1, ctx);
        true
    }

    /// A NameServer has answered; whether the route is another one now. One that knows no broker
    /// changes nothing.
    pub fn route_is(&mut self, route: Option<Route>, ctx: &mut Context<'_, Message>) -> bool {
        self.asking = false;
        let Some(route) = route.filter(|route| self.route.as_ref() != Some(route)) else {
            return false;
        };
        self.route = Some(route);
        let (now, node) = (ctx.now(), ctx.node());
        let takes = self.publishable().count() as u64;
        ctx.observer().event(now, Event::new(event::ROUTE_CHANGED, node, None, None, takes));
        true
    }

    /// The groups that take messages: those with a master in the route
    /// (`topicRouteData2TopicPublishInfo`).
    pub fn publishable(&self) -> impl Iterator<Item = u32> + '_ {
        self.groups_with(|known| known.master.is_some())
    }

    /// The groups in the route.
    pub fn readable(&self) -> impl Iterator<Item = u32> + '_ {
        self.groups_with(|known| known.members != 0)
    }

    fn groups_with(&self, wanted: fn(&Known) -> bool) -> impl Iterator<Item = u32> + '_ {
        let groups = self.route.iter().flat_map(|route| route.iter());
        (0..).zip(groups).filter(move |(_, known)| wanted(known)).map(|(group, _)| group)
    }

    /// The brokers in the route.
    pub fn brokers(&self) -> impl Iterator<Item = NodeId> + '_ {
        let config = &self.config;
        self.readable().flat_map(move |group| {
            let ids = (0..=config.slaves).filter(move |id| self.has(group, *id));
            ids.map(move |id| config.broker(Place { group, id }))
        })
    }

    fn has(&self, group: u32, id: u32) -> bool {
        self.route.as_ref().is_some_and(|route| route[group as usize].members & 1 << id != 0)
    }

    /// The broker of a group to talk to: its master, or whoever is there
    /// (`findBrokerAddressInSubscribe`).
    #[must_use]
    pub fn any_of(&self, group: u32) -> Option<NodeId> {
        self.master_of(group).or_else(|| {
            let id = (0..=self.config.slaves).find(|id| self.has(group, *id))?;
            Some(self.config.broker(Place { group, id }))
        })
    }

    /// The master of a group, if it is in the route.
    #[must_use]
    pub fn master_of(&self, group: u32) -> Option<NodeId> {
        let id = u32::from(self.route.as_ref()?[group as usize].master?);
        Some(self.config.broker(Place { group, id }))
    }

    /// Whether it waits for a route.
    #[must_use]
    pub const fn is_asking(&self) -> bool {
        self.asking
    }

    /// The process has died: what it had asked for.
    pub fn died(&mut self) -> Vec<W> {
        self.route = None;
        self.asking = false;
        let asked = self.remoting.died().into_iter();
        asked
            .filter_map(|asked| match asked {
                Asked::Route(..) => None,
                Asked::Own(own) => Some(own),
            })
            .collect()
    }
}
