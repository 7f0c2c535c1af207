//! What a client knows of the cluster (Metadata.java), and when it asks again.

use std::sync::Arc;

use crate::brokers::kafka::PartitionId;
use crate::engine::{Span, Time};
use crate::observe::NodeId;

use super::super::state::{Led, View};

/// A client's metadata.
#[derive(Clone, Debug)]
pub struct Metadata {
    view: Option<Arc<View>>,
    /// Somebody needs a newer one.
    wanted: bool,
    /// A request is under way.
    asking: bool,
    /// When a request was last answered, or failed.
    last: Option<Time>,
    /// When one was last answered.
    updated: Option<Time>,
    /// `retry.backoff.ms`.
    backoff: Span,
    /// `metadata.max.age.ms`.
    max_age: Span,
    /// Whether an older leader epoch displaces no newer one.
    keep_newer: bool,
}

impl Metadata {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new(backoff: Span, max_age: Span, keep_newer: bool) -> Metadata {
        Metadata {
            view: None,
            wanted: true,
            asking: false,
            last: None,
            updated: None,
            backoff,
            max_age,
            keep_newer,
        }
    }

    /// What is known; `None` before the first answer.
    #[must_use]
    pub const fn view(&self) -> Option<&Arc<View>> {
        self.view.as_ref()
    }

    /// Who leads a partition, as far as is known.
    #[must_use]
    pub fn led(&self, partition: PartitionId) -> Option<Led> {
        self.view.as_ref()?.led(partition)
    }

    /// The leader of a partition, if it is known and there is one.
    #[must_use]
    pub fn leader(&self, partition: PartitionId) -> Option<NodeId> {
        self.led(partition)?.leader
    }

    /// What is known is not good enough.
    pub const fn want(&mut self) {
        self.wanted = true;
    }

    /// When it should be asked for, not before `retry.backoff.ms` have passed since the last time;
    /// never while a request is under way.
    #[must_use]
    pub fn due(&self) -> Time {
        if self.asking {
            return Time::MAX;
        }
        let expires = match self.updated {
            Some(updated) if !self.wanted => updated + self.max_age,
            _ => Time::ZERO,
        };
        expires.max(self.last.map_or(Time::ZERO, |last| last + self.backoff))
    }

    /// A request has gone out.
    pub const fn asked(&mut self) {
        self.asking = true;
    }

    /// No answer will come.
    pub const fn failed(&mut self, now: Time) {
        self.asking = false;
        self.wanted = true;
        self.last = Some(now);
    }

    /// An answer has come.
    pub fn answered(&mut self, now: Time, mut view: Arc<View>) {
        self.asking = false;
        self.wanted = false;
        self.last = Some(now);
        self.updated = Some(now);
        if self.keep_newer
            && let Some(old) = &self.view
        {
            keep_newer(old, &mut view);
        }
        self.view = Some(view);
    }

    /// The process has died.
    pub fn forget(&mut self) {
        *self = Metadata::new(self.backoff, self.max_age, self.keep_newer);
    }
}

/// Metadata.java 2.2, updateLastSeenEpochIfNewer: what is known of a later leader epoch stays.
fn keep_newer(old: &View, new: &mut Arc<View>) {
    let newer = |index: usize, led: &Option<Led>| {
        let known = old.partitions.get(index).copied().flatten()?;
        led.is_none_or(|led| led.epoch < known.epoch).then_some(known)
    };
    if !new.partitions.iter().enumerate().any(|(index, led)| newer(index, led).is_some()) {
        return;
    }
    let view = Arc::make_mut(new);
    for (index, led) in view.partitions.iter_mut().enumerate() {
        if let Some(known) = newer(index, led) {
            *led = Some(known);
        }
    }
}
