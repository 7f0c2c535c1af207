//! What a channel knows of a quorum queue (rabbit_fifo_client.erl v4.3): who leads it, what it has
//! sent there and not heard of, and the calls with which it waits.

mod calls;
mod consuming;

use std::collections::VecDeque;

use crate::engine::Span;
use crate::observe::{MessageRange, NodeId, Removal};
use crate::world::{Context, Lane, TimerId};

use super::super::super::message::ra::{
    Command, MessageId, QuorumMessage, RaMessage, Reply, Request,
};
use super::super::super::message::{Message, Pid, Properties, PublishSeq, QueueId};
use super::super::super::rules::Rule;
use super::super::super::words::{because, cause};
use super::super::Node;
use super::Channel;
use super::publishing::{Answer, DELIVER_BYTES};

pub(super) use self::calls::{Purpose, QuorumCall};

/// rabbit_fifo_client.erl v4.0: `?TIMER_TIME`.
const RESEND_TIMER: Span = Span::from_secs(10);

/// Whether the queue takes publishes of this channel (`queue_status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// The channel is not registered there.
    Unknown,
    /// Its registration has failed with every member: the publish that waits is nacked, and the
    /// next one tries again.
    Failed,
    /// `go`.
    Go,
    /// `reject_publish`: every publish is nacked here.
    Full,
}

/// A command that the queue has not applied, as far as the channel has heard.
#[derive(Clone, Copy, Debug)]
struct Pending {
    /// Its number among the channel's commands to this queue.
    number: u64,
    command: Command,
    /// The publish that it is; none if it is what a consumer has said.
    publish: Option<PublishSeq>,
}

/// A channel's knowledge of one quorum queue.
#[derive(Clone, Debug)]
pub(super) struct FifoClient {
    pub(super) queue: QueueId,
    leader: NodeId,
    /// By which way it sends there: what one process sends to another arrives in its order, so that
    /// the way stays the same. It is of one leader, and of connections as they were.
    way: Option<(NodeId, u32, Option<Lane>)>,
    status: Status,
    next_number: u64,
    /// The number of the next publish (`next_enqueue_seq`).
    next_seq: u64,
    pending: VecDeque<Pending>,
    /// It has so much pending that the connection is not read.
    slow: bool,
    /// When it looks for another leader, if it stays so.
    timer: Option<TimerId>,
    /// What consumers have settled meanwhile.
    unsent: Vec<Command>,
    /// The delivery that its consumer gets next.
    next_id: MessageId,
    /// Deliveries that it lacks have been asked for.
    asked: bool,
}

impl FifoClient {
    fn new(node: &Node, queue: QueueId) -> FifoClient {
        FifoClient {
            queue,
            leader: node.known_leader(queue),
            way: None,
            status: Status::Unknown,
            next_number: 1,
            next_seq: 1,
            pending: VecDeque::new(),
            slow: false,
            timer: None,
            unsent: Vec::new(),
            next_id: 0,
            asked: false,
        }
    }

    /// The leader, and the way there.
    fn way(&mut self, node: &mut Node) -> (NodeId, Option<Lane>) {
        let (leader, connections) = (self.leader, node.connections());
        match self.way {
            Some((of, then, lane)) if (of, then) == (leader, connections) => (leader, lane),
            _ => {
                let lane = node.member_at(self.queue, leader);
                self.way = Some((leader, connections, lane));
                (leader, lane)
            }
        }
    }

    /// Whether publishes there wait.
    pub(super) fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.unsent.is_empty()
    }
}

impl Channel {
    pub(super) fn client(&mut self, node: &Node, queue: QueueId) -> &mut FifoClient {
        let known = self.quorum.iter().position(|client| client.queue == queue);
        let at = known.unwrap_or_else(|| {
            self.quorum.push(FifoClient::new(node, queue));
            self.quorum.len() - 1
        });
        &mut self.quorum[at]
    }

    /// The first of these queues to which the channel has not published before, nor may publish
    /// now: it registers there first.
    pub(super) fn unregistered(&self, node: &Node, queues: &[QueueId]) -> Option<QueueId> {
        let mut quorum = queues.iter().copied().filter(|of| node.config.queue(*of).is_quorum());
        quorum.find(|queue| {
            let known = self.quorum.iter().find(|client| client.queue == *queue);
            known.is_none_or(|client| client.status == Status::Unknown)
        })
    }

