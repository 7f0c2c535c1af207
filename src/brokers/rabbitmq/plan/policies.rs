//! Policies meet their queues.

use regex_lite::Regex;

use crate::scenario::{Place, Value, Values};

use super::super::mirroring::{HaMode, Mirroring};
use super::super::rules::{Rule, Rules};
use super::{Mode, Planner};

impl Planner<'_> {
    /// Each queue takes the matching policy of the greatest priority, the first of equals.
    pub(super) fn read_policies(&mut self) {
        let sections = self.scenario.many("policy");
        if self.mode != Mode::Mirrored {
            if let Some(policy) = sections.first() {
                self.wrong.push(
                    policy.place(),
                    "queues are mirrored in the mode `rabbitmq-mirrored` only",
                    "remove the policy, or write mode = \"rabbitmq-mirrored\"",
                );
            }
            return;
        }
        let mut policies = Vec::new();
        for values in sections {
            let Some(mirroring) = self.mirroring(values) else { continue };
            match Regex::new(values.text("pattern")) {
                Ok(pattern) => policies.push((pattern, values.signed("priority"), mirroring)),
                Err(error) => self.wrong.push(
                    values.span("pattern"),
                    format!("this is no regular expression: {error}"),
                    "write the queue's name, or a pattern such as \"^orders\"",
                ),
            }
        }
        policies.sort_by_key(|(_, priority, _)| std::cmp::Reverse(*priority));
        for queue in &mut self.queues {
            let policy = policies.iter().find(|(pattern, ..)| pattern.is_match(&queue.name));
            queue.mirroring = policy.map(|(_, _, mirroring)| mirroring.clone());
        }
        let mirrored = self.queues.iter().any(|queue| queue.mirroring.is_some());
        if !mirrored && !self.queues.is_empty() && self.wrong.is_empty() {
            let place = sections.first().map_or(Place::START, |policy| policy.span("pattern"));
            self.wrong.push(
                place,
                "no policy matches any queue, so nothing is mirrored",
                "add [[policy]] with the queue's name as pattern and ha-mode = \"all\", or write \
                 mode = \"rabbitmq-cluster\"",
            );
        }
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
