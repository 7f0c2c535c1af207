//! `set_policy`: queues get another policy.

use super::*;

const POLICY: KeySpec =
    KeySpec::new("policy", Kind::Name, Preset::Required, "Its name; one of that name is replaced.");

/// Its name, and what `[[policy]]` says.
const KEYS: &[KeySpec] = &{
    let mut keys = [POLICY; 1 + POLICY_KEYS.len()];
    let mut at = 0;
    while at < POLICY_KEYS.len() {
        keys[at + 1] = POLICY_KEYS[at];
        at += 1;
    }
    keys
};

/// A policy is set.
#[derive(Clone, Debug, PartialEq)]
pub struct SetPolicy {
    policy: PolicyId,
}

impl Command<Planner<'_>, Broker, Message> for SetPolicy {
    const SPEC: Variant = Variant {
        name: "set_policy",
        meaning: "A policy is set, or takes the place of one of its name. Queues that it applies to from \
                  then on get mirrors, lose them, or drop what is too many. \
                  [rabbitmq.com/docs/parameters#policies; rabbit_policy.erl, update_matched_objects; \
                  rabbit_mirror_queue_misc.erl, update_mirrors]",
        keys: KEYS,
    };

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<SetPolicy> {
        let policy = plan.policy(values, values.text("policy").to_owned())?;
        let quorum = plan.quorum_queue_under(policy);
        if let Some(name) = quorum {
            let message =
                format!("it matches `{name}`: limits of quorum queues do not change during a run");
            let help = "write a pattern that matches classic queues only, or a [[policy]]";
            plan.wrong.push(values.span("pattern"), message, help);
            return None;
        }
        Some(SetPolicy { policy })
    }

    fn give(
        &self,
        id: ActionId,
        broker: &mut Broker,
        ctx: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        let change = PolicyChange::Set(self.policy);
        broker.order(ctx, Purpose::Policy { change, action: id })
    }
}
