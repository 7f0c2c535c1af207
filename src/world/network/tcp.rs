//! What the TCP of Linux does about lost packets, as times and rates: pure functions of the round
//! trip and the loss.
//!
//! The rules are those of RACK and tail loss probes (RFC 8985) and of the retransmission time-out
//! (RFC 6298) as Linux has them (`net/ipv4/tcp_recovery.c`, `tcp_output.c`, `tcp_timer.c`, 6.x); the
//! bound on what a lossy path carries is Padhye, Firoiu, Towsley and Kurose, "Modeling TCP
//! Throughput" (SIGCOMM 1998) with a quarter of its time-out term, which is what selective
//! acknowledgements leave of it.

use crate::engine::{Chance, Span};

/// Payload of one packet: an Ethernet MTU of 1,500 bytes less IP and TCP headers with time stamps.
pub(crate) const PACKET: u64 = 1_448;

/// A packet counts as lost when so many that were sent after it have arrived (`tcp_reordering`).
pub(crate) const LATER_PACKETS: u64 = 3;

/// Packets that a connection sends before it hears of any (`TCP_INIT_CWND`, RFC 6928), and what is
/// left of its congestion window without traffic that would make it grow.
pub(crate) const QUIET_WINDOW: u32 = 10;

/// After so long without an acknowledgement a connection is given up: the time that
/// `tcp_retries2 = 15` stands for (ip-sysctl; `retransmits_timed_out` in `tcp_timer.c`).
pub(crate) const GIVEN_UP: Span = Span::from_millis(924_600);

/// Least part of the retransmission time-out that is not the round trip (`TCP_RTO_MIN`).
const RTO_MIN: Span = Span::from_millis(200);

/// Longest retransmission time-out (`TCP_RTO_MAX`).
const RTO_MAX: Span = Span::from_secs(120);

/// What a tail loss probe waits beside two round trips while several packets are under way: two
/// ticks of a kernel with HZ = 250 (`tcp_schedule_loss_probe`).
const PROBE_OF_SEVERAL: Span = Span::from_millis(8);

/// The same while one packet is under way, whose acknowledgement the other side may delay.
const PROBE_OF_ONE: Span = RTO_MIN;

/// How a sender keeps to what the path carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CongestionControl {
    /// Linux' default: a lost packet counts as congestion.
    #[default]
    Cubic,
    /// Goes by the rate at which data arrives: loss of up to 10 % costs no throughput.
    Bbr,
}

/// Bytes that a connection gives a network card of this rate at once: what leaves in a millisecond,
/// two packets at the least and one packet of segmentation offload at the most (`tcp_tso_autosize`
/// and `tcp_small_queue_check` in `tcp_output.c`; `GSO_LEGACY_MAX_SIZE`).
pub(super) fn burst(rate: u64) -> u32 {
    (rate / 1_000).clamp(2 * PACKET, 65_536) as u32
}

/// A later packet tells that one is lost if it was sent this much after it (RACK's reordering
/// window, a quarter of the round trip).
pub(crate) fn reordering_window(round_trip: Span) -> Span {
    round_trip / 4
}

/// How long after the last packet the tail loss probe is sent.
pub(crate) fn probe(round_trip: Span, packets_under_way: u64) -> Span {
    round_trip * 2 + if packets_under_way > 1 { PROBE_OF_SEVERAL } else { PROBE_OF_ONE }
}

/// The retransmission time-out that follows so many of its kind.
pub(crate) fn time_out(round_trip: Span, before: u32) -> Span {
    // Kept in ticks, so that what doubles is whole ticks.
    let first = on_the_wheel(RTO_MIN + round_trip);
    on_the_wheel((first * (1 << before.min(16))).min(RTO_MAX))
}

