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
