//! The leader's account of sessions: who has been heard of until when (`SessionTrackerImpl.java`
//! 3.4.14). Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Span, Time};

use super::data::{Error, SessionId};

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tracked {
    timeout: Span,
    expires: Time,
    /// The server whose client it is, once one has spoken for it.
    owner: Option<u32>,
    closing: bool,
}

/// Sessions in buckets of one tick: all of a bucket expire together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracker {
    interval: Span,
    /// When a bucket ends: buckets are counted from when the host was started, which nobody knows.
    phase: Span,
    sessions: BTreeMap<SessionId, Tracked>,
    buckets: BTreeMap<Time, BTreeSet<SessionId>>,
}

impl Tracker {
    /// A tracker without sessions, with buckets of this length, of which one ends at `phase`, less
    /// than one after zero.
    #[must_use]
    pub fn new(interval: Span, phase: Span) -> Tracker {
        Tracker { interval, phase, sessions: BTreeMap::new(), buckets: BTreeMap::new() }
    }

    /// `roundToInterval`: the next end of a bucket after `at`; "we give a one interval grace
    /// period".
    #[must_use]
    pub fn bucket(&self, at: Time) -> Time {
        let (interval, phase) = (self.interval.as_nanos().max(1), self.phase.as_nanos());
        let before = (at.as_nanos() + interval - phase) / interval;
        Time::from_nanos(before * interval + phase)
    }

    /// A session begins, or is known from before this leader: it has a whole timeout.
    pub fn add(&mut self, session: SessionId, timeout: Span, now: Time) {
        let fresh = Tracked { timeout, expires: Time::ZERO, owner: None, closing: false };
        self.sessions.entry(session).or_insert(fresh);
        self.touch(session, timeout, now);
    }

    /// Something was heard of a session. Whether it lives.
    pub fn touch(&mut self, session: SessionId, timeout: Span, now: Time) -> bool {
        let expires = self.bucket(now + timeout);
        let Some(tracked) = self.sessions.get_mut(&session).filter(|tracked| !tracked.closing)
        else {
            return false;
        };
        if tracked.expires < expires {
            let before = std::mem::replace(&mut tracked.expires, expires);
            self.leave(session, before);
            self.buckets.entry(expires).or_default().insert(session);
        }
        true
    }

    fn leave(&mut self, session: SessionId, bucket: Time) {
        if let Some(sessions) = self.buckets.get_mut(&bucket) {
            sessions.remove(&session);
            if sessions.is_empty() {
                self.buckets.remove(&bucket);
            }
        }
    }

    /// Takes a session's timeout as known; `None` if there is no such session.
    #[must_use]
    pub fn timeout(&self, session: SessionId) -> Option<Span> {
        self.sessions.get(&session).map(|tracked| tracked.timeout)
    }

    /// The session goes on at this server (`setOwner`).
    pub fn set_owner(&mut self, session: SessionId, owner: u32) {
        if let Some(tracked) = self.sessions.get_mut(&session) {
            tracked.owner = Some(owner);
        }
    }

    /// Whether a request that came by way of this server may be done (`checkSession`).
    ///
    /// # Errors
    /// `SessionExpired`, `SessionMoved`.
    pub fn check(&mut self, session: SessionId, owner: u32) -> Result<(), Error> {
        match self.sessions.get_mut(&session).filter(|tracked| !tracked.closing) {
            None => Err(Error::SessionExpired),
            Some(tracked) => {
                let known = *tracked.owner.get_or_insert(owner);
                if known == owner { Ok(()) } else { Err(Error::SessionMoved) }
            }
        }
    }

    /// The session is being closed: nothing more is done for it (`setSessionClosing`).
    pub fn close(&mut self, session: SessionId) {
        if let Some(tracked) = self.sessions.get_mut(&session) {
            tracked.closing = true;
        }
    }

    /// The session is closed.
    pub fn remove(&mut self, session: SessionId) {
        if let Some(tracked) = self.sessions.remove(&session) {
            self.leave(session, tracked.expires);
        }
    }

    /// The sessions whose bucket is over; they are closing from now on.
    pub fn expire(&mut self, now: Time) -> Vec<SessionId> {
        let mut expired = Vec::new();
        while let Some(bucket) = self.buckets.first_entry().filter(|bucket| *bucket.key() <= now) {
            expired.extend(bucket.remove());
        }
        expired.iter().for_each(|session| self.close(*session));
        expired
    }
}
