//! What operations cost: the one calibration of this family, and the section `[costs]` by which a
//! scenario overrides any number of it.
//!
//! The base is Kreps, Narkhede, Rao, "Kafka: a Distributed Messaging System for Log Processing",
//! NetDB 2011: one producer sends 50 thousand messages of 200 bytes a second one by one and 400
//! thousand in batches of 50, so a request takes about 18 us and a message 2.1 us; and Kafka 0.7's
//! own page (07/performance.html): 50 MB/s in, 100 MB/s out of a broker.

use crate::brokers::kit::costs::costs;

costs! {
    request: time, "request" = "18us",
        "Broker: take a request.",
        "NetDB 2011: 50 thousand requests of one message a second, 8 thousand of 50";
    append: time, "append" = "2.1us",
        "Broker: check a message's CRC and append it.",
        "NetDB 2011: as request";
    fetch_part: time, "fetch-part" = "2us",
        "Broker: look up one partition of a fetch; its bytes go from the page cache to the socket \
         (sendfile).",
        "an estimate: 07/performance.html has 100 MB/s out of a broker";
    scan: per_byte, "scan" = "200MB/s",
        "Broker: check the CRCs of a segment as it is recovered; 0 is any speed.",
        "an estimate: reading and checking 1 GiB takes some seconds (KAFKA-188)";
    send: time, "send" = "2us",
        "Producer: serialise a message and choose its partition.",
        "NetDB 2011: 400 thousand messages a second of one producer";
    consume: time, "consume" = "2us",
        "Consumer: decode a message and hand it to the application.",
        "07/performance.html: 100 MB/s of 200 bytes with one consumer";
}
