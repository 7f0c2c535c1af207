//! A ZooKeeper ensemble by itself: text scripts with golden output, and random histories.
//!
//! What a script is, `golden/mod.rs` says; its commands are there and in `story.rs`.
//!
//! Hosts are 1 ms from each other, an fsync takes 5 ms, and computing takes no time, so times can
//! be worked out by hand. Random are only the pauses of a client before it connects again.

mod family;
mod histories;
mod story;

/// All of them.
#[test]
fn every_script_comes_out_as_it_is_told() {
    crate::golden::check_all::<story::Story>("zookeeper");
}
