//! Members that join and sync, generation after generation (GroupCoordinator.scala,
//! GroupMetadata.scala 2.8; ClassicGroup.java, GroupMetadataManager.java 4.0).

use std::collections::BTreeMap;

use crate::brokers::kafka::PartitionId;
use crate::engine::{Span, Time};
use crate::observe::ConsumerId;

use super::super::super::config::Config;
use super::super::super::groups::{
    Assignor, GroupId, GroupResponse, Identity, Join, Joined, MemberId, MemberRecord, Offered,
    OffsetsRecord, Owned, Protocol,
};
use super::super::super::message::Error;
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::{Asker, Effect, Then};

/// A new member that waits in its first join is out after so long
/// (GroupCoordinator.scala 2.2, NewMemberJoinTimeoutMs).
const NEW_MEMBER_JOIN: Span = Span::from_secs(300);

/// How far a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It has no members.
    Empty,
    /// Members are to join; it goes on without those who have not by then.
    PreparingRebalance {
        /// When it does.
        until: Time,
        /// Of a group that was empty: how much longer it may wait for more, and whether some came
        /// since it last looked.
        initial: Option<(Span, bool)>,
    },
    /// All have joined, and the leader assigns; who has not asked for its share by then is out.
    CompletingRebalance {
        /// When.
        until: Time,
    },
    /// Everybody has a share.
    Stable,
}

/// What a member waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parked {
    Nothing,
    Join(Asker),
    Sync(Asker),
}

#[derive(Clone, Debug)]
struct Member {
    instance: bool,
    session: Span,
    rebalance: Span,
    assignors: Vec<Assignor>,
    topic: u32,
    owned: Owned,
    assignment: Vec<PartitionId>,
    parked: Parked,
    /// It is out if it is not heard of before; of no account while it is parked in Sync, or in Join
    /// unless that is its first.
    deadline: Time,
    /// It has never joined before.
    new: bool,
}

impl Member {
    fn expires(&self) -> Time {
        match self.parked {
            Parked::Nothing => self.deadline,
            Parked::Join(_) if self.new => self.deadline,
            Parked::Join(_) | Parked::Sync(_) => Time::MAX,
        }
    }

    fn has_joined(&self) -> bool {
        matches!(self.parked, Parked::Join(_))
    }
}

/// The members of a group.
#[derive(Clone, Debug)]
pub(super) struct Classic {
    id: GroupId,
    phase: Phase,
    generation: u32,
    assignor: Option<Assignor>,
    leader: Option<MemberId>,
    members: BTreeMap<MemberId, Member>,
    /// Ids that were given out and not used yet (KIP-394).
    pending: BTreeMap<MemberId, Time>,
    initial_delay: Span,
    requires_id: bool,
    has_statics: bool,
}

impl Classic {
    pub(super) fn new(id: GroupId, config: &Config) -> Classic {
        Classic {
            id,
            phase: Phase::Empty,
            generation: 0,
            assignor: None,
            leader: None,
            members: BTreeMap::new(),
            pending: BTreeMap::new(),
            initial_delay: config.settings.groups.initial_delay,
            requires_id: config.has(Rule::MemberIdRequired),
            has_statics: config.has(Rule::StaticMembers),
        }
    }

    pub(super) fn replay(
        &mut self,
        generation: u32,
        (leader, assignor): (Option<MemberId>, Option<Assignor>),
        members: &[MemberRecord],
    ) {
        (self.generation, self.leader, self.assignor) = (generation, leader, assignor);
        let member = |record: &MemberRecord| Member {
            instance: record.instance,
            session: record.session,
            rebalance: record.rebalance,
            assignors: record.assignors.clone(),
            topic: record.topic,
            owned: record.owned.clone(),
            assignment: record.assignment.clone(),
            parked: Parked::Nothing,
            deadline: Time::ZERO,
            new: false,
        };
        self.members = members.iter().map(|record| (record.id, member(record))).collect();
        self.phase = if self.members.is_empty() { Phase::Empty } else { Phase::Stable };
    }

