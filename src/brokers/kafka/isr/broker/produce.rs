//! Writes: the append, and the wait for replicas (ReplicaManager.appendRecords, DelayedProduce).

use crate::brokers::kafka::PartitionId;
use crate::brokers::kit::log::Piece;
use crate::engine::Span;
use crate::observe::{BecauseId, Removal};
use crate::world::{Context, Lane};

use super::super::message::{Acks, Batch, Error, Message, Response, Timer};
use super::super::rules::Rule;
use super::super::transactions::TxnId;
use super::super::words::{cause, event};
use super::producers::Verdict;
use super::{Broker, Replica, Role};

/// Writes that wait for replicas.
#[derive(Clone, Debug, Default)]
pub struct Parked {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Slot {
    generation: u32,
    write: Option<Write>,
}

/// Who waits for a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiter {
    /// Whoever is connected there.
    Connection(u32),
    /// This broker as the coordinator of a transaction that writes its markers, of this epoch.
    Coordinator { id: TxnId, epoch: u16 },
}

/// A produce request that waits (DelayedProduce).
#[derive(Clone, Debug)]
struct Write {
    waiter: Waiter,
    acks: Acks,
    /// What became of each partition: the offset that must be reached, while that is not known.
    parts: Vec<Part>,
    timer: crate::world::TimerId,
}

/// What becomes of a write in one partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    partition: PartitionId,
    base: u64,
    /// The offset that must be reached.
    required: u64,
    /// What became of it; `None` while it waits.
    error: Option<Error>,
}

impl Part {
    /// It is known.
    pub(super) const fn settled(partition: PartitionId, error: Error) -> Part {
        Part { partition, base: 0, required: 0, error: Some(error) }
    }

    /// It waits for the replicas.
    pub(super) const fn waiting(partition: PartitionId, base: u64, required: u64) -> Part {
        Part { partition, base, required, error: None }
    }
}

impl Parked {
    fn get(&mut self, slot: u32, generation: u32) -> Option<&mut Write> {
        let slot = self.slots.get_mut(slot as usize)?;
        if slot.generation == generation { slot.write.as_mut() } else { None }
    }

    fn next(&mut self) -> (u32, u32) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, write: None });
            self.slots.len() as u32 - 1
        });
        (slot, self.slots[slot as usize].generation)
    }

    fn take(&mut self, slot: u32) -> Option<Write> {
        let entry = &mut self.slots[slot as usize];
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(slot);
        entry.write.take()
    }

    pub(super) fn clear(&mut self) {
        for slot in 0..self.slots.len() as u32 {
            if self.slots[slot as usize].write.is_some() {
                self.take(slot);
            }
        }
    }
}

impl Broker {
    /// A produce request; some partitions may have refused it already.
    pub(super) fn produce(
        &mut self,
        place: u32,
        (acks, timeout): (Acks, Span),
        batches: &[Batch],
        refused: &[(PartitionId, Error)],
        ctx: &mut Context<'_, Message>,
    ) {
        let append = |batch: &Batch| {
            let refused = refused.iter().find(|(partition, _)| *partition == batch.partition);
            match refused {
                Some((partition, error)) => Part::settled(*partition, *error),
                None => self.append(batch, acks, ctx),
            }
        };
        let parts: Vec<Part> = batches.iter().map(append).collect();
        self.park_write(Waiter::Connection(place), acks, timeout, parts, ctx);
    }

    /// Answers a write when its replicas have it.
    pub(super) fn park_write(
        &mut self,
        waiter: Waiter,
        acks: Acks,
        timeout: Span,
        parts: Vec<Part>,
        ctx: &mut Context<'_, Message>,
    ) {
        for part in &parts {
            if part.error.is_none_or(|error| error == Error::None) {
                self.ends_moved(part.partition, ctx);
            }
        }
        if let (Acks::None, Waiter::Connection(place)) = (acks, waiter) {
            // KafkaApis.scala, handleProduceRequest: the client learns of an error from that.
            let refused = |part: &Part| part.error.is_some_and(|error| error != Error::None);
            if self.config.has(Rule::CloseWhenRefused) && parts.iter().any(refused) {
                return self.close_connection(place, ctx);
            }
            return self.done(place, ctx);
        }
        if parts.iter().all(|part| part.error.is_some()) {
            return self.answer_parts(waiter, &parts, Error::None, ctx);
        }
        let (slot, generation) = self.parked.next();
        let expires = Timer::ProduceExpired { slot, generation };
        let timer = ctx.after(timeout, Lane::MAIN, Message::Timer(expires));
        for part in parts.iter().filter(|part| part.error.is_none()) {
            if let Some(Role::Leader(leading)) =
                self.replica_mut(part.partition).map(|replica| &mut replica.role)
            {
                // What is in the log already may be before what others wait for.
                let after = leading.waiting.partition_point(|(at, ..)| *at <= part.required);
                leading.waiting.insert(after, (part.required, slot, generation));
            }
        }
        let partitions: Vec<PartitionId> = parts.iter().map(|part| part.partition).collect();
        self.parked.slots[slot as usize].write = Some(Write { waiter, acks, parts, timer });
        for partition in partitions {
            self.complete_writes(partition, ctx);
        }
    }

