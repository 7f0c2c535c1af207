//! What `[[queue]]` asks of a queue beside being there: its arguments.

use crate::engine::Span;

use super::message::ExchangeId;

/// `x-overflow`: what a queue does with a message that is too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest ready message makes room.
    #[default]
    DropHead,
    /// The message is refused.
    RejectPublish,
    /// The message is refused and dead-lettered.
    RejectPublishDlx,
}

/// `x-delayed-retry-type`: what is delivered again only after a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// Whatever is given back.
    All,
    /// What could not be processed.
    Failed,
    /// What was given back without having failed.
    Returned,
}

/// `x-delayed-retry-*`, of a quorum queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayedRetry {
    /// What is delayed.
    pub of: Retried,
    /// For how long after its first failure, and so much longer after each further one.
    pub min: Span,
    /// For how long at most.
    pub max: Span,
}

impl Overflow {
    /// As it is written.
    #[must_use]
    pub fn named(name: &str) -> Overflow {
        match name {
            "reject-publish" => Overflow::RejectPublish,
            "reject-publish-dlx" => Overflow::RejectPublishDlx,
            _ => Overflow::DropHead,
        }
    }
}

/// A queue's arguments; none of them by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `x-max-length`: most ready messages.
    pub max_length: Option<u64>,
    /// `x-max-length-bytes`: most bytes of ready messages' payloads.
    pub max_length_bytes: Option<u64>,
    /// `x-overflow`.
    pub overflow: Overflow,
    /// `x-message-ttl`.
    pub message_ttl: Option<Span>,
    /// `x-dead-letter-exchange`. Where it leads to is in [`super::letters::Letters`].
    pub dead_letter_exchange: Option<ExchangeId>,
    /// `x-dead-letter-strategy = "at-least-once"`.
    pub dead_letter_at_least_once: bool,
    /// `x-single-active-consumer`.
    pub single_active_consumer: bool,
    /// Deleted when its last consumer goes.
    pub auto_delete: bool,
    /// `x-delayed-retry-type` and what belongs to it.
    pub delayed_retry: Option<DelayedRetry>,
}

impl Arguments {
    /// Whether its length is limited.
    #[must_use]
    pub fn limited(&self) -> bool {
        self.max_length.is_some() || self.max_length_bytes.is_some()
    }

    /// Whether dead letters stay in the queue until they have arrived: if that is asked for and the
    /// queue refuses what is too much, else silently not (rabbit_quorum_queue.erl v4.3.5:
    /// `dead_letter_handler`).
    #[must_use]
    pub fn keeps_dead_letters(&self) -> bool {
        self.dead_letter_at_least_once
            && self.dead_letter_exchange.is_some()
            && self.overflow == Overflow::RejectPublish
    }

    /// Whether messages that nobody reads go on to another queue after a while.
    #[must_use]
    pub fn passes_on(&self) -> bool {
        self.message_ttl.is_some() && self.dead_letter_exchange.is_some()
    }

    /// Whether so many ready messages are too many.
    #[must_use]
    pub fn exceeded(&self, messages: u64, bytes: u64) -> bool {
        self.max_length.is_some_and(|most| messages > most)
            || self.max_length_bytes.is_some_and(|most| bytes > most)
    }
}
