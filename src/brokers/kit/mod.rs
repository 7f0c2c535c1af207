//! What every broker family needs, written once.

pub mod application;
