//! How a broker finds the controller that leads, and comes to know its role at a start
//! (`broker/controller/ReplicasManager.java` start, startBasicService, scanAvailableControllerAddresses,
//! updateControllerMetadata).
//!
//! It asks a controller that it can reach who leads, every ten seconds and at no other time: while the one that
//! it knows leads no more, nothing that it asks for is done. A controller that does not lead says so
//! (CONTROLLER_NOT_LEADER), which makes a broker look for no other one.

use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{Context, Lane};

use super::super::message::{Decided, HEADER, Message, Timer};
use super::super::remoting::Waits;
use super::Broker;
use super::register::Asked;

/// Controllers that cannot be reached are looked for so often.
const SCAN: Span = Span::from_secs(3);
/// `syncControllerMetadataPeriod`.
const SYNC: Span = Span::from_secs(10);
/// What is done again and again is done for the first time so long after the start.
const FIRST: Span = Span::from_secs(3);
/// Between two of the [`TRIES`] to find out who leads.
const BETWEEN: Span = Span::from_secs(1);
/// So often it is tried in a row at a start.
const TRIES: u8 = 3;
/// So often a broker registers in a row, with a sleep of less than a second before each but the first.
const REGISTRATIONS: u8 = 5;
/// `RETRY_INTERVAL_SECOND`: after that, it begins again.
const RETRY: Span = Span::from_secs(5);
/// A question to a controller waits so long.
pub(super) const TIMEOUT: Span = Span::from_secs(3);

/// How far a broker's start has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It does not know who leads, and has tried so often.
    Seeking(u8),
    /// It registers, and has tried so often.
    Registering(u8),
    /// It knew its role.
    Running,
}

/// What a broker knows of the controllers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leading {
    state: State,
    /// `controllerLeaderAddress`: by its place among the controllers.
    leader: Option<usize>,
    /// `availableControllerAddresses`, as a set of places.
    available: u32,
    /// Who is asked who leads.
    asking: Option<usize>,
}

impl Leading {
    pub(super) const fn new() -> Leading {
        Leading { state: State::Seeking(0), leader: None, available: 0, asking: None }
    }
}

impl Broker {
    fn controllers(&self) -> std::ops::Range<usize> {
        let first = self.config.nameservers.len() + self.config.slaves as usize + 1;
        first..first + self.config.control.as_ref().map_or(0, |control| control.hosts.len())
    }

    /// The controllers that can be reached, by their places in `remoting`.
    pub(super) fn available_controllers(&self) -> impl Iterator<Item = usize> + use<> {
        let available = self.leading.available;
        self.controllers()
            .enumerate()
            .filter_map(move |(at, server)| (available & 1 << at != 0).then_some(server))
    }

    /// The controller that leads, as far as it knows, by its place in `remoting`.
    pub(super) fn leading_controller(&self) -> Option<usize> {
        self.leading.leader.map(|at| self.controllers().start + at)
    }

    pub(super) fn start_leading(&mut self, ctx: &mut Context<'_, Message>) {
        if ctx.incarnation() == 0 {
            // It has run for a while.
            self.leading.state = State::Running;
            self.leading.available = (1 << self.controllers().len()) - 1;
            self.ask_who_leads(0, ctx);
            let sync = ctx.first_round(SYNC);
            ctx.after(sync, Lane::MAIN, Timer::SyncController.into());
            let scan = ctx.first_round(SCAN);
            ctx.after(scan, Lane::MAIN, Timer::ScanControllers.into());
            return;
        }
        // Nothing has answered the scan when it is first looked who can be asked.
        self.scan_controllers(ctx);
        self.ask_who_leads(0, ctx);
    }

    /// `scanAvailableControllerAddresses`.
    pub(super) fn scan_controllers(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(SCAN, Lane::MAIN, Timer::ScanControllers.into());
        for (at, server) in self.controllers().enumerate() {
            if !self.remoting.is_open(server) {
                self.leading.available &= !(1 << at);
                self.remoting.reach(server, ctx);
            }
        }
    }

