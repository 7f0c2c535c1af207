//! What a follower asks for again and again over one connection (FetchSession.scala 1.1; KIP-227).
//!
//! A follower that is caught up asks the same about the same partitions for hours. What it has asked
//! stays known here, and a request says what differs from the one before. A partition of which there is
//! nothing to do at the next request either is *quiet*: the follower has all of it, is in its ISR, and
//! has been told so. Nobody looks at a quiet partition until something changes in it: it is *stirred*
//! then. So a request costs what has happened, not how many partitions there are.
//!
//! That a follower is caught up with a quiet partition is implied by every one of its requests. Where
//! somebody reads when that was, it is written down first.

use crate::brokers::kafka::PartitionId;
use crate::engine::Time;
use crate::observe::NodeId;

use super::super::message::{Error, Fetch, FetchPart, FetchedPart};
use super::super::rules::Rule;
use super::{Broker, Role};

/// What one follower asks for over one connection.
#[derive(Clone, Debug)]
pub(super) struct FetchSession {
    follower: NodeId,
    /// The incarnation that asks.
    broker_epoch: u64,
    /// By partition.
    parts: Vec<Part>,
    /// Those that are not quiet, each once.
    loud: Vec<PartitionId>,
    /// When it asked last, by this broker's clock.
    asked_at: Time,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    asks: FetchPart,
    quiet: bool,
    /// The high watermark and the start of the log that its follower was told last.
    told: Option<(u64, u64)>,
}

impl Part {
    /// Whether an answer says anything new of it, which it has said then (FetchSession.scala 1.1,
    /// `maybeUpdateResponseData`).
    fn tells(&mut self, read: &FetchedPart) -> bool {
        let failed = read.error != Error::None;
        let bounds = (!failed).then_some((read.high_watermark, read.log_start));
        let new = std::mem::replace(&mut self.told, bounds) != bounds;
        new || failed || !read.records.is_empty() || read.diverging.is_some()
    }
}

impl FetchSession {
    const fn new(follower: NodeId, broker_epoch: u64, now: Time) -> FetchSession {
        FetchSession { follower, broker_epoch, parts: Vec::new(), loud: Vec::new(), asked_at: now }
    }

    /// How many partitions it is about.
    #[must_use]
    pub(super) const fn len(&self) -> usize {
        self.parts.len()
    }

    fn place_of(&self, partition: PartitionId) -> Result<usize, usize> {
        self.parts.binary_search_by_key(&partition, |part| part.asks.partition)
    }

    /// What it asks of a partition.
    #[must_use]
    pub(super) fn asks(&self, partition: PartitionId) -> Option<&FetchPart> {
        self.place_of(partition).ok().map(|place| &self.parts[place].asks)
    }

    /// What it asks of the partitions that are not quiet, by partition.
    fn loud_parts(&mut self) -> Vec<FetchPart> {
        self.loud.sort_unstable();
        self.loud.iter().filter_map(|partition| self.asks(*partition)).copied().collect()
    }

    /// A partition is quiet no longer; whether it was.
    fn stir(&mut self, partition: PartitionId) -> bool {
        let Ok(place) = self.place_of(partition) else { return false };
        let was = std::mem::replace(&mut self.parts[place].quiet, false);
        if was {
            self.loud.push(partition);
        }
        was
    }
}

impl Broker {
    /// A follower's request comes in: what it says is added to what is known, and what is to be looked at
    /// is returned.
    pub(super) fn take_fetch(
        &mut self,
        place: u32,
        follower: NodeId,
        fetch: &mut Fetch,
        now: Time,
    ) -> Vec<FetchPart> {
        if fetch.anew {
            self.end_session(place);
            self.stir_all_of(follower);
            let session = FetchSession::new(follower, fetch.broker_epoch, now);
            if let Some(connection) = self.connection(place) {
                connection.session = Some(Box::new(session));
            }
        }
        // A clock that was set back takes back nothing of what was seen before.
        if self.session(place).is_some_and(|session| session.asked_at > now) {
            self.write_down_session(place);
        }
        if self.session(place).is_some_and(|session| session.broker_epoch != fetch.broker_epoch) {
            self.stir_session(place);
        }
        for partition in std::mem::take(&mut fetch.forgotten) {
            self.ask_no_more(place, partition);
        }
        for part in std::mem::take(&mut fetch.parts) {
            self.ask(place, part);
        }
        let Some(session) = self.session(place) else { return Vec::new() };
        session.broker_epoch = fetch.broker_epoch;
        session.asked_at = now;
        session.loud_parts()
    }

