//! What controllers make of a broker (`broker/controller/ReplicasManager.java`,
//! `store/ha/autoswitch/AutoSwitchHAService.java`): its role, the epochs of its CommitLog, and the set of those
//! that may become master.
//!
//! A master keeps its role until it hears of a greater epoch: there is no lease. It alone knows who is in
//! sync, and tells the controllers when that changes; while they have not decided it waits for the
//! members of both sets.

use std::sync::Arc;

use crate::engine::{Span, Time};
use crate::observe::{Event, NodeId, Observer, Removal};
use crate::world::{ConnId, Context, Lane};

use super::super::config::{FIRST_EPOCH, HA, Mode, Place};
use super::super::controller::BEAT;
use super::super::invariants::Touch;
use super::super::message::{Decided, Epoch, HEADER, Message, Timer};
use super::super::remoting::Waits;
use super::super::rules::Rule;
use super::super::store::Dispatch;
use super::super::words::{because, cause, event, role};
use super::leading::TIMEOUT;
use super::register::Asked;
use super::{Broker, COMMIT_LOG, Phase};

/// `syncBrokerMetadataPeriod`.
const METADATA: Span = Span::from_secs(5);
/// `checkSyncStateSetPeriod`.
const CHECK: Span = Span::from_secs(5);

/// What a broker knows of its group.
#[derive(Clone, Debug)]
pub(super) struct Replicas {
    /// What was last heard of the controllers.
    decided: Option<Decided>,
    /// Whether it is the master.
    pub(super) master: bool,
    /// The set that the controllers were asked for, until there is another one
    /// (`isSynchronizingSyncStateSet`, `remoteSyncStateSet`).
    asked: Option<u16>,
    /// Whether they have not answered yet.
    asking: bool,
    /// The set that they will be asked for next.
    wanted: Option<u16>,
    /// Where its epochs begin (`epochFileCheckpoint`), which outlives a process.
    epochs: Vec<Epoch>,
    /// When each member last had everything (`connectionCaughtUpTimeTable`), by the wall clock.
    caught_up: Vec<Option<Time>>,
    /// Up to where all of the set had the CommitLog (`confirmOffset`).
    confirmed: u64,
}

impl Replicas {
    pub(super) fn new(members: u32) -> Replicas {
        Replicas {
            decided: None,
            master: false,
            asked: None,
            asking: false,
            wanted: None,
            epochs: vec![Epoch { epoch: FIRST_EPOCH, start: 0 }],
            caught_up: vec![None; members as usize],
            confirmed: 0,
        }
    }

    pub(super) fn forget(&mut self) {
        let members = self.caught_up.len() as u32;
        let epochs = std::mem::take(&mut self.epochs);
        *self = Replicas { epochs, ..Replicas::new(members) };
    }

    /// Its disk was replaced.
    pub(super) fn clear(&mut self) {
        self.epochs.clear();
    }

    /// The CommitLog ends here (`truncateSuffixByOffset`).
    pub(super) fn cut(&mut self, end: u64) {
        self.epochs.retain(|epoch| epoch.start < end || epoch.start == 0);
    }

    /// The epoch of a position.
    pub(super) fn epoch_at(&self, position: u64) -> Option<Epoch> {
        self.epochs.iter().rev().find(|epoch| epoch.start <= position).copied()
    }

    /// Where the epoch ends that a position is of; none if it is the last.
    pub(super) fn end_of_epoch(&self, position: u64) -> Option<u64> {
        self.epochs.iter().map(|epoch| epoch.start).find(|start| *start > position)
    }

    /// A slave has taken bytes of this epoch.
    pub(super) fn pushed(&mut self, epoch: Option<Epoch>) {
        if let Some(epoch) = epoch {
            self.begin(epoch);
        }
    }

    /// `appendEntry`: an epoch in which nothing was written before the next gives that its own number.
    fn begin(&mut self, epoch: Epoch) {
        let follows = |last: &Epoch| last.epoch < epoch.epoch && last.start < epoch.start;
        if self.epochs.last().is_none_or(follows) {
            self.epochs.push(epoch);
        }
    }

    fn set(&self) -> u16 {
        self.decided.map_or(0, |decided| decided.set)
    }
}

