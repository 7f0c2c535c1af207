//! What Kafka's clients send, when, and what they make of the answers: each against brokers that
//! do what a list says. Links take 1 ms, and nothing takes CPU time, so that a client knows the
//! cluster 4 ms after its start: two for the connection, two for metadata.

use crate::fake::{Change, Lab, React, Seen, range, view};
use mqsim::brokers::kafka::isr::message::Error;
use mqsim::engine::Span;

/// A producer of 100-byte messages with these keys.
fn producer(keys: &str) -> String {
    format!("[[producer]]\nname = \"p\"\nto = \"t\"\nmessage-size = \"100B\"\n{keys}")
}

/// The produce requests that a broker got: when (in ms), and the messages of each.
fn requests(seen: &Seen, broker: usize) -> Vec<String> {
    let one = |(at, batches): &(mqsim::engine::Time, Vec<_>)| {
        let batches: &Vec<mqsim::brokers::kafka::isr::message::Batch> = batches;
        let messages: Vec<String> = batches.iter().map(|batch| range(batch.messages)).collect();
        format!("{} {}", at.as_millis(), messages.join(" "))
    };
    seen.broker(broker).produced.iter().map(one).collect()
}

#[test]
fn a_batch_waits_for_linger_or_until_it_is_full() {
    let load = producer("rate = \"1k/s\"\ncount = 5\nacks = \"1\"\n\"linger.ms\" = 10\n");
    let seen = Lab::new("2.8", &view(&[1], 0), &load).run(1);
    assert_eq!(requests(&seen, 1), ["15 0:0-4"]);
    assert_eq!(seen.told(&["acked"]), ["16.000 acked 0:0-4"]);

    // 61 B of a batch and 108 B a message: three of them fill 400 B.
    let seen =
        Lab::new("2.8", &view(&[1], 0), &format!("{load}\"batch.size\" = \"400B\"\n")).run(1);
    assert_eq!(requests(&seen, 1), ["5 0:0-2", "15 0:3-4"]);
    assert!(seen.quiet);
}

#[test]
fn a_request_has_a_batch_of_each_partition_that_its_broker_leads() {
    let load = producer("rate = \"1k/s\"\ncount = 6\nacks = \"1\"\n\"linger.ms\" = 5\n");
    let seen = Lab::new("2.3", &view(&[1, 2, 1], 0), &load).run(1);
    let parts = |broker: usize| seen.broker(broker).produced.iter().map(|(_, b)| b.len()).collect();
    let (first, second): (Vec<usize>, Vec<usize>) = (parts(1), parts(2));
    assert_eq!((first, second), (vec![2], vec![1]), "round robin over three partitions");
}

/// Four messages of one batch each, the answer to the first is an error.
fn four(version: &str, keys: &str, react: React) -> Seen {
    let load = producer(&format!(
        "rate = \"1k/s\"\ncount = 4\nacks = \"all\"\n\"batch.size\" = 0\n{keys}"
    ));
    let lab = Lab::new(version, &view(&[1], 0), &load);
    lab.broker(1, |fake| fake.reacts([react])).run(1)
}

#[test]
fn a_batch_that_is_sent_again_lands_behind_those_that_were_under_way() {
    let refuse = React::Say(Error::NotEnoughReplicas);
    let seen = four("2.8", "", refuse);
    assert_eq!(seen.broker(1).log(0), "0:1 0:2 0:3 0:0");
    let one = "\"max.in.flight.requests.per.connection\" = 1\n";
    assert_eq!(four("2.8", one, refuse).broker(1).log(0), "0:0 0:1 0:2 0:3");
    // The default of retries was 0 up to 2.0.
    let seen = four("2.0", "", refuse);
    assert_eq!(seen.broker(1).log(0), "0:1 0:2 0:3");
    assert_eq!(seen.told(&["rejected"]), ["6.000 rejected 0:0"]);
}

#[test]
fn a_lost_connection_brings_batches_back_in_reverse_since_2_0() {
    let retries = "retries = 10\n";
    let seen = four("2.8", "", React::Break);
    assert_eq!(seen.broker(1).log(0), "0:3 0:2 0:1 0:0");
    assert_eq!(four("1.1", retries, React::Break).broker(1).log(0), "0:0 0:1 0:2 0:3");
    assert_eq!(four("2.0", retries, React::Break).broker(1).log(0), "0:3 0:2 0:1 0:0");
}

