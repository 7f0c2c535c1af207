//! A consumer with assigned partitions (KafkaConsumer.java with `assign`), and auditors: consumers
//! that start when the load ends and read everything.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::brokers::kafka::{CONTROL, PartitionId};
use crate::brokers::kit::application::{Hours, Reading};
use crate::brokers::kit::log::Piece;
use crate::engine::{Distribution, Span, Time};
use crate::observe::{
    BecauseId, ConsumerId, DestinationId, Event, EventId, MessageRange, NodeId, Observer, Removal,
};
use crate::world::{Alarm, By, Context, Input, Lane, Signal, Wait};

use super::super::config::Config;
use super::super::message::{Message, Response, Timer};
use super::super::rules::Rule;
use super::super::words::{cause, event};
use super::fetcher::{Asked, Part, Step};
use super::group::{Closing, Member};
use super::network::{Network, NetworkConfig, NetworkEvent};
use super::pipeline::{Pipeline, PipelineSettings};
use super::settings::{ConsumerSettings, MemberSettings, Reset};

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
    /// What it does as a member of a group, if it is in one.
    pub member: Option<MemberSettings>,
    /// What it makes of what it reads, if it does; it is in a group then.
    pub pipeline: Option<PipelineSettings>,
}

impl ConsumerConfig {
    /// A partition as its group sees it.
    pub(super) fn lines_of(&self, partition: PartitionId) -> &[DestinationId] {
        let all = self.config.streams.destinations_of(partition);
        match self.group {
            Some(group) => std::slice::from_ref(&all[group.min(all.len() - 1)]),
            None => all,
        }
    }

    /// Messages as their writer numbered them.
    pub(super) fn told(&self, messages: MessageRange) -> MessageRange {
        self.config.streams.told(messages).0
    }

    /// Where messages were meant for, wherever they were found.
    pub(super) fn lines(&self, messages: MessageRange) -> &[DestinationId] {
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
    pub(super) fetched: VecDeque<(PartitionId, VecDeque<Piece>)>,
    /// What the last poll handed to the application.
    pub(super) hand: VecDeque<Piece>,
    pub(super) application: Reading<Piece>,
    /// The destinations of its partitions, as far as it reads them.
    pub(super) lines: Vec<DestinationId>,
    /// It looks again (ConsumerNetworkClient.java goes by `time.milliseconds()`).
    look: Alarm,
    /// What it is in its group, if it is in one.
    pub(super) member: Option<Box<Member>>,
    /// What it makes of what it reads.
    pub(super) pipeline: Option<Box<Pipeline>>,
}

impl Consumer {
    /// A consumer that has not started.
    #[must_use]
    pub fn new(config: ConsumerConfig) -> Consumer {
        let settings = &config.settings;
        let mut network = NetworkConfig::new(
            &config.config,
            config.connect.clone(),
            100,
            settings.request_timeout,
            (settings.backoff, settings.metadata_max_age),
        );
        network.coordinators = config.member.is_some();
        network.producer = config.pipeline.is_some();
        let pipeline = config.pipeline.clone().map(|own| {
            let partitions = config.config.streams.of_topic(own.to);
            Box::new(Pipeline::new(own, partitions))
        });
        let mut partitions = config.partitions.clone();
        partitions.sort_unstable();
        let member = config.member.clone().map(|own| Box::new(Member::new(own)));
        if member.as_ref().is_some_and(|member| member.settings.subscribes) {
            partitions.clear();
        }
        Consumer {
            network: Network::new(network),
            parts: partitions.iter().map(|partition| Part::new(*partition)).collect(),
            asked: Vec::new(),
            fetched: VecDeque::new(),
            hand: VecDeque::new(),
            application: Reading::new(config.id, config.hours, config.processing.clone()),
            lines: partitions.iter().flat_map(|of| config.lines_of(*of)).copied().collect(),
            look: Alarm::new(By::Wall),
            member,
            pipeline,
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
            Input::Signal(Signal::Stop) if self.member.is_some() => self.close(ctx, Closing::Exit),
            Input::Signal(Signal::Stop) => ctx.exit(),
            Input::Signal(Signal::NodeResumed) => {}
            Input::Local { body: Message::Timer(Timer::Start) } => self.start(ctx, false),
            Input::Local { body: Message::Timer(Timer::Stop) } if self.member.is_some() => {
                self.close(ctx, Closing::Hours);
            }
            Input::Local { body: Message::Timer(Timer::Stop) } => self.stop(ctx),
            Input::Local { body: Message::Timer(Timer::Processed) } => {
                if let Some(piece) = self.application.done() {
                    self.finish(piece, ctx);
                }
                self.work(ctx);
                self.poll(ctx);
            }
            Input::Local { body: Message::Timer(Timer::Poll) } => self.look_again(ctx),
            Input::Local { body: Message::Timer(Timer::Member) } => self.member_rang(ctx),
            input if !self.application.is_stopped() => self.hear(input, ctx),
            _ => {}
        }
        if self.member.is_some() {
            self.drive(ctx);
        }
    }