    /// Whether it has no members (`Empty`).
    pub(super) fn is_empty(&self) -> bool {
        self.phase == Phase::Empty
    }

    pub(super) fn loaded(&mut self, now: Time) {
        self.members.values_mut().for_each(|member| member.deadline = now + member.session);
    }

    /// Another broker coordinates the group.
    pub(super) fn unload(&mut self, effects: &mut Vec<Effect>) {
        for member in self.members.values_mut() {
            answer_parked(member, Error::NotCoordinator, effects);
        }
    }

    pub(super) fn due(&self) -> Time {
        let phase = match self.phase {
            Phase::PreparingRebalance { until, .. } | Phase::CompletingRebalance { until } => until,
            Phase::Empty | Phase::Stable => Time::MAX,
        };
        let members = self.members.values().map(Member::expires);
        members.chain(self.pending.values().copied()).fold(phase, Time::min)
    }

    pub(super) fn tick(&mut self, now: Time, effects: &mut Vec<Effect>) {
        self.pending.retain(|_, until| *until > now);
        let gone: Vec<MemberId> = self
            .members
            .iter()
            .filter(|(_, member)| member.expires() <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            effects.push(Effect::Tell(event::MEMBER_EXPIRED, u64::from(id.client.0)));
            self.remove(id, now, effects);
        }
        match self.phase {
            Phase::PreparingRebalance { until, initial: Some((left, more)) } if until <= now => {
                // DelayedJoin.scala 2.8, InitialDelayedJoin.onComplete.
                let wait = self.initial_delay.min(left);
                self.phase = if more && !left.is_zero() {
                    let left = left.saturating_sub(wait);
                    Phase::PreparingRebalance { until: now + wait, initial: Some((left, false)) }
                } else {
                    Phase::PreparingRebalance { until, initial: None }
                };
                if matches!(self.phase, Phase::PreparingRebalance { initial: None, .. }) {
                    self.complete_join(now, effects);
                }
            }
            Phase::PreparingRebalance { until, .. } if until <= now => {
                self.complete_join(now, effects);
            }
            Phase::CompletingRebalance { until } if until <= now => {
                // GroupCoordinator.scala 3.0, onExpirePendingSync.
                let late = |member: &Member| !matches!(member.parked, Parked::Sync(_));
                self.members.retain(|_, member| !late(member));
                self.prepare(now, effects);
            }
            _ => {}
        }
        self.maybe_complete(now, effects);
    }

    /// `JoinGroup`. `fresh` makes a new id unique.
    pub(super) fn join(
        &mut self,
        (asker, client, fresh): (Asker, ConsumerId, u32),
        join: Join,
        now: Time,
        effects: &mut Vec<Effect>,
    ) {
        let refuse = |error| Effect::Answer(asker, GroupResponse::Joined(error, None));
        let is_static = join.instance && self.has_statics;
        let known = join.member.filter(|id| self.members.contains_key(id));
        let id = match join.member {
            Some(id) if self.pending.remove(&id).is_some() => {
                self.add(id, asker, &join, now);
                id
            }
            Some(id) if known.is_some() => {
                return self.join_again(id, asker, join, now, effects);
            }
            Some(_) => {
                let fenced = is_static && self.static_of(client).is_some();
                let error = if fenced { Error::FencedInstanceId } else { Error::UnknownMemberId };
                return effects.push(refuse(error));
            }
            None => {
                let id = MemberId { client, unique: fresh };
                if let Some(old) = self.static_of(client).filter(|_| is_static) {
                    return self.replace((old, id), asker, join, now, effects);
                }
                if self.requires_id && !is_static {
                    self.pending.insert(id, now + join.session);
                    let only = Joined {
                        member: id,
                        generation: 0,
                        assignor: Assignor::Range,
                        members: None,
                    };
                    let response =
                        GroupResponse::Joined(Error::MemberIdRequired, Some(Box::new(only)));
                    return effects.push(Effect::Answer(asker, response));
                }
                self.add(id, asker, &join, now);
                id
            }
        };
        match &mut self.phase {
            Phase::Empty => {
                // PreparingRebalance of a group that was empty: it waits for others (KIP-134).
                let left = join.rebalance.saturating_sub(self.initial_delay);
                let until = now + self.initial_delay;
                self.phase = Phase::PreparingRebalance { until, initial: Some((left, false)) };
                self.leader = Some(id);
            }
            Phase::PreparingRebalance { initial: Some((_, more)), .. } => *more = true,
            Phase::PreparingRebalance { initial: None, .. } => {}
            Phase::CompletingRebalance { .. } | Phase::Stable => self.prepare(now, effects),
        }
        if self.initial_delay.is_zero()
            && let Phase::PreparingRebalance { until, initial: Some(_) } = self.phase
        {
            self.phase = Phase::PreparingRebalance { until, initial: None };
        }
        self.maybe_complete(now, effects);
    }

