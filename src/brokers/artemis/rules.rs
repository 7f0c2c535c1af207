//! What Artemis does, rule by rule; see [`kit::rules`](crate::brokers::kit::rules).
//!
//! Sources are files of apache/artemis 2.56.0, those of `artemis-server` below
//! `org/apache/activemq/artemis/core`.

use crate::brokers::kit::rules::named_rules;

named_rules! {
    first "2.20";
    // ---- journal
    AnswerWhenStored = "answer-when-stored", always,
        "An answer leaves when all that its session has asked the journal to fsync is fsynced; without \
         this rule when it is appended.",
        "persistence/impl/journal/OperationContextImpl.java checkTasks";
    RouteWhenStored = "route-when-stored", always,
        "A message is in its queue when it is stored, and replicated; without this rule when it is appended.",
        "postoffice/impl/PostOfficeImpl.java processRoute";
    FlushAtOnce = "flush-at-once", always,
        "A buffer that nobody has flushed for its timeout is flushed as soon as something is to be \
         fsynced; without this rule everything waits for the timeout.",
        "io/buffer/TimedBuffer.java CheckTimer";
    ShareFlushes = "share-flushes", always,
        "All that waits is flushed together; without this rule one record after the other.",
        "io/buffer/TimedBuffer.java flushBatch";
    CheckCommits = "check-commits", always,
        "What a transaction has sent is there with its commit, if all its records are; without this rule \
         as soon as it is sent.",
        "journal/impl/JournalImpl.java checkTransactionHealth";
    StopOnIoError = "stop-on-io-error", always,
        "A broker whose journal cannot be written stops; without this rule it goes on, and what waits for \
         the disk is never answered.",
        "server/impl/ActiveMQServerImpl.java ActiveMQIOErrorListener";
    // ---- shared store
    PausedStays = "paused-stays", always,
        "A backup does not take over from a broker that has stopped in order.",
        "server/impl/FileLockNodeManager.java awaitPrimaryNode";
    MonitorLock = "monitor-lock", always,
        "An active broker sees every lock-monitor-period whether it still has its lock, and stops if not.",
        "server/impl/FileLockNodeManager.java MonitorLock";
    // ---- replication
    AnswerWhenReplicated = "answer-when-replicated", always,
        "An answer leaves when the backup has answered all packets of what its session has done; without          this rule it does not wait for the backup.",
        "persistence/impl/journal/OperationContextImpl.java replicationDone";
    AnswerFromHeap = "answer-from-heap", always,
        "A backup answers a packet when it has it; without this rule when it is on its disk.",
        "replication/ReplicationEndpoint.java handlePacket";
    GoOnAlone = "go-on-alone", always,
        "A primary that loses its backup answers all that has waited for it, and goes on with one copy;          without this rule it stops.",
        "replication/ReplicationManager.java clearReplicationTokens";
    MoveDataAway = "move-data-away", always,
        "A broker that becomes a backup moves its data away and copies that of its primary; without this          rule it keeps what it has until the copy is there.",
        "server/impl/SharedNothingBackupActivation.java moveServerData";
    ActivateInSync = "activate-in-sync", always,
        "A backup activates only if it has had everything of its primary since it started; without this          rule also with what it has.",
        "server/impl/SharedNothingBackupActivation.java isRemoteBackupUpToDate";
    AskForVotes = "ask-for-votes", always,
        "A backup that loses its primary takes over if enough of the other pairs say that it is not          there; without this rule at once.",
        "server/cluster/qourum/SharedNothingBackupQuorum.java decideAction; cluster/quorum/QuorumVoteServerConnect.java";
    PingerOverrides = "pinger-overrides", always,
        "With network-check-list a backup whose vote is over takes over if it reaches the router, whatever          the others have said, and not if it does not.",
        "server/cluster/qourum/SharedNothingBackupQuorum.java decideAction";
    StopWhenIsolated = "stop-when-isolated", always,
        "With network-check-list an active broker that does not reach the router stops to serve until it does.",
        "server/NetworkHealthCheck.java run";
    // ---- duplicates
    DetectDuplicates = "detect-duplicates", always,
        "A message whose duplicate id its address has had is ignored, and its send succeeds.",
        "postoffice/impl/PostOfficeImpl.java checkDuplicateID";
    // ---- consumers
    CountDeliveries = "count-at-delivery", always,
        "A delivery is counted when the message is sent to the consumer's buffer; without this rule when it \
         goes back.",
        "server/impl/ServerConsumerImpl.java handle";
    KeepCounts = "keep-counts-of-failed", always,
        "What a consumer had in its buffer whose connection failed counts as delivered; without this rule \
         only what a consumer gives back counts.",
        "server/impl/ServerConsumerImpl.java updateDeliveryCountForCanceledRef";
    RedeliverFirst = "redeliver-first", always,
        "What a consumer leaves goes ahead of the queue; without this rule behind it.",
        "server/impl/QueueImpl.java addHead";
    // ---- clients
    KeepSessions = "keep-sessions", always,
        "The session of a client with a confirmation window outlives its connection until its TTL is over; \
         without this rule it ends with it.",
        "remoting/server/impl/RemotingServiceImpl.java isSupportReconnect";
    CheckByWindow = "check-by-window", always,
        "A client notices a silent broker when nothing came in a whole window of its connectionTTL, after 1 \
         to 2 of them; without this rule when nothing came for one.",
        "artemis-core-client ClientSessionFactoryImpl.java PingRunnable";
}
