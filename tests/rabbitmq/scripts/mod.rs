//! RabbitMQ's machines under text scripts with golden output.
//!
//! What a script is, `golden/mod.rs` says; its commands are there and in `story.rs`.
//!
//! Nothing is random but what a script shows (the first tick of a node, the place of a joiner in
//! its ring): brokers are 1 ms from each other and 0.1 ms from clients, an fsync takes 5 ms, a
//! Mnesia transaction 10 ms, and computing takes no time. So times can be worked out by hand.

mod client;
mod cluster;
mod declare;
mod show;
mod spread;
mod story;
mod trace;

/// All of them.
#[test]
fn every_script_comes_out_as_it_is_told() {
    crate::golden::check_all::<story::Story>("rabbitmq");
}
