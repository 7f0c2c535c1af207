//! The timers of clients.

/// A client's own timers.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "each variant's sentence names its fields")]
pub enum ClientTimer {
    /// The pace: the next message is due.
    Pace,
    /// A consumer cancels: it wants no more.
    ConsumerStop,
    /// Try the next node.
    Reconnect,
    /// An attempt to connect has taken too long.
    ConnectTimeout { attempt: u32 },
    /// A connection is due for a heartbeat.
    Heartbeat { attempt: u32 },
    /// A producer checks its unanswered sends.
    SendTimeout,
    /// A consumer's application is through with its message.
    Processed { session: u32 },
    /// Subscribe again, or open the channel again.
    Resubscribe,
    /// A consumer that polls asks for the next message.
    Poll { session: u32 },
}
