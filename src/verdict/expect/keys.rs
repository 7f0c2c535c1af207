//! The keys of `[[expect]]`.

use crate::scenario::{KeySpec, Kind, Preset, SectionSpec};

const BOUND: Kind = Kind::Either(&[Kind::ANY_INTEGER, Kind::Text, Kind::Chance]);

/// `[[expect]]`.
pub const EXPECT: SectionSpec = SectionSpec::repeated(
    "expect",
    &[&[
        KeySpec::new(
            "metric",
            Kind::Text,
            Preset::Absent,
            "The metric that is bounded; `mqsim list metrics` names them. Of many seeds together \
             lossy_seeds, success_lost_per_million, quantiles (p99(write_longest_ms)) and means \
             (mean(write_availability)) are judged: by `mqsim check`, and with a confidence.",
        ),
        KeySpec::new(
            "cause",
            Kind::Text,
            Preset::Absent,
            "The cause whose lost lines are counted and bounded, instead of a metric.",
        ),
        KeySpec::new(
            "invariant",
            Kind::Text,
            Preset::Absent,
            "The invariant that must never break, instead of a metric; `mqsim list` with the mode \
             names them. `min`, `max` or `equals` bound how often it breaks, where that is what is \
             expected, also of one that the mode claims.",
        ),
        KeySpec::new(
            "event",
            Kind::Text,
            Preset::Absent,
            "The event that is counted and bounded, instead of a metric: an event of the mode \
             (`mqsim list` with the mode names them), a role that a node gets, a state that it comes \
             into (killed, stopped, paused), or action-given, action-done, action-failed of \
             `[[action]]`; `max = 0` demands that it never happens.",
        ),
        KeySpec::new(
            "never",
            Kind::Text,
            Preset::Absent,
            "The situation that no run may come into, instead of a metric: the opposite of \
             `sometimes`, judged of each run.",
        ),
        KeySpec::new("producer", Kind::Text, Preset::Absent, "Counts lines of that producer only."),
        KeySpec::new(
            "destination",
            Kind::Text,
            Preset::Absent,
            "Counts lines, windows and events of that destination only, as it is called in the scenario \
             or, if that has parts, as one of them (orders/0).",
        ),
        KeySpec::new(
            "node",
            Kind::Text,
            Preset::Absent,
            "Counts losses and events on that node only.",
        ),
        KeySpec::new(
            "from",
            Kind::ANY_DURATION,
            Preset::Absent,
            "Counts losses, events and windows from then on only; of a window the part that lies \
             there.",
        ),
        KeySpec::new("to", Kind::ANY_DURATION, Preset::Absent, "Counts what comes before only."),
        KeySpec::new(
            "sometimes",
            Kind::Text,
            Preset::Absent,
            "The situation that at least one seed of `mqsim check` must come into, instead of a \
             metric: if none does, the suite is too weak. `mqsim list` with the mode names them; \
             its events, roles, causes and conditions are situations too.",
        ),
        KeySpec::new(
            "min",
            BOUND,
            Preset::Absent,
            "The least value that holds, in the metric's unit. Times may be durations (\"300ms\"), \
             availabilities percentages (\"99.9%\"), throughputs rates (\"450/s\"); other decimals \
             are written as text (\"1.5\").",
        ),
        KeySpec::new("max", BOUND, Preset::Absent, "The greatest value that holds; see min."),
        KeySpec::new("equals", BOUND, Preset::Absent, "The only value that holds; see min."),
        KeySpec::new(
            "confidence",
            Kind::Chance,
            Preset::Absent,
            "How sure a verdict over many seeds must be, \"95%\" if not written: the probability \
             that it is wrong is at most the rest, at whatever seed it is reached. With too few \
             seeds there is none (exit code 3).",
        ),
        KeySpec::new(
            "assume-at-most",
            Kind::Either(&[Kind::ANY_INTEGER, Kind::Text]),
            Preset::Absent,
            "What one seed can lose at most, per million, for success_lost_per_million: nothing \
             that was measured can say so, but fewer seeds then suffice. A seed that loses more \
             breaks the expectation. 1000000 if not written.",
        ),
    ]],
    "Something that must hold at the end of a run: a metric, or the number of lines lost for a \
     cause, or of events, with `min`, `max` or `equals`, of all or of a producer, destination, node \
     or span of time; or an invariant; or what must never happen; or, of many seeds together, a share, a \
     quantile, a mean, or a situation. Invariants that the mode claims for this \
     version and configuration are always expected, and that the cluster comes to rest, unless \
     waiting_at_end is expected to be something.",
);
