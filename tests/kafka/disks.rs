//! Disks that fail, fill up, are replaced or were never there: no invariant breaks that is claimed,
//! and brokers come back.

use crate::kit::{broken, prepared, run};

/// Three brokers, writes with acks=all, and this.
fn cluster(mode: &str, rest: &str) -> String {
    format!(
        r#"
format = 1
name = "disks"
mode = "{mode}"
duration = "30s"
drain = "120s"
[cluster]
nodes = 3
boot-time = "1s"
[[topic]]
name = "orders"
[[producer]]
name = "p1"
to = "orders"
rate = "50/s"
{rest}"#
    )
}

fn fault(kind: &str, target: &str, at: &str, lasts: &str) -> String {
    format!(
        "[[fault]]\nat = \"{at}\"\nfor = \"{lasts}\"\nkind = \"{kind}\"\ntarget = \"{target}\"\n"
    )
}

/// What of the claimed invariants breaks in three seeds, and whether the runs become quiet.
fn claimed(text: &str) -> (Vec<String>, bool) {
    let prepared = prepared(text, &[]);
    let reports: Vec<_> = (1..=3).map(|seed| run(&prepared, seed)).collect();
    let broken = reports.iter().flat_map(broken).filter(|one| one.claimed());
    (broken.map(|one| one.to_string()).collect(), reports.iter().all(|report| report.quiet))
}

#[track_caller]
fn holds(text: &str) {
    assert_eq!(claimed(text), (Vec::new(), true), "{text}");
}

#[test]
fn what_was_on_a_disk_before_the_run_is_there_though_its_host_never_started() {
    for version in ["3.3", "4.1"] {
        for (kind, target) in [
            ("crash", "n2"),
            ("crash", "controller1"),
            ("power-loss", "n1"),
            ("power-loss", "controller1,controller2"),
            ("power-loss", "all"),
        ] {
            let text = cluster("kafka-isr", &fault(kind, target, "0s", "5s"));
            holds(&text.replace("duration", &format!("broker-version = \"{version}\"\nduration")));
        }
    }
}

#[test]
fn a_disk_that_is_replaced_takes_the_epochs_with_it() {
    for target in ["n2", "controller1", "controller3"] {
        holds(&cluster("kafka-isr", &fault("wipe-disk", target, "8s", "5s")));
    }
}

#[test]
fn a_controller_that_cannot_write_its_epoch_down_does_not_go_on_in_it() {
    let faults = fault("disk-full", "controller1", "1982ms", "423ms")
        + &fault("disk-full", "n1", "3298ms", "479ms")
        + &fault("crash", "controller2", "2s", "4s");
    holds(&cluster("kafka-isr", &faults));
}

#[test]
fn a_broker_that_boots_on_a_full_disk_ends_and_is_up_in_the_end() {
    let faults = fault("crash", "n1", "5s", "5s") + &fault("disk-full", "n1", "9s", "8s");
    holds(&cluster("kafka-isr", &faults));
}

/// Half a record is no message.
#[test]
fn a_broker_that_is_stopped_while_it_loads_its_logs_does_not_call_itself_clean() {
    let torn = "[cluster.disk]\ntorn-tail = true\n";
    let stop = "[[fault]]\nat = \"15415ms\"\nkind = \"restart\"\ntarget = \"n1\"\n";
    let faults = fault("power-loss", "n1", "13479ms", "1828ms");
    holds(&cluster("kafka-legacy", &(faults + stop + torn)));
}
