//! The keys of a scenario of Kafka with replication: one definition each, spelt as Kafka spells
//! them. Where Kafka counts milliseconds a whole number means milliseconds.

use crate::brokers::coordination::zookeeper::ZOOKEEPER;
use crate::brokers::kit::keys::keys;
use crate::scenario::{Kind, SectionSpec};
use crate::workload::{CONSUMER_KEYS, PRODUCER_KEYS};

use super::costs::COSTS;
use super::groups::GROUP_KEYS;
use super::rules::RULES;
use super::settings::{BROKER_KEYS, CONTROLLER_KEYS};
use super::transactions::TRANSACTION_KEYS;

/// The family's sections.
pub const SECTIONS: &[&SectionSpec] =
    &[&BROKER, &CONTROLLER, &ZOOKEEPER, &RULES, &TOPIC, &PRODUCER, &CONSUMER, &COSTS];

const MOST: u64 = 1 << 31;
pub(super) const ANY_COUNT: Kind = Kind::Integer { min: 1, max: MOST };
pub(super) const BYTES: Kind = Kind::Size { min: 1, max: 1 << 40 };

/// `[broker]`: the brokers' configuration.
pub const BROKER: SectionSpec = SectionSpec::single(
    "broker",
    &[BROKER_KEYS, GROUP_KEYS, TRANSACTION_KEYS],
    "The brokers' configuration, as in server.properties.",
);

/// `[controller]`: who decides.
pub const CONTROLLER: SectionSpec =
    SectionSpec::single("controller", &[CONTROLLER_KEYS], "Who decides who leads.");

keys! {
    const TOPIC_KEYS {
        "name", Kind::Name, required, "What the topic is called.";
        "partitions", Kind::Integer { min: 1, max: 100_000 }, "1", "How many partitions it has.";
        "replication-factor", Kind::Integer { min: 1, max: 64 }, none,
            "How many replicas a partition has; 3, or as many as there are brokers, if not \
             written.";
        "replicas", Kind::SelectorList, none,
            "The brokers of each partition, the preferred leader first: [\"n1,n2,n3\", \
             \"n2,n3,n1\"]; one after the other if not written.";
        "min.insync.replicas", Kind::Integer { min: 1, max: 64 }, none since "0.8.2",
            "As in [broker], for this topic.";
        "unclean.leader.election.enable", Kind::Flag, none since "0.8.2",
            "As in [broker], for this topic.";
        "retention.ms", Kind::POSITIVE_MILLIS, none,
            "As log.retention.ms in [broker], for this topic.", "TopicConfig; LogConfig.scala 0.8.1";
        "retention.bytes", BYTES, none,
            "As log.retention.bytes in [broker], for this topic.", "TopicConfig; LogConfig.scala 0.8.1";
        "segment.bytes", Kind::Size { min: 14, max: 1 << 31 }, none,
            "As log.segment.bytes in [broker], for this topic.", "TopicConfig; LogConfig.scala 0.8.1";
    }
}

/// `[[topic]]`.
pub const TOPIC: SectionSpec =
    SectionSpec::repeated("topic", &[TOPIC_KEYS], "A topic. All exist before the run.");

/// `[[producer]]`.
pub const PRODUCER: SectionSpec =
    SectionSpec::repeated("producer", &[PRODUCER_KEYS, PRODUCING, SCALA], "Something that sends.");

