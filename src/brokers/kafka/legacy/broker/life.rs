//! Start, recovery, stop, halt and death (`server/KafkaServer.scala` 0.7).

use crate::brokers::kit::log::Piece;
use crate::engine::{Span, Time};
use crate::observe::{CauseId, Event, Observer, Removal};
use crate::world::{Context, Death, DiskView, Lane};

use super::super::config::KAFKA;
use super::super::invariants::Touch;
use super::super::message::{Message, StartStep};
use super::super::rules::Rule;
use super::super::words::{because, cause, event, role};
use super::{Broker, Phase, Processor};

/// The cleaner looks for the first time after a minute (`log/LogManager.scala` 0.7).
const FIRST_CLEANING: Span = Span::from_secs(60);

impl Broker {
    /// At time zero it has run for a while.
    pub(super) fn boot(&mut self, incarnation: u32, ctx: &mut Context<'_, Message>) {
        let takes = match incarnation {
            0 => Span::ZERO,
            _ => self.config.settings.boot_time.span(ctx.random()),
        };
        self.begin(takes, ctx);
    }

    fn begin(&mut self, takes: Span, ctx: &mut Context<'_, Message>) {
        self.life += 1;
        self.phase = Phase::Loading(0);
        self.start_after(takes, StartStep::Load, ctx);
    }

    fn start_after(&mut self, delay: Span, step: StartStep, ctx: &mut Context<'_, Message>) {
        let life = self.life;
        ctx.after(delay, Lane::MAIN, Message::Start(step, life));
    }

    pub(super) fn start(&mut self, step: StartStep, ctx: &mut Context<'_, Message>) {
        match step {
            StartStep::Load => self.load(ctx),
            StartStep::Scan(index) => self.scanned(index as usize, ctx),
            StartStep::ConnectionTimeout if self.phase == Phase::Connecting => {
                self.start_failed(ctx);
            }
            StartStep::ConnectionTimeout => {}
            StartStep::Again => {
                let takes = self.config.settings.boot_time.span(ctx.random());
                self.begin(takes, ctx);
            }
        }
    }

    /// `.kafka_cleanshutdown` is deleted at each start; without it every log is recovered.
    fn load(&mut self, ctx: &mut Context<'_, Message>) {
        let clean = std::mem::take(&mut self.clean);
        if clean || !self.config.settings.rules.has(Rule::RecoverLastSegment) {
            for index in 0..self.logs.len() {
                self.logs[index].torn = None;
                self.show_recovered(index, ctx);
            }
            return self.loaded(ctx);
        }
        self.scan_next(0, ctx);
    }

    fn scan_next(&mut self, index: usize, ctx: &mut Context<'_, Message>) {
        let Some(log) = self.logs.get(index) else { return self.loaded(ctx) };
        self.phase = Phase::Loading(index as u32);
        let step = Message::Start(StartStep::Scan(index as u32), self.life);
        match log.last_segment_bytes() {
            0 => self.scanned(index, ctx),
            bytes => ctx.read(bytes, step),
        }
    }

    /// `FileMessageSet.recover`.
    fn scanned(&mut self, index: usize, ctx: &mut Context<'_, Message>) {
        let bytes = self.logs[index].last_segment_bytes();
        let pace = self.config.costs.scan;
        ctx.spend(pace.time(u32::try_from(bytes).unwrap_or(u32::MAX)));
        let (now, node) = (ctx.now(), self.node);
        let config = self.config.clone();
        let log = &mut self.logs[index];
        let cut = log.recover(|piece| {
            let removal = Removal::new(cause::TORN_TAIL_TRUNCATED, because::NOT_FSYNCED);
            config.removed((now, node), piece, removal, ctx.observer());
        });
        let (file, length) = (log.log.file(), log.log.length());
        if cut > 0 {
            ctx.truncate(file, length);
        }
        if bytes > 0 {
            ctx.observer().event(now, Event::new(event::RECOVERED, node, None, None, cut));
        }
        self.show_recovered(index, ctx);
        self.scan_next(index + 1, ctx);
    }

    /// All that has survived counts as flushed.
    fn show_recovered(&mut self, index: usize, ctx: &mut Context<'_, Message>) {
        self.touched.note(Touch::Loaded(self.logs[index].partition));
        if self.config.settings.rules.has(Rule::RecoveredIsVisible) {
            let end = self.logs[index].log.end();
            self.mark_flushed(index, end, ctx);
        } else {
            let log = &mut self.logs[index];
            log.unflushed = u32::from(log.log.end() > log.flushed);
            log.last_flush = ctx.clock();
        }
    }

    fn loaded(&mut self, ctx: &mut Context<'_, Message>) {
        let life = self.life;
        ctx.after(FIRST_CLEANING, Lane::MAIN, Message::CleanerTick(life));
        if !self.config.settings.zookeeper {
            self.open_sockets(ctx);
            return self.serve(ctx);
        }
        self.phase = Phase::Connecting;
        self.session.open(ctx);
        let timeout = self.config.settings.connection_timeout;
        self.start_after(timeout, StartStep::ConnectionTimeout, ctx);
    }

    pub(super) fn open_sockets(&mut self, ctx: &mut Context<'_, Message>) {
        let threads = 0..self.config.settings.threads;
        self.processors = threads
            .map(|_| Processor {
                lane: ctx.spawn(),
                jobs: std::collections::VecDeque::new(),
                reads: true,
            })
            .collect();
        self.next_processor = 0;
        ctx.listen(KAFKA);
    }

