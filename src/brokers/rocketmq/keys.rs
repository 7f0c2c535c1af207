//! The keys of a scenario of RocketMQ: one definition each, spelt as in its configuration.

use crate::brokers::kit::keys::keys;
use crate::engine::Span;
use crate::scenario::{Kind, SectionSpec};
use crate::workload::{CONSUMER_KEYS, PRODUCER_KEYS};

use super::costs::COSTS;
use super::rules::RULES;
use super::settings::BROKER_KEYS;

/// The family's sections.
pub const SECTIONS: &[&SectionSpec] =
    &[&BROKER, &RULES, &NAMESERVER, &CONTROLLER, &TOPIC, &PRODUCER, &CONSUMER, &COSTS];

pub(super) const MESSAGES: Kind = Kind::Integer { min: 1, max: 1_000_000_000 };
pub(super) const PERCENT: Kind = Kind::Integer { min: 1, max: 100 };
pub(super) const BUFFER: Kind = Kind::Size { min: 1 << 10, max: 1 << 30 };

pub(super) const STORE_CONFIG: &str = "store/config/MessageStoreConfig.java";
const NAMESERVER_CONFIG: &str =
    "namesrv/NamesrvController.java 4.9.4; common/namesrv/NamesrvConfig.java 5.0.0";
const CONTROLLER_CONFIG: &str = "common/ControllerConfig.java";
const CLIENT_CONFIG: &str = "client/ClientConfig.java";
const PRODUCER_CONFIG: &str = "client/producer/DefaultMQProducer.java";
const CONSUMER_CONFIG: &str = "client/consumer/DefaultMQPushConsumer.java";

/// `[broker]`: the brokers' configuration.
pub const BROKER: SectionSpec = SectionSpec::single(
    "broker",
    &[BROKER_KEYS],
    "The brokers' configuration, spelt as in broker.conf.",
);

keys! {
    const NAMESERVER_KEYS {
        "servers", Kind::Integer { min: 1, max: 9 }, "2",
            "How many NameServers there are: hosts ns1, ns2, ... They know nothing of each other.",
            "docs/en/architecture.md";
        "zone", Kind::Names, none,
            "The zones of their hosts, in turn (one zone is that of all). If not written they stand \
             beside the first broker and no fault of a zone meets them.";
        "scanNotActiveBrokerInterval", Kind::POSITIVE_MILLIS, ["4.9.0" = "10000ms", "5.0.0" = "5000ms"],
            "How often a NameServer looks for brokers that have been silent for 120 s.", NAMESERVER_CONFIG;
    }
}

/// `[nameserver]`.
pub const NAMESERVER: SectionSpec = SectionSpec::single(
    "nameserver",
    &[NAMESERVER_KEYS],
    "The NameServers, which tell clients where queues are.",
);

keys! {
    const CONTROLLER_KEYS {
        "servers", Kind::Integer { min: 1, max: 9 }, "3",
            "How many controllers there are: hosts ctl1, ctl2, ... They are a Raft group.",
            "docs/en/controller/deploy.md";
        "controllerHeartBeatTimeoutMills", Kind::POSITIVE_MILLIS, "10000ms",
            "A broker that a controller does not hear of for so long is inactive.", CONTROLLER_CONFIG;
        "scanNotActiveBrokerInterval", Kind::POSITIVE_MILLIS, "5000ms",
            "How often a controller looks for those.", CONTROLLER_CONFIG;
        "scanInactiveMasterInterval", Kind::POSITIVE_MILLIS, "5000ms",
            "How often the one that leads looks for groups whose master is inactive.", CONTROLLER_CONFIG;
        "enableElectUncleanMaster", Kind::Flag, "false",
            "Whether a broker that is not in the SyncStateSet may become master if no other is alive.",
            CONTROLLER_CONFIG;
    }
}

/// `[controller]`.
pub const CONTROLLER: SectionSpec = SectionSpec::single(
    "controller",
    &[CONTROLLER_KEYS],
    "The controllers, which make brokers masters.",
);

keys! {
    const TOPIC_KEYS {
        "name", Kind::Name, required, "What the topic is called.";
        "queues", Kind::Integer { min: 1, max: 1_000 }, "4",
            "Its queues in each group, to write and to read: orders/broker-a-0 is the first of \
             broker-a.",
            "common/TopicConfig.java; client/producer/DefaultMQProducer.java defaultTopicQueueNums";
    }
}

/// `[[topic]]`.
pub const TOPIC: SectionSpec = SectionSpec::repeated(
    "topic",
    &[TOPIC_KEYS],
    "A topic, which every group has had before the run.",
);

keys! {
    const CLIENT_KEYS {
        "pollNameServerInterval", Kind::POSITIVE_MILLIS, "30000ms",
            "How often it asks its NameServer for the topic's route.", CLIENT_CONFIG;
    }
}

/// `[[producer]]`.
pub const PRODUCER: SectionSpec = SectionSpec::repeated(
    "producer",
    &[PRODUCER_KEYS, SEND_KEYS, CLIENT_KEYS],
    "A client that sends (DefaultMQProducer), on a host of its own.",
);

