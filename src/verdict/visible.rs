//! What clients alone can see to be wrong of a log with offsets, in the words of Jepsen for logs
//! (jepsen-io/redpanda, `workload/queue.clj`): where producers are told that their messages are,
//! and where consumers find messages. Nothing that a broker knows is asked.

use std::collections::BTreeMap;

use crate::observe::{Catalog, ConsumerId, DestinationId, MessageRange, NodeId};

/// Numbers that follow one another go with numbers that do: `from + i` with `to + i`.
#[derive(Clone, Debug, Default)]
struct Pairs {
    /// By `from`: how many, and `to`.
    runs: BTreeMap<u64, (u64, u64)>,
}

impl Pairs {
    /// Notes so many pairs, and returns how many contradict what was known before, which stays.
    fn add(&mut self, from: u64, count: u64, to: u64) -> u64 {
        let (mut at, end, mut wrong) = (from, from + count, 0);
        while at < end {
            let before = self.runs.range(..=at).next_back().map(|(key, run)| (*key, *run));
            if let Some((key, (length, base))) = before.filter(|(key, run)| key + run.0 > at) {
                let upto = end.min(key + length);
                wrong += if base + (at - key) == to + (at - from) { 0 } else { upto - at };
                at = upto;
                continue;
            }
            let next = self.runs.range(at..).next().map_or(end, |(key, _)| *key).min(end);
            let goes_on =
                before.filter(|(key, run)| key + run.0 == at && run.1 + run.0 == to + (at - from));
            match goes_on {
                Some((key, (length, base))) => {
                    self.runs.insert(key, (length + (next - at), base));
                }
                None => {
                    self.runs.insert(at, (next - at, to + (at - from)));
                }
            }
            at = next;
        }
        wrong
    }

    /// How many numbers of a range have a partner.
    fn within(&self, from: u64, to: u64) -> u64 {
        self.parts(from, to).map(|(_, count, _)| count).sum()
    }

    /// The parts of a range that have partners: from, how many, to.
    fn parts(&self, from: u64, end: u64) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        let first = self.runs.range(..=from).next_back().map_or(from, |(key, _)| *key);
        self.runs.range(first..end.max(first)).filter_map(move |(key, (length, base))| {
            let (start, stop) = (from.max(*key), end.min(key + length));
            (start < stop).then(|| (start, stop - start, base + (start - key)))
        })
    }

    fn all(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        self.runs.iter().map(|(from, (count, to))| (*from, *count, *to))
    }

    fn heap(&self) -> usize {
        self.runs.len() * (size_of::<u64>() * 3 + 8)
    }
}

/// What has been seen of one log.
#[derive(Clone, Debug, Default)]
struct Log {
    /// Offset to message.
    at: Pairs,
    /// Message to offset.
    of: Pairs,
    /// The offset after the last message that anybody read.
    read_upto: u64,
    /// What was written in transactions that were aborted.
    aborted: Pairs,
}

/// Where a consumer is in a log.
#[derive(Clone, Copy, Debug)]
struct Position {
    consumer: ConsumerId,
    destination: DestinationId,
    next: u64,
}

/// What clients have seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Visible {
    /// By destination, of the first of those that are one log.
    logs: Vec<Log>,
    /// Of each destination the first that is the same log.
    same: Vec<u32>,
    /// Messages whose producer was told where they are, and those that somebody read.
    acked: Pairs,
    read: Pairs,
    /// Of each producer the latest message whose place it was told, with its offset.
    latest: Vec<Option<(u32, u64)>>,
    positions: Vec<Position>,
    /// What consumers have passed over: log, from, to.
    passed: Vec<(u32, u64, u64)>,
    counts: Sights,
    any: bool,
}

/// How often clients saw something wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sights {
    pub(super) duplicate_values: u64,
    pub(super) inconsistent_offsets: u64,
    pub(super) nonmonotonic_polls: u64,
    pub(super) poll_skips: u64,
    pub(super) nonmonotonic_sends: u64,
    pub(super) lost_writes: u64,
    pub(super) unseen: u64,
    pub(super) aborted_reads: u64,
}

/// Messages as numbers that follow one another within a producer.
fn value(messages: MessageRange) -> u64 {
    u64::from(messages.producer.0) << 32 | u64::from(messages.first)
}

