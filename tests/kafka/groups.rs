//! Consumer groups in whole runs: what comes twice, what is lost to a group and why, and how long
//! nobody reads.

use mqsim::run::{parse, simulate};
use mqsim::verdict::Report;

/// Three brokers, a topic of so many partitions, 200 messages a second, and these consumers and
/// faults.
fn run(version: &str, partitions: u32, rest: &str, seed: u64) -> Report {
    let text = format!(
        r#"
format = 1
name = "group"
mode = "kafka-isr"
broker-version = "{version}"
duration = "60s"
warmup = "1s"
drain = "600s"

[cluster]
nodes = 3
hardware = "lab-vm"
boot-time = "1s"

[broker]
min.insync.replicas = 2

[[topic]]
name = "orders"
partitions = {partitions}

[[producer]]
name = "p1"
to = "orders"
rate = "200/s"
message-size = "1KiB"
acks = "all"
{rest}
"#
    );
    let prepared = parse("group.toml", text.as_bytes(), &[]).expect("it can be run");
    simulate(&prepared, seed, None).expect("it ends")
}

fn consumer(name: &str, keys: &str) -> String {
    format!("[[consumer]]\nname = \"{name}\"\nfrom = \"orders\"\ngroup.id = \"app\"\n{keys}\n")
}

fn crash(at: &str, lasts: &str, target: &str) -> String {
    format!(
        "[[fault]]\nat = \"{at}\"\nfor = \"{lasts}\"\nkind = \"crash\"\ntarget = \"{target}\"\n"
    )
}

/// Nothing is unexplained, and the run came to rest.
fn sound(report: &Report) {
    let summary = &report.summary;
    assert_eq!(summary.unexplained, 0);
    assert_eq!(summary.waiting_at_end, 0);
    assert_eq!(summary.unreachable_at_end, 0);
}

#[test]
fn a_member_that_is_killed_skips_nothing_and_repeats_five_seconds_and_one_poll() {
    for protocol in ["classic", "consumer"] {
        let keys = format!("processing-time = \"1ms\"\ngroup.protocol = \"{protocol}\"");
        let rest =
            [consumer("c1", &keys), consumer("c2", &keys), crash("20s", "5s", "consumer(c1)")];
        for seed in 1..=8 {
            let report = run("4.1", 4, &rest.concat(), seed);
            sound(&report);
            let summary = &report.summary;
            assert_eq!(
                (summary.processed, summary.consumer_lost),
                (12_000, 0),
                "{protocol} {seed}"
            );
            assert!(summary.duplicated <= 1_000 + 500, "{} in seed {seed}", summary.duplicated);
        }
    }
}

#[test]
fn what_an_application_commits_before_it_is_through_is_lost_when_it_dies() {
    let dies = crash("20s", "5s", "consumer(c1)");
    let lost = |commit: &str| {
        let keys = format!(
            "processing-time = \"4ms\"\nenable.auto.commit = false\ncommit = \"{commit}\"\n\
             start = \"5s\"\nauto.offset.reset = \"earliest\""
        );
        let report = run("4.1", 1, &[consumer("c1", &keys), dies.clone()].concat(), 1);
        sound(&report);
        let summary = &report.summary;
        (summary.consumer_lost, summary.duplicated)
    };
    let (before, again) = lost("before");
    assert!(before > 100 && again == 0, "{before} lost, {again} again");
    let (middle, _) = lost("middle");
    assert!(middle < before);
    let (after, again) = lost("after");
    assert!(after == 0 && again > 100, "{after} lost, {again} again");
    assert_eq!(lost("each"), (0, 1).min(lost("each")), "the one in hand at most");
    let (never, again) = lost("never");
    assert!(never == 0 && again > 1_000, "{never} lost, {again} again");
}

#[test]
fn close_commits_what_was_returned_by_either_protocol() {
    for protocol in ["classic", "consumer"] {
        let keys = format!(
            "processing-time = \"2ms\"\nstart = \"5s\"\nauto.offset.reset = \"earliest\"\n\
             fails-at = 700\ngroup.protocol = \"{protocol}\""
        );
        let report = run("4.1", 1, &consumer("c1", &keys), 1);
        sound(&report);
        let lost = report.summary.consumer_lost;
        assert!((100..500).contains(&lost), "{lost} with {protocol}");
        assert_eq!(report.summary.duplicated, 0);
    }
}

#[test]
fn a_static_member_of_kip_848_that_was_killed_is_refused_until_its_session_is_over() {
    let unread = |protocol: &str| {
        let keys =
            |id: &str| format!("group.instance.id = \"{id}\"\ngroup.protocol = \"{protocol}\"");
        let members = [consumer("c1", &keys("a")), consumer("c2", &keys("b"))].concat();
        let report = run("4.1", 2, &[members, crash("5s", "5s", "consumer(c1)")].concat(), 1);
        sound(&report);
        report.summary.read_longest_ms.expect("it can be told")
    };
    assert!(unread("classic") < 6_500, "it has its place again at once");
    let unread = unread("consumer");
    assert!((35_000..47_000).contains(&unread), "{unread}");
}

#[test]
fn an_offset_that_is_lost_makes_the_group_begin_at_the_end() {
    // No commit within the two seconds that the group is there.
    let keys = "auto.commit.interval.ms = \"100s\"\nstart = \"3s\"\nprocessing-time = \"1ms\"\n\
                session.timeout.ms = 6000";
    let rest = [consumer("c1", keys), crash("10s", "5s", "consumer(c1)")].concat();
    let report = run("4.1", 1, &rest, 1);
    sound(&report);
    let lost = report.summary.consumer_lost;
    assert!(lost > 900, "{lost}: what came while it was away, and what it had not finished");
    let causes: Vec<&str> = report
        .losses
        .iter()
        .filter_map(|loss| loss.cause)
        .map(|cause| report.catalog.causes[cause.index()].name)
        .collect();
    assert!(causes.iter().all(|cause| *cause == "skipped-by-reset"), "{causes:?}");
    // Messages from before it was there were never its.
    assert!(report.summary.stored_at_end > lost);
}

#[test]
fn members_that_come_and_go_share_everything_at_any_time() {
    for (version, keys) in [
        ("2.1", ""),
        ("2.8", "partition.assignment.strategy = \"cooperative-sticky\""),
        ("4.1", "group.protocol = \"consumer\""),
    ] {
        let own = |more: &str| format!("processing-time = \"1ms\"\n{keys}\n{more}");
        let members = [
            consumer("c1", &own("")),
            consumer("c2", &own("start = \"10s\"")),
            consumer("c3", &own("start = \"12s\"\nstop = \"30s\"")),
            consumer("c4", &own("start = \"20s\"")),
            crash("40s", "3s", "consumer(c2)"),
            crash("45s", "8s", "coordinator(app)"),
        ];
        for seed in 1..=2 {
            let report = run(version, 7, &members.concat(), seed);
            sound(&report);
            assert_eq!(report.summary.processed, 12_000, "{version} {seed}");
            assert_eq!(report.summary.consumer_lost, 0, "{version} {seed}");
        }
    }
}
