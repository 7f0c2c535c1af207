//! What operations cost: the one calibration of this family, and the section `[costs]` by which a
//! scenario overrides any number of it.
//!
//! The base are rates of a real 5.17.2 on a machine of two cores with one producer each: 27 thousand
//! non-persistent messages a second, 11 thousand persistent ones that are not waited for.

use crate::brokers::kit::costs::costs;

costs! {
    command: time, "command" = "20us",
        "Broker: a connection's thread reads a command and finds who handles it.",
        "measured, 5.17.2: 27 thousand non-persistent sends a second";
    dispatch: time, "dispatch" = "10us",
        "Broker: give a message to a consumer's connection.",
        "an estimate";
    store: time, "store" = "80us",
        "Broker: make a record of a message and put it into the index, one message at a time.",
        "measured, 5.17.2: 11 thousand persistent sends a second that are not waited for";
    batch: time, "batch" = "20us",
        "Broker: the writer of the journal begins a batch.",
        "an estimate";
    record: time, "record" = "10us",
        "Broker: the writer of the journal writes a record.",
        "measured, 5.17.2: of four producers at full speed a kill takes nothing with `periodic`, so the writer keeps up";
    wake: time, "wake" = "250us",
        "Broker: from an fsync until the thread that waits for it has answered: no computing, and others go on.",
        "measured, 5.17.2: one producer that waits for answers gets 1,155 a second, ten get 2,790";
    scan: per_byte, "scan" = "100MB/s",
        "Broker: read the journal at the start; 0 is any speed.",
        "an estimate";
    send: time, "send" = "15us",
        "Producer: encode a message and hand it to the connection.",
        "measured, 5.17.2: an asynchronous send returns after 5 to 50 us";
    consume: time, "consume" = "15us",
        "Consumer: decode a message and hand it to the application.",
        "an estimate";
}
