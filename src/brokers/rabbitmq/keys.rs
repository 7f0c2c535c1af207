//! The keys of a RabbitMQ scenario: one definition each.

use crate::scenario::{KeySpec, Kind, Preset, SectionSpec};
use crate::workload::{CONSUMER_KEYS, PRODUCER_KEYS};

use super::costs::COSTS;
use super::rules::RULES;

/// The family's sections.
pub const SECTIONS: &[&SectionSpec] =
    &[&BROKER, &RULES, &POLICY, &QUEUE, &EXCHANGE, &BINDING, &PRODUCER, &CONSUMER, &COSTS];

const LOCATORS: &[&str] = &["client-local", "min-masters", "random"];

const MOST_MESSAGES: u64 = 1_000_000_000;

/// `[broker]`: the broker's configuration.
pub const BROKER: SectionSpec = SectionSpec::single(
    "broker",
    &[&[
        KeySpec::new(
            "net_ticktime",
            Kind::Duration { min: crate::engine::Span::from_secs(1), max: crate::scenario::LONGEST },
            Preset::Is("60s"),
            "A node that hears nothing of another for this long, give or take a quarter, takes it \
             for down.",
        )
        .source("rabbitmq.com/docs/nettick; kernel(6), net_ticktime"),
        KeySpec::new(
            "net_setuptime",
            Kind::POSITIVE_DURATION,
            Preset::Is("7s"),
            "How long an attempt to connect to a silent node may take; who waits for it is blocked.",
        )
        .source("kernel(6), net_setuptime"),
        KeySpec::new(
            "heartbeat",
            Kind::ANY_DURATION,
            Preset::Is("60s"),
            "Heartbeat interval that the server proposes to clients; the smaller of both counts.",
        )
        .source("rabbitmq.com/docs/heartbeats; rabbit_heartbeat.erl"),
        KeySpec::new(
            "cluster_partition_handling",
            Kind::Choice(&["ignore", "pause_minority", "pause_if_all_down", "autoheal"]),
            Preset::Is("ignore"),
            "What a node does about a network partition: nothing; stop while it sees no more than \
             half of the members; stop while it sees none of the nodes listed; or restart, on all \
             sides but one, when the sides meet again.",
        )
        .source("rabbitmq.com/docs/partitions; rabbit_node_monitor.erl, rabbit_autoheal.erl"),
        KeySpec::new(
            "cluster_partition_handling.pause_if_all_down.nodes",
            Kind::Names,
            Preset::Absent,
            "With `pause_if_all_down`: a node stops while it sees none of these. Write the key in \
             quotes: it has dots in it.",
        )
        .source("rabbitmq.com/docs/partitions")
        .since("3.5"),
        KeySpec::new(
            "cluster_partition_handling.pause_if_all_down.recover",
            Kind::Choice(&["ignore", "autoheal"]),
            Preset::Absent,
            "With `pause_if_all_down`: what is done when sides meet again that both had gone on; \
             `ignore` if not written.",
        )
        .source("rabbitmq.com/docs/partitions")
        .since("3.5"),
        KeySpec::new(
            "queue_master_locator",
            Kind::Choice(LOCATORS),
            Preset::Is("client-local"),
            "What picks the home of queues that do not say it themselves.",
        )
        .source("deps/rabbit/Makefile v3.10, PROJECT_ENV; rabbitmq.com/docs/clustering"),
        KeySpec::new(
            "mnesia_table_loading_retry_timeout",
            Kind::POSITIVE_DURATION,
            Preset::Is("30s"),
            "A node that boots waits so long for peers that ran when it stopped; then it tries again.",
        )
        .source("rabbitmq.com/docs/clustering#restarting; rabbit_table.erl, retry_timeout"),
        KeySpec::new(
            "mnesia_table_loading_retry_limit",
            Kind::Integer { min: 1, max: 1_000_000 },
            Preset::ByVersion(&[("3.3", "1"), ("3.6", "10")]),
            "So often it waits; then its boot has failed and its process ends.",
        )
        .source("rabbitmq.com/docs/clustering#restarting; rabbit_table.erl, retry_timeout"),
        KeySpec::new(
            "queue_index_max_journal_entries",
            Kind::Integer { min: 1, max: MOST_MESSAGES },
            Preset::Is("32768"),
            "Journal entries in a queue's buffer that force a flush although nobody waits.",
        )
        .source("deps/rabbit/Makefile v3.10, PROJECT_ENV"),
        KeySpec::new(
            "queue_index_embed_msgs_below",
            Kind::Size { min: 0, max: 1 << 30 },
            Preset::Is("4096B"),
            "Messages smaller than this, with their properties, are kept with their queue; larger \
             ones in the message store that the queues of a node share.",
        )
        .source("rabbitmq.com/docs/persistence-conf#index-embedding; deps/rabbit/Makefile v3.10"),
        KeySpec::new(
            "classic_queue.default_version",
            Kind::Integer { min: 1, max: 2 },
            Preset::Is("1"),
            "Index and store of queues without `x-queue-version`: 1 fsyncs before it confirms, 2 \
             only writes.",
        )
        .source("rabbitmq.com/docs/persistence-conf#queue-version; rabbit_variable_queue.erl v3.10")
        .since("3.10"),
        KeySpec::new(
            "credit_flow_default_credit",
            Kind::Table(&CREDIT_KEYS),
            Preset::ByVersion(&[
                ("3.3", "{ initial = 200, more-after = 50 }"),
                ("3.6", "{ initial = 400, more-after = 200 }"),
            ]),
            "Publishes that a process may send to the next, and how many that has taken when it \
             grants as many more: from connection to channel, from channel to each queue and mirror.",
        )
        .source("credit_flow.erl; rabbit.app v3.5.7, v3.6.16; deps/rabbit/Makefile v3.10"),
        KeySpec::new(
            "msg_store_credit_disc_bound",
            Kind::Table(&CREDIT_KEYS),
            Preset::ByVersion(&[
                ("3.3", "{ initial = 2000, more-after = 500 }"),
                ("3.6", "{ initial = 4000, more-after = 800 }"),
            ]),
            "The same between a queue and the message store.",
        )
        .source("rabbit_msg_store.erl; rabbit.app v3.5.7, v3.6.16; deps/rabbit/Makefile v3.10"),
        KeySpec::new(
            "mirroring_flow_control",
            Kind::Flag,
            Preset::Is("true"),
            "Whether channels need credit to send publishes to queues and their mirrors.",
        )
        .source("rabbit_channel.erl v3.10, init; rabbitmq-server#114"),
        KeySpec::new(
            "vm_memory_high_watermark",
            Kind::Chance,
            Preset::Is("40%"),
            "A node that uses more than this of its memory raises an alarm.",
        )
        .source("rabbitmq.com/docs/memory; deps/rabbit/Makefile v3.10"),
        KeySpec::new(
            "vm_memory_high_watermark_paging_ratio",
            Kind::Chance,
            Preset::Is("50%"),
            "At this part of the watermark queues begin to put messages onto the disk; before 3.12.",
        )
        .source("rabbit_memory_monitor.erl v3.10; deps/rabbit/Makefile v3.10"),
        KeySpec::new(
            "disk_free_limit",
            Kind::ANY_SIZE,
            Preset::Is("50MB"),
            "A node with less free disk space raises an alarm.",
        )
        .source("rabbitmq.com/docs/disk-alarms; deps/rabbit/Makefile v3.10"),
        KeySpec::new(
            "distribution_buffer_size",
            Kind::Size { min: 1024, max: 1 << 40 },
            Preset::Is("128000KiB"),
            "Bytes to one other node that may wait in a node; then who sends more is suspended.",
        )
        .source("rabbitmq.com/docs/configure, RABBITMQ_DISTRIBUTION_BUFFER_SIZE"),
        KeySpec::new(
            "consumer_timeout",
            Kind::POSITIVE_DURATION,
            Preset::ByVersion(&[("3.8.15", "15min"), ("3.8.17", "30min")]),
            "A channel whose oldest delivery is not acknowledged for this long is closed (406); it \
             looks once a minute.",
        )
        .since("3.8.15")
        .source("rabbitmq.com/docs/consumers#acknowledgement-timeout; PROJECT_ENV v3.8.15, v3.8.17"),
        KeySpec::new(
            "max_message_size",
            Kind::Size { min: 1, max: 536_870_912 },
            Preset::Is("134217728B"),
            "A larger message closes its channel (406).",
        )
        .since("3.8")
        .source("rabbit_channel.erl v3.10, check_msg_size; PROJECT_ENV v3.8"),
        KeySpec::new(
            "mirroring_sync_batch_size",
            Kind::Integer { min: 1, max: 1_000_000 },
            Preset::Is("4096"),
            "Messages in one batch of a synchronisation, where the policy does not say.",
        )
        .source("deps/rabbit/Makefile v3.10, PROJECT_ENV")
        .since("3.6"),
        KeySpec::new(
            "mirroring_sync_max_throughput",
            Kind::Bandwidth,
            Preset::Is("unlimited"),
            "Most bytes a second that a synchronisation reads from the leader's queue.",
        )
        .source("rabbit_mirror_queue_sync.erl v3.10, maybe_throttle_sync_throughput")
        .since("3.10"),
        KeySpec::new(
            "slave_wait_timeout",
            Kind::POSITIVE_DURATION,
            Preset::Is("15s"),
            "How long a leader that stops all its mirrors waits for each of them.",
        )
        .source("rabbit_mirror_queue_misc.erl v3.10, stop_all_slaves")
        .since("3.6.2"),
    ]],
    "The broker's configuration, spelt as in rabbitmq.conf.",
);

