//! The store by hand.

use super::*;
use crate::brokers::kit::streams::PartitionId;
use crate::engine::Time;
use crate::observe::{MessageRange, ProducerId};

const Q: QueueId = PartitionId(0);

fn message(number: u32) -> MessageRange {
    MessageRange { producer: ProducerId(0), first: number, count: 1, bytes: 100 }
}

fn entry(number: u32) -> Entry {
    Entry { queue: Q, message: message(number), back: None, stored: Time::ZERO }
}

fn append(store: &mut Store, number: u32) -> Record {
    let record = store.append(&entry(number), 250);
    store.committed = store.log.end();
    record
}

#[test]
fn a_record_never_spans_segments() {
    let mut log = CommitLog::new(1_000);
    let records: Vec<u64> = (0..5).map(|number| log.append(&entry(number), 0, 250).at).collect();
    // Three of 250 fit with the 8 bytes that padding takes at least; the fourth would leave none.
    assert_eq!(records, [0, 250, 500, 1_000, 1_250]);
    assert_eq!(log.last_segment(), 1_000);
    assert!(log.at(750).is_some_and(|record| record.is_padding()));
}

#[test]
fn what_is_dispatched_can_be_found_by_its_offset() {
    let mut store = Store::new(1, 1 << 20);
    let records: Vec<Record> = (0..3).map(|number| append(&mut store, number)).collect();
    assert_eq!(store.message(Q, 0), None, "nothing is dispatched yet");
    assert_eq!(store.dispatch(500), Dispatch::Message(records[0]));
    assert_eq!(store.dispatch(500), Dispatch::Message(records[1]));
    assert_eq!(store.dispatch(500), Dispatch::Nothing, "the third ends behind the limit");
    assert_eq!(store.message(Q, 1), Some(records[1]));
    assert_eq!(store.queues[0].max(), 2);
}

#[test]
fn offsets_of_what_is_cut_are_used_again() {
    let mut store = Store::new(1, 1 << 20);
    for number in 0..3 {
        append(&mut store, number);
    }
    store.recover();
    let mut gone = Vec::new();
    store.cut(500, |record| gone.push(record.message().first));
    store.recover();
    assert_eq!(gone, [2]);
    assert_eq!(append(&mut store, 7).offset, 2, "the offset that message 2 had");
}

#[test]
fn a_torn_record_is_found_out_and_what_is_behind_it_too() {
    let mut log = CommitLog::new(1 << 20);
    for number in 0..4 {
        log.append(&entry(number), u64::from(number), 250);
    }
    let mut gone = Vec::new();
    log.cut(600, |record| gone.push(record.message().first));
    assert_eq!(gone, [3, 2], "of 2 bytes are left");
    assert_eq!((log.end(), log.valid_end(0)), (600, 500));
}

#[test]
fn bytes_that_are_pushed_from_the_middle_of_a_record_are_garbage() {
    let mut store = Store::new(1, 1 << 20);
    for number in 0..2 {
        append(&mut store, number);
    }
    // A master that had lost them has written others: 0..300, 300..600. It pushes from 500 on.
    let mut other = CommitLog::new(1 << 20);
    for number in 10..13 {
        other.append(&entry(number), 0, 300);
    }
    store.log.push(500, 400, &other.beginning_in(500, 900), |_| panic!("none can be found"));
    assert_eq!(store.log.end(), 900);
    while let Dispatch::Message(_) = store.dispatch(900) {}
    assert_eq!(store.dispatch(900), Dispatch::Stuck(500));
    assert_eq!(store.log.valid_end(0), 500);
}

#[test]
fn an_empty_log_begins_where_it_is_pushed_to() {
    let mut log = CommitLog::new(1_000);
    for number in 0..4 {
        log.append(&entry(number), u64::from(number), 250);
    }
    let mut slave = Store::new(1, 1_000);
    let from = log.last_segment();
    slave.log.push(from, (log.end() - from) as u32, &log.beginning_in(from, log.end()), |_| {});
    slave.dispatched = slave.log.start();
    slave.recover();
    assert_eq!((slave.queues[0].min(), slave.queues[0].max()), (3, 4));
}

#[test]
fn a_record_that_comes_in_two_parts_is_there_with_the_second() {
    let mut log = CommitLog::new(1 << 20);
    for number in 0..2 {
        log.append(&entry(number), u64::from(number), 250);
    }
    let (mut slave, mut there) = (CommitLog::new(1 << 20), Vec::new());
    for (from, to) in [(0, 100), (100, 300), (300, 500)] {
        let records = log.beginning_in(from, to);
        let bytes = (to - from) as u32;
        slave.push(from, bytes, &records, |record| there.push((to, record.message().first)));
    }
    assert_eq!(there, [(300, 0), (500, 1)]);
}

#[test]
fn a_segment_that_is_deleted_takes_its_messages_and_their_places_along() {
    let mut store = Store::new(1, 1_000);
    for number in 0..7 {
        append(&mut store, number);
    }
    store.recover();
    // Three records of 250 and padding make a segment.
    assert_eq!(store.log.first_segment(), Some((1_000, Time::ZERO)));
    let mut gone = Vec::new();
    store.delete_before(1_000, |record| gone.push(record.message().first));
    assert_eq!((gone, store.log.start(), store.log.base()), (vec![0, 1, 2], 1_000, 0));
    assert_eq!((store.queues[0].min(), store.queues[0].max()), (3, 7));
    assert_eq!(store.message(Q, 2), None);
    assert_eq!(store.message(Q, 3).map(|record| record.at), Some(1_000));
    store.delete_before(2_000, |_| {});
    assert_eq!(store.log.first_segment(), None, "the last one stays");
}
