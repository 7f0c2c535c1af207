//! A client's connections (NetworkClient.java): a link to each broker it talks to, back-off
//! between tries to connect, and the question for metadata. All of it goes by the host's wall clock
//! (SystemTime.java: `milliseconds()` is `System.currentTimeMillis()`).

use std::sync::Arc;

use crate::engine::{Span, Time};
use crate::observe::{ContactState, NodeId};
use crate::world::{Alarm, By, ConnId, Context, Input, Lane};

use super::super::config::{BROKER, Config};
use super::super::link::{Link, doubled, jittered};
use super::super::message::{Message, Request, Response, Timer};
use super::super::nodes::NodeSet;
use super::super::rules::Rule;
use super::metadata::Metadata;

/// `reconnect.backoff.ms` (CommonClientConfigs.java: 10 in 0.8.2, 50 since).
const RECONNECT: Span = Span::from_millis(50);
/// `reconnect.backoff.max.ms` (KIP-144).
const RECONNECT_MAX: Span = Span::from_secs(1);

/// How a client talks to brokers.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// `bootstrap.servers`: whom it asks first.
    pub connect: Vec<NodeId>,
    /// What all know.
    pub run: Arc<Config>,
    /// `max.in.flight.requests.per.connection`.
    pub max_in_flight: usize,
    /// After so long without an answer a connection is ended.
    pub request_timeout: Span,
    /// `retry.backoff.ms`.
    pub backoff: Span,
    /// `metadata.max.age.ms`.
    pub max_age: Span,
    /// Whether `connect` is asked again when nobody else answers.
    pub rebootstrap: bool,
    /// Whether metadata of an older leader epoch is ignored.
    pub keep_newer: bool,
    /// Whether it has connections of their own to coordinators, so that a request that is parked
    /// there holds nothing up (AbstractCoordinator.java: the id of that node is `Integer.MAX_VALUE`
    /// less the broker's).
    pub coordinators: bool,
    /// Whether there is a producer beside the consumer, with connections of its own.
    pub producer: bool,
}

impl NetworkConfig {
    /// What the rules of a version say, with these numbers.
    #[must_use]
    pub fn new(
        config: &Arc<Config>,
        connect: Vec<NodeId>,
        max_in_flight: usize,
        request_timeout: Span,
        (backoff, max_age): (Span, Span),
    ) -> NetworkConfig {
        NetworkConfig {
            connect,
            run: config.clone(),
            max_in_flight,
            request_timeout,
            backoff,
            max_age,
            rebootstrap: config.has(Rule::Rebootstrap),
            keep_newer: config.has(Rule::KeepNewerMetadata),
            coordinators: false,
            producer: false,
        }
    }
}

/// What an input was to the network.
#[derive(Clone, Debug)]
pub enum NetworkEvent {
    /// Nothing that matters to others.
    Nothing,
    /// A request may go out that could not before.
    Ready,
    /// A request was answered.
    Answer {
        /// By whom.
        node: NodeId,
        /// Its number.
        id: u32,
        /// The answer.
        body: Box<Response>,
    },
    /// A connection is lost, and the answers to these requests with it.
    Lost {
        /// To whom.
        node: NodeId,
        /// The requests, the oldest first.
        ids: Vec<u32>,
    },
    /// There is new metadata.
    Metadata,
    /// It is not about the network.
    Other(Input<Message>),
}

#[derive(Clone, Debug)]
struct Peer {
    link: Link,
    /// From when on it may be tried to connect.
    not_before: Time,
    /// When that was tried last; zero if it never was.
    tried: Time,
    /// How often that has failed, or the connection ended, since it last came about.
    failures: u32,
    /// The question for metadata that is under way on it.
    metadata: Option<u32>,
}

/// Tells that a client has waited for a broker as long as it does: for an answer on a connection
/// that is open, else for the connection.
pub(super) fn overdue(
    ctx: &mut Context<'_, Message>,
    node: NodeId,
    was_open: bool,
    request_timeout: Span,
) {
    let (state, why) = match was_open {
        true => (ContactState::Lost, ("no answer to a request for", request_timeout)),
        false => (ContactState::GivenUp, ("no connection in time", Span::ZERO)),
    };
    ctx.contact(node, state, why);
}

/// A client's connections.
#[derive(Clone, Debug)]
pub struct Network {
    config: NetworkConfig,
    peers: Vec<Peer>,
    metadata: Metadata,
    /// When metadata is looked at again.
    timer: Alarm,
}

