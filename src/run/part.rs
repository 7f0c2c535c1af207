//! Where the histories of two runs part.
//!
//! Both are told to observers: what machines report about messages, roles, nodes, faults and events,
//! with their times to the nanosecond. What is the same up to some report and differs in it parts
//! there, exactly. Ids are compared by the names behind them, so that two scenarios may differ in
//! what stands in their catalogues.

use std::sync::Arc;

use crate::engine::{Time, hash_name, hash_words};
use crate::observe::{
    BecauseId, Catalog, ConsumerId, DestinationId, Event, FaultId, FaultPhase, MessageRange,
    NodeId, NodeState, Observer, Outcome, Removal, RoleId, Violation,
};
use crate::verdict::node_state_name;

use super::{Prepared, RunError, observe};

/// The first report in which two runs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    /// How many reports before it are the same.
    pub same: u64,
    /// Until when they were the same: the time of the earlier of the two.
    pub at: Time,
    /// What the first run reports next; `None` if it has ended.
    pub first: Option<String>,
    /// What the second run reports next.
    pub second: Option<String>,
}

/// Runs two scenarios, each with its seed, and finds where their histories part; `None` if they
/// never do.
///
/// # Errors
/// If a run does not end by itself.
pub fn part(
    first: &Prepared,
    second: &Prepared,
    seeds: [u64; 2],
) -> Result<Option<Parting>, RunError> {
    let told = |prepared: &Prepared, task| Teller::new(prepared.catalog().clone(), task);
    let (teller, _) = observe(first, seeds[0], told(first, Task::Keep(Vec::new())))?;
    let Task::Keep(kept) = teller.task else { unreachable!("a teller keeps its task") };
    let length = kept.len() as u64;
    let compare = Task::Compare { with: Arc::new(kept), differs: None };
    let (teller, _) = observe(second, seeds[1], told(second, compare))?;
    let count = teller.count;
    let Task::Compare { differs, .. } = teller.task else { unreachable!("it keeps its task") };
    let same = match &differs {
        Some((at, ..)) => *at,
        // The second ended first.
        None if count < length => count,
        None => return Ok(None),
    };
    let find = Task::Find { place: same, found: None };
    let (teller, _) = observe(first, seeds[0], told(first, find))?;
    let Task::Find { found, .. } = teller.task else { unreachable!("it keeps its task") };
    let second = differs.map(|(_, at, text)| (at, text));
    let times = [&found, &second].into_iter().flatten().map(|(at, _)| *at);
    Ok(Some(Parting {
        same,
        at: times.min().unwrap_or(Time::ZERO),
        first: found.map(|(_, text)| text),
        second: second.map(|(_, text)| text),
    }))
}

/// What is done with reports.
#[derive(Clone, Debug)]
enum Task {
    /// Keep a hash of each.
    Keep(Vec<u64>),
    /// Find the first that differs from those kept: its place, time and words.
    Compare { with: Arc<Vec<u64>>, differs: Option<(u64, Time, String)> },
    /// Put one into words.
    Find { place: u64, found: Option<(Time, String)> },
}

/// Is told what happens, and puts it into words where that is wanted.
#[derive(Clone, Debug)]
struct Teller {
    catalog: Arc<Catalog>,
    nodes: Vec<u64>,
    producers: Vec<u64>,
    consumers: Vec<u64>,
    destinations: Vec<u64>,
    faults: Vec<u64>,
    count: u64,
    task: Task,
}

impl Teller {
    fn new(catalog: Arc<Catalog>, task: Task) -> Teller {
        Teller {
            nodes: catalog.nodes.iter().map(|node| hash_name(&node.name)).collect(),
            producers: catalog.producers.iter().map(|one| hash_name(&one.name)).collect(),
            consumers: catalog.consumers.iter().map(|one| hash_name(&one.name)).collect(),
            destinations: catalog.destinations.iter().map(|one| hash_name(&one.name)).collect(),
            faults: catalog.faults.iter().map(|fault| hash_name(fault)).collect(),
            count: 0,
            catalog,
            task,
        }
    }

