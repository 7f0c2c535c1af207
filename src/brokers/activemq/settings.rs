//! What `[broker]` comes to: the attributes of activemq.xml that matter.

use crate::brokers::kit::keys::keys;
use crate::engine::{Distribution, Span};
use crate::scenario::Kind;

use super::keys::COUNT;
use super::rules::Rules;

const KAHADB: &str = "store/kahadb/KahaDBStore.java; store/kahadb/MessageDatabase.java";
const POLICY: &str = "broker/region/policy/PolicyEntry.java";

/// `journalDiskSyncStrategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncStrategy {
    /// What is waited for is fsynced before it is answered.
    Always,
    /// Every so often the journal is fsynced.
    Periodic,
    /// The operating system writes it when it likes.
    Never,
}

keys! {
    /// The broker's configuration.
    pub struct Settings from BROKER_KEYS {
        "journalDiskSyncStrategy", Kind::Choice(&["always", "periodic", "never"]), "always",
            "When the journal is fsynced: before a message that is waited for is answered, every \
             journalDiskSyncInterval, or never.",
            KAHADB;
        sync_interval: Span = "journalDiskSyncInterval", Kind::POSITIVE_MILLIS, "1000ms",
            "periodic: how often the journal is fsynced.", KAHADB;
        file_length: u64 = "journalMaxFileLength", Kind::Size { min: 64 << 10, max: 1 << 31 }, "32MiB",
            "The size of a file of the journal.", "disk/journal/Journal.java";
        batch_length: u64 = "journalMaxWriteBatchSize", Kind::Size { min: 4 << 10, max: 1 << 30 }, "4MiB",
            "The most bytes that the writer of the journal writes at once.", "disk/journal/Journal.java";
        checkpoint_interval: Span = "checkpointInterval", Kind::POSITIVE_MILLIS, "5000ms",
            "How often the index is brought to the disk, and with it what was stored last of each producer.",
            KAHADB;
        cleanup_interval: Span = "cleanupInterval", Kind::POSITIVE_MILLIS, "30000ms",
            "How often files of the journal that nothing needs are deleted.", KAHADB;
        concurrent: bool = "concurrentStoreAndDispatchQueues", Kind::Flag, "true",
            "Whether messages are dispatched while they are stored, one after the other; if not each \
             connection stores its own, and only then dispatches.",
            KAHADB;
        max_jobs: u32 = "maxAsyncJobs", COUNT, "10000",
            "So many messages may wait to be stored; then connections wait.", KAHADB;
        "pendingQueuePolicy", Kind::Choice(&["storeCursor", "vmQueueCursor"]), "storeCursor",
            "Where messages wait that nobody has room for: in the store (or a temporary one if they are \
             not persistent), or in memory only, where memoryLimit holds.",
            POLICY;
        memory_limit: u64 = "memoryLimit", Kind::Size { min: 1 << 10, max: 1 << 40 }, "700MiB",
            "With vmQueueCursor: so many bytes a queue may hold before its producers wait. Not written \
             it is 70 % of a heap of 1 GiB.",
            "assembly/src/release/conf/activemq.xml memoryUsage";
        store_usage: u64 = "storeUsage", Kind::Size { min: 64 << 10, max: 1 << 50 }, "100GiB",
            "So many bytes the journal may have before producers of persistent messages wait.",
            "assembly/src/release/conf/activemq.xml";
        lock_poll: Span = "lockAcquireSleepInterval", Kind::POSITIVE_MILLIS, "10000ms",
            "activemq-shared-storage: how often a broker tries to get the lock.", "broker/AbstractLocker.java";
        lock_keep_alive: Span = "lockKeepAlivePeriod", Kind::ANY_MILLIS, "0ms",
            "activemq-shared-storage: how often the master sees whether it still has the lock; 0 for never.",
            "broker/LockableServiceSupport.java";
        inactivity: Span = "maxInactivityDuration", Kind::ANY_MILLIS, "30000ms",
            "How often both ends of a connection look whether the other is silent; the shorter of what \
             broker and client say, 0 for never.",
            "openwire/OpenWireFormatFactory.java";
    }
    beside {
        /// What the software does.
        rules: Rules,
        /// `journalDiskSyncStrategy`.
        strategy: SyncStrategy,
        /// `pendingQueuePolicy = "vmQueueCursor"`.
        vm_cursor: bool,
        /// `[storage] lease`.
        lease: Span,
        /// From the start of a process to its store.
        boot_time: Distribution,
    }
}