impl Visible {
    /// Nothing yet. Destinations that a producer's messages are all meant for, once for each group
    /// that reads them (`orders/0@a`, `orders/0@b`), are one log.
    pub(super) fn new(catalog: &Catalog) -> Visible {
        let log = |destination: &DestinationId| {
            let name = catalog.destinations[destination.index()].name.as_str();
            name.split_once('@').map_or(name, |(log, _)| log)
        };
        let mut same: Vec<u32> = (0..catalog.destinations.len() as u32).collect();
        for producer in &catalog.producers {
            for destination in &producer.destinations {
                let own = producer.destinations.iter().filter(|one| log(one) == log(destination));
                same[destination.index()] = own.map(|one| one.0).min().unwrap_or(destination.0);
            }
        }
        Visible {
            logs: vec![Log::default(); same.len()],
            same,
            latest: vec![None; catalog.producers.len()],
            ..Visible::default()
        }
    }

    fn sighted(&mut self, log: u32, messages: MessageRange, offset: u64) {
        self.any = true;
        let (value, count) = (value(messages), u64::from(messages.count));
        let log = &mut self.logs[log as usize];
        self.counts.inconsistent_offsets += log.at.add(offset, count, value);
        self.counts.duplicate_values += log.of.add(value, count, offset);
    }

    /// A producer was told where its messages are.
    pub(super) fn placed(&mut self, catalog: &Catalog, messages: MessageRange, offset: u64) {
        let info = &catalog.producers[messages.producer.index()];
        let Some(first) = info.destinations.first() else { return };
        self.sighted(self.same[first.index()], messages, offset);
        let value = value(messages);
        self.acked.add(value, u64::from(messages.count), value);
        let latest = &mut self.latest[messages.producer.index()];
        let (number, last) = (messages.first, messages.first + messages.count - 1);
        if let Some((known, at)) = *latest
            && (number > known) != (offset > at)
            && number != known
        {
            self.counts.nonmonotonic_sends += u64::from(messages.count);
        }
        if latest.is_none_or(|(known, _)| last > known) {
            *latest = Some((last, offset + u64::from(messages.count) - 1));
        }
    }

    /// A consumer was handed messages from an offset on.
    pub(super) fn polled(
        &mut self,
        consumer: ConsumerId,
        destination: DestinationId,
        messages: MessageRange,
        offset: u64,
    ) {
        let log = self.same[destination.index()];
        self.sighted(log, messages, offset);
        let (value, count) = (value(messages), u64::from(messages.count));
        self.read.add(value, count, value);
        let next = offset + count;
        let upto = &mut self.logs[log as usize].read_upto;
        *upto = next.max(*upto);
        let own = |one: &&mut Position| (one.consumer, one.destination) == (consumer, destination);
        match self.positions.iter_mut().find(own) {
            None => self.positions.push(Position { consumer, destination, next }),
            Some(position) => {
                if offset < position.next {
                    self.counts.nonmonotonic_polls += 1;
                } else if offset > position.next {
                    self.passed.push((log, position.next, offset));
                }
                position.next = next;
            }
        }
    }

    /// What is at these offsets was written in a transaction that is aborted.
    pub(super) fn aborted(&mut self, destination: DestinationId, offset: u64, count: u64) {
        let log = &mut self.logs[self.same[destination.index()] as usize];
        log.aborted.add(offset, count, offset);
    }

    /// A consumer goes on elsewhere, and knows that it does.
    pub(super) fn moved(&mut self, consumer: ConsumerId, destination: DestinationId) {
        self.positions.retain(|one| (one.consumer, one.destination) != (consumer, destination));
    }

    /// A host's process is another one from now on.
    pub(super) fn restarted(&mut self, catalog: &Catalog, node: NodeId) {
        self.positions.retain(|one| catalog.consumers[one.consumer.index()].node != node);
    }

