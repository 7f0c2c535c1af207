//! ActiveMQ Classic 5.9 to 6.3: a broker with queues in a KahaDB, or several that share one, and clients.
//!
//! | file | of ActiveMQ |
//! | --- | --- |
//! | `store/` | `Journal`, the index of `MessageDatabase` |
//! | `broker/` | `TransportConnection`, `Queue`, `PrefetchSubscription`, `KahaDBStore`, `DataFileAppender` |
//! | `storage.rs` | a shared file system, with the file of `SharedFileLocker` |
//! | `client/transport.rs` | `FailoverTransport`, `AbstractInactivityMonitor` |
//! | `client/producer.rs` | `ActiveMQMessageProducer`, `ActiveMQSession.send`, `ConnectionStateTracker` |
//! | `client/consumer/` | `ActiveMQMessageConsumer`, `ConnectionAudit`, `RedeliveryPolicy` |

pub mod broker;
pub mod client;
pub mod config;
pub mod costs;
pub mod invariants;
pub mod keys;
pub mod machine;
pub mod message;
pub mod plan;
mod portable;
pub mod rules;
pub mod settings;
pub mod spec;
pub mod storage;
pub mod store;
pub mod words;
