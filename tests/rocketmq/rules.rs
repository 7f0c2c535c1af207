//! Rules that show best in small runs of their own.

use mqsim::verdict::Report;

use crate::runs;

/// A run of so many seconds on so many brokers.
fn run(version: &str, seconds: u32, nodes: u32, rest: &str) -> Report {
    run_in("rocketmq-master-slave", version, seconds, nodes, rest, 1)
}

fn run_in(mode: &str, version: &str, seconds: u32, nodes: u32, rest: &str, seed: u64) -> Report {
    let text = format!(
        "format = 1\nname = 'rules'\nmode = '{mode}'\nbroker-version = '{version}'\n\
         duration = '{seconds}s'\ndrain = '5000s'\n[cluster]\nnodes = {nodes}\nboot-time = '1s'\n\
         [[topic]]\nname = 'orders'\nqueues = 2\n{rest}"
    );
    runs::run(&runs::prepared(&text, &[]), seed)
}

const ALONE: &str = "[broker]\nslaves = 0\n";
const CONSUMER: &str = "[[consumer]]\nname = 'c1'\nfrom = 'orders'\n";

fn producer(keys: &str) -> String {
    format!("[[producer]]\nname = 'p1'\nto = 'orders'\n{keys}\n")
}

/// When, in ms, an event happened for the first time from an instant on.
fn first(report: &Report, what: &str, from: u64) -> Option<u64> {
    let mut events = report.events.iter().filter(|event| event.what == what);
    events.find(|event| event.at.as_millis() >= from).map(|event| event.at.as_millis())
}

#[test]
fn sends_that_wait_for_too_long_are_refused() {
    // Appends of 10 ms: a hundred a second, and three hundred come.
    let busy = |rules: &str, version: &str| {
        let load = producer("rate = '300/s'\nsend = 'async'");
        let rest = format!("{ALONE}[costs]\nappend = '10ms'\n{rules}{load}{CONSUMER}");
        run(version, 10, 1, &rest).summary
    };
    let refused = busy("", "5.3");
    assert!(refused.rejected > 1_000, "{} refused", refused.rejected);
    let waits = busy("[rules]\nfast-failure = false\n", "5.3");
    assert!(waits.rejected < 10, "{} refused", waits.rejected);
    // What a broker that was frozen finds in its sockets is too much at once. A synchronous send is
    // tried elsewhere from 5.3 on, and not before.
    let rejected = |version: &str| {
        let load = producer("rate = '150/s'\nthreads = 300");
        let rest = format!(
            "{ALONE}[costs]\nappend = '10ms'\n{load}{CONSUMER}\
             [[fault]]\nkind = 'pause'\ntarget = 'n1'\nat = '5s'\nfor = '1s'\n"
        );
        run(version, 10, 2, &rest).summary.rejected
    };
    let (before, since) = (rejected("5.2"), rejected("5.3"));
    assert!(before > 20 && since < before / 2, "{before} rejected before 5.3, {since} since");
}

#[test]
fn an_older_file_of_offsets_is_left_unless_it_is_fsynced() {
    // What is consumed, and committed, comes once more if the file that says so was not durable.
    let duplicated = |version: &str| {
        let load = producer("rate = '100/s'\nstop = '20s'");
        let rest = format!(
            "[broker]\nslaves = 0\nflushDiskType = 'SYNC_FLUSH'\n{load}{CONSUMER}\
             [[fault]]\nkind = 'power-loss'\ntarget = 'n1, consumer(c1)'\nat = '30s'\nfor = '5s'\n"
        );
        run(version, 60, 1, &rest).summary.duplicated
    };
    assert_eq!(duplicated("5.3.4"), 0, "the file was fsynced");
    assert!(duplicated("5.3.3") > 500, "{} delivered again", duplicated("5.3.3"));
}

#[test]
fn a_slave_acknowledges_what_it_has_not_flushed() {
    // Both lose power at once: SYNC_MASTER promises copies in memory, not on disks.
    let gone = |rule: &str| {
        let load = producer("rate = '200/s'\nthreads = 20\nstop = '9.9s'");
        let rest = format!(
            "[broker]\nslaves = 1\nbrokerRole = 'SYNC_MASTER'\ninSyncReplicas = 2\n{rule}{load}\
             [[fault]]\nkind = 'power-loss'\ntarget = 'all'\nat = '10s'\nfor = '2s'\n"
        );
        run("5.3", 20, 2, &rest).summary.success_gone
    };
    let memory = gone("");
    let disk = gone("[rules]\nslave-acks-from-memory = false\n");
    assert!(memory > 0 && disk == 0, "{memory} and {disk} gone");
}

