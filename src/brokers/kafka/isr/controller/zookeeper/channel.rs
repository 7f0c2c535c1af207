//! The controller's connections to brokers: for each a queue, of which one request is under way
//! (ControllerChannelManager.scala, `RequestSendThread`).

use std::collections::VecDeque;

use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{ConnId, Context};

use super::super::super::config::{BROKER, Config};
use super::super::super::link::Link;
use super::super::super::message::{Message, Request, Timer};
use super::super::super::rules::Rule;

/// A request that met a broken connection is sent again after this (ControllerChannelManager.scala
/// 0.11 to 3.9; 300 ms up to 0.9).
const BACKOFF: Span = Span::from_millis(100);

/// The way to one broker.
#[derive(Clone, Debug)]
struct Channel {
    link: Link,
    queue: VecDeque<Request>,
    /// What is under way, and its number on the connection, once it is sent there.
    current: Option<(Request, Option<u32>)>,
    turn: u32,
    backs_off: bool,
}

/// The ways to all brokers that the controller takes for live.
#[derive(Clone, Debug, Default)]
pub struct Channels(Vec<Option<Channel>>);

impl Channels {
    /// None yet.
    #[must_use]
    pub fn new(brokers: u32) -> Channels {
        Channels((0..brokers).map(|_| None).collect())
    }

    /// A broker lives.
    pub fn add(&mut self, broker: NodeId) {
        self.0[broker.index()] = Some(Channel {
            link: Link::new(broker.0, broker, BROKER),
            queue: VecDeque::new(),
            current: None,
            turn: 0,
            backs_off: false,
        });
    }

    /// A broker is gone; what it was to be told is lost.
    pub fn remove(&mut self, broker: NodeId, ctx: &mut Context<'_, Message>) {
        if let Some(mut channel) = self.0[broker.index()].take() {
            channel.link.close(ctx);
        }
    }

    /// It is the controller no more.
    pub fn clear(&mut self, ctx: &mut Context<'_, Message>) {
        for broker in 0..self.0.len() as u32 {
            self.remove(NodeId(broker), ctx);
        }
    }

    /// The process is gone.
    pub fn forget(&mut self) {
        self.0.iter_mut().for_each(|channel| *channel = None);
    }

    /// Whether all has been answered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.0.iter().flatten().all(|channel| channel.current.is_none())
    }

    /// Tells a broker something, if it lives.
    pub fn push(
        &mut self,
        config: &Config,
        broker: NodeId,
        request: Request,
        ctx: &mut Context<'_, Message>,
    ) {
        if let Some(channel) = &mut self.0[broker.index()] {
            channel.queue.push_back(request);
            channel.pump(config, ctx);
        }
    }

    fn of(&mut self, conn: ConnId) -> Option<&mut Channel> {
        self.0.iter_mut().flatten().find(|channel| channel.link.owns(conn))
    }

    /// A connection is open. Whether it is one of these.
    pub fn connected(
        &mut self,
        config: &Config,
        conn: ConnId,
        ctx: &mut Context<'_, Message>,
    ) -> bool {
        let Some(channel) = self.of(conn) else { return false };
        channel.link.connected(conn);
        channel.pump(config, ctx);
        true
    }

    /// A connection has failed or ended. Whether it is one of these.
    pub fn lost(&mut self, config: &Config, conn: ConnId, ctx: &mut Context<'_, Message>) -> bool {
        let Some(channel) = self.of(conn) else { return false };
        channel.link.lost(ctx);
        channel.again(config, ctx);
        true
    }

    /// An answer. Whether it is of one of these.
    pub fn answered(
        &mut self,
        config: &Config,
        (conn, id): (ConnId, u32),
        ctx: &mut Context<'_, Message>,
    ) -> bool {
        let Some(channel) = self.of(conn) else { return false };
        if channel.link.answered(id) {
            channel.current = None;
            channel.pump(config, ctx);
        }
        true
    }

    /// A request may not have been answered in time.
    pub fn timed(
        &mut self,
        config: &Config,
        (link, turn): (u32, u32),
        ctx: &mut Context<'_, Message>,
    ) {
        if let Some(Some(channel)) = self.0.get_mut(link as usize)
            && channel.link.timer(ctx, turn).is_some()
        {
            channel.again(config, ctx);
        }
    }

    /// A request may be sent again.
    pub fn retry(
        &mut self,
        config: &Config,
        (to, turn): (NodeId, u32),
        ctx: &mut Context<'_, Message>,
    ) {
        if let Some(channel) = &mut self.0[to.index()]
            && channel.turn == turn
        {
            channel.backs_off = false;
            channel.pump(config, ctx);
        }
    }
}

impl Channel {
    fn pump(&mut self, config: &Config, ctx: &mut Context<'_, Message>) {
        if self.current.is_none() {
            self.current = self.queue.pop_front().map(|request| (request, None));
        }
        let Some((request, id @ None)) = &mut self.current else { return };
        if self.backs_off {
            return;
        }
        if self.link.is_open() {
            *id = Some(self.link.send(ctx, request.clone(), config.settings.controller_timeout));
        } else {
            let timeout = config.settings.controller_timeout;
            self.link.open_in_time(config, Some(timeout), ctx);
        }
    }

    /// The connection is gone.
    fn again(&mut self, config: &Config, ctx: &mut Context<'_, Message>) {
        match &mut self.current {
            Some((_, id)) if config.has(Rule::RetryControllerRequests) => *id = None,
            _ => self.current = None,
        }
        self.backs_off = true;
        self.turn = self.turn.wrapping_add(1);
        let timer = Timer::Channel { to: self.link.to(), turn: self.turn };
        let lane = ctx.lane();
        ctx.after(BACKOFF, lane, Message::Timer(timer));
    }
}
