//! Who keeps what is told about one message, and about what stands around it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::Time;
use crate::observe::{
    Catalog, CauseKind, ConsumerId, DestinationId, Event, FaultId, FaultPhase, MessageRange,
    NodeId, NodeKind, NodeState, Observer, Outcome, Removal, RoleId,
};
use crate::verdict::node_state_name;

use super::Subject;

/// A story has at most so many sentences about what stands around the message: the first ones and the last ones.
const AROUND: usize = 24;

/// One sentence.
#[derive(Clone, Debug)]
struct Fact {
    at: Time,
    text: String,
    about: About,
}

/// What a sentence is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// The message itself.
    Message,
    /// A fault, which is always told.
    Fault,
    /// What stands around the message.
    Around,
}

/// A moment at which things might have gone another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at: Time,
    /// What happened then.
    pub(super) text: String,
}

/// Observes a run, and remembers what concerns one message.
#[derive(Clone, Debug)]
pub(super) struct Biographer {
    catalog: Arc<Catalog>,
    subject: Subject,
    /// Where the message is meant for.
    to: Vec<DestinationId>,
    facts: Vec<Fact>,
    moments: Vec<Moment>,
    /// What was so when it was first sent.
    pub(super) before: Vec<String>,
    sent: bool,
    states: Vec<(NodeState, Time)>,
    /// What a node is, or was last, to a destination, and until when.
    roles: BTreeMap<(DestinationId, NodeId), (RoleId, Option<Time>)>,
    begun: BTreeMap<FaultId, Time>,
    in_force: BTreeMap<FaultId, Time>,
}

impl Biographer {
    pub(super) fn new(catalog: Arc<Catalog>, subject: Subject) -> Biographer {
        let to = catalog.producers[subject.producer.index()].destinations.clone();
        // Of who says nothing, all is well from the start.
        let states = vec![(NodeState::Up, Time::ZERO); catalog.nodes.len()];
        Biographer {
            catalog,
            subject,
            to,
            facts: Vec::new(),
            moments: Vec::new(),
            before: Vec::new(),
            sent: false,
            states,
            roles: BTreeMap::new(),
            begun: BTreeMap::new(),
            in_force: BTreeMap::new(),
        }
    }

    /// When each fault began.
    pub(super) const fn begun(&self) -> &BTreeMap<FaultId, Time> {
        &self.begun
    }

    /// The moments up to the end of the story, the latest first.
    pub(super) fn moments(&self) -> Vec<Moment> {
        let (_, last) = self.own_span();
        let mut moments: Vec<Moment> =
            self.moments.iter().filter(|moment| moment.at <= last).cloned().collect();
        moments.sort_by_key(|moment| moment.at);
        moments.reverse();
        // Of what happens at one instant the first is the reason of the others.
        moments.dedup_by(|later, earlier| {
            let same = later.at == earlier.at;
            if same {
                earlier.text.clone_from(&later.text);
            }
            same
        });
        moments
    }

    /// When the message was first and last spoken of.
    fn own_span(&self) -> (Time, Time) {
        let own =
            || self.facts.iter().filter(|fact| fact.about == About::Message).map(|fact| fact.at);
        (own().min().unwrap_or(Time::ZERO), own().max().unwrap_or(Time::ZERO))
    }

    /// The sentences, from the first to the last about the message, with what happened around it.
    pub(super) fn story(&self) -> Vec<(Time, String)> {
        let (first, last) = self.own_span();
        let within = self.facts.iter().filter(|fact| (first..=last).contains(&fact.at));
        let mut facts: Vec<&Fact> = within.collect();
        facts.sort_by_key(|fact| fact.at);
        let around = facts.iter().filter(|fact| fact.about == About::Around).count();
        let left_out = around.saturating_sub(AROUND);
        let (mut told, mut place) = (Vec::new(), 0);
        for fact in facts {
            if fact.about == About::Around {
                place += 1;
                let ahead = AROUND / 2;
                if left_out > 0 && (ahead + 1..=ahead + left_out).contains(&place) {
                    if place == ahead + 1 {
                        let text = format!("({left_out} more events around it are left out)");
                        told.push((fact.at, text));
                    }
                    continue;
                }
            }
            told.push((fact.at, fact.text.clone()));
        }
        told
    }

    fn is_own(&self, messages: MessageRange) -> bool {
        let Subject { producer, number } = self.subject;
        messages.producer == producer
            && (messages.first..messages.first + messages.count).contains(&number)
    }

    fn tell(&mut self, at: Time, about: About, text: String) {
        self.facts.push(Fact { at, text, about });
    }

    fn might_turn(&mut self, at: Time, text: &str) {
        self.moments.push(Moment { at, text: text.to_owned() });
    }

