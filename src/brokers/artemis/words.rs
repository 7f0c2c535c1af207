//! Words for the catalogue: causes, conditions, roles, events and selectors.

use crate::brokers::kit::words::words;

// Of several causes at one instant the one with the greatest precedence names the loss: the disk
// before the cache, the cache before the heap; what no broker ever had comes last.
words! {
    causes {
        ACKNOWLEDGED = "acknowledged", Settled, 0, "a consumer has acknowledged it";
        GIVEN_UP = "given-up", DeadLettered, 0,
            "it was delivered max-delivery-attempts times, and went to DLQ";
        NO_DEAD_LETTER_ADDRESS = "no-dead-letter-address", Lost, 3,
            "it was delivered max-delivery-attempts times, and there was no other queue for it to go to";
        DUPLICATE = "duplicate-id", Lost, 1, "its address had had a message with its duplicate id";
        FULL_DROPPED = "address-full-dropped", Lost, 1,
            "its address was full, and its send succeeded all the same (address-full-policy)";
        FULL_FAILED = "address-full", Lost, 1,
            "its address was full, and its send was answered with an exception";
        ROLLED_BACK = "rolled-back", Lost, 2, "its transaction was not committed";
        ON_ITS_WAY = "on-its-way", Lost, 1,
            "its send had returned, and no broker read it from the connection";
        HEAP_LOST = "heap-lost", Lost, 5, "it was not durable, and the broker that held it ended";
        NOT_WRITTEN = "not-written", Lost, 5,
            "its record waited in the journal's buffer when the broker ended";
        PAGE_CACHE_LOST = "page-cache-lost", Lost, 6,
            "it was in a file of the journal, and no fsync had covered it when the host lost power";
        LOST_BY_STORAGE = "lost-by-storage", Lost, 5,
            "it was stored, the storage had lost it, and the broker that still held it in memory ended";
        MOVED_AWAY = "moved-away", Lost, 7,
            "its broker became a backup, and moved its data to oldreplica.N";
        DISK_WIPED = "disk-wiped", Lost, 8, "the disk that held it was replaced by an empty one";
    }
    conditions {
        NOT_AWAITED = "not-awaited", "Its send had returned without an answer of the broker.";
        NOT_SYNCED = "not-synced",
            "Its send was answered before an fsync (journal-datasync, journal-sync-non-transactional).";
        ONE_COPY = "one-copy", "Its broker had lost its backup, and had answered with one copy.";
        NOT_RESENT = "not-resent", "Its application did not send it again.";
    }
    roles {
        ACTIVE = "active", Leader, "The broker that clients can connect to.";
        BACKUP = "backup", InSync, "A backup that has all that its primary has.";
        SYNCHRONIZING = "synchronizing", Lagging, "A backup that copies its primary's journal.";
    }
    events {
        LOADED = "journal-loaded", "The journal was loaded: COUNT messages are there";
        ROLLED_BACK = "transactions-rolled-back", "transactions without a commit: COUNT messages";
        FILES_DELETED = "journal-files-deleted", "files of the journal that nothing needs: COUNT";
        CANCELLED = "cancelled", "a consumer on SUBJECT has ended: COUNT messages go back to the queue";
        TTL_EXPIRED = "ttl-expired",
            "AMQ222067: Connection failure has been detected: did not receive data from SUBJECT within the connectionTTL";
        BLOCKED = "producer-blocked", "AMQ222183: Blocking message production on address";
        DEAD_LETTERED = "dead-lettered",
            "AMQ222149: message has reached maximum delivery attempts, COUNT of them";
        DUPLICATE = "duplicate-detected", "AMQ222059: Duplicate message detected, will not be routed";
        DISK_FULL = "disk-full", "AMQ222210: Free storage space is at critical levels";
        IO_ERROR = "critical-io-error", "AMQ222010: Critical IO Error, shutting down the server";
        LOCKED = "lock-acquired", "AMQ221002: Obtained the lock of the primary";
        LOCK_RELEASED = "lock-released", "the storage: the lock of SUBJECT is free";
        LOCK_LOST = "lock-lost", "AMQ222294: Lost the lock according to the monitor, notifying listeners: it stops";
        FAILBACK = "failback", "the primary SUBJECT is back: the backup gives way to it";
        SYNC_BEGUN = "synchronization-begun", "AMQ221024: Backup SUBJECT copies COUNT bytes of the journal";
        SYNC_LOCKED = "journal-locked", "the journal stands still until SUBJECT has said that it has everything";
        IN_SYNC = "in-sync", "AMQ221031: backup announced: SUBJECT has everything";
        SYNC_TIMED_OUT = "synchronization-timed-out",
            "AMQ222013: Error when trying to start replication: SUBJECT has not said in time that it has everything";
        BACKUP_LOST = "backup-lost",
            "AMQ222202: the connection with the backup SUBJECT is lost: COUNT calls that waited for it are answered";
        PRIMARY_LOST = "primary-lost", "AMQ222211: the connection with the primary SUBJECT is lost";
        DATA_MOVED = "data-moved-away", "AMQ222162: Moving data directory to oldreplica.N: COUNT messages";
        VOTING = "vote-begun", "AMQ221066: Initiating quorum vote, try COUNT";
        VOTE_WON = "vote-won", "AMQ221071: enough votes";
        VOTE_LOST = "vote-lost", "AMQ221084: Requested COUNT quorum votes, of which not enough came";
        ACTIVATES = "backup-activates", "AMQ221010: Backup Server is now active";
        NO_ACTIVATION = "not-up-to-date", "AMQ222164: the backup is not up to date, and does not take over";
        ISOLATED = "network-isolated", "AMQ202002: the router does not answer: the broker stops to serve";
        NETWORK_BACK = "network-back", "AMQ202001: the router answers again";
        REATTACHED = "reattached", "a client: its session goes on over another connection; it sends COUNT packets again";
        UNBLOCKED = "unblocked",
            "a client: AMQ219016: Connection failure detected. Unblocking a blocking call that will never get a response";
        CALL_TIMED_OUT = "call-timed-out",
            "a client: AMQ219014: Timed out waiting for response when sending packet";
        COMMIT_IN_DOUBT = "commit-in-doubt",
            "a client: AMQ219030: The transaction was rolled back on failover to a backup server: COUNT messages";
    }
    situations {
        "blocked-producer", Event(event::BLOCKED), "A producer had to wait for credits.";
    }
    selectors {
        ACTIVE = "active", [], "The broker that clients can connect to.";
    }
}
