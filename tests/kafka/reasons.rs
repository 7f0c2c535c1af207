//! Why messages are lost: of a configuration and faults, the cause (how the last copy went) and
//! what made it the last.

use mqsim::verdict::Report;

use crate::kit::{prepared, run};

/// Three replicas on three brokers; the load ends at 20 s. `rest` has the faults.
fn scenario(version: &str, metadata: &str, unclean: bool, rest: &str) -> String {
    format!(
        r#"
format = 1
name = "reasons"
mode = "kafka-isr"
broker-version = "{version}"
duration = "80s"
drain = "200s"
[cluster]
nodes = 3
boot-time = "1s"
[controller]
metadata = "{metadata}"
[[topic]]
name = "orders"
"unclean.leader.election.enable" = {unclean}
[[producer]]
name = "p1"
to = "orders"
rate = "100/s"
message-size = "200B"
stop = "36s"
acks = "all"
retries = 1000
{rest}"#
    )
}

fn fault(kind: &str, target: &str, at: &str, lasts: &str) -> String {
    format!(
        "[[fault]]\nat = \"{at}\"\nfor = \"{lasts}\"\nkind = \"{kind}\"\ntarget = \"{target}\"\n"
    )
}

/// Cause and condition of acknowledged messages that are lost, each once, the most frequent first.
fn reasons(report: &Report) -> Vec<(&'static str, &'static str)> {
    let mut found: Vec<((&str, &str), u64)> = Vec::new();
    for loss in report.losses.iter().filter(|loss| loss.class == "acked_lost") {
        let cause = loss.cause.map_or("none", |id| report.catalog.causes[id.index()].name);
        let reason = (cause, report.catalog.conditions[loss.because.0 as usize]);
        match found.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += loss.count,
            None => found.push((reason, loss.count)),
        }
    }
    found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    found.into_iter().map(|(reason, _)| reason).collect()
}

#[track_caller]
fn lost(text: &str, expected: &[(&str, &str)]) {
    for seed in 1..=2 {
        let report = run(&prepared(text, &[]), seed);
        assert_eq!(reasons(&report), expected, "seed {seed} of {text}");
    }
}

/// Two members of the ISR have all, and die; the third, which was down, is elected.
#[test]
fn what_all_of_the_isr_had_is_lost_by_an_unclean_election() {
    let faults = fault("crash", "n3", "5s", "37s") + &fault("crash", "n1,n2", "40s", "30s");
    for (version, metadata) in [("1.1", "zookeeper"), ("2.8", "zookeeper"), ("3.9", "kraft")] {
        let expected = [("truncated-to-leader", "unclean-election")];
        lost(&scenario(version, metadata, true, &faults), &expected);
        lost(&scenario(version, metadata, false, &faults), &[]);
    }
    // What is behind the high watermark that was last written down goes first, and the rest when the
    // follower finds its log too long.
    let report = run(&prepared(&scenario("0.10.2", "zookeeper", true, &faults), &[]), 1);
    let reasons = reasons(&report);
    assert!(reasons.iter().all(|(_, because)| *because == "unclean-election"), "{reasons:?}");
}

/// The leader alone is in the ISR, dies, and another is elected.
#[test]
fn what_the_leader_had_alone_is_lost_since_the_isr_had_shrunk() {
    let faults = fault("crash", "n2,n3", "5s", "37s") + &fault("crash", "n1", "40s", "30s");
    for (version, metadata) in [("2.8", "zookeeper"), ("3.9", "kraft")] {
        let expected = [("truncated-to-leader", "isr-shrunk-to-leader")];
        lost(&scenario(version, metadata, true, &faults), &expected);
    }
}

/// The leader alone is in the ISR and loses power, or its disk.
#[test]
fn what_the_last_replica_standing_loses_had_no_other_copy() {
    for (kind, cause) in [("power-loss", "page-cache-lost"), ("wipe-disk", "disk-wiped")] {
        let faults = fault("crash", "n2,n3", "5s", "37s") + &fault(kind, "n1", "37s", "10s");
        // What the others had they cut off to be as the leader.
        lost(
            &scenario("3.9", "kraft", false, &faults),
            &[(cause, "isr-shrunk-to-leader"), ("truncated-to-leader", "leader-lacked-it")],
        );
    }
}

/// Nobody had it on a disk.
#[test]
fn what_no_replica_had_flushed_is_lost_with_the_power_of_all() {
    let all = fault("power-loss", "n1,n2,n3", "30s", "10s");
    for (version, metadata) in [("2.8", "zookeeper"), ("3.9", "kraft"), ("4.1", "kraft")] {
        let text = scenario(version, metadata, false, &all);
        let report = run(&prepared(&text, &[]), 1);
        let reasons = reasons(&report);
        assert_eq!(reasons.first(), Some(&("page-cache-lost", "not-fsynced")), "{version}");
    }
}

/// A topic with one replica has no ISR that could shrink.
#[test]
fn one_replica_loses_what_it_had() {
    for (kind, reason) in
        [("power-loss", ("page-cache-lost", "not-fsynced")), ("wipe-disk", ("disk-wiped", "none"))]
    {
        let text = scenario("4.1", "kraft", false, &fault(kind, "n1", "30s", "10s"));
        let text = text.replace("[[topic]]", "[[topic]]\nreplication-factor = 1");
        lost(&text, &[reason]);
    }
}

/// acks=1: only the leader had it.
#[test]
fn what_was_acknowledged_before_anybody_else_had_it_is_cut_off() {
    let slow = "[[fault]]\nat = \"5s\"\nfor = \"60s\"\nkind = \"latency\"\n\
                target = \"link(n1, n2)\"\nadd = \"200ms\"\n";
    let slow = slow.to_owned() + &slow.replace("n1, n2", "n1, n3");
    let faults = slow + &fault("crash", "n1", "20s", "20s");
    for (version, metadata) in [("2.8", "zookeeper"), ("4.1", "kraft")] {
        let text = scenario(version, metadata, false, &faults).replace("\"all\"", "\"1\"");
        lost(&text, &[("truncated-to-leader", "acked-before-replicated")]);
    }
}