    /// What a follower that is connected asks of a partition.
    pub(super) fn asked_of(&mut self, place: u32, partition: PartitionId) -> Option<FetchPart> {
        self.session(place)?.asks(partition).copied()
    }

    fn session(&mut self, place: u32) -> Option<&mut FetchSession> {
        self.connection(place)?.session.as_deref_mut()
    }

    /// What a fetch that is answered now has to say something about: all that a consumer asks, and of what
    /// a follower asks that which is not quiet; and how many partitions it is about.
    pub(super) fn asked_now(&mut self, place: u32, fetch: &mut Fetch) -> (Vec<FetchPart>, usize) {
        if fetch.replica.is_none() {
            let parts = std::mem::take(&mut fetch.parts);
            let all = parts.len();
            return (parts, all);
        }
        let Some(session) = self.session(place) else { return (Vec::new(), 0) };
        let found = (session.loud_parts(), session.len());
        debug_assert!(self.quiet_are_quiet(place, fetch), "something was not stirred");
        found
    }

    /// Whether looking at quiet partitions would show nothing. Of many it looks at some, at others each
    /// time.
    fn quiet_are_quiet(&mut self, place: u32, fetch: &Fetch) -> bool {
        let Some(session) = self.session(place).cloned() else { return true };
        let step = session.parts.len() / 16 + 1;
        let from = session.asked_at.as_nanos() as usize % step;
        let looked_at = session.parts.iter().skip(from).step_by(step).filter(|part| part.quiet);
        let mut all = looked_at.map(|part| (part.asks, self.read_for(fetch, &part.asks)));
        all.all(|(asks, read)| self.may_be_quiet(session.follower, &asks, &read))
    }

    /// A follower is answered: what there is nothing more to say about becomes quiet. Of how many partitions
    /// the answer speaks on the wire.
    pub(super) fn tell(
        &mut self,
        place: u32,
        asked: &[FetchPart],
        told: &mut Vec<FetchedPart>,
    ) -> u32 {
        let sessions = self.config.has(Rule::FetchSessions);
        let Some(session) = self.session(place) else { return 0 };
        let follower = session.follower;
        let mut quiet = Vec::new();
        for (asks, read) in asked.iter().zip(told.iter()) {
            if self.may_be_quiet(follower, asks, read) {
                quiet.push(asks.partition);
            }
        }
        for partition in &quiet {
            if let Some(replica) = self.replicas[partition.index()].as_deref_mut() {
                replica.quiet_for += 1;
            }
        }
        let Some(session) = self.session(place) else { return 0 };
        for partition in &quiet {
            if let Ok(place) = session.place_of(*partition) {
                session.parts[place].quiet = true;
            }
        }
        // Both ascend: `asked` was all that was loud.
        session.loud.retain(|partition| quiet.binary_search(partition).is_err());
        if !sessions {
            return session.len() as u32;
        }
        told.retain(|read| {
            let place = session.place_of(read.partition);
            place.is_ok_and(|place| session.parts[place].tells(read))
        });
        told.len() as u32
    }

    /// Whether there is nothing to do about a partition at the next request of a follower that was told
    /// this, if it asks the same and nothing happens here until then.
    fn may_be_quiet(&self, follower: NodeId, asks: &FetchPart, read: &FetchedPart) -> bool {
        if read.error != Error::None || !read.records.is_empty() || read.diverging.is_some() {
            return false;
        }
        let Some(replica) = self.replica(asks.partition) else { return false };
        let Role::Leader(leading) = &replica.role else { return false };
        let Some(other) = leading.others.iter().find(|other| other.node == follower) else {
            return false;
        };
        let knows = !self.config.reads_from_followers() || other.told >= replica.high_watermark;
        let end = replica.log.end();
        let has_all = asks.offset == end && other.end == Some(end) && other.end_at_fetch == end;
        knows && has_all && replica.isr().has(follower)
    }

