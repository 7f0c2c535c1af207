//! Random faults do not break what a version of Kafka promises with safe settings, and when they
//! are over a cluster heals.
//!
//! Three replicas, `acks=all`, `min.insync.replicas=2`, clean elections, retries; 200 messages a
//! second for 30 s under kills, losses of power (never of a second broker before the first has all
//! again), pauses, partitions, clocks that are wrong and slow disks; then a minute in which a few
//! messages must get through. `cargo test` looks at some seeds of each version;
//! `MQSIM_CHAOS=10000 cargo test --release --test kafka chaos -- --nocapture` at so many in all,
//! and `MQSIM_CHAOS_FROM=700` begins at that seed. What is seen of each version is printed.

use std::collections::BTreeMap;

use crate::kit::{Broken, broken, chaos, each, number, prepared, run};
use crate::tally::Tally;
use mqsim::engine::{Span, Time};
use mqsim::observe::RoleRank;
use mqsim::run::Prepared;
use mqsim::verdict::{LaneState, Report, WindowKind};

/// A version, and where it keeps its metadata.
const VERSIONS: &[(&str, &str)] = &[
    ("0.8.2", "zookeeper"),
    ("0.10.2", "zookeeper"),
    ("1.0", "zookeeper"),
    ("2.8", "zookeeper"),
    ("2.8", "kraft"),
    ("3.6", "kraft"),
    ("4.1", "kraft"),
];

/// The last fault ends at this time.
const FAULTS_END: Time = Time::from_nanos(28_000_000_000);

/// So long after that everything is as it was before: a session of ZooKeeper's (18 s from 2.5 on),
/// which a broker that was killed waits for, two answers that did not come (30 s), and room.
const HEALS_WITHIN: Span = Span::from_secs(60);

/// A version with its settings, and whether brokers are missed sooner than by default.
struct Setting {
    name: String,
    scenario: Prepared,
    version: &'static str,
}

/// Something that does not heal.
const CONSUMERS: &str = "consumers did not get on";

impl Setting {
    /// Why a version is known not to heal so.
    fn weak(&self, ails: &[String]) -> Option<&'static str> {
        let only_consumers = ails.iter().all(|what| what == CONSUMERS);
        match self.version {
            // Its producer waits for an answer as long as there is a connection.
            "0.8.2" => Some("a producer waited for an answer, KIP-19"),
            // A consumer waits 305 s for an answer (request.timeout.ms; 30 s since 2.0), and for
            // the log to grow to where it was before that was cut.
            "0.10.2" | "1.0" if only_consumers => Some("a consumer waited, KIP-266, KIP-320"),
            // The controller took a broker for its former self, and told it nothing.
            "0.10.2" | "1.0" => Some("a broker that came back was not noticed, KIP-380"),
            _ => None,
        }
    }
}

fn settings() -> Vec<Setting> {
    let quick = [false, true].into_iter();
    let each = quick.flat_map(|quick| VERSIONS.iter().map(move |version| (version, quick)));
    each.map(|((version, metadata), quick)| {
        let name = format!("{version} {metadata}{}", if quick { " quick" } else { "" });
        let rate = "rate = { profile = \"steps\", steps = [{ at = \"0s\", rate = \"200/s\" }, \
                    { at = \"30s\", rate = \"5/s\" }] }";
        let text = chaos(version, metadata, quick)
            .replace("duration = \"30s\"", "duration = \"90s\"")
            .replace("rate = \"200/s\"", rate);
        Setting { name, scenario: prepared(&text, &[]), version }
    })
    .collect()
}

/// What came of a seed.
struct Seen {
    broken: Vec<Broken>,
    /// How long after the faults writes got through again.
    healed: Span,
    /// What did not heal as the version is known to.
    known: Option<&'static str>,
    wrong: Vec<String>,
    tally: Tally,
}

fn look(setting: &Setting, seed: u64) -> Seen {
    let report = run(&setting.scenario, seed);
    let broken = broken(&report);
    let claimed = broken.iter().filter(|broken| broken.claimed());
    let mut wrong: Vec<String> = claimed.map(ToString::to_string).collect();
    if report.summary.unexplained > 0 {
        wrong.push(format!("{} lost without a cause", report.summary.unexplained));
    }
    if report.inconsistencies > 0 {
        wrong.push(format!("{} reports contradict others", report.inconsistencies));
    }
    let gaps = |write: bool| {
        let of = report.windows.iter().filter(move |w| (w.kind == WindowKind::Write) == write);
        of.map(|window| window.end).max().unwrap_or(Time::ZERO).since(FAULTS_END)
    };
    let healed = gaps(true);
    let mut ails = ails(&report);
    if healed > HEALS_WITHIN {
        ails.push(format!("it took {} ms until writes got through", healed.as_millis()));
    }
    if gaps(false) > HEALS_WITHIN {
        ails.push(CONSUMERS.to_owned());
    }
    let happened = |word: &str| report.events.iter().any(|event| event.what == word);
    let misled = broken.iter().any(|one| one.name == "unclean-exclusion" && !one.claimed());
    let known = match &ails[..] {
        [] => None,
        // "Halting because log truncation is not allowed": such a broker needs somebody to help it
        // (ReplicaFetcherThread.scala 0.8.2 to 0.11; followers know where logs part since KIP-101).
        _ if happened("halted") => Some("a broker halted itself, KIP-101"),
        // It is in the middle of a batch of its leader's, which came back with less than it had
        // and leads in the same epoch: nothing tells that their logs part.
        _ if happened("fetcher-stuck") && misled => {
            Some("a leader was taken for its former self, KIP-631")
        }
        _ => setting.weak(&ails),
    };
    wrong.extend(ails.into_iter().filter(|_| known.is_none()));
    let mut tally = Tally::default();
    tally.record(&report, seed, known);
    Seen { broken, healed, known, wrong, tally }
}

