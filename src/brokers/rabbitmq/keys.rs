//! The keys of a RabbitMQ scenario: one definition each.

use crate::brokers::kit::keys::keys;
use crate::engine::Span;
use crate::scenario::{Kind, LONGEST, SectionSpec};
use crate::workload::{CONSUMER_KEYS, PRODUCER_KEYS};

use super::action::ACTION;
use super::costs::COSTS;
use super::rules::RULES;
use super::settings::BROKER_KEYS;

/// The family's sections.
pub const SECTIONS: &[&SectionSpec] =
    &[&BROKER, &RULES, &ACTION, &POLICY, &QUEUE, &EXCHANGE, &BINDING, &PRODUCER, &CONSUMER, &COSTS];

pub(super) const LOCATORS: &[&str] = &["client-local", "min-masters", "random"];

pub(super) const MOST_MESSAGES: u64 = 1_000_000_000;

/// `[broker]`: the broker's configuration.
pub const BROKER: SectionSpec = SectionSpec::single(
    "broker",
    &[BROKER_KEYS],
    "The broker's configuration, spelt as in rabbitmq.conf.",
);

keys! {
    const NAME_KEYS {
        "name", Kind::Name, none, "What it is called, for actions that replace or clear it.";
    }
}

keys! {
    pub(super) const POLICY_KEYS {
        "pattern", Kind::Text, required,
            "Regular expression for the names of the queues that the policy applies to.",
            "rabbitmq.com/docs/parameters#policies";
        "priority", Kind::Signed { min: i32::MIN as i64, max: i32::MAX as i64 }, "0",
            "Of several policies that match a queue the one with the greatest priority applies.",
            "rabbitmq.com/docs/parameters#policy-priorities";
        "ha-mode", Kind::Choice(&["all", "exactly", "nodes"]), none,
            "`all`: a replica on every node; `exactly`: so many replicas as ha-params says, on \
             nodes chosen at random, and another one when one is lost; `nodes`: on the nodes in \
             ha-params.",
            "rabbitmq.com/docs/ha#mirroring-arguments; rabbit_mirror_queue_mode_*.erl";
        "ha-params", Kind::Either(&[Kind::Integer { min: 1, max: 10_000 }, Kind::Names]), none,
            "The number of replicas, leader included, for `exactly`; the list of nodes for \
             `nodes`.",
            "rabbitmq.com/docs/ha#mirroring-arguments";
        "ha-sync-mode", Kind::Choice(&["manual", "automatic"]), "manual",
            "Whether a mirror that joins is synchronised at once, while the queue stands still, \
             or only gets what is published from then on.",
            "rabbitmq.com/docs/ha#configuring-synchronisation";
        "ha-sync-batch-size", Kind::Integer { min: 1, max: 1_000_000 }, none since "3.6",
            "Messages in one batch of a synchronisation; mirroring_sync_batch_size if not \
             written, or if 1.",
            "rabbitmq.com/docs/ha#batch-sync; rabbit_mirror_queue_misc.erl, sync_batch_size";
        "ha-promote-on-shutdown", Kind::Choice(&["when-synced", "always"]), "when-synced",
            "Whether an unsynchronised mirror may take over when the leader's node stops in order.",
            "rabbitmq.com/docs/ha#promoting-unsynchronised-mirrors";
        "ha-promote-on-failure", Kind::Choice(&["always", "when-synced"]), "always" since "3.7.5",
            "Whether an unsynchronised mirror may take over when the leader fails.",
            "rabbitmq.com/docs/ha#promoting-unsynchronised-mirrors";
        "max-length", Kind::Integer { min: 0, max: MOST_MESSAGES }, none,
            "Most ready messages; of it and the queue's `x-max-length` the lesser one counts.",
            "rabbitmq.com/docs/maxlength; rabbit_queue_type_util.erl v3.10, args_policy_lookup";
        "max-length-bytes", Kind::ANY_SIZE, none since "3.5",
            "Most bytes of the payloads of ready messages; the lesser one counts here too.",
            "rabbitmq.com/docs/maxlength";
        "overflow", Kind::Choice(&["drop-head", "reject-publish", "reject-publish-dlx"]), none since "3.7",
            "What goes when there are too many; the queue's `x-overflow` comes before it.",
            "rabbitmq.com/docs/maxlength#overflow-behaviour";
        "message-ttl", Kind::ANY_DURATION, none,
            "A message that comes from then on goes when it has been here for this long; of it and the \
             queue's `x-message-ttl` the lesser one counts.",
            "rabbitmq.com/docs/ttl#message-ttl-using-policy";
    }
}

