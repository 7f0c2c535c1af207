//! Portable scenarios: what they become in each mode is what one would write by hand, and
//! `docs/portable.md` says so.

use mqsim::run::{Families, Portable, parse, portable_document, simulate};
use mqsim::scenario::MOST_MEMORY;

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("it is there")
}

#[track_caller]
fn portable(text: &str) -> Portable {
    let families = Families::default();
    families.portable("any.toml", text.as_bytes(), &[]).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_page_has_what_the_families_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/portable.md");
    let page = read("docs/portable.md");
    let (begin, end) = ("<!-- modes -->\n", "<!-- end of modes -->");
    let (before, rest) = page.split_once(begin).expect("the page has a place for it");
    let (found, after) = rest.split_once(end).expect("the place has an end");
    let wanted = portable_document(&Families::default()) + "\n";
    if std::env::var_os("MQSIM_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(path, format!("{before}{begin}{wanted}{end}{after}")).unwrap();
        return;
    }
    let bless = "MQSIM_BLESS=1 cargo test --test project portable";
    assert!(found == wanted, "docs/portable.md is out of date: {bless}");
}

/// Everything but the variant: one destination with three copies, a load, and a fault of each role.
const COMMON: &str = r#"format = 1
name = "any"
mode = "any"
duration = "30s"
drain = "120s"

[cluster]
nodes = 3
boot-time = "3s"

[[destination]]
name = "orders"
copies = 3

[[producer]]
name = "p1"
to = "orders"
rate = "50/s"

[[consumer]]
name = "c1"
from = "orders"

[[fault]]
at = "5s"
for = "5s"
kind = "crash"
target = "leader(orders)"

[[fault]]
at = "20s"
for = "3s"
kind = "pause"
target = "follower(orders)"
"#;

