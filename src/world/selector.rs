//! Who a fault is aimed at.

use crate::engine::Time;
use crate::observe::{DestinationId, NodeId, NodeState};

use super::network::Topology;

/// A selector that a family offers: `leader(orders)`, `mirror(orders, 1)`, `controller`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelectorSpec {
    /// The word before the parenthesis.
    pub name: &'static str,
    /// What stands in the parentheses, in order.
    pub arguments: &'static [Argument],
    /// One sentence for people.
    pub meaning: &'static str,
}

/// An argument of a family's selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// The name of a destination.
    Destination,
    /// A number, at least 1.
    Number,
}

/// A family's selector with its arguments; resolved when the fault fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleQuery {
    /// Index into the family's list of [`SelectorSpec`].
    pub selector: u32,
    /// The destination it names; `DestinationId(0)` if it takes none.
    pub destination: DestinationId,
    /// The number it names, from 1; 1 if it takes none.
    pub nth: u32,
}

/// What a family may know of the world to resolve a selector.
#[derive(Clone, Copy, Debug)]
pub struct WorldView<'a> {
    /// This instant.
    pub now: Time,
    /// State of each node.
    pub states: &'a [NodeState],
    /// Hosts and zones.
    pub topology: &'a Topology,
}

impl WorldView<'_> {
    /// Whether a node serves.
    #[must_use]
    pub fn is_up(&self, node: NodeId) -> bool {
        self.states[node.index()] == NodeState::Up
    }

    /// Whether a process is running on the node, serving or not, frozen or not.
    #[must_use]
    pub fn is_running(&self, node: NodeId) -> bool {
        matches!(self.states[node.index()], NodeState::Up | NodeState::Booting | NodeState::Paused)
    }
}