    /// rabbit_fifo_client.erl `enqueue`. Returns whether it was sent: the channel knows of a queue
    /// that is full, or that no member answers for.
    pub(super) fn enqueue(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        (publish, message, properties): (PublishSeq, MessageRange, Properties),
    ) -> bool {
        let channel = self.me;
        let client = self.client(node, queue);
        match client.status {
            Status::Failed => {
                client.status = Status::Unknown;
                let (cause, because) = (cause::QUEUE_UNREACHABLE, because::NONE);
                refuse(node, ctx, queue, message, Removal { cause, because });
                return false;
            }
            Status::Full => {
                let (cause, because) = (cause::QUEUE_FULL, because::NONE);
                refuse(node, ctx, queue, message, Removal { cause, because });
                return false;
            }
            Status::Unknown | Status::Go => {}
        }
        let seq = client.next_seq;
        client.next_seq += 1;
        let Properties { letter, given, .. } = properties;
        let command = Command::Enqueue { channel, seq, message, letter, given };
        self.pipeline(node, ctx, queue, command, Some(publish));
        true
    }

    /// Sends a command, and remembers it until it is applied (rabbit_fifo_client.erl:
    /// `send_command`).
    fn pipeline(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        command: Command,
        publish: Option<PublishSeq>,
    ) {
        let limit = node.config.settings.commands_soft_limit as usize;
        let channel = self.me;
        let client = self.client(node, queue);
        let pending = Pending { number: client.next_number, command, publish };
        client.next_number += 1;
        client.pending.push_back(pending);
        let way = client.way(node);
        let slow = !client.slow && client.pending.len() >= limit;
        client.slow |= slow;
        send_pending(node, ctx, channel, queue, way, &pending);
        if slow {
            self.block();
            if node.config.settings.rules.has(Rule::ResendWhenBlocked) {
                self.set_resend_timer(node, ctx, queue);
            }
        }
    }

    fn set_resend_timer(&mut self, node: &Node, ctx: &mut Context<'_, Message>, queue: QueueId) {
        let timer =
            ctx.after(RESEND_TIMER, ctx.lane(), QuorumMessage::ResendTimer { queue }.into());
        self.client(node, queue).timer = Some(timer);
    }

    /// rabbit_fifo_client.erl `handle_ra_event`.
    pub(super) fn on_quorum(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        message: QuorumMessage,
    ) {
        match message {
            QuorumMessage::Applied { queue, from, first, count } => {
                self.applied(node, ctx, queue, (first, count));
                self.heard_from(node, ctx, queue, from);
            }
            QuorumMessage::NotEnqueued { queue, from } => self.heard_from(node, ctx, queue, from),
            QuorumMessage::LeaderChange { queue, leader } => {
                self.client(node, queue).leader = leader;
                self.resend(node, ctx, queue);
            }
            QuorumMessage::NotLeader { queue, leader } => {
                let client = self.client(node, queue);
                if let Some(leader) = leader.filter(|leader| *leader != client.leader) {
                    client.leader = leader;
                    self.resend(node, ctx, queue);
                }
            }
            QuorumMessage::Status { queue, full } => {
                let client = self.client(node, queue);
                client.status = if full { Status::Full } else { Status::Go };
            }
            // rabbit_fifo_client.erl `handle_delivery`: it goes on behind what it cannot have.
            QuorumMessage::Missed { queue, next } => {
                let client = self.client(node, queue);
                client.next_id = client.next_id.max(next);
            }
            // rabbit_channel.erl v4.3.5: the consumer is cancelled; its client may subscribe again.
            QuorumMessage::TimedOut { queue } => {
                if self.subscriptions.iter().any(|of| of.queue == queue) {
                    self.not_found(node, ctx, queue, false);
                }
            }
            QuorumMessage::Answered { from, call, answer } => {
                self.answered(node, ctx, from, call, answer);
            }
            QuorumMessage::CallTimeout { call } => self.call_timeout(node, ctx, call),
            QuorumMessage::ResendTimer { queue } => {
                // `find_leader`: once there is one, all goes to it, and the timer is not set again;
                // in a minority the old leader is still taken for one.
                let known = node.leaderboard[queue.0 as usize];
                let client = self.client(node, queue);
                client.timer = None;
                match known.filter(|_| client.slow) {
                    Some(leader) => {
                        client.leader = leader;
                        self.resend(node, ctx, queue);
                    }
                    None if client.slow => self.set_resend_timer(node, ctx, queue),
                    None => {}
                }
            }
        }
    }

