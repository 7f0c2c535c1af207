//! Made-up but realistic runs for the tests of this layer: three nodes, a mirrored queue, the
//! leader killed at 6 s and back at 16 s.

use std::sync::Arc;

use crate::engine::{Span, Time};
use crate::observe::{
    BecauseId, Catalog, Cause, CauseId, CauseKind, ConsumerInfo, DestinationId, DestinationInfo,
    EventWord, FaultId, InvariantWord, NodeId, NodeInfo, NodeKind, NodeState, ProducerId,
    ProducerInfo, RoleId, RoleRank, RoleWord,
};
use crate::verdict::{
    Breach, Bucket, Busy, EventRow, Fate, FaultSpan, FinalOutcome, InvariantTally, Judged, Lane,
    LaneState, LatencySeries, Loss, Report, Summary, Timeline, Verdict, Window, WindowKind,
};

const CAUSES: &[Cause] = &[
    Cause {
        name: "unsynced-mirror-promoted",
        kind: CauseKind::Lost,
        meaning: "A mirror that lacked the message became the leader.",
        precedence: 2,
    },
    Cause {
        name: "page-cache-lost",
        kind: CauseKind::Lost,
        meaning: "The only copy was in the page cache of a host that lost power.",
        precedence: 1,
    },
];

const ROLES: &[RoleWord] = &[
    RoleWord { name: "leader", rank: RoleRank::Leader },
    RoleWord { name: "mirror", rank: RoleRank::InSync },
    RoleWord { name: "unsynchronised", rank: RoleRank::Lagging },
];

const EVENTS: &[EventWord] =
    &[EventWord { name: "mirror-promoted", meaning: "Promoting mirror to leader" }];

fn words() -> Vec<InvariantWord> {
    let word = |name, meaning, lacks: &'static [&'static str]| InvariantWord {
        name,
        meaning,
        rests_on: lacks,
        lacks: lacks.to_vec(),
    };
    let agree = "Synchronised mirrors have the messages of their leader.";
    vec![
        word("single-leader", "At most one node leads a queue.", &[]),
        word("mirrors-agree", agree, &["quorum queues", "ha-sync-mode = automatic"]),
    ]
}

fn node(name: &str, kind: NodeKind) -> NodeInfo {
    NodeInfo { name: name.to_owned(), kind }
}

fn catalog() -> Catalog {
    let nodes = vec![
        node("n1", NodeKind::Broker),
        node("n2", NodeKind::Broker),
        node("n3", NodeKind::Broker),
        node("p1", NodeKind::Producer),
        node("c1", NodeKind::Consumer),
    ];
    let producer = ProducerInfo {
        name: "p1".to_owned(),
        node: NodeId(3),
        destinations: vec![DestinationId(0)],
        unanswered: false,
    };
    let consumer = ConsumerInfo {
        name: "c1".to_owned(),
        node: NodeId(4),
        destinations: vec![DestinationId(0)],
        auditor: false,
    };
    Catalog {
        nodes,
        producers: vec![producer],
        consumers: vec![consumer],
        destinations: vec![DestinationInfo { name: "orders".to_owned() }],
        faults: vec!["crash leader(orders)".to_owned(), "latency link(n2, n3) +20ms".to_owned()],
        actions: 2..2,
        causes: CAUSES,
        conditions: &["none", "acked-before-replicated"],
        condition_meanings: &["", "It was acknowledged before any other node had it."],
        roles: ROLES,
        events: EVENTS,
        invariants: words(),
        notes: Vec::new(),
        situations: &[],
    }
}

/// An instant in milliseconds.
pub(crate) fn ms(millis: u64) -> Time {
    Time::from_nanos(millis * 1_000_000)
}

