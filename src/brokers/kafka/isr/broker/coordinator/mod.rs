//! The coordinators of groups: the leaders of the partitions of `__consumer_offsets`
//! (GroupCoordinator.scala, GroupMetadataManager.scala; 4.0: GroupCoordinatorService.java,
//! CoordinatorRuntime.java).
//!
//! | file | what it has |
//! | --- | --- |
//! | `mod.rs` | becoming and ceasing to be a coordinator, requests |
//! | `writes.rs` | what waits for the replicas of the partition |
//! | `group.rs` | a group: its committed offsets, and its members by either protocol |
//! | `classic.rs` | members that join and sync |
//! | `modern.rs` | members of KIP-848 |
//!
//! A group is a state machine without clock or connection: it is told what was asked and what time
//! it is, and says what is to be done ([`Effect`]).

mod classic;
mod group;
mod modern;
mod writes;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::engine::Time;
use crate::observe::{ConsumerId, Event};
use crate::world::{Alarm, By, ConnId, Context, Lane};

use super::super::content::Content;
use super::super::groups::{GroupId, GroupRequest, GroupResponse, OffsetsRecord, Protocol};
use super::super::message::{Error, Message, Response, Timer};
use super::super::rules::Rule;
use super::super::transactions::Marker;
use super::super::words::event;
use super::Broker;
use super::own::Writes;
use group::Group;
use writes::Written;

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) place: u32,
    pub(super) conn: ConnId,
}

/// What a group wants done.
#[derive(Clone, Debug, PartialEq)]
enum Effect {
    /// A request is answered.
    Answer(Asker, GroupResponse),
    /// Something is written to the group's partition, and then this.
    Write(OffsetsRecord, Then),
    /// Something happened that people want to see.
    Tell(crate::observe::EventId, u64),
}

/// What a group does when what it wrote is replicated, or is not.
#[derive(Clone, Debug, PartialEq)]
enum Then {
    /// Offsets are committed, and this one waits for that.
    Committed(Option<Asker>),
    /// A generation's assignment is known.
    Assigned(u32),
    /// Whoever waits is answered so, if it went well.
    Answer(Option<Asker>, GroupResponse),
}

/// A group and when it has to look at its clocks.
#[derive(Clone, Debug)]
struct Seat {
    group: Group,
    alarm: Alarm,
}

/// A partition of `__consumer_offsets` that this broker leads.
#[derive(Clone, Debug)]
struct Shard {
    /// In which leader epoch.
    epoch: u32,
    /// Its records are read.
    loaded: bool,
    seats: BTreeMap<GroupId, Seat>,
    writes: Writes<Written>,
}

/// The partitions of `__consumer_offsets` that a broker leads.
#[derive(Clone, Debug, Default)]
pub struct Coordinator {
    shards: BTreeMap<PartitionId, Shard>,
}

impl Coordinator {
    /// The process has died.
    pub(super) fn forget(&mut self) {
        self.shards.clear();
    }
}

impl Broker {
    /// When the run starts, groups are there for long: their members have joined, and have
    /// committed that they begin at the start of every log. All replicas have that.
    pub(super) fn write_first_offsets(&mut self, ctx: &mut Context<'_, Message>) {
        let config = self.config.clone();
        for (index, group) in config.groups.all.iter().enumerate() {
            if group.first.is_empty() || self.replica(group.partition).is_none() {
                continue;
            }
            for record in group::first_records(&config, GroupId(index as u32)) {
                let record = Arc::new(Content::Offsets(record, Time::ZERO));
                self.append_own(group.partition, record, 0, ctx);
            }
            if let Some(replica) = self.replica_mut(group.partition) {
                let end = replica.log.end();
                replica.move_high_watermark(end);
            }
            self.flush(group.partition, ctx);
        }
    }

    /// This broker leads a partition from now on: it reads what is in it
    /// (GroupMetadataManager.scala, `scheduleLoadGroupAndOffsets`).
    pub(super) fn coordinate(
        &mut self,
        partition: PartitionId,
        epoch: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        if self.config.groups.topic != Some(self.config.streams.get(partition).topic) {
            return;
        }
        let shard =
            Shard { epoch, loaded: false, seats: BTreeMap::new(), writes: Writes::default() };
        self.coordinator.shards.insert(partition, shard);
        let records = self.replica(partition).map_or(0, |replica| replica.log.end());
        let takes = self.config.costs.load_offsets * records;
        let done = Timer::OwnLoaded { partition, epoch };
        ctx.after(takes, Lane::MAIN, Message::Timer(done));
    }

