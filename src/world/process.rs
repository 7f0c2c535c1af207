//! The life of processes and hosts: start, exit, kill, loss of power and of the disk.

use crate::observe::{NodeId, NodeState, Observer};

use super::disk::DiskView;
use super::event::Event;
use super::machine::{Cluster, Death, Machine};
use super::network::Cargo;
use super::simulation::{Simulation, World};

impl<C: Cluster, O: Observer> Simulation<C, O> {
    /// Starts the process of a node if it is down and nothing keeps it so.
    pub(crate) fn start(&mut self, node: u32) {
        let now = self.now();
        let n = &mut self.world.nodes[node as usize];
        if n.alive || !n.holds.down.is_empty() || !n.holds.power.is_empty() {
            return;
        }
        n.start();
        let incarnation = n.incarnation;
        self.observer.node(now, NodeId(node), NodeState::Booting);
        self.world.kernel.schedule(now, Event::Boot { node, incarnation });
    }

    /// The process has ended by itself.
    pub(crate) fn exit(&mut self, node: u32) {
        let restarts = self.world.nodes[node as usize].restarts;
        self.world.leave_all(node, &|| Cargo::Fin);
        self.end(node, Death::Exited, NodeState::Stopped);
        if restarts {
            self.start(node);
        } else {
            self.watch(node);
        }
    }

    /// Kills the process of a node; nothing happens if there is none.
    pub(crate) fn kill(&mut self, node: u32) {
        if !self.world.nodes[node as usize].alive {
            return;
        }
        self.world.leave_all(node, &|| Cargo::Rst);
        self.end(node, Death::Killed, NodeState::Killed);
    }

    /// The host of a node loses power, its page cache and all that had not left it.
    pub(crate) fn cut_power(&mut self, node: u32) {
        let now = self.now();
        self.world.net.darken(node, true);
        for index in self.world.sides_of(node) {
            self.world.power_lost(index, now);
        }
        self.world.disks[node as usize].lose_power(now);
        self.end(node, Death::PowerLoss, NodeState::PowerLost);
    }

    /// The disk of a node is replaced by an empty one; its process dies with the old one.
    pub(crate) fn wipe(&mut self, node: u32) {
        self.kill(node);
        self.world.disks[node as usize].wipe();
        let state = self.world.nodes[node as usize].state;
        self.end(node, Death::Wiped, state);
    }

    fn end(&mut self, node: u32, death: Death, state: NodeState) {
        let now = self.now();
        let n = &mut self.world.nodes[node as usize];
        let changed = n.state != state;
        n.end(state);
        self.world.drop_holds(node);
        if changed {
            self.observer.node(now, NodeId(node), state);
        }
        let kept = self.world.disks[node as usize].lengths();
        let disk = DiskView::new(&kept);
        self.machines[node as usize].died(death, &disk, now, &mut self.observer);
        self.fail_commands(node);
        self.check(node);
    }
}

impl<M> World<M> {
    /// The sides of connections that the process of a node has, in the order of their slots.
    fn sides_of(&self, node: u32) -> Vec<usize> {
        let sides = self.net.sides.iter().enumerate();
        sides.filter(|(_, side)| side.alive && side.node == node).map(|(index, _)| index).collect()
    }

    fn leave_all(&mut self, node: u32, last: &dyn Fn() -> Cargo<M>) {
        let now = self.kernel.now();
        for index in self.sides_of(node) {
            self.leave(index, last(), now);
        }
    }
}
