//! Experiments with real brokers, simulated with the same set-up.
//!
//! RabbitMQ 3.10.8 clusters of three nodes (`quorum`: 4.0.5 and 4.3.6) were run under injected faults, and
//! what clients saw was measured. Each test here repeats one of these experiments over many seeds: what must hold, holds
//! on every seed, and each measured range overlaps the range from the 5th to the 95th percentile of
//! the seeds, which is judged from 40 seeds on. `MQSIM_SEEDS` is the number of seeds: 5 unless set; the full run is
//!
//! ```text
//! MQSIM_SEEDS=100 cargo test --locked --release --test rabbitmq experiments:: -- --nocapture
//! ```

mod e10_delay;
mod e1_single;
mod e2_transient;
mod e3_home_node;
mod e4_remote;
mod e5_mirrored;
mod e6_unsynchronised;
mod e7_partition;
mod e9_throughput;
mod lab;
mod quorum;
mod saturation;
mod steady;
