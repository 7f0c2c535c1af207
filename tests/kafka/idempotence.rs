//! What a Kafka of today promises a producer whose configuration nobody has touched: while leaders
//! die, everything is written once and in order.

use std::collections::BTreeMap;

use crate::kit::{prepared, run};

/// `mqsim new kafka-isr`.
const STARTER: &str = include_str!("../../src/brokers/kafka/starters/isr.toml");

/// `MQSIM_SEEDS=100` looks at so many.
fn seeds() -> u64 {
    std::env::var("MQSIM_SEEDS").map_or(5, |text| text.parse().expect("MQSIM_SEEDS is a number"))
}

#[test]
fn an_untouched_scenario_has_no_duplicate_and_nothing_out_of_order() {
    for seed in 1..=seeds() {
        let summary = run(&prepared(STARTER, &[]), seed).summary;
        let wrong = (summary.duplicated, summary.reordered, summary.success_lost);
        assert_eq!(wrong, (0, 0, 0), "seed {seed}");
        assert_eq!(summary.acked, summary.attempted, "seed {seed}");
    }
}

/// One leader after the other dies, while batches are under way.
fn leaders_die(keys: &str) -> String {
    let fault = |at: u64, target: &str| {
        format!(
            "[[fault]]\nat = \"{at}s\"\nfor = \"8s\"\nkind = \"crash\"\ntarget = \"{target}\"\n"
        )
    };
    let faults: String = [(5, "n1"), (18, "n2"), (31, "n3"), (44, "n1")]
        .iter()
        .map(|(at, node)| fault(*at, node))
        .collect();
    format!(
        "format = 1\nname = \"leaders-die\"\nmode = \"kafka-isr\"\nduration = \"55s\"\n\
         drain = \"120s\"\n[cluster]\nnodes = 3\nboot-time = \"2s\"\n[broker]\n\
         \"min.insync.replicas\" = 2\n[[topic]]\nname = \"orders\"\npartitions = 3\n\
         [[producer]]\nname = \"p1\"\nto = \"orders\"\nrate = \"1k/s\"\nmessage-size = \"100B\"\n\
         \"batch.size\" = \"1KiB\"\n{keys}\
         [[consumer]]\nname = \"c1\"\nfrom = \"orders\"\n{faults}"
    )
}

#[test]
fn leaders_that_die_one_after_the_other_write_nothing_twice() {
    let mut without = BTreeMap::new();
    for seed in 1..=seeds() {
        let summary = run(&prepared(&leaders_die(""), &[]), seed).summary;
        let wrong = (summary.duplicated, summary.reordered, summary.success_lost);
        assert_eq!(wrong, (0, 0, 0), "seed {seed}");
        assert_eq!(summary.duplicate_values, Some(0), "clients see the same, seed {seed}");
        assert_eq!(summary.nonmonotonic_sends, Some(0), "seed {seed}");
        let plain = leaders_die("\"enable.idempotence\" = false\n");
        let summary = run(&prepared(&plain, &[]), seed).summary;
        *without.entry("reordered").or_insert(0) += summary.reordered;
        *without.entry("nonmonotonic").or_insert(0) += summary.nonmonotonic_sends.unwrap_or(0);
    }
    assert!(without.values().all(|count| *count > 0), "without idempotence: {without:?}");
}
