//! A consumer as a member of its group (AbstractCoordinator.java, ConsumerCoordinator.java; for
//! KIP-848 AsyncKafkaConsumer.java with its managers).
//!
//! | file | what it has |
//! | --- | --- |
//! | `mod.rs` | what a member keeps; its clocks; finding the coordinator |
//! | `answers.rs` | what comes back from the coordinator |
//! | `classic.rs` | joining and syncing |
//! | `modern.rs` | KIP-848 |
//! | `shares.rs` | partitions that come and go |
//! | `commits.rs` | when what is committed |
//! | `closing.rs` | close(), and an application that fails |
//!
//! The application's thread is in poll() while it has nothing in hand. What happens only there is in
//! [`Consumer::poll_group`]; [`Consumer::drive`] is what goes on beside it.

mod answers;
mod classic;
mod closing;
mod commits;
mod modern;
mod shares;

use std::collections::BTreeMap;

use crate::brokers::kafka::PartitionId;
use crate::engine::{Span, Time};
use crate::observe::NodeId;
use crate::world::{Alarm, By, Context, Lane, Wait};

use super::super::groups::{GroupId, GroupRequest, Identity, MemberId, Protocol};
use super::super::message::{Message, Request, Timer};
use super::super::rules::Rule;
use super::super::words::event;
use super::consumer::Consumer;
use super::fetcher::Step;
use super::settings::MemberSettings;

pub(super) use closing::Closing;
use commits::Commit;

/// How far a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has no place in the group.
    Unjoined,
    /// It commits before it gives partitions up (`onJoinPrepare`; KIP-848: before a reconciliation).
    Committing,
    /// It has asked to join, or is about to.
    Joining,
    /// It waits for its share.
    Syncing,
    /// It has its share.
    Stable,
}

/// What was asked of a coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
enum About {
    Find,
    Join,
    Sync,
    Heartbeat,
    Leave,
    /// Which commit.
    Commit(u32),
    Offsets(Vec<PartitionId>),
    /// Of KIP-848.
    Beat,
}

/// What a consumer keeps as a member of a group.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) settings: MemberSettings,
    /// Its host.
    me: NodeId,
    /// The broker that coordinates the group, as far as is known.
    coordinator: Option<NodeId>,
    /// It is not looked for before.
    find_from: Time,
    /// What was asked and not answered.
    asked: Vec<(NodeId, u32, About)>,
    id: Option<MemberId>,
    /// Its generation, or member epoch; none if it has lost its place.
    generation: Option<u32>,
    state: State,
    /// It is to join anew.
    rejoin: bool,
    /// Its share, when it is known and not taken yet.
    given: Option<Vec<PartitionId>>,
    /// Whether members of its generation keep what they have while they join.
    cooperative: bool,
    /// It does not ask to join before.
    join_from: Time,
    /// When the next heartbeat is due.
    beat_at: Time,
    /// When the coordinator was last heard of.
    heard: Time,
    /// When the application last polled.
    polled: Time,
    /// KIP-848: what it has is to be told with the next heartbeat.
    tells: bool,
    /// When positions are committed next by themselves.
    commit_at: Time,
    commits: Vec<Commit>,
    commit_number: u32,
    /// The commit that the application waits for.
    held: Option<u32>,
    /// How much the last poll returned, and how much of it is finished.
    returned: u32,
    finished: u32,
    /// The positions that it has asked to be committed, by partition: the greatest.
    sent: BTreeMap<PartitionId, u64>,
    /// How many messages its application has begun with.
    begun: u32,
    closing: Option<Closing>,
    /// What is done when it is closed.
    after: Closing,
    close_by: Time,
    alarm: Alarm,
}

impl Member {
    pub(super) fn new(settings: MemberSettings) -> Member {
        Member {
            settings,
            me: NodeId(0),
            coordinator: None,
            find_from: Time::ZERO,
            asked: Vec::new(),
            id: None,
            generation: None,
            state: State::Unjoined,
            rejoin: false,
            given: None,
            cooperative: false,
            join_from: Time::ZERO,
            beat_at: Time::ZERO,
            heard: Time::ZERO,
            polled: Time::ZERO,
            tells: false,
            commit_at: Time::ZERO,
            commits: Vec::new(),
            commit_number: 0,
            held: None,
            returned: 0,
            finished: 0,
            sent: BTreeMap::new(),
            begun: 0,
            closing: None,
            after: Closing::Hours,
            close_by: Time::MAX,
            alarm: Alarm::new(By::Wall),
        }
    }

