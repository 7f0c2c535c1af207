//! How whoever has connected notices that the other end is silent (`ClientSessionFactoryImpl.PingRunnable`).

use crate::engine::{Span, Time};

/// What is known of the other end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    /// Since when it is looked for signs of life, and how many bytes had come by then.
    since: Time,
    bytes: u64,
}

impl Silence {
    /// A connection that is open since now.
    #[must_use]
    pub const fn new(now: Time) -> Silence {
        Silence { since: now, bytes: 0 }
    }

    /// A look at it, by which so many bytes have come: whether nothing did in a whole window of the TTL.
    /// If it is not judged by windows, every sign of life begins a new one.
    pub fn is_over(&mut self, now: Time, bytes: u64, (ttl, by_window): (Span, bool)) -> bool {
        let over = now.since(self.since) >= ttl;
        let heard = bytes != self.bytes;
        if over && !heard {
            return true;
        }
        if over || heard && !by_window {
            *self = Silence { since: now, bytes };
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::Silence;
    use crate::engine::{Span, Time};

    #[test]
    fn silence_lasts_one_to_two_windows() {
        let (ttl, at) = (Span::from_secs(60), |secs| Time::ZERO + Span::from_secs(secs));
        let mut silence = Silence::new(Time::ZERO);
        assert!(!silence.is_over(at(30), 100, (ttl, true)));
        assert!(!silence.is_over(at(60), 100, (ttl, true)), "something had come in that window");
        assert!(!silence.is_over(at(90), 100, (ttl, true)));
        assert!(silence.is_over(at(120), 100, (ttl, true)));
        let mut silence = Silence::new(Time::ZERO);
        assert!(!silence.is_over(at(30), 100, (ttl, false)));
        assert!(!silence.is_over(at(60), 100, (ttl, false)));
        assert!(
            silence.is_over(at(90), 100, (ttl, false)),
            "60 s after the last look that had heard"
        );
    }
}
