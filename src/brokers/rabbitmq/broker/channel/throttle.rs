//! When a client's connection is not read: its channel has no credit, or there is an alarm
//! (rabbit_reader.erl v3.10: `control_throttle`, `publish_received`, `maybe_block`).
//!
//! Reader and channel are one process here, so the reader's credit towards its channel is counted
//! without messages.

use std::collections::VecDeque;

use crate::world::Context;

use super::super::super::message::amqp::{FromClient, FromServer};
use super::super::super::message::channel::{ChannelMail, ChannelMessage};
use super::super::super::message::{Message, Pid};
use super::super::super::rules::Rule;
use super::super::Node;
use super::super::vm::credit::{Credit, CreditSpec, Grants};
use super::{Channel, METHOD_BYTES};

/// Why a connection is not read, and what waits meanwhile.
#[derive(Clone, Debug)]
pub(super) struct Throttle {
    spec: CreditSpec,
    /// What the reader may still hand to its channel.
    reader: Credit,
    /// How far the channel is from granting it more.
    grants: Grants,
    /// What the channel has to grant as soon as it is not blocked itself.
    deferred: u32,
    /// Queue processes to which the channel has no credit.
    blockers: u32,
    /// An alarm is in force somewhere in the cluster.
    alarm: bool,
    /// The client was told `connection.blocked`.
    told: bool,
    /// The reader does nothing: what was on its way to it from the socket waits in `unread`.
    stopped: bool,
    /// The socket is not read.
    pub(super) held: bool,
    /// What was read from it and not handled.
    unread: VecDeque<FromClient>,
}

impl Throttle {
    pub(super) fn new(node: &Node) -> Throttle {
        let spec = node.config.settings.credit;
        Throttle {
            spec,
            reader: Credit::new(spec),
            grants: Grants::new(spec),
            deferred: 0,
            blockers: 0,
            alarm: node.is_alarmed(),
            told: false,
            stopped: false,
            held: false,
            unread: VecDeque::new(),
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.unread.is_empty()
    }

    fn grant_deferred(&mut self) {
        if self.blockers == 0 {
            self.reader.bump(std::mem::take(&mut self.deferred));
        }
    }
}

impl Channel {
    /// The socket has something from the client.
    pub(super) fn read(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        method: FromClient,
    ) {
        if self.throttle.stopped {
            // It was on its way to this process when that stopped to read.
            self.throttle.unread.push_back(method);
        } else {
            self.read_one(node, ctx, method);
        }
    }

    fn read_one(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, method: FromClient) {
        if !matches!(method, FromClient::BasicPublish { .. }) || self.closed {
            return self.receive(node, ctx, ChannelMail::Client(method));
        }
        if self.throttle.alarm {
            // Blocking becomes blocked at the first publish: its header is still read, but not its
            // body.
            self.throttle.unread.push_front(method);
            self.stop_reading(ctx);
            if !std::mem::replace(&mut self.throttle.told, true) {
                ctx.send(self.conn, FromServer::ConnectionBlocked.into(), METHOD_BYTES);
            }
            return;
        }
        let flow = node.config.settings.rules.has(Rule::CreditFlow);
        if flow {
            self.throttle.reader.send();
        }
        self.receive(node, ctx, ChannelMail::Client(method));
        if self.closed {
            return;
        }
        if flow && self.throttle.reader.is_blocked() {
            self.stop_reading(ctx);
        } else if flow && ctx.waiting() as u32 >= self.throttle.spec.initial {
            // What waits for this process has been handed to the channel: the reader is faster.
            self.hold(ctx);
        }
    }

    fn stop_reading(&mut self, ctx: &mut Context<'_, Message>) {
        self.throttle.stopped = true;
        self.hold(ctx);
    }

    fn hold(&mut self, ctx: &mut Context<'_, Message>) {
        if !std::mem::replace(&mut self.throttle.held, true) {
            ctx.hold(self.conn, true);
        }
    }

    /// The process is suspended. What its client sends meanwhile stays in the socket (the reader,
    /// which is not suspended, would take some more: the credit that it has left).
    #[cold]
    pub(super) fn suspended(&mut self, ctx: &mut Context<'_, Message>) {
        self.hold(ctx);
        ctx.when_idle(ChannelMessage::Idle.into());
    }

