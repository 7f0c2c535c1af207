//! Wrong scenarios and wrong calls against the real binary: one clear message with its place and a
//! remedy, exit code 2 (4 if the environment is at fault), and nothing on disk.

use std::fmt::Write;

use crate::sandbox::{Done, MQSIM, Sandbox, Tree};

/// A whole scenario, small, in which the cases change something.
const SCENARIO: &str = r#"format = 1
name = "s"
mode = "rabbitmq-mirrored"
duration = "40s"
drain = "60s"

[cluster]
nodes = 3

[broker]
net_ticktime = "8s"

[[policy]]
pattern = "orders"
ha-mode = "all"

[[queue]]
name = "orders"
leader = "n1"

[[producer]]
name = "p1"
to = "orders"
connect = ["n2", "n3"]
rate = "500/s"
confirms = { window = 100 }

[[consumer]]
name = "c1"
from = "orders"
prefetch = 100

[[fault]]
at = "6s"
for = "10s"
kind = "crash"
target = "leader(orders)"

[[expect]]
metric = "success_lost"
max = 0
"#;

/// The same for Kafka before replication.
const KAFKA: &str = r#"format = 1
name = "s"
mode = "kafka-legacy"
duration = "40s"

[cluster]
nodes = 3

[broker]
num.partitions = 1

[[topic]]
name = "orders"

[[producer]]
name = "p1"
to = "orders"
rate = "500/s"
producer.type = "async"
queue.time = 100

[[consumer]]
name = "c1"
from = "orders"
groupid = "g"

[[consumer]]
name = "c2"
from = "orders"
partitions = "1-0,2-0"

[[fault]]
at = "6s"
for = "10s"
kind = "crash"
target = "leader(orders/1-0)"
"#;

/// The same for Kafka with replication.
const ISR: &str = r#"format = 1
name = "s"
mode = "kafka-isr"
duration = "40s"

[cluster]
nodes = 3

[broker]
min.insync.replicas = 2

[[topic]]
name = "orders"
partitions = 2

[[producer]]
name = "p1"
to = "orders"
rate = "500/s"
acks = "all"

[[consumer]]
name = "c1"
from = "orders"

[[fault]]
at = "6s"
for = "10s"
kind = "crash"
target = "leader(orders/0)"
"#;

/// Where the message must point to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    /// A line and column of the scenario file.
    File,
    /// A `--set` argument.
    Set,
    /// The file as a whole, or the call: there is no line to point to.
    Whole,
}

/// One wrong call.
struct Case {
    what: String,
    scenario: Vec<u8>,
    arguments: Vec<String>,
    at: At,
}

/// The scenario with one piece of text replaced by another.
fn edit(what: &str, from: &str, to: &str) -> Case {
    assert_eq!(SCENARIO.matches(from).count(), 1, "{what}: {from}");
    let text = SCENARIO.replace(from, to);
    Case { what: what.to_owned(), scenario: text.into(), arguments: Vec::new(), at: At::File }
}

/// The scenario of [`KAFKA`] with one piece of text replaced by another.
fn kafka(what: &str, from: &str, to: &str) -> Case {
    assert_eq!(KAFKA.matches(from).count(), 1, "{what}: {from}");
    file(what, KAFKA.replace(from, to)).at(At::File)
}

/// The scenario of [`ISR`] with one piece of text replaced by another.
fn isr(what: &str, from: &str, to: &str) -> Case {
    assert_eq!(ISR.matches(from).count(), 1, "{what}: {from}");
    file(what, ISR.replace(from, to)).at(At::File)
}

/// The scenario of [`ISR`] with something more in its `[broker]`.
fn isr_broker(what: &str, line: &str) -> Case {
    isr(what, "min.insync.replicas = 2", &format!("min.insync.replicas = 2\n{line}"))
}

/// The scenario of [`ISR`] with something more in its `[[producer]]`.
fn isr_producer(what: &str, line: &str) -> Case {
    isr(what, "acks = \"all\"", &format!("acks = \"all\"\n{line}"))
}

/// The scenario with lines added at its end.
fn add(what: &str, lines: &str) -> Case {
    let text = format!("{SCENARIO}\n{lines}\n");
    Case { what: what.to_owned(), scenario: text.into(), arguments: Vec::new(), at: At::File }
}

/// Another file altogether.
fn file(what: &str, bytes: impl Into<Vec<u8>>) -> Case {
    let scenario = bytes.into();
    Case { what: what.to_owned(), scenario, arguments: Vec::new(), at: At::Whole }
}

/// The right scenario with arguments added to the call.
fn call(what: &str, arguments: &[&str]) -> Case {
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    Case { what: what.to_owned(), scenario: SCENARIO.into(), arguments, at: At::Whole }
}

/// The right scenario with `--set` arguments.
fn set(argument: &str) -> Case {
    let case = call(&format!("--set {argument}"), &["--set", argument]);
    Case { at: At::Set, ..case }
}

impl Case {
    fn at(self, at: At) -> Case {
        Case { at, ..self }
    }

    /// With another piece of its text replaced.
    fn with(self, from: &str, to: &str) -> Case {
        let text = String::from_utf8(self.scenario).expect("it is text");
        assert_eq!(text.matches(from).count(), 1, "{}: {from}", self.what);
        Case { scenario: text.replace(from, to).into(), ..self }
    }
}

