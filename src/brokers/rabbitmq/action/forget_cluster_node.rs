//! `forget_cluster_node`: a node that is down for good is no member any more.

use super::*;

/// A node is no member any more.
#[derive(Clone, Debug, PartialEq)]
pub struct ForgetClusterNode {
    node: NodeId,
    offline: bool,
}

impl Command<Planner<'_>, Broker, Message> for ForgetClusterNode {
    const SPEC: Variant = Variant {
        name: "forget_cluster_node",
        meaning: "The cluster goes on without a member that is down. A queue that it led goes to the oldest \
                  mirror on a node that is down as well, which leads it with what its disk has once it \
                  starts; one without such a mirror is deleted. With `offline` it is given for a node that \
                  is down itself (`on`), while none runs, and makes that one start first. \
                  [rabbitmqctl(8), forget_cluster_node; rabbit_mnesia.erl, forget_cluster_node; \
                  rabbit_amqqueue.erl, forget_node_for_queue]",
        keys: &[
            KeySpec::new("node", Kind::Name, Preset::Required, "The node to forget."),
            KeySpec::new(
                "offline",
                Kind::Flag,
                Preset::Is("false"),
                "For a node that is down itself.",
            ),
        ],
    };

    const UNTIL: Option<(&'static str, &'static str)> = Some((
        "4.2",
        "members of a Khepri cluster do not change here: write broker-version = \"4.1\"",
    ));

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<ForgetClusterNode> {
        let node = plan.node(values.text("node"), values.span("node"));
        let offline = values.flag("offline");
        if offline && !values.has("on") {
            let message = "with `offline` it needs the node that is to start without the other";
            plan.wrong.push(values.span("offline"), message, "write on = \"n2\"");
        }
        Some(ForgetClusterNode { node, offline })
    }

    fn give(
        &self,
        id: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        if self.offline {
            return Some(Err("online_node_offline_flag"));
        }
        broker.order(ctx, Purpose::Forget { node: self.node, action: id })
    }

    fn give_offline(&self, broker: &mut Broker, up: &dyn Fn(NodeId) -> bool) -> Answer {
        if !self.offline {
            return Err("offline_node_no_offline_flag");
        }
        broker.forget_offline(self.node, up)
    }
}