#[test]
fn a_slave_has_the_offsets_of_its_master() {
    // The master is gone for good, and a new consumer asks the slave where its group is.
    let again = |rule: &str| {
        let load = producer("rate = '100/s'\nstop = '10s'");
        let rest = format!(
            "{rule}{load}{CONSUMER}[[fault]]\nkind = 'crash'\ntarget = 'n1'\nat = '40s'\n\
             [[fault]]\nkind = 'crash'\ntarget = 'consumer(c1)'\nat = '39s'\nfor = '2s'\n"
        );
        run("4.9.4", 90, 2, &rest).summary.duplicated
    };
    let copied = again("");
    let not = again("[rules]\nslave-copies-offsets = false\n");
    assert!(copied == 0 && not > 900, "{copied} and {not} delivered again");
}

#[test]
fn a_slave_of_4_9_looks_at_held_pulls_every_five_seconds() {
    // NameServers do not see the master, so consumers go to its slave; a producer with an old route
    // still sends to it, and it pushes.
    let latency = |version: &str| {
        let load = producer("rate = '1/s'\nstart = '190s'\npollNameServerInterval = '1000s'");
        let rest = format!(
            "[broker]\nslaveReadEnable = true\n{load}{CONSUMER}\
             [[fault]]\nkind = 'partition'\nbetween = ['n1', 'ns1,ns2']\nclients = 'unaffected'\n\
             at = '5s'\nfor = '250s'\n"
        );
        run(version, 250, 2, &rest).summary.e2e_p50_us.expect("it was delivered")
    };
    let (before, since) = (latency("4.9.4"), latency("5.3"));
    assert!(before > 1_000_000, "{before} us before 5.0: up to five seconds");
    assert!(since < 120_000, "{since} us since: until the next push");
}

#[test]
fn a_consumer_waits_for_its_next_heartbeat_after_a_restart() {
    // A restarted broker knows no consumer. Before 5.2 it hears of them with their next heartbeats.
    let away = |version: &str, rule: &str| {
        let rest = format!(
            "{ALONE}{rule}{}{CONSUMER}[[fault]]\nkind = 'crash'\ntarget = 'n1'\nat = '35s'\nfor = '1s'\n",
            producer("rate = '100/s'")
        );
        run(version, 90, 1, &rest).summary.read_longest_ms.unwrap_or(0)
    };
    let (before, since) = (away("5.1.4", ""), away("5.3", ""));
    assert!(before > since + 1_000, "{before} ms before 5.2, {since} ms since");
    let known = away("5.1.4", "[rules]\nneed-subscription = false\n");
    assert!(known < before, "{known} ms if it needs none");
}

#[test]
fn other_sends_on_a_connection_that_times_out_are_tried_elsewhere() {
    let unknown = |rule: &str| {
        let rest = format!(
            "{rule}{}{CONSUMER}[[fault]]\nkind = 'pause'\ntarget = 'n1'\nat = '10s'\nfor = '2.9s'\n\
             [[fault]]\nkind = 'pause'\ntarget = 'n1'\nat = '20s'\nfor = '10s'\n",
            producer("rate = '100/s'\nthreads = 200")
        );
        run("5.3", 40, 4, &rest).summary.unknown
    };
    let (closes, keeps) = (unknown(""), unknown("[rules]\nclose-on-timeout = false\n"));
    assert!((1..=6).contains(&closes), "{closes} unknown: one each three seconds");
    assert!(keeps > 100, "{keeps} unknown if the connection is kept");
}

#[test]
fn a_slow_group_is_avoided_if_that_is_wanted() {
    let sent = |version: &str, keys: &str| {
        let rest = format!(
            "{}{CONSUMER}[[fault]]\nkind = 'pause'\ntarget = 'n1'\nat = '10s'\nfor = '5s'\n",
            producer(&format!("rate = '20/s'\nthreads = 1\n{keys}"))
        );
        run(version, 60, 4, &rest)
    };
    let plain = sent("5.3", "");
    let avoiding = sent("5.3", "sendLatencyEnable = true");
    let failed = |report: &Report| report.summary.unknown + report.summary.rejected;
    assert!(failed(&avoiding) < failed(&plain) || failed(&avoiding) == 1);
    assert!(first(&avoiding, "broker-avoided", 0).is_some());
    assert_eq!(first(&plain, "broker-avoided", 0), None);
    let long = sent("4.9.4", "sendLatencyEnable = true");
    let avoided = |report: &Report| {
        let events = report.events.iter().filter(|event| event.what == "broker-avoided");
        events.map(|event| event.count).max()
    };
    assert_eq!((avoided(&avoiding), avoided(&long)), (Some(10_000), Some(600_000)));
}

/// How often an event happened.
fn count(report: &Report, what: &str) -> usize {
    report.events.iter().filter(|event| event.what == what).count()
}

