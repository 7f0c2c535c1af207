//! The keys of a scenario of Kafka 0.6 or 0.7: one definition each, spelt as in its configuration.

use crate::brokers::coordination::zookeeper::ZOOKEEPER;
use crate::brokers::kit::keys::keys;
use crate::scenario::{Kind, LONGEST, SectionSpec};
use crate::workload::{CONSUMER_KEYS, PRODUCER_KEYS};

use super::costs::COSTS;
use super::rules::RULES;
use super::settings::BROKER_KEYS;

/// The family's sections.
pub const SECTIONS: &[&SectionSpec] =
    &[&BROKER, &RULES, &ZOOKEEPER, &TOPIC, &PRODUCER, &CONSUMER, &COSTS];

const MILLISECOND: crate::engine::Span = crate::engine::Span::from_millis(1);
pub(super) const AT_LEAST_1MS: Kind = Kind::Duration { min: MILLISECOND, max: LONGEST };
pub(super) const PARTITIONS: Kind = Kind::Integer { min: 1, max: 1_000 };
pub(super) const MESSAGES: Kind = Kind::Integer { min: 1, max: 1_000_000_000 };
pub(super) const BUFFER: Kind = Kind::Size { min: 1 << 10, max: 1 << 30 };

pub(super) const CONFIG: &str = "server/KafkaConfig.scala 0.7; 07/configuration.html";
const PRODUCER_CONFIG: &str = "producer/ProducerConfig.scala, SyncProducerConfig.scala 0.7";
const ASYNC_CONFIG: &str = "producer/async/AsyncProducerConfig.scala 0.7";
const CONSUMER_CONFIG: &str = "consumer/ConsumerConfig.scala 0.7";

/// `[broker]`: the brokers' configuration.
pub const BROKER: SectionSpec = SectionSpec::single(
    "broker",
    &[BROKER_KEYS],
    "The brokers' configuration, spelt as in server.properties.",
);

keys! {
    const TOPIC_KEYS {
        "name", Kind::Name, required, "What the topic is called.";
        "num.partitions", PARTITIONS, none,
            "Its partitions on each broker (`topic.partition.count.map`): orders/1-0 is the \
             first on n1. `num.partitions` of [broker] if not written.",
            CONFIG;
        "flush.interval.ms", Kind::ANY_MILLIS, none,
            "`topic.flush.intervals.ms`; `log.default.flush.interval.ms` if not written.", CONFIG;
        "retention.hours", AT_LEAST_1MS, none,
            "`topic.log.retention.hours`; `log.retention.hours` if not written.", CONFIG;
    }
}

/// `[[topic]]`.
pub const TOPIC: SectionSpec = SectionSpec::repeated(
    "topic",
    &[TOPIC_KEYS],
    "A topic, which every broker has had before the run.",
);

/// `[[producer]]`.
pub const PRODUCER: SectionSpec = SectionSpec::repeated(
    "producer",
    &[PRODUCER_KEYS, SEND_KEYS, QUEUE_KEYS],
    "A client that sends, on a host of its own.",
);

keys! {
    const KEY_KEYS {
        "count", Kind::Integer { min: 1, max: 1_000_000_000 }, required,
            "How many different keys there are: \"0\", \"1\", ...";
        "order", Kind::Choice(&["random", "cycled"]), "random", "Which one a message has.";
    }
}

