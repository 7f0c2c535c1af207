//! Random faults in whole runs: what `[nemesis]` draws is told, waits where it is to wait, and can
//! be written as `[[fault]]` that do the same.

use mqsim::run::{freeze, parse, simulate};
use mqsim::verdict::{FaultSpan, Report};

const CLUSTER: &str = "
    format = 1
    name = 'random'
    mode = 'rabbitmq-mirrored'
    duration = '40s'
    drain = '10min'
    # What is replicated.
    [[policy]]
    pattern = 'orders'
    ha-mode = 'all'
    ha-sync-mode = 'automatic'
    [[queue]]
    name = 'orders'
    [[producer]]
    name = 'p1'
    to = 'orders'
    rate = '100/s'
    confirms = { window = 50 }
    republish = true
    [[consumer]]
    name = 'c1'
    from = 'orders'
    [[fault]]
    at = '1s'
    for = '1s'
    kind = 'pause'
    target = 'random' # drawn when it begins
";

const MIX: &str = "
    [nemesis]
    every = { distribution = 'exponential', mean = '2s' }
    from = '4s'
    until = '36s'
    swarm = true
    [[nemesis.fault]]
    kind = 'crash'
    targets = ['leader(orders)', 'random']
    for = { distribution = 'uniform', min = '1s', max = '6s' }
    [[nemesis.fault]]
    kind = 'power-loss'
    targets = ['mirror(orders, 1)', 'all']
    spread = '1s'
    [[nemesis.fault]]
    kind = 'pause'
    targets = 'n1,leader(orders)'
    for = { distribution = 'lognormal', median = '500ms', p99 = '4s' }
    [[nemesis.fault]]
    kind = 'partition'
    shapes = ['one', 'one-way', 'pair', 'majorities-ring']
    for = '3s'
    [[nemesis.fault]]
    kind = 'partition'
    targets = ['leader(orders)', 'producer(p1)']
    how = 'reject'
    for = '2s'
    [[nemesis.fault]]
    kind = 'restart'
    [[nemesis.fault]]
    kind = 'latency'
    targets = ['link(n1, n2)', 'random']
    add = { distribution = 'lognormal', median = '5ms', p99 = '60ms' }
    direction = 'forth'
    [[nemesis.fault]]
    kind = 'packet-loss'
    chance = '1.5%'
    [[nemesis.fault]]
    kind = 'bandwidth'
    rate = '100kB/s'
    [[nemesis.fault]]
    kind = 'slow-disk'
    factor = 20
    [[nemesis.fault]]
    kind = 'clock-skew'
    targets = ['random', 'consumer(c1)']
    offset = '-0.5s'
    drift = '12.5%'
";

fn run(text: &str, seed: u64) -> Report {
    let prepared = parse("random.toml", text.as_bytes(), &[]).unwrap_or_else(|e| panic!("{e}"));
    simulate(&prepared, seed, None).unwrap_or_else(|e| panic!("seed {seed}: {e}"))
}

fn frozen(text: &str, seed: u64) -> String {
    let prepared = parse("random.toml", text.as_bytes(), &[]).unwrap_or_else(|e| panic!("{e}"));
    freeze(&prepared, seed, None, "as drawn").unwrap_or_else(|e| panic!("seed {seed}: {e}"))
}

fn faults(report: &Report) -> Vec<String> {
    let rows = report.events.iter().filter(|row| row.kind == "fault");
    rows.map(|row| format!("{} {}", row.at, row.what)).collect()
}

/// Outcomes, roles and draws: what a run is known by.
fn known_by(report: &Report) -> Vec<(&'static str, u64)> {
    let known = |(name, _): &&(&str, u64)| ["outcomes", "roles", "draws"].contains(name);
    report.ingredients.iter().filter(known).copied().collect()
}

#[test]
fn frozen_faults_do_what_the_drawn_ones_did() {
    for (when, seeds) in [("any", 1..=8), ("in-sync", 9..=16)] {
        let text =
            format!("{CLUSTER}{MIX}").replace("[nemesis]", &format!("[nemesis]\n when = '{when}'"));
        for seed in seeds {
            let drawn = run(&text, seed);
            let frozen = frozen(&text, seed);
            assert!(!frozen.contains("nemesis.fault"), "{frozen}");
            let again = run(&frozen, seed);
            assert_eq!(known_by(&drawn), known_by(&again), "seed {seed}, {when}:\n{frozen}");
            let begun = |report: &Report| {
                report.faults.iter().map(|span| (span.begun, span.ended)).collect::<Vec<_>>()
            };
            assert_eq!(begun(&drawn), begun(&again), "seed {seed}, {when}");
        }
    }
}

