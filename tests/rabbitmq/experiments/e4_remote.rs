//! Classic queue on n1 of three nodes, 1000 messages a second: where the clients are connected.

use super::steady::{Figures, Load, Steady, median};

fn clients(producer: &'static str, consumer: &'static str) -> Figures {
    let clients = (producer, consumer);
    Steady { clients, load: Load::Rate(1000), seconds: 3, seeds: 30, ..Steady::cluster() }.run()
}

#[test]
fn a_message_goes_once_over_each_hop_between_its_client_and_its_queue() {
    let local = clients("n1", "n1");
    assert!(median(&local.bytes) < 1.0, "a local queue costs no more than the ticks");
    local.confirms_overlap(0.54..=0.56);
    let producer = clients("n2", "n1");
    producer.bytes_are(1512.0);
    producer.confirms_overlap(0.74..=0.75);
    let consumer = clients("n1", "n2");
    consumer.bytes_are(1544.0);
    consumer.confirms_overlap(0.63..=0.66);
    let both = clients("n2", "n2");
    both.bytes_are(3048.0);
    both.confirms_overlap(0.70..=0.75);
    let apart = clients("n2", "n3");
    apart.bytes_are(3045.0);
    apart.confirms_overlap(0.79..=0.82);

    let hop = median(&producer.confirm_p50) - median(&local.confirm_p50);
    assert!((0.1..0.3).contains(&hop), "the hop adds some 0.2 ms to a confirm, here {hop}");
    let (one, two) = (median(&consumer.delivery_p50), median(&apart.delivery_p50));
    let none = median(&local.delivery_p50);
    assert!(none < one && one < two, "each hop delays deliveries: {none}, {one}, {two}");
    for figures in [&local, &producer, &consumer, &both, &apart] {
        let (confirm, delivery) = (median(&figures.confirm_p50), median(&figures.delivery_p50));
        assert!(delivery < confirm, "{}: delivered before it is confirmed", figures.what);
    }
}
