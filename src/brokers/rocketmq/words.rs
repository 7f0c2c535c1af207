//! Words for the catalogue: causes, conditions, roles, events and selectors.

use crate::brokers::kit::words::words;

// Of several causes at one instant the one with the greatest precedence names the loss: the disk
// before the cache, the cache before the heap; what no broker ever had comes last.
words! {
    causes {
        REFUSED = "refused", Lost, 1,
            "the broker answered that it has not stored it (SYSTEM_BUSY, SERVICE_NOT_AVAILABLE, MESSAGE_ILLEGAL, ...)";
        ON_ITS_WAY = "on-its-way", Lost, 1,
            "a oneway send: the kernel had taken it, and no broker read it from the connection";
        PRODUCER_DIED = "producer-died", Lost, 2, "its producer's process ended before it was sent";
        WRITE_BUFFER_LOST = "write-buffer-lost", Lost, 5,
            "it was in the off-heap write buffer (transientStorePoolEnable) when the broker's process ended";
        PAGE_CACHE_LOST = "page-cache-lost", Lost, 6,
            "it was not yet flushed when the host lost power";
        TRUNCATED_ON_REJOIN = "truncated-on-rejoin", Lost, 7,
            "its broker followed a new master, and cut its CommitLog where the two began to differ";
        BEYOND_BAD_RECORD = "beyond-bad-record", Lost, 5,
            "recovery stopped at the first record that is not whole, and cut what was behind it";
        DISK_WIPED = "disk-wiped", Lost, 8, "the disk that held it was replaced by an empty one";
        BROADCAST_FAILED = "broadcast-failed", Settled, 8,
            "its application failed on it; with BROADCASTING nothing is sent back and its offset is committed";
        NOT_SENT_BACK = "not-sent-back", Settled, 8,
            "its application failed on it, and its offset was committed all the same (no rule send-back)";
        RETENTION = "retention", Expired, 0, "its segment of the CommitLog was older than fileReservedTime, and deleted";
        CLEANED_FORCIBLY = "cleaned-forcibly", Expired, 0,
            "too much of the disk was used, and its segment of the CommitLog was the oldest";
        BEFORE_THE_GROUP = "before-the-group", Settled, 8,
            "its group had no committed offset and began at the end of the queue (CONSUME_FROM_LAST_OFFSET)";
    }
    conditions {
        NOT_FLUSHED = "not-flushed", "It was acknowledged from the page cache, and no flush had covered it.";
        NOT_REPLICATED = "not-replicated", "No slave had it.";
        SLAVE_HAD_IT = "slave-had-it",
            "A slave had it, and slaves are never promoted in this mode.";
        NO_RETRY = "no-retry", "The producer did not send it again.";
    }
    roles {
        MASTER = "master", Leader, "The master of the queue's group.";
        SLAVE = "slave", InSync, "A slave that its master is connected to.";
        DISCONNECTED = "slave-disconnected", Lagging, "A slave without a connection to its master.";
    }
    events {
        REGISTERED = "broker-registered", "register broker to name server SUBJECT OK";
        UNREGISTERED = "broker-unregistered",
            "a NameServer: the broker's channel destroyed, clean it from the route of SUBJECT";
        EXPIRED = "broker-expired", "a NameServer: The broker channel expired, SUBJECT COUNT ms";
        RECOVERED = "commitlog-recovered", "recover the commit log: COUNT bytes truncated";
        SLAVE_JOINED = "slave-joined", "HAServer receive new connection, SUBJECT; it asks for position COUNT";
        SLAVE_LEFT = "slave-left", "HAConnection of SUBJECT shutdown";
        MASTER_LINKED = "master-linked", "HAClient connect to master SUBJECT at position COUNT";
        MASTER_LOST = "master-lost", "HAClient has closed the connection to master SUBJECT";
        OFFSETS_DIFFER = "master-offset-differs",
            "master pushed offset not equal the max phy offset in slave";
        SLAVE_AHEAD = "slave-ahead", "slave SUBJECT request offset greater than local commitLog offset";
        DISPATCH_STUCK = "dispatch-stuck",
            "dispatch message to consume queue error: no valid record at COMMITLOG OFFSET COUNT";
        ROUTE_CHANGED = "route-changed", "a client: topic route info changed, COUNT groups take messages";
        REBALANCED = "rebalanced", "client rebalanced result changed: it has COUNT queues";
        OFFSET_ILLEGAL = "offset-illegal", "the pull request offset illegal: it goes on at COUNT";
        OFFSETS_ROLLED_BACK = "offsets-rolled-back",
            "offsets of SUBJECT replaced newer ones here: COUNT queues go back";
        CONTROLLER_LEADS = "controller-leads", "a controller leads the others, in epoch COUNT";
        MASTER_ELECTED = "master-elected",
            "the controllers: elect new master SUBJECT in epoch COUNT";
        NO_MASTER_ELECTED = "no-master-elected",
            "the controllers: no broker may become master in place of SUBJECT";
        BROKER_INACTIVE = "broker-inactive", "a controller: broker SUBJECT is inactive, after COUNT ms";
        SET_ALTERED = "sync-state-set-altered", "alter syncStateSet: it has COUNT members now";
        BECAME_MASTER = "became-master", "change this broker to master in epoch COUNT";
        BECAME_SLAVE = "became-slave", "change this broker to slave of SUBJECT in epoch COUNT";
        TRUNCATED = "commitlog-truncated",
            "a slave: truncate to the consistent point with SUBJECT, COUNT bytes";
        NO_CONSISTENT_POINT = "no-consistent-point",
            "failed to find a consistent point between the epochs of the master and its own";
        SEGMENTS_DELETED = "segments-deleted", "delete mapped files of the CommitLog: COUNT bytes";
        DISK_FULL = "disk-full", "physic disk maybe full soon, used COUNT %: nothing is taken";
        DISK_OK = "disk-ok", "physic disk space OK, used COUNT %";
        SENT_BACK = "sent-back", "a message is sent back, for the COUNTth time";
        SEND_BACK_FAILED = "send-back-failed",
            "sendMessageBack exception: SUBJECT does not take it, it goes to the retry topic of another group";
        DEAD_LETTERED = "dead-lettered", "a message has failed COUNT times and goes to the dead letters";
        CONSUME_TIMEOUT = "consume-timeout",
            "send expire msg back: the application has worked on a message for COUNT ms";
        QUEUE_LOCKED = "queues-locked", "locked at broker SUBJECT: COUNT queues that it had no lock of";
        QUEUE_NOT_LOCKED = "queue-not-locked",
            "doRebalance, add a new mq failed because lock failed: COUNT queues are another member's";
        SOFT_SUCCESS = "soft-success",
            "a send returned with FLUSH_DISK_TIMEOUT, FLUSH_SLAVE_TIMEOUT or SLAVE_NOT_AVAILABLE; the ones before had returned SEND_OK";
        SEND_OK_AGAIN = "send-ok-again", "a send returned SEND_OK after COUNT that had returned another status";
        AVOIDED = "broker-avoided", "the producer's latency fault tolerance avoids SUBJECT for COUNT ms";
    }
    situations {
        "consumer-without-queues", EventWithCount(event::REBALANCED, 0),
            "After a rebalance a consumer has no queue.";
    }
    selectors {
        MASTER = "master", [Destination], "The master of the queue's group.";
        SLAVE = "slave", [Destination, Number], "The so manieth slave of the queue's group.";
        CONTROLLER = "controller", [], "The controller that leads the others.";
        NAMESERVER = "nameserver", [Number], "The so manieth NameServer.";
    }
}
