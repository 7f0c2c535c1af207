//! A group: the offsets that it has committed, and its members by the protocol that they speak.

use std::collections::{BTreeMap, BTreeSet};

use crate::brokers::kafka::PartitionId;
use crate::engine::{Span, Time};
use crate::observe::ConsumerId;

use super::super::super::config::Config;
use super::super::super::content::Content;
use super::super::super::groups::{
    GroupId, GroupRequest, GroupResponse, Identity, MemberId, MemberRecord, OffsetsRecord, Owned,
    Position, Protocol,
};
use super::super::super::message::Error;
use super::super::super::rules::Rule;
use super::super::super::sequence::Identity as Producer;
use super::super::super::transactions::Marker;
use super::classic::Classic;
use super::modern::Modern;
use super::{Asker, Effect, Then, protocol_of};

/// A group, as its coordinator has it.
#[derive(Clone, Debug)]
pub(super) struct Group {
    id: GroupId,
    /// What is committed, and replicated as far as is known, and when it was.
    offsets: BTreeMap<PartitionId, (Position, Time)>,
    /// Of what it had something committed that has expired.
    expired: BTreeSet<PartitionId>,
    /// Since when it has no members, if it had some.
    empty_since: Option<Time>,
    /// Offsets are kept as long as it has members.
    kept_for_members: bool,
    /// What transactions that are open commit, by producer id.
    open: BTreeMap<u32, BTreeMap<PartitionId, (Position, Time)>>,
    members: Members,
    /// Whether commits of others than its members are refused, and those of transactions as well.
    fences: bool,
    fences_transactions: bool,
}

#[derive(Clone, Debug)]
enum Members {
    Classic(Classic),
    Modern(Modern),
}

impl Members {
    /// Whether there are any.
    fn are_there(&self) -> bool {
        match self {
            Members::Classic(classic) => !classic.is_empty(),
            Members::Modern(modern) => !modern.is_empty(),
        }
    }
}

impl Group {
    /// Nothing is known of it.
    pub(super) fn new(id: GroupId, config: &Config) -> Group {
        let members = match protocol_of(config, id) {
            Protocol::Classic => Members::Classic(Classic::new(id, config)),
            Protocol::Consumer => Members::Modern(Modern::new(id, config)),
        };
        let fences = config.has(Rule::FenceGenerations);
        let fences_transactions = fences && config.has(Rule::FenceTransactionalCommits);
        Group {
            id,
            offsets: BTreeMap::new(),
            expired: BTreeSet::new(),
            empty_since: None,
            kept_for_members: config.has(Rule::ExpireWhenEmpty),
            open: BTreeMap::new(),
            members,
            fences,
            fences_transactions,
        }
    }

    /// A batch of its partition says this.
    pub(super) fn replay(&mut self, content: &Content) {
        let (record, at) = match content {
            Content::Offsets(record, at) => (record, *at),
            Content::Marker(marker) => return self.marked(*marker),
            Content::Transaction(_) => return,
        };
        match record {
            OffsetsRecord::Group { group, generation, leader, assignor, members, .. }
                if *group == self.id =>
            {
                match &mut self.members {
                    Members::Classic(classic) => {
                        classic.replay(*generation, (*leader, *assignor), members);
                    }
                    Members::Modern(modern) => modern.replay(*generation, members),
                }
            }
            _ => {}
        }
        self.holds(record, at);
    }

    /// Something is written: offsets hold, or do when their transaction is committed, or do not any more.
    fn holds(&mut self, record: &OffsetsRecord, at: Time) {
        match record {
            OffsetsRecord::Offsets { group, offsets, by } if *group == self.id => {
                let offsets = offsets.iter().map(|(of, position)| (*of, (*position, at)));
                match by {
                    None => self.commits(offsets),
                    Some(by) => self.open.entry(by.id).or_default().extend(offsets),
                }
            }
            OffsetsRecord::Expired { group, partitions } if *group == self.id => {
                for partition in partitions {
                    self.offsets.remove(partition);
                    self.expired.insert(*partition);
                }
            }
            OffsetsRecord::Group { group, members, .. } if *group == self.id => {
                self.empty_since = members.is_empty().then_some(at);
            }
            OffsetsRecord::Offsets { .. }
            | OffsetsRecord::Expired { .. }
            | OffsetsRecord::Group { .. } => {}
        }
    }

