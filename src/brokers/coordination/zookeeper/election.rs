//! The election of a leader, as one server that looks for one sees it (`FastLeaderElection.java`
//! 3.4.14). Pure: the server sends what it says and keeps its timers.

use crate::engine::Span;

use super::data::Zxid;

/// Who should lead, and why: by epoch, then by zxid, then by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The server voted for.
    pub leader: u32,
    /// The last transaction in its log.
    pub zxid: Zxid,
    /// The last epoch that it has taken part in.
    pub epoch: u32,
}

impl Vote {
    /// `totalOrderPredicate`.
    #[must_use]
    pub fn beats(self, other: Vote) -> bool {
        (self.epoch, self.zxid, self.leader) > (other.epoch, other.zxid, other.leader)
    }
}

/// What a server is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It looks for a leader.
    Looking,
    /// It follows the one that it votes for.
    Following,
    /// It leads.
    Leading,
}

/// What servers tell each other about the election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Its vote.
    pub vote: Vote,
    /// The round of elections in which it stands (`logicalclock`).
    pub round: u64,
    /// What the sender is doing.
    pub doing: Doing,
}

/// What is to be done about a notification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Tell everybody the own vote.
    pub(super) tell_all: bool,
    /// Tell the sender, whose round is an old one.
    pub(super) reply: bool,
    /// What has been found.
    pub(super) found: Found,
}

/// What an election has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing yet.
    #[default]
    Nothing,
    /// A majority has the same vote: it counts if nothing better is heard within
    /// [`FINALIZE_WAIT`].
    Majority,
    /// Others have this leader already.
    Leader(u32),
}

/// `finalizeWait`: how long a server waits for a better vote once a majority agrees.
pub(super) const FINALIZE_WAIT: Span = Span::from_millis(200);
/// `maxNotificationInterval`: the longest time between two rounds of notifications.
const LONGEST_WAIT: Span = Span::from_secs(60);

type Said = Option<(Vote, u64, Doing)>;

/// One server's search for a leader.
#[derive(Clone, Debug)]
pub(super) struct Election {
    me: u32,
    round: u64,
    own: Vote,
    proposed: Vote,
    /// What each server voted for in this round (`recvset`).
    received: Vec<Said>,
    /// What those said that have a leader (`outofelection`).
    outside: Vec<Said>,
    /// Whether a majority was found, and only a better vote is waited for.
    pub(super) settling: bool,
    wait: Span,
}

impl Election {
    /// A new round among `servers`; `own` is the vote for oneself.
    #[must_use]
    pub(super) fn new(servers: usize, round: u64, own: Vote) -> Election {
        let mut received = vec![None; servers];
        received[own.leader as usize] = Some((own, round, Doing::Looking));
        Election {
            me: own.leader,
            round,
            own,
            proposed: own,
            received,
            outside: vec![None; servers],
            settling: false,
            wait: FINALIZE_WAIT,
        }
    }

    /// What is to be said to the others.
    #[must_use]
    pub(super) fn notification(&self) -> Notification {
        Notification { vote: self.proposed, round: self.round, doing: Doing::Looking }
    }

    /// The round, which others may have moved on.
    #[must_use]
    pub(super) fn round(&self) -> u64 {
        self.round
    }

    /// Who is voted for at the moment.
    #[must_use]
    pub(super) fn proposed(&self) -> Vote {
        self.proposed
    }

    /// How long to wait for a notification before the own one is repeated: doubled each time.
    pub(super) fn next_wait(&mut self) -> Span {
        let wait = self.wait;
        self.wait = Span::from_nanos(wait.as_nanos() * 2).min(LONGEST_WAIT);
        wait
    }

    fn propose(&mut self, vote: Vote) {
        self.proposed = vote;
        self.received[self.me as usize] = Some((vote, self.round, Doing::Looking));
    }

    fn is_majority(&self, votes: usize) -> bool {
        votes > self.received.len() / 2
    }

    /// Takes in what server `from` said.
    pub(super) fn hear(&mut self, from: u32, said: Notification) -> Heard {
        match said.doing {
            Doing::Looking => self.hear_looking(from, said),
            Doing::Following | Doing::Leading => {
                Heard { found: self.hear_outside(from, said), ..Heard::default() }
            }
        }
    }

    fn hear_looking(&mut self, from: u32, said: Notification) -> Heard {
        let mut heard = Heard::default();
        if self.settling && (said.round < self.round || !said.vote.beats(self.proposed)) {
            // Only what beats the proposal ends the wait.
            heard.reply = said.round < self.round;
            return heard;
        }
        if said.round > self.round {
            self.round = said.round;
            self.received.fill(None);
            let better = if said.vote.beats(self.own) { said.vote } else { self.own };
            self.propose(better);
            heard.tell_all = true;
        } else if said.round < self.round {
            heard.reply = true;
            return heard;
        } else if said.vote.beats(self.proposed) {
            self.propose(said.vote);
            heard.tell_all = true;
        }
        self.settling = false;
        self.received[from as usize] = Some((said.vote, said.round, Doing::Looking));
        let proposed = self.proposed;
        let agree = |said: &&Said| matches!(said, Some((vote, _, _)) if *vote == proposed);
        if self.is_majority(self.received.iter().filter(agree).count()) {
            self.settling = true;
            heard.found = Found::Majority;
        }
        heard
    }

    /// From a server that has a leader: it is joined if a majority has it, and it says so itself.
    fn hear_outside(&mut self, from: u32, said: Notification) -> Found {
        let entry = Some((said.vote, said.round, said.doing));
        self.outside[from as usize] = entry;
        if said.round == self.round {
            self.received[from as usize] = entry;
            if self.has_majority(&self.received, said) && self.leads(said) {
                return Found::Leader(said.vote.leader);
            }
        }
        if self.has_majority(&self.outside, said) && self.leads(said) {
            self.round = said.round;
            return Found::Leader(said.vote.leader);
        }
        Found::Nothing
    }

    /// `termPredicate`: votes of those that have a leader are equal if leader and epoch are
    /// (`Vote.java` 3.4.14, `equals`).
    fn has_majority(&self, votes: &[Said], said: Notification) -> bool {
        let same = |vote: &Vote| (vote.leader, vote.epoch) == (said.vote.leader, said.vote.epoch);
        let agree = |said: &&Said| matches!(said, Some((vote, _, _)) if same(vote));
        self.is_majority(votes.iter().filter(agree).count())
    }

    /// `checkLeader`: nobody follows one that has not said that it leads.
    fn leads(&self, said: Notification) -> bool {
        if said.vote.leader == self.me {
            return said.round == self.round;
        }
        let leader = &self.outside[said.vote.leader as usize];
        matches!(leader, Some((_, _, Doing::Leading)))
    }
}
