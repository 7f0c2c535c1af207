use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::*;

/// What the queue must do: a heap in which a sequence number breaks ties.
#[derive(Clone, Default)]
struct Model {
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    pushed: u64,
    last: u64,
}

impl Model {
    fn pop_if(&mut self, wanted: impl Fn(u64) -> bool) -> Option<(Time, u64)> {
        let Reverse((at, event)) = *self.heap.peek().filter(|Reverse((at, _))| wanted(*at))?;
        self.heap.pop();
        self.last = at;
        Some((Time::from_nanos(at), event))
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Push so long after the earliest time that is allowed.
    Push(u64),
    Pop(usize),
    /// Pop what is earlier than so long after the last pop; later pushes are at that time at
    /// the earliest, as the kernel's clock would have it.
    PopBefore(u64),
}

/// Delays of every magnitude, equal ones among them.
fn delay() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => 0..4_u64,
        3 => 0..200_u64,
        2 => 0..100_000_u64,
        2 => (0..20_u64).prop_map(|n| n * 4_096),
        1 => 0..1_u64 << 40,
        1 => Just(u64::MAX / 4),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => delay().prop_map(Step::Push),
        4 => (1..4_usize).prop_map(Step::Pop),
        1 => (10..60_usize).prop_map(Step::Pop),
        1 => delay().prop_map(Step::PopBefore),
    ];
    prop::collection::vec(step, 1..400)
}

/// Does a step to both and compares what comes out. `floor` is the kernel's clock.
fn step(queue: &mut EventQueue<u64>, model: &mut Model, floor: &mut u64, step: Step) {
    match step {
        Step::Push(delay) => {
            let at = floor.saturating_add(delay);
            queue.push(Time::from_nanos(at), model.pushed);
            model.heap.push(Reverse((at, model.pushed)));
            model.pushed += 1;
        }
        Step::Pop(count) => {
            for _ in 0..count {
                assert_eq!(queue.pop(), model.pop_if(|_| true));
                *floor = model.last.max(*floor);
            }
        }
        Step::PopBefore(delay) => {
            let end = floor.saturating_add(delay);
            loop {
                let expected = model.pop_if(|at| at < end);
                assert_eq!(queue.pop_before(Time::from_nanos(end)), expected);
                if expected.is_none() {
                    break;
                }
            }
            *floor = end;
        }
    }
    assert_eq!(queue.len(), model.heap.len());
    assert_eq!(queue.is_empty(), model.heap.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn order_is_that_of_a_heap_with_sequence_numbers(steps in steps()) {
        let (mut queue, mut model, mut floor) = (EventQueue::new(), Model::default(), 0);
        for next in steps {
            step(&mut queue, &mut model, &mut floor, next);
        }
        step(&mut queue, &mut model, &mut floor, Step::Pop(500));
    }

    #[test]
    fn a_clone_goes_on_alike(before in steps(), after in steps()) {
        let (mut queue, mut model, mut floor) = (EventQueue::new(), Model::default(), 0);
        for next in before {
            step(&mut queue, &mut model, &mut floor, next);
        }
        let (mut copy, mut copied_model, mut copied_floor) =
            (queue.clone(), model.clone(), floor);
        for next in after {
            step(&mut copy, &mut copied_model, &mut copied_floor, next);
        }
        // The original is untouched by what was done to the copy.
        step(&mut queue, &mut model, &mut floor, Step::Pop(500));
        step(&mut copy, &mut copied_model, &mut copied_floor, Step::Pop(500));
    }
}

#[test]
fn the_ends_of_time_are_times_like_others() {
    let mut queue = EventQueue::new();
    queue.push(Time::MAX, 1);
    queue.push(Time::ZERO, 2);
    queue.push(Time::MAX, 3);
    assert_eq!(queue.pop_before(Time::ZERO), None);
    assert_eq!(queue.pop(), Some((Time::ZERO, 2)));
    assert_eq!(queue.pop_before(Time::MAX), None);
    queue.push(Time::from_nanos(5), 4);
    assert_eq!(queue.pop(), Some((Time::from_nanos(5), 4)));
    assert_eq!(queue.pop(), Some((Time::MAX, 1)));
    queue.push(Time::MAX, 5);
    assert_eq!(queue.pop(), Some((Time::MAX, 3)));
    assert_eq!(queue.pop(), Some((Time::MAX, 5)));
    assert_eq!(queue.pop(), None);
}

#[test]
fn memory_follows_what_is_pending() {
    let mut queue = EventQueue::new();
    let mut now = 0;
    // A thousand events wander over many slots; each slot is at some time the fullest.
    for round in 0..200_u64 {
        for i in 0..1_000 {
            queue.push(Time::from_nanos(now + 1_000_000 * (1 + round % 7) + i), i);
        }
        while let Some((at, _)) = queue.pop() {
            now = at.as_nanos();
        }
    }
    let own = LEVELS * DIGITS * CHUNK;
    assert!(queue.places.len() <= own + 1_000 + 64 * CHUNK, "{}", queue.places.len() - own);
}

/// Events of one instant that each cause another do not pile up.
#[test]
fn an_endless_instant_takes_no_memory() {
    let mut queue = EventQueue::new();
    queue.push(Time::ZERO, 0_u64);
    queue.push(Time::ZERO, 1);
    for event in 2..100_000 {
        assert_eq!(queue.pop(), Some((Time::ZERO, event - 2)));
        queue.push(Time::ZERO, event);
    }
    assert!(queue.ready.capacity() <= 16, "{}", queue.ready.capacity());
}

#[test]
fn many_events_of_one_instant_keep_their_order() {
    let mut queue = EventQueue::new();
    for event in 0..10_000_u64 {
        queue.push(Time::from_nanos(77), event);
    }
    for event in 0..10_000 {
        assert_eq!(queue.pop(), Some((Time::from_nanos(77), event)));
        if event < 100 {
            queue.push(Time::from_nanos(77), 10_000 + event);
        }
    }
    for event in 10_000..10_100 {
        assert_eq!(queue.pop(), Some((Time::from_nanos(77), event)));
    }
    assert!(queue.is_empty());
}
