//! Producers and consumers: what they send to, read from, and how they reach the cluster.

use crate::engine::Span;
use crate::observe::NodeId;
use crate::scenario::{Located, Values, suggest};
use crate::workload::{ConsumerLoad, Load};

use super::super::client::{CONSUMER_STEPS, ConnectOrder, LinkConfig, PRODUCER_STEPS, Reject};
use super::super::letters::LetterId;
use super::super::message::amqp::Terms;
use super::super::message::{ExchangeId, Properties, QueueId, RoutingKey};
use super::super::spec::{ConsumerSpec, ProducerSpec};
use super::Planner;

/// `get-interval` if it is not written.
const POLL: Span = Span::from_millis(100);

impl Planner<'_> {
    pub(super) fn read_producers(&mut self) -> Vec<ProducerSpec> {
        let mut producers = Vec::new();
        for values in self.scenario.many("producer") {
            let Some(load) = self.wrong.keep(Load::from_values(values)) else { continue };
            let link = self.link(values, &load.connect, PRODUCER_STEPS);
            let (exchange, key) = self.address(values, &load.to);
            let declares = self.declares_what_it_sends_to(values, exchange, key);
            let confirms = values.table("confirms");
            let confirm = confirms.is_some() || values.get_flag("confirms") == Some(true);
            let republish = values.flag("republish");
            if republish && !confirm {
                self.wrong.push(
                    values.span("republish"),
                    "without publisher confirms nothing tells what to publish again",
                    "add confirms = { window = 100 }, or remove republish",
                );
            }
            producers.push(ProducerSpec {
                load,
                link,
                declares,
                exchange,
                key,
                properties: Properties {
                    persistent: values.flag("persistent"),
                    mandatory: values.flag("mandatory"),
                    confirm,
                    given: self.given(values),
                    letter: LetterId::NONE,
                },
                window: confirms
                    .and_then(|table| table.get_integer("window"))
                    .map(|window| window as u32),
                republish,
                republish_delay: values.duration("republish-delay"),
                send_timeout: values.get_duration("send-timeout"),
                reopen: values.flag("reopen-channel"),
            });
        }
        producers
    }

    /// What `to` and `routing-key` come to.
    fn address(&mut self, values: &Values, to: &Located<String>) -> (ExchangeId, RoutingKey) {
        let exchange = self.exchanges.iter().position(|exchange| exchange.name == to.value);
        let Some(exchange) = exchange else {
            let queue = self.queues.iter().position(|queue| queue.name == to.value);
            if queue.is_none() {
                let queues = self.queues.iter().map(|queue| queue.name.as_str());
                let names = queues.chain(self.exchanges.iter().map(|exchange| exchange.name));
                let names: Vec<&str> = names.collect();
                let help = suggest(&to.value, &names, "the queues and exchanges");
                let message = format!("there is no queue or exchange `{}`", to.value);
                self.wrong.push(to.place, message, help);
            }
            if values.is_set("routing-key") {
                self.wrong.push(
                    values.span("routing-key"),
                    "a producer that sends to a queue uses the queue's name as its routing key",
                    "remove it, or send to an exchange",
                );
            }
            return (ExchangeId::DEFAULT, RoutingKey(queue.unwrap_or(0) as u32));
        };
        let key = values.text("routing-key");
        let keys = &mut self.keys[exchange];
        let index = keys.iter().position(|known| known == key).unwrap_or_else(|| {
            keys.push(key.to_owned());
            keys.len() - 1
        });
        (ExchangeId(exchange as u32 + 1), RoutingKey(index as u32))
    }

    pub(super) fn read_consumers(&mut self) -> Vec<ConsumerSpec> {
        let mut consumers = Vec::new();
        for values in self.scenario.many("consumer") {
            let load = ConsumerLoad::from_values(values, &mut self.wrong);
            let link = self.link(values, &load.connect, CONSUMER_STEPS);
            let queue = self.queue(&load.from.value, load.from.place);
            let no_ack = values.choice("ack") == "automatic";
            if no_ack && values.is_set("prefetch") {
                self.wrong.push(
                    values.span("prefetch"),
                    "prefetch limits unacknowledged messages, and this consumer has none",
                    "remove it, or write ack = \"manual\"",
                );
            }
            let poll = self.poll(values);
            let reject = values.table("reject").map(|table| Reject {
                chance: table.chance("chance"),
                requeue: table.flag("requeue"),
                nack: table.choice("method") == "nack",
            });
            if no_ack && values.is_set("reject") {
                self.wrong.push(
                    values.span("reject"),
                    "a consumer with automatic acknowledgement has nothing to reject",
                    "remove it, or write ack = \"manual\"",
                );
            }
            consumers.push(ConsumerSpec {
                name: load.name,
                link,
                queue: queue.unwrap_or(QueueId(0)),
                declares: queue.and_then(|queue| self.declares(values, queue)),
                terms: Terms {
                    prefetch: values.integer("prefetch") as u32,
                    priority: values.signed("priority") as i32,
                    no_ack,
                    exclusive: values.flag("exclusive"),
                    cancel_on_ha_failover: values.flag("cancel-on-ha-failover"),
                },
                poll,
                reject,
                reopen: values.flag("reopen-channel"),
                processing: load.processing,
                resubscribe_delay: values.duration("resubscribe-delay"),
                start: load.start,
                stop: load.stop,
            });
        }
        consumers
    }

    /// The pause between two questions of a consumer that asks message by message.
    fn poll(&mut self, values: &Values) -> Option<Span> {
        let get = values.choice("mode") == "get";
        for key in ["prefetch", "priority", "exclusive", "cancel-on-ha-failover"] {
            if get && values.is_set(key) {
                self.wrong.push(
                    values.span(key),
                    format!("`{key}` is for consumers that subscribe, and this one polls"),
                    "remove it, or write mode = \"push\"",
                );
            }
        }
        let interval = values.get_duration("get-interval");
        if !get && interval.is_some() {
            self.wrong.push(
                values.span("get-interval"),
                "a consumer that subscribes does not poll",
                "write mode = \"get\", or remove get-interval",
            );
        }
        get.then(|| interval.unwrap_or(POLL))
    }

    fn link(&mut self, values: &Values, connect: &[Located<String>], steps: u8) -> LinkConfig {
        let all = (0..self.nodes.len() as u32).map(NodeId).collect();
        let nodes: Vec<NodeId> =
            connect.iter().map(|name| self.node(&name.value, name.place)).collect();
        LinkConfig {
            nodes: if nodes.is_empty() { all } else { nodes },
            reconnect_delay: values.duration("reconnect-delay").max(Span::from_micros(1)),
            heartbeat: values.duration("heartbeat"),
            steps,
            connect_timeout: values.duration("connection-timeout"),
            order: match values.choice("connect-order") {
                "listed" => ConnectOrder::Listed,
                "shuffled" => ConnectOrder::Shuffled,
                _ => ConnectOrder::Next,
            },
        }
    }
}
