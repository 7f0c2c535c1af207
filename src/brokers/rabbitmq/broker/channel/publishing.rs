//! Publishes: routed once, here; confirmed when every queue they went to has settled them.

use crate::observe::{MessageRange, NodeId, Removal};
use crate::world::Context;

use super::super::super::message::amqp::{FromClient, FromServer};
use super::super::super::message::channel::{ChannelMail, ChannelMessage};
use super::super::super::message::queue::QueueMessage;
use super::super::super::message::{
    ExchangeId, Message, Pid, Properties, PublishSeq, QueueId, RoutingKey,
};
use super::super::super::rules::Rule;
use super::super::super::words::{because, cause};
use super::super::Node;
use super::super::vm::credit::Credit;
use super::quorum::Purpose;
use super::{CONTENT_BYTES, Channel, METHOD_BYTES};

/// Bytes of a message between processes beside the payload: basic message, properties, delivery.
pub(super) const DELIVER_BYTES: u32 = 290;

/// Bytes of one more receiver of a message that goes to its node already.
const REFERENCE_BYTES: u32 = 30;

/// How far one replica has come with one publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Pending,
    Confirmed,
    /// The process ended because its work was over, which counts as a confirm.
    Ended,
    Down,
}

/// A publish whose confirm is owed.
#[derive(Clone, Debug)]
pub(super) struct Unconfirmed {
    /// The replicas it went to, as indices into `targets`.
    pub(super) answers: Vec<(u16, Answer)>,
    pub(super) settled: bool,
    message: MessageRange,
}

/// A mandatory publish that no queue process is known to have (before 3.8).
#[derive(Clone, Debug)]
pub(super) struct Mandatory {
    pub(super) seq: PublishSeq,
    message: MessageRange,
    /// Processes that it went to and that live.
    targets: Vec<u16>,
}

/// A queue process that publishes went to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// None for a quorum queue, for which its client speaks.
    pub(super) pid: Option<Pid>,
    pub(super) queue: QueueId,
    pub(super) alive: bool,
    pub(super) credit: Credit,
    /// Whether it led its queue at the last publish.
    pub(super) leads: bool,
}

/// Where the payload of one publish has gone already: a process of each target node (`delegate`)
/// hands it to all leaders there, and another copy to all mirrors there (rabbit_classic_queue.erl
/// v3.10: `deliver`; delegate.erl: `invoke_no_result`).
struct Copies {
    shared: bool,
    sent: Vec<(NodeId, bool)>,
}

impl Copies {
    fn of(node: &Node, queues: usize) -> Copies {
        // Of one queue there is one process a node: no two go the same way.
        let shared = queues > 1 && node.config.settings.rules.has(Rule::OneCopyPerNode);
        Copies { shared, sent: Vec::new() }
    }

    /// Bytes to one more process.
    fn payload(&mut self, to: Pid, leads: bool, message: MessageRange) -> u32 {
        if self.shared {
            if self.sent.contains(&(to.node, leads)) {
                return REFERENCE_BYTES;
            }
            self.sent.push((to.node, leads));
        }
        DELIVER_BYTES + message.bytes * message.count
    }
}

