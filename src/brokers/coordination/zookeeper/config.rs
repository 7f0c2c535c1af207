//! What an ensemble is configured with: `[zookeeper]`, costs, the words for what is reported.

use crate::engine::Span;
use crate::observe::{EventId, NodeId};
use crate::scenario::{KeySpec, Kind, Preset, Scenario, SectionSpec};
use crate::world::{By, Port};

/// Clients connect here (`clientPort`).
pub const CLIENT_PORT: Port = Port(2181);
/// Followers connect to their leader here.
pub const QUORUM_PORT: Port = Port(2888);
/// Servers elect here.
pub const ELECTION_PORT: Port = Port(3888);

/// How long a session has been silent, its leader and its client read off the time of day up to
/// ZooKeeper 3.4 (`System.currentTimeMillis()` in SessionTrackerImpl.java and ClientCnxn.java
/// 3.4.14): a clock that is set ahead expires sessions, one that is set back keeps them.
pub const SESSIONS: By = By::Wall;
/// The same since 3.5 (`Time.currentElapsedTime()`, ZOOKEEPER-1366). What servers measure among
/// themselves has always gone by the monotonic clock.
pub const SESSIONS_3_5: By = By::Monotonic;

/// The names of the keys of `[zookeeper]`.
const KEYS: &[KeySpec] = &[
    KeySpec::new(
        "servers",
        Kind::Integer { min: 1, max: 9 },
        Preset::Is("1"),
        "How many servers the ensemble has: hosts zk1, zk2, ...; one alone is not replicated.",
    )
    .source("zookeeper.apache.org/doc/r3.4.14/zookeeperAdmin.html#sc_zkMulitServerSetup"),
    KeySpec::new(
        "zone",
        Kind::Names,
        Preset::Absent,
        "The zones of the servers' hosts, in turn (one zone is that of all). If not written they stand \
         beside the first broker and no fault of a zone meets them.",
    ),
    KeySpec::new(
        "tickTime",
        Kind::POSITIVE_DURATION,
        Preset::Is("2000ms"),
        "The unit of its timeouts; sessions expire in steps of it, followers are pinged every half.",
    )
    .source("zookeeperAdmin.html r3.4.14; conf/zoo_sample.cfg; Leader.java, SessionTrackerImpl.java"),
    KeySpec::new(
        "initLimit",
        Kind::Integer { min: 1, max: 1_000_000 },
        Preset::Is("10"),
        "Ticks that followers have to connect to a new leader and to catch up.",
    )
    .source("conf/zoo_sample.cfg 3.4.14; Leader.java, Learner.java"),
    KeySpec::new(
        "syncLimit",
        Kind::Integer { min: 1, max: 1_000_000 },
        Preset::Is("5"),
        "Ticks for which leader and follower may hear nothing of each other.",
    )
    .source("conf/zoo_sample.cfg 3.4.14; Leader.java, LearnerHandler.java"),
    KeySpec::new(
        "minSessionTimeout",
        Kind::POSITIVE_DURATION,
        Preset::Absent,
        "The least session timeout that a client gets; two ticks if not written.",
    )
    .source("zookeeperAdmin.html r3.4.14; ZooKeeperServer.java"),
    KeySpec::new(
        "maxSessionTimeout",
        Kind::POSITIVE_DURATION,
        Preset::Absent,
        "The greatest session timeout that a client gets; 20 ticks if not written.",
    )
    .source("zookeeperAdmin.html r3.4.14; ZooKeeperServer.java"),
    KeySpec::new(
        "forceSync",
        Kind::Flag,
        Preset::Is("true"),
        "Whether a transaction is fsynced into the log before it is acknowledged.",
    )
    .source("zookeeperAdmin.html r3.4.14, zookeeper.forceSync; FileTxnLog.java"),
];

/// `[zookeeper]`.
pub const ZOOKEEPER: SectionSpec = SectionSpec::single(
    "zookeeper",
    &[KEYS],
    "The ZooKeeper ensemble, its keys spelt as in zoo.cfg.",
);

/// What `[zookeeper]` comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many servers there are.
    pub servers: u32,
    /// `tickTime`.
    pub tick: Span,
    /// `initLimit`, in ticks.
    pub init_limit: u32,
    /// `syncLimit`, in ticks.
    pub sync_limit: u32,
    /// The least session timeout.
    pub min_timeout: Span,
    /// The greatest session timeout.
    pub max_timeout: Span,
    /// Whether the log is fsynced before an acknowledgement.
    pub force_sync: bool,
}

