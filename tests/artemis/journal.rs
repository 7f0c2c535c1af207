//! The journal by itself.

use mqsim::brokers::artemis::message::CoreMessage;
use mqsim::brokers::artemis::store::{Op, Record, Store};
use mqsim::observe::{DestinationId, MessageRange, ProducerId};

const QUEUE: DestinationId = DestinationId(0);

fn message(first: u32) -> CoreMessage {
    let range = MessageRange { producer: ProducerId(0), first, count: 1, bytes: 40 };
    CoreMessage { range, origin: QUEUE, durable: true, duplicate_id: first >= 100 }
}

/// Appends records of 100 bytes for message `id`, in a transaction if it is not 0.
fn append(store: &mut Store, ops: &[Op], id: u64, of: u32) {
    for op in ops {
        let message = message(id as u32);
        store.append(Record { op: *op, queue: QUEUE, of, message, id, end: 0 }, 100);
    }
}

fn ids(store: &Store) -> Vec<u64> {
    store.messages().map(|(id, _)| id).collect()
}

const SEND: [Op; 2] = [Op::Body, Op::Reference];

#[test]
fn a_body_without_a_reference_is_no_message() {
    let mut store = Store::new(1_000, 10);
    append(&mut store, &SEND, 1, 0);
    append(&mut store, &SEND, 2, 0);
    store.lose(|_| 350);
    assert_eq!(store.load(), 0);
    assert_eq!(ids(&store), [1]);
    assert_eq!(store.end(), 300, "it goes on behind the last record that is whole");
}

#[test]
fn a_transaction_is_there_as_a_whole_or_not_at_all() {
    let mut store = Store::new(300, 10);
    append(&mut store, &SEND, 1, 7);
    append(&mut store, &SEND, 2, 7);
    assert!(ids(&store).is_empty());
    append(&mut store, &[Op::Commit(4)], 2, 7);
    assert_eq!(ids(&store), [1, 2]);
    // Without its first file the commit does not count.
    store.lose(|file| if file == 0 { 0 } else { 300 });
    assert_eq!(store.load(), 0);
    assert!(ids(&store).is_empty());
}

#[test]
fn a_file_is_kept_for_what_it_holds_and_for_acknowledgements_of_what_is_in_files_that_are_kept() {
    let mut store = Store::new(400, 10);
    append(&mut store, &SEND, 1, 0);
    append(&mut store, &SEND, 2, 0);
    append(&mut store, &[Op::Ack, Op::Count(1), Op::Count(2), Op::Count(3)], 2, 0);
    append(&mut store, &SEND, 3, 0);
    append(&mut store, &[Op::Ack], 3, 0);
    append(&mut store, &SEND, 4, 0);
    assert!(store.collect().is_empty(), "message 1 holds the first file, and that the second");
    append(&mut store, &[Op::Ack, Op::Ack], 1, 0);
    append(&mut store, &SEND, 5, 0);
    let gone: Vec<u32> = store.collect().into_iter().map(|(file, _)| file).collect();
    assert_eq!(gone, [0, 1]);
    assert_eq!(ids(&store), [4, 5]);
    store.load();
    assert_eq!(ids(&store), [4, 5], "nothing comes back");
}

#[test]
fn an_address_remembers_the_last_duplicate_ids() {
    let mut store = Store::new(100_000, 3);
    for id in 100..104 {
        append(&mut store, &SEND, id, 0);
        append(&mut store, &[Op::Ack], id, 0);
    }
    store.load();
    let known = (100..104).map(|id| store.is_duplicate(&message(id))).collect::<Vec<_>>();
    assert_eq!(known, [false, true, true, true]);
}