/// Keys, sections, names.
fn structure() -> Vec<Case> {
    vec![
        edit("unknown key", "net_ticktime", "net_tick_time"),
        edit("unknown key, nothing like it", "leader = \"n1\"", "xyzzy = 1"),
        edit("unknown top-level key", "drain =", "drian ="),
        edit("key of another section", "leader = \"n1\"", "prefetch = 5"),
        edit("unknown section", "[[consumer]]", "[[consumers]]"),
        edit("section of another broker", "[[queue]]", "[[topic]]\nname = \"t\"\n[[queue]]"),
        edit("one bracket too few", "[[queue]]", "[queue]"),
        edit("one bracket too many", "[broker]", "[[broker]]"),
        edit("required key missing", "ha-mode = \"all\"\n", ""),
        edit("no mode", "mode = \"rabbitmq-mirrored\"\n", "").at(At::Whole),
        edit("no duration", "duration = \"40s\"\n", "").at(At::Whole),
        edit("unknown mode", "rabbitmq-mirrored", "rabbitmq-mirorred"),
        edit("a mode to come", "rabbitmq-mirrored", "rocketmq-dledger"),
        edit("mode is no text", "\"rabbitmq-mirrored\"", "1"),
        edit("wrong format", "format = 1", "format = 2"),
        edit("format missing", "format = 1\n", "").at(At::Whole),
        edit("wrong broker version", "drain =", "broker-version = \"4.0\"\ndrain ="),
        edit("unquoted broker version", "drain =", "broker-version = 3.10\ndrain ="),
        edit("same key twice", "drain = \"60s\"", "drain = \"60s\"\ndrain = \"60s\""),
        edit("same section twice", "[broker]", "[cluster]\n[broker]"),
        add("same queue twice", "[[queue]]\nname = \"orders\""),
        edit("consumer and producer alike", "name = \"c1\"", "name = \"p1\""),
        edit("producer named as a node", "name = \"p1\"", "name = \"n1\""),
        edit("producer named as an auditor", "name = \"p1\"", "name = \"auditor.orders\"")
            .replacing("name = \"orders\"", "name = \"orders\"\n[[queue]]\nname = \"x\""),
        edit("name with a way out", "name = \"s\"", "name = \"../s\""),
        edit("name with a leading dot", "name = \"s\"", "name = \".s\""),
        edit("name with 65 characters", "name = \"s\"", &format!("name = \"{}\"", "s".repeat(65))),
        edit("empty name", "name = \"s\"", "name = \"\""),
        edit("name with a blank", "name = \"p1\"", "name = \"p 1\""),
    ]
}

/// Values of keys.
fn values() -> Vec<Case> {
    vec![
        edit("wrong type", "nodes = 3", "nodes = \"three\""),
        edit("fraction of a node", "nodes = 3", "nodes = 3.5"),
        edit("duration without unit", "duration = \"40s\"", "duration = 40"),
        edit("wrong unit", "duration = \"40s\"", "duration = \"40 parsecs\""),
        edit("unit of something else", "rate = \"500/s\"", "rate = \"500KiB\""),
        edit("negative rate", "rate = \"500/s\"", "rate = \"-500/s\""),
        edit("rate of zero", "rate = \"500/s\"", "rate = \"0/s\""),
        edit("negative number", "nodes = 3", "nodes = -3"),
        edit("no node at all", "nodes = 3", "nodes = 0"),
        edit("duration of zero", "duration = \"40s\"", "duration = \"0s\""),
        edit("number beyond 64 bits", "drain =", "seed = 18446744073709551616\ndrain ="),
        edit("duration beyond 64 bits", "\"60s\"", "\"99999999999999999999h\""),
        edit("duration beyond the longest", "\"60s\"", "\"1001h\""),
        edit("size beyond 64 bits", "rate =", "message-size = \"99999999TiB\"\nrate ="),
        edit("message too large", "rate =", "message-size = \"1GiB\"\nrate ="),
        edit("10^12 nodes", "nodes = 3", "nodes = 1000000000000"),
        edit("10^9 prefetched", "prefetch = 100", "prefetch = 1000000000"),
        edit("10^9 unconfirmed", "window = 100", "window = 1000000000"),
        edit("unknown choice", "ha-mode = \"all\"", "ha-mode = \"most\""),
        edit("flag as text", "leader = \"n1\"", "durable = \"yes\""),
        edit("warmup longer than the run", "drain =", "warmup = \"40s\"\ndrain ="),
        edit("bad pattern", "pattern = \"orders\"", "pattern = \"*\""),
        edit("backward seeds", "drain =", "seeds = \"5..=1\"\ndrain ="),
        edit(
            "percentile below the median",
            "nodes = 3",
            "boot-time = { distribution = \"lognormal\", median = \"6s\", p99 = \"5s\" }",
        ),
        edit("send time-out too short", "rate =", "send-timeout = \"1ns\"\nrate ="),
    ]
}

