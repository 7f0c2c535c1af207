//! RabbitMQ's words for the catalogue: causes, conditions, roles, events and selectors.

use crate::brokers::kit::words::words;
use crate::observe::Removal;

// Refused is what would need the end of a part of a node: every write and fsync of the stores is
// matched with `ok` (rabbit_queue_index.erl `sync`, rabbit_msg_store.erl `internal_sync`), so an
// error ends the process that met it: of a queue, which its supervisor starts again, or of the
// message store, and with it the whole virtual host (rabbit_vhost_sup_wrapper.erl).
words! {
    causes {
        CONSUMED = "consumed", Settled, 0,
            "a consumer acknowledged it, or it was delivered with automatic acknowledgement";
        UNROUTABLE_CONFIRMED = "unroutable-confirmed", Lost, 9,
            "no queue matched where it was published; the broker confirmed and dropped it";
        UNROUTABLE_DROPPED = "unroutable-dropped", Lost, 9,
            "no queue matched where it was published; no confirm was asked for";
        TRANSIENT_DROPPED = "transient-dropped", Lost, 6,
            "a transient message lives in memory only and went with its node or its queue's process";
        QUEUE_NOT_DURABLE = "queue-not-durable", Lost, 7,
            "a non-durable queue and all that is in it go with their node, and what is in it with its process";
        PROCESS_BUFFER_LOST = "process-buffer-lost", Lost, 5,
            "it was in the queue process's journal buffer, not yet written, when that was killed";
        PAGE_CACHE_LOST = "page-cache-lost", Lost, 5,
            "it was written but not yet on the disk when the host lost power";
        DISK_WIPED = "disk-wiped", Lost, 8, "the disk that held it was wiped";
        WIPED_ON_REJOIN = "wiped-on-rejoin", Lost, 4,
            "a replica that rejoins deletes its old contents and starts empty";
        PURGED_FOR_SYNC = "purged-for-sync", Lost, 3,
            "a mirror empties itself when a synchronisation begins, or when it fails midway";
        MIRROR_STOPPED = "mirror-stopped", Lost, 4,
            "a mirror that may not be promoted deletes its contents and stops";
        AUTO_ACKED = "auto-acked", Settled, 0,
            "it was sent to a consumer with automatic acknowledgement, which is the end of it";
        MESSAGE_EXPIRED = "message-expired", Expired, 0,
            "its time to live was over, and its queue has no dead-letter exchange";
        HEAD_DROPPED = "head-dropped", Expired, 0,
            "its queue was too long, and it the oldest that waited there";
        QUEUE_FULL = "queue-full", Lost, 9, "its queue was full and refused it";
        REJECTED_BY_CONSUMER = "rejected-by-consumer", Lost, 1,
            "a consumer rejected it without requeue, and its queue has no dead-letter exchange";
        DEAD_LETTER_DROPPED = "dead-letter-dropped", Lost, 1,
            "its queue gave it up as it dead-lettered it, and it did not arrive";
        DEAD_LETTER_UNROUTABLE = "dead-letter-unroutable", Lost, 9,
            "it was dead-lettered, and no queue was there to take it";
        DEAD_LETTER_CYCLE = "dead-letter-cycle", Lost, 9,
            "it was dead-lettered to a queue in which it had died already";
        DEAD_LETTER_REFUSED = "dead-letter-refused", Lost, 9,
            "it was dead-lettered to a queue that was full and refused it";
        QUEUE_DELETED = "queue-deleted", Lost, 8, "its queue was deleted";
        NOT_REQUEUED = "not-requeued", Lost, 1, "its consumer's channel ended, and nobody put it back";
        MESSAGE_TOO_LARGE = "message-too-large", Lost, 9,
            "it was larger than max_message_size, and closed its channel";
        REPLICA_DROPPED = "replica-dropped", Lost, 4,
            "a replica on a node that the policy does not list is deleted";
        BODY_MISSING = "body-missing", Lost, 5,
            "recovery dropped its index entry, for the message itself was in no store";
        LOG_OVERWRITTEN = "log-overwritten", Lost, 4,
            "its leader had not got it onto a majority of the members, and another leader's log took its place";
        QUEUE_UNREACHABLE = "queue-unreachable", Lost, 9,
            "no member of the quorum queue answered, and the channel refused it";
        NOT_ENQUEUED = "not-enqueued", Lost, 9,
            "the channel had sent it before, or one before it is missing: the queue does not take it";
        DELIVERY_LIMIT_EXCEEDED = "delivery-limit-exceeded", Lost, 1,
            "it came back more often than the delivery limit allows, and its queue has no dead-letter exchange";
        QUEUE_DIED_CONFIRMED = "queue-died-confirmed", Lost, 2,
            "the last process that it was sent to went down and none had confirmed it; the broker \
             confirmed it (before 3.8)";
        QUEUE_PURGED = "queue-purged", Lost, 8, "an operator purged its queue";
        MEMBER_DELETED = "member-deleted", Lost, 8,
            "an operator deleted the member of the quorum queue that held it";
    }
    conditions {
        HOME_NODE_DOWN = "home-node-down",
            "The queue's home node was down, so its record was not in the routing tables.";
        QUEUE_GONE = "queue-gone",
            "The queue had gone: it is not durable, and its node was lost; or it was deleted; or nobody had \
             declared it.";
        NO_BINDING = "no-binding", "No binding matches the routing key.";
        TRANSIENT_MESSAGE = "transient-message", "The message was published as transient.";
        NOT_WRITTEN = "not-written",
            "It was in a buffer of the process, and not yet with the operating system.";
        UNSYNCED_MIRROR_PROMOTED = "unsynced-mirror-promoted",
            "A mirror that lacked it had been promoted.";
        ANOTHER_LEADER = "another-leader",
            "Another leader exists: the cluster was split or had moved on.";
        NO_SYNCHRONISED_MIRROR = "no-synchronised-mirror",
            "The leader shut down while no synchronised mirror was there.";
        CONSUMER_REJECTED = "consumer-rejected", "A consumer rejected it.";
        TIME_TO_LIVE_OVER = "time-to-live-over", "Its time to live was over.";
        QUEUE_TOO_LONG = "queue-too-long", "The queue was too long.";
        RETURNED_TOO_OFTEN = "returned-too-often", "It came back more often than its delivery limit allows.";
        LAST_CONSUMER_GONE = "last-consumer-gone", "The last consumer had gone.";
        NOT_FSYNCED = "not-fsynced",
            "It had been written to the operating system, and no fsync had covered it.";
        DELETED_BY_OPERATOR = "deleted-by-operator", "An operator had deleted the queue.";
        OWNER_GONE = "owner-gone", "The connection that the exclusive queue belonged to had gone.";
    }
    roles {
        LEADER = "leader", Leader, "The process through which all client work goes.";
        MIRROR = "mirror", InSync, "A mirror with all that the leader has.";
        FOLLOWER = "follower", InSync, "A member of a quorum queue that follows the leader.";
        UNSYNCHRONISED_MIRROR = "unsynchronised-mirror", Lagging, "A mirror that lacks older messages.";
        DOWN = "down", Lagging,
            "The queue's process is stopped; its contents wait on this node's disk.";
    }
    events {
        NODE_DOWN = "node-down", "rabbit on node SUBJECT down, as NODE sees it";
        NODE_UP = "node-up", "rabbit on node SUBJECT up, as NODE sees it";
        REPLICA_DOWN = "replica-down", "Detected replica on SUBJECT to be down";
        PROMOTED = "promoted", "Promoting mirror to leader; COUNT messages held";
        MIRROR_ADDED = "mirror-added", "Adding mirror: it joins empty";
        SYNC_STARTED = "sync-started", "Synchronising: COUNT messages to synchronise";
        SYNC_FINISHED = "sync-finished", "Synchronising: complete";
        QUEUE_RECOVERED = "queue-recovered", "queue recovered from disk with COUNT messages";
        QUEUE_UNAVAILABLE = "queue-unavailable",
            "the record of a queue whose home node is down leaves this node's routing tables";
        PROMOTION_REFUSED = "promotion-refused",
            "no synchronised mirror and ha-promote-on-failure=when-synced: nobody is promoted";
        MIRRORS_STOPPED = "mirrors-stopped",
            "Stopping all nodes on master shutdown since no synchronised mirror is available";
        PARTITIONED = "partitioned",
            "Mnesia: inconsistent_database, running_partitioned_network, with SUBJECT";
        SYNCHRONISED = "synchronised", "a mirror now holds all messages of its leader";
        CONSUMER_CANCELLED = "consumer-cancelled", "basic.cancel sent to a consumer";
        WAITING_FOR_TABLES = "waiting-for-tables", "Waiting for Mnesia tables of a running peer";
        PARTIAL_PARTITION = "partial-partition",
            "Partial partition detected: SUBJECT still sees a node that NODE has lost; acting on it";
        CHANNEL_CLOSED = "channel-closed", "channel.close sent to a client for an error of its own";
        CONNECTION_CLOSED = "connection-closed",
            "connection.close sent to a client: what it wanted has failed inside the cluster (COUNT)";
        CONSUMER_ACTIVE = "consumer-active",
            "another consumer of the queue is the single active one now, on SUBJECT's channel";
        QUEUE_DELETED = "queue-deleted", "the queue is deleted with COUNT messages";
        ALARM_SET = "alarm-set", "resource limit alarm set: publishers are blocked on all nodes";
        ALARM_CLEARED = "alarm-cleared", "resource limit alarm cleared";
        BUSY_DIST_PORT = "busy-dist-port",
            "the buffer to SUBJECT is full: processes that send there are suspended";
        PAUSING = "pausing", "Cluster minority/secondary status detected - awaiting recovery";
        PAUSED = "paused", "RabbitMQ has stopped on NODE; its VM goes on";
        RESUMING = "resuming", "RabbitMQ starts again on NODE";
        AUTOHEAL = "autoheal", "Autoheal request received from SUBJECT";
        AUTOHEAL_DENIED = "autoheal-denied", "Autoheal request denied: not all nodes see each other";
        AUTOHEAL_WINNER = "autoheal-winner",
            "Autoheal: I am the winner, waiting for the losers to stop";
        AUTOHEAL_LOSER = "autoheal-loser", "Autoheal: we were selected to restart; winner is SUBJECT";
        AUTOHEAL_ABORTED = "autoheal-aborted", "Autoheal: aborting - SUBJECT went down";
        METADATA_LEADER = "metadata-leader", "leader of the metadata store in term COUNT";
        ELECTED = "elected", "leader of the quorum queue in term COUNT";
        BOOT_FAILED = "boot-failed", "BOOT FAILED: timeout_waiting_for_tables";
        INCONSISTENT_CLUSTER = "inconsistent-cluster",
            "BOOT FAILED: inconsistent_cluster, for the others have forgotten this node";
        QUEUE_PURGED = "queue-purged", "the queue is purged of COUNT messages";
        MAINTENANCE = "maintenance", "This node is being put into maintenance (drain) mode";
        NODE_FORGOTTEN = "node-forgotten", "Removing node SUBJECT from cluster";
        MEMBER_ADDED = "member-added", "Added a replica of the quorum queue on node SUBJECT";
        MEMBER_DELETED = "member-deleted", "Deleted a replica of the quorum queue on node SUBJECT";
        MEMBER_PROMOTED = "member-promoted",
            "the new replica on node SUBJECT has caught up and counts from now on";
        SYNC_CANCELLED = "sync-cancelled", "Synchronising: synchronisation cancelled";
        QUEUE_CRASHED = "queue-crashed", "the process of a queue crashed; it held COUNT messages";
        QUEUE_DECLARED = "queue-declared", "the queue is declared by a client, and empty";
    }
    situations {
        "synchronised-mirror-promoted", RoleAfter(role::MIRROR, role::LEADER),
            "A mirror with all that its leader had becomes leader.";
        "unsynchronised-mirror-promoted", RoleAfter(role::UNSYNCHRONISED_MIRROR, role::LEADER),
            "A mirror that lacks older messages becomes leader.";
        "promoted-empty", EventWithCount(event::PROMOTED, 0),
            "A mirror without any message becomes leader.";
    }
    selectors {
        LEADER = "leader", [Destination], "The node whose process leads the queue.";
        HOME = "home", [Destination], "The home node of the queue: the same as its leader.";
        MIRROR = "mirror", [Destination, Number],
            "The node of the queue's mirror, counted from the oldest, which is 1.";
        FOLLOWER = "follower", [Destination, Number],
            "The node of a quorum queue's member that does not lead, counted in the cluster's order from 1.";
    }
    refused {
        "disk-error",
            "an I/O error ends the process that meets it, of a queue or of a whole virtual host, \
             and such an end within a node that goes on is not simulated; write kind = \
             \"disk-full\", \"disk-stall\" or \"crash\"";
    }
}

/// A quorum queue does not take what it is sent a second time, or out of order.
pub const NOT_ENQUEUED: Removal = Removal { cause: cause::NOT_ENQUEUED, because: because::NONE };

/// The normal end of a copy.
pub const CONSUMED: Removal = Removal { cause: cause::CONSUMED, because: because::NONE };

/// The end of a copy that was sent to a consumer with automatic acknowledgement.
pub const AUTO_ACKED: Removal = Removal { cause: cause::AUTO_ACKED, because: because::NONE };
