//! One direction between two hosts: a FIFO server of bytes, a latency, a loss, and what blocks it.

use crate::engine::{Chance, Distribution, Span, Stream, Time};

use super::tcp::PACKET;
use super::topology::LinkSpec;

/// A partition throws packets away.
pub(crate) const CUT: u8 = 1;
/// A partition answers packets with an error.
pub(crate) const REJECTS: u8 = 2;
/// The host at the end has no power.
pub(crate) const DARK: u8 = 4;
/// Every packet is lost: as good as a cut, and what is sent is sent again until that is over.
pub(crate) const LOSES_ALL: u8 = 8;

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
    /// The mean latency, by which a sender's timers go.
    typical: Span,
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
            typical: Span::from_nanos(spec.latency.mean()),
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
        let added: u64 = self.added.iter().map(Distribution::mean).sum();
        self.typical = Span::from_nanos(self.latency.mean().saturating_add(added));
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

    /// The chance of each packet to be lost; a link that loses all of them is
    /// [blocked](LOSES_ALL) instead.
    #[inline]
    pub(crate) fn loss(&self) -> Chance {
        self.loss
    }

    /// The mean latency.
    pub(crate) fn typical(&self) -> Span {
        self.typical
    }

    /// Draws which packets of a message are lost: their number and how many come behind the last
    /// lost one.
    pub(crate) fn lose(&mut self, bytes: u32, now: Time) -> Losses {
        let stream = self.stream.at(now);
        let packets = u64::from(bytes).div_ceil(PACKET).max(1);
        let mut losses = Losses { packets, lost: 0, behind: 0 };
        for _ in 0..packets {
            if stream.chance(self.loss) {
                losses.lost += 1;
                losses.behind = 0;
            } else if losses.lost > 0 {
                losses.behind += 1;
            }
        }
        losses
    }

    /// Draws whether one packet is lost.
    pub(crate) fn loses(&mut self, now: Time) -> bool {
        self.stream.at(now).chance(self.loss)
    }

    /// Draws whether something of this chance is so.
    pub(crate) fn draws(&mut self, now: Time, chance: Chance) -> bool {
        self.stream.at(now).chance(chance)
    }

    pub(crate) fn digest(&self) -> u64 {
        self.stream.digest()
    }
}

/// What became of the packets of a message at their first transmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Losses {
    /// All of them.
    pub(crate) packets: u64,
    /// Those that were lost.
    pub(crate) lost: u64,
    /// Those behind the last lost one, which arrived.
    pub(crate) behind: u64,
}

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
    fn independent_losses_add_up() {
        let half = Chance::from_billionths(500_000_000);
        assert_eq!(either(half, half).as_billionths(), 750_000_000);
        assert_eq!(either(Chance::ALWAYS, half), Chance::ALWAYS);
        assert_eq!(either(Chance::NEVER, half), half);
    }
}
