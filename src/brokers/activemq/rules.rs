//! What ActiveMQ does, rule by rule; see [`kit::rules`](crate::brokers::kit::rules).
//!
//! Sources are files of apache/activemq 5.18.6.

use crate::brokers::kit::rules::named_rules;

named_rules! {
    first "5.9";
    // ---- store
    SyncReplied = "sync-replied", always,
        "With journalDiskSyncStrategy = always a message that is waited for is answered when an fsync \
         has covered it; without this rule when it is written.",
        "store/kahadb/KahaDBStore.java addMessage; disk/journal/DataFileAppender.java";
    BatchWrites = "batch-writes", always,
        "The writer of the journal takes all that waits at once, and one fsync covers it; without this \
         rule one record after the other.",
        "disk/journal/DataFileAppender.java enqueue, processQueue";
    LeaveFilesUnsynced = "leave-files-unsynced", always,
        "With journalDiskSyncStrategy = always a file of the journal that is left for the next one is \
         not fsynced: what nobody had waited for at its end, such as messages of a transaction, is not \
         durable when the commit in the next file is. Without this rule it is.",
        "disk/journal/DataFileAppender.java processQueue, periodicSync";
    CancelStores = "cancel-stores", always,
        "With concurrentStoreAndDispatchQueues a message that is acknowledged before the store has \
         begun with it is never stored.",
        "store/kahadb/KahaDBStore.java removeAsyncMessage, StoreQueueTask.cancel";
    DispatchBeforeStore = "dispatch-before-store", always,
        "With concurrentStoreAndDispatchQueues a message may be dispatched before it is stored.",
        "broker/region/Queue.java doMessageSend, tryOrderedCursorAdd";
    SkipDamagedBatches = "skip-damaged-batches", always,
        "Recovery goes on with the next batch of the journal that is whole; without this rule it cuts \
         what is behind one that is not.",
        "disk/journal/Journal.java recoveryCheck";
    RollBackUncommitted = "roll-back-uncommitted", always,
        "What a transaction has sent is there when it is committed, and not before.",
        "store/kahadb/MessageDatabase.java recover, inflightTransactions";
    IgnoreNoSpace = "ignore-no-space", always,
        "A broker whose disk is full answers with an exception and stays; without this rule it stops, \
         as it does after any other I/O error.",
        "util/DefaultIOExceptionHandler.java ignoreNoSpaceErrors";
    // ---- queues
    RedeliverFirst = "redeliver-first", always,
        "What a consumer leaves unacknowledged goes ahead of the queue; without this rule behind it.",
        "broker/region/Queue.java removeSubscription, redeliveredWaitingDispatch";
    ParkSyncSends = "park-sync-sends", always,
        "If a queue is full only the answer to a send that is waited for is withheld; without this rule \
         everything on its connection waits, as for one that is not.",
        "broker/region/Queue.java send, messagesWaitingForSpace";
    // ---- duplicates
    FilterReplays = "filter-replays", always,
        "On a connection that failover has made again a broker drops persistent messages up to the \
         last that is stored of the producer.",
        "broker/ProducerBrokerExchange.java canDispatch; broker/TransportConnection.java getProducerBrokerExchange";
    RejectHeld = "reject-held", always,
        "A queue takes no message whose id it holds.",
        "store/kahadb/MessageDatabase.java updateIndex; broker/region/cursors/AbstractStoreCursor.java";
    // ---- clients
    ReplayRequests = "replay-requests", always,
        "A client with failover: sends again what was not answered, once it is connected again.",
        "transport/failover/FailoverTransport.java restoreTransport";
    DropAcksOffline = "drop-acks-offline", always,
        "Acknowledgements while there is no connection are thrown away; without this rule they are \
         sent with the next connection.",
        "transport/failover/FailoverTransport.java oneway";
    LenientReadCheck = "lenient-read-check", always,
        "A silent peer is noticed at the third look at it, 2 to 3 times maxInactivityDuration after its \
         last byte; without this rule at the second.",
        "transport/AbstractInactivityMonitor.java readCheck; measured, 5.17.2";
    AuditKeepsPrefetched = "audit-keeps-prefetched", until "6.3",
        "A transacted consumer whose connection is lost takes what it had only prefetched for \
         duplicates when it comes again (AMQ-9829).",
        "AMQ-9829; apache/activemq 1149a9ff1e";
    PoisonCheckTransactedOnly = "poison-check-transacted-only", always,
        "Only a transacted session looks at the count of redeliveries before it hands a message to its \
         application; without this rule every session does.",
        "ActiveMQMessageConsumer.java redeliveryExceeded";
}
