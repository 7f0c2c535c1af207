//! Words for the catalogue: causes, conditions, roles, events and selectors.

use crate::observe::{
    BecauseId, Cause, CauseId, CauseKind, EventId, EventWord, Removal, RoleId, RoleRank, RoleWord,
    Sign, Situation,
};
use crate::world::{Argument, SelectorSpec};

macro_rules! causes {
    ($($(#[$doc:meta])* $constant:ident = $index:literal, $name:literal, $kind:ident, $precedence:literal, $meaning:literal;)*) => {
        /// Ids into [`CAUSES`].
        pub mod cause {
            use super::CauseId;
            $(#[doc = $meaning] pub const $constant: CauseId = CauseId($index);)*
        }
        /// Why a copy ceases to exist or is never made.
        pub const CAUSES: &[Cause] = &[$(Cause {
            name: $name,
            kind: CauseKind::$kind,
            meaning: $meaning,
            precedence: $precedence,
        },)*];
    };
}

// Of several at one instant the one with the greatest precedence names the loss: the disk before
// the cache, the cache before a torn message; what no broker ever had comes last.
causes! {
    SOCKET_BUFFER_LOST = 0, "socket-buffer-lost", Lost, 1,
        "the producer's kernel had taken it, and no broker read it from the connection";
    PRODUCER_QUEUE_LOST = 1, "producer-queue-lost", Lost, 2,
        "it was in the asynchronous producer's queue or open batch when its process died";
    QUEUE_FULL_DROPPED = 2, "queue-full-dropped", Lost, 2,
        "the asynchronous producer's queue was full (QueueFullException)";
    BATCH_DROPPED = 3, "batch-dropped", Lost, 2,
        "its batch could not be sent, and num.retries were used up";
    PAGE_CACHE_LOST = 4, "page-cache-lost", Lost, 6,
        "it was not yet flushed when the host lost power";
    TORN_TAIL_TRUNCATED = 5, "torn-tail-truncated", Lost, 5,
        "recovery cut the last segment at the first bad message";
    DISK_WIPED = 6, "disk-wiped", Lost, 8,
        "the disk that held it, the only one, was wiped";
    MESSAGE_TOO_LARGE = 7, "message-too-large", Lost, 3,
        "larger than max.message.size: the broker logged and dropped it, or the producer refused it";
    REQUEST_REFUSED = 8, "request-refused", Lost, 3,
        "the broker found no such partition, and closed the connection";
    RETENTION = 9, "retention", Expired, 0,
        "its segment was older than log.retention.hours, or its log larger than log.retention.size";
    HALTED = 10, "halted", Lost, 4,
        "the broker could not write it to its disk and halted";
}

/// The conditions.
pub mod because {
    use super::BecauseId;
    /// Nothing to name.
    pub const NONE: BecauseId = BecauseId(0);
    /// No flush had covered it.
    pub const NOT_FLUSHED: BecauseId = BecauseId(1);
    /// There is no other copy.
    pub const NO_REPLICATION: BecauseId = BecauseId(2);
    /// A produce request is not answered.
    pub const NO_RESPONSE: BecauseId = BecauseId(3);
    /// There is no retry.
    pub const NO_RETRY: BecauseId = BecauseId(4);
}

/// What made a copy the last one.
pub const CONDITIONS: &[&str] =
    &["none", "not-flushed", "no-replication", "no-response", "no-retry"];

/// Ids into [`ROLES`].
pub mod role {
    use super::RoleId;
    /// The broker that has the partition.
    pub const OWNER: RoleId = RoleId(0);
    /// It has the partition, and is not registered.
    pub const UNREGISTERED: RoleId = RoleId(1);
}

/// What a broker is to a partition.
pub const ROLES: &[RoleWord] = &[
    RoleWord { name: "owner", rank: RoleRank::Leader },
    RoleWord { name: "unregistered", rank: RoleRank::Lagging },
];

macro_rules! events {
    ($($constant:ident = $index:literal, $name:literal, $meaning:literal;)*) => {
        /// Ids into [`EVENTS`].
        pub mod event {
            use super::EventId;
            $(#[doc = $meaning] pub const $constant: EventId = EventId($index);)*
        }
        /// What happens in a cluster, close to the software's own log lines.
        pub const EVENTS: &[EventWord] = &[$(EventWord { name: $name, meaning: $meaning },)*];
    };
}

events! {
    BROKER_REGISTERED = 0, "broker-registered", "Registering broker /brokers/ids/NODE succeeded";
    START_FAILED = 1, "start-failed", "A broker is already registered on the path: Fatal error during startup";
    RECOVERED = 2, "log-recovered", "Recovery succeeded; COUNT bytes truncated";
    SESSION_EXPIRED = 3, "session-expired", "the ZooKeeper session of NODE has expired";
    HALTED = 4, "halted", "Halting due to unrecoverable I/O error";
    REBALANCED = 5, "rebalanced", "a consumer owns COUNT partitions";
    REBALANCE_RETRY = 6, "rebalance-retry", "waiting for the partition ownership to be deleted";
    REBALANCE_FAILED = 7, "rebalance-failed", "can't rebalance after COUNT retries: it reads nothing";
    FETCHER_STOPPED = 8, "fetcher-stopped", "error in FetcherRunnable: nothing is read from SUBJECT until the next rebalance";
    OFFSET_RESET = 9, "offset-reset", "offset out of range: it goes on at offset COUNT";
    BROKER_GONE = 10, "broker-gone", "a producer no longer sees broker SUBJECT";
    BROKER_SEEN = 11, "broker-seen", "a producer sees broker SUBJECT";
    ZK_LOOKING = 12, "zookeeper-looking", "a ZooKeeper server looks for a leader";
    ZK_LEADING = 13, "zookeeper-leading", "a ZooKeeper server leads epoch COUNT";
    ZK_FOLLOWING = 14, "zookeeper-following", "a ZooKeeper server follows SUBJECT";
    ZK_EXPIRED = 15, "zookeeper-sessions-expired", "ZooKeeper has ended COUNT sessions";
}

/// What a suite may have to reach, beside events, roles, causes and conditions.
pub const SITUATIONS: &[Situation] = &[Situation {
    name: "consumer-without-partitions",
    meaning: "After a rebalance a consumer owns no partition.",
    sign: Sign::EventWithCount(event::REBALANCED, 0),
}];

/// The family's selectors; their places are ids in [`selector`].
pub const SELECTORS: &[SelectorSpec] = &[SelectorSpec {
    name: "leader",
    arguments: &[Argument::Destination],
    meaning: "The broker that has the partition.",
}];

/// Ids into [`SELECTORS`].
pub mod selector {
    /// `leader(orders/1-0)`.
    pub const LEADER: u32 = 0;
}

/// A removal.
#[must_use]
pub const fn removal(cause: CauseId, because: BecauseId) -> Removal {
    Removal { cause, because }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_places() {
        assert_eq!(CAUSES[cause::HALTED.index()].name, "halted");
        assert_eq!(CONDITIONS[because::NO_RETRY.index()], "no-retry");
        assert_eq!(EVENTS[event::ZK_EXPIRED.index()].name, "zookeeper-sessions-expired");
        assert_eq!(ROLES[role::UNREGISTERED.index()].name, "unregistered");
    }
}
