//! The errors of the protocol, and what clients make of them (Errors.java).

/// Error codes of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Error {
    /// No error.
    None,
    /// NOT_LEADER_OR_FOLLOWER (NotLeaderForPartition before 2.6).
    NotLeaderOrFollower,
    /// LEADER_NOT_AVAILABLE.
    LeaderNotAvailable,
    /// UNKNOWN_TOPIC_OR_PARTITION.
    UnknownTopicOrPartition,
    /// FENCED_LEADER_EPOCH: the asker's epoch is older.
    FencedLeaderEpoch,
    /// UNKNOWN_LEADER_EPOCH: the asker's epoch is newer.
    UnknownLeaderEpoch,
    /// OFFSET_OUT_OF_RANGE.
    OffsetOutOfRange,
    /// OFFSET_NOT_AVAILABLE: a new leader does not know its high watermark yet.
    OffsetNotAvailable,
    /// NOT_ENOUGH_REPLICAS: nothing was written.
    NotEnoughReplicas,
    /// NOT_ENOUGH_REPLICAS_AFTER_APPEND.
    NotEnoughReplicasAfterAppend,
    /// REQUEST_TIMED_OUT.
    RequestTimedOut,
    /// MESSAGE_TOO_LARGE.
    MessageTooLarge,
    /// KAFKA_STORAGE_ERROR.
    StorageError,
    /// NOT_CONTROLLER.
    NotController,
    /// STALE_CONTROLLER_EPOCH.
    StaleControllerEpoch,
    /// STALE_BROKER_EPOCH.
    StaleBrokerEpoch,
    /// INVALID_UPDATE_VERSION.
    InvalidUpdateVersion,
    /// OUT_OF_ORDER_SEQUENCE_NUMBER: something is missing before this batch.
    OutOfOrderSequence,
    /// UNKNOWN_PRODUCER_ID: nothing of this producer is known, and it does not begin at 0.
    UnknownProducerId,
    /// INVALID_PRODUCER_EPOCH: the producer has begun another epoch.
    InvalidProducerEpoch,
    /// INVALID_REQUEST.
    InvalidRequest,
    /// INELIGIBLE_REPLICA.
    IneligibleReplica,
    /// DUPLICATE_BROKER_REGISTRATION.
    DuplicateBrokerRegistration,
    /// COORDINATOR_NOT_AVAILABLE.
    CoordinatorNotAvailable,
    /// NOT_COORDINATOR.
    NotCoordinator,
    /// COORDINATOR_LOAD_IN_PROGRESS.
    CoordinatorLoadInProgress,
    /// UNKNOWN_MEMBER_ID.
    UnknownMemberId,
    /// ILLEGAL_GENERATION.
    IllegalGeneration,
    /// REBALANCE_IN_PROGRESS.
    RebalanceInProgress,
    /// MEMBER_ID_REQUIRED (KIP-394).
    MemberIdRequired,
    /// INCONSISTENT_GROUP_PROTOCOL.
    InconsistentGroupProtocol,
    /// FENCED_INSTANCE_ID (KIP-345).
    FencedInstanceId,
    /// FENCED_MEMBER_EPOCH (KIP-848).
    FencedMemberEpoch,
    /// STALE_MEMBER_EPOCH (KIP-848).
    StaleMemberEpoch,
    /// UNRELEASED_INSTANCE_ID (KIP-848).
    UnreleasedInstanceId,
    /// CONCURRENT_TRANSACTIONS: what ends the last transaction is under way.
    ConcurrentTransactions,
    /// INVALID_TXN_STATE: there is no such transaction.
    InvalidTxnState,
    /// INVALID_PRODUCER_ID_MAPPING: the transactional id has another producer id.
    InvalidProducerIdMapping,
    /// PRODUCER_FENCED: another producer has the transactional id.
    ProducerFenced,
    /// TRANSACTION_ABORTABLE (KIP-890): the transaction can only be aborted.
    TransactionAbortable,
    /// TRANSACTION_COORDINATOR_FENCED: a later coordinator has spoken.
    TransactionCoordinatorFenced,
    /// UNSTABLE_OFFSET_COMMIT (KIP-447): a transaction that commits it has not ended.
    UnstableOffsetCommit,
    /// UNKNOWN_SERVER_ERROR.
    Unknown,
}

impl Error {
    /// Whether a client may try again (RetriableException).
    #[must_use]
    pub const fn is_retriable(self) -> bool {
        !matches!(
            self,
            Error::None
                | Error::MessageTooLarge
                | Error::OutOfOrderSequence
                | Error::UnknownProducerId
                | Error::InvalidProducerEpoch
                | Error::InvalidRequest
                | Error::UnknownMemberId
                | Error::IllegalGeneration
                | Error::RebalanceInProgress
                | Error::MemberIdRequired
                | Error::InconsistentGroupProtocol
                | Error::FencedInstanceId
                | Error::FencedMemberEpoch
                | Error::StaleMemberEpoch
                | Error::UnreleasedInstanceId
                | Error::InvalidTxnState
                | Error::InvalidProducerIdMapping
                | Error::ProducerFenced
                | Error::TransactionAbortable
                | Error::TransactionCoordinatorFenced
                | Error::Unknown
        )
    }

    /// Whether another coordinator is to be looked for.
    #[must_use]
    pub const fn is_coordinators(self) -> bool {
        matches!(self, Error::CoordinatorNotAvailable | Error::NotCoordinator)
    }

    /// Whether the client's metadata is to blame (InvalidMetadataException).
    #[must_use]
    pub const fn is_stale_metadata(self) -> bool {
        matches!(
            self,
            Error::NotLeaderOrFollower
                | Error::LeaderNotAvailable
                | Error::UnknownTopicOrPartition
                | Error::FencedLeaderEpoch
                | Error::UnknownLeaderEpoch
                | Error::StorageError
        )
    }
}
