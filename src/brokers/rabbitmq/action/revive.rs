//! `revive`: a node comes back from maintenance.

use super::*;

/// A node comes back from maintenance.
#[derive(Clone, Debug, PartialEq)]
pub struct Revive;

impl Command<Planner<'_>, Broker, Message> for Revive {
    const SPEC: Variant = Variant {
        name: "revive",
        meaning: "The node (`on`) starts its members of quorum queues again and takes connections. Leaders do \
                  not come back by themselves. A node that starts anew is not in maintenance. \
                  [rabbitmq-upgrade(8), revive; rabbit_maintenance.erl, do_revive]",
        keys: &[],
    };

    const SINCE: Option<&'static str> = Some("3.8.8");

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<Revive> {
        plan.names_its_node(values).then_some(Revive)
    }

    fn give(
        &self,
        _: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        broker.revive(ctx);
        Some(Ok(()))
    }
}