    /// All records are read. Members get a whole session to be heard of
    /// (GroupCoordinator.scala, `onGroupLoaded`).
    pub(super) fn offsets_loaded(
        &mut self,
        partition: PartitionId,
        epoch: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        let (config, now) = (self.config.clone(), ctx.monotonic());
        let Some(replica) = self.replica(partition) else { return };
        let end = replica.log.end();
        let values = match config.has(Rule::LoadOffsets) {
            true => replica.values.between(0, end).to_vec(),
            false => Vec::new(),
        };
        let Some(shard) = self.coordinator.shards.get_mut(&partition) else { return };
        if shard.epoch != epoch || shard.loaded {
            return;
        }
        shard.loaded = true;
        for (id, _) in config.groups.of(partition) {
            let mut group = Group::new(id, &config);
            values.iter().for_each(|(_, value)| group.replay(value));
            group.loaded(now);
            shard.seats.insert(id, Seat { group, alarm: Alarm::new(By::Monotonic) });
        }
        let groups: Vec<GroupId> = shard.seats.keys().copied().collect();
        for group in groups {
            self.tell_group(group, event::COORDINATOR, u64::from(epoch), ctx);
            self.rest(partition, group, ctx);
        }
    }

    /// This broker does not lead a partition any more: nobody gets what it waits for here.
    pub(super) fn stop_coordinating(
        &mut self,
        partition: PartitionId,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(mut shard) = self.coordinator.shards.remove(&partition) else { return };
        let mut effects = Vec::new();
        let failed = shard.writes.fail(ctx);
        for seat in shard.seats.values_mut() {
            seat.alarm.cancel(ctx);
            seat.group.unload(&mut effects);
        }
        self.carry_out(partition, None, effects, ctx);
        for (asker, answer) in failed {
            self.answer_group(asker, answer, ctx);
        }
    }

    /// Refuses a request about a group.
    pub(super) fn refuse_group(
        &mut self,
        place: u32,
        request: &GroupRequest,
        error: Error,
        ctx: &mut Context<'_, Message>,
    ) {
        self.respond(place, Response::Group(request.refused(error)), ctx);
    }

    /// A request about a group.
    pub(super) fn group_request(
        &mut self,
        place: u32,
        (group, client): (GroupId, ConsumerId),
        request: GroupRequest,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(conn) = self.connection(place).map(|connection| connection.conn) else { return };
        let asker = Asker { place, conn };
        let partition = self.config.groups.get(group).partition;
        if request == GroupRequest::FindCoordinator {
            // KafkaApis.scala, handleFindCoordinatorRequest.
            let leader = self.view.leader(partition).filter(|leader| self.view.alive.has(*leader));
            let error = match leader {
                Some(_) => Error::None,
                None => Error::CoordinatorNotAvailable,
            };
            return self.answer_group(asker, GroupResponse::Coordinator(error, leader), ctx);
        }
        let refused = match self.coordinator.shards.get(&partition) {
            None => Some(Error::NotCoordinator),
            Some(shard) if !shard.loaded => Some(Error::CoordinatorLoadInProgress),
            Some(_) => None,
        };
        if let Some(error) = refused {
            return self.answer_group(asker, request.refused(error), ctx);
        }
        let (now, mut effects) = (ctx.monotonic(), Vec::new());
        let fresh = match &request {
            GroupRequest::Join(join) if join.member.is_none() => ctx.random().next_u64() as u32,
            _ => 0,
        };
        let Some(seat) = self.seat(partition, group) else { return };
        seat.group.asked((asker, client, fresh), request, now, &mut effects);
        self.carry_out(partition, Some(group), effects, ctx);
    }

    /// A transaction has ended in a partition of `__consumer_offsets`: what it has committed there holds,
    /// or does not (GroupMetadataManager.scala, `handleTxnCompletion`).
    pub(super) fn offsets_marked(&mut self, partition: PartitionId, marker: Marker) {
        let Some(shard) = self.coordinator.shards.get_mut(&partition) else { return };
        for seat in shard.seats.values_mut() {
            seat.group.marked(marker);
        }
    }

