//! From a [`Nemesis`] and a seed to the schedule.

use crate::engine::{Span, Stream, Time};
use crate::observe::{FaultId, NodeId};

use super::super::super::network::Topology;
use super::super::super::selector::{Pick, Target, settled};
use super::super::{Direction, FaultKind, PlannedFault, Waiting};
use super::shape::Cut;
use super::{Aims, Entry, MOST_DRAWN, Nemesis};

/// At what one fault of an attack is aimed.
struct Aimed {
    kind: FaultKind,
    target: Vec<(Pick, String)>,
    /// Its text if it is not that of the target.
    text: Option<String>,
}

/// Faults are drawn in whole milliseconds, which people can read.
const GRAIN: u64 = 1_000_000;

impl Nemesis {
    /// The faults of a seed, by beginning. Their ids count from `first`.
    #[must_use]
    pub fn draw(&self, seed: u64, topology: &Topology, first: usize) -> Vec<PlannedFault> {
        let mut stream = Stream::fixed(seed, "nemesis");
        let mix = self.mix(&mut stream);
        let (mut faults, mut ends) = (Vec::new(), Vec::new());
        let mut base = Time::ZERO + self.from;
        for turn in 0.. {
            let Some(begin) = self.beginning(base, &ends, &mut stream) else { break };
            let entry = weighted(&mix, &mut stream);
            let attack = self.attack(entry, begin, topology, &mut stream);
            let Some(end) = attack.iter().filter_map(ending).max() else { break };
            if faults.len() + attack.len() > MOST_DRAWN {
                break;
            }
            ends.retain(|other| *other > begin);
            ends.push(end);
            base = if self.at_most == 1 { end } else { begin };
            for mut fault in attack {
                fault.id = FaultId((first + faults.len()) as u32);
                let until = Time::ZERO + self.until;
                fault.waits = self.in_sync.then_some(Waiting { turn, until });
                faults.push(fault);
            }
        }
        faults
    }

    /// The entries that take part for this seed.
    fn mix(&self, stream: &mut Stream) -> Vec<&Entry> {
        if !self.swarm {
            return self.entries.iter().collect();
        }
        let on: Vec<&Entry> = self.entries.iter().filter(|_| stream.below(2) == 0).collect();
        if on.is_empty() {
            return vec![&self.entries[stream.below(self.entries.len() as u64) as usize]];
        }
        on
    }

    /// When the next attack begins, if that is before `until`.
    fn beginning(&self, base: Time, ends: &[Time], stream: &mut Stream) -> Option<Time> {
        let mut begin = base + self.every.span(stream);
        let mut open: Vec<Time> = ends.iter().copied().filter(|end| *end > begin).collect();
        if open.len() >= self.at_most {
            open.sort_unstable();
            begin = open[open.len() - self.at_most];
        }
        let nanos = begin.as_nanos() / GRAIN * GRAIN;
        // One that waits is looked at anew every so often, and may begin at any of those instants:
        // odd nanoseconds keep it apart from whatever else happens at round times.
        let odd = if self.in_sync { stream.below(GRAIN) } else { 0 };
        let begin = Time::from_nanos((nanos + odd).max(self.from.as_nanos()));
        (begin < Time::ZERO + self.until).then_some(begin)
    }

    /// The faults of one attack; none if they could not end in time.
    fn attack(
        &self,
        entry: &Entry,
        begin: Time,
        topology: &Topology,
        stream: &mut Stream,
    ) -> Vec<PlannedFault> {
        let lasts = entry.lasts(stream);
        let aimed = entry.aim(topology, stream);
        let is_spread = entry.spread > Span::ZERO && aimed.len() > 1;
        let mut faults = Vec::new();
        for Aimed { kind, target, text } in aimed {
            let (at, lasts) = if is_spread {
                let offset = stream.between(0, entry.spread.as_nanos() / GRAIN) * GRAIN;
                (begin + Span::from_nanos(offset), entry.lasts(stream))
            } else {
                (begin, lasts)
            };
            let left = (Time::ZERO + self.until).since(at);
            let cut = lasts.map(|lasts| lasts.min(left));
            let too_short = entry.lasts.as_ref().is_some_and(|wanted| cut < Some(wanted.min));
            if too_short || left == Span::ZERO {
                return Vec::new();
            }
            let aim = || target.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(",");
            let text = format!("{} {}", entry.name, text.unwrap_or_else(aim));
            let target = Target(target.into_iter().map(|(pick, _)| pick).collect());
            let id = FaultId(0);
            let after_recovery = entry.after_recovery;
            faults.push(PlannedFault {
                id,
                at,
                lasts: cut,
                kind,
                target,
                text,
                waits: None,
                after_recovery,
            });
        }
        faults.sort_by_key(|fault| fault.at);
        faults
    }
}

