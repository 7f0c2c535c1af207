//! Mirrors that were restarted one after the other, with manual synchronisation, hold nothing of
//! the backlog; then the leader's node goes, for some seven seconds and its start.

use mqsim::engine::{Span, Time};
use mqsim::observe::{
    Catalog, ConsumerId, DestinationId, Event, MessageRange, Observer, Outcome, ProducerId,
};
use mqsim::run::{observe, parse, simulate};
use mqsim::verdict::Report;

use super::lab::{Seen, overlaps, seeds};

/// When the leader goes and when it starts again, seconds. Sends are 5 ms apart; it comes between
/// two of them.
const FAULT: (f64, f64) = (29.0021, 36.0021);
const BACKLOG: ProducerId = ProducerId(0);

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    confirmed: bool,
    delivered: bool,
}

/// What the clients of this experiment saw.
#[derive(Clone, Debug, Default)]
struct Watch {
    /// Messages of the backlog, and those published later.
    lines: [Vec<Line>; 2],
    promoted: Option<u32>,
    promotions: u64,
    nacked: u64,
    confirmed_while_away: u64,
    last_confirm: Option<Time>,
    pause: Span,
}

fn at(seconds: f64) -> Time {
    Time::from_nanos((seconds * 1e9) as u64)
}

impl Watch {
    fn new(catalog: &Catalog) -> Watch {
        let word = catalog.events.iter().position(|word| word.name == "promoted");
        Watch { promoted: word.map(|index| index as u32), ..Watch::default() }
    }

    fn line(&mut self, messages: MessageRange) -> &mut Line {
        let lines = &mut self.lines[messages.producer.index()];
        let index = messages.first as usize;
        if lines.len() <= index {
            lines.resize(index + 1, Line::default());
        }
        &mut lines[index]
    }

    /// Confirmed, and lost among those, of one producer.
    fn count(&self, producer: ProducerId) -> (u64, u64) {
        let confirmed = self.lines[producer.index()].iter().filter(|line| line.confirmed);
        let lost = confirmed.clone().filter(|line| !line.delivered);
        (confirmed.count() as u64, lost.count() as u64)
    }
}

impl Observer for Watch {
    fn outcome(&mut self, now: Time, messages: MessageRange, outcome: Outcome) {
        match outcome {
            Outcome::Acked => {
                self.line(messages).confirmed = true;
                if messages.producer != BACKLOG {
                    if let Some(last) = self.last_confirm {
                        self.pause = self.pause.max(now.since(last));
                    }
                    self.last_confirm = Some(now);
                    // A leader that stops in order serves on for a moment.
                    let away = (at(FAULT.0 + 0.15)..at(FAULT.1)).contains(&now);
                    self.confirmed_while_away += u64::from(away);
                }
            }
            Outcome::Nacked => self.nacked += 1,
            _ => {}
        }
    }

    fn delivered(
        &mut self,
        _: Time,
        _: ConsumerId,
        _: DestinationId,
        messages: MessageRange,
        _: bool,
    ) {
        self.line(messages).delivered = true;
    }

    fn event(&mut self, _: Time, event: Event) {
        self.promotions += u64::from(Some(event.word.0) == self.promoted);
    }
}

fn text(policy: &str, fault: &str) -> String {
    let client = "message-size = \"1KiB\"\ncatch-up = \"1s\"\nreconnect-delay = \"100ms\"\n\
                  heartbeat = \"5s\"\n";
    format!(
        "format = 1\nname = \"experiment\"\nmode = \"rabbitmq-mirrored\"\n\
         broker-version = \"3.10\"\nduration = \"60s\"\ndrain = \"120s\"\n\
         [cluster]\nnodes = 3\nhardware = \"lab-vm\"\n\
         boot-time = {{ distribution = \"uniform\", min = \"4.6s\", max = \"6.9s\" }}\n\
         [broker]\nnet_ticktime = \"8s\"\n\
         [[policy]]\npattern = \"orders\"\nha-mode = \"all\"\nha-sync-mode = \"manual\"\n{policy}\
         [[queue]]\nname = \"orders\"\nleader = \"n1\"\n\
         [[producer]]\nname = \"p1\"\nto = \"orders\"\nconnect = [\"n1\"]\nrate = \"1k/s\"\n\
         stop = \"5004ms\"\nconfirms = {{ window = 200 }}\n{client}\
         [[producer]]\nname = \"p2\"\nto = \"orders\"\nconnect = [\"n2\"]\nrate = \"200/s\"\n\
         start = \"25s\"\nconfirms = {{ window = 100 }}\n{client}\
         [[fault]]\nat = \"6s\"\nfor = \"1s\"\nkind = \"stop\"\ntarget = \"n2\"\n\
         [[fault]]\nat = \"15s\"\nfor = \"1s\"\nkind = \"stop\"\ntarget = \"n3\"\n\
         [[fault]]\nat = \"{at}s\"\nfor = \"{lasts}s\"\nkind = \"{fault}\"\ntarget = \"n1\"\n",
        at = FAULT.0,
        lasts = FAULT.1 - FAULT.0,
    )
}