    fn producer(&self) -> &str {
        self.catalog.producer(self.subject.producer)
    }

    /// ` of orders`, if that is not plain anyway.
    fn of(&self, destination: DestinationId) -> String {
        if self.to.len() < 2 {
            return String::new();
        }
        format!(" of {}", self.catalog.destination(destination))
    }

    fn why(&self, removal: Removal) -> String {
        let cause = &self.catalog.causes[removal.cause.index()];
        match removal.because.index() {
            0 => format!("{}: {}", cause.name, cause.meaning),
            because => {
                let because = self.catalog.conditions[because];
                format!("{}, {because}: {}", cause.name, cause.meaning)
            }
        }
    }

    fn is_loss(&self, removal: Removal) -> bool {
        self.catalog.causes[removal.cause.index()].kind == CauseKind::Lost
    }

    /// What is so at the moment of the first send.
    fn look_around(&mut self) {
        let catalog = self.catalog.clone();
        let mut said = Vec::new();
        for ((destination, node), (role, until)) in &self.roles {
            if !self.to.contains(destination) {
                continue;
            }
            let (node, word) = (catalog.node(*node), catalog.roles[role.index()].name);
            let of = catalog.destination(*destination);
            said.push(match until {
                None => format!("{node} is {word} of {of}"),
                Some(until) => format!("{node} was {word} of {of} until {}", until),
            });
        }
        for (info, (state, since)) in catalog.nodes.iter().zip(&self.states) {
            let cluster = matches!(info.kind, NodeKind::Broker | NodeKind::Coordinator);
            if cluster && *state != NodeState::Up {
                let state = node_state_name(*state);
                said.push(format!("{} is {state} since {}", info.name, since));
            }
        }
        for (fault, since) in &self.in_force {
            let fault = &catalog.faults[fault.index()];
            said.push(format!("in force since {}: {fault}", since));
        }
        self.before = said;
    }
}

impl Observer for Biographer {
    fn attempted(&mut self, at: Time, _intended: Time, messages: MessageRange) {
        if self.is_own(messages) {
            let text = format!("the application of {} wants it sent", self.producer());
            self.tell(at, About::Message, text);
        }
    }

    fn sent(&mut self, at: Time, messages: MessageRange) {
        if !self.is_own(messages) {
            return;
        }
        let again = std::mem::replace(&mut self.sent, true);
        if !again {
            self.look_around();
        }
        let text = format!("{} sends it{}", self.producer(), if again { " again" } else { "" });
        self.tell(at, About::Message, text);
    }

    fn outcome(&mut self, at: Time, messages: MessageRange, outcome: Outcome) {
        if self.is_own(messages) {
            let producer = self.producer();
            let text = match outcome {
                Outcome::Acked => format!("{producer} is told that it is there (acked)"),
                Outcome::Accepted => {
                    format!("{producer} takes it for sent, and asks for no answer (accepted)")
                }
                Outcome::Returned => format!("{producer} gets it back as unroutable (returned)"),
                Outcome::Rejected => format!("{producer} is told that it is not stored (rejected)"),
                Outcome::Nacked => format!("{producer} gets a negative answer (nacked)"),
                Outcome::Unknown => format!("{producer} gives up waiting for an answer (unknown)"),
                Outcome::Unsent => format!("{producer} gives it up before it was sent (unsent)"),
            };
            self.tell(at, About::Message, text);
        }
    }

    fn remarked(&mut self, at: Time, messages: MessageRange) {
        if self.is_own(messages) {
            let text = "the answer says that it is stored less safely than asked for";
            self.tell(at, About::Message, text.to_owned());
        }
    }

    fn stored(
        &mut self,
        at: Time,
        node: NodeId,
        destination: DestinationId,
        messages: MessageRange,
    ) {
        if self.is_own(messages) {
            let (node, of) = (self.catalog.node(node), self.of(destination));
            let text = format!("{node} has a copy{of}");
            self.tell(at, About::Message, text);
        }
    }

    fn readable(&mut self, at: Time, destination: DestinationId, messages: MessageRange) {
        if self.is_own(messages) {
            let text = format!("consumers may read it{}", self.of(destination));
            self.tell(at, About::Message, text);
        }
    }

    fn dead_lettered(
        &mut self,
        at: Time,
        node: NodeId,
        _destination: DestinationId,
        target: DestinationId,
        messages: MessageRange,
    ) {
        if self.is_own(messages) {
            let (node, target) = (self.catalog.node(node), self.catalog.destination(target));
            let text = format!("{node} dead-letters it to {target}");
            self.tell(at, About::Message, text);
        }
    }

