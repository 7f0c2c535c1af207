//! RabbitMQ as an application that operators stop and start in a VM that goes on (rabbit.erl: `stop`,
//! `start`), and clients that they send away.

use crate::observe::ActionId;
use crate::world::action::Answer;
use crate::world::{Context, Lane};

use super::super::super::message::node::NodeMessage;
use super::super::super::message::{DownReason, Message};
use super::super::cluster::monitor::Outside;
use super::super::{Broker, Process, Status};

impl Broker {
    /// `stop_app`: answered when RabbitMQ has stopped.
    pub(crate) fn stop_app(
        &mut self,
        ctx: &mut Context<'_, Message>,
        id: ActionId,
    ) -> Option<Answer> {
        if self.node.monitor.outside.is_some() {
            // The node monitor stops it already, and will start it again.
            return Some(Err("the node is about to pause"));
        }
        self.node.monitor.outside = Some(Outside::Stopped { by: id });
        self.node.stop_rabbit_soon(ctx);
        None
    }

    /// `start_app`: answered when clients are served.
    pub(crate) fn start_app(
        &mut self,
        ctx: &mut Context<'_, Message>,
        id: ActionId,
    ) -> Option<Answer> {
        match self.node.monitor.outside {
            Some(Outside::Stopped { .. }) if self.node.status == Status::Paused => {
                self.node.monitor.outside = None;
                self.node.starter = Some(id);
                self.start_rabbit_again(ctx);
                None
            }
            Some(_) => Some(Err("the node is paused, and starts by itself")),
            None => Some(Ok(())),
        }
    }

    /// Whether RabbitMQ runs here.
    pub(crate) fn is_running(&self) -> bool {
        self.node.status == Status::Running
    }

    /// Every connection of the cluster is closed (rabbit_networking.erl: `close_connections`).
    pub(crate) fn close_all_connections(&mut self, ctx: &mut Context<'_, Message>) {
        for peer in self.node.running_peers() {
            self.node.send_node(ctx, peer, NodeMessage::CloseConnections);
        }
        self.close_connections(ctx);
    }

    /// Those of this node: 320 CONNECTION_FORCED.
    pub(crate) fn close_connections(&mut self, ctx: &mut Context<'_, Message>) {
        for (index, process) in self.processes.iter().enumerate() {
            if let Some(Process::Channel(channel)) = process {
                let lane = Lane(self.first_lane + index as u32);
                ctx.close(channel.connection());
                self.node.end_process(lane, DownReason::Shutdown);
            }
        }
    }
}
