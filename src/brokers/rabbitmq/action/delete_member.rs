//! `delete_member`: a quorum queue loses a member.

use super::*;

/// A quorum queue loses a member.
#[derive(Clone, Debug, PartialEq)]
pub struct DeleteMember {
    job: Job,
}

impl Command<Planner<'_>, Broker, Message> for DeleteMember {
    const SPEC: Variant = Variant {
        name: "delete_member",
        meaning: "The quorum queue goes on without its member on that node, which need not run: a majority of \
                  those that remain is enough from then on. What the node has of the queue is deleted. The \
                  last member stays. [rabbitmq-queues(8), delete_member; rabbit_quorum_queue.erl, \
                  delete_member]",
        keys: &[QUEUE, NODE],
    };

    const SINCE: Option<&'static str> = Some("3.8");

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<DeleteMember> {
        let queue = plan.quorum_queue_of(values)?;
        let node = plan.node(values.text("node"), values.span("node"));
        Some(DeleteMember { job: Job { queue, node, joins: false } })
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
