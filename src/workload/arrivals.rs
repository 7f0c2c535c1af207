//! When messages are meant to be sent, in an open loop.

use crate::engine::{Distribution, Span, Stream, Time};
use crate::scenario::Rate;

/// How the load of one producer goes over time, counted from its start.
#[derive(Clone, Debug, PartialEq)]
pub enum Profile {
    /// Evenly spaced.
    Constant(Rate),
    /// At random, independently of each other, at this mean rate.
    Poisson(Rate),
    /// One constant rate after another.
    Steps {
        /// In the order of time.
        steps: Vec<Step>,
        /// Begin again after the last step, which then has an end.
        repeat: bool,
    },
    /// `size` messages at once, at the start and again after every `every`.
    Burst {
        /// From one burst to the next.
        every: Span,
        /// Messages a burst.
        size: u64,
    },
}

/// A constant rate for some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// How long; [`Span::MAX`] until the end.
    pub lasts: Span,
    /// Messages arrive evenly spaced, the first at the start of the step.
    pub rate: Rate,
}

/// The intended send times of one producer, in order. Cheap to clone but for the list of steps.
#[derive(Clone, Debug)]
pub struct Arrivals {
    profile: Profile,
    /// The origin of what is counted: of the step, of the burst, or of the whole.
    origin: Time,
    /// Messages since the origin.
    counted: u64,
    /// The step that is being counted.
    step: usize,
    /// Picoseconds behind `origin` of the last random arrival.
    picos: u128,
    /// Nothing is sent at or after this instant.
    stop: Time,
    /// Messages that may still be sent.
    left: u64,
}

impl Arrivals {
    /// The arrivals from `start` until just before `stop`, at most `count` if given.
    #[must_use]
    pub fn new(profile: Profile, start: Time, stop: Time, count: Option<u64>) -> Arrivals {
        let left = count.unwrap_or(u64::MAX);
        Arrivals { profile, origin: start, counted: 0, step: 0, picos: 0, stop, left }
    }

    /// The next intended send time, never before the last one; `None` once there are no more.
    /// Only the Poisson profile draws, once each.
    pub fn next(&mut self, stream: &mut Stream) -> Option<Time> {
        if self.left == 0 {
            return None;
        }
        match self.candidate(stream).filter(|at| *at < self.stop && *at < Time::MAX) {
            Some(at) => {
                self.left -= 1;
                Some(at)
            }
            None => {
                self.left = 0;
                None
            }
        }
    }

    fn candidate(&mut self, stream: &mut Stream) -> Option<Time> {
        match self.profile {
            Profile::Constant(rate) => {
                let at = due(self.origin, rate, self.counted);
                self.counted += 1;
                at
            }
            Profile::Poisson(rate) => {
                // Picoseconds are added up, so that rounding the gaps to nanoseconds does not
                // change the rate.
                let mean = rate.mean_gap_picos()?;
                self.picos += u128::from(Distribution::Exponential { mean }.sample(stream));
                let nanos = u64::try_from(self.picos / 1_000).ok()?;
                Some(self.origin + Span::from_nanos(nanos))
            }
            Profile::Steps { .. } => self.in_steps(),
            Profile::Burst { every, size } => {
                if self.counted == size {
                    self.counted = 0;
                    self.origin += every;
                }
                self.counted += 1;
                (size > 0 && !every.is_zero()).then_some(self.origin)
            }
        }
    }

    fn in_steps(&mut self) -> Option<Time> {
        let Profile::Steps { steps, repeat } = &self.profile else { return None };
        // After a whole round without an arrival there will never be one: every round is alike.
        let mut idle = 0;
        while idle <= steps.len() {
            if self.step == steps.len() && *repeat {
                self.step = 0;
            }
            let step = steps.get(self.step)?;
            let end = self.origin + step.lasts;
            match due(self.origin, step.rate, self.counted).filter(|at| *at < end) {
                Some(at) => {
                    self.counted += 1;
                    return Some(at);
                }
                None => {
                    (self.origin, self.counted) = (end, 0);
                    self.step += 1;
                    idle += 1;
                }
            }
        }
        None
    }
}

