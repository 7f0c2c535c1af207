use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::observe::NodeId;

const QUEUE: QueueId = QueueId(0);
/// Nodes of the cluster: each has a replica (lane 1) with a ring member (lane 2).
const NODES: u32 = 5;

fn replica(node: u32) -> Pid {
    Pid { node: NodeId(node), lane: Lane(1) }
}

fn gm(node: u32) -> Pid {
    Pid { node: NodeId(node), lane: Lane(2) }
}

fn pids(nodes: &[u32]) -> Vec<Pid> {
    nodes.iter().map(|node| replica(*node)).collect()
}

/// A queue that is led from node 0, with any mirrors in any order of age and in any ring.
fn tables() -> impl Strategy<Value = Tables> {
    let mirrors = subsequence((1..NODES).collect::<Vec<_>>(), 0..NODES as usize).prop_shuffle();
    mirrors.prop_flat_map(|mirrors| {
        let ring: Vec<u32> = std::iter::once(0).chain(mirrors.iter().copied()).collect();
        let ring = Just(ring).prop_shuffle();
        let count = mirrors.len();
        (subsequence(mirrors.clone(), 0..=count), ring).prop_map(move |(in_sync, ring)| {
            let mut tables = Tables::new(1);
            let member = |node: &u32| Member { gm: gm(*node), replica: replica(*node) };
            tables.durable[0] = Some(replica(0));
            tables.queues[0] = Some(QueueRecord {
                mirrors: pids(&mirrors),
                synchronised: pids(&in_sync),
                ring: ring.iter().map(member).collect(),
                ..QueueRecord::of(replica(0))
            });
            tables
        })
    })
}

/// What living members write into the tables when node 0, perhaps with others, has died: its
/// neighbours record its ring member, each replica removes the dead, and `next` takes over.
fn death_of_the_leader() -> impl Strategy<Value = Vec<TableOp>> {
    let others = subsequence((1..NODES).collect::<Vec<_>>(), 0..NODES as usize - 1);
    (others, select((1..NODES).collect::<Vec<_>>())).prop_map(|(others, next)| {
        let others: Vec<u32> = others.into_iter().filter(|node| *node != next).collect();
        let gms = std::iter::once(0).chain(others.iter().copied()).map(gm);
        let mut ops: Vec<TableOp> =
            gms.map(|gm| TableOp::RingWithout { queue: QUEUE, gm }).collect();
        let mut dead = pids(&others);
        ops.push(TableOp::ReplicasWithout { queue: QUEUE, dead: dead.clone(), leader: None });
        dead.push(replica(0));
        let leader = Some(replica(next));
        ops.push(TableOp::ReplicasWithout { queue: QUEUE, dead, leader });
        ops
    })
}

fn any_op() -> impl Strategy<Value = TableOp> {
    let node = || 0..NODES;
    prop_oneof![
        (node(), any::<bool>()).prop_map(|(node, durable)| {
            let ring = vec![Member { gm: gm(node), replica: replica(node) }];
            TableOp::Insert { queue: QUEUE, leader: replica(node), ring, durable, owner: None }
        }),
        any::<bool>().prop_map(|durable| TableOp::Drop { queues: vec![(QUEUE, durable)] }),
        node().prop_map(|node| TableOp::RingWithout { queue: QUEUE, gm: gm(node) }),
        (1..NODES).prop_map(|node| TableOp::ReplicasWithout {
            queue: QUEUE,
            dead: pids(&[node]),
            leader: None
        }),
        (1..NODES, node()).prop_map(|(node, right_of)| TableOp::JoinRing {
            queue: QUEUE,
            member: Member { gm: gm(node), replica: replica(node) },
            right_of: gm(right_of),
        }),
        (1..NODES).prop_map(|node| TableOp::AddMirror { queue: QUEUE, mirror: replica(node) }),
        (1..NODES).prop_map(|node| TableOp::Synchronised { queue: QUEUE, mirror: replica(node) }),
        Just(TableOp::MirrorsStopped { queue: QUEUE }),
    ]
}

