//! Requests (`server/KafkaRequestHandlers.scala`, `network/SocketServer.scala` 0.7): a processor
//! handles one after the other, and waits with what it has in hand.

use crate::engine::Span;
use crate::world::{ConnId, Context, DiskError};

use super::super::super::PartitionId;
use super::super::invariants::Touch;
use super::super::message::{Fetch, Fetched, Message, OffsetTime, Part, RESPONSE};
use super::super::rules::Rule;
use super::super::words::{because, cause};
use super::{Broker, Phase};
use crate::observe::Removal;

/// A request in the hands of a processor.
#[derive(Clone, Debug)]
pub(super) struct Job {
    conn: ConnId,
    request: Request,
    /// The part that is next.
    next: usize,
}

#[derive(Clone, Debug)]
enum Request {
    Produce(Part),
    MultiProduce(Vec<Part>),
    MultiFetch(Box<Fetch>),
    Offsets(PartitionId, OffsetTime),
}

/// How far a request has come.
enum Progress {
    Done,
    /// Its processor waits.
    Waits,
    /// The broker has halted.
    Halted,
}

impl Broker {
    pub(super) fn request(&mut self, conn: ConnId, body: Message, ctx: &mut Context<'_, Message>) {
        let Some(processor) = self.processor(ctx.lane()) else { return };
        let request = match body {
            Message::Produce(part) => Request::Produce(part),
            Message::MultiProduce(parts) => Request::MultiProduce(parts),
            Message::MultiFetch(fetch) => Request::MultiFetch(fetch),
            Message::Offsets(partition, time) => Request::Offsets(partition, time),
            _ => return ctx.abort(conn),
        };
        ctx.spend(self.config.costs.request);
        self.processors[processor].jobs.push_back(Job { conn, request, next: 0 });
        self.work(processor, ctx);
    }

    /// Goes on with what a processor has in hand, until it must wait.
    pub(super) fn work(&mut self, processor: usize, ctx: &mut Context<'_, Message>) {
        while let Some(mut job) = self.processors[processor].jobs.pop_front() {
            let progress = if self.phase == Phase::Registering {
                // `getLogPool` 0.7, `awaitStartup`.
                self.awaiting.push(ctx.lane());
                ctx.suspend();
                Progress::Waits
            } else {
                self.go_on(&mut job, ctx)
            };
            match progress {
                Progress::Done => {}
                Progress::Waits => {
                    self.processors[processor].jobs.push_front(job);
                    return self.read_connections(processor, false, ctx);
                }
                Progress::Halted => return,
            }
        }
        self.read_connections(processor, true, ctx);
    }

    /// A thread that waits does not read: what its clients send fills the sockets' buffers.
    fn read_connections(&mut self, processor: usize, reads: bool, ctx: &mut Context<'_, Message>) {
        let before = std::mem::replace(&mut self.processors[processor].reads, reads);
        if before != reads {
            for (conn, _) in self.conns.iter().filter(|(_, of)| *of == processor) {
                ctx.hold(*conn, !reads);
            }
        }
    }

    fn go_on(&mut self, job: &mut Job, ctx: &mut Context<'_, Message>) -> Progress {
        let conn = job.conn;
        match &job.request {
            Request::Produce(part) => {
                let parts = [*part];
                self.produce(conn, &parts, &mut job.next, ctx)
            }
            Request::MultiProduce(parts) => self.produce(conn, parts, &mut job.next, ctx),
            Request::MultiFetch(fetch) => {
                self.fetch(conn, fetch, ctx);
                Progress::Done
            }
            Request::Offsets(partition, time) => {
                let offset = self.log(*partition).map_or(0, |log| log.offset_at(*time));
                ctx.send(conn, Message::OffsetIs(*partition, offset), RESPONSE + 12);
                Progress::Done
            }
        }
    }

    /// There is no response, whatever comes of it.
    fn produce(
        &mut self,
        conn: ConnId,
        parts: &[Part],
        next: &mut usize,
        ctx: &mut Context<'_, Message>,
    ) -> Progress {
        while let Some(part) = parts.get(*next) {
            let Some(index) = self.log_of(part.partition) else {
                self.refuse(&parts[*next..], ctx);
                ctx.abort(conn);
                return Progress::Done;
            };
            if part.messages.bytes > self.config.settings.max_message_size {
                self.drop_part(part, cause::MESSAGE_TOO_LARGE, ctx);
                *next += 1;
                continue;
            }
            if !self.lock_is_free(index, ctx) {
                return Progress::Waits;
            }
            *next += 1;
            match self.append(conn, index, *part, ctx) {
                Ok(false) => {}
                Ok(true) => return Progress::Waits,
                Err(DiskError::Full | DiskError::Io) => {
                    *next -= 1;
                    for part in &parts[*next..] {
                        self.drop_part(part, cause::HALTED, ctx);
                    }
                    self.halt(ctx);
                    return Progress::Halted;
                }
            }
        }
        Progress::Done
    }

