//! The consumers of a queue, and which of them is served next (rabbit_queue_consumers.erl, v3.10).

use std::collections::VecDeque;

use super::super::super::message::amqp::Terms;
use super::super::super::message::{Pid, QueueSeq};

/// A queue stops sending to a channel with so many deliveries that its writer has not passed on
/// (rabbit_queue_consumers.erl: `?UNSENT_MESSAGE_LIMIT`).
const UNSENT_MESSAGE_LIMIT: u32 = 200;

/// A channel at its queue: its consumer, and what it has not acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    pub(crate) channel: Pid,
    pub(crate) terms: Terms,
    /// Messages it has not acknowledged, in the order in which it got them.
    pub(crate) unacked: VecDeque<QueueSeq>,
    /// Deliveries that the channel's writer has not passed on.
    pub(crate) unsent: u32,
    /// It has a consumer. It has none if that was cancelled, or if it asks message by message, and
    /// is kept for what it has not acknowledged.
    pub(crate) consuming: bool,
    /// It had no room when its turn came, and waits aside until it has.
    blocked: bool,
    /// Its node cannot be reached: it is assigned nothing (a quorum queue's `suspected_down`).
    suspected: bool,
}

impl Consumer {
    fn new(channel: Pid) -> Consumer {
        let (terms, unacked) = (Terms::default(), VecDeque::new());
        let (consuming, blocked, suspected) = (false, false, false);
        Consumer { channel, terms, unacked, unsent: 0, consuming, blocked, suspected }
    }

    /// rabbit_limiter.erl `can_send` with the credit that `basic.qos` gives, and `is_ch_blocked`.
    fn has_room(&self, unsent_limit: bool) -> bool {
        let Terms { prefetch, no_ack, .. } = self.terms;
        let credit = prefetch == 0 || no_ack || (self.unacked.len() as u32) < prefetch;
        credit && !self.suspected && (self.unsent < UNSENT_MESSAGE_LIMIT || !unsent_limit)
    }
}

/// Consumers of one priority that had room, in the order in which they are served.
#[derive(Clone, Debug)]
struct Band {
    priority: i32,
    channels: VecDeque<Pid>,
}

/// The queue is in exclusive use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InUse;

/// A queue's consumers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Consumers {
    records: Vec<Consumer>,
    /// The greatest priority first.
    bands: Vec<Band>,
    /// The exclusive consumer, or the single active one.
    pub(crate) holder: Option<Pid>,
    /// There has been a consumer.
    pub(crate) had: bool,
}

impl Consumers {
    /// The record of a channel.
    pub(crate) fn of(&mut self, channel: Pid) -> Option<&mut Consumer> {
        self.records.iter_mut().find(|record| record.channel == channel)
    }

    /// The record at an index that [`Self::next`] gave.
    pub(crate) fn at(&mut self, index: usize) -> &mut Consumer {
        &mut self.records[index]
    }

    /// Where a channel's record is, which there must be.
    pub(crate) fn index(&self, channel: Pid) -> usize {
        let at = self.records.iter().position(|record| record.channel == channel);
        at.expect("the channel has a record")
    }

    /// Whether there is a channel that has, or had, a consumer here.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many consumers there are.
    pub(crate) fn count(&self) -> usize {
        self.records.iter().filter(|record| record.consuming).count()
    }

    /// The record of a channel, made if there is none.
    pub(crate) fn record(&mut self, channel: Pid) -> &mut Consumer {
        let known = self.records.iter().position(|record| record.channel == channel);
        let at = known.unwrap_or_else(|| {
            self.records.push(Consumer::new(channel));
            self.records.len() - 1
        });
        &mut self.records[at]
    }

