//! `[[producer]]` and `[[consumer]]` as the clients use them.

use crate::engine::Span;
use crate::scenario::Values;

use super::super::config::Config;
use super::super::groups::{Assignor, GroupId, GroupSettings, Protocol};
use super::super::message::Acks;
use super::super::rules::Rule;

/// Which producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// org.apache.kafka.clients.producer.KafkaProducer.
    Java,
    /// kafka.producer.Producer.
    Scala,
    /// librdkafka. It sends as the Java client does; what differs in what is lost are its defaults.
    Librdkafka,
}

/// What both producers have.
#[derive(Clone, Debug, PartialEq)]
pub struct ProducerSettings {
    /// `client`.
    pub client: Client,
    /// `acks`.
    pub acks: Acks,
    /// `retries`.
    pub retries: u32,
    /// `retry.backoff.ms`.
    pub backoff: Span,
    /// `retry.backoff.max.ms`; as `backoff` where there is no such thing.
    pub backoff_max: Span,
    /// `request.timeout.ms`.
    pub request_timeout: Span,
    /// `delivery.timeout.ms`, from 2.1 on.
    pub delivery_timeout: Option<Span>,
    /// `batch.size`.
    pub batch_size: u32,
    /// `linger.ms`.
    pub linger: Span,
    /// `max.in.flight.requests.per.connection`.
    pub max_in_flight: usize,
    /// `max.request.size`.
    pub max_request: u32,
    /// `buffer.memory`.
    pub buffer_memory: u64,
    /// `max.block.ms`.
    pub max_block: Span,
    /// `metadata.max.age.ms`.
    pub metadata_max_age: Span,
    /// Whether batches are compressed.
    pub compression: bool,
    /// How many different keys messages have; none if `None`.
    pub keys: Option<u32>,
    /// Whether the application sends again what has failed.
    pub resend: bool,
    /// `enable.idempotence`.
    pub idempotence: bool,
    /// Whether the application looks at what becomes of its messages.
    pub reports: bool,
    /// Whether it waits for that when it stops in order.
    pub flush: bool,
    /// How many messages may wait (`queue.buffering.max.messages` of librdkafka).
    pub queue: u64,
}

fn bytes(values: &Values, key: &str, absent: u64) -> u64 {
    values.get_size(key).unwrap_or(absent)
}

impl ProducerSettings {
    /// Which client a `[[producer]]` uses.
    #[must_use]
    pub fn client(values: &Values) -> Client {
        match values.choice("client") {
            "scala" => Client::Scala,
            "librdkafka" => Client::Librdkafka,
            _ => Client::Java,
        }
    }