/// Names of things that do not exist, and selectors.
fn references() -> Vec<Case> {
    vec![
        edit("leader on no node", "leader = \"n1\"", "leader = \"n4\""),
        edit("connects to no node", "[\"n2\", \"n3\"]", "[\"n2\", \"m3\"]"),
        edit("sends to nothing", "to = \"orders\"", "to = \"order\""),
        edit("reads from nothing", "from = \"orders\"", "from = \"invoices\""),
        add("binds no exchange", "[[binding]]\nexchange = \"x\"\nqueue = \"orders\""),
        add(
            "binds no queue",
            "[[exchange]]\nname = \"x\"\ntype = \"fanout\"\n[[binding]]\nexchange = \"x\"\n\
             queue = \"q\"",
        ),
        add("exchange named as a queue", "[[exchange]]\nname = \"orders\"\ntype = \"fanout\""),
        edit("policy for nothing", "pattern = \"orders\"", "pattern = \"^order$\""),
        edit("selector of no node", "leader(orders)", "n7"),
        edit("selector of no queue", "leader(orders)", "leader(order)"),
        edit("selector of no producer", "leader(orders)", "producer(p2)"),
        edit("selector without its number", "leader(orders)", "mirror(orders)"),
        edit("selector with too much", "leader(orders)", "leader(orders, 1)"),
        edit("selector number zero", "leader(orders)", "mirror(orders, 0)"),
        edit("selector number beyond 32 bits", "leader(orders)", "mirror(orders, 9999999999)"),
        edit("unknown selector", "leader(orders)", "leadr(orders)"),
        edit("selector of another broker", "leader(orders)", "controller"),
        edit("selector not closed", "leader(orders)", "leader(orders"),
        edit("link as a target of a crash", "leader(orders)", "link(n1, n2)"),
        edit("no zone", "leader(orders)", "zone(b)"),
        edit("unknown kind of fault", "kind = \"crash\"", "kind = \"krash\""),
        edit("key of another fault", "kind = \"crash\"", "kind = \"crash\"\nfactor = 2"),
        edit("unknown metric", "success_lost", "sucess_lost"),
        edit("unknown cause", "metric = \"success_lost\"", "cause = \"cosmic-rays\""),
        edit("bound in another unit", "max = 0", "max = \"300ms\""),
    ]
}

/// Keys that contradict each other.
fn contradictions() -> Vec<Case> {
    let clock =
        |what, key: &str| edit(what, "kind = \"crash\"", &format!("kind = \"clock-skew\"\n{key}"));
    let closed = "rate = \"500/s\"\nclosed-loop = { in-flight = 10 }";
    vec![
        edit("rate and closed loop", "rate = \"500/s\"", closed),
        edit("neither rate nor closed loop", "rate = \"500/s\"\n", ""),
        edit("republish without confirms", "confirms = { window = 100 }", "republish = true"),
        edit(
            "prefetch with automatic ack",
            "prefetch = 100",
            "prefetch = 100\nack = \"automatic\"",
        ),
        edit("three nodes in single mode", "rabbitmq-mirrored", "rabbitmq-single")
            .replacing("[[policy]]\npattern = \"orders\"\nha-mode = \"all\"\n", ""),
        edit("one node in mirrored mode", "nodes = 3", "nodes = 1")
            .replacing("connect = [\"n2\", \"n3\"]\n", ""),
        edit("policy in cluster mode", "rabbitmq-mirrored", "rabbitmq-cluster"),
        edit("no policy in mirrored mode", "pattern = \"orders\"\nha-mode = \"all\"\n", "")
            .replacing("[[policy]]\n", "")
            .at(At::File),
        edit("min above max", "max = 0", "max = 0\nmin = 1"),
        edit("equals and max", "max = 0", "max = 0\nequals = 0"),
        edit("expectation without bound", "max = 0\n", ""),
        edit("an invariant where there are none", "metric = \"success_lost\"", "invariant = \"x\""),
        edit("two subjects", "max = 0", "invariant = \"x\""),
        edit(
            "invariants neither on nor off",
            "duration = \"40s\"",
            "duration = \"40s\"\ninvariants = \"no\"",
        ),
        edit("nodes twice", "[broker]", "[[cluster.node]]\nname = \"a\"\n[broker]")
            .replacing("leader = \"n1\"\n", "")
            .replacing("connect = [\"n2\", \"n3\"]\n", ""),
        edit("stop before start", "rate =", "start = \"9s\"\nstop = \"3s\"\nrate ="),
        edit(
            "consumer that stops first",
            "prefetch =",
            "start = \"9s\"\nstop = \"3s\"\nprefetch =",
        ),
        edit("routing key to a queue", "rate =", "routing-key = \"k\"\nrate ="),
        edit(
            "all down without nodes",
            "[broker]",
            "[broker]\ncluster_partition_handling = \"pause_if_all_down\"",
        ),
        edit(
            "preferred nodes of another mode",
            "[broker]",
            "[broker]\n\"cluster_partition_handling.pause_if_all_down.nodes\" = [\"n1\"]",
        ),
        edit("errors of a disk", "kind = \"crash\"", "kind = \"disk-error\""),
        edit("a clock without fault", "kind = \"crash\"", "kind = \"clock-skew\""),
        clock("an offset without unit", "offset = 5"),
        clock("an offset of months", "offset = \"-3000h\""),
        clock("a drift of everything", "drift = \"-100%\""),
        clock("a drift in other words", "drift = \"fast\""),
        edit("restart for a while", "kind = \"crash\"", "kind = \"restart\""),
        ha("ha-params of all", "ha-mode = \"all\"\nha-params = 2"),
        ha("exactly with a list", "ha-mode = \"exactly\"\nha-params = [\"n1\"]"),
        ha("nodes without a list", "ha-mode = \"nodes\""),
        ha("nodes with a number", "ha-mode = \"nodes\"\nha-params = 2"),
        ha("a node that is not there", "ha-mode = \"nodes\"\nha-params = [\"n1\", \"n9\"]"),
        ha("a policy of a later version", "ha-mode = \"all\"\nha-promote-on-failure = \"always\"")
            .replacing("duration =", "broker-version = \"3.7.4\"\nduration ="),
        edit(
            "credit that never comes",
            "[broker]",
            "[broker]\ncredit_flow_default_credit = { initial = 100, more-after = 200 }",
        ),
    ]
}

