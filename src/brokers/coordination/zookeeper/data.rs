//! The words of ZooKeeper's interface: ids, operations, answers, errors, watch events.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// What a znode holds: a family's enum instead of bytes.
pub trait Data: Clone + PartialEq + fmt::Debug {
    /// How many bytes it would be, on the wire and in the log.
    fn bytes(&self) -> u32;
}

/// A znode's path, from `/` on, without a slash at its end.
pub type Path = Arc<str>;

/// The number of a transaction: the epoch of its leader, and a counter within that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zxid(pub u64);

impl Zxid {
    /// Before any transaction.
    pub const ZERO: Zxid = Zxid(0);

    /// `ZxidUtils.makeZxid` 3.4.14.
    #[must_use]
    pub const fn new(epoch: u32, counter: u32) -> Zxid {
        Zxid((epoch as u64) << 32 | counter as u64)
    }

    /// The epoch of the leader that proposed it.
    #[must_use]
    pub const fn epoch(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The next one of the same leader.
    #[must_use]
    pub const fn next(self) -> Zxid {
        Zxid(self.0 + 1)
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch(), self.0 as u32)
    }
}

/// A client's session. Its upper byte is the server that opened it, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// A client's number of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xid(pub u32);

/// How a znode is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// It goes with the session that created it.
    pub ephemeral: bool,
    /// Its name gets ten digits that count the children that were ever created there.
    pub sequential: bool,
}

impl Mode {
    /// Stays until it is deleted.
    pub const PERSISTENT: Mode = Mode { ephemeral: false, sequential: false };
    /// Goes with its session.
    pub const EPHEMERAL: Mode = Mode { ephemeral: true, sequential: false };
    /// Stays, and is numbered.
    pub const PERSISTENT_SEQUENTIAL: Mode = Mode { ephemeral: false, sequential: true };
    /// Goes with its session, and is numbered.
    pub const EPHEMERAL_SEQUENTIAL: Mode = Mode { ephemeral: true, sequential: true };
}

/// A znode's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// The transaction that created it.
    pub czxid: Zxid,
    /// The transaction that last changed its data.
    pub mzxid: Zxid,
    /// The transaction that last created or deleted a child of it.
    pub pzxid: Zxid,
    /// How often its data was changed.
    pub version: u32,
    /// How many children were ever created.
    pub cversion: u32,
    /// Whose ephemeral it is.
    pub ephemeral_owner: Option<SessionId>,
    /// How many children it has.
    pub children: u32,
}

/// What a client can ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum Op<D> {
    /// Create a znode; its parent must be there.
    Create {
        /// Where.
        path: Path,
        /// What it holds.
        data: Option<D>,
        /// How.
        mode: Mode,
    },
    /// Delete a znode that has no children.
    Delete {
        /// Which.
        path: Path,
        /// Only if it has this version.
        version: Option<u32>,
    },
    /// Whether there is such a znode; may be watched even if there is none.
    Exists {
        /// Which.
        path: Path,
        /// Whether to tell when it is created, deleted or changed.
        watch: bool,
    },
    /// What a znode holds.
    GetData {
        /// Which.
        path: Path,
        /// Whether to tell when it is deleted or changed.
        watch: bool,
    },
    /// Change what a znode holds.
    SetData {
        /// Which.
        path: Path,
        /// To what.
        data: Option<D>,
        /// Only if it has this version.
        version: Option<u32>,
    },
    /// The names of a znode's children, sorted.
    GetChildren {
        /// Whose.
        path: Path,
        /// Whether to tell when one is created or deleted, or the znode itself is deleted.
        watch: bool,
    },
    /// Within [`Multi`](Op::Multi): only if the znode has this version.
    Check {
        /// Which.
        path: Path,
        /// The version that it must have.
        version: u32,
    },
    /// All of these writes or none (since 3.4).
    Multi(Vec<Op<D>>),
    /// What was written before this, by anyone, is seen by the reads that follow.
    Sync,
}