/// Every mode reads the portable form, with each wish, in its first, usual and last release: a wish that a
/// release does not have, or that is spelt wrong, is refused by the family.
#[test]
fn every_mode_release_and_wish_is_a_scenario() {
    let families = Families::default();
    let (mut text, mut count) = (COMMON.to_owned(), 0);
    for info in families.modes() {
        assert!(info.dialect().is_some(), "{} does not read the portable form", info.mode.name);
        let (first, last) = info.mode.versions;
        for version in [first, info.mode.version, last] {
            for wish in ["as-shipped", "safest", "fastest"] {
                let mode = info.mode.name;
                text += &format!(
                    "[[variant]]\nname = \"v{count}\"\nmode = \"{mode}\"\nbroker-version = \
                     \"{version}\"\nwish = \"{wish}\"\n"
                );
                count += 1;
            }
        }
    }
    let portable = portable(&text);
    let wrong = (0..count).filter_map(|at| portable.prepare(&families, at, MOST_MEMORY).err());
    let wrong: Vec<String> = wrong.map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The text of a variant is a scenario, and the run is the same; each of its faults meets somebody.
#[test]
fn shipped_variants_run_as_they_are_printed_and_their_faults_meet_somebody() {
    let families = Families::default();
    let portable = portable(&read("scenarios/matrix.toml"));
    let names = portable.variants();
    for info in families.modes() {
        for wish in ["as-shipped", "safest"] {
            let name = format!("{}-{wish}", info.mode.name);
            assert!(names.contains(&name.as_str()), "scenarios/matrix.toml lacks {name}");
        }
    }
    for (at, name) in names.iter().enumerate() {
        let text = portable.written(at).unwrap().text;
        let printed = parse("printed.toml", text.as_bytes(), &[]).unwrap();
        let prepared = portable.prepare(&families, at, MOST_MEMORY).unwrap();
        let [one, other] = [&printed, &prepared].map(|one| simulate(one, 1, None).unwrap());
        assert_eq!(one.fingerprint, other.fingerprint, "{name}");
        assert_eq!(one.summary.attempted, 4_500, "{name}: the same load for all");
        // A broker that has no others cannot be cut off from them.
        let alone = text.contains("nodes = 1\n");
        let met = one.faults.iter().filter(|fault| !fault.targets.is_empty()).count();
        let least = if alone { 5 } else { 6 };
        assert!(met >= least, "{name}: only {met} faults meet somebody: {:?}", one.faults);
    }
}

/// A variant, and the same written by somebody who has never heard of the portable form.
struct Pair {
    variant: &'static str,
    /// Mode, hosts, and the sections of the broker and its clients.
    hand: &'static str,
    leader: &'static str,
    follower: &'static str,
}

const PAIRS: [Pair; 8] = [
    Pair {
        variant: "mode = \"rabbitmq-mirrored\"\nwish = \"safest\"",
        hand: r#"mode = "rabbitmq-mirrored"
            broker = { cluster_partition_handling = "pause_minority" }
            cluster = { nodes = 3, boot-time = "3s" }
            [[queue]]
            name = "orders"
            [[policy]]
            pattern = "^orders$"
            ha-mode = "exactly"
            ha-params = 3
            ha-sync-mode = "automatic"
            ha-promote-on-failure = "when-synced"
            [[consumer]]
            name = "c1"
            from = "orders"
            [[producer]]
            name = "p1"
            to = "orders"
            rate = "50/s"
            mandatory = true
            republish = true
            confirms = { window = 100 }"#,
        leader: "leader(orders)",
        follower: "mirror(orders, 1)",
    },
    Pair {
        variant: "mode = \"rabbitmq-quorum\"\nwish = \"fastest\"",
        hand: r#"mode = "rabbitmq-quorum"
            cluster = { nodes = 3, boot-time = "3s" }
            [[queue]]
            name = "orders"
            x-quorum-initial-group-size = 3
            [[consumer]]
            name = "c1"
            from = "orders"
            ack = "automatic"
            [[producer]]
            name = "p1"
            to = "orders"
            rate = "50/s""#,
        leader: "leader(orders)",
        follower: "follower(orders, 1)",
    },
    Pair {
        variant: "mode = \"kafka-legacy\"\nwish = \"safest\"",
        hand: r#"mode = "kafka-legacy"
            broker = { "log.flush.interval" = 1 }
            cluster = { nodes = 3, boot-time = "3s" }
            [[topic]]
            name = "orders"
            num.partitions = 1
            [[consumer]]
            name = "c1"
            from = "orders"
            groupid = "readers"
            [[producer]]
            name = "p1"
            to = "orders"
            rate = "50/s""#,
        leader: "leader(orders/1-0)",
        follower: "",
    },
    Pair {
        variant: "mode = \"kafka-isr\"\nbroker-version = \"2.8\"\nwish = \"safest\"\n\
                  [variant.topic]\n\"min.insync.replicas\" = 1",
        hand: r#"mode = "kafka-isr"
            broker-version = "2.8"
            cluster = { nodes = 3, boot-time = "3s" }
            [[topic]]
            name = "orders"
            partitions = 1
            replication-factor = 3
            min.insync.replicas = 1
            unclean.leader.election.enable = false
            [[producer]]
            name = "p1"
            to = "orders"
            rate = "50/s"
            acks = "all"
            retries = 2147483647
            enable.idempotence = true
            [[consumer]]
            name = "c1"
            from = "orders"
            group.id = "readers"
            auto.offset.reset = "earliest""#,
        leader: "leader(orders/0)",
        follower: "follower(orders/0, 1)",
    },
    Pair {
        variant: "mode = \"rocketmq-controller\"\nwish = \"safest\"",
        hand: r#"mode = "rocketmq-controller"
            cluster = { nodes = 3, boot-time = "3s" }
            [broker]
            slaves = 2
            minInSyncReplicas = 2
            allAckInSyncStateSet = true
            flushDiskType = "SYNC_FLUSH"
            [[topic]]
            name = "orders"
            queues = 1
            [[producer]]
            name = "p1"
            to = "orders"
            rate = "50/s"
            check-send-status = true
            retryAnotherBrokerWhenNotStoreOK = true
            [[consumer]]
            name = "c1"
            from = "orders""#,
        leader: "master(orders/broker-a-0)",
        follower: "slave(orders/broker-a-0, 1)",
    },
    Pair {
        variant: "mode = \"activemq-shared-storage\"\nwish = \"fastest\"",
        hand: r#"mode = "activemq-shared-storage"
            cluster = { nodes = 3, boot-time = "3s" }
            [[queue]]
            name = "orders"
            [[producer]]
            name = "p1"
            to = "orders"
            rate = "50/s"
            useAsyncSend = true
            delivery-mode = "non-persistent"
            [[consumer]]
            name = "c1"
            from = "orders""#,
        leader: "master",
        follower: "",
    },
    Pair {
        variant: "mode = \"artemis-replication\"\nwish = \"safest\"",
        hand: r#"mode = "artemis-replication"
            cluster = { nodes = 2, boot-time = "3s" }
            [broker]
            network-check-list = true
            [[queue]]
            name = "orders"
            [[producer]]
            name = "p1"
            to = "orders"
            rate = "50/s"
            ha = true
            duplicate-id = true
            reconnectAttempts = "unlimited"
            [[consumer]]
            name = "c1"
            from = "orders"
            ha = true
            reconnectAttempts = "unlimited""#,
        leader: "active",
        follower: "",
    },
    Pair {
        variant: "mode = \"rocketmq-master-slave\"",
        hand: r#"mode = "rocketmq-master-slave"
            cluster = { nodes = 3, boot-time = "3s" }
            [broker]
            slaves = 2
            [[topic]]
            name = "orders"
            queues = 1
            [[producer]]
            name = "p1"
            to = "orders"
            rate = "50/s"
            [[consumer]]
            name = "c1"
            from = "orders""#,
        leader: "master(orders/broker-a-0)",
        follower: "slave(orders/broker-a-0, 1)",
    },
];

#[test]
fn a_scenario_written_by_hand_gives_the_same_fingerprint() {
    let families = Families::default();
    for pair in &PAIRS {
        let text = format!("{COMMON}\n[[variant]]\nname = \"v\"\n{}\n", pair.variant);
        let portable = portable(&text);
        let prepared =
            portable.prepare(&families, 0, MOST_MEMORY).unwrap_or_else(|e| panic!("{e}"));
        let mut hand = format!(
            "format = 1\nname = \"hand\"\nduration = \"30s\"\ndrain = \"120s\"\n{}\n[[fault]]\nat = \
             \"5s\"\nfor = \"5s\"\nkind = \"crash\"\ntarget = \"{}\"\n",
            pair.hand, pair.leader
        );
        if !pair.follower.is_empty() {
            hand += &format!(
                "[[fault]]\nat = \"20s\"\nfor = \"3s\"\nkind = \"pause\"\ntarget = \"{}\"\n",
                pair.follower
            );
        }
        let by_hand = parse("hand.toml", hand.as_bytes(), &[]);
        let by_hand = by_hand.unwrap_or_else(|error| panic!("{error}"));
        for seed in [1, 7] {
            let [one, other] = [&prepared, &by_hand].map(|one| simulate(one, seed, None).unwrap());
            let written = portable.written(0).unwrap().text;
            assert_eq!(one.fingerprint, other.fingerprint, "{}\n{written}", pair.variant);
            assert_eq!(one.summary.attempted, 1_500);
        }
    }
}
