//! Applications that pass on what they read, as the plan has them: where to, and the transactional ids.

use crate::brokers::kafka::Streams;
use crate::engine::Span;
use crate::scenario::{Located, Values};

use super::client::PipelineSettings;
use super::config::{Settings, Topic};
use super::groups::partition_for;
use super::plan::Planner;
use super::spec::ConsumerSpec;
use super::transactions::{STATE_TOPIC, TransactionalId, Transactions, TxnId};

/// What is passed on from where to where.
pub(super) fn forward(streams: &mut Streams, consumers: &[ConsumerSpec]) {
    for consumer in consumers {
        if let Some(own) = &consumer.pipeline {
            streams.forward(consumer.topic, own.to);
        }
    }
}

impl Planner<'_> {
    /// What a `[[consumer]]` of this topic makes of what it reads; `known` are the transactional ids.
    pub(super) fn pipeline(
        &mut self,
        values: &Values,
        from: u32,
        known: &mut Vec<String>,
    ) -> Option<PipelineSettings> {
        let transactional = values.get_text("transactional.id");
        let Some(to) = values.get_text("produce-to") else {
            if transactional.is_some() {
                self.wrong.push(
                    values.span("transactional.id"),
                    "a consumer that sends nothing has no transactions",
                    "write produce-to = \"TOPIC\", or remove transactional.id",
                );
            }
            return None;
        };
        let place = values.span("produce-to");
        let to = self.topic(&Located { value: to.to_owned(), place });
        if to == from && self.wrong.is_empty() {
            let message = "an application that reads what it sends never comes to an end";
            self.wrong.push(place, message, "write another topic");
        }
        if values.get_text("group.id").is_none() {
            let message = "an application that passes on what it reads commits how far it is";
            self.wrong.push(place, message, "write group.id = \"NAME\"");
        }
        if values.get_text("hand-over") == Some("workers") {
            let message =
                "an application that passes on what it reads is through before it polls again";
            self.wrong.push(values.span("hand-over"), message, "write hand-over = \"in-turn\"");
        }
        if transactional.is_some()
            && values.is_set("enable.auto.commit")
            && values.get_flag("enable.auto.commit") == Some(true)
        {
            let message = "offsets would be committed outside of the transaction";
            self.wrong.push(
                values.span("enable.auto.commit"),
                message,
                "remove it: with a transactional.id they are committed in the transaction",
            );
        }
        let transaction = transactional.map(|name| {
            let place = known.iter().position(|own| own == name).unwrap_or_else(|| {
                known.push(name.to_owned());
                known.len() - 1
            });
            TxnId(place as u32)
        });
        let span = |key: &str, absent| values.get_duration(key).unwrap_or(Span::from_secs(absent));
        Some(PipelineSettings {
            to,
            transaction,
            timeout: span("transaction.timeout.ms", 60),
            idempotence: transaction.is_some()
                || values.get_flag("enable.idempotence").unwrap_or(false),
            delivery_timeout: span("delivery.timeout.ms", 120),
        })
    }

    /// The transactional ids, with the topic that has their records: it is there as soon as somebody has
    /// one.
    pub(super) fn transactions(
        &mut self,
        streams: &mut Streams,
        (consumers, places): (&[ConsumerSpec], &[usize]),
        settings: &Settings,
    ) -> Transactions {
        let mut names: Vec<(String, usize)> = Vec::new();
        for (at, values) in self.scenario.many("consumer").iter().enumerate() {
            if let Some(name) = values.get_text("transactional.id")
                && !names.iter().any(|(known, _)| known == name)
            {
                names.push((name.to_owned(), at));
            }
        }
        if names.is_empty() || !self.wrong.is_empty() {
            return Transactions::default();
        }
        let own = &settings.transactions;
        let factor =
            self.scenario.one("broker").get_integer("transaction.state.log.replication.factor");
        let internal = Topic {
            name: STATE_TOPIC.to_owned(),
            min_isr: own.min_isr,
            unclean: false,
            segment_bytes: settings.segment_bytes,
            retention: None,
        };
        let count = own.partitions;
        let topic = self.add_internal(streams, internal, (count, factor));
        let all = names.into_iter().map(|(name, at)| {
            let partition = streams.partition(topic, partition_for(&name, count));
            let first = streams.partition(consumers[at].topic, 0);
            let told_of = Some(streams.seen_by(first, places[at]));
            TransactionalId { name, partition, told_of }
        });
        Transactions { all: all.collect(), topic: Some(topic) }
    }
}
