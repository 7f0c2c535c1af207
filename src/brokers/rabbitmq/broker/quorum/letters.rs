//! The worker of a quorum queue that dead-letters at least once (rabbit_fifo_dlx_worker.erl v4.3.5): on
//! the leader's node it publishes what has died, with confirms, and has it leave the queue when
//! every queue that it was routed to has confirmed it. What is not confirmed in time, for it was lost,
//! refused or led nowhere, is published again.

use std::collections::VecDeque;

use crate::observe::{MessageRange, NodeId};
use crate::world::{Context, Lane, Wait};

use super::super::super::letters::{LetterId, Reason};
use super::super::super::message::channel::ChannelMessage;
use super::super::super::message::queue::QueueMessage;
use super::super::super::message::ra::{
    Command, LetterMessage, MessageId, QuorumMessage, RaMessage, Reply, Request,
};
use super::super::super::message::{Message, Pid, Properties, PublishSeq, QueueId};
use super::super::Node;
use super::super::queue::dead_letter::LETTER_BYTES;

/// Whose confirm is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    /// A replica of a classic queue.
    Replica(Pid),
    /// A quorum queue.
    Queue(QueueId),
    /// A queue that is not there, or refuses it.
    Nobody(QueueId),
}

/// A dead letter that has not arrived everywhere.
#[derive(Clone, Debug)]
struct Letter {
    id: MessageId,
    message: MessageRange,
    /// What it remembered when it died, and why it did.
    was: (LetterId, Reason),
    /// Its number as a publish.
    seq: PublishSeq,
    missing: Vec<Missing>,
}

/// What it knows of a quorum queue to which it publishes (rabbit_fifo_client.erl).
#[derive(Clone, Debug)]
struct Target {
    queue: QueueId,
    leader: NodeId,
    next_seq: u64,
    /// Not applied yet: its publish, and the command.
    pending: VecDeque<(PublishSeq, Command)>,
}

/// The worker.
#[derive(Clone, Debug)]
pub struct Worker {
    queue: QueueId,
    me: Pid,
    /// The member that leads.
    member: Lane,
    letters: Vec<Letter>,
    targets: Vec<Target>,
    last: PublishSeq,
}

impl Worker {
    /// The process `me`, of the queue whose leader is `member`.
    #[must_use]
    pub fn new(queue: QueueId, me: Pid, member: Lane) -> Worker {
        Worker { queue, me, member, letters: Vec::new(), targets: Vec::new(), last: 0 }
    }

    /// What it waits for. What leads nowhere it tries again for ever.
    #[must_use]
    pub fn waits_for(&self) -> Option<Wait> {
        let mut missing = self.letters.iter().flat_map(|letter| &letter.missing);
        let waits = missing.any(|of| !matches!(of, Missing::Nobody(_)));
        waits.then(|| "its dead letters to be confirmed".into())
    }

    /// From its queue, and its own timer.
    pub fn letter(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        message: LetterMessage,
    ) {
        match message {
            LetterMessage::Died { id, message, letter, reason } => {
                let was = (letter, reason);
                let missing = node.letter_routes(self.queue, message, was);
                let missing = missing.into_iter().map(Missing::Nobody).collect();
                self.letters.push(Letter { id, message, was, seq: 0, missing });
                self.publish(node, ctx, self.letters.len() - 1);
            }
            LetterMessage::Again { id } => {
                if let Some(at) = self.letters.iter().position(|letter| letter.id == id) {
                    self.publish(node, ctx, at);
                }
            }
        }
    }

    /// From the queues that it publishes to.
    pub fn confirmed(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        message: ChannelMessage,
    ) {
        match message {
            ChannelMessage::Confirm { from, first, count } => {
                for seq in first..first + u64::from(count) {
                    self.arrived(node, ctx, seq, Missing::Replica(from));
                }
            }
            ChannelMessage::Quorum(QuorumMessage::Applied { queue, from, first, count }) => {
                for seq in first..first + u64::from(count) {
                    if let Some(target) = self.targets.iter_mut().find(|of| of.queue == queue) {
                        target.pending.retain(|(of, _)| *of != seq);
                    }
                    self.arrived(node, ctx, seq, Missing::Queue(queue));
                }
                self.leads(node, ctx, queue, from);
            }
            ChannelMessage::Quorum(
                QuorumMessage::LeaderChange { queue, leader }
                | QuorumMessage::NotLeader { queue, leader: Some(leader) },
            ) => self.leads(node, ctx, queue, leader),
            _ => {}
        }
    }

