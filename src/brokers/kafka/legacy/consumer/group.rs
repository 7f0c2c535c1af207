//! A member of a group (`consumer/ZookeeperConsumerConnector.scala` 0.7): every member for itself
//! reads who is there and what there is, and takes its share.

use crate::brokers::coordination::zookeeper::{
    Answer, Error, Event, Mode, Op, Outcome, Path, Xid, name,
};
use crate::world::{Context, Input, Lane};

use super::super::super::PartitionId;
use super::super::invariants::Touch;
use super::super::message::{Message, Znode};
use super::super::producer::{IDS, brokers_of, topic_path};
use super::super::rules::Rule;
use super::super::words::event;
use super::{Consumer, Info, Kind};
use crate::observe;

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Its own id node.
    Register,
    /// The members of the group.
    Members,
    /// The brokers that have the topic.
    Topic,
    /// All brokers.
    Brokers,
    /// An offset is written.
    Commit(PartitionId, u64),
    /// An owner node is deleted.
    Release,
    /// An owner node is created.
    Claim(PartitionId),
    /// An owner node that is there is read.
    Owner(PartitionId),
    /// The group's offset of a partition.
    Offset(PartitionId),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    /// No rebalance is under way.
    #[default]
    Idle,
    Register,
    Read,
    /// The offsets are written, before anything is given up.
    Commit,
    Release,
    Claim,
    /// What was claimed is given up again.
    Undo,
    Offsets,
    BackOff,
}

/// Where a member stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// How often it has joined: each process has another id.
    joins: u32,
    step: Step,
    asked: Vec<(Xid, Asked)>,
    tries: u32,
    /// Which timer counts.
    timer: u32,
    /// Something has changed meanwhile.
    again: bool,
    /// What was read in this try, and what the last rebalance that came about had read.
    members: Vec<Path>,
    topic: Vec<u32>,
    brokers: Vec<u32>,
    old: Option<(Vec<Path>, Vec<u32>)>,
    /// Partitions that it owns or claims, and whether one was taken.
    claimed: Vec<PartitionId>,
    conflict: bool,
    closing: Option<Xid>,
    ticking: bool,
}

impl Group {
    /// The process has died.
    pub(super) fn forget(&mut self) {
        *self = Group { joins: self.joins, timer: self.timer, ..Group::default() };
    }

    pub(super) fn is_idle(&self) -> bool {
        self.step == Step::Idle && !self.again
    }
}

/// `/consumers/g`.
fn group_path(group: &str) -> String {
    format!("/consumers/{group}")
}

impl Consumer {
    fn group_name(&self) -> &str {
        match &self.own.kind {
            Kind::HighLevel(group) => &group.group,
            Kind::Simple => "",
        }
    }

    /// `g_c1-0`: sorted as text, as members are.
    fn member(&self) -> String {
        format!("{}_{}-{}", self.group_name(), self.own.name, self.group.joins)
    }

    fn topic_name(&self) -> &str {
        &self.config.topics[self.own.topic as usize].name
    }

    fn path_of(&self, kind: &str, partition: PartitionId) -> Path {
        let (group, topic) = (group_path(self.group_name()), self.topic_name());
        format!("{group}/{kind}/{topic}/{}", self.config.part_name(partition)).into()
    }

    fn ids_path(&self) -> Path {
        format!("{}/ids", group_path(self.group_name())).into()
    }

    fn ask(&mut self, what: Asked, op: Op<Znode>, ctx: &mut Context<'_, Message>) {
        if let Ok(xid) = self.session.request(op, ctx) {
            self.group.asked.push((xid, what));
        }
    }

    /// Connects with ZooKeeper; all else follows.
    pub(super) fn join(&mut self, ctx: &mut Context<'_, Message>) {
        self.session.open(ctx);
        let Kind::HighLevel(group) = &self.own.kind else { return };
        if let Some(interval) = group.autocommit
            && !self.group.ticking
        {
            self.group.ticking = true;
            ctx.after(interval, Lane::MAIN, Message::CommitTick);
        }
    }

    pub(super) fn zookeeper_input(
        &mut self,
        input: Input<Message>,
        ctx: &mut Context<'_, Message>,
    ) {
        for event in self.session.handle(input, ctx) {
            match event {
                Event::Connected { new: true, .. } => self.register(ctx),
                Event::Expired => self.expired(ctx),
                Event::Watch { path, .. } => self.changed(&path, ctx),
                Event::Response { xid, outcome } => self.answered(xid, outcome, ctx),
                Event::Connected { .. } | Event::Disconnected => {}
            }
        }
    }

