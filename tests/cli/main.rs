//! The command itself, each call in a directory of its own.

mod bad_input;
#[path = "../chaos_kit/cells.rs"]
mod cells;
#[path = "../chaos_kit/mod.rs"]
mod chaos_kit;
mod clients;
mod commands;
mod compare;
mod deploy;
mod determinism;
mod docs;
mod explain;
mod finding;
mod first_screen;
mod forever;
mod gate;
mod glance;
mod portable;
mod safety;
mod sandbox;
mod sweep;
#[path = "../chaos_kit/tally.rs"]
mod tally;
