//! A mirrored queue, its leader's node n1 cut from n2 and n3 for 30 s: `ignore` with a restart of
//! n1 by hand, and `pause_minority`; p1 publishes on n1, p2 on the other side.
//!
//! What p1 makes up for right after the detection still goes to the dead mirrors, until the ring
//! has taken both out of the record 0.22 s later; it is confirmed when the attempt to reach them
//! has failed, 7 s later. If that is the whole window, p1 stands still once more, which it did in 2
//! of a dozen runs: so the measured producer needs about those 0.22 s for 100 messages.

use mqsim::engine::Time;
use mqsim::observe::{ConsumerId, DestinationId, Event, MessageRange, NodeId, Observer, Outcome};
use mqsim::run::{observe, parse, simulate};
use mqsim::verdict::Report;

use super::lab::{ranges_overlap, seeds};

/// The cut begins and ends, seconds.
const CUT: (f64, f64) = (5.0, 35.0);

/// What became of one producer's messages.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    sent: f64,
    confirmed: Option<f64>,
    nacked: bool,
    unknown: bool,
    deliveries: u32,
}

/// What both producers saw.
#[derive(Clone, Debug, Default)]
struct Sides {
    lines: [Vec<Line>; 2],
    /// When each had its first confirm after the cut.
    first: [Option<f64>; 2],
    /// The greatest number delivered so far, and deliveries after a greater one.
    furthest: [u32; 2],
    out_of_order: u64,
    duplicates: u64,
    paused: Option<f64>,
    resumed: Option<f64>,
    words: (u32, u32),
}

impl Sides {
    fn line(&mut self, messages: MessageRange) -> &mut Line {
        let lines = &mut self.lines[messages.producer.index()];
        let index = messages.first as usize;
        if lines.len() <= index {
            lines.resize(index + 1, Line::default());
        }
        &mut lines[index]
    }

    /// First and last of the confirmed messages of a producer that nobody got, and how many.
    fn lost(&self, producer: usize) -> (usize, usize, usize) {
        let lost = self.lines[producer].iter().enumerate();
        let lost: Vec<usize> = lost
            .filter(|(_, line)| line.confirmed.is_some() && line.deliveries == 0)
            .map(|(index, _)| index)
            .collect();
        (lost.first().copied().unwrap_or(0), lost.last().copied().unwrap_or(0), lost.len())
    }

    fn count(&self, producer: usize, what: impl Fn(&Line) -> bool) -> usize {
        self.lines[producer].iter().filter(|line| what(line)).count()
    }
}

fn seconds(at: Time) -> f64 {
    at.as_nanos() as f64 / 1e9
}

impl Observer for Sides {
    fn sent(&mut self, at: Time, messages: MessageRange) {
        self.line(messages).sent = seconds(at);
    }

    fn outcome(&mut self, at: Time, messages: MessageRange, outcome: Outcome) {
        let at = seconds(at);
        let line = self.line(messages);
        match outcome {
            Outcome::Acked => line.confirmed = Some(at),
            Outcome::Nacked => line.nacked = true,
            Outcome::Unknown => line.unknown = true,
            _ => {}
        }
        let producer = messages.producer.index();
        // What was under way at the cut is still answered.
        if outcome == Outcome::Acked && at > CUT.0 + 0.5 && self.first[producer].is_none() {
            self.first[producer] = Some(at);
        }
    }

    fn delivered(
        &mut self,
        _at: Time,
        _consumer: ConsumerId,
        _destination: DestinationId,
        messages: MessageRange,
        _redelivered: bool,
    ) {
        let line = self.line(messages);
        line.deliveries += 1;
        let again = line.deliveries > 1;
        let furthest = &mut self.furthest[messages.producer.index()];
        self.duplicates += u64::from(again);
        self.out_of_order += u64::from(!again && messages.first < *furthest);
        *furthest = (*furthest).max(messages.first);
    }