keys! {
    const SEND_KEYS {
        "send", Kind::Choice(&["sync", "async", "oneway"]), "sync",
            "Whether a thread waits for each answer, answers come to a callback, or there are none.",
            "docs/en/Example_Simple.md";
        "threads", Kind::Integer { min: 1, max: 10_000 }, "1",
            "Sync: how many threads of the application send, each one message at a time.";
        "sendMsgTimeout", Kind::POSITIVE_MILLIS, "3000ms",
            "How long a send may take, all its attempts together.", PRODUCER_CONFIG;
        "sendMsgMaxTimeoutPerRequest", Kind::POSITIVE_MILLIS, none since "5.3.3",
            "Sync: how long one attempt may take if there may be another. If not written all of \
             sendMsgTimeout: a broker that hangs is never given up for another.",
            "apache/rocketmq#9137";
        "retryTimesWhenSendFailed", Kind::Integer { min: 0, max: 1_000 }, "2",
            "Sync: how many more attempts there are.", PRODUCER_CONFIG;
        "retryTimesWhenSendAsyncFailed", Kind::Integer { min: 0, max: 1_000 }, "2",
            "Async: how many more attempts there are.", PRODUCER_CONFIG;
        "retryAnotherBrokerWhenNotStoreOK", Kind::Flag, "false",
            "Sync: whether an answer other than SEND_OK is a reason for another attempt, which stores \
             the message once more.",
            PRODUCER_CONFIG;
        "sendLatencyEnable", Kind::Flag, "false",
            "Whether groups that were slow or failed are avoided for a while.", "client/latency/MQFaultStrategy.java";
        "resend", Kind::POSITIVE_DURATION, none,
            "The application calls send again so long after a failure, until it is a success; the \
             message is then stored once more if a failed attempt had stored it. Never if not written.";
        "check-send-status", Kind::Flag, "false",
            "Whether the application takes FLUSH_DISK_TIMEOUT, FLUSH_SLAVE_TIMEOUT and SLAVE_NOT_AVAILABLE, \
             which come without an exception, for failures (unknown). If not they are successes \
             (acked), as RocketMQ's documents have it.",
            "docs/en/best_practice.md";
    }
}

/// `[[consumer]]`.
pub const CONSUMER: SectionSpec = SectionSpec::repeated(
    "consumer",
    &[CONSUMER_KEYS, READ_KEYS, CLIENT_KEYS],
    "A client that consumes (DefaultMQPushConsumer), on a host of its own.",
);

keys! {
    const READ_KEYS {
        "consumerGroup", Kind::Name, "consumers",
            "The group whose members share the topic's queues.", CONSUMER_CONFIG;
        "consumeFromWhere", Kind::Choice(&["CONSUME_FROM_LAST_OFFSET", "CONSUME_FROM_FIRST_OFFSET"]), "CONSUME_FROM_LAST_OFFSET",
            "Where a group without an offset begins. Of a queue that still has its first message in \
             memory it is that, whatever is written here.",
            "broker/processor/ConsumerManageProcessor.java queryConsumerOffset";
        "pullBatchSize", Kind::Integer { min: 1, max: 1_024 }, "32",
            "Messages of a pull, at most.", CONSUMER_CONFIG;
        "pullThresholdForQueue", MESSAGES, "1000",
            "A queue is not pulled from while more messages of it are in hand.", CONSUMER_CONFIG;
        "consumeConcurrentlyMaxSpan", MESSAGES, "2000",
            "Nor while the offsets of those are further apart than this.", CONSUMER_CONFIG;
        "consumeThreadMin", Kind::Integer { min: 1, max: 10_000 }, "20",
            "How many threads of the application work on messages.", CONSUMER_CONFIG;
        "persistConsumerOffsetInterval", Kind::POSITIVE_MILLIS, "5000ms",
            "How often it tells brokers its offsets.", CLIENT_CONFIG;
        "heartbeatBrokerInterval", Kind::POSITIVE_MILLIS, "30000ms",
            "How often it tells all brokers that it is there.", CLIENT_CONFIG;
        "messageModel", Kind::Choice(&["CLUSTERING", "BROADCASTING"]), "CLUSTERING",
            "Whether the members of its group share the queues, or each gets everything: it is then a \
             group of its own, called as the consumer, and keeps its offsets in a file on its own host.",
            CONSUMER_CONFIG;
        "listener", Kind::Choice(&["concurrently", "orderly"]), "concurrently",
            "Whether its threads work on any messages, or on one of each queue at a time and only while \
             it has the lock of the queue (MessageListenerConcurrently, MessageListenerOrderly).",
            "docs/en/Example_OrderMessage.md";
        "fails", Kind::Chance, "0%",
            "How probable it is that the application fails on a message, each time that it is tried \
             (RECONSUME_LATER, SUSPEND_CURRENT_QUEUE_A_MOMENT).";
        "maxReconsumeTimes", Kind::Integer { min: 0, max: 255 }, none,
            "After so many times it is a dead letter. If not written 16, and with an orderly listener \
             never.",
            CONSUMER_CONFIG;
        "consumeTimeout", Kind::Duration { min: Span::from_nanos(1), max: Span::from_secs(360_000) }, "15min",
            "A message on which the application works for longer is sent back; looked at as often as \
             this. Of a concurrent listener.",
            CONSUMER_CONFIG;
        "suspendCurrentQueueTimeMillis", Kind::POSITIVE_MILLIS, "1000ms",
            "How long an orderly listener leaves a queue alone on whose message it has failed.",
            CONSUMER_CONFIG;
        "stuck", Kind::Table(STUCK_KEYS), none,
            "One message on which the application works for longer than on others.";
    }
}

keys! {
    const STUCK_KEYS {
        "number", Kind::Integer { min: 1, max: 1_000_000_000 }, required,
            "Which of those that its process works on, in the order in which it begins.";
        "for", Kind::POSITIVE_DURATION, required, "How long.";
    }
}