    /// `offsets.retention.check.interval.ms`: what is too old is forgotten (GroupMetadataManager.scala,
    /// `cleanupGroupMetadata`; GroupCoordinatorShard.java, `cleanupGroupMetadata`).
    pub(super) fn expire_offsets(&mut self, ctx: &mut Context<'_, Message>) {
        let (config, clock) = (self.config.clone(), ctx.clock());
        let settings = &config.settings.groups;
        ctx.after(settings.retention_check, Lane::MAIN, Message::Timer(Timer::OffsetsRetention));
        let old = |seat: &Seat| seat.group.old_offsets(clock, settings.retention);
        let of = |(at, shard): (&PartitionId, &Shard)| {
            let seats = shard.seats.iter().filter(|_| shard.loaded);
            seats.map(|(group, seat)| (*at, *group, old(seat))).collect::<Vec<_>>()
        };
        let found: Vec<_> = self.coordinator.shards.iter().flat_map(of).collect();
        for (at, group, partitions) in found.into_iter().filter(|(.., old)| !old.is_empty()) {
            self.tell_group(group, event::OFFSETS_EXPIRED, partitions.len() as u64, ctx);
            let record = OffsetsRecord::Expired { group, partitions };
            self.write_offsets(at, (group, record, Then::Committed(None)), ctx);
        }
    }

    /// A group looks at its clocks.
    pub(super) fn group_due(&mut self, group: GroupId, ctx: &mut Context<'_, Message>) {
        let partition = self.config.groups.get(group).partition;
        let now = ctx.monotonic();
        let mut effects = Vec::new();
        let Some(seat) = self.seat(partition, group) else { return };
        if !seat.alarm.rang(ctx) {
            return;
        }
        seat.group.tick(now, &mut effects);
        self.carry_out(partition, Some(group), effects, ctx);
    }

    fn seat(&mut self, partition: PartitionId, group: GroupId) -> Option<&mut Seat> {
        self.coordinator.shards.get_mut(&partition)?.seats.get_mut(&group)
    }

    /// Does what a group wants done.
    fn carry_out(
        &mut self,
        partition: PartitionId,
        group: Option<GroupId>,
        effects: Vec<Effect>,
        ctx: &mut Context<'_, Message>,
    ) {
        for effect in effects {
            match effect {
                Effect::Answer(asker, response) => self.answer_group(asker, response, ctx),
                Effect::Write(record, then) => {
                    let Some(group) = group else { continue };
                    self.write_offsets(partition, (group, record, then), ctx);
                }
                Effect::Tell(word, count) => {
                    let Some(group) = group else { continue };
                    self.tell_group(group, word, count, ctx);
                }
            }
        }
        if let Some(group) = group {
            self.rest(partition, group, ctx);
        }
    }

    /// A group has itself woken when something is due.
    fn rest(&mut self, partition: PartitionId, group: GroupId, ctx: &mut Context<'_, Message>) {
        let Some(seat) = self.seat(partition, group) else { return };
        let due = seat.group.due();
        seat.alarm.wake(due, Lane::MAIN, Message::Timer(Timer::Group { group }), ctx);
    }

    /// Answers, if the connection is still the one that asked.
    fn answer_group(
        &mut self,
        asker: Asker,
        response: GroupResponse,
        ctx: &mut Context<'_, Message>,
    ) {
        let here = self.connection(asker.place).is_some_and(|at| at.conn == asker.conn);
        if here {
            self.respond(asker.place, Response::Group(response), ctx);
        }
    }

    /// Something happened to a group; it is told of the first destination that it reads.
    fn tell_group(
        &self,
        group: GroupId,
        word: crate::observe::EventId,
        count: u64,
        ctx: &mut Context<'_, Message>,
    ) {
        let (now, node) = (ctx.now(), self.me);
        let destination = self.config.groups.get(group).told_of;
        let event = Event { word, node, destination, subject: None, count };
        ctx.observer().event(now, event);
    }

    /// The protocol, generation and members of a group, as its coordinator has them, for people.
    #[must_use]
    pub fn group(&self, group: GroupId) -> Option<String> {
        let partition = self.config.groups.get(group).partition;
        let shard = self.coordinator.shards.get(&partition)?;
        Some(shard.seats.get(&group).map_or_else(|| "loading".to_owned(), |s| s.group.describe()))
    }

    /// What a group has committed of a partition, as its coordinator has it.
    #[must_use]
    pub fn committed(&self, group: GroupId, of: PartitionId) -> Option<u64> {
        let partition = self.config.groups.get(group).partition;
        let seat = self.coordinator.shards.get(&partition)?.seats.get(&group)?;
        seat.group.committed(of).map(|position| position.offset)
    }
}

/// Which protocol the members of a group speak.
fn protocol_of(config: &super::Config, group: GroupId) -> Protocol {
    config.groups.get(group).protocol
}