    fn event(&mut self, at: Time, event: Event) {
        if event.node == NodeId(0) && event.word.0 == self.words.0 {
            self.paused = Some(seconds(at));
        }
        if event.node == NodeId(0) && event.word.0 == self.words.1 {
            self.resumed = Some(seconds(at));
        }
    }
}

fn text(handling: &str, consumers: bool, restart: bool) -> String {
    let client = "reconnect-delay = \"100ms\"\nheartbeat = \"5s\"\n";
    let mut text = format!(
        "format = 1\nname = \"e7\"\nmode = \"rabbitmq-mirrored\"\nbroker-version = \"3.10\"\n\
         duration = \"70s\"\ndrain = \"240s\"\n\
         [cluster]\nnodes = 3\nhardware = \"lab-vm\"\n\
         boot-time = {{ distribution = \"uniform\", min = \"2.8s\", max = \"6.9s\" }}\n\
         [costs]\nclient = \"2300us\"\n[broker]\nnet_ticktime = \"8s\"\ncluster_partition_handling = \"{handling}\"\n\
         [[policy]]\npattern = \"orders\"\nha-mode = \"all\"\nha-sync-mode = \"automatic\"\n\
         [[queue]]\nname = \"orders\"\nleader = \"n1\"\n\
         [[fault]]\nat = \"5s\"\nfor = \"30s\"\nkind = \"partition\"\n\
         between = [\"n1\", \"n2,n3\"]\nclients = \"unaffected\"\n"
    );
    for (name, nodes) in [("p1", "\"n1\""), ("p2", "\"n2\", \"n3\"")] {
        text += &format!(
            "[[producer]]\nname = \"{name}\"\nto = \"orders\"\nconnect = [{nodes}]\n\
             rate = \"100/s\"\nmessage-size = \"1KiB\"\nconfirms = {{ window = 100 }}\n\
             catch-up = \"1s\"\nstop = \"50s\"\n{client}"
        );
    }
    if consumers {
        for (name, nodes) in [("c1", "\"n1\""), ("c2", "\"n2\", \"n3\"")] {
            text += &format!(
                "[[consumer]]\nname = \"{name}\"\nfrom = \"orders\"\nconnect = [{nodes}]\n\
                 prefetch = 100\n{client}"
            );
        }
    }
    if restart {
        // By hand, 50 to 65 s after the first send.
        text += "[[fault]]\nat = \"57s\"\nkind = \"restart\"\ntarget = \"n1\"\n";
    }
    text
}

fn run(text: &str) -> Vec<(Sides, Report)> {
    let prepared = parse("e7.toml", text.as_bytes(), &[]);
    let prepared = prepared.unwrap_or_else(|error| panic!("{error}"));
    let word = |name: &str| {
        let found = prepared.catalog().events.iter().position(|word| word.name == name);
        found.expect("the word is known") as u32
    };
    let words = (word("paused"), word("resuming"));
    (1..=seeds())
        .map(|seed| {
            let sides = Sides { words, ..Sides::default() };
            let (sides, _) = observe(&prepared, seed, sides).expect("the run ends");
            let report = simulate(&prepared, seed, None).expect("the run ends");
            assert_eq!(report.summary.unexplained, 0, "seed {seed}: every loss has a cause");
            assert!(report.quiet, "seed {seed}: everything comes to rest");
            (sides, report)
        })
        .collect()
}

/// Until the first confirm after the cut, in seconds: as long as net_tick takes to notice it, not
/// less.
fn check_stall(runs: &[(Sides, Report)], sides: &[usize]) {
    for &side in sides {
        let stalls = runs.iter().map(|(seen, _)| seen.first[side].expect("confirms") - CUT.0);
        let stalls: Vec<f64> = stalls.collect();
        for stall in &stalls {
            assert!((0.75 * 8.0..=1.25 * 8.0 + 0.5).contains(stall), "p{}: {stall}", side + 1);
        }
        ranges_overlap(&format!("stall of p{}, s", side + 1), stalls, 8.2..=10.0);
    }
}

