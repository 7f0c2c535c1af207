//! What can be said of many seeds: the seed is the sampling unit, since losses come in bursts.
//!
//! Numbers only, no word of messaging. Everything is made of `+ − × ÷`, so that it is the same on
//! every machine.

pub mod paired;