/// A wait as Linux' timer wheel has it: rounded up, the more coarsely the longer it is
/// (`kernel/time/timer.c`, HZ = 250).
fn on_the_wheel(wait: Span) -> Span {
    const GRAINS: [(u64, u64); 3] = [(252, 4), (2_000, 32), (16_000, 256)];
    let millis = wait.as_nanos().div_ceil(1_000_000);
    let grain = GRAINS.iter().find(|(below, _)| millis < *below).map_or(2_000, |(_, grain)| *grain);
    Span::from_millis(millis.next_multiple_of(grain)).min(RTO_MAX)
}

/// The chance that losses have made the congestion window so small that nothing may be sent after a
/// packet that was lost twice. Fitted: of what a busy connection sent again, time-outs repaired 0 of
/// 788 packets at 1 % of loss, 2.2 % at 5 % and 10 % at 10 %.
pub(crate) fn window_spent(loss: Chance) -> Chance {
    Chance::from_billionths(loss.as_billionths().saturating_mul(9))
}

/// Bytes a second that a connection gets through a path that loses packets, with cubic congestion
/// control: segment ÷ (R √(2p/3) + ¼ RTO min(1, 3 √(3p/8)) p (1 + 32 p²)). Between a third and
/// three times what was measured at 2 to 10 % of loss and 0.2 to 20 ms of round trip.
pub(crate) fn goodput(round_trip: Span, loss: Chance) -> u64 {
    let p = loss.as_billionths() as f64 / 1e9;
    let seconds = |span: Span| span.as_nanos() as f64 / 1e9;
    let fast = seconds(round_trip) * (2.0 * p / 3.0).sqrt();
    let stalled = (3.0 * (3.0 * p / 8.0).sqrt()).min(1.0) * p * (1.0 + 32.0 * p * p);
    let slow = seconds(time_out(round_trip, 0)) / 4.0 * stalled;
    let rate = PACKET as f64 / (fast + slow);
    // A loss too small to matter bounds nothing.
    if rate < 1e12 { (rate as u64).max(1) } else { u64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIRE: Span = Span::from_millis(2);

    fn percent(p: u64) -> Chance {
        Chance::from_billionths(p * 10_000_000)
    }

    #[test]
    fn a_cut_is_tried_at_the_instants_that_were_measured() {
        // A busy connection with a round trip of 2 ms, in ms after the cut.
        let measured =
            [210.0, 630.0, 1_480.0, 3_150.0, 6_500.0, 13_200.0, 26_700.0, 54_200.0, 107_500.0];
        let mut at = probe(WIRE, 2);
        for (before, measured) in (0..).zip(measured) {
            at += time_out(WIRE, before);
            let ratio = at.as_millis() as f64 / measured;
            assert!((0.97..1.03).contains(&ratio), "{} ms, measured {measured}", at.as_millis());
        }
    }

    #[test]
    fn time_outs_double_up_to_two_minutes() {
        let seconds = |before| time_out(Span::ZERO, before).as_secs_f64();
        assert_eq!([0, 1, 2].map(seconds), [0.2, 0.416, 0.8]);
        assert_eq!([10, 40].map(seconds), [120.0, 120.0]);
    }

    #[test]
    fn the_bound_on_throughput_is_near_what_was_measured() {
        // (one way in ms, percent, measured MB/s), saturated, cubic.
        for (one_way, p, measured) in [
            (100, 2, 4.1),
            (1_000, 1, 6.3),
            (1_000, 2, 3.0),
            (1_000, 5, 0.78),
            (1_000, 10, 0.16),
            (10_000, 1, 0.83),
            (10_000, 5, 0.23),
            (10_000, 10, 0.15),
        ] {
            let round_trip = Span::from_micros(2 * one_way + 200);
            let ratio = goodput(round_trip, percent(p)) as f64 / 1e6 / measured;
            assert!((0.5..2.5).contains(&ratio), "{one_way} us, {p} %: {ratio} of the measured");
        }
        assert_eq!(goodput(WIRE, Chance::NEVER), u64::MAX);
    }
}
