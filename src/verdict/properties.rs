//! What holds for every sequence of reports that machines could make.

use proptest::prelude::*;

use super::stories::*;
use super::{Ledger, Report};
use crate::observe::{FaultId, FaultPhase, MessageRange, NodeId, Observer, Outcome, Removal};

/// Messages of each producer.
const MESSAGES: u32 = 600;
const OUTCOMES: [Outcome; 7] = [
    Outcome::Acked,
    Outcome::Accepted,
    Outcome::Returned,
    Outcome::Rejected,
    Outcome::Nacked,
    Outcome::Unknown,
    Outcome::Unsent,
];
const REMOVALS: [Removal; 6] = [SETTLED, PAGE_CACHE, UNSYNCED, UNROUTABLE, DEAD, TTL];

/// A report about some messages; which it is, is drawn.
#[derive(Clone, Copy, Debug)]
struct Step {
    kind: u8,
    which: u8,
    node: u32,
    first: u32,
    count: u32,
    pause: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let count = prop_oneof![4 => 1u32..4, 1 => Just(256u32), 1 => 1u32..MESSAGES];
    let pause = prop_oneof![3 => Just(0u64), 3 => 1u64..40, 1 => 200u64..900];
    let step = (0u8..16, any::<u8>(), 0u32..2, 0..MESSAGES, count, pause);
    let step = step.prop_map(|(kind, which, node, first, count, pause)| {
        let count = count.min(MESSAGES - first);
        Step { kind, which, node, first, count, pause }
    });
    prop::collection::vec(step, 0..120)
}

/// Which copies there are, so that machines report only what can be: by node, then message.
#[derive(Clone)]
struct World {
    ledger: Ledger,
    now: u64,
    copies: [Vec<bool>; 2],
    /// Processed and settled so far: (stored, removed) reports.
    stored: u64,
    removed: u64,
}

impl World {
    fn new() -> World {
        let mut ledger = ledger();
        ledger.attempted(ms(1_500), ms(1_500), range(P1, 0, MESSAGES));
        ledger.attempted(ms(1_500), ms(1_500), range(P3, 0, 7));
        let copies = [vec![false; MESSAGES as usize], vec![false; MESSAGES as usize]];
        World { ledger, now: 1_500, copies, stored: 0, removed: 0 }
    }

    /// The parts of a range whose copy on `node` is there (or not), flipped.
    fn flip(&mut self, node: NodeId, messages: MessageRange, held: bool) -> Vec<MessageRange> {
        let copies = &mut self.copies[node.index()];
        let mut parts: Vec<MessageRange> = Vec::new();
        for sequence in messages.first..messages.first + messages.count {
            let copy = &mut copies[sequence as usize];
            if *copy != held {
                continue;
            }
            *copy = !held;
            match parts.last_mut() {
                Some(part) if part.first + part.count == sequence => part.count += 1,
                _ => parts.push(range(P1, sequence, 1)),
            }
        }
        parts
    }

    fn take(&mut self, step: Step) {
        self.now = (self.now + step.pause).min(9_900);
        let at = ms(self.now);
        let messages = range(P1, step.first, step.count);
        let node = NodeId(step.node);
        let removal = REMOVALS[step.which as usize % REMOVALS.len()];
        match step.kind {
            0 | 1 => self.ledger.sent(at, messages),
            2..=4 => {
                let outcome = OUTCOMES[step.which as usize % OUTCOMES.len()];
                self.ledger.outcome(at, messages, outcome);
            }
            5..=7 => {
                for part in self.flip(node, messages, false) {
                    if step.which.is_multiple_of(3) {
                        self.ledger.dead_lettered(at, node, ORDERS, AUDIT, part);
                    } else {
                        self.ledger.stored(at, node, ORDERS, part);
                    }
                    self.stored += u64::from(part.count);
                }
            }
            8..=10 => {
                for part in self.flip(node, messages, true) {
                    self.ledger.removed(at, node, ORDERS, part, removal);
                    self.removed += u64::from(part.count);
                }
            }
            11 => self.ledger.dropped(at, node, None, messages, removal),
            12 => self.ledger.delivered(at, C1, ORDERS, messages, step.which.is_multiple_of(2)),
            13 => {
                self.ledger.delivered(at, C1, ORDERS, messages, false);
                self.ledger.processed(at, C1, ORDERS, messages);
            }
            14 => self.ledger.wants(at, C1, ORDERS, step.which.is_multiple_of(2)),
            _ => self.ledger.fault(at, FaultId(0), FaultPhase::Begun, &[node]),
        }
    }