fn ha(what: &str, policy: &str) -> Case {
    edit(what, "ha-mode = \"all\"", policy)
}

/// Arguments of queues and consumers that contradict each other, or the version.
fn arguments() -> Vec<Case> {
    let queue =
        |what, lines: &str| edit(what, "leader = \"n1\"", &format!("leader = \"n1\"\n{lines}"));
    let consumer = |what, lines: &str| edit(what, "prefetch = 100", lines);
    let old = |what, lines: &str| {
        let case = queue(what, lines);
        case.replacing("duration = \"40s\"", "duration = \"40s\"\nbroker-version = \"3.6\"")
    };
    vec![
        queue("overflow without a limit", "x-overflow = \"reject-publish\""),
        queue("unknown overflow", "x-max-length = 5\nx-overflow = \"drop-tail\""),
        queue("negative length", "x-max-length = -1"),
        queue("time to live without a unit", "x-message-ttl = \"1000\""),
        queue("dead-letter key without an exchange", "x-dead-letter-routing-key = \"dead\""),
        queue("dead-letter exchange that is not there", "x-dead-letter-exchange = \"dlx\""),
        old("refusing before 3.7", "x-max-length = 5\nx-overflow = \"reject-publish\""),
        old("single active consumer before 3.8", "x-single-active-consumer = true"),
        edit("delivery timeout before 3.8.15", "[broker]", "[broker]\nconsumer_timeout = \"5min\"")
            .replacing("duration = \"40s\"", "duration = \"40s\"\nbroker-version = \"3.8.14\""),
        consumer("prefetch of a consumer that polls", "prefetch = 100\nmode = \"get\""),
        consumer("exclusive consumer that polls", "exclusive = true\nmode = \"get\""),
        consumer("interval of a consumer that subscribes", "get-interval = \"1s\""),
        consumer(
            "rejecting what is acknowledged",
            "ack = \"automatic\"\nreject = { chance = 0.1 }",
        ),
        consumer("rejecting without a chance", "reject = { requeue = true }"),
        consumer("chance above one", "reject = { chance = \"200%\" }"),
    ]
}

/// What is wrong with Kafka's keys.
fn kafka_isr() -> Vec<Case> {
    let version = |number: &str| format!("broker-version = \"{number}\"\nduration =");
    vec![
        isr("unknown broker key", "min.insync.replicas", "min.insync.replica"),
        isr_producer("unknown key with dots", "enable.idempotance = true"),
        isr("key of RabbitMQ", "from = \"orders\"", "from = \"orders\"\nprefetch = 1"),
        isr("key of Kafka 0.7", "from = \"orders\"", "from = \"orders\"\ngroupid = \"g\""),
        isr_broker("key of earlier releases", "replica.lag.max.messages = 4000"),
        isr("key of later releases", "duration =", &version("0.8.0")),
        isr("no such release", "duration =", &version("9.1")),
        isr("no such rule", "[cluster]", "[rules]\nfence-by-leader-epochs = false\n\n[cluster]"),
        isr("KRaft before KRaft", "duration =", &version("2.4"))
            .with("[cluster]", "[controller]\nmetadata = \"kraft\"\n\n[cluster]"),
        isr(
            "ZooKeeper after ZooKeeper",
            "[cluster]",
            "[controller]\nmetadata = \"zookeeper\"\n\n[cluster]",
        ),
        isr("more replicas than brokers", "partitions = 2", "replication-factor = 4"),
        isr("replicas of one partition", "partitions = 2", "replicas = [\"n1,n2\", \"n2,n3\"]"),
        isr("no such broker", "partitions = 2", "replicas = [\"n1,n4\"]"),
        isr("no such partition", "orders/0", "orders/7"),
        isr("acks", "acks = \"all\"", "acks = \"quorum\""),
        isr("acks that went", "acks = \"all\"", "acks = \"2\""),
        isr_producer("client that went", "client = \"scala\""),
        isr_producer("no request in flight", "max.in.flight.requests.per.connection = 0"),
        isr_producer("no time for an attempt", "delivery.timeout.ms = 1000"),
        isr_broker("fetches wait for ever", "replica.fetch.wait.max.ms = 40000"),
        isr_broker("followers are late at once", "replica.lag.time.max.ms = 100"),
    ]
}

