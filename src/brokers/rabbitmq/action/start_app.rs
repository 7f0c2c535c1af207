//! `start_app`: RabbitMQ starts again in a VM that has gone on.

use super::*;

/// RabbitMQ starts again in a VM that has gone on.
#[derive(Clone, Debug, PartialEq)]
pub struct StartApp;

impl Command<Planner<'_>, Broker, Message> for StartApp {
    const SPEC: Variant = Variant {
        name: "start_app",
        meaning: "RabbitMQ on the node (`on`), which `stop_app` has stopped, starts again; the command waits until \
                  clients are served. [rabbitmqctl(8), start_app]",
        keys: &[],
    };

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<StartApp> {
        plan.names_its_node(values).then_some(StartApp)
    }

    fn give(
        &self,
        id: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        broker.start_app(ctx, id)
    }
}
