//! `grow`: quorum queues get a member on a node.

use super::*;

/// Quorum queues get a member on a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Grow {
    node: NodeId,
    even: bool,
}

impl Command<Planner<'_>, Broker, Message> for Grow {
    const SPEC: Variant = Variant {
        name: "grow",
        meaning: "Every quorum queue without a member on that node gets one there, one queue after the other, as \
                  by add_member; with `strategy = \"even\"` only those that have an even number of members. \
                  [rabbitmq-queues(8), grow; rabbit_quorum_queue.erl, grow]",
        keys: &[
            NODE,
            KeySpec::new(
                "strategy",
                Kind::Choice(&["all", "even"]),
                Preset::Is("\"all\""),
                "Which queues: all, or those with an even number of members.",
            ),
        ],
    };

    const SINCE: Option<&'static str> = Some("3.8");

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<Grow> {
        let node = plan.node(values.text("node"), values.span("node"));
        let even = values.choice("strategy") == "even";
        plan.has_members(values).then_some(Grow { node, even })
    }

    fn give(
        &self,
        id: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        broker.grow(ctx, id, self.node, self.even)
    }
}
