//! Experiments with RabbitMQ 4.0.5 (Mnesia) and 4.3.6 (Khepri): quorum queues, and classic queues
//! without mirrors.

mod bench;
mod q10_classic_home;
mod q11_all_killed;
mod q13_frozen;
mod q15_disk;
mod q1_killed;
mod q2_vanished;
mod q4_partition;
mod q6_rolling;
mod q7_consumer;
mod q8_limit;
mod q9_steady;
