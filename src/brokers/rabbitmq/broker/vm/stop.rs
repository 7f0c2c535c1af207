//! RabbitMQ stops in order, and the VM with it or without it (rabbit.erl v3.10: `stop`).

use crate::world::{Context, Death, DiskView, Lane};

use super::super::super::message::monitor::MonitorMessage;
use super::super::super::message::node::NodeMessage;
use super::super::super::message::queue::QueueMessage;
use super::super::super::message::ra::RaMessage;
use super::super::super::message::{DownReason, Message, Pid, QueueId};
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::super::cluster::autoheal::Healing;
use super::super::cluster::mnesia::Purpose;
use super::super::{AMQP, Broker, Process, Status};

impl Broker {
    /// Graceful stop of the node.
    pub(crate) fn stop(&mut self, ctx: &mut Context<'_, Message>) {
        self.node.monitor.exits = true;
        match self.node.status {
            Status::Running => self.stop_rabbit(ctx),
            Status::Stopping => {}
            Status::Off | Status::Starting | Status::Booting | Status::Paused => {
                self.node.status = Status::Off;
                ctx.exit();
            }
        }
    }

    /// Clients are dropped, queues are closed in order (rabbit.erl: `stop`, `stop_apps`;
    /// rabbit_mirror_queue_master.erl: `terminate`). Then the VM ends, or goes on for the node
    /// monitor.
    pub(crate) fn stop_rabbit(&mut self, ctx: &mut Context<'_, Message>) {
        if self.node.status != Status::Running {
            return;
        }
        self.node.status = Status::Stopping;
        ctx.unlisten(AMQP);
        let config = self.node.config.clone();
        for index in 0..self.processes.len() {
            let lane = Lane(self.first_lane + index as u32);
            match &self.processes[index] {
                Some(Process::Channel(channel)) => {
                    // 320 CONNECTION_FORCED.
                    ctx.close(channel.connection());
                    self.node.end_process(lane, DownReason::Shutdown);
                }
                Some(Process::Replica(replica)) => {
                    let (queue, group) = (replica.queue(), replica.base.group);
                    // The ring member stops first; its leader serves on for a moment, and what it
                    // does then no mirror hears of. Inferred from what clients saw: confirms stop,
                    // deliveries go on, and the new leader delivers the same messages again. One
                    // that takes its mirrors along needs the ring to tell them.
                    if !replica.takes_mirrors_along(&self.node) {
                        self.stop_ring_member(lane, group);
                    }
                    let serves_on = config.costs.leader_serves_on.span(ctx.random());
                    let ends = config.costs.queue_shutdown.span(ctx.random()).max(serves_on);
                    ctx.after(serves_on, Lane::MAIN, NodeMessage::Quiesce { queue }.into());
                    ctx.after(ends, Lane::MAIN, NodeMessage::EndReplica { queue }.into());
                }
                // Khepri's is there until the queues have written that they are stopped.
                Some(Process::Member(member)) if config.reported(member.queue()).is_some() => {
                    ctx.tell(lane, Message::Ra(member.queue(), RaMessage::Shutdown));
                }
                _ => {}
            }
        }
    }

    fn stop_ring_member(&mut self, replica: Lane, group: Option<Pid>) {
        if let Some(replica) = self.replica(replica) {
            replica.member_stopped = true;
        }
        let index = group.and_then(|group| self.index(group.lane));
        if let Some(Process::Group(group)) = index.and_then(|index| self.processes[index].as_mut())
        {
            group.stopped = true;
        }
    }

    pub(crate) fn quiesce(&mut self, queue: QueueId) {
        for process in self.processes.iter_mut().flatten() {
            if let Process::Replica(replica) = process
                && replica.queue() == queue
            {
                replica.base.ending = true;
            }
        }
    }

    pub(crate) fn end_replica(&mut self, ctx: &mut Context<'_, Message>, queue: QueueId) {
        for process in self.processes.iter().flatten() {
            if let Process::Replica(replica) = process
                && replica.queue() == queue
            {
                let by = replica.me().lane;
                let config = &self.node.config;
                let marks = config.settings.rules.has(Rule::KeepRecordsOfDurableQueues)
                    && config.queue(queue).durable
                    && self.node.mirroring(queue).is_none();
                if marks {
                    self.node.transaction(ctx, Purpose::QueueStopped { queue, by });
                } else {
                    ctx.tell(by, QueueMessage::Terminate.into());
                }
                return;
            }
        }
    }

    /// All queues are closed: the VM ends, or waits for the cluster.
    pub(crate) fn rabbit_has_stopped(&mut self, ctx: &mut Context<'_, Message>) {
        if let Some(group) = self.node.config.khepri()
            && let Some(lane) = self.node.members[group.0 as usize]
        {
            self.bury(ctx, lane, DownReason::Shutdown);
        }
        if self.node.monitor.exits || self.node.monitor.outside.is_none() {
            self.node.status = Status::Off;
            ctx.exit();
            return;
        }
        let (now, me) = (ctx.now(), self.node.me);
        self.node.keep_tables();
        // What a clean stop leaves on the disk is what an exit would leave there.
        let kept = ctx.file_lengths();
        self.node.lose_memory(Death::Exited, &DiskView::new(&kept), now, ctx.observer());
        self.node.forget_rabbit();
        self.node.monitor.healing = Healing::Not;
        self.node.monitor.pings = None;
        self.node.pinging = false;
        self.node.status = Status::Paused;
        let event = self.node.own_event(event::PAUSED, None);
        ctx.observer().event(now, event);
        for peer in self.node.config.members.clone() {
            if self.node.sees(peer) {
                self.node.send_node(ctx, peer, MonitorMessage::RabbitDown { from: me });
            }
        }
        self.after_pause(ctx);
    }
}
