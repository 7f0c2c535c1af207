//! What can be written wrongly, by kind.

use std::fmt::Write;

use super::{At, Case, SCENARIO, add, call, edit, file, isr, isr_broker, isr_producer, kafka, set};

/// Keys, sections, names.
pub(super) fn structure() -> Vec<Case> {
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
        edit("a mode to come", "rabbitmq-mirrored", "rocketmq-proxy"),
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
pub(super) fn values() -> Vec<Case> {
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
pub(super) fn references() -> Vec<Case> {
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
        edit("zone with nobody in it", "leader(orders)", "zone(b)")
            .replacing("nodes = 3", "nodes = 3\nzones = [\"b\"]"),
        edit("minority of two", "leader(orders)", "minority")
            .replacing("nodes = 3", "nodes = 2")
            .replacing("[\"n2\", \"n3\"]", "\"n2\""),
        edit("fault when the load is over", "at = \"6s\"", "at = \"40s\""),
        edit("fault long after the load", "at = \"6s\"", "at = \"2h\""),
        edit("unknown kind of fault", "kind = \"crash\"", "kind = \"krash\""),
        add(
            "unknown kind of action",
            "[[action]]\nat = \"5s\"\nkind = \"sync_queu\"\nqueue = \"orders\"",
        ),
        add(
            "action about a queue that is not there",
            "[[action]]\nat = \"5s\"\nkind = \"sync_queue\"\nqueue = \"order\"",
        ),
        add(
            "key of another action",
            "[[action]]\nat = \"5s\"\nkind = \"sync_queue\"\nqueue = \"orders\"\nif-empty = true",
        ),
        add(
            "action when the load is over",
            "[[action]]\nat = \"50s\"\nkind = \"sync_queue\"\nqueue = \"orders\"",
        ),
        add(
            "action on nobody",
            "[[action]]\nat = \"5s\"\nkind = \"sync_queue\"\nqueue = \"orders\"\non = \"n9\"",
        ),
        add(
            "policy that is never set",
            "[[action]]\nat = \"5s\"\nkind = \"clear_policy\"\npolicy = \"ha\"",
        ),
        add(
            "policy that says nothing",
            "[[action]]\nat = \"5s\"\nkind = \"set_policy\"\npolicy = \"ha\"\npattern = \"orders\"",
        ),
        add("a boot that nobody is to make", "[[action]]\nat = \"5s\"\nkind = \"force_boot\""),
        add("a command of later releases", "[[action]]\nat = \"5s\"\nkind = \"rebalance\""),
        edit("key of another fault", "kind = \"crash\"", "kind = \"crash\"\nfactor = 2"),
        edit("unknown metric", "success_lost", "sucess_lost"),
        edit("unknown cause", "metric = \"success_lost\"", "cause = \"cosmic-rays\""),
        edit("bound in another unit", "max = 0", "max = \"300ms\""),
    ]
}

/// Keys that contradict each other.
pub(super) fn contradictions() -> Vec<Case> {
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
pub(super) fn arguments() -> Vec<Case> {
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
pub(super) fn kafka_isr() -> Vec<Case> {
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

pub(super) fn kafka_legacy() -> Vec<Case> {
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
pub(super) fn random_faults() -> Vec<Case> {
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
pub(super) fn absurd() -> Vec<Case> {
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
pub(super) fn files() -> Vec<Case> {
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
pub(super) fn calls() -> Vec<Case> {
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