/// `[[policy]]`: mirroring and limits.
pub const POLICY: SectionSpec = SectionSpec::repeated(
    "policy",
    &[NAME_KEYS, POLICY_KEYS],
    "A policy: how the queues that it matches are mirrored, and what limits they have.",
);

keys! {
    const QUEUE_KEYS {
        "name", Kind::Name, required, "What the queue is called.";
        "durable", Kind::Flag, "true",
            "Whether the queue itself survives a restart of its node; what is in it does if it \
             is persistent as well.",
            "rabbitmq.com/docs/queues#durability";
        "exclusive", Kind::Flag, "false",
            "It belongs to the connection of the client that declares it, and goes with that; it is neither \
             durable nor mirrored.",
            "rabbitmq.com/docs/queues#exclusive-queues";
        "declared", Kind::Flag, "true",
            "It is there before the run begins; if not, when a client declares it (`declare`), and an \
             exclusive queue never is.",
            "rabbitmq.com/docs/queues#declaration";
        "leader", Kind::Name, none,
            "The node on which it is declared: its home, and its leader if it is mirrored; the \
             first node if not written.",
            "rabbitmq.com/docs/clustering; queue_master_locator=client-local";
        "x-queue-type", Kind::Choice(&["classic", "quorum", "stream"]), none,
            "A classic queue, or a quorum queue: a log that a majority of its members has on \
             their disks. In mode `rabbitmq-quorum` quorum if not written, else classic. Streams \
             are not simulated.",
            "rabbitmq.com/docs/quorum-queues; rabbitmq.com/docs/queues#optional-arguments";
        "x-quorum-initial-group-size", Kind::Integer { min: 1, max: 10_000 }, none since "3.8",
            "How many members a quorum queue has; 3 if not written, or as many as there are nodes.",
            "rabbitmq.com/docs/quorum-queues#replication-factor";
        "x-delivery-limit", Kind::Signed { min: -1, max: 1_000_000_000 }, none since "3.8",
            "How often a message may come back to a quorum queue before it is dropped or \
             dead-lettered; 20 if not written, but no limit before 4.0; -1 is no limit.",
            "rabbitmq.com/docs/quorum-queues#poison-message-handling";
        "x-delayed-retry-type", Kind::Choice(&["disabled", "all", "failed", "returned"]), none since "4.3",
            "What a quorum queue delivers again only after a while: all that is given back, what could \
             not be processed, or what was given back without that.",
            "rabbitmq.com/docs/quorum-queues; rabbit_fifo.erl v4.3.5, should_delay";
        "x-delayed-retry-min", Kind::POSITIVE_DURATION, none since "4.3",
            "How long that is: so much for each failure of the message, and at least once.",
            "rabbit_fifo.erl v4.3.5, calculate_ready_at";
        "x-delayed-retry-max", Kind::POSITIVE_DURATION, none since "4.3",
            "How long that is at most; `x-delayed-retry-min` if not written.",
            "rabbit_quorum_queue.erl v4.3.5, get_delayed_retry_config";
        "x-queue-version", Kind::Integer { min: 1, max: 2 }, none since "3.10",
            "Index and store of this queue; `classic_queue.default_version` if not written.",
            "rabbitmq.com/docs/classic-queues#versions";
        "x-queue-master-locator", Kind::Choice(LOCATORS), none since "3.6",
            "What picks the queue's home: the node on which it is declared, the node with the \
             fewest leaders (of equals the first), or chance; `queue_master_locator` if not \
             written.",
            "rabbitmq.com/docs/clustering; rabbit_queue_master_location_misc.erl v3.10";
    }
}

