//! Processes that crash, and what their supervisors do (rabbit_amqqueue_sup.erl, rabbit_prequeue.erl,
//! rabbit_reader.erl v3.10).

use crate::engine::Span;
use crate::observe::Event;
use crate::world::action::Answer;
use crate::world::{Context, DiskView, Lane};

use super::super::super::message::node::NodeMessage;
use super::super::super::message::{DownReason, Message, QueueId};
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::super::queue::replica::Replica;
use super::super::{Broker, Node, Process, Status};

/// A process that is started again, while others may still take over, looks this often whether they
/// have (rabbit_prequeue.erl: `timer:sleep(25)`).
const LOOK_AGAIN: Span = Span::from_millis(25);

/// AMQP 0-9-1: INTERNAL_ERROR.
const INTERNAL_ERROR: u64 = 541;

impl Broker {
    /// The process of a queue on this node ends as by `exit(Pid, kill)`.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn crash_queue(&mut self, queue: QueueId) -> Answer {
        let lane = self.replica_of(queue).map(|replica| replica.me().lane);
        let Some(lane) = lane else { return Err("no process of the queue runs on this node") };
        self.node.end_process(lane, DownReason::Killed);
        Ok(())
    }

    /// The channels of this node that publish to a queue or consume from it crash. Their readers send
    /// `connection.close`, 541 INTERNAL_ERROR (rabbit_reader.erl: `handle_dependent_exit`).
    ///
    /// # Errors
    /// There are none.
    pub(crate) fn crash_channels(
        &mut self,
        ctx: &mut Context<'_, Message>,
        queue: QueueId,
    ) -> Answer {
        let mut any = false;
        for (index, process) in self.processes.iter().enumerate() {
            let Some(Process::Channel(channel)) = process else { continue };
            if !channel.uses(queue) {
                continue;
            }
            any = true;
            let event = self.node.own_event(event::CONNECTION_CLOSED, None);
            let now = ctx.now();
            ctx.observer().event(now, Event { count: INTERNAL_ERROR, ..event });
            ctx.close(channel.connection());
            self.node.end_process(Lane(self.first_lane + index as u32), DownReason::Killed);
        }
        if any { Ok(()) } else { Err("no channel on this node uses the queue") }
    }

    /// The supervisor starts a queue's process again (rabbit_prequeue.erl: `init(Q, restart)`). If
    /// somebody leads it is a new mirror; if somebody may take over it waits for that; else "nothing
    /// is alive. We are the last best hope": it leads, with what the disk has.
    pub(crate) fn restart_queue(&mut self, ctx: &mut Context<'_, Message>, queue: QueueId) {
        let node = &mut self.node;
        let there = self.processes.iter().flatten().any(|process| match process {
            Process::Replica(replica) => replica.queue() == queue,
            _ => false,
        });
        let Some(record) = node.mnesia.tables.queue(queue) else { return };
        if node.status != Status::Running || there {
            return;
        }
        let (leader, me) = (record.leader, node.me);
        let elsewhere = leader.node != me && node.runs(leader.node);
        let heirs = record.mirrors.iter().any(|pid| pid.node != me && node.runs(pid.node));
        if elsewhere {
            node.start_mirror(ctx, queue);
        } else if heirs {
            ctx.after(LOOK_AGAIN, Lane::MAIN, NodeMessage::RestartQueue { queue }.into());
        } else {
            node.start_recovery(ctx, queue);
        }
    }
}

impl Node {
    /// A queue's process has crashed: what it had in memory alone is lost, and the message store, a
    /// process of its own, keeps what it has.
    pub(crate) fn queue_crashed(&mut self, ctx: &mut Context<'_, Message>, replica: &mut Replica) {
        let (now, me, queue) = (ctx.now(), self.me, replica.queue());
        replica.base.event(self, ctx, event::QUEUE_CRASHED, replica.base.bq.depth());
        let kept = ctx.file_lengths();
        let (disk, bodies) = (DiskView::new(&kept), &mut self.bodies);
        replica.base.bq.crashed(&disk, bodies, now, me, ctx.observer());
        if self.config.settings.rules.has(Rule::RestartCrashedQueues) {
            ctx.tell(Lane::MAIN, NodeMessage::RestartQueue { queue }.into());
        }
    }
}
