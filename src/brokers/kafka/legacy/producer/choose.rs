//! Which partition a message goes to (`Producer.zkSend`, `configSend`, `DefaultPartitioner` 0.7).

use crate::engine::Time;
use crate::observe::Outcome;
use crate::world::Context;

use super::super::super::PartitionId;
use super::super::message::Message;
use super::super::rules::Rule;
use super::{Doing, Producer};

/// The keys of a producer's messages: so many different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// How many.
    pub count: u32,
    /// One after the other, rather than at random.
    pub cycled: bool,
}

/// `String.hashCode` of a number's digits, without its sign.
#[must_use]
pub fn java_hash(key: u32) -> u32 {
    let digits = key.to_string();
    let hash = digits
        .bytes()
        .fold(0_i32, |hash, digit| hash.wrapping_mul(31).wrapping_add(i32::from(digit)));
    hash.unsigned_abs()
}

impl Producer {
    /// The key of the next message.
    pub(super) fn next_key(&mut self, ctx: &mut Context<'_, Message>) -> Option<u32> {
        let keys = self.own.keys?;
        if !keys.cycled {
            return Some(ctx.random().below(u64::from(keys.count)) as u32);
        }
        let key = self.next_key;
        self.next_key = (key + 1) % keys.count;
        Some(key)
    }

    fn pick(&mut self, count: usize, key: Option<u32>, ctx: &mut Context<'_, Message>) -> usize {
        match key {
            Some(key) => java_hash(key) as usize % count,
            None => ctx.random().below(count as u64) as usize,
        }
    }

    /// The partition that would be picked if every broker were there.
    pub(super) fn among_all(
        &mut self,
        key: Option<u32>,
        ctx: &mut Context<'_, Message>,
    ) -> PartitionId {
        let topic = self.config.streams.topic_of(self.own.writer);
        let count = self.config.streams.of_topic(topic).len();
        let index = self.pick(count, key, ctx);
        self.config.streams.partition(topic, index as u32)
    }

    /// The application sends a message.
    pub(super) fn send(
        &mut self,
        intended: Time,
        key: Option<u32>,
        tries: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        ctx.spend(self.config.costs.send);
        if let Some(brokers) = &self.own.brokers {
            let blind = self.config.settings.rules.has(Rule::BrokerListIsBlind);
            let works = |broker: &u32| blind || !self.channels[*broker as usize].was_refused();
            let working: Vec<u32> = brokers.iter().copied().filter(works).collect();
            let among = if working.is_empty() { brokers } else { &working };
            let broker = among[ctx.random().below(among.len() as u64) as usize];
            let partition = self.any_partition(broker, ctx);
            return self.dispatch(intended, partition, ctx);
        }
        let partitions = self.view.partitions(&self.config);
        if !partitions.is_empty() {
            let partition = partitions[self.pick(partitions.len(), key, ctx)];
            if self.view.has(self.config.owner(partition).0) {
                return self.dispatch(intended, partition, ctx);
            }
        }
        if tries > self.own.zk_read_retries || (partitions.is_empty() && tries > 0) {
            return self.no_brokers(intended, key, ctx);
        }
        self.doing = Doing::Looking { intended, key, tries };
        if partitions.is_empty() {
            self.view.bootstrap(&self.config, &mut self.session, ctx);
        } else {
            self.view.read(&self.config, &mut self.session, ctx);
        }
    }

    /// What was read from ZooKeeper may be there.
    pub(super) fn look_again(&mut self, ctx: &mut Context<'_, Message>) {
        let Doing::Looking { intended, key, tries } = self.doing else { return };
        if self.view.is_asking() || !self.session.is_alive() {
            return;
        }
        self.doing = Doing::Nothing;
        self.send(intended, key, tries + 1, ctx);
        self.pump(ctx);
    }

    /// `NoBrokersForPartitionException`.
    fn no_brokers(&mut self, intended: Time, key: Option<u32>, ctx: &mut Context<'_, Message>) {
        let partition = self.among_all(key, ctx);
        let now = ctx.now();
        let part = self.attempt(now, intended, partition, ctx.observer());
        self.throw(part, Outcome::Rejected, ctx);
    }

    /// Partition -1: the broker picks one of its own at random, once for each request. It is drawn
    /// here, so that it is known which line the message belongs to; with a queue, which has no
    /// requests yet, for each `batch.size` messages.
    fn any_partition(&mut self, broker: u32, ctx: &mut Context<'_, Message>) -> PartitionId {
        let topic = self.config.streams.topic_of(self.own.writer);
        let count = self.config.topics[topic as usize].partitions;
        let batch = self.own.queue.map_or(1, |queue| queue.batch);
        let (part, left) = self.any_part[broker as usize];
        let (part, left) = match left {
            0 => (ctx.random().below(u64::from(count)) as u32, batch),
            left => (part, left),
        };
        self.any_part[broker as usize] = (part, left - 1);
        self.config.partition(topic, broker, part)
    }
}
