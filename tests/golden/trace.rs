//! The observer of a script about a log: what it is told, as lines. What families say in their own way is in
//! their [`Manner`].

use mqsim::engine::Time;
use mqsim::observe::{
    Catalog, ConsumerId, DestinationId, Event, MessageRange, NodeId, NodeState, Observer, Outcome,
    Removal, RoleId,
};

use super::{Telling, became, clock};

/// Something that happened. What differs in the message only becomes one line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fact {
    at: Time,
    before: String,
    after: String,
    /// First message and how many.
    messages: Option<(u32, u32)>,
}

/// How a family's scripts say what is its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// The cause of what is on its way, and counts as lost until it is read: that says nothing here.
    pub(crate) on_its_way: &'static str,
    /// What a producer is told.
    pub(crate) outcome: fn(Outcome) -> &'static str,
    /// An event that is not in the catalogue: that of a client of the script's own.
    pub(crate) event: fn(&Event) -> Option<String>,
    /// Whether something at the very beginning is not worth a line: a role, or what becomes of a process.
    pub(crate) at_first: fn(&Catalog, Option<NodeId>) -> bool,
}

impl Manner {
    /// That of a family of which nothing more is to be said than what its producers are told.
    pub(crate) const fn plain(outcome: fn(Outcome) -> &'static str) -> Manner {
        Manner { on_its_way: "on-its-way", outcome, event: |_| None, at_first: |_, _| true }
    }
}

/// What a producer is told, in the words of the design; `nacked` is what the family calls it.
pub(crate) fn told(outcome: Outcome, nacked: &'static str) -> &'static str {
    match outcome {
        Outcome::Acked => "acked",
        Outcome::Nacked => nacked,
        Outcome::Accepted => "accepted",
        Outcome::Rejected => "rejected",
        Outcome::Unknown => "unknown",
        Outcome::Unsent => "unsent",
        Outcome::Returned => "returned",
    }
}

/// Remembers everything.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    manner: Manner,
    catalog: Catalog,
    facts: Vec<Fact>,
}

impl Trace {
    pub(crate) fn new(manner: Manner, catalog: Catalog) -> Trace {
        Trace { manner, catalog, facts: Vec::new() }
    }

    fn add(&mut self, at: Time, before: String, messages: Option<MessageRange>, after: String) {
        let messages = messages.map(|messages| (messages.first, messages.count));
        self.facts.push(Fact { at, before, after, messages });
    }

    fn host(&self, node: NodeId) -> &str {
        self.catalog.nodes.get(node.index()).map_or("probe", |node| &node.name)
    }

    /// `p1 to orders/1-0: `.
    fn stream(&self, messages: MessageRange) -> String {
        let info = &self.catalog.producers[messages.producer.index()];
        let to = self.catalog.destination(info.destinations[0]);
        format!("{} to {to} ", info.name)
    }

    fn why(&self, removal: Removal) -> String {
        let cause = self.catalog.causes[removal.cause.index()].name;
        match removal.because.index() {
            0 => cause.to_owned(),
            because => format!("{cause}, {}", self.catalog.conditions[because]),
        }
    }
}

impl Telling for Trace {
    fn len(&self) -> usize {
        self.facts.len()
    }

    fn lines(&self, from: usize) -> Vec<String> {
        let mut merged: Vec<Fact> = Vec::new();
        for fact in &self.facts[from..] {
            if let Some(last) = merged.last_mut()
                && (last.at, &last.before, &last.after) == (fact.at, &fact.before, &fact.after)
                && let (Some((first, count)), Some((next, more))) = (last.messages, fact.messages)
                && first + count == next
            {
                last.messages = Some((first, count + more));
                continue;
            }
            merged.push(fact.clone());
        }
        let line = |fact: &Fact| {
            let numbers = match fact.messages {
                None => String::new(),
                Some((first, 1)) => first.to_string(),
                Some((first, count)) => format!("{first}..{}", first + count - 1),
            };
            format!("{:>11}  {}{numbers}{}", clock(fact.at), fact.before, fact.after)
        };
        merged.iter().map(line).collect()
    }
}

impl Observer for Trace {
    fn outcome(&mut self, at: Time, messages: MessageRange, outcome: Outcome) {
        let word = (self.manner.outcome)(outcome);
        let stream = self.stream(messages);
        self.add(at, format!("{word}: {stream}"), Some(messages), String::new());
    }

    fn stored(&mut self, at: Time, node: NodeId, _: DestinationId, messages: MessageRange) {
        let before = format!("{} appends {}", self.host(node), self.stream(messages));
        self.add(at, before, Some(messages), String::new());
    }

    fn readable(&mut self, at: Time, _: DestinationId, messages: MessageRange) {
        let before = format!("readable: {}", self.stream(messages));
        self.add(at, before, Some(messages), String::new());
    }

    fn dead_lettered(
        &mut self,
        at: Time,
        node: NodeId,
        _: DestinationId,
        _: DestinationId,
        messages: MessageRange,
    ) {
        let before = format!("{} has a dead letter: {}", self.host(node), self.stream(messages));
        self.add(at, before, Some(messages), String::new());
    }

    fn removed(
        &mut self,
        at: Time,
        node: NodeId,
        _: DestinationId,
        messages: MessageRange,
        removal: Removal,
    ) {
        let before = format!("{} loses {}", self.host(node), self.stream(messages));
        self.add(at, before, Some(messages), format!(": {}", self.why(removal)));
    }

    fn dropped(
        &mut self,
        at: Time,
        _: NodeId,
        _: Option<DestinationId>,
        messages: MessageRange,
        removal: Removal,
    ) {
        if self.catalog.causes[removal.cause.index()].name != self.manner.on_its_way {
            let before = format!("dropped: {}", self.stream(messages));
            self.add(at, before, Some(messages), format!(": {}", self.why(removal)));
        }
    }

    fn delivered(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        _: DestinationId,
        messages: MessageRange,
        _: bool,
    ) {
        let name = self.catalog.consumer(consumer).to_owned();
        let before = format!("{name} gets {}", self.stream(messages));
        self.add(at, before, Some(messages), String::new());
    }

    fn role(&mut self, at: Time, node: NodeId, destination: DestinationId, role: Option<RoleId>) {
        if at == Time::ZERO && (self.manner.at_first)(&self.catalog, None) {
            return;
        }
        let role = role.map_or("nothing", |role| self.catalog.roles[role.index()].name);
        let of = self.catalog.destination(destination);
        let before = format!("{} is {role} of {of}", self.host(node));
        self.add(at, before, None, String::new());
    }

    fn node(&mut self, at: Time, node: NodeId, state: NodeState) {
        if at == Time::ZERO && (self.manner.at_first)(&self.catalog, Some(node)) {
            return;
        }
        let before = format!("{} {}", self.host(node), became(state));
        self.add(at, before, None, String::new());
    }

    fn event(&mut self, at: Time, event: Event) {
        let Event { word, node, subject, count, .. } = event;
        let host = self.host(node);
        if let Some(text) = (self.manner.event)(&event) {
            return self.add(at, format!("{host} {text}"), None, String::new());
        }
        let word = &self.catalog.events[word.index()];
        let mut text = format!("{host}: {}", word.name);
        if let Some(subject) = subject {
            text = format!("{text} {}", self.host(subject));
        }
        if word.meaning.contains("COUNT") {
            text = format!("{text}, {count}");
        }
        self.add(at, text, None, String::new());
    }
}