/// A small fixed sequence instead of randomness.
fn wobble(i: u64, range: u64) -> u64 {
    (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % range
}

fn timeline(ended: u64) -> Timeline {
    let mut backlog = 0_u64;
    let buckets = (0..ended / 100).map(|i| {
        let at = i * 100;
        let load = at < 40_000;
        let outage = (6_000..7_800).contains(&at);
        let catching_up = (7_800..8_600).contains(&at);
        let attempted = if load { 48 + wobble(i, 5) } else { 0 };
        let mut bucket = Bucket { attempted, ..Bucket::default() };
        match (outage, catching_up) {
            (true, _) => backlog += attempted / 4,
            (_, true) => {
                bucket.acked = attempted * 3 + wobble(i, 9);
                bucket.delivered = attempted * 2 + wobble(i + 7, 9);
                backlog += bucket.acked - bucket.delivered;
            }
            _ => {
                bucket.acked = attempted.saturating_sub(wobble(i + 3, 3));
                bucket.delivered = bucket.acked + backlog.min(20);
                backlog -= backlog.min(20);
            }
        }
        bucket.processed = bucket.delivered.saturating_sub(wobble(i, 4));
        bucket.redelivered = if catching_up { 6 } else { 0 };
        bucket.backlog = backlog + wobble(i + 11, 4);
        if bucket.acked > 0 {
            bucket.ack_p50_us = 900 + wobble(i, 300) + if catching_up { 900_000 } else { 0 };
            let slow = if i.is_multiple_of(37) { 30_000 } else { 2_000 };
            bucket.ack_max_us = bucket.ack_p50_us * 2 + wobble(i + 5, 900) + slow;
        }
        bucket.lost = match at {
            5_900 => 31,
            6_000 => 9,
            _ => 0,
        };
        bucket
    });
    Timeline { bucket: Span::from_millis(100), buckets: buckets.collect() }
}

fn lanes(ended: u64) -> Vec<Lane> {
    use NodeState::{Booting, Killed, Up};
    let orders = Some(DestinationId(0));
    let node = |n, parts: &[(u64, u64, NodeState)]| Lane {
        node: NodeId(n),
        destination: None,
        broker: None,
        stretches: parts.iter().map(|p| (ms(p.0), ms(p.1), LaneState::Node(p.2))).collect(),
    };
    let role = |n, parts: &[(u64, u64, u32)]| Lane {
        node: NodeId(n),
        destination: orders,
        broker: None,
        stretches: parts.iter().map(|p| (ms(p.0), ms(p.1), LaneState::Role(RoleId(p.2)))).collect(),
    };
    vec![
        node(
            0,
            &[
                (0, 6_000, Up),
                (6_000, 16_000, Killed),
                (16_000, 22_000, Booting),
                (22_000, ended, Up),
            ],
        ),
        node(1, &[(0, ended, Up)]),
        node(2, &[(0, ended, Up)]),
        role(0, &[(0, 6_000, 0), (22_000, 25_500, 2), (25_500, ended, 1)]),
        role(1, &[(0, 7_750, 1), (7_750, ended, 0)]),
        role(2, &[(0, 30_000, 1), (30_000, 33_000, 2), (33_000, ended, 1)]),
    ]
}

fn event(at: u64, kind: &'static str, what: &str, node: Option<u32>) -> EventRow {
    EventRow {
        at: ms(at),
        kind,
        what: what.to_owned(),
        node: node.map(NodeId),
        destination: None,
        subject: None,
        count: 0,
    }
}

fn events() -> Vec<EventRow> {
    let mut promoted = event(7_750, "event", "mirror-promoted", Some(1));
    promoted.destination = Some(DestinationId(0));
    promoted.subject = Some(NodeId(0));
    promoted.count = 112;
    let mut role = event(7_750, "role", "leader", Some(1));
    role.destination = Some(DestinationId(0));
    vec![
        event(6_000, "fault", "begun: crash leader(orders)", Some(0)),
        event(6_000, "node", "killed", Some(0)),
        role,
        promoted,
        event(16_000, "fault", "ended: crash leader(orders)", Some(0)),
        event(16_000, "node", "booting", Some(0)),
        event(22_000, "node", "up", Some(0)),
    ]
}

fn window(kind: WindowKind, start: u64, end: u64) -> Window {
    Window {
        open: false,
        tried: None,
        late: None,
        destination: DestinationId(0),
        kind,
        start: ms(start),
        end: ms(end),
        fault: Some(FaultId(0)),
        recovery: Some(Span::from_millis(end - 6_000)),
    }
}

fn loss(cause: u32, because: u32, node: u32, at: u64, range: (u32, u32), count: u64) -> Loss {
    Loss {
        class: "acked_lost",
        cause: Some(CauseId(cause)),
        because: BecauseId(because),
        node: Some(NodeId(node)),
        at: ms(at),
        producer: ProducerId(0),
        destination: Some(DestinationId(0)),
        first: range.0,
        last: range.1,
        count,
    }
}

fn series(name: &'static str, percentiles: [u64; 5]) -> LatencySeries {
    let at = [50_000, 90_000, 99_000, 99_900, 100_000];
    LatencySeries {
        name,
        samples: 19_412,
        mean: None,
        percentiles: at.into_iter().zip(percentiles).collect(),
    }
}

fn summary() -> Summary {
    let mut summary = Summary {
        lines: 20_000,
        attempted: 20_000,
        acked: 19_871,
        unknown: 129,
        delivered: 19_990,
        processed: 19_948,
        redelivered: 42,
        duplicated: 42,
        reordered: 7,
        success_lost: 40,
        success_gone: 40,
        acked_lost: 40,
        unknown_lost: 12,
        phantom: 117,
        write_availability: Some(0.953_846),
        effective_write_availability: Some(0.951_282),
        read_availability: Some(0.948_718),
        write_unavailable_ms: Some(1_800),
        write_longest_ms: Some(1_800),
        read_unavailable_ms: Some(1_812),
        read_longest_ms: Some(1_812),
        ack_p50_us: Some(1_043),
        ack_p99_us: Some(902_143),
        ack_max_us: Some(1_812_479),
        ack_service_p50_us: Some(1_011),
        ack_service_p99_us: Some(4_127),
        e2e_p50_us: Some(1_502),
        e2e_p99_us: Some(1_103_871),
        e2e_max_us: Some(1_901_567),
        acked_per_s: Some(496.775),
        processed_per_s: Some(498.7),
        broker_bytes_per_payload_byte: Some(4.3127),
        disk_bytes_per_payload_byte: Some(3.0208),
        fsyncs: 58_112,
        events: 1_283_441,
        violations: Some(12),
        ..Summary::default()
    };
    let acked = &mut summary.matrix.cells[FinalOutcome::Acked as usize];
    acked[Fate::Processed as usize] = 19_831;
    acked[Fate::Gone as usize] = 40;
    let unknown = &mut summary.matrix.cells[FinalOutcome::Unknown as usize];
    unknown[Fate::Processed as usize] = 117;
    unknown[Fate::Gone as usize] = 12;
    summary
}

fn judged(text: &str, measured: &str, verdict: Verdict, note: Option<&str>) -> Judged {
    Judged {
        text: text.to_owned(),
        measured: measured.to_owned(),
        value: measured.split(' ').next().and_then(|number| number.replace(',', "").parse().ok()),
        verdict,
        note: note.map(str::to_owned),
        claimed: false,
        loss: false,
    }
}

fn breach(at: u64, node: u32, detail: &str) -> Breach {
    let destination = Some(DestinationId(0));
    Breach { at: ms(at), node: NodeId(node), destination, detail: detail.to_owned() }
}

/// A leader that is killed, with a loss, an outage and a slow link later on.
pub(crate) fn crash_run() -> Report {
    let ended = 44_200;
    Report {
        scenario: "mirror".to_owned(),
        description: "Three mirrored copies, all in sync; the leader is killed at 6 s and comes \
                      back at 16 s."
            .to_owned(),
        mode: "rabbitmq-mirrored".to_owned(),
        broker_version: "3.10".to_owned(),
        seed: 1,
        catalog: Arc::new(catalog()),
        duration: Span::from_secs(40),
        warmup: Span::from_secs(1),
        ended: ms(ended),
        quiet: true,
        summary: summary(),
        busy: [9_214_000, 11_732_000, 8_001_000]
            .into_iter()
            .zip(0..)
            .map(|(spent, node)| Busy {
                node: NodeId(node),
                spent: Span::from_micros(spent),
                cores: 2,
                disk: Span::from_micros(spent / 10),
                card: None,
            })
            .collect(),
        latency: vec![
            series("ack_latency", [1_043, 1_911, 902_143, 1_703_935, 1_812_479]),
            series("ack_service_latency", [1_011, 1_733, 4_127, 31_231, 1_790_975]),
            series("end_to_end_latency", [1_502, 2_611, 1_103_871, 1_850_000, 1_901_567]),
            LatencySeries { name: "accepted_latency", samples: 0, mean: None, percentiles: Vec::new() },
        ],
        losses: vec![
            loss(0, 1, 1, 7_750, (2_961, 2_991), 31),
            loss(0, 1, 1, 7_750, (2_996, 3_009), 9),
            Loss { class: "unknown_lost", ..loss(1, 0, 0, 6_000, (3_010, 3_021), 12) },
        ],
        causes: vec![40, 12],
        waits: Vec::new(),
        answers: Vec::new(),
        measured: Vec::new(),
        at_work: false,
        unmeasured: Vec::new(),
        windows: vec![
            window(WindowKind::Write, 6_002, 7_802),
            window(WindowKind::EffectiveWrite, 5_900, 7_802),
            window(WindowKind::Read, 6_001, 7_813),
        ],
        events: events(),
        timeline: timeline(ended),
        lanes: lanes(ended),
        faults: vec![
            FaultSpan {
                fault: FaultId(0),
                begun: ms(6_000),
                ended: Some(ms(16_000)),
                targets: vec![NodeId(0)],
            },
            FaultSpan {
                fault: FaultId(1),
                begun: ms(28_000),
                ended: Some(ms(31_000)),
                targets: vec![NodeId(1), NodeId(2)],
            },
        ],
        invariants: vec![
            InvariantTally::default(),
            InvariantTally {
                violations: 12,
                first: vec![
                    breach(7_750, 1, "n1 has 2,961 to 2,991 of p1, n2 has not"),
                    breach(7_751, 2, "n1 has 2,996 to 3,009 of p1, \"n3\" has not"),
                ],
            },
        ],
        over_seeds: Vec::new(),
        expectations: vec![
            judged("success_lost <= 0", "40 lines", Verdict::Broken, Some("loss.csv, rows 1 to 2")),
            judged("write_longest_ms <= 3000", "1,800 ms", Verdict::Holds, None),
            judged("sometimes mirror-promoted", "reached 1 time", Verdict::Holds, None),
        ],
        remarks: vec![
            "write availability is 95.385 % as the client sees it and 95.128 % by what became of the \
             messages"
                .to_owned(),
        ],
        lines: Vec::new(),
        inconsistencies: 0,
        fingerprint: 0x0123_4567_89ab_cdef,
        ingredients: [("outcomes", 1), ("roles", 2), ("faults", 3), ("draws", 4), ("events", 5)],
    }
}

/// Nothing went wrong, nothing was lost.
pub(crate) fn quiet_run() -> Report {
    let mut report = crash_run();
    report.scenario = "calm".to_owned();
    report.description = "Nothing happens.".to_owned();
    report.losses.clear();
    report.windows.clear();
    report.events.clear();
    report.faults.clear();
    report.remarks.clear();
    report.invariants = vec![InvariantTally::default(); 2];
    report.expectations = vec![judged("success_lost <= 0", "0 lines", Verdict::Holds, None)];
    report.summary = Summary {
        lines: 200,
        attempted: 200,
        acked: 200,
        delivered: 200,
        processed: 200,
        write_availability: Some(1.0),
        effective_write_availability: Some(1.0),
        events: 9_000,
        violations: Some(0),
        ..Summary::default()
    };
    report.summary.matrix.cells[FinalOutcome::Acked as usize][Fate::Processed as usize] = 200;
    report.busy.truncate(1);
    report.busy[0].spent = Span::from_millis(31);
    report.latency.truncate(1);
    report.lanes.truncate(2);
    for lane in &mut report.lanes {
        lane.stretches = vec![(Time::ZERO, ms(4_000), LaneState::Node(NodeState::Up))];
    }
    report.timeline.buckets.truncate(40);
    for bucket in &mut report.timeline.buckets {
        *bucket = Bucket { attempted: 5, acked: 5, delivered: 5, processed: 5, ..*bucket };
        bucket.lost = 0;
    }
    report.duration = Span::from_secs(4);
    report.ended = ms(4_000);
    report
}

/// Many queues, many faults, no answers asked for, a long drain that never became quiet.
pub(crate) fn crowded_run() -> Report {
    let mut report = crash_run();
    report.scenario = "crowded-with-a-rather-long-name-as-generated-by-a-sweep".to_owned();
    report.description = "Ten queues <on three nodes> & a nemesis that does not sleep: ".repeat(4);
    report.seed = u64::MAX;
    report.quiet = false;
    report.remarks = vec!["the run was not quiet when its drain was over".to_owned()];
    report.ended = ms(640_000);
    report.expectations[0].verdict = Verdict::Undecided;
    let mut catalog = (*report.catalog).clone();
    for i in 1..10 {
        catalog.destinations.push(DestinationInfo { name: format!("invoices.region-{i}.eu.bulk") });
        let roles: Vec<Lane> = report
            .lanes
            .iter()
            .filter(|lane| lane.destination.is_some())
            .take(3)
            .cloned()
            .collect();
        report.lanes.extend(
            roles.into_iter().map(|lane| Lane { destination: Some(DestinationId(i)), ..lane }),
        );
    }
    for i in 0..30_u64 {
        catalog.faults.push(format!("partition n{} from the rest", i % 3 + 1));
        report.faults.push(FaultSpan {
            fault: FaultId(2 + i as u32),
            begun: ms(1_000 + i * 1_250 + wobble(i, 900)),
            ended: (i % 4 != 3).then(|| ms(1_200 + i * 1_250 + wobble(i, 3_000))),
            targets: vec![NodeId(i as u32 % 3)],
        });
    }
    report.catalog = Arc::new(catalog);
    for bucket in &mut report.timeline.buckets {
        bucket.accepted = bucket.acked;
        bucket.acked = 0;
        bucket.ack_p50_us = 0;
        bucket.ack_max_us = 0;
    }
    report.latency.clear();
    report
}
