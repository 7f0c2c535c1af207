//! The keys of a scenario of Kafka 0.6 or 0.7: one definition each, spelt as in its configuration.

use crate::brokers::coordination::zookeeper::ZOOKEEPER;
use crate::scenario::{KeySpec, Kind, LONGEST, Preset, SectionSpec};
use crate::workload::{CONSUMER_KEYS, PRODUCER_KEYS};

use super::costs::COSTS;
use super::rules::RULES;

/// The family's sections.
pub const SECTIONS: &[&SectionSpec] =
    &[&BROKER, &RULES, &ZOOKEEPER, &TOPIC, &PRODUCER, &CONSUMER, &COSTS];

const MILLISECOND: crate::engine::Span = crate::engine::Span::from_millis(1);
const AT_LEAST_1MS: Kind = Kind::Duration { min: MILLISECOND, max: LONGEST };
const PARTITIONS: Kind = Kind::Integer { min: 1, max: 1_000 };
const MESSAGES: Kind = Kind::Integer { min: 1, max: 1_000_000_000 };
const BUFFER: Kind = Kind::Size { min: 1 << 10, max: 1 << 30 };

const CONFIG: &str = "server/KafkaConfig.scala 0.7; 07/configuration.html";
const PRODUCER_CONFIG: &str = "producer/ProducerConfig.scala, SyncProducerConfig.scala 0.7";
const ASYNC_CONFIG: &str = "producer/async/AsyncProducerConfig.scala 0.7";
const CONSUMER_CONFIG: &str = "consumer/ConsumerConfig.scala 0.7";

/// `[broker]`: the brokers' configuration.
pub const BROKER: SectionSpec = SectionSpec::single(
    "broker",
    &[&[
        KeySpec::new(
            "num.partitions",
            PARTITIONS,
            Preset::Is("1"),
            "Partitions of a topic on each broker.",
        )
        .source(CONFIG),
        KeySpec::new(
            "log.flush.interval",
            MESSAGES,
            Preset::Is("500"),
            "A log with so many unflushed messages is flushed at once, and whoever appends to it \
             waits.",
        )
        .source(CONFIG),
        KeySpec::new(
            "log.default.flush.scheduler.interval.ms",
            Kind::POSITIVE_MILLIS,
            Preset::Is("3000ms"),
            "How often a thread looks for logs to flush.",
        )
        .source(CONFIG),
        KeySpec::new(
            "log.default.flush.interval.ms",
            Kind::ANY_MILLIS,
            Preset::Absent,
            "It flushes those whose last flush was so long ago; the thread's interval if not \
             written.",
        )
        .source(CONFIG),
        KeySpec::new(
            "log.file.size",
            Kind::Size { min: 1 << 10, max: 1 << 40 },
            Preset::Is("1GiB"),
            "A larger segment is flushed and closed. Recovery scans the last one.",
        )
        .source(CONFIG),
        KeySpec::new(
            "log.roll.hours",
            AT_LEAST_1MS,
            Preset::Is("168h"),
            "So is one whose first message is older than this.",
        )
        .source(CONFIG),
        KeySpec::new(
            "log.retention.hours",
            AT_LEAST_1MS,
            Preset::Is("168h"),
            "Segments that were last written to so long ago are deleted.",
        )
        .source(CONFIG),
        KeySpec::new(
            "log.retention.size",
            Kind::Size { min: 0, max: 1 << 50 },
            Preset::Absent,
            "The oldest segments are deleted while a log is larger than this; never if not written.",
        )
        .source(CONFIG),
        KeySpec::new(
            "log.cleanup.interval.mins",
            AT_LEAST_1MS,
            Preset::Is("10min"),
            "How often that is looked for, the first time after a minute.",
        )
        .source(CONFIG),
        KeySpec::new(
            "max.message.size",
            Kind::Size { min: 1, max: 1 << 30 },
            Preset::Is("1000000B"),
            "A larger message is logged and dropped; its connection is kept.",
        )
        .source("server/KafkaConfig.scala, log/Log.scala 0.7.2"),
        KeySpec::new(
            "socket.receive.buffer",
            BUFFER,
            Preset::Is("102400B"),
            "Bytes that the kernel holds for a connection on the receiver's side: lost with a \
             killed broker.",
        )
        .source(CONFIG),
        KeySpec::new(
            "num.threads",
            Kind::Integer { min: 1, max: 1_000 },
            Preset::Absent,
            "Processor threads, each of which handles the requests of its connections one by one; \
             as many as there are cores if not written.",
        )
        .source(CONFIG),
        KeySpec::new(
            "enable.zookeeper",
            Kind::Flag,
            Preset::Is("true"),
            "Whether brokers register themselves.",
        )
        .source(CONFIG),
        KeySpec::new(
            "zk.sessiontimeout.ms",
            Kind::POSITIVE_MILLIS,
            Preset::Is("6000ms"),
            "A broker that ZooKeeper does not hear of for this long is gone.",
        )
        .source("utils/ZkUtils.scala 0.7, ZKConfig"),
        KeySpec::new(
            "zk.connectiontimeout.ms",
            Kind::POSITIVE_MILLIS,
            Preset::Absent,
            "A broker that does not reach ZooKeeper within this time fails to start; the session \
             timeout if not written.",
        )
        .source("utils/ZkUtils.scala 0.7, ZKConfig"),
        KeySpec::new(
            "restart-delay",
            AT_LEAST_1MS,
            Preset::Is("1s"),
            "A supervisor (not part of Kafka) starts a broker again so long after its start has \
             failed or it has halted. The end of a fault starts a process once only.",
        ),
    ]],
    "The brokers' configuration, spelt as in server.properties.",
);

