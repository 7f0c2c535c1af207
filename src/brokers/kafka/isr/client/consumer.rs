//! A consumer with assigned partitions (KafkaConsumer.java with `assign`), and auditors: consumers
//! that start when the load ends and read everything.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::application::{Hours, Reading};
use crate::brokers::kit::log::Piece;
use crate::engine::{Distribution, Span, Time};
use crate::observe::{ConsumerId, DestinationId, Event, EventId, MessageRange, NodeId, Observer};
use crate::world::{Alarm, By, Context, Input, Lane, Signal, Wait};

use super::super::config::Config;
use super::super::message::{Message, Response, Timer};
use super::super::rules::Rule;
use super::super::words::event;
use super::fetcher::{Asked, Part, Step};
use super::network::{Network, NetworkConfig, NetworkEvent};
use super::settings::{ConsumerSettings, Reset};

/// What a consumer does.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// The run's configuration.
    pub config: Arc<Config>,
    /// Which one it is.
    pub id: ConsumerId,
    /// The place of its group among those of its topic; `None` for an auditor, which reads for
    /// all.
    pub group: Option<usize>,
    /// `bootstrap.servers`.
    pub connect: Vec<NodeId>,
    /// What is assigned to it.
    pub partitions: Vec<PartitionId>,
    /// Its configuration.
    pub settings: ConsumerSettings,
    /// How long its application works on a message.
    pub processing: Distribution,
    /// From when to when it reads; then it closes.
    pub hours: Hours,
}

impl ConsumerConfig {
    /// A partition as its group sees it.
    fn lines_of(&self, partition: PartitionId) -> &[DestinationId] {
        let all = self.config.streams.destinations_of(partition);
        match self.group {
            Some(group) => std::slice::from_ref(&all[group.min(all.len() - 1)]),
            None => all,
        }
    }

    /// Where messages were meant for, wherever they were found.
    fn lines(&self, messages: MessageRange) -> &[DestinationId] {
        self.lines_of(self.config.streams.meant_for(messages.producer))
    }
}

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    pub(super) config: ConsumerConfig,
    pub(super) network: Network,
    pub(super) parts: Vec<Part>,
    /// Requests that are not answered: to whom, their numbers, what was asked.
    pub(super) asked: Vec<(NodeId, u32, Asked)>,
    /// What was fetched and not yet handed out, by partition in the order of its arrival.
    pub(super) fetched: VecDeque<(u32, VecDeque<Piece>)>,
    /// What the last poll handed to the application.
    hand: VecDeque<Piece>,
    application: Reading<Piece>,
    /// The destinations of its partitions.
    lines: Vec<DestinationId>,
    /// It looks again (ConsumerNetworkClient.java goes by `time.milliseconds()`).
    look: Alarm,
}

impl Consumer {
    /// A consumer that has not started.
    #[must_use]
    pub fn new(config: ConsumerConfig) -> Consumer {
        let settings = &config.settings;
        let network = NetworkConfig::new(
            &config.config,
            config.connect.clone(),
            100,
            settings.request_timeout,
            (settings.backoff, settings.metadata_max_age),
        );
        Consumer {
            network: Network::new(network),
            parts: config.partitions.iter().map(|partition| Part::new(*partition)).collect(),
            asked: Vec::new(),
            fetched: VecDeque::new(),
            hand: VecDeque::new(),
            application: Reading::new(config.id, config.hours, config.processing.clone()),
            lines: config.partitions.iter().flat_map(|of| config.lines_of(*of)).copied().collect(),
            look: Alarm::new(By::Wall),
            config,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => self.booted(ctx),
            Input::Signal(Signal::LoadEnded) if self.application.is_auditor() => {
                self.start(ctx, false);
            }
            Input::Signal(Signal::Stop) => ctx.exit(),
            Input::Signal(Signal::NodeResumed) => {}
            Input::Local { body: Message::Timer(Timer::Start) } => self.start(ctx, false),
            Input::Local { body: Message::Timer(Timer::Stop) } => self.stop(ctx),
            Input::Local { body: Message::Timer(Timer::Processed) } => {
                if let Some(piece) = self.application.done() {
                    self.finish(piece, ctx);
                }
                self.work(ctx);
                self.poll(ctx);
            }
            Input::Local { body: Message::Timer(Timer::Poll) } => self.look_again(ctx),
            input if !self.application.is_stopped() => self.hear(input, ctx),
            _ => {}
        }
    }

    /// An alarm that was set again since is not the one that counts.
    fn look_again(&mut self, ctx: &mut Context<'_, Message>) {
        if self.look.rang(ctx) {
            self.poll(ctx);
        }
    }

    fn hear(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match self.network.handle(input, ctx) {
            NetworkEvent::Nothing | NetworkEvent::Other(_) => return,
            NetworkEvent::Ready => {}
            NetworkEvent::Metadata => self.learned(),
            NetworkEvent::Answer { node, id, body } => self.answered(ctx, node, id, *body),
            NetworkEvent::Lost { node, ids } => self.lost(ctx, node, &ids),
        }
        self.poll(ctx);
    }

