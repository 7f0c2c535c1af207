//! Words for the catalogue: causes, conditions, roles, events and selectors.

use crate::brokers::kit::words::words;

// Of several causes at one instant the one with the greatest precedence names the loss: the disk
// before the cache, the cache before the heap; what no broker ever had comes last.
words! {
    causes {
        CONSUMED = "consumed", Settled, 0, "a consumer has acknowledged it";
        CONSUMED_UNSTORED = "consumed-unstored", Settled, 0,
            "a consumer acknowledged it before it was stored, so it never was";
        POISON = "poison", DeadLettered, 0,
            "its consumer gave it up after so many redeliveries (maximumRedeliveries), and it went to ActiveMQ.DLQ";
        DUPLICATE_ON_CONNECTION = "duplicate-on-connection", DeadLettered, 0,
            "a consumer's connection had had it before: it is taken for a duplicate, and went to ActiveMQ.DLQ";
        POISON_DISCARDED = "poison-discarded", Lost, 3,
            "its consumer gave it up, and messages that are not persistent are discarded (processNonPersistent)";
        FILTERED = "replay-filtered", Lost, 1,
            "the broker took it for a replay of what it had stored (producer audit)";
        DUPLICATE_REJECTED = "duplicate-rejected", Lost, 1, "its queue had a message with this id";
        ROLLED_BACK = "rolled-back", Lost, 2, "its transaction was not committed";
        REFUSED = "refused", Lost, 1, "the broker answered with an exception: the disk took nothing";
        ON_ITS_WAY = "on-its-way", Lost, 1,
            "its send had returned, and no broker read it from the connection";
        PRODUCER_DIED = "producer-died", Lost, 2, "its producer's process ended before it was sent";
        HEAP_LOST = "heap-lost", Lost, 5,
            "it was not persistent, and the broker that held it ended";
        NOT_WRITTEN = "not-written", Lost, 5,
            "it waited in the broker for the store or for the writer of the journal when the broker ended";
        PAGE_CACHE_LOST = "page-cache-lost", Lost, 6,
            "it was in the journal, and no fsync had covered it when the host lost power";
        BEHIND_DAMAGED_BATCH = "behind-damaged-batch", Lost, 6,
            "recovery stopped at a batch of the journal that is not whole, and cut what was behind it";
        OVERWRITTEN = "overwritten", Lost, 7,
            "another broker that believed to have the lock has written over its record in the journal";
        LOST_BY_STORAGE = "lost-by-storage", Lost, 5,
            "it was stored, the storage had lost it (another master's writes, a new disk), and the broker that still held it in memory ended";
        DISK_WIPED = "disk-wiped", Lost, 8, "the disk that held it was replaced by an empty one";
    }
    conditions {
        NOT_AWAITED = "not-awaited", "Its send had returned without an answer of the broker.";
        NOT_SYNCED = "not-synced", "Its send was answered before an fsync (journalDiskSyncStrategy).";
        FILE_LEFT_UNSYNCED = "file-left-unsynced",
            "Its transaction went on in the next file of the journal, and its own was left without an fsync.";
        NOT_REPLAYED = "not-replayed", "The producer did not send it again.";
        ACKNOWLEDGED_FIRST = "acknowledged-first",
            "Its consumer had acknowledged it before its application was through with it (receive()).";
    }
    roles {
        MASTER = "master", Leader, "The broker that has the store.";
    }
    events {
        RECOVERED = "recovered", "Recovery replayed the journal: COUNT messages are there";
        ROLLED_BACK = "transactions-rolled-back", "recovery rolled open transactions of COUNT messages back";
        FILES_DELETED = "journal-files-deleted", "cleanup removed data files: COUNT";
        REQUEUED = "requeued", "the subscription of SUBJECT is removed: COUNT messages go back to the queue";
        INACTIVE = "inactive", "Channel was inactive for too long: SUBJECT";
        BLOCKED = "producer-blocked", "Usage Manager Memory Limit or Store Limit reached: a producer of SUBJECT has to wait";
        NO_SPACE = "no-space", "Ignoring no space left exception";
        IO_ERROR = "io-exception", "Stopping the broker due to exception: I/O error";
        REPLAY_FILTERED = "replay-filtered", "suppressing duplicate message send of SUBJECT";
        DUPLICATE_SUPPRESSED = "duplicate-suppressed",
            "a consumer: suppressing duplicate delivery on connection, poison acking";
        POISONED = "poison-acked", "a consumer: delivered for the COUNT th time and given up";
        REPLAYED = "replayed", "a client: failover transport replays COUNT requests to SUBJECT";
        LOCK_RELEASED = "lock-released", "the storage: the lock of SUBJECT is free";
        LOCK_LOST = "lock-lost", "the lock is no longer held by this broker: it stops";
        OVERWRITTEN = "journal-overwritten",
            "the storage: records of the journal are overwritten, COUNT messages are gone";
        COMMIT_IN_DOUBT = "commit-in-doubt",
            "a client: TransactionRolledBackException, the commit was not answered: COUNT messages";
    }
    situations {
        "blocked-producer", Event(event::BLOCKED), "A producer had to wait for space.";
    }
    selectors {
        MASTER = "master", [], "The broker that has the store.";
    }
}
