//! A client that sends single requests as a script says, and tells what comes back.

use std::sync::Arc;

use mqsim::brokers::kafka::PartitionId;
use mqsim::brokers::kafka::legacy::config::{Config, KAFKA};
use mqsim::brokers::kafka::legacy::message::{
    Fetch, FetchError, Fetched, Message, OffsetTime, Part,
};
use mqsim::engine::Time;
use mqsim::observe::{Event, EventId, NodeId};
use mqsim::world::{Closing, ConnId, Context, Input, Lane};

/// Events from here on are its words.
pub(crate) const FIRST_WORD: u32 = 1_000;

/// What it says: the words and what the count is.
pub(crate) const WORDS: &[&str] = &[
    "is connected",
    "could not connect",
    "lost its connection: closed",
    "lost its connection: reset",
    "got offset COUNT",
    "got nothing",
    "got messages up to offset COUNT",
    "got OffsetOutOfRange",
    "got bytes that are no message",
];

/// What it can be told to do.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Connect(u32),
    Produce(u32, Vec<Part>),
    Fetch(u32, PartitionId, u64),
    Offsets(u32, PartitionId, OffsetTime),
}

#[derive(Clone, Debug)]
pub(crate) struct Probe {
    config: Arc<Config>,
    schedule: Vec<(Time, Action)>,
    next: usize,
    conns: Vec<Option<ConnId>>,
}

fn say(ctx: &mut Context<'_, Message>, word: u32, count: u64) {
    let (at, node) = (ctx.now(), ctx.node());
    let word = EventId(FIRST_WORD + word);
    ctx.observer().event(at, Event { word, node, destination: None, subject: None, count });
}

impl Probe {
    pub(crate) fn new(config: Arc<Config>, schedule: Vec<(Time, Action)>) -> Probe {
        let conns = vec![None; config.brokers as usize];
        Probe { config, schedule, next: 0, conns }
    }

    pub(crate) fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                ctx.ready();
                for (at, _) in &self.schedule {
                    ctx.after(at.since(ctx.now()), Lane::MAIN, Message::Nudge);
                }
            }
            Input::Local { .. } => {
                let (_, action) = self.schedule[self.next].clone();
                self.next += 1;
                self.act(action, ctx);
            }
            Input::Connected { .. } => say(ctx, 0, 0),
            Input::Failed { .. } => say(ctx, 1, 0),
            Input::Closed { how: Closing::Finished, .. } => say(ctx, 2, 0),
            Input::Closed { .. } => say(ctx, 3, 0),
            Input::Message { body: Message::OffsetIs(_, offset), .. } => say(ctx, 4, offset),
            Input::Message { body: Message::Fetched(parts), .. } => {
                parts.iter().for_each(|part| self.fetched(part, ctx));
            }
            _ => {}
        }
    }

    fn fetched(&self, part: &Fetched, ctx: &mut Context<'_, Message>) {
        match &part.pieces {
            Ok(pieces) => match pieces.last() {
                None => say(ctx, 5, 0),
                Some(last) => say(ctx, 6, last.end()),
            },
            Err(FetchError::OffsetOutOfRange) => say(ctx, 7, 0),
            Err(FetchError::Undecodable) => say(ctx, 8, 0),
        }
    }

    fn act(&mut self, action: Action, ctx: &mut Context<'_, Message>) {
        match action {
            Action::Connect(broker) => {
                self.conns[broker as usize] = Some(ctx.connect(NodeId(broker), KAFKA));
            }
            Action::Produce(broker, parts) => {
                let body = match &parts[..] {
                    [part] => Message::Produce(*part),
                    _ => Message::MultiProduce(parts),
                };
                self.send(broker, body, ctx);
            }
            Action::Fetch(broker, partition, offset) => {
                let fetch = Fetch { parts: vec![(partition, offset)], size: 1 << 20 };
                self.send(broker, Message::MultiFetch(Box::new(fetch)), ctx);
            }
            Action::Offsets(broker, partition, time) => {
                self.send(broker, Message::Offsets(partition, time), ctx);
            }
        }
        debug_assert!(self.config.brokers > 0, "there is somebody to talk to");
    }

    fn send(&self, broker: u32, body: Message, ctx: &mut Context<'_, Message>) {
        if let Some(conn) = self.conns[broker as usize] {
            ctx.send(conn, body, 100);
        }
    }
}