keys! {
    const PRODUCING {
        "client", Kind::Choice(&["java", "scala", "librdkafka"]), ["0.8.0" = "scala", "0.8.2" = "java"],
            "Which client: the Java producer, the Scala one that came before it (up to 0.10), or \
             librdkafka, which Python, Go, .NET and others use, with its own defaults: acks=all, \
             message.timeout.ms (delivery.timeout.ms here) 300 s, linger.ms 5, batches of 1 MB, 1 GB \
             or 100,000 messages in its queue, which fails at once when it is full, and no \
             idempotence.",
            "librdkafka 2.x, CONFIGURATION.md";
        "acks", Kind::Choice(&["0", "1", "2", "3", "all", "-1"]), ["0.8.0" = "0", "0.8.2" = "1", "3.0" = "all"],
            "Who must have a batch before it counts as sent: nobody is asked, the leader, so \
             many replicas (up to 0.8.2), or the in-sync replicas. The Scala client's default is \
             0.",
            "ProducerConfig; KIP-679; ProducerConfig.scala 0.8.2.2, request.required.acks";
        "retries", Kind::Integer { min: 0, max: 2_147_483_647 }, ["0.8.0" = "3", "0.8.2" = "0", "2.1" = "2147483647"],
            "How often a batch is sent again (message.send.max.retries of the Scala client, \
             whose default is 3).",
            "ProducerConfig 2.1; KIP-91; ProducerConfig.scala 0.8.2.2";
        "retry.backoff.ms", Kind::POSITIVE_MILLIS, "100ms",
            "How long it waits before it does.", "ProducerConfig";
        "retry.backoff.max.ms", Kind::POSITIVE_MILLIS, "1s" since "3.7",
            "The longest such wait.", "ProducerConfig 3.7; KIP-580";
        "request.timeout.ms", Kind::POSITIVE_MILLIS, ["0.8.0" = "10s", "0.8.2" = "30s"],
            "How long it waits for an answer; the broker waits no longer for the in-sync \
             replicas. The Scala client's default is 10 s.",
            "ProducerConfig; ProducerConfig.scala 0.8.2.2";
        "delivery.timeout.ms", Kind::POSITIVE_MILLIS, "120s" since "2.1",
            "After so long a message that is not acknowledged has failed.",
            "ProducerConfig 2.1; KIP-91";
        "batch.size", Kind::Size { min: 0, max: 1 << 31 }, "16384B" since "0.8.2",
            "A batch is sent when it is so large; 0 sends messages one by one.", "ProducerConfig";
        "linger.ms", Kind::ANY_MILLIS, ["0.8.0" = "0ms", "4.0" = "5ms"] since "0.8.2",
            "How long a batch waits for more messages.", "ProducerConfig; KIP-1030";
        "max.in.flight.requests.per.connection", Kind::Integer { min: 1, max: 1_000 }, "5" since "0.8.2",
            "How many requests may be unanswered.", "ProducerConfig";
        "enable.idempotence", Kind::Flag, ["0.11" = "false", "3.0.1" = "true", "3.1" = "false", "3.1.1" = "true"] since "0.11",
            "Whether batches bear the producer's id and sequences, so that brokers write each once and \
             in order. It takes acks=all, retries and at most 5 requests in flight.",
            "ProducerConfig 0.11; KIP-98, KIP-679, KAFKA-13598";
        "max.request.size", BYTES, "1MiB" since "0.8.2",
            "How much one request may have; a message that is larger is refused.", "ProducerConfig";
        "buffer.memory", BYTES, "32MiB" since "0.8.2",
            "So much may wait to be sent; then send() blocks.", "ProducerConfig";
        "max.block.ms", Kind::POSITIVE_MILLIS, ["0.8.2" = "1000h", "0.9" = "60s"] since "0.8.2",
            "How long send() blocks before it fails.", "ProducerConfig 0.9";
        "metadata.max.age.ms", Kind::POSITIVE_MILLIS, "300s",
            "Metadata is asked for again after so long.", "ProducerConfig";
        "compression", Kind::Flag, "false",
            "Whether batches are compressed, so that brokers keep each as a whole. Sizes stay as \
             they are.";
        "keys", Kind::Integer { min: 1, max: 1_000_000_000 }, none,
            "Messages have so many different keys, one after the other, which decide the \
             partition; no keys if not written.";
        "delivery-reports", Kind::Choice(&["handled", "ignored"]), "handled",
            "Whether the application looks at what becomes of its messages (delivery reports, callbacks, \
             futures). One that does not takes every message for sent that the client has accepted.";
        "flush", Kind::Flag, "true",
            "Whether an application that stops in order waits until its client has sent what it holds \
             (flush, close).";
        "resend", Kind::Flag, "false",
            "Whether the application sends a message again whose send has failed.";
    }
}