fn with(tables: &Tables, ops: &[TableOp]) -> Tables {
    let mut tables = tables.clone();
    ops.iter().for_each(|op| tables.apply(op));
    tables
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Two neighbours may record the same thing.
    #[test]
    fn a_change_twice_is_a_change_once(tables in tables(), op in any_op()) {
        prop_assert_eq!(with(&tables, &[op.clone(), op.clone()]), with(&tables, &[op]));
    }

    /// Commits of different coordinators arrive in any order.
    #[test]
    fn what_is_written_of_a_death_may_come_in_any_order(
        (tables, ops, mixed) in (tables(), death_of_the_leader()).prop_flat_map(|(tables, ops)| {
            (Just(tables), Just(ops.clone()), Just(ops).prop_shuffle())
        })
    ) {
        prop_assert_eq!(with(&tables, &mixed), with(&tables, &ops));
    }

    /// What a record says fits together, whatever has happened to it.
    #[test]
    fn a_record_is_sound(
        tables in tables(),
        ops in proptest::collection::vec(any_op(), 0..12),
    ) {
        let tables = with(&tables, &ops);
        if let Some(record) = tables.queue(QUEUE) {
            let twice = |pid: &&Pid| record.mirrors.iter().filter(|m| m == pid).count() > 1;
            prop_assert!(!record.mirrors.iter().any(|pid| twice(&pid)));
            prop_assert!(record.synchronised.iter().all(|pid| record.mirrors.contains(pid)));
        }
    }
}

/// rabbit_mirror_queue_slave.erl: `add_slave`, "Add to the end, so they are in descending order
/// of age"; gm.erl: the joiner stands to the right of the member it asked.
#[test]
fn a_joiner_is_the_youngest_and_stands_where_it_asked() {
    let mut tables = Tables::new(1);
    let ring = vec![Member { gm: gm(0), replica: replica(0) }];
    let (leader, owner) = (replica(0), None);
    tables.apply(&TableOp::Insert { queue: QUEUE, leader, ring, durable: true, owner });
    for (node, right_of) in [(2, 0), (1, 0)] {
        let member = Member { gm: gm(node), replica: replica(node) };
        let right_of = gm(right_of);
        tables.apply(&TableOp::JoinRing { queue: QUEUE, member, right_of });
        tables.apply(&TableOp::AddMirror { queue: QUEUE, mirror: member.replica });
    }
    let record = tables.queue(QUEUE).expect("it was inserted");
    assert_eq!(record.mirrors, pids(&[2, 1]));
    assert_eq!(record.right_of(gm(0)), Some(gm(1)));
    assert_eq!(record.left_of(gm(0)), Some(gm(2)));
    assert_eq!(record.right_of(gm(3)), None);
}

#[test]
fn a_promotion_is_written_to_disk_and_remembers_what_it_lacked() {
    let mut tables = Tables::new(1);
    tables.queues[0] = Some(QueueRecord {
        mirrors: pids(&[1, 2]),
        synchronised: pids(&[2]),
        ..QueueRecord::of(replica(0))
    });
    tables.durable[0] = Some(replica(0));
    let (dead, leader) = (pids(&[0]), Some(replica(1)));
    tables.apply(&TableOp::ReplicasWithout { queue: QUEUE, dead, leader });
    let record = tables.queue(QUEUE).expect("it is there");
    assert_eq!((record.leader, tables.durable[0]), (replica(1), Some(replica(1))));
    assert_eq!((&record.mirrors, &record.synchronised), (&pids(&[2]), &pids(&[2])));
    assert!(record.promoted_unsynchronised);
}

/// rabbit_amqqueue.erl v3.10 `on_node_down`: a durable queue is still known on disk.
#[test]
fn a_dropped_queue_is_forgotten_for_good_only_if_it_is_not_durable() {
    for durable in [true, false] {
        let mut tables = Tables::new(1);
        let (leader, ring, owner) = (replica(0), Vec::new(), None);
        tables.apply(&TableOp::Insert { queue: QUEUE, leader, ring, durable: true, owner });
        tables.apply(&TableOp::Drop { queues: vec![(QUEUE, durable)] });
        assert_eq!(tables.queue(QUEUE), None);
        assert_eq!(tables.durable[0].is_some(), durable);
    }
}