const CREDIT_KEYS: [KeySpec; 2] = [
    KeySpec::new(
        "initial",
        Kind::Integer { min: 1, max: 1_000_000 },
        Preset::Required,
        "What a sender has before it hears of the receiver.",
    ),
    KeySpec::new(
        "more-after",
        Kind::Integer { min: 1, max: 1_000_000 },
        Preset::Required,
        "How many the receiver takes before it grants as many more; no more than `initial`.",
    ),
];

/// `[[policy]]`: mirroring.
pub const POLICY: SectionSpec = SectionSpec::repeated(
    "policy",
    &[&[
        KeySpec::new(
            "pattern",
            Kind::Text,
            Preset::Required,
            "Regular expression for the names of the queues that the policy applies to.",
        )
        .source("rabbitmq.com/docs/parameters#policies"),
        KeySpec::new(
            "priority",
            Kind::Signed { min: i32::MIN as i64, max: i32::MAX as i64 },
            Preset::Is("0"),
            "Of several policies that match a queue the one with the greatest priority applies.",
        )
        .source("rabbitmq.com/docs/parameters#policy-priorities"),
        KeySpec::new(
            "ha-mode",
            Kind::Choice(&["all", "exactly", "nodes"]),
            Preset::Required,
            "`all`: a replica on every node; `exactly`: so many replicas as ha-params says, on \
             nodes chosen at random, and another one when one is lost; `nodes`: on the nodes in \
             ha-params.",
        )
        .source("rabbitmq.com/docs/ha#mirroring-arguments; rabbit_mirror_queue_mode_*.erl"),
        KeySpec::new(
            "ha-params",
            Kind::Either(&[Kind::Integer { min: 1, max: 10_000 }, Kind::Names]),
            Preset::Absent,
            "The number of replicas, leader included, for `exactly`; the list of nodes for `nodes`.",
        )
        .source("rabbitmq.com/docs/ha#mirroring-arguments"),
        KeySpec::new(
            "ha-sync-mode",
            Kind::Choice(&["manual", "automatic"]),
            Preset::Is("manual"),
            "Whether a mirror that joins is synchronised at once, while the queue stands still, or \
             only gets what is published from then on.",
        )
        .source("rabbitmq.com/docs/ha#configuring-synchronisation"),
        KeySpec::new(
            "ha-sync-batch-size",
            Kind::Integer { min: 1, max: 1_000_000 },
            Preset::Absent,
            "Messages in one batch of a synchronisation; mirroring_sync_batch_size if not written, \
             or if 1.",
        )
        .source("rabbitmq.com/docs/ha#batch-sync; rabbit_mirror_queue_misc.erl, sync_batch_size")
        .since("3.6"),
        KeySpec::new(
            "ha-promote-on-shutdown",
            Kind::Choice(&["when-synced", "always"]),
            Preset::Is("when-synced"),
            "Whether an unsynchronised mirror may take over when the leader's node stops in order.",
        )
        .source("rabbitmq.com/docs/ha#promoting-unsynchronised-mirrors"),
        KeySpec::new(
            "ha-promote-on-failure",
            Kind::Choice(&["always", "when-synced"]),
            Preset::Is("always"),
            "Whether an unsynchronised mirror may take over when the leader fails.",
        )
        .source("rabbitmq.com/docs/ha#promoting-unsynchronised-mirrors")
        .since("3.7.5"),
    ]],
    "A policy: how the queues that it matches are mirrored.",
);

