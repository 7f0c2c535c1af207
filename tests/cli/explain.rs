//! `mqsim explain`: the story of a message is told as it happened, its point of no return and the settings that would
//! have saved it are right where they are known by construction.

use std::path::Path;

use mqsim::run::{Explanation, Turning, Which, explain, load};

use crate::sandbox::Sandbox;

fn explained(file: &str, sets: &[&str], which: &Which) -> Explanation {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(file);
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let prepared = load(&path, &sets).unwrap_or_else(|error| panic!("{file}: {error}"));
    let variant = |set: &str| {
        let more: Vec<String> = sets.iter().cloned().chain([set.to_owned()]).collect();
        load(&path, &more).ok()
    };
    explain(&prepared, prepared.seed(), which, &variant, 2)
        .unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A scenario, the cause of its first loss, how its point of no return begins, and a setting that saves the message.
type Known = (&'static str, &'static str, &'static str, &'static str);

const KNOWN: [Known; 12] = [
    (
        "cluster.toml",
        "unroutable-confirmed",
        "begins: crash home(orders)",
        "producer.p1.mandatory=true",
    ),
    (
        "failures/rabbitmq/05-restart-drops-transient-messages.toml",
        "transient-dropped",
        "begins: restart n1",
        "producer.p1.persistent=true",
    ),
    (
        "failures/kafka/r02-acks-1-leader-killed-4.1.toml",
        "truncated-to-leader",
        "begins: crash leader(orders/0)",
        "producer.p1.acks=all",
    ),
    (
        "failures/kafka/r27-zombie-leader-acks-1-0.11.toml",
        "truncated-to-leader",
        "begins: partition n1 | n2,n3,zk1",
        "producer.p1.acks=all",
    ),
    (
        "failures/kafka/p02-power-loss-unflushed.toml",
        "page-cache-lost",
        "begins: power-loss",
        "broker.log.flush.interval=1",
    ),
    (
        "activemq/a04-never.toml",
        "page-cache-lost",
        "begins: power-loss n1",
        "broker.journalDiskSyncStrategy=always",
    ),
    (
        "failures/kafka/r01-acks-0-leader-killed-4.1.toml",
        "",
        "begins: crash leader(orders/0)",
        "producer.p1.acks=all",
    ),
    (
        "failures/rabbitmq/15-transient-queue-home-killed.toml",
        "queue-not-durable",
        "begins: crash",
        "queue.orders.durable=true",
    ),
    (
        "failures/rabbitmq/13-home-node-killed-3.10.toml",
        "unroutable-confirmed",
        "begins: crash",
        "producer.p1.mandatory=true",
    ),
    (
        "failures/rabbitmq/30-pause-minority-leader-cut-off-3.3.toml",
        "wiped-on-rejoin",
        "begins: partition n1 | n2,n3",
        "",
    ),
    (
        "failures/kafka/librdkafka-reports-ignored-4.1.toml",
        "report-ignored",
        "begins: crash n2",
        "",
    ),
    (
        "failures/rabbitmq/07-unroutable.toml",
        "unroutable-confirmed",
        "never",
        "producer.p1.mandatory=true",
    ),
];

#[test]
fn the_point_of_no_return_and_the_setting_are_right_where_they_are_known() {
    let mut wrong = Vec::new();
    for (file, cause, turning, setting) in KNOWN {
        let told = explained(file, &[], &Which::FirstLoss);
        let found = told.ends.iter().find_map(|end| end.cause).map_or("", |(name, _)| name);
        let turned = match &told.turning {
            Some(Turning::Point { what, .. }) => what.clone(),
            Some(Turning::Never) => "never".to_owned(),
            None => "it is not lost".to_owned(),
        };
        let saved: Vec<&str> = told.saved_by.iter().map(|tried| &*tried.set).collect();
        let known = (cause.is_empty() || found == cause)
            && turned.starts_with(turning)
            && (setting.is_empty() || saved.contains(&setting));
        if !known {
            wrong.push(format!("{file}: {found}; {turned}; {saved:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The story of the first message that a cluster without mirrors loses: the dead home node, the publish that found no
/// queue, the confirm that came all the same.
#[test]
fn the_story_is_told_in_its_order() {
    let told = explained("cluster.toml", &[], &Which::FirstLoss);
    let before = told.before.join("\n");
    assert!(before.contains("n1 was leader of orders until 5.000000 s"), "{before}");
    assert!(before.contains("n1 is killed since 5.000000 s"), "{before}");
    let story: Vec<&str> = told.story.iter().map(|(_, sentence)| &**sentence).collect();
    let place = |word: &str| story.iter().position(|sentence| sentence.contains(word));
    let places = ["p1 sends it", "n2 makes no copy: unroutable-confirmed", "(acked)"].map(place);
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{story:?}");
    assert!(told.story.is_sorted_by_key(|(at, _)| *at), "by time");
    assert_eq!(told.ends[0].because.map(|(name, _)| name), Some("home-node-down"));
}

/// A message that arrived has a story, too, and no point of no return.
#[test]
fn a_message_that_is_not_lost_is_told_of_as_well() {
    let which = Which::Named { producer: "p1".to_owned(), destination: None, number: 7 };
    let told = explained("cluster.toml", &[], &which);
    assert_eq!((told.turning, told.saved_by.len(), told.tried), (None, 0, 0));
    let story: Vec<&str> = told.story.iter().map(|(_, sentence)| &**sentence).collect();
    assert!(story.iter().any(|sentence| sentence.contains("c1 has processed it")), "{story:?}");
}

#[test]
fn mistakes_say_what_to_write() {
    let sandbox = Sandbox::new();
    sandbox.ship("mirror");
    sandbox.ship("kafka-isr");
    let before = sandbox.tree();
    for (arguments, code, says) in [
        ("mirror.toml --message p9/1", 2, "the producers are p1"),
        ("mirror.toml --message p1/99999999", 2, "its numbers go from 0 to"),
        ("mirror.toml --message p1", 2, "as in p1/5012"),
        ("mirror.toml", 2, "no message was lost"),
        ("kafka-isr.toml --set topic.orders.partitions=3 --message p1/5", 2, "by destination"),
        ("kafka-isr.toml --message p1/orders/0/5", 0, "p1 sends it"),
    ] {
        let done = sandbox.mqsim(&format!("explain {arguments}"));
        let told = format!("{}{}", done.stdout, done.stderr);
        assert_eq!(done.code, Some(code), "{arguments}: {told}");
        assert!(told.contains(says), "{arguments}: {told}");
    }
    assert_eq!(before, sandbox.tree(), "nothing is written");
}
