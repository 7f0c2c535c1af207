//! A follower (`Learner.java`, `Follower.java`, `FollowerZooKeeperServer.java` 3.4.14).

use std::collections::BTreeMap;

use crate::engine::{Span, Time};
use crate::world::{ConnId, Context, TimerId};

use super::super::super::Carry;
use super::super::config::QUORUM_PORT;
use super::super::data::{Data, SessionId, Zxid};
use super::super::message::{Message, Timer, ToFollower, ToLeader};
use super::{Role, Server};

/// `Learner.connectToLeader`: so many attempts, and a second between two.
const TRIES: u32 = 5;
const RETRY: Span = Span::from_secs(1);

/// How a follower stands with its leader.
#[derive(Clone, Debug)]
pub(super) struct Following {
    leader: u32,
    pub(super) conn: Option<ConnId>,
    tries: u32,
    epoch: u32,
    /// The length of the log at NEWLEADER, until that is acknowledged.
    new_leader: Option<u64>,
    /// Whether NEWLEADER was acknowledged.
    joined: bool,
    serving: bool,
    /// The last transaction that was acknowledged.
    acked: Zxid,
    /// What is committed, as far as the leader has said.
    commit: Zxid,
    /// When the leader was last heard of.
    heard: Time,
    silence: Option<TimerId>,
    /// Sessions that were heard of since the leader's last ping (`LearnerSessionTracker`).
    touched: BTreeMap<SessionId, Span>,
}

impl Following {
    pub(super) fn is_serving(&self) -> bool {
        self.serving
    }

    pub(super) fn touch(&mut self, session: SessionId, timeout: Span) {
        self.touched.insert(session, timeout);
    }
}

impl<D: Data> Server<D> {
    /// Follows the leader that was elected.
    pub(super) fn follow<M: Carry<Message<D>>>(&mut self, leader: u32, ctx: &mut Context<'_, M>) {
        self.role = Role::Following(Box::new(Following {
            leader,
            conn: None,
            tries: 0,
            epoch: 0,
            new_leader: None,
            joined: false,
            serving: false,
            acked: Zxid::ZERO,
            commit: Zxid::ZERO,
            heard: ctx.monotonic(),
            silence: None,
            touched: BTreeMap::new(),
        }));
        self.connect_leader(ctx);
        self.silence(ctx);
    }