/// `[[topic]]`.
pub const TOPIC: SectionSpec = SectionSpec::repeated(
    "topic",
    &[&[
        KeySpec::new("name", Kind::Name, Preset::Required, "What the topic is called."),
        KeySpec::new(
            "num.partitions",
            PARTITIONS,
            Preset::Absent,
            "Its partitions on each broker (`topic.partition.count.map`): orders/1-0 is the first on \
             n1. `num.partitions` of [broker] if not written.",
        )
        .source(CONFIG),
        KeySpec::new(
            "flush.interval.ms",
            Kind::ANY_MILLIS,
            Preset::Absent,
            "`topic.flush.intervals.ms`; `log.default.flush.interval.ms` if not written.",
        )
        .source(CONFIG),
        KeySpec::new(
            "retention.hours",
            AT_LEAST_1MS,
            Preset::Absent,
            "`topic.log.retention.hours`; `log.retention.hours` if not written.",
        )
        .source(CONFIG),
    ]],
    "A topic, which every broker has had before the run.",
);

/// `[[producer]]`.
pub const PRODUCER: SectionSpec = SectionSpec::repeated(
    "producer",
    &[PRODUCER_KEYS, SEND_KEYS, QUEUE_KEYS],
    "A client that sends, on a host of its own.",
);

const KEY_KEYS: [KeySpec; 2] = [
    KeySpec::new(
        "count",
        Kind::Integer { min: 1, max: 1_000_000_000 },
        Preset::Required,
        "How many different keys there are: \"0\", \"1\", ...",
    ),
    KeySpec::new(
        "order",
        Kind::Choice(&["random", "cycled"]),
        Preset::Is("random"),
        "Which one a message has.",
    ),
];

const SEND_KEYS: &[KeySpec] = &[
    KeySpec::new(
        "producer.type",
        Kind::Choice(&["sync", "async"]),
        Preset::Is("sync"),
        "Sends write to the socket, or into a queue of the broker that a thread empties.",
    )
    .source(PRODUCER_CONFIG),
    KeySpec::new(
        "broker.list",
        Kind::Names,
        Preset::Absent,
        "The brokers it sends to, at random, whether they live or not; without it the producer \
         looks into ZooKeeper (`zk.connect`).",
    )
    .source(PRODUCER_CONFIG),
    KeySpec::new(
        "key",
        Kind::Table(&KEY_KEYS),
        Preset::Absent,
        "Messages have keys, whose hash decides among the broker partitions that are registered; \
         without them chance does.",
    )
    .source("producer/DefaultPartitioner.scala 0.7"),
    KeySpec::new("buffer.size", BUFFER, Preset::Is("102400B"), "Of the socket's send buffer.")
        .source(PRODUCER_CONFIG),
    KeySpec::new(
        "connect.timeout.ms",
        Kind::ANY_MILLIS,
        Preset::Is("5000ms"),
        "How long a send tries to connect, with pauses of 1, 10, 100 ms and so on.",
    )
    .source(PRODUCER_CONFIG),
    KeySpec::new(
        "reconnect.interval",
        MESSAGES,
        Preset::Is("30000"),
        "After so many requests the connection is made anew.",
    )
    .source(PRODUCER_CONFIG),
    KeySpec::new(
        "reconnect.time.interval.ms",
        Kind::POSITIVE_MILLIS,
        Preset::Is("10000000ms"),
        "So it is after this long.",
    )
    .source(PRODUCER_CONFIG),
    KeySpec::new(
        "max.message.size",
        Kind::Size { min: 1, max: 1 << 30 },
        Preset::Is("1000000B"),
        "A larger message is refused by the producer, with all of its batch.",
    )
    .source(PRODUCER_CONFIG),
    KeySpec::new(
        "zk.sessiontimeout.ms",
        Kind::POSITIVE_MILLIS,
        Preset::Is("6000ms"),
        "Of the producer's own session.",
    )
    .source(PRODUCER_CONFIG),
    KeySpec::new(
        "zk.read.num.retries",
        Kind::Integer { min: 0, max: 1_000 },
        Preset::Is("3"),
        "How often the producer reads ZooKeeper again when the broker it has picked is not there.",
    )
    .source(PRODUCER_CONFIG),
];