/// `[[queue]]`.
pub const QUEUE: SectionSpec = SectionSpec::repeated(
    "queue",
    &[&[
        KeySpec::new("name", Kind::Name, Preset::Required, "What the queue is called."),
        KeySpec::new(
            "durable",
            Kind::Flag,
            Preset::Is("true"),
            "Whether the queue itself survives a restart of its node; what is in it does if it is \
             persistent as well.",
        )
        .source("rabbitmq.com/docs/queues#durability"),
        KeySpec::new(
            "leader",
            Kind::Name,
            Preset::Absent,
            "The node on which it is declared: its home, and its leader if it is mirrored; the \
             first node if not written.",
        )
        .source("rabbitmq.com/docs/clustering; queue_master_locator=client-local"),
        KeySpec::new(
            "x-queue-version",
            Kind::Integer { min: 1, max: 2 },
            Preset::Absent,
            "Index and store of this queue; `classic_queue.default_version` if not written.",
        )
        .source("rabbitmq.com/docs/classic-queues#versions")
        .since("3.10"),
        KeySpec::new(
            "x-queue-master-locator",
            Kind::Choice(LOCATORS),
            Preset::Absent,
            "What picks the queue's home: the node on which it is declared, the node with the fewest \
             leaders (of equals the first), or chance; `queue_master_locator` if not written.",
        )
        .source("rabbitmq.com/docs/clustering; rabbit_queue_master_location_misc.erl v3.10")
        .since("3.6"),
    ], ARGUMENT_KEYS],
    "A classic queue, declared before the run begins.",
);

