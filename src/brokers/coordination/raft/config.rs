//! Timers, sizes and rules of a quorum.

use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{FileId, Port};

/// Where voters listen (`controller.listener.names`, by custom 9093).
pub const PORT: Port = Port(9093);

/// A quorum as its replicas are told. Shared by all of them, but for [`files`](Self::files).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Who votes (`controller.quorum.voters`); everybody else observes.
    pub voters: Vec<NodeId>,
    /// `controller.quorum.fetch.timeout.ms`: a voter that got no answer to a fetch for so long
    /// becomes a candidate, an observer looks for the leader among the voters.
    pub fetch_timeout: Span,
    /// `controller.quorum.election.timeout.ms`: an election takes from this to twice as long.
    pub election_timeout: Span,
    /// `controller.quorum.election.backoff.max.ms`.
    pub election_backoff_max: Span,
    /// `controller.quorum.append.linger.ms`: how long records wait for others.
    pub append_linger: Span,
    /// `controller.quorum.request.timeout.ms`.
    pub request_timeout: Span,
    /// `controller.quorum.retry.backoff.ms`.
    pub retry_backoff: Span,
    /// How long a fetch that finds nothing waits (`KafkaRaftClient.MAX_FETCH_WAIT_MS`, 3.9).
    pub fetch_max_wait: Span,
    /// The most bytes of an answer to a fetch, and of a batch
    /// (`KafkaRaftClient.MAX_BATCH_SIZE_BYTES`, 3.9).
    pub max_batch_bytes: u64,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub snapshot_after_bytes: u64,
    /// `metadata.max.retention.bytes`: of log and snapshots; more of it goes, from the front.
    pub retention_bytes: u64,
    /// A leader resigns that is not fetched from by a majority for 1.5 times the fetch time-out
    /// (KAFKA-15489, 3.7 and later).
    pub check_quorum: bool,
    /// A waiting fetch is answered when the high watermark passes what its follower knows
    /// (KIP-1166, 4.1 and later). Before, followers learn it when records come, or after
    /// [`fetch_max_wait`](Self::fetch_max_wait).
    pub high_watermark_answers: bool,
    /// Whoever wants to be a candidate first asks whether it would be elected (KIP-996, 4.0 and
    /// later), so that one that has been away does not end the epoch of a leader that all others
    /// follow.
    pub pre_vote: bool,
    /// CPU time that a request or an answer costs the one who reads it.
    pub request_cost: Span,
    /// The first of the [`FILES`](Self::FILES) files of the host that belong to the replica.
    pub files: FileId,
    /// Which rules are broken, for tests of the invariants.
    pub faulty: Faulty,
}

impl Config {
    /// How many files a replica has: the log, `quorum-state`, and its snapshots.
    pub const FILES: u32 = 3;

    /// The defaults of Kafka 3.9 (`QuorumConfig`, `MetadataLogConfig`).
    #[must_use]
    pub fn new(voters: Vec<NodeId>) -> Config {
        Config {
            voters,
            fetch_timeout: Span::from_millis(2_000),
            election_timeout: Span::from_millis(1_000),
            election_backoff_max: Span::from_millis(1_000),
            append_linger: Span::from_millis(25),
            request_timeout: Span::from_millis(2_000),
            retry_backoff: Span::from_millis(20),
            fetch_max_wait: Span::from_millis(500),
            max_batch_bytes: 8 << 20,
            snapshot_after_bytes: 20 << 20,
            retention_bytes: 100 << 20,
            check_quorum: true,
            high_watermark_answers: false,
            pre_vote: false,
            request_cost: Span::ZERO,
            files: FileId(0),
            faulty: Faulty::default(),
        }
    }

    pub(super) fn log_file(&self) -> FileId {
        self.files
    }

    pub(super) fn quorum_file(&self) -> FileId {
        FileId(self.files.0 + 1)
    }

    pub(super) fn snapshot_file(&self) -> FileId {
        FileId(self.files.0 + 2)
    }

    /// How long a leader stays without the fetches of a majority
    /// (`LeaderState.CHECK_QUORUM_TIMEOUT_FACTOR`, 3.9).
    pub(super) fn check_quorum_timeout(&self) -> Span {
        self.fetch_timeout * 3 / 2
    }

    /// How often a leader tells the voters that it is one
    /// (`LeaderState.beginQuorumEpochTimeoutMs`, 3.9).
    pub(super) fn begin_quorum_interval(&self) -> Span {
        self.fetch_timeout / 2
    }
}

/// Rules of the protocol that are broken; each shows that an invariant can fail. Kafka keeps all of
/// these rules, RocketMQ's DLedger breaks some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faulty {
    /// A vote is answered without having been written down.
    pub votes_unpersisted: bool,
    /// `quorum-state` is never written after the first time.
    pub forgets_epochs: bool,
    /// Followers ask for more before what they have is fsynced, and leaders count at once what
    /// they appended. Who has lost what was committed follows all the same.
    pub counts_unsynced: bool,
    /// The high watermark passes records of earlier epochs by counting alone.
    pub commits_old_epochs: bool,
    /// A leader begins its epoch without a record of its own: it claims leadership when what earlier
    /// leaders have left is committed, which takes `commits_old_epochs`.
    pub begins_silently: bool,
    /// A leader serves fetches without looking whether the follower's log is a prefix of its own.
    pub ignores_divergence: bool,
    /// Votes are granted whatever the candidate's log.
    pub votes_for_any_log: bool,
    /// The log is dropped up to the high watermark, whatever the snapshots cover.
    pub drops_without_snapshot: bool,
    /// Leadership is claimed before the log up to it has been read.
    pub claims_unread: bool,
}
