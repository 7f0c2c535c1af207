//! A rolling restart over a backlog of 5,000: n3, n2, and n1 with the leader last, each when the one
//! before has opened its port.

use mqsim::verdict::Report;

use super::bench::{CLIENT, Scene, Seen, overlaps};

/// When each is stopped.
const STOPS: [(f64, &str); 3] = [(10.0021, "n3"), (20.0021, "n2"), (30.0021, "n1")];
const LOAD: f64 = 45.0;

fn run(version: &str) -> Vec<(Seen, Report)> {
    let backlog = "rate = \"2500/s\"\nconfirms = { window = 1000 }\nmax-messages = 5000\n"
        .replace("max-messages = 5000\n", "stop = \"2s\"\n");
    let load = format!(
        "rate = \"100/s\"\nstart = \"5s\"\nconfirms = {{ window = 100 }}\nrepublish = true\n\
         catch-up = \"1s\"\n{CLIENT}"
    );
    let mut scene = Scene::quorum(version, LOAD)
        .producer("p0", "orders", "\"n1\"", &backlog)
        .producer("p1", "orders", "\"n1\", \"n2\"", &load);
    for (at, node) in STOPS {
        scene = scene
            .with(&format!("[[fault]]\nat = \"{at}s\"\nkind = \"restart\"\ntarget = \"{node}\""));
    }
    let runs = scene.run();
    for (seen, report) in &runs {
        assert!(report.quiet, "everything comes to rest");
        assert_eq!((seen.lost(0), seen.lost(1), seen.nacked()), (0, 0, 0));
        assert!(seen.duplicates() <= 100, "what is published again at a reconnect");
        for (number, (at, node)) in STOPS.into_iter().enumerate() {
            let pause = seen.write_pause(1, at - 1.0, at + 8.0);
            // A clean stop of the leader is the shortest election: 100 ms at most; and the client's
            // own 100 ms, and its connection.
            let most = if number == 2 { 0.45 } else { 0.2 };
            assert!(pause <= most, "{version}: {pause} s without confirms at the stop of {node}");
        }
    }
    runs
}

fn at_the_leader(seen: &Seen) -> f64 {
    seen.write_pause(1, STOPS[2].0 - 1.0, STOPS[2].0 + 8.0)
}

#[test]
fn nothing_is_lost_and_the_leaders_stop_is_a_moment() {
    let runs = run("4.3");
    overlaps("confirms pause at the leader's stop, s", &runs, at_the_leader, 0.12..=0.28);
    overlaps("duplicates", &runs, |seen| seen.duplicates() as f64, 0.0..=1.0);
    let runs = run("4.0.5");
    overlaps("duplicates", &runs, |seen| seen.duplicates() as f64, 0.0..=4.0);
}
