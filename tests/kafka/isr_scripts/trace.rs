//! The observer of a script: what it is told, as lines.

use mqsim::brokers::kafka::isr::words::WORDS;
use mqsim::engine::Time;
use mqsim::observe::{
    Catalog, DestinationId, Event, MessageRange, NodeId, NodeKind, NodeState, Observer, Outcome,
    Removal,
};

use crate::golden::{Telling, became, clock};

/// Something that happened; consecutive ones that differ in their messages only become one line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fact {
    at: Time,
    until: Time,
    /// What comes before the messages, and after them.
    text: (String, String),
    messages: Option<(u32, u32)>,
}

/// Remembers what happens, but for the copies of messages.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    catalog: Catalog,
    facts: Vec<Fact>,
}

impl Trace {
    pub(crate) fn new(catalog: Catalog) -> Trace {
        Trace { catalog, facts: Vec::new() }
    }

    fn add(&mut self, at: Time, before: String, messages: Option<MessageRange>, after: String) {
        let messages = messages.map(|range| (range.first, range.first + range.count));
        self.facts.push(Fact { at, until: at, text: (before, after), messages });
    }

    fn host(&self, node: NodeId) -> &str {
        &self.catalog.nodes[node.index()].name
    }

    fn producer(&self, messages: MessageRange) -> String {
        let stream = &self.catalog.producers[messages.producer.index()];
        format!("{}{}", stream.name, self.of(stream.destinations[0]))
    }

    /// The partition's name in brackets, where there are several.
    fn of(&self, destination: DestinationId) -> String {
        if self.catalog.destinations.len() < 2 {
            return String::new();
        }
        format!(" ({})", self.catalog.destinations[destination.index()].name)
    }
}

fn line(fact: &Fact) -> String {
    let numbers = match fact.messages {
        None => String::new(),
        Some((first, until)) if until == first + 1 => first.to_string(),
        Some((first, until)) => format!("{first}..{}", until - 1),
    };
    let until = if fact.until > fact.at {
        format!(" (until {})", clock(fact.until))
    } else {
        String::new()
    };
    format!("{:>11}  {}{numbers}{}{until}", clock(fact.at), fact.text.0, fact.text.1)
}

fn why(removal: Removal) -> String {
    let cause = WORDS.causes[removal.cause.index()].name;
    match removal.because.index() {
        0 => cause.to_owned(),
        because => format!("{cause}, {}", WORDS.conditions[because]),
    }
}

impl Telling for Trace {
    fn len(&self) -> usize {
        self.facts.len()
    }

    fn lines(&self, from: usize) -> Vec<String> {
        let mut facts = self.facts[from..].to_vec();
        facts.sort_by_key(|fact| fact.at);
        let mut told: Vec<Fact> = Vec::new();
        for fact in facts {
            if let Some(last) = told.iter_mut().rev().find(|last| last.text == fact.text)
                && let (Some((_, upto)), Some((first, until))) = (&mut last.messages, fact.messages)
                && *upto == first
            {
                *upto = until;
                last.until = fact.at;
            } else {
                told.push(fact);
            }
        }
        told.iter().map(line).collect()
    }
}

impl Observer for Trace {
    fn outcome(&mut self, at: Time, messages: MessageRange, outcome: Outcome) {
        let before = format!("{}: ", self.producer(messages));
        let after = format!(" {outcome:?}").to_lowercase();
        self.add(at, before, Some(messages), after);
    }

    fn removed(
        &mut self,
        at: Time,
        node: NodeId,
        destination: DestinationId,
        messages: MessageRange,
        removal: Removal,
    ) {
        let before = format!("{} removes ", self.host(node));
        let after = format!("{}: {}", self.of(destination), why(removal));
        self.add(at, before, Some(messages), after);
    }

    fn dropped(
        &mut self,
        at: Time,
        node: NodeId,
        destination: Option<DestinationId>,
        messages: MessageRange,
        removal: Removal,
    ) {
        let before = format!("{} drops ", self.host(node));
        let of = destination.map_or(String::new(), |destination| self.of(destination));
        self.add(at, before, Some(messages), format!("{of}: {}", why(removal)));
    }

    fn node(&mut self, at: Time, node: NodeId, state: NodeState) {
        if self.catalog.nodes[node.index()].kind != NodeKind::Broker {
            return;
        }
        let before = format!("{} {}", self.host(node), became(state));
        self.add(at, before, None, String::new());
    }

    fn event(&mut self, at: Time, event: Event) {
        let word = &WORDS.events[event.word.index()];
        let mut text = format!("{}: {}", self.host(event.node), word.name);
        if let Some(subject) = event.subject {
            text = format!("{text} {}", self.host(subject));
        }
        if word.meaning.contains("the count is") {
            text = format!("{text} {}", event.count);
        }
        let of = event.destination.map_or(String::new(), |destination| self.of(destination));
        self.add(at, text + &of, None, String::new());
    }
}
