//! Policies meet their queues.

use regex_lite::Regex;

use crate::scenario::{Place, Value, Values, suggest};

use super::super::arguments::{Arguments, Overflow};
use super::super::mirroring::{HaMode, Mirroring};
use super::super::policy::{Definition, Policies, Policy, PolicyId};
use super::super::rules::{Rule, Rules};
use super::{Mode, Planner};

/// What goes with `ha-mode` only.
const WITH_HA_MODE: [&str; 5] = [
    "ha-params",
    "ha-sync-mode",
    "ha-sync-batch-size",
    "ha-promote-on-shutdown",
    "ha-promote-on-failure",
];
/// What else a policy can say.
const LIMITS: [&str; 4] = ["max-length", "max-length-bytes", "overflow", "message-ttl"];

impl Planner<'_> {
    /// The policies that are in force at time zero.
    pub(super) fn read_policies(&mut self) {
        for (index, values) in self.scenario.many("policy").iter().enumerate() {
            // One without a name has none that an action could write.
            let unnamed = || format!("policy {index}");
            let name = values.get_text("name").map_or_else(unnamed, str::to_owned);
            self.policy(values, name);
        }
        self.in_force = (0..self.policies.len() as u32).map(PolicyId).collect();
    }

    /// A policy, by the keys that `[[policy]]` and `set_policy` have in common.
    pub(in super::super) fn policy(&mut self, values: &Values, name: String) -> Option<PolicyId> {
        let definition = self.definition(values);
        let pattern = match Regex::new(values.text("pattern")) {
            Ok(pattern) => pattern,
            Err(error) => {
                self.wrong.push(
                    values.span("pattern"),
                    format!("this is no regular expression: {error}"),
                    "write the queue's name, or a pattern such as \"^orders\"",
                );
                return None;
            }
        };
        let matches = self.queues.iter().map(|queue| pattern.is_match(&queue.name)).collect();
        let priority = values.signed("priority");
        self.policies.push(Policy { name, priority, matches, definition: definition? });
        Some(PolicyId(self.policies.len() as u32 - 1))
    }

    /// The name of a policy that is in force at some time.
    pub(in super::super) fn policy_named(&mut self, name: &str, place: Place) -> Option<String> {
        // Those that are set later in the file, by an action, may be set earlier in the run.
        let set = self.scenario.many("action").iter();
        let set = set.filter(|values| values.text("kind") == "set_policy");
        let set: Vec<String> = set.map(|values| values.text("policy").to_owned()).collect();
        let known = self.policies.iter().map(|policy| policy.name.as_str());
        let known: Vec<&str> = known.chain(set.iter().map(String::as_str)).collect();
        let named: Vec<&str> = known.into_iter().filter(|name| !name.contains(' ')).collect();
        if named.contains(&name) {
            return Some(name.to_owned());
        }
        let help = match named.is_empty() {
            true => format!("write name = \"{name}\" into the [[policy]]"),
            false => suggest(name, &named, "the policies"),
        };
        self.wrong.push(place, format!("there is no policy `{name}`"), help);
        None
    }

    /// The first quorum queue whose limits a policy would change.
    pub(in super::super) fn quorum_queue_under(&self, policy: PolicyId) -> Option<String> {
        let policy = &self.policies[policy.0 as usize];
        let limits = policy.definition.limits != Arguments::default();
        let changes = limits || policy.definition.overflow.is_some();
        let matched = self.queues.iter().zip(&policy.matches);
        let mut quorum = matched.filter(|(queue, matched)| **matched && queue.is_quorum());
        quorum.next().filter(|_| changes).map(|(queue, _)| queue.name.clone())
    }

    /// What all policies make of all queues, once everything else is read; in this mode there is
    /// one that mirrors.
    pub(super) fn finish_policies(&mut self) -> Policies {
        let mirrors = |policy: &Policy| {
            policy.definition.mirroring.is_some() && policy.matches.contains(&true)
        };
        let mirrored = self.policies.iter().any(mirrors);
        let wanted = self.mode == Mode::Mirrored && !self.queues.is_empty();
        if wanted && !mirrored && self.wrong.is_empty() {
            let sections = self.scenario.many("policy");
            let place = sections.first().map_or(Place::START, |policy| policy.span("pattern"));
            self.wrong.push(
                place,
                "no policy matches any queue, so nothing is mirrored",
                "add [[policy]] with the queue's name as pattern and ha-mode = \"all\", or write \
                 mode = \"rabbitmq-cluster\"",
            );
        }
        let sections = self.scenario.many("queue");
        let overflows = sections.iter().map(|values| values.is_set("x-overflow"));
        let declared = self.queues.iter().zip(overflows);
        let declared: Vec<_> = declared.map(|(queue, own)| (queue.arguments, own)).collect();
        Policies::new(std::mem::take(&mut self.policies), &declared)
    }

    fn definition(&mut self, values: &Values) -> Option<Definition> {
        let mirrors = values.is_set("ha-mode");
        if let Some(key) = WITH_HA_MODE.iter().find(|key| !mirrors && values.is_set(key)) {
            let message =
                format!("`{key}` says how a queue is mirrored, and this policy mirrors none");
            self.wrong.push(values.span(key), message, "add ha-mode = \"all\", or remove it");
            return None;
        }
        if !mirrors && !LIMITS.iter().any(|key| values.is_set(key)) {
            let help = "add ha-mode = \"all\", or max-length = 10000";
            self.wrong.push(values.place(), "this policy says nothing", help);
            return None;
        }
        if mirrors && self.mode != Mode::Mirrored {
            self.wrong.push(
                values.span("ha-mode"),
                "queues are mirrored in the mode `rabbitmq-mirrored` only",
                "remove the policy, or write mode = \"rabbitmq-mirrored\"",
            );
            return None;
        }
        let mirroring = if mirrors { Some(self.mirroring(values)?) } else { None };
        let overflow = values.get_text("overflow").map(Overflow::named);
        let limits = Arguments {
            max_length: values.get_integer("max-length"),
            max_length_bytes: values.get_size("max-length-bytes"),
            message_ttl: values.get_duration("message-ttl"),
            ..Arguments::default()
        };
        Some(Definition { mirroring, limits, overflow })
    }

    fn mirroring(&mut self, values: &Values) -> Option<Mirroring> {
        let mode = self.ha_mode(values)?;
        // rabbit_mirror_queue_misc.erl v3.10 `sync_batch_size`: a policy's 1 counts as none.
        let default = self.scenario.one("broker").get_integer("mirroring_sync_batch_size");
        let batch = values.get_integer("ha-sync-batch-size").filter(|size| *size > 1).or(default);
        let batches = Rules::read(self.scenario.one("rules")).has(Rule::BatchSync);
        Some(Mirroring {
            mode,
            automatic_sync: values.choice("ha-sync-mode") == "automatic",
            sync_batch_size: batch.filter(|_| batches).unwrap_or(1) as u32,
            promote_on_shutdown_always: values.choice("ha-promote-on-shutdown") == "always",
            promote_on_failure_always: values.get_text("ha-promote-on-failure")
                != Some("when-synced"),
        })
    }

    /// rabbit_mirror_queue_mode_{all,exactly,nodes}.erl: `validate_policy`.
    fn ha_mode(&mut self, values: &Values) -> Option<HaMode> {
        let params = values.value("ha-params");
        let place = match params {
            Some(_) => values.span("ha-params"),
            None => values.span("ha-mode"),
        };
        match (values.choice("ha-mode"), params) {
            ("all", None) => Some(HaMode::All),
            ("all", Some(_)) => {
                self.wrong.push(
                    place,
                    "ha-mode = \"all\" takes no ha-params",
                    "remove ha-params, or write ha-mode = \"exactly\" or \"nodes\"",
                );
                None
            }
            ("exactly", Some(Value::Integer(replicas))) => Some(HaMode::Exactly(*replicas as u32)),
            ("exactly", _) => {
                self.wrong.push(
                    place,
                    "ha-mode = \"exactly\" needs the number of replicas, leader included",
                    "write ha-params = 2",
                );
                None
            }
            (_, Some(Value::Names(names))) if !names.is_empty() => {
                let mut nodes = Vec::new();
                for name in names {
                    let node = self.node(&name.value, name.place);
                    if !nodes.contains(&node) {
                        nodes.push(node);
                    }
                }
                Some(HaMode::Nodes(nodes))
            }
            _ => {
                self.wrong.push(
                    place,
                    "ha-mode = \"nodes\" needs the list of nodes",
                    "write ha-params = [\"n1\", \"n2\"]",
                );
                None
            }
        }
    }
}