/// `[[queue]]`.
pub const QUEUE: SectionSpec = SectionSpec::repeated(
    "queue",
    &[QUEUE_KEYS, ARGUMENT_KEYS],
    "A queue, declared before the run begins.",
);

keys! {
    const ARGUMENT_KEYS {
        "x-max-length", Kind::Integer { min: 0, max: MOST_MESSAGES }, none,
            "Most ready messages; what a consumer has and has not acknowledged does not count.",
            "rabbitmq.com/docs/maxlength";
        "x-max-length-bytes", Kind::ANY_SIZE, none since "3.5",
            "Most bytes of the payloads of ready messages.",
            "rabbitmq.com/docs/maxlength; rabbit_amqqueue_process.erl v3.5.0, init_max_bytes";
        "x-overflow", Kind::Choice(&["drop-head", "reject-publish", "reject-publish-dlx"]), "drop-head",
            "What goes when there are too many: the oldest message, or the one that is published \
             (nacked), which may be dead-lettered as well.",
            "rabbitmq.com/docs/maxlength#overflow-behaviour; v3.7.0, and v3.8.0 for the last";
        "x-message-ttl", Kind::ANY_DURATION, none,
            "A message goes when it has been here for this long and is at the queue's head.",
            "rabbitmq.com/docs/ttl#message-ttl-using-x-args";
        "x-dead-letter-exchange", Kind::Text, none,
            "Where messages go that are rejected, expire or are too many: an exchange, or \"\" \
             for the default one. They leave at once and may not arrive.",
            "rabbitmq.com/docs/dlx";
        "x-dead-letter-routing-key", Kind::Text, none,
            "The key with which they go there; their own if not written.",
            "rabbitmq.com/docs/dlx#routing";
        "x-dead-letter-strategy", Kind::Choice(&["at-most-once", "at-least-once"]), "at-most-once" since "3.10",
            "Of a quorum queue: whether dead letters leave at once and may not arrive, or stay until they have; \
             that needs `x-overflow = \"reject-publish\"`, and without it is silently not so.",
            "rabbitmq.com/docs/quorum-queues#dead-lettering; rabbit_fifo_dlx.erl v3.10";
        "x-single-active-consumer", Kind::Flag, "false",
            "One consumer gets all messages, the others wait until it is gone.",
            "rabbitmq.com/docs/consumers#single-active-consumer; v3.8.0";
        "auto-delete", Kind::Flag, "false",
            "The queue is deleted when its last consumer has gone.",
            "rabbitmq.com/docs/queues#properties; rabbit_amqqueue_process.erl, should_auto_delete";
    }
}

keys! {
    const EXCHANGE_KEYS {
        "name", Kind::Name, required, "What the exchange is called.";
        "type", Kind::Choice(&["direct", "fanout"]), required,
            "`direct` routes by equal keys, `fanout` to every bound queue.",
            "rabbitmq.com/tutorials/amqp-concepts#exchanges";
    }
}

/// `[[exchange]]`.
pub const EXCHANGE: SectionSpec = SectionSpec::repeated(
    "exchange",
    &[EXCHANGE_KEYS],
    "An exchange beside the default one, declared before the run begins.",
);

keys! {
    const BINDING_KEYS {
        "exchange", Kind::Name, required, "The exchange.";
        "queue", Kind::Name, required, "The queue.";
        "routing-key", Kind::Text, "",
            "The key that a message must carry; a fanout exchange does not look at it.";
    }
}