#[test]
fn a_response_that_is_lost_makes_a_duplicate() {
    let seen = four("2.8", "\"max.in.flight.requests.per.connection\" = 1\n", React::TakeAndBreak);
    assert_eq!(seen.broker(1).log(0), "0:0 0:0 0:1 0:2 0:3");
    assert_eq!(seen.told(&["acked 0:0", "unknown"]).len(), 1);
}

#[test]
fn errors_prove_that_nothing_was_stored_or_leave_it_open() {
    let told = |acks: &str, error: Error| {
        let keys = format!("rate = \"1k/s\"\ncount = 1\nretries = 0\nacks = \"{acks}\"\n");
        let lab = Lab::new("2.8", &view(&[1], 0), &producer(&keys));
        let seen = lab.broker(1, |fake| fake.reacts([React::Say(error)])).run(1);
        seen.told(&["0:0"])[1].split(' ').nth(1).expect("a word").to_owned()
    };
    assert_eq!(told("all", Error::NotEnoughReplicas), "rejected");
    assert_eq!(told("all", Error::NotEnoughReplicasAfterAppend), "unknown");
    assert_eq!(told("all", Error::RequestTimedOut), "unknown");
    assert_eq!(told("all", Error::MessageTooLarge), "rejected");
    assert_eq!(told("1", Error::NotLeaderOrFollower), "rejected");
    assert_eq!(told("all", Error::NotLeaderOrFollower), "unknown", "it may have waited there");
}

#[test]
fn a_leader_that_has_moved_is_found_again() {
    let load = producer("rate = \"1k/s\"\ncount = 1\nacks = \"1\"\nstart = \"500ms\"\n");
    let moved = view(&[2], 1);
    let lab = |version: &str| {
        Lab::new(version, &view(&[1], 0), &load)
            .broker(1, |fake| fake.at(100, Change::Know(moved.clone())))
            .broker(2, |fake| fake.at(100, Change::Know(moved.clone())))
    };
    let seen = lab("2.8").run(1);
    // Refused at 501, metadata at 504, sent again after the back-off of 100 ms, over a connection
    // that is made then.
    assert_eq!(
        seen.told(&["sent", "acked"]),
        ["500.000 sent 0:0", "604.000 sent 0:0", "606.000 acked 0:0"]
    );
    assert_eq!(seen.broker(2).log(0), "0:0");
    let seen = lab("2.0").run(1);
    assert_eq!(seen.told(&["rejected"]), ["502.000 rejected 0:0"], "retries is 0");
}

#[test]
fn a_request_that_is_not_answered_ends_its_connection() {
    let keys = "rate = \"1k/s\"\ncount = 2\nacks = \"1\"\n\"batch.size\" = 0\n\
                \"request.timeout.ms\" = 1000\n";
    let lab = Lab::new("2.8", &view(&[1], 0), &producer(keys));
    let seen = lab.broker(1, |fake| fake.reacts([React::Hush, React::Take])).run(5);
    // The broker answers in order, this one does not answer the first at all.
    assert_eq!(seen.broker(1).log(0), "0:0 0:1 0:0");
    let acked = seen.told(&["acked"]);
    assert_eq!(acked[0], "6.000 acked 0:1");
    // reconnect.backoff.ms is 50, give or take a fifth.
    assert_eq!(acked[1], "1108.000 acked 0:0");
}

#[test]
fn what_cannot_be_sent_is_given_up_as_its_version_does() {
    // Nobody leads the partition.
    let told = |version: &str, keys: &str| {
        let load = producer(&format!("rate = \"1k/s\"\ncount = 1\nacks = \"1\"\n{keys}"));
        let seen = Lab::new(version, &view(&[0], 0), &load).run(1);
        seen.told(&["0:0"]).iter().map(|line| (*line).to_owned()).collect::<Vec<String>>()
    };
    let nothing: Vec<String> = Vec::new();
    assert_eq!(told("2.8", ""), ["120004.000 unsent 0:0"], "delivery.timeout.ms");
    assert_eq!(told("2.8", "\"delivery.timeout.ms\" = 5000\n"), ["5004.000 unsent 0:0"]);
    assert_eq!(told("1.0", "\"linger.ms\" = 7\n"), ["30011.000 unsent 0:0"], "request.timeout.ms");
    assert_eq!(told("0.8.2", ""), nothing, "it waits for ever");
}