impl Network {
    /// Nothing is connected.
    #[must_use]
    pub fn new(config: NetworkConfig) -> Network {
        let brokers = config.run.brokers;
        let peer = |node: u32| Peer {
            link: Link::new(node, NodeId(node % brokers), BROKER),
            not_before: Time::ZERO,
            tried: Time::ZERO,
            failures: 0,
            metadata: None,
        };
        let peers = brokers * (1 + u32::from(config.coordinators) + u32::from(config.producer));
        Network {
            peers: (0..peers).map(peer).collect(),
            metadata: Metadata::new(config.backoff, config.max_age, config.keep_newer),
            config,
            timer: Alarm::new(By::Wall),
        }
    }

    /// A broker as a coordinator, to which there is a connection of its own.
    #[must_use]
    pub fn coordinator(&self, broker: NodeId) -> NodeId {
        NodeId(broker.0 + self.config.run.brokers)
    }

    /// A broker as the producer beside the consumer sees it, which has connections of its own.
    #[must_use]
    pub fn producer(&self, broker: NodeId) -> NodeId {
        NodeId(broker.0 + 2 * self.config.run.brokers)
    }

    /// The broker behind a peer.
    fn host(&self, peer: NodeId) -> NodeId {
        NodeId(peer.0 % self.config.run.brokers)
    }

    /// Any broker that may be asked now: of those that are connected that with the fewest requests
    /// under way (`leastLoadedNode`). If there is none, one is connected to, and an input tells.
    pub fn any_ready(&mut self, ctx: &mut Context<'_, Message>) -> Option<NodeId> {
        let nodes = self.candidates();
        let least = nodes.iter().copied().filter(|node| {
            let link = &self.peers[node.index()].link;
            let room = link.conn().is_some_and(|conn| ctx.room(conn) > 0);
            room && link.in_flight() < self.config.max_in_flight
        });
        let least = least.min_by_key(|node| self.peers[node.index()].link.in_flight());
        if least.is_none() {
            let now = ctx.clock();
            if let Some(node) = self.next_to_try(nodes.into_iter(), now) {
                // Where the back-off is not over the question for metadata wakes it.
                let _ = self.connect(ctx, node);
            }
        }
        least
    }

    /// Ends the connection to a peer; what was asked on it will not be answered.
    pub fn close(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) -> Vec<u32> {
        self.peers[node.index()].link.close(ctx)
    }

    /// What is known of the cluster.
    #[must_use]
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Asks for metadata as soon as may be.
    pub fn want_metadata(&mut self, ctx: &mut Context<'_, Message>) {
        self.metadata.want();
        self.poll(ctx);
    }

    /// Whether a request may go to a broker now. If there is no connection it makes one, if it may;
    /// `Err` says when to look again, [`Time::MAX`] if an input will tell.
    ///
    /// # Errors
    /// When to look again.
    pub fn ready(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) -> Result<(), Time> {
        if let Some(conn) = self.peers[node.index()].link.conn() {
            let peer = &self.peers[node.index()];
            let room = peer.link.in_flight() < self.config.max_in_flight && ctx.room(conn) > 0;
            return if room { Ok(()) } else { Err(Time::MAX) };
        }
        self.connect(ctx, node)
    }

    /// Makes a connection if there is none and the back-off is over.
    fn connect(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) -> Result<(), Time> {
        let now = ctx.clock();
        let peer = &mut self.peers[node.index()];
        if !peer.link.is_closed() {
            return Err(Time::MAX);
        }
        if peer.not_before > now {
            return Err(peer.not_before);
        }
        (peer.not_before, peer.tried) = (now + RECONNECT, now);
        if peer.failures > 0 {
            let host = NodeId(node.0 % self.config.run.brokers);
            ctx.contact(host, ContactState::Reconnecting, ("", Span::ZERO));
        }
        peer.link.open_in_time(&self.config.run, None, ctx);
        Err(Time::MAX)
    }

    /// Sends a request; [`Network::ready`] must have said that it may. Returns its number.
    pub fn send(&mut self, ctx: &mut Context<'_, Message>, node: NodeId, request: Request) -> u32 {
        let timeout = self.config.request_timeout;
        self.send_within(ctx, node, request, timeout)
    }

