//! Locks of queues, by which one member of a group at a time consumes in order
//! (`broker/client/rebalance/RebalanceLockManager.java`). They are in memory only.

use std::collections::BTreeMap;

use crate::engine::{Span, Time};
use crate::world::{ConnId, Context};

use super::super::config::QueueId;
use super::super::message::{HEADER, Lock, Message};
use super::super::rules::Rule;
use super::Broker;

/// `rocketmq.broker.rebalance.lockMaxLiveTime`: nobody else gets a lock for so long after its owner has
/// last asked for it.
const LIFE: Span = Span::from_secs(60);

/// Who has the lock of a queue, and when it has last asked for it, by the wall clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    client: u32,
    last: Time,
}

/// The locks, by group and queue.
pub(super) type Locks = BTreeMap<(u32, QueueId), Owner>;

impl Broker {
    /// `tryLockBatch`: answers with the queues whose locks the client has now.
    pub(super) fn lock(
        &mut self,
        conn: ConnId,
        id: u32,
        lock: &Lock,
        ctx: &mut Context<'_, Message>,
    ) {
        let now = ctx.clock();
        let mut granted = Vec::new();
        for queue in &lock.queues {
            let own = Owner { client: lock.client, last: now };
            let owner = self.locks.entry((lock.group, *queue)).or_insert(own);
            let held = owner.client != lock.client && now.since(owner.last) <= LIFE;
            if !held || !self.config.has(Rule::LockQueues) {
                *owner = own;
                granted.push(*queue);
            }
        }
        let bytes = HEADER + 60 * granted.len() as u32;
        ctx.send(conn, Message::Locked(id, granted.into()), bytes);
    }

    /// `unlockBatch`.
    pub(super) fn unlock(&mut self, lock: &Lock) {
        for queue in &lock.queues {
            let key = (lock.group, *queue);
            if self.locks.get(&key).is_some_and(|owner| owner.client == lock.client) {
                self.locks.remove(&key);
            }
        }
    }
}