    fn booted(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.ready();
        let (begin, stop) = (Message::Timer(Timer::Start), Message::Timer(Timer::Stop));
        if self.application.boot(begin, stop, ctx) {
            let from_the_start = self.config.hours.start.is_some_and(Span::is_zero);
            self.start(ctx, from_the_start && ctx.incarnation() == 0);
        }
    }

    /// Starts; `first` if it is there before the first message, and so at the start of every log,
    /// as a consumer is that runs for long already.
    fn start(&mut self, ctx: &mut Context<'_, Message>, first: bool) {
        if !self.application.begin() {
            return;
        }
        let reset = self.config.settings.reset;
        for part in &mut self.parts {
            part.begin(first, reset);
        }
        self.poll(ctx);
    }

    /// `close()`: what the application has in hand it finishes.
    fn stop(&mut self, ctx: &mut Context<'_, Message>) {
        self.application.stop();
        self.fetched.clear();
        self.network.shut(ctx);
        self.asked.clear();
        self.tell_wants(ctx);
    }

    /// `poll()`: when the application is through with what it has in hand it gets what was fetched,
    /// and fetches go out before it works on that (KafkaConsumer.java, poll).
    fn poll(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.application.is_active() {
            return;
        }
        self.work(ctx);
        if self.is_free() && !self.fetched.is_empty() {
            self.take();
            self.ask(ctx);
            self.work(ctx);
            if !self.fetched.is_empty() {
                let now = ctx.clock();
                self.look_at(ctx, now);
            }
        }
        if !self.application.is_busy() {
            self.ask(ctx);
        }
        self.tell_wants(ctx);
    }

    /// Sends what is to be asked, and sees to it that it is woken in time.
    fn ask(&mut self, ctx: &mut Context<'_, Message>) {
        self.network.poll(ctx);
        let again = self.send_requests(ctx);
        self.look_at(ctx, again);
    }

    fn look_at(&mut self, ctx: &mut Context<'_, Message>, at: Time) {
        self.look.wake(at, Lane::MAIN, Message::Timer(Timer::Poll), ctx);
    }

    /// Hands out at most `max.poll.records` of what was fetched, and moves the positions.
    fn take(&mut self) {
        let mut room = self.config.settings.poll_records.max(1);
        while room > 0 {
            let Some((index, pieces)) = self.fetched.front_mut() else { return };
            let part = &mut self.parts[*index as usize];
            // Fetcher.java, fetchRecords: what is not at the position (any more) is thrown away.
            let fits = pieces.front().map(|piece| piece.base) == part.position;
            if part.step != Step::Fetch || !fits {
                pieces.clear();
            }
            while room > 0
                && let Some(piece) = pieces.pop_front()
            {
                let count = piece.messages.count.min(room);
                if count < piece.messages.count {
                    pieces.push_front(piece.part(count, piece.messages.count - count));
                }
                room -= count;
                let handed = piece.part(0, count);
                part.consumed(&handed);
                self.hand.push_back(handed);
            }
            if pieces.is_empty() {
                part.buffered = false;
                self.fetched.pop_front();
            }
        }
    }

    /// The application works on what it has in hand: on one message after the other, or, if that
    /// takes no time, on all that go together.
    fn work(&mut self, ctx: &mut Context<'_, Message>) {
        while !self.application.is_busy()
            && let Some(piece) = self.hand.pop_front()
        {
            let whole = self.application.is_instant();
            let handed = if whole { piece } else { piece.part(0, 1) };
            let (count, rest) = (handed.messages.count, piece.messages.count);
            if count < rest {
                self.hand.push_front(piece.part(count, rest - count));
            }
            ctx.spend(self.config.config.costs.receive * u64::from(count));
            let (now, id) = (ctx.now(), self.config.id);
            for line in self.config.lines(handed.messages) {
                ctx.observer().polled(now, id, *line, handed.messages, handed.base);
                ctx.observer().delivered(now, id, *line, handed.messages, false);
            }
            if whole {
                self.finish(handed, ctx);
                continue;
            }
            let done = Message::Timer(Timer::Processed);
            if let Some(piece) = self.application.work(handed, done, ctx) {
                self.finish(piece, ctx);
            }
        }
    }

    /// The application is done with what it worked on.
    fn finish(&mut self, piece: Piece, ctx: &mut Context<'_, Message>) {
        let (now, id) = (ctx.now(), self.config.id);
        for line in self.config.lines(piece.messages) {
            ctx.observer().processed(now, id, *line, piece.messages);
        }
    }

    /// Whether the application has nothing to work on.
    fn is_free(&self) -> bool {
        !self.application.is_busy() && self.hand.is_empty()
    }

    /// An application asks for messages while it has none to work on.
    fn tell_wants(&mut self, ctx: &mut Context<'_, Message>) {
        let free = self.is_free();
        self.application.tell_wants(free, &self.lines, ctx);
    }