#[test]
fn a_batch_under_way_is_given_up_after_delivery_timeout() {
    let keys = "rate = \"1k/s\"\ncount = 1\nacks = \"all\"\n\"delivery.timeout.ms\" = 2000\n\
                \"request.timeout.ms\" = 2000\n";
    let lab = Lab::new("2.8", &view(&[1], 0), &producer(keys));
    let late = React::Late(Span::from_millis(2_500));
    let seen = lab.broker(1, |fake| fake.reacts([late])).run(1);
    assert_eq!(seen.told(&["0:0"]), ["4.000 sent 0:0", "2004.000 unknown 0:0"]);
    assert_eq!(seen.broker(1).log(0), "0:0", "it is stored all the same");
    assert!(seen.quiet);
}

#[test]
fn send_blocks_when_the_buffer_is_full_and_then_fails() {
    let keys = "rate = \"1k/s\"\ncount = 6\nacks = \"1\"\n\"batch.size\" = \"200B\"\n\
                \"buffer.memory\" = \"400B\"\n\"max.block.ms\" = 300\n";
    let lab = Lab::new("2.8", &view(&[1], 0), &producer(keys));
    let late = React::Late(Span::from_millis(1_000));
    let seen = lab.broker(1, |fake| fake.reacts([late, late])).run(3);
    // Two batches of one message each are under way; the third waits 300 ms for their memory, and
    // the fourth, the fifth, until the answers come.
    assert_eq!(
        seen.told(&["unsent"]),
        ["304.000 unsent 0:2", "604.000 unsent 0:3", "904.000 unsent 0:4"]
    );
    assert_eq!(seen.broker(1).log(0), "0:0 0:1 0:5");

    let gone = Lab::new("2.8", &view(&[1], 0), &producer(keys));
    let seen = gone.broker(1, |fake| fake.at(0, Change::Leave)).run(3);
    let unsent = seen.told(&["unsent"]);
    assert_eq!(unsent.len(), 6, "send() waits for metadata as well: {unsent:?}");
}

#[test]
fn without_acks_what_the_socket_took_counts_as_sent() {
    let keys = "rate = \"1k/s\"\ncount = 400\nacks = \"0\"\n\"batch.size\" = 0\n";
    let moved = view(&[2], 1);
    let seen = Lab::new("2.8", &view(&[1], 0), &producer(keys))
        .broker(1, |fake| fake.at(200, Change::Know(moved.clone())))
        .broker(2, |fake| fake.at(200, Change::Know(moved)))
        .run(1);
    assert_eq!(seen.told(&["accepted"]).len(), 400);
    let (first, second) = (seen.broker(1).logs[0].end(), seen.broker(2).logs[0].end());
    // The broker closes the connection at the first that it refuses: what was under way is lost,
    // and what is sent before the new leader is known.
    assert!((195..=200).contains(&first), "{first}");
    assert!((180..=199).contains(&second), "{second}");
}

#[test]
fn an_application_may_send_again_what_has_failed() {
    let keys = "rate = \"1k/s\"\ncount = 3\nacks = \"all\"\nretries = 0\nresend = true\n\
                \"linger.ms\" = 5\n";
    let lab = Lab::new("2.8", &view(&[1], 0), &producer(keys));
    let reacts = [React::Say(Error::NotEnoughReplicas), React::TakeAndSay(Error::RequestTimedOut)];
    let seen = lab.broker(1, |fake| fake.reacts(reacts)).run(1);
    assert_eq!(seen.broker(1).log(0), "0:0-2 0:0-2", "a duplicate");
    let words: Vec<&str> =
        seen.told(&["0:0-2"]).iter().map(|line| line.split_once(' ').expect("two").1).collect();
    let expected =
        ["sent 0:0-2", "nacked 0:0-2", "sent 0:0-2", "unknown 0:0-2", "sent 0:0-2", "acked 0:0-2"];
    assert_eq!(words, expected);
}

