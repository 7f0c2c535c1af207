//! What the process of a queue has and does whether it leads or follows: its messages, the channels
//! that publish to it, confirms, credit.

use std::collections::VecDeque;

use crate::observe::{MessageRange, RoleId};
use crate::world::Context;

use super::super::super::letters::LetterId;
use super::super::super::message::channel::ChannelMessage;
use super::super::super::message::ring::Instruction;
use super::super::super::message::{Message, Pid, Properties, PublishSeq, QueueId};
use super::super::super::rules::Rule;
use super::super::Node;
use super::super::store::{BackingQueue, DueConfirm};
use super::super::vm::credit::{Credit, Grants};

/// Bytes of a confirm between processes.
const CONFIRM_BYTES: u32 = 60;
/// Bytes of a grant of credit.
const BUMP_BYTES: u32 = 40;

/// What a replica knows of a publishing channel.
#[derive(Clone, Debug)]
pub(in super::super) struct Sender {
    pub(in super::super) channel: Pid,
    /// Came from the channel, not yet over the ring.
    pub(in super::super) waiting: VecDeque<(PublishSeq, MessageRange, Properties)>,
    /// Came over the ring, not yet from the channel; whether its confirm is due already.
    pub(in super::super) early: VecDeque<(PublishSeq, bool)>,
    /// How far it is from being granted more credit.
    pub(in super::super) grants: Grants,
    /// Who has told of the channel's death so far.
    pub(in super::super) down: Option<DownFrom>,
}

/// Who has told a mirror of a channel's death (rabbit_mirror_queue_slave.erl: `forget_sender`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum DownFrom {
    /// Its own monitor.
    Channel,
    /// The leader, over the ring.
    Ring,
}

/// What the process of a leader or of a mirror is made of.
#[derive(Clone, Debug)]
pub(in super::super) struct Base {
    pub(in super::super) queue: QueueId,
    pub(in super::super) me: Pid,
    /// Its ring member, if the queue is mirrored.
    pub(in super::super) group: Option<Pid>,
    pub(in super::super) bq: BackingQueue,
    /// What it may still send to the message store; none while it has sent nothing.
    store_credit: Option<Credit>,
    /// What channels are granted as soon as the store does not block this process.
    deferred_grants: Vec<(Pid, u32)>,
    pub(in super::super) senders: Vec<Sender>,
    /// Confirms that are due and not sent yet.
    pub(super) due: Vec<DueConfirm>,
    /// The process is on its way out: nothing is delivered any more.
    pub(in super::super) ending: bool,
}

impl Base {
    /// A process for `queue`, with what its disk kept.
    pub(super) fn new(queue: QueueId, me: Pid, group: Option<Pid>, mut bq: BackingQueue) -> Base {
        bq.page_in_all();
        Base {
            queue,
            me,
            group,
            bq,
            store_credit: None,
            deferred_grants: Vec::new(),
            senders: Vec::new(),
            due: Vec::new(),
            ending: false,
        }
    }

    /// Sends the confirms that are due, consecutive ones of a channel together. A mirror holds one
    /// back until it has the message from the channel as well
    /// (rabbit_mirror_queue_slave.erl: `confirm_messages`).
    pub(crate) fn send_confirms(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if self.due.is_empty() {
            return;
        }
        let due = std::mem::take(&mut self.due);
        let mut run: Option<(Pid, PublishSeq, u32)> = None;
        for (channel, seq) in due {
            if self.hold_back(channel, seq) {
                continue;
            }
            match &mut run {
                Some((of, first, count)) if *of == channel && *first + u64::from(*count) == seq => {
                    *count += 1;
                }
                _ => {
                    if let Some(done) = run.replace((channel, seq, 1)) {
                        self.send_confirm(node, ctx, done);
                    }
                }
            }
        }
        if let Some(done) = run {
            self.send_confirm(node, ctx, done);
        }
    }

    fn send_confirm(
        &self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        (channel, first, count): (Pid, PublishSeq, u32),
    ) {
        let message = ChannelMessage::Confirm { from: self.me, first, count };
        node.send(ctx, channel, message, CONFIRM_BYTES);
    }

    fn hold_back(&mut self, channel: Pid, seq: PublishSeq) -> bool {
        let Some(sender) = self.senders.iter_mut().find(|sender| sender.channel == channel) else {
            return false;
        };
        match sender.early.iter_mut().find(|(early, _)| *early == seq) {
            Some((_, due)) => {
                *due = true;
                true
            }
            None => false,
        }
    }

    /// The record of a channel that publishes to this queue; it is monitored from now on.
    pub(crate) fn sender(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        channel: Pid,
    ) -> &mut Sender {
        let known = self.senders.iter().position(|sender| sender.channel == channel);
        let at = known.unwrap_or_else(|| {
            node.monitor(ctx, ctx.lane(), channel);
            let (waiting, early) = (VecDeque::new(), VecDeque::new());
            let grants = Grants::new(node.config.settings.credit);
            self.senders.push(Sender { channel, waiting, early, grants, down: None });
            self.senders.len() - 1
        });
        &mut self.senders[at]
    }

    /// A publish of this channel is taken: it may be granted more
    /// (rabbit_amqqueue_process.erl: `credit_flow:ack`; rabbit_mirror_queue_slave.erl:
    /// `maybe_flow_ack`).
    pub(crate) fn take_from_channel(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        channel: Pid,
        properties: Properties,
    ) {
        if properties.letter != LetterId::NONE {
            // Dead letters are sent without credit (rabbit_dead_letter.erl: `publish`).
            return;
        }
        let spec = node.config.settings.credit;
        if let Some(more) = self.sender(node, ctx, channel).grants.ack(spec) {
            self.deferred_grants.push((channel, more));
            self.grant(node, ctx);
        }
    }

    /// A process that is blocked itself, by the message store, grants nothing.
    fn grant(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        if self.store_credit.is_some_and(Credit::is_blocked) {
            return;
        }
        let from = self.me;
        for (channel, more) in std::mem::take(&mut self.deferred_grants) {
            node.send(ctx, channel, ChannelMessage::BumpCredit { from, more }, BUMP_BYTES);
        }
    }

    /// Messages went to the message store (rabbit_variable_queue.erl: `msg_store_write`).
    pub(crate) fn spend_store_credit(&mut self, node: &Node, sent: u32) {
        let settings = &node.config.settings;
        if settings.rules.has(Rule::CreditFlow) {
            let credit = self.store_credit.get_or_insert(Credit::new(settings.store_credit));
            for _ in 0..sent {
                credit.send();
            }
        }
    }

    /// The message store grants credit.
    pub(super) fn store_bump(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        more: u32,
    ) {
        if self.store_credit.as_mut().is_some_and(|credit| credit.bump(more)) {
            self.grant(node, ctx);
        }
    }

    /// Passes an instruction to the ring, if there is one.
    pub(crate) fn broadcast(&self, ctx: &mut Context<'_, Message>, instruction: Instruction) {
        if let Some(group) = self.group {
            ctx.tell(group.lane, instruction.into());
        }
    }

    /// Tells the observer what this process is now.
    pub(super) fn report(&self, node: &Node, ctx: &mut Context<'_, Message>, role: RoleId) {
        let (now, here) = (ctx.now(), ctx.node());
        let destination = node.config.destination(self.queue);
        ctx.observer().role(now, here, destination, Some(role));
    }
}
