//! `rebalance`: leaders are spread over the nodes.

use super::*;

/// Leaders are spread over the nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Rebalance;

impl Command<Planner<'_>, Broker, Message> for Rebalance {
    const SPEC: Variant = Variant {
        name: "rebalance",
        meaning: "Quorum queues are led from other members until no node leads more than its share: the leader \
                  asks the member on the node with the fewest leaders to stand for election. Mirrored \
                  queues are not moved. [rabbitmq-queues(8), rebalance quorum; rabbit_amqqueue.erl, \
                  iterative_rebalance; ra_server.erl, transfer_leadership]",
        keys: &[],
    };

    const SINCE: Option<&'static str> = Some("3.8");

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<Rebalance> {
        if plan.has_quorum_queue() {
            return Some(Rebalance);
        }
        let help = "add a quorum queue, or remove the action";
        plan.wrong.push(
            values.span("kind"),
            "there is no quorum queue to be led from elsewhere",
            help,
        );
        None
    }

    fn give(
        &self,
        _: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        broker.rebalance(ctx);
        Some(Ok(()))
    }
}
