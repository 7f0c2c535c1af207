//! What is in the message store of a node: bodies, the files that they are in, and who refers to
//! them.
//!
//! The tables are shared by the store's process and its clients, the queues' processes
//! (rabbit_msg_store.erl: the ETS tables `cur_file_cache_ets`, `flying_ets`, `file_summary_ets`).
//! While the node is down they are the image of its disk.

use std::collections::{BTreeMap, VecDeque};

use crate::observe::MessageRange;
use crate::world::{Context, DiskError, DiskView, FileId};

use super::super::super::message::Message;
use super::body_bytes;

/// A file is rolled when it has grown to this (deps/rabbit/Makefile v3.10, PROJECT_ENV:
/// `msg_store_file_size_limit`).
const FILE_SIZE_LIMIT: u64 = 16 << 20;

/// A body by its number, from 1; 0 is none.
pub type BodyId = u64;

/// Where a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On its way to the store's process.
    Flying,
    /// In the file of this slot, up to this offset.
    Filed { file: u32, end: u64 },
    /// Nowhere: it never came, was lost, or its file is deleted.
    Gone,
}

#[derive(Clone, Copy, Debug)]
struct Body {
    key: (u32, u32),
    size: u64,
    /// Queues that hold it.
    refs: u32,
    place: Place,
}

#[derive(Clone, Copy, Debug, Default)]
struct StoreFile {
    /// Bytes appended, and those of them that were written to the operating system.
    length: u64,
    written: u64,
    /// Bytes of bodies that somebody refers to.
    valid: u64,
    in_use: bool,
}

/// What became of a body that a queue has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filing {
    /// Nobody wants it any more.
    Unwanted,
    /// It is in the current file, and as safe as that is.
    Current,
    /// It is in an older file, which was closed.
    Older,
}

/// The tables of a node's store.
#[derive(Clone, Debug)]
pub struct Bodies {
    base: BodyId,
    bodies: VecDeque<Body>,
    by_key: BTreeMap<(u32, u32), BodyId>,
    files: Vec<StoreFile>,
    current: usize,
    /// The first file of the node's disk that is the store's.
    first_file: u32,
    /// Its process ended in order, and its tables are on the disk.
    clean: bool,
}

impl Bodies {
    /// An empty store, whose files are numbered from `first_file` on.
    #[must_use]
    pub fn new(first_file: u32) -> Bodies {
        Bodies {
            base: 1,
            bodies: VecDeque::new(),
            by_key: BTreeMap::new(),
            files: vec![StoreFile { in_use: true, ..StoreFile::default() }],
            current: 0,
            first_file,
            clean: false,
        }
    }

    fn body(&mut self, id: BodyId) -> Option<&mut Body> {
        let index = id.checked_sub(self.base)? as usize;
        self.bodies.get_mut(index)
    }

    fn file_id(&self, slot: usize) -> FileId {
        FileId(self.first_file + slot as u32)
    }

    /// A queue holds this message: its body, which is one for all queues of the node
    /// (rabbit_msg_store.erl: `write_action`, reference counts).
    pub fn refer(&mut self, message: MessageRange) -> BodyId {
        let key = (message.producer.0, message.first);
        if let Some(&known) = self.by_key.get(&key)
            && let Some(body) = self.body(known)
        {
            body.refs += 1;
            return known;
        }
        let id = self.base + self.bodies.len() as u64;
        let size = body_bytes(message);
        self.bodies.push_back(Body { key, size, refs: 1, place: Place::Flying });
        self.by_key.insert(key, id);
        id
    }

    /// A queue does not hold it any more. What nobody refers to is garbage, and a closed file with
    /// nothing else in it is deleted (rabbit_msg_store.erl: `remove_message`,
    /// `delete_file_if_empty`).
    pub fn unrefer(&mut self, ctx: &mut Context<'_, Message>, id: BodyId) {
        if let Some(slot) = self.release(id)
            && slot != self.current
            && self.files[slot].valid == 0
        {
            self.delete(ctx, slot);
        }
        self.forget_gone();
    }

    /// One reference less; the file if nobody refers to the body any more.
    fn release(&mut self, id: BodyId) -> Option<usize> {
        let body = self.body(id)?;
        body.refs = body.refs.saturating_sub(1);
        if body.refs > 0 {
            return None;
        }
        let (key, size, place) = (body.key, body.size, body.place);
        if place == Place::Flying {
            body.place = Place::Gone;
        }
        if self.by_key.get(&key) == Some(&id) {
            self.by_key.remove(&key);
        }
        let Place::Filed { file, .. } = place else { return None };
        let file = file as usize;
        self.files[file].valid = self.files[file].valid.saturating_sub(size);
        Some(file)
    }

    fn delete(&mut self, ctx: &mut Context<'_, Message>, slot: usize) {
        ctx.truncate(self.file_id(slot), 0);
        self.files[slot] = StoreFile::default();
        for body in &mut self.bodies {
            if matches!(body.place, Place::Filed { file, .. } if file as usize == slot) {
                body.place = Place::Gone;
            }
        }
    }

    fn forget_gone(&mut self) {
        while self.bodies.front().is_some_and(|body| body.refs == 0 && body.place == Place::Gone) {
            self.bodies.pop_front();
            self.base += 1;
        }
    }