    fn report(&self, quiet: bool) -> Report {
        self.ledger.finish(facts(ms(12_000), quiet))
    }
}

fn check(report: &Report) -> Result<(), TestCaseError> {
    let summary = &report.summary;
    prop_assert_eq!(report.inconsistencies, 0);
    prop_assert_eq!(summary.lines, u64::from(MESSAGES) + 7);
    prop_assert_eq!(summary.matrix.lines(), summary.lines, "each line in one cell");
    let by_outcome = summary.acked
        + summary.accepted
        + summary.returned
        + summary.rejected
        + summary.unknown
        + summary.unsent;
    prop_assert_eq!(by_outcome, summary.lines);
    for (class, lines) in [
        ("acked_lost", summary.acked_lost),
        ("accepted_lost", summary.accepted_lost),
        ("unknown_lost", summary.unknown_lost),
        ("consumer_lost", summary.consumer_lost),
        ("read_lost", summary.read_lost),
    ] {
        let rows = report.losses.iter().filter(|loss| loss.class == class);
        prop_assert_eq!(rows.map(|loss| loss.count).sum::<u64>(), lines, "{}", class);
    }
    for loss in &report.losses {
        prop_assert!(loss.count <= u64::from(loss.last - loss.first) + 1);
        prop_assert!(loss.count >= 1 && loss.first <= loss.last);
    }
    let lost: u64 = report.timeline.buckets.iter().map(|bucket| bucket.lost).sum();
    let told = summary.success_lost + summary.unknown_lost;
    prop_assert!(lost >= told && lost <= told + summary.consumer_lost);
    if !report.quiet {
        prop_assert_eq!(lost, 0);
    }
    if let Some(seen) = summary.write_availability {
        let effective = summary.effective_write_availability.unwrap_or(2.0);
        prop_assert!((0.0..=1.0).contains(&seen), "{}", seen);
        prop_assert!(effective <= seen, "{} effective, {} seen", effective, seen);
    }
    if let Some(read) = summary.read_availability {
        prop_assert!((0.0..=1.0).contains(&read), "{}", read);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_line_ends_in_one_cell(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        let held: usize = world.copies.iter().flatten().filter(|held| **held).count();
        prop_assert_eq!(world.stored - world.removed, held as u64);
        check(&world.report(true))?;
        check(&world.report(false))?;
    }

    #[test]
    fn a_clone_that_goes_on_reports_the_same(steps in steps(), fork in 0usize..120) {
        let mut world = World::new();
        let mut forked = None;
        for (index, step) in steps.iter().enumerate() {
            if index == fork {
                // Asking half-way changes nothing either.
                let early = world.report(true);
                prop_assert!(early.summary.lines > 0);
                forked = Some(world.clone());
            }
            world.take(*step);
            if let Some(forked) = &mut forked {
                forked.take(*step);
            }
        }
        if let Some(forked) = forked {
            let (one, other) = (world.report(true), forked.report(true));
            prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
        }
    }

    /// Whether lines are reported one by one or in a range, and in which order they settle, makes
    /// no difference to what became of them.
    #[test]
    fn neither_batches_nor_the_order_of_settling_matter(
        order in Just((0..MESSAGES).collect::<Vec<u32>>()).prop_shuffle(),
        processed in 0..=MESSAGES,
    ) {
        let whole = range(P1, 0, MESSAGES);
        let mut start = World::new().ledger;
        start.sent(ms(1_501), whole);
        start.stored(ms(1_502), N1, ORDERS, whole);
        start.outcome(ms(1_503), whole, Outcome::Acked);
        let (mut batch, mut single) = (start.clone(), start);
        let settled = range(P1, 0, processed);
        if processed > 0 {
            batch.delivered(ms(1_600), C1, ORDERS, settled, false);
            batch.processed(ms(1_600), C1, ORDERS, settled);
            batch.removed(ms(1_600), N1, ORDERS, settled, SETTLED);
        }
        for sequence in order.iter().copied().filter(|n| *n < processed) {
            let line = range(P1, sequence, 1);
            single.delivered(ms(1_600), C1, ORDERS, line, false);
            single.processed(ms(1_600), C1, ORDERS, line);
            single.removed(ms(1_600), N1, ORDERS, line, SETTLED);
        }
        let (batch, single) = (quiet(&batch), quiet(&single));
        prop_assert_eq!(batch.summary.matrix, single.summary.matrix);
        prop_assert_eq!(batch.latency, single.latency);
        prop_assert_eq!(batch.windows, single.windows);
        prop_assert_eq!(batch.timeline, single.timeline);
    }
}