    /// What it comes to; `None` where there are no offsets.
    pub(super) fn finish(&self) -> Option<Sights> {
        let mut counts = self.any.then_some(self.counts)?;
        for (log, from, to) in &self.passed {
            counts.poll_skips += self.logs[*log as usize].at.within(*from, *to);
        }
        for (from, count, _) in self.acked.all() {
            counts.unseen += count - self.read.within(from, from + count);
        }
        for log in &self.logs {
            // Of the messages of a transaction no producer is told where they are: who knows has read.
            let aborted =
                log.aborted.all().map(|(from, count, _)| log.at.within(from, from + count));
            counts.aborted_reads += aborted.sum::<u64>();
            for (from, count, offset) in log.of.all() {
                // Those before the last one that was read, which were acknowledged and not read.
                let before = log.read_upto.saturating_sub(offset).min(count);
                let unread = |(from, count, _)| count - self.read.within(from, from + count);
                let acked = self.acked.parts(from, from + before);
                counts.lost_writes += acked.map(unread).sum::<u64>();
            }
        }
        Some(counts)
    }

    /// Bytes on the heap.
    pub(super) fn heap(&self) -> usize {
        let logs: usize = self.logs.iter().map(|log| log.at.heap() + log.of.heap()).sum();
        logs + self.acked.heap() + self.read.heap() + self.logs.capacity() * size_of::<Log>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::stories::{C1, ORDERS, P1, catalog, range};

    fn seen() -> (Visible, Catalog) {
        let catalog = catalog();
        (Visible::new(&catalog), catalog)
    }

    #[test]
    fn pairs_join_and_contradictions_are_counted() {
        let mut pairs = Pairs::default();
        assert_eq!(pairs.add(10, 5, 100), 0);
        assert_eq!(pairs.add(15, 5, 105), 0, "goes on");
        assert_eq!(pairs.runs.len(), 1);
        assert_eq!(pairs.add(8, 4, 98), 0, "the first two are new");
        assert_eq!(pairs.add(18, 6, 0), 2, "18 and 19 are known to be elsewhere");
        assert_eq!(pairs.within(0, 100), 16);
        assert_eq!(pairs.parts(9, 12).collect::<Vec<_>>(), [(9, 1, 99), (10, 2, 100)]);
    }

    #[test]
    fn an_acknowledged_message_below_what_was_read_is_a_lost_write() {
        let (mut seen, catalog) = seen();
        seen.placed(&catalog, range(P1, 0, 10), 0);
        seen.polled(C1, ORDERS, range(P1, 0, 4), 0);
        seen.polled(C1, ORDERS, range(P1, 6, 2), 6);
        let counts = seen.finish().expect("there are offsets");
        assert_eq!((counts.lost_writes, counts.unseen, counts.poll_skips), (2, 4, 2));
        assert_eq!((counts.duplicate_values, counts.inconsistent_offsets), (0, 0));
    }

    #[test]
    fn a_message_at_two_offsets_is_a_duplicate_and_two_at_one_are_inconsistent() {
        let (mut seen, catalog) = seen();
        seen.placed(&catalog, range(P1, 0, 2), 0);
        seen.polled(C1, ORDERS, range(P1, 0, 2), 0);
        seen.polled(C1, ORDERS, range(P1, 0, 2), 2);
        seen.placed(&catalog, range(P1, 5, 1), 1);
        let counts = seen.finish().expect("there are offsets");
        assert_eq!((counts.duplicate_values, counts.inconsistent_offsets), (2, 1));
    }

    #[test]
    fn what_was_aborted_and_read_is_an_aborted_read_once() {
        let (mut seen, _) = seen();
        seen.polled(C1, ORDERS, range(P1, 0, 5), 0);
        seen.aborted(ORDERS, 3, 4);
        seen.aborted(ORDERS, 3, 4);
        assert_eq!(seen.finish().expect("there are offsets").aborted_reads, 2);
    }

    #[test]
    fn polls_and_sends_that_go_back_are_counted() {
        let (mut seen, catalog) = seen();
        seen.placed(&catalog, range(P1, 1, 1), 0);
        seen.placed(&catalog, range(P1, 0, 1), 1);
        seen.polled(C1, ORDERS, range(P1, 1, 1), 0);
        seen.polled(C1, ORDERS, range(P1, 1, 1), 0);
        let counts = seen.finish().expect("there are offsets");
        assert_eq!((counts.nonmonotonic_sends, counts.nonmonotonic_polls), (1, 1));
        // Another process begins where it wants.
        seen.restarted(&catalog, catalog.consumers[C1.index()].node);
        seen.polled(C1, ORDERS, range(P1, 1, 1), 0);
        assert_eq!(seen.finish().expect("there are offsets").nonmonotonic_polls, 1);
    }
}
