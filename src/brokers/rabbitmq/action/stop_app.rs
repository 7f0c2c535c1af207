//! `stop_app`: RabbitMQ stops, and its Erlang VM goes on.

use super::*;

/// RabbitMQ stops, and its VM goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct StopApp;

impl Command<Planner<'_>, Broker, Message> for StopApp {
    const SPEC: Variant = Variant {
        name: "stop_app",
        meaning: "RabbitMQ on the node (`on`) stops in order, as with the fault `stop`, but its Erlang VM goes on \
                  and stays connected with the others; it starts again by `start_app` only. \
                  [rabbitmqctl(8), stop_app]",
        keys: &[],
    };

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<StopApp> {
        plan.names_its_node(values).then_some(StopApp)
    }

    fn give(
        &self,
        id: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        broker.stop_app(ctx, id)
    }
}