fn kafka_legacy() -> Vec<Case> {
    let list = "broker.list = [\"n1\", \"n4\"]";
    vec![
        kafka("unknown broker key", "num.partitions", "num.partition"),
        kafka("key of a later Kafka", "num.partitions = 1", "min.insync.replicas = 2"),
        kafka("key of RabbitMQ", "groupid = \"g\"", "prefetch = 1"),
        kafka("no such release", "duration =", "broker-version = \"0.8\"\nduration ="),
        kafka("no topic", "[[topic]]\nname = \"orders\"\n", ""),
        kafka("sends to no topic", "to = \"orders\"", "to = \"order\""),
        kafka("lists no node", "queue.time = 100", &format!("queue.time = 100\n{list}")),
        kafka("connects", "queue.time = 100", "queue.time = 100\nconnect = [\"n1\"]"),
        kafka("queue of a synchronous producer", "producer.type = \"async\"\n", ""),
        kafka(
            "keys with a list of brokers",
            "queue.time = 100",
            "queue.time = 100\nkey = { count = 2 }\nbroker.list = \"n1\"",
        ),
        kafka("nobody is registered", "num.partitions = 1", "enable.zookeeper = false"),
        kafka("no such partition", "1-0,2-0", "1-0,2-2"),
        kafka(
            "partitions of a group's member",
            "groupid = \"g\"",
            "groupid = \"g\"\npartitions = \"1-0\"",
        ),
        kafka("commits without a group", "partitions = \"1-0,2-0\"", "autocommit.enable = true"),
        kafka(
            "interval without auto-commit",
            "groupid = \"g\"",
            "groupid = \"g\"\nautocommit.enable = false\nautocommit.interval.ms = 100",
        ),
        kafka("read twice", "groupid = \"g\"\n", ""),
        kafka("fetches too small", "groupid = \"g\"", "groupid = \"g\"\nfetch.size = 100"),
        kafka(
            "stops before it starts",
            "groupid = \"g\"",
            "groupid = \"g\"\nstart = \"5s\"\nstop = \"1s\"",
        ),
        kafka("name of a server", "name = \"c1\"", "name = \"zk1\""),
        kafka("selector of no partition", "orders/1-0", "orders/4-0"),
    ]
}

/// Random faults that nobody could draw.
fn random_faults() -> Vec<Case> {
    let nemesis = |what, keys: &str, fault: &str| {
        add(what, &format!("[nemesis]\n{keys}\n[[nemesis.fault]]\n{fault}"))
    };
    vec![
        add("nothing to draw", "[nemesis]"),
        add("a nemesis of many sections", "[[nemesis]]\nevery = \"1s\""),
        add("a single fault", "[nemesis]\n[nemesis.fault]\nkind = \"crash\""),
        nemesis("a rate", "rate = \"1/s\"", "kind = \"crash\""),
        nemesis("without a kind", "", "weight = 2"),
        nemesis("unknown kind", "", "kind = \"krash\""),
        nemesis("weight zero", "", "kind = \"crash\"\nweight = 0"),
        nemesis("a given time", "", "kind = \"crash\"\nat = \"5s\""),
        nemesis("a single target", "", "kind = \"crash\"\ntarget = \"n1\""),
        nemesis("targets of no node", "", "kind = \"crash\"\ntargets = [\"n1\", \"n7\"]"),
        nemesis("targets of no queue", "", "kind = \"crash\"\ntargets = [\"leader(order)\"]"),
        nemesis("no targets", "", "kind = \"crash\"\ntargets = []"),
        nemesis("a link that crashes", "", "kind = \"crash\"\ntargets = \"link(n1, n2)\""),
        nemesis("a crash with a shape", "", "kind = \"crash\"\nshapes = \"one\""),
        nemesis("errors of a disk", "", "kind = \"disk-error\""),
        nemesis("a clock without fault", "", "kind = \"clock-skew\""),
        nemesis("unknown shape", "", "kind = \"partition\"\nshapes = \"halfs\""),
        nemesis("sides", "", "kind = \"partition\"\nbetween = [\"n1\", \"n2\"]"),
        nemesis("spread cut", "", "kind = \"partition\"\nspread = \"1s\""),
        nemesis("lasts no time", "", "kind = \"crash\"\nfor = \"0s\""),
        nemesis(
            "longest below shortest",
            "",
            "kind = \"crash\"\nfor-min = \"2s\"\nfor-max = \"1s\"",
        ),
        nemesis("restart for a while", "", "kind = \"restart\"\nfor = \"1s\""),
        nemesis("packet loss without a chance", "", "kind = \"packet-loss\""),
        nemesis("until after the end", "until = \"41s\"", "kind = \"crash\""),
        nemesis("from after until", "from = \"20s\"\nuntil = \"10s\"", "kind = \"crash\""),
        nemesis("from the healed tail", "from = \"35s\"", "kind = \"crash\""),
        nemesis("every nanosecond", "every = \"1ns\"", "kind = \"crash\""),
        nemesis("every now and then", "every = 5", "kind = \"crash\""),
        nemesis("none at a time", "at-most = 0", "kind = \"crash\""),
        nemesis("two in sync", "when = \"in-sync\"\nat-most = 2", "kind = \"crash\""),
        nemesis("when it suits", "when = \"synced\"", "kind = \"crash\""),
    ]
}