    /// A follower asks for a partition, in another way than before or for the first time.
    fn ask(&mut self, place: u32, part: FetchPart) {
        let partition = part.partition;
        let Some(session) = self.session(place) else { return };
        match session.place_of(partition) {
            Ok(at) => {
                self.stir_in(place, partition);
                if let Some(session) = self.session(place) {
                    session.parts[at].asks = part;
                }
            }
            Err(at) => {
                session.parts.insert(at, Part { asks: part, quiet: false, told: None });
                session.loud.push(partition);
                if let Some(Some(replica)) = self.replicas.get_mut(partition.index()) {
                    replica.sessions.push(place);
                }
            }
        }
    }

    /// A follower asks for a partition no longer.
    fn ask_no_more(&mut self, place: u32, partition: PartitionId) {
        self.stir_in(place, partition);
        let Some(session) = self.session(place) else { return };
        let Ok(at) = session.place_of(partition) else { return };
        session.parts.remove(at);
        session.loud.retain(|loud| *loud != partition);
        if let Some(Some(replica)) = self.replicas.get_mut(partition.index()) {
            replica.sessions.retain(|other| *other != place);
        }
    }

    /// Something happens in a partition: whoever asks for it is to be told.
    pub(super) fn stir(&mut self, partition: PartitionId) {
        let Some(Some(replica)) = self.replicas.get_mut(partition.index()) else { return };
        if replica.quiet_for == 0 {
            return;
        }
        let sessions = std::mem::take(&mut replica.sessions);
        for place in &sessions {
            self.stir_in(*place, partition);
        }
        if let Some(Some(replica)) = self.replicas.get_mut(partition.index()) {
            replica.sessions = sessions;
        }
    }

    fn stir_in(&mut self, place: u32, partition: PartitionId) {
        let Some(session) = self.session(place) else { return };
        let (follower, at) = (session.follower, session.asked_at);
        if session.stir(partition) {
            self.write_down(partition, follower, at);
            if let Some(Some(replica)) = self.replicas.get_mut(partition.index()) {
                replica.quiet_for -= 1;
            }
        }
    }

    /// A follower was caught up with a quiet partition when it last asked.
    fn write_down(&mut self, partition: PartitionId, follower: NodeId, at: Time) {
        if let Some(Some(replica)) = self.replicas.get_mut(partition.index())
            && let Role::Leader(leading) = &mut replica.role
            && let Some(other) = leading.other(follower)
        {
            other.fetched = at;
            other.caught_up = other.caught_up.max(at);
        }
    }

    fn quiet_in(&mut self, place: u32) -> Vec<PartitionId> {
        let Some(session) = self.session(place) else { return Vec::new() };
        let quiet = session.parts.iter().filter(|part| part.quiet);
        quiet.map(|part| part.asks.partition).collect()
    }

    fn write_down_session(&mut self, place: u32) {
        let quiet = self.quiet_in(place);
        let Some(session) = self.session(place) else { return };
        let (follower, at) = (session.follower, session.asked_at);
        for partition in quiet {
            self.write_down(partition, follower, at);
        }
    }

    /// When followers were last caught up is about to be read.
    pub(super) fn write_down_sessions(&mut self) {
        for place in 0..self.connections.len() as u32 {
            self.write_down_session(place);
        }
    }

    fn stir_session(&mut self, place: u32) {
        for partition in self.quiet_in(place) {
            self.stir_in(place, partition);
        }
    }

    /// A follower begins anew over a connection: what older ones imply is written down, and they imply
    /// nothing more.
    fn stir_all_of(&mut self, follower: NodeId) {
        for place in 0..self.connections.len() as u32 {
            if self.session(place).is_some_and(|session| session.follower == follower) {
                self.stir_session(place);
            }
        }
    }

    /// A connection is gone, or its follower begins anew.
    pub(super) fn end_session(&mut self, place: u32) {
        self.stir_session(place);
        let Some(connection) = self.connection(place) else { return };
        let Some(session) = connection.session.take() else { return };
        for part in &session.parts {
            if let Some(Some(replica)) = self.replicas.get_mut(part.asks.partition.index()) {
                replica.sessions.retain(|other| *other != place);
            }
        }
    }
}