    /// Another member leads than it took for the leader: what is pending goes there.
    fn leads(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        leader: NodeId,
    ) {
        let Some(target) = self.targets.iter_mut().find(|of| of.queue == queue) else { return };
        if std::mem::replace(&mut target.leader, leader) == leader {
            return;
        }
        for &(seq, command) in &target.pending {
            send(node, ctx, (self.me, queue, leader), seq, command);
        }
    }

    fn arrived(
        &mut self,
        node: &Node,
        ctx: &mut Context<'_, Message>,
        seq: PublishSeq,
        at: Missing,
    ) {
        let Some(index) = self.letters.iter().position(|letter| letter.seq == seq) else { return };
        let letter = &mut self.letters[index];
        letter.missing.retain(|missing| *missing != at);
        if letter.missing.is_empty() {
            let id = self.letters.remove(index).id;
            let request = Request { command: Command::SettleLetter { id }, reply: Reply::None };
            let settle = RaMessage::Command(Box::new(request));
            debug_assert_eq!(self.me.node, node.me, "the worker is on the leader's node");
            ctx.tell(self.member, Message::Ra(self.queue, settle));
        }
    }

    /// To the queues that have not confirmed it, and again if they do not do so in time
    /// (`settle_timeout`).
    fn publish(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, at: usize) {
        let Worker { queue, me, letters, targets, last, .. } = self;
        let config = node.config.clone();
        let letter = &mut letters[at];
        *last += 1;
        letter.seq = *last;
        let (message, (memory, reason)) = (letter.message, letter.was);
        let again = LetterMessage::Again { id: letter.id };
        ctx.after(config.settings.letter_confirm_timeout, ctx.lane(), again.into());
        let death = config.letters.death(message.producer, memory, *queue, reason);
        let Some(death) = death else { return };
        ctx.spend(config.costs.queue_deliver);
        let mut open: Vec<QueueId> = Vec::new();
        for missing in letter.missing.drain(..) {
            let target = match missing {
                Missing::Queue(target) | Missing::Nobody(target) => Some(target),
                Missing::Replica(pid) => death.routed.iter().copied().find(|target| {
                    let record = node.mnesia.tables.queue(*target);
                    record.is_none_or(|record| record.replicas().any(|of| of.node == pid.node))
                }),
            };
            open.extend(target.filter(|target| !open.contains(target)));
        }
        let bytes = LETTER_BYTES + message.bytes * message.count;
        for target in open {
            if config.queue(target).is_quorum() {
                let known = targets.iter().position(|of| of.queue == target);
                let place = known.unwrap_or_else(|| {
                    let (leader, pending) = (node.known_leader(target), VecDeque::new());
                    targets.push(Target { queue: target, leader, next_seq: 1, pending });
                    targets.len() - 1
                });
                let of = &mut targets[place];
                let (channel, seq) = (*me, of.next_seq);
                of.next_seq += 1;
                let command =
                    Command::Enqueue { channel, seq, message, letter: death.letter, given: 0 };
                of.pending.push_back((*last, command));
                send(node, ctx, (*me, target, of.leader), *last, command);
                letter.missing.push(Missing::Queue(target));
                continue;
            }
            let Some(record) = node.mnesia.tables.queue(target) else {
                letter.missing.push(Missing::Nobody(target));
                continue;
            };
            let replicas: Vec<Pid> = record.replicas().collect();
            let letter_id = death.letter;
            let properties = Properties {
                persistent: true,
                confirm: true,
                letter: letter_id,
                ..Properties::default()
            };
            for pid in replicas {
                let deliver =
                    QueueMessage::Deliver { channel: *me, seq: *last, message, properties };
                node.send(ctx, pid, deliver, bytes);
                letter.missing.push(Missing::Replica(pid));
            }
        }
    }
}

fn send(
    node: &mut Node,
    ctx: &mut Context<'_, Message>,
    (me, queue, leader): (Pid, QueueId, NodeId),
    seq: PublishSeq,
    command: Command,
) {
    let bytes = match command {
        Command::Enqueue { message, .. } => LETTER_BYTES + message.bytes * message.count,
        _ => LETTER_BYTES,
    };
    let request = Box::new(Request { command, reply: Reply::Notify(me, seq) });
    node.send_member(ctx, queue, leader, RaMessage::Command(request), bytes);
}

impl Node {
    /// Where a dead letter is to go: where it would go round in a circle it does not.
    fn letter_routes(
        &self,
        queue: QueueId,
        message: MessageRange,
        (letter, reason): (LetterId, Reason),
    ) -> Vec<QueueId> {
        let death = self.config.letters.death(message.producer, letter, queue, reason);
        let routed = death
            .into_iter()
            .flat_map(|of| of.routed.iter().copied().filter(|target| !of.cycling.contains(target)));
        routed.collect()
    }
}
