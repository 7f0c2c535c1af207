//! From `[[fault]]` sections to the schedule.

use crate::engine::{Span, Time};
use crate::observe::{DestinationId, FaultId, NodeId, NodeKind};
use crate::scenario::{Call, Diagnostics, Located, Place, Selector, Values};

use super::super::network::Topology;
use super::super::selector::{
    Argument, Pick, RoleQuery, SELECTORS, SelectorSpec, Target, names_of,
};
use super::{FaultKind, PlannedFault};

/// The names that selectors may use.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary<'a> {
    /// Hosts and zones. A producer or consumer is the host of its name and kind.
    pub topology: &'a Topology,
    /// Names of what the family's selectors speak of, in most families the destinations; the index is
    /// the id in [`RoleQuery::destination`].
    pub destinations: &'a [String],
    /// The family's selectors; the index is [`RoleQuery::selector`].
    pub roles: &'static [SelectorSpec],
    /// The kinds of faults that the family cannot simulate, each with the reason.
    pub refused: &'static [(&'static str, &'static str)],
}

/// All faults of a scenario, in the order of the file, whose load is over after `duration`: if that
/// is not said, a fault may come too late for it.
///
/// # Errors
/// Everything that is wrong with them; also that one could never begin, for its time or for its
/// target, where that is known before the run.
pub fn parse_all(
    faults: &[Values],
    duration: Option<Span>,
    words: &Vocabulary<'_>,
) -> Result<Vec<PlannedFault>, Diagnostics> {
    let mut wrong = Diagnostics::new();
    let mut planned = Vec::new();
    for (index, values) in faults.iter().enumerate() {
        if let Some(fault) = wrong.keep(parse(values, FaultId(index as u32), words)) {
            check_begins(values, &fault, duration, words, &mut wrong);
            planned.push(fault);
        }
    }
    wrong.into_result(planned)
}

/// A fault that could never begin is a slip: the run would look as if it had been borne.
fn check_begins(
    values: &Values,
    fault: &PlannedFault,
    duration: Option<Span>,
    words: &Vocabulary<'_>,
    wrong: &mut Diagnostics,
) {
    if let Some(duration) = duration.filter(|duration| fault.at >= Time::ZERO + *duration) {
        let at = fault.at.since(Time::ZERO);
        let message = format!(
            "this fault would never begin: at {at} the load (`duration` = {duration}) is over"
        );
        let help = format!("make `at` earlier than {duration}, or `duration` longer than {at}");
        wrong.push(values.span("at"), message, help);
    }
    let mut refuse = |target: &Target, selector: &Located<Selector>| {
        let Some(why) = nobody(&target.0, words.topology) else { return };
        let message = format!("this fault would never begin: `{}` is nobody", selector.value);
        wrong.push(selector.place, message, why);
    };
    if values.has("target") {
        refuse(&fault.target, values.selector("target"));
    } else if let Some(sides) = fault.kind.sides() {
        for (target, selector) in sides.iter().zip(values.selectors("between")) {
            refuse(target, selector);
        }
    }
}

/// Why a target means no host at all, if that is known before the run.
pub(in crate::world) fn nobody(picks: &[Pick], topology: &Topology) -> Option<String> {
    let alone = |pick: &Pick| match *pick {
        // A minority is drawn, but of a given size.
        Pick::Minority if topology.brokers().count() < 3 => {
            Some("a minority of fewer than three brokers is nobody: name a node".to_owned())
        }
        Pick::Zone(zone) => {
            let there = |node: NodeId| topology.hosts[node.index()].zone == zone;
            let anybody =
                topology.brokers().any(there) || topology.placed.iter().any(|node| there(*node));
            (!anybody).then(|| {
                let name = &topology.zones[zone as usize];
                format!("no broker is in zone `{name}`, and no section puts anybody there: write zone = \"{name}\" somewhere")
            })
        }
        _ => None,
    };
    let whys: Option<Vec<String>> = picks.iter().map(alone).collect();
    whys?.into_iter().next()
}

