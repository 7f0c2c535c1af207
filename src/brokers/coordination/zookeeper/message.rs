//! Everything that servers and clients send, and every timer.

use std::sync::Arc;

use crate::engine::Span;

use super::data::{Data, Op, Outcome, Path, SessionId, WatchKind, Xid, Zxid};
use super::election::Notification;
use super::log::Snapshot;
use super::tree::Entry;
use super::watches::Rewatch;

/// What travels in a family's messages. Small; what is large is boxed.
#[derive(Clone, Debug, PartialEq)]
pub enum Message<D> {
    /// Client to server: a session is asked for, or an old one again.
    Connect(Box<Connect>),
    /// Client to server.
    Request(Xid, Box<Op<D>>),
    /// Client to server: the watches that it has.
    SetWatches(Box<Rewatch>),
    /// Client to server: the session is to end.
    Close(Xid),
    /// Client to server: it lives.
    Ping,
    /// Server to client: what became of [`Connect`](Message::Connect).
    Session(Option<(SessionId, Span)>),
    /// Server to client: an answer.
    Response(Xid, Box<Reply<D>>),
    /// Server to client: a watch.
    Event(Path, WatchKind),
    /// Server to client: it lives as well.
    Pong,
    /// Server to server.
    Notification(Box<Notification>),
    /// Follower to leader.
    Up(ToLeader<D>),
    /// Leader to follower.
    Down(ToFollower<D>),
    /// A server to itself: the log is on the disk as it was when it was asked for.
    Synced {
        /// How often the log had been cut then.
        cuts: u32,
    },
    /// A server to itself: time has passed.
    Timer {
        /// What for.
        timer: Timer,
        /// In which of its roles it was set.
        era: u32,
    },
    /// A client's session to itself: time has passed.
    Wake {
        /// Which session of its machine.
        tag: u32,
    },
}

/// What a client says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The session that it has.
    pub session: Option<SessionId>,
    /// How long it would like to be silent.
    pub timeout: Span,
    /// The last transaction that it was told of.
    pub seen: Zxid,
}

/// An answer to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply<D> {
    /// The last transaction that the server had done.
    pub zxid: Zxid,
    /// What came of it.
    pub outcome: Outcome<D>,
}

/// What a client's server wants of the leader.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask<D> {
    /// A session.
    Open(Span),
    /// The end of one.
    Close,
    /// A write, or a sync.
    Op(Op<D>),
}

/// From a follower to the leader (`Leader.java`, `Learner.java` 3.4.14).
#[derive(Clone, Debug, PartialEq)]
pub enum ToLeader<D> {
    /// FOLLOWERINFO.
    Info {
        /// The last epoch that it has accepted.
        accepted: u32,
    },
    /// ACKEPOCH.
    AckEpoch {
        /// The last epoch in which it was in sync; none if it had accepted this one already.
        current: Option<u32>,
        /// The last transaction in its log.
        last: Zxid,
    },
    /// The ACK of NEWLEADER: all of the history is in its log.
    AckNewLeader,
    /// ACK: all up to here is in its log.
    Ack(Zxid),
    /// REQUEST.
    Request(SessionId, Xid, Box<Ask<D>>),
    /// REVALIDATE.
    Revalidate(SessionId, Span),
    /// PING: the sessions that it has heard of.
    Pong(Box<Vec<(SessionId, Span)>>),
}

/// From the leader to a follower (`Leader.java`, `LearnerHandler.java` 3.4.14).
#[derive(Clone, Debug, PartialEq)]
pub enum ToFollower<D> {
    /// LEADERINFO: the epoch.
    Info(u32),
    /// TRUNC: what is after this was never committed.
    Truncate(Zxid),
    /// SNAP.
    Snapshot(Arc<Snapshot<D>>),
    /// PROPOSAL, or part of a DIFF.
    Propose(Arc<Entry<D>>),
    /// NEWLEADER: that was the history.
    NewLeader,
    /// UPTODATE: all up to here is committed, and clients may be served.
    UpToDate(Zxid),
    /// COMMIT: all up to here.
    Commit(Zxid),
    /// PING.
    Ping,
    /// What became of REVALIDATE.
    Revalidated(SessionId, bool),
    /// SYNC: all that was committed when it was asked for was sent.
    Synced(SessionId, Xid),
}

/// What a server waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Nobody has answered a notification.
    Resend,
    /// A majority has agreed; nothing better came. The number is that of the agreement.
    Settle(u32),
    /// Half a tick of a leader.
    HalfTick,
    /// The end of a bucket of sessions.
    Sessions,
    /// A leader has got no majority in time, while it was at this step.
    Establish(u8),
    /// A follower looks whether its leader has been silent for too long.
    Silence,
    /// A follower tries again to connect to its leader.
    Retry,
}

impl<D: Data> Message<D> {
    /// Bytes of its body; what all messages have beside that is a matter of costs.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        match self {
            Message::Request(_, op) => op.bytes(),
            Message::SetWatches(rewatch) => rewatch.bytes(),
            Message::Response(_, reply) => {
                reply.outcome.as_ref().map_or(0, super::data::Answer::bytes)
            }
            Message::Event(path, _) => path.len() as u32 + 8,
            Message::Up(up) => match up {
                ToLeader::Request(_, _, ask) => match &**ask {
                    Ask::Op(op) => op.bytes(),
                    Ask::Open(_) | Ask::Close => 4,
                },
                ToLeader::Pong(touched) => touched.len() as u32 * 12,
                _ => 12,
            },
            Message::Down(down) => match down {
                ToFollower::Snapshot(snapshot) => snapshot.tree.bytes(),
                ToFollower::Propose(entry) => entry.txn.bytes() + 32,
                _ => 12,
            },
            _ => 20,
        }
    }
}
