//! The Erlang VM of a node: its processes and the distribution, how RabbitMQ starts and stops in
//! it, and what every process there shares: credit flow and resource alarms.

pub mod alarm;
mod app;
mod boot;
pub mod credit;
pub mod erlang;
mod life;
mod stop;
mod supervisor;