/// `[[binding]]`.
pub const BINDING: SectionSpec =
    SectionSpec::repeated("binding", &[BINDING_KEYS], "A binding of a queue to an exchange.");

keys! {
    const CONNECTION_KEYS {
        "declare", Kind::Either(&[Kind::Flag, Kind::Table(DECLARE_KEYS)]), "false",
            "It declares its queue and the queue's bindings on every channel, before it publishes or \
             subscribes, and before it subscribes again. Without, it takes for granted that they are there.",
            "rabbitmq.com/docs/queues#declaration; rabbitmq.com/client-libraries/java-api-guide#topology-recovery";
        "connect-order", Kind::Choice(&["next", "listed", "shuffled"]), "next",
            "After a lost connection: `next` tries the next node after each pause. The Java \
             client's automatic recovery tries, after each pause, all nodes one after the other, \
             as they are `listed`, or `shuffled` each time.",
            "rabbitmq.com/client-libraries/java-api-guide#recovery; ListAddressResolver";
        "reopen-channel", Kind::Flag, "true",
            "The application opens a new channel when the broker has closed its own for an error \
             (403, 404, 406); no library does that by itself.",
            "rabbitmq.com/client-libraries/java-api-guide#recovery: channel-level exceptions";
        "reconnect-delay", Kind::ANY_DURATION, "5s",
            "Pause after a lost connection or a failed attempt, before the next node is tried.",
            "rabbitmq.com/client-libraries/java-api-guide#recovery: networkRecoveryInterval";
        "heartbeat", Kind::ANY_DURATION, "60s",
            "Heartbeat interval that the client asks for; it gives up after two silent ones.",
            "rabbitmq.com/docs/heartbeats";
        "connection-timeout", Kind::POSITIVE_DURATION, "60s",
            "How long an attempt to connect may take.",
            "ConnectionFactory.DEFAULT_CONNECTION_TIMEOUT of the Java client";
    }
}

keys! {
    const DECLARE_KEYS {
        "passive", Kind::Flag, "false",
            "It only asks whether the queue is there: 404 if not.",
            "amqp0-9-1.xml, queue.declare: passive";
        "durable", Kind::Flag, none,
            "As what it declares the queue; if that is not what the queue is: 406.",
            "rabbitmq.com/docs/queues#property-equivalence";
        "auto-delete", Kind::Flag, none, "The same for automatic deletion.";
        "exclusive", Kind::Flag, none,
            "The same for exclusive use; if that is not what the queue is: 405.",
            "rabbit_amqqueue.erl v3.10, check_exclusive_access";
        "x-max-length", Kind::Integer { min: 0, max: MOST_MESSAGES }, none, "The same for the argument.";
        "x-message-ttl", Kind::ANY_DURATION, none, "The same for the argument.";
    }
}

/// `[[producer]]`.
pub const PRODUCER: SectionSpec = SectionSpec::repeated(
    "producer",
    &[PRODUCER_KEYS, PUBLISH_KEYS, CONNECTION_KEYS],
    "A client that publishes, on a host of its own.",
);

