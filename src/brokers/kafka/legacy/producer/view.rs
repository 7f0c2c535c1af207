//! What a producer, or a consumer, knows of the brokers from ZooKeeper
//! (`producer/ZKBrokerPartitionInfo.scala` 0.7).

use crate::brokers::coordination::zookeeper::{
    Answer, Error, Event, Op, Outcome, Path, Session, Xid,
};
use crate::observe::NodeId;
use crate::world::Context;

use super::super::super::PartitionId;
use super::super::config::Config;
use super::super::message::{Message, Znode};
use super::super::rules::Rule;
use super::super::words::event;

/// `/brokers/ids`.
pub const IDS: &str = "/brokers/ids";

/// `/brokers/topics/orders`.
#[must_use]
pub fn topic_path(topic: &str) -> Path {
    format!("/brokers/topics/{topic}").into()
}

/// The hosts of the brokers whose ids are these names.
#[must_use]
pub fn brokers_of(names: &[Path]) -> Vec<u32> {
    let mut brokers: Vec<u32> =
        names.iter().filter_map(|name| name.parse::<u32>().ok()?.checked_sub(1)).collect();
    brokers.sort_unstable();
    brokers
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Ids,
    Topic,
    /// The children of `/brokers/ids` for a topic that nobody has registered.
    Bootstrap,
}

/// A cache of the registered brokers, and of those that have a topic.
#[derive(Clone, Debug)]
pub struct BrokerView {
    topic: u32,
    /// `allBrokers`.
    brokers: Vec<u32>,
    /// `topicBrokerPartitions`, sorted: broker and part.
    parts: Vec<(u32, u32)>,
    asked: Vec<(Xid, Asked)>,
    /// Brokers that were registered since this was last asked for.
    seen: Vec<u32>,
    /// Whether it has been read once since the session began.
    has_ids: bool,
    has_topic: bool,
}

impl BrokerView {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(topic: u32) -> BrokerView {
        BrokerView {
            topic,
            brokers: Vec::new(),
            parts: Vec::new(),
            asked: Vec::new(),
            seen: Vec::new(),
            has_ids: false,
            has_topic: false,
        }
    }