    /// A connection is there.
    pub(super) fn reached(&mut self, server: usize) {
        let controllers = self.controllers();
        if controllers.contains(&server) {
            self.leading.available |= 1 << (server - controllers.start);
        }
    }

    /// `updateControllerMetadata`: asks the first that can be reached, from this one on.
    fn ask_who_leads(&mut self, from: usize, ctx: &mut Context<'_, Message>) {
        let start = self.controllers().start;
        self.leading.asking = self.available_controllers().find(|server| *server >= start + from);
        match self.leading.asking {
            Some(server) => {
                let request = (Message::GetLeader, HEADER);
                self.remoting.request(server, Waits::Sync(TIMEOUT), Asked::Leader, request, ctx);
            }
            None => self.nobody_knows(ctx),
        }
    }

    /// It has answered; none if it knows of none, or did not answer.
    pub(super) fn leader_is(&mut self, leader: Option<NodeId>, ctx: &mut Context<'_, Message>) {
        let Some(asked) = self.leading.asking.take() else { return };
        let hosts = self.config.control.iter().flat_map(|control| &control.hosts);
        let Some(at) = leader.and_then(|leader| hosts.clone().position(|host| *host == leader))
        else {
            return self.ask_who_leads(asked + 1 - self.controllers().start, ctx);
        };
        self.leading.leader = Some(at);
        if matches!(self.leading.state, State::Seeking(_)) {
            ctx.after(FIRST, Lane::MAIN, Timer::SyncController.into());
            self.leading.state = State::Registering(0);
            self.register_with_controller(ctx);
        }
    }

    /// A round without an answer: at a start it is tried again.
    fn nobody_knows(&mut self, ctx: &mut Context<'_, Message>) {
        if let State::Seeking(tries) = self.leading.state {
            let wait = if tries + 1 < TRIES { BETWEEN } else { BETWEEN + RETRY };
            self.leading.state = State::Seeking((tries + 1) % TRIES);
            ctx.after(wait, Lane::MAIN, Timer::FindController.into());
        }
    }

    /// Every ten seconds.
    pub(super) fn sync_controller(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(SYNC, Lane::MAIN, Timer::SyncController.into());
        if self.leading.asking.is_none() {
            self.ask_who_leads(0, ctx);
        }
    }

    /// At a start: the next try.
    pub(super) fn find_controller(&mut self, ctx: &mut Context<'_, Message>) {
        match self.leading.state {
            State::Seeking(_) => self.ask_who_leads(0, ctx),
            State::Registering(_) => self.register_with_controller(ctx),
            State::Running => {}
        }
    }

    /// `register`, `brokerElect`: asks for its role; a group without a master gets one if it can.
    fn register_with_controller(&mut self, ctx: &mut Context<'_, Message>) {
        self.tell_controllers(ctx);
        self.ask_replicas(ctx);
    }

    /// What came of it; none without an answer, or of a controller that does not lead.
    pub(super) fn registered_with_controller(
        &mut self,
        decided: Option<&Decided>,
        ctx: &mut Context<'_, Message>,
    ) {
        let State::Registering(tries) = self.leading.state else { return };
        let wait = match decided {
            Some(decided) if decided.master.is_some() => {
                self.leading.state = State::Running;
                ctx.after(FIRST, Lane::MAIN, Timer::Metadata.into());
                return;
            }
            // There is no master: it begins again with that.
            Some(_) => RETRY,
            None if tries + 1 < REGISTRATIONS => {
                self.leading.state = State::Registering(tries + 1);
                Span::from_millis(ctx.random().below(1_000))
            }
            None => {
                self.leading.state = State::Registering(0);
                RETRY
            }
        };
        ctx.after(wait, Lane::MAIN, Timer::FindController.into());
    }
}
