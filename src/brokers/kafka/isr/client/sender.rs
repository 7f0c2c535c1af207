//! The thread behind a Java producer (Sender.java): sends batches that are due, and settles what is
//! answered, what is lost, and what has taken too long.

use crate::brokers::kafka::PartitionId;
use crate::engine::Time;
use crate::observe::{NodeId, Outcome};
use crate::world::{Context, Lane};

use super::super::message::{Acks, Batch, Error, Message, Request, Response, Timer};
use super::super::rules::Rule;
use super::accumulator::ProducerBatch;
use super::producer::Producer;

/// A request that is not answered.
#[derive(Clone, Debug)]
pub(super) struct UnderWay {
    id: u32,
    /// Its batches, and where they belong.
    pub(super) batches: Vec<(u32, ProducerBatch)>,
}

/// Why a try has failed.
#[derive(Clone, Copy, Debug)]
struct Failure {
    error: Error,
    /// It is certain that this try stored nothing.
    proof: bool,
}

impl Producer {
    /// Gives up what is too old, sends what is due, and sees to it that it is woken in time.
    pub(super) fn run_sender(&mut self, ctx: &mut Context<'_, Message>) {
        let mut again = self.expire(ctx).min(self.identify(ctx));
        loop {
            let (sent, next) = self.send_due(ctx);
            if !sent {
                again = again.min(next);
                break;
            }
        }
        self.look.wake(again, Lane::MAIN, Message::Timer(Timer::Sender), ctx);
    }

    /// Sends one request to each broker that something is due for. Whether it did, and when
    /// something is due next.
    fn send_due(&mut self, ctx: &mut Context<'_, Message>) -> (bool, Time) {
        let now = ctx.clock();
        let urgent = self.is_exhausted() || self.closing;
        let mut again = Time::MAX;
        let mut unknown = false;
        let mut due: Vec<NodeId> = Vec::new();
        let mut led: Vec<(NodeId, u32)> = Vec::new();
        for index in self.accumulator.active() {
            let Some(node) = self.network.metadata().leader(PartitionId(self.first.0 + index))
            else {
                unknown = true;
                continue;
            };
            let at = self.accumulator.due(index, urgent);
            if at > now {
                again = again.min(at);
            } else if !due.contains(&node) {
                due.push(node);
            }
            led.push((node, index));
        }
        if unknown {
            // Sender.java: a partition without a leader asks for metadata at every look.
            self.network.want_metadata(ctx);
        }
        let mut sent = false;
        due.sort_unstable();
        for node in due {
            match self.network.ready(ctx, node) {
                Ok(()) => sent |= self.send_to(ctx, node, &led),
                Err(at) => again = again.min(at),
            }
        }
        (sent, again)
    }

    /// Sends a request to a broker: a batch of each partition that it leads and that has one,
    /// whether or not it is due, as far as they fit (RecordAccumulator.drain).
    fn send_to(
        &mut self,
        ctx: &mut Context<'_, Message>,
        node: NodeId,
        led: &[(NodeId, u32)],
    ) -> bool {
        let now = ctx.clock();
        let most = self.config.settings.max_request;
        let of_node: Vec<u32> =
            led.iter().filter(|(leader, _)| *leader == node).map(|(_, index)| *index).collect();
        let from = self.drain_from[node.index()];
        let start = of_node.partition_point(|index| *index < from);
        let mut batches: Vec<(u32, ProducerBatch)> = Vec::new();
        let mut bytes = 0;
        for at in 0..of_node.len() {
            let index = of_node[(start + at) % of_node.len()];
            if self.holds_back(index) {
                continue;
            }
            let room = most.saturating_sub(bytes);
            let drained = self.accumulator.drain(now, index, room, batches.is_empty());
            if let Some(mut batch) = drained {
                if let Some(idempotence) = &mut self.idempotence {
                    idempotence.number(index, &mut batch);
                }
                bytes += batch.bytes;
                batches.push((index, batch));
                self.drain_from[node.index()] = index + 1;
            }
        }
        if batches.is_empty() {
            return false;
        }
        ctx.spend(self.config.config.costs.batch * batches.len() as u64);
        self.transmit(ctx, node, batches);
        true
    }