    /// Appends a batch as the leader; its `error` is `None` if it must wait for others.
    fn append(&mut self, batch: &Batch, acks: Acks, ctx: &mut Context<'_, Message>) -> Part {
        let (partition, config) = (batch.partition, self.config.clone());
        let refused = |error| Part { partition, base: 0, required: 0, error: Some(error) };
        let costs = &config.costs;
        ctx.spend(
            costs.append
                + costs.append_message * u64::from(batch.messages.count)
                + costs.append_bytes.time(batch.bytes),
        );
        let leads = self.replica(partition).is_some_and(Replica::leads);
        let wrong = if !leads {
            Some((Error::NotLeaderOrFollower, cause::NOT_LEADER))
        } else if batch.bytes > config.settings.message_max_bytes {
            Some((Error::MessageTooLarge, cause::MESSAGE_TOO_LARGE))
        } else if acks == Acks::All
            && config.has(Rule::MinInsyncReplicas)
            && self.replica(partition).map_or(0, |r| r.isr().len()) < config.min_isr(partition)
        {
            // Partition.scala 0.8.2, appendMessagesToLeader: before anything is written.
            Some((Error::NotEnoughReplicas, cause::NOT_ENOUGH_REPLICAS))
        } else {
            None
        };
        if let Some((error, cause)) = wrong {
            let removal = Removal { cause, because: BecauseId::NONE };
            let (messages, lines) = config.streams.told(batch.messages);
            for destination in lines {
                let (now, me) = (ctx.now(), self.me);
                ctx.observer().dropped(now, me, Some(*destination), messages, removal);
            }
            return refused(error);
        }
        match batch.sequenced.map_or(Verdict::Next, |own| self.judge(batch, own)) {
            Verdict::Next => {}
            // The producer waits for all of the ISR to have it, whenever it was written.
            Verdict::Duplicate(base, required) => {
                let now = ctx.now();
                self.report_event(ctx, now, event::DUPLICATE_FOUND, Some(partition), None, base);
                let error = (!config.has(Rule::WaitForIsr)).then_some(Error::None);
                return Part { partition, base, required, error };
            }
            Verdict::Refused(why) => {
                self.sequence_refused(batch, ctx);
                return refused(why);
            }
        }
        self.stamped(partition, batch.stamp, ctx);
        let Some(replica) = self.replica_mut(partition) else { return refused(Error::Unknown) };
        let piece = Piece {
            base: replica.log.end(),
            messages: batch.messages,
            epoch: replica.leader_epoch(),
            width: 1,
            bytes: u64::from(batch.bytes),
            whole: batch.whole,
        };
        let borne = batch.sequenced.map(|own| (own, batch.stamp));
        if !self.store(partition, (piece, borne), ctx) {
            return refused(Error::StorageError);
        }
        if batch.sequenced.is_some() {
            self.watch_producers(ctx);
        }
        let waits = match acks {
            Acks::None => false,
            Acks::Leader => self.replica(partition).is_some_and(|r| r.storage.held.is_some()),
            Acks::Some(_) | Acks::All => config.has(Rule::WaitForIsr),
        };
        let error = (!waits).then_some(Error::None);
        Part { partition, base: piece.base, required: piece.end(), error }
    }

    /// Ends or the ISR of a partition have moved: the high watermark may follow, and who waits for
    /// that may be served.
    pub(super) fn ends_moved(&mut self, partition: PartitionId, ctx: &mut Context<'_, Message>) {
        self.advance_high_watermark(partition, ctx);
        self.wake_fetches(partition, ctx);
        self.complete_writes(partition, ctx);
    }

    /// Moves the leader's high watermark as far as the replicas allow.
    pub(super) fn advance_high_watermark(
        &mut self,
        partition: PartitionId,
        ctx: &mut Context<'_, Message>,
    ) {
        let (config, alive) = (self.config.clone(), self.view.alive);
        let (now, clock) = (ctx.now(), ctx.clock());
        let Some(replica) = self.replica_mut(partition).filter(|replica| replica.leads()) else {
            return;
        };
        let (from, to) =
            (replica.high_watermark, replica.allowed_high_watermark(&config, alive, clock));
        if to <= from {
            return;
        }
        replica.move_high_watermark(to);
        for piece in replica.log.read(from, to) {
            let (messages, lines) = config.streams.told(piece.messages);
            for destination in lines {
                ctx.observer().readable(now, *destination, messages);
            }
        }
        self.touch(partition);
        if config.streams.is_internal(partition) {
            self.own_replicated(partition, (from, to), ctx);
        }
    }

