//! What the tests of this layer share: a small cast, and a hand to tell a ledger a story with.

use std::sync::Arc;

use super::{Ledger, LedgerOptions, Report, RunFacts};
use crate::engine::{Fingerprint, Span, Time};
use crate::observe::{
    BecauseId, Catalog, Cause, CauseId, CauseKind, ConsumerId, ConsumerInfo, DestinationId,
    DestinationInfo, EventWord, InvariantId, InvariantWord, MessageRange, NodeId, NodeInfo,
    NodeKind, Observer, Outcome, ProducerId, ProducerInfo, Removal, RoleId, RoleRank, RoleWord,
    Sign, Situation, Violation,
};

pub(super) const CAUSES: &[Cause] = &[
    cause("consumer-acknowledged", CauseKind::Settled, 0),
    cause("page-cache-lost", CauseKind::Lost, 3),
    cause("unsynced-mirror-promoted", CauseKind::Lost, 5),
    cause("unroutable-confirmed", CauseKind::Lost, 1),
    cause("rejected-by-consumer", CauseKind::DeadLettered, 0),
    cause("ttl", CauseKind::Expired, 0),
];
pub(super) const SETTLED: Removal = removal(0);
pub(super) const PAGE_CACHE: Removal = removal(1);
pub(super) const UNSYNCED: Removal = Removal { cause: CauseId(2), because: BecauseId(1) };
pub(super) const UNROUTABLE: Removal = removal(3);
pub(super) const DEAD: Removal = removal(4);
pub(super) const TTL: Removal = removal(5);

pub(super) const ONE_LEADER: InvariantId = InvariantId(0);
pub(super) const NO_GAPS: InvariantId = InvariantId(2);

/// Brokers.
pub(super) const N1: NodeId = NodeId(0);
pub(super) const N2: NodeId = NodeId(1);

/// p1 writes to `orders`, p2 to `orders` and `audit`, p3 nowhere. c1 reads `orders`, the auditor
/// `audit`.
pub(super) const P1: ProducerId = ProducerId(0);
pub(super) const P2: ProducerId = ProducerId(1);
pub(super) const P3: ProducerId = ProducerId(2);
pub(super) const C1: ConsumerId = ConsumerId(0);
pub(super) const AUDITOR: ConsumerId = ConsumerId(1);
pub(super) const ORDERS: DestinationId = DestinationId(0);
pub(super) const AUDIT: DestinationId = DestinationId(1);

const fn cause(name: &'static str, kind: CauseKind, precedence: u8) -> Cause {
    Cause { name, kind, meaning: "", precedence }
}

const fn removal(cause: u32) -> Removal {
    Removal { cause: CauseId(cause), because: BecauseId::NONE }
}

