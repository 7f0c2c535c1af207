//! What people look for and mqsim does not simulate: an answer of its own, with the place where
//! that is said.

/// Something that is known and missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent {
    /// What it is, in words that begin a sentence.
    pub what: &'static str,
    /// What is nearest to it: the rest of a sentence, or nothing.
    pub instead: &'static str,
    /// The file in `docs/fidelity/`, and the heading in it, under which that is said.
    pub said: (&'static str, &'static str),
    /// How it is asked for, in small letters, with hyphens for blanks. The name of a mode may have
    /// it between hyphens.
    words: &'static [&'static str],
}

const RABBITMQ: (&str, &str) = ("rabbitmq.md", "Known gaps");
const KAFKA: (&str, &str) = ("kafka-isr.md", "What is missing");
const ROCKETMQ: (&str, &str) = ("rocketmq.md", "What is missing");
const ACTIVEMQ: (&str, &str) = ("activemq.md", "What is missing");
const ARTEMIS: (&str, &str) = ("artemis.md", "What is missing");
const OTHERS: (&str, &str) = ("README.md", "Other brokers");

const fn absent(
    words: &'static [&'static str],
    what: &'static str,
    said: (&'static str, &'static str),
    instead: &'static str,
) -> Absent {
    Absent { what, instead, said, words }
}

/// All of it. Whoever adds a broker or a part of one removes its line; a test notices.
const ABSENT: &[Absent] = &[
    absent(
        &["acting-master"],
        "Acting masters of RocketMQ are",
        ROCKETMQ,
        "rocketmq-controller simulates groups whose masters are elected by controllers",
    ),
    absent(
        &["rocketmq-proxy", "rocketmq-pop"],
        "RocketMQ's proxy and pop consumers are",
        ROCKETMQ,
        "",
    ),
    absent(
        &["artemis-mirror"],
        "Mirrors of Artemis brokers are",
        ARTEMIS,
        "artemis-replication simulates pairs with a copy of the journal",
    ),
    absent(
        &["network-of-brokers", "replicated-leveldb"],
        "Networks of brokers and replicated stores of ActiveMQ are",
        ACTIVEMQ,
        "activemq-shared-storage simulates brokers that share a store",
    ),
    absent(&["pulsar", "bookkeeper"], "Pulsar is", OTHERS, ""),
    absent(&["nats", "jetstream"], "NATS is", OTHERS, ""),
    absent(
        &["redpanda"],
        "Redpanda is",
        OTHERS,
        "kafka-isr simulates Kafka, which keeps its logs otherwise",
    ),
    absent(&["redis"], "Redis is", OTHERS, ""),
    absent(&["sqs", "kinesis", "pubsub", "servicebus"], "Services of clouds are", OTHERS, ""),
    absent(&["kafka-streams"], "Kafka Streams is", KAFKA, ""),
    absent(&["stream", "streams"], "Streams of RabbitMQ are", RABBITMQ, ""),
    absent(
        &["lazy", "lazy-queue", "lazy-queues"],
        "Lazy queues are",
        RABBITMQ,
        "from 3.12 on every queue keeps its messages on the disk",
    ),
    absent(&["priority", "priorities"], "Priorities of messages are", RABBITMQ, ""),
    absent(
        &["topic-exchange", "headers-exchange"],
        "Topic and headers exchanges are",
        RABBITMQ,
        "direct and fanout exchanges are there",
    ),
    absent(
        &["tiered", "tiered-storage", "tier", "tiers", "remote-storage"],
        "Tiered storage is",
        KAFKA,
        "",
    ),
    absent(
        &["idempotence", "idempotent", "enable.idempotence"],
        "Idempotent producers are",
        KAFKA,
        "",
    ),
    absent(
        &["transaction", "transactions", "transactional", "exactly-once", "eos"],
        "Transactions are",
        KAFKA,
        "",
    ),
    absent(
        &["group", "groups", "consumer-group", "consumer-groups"],
        "Consumer groups of Kafka with replication are",
        KAFKA,
        "kafka-legacy has the groups of 0.7",
    ),
    absent(&["compaction", "retention"], "Retention and compaction are", KAFKA, ""),
    absent(&["reassignment", "cruise-control"], "Reassignment of partitions is", KAFKA, ""),
    absent(
        &["mirrormaker", "mirror-maker", "connect"],
        "Kafka Connect and MirrorMaker are",
        KAFKA,
        "",
    ),
];

impl Absent {
    /// What a word asks for, if it is known to be missing.
    #[must_use]
    pub fn of(word: &str) -> Option<&'static Absent> {
        let word = word.to_lowercase().replace(['_', ' '], "-");
        let whole = |absent: &&Absent| absent.words.contains(&word.as_str());
        let part = |absent: &&Absent| word.split('-').any(|part| absent.words.contains(&part));
        ABSENT.iter().find(whole).or_else(|| ABSENT.iter().find(part))
    }

    /// That it is not simulated, in one sentence.
    #[must_use]
    pub fn message(&self) -> String {
        format!("{} not simulated", self.what)
    }

    /// What is nearest to it, and where more is said.
    #[must_use]
    pub fn help(&self) -> String {
        let instead =
            if self.instead.is_empty() { "`mqsim list` has what is" } else { self.instead };
        let (file, heading) = self.said;
        format!("{instead}; docs/fidelity/{file}, \"{heading}\", says what is missing")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::run::Families;

    #[test]
    fn what_is_missing_is_said_where_it_is_said() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fidelity");
        let modes = Families::default();
        for absent in ABSENT {
            let (file, heading) = absent.said;
            let text = std::fs::read_to_string(docs.join(file)).expect("the file is there");
            let found = text.lines().any(|line| line.strip_prefix("## ") == Some(heading));
            assert!(found, "{file}: {heading}");
            for word in absent.words {
                assert_eq!(Absent::of(word), Some(absent), "{word}");
                assert!(modes.meant(word).is_none(), "{word} is simulated: remove its line");
            }
        }
        for info in modes.modes() {
            assert_eq!(Absent::of(info.mode.name), None, "{} is simulated", info.mode.name);
        }
        let proxy = Absent::of("RocketMQ Proxy").unwrap();
        assert_eq!(proxy.what, "RocketMQ's proxy and pop consumers are");
    }
}
