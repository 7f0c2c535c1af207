//! How ActiveMQ Classic's modes read a portable scenario.

use crate::brokers::kit::{Dialect, Hosts, Setting};

use super::spec::Kind;

const LOCKER: &str = "activemq.apache.org/pluggable-storage-lockers";
const SENDS: &str = "activemq.apache.org/async-sends";
const KAHADB: &str = "activemq.apache.org/kahadb";

const SYNC: Setting = Setting::new("broker.journalDiskSyncStrategy=always", KAHADB);
const WAIT: Setting = Setting::new("producer.*.alwaysSyncSend=true", SENDS);

const SINGLE: Dialect = Dialect {
    hosts: Hosts::First(1),
    destination: "[[queue]]\nname = \"{name}\"\n",
    leader: "master",
    follower: "",
    copies: "Without meaning: there is one.",
    always: &[],
    safest: &[SYNC, WAIT],
    fastest: &[
        Setting::new("producer.*.useAsyncSend=true", SENDS),
        Setting::new(
            "producer.*.delivery-mode=non-persistent",
            "activemq.apache.org/what-is-the-difference-between-persistent-and-non-persistent-delivery",
        ),
    ],
};

const SHARED: Dialect = Dialect {
    hosts: Hosts::All,
    copies: "Without meaning: there is one, on the file server, whose host is beside the brokers'.",
    safest: &[SYNC, WAIT, Setting::new("broker.lockKeepAlivePeriod=5000", LOCKER)],
    ..SINGLE
};

/// How a mode reads it.
pub(super) const fn dialect(mode: Kind) -> &'static Dialect {
    match mode {
        Kind::Single => &SINGLE,
        Kind::SharedStorage => &SHARED,
    }
}