keys! {
    /// Keys of the Scala producer.
    const SCALA {
        "producer.type", Kind::Choice(&["sync", "async"]), "sync" until "0.11",
            "The Scala client: whether send() waits, or a thread of its own sends.",
            "ProducerConfig.scala 0.8.2.2";
        "queue.buffering.max.ms", Kind::POSITIVE_MILLIS, "5s" until "0.11",
            "How long it gathers messages.", "ProducerConfig.scala 0.8.2.2";
        "queue.buffering.max.messages", ANY_COUNT, "10000" until "0.11",
            "How many messages may wait.", "ProducerConfig.scala 0.8.2.2";
        "queue.enqueue.timeout.ms", Kind::Signed { min: -1, max: 1_000_000_000 }, "-1" until "0.11",
            "How long send() waits for room, in ms; 0 drops the message, -1 waits for ever.",
            "ProducerConfig.scala 0.8.2.2";
        "batch.num.messages", ANY_COUNT, "200" until "0.11",
            "How many make a batch.", "ProducerConfig.scala 0.8.2.2";
        "topic.metadata.refresh.interval.ms", Kind::POSITIVE_MILLIS, "600s" until "0.11",
            "Metadata is asked for again after so long, and messages without a key go to another \
             partition.",
            "ProducerConfig.scala 0.8.2.2";
    }
}

keys! {
    const READING {
        "group", Kind::Name, none,
            "Consumers with different groups each read everything; its name if not written.";
        "partitions", Kind::Names, none,
            "The partitions that are assigned to it: [\"0\", \"2\"]; all of the topic if not \
             written.";
        "auto.offset.reset",
            Kind::Either(&[Kind::Choice(&["earliest", "latest", "none"]), Kind::Text]), "latest",
            "Where it goes on when the broker has no such offset: at the log's start, at its end, nowhere, or \
             (from 4.0 on, \"by_duration:PT30S\") at what was sent so long ago.",
            "ConsumerConfig; KIP-1106";
        "client.rack", Kind::Name, none since "2.4",
            "Its rack: the name of a zone. With replica.selector.class it reads from a replica there.",
            "ConsumerConfig 2.4; KIP-392";
        "fetch.max.wait.ms", Kind::POSITIVE_MILLIS, "500ms",
            "How long a broker waits for data.", "ConsumerConfig";
        "fetch.min.bytes", BYTES, "1B", "How much data is worth an answer.", "ConsumerConfig";
        "max.partition.fetch.bytes", BYTES, "1MiB",
            "How much it fetches of a partition at once.", "ConsumerConfig";
        "max.poll.records", ANY_COUNT, ["0.8.0" = "2147483647", "0.10" = "500"],
            "How many messages its application is handed at once.", "ConsumerConfig 0.10; KIP-41";
        "request.timeout.ms", Kind::POSITIVE_MILLIS, ["0.8.0" = "40s", "0.10.1" = "305s", "2.0" = "30s"],
            "How long it waits for an answer.", "ConsumerConfig";
        "retry.backoff.ms", Kind::POSITIVE_MILLIS, "100ms",
            "How long it waits before it asks again.", "ConsumerConfig";
        "metadata.max.age.ms", Kind::POSITIVE_MILLIS, "300s",
            "Metadata is asked for again after so long.", "ConsumerConfig";
    }
}

