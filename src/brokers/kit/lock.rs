//! The lock of a file on a server that several hosts mount: who has it, and until when.
//!
//! The server sees a process end at once, because its connection does. A host that is silent keeps its
//! lock for the length of a lease (NFSv4).

use crate::engine::{Span, Time};
use crate::observe::NodeId;
use crate::world::ConnId;

/// Who has the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holder {
    node: NodeId,
    /// Its connection; none if that is lost and the lease is not over.
    conn: Option<ConnId>,
    /// When it was heard of last, by the monotonic clock.
    heard: Time,
}

/// A lock, known across deaths of the server: it is on its disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileLock(Option<Holder>);

impl FileLock {
    /// Something has come from a host: if it has the lock its lease begins anew.
    pub fn heard(&mut self, node: NodeId, conn: ConnId, now: Time) {
        if let Some(holder) = self.0.as_mut().filter(|holder| holder.node == node) {
            *holder = Holder { conn: Some(conn), heard: now, ..*holder };
        }
    }

    /// A host wants the lock; whether it has it now.
    pub fn take(&mut self, node: NodeId, conn: ConnId, now: Time) -> bool {
        self.0.get_or_insert(Holder { node, conn: Some(conn), heard: now });
        self.is_held_by(node)
    }

    /// Whether a host has it.
    #[must_use]
    pub fn is_held_by(&self, node: NodeId) -> bool {
        self.0.is_some_and(|holder| holder.node == node)
    }

    /// A host gives it back.
    pub fn release(&mut self, node: NodeId) {
        self.0 = self.0.filter(|holder| holder.node != node);
    }

    /// The process at the other end of a connection is gone, and its lock with it: whose that was.
    pub fn closed(&mut self, conn: ConnId) -> Option<NodeId> {
        self.0.take_if(|holder| holder.conn == Some(conn)).map(|holder| holder.node)
    }

    /// Takes the lock from a host that was silent for longer than its lease, if there is one; whose that was.
    pub fn expire(&mut self, lease: Span, now: Time) -> Option<NodeId> {
        let over = |holder: &mut Holder| !lease.is_zero() && now.since(holder.heard) > lease;
        self.0.take_if(over).map(|holder| holder.node)
    }

    /// The server has started again: connections are gone, leases begin anew.
    pub fn restarted(&mut self, now: Time) {
        if let Some(holder) = &mut self.0 {
            *holder = Holder { conn: None, heard: now, ..*holder };
        }
    }

    /// The disk is a new one.
    pub fn forget(&mut self) {
        self.0 = None;
    }
}
