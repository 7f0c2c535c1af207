//! What operations cost: the one calibration of this family, and the section `[costs]` by which a
//! scenario overrides any number of it.

use crate::brokers::kit::costs::costs;

costs! {
    request: time, "request" = "10us",
        "Broker: take one request from a connection, and answer it.",
        "an estimate: NetDB 2011 has 18 us for a one-way produce request and its append";
    append: time, "append" = "8us",
        "Broker: append one batch to a log.",
        "an estimate: as request";
    append_message: time, "append-message" = "100ns",
        "Broker: validate a message of a batch.",
        "an estimate: Benchmarking Apache Kafka (2014) has 821 thousand messages of 100 bytes a second through one producer thread";
    append_bytes: per_byte, "append-bytes" = "1GB/s",
        "Broker: checksum and copy the bytes of a batch.",
        "an estimate: memory speed";
    read: time, "read" = "3us",
        "Broker: read one partition for a fetch.",
        "an estimate: sendfile from the page cache";
    fetch_partition: time, "fetch-partition" = "200ns",
        "Broker and follower: look at one partition of a fetch that has nothing new.",
        "How to choose the number of topics/partitions (2015): 1000 partitions add 20 ms";
    elect: time, "elect" = "100us",
        "Controller: elect a leader, beside what ZooKeeper takes; before 1.1 it writes one partition after the other.",
        "How to choose the number of topics/partitions (2015): 5 ms a partition with ZooKeeper's write";
    reload: times, "reload" = "2ms",
        "Controller: read one partition's state from ZooKeeper at its start, before 1.1.",
        "How to choose the number of topics/partitions (2015): 2 ms a partition";
    scan: per_byte, "scan" = "500MB/s",
        "Broker: check the bytes of a segment at a start that was not clean.",
        "an estimate: sequential read and CRC";
    send: time, "send" = "1us",
        "Producer: hand a message to its batch.",
        "Benchmarking Apache Kafka (2014): 821 thousand messages a second of one producer thread";
    batch: time, "batch" = "10us",
        "Producer: send a batch, or take the answer.",
        "an estimate: as request";
    receive: time, "receive" = "1us",
        "Consumer: take a message from what was fetched.",
        "Benchmarking Apache Kafka (2014): 940 thousand messages a second of one consumer";
    load_offsets: time, "load-offsets" = "5us",
        "Broker: read one record of __consumer_offsets when it becomes a coordinator.",
        "an estimate: as append";
    internal: time, "internal" = "2us",
        "Any other step.",
        "an estimate that no measurement depends on";
}