    /// One report: its time, a hash of what it says, and the words for it.
    fn told(&mut self, at: Time, words: &[u64], say: impl FnOnce(&Catalog) -> String) {
        let place = self.count;
        self.count += 1;
        let hash = || hash_words(&[at.as_nanos(), hash_words(words)]);
        match &mut self.task {
            Task::Keep(kept) => kept.push(hash()),
            Task::Compare { differs: Some(_), .. } => {}
            Task::Compare { with, differs } => {
                if with.get(place as usize) != Some(&hash()) {
                    *differs = Some((place, at, said(at, &say(&self.catalog))));
                }
            }
            Task::Find { place: wanted, found } => {
                if place == *wanted {
                    *found = Some((at, said(at, &say(&self.catalog))));
                }
            }
        }
    }

    fn node_hash(&self, node: NodeId) -> u64 {
        self.nodes[node.index()]
    }

    fn place(&self, destination: Option<DestinationId>) -> u64 {
        destination.map_or(0, |destination| self.destinations[destination.index()])
    }

    fn range(&self, messages: MessageRange) -> [u64; 3] {
        let MessageRange { producer, first, count, bytes } = messages;
        let which = u64::from(first) << 32 | u64::from(count);
        [self.producers[producer.index()], which, u64::from(bytes)]
    }
}

/// With its time, to the nanosecond.
fn said(at: Time, what: &str) -> String {
    let nanos = at.as_nanos();
    format!("{}.{:09} s: {what}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

fn messages(catalog: &Catalog, messages: MessageRange) -> String {
    let MessageRange { producer, first, count, .. } = messages;
    let name = catalog.producer(producer);
    match count {
        1 => format!("{name}'s message {first}"),
        _ => format!("{name}'s messages {first} to {}", first + (count - 1)),
    }
}

fn why(catalog: &Catalog, removal: Removal) -> String {
    let cause = catalog.causes[removal.cause.index()].name;
    match removal.because {
        BecauseId::NONE => cause.to_owned(),
        because => format!("{cause}, {}", catalog.conditions[because.index()]),
    }
}

fn why_hash(catalog: &Catalog, removal: Removal) -> u64 {
    hash_name(&why(catalog, removal))
}

const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Acked => "acked",
        Outcome::Accepted => "accepted",
        Outcome::Returned => "returned",
        Outcome::Rejected => "rejected",
        Outcome::Nacked => "nacked",
        Outcome::Unknown => "given up, outcome unknown",
        Outcome::Unsent => "never sent",
    }
}

impl Observer for Teller {
    fn attempted(&mut self, at: Time, intended: Time, range: MessageRange) {
        let [a, b, c] = self.range(range);
        self.told(at, &[1, a, b, c, intended.as_nanos()], |names| {
            format!("{} to be sent, {} bytes each", messages(names, range), range.bytes)
        });
    }

    fn sent(&mut self, at: Time, range: MessageRange) {
        let [a, b, c] = self.range(range);
        self.told(at, &[2, a, b, c], |names| format!("{} sent", messages(names, range)));
    }

    fn outcome(&mut self, at: Time, range: MessageRange, outcome: Outcome) {
        let [a, b, c] = self.range(range);
        self.told(at, &[3, a, b, c, outcome as u64], |names| {
            format!("{} {}", messages(names, range), outcome_word(outcome))
        });
    }

    fn stored(&mut self, at: Time, node: NodeId, destination: DestinationId, range: MessageRange) {
        let [a, b, c] = self.range(range);
        let (n, d) = (self.node_hash(node), self.place(Some(destination)));
        self.told(at, &[4, a, b, c, n, d], |names| {
            let (node, place) = (names.node(node), names.destination(destination));
            format!("{} stored on {node} in {place}", messages(names, range))
        });
    }

    fn readable(&mut self, at: Time, destination: DestinationId, range: MessageRange) {
        let [a, b, c] = self.range(range);
        let d = self.place(Some(destination));
        self.told(at, &[5, a, b, c, d], |names| {
            let place = names.destination(destination);
            format!("{} may be read from {place}", messages(names, range))
        });
    }

    fn dead_lettered(
        &mut self,
        at: Time,
        node: NodeId,
        destination: DestinationId,
        target: DestinationId,
        range: MessageRange,
    ) {
        let [a, b, c] = self.range(range);
        let (n, d) = (self.node_hash(node), self.place(Some(destination)));
        let to = self.place(Some(target));
        self.told(at, &[6, a, b, c, n, d, to], |names| {
            let (from, to) = (names.destination(destination), names.destination(target));
            let node = names.node(node);
            format!("{} dead-lettered from {from} to {to} on {node}", messages(names, range))
        });
    }

