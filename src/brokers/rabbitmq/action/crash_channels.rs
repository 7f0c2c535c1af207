//! `crash_channels`: channels crash.

use super::*;

/// Channels crash.
#[derive(Clone, Debug, PartialEq)]
pub struct CrashChannels {
    queue: QueueId,
}

impl Command<Planner<'_>, Broker, Message> for CrashChannels {
    const SPEC: Variant = Variant {
        name: "crash_channels",
        meaning: "The channels on that node that publish to the queue or consume from it crash; their connections are \
                  closed with 541. [rabbit_reader.erl, handle_dependent_exit]",
        keys: &[QUEUE],
    };

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<CrashChannels> {
        Some(CrashChannels { queue: plan.crashing_queue_of(values)? })
    }

    fn give(
        &self,
        _: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        Some(broker.crash_channels(ctx, self.queue))
    }
}
