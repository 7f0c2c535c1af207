//! A publisher at full speed, a leader and one mirror: does the consumer keep up?
//!
//! Measured with RabbitMQ 3.10.8, messages consumed by messages published: 0.23 to 0.26 with a prefetch of 1,
//! 0.83 to 0.97 with 10, 1.00 from 100 on, whether 1,000 or 10,000 messages were in flight. A consumer that has to wait
//! for its turn behind all that publishers have sent would get a hundredth.

use mqsim::run::{parse, simulate};

/// Messages consumed by messages confirmed in the four seconds after the first two.
fn kept_up(in_flight: u32, prefetch: u32, rules: &str) -> f64 {
    let text = format!(
        "format = 1\nname = \"saturation\"\nmode = \"rabbitmq-mirrored\"\nbroker-version = \"3.10\"\n\
         duration = \"6s\"\ndrain = \"1s\"\n\
         [cluster]\nnodes = 2\nhardware = \"lab-vm\"\n{rules}\
         [[policy]]\npattern = \"orders\"\nha-mode = \"all\"\nha-sync-mode = \"automatic\"\n\
         [[queue]]\nname = \"orders\"\nleader = \"n1\"\n\
         [[producer]]\nname = \"p1\"\nto = \"orders\"\nconnect = [\"n1\"]\n\
         closed-loop = {{ in-flight = {in_flight} }}\nconfirms = {{ window = {in_flight} }}\n\
         message-size = \"1kB\"\n\
         [[consumer]]\nname = \"c1\"\nfrom = \"orders\"\nconnect = [\"n1\"]\nprefetch = {prefetch}\n"
    );
    let prepared = parse("saturation.toml", text.as_bytes(), &[]);
    let prepared = prepared.unwrap_or_else(|error| panic!("{error}"));
    let report = simulate(&prepared, 1, None).expect("the run ends");
    let timeline = &report.timeline;
    let a_second = (1_000_000_000 / timeline.bucket.as_nanos()) as usize;
    let counted = &timeline.buckets[2 * a_second..6 * a_second];
    let confirmed: u64 = counted.iter().map(|bucket| bucket.acked).sum();
    let consumed: u64 = counted.iter().map(|bucket| bucket.delivered).sum();
    let share = consumed as f64 / confirmed as f64;
    println!("{in_flight} in flight, prefetch {prefetch}: {share}");
    share
}

#[test]
fn a_consumer_keeps_up_from_a_prefetch_of_ten_on_however_much_is_in_flight() {
    for in_flight in [1_000, 10_000] {
        let one = kept_up(in_flight, 1, "");
        assert!((0.18..=0.30).contains(&one), "measured 0.23 to 0.26: {one}");
        let ten = kept_up(in_flight, 10, "");
        assert!((0.83..=1.05).contains(&ten), "measured 0.83 to 0.97: {ten}");
        let hundred = kept_up(in_flight, 100, "");
        assert!((0.97..=1.05).contains(&hundred), "measured 1.00: {hundred}");
    }
}

#[test]
fn without_priorities_it_waits_behind_all_that_was_published() {
    let ten = kept_up(10_000, 10, "[rules]\nmailbox-priorities = false\n");
    assert!(ten < 0.1, "{ten}");
}
