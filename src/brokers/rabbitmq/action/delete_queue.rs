//! `delete_queue`: a queue is deleted with all that is in it.

use super::*;

/// A queue is deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct DeleteQueue {
    queue: QueueId,
    if_empty: bool,
    if_unused: bool,
}

impl Command<Planner<'_>, Broker, Message> for DeleteQueue {
    const SPEC: Variant = Variant {
        name: "delete_queue",
        meaning: "The queue is deleted with all that is in it: consumers are cancelled, and what is \
                  published to it is unroutable from then on. If the node that leads it is down its \
                  record is deleted, where there is one (from 3.11 on), and its files when the node is \
                  back. [rabbitmq.com/docs/queues#names; rabbit_classic_queue.erl, delete]",
        keys: &[
            QUEUE,
            KeySpec::new(
                "if-empty",
                Kind::Flag,
                Preset::Is("false"),
                "It fails if messages are ready.",
            ),
            KeySpec::new(
                "if-unused",
                Kind::Flag,
                Preset::Is("false"),
                "It fails if it has consumers.",
            ),
        ],
    };

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<DeleteQueue> {
        let queue = plan.queue_of(values)?;
        let (if_empty, if_unused) = (values.flag("if-empty"), values.flag("if-unused"));
        if plan.is_quorum(queue) {
            let message = "the deletion of a quorum queue is not simulated";
            let help = "delete a classic queue, or shrink the quorum queue";
            plan.wrong.push(values.span("queue"), message, help);
            return None;
        }
        Some(DeleteQueue { queue, if_empty, if_unused })
    }

    fn give(
        &self,
        id: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        let &DeleteQueue { queue, if_empty, if_unused } = self;
        if let Some(answer) = broker.force_delete(ctx, id, queue, if_empty) {
            return answer;
        }
        broker.ask_leader(ctx, id, queue, QueueCommand::Delete { if_empty, if_unused })
    }
}
