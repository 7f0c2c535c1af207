//! Settings that contradict each other. What a broker or client refuses to start with is refused
//! here, in its words; what it puts up with is done, and told.

use crate::scenario::{Diagnostics, Place, Scenario, Values};

use super::client::Client;
use super::config::{Config, Settings};
use super::message::Acks;
use super::rules::Rule;
use super::spec::ProducerSpec;

/// Refuses what cannot start, does to producers' settings what the client does, and returns what is
/// to be said of the rest: whole sentences.
pub(super) fn tell(
    scenario: &Scenario,
    config: &Config,
    producers: &mut [ProducerSpec],
    wrong: &mut Diagnostics,
) -> Vec<String> {
    let mut notes = Vec::new();
    brokers(scenario, &config.settings, wrong, &mut notes);
    for (values, producer) in scenario.many("producer").iter().zip(producers) {
        notes.extend(idempotence(config, values, producer, wrong));
        notes.extend(min_isr(config, producer));
        let (place, is_set) = (values.span("delivery.timeout.ms"), values.is_set(DELIVERY));
        if config.has(Rule::DeliveryTimeout) {
            notes.extend(delivery_timeout(producer, place, is_set, wrong));
        }
    }
    notes.sort();
    notes.dedup();
    notes
}

const DELIVERY: &str = "delivery.timeout.ms";

/// What brokers look at when they start (KafkaConfig.scala 0.8.2 to 3.9, `validateValues`; before,
/// as the values are read).
fn brokers(
    scenario: &Scenario,
    settings: &Settings,
    wrong: &mut Diagnostics,
    notes: &mut Vec<String>,
) {
    let broker = scenario.one("broker");
    let wait = settings.fetch_wait;
    let others = [
        ("replica.socket.timeout.ms", settings.socket_timeout, "needless socket time-outs"),
        ("replica.lag.time.max.ms", settings.lag_time, "an ISR that changes all the time"),
    ];
    if let Some((key, other, what)) = others.into_iter().find(|(_, other, _)| wait > *other) {
        let place = if broker.is_set(key) { key } else { "replica.fetch.wait.max.ms" };
        wrong.push(
            broker.span(place),
            format!(
                "a broker does not start with replica.fetch.wait.max.ms = {wait} above {key} = \
                 {other}: that would mean {what}"
            ),
            format!("lower replica.fetch.wait.max.ms, or raise {key}"),
        );
    }
    let (heartbeat, session) = (settings.heartbeat, settings.broker_session);
    if broker.is_set("broker.heartbeat.interval.ms") || broker.is_set("broker.session.timeout.ms") {
        // KafkaConfig.scala 4.0: an error in the log, no more.
        let twice = heartbeat.as_nanos().saturating_mul(2);
        if twice > session.as_nanos() {
            notes.push(format!(
                "brokers start with broker.heartbeat.interval.ms = {heartbeat}, though that is more \
                 than half of broker.session.timeout.ms = {session}; one that is late by little is \
                 fenced."
            ));
        }
    }
}

/// Topics may ask for more in-sync replicas than they have. Up to 3.6 every write that waits for all
/// fails then, before it is appended or after (Partition.scala 0.8.2,
/// `checkEnoughReplicasReachOffset`; since 0.9 `appendRecordsToLeader`). From 3.7 on all replicas
/// are enough (`effectiveMinIsr`).
fn min_isr(config: &Config, producer: &ProducerSpec) -> Option<String> {
    let topic = config.topics.get(producer.topic as usize)?;
    let replicas = config.partitions.iter().find(|one| one.topic == producer.topic)?.replicas.len();
    let asks = producer.settings.acks == Acks::All && topic.min_isr as usize > replicas;
    let refused = asks && !config.has(Rule::CapMinIsr);
    refused.then(|| {
        format!(
            "Kafka creates {} with min.insync.replicas = {} and {replicas} replicas; every write \
             with acks = all fails with NOT_ENOUGH_REPLICAS.",
            topic.name, topic.min_isr
        )
    })
}