impl Channel {
    /// rabbit_channel.erl `handle_method(#'basic.publish'{})`, `deliver_to_queues`.
    pub(super) fn publish(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        exchange: ExchangeId,
        key: RoutingKey,
        message: MessageRange,
        properties: Properties,
    ) {
        let mut found = std::mem::take(&mut self.found);
        node.config.route(exchange, key, &mut found);
        let unregistered = self.unregistered(node, &found);
        self.found = found;
        if let Some(queue) = unregistered {
            // It is published once the channel is registered there.
            let again = FromClient::BasicPublish { exchange, key, message, properties };
            self.deferred.push_front(ChannelMail::Client(again));
            return self.call_quorum(node, ctx, queue, Purpose::Register);
        }
        ctx.spend(node.config.costs.channel_publish);
        self.take_from_reader(node);
        if node.config.settings.max_message_size.is_some_and(|most| message.bytes > most) {
            self.refuse_large(node, ctx, message);
            return;
        }
        let seq = self.next_seq;
        self.next_seq += 1;
        let found = std::mem::take(&mut self.found);
        if found.is_empty() {
            self.report_dropped(node, ctx, None, message, properties);
        }
        let waits_for_mirrors = node.config.settings.rules.has(Rule::WaitForMirrors);
        let (mut answers, mut refused) = (Vec::new(), Vec::new());
        let mut copies = Copies::of(node, found.len());
        for &queue in &found {
            if node.config.queue(queue).is_quorum() {
                let target = self.quorum_target(queue);
                answers.push((target, Answer::Pending));
                if !self.enqueue(node, ctx, queue, (seq, message, properties)) {
                    refused.push(target);
                }
                continue;
            }
            // One routing table a node, its own: a queue whose record is not there does not exist.
            let Some(record) = node.mnesia.tables.queue(queue) else {
                self.report_dropped(node, ctx, Some(queue), message, properties);
                continue;
            };
            let leader = record.leader;
            let replicas: Vec<Pid> = record.replicas().collect();
            for pid in replicas {
                let target = self.target(node, ctx, pid, queue);
                self.spend_credit(node, target);
                self.targets[usize::from(target)].leads = pid == leader;
                if pid == leader || waits_for_mirrors {
                    answers.push((target, Answer::Pending));
                }
                let channel = self.me;
                let deliver = QueueMessage::Deliver { channel, seq, message, properties };
                let payload = copies.payload(pid, pid == leader, message);
                node.send(ctx, pid, deliver, payload);
            }
        }
        self.found = found;
        let unroutable = answers.is_empty();
        let rules = node.config.settings.rules;
        if unroutable && properties.mandatory && rules.has(Rule::ReturnMandatory) {
            // 312 NO_ROUTE, before the confirm.
            self.send_return(ctx, seq, message);
        }
        let returns = node.config.settings.rules.has(Rule::ReturnWhenQueueDies);
        if properties.mandatory && returns && !unroutable {
            let targets = answers.iter().map(|(target, _)| *target).collect();
            self.mandatory.push(Mandatory { seq, message, targets });
        }
        if properties.confirm {
            self.unconfirmed.push_back(Unconfirmed { answers, settled: unroutable, message });
            for target in refused {
                self.answer(node, ctx, self.unconfirmed.len() - 1, target, Answer::Down);
            }
            if unroutable && !rules.has(Rule::ConfirmUnroutable) {
                self.rejected.push(seq);
                self.ask_idle(ctx);
            } else if unroutable {
                self.confirmed.push(seq);
                self.ask_idle(ctx);
            }
        } else {
            // Numbers must stay in step with the deque.
            self.unconfirmed.push_back(Unconfirmed { answers: Vec::new(), settled: true, message });
            self.forget_settled();
        }
    }

    fn send_return(&self, ctx: &mut Context<'_, Message>, seq: PublishSeq, message: MessageRange) {
        let bytes = CONTENT_BYTES + message.bytes * message.count;
        ctx.send(self.conn, FromServer::BasicReturn { message, seq }.into(), bytes);
    }

    /// rabbit_channel.erl v3.7.28 `handle_publishing_queue_down`: what no other process may have
    /// comes back, before it is confirmed.
    pub(super) fn return_mandatory(&mut self, ctx: &mut Context<'_, Message>, down: u16) {
        for mut mandatory in std::mem::take(&mut self.mandatory) {
            mandatory.targets.retain(|target| *target != down);
            if mandatory.targets.is_empty() {
                self.send_return(ctx, mandatory.seq, mandatory.message);
            } else {
                self.mandatory.push(mandatory);
            }
        }
    }

    pub(super) fn report_dropped(
        &self,
        node: &Node,
        ctx: &mut Context<'_, Message>,
        queue: Option<QueueId>,
        message: MessageRange,
        properties: Properties,
    ) {
        let because = match queue {
            None => because::NO_BINDING,
            Some(queue) if node.mnesia.tables.durable[queue.0 as usize].is_some() => {
                because::HOME_NODE_DOWN
            }
            Some(_) => because::QUEUE_GONE,
        };
        let cause = if properties.confirm {
            cause::UNROUTABLE_CONFIRMED
        } else {
            cause::UNROUTABLE_DROPPED
        };
        let destination = queue.map(|queue| node.config.destination(queue));
        let (now, here) = (ctx.now(), ctx.node());
        ctx.observer().dropped(now, here, destination, message, Removal { cause, because });
    }