    fn transmit(
        &mut self,
        ctx: &mut Context<'_, Message>,
        node: NodeId,
        mut batches: Vec<(u32, ProducerBatch)>,
    ) {
        let now = ctx.now();
        // From 0.11 on every batch is kept, read and cut as a whole (FileRecords.java,
        // searchForOffsetWithSize); before, those that are compressed.
        let compression = self.config.settings.compression;
        let whole = compression || self.config.config.has(Rule::RecordBatches);
        let mut body = Vec::with_capacity(batches.len());
        for (index, batch) in &mut batches {
            batch.sent = true;
            let messages = batch.messages();
            ctx.observer().sent(now, messages);
            let partition = PartitionId(self.first.0 + *index);
            let whole = whole && messages.count > 1;
            let (sequenced, stamp) = (batch.sequenced, batch.stamp());
            body.push(Batch { partition, messages, bytes: batch.bytes, whole, sequenced, stamp });
        }
        let (acks, timeout) = (self.config.settings.acks, self.config.settings.request_timeout);
        let request = Request::Produce { acks, timeout, batches: body, transaction: None };
        if acks == Acks::None {
            // NetworkClient.java, handleCompletedSends: done when the socket has taken it.
            self.network.post(ctx, node, request);
            for (index, batch) in batches {
                self.succeeded(ctx, index, &batch, Outcome::Accepted);
            }
            self.config.sending.look_again(Message::Timer(Timer::Load), ctx);
            return;
        }
        let id = self.network.send(ctx, node, request);
        self.under_way[node.index()].push_back(UnderWay { id, batches });
    }

    fn succeeded(
        &mut self,
        ctx: &mut Context<'_, Message>,
        index: u32,
        batch: &ProducerBatch,
        outcome: Outcome,
    ) {
        self.accumulator.release(index, batch);
        if !self.config.settings.reports {
            return;
        }
        let now = ctx.now();
        ctx.observer().outcome(now, batch.messages(), outcome);
        self.settled(ctx, batch.count());
    }

    /// A produce request was answered.
    pub(super) fn answered(
        &mut self,
        ctx: &mut Context<'_, Message>,
        node: NodeId,
        id: u32,
        answer: Response,
    ) {
        let requests = &mut self.under_way[node.index()];
        let Some(place) = requests.iter().position(|request| request.id == id) else { return };
        let Some(request) = requests.remove(place) else { return };
        let Response::Produce(parts) = answer else { return };
        ctx.spend(self.config.config.costs.batch * request.batches.len() as u64);
        for (index, batch) in request.batches {
            let partition = PartitionId(self.first.0 + index);
            let part = parts.iter().find(|part| part.0 == partition);
            let error = part.map_or(Error::Unknown, |part| part.1);
            if let (Error::None, Some(idempotence)) = (error, &mut self.idempotence) {
                idempotence.completed(index, &batch);
            }
            match error {
                Error::None if batch.done => self.accumulator.release(index, &batch),
                Error::None => {
                    let (now, offset) = (ctx.now(), part.map_or(0, |part| part.2));
                    ctx.observer().placed(now, batch.messages(), offset);
                    self.succeeded(ctx, index, &batch, Outcome::Acked);
                }
                error => {
                    if error.is_stale_metadata() {
                        self.network.want_metadata(ctx);
                    }
                    let proof = proves_nothing_stored(error, self.config.settings.acks);
                    self.try_again(ctx, index, batch, Failure { error, proof });
                }
            }
        }
    }

    /// A connection is lost, and with it what was asked on it.
    pub(super) fn lost(&mut self, ctx: &mut Context<'_, Message>, node: NodeId, ids: &[u32]) {
        let requests = std::mem::take(&mut self.under_way[node.index()]);
        debug_assert!(requests.iter().all(|request| ids.contains(&request.id)));
        let mut requests = Vec::from(requests);
        if !self.config.config.has(Rule::RequeueOldestFirst) {
            requests.reverse();
        }
        for request in requests {
            for (index, batch) in request.batches {
                let failure = Failure { error: Error::RequestTimedOut, proof: false };
                self.try_again(ctx, index, batch, failure);
            }
        }
    }

