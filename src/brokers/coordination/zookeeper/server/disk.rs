//! The transaction log on the disk (`SyncRequestProcessor.java`, `FileTxnLog.java` 3.4.14).

use std::sync::Arc;

use crate::world::{Context, Death, DiskView, FileId};

use super::super::super::Carry;
use super::super::data::{Data, Zxid};
use super::super::log::{KEPT, Log, Snapshot};
use super::super::message::Message;
use super::super::tree::{Entry, Tree};
use super::{Role, Server};

/// The log and its snapshots.
const LOG: FileId = FileId(0);

/// What is on a server's disk, and how far it is durable.
#[derive(Clone, Debug)]
pub(super) struct Disk<D> {
    pub(super) log: Log<D>,
    /// The log before a snapshot from the leader that is not durable yet.
    older: Option<Box<Log<D>>>,
    /// The last epoch that it has agreed to take part in (file `acceptedEpoch`).
    pub(super) accepted: u32,
    /// The last epoch with whose leader it was in sync (file `currentEpoch`).
    pub(super) current: u32,
    /// What the log begins with on an empty disk.
    initial: Tree<D>,
    /// The length of the file that is known to be durable.
    synced: u64,
    /// The length that a running fsync makes durable.
    syncing: Option<u64>,
    /// How often the log was cut.
    cuts: u32,
}

impl<D: Data> Disk<D> {
    pub(super) fn new(initial: Tree<D>) -> Disk<D> {
        let base = Snapshot { tree: initial.clone(), zxid: Zxid::ZERO };
        Disk {
            log: Log::new(base, 0),
            older: None,
            accepted: 0,
            current: 0,
            initial,
            synced: 0,
            syncing: None,
            cuts: 0,
        }
    }

    /// Cuts off a torn tail. What the page cache kept is not known to be durable.
    pub(super) fn boot<M: Clone>(&mut self, ctx: &mut Context<'_, M>) {
        ctx.truncate(LOG, self.log.end());
        self.synced = self.older.as_ref().map_or(self.log.base_end(), |older| older.base_end());
    }

    pub(super) fn died(&mut self, death: Death, disk: &DiskView<'_>) {
        self.syncing = None;
        self.cuts += 1;
        if death == Death::Wiped {
            *self = Disk { cuts: self.cuts, ..Disk::new(self.initial.clone()) };
            return;
        }
        let kept = disk.kept(LOG);
        if self.log.base_end() > kept
            && let Some(older) = self.older.take()
        {
            self.log = *older;
        }
        self.log.trim(kept);
    }

    /// How much of the log may be acknowledged: what is durable, or with `forceSync=no` what is
    /// written.
    pub(super) fn safe(&self, force_sync: bool) -> u64 {
        if force_sync { self.synced } else { self.log.end() }
    }
}

impl<D: Data> Server<D> {
    /// Writes a transaction to the log. `false` if the disk is full: the process ends then
    /// (`SyncRequestProcessor.java` 3.4.14, "Severe unrecoverable error, exiting").
    pub(super) fn append<M: Carry<Message<D>>>(
        &mut self,
        entry: Arc<Entry<D>>,
        ctx: &mut Context<'_, M>,
    ) -> bool {
        let bytes = u64::from(entry.txn.bytes() + self.config.costs.record);
        if ctx.write(LOG, bytes).is_err() {
            ctx.exit();
            return false;
        }
        let end = self.disk.log.end() + bytes;
        self.disk.log.append(entry, end);
        true
    }

    /// Has what was written fsynced, one fsync at a time: what is written meanwhile goes with the
    /// next. Then, or at once if nothing is to be fsynced, it is acknowledged.
    pub(super) fn flush<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        let end = self.disk.log.end();
        // Without forceSync only a snapshot is fsynced, here so that the log can be folded.
        let due = self.config.settings.force_sync
            || self.disk.older.is_some()
            || self.disk.log.len() >= 2 * KEPT;
        if self.disk.syncing.is_none() && self.disk.synced < end && due {
            self.disk.syncing = Some(end);
            ctx.fsync(LOG, Message::Synced { cuts: self.disk.cuts }.into());
        }
        self.acknowledge(ctx);
    }

    /// An fsync has completed.
    pub(super) fn synced<M: Carry<Message<D>>>(&mut self, cuts: u32, ctx: &mut Context<'_, M>) {
        let Some(length) = self.disk.syncing.take() else { return };
        // What was cut off and written anew since is not what that fsync was for.
        if cuts == self.disk.cuts {
            self.disk.synced = length;
            if self.disk.synced >= self.disk.log.base_end()
                && let Some(older) = self.disk.older.take()
            {
                ctx.release(LOG, older.end() - older.base_end());
            }
        }
        self.flush(ctx);
        self.fold(ctx);
    }

    fn acknowledge<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        match &self.role {
            Role::Following(_) => self.acknowledge_to_leader(ctx),
            Role::Leading(_) => self.acknowledge_own(ctx),
            Role::Down | Role::Looking(_) => {}
        }
    }

    /// The last transaction that this server may acknowledge.
    pub(super) fn safe_zxid(&self) -> Zxid {
        self.disk.log.last_within(self.disk.safe(self.config.settings.force_sync))
    }

    /// Forgets old transactions that are committed and durable.
    pub(super) fn fold<M: Carry<Message<D>>>(&mut self, ctx: &mut Context<'_, M>) {
        if self.is_serving() && self.disk.older.is_none() {
            let bytes = self.disk.log.fold(self.applied, self.disk.synced);
            if bytes > 0 {
                ctx.release(LOG, bytes);
            }
        }
    }

    /// Drops what is after `zxid`. `false` if it cannot (`Learner.java` 3.4.14: "Not able to
    /// truncate the log", and the process exits).
    pub(super) fn cut<M: Carry<Message<D>>>(
        &mut self,
        zxid: Zxid,
        ctx: &mut Context<'_, M>,
    ) -> bool {
        let before = self.disk.log.len();
        if !self.disk.log.truncate(zxid) {
            ctx.exit();
            return false;
        }
        // Only if a majority has lost what it had acknowledged: nobody can tell that it was
        // committed.
        if zxid < self.applied {
            (self.tree, self.applied) = (self.disk.log.state(zxid), zxid);
        }
        let end = self.disk.log.end();
        ctx.truncate(LOG, end);
        self.disk.cuts += 1;
        self.disk.synced = self.disk.synced.min(end);
        let dropped = (before - self.disk.log.len()) as u64;
        self.tell(self.config.words.truncated, None, dropped, ctx);
        true
    }

    /// Takes a snapshot from the leader for all that was before. The old log counts until the new
    /// one is durable.
    pub(super) fn install<M: Carry<Message<D>>>(
        &mut self,
        snapshot: &Snapshot<D>,
        ctx: &mut Context<'_, M>,
    ) {
        let bytes = u64::from(snapshot.tree.bytes()).max(1);
        if ctx.write(LOG, bytes).is_err() {
            return ctx.exit();
        }
        let end = self.disk.log.end() + bytes;
        let old = std::mem::replace(&mut self.disk.log, Log::new(snapshot.clone(), end));
        self.disk.older.get_or_insert(Box::new(old));
        self.disk.cuts += 1;
        (self.tree, self.applied) = (snapshot.tree.clone(), snapshot.zxid);
    }
}