    pub(super) fn target(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        pid: Pid,
        queue: QueueId,
    ) -> u16 {
        let known = self.targets.iter().position(|target| target.pid == Some(pid));
        let at = known.unwrap_or_else(|| {
            let credit = self.initial_credit();
            let (pid, alive, leads) = (Some(pid), false, false);
            self.targets.push(Target { pid, queue, alive, leads, credit });
            self.targets.len() - 1
        });
        if !self.targets[at].alive {
            // Monitored anew at each first use, also if it was down before
            // (rabbit_channel.erl: `pmon:monitor` in `deliver_to_queues`).
            self.targets[at].alive = true;
            node.monitor(ctx, ctx.lane(), pid);
        }
        at as u16
    }

    /// The target that stands for a quorum queue.
    pub(super) fn quorum_target(&mut self, queue: QueueId) -> u16 {
        let stands = |target: &Target| target.pid.is_none() && target.queue == queue;
        let known = self.targets.iter().position(stands);
        let at = known.unwrap_or_else(|| {
            let credit = self.initial_credit();
            self.targets.push(Target { pid: None, queue, alive: true, leads: true, credit });
            self.targets.len() - 1
        });
        at as u16
    }

    pub(super) fn ask_idle(&mut self, ctx: &mut Context<'_, Message>) {
        if !self.idle_asked {
            self.idle_asked = true;
            ctx.when_idle(ChannelMessage::Idle.into());
        }
    }

    pub(super) fn first_unconfirmed(&self) -> PublishSeq {
        self.next_seq - self.unconfirmed.len() as u64
    }

    pub(super) fn on_confirm(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        from: Pid,
        first: PublishSeq,
        count: u32,
    ) {
        ctx.spend(node.config.costs.channel_confirm);
        let Some(target) = self.targets.iter().position(|target| target.pid == Some(from)) else {
            return;
        };
        let base = self.first_unconfirmed();
        for seq in first..first + u64::from(count) {
            let Some(at) = seq.checked_sub(base) else { continue };
            self.answer(node, ctx, at as usize, target as u16, Answer::Confirmed);
        }
    }

    /// One replica's answer to one publish. It is confirmed when every queue is settled and each
    /// had at least one replica that confirmed; a queue that is settled without any makes it a
    /// nack, but an acknowledgement before 3.8 (rabbit_channel.erl v3.8:
    /// `handle_publishing_queue_down`; unconfirmed_messages.erl: `forget_ref`,
    /// rabbitmq-server#1893).
    pub(super) fn answer(
        &mut self,
        node: &Node,
        ctx: &mut Context<'_, Message>,
        at: usize,
        target: u16,
        answer: Answer,
    ) {
        let base = self.first_unconfirmed();
        let Some(unconfirmed) = self.unconfirmed.get_mut(at) else { return };
        if unconfirmed.settled {
            return;
        }
        let mut changed = false;
        for (of, known) in &mut unconfirmed.answers {
            if *of == target && *known == Answer::Pending {
                *known = answer;
                changed = true;
            }
        }
        if !changed {
            return;
        }
        let answers = &unconfirmed.answers;
        let queue_of = |target: u16| self.targets[usize::from(target)].queue;
        let (mut all_settled, mut failed, mut unheld) = (true, false, false);
        for &(of, _) in answers {
            let same = || answers.iter().filter(|(other, _)| queue_of(*other) == queue_of(of));
            let pending = same().any(|(_, answer)| *answer == Answer::Pending);
            all_settled &= !pending;
            let held = same().any(|(_, answer)| *answer == Answer::Confirmed);
            let ended = same().any(|(_, answer)| *answer == Answer::Ended);
            failed |= !pending && !held && !ended;
            unheld |= !pending && !held;
        }
        let (seq, message) = (base + at as u64, unconfirmed.message);
        if failed && node.config.settings.rules.has(Rule::NackWhenQueueDies) {
            unconfirmed.settled = true;
            self.rejected.push(seq);
            self.ask_idle(ctx);
        } else if all_settled {
            unconfirmed.settled = true;
            if unheld {
                let queue = queue_of(target);
                let because = if failed { because::HOME_NODE_DOWN } else { because::QUEUE_GONE };
                let removal = Removal { cause: cause::QUEUE_DIED_CONFIRMED, because };
                let (now, here) = (ctx.now(), ctx.node());
                let destination = Some(node.config.destination(queue));
                ctx.observer().dropped(now, here, destination, message, removal);
            }
            self.confirmed.push(seq);
            self.ask_idle(ctx);
        }
    }

