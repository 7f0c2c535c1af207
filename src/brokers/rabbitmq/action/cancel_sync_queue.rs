//! `cancel_sync_queue`: a synchronisation is given up.

use super::*;

/// A synchronisation is given up.
#[derive(Clone, Debug, PartialEq)]
pub struct CancelSyncQueue {
    queue: QueueId,
}

impl Command<Planner<'_>, Broker, Message> for CancelSyncQueue {
    const SPEC: Variant = Variant {
        name: "cancel_sync_queue",
        meaning: "The leader gives the synchronisation of its mirrors up and goes on with its work; \
                  mirrors throw away what they have got of it and stay unsynchronised. It fails if no \
                  synchronisation is under way. [rabbitmq.com/docs/ha#start-stop-synchronisation]",
        keys: &[QUEUE],
    };

    const UNTIL: Option<(&'static str, &'static str)> =
        Some(("4.0", "mirrored queues are gone with it: write broker-version = \"3.13\""));

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<CancelSyncQueue> {
        let instead = "members of a quorum queue catch up by themselves: remove the action";
        Some(CancelSyncQueue { queue: plan.classic_queue_of(values, instead)? })
    }

    fn give(
        &self,
        id: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        broker.ask_leader(ctx, id, self.queue, QueueCommand::CancelSync)
    }
}
