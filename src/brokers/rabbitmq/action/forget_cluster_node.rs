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
                  starts; one without such a mirror is deleted. Quorum queues lose their members there, as by \
                  shrink, and from 4.2 on the metadata store does. With `offline` it is given for a node that \
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

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<ForgetClusterNode> {
        let node = plan.node(values.text("node"), values.span("node"));
        let offline = values.flag("offline");
        if offline && !values.has("on") {
            let message = "with `offline` it needs the node that is to start without the other";
            plan.wrong.push(values.span("offline"), message, "write on = \"n2\"");
        }
        if offline && !plan.earlier("4.2") {
            // rabbit_db_cluster.erl v4.2.9 `forget_member_using_khepri`.
            let message = "with Khepri, from RabbitMQ 4.2 on, no node is removed offline";
            let help = "give the command to a node that runs, or write broker-version = \"4.1\"";
            plan.wrong.push(values.span("offline"), message, help);
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
        broker.forget_cluster_node(ctx, id, self.node)
    }

    fn give_offline(&self, broker: &mut Broker, up: &dyn Fn(NodeId) -> bool) -> Answer {
        if !self.offline {
            return Err("offline_node_no_offline_flag");
        }
        broker.forget_offline(self.node, up)
    }
}