    /// Whether the constructor has read what there is.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.has_ids && self.has_topic
    }

    /// Whether every broker of the cluster is registered, with the topic.
    #[must_use]
    pub fn is_complete(&self, config: &Config) -> bool {
        let all = 0..config.brokers;
        all.clone().all(|broker| self.has(broker))
            && all.clone().all(|broker| self.parts.iter().any(|(of, _)| *of == broker))
    }

    /// Whether a broker is known to be registered.
    #[must_use]
    pub fn has(&self, broker: u32) -> bool {
        self.brokers.contains(&broker)
    }

    /// The broker partitions of the topic, sorted.
    #[must_use]
    pub fn partitions(&self, config: &Config) -> Vec<PartitionId> {
        self.parts
            .iter()
            .map(|(broker, part)| config.partition(self.topic, *broker, *part))
            .collect()
    }

    /// Whether something that was asked for to send a message is still open.
    #[must_use]
    pub fn is_asking(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Reads all, and watches it.
    pub fn read(
        &mut self,
        config: &Config,
        session: &mut Session<Znode>,
        ctx: &mut Context<'_, Message>,
    ) {
        self.ask(Asked::Ids, config, session, ctx);
        self.ask(Asked::Topic, config, session, ctx);
    }

    /// The brokers that are there now, for a topic without partitions.
    pub fn bootstrap(
        &mut self,
        config: &Config,
        session: &mut Session<Znode>,
        ctx: &mut Context<'_, Message>,
    ) {
        self.ask(Asked::Bootstrap, config, session, ctx);
    }

    fn ask(
        &mut self,
        what: Asked,
        config: &Config,
        session: &mut Session<Znode>,
        ctx: &mut Context<'_, Message>,
    ) {
        let path = match what {
            Asked::Topic => topic_path(&config.topics[self.topic as usize].name),
            Asked::Ids | Asked::Bootstrap => IDS.into(),
        };
        let watch = what != Asked::Bootstrap;
        if let Ok(xid) = session.request(Op::GetChildren { path, watch }, ctx) {
            self.asked.push((xid, what));
        }
    }

    /// Takes an event of the session.
    pub fn take(
        &mut self,
        event: &Event<Znode>,
        config: &Config,
        session: &mut Session<Znode>,
        ctx: &mut Context<'_, Message>,
    ) {
        match event {
            // Its watches are gone, or were never set. What it knew stays until it is read anew.
            Event::Connected { new: true, .. } => {
                self.asked.clear();
                self.read(config, session, ctx);
            }
            Event::Watch { path, .. } if **path == *IDS => {
                self.ask(Asked::Ids, config, session, ctx);
            }
            Event::Watch { path, .. }
                if *path == topic_path(&config.topics[self.topic as usize].name) =>
            {
                self.ask(Asked::Topic, config, session, ctx);
            }
            Event::Response { xid, outcome } => self.answered(*xid, outcome, config, session, ctx),
            _ => {}
        }
    }

    fn answered(
        &mut self,
        xid: Xid,
        outcome: &Outcome<Znode>,
        config: &Config,
        session: &mut Session<Znode>,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(at) = self.asked.iter().position(|(asked, _)| *asked == xid) else { return };
        let (_, what) = self.asked.remove(at);
        let names: &[Path] = match outcome {
            Ok(Answer::Children(names, _)) => names,
            Err(Error::ConnectionLoss) => return self.ask(what, config, session, ctx),
            _ => &[],
        };
        let listed = brokers_of(names);
        match what {
            Asked::Ids => self.brokers_changed(listed, config, ctx),
            Asked::Topic => self.topic_changed(&listed, config),
            Asked::Bootstrap => {
                self.parts = listed.into_iter().map(|broker| (broker, 0)).collect();
            }
        }
    }

    /// `processBrokerChange`: dead brokers lose their partitions as well.
    fn brokers_changed(
        &mut self,
        listed: Vec<u32>,
        config: &Config,
        ctx: &mut Context<'_, Message>,
    ) {
        let (at, node) = (ctx.now(), ctx.node());
        let mut tell = |broker: u32, word| {
            let subject = Some(NodeId(broker));
            ctx.observer().event(at, crate::observe::Event::new(word, node, None, subject, 0));
        };
        for broker in &listed {
            if !self.has(*broker) && self.has_ids {
                tell(*broker, event::BROKER_SEEN);
                self.seen.push(*broker);
            }
        }
        let gone: Vec<u32> =
            self.brokers.iter().copied().filter(|broker| !listed.contains(broker)).collect();
        self.has_ids = true;
        if !config.settings.rules.has(Rule::ForgetDeadBrokers) {
            self.brokers.extend(listed);
            self.brokers.sort_unstable();
            self.brokers.dedup();
            return;
        }
        gone.iter().for_each(|broker| tell(*broker, event::BROKER_GONE));
        self.brokers = listed;
        self.parts.retain(|(broker, _)| !gone.contains(broker));
    }

    /// `processNewBrokerInExistingTopic`: what was known and what is listed, as far as it lives.
    fn topic_changed(&mut self, listed: &[u32], config: &Config) {
        let count = config.topics[self.topic as usize].partitions;
        for broker in listed {
            self.parts.extend((0..count).map(|part| (*broker, part)));
        }
        self.parts.sort_unstable();
        self.parts.dedup();
        let brokers = &self.brokers;
        self.parts.retain(|(broker, _)| brokers.contains(broker));
        self.has_topic = true;
    }

    /// The brokers that were registered since the last time (`producerCbk`).
    pub fn take_seen(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.seen)
    }

    /// The process has died.
    pub fn forget(&mut self) {
        *self = BrokerView::new(self.topic);
    }
}
