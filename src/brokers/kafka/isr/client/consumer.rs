//! A consumer with assigned partitions (KafkaConsumer.java with `assign`), and auditors: consumers
//! that start when the load ends and read everything.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::brokers::log::Piece;
use crate::engine::{Distribution, Span, Time};
use crate::observe::{ConsumerId, DestinationId, Event, EventId, MessageRange, NodeId, Observer};
use crate::world::{Context, Input, Lane, Signal, TimerId};

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
    /// When it starts; `None` for an auditor, which starts when the load ends.
    pub start: Option<Span>,
    /// When it closes; never if `None`.
    pub stop: Option<Span>,
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
    /// The application works on the first message in its hand.
    working: bool,
    /// When it looks again.
    look: Option<(Time, TimerId)>,
    turn: u32,
    started: bool,
    stopped: bool,
    wants: bool,
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
            working: false,
            look: None,
            turn: 0,
            started: false,
            stopped: false,
            wants: false,
            config,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => self.booted(ctx),
            Input::Signal(Signal::LoadEnded) if self.is_auditor() && !self.started => {
                self.start(ctx, false);
            }
            Input::Signal(Signal::Stop) => ctx.exit(),
            Input::Signal(Signal::NodeResumed) => {}
            Input::Local { body: Message::Timer(Timer::Start) } => self.start(ctx, false),
            Input::Local { body: Message::Timer(Timer::Stop) } => self.stop(ctx),
            Input::Local { body: Message::Timer(Timer::Processed) } => {
                self.finish(ctx);
                self.work(ctx);
                self.poll(ctx);
            }
            Input::Local { body: Message::Timer(Timer::Poll { turn }) } if turn == self.turn => {
                self.look = None;
                self.poll(ctx);
            }
            input if !self.stopped => self.hear(input, ctx),
            _ => {}
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
        let now = ctx.now().since(Time::ZERO);
        let after = |at: Span| at.saturating_sub(now);
        if let Some(stop) = self.config.stop {
            ctx.after(after(stop), Lane::MAIN, Message::Timer(Timer::Stop));
        }
        match self.config.start {
            _ if self.started => self.start(ctx, false),
            Some(start) if start > now => {
                ctx.after(after(start), Lane::MAIN, Message::Timer(Timer::Start));
            }
            Some(start) => self.start(ctx, start.is_zero() && ctx.incarnation() == 0),
            None => {}
        }
    }

    /// Starts; `first` if it is there before the first message, and so at the start of every log,
    /// as a consumer is that runs for long already.
    fn start(&mut self, ctx: &mut Context<'_, Message>, first: bool) {
        self.started = true;
        let reset = self.config.settings.reset;
        for part in &mut self.parts {
            part.begin(first, reset);
        }
        self.poll(ctx);
    }

    /// `close()`: what the application has in hand it finishes.
    fn stop(&mut self, ctx: &mut Context<'_, Message>) {
        self.stopped = true;
        self.fetched.clear();
        self.network.shut(ctx);
        self.asked.clear();
        self.report_wants(ctx);
    }

    /// Whether it starts when the load ends.
    const fn is_auditor(&self) -> bool {
        self.config.start.is_none()
    }

    /// Whether it takes part in anything.
    const fn is_active(&self) -> bool {
        self.started && !self.stopped
    }

    /// `poll()`: when the application is through with what it has in hand it gets what was fetched,
    /// and fetches go out before it works on that (KafkaConsumer.java, poll).
    fn poll(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.is_active() {
            return;
        }
        self.work(ctx);
        if !self.working && self.hand.is_empty() && !self.fetched.is_empty() {
            self.take();
            self.ask(ctx);
            self.work(ctx);
            if !self.fetched.is_empty() {
                let now = ctx.now();
                self.look_at(ctx, now);
            }
        }
        if !self.working {
            self.ask(ctx);
        }
        self.report_wants(ctx);
    }

    /// Sends what is to be asked, and sees to it that it is woken in time.
    fn ask(&mut self, ctx: &mut Context<'_, Message>) {
        self.network.poll(ctx);
        let again = self.send_requests(ctx);
        if again != Time::MAX {
            self.look_at(ctx, again);
        }
    }

    fn look_at(&mut self, ctx: &mut Context<'_, Message>, at: Time) {
        match self.look {
            Some((look, _)) if look <= at => return,
            Some((_, later)) => ctx.cancel(later),
            None => {}
        }
        self.turn = self.turn.wrapping_add(1);
        let body = Message::Timer(Timer::Poll { turn: self.turn });
        let timer = ctx.after(at.since(ctx.now()), Lane::MAIN, body);
        self.look = Some((at, timer));
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
        while !self.working
            && let Some(piece) = self.hand.front().copied()
        {
            let run = self.config.processing == Distribution::Constant(0);
            let handed = if run { piece } else { piece.part(0, 1) };
            let count = u64::from(handed.messages.count);
            ctx.spend(self.config.config.costs.receive * count);
            let (now, id) = (ctx.now(), self.config.id);
            for line in self.lines(handed.messages) {
                ctx.observer().delivered(now, id, *line, handed.messages, false);
            }
            if run {
                self.hand.pop_front();
                for line in self.lines(handed.messages) {
                    ctx.observer().processed(now, id, *line, handed.messages);
                }
                continue;
            }
            self.working = true;
            let takes = self.config.processing.span(ctx.random());
            if takes.is_zero() {
                self.finish(ctx);
            } else {
                ctx.after(takes, Lane::MAIN, Message::Timer(Timer::Processed));
            }
        }
    }

    /// The application is done with the first message in its hand.
    fn finish(&mut self, ctx: &mut Context<'_, Message>) {
        self.working = false;
        let Some(piece) = self.hand.pop_front() else { return };
        if piece.messages.count > 1 {
            self.hand.push_front(piece.part(1, piece.messages.count - 1));
        }
        let (now, id) = (ctx.now(), self.config.id);
        let messages = piece.part(0, 1).messages;
        for line in self.lines(messages) {
            ctx.observer().processed(now, id, *line, messages);
        }
    }

    /// An application asks for messages while it has none to work on.
    fn report_wants(&mut self, ctx: &mut Context<'_, Message>) {
        let wants = self.is_active() && !self.working && self.hand.is_empty();
        if wants == self.wants {
            return;
        }
        self.wants = wants;
        let now = ctx.now();
        for at in 0..self.config.partitions.len() {
            for line in self.lines_of(self.config.partitions[at]) {
                ctx.observer().wants(now, self.config.id, *line, wants);
            }
        }
    }

    /// A partition as its group sees it.
    fn lines_of(&self, partition: PartitionId) -> &[DestinationId] {
        let all = self.config.config.streams.destinations_of(partition);
        match self.config.group {
            Some(group) => std::slice::from_ref(&all[group.min(all.len() - 1)]),
            None => all,
        }
    }

    /// Where messages were meant for, wherever they were found.
    fn lines(&self, messages: MessageRange) -> &[DestinationId] {
        self.lines_of(self.config.config.streams.meant_for(messages.producer))
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
        let destination = self.lines_of(partition).first().copied();
        let event = Event { word, node, destination, subject: None, count: offset };
        ctx.observer().event(now, event);
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
        self.working = false;
        self.look = None;
        for part in &mut self.parts {
            *part = Part::new(part.partition);
        }
        self.network.forget();
        if std::mem::take(&mut self.wants) {
            for partition in &self.config.partitions {
                for line in self.lines_of(*partition) {
                    observer.wants(at, self.config.id, *line, false);
                }
            }
        }
    }

    /// Whether it has nothing in hand and, as far as it knows, has read all that may be read.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_idle() && (self.stopped || self.started && self.parts.iter().all(Part::is_at_end))
    }

    /// Whether it has nothing in hand and has read all that may be read: `end` is where that ends,
    /// `None` if nobody leads the partition.
    pub fn has_read_all(&self, end: impl Fn(PartitionId) -> Option<u64>) -> bool {
        let read = |part: &Part| {
            let short = |end| part.position.is_none_or(|position| position < end);
            part.step == Step::Stopped || !end(part.partition).is_some_and(short)
        };
        self.is_idle() && (self.stopped || self.started && self.parts.iter().all(read))
    }

    fn is_idle(&self) -> bool {
        !self.working && self.hand.is_empty() && self.fetched.is_empty()
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
        let again = ctx.now() + self.config.settings.backoff;
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
