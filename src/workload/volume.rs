//! How much a load may come to: what no machine could hold is refused before it starts.
//!
//! Two limits are written down here. A producer numbers its messages with 32 bits, so it has at
//! most [`MOST_MESSAGES`]. And all messages of a run together, if none of them were ever consumed,
//! must fit into the memory that the caller has for it: [`LINE`] is what the ledger needs for one,
//! and what a broker needs for a copy is measured of each family ([`Volume::copy`]). Consumed messages
//! take nothing, so a long run needs far less than is reckoned here. Messages that wait in a closed
//! loop for one another are not known beforehand: of a closed loop only what is in flight at once
//! counts.

use crate::engine::Span;
use crate::scenario::units::grouped;
use crate::scenario::{Diagnostics, Rate, Values};

use super::{Load, Pace, Profile, Step};

/// The most messages of one producer: their numbers have 32 bits.
pub const MOST_MESSAGES: u64 = u32::MAX as u64;

/// What the ledger needs for a line, in bytes.
const LINE: u64 = 16;

/// What one producer may come to.
#[derive(Clone, Copy, Debug)]
pub struct Volume<'a> {
    /// The producer's section.
    pub values: &'a Values,
    /// What it is asked to do.
    pub load: &'a Load,
    /// To how many destinations each of its messages goes.
    pub lines: u64,
    /// How many copies the brokers have of a message, all destinations together.
    pub copies: u64,
    /// Bytes that a broker needs for a copy, as measured: at the peak, when lists have just grown.
    pub copy: u64,
}

impl Volume<'_> {
    /// Bytes that its messages need if none is ever consumed.
    fn bytes(&self, duration: Span) -> u64 {
        let one = self.lines.max(1).saturating_mul(LINE) + self.copies.saturating_mul(self.copy);
        self.load.most_messages(duration).saturating_mul(one)
    }

    /// The key that decides how much it is.
    fn key(&self) -> &'static str {
        match self.load.pace {
            Pace::Open(_) => "rate",
            Pace::Closed { .. } => "closed-loop",
        }
    }
}

