//! What operations cost: the one calibration of this family, and the section `[costs]` by which a
//! scenario overrides any number of it.
//!
//! The base are figures of Artemis' own performance tool on one machine: 8 thousand messages a second that are
//! not durable with one pending, 87 thousand with a hundred, 75 thousand durable ones of 30 senders.

use crate::brokers::kit::costs::costs;

costs! {
    packet: time, "packet" = "8us",
        "Broker: read a packet and find its session.",
        "perf-tools.adoc: 86,525 messages a second that are not durable, with 100 pending";
    record: time, "record" = "3us",
        "Broker: append a record to the journal's buffer.",
        "perf-tools.adoc: 74,842 durable messages a second of 3 producers";
    flush: time, "flush" = "20us",
        "Broker: write the buffer to a file.",
        "an estimate";
    deliver: time, "deliver" = "6us",
        "Broker: give a message to a consumer's connection.",
        "perf-tools.adoc: 86,525 messages a second that are not durable, with 100 pending";
    load: per_byte, "load" = "100MB/s",
        "Broker: load the journal at the start; 0 is any speed.",
        "an estimate";
    apply: time, "apply" = "4us",
        "Backup: append a packet's record to its own buffer.",
        "an estimate";
    send: time, "send" = "15us",
        "Producer: encode a message and hand it to the connection.",
        "perf-tools.adoc: 8,114 messages a second with one pending";
    consume: time, "consume" = "10us",
        "Consumer: decode a message and hand it to the application.",
        "an estimate";
}
