//! mqsim: a deterministic simulator of message-queue high availability.
//!
//! The real state machines of brokers and their clients run in virtual time, under faults, and a
//! ledger follows every message. The command `mqsim` is made of this library; whoever wants the
//! numbers in a program of their own takes three steps: read a scenario, run it under a seed, look
//! at the report.
//!
//! ```
//! let text = r#"
//!     format = 1
//!     name = "a-crash"
//!     mode = "rabbitmq-single"
//!     duration = "10s"
//!
//!     [cluster]
//!     nodes = 1
//!
//!     [[queue]]
//!     name = "orders"
//!
//!     [[producer]]
//!     name = "p1"
//!     to = "orders"
//!     rate = "100/s"
//!     confirms = true
//!
//!     [[fault]]
//!     kind = "crash"
//!     target = "n1"
//!     at = "4s"
//!     for = "2s"
//! "#;
//! let set = ["producer.p1.rate=200/s".to_owned()];
//! let scenario = mqsim::run::parse("a-crash.toml", text.as_bytes(), &set)?;
//!
//! let report = mqsim::run::simulate(&scenario, 1, None)?;
//! assert_eq!(report.summary.success_lost, 0, "what was confirmed is there");
//! assert!(report.summary.write_longest_ms > Some(2_000), "it was away");
//!
//! // The same scenario and seed are the same run, to the byte.
//! let again = mqsim::run::simulate(&scenario, 1, None)?;
//! assert_eq!(again.fingerprint, report.fingerprint);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`run`] puts everything together: it loads ([`run::load`], [`run::parse`]), simulates one seed or
//! many ([`run::simulate_many`]), and hands a run to an observer of the caller's own
//! ([`run::observe`]). [`verdict::Report`] is what a run comes to. A family of brokers that mqsim does
//! not ship is a [`brokers::kit::Family`], added with [`run::Families`]; [`cli::main`] then gives
//! it the whole command.
//!
//! Times are integers: nanoseconds of virtual time in the engine, and in a report the unit that a
//! field's name ends with. What a library of this kind grows, fields of a report and ways to fail,
//! is marked as not exhaustive.

pub mod brokers;
pub mod cli;
pub mod engine;
pub mod observe;
pub mod report;
pub mod run;
pub mod scenario;
pub mod statistics;
pub mod verdict;
pub mod workload;
pub mod world;