/// Refuses producers that would send more than can be numbered, or more than so many bytes of
/// memory can hold.
///
/// # Errors
/// One diagnostic, at the pace of the first producer that is too much, or of the greatest.
pub fn check_volume(
    volumes: &[Volume<'_>],
    duration: Span,
    memory: u64,
) -> Result<(), Diagnostics> {
    let messages = |volume: &&Volume<'_>| volume.load.most_messages(duration) > MOST_MESSAGES;
    let many = volumes.iter().filter(messages).count();
    if let Some(first) = volumes.iter().find(messages) {
        let others = match many - 1 {
            0 => String::new(),
            1 => ", and another producer too many as well".to_owned(),
            n => format!(", and {} other producers too many as well", grouped(n as u64)),
        };
        let message = format!(
            "`{}` would send {} messages{others}",
            first.load.name,
            about(first.load.most_messages(duration)),
        );
        let help = format!(
            "a producer sends at most {}: lower the rate, shorten `duration`, or write `count`",
            grouped(MOST_MESSAGES)
        );
        return Err(Diagnostics::at(first.values.span(first.key()), message, help));
    }
    let bytes = |volume: &Volume<'_>| volume.bytes(duration);
    let total = volumes.iter().map(bytes).fold(0, u64::saturating_add);
    match volumes.iter().max_by_key(|volume| bytes(volume)) {
        Some(greatest) if total > memory => {
            let sent = volumes.iter().map(|volume| volume.load.most_messages(duration));
            let most = match volumes.len() {
                1 => String::new(),
                _ => format!(", most of it for `{}`", greatest.load.name),
            };
            let message = format!(
                "{} messages could need {} of memory{most}",
                about(sent.fold(0, u64::saturating_add)),
                about_bytes(total),
            );
            let help = format!(
                "a run may need {} here (--max-memory): lower the rate, shorten `duration`, write \
                 `count`, have fewer producers, or run fewer at once (--jobs)",
                about_bytes(memory)
            );
            Err(Diagnostics::at(greatest.values.span(greatest.key()), message, help))
        }
        _ => Ok(()),
    }
}

/// A number of messages, which is nothing but "too many" where it does not fit 64 bits.
fn about(messages: u64) -> String {
    match messages {
        u64::MAX => "more than 10^19".to_owned(),
        messages => grouped(messages),
    }
}

/// Rounded down to the unit in which it has at most four digits; a greater one if it is whole there.
fn about_bytes(bytes: u64) -> String {
    let units = ["MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut number, mut unit) = (bytes >> 20, 0);
    let whole = |number: u64| number >= 1_024 && number.is_multiple_of(1_024);
    while (number >= 10_000 || whole(number)) && unit + 1 < units.len() {
        (number, unit) = (number >> 10, unit + 1);
    }
    format!("{} {}", grouped(number), units[unit])
}

impl Load {
    /// How many messages it means to send in a run whose producers stop after `duration`; of a
    /// random profile the mean, of a closed loop only what is in flight at once. [`u64::MAX`] if
    /// there are more.
    #[must_use]
    pub fn most_messages(&self, duration: Span) -> u64 {
        let window = self.stop.map_or(duration, |stop| stop.min(duration));
        let window = window.saturating_sub(self.start);
        let all = match &self.pace {
            Pace::Closed { in_flight, .. } => *in_flight,
            Pace::Open(profile) => profile.most_messages(window),
        };
        all.min(self.count.unwrap_or(u64::MAX))
    }
}

impl Profile {
    fn most_messages(&self, window: Span) -> u64 {
        match self {
            Profile::Constant(rate) | Profile::Poisson(rate) => rate.count_within(window),
            Profile::Burst { every, size } => {
                let bursts = window.as_nanos().div_ceil(every.as_nanos().max(1));
                bursts.saturating_mul(*size)
            }
            Profile::Steps { steps, repeat } => in_steps(steps, *repeat, window),
        }
    }
}

fn in_steps(steps: &[Step], repeat: bool, window: Span) -> u64 {
    let count = |step: &Step, window: Span| step.rate.count_within(step.lasts.min(window));
    let round = steps.iter().fold(0_u64, |sum, step| sum.saturating_add(step.lasts.as_nanos()));
    let whole = if repeat && round > 0 { window.as_nanos() / round } else { 0 };
    let in_round = steps.iter().fold(0_u64, |sum, step| sum.saturating_add(count(step, window)));
    let mut sum = if whole > 0 { in_round.saturating_mul(whole) } else { 0 };
    let mut left = window.saturating_sub(Span::from_nanos(whole.saturating_mul(round)));
    for step in steps {
        sum = sum.saturating_add(count(step, left));
        left = left.saturating_sub(step.lasts);
    }
    sum
}

impl Rate {
    /// How many evenly spaced events there are in a span that begins with one and does not include
    /// its end. [`u64::MAX`] if there are more.
    #[must_use]
    pub fn count_within(self, span: Span) -> u64 {
        if self.is_zero() {
            return 0;
        }
        // The least n that is due at the end or later: `due` does not descend.
        let (mut low, mut high) = (0, u64::MAX);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.due(middle) < span {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::super::Arrivals;
    use super::*;
    use crate::engine::{Stream, Time};

    fn rate(text: &str) -> Rate {
        text.parse().expect("a rate")
    }

    fn profiles() -> Vec<Profile> {
        let step = |millis: u64, text: &str| Step {
            lasts: if millis == 0 { Span::MAX } else { Span::from_millis(millis) },
            rate: rate(text),
        };
        vec![
            Profile::Constant(rate("3/s")),
            Profile::Constant(rate("0.1/s")),
            Profile::Constant(rate("1k/s")),
            Profile::Burst { every: Span::from_millis(300), size: 7 },
            Profile::Steps { steps: vec![step(700, "10/s"), step(0, "2/s")], repeat: false },
            Profile::Steps { steps: vec![step(250, "9/s"), step(150, "0/s")], repeat: false },
            Profile::Steps { steps: vec![step(250, "9/s"), step(150, "0/s")], repeat: true },
            Profile::Steps { steps: vec![], repeat: true },
        ]
    }

    #[test]
    fn what_is_reckoned_is_what_comes() {
        for profile in profiles() {
            for millis in [0, 1, 299, 300, 700, 1_000, 5_333] {
                let window = Span::from_millis(millis);
                let end = Time::ZERO + window;
                let mut arrivals = Arrivals::new(profile.clone(), Time::ZERO, end, None);
                let mut stream = Stream::fixed(1, "volume");
                let come = std::iter::from_fn(|| arrivals.next(&mut stream)).count() as u64;
                assert_eq!(profile.most_messages(window), come, "{profile:?} in {window}");
            }
        }
    }

    #[test]
    fn nothing_overflows() {
        let hours = Span::from_secs(1000 * 3600);
        assert_eq!(Rate::MOST.count_within(hours), 3_600_000_000_000_000);
        assert_eq!(Rate::MOST.count_within(Span::MAX), u64::MAX);
        let burst = Profile::Burst { every: Span::from_nanos(1), size: u64::MAX };
        assert_eq!(burst.most_messages(hours), u64::MAX);
        let step = Step { lasts: Span::MAX, rate: Rate::MOST };
        let steps = Profile::Steps { steps: vec![step, step], repeat: true };
        assert_eq!(steps.most_messages(hours), 3_600_000_000_000_000);
    }

    #[test]
    fn bytes_are_rounded_to_few_digits() {
        assert_eq!(about_bytes(700 << 20), "700 MiB");
        assert_eq!(about_bytes(70 << 30), "70 GiB");
        assert_eq!(about_bytes(9_999 << 30), "9,999 GiB");
        assert_eq!(about_bytes(20_000 << 30), "19 TiB");
        assert_eq!(about_bytes(u64::MAX), "15 EiB");
    }
}