const ARGUMENT_KEYS: &[KeySpec] = &[
    KeySpec::new(
        "x-max-length",
        Kind::Integer { min: 0, max: MOST_MESSAGES },
        Preset::Absent,
        "Most ready messages; what a consumer has and has not acknowledged does not count.",
    )
    .source("rabbitmq.com/docs/maxlength"),
    KeySpec::new(
        "x-max-length-bytes",
        Kind::ANY_SIZE,
        Preset::Absent,
        "Most bytes of the payloads of ready messages.",
    )
    .since("3.5")
    .source("rabbitmq.com/docs/maxlength; rabbit_amqqueue_process.erl v3.5.0, init_max_bytes"),
    KeySpec::new(
        "x-overflow",
        Kind::Choice(&["drop-head", "reject-publish", "reject-publish-dlx"]),
        Preset::Is("drop-head"),
        "What goes when there are too many: the oldest message, or the one that is published \
         (nacked), which may be dead-lettered as well.",
    )
    .source("rabbitmq.com/docs/maxlength#overflow-behaviour; v3.7.0, and v3.8.0 for the last"),
    KeySpec::new(
        "x-message-ttl",
        Kind::ANY_DURATION,
        Preset::Absent,
        "A message goes when it has been here for this long and is at the queue's head.",
    )
    .source("rabbitmq.com/docs/ttl#message-ttl-using-x-args"),
    KeySpec::new(
        "x-dead-letter-exchange",
        Kind::Text,
        Preset::Absent,
        "Where messages go that are rejected, expire or are too many: an exchange, or \"\" for the \
         default one. They leave at once and may not arrive.",
    )
    .source("rabbitmq.com/docs/dlx"),
    KeySpec::new(
        "x-dead-letter-routing-key",
        Kind::Text,
        Preset::Absent,
        "The key with which they go there; their own if not written.",
    )
    .source("rabbitmq.com/docs/dlx#routing"),
    KeySpec::new(
        "x-single-active-consumer",
        Kind::Flag,
        Preset::Is("false"),
        "One consumer gets all messages, the others wait until it is gone.",
    )
    .source("rabbitmq.com/docs/consumers#single-active-consumer; v3.8.0"),
    KeySpec::new(
        "auto-delete",
        Kind::Flag,
        Preset::Is("false"),
        "The queue is deleted when its last consumer has gone.",
    )
    .source("rabbitmq.com/docs/queues#properties; rabbit_amqqueue_process.erl, should_auto_delete"),
];

