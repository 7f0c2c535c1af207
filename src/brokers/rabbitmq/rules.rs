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
    TimeOutDeliveries = "time-out-deliveries", since "3.8.15",
        "A channel is closed (406) when a delivery was not acknowledged within `consumer_timeout`.",
        "rabbit_channel.erl v3.8.15, evaluate_consumer_timeout";
}
