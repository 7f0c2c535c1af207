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
    ReturnWhenQueueDies = "return-when-queue-dies", until "3.8",
        "A mandatory message that no queue process has received comes back when the last process \
         that it was sent to goes down.",
        "rabbit_channel.erl v3.7.28, handle_publishing_queue_down, mandatory_received";
    HoldConfirmsInMinority = "hold-confirms-in-minority", since "3.4",
        "With a pause mode, channels withhold confirms while their node sees too few others.",
        "rabbit_node_monitor.erl v3.10, pause_partition_guard; commit 5d339c4f90";


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
    DisconnectPartialPartitions = "disconnect-partial-partitions", since "3.4",
        "A node that has lost another which a third still sees acts on it: it disconnects from the \
         third, or pauses.",
        "rabbit_node_monitor.erl v3.10, check_partial_partition";

    // ---- restarts
    WaitForTablesOfPeers = "wait-for-tables-of-peers", always,
        "A node that boots waits for members that ran when it stopped: they know more than it does.",
        "rabbit_table.erl v3.10, wait_for_replicated; mnesia_controller.erl, last_consistent_replica";
}