    fn add(&mut self, id: MemberId, asker: Asker, join: &Join, now: Time) {
        let member = Member {
            instance: join.instance && self.has_statics,
            session: join.session,
            rebalance: join.rebalance,
            assignors: join.assignors.clone(),
            topic: join.topic,
            owned: join.owned.clone(),
            assignment: Vec::new(),
            parked: Parked::Join(asker),
            deadline: now + NEW_MEMBER_JOIN,
            new: true,
        };
        self.members.insert(id, member);
    }

    fn static_of(&self, client: ConsumerId) -> Option<MemberId> {
        let mut found = self.members.iter().filter(|(id, m)| id.client == client && m.instance);
        found.next().map(|(id, _)| *id)
    }

    /// A member that is known joins (`doCurrentMemberJoinGroup`).
    fn join_again(
        &mut self,
        id: MemberId,
        asker: Asker,
        join: Join,
        now: Time,
        effects: &mut Vec<Effect>,
    ) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let same = member.assignors == join.assignors
            && member.topic == join.topic
            && member.owned == join.owned;
        let leads = self.leader == Some(id);
        let current = match self.phase {
            Phase::PreparingRebalance { .. } | Phase::Empty => false,
            // "Member is joining with the same metadata (which could be because it failed to
            // receive the initial JoinGroup response)".
            Phase::CompletingRebalance { .. } => same,
            Phase::Stable => same && !leads,
        };
        if current {
            member.deadline = now + member.session;
            let joined = self.joined(id, leads);
            return effects.push(Effect::Answer(asker, joined));
        }
        if let Parked::Sync(old) | Parked::Join(old) = member.parked
            && old != asker
        {
            member.parked = Parked::Nothing;
        }
        member.parked = Parked::Join(asker);
        (member.assignors, member.topic, member.owned) = (join.assignors, join.topic, join.owned);
        (member.session, member.rebalance) = (join.session, join.rebalance);
        if !matches!(self.phase, Phase::PreparingRebalance { .. }) {
            self.prepare(now, effects);
        }
        self.maybe_complete(now, effects);
    }

    /// A static member is back, as another process: it takes the place of its former self at once
    /// (KIP-345; GroupCoordinator.scala 2.3, doUnknownJoinGroup, updateStaticMemberAndRebalance).
    fn replace(
        &mut self,
        (old, new): (MemberId, MemberId),
        asker: Asker,
        join: Join,
        now: Time,
        effects: &mut Vec<Effect>,
    ) {
        let Some(mut member) = self.members.remove(&old) else { return };
        answer_parked(&mut member, Error::FencedInstanceId, effects);
        let same = member.assignors == join.assignors && member.topic == join.topic;
        (member.assignors, member.topic, member.owned) = (join.assignors, join.topic, join.owned);
        (member.session, member.rebalance) = (join.session, join.rebalance);
        member.deadline = now + member.session;
        let stays = self.phase == Phase::Stable && same;
        member.parked = if stays { Parked::Nothing } else { Parked::Join(asker) };
        self.members.insert(new, member);
        if self.leader == Some(old) {
            self.leader = Some(new);
        }
        if stays {
            let joined = self.joined(new, false);
            return effects
                .push(Effect::Write(self.record(&[]), Then::Answer(Some(asker), joined)));
        }
        if !matches!(self.phase, Phase::PreparingRebalance { .. }) {
            self.prepare(now, effects);
        }
        self.maybe_complete(now, effects);
    }

    /// The answer to a join; the leader is told of all members.
    fn joined(&self, id: MemberId, leads: bool) -> GroupResponse {
        let offered = |(id, member): (&MemberId, &Member)| Offered {
            member: *id,
            instance: member.instance,
            topic: member.topic,
            owned: member.owned.clone(),
        };
        let members = leads.then(|| self.members.iter().map(offered).collect());
        let assignor = self.assignor.unwrap_or(Assignor::Range);
        let joined = Joined { member: id, generation: self.generation, assignor, members };
        GroupResponse::Joined(Error::None, Some(Box::new(joined)))
    }

    /// Everybody has to join again (`prepareRebalance`).
    fn prepare(&mut self, now: Time, effects: &mut Vec<Effect>) {
        for member in self.members.values_mut() {
            if let Parked::Sync(asker) = member.parked {
                let response = GroupResponse::Synced(Error::RebalanceInProgress, Vec::new());
                effects.push(Effect::Answer(asker, response));
                member.parked = Parked::Nothing;
                member.deadline = now + member.session;
            }
        }
        let longest = self.members.values().map(|member| member.rebalance).max();
        let until = now + longest.unwrap_or(Span::ZERO);
        self.phase = Phase::PreparingRebalance { until, initial: None };
        effects.push(Effect::Tell(event::REBALANCING, u64::from(self.generation)));
    }

    fn maybe_complete(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let Phase::PreparingRebalance { initial: None, .. } = self.phase else { return };
        if self.pending.is_empty() && self.members.values().all(Member::has_joined) {
            self.complete_join(now, effects);
        }
    }

    /// The next generation begins, with those who are there (`onCompleteJoin`).
    fn complete_join(&mut self, now: Time, effects: &mut Vec<Effect>) {
        self.members.retain(|_, member| member.has_joined() || member.instance);
        if self.members.is_empty() {
            self.generation += 1;
            (self.phase, self.leader, self.assignor) = (Phase::Empty, None, None);
            let nobody = Then::Committed(None);
            return effects.push(Effect::Write(self.record(&[]), nobody));
        }
        let joined = self.members.iter().filter(|(_, member)| member.has_joined());
        let joined: Vec<MemberId> = joined.map(|(id, _)| *id).collect();
        if joined.is_empty() {
            // Only static members, and none has come back yet.
            let longest = self.members.values().map(|member| member.rebalance).max();
            let until = now + longest.unwrap_or(Span::ZERO);
            self.phase = Phase::PreparingRebalance { until, initial: None };
            return;
        }
        let leader = self.leader.filter(|leader| joined.contains(leader)).unwrap_or(joined[0]);
        self.leader = Some(leader);
        self.generation += 1;
        self.assignor = self.vote();
        for id in joined {
            let response = self.joined(id, id == leader);
            let Some(member) = self.members.get_mut(&id) else { continue };
            if let Parked::Join(asker) = member.parked {
                effects.push(Effect::Answer(asker, response));
            }
            (member.parked, member.new) = (Parked::Nothing, false);
            member.deadline = now + member.session;
        }
        let longest = self.members.values().map(|member| member.rebalance).max();
        self.phase = Phase::CompletingRebalance { until: now + longest.unwrap_or(Span::ZERO) };
    }

    /// The assignor that most members prefer among those that all have (`selectProtocol`).
    fn vote(&self) -> Option<Assignor> {
        let all = |assignor: &&Assignor| {
            self.members.values().all(|member| member.assignors.contains(assignor))
        };
        let mut votes: BTreeMap<Assignor, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some(first) = member.assignors.iter().find(all) {
                *votes.entry(*first).or_default() += 1;
            }
        }
        votes
            .into_iter()
            .max_by_key(|(assignor, count)| (*count, std::cmp::Reverse(*assignor)))
            .map(|(assignor, _)| assignor)
    }

    /// Whether a member may say something, as of this generation.
    fn check(&self, who: Identity) -> Error {
        match self.members.get(&who.member) {
            None if who.instance && self.static_of(who.member.client).is_some() => {
                Error::FencedInstanceId
            }
            None => Error::UnknownMemberId,
            Some(_) if who.generation != self.generation => Error::IllegalGeneration,
            Some(_) => Error::None,
        }
    }

    /// `SyncGroup`.
    pub(super) fn sync(
        &mut self,
        asker: Asker,
        who: Identity,
        assignments: Vec<(MemberId, Vec<PartitionId>)>,
        now: Time,
        effects: &mut Vec<Effect>,
    ) {
        let mut error = self.check(who);
        if error == Error::None {
            error = match self.phase {
                Phase::Empty => Error::UnknownMemberId,
                Phase::PreparingRebalance { .. } => Error::RebalanceInProgress,
                Phase::CompletingRebalance { .. } | Phase::Stable => Error::None,
            };
        }
        let leads = self.leader == Some(who.member);
        let Some(member) = self.members.get_mut(&who.member).filter(|_| error == Error::None)
        else {
            let refused = GroupResponse::Synced(error, Vec::new());
            return effects.push(Effect::Answer(asker, refused));
        };
        if self.phase == Phase::Stable {
            member.deadline = now + member.session;
            let response = GroupResponse::Synced(Error::None, member.assignment.clone());
            return effects.push(Effect::Answer(asker, response));
        }
        member.parked = Parked::Sync(asker);
        if leads {
            let record = self.record(&assignments);
            effects.push(Effect::Write(record, Then::Assigned(self.generation)));
        }
    }

    /// The assignment of a generation is written, or could not be.
    pub(super) fn assigned(
        &mut self,
        record: Option<&OffsetsRecord>,
        generation: u32,
        error: Error,
        now: Time,
        effects: &mut Vec<Effect>,
    ) {
        let current = matches!(self.phase, Phase::CompletingRebalance { .. });
        if !current || generation != self.generation {
            return;
        }
        let Some(OffsetsRecord::Group { members, .. }) = record else {
            for member in self.members.values_mut() {
                if let Parked::Sync(asker) = member.parked {
                    let response = GroupResponse::Synced(error, Vec::new());
                    effects.push(Effect::Answer(asker, response));
                    member.parked = Parked::Nothing;
                    member.deadline = now + member.session;
                }
            }
            return self.prepare(now, effects);
        };
        self.phase = Phase::Stable;
        for record in members {
            let Some(member) = self.members.get_mut(&record.id) else { continue };
            member.assignment.clone_from(&record.assignment);
            if let Parked::Sync(asker) = member.parked {
                let response = GroupResponse::Synced(Error::None, member.assignment.clone());
                effects.push(Effect::Answer(asker, response));
                member.parked = Parked::Nothing;
                member.deadline = now + member.session;
            }
        }
        effects.push(Effect::Tell(event::REBALANCED, u64::from(self.generation)));
    }

    /// `Heartbeat`.
    pub(super) fn heartbeat(&mut self, who: Identity, now: Time) -> Error {
        let error = self.check(who);
        let Some(member) = self.members.get_mut(&who.member).filter(|_| error == Error::None)
        else {
            return error;
        };
        match self.phase {
            Phase::Empty => Error::UnknownMemberId,
            Phase::PreparingRebalance { .. } => {
                member.deadline = now + member.session;
                Error::RebalanceInProgress
            }
            Phase::CompletingRebalance { .. } | Phase::Stable => {
                member.deadline = now + member.session;
                Error::None
            }
        }
    }

    /// `LeaveGroup`.
    pub(super) fn leave(&mut self, id: MemberId, now: Time, effects: &mut Vec<Effect>) -> Error {
        if self.pending.remove(&id).is_some() {
            self.maybe_complete(now, effects);
            return Error::None;
        }
        if !self.members.contains_key(&id) {
            return Error::UnknownMemberId;
        }
        effects.push(Effect::Tell(event::MEMBER_LEFT, u64::from(id.client.0)));
        self.remove(id, now, effects);
        Error::None
    }

    /// A member is out (`removeMemberAndUpdateGroup`).
    fn remove(&mut self, id: MemberId, now: Time, effects: &mut Vec<Effect>) {
        let Some(mut member) = self.members.remove(&id) else { return };
        answer_parked(&mut member, Error::UnknownMemberId, effects);
        if self.leader == Some(id) {
            self.leader = self.members.keys().next().copied();
        }
        match self.phase {
            Phase::Stable | Phase::CompletingRebalance { .. } => self.prepare(now, effects),
            Phase::PreparingRebalance { .. } | Phase::Empty => {}
        }
        self.maybe_complete(now, effects);
    }

    /// Whether somebody may commit offsets.
    pub(super) fn may_commit(&mut self, who: Option<Identity>, now: Time) -> Error {
        let Some(who) = who else {
            // "The group is only using Kafka to store offsets."
            let free = self.phase == Phase::Empty;
            return if free { Error::None } else { Error::UnknownMemberId };
        };
        if self.members.is_empty() {
            return Error::IllegalGeneration;
        }
        let error = self.check(who);
        let Some(member) = self.members.get_mut(&who.member).filter(|_| error == Error::None)
        else {
            return error;
        };
        match self.phase {
            Phase::CompletingRebalance { .. } => Error::RebalanceInProgress,
            Phase::Empty => Error::UnknownMemberId,
            Phase::Stable | Phase::PreparingRebalance { .. } => {
                member.deadline = now + member.session;
                Error::None
            }
        }
    }

    /// The group as it is written, with these assignments in place of those that are known.
    fn record(&self, assignments: &[(MemberId, Vec<PartitionId>)]) -> OffsetsRecord {
        let given: BTreeMap<MemberId, &Vec<PartitionId>> =
            assignments.iter().map(|(id, own)| (*id, own)).collect();
        let record = |(id, member): (&MemberId, &Member)| MemberRecord {
            id: *id,
            instance: member.instance,
            session: member.session,
            rebalance: member.rebalance,
            assignors: member.assignors.clone(),
            topic: member.topic,
            owned: member.owned.clone(),
            assignment: match given.get(id) {
                Some(own) => (*own).clone(),
                None if assignments.is_empty() => member.assignment.clone(),
                None => Vec::new(),
            },
            epoch: self.generation,
            revoking: Vec::new(),
        };
        OffsetsRecord::Group {
            group: self.id,
            protocol: Protocol::Classic,
            generation: self.generation,
            leader: self.leader,
            assignor: self.assignor,
            members: self.members.iter().map(record).collect(),
        }
    }

    pub(super) fn describe(&self) -> String {
        let phase = match self.phase {
            Phase::Empty => "Empty",
            Phase::PreparingRebalance { .. } => "PreparingRebalance",
            Phase::CompletingRebalance { .. } => "CompletingRebalance",
            Phase::Stable => "Stable",
        };
        let members = self.members.iter().map(|(id, member)| {
            let own: Vec<String> = member.assignment.iter().map(|p| p.0.to_string()).collect();
            format!("{}: [{}]", id.client.0, own.join(" "))
        });
        let members: Vec<String> = members.collect();
        format!("{phase}, generation {}, {}", self.generation, members.join(", "))
    }
}

/// Who is parked gets an error.
fn answer_parked(member: &mut Member, error: Error, effects: &mut Vec<Effect>) {
    match std::mem::replace(&mut member.parked, Parked::Nothing) {
        Parked::Nothing => {}
        Parked::Join(asker) => {
            effects.push(Effect::Answer(asker, GroupResponse::Joined(error, None)));
        }
        Parked::Sync(asker) => {
            effects.push(Effect::Answer(asker, GroupResponse::Synced(error, Vec::new())));
        }
    }
}
