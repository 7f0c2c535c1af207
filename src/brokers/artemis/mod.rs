//! Artemis 2.20 to 2.56: brokers with a journal, alone, with a journal on shared storage, or replicated to a
//! backup; and clients of the Core protocol.
//!
//! | file | of Artemis |
//! | --- | --- |
//! | `store/` | `JournalImpl`, `DuplicateIDCache` |
//! | `channel.rs` | `ChannelImpl` |
//! | `broker/` | `ServerSessionImpl`, `PostOfficeImpl`, `QueueImpl`, `TimedBuffer`, `OperationContextImpl` |
//! | `broker/shared.rs`, `storage.rs` | `FileLockNodeManager`, and the file server with its locks |
//! | `broker/replication/` | `ReplicationManager`, `ReplicationEndpoint`, `SharedNothingBackupQuorum`, `NetworkHealthCheck` |
//! | `client/connection.rs` | `ClientSessionFactoryImpl` |
//! | `client/producer.rs` | `ClientProducerImpl` |
//! | `client/consumer/` | `ClientConsumerImpl`, `ActiveMQMessageConsumer` |

pub mod broker;
pub mod channel;
pub mod client;
pub mod config;
pub mod costs;
pub mod invariants;
pub mod keys;
pub mod machine;
pub mod message;
pub mod plan;
mod portable;
pub mod router;
pub mod rules;
pub mod settings;
pub mod silence;
pub mod spec;
pub mod storage;
pub mod store;
pub mod words;
