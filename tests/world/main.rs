//! The world with a toy machine in it: hosts, network, disks, faults, random faults, forks; and the
//! engine's queues against theory.

mod actions;
mod disks;
mod faults;
mod fork;
mod invariants;
mod limits;
mod loss;
mod nemesis;
mod network;
mod nodes;
mod queueing;
mod reset;
mod scenario;
mod supervisor;
mod toy;
