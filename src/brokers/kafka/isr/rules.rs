//! What Kafka does, as named rules (see [`named_rules`](crate::brokers::kit::rules)).

use crate::brokers::kit::rules::named_rules;

named_rules! {
    first "0.8.0";

    // ---- in-sync replicas
    LagByMessages = "lag-by-messages", until "0.9",
        "A follower that lacks more than replica.lag.max.messages leaves the ISR.",
        "Partition.scala 0.8.2.2, getOutOfSyncReplicas; KAFKA-1546";
    CaughtUpByFetch = "caught-up-by-fetch", since "0.9",
        "A follower is late if it has not read up to the leader's end for replica.lag.time.max.ms; \
         before, if it has not fetched for so long.",
        "Partition.scala 0.9.0.1 and 0.8.2.2, getOutOfSyncReplicas; KAFKA-1546";
    CaughtUpAtLastFetch = "caught-up-at-last-fetch", since "0.10.2",
        "Having read up to what was the end at its fetch before counts as caught up at that time.",
        "Replica.scala 0.10.2, updateLogReadResult; KAFKA-4485";
    KeepIdleFollowers = "keep-idle-followers", since "2.1",
        "A follower whose end is the leader's stays in the ISR, however long it is silent.",
        "Partition.scala 2.1.0, isFollowerOutOfSync; KAFKA-7152";
    CheckIsrTwiceALag = "check-isr-twice-a-lag", since "0.10.2",
        "Leaders look for late followers every half replica.lag.time.max.ms; before, as rarely as \
         that time itself.",
        "ReplicaManager.scala 0.10.2.0, startup";
    JoinAtEpochStart = "join-at-epoch-start", since "2.0.1",
        "A follower joins the ISR only with an end at or after the start of the leader's epoch.",
        "Partition.scala 2.1.0, isFollowerInSync; KAFKA-7128";
    JoinIfEligible = "join-if-eligible", since "3.3",
        "A broker that is fenced or shutting down cannot join an ISR.",
        "Partition.scala 3.3, isReplicaIsrEligible; ReplicationControlManager.java; KIP-841";
    JoinWithBrokerEpoch = "join-with-broker-epoch", since "3.5",
        "A follower joins the ISR only as the incarnation that its fetch came from.",
        "Partition.scala 3.5; KIP-903";
    MinInsyncReplicas = "min-insync-replicas", since "0.8.2",
        "A write with acks=all is refused while the ISR is smaller than min.insync.replicas.",
        "Partition.scala 0.8.2.2, appendMessagesToLeader; KAFKA-1555";

    CapMinIsr = "cap-min-isr", since "3.7",
        "A partition with fewer replicas than min.insync.replicas needs all of those it has; before, \
         it refuses every write with acks=all.",
        "Partition.scala 3.7 and 3.6, appendRecordsToLeader (`effectiveMinIsr`); KAFKA-15583";

    WaitForIsr = "wait-for-isr", always,
        "A write with acks=all is answered when all of the ISR have it.",
        "DelayedProduce.scala, tryComplete; Partition.scala, checkEnoughReplicasReachOffset";
    ShrinkIsr = "shrink-isr", always,
        "A leader takes followers that are late out of the ISR.",
        "Partition.scala, maybeShrinkIsr";
    MuteChannel = "mute-channel", always,
        "A broker begins a request only when those before it on its connection are answered.",
        "SocketServer.scala 0.8.2.2 to 3.9, processNewResponses, processCompletedReceives (`mute`)";
    CloseWhenRefused = "close-when-refused", always,
        "A write with acks=0 that is refused ends its connection: there is no other answer.",
        "KafkaApis.scala, handleProduceRequest";

    // ---- high watermark
    CaughtUpReplicasBoundHw = "caught-up-replicas-bound-hw", since "0.10.2",
        "A replica outside the ISR that is caught up holds the high watermark back as well.",
        "Partition.scala 0.10.2.0, maybeIncrementLeaderHW";
    HwWaitsForEligible = "hw-waits-for-eligible", since "3.6",
        "Of the replicas outside the ISR only those hold the high watermark back that may join it; \
         before, one that has just left to shut down did so for replica.lag.time.max.ms.",
        "Partition.scala 3.6, shouldWaitForReplicaToJoinIsr; KAFKA-15021";
    MaximalIsr = "maximal-isr", since "2.7",
        "While a change of the ISR is under way, the larger of both counts.",
        "Partition.scala 2.7.0, maximalIsr; KIP-497";
    FreezeHwBelowMinIsr = "freeze-hw-below-min-isr", since "3.7",
        "The high watermark does not move while the ISR is smaller than min.insync.replicas.",
        "Partition.scala 3.7.0, maybeIncrementLeaderHW; KAFKA-15583";
    OffsetNotAvailable = "offset-not-available", since "2.2",
        "A new leader does not say where the end is before its high watermark is where its epoch \
         began.",
        "Partition.scala 2.2, fetchOffsetForTimestamp; KIP-207";
    AckAtHighWatermark = "ack-at-high-watermark", since "0.8.2",
        "acks=all is answered when the high watermark passes; before, when each present member of \
         the ISR has the message.",
        "Partition.scala 0.8.2.2 and 0.8.0, checkEnoughReplicasReachOffset";

    BoundHwByLogEnd = "bound-hw-by-log-end", always,
        "A follower's high watermark is the leader's, or the end of its own log if that is less.",
        "ReplicaFetcherThread.scala 0.8.2.2, processPartitionData";

    // ---- truncation
    TruncateByEpoch = "truncate-by-epoch", since "0.11",
        "A new follower asks the leader where its last epoch ends and cuts its log there; before, \
         it cuts it to its own high watermark.",
        "ReplicaFetcherThread.scala 0.11.0, maybeTruncate; KIP-101";
    EpochEndNamesEpoch = "epoch-end-names-epoch", since "2.0",
        "The leader answers with the epoch that it knows, and the follower asks again if it does \
         not know that one.",
        "AbstractFetcherThread.scala 2.0.0, getOffsetTruncationState; KIP-279";
    FenceByLeaderEpoch = "fence-by-leader-epoch", since "2.1",
        "Fetches and questions for epochs bear the leader epoch, and another one is refused.",
        "Partition.scala 2.1.0, checkCurrentLeaderEpoch; KIP-320";
    TruncateOnFetch = "truncate-on-fetch", since "2.7",
        "A fetch bears the epoch of the last record, and the answer says where logs part.",
        "Partition.scala 2.7.0, readRecords; KIP-595";
    WriteEpochOnElection = "write-epoch-on-election", since "2.0.1",
        "A new leader notes where its epoch begins at once; before, with its first record.",
        "Partition.scala 2.0.1, makeLeader; KAFKA-7415";
    CutEpochsWithLog = "cut-epochs-with-log", always,
        "What a log no longer has, its epoch cache forgets.",
        "LeaderEpochFileCache.scala 0.11, clearAndFlushLatest, assign";
    OneFetcherPerPartition = "one-fetcher-per-partition", always,
        "A replica that has a new leader stops fetching from the one before.",
        "ReplicaManager.scala 0.8.2.2, makeFollowers, makeLeaders";
    HaltOnLongerLog = "halt-on-longer-log", from "0.8.2" until "2.1",
        "A follower whose log is longer than the leader's stops its broker, unless unclean \
         election is allowed; else it cuts its log.",
        "ReplicaFetcherThread.scala 0.8.2.2, handleOffsetOutOfRange; AbstractFetcherThread.scala 2.0, \
         the same";
    FollowLiveLeader = "follow-live-leader", always,
        "With ZooKeeper, a replica that is told of a leader that is not alive stays what it was, and \
         keeps its log.",
        "ReplicaManager.scala 0.8.2.2 to 3.9, makeFollowers; KAFKA-1647";
    NoFetchWhileStopping = "no-fetch-while-stopping", always,
        "A broker that was asked to stop does not begin to fetch.",
        "ReplicaManager.scala 0.8.2.2 to 3.9, makeFollowers (`isShuttingDown`); 3.3, \
         applyLocalFollowersDelta (`isInControlledShutdown`)";
    CutOnSameLeader = "cut-on-same-leader", since "0.8.2",
        "A follower that is told of the same leader again, in a new epoch, cuts its log as well.",
        "ReplicaManager.scala 0.8.2.2, makeFollowers";

    // ---- elections
    UncleanElectionAlways = "unclean-election-always", until "0.8.2",
        "If no member of the ISR lives, any replica may lead; there is no switch.",
        "PartitionLeaderSelector.scala 0.8.0, OfflinePartitionLeaderSelector";
    KeepLastIsrMember = "keep-last-isr-member", always,
        "The last member stays in the ISR when it is gone, and no other can lead cleanly.",
        "ReplicaStateMachine.scala 2.8.2, doRemoveReplicasFromIsr; PartitionChangeBuilder.java 3.9";
    BumpEpochOnElection = "bump-epoch-on-election", always,
        "Every election begins a new leader epoch.",
        "PartitionLeaderSelector.scala 0.8.2.2; PartitionChangeBuilder.java 3.9, triggerLeaderEpochBumpIfNeeded";
    PreferInSync = "prefer-in-sync", always,
        "The preferred replica becomes the leader only as a member of the ISR.",
        "PartitionLeaderSelector.scala 0.8.2.2, PreferredReplicaPartitionLeaderSelector";
    ClearElr = "clear-elr", always,
        "There are no eligible leader replicas while the ISR has min.insync.replicas members.",
        "PartitionChangeBuilder.java 4.0, maybePopulateTargetElr; KIP-966";
    EligibleLeaderReplicas = "eligible-leader-replicas", since "4.1",
        "Who leaves an ISR that is smaller than min.insync.replicas may still be elected.",
        "PartitionChangeBuilder.java 4.0, maybePopulateTargetElr; KIP-966";
    DetectUncleanShutdown = "detect-unclean-shutdown", since "3.8",
        "A broker that registers without the mark of an orderly stop is no eligible leader.",
        "ReplicationControlManager.java 3.8, handleUncleanBrokerShutdown; KAFKA-15586";
    BumpEpochOnShrink = "bump-epoch-on-shrink", until "3.6",
        "With KRaft, every shrink of an ISR begins a new leader epoch.",
        "PartitionChangeBuilder.java 3.5; KAFKA-15021";
    SessionOutlivesFence = "session-outlives-fence", since "4.0",
        "A broker registers again only when its former self has been silent for \
         broker.session.timeout.ms, also after an orderly stop; before, when that is fenced.",
        "ClusterControlManager.java, BrokerHeartbeatTracker.java 4.0, hasValidSession; KAFKA-17793";
    SampleSessions = "sample-sessions", since "4.0",
        "The controller looks for silent brokers eight times in broker.session.timeout.ms; before, \
         at the moment at which the session of one ends.",
        "QuorumController.java 4.0, registerMaybeFenceStaleBroker; KAFKA-17793";
    FixedHeartbeats = "fixed-heartbeats", since "4.0.1",
        "A broker that is refused asks again after broker.heartbeat.interval.ms; before, after a time \
         that doubles from 100 ms to half a session.",
        "BrokerLifecycleManager.scala 4.0.1 (and 3.9.2); KAFKA-19294";
    BrokerEpochs = "broker-epochs", since "2.2",
        "The controller's requests bear the incarnation of the broker that they are for.",
        "KafkaApis.scala 2.2.0, isBrokerEpochStale; KIP-380";

    // ---- ZooKeeper
    WaitForOldEphemeral = "wait-for-old-ephemeral", until "0.9",
        "A broker that finds the znode of its former self waits for its session to expire; later \
         its start fails, and a supervisor starts it again.",
        "ZkUtils.scala 0.8.2.2, createEphemeralPathExpectConflictHandleZKBug; 0.9.0.1, \
         registerBrokerInZk; KAFKA-1387";
    RetryControllerRequests = "retry-controller-requests", since "0.8.1",
        "The controller sends a request until it is answered or the broker is gone; before, one \
         that met a broken connection was lost.",
        "ControllerChannelManager.scala 0.8.0 and 0.8.1.1, RequestSendThread";
    IsrChangeNotification = "isr-change-notification", since "0.9",
        "Leaders that write another ISR to ZooKeeper leave a note for the controller there.",
        "ReplicaManager.scala 0.9.0.1, maybePropagateIsrChanges; KAFKA-1367";
    PipelineZooKeeper = "pipeline-zookeeper", since "1.1",
        "The controller has several requests to ZooKeeper under way; before, one after the other, \
         and one that was under way when its session ended was written in the next.",
        "KafkaZkClient.scala, ZooKeeperClient.scala 1.1.0; KAFKA-5642, KAFKA-2729";
    FenceControllerWrites = "fence-controller-writes", since "2.1",
        "The controller's writes fail if /controller_epoch has changed.",
        "KafkaZkClient.scala 2.1.0, wrapRequestWithControllerEpochCheck; KAFKA-6082";
    ShrinkAtFailover = "shrink-at-failover", since "2.3",
        "A new controller removes brokers from ISRs that died before it was elected.",
        "ReplicaStateMachine.scala 2.3, startup";
    IsrThroughController = "isr-through-controller", since "2.7",
        "Leaders ask the controller for another ISR; before, they wrote it to ZooKeeper.",
        "AlterIsrManager.scala 2.7; KIP-497";

    // ---- controller quorum
    CheckQuorum = "check-quorum", since "3.7",
        "A controller that hears nothing of a majority for 1.5 fetch timeouts resigns.",
        "LeaderState.java 3.7, CHECK_QUORUM_TIMEOUT_FACTOR; KAFKA-15489";
    HighWatermarkAnswers = "high-watermark-answers", since "4.1",
        "The quorum's leader answers fetches that wait when the high watermark moves; before, \
         brokers learn what is committed with the next record, or after half a second.",
        "KIP-1166";
    PreVote = "pre-vote", since "4.0",
        "A controller asks whether it could win before it begins a new epoch.",
        "KIP-996";

    QuorumKeepsEpochs = "quorum-keeps-epochs", always,
        "A controller writes every epoch that it enters to quorum-state.",
        "QuorumState.java 3.9, durableTransitionTo; KIP-595";
    QuorumKeepsVotes = "quorum-keeps-votes", always,
        "A controller answers a request for its vote after it has written the vote down.",
        "QuorumState.java 3.9, transitionToUnattachedVotedState; KIP-595";
    QuorumCountsSynced = "quorum-counts-synced", always,
        "A record of the metadata log counts on a controller when it is on its disk there.",
        "KafkaRaftClient.java 3.9, appendAsFollower; KIP-595";
    QuorumCommitsOwnEpoch = "quorum-commits-own-epoch", always,
        "The quorum's high watermark moves only to records of its leader's epoch.",
        "LeaderState.java 3.9, maybeUpdateHighWatermark; KIP-595";
    QuorumChecksDivergence = "quorum-checks-divergence", always,
        "The quorum's leader tells a follower where their logs part before it sends it records.",
        "KafkaRaftClient.java 3.9, tryCompleteFetchRequest; KIP-595";
    QuorumChecksCandidate = "quorum-checks-candidate", always,
        "A controller votes only for one whose log is at least as complete as its own.",
        "KafkaRaftClient.java 3.9, handleVoteRequest; KIP-595";
    QuorumDropsBehindSnapshot = "quorum-drops-behind-snapshot", always,
        "The metadata log is deleted up to a snapshot only.",
        "KafkaMetadataLog.scala 3.9, deleteBeforeSnapshot; KIP-630";
    QuorumReadsBeforeLeading = "quorum-reads-before-leading", always,
        "A controller leads when it has read the metadata log up to the start of its epoch.",
        "KafkaRaftClient.java 3.9, ListenerContext.maybeFireLeaderChange; KIP-595";
    HandOverAtStop = "hand-over-at-stop", always,
        "A broker that stops in order has its leaderships moved first, where \
         controlled.shutdown.enable says so.",
        "KafkaServer.scala 0.8.2, controlledShutdown; BrokerLifecycleManager.scala 2.8";

    // ---- storage
    FlushInAppend = "flush-in-append", always,
        "An append that makes log.flush.interval.messages full ends when the disk has it.",
        "Log.scala 0.8.2, append";
    SpareOtherLogs = "spare-other-logs", since "1.0",
        "An error of a log's directory takes its replicas offline; before, it ends the broker.",
        "ReplicaManager.scala 1.0.0, handleLogDirFailure; KIP-112";

    FetchSessions = "fetch-sessions", since "1.1",
        "A follower's fetch names the partitions of which it asks something else than before, and the \
         answer those of which there is something new; before, each names all.",
        "FetchSession.scala 1.1, CachedPartition.maybeUpdateResponseData; FetchSessionHandler.java; KIP-227";
    FetchFromFollowers = "fetch-from-followers", since "2.4",
        "With replica.selector.class a leader sends a consumer to a replica in its rack, which serves it up to its \
         own high watermark.",
        "ReplicaManager.scala 2.4, findPreferredReadReplica; KIP-392";
    TellHighWatermark = "tell-high-watermark", since "2.4.2",
        "Where consumers read from followers, a leader answers a follower's fetch at once that does not know of its \
         high watermark yet; before, with the next message, or after replica.fetch.wait.max.ms.",
        "ReplicaManager.scala 2.4.2, followerNeedsHwUpdate; KIP-392, KAFKA-9731";
    RetainByTimestamp = "retain-by-timestamp", since "0.10.1",
        "A file of a log is as old as the latest of its messages, by the time that it bears; before, as its last \
         write.",
        "LogSegment.scala 0.10.1, largestTimestamp; KIP-33";
    FollowLogStart = "follow-log-start", since "0.11",
        "A follower gives up what is before its leader's log start; before, it deleted by itself alone.",
        "ReplicaFetcherThread.scala 0.11, processPartitionData; KIP-107";

    // ---- idempotent producers
    FindDuplicates = "find-duplicates", since "0.11",
        "A leader that has a batch of the same producer, epoch and sequence answers with the offset \
         that it has there, and writes nothing.",
        "ProducerStateEntry.java 3.9, findDuplicateBatch; UnifiedLog.scala, \
         analyzeAndValidateProducerState; KIP-98";
    FindGaps = "find-gaps", since "0.11",
        "A leader refuses a batch whose sequence does not follow the last one of its producer.",
        "ProducerAppendInfo.java 3.9, checkSequence; KIP-98";
    KeepFiveBatches = "keep-five-batches", since "1.0",
        "A partition remembers the last five batches of a producer, which may have as many requests \
         under way; before, one.",
        "ProducerStateManager.scala 1.0.0, NumBatchesToRetain; KAFKA-5494";
    AcceptUnknownProducers = "accept-unknown-producers", since "2.5",
        "A partition that knows nothing of a producer takes its batch with any sequence; before, it \
         refuses all but 0.",
        "ProducerStateManager.scala 2.5.0, checkSequence; KIP-360";
    ExpireProducerIds = "expire-producer-ids", since "3.4",
        "Partitions forget silent producers after producer.id.expiration.ms; before, after \
         transactional.id.expiration.ms.",
        "ProducerStateManager.scala 3.4, isProducerExpired; KIP-854";
    RetryInSequence = "retry-in-sequence", since "0.11",
        "An idempotent producer sends the batches of a partition again in the order of their \
         sequences, one at a time.",
        "RecordAccumulator.java 3.9, insertInSequenceOrder, shouldStopDrainBatchesForPartition; \
         KAFKA-5494";
    RefuseManyInFlight = "refuse-many-in-flight", since "4.0",
        "A producer with more than 5 requests under way does not start unless it does without \
         idempotence; before, it does without.",
        "ProducerConfig.java 4.0.0, postProcessAndValidateIdempotenceConfigs";
    BumpProducerEpoch = "bump-producer-epoch", since "2.5",
        "An idempotent producer that finds a gap begins a new epoch and sends what is under way \
         again, without a word; before, the batch fails, and it takes another id.",
        "TransactionManager.java 2.5.0, bumpIdempotentProducerEpoch; KIP-360, KAFKA-8805";

    // ---- transactions
    FenceProducers = "fence-producers", always,
        "Who takes a transactional id over begins its next epoch, and so fences who had it.",
        "TransactionCoordinator.scala 0.11 to 3.9, prepareInitProducerIdTransit; KIP-98";
    FinishTransactions = "finish-transactions", always,
        "Who becomes the coordinator of a transaction that is decided writes its markers.",
        "TransactionStateManager.scala 0.11 to 3.9, loadTransactionsForTxnTopicPartition; KIP-98";
    StopAtLastStable = "stop-at-last-stable", always,
        "read_committed reads up to the first transaction that is open.",
        "UnifiedLog.scala 3.9, fetchLastStableOffset; KIP-98";
    HideAborted = "hide-aborted", always,
        "read_committed does not hand out what was aborted.",
        "CompletedFetch.java 3.9, isBatchAborted; KIP-98";
    FenceTransactionalCommits = "fence-transactional-commits", since "2.5",
        "Offsets that a transaction commits count only if they come from a member, in the present \
         generation; before, whoever had the transactional id could commit them.",
        "GroupCoordinator.scala 2.5, doTxnCommitOffsets; KIP-447";
    WaitForStableOffsets = "wait-for-stable-offsets", since "2.5",
        "A read_committed consumer that asks where its group is waits until the transactions that commit \
         that have ended.",
        "GroupMetadataManager.scala 2.5, getOffsets (requireStable); KIP-447";
    BumpAfterAbort = "bump-after-abort", since "2.5",
        "A transactional producer that does not know what became of a batch aborts, and goes on in its next \
         epoch; before, it fails.",
        "TransactionManager.java 2.5, canBumpEpoch; KIP-360";
    VerifyTransactions = "verify-transactions", since "3.6",
        "A leader asks the coordinator before the first batch of a transaction, so that one that comes late \
         opens none that nobody ends.",
        "ReplicaManager.scala 3.6, AddPartitionsToTxnManager.scala; KIP-890";
    VerifyOffsetCommits = "verify-offset-commits", since "3.7",
        "The coordinator of a group does so before a transaction commits offsets.",
        "GroupCoordinator.scala 3.7, KAFKA-15449; KIP-890";
    TransactionsV2 = "transactions-v2", since "4.0",
        "Every transaction has an epoch of its own, and leaders add their partitions to it: nothing that \
         comes late meets the next one.",
        "TransactionVersion.java 4.0 (transaction.version 2); KIP-890";

    // ---- groups
    MemberIdRequired = "member-id-required", since "2.2",
        "Who joins without a member id is given one first, and counts when it comes back with that.",
        "GroupCoordinator.scala 2.2, doUnknownJoinGroup; KIP-394";
    StaticMembers = "static-members", since "2.3",
        "A member with a group.instance.id that is back takes the place of its former self.",
        "GroupCoordinator.scala 2.3; KIP-345";
    LateCommitsHold = "late-commits-hold", since "4.0",
        "A commit that was not replicated in time, and was answered so, holds as soon as it is; before,          as soon as another broker coordinates the group.",
        "CoordinatorRuntime.java 4.0; GroupMetadata.scala 3.9, failPendingOffsetWrite";
    FencedMayRejoin = "fenced-may-rejoin", since "4.2",
        "A member of KIP-848 that was fenced may join again with the id that it has.",
        "GroupMetadataManager.java 4.2; KAFKA-19233";
    LoadOffsets = "load-offsets", always,
        "Who becomes the coordinator of a group reads what was written of it.",
        "GroupMetadataManager.scala 0.9 to 3.9, doLoadGroupsAndOffsets; CoordinatorLoaderImpl.scala 4.0";
    FenceGenerations = "fence-generations", always,
        "A commit counts only if it comes from a member, in the present generation.",
        "GroupCoordinator.scala 2.8, doCommitOffsets; ConsumerGroup.java 4.0, validateOffsetCommit";
    CommitInPoll = "commit-in-poll", always,
        "With enable.auto.commit, poll() commits every auto.commit.interval.ms.",
        "ConsumerCoordinator.java 0.9 to 4.1, maybeAutoCommitOffsetsAsync";
    CommitReturned = "commit-returned", always,
        "An automatic commit is of the positions behind what earlier polls returned; without, of what          was fetched.",
        "ConsumerCoordinator.java 0.9 to 4.1, maybeAutoCommitOffsetsAsync (`allConsumed`); KAFKA-18641";
    CommitBeforeRebalance = "commit-before-rebalance", always,
        "A member with automatic commits commits before it gives partitions up.",
        "ConsumerCoordinator.java, onJoinPrepare";
    CommitAtClose = "commit-at-close", always,
        "A member with automatic commits commits when it is closed.",
        "ConsumerCoordinator.java, close";
    BackgroundHeartbeats = "background-heartbeats", since "0.10.1",
        "Heartbeats are sent by a thread of their own; before, only in poll().",
        "AbstractCoordinator.java 0.10.1.0, HeartbeatThread; KIP-62";

    ExpireWhenEmpty = "expire-when-empty", since "2.1",
        "The offsets of a group that has members do not expire, and of one that has none only \
         offsets.retention.minutes after it lost its last; before, every offset so long after its commit.",
        "GroupMetadata.scala 2.1, removeExpiredOffsets; KIP-211";

    // ---- clients
    DetectTruncation = "detect-truncation", since "2.3",
        "A consumer notices that the log was cut below its position, and goes back to where.",
        "SubscriptionState.java 2.3, maybeCompleteValidation; KIP-320, KAFKA-7747";
    BackOffExponentially = "back-off-exponentially", since "3.7",
        "A producer waits longer before each further try, up to retry.backoff.max.ms.",
        "ExponentialBackoff; KIP-580";
    DeliveryTimeout = "delivery-timeout", since "2.1",
        "What is not acknowledged within delivery.timeout.ms has failed, on its way or not; before, \
         only what could not be sent within request.timeout.ms.",
        "RecordAccumulator.java 2.1.0, expiredBatches; Sender.java, getExpiredInflightBatches; KIP-91";
    BackOffReconnects = "back-off-reconnects", since "0.11",
        "A client waits longer before each further try to connect, up to 1 s.",
        "ClusterConnectionStates.java 0.11.0, updateReconnectBackoff; KIP-144";
    TimeOutConnecting = "time-out-connecting", since "2.7",
        "A client gives a connection up that is not open after 10 s; before, as late as TCP.",
        "NetworkClient.java 2.7.0, handleTimedOutConnections; KIP-601";
    ElapsedSessions = "elapsed-sessions", since "2.4",
        "ZooKeeper reckons how long a session has been silent by a clock that never jumps; before \
         3.5, by the time of day.",
        "build.gradle 2.4.0 (ZooKeeper 3.5.6); SessionTrackerImpl.java, ClientCnxn.java; \
         ZOOKEEPER-1366";
    ScalaConnectTimeout = "scala-connect-timeout", since "0.8.2",
        "The Scala producer gives a connection up that is not open after request.timeout.ms; \
         before, as late as TCP.",
        "BlockingChannel.scala 0.8.2.2, connectTimeoutMs";
    ClientTimeouts = "client-timeouts", since "0.9",
        "The Java producer ends a connection on which a request is not answered within \
         request.timeout.ms, and gives batches up that could not be sent for so long.",
        "Sender.java 0.9.0.0, RecordAccumulator.java abortExpiredBatches; KIP-19";
    KeepNewerMetadata = "keep-newer-metadata", since "2.2",
        "A client does not go back to a leader of an older epoch that a broker still tells of.",
        "Metadata.java 2.2.0, updateLastSeenEpochIfNewer; KAFKA-7738";
    Rebootstrap = "rebootstrap", since "4.0",
        "A client that reaches none of the brokers it knows asks those of `connect` again.",
        "NetworkClient.java 4.0.0; KIP-899, KIP-1102";
    RequeueOldestFirst = "requeue-oldest-first", since "2.0",
        "Of several batches that a lost connection brings back, the oldest is put back first, and \
         so ends up behind the others; before, it is put back last.",
        "InFlightRequests.java 2.0.0, clearAll; RecordAccumulator.java, reenqueue";
    StickyPartitioner = "sticky-partitioner", from "2.4" until "3.3",
        "Messages without a key stay with a partition until its batch is full or sent.",
        "StickyPartitionCache.java 2.4.0; KIP-480";
    UniformStickyPartitioner = "uniform-sticky-partitioner", since "3.3",
        "Messages without a key stay with a partition for batch.size bytes; one with a shorter \
         queue is the more likely next.",
        "BuiltInPartitioner.java 3.3.0; KIP-794";
    MessageTimestamps = "message-timestamps", since "0.10",
        "A message has a timestamp: 34 bytes of its own, instead of 26.",
        "Record.java 0.10.0.0; KIP-32";
    RecordBatches = "record-batches", since "0.11",
        "A batch has a header of 61 bytes, and a message some 8 bytes of its own.",
        "DefaultRecordBatch.java 0.11.0.0, RECORD_BATCH_OVERHEAD; KIP-98";
}