keys! {
    const SEND_KEYS {
        "producer.type", Kind::Choice(&["sync", "async"]), "sync",
            "Sends write to the socket, or into a queue of the broker that a thread empties.",
            PRODUCER_CONFIG;
        "broker.list", Kind::Names, none,
            "The brokers it sends to, at random, whether they live or not; without it the \
             producer looks into ZooKeeper (`zk.connect`).",
            PRODUCER_CONFIG;
        "key", Kind::Table(KEY_KEYS), none,
            "Messages have keys, whose hash decides among the broker partitions that are \
             registered; without them chance does.",
            "producer/DefaultPartitioner.scala 0.7";
        "buffer.size", BUFFER, "102400B", "Of the socket's send buffer.", PRODUCER_CONFIG;
        "connect.timeout.ms", Kind::ANY_MILLIS, "5000ms",
            "How long a send tries to connect, with pauses of 1, 10, 100 ms and so on.",
            PRODUCER_CONFIG;
        "reconnect.interval", MESSAGES, "30000",
            "After so many requests the connection is made anew.", PRODUCER_CONFIG;
        "reconnect.time.interval.ms", Kind::POSITIVE_MILLIS, "10000000ms",
            "So it is after this long.", PRODUCER_CONFIG;
        "max.message.size", Kind::Size { min: 1, max: 1 << 30 }, "1000000B",
            "A larger message is refused by the producer, with all of its batch.", PRODUCER_CONFIG;
        "zk.sessiontimeout.ms", Kind::POSITIVE_MILLIS, "6000ms",
            "Of the producer's own session.", PRODUCER_CONFIG;
        "zk.read.num.retries", Kind::Integer { min: 0, max: 1_000 }, "3",
            "How often the producer reads ZooKeeper again when the broker it has picked is not \
             there.",
            PRODUCER_CONFIG;
    }
}

keys! {
    const QUEUE_KEYS {
        "queue.time", Kind::POSITIVE_MILLIS, "5000ms",
            "Async: a batch goes when it is full, or so long after the last one.", ASYNC_CONFIG;
        "queue.size", MESSAGES, "10000", "Async: messages that a queue holds.", ASYNC_CONFIG;
        "batch.size", MESSAGES, "200", "Async: messages of a full batch.", ASYNC_CONFIG;
        "queue.enqueueTimeout.ms", Kind::Either(&[Kind::ANY_MILLIS, Kind::Choice(&["unlimited"])]), "0ms",
            "Async: how long a send waits for room in the queue before its message is dropped; \
             `unlimited` stands for -1.",
            ASYNC_CONFIG;
        "num.retries", Kind::Integer { min: 0, max: 1_000_000 }, "0",
            "Async: how often a batch is sent again to the same broker before it is dropped.",
            PRODUCER_CONFIG;
    }
}

/// `[[consumer]]`.
pub const CONSUMER: SectionSpec = SectionSpec::repeated(
    "consumer",
    &[CONSUMER_KEYS, READ_KEYS, GROUP_KEYS],
    "A client that consumes, on a host of its own.",
);

keys! {
    const READ_KEYS {
        "partitions", Kind::Text, none,
            "What a consumer without `groupid` reads: \"1-0,2-0\"; all partitions if not written.";
        "fetch.size", Kind::Size { min: 1, max: 1 << 30 }, "1MiB",
            "Bytes of a partition in one fetch, at most.", CONSUMER_CONFIG;
        "queuedchunks.max", Kind::Integer { min: 1, max: 1_000_000 }, "10",
            "Fetched chunks that wait for the application, at most.", CONSUMER_CONFIG;
        "fetcher.backoff.ms", Kind::POSITIVE_MILLIS, "1000ms",
            "The pause of a fetcher that has found nothing.", CONSUMER_CONFIG;
        "autooffset.reset", Kind::Choice(&["smallest", "largest"]), "smallest",
            "Where it begins without an offset, or with one that is out of range.", CONSUMER_CONFIG;
    }
}

keys! {
    const GROUP_KEYS {
        "groupid", Kind::Name, none,
            "The group that it shares the topic's partitions with (the high-level consumer); \
             without it a simple consumer, which keeps its offsets with the results of its work.",
            CONSUMER_CONFIG;
        "autocommit.enable", Kind::Flag, "true",
            "Whether a member of a group writes its offsets to ZooKeeper from time to time.",
            CONSUMER_CONFIG;
        "autocommit.interval.ms", Kind::POSITIVE_MILLIS, "10000ms", "How often.", CONSUMER_CONFIG;
        "rebalance.retries.max", Kind::Integer { min: 1, max: 1_000_000 }, "4",
            "How often a rebalance is tried before it is given up.", CONSUMER_CONFIG;
        "rebalance.backoff.ms", Kind::POSITIVE_MILLIS, "2000ms",
            "The pause between two tries (`zk.synctime.ms`).", CONSUMER_CONFIG;
        "zk.sessiontimeout.ms", Kind::POSITIVE_MILLIS, "6000ms",
            "A member that ZooKeeper does not hear of for this long is gone.", CONSUMER_CONFIG;
    }
}
