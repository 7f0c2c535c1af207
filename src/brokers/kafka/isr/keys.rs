//! The keys of a scenario of Kafka with replication: one definition each, spelt as Kafka spells
//! them. Where Kafka counts milliseconds a whole number means milliseconds.

use crate::brokers::coordination::zookeeper::ZOOKEEPER;
use crate::scenario::{KeySpec, Kind, Preset, SectionSpec};
use crate::workload::{CONSUMER_KEYS, PRODUCER_KEYS};

use super::costs::COSTS;
use super::rules::RULES;

/// The family's sections.
pub const SECTIONS: &[&SectionSpec] =
    &[&BROKER, &CONTROLLER, &ZOOKEEPER, &RULES, &TOPIC, &PRODUCER, &CONSUMER, &COSTS];

const MOST: u64 = 1 << 31;
const ANY_COUNT: Kind = Kind::Integer { min: 1, max: MOST };
const BYTES: Kind = Kind::Size { min: 1, max: 1 << 40 };

const fn millis(name: &'static str, default: Preset, meaning: &'static str) -> KeySpec {
    KeySpec::new(name, Kind::POSITIVE_MILLIS, default, meaning)
}

/// `[broker]`: the brokers' configuration.
pub const BROKER: SectionSpec = SectionSpec::single(
    "broker",
    &[REPLICATION, FAILURES, STORAGE],
    "The brokers' configuration, as in server.properties.",
);

const REPLICATION: &[KeySpec] = &[
    millis(
        "replica.lag.time.max.ms",
        Preset::ByVersion(&[("0.8.0", "10s"), ("2.5", "30s")]),
        "A follower that has not caught up for so long leaves the ISR.",
    )
    .source("KafkaConfig; KIP-537"),
    KeySpec::new(
        "replica.lag.max.messages",
        ANY_COUNT,
        Preset::Is("4000"),
        "A follower that lacks more messages leaves the ISR.",
    )
    .source("KafkaConfig.scala 0.8.2.2; KAFKA-1546")
    .until("0.9"),
    millis(
        "replica.fetch.wait.max.ms",
        Preset::Is("500ms"),
        "How long a leader holds a follower's fetch back if there is nothing new.",
    )
    .source("KafkaConfig"),
    KeySpec::new(
        "replica.fetch.max.bytes",
        BYTES,
        Preset::Is("1MiB"),
        "How much a follower fetches of a partition at once.",
    )
    .source("KafkaConfig"),
    KeySpec::new(
        "replica.fetch.response.max.bytes",
        BYTES,
        Preset::Is("10MiB"),
        "How much one answer to a follower may have.",
    )
    .source("KafkaConfig 0.10.1; KIP-74")
    .since("0.10.1"),
    millis(
        "replica.fetch.backoff.ms",
        Preset::Is("1s"),
        "A follower waits so long after a fetch that failed.",
    )
    .source("KafkaConfig 0.9"),
    millis(
        "replica.socket.timeout.ms",
        Preset::Is("30s"),
        "A follower gives up on a leader that does not answer for so long.",
    )
    .source("KafkaConfig"),
    millis(
        "replica.high.watermark.checkpoint.interval.ms",
        Preset::Is("5s"),
        "How often a broker writes its high watermarks down.",
    )
    .source("KafkaConfig"),
    KeySpec::new(
        "min.insync.replicas",
        Kind::Integer { min: 1, max: 64 },
        Preset::Is("1"),
        "A write with acks=all needs so many in-sync replicas; a topic may have its own.",
    )
    .source("KafkaConfig 0.8.2; KAFKA-1555")
    .since("0.8.2"),
    KeySpec::new(
        "unclean.leader.election.enable",
        Kind::Flag,
        Preset::ByVersion(&[("0.8.2", "true"), ("0.11", "false")]),
        "Whether a replica outside the ISR may lead if no member lives; a topic may have its own.",
    )
    .source("KafkaConfig 0.8.2, 0.11; upgrade notes")
    .since("0.8.2"),
    KeySpec::new(
        "auto.leader.rebalance.enable",
        Kind::Flag,
        Preset::ByVersion(&[("0.8.0", "false"), ("0.8.2", "true")]),
        "Whether leadership goes back to the first replica in the list.",
    )
    .source("KafkaConfig 0.8.1, 0.8.2"),
    KeySpec::new(
        "leader.imbalance.check.interval.seconds",
        Kind::Integer { min: 1, max: 1_000_000 },
        Preset::Is("300"),
        "How often the controller looks for partitions that others lead.",
    )
    .source("KafkaConfig"),
    KeySpec::new(
        "leader.imbalance.per.broker.percentage",
        Kind::Integer { min: 0, max: 100 },
        Preset::Is("10"),
        "From which share on of a broker's partitions that others lead.",
    )
    .source("KafkaConfig"),
];

