//! What faults that keep a process down have in common.

use crate::observe::{NodeId, Observer};

use super::super::machine::{Cluster, Signal};
use super::super::simulation::Simulation;

impl<C: Cluster, O: Observer> Simulation<C, O> {
    /// From now on this fault keeps the process down, once it has ended.
    pub(super) fn hold_down(&mut self, fault: u32, node: NodeId) {
        self.world.nodes[node.index()].holds.down.push(fault);
    }

    /// Asks the process to end; one that has not begun to serve is gone at once.
    pub(super) fn ask_to_stop(&mut self, node: NodeId) {
        let n = &mut self.world.nodes[node.index()];
        if !n.alive || n.stopping {
            return;
        }
        n.stopping = true;
        if n.booted {
            self.signal(node.0, Signal::Stop);
        } else {
            self.exit(node.0);
        }
    }

    /// This fault no longer keeps the processes down.
    pub(super) fn let_start(&mut self, fault: u32, nodes: &[NodeId]) {
        for node in nodes {
            let n = &mut self.world.nodes[node.index()];
            let held = n.holds.down.len();
            n.holds.down.retain(|id| *id != fault);
            if n.holds.down.len() == held {
                continue;
            }
            if n.alive && n.stopping {
                n.restarts = true;
            }
            self.start(node.0);
        }
    }
}
