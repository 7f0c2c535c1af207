//! From `[[action]]` sections to the schedule.

use crate::engine::{Span, Time};
use crate::observe::FaultId;
use crate::scenario::{Diagnostics, KeySpec, Kind, Preset, SectionSpec, Tagged, Value, Values};

use super::super::fault::Vocabulary;
use super::super::fault::parse::{nobody, parse_target, refuse_links};
use super::super::selector::Target;
use super::PlannedAction;

const KEYS: &[KeySpec] = &[
    KeySpec::new("at", Kind::ANY_DURATION, Preset::Required, "When the command is given."),
    KeySpec::new(
        "on",
        Kind::Selector,
        Preset::Absent,
        "The node that the command is given to: a node or a selector such as `leader(orders)`; the \
         first broker that is up if not written.",
    ),
];

/// The section `[[action]]` of a family, whose kinds of actions these are.
#[must_use]
pub const fn section(kinds: &'static Tagged) -> SectionSpec {
    SectionSpec::repeated(
        "action",
        &[KEYS],
        "What an operator does at a given time. A command may fail; then it has changed nothing, and \
         events.csv says why.",
    )
    .tagged(kinds)
}

/// All actions of a scenario, in the order of the file, whose load is over after `duration`: if that
/// is not said, an action may come too late for it. What they do is the family's to read.
///
/// # Errors
/// Everything that is wrong with when and where they are done.
pub fn parse_all(
    actions: &[Values],
    duration: Option<Span>,
    words: &Vocabulary<'_>,
) -> Result<Vec<PlannedAction>, Diagnostics> {
    let mut wrong = Diagnostics::new();
    let mut planned = Vec::new();
    for values in actions {
        let at = Time::ZERO + values.duration("at");
        if let Some(duration) = duration.filter(|duration| at >= Time::ZERO + *duration) {
            let at = at.since(Time::ZERO);
            let message = format!(
                "this action would never be done: at {at} the load (`duration` = {duration}) is over"
            );
            let help = format!("make `at` earlier than {duration}, or `duration` longer than {at}");
            wrong.push(values.span("at"), message, help);
        }
        let on = place(values, words, &mut wrong);
        let text = text(values);
        planned.push(PlannedAction { id: FaultId(0), at, on, text });
    }
    wrong.into_result(planned)
}

fn place(values: &Values, words: &Vocabulary<'_>, wrong: &mut Diagnostics) -> Target {
    if !values.has("on") {
        return Target::default();
    }
    let selector = values.selector("on");
    let on = parse_target(selector, words, wrong);
    refuse_links(selector.place, &on.0, wrong);
    if let Some(why) = nobody(&on.0, words.topology) {
        let message = format!("this action would never be done: `{}` is nobody", selector.value);
        wrong.push(selector.place, message, why);
    }
    on
}

/// `sync_queue orders`: the kind, and what it is done to, which is the first of the kind's own keys.
fn text(values: &Values) -> String {
    let common = |key: &str| key == "kind" || KEYS.iter().any(|spec| spec.name == key);
    match values.iter().find(|(key, _)| !common(key)) {
        Some((_, Some(Value::Text(object)))) => format!("{} {object}", values.text("kind")),
        _ => values.text("kind").to_owned(),
    }
}