const FAILURES: &[KeySpec] = &[
    millis(
        "zookeeper.session.timeout.ms",
        Preset::ByVersion(&[("0.8.0", "6s"), ("2.5", "18s")]),
        "ZooKeeper takes a broker that is silent for so long for dead.",
    )
    .source("KafkaConfig; KIP-537")
    .until("4.0"),
    millis(
        "broker.heartbeat.interval.ms",
        Preset::Is("2s"),
        "How often a broker tells the controller that it lives.",
    )
    .source("KafkaConfig 2.8; KIP-631")
    .since("2.8"),
    millis(
        "broker.session.timeout.ms",
        Preset::Is("9s"),
        "The controller fences a broker that is silent for so long.",
    )
    .source("KafkaConfig 2.8; KIP-631")
    .since("2.8"),
    KeySpec::new(
        "controlled.shutdown.enable",
        Kind::Flag,
        Preset::ByVersion(&[("0.8.0", "false"), ("0.8.2", "true")]),
        "Whether a broker that stops in order hands its leaderships over first.",
    )
    .source("KafkaConfig 0.8.2")
    .until("4.0"),
    KeySpec::new(
        "controlled.shutdown.max.retries",
        Kind::Integer { min: 1, max: 1_000 },
        Preset::Is("3"),
        "How often it tries.",
    )
    .source("KafkaConfig")
    .until("4.0"),
    millis(
        "controlled.shutdown.retry.backoff.ms",
        Preset::Is("5s"),
        "How long it waits between two tries.",
    )
    .source("KafkaConfig")
    .until("4.0"),
    millis(
        "controller.socket.timeout.ms",
        Preset::Is("30s"),
        "A request between controller and broker is given up after so long.",
    )
    .source("KafkaConfig"),
];

const STORAGE: &[KeySpec] = &[
    KeySpec::new(
        "log.flush.interval.messages",
        Kind::Integer { min: 1, max: u64::MAX >> 1 },
        Preset::ByVersion(&[("0.8.0", "10000"), ("0.8.1", "4611686018427387903")]),
        "A log is fsynced after so many messages. Kafka leaves that to the operating system.",
    )
    .source("KafkaConfig.scala 0.8.0, 0.8.1"),
    KeySpec::new(
        "log.flush.interval.ms",
        Kind::POSITIVE_MILLIS,
        Preset::ByVersion(&[("0.8.0", "3s"), ("0.8.1", "1000h")]),
        "A log is fsynced when its last flush is so long ago.",
    )
    .source("KafkaConfig.scala 0.8.0, 0.8.1"),
    millis(
        "log.flush.scheduler.interval.ms",
        Preset::ByVersion(&[("0.8.0", "3s"), ("0.8.1", "1000h")]),
        "How often a broker looks whether it is.",
    )
    .source("KafkaConfig.scala 0.8.0, 0.8.1"),
    millis(
        "log.flush.offset.checkpoint.interval.ms",
        Preset::Is("60s"),
        "How often it is written down up to where logs are on the disk.",
    )
    .source("KafkaConfig"),
    KeySpec::new(
        "log.segment.bytes",
        Kind::Size { min: 14, max: 1 << 31 },
        Preset::Is("1GiB"),
        "A log's file is closed, and fsynced, when it is so long.",
    )
    .source("KafkaConfig"),
    KeySpec::new(
        "message.max.bytes",
        Kind::Size { min: 1, max: 1 << 31 },
        Preset::Is("1000012B"),
        "The largest batch that a broker takes.",
    )
    .source("KafkaConfig"),
];

