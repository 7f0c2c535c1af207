//! Votes (`SharedNothingBackupQuorum`, `QuorumVoteServerConnect`, `ServerConnectVoteHandler`): a backup asks the other
//! pairs whether its primary is gone, a primary whether it is still there.

use std::collections::BTreeSet;

use crate::observe::NodeId;
use crate::world::{ConnId, Context, Input, Lane};

use super::super::super::config::{ARTEMIS, Config};
use super::super::super::message::{Ballot, Message, PACKET, Timer};
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::super::{Broker, Phase};
use super::Outgoing;

/// A vote.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Vote {
    /// Counts tries of all votes, so that stale answers are noticed.
    number: u32,
    under_way: bool,
    stays: bool,
    tries: u32,
    votes: u32,
    /// Voters that have not answered.
    asked: BTreeSet<ConnId>,
}

/// How many votes a cluster of so many pairs asks for.
const fn needed(size: u32) -> u32 {
    if size <= 2 { size / 2 } else { size / 2 + 1 }
}

impl Broker {
    /// Whether a vote goes on.
    pub(in super::super) const fn is_voting(&self) -> bool {
        self.vote.under_way
    }

    pub(super) fn begin_vote(&mut self, stays: bool, ctx: &mut Context<'_, Message>) {
        let number = self.vote.number;
        self.vote = Vote { number, under_way: true, stays, ..Vote::default() };
        self.ask_for_votes(ctx);
    }

    /// Another try: every other pair is asked.
    fn ask_for_votes(&mut self, ctx: &mut Context<'_, Message>) {
        self.vote.number += 1;
        self.vote.tries += 1;
        self.vote.votes = 0;
        let tries = u64::from(self.vote.tries);
        self.tell(event::VOTING, None, (None, tries), ctx);
        let own = Config::pair(self.node);
        let asks = self.vote.stays || self.config.has(Rule::AskForVotes);
        if self.votes_needed() == 0 || !asks {
            return self.decided(true, ctx);
        }
        for broker in (0..self.config.brokers).map(NodeId) {
            if Config::pair(broker) != own {
                let conn = ctx.connect(broker, ARTEMIS);
                self.outgoing.insert(conn, Outgoing::Voter);
                self.vote.asked.insert(conn);
            }
        }
        let most = self.config.settings.quorum_vote_wait;
        ctx.after(most, Lane::MAIN, Timer::VoteOver(self.vote.number).into());
    }

    fn votes_needed(&self) -> u32 {
        let size = match self.config.settings.quorum_size {
            0 => self.config.brokers / 2,
            size => size,
        };
        needed(size)
    }

    /// A voter answers, or does not.
    pub(super) fn voter_input(
        &mut self,
        conn: ConnId,
        input: Input<Message>,
        ctx: &mut Context<'_, Message>,
    ) {
        if !self.vote.asked.contains(&conn) {
            return;
        }
        match input {
            Input::Connected { .. } => {
                let pair = Config::pair(self.node);
                let ballot = Ballot { pair, vote: self.vote.number, stays: self.vote.stays };
                return ctx.send(conn, Message::Vote(ballot), PACKET);
            }
            Input::Message { body: Message::Voted(ballot, yes), .. } => {
                self.hang_up(conn, ctx);
                self.vote.votes += u32::from(yes && ballot.vote == self.vote.number);
            }
            Input::Failed { .. } | Input::Closed { .. } => {}
            _ => return,
        }
        self.vote.asked.remove(&conn);
        if self.vote.votes >= self.votes_needed() {
            self.decided(true, ctx);
        } else if self.vote.asked.is_empty() {
            self.decided(false, ctx);
        }
    }

    /// Who has not answered by now does not vote.
    pub(in super::super) fn vote_over(&mut self, number: u32, ctx: &mut Context<'_, Message>) {
        if self.vote.under_way && self.vote.number == number && !self.vote.asked.is_empty() {
            self.decided(false, ctx);
        }
    }

    pub(in super::super) fn vote_again(&mut self, number: u32, ctx: &mut Context<'_, Message>) {
        if self.vote.under_way && self.vote.number == number {
            self.ask_for_votes(ctx);
        }
    }

    pub(super) fn end_vote(&mut self, ctx: &mut Context<'_, Message>) {
        self.vote.under_way = false;
        for conn in std::mem::take(&mut self.vote.asked) {
            self.hang_up(conn, ctx);
        }
    }

    /// The votes of this try are counted.
    fn decided(&mut self, yes: bool, ctx: &mut Context<'_, Message>) {
        for conn in std::mem::take(&mut self.vote.asked) {
            self.hang_up(conn, ctx);
        }
        if self.vote.stays {
            self.vote.under_way = false;
            if !yes && self.phase == Phase::Active {
                self.tell(event::VOTE_LOST, None, (None, u64::from(self.vote.tries)), ctx);
                self.phase = Phase::Stopping;
                ctx.exit();
            }
            return;
        }
        if self.config.settings.network_check && self.config.has(Rule::PingerOverrides) {
            return self.ping_router(true, ctx);
        }
        self.concluded(yes, ctx);
    }

    /// Whether the backup takes over is known; if not, it may ask again.
    pub(super) fn concluded(&mut self, yes: bool, ctx: &mut Context<'_, Message>) {
        if !self.vote.under_way || self.phase != Phase::Backup {
            return;
        }
        let settings = &self.config.settings;
        let (tries, wait) = (self.vote.tries, settings.vote_retry_wait);
        if yes {
            self.tell(event::VOTE_WON, None, (None, u64::from(tries)), ctx);
            self.take_over(ctx);
        } else if tries < settings.vote_retries {
            ctx.after(wait, Lane::MAIN, Timer::Vote(self.vote.number).into());
        } else {
            self.tell(event::VOTE_LOST, None, (None, u64::from(tries)), ctx);
            self.end_vote(ctx);
            self.give_up_journal(ctx);
        }
    }

    /// Another pair's broker asks: what this one's topology says is the vote.
    pub(in super::super) fn voted_on(
        &self,
        conn: ConnId,
        ballot: Ballot,
        ctx: &mut Context<'_, Message>,
    ) {
        let has = self.knows_active(ballot.pair);
        ctx.send(conn, Message::Voted(ballot, has == ballot.stays), PACKET);
    }
}

#[cfg(test)]
mod tests {
    use super::needed;

    #[test]
    fn a_single_pair_needs_no_votes() {
        assert_eq!((1..=6).map(needed).collect::<Vec<_>>(), [0, 1, 2, 3, 3, 4]);
    }
}
