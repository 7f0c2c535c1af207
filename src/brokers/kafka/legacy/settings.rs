//! What `[broker]` comes to: the brokers' configuration, spelt as in server.properties.

use crate::brokers::kit::keys::keys;
use crate::engine::{Distribution, Span};
use crate::scenario::Kind;

use super::keys::{AT_LEAST_1MS, BUFFER, CONFIG, MESSAGES, PARTITIONS};
use super::rules::Rules;

keys! {
    /// The brokers' configuration.
    pub struct Settings from BROKER_KEYS {
        "num.partitions", PARTITIONS, "1", "Partitions of a topic on each broker.", CONFIG;
        flush_interval: u32 = "log.flush.interval", MESSAGES, "500",
            "A log with so many unflushed messages is flushed at once, and whoever appends to it \
             waits.",
            CONFIG;
        flush_scheduler: Span = "log.default.flush.scheduler.interval.ms", Kind::POSITIVE_MILLIS, "3000ms",
            "How often a thread looks for logs to flush.", CONFIG;
        "log.default.flush.interval.ms", Kind::ANY_MILLIS, none,
            "It flushes those whose last flush was so long ago; the thread's interval if not \
             written.",
            CONFIG;
        file_size: u64 = "log.file.size", Kind::Size { min: 1 << 10, max: 1 << 40 }, "1GiB",
            "A larger segment is flushed and closed. Recovery scans the last one.", CONFIG;
        roll: Span = "log.roll.hours", AT_LEAST_1MS, "168h",
            "So is one whose first message is older than this.", CONFIG;
        "log.retention.hours", AT_LEAST_1MS, "168h",
            "Segments that were last written to so long ago are deleted.", CONFIG;
        retention_size: Option<u64> = "log.retention.size", Kind::Size { min: 0, max: 1 << 50 }, none,
            "The oldest segments are deleted while a log is larger than this; never if not \
             written.",
            CONFIG;
        cleanup_interval: Span = "log.cleanup.interval.mins", AT_LEAST_1MS, "10min",
            "How often that is looked for, the first time after a minute.", CONFIG;
        max_message_size: u32 = "max.message.size", Kind::Size { min: 1, max: 1 << 30 }, "1000000B",
            "A larger message is logged and dropped; its connection is kept.",
            "server/KafkaConfig.scala, log/Log.scala 0.7.2";
        "socket.receive.buffer", BUFFER, "102400B",
            "Bytes that the kernel holds for a connection on the receiver's side: lost with a \
             killed broker.",
            CONFIG;
        "num.threads", Kind::Integer { min: 1, max: 1_000 }, none,
            "Processor threads, each of which handles the requests of its connections one by \
             one; as many as there are cores if not written.",
            CONFIG;
        zookeeper: bool = "enable.zookeeper", Kind::Flag, "true",
            "Whether brokers register themselves.", CONFIG;
        session_timeout: Span = "zk.sessiontimeout.ms", Kind::POSITIVE_MILLIS, "6000ms",
            "A broker that ZooKeeper does not hear of for this long is gone.",
            "utils/ZkUtils.scala 0.7, ZKConfig";
        "zk.connectiontimeout.ms", Kind::POSITIVE_MILLIS, none,
            "A broker that does not reach ZooKeeper within this time fails to start; the session \
             timeout if not written.",
            "utils/ZkUtils.scala 0.7, ZKConfig";
        restart_delay: Span = "restart-delay", AT_LEAST_1MS, "1s",
            "A supervisor (not part of Kafka) starts a broker again so long after its start has \
             failed or it has halted. The end of a fault starts a process once only.";
    }
    beside {
        /// What the software does.
        rules: Rules,
        /// `num.threads`.
        threads: u32,
        /// `zk.connectiontimeout.ms`.
        connection_timeout: Span,
        /// From the start of a process to its logs.
        boot_time: Distribution,
    }
}