    /// A channel subscribes (rabbit_amqqueue_process.erl: `basic_consume`). What it holds of an
    /// earlier subscription it keeps.
    pub(crate) fn add(
        &mut self,
        channel: Pid,
        terms: Terms,
        single_active: bool,
    ) -> Result<(), InUse> {
        // `check_exclusive_access`; with a single active consumer nobody may be exclusive.
        let refused = if single_active {
            terms.exclusive
        } else {
            let alone = self.records.iter().all(|r| !r.consuming || r.channel == channel);
            self.holder.is_some_and(|holder| holder != channel) || (terms.exclusive && !alone)
        };
        if refused {
            return Err(InUse);
        }
        self.dequeue(channel);
        let record = self.record(channel);
        (record.terms, record.consuming, record.blocked) = (terms, true, false);
        self.enqueue(channel, terms.priority);
        self.had = true;
        if terms.exclusive || (single_active && self.holder.is_none()) {
            self.holder = Some(channel);
        }
        Ok(())
    }

    fn enqueue(&mut self, channel: Pid, priority: i32) {
        let at = self.bands.partition_point(|band| band.priority > priority);
        if self.bands.get(at).is_none_or(|band| band.priority != priority) {
            self.bands.insert(at, Band { priority, channels: VecDeque::new() });
        }
        self.bands[at].channels.push_back(channel);
    }

    fn dequeue(&mut self, channel: Pid) {
        for band in &mut self.bands {
            band.channels.retain(|other| *other != channel);
        }
        self.bands.retain(|band| !band.channels.is_empty());
    }

    /// A channel's consumer is gone; if it was the single active one, the next in line is.
    fn without(&mut self, channel: Pid, single_active: bool) {
        self.dequeue(channel);
        if self.holder == Some(channel) {
            // `get_consumer`: the first of the greatest priority.
            let next = self.bands.first().and_then(|band| band.channels.front().copied());
            self.holder = next.filter(|_| single_active);
        }
    }

    /// `basic.cancel`: the channel keeps what it has until it has settled it
    /// (rabbit_queue_consumers.erl: `remove` leaves the channel's acknowledgement tags).
    pub(crate) fn cancel(&mut self, channel: Pid, single_active: bool) {
        if let Some(record) = self.of(channel) {
            record.consuming = false;
        }
        self.without(channel, single_active);
        self.forget_idle();
    }

    /// A channel's node cannot be reached, or can be again.
    pub(crate) fn suspect(&mut self, channel: Pid, suspected: bool) {
        if let Some(record) = self.of(channel) {
            record.suspected = suspected;
        }
    }

    /// The single active consumer lets the next in line go before it.
    pub(crate) fn step_aside(&mut self, channel: Pid, single_active: bool) {
        if single_active && self.holder == Some(channel) {
            self.without(channel, single_active);
            if let Some(record) = self.of(channel).filter(|record| record.consuming) {
                record.blocked = false;
                let priority = record.terms.priority;
                self.enqueue(channel, priority);
                // Nobody else is there.
                self.holder = self.holder.or(Some(channel));
            }
        }
    }

    /// A channel is down: what it had not acknowledged.
    pub(crate) fn erase(&mut self, channel: Pid, single_active: bool) -> Option<Consumer> {
        let at = self.records.iter().position(|record| record.channel == channel)?;
        let record = self.records.remove(at);
        self.without(channel, single_active);
        Some(record)
    }

    /// Forgets channels that have neither a consumer nor anything to acknowledge.
    pub(crate) fn forget_idle(&mut self) {
        self.records.retain(|record| record.consuming || !record.unacked.is_empty());
    }

    /// The consumer that the next message goes to (`deliver`): round-robin over those with room,
    /// the greatest priority first; with a single active consumer that one or none.
    pub(crate) fn next(&mut self, single_active: bool, unsent_limit: bool) -> Option<usize> {
        if single_active {
            let holder = self.holder?;
            let at = self.records.iter().position(|record| record.channel == holder)?;
            if self.records[at].blocked {
                return None;
            }
            if self.records[at].has_room(unsent_limit) {
                return Some(at);
            }
            self.records[at].blocked = true;
            self.dequeue(holder);
            return None;
        }
        loop {
            let band = self.bands.first_mut()?;
            let channel = band.channels.pop_front()?;
            let at = self.records.iter().position(|record| record.channel == channel);
            let at = at.filter(|at| self.records[*at].has_room(unsent_limit));
            if at.is_some() {
                band.channels.push_back(channel);
                return at;
            }
            if band.channels.is_empty() {
                self.bands.remove(0);
            }
            if let Some(record) = self.of(channel) {
                record.blocked = true;
            }
        }
    }