pub(super) fn catalog() -> Catalog {
    let node = |name: &str, kind| NodeInfo { name: name.to_owned(), kind };
    let producer = |name: &str, node, destinations: &[DestinationId]| ProducerInfo {
        name: name.to_owned(),
        node: NodeId(node),
        destinations: destinations.to_vec(),
        unanswered: false,
    };
    let consumer = |name: &str, node, destination, auditor| ConsumerInfo {
        name: name.to_owned(),
        node: NodeId(node),
        destinations: vec![destination],
        auditor,
    };
    let word = |name, meaning, lacks: &'static [&'static str]| InvariantWord {
        name,
        meaning,
        rests_on: lacks,
        lacks: lacks.to_vec(),
    };
    Catalog {
        nodes: vec![
            node("n1", NodeKind::Broker),
            node("n2", NodeKind::Broker),
            node("p1", NodeKind::Producer),
            node("p2", NodeKind::Producer),
            node("p3", NodeKind::Producer),
            node("c1", NodeKind::Consumer),
            node("auditor", NodeKind::Auditor),
        ],
        producers: vec![
            producer("p1", 2, &[ORDERS]),
            producer("p2", 3, &[ORDERS, AUDIT]),
            producer("p3", 4, &[]),
        ],
        consumers: vec![consumer("c1", 5, ORDERS, false), consumer("audit", 6, AUDIT, true)],
        destinations: vec![
            DestinationInfo { name: "orders".to_owned() },
            DestinationInfo { name: "audit".to_owned() },
        ],
        faults: vec!["crash leader(orders)".to_owned(), "partition n1 | n2".to_owned()],
        actions: 2..2,
        causes: CAUSES,
        conditions: &["none", "acked-before-replicated"],
        condition_meanings: &["", "It was acknowledged before any other node had it."],
        roles: &[
            RoleWord { name: "leader", rank: RoleRank::Leader },
            RoleWord { name: "mirror", rank: RoleRank::InSync },
        ],
        events: &[EventWord { name: "promoted", meaning: "Promoting mirror" }],
        invariants: vec![
            word("one-leader", "One node leads.", &[]),
            word("logs-match", "Logs match.", &[]),
            word("no-gaps", "Logs have no gaps.", &["KIP-1"]),
        ],
        notes: Vec::new(),
        situations: &[Situation {
            name: "mirror-leads",
            meaning: "A mirror becomes leader.",
            sign: Sign::RoleAfter(RoleId(1), RoleId(0)),
        }],
    }
}

pub(super) fn ms(millis: u64) -> Time {
    Time::ZERO + Span::from_millis(millis)
}

pub(super) const fn range(producer: ProducerId, first: u32, count: u32) -> MessageRange {
    MessageRange { producer, first, count, bytes: 100 }
}

/// A ledger for 10 s of load, the first of them warm-up.
pub(super) fn ledger() -> Ledger {
    Ledger::new(Arc::new(catalog()), LedgerOptions::new(Span::from_secs(10)))
}

pub(super) fn facts(ended: Time, quiet: bool) -> RunFacts {
    RunFacts {
        scenario: "story".to_owned(),
        description: "A story of a test.".to_owned(),
        mode: "none".to_owned(),
        broker_version: "1.0".to_owned(),
        seed: 1,
        ended,
        quiet,
        waits: Vec::new(),
        questions: Vec::new(),
        broker_bytes: 5_000,
        disk_bytes: 1_000,
        fsyncs: 7,
        events: 99,
        busy: Vec::new(),
        fingerprint: Fingerprint::new(),
    }
}

pub(super) fn quiet(ledger: &Ledger) -> Report {
    ledger.finish(facts(ms(12_000), true))
}

/// Steps that most stories are made of. Times in milliseconds.
impl Ledger {
    /// Attempted and sent at once.
    pub(super) fn send(&mut self, at: u64, messages: MessageRange) {
        self.attempted(ms(at), ms(at), messages);
        self.sent(ms(at), messages);
    }

    pub(super) fn ack(&mut self, at: u64, messages: MessageRange) {
        self.outcome(ms(at), messages, Outcome::Acked);
    }

    /// An invariant breaks on n2.
    pub(super) fn violate(&mut self, at: u64, invariant: InvariantId) {
        let detail = format!("n1 leads, and n2 too at {at} ms");
        let (node, destination) = (N2, Some(ORDERS));
        self.violated(ms(at), Violation { invariant, node, destination, detail });
    }

    /// Delivered to c1.
    pub(super) fn deliver(&mut self, at: u64, messages: MessageRange) {
        self.delivered(ms(at), C1, ORDERS, messages, false);
    }

    /// Sent, stored on n1, acked, delivered, processed and settled, 1 ms each.
    pub(super) fn whole_life(&mut self, at: u64, messages: MessageRange) {
        self.send(at, messages);
        self.stored(ms(at + 1), N1, ORDERS, messages);
        self.ack(at + 2, messages);
        self.deliver(at + 3, messages);
        self.processed(ms(at + 4), C1, ORDERS, messages);
        self.removed(ms(at + 5), N1, ORDERS, messages, SETTLED);
    }
}
