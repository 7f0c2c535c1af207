//! What the Scala producer does with a list of messages (DefaultEventHandler.scala): partition,
//! send to one broker after the other, back off, refresh metadata, partition what has failed anew.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::engine::{Span, Time};
use crate::observe::{ContactState, MessageRange, NodeId};
use crate::world::{Closing, Context, Input, Lane};

use super::super::config::{BROKER, Config};
use super::super::link::Link;
use super::super::message::{Acks, Batch, Error, Message, Request, Response, Timer};
use super::super::rules::Rule;
use super::super::state::View;
use super::network::overdue;
use super::sender::proves_nothing_stored;
use super::settings::{ProducerSettings, RecordFormat};

/// Messages that go the same way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    /// Consecutive messages of one stream.
    pub(super) messages: MessageRange,
    /// The partition that their keys decide, within the topic.
    pub(super) key: Option<u32>,
    /// They were handed to a connection.
    pub(super) sent: bool,
    /// Some try may have stored them.
    pub(super) doubt: bool,
}

impl Item {
    /// Whether `next` can be added to this one.
    pub(super) fn joins(&self, next: &Item) -> bool {
        let (a, b) = (&self.messages, &next.messages);
        a.producer == b.producer
            && a.bytes == b.bytes
            && a.first + a.count == b.first
            && (self.key, self.sent, self.doubt) == (next.key, next.sent, next.doubt)
    }

    /// The first `count` messages, and the rest.
    pub(super) fn split(self, count: u32) -> (Item, Option<Item>) {
        let (mut head, mut tail) = (self, self);
        head.messages.count = head.messages.count.min(count);
        tail.messages.first += head.messages.count;
        tail.messages.count -= head.messages.count;
        (head, (tail.messages.count > 0).then_some(tail))
    }
}

/// What became of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The client takes them for sent.
    Sent,
    /// Every try was answered by an error that proves that nothing was stored.
    Refused,
    /// Nothing was ever handed to a connection.
    NeverLeft,
    /// Nobody knows.
    Unknown,
}

/// What it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Nothing,
    /// A broker's answer to the question for metadata: which of those to be asked.
    Refresh(usize),
    /// The request for a broker.
    Send(NodeId),
    /// The back-off.
    BackOff,
}

/// How a connection for requests has ended, as far as its user has not noticed: who only writes
/// learns of it when he writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    No,
    /// The other side has closed it: one more write goes through, to nobody.
    Finished,
    /// The next write fails.
    Reset,
}

/// The handler of a Scala producer.
#[derive(Clone, Debug)]
pub(super) struct Handler {
    config: Arc<Config>,
    connect: Vec<NodeId>,
    first: PartitionId,
    partitions: u32,
    acks: Acks,
    retries: u32,
    backoff: Span,
    timeout: Span,
    refresh_every: Span,
    format: RecordFormat,
    /// By broker: for requests (ProducerPool.scala).
    links: Vec<Link>,
    ended: Vec<Ended>,
    /// By broker: for metadata, each time anew.
    asks: Vec<Link>,
    view: Option<Arc<View>>,
    /// By the wall clock (`SystemTime.milliseconds`).
    refreshed: Option<Time>,
    refresh_failed: bool,
    /// The partition of messages without a key (sendPartitionPerTopicCache).
    sticky: Option<u32>,
    doing: Doing,
    /// Brokers to be asked for metadata, in this order.
    order: Vec<NodeId>,
    /// What is not sent yet.
    outstanding: Vec<Item>,
    tries: u32,
    /// Whether `handle` is under way, not a mere refresh.
    handling: bool,
    /// What is still to be sent in this round, by broker.
    round: VecDeque<(NodeId, Vec<(u32, Item)>)>,
    /// What the present request has.
    current: Vec<(u32, Item)>,
    request: Option<u32>,
    failed: Vec<Item>,
    done: VecDeque<(Item, Verdict)>,
}