    /// As after the death of its process. The message at which its application fails is behind it
    /// once it was reached.
    fn forget(&mut self) {
        let begun = self.begun;
        *self = Member { me: self.me, begun, ..Member::new(self.settings.clone()) };
    }

    /// Its host.
    pub(super) const fn host(&self) -> NodeId {
        self.me
    }

    /// Its group, who it is there, if it has a place, and the coordinator, if it is known.
    pub(super) fn standing(&self) -> (GroupId, Option<Identity>, Option<NodeId>) {
        let who = self.identity().filter(|_| self.settings.subscribes);
        (self.settings.group, who, self.coordinator)
    }

    fn is_modern(&self) -> bool {
        self.settings.protocol == Protocol::Consumer
    }

    fn has_asked(&self, about: &About) -> bool {
        self.asked.iter().any(|(.., asked)| asked == about)
    }

    /// Who it is to its coordinator; none if it has no place in the group.
    fn identity(&self) -> Option<Identity> {
        let instance = self.settings.instance;
        Some(Identity { member: self.id?, generation: self.generation?, instance })
    }

    /// Its place in the group is lost (`resetGenerationOnLeaveGroup`, `resetStateAndRejoin`).
    fn lose_place(&mut self, forgets_id: bool) {
        self.generation = None;
        if forgets_id {
            self.id = None;
        }
        if self.state != State::Committing {
            self.state = State::Unjoined;
        }
        self.rejoin = true;
        self.given = None;
    }
}

impl Consumer {
    /// Its process is up and its application begins: it subscribes, or assigns itself what it was
    /// given. `first` if it has done that for long when the run starts.
    pub(super) fn enter(&mut self, ctx: &mut Context<'_, Message>, first: bool) {
        let (now, config) = (ctx.clock(), self.config.config.clone());
        let client = self.config.id;
        let Some(member) = &mut self.member else { return };
        member.me = ctx.node();
        member.polled = now;
        member.heard = now;
        member.find_from = now;
        member.join_from = now;
        let settings = member.settings.clone();
        if let super::Commits::Auto(interval) = settings.commits {
            member.commit_at = now + ctx.first_round(interval);
        }
        member.beat_at = now + ctx.first_round(settings.heartbeat);
        let at = ctx.now();
        ctx.observer().subscribes(at, client, true);
        let group = config.groups.get(settings.group);
        let place = group.first.iter().find(|place| place.id.client == client).filter(|_| first);
        let Some(member) = &mut self.member else { return };
        match place {
            Some(place) => {
                if settings.subscribes {
                    (member.id, member.generation) = (Some(place.id), Some(1));
                    member.state = State::Stable;
                    member.cooperative = settings.assignors[0].is_cooperative();
                }
                let share = place.assignment.clone();
                self.take_share(ctx, &share, true);
            }
            None if !settings.subscribes => {
                let share = self.config.partitions.clone();
                self.take_share(ctx, &share, false);
            }
            None => {}
        }
    }

    /// What poll() does about the group, before it returns anything.
    pub(super) fn poll_group(&mut self, ctx: &mut Context<'_, Message>) {
        let now = ctx.clock();
        let Some(member) = &mut self.member else { return };
        member.polled = now;
        if member.closing.is_some() {
            return self.close_on(ctx);
        }
        if member.settings.subscribes {
            match member.is_modern() {
                true => self.reconcile(ctx),
                false => self.poll_classic(ctx),
            }
        }
        self.commit_if_due(ctx);
    }

    /// The alarm of what goes on beside the application has rung.
    pub(super) fn member_rang(&mut self, ctx: &mut Context<'_, Message>) {
        let rang = self.member.as_mut().is_some_and(|member| member.alarm.rang(ctx));
        if rang {
            self.poll(ctx);
        }
    }

