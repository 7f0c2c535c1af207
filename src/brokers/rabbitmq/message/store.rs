//! What comes to the process of the message store (rabbit_msg_store).

use crate::world::Lane;

use super::QueueSeq;

/// What is sent to the message store of the same node, and its own timers.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "fields are the arguments of the call that is named")]
pub enum StoreMessage {
    /// A queue gives the body of a large message to the store.
    Write { queue: Lane, id: QueueSeq, body: u64, confirm: bool },
    /// The node stops: write everything and end.
    Terminate,
    /// The mailbox is empty: flush what waits.
    Idle,
    /// The flush interval is over.
    SyncTimer,
    /// The flush is durable.
    Synced,
}
