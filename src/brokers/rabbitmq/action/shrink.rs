//! `shrink`: quorum queues lose their members on a node.

use super::*;

/// Quorum queues lose their members on a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Shrink {
    node: NodeId,
}

impl Command<Planner<'_>, Broker, Message> for Shrink {
    const SPEC: Variant = Variant {
        name: "shrink",
        meaning: "No quorum queue has a member on that node any more, which need not run: each goes on without \
                  it, as by delete_member. A queue whose last member it is keeps it. [rabbitmq-queues(8), \
                  shrink; rabbit_quorum_queue.erl, shrink_all]",
        keys: &[NODE],
    };

    const SINCE: Option<&'static str> = Some("3.8");

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<Shrink> {
        let node = plan.node(values.text("node"), values.span("node"));
        plan.has_members(values).then_some(Shrink { node })
    }

    fn give(
        &self,
        id: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        broker.shrink(ctx, id, self.node)
    }
}
