//! A cluster that has nothing to do costs as much in its second hour as in its first.

use crate::kit::{prepared, run};

#[test]
fn the_events_of_two_hours_are_less_than_a_tenth_more_than_twice_those_of_one() {
    let events = |metadata: &str, hours: u32| {
        let text = format!(
            r#"
format = 1
name = "idle"
mode = "kafka-isr"
broker-version = "3.9"
duration = "{hours}h"
[cluster]
nodes = 3
[controller]
metadata = "{metadata}"
# Snapshots are taken all the time.
{}
[[topic]]
name = "orders"
[[producer]]
name = "p1"
to = "orders"
rate = "1/min"
"#,
            if metadata == "kraft" {
                "\"metadata.log.max.record.bytes.between.snapshots\" = \"4KiB\""
            } else {
                ""
            }
        );
        run(&prepared(&text, &[]), 1).summary.events
    };
    for metadata in ["kraft", "zookeeper"] {
        let (one, two) = (events(metadata, 1), events(metadata, 2));
        assert!(two * 10 < one * 21, "{metadata}: {one} in one hour, {two} in two");
    }
}
