use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// (first, count, copies)
    Put(u32, u32, u16),
    Open(u32, u32, u64),
    Close(u32, u32),
    Bury(u32, u32, u64),
    DigUp(u32, u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Ranges that fall on chunks and blocks as well as across them.
    let first = prop_oneof![0u32..600, Just(0), Just(256), 16_000u32..17_000];
    let count = prop_oneof![1u32..4, Just(256), Just(512), Just(16_384)];
    let time = prop_oneof![0u64..1_000_000, 0u64..1 << 40];
    let step = (first, count, 0u16..3, time, 0..6).prop_map(
        |(first, count, copies, time, kind)| match kind {
            0 => Step::Open(first, count, time),
            1 => Step::Close(first, count),
            2 => Step::Bury(first, count, time),
            3 => Step::DigUp(first, count),
            _ => Step::Put(first, count, copies),
        },
    );
    prop::collection::vec(step, 0..25)
}

fn attempted(copies: u16) -> State {
    State { flags: Flags::ATTEMPTED, copies, ..State::default() }
}

#[derive(Default)]
struct Model {
    states: BTreeMap<u32, State>,
    intended: BTreeMap<u32, u64>,
    lost: BTreeMap<u32, u64>,
}

fn apply(step: &Step, track: &mut Track, model: &mut Model) {
    match *step {
        Step::Put(first, count, copies) => {
            track.visit(first, count, |line| {
                assert_eq!(
                    line.state(),
                    model.states.get(&line.sequence).copied().unwrap_or_default()
                );
                line.put(attempted(copies));
            });
            model.states.extend((first..first + count).map(|n| (n, attempted(copies))));
        }
        Step::Open(first, count, at) => {
            track.visit(first, count, |line| line.open_times(Time::from_nanos(at)));
            model.intended.extend((first..first + count).map(|n| (n, at)));
        }
        Step::Close(first, count) => {
            track.visit(first, count, |line| line.close_times());
            model.intended.retain(|n, _| !(first..first + count).contains(n));
        }
        Step::Bury(first, count, at) => {
            let at = Time::from_nanos(at);
            track.visit(first, count, |line| {
                line.name(at);
                line.bury(at);
            });
            model.lost.extend((first..first + count).map(|n| (n, at.as_nanos())));
        }
        Step::DigUp(first, count) => {
            track.visit(first, count, |line| line.dig_up());
            model.lost.retain(|n, _| !(first..first + count).contains(n));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_track_behaves_as_maps(steps in steps()) {
        let (mut track, mut model) = (Track::default(), Model::default());
        for step in &steps {
            apply(step, &mut track, &mut model);
        }
        let mut seen = 0;
        let mut next = 0;
        track.scan(|stretch| {
            assert!(stretch.first >= next, "in order, each line once");
            next = stretch.first + stretch.count;
            for sequence in stretch.first..next {
                assert_eq!(Some(&stretch.state), model.states.get(&sequence));
                let intended = stretch.times.map(|times| times.intended);
                assert_eq!(intended.is_some(), model.intended.contains_key(&sequence));
                assert_eq!(stretch.lost_at.is_some(), model.lost.contains_key(&sequence));
                seen += 1;
            }
        });
        prop_assert_eq!(seen, model.states.len());
    }
}

#[test]
fn times_are_exact_within_four_seconds_and_rounded_to_their_span_beyond() {
    let mut track = Track::default();
    let start = Time::from_nanos(1 << 50);
    let time = |n: u32, gap: u64| Time::from_nanos(start.as_nanos() + u64::from(n) * gap);
    for gap in [16_000_003u64, 1_000_000_007] {
        let first = if gap > 1 << 28 { 256 } else { 0 };
        track.visit(first, 256, |line| {
            let at = time(line.sequence - first, gap);
            line.open_times(at);
            line.mark(at + crate::engine::Span::from_nanos(12_345));
            line.put(attempted(0));
        });
        track.visit(first, 256, |line| {
            let times = line.times().expect("they are kept");
            let exact = time(line.sequence - first, gap).as_nanos();
            let off = exact - times.intended.as_nanos();
            let span = 256 * gap;
            assert!(off <= span >> 31, "off by {off} ns in {span}");
            assert!(gap > 1 << 28 || off == 0, "exact within 2^32 ns");
            let mark = times.mark.expect("it was marked").as_nanos();
            assert!((exact + 12_345).abs_diff(mark) <= span >> 31);
        });
    }
}

#[test]
fn times_before_the_first_move_the_base() {
    let mut track = Track::default();
    let times = [5_000_000_007, 1_000_000_001, 0, 70_000_000_000_u64];
    for (n, at) in (0..).zip(times) {
        track.visit(n, 1, |line| line.open_times(Time::from_nanos(at)));
    }
    for (n, at) in (0..).zip(times) {
        track.visit(n, 1, |line| {
            let kept = line.times().expect("it is kept").intended.as_nanos();
            assert!(kept.abs_diff(at) <= 70_000_000_000 >> 31, "{kept} for {at}");
        });
    }
}

#[test]
fn uniform_chunks_and_blocks_take_no_room_and_open_again() {
    let mut track = Track::default();
    let lines = (CHUNKS * POSITIONS) as u32;
    track.visit(0, lines, |line| line.put(attempted(1)));
    assert!(matches!(track.blocks[..], [Block::Uniform(state)] if state == attempted(1)));
    track.visit(300, 1, |line| line.put(attempted(1)));
    assert!(matches!(track.blocks[..], [Block::Uniform(_)]), "nothing changed");
    track.visit(300, 1, |line| line.put(attempted(2)));
    assert!(matches!(track.blocks[..], [Block::Open(_)]));
    track.visit(300, 1, |line| line.put(attempted(1)));
    assert!(matches!(track.blocks[..], [Block::Uniform(_)]));
}

#[test]
fn every_line_of_a_chunk_can_have_a_state_of_its_own() {
    let mut track = Track::default();
    for round in 0..3u16 {
        track.visit(0, 256, |line| {
            let reason = (line.sequence as u16) * 3 + round;
            line.put(State { reason, ..attempted(0) });
        });
    }
    track.scan(|stretch| {
        if stretch.first < 256 {
            assert_eq!(stretch.state.reason, stretch.first as u16 * 3 + 2);
        }
    });
}