    /// The same, for a request that may take longer.
    pub fn send_within(
        &mut self,
        ctx: &mut Context<'_, Message>,
        node: NodeId,
        request: Request,
        timeout: Span,
    ) -> u32 {
        self.peers[node.index()].link.send(ctx, request, timeout)
    }

    /// Sends a request that is not answered.
    pub fn post(&mut self, ctx: &mut Context<'_, Message>, node: NodeId, request: Request) {
        self.peers[node.index()].link.post(ctx, request);
    }

    /// Ends all connections, for good.
    pub fn shut(&mut self, ctx: &mut Context<'_, Message>) {
        for peer in &mut self.peers {
            peer.link.close(ctx);
        }
        self.timer.cancel(ctx);
    }

    fn owner(&self, conn: ConnId) -> Option<NodeId> {
        let index = self.peers.iter().position(|peer| peer.link.owns(conn))?;
        Some(NodeId(index as u32))
    }

    /// Handles what is about connections and metadata.
    pub fn handle(
        &mut self,
        input: Input<Message>,
        ctx: &mut Context<'_, Message>,
    ) -> NetworkEvent {
        match input {
            Input::Connected { conn } => {
                let Some(node) = self.owner(conn) else { return NetworkEvent::Nothing };
                let peer = &mut self.peers[node.index()];
                peer.link.connected(conn);
                peer.failures = 0;
                ctx.contact(self.host(node), ContactState::Connected, ("", Span::ZERO));
                self.poll(ctx);
                NetworkEvent::Ready
            }
            Input::Failed { conn, why } => {
                let Some(node) = self.owner(conn) else { return NetworkEvent::Nothing };
                ctx.contact(self.host(node), ContactState::GivenUp, (why.words(), Span::ZERO));
                let ids = self.peers[node.index()].link.lost(ctx);
                self.lost(ctx, node, ids)
            }
            Input::Closed { conn, how } => {
                let Some(node) = self.owner(conn) else { return NetworkEvent::Nothing };
                ctx.contact(self.host(node), ContactState::Lost, (how.words(), Span::ZERO));
                let ids = self.peers[node.index()].link.lost(ctx);
                self.lost(ctx, node, ids)
            }
            Input::Writable { .. } => {
                self.poll(ctx);
                NetworkEvent::Ready
            }
            Input::Message { conn, body: Message::Response { id, body } } => {
                self.answered(ctx, conn, id, body)
            }
            Input::Local { body: Message::Timer(Timer::Link { link, turn }) } => {
                let was_open = self.peers[link as usize].link.is_open();
                let Some(ids) = self.peers[link as usize].link.timer(ctx, turn) else {
                    return NetworkEvent::Nothing;
                };
                overdue(ctx, self.host(NodeId(link)), was_open, self.config.request_timeout);
                self.lost(ctx, NodeId(link), ids)
            }
            Input::Local { body: Message::Timer(Timer::Metadata) } => {
                if self.timer.rang(ctx) {
                    self.poll(ctx);
                }
                NetworkEvent::Nothing
            }
            other => NetworkEvent::Other(other),
        }
    }

    fn answered(
        &mut self,
        ctx: &mut Context<'_, Message>,
        conn: ConnId,
        id: u32,
        body: Box<Response>,
    ) -> NetworkEvent {
        let Some(node) = self.owner(conn) else { return NetworkEvent::Nothing };
        let peer = &mut self.peers[node.index()];
        if !peer.link.answered(id) {
            return NetworkEvent::Nothing;
        }
        if peer.metadata != Some(id) {
            return NetworkEvent::Answer { node, id, body };
        }
        peer.metadata = None;
        let now = ctx.clock();
        match *body {
            Response::Metadata(view) => self.metadata.answered(now, view),
            _ => self.metadata.failed(now),
        }
        self.poll(ctx);
        NetworkEvent::Metadata
    }

    /// NetworkClient.java, processDisconnection: whoever loses a connection asks for metadata.
    fn lost(
        &mut self,
        ctx: &mut Context<'_, Message>,
        node: NodeId,
        mut ids: Vec<u32>,
    ) -> NetworkEvent {
        let now = ctx.clock();
        let peer = &mut self.peers[node.index()];
        if self.config.run.has(Rule::BackOffReconnects) {
            // ClusterConnectionStates.java 0.11, updateReconnectBackoff.
            let wait = doubled(RECONNECT, peer.failures, RECONNECT_MAX);
            peer.not_before = now + jittered(wait, ctx.random());
        }
        peer.failures += 1;
        if let Some(asked) = peer.metadata.take() {
            ids.retain(|id| *id != asked);
            self.metadata.failed(now);
        }
        self.want_metadata(ctx);
        NetworkEvent::Lost { node, ids }
    }

