//! Members of KIP-848: the coordinator assigns, and tells each member by its heartbeats
//! (GroupMetadataManager.java 4.0, `consumerGroupHeartbeat`; CurrentAssignmentBuilder.java).

use std::collections::BTreeMap;

use crate::brokers::kafka::PartitionId;
use crate::engine::{Span, Time};

use super::super::super::config::Config;
use super::super::super::groups::{
    Assignor, Beat, GroupId, GroupResponse, Identity, MemberId, MemberRecord, OffsetsRecord, Owned,
    Protocol, Subscriber, share_out,
};
use super::super::super::message::Error;
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::{Asker, Effect, Then};

#[derive(Clone, Debug)]
struct Member {
    instance: bool,
    rebalance: Span,
    topic: u32,
    epoch: u32,
    previous: u32,
    assigned: Vec<PartitionId>,
    /// What it has to give up before it goes on to the next epoch (`UNREVOKED_PARTITIONS`).
    revoking: Vec<PartitionId>,
    target: Vec<PartitionId>,
    deadline: Time,
    /// It is out if it has not given up by then what it has to.
    revoke_by: Time,
    /// A static member that has left for a while (-2).
    away: bool,
    /// What it was last told of its assignment.
    told: Option<Vec<PartitionId>>,
}

/// The members of a group.
#[derive(Clone, Debug)]
pub(super) struct Modern {
    id: GroupId,
    epoch: u32,
    members: BTreeMap<MemberId, Member>,
    /// Of each topic that is subscribed to, its partitions.
    topics: BTreeMap<u32, Vec<PartitionId>>,
    assignor: Assignor,
    session: Span,
    fenced_may_rejoin: bool,
}

impl Modern {
    pub(super) fn new(id: GroupId, config: &Config) -> Modern {
        let topics = (0..config.topics.len() as u32).filter(|of| Some(*of) != config.groups.topic);
        let settings = &config.settings.groups;
        Modern {
            id,
            epoch: 0,
            members: BTreeMap::new(),
            topics: topics.map(|of| (of, config.streams.of_topic(of).collect())).collect(),
            assignor: if settings.consumer_range { Assignor::Range } else { Assignor::Sticky },
            session: settings.consumer_session,
            fenced_may_rejoin: config.has(Rule::FencedMayRejoin),
        }
    }

    pub(super) fn replay(&mut self, epoch: u32, members: &[MemberRecord]) {
        self.epoch = epoch;
        let member = |record: &MemberRecord| Member {
            instance: record.instance,
            rebalance: record.rebalance,
            topic: record.topic,
            epoch: record.epoch,
            previous: record.epoch,
            assigned: record.assignment.clone(),
            revoking: record.revoking.clone(),
            target: Vec::new(),
            deadline: Time::ZERO,
            revoke_by: Time::MAX,
            away: false,
            told: None,
        };
        self.members = members.iter().map(|record| (record.id, member(record))).collect();
    }

    /// Whether it has no members.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Sessions begin anew, and what is to be given up gets a whole time-out again.
    pub(super) fn loaded(&mut self, now: Time) {
        for member in self.members.values_mut() {
            member.deadline = now + self.session;
            if !member.revoking.is_empty() {
                member.revoke_by = now + member.rebalance;
            }
        }
        self.retarget();
    }

    pub(super) fn due(&self) -> Time {
        let members = self.members.values();
        members.map(|member| member.deadline.min(member.revoke_by)).min().unwrap_or(Time::MAX)
    }

    pub(super) fn tick(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let late = |member: &Member| member.deadline.min(member.revoke_by) <= now;
        let gone: Vec<MemberId> =
            self.members.iter().filter(|(_, m)| late(m)).map(|(id, _)| *id).collect();
        for id in &gone {
            effects.push(Effect::Tell(event::MEMBER_EXPIRED, u64::from(id.client.0)));
            self.members.remove(id);
        }
        if !gone.is_empty() {
            self.bump(effects);
            effects.push(Effect::Write(self.record(), Then::Committed(None)));
        }
    }

    /// The members have changed: another assignment is the target.
    fn bump(&mut self, effects: &mut Vec<Effect>) {
        self.epoch += 1;
        effects.push(Effect::Tell(event::REBALANCING, u64::from(self.epoch)));
        self.retarget();
    }

