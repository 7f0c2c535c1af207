//! RabbitMQ's words for the catalogue: causes, conditions, roles, events and selectors.

use crate::observe::{
    BecauseId, Cause, CauseId, CauseKind, EventId, EventWord, Removal, RoleId, RoleRank, RoleWord,
    Sign, Situation,
};
use crate::world::{Argument, SelectorSpec};

macro_rules! words {
    ($(#[$doc:meta])* $module:ident: $id:ident { $($(#[$word_doc:meta])* $name:ident = $index:literal,)* }) => {
        $(#[$doc])*
        pub mod $module {
            use super::$id;
            $($(#[$word_doc])* pub const $name: $id = $id($index);)*
        }
    };
}

words! {
    /// Ids into [`CAUSES`].
    cause: CauseId {
        /// A consumer acknowledged it, or it was pushed with automatic acknowledgement.
        CONSUMED = 0,
        /// Routed to no queue and confirmed all the same.
        UNROUTABLE_CONFIRMED = 1,
        /// Routed to no queue; no confirm was asked for.
        UNROUTABLE_DROPPED = 2,
        /// A transient message was in RAM when its node went down.
        TRANSIENT_DROPPED = 3,
        /// The non-durable queue went away with its node.
        QUEUE_NOT_DURABLE = 4,
        /// In the queue process's own buffer when it was killed.
        PROCESS_BUFFER_LOST = 5,
        /// Written but not yet durable when the host lost power.
        PAGE_CACHE_LOST = 6,
        /// The disk was wiped.
        DISK_WIPED = 7,
        /// A replica that rejoins starts empty and deletes its old contents.
        WIPED_ON_REJOIN = 8,
        /// A mirror purges itself before or after a synchronisation.
        PURGED_FOR_SYNC = 9,
        /// A mirror that may not be promoted deletes its contents and stops.
        MIRROR_STOPPED = 10,
        /// Sent to a consumer with automatic acknowledgement.
        AUTO_ACKED = 11,
        /// Its time to live was over.
        MESSAGE_EXPIRED = 12,
        /// Dropped from the head of a queue that is too long.
        HEAD_DROPPED = 13,
        /// Refused by a queue that is full.
        QUEUE_FULL = 14,
        /// Rejected by a consumer without requeue.
        REJECTED_BY_CONSUMER = 15,
        /// Taken out to be dead-lettered.
        DEAD_LETTER_DROPPED = 16,
        /// A dead letter that no queue matched.
        DEAD_LETTER_UNROUTABLE = 17,
        /// A dead letter that would go round in a circle.
        DEAD_LETTER_CYCLE = 18,
        /// A dead letter that the queue it came to refused.
        DEAD_LETTER_REFUSED = 19,
        /// The queue was deleted.
        QUEUE_DELETED = 20,
        /// Its consumer's channel died, and nobody gave it back.
        NOT_REQUEUED = 21,
        /// Larger than a message may be.
        MESSAGE_TOO_LARGE = 22,
        /// The policy wants no replica where one was.
        REPLICA_DROPPED = 23,
        /// Its index entry survived, the message itself was in no store.
        BODY_MISSING = 24,
        /// Confirmed because the last process it was sent to had gone (before 3.8).
        QUEUE_DIED_CONFIRMED = 25,

    }
}

/// Why a copy ceases to exist or is never made.
pub const CAUSES: &[Cause] = &[
    Cause {
        name: "consumed",
        kind: CauseKind::Settled,
        meaning: "a consumer acknowledged it, or it was delivered with automatic acknowledgement",
        precedence: 0,
    },
    Cause {
        name: "unroutable-confirmed",
        kind: CauseKind::Lost,
        meaning: "no queue matched where it was published; the broker confirmed and dropped it",
        precedence: 9,
    },
    Cause {
        name: "unroutable-dropped",
        kind: CauseKind::Lost,
        meaning: "no queue matched where it was published; no confirm was asked for",
        precedence: 9,
    },
    Cause {
        name: "transient-dropped",
        kind: CauseKind::Lost,
        meaning: "a transient message lives in memory only and went with its node",
        precedence: 6,
    },
    Cause {
        name: "queue-not-durable",
        kind: CauseKind::Lost,
        meaning: "a non-durable queue and all that is in it go with their node",
        precedence: 7,
    },
    Cause {
        name: "process-buffer-lost",
        kind: CauseKind::Lost,
        meaning: "it was in the queue process's journal buffer, not yet written, when that was killed",
        precedence: 5,
    },
    Cause {
        name: "page-cache-lost",
        kind: CauseKind::Lost,
        meaning: "it was written but not yet on the disk when the host lost power",
        precedence: 5,
    },
    Cause {
        name: "disk-wiped",
        kind: CauseKind::Lost,
        meaning: "the disk that held it was wiped",
        precedence: 8,
    },
    Cause {
        name: "wiped-on-rejoin",
        kind: CauseKind::Lost,
        meaning: "a replica that rejoins deletes its old contents and starts empty",
        precedence: 4,
    },
    Cause {
        name: "purged-for-sync",
        kind: CauseKind::Lost,
        meaning: "a mirror empties itself when a synchronisation begins, or when it fails midway",
        precedence: 3,
    },
    Cause {
        name: "mirror-stopped",
        kind: CauseKind::Lost,
        meaning: "a mirror that may not be promoted deletes its contents and stops",
        precedence: 4,
    },
    Cause {
        name: "auto-acked",
        kind: CauseKind::Settled,
        meaning: "it was sent to a consumer with automatic acknowledgement, which is the end of it",
        precedence: 0,
    },
    Cause {
        name: "message-expired",
        kind: CauseKind::Expired,
        meaning: "its time to live was over, and its queue has no dead-letter exchange",
        precedence: 0,
    },
    Cause {
        name: "head-dropped",
        kind: CauseKind::Expired,
        meaning: "its queue was too long, and it the oldest that waited there",
        precedence: 0,
    },
    Cause {
        name: "queue-full",
        kind: CauseKind::Lost,
        meaning: "its queue was full and refused it",
        precedence: 9,
    },
    Cause {
        name: "rejected-by-consumer",
        kind: CauseKind::Lost,
        meaning: "a consumer rejected it without requeue, and its queue has no dead-letter exchange",
        precedence: 1,
    },
    Cause {
        name: "dead-letter-dropped",
        kind: CauseKind::Lost,
        meaning: "its queue gave it up as it dead-lettered it, and it did not arrive",
        precedence: 1,
    },
    Cause {
        name: "dead-letter-unroutable",
        kind: CauseKind::Lost,
        meaning: "it was dead-lettered, and no queue was there to take it",
        precedence: 9,
    },
    Cause {
        name: "dead-letter-cycle",
        kind: CauseKind::Lost,
        meaning: "it was dead-lettered to a queue in which it had died already",
        precedence: 9,
    },
    Cause {
        name: "dead-letter-refused",
        kind: CauseKind::Lost,
        meaning: "it was dead-lettered to a queue that was full and refused it",
        precedence: 9,
    },
    Cause {
        name: "queue-deleted",
        kind: CauseKind::Lost,
        meaning: "its queue was deleted",
        precedence: 8,
    },
    Cause {
        name: "not-requeued",
        kind: CauseKind::Lost,
        meaning: "its consumer's channel ended, and nobody put it back",
        precedence: 1,
    },
    Cause {
        name: "message-too-large",
        kind: CauseKind::Lost,
        meaning: "it was larger than max_message_size, and closed its channel",
        precedence: 9,
    },
    Cause {
        name: "replica-dropped",
        kind: CauseKind::Lost,
        meaning: "a replica on a node that the policy does not list is deleted",
        precedence: 4,
    },
    Cause {
        name: "body-missing",
        kind: CauseKind::Lost,
        meaning: "recovery dropped its index entry, for the message itself was in no store",
        precedence: 5,
    },
    Cause {
        name: "queue-died-confirmed",
        kind: CauseKind::Lost,
        meaning: "the last process that it was sent to went down and none had confirmed it; the \
                  broker confirmed it (before 3.8)",
        precedence: 2,
    },
];

words! {
    /// Ids into [`CONDITIONS`].
    because: BecauseId {
        /// Nothing to name.
        NONE = 0,
        /// The queue's home node was down, so its record was not in the routing tables.
        HOME_NODE_DOWN = 1,
        /// The queue is not durable and had gone with its node.
        QUEUE_GONE = 2,
        /// No binding matches the routing key.
        NO_BINDING = 3,
        /// The message was published as transient.
        TRANSIENT_MESSAGE = 4,
        /// No flush had happened yet.
        NOT_FLUSHED = 5,
        /// A mirror that lacked it had been promoted.
        UNSYNCED_MIRROR_PROMOTED = 6,
        /// Another leader exists: the cluster was split or had moved on.
        ANOTHER_LEADER = 7,
        /// The leader shut down while no synchronised mirror was there.
        NO_SYNCHRONISED_MIRROR = 8,
        /// A consumer rejected it.
        CONSUMER_REJECTED = 9,
        /// Its time to live was over.
        TIME_TO_LIVE_OVER = 10,
        /// The queue was too long.
        QUEUE_TOO_LONG = 11,
        /// The last consumer had gone.
        LAST_CONSUMER_GONE = 12,
        /// It had been written to the operating system, which was all that its confirm waited for.
        NOT_FSYNCED = 13,
    }
}

/// What made a copy the last one.
pub const CONDITIONS: &[&str] = &[
    "none",
    "home-node-down",
    "queue-gone",
    "no-binding",
    "transient-message",
    "not-flushed",
    "unsynced-mirror-promoted",
    "another-leader",
    "no-synchronised-mirror",
    "consumer-rejected",
    "time-to-live-over",
    "queue-too-long",
    "last-consumer-gone",
    "not-fsynced",
];

words! {
    /// Ids into [`ROLES`].
    role: RoleId {
        /// The process through which all client work goes.
        LEADER = 0,
        /// A mirror with all that the leader has.
        MIRROR = 1,
        /// A mirror that lacks older messages.
        UNSYNCHRONISED_MIRROR = 2,
        /// The queue's process is stopped; its contents wait on this node's disk.
        DOWN = 3,
    }
}

/// What a node is to a queue.
pub const ROLES: &[RoleWord] = &[
    RoleWord { name: "leader", rank: RoleRank::Leader },
    RoleWord { name: "mirror", rank: RoleRank::InSync },
    RoleWord { name: "unsynchronised-mirror", rank: RoleRank::Lagging },
    RoleWord { name: "down", rank: RoleRank::Lagging },
];

/// What a suite may have to reach, beside events, roles, causes and conditions.
pub const SITUATIONS: &[Situation] = &[
    Situation {
        name: "synchronised-mirror-promoted",
        meaning: "A mirror with all that its leader had becomes leader.",
        sign: Sign::RoleAfter(role::MIRROR, role::LEADER),
    },
    Situation {
        name: "unsynchronised-mirror-promoted",
        meaning: "A mirror that lacks older messages becomes leader.",
        sign: Sign::RoleAfter(role::UNSYNCHRONISED_MIRROR, role::LEADER),
    },
    Situation {
        name: "promoted-empty",
        meaning: "A mirror without any message becomes leader.",
        sign: Sign::EventWithCount(event::PROMOTED, 0),
    },
];

words! {
    /// Ids into [`EVENTS`].
    event: EventId {
        /// A node sees another one go.
        NODE_DOWN = 0,
        /// A node sees another one come.
        NODE_UP = 1,
        /// A ring member is recorded as dead.
        REPLICA_DOWN = 2,
        /// A mirror becomes leader.
        PROMOTED = 3,
        /// A mirror joins empty.
        MIRROR_ADDED = 4,
        /// A synchronisation begins; the queue stands still.
        SYNC_STARTED = 5,
        /// A synchronisation ends.
        SYNC_FINISHED = 6,
        /// A queue is recovered from disk.
        QUEUE_RECOVERED = 7,
        /// A queue's record leaves the routing tables.
        QUEUE_UNAVAILABLE = 8,
        /// Nobody may take over.
        PROMOTION_REFUSED = 9,
        /// Mirrors are told to stop with the leader.
        MIRRORS_STOPPED = 10,
        /// Two nodes that had given each other up meet again.
        PARTITIONED = 11,
        /// A mirror has all messages of the leader.
        SYNCHRONISED = 12,
        /// A consumer was cancelled by the server.
        CONSUMER_CANCELLED = 13,
        /// A booting node waits for its peers' tables.
        WAITING_FOR_TABLES = 14,
        /// A node cuts itself off from one that sees a node which it has lost.
        PARTIAL_PARTITION = 15,
        /// A channel is closed for an error of its client's.
        CHANNEL_CLOSED = 16,
        /// Another consumer becomes the active one.
        CONSUMER_ACTIVE = 17,
        /// A queue is deleted.
        QUEUE_DELETED = 18,
        /// A node runs out of memory or disk.
        ALARM_SET = 19,
        /// It has enough again.
        ALARM_CLEARED = 20,
        /// A process is suspended: the buffer to another node is full.
        BUSY_DIST_PORT = 21,
        /// A node stops RabbitMQ: it sees too few others.
        PAUSING = 22,
        /// RabbitMQ is stopped on a node whose VM goes on.
        PAUSED = 23,
        /// RabbitMQ starts again in the same VM.
        RESUMING = 24,
        /// The autoheal leader is asked to heal.
        AUTOHEAL = 25,
        /// It will not now.
        AUTOHEAL_DENIED = 26,
        /// A node has won.
        AUTOHEAL_WINNER = 27,
        /// A node has lost.
        AUTOHEAL_LOSER = 28,
        /// A node went down while it was being healed.
        AUTOHEAL_ABORTED = 29,
        /// Nobody's tables could be had.
        BOOT_FAILED = 30,
    }
}

/// What happens in a cluster, close to the broker's own log lines.
pub const EVENTS: &[EventWord] = &[
    EventWord { name: "node-down", meaning: "rabbit on node SUBJECT down, as NODE sees it" },
    EventWord { name: "node-up", meaning: "rabbit on node SUBJECT up, as NODE sees it" },
    EventWord { name: "replica-down", meaning: "Detected replica on SUBJECT to be down" },
    EventWord { name: "promoted", meaning: "Promoting mirror to leader; COUNT messages held" },
    EventWord { name: "mirror-added", meaning: "Adding mirror: it joins empty" },
    EventWord { name: "sync-started", meaning: "Synchronising: COUNT messages to synchronise" },
    EventWord { name: "sync-finished", meaning: "Synchronising: complete" },
    EventWord { name: "queue-recovered", meaning: "queue recovered from disk with COUNT messages" },
    EventWord {
        name: "queue-unavailable",
        meaning: "the record of a queue whose home node is down leaves this node's routing tables",
    },
    EventWord {
        name: "promotion-refused",
        meaning: "no synchronised mirror and ha-promote-on-failure=when-synced: nobody is promoted",
    },
    EventWord {
        name: "mirrors-stopped",
        meaning: "Stopping all nodes on master shutdown since no synchronised mirror is available",
    },
    EventWord {
        name: "partitioned",
        meaning: "Mnesia: inconsistent_database, running_partitioned_network, with SUBJECT",
    },
    EventWord { name: "synchronised", meaning: "a mirror now holds all messages of its leader" },
    EventWord { name: "consumer-cancelled", meaning: "basic.cancel sent to a consumer" },
    EventWord {
        name: "waiting-for-tables",
        meaning: "Waiting for Mnesia tables of a running peer",
    },
    EventWord {
        name: "partial-partition",
        meaning: "Partial partition detected: SUBJECT still sees a node that NODE has lost; \
                  acting on it",
    },
    EventWord {
        name: "channel-closed",
        meaning: "channel.close sent to a client for an error of its own",
    },
    EventWord {
        name: "consumer-active",
        meaning: "another consumer of the queue is the single active one now, on SUBJECT's channel",
    },
    EventWord { name: "queue-deleted", meaning: "the queue is deleted with COUNT messages" },
    EventWord {
        name: "alarm-set",
        meaning: "resource limit alarm set: publishers are blocked on all nodes",
    },
    EventWord { name: "alarm-cleared", meaning: "resource limit alarm cleared" },
    EventWord {
        name: "busy-dist-port",
        meaning: "the buffer to SUBJECT is full: processes that send there are suspended",
    },
    EventWord {
        name: "pausing",
        meaning: "Cluster minority/secondary status detected - awaiting recovery",
    },
    EventWord { name: "paused", meaning: "RabbitMQ has stopped on NODE; its VM goes on" },
    EventWord { name: "resuming", meaning: "RabbitMQ starts again on NODE" },
    EventWord { name: "autoheal", meaning: "Autoheal request received from SUBJECT" },
    EventWord {
        name: "autoheal-denied",
        meaning: "Autoheal request denied: not all nodes see each other",
    },
    EventWord {
        name: "autoheal-winner",
        meaning: "Autoheal: I am the winner, waiting for the losers to stop",
    },
    EventWord {
        name: "autoheal-loser",
        meaning: "Autoheal: we were selected to restart; winner is SUBJECT",
    },
    EventWord { name: "autoheal-aborted", meaning: "Autoheal: aborting - SUBJECT went down" },
    EventWord { name: "boot-failed", meaning: "BOOT FAILED: timeout_waiting_for_tables" },
];

/// The normal end of a copy.
pub const CONSUMED: Removal = Removal { cause: cause::CONSUMED, because: because::NONE };

/// The end of a copy that was sent to a consumer with automatic acknowledgement.
pub const AUTO_ACKED: Removal = Removal { cause: cause::AUTO_ACKED, because: because::NONE };

/// Ids into [`SELECTORS`].
pub mod selector {
    /// `leader(queue)`.
    pub const LEADER: u32 = 0;
    /// `home(queue)`.
    pub const HOME: u32 = 1;
    /// `mirror(queue, n)`.
    pub const MIRROR: u32 = 2;
}

/// The kinds of faults that are refused, with the reason. Every write and fsync of the stores is
/// matched with `ok` (rabbit_queue_index.erl `sync`, rabbit_msg_store.erl `internal_sync`), so an
/// error ends the process that met it: of a queue, which its supervisor starts again, or of the
/// message store, and with it the whole virtual host (rabbit_vhost_sup_wrapper.erl).
pub const REFUSED: &[(&str, &str)] = &[(
    "disk-error",
    "an I/O error ends the process that meets it, of a queue or of a whole virtual host, and such \
     an end within a node that goes on is not simulated; write kind = \"disk-full\", \
     \"disk-stall\" or \"crash\"",
)];

/// What faults can be aimed at, beside the world's own selectors.
pub const SELECTORS: &[SelectorSpec] = &[
    SelectorSpec {
        name: "leader",
        arguments: &[Argument::Destination],
        meaning: "The node whose process leads the queue.",
    },
    SelectorSpec {
        name: "home",
        arguments: &[Argument::Destination],
        meaning: "The home node of the queue: the same as its leader.",
    },
    SelectorSpec {
        name: "mirror",
        arguments: &[Argument::Destination, Argument::Number],
        meaning: "The node of the queue's mirror, counted from the oldest, which is 1.",
    },
];
