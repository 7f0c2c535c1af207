//! `crash_queue`: the process of a queue crashes.

use super::*;

/// The process of a queue crashes.
#[derive(Clone, Debug, PartialEq)]
pub struct CrashQueue {
    queue: QueueId,
}

impl Command<Planner<'_>, Broker, Message> for CrashQueue {
    const SPEC: Variant = Variant {
        name: "crash_queue",
        meaning: "The process of a classic queue on that node crashes, leader or mirror, as by `rabbitmqctl eval \
                  'exit(Pid, kill).'`; its supervisor starts it again. [rabbit_amqqueue_sup.erl, rabbit_prequeue.erl]",
        keys: &[QUEUE],
    };

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<CrashQueue> {
        Some(CrashQueue { queue: plan.crashing_queue_of(values)? })
    }

    fn give(
        &self,
        _: ActionId,
        broker: &mut Broker,
        _: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        Some(broker.crash_queue(self.queue))
    }
}
