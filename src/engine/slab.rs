//! Reused storage with small keys.

use std::ops::{Index, IndexMut};

/// Items under dense `u32` keys; the key that was freed last is given out first.
#[derive(Clone, Debug)]
pub struct Slab<T> {
    cells: Vec<Cell<T>>,
    free: u32,
    len: u32,
}

#[derive(Clone, Debug)]
enum Cell<T> {
    Full(T),
    /// The next free cell, or `NONE`.
    Free(u32),
}

const NONE: u32 = u32::MAX;

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab::new()
    }
}

impl<T> Slab<T> {
    /// An empty slab.
    #[must_use]
    pub const fn new() -> Slab<T> {
        Slab { cells: Vec::new(), free: NONE, len: 0 }
    }

    /// Stores an item and returns its key.
    pub fn insert(&mut self, item: T) -> u32 {
        self.len += 1;
        if self.free == NONE {
            self.cells.push(Cell::Full(item));
            return self.cells.len() as u32 - 1;
        }
        let key = self.free;
        let old = std::mem::replace(&mut self.cells[key as usize], Cell::Full(item));
        if let Cell::Free(next) = old {
            self.free = next;
        }
        key
    }

    /// Takes an item out; `None` if there is none under this key.
    pub fn remove(&mut self, key: u32) -> Option<T> {
        let cell = self.cells.get_mut(key as usize)?;
        if let Cell::Free(_) = cell {
            return None;
        }
        match std::mem::replace(cell, Cell::Free(self.free)) {
            Cell::Full(item) => {
                self.free = key;
                self.len -= 1;
                Some(item)
            }
            Cell::Free(_) => None,
        }
    }

    /// The item under a key.
    #[must_use]
    pub fn get(&self, key: u32) -> Option<&T> {
        match self.cells.get(key as usize)? {
            Cell::Full(item) => Some(item),
            Cell::Free(_) => None,
        }
    }

    /// The item under a key, to be changed.
    pub fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        match self.cells.get_mut(key as usize)? {
            Cell::Full(item) => Some(item),
            Cell::Free(_) => None,
        }
    }

    /// Number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All items with their keys, in order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.cells.iter().enumerate().filter_map(|(key, cell)| match cell {
            Cell::Full(item) => Some((key as u32, item)),
            Cell::Free(_) => None,
        })
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    /// The item under a key.
    ///
    /// # Panics
    /// If there is none.
    fn index(&self, key: u32) -> &T {
        self.get(key).expect("a key of the slab")
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, key: u32) -> &mut T {
        self.get_mut(key).expect("a key of the slab")
    }
}

/// The key of a [`TimerSlab`]: a slot and the number of its use, so that a stale key is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerKey {
    /// The slot.
    pub slot: u32,
    /// How often the slot had been freed when this key was given out.
    pub generation: u32,
}

/// Items under generation-counted keys: a key that was used up finds nothing.
#[derive(Clone, Debug)]
pub struct TimerSlab<T> {
    cells: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Default for TimerSlab<T> {
    fn default() -> TimerSlab<T> {
        TimerSlab::new()
    }
}

impl<T> TimerSlab<T> {
    /// An empty slab.
    #[must_use]
    pub const fn new() -> TimerSlab<T> {
        TimerSlab { cells: Vec::new(), free: Vec::new() }
    }

    /// Stores an item and returns its key.
    pub fn insert(&mut self, item: T) -> TimerKey {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.cells.push((0, None));
            self.cells.len() as u32 - 1
        });
        let cell = &mut self.cells[slot as usize];
        cell.1 = Some(item);
        TimerKey { slot, generation: cell.0 }
    }

    /// Takes an item out; `None` if the key was used up.
    pub fn remove(&mut self, key: TimerKey) -> Option<T> {
        let cell = self.cells.get_mut(key.slot as usize)?;
        if cell.0 != key.generation {
            return None;
        }
        let item = cell.1.take()?;
        cell.0 = cell.0.wrapping_add(1);
        self.free.push(key.slot);
        Some(item)
    }

    /// The item under a key; `None` if the key was used up.
    #[must_use]
    pub fn get(&self, key: TimerKey) -> Option<&T> {
        self.cells.get(key.slot as usize).filter(|c| c.0 == key.generation)?.1.as_ref()
    }

    /// The item under a key, to be changed; `None` if the key was used up.
    pub fn get_mut(&mut self, key: TimerKey) -> Option<&mut T> {
        self.cells.get_mut(key.slot as usize).filter(|c| c.0 == key.generation)?.1.as_mut()
    }

    /// All items, in order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = (TimerKey, &T)> {
        self.cells.iter().enumerate().filter_map(|(slot, (generation, item))| {
            let key = TimerKey { slot: slot as u32, generation: *generation };
            item.as_ref().map(|item| (key, item))
        })
    }

    /// Number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len() - self.free.len()
    }

    /// Whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_freed_key_is_used_first() {
        let mut slab = Slab::default();
        let keys: Vec<u32> = ["a", "b", "c"].map(|item| slab.insert(item)).to_vec();
        assert_eq!(keys, [0, 1, 2]);
        assert_eq!((slab.remove(0), slab.remove(2), slab.remove(2)), (Some("a"), Some("c"), None));
        assert_eq!((slab.get(2), slab.get(9), slab.len()), (None, None, 1));
        assert_eq!((slab.insert("d"), slab.insert("e"), slab.insert("f")), (2, 0, 3));
        slab[3] = "g";
        let all: Vec<(u32, &str)> = slab.iter().map(|(key, item)| (key, *item)).collect();
        assert_eq!(all, [(0, "e"), (1, "b"), (2, "d"), (3, "g")]);
    }

    #[test]
    fn a_stale_timer_key_finds_nothing() {
        let mut slab = TimerSlab::default();
        let first = slab.insert(1);
        assert_eq!((slab.get(first), slab.len()), (Some(&1), 1));
        assert_eq!((slab.remove(first), slab.remove(first)), (Some(1), None));
        let second = slab.insert(2);
        assert_eq!(second.slot, first.slot);
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.get_mut(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.iter().collect::<Vec<_>>(), [(second, &2)]);
        assert_eq!((slab.remove(second), slab.is_empty()), (Some(2), true));
    }

    proptest! {
        /// Against a map from keys to items: what was inserted is found under its key, once.
        #[test]
        fn both_slabs_are_maps(
            steps in prop::collection::vec((any::<bool>(), 0..64_usize), 1..200),
        ) {
            let (mut slab, mut timers) = (Slab::new(), TimerSlab::new());
            let mut kept: Vec<(u32, TimerKey, usize)> = Vec::new();
            for (number, (insert, which)) in steps.into_iter().enumerate() {
                if insert || kept.is_empty() {
                    kept.push((slab.insert(number), timers.insert(number), number));
                } else {
                    let (key, timer, item) = kept.swap_remove(which % kept.len());
                    prop_assert_eq!(slab.remove(key), Some(item));
                    prop_assert_eq!(timers.remove(timer), Some(item));
                    prop_assert_eq!(timers.remove(timer), None);
                }
                prop_assert_eq!((slab.len(), timers.len()), (kept.len(), kept.len()));
                prop_assert_eq!(slab.is_empty(), kept.is_empty());
                for (key, timer, item) in &kept {
                    prop_assert_eq!((slab.get(*key), timers.get(*timer)), (Some(item), Some(item)));
                }
            }
        }
    }
}
