//! The observer of a script: what it is told, as lines.

use mqsim::brokers::rabbitmq::words::WORDS;
use mqsim::engine::Time;
use mqsim::observe::{
    DestinationId, Event, EventId, FaultId, FaultPhase, MessageRange, NodeId, NodeState, Observer,
    Removal, RoleId,
};

use crate::golden::{Telling, became, clock};

/// Events from here on are a script client's words ([`super::client::say`]).
pub(crate) const CLIENT_WORDS: u32 = 1_000;

/// What an operator orders is told of as faults are, from here on.
pub(crate) const FIRST_ORDER: u32 = 1_000_000;

/// Something that happened; consecutive ones that differ in their message only become one line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fact {
    at: Time,
    /// What comes before the message's number, and after it.
    text: (String, String),
    message: Option<u32>,
}

/// Remembers everything.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    hosts: Vec<String>,
    brokers: u32,
    queues: Vec<String>,
    orders: Vec<String>,
    facts: Vec<Fact>,
}

impl Trace {
    pub(crate) fn new(
        hosts: Vec<String>,
        brokers: u32,
        queues: Vec<String>,
        orders: Vec<String>,
    ) -> Trace {
        Trace { hosts, brokers, queues, orders, facts: Vec::new() }
    }

    fn add(&mut self, at: Time, before: String, message: Option<u32>, after: String) {
        self.facts.push(Fact { at, text: (before, after), message });
    }

    fn host(&self, node: NodeId) -> &str {
        &self.hosts[node.index()]
    }

    /// The queue's name in brackets, where there are several.
    fn of(&self, destination: Option<DestinationId>) -> String {
        match destination {
            Some(destination) if self.queues.len() > 1 => {
                format!(" ({})", self.queues[destination.index()])
            }
            _ => String::new(),
        }
    }
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
        let mut lines = Vec::new();
        let mut rest = facts.as_slice();
        while let Some(first) = rest.first() {
            let follows = |(index, fact): &(usize, &Fact)| {
                let next = first.message.map(|message| message + *index as u32);
                (*index == 0 || next.is_some())
                    && fact.message == next
                    && (fact.at, &fact.text) == (first.at, &first.text)
            };
            let count = rest.iter().enumerate().take_while(follows).count();
            let numbers = match first.message {
                None => String::new(),
                Some(message) if count == 1 => message.to_string(),
                Some(message) => format!("{message}..{}", message + count as u32 - 1),
            };
            lines.push(format!(
                "{:>11}  {}{numbers}{}",
                clock(first.at),
                first.text.0,
                first.text.1
            ));
            rest = &rest[count..];
        }
        lines
    }
}

impl Observer for Trace {
    fn stored(&mut self, at: Time, node: NodeId, queue: DestinationId, messages: MessageRange) {
        let before = format!("{} stores ", self.host(node));
        self.add(at, before, Some(messages.first), self.of(Some(queue)));
    }

    fn dead_lettered(
        &mut self,
        at: Time,
        node: NodeId,
        queue: DestinationId,
        target: DestinationId,
        messages: MessageRange,
    ) {
        let before = format!("{} stores ", self.host(node));
        let (target, queue) = (&self.queues[target.index()], &self.queues[queue.index()]);
        let after = format!(" ({target}), sent to {queue}");
        self.add(at, before, Some(messages.first), after);
    }

    fn removed(
        &mut self,
        at: Time,
        node: NodeId,
        queue: DestinationId,
        messages: MessageRange,
        removal: Removal,
    ) {
        let before = format!("{} removes ", self.host(node));
        let after = format!("{}: {}", self.of(Some(queue)), why(removal));
        self.add(at, before, Some(messages.first), after);
    }

    fn dropped(
        &mut self,
        at: Time,
        node: NodeId,
        queue: Option<DestinationId>,
        messages: MessageRange,
        removal: Removal,
    ) {
        let before = format!("{} drops ", self.host(node));
        let after = format!("{}: {}", self.of(queue), why(removal));
        self.add(at, before, Some(messages.first), after);
    }

    fn role(&mut self, at: Time, node: NodeId, queue: DestinationId, role: Option<RoleId>) {
        let role = role.map_or("nothing", |role| WORDS.roles[role.index()].name);
        let before = format!("{} is {role}{}", self.host(node), self.of(Some(queue)));
        self.add(at, before, None, String::new());
    }

    fn node(&mut self, at: Time, node: NodeId, state: NodeState) {
        let state = match state {
            // Clients are there from the start; what matters is when they connect.
            NodeState::Booting | NodeState::Up if node.0 >= self.brokers => return,
            state => became(state),
        };
        let before = format!("{} {state}", self.host(node));
        self.add(at, before, None, String::new());
    }

    fn fault(&mut self, at: Time, fault: FaultId, phase: FaultPhase, _: &[NodeId]) {
        let order = fault.0.checked_sub(FIRST_ORDER).map(|index| &self.orders[index as usize]);
        let Some(order) = order else { return };
        let text = match phase {
            FaultPhase::Begun => format!("ordered: {order}"),
            FaultPhase::Ended => format!("done: {order}"),
            FaultPhase::Skipped => format!("skipped: {order}"),
            FaultPhase::Failed(why) => format!("failed: {order} ({why})"),
        };
        self.add(at, text, None, String::new());
    }

    fn event(&mut self, at: Time, event: Event) {
        let Event { word: EventId(word), node, destination, subject, count } = event;
        let host = self.host(node).to_owned();
        if let Some(index) = word.checked_sub(CLIENT_WORDS) {
            let (before, after) = super::client::WORDS[index as usize];
            let message = before.ends_with(' ').then_some(count as u32);
            let after = format!("{}{after}", self.of(destination));
            return self.add(at, format!("{host} {before}"), message, after);
        }
        let mut text = format!("{host}: {}", WORDS.events[word as usize].name);
        if let Some(subject) = subject {
            text = format!("{text} {}", self.host(subject));
        }
        if WORDS.events[word as usize].meaning.contains("COUNT") {
            text = format!("{text}, {count} messages");
        }
        text.push_str(&self.of(destination));
        self.add(at, text, None, String::new());
    }
}
