//! What clients of all families have in common: they go on after each end of their process, and
//! they keep time by their host's clocks.

mod clocks;
mod history;
mod lives;

use mqsim::run::{parse, simulate};
use mqsim::verdict::Report;

/// What comes of a scenario with one seed.
fn run(text: &str, seed: u64) -> Report {
    let prepared = parse("clients.toml", text.as_bytes(), &[]).unwrap_or_else(|e| panic!("{e}"));
    simulate(&prepared, seed, None).unwrap_or_else(|e| panic!("{e}"))
}

/// A small cluster and a kind of client.
struct Setting {
    name: &'static str,
    /// Mode, version, cluster, what is sent to.
    cluster: &'static str,
    /// The keys of the producer beside its name, its destination and its pace.
    producer: &'static str,
    /// The keys of the consumer beside its name and its source.
    consumer: &'static str,
}

const RABBIT: &str = "mode = 'rabbitmq-single'\nbroker-version = '3.10'\n[cluster]\nnodes = 1\n\
                      [[queue]]\nname = 'orders'\n";
const MIRRORED: &str = "mode = 'rabbitmq-mirrored'\nbroker-version = '3.10'\n[cluster]\nnodes = 3\n\
                        [[policy]]\npattern = 'orders'\nha-mode = 'all'\n\
                        [[queue]]\nname = 'orders'\n";
const KRAFT: &str = "mode = 'kafka-isr'\nbroker-version = '4.1'\n[cluster]\nnodes = 3\n\
                     [[topic]]\nname = 'orders'\nreplication-factor = 3\n";
const ZOOKEEPER: &str = "mode = 'kafka-isr'\nbroker-version = '0.8.2'\n[cluster]\nnodes = 3\n\
                         [[topic]]\nname = 'orders'\nreplication-factor = 3\n";
const LEGACY: &str = "mode = 'kafka-legacy'\n[cluster]\nnodes = 2\n[broker]\n\
                      'log.flush.interval' = 1\n[[topic]]\nname = 'orders'\n";

const ROCKET: &str = "mode = 'rocketmq-master-slave'\n[cluster]\nnodes = 2\n\
                      [[topic]]\nname = 'orders'\n";

const ACTIVEMQ: &str =
    "mode = 'activemq-single'\n[cluster]\nnodes = 1\n[[queue]]\nname = 'orders'\n";

const SETTINGS: &[Setting] = &[
    Setting {
        name: "rabbitmq, confirms",
        cluster: RABBIT,
        producer: "confirms = { window = 100 }",
        consumer: "prefetch = 100",
    },
    Setting {
        name: "rabbitmq, publishes again",
        cluster: MIRRORED,
        producer: "confirms = { window = 20 }\nrepublish = true",
        consumer: "prefetch = 1\nprocessing-time = '2ms'",
    },
    Setting {
        name: "rabbitmq, no confirms",
        cluster: RABBIT,
        producer: "",
        consumer: "ack = 'automatic'",
    },
    Setting {
        name: "java, acks=all",
        cluster: KRAFT,
        producer: "acks = 'all'",
        consumer: "processing-time = '1ms'",
    },
    Setting { name: "java, acks=0", cluster: KRAFT, producer: "acks = '0'", consumer: "" },
    Setting {
        name: "java, sends again",
        cluster: KRAFT,
        producer: "acks = '1'\nresend = true",
        consumer: "",
    },
    Setting {
        name: "scala, sync",
        cluster: ZOOKEEPER,
        producer: "client = 'scala'\nacks = '1'",
        consumer: "",
    },
    Setting {
        name: "scala, async",
        cluster: ZOOKEEPER,
        producer: "client = 'scala'\nacks = '1'\n'producer.type' = 'async'",
        consumer: "",
    },
    Setting {
        name: "0.7, sync",
        cluster: LEGACY,
        producer: "",
        consumer: "groupid = 'g'\nprocessing-time = '1ms'",
    },
    Setting {
        name: "0.7, async",
        cluster: LEGACY,
        producer: "'producer.type' = 'async'",
        consumer: "",
    },
    Setting {
        name: "rocketmq, sync",
        cluster: ROCKET,
        producer: "threads = 10",
        consumer: "processing-time = '1ms'",
    },
    Setting { name: "rocketmq, async", cluster: ROCKET, producer: "send = 'async'", consumer: "" },
    Setting { name: "activemq", cluster: ACTIVEMQ, producer: "", consumer: "" },
    Setting {
        name: "activemq, async, client acknowledgements",
        cluster: ACTIVEMQ,
        producer: "useAsyncSend = true\ntransport = 'tcp'",
        consumer: "acknowledge = 'CLIENT'\nacknowledge-every = 5\nprocessing-time = '1ms'",
    },
    Setting {
        name: "activemq, transacted",
        cluster: ACTIVEMQ,
        producer: "transacted = 5",
        consumer: "acknowledge = 'SESSION_TRANSACTED'\nacknowledge-every = 3",
    },
];

impl Setting {
    /// A scenario of so many seconds with this pace and these faults.
    fn scenario(&self, seconds: u64, pace: &str, faults: &str) -> String {
        let Setting { cluster, producer, consumer, .. } = self;
        format!(
            "format = 1\nname = 'clients'\nduration = '{seconds}s'\ndrain = '120s'\n{cluster}\
             [[producer]]\nname = 'p1'\nto = 'orders'\n{pace}\n{producer}\n\
             [[consumer]]\nname = 'c1'\nfrom = 'orders'\n{consumer}\n{faults}"
        )
    }
}
