//! How Artemis's modes read a portable scenario.

use crate::brokers::kit::{Dialect, Hosts, Setting};

use super::spec::Kind;

const CLIENT: &str = "docs/user-manual/client-reconnection.adoc";
const HA: &str = "docs/user-manual/ha.adoc";
const DUPLICATES: &str = "docs/user-manual/duplicate-detection.adoc";

/// Clients find the broker that is active, for as long as it takes, and what they send again is taken once.
const SENDERS_TRY: Setting = Setting::new("producer.*.reconnectAttempts=unlimited", CLIENT);
const READERS_TRY: Setting = Setting::new("consumer.*.reconnectAttempts=unlimited", CLIENT);
const ONCE: Setting = Setting::new("producer.*.duplicate-id=true", DUPLICATES);
const SENDERS_MOVE: Setting = Setting::new("producer.*.ha=true", HA);
const READERS_MOVE: Setting = Setting::new("consumer.*.ha=true", HA);

const SINGLE: Dialect = Dialect {
    hosts: Hosts::First(1),
    destination: "[[queue]]\nname = \"{name}\"\n",
    leader: "active",
    follower: "",
    copies: "Without meaning: there is one.",
    always: &[],
    safest: &[SENDERS_TRY, READERS_TRY, ONCE],
    fastest: &[Setting::new("producer.*.durable=false", "docs/user-manual/send-guarantees.adoc")],
};

const SHARED_STORE: Dialect = Dialect {
    hosts: Hosts::First(2),
    copies: "Without meaning: there is one, on the file server, for a primary and a backup.",
    safest: &[SENDERS_TRY, READERS_TRY, ONCE, SENDERS_MOVE, READERS_MOVE, MOVE_ON_STOP],
    ..SINGLE
};

/// A broker that is stopped hands over as one does that dies.
const MOVE_ON_STOP: Setting = Setting::new("broker.failover-on-shutdown=true", HA);

const REPLICATION: Dialect = Dialect {
    copies: "Without meaning: there are two, those of a primary and of its backup.",
    safest: &[
        SENDERS_TRY,
        READERS_TRY,
        ONCE,
        SENDERS_MOVE,
        READERS_MOVE,
        Setting::new("broker.network-check-list=true", "docs/user-manual/network-isolation.adoc"),
    ],
    ..SHARED_STORE
};

/// How a mode reads it.
pub(super) const fn dialect(mode: Kind) -> &'static Dialect {
    match mode {
        Kind::Single => &SINGLE,
        Kind::SharedStore => &SHARED_STORE,
        Kind::Replication => &REPLICATION,
    }
}
