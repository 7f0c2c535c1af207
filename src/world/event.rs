//! What the world schedules: 16 bytes, ids and slots only.

use crate::engine;

/// One event. Bodies of messages wait in the queue of their connection or in a slab.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// The next segment of the flow that side `end` sends reaches the other host.
    Arrive { end: u32, epoch: u32 },
    /// The network card of the other host has received the next segment that reached it.
    Received { end: u32, epoch: u32 },
    /// The network card of a host has sent what it was given, and more waits.
    Turn { node: u32 },
    /// What a turn carried of a message of which there is more reaches the other host.
    Part { from: u32, to: u32, bytes: u32 },
    /// A busy lane becomes free while something waits for it.
    Wake { node: u32, lane: u32, epoch: u32 },
    /// A tell or a timer.
    Note { slot: u32, generation: u32 },
    /// An fsync is complete.
    Synced { slot: u32 },
    /// An effect that a long computation has late in its course.
    Deferred { slot: u32 },
    /// A process starts.
    Boot { node: u32, incarnation: u32 },
    /// A process that asked for its end after a computation has come to it.
    Exit { node: u32, incarnation: u32 },
    /// What was read no longer holds back: the unread segments that side `end` sent are read.
    Read { end: u32 },
    /// A request for a connection reaches the other host.
    Syn { conn: u32 },
    /// No answer to it has come for a while.
    SynRetry { conn: u32, attempt: u32 },
    /// The answer to it reaches the host that asked.
    SynAck { conn: u32 },
    /// The refusal reaches the host that asked.
    Refused { conn: u32, unreachable: bool },
    /// The retransmission timer of the flow that side `end` sends.
    Retransmit { end: u32, epoch: u32 },
    /// A reset reaches side `end`.
    Reset { end: u32, on_path: bool },
    /// Side `end` learns that there is room in the buffer again.
    Writable { end: u32 },
    /// A fault of the schedule begins.
    FaultBegin { index: u32 },
    /// A fault of the schedule is over.
    FaultEnd { index: u32 },
    /// It is looked whether the faults of a turn, of which this is the first, can begin.
    FaultTurn { index: u32 },
    /// What held up an input in the kernel may be over.
    GoOn { slot: u32 },
    /// A process that was frozen or had ended by itself is looked at by whoever starts it anew.
    Supervise { node: u32, incarnation: u32 },
    /// An action of the schedule is due.
    Act { index: u32 },
}

impl engine::Event for Event {
    #[inline(always)]
    fn words(&self) -> [u64; 2] {
        let two = |a: u32, b: u32| u64::from(a) << 32 | u64::from(b);
        match *self {
            Event::Arrive { end, epoch } => [0, two(end, epoch)],
            Event::Wake { node, lane, epoch } => [two(1, epoch), two(node, lane)],
            Event::Note { slot, generation } => [2, two(slot, generation)],
            Event::Synced { slot } => [3, u64::from(slot)],
            Event::Deferred { slot } => [4, u64::from(slot)],
            Event::Boot { node, incarnation } => [5, two(node, incarnation)],
            Event::Exit { node, incarnation } => [6, two(node, incarnation)],
            Event::Read { end } => [7, u64::from(end)],
            Event::Syn { conn } => [8, u64::from(conn)],
            Event::SynRetry { conn, attempt } => [9, two(conn, attempt)],
            Event::SynAck { conn } => [10, u64::from(conn)],
            Event::Refused { conn, unreachable } => [11, two(conn, u32::from(unreachable))],
            Event::Retransmit { end, epoch } => [12, two(end, epoch)],
            Event::Reset { end, on_path } => [13, two(end, u32::from(on_path))],
            Event::Writable { end } => [14, u64::from(end)],
            Event::FaultBegin { index } => [15, u64::from(index)],
            Event::FaultEnd { index } => [16, u64::from(index)],
            Event::FaultTurn { index } => [17, u64::from(index)],
            Event::Supervise { node, incarnation } => [18, two(node, incarnation)],
            Event::Received { end, epoch } => [19, two(end, epoch)],
            Event::GoOn { slot } => [20, u64::from(slot)],
            Event::Act { index } => [21, u64::from(index)],
            Event::Turn { node } => [22, u64::from(node)],
            Event::Part { from, to, bytes } => [two(23, from), two(to, bytes)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Event;

    #[test]
    fn an_event_is_sixteen_bytes() {
        assert_eq!(std::mem::size_of::<Event>(), 16);
    }
}
