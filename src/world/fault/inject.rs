//! Begin and end of faults.

use crate::engine::{Ingredient, Span, Stream, Time, hash_words};
use crate::observe::{FaultPhase, NodeId, Observer};

use super::super::event::Event;
use super::super::machine::Cluster;
use super::super::selector::Pick;
use super::super::simulation::Simulation;
use super::{Begun, FaultKind, Met};

/// How often it is looked whether faults that wait can begin.
const LOOK: Span = Span::from_millis(100);

impl<C: Cluster, O: Observer> Simulation<C, O> {
    /// Schedules what begins at its own time, and the first turn of what waits.
    pub(crate) fn schedule_faults(&mut self) {
        self.waiting = self.faults.len();
        for (index, fault) in self.faults.iter().enumerate() {
            let event = Event::FaultBegin { index: index as u32 };
            if fault.waits.is_some() {
                self.waiting = index;
                break;
            }
            self.world.kernel.schedule(fault.at, event);
        }
        self.schedule_turn(Span::ZERO);
    }

    /// Schedules the next turn, put off by `late`.
    fn schedule_turn(&mut self, late: Span) {
        if let Some(first) = self.faults.get(self.waiting) {
            let event = Event::FaultTurn { index: self.waiting as u32 };
            self.world.kernel.schedule((first.at + late).max(self.now()), event);
        }
    }

    /// The turn that begins with this fault is due: it begins if the cluster is in sync, and is
    /// left out if it could no longer end in time.
    pub(crate) fn take_turn(&mut self, index: u32) {
        if self.phase != super::super::ending::Phase::Load {
            return;
        }
        let first = index as usize;
        let (at, waits) = (self.faults[first].at, self.faults[first].waits);
        let turn = self.faults[first..]
            .iter()
            .take_while(|f| f.waits.map(|waits| waits.turn) == waits.map(|waits| waits.turn));
        let late = self.now().since(at);
        let begins: Vec<Time> = turn.clone().map(|fault| fault.at + late).collect();
        let ends = turn.map(|fault| fault.at + late + fault.lasts.unwrap_or(Span::ZERO)).max();
        let behind = first + begins.len();
        if ends > waits.map(|waits| waits.until) {
            self.waiting = behind;
            (first..behind).for_each(|i| self.tell_fault(i as u32, FaultPhase::Skipped, &[]));
            return self.schedule_turn(late);
        }
        if !self.is_in_sync() {
            let next = self.now() + LOOK;
            return self.world.kernel.schedule(next, Event::FaultTurn { index });
        }
        self.waiting = behind;
        for (i, begin) in (first..behind).zip(begins) {
            self.world.kernel.schedule(begin, Event::FaultBegin { index: i as u32 });
        }
        self.schedule_turn(late);
    }

    /// A fault of the schedule is due.
    pub(crate) fn begin_fault(&mut self, index: u32) {
        if self.phase != super::super::ending::Phase::Load {
            return;
        }
        let fault = self.faults[index as usize].clone();
        let mut stream = Stream::fixed(self.seed, &format!("fault {index}"));
        let untouched = stream.digest();
        let nodes = self.resolve(&fault.target, &mut stream);
        let sides: Vec<Vec<NodeId>> = match fault.kind.sides() {
            None => Vec::new(),
            Some([]) => vec![nodes.clone()],
            Some(sides) => sides.iter().map(|side| self.resolve(side, &mut stream)).collect(),
        };
        let sides = self.whole_sides(sides);
        // Where nothing was left to be drawn, the fault's place in the list does not matter.
        if stream.digest() != untouched {
            self.fault_draws = hash_words(&[self.fault_draws, stream.digest()]);
        }
        let named = if sides.is_empty() { nodes } else { sides.concat() };
        if !fault.kind.concerns(&named, self) {
            return self.tell_fault(index, FaultPhase::Skipped, &named);
        }
        if named.is_empty() || sides.iter().any(Vec::is_empty) {
            return self.tell_fault(index, FaultPhase::Skipped, &[]);
        }
        if fault.after_recovery && !self.is_bearable(&fault.kind, &named) {
            return self.tell_fault(index, FaultPhase::Skipped, &named);
        }
        let told = if sides.is_empty() { vec![named.clone()] } else { sides.clone() };
        self.begun.push(Begun { index: index as usize, at: self.now(), sides: told });
        self.tell_fault(index, FaultPhase::Begun, &named);
        let links = fault.target.0.iter().filter_map(|pick| match pick {
            Pick::Link(a, b) => Some((*a, *b)),
            _ => None,
        });
        let links = links.collect();
        let mut met = Met { index, nodes: named, links, sides, pairs: Vec::new() };
        fault.kind.begin(&mut met, self);
        if fault.kind.at_once().is_some() {
            return self.tell_fault(index, FaultPhase::Ended, &met.nodes);
        }
        self.active.push(met);
        if let Some(lasts) = fault.lasts {
            let end = self.now() + lasts;
            self.world.kernel.schedule(end, Event::FaultEnd { index });
        }
    }

    /// Whether all brokers that another fault of this kind has met have recovered, but for those
    /// that this one meets.
    fn is_bearable(&self, kind: &FaultKind, meets: &[NodeId]) -> bool {
        let same = |begun: &&Begun| {
            let other = &self.faults[begun.index].kind;
            std::mem::discriminant(other) == std::mem::discriminant(kind)
        };
        let met = self.begun.iter().filter(same).flat_map(|begun| begun.sides.concat());
        let others: Vec<NodeId> = met.filter(|node| !meets.contains(node)).collect();
        self.have_recovered(&others)
    }

    /// The `for` of a fault is over.
    pub(crate) fn end_fault(&mut self, index: u32) {
        if let Some(place) = self.active.iter().position(|met| met.index == index) {
            let met = self.active.remove(place);
            self.take_back(&met);
        }
    }

    /// The run's duration is over: every fault in force ends, in the order in which they began.
    pub(crate) fn end_all_faults(&mut self) {
        for met in std::mem::take(&mut self.active) {
            self.take_back(&met);
        }
    }

    /// Faults that were to begin at the end of the run's duration or later never do.
    pub(crate) fn skip_late_faults(&mut self) {
        let end = self.now();
        for index in 0..self.faults.len() {
            let fault = &self.faults[index];
            let waits = fault.waits.is_some() && index >= self.waiting;
            if waits || (fault.waits.is_none() && fault.at >= end) {
                self.tell_fault(index as u32, FaultPhase::Skipped, &[]);
            }
        }
    }

    fn take_back(&mut self, met: &Met) {
        self.tell_fault(met.index, FaultPhase::Ended, &met.nodes);
        let kind = self.faults[met.index as usize].kind.clone();
        kind.end(met, self);
    }

    fn tell_fault(&mut self, index: u32, phase: FaultPhase, targets: &[NodeId]) {
        let now = self.now();
        let fingerprint = self.world.kernel.fingerprint_mut();
        let mut fold = |word| fingerprint.fold(Ingredient::Faults, word);
        fold(now.as_nanos());
        fold(u64::from(index) << 2 | phase.code());
        targets.iter().for_each(|node| fold(u64::from(node.0)));
        let id = self.faults[index as usize].id;
        self.observer.fault(now, id, phase, targets);
    }
}
