//! What RabbitMQ does, as named rules (see [`named_rules`](crate::brokers::kit::rules)).

use crate::brokers::kit::rules::named_rules;

named_rules! {
    first "3.3";
    // ---- publisher confirms
    NackWhenQueueDies = "nack-when-queue-dies", since "3.8",
        "When the last process that a publish waits for goes down with its node and none has \
         confirmed, the publisher gets a nack; without this rule it gets an ack.",
        "rabbitmq-server#1893; unconfirmed_messages.erl v3.8.35, forget_ref";
    ReturnWhenQueueDies = "return-when-queue-dies", until "3.8",
        "A mandatory message that no queue process has received comes back when the last process \
         that it was sent to goes down.",
        "rabbit_channel.erl v3.7.28, handle_publishing_queue_down, mandatory_received";
    HoldConfirmsInMinority = "hold-confirms-in-minority", since "3.4",
        "With a pause mode, channels withhold confirms while their node sees too few others.",
        "rabbit_node_monitor.erl v3.10, pause_partition_guard; commit 5d339c4f90";

    // ---- flow
    CreditFlow = "credit-flow", always,
        "Publishes need credit at each step from the connection to the queue's processes: a slow \
         queue or mirror stops those who publish to it.",
        "credit_flow.erl v3.10";
    MailboxPriorities = "mailbox-priorities", always,
        "A queue's process takes acknowledgements, and what was sent to consumers, before publishes; \
         a mirror its ring's instructions before what channels send it; a channel confirms before \
         anything else.",
        "gen_server2.erl; prioritise_cast, prioritise_info of rabbit_amqqueue_process.erl, \
         rabbit_mirror_queue_slave.erl, rabbit_channel.erl v3.10";
    OneCopyPerNode = "one-copy-per-node", always,
        "A message for several queues goes once to each node for the leaders there, and once for \
         the mirrors there.",
        "rabbit_classic_queue.erl v3.10, deliver; delegate.erl v3.10";
    SuspendWhenBufferIsFull = "suspend-when-buffer-is-full", always,
        "A process that sends to a node whose distribution buffer is full is suspended until it has \
         drained.",
        "rabbitmq.com/docs/3.13/configure, RABBITMQ_DISTRIBUTION_BUFFER_SIZE; erl(1), +zdbbl";
    ResourceAlarms = "resource-alarms", always,
        "A node that runs out of memory or disk raises an alarm, and connections that publish are \
         stopped until it is over.",
        "rabbit_alarm.erl, vm_memory_monitor.erl, rabbit_disk_monitor.erl v3.10";
    AlarmsReachAllNodes = "alarms-reach-all-nodes", always,
        "An alarm on one node stops the publishers of all nodes.",
        "rabbit_alarm.erl v3.10, remote_conserve_resources; rabbitmq.com/docs/alarms";
    QueuesPageOut = "queues-page-out", until "3.12",
        "Queues put messages onto the disk when the node uses more than a share of the watermark.",
        "rabbit_memory_monitor.erl v3.10; rabbitmq.com/docs/3.11/memory";
    FewMessagesInMemory = "few-messages-in-memory", since "3.12",
        "A queue keeps at most 2048 messages in memory.",
        "rabbit_variable_queue.erl v3.12.14; rabbitmq.com/docs/3.12/classic-queues";

    NackRefused = "nack-refused-publishes", always,
        "A publish that a full queue refuses is nacked, although mirrors or other queues have taken \
         it; without this rule it is confirmed as if the queue had taken it.",
        "rabbit_amqqueue_process.erl v3.10, send_reject_publish; rabbitmq-server#4888";
    ConfirmUnroutable = "confirm-unroutable", always,
        "A publish that no queue matches is confirmed; without this rule it gets a nack.",
        "rabbit_channel.erl v3.10, process_routing_confirm";
    ReturnMandatory = "return-mandatory", always,
        "A mandatory publish that no queue matches comes back before its confirm.",
        "rabbit_channel.erl v3.10, process_routing_mandatory";

    // ---- what queues do with messages
    LimitLength = "limit-queue-length", always,
        "`x-max-length` and `x-max-length-bytes` bound the ready messages of a queue.",
        "rabbit_amqqueue_process.erl v3.10, maybe_drop_head, will_overflow";
    ExpireMessages = "expire-messages", always,
        "Messages whose time to live is over go when they come to the head of their queue.",
        "rabbit_amqqueue_process.erl v3.10, drop_expired_msgs";
    DeadLetter = "dead-letter", always,
        "What a queue gives up is published to its dead-letter exchange, without confirms.",
        "rabbit_dead_letter.erl v3.10, publish";
    BreakDeadLetterCycles = "break-dead-letter-cycles", always,
        "A dead letter does not go back to a queue in which it has died, unless a consumer has \
         rejected it since.",
        "rabbit_dead_letter.erl v3.10, detect_cycles";

    ExpireAtHeadOnly = "expire-at-head-only", always,
        "A message that is over behind one that is not stays where it is, and counts.",
        "rabbit_amqqueue_process.erl v3.10, drop_expired_msgs; rabbitmq.com/docs/ttl";

    // ---- consumers
    ResubscribeConsumers = "resubscribe-consumers", until "4.0",
        "A channel subscribes its consumer again when the queue's process has gone; without this rule \
         the consumer is cancelled.",
        "rabbit_channel.erl v3.13.7, queue_down_consumer_action; v4.0.5, \
         handle_consuming_queue_down_or_eol";
    ForgetAutoAcked = "forget-auto-acked", always,
        "What is sent to a consumer with automatic acknowledgement is gone from the queue; without \
         this rule it comes back when the consumer's channel dies.",
        "rabbit_amqqueue_process.erl v3.10, fetch(false, ..); rabbitmq.com/docs/confirms";
    ExclusiveConsumer = "exclusive-consumer-alone", always,
        "Beside an exclusive consumer there is no other.",
        "rabbit_amqqueue_process.erl v3.10, check_exclusive_access";
    SingleActiveConsumer = "single-active-consumer", since "3.8",
        "With `x-single-active-consumer` one consumer is served, and the next when it is gone.",
        "rabbit_amqqueue_process.erl v3.8.0, basic_consume";
    RequeueInPlace = "requeue-in-place", always,
        "What is given back takes its old place in the queue; without this rule it is the last.",
        "rabbit_variable_queue.erl v3.10, requeue; rabbitmq.com/docs/semantics";
    RequeueWhenChannelDies = "requeue-when-channel-dies", always,
        "What a channel has not acknowledged goes back to its place in the queue when it ends.",
        "rabbit_amqqueue_process.erl v3.10, handle_ch_down";
    LimitUnsent = "limit-unsent-deliveries", always,
        "A queue sends no more to a channel whose writer has 200 deliveries to pass on.",
        "rabbit_queue_consumers.erl v3.10, ?UNSENT_MESSAGE_LIMIT";
    CheckDeliveryTags = "check-delivery-tags", always,
        "The acknowledgement of an unknown delivery tag closes the channel (406).",
        "rabbit_channel.erl v3.10, collect_acks";
    TimeOutDeliveries = "time-out-deliveries", from "3.8.15" until "4.3",
        "A channel is closed (406) when a delivery was not acknowledged within `consumer_timeout`.",
        "rabbit_channel.erl v3.8.15, evaluate_consumer_timeout";
    NormalEndOfMirrorConfirms = "normal-end-of-mirror-confirms", until "3.9",
        "A publish whose last process ends with the reason normal is confirmed, be that process \
         the leader of a queue that is deleted or a mirror; without this rule only a leader's end \
         confirms.",
        "rabbit_channel.erl v3.8.35, handle_publishing_queue_down; rabbit_classic_queue.erl v3.9.0";

    // ---- mirrored queues
    WaitForMirrors = "wait-for-mirrors", always,
        "A publish is confirmed when the leader and every mirror in the queue's record have \
         confirmed it or are down; without this rule the leader's word is enough.",
        "rabbit_amqqueue.erl v3.8.35, deliver; rabbit_channel.erl, deliver_to_queues";
    GmDeathGrace = "gm-death-grace", always,
        "A ring member waits 100 ms before it records the death of a neighbour.",
        "gm.erl v3.10, handle_info DOWN, timer:sleep(100)";
    GmCatchUp = "gm-catch-up", always,
        "A member with a new right neighbour sends it all that has not been around the ring.",
        "gm.erl v3.10, maybe_send_catchup, handle_msg catchup";
    PromoteOldestMirror = "promote-oldest-mirror", always,
        "When the leader dies the oldest mirror that lives leads, whatever it holds; without this \
         rule the queue waits for its old leader.",
        "rabbit_mirror_queue_misc.erl v3.10, remove_from_queue, promote_slave";
    RefusalLeavesRingMember = "refusal-leaves-ring-member", since "3.7.5",
        "A mirror that ha-promote-on-failure = when-synced keeps from leading stops, but not its \
         ring member: the mirrors behind it hear of no death, stay, and answer nothing.",
        "rabbit_mirror_queue_slave.erl v3.10, handle_call gm_deaths: {stop, normal}";
    RequeueOnPromotion = "requeue-on-promotion", always,
        "A promoted mirror makes ready what consumers of the old leader had not acknowledged.",
        "rabbit_mirror_queue_master.erl v3.10, promote_backing_queue_state";
    LeftoversOnPromotion = "leftovers-on-promotion", always,
        "A promoted mirror enqueues what channels had sent to it and the old leader never \
         multicast.",
        "rabbit_mirror_queue_slave.erl v3.10, promote_me";
    MirrorsMarkDelivered = "mirrors-mark-delivered", always,
        "A mirror keeps every message as delivered: after its promotion all are redelivered.",
        "rabbit_mirror_queue_slave.erl v3.10, process_instruction publish";
    ForgetDeadSenders = "forget-dead-senders", always,
        "A mirror forgets what a channel had sent to it alone once it and the leader have both \
         seen the channel's death; it tells the leader of one that it may not know after 20 s.",
        "rabbit_mirror_queue_slave.erl v3.10, maybe_forget_sender, confirm_sender_death";
    WipeOnRejoin = "wipe-on-rejoin", always,
        "A mirror that starts deletes what its node has kept of the queue.",
        "rabbit_mirror_queue_slave.erl v3.10, handle_go, delete_crashed";
    ReplaceLostMirrors = "replace-lost-mirrors", always,
        "When a replica dies, running nodes on which the policy then wants one get an empty mirror.",
        "rabbit_mirror_queue_misc.erl v3.10, slaves_to_start_on_failure";
    DropUnlistedLeader = "drop-unlisted-leader", always,
        "With ha-mode = nodes a leader on a node that is not listed goes as soon as a mirror is \
         synchronised.",
        "rabbit_mirror_queue_misc.erl v3.10, maybe_drop_master_after_sync";
    StopMirrorsWithLeader = "stop-mirrors-with-leader", always,
        "A leader that stops in order while no mirror is synchronised stops them all, unless \
         ha-promote-on-shutdown = always.",
        "rabbit_mirror_queue_master.erl v3.10, terminate";
    StopTheWorldSync = "stop-the-world-sync", always,
        "While it synchronises mirrors a leader handles nothing else.",
        "rabbit_mirror_queue_sync.erl v3.10, master_go";
    PurgeOnFailedSync = "purge-on-failed-sync", always,
        "A mirror whose synchronisation ends midway throws away all that it has.",
        "rabbit_mirror_queue_sync.erl v3.10, slave_sync_loop";
    BatchSync = "batch-sync", since "3.6",
        "A synchronisation sends batches of messages; without this rule one message at a time.",
        "rabbit_mirror_queue_sync.erl v3.6.16, master_batch_go; v3.5.8, master_send";

    // ---- quorum queues
    CommitByMajority = "commit-by-majority", always,
        "An entry of a quorum queue's log is committed when a majority of the members has it; without \
         this rule when all have.",
        "ra_server.erl v3.1.10, increment_commit_index";
    QuorumQueuesFsync = "quorum-queues-fsync", always,
        "A member of a quorum queue answers for an entry when it is fsynced; without this rule as soon \
         as it has it in memory.",
        "ra_server.erl v3.1.10, handle_follower written event; ra_log_wal.erl, sync_method datasync";
    PersistVotes = "persist-votes", always,
        "Term and vote of a member are on its disk before it says anything that rests on them; without \
         this rule it has forgotten them when it starts again.",
        "ra_log_meta.erl v3.1.10, store_sync";
    VoteForNewestLog = "vote-for-newest-log", always,
        "A member votes for nobody whose log is behind its own; without this rule for whoever asks \
         first.",
        "ra_server.erl v3.1.10, is_candidate_log_up_to_date";
    ConfirmWhenApplied = "confirm-when-applied", always,
        "A publish to a quorum queue is confirmed when the leader has applied it; without this rule as \
         soon as the leader has it in its log.",
        "rabbit_fifo.erl v4.3.5, apply; ra_server.erl, notify";
    SuspectSilentNodes = "suspect-silent-nodes", always,
        "The members of a quorum queue look for another leader when the node of theirs is silent; \
         without this rule when the connection to it is given up.",
        "aten_detector.erl v0.6.0; ra_server_proc.erl v3.1.10, node_event down";
    DeduplicateEnqueues = "deduplicate-enqueues", always,
        "A quorum queue takes what a channel sends again only once, and nothing behind a gap.",
        "rabbit_fifo.erl v4.3.5, maybe_enqueue";
    ReturnsFirst = "returns-first", always,
        "A quorum queue hands out what was given back before all else, in the order of return.",
        "rabbit_fifo.erl v4.3.5, take_next_msg";
    MessagePriorities = "message-priorities", since "4.0",
        "A quorum queue hands out messages of priority 5 and more before others; without this rule all \
         in the order of enqueueing.",
        "rabbit_fifo_q.erl v4.0.5; rabbit_fifo.hrl";
    StrictPriorities = "strict-priorities", since "4.3",
        "A message of higher priority, of 32, always comes before one of lower; without this rule there \
         are two classes, and of three messages two are of the higher.",
        "rabbit_fifo_pq.erl v4.3.5; rabbit_fifo_q.erl v4.0.5, next";
    KeepDeadLetters = "keep-dead-letters", since "3.10",
        "A quorum queue with `x-dead-letter-strategy = \"at-least-once\"` keeps what has died until every queue \
         that it is routed to has confirmed it.",
        "rabbit_fifo_dlx.erl, rabbit_fifo_dlx_worker.erl v4.3.5; rabbitmq.com/docs/quorum-queues#dead-lettering";
    PromoteNewMembers = "promote-new-members", since "3.13",
        "A member that an operator adds to a quorum queue has no vote before it has caught up; without this \
         rule it counts at once, with nothing on its disk.",
        "rabbit_quorum_queue.erl v3.13.0, add_member; ra_server.erl, maybe_promote_peer";
    AwaitMemberChanges = "await-member-changes", since "4.0",
        "The command that adds a member waits until that is committed, so that the next change is permitted.",
        "rabbit_quorum_queue.erl v4.0.5 and v3.13.0, do_add_member";
    DelayRetries = "delay-retries", since "4.3",
        "A quorum queue with `x-delayed-retry-type` hands out what was given back only after a while.",
        "rabbit_fifo.erl v4.3.5, should_delay";
    TimeOutInQueue = "time-out-in-queue", since "4.3",
        "A quorum queue takes back what a consumer has not acknowledged within `consumer_timeout`, and \
         its channel cancels that.",
        "rabbit_fifo.erl v4.3.5, evaluate_consumer_timeout";
    LimitCountsFailures = "limit-counts-failures", since "4.3",
        "The delivery limit counts rejects and crashes only; without this rule every return.",
        "rabbit_fifo.erl v4.3.5 and v4.0.5, return_one";
    KeepForDisconnected = "keep-for-disconnected", since "4.3",
        "What a consumer holds whose node cannot be reached stays with it for a while; without this \
         rule it is given back at once.",
        "rabbit_fifo.erl v4.3.5, apply down noconnection, consumer_disconnected_timeout";
    ResendOnNewLeader = "resend-on-new-leader", since "4.0.6",
        "A channel that hears from another member than it took for the leader sends all that is \
         pending again.",
        "rabbit_fifo_client.erl v4.0.6, handle_ra_event applied; commit d31b9aa8a3";
    LeaderChangeOnNodeUp = "leader-change-on-node-up", since "4.1.5",
        "A leader tells the channels of a node that is connected again that it leads, and they send \
         all that is pending again.",
        "rabbit_fifo.erl v4.1.5, apply nodeup; commit b66dc4017e";
    ResendWhenBlocked = "resend-when-blocked", until "4.1.5",
        "A channel with too many pending publishes looks for another leader every 10 s.",
        "rabbit_fifo_client.erl v3.12.14, v4.0.5, TIMER_TIME";

    // ---- queues whose node is down
    KeepRecordsOfDurableQueues = "keep-records-of-durable-queues", since "3.11",
        "The record of a durable queue stays in the routing tables when its home node is down; \
         without this rule it is taken out, and publishes find no queue.",
        "rabbit_amqqueue.erl v3.12.14, filter_transient_queues_to_delete; commit 7de31d8697";

    // ---- partitions
    PauseStopsRabbit = "pause-stops-rabbit", always,
        "With a pause mode, a node that sees too few others stops RabbitMQ until it sees enough.",
        "rabbit_node_monitor.erl v3.10, handle_dead_node, await_cluster_recovery";
    AutohealRestartsLosers = "autoheal-restarts-losers", always,
        "With `autoheal`, the nodes of all sides but one restart when the sides meet again.",
        "rabbit_autoheal.erl v3.10, restart_loser";
    CleanUpBeforeMajority = "clean-up-before-majority", always,
        "A node looks whether it is with the majority only when it has cleaned up after the member \
         that it lost: what counts is whom it sees then; without this rule it looks at once.",
        "rabbit_node_monitor.erl v3.10, handle_info DOWN: handle_dead_rabbit, then nodedown; measured";
    AskAfterCleanUp = "ask-after-clean-up", since "3.12",
        "At the end of its clean-up after a member the node monitor asks all members whether RabbitMQ runs there, \
         and waits: for `net_setuptime` if one is silent. Meanwhile it does not learn that it is in a minority.",
        "rabbit_node_monitor.erl v3.12.0, alive_rabbit_nodes; rabbit_nodes.erl v3.12.0, do_filter_running; measured";
    PingOneByOne = "ping-one-by-one", since "3.12.13",
        "The node monitor asks members that it is not connected with one after the other, so that each that is \
         silent takes `net_setuptime`.",
        "rabbit_node_monitor.erl v3.12.13, alive_rabbit_nodes, ping";
    DisconnectPartialPartitions = "disconnect-partial-partitions", since "3.4",
        "A node that has lost another which a third still sees acts on it: it disconnects from the \
         third, or pauses.",
        "rabbit_node_monitor.erl v3.10, check_partial_partition";
    AnnouncedStartsOnly = "announced-starts-only", until "3.8.24" from "3.9" until "3.9.9",
        "A new start of a member is told from the former one only once its RabbitMQ has announced \
         itself: until then any answer of its VM counts as one of the start that was lost, and the \
         members that lost it act on a partial partition.",
        "rabbit_node_monitor.erl v3.7, handle_cast check_partial_partition; rabbitmq-server#3631, #2230";

    // ---- Khepri
    Khepri = "khepri", since "4.2",
        "Metadata is in Khepri, a Raft group of all nodes: nodes that meet again after a partition agree, \
         what they are configured to do about partitions does not matter, a change needs a majority, \
         and so does a start. Without this rule it is in Mnesia. 4.0 and 4.1 have it \
         by choice, 4.3 has no other.",
        "rabbit_khepri.erl v4.3.5; rabbit_node_monitor.erl v4.2.9; rabbitmq.com/docs/metadata-store";

    DropTransientQueues = "drop-transient-queues", until "4.2",
        "The record of a queue that is not durable is deleted when its node is lost; without this rule \
         Khepri keeps it until the node is back. In Mnesia it is always deleted.",
        "rabbit_amqqueue.erl v4.1.8, on_node_down; v4.2.9, on_node_up; measured";
    // ---- operators
    OperatorCommands = "operator-commands", always,
        "What an operator orders (`[[action]]`) is done; without this rule every command is answered, \
         and nothing done.",
        "rabbitmqctl(8)";

    // ---- restarts
    WaitForTablesOfPeers = "wait-for-tables-of-peers", always,
        "A node that boots waits for members that ran when it stopped: they know more than it does.",
        "rabbit_table.erl v3.10, wait_for_replicated; mnesia_controller.erl, last_consistent_replica";

    // ---- persistence
    IndexFsyncedBeforeConfirm = "index-fsynced-before-confirm", always,
        "A queue of version 1 confirms a persistent message after the fsync of its journal; without \
         this rule after the write to the operating system.",
        "rabbit_queue_index.erl v3.12.14, sync and notify_sync";
    StoreFsyncedBeforeConfirm = "store-fsynced-before-confirm", until "3.13",
        "The shared message store fsyncs a large message before it is confirmed; without this rule, \
         and from 3.13 on, it only writes it to the operating system.",
        "rabbit_msg_store.erl v3.12.14, internal_sync; v3.13.7, writer_flush";
    V2NeverFsynced = "v2-never-fsynced", always,
        "A queue of version 2 confirms a message when index and store are written, and fsyncs them \
         at an orderly stop only; without this rule it fsyncs them before it confirms.",
        "rabbit_classic_queue_index_v2.erl v3.12.14, sync; rabbit_classic_queue_store_v2.erl, sync";
    LazyFlushWithoutConfirms = "lazy-flush-without-confirms", always,
        "Where no confirm waits, a journal is flushed when its process has been idle for 200 ms or \
         the journal is full; without this rule as with confirms, within 200 ms.",
        "rabbit_amqqueue_process.erl v3.12.14, next_state; rabbit_variable_queue.erl, needs_timeout";
    StoreFlushedForConfirmsOnly = "store-flushed-for-confirms-only", until "3.13",
        "The shared message store flushes when confirms wait, its buffer of 1 MB is full, or its \
         file is rolled; without this rule after every message, as confirms or not.",
        "rabbit_msg_store.erl v3.12.14, maybe_roll_to_new_file";
    AcksFlushedLazily = "acks-flushed-lazily", always,
        "An acknowledgement is a record for whose flush nobody waits: one that did not come to the \
         disk is undone, and the message delivered again.",
        "rabbit_queue_index.erl v3.12.14, ack and needs_sync";
    TransientDroppedAtStart = "transient-dropped-at-start", always,
        "Transient messages do not survive the end of their node, in whatever queue; without this \
         rule a durable queue keeps them as persistent ones.",
        "rabbit_variable_queue.erl v3.12.14, maybe_write_index_to_disk; rabbitmq.com/docs/persistence-conf";
    EntriesWithoutBodyDropped = "entries-without-body-dropped", always,
        "Recovery drops an index entry whose message is in no store.",
        "rabbit_queue_index.erl v3.12.14, recover_message; rabbit_classic_queue_index_v2.erl, recover_segment";
    RedeliveredAfterDirtyStart = "redelivered-after-dirty-start", always,
        "After any end but an orderly stop every message that is recovered counts as delivered.",
        "rabbit_variable_queue.erl v3.12.14, init: next_deliver_seq_id without recovery terms";
    DeliveredWithPublish = "delivered-with-publish", since "3.10",
        "A queue remembers up to where it has delivered, and its journal gets the record of a \
         delivery with that of the publish; before 3.10 when the message is delivered.",
        "rabbit_variable_queue.erl v3.10.25, maybe_write_index_to_disk and next_deliver_seq_id";
    FastQueueRecovery = "fast-queue-recovery", since "3.12",
        "To start a queue takes a fifth of the time that it took before.",
        "rabbitmq.com/blog/2023/05/17: 100,000 queues in less than 3 minutes, 15 before";
}
