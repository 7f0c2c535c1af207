//! `add_member` and `delete_member`: a quorum queue gets a member, or loses one.

use super::*;

/// The members of a quorum queue are one more, or one less.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeMember<const JOINS: bool> {
    job: Job,
}

/// A quorum queue gets a member.
pub(super) type AddMember = ChangeMember<true>;

/// A quorum queue loses a member.
pub(super) type DeleteMember = ChangeMember<false>;

impl<const JOINS: bool> Command<Planner<'_>, Broker, Message> for ChangeMember<JOINS> {
    const SPEC: Variant = if JOINS {
        Variant {
            name: "add_member",
            meaning: "The quorum queue gets a member on that node, which must run. It starts with nothing and is sent \
                      the log or a snapshot; before it has caught up it has no vote (from 3.13 on). Members change \
                      one at a time: another change that is not committed is a reason to fail. \
                      [rabbitmq-queues(8), add_member; rabbit_quorum_queue.erl, add_member; ra_server.erl, \
                      append_log_leader]",
            keys: &[QUEUE, NODE],
        }
    } else {
        Variant {
            name: "delete_member",
            meaning: "The quorum queue goes on without its member on that node, which need not run: a majority of \
                      those that remain is enough from then on. What the node has of the queue is deleted. The \
                      last member stays. [rabbitmq-queues(8), delete_member; rabbit_quorum_queue.erl, \
                      delete_member]",
            keys: &[QUEUE, NODE],
        }
    };

    const SINCE: Option<&'static str> = Some("3.8");

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<Self> {
        let queue = plan.quorum_queue_of(values)?;
        let node = plan.node(values.text("node"), values.span("node"));
        Some(ChangeMember { job: Job { queue, node, joins: JOINS } })
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
