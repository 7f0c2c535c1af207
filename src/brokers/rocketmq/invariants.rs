//! What must hold at every moment, looked at after every input.
//!
//! Brokers and consumers note what they have just done ([`Touch`]); the oracle remembers what no machine
//! does: up to where an fsync has really succeeded. That every loss has its cause is the ledger's
//! business (`unexplained`).

use std::collections::BTreeMap;

use crate::brokers::kit::machines::Holds;
use crate::brokers::kit::words::invariants;
use crate::observe::{InvariantId, NodeId, Violation};

use super::broker::Broker;
use super::config::{Config, Mode, Place, QueueId};
use super::machine::RocketMachine;
use super::rules::Rule;
use super::store::Record;

invariants! {
    ACKED_IS_FLUSHED = "acked-is-flushed", ["SYNC_FLUSH", "group-commit", "no forget-flush-errors"],
        "a send that is answered SEND_OK is on the master's disk";
    READ_IS_FLUSHED = "read-is-flushed", ["SYNC_FLUSH", "dispatch-flushed-only", "no forget-flush-errors", "no controllers"],
        "no pull of a master gets a message that is not on its disk";
    ACKED_IS_REPLICATED = "acked-is-replicated",
        ["SYNC_MASTER that waits", "a comparison of logs when a slave connects (apache/rocketmq#1155, #3015)", "no slave-acks-from-memory and no ack-unflushed"],
        "a send that is answered SEND_OK is in as many CommitLogs as the master waits for";
    SLAVE_IS_PREFIX = "slave-is-prefix",
        ["a comparison of logs when a slave connects (apache/rocketmq#1155, #3015)"],
        "what a slave has of a position of the CommitLog, the master has there too";
    OFFSET_IS_PLACE = "offset-is-place",
        ["a comparison of logs when a slave connects (apache/rocketmq#1155, #3015)"],
        "the message at an offset of a queue is the one that was given that offset";
    VALID_PREFIX = "valid-prefix", ["recovery-truncates"],
        "after a recovery the CommitLog ends with the last record that is whole";
    ONE_MASTER_AN_EPOCH = "one-master-an-epoch", ["elections", "elections-count"],
        "no two brokers of a group are masters in the same epoch";
    COMMITTED_IS_FINISHED = "committed-is-finished", ["commit-lowest-unfinished"],
        "a consumer commits no offset behind a message in hand that is not finished";
}

/// What a machine has just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// A master has answered SEND_OK: the record.
    Acked(Record),
    /// A master has answered a pull with messages up to the end of this record.
    Served(Record),
    /// An fsync of its CommitLog up to here has succeeded.
    Flushed(u64),
    /// A broker has made the entry of this record.
    Dispatched(Record),
    /// A broker has become master in this epoch.
    Master(u32),
    /// A slave has taken bytes that begin here.
    Pushed(u64),
    /// A broker has recovered its CommitLog.
    Recovered,
    /// A broker has lost what is behind this position.
    Cut(u64),
    /// A consumer would commit this offset of a queue, while the lowest that is not finished is this.
    Committed(QueueId, u64, u64),
}

/// What is known of a broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    /// Up to where its CommitLog is on its disk.
    flushed: u64,
    /// Whether it was told that it differs from its master.
    differs: bool,
}

/// What the checks know beside the machines.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    brokers: Vec<Known>,
    /// Who was the master of a group in an epoch.
    masters: BTreeMap<(u32, u32), NodeId>,
}

/// Whether a version and configuration have what an invariant rests on.
#[must_use]
pub fn meets(config: &Config, invariant: InvariantId) -> Vec<bool> {
    let settings = &config.settings;
    // With controllers logs are compared by their epochs; a master that restarts in its epoch lets that begin anew,
    // and what it wrote in it before counts as the epoch before.
    let compares = config.mode == Mode::Controller
        && config.has(Rule::TruncateByEpoch)
        && !config.has(Rule::EpochBeginsAnew)
        || config.mode == Mode::Dledger
            && !config.has(Rule::CommitByCounting)
            && !config.has(Rule::AckUnflushed);
    let from_memory = match config.mode {
        Mode::Dledger => config.has(Rule::AckUnflushed),
        Mode::MasterSlave | Mode::Controller => config.has(Rule::SlaveAcksFromMemory),
    };
    let forgets = config.has(Rule::ForgetFlushErrors);
    match invariant {
        invariant::ACKED_IS_FLUSHED => {
            vec![settings.sync_flush, config.has(Rule::GroupCommit), !forgets]
        }
        invariant::READ_IS_FLUSHED => vec![
            settings.sync_flush,
            config.has(Rule::DispatchFlushedOnly) && !settings.read_uncommitted,
            !forgets,
            config.mode != Mode::Controller,
        ],
        invariant::ACKED_IS_REPLICATED => vec![needed(config) > 1, compares, !from_memory],
        invariant::SLAVE_IS_PREFIX | invariant::OFFSET_IS_PLACE => {
            vec![config.slaves == 0 || compares]
        }
        invariant::VALID_PREFIX => vec![config.has(Rule::RecoveryTruncates)],
        invariant::ONE_MASTER_AN_EPOCH => {
            vec![config.mode != Mode::MasterSlave, config.has(Rule::ElectionsCount)]
        }
        _ => vec![config.has(Rule::CommitLowestUnfinished)],
    }
}