impl Settings {
    /// The settings of a scenario that was checked with [`ZOOKEEPER`].
    #[must_use]
    pub fn read(scenario: &Scenario) -> Settings {
        let values = scenario.one("zookeeper");
        let defaults = Settings::new(values.integer("servers") as u32, values.duration("tickTime"));
        Settings {
            init_limit: values.integer("initLimit") as u32,
            sync_limit: values.integer("syncLimit") as u32,
            min_timeout: values.get_duration("minSessionTimeout").unwrap_or(defaults.min_timeout),
            max_timeout: values.get_duration("maxSessionTimeout").unwrap_or(defaults.max_timeout),
            force_sync: values.flag("forceSync"),
            ..defaults
        }
    }

    /// Defaults for so many servers and this tick (`ZooKeeperServer.java` 3.4.14: sessions of 2 to
    /// 20 ticks).
    #[must_use]
    pub fn new(servers: u32, tick: Span) -> Settings {
        let ticks = |count: u64| Span::from_nanos(tick.as_nanos().saturating_mul(count));
        Settings {
            servers,
            tick,
            init_limit: 10,
            sync_limit: 5,
            min_timeout: ticks(2),
            max_timeout: ticks(20),
            force_sync: true,
        }
    }

    /// So many ticks.
    #[must_use]
    pub fn ticks(&self, count: u32) -> Span {
        Span::from_nanos(self.tick.as_nanos().saturating_mul(u64::from(count)))
    }

    /// The timeout that a client gets that asks for this one (`ZooKeeperServer.java` 3.4.14,
    /// `processConnectRequest`).
    #[must_use]
    pub fn negotiate(&self, asked: Span) -> Span {
        asked.max(self.min_timeout).min(self.max_timeout)
    }
}

/// CPU time of a server of nominal speed, and bytes on the wire and in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Costs {
    /// A client's read, ping or handshake.
    pub read: Span,
    /// A client's write at the leader: checked, numbered, proposed.
    pub propose: Span,
    /// A proposal at a follower, or its commit anywhere.
    pub apply: Span,
    /// Any other message between servers.
    pub internal: Span,
    /// What a message between server and client, or two servers, has beside paths and data.
    pub overhead: u32,
    /// What a record of the log has beside paths and data.
    pub record: u32,
}

impl Default for Costs {
    /// Hunt et al., "ZooKeeper: Wait-free coordination for Internet-scale systems", USENIX ATC
    /// 2010, table 1: three servers answer 87 thousand reads or 21 thousand writes of 1 KB a
    /// second. `apply` and `internal` are estimates. A reply's header with its length and the
    /// headers of TCP and IP take some 70 bytes, a record's header, checksum and ids 45.
    fn default() -> Costs {
        Costs {
            read: Span::from_micros(34),
            propose: Span::from_micros(40),
            apply: Span::from_micros(7),
            internal: Span::from_micros(5),
            overhead: 70,
            record: 45,
        }
    }
}

impl Costs {
    /// No time, for machines that are looked at by themselves; sizes as they are.
    #[must_use]
    pub fn nothing() -> Costs {
        let zero = Span::ZERO;
        Costs { read: zero, propose: zero, apply: zero, internal: zero, ..Costs::default() }
    }
}

/// A family's ids for what an ensemble reports; what has none is not reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// A server has no leader and looks for one.
    pub looking: Option<EventId>,
    /// A server serves as follower; its subject is the leader.
    pub following: Option<EventId>,
    /// A server serves as leader; its count is the epoch.
    pub leading: Option<EventId>,
    /// The leader has ended sessions; its count is how many.
    pub expired: Option<EventId>,
    /// A follower has dropped transactions that were never committed; its count is how many.
    pub truncated: Option<EventId>,
    /// A follower was too far behind and got a snapshot; its subject is the leader.
    pub snapshot: Option<EventId>,
}

/// An ensemble, the same for all its servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[zookeeper]`.
    pub settings: Settings,
    /// The hosts of its servers: server 0 is the first.
    pub servers: Vec<NodeId>,
    /// By which clock its leader reckons sessions: [`SESSIONS`] or [`SESSIONS_3_5`].
    pub clock: By,
    /// What things cost.
    pub costs: Costs,
    /// How it is reported.
    pub words: Words,
}

impl Config {
    /// The server on this host.
    #[must_use]
    pub fn server(&self, node: NodeId) -> Option<u32> {
        self.servers.iter().position(|server| *server == node).map(|index| index as u32)
    }
}