/// An idempotent producer waits for all in-sync replicas, tries again, and has at most 5 requests
/// under way (1 before 1.0). Where that contradicts what is written, whoever asks for idempotence is
/// refused; who has it by default does without it, but for the requests since 4.0
/// (ProducerConfig.java 3.2 and 4.0, `postProcessAndValidateIdempotenceConfigs`; before 3.0
/// KafkaProducer.java 0.11 to 2.8, `configureAcks`, `configureRetries`, `configureInflightRequests`,
/// where what is not written is set to what is needed).
fn idempotence(
    config: &Config,
    values: &Values,
    producer: &mut ProducerSpec,
    wrong: &mut Diagnostics,
) -> Option<String> {
    let settings = &mut producer.settings;
    if settings.client == Client::Librdkafka
        && values.get_flag(IDEMPOTENCE) == Some(true)
        && values.is_set(IDEMPOTENCE)
    {
        wrong.push(
            values.span(IDEMPOTENCE),
            "librdkafka's idempotent producer is not simulated: it ends at the first gap"
                .to_owned(),
            "write client = \"java\", or leave idempotence out",
        );
    }
    if !settings.idempotence {
        return None;
    }
    let most = if config.has(Rule::KeepFiveBatches) { 5 } else { 1 };
    if !values.is_set(ACKS) {
        settings.acks = Acks::All;
    }
    if !values.is_set(RETRIES) && settings.retries == 0 {
        settings.retries = i32::MAX as u32;
    }
    if !values.is_set(IN_FLIGHT) {
        settings.max_in_flight = settings.max_in_flight.min(most);
    }
    let conflicts = [
        (settings.retries == 0, RETRIES, "retries above 0".to_owned()),
        (settings.acks != Acks::All, ACKS, "acks = \"all\"".to_owned()),
        (settings.max_in_flight > most, IN_FLIGHT, format!("{IN_FLIGHT} of at most {most}")),
    ];
    let (_, key, needs) = conflicts.into_iter().find(|(conflicts, ..)| *conflicts)?;
    let refuses = key == IN_FLIGHT && config.has(Rule::RefuseManyInFlight);
    if values.is_set(IDEMPOTENCE) || refuses {
        wrong.push(
            values.span(key),
            format!("the producer does not start: an idempotent producer needs {needs}"),
            format!("change {key}, or write \"{IDEMPOTENCE}\" = false"),
        );
        return None;
    }
    settings.idempotence = false;
    let name = &producer.load.name;
    (key == IN_FLIGHT).then(|| {
        format!("The producer {name} is not idempotent, since it has more than {most} requests under way.")
    })
}

const IDEMPOTENCE: &str = "enable.idempotence";
const ACKS: &str = "acks";
const RETRIES: &str = "retries";
const IN_FLIGHT: &str = "max.in.flight.requests.per.connection";

/// A message must have the time for one attempt (KafkaProducer.java 2.1,
/// `configureDeliveryTimeout`).
fn delivery_timeout(
    producer: &mut ProducerSpec,
    place: Place,
    is_set: bool,
    wrong: &mut Diagnostics,
) -> Option<String> {
    let settings = &mut producer.settings;
    let least = settings.linger + settings.request_timeout;
    let short = settings.delivery_timeout.filter(|timeout| *timeout < least)?;
    if is_set {
        wrong.push(
            place,
            format!(
                "the producer does not start: delivery.timeout.ms should be equal to or larger \
                 than linger.ms + request.timeout.ms, which is {least}"
            ),
            "raise delivery.timeout.ms, or lower request.timeout.ms",
        );
        return None;
    }
    settings.delivery_timeout = Some(least);
    let name = &producer.load.name;
    Some(format!(
        "The producer {name} takes linger.ms + request.timeout.ms = {least} for its \
         delivery.timeout.ms, whose default of {short} is less."
    ))
}