impl Handler {
    pub(super) fn new(
        config: &Arc<Config>,
        connect: Vec<NodeId>,
        (first, partitions): (PartitionId, u32),
        settings: &ProducerSettings,
        refresh_every: Span,
    ) -> Handler {
        let brokers = config.brokers;
        let link = |number: u32| Link::new(number, NodeId(number % brokers), BROKER);
        Handler {
            connect,
            first,
            partitions,
            acks: settings.acks,
            retries: settings.retries,
            backoff: settings.backoff,
            timeout: settings.request_timeout,
            refresh_every,
            format: RecordFormat::of(config),
            links: (0..brokers).map(link).collect(),
            ended: vec![Ended::No; brokers as usize],
            asks: (brokers..2 * brokers).map(link).collect(),
            view: None,
            refreshed: None,
            refresh_failed: false,
            sticky: None,
            doing: Doing::Nothing,
            order: Vec::new(),
            outstanding: Vec::new(),
            tries: 0,
            handling: false,
            round: VecDeque::new(),
            current: Vec::new(),
            request: None,
            failed: Vec::new(),
            done: VecDeque::new(),
            config: config.clone(),
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.doing != Doing::Nothing
    }

    /// Whether metadata is there and not to be refreshed before the next message.
    pub(super) fn is_fresh(&self, ctx: &Context<'_, Message>) -> bool {
        let age = self.refreshed.map(|at| ctx.clock().since(at));
        self.view.is_some() && age.is_some_and(|age| age <= self.refresh_every)
    }

    /// Whether the last refresh found nobody.
    pub(super) const fn gave_up_refresh(&self) -> bool {
        self.refresh_failed
    }

    /// Messages that it is through with.
    pub(super) fn done(&mut self) -> Option<(Item, Verdict)> {
        self.done.pop_front()
    }

    /// The partition of a message without a key, chosen now if there is none: a random one that
    /// has a leader, among all if none has.
    pub(super) fn pick(&mut self, ctx: &mut Context<'_, Message>) -> u32 {
        if let Some(sticky) = self.sticky.or_else(|| self.stick(ctx)) {
            return sticky;
        }
        ctx.random().below(u64::from(self.partitions)) as u32
    }

    fn leader(&self, index: u32) -> Option<NodeId> {
        self.view.as_ref()?.leader(PartitionId(self.first.0 + index))
    }

    fn stick(&mut self, ctx: &mut Context<'_, Message>) -> Option<u32> {
        let led: Vec<u32> =
            (0..self.partitions).filter(|index| self.leader(*index).is_some()).collect();
        if led.is_empty() {
            return None;
        }
        self.sticky = Some(led[ctx.random().below(led.len() as u64) as usize]);
        self.sticky
    }

    /// `handle(events)`.
    pub(super) fn begin(&mut self, ctx: &mut Context<'_, Message>, items: Vec<Item>) {
        debug_assert!(!self.is_busy(), "one list at a time");
        self.outstanding = items;
        self.tries = 0;
        self.handling = true;
        self.refresh_failed = false;
        if self.is_fresh(ctx) {
            self.dispatch(ctx);
        } else {
            self.refresh(ctx);
        }
    }

    /// `updateInfo`: asks the brokers of metadata.broker.list in random order
    /// (ClientUtils.scala, fetchTopicMetadata).
    pub(super) fn refresh(&mut self, ctx: &mut Context<'_, Message>) {
        self.order = self.connect.clone();
        ctx.random().shuffle(&mut self.order);
        self.refresh_from(ctx, 0);
    }

    fn refresh_from(&mut self, ctx: &mut Context<'_, Message>, at: usize) {
        let Some(node) = self.order.get(at).copied() else {
            return self.refresh_over(ctx, true);
        };
        self.doing = Doing::Refresh(at);
        let limit = self.connect_limit();
        open(&mut self.asks[node.index()], ctx, limit);
    }

    /// BlockingChannel.scala 0.8.2, connectTimeoutMs: the request's time-out; none before.
    fn connect_limit(&self) -> Option<Span> {
        self.config.has(Rule::ScalaConnectTimeout).then_some(self.timeout)
    }

    /// Metadata is there, or nobody had it.
    fn refresh_over(&mut self, ctx: &mut Context<'_, Message>, failed: bool) {
        self.doing = Doing::Nothing;
        self.refresh_failed = failed;
        self.sticky = None;
        self.refreshed = Some(ctx.clock());
        if !self.handling {
            return;
        }
        if self.tries > self.retries {
            return self.give_up();
        }
        self.dispatch(ctx);
    }

    /// `dispatchSerializedData`: partitions what is outstanding, and sends it to one broker after
    /// the other.
    fn dispatch(&mut self, ctx: &mut Context<'_, Message>) {
        let items = std::mem::take(&mut self.outstanding);
        let mut groups: std::collections::BTreeMap<NodeId, Vec<(u32, Item)>> =
            std::collections::BTreeMap::new();
        let unkeyed = items.iter().any(|item| item.key.is_none());
        let sticky = if unkeyed { self.sticky.or_else(|| self.stick(ctx)) } else { None };
        for item in items {
            let index = item.key.or(sticky);
            match index.and_then(|index| Some((index, self.leader(index)?))) {
                Some((index, node)) => groups.entry(node).or_default().push((index, item)),
                None => self.failed.push(item),
            }
        }
        self.round = groups.into_iter().collect();
        self.next_broker(ctx);
    }

    fn next_broker(&mut self, ctx: &mut Context<'_, Message>) {
        while let Some((node, items)) = self.round.pop_front() {
            self.current = items;
            self.doing = Doing::Send(node);
            match std::mem::replace(&mut self.ended[node.index()], Ended::No) {
                Ended::No => {}
                Ended::Finished if self.acks == Acks::None => {
                    // The kernel takes it; the answer is a reset.
                    self.ended[node.index()] = Ended::Reset;
                    self.written(ctx);
                    continue;
                }
                Ended::Finished | Ended::Reset => {
                    self.broken(false);
                    continue;
                }
            }
            if self.write(ctx, node) {
                continue;
            }
            return;
        }
        self.round_over(ctx);
    }

    /// Writes the present request, if the connection is open and has room. Whether it is through.
    fn write(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) -> bool {
        let link = &mut self.links[node.index()];
        let Some(conn) = link.conn() else {
            let limit = self.connect_limit();
            open(&mut self.links[node.index()], ctx, limit);
            return false;
        };
        if ctx.room(conn) == 0 || self.request.is_some() {
            return false;
        }
        ctx.spend(self.config.costs.batch);
        let batch = |(index, item): &(u32, Item)| Batch {
            partition: PartitionId(self.first.0 + index),
            messages: item.messages,
            bytes: self.format.batch
                + (self.format.message + item.messages.bytes) * item.messages.count,
            whole: false,
            sequenced: None,
            stamp: Time::ZERO,
        };
        let batches = self.current.iter().map(batch).collect();
        let request =
            Request::Produce { acks: self.acks, timeout: self.timeout, batches, transaction: None };
        let link = &mut self.links[node.index()];
        if self.acks == Acks::None {
            link.post(ctx, request);
            self.written(ctx);
            return true;
        }
        self.tell_sent(ctx);
        self.request = Some(self.links[node.index()].send(ctx, request, self.timeout));
        false
    }

    fn tell_sent(&mut self, ctx: &mut Context<'_, Message>) {
        let now = ctx.now();
        for (_, item) in &mut self.current {
            item.sent = true;
            ctx.observer().sent(now, item.messages);
        }
    }

    /// The socket has taken a request that is not answered.
    fn written(&mut self, ctx: &mut Context<'_, Message>) {
        self.tell_sent(ctx);
        self.done.extend(self.current.drain(..).map(|(_, item)| (item, Verdict::Sent)));
    }

    /// The present request has failed; it may have arrived if it was `written`.
    fn broken(&mut self, written: bool) {
        self.request = None;
        for (_, mut item) in self.current.drain(..) {
            item.doubt |= written;
            self.failed.push(item);
        }
    }

    /// All brokers had their request: what has failed is tried again after the back-off.
    fn round_over(&mut self, ctx: &mut Context<'_, Message>) {
        self.outstanding = std::mem::take(&mut self.failed);
        if self.outstanding.is_empty() {
            self.doing = Doing::Nothing;
            self.handling = false;
            return;
        }
        self.doing = Doing::BackOff;
        self.tries += 1;
        ctx.after(self.backoff, Lane::MAIN, Message::Timer(Timer::Poll));
    }

    /// FailedToSendMessageException.
    fn give_up(&mut self) {
        self.handling = false;
        for item in self.outstanding.drain(..) {
            let verdict = match (item.sent, item.doubt) {
                (false, _) => Verdict::NeverLeft,
                (true, true) => Verdict::Unknown,
                (true, false) => Verdict::Refused,
            };
            self.done.push_back((item, verdict));
        }
    }

    /// Handles what is about connections, and its timers.
    pub(super) fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Connected { conn } => {
                if let Some(number) = self.owner(conn) {
                    self.link(number).connected(conn);
                    ctx.contact(self.broker(number), ContactState::Connected, ("", Span::ZERO));
                }
                self.go_on(ctx);
            }
            Input::Writable { .. } => self.go_on(ctx),
            Input::Failed { conn, why } => {
                if let Some(number) = self.owner(conn) {
                    let why = (why.words(), Span::ZERO);
                    ctx.contact(self.broker(number), ContactState::GivenUp, why);
                    self.link(number).lost(ctx);
                    self.lost(ctx, number);
                }
            }
            Input::Closed { conn, how } => {
                if let Some(number) = self.owner(conn) {
                    let why = (how.words(), Span::ZERO);
                    ctx.contact(self.broker(number), ContactState::Lost, why);
                    self.link(number).lost(ctx);
                    if let Some(ended) = self.ended.get_mut(number) {
                        let finished = how == Closing::Finished;
                        *ended = if finished { Ended::Finished } else { Ended::Reset };
                    }
                    self.lost(ctx, number);
                }
            }
            Input::Message { conn, body: Message::Response { id, body } } => {
                if let Some(number) = self.owner(conn)
                    && self.link(number).answered(id)
                {
                    self.answered(ctx, number, *body);
                }
            }
            Input::Local { body: Message::Timer(Timer::Link { link, turn }) } => {
                let number = link as usize;
                let was_open = self.link(number).is_open();
                if self.link(number).timer(ctx, turn).is_some() {
                    overdue(ctx, self.broker(number), was_open, self.timeout);
                    self.lost(ctx, number);
                }
            }
            Input::Local { body: Message::Timer(Timer::Poll) } if self.doing == Doing::BackOff => {
                self.refresh(ctx);
            }
            _ => {}
        }
    }

    fn owner(&self, conn: crate::world::ConnId) -> Option<usize> {
        self.links.iter().chain(&self.asks).position(|link| link.owns(conn))
    }

    /// Where the link of this number goes.
    fn broker(&self, number: usize) -> NodeId {
        NodeId((number % self.links.len()) as u32)
    }

    fn link(&mut self, number: usize) -> &mut Link {
        let brokers = self.links.len();
        match number.checked_sub(brokers) {
            None => &mut self.links[number],
            Some(ask) => &mut self.asks[ask],
        }
    }

    /// A connection that was waited for is open, or has room.
    fn go_on(&mut self, ctx: &mut Context<'_, Message>) {
        match self.doing {
            Doing::Refresh(at) => {
                let timeout = self.timeout;
                let link = &mut self.asks[self.order[at].index()];
                if link.is_open() && link.in_flight() == 0 {
                    link.send(ctx, Request::Metadata, timeout);
                }
            }
            Doing::Send(node) => {
                if self.write(ctx, node) {
                    self.next_broker(ctx);
                }
            }
            Doing::Nothing | Doing::BackOff => {}
        }
    }

    /// A connection has ended, or did not come about. Who waits for it learns of it; who does not
    /// will when he writes.
    fn lost(&mut self, ctx: &mut Context<'_, Message>, number: usize) {
        match self.doing {
            Doing::Refresh(at) if number == self.links.len() + self.order[at].index() => {
                self.refresh_from(ctx, at + 1);
            }
            Doing::Send(node) if number == node.index() => {
                self.ended[number] = Ended::No;
                let written = self.request.is_some();
                self.broken(written);
                self.next_broker(ctx);
            }
            _ => {}
        }
    }

    fn answered(&mut self, ctx: &mut Context<'_, Message>, number: usize, answer: Response) {
        match (answer, self.doing) {
            (Response::Metadata(view), Doing::Refresh(_)) => {
                self.link(number).close(ctx);
                self.renew(ctx, &view);
                self.view = Some(view);
                self.refresh_over(ctx, false);
            }
            (Response::Produce(parts), Doing::Send(_)) => {
                ctx.spend(self.config.costs.batch);
                self.request = None;
                for (at, (_, mut item)) in std::mem::take(&mut self.current).into_iter().enumerate()
                {
                    let error = parts.get(at).map_or(Error::Unknown, |part| part.1);
                    if error == Error::None {
                        self.done.push_back((item, Verdict::Sent));
                        continue;
                    }
                    item.doubt |= !proves_nothing_stored(error, self.acks);
                    self.failed.push(item);
                }
                self.next_broker(ctx);
            }
            _ => {}
        }
    }

    /// ProducerPool.scala, updateProducer: connections to all leaders are made anew.
    fn renew(&mut self, ctx: &mut Context<'_, Message>, view: &View) {
        for index in 0..self.partitions {
            if let Some(leader) = view.leader(PartitionId(self.first.0 + index)) {
                self.links[leader.index()].close(ctx);
                self.ended[leader.index()] = Ended::No;
            }
        }
    }

    /// The process has died: what it held.
    pub(super) fn died(&mut self) -> Vec<Item> {
        let mut held = std::mem::take(&mut self.outstanding);
        held.append(&mut self.failed);
        held.extend(self.current.drain(..).map(|(_, item)| item));
        held.extend(self.round.drain(..).flat_map(|(_, items)| items).map(|(_, item)| item));
        held.extend(self.done.drain(..).filter(|(_, v)| *v != Verdict::Sent).map(|(item, _)| item));
        for link in self.links.iter_mut().chain(&mut self.asks) {
            link.forget();
        }
        self.ended.fill(Ended::No);
        (self.view, self.refreshed, self.sticky, self.request) = (None, None, None, None);
        (self.doing, self.handling, self.refresh_failed) = (Doing::Nothing, false, false);
        held
    }
}

fn open(link: &mut Link, ctx: &mut Context<'_, Message>, limit: Option<Span>) {
    match limit {
        Some(limit) => link.open_within(ctx, limit),
        None => link.open(ctx),
    }
}