/// Loads that nobody could simulate.
fn absurd() -> Vec<Case> {
    let long = ("duration = \"40s\"", "duration = \"1000h\"");
    let mut crowd = SCENARIO.to_owned();
    for n in 2..=10_000 {
        write!(crowd, "[[producer]]\nname=\"p{n}\"\nto=\"orders\"\nrate=\"1G/s\"\n").unwrap();
    }
    let cases = vec![
        edit("10^9 a second for 1000 hours", "\"500/s\"", "\"1G/s\"").replacing(long.0, long.1),
        edit("what one producer can, no memory holds", "\"500/s\"", "\"1k/s\"")
            .replacing(long.0, long.1),
        edit(
            "bursts every nanosecond",
            "rate = \"500/s\"",
            "rate = { profile = \"burst\", every = \"1ns\", size = 100000000 }",
        ),
        edit(
            "steps that repeat",
            "rate = \"500/s\"",
            "rate = { profile = \"steps\", repeat = true, steps = [{ for = \"1s\", rate = \"1G/s\" \
             }] }",
        ),
        edit("10^19 messages", "rate =", "count = 10000000000000000000\nrate ="),
        edit(
            "10,000,000,000 in flight",
            "rate = \"500/s\"",
            "closed-loop = { in-flight = 10000000000 }",
        ),
        file("10,000 producers of 10^9 a second", crowd).at(At::File),
    ];
    // What is too much is the same on every machine.
    let limited = |mut case: Case| {
        case.arguments.extend(["--max-memory", "64GiB"].map(str::to_owned));
        case
    };
    cases.into_iter().map(limited).collect()
}

/// Files that are no scenarios.
fn files() -> Vec<Case> {
    let mut not_text = SCENARIO.as_bytes().to_vec();
    not_text.extend(b"# caf\xe9\n");
    vec![
        file("empty file", ""),
        file("only comments", "# a scenario\n\n# to be written\n"),
        file("10 MiB", "# a line\n".repeat(10 << 20 >> 3)),
        file("binary", (0..=255).cycle().take(4096).collect::<Vec<u8>>()),
        file("zeros", vec![0; 4096]),
        file("not UTF-8", not_text),
        file("UTF-16", SCENARIO.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()),
        file("no TOML", "format: 1\nmode: rabbitmq-single\n").at(At::File),
        edit("text without quotes", "\"40s\"", "40s"),
        edit("quotes not closed", "\"40s\"", "\"40s"),
        edit("no value", "\"40s\"", ""),
        edit("list not closed", "[\"n2\", \"n3\"]", "[\"n2\", \"n3\""),
        edit("section not closed", "[broker]", "[broker"),
    ]
}

/// Command lines.
fn calls() -> Vec<Case> {
    vec![
        set("producer.p2.rate=5/s"),
        set("producer.p1.rat=5/s"),
        set("prodcer.p1.rate=5/s"),
        set("duration=5 parsecs"),
        set("fault.7.at=1s"),
        set("cluster.nodes=-1"),
        set("mode=rabbitmq"),
        set("producer.p1.rate=1G/s"),
        set("queue=5"),
        call("--set without a value", &["--set", "duration"]).at(At::Whole),
        call("--set without a key", &["--set", "=5"]).at(At::Whole),
        call("backward --seeds", &["--seeds", "5..=1"]),
        call("empty --seeds", &["--seeds", "5..5"]),
        call("--seeds of one number", &["--seeds", "5"]),
        call("negative --seeds", &["--seeds", "-5..=1"]),
        call("10^18 --seeds", &["--seeds", "1..=1000000000000000000"]),
        call("negative --seed", &["--seed", "-1"]),
        call("--seed beyond 64 bits", &["--seed", "18446744073709551616"]),
        call("--seed and --seeds", &["--seed", "1", "--seeds", "1..=2"]),
        call("--jobs 0", &["--jobs", "0"]),
        call("negative --jobs", &["--jobs", "-2"]),
        call("--max-events 0", &["--max-events", "0"]),
        call("--max-memory of nothing", &["--max-memory", "0"]),
        call("--max-memory that is too little", &["--max-memory", "1MiB"]).at(At::File),
        set("name=-rf"),
        set("name=nul.txt"),
        set("name=CON"),
        call("--quiet and --json", &["--quiet", "--json"]),
        call("unknown option", &["--sede", "1"]),
        call("option without its value", &["--seed"]),
        call("the same file twice", &["s.toml"]),
        call("two of the same name", &["other.toml"]),
        call("missing file", &["missing.toml"]),
        call("missing directory", &["missing/s.toml"]),
        call("a file as a directory", &["s.toml/s.toml"]),
        call("a directory", &["reports"]),
        call("no file name", &[""]),
    ]
}

