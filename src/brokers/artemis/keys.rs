//! The keys of a scenario of Artemis: one definition each, spelt as in broker.xml and connection URLs.

use crate::brokers::kit::keys::keys;
use crate::scenario::{Kind, SectionSpec};
use crate::workload::{CONSUMER_KEYS, PRODUCER_KEYS};

use super::costs::COSTS;
use super::rules::RULES;
use super::settings::{BROKER_KEYS, QUEUE_KEYS};

/// The family's sections.
pub const SECTIONS: &[&SectionSpec] =
    &[&BROKER, &RULES, &STORAGE, &QUEUE, &PRODUCER, &CONSUMER, &COSTS];

pub(super) const COUNT: Kind = Kind::Integer { min: 1, max: 1_000_000_000 };

/// A number that may be without limit, which is -1 in Artemis.
const ATTEMPTS: Kind =
    Kind::Either(&[Kind::Integer { min: 0, max: 1_000_000_000 }, Kind::Choice(&["unlimited"])]);
const WINDOW: Kind =
    Kind::Either(&[Kind::Size { min: 1, max: 1 << 40 }, Kind::Choice(&["unlimited"])]);

const CLIENT: &str = "artemis-core-client api/core/client/ActiveMQClient.java";

/// `[broker]`: the broker's configuration.
pub const BROKER: SectionSpec = SectionSpec::single(
    "broker",
    &[BROKER_KEYS],
    "The broker's configuration, spelt as in broker.xml.",
);

keys! {
    const STORAGE_KEYS {
        "lease", Kind::ANY_DURATION, "30s",
            "How long a host keeps the lock that is silent: the lease of NFSv4. 0 for ever, as of a file \
             that is locked on one host.",
            "RFC 7530, 9.5";
        "zone", Kind::Names, none,
            "The zone of its host. If not written it stands beside the first broker and no fault of a \
             zone meets it.";
    }
}

/// `[storage]`.
pub const STORAGE: SectionSpec = SectionSpec::single(
    "storage",
    &[STORAGE_KEYS],
    "artemis-shared-store: the host with the journal and its lock, called storage.",
);

/// `[[queue]]`.
pub const QUEUE: SectionSpec = SectionSpec::repeated(
    "queue",
    &[QUEUE_KEYS],
    "An address with its anycast queue, which the broker has had before the run.",
);

keys! {
    const CLIENT_KEYS {
        "ha", Kind::Flag, "false",
            "Whether the client tries the backup as well when its connection is lost.", CLIENT;
        "reconnectAttempts", ATTEMPTS, "0",
            "So often it tries to connect again, \"unlimited\" for -1. With 0 its application gets an \
             exception, and connects again itself.",
            CLIENT;
        "retryInterval", Kind::POSITIVE_MILLIS, "2000ms",
            "How long it waits between two tries.", CLIENT;
        "reconnect-delay", Kind::POSITIVE_DURATION, "1s",
            "How long the application waits before it connects again itself.";
        "callTimeout", Kind::POSITIVE_MILLIS, "30000ms",
            "After so long without an answer a call fails with an exception, whatever became of it.", CLIENT;
        "connectionTTL", Kind::ANY_MILLIS, "60000ms",
            "How long the broker waits for a sign of life; 0 for ever. The client waits as long.", CLIENT;
        "clientFailureCheckPeriod", Kind::POSITIVE_MILLIS, "30000ms",
            "How often the client pings the broker and looks whether it is silent.", CLIENT;
        "confirmationWindowSize", Kind::Size { min: 1, max: 1 << 31 }, none,
            "After so many bytes each end confirms what has come. With it a session outlives its \
             connection: what is not confirmed is sent again. Not written there is none (-1).",
            CLIENT;
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
        "durable", Kind::Flag, "true", "Whether its messages are kept on the disk.", "javax.jms.DeliveryMode";
        "blockOnDurableSend", Kind::Flag, "true",
            "Whether a send of a durable message outside of transactions waits for an answer.", CLIENT;
        "blockOnNonDurableSend", Kind::Flag, "false",
            "Whether a send of another message does.", CLIENT;
        "transacted", COUNT, none,
            "The session is transacted, and the application commits after so many messages.",
            "docs/user-manual/transaction-config.adoc";
        "duplicate-id", Kind::Flag, "false",
            "Whether the application gives each message a _AMQ_DUPL_ID, the same when it sends it again.",
            "docs/user-manual/duplicate-detection.adoc";
        "producerWindowSize", Kind::Size { min: 1, max: 1 << 31 }, "64KiB",
            "For so many bytes at a time the client asks the broker for credits.", CLIENT;
        "resend", Kind::Flag, "true",
            "Whether the application sends a message again whose send or commit has failed: without a \
             duplicate id it may then be there twice.";
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
        "acknowledge", Kind::Choice(&["AUTO", "CLIENT", "INDIVIDUAL", "DUPS_OK", "SESSION_TRANSACTED", "PRE_ACKNOWLEDGE"]), "AUTO",
            "The session's mode. With PRE_ACKNOWLEDGE the broker acknowledges before it delivers.",
            "artemis-jms-client ActiveMQConnection.java createSessionInternal";
        "receive", Kind::Flag, "false",
            "Whether the application calls receive(); it has a listener otherwise. With AUTO a message \
             is then acknowledged before the application has it.",
            "artemis-jms-client ActiveMQMessageConsumer.java getMessage";
        "acknowledge-every", COUNT, "1",
            "CLIENT and SESSION_TRANSACTED: acknowledge() or commit() is called after so many messages.";
        "dupsOKBatchSize", Kind::Size { min: 1, max: 1 << 31 }, "1MiB",
            "DUPS_OK: messages are acknowledged together, after so many bytes.", CLIENT;
        "consumerWindowSize", WINDOW, "1MiB",
            "So many bytes are sent ahead; \"unlimited\" for -1.", CLIENT;
        "poison", COUNT, none,
            "The so manieth message of each producer is one with which the application always fails: its \
             listener throws, or it rolls back.";
    }
}