    /// An answer of a member. If it is not the one that was taken for the leader, it is now, and
    /// what the old one had of this channel may be lost.
    fn heard_from(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        from: NodeId,
    ) {
        let client = self.client(node, queue);
        let news = std::mem::replace(&mut client.leader, from) != from;
        if news && node.config.settings.rules.has(Rule::ResendOnNewLeader) {
            self.resend(node, ctx, queue);
        }
    }

    fn applied(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        (first, count): (u64, u32),
    ) {
        ctx.spend(node.config.costs.channel_confirm);
        let limit = node.config.settings.commands_soft_limit as usize;
        let target = self.quorum_target(queue);
        let client = self.client(node, queue);
        let end = first + u64::from(count);
        let start = client.pending.partition_point(|pending| pending.number < first);
        let behind = client.pending.partition_point(|pending| pending.number < end);
        let done: Vec<Pending> = client.pending.drain(start..behind).collect();
        let goes_on = client.slow && client.pending.len() < limit;
        let mut unsent = Vec::new();
        if goes_on {
            if let Some(timer) = client.timer.take() {
                ctx.cancel(timer);
            }
            client.slow = false;
            unsent = std::mem::take(&mut client.unsent);
        }
        let base = self.first_unconfirmed();
        for publish in done.iter().filter_map(|pending| pending.publish) {
            if let Some(at) = publish.checked_sub(base) {
                self.answer(node, ctx, at as usize, target, Answer::Confirmed);
            }
        }
        if goes_on {
            self.unblock();
            for command in unsent {
                self.pipeline(node, ctx, queue, command, None);
            }
        }
    }

    /// Everything that is pending goes out again, in its order.
    fn resend(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, queue: QueueId) {
        let channel = self.me;
        let client = self.client(node, queue);
        // All of it goes out again, so that the way may be another one.
        client.way = None;
        let way = client.way(node);
        let pending: Vec<Pending> = client.pending.iter().copied().collect();
        for pending in &pending {
            send_pending(node, ctx, channel, queue, way, pending);
        }
    }

    /// What a consumer has said; held back while too much is pending.
    fn settle_later(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        command: Command,
    ) {
        let client = self.client(node, queue);
        if client.slow {
            if !client.unsent.last_mut().is_some_and(|last| last.takes_in(command)) {
                client.unsent.push(command);
            }
            return;
        }
        self.pipeline(node, ctx, queue, command, None);
    }
}

impl Command {
    /// Acknowledgements that are held back go out as one (rabbit_fifo_client.erl: `settle`,
    /// `unsent_commands`).
    fn takes_in(&mut self, next: Command) -> bool {
        match (self, next) {
            (
                Command::Settle { first, count, .. },
                Command::Settle { first: at, count: more, .. },
            ) if *first + u64::from(*count) == at => {
                *count += more;
                true
            }
            _ => false,
        }
    }
}

/// The channel itself refuses a publish.
fn refuse(
    node: &Node,
    ctx: &mut Context<'_, Message>,
    queue: QueueId,
    message: MessageRange,
    removal: Removal,
) {
    let (now, here) = (ctx.now(), ctx.node());
    let destination = Some(node.config.destination(queue));
    ctx.observer().dropped(now, here, destination, message, removal);
}

fn send_pending(
    node: &mut Node,
    ctx: &mut Context<'_, Message>,
    channel: Pid,
    queue: QueueId,
    way: (NodeId, Option<Lane>),
    pending: &Pending,
) {
    let Pending { number, command, .. } = *pending;
    let reply = Reply::Notify(channel, number);
    send_command(node, ctx, queue, way, Request { command, reply });
}

fn send_command(
    node: &mut Node,
    ctx: &mut Context<'_, Message>,
    queue: QueueId,
    way: (NodeId, Option<Lane>),
    request: Request,
) {
    let bytes = match request.command {
        Command::Enqueue { message, .. } => DELIVER_BYTES + message.bytes * message.count,
        _ => 90,
    };
    node.send_member_at(ctx, queue, way, RaMessage::Command(Box::new(request)), bytes);
}