    fn retarget(&mut self) {
        let subscriber = |(id, member): (&MemberId, &Member)| Subscriber {
            member: *id,
            topic: member.topic,
            owned: member.assigned.iter().chain(&member.revoking).copied().collect(),
        };
        let members: Vec<Subscriber> = self.members.iter().map(subscriber).collect();
        if members.is_empty() {
            return;
        }
        let topics = &self.topics;
        let shares = share_out(self.assignor, &members, |topic| {
            topics.get(&topic).cloned().unwrap_or_default()
        });
        for (id, target) in shares {
            if let Some(member) = self.members.get_mut(&id) {
                member.target = target;
            }
        }
    }

    /// `ConsumerGroupHeartbeat`, handled as one step.
    pub(super) fn beat(&mut self, asker: Asker, beat: Beat, now: Time, effects: &mut Vec<Effect>) {
        let refuse = |error| Effect::Answer(asker, GroupResponse::Beat(error, 0, None));
        if beat.epoch < 0 {
            return self.leave(asker, &beat, now, effects);
        }
        let epoch = beat.epoch as u32;
        if epoch == 0 {
            if let Err(error) = self.enter(&beat, now, effects) {
                return effects.push(refuse(error));
            }
        } else if let Some(error) = self.wrong(&beat, epoch) {
            return effects.push(refuse(error));
        }
        let session = self.session;
        let before = self
            .members
            .get(&beat.member)
            .map(|m| (m.epoch, m.assigned.clone(), m.revoking.clone()));
        self.reconcile(beat.member, beat.owned.as_deref(), now);
        let Some(member) = self.members.get_mut(&beat.member) else { return };
        member.deadline = now + session;
        let changed = member.told.as_ref() != Some(&member.assigned) || beat.epoch == 0;
        let assignment = changed.then(|| member.assigned.clone());
        member.told = Some(member.assigned.clone());
        let response = GroupResponse::Beat(Error::None, member.epoch, assignment);
        let after = (member.epoch, member.assigned.clone(), member.revoking.clone());
        if epoch == 0 || before != Some(after) {
            if self.is_stable() {
                effects.push(Effect::Tell(event::REBALANCED, u64::from(self.epoch)));
            }
            effects.push(Effect::Write(self.record(), Then::Answer(Some(asker), response)));
        } else {
            effects.push(Effect::Answer(asker, response));
        }
    }

    fn is_stable(&self) -> bool {
        self.members
            .values()
            .all(|member| member.epoch == self.epoch && member.assigned == member.target)
    }

    /// A member joins.
    fn enter(&mut self, beat: &Beat, now: Time, effects: &mut Vec<Effect>) -> Result<(), Error> {
        if beat.instance {
            let client = beat.member.client;
            let mut found = self.members.iter().filter(|(id, m)| id.client == client && m.instance);
            let old = found.next().map(|(id, member)| (*id, member.away));
            if let Some((old, away)) = old.filter(|(old, _)| *old != beat.member) {
                // throwIfInstanceIdIsUnreleased.
                if !away {
                    return Err(Error::UnreleasedInstanceId);
                }
                let Some(mut member) = self.members.remove(&old) else { return Ok(()) };
                (member.away, member.told) = (false, None);
                self.members.insert(beat.member, member);
                self.retarget();
                return Ok(());
            }
        }
        if let Some(member) = self.members.get_mut(&beat.member) {
            // 4.2: a member that was fenced may join again with the id that it has (KAFKA-19233).
            if !self.fenced_may_rejoin {
                return Err(Error::FencedMemberEpoch);
            }
            (member.epoch, member.told) = (0, None);
            return Ok(());
        }
        self.members.insert(
            beat.member,
            Member {
                instance: beat.instance,
                rebalance: beat.rebalance,
                topic: beat.topic,
                epoch: 0,
                previous: 0,
                assigned: Vec::new(),
                revoking: Vec::new(),
                target: Vec::new(),
                deadline: now + self.session,
                revoke_by: Time::MAX,
                away: false,
                told: None,
            },
        );
        self.bump(effects);
        Ok(())
    }

    /// What is wrong with the epoch of a heartbeat (`throwIfConsumerGroupMemberEpochIsInvalid`).
    fn wrong(&self, beat: &Beat, epoch: u32) -> Option<Error> {
        let Some(member) = self.members.get(&beat.member) else {
            return Some(Error::UnknownMemberId);
        };
        if epoch > member.epoch {
            return Some(Error::FencedMemberEpoch);
        }
        let within = |owned: &Vec<PartitionId>| owned.iter().all(|p| member.assigned.contains(p));
        let retried = epoch == member.previous && beat.owned.as_ref().is_none_or(within);
        (epoch < member.epoch && !retried).then_some(Error::FencedMemberEpoch)
    }