keys! {
    const PUBLISH_KEYS {
        "routing-key", Kind::Text, "", "The routing key, if `to` is an exchange.";
        "persistent", Kind::Flag, "true",
            "delivery_mode 2 rather than 1: the message is written to disk in a durable queue.",
            "rabbitmq.com/docs/publishers#message-properties";
        "mandatory", Kind::Flag, "false",
            "A message that cannot be routed comes back (basic.return 312) instead of being \
             dropped.",
            "rabbitmq.com/docs/publishers#unroutable";
        "confirms", Kind::Either(&[Kind::Flag, Kind::Table(CONFIRM_KEYS)]), "false",
            "Publisher confirms; without them every publish counts as accepted.",
            "rabbitmq.com/docs/confirms#publisher-confirms";
        "expiration", Kind::ANY_DURATION, none,
            "The time to live of each message; the smaller one of it and the queue's counts.",
            "rabbitmq.com/docs/ttl#per-message-ttl-in-publishers";
        "priority", Kind::Integer { min: 0, max: 255 }, none since "4.0",
            "The priority of each message: quorum queues have two classes of them, above 4 and others, \
             and from 4.3 on 32; 4 if not written.",
            "rabbitmq.com/docs/quorum-queues#priorities; rabbit_fifo_q.erl v4.0.5, rabbit_fifo_pq.erl v4.3.5";
        "republish", Kind::Flag, "false",
            "Publish again, under the same number, what was nacked or left unconfirmed by a lost \
             connection.",
            "rabbitmq.com/docs/reliability#producers";
        "republish-delay", Kind::ANY_DURATION, "100ms",
            "Pause before a nacked message is published again.";
        "send-timeout", Kind::Duration { min: Span::from_millis(1), max: LONGEST }, none,
            "A message without an answer for this long counts as unknown; never if not written.";
    }
}

keys! {
    const CONFIRM_KEYS {
        "window", Kind::Integer { min: 1, max: 10_000_000 }, none,
            "Most unconfirmed messages; the producer waits when there are so many. No limit if \
             not written.";
    }
}

/// `[[consumer]]`.
pub const CONSUMER: SectionSpec = SectionSpec::repeated(
    "consumer",
    &[CONSUMER_KEYS, CONSUME_KEYS, CONNECTION_KEYS],
    "A client that consumes, on a host of its own.",
);

keys! {
    const CONSUME_KEYS {
        "ack", Kind::Choice(&["manual", "automatic"]), "manual",
            "Acknowledge a message once it is processed, or let the broker forget it as it is \
             sent.",
            "rabbitmq.com/docs/confirms#acknowledgement-modes";
        "prefetch", Kind::Integer { min: 0, max: 65_535 }, "0",
            "Most unacknowledged messages (basic.qos); 0 is unlimited.",
            "rabbitmq.com/docs/consumer-prefetch";
        "resubscribe-delay", Kind::ANY_DURATION, "100ms",
            "Pause before it subscribes again after a cancel, or opens another channel.";
        "mode", Kind::Choice(&["push", "get"]), "push",
            "Subscribes (basic.consume), or asks for one message after the other (basic.get).",
            "rabbitmq.com/docs/consumers#polling";
        "get-interval", Kind::POSITIVE_DURATION, none,
            "With `mode = \"get\"`: the pause between an answer, and the work on it, and the \
             next question; 100ms if not written.";
        "priority", Kind::Signed { min: i32::MIN as i64, max: i32::MAX as i64 }, "0",
            "x-priority: those of lower priority get messages only while those of higher have no \
             room.",
            "rabbitmq.com/docs/consumer-priority";
        "exclusive", Kind::Flag, "false",
            "No other consumer beside this one: the second is refused with 403.",
            "rabbitmq.com/docs/consumers#exclusivity";
        "cancel-on-ha-failover", Kind::Flag, "false",
            "x-cancel-on-ha-failover: the consumer is cancelled when the leader of a mirrored \
             queue dies, rather than subscribed again by the broker.",
            "rabbitmq.com/docs/ha#cancellation";
        "reject", Kind::Table(REJECT_KEYS), none,
            "The application cannot process some messages: it rejects them when it is through.",
            "rabbitmq.com/docs/nack";
    }
}

keys! {
    const REJECT_KEYS {
        "chance", Kind::Chance, required, "How probable that is.";
        "requeue", Kind::Flag, "false",
            "Back into the queue, rather than dead-lettered or dropped.";
        "method", Kind::Choice(&["reject", "nack"]), "reject",
            "How it says so. They differ in a quorum queue of 4.3: what comes back by `nack` does \
             not count as a failure, and has no delivery limit.",
            "rabbit_fifo_client.erl v4.3.5, modify; rabbitmq.com/docs/quorum-queues#poison-message-handling";
    }
}
