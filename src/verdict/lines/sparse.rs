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

    /// How many members lie in the word of `position` before it.
    fn rank_in_word(&self, position: u8) -> usize {
        let below = self.0[position as usize >> 6] & ((1 << (position & 63)) - 1);
        below.count_ones() as usize
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
    /// How many of `slotted` lie in earlier words than each.
    before: [u8; 4],
    /// How many are in `live`.
    count: u16,
    values: Vec<T>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Sparse<T> {
        Sparse {
            slotted: Positions::default(),
            live: Positions::default(),
            before: [0; 4],
            count: 0,
            values: Vec::new(),
        }
    }
}

impl<T: Copy> Sparse<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The entry that `position` owns, or would.
    fn rank(&self, position: u8) -> usize {
        self.before[position as usize >> 6] as usize + self.slotted.rank_in_word(position)
    }

    pub(super) fn get(&self, position: u8) -> Option<T> {
        self.live.contains(position).then(|| self.values[self.rank(position)])
    }

    pub(super) fn get_mut(&mut self, position: u8) -> Option<&mut T> {
        if !self.live.contains(position) {
            return None;
        }
        let rank = self.rank(position);
        Some(&mut self.values[rank])
    }

    pub(super) fn insert(&mut self, position: u8, value: T) {
        let rank = self.rank(position);
        if self.slotted.contains(position) {
            self.values[rank] = value;
        } else {
            self.values.insert(rank, value);
            self.slotted.insert(position);
            for later in &mut self.before[(position as usize >> 6) + 1..] {
                *later += 1;
            }
        }
        self.count += u16::from(!self.live.contains(position));
        self.live.insert(position);
    }

    pub(super) fn remove(&mut self, position: u8) {
        if !self.live.contains(position) {
            return;
        }
        self.live.remove(position);
        self.count -= 1;
        let left = self.count as usize;
        if self.values.len() - left > (left / 8).max(4) {
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
        let mut before = 0;
        for (word, bits) in self.live.0.iter().enumerate() {
            // Three words have 192 positions at most.
            self.before[word] = before as u8;
            before += bits.count_ones();
        }
        if self.values.capacity() > left + left / 8 + 8 {
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
        fn behaves_as_a_map(
            steps in prop::collection::vec((any::<u8>(), any::<Option<u32>>()), 0..900),
        ) {
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
