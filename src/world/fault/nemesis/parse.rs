//! From `[nemesis]` to a [`Nemesis`].

use crate::engine::{Distribution, Span};
use crate::observe::{NodeId, NodeKind};
use crate::scenario::{Diagnostics, MOST_ITEMS, Scenario, Values, suggest};

use super::super::super::network::Topology;
use super::super::FaultKind;
use super::super::parse::{
    Vocabulary, nobody, parse_picks, refuse_kind, refuse_lasting, refuse_links,
};
use super::{Aims, Entry, Lasts, MOST_DRAWN, NEMESIS, NEMESIS_FAULT, Nemesis, Shape};

/// The random faults of a scenario, if it has any.
///
/// # Errors
/// Everything that is wrong with them.
pub fn parse(scenario: &Scenario, words: &Vocabulary<'_>) -> Result<Option<Nemesis>, Diagnostics> {
    let Some(values) = scenario.get(NEMESIS.path) else { return Ok(None) };
    let mut wrong = values.diagnostics();
    let duration = scenario.settings().duration;
    let from = values.duration("from");
    let until =
        values.get_duration("until").unwrap_or(Span::from_nanos(duration.as_nanos() / 4 * 3));
    let every = values.distribution("every");
    let at_most = values.integer("at-most") as usize;
    let in_sync = values.choice("when") == "in-sync";
    if until > duration {
        let help = "faults end with `duration` at the latest; make `until` shorter";
        let message = format!("`until` ({until}) is after the end of `duration` ({duration})");
        wrong.push(values.span("until"), message, help);
    } else if from >= until {
        let key = if values.is_set("from") { "from" } else { "until" };
        let message = format!("no time is left for faults from {from} until {until}");
        wrong.push(values.span(key), message, "make `from` earlier, or `until` later");
    } else {
        check_number(values, &every, from, until, &mut wrong);
    }
    if in_sync && at_most > 1 {
        let help = "remove at-most, or write when = \"any\"";
        let message =
            "while a fault is in force the cluster is not in sync: there is one at a time";
        wrong.push(values.span("at-most"), message, help);
    }
    let sections = scenario.many(NEMESIS_FAULT.path);
    if sections.is_empty() {
        let help =
            "add [[nemesis.fault]] with kind = \"crash\"; `mqsim list faults` names the kinds";
        wrong.push(values.place(), "there is no fault that could be drawn", help);
    }
    let mut entries = Vec::new();
    for section in sections {
        entries.extend(wrong.keep(entry(section, words)));
    }
    let swarm = values.flag("swarm");
    wrong.into_result(Some(Nemesis { from, until, every, at_most, swarm, in_sync, entries }))
}

/// A mean that would draw more faults than any run can show is a slip of the unit.
fn check_number(
    values: &Values,
    every: &Distribution,
    from: Span,
    until: Span,
    wrong: &mut Diagnostics,
) {
    let window = until.as_nanos() - from.as_nanos();
    let most = window.checked_div(every.mean()).unwrap_or(u64::MAX);
    if most > MOST_DRAWN as u64 {
        let message = format!("that would be more than {MOST_ITEMS} faults");
        let help = "write a longer time between faults, such as every = \"10s\"";
        wrong.push(values.span("every"), message, help);
    }
}

fn entry(values: &Values, words: &Vocabulary<'_>) -> Result<Entry, Diagnostics> {
    let mut wrong = values.diagnostics();
    let kind = FaultKind::parse(values, None, &mut wrong);
    let aims = match &kind {
        Some(kind) if kind.sides().is_some() => partition_aims(values, words, &mut wrong),
        _ => Aims::Targets(targets(values, words, &mut wrong)),
    };
    if let Some(kind) = &kind {
        check_together(values, kind, &aims, &mut wrong);
    }
    refuse_kind(values, words, &mut wrong);
    let lasts = lasts(values, kind.as_ref(), &mut wrong);
    let (weight, spread) = (values.integer("weight"), values.duration("spread"));
    let name = values.text("kind").to_owned();
    let after_recovery = values.choice("when") == "recovered";
    match kind {
        Some(kind) if wrong.is_empty() => {
            Ok(Entry { weight, lasts, spread, kind, name, aims, after_recovery })
        }
        _ => Err(wrong),
    }
}

