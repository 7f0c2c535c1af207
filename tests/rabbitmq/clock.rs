//! What a wrong clock does to RabbitMQ: expiry goes by the time of day, time-outs do not.

use mqsim::run::{parse, simulate};
use mqsim::verdict::Report;

const QUEUE: &str = "
    format = 1
    name = 'clock'
    mode = 'rabbitmq-single'
    duration = '20s'
    [cluster]
    nodes = 1
    [[queue]]
    name = 'orders'
    x-message-ttl = '10min'
    [[producer]]
    name = 'p1'
    to = 'orders'
    rate = '100/s'
    start = '7s'
";

fn run(text: &str) -> Report {
    let prepared = parse("clock.toml", text.as_bytes(), &[]).unwrap_or_else(|e| panic!("{e}"));
    simulate(&prepared, 1, None).unwrap_or_else(|e| panic!("{e}"))
}

fn skewed(offset: &str, drift: &str) -> Report {
    run(&format!(
        "{QUEUE}
        [[fault]]
        at = '15s'
        for = '2s'
        kind = 'clock-skew'
        target = 'n1'
        offset = '{offset}'
        drift = '{drift}'"
    ))
}

#[test]
fn a_clock_that_jumps_ahead_expires_what_is_in_the_queue() {
    let calm = run(QUEUE).summary;
    assert_eq!((calm.expired, calm.unexplained), (0, 0));
    assert!(calm.acked + calm.accepted > 1_200);
    // What comes after the jump has another expiry.
    let ahead = skewed("20min", "0ppm").summary;
    assert!((750..=850).contains(&ahead.expired), "{} expired", ahead.expired);
    assert_eq!(skewed("9min", "0ppm").summary.expired, 0);
    // Set back again, the clock is behind for what was sent meanwhile.
    assert_eq!(skewed("-20min", "0ppm").summary.expired, 200);
}

#[test]
fn a_drift_alone_expires_nothing_in_so_short_a_time() {
    assert_eq!(skewed("0s", "50%").summary.expired, 0);
}