/// `[controller]`: who decides.
pub const CONTROLLER: SectionSpec = SectionSpec::single(
    "controller",
    &[&[
        KeySpec::new(
            "metadata",
            Kind::Choice(&["zookeeper", "kraft"]),
            Preset::ByVersion(&[("0.8.0", "zookeeper"), ("3.3", "kraft")]),
            "Where the state of the cluster is kept: in ZooKeeper, one of the brokers being the \
             controller, or in a quorum of controllers (2.8 to 4.1).",
        )
        .source("KIP-500, KIP-833"),
        KeySpec::new(
            "controllers",
            Kind::Integer { min: 1, max: 9 },
            Preset::Is("3"),
            "With KRaft: how many controllers there are, controller1, controller2, ..., each on a host of its own.",
        ),
        KeySpec::new(
            "zone",
            Kind::Names,
            Preset::Absent,
            "With KRaft: the zones of the controllers' hosts, in turn (one zone is that of all). If not \
             written they stand beside the first broker and no fault of a zone meets them.",
        ),
        millis(
            "controller.quorum.fetch.timeout.ms",
            Preset::Is("2s"),
            "A controller that cannot fetch for so long starts an election.",
        )
        .source("RaftConfig 2.8; KIP-595")
        .since("2.8"),
        millis(
            "controller.quorum.election.timeout.ms",
            Preset::Is("1s"),
            "A candidate that has not won after this to twice as long starts another.",
        )
        .source("RaftConfig 2.8; KIP-595")
        .since("2.8"),
        millis(
            "controller.quorum.election.backoff.max.ms",
            Preset::Is("1s"),
            "The longest wait of a candidate that has lost.",
        )
        .source("RaftConfig 2.8; KIP-595")
        .since("2.8"),
        millis(
            "controller.quorum.append.linger.ms",
            Preset::Is("25ms"),
            "How long the leader gathers records before it writes them.",
        )
        .source("RaftConfig 2.8; KIP-595")
        .since("2.8"),
        KeySpec::new(
            "metadata.log.max.record.bytes.between.snapshots",
            BYTES,
            Preset::Is("20MiB"),
            "A snapshot of the metadata is written after so much of its log.",
        )
        .source("KafkaConfig.scala 3.0; KIP-630")
        .since("2.8"),
        KeySpec::new(
            "metadata.max.retention.bytes",
            BYTES,
            Preset::Is("100MiB"),
            "What is more of the metadata log and its snapshots is deleted, if a snapshot has it.",
        )
        .source("KafkaConfig.scala 3.0; KIP-630")
        .since("2.8"),
        millis(
            "controller.quorum.request.timeout.ms",
            Preset::Is("2s"),
            "A request in the quorum is given up after so long.",
        )
        .source("RaftConfig 2.8; KIP-595")
        .since("2.8"),
        millis(
            "controller.quorum.retry.backoff.ms",
            Preset::Is("20ms"),
            "How long it waits before it asks again.",
        )
        .source("RaftConfig 2.8; KIP-595")
        .since("2.8"),
    ]],
    "Who decides who leads.",
);

/// `[[topic]]`.
pub const TOPIC: SectionSpec = SectionSpec::repeated(
    "topic",
    &[&[
        KeySpec::new("name", Kind::Name, Preset::Required, "What the topic is called."),
        KeySpec::new(
            "partitions",
            Kind::Integer { min: 1, max: 100_000 },
            Preset::Is("1"),
            "How many partitions it has.",
        ),
        KeySpec::new(
            "replication-factor",
            Kind::Integer { min: 1, max: 64 },
            Preset::Absent,
            "How many replicas a partition has; 3, or as many as there are brokers, if not written.",
        ),
        KeySpec::new(
            "replicas",
            Kind::SelectorList,
            Preset::Absent,
            "The brokers of each partition, the preferred leader first: [\"n1,n2,n3\", \"n2,n3,n1\"]; \
             one after the other if not written.",
        ),
        KeySpec::new(
            "min.insync.replicas",
            Kind::Integer { min: 1, max: 64 },
            Preset::Absent,
            "As in [broker], for this topic.",
        )
        .since("0.8.2"),
        KeySpec::new(
            "unclean.leader.election.enable",
            Kind::Flag,
            Preset::Absent,
            "As in [broker], for this topic.",
        )
        .since("0.8.2"),
    ]],
    "A topic. All exist before the run.",
);