#[test]
fn messages_without_a_key_avoid_partitions_without_a_leader() {
    for version in ["2.3", "2.4", "3.3"] {
        let load = producer("rate = \"1k/s\"\ncount = 100\nacks = \"1\"\n\"enable\" = 0\n");
        let load = load.replace("\"enable\" = 0\n", "");
        // Which one a sticky producer begins with is drawn.
        let mut reached = [0; 3];
        for seed in 1..=8 {
            let mut lab = Lab::new(version, &view(&[1, 0, 2], 0), &load);
            lab.seed = seed;
            let seen = lab.run(1);
            // Known by then; in 2.3 the round goes over the two that are led.
            let to = |stream| {
                let of =
                    |message: &&(u64, mqsim::observe::MessageRange)| message.1.producer.0 == stream;
                seen.diary().attempted.iter().filter(of).count()
            };
            assert_eq!(to(1), 0, "{version}");
            assert_eq!(to(0) + to(2), 100, "{version}");
            if version == "2.3" {
                assert_eq!(to(0), 50);
            }
            (0..3).for_each(|stream| reached[stream as usize] += to(stream));
        }
        assert!(reached[0] > 0 && reached[2] > 0, "{version}: {reached:?}");
    }
}

#[test]
fn the_sticky_partition_changes_with_the_batch_or_with_its_bytes() {
    // Every message is a batch of its own, since it is sent at once.
    let load = producer("rate = \"100/s\"\ncount = 20\nacks = \"1\"\n");
    let changes = |version: &str| {
        let seen = Lab::new(version, &view(&[1, 1, 1], 0), &load).run(1);
        let streams: Vec<u32> = seen.diary().attempted.iter().map(|a| a.1.producer.0).collect();
        streams.windows(2).filter(|pair| pair[0] != pair[1]).count()
    };
    assert_eq!(changes("2.4"), 19, "another one for each new batch");
    assert_eq!(changes("3.3"), 0, "16384 bytes are not reached");
}

#[test]
fn a_key_decides_the_partition_for_good() {
    let load = producer("rate = \"1k/s\"\ncount = 60\nacks = \"1\"\nkeys = 6\n");
    let run = |leaders: &[u32]| {
        let seen = Lab::new("2.8", &view(leaders, 0), &load).run(1);
        seen.diary().attempted.iter().map(|a| a.1.producer.0).collect::<Vec<u32>>()
    };
    let all = run(&[1, 1, 1]);
    assert_eq!(all[..6], all[6..12]);
    assert_eq!(run(&[1, 2, 0]), all, "whether it is led or not");
}

/// A consumer of the only topic.
fn consumer(keys: &str) -> String {
    format!("[[consumer]]\nname = \"c\"\nfrom = \"t\"\n{keys}")
}

/// So many messages of stream 0 in a log, from `first` on.
fn some(first: u32, count: u32, epoch: u32) -> Change {
    Change::Append { partition: 0, stream: 0, first, count, epoch }
}

/// A topic of one partition, for which there must be a producer.
const WRITER: &str =
    "[[producer]]\nname = \"p\"\nto = \"t\"\nrate = \"1/s\"\ncount = 1\nstart = \"59s\"\n";

fn reader(version: &str, keys: &str) -> Lab {
    let sections = format!("{WRITER}{}", consumer(keys));
    Lab::new(version, &view(&[1], 0), &sections)
}

#[test]
fn a_consumer_waits_at_the_end_and_is_told_at_once() {
    let seen = reader("2.8", "").broker(1, |fake| fake.at(100, some(0, 3, 0))).run(1);
    assert_eq!(
        seen.told(&["0:0"]),
        ["101.000 delivered 0:0-2 of 0", "101.000 processed 0:0-2"],
        "a hop after they came, which the fetch had waited for"
    );
    assert_eq!(seen.told(&["wants"]), ["0.000 wants 0"]);
    let waits: Vec<u64> = seen.broker(1).fetches.iter().map(|(at, _)| at.as_millis()).collect();
    assert_eq!(waits[..3], [5, 102, 604], "fetch.max.wait.ms is 500");
    assert!(seen.quiet);
}

#[test]
fn an_application_works_on_one_message_after_the_other() {
    let keys = "processing-time = \"10ms\"\n\"max.poll.records\" = 2\n";
    let seen = reader("2.8", keys).broker(1, |fake| fake.at(100, some(0, 5, 0))).run(1);
    let delivered = seen.told(&["delivered"]);
    assert_eq!(delivered[0], "101.000 delivered 0:0 of 0");
    assert_eq!(delivered[4], "141.000 delivered 0:4 of 0");
    assert_eq!(
        seen.told(&["wants"]),
        ["0.000 wants 0", "101.000 wants no more of 0", "151.000 wants 0"]
    );
    // The next fetch goes out when the last of what was fetched is handed over, not before.
    assert_eq!(seen.broker(1).fetches[1].0.as_millis(), 142);
    assert_eq!(seen.broker(1).fetches[1].1.parts[0].offset, 5);
}

