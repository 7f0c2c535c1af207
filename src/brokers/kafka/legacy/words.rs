//! Words for the catalogue: causes, conditions, roles, events and selectors.

use crate::brokers::kit::words::words;

// Of several causes at one instant the one with the greatest precedence names the loss: the disk
// before the cache, the cache before a torn message; what no broker ever had comes last.
words! {
    causes {
        SOCKET_BUFFER_LOST = "socket-buffer-lost", Lost, 1,
            "the producer's kernel had taken it, and no broker read it from the connection";
        PRODUCER_QUEUE_LOST = "producer-queue-lost", Lost, 2,
            "it was in the asynchronous producer's queue or open batch when its process died";
        QUEUE_FULL_DROPPED = "queue-full-dropped", Lost, 2,
            "the asynchronous producer's queue was full (QueueFullException)";
        BATCH_DROPPED = "batch-dropped", Lost, 2,
            "its batch could not be sent, and num.retries were used up";
        PAGE_CACHE_LOST = "page-cache-lost", Lost, 6, "it was not yet flushed when the host lost power";
        TORN_TAIL_TRUNCATED = "torn-tail-truncated", Lost, 5,
            "recovery cut the last segment at the first bad message";
        DISK_WIPED = "disk-wiped", Lost, 8, "the disk that held it, the only one, was wiped";
        MESSAGE_TOO_LARGE = "message-too-large", Lost, 3,
            "larger than max.message.size: the broker logged and dropped it, or the producer \
             refused it";
        REQUEST_REFUSED = "request-refused", Lost, 3,
            "the broker found no such partition, and closed the connection";
        RETENTION = "retention", Expired, 0,
            "its segment was older than log.retention.hours, or its log larger than log.retention.size";
        HALTED = "halted", Lost, 4, "the broker could not write it to its disk and halted";
    }
    conditions {
        NOT_FSYNCED = "not-fsynced", "It was written, and no flush had covered it.";
        NO_REPLICATION = "no-replication", "There is no other copy.";
        NO_RESPONSE = "no-response", "A produce request is not answered.";
        NO_RETRY = "no-retry", "There is no retry.";
    }
    roles {
        OWNER = "owner", Leader, "The broker that has the partition.";
        UNREGISTERED = "unregistered", Lagging, "It has the partition, and is not registered.";
    }
    events {
        BROKER_REGISTERED = "broker-registered", "Registering broker /brokers/ids/NODE succeeded";
        START_FAILED = "start-failed",
            "A broker is already registered on the path: Fatal error during startup";
        RECOVERED = "log-recovered", "Recovery succeeded; COUNT bytes truncated";
        SESSION_EXPIRED = "session-expired", "the ZooKeeper session of NODE has expired";
        HALTED = "halted", "Halting due to unrecoverable I/O error";
        REBALANCED = "rebalanced", "a consumer owns COUNT partitions";
        REBALANCE_RETRY = "rebalance-retry", "waiting for the partition ownership to be deleted";
        REBALANCE_FAILED = "rebalance-failed", "can't rebalance after COUNT retries: it reads nothing";
        FETCHER_STOPPED = "fetcher-stopped",
            "error in FetcherRunnable: nothing is read from SUBJECT until the next rebalance";
        OFFSET_RESET = "offset-reset", "offset out of range: it goes on at offset COUNT";
        BROKER_GONE = "broker-gone", "a producer no longer sees broker SUBJECT";
        BROKER_SEEN = "broker-seen", "a producer sees broker SUBJECT";
        ZK_LOOKING = "zookeeper-looking", "a ZooKeeper server looks for a leader";
        ZK_LEADING = "zookeeper-leading", "a ZooKeeper server leads epoch COUNT";
        ZK_FOLLOWING = "zookeeper-following", "a ZooKeeper server follows SUBJECT";
        ZK_EXPIRED = "zookeeper-sessions-expired", "ZooKeeper has ended COUNT sessions";
    }
    situations {
        "consumer-without-partitions", EventWithCount(event::REBALANCED, 0),
            "After a rebalance a consumer owns no partition.";
    }
    selectors {
        LEADER = "leader", [Destination], "The broker that has the partition.";
    }
}