/// `[[exchange]]`.
pub const EXCHANGE: SectionSpec = SectionSpec::repeated(
    "exchange",
    &[&[
        KeySpec::new("name", Kind::Name, Preset::Required, "What the exchange is called."),
        KeySpec::new(
            "type",
            Kind::Choice(&["direct", "fanout"]),
            Preset::Required,
            "`direct` routes by equal keys, `fanout` to every bound queue.",
        )
        .source("rabbitmq.com/tutorials/amqp-concepts#exchanges"),
    ]],
    "An exchange beside the default one, declared before the run begins.",
);

/// `[[binding]]`.
pub const BINDING: SectionSpec = SectionSpec::repeated(
    "binding",
    &[&[
        KeySpec::new("exchange", Kind::Name, Preset::Required, "The exchange."),
        KeySpec::new("queue", Kind::Name, Preset::Required, "The queue."),
        KeySpec::new(
            "routing-key",
            Kind::Text,
            Preset::Is(""),
            "The key that a message must carry; a fanout exchange does not look at it.",
        ),
    ]],
    "A binding of a queue to an exchange.",
);

const CONNECTION_KEYS: &[KeySpec] = &[
    KeySpec::new(
        "connect-order",
        Kind::Choice(&["next", "listed", "shuffled"]),
        Preset::Is("next"),
        "After a lost connection: `next` tries the next node after each pause. The Java client's \
         automatic recovery tries, after each pause, all nodes one after the other, as they are \
         `listed`, or `shuffled` each time.",
    )
    .source("rabbitmq.com/client-libraries/java-api-guide#recovery; ListAddressResolver"),
    KeySpec::new(
        "reopen-channel",
        Kind::Flag,
        Preset::Is("true"),
        "The application opens a new channel when the broker has closed its own for an error (403, \
         404, 406); no library does that by itself.",
    )
    .source("rabbitmq.com/client-libraries/java-api-guide#recovery: channel-level exceptions"),
    KeySpec::new(
        "reconnect-delay",
        Kind::ANY_DURATION,
        Preset::Is("5s"),
        "Pause after a lost connection or a failed attempt, before the next node is tried.",
    )
    .source("rabbitmq.com/client-libraries/java-api-guide#recovery: networkRecoveryInterval"),
    KeySpec::new(
        "heartbeat",
        Kind::ANY_DURATION,
        Preset::Is("60s"),
        "Heartbeat interval that the client asks for; it gives up after two silent ones.",
    )
    .source("rabbitmq.com/docs/heartbeats"),
    KeySpec::new(
        "connection-timeout",
        Kind::POSITIVE_DURATION,
        Preset::Is("60s"),
        "How long an attempt to connect may take.",
    )
    .source("ConnectionFactory.DEFAULT_CONNECTION_TIMEOUT of the Java client"),
];

/// `[[producer]]`.
pub const PRODUCER: SectionSpec = SectionSpec::repeated(
    "producer",
    &[PRODUCER_KEYS, PUBLISH_KEYS, CONNECTION_KEYS],
    "A client that publishes, on a host of its own.",
);

const PUBLISH_KEYS: &[KeySpec] = &[
    KeySpec::new(
        "routing-key",
        Kind::Text,
        Preset::Is(""),
        "The routing key, if `to` is an exchange.",
    ),
    KeySpec::new(
        "persistent",
        Kind::Flag,
        Preset::Is("true"),
        "delivery_mode 2 rather than 1: the message is written to disk in a durable queue.",
    )
    .source("rabbitmq.com/docs/publishers#message-properties"),
    KeySpec::new(
        "mandatory",
        Kind::Flag,
        Preset::Is("false"),
        "A message that cannot be routed comes back (basic.return 312) instead of being dropped.",
    )
    .source("rabbitmq.com/docs/publishers#unroutable"),
    KeySpec::new(
        "confirms",
        Kind::Either(&[Kind::Flag, Kind::Table(&CONFIRM_KEYS)]),
        Preset::Is("false"),
        "Publisher confirms; without them every publish counts as accepted.",
    )
    .source("rabbitmq.com/docs/confirms#publisher-confirms"),
    KeySpec::new(
        "expiration",
        Kind::ANY_DURATION,
        Preset::Absent,
        "The time to live of each message; the smaller one of it and the queue's counts.",
    )
    .source("rabbitmq.com/docs/ttl#per-message-ttl-in-publishers"),
    KeySpec::new(
        "republish",
        Kind::Flag,
        Preset::Is("false"),
        "Publish again, under the same number, what was nacked or left unconfirmed by a lost \
         connection.",
    )
    .source("rabbitmq.com/docs/reliability#producers"),
    KeySpec::new(
        "republish-delay",
        Kind::ANY_DURATION,
        Preset::Is("100ms"),
        "Pause before a nacked message is published again.",
    ),
    KeySpec::new(
        "send-timeout",
        Kind::Duration { min: crate::engine::Span::from_millis(1), max: crate::scenario::LONGEST },
        Preset::Absent,
        "A message without an answer for this long counts as unknown; never if not written.",
    ),
];