    /// Answers writes whose replicas have it (DelayedProduce.tryComplete, Partition.scala,
    /// `checkEnoughReplicasReachOffset`).
    pub(super) fn complete_writes(
        &mut self,
        partition: PartitionId,
        ctx: &mut Context<'_, Message>,
    ) {
        let config = self.config.clone();
        loop {
            let Some(replica) = self.replicas[partition.index()].as_deref_mut() else { return };
            let isr = replica.isr();
            let (high_watermark, end) = (replica.high_watermark, replica.log.end());
            let flushed = replica.storage.held.unwrap_or(end);
            let Role::Leader(leading) = &mut replica.role else { return };
            let Some((required, slot, generation)) = leading.waiting.front().copied() else {
                return;
            };
            let reached = |members: &dyn Fn(u32) -> bool| {
                let have = leading.others.iter().filter(|other| isr.has(other.node));
                let have = have.filter(|other| other.end.is_some_and(|end| end >= required));
                members(have.count() as u32 + 1)
            };
            let acks = self.parked.get(slot, generation).map(|write| write.acks);
            let error = match acks {
                None => {
                    leading.waiting.pop_front();
                    continue;
                }
                // The append itself has to end.
                Some(_) if flushed < required => return,
                Some(Acks::Leader) => Error::None,
                // ISR members alone count, up to 0.8.2.
                Some(Acks::Some(wanted)) if reached(&|count| count >= wanted) => Error::None,
                Some(Acks::All) if config.has(Rule::AckAtHighWatermark) => {
                    if high_watermark < required {
                        return;
                    }
                    let few = config.has(Rule::MinInsyncReplicas)
                        && isr.len() < config.min_isr(partition);
                    if few { Error::NotEnoughReplicasAfterAppend } else { Error::None }
                }
                // 0.8.0: whoever is in the ISR now.
                Some(Acks::All) if reached(&|count| count >= isr.len()) && end >= required => {
                    Error::None
                }
                Some(_) => return,
            };
            leading.waiting.pop_front();
            self.write_settled(partition, (slot, generation), error, ctx);
        }
    }

    /// It is known what became of a write in one partition.
    fn write_settled(
        &mut self,
        partition: PartitionId,
        (slot, generation): (u32, u32),
        error: Error,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(write) = self.parked.get(slot, generation) else { return };
        for part in write.parts.iter_mut().filter(|part| part.partition == partition) {
            part.error.get_or_insert(error);
        }
        if write.parts.iter().all(|part| part.error.is_some()) {
            self.answer_write(slot, Error::None, ctx);
        }
    }

    /// Answers a parked write; what still waits gets `otherwise`.
    fn answer_write(&mut self, slot: u32, otherwise: Error, ctx: &mut Context<'_, Message>) {
        let Some(write) = self.parked.take(slot) else { return };
        ctx.cancel(write.timer);
        self.answer_parts(write.waiter, &write.parts, otherwise, ctx);
    }

    fn answer_parts(
        &mut self,
        waiter: Waiter,
        parts: &[Part],
        otherwise: Error,
        ctx: &mut Context<'_, Message>,
    ) {
        let error = |part: &Part| part.error.unwrap_or(otherwise);
        match waiter {
            Waiter::Connection(place) => {
                let answers = parts.iter().map(|part| (part.partition, error(part), part.base));
                self.respond(place, Response::Produce(answers.collect()), ctx);
            }
            Waiter::Coordinator { id, epoch } => {
                let results = parts.iter().map(|part| (part.partition, error(part)));
                let results: Vec<(PartitionId, Error)> = results.collect();
                self.markers_answered(id, epoch, &results, ctx);
            }
        }
    }

    /// A write has waited as long as its client allowed: what was written stays
    /// (DelayedProduce.onExpiration).
    pub(super) fn produce_expired(
        &mut self,
        slot: u32,
        generation: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        if self.parked.get(slot, generation).is_some() {
            self.answer_write(slot, Error::RequestTimedOut, ctx);
        }
    }

    /// The replica no longer leads: whoever waits is told so (DelayedProduce.tryComplete, case A).
    pub(super) fn fail_writes(&mut self, partition: PartitionId, ctx: &mut Context<'_, Message>) {
        let Some(replica) = self.replica_mut(partition) else { return };
        let Role::Leader(leading) = &mut replica.role else { return };
        for (_, slot, generation) in std::mem::take(&mut leading.waiting) {
            let at = (slot, generation);
            self.write_settled(partition, at, Error::NotLeaderOrFollower, ctx);
        }
    }

    /// A connection is gone: nobody waits for its write.
    pub(super) fn forget_connection(&mut self, place: u32) {
        let slots = self.parked.slots.iter().enumerate();
        let found = slots.filter_map(|(slot, entry)| {
            let own = |write: &&Write| write.waiter == Waiter::Connection(place);
            entry.write.as_ref().filter(own).map(|_| slot as u32)
        });
        for slot in found.collect::<Vec<_>>() {
            self.parked.take(slot);
        }
    }
}
