//! `add_member`: a quorum queue gets a member.

use super::*;

/// A quorum queue gets a member.
#[derive(Clone, Debug, PartialEq)]
pub struct AddMember {
    job: Job,
}

impl Command<Planner<'_>, Broker, Message> for AddMember {
    const SPEC: Variant = Variant {
        name: "add_member",
        meaning: "The quorum queue gets a member on that node, which must run. It starts with nothing and is sent \
                  the log or a snapshot; before it has caught up it has no vote (from 3.13 on). Members change \
                  one at a time: another change that is not committed is a reason to fail. \
                  [rabbitmq-queues(8), add_member; rabbit_quorum_queue.erl, add_member; ra_server.erl, \
                  append_log_leader]",
        keys: &[QUEUE, NODE],
    };

    const SINCE: Option<&'static str> = Some("3.8");

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<AddMember> {
        let queue = plan.quorum_queue_of(values)?;
        let node = plan.node(values.text("node"), values.span("node"));
        Some(AddMember { job: Job { queue, node, joins: true } })
    }

    fn give(
        &self,
        id: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        broker.change_member(ctx, id, self.job)
    }
}