    /// Reads a `[[producer]]`. What is not written is the client's own default: that of the Scala
    /// producer did not change (ProducerConfig.scala 0.8.2.2: no acks, 3 retries, 10 s).
    #[must_use]
    pub fn read(values: &Values) -> ProducerSettings {
        let client = ProducerSettings::client(values);
        let own = |key: &str| client == Client::Scala && !values.is_set(key);
        // librdkafka 2.x, CONFIGURATION.md: message.timeout.ms, queue.buffering.max.ms, batch.size,
        // queue.buffering.max.kbytes, queue.buffering.max.messages, retries, acks.
        let librd = |key: &str| client == Client::Librdkafka && !values.is_set(key);
        let acks = match values.choice("acks") {
            _ if own("acks") => Acks::None,
            _ if librd("acks") => Acks::All,
            "0" => Acks::None,
            "1" => Acks::Leader,
            "all" | "-1" => Acks::All,
            n => Acks::Some(n.parse().unwrap_or(2)),
        };
        let backoff = values.duration("retry.backoff.ms");
        let most = |bytes: u64| bytes.min(1 << 30) as u32;
        ProducerSettings {
            client,
            acks,
            retries: match values.integer("retries") as u32 {
                _ if own("retries") => 3,
                _ if librd("retries") => i32::MAX as u32,
                retries => retries,
            },
            backoff,
            backoff_max: values.get_duration("retry.backoff.max.ms").unwrap_or(backoff),
            request_timeout: match own("request.timeout.ms") {
                true => Span::from_secs(10),
                false => values.duration("request.timeout.ms"),
            },
            delivery_timeout: match librd("delivery.timeout.ms") {
                true => Some(Span::from_secs(300)),
                false => values.get_duration("delivery.timeout.ms"),
            },
            batch_size: match librd("batch.size") {
                true => 1_000_000,
                false => most(bytes(values, "batch.size", 16_384)),
            },
            linger: match librd("linger.ms") {
                true => Span::from_millis(5),
                false => values.get_duration("linger.ms").unwrap_or(Span::ZERO),
            },
            max_in_flight: values.get_integer("max.in.flight.requests.per.connection").unwrap_or(5)
                as usize,
            max_request: most(bytes(values, "max.request.size", 1 << 20)),
            buffer_memory: match librd("buffer.memory") {
                true => 1 << 30,
                false => bytes(values, "buffer.memory", 32 << 20),
            },
            max_block: match client {
                Client::Librdkafka => Span::ZERO,
                _ => values.get_duration("max.block.ms").unwrap_or(Span::MAX),
            },
            metadata_max_age: values.duration("metadata.max.age.ms"),
            compression: values.flag("compression"),
            keys: values.get_integer("keys").map(|keys| keys as u32),
            resend: values.flag("resend"),
            idempotence: values.get_flag("enable.idempotence").unwrap_or(false)
                && client == Client::Java,
            reports: values.choice("delivery-reports") == "handled",
            flush: values.flag("flush"),
            queue: if client == Client::Librdkafka { 100_000 } else { u64::MAX },
        }
    }
}

/// What only the Scala producer has.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalaSettings {
    /// `producer.type` is `async`.
    pub queued: bool,
    /// `queue.buffering.max.ms`.
    pub buffering: Span,
    /// `queue.buffering.max.messages`.
    pub queue: usize,
    /// `queue.enqueue.timeout.ms`; `None` waits for ever.
    pub enqueue_timeout: Option<Span>,
    /// `batch.num.messages`.
    pub batch_messages: usize,
    /// `topic.metadata.refresh.interval.ms`.
    pub refresh: Span,
}

impl ScalaSettings {
    /// Reads a `[[producer]]`.
    #[must_use]
    pub fn read(values: &Values) -> ScalaSettings {
        let seconds = Span::from_secs;
        let span = |key: &str, absent| values.get_duration(key).unwrap_or(absent);
        let count = |key: &str, absent| values.get_integer(key).unwrap_or(absent) as usize;
        let enqueue = values.get_signed("queue.enqueue.timeout.ms").unwrap_or(-1);
        ScalaSettings {
            queued: values.get_text("producer.type") == Some("async"),
            buffering: span("queue.buffering.max.ms", seconds(5)),
            queue: count("queue.buffering.max.messages", 10_000),
            enqueue_timeout: u64::try_from(enqueue).ok().map(Span::from_millis),
            batch_messages: count("batch.num.messages", 200),
            refresh: span("topic.metadata.refresh.interval.ms", seconds(600)),
        }
    }
}

/// Where a consumer goes on when there is no such offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// At the log's start.
    Earliest,
    /// At its end.
    Latest,
    /// Nowhere: it stops.
    None,
    /// At what was sent so long ago (`by_duration`).
    ByDuration(Span),
}

impl Reset {
    /// What `auto.offset.reset` says; a duration is written as ISO 8601 has it
    /// (AutoOffsetResetStrategy.java 4.0, `fromString`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Reset> {
        Some(match text {
            "earliest" => Reset::Earliest,
            "latest" => Reset::Latest,
            "none" => Reset::None,
            other => Reset::ByDuration(iso_duration(other.strip_prefix("by_duration:")?)?),
        })
    }
}

