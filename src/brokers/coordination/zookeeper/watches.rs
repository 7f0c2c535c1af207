//! The watches of a server's connections (`WatchManager.java`, `DataTree.java` 3.4.14). Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::world::ConnId;

use super::data::{Data, Op, Outcome, Path, WatchKind, Zxid, parent};
use super::tree::{Change, Tree};

type Watchers = BTreeMap<Path, BTreeSet<ConnId>>;

/// The watches that a client had, and how far it has seen the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewatch {
    /// The greatest zxid that it was told of.
    pub seen: Zxid,
    /// Watches of znodes that were there.
    pub data: Vec<Path>,
    /// Watches of znodes that were not there.
    pub exists: Vec<Path>,
    /// Watches of children.
    pub child: Vec<Path>,
}

impl Rewatch {
    /// Bytes of its paths.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        let all = self.data.iter().chain(&self.exists).chain(&self.child);
        8 + all.map(|path| path.len() as u32 + 4).sum::<u32>()
    }

    /// Whether there is nothing to watch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty() && self.exists.is_empty() && self.child.is_empty()
    }
}

/// Who watches what at one server. Every watch tells once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watches {
    data: Watchers,
    child: Watchers,
}

impl Watches {
    /// Registers the watch of a read that has come out so. One of `exists` watches what is not there
    /// as well, the others do not (`FinalRequestProcessor.java` 3.4.14).
    pub fn register<D: Data>(&mut self, conn: ConnId, op: &Op<D>, outcome: &Outcome<D>) {
        match op {
            Op::Exists { path, watch: true } => self.add_data(path, conn),
            Op::GetData { path, watch: true } if outcome.is_ok() => self.add_data(path, conn),
            Op::GetChildren { path, watch: true } if outcome.is_ok() => self.add_child(path, conn),
            _ => {}
        }
    }

    fn add_data(&mut self, path: &Path, conn: ConnId) {
        self.data.entry(path.clone()).or_default().insert(conn);
    }

    fn add_child(&mut self, path: &Path, conn: ConnId) {
        self.child.entry(path.clone()).or_default().insert(conn);
    }

    /// Who is to be told what of a change (`DataTree.java` 3.4.14, `createNode`, `deleteNode`,
    /// `setData`). Who watches a znode and its children is told once of its end.
    pub fn trigger(&mut self, change: &Change) -> Vec<(ConnId, Path, WatchKind)> {
        let mut told = self.data.remove(&change.path).unwrap_or_default();
        if change.kind == WatchKind::Deleted {
            told.append(&mut self.child.remove(&change.path).unwrap_or_default());
        }
        let path = &change.path;
        let mut events: Vec<_> =
            told.into_iter().map(|conn| (conn, path.clone(), change.kind)).collect();
        if change.kind != WatchKind::DataChanged
            && let Some((above, conns)) =
                parent(path).and_then(|above| self.child.remove_entry(above))
        {
            let changed = |conn| (conn, above.clone(), WatchKind::ChildrenChanged);
            events.extend(conns.into_iter().map(changed));
        }
        events
    }

    /// A client that has come back registers its watches; what it has missed is told at once
    /// (`DataTree.java` 3.4.14, `setWatches`).
    pub fn set<D: Data>(
        &mut self,
        conn: ConnId,
        tree: &Tree<D>,
        rewatch: &Rewatch,
    ) -> Vec<(Path, WatchKind)> {
        let mut missed = Vec::new();
        for path in &rewatch.data {
            match tree.get(path) {
                None => missed.push((path.clone(), WatchKind::Deleted)),
                Some(node) if node.stat().mzxid > rewatch.seen => {
                    missed.push((path.clone(), WatchKind::DataChanged));
                }
                Some(_) => self.add_data(path, conn),
            }
        }
        for path in &rewatch.exists {
            match tree.get(path) {
                Some(_) => missed.push((path.clone(), WatchKind::Created)),
                None => self.add_data(path, conn),
            }
        }
        for path in &rewatch.child {
            match tree.get(path) {
                None => missed.push((path.clone(), WatchKind::Deleted)),
                Some(node) if node.stat().pzxid > rewatch.seen => {
                    missed.push((path.clone(), WatchKind::ChildrenChanged));
                }
                Some(_) => self.add_child(path, conn),
            }
        }
        missed
    }

    /// A connection is gone.
    pub fn forget(&mut self, conn: ConnId) {
        for watchers in [&mut self.data, &mut self.child] {
            watchers.retain(|_, conns| {
                conns.remove(&conn);
                !conns.is_empty()
            });
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.values().chain(self.child.values()).map(BTreeSet::len).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty() && self.child.is_empty()
    }
}