    pub(super) fn connect_leader<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let Role::Following(following) = &mut self.role else { return };
        let leader = self.config.servers[following.leader as usize];
        following.conn = Some(ctx.connect(leader, QUORUM_PORT));
    }

    /// The leader may not lead yet: it is tried again.
    pub(super) fn leader_refused<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        ctx: &mut Context<'_, M>,
    ) {
        let Role::Following(following) = &mut self.role else { return };
        if following.conn != Some(conn) {
            return;
        }
        following.conn = None;
        following.tries += 1;
        if following.tries < TRIES {
            self.after(RETRY, Timer::Retry, ctx);
        } else {
            self.look(ctx);
        }
    }

    /// `registerWithLeader`.
    pub(super) fn leader_connected<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        ctx: &mut Context<'_, M>,
    ) {
        let Role::Following(following) = &mut self.role else { return };
        if following.conn == Some(conn) {
            following.heard = ctx.monotonic();
            let accepted = self.disk.accepted;
            self.send(conn, Message::Up(ToLeader::Info { accepted }), ctx);
        }
    }

    pub(super) fn leader_closed<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        ctx: &mut Context<'_, M>,
    ) {
        if let Role::Following(following) = &mut self.role
            && following.conn == Some(conn)
        {
            following.conn = None;
            self.look(ctx);
        }
    }

    /// A leader that is silent for `initLimit` before it is followed, or for `syncLimit` from then
    /// on, is given up (`setSoTimeout`).
    pub(super) fn silence<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let Role::Following(following) = &mut self.role else { return };
        if let Some(timer) = following.silence.take() {
            ctx.cancel(timer);
        }
        let settings = &self.config.settings;
        let ticks = if following.serving { settings.sync_limit } else { settings.init_limit };
        let due = following.heard + settings.ticks(ticks);
        if ctx.monotonic() >= due {
            return self.look(ctx);
        }
        let timer = self.after(due.since(ctx.monotonic()), Timer::Silence, ctx);
        if let Role::Following(following) = &mut self.role {
            following.silence = Some(timer);
        }
    }

    /// Something came from the leader.
    pub(super) fn leader_said<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        down: ToFollower<D>,
        ctx: &mut Context<'_, M>,
    ) {
        let Role::Following(following) = &mut self.role else { return };
        if following.conn != Some(conn) {
            return;
        }
        following.heard = ctx.monotonic();
        ctx.spend(self.config.costs.internal);
        match down {
            ToFollower::Info(epoch) => self.accept_epoch(epoch, conn, ctx),
            ToFollower::Truncate(zxid) => {
                self.cut(zxid, ctx);
            }
            ToFollower::Snapshot(snapshot) => {
                let leader = following.leader;
                self.install(&snapshot, ctx);
                self.tell(self.config.words.snapshot, Some(leader), 0, ctx);
            }
            ToFollower::Propose(entry) => {
                ctx.spend(self.config.costs.apply);
                if self.append(entry, ctx) {
                    self.flush(ctx);
                }
            }
            ToFollower::NewLeader => {
                following.new_leader = Some(self.disk.log.end());
                self.flush(ctx);
            }
            ToFollower::UpToDate(zxid) => self.up_to_date(zxid, ctx),
            ToFollower::Commit(zxid) => {
                following.commit = following.commit.max(zxid);
                if following.serving {
                    self.commit_to(zxid, ctx);
                }
            }
            ToFollower::Ping => {
                let touched = std::mem::take(&mut following.touched).into_iter().collect();
                self.send(conn, Message::Up(ToLeader::Pong(Box::new(touched))), ctx);
            }
            ToFollower::Revalidated(session, valid) => self.revalidated(session, valid, ctx),
            ToFollower::Synced(session, xid) => self.answer_sync(session, xid, ctx),
        }
    }

    /// LEADERINFO (`Learner.java` 3.4.14, `registerWithLeader`).
    fn accept_epoch<M: Carry<Message<D>>>(
        &mut self,
        epoch: u32,
        conn: ConnId,
        ctx: &mut Context<'_, M>,
    ) {
        if epoch < self.disk.accepted {
            return self.look(ctx);
        }
        // "We have already acked this epoch": that does not count once more.
        let current = (epoch > self.disk.accepted).then_some(self.disk.current);
        self.disk.accepted = epoch;
        if let Role::Following(following) = &mut self.role {
            following.epoch = epoch;
        }
        let last = self.disk.log.last();
        self.send(conn, Message::Up(ToLeader::AckEpoch { current, last }), ctx);
    }

    /// Acknowledges what is in the log. One ACK stands for all up to it, as acknowledgements come
    /// in order.
    pub(super) fn acknowledge_to_leader<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let safe = self.disk.safe(self.config.settings.force_sync);
        let zxid = self.safe_zxid();
        let Role::Following(following) = &mut self.role else { return };
        let Some(conn) = following.conn else { return };
        let mut acks = Vec::new();
        if let Some(end) = following.new_leader.filter(|end| *end <= safe) {
            // The history is in the log before the epoch counts as current. 3.4 to 3.8 can get that
            // wrong after a DIFF (ZOOKEEPER-4643), which is not modelled.
            self.disk.current = following.epoch;
            (following.new_leader, following.joined) = (None, true);
            following.acked = self.disk.log.last_within(end);
            acks.push(ToLeader::AckNewLeader);
        }
        if following.joined && zxid > following.acked {
            following.acked = zxid;
            acks.push(ToLeader::Ack(zxid));
        }
        for ack in acks {
            self.send(conn, Message::Up(ack), ctx);
        }
    }

    /// UPTODATE: clients may come.
    fn up_to_date<M: Carry<Message<D>>>(&mut self, zxid: Zxid, ctx: &mut Context<'_, M>) {
        let Role::Following(following) = &mut self.role else { return };
        following.serving = true;
        let (leader, upto) = (following.leader, following.commit.max(zxid));
        // `updateElectionVote`.
        self.vote.epoch = following.epoch;
        self.commit_to(upto, ctx);
        self.silence(ctx);
        ctx.ready();
        self.tell(self.config.words.following, Some(leader), 0, ctx);
    }
}