    fn commits(&mut self, offsets: impl IntoIterator<Item = (PartitionId, (Position, Time))>) {
        for (partition, kept) in offsets {
            self.expired.remove(&partition);
            self.offsets.insert(partition, kept);
        }
    }

    /// The partitions of which what is committed is older than `limit` (OffsetExpirationConditionImpl.java;
    /// GroupMetadata.scala 2.1 and 2.0, removeExpiredOffsets).
    pub(super) fn old_offsets(&self, now: Time, limit: Span) -> Vec<PartitionId> {
        let since = match (&self.members, self.empty_since) {
            _ if !self.kept_for_members => Time::ZERO,
            (members, _) if members.are_there() => return Vec::new(),
            (Members::Classic(_), Some(since)) => since,
            // A group that only keeps offsets, or one of KIP-848.
            (Members::Classic(_), None) | (Members::Modern(_), _) => Time::ZERO,
        };
        let pending = |of: &PartitionId| self.open.values().any(|own| own.contains_key(of));
        let old = self.offsets.iter().filter(|(of, (_, at))| {
            let from = if since == Time::ZERO { *at } else { since };
            now.since(from) >= limit && !pending(of)
        });
        old.map(|(of, _)| *of).collect()
    }

    /// A transaction has ended.
    pub(super) fn marked(&mut self, marker: Marker) {
        if let Some(offsets) = self.open.remove(&marker.by.id)
            && marker.commit
        {
            self.commits(offsets);
        }
    }

    /// All is read: sessions begin anew.
    pub(super) fn loaded(&mut self, now: Time) {
        match &mut self.members {
            Members::Classic(classic) => classic.loaded(now),
            Members::Modern(modern) => modern.loaded(now),
        }
    }

    /// Another broker coordinates it: who waits is told.
    pub(super) fn unload(&mut self, effects: &mut Vec<Effect>) {
        match &mut self.members {
            Members::Classic(classic) => classic.unload(effects),
            Members::Modern(_) => {}
        }
    }

    /// When it has to look at its clocks.
    pub(super) fn due(&self) -> Time {
        match &self.members {
            Members::Classic(classic) => classic.due(),
            Members::Modern(modern) => modern.due(),
        }
    }

    /// Something may be due.
    pub(super) fn tick(&mut self, now: Time, effects: &mut Vec<Effect>) {
        match &mut self.members {
            Members::Classic(classic) => classic.tick(now, effects),
            Members::Modern(modern) => modern.tick(now, effects),
        }
    }

    /// A request.
    pub(super) fn asked(
        &mut self,
        (asker, client, fresh): (Asker, ConsumerId, u32),
        request: GroupRequest,
        now: Time,
        effects: &mut Vec<Effect>,
    ) {
        match (request, &mut self.members) {
            (GroupRequest::OffsetCommit { who, offsets }, _) => {
                self.commit(asker, (who, None), offsets, now, effects);
            }
            (GroupRequest::TxnOffsetCommit { by, who, offsets, .. }, _) => {
                self.commit(asker, (who, Some(by)), offsets, now, effects);
            }
            // KIP-447: what an open transaction commits is not known yet.
            (GroupRequest::OffsetFetch { partitions, stable: true }, _)
                if self
                    .open
                    .values()
                    .any(|own| partitions.iter().any(|of| own.contains_key(of))) =>
            {
                let error = Error::UnstableOffsetCommit;
                let unstable = GroupResponse::Offsets(error, Vec::new(), Vec::new());
                effects.push(Effect::Answer(asker, unstable));
            }
            (GroupRequest::OffsetFetch { partitions, .. }, _) => {
                let of = |partition: PartitionId| (partition, self.committed(partition));
                let gone = partitions.iter().filter(|of| self.expired.contains(of)).copied();
                let gone: Vec<PartitionId> = gone.collect();
                let offsets = partitions.into_iter().map(of).collect();
                let answer = GroupResponse::Offsets(Error::None, offsets, gone);
                effects.push(Effect::Answer(asker, answer));
            }
            (GroupRequest::Join(join), Members::Classic(classic)) => {
                classic.join((asker, client, fresh), *join, now, effects);
            }
            (GroupRequest::Sync { who, assignments }, Members::Classic(classic)) => {
                classic.sync(asker, who, assignments, now, effects);
            }
            (GroupRequest::Heartbeat(who), Members::Classic(classic)) => {
                let error = classic.heartbeat(who, now);
                effects.push(Effect::Answer(asker, GroupResponse::Done(error)));
            }
            (GroupRequest::Leave(member), Members::Classic(classic)) => {
                let error = classic.leave(member, now, effects);
                effects.push(Effect::Answer(asker, GroupResponse::Done(error)));
            }
            (GroupRequest::Beat(beat), Members::Modern(modern)) => {
                modern.beat(asker, *beat, now, effects);
            }
            (other, _) => {
                let refused = other.refused(Error::InconsistentGroupProtocol);
                effects.push(Effect::Answer(asker, refused));
            }
        }
    }

