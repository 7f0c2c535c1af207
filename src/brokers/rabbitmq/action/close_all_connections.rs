//! `close_all_connections`: clients are sent away.

use super::*;

/// Clients are sent away.
#[derive(Clone, Debug, PartialEq)]
pub struct CloseAllConnections;

impl Command<Planner<'_>, Broker, Message> for CloseAllConnections {
    const SPEC: Variant = Variant {
        name: "close_all_connections",
        meaning: "Every client of the cluster is disconnected with 320 CONNECTION_FORCED, on all nodes that the one \
                  that is given the command sees. They may come back at once. \
                  [rabbitmqctl(8), close_all_connections]",
        keys: &[],
    };

    fn parse(_: &Values, _: &mut Planner<'_>) -> Option<CloseAllConnections> {
        Some(CloseAllConnections)
    }

    fn give(
        &self,
        _: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        broker.close_all_connections(ctx);
        Some(Ok(()))
    }
}
