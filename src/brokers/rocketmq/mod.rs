//! RocketMQ 4.9 to 5.5: topics whose queues are spread over groups of brokers, one CommitLog a broker,
//! NameServers that know nothing of each other, producers that try another group, consumers that
//! share queues each by its own view.
//!
//! | file | of RocketMQ |
//! | --- | --- |
//! | `nameserver.rs` | `RouteInfoManager` |
//! | `controller.rs` | `DLedgerController`, `ReplicasInfoManager`, `DefaultBrokerHeartbeatManager` |
//! | `remoting.rs` | `NettyRemotingClient` |
//! | `store/` | `CommitLog`, `ConsumeQueue`, `ConsumerOffsetManager`'s file |
//! | `broker/` | `BrokerController` and its processors, flushing, `ReputMessageService`, HA |
//! | `client/` | `MQClientInstance`, `DefaultMQProducerImpl`, `DefaultMQPushConsumerImpl` |

pub mod broker;
pub mod client;
pub mod config;
pub mod controller;
pub mod costs;
pub mod invariants;
pub mod keys;
pub mod machine;
pub mod message;
pub mod nameserver;
pub mod plan;
mod portable;
pub mod remoting;
pub mod rules;
pub mod settings;
pub mod spec;
pub mod store;
pub mod words;
