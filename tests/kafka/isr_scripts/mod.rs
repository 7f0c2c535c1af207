//! Kafka with replication under text scripts with golden output.
//!
//! What a script is, `golden/mod.rs` says; its commands are there and in `story.rs`.
//!
//! Hosts are 1 ms from each other, an fsync takes 5 ms, a broker boots in 2 s, and computing takes
//! no time but for what `[costs]` says is no computing. Random are only the pauses and time-outs
//! of the real programs.

mod declare;
mod show;
mod story;
mod trace;

/// All of them.
#[test]
fn every_script_comes_out_as_it_is_told() {
    crate::golden::check_all::<story::Story>("kafka_isr");
}
