//! Effects whose instant is not now: those that a long computation has late in its course, and those
//! of an input that is held up; and what a disk does when it is through.

use super::disk::Sync;
use super::event::Event;
use super::machine::{ConnId, FileId, Lane};
use super::network::Cargo;
use super::simulation::{Note, World};
use crate::engine::{Time, TimerKey};

/// An effect that waits for its instant.
#[derive(Clone, Debug)]
pub(crate) enum Effect<M> {
    Connect(ConnId),
    Send { conn: ConnId, lane: Lane, body: M, bytes: u32 },
    Close(ConnId),
    Abort(ConnId),
    Tell { lane: Lane, body: M },
    Fsync { lane: Lane, file: FileId, done: M, blocking: bool },
    Read { lane: Lane, bytes: u64, done: M },
}

/// An effect that waits for its instant, and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Deferred<M> {
    pub(crate) node: u32,
    pub(crate) incarnation: u32,
    pub(crate) effect: Effect<M>,
}

/// An operation of a disk that is queued or under way.
#[derive(Clone, Debug)]
pub(crate) struct Syncing<M> {
    pub(crate) node: u32,
    pub(crate) incarnation: u32,
    pub(crate) lane: Lane,
    pub(crate) then: Then<M>,
    pub(crate) sync: Sync,
}

/// What happens when it is through.
#[derive(Clone, Debug)]
pub(crate) enum Then<M> {
    /// The lane is told.
    Tell(M),
    /// The lane, which handles nothing meanwhile, is told before it handles anything else.
    Unblock(M),
    /// An input that is held up may go on.
    GoOn(u32),
}

impl<M> World<M> {
    /// Does an effect whose instant has come, if its process still lives.
    pub(crate) fn do_deferred(&mut self, slot: u32) {
        let Some(Deferred { node, incarnation, effect }) = self.deferred.remove(slot) else {
            return;
        };
        let n = &self.nodes[node as usize];
        if !n.alive || n.incarnation != incarnation {
            return;
        }
        let now = self.kernel.now();
        let living = |world: &World<M>, conn| world.net.living(node, conn);
        match effect {
            Effect::Connect(conn) => {
                if living(self, conn).is_some() {
                    self.send_syn(conn, 0);
                }
            }
            Effect::Send { conn, lane, body, bytes } => {
                if let Some(index) = living(self, conn) {
                    self.keep_promise(index, bytes);
                    self.push(index, Cargo::Data(body), lane, bytes, now);
                }
            }
            Effect::Close(conn) => {
                if let Some(index) = living(self, conn) {
                    self.close(index, now);
                }
            }
            Effect::Abort(conn) => {
                if let Some(index) = living(self, conn) {
                    self.abort(index, now);
                }
            }
            Effect::Tell { lane, body } => {
                let note = Note { node, incarnation, lane, body };
                let TimerKey { slot, generation } = self.notes.insert(note);
                self.kernel.schedule(now, Event::Note { slot, generation });
            }
            Effect::Fsync { lane, file, done, blocking } => {
                let then = if blocking { Then::Unblock(done) } else { Then::Tell(done) };
                self.fsync((node, incarnation, lane), file, then, now);
            }
            Effect::Read { lane, bytes, done } => {
                self.read_disk((node, incarnation, lane), bytes, done, now);
            }
        }
    }

    /// Queues an fsync for a lane of an incarnation of a node.
    pub(crate) fn fsync(&mut self, whose: (u32, u32, Lane), file: FileId, then: Then<M>, at: Time) {
        let sync = self.disks[whose.0 as usize].fsync(file, at, self.kernel.now());
        self.sync(whose, then, sync);
    }

    /// Queues a read of so many bytes.
    pub(crate) fn read_disk(&mut self, whose: (u32, u32, Lane), bytes: u64, done: M, at: Time) {
        let sync = self.disks[whose.0 as usize].read(bytes, at);
        self.sync(whose, Then::Tell(done), sync);
    }

    /// Waits for an operation of a disk.
    pub(crate) fn sync(&mut self, whose: (u32, u32, Lane), then: Then<M>, sync: Sync) {
        let (node, incarnation, lane) = whose;
        let slot = self.syncs.insert(Syncing { node, incarnation, lane, then, sync });
        self.kernel.schedule(sync.done, Event::Synced { slot });
    }
}