/// When a fault has ended.
fn ending(fault: &PlannedFault) -> Option<Time> {
    Some(fault.at + fault.lasts.unwrap_or(Span::ZERO))
}

fn weighted<'e>(mix: &[&'e Entry], stream: &mut Stream) -> &'e Entry {
    let mut left = stream.below(mix.iter().map(|entry| entry.weight).sum());
    for entry in mix {
        if left < entry.weight {
            return entry;
        }
        left -= entry.weight;
    }
    unreachable!("what is drawn is less than the sum of the weights")
}

impl Entry {
    fn lasts(&self, stream: &mut Stream) -> Option<Span> {
        let lasts = self.lasts.as_ref()?;
        let drawn = lasts.drawn.sample(stream).div_ceil(GRAIN) * GRAIN;
        Some(Span::from_nanos(drawn).clamp(lasts.min, lasts.max))
    }

    /// Draws at what an attack is aimed: one fault, or several that belong together.
    fn aim(&self, topology: &Topology, stream: &mut Stream) -> Vec<Aimed> {
        match &self.aims {
            Aims::Shapes { shapes, hosts } => {
                let shape = shapes[stream.below(shapes.len() as u64) as usize];
                let cuts = shape.draw(hosts, stream);
                cuts.into_iter().map(|cut| self.cut(cut, topology)).collect()
            }
            Aims::Targets(targets) => {
                let target = &targets[stream.below(targets.len() as u64) as usize];
                let target = settle(target, topology, stream);
                let each = |part| Aimed { kind: self.kind.clone(), target: part, text: None };
                let nodes_only = target.iter().all(|(pick, _)| matches!(pick, Pick::Node(_)));
                if self.spread > Span::ZERO && nodes_only && !target.is_empty() {
                    return target.into_iter().map(|part| each(vec![part])).collect();
                }
                vec![each(target)]
            }
        }
    }

    /// The partition that a cut is.
    fn cut(&self, cut: Cut, topology: &Topology) -> Aimed {
        let FaultKind::Partition(partition) = &self.kind else {
            unreachable!("only partitions have shapes")
        };
        let mut partition = partition.clone();
        partition.between = cut.sides.iter().map(|side| Target::nodes(side)).collect();
        partition.direction = cut.direction.unwrap_or(partition.direction);
        let names = |side: &Vec<NodeId>| {
            let names = side.iter().map(|node| topology.hosts[node.index()].name.as_str());
            names.collect::<Vec<_>>().join(",")
        };
        let sign = if partition.direction == Direction::Forth { " > " } else { " | " };
        let text = cut.sides.iter().map(names).collect::<Vec<_>>().join(sign);
        Aimed { kind: FaultKind::Partition(partition), target: Vec::new(), text: Some(text) }
    }
}

/// What can be said of a target before the run: only a family's selectors are left.
fn settle(
    target: &[(Pick, String)],
    topology: &Topology,
    stream: &mut Stream,
) -> Vec<(Pick, String)> {
    let mut parts: Vec<(Pick, String)> = Vec::new();
    for (pick, text) in target {
        let Some(nodes) = settled(*pick, topology, stream) else {
            parts.push((*pick, text.clone()));
            continue;
        };
        for node in nodes {
            if !parts.iter().any(|(other, _)| *other == Pick::Node(node)) {
                parts.push((Pick::Node(node), topology.hosts[node.index()].name.clone()));
            }
        }
    }
    parts
}
