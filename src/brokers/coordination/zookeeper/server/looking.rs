//! A server that looks for a leader (`FastLeaderElection.java`, `QuorumPeer.java` 3.4.14).

use crate::world::{ConnId, Context, TimerId};

use super::super::super::Carry;
use super::super::config::QUORUM_PORT;
use super::super::data::Data;
use super::super::election::{Doing, Election, FINALIZE_WAIT, Found, Notification, Vote};
use super::super::message::{Message, Timer};
use super::{Role, Server};

/// A search for a leader.
#[derive(Clone, Debug)]
pub(super) struct Looking {
    election: Election,
    /// How often a majority has agreed.
    agreements: u32,
    resend: Option<TimerId>,
}

impl<D: Data> Server<D> {
    /// Gives up whatever it was and looks for a leader. Clients are dropped (`Follower.java`,
    /// `Leader.java` 3.4.14, `shutdown`: `cnxnFactory.closeAll`).
    pub(super) fn look<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        self.leave_role(ctx);
        self.drop_clients(ctx);
        self.era += 1;
        self.round += 1;
        let own = Vote { leader: self.me, zxid: self.disk.log.last(), epoch: self.disk.current };
        let election = Election::new(self.config.servers.len(), self.round, own);
        self.role = Role::Looking(Box::new(Looking { election, agreements: 0, resend: None }));
        self.tell(self.config.words.looking, None, 0, ctx);
        self.tell_all(ctx);
        self.wait_for_answer(ctx);
    }

    fn leave_role<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        match std::mem::replace(&mut self.role, Role::Down) {
            Role::Leading(leading) => {
                ctx.unlisten(QUORUM_PORT);
                leading.conns().for_each(|conn| ctx.close(conn));
            }
            Role::Following(following) => {
                if let Some(conn) = following.conn {
                    ctx.abort(conn);
                }
            }
            Role::Down | Role::Looking(_) => {}
        }
    }

    fn tell_all<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let Role::Looking(looking) = &self.role else { return };
        let said = looking.election.notification();
        for server in 0..self.config.servers.len() as u32 {
            if server != self.me {
                self.say(server, said, ctx);
            }
        }
    }

    fn wait_for_answer<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let Role::Looking(looking) = &mut self.role else { return };
        if let Some(timer) = looking.resend.take() {
            ctx.cancel(timer);
        }
        let wait = looking.election.next_wait();
        let timer = self.after(wait, Timer::Resend, ctx);
        if let Role::Looking(looking) = &mut self.role {
            looking.resend = Some(timer);
        }
    }

    /// Nothing was heard: what was said is said again.
    pub(super) fn resend<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        self.tell_all(ctx);
        self.wait_for_answer(ctx);
    }

    /// Another server says something about the election.
    pub(super) fn notified<M: Carry<Message<D>>>(
        &mut self,
        conn: ConnId,
        said: Notification,
        ctx: &mut Context<'_, M>,
    ) {
        let Some(from) = self.peers.find(conn) else { return };
        ctx.spend(self.config.costs.internal);
        let doing = match &self.role {
            Role::Down => return,
            Role::Looking(_) => return self.hear(from, said, ctx),
            Role::Following(_) => Doing::Following,
            Role::Leading(_) => Doing::Leading,
        };
        // `WorkerReceiver.run`: who looks is told what there is.
        if said.doing == Doing::Looking {
            let answer = Notification { vote: self.vote, round: self.round, doing };
            self.say(from, answer, ctx);
        }
    }

    fn hear<M: Carry<Message<D>>>(
        &mut self,
        from: u32,
        said: Notification,
        ctx: &mut Context<'_, M>,
    ) {
        let Role::Looking(looking) = &mut self.role else { return };
        let heard = looking.election.hear(from, said);
        let answer = looking.election.notification();
        if heard.tell_all {
            self.tell_all(ctx);
        } else if heard.reply {
            self.say(from, answer, ctx);
        }
        match heard.found {
            Found::Nothing => {}
            Found::Majority => {
                let Role::Looking(looking) = &mut self.role else { return };
                looking.agreements += 1;
                let number = looking.agreements;
                self.after(FINALIZE_WAIT, Timer::Settle(number), ctx);
            }
            Found::Leader(leader) => {
                let Role::Looking(looking) = &self.role else { return };
                let round = looking.election.round();
                // `self.updateElectionVote` sets its epoch once the leader has one.
                let vote = Vote { leader, ..said.vote };
                self.elected(vote, round, ctx);
            }
        }
    }

    /// Nothing better has come since a majority agreed.
    pub(super) fn settle<M: Carry<Message<D>>>(&mut self, number: u32, ctx: &mut Context<'_, M>) {
        let Role::Looking(looking) = &self.role else { return };
        if looking.election.settling && looking.agreements == number {
            let (vote, round) = (looking.election.proposed(), looking.election.round());
            self.elected(vote, round, ctx);
        }
    }

    fn elected<M: Carry<Message<D>>>(&mut self, vote: Vote, round: u64, ctx: &mut Context<'_, M>) {
        self.era += 1;
        (self.vote, self.round) = (vote, round);
        if vote.leader == self.me {
            self.lead(ctx);
        } else {
            self.follow(vote.leader, ctx);
        }
    }
}
