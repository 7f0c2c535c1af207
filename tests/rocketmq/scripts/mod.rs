//! RocketMQ's machines under text scripts with golden output.
//!
//! What a script is, `golden/mod.rs` says; its commands are there and in `story.rs`.
//!
//! Hosts are 1 ms from each other, an fsync takes 5 ms, a start 1 s, and computing takes no time:
//! so times can be worked out by hand.

mod story;

use mqsim::brokers::rocketmq::spec::Spec;

use crate::golden::Shown;

/// All of them.
#[test]
fn every_script_comes_out_as_it_is_told() {
    crate::golden::check_all::<Shown<Spec>>("rocketmq");
}
