//! Faults of processes and hosts: stop, crash, power loss, pause, restart.

use crate::observe::{NodeId, Observer};
use crate::scenario::Variant;

use super::super::machine::{Cluster, Signal};
use super::super::simulation::Simulation;
use super::TARGET;

pub(super) const STOP: Variant = Variant {
    name: "stop",
    meaning: "The process is asked to stop gracefully (SIGTERM). It starts again when `for` is over.",
    keys: &[TARGET],
};

pub(super) const CRASH: Variant = Variant {
    name: "crash",
    meaning: "The process is killed (SIGKILL): memory is gone, the page cache is not; peers see \
              connections reset. It starts again when `for` is over.",
    keys: &[TARGET],
};

pub(super) const POWER_LOSS: Variant = Variant {
    name: "power-loss",
    meaning: "The host loses power: memory and page cache are gone, peers see nothing but silence. \
              It boots again when `for` is over.",
    keys: &[TARGET],
};

pub(super) const PAUSE: Variant = Variant {
    name: "pause",
    meaning: "The process is frozen (SIGSTOP, GC, VM pause): connections stay open, its kernel \
              still acknowledges, timers fire late. It goes on when `for` is over.",
    keys: &[TARGET],
};

pub(super) const RESTART: Variant = Variant {
    name: "restart",
    meaning: "The process is asked to stop gracefully and starts again as soon as it has ended. One \
              that is down is started, whatever keeps it down, unless its host has no power.",
    keys: &[TARGET],
};

impl<C: Cluster, O: Observer> Simulation<C, O> {
    pub(super) fn inject_stop(&mut self, fault: u32, nodes: &[NodeId]) {
        for node in nodes {
            self.world.nodes[node.index()].holds.down.push(fault);
            self.ask_to_stop(node.0);
        }
    }

    pub(super) fn inject_crash(&mut self, fault: u32, nodes: &[NodeId]) {
        for node in nodes {
            self.world.nodes[node.index()].holds.down.push(fault);
            self.kill(node.0);
        }
    }

    pub(super) fn inject_power_loss(&mut self, fault: u32, nodes: &[NodeId]) {
        for node in nodes {
            let holds = &mut self.world.nodes[node.index()].holds;
            let had_power = holds.power.is_empty();
            holds.power.push(fault);
            if had_power {
                self.cut_power(node.0);
            }
        }
    }

    /// Freezes those that have a process; returns them.
    pub(super) fn inject_pause(&mut self, fault: u32, nodes: &[NodeId]) -> Vec<NodeId> {
        let alive = |node: &&NodeId| self.world.nodes[node.index()].alive;
        let frozen: Vec<NodeId> = nodes.iter().filter(alive).copied().collect();
        for node in &frozen {
            let n = &mut self.world.nodes[node.index()];
            n.holds.pause.push(fault);
            if !n.paused {
                self.pause(node.0);
            }
        }
        frozen
    }

    pub(super) fn inject_restart(&mut self, nodes: &[NodeId]) {
        for node in nodes {
            let n = &mut self.world.nodes[node.index()];
            n.holds.down.clear();
            if n.alive {
                n.restarts = true;
                self.ask_to_stop(node.0);
            } else {
                self.start(node.0);
            }
        }
    }

    fn ask_to_stop(&mut self, node: u32) {
        let n = &mut self.world.nodes[node as usize];
        if !n.alive || n.stopping {
            return;
        }
        n.stopping = true;
        if n.booted {
            self.signal(node, Signal::Stop);
        } else {
            self.exit(node);
        }
    }

    /// This fault no longer keeps the processes down.
    pub(super) fn take_back_down(&mut self, fault: u32, nodes: &[NodeId]) {
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

    /// This fault no longer keeps the hosts without power. Their processes start with them.
    pub(super) fn take_back_power(&mut self, fault: u32, nodes: &[NodeId]) {
        for node in nodes {
            let holds = &mut self.world.nodes[node.index()].holds;
            holds.power.retain(|id| *id != fault);
            if holds.power.is_empty() {
                self.world.net.darken(node.0, false);
                self.start(node.0);
            }
        }
    }

    /// This fault no longer freezes the processes; those that died meanwhile are not concerned.
    pub(super) fn take_back_pause(&mut self, fault: u32, nodes: &[NodeId]) {
        for node in nodes {
            let n = &mut self.world.nodes[node.index()];
            let held = n.holds.pause.len();
            n.holds.pause.retain(|id| *id != fault);
            if n.paused && held > 0 && n.holds.pause.is_empty() {
                self.resume(node.0);
            }
        }
    }
}
