//! What Kafka 0.7 does, as named rules (see [`named_rules`](crate::brokers::kit::rules)).

use crate::brokers::kit::rules::named_rules;

named_rules! {
    first "0.6";
    // ---- logs
    VisibleWhenFlushed = "visible-when-flushed", always,
        "A message can be read when the fsync that covers it is through; without this rule as soon \
         as it is appended.",
        "log/FileMessageSet.scala 0.7, flush, highWaterMark; 07/configuration.html log.flush.interval";
    FlushByCount = "flush-by-count", always,
        "A log with log.flush.interval unflushed messages is flushed by who appended the last.",
        "log/Log.scala 0.7, maybeFlush";
    FlushByTime = "flush-by-time", always,
        "A thread flushes logs whose last flush was log.default.flush.interval.ms ago.",
        "log/LogManager.scala 0.7, flushAllLogs";
    RecoveredIsVisible = "recovered-is-visible", always,
        "What survives in a log when it is recovered counts as flushed.",
        "message/FileMessageSet.scala 0.7, recover";
    RecoverLastSegment = "recover-last-segment", always,
        "The last segment of a log is scanned after anything but a clean stop, and cut at the first \
         bad message; without this rule nothing is scanned or cut.",
        "message/FileMessageSet.scala 0.7, recover, validateMessage";
    // ---- registration
    RefuseWhileRegistered = "refuse-while-registered", always,
        "A broker whose old node is still in ZooKeeper fails to start; without this rule it takes \
         the node over.",
        "server/KafkaZooKeeper.scala 0.7, registerBrokerInZk; utils/ZkUtils.scala, \
         createEphemeralPathExpectConflict";
    RegisterAgain = "register-again", always,
        "A broker whose session has expired registers itself again.",
        "server/KafkaZooKeeper.scala 0.7, SessionExpireListener";
    // ---- producers
    BrokerListIsBlind = "broker-list-is-blind", always,
        "A producer with a list of brokers sends to each of them, dead or alive; without this rule \
         it leaves out those that it could not connect to the last time.",
        "producer/Producer.scala 0.7, configSend";
    AcceptWhenQueued = "accept-when-queued", always,
        "An asynchronous send returns when its message is queued; without this rule when its batch \
         is written.",
        "producer/async/AsyncProducer.scala 0.7, send";
    DropWhenQueueIsFull = "drop-when-queue-is-full", always,
        "With queue.enqueueTimeout.ms = 0 a message for which the queue has no room is dropped; \
         without this rule the caller waits.",
        "producer/async/AsyncProducer.scala 0.7, send";
    DropFailedBatch = "drop-failed-batch", always,
        "A batch that could not be sent, num.retries included, is logged and dropped; without this \
         rule it is sent until it is.",
        "producer/async/ProducerSendThread.scala 0.7, tryToHandle";
    ForgetDeadBrokers = "forget-dead-brokers", always,
        "A producer with ZooKeeper sends no more to a broker whose node is gone.",
        "producer/ZKBrokerPartitionInfo.scala 0.7, processBrokerChange";
    CloseDrains = "close-drains", always,
        "A producer that is closed sends what is queued.",
        "producer/async/AsyncProducer.scala 0.7, close";
    // ---- consumers
    ConsumedBeforeProcessed = "consumed-before-processed", always,
        "The consumed offset is that behind a message as soon as the application gets it, not when \
         it is through with it.",
        "consumer/ConsumerIterator.scala 0.7, next";
    CommitPeriodically = "commit-periodically", always,
        "Consumed offsets are committed every autocommit.interval.ms; without this rule with every \
         message.",
        "consumer/ZookeeperConsumerConnector.scala 0.7, autoCommit";
    CommitBeforeRelease = "commit-before-release", always,
        "A rebalance commits the offsets before it gives up partitions.",
        "consumer/ZookeeperConsumerConnector.scala 0.7, rebalance";
    OwnersAreExclusive = "owners-are-exclusive", always,
        "A partition whose owner node is there is not taken; without this rule the node is \
         overwritten.",
        "consumer/ZookeeperConsumerConnector.scala 0.7, processPartition";
    ResetOutOfRange = "reset-out-of-range", always,
        "An offset out of range is replaced as autooffset.reset says; without this rule the fetcher \
         stops.",
        "consumer/FetcherRunnable.scala 0.7, resetConsumerOffsets";
    FetcherDiesOfErrors = "fetcher-dies-of-errors", always,
        "Any other error ends a fetcher until the next rebalance; without this rule it tries again \
         after fetcher.backoff.ms.",
        "consumer/FetcherRunnable.scala 0.7, run";
}
