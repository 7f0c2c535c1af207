//! Which queue a message goes to (`TopicPublishInfo.selectOneMessageQueue`, `MQFaultStrategy`).

use crate::engine::{Span, Time};
use crate::world::Context;

use super::super::super::config::QueueId;
use super::super::super::message::Message;
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::Producer;
use crate::observe::Event;

/// How long a send must take for its group to be avoided, and for how long, the slowest first
/// (`latencyMax`, `notAvailableDuration` from 5.1.4 on; client/latency/MQFaultStrategy.java).
const AVOID: [(u64, u64); 5] =
    [(15_000, 30_000), (5_000, 10_000), (3_000, 6_000), (1_800, 5_000), (550, 2_000)];
/// The same before.
const AVOID_BEFORE: [(u64, u64); 5] =
    [(15_000, 600_000), (3_000, 180_000), (2_000, 120_000), (1_000, 60_000), (550, 30_000)];

/// `LatencyFaultToleranceImpl`: until when each group is avoided, by the wall clock.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    until: Vec<Time>,
}

impl Latency {
    pub(super) fn new(groups: u32) -> Latency {
        Latency { until: vec![Time::ZERO; groups as usize] }
    }

    pub(super) fn forget(&mut self) {
        self.until.iter_mut().for_each(|until| *until = Time::ZERO);
    }
}

impl Producer {
    /// The next queue of a thread's round; after a failure with `last` one of another group if there is
    /// one. None if no group takes messages.
    pub(super) fn select(
        &mut self,
        thread: usize,
        last: Option<u32>,
        ctx: &mut Context<'_, Message>,
    ) -> Option<QueueId> {
        let topic = self.config.streams.topic_of(self.own.writer);
        let queues = self.config.topics[topic as usize].queues;
        let groups: Vec<u32> = self.instance.publishable().collect();
        let count = groups.len() as u32 * queues;
        if count == 0 {
            return None;
        }
        if last.is_some() && self.config.has(Rule::RandomRestart) {
            self.rounds[thread] = None;
        }
        let now = ctx.clock();
        let avoids = |group: u32| self.own.latency && now < self.latency.until[group as usize];
        let mut chosen = None;
        let mut fallback = 0;
        let start = match self.rounds[thread] {
            Some(index) => index,
            None => ctx.random().below(u64::from(count)) as u32,
        };
        for step in 1..=count {
            let index = start.wrapping_add(step);
            let place = index % count;
            let group = groups[(place / queues) as usize];
            fallback = place;
            let same = last == Some(group) && self.config.has(Rule::RetryElsewhere);
            if !same && !avoids(group) {
                chosen = Some((index, place));
                break;
            }
        }
        // All are avoided, or there is only one group.
        let (index, place) = chosen.unwrap_or_else(|| {
            let index = start.wrapping_add(count + 1);
            (index, if self.own.latency { fallback } else { index % count })
        });
        self.rounds[thread] = Some(index);
        let group = groups[(place / queues) as usize];
        Some(self.config.streams.partition(topic, group * queues + place % queues))
    }

    /// `updateFaultItem`: how long a send has taken, or that it has failed.
    pub(super) fn note_latency(
        &mut self,
        group: u32,
        took: Span,
        failed: bool,
        ctx: &mut Context<'_, Message>,
    ) {
        if !self.own.latency {
            return;
        }
        let briefly = self.config.has(Rule::ShortAvoidance);
        let (table, error) = if briefly { (AVOID, 10_000) } else { (AVOID_BEFORE, 30_000) };
        let millis = if failed { error } else { took.as_millis() };
        let found = table.iter().find(|(least, _)| millis >= *least);
        let Some((_, avoid)) = found else { return };
        self.latency.until[group as usize] = ctx.clock() + Span::from_millis(*avoid);
        let (now, node) = (ctx.now(), ctx.node());
        let broker = self.instance.master_of(group);
        ctx.observer().event(now, Event::new(event::AVOIDED, node, None, broker, *avoid));
    }
}