#[test]
fn a_frozen_scenario_keeps_what_was_written() {
    let text =
        format!("# Why it is.\n{CLUSTER}{MIX}\n[[expect]] # at last\nmetric = 'lines'\nmin = 1\n");
    let frozen = frozen(&text, 3);
    assert!(frozen.starts_with("# Why it is.\n"), "{frozen}");
    for kept in ["# What is replicated.", "target = 'random' # drawn", "[[expect]] # at last"] {
        assert!(frozen.contains(kept), "{kept}: {frozen}");
    }
    assert!(frozen.contains("\n# as drawn\n"), "{frozen}");
    let prepared = parse("random.toml", CLUSTER.as_bytes(), &[]).unwrap();
    let error = freeze(&prepared, 1, None, "").expect_err("it draws nothing").to_string();
    assert!(error.contains("nothing to freeze"), "{error}");
}

/// A list in place of sections is a list of sections, too.
#[test]
fn faults_in_a_list_are_frozen() {
    let (head, _) = CLUSTER.split_once("[[fault]]").unwrap();
    let list = "fault = [{ at = '1s', for = '1s', kind = 'crash', target = 'n2' }]\n";
    let text = format!("{list}{head}{MIX}");
    assert_eq!(known_by(&run(&text, 2)), known_by(&run(&frozen(&text, 2), 2)));
}

/// A producer or a fault more changes nothing of what is drawn.
#[test]
fn other_things_do_not_shift_the_faults() {
    let text = format!("{CLUSTER}{MIX}");
    let more = "[[fault]]\nat = '38s'\nfor = '1s'\nkind = 'disk-full'\ntarget = 'n3'\n";
    let more = format!("{text}\n{more}");
    for seed in 1..=5 {
        let mut with_more = faults(&run(&more, seed));
        with_more.retain(|row| !row.contains("disk-full"));
        assert_eq!(faults(&run(&text, seed)), with_more);
    }
}

/// With `when = "in-sync"` no two attacks overlap, and every node is up when one begins.
#[test]
fn faults_that_wait_find_the_cluster_whole() {
    let mix = "
        [nemesis]
        when = 'in-sync'
        every = '10ms'
        until = '35s'
        [[nemesis.fault]]
        kind = 'crash'
        targets = ['random', 'leader(orders)']
        for = { distribution = 'uniform', min = '100ms', max = '3s' }
    ";
    let (mut begun, mut skipped) = (0, 0);
    for seed in 1..=5 {
        let report = run(&format!("{}{mix}", CLUSTER.split("[[fault]]").next().unwrap()), seed);
        assert_eq!(report.summary.success_lost, 0, "seed {seed}: copies are in sync");
        let spans = &report.faults;
        for pair in spans.windows(2) {
            let ended = pair[0].ended.expect("it ended");
            // A node takes some seconds to boot, and is no copy before it has joined.
            assert!(pair[1].begun.since(ended).as_millis() > 2_000, "seed {seed}: {pair:?}");
        }
        begun += spans.len();
        skipped += faults(&report).iter().filter(|row| row.contains("skipped")).count();
    }
    assert!(begun >= 10, "{begun} faults in five runs");
    assert!(skipped > 100, "those that had no time any more are told: {skipped}");
}

/// With `when = "recovered"` a loss of power waits for nobody, but is left out while another broker
/// that lost power is not whole again; faults of other kinds do not matter.
#[test]
fn losses_of_power_can_be_kept_apart() {
    let mix = "
        [nemesis]
        at-most = 4
        every = '300ms'
        until = '35s'
        [[nemesis.fault]]
        kind = 'power-loss'
        when = 'recovered'
        for = { distribution = 'uniform', min = '100ms', max = '3s' }
        [[nemesis.fault]]
        kind = 'pause'
        for = '1s'
    ";
    let (mut losses, mut skipped, mut overlaps) = (0, 0, 0);
    for seed in 1..=5 {
        let report = run(&format!("{}{mix}", CLUSTER.split("[[fault]]").next().unwrap()), seed);
        let is_loss =
            |span: &&FaultSpan| report.catalog.faults[span.fault.index()].starts_with("power-loss");
        let spans: Vec<&FaultSpan> = report.faults.iter().filter(is_loss).collect();
        for pair in spans.windows(2).filter(|pair| pair[0].targets != pair[1].targets) {
            let ended = pair[0].ended.expect("it ended");
            // A node takes some seconds to boot, and is no copy before it has joined.
            assert!(pair[1].begun.since(ended).as_millis() > 2_000, "seed {seed}: {pair:?}");
        }
        let open = |loss: &&&FaultSpan| {
            report.faults.iter().any(|other| {
                other.fault != loss.fault
                    && other.begun <= loss.begun
                    && other.ended > Some(loss.begun)
            })
        };
        losses += spans.len();
        overlaps += spans.iter().filter(open).count();
        let left_out = |row: &&String| row.contains("skipped: power-loss");
        skipped += faults(&report).iter().filter(left_out).count();
    }
    assert!(
        losses >= 10 && overlaps > 0,
        "{losses} losses, {overlaps} of them under another fault"
    );
    assert!(skipped > 10, "those that would be too many are told: {skipped}");
}