/// A length of time as `java.time.Duration` reads it, in whole units: `P1D`, `PT30S`, `PT1H30M`.
fn iso_duration(text: &str) -> Option<Span> {
    let (mut rest, mut seconds, mut in_day) = (text.strip_prefix('P')?, 0u64, false);
    let mut units: &[(char, u64)] = &[('D', 86_400)];
    if rest.is_empty() || rest == "T" {
        return None;
    }
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T').filter(|_| !in_day) {
            (rest, in_day, units) = (time, true, &[('H', 3_600), ('M', 60), ('S', 1)]);
            continue;
        }
        let at = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..at].parse().ok()?;
        let unit = rest[at..].chars().next()?;
        let place = units.iter().position(|(name, _)| *name == unit)?;
        seconds = seconds.checked_add(number.checked_mul(units[place].1)?)?;
        units = &units[place + 1..];
        rest = &rest[at + 1..];
    }
    (seconds <= 3_600_000).then(|| Span::from_secs(seconds))
}

/// What a consumer has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSettings {
    /// `auto.offset.reset`.
    pub reset: Reset,
    /// `fetch.max.wait.ms`.
    pub max_wait: Span,
    /// `fetch.min.bytes`.
    pub min_bytes: u32,
    /// `max.partition.fetch.bytes`.
    pub partition_bytes: u32,
    /// `max.poll.records`.
    pub poll_records: u32,
    /// `request.timeout.ms`.
    pub request_timeout: Span,
    /// `retry.backoff.ms`.
    pub backoff: Span,
    /// `metadata.max.age.ms`.
    pub metadata_max_age: Span,
    /// `isolation.level` is `read_committed`.
    pub committed: bool,
    /// `client.rack`, which the plan knows.
    pub rack: Option<u32>,
}

impl ConsumerSettings {
    /// Reads a `[[consumer]]`.
    #[must_use]
    pub fn read(values: &Values) -> ConsumerSettings {
        let most = |bytes: u64| bytes.min(1 << 30) as u32;
        ConsumerSettings {
            reset: Reset::parse(values.text("auto.offset.reset")).unwrap_or(Reset::Latest),
            max_wait: values.duration("fetch.max.wait.ms"),
            min_bytes: most(values.size("fetch.min.bytes")),
            partition_bytes: most(values.size("max.partition.fetch.bytes")),
            poll_records: values.integer("max.poll.records").min(u64::from(u32::MAX)) as u32,
            request_timeout: values.duration("request.timeout.ms"),
            backoff: values.duration("retry.backoff.ms"),
            metadata_max_age: values.duration("metadata.max.age.ms"),
            committed: values.get_text("isolation.level") == Some("read_committed"),
            rack: None,
        }
    }

    /// Those of an auditor: it reads everything from the start.
    #[must_use]
    pub const fn auditor() -> ConsumerSettings {
        ConsumerSettings {
            reset: Reset::Earliest,
            max_wait: Span::from_millis(500),
            min_bytes: 1,
            partition_bytes: 1 << 20,
            poll_records: u32::MAX,
            request_timeout: Span::from_secs(30),
            backoff: Span::from_millis(100),
            metadata_max_age: Span::from_secs(300),
            committed: false,
            rack: None,
        }
    }
}

/// When an application commits, if the consumer does not by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commits {
    /// `enable.auto.commit`: in poll(), every so often.
    Auto(Span),
    /// When it is through with what poll() has returned.
    After,
    /// Before it begins with that.
    Before,
    /// When it is through with half of that; all that was returned.
    Middle,
    /// When it is through with a message, up to that one.
    Each,
    /// Never.
    Never,
}

/// What a consumer with a `group.id` has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSettings {
    /// Which group.
    pub group: GroupId,
    /// Whether it shares the topic with others, or reads what is assigned to it and only commits.
    pub subscribes: bool,
    /// When it commits.
    pub commits: Commits,
    /// Whether its application waits for a commit.
    pub waits: bool,
    /// Whether its application polls on before it is through.
    pub workers: bool,
    /// `session.timeout.ms`.
    pub session: Span,
    /// `heartbeat.interval.ms`; with KIP-848 the broker's.
    pub heartbeat: Span,
    /// `max.poll.interval.ms`.
    pub max_poll: Span,
    /// `partition.assignment.strategy`.
    pub assignors: Vec<Assignor>,
    /// Whether it has a `group.instance.id`.
    pub instance: bool,
    /// `group.protocol`.
    pub protocol: Protocol,
    /// At which of its messages its application throws.
    pub fails_at: Option<u32>,
    /// After how long it is started again then.
    pub restart_after: Span,
}

