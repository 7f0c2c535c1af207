use super::*;
use crate::observe::{DestinationId, MessageRange, ProducerId};

const ORDERS: QueueId = DestinationId(0);

fn message(number: u32) -> Jms {
    let range = MessageRange { producer: ProducerId(0), first: number, count: 1, bytes: 100 };
    Jms { range, origin: ORDERS, sequence: number, persistent: true }
}

fn record(op: Op, number: u32, of: u32) -> Record {
    Record { op, queue: ORDERS, message: message(number), of, end: 0 }
}

/// Appends each record as a batch of its own, of 100 bytes; files have 300.
fn journal(records: &[Record]) -> Journal {
    let mut journal = Journal::new(300);
    for record in records {
        journal.file_for(100);
        journal.append([*record], 100);
    }
    journal
}

fn numbers(journal: &Journal) -> Vec<u32> {
    journal.messages().into_iter().map(|(_, message)| message.range.first).collect()
}

#[test]
fn a_file_is_kept_for_a_message_and_for_acknowledgements_of_messages_in_files_that_are_kept() {
    // File 1 holds 0, 1, 2; file 2 acknowledges 1 and 2 and holds 3; file 3 acknowledges 3.
    let adds = |number| record(Op::Add, number, 0);
    let acks = |number| record(Op::Remove, number, 0);
    let mut kept =
        journal(&[adds(0), adds(1), adds(2), acks(1), acks(2), adds(3), acks(3), adds(4)]);
    assert_eq!(kept.collect(), [], "0 pins file 1, which pins 2");
    assert_eq!(kept.files().count(), 3);
    kept.append([acks(0)], 100);
    kept.file_for(100);
    assert_eq!(kept.collect(), [(1, 300), (2, 300)]);
    assert_eq!(kept.files().next(), Some((3, 300)));
}

#[test]
fn records_after_a_damaged_batch_are_found_unless_all_is_cut() {
    let adds: Vec<Record> = (0..6).map(|number| record(Op::Add, number, 0)).collect();
    let kept = |number| if number == 1 { 150 } else { 300 };
    let mut skips = journal(&adds);
    skips.lose(kept, false);
    skips.recover();
    assert_eq!(numbers(&skips), [0, 3, 4, 5]);
    let mut cuts = journal(&adds);
    cuts.lose(kept, true);
    cuts.recover();
    assert_eq!(numbers(&cuts), [0]);
}

#[test]
fn what_is_not_committed_is_rolled_back() {
    let all = [
        record(Op::Add, 0, 7),
        record(Op::Add, 1, 8),
        record(Op::Commit, 0, 7),
        record(Op::Add, 2, 0),
    ];
    let mut journal = journal(&all);
    assert_eq!(numbers(&journal), [0, 2]);
    assert_eq!(journal.recover(), 1);
    assert_eq!(numbers(&journal), [0, 2]);
    assert_eq!(journal.stored(0), 3);
}

#[test]
fn what_was_stored_last_outlives_the_records() {
    let mut journal = journal(&[record(Op::Add, 9, 0), record(Op::Remove, 9, 0)]);
    let audit = journal.audit(message(0));
    journal.append([audit], 100);
    journal.file_for(100);
    journal.append([audit], 100);
    assert_eq!(journal.collect(), [(1, 300)]);
    journal.recover();
    assert_eq!((journal.stored(0), journal.messages().len()), (10, 0));
}