    /// `InvalidPartitionException`: the processor closes the connection.
    fn refuse(&mut self, parts: &[Part], ctx: &mut Context<'_, Message>) {
        for part in parts {
            self.drop_part(part, cause::REQUEST_REFUSED, ctx);
        }
    }

    fn drop_part(&self, part: &Part, why: crate::observe::CauseId, ctx: &mut Context<'_, Message>) {
        let (at, node) = (ctx.now(), self.node);
        let removal = Removal::new(why, because::NO_RESPONSE);
        ctx.observer().dropped(at, node, None, part.messages, removal);
    }

    /// `log/Log.scala` 0.7, `append`. Whether it waits for an fsync.
    fn append(
        &mut self,
        conn: ConnId,
        index: usize,
        part: Part,
        ctx: &mut Context<'_, Message>,
    ) -> Result<bool, DiskError> {
        let count = u64::from(part.messages.count);
        ctx.spend(Span::from_nanos(self.config.costs.append.as_nanos() * count));
        ctx.write(self.logs[index].log.file(), part.bytes())?;
        let now = ctx.now();
        if !self.logs[index].exists() {
            self.logs[index].create(now);
            self.new_topic(part.partition, ctx);
        }
        let piece = self.logs[index].append(part.messages, now);
        let (node, rules) = (self.node, self.config.settings.rules);
        let visible = !rules.has(Rule::VisibleWhenFlushed);
        self.config.each_line(part.messages, |line| {
            ctx.observer().stored(now, node, line, part.messages);
            if visible {
                ctx.observer().readable(now, line, part.messages);
            }
        });
        self.touched.note(Touch::Appended(part.partition, piece, conn));
        let settings = &self.config.settings;
        let log = &mut self.logs[index];
        let full = rules.has(Rule::FlushByCount) && log.unflushed >= settings.flush_interval;
        let rolls = log.wants_roll(settings.file_size, settings.roll, now);
        if full || rolls {
            self.flush(index, ctx);
            return Ok(true);
        }
        Ok(false)
    }

    /// Up to where a log may be read.
    pub(super) fn visible(&self, index: usize) -> u64 {
        let log = &self.logs[index];
        match self.config.settings.rules.has(Rule::VisibleWhenFlushed) {
            true => log.flushed,
            false => log.log.end(),
        }
    }

    /// Answered at once, empty where nothing is visible yet.
    fn fetch(&mut self, conn: ConnId, fetch: &Fetch, ctx: &mut Context<'_, Message>) {
        let mut answers = Vec::with_capacity(fetch.parts.len());
        for &(partition, offset) in &fetch.parts {
            ctx.spend(self.config.costs.fetch_part);
            let index = self.log_of(partition);
            let pieces = index.map_or(Ok(Vec::new()), |index| {
                self.logs[index].read(offset, fetch.size, self.visible(index))
            });
            // What is not in the page cache any more comes from the disk; a processor that cannot
            // read it closes the connection (network/SocketServer.scala 0.7.2, Processor.run).
            if let (Some(index), Ok(pieces)) = (index, &pieces)
                && let Some(first) = pieces.first()
            {
                let log = &self.logs[index].log;
                let from = log.position(first.base);
                let bytes: u64 = pieces.iter().map(|piece| piece.bytes).sum();
                if ctx.load(log.file(), from, from + bytes).is_err() {
                    return ctx.close(conn);
                }
            }
            if let Some(last) = pieces.as_ref().ok().and_then(|pieces| pieces.last()) {
                self.touched.note(Touch::Served(partition, last.end()));
            }
            answers.push(Fetched { partition, offset, pieces });
        }
        let bytes: u64 = answers.iter().map(|part| part.bytes() + u64::from(RESPONSE)).sum();
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX) + RESPONSE;
        ctx.send(conn, Message::Fetched(answers), bytes);
    }
}
