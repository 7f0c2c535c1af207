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
        let queue = plan.queue_of(values)?;
        if !plan.names_its_node(values) {
            return None;
        }
        if plan.is_quorum(queue) {
            let message = "that a process of a quorum queue crashes is not simulated";
            plan.wrong.push(values.span("queue"), message, "name a classic queue");
            return None;
        }
        Some(CrashChannels { queue })
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
