//! The keys that the producers and consumers of every family have, and what they amount to.

use super::{Arrivals, MOST_BYTES, MOST_MESSAGES, Pacer, Profile, Sizes, Step};
use crate::engine::{Distribution, Span, Time};
use crate::scenario::{
    Diagnostics, KeySpec, Kind, Located, Preset, Rate, Tagged, Unit, Value, Values, Variant,
};

const ZONE: KeySpec = KeySpec::new(
    "zone",
    Kind::Name,
    Preset::Absent,
    "The zone of its host: as near to each broker as another broker there would be (`latency`, \
     `zone-latency`), and met by faults of that zone. If not written, it is `client-latency` from all.",
);

/// The keys of `[[producer]]` that every family has; families add their own group.
pub const PRODUCER_KEYS: &[KeySpec] = &[
    KeySpec::new("name", Kind::Name, Preset::Required, "What the producer is called."),
    ZONE,
    KeySpec::new("to", Kind::Name, Preset::Required, "What it sends to."),
    KeySpec::new(
        "connect",
        Kind::Names,
        Preset::Absent,
        "The nodes it connects to, in the order in which it tries them; all if not written.",
    ),
    KeySpec::new(
        "rate",
        Kind::Either(&[Kind::Rate, Kind::Tagged(&PROFILE)]),
        Preset::Absent,
        "How many messages it means to send, whether or not earlier ones are answered. Either \
         this or `closed-loop` must be written.",
    ),
    KeySpec::new(
        "closed-loop",
        Kind::Table(&CLOSED_LOOP_KEYS),
        Preset::Absent,
        "Sends the next message when the outcome of an earlier one is known.",
    ),
    KeySpec::new("start", Kind::ANY_DURATION, Preset::Is("0s"), "When it begins to send."),
    KeySpec::new(
        "stop",
        Kind::POSITIVE_DURATION,
        Preset::Absent,
        "When it stops sending; at the end of `duration` if not written.",
    ),
    KeySpec::new(
        "message-size",
        Kind::Distribution { unit: Unit::Size, min: 0, max: MOST_BYTES },
        Preset::Is("1KiB"),
        "The payload of a message.",
    ),
    KeySpec::new(
        "catch-up",
        Kind::Either(&[Kind::ANY_DURATION, Kind::Choice(&["unlimited"])]),
        Preset::Is("unlimited"),
        "How late a message may still be sent that could not be sent at its intended time; what \
         is later is skipped and counted as unsent.",
    ),
    KeySpec::new(
        "count",
        Kind::Integer { min: 1, max: MOST_MESSAGES },
        Preset::Absent,
        "It stops after this many messages; a closed loop at last after 4,294,967,295 if not \
         written.",
    ),
];

const CLOSED_LOOP_KEYS: [KeySpec; 2] = [
    KeySpec::new(
        "in-flight",
        Kind::Integer { min: 1, max: 1_000_000 },
        Preset::Required,
        "How many messages may be without an outcome at the same time.",
    ),
    KeySpec::new(
        "think",
        Kind::ANY_DURATION,
        Preset::Is("0s"),
        "The pause between an outcome and the next message in its place.",
    ),
];

const RATE: KeySpec = KeySpec::new("rate", Kind::Rate, Preset::Required, "Messages over time.");

const PROFILE: Tagged = Tagged {
    tag: "profile",
    meaning: "How the load goes over time.",
    variants: &[
        Variant { name: "constant", meaning: "Evenly spaced.", keys: &[RATE] },
        Variant {
            name: "poisson",
            meaning: "At random, independently of each other.",
            keys: &[RATE],
        },
        Variant {
            name: "steps",
            meaning: "One constant rate after another.",
            keys: &[
                KeySpec::new(
                    "steps",
                    Kind::Tables(&STEP_KEYS),
                    Preset::Required,
                    "The rates in the order of time, all with `at` or all with `for`.",
                ),
                KeySpec::new(
                    "repeat",
                    Kind::Flag,
                    Preset::Is("false"),
                    "Begin again after the last step; only with `for`.",
                ),
            ],
        },
        Variant {
            name: "burst",
            meaning: "Many messages at once, again and again.",
            keys: &[
                KeySpec::new(
                    "every",
                    Kind::POSITIVE_DURATION,
                    Preset::Required,
                    "From one burst to the next.",
                ),
                KeySpec::new(
                    "size",
                    Kind::Integer { min: 1, max: 100_000_000 },
                    Preset::Required,
                    "How many messages a burst has.",
                ),
            ],
        },
        Variant {
            name: "on-off",
            meaning: "A constant rate for a while, then nothing for a while, again and again.",
            keys: &[
                KeySpec::new("on", Kind::POSITIVE_DURATION, Preset::Required, "How long it sends."),
                KeySpec::new(
                    "off",
                    Kind::POSITIVE_DURATION,
                    Preset::Required,
                    "How long it does not.",
                ),
                RATE,
            ],
        },
    ],
};

