//! RabbitMQ: its parts, scripts, whole runs, experiments that were made with a real cluster, and what
//! each configuration loses.

mod actions;
#[path = "../chaos_kit/cells.rs"]
mod cells;
mod chaos;
#[path = "../chaos_kit/mod.rs"]
mod chaos_kit;
mod clients;
mod clock;
mod experiments;
mod flow;
#[path = "../golden/mod.rs"]
mod golden;
mod mutants;
mod oracle;
mod ra;
#[path = "../runs/mod.rs"]
mod runs;
mod scripts;
mod store;
mod store_log;
#[path = "../chaos_kit/tally.rs"]
mod tally;
