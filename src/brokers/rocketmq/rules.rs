//! What RocketMQ does, as named rules (see [`named_rules`](crate::brokers::kit::rules)). Sources are
//! files of apache/rocketmq at the tag of the release.

use crate::brokers::kit::rules::named_rules;

named_rules! {
    first "4.9.0";
    // ---- NameServer
    UnregisterOnClose = "unregister-on-close", always,
        "A NameServer takes a broker out of all routes as soon as its connection ends; without this \
         rule only when it has been silent for too long.",
        "namesrv/routeinfo/BrokerHousekeepingService.java, RouteInfoManager.java onChannelDestroy";
    ExpireSilentBrokers = "expire-silent-brokers", always,
        "A NameServer takes a broker out of all routes that has not registered for 120 s.",
        "namesrv/routeinfo/RouteInfoManager.java scanNotActiveBroker";
    // ---- store
    GroupCommit = "group-commit", always,
        "With SYNC_FLUSH a send is answered when an fsync has covered it; one fsync covers all that \
         was appended before it. Without this rule it is answered at once.",
        "store/CommitLog.java GroupCommitService";
    FlushInRounds = "flush-in-rounds", always,
        "With ASYNC_FLUSH the flusher sleeps for flushIntervalCommitLog, and flushes if enough is \
         dirty; without this rule it flushes as soon as something is appended.",
        "store/CommitLog.java FlushRealTimeService";
    WriteBuffer = "write-buffer", always,
        "With transientStorePoolEnable appends go to a buffer of the process first; without this rule \
         to the file.",
        "store/TransientStorePool.java; store/logfile/DefaultMappedFile.java getReadPosition";
    ForgetFlushErrors = "forget-flush-errors", until "5.3.4",
        "An fsync that fails is logged, and counts as if it had not failed.",
        "store/MappedFile.java 4.9.4, store/logfile/DefaultMappedFile.java 5.3.3 flush";
    DispatchFlushedOnly = "dispatch-flushed-only", since "5.3.0",
        "With SYNC_FLUSH a message can be read once it is flushed; without this rule as soon as it \
         is appended.",
        "store/CommitLog.java 5.3.0 getConfirmOffset; store/DefaultMessageStore.java getReputEndOffset";
    RecoveryTruncates = "recovery-truncates", always,
        "A start cuts the CommitLog at the first record that is not whole; without this rule it is \
         left, and nothing behind it is found.",
        "store/CommitLog.java recoverAbnormally";
    FastFailure = "fast-failure", always,
        "A send that has waited for waitTimeMillsInSendQueue is answered SYSTEM_BUSY.",
        "broker/latency/BrokerFastFailure.java cleanExpiredRequest";
    CleanForcibly = "clean-forcibly", always,
        "With more than diskSpaceCleanForciblyRatio of the disk used the oldest segments are deleted, consumed or \
         not; without this rule only those that are older than fileReservedTime.",
        "store/DefaultMessageStore.java CleanCommitLogService.isSpaceToDelete, deleteExpiredFiles";
    FsyncMetadata = "fsync-metadata", since "5.3.4",
        "The file of consumer offsets is fsynced when it is written.",
        "apache/rocketmq#9705; common/ConfigManager.java, MixAll.java string2File";
    // ---- replication
    WakeTransfer = "wake-transfer", always,
        "A send that waits for slaves wakes the threads that push to them; without this rule they \
         look every 100 ms, as they do for all others.",
        "store/CommitLog.java handleHA; store/ha/HAConnection.java WriteSocketService";
    CountInSyncReplicas = "count-in-sync-replicas", since "5.0.0",
        "SYNC_MASTER waits for inSyncReplicas copies, its own included: with the default of 1 for \
         nobody. Without this rule it waits for any one slave, and answers SLAVE_NOT_AVAILABLE at \
         once if there is none.",
        "store/CommitLog.java 5.0.0 handleHA; docs/en/QuorumACK.md; 4.9.4 submitReplicaRequest";
    SlaveAcksFromMemory = "slave-acks-from-memory", always,
        "A slave reports what it has written; without this rule what it has flushed.",
        "store/ha/HAService.java HAClient.reportSlaveMaxOffset";
    LastSegmentFirst = "last-segment-first", always,
        "An empty slave is pushed the master's last segment only; without this rule everything.",
        "store/ha/HAConnection.java WriteSocketService";
    RefuseSlaveAhead = "refuse-slave-ahead", from "4.9.3" until "5.0.0",
        "A master ends the connection of a slave that goes on to report more than the master has.",
        "apache/rocketmq#3015, #3016; store/ha/HAConnection.java 4.9.3";
    SlaveCopiesOffsets = "slave-copies-offsets", always,
        "A slave replaces its consumer offsets by its master's every so often.",
        "broker/slave/SlaveSynchronize.java syncConsumerOffset";
    // ---- controllers
    TruncateByEpoch = "truncate-by-epoch", since "5.0.0",
        "With controllers a slave compares its epochs with its master's when it connects, and cuts its \
         CommitLog where they begin to differ; without this rule it goes on behind what it has.",
        "store/ha/autoswitch/AutoSwitchHAClient.java doTruncate; EpochFileCache.java findConsistentPoint";
    ElectionsCount = "elections-count", since "5.0.0",
        "Each election gives the group a greater masterEpoch.",
        "controller/impl/manager/ReplicasInfoManager.java electMaster";
    ElectFromSet = "elect-from-set", since "5.0.0",
        "Unless enableElectUncleanMaster only a member of the SyncStateSet is made master; without this rule \
         any that is alive.",
        "controller/elect/impl/DefaultElectPolicy.java";
    UnionOfSets = "union-of-sets", since "5.1.1",
        "While a change of the SyncStateSet is not decided a master waits for the members of both sets.",
        "apache/rocketmq#5663; store/ha/autoswitch/AutoSwitchHAService.java getSyncStateSet";
    EpochBeginsAnew = "epoch-begins-anew", since "5.0.0",
        "A master that restarts before it is missed lets its epoch begin where its CommitLog ends now, and what it \
         wrote in it before counts as the epoch before; without this rule the epoch goes on.",
        "store/ha/autoswitch/AutoSwitchHAService.java changeToMaster; EpochFileCache.java truncateSuffixByEpoch";
    DropUnconnected = "drop-unconnected", since "5.1.1",
        "A master takes everyone out of the SyncStateSet who has not been connected to this process of its; without \
         this rule such a member stays in it.",
        "apache/rocketmq#6342; store/ha/autoswitch/AutoSwitchHAService.java maybeShrinkSyncStateSet";
    // ---- DLedger
    AckUnflushed = "ack-unflushed", always,
        "In a DLedger group an entry counts where it is written, flushed or not (every 10 ms it is); without this \
         rule where it is flushed.",
        "openmessaging/dledger store/file/DLedgerMmapFileStore.java FlushDataService";
    CommitByCounting = "commit-by-counting", always,
        "The leader of a DLedger group takes what earlier leaders left for committed as soon as most members have \
         it; without this rule with a record of its own term only, as Raft has it.",
        "openmessaging/dledger 0.3.1.2 DLedgerEntryPusher.java QuorumAckChecker; Raft 5.4.2";
    // ---- reads
    HoldPulls = "hold-pulls", always,
        "A pull that finds nothing is held until something comes or 15 s are over; without this rule \
         it is answered at once.",
        "broker/longpolling/PullRequestHoldService.java";
    WakeSlavePulls = "wake-slave-pulls", since "5.0.0",
        "Pulls that a slave holds are answered as soon as something comes; without this rule they are \
         looked at every 5 s.",
        "store/DefaultMessageStore.java 4.9.4 ReputMessageService.doReput; 5.0.0 notifyMessageArriveIfNecessary";
    SlaveRefusesPulls = "slave-refuses-pulls", since "5.0.0",
        "A slave without slaveReadEnable answers pulls with SYSTEM_BUSY; without this rule with what \
         it finds.",
        "broker/processor/PullMessageProcessor.java 5.0.0; 4.9.4: the code PULL_RETRY_IMMEDIATELY is overwritten";
    ResetOverflowToZero = "reset-overflow-to-zero", until "4.9.4",
        "A pull beyond the end of a queue that still has its first message is sent back to 0; without \
         this rule to the end.",
        "apache/rocketmq#4215; store/DefaultMessageStore.java 4.9.3 getMessage";
    NeedSubscription = "need-subscription", always,
        "A broker that has had no heartbeat of a group since its start answers its pulls with \
         SUBSCRIPTION_NOT_EXIST.",
        "broker/processor/PullMessageProcessor.java";
    ExpireSilentClients = "expire-silent-clients", always,
        "A broker forgets a client that has been silent for channelExpiredTimeout.",
        "broker/client/ConsumerManager.java scanNotActiveChannel";
    NotifyConsumers = "notify-consumers", always,
        "A broker tells the members of a group when one comes or goes; without this rule they notice \
         at their next round, within 20 s.",
        "broker/client/DefaultConsumerIdsChangeListener.java; client/impl/ClientRemotingProcessor.java";
    ReturnsWaitForNobody = "returns-wait-for-nobody", always,
        "What a consumer sends back is answered, and what has had its delay delivered, without a flush or \
         a slave; without this rule as any other send.",
        "broker/processor/AbstractSendMessageProcessor.java consumerSendMsgBack setWaitStoreMsgOK(false)";
    LockQueues = "lock-queues", always,
        "A queue that is consumed in order is locked by one member of its group, and by another 60 s after \
         that has last asked for it at the earliest; without this rule whoever asks gets it.",
        "broker/client/rebalance/RebalanceLockManager.java tryLockBatch";
    // ---- clients
    KeepRoute = "keep-route", always,
        "A client whose NameServers do not answer, or know no broker, goes on with the route that it has.",
        "client/impl/factory/MQClientInstance.java updateTopicRouteInfoFromNameServer";
    CloseOnTimeout = "close-on-timeout", always,
        "A synchronous request that is not answered in time ends its connection, and all that is under way on it.",
        "remoting/netty/NettyRemotingClient.java invokeSync; NettySystemConfig.java";
    OneBudget = "one-budget", always,
        "All attempts of a send share sendMsgTimeout: a broker that hangs leaves no time for another. \
         Without this rule each attempt has all of it.",
        "client/impl/producer/DefaultMQProducerImpl.java sendDefaultImpl";
    RetryElsewhere = "retry-elsewhere", always,
        "Another attempt goes to another group if there is one.",
        "client/impl/producer/TopicPublishInfo.java selectOneMessageQueue";
    RandomRestart = "random-restart", since "5.1.4",
        "Another attempt begins its round of the queues at a random one.",
        "client/impl/producer/TopicPublishInfo.java 5.1.4 resetIndex";
    RetrySystemBusy = "retry-system-busy", since "5.3.0",
        "SYSTEM_BUSY is a reason for another attempt.",
        "client/producer/DefaultMQProducer.java 5.3.0 retryResponseCodes";
    ShortAvoidance = "short-avoidance", since "5.1.4",
        "With sendLatencyEnable a group that has failed is avoided for 10 s; without this rule for \
         10 min.",
        "client/latency/MQFaultStrategy.java 5.1.1, 5.1.4";
    CommitLowestUnfinished = "commit-lowest-unfinished", always,
        "The offset of a queue that is committed is that of the lowest message that is not finished; \
         without this rule the one behind the highest that is.",
        "client/impl/consumer/ProcessQueue.java removeMessage";
    SendBack = "send-back", always,
        "A message on which the application fails is sent back to the broker, delivered again after a \
         delay that grows, and a dead letter after maxReconsumeTimes; without this rule its offset is \
         committed and that is all.",
        "client/impl/consumer/ConsumeMessageConcurrentlyService.java processConsumeResult";
    ExpireSlowMessages = "expire-slow-messages", always,
        "A message on which the application works for longer than consumeTimeout is sent back, and its \
         offset committed; without this rule nothing behind it is.",
        "client/impl/consumer/ProcessQueue.java cleanExpiredMsg";
    HeartbeatOnConnect = "heartbeat-on-connect", since "5.2.0",
        "A consumer sends a heartbeat on every new connection to a broker; without this rule only \
         every 30 s.",
        "client/impl/factory/MQClientInstance.java 5.2.0 onChannelActive";
    RebalanceSoon = "rebalance-soon", since "5.2.0",
        "A rebalance that left something to do is repeated after 1 s, not after 20 s.",
        "client/impl/consumer/RebalanceService.java 5.2.0";
    RebalanceOnIllegal = "rebalance-on-illegal", since "5.2.0",
        "A queue whose offset was illegal is taken again at once; without this rule it is given up \
         after 10 s and taken by the next round.",
        "client/impl/consumer/DefaultMQPushConsumerImpl.java 5.2.0 OFFSET_ILLEGAL";
}