#[test]
fn ignore_loses_all_that_the_restarted_side_confirmed_since_the_cut() {
    let runs = run(&text("ignore", false, true));
    check_stall(&runs, &[0, 1]);
    for (seen, report) in &runs {
        let (first, last, lost) = seen.lost(0);
        let confirmed = |index: usize| seen.lines[0][index].confirmed.is_some();
        let all = (first..=last).filter(|index| confirmed(*index)).count();
        assert_eq!(lost, all, "everything from the first lost one on is lost");
        let (sent_first, sent_last) = (seen.lines[0][first].sent, seen.lines[0][last].sent);
        assert!((CUT.0 - 0.1..CUT.0 + 0.1).contains(&sent_first), "since the cut: {sent_first}");
        assert!(sent_last > 49.0, "until the producer ended: the heal changes nothing");
        assert_eq!(seen.lost(1).2, 0, "the other side keeps all");
        for producer in [0, 1] {
            assert_eq!(seen.count(producer, |line| line.nacked), 0);
        }
        for loss in report.losses.iter().filter(|loss| loss.class == "acked_lost") {
            let cause = loss.cause.expect("it has a cause");
            assert_eq!(report.catalog.causes[cause.index()].name, "wiped-on-rejoin");
        }
    }
    let lost = runs.iter().map(|(seen, _)| seen.lost(0).2 as f64).collect();
    ranges_overlap("lost of p1", lost, 3686.0..=3785.0);
}

#[test]
fn pause_minority_stops_the_leader_and_loses_nothing() {
    let runs = run(&text("pause_minority", false, false));
    check_stall(&runs, &[1]);
    for (seen, _) in &runs {
        assert_eq!((seen.lost(0).2, seen.lost(1).2), (0, 0));
        let paused = seen.paused.expect("n1 pauses") - CUT.0;
        assert!((0.75 * 8.0..=1.25 * 8.0 + 0.5).contains(&paused), "{paused}");
        assert_eq!(seen.count(0, |line| line.unknown), 100, "the window of p1 is in doubt");
        assert_eq!(seen.count(1, |line| line.unknown), 0);
        assert_eq!(seen.count(0, |line| line.nacked), 0);
    }
    let back = runs.iter().map(|(seen, _)| {
        let open = seen.lines[0].iter().filter_map(|line| line.confirmed);
        open.filter(|at| *at > CUT.1).fold(f64::MAX, f64::min) - CUT.1
    });
    // Measured: 1.4 to 2.0 s in three runs, and not within 15 s in the fourth. Simulated: 3.3 to
    // 5.2 s, inside that range but not what the three runs took (docs/fidelity/rabbitmq.md, Known gaps).
    ranges_overlap("n1 is back, s after the heal", back.collect(), 1.4..=15.0);
}

/// Both halves are delivered: what one consumer had not got when it was lost goes to the other,
/// after later messages. Measured once a mode, so over the modes.
#[test]
fn with_a_consumer_on_each_side_nothing_is_lost_and_order_is() {
    let (mut out_of_order, mut duplicates) = (Vec::new(), Vec::new());
    for (handling, restart) in [("ignore", true), ("pause_minority", false)] {
        let runs = run(&text(handling, true, restart));
        for (seen, _) in &runs {
            assert_eq!((seen.lost(0).2, seen.lost(1).2), (0, 0), "{handling}");
            assert!(seen.out_of_order > 0, "{handling}: both halves are delivered");
            out_of_order.push(seen.out_of_order as f64);
            duplicates.push(seen.duplicates as f64);
        }
        if handling == "pause_minority" {
            let doubt = |line: &Line| line.confirmed.is_none() && line.deliveries > 0;
            let found = runs.iter().map(|(seen, _)| seen.count(0, doubt) as f64).collect();
            ranges_overlap("delivered though unconfirmed", found, 1.0..=100.0);
        }
    }
    ranges_overlap("duplicates", duplicates, 0.0..=2.0);
    ranges_overlap("out of order", out_of_order, 58.0..=269.0);
}