const QUEUE_KEYS: &[KeySpec] = &[
    KeySpec::new(
        "queue.time",
        Kind::POSITIVE_MILLIS,
        Preset::Is("5000ms"),
        "Async: a batch goes when it is full, or so long after the last one.",
    )
    .source(ASYNC_CONFIG),
    KeySpec::new(
        "queue.size",
        MESSAGES,
        Preset::Is("10000"),
        "Async: messages that a queue holds.",
    )
    .source(ASYNC_CONFIG),
    KeySpec::new("batch.size", MESSAGES, Preset::Is("200"), "Async: messages of a full batch.")
        .source(ASYNC_CONFIG),
    KeySpec::new(
        "queue.enqueueTimeout.ms",
        Kind::Either(&[Kind::ANY_MILLIS, Kind::Choice(&["unlimited"])]),
        Preset::Is("0ms"),
        "Async: how long a send waits for room in the queue before its message is dropped; \
         `unlimited` stands for -1.",
    )
    .source(ASYNC_CONFIG),
    KeySpec::new(
        "num.retries",
        Kind::Integer { min: 0, max: 1_000_000 },
        Preset::Is("0"),
        "Async: how often a batch is sent again to the same broker before it is dropped.",
    )
    .source(PRODUCER_CONFIG),
];

/// `[[consumer]]`.
pub const CONSUMER: SectionSpec = SectionSpec::repeated(
    "consumer",
    &[CONSUMER_KEYS, READ_KEYS, GROUP_KEYS],
    "A client that consumes, on a host of its own.",
);

const READ_KEYS: &[KeySpec] = &[
    KeySpec::new(
        "partitions",
        Kind::Text,
        Preset::Absent,
        "What a consumer without `groupid` reads: \"1-0,2-0\"; all partitions if not written.",
    ),
    KeySpec::new(
        "fetch.size",
        Kind::Size { min: 1, max: 1 << 30 },
        Preset::Is("1MiB"),
        "Bytes of a partition in one fetch, at most.",
    )
    .source(CONSUMER_CONFIG),
    KeySpec::new(
        "queuedchunks.max",
        Kind::Integer { min: 1, max: 1_000_000 },
        Preset::Is("10"),
        "Fetched chunks that wait for the application, at most.",
    )
    .source(CONSUMER_CONFIG),
    KeySpec::new(
        "fetcher.backoff.ms",
        Kind::POSITIVE_MILLIS,
        Preset::Is("1000ms"),
        "The pause of a fetcher that has found nothing.",
    )
    .source(CONSUMER_CONFIG),
    KeySpec::new(
        "autooffset.reset",
        Kind::Choice(&["smallest", "largest"]),
        Preset::Is("smallest"),
        "Where it begins without an offset, or with one that is out of range.",
    )
    .source(CONSUMER_CONFIG),
];

const GROUP_KEYS: &[KeySpec] = &[
    KeySpec::new(
        "groupid",
        Kind::Name,
        Preset::Absent,
        "The group that it shares the topic's partitions with (the high-level consumer); without \
         it a simple consumer, which keeps its offsets with the results of its work.",
    )
    .source(CONSUMER_CONFIG),
    KeySpec::new(
        "autocommit.enable",
        Kind::Flag,
        Preset::Is("true"),
        "Whether a member of a group writes its offsets to ZooKeeper from time to time.",
    )
    .source(CONSUMER_CONFIG),
    KeySpec::new(
        "autocommit.interval.ms",
        Kind::POSITIVE_MILLIS,
        Preset::Is("10000ms"),
        "How often.",
    )
    .source(CONSUMER_CONFIG),
    KeySpec::new(
        "rebalance.retries.max",
        Kind::Integer { min: 1, max: 1_000_000 },
        Preset::Is("4"),
        "How often a rebalance is tried before it is given up.",
    )
    .source(CONSUMER_CONFIG),
    KeySpec::new(
        "rebalance.backoff.ms",
        Kind::POSITIVE_MILLIS,
        Preset::Is("2000ms"),
        "The pause between two tries (`zk.synctime.ms`).",
    )
    .source(CONSUMER_CONFIG),
    KeySpec::new(
        "zk.sessiontimeout.ms",
        Kind::POSITIVE_MILLIS,
        Preset::Is("6000ms"),
        "A member that ZooKeeper does not hear of for this long is gone.",
    )
    .source(CONSUMER_CONFIG),
];