const CONFIRM_KEYS: [KeySpec; 1] = [KeySpec::new(
    "window",
    Kind::Integer { min: 1, max: 10_000_000 },
    Preset::Absent,
    "Most unconfirmed messages; the producer waits when there are so many. No limit if not \
     written.",
)];

/// `[[consumer]]`.
pub const CONSUMER: SectionSpec = SectionSpec::repeated(
    "consumer",
    &[CONSUMER_KEYS, CONSUME_KEYS, CONNECTION_KEYS],
    "A client that consumes, on a host of its own.",
);

const CONSUME_KEYS: &[KeySpec] = &[
    KeySpec::new(
        "ack",
        Kind::Choice(&["manual", "automatic"]),
        Preset::Is("manual"),
        "Acknowledge a message once it is processed, or let the broker forget it as it is sent.",
    )
    .source("rabbitmq.com/docs/confirms#acknowledgement-modes"),
    KeySpec::new(
        "prefetch",
        Kind::Integer { min: 0, max: 65_535 },
        Preset::Is("0"),
        "Most unacknowledged messages (basic.qos); 0 is unlimited.",
    )
    .source("rabbitmq.com/docs/consumer-prefetch"),
    KeySpec::new(
        "resubscribe-delay",
        Kind::ANY_DURATION,
        Preset::Is("100ms"),
        "Pause before it subscribes again after a cancel, or opens another channel.",
    ),
    KeySpec::new(
        "mode",
        Kind::Choice(&["push", "get"]),
        Preset::Is("push"),
        "Subscribes (basic.consume), or asks for one message after the other (basic.get).",
    )
    .source("rabbitmq.com/docs/consumers#polling"),
    KeySpec::new(
        "get-interval",
        Kind::POSITIVE_DURATION,
        Preset::Absent,
        "With `mode = \"get\"`: the pause between an answer, and the work on it, and the next \
         question; 100ms if not written.",
    ),
    KeySpec::new(
        "priority",
        Kind::Signed { min: i32::MIN as i64, max: i32::MAX as i64 },
        Preset::Is("0"),
        "x-priority: those of lower priority get messages only while those of higher have no room.",
    )
    .source("rabbitmq.com/docs/consumer-priority"),
    KeySpec::new(
        "exclusive",
        Kind::Flag,
        Preset::Is("false"),
        "No other consumer beside this one: the second is refused with 403.",
    )
    .source("rabbitmq.com/docs/consumers#exclusivity"),
    KeySpec::new(
        "cancel-on-ha-failover",
        Kind::Flag,
        Preset::Is("false"),
        "x-cancel-on-ha-failover: the consumer is cancelled when the leader of a mirrored queue dies, \
         rather than subscribed again by the broker.",
    )
    .source("rabbitmq.com/docs/ha#cancellation"),
    KeySpec::new(
        "reject",
        Kind::Table(&REJECT_KEYS),
        Preset::Absent,
        "The application cannot process some messages: it rejects them when it is through.",
    )
    .source("rabbitmq.com/docs/nack"),
];

const REJECT_KEYS: [KeySpec; 2] = [
    KeySpec::new("chance", Kind::Chance, Preset::Required, "How probable that is."),
    KeySpec::new(
        "requeue",
        Kind::Flag,
        Preset::Is("false"),
        "Back into the queue, rather than dead-lettered or dropped.",
    ),
];
