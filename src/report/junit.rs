//! `mqsim check --junit`: a test suite a scenario, a test case an expectation, in the format that
//! Jenkins, GitLab, GitHub actions and others read. The gravest case of a suite comes first, as does
//! the gravest suite: readers show the top of long lists.
//!
//! An undecided expectation is a failure of type `undecided`: a gate that lets it pass would claim
//! more than was shown. What mqsim itself fails at is an error. There are no times in it: the same
//! check gives the same bytes.

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::lock::DRIFTED;
use super::tally::{Count, Cut, Example, Expected, Standing, Tally};
use super::{number, terminal, verdict_word};
use crate::verdict::Verdict;

/// One scenario of the call.
pub struct Suite<'a> {
    /// The scenario's name.
    pub name: &'a str,
    /// Its file, as it was named.
    pub file: &'a str,
    /// What its seeds came to.
    pub tally: &'a Tally,
    /// What the lock says of it, if it was asked: whether its behaviour is the locked one, or how it
    /// differs.
    pub locked: Option<Result<(), String>>,
}

/// The document, with the suites in the order in which they are given. `replay` makes the command
/// for a file and a seed.
///
/// # Errors
/// If it cannot be written as XML, which is a defect of mqsim.
pub fn document(
    suites: &[Suite<'_>],
    replay: &dyn Fn(&str, u64) -> String,
) -> Result<String, String> {
    let mut report = Report::new("mqsim check");
    for suite in suites {
        report.add_test_suite(of(suite, &|seed| replay(suite.file, seed)));
    }
    let text = report.to_string();
    let text = text.map_err(|error| format!("the JUnit document cannot be made: {error}"))?;
    // The schema of Jenkins (junit-10.xsd of its xUnit plugin) has this attribute for suites only;
    // here it is the first of its kind.
    let skipped = format!(" skipped=\"{}\"", report.skipped);
    Ok(text.replacen(&skipped, "", 1))
}

fn of(suite: &Suite<'_>, replay: &dyn Fn(u64) -> String) -> TestSuite {
    let tally = suite.tally;
    let mut out = TestSuite::new(suite.name);
    out.extra.insert("file".into(), suite.file.into());
    out.add_property(Property::new("seeds", tally.len().to_string()));
    let mut cases: Vec<(u8, TestCase)> = Vec::new();
    let mut add = |name: &str, status: TestCaseStatus| {
        let rank = rank(&status);
        let mut case = TestCase::new(name, status);
        case.set_classname(suite.name);
        cases.push((rank, case));
    };
    for ((expected, count), example) in tally.counts().zip(tally.examples()) {
        let mut lines = place(suite.file, expected.line);
        lines.extend(example.iter().flat_map(|example| shown(example, replay)));
        add(&expected.text, each(tally, expected, count, &lines));
    }
    for ((text, told, example), line) in tally.over().zip(tally.over_lines()) {
        if tally.is_skipped() && tally.cut() == Some(Cut::FirstFailure) {
            add(&text, skipped(SKIPPED));
            continue;
        }
        let mut lines = place(suite.file, line);
        lines.push(told.note.clone());
        lines.extend(example.iter().flat_map(|example| shown(example, replay)));
        let message = format!("expected {text}, found {}", told.measured);
        add(&text, status(told.verdict, &message, &lines));
    }
    if let Some(first) = tally.first()
        && let Some(trouble) = &first.trouble
    {
        let message = trouble.lines().next().unwrap_or_default();
        let lines = [trouble.clone(), format!("again: {}", replay(first.seed))];
        // What a limit of the user's ended is undecided, and nothing that mqsim failed at.
        let (kind, word, name) = match first.standing {
            Standing::Undecided => (NonSuccessKind::Failure, "undecided", "ends by itself"),
            _ => (NonSuccessKind::Error, "failed", "mqsim itself"),
        };
        let mut error = TestCaseStatus::non_success(kind);
        error.set_type(word).set_message(message).set_description(lines.join("\n"));
        add(name, error);
    }
    if let Some(locked) = &suite.locked {
        let locked = match locked {
            Ok(()) => TestCaseStatus::success(),
            Err(drift) => {
                let message = drift.lines().next().unwrap_or_default();
                let mut failure = TestCaseStatus::non_success(NonSuccessKind::Failure);
                failure.set_type(DRIFTED).set_message(message).set_description(drift.as_str());
                failure
            }
        };
        add("behaves as locked", locked);
    }
    cases.sort_by_key(|(rank, _)| *rank);
    out.add_test_cases(cases.into_iter().map(|(_, case)| case));
    out
}

/// What comes first: what mqsim failed at, what is broken, what has drifted, what is undecided.
fn rank(status: &TestCaseStatus) -> u8 {
    match status {
        TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, .. } => 0,
        TestCaseStatus::NonSuccess { ty: Some(ty), .. } if ty.as_str() == "broken" => 1,
        TestCaseStatus::NonSuccess { ty: Some(ty), .. } if ty.as_str() == DRIFTED => 2,
        TestCaseStatus::NonSuccess { .. } => 3,
        _ => 4,
    }
}

/// Where an expectation stands, as the line of its own that editors and web pages can follow.
fn place(file: &str, line: Option<usize>) -> Vec<String> {
    line.map(|line| format!("{file}:{line}")).into_iter().collect()
}