/// `[[producer]]`.
pub const PRODUCER: SectionSpec =
    SectionSpec::repeated("producer", &[PRODUCER_KEYS, PRODUCING, SCALA], "Something that sends.");

const PRODUCING: &[KeySpec] = &[
    KeySpec::new(
        "client",
        Kind::Choice(&["java", "scala"]),
        Preset::ByVersion(&[("0.8.0", "scala"), ("0.8.2", "java")]),
        "Which client: the Java producer, or the Scala one that came before it (up to 0.10).",
    ),
    KeySpec::new(
        "acks",
        Kind::Choice(&["0", "1", "2", "3", "all", "-1"]),
        Preset::ByVersion(&[("0.8.0", "0"), ("0.8.2", "1"), ("3.0", "all")]),
        "Who must have a batch before it counts as sent: nobody is asked, the leader, so many \
         replicas (up to 0.8.2), or the in-sync replicas. The Scala client's default is 0.",
    )
    .source("ProducerConfig; KIP-679; ProducerConfig.scala 0.8.2.2, request.required.acks"),
    KeySpec::new(
        "retries",
        Kind::Integer { min: 0, max: 2_147_483_647 },
        Preset::ByVersion(&[("0.8.0", "3"), ("0.8.2", "0"), ("2.1", "2147483647")]),
        "How often a batch is sent again (message.send.max.retries of the Scala client, whose \
         default is 3).",
    )
    .source("ProducerConfig 2.1; KIP-91; ProducerConfig.scala 0.8.2.2"),
    millis("retry.backoff.ms", Preset::Is("100ms"), "How long it waits before it does.")
        .source("ProducerConfig"),
    millis("retry.backoff.max.ms", Preset::Is("1s"), "The longest such wait.")
        .source("ProducerConfig 3.7; KIP-580")
        .since("3.7"),
    millis(
        "request.timeout.ms",
        Preset::ByVersion(&[("0.8.0", "10s"), ("0.8.2", "30s")]),
        "How long it waits for an answer; the broker waits no longer for the in-sync replicas. The \
         Scala client's default is 10 s.",
    )
    .source("ProducerConfig; ProducerConfig.scala 0.8.2.2"),
    millis(
        "delivery.timeout.ms",
        Preset::Is("120s"),
        "After so long a message that is not acknowledged has failed.",
    )
    .source("ProducerConfig 2.1; KIP-91")
    .since("2.1"),
    KeySpec::new(
        "batch.size",
        Kind::Size { min: 0, max: 1 << 31 },
        Preset::Is("16384B"),
        "A batch is sent when it is so large; 0 sends messages one by one.",
    )
    .source("ProducerConfig")
    .since("0.8.2"),
    KeySpec::new(
        "linger.ms",
        Kind::ANY_MILLIS,
        Preset::ByVersion(&[("0.8.0", "0ms"), ("4.0", "5ms")]),
        "How long a batch waits for more messages.",
    )
    .source("ProducerConfig; KIP-1030")
    .since("0.8.2"),
    KeySpec::new(
        "max.in.flight.requests.per.connection",
        Kind::Integer { min: 1, max: 1_000 },
        Preset::Is("5"),
        "How many requests may be unanswered.",
    )
    .source("ProducerConfig")
    .since("0.8.2"),
    KeySpec::new(
        "max.request.size",
        BYTES,
        Preset::Is("1MiB"),
        "How much one request may have; a message that is larger is refused.",
    )
    .source("ProducerConfig")
    .since("0.8.2"),
    KeySpec::new(
        "buffer.memory",
        BYTES,
        Preset::Is("32MiB"),
        "So much may wait to be sent; then send() blocks.",
    )
    .source("ProducerConfig")
    .since("0.8.2"),
    millis(
        "max.block.ms",
        Preset::ByVersion(&[("0.8.2", "1000h"), ("0.9", "60s")]),
        "How long send() blocks before it fails.",
    )
    .source("ProducerConfig 0.9")
    .since("0.8.2"),
    millis("metadata.max.age.ms", Preset::Is("300s"), "Metadata is asked for again after so long.")
        .source("ProducerConfig"),
    KeySpec::new(
        "compression",
        Kind::Flag,
        Preset::Is("false"),
        "Whether batches are compressed, so that brokers keep each as a whole. Sizes stay as they \
         are.",
    ),
    KeySpec::new(
        "keys",
        Kind::Integer { min: 1, max: 1_000_000_000 },
        Preset::Absent,
        "Messages have so many different keys, one after the other, which decide the partition; \
         no keys if not written.",
    ),
    KeySpec::new(
        "resend",
        Kind::Flag,
        Preset::Is("false"),
        "Whether the application sends a message again whose send has failed.",
    ),
];

