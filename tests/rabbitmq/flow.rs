//! Flow in whole clusters: what is outstanding between processes, and how often a payload travels.

use mqsim::brokers::kit::Family;
use mqsim::brokers::rabbitmq::keys::SECTIONS;
use mqsim::brokers::rabbitmq::machine::{RabbitCluster, RabbitMachine};
use mqsim::brokers::rabbitmq::plan::{Mode, plan};
use mqsim::engine::{Span, Time};
use mqsim::observe::Observer;
use mqsim::run::{parse, simulate};
use mqsim::scenario::Document;
use mqsim::world::{self, Simulation};

#[derive(Clone, Copy, Debug)]
struct Nobody;

impl Observer for Nobody {}

/// Mirrors that are frozen again and again, below the time after which they are given up.
const FROZEN: &str = r#"
format = 1
name = "frozen"
mode = "rabbitmq-mirrored"
duration = "12s"
[cluster]
nodes = 3
[cluster.network]
socket-buffer = "64KiB"
[[policy]]
pattern = "orders"
ha-mode = "all"
[[queue]]
name = "orders"
leader = "n1"
[[producer]]
name = "p1"
to = "orders"
connect = ["n1"]
rate = "3000/s"
message-size = "100B"
[[producer]]
name = "p2"
to = "orders"
connect = ["n2"]
rate = "3000/s"
message-size = "100B"
confirms = true
[[consumer]]
name = "c1"
from = "orders"
connect = ["n3"]
prefetch = 50
[[fault]]
at = "2s"
for = "1500ms"
kind = "pause"
target = "random"
[[fault]]
at = "5s"
for = "700ms"
kind = "pause"
target = "random"
[[fault]]
at = "7s"
for = "2s"
kind = "pause"
target = "random"
"#;

/// A process that is blocked goes on with what it has: so a channel sends on what its connection
/// has credit for, and no more than twice the credit is outstanding at a replica. When all is at
/// rest, every grant has arrived.
#[test]
fn what_a_channel_has_outstanding_at_a_replica_is_bounded_and_every_grant_arrives() {
    const CREDIT: i64 = 400;
    let sections: Vec<_> = world::SECTIONS
        .iter()
        .chain([&&world::fault::FAULT, &&world::fault::NEMESIS, &&world::fault::NEMESIS_FAULT])
        .chain(SECTIONS)
        .copied()
        .collect();
    let document = Document::parse("frozen.toml", FROZEN.to_owned()).expect("it is TOML");
    let version = "3.10".parse().expect("it is a version");
    let scenario = document.check(&sections, Some(version)).expect("it is a scenario");
    let spec = plan(&scenario, Mode::Mirrored).expect("it can be planned");
    let mut least = CREDIT;
    for seed in 1..=5 {
        let setup = spec.setup(seed);
        let mut simulation =
            Simulation::<RabbitCluster, Nobody>::new(setup, Nobody).expect("it can begin");
        let credits = |simulation: &Simulation<RabbitCluster, Nobody>| -> Vec<i64> {
            let brokers = simulation.machines().iter().filter_map(|machine| match machine {
                RabbitMachine::Broker(broker) => Some(broker.credits()),
                _ => None,
            });
            brokers.flatten().map(|(_, left)| left).collect()
        };
        for step in 1..=600 {
            let at = Time::ZERO + Span::from_millis(20) * step;
            simulation.run_until(at).expect("nothing runs away");
            for left in credits(&simulation) {
                least = least.min(left);
                assert!((-CREDIT..=CREDIT).contains(&left), "seed {seed}, {at:?}: {left}");
            }
        }
        simulation.run().expect("it ends");
        let rest = credits(&simulation);
        assert_eq!(rest.len(), 6, "two channels and three replicas");
        // Less than what makes the next grant is taken and not granted.
        assert!(rest.iter().all(|left| *left > CREDIT / 2), "seed {seed}: {rest:?}");
    }
    assert!(least <= 0, "credit runs out while a mirror is frozen, or this says nothing: {least}");
}

#[test]
fn a_message_for_several_queues_of_a_node_goes_there_once() {
    let bindings: String = ["a", "b", "c", "d"]
        .iter()
        .map(|queue| {
            format!(
                "[[queue]]\nname = \"{queue}\"\nleader = \"n1\"\n\
                 [[binding]]\nexchange = \"all\"\nqueue = \"{queue}\"\n"
            )
        })
        .collect();
    let text = format!(
        "format = 1\nname = \"fanout\"\nmode = \"rabbitmq-cluster\"\nduration = \"2s\"\n\
         [cluster]\nnodes = 2\n[[exchange]]\nname = \"all\"\ntype = \"fanout\"\n{bindings}\
         [[producer]]\nname = \"p1\"\nto = \"all\"\nconnect = [\"n2\"]\nrate = \"100/s\"\n\
         message-size = \"4KiB\"\n"
    );
    let copies = |sets: &[String]| {
        let prepared = parse("fanout.toml", text.as_bytes(), sets).expect("it is a scenario");
        let report = simulate(&prepared, 1, None).expect("it ends");
        report.summary.broker_bytes_per_payload_byte.expect("there are bytes")
    };
    let (shared, apart) = (copies(&[]), copies(&["rules.one-copy-per-node=false".to_owned()]));
    assert!((1.0..1.4).contains(&shared), "one copy of the payload: {shared}");
    assert!((4.0..4.8).contains(&apart), "four copies of the payload: {apart}");
}