struct Run {
    watch: Watch,
    /// Confirmed and lost, of the backlog and of what was published later.
    backlog: (u64, u64),
    later: (u64, u64),
}

fn run(policy: &str, fault: &str) -> (Vec<Run>, Vec<(Seen, Report)>) {
    let prepared = parse("experiment.toml", text(policy, fault).as_bytes(), &[]);
    let prepared = prepared.unwrap_or_else(|error| panic!("{error}"));
    let (mut runs, mut seen) = (Vec::new(), Vec::new());
    for seed in 1..=seeds() {
        let watch = Watch::new(prepared.catalog());
        let (watch, _) = observe(&prepared, seed, watch).expect("the run ends");
        let report = simulate(&prepared, seed, None).expect("the run ends");
        assert!(report.quiet, "seed {seed}: everything comes to rest");
        assert_eq!(report.summary.unexplained, 0, "seed {seed}: every loss has a cause");
        let (backlog, later) = (watch.count(BACKLOG), watch.count(ProducerId(1)));
        assert_eq!(
            backlog.1 + later.1,
            report.summary.acked_lost,
            "seed {seed}: both counts agree"
        );
        let sums = Seen {
            lost: backlog.1 + later.1,
            nacked: watch.nacked,
            write_pause: watch.pause.as_secs_f64(),
            ..Seen::default()
        };
        seen.push((sums, report));
        runs.push(Run { watch, backlog, later });
    }
    (runs, seen)
}

#[test]
fn killed_and_any_mirror_may_lead_the_backlog_is_lost() {
    let (runs, seen) = run("", "crash");
    for run in &runs {
        assert_eq!(run.backlog.1, run.backlog.0, "all that is older than the mirrors is lost");
        assert_eq!(run.later.1, 0, "nothing of what came later");
        assert_eq!((run.watch.promotions, run.watch.nacked), (1, 0));
    }
    overlaps("lost", &seen, |seen, _| seen.lost as f64, 5001.0..=5008.0);
    overlaps("confirms pause, s", &seen, |seen, _| seen.write_pause, 0.12..=0.47);
}

#[test]
fn killed_and_only_a_synchronised_mirror_may_lead_publishers_hear_nothing() {
    let (runs, seen) = run("ha-promote-on-failure = \"when-synced\"\n", "crash");
    for run in &runs {
        assert_eq!(run.watch.promotions, 0, "nobody is promoted");
        assert_eq!(run.watch.confirmed_while_away, 0, "no confirm while the leader is away");
        assert_eq!(run.backlog.1, 0, "the backlog is on the old leader's disk");
        assert!(run.later.1 <= 2, "{} lost: no more than was in flight", run.later.1);
    }
    overlaps("lost", &seen, |seen, _| seen.lost as f64, 0.0..=1.0);
    overlaps("nacked", &seen, |seen, _| seen.nacked as f64, 100.0..=100.0);
    overlaps("confirms pause, s", &seen, |seen, _| seen.write_pause, 12.3..=13.7);
}

#[test]
fn stopped_in_order_without_a_synchronised_mirror_every_publish_is_nacked() {
    let (runs, seen) = run("", "stop");
    for run in &runs {
        assert_eq!(run.watch.promotions, 0, "the mirrors stop with their leader");
        assert_eq!(run.watch.confirmed_while_away, 0, "no confirm while the leader is away");
        assert_eq!((run.backlog.1, run.later.1), (0, 0), "nothing is lost");
    }
    overlaps("nacked", &seen, |seen, _| seen.nacked as f64, 2325.0..=3085.0);
    overlaps("confirms pause, s", &seen, |seen, _| seen.write_pause, 11.7..=15.4);
}