#[test]
fn a_consumer_that_closes_finishes_what_it_has_in_hand() {
    let keys = "processing-time = \"10ms\"\nstop = \"115ms\"\n";
    let seen = reader("2.8", keys).broker(1, |f| f.at(100, some(0, 3, 0))).run(1);
    assert_eq!(seen.told(&["processed"]).len(), 3);
    assert_eq!(seen.told(&["wants"]), ["0.000 wants 0", "101.000 wants no more of 0"]);
    assert!(seen.quiet);
}

#[test]
fn a_consumer_that_starts_late_begins_where_it_is_told() {
    let start = |reset: &str| {
        let keys = format!("start = \"500ms\"\n\"auto.offset.reset\" = \"{reset}\"\n");
        let lab = reader("2.8", &keys);
        let seen = lab.broker(1, |f| f.at(100, some(0, 3, 0)).at(800, some(3, 2, 0))).run(1);
        seen.told(&["delivered", "offset-reset"]).join(", ")
    };
    assert_eq!(start("earliest"), "508.000 delivered 0:0-2 of 0, 801.000 delivered 0:3-4 of 0");
    assert_eq!(start("latest"), "801.000 delivered 0:3-4 of 0");
    assert_eq!(start("none"), start("earliest"), "its application seeks to the start");
}

#[test]
fn a_new_leader_that_does_not_know_its_end_is_asked_again() {
    let lab = reader("2.8", "start = \"500ms\"\n");
    let seen = lab
        .broker(1, |mut fake| {
            fake.offset_errors.extend([Error::OffsetNotAvailable; 2]);
            fake.at(600, some(0, 1, 0)).at(900, some(1, 1, 0))
        })
        .run(1);
    // Asked at 505 and again with each new metadata, 100 ms apart; 2 ms each.
    assert_eq!(seen.told(&["delivered"]), ["901.000 delivered 0:1 of 0"]);
}

#[test]
fn an_offset_out_of_range_skips_reads_again_or_stops() {
    let lost = |reset: &str| {
        let keys = format!("\"auto.offset.reset\" = \"{reset}\"\n");
        let seen = reader("2.2", &keys)
            .broker(1, |fake| {
                let fake = fake.at(100, some(0, 4, 0)).at(100, some(4, 6, 0));
                let fake = fake.at(200, Change::Cut(0, 4)).at(201, some(100, 2, 1));
                fake.at(400, some(102, 2, 1))
            })
            .run(1);
        let told = seen.told(&["delivered", "offset-reset", "stopped"]);
        let after = told.iter().position(|line| line.contains("of 0")).expect("it reads") + 2;
        told[after..].join(", ").replace(" of 0", "")
    };
    // The fetch from 10 that waits is looked at when the log is cut to 4: out of range.
    assert_eq!(lost("latest"), "203.000 offset-reset 6, 401.000 delivered 0:102-103");
    assert_eq!(
        lost("earliest"),
        "203.000 offset-reset 0, 205.000 delivered 0:0-3, 205.000 delivered 0:100-101, \
         401.000 delivered 0:102-103"
    );
    assert_eq!(lost("none"), "201.000 consumer-stopped 10");
}

#[test]
fn a_log_that_was_cut_and_has_grown_again_is_noticed_since_2_3() {
    let read = |version: &str| {
        let seen = reader(version, "")
            .broker(1, |fake| {
                let fake = fake.at(100, some(0, 4, 0)).at(100, some(4, 6, 0));
                let fake = fake.at(150, Change::BreakAll).at(150, Change::Cut(0, 4));
                fake.at(150, some(100, 8, 1)).at(150, Change::Know(view(&[1], 1)))
            })
            .broker(2, |fake| fake.at(150, Change::Know(view(&[1], 1))))
            .run(1);
        seen.told(&["delivered", "truncation"])[2..].join(", ").replace(" of 0", "")
    };
    // The connection that broke is made again after reconnect.backoff.ms.
    assert_eq!(read("2.2"), "212.893 delivered 0:106-107", "six messages are skipped in silence");
    assert_eq!(read("2.8"), "202.317 truncation-detected 4, 204.317 delivered 0:100-107");
}

