//! What an expectation is narrowed to: a producer, a destination, a node, a span of time.

use crate::engine::{Span, Time};
use crate::observe::{Catalog, DestinationId, NodeId, ProducerId};
use crate::scenario::{Diagnostics, Value, Values, suggest};

/// The keys that narrow an expectation.
pub(in crate::verdict) const NARROWING: [&str; 5] =
    ["producer", "destination", "node", "from", "to"];

/// What an expectation is narrowed to; everything if it names nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::verdict) struct Scope {
    /// Those of that name; a producer of a log has one for each partition. `None`: any.
    producers: Option<Vec<ProducerId>>,
    /// Those of that name; one that has parts is all of them. `None`: any.
    destinations: Option<Vec<DestinationId>>,
    node: Option<NodeId>,
    from: Option<Time>,
    to: Option<Time>,
    /// The names, in the order of the keys.
    words: Vec<String>,
}

impl Scope {
    /// Reads the narrowing keys of a section.
    pub(super) fn parse(section: &Values, catalog: &Catalog) -> Result<Scope, Diagnostics> {
        let mut words = Vec::new();
        let mut named = |key: &str, known: Vec<&str>, which: &str| {
            let Some(name) = section.get_text(key) else { return Ok(None) };
            let part = |one: &str| one.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
            let found = |one: &&str| **one == *name || (key == "destination" && part(one));
            let ids: Vec<u32> =
                (0..).zip(&known).filter(|(_, one)| found(one)).map(|(id, _)| id).collect();
            if ids.is_empty() {
                let message = format!("there is no {key} `{name}`");
                let help = suggest(name, &known, which);
                return Err(Diagnostics::at(section.span(key), message, help));
            }
            words.push(name.to_owned());
            Ok(Some(ids))
        };
        let producers = catalog.producers.iter().map(|info| info.name.as_str()).collect();
        let producers = named("producer", producers, "the producers")?;
        let destinations = catalog.destinations.iter().map(|info| info.name.as_str()).collect();
        let destinations = named("destination", destinations, "the destinations")?;
        let nodes = catalog.nodes.iter().map(|info| info.name.as_str()).collect();
        let node = named("node", nodes, "the nodes")?;
        let at = |key| match section.value(key) {
            Some(Value::Duration(span)) => Some(*span),
            _ => None,
        };
        let (from, to): (Option<Span>, Option<Span>) = (at("from"), at("to"));
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            let message = "nothing is from `from` on and before `to`: `to` is no later";
            return Err(Diagnostics::at(section.span("to"), message, "swap them"));
        }
        words.extend(from.map(|from| format!("from {from}")));
        words.extend(to.map(|to| format!("to {to}")));
        Ok(Scope {
            producers: producers.map(|ids| ids.into_iter().map(ProducerId).collect()),
            destinations: destinations.map(|ids| ids.into_iter().map(DestinationId).collect()),
            node: node.and_then(|ids| ids.first().copied().map(NodeId)),
            from: from.map(|span| Time::ZERO + span),
            to: to.map(|span| Time::ZERO + span),
            words,
        })
    }

    /// Whether it names nothing.
    pub(super) fn is_whole(&self) -> bool {
        self.words.is_empty()
    }

    /// The first of its keys that is not among `keys`.
    pub(super) fn beyond(&self, keys: &[&str]) -> Option<&'static str> {
        let has = |key: &str| match key {
            "producer" => self.producers.is_some(),
            "destination" => self.destinations.is_some(),
            "node" => self.node.is_some(),
            "from" => self.from.is_some(),
            _ => self.to.is_some(),
        };
        NARROWING.into_iter().find(|key| has(key) && !keys.contains(key))
    }

    /// As it is told: ` (p1, orders, from 10s)`; nothing if it names nothing.
    pub(super) fn text(&self) -> String {
        match self.words.as_slice() {
            [] => String::new(),
            words => format!(" ({})", words.join(", ")),
        }
    }

    pub(super) fn has_producer(&self, producer: ProducerId) -> bool {
        self.producers.as_ref().is_none_or(|ids| ids.contains(&producer))
    }

    pub(super) fn has_destination(&self, destination: Option<DestinationId>) -> bool {
        let among = |ids: &Vec<DestinationId>| destination.is_some_and(|id| ids.contains(&id));
        self.destinations.as_ref().is_none_or(among)
    }

    pub(super) fn has_node(&self, node: Option<NodeId>) -> bool {
        self.node.is_none() || self.node == node
    }

    pub(super) fn has_time(&self, at: Time) -> bool {
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
    }

    /// The part of an interval that is in its span of time; empty if none is.
    pub(super) fn clip(&self, (from, to): (Time, Time)) -> (Time, Time) {
        let from = from.max(self.from.unwrap_or(Time::ZERO));
        (from, to.min(self.to.unwrap_or(Time::MAX)).max(from))
    }
}
