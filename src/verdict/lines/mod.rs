//! Where the state of every line is kept: by producer and destination (a *track*), by sequence.
//!
//! A track is a sequence of blocks of 64 chunks of 256 lines. A chunk or a block all of whose
//! lines have come to the same end, with no time left to remember, is stored as that one state;
//! what remains is about 10 bytes for a line that is still open, 1 to 2 for a settled line among
//! open ones, and next to nothing for settled lines in contiguous runs.

mod chunk;
mod sparse;
mod state;

use chunk::Live;
pub(super) use chunk::Times;
use sparse::POSITIONS;
pub(super) use state::{Answer, Flags, State};

use crate::engine::Time;

/// Chunks in a block.
const CHUNKS: usize = 64;

#[derive(Clone, Debug)]
enum Chunk {
    Uniform(State),
    Live(Box<Live>),
}

#[derive(Clone, Debug)]
enum Block {
    Uniform(State),
    Open(Box<[Chunk; CHUNKS]>),
}

/// The lines of one producer at one destination.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    blocks: Vec<Block>,
}

/// One line of a track, to be read and changed.
pub(super) struct Line<'a> {
    chunk: &'a mut Chunk,
    position: u8,
    /// Its sequence number.
    pub(super) sequence: u32,
}

impl Line<'_> {
    fn live(&mut self) -> &mut Live {
        if let Chunk::Uniform(state) = *self.chunk {
            *self.chunk = Chunk::Live(Box::new(Live::uniform(state)));
        }
        match self.chunk {
            Chunk::Live(live) => live,
            Chunk::Uniform(_) => unreachable!("a uniform chunk has just been made live"),
        }
    }

    pub(super) fn state(&self) -> State {
        match &*self.chunk {
            Chunk::Uniform(state) => *state,
            Chunk::Live(live) => live.state(self.position),
        }
    }

    pub(super) fn put(&mut self, state: State) {
        match self.chunk {
            Chunk::Uniform(old) if *old == state => {}
            _ => {
                let position = self.position;
                self.live().put(position, state);
            }
        }
    }

    pub(super) fn times(&self) -> Option<Times> {
        match &*self.chunk {
            Chunk::Uniform(_) => None,
            Chunk::Live(live) => live.times(self.position),
        }
    }

    /// Begins to keep the line's times.
    pub(super) fn open_times(&mut self, intended: Time) {
        let position = self.position;
        self.live().open_times(position, intended);
    }

    /// Sets the time of its last transmission or answer, if its times are kept.
    pub(super) fn mark(&mut self, at: Time) {
        if let Chunk::Live(live) = self.chunk {
            live.mark(self.position, at);
        }
    }

    /// Forgets the line's times.
    pub(super) fn close_times(&mut self) {
        if let Chunk::Live(live) = self.chunk {
            live.close_times(self.position);
        }
    }

    /// Notes that a removal at `at` names the line's loss; `true` if an earlier one at the same
    /// instant did so already.
    pub(super) fn name(&mut self, at: Time) -> bool {
        let position = self.position;
        self.live().name(position, at)
    }

    /// Remembers when the line's last copy went. Must follow [`Line::name`].
    pub(super) fn bury(&mut self, at: Time) {
        let position = self.position;
        self.live().bury(position, at);
    }

    /// Forgets that its last copy ever went.
    pub(super) fn dig_up(&mut self) {
        if let Chunk::Live(live) = self.chunk {
            live.dig_up(self.position);
        }
    }
}

/// Consecutive lines in the same state, or one line with its times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) first: u32,
    pub(super) count: u32,
    pub(super) state: State,
    /// Its times, if they are kept (then `count` is 1).
    pub(super) times: Option<Times>,
    /// When its last copy went (then `count` is 1).
    pub(super) lost_at: Option<Time>,
}