    fn removed(
        &mut self,
        at: Time,
        node: NodeId,
        destination: DestinationId,
        range: MessageRange,
        removal: Removal,
    ) {
        let [a, b, c] = self.range(range);
        let (n, d) = (self.node_hash(node), self.place(Some(destination)));
        let w = why_hash(&self.catalog, removal);
        self.told(at, &[7, a, b, c, n, d, w], |names| {
            let (node, place) = (names.node(node), names.destination(destination));
            let why = why(names, removal);
            format!("{} removed on {node} from {place}: {why}", messages(names, range))
        });
    }

    fn dropped(
        &mut self,
        at: Time,
        node: NodeId,
        destination: Option<DestinationId>,
        range: MessageRange,
        removal: Removal,
    ) {
        let [a, b, c] = self.range(range);
        let (n, d) = (self.node_hash(node), self.place(destination));
        let w = why_hash(&self.catalog, removal);
        self.told(at, &[8, a, b, c, n, d, w], |names| {
            let (node, why) = (names.node(node), why(names, removal));
            format!("{} not stored on {node}: {why}", messages(names, range))
        });
    }

    fn delivered(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        destination: DestinationId,
        range: MessageRange,
        redelivered: bool,
    ) {
        let [a, b, c] = self.range(range);
        let (who, d) = (self.consumers[consumer.index()], self.place(Some(destination)));
        self.told(at, &[9, a, b, c, who, d, u64::from(redelivered)], |names| {
            let who = &names.consumers[consumer.index()].name;
            let again = if redelivered { ", flagged as redelivered" } else { "" };
            format!("{} delivered to {who}{again}", messages(names, range))
        });
    }

    fn processed(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        destination: DestinationId,
        range: MessageRange,
    ) {
        let [a, b, c] = self.range(range);
        let (who, d) = (self.consumers[consumer.index()], self.place(Some(destination)));
        self.told(at, &[10, a, b, c, who, d], |names| {
            let who = &names.consumers[consumer.index()].name;
            format!("{} processed by {who}", messages(names, range))
        });
    }

    fn wants(&mut self, at: Time, consumer: ConsumerId, destination: DestinationId, wants: bool) {
        let (who, d) = (self.consumers[consumer.index()], self.place(Some(destination)));
        self.told(at, &[11, who, d, u64::from(wants)], |names| {
            let (who, place) =
                (&names.consumers[consumer.index()].name, names.destination(destination));
            let wants = if wants { "has room for" } else { "has no room for" };
            format!("{who} {wants} messages of {place}")
        });
    }

    fn skipped(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        destination: DestinationId,
        _node: NodeId,
        removal: Removal,
    ) {
        let (who, d) = (self.consumers[consumer.index()], self.place(Some(destination)));
        let w = why_hash(&self.catalog, removal);
        self.told(at, &[17, who, d, w], |names| {
            let (who, place) =
                (&names.consumers[consumer.index()].name, names.destination(destination));
            format!("{who} begins at the end of {place}: {}", why(names, removal))
        });
    }

    fn subscribes(&mut self, at: Time, consumer: ConsumerId, subscribes: bool) {
        let who = self.consumers[consumer.index()];
        self.told(at, &[18, who, u64::from(subscribes)], |names| {
            let what = if subscribes { "is there" } else { "is gone" };
            format!("{} {what}, as a member of its group", names.consumers[consumer.index()].name)
        });
    }

    fn holds(&mut self, at: Time, consumer: ConsumerId, destination: DestinationId, holds: bool) {
        let (who, d) = (self.consumers[consumer.index()], self.place(Some(destination)));
        self.told(at, &[19, who, d, u64::from(holds)], |names| {
            let (who, place) =
                (&names.consumers[consumer.index()].name, names.destination(destination));
            let what = if holds { "reads" } else { "gives up" };
            format!("{who} {what} {place}")
        });
    }

    fn abandoned(
        &mut self,
        at: Time,
        node: NodeId,
        destination: DestinationId,
        range: MessageRange,
        removal: Removal,
    ) {
        let [a, b, c] = self.range(range);
        let (n, d) = (self.node_hash(node), self.place(Some(destination)));
        let w = why_hash(&self.catalog, removal);
        self.told(at, &[20, a, b, c, n, d, w], |names| {
            let (node, place) = (names.node(node), names.destination(destination));
            let why = why(names, removal);
            format!("{} of {place} given up by {node}: {why}", messages(names, range))
        });
    }

