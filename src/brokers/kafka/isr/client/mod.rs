//! Kafka's clients: the Java producer (0.8.2 and later), the Scala producer of 0.8, and consumers
//! with assigned partitions, auditors among them.
//!
//! Each is a machine on a host of its own: `handle` takes an input, `died` forgets what was in
//! memory, `is_settled` says whether something is outstanding. What they have in common:
//!
//! * [`Metadata`] is what a client knows of the cluster, and when it asks again.
//! * [`Network`] has a link to each broker, connects and backs off, and asks for metadata.
//!
//! **Producer.** The application's thread asks the pace, picks a partition ([`Partitioner`]) and
//! puts the message into the open batch of the partition ([`Accumulator`]); the sender takes what
//! is due, one batch a partition and one request a broker, and settles what is answered. A batch is
//! consecutive messages of one stream (see
//! [`Streams`](crate::brokers::kafka::Streams)). What ends without success is `rejected` if
//! every try was answered by an error that proves that nothing was written, `unsent` if it never
//! left, else `unknown`. An idempotent one numbers its batches, and sends them again in their order
//! ([`Idempotence`]).
//!
//! **Consumer.** One fetch a leader is under way; what was fetched is handed to the application in
//! polls, which works on one message at a time.
//!
//! **Member of a group.** `group/`: it finds the group's coordinator, joins, beats, commits, gives up
//! and closes; what it reads is what is assigned to it. A consumer without a group has the partitions
//! that the scenario gives it, and its positions live as long as its process.
//!
//! **Pipeline.** `pipeline/`: an application that makes a message of each that it reads, with transactions
//! or without; a small producer of its own goes with the consumer.

mod accumulator;
mod consumer;
mod fetcher;
mod group;
mod handler;
mod idempotence;
mod metadata;
mod network;
mod partitioner;
mod pipeline;
mod producer;
mod scala;
mod sender;
mod settings;

pub use accumulator::{Accumulator, Limits, ProducerBatch};
pub use consumer::{Consumer, ConsumerConfig};
pub use idempotence::Idempotence;
pub use metadata::Metadata;
pub use network::{Network, NetworkConfig, NetworkEvent};
pub use partitioner::Partitioner;
pub use pipeline::PipelineSettings;
pub use producer::{Producer, ProducerConfig};
pub use scala::ScalaProducer;
pub use settings::{
    Client, Commits, ConsumerSettings, MemberSettings, ProducerSettings, RecordFormat, Reset,
    ScalaSettings,
};