impl Track {
    /// Calls `change` for each line of a range, in order.
    #[inline]
    pub(super) fn visit(&mut self, first: u32, count: u32, mut change: impl FnMut(&mut Line<'_>)) {
        let end = u64::from(first) + u64::from(count);
        let mut next = u64::from(first);
        while next < end {
            let index = (next / POSITIONS as u64) as usize;
            let upto = end.min((index as u64 + 1) * POSITIONS as u64);
            let chunk = self.chunk(index);
            for sequence in next as u32..=(upto - 1) as u32 {
                let position = (sequence % POSITIONS as u32) as u8;
                change(&mut Line { chunk: &mut *chunk, position, sequence });
            }
            let position = ((upto - 1) % POSITIONS as u64) as u8;
            if let Chunk::Live(live) = chunk
                && let Some(state) = live.as_uniform(position)
            {
                *chunk = Chunk::Uniform(state);
            }
            if matches!(chunk, Chunk::Uniform(_)) {
                self.close_block(index / CHUNKS);
            }
            next = upto;
        }
    }

    fn chunk(&mut self, index: usize) -> &mut Chunk {
        let block = index / CHUNKS;
        if block >= self.blocks.len() {
            self.blocks.resize(block + 1, Block::Uniform(State::default()));
        }
        let block = &mut self.blocks[block];
        if let Block::Uniform(state) = *block {
            let chunks = std::array::from_fn(|_| Chunk::Uniform(state));
            *block = Block::Open(Box::new(chunks));
        }
        match block {
            Block::Open(chunks) => &mut chunks[index % CHUNKS],
            Block::Uniform(_) => unreachable!("a uniform block has just been opened"),
        }
    }

    /// Stores a block as one state if all of its chunks have come to it.
    fn close_block(&mut self, index: usize) {
        let Block::Open(chunks) = &self.blocks[index] else { return };
        let Chunk::Uniform(state) = chunks[CHUNKS - 1] else { return };
        if chunks.iter().all(|chunk| matches!(chunk, Chunk::Uniform(other) if *other == state)) {
            self.blocks[index] = Block::Uniform(state);
        }
    }

    /// All lines that were attempted, in order.
    pub(super) fn scan(&self, mut see: impl FnMut(Stretch)) {
        let mut see = |first: usize, count: usize, state: State, of: Option<(&Live, u8)>| {
            if state.is(Flags::ATTEMPTED) {
                let times = of.and_then(|(live, position)| live.times(position));
                let lost_at = of.and_then(|(live, position)| live.lost_at(position));
                see(Stretch { first: first as u32, count: count as u32, state, times, lost_at });
            }
        };
        for (b, block) in self.blocks.iter().enumerate() {
            let start = b * CHUNKS * POSITIONS;
            let chunks = match block {
                Block::Uniform(state) => {
                    see(start, CHUNKS * POSITIONS, *state, None);
                    continue;
                }
                Block::Open(chunks) => chunks,
            };
            for (c, chunk) in chunks.iter().enumerate() {
                let start = start + c * POSITIONS;
                match chunk {
                    Chunk::Uniform(state) => see(start, POSITIONS, *state, None),
                    Chunk::Live(live) => {
                        for position in 0..POSITIONS {
                            let at = position as u8;
                            see(start + position, 1, live.state(at), Some((live, at)));
                        }
                    }
                }
            }
        }
    }

    /// Bytes on the heap.
    pub(super) fn footprint(&self) -> usize {
        let block = |block: &Block| match block {
            Block::Uniform(_) => 0,
            Block::Open(chunks) => {
                let live = chunks.iter().map(|chunk| match chunk {
                    Chunk::Uniform(_) => 0,
                    Chunk::Live(live) => live.footprint(),
                });
                size_of::<[Chunk; CHUNKS]>() + live.sum::<usize>()
            }
        };
        let blocks = self.blocks.capacity() * size_of::<Block>();
        blocks + self.blocks.iter().map(block).sum::<usize>()
    }
}

#[cfg(test)]
mod tests;
