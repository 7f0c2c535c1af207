//! Sets of brokers.

use crate::observe::NodeId;

/// A set of brokers; there are at most 64.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct NodeSet(u64);

impl NodeSet {
    /// No broker.
    pub const EMPTY: NodeSet = NodeSet(0);

    /// A broker alone.
    #[must_use]
    pub const fn only(node: NodeId) -> NodeSet {
        NodeSet(1 << node.0)
    }

    /// Whether a broker is in it.
    #[must_use]
    pub const fn has(self, node: NodeId) -> bool {
        self.0 & 1 << node.0 != 0
    }

    /// The set with a broker more.
    #[must_use]
    pub const fn with(self, node: NodeId) -> NodeSet {
        NodeSet(self.0 | 1 << node.0)
    }

    /// The set without a broker.
    #[must_use]
    pub const fn without(self, node: NodeId) -> NodeSet {
        NodeSet(self.0 & !(1 << node.0))
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 & other.0)
    }

    /// What is in either.
    #[must_use]
    pub const fn or(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 | other.0)
    }

    /// What is in this one only.
    #[must_use]
    pub const fn minus(self, other: NodeSet) -> NodeSet {
        NodeSet(self.0 & !other.0)
    }

    /// How many there are.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of these are in `other`.
    #[must_use]
    pub const fn is_within(self, other: NodeSet) -> bool {
        self.0 & !other.0 == 0
    }

    /// Its brokers, by id.
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let next = (rest != 0).then(|| NodeId(rest.trailing_zeros()))?;
            rest &= rest - 1;
            Some(next)
        })
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> NodeSet {
        nodes.into_iter().fold(NodeSet::EMPTY, NodeSet::with)
    }
}

impl std::fmt::Debug for NodeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter().map(|node| node.0)).finish()
    }
}
