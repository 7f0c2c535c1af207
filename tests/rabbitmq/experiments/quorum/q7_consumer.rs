//! A consumer that holds 500 messages is killed, by itself or with its node.

use mqsim::verdict::Report;

use super::bench::{CLIENT, Delivery, Scene, Seen, overlaps};

/// The consumer is killed, seconds.
const KILL: f64 = 6.0007;

fn scene(mode: &str, version: &str, second: &str, lasts: f64) -> Scene {
    let load = format!("rate = \"4k/s\"\nconfirms = {{ window = 1000 }}\nstop = \"1s\"\n{CLIENT}");
    // A sleep of 2 ms took 2.2 to 2.7 in the lab, as the places say that consumers had come to.
    let work = "prefetch = 500\nheartbeat = \"5s\"\n\
                processing-time = { distribution = \"uniform\", min = \"2.2ms\", max = \"2.7ms\" }\n";
    Scene::new(mode, 3, version, lasts, "net_ticktime = \"8s\"")
        .queue("orders", "")
        .producer("p1", "orders", "\"n1\"", &load)
        .consumer("a", "\"n3\"", &format!("{work}start = \"3s\"\nreconnect-delay = \"200s\"\n"))
        .consumer(
            "b",
            "\"n2\"",
            &format!("{work}start = \"{second}\"\nreconnect-delay = \"100ms\"\n"),
        )
}

/// What the second consumer got that was flagged.
fn flagged(seen: &Seen) -> Vec<Delivery> {
    seen.redelivered().into_iter().filter(|of| of.consumer == 1).collect()
}

fn run(mode: &str, version: &str, second: &str) -> Vec<(Seen, Report)> {
    let scene = scene(mode, version, second, 20.0).fault(KILL, 13.0, "crash", "consumer(a)");
    let runs = scene.run();
    for (seen, report) in &runs {
        assert!(report.quiet, "everything comes to rest");
        let flagged = flagged(seen);
        assert_eq!(flagged.len(), 500, "{mode} {version}: all that it held, flagged");
        assert!(flagged.is_sorted_by_key(|of| of.number), "in their order");
        assert_eq!(seen.count(0, |line| line.deliveries == 0), 0, "nothing is lost");
    }
    runs
}

/// The places of the flagged ones among all that the second consumer got.
fn places(seen: &Seen) -> (usize, usize) {
    let got: Vec<&Delivery> = seen.deliveries.iter().filter(|of| of.consumer == 1).collect();
    let first = got.iter().position(|of| of.redelivered).expect("some are flagged");
    let last = got.iter().rposition(|of| of.redelivered).expect("some are flagged");
    (first, last)
}

#[test]
fn a_consumer_that_comes_later_gets_first_what_the_dead_one_held() {
    for mode in ["rabbitmq-quorum", "rabbitmq-cluster"] {
        for version in ["4.0.5", "4.3"] {
            for (seen, _) in run(mode, version, "6.3s") {
                assert_eq!(places(&seen), (0, 499), "{mode} {version}");
            }
        }
    }
}

#[test]
fn one_that_was_there_gets_it_behind_what_it_holds_itself() {
    for mode in ["rabbitmq-quorum", "rabbitmq-cluster"] {
        for version in ["4.0.5", "4.3"] {
            let runs = run(mode, version, "3s");
            for (seen, _) in &runs {
                let got = seen.deliveries.iter().filter(|of| of.consumer == 1);
                let numbers: Vec<usize> = got.map(|of| of.number).collect();
                let descents = numbers.windows(2).filter(|pair| pair[1] < pair[0]).count();
                assert_eq!(descents, 1, "{mode} {version}: two ascending runs");
            }
            overlaps(
                "first redelivery, s after the kill",
                &runs,
                |seen| flagged(seen)[0].at - KILL,
                1.1..=1.85,
            );
            overlaps("places, from", &runs, |seen| places(seen).0 as f64, 1631.0..=1881.0);
        }
    }
}

fn with_its_node(version: &str, restart: f64) -> Vec<(Seen, Report)> {
    let scene =
        scene("rabbitmq-quorum", version, "6.3s", 120.0).fault(KILL, restart, "crash", "n3");
    scene.run()
}

fn first_back(seen: &Seen) -> f64 {
    flagged(seen).first().map_or(f64::MAX, |of| of.at - KILL)
}

#[test]
fn with_its_node_it_goes_back_at_once_before_4_3_and_after_a_minute_from_then_on() {
    let at_once = with_its_node("4.0.5", 100.0);
    for (seen, _) in &at_once {
        assert_eq!(flagged(seen).len(), 500);
        assert!(first_back(seen) < 2.0, "at once: {}", first_back(seen));
    }
    let later = with_its_node("4.3", 100.0);
    for (seen, _) in &later {
        assert_eq!(flagged(seen).len(), 500);
        assert!((60.0..60.5).contains(&first_back(seen)), "{}", first_back(seen));
    }
    // Or when its node is back and says that it is dead.
    let restarted = with_its_node("4.3", 10.0);
    for (seen, _) in &restarted {
        assert_eq!(flagged(seen).len(), 500);
        assert!((10.0..20.0).contains(&first_back(seen)), "{}", first_back(seen));
    }
    overlaps("with its node, s after the kill", &restarted, first_back, 11.2..=13.4);
}

#[test]
fn a_single_active_consumer_is_replaced_after_a_minute_from_4_3_on() {
    for (version, least, most) in [("4.0.5", 0.0, 2.0), ("4.3", 59.0, 61.0)] {
        let load =
            format!("rate = \"100/s\"\nconfirms = {{ window = 100 }}\nrepublish = true\n{CLIENT}");
        let keys = "prefetch = 50\nheartbeat = \"5s\"\n";
        let runs = Scene::new("rabbitmq-quorum", 3, version, 80.0, "net_ticktime = \"8s\"")
            .queue("orders", "x-single-active-consumer = true\n")
            .producer("p1", "orders", "\"n1\"", &load)
            .consumer("a", "\"n3\"", &format!("{keys}reconnect-delay = \"200s\"\n"))
            .consumer(
                "b",
                "\"n2\"",
                &format!("{keys}start = \"1s\"\nreconnect-delay = \"100ms\"\n"),
            )
            .fault(KILL, 73.0, "crash", "n3")
            .run();
        for (seen, _) in &runs {
            let pause = seen.read_pause(&[0, 1], 3.0, 80.0);
            assert!((least..=most).contains(&pause), "{version}: {pause}");
            assert_eq!(seen.lost(0), 0);
        }
    }
}
