//! Kafka's words for the catalogue: causes, conditions, roles, events and selectors.

use crate::brokers::kit::words::words;

words! {
    causes {
        NOT_LEADER = "not-leader", Lost, 9,
            "it was sent to a broker that did not lead the partition (any more)";
        NOT_ENOUGH_REPLICAS = "not-enough-replicas", Lost, 9,
            "the ISR was smaller than min.insync.replicas";
        MESSAGE_TOO_LARGE = "message-too-large", Lost, 9, "its batch was larger than message.max.bytes";
        TRUNCATED_TO_HIGH_WATERMARK = "truncated-to-high-watermark", Lost, 4,
            "a replica that began to follow cut its log to its own high watermark";
        TRUNCATED_TO_LEADER = "truncated-to-leader", Lost, 4,
            "a follower cut off what its leader does not have";
        PAGE_CACHE_LOST = "page-cache-lost", Lost, 5,
            "it was written but not yet on the disk when the host lost power";
        DISK_WIPED = "disk-wiped", Lost, 8, "the disk that held it was wiped";
        STORAGE_ERROR = "storage-error", Lost, 9, "the disk of the leader failed";
        OUT_OF_ORDER_SEQUENCE = "out-of-order-sequence", Lost, 9,
            "the leader missed an earlier batch of its producer";
        REPORT_IGNORED = "report-ignored", Lost, 9,
            "its client gave it up, and its application did not look";
        PRODUCER_BUFFER_LOST = "producer-buffer-lost", Lost, 9,
            "it waited in the producer when that died";
        BATCH_DROPPED = "batch-dropped", Lost, 9,
            "the asynchronous Scala producer had tried often enough, and logged it";
        COMMITTED_UNPROCESSED = "committed-unprocessed", Settled, 9,
            "a consumer had committed a position behind it and ended before it was through with it";
        OUTPUT_LOST = "output-lost", Lost, 9,
            "the application that was to pass it on had committed that it did, and died before";
        RETENTION = "retention", Expired, 7,
            "its log had deleted it before its group had read it";
        SKIPPED_BY_RESET = "skipped-by-reset", Settled, 8,
            "its group went on behind it by auto.offset.reset";
    }
    conditions {
        ACKED_BEFORE_REPLICATED = "acked-before-replicated",
            "It was acknowledged before any other replica had it.";
        ISR_SHRUNK_TO_LEADER = "isr-shrunk-to-leader", "The leader was the only member of the ISR.";
        LEADER_LACKED_IT = "leader-lacked-it", "A replica that lacked it had become leader.";
        UNCLEAN_ELECTION = "unclean-election", "A replica outside the ISR had been elected.";
        NOT_FSYNCED = "not-fsynced", "It was written, and no fsync had covered it.";
        HIGH_WATERMARK_BEHIND = "high-watermark-behind",
            "The replica did not know yet that it was committed.";
        AUTO_COMMIT = "auto-commit", "enable.auto.commit commits what poll() has returned.";
        CLOSED = "closed-unfinished", "close() commits what poll() has returned, finished or not.";
        COMMITTED_FIRST = "committed-first", "The application commits before it is through.";
        NO_OFFSET = "no-committed-offset", "There was no committed offset to go on at.";
        OFFSETS_EXPIRED = "offsets-expired",
            "The offset that was committed was older than offsets.retention.minutes.";
        OUT_OF_RANGE = "offset-out-of-range", "The log does not have the offset to go on at.";
        RETENTION_MS = "retention-ms", "Its segment was older than retention.ms.";
        RETENTION_BYTES = "retention-bytes", "Its log was larger than retention.bytes.";
        LEADER_DELETED = "leader-deleted", "The log of the replica's leader begins behind it.";
    }
    roles {
        LEADER = "leader", Leader, "It leads the partition.";
        IN_SYNC = "in-sync-replica", InSync, "It is in the ISR.";
        OUT_OF_SYNC = "out-of-sync-replica", Lagging, "It is not.";
    }
    events {
        LEADER = "leader", "the broker leads the partition from now on; the count is the leader epoch";
        ISR_SHRUNK = "isr-shrunk", "the ISR has fewer members; the count is how many";
        ISR_EXPANDED = "isr-expanded", "the ISR has more members; the count is how many";
        TRUNCATED = "truncated", "the replica cut its log; the count is how many messages";
        CONTROLLER = "controller", "the node is the controller from now on; the count is its epoch";
        FENCED = "fenced", "the controller fenced the broker: it must not lead nor be in an ISR";
        UNFENCED = "unfenced", "the controller lets the broker lead again";
        SESSION_EXPIRED = "session-expired", "the broker learns that its ZooKeeper session has expired";
        UNCLEAN_ELECTION = "unclean-election",
            "a replica outside the ISR is elected; the count is the leader epoch";
        OFFLINE_PARTITION = "offline-partition", "nobody can lead the partition";
        HALTED = "halted", "the broker halts: its log is longer than its leader's";
        REGISTERED = "registered", "the broker has registered";
        CONTROLLED_SHUTDOWN = "controlled-shutdown", "the broker asks for its leaderships to be moved";
        LOG_RECOVERED = "log-recovered",
            "logs were checked after a start that was not clean; the count is bytes";
        OFFSET_RESET = "offset-reset",
            "a consumer's offset was out of range; the count is the offset it goes on at";
        SEGMENTS_DELETED = "segments-deleted",
            "the replica gave up its oldest messages; the count is the offset at which it begins now";
        TRUNCATION_DETECTED = "truncation-detected",
            "a consumer goes back to where the log was cut; the count is the offset";
        FETCHER_STUCK = "fetcher-stuck", "a follower cannot append what it fetched: offsets do not fit";
        ISR_CHANGE_REFUSED = "isr-change-refused",
            "the change of an ISR that the leader wanted is refused";
        DUPLICATE_FOUND = "duplicate-found",
            "the leader has a batch already, and answers with its offset there; the count is that";
        SEQUENCE_REFUSED = "sequence-refused",
            "the leader refuses a batch whose sequence does not follow; the count is the sequence";
        EPOCH_BUMPED = "producer-epoch-bumped",
            "an idempotent producer begins a new epoch; the count is that";
        PRODUCER_ID_RESET = "producer-id-reset", "an idempotent producer asks for another id";
        LOG_DIR_OFFLINE = "log-dir-offline", "the broker's log directory has failed";
        REGISTRATION_REFUSED = "registration-refused",
            "the broker may not register yet: its former self still counts";
        CONSUMER_STOPPED = "consumer-stopped",
            "a consumer without auto.offset.reset has no offset to go on at";
        COORDINATOR = "group-coordinator",
            "the broker coordinates the group from now on; the count is the leader epoch of its partition";
        REBALANCING = "rebalancing", "the members of the group have to agree anew; the count is the generation that ends";
        REBALANCED = "rebalanced", "every member of the group knows its share; the count is the generation";
        MEMBER_EXPIRED = "member-expired",
            "a member of the group was silent for too long, and is out; the count is the number of the consumer";
        MEMBER_LEFT = "member-left", "a member has left the group; the count is the number of the consumer";
        OFFSETS_EXPIRED = "offsets-expired",
            "committed offsets of the group were too old, and are forgotten; the count is of how many partitions";
        COMMIT_FAILED = "commit-failed",
            "a commit of offsets was refused: others have the partitions (CommitFailedException)";
        PARTITIONS_LOST = "partitions-lost",
            "a consumer learns that it is no member any more (onPartitionsLost); the count is how many partitions";
        CONSUMER_FENCED = "consumer-fenced",
            "a static consumer may not go on: another one has its group.instance.id, or its former self still has";
        POLL_TOO_LATE = "poll-too-late",
            "a consumer leaves its group: it has not polled for max.poll.interval.ms";
        TRANSACTION_ABORTED = "transaction-aborted", "every partition of the transaction has the marker that it is aborted";
        TRANSACTION_TIMED_OUT = "transaction-timed-out",
            "a transaction has taken longer than transaction.timeout.ms: the coordinator aborts it";
        TRANSACTION_FENCED = "transaction-fenced",
            "another producer takes the transactional id over: the open transaction is aborted";
        PRODUCER_FENCED = "producer-fenced",
            "a producer learns that another one has its transactional id (ProducerFencedException)";
        OFFSETS_BACKWARDS = "offsets-backwards",
            "a follower appended a batch that begins before the end of its log; the count is that end";
    }
    situations {
        "isr-shrunk-to-one", EventWithCount(event::ISR_SHRUNK, 1),
            "A partition's ISR shrinks to one broker.";
        "follower-took-over", RoleAfter(role::IN_SYNC, role::LEADER),
            "A replica that was in sync becomes leader.";
        "lagging-replica-took-over", RoleAfter(role::OUT_OF_SYNC, role::LEADER),
            "A replica that was not in sync becomes leader.";
    }
    selectors {
        LEADER = "leader", [Destination], "The broker that leads the partition.";
        FOLLOWER = "follower", [Destination, Number],
            "The n-th of the partition's replicas that do not lead it, as assigned.";
        REPLICA = "replica", [Destination, Number],
            "The n-th of the partition's replicas, as assigned; the first is the preferred leader.";
        COORDINATOR = "coordinator", [Destination],
            "The broker that coordinates a consumer group or a transactional id, by its name.";
        CONTROLLER = "controller", [],
            "The broker that is the controller, or the leader of the controller quorum.";
    }
}
