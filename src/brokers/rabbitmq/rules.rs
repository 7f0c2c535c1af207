//! What RabbitMQ does, as named rules.
//!
//! A rule is on in the versions that have it, and can be switched alone in `[rules]`: a
//! `broker-version` is a bundle of them. Switched off, the mechanism is gone at its root, which
//! shows what it is good for, and that a scenario which rests on it notices.
//!
//! To add one: a line in the table below, with the broker's source; an `if
//! node.config.settings.rules.has(Rule::..)` where it acts; a row in `docs/fidelity.md`, which a
//! test compares with this table.

use crate::scenario::{KeySpec, Kind, Preset, SectionSpec, Values};

/// Which rules hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rules(u128);

impl Rules {
    /// Whether a rule holds.
    #[inline]
    #[must_use]
    pub fn has(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u32) != 0
    }

    /// Every rule, of whatever version.
    #[must_use]
    pub const fn every() -> Rules {
        Rules(u128::MAX)
    }

    /// The same rules but for one.
    #[must_use]
    pub fn without(self, rule: Rule) -> Rules {
        Rules(self.0 & !(1 << rule as u32))
    }

    /// The checked values of `[rules]`.
    #[must_use]
    pub fn read(values: &Values) -> Rules {
        let holds = ALL.iter().filter(|rule| values.flag(rule.name()));
        Rules(holds.fold(0, |set, rule| set | 1 << *rule as u32))
    }
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let holds = ALL.iter().filter(|rule| self.has(**rule));
        f.debug_set().entries(holds.map(|rule| rule.name())).finish()
    }
}

/// `[rules]`.
pub const RULES: SectionSpec = SectionSpec::single(
    "rules",
    &[KEYS],
    "What the broker does, rule by rule: each is on in the versions that have it, and can be \
     switched off or on alone.",
);

/// In which versions a rule holds, as a default.
macro_rules! holds {
    (always) => {
        Preset::Is("true")
    };
    (since $version:literal) => {
        Preset::ByVersion(&[("3.3", "false"), ($version, "true")])
    };
    (until $version:literal) => {
        Preset::ByVersion(&[("3.3", "true"), ($version, "false")])
    };
}

macro_rules! rules {
    ($($rule:ident = $name:literal, $when:ident $($version:literal)?, $meaning:literal, $source:literal;)*) => {
        /// A rule of the broker's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Rule {
            $(#[doc = $meaning] #[doc = ""] #[doc = $source] $rule,)*
        }

        /// Every rule.
        pub const ALL: &[Rule] = &[$(Rule::$rule,)*];

        const KEYS: &[KeySpec] = &[$(
            KeySpec::new($name, Kind::Flag, holds!($when $($version)?), $meaning).source($source),
        )*];

        impl Rule {
            /// Its name in `[rules]`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Rule::$rule => $name,)*
                }
            }

            /// Where it is taken from.
            #[must_use]
            pub fn source(self) -> &'static str {
                match self {
                    $(Rule::$rule => $source,)*
                }
            }
        }
    };
}

rules! {
    // ---- publisher confirms
    NackWhenQueueDies = "nack-when-queue-dies", since "3.8",
        "When the last process that a publish waits for goes down with its node and none has \
         confirmed, the publisher gets a nack; without this rule it gets an ack.",
        "rabbitmq-server#1893; unconfirmed_messages.erl v3.8.35, forget_ref";

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