    /// `registerConsumerInZK`.
    fn register(&mut self, ctx: &mut Context<'_, Message>) {
        self.group.joins += 1;
        self.group.asked.clear();
        self.group.step = Step::Register;
        self.create_id(ctx);
    }

    fn create_id(&mut self, ctx: &mut Context<'_, Message>) {
        let path = format!("{}/{}", self.ids_path(), self.member()).into();
        let op = Op::Create { path, data: Some(Znode::Consumer), mode: Mode::EPHEMERAL };
        self.ask(Asked::Register, op, ctx);
    }

    /// `handleNewSession`: what it had is forgotten; fetchers go on until the rebalance.
    fn expired(&mut self, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), ctx.node());
        ctx.observer().event(now, observe::Event::new(event::SESSION_EXPIRED, node, None, None, 0));
        self.infos.clear();
        self.registry += 1;
        self.stop_fetchers(ctx);
        self.group.claimed.clear();
        self.group.old = None;
        self.group.step = Step::Idle;
        if self.group.closing.is_some() {
            return self.left(ctx);
        }
        self.session.open(ctx);
    }

    /// The members, or the brokers of the topic, are others.
    fn changed(&mut self, path: &str, ctx: &mut Context<'_, Message>) {
        let ours = *path == *self.ids_path() || *path == *topic_path(self.topic_name());
        if !ours || self.application.is_stopped() {
            return;
        }
        match self.group.step {
            Step::Idle => self.rebalance(ctx),
            _ => self.group.again = true,
        }
    }

    /// `syncedRebalance`.
    fn rebalance(&mut self, ctx: &mut Context<'_, Message>) {
        self.group.tries = 0;
        self.group.again = false;
        self.try_rebalance(ctx);
    }

    fn try_rebalance(&mut self, ctx: &mut Context<'_, Message>) {
        self.group.step = Step::Read;
        let members = Op::GetChildren { path: self.ids_path(), watch: true };
        let topic = Op::GetChildren { path: topic_path(self.topic_name()), watch: true };
        let brokers = Op::GetChildren { path: IDS.into(), watch: false };
        self.ask(Asked::Brokers, brokers, ctx);
        self.ask(Asked::Members, members, ctx);
        self.ask(Asked::Topic, topic, ctx);
    }

    fn answered(&mut self, xid: Xid, outcome: Outcome<Znode>, ctx: &mut Context<'_, Message>) {
        if self.group.closing == Some(xid) {
            return self.left(ctx);
        }
        let Some(at) = self.group.asked.iter().position(|(asked, _)| *asked == xid) else { return };
        let (_, what) = self.group.asked.remove(at);
        match what {
            Asked::Commit(partition, offset) if outcome == Err(Error::NoNode) => {
                let path = self.path_of("offsets", partition);
                let data = Some(Znode::Offset(offset));
                let op = Op::Create { path, data, mode: Mode::PERSISTENT };
                self.ask(Asked::Commit(partition, offset), op, ctx);
            }
            _ if outcome == Err(Error::ConnectionLoss) => self.repeat(what, ctx),
            Asked::Members => self.group.members = children(outcome),
            Asked::Topic => self.group.topic = brokers_of(&children(outcome)),
            Asked::Brokers => self.group.brokers = brokers_of(&children(outcome)),
            Asked::Claim(partition) if outcome == Err(Error::NodeExists) => {
                let op = Op::GetData { path: self.path_of("owners", partition), watch: false };
                self.ask(Asked::Owner(partition), op, ctx);
            }
            Asked::Claim(partition) => self.claimed(partition, outcome.is_ok()),
            // `createEphemeralPathExpectConflict`: its own, if the data are the same.
            Asked::Owner(partition) => {
                let own = Znode::Owner(self.own.id.0, self.group.joins);
                let is_own = matches!(outcome, Ok(Answer::Data(Some(data), _)) if data == own);
                self.claimed(partition, is_own);
            }
            Asked::Offset(partition) => {
                if let Ok(Answer::Data(Some(Znode::Offset(offset)), _)) = outcome {
                    self.set_offset(partition, offset);
                }
            }
            Asked::Register | Asked::Commit(..) | Asked::Release => {}
        }
        let commits_only =
            self.group.asked.iter().all(|(_, what)| matches!(what, Asked::Commit(..)));
        let done = match self.group.step {
            Step::Commit | Step::Release => self.group.asked.is_empty(),
            _ => commits_only && !matches!(what, Asked::Commit(..)),
        };
        if done && self.session.is_alive() {
            self.advance(ctx);
        }
    }

    /// `retryUntilConnected`: zkclient does it again.
    fn repeat(&mut self, what: Asked, ctx: &mut Context<'_, Message>) {
        let op = match what {
            Asked::Register => return self.create_id(ctx),
            Asked::Members => Op::GetChildren { path: self.ids_path(), watch: true },
            Asked::Topic => Op::GetChildren { path: topic_path(self.topic_name()), watch: true },
            Asked::Brokers => Op::GetChildren { path: IDS.into(), watch: false },
            Asked::Commit(partition, offset) => self.commit_op(partition, offset),
            Asked::Claim(partition) => self.claim_op(partition),
            Asked::Offset(partition) => {
                Op::GetData { path: self.path_of("offsets", partition), watch: false }
            }
            Asked::Owner(partition) => {
                Op::GetData { path: self.path_of("owners", partition), watch: false }
            }
            // What it would delete goes with the session if not now.
            Asked::Release => return,
        };
        self.ask(what, op, ctx);
    }

    /// All that was asked for in this step is answered.
    fn advance(&mut self, ctx: &mut Context<'_, Message>) {
        match self.group.step {
            Step::Register => self.rebalance(ctx),
            Step::Read => self.decide(ctx),
            Step::Commit => self.give_up(ctx),
            Step::Release => self.claim(ctx),
            Step::Claim if self.group.conflict => self.undo(ctx),
            Step::Claim => self.read_offsets(ctx),
            Step::Undo => self.back_off(ctx),
            Step::Offsets => self.take_over(ctx),
            Step::Idle | Step::BackOff => {}
        }
    }

    fn decide(&mut self, ctx: &mut Context<'_, Message>) {
        let now = (self.group.members.clone(), self.group.topic.clone());
        if self.group.old.as_ref() == Some(&now) {
            return self.rebalanced(ctx);
        }
        self.stop_fetchers(ctx);
        self.group.step = Step::Commit;
        if self.config.settings.rules.has(Rule::CommitBeforeRelease) {
            self.commit_all(ctx);
        }
        if self.group.asked.is_empty() {
            self.give_up(ctx);
        }
    }

    fn give_up(&mut self, ctx: &mut Context<'_, Message>) {
        self.group.step = Step::Release;
        self.release(ctx);
        if self.group.asked.is_empty() {
            self.claim(ctx);
        }
    }

    fn release(&mut self, ctx: &mut Context<'_, Message>) {
        for partition in std::mem::take(&mut self.group.claimed) {
            let op = Op::Delete { path: self.path_of("owners", partition), version: None };
            self.ask(Asked::Release, op, ctx);
        }
    }

    /// Its share: the partitions in their order, cut into as many ranges as there are members, in
    /// their order; the first ones are longer by one.
    fn share(&self) -> Vec<PartitionId> {
        let me = self.member();
        let members = &self.group.members;
        let Some(position) = members.iter().position(|member| name(member) == me) else {
            return Vec::new();
        };
        let topic = self.own.topic;
        let count = self.config.topics[topic as usize].partitions;
        let all: Vec<PartitionId> = self
            .group
            .topic
            .iter()
            .flat_map(|broker| (0..count).map(move |part| (*broker, part)))
            .map(|(broker, part)| self.config.partition(topic, broker, part))
            .collect();
        let (each, more) = (all.len() / members.len(), all.len() % members.len());
        let start = each * position + position.min(more);
        let length = each + usize::from(position < more);
        all[start..start + length].to_vec()
    }

    fn claim(&mut self, ctx: &mut Context<'_, Message>) {
        self.group.step = Step::Claim;
        self.group.conflict = false;
        self.infos.clear();
        self.registry += 1;
        self.group.claimed.clear();
        for partition in self.share() {
            let op = self.claim_op(partition);
            self.ask(Asked::Claim(partition), op, ctx);
        }
        if self.group.asked.is_empty() {
            self.advance(ctx);
        }
    }

    fn claimed(&mut self, partition: PartitionId, is_own: bool) {
        self.group.conflict |= !is_own;
        if is_own {
            self.group.claimed.push(partition);
        }
    }

    fn claim_op(&self, partition: PartitionId) -> Op<Znode> {
        let path = self.path_of("owners", partition);
        let data = Some(Znode::Owner(self.own.id.0, self.group.joins));
        let create = Op::Create { path: path.clone(), data, mode: Mode::EPHEMERAL };
        match self.config.settings.rules.has(Rule::OwnersAreExclusive) {
            true => create,
            // Whoever has the node, it does not matter.
            false => Op::Exists { path, watch: false },
        }
    }

    /// Somebody else has one of them: all that was claimed is given up.
    fn undo(&mut self, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), ctx.node());
        ctx.observer().event(
            now,
            observe::Event::new(event::REBALANCE_RETRY, node, None, None, self.group.tries.into()),
        );
        self.group.step = Step::Undo;
        self.release(ctx);
        if self.group.asked.is_empty() {
            self.back_off(ctx);
        }
    }

    fn back_off(&mut self, ctx: &mut Context<'_, Message>) {
        let Kind::HighLevel(group) = &self.own.kind else { return };
        let backoff = group.backoff;
        self.group.old = None;
        self.group.step = Step::BackOff;
        self.group.timer += 1;
        let number = self.group.timer;
        ctx.after(backoff, Lane::MAIN, Message::Rebalance(number));
    }

    pub(super) fn rebalance_timer(&mut self, number: u32, ctx: &mut Context<'_, Message>) {
        let Kind::HighLevel(group) = &self.own.kind else { return };
        if number != self.group.timer || self.group.step != Step::BackOff {
            return;
        }
        self.group.tries += 1;
        if self.group.tries < group.retries {
            return self.try_rebalance(ctx);
        }
        // `ConsumerRebalanceFailedException`.
        let (now, node, tries) = (ctx.now(), ctx.node(), self.group.tries);
        ctx.observer().event(
            now,
            observe::Event::new(event::REBALANCE_FAILED, node, None, None, tries.into()),
        );
        self.rebalanced(ctx);
    }

    fn read_offsets(&mut self, ctx: &mut Context<'_, Message>) {
        self.group.step = Step::Offsets;
        let info =
            |partition: &PartitionId| Info { partition: *partition, consumed: None, fetched: None };
        self.infos = self.group.claimed.iter().map(info).collect();
        for partition in self.group.claimed.clone() {
            let op = Op::GetData { path: self.path_of("offsets", partition), watch: false };
            self.ask(Asked::Offset(partition), op, ctx);
        }
        if self.group.asked.is_empty() {
            self.take_over(ctx);
        }
    }

    fn take_over(&mut self, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), ctx.node());
        let count = self.infos.len() as u64;
        ctx.observer().event(now, observe::Event::new(event::REBALANCED, node, None, None, count));
        self.group.old = Some((self.group.members.clone(), self.group.topic.clone()));
        self.start_fetchers(ctx);
        self.rebalanced(ctx);
    }

    fn rebalanced(&mut self, ctx: &mut Context<'_, Message>) {
        self.group.step = Step::Idle;
        if self.group.again && !self.application.is_stopped() {
            self.rebalance(ctx);
        }
    }

    fn commit_op(&self, partition: PartitionId, offset: u64) -> Op<Znode> {
        let data = Some(Znode::Offset(offset));
        Op::SetData { path: self.path_of("offsets", partition), data, version: None }
    }

    /// `commitOffsets`: whoever owns them by now.
    fn commit_all(&mut self, ctx: &mut Context<'_, Message>) {
        let offsets: Vec<(PartitionId, u64)> = self.consumed().collect();
        for (partition, offset) in offsets {
            self.commit_now(partition, offset, ctx);
        }
    }

    pub(super) fn commit_now(
        &mut self,
        partition: PartitionId,
        offset: u64,
        ctx: &mut Context<'_, Message>,
    ) {
        if matches!(self.own.kind, Kind::HighLevel(_)) {
            self.touched.note(Touch::Committed(partition, offset));
            let op = self.commit_op(partition, offset);
            self.ask(Asked::Commit(partition, offset), op, ctx);
        }
    }

    pub(super) fn commit_tick(&mut self, ctx: &mut Context<'_, Message>) {
        let Kind::HighLevel(group) = &self.own.kind else { return };
        let interval = group.autocommit;
        if let Some(interval) = interval.filter(|_| !self.application.is_stopped()) {
            self.commit_all(ctx);
            ctx.after(interval, Lane::MAIN, Message::CommitTick);
        }
    }

    /// `shutdown`: commits, if it does that by itself, and ends its session. Whether there is an
    /// answer to wait for.
    pub(super) fn leave(&mut self, ctx: &mut Context<'_, Message>) -> bool {
        let Kind::HighLevel(group) = &self.own.kind else { return false };
        if group.autocommit.is_some() {
            self.commit_all(ctx);
        }
        self.group.step = Step::Idle;
        self.group.closing = self.session.close(ctx);
        self.group.closing.is_some()
    }

    fn left(&mut self, ctx: &mut Context<'_, Message>) {
        self.group.closing = None;
        if self.leaving {
            ctx.exit();
        }
    }
}

/// The names of children; none if there is no such znode.
fn children(outcome: Outcome<Znode>) -> Vec<Path> {
    match outcome {
        Ok(Answer::Children(names, _)) => names,
        _ => Vec::new(),
    }
}