const STEP_KEYS: [KeySpec; 3] = [
    KeySpec::new(
        "at",
        Kind::ANY_DURATION,
        Preset::Absent,
        "When in the run the step begins; it lasts until the next one.",
    ),
    KeySpec::new("for", Kind::POSITIVE_DURATION, Preset::Absent, "How long the step lasts."),
    RATE,
];

/// The keys of `[[consumer]]` that every family has; families add their own group.
pub const CONSUMER_KEYS: &[KeySpec] = &[
    KeySpec::new("name", Kind::Name, Preset::Required, "What the consumer is called."),
    ZONE,
    KeySpec::new("from", Kind::Name, Preset::Required, "What it receives from."),
    KeySpec::new(
        "connect",
        Kind::Names,
        Preset::Absent,
        "The nodes it connects to, in the order in which it tries them; all if not written.",
    ),
    KeySpec::new("start", Kind::ANY_DURATION, Preset::Is("0s"), "When it begins to receive."),
    KeySpec::new(
        "stop",
        Kind::POSITIVE_DURATION,
        Preset::Absent,
        "When it stops asking for more; what it has in hand it still finishes. Never if not \
         written.",
    ),
    KeySpec::new(
        "processing-time",
        Kind::DURATIONS,
        Preset::Is("0s"),
        "How long its application works on a message, one at a time.",
    ),
];

/// What one producer is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// What the producer is called.
    pub name: String,
    /// What it sends to.
    pub to: Located<String>,
    /// The nodes it connects to; empty for all.
    pub connect: Vec<Located<String>>,
    /// When it sends.
    pub pace: Pace,
    /// When it begins to send.
    pub start: Span,
    /// When it stops; `None` for the end of the run's `duration`.
    pub stop: Option<Span>,
    /// How large its messages are.
    pub sizes: Sizes,
    /// How late a message may still be sent; `None` for no limit.
    pub catch_up: Option<Span>,
    /// The greatest number of messages; `None` for no limit.
    pub count: Option<u64>,
}

/// When a producer sends.
#[derive(Clone, Debug, PartialEq)]
pub enum Pace {
    /// At intended times.
    Open(Profile),
    /// As outcomes come back.
    Closed {
        /// How many messages may be without an outcome.
        in_flight: u64,
        /// The pause between an outcome and the next message.
        think: Span,
    },
}

impl Load {
    /// Reads the values of a section that has [`PRODUCER_KEYS`].
    ///
    /// # Errors
    /// If keys contradict each other.
    pub fn from_values(values: &Values) -> Result<Load, Diagnostics> {
        let mut wrong = values.diagnostics();
        let start = values.duration("start");
        let stop = values.get_duration("stop");
        if let Some(stop) = stop
            && stop <= start
        {
            let message = format!("`stop` ({stop}) is not after `start` ({start})");
            wrong.push(values.span("stop"), message, "make `stop` the later one, or remove it");
        }
        let catch_up = match values.value("catch-up") {
            Some(Value::Duration(most)) => Some(*most),
            _ => None,
        };
        let pace = wrong.keep(pace(values, start));
        let load = pace.map(|pace| Load {
            name: values.text("name").to_owned(),
            to: Located { value: values.text("to").to_owned(), place: values.span("to") },
            connect: values.names("connect").to_vec(),
            pace,
            start,
            stop,
            sizes: Sizes::new(values.distribution("message-size")),
            catch_up,
            count: values.get_integer("count"),
        });
        match load {
            Some(load) => wrong.into_result(load),
            None => Err(wrong),
        }
    }

    /// The pace of this producer in a run whose producers stop after `duration`.
    #[must_use]
    pub fn pacer(&self, duration: Span) -> Pacer {
        let start = Time::ZERO + self.start;
        let stop = Time::ZERO + self.stop.map_or(duration, |stop| stop.min(duration));
        // Messages have 32-bit numbers. Open loops that would need more are refused.
        let count = Some(self.count.unwrap_or(MOST_MESSAGES));
        match &self.pace {
            Pace::Open(profile) => {
                let arrivals = Arrivals::new(profile.clone(), start, stop, count);
                Pacer::open(arrivals, self.catch_up)
            }
            Pace::Closed { in_flight, think } => {
                Pacer::closed(*in_flight, *think, start, stop, count)
            }
        }
    }
}