impl Case {
    /// The same with another replacement.
    fn replacing(mut self, from: &str, to: &str) -> Case {
        let text = String::from_utf8(self.scenario).expect("an edited scenario is text");
        assert_eq!(text.matches(from).count(), 1, "{}: {from}", self.what);
        self.scenario = text.replace(from, to).into();
        self
    }

    /// Makes the call where a report of an earlier one is; returns what was said, and what is not
    /// as it should be about that.
    fn told(&self, sandbox: &Sandbox, before: &Tree) -> (String, Vec<String>) {
        sandbox.write("s.toml", &self.scenario);
        let mut arguments = vec!["run", "s.toml"];
        arguments.extend(self.arguments.iter().map(String::as_str));
        let done = sandbox.call(&arguments);
        sandbox.write("s.toml", SCENARIO);
        let mut flaws = flaws(&done, 2);
        let pointed = match self.at {
            At::File => done.stderr.contains("┌─ s.toml:"),
            At::Set => done.stderr.contains("┌─ --set"),
            At::Whole => !done.stderr.contains("┌─"),
        };
        if !pointed {
            flaws.push(format!("it does not point to {:?}", self.at));
        }
        let written = before.differences(&sandbox.tree());
        flaws.extend(written.iter().map(|name| format!("{name} was written or removed")));
        let flaw = |flaw| format!("{}: {flaw}\n{}", self.what, done.stderr);
        let flaws = flaws.into_iter().map(flaw).collect();
        (done.stderr, flaws)
    }
}

/// What is not as it should be about a failed call: one error with a remedy and nothing of the
/// program's inside on stderr, nothing on stdout, the exit code.
fn flaws(done: &Done, code: i32) -> Vec<String> {
    let mut flaws = Vec::new();
    let mut wanted = |holds: bool, otherwise: &str| {
        if !holds {
            flaws.push(otherwise.to_owned());
        }
    };
    let said = &done.stderr;
    wanted(done.code == Some(code), &format!("exit code {:?}", done.code));
    wanted(done.stdout.is_empty(), "something on stdout");
    wanted(said.starts_with("mqsim: error: "), "it does not begin as errors do");
    wanted(said.matches("error:").count() == 1, "not one message");
    let remedies = ["help: ", "tip: ", "expected ", "write ", "split ", "not in ", "try '--help'"];
    wanted(remedies.iter().any(|remedy| said.contains(remedy)), "no remedy");
    wanted(said.lines().all(|line| line.chars().count() <= 250), "a long line");
    for inside in ["panicked", "RUST_BACKTRACE", "src/", ".rs:", "os error", "unwrap", "Some("] {
        wanted(!said.contains(inside), inside);
    }
    flaws
}

/// A directory with the report of an earlier call, which no wrong call may touch.
fn with_a_report() -> (Sandbox, Tree) {
    let sandbox = Sandbox::new();
    sandbox.write("s.toml", SCENARIO);
    sandbox.mqsim("run s.toml --quiet --set duration=1s").exits(0);
    sandbox.write("other.toml", SCENARIO);
    let tree = sandbox.tree();
    assert!(tree.file("reports/s/summary.csv").is_some());
    (sandbox, tree)
}

