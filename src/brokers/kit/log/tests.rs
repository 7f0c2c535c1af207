use proptest::prelude::*;

use super::*;
use crate::observe::ProducerId;

fn piece(log: &Log, first: u32, count: u32, epoch: u32, width: u32, whole: bool) -> Piece {
    let messages = MessageRange { producer: ProducerId(0), first, count, bytes: 100 };
    let bytes = u64::from(count) * 110 + u64::from(whole) * 61;
    Piece { base: log.end(), messages, epoch, width, bytes, whole }
}

fn sequences(pieces: impl Iterator<Item = Piece>) -> Vec<u32> {
    pieces.flat_map(|p| p.messages.first..p.messages.first + p.messages.count).collect()
}

#[test]
fn alike_messages_are_one_run() {
    let mut log = Log::new(FileId(0));
    (0..10).for_each(|n| log.append(piece(&log, n * 3, 3, 1, 1, false)));
    assert_eq!(log.pieces().count(), 1);
    log.append(piece(&log, 30, 1, 2, 1, false));
    assert_eq!(log.pieces().count(), 2, "another leader");
    assert_eq!((log.end(), log.length(), log.last_epoch()), (31, 31 * 110, Some(2)));
}

#[test]
fn offsets_may_count_bytes() {
    let mut log = Log::new(FileId(0));
    log.append(piece(&log, 0, 4, 0, 110, false));
    assert_eq!(log.end(), 440);
    assert_eq!(sequences(log.read(220, 440)), [2, 3]);
    assert_eq!(sequences(log.read(220, 439)), [2], "the last one is not complete");
    assert_eq!(log.offset_within(329), 220);
}

#[test]
fn pieces_whose_messages_follow_one_another_are_told_of_as_one() {
    let mut log = Log::new(FileId(0));
    let first = piece(&log, 7, 3, 1, 1, true);
    log.append(first);
    let second = piece(&log, 10, 2, 1, 1, true);
    let both = first.with(&second).expect("they follow one another");
    assert_eq!((both.base, both.end(), both.messages.first), (0, 5, 7));
    assert_eq!(both.bytes, first.bytes + second.bytes);
    assert_eq!(second.with(&first), None);
    assert_eq!(first.with(&Piece { epoch: 2, ..second }), None, "another epoch");
}

#[test]
fn a_whole_batch_is_read_and_cut_as_one() {
    let mut log = Log::new(FileId(0));
    log.append(piece(&log, 0, 4, 0, 1, true));
    log.append(piece(&log, 4, 4, 0, 1, true));
    assert_eq!(sequences(log.read(6, 8)), [4, 5, 6, 7]);
    assert_eq!(sequences(log.read(0, 6)), [0, 1, 2, 3]);
    log.truncate(6, |_| {});
    assert_eq!(log.end(), 4);
}

proptest! {
    /// Against a plain list of messages, whatever is done.
    #[test]
    fn behaves_as_a_list(
        steps in prop::collection::vec((0u8..8, 1u32..9, 0u64..120), 1..60),
        width in prop::sample::select(vec![1u32, 110]),
    ) {
        let mut log = Log::new(FileId(0));
        // (offset, sequence, epoch, the file's length after it)
        let mut list: Vec<(u64, u32, u32, u64)> = Vec::new();
        let (mut next, mut epoch, mut start) = (0, 0, 0);
        for (kind, count, at) in steps {
            let at = at * u64::from(width);
            match kind {
                0..4 => {
                    let new = piece(&log, next, count, epoch, width, false);
                    for index in 0..count {
                        let length = log.length() + u64::from(index + 1) * 110;
                        list.push((new.part(index, 1).base, next + index, epoch, length));
                    }
                    log.append(new);
                    next += count;
                }
                4 => epoch += 1,
                5 => {
                    let mut removed = Vec::new();
                    log.truncate(at, |piece| removed.push(piece));
                    removed.reverse();
                    let gone: Vec<u32> = list
                        .extract_if(.., |(offset, ..)| *offset + u64::from(width) > at.max(start))
                        .map(|m| m.1)
                        .collect();
                    prop_assert_eq!(sequences(removed.into_iter()), gone);
                }
                6 => {
                    let mut removed = Vec::new();
                    log.release(at, |piece| removed.push(piece));
                    let gone: Vec<(u64, u32, u32, u64)> = list
                        .extract_if(.., |(offset, ..)| *offset + u64::from(width) <= at)
                        .collect();
                    if let Some(last) = gone.last() {
                        start = last.0 + u64::from(width);
                    }
                    let gone: Vec<u32> = gone.iter().map(|m| m.1).collect();
                    prop_assert_eq!(sequences(removed.into_iter()), gone);
                }
                _ => {
                    let upto = at + u64::from(count * width);
                    let expected: Vec<u32> = list
                        .iter()
                        .filter(|(offset, ..)| {
                            *offset + u64::from(width) > at && *offset + u64::from(width) <= upto
                        })
                        .map(|m| m.1)
                        .collect();
                    prop_assert_eq!(sequences(log.read(at, upto)), expected);
                    let length = at;
                    let complete = list.iter().rfind(|(.., end)| *end <= length);
                    let expected = complete.map_or(log.start(), |m| m.0 + u64::from(width));
                    prop_assert_eq!(log.offset_within(length), expected);
                }
            }
            let end = list.last().map_or(log.end(), |m| m.0 + u64::from(width));
            prop_assert_eq!(log.end(), end);
            prop_assert_eq!(sequences(log.pieces()), list.iter().map(|m| m.1).collect::<Vec<_>>());
            prop_assert_eq!(log.last_epoch(), list.last().map(|m| m.2));
            if let Some(last) = list.last() {
                prop_assert_eq!(log.length(), last.3);
            }
        }
    }
}