    /// Registered: handlers go on, the flusher starts.
    pub(super) fn serve(&mut self, ctx: &mut Context<'_, Message>) {
        self.phase = Phase::Serving;
        self.flusher = ctx.spawn();
        self.next_tick = ctx.monotonic();
        self.plan_tick(ctx);
        for lane in std::mem::take(&mut self.awaiting) {
            ctx.resume(lane);
            ctx.tell(lane, Message::Nudge);
        }
        ctx.ready();
        let now = ctx.now();
        self.tell_role(now, role::OWNER, ctx.observer());
    }

    /// `RuntimeException` in the start: what was opened is closed again, and the marker of a clean
    /// shutdown written.
    pub(super) fn start_failed(&mut self, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), self.node);
        ctx.observer().event(now, Event::new(event::START_FAILED, node, None, None, 0));
        self.session.close(ctx);
        // Its logs are loaded, and closed again, which flushes them; not so if one could not be read.
        self.clean = !matches!(self.phase, Phase::Loading(_));
        for log in self.logs.iter().filter(|log| log.exists()) {
            ctx.fsync(log.log.file(), Message::Nudge);
        }
        self.end(ctx);
    }

    /// `Runtime.halt(1)`: an I/O error at an append or a flush.
    pub(super) fn halt(&mut self, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), self.node);
        ctx.observer().event(now, Event::new(event::HALTED, node, None, None, 0));
        self.tell_role(now, role::UNREGISTERED, ctx.observer());
        self.session.close(ctx);
        let lengths = ctx.file_lengths();
        self.end(ctx);
        let disk = DiskView::new(&lengths);
        self.forget(Death::Killed, &disk, now, ctx.observer());
    }

    /// The software has ended; its supervisor starts it again.
    fn end(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.unlisten(KAFKA);
        for (conn, _) in std::mem::take(&mut self.conns) {
            ctx.abort(conn);
        }
        for processor in std::mem::take(&mut self.processors) {
            ctx.end(processor.lane);
        }
        if self.flusher != Lane::MAIN {
            ctx.end(self.flusher);
            self.flusher = Lane::MAIN;
        }
        self.awaiting.clear();
        self.to_flush.clear();
        self.registration = super::Registration::default();
        self.life += 1;
        self.phase = Phase::Ended;
        let delay = self.config.settings.restart_delay;
        self.start_after(delay, StartStep::Again, ctx);
    }

    /// SIGTERM: the sockets first, then the logs, then the session (`shutdown`).
    pub(super) fn stop(&mut self, ctx: &mut Context<'_, Message>) {
        match self.phase {
            // What is not loaded is not closed either: nothing says that it is whole.
            Phase::Down | Phase::Ended | Phase::Loading(_) => return ctx.exit(),
            Phase::Stopping | Phase::Leaving => return,
            _ => {}
        }
        ctx.unlisten(KAFKA);
        for (conn, _) in std::mem::take(&mut self.conns) {
            ctx.close(conn);
        }
        self.phase = Phase::Stopping;
        self.to_flush = (0..self.logs.len() as u32).collect();
        self.flush_next(ctx);
    }

    pub(super) fn logs_closed(&mut self, ctx: &mut Context<'_, Message>) {
        self.phase = Phase::Leaving;
        self.clean = true;
        if !self.config.settings.zookeeper || !self.leave(ctx) {
            ctx.exit();
        }
    }

    /// The process is gone, or more of its host is.
    pub fn died(
        &mut self,
        death: Death,
        disk: &DiskView<'_>,
        at: Time,
        observer: &mut dyn Observer,
    ) {
        self.forget(death, disk, at, observer);
        self.phase = Phase::Down;
        self.life += 1;
        self.processors.clear();
        self.conns.clear();
        self.awaiting.clear();
        self.to_flush.clear();
        self.flusher = Lane::MAIN;
        self.session.died();
        self.registration = super::Registration::default();
        self.tell_role(at, role::UNREGISTERED, observer);
    }

    fn forget(&mut self, death: Death, disk: &DiskView<'_>, at: Time, observer: &mut dyn Observer) {
        let (config, node) = (self.config.clone(), self.node);
        let mut gone = |why: CauseId, piece: Piece| {
            let because = match why {
                cause::DISK_WIPED => because::NO_REPLICATION,
                _ => because::NOT_FSYNCED,
            };
            config.removed((at, node), piece, Removal::new(why, because), observer);
        };
        for log in &mut self.logs {
            log.forget();
            match death {
                Death::Wiped => {
                    self.touched.note(Touch::Wiped(log.partition));
                    log.wipe(|piece| gone(cause::DISK_WIPED, piece));
                }
                Death::PowerLoss => {
                    let kept = disk.kept(log.log.file());
                    self.touched.note(Touch::Kept(log.partition, kept));
                    // The marker of a clean stop is written when all logs are flushed.
                    self.clean &= kept >= log.log.end();
                    log.lose_page_cache(kept, |piece| gone(cause::PAGE_CACHE_LOST, piece));
                }
                Death::Killed | Death::Exited => {}
            }
        }
        if death == Death::Wiped {
            self.clean = false;
        }
    }
}