/// All that is said about the cases. Every flaw is told at once.
fn told(cases: Vec<Case>) -> String {
    let (sandbox, before) = with_a_report();
    let (mut text, mut wrong) = (String::new(), Vec::new());
    for case in cases {
        let (said, flaws) = case.told(&sandbox, &before);
        write!(text, "=== {}\n{said}\n", case.what).unwrap();
        wrong.extend(flaws);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    text
}

#[test]
fn wrong_structure() {
    insta::assert_snapshot!(told(structure()));
}

#[test]
fn wrong_values() {
    insta::assert_snapshot!(told(values()));
}

#[test]
fn wrong_references() {
    insta::assert_snapshot!(told(references()));
}

#[test]
fn wrong_together() {
    insta::assert_snapshot!(told(contradictions()));
}

#[test]
fn wrong_arguments() {
    insta::assert_snapshot!(told(arguments()));
}

#[test]
fn wrong_for_kafka() {
    insta::assert_snapshot!(told(kafka_legacy()));
}

#[test]
fn wrong_for_replicated_kafka() {
    insta::assert_snapshot!(told(kafka_isr()));
}

#[test]
fn wrong_random_faults() {
    insta::assert_snapshot!(told(random_faults()));
}

#[test]
fn too_much() {
    insta::assert_snapshot!(told(absurd()));
}

#[test]
fn wrong_files() {
    insta::assert_snapshot!(told(files()));
}

#[test]
fn wrong_calls() {
    insta::assert_snapshot!(told(calls()));
}

/// A pipe is read like a file, and only so far that its length shows.
#[cfg(unix)]
#[test]
fn pipes_and_devices() {
    let (sandbox, before) = with_a_report();
    let endless = sandbox.mqsim("run /dev/zero");
    assert_eq!(flaws(&endless, 2), [""; 0], "{}", endless.stderr);
    assert!(endless.stderr.contains("more than 1 MiB"), "{}", endless.stderr);
    let script = "cat s.toml | $0 run /dev/stdin --quiet --set duration=1s";
    let piped = Done::of(sandbox.command("sh").args(["-c", script, MQSIM]));
    piped.exits(0);
    assert_eq!(before.differences(&sandbox.tree()), [""; 0]);
}

/// What is wrong with several scenarios of a call is said of each, and nothing is simulated.
#[test]
fn every_wrong_scenario_is_named() {
    let (sandbox, before) = with_a_report();
    let done = sandbox.mqsim("run s.toml a.toml b.toml");
    done.exits(2);
    assert!(done.stderr.contains("a.toml: ") && done.stderr.contains("b.toml: "));
    assert_eq!(done.stdout, "");
    assert_eq!(before.differences(&sandbox.tree()), [""; 0]);
}

/// An unreadable scenario and an unwritable folder, as a user who is not root.
#[cfg(unix)]
#[test]
fn no_permission() {
    use std::os::unix::fs::PermissionsExt;

    let (sandbox, before) = with_a_report();
    let mode = |name: &str, mode: u32| {
        let path = sandbox.path().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("", 0o555);
    if std::fs::write(sandbox.path().join("probe"), "").is_ok() {
        eprintln!("not tested: nothing is forbidden to root");
        std::fs::remove_file(sandbox.path().join("probe")).unwrap();
        return;
    }
    let unwritable = sandbox.mqsim("run s.toml --out new");
    mode("s.toml", 0o000);
    let unreadable = sandbox.mqsim("run s.toml");
    mode("s.toml", 0o644);
    mode("", 0o755);
    assert_eq!(flaws(&unreadable, 2), [""; 0], "{}", unreadable.stderr);
    assert!(unreadable.stderr.contains("s.toml: cannot be read: permission denied"));
    assert_eq!(flaws(&unwritable, 4), [""; 0], "{}", unwritable.stderr);
    assert!(unwritable.stderr.contains("permission denied"));
    assert_eq!(before.differences(&sandbox.tree()), [""; 0]);
}

/// What the environment refuses ends with 4, leaves the old report, and leaves nothing else.
#[test]
fn wrong_environment() {
    let (sandbox, _) = with_a_report();
    sandbox.write("file", "no folder");
    std::fs::create_dir_all(sandbox.path().join("thesis/s")).unwrap();
    sandbox.write("thesis/s/chapter.txt", "ten years");
    let before = sandbox.tree();
    let mut text = String::new();
    for out in ["file", "file/below", "thesis", "/proc/mqsim"] {
        let done = sandbox.mqsim(&format!("run s.toml --quiet --out {out}"));
        assert_eq!(flaws(&done, 4), [""; 0], "{out}: {}", done.stderr);
        assert_eq!(before.differences(&sandbox.tree()), [""; 0], "{out}");
        write!(text, "=== --out {out}\n{}\n", done.stderr).unwrap();
    }
    insta::assert_snapshot!(text);
}

/// A write that fails halfway takes the half with it.
#[cfg(unix)]
#[test]
fn a_full_disk() {
    let (sandbox, before) = with_a_report();
    for out in ["reports", "new"] {
        // In blocks of 512 bytes or 1 KiB: some files of the report fit, the timeline does not.
        let script = "ulimit -f 4; exec $0 run s.toml --quiet --out $1";
        let done = Done::of(sandbox.command("sh").args(["-c", script, MQSIM, out]));
        assert_eq!(flaws(&done, 4), [""; 0], "{out}: {}", done.stderr);
        assert!(done.stderr.contains("file-size limit"), "{}", done.stderr);
        assert_eq!(before.differences(&sandbox.tree()), [""; 0], "{out}");
    }
}

/// A run that is given up says so, and what to do.
#[test]
fn a_run_that_is_given_up() {
    let (sandbox, before) = with_a_report();
    let done = sandbox.mqsim("run s.toml --quiet --max-events 1000");
    assert_eq!(flaws(&done, 3), [""; 0], "{}", done.stderr);
    assert!(done.stderr.contains("more than 1000 events in the run"), "{}", done.stderr);
    assert_eq!(before.differences(&sandbox.tree()), [""; 0]);
}

/// What seemed absurd before it was tried, and is none: it ends, and without a panic.
#[test]
fn extreme_and_right() {
    let sandbox = Sandbox::new();
    sandbox.write("s.toml", SCENARIO);
    for set in [
        "producer.p1.message-size=128MiB",
        "cluster.network.latency=1000h",
        "cluster.network.bandwidth=1B/s",
        "cluster.network.loss=100%",
        "cluster.disk.fsync=1000h",
        "cluster.boot-time=0s",
        "cluster.disk.capacity=1MiB",
        "fault.0.kind=disk-full",
        "producer.p1.reconnect-delay=0s",
        "producer.p1.heartbeat=1ns",
        "producer.p1.connection-timeout=1ns",
        "producer.p1.rate=1/h",
        "fault.0.at=1000h",
        "fault.0.for=1ns",
        "fault.0.target=mirror(orders, 9)",
        "drain=0s",
        "seed=18446744073709551615",
    ] {
        let done =
            sandbox.call(&["run", "s.toml", "--quiet", "--set", "duration=8s", "--set", set]);
        assert!(matches!(done.code, Some(0 | 1 | 3)), "{set}: {:?} {}", done.code, done.stderr);
        assert_eq!(done.stderr, "", "{set}");
    }
}
