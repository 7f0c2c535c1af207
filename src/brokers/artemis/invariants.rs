//! What must hold at every moment, looked at after every input.
//!
//! Brokers note what they have just done ([`Touch`]); the oracle remembers what no machine does: up to
//! where an fsync has really succeeded, who has a message, what calls are about.

use std::collections::BTreeMap;

use crate::brokers::kit::machines::Holds;
use crate::brokers::kit::words::invariants;
use crate::observe::{DestinationId, InvariantId, NodeId, Violation};

use super::broker::Broker;
use super::config::Config;
use super::machine::ArtemisMachine;
use super::message::{CoreMessage, QueueId};
use super::rules::Rule;

invariants! {
    ANSWERED_IS_DURABLE = "answered-is-durable",
        ["journal-datasync", "journal-sync-non-transactional", "answer-when-stored"],
        "a call that is answered is on the broker's disk, with all that it is about";
    ANSWERED_IN_ORDER = "answered-in-order", [],
        "the calls of a session are answered in the order in which they were made";
    ANSWERED_IS_REPLICATED = "answered-is-replicated", ["answer-when-replicated"],
        "a call that is answered by a broker with a backup has come to that, with all that it is about";
    PACKETS_IN_ORDER = "packets-in-order", [],
        "a backup appends what its primary has, in the same order and without gaps";
    ACTIVATES_IN_SYNC = "activates-in-sync", ["activate-in-sync"],
        "a backup that takes over has had everything of its primary since it started";
    DELIVERING_TO_ONE = "delivering-to-one", [],
        "no message of a queue is delivered to two consumers at the same time";
}

/// What a broker has just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// A call of a session is about this message, its records end here, and this is its last packet.
    Called(u32, u32, CoreMessage, (u64, u64)),
    /// It is answered.
    Answered(u32, u32),
    /// A message was sent to the consumer on this host.
    Delivered(NodeId, QueueId, u64),
    /// No consumer has it any more.
    Returned(QueueId, u64),
    /// An fsync of the journal up to here has succeeded.
    Synced(u64),
    /// What was not durable is gone.
    Lost,
    /// The process has ended, or serves nobody any more.
    Died,
    /// A backup has everything of its primary.
    InSync,
    /// It has appended this packet.
    Applied(u64),
    /// It takes over.
    Activated,
}

/// What is known of a broker beside its machine.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Up to where the journal is on the disk.
    synced: u64,
    /// What calls that are not answered are about, by session and call.
    calls: BTreeMap<(u32, u32), (CoreMessage, u64, u64)>,
    /// The last call of each session that was answered.
    answered: BTreeMap<u32, u32>,
    /// Who has which message.
    delivering: BTreeMap<(QueueId, u64), NodeId>,
    /// Of a backup: whether it has had everything, and the last packet that it has appended.
    in_sync: bool,
    applied: Option<u64>,
}

/// What the checks know beside the machines.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    brokers: Vec<Known>,
}

/// Whether a version and configuration have what an invariant rests on.
#[must_use]
pub fn meets(config: &Config, invariant: InvariantId) -> Vec<bool> {
    let settings = &config.settings;
    match invariant {
        invariant::ANSWERED_IS_DURABLE => vec![
            settings.datasync,
            settings.sync_non_transactional && settings.sync_transactional,
            config.has(Rule::AnswerWhenStored),
        ],
        invariant::ANSWERED_IS_REPLICATED => vec![config.has(Rule::AnswerWhenReplicated)],
        invariant::ACTIVATES_IN_SYNC => vec![config.has(Rule::ActivateInSync)],
        _ => vec![],
    }
}

/// Compares what the machine on `node` has done with what must hold.
pub fn check(
    oracle: &mut Oracle,
    machines: &mut [ArtemisMachine],
    node: NodeId,
    report: &mut dyn FnMut(Violation),
) {
    let ArtemisMachine::Broker(broker) = &mut machines[node.index()] else { return };
    let touched = broker.touched.take();
    if touched.is_empty() {
        return;
    }
    if oracle.brokers.len() <= node.index() {
        oracle.brokers.resize(node.index() + 1, Known::default());
    }
    let known = &mut oracle.brokers[node.index()];
    let broker: Option<&Broker> = machines[node.index()].held();
    let Some(broker) = broker else { return };
    let other: Option<&Broker> =
        broker.config().other(node).and_then(|other| machines[other.index()].held());
    let received = other.filter(|other| other.is_in_sync()).map(Broker::received);
    for touch in touched {
        if let Some((invariant, queue, detail)) = broken(known, (broker, received), touch) {
            report(Violation { invariant, node, destination: queue, detail });
        }
    }
}

fn broken(
    known: &mut Known,
    (broker, received): (&Broker, Option<u64>),
    touch: Touch,
) -> Option<(InvariantId, Option<DestinationId>, String)> {
    match touch {
        Touch::Called(session, call, message, (end, packet)) => {
            known.calls.insert((session, call), (message, end, packet));
        }
        Touch::Answered(session, call) => {
            if let Some(last) = known.answered.insert(session, call)
                && last >= call
            {
                let detail = format!("call {call} of session {session} is answered after {last}");
                return Some((invariant::ANSWERED_IN_ORDER, None, detail));
            }
            let (message, end, packet) = known.calls.remove(&(session, call))?;
            if broker.has_backup() && message.durable && received.is_some_and(|last| last < packet)
            {
                let detail = format!(
                    "call {call} of session {session} needs packet {packet}, and its backup has had {}",
                    received.unwrap_or(0)
                );
                return Some((invariant::ANSWERED_IS_REPLICATED, Some(message.origin), detail));
            }
            if message.durable && known.synced < end {
                let detail = format!(
                    "call {call} of session {session} ends at {end} of the journal, of which {} is on the disk",
                    known.synced
                );
                return Some((invariant::ANSWERED_IS_DURABLE, Some(message.origin), detail));
            }
        }
        Touch::Delivered(consumer, queue, id) => {
            if let Some(other) = known.delivering.insert((queue, id), consumer) {
                let detail = format!(
                    "message {id} goes to host {} while host {} has it",
                    consumer.0, other.0
                );
                return Some((invariant::DELIVERING_TO_ONE, Some(queue), detail));
            }
        }
        Touch::Returned(queue, id) => {
            known.delivering.remove(&(queue, id));
        }
        Touch::Synced(end) => known.synced = known.synced.max(end),
        Touch::Lost => known.synced = broker.journal().end(),
        Touch::InSync => (known.in_sync, known.applied) = (true, None),
        Touch::Applied(number) => {
            if let Some(last) = known.applied.replace(number)
                && last + 1 != number
            {
                let detail = format!("packet {number} is appended behind packet {last}");
                return Some((invariant::PACKETS_IN_ORDER, None, detail));
            }
        }
        Touch::Activated => {
            if !std::mem::take(&mut known.in_sync) {
                let detail = "it takes over and has never had everything".to_owned();
                return Some((invariant::ACTIVATES_IN_SYNC, None, detail));
            }
        }
        Touch::Died => {
            known.in_sync = false;
            known.calls.clear();
            known.answered.clear();
            known.delivering.clear();
        }
    }
    None
}
