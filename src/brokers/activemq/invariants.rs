//! What must hold at every moment, looked at after every input.
//!
//! Brokers and consumers note what they have just done ([`Touch`]); the oracle remembers what no machine
//! does: up to where an fsync has really succeeded, who has a message, what was ever stored. That every
//! loss has its cause is the ledger's business (`unexplained`).

use std::collections::{BTreeMap, BTreeSet};

use crate::brokers::kit::machines::Holds;
use crate::brokers::kit::words::invariants;
use crate::observe::{DestinationId, InvariantId, NodeId, Violation};

use super::broker::Broker;
use super::config::{Config, SyncStrategy};
use super::machine::ActiveMachine;
use super::message::{Jms, MessageId, QueueId};
use super::rules::Rule;
use super::store::Place;

invariants! {
    REPLIED_IS_DURABLE = "replied-is-durable", ["journalDiskSyncStrategy = always", "sync-replied"],
        "a persistent send that is answered is on the broker's disk, or consumed already";
    COMMITTED_IS_DURABLE = "committed-is-durable",
        ["journalDiskSyncStrategy = always", "sync-replied", "no leave-files-unsynced"],
        "what a transaction has sent is on the broker's disk when its commit is answered";
    HELD_BY_ONE = "held-by-one", ["filter-replays", "reject-held"],
        "no message of a queue is with two consumers at the same time";
    STORED_ONCE = "stored-once", ["filter-replays"],
        "no message is stored twice, however often it is sent";
    DELIVERED_ONCE = "delivered-once", ["checkForDuplicates"],
        "no consumer is given a message twice by its broker, unless it gave it back, never processed it, or has had 2048 others of its producer since";
}

/// What a machine has just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// A broker answers that a message is stored.
    Replied(QueueId, Jms),
    /// A broker answers that a transaction is committed, with this message.
    Committed(QueueId, Jms),
    /// A broker has given a message to the consumer on this host.
    Dispatched(NodeId, QueueId, Jms),
    /// A consumer has it no more.
    Returned(QueueId, Jms),
    /// A broker has stored a message that came from a client.
    Added(QueueId, Jms),
    /// An fsync of a file of the journal up to here has succeeded.
    Synced(u32, u64),
    /// What was not durable is gone.
    Lost,
    /// The process has ended.
    Died,
    /// An application is given a message that came from the broker, and it processes it.
    Delivered(QueueId, MessageId),
    /// It gave it back.
    GivenBack(QueueId, MessageId),
    /// A consumer's process has ended.
    Restarted,
}

/// So many sends of a producer its consumer's connection knows (`auditDepth`).
const AUDIT_DEPTH: u32 = 2_048;

/// What is known of a host beside its machine.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Up to where each file of the journal is on the disk.
    synced: BTreeMap<u32, u64>,
    /// Who has which message.
    held: BTreeMap<Place, NodeId>,
    /// What was ever stored, or delivered.
    seen: BTreeSet<Place>,
    /// Of each producer the latest that was delivered.
    latest: BTreeMap<u32, u32>,
}

/// What the checks know beside the machines.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    hosts: Vec<Known>,
}

/// Whether a version and configuration have what an invariant rests on.
#[must_use]
pub fn meets(config: &Config, audited: bool, invariant: InvariantId) -> Vec<bool> {
    match invariant {
        invariant::REPLIED_IS_DURABLE => {
            vec![config.settings.strategy == SyncStrategy::Always, config.has(Rule::SyncReplied)]
        }
        invariant::COMMITTED_IS_DURABLE => vec![
            config.settings.strategy == SyncStrategy::Always,
            config.has(Rule::SyncReplied),
            !config.has(Rule::LeaveFilesUnsynced),
        ],
        invariant::HELD_BY_ONE => {
            vec![config.has(Rule::FilterReplays), config.has(Rule::RejectHeld)]
        }
        invariant::STORED_ONCE => vec![config.has(Rule::FilterReplays)],
        _ => vec![audited],
    }
}

/// Compares what the machine on `node` has done with what must hold.
pub fn check(
    oracle: &mut Oracle,
    machines: &mut [ActiveMachine],
    node: NodeId,
    report: &mut dyn FnMut(Violation),
) {
    let touched = match &mut machines[node.index()] {
        ActiveMachine::Broker(broker) => broker.touched.take(),
        ActiveMachine::Consumer(consumer) => consumer.touched.take(),
        ActiveMachine::Producer(_) | ActiveMachine::Storage(_) => return,
    };
    if touched.is_empty() {
        return;
    }
    if oracle.hosts.len() <= node.index() {
        oracle.hosts.resize(node.index() + 1, Known::default());
    }
    let known = &mut oracle.hosts[node.index()];
    let broker: Option<&Broker> = machines[node.index()].held();
    for touch in touched {
        if let Some((invariant, queue, detail)) = broken(known, broker, touch) {
            report(Violation { invariant, node, destination: Some(queue), detail });
        }
    }
}

fn broken(
    known: &mut Known,
    broker: Option<&Broker>,
    touch: Touch,
) -> Option<(InvariantId, DestinationId, String)> {
    let said =
        |message: MessageId| format!("send {} of producer {}", message.sequence, message.producer);
    match touch {
        Touch::Synced(file, length) => {
            let synced = known.synced.entry(file).or_default();
            *synced = (*synced).max(length);
        }
        Touch::Lost => {
            // What is stored no more may be stored again.
            let journal = broker?.journal();
            known.synced.clear();
            known.seen.retain(|(_, id)| id.sequence < journal.stored(id.producer));
        }
        Touch::Died => known.held.clear(),
        Touch::Restarted => known.seen.clear(),
        Touch::Replied(queue, message) | Touch::Committed(queue, message) => {
            // What is not in the index any more is consumed.
            let (file, end) = broker?.journal().location((queue, message.id()))?;
            let synced = known.synced.get(&file).copied().unwrap_or(0);
            if synced < end {
                let detail = format!(
                    "{} ends at {end} of db-{file}.log, of which {synced} bytes are on the disk",
                    said(message.id())
                );
                let broken = match touch {
                    Touch::Replied(..) => invariant::REPLIED_IS_DURABLE,
                    _ => invariant::COMMITTED_IS_DURABLE,
                };
                return Some((broken, queue, detail));
            }
        }
        Touch::Dispatched(consumer, queue, message) => {
            if let Some(other) = known.held.insert((queue, message.id()), consumer) {
                let detail = format!(
                    "{} goes to host {} while host {} has it",
                    said(message.id()),
                    consumer.0,
                    other.0
                );
                return Some((invariant::HELD_BY_ONE, queue, detail));
            }
        }
        Touch::Returned(queue, message) => {
            known.held.remove(&(queue, message.id()));
        }
        Touch::Added(queue, message) => {
            if !known.seen.insert((queue, message.id())) {
                let detail = format!("{} is stored once more", said(message.id()));
                return Some((invariant::STORED_ONCE, queue, detail));
            }
        }
        Touch::Delivered(queue, message) => {
            let latest = known.latest.entry(message.producer).or_default();
            *latest = (*latest).max(message.sequence);
            let recent = *latest - message.sequence < AUDIT_DEPTH;
            if !known.seen.insert((queue, message)) && recent {
                let detail = format!("{} is delivered once more", said(message));
                return Some((invariant::DELIVERED_ONCE, queue, detail));
            }
        }
        Touch::GivenBack(queue, message) => {
            known.seen.remove(&(queue, message));
        }
    }
    None
}