/// Message number `n` at this rate from `origin` on; `None` for the rate zero.
fn due(origin: Time, rate: Rate, n: u64) -> Option<Time> {
    (!rate.is_zero()).then(|| origin + rate.due(n))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Span = Span::from_secs(1);

    fn rate(text: &str) -> Rate {
        text.parse().expect("a rate")
    }

    fn all(profile: Profile, start: Time, stop: Time, count: Option<u64>) -> Vec<u64> {
        let mut arrivals = Arrivals::new(profile, start, stop, count);
        let mut stream = Stream::fixed(7, "arrivals");
        std::iter::from_fn(|| arrivals.next(&mut stream)).map(Time::as_nanos).collect()
    }

    fn steps(steps: &[(u64, &str)], repeat: bool) -> Profile {
        let step = |&(secs, text): &(u64, &str)| Step {
            lasts: if secs == 0 { Span::MAX } else { Span::from_secs(secs) },
            rate: rate(text),
        };
        Profile::Steps { steps: steps.iter().map(step).collect(), repeat }
    }

    fn end(secs: u64) -> Time {
        Time::ZERO + Span::from_secs(secs)
    }

    #[test]
    fn a_third_of_a_second_does_not_drift() {
        let times = all(Profile::Constant(rate("3/s")), Time::ZERO, end(1000), None);
        assert_eq!(times.len(), 3000);
        assert_eq!(times[1..4], [333_333_333, 666_666_666, 1_000_000_000]);
        assert_eq!(times[2997], 999_000_000_000);
    }

    #[test]
    fn steps_change_the_rate_at_the_instant() {
        let profile = steps(&[(2, "2/s"), (1, "0/s"), (0, "4/s")], false);
        let millis: Vec<u64> =
            all(profile, Time::ZERO, end(4), None).iter().map(|at| at / 1_000_000).collect();
        assert_eq!(millis, [0, 500, 1000, 1500, 3000, 3250, 3500, 3750]);
    }

    #[test]
    fn steps_that_end_stop_or_begin_again() {
        let list = [(1, "2/s"), (1, "0/s")];
        assert_eq!(all(steps(&list, false), Time::ZERO, end(5), None).len(), 2);
        let again = all(steps(&list, true), Time::ZERO, end(5), None);
        let millis: Vec<u64> = again.iter().map(|at| at / 1_000_000).collect();
        assert_eq!(millis, [0, 500, 2000, 2500, 4000, 4500]);
    }

    #[test]
    fn steps_that_never_send_end() {
        assert!(all(steps(&[(1, "0/s"), (2, "0/s")], true), Time::ZERO, end(5), None).is_empty());
        assert!(all(steps(&[], true), Time::ZERO, end(5), None).is_empty());
    }

    #[test]
    fn bursts_come_at_once() {
        let profile = Profile::Burst { every: SECOND, size: 3 };
        let times = all(profile, end(1), end(3), None);
        assert_eq!(times.len(), 6);
        assert!(times[..3].iter().all(|at| *at == 1_000_000_000));
        assert!(times[3..].iter().all(|at| *at == 2_000_000_000));
        let none = Profile::Burst { every: SECOND, size: 0 };
        assert!(all(none, end(1), end(3), None).is_empty());
    }

    #[test]
    fn poisson_keeps_its_rate_above_a_million_a_second() {
        // 1.7 M/s is a gap of 588.2 ns: rounding each gap to a nanosecond would be seen.
        let count = all(Profile::Poisson(rate("1.7M/s")), Time::ZERO, end(1), None).len();
        // Three standard deviations are 0.23 %.
        assert!((1_696_000..1_704_000).contains(&count), "{count}");
    }

    #[test]
    fn poisson_gaps_vary_as_they_should() {
        let times = all(Profile::Poisson(rate("100/s")), Time::ZERO, end(1000), None);
        let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance =
            gaps.iter().map(|gap| (gap - mean) * (gap - mean)).sum::<f64>() / gaps.len() as f64;
        let squared_variation = variance / (mean * mean);
        assert!((0.95..1.05).contains(&squared_variation), "{squared_variation}");
    }

    #[test]
    fn the_clone_goes_on_alike() {
        let profile = Profile::Poisson(rate("100/s"));
        let mut arrivals = Arrivals::new(profile, Time::ZERO, end(10), None);
        let mut stream = Stream::fixed(7, "arrivals");
        for _ in 0..10 {
            arrivals.next(&mut stream);
        }
        let (mut other, mut other_stream) = (arrivals.clone(), stream.clone());
        for _ in 0..100 {
            assert_eq!(arrivals.next(&mut stream), other.next(&mut other_stream));
        }
    }

    fn profiles() -> impl Strategy<Value = Profile> {
        let rates = || (0_u64..100_000).prop_map(Rate::per_second);
        let step = (1_u64..3_000_000_000, rates())
            .prop_map(|(nanos, rate)| Step { lasts: Span::from_nanos(nanos), rate });
        prop_oneof![
            rates().prop_map(Profile::Constant),
            rates().prop_map(Profile::Poisson),
            (prop::collection::vec(step, 0..6), any::<bool>())
                .prop_map(|(steps, repeat)| Profile::Steps { steps, repeat }),
            (1_u64..2_000_000_000, 0_u64..50)
                .prop_map(|(every, size)| Profile::Burst { every: Span::from_nanos(every), size }),
        ]
    }

    proptest! {
        #[test]
        fn a_constant_rate_counts_exactly_in_any_window(
            per_second in 1_u64..100_000,
            from in 0_u64..500_000_000,
            length in 0_u64..200_000_000,
        ) {
            let to = from + length;
            let profile = Profile::Constant(Rate::per_second(per_second));
            let times = all(profile, Time::ZERO, Time::from_nanos(to), None);
            let seen = times.iter().filter(|at| **at >= from).count() as u128;
            // Message n is due at floor(n * 10^9 / rate), so it is due before t if
            // n < ceil(t * rate / 10^9).
            let before = |t: u64| (u128::from(t) * u128::from(per_second)).div_ceil(1_000_000_000);
            prop_assert_eq!(seen, before(to) - before(from));
        }

        #[test]
        fn time_never_goes_back(
            profile in profiles(),
            start in 0_u64..2_000_000_000,
            count in 0_u64..2_000,
        ) {
            let stop = end(3);
            let times = all(profile, Time::from_nanos(start), stop, Some(count));
            prop_assert!(times.len() as u64 <= count);
            prop_assert!(times.iter().all(|at| (start..stop.as_nanos()).contains(at)));
            prop_assert!(times.is_sorted());
        }

        #[test]
        fn each_step_counts_as_a_constant_rate_of_its_own(
            list in prop::collection::vec((1_u64..500_000_000, 0_u64..20_000), 1..6),
        ) {
            let step = |&(nanos, per_second): &(u64, u64)| Step {
                lasts: Span::from_nanos(nanos),
                rate: Rate::per_second(per_second),
            };
            let profile = Profile::Steps { steps: list.iter().map(step).collect(), repeat: false };
            let times = all(profile, Time::ZERO, end(10), None);
            let mut from = 0;
            for (nanos, per_second) in list {
                let to = from + nanos;
                let seen = times.iter().filter(|at| (from..to).contains(*at)).count() as u128;
                let expected = (u128::from(nanos) * u128::from(per_second)).div_ceil(1_000_000_000);
                prop_assert_eq!(seen, expected);
                from = to;
            }
        }
    }
}