    /// A consumer that waited aside may have room again: it is the last to be served
    /// (`possibly_unblock`, `unblock`).
    pub(crate) fn unblock(&mut self, channel: Pid, unsent_limit: bool) {
        let Some(record) = self.of(channel) else { return };
        if record.blocked && record.has_room(unsent_limit) {
            record.blocked = false;
            if record.consuming {
                let priority = record.terms.priority;
                self.enqueue(channel, priority);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::NodeId;
    use crate::world::Lane;

    fn channel(number: u32) -> Pid {
        Pid { node: NodeId(0), lane: Lane(number) }
    }

    fn terms(prefetch: u32, priority: i32) -> Terms {
        Terms { prefetch, priority, ..Terms::default() }
    }

    /// Serves so many messages; the lanes that get them.
    fn serve(consumers: &mut Consumers, single: bool, count: u64) -> Vec<u32> {
        let mut served = Vec::new();
        for id in 0..count {
            let Some(at) = consumers.next(single, true) else { break };
            consumers.at(at).unacked.push_back(id);
            served.push(consumers.at(at).channel.lane.0);
        }
        served
    }

    #[test]
    fn round_robin_within_a_priority_and_the_greatest_first() {
        let mut consumers = Consumers::default();
        for (number, terms) in [(1, terms(1, 0)), (2, terms(2, 5)), (3, terms(2, 5))] {
            consumers.add(channel(number), terms, false).expect("nobody is exclusive");
        }
        assert_eq!(serve(&mut consumers, false, 9), [2, 3, 2, 3, 1]);
        consumers.of(channel(3)).expect("it is there").unacked.clear();
        consumers.unblock(channel(3), true);
        assert_eq!(serve(&mut consumers, false, 9), [3, 3]);
    }

    #[test]
    fn an_exclusive_consumer_is_alone() {
        let mut consumers = Consumers::default();
        let exclusive = Terms { exclusive: true, ..Terms::default() };
        consumers.add(channel(1), exclusive, false).expect("it is the first");
        assert_eq!(consumers.add(channel(2), terms(0, 0), false), Err(InUse));
        consumers.erase(channel(1), false);
        consumers.add(channel(2), terms(0, 0), false).expect("the queue is free");
        assert_eq!(consumers.add(channel(3), exclusive, false), Err(InUse), "there is another");
    }

    #[test]
    fn the_single_active_consumer_has_successors_in_the_order_of_priority_and_arrival() {
        let mut consumers = Consumers::default();
        for (number, priority) in [(1, 0), (2, 0), (3, 1)] {
            consumers.add(channel(number), terms(2, priority), true).expect("none is exclusive");
        }
        assert_eq!(serve(&mut consumers, true, 9), [1, 1], "a greater priority takes nothing over");
        consumers.erase(channel(1), true);
        assert_eq!(serve(&mut consumers, true, 1), [3]);
        consumers.cancel(channel(3), true);
        assert_eq!(serve(&mut consumers, true, 1), [2]);
        assert_eq!(consumers.count(), 1);
        assert!(consumers.of(channel(3)).is_some(), "it has something to acknowledge");
    }

    #[test]
    fn a_channel_whose_writer_lags_gets_no_more() {
        let mut consumers = Consumers::default();
        consumers.add(channel(1), Terms { no_ack: true, ..Terms::default() }, false).expect("free");
        consumers.of(channel(1)).expect("it is there").unsent = UNSENT_MESSAGE_LIMIT;
        assert_eq!(consumers.next(false, true), None);
        assert_eq!(consumers.next(false, false), None, "it waits aside");
        consumers.of(channel(1)).expect("it is there").unsent -= 50;
        consumers.unblock(channel(1), true);
        assert_eq!(consumers.next(false, true), Some(0));
    }
}
