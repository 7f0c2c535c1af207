//! The tree of znodes, and the transactions that change it (`DataTree.java` 3.4.14). Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Span;

use super::data::{
    Answer, Data, Error, Mode, Op, Outcome, Path, SessionId, Stat, WatchKind, Xid, Zxid, name,
    parent,
};

/// A change that was found possible: it is the same on every server.
#[derive(Clone, Debug, PartialEq)]
pub enum Txn<D> {
    /// A session begins.
    Open {
        /// How long it may be silent.
        timeout: Span,
    },
    /// A session ends, and its ephemerals with it.
    Close,
    /// A znode is created.
    Create {
        /// Where; numbered already.
        path: Path,
        /// What it holds.
        data: Option<D>,
        /// Whether it goes with the session.
        ephemeral: bool,
    },
    /// A znode is deleted.
    Delete(Path),
    /// A znode's data changes.
    SetData(Path, Option<D>),
    /// A condition of a multi held.
    Checked,
    /// All of these.
    Multi(Vec<Txn<D>>),
    /// It was not possible (`PrepRequestProcessor.java` 3.4.14 proposes that as well, so that the
    /// answer comes in its order).
    Failed(Error),
    /// A multi that was not possible.
    MultiFailed(Vec<Error>),
}

impl<D: Data> Txn<D> {
    /// Bytes of its paths and data.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        match self {
            Txn::Open { .. } | Txn::Close | Txn::Checked | Txn::Failed(_) => 4,
            Txn::Create { path, data, .. } | Txn::SetData(path, data) => {
                path.len() as u32 + data.as_ref().map_or(0, Data::bytes)
            }
            Txn::Delete(path) => path.len() as u32,
            Txn::Multi(txns) => txns.iter().map(|txn| txn.bytes() + 8).sum(),
            Txn::MultiFailed(errors) => errors.len() as u32 * 12,
        }
    }
}

/// A transaction as it stands in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<D> {
    /// Its number.
    pub zxid: Zxid,
    /// Whose request it was.
    pub session: SessionId,
    /// Which request.
    pub xid: Xid,
    /// What it does.
    pub txn: Txn<D>,
}

/// What a transaction did to a znode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which znode.
    pub path: Path,
    /// `Created`, `Deleted` or `DataChanged`.
    pub kind: WatchKind,
}

/// A znode.
#[derive(Clone, Debug, PartialEq)]
pub struct Znode<D> {
    /// What it holds.
    pub data: Option<D>,
    stat: Stat,
    children: BTreeSet<Path>,
}

impl<D> Znode<D> {
    /// Its figures.
    #[must_use]
    pub fn stat(&self) -> Stat {
        Stat { children: self.children.len() as u32, ..self.stat }
    }

    /// The names of its children.
    pub fn children(&self) -> impl Iterator<Item = &Path> {
        self.children.iter()
    }
}

/// How to take back one step of a multi.
#[derive(Clone, Debug)]
enum Undo<D> {
    Created(Path, Stat),
    Deleted(Path, Znode<D>, Stat),
    Set(Path, Option<D>, Stat),
    Nothing,
}

/// Znodes and sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree<D> {
    nodes: BTreeMap<Path, Znode<D>>,
    sessions: BTreeMap<SessionId, Span>,
    ephemerals: BTreeMap<SessionId, BTreeSet<Path>>,
}

impl<D: Data> Default for Tree<D> {
    fn default() -> Self {
        Tree::new()
    }
}

impl<D: Data> Tree<D> {
    /// A tree with nothing but a root.
    #[must_use]
    pub fn new() -> Tree<D> {
        let root = Znode { data: None, stat: Stat::default(), children: BTreeSet::new() };
        Tree {
            nodes: BTreeMap::from([(Path::from("/"), root)]),
            sessions: BTreeMap::new(),
            ephemerals: BTreeMap::new(),
        }
    }

    /// Puts a persistent znode into a tree that is to be there before the run, and the parents that
    /// it needs.
    pub fn plant(&mut self, path: &str, data: Option<D>) {
        if let Some(parent) = parent(path)
            && !self.nodes.contains_key(parent)
        {
            self.plant(parent, None);
        }
        if let Some(node) = self.nodes.get_mut(path) {
            node.data = data;
        } else {
            self.create(&Path::from(path), data, None, Zxid::ZERO);
        }
    }