/// Keys of the Scala producer.
const SCALA: &[KeySpec] = &[
    KeySpec::new(
        "producer.type",
        Kind::Choice(&["sync", "async"]),
        Preset::Is("sync"),
        "The Scala client: whether send() waits, or a thread of its own sends.",
    )
    .source("ProducerConfig.scala 0.8.2.2")
    .until("0.11"),
    millis("queue.buffering.max.ms", Preset::Is("5s"), "How long it gathers messages.")
        .source("ProducerConfig.scala 0.8.2.2")
        .until("0.11"),
    KeySpec::new(
        "queue.buffering.max.messages",
        ANY_COUNT,
        Preset::Is("10000"),
        "How many messages may wait.",
    )
    .source("ProducerConfig.scala 0.8.2.2")
    .until("0.11"),
    KeySpec::new(
        "queue.enqueue.timeout.ms",
        Kind::Signed { min: -1, max: 1_000_000_000 },
        Preset::Is("-1"),
        "How long send() waits for room, in ms; 0 drops the message, -1 waits for ever.",
    )
    .source("ProducerConfig.scala 0.8.2.2")
    .until("0.11"),
    KeySpec::new("batch.num.messages", ANY_COUNT, Preset::Is("200"), "How many make a batch.")
        .source("ProducerConfig.scala 0.8.2.2")
        .until("0.11"),
    millis(
        "topic.metadata.refresh.interval.ms",
        Preset::Is("600s"),
        "Metadata is asked for again after so long, and messages without a key go to another \
         partition.",
    )
    .source("ProducerConfig.scala 0.8.2.2")
    .until("0.11"),
];

/// `[[consumer]]`.
pub const CONSUMER: SectionSpec = SectionSpec::repeated(
    "consumer",
    &[
        CONSUMER_KEYS,
        &[
            KeySpec::new(
                "group",
                Kind::Name,
                Preset::Absent,
                "Consumers with different groups each read everything; its name if not written.",
            ),
            KeySpec::new(
                "partitions",
                Kind::Names,
                Preset::Absent,
                "The partitions that are assigned to it: [\"0\", \"2\"]; all of the topic if not \
                 written.",
            ),
            KeySpec::new(
                "auto.offset.reset",
                Kind::Choice(&["earliest", "latest", "none"]),
                Preset::Is("latest"),
                "Where it goes on when the broker has no such offset.",
            )
            .source("ConsumerConfig"),
            millis("fetch.max.wait.ms", Preset::Is("500ms"), "How long a broker waits for data.")
                .source("ConsumerConfig"),
            KeySpec::new(
                "fetch.min.bytes",
                BYTES,
                Preset::Is("1B"),
                "How much data is worth an answer.",
            )
            .source("ConsumerConfig"),
            KeySpec::new(
                "max.partition.fetch.bytes",
                BYTES,
                Preset::Is("1MiB"),
                "How much it fetches of a partition at once.",
            )
            .source("ConsumerConfig"),
            KeySpec::new(
                "max.poll.records",
                ANY_COUNT,
                Preset::ByVersion(&[("0.8.0", "2147483647"), ("0.10", "500")]),
                "How many messages its application is handed at once.",
            )
            .source("ConsumerConfig 0.10; KIP-41"),
            millis(
                "request.timeout.ms",
                Preset::ByVersion(&[("0.8.0", "40s"), ("0.10.1", "305s"), ("2.0", "30s")]),
                "How long it waits for an answer.",
            )
            .source("ConsumerConfig"),
            millis(
                "retry.backoff.ms",
                Preset::Is("100ms"),
                "How long it waits before it asks again.",
            )
            .source("ConsumerConfig"),
            millis(
                "metadata.max.age.ms",
                Preset::Is("300s"),
                "Metadata is asked for again after so long.",
            )
            .source("ConsumerConfig"),
        ],
    ],
    "Something that reads the partitions that are assigned to it.",
);