    /// What is committed of a partition.
    pub(super) fn committed(&self, partition: PartitionId) -> Option<Position> {
        self.offsets.get(&partition).map(|(position, _)| *position)
    }

    fn commit(
        &mut self,
        asker: Asker,
        (who, by): (Option<Identity>, Option<Producer>),
        offsets: Vec<(PartitionId, Position)>,
        now: Time,
        effects: &mut Vec<Effect>,
    ) {
        let fences = if by.is_some() { self.fences_transactions } else { self.fences };
        let error = match &mut self.members {
            _ if !fences => Error::None,
            Members::Classic(classic) => classic.may_commit(who, now),
            Members::Modern(modern) => modern.may_commit(who),
        };
        if error != Error::None {
            return effects.push(Effect::Answer(asker, GroupResponse::Done(error)));
        }
        let record = OffsetsRecord::Offsets { group: self.id, offsets, by };
        effects.push(Effect::Write(record, Then::Committed(Some(asker))));
    }

    /// What became of something that it wrote: the record, if it is replicated.
    pub(super) fn written(
        &mut self,
        record: Option<(&OffsetsRecord, Time)>,
        then: Then,
        error: Error,
        now: Time,
        effects: &mut Vec<Effect>,
    ) {
        if let Some((record, at)) = record {
            self.holds(record, at);
        }
        let record = record.map(|(record, _)| record);
        match then {
            Then::Committed(Some(asker)) => {
                effects.push(Effect::Answer(asker, GroupResponse::Done(error)));
            }
            Then::Answer(Some(asker), mut response) => {
                if error != Error::None {
                    response.refuse(error);
                }
                effects.push(Effect::Answer(asker, response));
            }
            Then::Committed(None) | Then::Answer(None, _) => {}
            Then::Assigned(generation) => {
                if let Members::Classic(classic) = &mut self.members {
                    classic.assigned(record, generation, error, now, effects);
                }
            }
        }
    }

    /// What it is at, for people.
    pub(super) fn describe(&self) -> String {
        match &self.members {
            Members::Classic(classic) => classic.describe(),
            Members::Modern(modern) => modern.describe(),
        }
    }
}

/// What a group has written before the run starts: its members, with what is assigned to them, and
/// the start of every log as its position.
pub(super) fn first_records(config: &Config, id: GroupId) -> Vec<OffsetsRecord> {
    let group = config.groups.get(id);
    let assigned = group.first.iter().flat_map(|member| member.assignment.iter());
    let begin = Position { offset: 0, epoch: None };
    let mut offsets: Vec<(PartitionId, Position)> = assigned.map(|of| (*of, begin)).collect();
    offsets.sort_unstable_by_key(|(partition, _)| *partition);
    offsets.dedup();
    let member = |member: &super::super::super::groups::FirstMember| MemberRecord {
        id: member.id,
        instance: member.instance,
        session: member.session,
        rebalance: member.rebalance,
        assignors: member.assignors.clone(),
        topic: member.topic,
        owned: Owned::default(),
        assignment: member.assignment.clone(),
        epoch: 1,
        revoking: Vec::new(),
    };
    let members: Vec<MemberRecord> =
        group.first.iter().filter(|member| !member.alone).map(member).collect();
    let leader: Option<MemberId> = members.first().map(|member| member.id);
    let assignor = members.first().and_then(|member| member.assignors.first().copied());
    let offsets = OffsetsRecord::Offsets { group: id, offsets, by: None };
    if members.is_empty() {
        return vec![offsets];
    }
    let protocol = group.protocol;
    let group =
        OffsetsRecord::Group { group: id, protocol, generation: 1, leader, assignor, members };
    vec![offsets, group]
}