/// What is not as it should be at the end: somebody waits for an answer or for messages, or a
/// replica is not in sync.
fn ails(report: &Report) -> Vec<String> {
    let mut wrong = Vec::new();
    if !report.quiet {
        wrong.push("it never became quiet".to_owned());
    }
    for lane in &report.lanes {
        let Some(destination) = lane.destination else { continue };
        let last = lane.stretches.last().filter(|(_, until, _)| *until >= report.ended);
        let rank = last.and_then(|(_, _, state)| match state {
            LaneState::Role(role) => Some(report.catalog.roles[role.index()].rank),
            LaneState::Node(_) | LaneState::Contact(_) => None,
        });
        let (node, of) = (report.catalog.node(lane.node), report.catalog.destination(destination));
        // A controller may tell a follower of an ISR that its leader has changed since, in the
        // same leader epoch (before 2.7): all three are in it if that is what the leader said last.
        let mut changes = report.events.iter().filter(|event| {
            event.destination == Some(destination) && event.what.starts_with("isr-")
        });
        let whole = changes.next_back().is_some_and(|event| event.count == 3);
        if rank.is_none() || (rank == Some(RoleRank::Lagging) && !whole) {
            wrong.push(format!("{node} is not in sync for {of}"));
        }
    }
    wrong
}

/// What was seen of a setting, for people.
fn row(setting: &Setting, seen: &[&Seen]) -> String {
    let words = &setting.scenario.catalog().invariants;
    let claimed = words.iter().filter(|word| word.claimed()).count();
    let slowest = seen.iter().map(|seen| seen.healed).max().unwrap_or(Span::ZERO);
    let bad = seen.iter().filter(|seen| !seen.wrong.is_empty()).count();
    let mut text = format!(
        "{}: {} seeds, {bad} bad; {claimed} of {} invariants claimed; writes healed within {} ms\n",
        setting.name,
        seen.len(),
        words.len(),
        slowest.as_millis(),
    );
    let mut known: BTreeMap<&str, u32> = BTreeMap::new();
    for reason in seen.iter().filter_map(|seen| seen.known) {
        *known.entry(reason).or_default() += 1;
    }
    for (reason, count) in known {
        text.push_str(&format!("  did not heal in {count} ({reason})\n"));
    }
    for word in words.iter().filter(|word| !word.claimed()) {
        let broke = |seen: &&&Seen| seen.broken.iter().any(|broken| broken.name == word.name);
        let count = seen.iter().filter(broke).count();
        if count > 0 {
            let lacks = word.lacks.join(", ");
            text.push_str(&format!("  {} broke in {count} (lacks {lacks})\n", word.name));
        }
    }
    text
}

#[test]
fn nothing_that_is_claimed_breaks_and_everything_heals() {
    let (seeds, from) = (number("MQSIM_CHAOS", 280) as usize, number("MQSIM_CHAOS_FROM", 1));
    let settings = settings();
    let seed_of = |index: usize| from + (index / settings.len()) as u64;
    let seen = each(seeds, |index| look(&settings[index % settings.len()], seed_of(index)));
    let mut complaints = Vec::new();
    for (place, setting) in settings.iter().enumerate() {
        let own: Vec<&Seen> = seen.iter().skip(place).step_by(settings.len()).collect();
        print!("{}", row(setting, &own));
        for (turn, seen) in own.iter().enumerate().filter(|(_, seen)| !seen.wrong.is_empty()) {
            let seed = from + turn as u64;
            let wrong = seen.wrong.join("\n  ");
            complaints.push(format!("{}, seed {seed}:\n  {wrong}", setting.name));
        }
    }
    let mut tally = Tally::default();
    seen.into_iter().for_each(|seen| tally.add(seen.tally));
    println!("{}", tally.text());
    let bad = complaints.len();
    assert!(bad == 0, "{bad} of {seeds} seeds:\n{}", complaints.join("\n"));
}