#[test]
fn what_was_delivered_after_its_delay_is_delivered_again_after_a_death() {
    // How far it has come with the delays a broker writes down every ten seconds.
    let again = |fault: &str| {
        let rest = format!(
            "{ALONE}{}[[consumer]]\nname = 'c1'\nfrom = 'orders'\nfails = '30%'\n{fault}",
            producer("rate = '40/s'\nstop = '20s'")
        );
        run("5.3", 40, 1, &rest).summary
    };
    let (calm, killed) =
        (again(""), again("[[fault]]\nkind = 'crash'\ntarget = 'n1'\nat = '27s'\nfor = '1s'\n"));
    assert_eq!((calm.processed, killed.processed), (calm.acked, killed.acked), "all is processed");
    let more = killed.duplicated - calm.duplicated.min(killed.duplicated);
    assert!(more > 20, "{} and {} deliveries beyond the first", calm.duplicated, killed.duplicated);
}

#[test]
fn what_a_dead_master_does_not_take_back_goes_to_another_group() {
    let rest = format!(
        "{}[[consumer]]\nname = 'c1'\nfrom = 'orders'\nfails = '30%'\nprocessing-time = '500ms'\n\
         [[fault]]\nkind = 'crash'\ntarget = 'n1'\nat = '10s'\nfor = '30s'\n",
        producer("rate = '30/s'\nstop = '20s'")
    );
    let report = run("5.3", 60, 4, &rest);
    assert!(count(&report, "send-back-failed") > 0, "the master is gone");
    let summary = &report.summary;
    assert_eq!((summary.processed, summary.acked_lost), (summary.attempted, 0));
}

#[test]
fn a_broadcast_consumer_does_not_send_back() {
    let summary = |model: &str| {
        let rest = format!(
            "{ALONE}{}[[consumer]]\nname = 'c1'\nfrom = 'orders'\nfails = '30%'\n\
             messageModel = '{model}'\n",
            producer("rate = '20/s'\nstop = '10s'")
        );
        run("5.3", 20, 1, &rest).summary
    };
    let (shares, has_all) = (summary("CLUSTERING"), summary("BROADCASTING"));
    assert_eq!((shares.processed, shares.acked_lost), (shares.acked, 0));
    assert!(has_all.acked_lost > 30 && has_all.unexplained == 0, "{} lost", has_all.acked_lost);
}

#[test]
fn messages_of_a_queue_are_consumed_in_order() {
    let reordered = |listener: &str| {
        let rest = format!(
            "{ALONE}{}[[consumer]]\nname = 'c1'\nfrom = 'orders'\nfails = '20%'\n\
             listener = '{listener}'\nprocessing-time = '1ms'\n",
            producer("rate = '20/s'\nstop = '10s'")
        );
        let summary = run("5.3", 20, 1, &rest).summary;
        assert_eq!(summary.processed, summary.acked, "all is processed with `{listener}`");
        summary.redelivered
    };
    // Both try again; in order it is within a second, in the queue.
    assert!(reordered("orderly") > 0 && reordered("concurrently") > 0);
}

#[test]
fn an_application_that_sends_again_has_what_a_hung_master_had_stored_twice() {
    let summary = |keys: &str| {
        let load = producer(&format!("rate = '100/s'\n{keys}"));
        let rest = format!(
            "{load}{CONSUMER}[[fault]]\nkind = 'pause'\ntarget = 'n1'\nat = '10s'\nfor = '20s'\n"
        );
        run("5.3", 50, 4, &rest).summary
    };
    let (once, again) = (summary(""), summary("resend = '10ms'"));
    assert!((5..=8).contains(&once.unknown) && once.duplicated == 0, "{} unknown", once.unknown);
    assert_eq!((again.unknown, again.acked), (0, again.attempted), "each is a success in the end");
    assert!((5..=8).contains(&again.duplicated), "{} twice", again.duplicated);
}

#[test]
fn a_dledger_member_that_votes_without_what_it_had_loses_what_was_acknowledged() {
    // The leader loses power and is back before another one is elected. It votes for the member that has
    // no more than is left to it, and the third cuts off what the two do not have.
    let lost = |rule: &str| -> u64 {
        let of_seed = |seed| {
            let rest = format!(
                "[broker]\nslaves = 2\n{rule}{}{CONSUMER}\
                 [[fault]]\nkind = 'power-loss'\ntarget = 'n1'\nat = '10s'\nfor = '5s'\n",
                producer("rate = '4k/s'\nthreads = 60\nstart = '9.8s'\nstop = '10.2s'")
            );
            run_in("rocketmq-dledger", "5.3", 20, 3, &rest, seed).summary.acked_lost
        };
        (1..=40).map(of_seed).sum()
    };
    let (memory, disk) = (lost(""), lost("[rules]\nack-unflushed = false\n"));
    assert!(
        memory > 0 && disk == 0,
        "{memory} lost with acknowledgements from memory, {disk} from disks"
    );
}
