//! The metadata quorum in a family of its own: replicas that count, under text scripts with golden
//! output, under Kafka's own properties (`RaftEventSimulationTest.java`), and with each rule broken
//! that an invariant rests on.
//!
//! `MQSIM_REWRITE=1 cargo test --test coordination raft` writes the scripts' output anew; `MQSIM_SEEDS=1000` has
//! the properties tried so often.

#[path = "../../rabbitmq/scripts/command.rs"]
#[allow(dead_code, reason = "scripts of another family use the rest")]
mod command;
mod counter;
mod faulty;
mod lab;
mod properties;
#[path = "../../rabbitmq/scripts/script.rs"]
mod script;
mod story;