    /// The place of a partition among those that it reads.
    pub(super) fn place_of(&self, partition: PartitionId) -> Option<usize> {
        self.parts.binary_search_by_key(&partition, |part| part.partition).ok()
    }

    /// A partition that it reads.
    pub(super) fn part(&mut self, partition: PartitionId) -> Option<&mut Part> {
        let place = self.place_of(partition)?;
        Some(&mut self.parts[place])
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
            NetworkEvent::Answer { node, id, body }
                if self.pipeline_answered(ctx, (node, id), &body) => {}
            NetworkEvent::Answer { node, id, body } => match *body {
                Response::Group(answer) => self.group_answered(ctx, (node, id), answer),
                body => self.answered(ctx, node, id, body),
            },
            NetworkEvent::Lost { node, ids } => {
                self.lost(ctx, node, &ids);
                self.group_lost(ctx, node, &ids);
                self.pipeline_lost(ctx, node, &ids);
            }
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
        if self.member.is_some() {
            self.enter(ctx, first);
            return self.poll(ctx);
        }
        let reset = self.config.settings.reset;
        for part in &mut self.parts {
            part.begin(first, reset);
        }
        self.poll(ctx);
    }

    /// `close()`: what the application has in hand it finishes.
    pub(super) fn stop(&mut self, ctx: &mut Context<'_, Message>) {
        self.application.stop();
        self.fetched.clear();
        self.network.shut(ctx);
        self.asked.clear();
        self.tell_wants(ctx);
    }

