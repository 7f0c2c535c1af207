//! What holds for every seed: the same script many times.

use super::story::Story;
use crate::golden::{Script, tell};

/// The lines that a script puts out for a seed.
fn told(text: &str) -> Vec<String> {
    let script = Script::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    tell::<Story>(&script).unwrap_or_else(|error| panic!("{error}\n{text}")).concat()
}

/// Milliseconds at which the first line that ends so was put out.
fn when(lines: &[String], end: &str) -> f64 {
    let line = lines.iter().find(|line| line.ends_with(end));
    let line = line.unwrap_or_else(|| panic!("no line ends with {end:?}: {lines:#?}"));
    let mut words = line.split_whitespace();
    let number: f64 = words.next().and_then(|word| word.parse().ok()).expect("a time comes first");
    if words.next() == Some("s") { number * 1_000.0 } else { number }
}

/// When n2 takes n1 for down that went silent at 100 s, in parts of `net_ticktime`, for many seeds.
fn detection(traffic: &str) -> Vec<f64> {
    let one = |seed: u32| {
        let script = format!(
            "cluster nodes=2 net-ticktime=8s seed={seed}\nqueue orders on=n1\nconnect p1 n2\n\
             skip 99.99s\n{traffic}\nskip 10ms\npower-loss n1\nrun 20s\n----\n"
        );
        (when(&told(&script), "n2: node-down n1") - 100_000.0) / 8_000.0
    };
    (1..=100).map(one).collect()
}

fn range(of: &[f64]) -> (f64, f64) {
    of.iter().fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(*x), high.max(*x)))
}

/// kernel(6), net_ticktime; measured on 3.10.8 under traffic: 1.07 to 1.2.
#[test]
fn a_silent_node_is_given_up_after_1_to_1_25_net_ticktimes_without_a_byte() {
    let (low, high) = range(&detection("publish p1 1 confirm"));
    assert!((0.99..1.03).contains(&low) && (1.22..=1.25).contains(&high), "{low} to {high}");
}

/// rabbitmq.com/docs/nettick: between 0.75 and 1.25 of it. Without traffic the last byte was a
/// tick.
#[test]
fn between_idle_nodes_it_takes_from_0_75_to_1_25_net_ticktimes() {
    let (low, high) = range(&detection("publish p1 1 to=nowhere confirm"));
    assert!((0.75..0.80).contains(&low) && (1.15..=1.25).contains(&high), "{low} to {high}");
}

/// What the nodes go through in one run of [`whatever_happens`].
fn trouble(seed: u64, rounds: u32, close: bool) -> String {
    let mut state = seed;
    let mut below = |n: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let sync = ["", "sync=automatic batch=7"][below(2) as usize];
    let ring = ["n1,n2,n3", "n1,n3,n2"][below(2) as usize];
    let mut text = format!(
        "cluster nodes=3 net-ticktime=4s seed={seed}\n\
         queue orders on=n1 mirrored ring={ring} {sync}\n\
         connect p1 n2\nconnect p2 n3\nconnect c1 n1\nconsume c1 orders prefetch=10\n\
         skip 20ms\n"
    );
    let mut number = 1;
    for _ in 0..rounds {
        for client in ["p1", "p2"] {
            let (last, kind) = (number + below(60), ["persistent", ""][below(2) as usize]);
            let every = below(20);
            text +=
                &format!("publish {client} {number}..{last} {kind} confirm every=0.{every:02}ms\n");
            number = last + 1;
        }
        // n1 may come and go, and one of the others with it; clients stay where they are.
        let node = ["n1", "n1", "n2", "n3"][below(4) as usize];
        let (how, undo) =
            [("kill", "boot"), ("stop", "boot"), ("power-loss", "boot"), ("pause", "resume")]
                [below(4) as usize];
        // Pauses are noticed by all or by nobody: what one takes for a death and the other does not
        // has scripts of its own.
        let down = match how {
            "pause" if close => below(9_000),
            "pause" => [below(2_900), 5_500 + below(3_000)][below(2) as usize],
            _ => below(8_000),
        };
        let (before, after) = (below(30), [500, 3_000, 9_000][below(3) as usize]);
        text += &format!(
            "skip {before}ms\n{how} {node}\nskip {down}ms\n{undo} {node}\nskip {after}ms\n"
        );
        for (client, on) in [("p1", "n2"), ("p2", "n3"), ("c1", "n1")] {
            text += &format!("connect {client} {on}\n");
        }
        text += "consume c1 orders prefetch=10\nskip 10ms\n";
    }
    text + "skip 90s\npending p1\npending p2\nagree\n----\n"
}

/// Nodes are killed, stopped, frozen and lose power in turn. At the end every member that runs with
/// the leader and is synchronised holds what the leader holds, in its order, nothing is held twice,
/// and every publish on a connection that still stands is answered.
#[test]
fn whatever_happens_replicas_agree_and_publishes_are_answered() {
    for (rounds, seed) in
        [1, 2, 3, 6].into_iter().flat_map(|rounds| (0..200).map(move |s| (rounds, s)))
    {
        let text = trouble(seed, rounds, false);
        let told = told(&text);
        let end = ["none without answer", "none without answer", "all agree"];
        assert_eq!(told[told.len() - 3..], end, "{text}");
    }
}

#[test]
fn also_close_to_the_time_of_detection() {
    let mut bad = Vec::new();
    for (rounds, seed) in [3, 6].into_iter().flat_map(|rounds| (0..500).map(move |s| (rounds, s))) {
        let text = trouble(seed, rounds, true);
        let told = told(&text);
        let end = ["none without answer", "none without answer", "all agree"];
        if told[told.len() - 3..] != end {
            bad.push((rounds, seed, told[told.len() - 3..].to_vec()));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}