    fn removed(
        &mut self,
        at: Time,
        node: NodeId,
        destination: DestinationId,
        messages: MessageRange,
        removal: Removal,
    ) {
        if self.is_own(messages) {
            let (name, of) = (self.catalog.node(node), self.of(destination));
            let text = format!("{name} has its copy{of} no more: {}", self.why(removal));
            if self.is_loss(removal) {
                self.might_turn(at, &text);
            }
            self.tell(at, About::Message, text);
        }
    }

    fn dropped(
        &mut self,
        at: Time,
        node: NodeId,
        destination: Option<DestinationId>,
        messages: MessageRange,
        removal: Removal,
    ) {
        if self.is_own(messages) {
            let of = destination.map_or(String::new(), |destination| self.of(destination));
            let name = self.catalog.node(node);
            let text = format!("{name} makes no copy{of}: {}", self.why(removal));
            if self.is_loss(removal) {
                self.might_turn(at, &text);
            }
            self.tell(at, About::Message, text);
        }
    }

    fn delivered(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        destination: DestinationId,
        messages: MessageRange,
        redelivered: bool,
    ) {
        if self.is_own(messages) {
            let (consumer, of) = (self.catalog.consumer(consumer), self.of(destination));
            let again = if redelivered { ", marked as redelivered" } else { "" };
            let text = format!("{consumer} is handed it{of}{again}");
            self.tell(at, About::Message, text);
        }
    }

    fn processed(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        destination: DestinationId,
        messages: MessageRange,
    ) {
        if self.is_own(messages) {
            let (consumer, of) = (self.catalog.consumer(consumer), self.of(destination));
            let text = format!("{consumer} has processed it{of}");
            self.tell(at, About::Message, text);
        }
    }

    fn abandoned(
        &mut self,
        at: Time,
        node: NodeId,
        destination: DestinationId,
        messages: MessageRange,
        removal: Removal,
    ) {
        if self.is_own(messages) {
            let (name, of) = (self.catalog.node(node), self.of(destination));
            let text = format!("{name} will not finish it{of}: {}", self.why(removal));
            self.might_turn(at, &text);
            self.tell(at, About::Message, text);
        }
    }

    fn role(&mut self, at: Time, node: NodeId, destination: DestinationId, role: Option<RoleId>) {
        if !self.to.contains(&destination) {
            return;
        }
        let (name, of) = (self.catalog.node(node), self.catalog.destination(destination));
        let text = match role {
            Some(role) => {
                format!("{name} is {} of {of} now", self.catalog.roles[role.index()].name)
            }
            None => format!("{name} is nothing to {of} any more"),
        };
        match role {
            Some(role) => _ = self.roles.insert((destination, node), (role, None)),
            None => {
                if let Some((_, until)) = self.roles.get_mut(&(destination, node)) {
                    *until = Some(at);
                }
            }
        }
        self.might_turn(at, &text);
        self.tell(at, About::Around, text);
    }

    fn node(&mut self, at: Time, node: NodeId, state: NodeState) {
        self.states[node.index()] = (state, at);
        let info = &self.catalog.nodes[node.index()];
        if !matches!(info.kind, NodeKind::Auditor) {
            let text = format!("{} is {}", info.name, node_state_name(state));
            self.tell(at, About::Around, text);
        }
    }

    fn fault(&mut self, at: Time, fault: FaultId, phase: FaultPhase, _targets: &[NodeId]) {
        let what = self.catalog.faults[fault.index()].clone();
        let text = match phase {
            FaultPhase::Begun => format!("begins: {what}"),
            FaultPhase::Ended => format!("ends: {what}"),
            FaultPhase::Skipped => return,
            FaultPhase::Failed(why) => format!("fails ({why}): {what}"),
        };
        match phase {
            FaultPhase::Begun => {
                self.begun.insert(fault, at);
                self.in_force.insert(fault, at);
                self.might_turn(at, &text);
            }
            _ => _ = self.in_force.remove(&fault),
        }
        self.tell(at, About::Fault, text);
    }

    fn event(&mut self, at: Time, event: Event) {
        let concerns = match event.destination {
            Some(destination) => self.to.contains(&destination),
            None => self.catalog.nodes[event.node.index()].kind == NodeKind::Broker,
        };
        if concerns {
            let word = &self.catalog.events[event.word.index()];
            let subject = event.subject.map_or("another", |node| self.catalog.node(node));
            let node = self.catalog.node(event.node);
            let meaning = word.meaning.replace("SUBJECT", subject).replace("NODE", node);
            // Some words say in their meaning what is counted.
            let counts = meaning.contains("the count is");
            let count = if counts { format!(" {}", event.count) } else { String::new() };
            let meaning = meaning.replace("COUNT", &event.count.to_string());
            let text = format!("{node}: {}{count} ({meaning})", word.name);
            self.tell(at, About::Around, text);
        }
    }
}
