//! `set_vm_memory_high_watermark`: a node may use more memory, or less.

use crate::brokers::kit::keys::Setting;

use super::super::broker::vm::alarm::Share;
use super::*;

/// A node has another watermark.
#[derive(Clone, Debug, PartialEq)]
pub struct SetVmMemoryHighWatermark {
    share: Share,
}

impl Command<Planner<'_>, Broker, Message> for SetVmMemoryHighWatermark {
    const SPEC: Variant = Variant {
        name: "set_vm_memory_high_watermark",
        meaning: "The node that is given it raises an alarm above another share of its memory, from now on \
                  until it starts again. [rabbitmq.com/docs/memory#configuring-threshold]",
        keys: &[KeySpec::new(
            "fraction",
            Kind::Chance,
            Preset::Required,
            "The share: 0.8, or \"80%\".",
        )],
    };

    fn parse(values: &Values, _: &mut Planner<'_>) -> Option<SetVmMemoryHighWatermark> {
        Some(SetVmMemoryHighWatermark { share: Share::read(values, "fraction") })
    }

    fn give(
        &self,
        _: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        broker.set_watermark(ctx, self.share);
        Some(Ok(()))
    }
}