    /// `poll()`: when the application is through with what it has in hand it gets what was fetched,
    /// and fetches go out before it works on that (KafkaConsumer.java, poll).
    pub(super) fn poll(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.application.is_active() {
            return;
        }
        self.work(ctx);
        if self.is_in_poll() {
            self.poll_group(ctx);
        }
        if self.is_in_poll() && !self.fetched.is_empty() && self.may_hand_out() {
            self.take();
            self.took(ctx);
            self.ask(ctx);
            self.work(ctx);
            if !self.fetched.is_empty() && self.may_hand_out() {
                let now = ctx.clock();
                self.look_at(ctx, now);
            }
        }
        if !self.application.is_busy() || self.polls_on() {
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
            let Some((partition, pieces)) = self.fetched.front_mut() else { return };
            let place = self.parts.binary_search_by_key(partition, |part| part.partition);
            let Ok(place) = place else {
                // It is not this consumer's any more.
                self.fetched.pop_front();
                continue;
            };
            let part = &mut self.parts[place];
            // Fetcher.java, fetchRecords: what is not at the position (any more) is thrown away.
            let fits = pieces.front().map(|piece| piece.base) == part.position;
            if part.step != Step::Fetch || !fits {
                pieces.clear();
            }
            while room > 0
                && let Some(piece) = pieces.pop_front()
            {
                if piece.messages.producer == CONTROL {
                    part.consumed(&piece);
                    continue;
                }
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
            && !self.is_held()
            && let Some(piece) = self.hand.pop_front()
        {
            let whole = self.application.is_instant();
            let most = if whole { self.at_once(piece.messages.count) } else { 1 };
            let handed = piece.part(0, most);
            let (count, rest) = (handed.messages.count, piece.messages.count);
            if count < rest {
                self.hand.push_front(piece.part(count, rest - count));
            }
            ctx.spend(self.config.config.costs.receive * u64::from(count));
            let (now, id) = (ctx.now(), self.config.id);
            let messages = self.config.told(handed.messages);
            for line in self.config.lines(handed.messages) {
                ctx.observer().polled(now, id, *line, messages, handed.base);
                ctx.observer().delivered(now, id, *line, messages, false);
            }
            if self.throws(count) {
                return self.fail(handed, ctx);
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
        let messages = self.config.told(piece.messages);
        for line in self.config.lines(piece.messages) {
            ctx.observer().processed(now, id, *line, messages);
        }
        if self.member.is_some() && self.pass_on(&piece) {
            self.finished(&piece, ctx);
        }
    }

    /// Whether the application has nothing to work on, and waits for nothing.
    pub(super) fn is_free(&self) -> bool {
        !self.application.is_busy() && self.hand.is_empty() && !self.is_held()
    }

    /// Whether the application is in poll(), or about to call it.
    pub(super) fn is_in_poll(&self) -> bool {
        self.application.is_active() && (self.is_free() || self.polls_on() && !self.is_held())
    }

    /// An application asks for messages while it has none to work on.
    pub(super) fn tell_wants(&mut self, ctx: &mut Context<'_, Message>) {
        let free = self.is_free() || self.polls_on();
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

    /// It has no position, or none that the log has, and goes on at the end of a partition.
    pub(super) fn tell_skipped(
        &self,
        ctx: &mut Context<'_, Message>,
        partition: PartitionId,
        because: BecauseId,
    ) {
        let (now, node) = (ctx.now(), ctx.node());
        let removal = Removal { cause: cause::SKIPPED_BY_RESET, because };
        for line in self.config.lines_of(partition) {
            ctx.observer().skipped(now, self.config.id, *line, node, removal);
        }
    }

    /// It had a position that the log does not have, and goes on where there is something: what was deleted
    /// before that, it will never see.
    pub(super) fn tell_overtaken(&self, ctx: &mut Context<'_, Message>, partition: PartitionId) {
        let now = ctx.now();
        for line in self.config.lines_of(partition) {
            ctx.observer().overtaken(now, *line);
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
        self.member_died(at, observer);
        let me = self.member.as_ref().map(|member| member.host());
        if let Some(me) = me {
            self.pipeline_died(at, me, observer);
        }
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

    /// The same of all that may be read: `end` is where that ends in a partition, for `read_committed` or
    /// not, `None` if nobody leads it.
    pub fn waits_for_upto(
        &self,
        end: Option<&dyn Fn(PartitionId, bool) -> Option<u64>>,
    ) -> Option<Wait> {
        if !self.is_idle() {
            return Some("its application, to finish what it has in hand".into());
        }
        if self.application.is_stopped() {
            return None;
        }
        if !self.application.is_active() {
            return Some("its start".into());
        }
        if let Some(wait) = self.waits_for_group() {
            return Some(wait);
        }
        let read = |part: &Part| match end {
            None => part.is_at_end(),
            Some(end) => {
                let short = |end| part.position.is_none_or(|position| position < end);
                let end = end(part.partition, self.config.settings.committed);
                part.step == Step::Stopped || !end.is_some_and(short)
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
            (Asked::Fetch(parts), Response::Fetch(answers, _)) => {
                self.fetched_some(ctx, &parts, answers);
            }
            (Asked::Offset { partition, reset }, Response::ListOffsets(error, offset, epoch)) => {
                self.looked_up(ctx, partition, reset, (error, offset, epoch));
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
            for partition in asked.partitions() {
                let Some(part) = self.part(partition) else { continue };
                part.asked = false;
                part.at_end = false;
                part.forget_preferred();
                if part.step != Step::Fetch {
                    part.not_before = again;
                }
            }
        }
    }
}