    /// The connection's next channel begins with a credit of its own; what was read and not handled
    /// is for it.
    pub(super) fn hand_over_reader(&mut self, ctx: &mut Context<'_, Message>, next: &mut Channel) {
        next.throttle.told = self.throttle.told;
        self.throttle.stopped = false;
        for method in std::mem::take(&mut self.throttle.unread) {
            ctx.tell(next.me.lane, method.into());
        }
        if std::mem::replace(&mut self.throttle.held, false) {
            ctx.hold(self.conn, false);
        }
    }

    /// Reads again what the socket has, if there is no reason left not to.
    pub(super) fn control_throttle(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>) {
        let throttle = &mut self.throttle;
        if throttle.alarm && throttle.told || throttle.reader.is_blocked() {
            return;
        }
        if std::mem::replace(&mut throttle.told, false) {
            ctx.send(self.conn, FromServer::ConnectionUnblocked.into(), METHOD_BYTES);
        }
        throttle.stopped = false;
        while !self.throttle.stopped
            && let Some(method) = self.throttle.unread.pop_front()
        {
            self.read_one(node, ctx, method);
        }
        let throttle = &mut self.throttle;
        let few = throttle.spec.initial.saturating_sub(throttle.spec.more_after);
        if !throttle.stopped && ctx.waiting() as u32 <= few {
            throttle.held = false;
            ctx.hold(self.conn, false);
        }
    }

    /// The channel takes a publish from its reader (`credit_flow:ack`). While it is blocked itself
    /// it grants nothing.
    pub(super) fn take_from_reader(&mut self, node: &Node) {
        let throttle = &mut self.throttle;
        if node.config.settings.rules.has(Rule::CreditFlow)
            && let Some(more) = throttle.grants.ack(throttle.spec)
        {
            throttle.deferred += more;
            throttle.grant_deferred();
        }
    }

    /// A publish goes to a queue's process (rabbit_classic_queue.erl: `deliver`, `credit_flow:send`
    /// for leaders and mirrors; `mirroring_flow_control` is for both).
    pub(super) fn spend_credit(&mut self, node: &Node, target: u16) {
        let settings = &node.config.settings;
        if settings.mirroring_flow_control
            && settings.rules.has(Rule::CreditFlow)
            && self.targets[usize::from(target)].credit.send()
        {
            self.throttle.blockers += 1;
        }
    }

    /// A queue's process grants credit.
    pub(super) fn bump_credit(&mut self, from: Pid, more: u32) {
        let target =
            self.targets.iter_mut().find(|target| target.pid == Some(from) && target.alive);
        if target.is_some_and(|target| target.credit.bump(more)) {
            self.throttle.blockers -= 1;
            self.throttle.grant_deferred();
        }
    }

    /// A quorum queue has too much of this channel's (`credit_flow:block`).
    pub(super) fn block(&mut self) {
        self.throttle.blockers += 1;
    }

    /// It has less again.
    pub(super) fn unblock(&mut self) {
        self.throttle.blockers -= 1;
        self.throttle.grant_deferred();
    }

    /// A queue's process is down: what it owed is forgotten (`credit_flow:peer_down`).
    pub(super) fn forget_credit(&mut self, target: usize) {
        let credit = &mut self.targets[target].credit;
        if credit.is_blocked() {
            self.throttle.blockers -= 1;
            self.throttle.grant_deferred();
        }
        *credit = Credit::new(self.throttle.spec);
    }

    /// An alarm is in force somewhere in the cluster, or no longer.
    pub(super) fn conserve_resources(&mut self, alarm: bool) {
        self.throttle.alarm = alarm;
    }

    /// What the connection owes to its client's silence: nothing while it is not read
    /// (rabbit_heartbeat.erl: `pause_monitor`).
    pub(super) fn hears_nothing(&self) -> bool {
        self.throttle.held
    }

    /// What the channel may still send to each process, for those who look on.
    pub(in super::super) fn credits(&self) -> impl Iterator<Item = (Pid, i64)> + '_ {
        let alive = self.targets.iter().filter(|target| target.alive);
        alive.filter_map(|target| Some((target.pid?, target.credit.left())))
    }

    /// A new target has the initial credit.
    pub(super) fn initial_credit(&self) -> Credit {
        Credit::new(self.throttle.spec)
    }
}
