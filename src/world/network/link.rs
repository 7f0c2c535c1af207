//! One direction between two hosts: a FIFO server of bytes, a latency, a loss, and what blocks it.

use crate::engine::{Chance, Distribution, Span, Stream, Time};

use super::topology::LinkSpec;

/// A partition throws packets away.
pub(crate) const CUT: u8 = 1;
/// A partition answers packets with an error.
pub(crate) const REJECTS: u8 = 2;
/// The host at the end has no power.
pub(crate) const DARK: u8 = 4;
/// Every packet is lost: as good as a cut, and what is sent is sent again until that is over.
pub(crate) const LOSES_ALL: u8 = 8;

/// Payload of one packet, for the number of chances that a message has to be lost (an Ethernet MTU
/// of 1,500 bytes less IP and TCP headers with time stamps).
pub(crate) const PACKET: u64 = 1_448;

/// First retransmission time-out (Linux `TCP_RTO_MIN`).
pub(crate) const RTO: Span = Span::from_millis(200);
/// Longest retransmission time-out (Linux `TCP_RTO_MAX`).
pub(crate) const RTO_MAX: Span = Span::from_secs(120);

/// The retransmission time-out after `retries` retransmissions.
pub(crate) fn time_out(retries: u32) -> Span {
    let span = RTO * (1 << retries.min(32));
    span.min(RTO_MAX)
}

/// The link from one host to another. Made when the two first talk.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// What blocks it: [`CUT`], [`REJECTS`], [`DARK`].
    pub(crate) blocked: u8,
    /// Whether both ends are brokers.
    pub(crate) between_brokers: bool,
    latency: Distribution,
    /// Further latencies that faults add.
    added: Vec<Distribution>,
    /// Bytes a second; 0 is unlimited.
    bandwidth: u64,
    loss: Chance,
    free_at: Time,
    /// Bytes put on the wire so far, retransmissions included.
    pub(crate) carried: u64,
    stream: Stream,
    base: LinkSpec,
}

/// What a fault does to a link.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// Adds to the latency, in ns.
    Add(Distribution),
    /// Takes the place of the latency, in ns.
    Replace(Distribution),
    /// Loses packets, independently of other losses.
    Lose(Chance),
    /// Allows no more than this, in bytes a second.
    Narrow(u64),
}

impl Link {
    pub(crate) fn new(
        from: u32,
        to: u32,
        between_brokers: bool,
        spec: &LinkSpec,
        stream: Stream,
    ) -> Link {
        Link {
            from,
            to,
            blocked: 0,
            between_brokers,
            latency: spec.latency.clone(),
            added: Vec::new(),
            bandwidth: spec.bandwidth,
            loss: spec.loss,
            free_at: Time::ZERO,
            carried: 0,
            stream,
            base: spec.clone(),
        }
    }

    /// Applies the changes that are in force, in the order in which they began.
    pub(crate) fn change<'a>(&mut self, changes: impl Iterator<Item = &'a Change>) {
        self.latency = self.base.latency.clone();
        self.added.clear();
        self.bandwidth = self.base.bandwidth;
        self.loss = self.base.loss;
        for change in changes {
            match change {
                Change::Add(latency) => self.added.push(latency.clone()),
                Change::Replace(latency) => self.latency = latency.clone(),
                Change::Lose(chance) => self.loss = either(self.loss, *chance),
                Change::Narrow(rate) if self.bandwidth == 0 => self.bandwidth = *rate,
                Change::Narrow(rate) => self.bandwidth = self.bandwidth.min(*rate),
            }
        }
        self.blocked &= !LOSES_ALL;
        if self.loss == Chance::ALWAYS {
            self.blocked |= LOSES_ALL;
            self.loss = Chance::NEVER;
        }
    }

    /// When the last byte of a message that is handed over at `at` has left.
    #[inline]
    pub(crate) fn leaves(&mut self, bytes: u32, at: Time) -> Time {
        self.carried += u64::from(bytes);
        if self.bandwidth == 0 {
            return at;
        }
        // 32 bits of bytes times 30 bits of ns fit.
        let transfer = u64::from(bytes) * 1_000_000_000 / self.bandwidth;
        let leaves = at.max(self.free_at) + Span::from_nanos(transfer);
        self.free_at = leaves;
        leaves
    }

    /// Bytes a second; 0 is unlimited.
    pub(crate) fn bandwidth(&self) -> u64 {
        self.bandwidth
    }

    /// What waits for its turn does not: it is put on the wire anew, or never.
    pub(crate) fn take_back(&mut self, bytes: u64, now: Time) {
        self.carried -= bytes;
        self.free_at = self.free_at.min(now);
    }

    /// Draws a one-way latency. `now` positions the random stream.
    #[inline]
    pub(crate) fn latency(&mut self, now: Time) -> Span {
        let stream = self.stream.at(now);
        let mut span = self.latency.span(stream);
        for added in &self.added {
            span += added.span(stream);
        }
        span
    }

    /// Draws how long retransmissions delay a message because packets of it are lost.
    #[inline]
    pub(crate) fn retransmission(&mut self, bytes: u32, now: Time) -> Span {
        if self.loss == Chance::NEVER { Span::ZERO } else { self.lossy(bytes, now) }
    }

    #[cold]
    fn lossy(&mut self, bytes: u32, now: Time) -> Span {
        let stream = self.stream.at(now);
        let packets = u64::from(bytes).div_ceil(PACKET).max(1);
        let mut worst = 0;
        for _ in 0..packets {
            let mut tries = 0;
            while tries < MOST_TRIES && stream.chance(self.loss) {
                tries += 1;
            }
            worst = worst.max(tries);
        }
        (0..worst).fold(Span::ZERO, |sum, tried| sum + time_out(tried))
    }

    /// Draws whether a packet that nobody retransmits in order is lost.
    pub(crate) fn loses(&mut self, now: Time) -> bool {
        self.stream.at(now).chance(self.loss)
    }

    pub(crate) fn digest(&self) -> u64 {
        self.stream.digest()
    }
}

/// How often in a row a packet is lost at most. The chain is drawn when the packet is sent, under
/// the loss that holds then; without a bound a loss of a second could hold a connection up for
/// minutes after it is over, where fast retransmission would have ended the chain long before.
const MOST_TRIES: u32 = 6;

/// The chance of either of two independent things.
fn either(a: Chance, b: Chance) -> Chance {
    let (p, q) = (u128::from(a.as_billionths()), u128::from(b.as_billionths()));
    let both = p * q / 1_000_000_000;
    Chance::from_billionths(u64::try_from(p + q - both).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_outs_double_up_to_two_minutes() {
        let seconds: Vec<f64> = (0..12).map(|n| time_out(n).as_secs_f64()).collect();
        assert_eq!(seconds, [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 120.0, 120.0]);
        let all: u64 = (0..16).map(|n| time_out(n).as_millis()).sum();
        assert_eq!(all, 924_600, "the figure of Linux' ip-sysctl for tcp_retries2 = 15");
    }

    #[test]
    fn independent_losses_add_up() {
        let half = Chance::from_billionths(500_000_000);
        assert_eq!(either(half, half).as_billionths(), 750_000_000);
        assert_eq!(either(Chance::ALWAYS, half), Chance::ALWAYS);
        assert_eq!(either(Chance::NEVER, half), half);
    }
}