#[test]
fn a_consumer_follows_the_leader() {
    let moved = view(&[2], 1);
    let seen = reader("2.8", "")
        .broker(1, |fake| fake.at(300, some(0, 1, 0)).at(500, Change::Know(moved.clone())))
        .broker(2, |fake| {
            let fake = fake.at(300, some(0, 1, 0)).at(400, some(1, 1, 1));
            fake.at(500, Change::Know(moved))
        })
        .run(1);
    let told = seen.told(&["delivered", "truncation"]);
    // Told at 501, metadata at 503, connected with the other at 505, validated at 507.
    assert_eq!(told, ["301.000 delivered 0:0 of 0", "509.000 delivered 0:1 of 0"]);
    assert_eq!(seen.told(&["wants"]), ["0.000 wants 0"], "it wants messages all the while");
}

#[test]
fn an_auditor_reads_everything_when_the_load_has_ended() {
    let lab = Lab::new("2.8", &view(&[1, 2], 0), WRITER)
        .broker(1, |fake| fake.at(100, some(0, 3, 0)))
        .broker(2, |fake| {
            let (partition, stream) = (1, 0);
            let other = Change::Append { partition, stream, first: 7, count: 2, epoch: 0 };
            fake.at(100, other)
        });
    let auditor = lab.auditor();
    let seen = lab.run_with(2, vec![auditor]);
    assert!(seen.quiet);
    let mut told: Vec<&str> = seen.told(&["delivered"]);
    told.iter_mut().for_each(|line| *line = line.split_once(' ').expect("two").1);
    told.sort_unstable();
    // What was re-partitioned stays on its line.
    assert_eq!(told, ["delivered 0:0-2 of 0", "delivered 0:7-8 of 0"]);
}

#[test]
fn a_producer_that_dies_loses_what_it_holds_and_goes_on_after_it() {
    let keys = "rate = \"1k/s\"\ncount = 30\nacks = \"1\"\n\"batch.size\" = \"400B\"\n\
                \"max.in.flight.requests.per.connection\" = 1\n\"linger.ms\" = 5\n";
    let mut lab = Lab::new("2.8", &view(&[1], 0), &producer(keys));
    lab.faults.push(crate::fake::crash(3, 20, 100));
    let late = React::Late(Span::from_millis(500));
    let seen = lab.broker(1, |fake| fake.reacts([late])).run(1);
    // Three messages are under way, the others wait behind them.
    assert_eq!(seen.told(&["unknown"]), ["20.000 unknown 0:0-2"]);
    let unsent: usize = seen.told(&["unsent"]).len();
    assert!(unsent > 0, "those that waited");
    assert!(seen.broker(1).log(0).ends_with('9'), "{}", seen.broker(1).log(0));
    assert!(seen.quiet);
}

fn scala(keys: &str) -> String {
    producer(&format!("client = \"scala\"\n{keys}"))
}

#[test]
fn the_scala_producer_gives_up_after_four_tries() {
    let load = scala("rate = \"2/s\"\ncount = 2\nstart = \"100ms\"\nacks = \"-1\"\nretries = 3\n");
    let lab = Lab::new("0.8.2", &view(&[1], 0), &load);
    let seen = lab.broker(1, |fake| fake.at(500, Change::Leave)).run(2);
    // Metadata and the connection for requests are two connections.
    assert_eq!(seen.told(&["0:0"]), ["106.000 sent 0:0", "108.000 acked 0:0"]);
    // Four tries, 100 ms and two refusals apart, and a last refresh.
    assert_eq!(seen.told(&["0:1"]), ["1014.000 unsent 0:1"]);
}

#[test]
fn the_scala_producer_tries_another_partition_and_the_message_stays_on_its_line() {
    let load = scala("rate = \"1/s\"\ncount = 10\nacks = \"1\"\nretries = 9\n");
    let log = |seed: u64| {
        let mut lab = Lab::new("0.8.2", &view(&[1, 2], 0), &load).broker(1, |mut fake| {
            fake.leads = vec![false; 2];
            fake
        });
        lab.seed = seed;
        let seen = lab.run(20);
        assert_eq!(seen.told(&["acked"]).len(), 10);
        assert_eq!(seen.broker(1).log(0), "");
        seen.broker(2).log(1)
    };
    // Which partition the first message was meant for is drawn.
    let logs: Vec<String> = (1..=6).map(log).collect();
    let both = |log: &&String| log.starts_with("0:0 1:0") || log.starts_with("0:0 0:1");
    assert!(logs.iter().any(|log| both(&log)), "stream 0 in the log of partition 1: {logs:?}");
}