    /// Something happened to a consumer's position.
    pub(super) fn tell(
        &self,
        ctx: &mut Context<'_, Message>,
        partition: PartitionId,
        word: EventId,
        offset: u64,
    ) {
        let (now, node) = (ctx.now(), ctx.node());
        let destination = self.config.lines_of(partition).first().copied();
        let event = Event { word, node, destination, subject: None, count: offset };
        ctx.observer().event(now, event);
    }

    /// It has started without a position, and begins at the end of a partition.
    pub(super) fn tell_skipped(&self, ctx: &mut Context<'_, Message>, partition: PartitionId) {
        let now = ctx.now();
        for line in self.config.lines_of(partition) {
            ctx.observer().skipped(now, self.config.id, *line);
        }
    }

    /// An offset is out of range, or the log was cut below it and nothing is known of where.
    pub(super) fn reset(&mut self, ctx: &mut Context<'_, Message>, index: usize) {
        let (partition, position) = (self.parts[index].partition, self.parts[index].position);
        match self.config.settings.reset {
            Reset::None => {
                self.parts[index].step = Step::Stopped;
                self.tell(ctx, partition, event::CONSUMER_STOPPED, position.unwrap_or(0));
            }
            reset => self.parts[index].look_up(reset),
        }
    }

    /// Whether it notices that logs were cut.
    pub(super) fn detects_truncation(&self) -> bool {
        self.config.config.has(Rule::DetectTruncation)
    }

    /// The process has died, and its application with it; positions that nobody committed are
    /// gone.
    pub fn died(&mut self, at: Time, observer: &mut dyn Observer) {
        self.asked.clear();
        self.fetched.clear();
        self.hand.clear();
        self.look.forget();
        for part in &mut self.parts {
            *part = Part::new(part.partition);
        }
        self.network.forget();
        self.application.died(at, &self.lines, observer);
    }

    /// Whether it has nothing in hand and, as far as it knows, has read all that may be read.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.waits_for().is_none()
    }

    /// What it waits for; `None` if it has nothing in hand and has read all that it knows of.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        self.waits_for_upto(None)
    }

    /// The same of all that may be read: `end` is where that ends in a partition, `None` if nobody
    /// leads it.
    pub fn waits_for_upto(&self, end: Option<&dyn Fn(PartitionId) -> Option<u64>>) -> Option<Wait> {
        if !self.is_idle() {
            return Some("its application, to finish what it has in hand".into());
        }
        if self.application.is_stopped() {
            return None;
        }
        if !self.application.is_active() {
            return Some("its start".into());
        }
        let read = |part: &Part| match end {
            None => part.is_at_end(),
            Some(end) => {
                let short = |end| part.position.is_none_or(|position| position < end);
                part.step == Step::Stopped || !end(part.partition).is_some_and(short)
            }
        };
        let unread = self.parts.iter().filter(|part| !read(part)).count();
        (unread > 0).then(|| format!("records of {unread} partitions").into())
    }

    fn is_idle(&self) -> bool {
        self.is_free() && self.fetched.is_empty()
    }
}

impl Consumer {
    /// There is new metadata: partitions that waited for it go on.
    fn learned(&mut self) {
        let detects = self.detects_truncation();
        for part in &mut self.parts {
            part.learned(self.network.metadata().led(part.partition), detects);
        }
    }

    fn answered(
        &mut self,
        ctx: &mut Context<'_, Message>,
        node: NodeId,
        id: u32,
        answer: Response,
    ) {
        let found = self.asked.iter().position(|(to, asked, _)| (*to, *asked) == (node, id));
        let Some(place) = found else { return };
        let (_, _, asked) = self.asked.remove(place);
        match (asked, answer) {
            (Asked::Fetch(parts), Response::Fetch(answers)) => {
                self.fetched_some(ctx, &parts, answers);
            }
            (Asked::Offset { index, reset }, Response::ListOffsets(error, offset, epoch)) => {
                self.looked_up(ctx, index as usize, reset, (error, offset, epoch));
            }
            (Asked::Ends(parts), Response::EpochEnds(ends)) => self.validated(ctx, &parts, &ends),
            _ => {}
        }
    }

    /// A connection is lost: what was asked on it is asked again. For positions there is a
    /// back-off; fetches go out as soon as there is a connection again.
    fn lost(&mut self, ctx: &mut Context<'_, Message>, node: NodeId, ids: &[u32]) {
        let again = ctx.clock() + self.config.settings.backoff;
        let (gone, kept) = std::mem::take(&mut self.asked)
            .into_iter()
            .partition(|(to, id, _)| *to == node && ids.contains(id));
        self.asked = kept;
        let gone: Vec<(NodeId, u32, Asked)> = gone;
        for (_, _, asked) in gone {
            for index in asked.indexes() {
                let part = &mut self.parts[index as usize];
                part.asked = false;
                part.at_end = false;
                if part.step != Step::Fetch {
                    part.not_before = again;
                }
            }
        }
    }
}
