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
    // ---- flow
    CreditFlow = "credit-flow", always,
        "Publishes need credit at each step from the connection to the queue's processes: a slow \
         queue or mirror stops those who publish to it.",
        "credit_flow.erl v3.10";
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
}
