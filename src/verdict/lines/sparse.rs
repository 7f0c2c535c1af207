//! A small map from the 256 positions of a chunk to values, which costs little more than its
//! values.

/// Positions in a chunk.
pub(in crate::verdict) const POSITIONS: usize = 256;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Positions([u64; 4]);

impl Positions {
    pub(super) fn contains(&self, position: u8) -> bool {
        self.0[position as usize >> 6] >> (position & 63) & 1 == 1
    }

    pub(super) fn insert(&mut self, position: u8) {
        self.0[position as usize >> 6] |= 1 << (position & 63);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    pub(super) fn remove(&mut self, position: u8) {
        self.0[position as usize >> 6] &= !(1 << (position & 63));
    }

    /// How many members lie before `position`.
    fn rank(&self, position: u8) -> usize {
        let word = position as usize >> 6;
        let before: u32 = self.0[..word].iter().map(|w| w.count_ones()).sum();
        let below = self.0[word] & ((1 << (position & 63)) - 1);
        (before + below.count_ones()) as usize
    }

    fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().enumerate().flat_map(|(word, &bits)| {
            let mut left = bits;
            std::iter::from_fn(move || {
                (left != 0).then(|| {
                    let bit = left.trailing_zeros();
                    left &= left - 1;
                    (word as u32 * 64 + bit) as u8
                })
            })
        })
    }
}

/// Values at some of the positions. A removed value leaves a hole, and holes are squeezed out when
/// there are more than an eighth as many as values, so that a removal costs O(1) amortised and the
/// memory stays close to that of the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sparse<T> {
    /// Which positions own an entry of `values`.
    slotted: Positions,
    /// Those of them whose entry is no hole.
    live: Positions,
    values: Vec<T>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Sparse<T> {
        Sparse { slotted: Positions::default(), live: Positions::default(), values: Vec::new() }
    }
}

impl<T: Copy> Sparse<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(super) fn get(&self, position: u8) -> Option<T> {
        self.live.contains(position).then(|| self.values[self.slotted.rank(position)])
    }

    pub(super) fn get_mut(&mut self, position: u8) -> Option<&mut T> {
        if !self.live.contains(position) {
            return None;
        }
        Some(&mut self.values[self.slotted.rank(position)])
    }

    pub(super) fn insert(&mut self, position: u8, value: T) {
        let rank = self.slotted.rank(position);
        if self.slotted.contains(position) {
            self.values[rank] = value;
        } else {
            self.values.insert(rank, value);
            self.slotted.insert(position);
        }
        self.live.insert(position);
    }

    pub(super) fn remove(&mut self, position: u8) {
        if !self.live.contains(position) {
            return;
        }
        self.live.remove(position);
        let left = self.live.len();
        if left == 0 {
            *self = Sparse::default();
        } else if self.values.len() - left > (left / 8).max(4) {
            self.squeeze(left);
        }
    }

    fn squeeze(&mut self, left: usize) {
        let mut kept = 0;
        for (index, position) in self.slotted.iter().enumerate() {
            if self.live.contains(position) {
                self.values[kept] = self.values[index];
                kept += 1;
            }
        }
        debug_assert_eq!(kept, left, "every live position owns an entry");
        self.values.truncate(kept);
        self.slotted = self.live;
        if self.values.capacity() > left + left / 8 + 4 {
            self.values.shrink_to(left);
        }
    }

    /// The values, holes included: for a change that no reader of a hole can see.
    pub(super) fn values_mut(&mut self) -> &mut [T] {
        &mut self.values
    }

    /// Bytes on the heap.
    pub(super) fn heap(&self) -> usize {
        self.values.capacity() * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((any::<u8>(), any::<Option<u32>>()), 0..900)) {
            let mut sparse = Sparse::default();
            let mut map = BTreeMap::new();
            for (position, value) in steps {
                match value {
                    Some(value) => {
                        sparse.insert(position, value);
                        map.insert(position, value);
                    }
                    None => {
                        sparse.remove(position);
                        map.remove(&position);
                    }
                }
                prop_assert_eq!(sparse.is_empty(), map.is_empty());
            }
            for position in 0..=255 {
                prop_assert_eq!(sparse.get(position), map.get(&position).copied());
                prop_assert_eq!(sparse.get_mut(position).copied(), map.get(&position).copied());
            }
            let holes = sparse.values.len() - map.len();
            prop_assert!(holes <= (map.len() / 8).max(4), "{} holes beside {}", holes, map.len());
        }
    }
}
