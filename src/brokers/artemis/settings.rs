//! What `[broker]` and `[[queue]]` come to: the elements of broker.xml that matter.

use crate::brokers::kit::keys::keys;
use crate::engine::{Distribution, Span};
use crate::scenario::Kind;

use super::keys::COUNT;
use super::rules::Rules;

const DEFAULTS: &str = "artemis-core-client ActiveMQDefaultConfiguration.java";
const JOURNAL: &str = "docs/user-manual/persistence.adoc; artemis-commons ArtemisConstants.java";
const ADDRESS: &str = "settings/impl/AddressSettings.java";

/// `journal-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalType {
    /// Through the page cache; one flush at a time.
    Nio,
    /// O_DIRECT with libaio: what is written goes to the device, and flushes overlap.
    AsyncIo,
}

keys! {
    /// The broker's configuration.
    pub struct Settings from BROKER_KEYS {
        "journal-type", Kind::Choice(&["NIO", "ASYNCIO"]), "ASYNCIO",
            "NIO writes into the page cache, ASYNCIO past it.", JOURNAL;
        datasync: bool = "journal-datasync", Kind::Flag, "true",
            "Whether the journal is fsynced at all.", DEFAULTS;
        sync_transactional: bool = "journal-sync-transactional", Kind::Flag, "true",
            "Whether a commit is answered when it is fsynced.", DEFAULTS;
        sync_non_transactional: bool = "journal-sync-non-transactional", Kind::Flag, "true",
            "Whether a send or an acknowledgement outside of transactions is fsynced before it counts.",
            DEFAULTS;
        file_size: u64 = "journal-file-size", Kind::Size { min: 64 << 10, max: 1 << 31 }, "10MiB",
            "The size of a file of the journal.", DEFAULTS;
        buffer_size: u64 = "journal-buffer-size", Kind::Size { min: 4 << 10, max: 1 << 30 }, "490KiB",
            "A buffer with so many bytes is flushed.", JOURNAL;
        "journal-buffer-timeout", Kind::POSITIVE_DURATION, none,
            "The least time between two flushes. Not written it is 3.333 ms with NIO and 0.5 ms with \
             ASYNCIO; artemis create measures the disk and writes its own.",
            JOURNAL;
        cache_size: u32 = "id-cache-size", COUNT, "20000",
            "So many duplicate ids an address remembers.", DEFAULTS;
        max_records: u32 = "max-redelivery-records", COUNT, "10",
            "Delivery counts beyond this are not written to the journal; the template of artemis create \
             has 1.",
            DEFAULTS;
        dead_letters: bool = "dead-letter-address", Kind::Flag, "true",
            "Whether messages that are given up go to the queue DLQ, as in the template of artemis \
             create; without it they are removed.",
            ADDRESS;
        ttl_check: Span = "connection-ttl-check-interval", Kind::POSITIVE_MILLIS, "2000ms",
            "How often connections are looked for that are silent for their connectionTTL.",
            "remoting/server/impl/RemotingServiceImpl.java FailureCheckAndFlushThread";
        failover_on_shutdown: bool = "failover-on-shutdown", Kind::Flag, "false",
            "artemis-shared-store: whether the backup takes over from a primary that stops in order.",
            DEFAULTS;
        lock_monitor: Span = "lock-monitor-period", Kind::POSITIVE_MILLIS, "2000ms",
            "artemis-shared-store: how often the active broker sees whether it still has its lock.",
            DEFAULTS;
        allow_failback: bool = "allow-failback", Kind::Flag, "true",
            "Whether a backup that has taken over gives way to its primary when that is back.",
            DEFAULTS;
        initial_sync_timeout: Span = "initial-replication-sync-timeout", Kind::POSITIVE_MILLIS, "30000ms",
            "artemis-replication: how long the primary's journal stands still at most, until its backup \
             has said that it has everything.",
            DEFAULTS;
        quorum_size: u32 = "quorum-size", Kind::Integer { min: 0, max: 1_000 }, "0",
            "artemis-replication: the size of the cluster by which votes are counted; 0 for the largest \
             number of pairs that were ever there.",
            DEFAULTS;
        vote_retries: u32 = "vote-retries", COUNT, "12",
            "artemis-replication: so often a backup asks for votes.", DEFAULTS;
        vote_retry_wait: Span = "vote-retry-wait", Kind::POSITIVE_MILLIS, "5000ms",
            "artemis-replication: how long it waits in between.", DEFAULTS;
        quorum_vote_wait: Span = "quorum-vote-wait", Kind::POSITIVE_DURATION, "30s",
            "artemis-replication: how long it waits for the answers to one vote.", DEFAULTS;
        vote_on_replication_failure: bool = "vote-on-replication-failure", Kind::Flag, "false",
            "artemis-replication: whether a primary that loses its backup asks for votes, and stops \
             without them. artemis create --replicated writes true.",
            DEFAULTS;
        check_for_active: bool = "check-for-active-server", Kind::Flag, "true",
            "artemis-replication: whether a primary that starts looks for an active broker with its \
             identity.",
            DEFAULTS;
        network_check: bool = "network-check-list", Kind::Flag, "false",
            "artemis-replication: whether brokers ping a router, here a host called router.",
            DEFAULTS;
        network_check_period: Span = "network-check-period", Kind::POSITIVE_MILLIS, "5000ms",
            "network-check-list: how often; the template of artemis create has 10 s.", DEFAULTS;
        network_check_timeout: Span = "network-check-timeout", Kind::POSITIVE_MILLIS, "1000ms",
            "network-check-list: how long a ping may take.", DEFAULTS;
    }
    beside {
        /// What the software does.
        rules: Rules,
        /// `journal-type`.
        journal: JournalType,
        /// `journal-buffer-timeout`.
        buffer_timeout: Span,
        /// `[storage] lease`.
        lease: Span,
        /// From the start of a process to its journal.
        boot_time: Distribution,
    }
}

keys! {
    /// What is said of an address.
    pub struct QueueSettings from QUEUE_KEYS {
        "name", Kind::Name, required,
            "What the address and its anycast queue are called. DLQ is there by itself.";
        max_deliveries: u32 = "max-delivery-attempts", Kind::Integer { min: 0, max: 1_000_000 }, "10",
            "After so many deliveries a message is given up; 0 for never.", ADDRESS;
        redelivery_delay: Span = "redelivery-delay", Kind::ANY_MILLIS, "0ms",
            "How long a message waits that goes back.", ADDRESS;
        max_size: Option<u64> = "max-size-bytes", Kind::Size { min: 1 << 10, max: 1 << 50 }, none,
            "So many bytes the address holds in memory; not written it has no limit.", ADDRESS;
        "address-full-policy", Kind::Choice(&["BLOCK", "DROP", "FAIL"]), "BLOCK",
            "max-size-bytes: what becomes of messages beyond it. BLOCK gives no credits, DROP throws them \
             away while their sends succeed, FAIL answers with an exception. The default, PAGE, is not \
             simulated.",
            ADDRESS;
    }
    beside {
        /// `address-full-policy`.
        full: FullPolicy,
    }
}

/// `address-full-policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullPolicy {
    /// Producers get no credits.
    Block,
    /// Messages are thrown away, and their sends succeed.
    Drop,
    /// Sends are answered with an exception.
    Fail,
}