/// Of a scenario that was not run because one before it does not hold.
const SKIPPED: &str = "not run: a scenario before it does not hold";

fn skipped(message: &str) -> TestCaseStatus {
    let mut skipped = TestCaseStatus::skipped();
    skipped.set_message(message);
    skipped
}

/// An expectation that is judged of each seed.
fn each(tally: &Tally, expected: &Expected, count: Count, lines: &[String]) -> TestCaseStatus {
    let verdict = count.verdict();
    match tally.cut() {
        Some(Cut::FirstFailure) if tally.is_skipped() => return skipped(SKIPPED),
        // What was not looked at may be broken.
        Some(Cut::TimeBudget) if verdict != Verdict::Broken => {
            let words = terminal::cut_words(tally).unwrap_or_default();
            let message = format!("expected {}; undecided, for {words}", expected.text);
            return status(Verdict::Undecided, &message, lines);
        }
        // What ended the runs is told by itself.
        _ if count == Count::default() => return skipped("no seed came to an end"),
        _ => {}
    }
    let seeds = if verdict == Verdict::Broken { count.broken } else { count.undecided };
    let word = verdict_word(verdict);
    let message =
        format!("expected {}; {word} with {}", expected.text, number::counted(seeds, "seed"));
    status(verdict, &message, lines)
}

fn status(verdict: Verdict, message: &str, lines: &[String]) -> TestCaseStatus {
    if verdict == Verdict::Holds {
        return TestCaseStatus::success();
    }
    let mut failure = TestCaseStatus::non_success(NonSuccessKind::Failure);
    failure.set_type(verdict_word(verdict)).set_message(message);
    failure.set_description(lines.join("\n"));
    failure
}

/// A seed that does not hold: what was found, why, and the command that shows it.
fn shown(example: &Example, replay: &dyn Fn(u64) -> String) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(judged) = &example.judged {
        lines.push(format!("seed {}: found {}", example.seed, judged.measured));
        lines.extend(judged.note.clone());
    } else {
        lines.push(format!("such a seed: {}", example.seed));
    }
    lines.extend(example.lost.iter().map(|lost| format!("lost: {lost}")));
    lines.push(format!("again: {}", replay(example.seed)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tally::SeedResult;
    use crate::report::{Unfinished, fixture};
    use crate::verdict::Unit;

    fn tally(results: Vec<SeedResult>) -> Tally {
        let expected = |text: &str, unit| Expected { text: text.to_owned(), unit, line: Some(7) };
        let expected = vec![
            expected("success_lost <= 0", Unit::Lines),
            expected("write_longest_ms <= 3000 ms", Unit::Milliseconds),
        ];
        let mut tally = Tally::new(expected, &[], (1..=results.len() as u64).collect());
        for (index, result) in results.into_iter().enumerate() {
            tally.add(index, result);
        }
        tally
    }

    fn written() -> String {
        let quiet = || SeedResult::of(Ok(fixture::quiet_run()));
        let lost = tally(vec![quiet(), SeedResult::of(Ok(fixture::crash_run()))]);
        let mut undecided = fixture::quiet_run();
        undecided.expectations[0].verdict = Verdict::Undecided;
        let open = tally(vec![SeedResult::of(Ok(undecided))]);
        let control = "10 events <too> \"many\" & \u{1b}[31mred\u{1b}[0m\u{8}".to_owned();
        let failed =
            tally(vec![SeedResult::of(Err(Unfinished { message: control, limit: false }))]);
        let suite = |name, tally, locked| Suite { name, file: "a b/x.toml", tally, locked };
        let drift = Err("outcomes have drifted\nat 6.000 s".to_owned());
        let suites = [
            suite("lost", &lost, Some(Ok(()))),
            suite("open", &open, Some(drift)),
            suite("failed", &failed, None),
        ];
        document(&suites, &|file, seed| format!("mqsim run '{file}' --seed {seed}")).unwrap()
    }

    #[test]
    fn a_document() {
        insta::assert_snapshot!(written());
    }

    /// A reader that others wrote finds what was meant.
    #[test]
    fn others_can_read_it() {
        let read = junit_parser::from_reader(written().as_bytes()).unwrap();
        let names: Vec<&str> = read.suites.iter().map(|suite| suite.name.as_str()).collect();
        assert_eq!(names, ["lost", "open", "failed"]);
        assert_eq!((read.failures, read.errors, read.tests), (3, 1, 9));
        let case = &read.suites[0].cases[0];
        assert_eq!(case.original_name, "success_lost <= 0");
        assert_eq!(case.classname.as_deref(), Some("lost"));
        let junit_parser::TestStatus::Failure(failure) = &case.status else { panic!("{case:?}") };
        assert_eq!(failure.failure_type, "broken");
        // This reader drops quotes, which stand as `&apos;` in the text.
        assert!(failure.text.contains("again: mqsim run"), "{failure:?}");
        assert!(failure.text.contains("--seed 2"), "{failure:?}");
        assert!(failure.text.contains("lost: 40 messages acked_lost: "), "{failure:?}");
        // What mqsim itself failed at comes first.
        let error = read.suites[2].cases.first().unwrap();
        let junit_parser::TestStatus::Error(error) = &error.status else { panic!("{error:?}") };
        assert!(error.message.contains("10 events <too> \"many\" & "), "{error:?}");
    }
}
