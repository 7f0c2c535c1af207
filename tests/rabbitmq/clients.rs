//! What clients do when something goes wrong with them or their connections: whole runs.

use mqsim::run::{Prepared, parse, simulate};
use mqsim::verdict::Report;

/// A scenario of three nodes and one queue with these sections at its end.
fn run(sections: &str) -> Report {
    let text = format!(
        "format = 1\nname = \"clients\"\nmode = \"rabbitmq-cluster\"\nduration = \"20s\"\n\
         [cluster]\nnodes = 3\nboot-time = \"2s\"\n[[queue]]\nname = \"orders\"\nleader = \"n3\"\n\
         {sections}"
    );
    let prepared: Prepared = parse("clients", text.as_bytes(), &[]).expect("a scenario");
    simulate(&prepared, 1, None).expect("it ends")
}

const PRODUCER: &str = "[[producer]]\nname = \"p1\"\nto = \"orders\"\nrate = \"100/s\"\n\
                        confirms = true\nconnect = [\"n1\", \"n2\", \"n3\"]\n";
const TWO_NODES_DIE: &str =
    "[[fault]]\nat = \"5s\"\nfor = \"1min\"\nkind = \"crash\"\ntarget = \"n1,n2\"\n";

/// How long nothing could be published when the first two nodes of three died.
fn longest(order: &str) -> u64 {
    let report = run(&format!("{PRODUCER}connect-order = \"{order}\"\n{TWO_NODES_DIE}"));
    report.summary.write_longest_ms.expect("it was measured")
}

#[test]
fn a_client_tries_one_node_after_each_pause_or_all_of_them() {
    let (next, listed, shuffled) = (longest("next"), longest("listed"), longest("shuffled"));
    assert!((9_900..10_500).contains(&next), "two pauses, n2 and n3: {next}");
    assert!((4_900..5_500).contains(&listed), "one pause, then all: {listed}");
    assert!((4_900..5_500).contains(&shuffled), "the same: {shuffled}");
}

const LARGE: &str = "[broker]\nmax_message_size = \"1KiB\"\n[[producer]]\nname = \"large\"\n\
                     to = \"orders\"\nrate = \"10/s\"\ncount = 10\nmessage-size = \"2KiB\"\n\
                     confirms = true\n";

#[test]
fn a_channel_that_the_broker_closed_is_opened_again_only_if_asked() {
    let again = run(LARGE);
    assert_eq!(again.summary.unknown, 10, "each closes its channel: {:?}", again.summary);
    assert!(again.quiet);
    let once = run(&format!("{LARGE}reopen-channel = false\n"));
    assert_eq!((once.summary.unknown, once.summary.unsent), (1, 9), "{:?}", once.summary);
    assert!(once.quiet);
}

#[test]
fn what_an_unlimited_consumer_has_in_hand_when_its_host_freezes_is_bounded() {
    let consumer = "[[consumer]]\nname = \"c1\"\nfrom = \"orders\"\nack = \"automatic\"\n\
                    [[fault]]\nat = \"5s\"\nfor = \"9s\"\nkind = \"pause\"\ntarget = \"consumer(c1)\"\n\
                    [[fault]]\nat = \"13s\"\nkind = \"crash\"\nfor = \"1s\"\ntarget = \"consumer(c1)\"\n";
    let load = PRODUCER.replace("100/s", "2k/s");
    let bounded = run(&format!("{load}{consumer}")).summary.success_lost;
    let unbounded = run(&format!("{load}{consumer}[rules]\nlimit-unsent-deliveries = false\n"));
    assert!(bounded > 200, "what the sockets hold, and 200 more: {bounded}");
    assert!(unbounded.summary.success_lost > bounded * 2, "{}", unbounded.summary.success_lost);
}

/// A node that was without power has forgotten its connections and says nothing of that. A consumer that waits for
/// deliveries learns it by its heartbeats, and reads on: the run does not end before.
#[test]
fn a_consumer_whose_node_was_without_power_notices_and_reads_what_has_come_since() {
    let report = run(&format!(
        "{PRODUCER}[[consumer]]\nname = \"c1\"\nfrom = \"orders\"\nconnect = [\"n3\"]\n\
         [[fault]]\nat = \"5s\"\nfor = \"5s\"\nkind = \"power-loss\"\ntarget = \"n3\"\n"
    ));
    assert_eq!(report.summary.waiting_at_end, 0);
    assert_eq!(
        report.summary.unreachable_at_end, 0,
        "it was connected to n3, which came back at 10 s"
    );
}
