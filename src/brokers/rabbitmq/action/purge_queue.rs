//! `purge_queue`: a queue is emptied.

use super::*;

/// A queue is emptied.
#[derive(Clone, Debug, PartialEq)]
pub struct PurgeQueue {
    queue: QueueId,
}

impl Command<Planner<'_>, Broker, Message> for PurgeQueue {
    const SPEC: Variant = Variant {
        name: "purge_queue",
        meaning: "All messages of a classic queue that are ready are gone; what consumers have and have not \
                  acknowledged stays. [rabbitmqctl(8), purge_queue]",
        keys: &[QUEUE],
    };

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<PurgeQueue> {
        let queue = plan.queue_of(values)?;
        if plan.is_quorum(queue) {
            let message = "that a quorum queue is purged is not simulated";
            plan.wrong.push(values.span("queue"), message, "name a classic queue");
            return None;
        }
        Some(PurgeQueue { queue })
    }

    fn give(
        &self,
        id: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        broker.ask_leader(ctx, id, self.queue, QueueCommand::Purge)
    }
}
