//! How a broker belongs to the cluster: through ZooKeeper, or through the controller quorum.

mod kraft;
mod zookeeper;

use crate::brokers::kafka::PartitionId;
use crate::world::{Context, Input, Lane};

use super::super::config::{Config, Metadata};
use super::super::message::{Message, Request};
use super::super::state::PartitionChange;
use super::Broker;

pub use kraft::KraftMember;
pub use zookeeper::ZooKeeperMember;

/// How a broker belongs to the cluster.
#[derive(Clone, Debug)]
pub enum Membership {
    /// By an ephemeral znode; one of the brokers is the controller.
    ZooKeeper(Box<ZooKeeperMember>),
    /// By a registration with the controller quorum.
    Kraft(Box<KraftMember>),
}

impl Membership {
    /// Of a broker before its first start.
    #[must_use]
    pub fn new(config: &std::sync::Arc<Config>, me: crate::observe::NodeId) -> Membership {
        match config.metadata {
            Metadata::ZooKeeper => {
                Membership::ZooKeeper(Box::new(ZooKeeperMember::new(config, me)))
            }
            Metadata::Kraft => Membership::Kraft(Box::new(KraftMember::new(config, me))),
        }
    }

    /// The incarnation that the controller knows, as far as the broker has been told.
    #[must_use]
    pub fn broker_epoch(&self) -> u64 {
        match self {
            Membership::ZooKeeper(member) => member.broker_epoch(),
            Membership::Kraft(member) => member.broker_epoch(),
        }
    }

    /// The lanes that are its own.
    #[must_use]
    pub fn owns(&self, lane: Lane) -> bool {
        match self {
            Membership::ZooKeeper(member) => member.owns(lane),
            Membership::Kraft(member) => member.owns(lane),
        }
    }

    /// The process is gone.
    pub fn forget(&mut self) {
        match self {
            Membership::ZooKeeper(member) => member.forget(),
            Membership::Kraft(member) => member.forget(),
        }
    }
}

/// Runs one of two with the member taken out of the broker, so that it can use both.
macro_rules! with_member {
    ($broker:ident, $zk:ident => $one:expr, $kraft:ident => $other:expr) => {
        match &mut $broker.membership {
            Membership::ZooKeeper($zk) => $one,
            Membership::Kraft($kraft) => $other,
        }
    };
}

impl Broker {
    /// See [`Membership::broker_epoch`].
    #[must_use]
    pub fn broker_epoch(&self) -> u64 {
        self.membership.broker_epoch()
    }

    /// The epoch of its term, if this broker is the controller.
    #[must_use]
    pub fn controller_term(&self) -> Option<u32> {
        match &self.membership {
            Membership::ZooKeeper(member) => member.controller_term(),
            Membership::Kraft(_) => None,
        }
    }

    /// The logs are loaded: the broker makes itself known.
    pub(super) fn register(&mut self, ctx: &mut Context<'_, Message>) {
        with_member!(self, _zk => self.zk_register(ctx), _kraft => self.kraft_register(ctx));
    }

    /// An input of a lane that is the member's, or one of the main lane that is about it.
    pub(super) fn handle_member(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        with_member!(self,
            _zk => self.zk_input(input, ctx),
            _kraft => self.kraft_input(input, ctx));
    }

    /// The leader of a partition wants another ISR; [`Broker::isr_decided`] follows.
    pub(super) fn propose(
        &mut self,
        partition: PartitionId,
        change: PartitionChange,
        ctx: &mut Context<'_, Message>,
    ) {
        with_member!(self,
            _zk => self.zk_propose(partition, change, ctx),
            _kraft => self.kraft_propose(partition, change, ctx));
    }

    /// Asked to stop in order. [`Broker::flush_and_stop`] follows.
    pub(super) fn stop(&mut self, ctx: &mut Context<'_, Message>) {
        with_member!(self, _zk => self.zk_stop(ctx), _kraft => self.kraft_stop(ctx));
    }

    /// About to end in order.
    pub(super) fn leave(&mut self, ctx: &mut Context<'_, Message>) {
        with_member!(self, _zk => self.zk_leave(ctx), _kraft => {});
    }

    /// Whether nothing is under way between the broker and those that decide.
    pub(super) fn is_member_settled(&self) -> bool {
        match &self.membership {
            Membership::ZooKeeper(member) => member.is_settled(),
            Membership::Kraft(_) => true,
        }
    }

    /// A request that is for the controller.
    pub(super) fn ask_controller(
        &mut self,
        place: u32,
        request: Request,
        ctx: &mut Context<'_, Message>,
    ) {
        with_member!(self,
            _zk => self.zk_controller_request(place, request, ctx),
            _kraft => self.done(place, ctx));
    }
}
