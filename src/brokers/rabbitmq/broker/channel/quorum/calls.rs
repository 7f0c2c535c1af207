//! Calls: the channel waits for a member's answer and does nothing else.

use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{Context, TimerId};

use super::super::super::super::message::amqp::{FromServer, Terms};
use super::super::super::super::message::ra::{CallAnswer, Command, QuorumMessage, Reply, Request};
use super::super::super::super::message::{Message, Pid, QueueId};
use super::super::super::Node;
use super::super::{Channel, METHOD_BYTES};
use super::{Status, send_command};

/// A member has net_ticktime and this long to answer (rabbit_fifo_client.erl: `?COMMAND_TIMEOUT`
/// v3.12, `timeout()`).
const BESIDE_TICKTIME: Span = Span::from_secs(5);

/// What the channel waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) enum Purpose {
    /// It wants to publish.
    Register,
    /// It consumes.
    Subscribe(Terms),
    /// `basic.get`.
    Get { no_ack: bool },
}

/// A call that waits for its answer.
#[derive(Clone, Debug)]
pub(in super::super) struct QuorumCall {
    pub(super) number: u32,
    pub(in super::super) queue: QueueId,
    pub(super) purpose: Purpose,
    /// Whom it has asked, and whom it asks next.
    asked: NodeId,
    next: Vec<NodeId>,
    timer: Option<TimerId>,
}

impl Channel {
    /// Calls the member that leads, as far as is known, and then the others in turn.
    pub(in super::super) fn call_quorum(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
        purpose: Purpose,
    ) {
        let leader = self.client(node, queue).leader;
        let members = &node.mnesia.tables.quorum[queue.0 as usize];
        let mut next: Vec<NodeId> = members.iter().copied().filter(|of| *of != leader).collect();
        if matches!(purpose, Purpose::Get { .. }) {
            // rabbit_fifo_client.erl `dequeue`: the leader alone, as far as it is known.
            next.clear();
        }
        next.insert(0, leader);
        next.reverse();
        self.next_call += 1;
        let number = self.next_call;
        self.quorum_call =
            Some(QuorumCall { number, queue, purpose, asked: leader, next, timer: None });
        self.ask_next(node, ctx);
    }

    /// ra.erl `process_command`: the next member that can be reached; if there is none the call has
    /// failed.
    fn ask_next(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let channel = self.me;
        let Some(call) = &mut self.quorum_call else { return };
        if let Some(timer) = call.timer.take() {
            ctx.cancel(timer);
        }
        let Some(to) = call.next.pop() else { return self.call_failed(node, ctx) };
        if !node.is_connected(to) {
            return self.ask_next(node, ctx);
        }
        call.asked = to;
        let (number, queue, purpose) = (call.number, call.queue, call.purpose);
        let after = node.config.settings.net_ticktime + BESIDE_TICKTIME;
        let timeout = QuorumMessage::CallTimeout { call: number };
        call.timer = Some(ctx.after(after, ctx.lane(), timeout.into()));
        let command = match purpose {
            Purpose::Register => Command::Register { channel },
            Purpose::Subscribe(terms) => Command::Checkout { channel, terms },
            Purpose::Get { no_ack } => Command::Get { channel, no_ack },
        };
        node.watch(ctx.lane(), to);
        let reply = Reply::Call(channel, number);
        let way = (to, node.member_at(queue, to));
        send_command(node, ctx, queue, way, Request { command, reply });
    }

    pub(super) fn answered(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        from: NodeId,
        number: u32,
        answer: CallAnswer,
    ) {
        let Some(call) = self.quorum_call.as_mut().filter(|call| call.number == number) else {
            return;
        };
        let (queue, asked) = (call.queue, call.asked);
        match answer {
            // One that was asked before has answered late.
            CallAnswer::Redirect { .. } | CallAnswer::NoMember if from != asked => return,
            CallAnswer::Redirect { leader } if leader != asked => {
                // Who is asked next comes from the end.
                call.next.push(leader);
                return self.ask_next(node, ctx);
            }
            CallAnswer::Redirect { .. } | CallAnswer::NoMember => return self.ask_next(node, ctx),
            CallAnswer::Done | CallAnswer::Full | CallAnswer::Attached { .. } => {
                self.client(node, queue).leader = from;
            }
            CallAnswer::Empty => {}
            // Of changes of the members, which no channel asks for.
            CallAnswer::NotPermitted | CallAnswer::AlreadyMember | CallAnswer::NotMember => return,
        }
        let Some(call) = self.quorum_call.take() else { return };
        if let Some(timer) = call.timer {
            ctx.cancel(timer);
        }
        match call.purpose {
            Purpose::Register => {
                let full = answer == CallAnswer::Full;
                self.client(node, queue).status = if full { Status::Full } else { Status::Go };
            }
            Purpose::Subscribe(_) => {
                if let CallAnswer::Attached { next } = answer {
                    let client = self.client(node, queue);
                    (client.next_id, client.asked) = (next, false);
                }
            }
            Purpose::Get { .. } if answer == CallAnswer::Empty => {
                ctx.send(self.conn, FromServer::GetEmpty { queue }.into(), METHOD_BYTES);
            }
            // The message itself comes from the member on this node.
            Purpose::Get { .. } => {
                self.quorum_call = Some(call);
                return;
            }
        }
        self.resume(node, ctx);
    }

    pub(super) fn call_timeout(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        number: u32,
    ) {
        if let Some(call) = self.quorum_call.as_mut().filter(|call| call.number == number) {
            call.timer = None;
            self.ask_next(node, ctx);
        }
    }

    /// The node that was called is gone.
    pub(in super::super) fn called_node_down(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        pid: Pid,
    ) {
        if self.quorum_call.as_ref().is_some_and(|call| Node::whole(call.asked) == pid) {
            self.ask_next(node, ctx);
        }
    }

    /// Nobody has answered: a publish is nacked; who wants to consume or to get is told that the
    /// queue cannot be used (541 INTERNAL_ERROR, which closes the connection).
    fn call_failed(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let Some(call) = self.quorum_call.take() else { return };
        match call.purpose {
            Purpose::Register => self.client(node, call.queue).status = Status::Failed,
            Purpose::Subscribe(_) | Purpose::Get { .. } => {
                return self.close_connection(node, ctx);
            }
        }
        self.resume(node, ctx);
    }
}
