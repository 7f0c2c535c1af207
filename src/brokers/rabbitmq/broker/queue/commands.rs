//! Commands of an operator, at the queue that they are about.

use crate::observe::{Event, Removal};
use crate::world::action::Answer;
use crate::world::{Context, Lane};

use super::super::super::message::node::NodeMessage;
use super::super::super::message::queue::{Commander, MirrorMessage, QueueCommand};
use super::super::super::message::ring::Instruction;
use super::super::super::message::{Message, Pid};
use super::super::super::words::{because, cause, event};
use super::super::Node;
use super::super::cluster::mnesia::Purpose;
use super::base::Base;
use super::leader::runs;
use super::replica::Leader;

/// The end of every copy when an operator has the queue deleted.
const DELETED: Removal =
    Removal { cause: cause::QUEUE_DELETED, because: because::DELETED_BY_OPERATOR };

/// The end of every copy of what is purged.
const PURGED: Removal = Removal { cause: cause::QUEUE_PURGED, because: because::NONE };

impl Leader<'_> {
    /// What an operator wants of the queue.
    pub(super) fn command(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        commander: Commander,
        command: QueueCommand,
    ) {
        let refused = match command {
            // rabbit_amqqueue_process.erl: `handle_call(sync_mirrors, ...)` without a mirrored store.
            QueueCommand::Sync if self.base.group.is_none() => Some("not_mirrored"),
            QueueCommand::Delete { if_empty: true, .. } if self.base.bq.ready() > 0 => {
                Some("not_empty")
            }
            QueueCommand::Delete { if_unused: true, .. } if self.leading.consumers.count() > 0 => {
                Some("in_use")
            }
            _ => None,
        };
        if let Some(why) = refused {
            return self.base.answer(node, ctx, Some(commander), Err(why));
        }
        match command {
            QueueCommand::Sync => self.start_sync(node, ctx, Some(commander)),
            QueueCommand::CancelSync => self.cancel_sync(node, ctx, commander),
            QueueCommand::Purge => {
                self.purge(node, ctx);
                self.base.answer(node, ctx, Some(commander), Ok(()));
            }
            QueueCommand::Delete { .. } => {
                self.leading.deleter = Some(commander);
                self.delete(node, ctx, DELETED);
            }
        }
    }

    /// rabbit_amqqueue_process.erl `handle_call(purge, ...)`: what is ready goes; what is in nobody's
    /// hands any more has been confirmed by that.
    fn purge(&mut self, node: &Node, ctx: &mut Context<'_, Message>) {
        let mut gone = Vec::new();
        while let Some(head) = self.base.bq.head() {
            if let Some(given_up) = self.base.bq.give_up(ctx, head.id, PURGED) {
                self.base.due.extend(given_up.due);
            }
            gone.push(head.id);
        }
        for (first, count) in runs(&gone) {
            self.base.broadcast(ctx, Instruction::Drop { first, count, removal: PURGED });
        }
        self.base.event(node, ctx, event::QUEUE_PURGED, gone.len() as u64);
    }

    /// The queue goes with all that is in it, here and at its mirrors (rabbit_amqqueue_process.erl:
    /// `terminate_delete`; rabbit_mirror_queue_master.erl: `delete_and_terminate`).
    pub(super) fn delete(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        removal: Removal,
    ) {
        let (now, here, queue) = (ctx.now(), ctx.node(), self.base.queue);
        let destination = Some(node.config.destination(queue));
        let (word, count) = (event::QUEUE_DELETED, self.base.bq.depth());
        ctx.observer().event(now, Event { word, node: here, destination, subject: None, count });
        self.base.bq.wipe(now, here, ctx.observer(), removal);
        let record = node.mnesia.tables.queue(queue);
        let mirrors = record.map_or(Vec::new(), |record| record.mirrors.clone());
        for mirror in mirrors {
            node.send(ctx, mirror, MirrorMessage::DeleteMirror { removal }, 60);
        }
        self.base.ending = true;
        node.transaction(ctx, Purpose::Delete { queue, by: ctx.lane() });
    }
}

impl Base {
    /// Answers who has given a command, if anybody has.
    pub(super) fn answer(
        &self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        commander: Option<Commander>,
        answer: Answer,
    ) {
        if let Some((asker, action)) = commander {
            let to = Pid { node: asker, lane: Lane::MAIN };
            node.send(ctx, to, NodeMessage::Answered { action, answer }, 60);
        }
    }
}