    /// A znode.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Znode<D>> {
        self.nodes.get(path)
    }

    /// All znodes, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Znode<D>)> {
        self.nodes.iter()
    }

    /// Open sessions and their timeouts.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, Span)> {
        self.sessions.iter().map(|(session, timeout)| (*session, *timeout))
    }

    /// A session's timeout, if it is open.
    #[must_use]
    pub fn session(&self, session: SessionId) -> Option<Span> {
        self.sessions.get(&session).copied()
    }

    /// Bytes of a snapshot of it.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        let node = |(path, node): (&Path, &Znode<D>)| {
            path.len() as u32 + 80 + node.data.as_ref().map_or(0, Data::bytes)
        };
        self.nodes.iter().map(node).sum::<u32>() + self.sessions.len() as u32 * 12
    }

    /// What a write comes to here (`PrepRequestProcessor.java` 3.4.14, `pRequest2Txn`).
    #[must_use]
    pub fn prepare(&self, op: &Op<D>) -> Txn<D> {
        self.possible(op).unwrap_or_else(Txn::Failed)
    }

    fn possible(&self, op: &Op<D>) -> Result<Txn<D>, Error> {
        match op {
            Op::Create { path, data, mode } => self.creation(path, data.clone(), *mode),
            Op::Delete { path, version } => {
                if parent(path).is_none() {
                    return Err(Error::BadArguments);
                }
                let node = self.versioned(path, *version)?;
                if !node.children.is_empty() {
                    return Err(Error::NotEmpty);
                }
                Ok(Txn::Delete(path.clone()))
            }
            Op::SetData { path, data, version } => {
                self.versioned(path, *version)?;
                Ok(Txn::SetData(path.clone(), data.clone()))
            }
            Op::Check { path, version } => {
                self.versioned(path, Some(*version))?;
                Ok(Txn::Checked)
            }
            Op::Multi(_)
            | Op::Exists { .. }
            | Op::GetData { .. }
            | Op::GetChildren { .. }
            | Op::Sync => Err(Error::BadArguments),
        }
    }

    fn creation(&self, path: &Path, data: Option<D>, mode: Mode) -> Result<Txn<D>, Error> {
        let above = parent(path).ok_or(Error::NodeExists)?;
        let above = self.nodes.get(above).ok_or(Error::NoNode)?;
        // PrepRequestProcessor.java 3.4.14: the number is the parent's cversion.
        let path = if mode.sequential {
            Path::from(format!("{path}{:010}", above.stat.cversion))
        } else {
            path.clone()
        };
        if self.nodes.contains_key(&path) {
            return Err(Error::NodeExists);
        }
        if above.stat.ephemeral_owner.is_some() {
            return Err(Error::NoChildrenForEphemerals);
        }
        Ok(Txn::Create { path, data, ephemeral: mode.ephemeral })
    }

    fn versioned(&self, path: &str, version: Option<u32>) -> Result<&Znode<D>, Error> {
        let node = self.nodes.get(path).ok_or(Error::NoNode)?;
        match version {
            Some(version) if version != node.stat.version => Err(Error::BadVersion),
            _ => Ok(node),
        }
    }

    /// [`prepare`](Self::prepare) and [`apply`](Self::apply): the tree of the leader's proposals
    /// that may not be committed yet (`outstandingChanges`). A multi that fails leaves nothing
    /// (`PrepRequestProcessor.java` 3.4.14, `rollbackPendingChanges`).
    pub fn propose(&mut self, zxid: Zxid, session: SessionId, op: &Op<D>) -> Txn<D> {
        let Op::Multi(ops) = op else {
            let txn = self.prepare(op);
            self.apply(zxid, session, &txn, &mut Vec::new()).ok();
            return txn;
        };
        let (mut txns, mut undos) = (Vec::new(), Vec::new());
        for (index, op) in ops.iter().enumerate() {
            match self.possible(op) {
                Ok(txn) => {
                    undos.push(self.undo(&txn));
                    self.apply(zxid, session, &txn, &mut Vec::new()).ok();
                    txns.push(txn);
                }
                Err(error) => {
                    undos.into_iter().rev().for_each(|undo| self.take_back(undo));
                    let mut errors = vec![Error::RolledBack; ops.len()];
                    errors[index] = error;
                    return Txn::MultiFailed(errors);
                }
            }
        }
        Txn::Multi(txns)
    }

    fn stat_of(&self, path: &str) -> Stat {
        self.nodes.get(path).map_or_else(Stat::default, |node| node.stat)
    }

    fn undo(&self, txn: &Txn<D>) -> Undo<D> {
        let above = |path: &Path| self.stat_of(parent(path).unwrap_or("/"));
        match txn {
            Txn::Create { path, .. } => Undo::Created(path.clone(), above(path)),
            Txn::Delete(path) => Undo::Deleted(path.clone(), self.nodes[path].clone(), above(path)),
            Txn::SetData(path, _) => {
                let node = &self.nodes[path];
                Undo::Set(path.clone(), node.data.clone(), node.stat)
            }
            _ => Undo::Nothing,
        }
    }

    fn take_back(&mut self, undo: Undo<D>) {
        match undo {
            Undo::Created(path, above) => {
                self.delete(&path, Zxid::ZERO);
                self.restore_parent(&path, above);
            }
            Undo::Deleted(path, node, above) => {
                self.create(&path, node.data, node.stat.ephemeral_owner, Zxid::ZERO);
                self.nodes.get_mut(&path).expect("it was created").stat = node.stat;
                self.restore_parent(&path, above);
            }
            Undo::Set(path, data, stat) => {
                let node = self.nodes.get_mut(&path).expect("it was changed");
                (node.data, node.stat) = (data, stat);
            }
            Undo::Nothing => {}
        }
    }

    fn restore_parent(&mut self, path: &str, stat: Stat) {
        let above = self.nodes.get_mut(parent(path).unwrap_or("/"));
        above.expect("a parent outlives its children").stat = stat;
    }

    /// Does a transaction (`DataTree.java` 3.4.14, `processTxn`); what it changed is added to
    /// `changes`.
    ///
    /// # Errors
    /// The error that it carries; nothing is changed then.
    pub fn apply(
        &mut self,
        zxid: Zxid,
        session: SessionId,
        txn: &Txn<D>,
        changes: &mut Vec<Change>,
    ) -> Outcome<D> {
        let mut changed = |path: &Path, kind| changes.push(Change { path: path.clone(), kind });
        match txn {
            Txn::Open { timeout } => {
                self.sessions.insert(session, *timeout);
                Ok(Answer::Done)
            }
            Txn::Close => {
                self.sessions.remove(&session);
                for path in self.ephemerals.remove(&session).unwrap_or_default() {
                    self.delete(&path, zxid);
                    changed(&path, WatchKind::Deleted);
                }
                Ok(Answer::Done)
            }
            Txn::Create { path, data, ephemeral } => {
                self.create(path, data.clone(), ephemeral.then_some(session), zxid);
                changed(path, WatchKind::Created);
                Ok(Answer::Created(path.clone()))
            }
            Txn::Delete(path) => {
                self.delete(path, zxid);
                changed(path, WatchKind::Deleted);
                Ok(Answer::Done)
            }
            Txn::SetData(path, data) => {
                let node = self.nodes.get_mut(path).expect("it was there when it was proposed");
                node.data.clone_from(data);
                node.stat.version += 1;
                node.stat.mzxid = zxid;
                let stat = node.stat();
                changed(path, WatchKind::DataChanged);
                Ok(Answer::Stat(stat))
            }
            Txn::Checked => Ok(Answer::Done),
            Txn::Multi(txns) => {
                let outcomes = txns.iter().map(|txn| self.apply(zxid, session, txn, changes));
                Ok(Answer::Multi(outcomes.collect()))
            }
            Txn::Failed(error) => Err(*error),
            Txn::MultiFailed(errors) => {
                Ok(Answer::Multi(errors.iter().map(|error| Err(*error)).collect()))
            }
        }
    }

    fn create(&mut self, path: &Path, data: Option<D>, owner: Option<SessionId>, zxid: Zxid) {
        let above = self.nodes.get_mut(parent(path).unwrap_or("/")).expect("it has a parent");
        above.children.insert(Path::from(name(path)));
        above.stat.cversion += 1;
        above.stat.pzxid = zxid;
        if let Some(owner) = owner {
            self.ephemerals.entry(owner).or_default().insert(path.clone());
        }
        let stat = Stat {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ephemeral_owner: owner,
            ..Stat::default()
        };
        self.nodes.insert(path.clone(), Znode { data, stat, children: BTreeSet::new() });
    }

    fn delete(&mut self, path: &Path, zxid: Zxid) {
        let Some(node) = self.nodes.remove(path) else { return };
        let above = self.nodes.get_mut(parent(path).unwrap_or("/")).expect("it has a parent");
        above.children.remove(name(path));
        above.stat.pzxid = zxid;
        if let Some(owner) = node.stat.ephemeral_owner
            && let Some(paths) = self.ephemerals.get_mut(&owner)
        {
            paths.remove(path);
            if paths.is_empty() {
                self.ephemerals.remove(&owner);
            }
        }
    }

    /// A read (`FinalRequestProcessor.java` 3.4.14).
    ///
    /// # Errors
    /// `NoNode`; `BadArguments` for what is no read.
    pub fn read(&self, op: &Op<D>) -> Outcome<D> {
        let node = |path: &Path| self.nodes.get(path).ok_or(Error::NoNode);
        match op {
            Op::Exists { path, .. } => Ok(Answer::Stat(node(path)?.stat())),
            Op::GetData { path, .. } => {
                let node = node(path)?;
                Ok(Answer::Data(node.data.clone(), node.stat()))
            }
            Op::GetChildren { path, .. } => {
                let node = node(path)?;
                Ok(Answer::Children(node.children.iter().cloned().collect(), node.stat()))
            }
            _ => Err(Error::BadArguments),
        }
    }
}
