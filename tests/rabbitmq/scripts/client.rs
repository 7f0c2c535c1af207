//! A client that does what a script says, when it says so, and tells the observer what it hears.

use mqsim::brokers::rabbitmq::broker::AMQP;
use mqsim::brokers::rabbitmq::client::PRODUCER_STEPS;
use mqsim::brokers::rabbitmq::message::amqp::{
    ChannelError, Declaration, FromClient, FromServer, Terms,
};
use mqsim::brokers::rabbitmq::message::client::ClientTimer;
use mqsim::brokers::rabbitmq::message::{
    ExchangeId, Message, Properties, PublishSeq, QueueId, RoutingKey,
};
use mqsim::engine::{Span, Time};
use mqsim::observe::{DestinationId, Event, EventId, MessageRange, NodeId, ProducerId};
use mqsim::world::{Closing, ConnId, Context, Input, Lane};

use super::trace::CLIENT_WORDS;

/// Payload of every message.
const BYTES: u32 = 100;

/// What clients say of what they hear: before the message's number, if a space is at its end, and
/// after it.
pub(crate) const WORDS: &[(&str, &str)] = &[
    ("is connected", ""),
    ("lost its connection: closed by the broker", ""),
    ("lost its connection: reset", ""),
    ("could not connect", ""),
    ("got ack of ", ""),
    ("got nack of ", ""),
    ("got back ", ": 312 NO_ROUTE"),
    ("is subscribed", ""),
    ("got basic.cancel", ""),
    ("got 403 ACCESS_REFUSED: its channel is closed", ""),
    ("got 404 NOT_FOUND: its channel is closed", ""),
    ("got 405 RESOURCE_LOCKED: its channel is closed", ""),
    ("got 406 PRECONDITION_FAILED, inequivalent argument: its channel is closed", ""),
    ("has declared", ""),
    ("got 406 PRECONDITION_FAILED, unknown delivery tag: its channel is closed", ""),
    ("got 406 PRECONDITION_FAILED, delivery acknowledgement timed out: its channel is closed", ""),
    ("got 406 PRECONDITION_FAILED, message too large: its channel is closed", ""),
    ("found nothing", ""),
    ("got connection.blocked", ""),
    ("got connection.unblocked", ""),
    ("got ", ""),
    ("got ", ", redelivered"),
];

#[derive(Clone, Copy, Debug)]
enum Word {
    Connected,
    Closed,
    Reset,
    Refused,
    Ack,
    Nack,
    Return,
    Subscribed,
    Cancel,
    AccessRefused,
    NotFound,
    ResourceLocked,
    Inequivalent,
    Declared,
    UnknownTag,
    TimedOut,
    TooLarge,
    Empty,
    Blocked,
    Unblocked,
    Delivery,
    Redelivery,
}

/// What a client can be told to do.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Connect(NodeId),
    Publish { exchange: ExchangeId, key: RoutingKey, number: u32, properties: Properties },
    Declare(Declaration),
    Consume { queue: QueueId, terms: Terms },
    Get { queue: QueueId, no_ack: bool },
    Cancel { queue: QueueId },
    Ack { number: u32, multiple: bool },
    Requeue { number: u32, nack: bool },
    Reject { number: u32 },
    Close,
}

/// The client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    heartbeat: Span,
    /// What to do when, in order.
    schedule: Vec<(Time, Action)>,
    next: usize,
    conn: Option<ConnId>,
    open: bool,
    /// Told before the channel was open.
    waiting: Vec<Action>,
    /// Numbers of the messages that this channel has published, and whether each is answered.
    published: Vec<(u32, bool)>,
    /// Deliveries of this channel: number and tag.
    deliveries: Vec<(u32, u64)>,
}

impl Client {
    pub(crate) fn new(heartbeat: Span, schedule: Vec<(Time, Action)>) -> Client {
        Client {
            heartbeat,
            schedule,
            next: 0,
            conn: None,
            open: false,
            waiting: Vec::new(),
            published: Vec::new(),
            deliveries: Vec::new(),
        }
    }

    /// What it has published on its channel and had no answer for.
    pub(crate) fn pending(&self) -> Vec<u32> {
        let open = self.published.iter().filter(|(_, answered)| !answered);
        open.map(|(number, _)| *number).collect()
    }

