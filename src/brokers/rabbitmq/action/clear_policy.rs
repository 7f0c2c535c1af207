//! `clear_policy`: queues lose a policy.

use super::*;

/// A policy is cleared.
#[derive(Clone, Debug, PartialEq)]
pub struct ClearPolicy {
    policy: String,
}

impl Command<Planner<'_>, Broker, Message> for ClearPolicy {
    const SPEC: Variant = Variant {
        name: "clear_policy",
        meaning: "A policy is cleared: queues fall back to the one of the next priority, or to their own \
                  arguments and no mirrors. It fails if there is none of that name. \
                  [rabbitmq.com/docs/parameters#policies]",
        keys: &[KeySpec::new("policy", Kind::Name, Preset::Required, "Its name.")],
    };

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<ClearPolicy> {
        let policy = plan.policy_named(values.text("policy"), values.span("policy"))?;
        Some(ClearPolicy { policy })
    }

    fn give(
        &self,
        id: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        let change = PolicyChange::Clear(self.policy.clone());
        broker.order(ctx, Purpose::Policy { change, action: id })
    }
}