impl MemberSettings {
    /// Reads a `[[consumer]]` with a `group.id`, of a group with this place.
    #[must_use]
    pub fn read(values: &Values, group: GroupId, settings: &GroupSettings) -> MemberSettings {
        let span = |key: &str| values.get_duration(key);
        let session = span("session.timeout.ms").unwrap_or(Span::from_secs(30));
        let commits = match values.get_text("commit") {
            _ if values.is_set("transactional.id") => Commits::Never,
            _ if values.get_flag("enable.auto.commit").unwrap_or(true) => {
                let interval = span("auto.commit.interval.ms");
                Commits::Auto(interval.unwrap_or(Span::from_secs(5)))
            }
            Some("before") => Commits::Before,
            Some("middle") => Commits::Middle,
            Some("each") => Commits::Each,
            Some("never") => Commits::Never,
            _ => Commits::After,
        };
        let strategy = values.get_text("partition.assignment.strategy").unwrap_or("range");
        let assignors = strategy.split(',').map(|name| match name {
            "roundrobin" => Assignor::RoundRobin,
            "sticky" => Assignor::Sticky,
            "cooperative-sticky" => Assignor::CooperativeSticky,
            _ => Assignor::Range,
        });
        let consumer = values.get_text("group.protocol") == Some("consumer");
        MemberSettings {
            group,
            subscribes: values.names("partitions").is_empty(),
            commits,
            waits: values.get_text("commit-call") != Some("async"),
            workers: values.get_text("hand-over") == Some("workers"),
            session: if consumer { settings.consumer_session } else { session },
            heartbeat: match consumer {
                true => settings.consumer_heartbeat,
                false => span("heartbeat.interval.ms").unwrap_or(Span::from_secs(3)),
            },
            // Before 0.10.1 a rebalance waited for a session (JoinGroup version 0).
            max_poll: span("max.poll.interval.ms").unwrap_or(session),
            assignors: assignors.collect(),
            instance: values.get_text("group.instance.id").is_some(),
            protocol: if consumer { Protocol::Consumer } else { Protocol::Classic },
            fails_at: values.get_integer("fails-at").map(|at| at as u32),
            restart_after: span("restart-after").unwrap_or(Span::from_secs(1)),
        }
    }
}

/// How large messages and batches are on the wire and in the log beside their payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordFormat {
    /// Bytes of a batch.
    pub batch: u32,
    /// Bytes of a message.
    pub message: u32,
}

impl RecordFormat {
    /// That of a version: Record.java 0.8.2 (offset and size 12, CRC, magic, attributes and two
    /// lengths 14), 0.10.0 (a timestamp more); DefaultRecordBatch.java and DefaultRecord.java
    /// 0.11.0 (a header of 61, and varints that mostly take 8).
    #[must_use]
    pub fn of(config: &Config) -> RecordFormat {
        if config.has(Rule::RecordBatches) {
            RecordFormat { batch: 61, message: 8 }
        } else if config.has(Rule::MessageTimestamps) {
            RecordFormat { batch: 0, message: 34 }
        } else {
            RecordFormat { batch: 0, message: 26 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_a_word_or_a_duration() {
        let by = |seconds| Some(Reset::ByDuration(Span::from_secs(seconds)));
        assert_eq!(Reset::parse("latest"), Some(Reset::Latest));
        assert_eq!(Reset::parse("by_duration:PT30S"), by(30));
        assert_eq!(Reset::parse("by_duration:P1DT1H2M3S"), by(90_123));
        for wrong in
            ["", "PT30S", "by_duration:", "by_duration:PT", "by_duration:PT5", "by_duration:-PT5S"]
        {
            assert_eq!(Reset::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Reset::parse("by_duration:PT5S3M"), None, "units descend");
    }
}
