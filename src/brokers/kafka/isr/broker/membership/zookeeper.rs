//! A broker's session with ZooKeeper (KafkaHealthcheck, KafkaZkClient).

use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::observe::{NodeId, Observer};
use crate::world::{Context, Input, Lane};

use super::super::super::config::Config;
use super::super::super::message::{Message, Request};
use super::super::super::state::PartitionChange;
use super::super::Broker;

/// What a broker knows of itself in ZooKeeper.
#[derive(Clone, Debug)]
pub struct ZooKeeperMember {
    /// `czxid` of its `/brokers/ids/N` (KIP-380).
    broker_epoch: u64,
}

impl ZooKeeperMember {
    pub(super) fn new(_config: &Arc<Config>, _me: NodeId) -> ZooKeeperMember {
        ZooKeeperMember { broker_epoch: 0 }
    }

    pub(super) fn broker_epoch(&self) -> u64 {
        self.broker_epoch
    }

    pub(super) fn owns(&self, _lane: Lane) -> bool {
        false
    }

    pub(super) fn forget(&mut self) {
        self.broker_epoch = 0;
    }
}

impl Broker {
    pub(super) fn zk_register<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        ctx.ready();
    }

    pub(super) fn zk_input<O: Observer>(
        &mut self,
        _input: Input<Message>,
        _ctx: &mut Context<'_, Message, O>,
    ) {
    }

    pub(super) fn zk_propose<O: Observer>(
        &mut self,
        _partition: PartitionId,
        _change: PartitionChange,
        _ctx: &mut Context<'_, Message, O>,
    ) {
    }

    pub(super) fn zk_stop<O: Observer>(&mut self, ctx: &mut Context<'_, Message, O>) {
        self.flush_and_stop(ctx);
    }

    pub(super) fn zk_controller_request<O: Observer>(
        &mut self,
        place: u32,
        _request: Request,
        ctx: &mut Context<'_, Message, O>,
    ) {
        self.done(place, ctx);
    }
}
