//! Partitions as destinations, and streams: what one producer sends to one partition.
//!
//! A destination of the ledger is a partition, once for each consumer group if there are several:
//! `orders/0`, `orders/0@billing`. Brokers with logs promise order and number offsets within a
//! partition (a queue of RocketMQ's) only, so every pair of a scenario's producer (a *writer* here) and a partition of its topic has
//! a [`ProducerId`] of its own, the stream. Sequence numbers of a stream are dense: a message's
//! place among those that its writer meant for this partition. A batch is then one
//! [`MessageRange`].
//!
//! Everything here is arithmetic on tables that never change, made once a run and shared.

use std::ops::Range;

use super::Sends;
use crate::observe::{DestinationId, MessageRange, ProducerId};

/// What brokers write among the messages of a partition (control batches), as a stream. No observer hears
/// of it.
pub const CONTROL: ProducerId = ProducerId(u32::MAX);

/// A partition among all of a scenario, in the order of topics and within them. The index of its
/// first destination is another number if there are several groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub u32);

impl PartitionId {
    /// As an index into a dense table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What the table of streams must know of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPlan {
    /// Its name.
    pub name: String,
    /// What its partitions are called behind the slash: `0`, or `1-0`.
    pub partitions: Vec<String>,
    /// The consumer groups that read it. With one or none a partition is one destination.
    pub groups: Vec<String>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its topic, by place.
    pub topic: u32,
    /// Its place among the partitions of its topic.
    pub index: u32,
    /// `orders/0`.
    pub name: String,
    /// Its destinations: one for each group, in the order of [`TopicPlan::groups`].
    destinations: Vec<DestinationId>,
}

/// What a writer sends to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Writer {
    /// The first of its streams; one a partition of its topic follows.
    first: u32,
    topic: u32,
}

/// The table of partitions, destinations and streams of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    /// The partitions of each topic.
    topics: Vec<Range<u32>>,
    partitions: Vec<Partition>,
    writers: Vec<Writer>,
    /// Of each stream: writer and partition.
    streams: Vec<(u32, PartitionId)>,
    destinations: Vec<String>,
    /// Of each destination its partition.
    of_destination: Vec<PartitionId>,
    /// Where the partitions of internal topics begin, if there are any.
    internal: Option<u32>,
    /// How many streams writers have; behind them are those of what applications pass on.
    own: u32,
    /// Of each stream behind those, the writer's stream that it passes on.
    origins: Vec<ProducerId>,
}

impl Streams {
    /// The table for these topics; `writers` are the topics that the scenario's producers send
    /// to, by place, in the order of the scenario.
    #[must_use]
    pub fn new(topics: &[TopicPlan], writers: &[u32]) -> Streams {
        let mut table = Streams::default();
        for (topic, plan) in topics.iter().enumerate() {
            let first = table.partitions.len() as u32;
            for (index, part) in plan.partitions.iter().enumerate() {
                table.add_partition(topic as u32, index as u32, plan, part);
            }
            table.topics.push(first..table.partitions.len() as u32);
        }
        for (writer, topic) in writers.iter().enumerate() {
            table.writers.push(Writer { first: table.streams.len() as u32, topic: *topic });
            let partitions = table.topics[*topic as usize].clone().map(PartitionId);
            table.streams.extend(partitions.map(|partition| (writer as u32, partition)));
        }
        table.own = table.streams.len() as u32;
        table
    }

    /// An application passes on what is in one topic to another, each message to the partition with
    /// the same place (modulo how many there are). What it writes are the same messages, with lines of
    /// their own: whoever sent them means them to come out there as well.
    pub fn forward(&mut self, from: u32, to: u32) {
        if self.origins.iter().enumerate().any(|(at, origin)| {
            let (_, partition) = self.streams[self.own as usize + at];
            self.get(self.meant_for(*origin)).topic == from && self.get(partition).topic == to
        }) {
            return;
        }
        let count = self.topics[to as usize].len() as u32;
        for stream in 0..self.own {
            let (writer, partition) = self.streams[stream as usize];
            let Partition { topic, index, .. } = *self.get(partition);
            if topic == from {
                self.streams.push((writer, self.partition(to, index % count)));
                self.origins.push(ProducerId(stream));
            }
        }
    }

    /// The stream as which the messages of a writer's stream are passed on to a topic.
    #[must_use]
    pub fn forwarded(&self, stream: ProducerId, to: u32) -> Option<ProducerId> {
        let all = (self.own..).zip(&self.origins);
        let found = |(id, origin): &(u32, &ProducerId)| {
            **origin == stream && self.get(self.streams[*id as usize].1).topic == to
        };
        all.into_iter().find(found).map(|(id, _)| ProducerId(id))
    }

    /// The lines of the messages of a stream where they are passed on to.
    pub fn forwarded_lines(&self, stream: ProducerId) -> impl Iterator<Item = &DestinationId> {
        let all = (self.own..).zip(&self.origins);
        let own = all.filter(move |(_, origin)| **origin == stream);
        own.flat_map(|(id, _)| self.destinations(ProducerId(id)))
    }