/// One fault.
///
/// # Errors
/// Keys that contradict each other, and selectors that mean nothing here.
pub fn parse(
    values: &Values,
    id: FaultId,
    words: &Vocabulary<'_>,
) -> Result<PlannedFault, Diagnostics> {
    let mut wrong = values.diagnostics();
    let at = Time::ZERO + values.duration("at");
    let lasts = values.get_duration("for");
    let kind = FaultKind::parse(values, Some(words), &mut wrong);
    let target = if values.has("target") {
        parse_target(values.selector("target"), words, &mut wrong)
    } else {
        Target::default()
    };
    if let Some(kind) = &kind {
        check_together(values, kind, &target, &mut wrong);
    }
    refuse_kind(values, words, &mut wrong);
    let aim = if values.has("target") {
        values.selector("target").value.to_string()
    } else {
        let sides = values.selectors("between");
        sides.iter().map(|side| side.value.to_string()).collect::<Vec<_>>().join(" | ")
    };
    let text = format!("{} {aim}", values.text("kind"));
    match kind {
        Some(kind) if wrong.is_empty() => {
            let (waits, after_recovery) = (None, false);
            Ok(PlannedFault { id, at, lasts, kind, target, text, waits, after_recovery })
        }
        _ => Err(wrong),
    }
}

/// What can be said only of several keys together.
fn check_together(values: &Values, kind: &FaultKind, target: &Target, wrong: &mut Diagnostics) {
    refuse_lasting(values, kind, &["for"], wrong);
    if !kind.is_of_links() {
        refuse_links(values.span("target"), &target.0, wrong);
    }
}

/// A kind of fault of which the family does not know what its brokers do.
pub(super) fn refuse_kind(values: &Values, words: &Vocabulary<'_>, wrong: &mut Diagnostics) {
    let kind = values.text("kind");
    if let Some((_, why)) = words.refused.iter().find(|(refused, _)| *refused == kind) {
        let message = format!("`{kind}` cannot be simulated in this mode");
        wrong.push(values.span("kind"), message, *why);
    }
}

/// What is over at once takes no time.
pub(super) fn refuse_lasting(
    values: &Values,
    kind: &FaultKind,
    keys: &[&str],
    wrong: &mut Diagnostics,
) {
    let Some(help) = kind.at_once() else { return };
    for key in keys.iter().filter(|key| values.is_set(key)) {
        let message = format!("`{key}` does not go with kind = \"{}\"", kind.name());
        wrong.push(values.span(key), message, help);
    }
}

pub(in crate::world) fn refuse_links<'p>(
    place: Place,
    picks: impl IntoIterator<Item = &'p Pick>,
    wrong: &mut Diagnostics,
) {
    if picks.into_iter().any(|pick| matches!(pick, Pick::Link(..))) {
        let message = "a link is no target for this kind of fault";
        let help = "name nodes; to cut a link write kind = \"partition\" with \
                    between = [\"n1\", \"n2\"]";
        wrong.push(place, message, help);
    }
}

pub(in crate::world) fn parse_target(
    selector: &Located<Selector>,
    words: &Vocabulary<'_>,
    wrong: &mut Diagnostics,
) -> Target {
    Target(parse_picks(selector, words, wrong).into_iter().map(|(pick, _)| pick).collect())
}

/// The parts of a target, each with its text.
pub(super) fn parse_picks(
    selector: &Located<Selector>,
    words: &Vocabulary<'_>,
    wrong: &mut Diagnostics,
) -> Vec<(Pick, String)> {
    let mut picks = Vec::new();
    for call in &selector.value.calls {
        match parse_call(call, words) {
            Ok(pick) => picks.push((pick, call.to_string())),
            Err((message, help)) => wrong.push(selector.place, message, help),
        }
    }
    picks
}

/// What is wrong, and what to do about it.
type Wrong = (String, String);