    fn role(&mut self, at: Time, node: NodeId, destination: DestinationId, role: Option<RoleId>) {
        let (n, d) = (self.node_hash(node), self.place(Some(destination)));
        let word = role.map_or("none", |role| self.catalog.roles[role.index()].name);
        self.told(at, &[12, n, d, hash_name(word)], |names| {
            let (node, place) = (names.node(node), names.destination(destination));
            format!("{node} is now {word} of {place}")
        });
    }

    fn node(&mut self, at: Time, node: NodeId, state: NodeState) {
        let n = self.node_hash(node);
        let word = node_state_name(state);
        self.told(at, &[13, n, hash_name(word)], |names| {
            format!("{} is now {word}", names.node(node))
        });
    }

    fn fault(&mut self, at: Time, fault: FaultId, phase: FaultPhase, targets: &[NodeId]) {
        let mut words = vec![14, self.faults[fault.index()], phase.code()];
        words.extend(targets.iter().map(|&node| self.node_hash(node)));
        self.told(at, &words, |names| {
            let phase = match phase {
                FaultPhase::Begun => "begins",
                FaultPhase::Ended => "ends",
                FaultPhase::Skipped => "finds no target",
                FaultPhase::Failed(why) => why,
            };
            let targets: Vec<&str> = targets.iter().map(|&node| names.node(node)).collect();
            let on = if targets.is_empty() { "" } else { " on " };
            format!("the fault {} {phase}{on}{}", names.faults[fault.index()], targets.join(", "))
        });
    }

    fn event(&mut self, at: Time, event: Event) {
        let word = self.catalog.events[event.word.index()].name;
        let subject = event.subject.map_or(0, |node| self.node_hash(node));
        let (n, d) = (self.node_hash(event.node), self.place(event.destination));
        self.told(at, &[15, hash_name(word), n, d, subject, event.count], |names| {
            let place = event.destination.map(|id| format!(" for {}", names.destination(id)));
            let subject = event.subject.map(|id| format!(" about {}", names.node(id)));
            let (place, subject) = (place.unwrap_or_default(), subject.unwrap_or_default());
            format!("{word} on {}{place}{subject}", names.node(event.node))
        });
    }

    fn violated(&mut self, at: Time, violation: Violation) {
        let (n, d) = (self.node_hash(violation.node), self.place(violation.destination));
        let word = self.catalog.invariants[violation.invariant.index()].name;
        self.told(at, &[16, hash_name(word), n, d, hash_name(&violation.detail)], |names| {
            let node = names.node(violation.node);
            format!("{word} is broken on {node}: {}", violation.detail)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn prepared(sets: &[&str]) -> Prepared {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/mirror.toml");
        let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
        parse("mirror.toml", &std::fs::read(path).unwrap(), &sets).unwrap()
    }

    #[test]
    fn a_run_and_itself_never_part() {
        let (one, other) = (prepared(&["duration=8s"]), prepared(&["duration=8s"]));
        assert_eq!(part(&one, &other, [3; 2]).unwrap(), None);
    }

    #[test]
    fn the_first_thing_that_differs() {
        let one = prepared(&["duration=8s"]);
        let later = prepared(&["duration=8s", "fault.0.at=7s"]);
        let parting = part(&one, &later, [3; 2]).unwrap().unwrap();
        assert_eq!(parting.at.as_millis(), 6_000);
        let words = "6.000000000 s: the fault crash leader(orders) begins on n1";
        assert_eq!(parting.first.as_deref(), Some(words));
        assert!(parting.same > 10_000 && parting.second.is_some(), "{parting:?}");
        // The other way around it is the same place.
        let back = part(&later, &one, [3; 2]).unwrap().unwrap();
        assert_eq!((back.same, back.at, back.second), (parting.same, parting.at, parting.first));
    }

    #[test]
    fn one_run_may_end_first() {
        let (one, longer) = (prepared(&["duration=4s"]), prepared(&["duration=5s"]));
        let parting = part(&one, &longer, [1; 2]).unwrap().unwrap();
        assert!(parting.at.as_millis() >= 3_900, "{parting:?}");
    }
}