    /// Asks for metadata if it is time (DefaultMetadataUpdater.maybeUpdate): of a connected broker
    /// with the fewest requests under way; else it waits for a connection that is being made; else
    /// it makes one.
    pub fn poll(&mut self, ctx: &mut Context<'_, Message>) {
        let now = ctx.clock();
        let due = self.metadata.due();
        if due > now {
            return self.wake_at(ctx, due);
        }
        match self.least_loaded(ctx) {
            Ok(node) => {
                let id = self.send(ctx, node, Request::Metadata);
                self.peers[node.index()].metadata = Some(id);
                self.metadata.asked();
            }
            Err(Time::MAX) => {}
            Err(again) => self.wake_at(ctx, again),
        }
    }

    /// A connected broker with the fewest requests under way. If there is none it makes a
    /// connection, if none is being made.
    ///
    /// # Errors
    /// When to look again; [`Time::MAX`] if an input will tell.
    pub fn least_loaded(&mut self, ctx: &mut Context<'_, Message>) -> Result<NodeId, Time> {
        let now = ctx.clock();
        let nodes = self.candidates();
        if nodes.is_empty() {
            return Err(Time::MAX);
        }
        // NetworkClient.java, leastLoadedNode: from a place drawn at random on.
        let start = ctx.random().below(nodes.len() as u64) as usize;
        let order = (0..nodes.len()).map(|at| nodes[(start + at) % nodes.len()]);
        let least = order
            .clone()
            .filter(|node| {
                let link = &self.peers[node.index()].link;
                let room = link.conn().is_some_and(|conn| ctx.room(conn) > 0);
                room && link.in_flight() < self.config.max_in_flight
            })
            .min_by_key(|node| self.peers[node.index()].link.in_flight());
        if let Some(node) = least {
            return Ok(node);
        }
        if self.peers.iter().any(|peer| !peer.link.is_closed() && !peer.link.is_open()) {
            return Err(Time::MAX);
        }
        let Some(node) = self.next_to_try(order, now) else { return Err(Time::MAX) };
        self.connect(ctx, node).map(|()| node)
    }

    /// Of brokers without a connection, which is tried next: one whose back-off is over, from 2.7 on that
    /// whose last attempt was longest ago (KIP-601; NetworkClient.java 2.7, leastLoadedNode:
    /// `lastConnectAttemptMs`); else that whose back-off is over first.
    fn next_to_try(&self, order: impl Iterator<Item = NodeId>, now: Time) -> Option<NodeId> {
        let closed = order.filter(|node| self.peers[node.index()].link.is_closed());
        let longest_ago = self.config.run.has(Rule::TimeOutConnecting);
        closed.min_by_key(|node| {
            let peer = &self.peers[node.index()];
            let tried = if longest_ago { peer.tried } else { Time::ZERO };
            (peer.not_before.max(now), tried)
        })
    }

    /// Whom it may ask for metadata.
    fn candidates(&self) -> Vec<NodeId> {
        let known = self.metadata.view().map_or(NodeSet::EMPTY, |view| view.alive);
        if known.is_empty() {
            return self.config.connect.clone();
        }
        let mut nodes: Vec<NodeId> = known.iter().collect();
        let fails = |node: &NodeId| self.peers[node.index()].failures > 0;
        if self.config.rebootstrap && nodes.iter().all(fails) {
            nodes.extend(self.config.connect.iter().filter(|node| !known.has(**node)));
        }
        nodes
    }

    fn wake_at(&mut self, ctx: &mut Context<'_, Message>, at: Time) {
        self.timer.wake(at, Lane::MAIN, Message::Timer(Timer::Metadata), ctx);
    }

    /// The process has died.
    pub fn forget(&mut self) {
        for peer in &mut self.peers {
            peer.link.forget();
            (peer.not_before, peer.tried) = (Time::ZERO, Time::ZERO);
            (peer.failures, peer.metadata) = (0, None);
        }
        self.metadata.forget();
        self.timer.forget();
    }
}
