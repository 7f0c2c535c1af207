//! The metadata quorum in a family of its own: replicas that count, under text scripts with golden
//! output, under Kafka's own properties (`RaftEventSimulationTest.java`), and with each rule broken
//! that an invariant rests on.
//!
//! What a script is, `golden/mod.rs` says; its commands are there and in `story.rs`. `MQSIM_SEEDS=1000`
//! has the properties tried so often.

mod counter;
mod faulty;
mod lab;
mod properties;
mod story;
