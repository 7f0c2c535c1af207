//! How a network is parted.

use crate::engine::Stream;
use crate::observe::NodeId;

use super::super::Direction;

/// A way to part hosts: those of Jepsen (`jepsen.nemesis`: bisect, split-one, bridge,
/// majorities-ring), partial cuts and one-way cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    One,
    Minority,
    Halves,
    OneWay,
    Pair,
    Bridge,
    MajoritiesRing,
}

/// Sides between which packets do not get through, and which way; `None` as the fault says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) sides: [Vec<NodeId>; 2],
    pub(super) direction: Option<Direction>,
}

impl Shape {
    pub(super) const NAMES: &'static [&'static str] =
        &["one", "minority", "halves", "one-way", "pair", "bridge", "majorities-ring"];

    const ALL: [Shape; 7] = [
        Shape::One,
        Shape::Minority,
        Shape::Halves,
        Shape::OneWay,
        Shape::Pair,
        Shape::Bridge,
        Shape::MajoritiesRing,
    ];

    /// The shape of this name.
    pub(super) fn named(name: &str) -> Option<Shape> {
        let index = Shape::NAMES.iter().position(|known| *known == name)?;
        Some(Shape::ALL[index])
    }

    /// The least number of hosts of which it can be made.
    pub(super) const fn least(self) -> usize {
        match self {
            Shape::One | Shape::Halves | Shape::OneWay => 2,
            Shape::Minority | Shape::Pair | Shape::Bridge | Shape::MajoritiesRing => 3,
        }
    }

    /// Draws the cuts that make it. There are at least [`Shape::least`] hosts.
    pub(super) fn draw(self, hosts: &[NodeId], stream: &mut Stream) -> Vec<Cut> {
        let mut order = hosts.to_vec();
        stream.shuffle(&mut order);
        let count = order.len();
        let part = |at: usize| vec![Cut::between(&order[..at], &order[at..], None)];
        match self {
            Shape::One => part(1),
            Shape::Minority => part(stream.between(1, (count as u64 - 1) / 2) as usize),
            Shape::Halves => part(count / 2),
            Shape::OneWay => {
                let (one, rest) = order.split_at(1);
                let (from, to) = if stream.below(2) == 0 { (one, rest) } else { (rest, one) };
                vec![Cut::between(from, to, Some(Direction::Forth))]
            }
            Shape::Pair => vec![Cut::between(&order[..1], &order[1..2], None)],
            Shape::Bridge => {
                let rest = &order[1..];
                let (left, right) = rest.split_at(rest.len() / 2);
                vec![Cut::between(left, right, None)]
            }
            Shape::MajoritiesRing => ring(&order),
        }
    }
}

impl Cut {
    fn between(one: &[NodeId], other: &[NodeId], direction: Option<Direction>) -> Cut {
        let sorted = |side: &[NodeId]| {
            let mut side = side.to_vec();
            side.sort_unstable();
            side
        };
        Cut { sides: [sorted(one), sorted(other)], direction }
    }
}

/// Each host hears those around it in the ring, a majority together with itself.
fn ring(order: &[NodeId]) -> Vec<Cut> {
    let count = order.len();
    let majority = count / 2 + 1;
    let before = (majority - 1) / 2;
    let hears = |by: usize, from: usize| (from + count + before - by) % count < majority;
    let mut cuts = Vec::new();
    for a in 0..count {
        for b in a + 1..count {
            let pair = |from: usize, to: usize, way| {
                Cut::between(&order[from..=from], &order[to..=to], Some(way))
            };
            match (hears(b, a), hears(a, b)) {
                (true, true) => {}
                (false, false) => cuts.push(pair(a, b, Direction::Both)),
                (false, true) => cuts.push(pair(a, b, Direction::Forth)),
                (true, false) => cuts.push(pair(b, a, Direction::Forth)),
            }
        }
    }
    cuts
}
