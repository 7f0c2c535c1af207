//! What clients declare.

use crate::scenario::Values;

use super::super::message::amqp::Declaration;
use super::super::message::{ExchangeId, QueueId, RoutingKey};
use super::Planner;

impl Planner<'_> {
    /// What a client declares of its queue, if it does.
    pub(super) fn declares(&mut self, values: &Values, queue: QueueId) -> Option<Declaration> {
        let table = values.table("declare");
        if table.is_none() && values.get_flag("declare") != Some(true) {
            return None;
        }
        let of = self.queues.get(queue.0 as usize)?;
        let Some(table) = table else {
            let exclusive = of.exclusive;
            return Some(Declaration { queue, passive: false, exclusive, equivalent: true });
        };
        let arguments = &of.arguments;
        let exclusive = table.get_flag("exclusive").unwrap_or(of.exclusive);
        let same_flag = |key: &str, own: bool| table.get_flag(key).is_none_or(|flag| flag == own);
        let equivalent = same_flag("durable", of.durable)
            && same_flag("auto-delete", arguments.auto_delete)
            && (!table.has("x-max-length")
                || table.get_integer("x-max-length") == arguments.max_length)
            && (!table.has("x-message-ttl")
                || table.get_duration("x-message-ttl") == arguments.message_ttl);
        let passive = table.flag("passive");
        let (name, durable) = (of.name.clone(), of.durable);
        let stays = of.declared && durable && !arguments.auto_delete;
        let deleted =
            self.scenario.many("action").iter().any(|action| {
                action.text("kind") == "delete_queue" && action.text("queue") == name
            });
        let other = !equivalent || exclusive != of.exclusive;
        if other && !passive && (!stays || deleted) {
            self.wrong.push(
                values.span("declare"),
                format!("`{name}` may be gone, and then this would make another queue than it was"),
                "let the queue be durable and stay, or declare it as it is",
            );
        }
        Some(Declaration { queue, passive, exclusive, equivalent })
    }

    /// The same for a producer, which knows a queue only if it sends to one.
    pub(super) fn declares_what_it_sends_to(
        &mut self,
        values: &Values,
        exchange: ExchangeId,
        key: RoutingKey,
    ) -> Option<Declaration> {
        if exchange == ExchangeId::DEFAULT {
            return self.declares(values, QueueId(key.0));
        }
        if values.is_set("declare") {
            let message = "a producer that sends to an exchange knows no queue to declare";
            self.wrong.push(values.span("declare"), message, "let its consumer declare the queue");
        }
        None
    }

    /// Somebody has to declare what is not there before the run begins; a quorum queue always is.
    pub(super) fn check_declared(&mut self) {
        let scenario = self.scenario;
        let declares = |values: &Values, key: &str, queue: &str| {
            let asked = values.table("declare").is_some_and(|table| !table.flag("passive"));
            values.text(key) == queue && (asked || values.get_flag("declare") == Some(true))
        };
        for (values, queue) in scenario.many("queue").iter().zip(&self.queues) {
            let key = if values.is_set("exclusive") { "exclusive" } else { "declared" };
            let name = values.text("name");
            let consumer =
                scenario.many("consumer").iter().any(|client| declares(client, "from", name));
            let producer =
                scenario.many("producer").iter().any(|client| declares(client, "to", name));
            let (message, help) = match (queue.is_quorum(), queue.exclusive) {
                (true, _) if !queue.declared => (
                    "a quorum queue is there before the run begins".to_owned(),
                    "remove it, or write x-queue-type = \"classic\"",
                ),
                (_, true) if !consumer => (
                    format!("no consumer declares `{name}`, and nobody else can read it"),
                    "write declare = true in its [[consumer]]",
                ),
                (_, false) if !queue.declared && !consumer && !producer => (
                    format!("nobody declares `{name}`"),
                    "write declare = true in a client of it, or remove the key",
                ),
                _ => continue,
            };
            self.wrong.push(values.span(key), message, help);
        }
    }
}