    /// What goes on beside the application: its coordinator is looked for, heartbeats, commits and
    /// questions are sent, time-outs are noticed.
    pub(super) fn drive(&mut self, ctx: &mut Context<'_, Message>) {
        let closing = self.member.as_ref().is_some_and(|member| member.closing.is_some());
        if !self.application.is_active() && !closing {
            return;
        }
        let now = ctx.clock();
        self.check_time_outs(now, ctx);
        let mut again = self.find_coordinator(now, ctx);
        let Some(member) = &self.member else { return };
        if let Some(broker) = member.coordinator {
            let peer = self.network.coordinator(broker);
            match self.network.ready(ctx, peer) {
                Ok(()) => again = again.min(self.ask_coordinator(peer, now, ctx)),
                Err(at) => again = again.min(at),
            }
        }
        again = again.min(self.drive_pipeline(now, ctx)).min(self.due(now));
        if let Some(member) = &mut self.member {
            member.alarm.wake(again, Lane::MAIN, Message::Timer(Timer::Member), ctx);
        }
    }

    /// The next of its deadlines.
    fn due(&self, now: Time) -> Time {
        let Some(member) = &self.member else { return Time::MAX };
        let mut due = Time::MAX;
        if member.closing.is_some() {
            due = due.min(member.close_by);
        } else if member.generation.is_some() && !self.is_in_poll() && self.has_poll_limit() {
            due = due.min(member.polled + member.settings.max_poll);
        }
        let auto = matches!(member.settings.commits, super::Commits::Auto(_));
        if self.is_in_poll() && auto && self.config.config.has(Rule::CommitInPoll) {
            due = due.min(member.commit_at.max(now));
        }
        for commit in &member.commits {
            due = due.min(commit.until);
        }
        if member.generation.is_some() {
            due = due.min(member.heard + member.settings.session);
        }
        if due <= now { now + Span::from_millis(1) } else { due }
    }

    fn has_poll_limit(&self) -> bool {
        self.config.config.has(Rule::BackgroundHeartbeats)
    }

    /// A coordinator that is silent, an application that does not poll, commits that take too long.
    fn check_time_outs(&mut self, now: Time, ctx: &mut Context<'_, Message>) {
        let in_poll = self.is_in_poll();
        let limited = self.has_poll_limit();
        let Some(member) = &mut self.member else { return };
        if in_poll {
            member.polled = now;
        }
        let late = member.polled + member.settings.max_poll <= now;
        let joined = member.settings.subscribes && member.generation.is_some();
        if joined && limited && late && member.closing.is_none() {
            return self.polled_too_late(ctx);
        }
        if joined && member.heard + member.settings.session <= now {
            member.heard = now;
            self.forget_coordinator(ctx);
        }
        self.expire_commits(now, ctx);
    }

    /// "consumer poll timeout has expired": a member leaves of its own accord; a static one only
    /// stops its heartbeats (AbstractCoordinator.java 2.3, HeartbeatThread; KIP-848: -2).
    fn polled_too_late(&mut self, ctx: &mut Context<'_, Message>) {
        let (now, node) = (ctx.now(), ctx.node());
        let told = self.lines.first().copied();
        let word = event::POLL_TOO_LATE;
        let event =
            crate::observe::Event { word, node, destination: told, subject: None, count: 0 };
        ctx.observer().event(now, event);
        self.send_leave(ctx);
        if let Some(member) = &mut self.member {
            member.lose_place(!member.settings.instance || member.is_modern());
        }
    }

    /// Looks for the coordinator if it is needed and not known; when to look again.
    fn find_coordinator(&mut self, now: Time, ctx: &mut Context<'_, Message>) -> Time {
        let Some(member) = &self.member else { return Time::MAX };
        if member.coordinator.is_some() || member.has_asked(&About::Find) {
            return Time::MAX;
        }
        if member.find_from > now {
            return member.find_from;
        }
        let Some(node) = self.network.any_ready(ctx) else {
            return now + self.config.settings.backoff;
        };
        self.post_group(ctx, node, GroupRequest::FindCoordinator, About::Find, None);
        Time::MAX
    }

    /// It has to look for the coordinator again (`markCoordinatorUnknown`).
    pub(super) fn forget_coordinator(&mut self, ctx: &mut Context<'_, Message>) {
        let again = ctx.clock() + self.config.settings.backoff;
        if let Some(member) = &mut self.member
            && member.coordinator.take().is_some()
        {
            member.find_from = again;
        }
    }

