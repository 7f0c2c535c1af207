//! `sync_queue`: mirrors are synchronised.

use super::*;

/// The mirrors of a queue are synchronised.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncQueue {
    queue: QueueId,
}

impl Command<Planner<'_>, Broker, Message> for SyncQueue {
    const SPEC: Variant = Variant {
        name: "sync_queue",
        meaning: "The leader hands its messages to every mirror that is not synchronised, and does \
                  nothing else until they have them; the command waits for it. It fails if the queue \
                  is not mirrored. [rabbitmq.com/docs/ha#start-stop-synchronisation]",
        keys: &[QUEUE],
    };

    const UNTIL: Option<(&'static str, &'static str)> =
        Some(("4.0", "mirrored queues are gone with it: write broker-version = \"3.13\""));

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<SyncQueue> {
        let instead = "members of a quorum queue catch up by themselves: remove the action";
        Some(SyncQueue { queue: plan.classic_queue_of(values, instead)? })
    }

    fn give(
        &self,
        id: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        broker.ask_leader(ctx, id, self.queue, QueueCommand::Sync)
    }
}
