//! Kafka's words for the catalogue: causes, conditions, roles, events and selectors.

use crate::observe::{
    BecauseId, Cause, CauseId, CauseKind, EventId, EventWord, RoleId, RoleRank, RoleWord, Sign,
    Situation,
};
use crate::world::{Argument, SelectorSpec};

macro_rules! words {
    ($(#[$doc:meta])* $module:ident: $id:ident { $($name:ident = $index:literal,)* }) => {
        $(#[$doc])*
        #[allow(missing_docs, reason = "CAUSES, ROLES and EVENTS say what each means")]
        pub mod $module {
            use super::$id;
            $(pub const $name: $id = $id($index);)*
        }
    };
}

words! {
    /// Ids into [`CAUSES`].
    cause: CauseId {
        NOT_LEADER = 0,
        NOT_ENOUGH_REPLICAS = 1,
        MESSAGE_TOO_LARGE = 2,
        TRUNCATED_TO_HIGH_WATERMARK = 3,
        TRUNCATED_TO_LEADER = 4,
        PAGE_CACHE_LOST = 5,
        DISK_WIPED = 6,
        STORAGE_ERROR = 7,
        PRODUCER_BUFFER_LOST = 8,
        BATCH_DROPPED = 9,
    }
}

const fn lost(name: &'static str, meaning: &'static str, precedence: u8) -> Cause {
    Cause { name, kind: CauseKind::Lost, meaning, precedence }
}

/// Why a copy ceases to exist or is never made.
pub const CAUSES: &[Cause] = &[
    lost("not-leader", "it was sent to a broker that did not lead the partition (any more)", 9),
    lost("not-enough-replicas", "the ISR was smaller than min.insync.replicas", 9),
    lost("message-too-large", "its batch was larger than message.max.bytes", 9),
    lost(
        "truncated-to-high-watermark",
        "a replica that began to follow cut its log to its own high watermark",
        4,
    ),
    lost("truncated-to-leader", "a follower cut off what its leader does not have", 4),
    lost("page-cache-lost", "it was written but not yet on the disk when the host lost power", 5),
    lost("disk-wiped", "the disk that held it was wiped", 8),
    lost("storage-error", "the disk of the leader failed", 9),
    lost("producer-buffer-lost", "it waited in the producer when that died", 9),
    lost(
        "batch-dropped",
        "the asynchronous Scala producer had tried often enough, and logged it",
        9,
    ),
];

words! {
    /// Ids into [`CONDITIONS`].
    because: BecauseId {
        NONE = 0,
        ACKED_BEFORE_REPLICATED = 1,
        ISR_SHRUNK_TO_LEADER = 2,
        LEADER_LACKED_IT = 3,
        UNCLEAN_ELECTION = 4,
        NOT_FSYNCED = 5,
        HIGH_WATERMARK_BEHIND = 6,
    }
}

/// What made a copy the last one.
pub const CONDITIONS: &[&str] = &[
    "none",
    "acked-before-replicated",
    "isr-shrunk-to-leader",
    "leader-lacked-it",
    "unclean-election",
    "not-fsynced",
    "high-watermark-behind",
];

words! {
    /// Ids into [`ROLES`].
    role: RoleId {
        LEADER = 0,
        IN_SYNC = 1,
        OUT_OF_SYNC = 2,
    }
}

/// What a broker is to a partition.
pub const ROLES: &[RoleWord] = &[
    RoleWord { name: "leader", rank: RoleRank::Leader },
    RoleWord { name: "in-sync-replica", rank: RoleRank::InSync },
    RoleWord { name: "out-of-sync-replica", rank: RoleRank::Lagging },
];

words! {
    /// Ids into [`EVENTS`].
    event: EventId {
        LEADER = 0,
        ISR_SHRUNK = 1,
        ISR_EXPANDED = 2,
        TRUNCATED = 3,
        CONTROLLER = 4,
        FENCED = 5,
        UNFENCED = 6,
        SESSION_EXPIRED = 7,
        UNCLEAN_ELECTION = 8,
        OFFLINE_PARTITION = 9,
        HALTED = 10,
        REGISTERED = 11,
        CONTROLLED_SHUTDOWN = 12,
        LOG_RECOVERED = 13,
        OFFSET_RESET = 14,
        TRUNCATION_DETECTED = 15,
        FETCHER_STUCK = 16,
        ISR_CHANGE_REFUSED = 17,
        LOG_DIR_OFFLINE = 18,
        REGISTRATION_REFUSED = 19,
        CONSUMER_STOPPED = 20,
        OFFSETS_BACKWARDS = 21,
    }
}

const fn word(name: &'static str, meaning: &'static str) -> EventWord {
    EventWord { name, meaning }
}

/// What happens.
pub const EVENTS: &[EventWord] = &[
    word("leader", "the broker leads the partition from now on; the count is the leader epoch"),
    word("isr-shrunk", "the ISR has fewer members; the count is how many"),
    word("isr-expanded", "the ISR has more members; the count is how many"),
    word("truncated", "the replica cut its log; the count is how many messages"),
    word("controller", "the node is the controller from now on; the count is its epoch"),
    word("fenced", "the controller fenced the broker: it must not lead nor be in an ISR"),
    word("unfenced", "the controller lets the broker lead again"),
    word("session-expired", "the broker learns that its ZooKeeper session has expired"),
    word("unclean-election", "a replica outside the ISR is elected; the count is the leader epoch"),
    word("offline-partition", "nobody can lead the partition"),
    word("halted", "the broker halts: its log is longer than its leader's"),
    word("registered", "the broker has registered"),
    word("controlled-shutdown", "the broker asks for its leaderships to be moved"),
    word("log-recovered", "logs were checked after a start that was not clean; the count is bytes"),
    word(
        "offset-reset",
        "a consumer's offset was out of range; the count is the offset it goes on at",
    ),
    word(
        "truncation-detected",
        "a consumer goes back to where the log was cut; the count is the offset",
    ),
    word("fetcher-stuck", "a follower cannot append what it fetched: offsets do not fit"),
    word("isr-change-refused", "the change of an ISR that the leader wanted is refused"),
    word("log-dir-offline", "the broker's log directory has failed"),
    word("registration-refused", "the broker may not register yet: its former self still counts"),
    word("consumer-stopped", "a consumer without auto.offset.reset has no offset to go on at"),
    word(
        "offsets-backwards",
        "a follower appended a batch that begins before the end of its log; the count is that end",
    ),
];

/// What a suite may have to reach, beside events, roles, causes and conditions.
pub const SITUATIONS: &[Situation] = &[
    Situation {
        name: "isr-shrunk-to-one",
        meaning: "A partition's ISR shrinks to one broker.",
        sign: Sign::EventWithCount(event::ISR_SHRUNK, 1),
    },
    Situation {
        name: "follower-took-over",
        meaning: "A replica that was in sync becomes leader.",
        sign: Sign::RoleAfter(role::IN_SYNC, role::LEADER),
    },
    Situation {
        name: "lagging-replica-took-over",
        meaning: "A replica that was not in sync becomes leader.",
        sign: Sign::RoleAfter(role::OUT_OF_SYNC, role::LEADER),
    },
];

/// Numbers of the selectors.
pub mod selector {
    /// `leader(orders/0)`.
    pub const LEADER: u32 = 0;
    /// `follower(orders/0, n)`.
    pub const FOLLOWER: u32 = 1;
    /// `replica(orders/0, n)`.
    pub const REPLICA: u32 = 2;
    /// `controller`.
    pub const CONTROLLER: u32 = 3;
}

/// What faults can be aimed at, beside the world's own selectors.
pub const SELECTORS: &[SelectorSpec] = &[
    SelectorSpec {
        name: "leader",
        arguments: &[Argument::Destination],
        meaning: "The broker that leads the partition.",
    },
    SelectorSpec {
        name: "follower",
        arguments: &[Argument::Destination, Argument::Number],
        meaning: "The n-th of the partition's replicas that do not lead it, as assigned.",
    },
    SelectorSpec {
        name: "replica",
        arguments: &[Argument::Destination, Argument::Number],
        meaning: "The n-th of the partition's replicas, as assigned; the first is the preferred \
                  leader.",
    },
    SelectorSpec {
        name: "controller",
        arguments: &[],
        meaning: "The broker that is the controller, or the leader of the controller quorum.",
    },
];
