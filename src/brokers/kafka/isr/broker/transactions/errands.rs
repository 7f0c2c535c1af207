//! Requests to other brokers about transactions: markers, and questions to coordinators
//! (TransactionMarkerChannelManager.scala, AddPartitionsToTxnManager.scala: an InterBrokerSendThread).

use std::collections::VecDeque;

use crate::brokers::kafka::PartitionId;
use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{Context, Input, Lane};

use super::super::super::config::BROKER;
use super::super::super::link::Link;
use super::super::super::message::{Error, Message, Request, Response, Timer};
use super::super::super::transactions::TxnId;
use super::super::Broker;

/// What a request to another broker is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// Markers of a transaction, of this epoch.
    Markers { id: TxnId, epoch: u16, partitions: Vec<PartitionId> },
    /// A leader verifies a partition: the slot.
    Verify(u32),
}

/// Connections to other brokers.
#[derive(Clone, Debug)]
pub struct Errands {
    lane: Option<Lane>,
    links: Vec<Link>,
    /// By broker: what waits for a connection, and what is not answered.
    waiting: Vec<VecDeque<(Errand, Request)>>,
    asked: Vec<Vec<(u32, Errand)>>,
}

impl Errands {
    /// Nothing is connected.
    #[must_use]
    pub fn new(brokers: u32) -> Errands {
        let link = |node| Link::new(node, NodeId(node), BROKER);
        Errands {
            lane: None,
            links: (0..brokers).map(link).collect(),
            waiting: vec![VecDeque::new(); brokers as usize],
            asked: vec![Vec::new(); brokers as usize],
        }
    }

    /// Its lane.
    #[must_use]
    pub const fn lane(&self) -> Option<Lane> {
        self.lane
    }

    /// The process is gone.
    pub(in super::super) fn forget(&mut self) {
        *self = Errands::new(self.links.len() as u32);
    }

    fn owner(&self, owns: impl Fn(&Link) -> bool) -> Option<usize> {
        self.links.iter().position(owns)
    }
}

impl Broker {
    /// Sends a request to another broker as soon as there is a connection.
    pub(super) fn run_errand(
        &mut self,
        to: NodeId,
        errand: Errand,
        request: Request,
        ctx: &mut Context<'_, Message>,
    ) {
        let errands = &mut self.errands;
        let lane = *errands.lane.get_or_insert_with(|| ctx.spawn());
        errands.waiting[to.index()].push_back((errand, request));
        ctx.tell(lane, Message::Timer(Timer::Sender));
    }

    pub(in super::super) fn handle_errand(
        &mut self,
        input: Input<Message>,
        ctx: &mut Context<'_, Message>,
    ) {
        match input {
            Input::Local { body: Message::Timer(Timer::Sender) } => self.send_errands(ctx),
            Input::Connected { conn } => {
                if let Some(place) = self.errands.owner(|link| link.owns(conn)) {
                    self.errands.links[place].connected(conn);
                    self.send_errands(ctx);
                }
            }
            Input::Failed { conn, .. } | Input::Closed { conn, .. } => {
                if let Some(place) = self.errands.owner(|link| link.owns(conn)) {
                    self.errands.links[place].lost(ctx);
                    self.errands_failed(place, ctx);
                }
            }
            Input::Local { body: Message::Timer(Timer::Link { link, turn }) } => {
                let place = link as usize;
                if self.errands.links[place].timer(ctx, turn).is_some() {
                    self.errands_failed(place, ctx);
                }
            }
            Input::Message { conn, body: Message::Response { id, body } } => {
                let Some(place) = self.errands.owner(|link| link.owns(conn)) else { return };
                if self.errands.links[place].answered(id) {
                    self.errand_answered(place, id, *body, ctx);
                }
            }
            _ => {}
        }
    }

    fn send_errands(&mut self, ctx: &mut Context<'_, Message>) {
        let config = self.config.clone();
        let errands = &mut self.errands;
        for (place, waiting) in errands.waiting.iter_mut().enumerate() {
            let link = &mut errands.links[place];
            if waiting.is_empty() {
                continue;
            }
            if !link.is_open() {
                link.open_in_time(&config, Some(Span::from_secs(30)), ctx);
                continue;
            }
            for (errand, request) in waiting.drain(..) {
                // `request.timeout.ms` of brokers.
                let id = link.send(ctx, request, Span::from_secs(30));
                errands.asked[place].push((id, errand));
            }
        }
    }

    /// A connection is lost, or did not come about: whoever waits is told so.
    fn errands_failed(&mut self, place: usize, ctx: &mut Context<'_, Message>) {
        let asked = std::mem::take(&mut self.errands.asked[place]);
        let waiting = std::mem::take(&mut self.errands.waiting[place]);
        let all = asked.into_iter().map(|(_, errand)| errand);
        let all: Vec<Errand> = all.chain(waiting.into_iter().map(|(errand, _)| errand)).collect();
        for errand in all {
            match errand {
                Errand::Markers { id, epoch, partitions } => {
                    let failed = |partition: &PartitionId| (*partition, Error::RequestTimedOut);
                    let results: Vec<_> = partitions.iter().map(failed).collect();
                    self.markers_answered(id, epoch, &results, ctx);
                }
                Errand::Verify(slot) => self.verified(slot, Error::CoordinatorNotAvailable, ctx),
            }
        }
    }

    fn errand_answered(
        &mut self,
        place: usize,
        id: u32,
        answer: Response,
        ctx: &mut Context<'_, Message>,
    ) {
        let asked = &mut self.errands.asked[place];
        let Some(at) = asked.iter().position(|(number, _)| *number == id) else { return };
        match (asked.remove(at).1, answer) {
            (Errand::Markers { id, epoch, .. }, Response::Produce(parts)) => {
                let results: Vec<_> = parts.iter().map(|part| (part.0, part.1)).collect();
                self.markers_answered(id, epoch, &results, ctx);
            }
            (Errand::Verify(slot), Response::Transaction(answer)) => {
                self.verified(slot, answer.error(), ctx);
            }
            _ => {}
        }
    }
}
