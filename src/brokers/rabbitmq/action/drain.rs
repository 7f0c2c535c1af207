//! `drain`: a node goes into maintenance.

use super::*;

/// A node goes into maintenance.
#[derive(Clone, Debug, PartialEq)]
pub struct Drain;

impl Command<Planner<'_>, Broker, Message> for Drain {
    const SPEC: Variant = Variant {
        name: "drain",
        meaning: "The node (`on`) closes its clients' connections, takes no new ones, and stops its members of \
                  quorum queues, so that others lead: it can be stopped then. Classic queues stay where \
                  they are. [rabbitmq-upgrade(8), drain; rabbit_maintenance.erl, do_drain]",
        keys: &[],
    };

    const SINCE: Option<&'static str> = Some("3.8.8");

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<Drain> {
        plan.names_its_node(values).then_some(Drain)
    }

    fn give(
        &self,
        _: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        broker.drain(ctx);
        Some(Ok(()))
    }
}