keys! {
    /// Keys of a consumer in a group.
    const MEMBER {
        "group.id", Kind::Name, none since "0.9",
            "Its consumer group: the members of a group share the topic's partitions, and go on where              one of them has committed. With `partitions` it reads those, and only commits.",
            "ConsumerConfig 0.9";
        "enable.auto.commit", Kind::Flag, "true" since "0.9",
            "Whether poll() commits, every auto.commit.interval.ms, what earlier polls have returned; and              close(), and a rebalance.",
            "ConsumerConfig 0.9";
        "auto.commit.interval.ms", Kind::POSITIVE_MILLIS, "5s" since "0.9",
            "How often it does.", "ConsumerConfig 0.9";
        "session.timeout.ms", Kind::POSITIVE_MILLIS, ["0.9" = "30s", "0.10.1" = "10s", "3.0" = "45s"] since "0.9",
            "A member that is silent for so long is out (group.protocol = \"classic\").",
            "ConsumerConfig 0.9, 0.10.1, 3.0; KIP-62, KIP-735";
        "heartbeat.interval.ms", Kind::POSITIVE_MILLIS, "3s" since "0.9",
            "How often it tells that it lives (group.protocol = \"classic\").", "ConsumerConfig 0.9";
        "max.poll.interval.ms", Kind::POSITIVE_MILLIS, "300s" since "0.10.1",
            "A member whose application does not poll for so long leaves; and as long does a rebalance              wait for it.",
            "ConsumerConfig 0.10.1; KIP-62";
        "partition.assignment.strategy",
            Kind::Choice(&["range", "roundrobin", "sticky", "cooperative-sticky", "range,cooperative-sticky"]),
            ["0.9" = "range", "3.0" = "range,cooperative-sticky"] since "0.9",
            "How the group's leader shares partitions out, the preferred way first. With              cooperative-sticky alone members keep what stays theirs while they agree (2.4).",
            "ConsumerConfig 0.9, 3.0; KIP-429, KIP-726";
        "group.instance.id", Kind::Name, none since "2.3",
            "Makes it a static member: back within session.timeout.ms it has its place again.",
            "ConsumerConfig 2.3; KIP-345";
        "group.protocol", Kind::Choice(&["classic", "consumer"]), "classic" since "4.0",
            "Whether members agree among themselves, or the coordinator assigns (KIP-848).",
            "ConsumerConfig 4.0; KIP-848";
        "commit", Kind::Choice(&["after", "before", "middle", "each", "never"]), "after" since "0.9",
            "Without enable.auto.commit, when its application commits: what poll() has returned, when it              is through with that, before it begins, or when it has done half of it; each message when it              is through with that one; or never.";
        "commit-call", Kind::Choice(&["sync", "async"]), "sync" since "0.9",
            "Whether it calls commitSync(), which waits and tries again, or commitAsync().";
        "hand-over", Kind::Choice(&["in-turn", "workers"]), "in-turn" since "0.9",
            "Whether its application polls when it is through with what it has, or hands that to workers              and polls on.";
        "fails-at", ANY_COUNT, none since "0.9",
            "Its application throws at its so-many-th message, closes the consumer in `finally`, and              begins anew `restart-after` later.";
        "restart-after", Kind::POSITIVE_DURATION, "1s" since "0.9",
            "How long that takes.";
    }
}

keys! {
    /// Keys of a consumer that reads transactions, or makes some.
    const PIPELINE {
        "isolation.level", Kind::Choice(&["read_uncommitted", "read_committed"]), "read_uncommitted" since "0.11",
            "Whether it reads what transactions have written before they are committed, or only what is \
             committed, up to the first transaction that is open.",
            "ConsumerConfig 0.11; KIP-98";
        "produce-to", Kind::Name, none since "0.11",
            "Its application makes a message of each that it reads, and sends it to this topic, to the \
             partition with the same number (modulo how many there are). It takes a group.id.";
        "enable.idempotence", Kind::Flag, ["0.11" = "false", "3.0.1" = "true", "3.1" = "false", "3.1.1" = "true"] since "0.11",
            "As of a producer, for what it sends.", "ProducerConfig 0.11; KIP-679";
        "transactional.id", Kind::Name, none since "0.11",
            "It sends what it makes of one poll() in a transaction, which commits its offsets as well. It \
             commits in no other way then. Two consumers with the same one fence each other.",
            "ProducerConfig 0.11; KIP-98";
        "transaction.timeout.ms", Kind::POSITIVE_MILLIS, "60s" since "0.11",
            "A transaction that takes longer is aborted by its coordinator.", "ProducerConfig 0.11; KIP-98";
        "delivery.timeout.ms", Kind::POSITIVE_MILLIS, "120s" since "2.1",
            "As of a producer, for what it sends: what is not acknowledged after so long has failed.",
            "ProducerConfig 2.1; KIP-91";
    }
}

/// `[[consumer]]`.
pub const CONSUMER: SectionSpec = SectionSpec::repeated(
    "consumer",
    &[CONSUMER_KEYS, READING, MEMBER, PIPELINE],
    "Something that reads: as a member of a consumer group (`group.id`), or the partitions that are \
     assigned to it, from a position of its own.",
);
