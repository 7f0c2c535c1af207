//! One direction of a connection: the segments that it has, and how far each has come.

use std::collections::VecDeque;

use crate::engine::Time;

use super::super::machine::{Lane, Port};
use super::repair::Hole;

/// What a segment carries.
#[derive(Clone, Debug)]
pub(crate) enum Cargo<M> {
    Data(M),
    /// The last step of the handshake, for this port.
    Opened(Port),
    Fin,
    /// The reset by which a killed process says goodbye; after its data, never retransmitted.
    Rst,
}

#[derive(Clone, Debug)]
pub(crate) struct Segment<M> {
    pub(crate) cargo: Cargo<M>,
    pub(crate) bytes: u32,
    pub(crate) lane: Lane,
    /// When its last byte leaves the host.
    pub(crate) leaves: Time,
}

/// One direction of a connection, kept with the side that sends.
#[derive(Clone, Debug)]
pub(crate) struct Flow<M> {
    /// What arrived unread, then what is on the wire and arrives without further ado, then what
    /// was sent behind a hole (which begins with it), then what waits.
    pub(crate) queue: VecDeque<Segment<M>>,
    pub(crate) arrived: u32,
    pub(crate) on_wire: u32,
    /// Of those on the wire, what has come to the other host and waits for its network card.
    pub(super) in_card: u32,
    /// Whether it waits for its turn at the network card of its own host, and how much of the first
    /// segment that waits the card has sent in earlier turns, since when.
    pub(super) takes_turns: bool,
    pub(super) begun: u32,
    pub(super) begun_at: Time,
    /// What the last turn carried of segments that were sent in several, by their number.
    pub(super) in_turns: VecDeque<(u64, u32)>,
    pub(super) behind: u32,
    /// Segments sent since the flow began or last began anew, and the holes among those behind.
    pub(super) put: u64,
    pub(super) holes: Vec<Hole>,
    /// Arrivals of another epoch are void.
    pub(super) epoch: u32,
    pub(crate) link: u32,
    pub(crate) back: u32,
    pub(super) last_arrival: Time,
    pub(super) last_leaves: Time,
    /// When what a lossy path carries of it has been carried.
    pub(super) carried_at: Time,
    /// Bytes in the queue.
    pub(super) buffered: u64,
    /// Bytes that the process hands over later in what it computes (see the context).
    pub(super) promised: u64,
    pub(crate) sent: u64,
    pub(crate) read: u64,
    /// Whether nothing is put on the wire until the timer says so.
    pub(crate) stalled: bool,
    pub(super) timer: bool,
    pub(super) timer_epoch: u32,
    /// When it runs out first.
    pub(super) due: Time,
    /// Retransmissions since anything was acknowledged.
    pub(super) retries: u32,
    /// Since when nothing is acknowledged, while it is stalled.
    pub(super) silent_since: Time,
    /// The congestion window in packets, and where its slow start ends, while the flow catches up
    /// after a stall; 0 otherwise.
    pub(super) window: u32,
    pub(super) threshold: u32,
    /// Bytes that the window still allows in this round trip.
    pub(super) allowance: u64,
    /// Whether the sender found no room and waits to hear of some.
    pub(super) blocked: bool,
    /// The sender's host has lost power: what is lost on its way is sent by nobody again.
    pub(super) deserted: bool,
}

impl<M> Flow<M> {
    pub(super) const fn new() -> Flow<M> {
        Flow {
            queue: VecDeque::new(),
            arrived: 0,
            on_wire: 0,
            in_card: 0,
            takes_turns: false,
            begun: 0,
            begun_at: Time::ZERO,
            in_turns: VecDeque::new(),
            behind: 0,
            put: 0,
            holes: Vec::new(),
            epoch: 0,
            link: 0,
            back: 0,
            last_arrival: Time::ZERO,
            last_leaves: Time::ZERO,
            carried_at: Time::ZERO,
            buffered: 0,
            promised: 0,
            sent: 0,
            read: 0,
            stalled: false,
            timer: false,
            timer_epoch: 0,
            due: Time::ZERO,
            retries: 0,
            silent_since: Time::ZERO,
            window: 0,
            threshold: 0,
            allowance: 0,
            blocked: false,
            deserted: false,
        }
    }

    /// Forgets everything; what is on its way is void.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
        self.promised = 0;
        self.arrived = 0;
        self.on_wire = 0;
        self.buffered = 0;
        self.blocked = false;
        self.void_wire();
        self.stop_timer();
    }

    /// Forgets what the other host has not got; what it got and did not read stays.
    pub(super) fn drop_unarrived(&mut self) {
        self.queue.truncate(self.arrived as usize);
        self.buffered = self.queue.iter().map(|s| u64::from(s.bytes)).sum();
        self.blocked = false;
        self.void_wire();
        self.stop_timer();
    }

    pub(super) fn void_wire(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.on_wire = 0;
        self.in_card = 0;
        self.begun = 0;
        self.in_turns.clear();
        self.allowance = 0;
        self.behind = 0;
        self.put = 0;
        self.holes.clear();
    }

    /// Segments in the queue that have been sent.
    pub(super) fn sent_segments(&self) -> usize {
        (self.arrived + self.on_wire + self.behind) as usize
    }

    pub(super) fn stop_timer(&mut self) {
        self.timer = false;
        self.timer_epoch = self.timer_epoch.wrapping_add(1);
        self.retries = 0;
        self.window = 0;
    }

    pub(super) fn pop(&mut self) -> Option<Segment<M>> {
        let segment = self.queue.pop_front()?;
        self.buffered -= u64::from(segment.bytes);
        self.read += u64::from(segment.bytes);
        Some(segment)
    }

    /// Whether nothing gets through to the other side, as far as the sender knows.
    pub(super) fn is_cut_off(&self) -> bool {
        self.stalled && self.window == 0 && self.timer
    }

    /// Whether something waits that may be put on the wire.
    pub(super) fn may_send(&self) -> bool {
        let open = !self.stalled || self.window > 0 && self.allowance > 0;
        open && self.queue.len() > self.sent_segments()
    }

    /// Whether there is something that the other side has not got.
    pub(crate) fn is_waiting(&self) -> bool {
        self.queue.len() > self.arrived as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Segment;

    /// A message of 48 bytes, as large as they should be, with the spare values of an enum.
    #[expect(dead_code, reason = "only its size counts")]
    enum Large {
        Body([u64; 5]),
        Other,
    }

    #[test]
    fn a_segment_is_little_more_than_its_message() {
        assert_eq!(std::mem::size_of::<Large>(), 48);
        assert!(std::mem::size_of::<Segment<Large>>() <= 64);
    }
}
