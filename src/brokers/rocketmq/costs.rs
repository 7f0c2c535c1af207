//! What operations cost: the one calibration of this family, and the section `[costs]` by which a
//! scenario overrides any number of it.
//!
//! The base is the comparison of Alibaba's middleware team (2016): one broker takes 116 thousand small
//! messages a second, one by one, and answers each from memory; so an append takes about 8.6 us.

use crate::brokers::kit::costs::costs;

costs! {
    request: time, "request" = "1us",
        "Broker: decode a request and find who handles it.",
        "an estimate";
    append: time, "append" = "7us",
        "Broker: assign a queue offset and copy a message into the CommitLog, under the lock that all \
         appends share.",
        "Alibaba middleware team, Kafka vs RocketMQ vs RabbitMQ (2016): 116 thousand messages a second";
    pull: time, "pull" = "5us",
        "Broker: find a queue's entries for a pull.",
        "an estimate";
    pull_message: time, "pull-message" = "1us",
        "Broker: find a message in the CommitLog; its bytes go from the page cache to the socket.",
        "an estimate";
    dispatch: time, "dispatch" = "500ns",
        "Broker: make the entry of a message in its consume queue.",
        "an estimate";
    replicate: time, "replicate" = "5us",
        "Broker: push or take one batch of replicated bytes.",
        "an estimate";
    scan: per_byte, "scan" = "200MB/s",
        "Broker: check the CRCs of the CommitLog as it is recovered; 0 is any speed.",
        "an estimate: a segment of 1 GiB takes some seconds";
    send: time, "send" = "5us",
        "Producer: pick a queue, encode a message and hand it to the connection.",
        "an estimate: benchmark/producer.sh, 0.22 ms a send of one thread";
    consume: time, "consume" = "3us",
        "Consumer: decode a message and hand it to a thread of the application.",
        "an estimate";
}