    /// A try has failed: the batch waits for the next one, if it may (Sender.java, canRetry).
    fn try_again(
        &mut self,
        ctx: &mut Context<'_, Message>,
        index: u32,
        mut batch: ProducerBatch,
        Failure { error, proof }: Failure,
    ) {
        batch.doubt |= !proof;
        if batch.done {
            return self.accumulator.release(index, &batch);
        }
        let now = ctx.clock();
        let settings = &self.config.settings;
        let late = settings.delivery_timeout.is_some_and(|limit| batch.created + limit <= now);
        let more = batch.attempts < settings.retries;
        let again = match &mut self.idempotence {
            _ if !more || late => false,
            None => error.is_retriable(),
            Some(own) => own.can_retry(index, error, &batch),
        };
        let current = self.idempotence.as_ref().is_none_or(|own| own.is_current(&batch));
        if again && current {
            let in_order =
                batch.sequenced.is_some() && self.config.config.has(Rule::RetryInSequence);
            return self.accumulator.put_back(now, index, batch, in_order);
        }
        self.sequence_failed(ctx, index, (&batch, error), more && current);
        self.accumulator.release(index, &batch);
        // Nobody sends again what can never succeed.
        let hopeless =
            matches!(error, Error::MessageTooLarge | Error::InvalidRequest | Error::Unknown);
        self.give_up(ctx, index, &batch, !hopeless);
    }

    /// A batch has failed.
    fn give_up(
        &mut self,
        ctx: &mut Context<'_, Message>,
        index: u32,
        batch: &ProducerBatch,
        retriable: bool,
    ) {
        let outcome = match (batch.sent, batch.doubt) {
            (false, _) => Outcome::Unsent,
            (true, true) => Outcome::Unknown,
            (true, false) => Outcome::Rejected,
        };
        if retriable || !self.config.settings.reports {
            return self.failed(ctx, index, batch.messages(), outcome);
        }
        // Nobody sends again what can never succeed.
        let now = ctx.now();
        ctx.observer().outcome(now, batch.messages(), outcome);
        self.settled(ctx, batch.count());
    }

    /// Gives up batches that have waited too long, and, from 2.1 on, those under way as well. When
    /// the next one is.
    fn expire(&mut self, ctx: &mut Context<'_, Message>) -> Time {
        let now = ctx.clock();
        let mut next = Time::MAX;
        let indexes: Vec<u32> = self.accumulator.active().collect();
        for index in indexes {
            loop {
                match self.accumulator.expire(now, index) {
                    Ok(batch) => {
                        if let Some(idempotence) = &mut self.idempotence {
                            idempotence.expired(index, &batch);
                        }
                        self.give_up(ctx, index, &batch, true);
                        self.config.sending.look_again(Message::Timer(Timer::Load), ctx);
                    }
                    Err(at) => {
                        next = next.min(at);
                        break;
                    }
                }
            }
        }
        let Some(limit) = self.config.settings.delivery_timeout else { return next };
        let mut late = Vec::new();
        for request in self.under_way.iter_mut().flatten() {
            for (index, batch) in request.batches.iter_mut().filter(|(_, batch)| !batch.done) {
                let at = batch.created + limit;
                if at <= now {
                    // What its request is still answered comes too late.
                    (batch.done, batch.doubt) = (true, true);
                    late.push((*index, batch.clone()));
                } else {
                    next = next.min(at);
                }
            }
        }
        for (index, batch) in late {
            if let Some(idempotence) = &mut self.idempotence {
                idempotence.expired(index, &batch);
            }
            self.give_up(ctx, index, &batch, true);
            self.config.sending.look_again(Message::Timer(Timer::Load), ctx);
        }
        next
    }
}

/// Whether an answer proves that this try stored nothing. With acks=all a leader that is deposed
/// while a batch waits for replicas answers NOT_LEADER_OR_FOLLOWER as well.
pub(super) fn proves_nothing_stored(error: Error, acks: Acks) -> bool {
    match error {
        Error::NotEnoughReplicas
        | Error::MessageTooLarge
        | Error::InvalidRequest
        | Error::OutOfOrderSequence
        | Error::UnknownProducerId
        | Error::InvalidProducerEpoch
        | Error::UnknownTopicOrPartition => true,
        Error::NotLeaderOrFollower | Error::LeaderNotAvailable => acks == Acks::Leader,
        _ => false,
    }
}
