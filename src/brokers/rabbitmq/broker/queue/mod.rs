//! The process of a queue, leader or mirror, and who belongs to a mirrored queue.

mod consumers;
mod dead_letter;
mod flush;
mod leader;
mod limits;
mod members;
mod mirror;
pub mod replica;
pub mod sync;