    fn leave(&mut self, asker: Asker, beat: &Beat, now: Time, effects: &mut Vec<Effect>) {
        let session = self.session;
        let Some(member) = self.members.get_mut(&beat.member) else {
            let refused = GroupResponse::Beat(Error::UnknownMemberId, 0, None);
            return effects.push(Effect::Answer(asker, refused));
        };
        if beat.epoch == -2 && member.instance {
            (member.away, member.deadline) = (true, now + session);
        } else {
            effects.push(Effect::Tell(event::MEMBER_LEFT, u64::from(beat.member.client.0)));
            self.members.remove(&beat.member);
            self.bump(effects);
        }
        let response = GroupResponse::Beat(Error::None, 0, None);
        effects.push(Effect::Write(self.record(), Then::Answer(Some(asker), response)));
    }

    /// Brings a member nearer to its target (CurrentAssignmentBuilder.java, `build`).
    fn reconcile(&mut self, id: MemberId, owned: Option<&[PartitionId]>, now: Time) {
        let taken: Vec<PartitionId> = self
            .members
            .iter()
            .filter(|(other, _)| **other != id)
            .flat_map(|(_, member)| member.assigned.iter().chain(&member.revoking))
            .copied()
            .collect();
        let epoch = self.epoch;
        let Some(member) = self.members.get_mut(&id) else { return };
        if !member.revoking.is_empty() {
            // It has given up what it had to when it no longer lists it.
            let given_up = owned.is_some_and(|owned| {
                member.revoking.iter().all(|partition| !owned.contains(partition))
            });
            if !given_up {
                return;
            }
            member.revoking.clear();
            member.revoke_by = Time::MAX;
        }
        let keep = |of: &PartitionId| member.target.contains(of);
        let (kept, revoked): (Vec<PartitionId>, Vec<PartitionId>) =
            member.assigned.iter().partition(|of| keep(of));
        if !revoked.is_empty() && member.epoch > 0 {
            (member.assigned, member.revoking) = (kept, revoked);
            member.revoke_by = now + member.rebalance;
            return;
        }
        let free = |of: &&PartitionId| kept.contains(of) || !taken.contains(of);
        let mut assigned: Vec<PartitionId> = member.target.iter().filter(free).copied().collect();
        assigned.sort_unstable();
        member.assigned = assigned;
        if member.epoch != epoch {
            (member.previous, member.epoch) = (member.epoch, epoch);
        }
    }

    /// Whether somebody may commit offsets (ConsumerGroup.java, `validateOffsetCommit`).
    pub(super) fn may_commit(&self, who: Option<Identity>) -> Error {
        let Some(who) = who else {
            return if self.members.is_empty() { Error::None } else { Error::UnknownMemberId };
        };
        match self.members.get(&who.member) {
            None => Error::UnknownMemberId,
            Some(member) if member.epoch != who.generation => Error::StaleMemberEpoch,
            Some(_) => Error::None,
        }
    }

    fn record(&self) -> OffsetsRecord {
        let record = |(id, member): (&MemberId, &Member)| MemberRecord {
            id: *id,
            instance: member.instance,
            session: self.session,
            rebalance: member.rebalance,
            assignors: vec![self.assignor],
            topic: member.topic,
            owned: Owned::default(),
            assignment: member.assigned.clone(),
            epoch: member.epoch,
            revoking: member.revoking.clone(),
        };
        OffsetsRecord::Group {
            group: self.id,
            protocol: Protocol::Consumer,
            generation: self.epoch,
            leader: None,
            assignor: Some(self.assignor),
            members: self.members.iter().map(record).collect(),
        }
    }

    pub(super) fn describe(&self) -> String {
        let list = |of: &[PartitionId]| {
            let all: Vec<String> = of.iter().map(|p| p.0.to_string()).collect();
            all.join(" ")
        };
        let members = self.members.iter().map(|(id, member)| {
            let revoking = match &member.revoking[..] {
                [] => String::new(),
                some => format!(" gives up [{}]", list(some)),
            };
            format!(
                "{}: epoch {} [{}]{revoking}",
                id.client.0,
                member.epoch,
                list(&member.assigned)
            )
        });
        let members: Vec<String> = members.collect();
        format!("group epoch {}, {}", self.epoch, members.join(", "))
    }
}