    /// What an observer is told of messages that are stored: as their writer numbered them, and their
    /// lines there.
    #[must_use]
    pub fn told(&self, messages: MessageRange) -> (MessageRange, &[DestinationId]) {
        let origin = messages.producer.0.checked_sub(self.own);
        let origin = origin.and_then(|at| self.origins.get(at as usize));
        let producer = origin.copied().unwrap_or(messages.producer);
        (MessageRange { producer, ..messages }, self.destinations(messages.producer))
    }

    /// Adds a topic of the brokers' own (`__consumer_offsets`), behind those of the scenario. Its partitions
    /// are no destinations: nobody's messages go there.
    pub fn add_internal(&mut self, name: &str, partitions: u32) {
        let (topic, first) = (self.topics.len() as u32, self.partitions.len() as u32);
        self.internal.get_or_insert(first);
        self.partitions.extend((0..partitions).map(|index| Partition {
            topic,
            index,
            name: format!("{name}/{index}"),
            destinations: Vec::new(),
        }));
        self.topics.push(first..first + partitions);
    }

    /// Whether a partition is of an internal topic.
    #[must_use]
    pub fn is_internal(&self, partition: PartitionId) -> bool {
        self.internal.is_some_and(|first| partition.0 >= first)
    }

    /// What brokers themselves write to a partition of an internal topic, as a stream. No observer
    /// hears of it, and the catalogue does not know it.
    #[must_use]
    pub fn internal_stream(&self, partition: PartitionId) -> ProducerId {
        let first = self.internal.unwrap_or(partition.0);
        ProducerId(self.streams.len() as u32 + partition.0 - first)
    }

    fn add_partition(&mut self, topic: u32, index: u32, plan: &TopicPlan, part: &str) {
        let partition = PartitionId(self.partitions.len() as u32);
        let name = format!("{}/{part}", plan.name);
        let names = match &plan.groups[..] {
            [] | [_] => vec![name.clone()],
            groups => groups.iter().map(|group| format!("{name}@{group}")).collect(),
        };
        let first = self.destinations.len() as u32;
        let destinations = (first..first + names.len() as u32).map(DestinationId).collect();
        self.of_destination.extend(names.iter().map(|_| partition));
        self.destinations.extend(names);
        self.partitions.push(Partition { topic, index, name, destinations });
    }

    /// All partitions, in order.
    #[must_use]
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// The partitions of a topic, in order.
    pub fn of_topic(&self, topic: u32) -> impl ExactSizeIterator<Item = PartitionId> + use<> {
        self.topics[topic as usize].clone().map(PartitionId)
    }

    /// The partition of a topic with this place; there must be one.
    #[must_use]
    pub fn partition(&self, topic: u32, index: u32) -> PartitionId {
        debug_assert!(
            index < self.topics[topic as usize].len() as u32,
            "there is such a partition"
        );
        PartitionId(self.topics[topic as usize].start + index)
    }

    /// What is known of a partition.
    #[must_use]
    pub fn get(&self, partition: PartitionId) -> &Partition {
        &self.partitions[partition.index()]
    }

    /// The topic that a writer sends to.
    #[must_use]
    pub fn topic_of(&self, writer: u32) -> u32 {
        self.writers[writer as usize].topic
    }

    /// The stream of a writer to a partition of its topic.
    #[must_use]
    pub fn stream(&self, writer: u32, partition: PartitionId) -> ProducerId {
        let Writer { first, topic } = self.writers[writer as usize];
        debug_assert_eq!(topic, self.get(partition).topic, "a writer has one topic");
        ProducerId(first + self.get(partition).index)
    }

    /// Whose stream it is.
    #[must_use]
    pub fn writer(&self, stream: ProducerId) -> u32 {
        self.streams[stream.index()].0
    }

    /// The partition that the messages of a stream were meant for, wherever they are.
    #[must_use]
    pub fn meant_for(&self, stream: ProducerId) -> PartitionId {
        let own = || {
            let behind = stream.0 - self.streams.len() as u32;
            PartitionId(self.internal.unwrap_or(0) + behind)
        };
        self.streams.get(stream.index()).map_or_else(own, |(_, partition)| *partition)
    }

    /// The lines of each message of a stream: its partition, once for each group.
    #[must_use]
    pub fn destinations(&self, stream: ProducerId) -> &[DestinationId] {
        if stream == CONTROL {
            return &[];
        }
        self.destinations_of(self.meant_for(stream))
    }

    /// The destinations of a partition: one for each group.
    #[must_use]
    pub fn destinations_of(&self, partition: PartitionId) -> &[DestinationId] {
        &self.partitions[partition.index()].destinations
    }

