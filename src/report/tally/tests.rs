use super::*;
use crate::observe::Catalog;
use crate::report::fixture;
use crate::scenario::Document;
use crate::verdict::{EXPECT, Expectations};

fn tally() -> Tally {
    let expected = Expected { text: "success_lost <= 0".to_owned(), unit: Unit::Lines, line: None };
    Tally::new(vec![expected], &[], (10..16).collect())
}

fn results() -> Vec<SeedResult> {
    let mut undecided = fixture::quiet_run();
    undecided.expectations[0].verdict = Verdict::Undecided;
    let runs = vec![
        fixture::quiet_run(),
        undecided,
        fixture::quiet_run(),
        fixture::crash_run(),
        fixture::crash_run(),
        fixture::quiet_run(),
    ];
    runs.into_iter().map(|run| SeedResult::of(Ok(run))).collect()
}

#[test]
fn the_order_in_which_seeds_are_done_does_not_matter() {
    let (mut up, mut down) = (tally(), tally());
    for (index, result) in results().into_iter().enumerate() {
        assert!(!up.is_complete());
        up.add(index, result);
    }
    for (index, result) in results().into_iter().enumerate().rev() {
        down.add(index, result);
    }
    assert!(up.is_complete() && down.is_complete());
    for tally in [&up, &down] {
        assert_eq!(tally.standing(), Standing::Broken);
        assert_eq!((tally.count(Standing::Holds), tally.count(Standing::Undecided)), (3, 1));
        assert_eq!(tally.seeds(Standing::Broken).collect::<Vec<_>>(), [13, 14]);
        let first = tally.first().unwrap();
        assert_eq!((first.seed, first.judged[0].0.measured.as_str()), (13, "40 lines"));
        assert!(first.lost[0].contains("acked_lost: "), "{:?}", first.lost);
        let example = tally.examples()[0].as_ref().unwrap();
        assert_eq!((example.seed, &example.lost), (13, &first.lost));
        let (_, count) = tally.counts().next().unwrap();
        let wanted = Count { holds: 3, undecided: 1, broken: 2, range: Some((0.0, 40.0)) };
        assert_eq!(count, wanted);
    }
}

#[test]
fn what_mqsim_itself_fails_at_comes_first() {
    let mut unexplained = fixture::quiet_run();
    unexplained.summary.unexplained = 2;
    let mut runs = results();
    runs[5] = SeedResult::of(Ok(unexplained));
    let told = |runs: &[SeedResult]| {
        let mut tally = tally();
        for (index, result) in runs.iter().enumerate() {
            tally.add(index, result.clone());
        }
        assert_eq!(tally.standing(), Standing::Failed);
        let first = tally.first().unwrap().clone();
        (first.seed, first.trouble.unwrap())
    };
    assert_eq!(told(&runs), (15, "2 messages were lost without a cause".to_owned()));
    runs[2] = SeedResult::of(Err(Unfinished { message: "it ran away".to_owned(), limit: false }));
    assert_eq!(told(&runs), (12, "it ran away".to_owned()));
}

fn lossy(max: f64) -> OverSeeds {
    let text = format!(
        "format = 1\nmode = 'm'\nduration = '1s'\n[[expect]]\nmetric = 'lossy_seeds'\nmax = {max}"
    );
    let document = Document::parse("test.toml", text).unwrap();
    let scenario = document.check(&[&EXPECT], None).unwrap();
    let all = Expectations::parse(scenario.many("expect"), &Catalog::default(), false).unwrap();
    all.over_seeds()[0].clone()
}

/// Whatever comes first, the seeds that count are the first so many in their order.
#[test]
fn a_verdict_over_seeds_is_that_of_the_first_seeds_in_their_order() {
    let result = |index: usize| {
        let mut run = fixture::quiet_run();
        run.over_seeds = vec![Some(f64::from(u8::from(index == 40)))];
        SeedResult::of(Ok(run))
    };
    let mut ends = Vec::new();
    for step in [1, 7, 99, 37] {
        let mut tally = Tally::new(Vec::new(), &[lossy(0.1)], (1..=100).collect());
        let mut simulated = 0;
        for index in (0..100).map(|at| at * step % 100) {
            if tally.is_wanted(index) {
                simulated += 1;
                tally.add(index, result(index));
            }
        }
        assert!(tally.is_complete() && !tally.is_wanted(99));
        let over: Vec<_> = tally.over().map(|(_, told, _)| told.clone()).collect();
        ends.push((tally.len(), tally.standing(), over));
        assert!(step > 1 || simulated == tally.len());
    }
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
    assert_eq!((ends[0].0, ends[0].1), (29, Standing::Holds));
}

#[test]
fn a_seed_comes_back_from_disk_as_it_was() {
    for mut run in [fixture::crash_run(), fixture::quiet_run()] {
        run.over_seeds = vec![None, Some(1.0 / 3.0), Some(1e-17)];
        run.expectations[0].value = Some(0.1 + 0.2);
        let result = SeedResult::of(Ok(run));
        let text = serde_json::to_string(&result).unwrap();
        assert_eq!(serde_json::from_str::<SeedResult>(&text).unwrap(), result);
    }
}
