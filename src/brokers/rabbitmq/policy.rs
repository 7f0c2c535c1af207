//! Policies: what they say of the queues that they match, and which of several applies.

use std::sync::Arc;

use super::arguments::{Arguments, Overflow};
use super::message::QueueId;
use super::mirroring::Mirroring;

/// A policy that is ever in force, by its place in [`Policies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyId(pub u32);

/// What a policy says; of what it does not say the queue's own arguments decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// `ha-mode` and what goes with it. A quorum queue heeds none of it.
    pub mirroring: Option<Mirroring>,
    /// `max-length`, `max-length-bytes`, `message-ttl`.
    pub limits: Arguments,
    /// `overflow`.
    pub overflow: Option<Overflow>,
}

/// A policy: what it says, and of which queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name, by which it is replaced or cleared.
    pub name: String,
    /// Of several that match the one with the greatest priority applies.
    pub priority: i64,
    /// The queues that its pattern matches.
    pub matches: Vec<bool>,
    /// What it says.
    pub definition: Definition,
}

/// The policies of a scenario, those that an action sets among them.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    all: Vec<Policy>,
    /// Of each policy and queue the arguments that both come to.
    under: Vec<Vec<Arguments>>,
}

/// A queue's own arguments, and whether it is declared with `x-overflow`.
pub type Declared = (Arguments, bool);

impl Policies {
    /// Works out what each policy makes of each queue (rabbit_queue_type_util.erl v3.10
    /// `args_policy_lookup`): of two limits the lesser one counts (`res_min`), of two ways to
    /// overflow that of the queue's arguments (`res_arg`).
    #[must_use]
    pub fn new(all: Vec<Policy>, queues: &[Declared]) -> Policies {
        let least = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        let both = |policy: &Policy, &(own, overflows): &Declared| {
            let Definition { limits, overflow, .. } = policy.definition;
            Arguments {
                max_length: least(own.max_length, limits.max_length),
                max_length_bytes: least(own.max_length_bytes, limits.max_length_bytes),
                message_ttl: own.message_ttl.into_iter().chain(limits.message_ttl).min(),
                overflow: overflow.filter(|_| !overflows).unwrap_or(own.overflow),
                ..own
            }
        };
        let under = |policy: &Policy| queues.iter().map(|queue| both(policy, queue)).collect();
        let under = all.iter().map(under).collect();
        Policies { all, under }
    }

    /// A policy.
    #[must_use]
    pub fn get(&self, policy: PolicyId) -> &Policy {
        &self.all[policy.0 as usize]
    }

    /// What a policy says of a queue's mirrors.
    #[must_use]
    pub fn mirroring(&self, policy: Option<PolicyId>) -> Option<&Mirroring> {
        self.get(policy?).definition.mirroring.as_ref()
    }

    /// A queue's arguments under a policy.
    #[must_use]
    pub fn arguments(&self, policy: PolicyId, queue: QueueId) -> &Arguments {
        &self.under[policy.0 as usize][queue.0 as usize]
    }

    /// Which of those in force applies to each of so many queues: the one with the greatest
    /// priority, the first of equals (rabbit_policy.erl v3.10: `match`, `sort_pred`).
    #[must_use]
    pub fn applied(&self, in_force: &[PolicyId], queues: usize) -> Vec<Option<PolicyId>> {
        let of = |queue: usize| {
            let matching = in_force.iter().copied().filter(|id| self.get(*id).matches[queue]);
            matching.min_by_key(|id| std::cmp::Reverse(self.get(*id).priority))
        };
        (0..queues).map(of).collect()
    }

    /// Those in force once this one is set: it takes the place of one of its name.
    #[must_use]
    pub fn with(&self, in_force: &[PolicyId], set: PolicyId) -> Vec<PolicyId> {
        let name = &self.get(set).name;
        let mut found = in_force.to_vec();
        match found.iter_mut().find(|id| self.get(**id).name == *name) {
            Some(old) => *old = set,
            None => found.push(set),
        }
        found
    }

    /// Those in force once the one of this name is cleared; `None` if there is none.
    #[must_use]
    pub fn without(&self, in_force: &[PolicyId], name: &str) -> Option<Vec<PolicyId>> {
        let at = in_force.iter().position(|id| self.get(*id).name == name)?;
        let mut found = in_force.to_vec();
        found.remove(at);
        Some(found)
    }

    /// The most replicas that any of them makes of a queue in a cluster of so many nodes.
    #[must_use]
    pub fn most_replicas(&self, queue: QueueId, nodes: u32) -> u32 {
        let matching = self.all.iter().filter(|policy| policy.matches[queue.0 as usize]);
        let replicas = matching.filter_map(|policy| policy.definition.mirroring.as_ref());
        replicas.map(|mirroring| mirroring.replicas(nodes)).max().unwrap_or(1)
    }
}

/// What a table has of policies: those in force, and which of them applies to each queue. It is
/// replaced as a whole, so copies share it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Force {
    /// Those in force.
    pub policies: Vec<PolicyId>,
    /// Which applies, by queue.
    pub of: Vec<Option<PolicyId>>,
}

impl Force {
    /// These policies in force over so many queues.
    #[must_use]
    pub fn new(policies: &Policies, in_force: Vec<PolicyId>, queues: usize) -> Arc<Force> {
        let of = policies.applied(&in_force, queues);
        Arc::new(Force { policies: in_force, of })
    }

    /// The one that applies to a queue.
    #[must_use]
    pub fn over(&self, queue: QueueId) -> Option<PolicyId> {
        self.of.get(queue.0 as usize).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str, priority: i64, max_length: u64) -> Policy {
        let limits = Arguments { max_length: Some(max_length), ..Arguments::default() };
        let definition = Definition { limits, ..Definition::default() };
        Policy { name: name.to_owned(), priority, matches: vec![true, false], definition }
    }

    /// rabbit_policy.erl v3.10 `sort_pred`: "A#policy.priority >= B#policy.priority".
    #[test]
    fn the_greatest_priority_applies_and_a_policy_takes_the_place_of_its_namesake() {
        let all = vec![policy("a", 0, 10), policy("b", 1, 20), policy("a", 2, 30)];
        let policies = Policies::new(all, &[(Arguments::default(), false); 2]);
        let (a, b, other_a) = (PolicyId(0), PolicyId(1), PolicyId(2));
        assert_eq!(policies.applied(&[a, b], 2), [Some(b), None]);
        let changed = policies.with(&[a, b], other_a);
        assert_eq!(
            (changed.clone(), policies.applied(&changed, 1)),
            (vec![other_a, b], vec![Some(other_a)])
        );
        assert_eq!(policies.without(&changed, "a"), Some(vec![b]));
        assert_eq!(policies.without(&[b], "a"), None);
    }

    #[test]
    fn the_lesser_limit_counts_and_the_way_to_overflow_is_the_queues_own() {
        let own = Arguments {
            max_length: Some(5),
            max_length_bytes: None,
            overflow: Overflow::RejectPublish,
            ..Arguments::default()
        };
        let mut one = policy("a", 0, 10);
        one.definition.limits.max_length_bytes = Some(7);
        one.definition.overflow = Some(Overflow::DropHead);
        let policies = Policies::new(vec![one], &[(own, true), (own, false)]);
        let under = |queue| *policies.arguments(PolicyId(0), QueueId(queue));
        assert_eq!((under(0).max_length, under(0).max_length_bytes), (Some(5), Some(7)));
        assert_eq!(under(0).overflow, Overflow::RejectPublish);
        assert_eq!(under(1).overflow, Overflow::DropHead);
    }
}