/// The targets from which one is drawn: any broker if none are written.
fn targets(
    values: &Values,
    words: &Vocabulary<'_>,
    wrong: &mut Diagnostics,
) -> Vec<Vec<(super::Pick, String)>> {
    if !values.has("targets") {
        return vec![vec![(super::Pick::Random, "random".to_owned())]];
    }
    let parsed = values.selectors("targets").iter().map(|one| {
        let named = parse_picks(one, words, wrong);
        let picks: Vec<_> = named.iter().map(|(pick, _)| *pick).collect();
        if !picks.is_empty()
            && let Some(why) = nobody(&picks, words.topology)
        {
            let message = format!("this fault would never begin: `{}` is nobody", one.value);
            wrong.push(one.place, message, why);
        }
        named
    });
    parsed.collect()
}

fn partition_aims(values: &Values, words: &Vocabulary<'_>, wrong: &mut Diagnostics) -> Aims {
    if values.has("targets") {
        for key in ["shapes", "among"].into_iter().filter(|key| values.has(key)) {
            let message = format!("`targets` and `{key}` contradict each other");
            let help = "write targets = [\"leader(orders)\"] to cut these nodes from all others, or \
                        shapes = [\"halves\"]";
            wrong.push(values.span(key), message, help);
        }
        return Aims::Targets(targets(values, words, wrong));
    }
    let (hosts, one) = among(values, words.topology);
    if hosts.len() < 2 {
        let message = format!("a single {one} cannot be parted");
        let help = match one {
            "broker" => "write nodes = 3 in [cluster], or another kind of fault",
            _ => "name more in `among`: [\"brokers\", \"coordinators\", \"clients\"]",
        };
        wrong.push(values.place(), message, help);
    }
    let mut shapes = Vec::new();
    for name in values.names("shapes") {
        match Shape::named(&name.value) {
            Some(shape) if hosts.len() >= 2 && hosts.len() < shape.least() => {
                let message = format!("`{}` takes at least {} {one}s", name.value, shape.least());
                wrong.push(name.place, message, "write nodes = 3 in [cluster], or another shape");
            }
            Some(shape) => shapes.push(shape),
            // The kind of the key has refused it already.
            None => wrong.push(
                name.place,
                format!("there is no shape `{}`", name.value),
                suggest(&name.value, Shape::NAMES, "the shapes"),
            ),
        }
    }
    if !values.has("shapes") {
        shapes.push(Shape::Halves);
    }
    Aims::Shapes { shapes, hosts }
}

/// The hosts that a shape parts, and what to call one of them.
fn among(values: &Values, topology: &Topology) -> (Vec<NodeId>, &'static str) {
    if !values.has("among") {
        return (topology.brokers().collect(), "broker");
    }
    let named = |what: &str| values.names("among").iter().any(|name| name.value == what);
    let wanted = |kind| match kind {
        NodeKind::Broker => named("brokers"),
        NodeKind::Coordinator => named("coordinators"),
        NodeKind::Producer | NodeKind::Consumer | NodeKind::Auditor => named("clients"),
    };
    let hosts = (0..).map(NodeId).zip(&topology.hosts);
    (hosts.filter(|(_, host)| wanted(host.kind)).map(|(node, _)| node).collect(), "host")
}

/// What can be said only of several keys together.
fn check_together(values: &Values, kind: &FaultKind, aims: &Aims, wrong: &mut Diagnostics) {
    if let Aims::Targets(targets) = aims
        && !kind.is_of_links()
    {
        for (target, at) in targets.iter().zip(values.selectors("targets")) {
            refuse_links(at.place, target.iter().map(|(pick, _)| pick), wrong);
        }
    }
    let of_network = kind.is_of_links() || kind.sides().is_some();
    if of_network && values.is_set("spread") {
        let message = "`spread` goes with faults of nodes, not of the network";
        wrong.push(values.span("spread"), message, "remove it");
    }
}

fn lasts(values: &Values, kind: Option<&FaultKind>, wrong: &mut Diagnostics) -> Option<Lasts> {
    if let Some(kind) = kind
        && kind.at_once().is_some()
    {
        refuse_lasting(values, kind, &["for", "for-min", "for-max"], wrong);
        return None;
    }
    let min = values.get_duration("for-min").unwrap_or(Span::from_nanos(1));
    let max = values.get_duration("for-max").unwrap_or(Span::MAX);
    if min > max {
        let message = format!("`for-max` ({max}) is less than `for-min` ({min})");
        wrong.push(values.span("for-max"), message, "swap them");
    }
    Some(Lasts { drawn: values.distribution("for"), min, max: max.max(min) })
}