    /// A full queue has refused it: it is nacked, whatever other queues and mirrors say
    /// (rabbit_classic_queue.erl: `handle_event({reject_publish, ..})`, rabbitmq-server#4888).
    pub(super) fn on_refuse(&mut self, ctx: &mut Context<'_, Message>, seq: PublishSeq) {
        let Some(at) = seq.checked_sub(self.first_unconfirmed()) else { return };
        let Some(unconfirmed) = self.unconfirmed.get_mut(at as usize) else { return };
        if !std::mem::replace(&mut unconfirmed.settled, true) {
            self.rejected.push(seq);
            self.ask_idle(ctx);
        }
    }

    /// A process has crashed: "any abnormal exit should be considered a full reject of the outstanding
    /// message ids" (rabbit_classic_queue.erl v3.10: `handle_event({down, ...})`).
    pub(super) fn reject_pending(&mut self, ctx: &mut Context<'_, Message>, target: u16) {
        let base = self.first_unconfirmed();
        let mut rejected = Vec::new();
        for (seq, unconfirmed) in (base..).zip(&mut self.unconfirmed) {
            let waits = |(of, answer): &(u16, Answer)| *of == target && *answer == Answer::Pending;
            if !unconfirmed.settled && unconfirmed.answers.iter().any(waits) {
                unconfirmed.settled = true;
                rejected.push(seq);
            }
        }
        if !rejected.is_empty() {
            self.rejected.extend(rejected);
            self.ask_idle(ctx);
        }
    }

    pub(super) fn forget_settled(&mut self) {
        if !self.confirmed.is_empty() || !self.rejected.is_empty() {
            // The numbers that are owed an acknowledgement still stand in the deque.
            return;
        }
        while self.unconfirmed.front().is_some_and(|unconfirmed| unconfirmed.settled) {
            self.unconfirmed.pop_front();
        }
    }

    /// rabbit_channel.erl `send_confirms_and_nacks`: acknowledgements and nacks, each together
    /// below the smallest number that is outstanding or of the other kind, the rest one by one. In
    /// a pause mode all of them wait while the node sees too few others (`pause_partition_guard`).
    pub(super) fn flush_confirms(&mut self, node: &Node, ctx: &mut Context<'_, Message>) {
        self.idle_asked = false;
        if node.withholds_confirms(&mut self.guard) {
            return;
        }
        let base = self.first_unconfirmed();
        let outstanding = self.unconfirmed.iter().position(|unconfirmed| !unconfirmed.settled);
        let cut_off = outstanding.map_or(self.next_seq, |at| base + at as u64);
        let mut confirmed = std::mem::take(&mut self.confirmed);
        let mut rejected = std::mem::take(&mut self.rejected);
        confirmed.sort_unstable();
        rejected.sort_unstable();
        let smallest = |seqs: &[PublishSeq]| seqs.first().copied().unwrap_or(cut_off);
        let (below_nacks, below_acks) = (smallest(&rejected), smallest(&confirmed));
        coalesce(&confirmed, cut_off.min(below_nacks), |seq, multiple| {
            ctx.send(self.conn, FromServer::ConfirmAck { seq, multiple }.into(), METHOD_BYTES);
        });
        coalesce(&rejected, cut_off.min(below_acks), |seq, multiple| {
            ctx.send(self.conn, FromServer::ConfirmNack { seq, multiple }.into(), METHOD_BYTES);
        });
        confirmed.clear();
        rejected.clear();
        self.confirmed = confirmed;
        self.rejected = rejected;
        self.forget_settled();
    }
}

/// rabbit_channel.erl `coalesce_and_send`.
fn coalesce(seqs: &[PublishSeq], cut_off: PublishSeq, mut send: impl FnMut(PublishSeq, bool)) {
    let below = seqs.partition_point(|seq| *seq < cut_off);
    if let Some(&seq) = seqs[..below].last() {
        send(seq, below > 1);
    }
    for &seq in &seqs[below..] {
        send(seq, false);
    }
}