#[test]
fn the_asynchronous_scala_producer_drops_what_it_cannot_send() {
    let load = scala(
        "rate = \"1k/s\"\ncount = 10\nacks = \"1\"\nretries = 3\n\"producer.type\" = \"async\"\n\
         \"queue.buffering.max.ms\" = 100\n",
    );
    let seen = Lab::new("0.8.2", &view(&[1], 0), &load).run(1);
    assert_eq!(seen.told(&["accepted"]).len(), 10, "send() only puts it into the queue");
    assert_eq!(requests(&seen, 1), ["107 0:0-9"], "queue.buffering.max.ms, and two connections");

    let lab = Lab::new("0.8.2", &view(&[1], 0), &load);
    let seen = lab.broker(1, |fake| fake.at(0, Change::Leave)).run(2);
    let dropped = seen.told(&["dropped"]);
    assert_eq!(dropped.len(), 1, "{dropped:?}");
    assert!(dropped[0].ends_with("dropped 0:0-9 batch-dropped"));

    let keys = "\"queue.buffering.max.messages\" = 3\n\"queue.enqueue.timeout.ms\" = 0\n\
                \"batch.num.messages\" = 2\n";
    let lab = Lab::new("0.8.2", &view(&[1], 0), &format!("{load}{keys}"));
    let late = React::Late(Span::from_millis(500));
    let seen = lab.broker(1, |fake| fake.reacts([late])).run(2);
    assert_eq!(seen.told(&["unsent"]).len(), 5, "two are under way and three wait");
    assert_eq!(seen.broker(1).logs[0].end(), 5);
}

#[test]
fn who_only_writes_learns_late_that_a_connection_has_ended() {
    let load = scala("rate = \"5/s\"\ncount = 5\nacks = \"0\"\n");
    let lab = Lab::new("0.8.2", &view(&[1], 0), &load);
    let seen = lab.broker(1, |fake| fake.reacts([React::Close])).run(3);
    assert_eq!(seen.told(&["accepted"]).len(), 5);
    // The first was refused, the second written into a connection that nobody reads; writing the
    // third fails, so it is sent again.
    assert_eq!(seen.broker(1).log(0), "0:2 0:3 0:4");
    assert!(seen.broker(1).produced[1].0.as_millis() > 500, "after the back-off");
}

/// Four messages of one batch each from an idempotent producer; `reacts` is what the broker does.
fn numbered(version: &str, keys: &str, reacts: &[React]) -> Seen {
    let load = producer(&format!(
        "rate = \"1k/s\"\ncount = 4\nacks = \"all\"\n\"batch.size\" = 0\n\
         \"enable.idempotence\" = true\n{keys}"
    ));
    let lab = Lab::new(version, &view(&[1], 0), &load);
    lab.broker(1, |fake| fake.reacts(reacts.iter().copied())).run(5)
}

/// The sequences that a broker got, with the epoch: `0/3` for sequence 3 of epoch 0.
fn sequences(seen: &Seen) -> String {
    let batches = seen.broker(1).produced.iter().flat_map(|(_, batches)| batches);
    let borne = batches.filter_map(|batch| batch.sequenced);
    let all: Vec<String> = borne.map(|own| format!("{}/{}", own.by.epoch, own.first)).collect();
    all.join(" ")
}

