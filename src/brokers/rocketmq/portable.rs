//! How RocketMQ's modes read a portable scenario.

use crate::brokers::kit::{Dialect, Hosts, Setting};

use super::config::Mode;

const STORE: &str = "store/config/MessageStoreConfig.java; docs/en/Configuration_System.md";
const QUORUM: &str = "docs/en/QuorumACK.md";
const CONTROLLER: &str = "docs/en/controller/deploy.md";
const CLIENT: &str = "docs/en/Best_Practice.md 1.1.2";

const FLUSH: Setting = Setting::new("broker.flushDiskType=SYNC_FLUSH", STORE);
/// A send that is answered FLUSH_SLAVE_TIMEOUT or the like is none that is sure.
const LOOK: Setting = Setting::new("producer.*.check-send-status=true", CLIENT);
const ELSEWHERE: Setting = Setting::new("producer.*.retryAnotherBrokerWhenNotStoreOK=true", CLIENT);

const MASTER_SLAVE: Dialect = Dialect {
    hosts: Hosts::Groups,
    destination: "[broker]\nslaves = {others}\n[[topic]]\nname = \"{name}\"\nqueues = {partitions}\n",
    leader: "master({name}/broker-a-0)",
    follower: "slave({name}/broker-a-0, {number})",
    copies: "`slaves` is one less: groups of a master and its slaves, as many as the hosts make.",
    always: &[],
    safest: &[
        Setting::new("broker.brokerRole=SYNC_MASTER", STORE),
        Setting::new("broker.inSyncReplicas={majority}", QUORUM).since("5.0"),
        FLUSH,
        LOOK,
        ELSEWHERE,
    ],
    fastest: &[Setting::new("producer.*.send=oneway", CLIENT)],
};

const CONTROLLED: Dialect = Dialect {
    safest: &[
        Setting::new("broker.allAckInSyncStateSet=true", CONTROLLER),
        Setting::new("broker.minInSyncReplicas={majority}", CONTROLLER),
        FLUSH,
        LOOK,
        ELSEWHERE,
    ],
    ..MASTER_SLAVE
};

const DLEDGER: Dialect = Dialect {
    copies: "`slaves` is one less: a Raft group of as many members.",
    safest: &[LOOK, ELSEWHERE],
    ..MASTER_SLAVE
};

/// How a mode reads it.
pub(super) const fn dialect(mode: Mode) -> &'static Dialect {
    match mode {
        Mode::MasterSlave => &MASTER_SLAVE,
        Mode::Controller => &CONTROLLED,
        Mode::Dledger => &DLEDGER,
    }
}
