//! The keys of a scenario of ActiveMQ: one definition each, spelt as in its configuration and URLs.

use crate::brokers::kit::keys::keys;
use crate::scenario::{Kind, SectionSpec};
use crate::workload::{CONSUMER_KEYS, PRODUCER_KEYS};

use super::costs::COSTS;
use super::rules::RULES;
use super::settings::BROKER_KEYS;

/// The family's sections.
pub const SECTIONS: &[&SectionSpec] =
    &[&BROKER, &RULES, &STORAGE, &QUEUE, &PRODUCER, &CONSUMER, &COSTS];

pub(super) const COUNT: Kind = Kind::Integer { min: 1, max: 1_000_000_000 };

const FAILOVER: &str = "transport/failover/FailoverTransport.java";
const FACTORY: &str = "ActiveMQConnectionFactory.java";
const REDELIVERY: &str = "RedeliveryPolicy.java";

/// `[broker]`: the broker's configuration.
pub const BROKER: SectionSpec = SectionSpec::single(
    "broker",
    &[BROKER_KEYS],
    "The broker's configuration, spelt as in activemq.xml.",
);

keys! {
    const STORAGE_KEYS {
        "lease", Kind::ANY_DURATION, "30s",
            "How long a host keeps the lock that is silent: the lease of NFSv4. 0 for ever, as of a file \
             that is locked on one host.",
            "page shared-file-system-master-slave";
        "zone", Kind::Names, none,
            "The zone of its host. If not written it stands beside the first broker and no fault of a \
             zone meets it.";
    }
}

/// `[storage]`.
pub const STORAGE: SectionSpec = SectionSpec::single(
    "storage",
    &[STORAGE_KEYS],
    "activemq-shared-storage: the host with the store and its lock, called storage.",
);

keys! {
    const QUEUE_KEYS {
        "name", Kind::Name, required, "What the queue is called. ActiveMQ.DLQ is there by itself.";
    }
}

/// `[[queue]]`.
pub const QUEUE: SectionSpec = SectionSpec::repeated(
    "queue",
    &[QUEUE_KEYS],
    "A queue, which the broker has had before the run.",
);

keys! {
    const CLIENT_KEYS {
        "transport", Kind::Choice(&["failover", "tcp"]), "failover",
            "failover: connects again by itself and meanwhile lets its application wait; tcp: the \
             application gets an exception, and connects again itself.",
            FAILOVER;
        "initialReconnectDelay", Kind::POSITIVE_MILLIS, "10ms",
            "failover: how long it waits before it connects again.", FAILOVER;
        "maxReconnectDelay", Kind::POSITIVE_MILLIS, "30000ms",
            "failover: that wait is doubled after each round of all brokers, up to this.", FAILOVER;
        "useExponentialBackOff", Kind::Flag, "true",
            "failover: whether it is doubled.", FAILOVER;
        "randomize", Kind::Flag, "true",
            "failover: whether each round has the brokers in another order.", FAILOVER;
        "reconnect-delay", Kind::POSITIVE_DURATION, "1s",
            "tcp: how long the application waits before it connects again.";
        "maxInactivityDuration", Kind::ANY_MILLIS, "30000ms",
            "How often both ends of the connection look whether the other is silent; 0 for never.",
            "openwire/OpenWireFormatFactory.java";
    }
}

/// `[[producer]]`.
pub const PRODUCER: SectionSpec = SectionSpec::repeated(
    "producer",
    &[PRODUCER_KEYS, SEND_KEYS, CLIENT_KEYS],
    "A client that sends, on a host and a connection of its own: one thread with one session.",
);

keys! {
    const SEND_KEYS {
        "delivery-mode", Kind::Choice(&["persistent", "non-persistent"]), "persistent",
            "DeliveryMode: persistent messages are stored.", "javax.jms.DeliveryMode";
        "useAsyncSend", Kind::Flag, "false",
            "Whether persistent sends outside of transactions return without an answer. Sends that are \
             not persistent do.",
            FACTORY;
        "alwaysSyncSend", Kind::Flag, "false",
            "Whether every send waits for an answer.", FACTORY;
        "completion-listeners", COUNT, none,
            "Sends return at once, and their answers come to a CompletionListener, of at most so many \
             at the same time.",
            "ActiveMQMessageProducer.java send with AsyncCallback";
        "transacted", COUNT, none,
            "The session is transacted, and the application commits after so many messages.",
            "ActiveMQSession.java";
        "trackMessages", Kind::Flag, "false",
            "failover: whether messages that are not waited for are kept, and sent again after a reconnect.",
            FAILOVER;
        "maxCacheSize", Kind::Size { min: 1 << 10, max: 1 << 40 }, "128KiB",
            "trackMessages: of so many bytes.", "state/ConnectionStateTracker.java";
        "resend", Kind::Flag, "true",
            "Whether the application sends a message again whose send has thrown an exception, or whose \
             commit was rolled back: as another message, which may then be there twice.";
    }
}

/// `[[consumer]]`.
pub const CONSUMER: SectionSpec = SectionSpec::repeated(
    "consumer",
    &[CONSUMER_KEYS, READ_KEYS, CLIENT_KEYS],
    "A client that consumes, on a host and a connection of its own: one session.",
);

keys! {
    const READ_KEYS {
        "acknowledge", Kind::Choice(&["AUTO", "CLIENT", "INDIVIDUAL", "DUPS_OK", "SESSION_TRANSACTED"]), "AUTO",
            "The session's mode. DUPS_OK is AUTO on a queue.", "ActiveMQMessageConsumer.java";
        "receive", Kind::Flag, "false",
            "Whether the application calls receive(); it has a listener otherwise. With AUTO a message \
             is then acknowledged before the application has it.",
            "ActiveMQMessageConsumer.java receive";
        "acknowledge-every", COUNT, "1",
            "CLIENT and SESSION_TRANSACTED: acknowledge() or commit() is called after so many messages.";
        "optimizeAcknowledge", Kind::Flag, "false",
            "AUTO: whether messages are acknowledged together, when 65 % of the prefetch or \
             optimizeAcknowledgeTimeOut are reached.",
            FACTORY;
        "optimizeAcknowledgeTimeOut", Kind::POSITIVE_MILLIS, "300ms",
            "After so long what is processed is acknowledged.", FACTORY;
        "prefetch", Kind::Integer { min: 1, max: 1_000_000 }, "1000",
            "So many messages are sent ahead (queuePrefetch).", "ActiveMQPrefetchPolicy.java";
        "checkForDuplicates", Kind::Flag, "true",
            "Whether what the connection has had before is taken for a duplicate.", FACTORY;
        "maximumRedeliveries", Kind::Integer { min: 0, max: 1_000_000 }, "6",
            "After so many redeliveries a message is given up.", REDELIVERY;
        "redeliveryDelay", Kind::POSITIVE_MILLIS, "1000ms",
            "How long the consumer waits before it tries a message again; nothing else is delivered meanwhile.",
            REDELIVERY;
        "poison", COUNT, none,
            "The so manieth message of each producer is one with which the application always fails: its \
             listener throws, or it rolls back.";
    }
}