fn pace(values: &Values, start: Span) -> Result<Pace, Diagnostics> {
    let at = |key: &str, message: &str, help: &str| {
        Err(Diagnostics::at(values.span(key), message, help))
    };
    match (values.value("rate"), values.table("closed-loop")) {
        (None, None) => {
            let help = "add rate = \"500/s\", or closed-loop = { in-flight = 10 }";
            let message = format!("the producer `{}` has no pace", values.text("name"));
            Err(Diagnostics::at(values.place(), message, help))
        }
        (Some(_), Some(_)) => at(
            "closed-loop",
            "`rate` and `closed-loop` contradict each other",
            "keep `rate` to send at intended times, or `closed-loop` to wait for answers",
        ),
        (None, Some(closed)) => {
            if values.is_set("catch-up") {
                let message = "`catch-up` has no meaning in a closed loop";
                return at("catch-up", message, "remove it: nothing is late there");
            }
            Ok(Pace::Closed {
                in_flight: closed.integer("in-flight"),
                think: closed.duration("think"),
            })
        }
        (Some(Value::Rate(rate)), None) if rate.is_zero() => at(
            "rate",
            "a producer at rate 0 sends nothing",
            "raise the rate, or remove the producer",
        ),
        (Some(Value::Rate(rate)), None) => Ok(Pace::Open(Profile::Constant(*rate))),
        (Some(_), None) => {
            let table = values.table("rate").expect("a rate is a rate or a table");
            profile(table, start).map(Pace::Open)
        }
    }
}

fn profile(table: &Values, start: Span) -> Result<Profile, Diagnostics> {
    let rate = || {
        let rate = table.rate("rate");
        let help = "raise the rate, or remove the producer";
        match rate.is_zero() {
            true => Err(Diagnostics::at(table.span("rate"), "a rate of 0 sends nothing", help)),
            false => Ok(rate),
        }
    };
    Ok(match table.choice("profile") {
        "constant" => Profile::Constant(rate()?),
        "poisson" => Profile::Poisson(rate()?),
        "steps" => return steps(table, start),
        "burst" => Profile::Burst { every: table.duration("every"), size: table.integer("size") },
        _ => Profile::Steps {
            steps: vec![
                Step { lasts: table.duration("on"), rate: rate()? },
                Step { lasts: table.duration("off"), rate: Rate::ZERO },
            ],
            repeat: true,
        },
    })
}

fn steps(table: &Values, start: Span) -> Result<Profile, Diagnostics> {
    let list = table.tables("steps");
    let repeat = table.flag("repeat");
    let wrong = |place, message: String, help: &str| Err(Diagnostics::at(place, message, help));
    let both = "give every step `at`, or give every step `for`";
    let Some(first) = list.first() else {
        return wrong(table.span("steps"), "there are no steps".to_owned(), "write at least one");
    };
    let timed = first.has("at");
    for step in list {
        if step.has("at") == step.has("for") {
            let message = "a step has either `at` or `for`".to_owned();
            return wrong(step.place(), message, both);
        }
        if step.has("at") != timed {
            return wrong(step.place(), "`at` and `for` are mixed".to_owned(), both);
        }
    }
    if list.iter().all(|step| step.rate("rate").is_zero()) {
        let message = "every step has the rate 0, so nothing is sent".to_owned();
        return wrong(table.span("steps"), message, "raise a rate, or remove the producer");
    }
    if !timed {
        let step = |step: &Values| Step { lasts: step.duration("for"), rate: step.rate("rate") };
        return Ok(Profile::Steps { steps: list.iter().map(step).collect(), repeat });
    }
    if repeat {
        let message = "steps with `at` cannot repeat".to_owned();
        return wrong(table.span("repeat"), message, "write `for` instead of `at`");
    }
    let mut steps = Vec::with_capacity(list.len() + 1);
    let (mut from, mut rate) = (start, Rate::ZERO);
    for (index, step) in list.iter().enumerate() {
        let at = step.duration("at");
        if at < from || (index > 0 && at == from) {
            let message = match index {
                0 => format!("the step at {at} is before the `start` of the producer ({start})"),
                _ => format!("the step at {at} is not after the one at {from}"),
            };
            return wrong(step.span("at"), message, "put the steps into the order of time");
        }
        if at > from {
            steps.push(Step { lasts: at.saturating_sub(from), rate });
        }
        (from, rate) = (at, step.rate("rate"));
    }
    steps.push(Step { lasts: Span::MAX, rate });
    Ok(Profile::Steps { steps, repeat: false })
}

/// What one consumer is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerLoad {
    /// What the consumer is called.
    pub name: String,
    /// What it receives from.
    pub from: Located<String>,
    /// The nodes it connects to; empty for all.
    pub connect: Vec<Located<String>>,
    /// When it begins to receive.
    pub start: Span,
    /// When it stops asking for more; `None` for never.
    pub stop: Option<Span>,
    /// How long its application works on a message, in ns.
    pub processing: Distribution,
}

impl ConsumerLoad {
    /// Reads the values of a section that has [`CONSUMER_KEYS`], and tells what is wrong with them.
    pub fn from_values(values: &Values, wrong: &mut Diagnostics) -> ConsumerLoad {
        let (start, stop) = (values.duration("start"), values.get_duration("stop"));
        if stop.is_some_and(|stop| stop <= start) {
            let message = "the consumer would stop before it starts";
            wrong.push(values.span("stop"), message, "make `stop` later than `start`");
        }
        ConsumerLoad {
            name: values.text("name").to_owned(),
            from: Located { value: values.text("from").to_owned(), place: values.span("from") },
            connect: values.names("connect").to_vec(),
            start,
            stop,
            processing: values.distribution("processing-time"),
        }
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