    /// Asks the coordinator what is to be asked of it; when to look again.
    fn ask_coordinator(&mut self, peer: NodeId, now: Time, ctx: &mut Context<'_, Message>) -> Time {
        let mut again = self.send_commits(peer, now, ctx);
        self.ask_committed(peer, now, ctx);
        let Some(member) = &self.member else { return again };
        if !member.settings.subscribes || member.closing == Some(Closing::Leaving) {
            return again;
        }
        if member.is_modern() {
            return again.min(self.send_beat(peer, now, ctx));
        }
        if member.state == State::Joining
            && !member.has_asked(&About::Join)
            && !member.has_asked(&About::Sync)
        {
            if member.join_from > now {
                again = again.min(member.join_from);
            } else {
                self.send_join(peer, ctx);
            }
        }
        again.min(self.send_heartbeat(peer, now, ctx))
    }

    /// Asks for the committed offsets of partitions that have no position.
    fn ask_committed(&mut self, peer: NodeId, now: Time, ctx: &mut Context<'_, Message>) {
        let mut partitions = Vec::new();
        for part in &mut self.parts {
            if part.step == Step::Committed && !part.asked && part.not_before <= now {
                part.asked = true;
                partitions.push(part.partition);
            }
        }
        if !partitions.is_empty() {
            let waits = self.config.config.has(Rule::WaitForStableOffsets);
            let stable = waits && self.config.settings.committed;
            let request = GroupRequest::OffsetFetch { partitions: partitions.clone(), stable };
            self.post_group(ctx, peer, request, About::Offsets(partitions), None);
        }
    }

    /// Sends a request about the group.
    fn post_group(
        &mut self,
        ctx: &mut Context<'_, Message>,
        peer: NodeId,
        body: GroupRequest,
        about: About,
        timeout: Option<Span>,
    ) {
        let timeout = timeout.unwrap_or(self.config.settings.request_timeout);
        let client = self.config.id;
        let Some(member) = &mut self.member else { return };
        let request = Request::Group { group: member.settings.group, client, body };
        let id = self.network.send_within(ctx, peer, request, timeout);
        member.asked.push((peer, id, about));
    }

    /// Its group, if it is in one.
    #[must_use]
    pub fn group(&self) -> Option<GroupId> {
        self.member.as_ref().map(|member| member.settings.group)
    }

    /// Whether it is there, as a member of a group that shares a topic.
    #[must_use]
    pub fn is_member(&self) -> bool {
        let subscribes = |member: &Member| member.settings.subscribes;
        self.application.is_active() && self.member.as_deref().is_some_and(subscribes)
    }

    /// The topic that it reads, by place.
    #[must_use]
    pub fn topic(&self) -> u32 {
        let first = self.config.partitions.first();
        first.map_or(0, |partition| self.config.config.streams.get(*partition).topic)
    }

    /// What it reads, and the offset of the next message of that, if it knows it.
    pub fn positions(&self) -> impl Iterator<Item = (PartitionId, Option<u64>)> + '_ {
        self.parts.iter().map(|part| (part.partition, part.position))
    }

    /// The replica beside the leader that a partition is read from at present.
    #[must_use]
    pub fn reads_from(&self, partition: PartitionId) -> Option<NodeId> {
        self.place_of(partition).and_then(|place| self.near(&self.parts[place]))
    }

    /// Whether its application waits for a commit.
    pub(super) fn is_held(&self) -> bool {
        let made = self.pipeline.as_ref().is_some_and(|pipeline| pipeline.holds());
        made || self.member.as_ref().is_some_and(|member| member.held.is_some())
    }

    /// Whether its application polls on before it is through.
    pub(super) fn polls_on(&self) -> bool {
        let closing = |member: &Member| member.closing.is_some();
        self.member.as_ref().is_some_and(|own| own.settings.workers && !closing(own))
    }

    /// Whether poll() returns messages.
    pub(super) fn may_hand_out(&self) -> bool {
        self.member.as_ref().is_none_or(|member| member.closing.is_none())
    }

    /// What keeps it from its share of the partitions.
    pub(super) fn waits_for_group(&self) -> Option<Wait> {
        let member = self.member.as_ref()?;
        let settled = member.state == State::Stable && member.given.is_none() && !member.rejoin;
        let what = if member.closing.is_some() {
            "its consumer to be closed"
        } else if member.settings.subscribes && !settled {
            "its group, to share out the partitions"
        } else {
            return None;
        };
        Some(what.into())
    }
}