/// `findConsistentPoint`: up to where two CommitLogs are the same; none if they have no epoch in common.
fn consistent_point(own: (&[Epoch], u64), other: (&[Epoch], u64)) -> Option<u64> {
    let end_of = |(epochs, end): (&[Epoch], u64), at: usize| {
        epochs.get(at + 1).map_or(end, |next| next.start)
    };
    for (at, epoch) in own.0.iter().enumerate().rev() {
        if let Some(there) = other.0.iter().position(|theirs| theirs == epoch) {
            return Some(end_of(own, at).min(end_of(other, there)));
        }
    }
    None
}

impl Broker {
    /// Whether its role is the controllers' affair.
    pub(super) fn is_controlled(&self) -> bool {
        self.config.mode == Mode::Controller
    }

    /// Whether it takes messages.
    #[must_use]
    pub fn is_master(&self) -> bool {
        match self.config.mode {
            Mode::MasterSlave => self.place.id == 0,
            Mode::Controller => self.replicas.master,
            Mode::Dledger => self.leads_ledger(),
        }
    }

    /// The master that it follows, or followed last.
    #[must_use]
    pub fn follows(&self) -> Option<NodeId> {
        (!self.is_master()).then_some(self.upstream.master)
    }

    /// With controllers: it knows its role, and as a master all its slaves are in the SyncStateSet.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let all = (1 << (self.config.slaves + 1)) - 1;
        !self.is_controlled() || !self.is_master() || self.replicas.set() == all
    }

    /// In which epoch it registers itself as a master.
    pub(super) fn master_epoch(&self) -> Option<u32> {
        let epoch = match self.config.mode {
            Mode::MasterSlave => Some(FIRST_EPOCH),
            Mode::Controller => self.replicas.decided.map(|decided| decided.epoch),
            Mode::Dledger => self.ledger_epoch(),
        };
        epoch.filter(|_| self.is_master())
    }

    /// Whether its role is known: a broker registers itself with NameServers then.
    pub(super) fn has_role(&self) -> bool {
        !self.is_controlled() || self.replicas.decided.is_some_and(|own| own.master.is_some())
    }

    pub(super) fn start_replicas(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.is_controlled() {
            return;
        }
        if ctx.incarnation() == 0 {
            let (group, set) = (self.place.group, (1 << (self.config.slaves + 1)) - 1);
            let (epoch, set_epoch) = (FIRST_EPOCH, FIRST_EPOCH);
            self.replicas.decided = Some(Decided { group, master: Some(0), epoch, set, set_epoch });
            self.replicas.master = self.place.id == 0;
            if self.replicas.master {
                self.touched.note(Touch::Master(FIRST_EPOCH));
            }
            let now = ctx.clock();
            self.replicas.caught_up.iter_mut().for_each(|at| *at = Some(now));
        }
        self.start_leading(ctx);
        self.beat(ctx);
        if ctx.incarnation() == 0 {
            let metadata = ctx.first_round(METADATA);
            ctx.after(metadata, Lane::MAIN, Timer::Metadata.into());
        }
        let check = self.first(CHECK, ctx);
        ctx.after(check, Lane::MAIN, Timer::CheckSet.into());
    }

    /// Heartbeats to controllers and NameServers.
    pub(super) fn beat(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(BEAT, Lane::MAIN, Timer::Beat.into());
        self.tell_controllers(ctx);
        if self.has_role() {
            for server in 0..self.config.nameservers.len() {
                self.remoting.post(server, Message::Alive, HEADER, ctx);
            }
        }
    }

    /// `sendHeartbeatToController`.
    pub(super) fn tell_controllers(&mut self, ctx: &mut Context<'_, Message>) {
        let (epoch, end) = (self.replicas.decided.map_or(0, |own| own.epoch), self.store.log.end());
        let epoch = self.replicas.epochs.last().map_or(epoch, |last| last.epoch);
        for controller in self.available_controllers() {
            self.remoting.post(controller, Message::Beat(epoch, end), HEADER, ctx);
        }
    }

    /// `schedulingSyncBrokerMetadata`.
    pub(super) fn ask_metadata(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(METADATA, Lane::MAIN, Timer::Metadata.into());
        self.ask_replicas(ctx);
    }

    /// Asks the controller that leads what is decided.
    pub(super) fn ask_replicas(&mut self, ctx: &mut Context<'_, Message>) {
        match self.leading_controller() {
            Some(controller) => {
                let (waits, request) = (Waits::Sync(TIMEOUT), (Message::GetReplicas, HEADER));
                self.remoting.request(controller, waits, Asked::Replicas, request, ctx);
            }
            None => self.replicas_are(None, ctx),
        }
    }

    /// It has answered; none if it has not, or does not lead.
    pub(super) fn replicas_are(
        &mut self,
        decided: Option<&Decided>,
        ctx: &mut Context<'_, Message>,
    ) {
        if let Some(decided) = decided {
            self.learn(decided, ctx);
        }
        self.registered_with_controller(decided, ctx);
    }

    /// What came of another SyncStateSet; none if it was refused, or there was no answer.
    pub(super) fn set_is(&mut self, decided: Option<&Decided>, ctx: &mut Context<'_, Message>) {
        self.replicas.asking = false;
        if let Some(decided) = decided {
            self.learn(decided, ctx);
        }
        if let Some(set) = self.replicas.wanted.take()
            && self.is_master()
        {
            self.alter_set(set, ctx);
        }
    }

    /// What the controllers have decided.
    pub(super) fn learn(&mut self, decided: &Decided, ctx: &mut Context<'_, Message>) {
        let before = self.replicas.decided;
        let newer = before.is_none_or(|own| {
            (own.epoch, own.set_epoch) < (decided.epoch, decided.set_epoch)
                || own.master.is_none() && own.epoch == decided.epoch
        });
        if !newer {
            return;
        }
        self.replicas.decided = Some(*decided);
        self.replicas.asked = None;
        let is_new =
            before.is_none_or(|own| own.epoch < decided.epoch || own.master != decided.master);
        match decided.master {
            Some(id) if is_new && u32::from(id) == self.place.id => self.become_master(ctx),
            Some(id) if is_new => self.become_slave(u32::from(id), ctx),
            Some(_) => self.set_decided(ctx),
            None => {}
        }
    }

    /// The controllers have taken another SyncStateSet.
    fn set_decided(&mut self, ctx: &mut Context<'_, Message>) {
        if self.is_master() {
            let (now, node, count) = (ctx.now(), self.node, self.replicas.set().count_ones());
            ctx.observer()
                .event(now, Event::new(event::SET_ALTERED, node, None, None, u64::from(count)));
            self.advance_confirmed(ctx);
        }
    }

    /// `changeToMaster`: what was received in part is cut off, an epoch begins, and everything is dispatched.
    fn become_master(&mut self, ctx: &mut Context<'_, Message>) {
        if self.phase != Phase::Serving {
            return;
        }
        let epoch = self.replicas.decided.map_or(FIRST_EPOCH, |own| own.epoch);
        let was = std::mem::replace(&mut self.replicas.master, true);
        self.drop_upstream(ctx);
        let valid = self.store.log.valid_end(self.store.log.recovered_from(self.store.flushed));
        self.truncate_to(valid, ctx);
        // The epoch begins here, even if it is the one in which it was master before its restart: no slave
        // that has the old beginning agrees on it.
        if self.config.has(Rule::EpochBeginsAnew) {
            self.replicas.epochs.retain(|own| own.epoch < epoch);
        }
        self.replicas.begin(Epoch { epoch, start: self.store.log.end() });
        self.replicas.caught_up.iter_mut().for_each(|at| *at = None);
        let end = self.store.log.end();
        while let Dispatch::Message(record) = self.store.dispatch(end) {
            self.dispatched(record, ctx);
        }
        for (next, queue) in self.store.next.iter_mut().zip(&self.store.queues) {
            *next = queue.max();
        }
        self.replicas.confirmed = end;
        if was {
            self.drop_links(ctx);
        } else {
            ctx.listen(HA);
            self.load_delays();
            self.start_schedule(ctx);
        }
        let (now, node) = (ctx.now(), self.node);
        ctx.observer()
            .event(now, Event::new(event::BECAME_MASTER, node, None, None, u64::from(epoch)));
        self.touched.note(Touch::Master(epoch));
        self.tell_role(now, Some(role::MASTER), ctx.observer());
        self.register_all(ctx);
        self.shrink_set(ctx);
    }

    /// `changeToSlave`.
    fn become_slave(&mut self, id: u32, ctx: &mut Context<'_, Message>) {
        if self.phase != Phase::Serving {
            return;
        }
        let epoch = self.replicas.decided.map_or(FIRST_EPOCH, |own| own.epoch);
        if std::mem::take(&mut self.replicas.master) {
            ctx.unlisten(HA);
            self.drop_links(ctx);
        }
        self.drop_upstream(ctx);
        let master = self.config.broker(Place { group: self.place.group, id });
        self.upstream.master = master;
        (self.upstream.known, self.upstream.online) = (true, true);
        let (now, node) = (ctx.now(), self.node);
        ctx.observer().event(
            now,
            Event::new(event::BECAME_SLAVE, node, None, Some(master), u64::from(epoch)),
        );
        self.tell_role(now, Some(role::DISCONNECTED), ctx.observer());
        self.connect_upstream(ctx);
        self.register_all(ctx);
    }

    /// The CommitLog ends at a position from now on.
    pub(super) fn truncate_to(&mut self, to: u64, ctx: &mut Context<'_, Message>) -> u64 {
        let end = self.store.log.end();
        if to >= end {
            return 0;
        }
        let (now, node, config, master) =
            (ctx.now(), self.node, self.config.clone(), self.is_master());
        let why = Removal::new(cause::TRUNCATED_ON_REJOIN, because::NOT_REPLICATED);
        self.store.cut(to, |record| {
            config.removed((now, node, master), &record, why, ctx.observer());
        });
        if self.ledger.is_none() {
            ctx.truncate(COMMIT_LOG, to - self.store.log.base());
        }
        self.touched.note(Touch::Cut(to));
        self.replicas.cut(to);
        self.store.committed = self.store.committed.min(to);
        end - to
    }

    /// Slave: it is connected. With controllers it compares epochs first.
    pub(super) fn begin_handshake(&mut self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        ctx.send(conn, Message::Handshake, HEADER);
    }

    /// Master: a slave begins.
    pub(super) fn answer_handshake(&self, conn: ConnId, ctx: &mut Context<'_, Message>) {
        let epochs: Arc<[Epoch]> = self.replicas.epochs.clone().into();
        let bytes = HEADER + 12 * epochs.len() as u32;
        ctx.send(conn, Message::Epochs(epochs, self.store.log.end()), bytes);
    }

    /// Slave: its master's epochs. What is behind the point up to which both are the same is cut off; where there
    /// is none it cannot follow.
    pub(super) fn compare_epochs(
        &mut self,
        epochs: &[Epoch],
        end: u64,
        ctx: &mut Context<'_, Message>,
    ) -> bool {
        let own_end = self.store.log.end();
        if own_end == 0 || !self.config.has(Rule::TruncateByEpoch) {
            return true;
        }
        let (now, node, master) = (ctx.now(), self.node, self.upstream.master);
        let own = &self.replicas.epochs;
        let Some(point) = consistent_point((own, own_end), (epochs, end)) else {
            ctx.observer()
                .event(now, Event::new(event::NO_CONSISTENT_POINT, node, None, Some(master), 0));
            return false;
        };
        let cut = self.truncate_to(point, ctx);
        self.replicas.cut(point);
        if cut > 0 {
            for (next, queue) in self.store.next.iter_mut().zip(&self.store.queues) {
                *next = queue.max();
            }
            ctx.observer().event(now, Event::new(event::TRUNCATED, node, None, Some(master), cut));
        }
        true
    }

    /// The members whom a send waits for: those of the set, and of the one that is asked for.
    fn members_to_wait_for(&self) -> u16 {
        let asked = match self.config.has(Rule::UnionOfSets) {
            true => self.replicas.asked.unwrap_or(0),
            false => 0,
        };
        self.replicas.set() | asked | 1 << self.place.id
    }

    /// How many members are in sync (`inSyncReplicasNums`).
    pub(super) fn in_sync_members(&self) -> u32 {
        let asked = self.replicas.asked.unwrap_or(0).count_ones();
        self.replicas.set().count_ones().max(asked).max(1)
    }

    /// How many members a send that is answered now has waited for.
    pub fn waited_for(&self) -> u32 {
        match self.config.settings.all_ack {
            true => self.members_to_wait_for().count_ones(),
            false => self.config.settings.in_sync_replicas,
        }
    }

    /// Whether all that may become master have the CommitLog up to a position.
    pub(super) fn all_have(&self, end: u64) -> bool {
        self.least_of(self.members_to_wait_for()).is_none_or(|least| least >= end)
    }

    /// The least position of other members of a set; none if there are none.
    fn least_of(&self, set: u16) -> Option<u64> {
        let others =
            (0..=self.config.slaves).filter(|id| *id != self.place.id && set & 1 << id != 0);
        let group = self.place.group;
        let broker = |id| self.config.broker(Place { group, id });
        others.map(|id| self.links.position_of(broker(id)).unwrap_or(0)).min()
    }

    /// `updateConfirmOffset`.
    pub(super) fn advance_confirmed(&mut self, ctx: &mut Context<'_, Message>) {
        let end = self.store.log.end();
        let least = self.least_of(self.members_to_wait_for()).unwrap_or(end).min(end);
        if least > self.replicas.confirmed {
            self.replicas.confirmed = least;
            self.plan_dispatch(ctx);
        }
    }

    /// Up to where a master lets consumers read (`getConfirmOffset`): what all of the set have, if sends wait
    /// for that; else everything.
    pub(super) fn confirm_offset(&self) -> u64 {
        let alone = self.replicas.set().count_ones() <= 1;
        match self.config.settings.all_ack && !alone {
            true => self.replicas.confirmed,
            false => u64::MAX,
        }
    }

    /// A slave has all that the master had when it last pushed to it (`updateConnectionLastCaughtUpTime`,
    /// `maybeExpandInSyncStateSet`).
    pub(super) fn slave_caught_up(
        &mut self,
        slave: NodeId,
        position: u64,
        at: Time,
        ctx: &mut Context<'_, Message>,
    ) {
        let member = self.config.place(slave).id;
        self.replicas.caught_up[member as usize] = Some(at);
        let set = self.replicas.set();
        let wanted = set | 1 << member;
        if wanted == set || self.replicas.asking && self.replicas.asked == Some(wanted) {
            return;
        }
        let confirmed = self.confirm_offset().min(self.store.log.end());
        let begun = self.replicas.epochs.last().is_none_or(|last| position >= last.start);
        if position >= confirmed && begun {
            self.alter_set(wanted, ctx);
        }
    }

    /// A slave's connection has ended: it leaves the set (`removeConnection`).
    pub(super) fn slave_gone(&mut self, slave: NodeId, ctx: &mut Context<'_, Message>) {
        if !self.is_controlled() || !self.is_master() {
            return;
        }
        let member = self.config.place(slave).id;
        let set = self.replicas.set();
        if set & 1 << member != 0 {
            self.alter_set(set & !(1 << member), ctx);
        }
    }

    /// `maybeShrinkSyncStateSet`, every five seconds.
    pub(super) fn check_set(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(CHECK, Lane::MAIN, Timer::CheckSet.into());
        if self.is_master() {
            self.shrink_set(ctx);
        }
    }

    /// A member leaves the set that has not had everything for too long, or never since this process began.
    fn shrink_set(&mut self, ctx: &mut Context<'_, Message>) {
        let unconnected = self.config.has(Rule::DropUnconnected);
        let (now, limit, set) = (ctx.clock(), self.config.settings.caught_up, self.replicas.set());
        let others =
            (0..=self.config.slaves).filter(|id| *id != self.place.id && set & 1 << id != 0);
        let late = others.filter(|id| {
            let at = self.replicas.caught_up[*id as usize];
            at.map_or(unconnected, |at| now.since(at) > limit)
        });
        let late: u16 = late.fold(0, |late, id| late | 1 << id);
        if late != 0 {
            self.alter_set(set & !late, ctx);
        }
    }

    /// `doReportSyncStateSetChanged`: asks the controllers for another set.
    fn alter_set(&mut self, set: u16, ctx: &mut Context<'_, Message>) {
        let Some(own) = self.replicas.decided else { return };
        self.replicas.asked = Some(set);
        let Some(controller) = self.leading_controller() else { return };
        if self.replicas.asking {
            self.replicas.wanted = Some(set);
            return;
        }
        self.replicas.asking = true;
        let wanted = Box::new(Decided { set, ..own });
        let request = (|id| Message::AlterSet(id, wanted), HEADER);
        self.remoting.request(controller, Waits::Sync(TIMEOUT), Asked::Set, request, ctx);
    }

    /// What a death leaves of it.
    pub(super) fn replicas_died(&mut self, observer: &mut dyn Observer, at: Time) {
        self.replicas.cut(self.store.log.end());
        self.replicas.forget();
        self.tell_role(at, None, observer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(starts: &[(u32, u64)]) -> Vec<Epoch> {
        starts.iter().map(|(epoch, start)| Epoch { epoch: *epoch, start: *start }).collect()
    }

    #[test]
    fn logs_are_the_same_up_to_the_end_of_the_last_epoch_that_both_have() {
        let old = epochs(&[(1, 0), (2, 500)]);
        let new = epochs(&[(1, 0), (3, 400)]);
        assert_eq!(consistent_point((&old, 900), (&new, 2_000)), Some(400), "epoch 1 ends at 400");
        assert_eq!(consistent_point((&old, 900), (&old, 700)), Some(700));
        assert_eq!(consistent_point((&epochs(&[(2, 500)]), 900), (&new, 2_000)), None);
    }
}