impl<D: Data> Op<D> {
    /// Whether it is a transaction.
    #[must_use]
    pub const fn is_write(&self) -> bool {
        match self {
            Op::Create { .. }
            | Op::Delete { .. }
            | Op::SetData { .. }
            | Op::Check { .. }
            | Op::Multi(_) => true,
            Op::Exists { .. } | Op::GetData { .. } | Op::GetChildren { .. } | Op::Sync => false,
        }
    }

    /// Bytes of its paths and data.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        match self {
            Op::Create { path, data, .. } | Op::SetData { path, data, .. } => {
                path.len() as u32 + data.as_ref().map_or(0, Data::bytes)
            }
            Op::Delete { path, .. }
            | Op::Exists { path, .. }
            | Op::GetData { path, .. }
            | Op::GetChildren { path, .. }
            | Op::Check { path, .. } => path.len() as u32,
            Op::Multi(ops) => ops.iter().map(Op::bytes).sum(),
            Op::Sync => 0,
        }
    }
}

/// Why something was not done (`KeeperException.java` 3.4.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such znode, or no parent to create it below.
    #[error("NoNode")]
    NoNode,
    /// There is such a znode already.
    #[error("NodeExists")]
    NodeExists,
    /// It has another version.
    #[error("BadVersion")]
    BadVersion,
    /// It has children.
    #[error("NotEmpty")]
    NotEmpty,
    /// An ephemeral has no children.
    #[error("NoChildrenForEphemerals")]
    NoChildrenForEphemerals,
    /// The session is over.
    #[error("SessionExpired")]
    SessionExpired,
    /// The session goes on at another server by now.
    #[error("SessionMoved")]
    SessionMoved,
    /// The connection was lost; whether it was done is unknown.
    #[error("ConnectionLoss")]
    ConnectionLoss,
    /// Another operation of the same [`Op::Multi`] failed, so this one was not done either.
    #[error("RolledBack")]
    RolledBack,
    /// The root is not to be deleted or created, and a multi holds writes only.
    #[error("BadArguments")]
    BadArguments,
}

/// What came of an operation.
pub type Outcome<D> = Result<Answer<D>, Error>;

/// A server's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer<D> {
    /// Created, at this path.
    Created(Path),
    /// Deleted, checked or synchronised.
    Done,
    /// The figures of a znode that exists, or whose data was changed.
    Stat(Stat),
    /// What it holds.
    Data(Option<D>, Stat),
    /// Names of children, and the parent's figures.
    Children(Vec<Path>, Stat),
    /// Of each operation of a multi. It was done if all of them were.
    Multi(Vec<Outcome<D>>),
}

impl<D: Data> Answer<D> {
    /// Bytes of what it names and holds.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        /// A serialised `Stat`.
        const STAT: u32 = 68;
        match self {
            Answer::Created(path) => path.len() as u32,
            Answer::Done => 0,
            Answer::Stat(_) => STAT,
            Answer::Data(data, _) => STAT + data.as_ref().map_or(0, Data::bytes),
            Answer::Children(names, _) => {
                STAT + names.iter().map(|name| name.len() as u32 + 4).sum::<u32>()
            }
            Answer::Multi(outcomes) => {
                let bytes = |outcome: &Outcome<D>| outcome.as_ref().map_or(4, Answer::bytes);
                outcomes.iter().map(bytes).sum()
            }
        }
    }
}

/// What a watch tells (`Watcher.Event.EventType` 3.4.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchKind {
    /// The znode is there now.
    Created,
    /// The znode is gone.
    Deleted,
    /// It holds something else.
    DataChanged,
    /// A child was created or deleted.
    ChildrenChanged,
}

/// Takes the first of a queue, if it is one of these.
pub(super) fn pop_front_if<T>(queue: &mut VecDeque<T>, is: impl Fn(&T) -> bool) -> Option<T> {
    if queue.front().is_some_and(is) { queue.pop_front() } else { None }
}

/// The path of a znode's parent; none for the root.
#[must_use]
pub fn parent(path: &str) -> Option<&str> {
    match path.rfind('/')? {
        0 if path.len() > 1 => Some("/"),
        0 => None,
        at => Some(&path[..at]),
    }
}

/// The last part of a path.
#[must_use]
pub fn name(path: &str) -> &str {
    path.rfind('/').map_or(path, |at| &path[at + 1..])
}