fn parse_call(call: &Call, words: &Vocabulary<'_>) -> Result<Pick, Wrong> {
    if call.arguments.is_empty()
        && let Some(node) = words.topology.find(&call.name)
    {
        return Ok(Pick::Node(node));
    }
    let known = SELECTORS.iter().chain(words.roles);
    let Some((index, spec)) = known.enumerate().find(|(_, spec)| spec.name == call.name) else {
        return Err(unknown(call, words));
    };
    if call.arguments.len() != spec.arguments.len() {
        return Err((
            format!("`{}` takes {}", spec.name, counted(spec.arguments.len())),
            format!("write {spec}"),
        ));
    }
    let mut found = Vec::new();
    for (kind, text) in spec.arguments.iter().zip(&call.arguments) {
        found.push(argument(*kind, text, words)?);
    }
    let first = found.first().copied().unwrap_or(0);
    Ok(match spec.name {
        "all" => Pick::All,
        "random" => Pick::Random,
        "minority" => Pick::Minority,
        "zone" => Pick::Zone(first),
        "link" if first == found[1] => {
            let help = "name two nodes: link(n1, n2)";
            return Err(("a link joins two nodes".to_owned(), help.to_owned()));
        }
        "link" => Pick::Link(NodeId(first), NodeId(found[1])),
        "producer" | "consumer" => Pick::Node(NodeId(first)),
        _ => Pick::Role(role(index - SELECTORS.len(), spec, &found)),
    })
}

fn role(selector: usize, spec: &SelectorSpec, found: &[u32]) -> RoleQuery {
    let given = |kind: Argument| {
        let at = spec.arguments.iter().position(|argument| *argument == kind);
        at.map(|at| found[at])
    };
    RoleQuery {
        selector: selector as u32,
        destination: DestinationId(given(Argument::Destination).unwrap_or(0)),
        nth: given(Argument::Number).unwrap_or(1),
    }
}

/// The number that an argument stands for: an id, an index, or the number itself.
fn argument(kind: Argument, text: &str, words: &Vocabulary<'_>) -> Result<u32, Wrong> {
    let hosts = |kind| names_of(words.topology, kind);
    let (what, plural, known): (_, _, Vec<&str>) = match kind {
        Argument::Number => {
            let number = text.parse::<u32>().ok().filter(|number| *number >= 1);
            let help = format!("write a whole number from 1 to {}, 1 for the first", u32::MAX);
            return number.ok_or_else(|| (format!("`{text}` is no number to count by"), help));
        }
        Argument::Destination => {
            let names = words.destinations.iter().map(String::as_str).collect();
            ("destination", "destinations", names)
        }
        Argument::Node => {
            let names = words.topology.hosts.iter().map(|host| host.name.as_str()).collect();
            ("node", "nodes", names)
        }
        Argument::Zone => {
            let names = words.topology.zones.iter().map(String::as_str).collect();
            ("zone", "zones", names)
        }
        Argument::Producer => ("producer", "producers", hosts(NodeKind::Producer)),
        Argument::Consumer => ("consumer", "consumers", hosts(NodeKind::Consumer)),
    };
    if !known.contains(&text) {
        let help = crate::scenario::suggest(text, &known, &format!("the {plural}"));
        return Err((format!("there is no {what} `{text}`"), help));
    }
    let place = match kind {
        Argument::Producer | Argument::Consumer => {
            words.topology.hosts.iter().position(|host| host.name == text)
        }
        _ => known.iter().position(|name| *name == text),
    };
    Ok(place.unwrap_or(0) as u32)
}

fn unknown(call: &Call, words: &Vocabulary<'_>) -> Wrong {
    let specs = || SELECTORS.iter().chain(words.roles);
    if !call.arguments.is_empty() {
        let known: Vec<&str> =
            specs().filter(|s| !s.arguments.is_empty()).map(|spec| spec.name).collect();
        let help = crate::scenario::suggest(&call.name, &known, "the selectors");
        return (format!("there is no selector `{}(..)`", call.name), help);
    }
    let hosts = words.topology.hosts.iter().map(|host| host.name.as_str());
    let known: Vec<&str> = hosts.chain(specs().map(|spec| spec.name)).collect();
    let help = crate::scenario::suggest(&call.name, &known, "the nodes and selectors");
    (format!("there is no node or selector `{}`", call.name), help)
}

fn counted(arguments: usize) -> String {
    match arguments {
        0 => "no argument".to_owned(),
        1 => "one argument".to_owned(),
        2 => "two arguments".to_owned(),
        n => format!("{n} arguments"),
    }
}
