//! The keys of a RabbitMQ scenario: one definition each.

use crate::scenario::{KeySpec, Kind, Preset, SectionSpec};
use crate::workload::{CONSUMER_KEYS, PRODUCER_KEYS};

use super::costs::COSTS;
use super::rules::RULES;

/// The family's sections.
pub const SECTIONS: &[&SectionSpec] =
    &[&BROKER, &RULES, &POLICY, &QUEUE, &EXCHANGE, &BINDING, &PRODUCER, &CONSUMER, &COSTS];

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
    ]],
    "The broker's configuration, spelt as in rabbitmq.conf.",
);

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
            Kind::Choice(&["all"]),
            Preset::Required,
            "`all`: a mirror on every other node.",
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
            Preset::Is("4096"),
            "Messages in one batch of a synchronisation.",
        )
        .source("rabbitmq.com/docs/ha#batch-sync; mirroring_sync_batch_size"),
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
        .source("rabbitmq.com/docs/ha#promoting-unsynchronised-mirrors"),
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
    ]],
    "A classic queue, declared before the run begins.",
);

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
        "Pause before it subscribes again after a cancel or a 404.",
    ),
];