/// How many copies there are of what is answered SEND_OK.
fn needed(config: &Config) -> u32 {
    if config.mode == Mode::Controller {
        // Of all that may become master: how many that are is the controllers' affair.
        return config.settings.in_sync_replicas.max(1 + u32::from(config.settings.all_ack));
    }
    if config.mode == Mode::Dledger {
        return config.slaves.div_ceil(2) + 1;
    }
    match (config.settings.sync_master, config.has(Rule::CountInSyncReplicas)) {
        (false, _) => 1,
        (true, true) => config.settings.in_sync_replicas,
        (true, false) => 2.min(config.slaves + 1),
    }
}

fn broker(machines: &[RocketMachine], node: NodeId) -> Option<&Broker> {
    machines[node.index()].held()
}

/// Compares what the machine on `node` has done with what must hold.
pub fn check(
    oracle: &mut Oracle,
    machines: &mut [RocketMachine],
    node: NodeId,
    report: &mut dyn FnMut(Violation),
) {
    let touched = match &mut machines[node.index()] {
        RocketMachine::Broker(broker) => broker.touched.take(),
        RocketMachine::Consumer(consumer) => consumer.touched.take(),
        RocketMachine::NameServer(_)
        | RocketMachine::Controller(_)
        | RocketMachine::Producer(_) => return,
    };
    for touch in touched {
        if let Some((invariant, detail)) = broken(oracle, machines, node, touch) {
            report(Violation { invariant, node, destination: None, detail });
        }
    }
}

fn broken(
    oracle: &mut Oracle,
    machines: &[RocketMachine],
    node: NodeId,
    touch: Touch,
) -> Option<(InvariantId, String)> {
    if let Touch::Committed(_, offset, lowest) = touch {
        return (offset > lowest).then(|| {
            let detail = format!("{offset} is committed, {lowest} is not finished");
            (invariant::COMMITTED_IS_FINISHED, detail)
        });
    }
    let own = broker(machines, node)?;
    if oracle.brokers.len() <= node.index() {
        oracle.brokers.resize(node.index() + 1, Known::default());
    }
    if let Touch::Master(epoch) = touch {
        let first = *oracle.masters.entry((own.place().group, epoch)).or_insert(node);
        return (first != node).then(|| {
            let detail = format!("host {} was the master in epoch {epoch}", first.0);
            (invariant::ONE_MASTER_AN_EPOCH, detail)
        });
    }
    let known = &mut oracle.brokers[node.index()];
    match touch {
        Touch::Flushed(upto) => known.flushed = known.flushed.max(upto),
        Touch::Cut(to) => *known = Known { flushed: known.flushed.min(to), differs: false },
        Touch::Acked(record) => {
            if own.config().settings.sync_flush && record.end() > known.flushed {
                let flushed = known.flushed;
                let detail = format!("it ends at {}, {flushed} are on the disk", record.end());
                return Some((invariant::ACKED_IS_FLUSHED, detail));
            }
            return unreplicated(machines, own, record);
        }
        Touch::Served(record) => {
            if own.config().settings.sync_flush && record.end() > known.flushed {
                let flushed = known.flushed;
                let detail = format!("it ends at {}, {flushed} are on the disk", record.end());
                return Some((invariant::READ_IS_FLUSHED, detail));
            }
        }
        Touch::Dispatched(record) => {
            let there = own.store().message(record.queue, record.offset);
            if there != Some(record) {
                let at = there.map_or("nothing".to_owned(), |other| other.at.to_string());
                let detail =
                    format!("offset {} is at {}, and leads to {at}", record.offset, record.at);
                return Some((invariant::OFFSET_IS_PLACE, detail));
            }
        }
        Touch::Pushed(from) if !known.differs => {
            let (at, other) = difference(machines, own, from)?;
            known.differs = true;
            let detail = format!("its record at {at} is not the one of host {}", other.0);
            return Some((invariant::SLAVE_IS_PREFIX, detail));
        }
        Touch::Recovered => {
            let log = &own.store().log;
            let valid = log.valid_end(log.recovered_from(log.end()));
            if valid < log.end() {
                let detail = format!("it ends at {}, the last whole record at {valid}", log.end());
                return Some((invariant::VALID_PREFIX, detail));
            }
        }
        Touch::Pushed(_) | Touch::Committed(..) | Touch::Master(_) => {}
    }
    None
}

/// Whether fewer brokers have a record than its master says.
fn unreplicated(
    machines: &[RocketMachine],
    master: &Broker,
    record: Record,
) -> Option<(InvariantId, String)> {
    let config = master.config();
    let needed = match config.mode {
        Mode::MasterSlave | Mode::Dledger => needed(config),
        Mode::Controller => master.waited_for(),
    };
    let group = master.place().group;
    let members = (0..=config.slaves).map(|id| config.broker(Place { group, id }));
    let copies = members.filter_map(|member| broker(machines, member));
    let copies = copies.filter(|member| member.store().log.has(&record)).count() as u32;
    (copies < needed).then(|| {
        let detail = format!("message at {} has {copies} copies, not {needed}", record.at);
        (invariant::ACKED_IS_REPLICATED, detail)
    })
}

/// A record of a slave before a position that its master has otherwise, and the master.
fn difference(machines: &[RocketMachine], slave: &Broker, from: u64) -> Option<(u64, NodeId)> {
    let master = slave.follows()?;
    let theirs = &broker(machines, master)?.store().log;
    let last = slave.store().log.before(from)?;
    let comparable = last.end() <= theirs.end() && last.at >= theirs.start();
    (comparable && !theirs.has(&last)).then_some((last.at, master))
}