    pub(crate) fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => {
                ctx.ready();
                for (at, _) in &self.schedule {
                    ctx.after(at.since(ctx.now()), Lane::MAIN, ClientTimer::Pace.into());
                }
            }
            Input::Local { body: Message::Client(ClientTimer::Pace) } => {
                let (_, action) = self.schedule[self.next].clone();
                self.next += 1;
                let at_once = self.open || matches!(action, Action::Connect(_));
                if at_once { self.act(ctx, action) } else { self.waiting.push(action) }
            }
            Input::Connected { conn } if self.conn == Some(conn) => self.handshake(ctx, 0),
            Input::Failed { .. } => say(ctx, Word::Refused, None, 0),
            Input::Closed { conn, how } if self.conn == Some(conn) => {
                let word = if how == Closing::Finished { Word::Closed } else { Word::Reset };
                say(ctx, word, None, 0);
                self.forget();
            }
            Input::Message { conn, body: Message::FromServer(method) }
                if self.conn == Some(conn) =>
            {
                self.hear(ctx, method);
            }
            _ => {}
        }
    }

    fn forget(&mut self) {
        self.conn = None;
        self.open = false;
        self.published.clear();
        self.deliveries.clear();
    }

    fn handshake(&mut self, ctx: &mut Context<'_, Message>, step: u8) {
        let Some(conn) = self.conn else { return };
        let heartbeat_ms = (self.heartbeat.as_nanos() / 1_000_000) as u32;
        let last = step + 1 == PRODUCER_STEPS;
        ctx.send(conn, FromClient::Handshake { step, last, heartbeat_ms }.into(), 100);
    }

    fn act(&mut self, ctx: &mut Context<'_, Message>, action: Action) {
        if let Action::Connect(node) = action {
            self.forget();
            self.conn = Some(ctx.connect(node, AMQP));
            return;
        }
        let Some(conn) = self.conn else { return };
        let message = match action {
            Action::Connect(_) => return,
            Action::Publish { exchange, key, number, properties } => {
                self.published.push((number, !properties.confirm));
                let producer = ProducerId(0);
                let message = MessageRange { producer, first: number, count: 1, bytes: BYTES };
                FromClient::BasicPublish { exchange, key, message, properties }
            }
            Action::Declare(declaration) => FromClient::QueueDeclare { declaration },
            Action::Consume { queue, terms } => FromClient::BasicConsume { queue, terms },
            Action::Get { queue, no_ack } => FromClient::BasicGet { queue, no_ack },
            Action::Cancel { queue } => FromClient::BasicCancel { queue },
            Action::Ack { number, multiple } => {
                FromClient::BasicAck { tag: self.tag(number), multiple }
            }
            Action::Requeue { number, nack } => {
                FromClient::BasicRequeue { tag: self.tag(number), multiple: false, nack }
            }
            Action::Reject { number } => {
                FromClient::BasicReject { tag: self.tag(number), multiple: false }
            }
            Action::Close => {
                ctx.close(conn);
                return self.forget();
            }
        };
        ctx.send(conn, message.into(), BYTES);
    }

    /// The tag of the last delivery of a message.
    fn tag(&self, number: u32) -> u64 {
        let found = self.deliveries.iter().rev().find(|(known, _)| *known == number);
        found.unwrap_or_else(|| panic!("message {number} was not delivered on this channel")).1
    }

    fn hear(&mut self, ctx: &mut Context<'_, Message>, message: FromServer) {
        match message {
            FromServer::HandshakeOk { step, .. } if step + 1 < PRODUCER_STEPS => {
                self.handshake(ctx, step + 1);
            }
            FromServer::HandshakeOk { .. } => {
                self.open = true;
                say(ctx, Word::Connected, None, 0);
                for action in std::mem::take(&mut self.waiting) {
                    self.act(ctx, action);
                }
            }
            FromServer::ConfirmAck { seq, multiple } => {
                self.answered(ctx, seq, multiple, Word::Ack)
            }
            FromServer::ConfirmNack { seq, multiple } => {
                self.answered(ctx, seq, multiple, Word::Nack);
            }
            FromServer::BasicReturn { message, .. } => say(ctx, Word::Return, None, message.first),
            FromServer::DeclareOk { queue } => say(ctx, Word::Declared, Some(queue), 0),
            FromServer::ConsumeOk { queue } => say(ctx, Word::Subscribed, Some(queue), 0),
            FromServer::ConnectionBlocked => say(ctx, Word::Blocked, None, 0),
            FromServer::ConnectionUnblocked => say(ctx, Word::Unblocked, None, 0),
            FromServer::ServerCancel { queue } => say(ctx, Word::Cancel, Some(queue), 0),
            FromServer::ChannelClose { error } => {
                let word = match error {
                    ChannelError::NotFound => Word::NotFound,
                    ChannelError::AccessRefused => Word::AccessRefused,
                    ChannelError::ResourceLocked => Word::ResourceLocked,
                    ChannelError::InequivalentArgument => Word::Inequivalent,
                    ChannelError::UnknownDeliveryTag => Word::UnknownTag,
                    ChannelError::DeliveryTimeout => Word::TimedOut,
                    ChannelError::MessageTooLarge => Word::TooLarge,
                };
                say(ctx, word, None, 0);
                self.published.clear();
                self.deliveries.clear();
                if let Some(conn) = self.conn {
                    ctx.send(conn, FromClient::ChannelOpen.into(), BYTES);
                }
            }
            FromServer::GetEmpty { queue } => say(ctx, Word::Empty, Some(queue), 0),
            FromServer::BasicDeliver { queue, tag, message, redelivered, .. } => {
                self.deliveries.push((message.first, tag));
                let word = if redelivered { Word::Redelivery } else { Word::Delivery };
                say(ctx, word, Some(queue), message.first);
            }
            _ => {}
        }
    }

    /// Every publish is answered once, and none that was not made.
    fn answered(
        &mut self,
        ctx: &mut Context<'_, Message>,
        seq: PublishSeq,
        multiple: bool,
        word: Word,
    ) {
        let last = seq as usize - 1;
        let first = if multiple { 0 } else { last };
        for (number, answered) in &mut self.published[first..=last] {
            assert!(multiple || !*answered, "message {number} is answered twice");
            if !std::mem::replace(answered, true) {
                say(ctx, word, None, *number);
            }
        }
    }
}

fn say(ctx: &mut Context<'_, Message>, word: Word, queue: Option<QueueId>, number: u32) {
    let (at, node) = (ctx.now(), ctx.node());
    let (word, count) = (EventId(CLIENT_WORDS + word as u32), u64::from(number));
    let destination = queue.map(|queue| DestinationId(queue.0));
    ctx.observer().event(at, Event { word, node, destination, subject: None, count });
}
