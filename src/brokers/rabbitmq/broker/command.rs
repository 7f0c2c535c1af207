//! Commands of an operator, at the node that is given them: what rabbitmqctl calls there by rpc.

use crate::observe::{ActionId, NodeId};
use crate::world::action::Answer;
use crate::world::{Context, Lane};

use super::super::message::mnesia::TableOp;
use super::super::message::node::NodeMessage;
use super::super::message::queue::{LeaderMessage, QueueCommand};
use super::super::message::{Message, Pid, QueueId};
use super::super::policy::Force;
use super::super::rules::Rule;
use super::channel::calls::{RETRIES, RETRY_WAIT};
use super::cluster::mnesia::{PolicyChange, Purpose};
use super::{Broker, Status};

/// `{error, not_found}`, as rabbitmqctl prints it.
const NOT_FOUND: &str = "not_found";
/// What rabbitmqctl says of a node whose VM runs and RabbitMQ does not.
const APP_NOT_RUNNING: &str = "the rabbit application is not running";

/// A command that a queue's leader is to carry out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    action: ActionId,
    queue: QueueId,
    command: QueueCommand,
    /// Who was asked last; nobody while it waits to ask again.
    leader: Option<Pid>,
    retries_left: u32,
}

impl Broker {
    /// An operator gives this node a command.
    pub(crate) fn command(&mut self, ctx: &mut Context<'_, Message>, action: ActionId) {
        let config = self.node.config.clone();
        let command = &config.actions[action.index()];
        let answer = match self.node.status {
            _ if !config.settings.rules.has(Rule::OperatorCommands) => Some(Ok(())),
            Status::Running => command.give(action, self, ctx),
            Status::Paused if command.is_for_a_stopped_app() => command.give(action, self, ctx),
            _ => Some(Err(APP_NOT_RUNNING)),
        };
        if let Some(answer) = answer {
            ctx.answer(action, answer);
        }
    }

    /// An operator gives a command for this node while it has no process.
    ///
    /// # Errors
    /// Why nothing is done.
    pub fn command_offline(&mut self, action: ActionId, up: &dyn Fn(NodeId) -> bool) -> Answer {
        let config = self.node.config.clone();
        match config.settings.rules.has(Rule::OperatorCommands) {
            true => config.actions[action.index()].give_offline(self, up),
            false => Ok(()),
        }
    }

    /// Asks the leader of a queue to do something (rabbit_amqqueue.erl: `with`): if its process is
    /// gone, again every 30 ms, for it may be promoted elsewhere. `None` if the answer is to come.
    pub(crate) fn ask_leader(
        &mut self,
        ctx: &mut Context<'_, Message>,
        action: ActionId,
        queue: QueueId,
        command: QueueCommand,
    ) -> Option<Answer> {
        let asked = Asked { action, queue, command, leader: None, retries_left: RETRIES };
        self.ask(ctx, asked)
    }

    fn ask(&mut self, ctx: &mut Context<'_, Message>, mut asked: Asked) -> Option<Answer> {
        let Asked { action, queue, command, .. } = asked;
        let Some(leader) = self.node.mnesia.tables.queue(queue).map(|record| record.leader) else {
            return Some(Err(NOT_FOUND));
        };
        asked.leader = Some(leader);
        self.node.asked.push(asked);
        self.node.monitor(ctx, Lane::MAIN, leader);
        let asker = self.node.me;
        self.node.send(ctx, leader, LeaderMessage::Command { asker, action, command }, 80);
        None
    }

    /// A process that this node's main lane monitors is down: who was asked answers no more.
    pub(crate) fn asked_is_down(&mut self, ctx: &mut Context<'_, Message>, pid: Pid) {
        let mut given_up = Vec::new();
        for asked in self.node.asked.iter_mut().filter(|asked| asked.leader == Some(pid)) {
            asked.leader = None;
            if asked.retries_left == 0 {
                given_up.push(asked.action);
                continue;
            }
            asked.retries_left -= 1;
            let action = asked.action;
            ctx.after(RETRY_WAIT, Lane::MAIN, NodeMessage::AskAgain { action }.into());
        }
        for action in given_up {
            self.answered(ctx, action, Err("timeout"));
        }
    }

    /// The wait before the leader is asked again is over.
    pub(crate) fn ask_again(&mut self, ctx: &mut Context<'_, Message>, action: ActionId) {
        let waits = |asked: &Asked| asked.action == action && asked.leader.is_none();
        let Some(at) = self.node.asked.iter().position(waits) else { return };
        let asked = self.node.asked.remove(at);
        if let Some(answer) = self.ask(ctx, asked) {
            ctx.answer(action, answer);
        }
    }

    /// Who was asked has answered.
    pub(crate) fn answered(
        &mut self,
        ctx: &mut Context<'_, Message>,
        action: ActionId,
        answer: Answer,
    ) {
        self.node.asked.retain(|asked| asked.action != action);
        ctx.answer(action, answer);
    }

    /// Begins a transaction that ends with an answer.
    pub(crate) fn order(
        &mut self,
        ctx: &mut Context<'_, Message>,
        purpose: Purpose,
    ) -> Option<Answer> {
        self.node.transaction(ctx, purpose);
        None
    }

    /// rabbit_policy.erl `update_matched_objects`: other policies are in force, and the queues to
    /// which another one applies than before look what it says (rabbit_amqqueue.erl:
    /// `policy_changed`).
    pub(crate) fn change_policies(
        &mut self,
        ctx: &mut Context<'_, Message>,
        change: &PolicyChange,
        action: ActionId,
    ) {
        let (config, old) = (self.node.config.clone(), self.node.mnesia.tables.force.clone());
        let policies = match change {
            PolicyChange::Set(policy) => Some(config.policies.with(&old.policies, *policy)),
            PolicyChange::Clear(name) => config.policies.without(&old.policies, name),
        };
        let Some(policies) = policies else {
            let answer = Err("no such policy");
            return self.node.then_here(Lane::MAIN, NodeMessage::Answered { action, answer });
        };
        let force = Force::new(&config.policies, policies, config.queues.len());
        self.commit(ctx, TableOp::Policies { force: force.clone() });
        let queues = (0..config.queues.len() as u32).map(QueueId);
        for queue in queues.filter(|queue| force.over(*queue) != old.over(*queue)) {
            if let Some(record) = self.node.mnesia.tables.queue(queue) {
                self.node.then(record.leader, LeaderMessage::PolicyChanged);
            }
        }
        self.node.then_here(Lane::MAIN, NodeMessage::Answered { action, answer: Ok(()) });
    }

    /// Deletes a queue whose leader's node does not run, by its record alone
    /// (rabbit_classic_queue.erl: `delete`, `delete_crashed_internal`); `None` if it has one that
    /// can be asked. Within is the answer, or none if it is to come.
    #[expect(clippy::option_option, reason = "whether it is done, then what has come of it")]
    pub(crate) fn force_delete(
        &mut self,
        ctx: &mut Context<'_, Message>,
        action: ActionId,
        queue: QueueId,
        if_empty: bool,
    ) -> Option<Option<Answer>> {
        let record = self.node.mnesia.tables.queue(queue)?;
        if self.node.runs(record.leader.node) || !record.mirrors.is_empty() {
            return None;
        }
        if if_empty {
            return Some(Some(Err("not_empty")));
        }
        self.node.transaction(ctx, Purpose::ForceDelete { queue, action });
        Some(None)
    }
}