    /// The store's process has got a body: it goes to the end of the current file, if it is not in
    /// one already.
    pub fn append(&mut self, id: BodyId) -> Filing {
        let current = self.current;
        let Some(body) = self.body(id).filter(|body| body.refs > 0) else {
            return Filing::Unwanted;
        };
        match body.place {
            Place::Gone => Filing::Unwanted,
            Place::Filed { file, .. } if file as usize == current => Filing::Current,
            Place::Filed { .. } => Filing::Older,
            Place::Flying => {
                let size = body.size;
                let end = self.files[current].length + size;
                if let Some(body) = self.body(id) {
                    body.place = Place::Filed { file: current as u32, end };
                }
                self.files[current].length = end;
                self.files[current].valid += size;
                Filing::Current
            }
        }
    }

    /// Bytes in the write buffer.
    #[must_use]
    pub fn buffered(&self) -> u64 {
        let file = &self.files[self.current];
        file.length - file.written
    }

    /// Writes the buffer to the operating system.
    ///
    /// # Errors
    /// The disk is full: the buffer stays as it is.
    pub fn write(&mut self, ctx: &mut Context<'_, Message>) -> Result<(), DiskError> {
        let bytes = self.buffered();
        if bytes > 0 {
            ctx.write(self.current_file(), bytes)?;
            self.files[self.current].written += bytes;
        }
        Ok(())
    }

    /// The file to which bodies are appended.
    #[must_use]
    pub fn current_file(&self) -> FileId {
        self.file_id(self.current)
    }

    /// Whether the current file has its size (rabbit_msg_store.erl: `maybe_roll_to_new_file`).
    #[must_use]
    pub fn is_file_full(&self) -> bool {
        self.files[self.current].length >= FILE_SIZE_LIMIT
    }

    /// The current file is closed, a new one begins.
    pub fn roll(&mut self, ctx: &mut Context<'_, Message>) {
        let closed = self.current;
        let free = self.files.iter().position(|file| !file.in_use);
        self.current = free.unwrap_or_else(|| {
            self.files.push(StoreFile::default());
            self.files.len() - 1
        });
        self.files[self.current] = StoreFile { in_use: true, ..StoreFile::default() };
        if self.files[closed].valid == 0 {
            self.delete(ctx, closed);
        }
    }

    /// Its process has ended in order (rabbit_msg_store.erl: `terminate`).
    pub fn closed(&mut self) {
        self.clean = true;
    }

    /// Bytes to read as it starts: all files, if it was not stopped in order
    /// (rabbit_msg_store.erl: `build_index`).
    #[must_use]
    pub fn bytes_to_scan(&self) -> u64 {
        if self.clean { 0 } else { self.files.iter().map(|file| file.written).sum() }
    }

    /// The store starts on what is on the disk: files in which nobody has anything are deleted, and
    /// the last one is cut after its last body that is whole.
    pub fn open(&mut self, ctx: &mut Context<'_, Message>) {
        self.clean = false;
        for slot in 0..self.files.len() {
            if slot != self.current && self.files[slot].in_use && self.files[slot].valid == 0 {
                self.delete(ctx, slot);
            }
        }
        let current = self.current as u32;
        let ends = self.bodies.iter().filter_map(|body| match body.place {
            Place::Filed { file, end } if file == current => Some(end),
            _ => None,
        });
        let end = ends.max().unwrap_or(0);
        if self.files[self.current].length > end {
            ctx.truncate(self.current_file(), end);
            let file = &mut self.files[self.current];
            (file.length, file.written) = (end, end);
        }
        self.forget_gone();
    }

    /// The process is gone: what the disk has not kept is nowhere.
    pub fn died(&mut self, disk: &DiskView<'_>) {
        let kept: Vec<u64> =
            (0..self.files.len()).map(|slot| disk.kept(self.file_id(slot))).collect();
        for body in &mut self.bodies {
            let survives = matches!(
                body.place,
                Place::Filed { file, end } if end <= kept[file as usize]
            );
            if !survives {
                if let Place::Filed { file, .. } = body.place
                    && body.refs > 0
                {
                    let file = &mut self.files[file as usize];
                    file.valid = file.valid.saturating_sub(body.size);
                }
                body.place = Place::Gone;
            }
        }
        for (file, kept) in self.files.iter_mut().zip(kept) {
            (file.length, file.written) = (kept, kept);
        }
    }

    /// After [`Self::died`]: whether the body is on the disk.
    #[must_use]
    pub fn survives(&self, id: BodyId) -> bool {
        let index = id.checked_sub(self.base).map(|index| index as usize);
        let body = index.and_then(|index| self.bodies.get(index));
        body.is_some_and(|body| matches!(body.place, Place::Filed { .. }))
    }

    /// After [`Self::died`]: an entry of an index refers to it again.
    pub fn take_back(&mut self, id: BodyId) {
        let Some(body) = self.body(id) else { return };
        body.refs += 1;
        let (key, size, place, refs) = (body.key, body.size, body.place, body.refs);
        if refs == 1
            && let Place::Filed { file, .. } = place
        {
            self.files[file as usize].valid += size;
            self.by_key.insert(key, id);
        }
    }

    /// After [`Self::died`]: no entry of a certain index refers to it any more.
    pub fn drop_reference(&mut self, id: BodyId) {
        self.release(id);
    }
}