#[test]
fn an_idempotent_producer_sends_again_in_order_with_the_same_sequences() {
    let refuse = React::Say(Error::NotEnoughReplicas);
    let gap = React::Say(Error::OutOfOrderSequence);
    // The first is refused, and so the others are.
    let seen = numbered("3.9", "", &[refuse, gap, gap, gap]);
    assert_eq!(sequences(&seen), "0/0 0/1 0/2 0/3 0/0 0/1 0/2 0/3");
    assert_eq!(seen.broker(1).log(0), "0:0 0:1 0:2 0:3");
    assert_eq!(seen.told(&["acked"]).len(), 4);
    // One at a time until the gap is closed.
    let times: Vec<u64> =
        seen.broker(1).produced[4..].iter().map(|(at, _)| at.as_millis()).collect();
    assert!(times.windows(2).all(|pair| pair[1] >= pair[0] + 2), "{times:?}");
    // A lost connection changes nothing in the order.
    let seen = numbered("3.9", "", &[React::Break]);
    assert_eq!(sequences(&seen), "0/0 0/0 0/1 0/2 0/3");
    assert_eq!(seen.broker(1).log(0), "0:0 0:1 0:2 0:3");
}

#[test]
fn a_gap_behind_what_was_acknowledged_begins_the_next_epoch() {
    let gap = React::Say(Error::OutOfOrderSequence);
    let seen = numbered("3.9", "", &[React::Take, gap, gap, gap]);
    assert_eq!(sequences(&seen), "0/0 0/1 0/2 0/3 1/0 1/1 1/2");
    assert_eq!(seen.broker(1).log(0), "0:0 0:1 0:2 0:3");
    assert_eq!(seen.told(&["producer-epoch-bumped"]).len(), 1);
    assert_eq!(seen.told(&["acked"]).len(), 4, "the application is told of no error");
    // Before 2.5 it is, and the others go on under another id.
    let seen = numbered("2.4", "", &[React::Take, gap, gap, gap]);
    assert_eq!(seen.told(&["producer-id-reset"]).len(), 1);
    assert_eq!(seen.told(&["rejected"]).len(), 3);
}

#[test]
fn a_batch_that_has_failed_for_good_begins_the_next_epoch() {
    let seen = numbered("3.9", "", &[React::Say(Error::MessageTooLarge), React::Take]);
    assert_eq!(seen.told(&["rejected"]).len(), 1);
    assert_eq!(seen.told(&["producer-epoch-bumped"]).len(), 1);
    assert_eq!(seen.told(&["acked"]).len(), 3);
}

#[test]
fn what_was_given_up_after_another_try_holds_new_batches_back() {
    // Sent twice, and never answered: it may be in the log or not.
    let keys = "\"delivery.timeout.ms\" = 1000\n\"request.timeout.ms\" = 400\n";
    let hush = [React::Ignore; 8];
    let seen = numbered("3.9", keys, &hush);
    assert_eq!(seen.told(&["unknown"]).len(), 4);
    assert_eq!(seen.told(&["producer-epoch-bumped"]).len(), 1, "once nothing is under way");
}

#[test]
fn an_idempotent_producer_has_one_request_under_way_before_1_0() {
    let seen = numbered(
        "0.11",
        "retries = 9\n\"max.in.flight.requests.per.connection\" = 1\n",
        &[React::Break],
    );
    assert_eq!(sequences(&seen), "0/0 0/0 0/1 0/2 0/3");
    assert_eq!(seen.broker(1).log(0), "0:0 0:1 0:2 0:3");
}

#[test]
fn who_does_not_look_takes_for_sent_what_its_client_has_taken() {
    let load = producer(
        "rate = \"1k/s\"\ncount = 1\nclient = \"librdkafka\"\n\"delivery-reports\" = \"ignored\"\n\
         \"delivery.timeout.ms\" = 1000\n",
    );
    // Nobody leads the partition.
    let seen = Lab::new("3.9", &view(&[0], 0), &load).run(2);
    assert_eq!(seen.told(&["0:0"]), ["4.000 accepted 0:0", "1004.000 dropped 0:0 report-ignored"]);
    // One that looks learns of it.
    let looks = load.replace("ignored", "handled");
    let seen = Lab::new("3.9", &view(&[0], 0), &looks).run(2);
    assert_eq!(seen.told(&["0:0"]), ["1004.000 unsent 0:0"]);
}

#[test]
fn librdkafka_refuses_at_once_what_its_queue_has_no_room_for() {
    let load = producer(
        "rate = \"1k/s\"\ncount = 4\nclient = \"librdkafka\"\n\"batch.size\" = 0\n\
         \"buffer.memory\" = \"400B\"\n",
    );
    let seen = Lab::new("3.9", &view(&[0], 0), &load).run(1);
    let unsent = seen.told(&["unsent"]);
    assert_eq!(unsent[0], "4.000 unsent 0:2", "169 B each");
}