    /// The line of a stream's messages as a group sees it (its place among the topic's groups).
    #[must_use]
    pub fn destination(&self, stream: ProducerId, group: usize) -> DestinationId {
        self.seen_by(self.meant_for(stream), group)
    }

    /// A partition as a group sees it.
    #[must_use]
    pub fn seen_by(&self, partition: PartitionId, group: usize) -> DestinationId {
        let all = self.destinations_of(partition);
        all[group.min(all.len() - 1)]
    }

    /// The partition behind a destination.
    #[must_use]
    pub fn partition_of(&self, destination: DestinationId) -> PartitionId {
        self.of_destination[destination.index()]
    }

    /// How many streams writers have.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.own as usize
    }

    /// The names of the destinations.
    #[must_use]
    pub fn destination_names(&self) -> Vec<String> {
        self.destinations.clone()
    }

    /// The streams for the catalogue, each by its writer; `unanswered` tells of each writer whether
    /// it asks for no answer.
    pub fn senders(&self, unanswered: impl Fn(u32) -> bool) -> Vec<Sends> {
        let sends = |(stream, (writer, partition)): (u32, &(u32, PartitionId))| {
            let own = self.destinations_of(*partition).iter();
            Sends {
                host: *writer as usize,
                to: own.chain(self.forwarded_lines(ProducerId(stream))).copied().collect(),
                unanswered: unanswered(*writer),
            }
        };
        (0..).zip(&self.streams[..self.own as usize]).map(sends).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Streams {
        let plan = |name: &str, partitions: &[&str], groups: &[&str]| TopicPlan {
            name: name.to_owned(),
            partitions: partitions.iter().map(|part| (*part).to_owned()).collect(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        };
        let topics = [plan("a", &["1-0", "2-0"], &[]), plan("b", &["0", "1"], &["g1", "g2"])];
        Streams::new(&topics, &[1, 0, 1])
    }

    #[test]
    fn every_group_of_several_has_its_own_destination() {
        let names = table().destination_names();
        assert_eq!(names, ["a/1-0", "a/2-0", "b/0@g1", "b/0@g2", "b/1@g1", "b/1@g2"]);
        let table = table();
        let last = table.partition(1, 1);
        assert_eq!(table.get(last).name, "b/1");
        assert_eq!(table.seen_by(last, 1), DestinationId(5));
        assert_eq!(table.partition_of(DestinationId(4)), last);
        assert_eq!(table.seen_by(table.partition(0, 1), 3), DestinationId(1), "one for all");
    }

    #[test]
    fn an_internal_topic_has_partitions_and_streams_but_no_destinations() {
        let mut table = table();
        let before = (table.destination_names(), table.count());
        table.add_internal("__consumer_offsets", 3);
        assert_eq!((table.destination_names(), table.count()), before);
        let last = table.partition(2, 2);
        assert_eq!(table.get(last).name, "__consumer_offsets/2");
        assert!(table.is_internal(last) && !table.is_internal(table.partition(1, 1)));
        assert_eq!(table.meant_for(table.internal_stream(last)), last);
        assert!(table.destinations(table.internal_stream(last)).is_empty());
    }

    #[test]
    fn what_is_passed_on_are_the_same_messages_with_lines_of_their_own() {
        let mut table = table();
        table.forward(1, 0);
        table.forward(1, 0);
        table.add_internal("__transaction_state", 2);
        let (first, last) = (table.stream(0, table.partition(1, 0)), table.partition(1, 1));
        let onward = table.forwarded(first, 0).expect("it is passed on");
        assert_eq!(table.meant_for(onward), table.partition(0, 0));
        let messages = MessageRange { producer: onward, first: 3, count: 2, bytes: 10 };
        let (told, lines) = table.told(messages);
        assert_eq!((told.producer, told.first, lines), (first, 3, &[DestinationId(0)][..]));
        assert_eq!((table.count(), table.senders(|_| false).len()), (6, 6));
        let infos = table.senders(|_| false);
        assert_eq!(infos[0].to, [DestinationId(2), DestinationId(3), DestinationId(0)]);
        assert_eq!(infos[2].to, [DestinationId(0)], "what goes there anyway");
        assert_eq!(
            table.forwarded(table.stream(2, last), 0).map(|d| table.meant_for(d).0),
            Some(1)
        );
        assert!(table.destinations(CONTROL).is_empty());
    }

    #[test]
    fn every_writer_has_a_stream_to_each_partition_of_its_topic() {
        let table = table();
        assert_eq!(table.count(), 6);
        for writer in 0..3 {
            for partition in table.of_topic(table.topic_of(writer)) {
                let stream = table.stream(writer, partition);
                assert_eq!((table.writer(stream), table.meant_for(stream)), (writer, partition));
            }
        }
        let infos = table.senders(|writer| writer == 1);
        assert_eq!(infos.len(), 6);
        assert_eq!((infos[2].host, infos[2].unanswered), (1, true));
        assert_eq!(infos[5].to, [DestinationId(4), DestinationId(5)]);
    }
}
