//! What `[broker]` comes to: the brokers' configuration, spelt as in broker.conf.

use crate::brokers::kit::keys::keys;
use crate::engine::{Distribution, Span};
use crate::scenario::Kind;

use super::keys::{BUFFER, MESSAGES, PERCENT, STORE_CONFIG};
use super::rules::Rules;

const BROKER_CONFIG: &str = "common/BrokerConfig.java";

keys! {
    /// The brokers' configuration.
    pub struct Settings from BROKER_KEYS {
        "slaves", Kind::Integer { min: 0, max: 7 }, "1",
            "How many slaves each master has. Nodes are taken in their order: n1 is the master of \
             broker-a, the next ones are its slaves, then comes the master of broker-b.",
            "docs/en/Deployment.md";
        "brokerRole", Kind::Choice(&["ASYNC_MASTER", "SYNC_MASTER"]), "ASYNC_MASTER",
            "The role of masters: whether they wait for slaves. From 5.0 on SYNC_MASTER alone waits \
             for nobody: see inSyncReplicas.",
            STORE_CONFIG;
        "flushDiskType", Kind::Choice(&["ASYNC_FLUSH", "SYNC_FLUSH"]), "ASYNC_FLUSH",
            "Whether a send is answered from the page cache, or when it is flushed.", STORE_CONFIG;
        in_sync_replicas: u32 | 1 = "inSyncReplicas", Kind::Integer { min: 1, max: 8 }, "1" since "5.0.0",
            "With SYNC_MASTER: how many copies there must be before a send is answered, the master's \
             included.",
            "store/config/MessageStoreConfig.java 5.0.0; docs/en/QuorumACK.md";
        all_ack: bool | false = "allAckInSyncStateSet", Kind::Flag, "false" since "5.0.0",
            "With controllers: whether a send waits for all members of the SyncStateSet, rather than for \
             inSyncReplicas.",
            "docs/en/controller/deploy.md";
        min_in_sync: u32 | 1 = "minInSyncReplicas", Kind::Integer { min: 1, max: 8 }, "1" since "5.0.0",
            "With controllers: a send is refused (IN_SYNC_REPLICAS_NOT_ENOUGH) while the SyncStateSet has fewer \
             members.",
            "docs/en/controller/deploy.md";
        caught_up: Span | (Span::from_secs(15)) = "haMaxTimeSlaveNotCatchup", Kind::POSITIVE_MILLIS, "15000ms" since "5.0.0",
            "With controllers: a slave that has not had everything for so long leaves the SyncStateSet.",
            "store/config/MessageStoreConfig.java 5.0.0";
        slave_timeout: Span = "slaveTimeout", Kind::POSITIVE_MILLIS, "3000ms",
            "So long a send waits for slaves; then it is answered FLUSH_SLAVE_TIMEOUT.", STORE_CONFIG;
        sync_flush_timeout: Span = "syncFlushTimeout", Kind::POSITIVE_MILLIS, "5000ms",
            "So long a send waits for its flush; then it is answered FLUSH_DISK_TIMEOUT.", STORE_CONFIG;
        flush_interval: Span = "flushIntervalCommitLog", Kind::POSITIVE_MILLIS, "500ms",
            "ASYNC_FLUSH: how long the flusher sleeps.", STORE_CONFIG;
        flush_pages: u64 = "flushCommitLogLeastPages", Kind::Integer { min: 0, max: 1_000_000 }, "4",
            "ASYNC_FLUSH: it flushes if so many pages of 4 KiB are dirty.", STORE_CONFIG;
        flush_thorough: Span = "flushCommitLogThoroughInterval", Kind::POSITIVE_MILLIS, "10000ms",
            "ASYNC_FLUSH: so often it flushes however little is dirty.", STORE_CONFIG;
        pool: bool = "transientStorePoolEnable", Kind::Flag, "false",
            "Whether appends go to a buffer off the heap, and from there to the file: with ASYNC_FLUSH \
             only.",
            "store/TransientStorePool.java";
        commit_interval: Span = "commitIntervalCommitLog", Kind::POSITIVE_MILLIS, "200ms",
            "How often that buffer is copied to the file.", STORE_CONFIG;
        segment: u64 = "mappedFileSizeCommitLog", Kind::Size { min: 64 << 10, max: (1 << 31) - 1 }, "1GiB",
            "The size of a segment of the CommitLog.", STORE_CONFIG;
        reserved: u64 = "fileReservedTime", Kind::Integer { min: 1, max: 1_000_000 }, "72",
            "Hours after which a segment may be deleted, whether its messages were consumed or not: at 4 in the \
             morning (a run begins at midnight), or when too much of the disk is used.",
            STORE_CONFIG;
        most_used: u64 = "diskMaxUsedSpaceRatio", PERCENT, "75",
            "With more than this of the disk used, in percent, segments are deleted that may be.", STORE_CONFIG;
        clean_forcibly: u64 = "diskSpaceCleanForciblyRatio", PERCENT, "85",
            "With more than this used the oldest segments are deleted, ten at a time, whether they may be or not.",
            STORE_CONFIG;
        warning_level: u64 = "diskSpaceWarningLevelRatio", PERCENT, "90",
            "With more than this used nothing is taken: SERVICE_NOT_AVAILABLE.", STORE_CONFIG;
        max_message_size: u32 = "maxMessageSize", Kind::Size { min: 1, max: 1 << 30 }, "4MiB",
            "A larger message is answered MESSAGE_ILLEGAL.", STORE_CONFIG;
        ha_heartbeat: Span = "haSendHeartbeatInterval", Kind::POSITIVE_MILLIS, "5000ms",
            "After so long without data master and slave tell each other that they are there.",
            STORE_CONFIG;
        ha_housekeeping: Span = "haHousekeepingInterval", Kind::POSITIVE_MILLIS, "20000ms",
            "After so long without a word of the other they end their connection.", STORE_CONFIG;
        ha_batch: u32 = "haTransferBatchSize", Kind::Size { min: 1 << 10, max: 1 << 30 }, "32KiB",
            "The most bytes that are pushed to a slave at once.", STORE_CONFIG;
        ha_fall_behind: u64 | (u64::MAX) = "haSlaveFallbehindMax", Kind::Size { min: 1, max: 1 << 50 }, "256MiB" until "5.0.0",
            "A slave that is further behind counts as not there: SLAVE_NOT_AVAILABLE.",
            "store/config/MessageStoreConfig.java 4.9.4";
        register_period: Span = "registerNameServerPeriod", Kind::Duration { min: Span::from_secs(10), max: Span::from_secs(60) }, "30s",
            "How often a broker registers itself with every NameServer.", BROKER_CONFIG;
        send_wait: Span = "waitTimeMillsInSendQueue", Kind::POSITIVE_MILLIS, "200ms",
            "A send that has waited for so long is answered SYSTEM_BUSY.", BROKER_CONFIG;
        offset_interval: Span = "flushConsumerOffsetInterval", Kind::POSITIVE_MILLIS, "5000ms",
            "How often the consumer offsets are written to their file.", BROKER_CONFIG;
        slave_read: bool = "slaveReadEnable", Kind::Flag, "false",
            "Whether slaves answer pulls. Before 5.0 they do all the same.", BROKER_CONFIG;
        slave_offset_check: bool = "offsetCheckInSlave", Kind::Flag, "false",
            "Whether a slave corrects offsets that it does not have.", STORE_CONFIG;
        read_uncommitted: bool | false = "readUnCommitted", Kind::Flag, "false" since "5.3.0",
            "Whether messages can be read before they are flushed with SYNC_FLUSH.", STORE_CONFIG;
        client_expiry: Span = "channelExpiredTimeout", Kind::POSITIVE_MILLIS, "120s",
            "A client that a broker does not hear of for so long is gone.", "common/BrokerConfig.java channelExpiredTimeout";
        slave_sync: Span = "slave-sync-interval", Kind::POSITIVE_DURATION, ["4.9.0" = "10s", "5.0.0" = "60s"],
            "How often a slave copies the consumer offsets of its master: not a key of RocketMQ's, where \
             it is fixed.",
            "broker/BrokerController.java 4.9.4, 5.0.0";
        queue_capacity: u32 = "sendThreadPoolQueueCapacity", MESSAGES, "10000",
            "So many sends wait for their turn at most; the others are answered SYSTEM_BUSY.", BROKER_CONFIG;
        "socket-buffer", BUFFER, none,
            "Bytes that the kernel holds for a connection on the receiver's side; as the network has it \
             if not written.",
            "remoting/netty/NettySystemConfig.java";
    }
    beside {
        /// What the software does.
        rules: Rules,
        /// `brokerRole = SYNC_MASTER`.
        sync_master: bool,
        /// `flushDiskType = SYNC_FLUSH`.
        sync_flush: bool,
        /// From the start of a process to its store.
        boot_time: Distribution,
    }
}
