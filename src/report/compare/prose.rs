//! A comparison as people read it: the same blocks for a terminal and for a pull request.

use super::{Changed, Comparison, Difference, Kind, Parted, Standing};
use crate::report::markdown::{escaped, table};
use crate::report::number;
use crate::statistics::paired::{Change, Interval, exceptions};
use crate::verdict::{Better, Metric, Unit};

/// At most this many rows of a table; the CSV has them all.
const ROWS: usize = 12;

/// A piece of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// The headline, and what it comes to.
    Verdict(String, Standing),
    /// The title of what follows.
    Title(String),
    /// A paragraph.
    Text(String),
    /// A table: its header, which columns are numbers, and rows.
    Table(Vec<String>, Vec<usize>, Vec<Vec<String>>),
}

/// The comparison in words and tables.
#[must_use]
pub fn blocks(comparison: &Comparison) -> Vec<Block> {
    let mut blocks = vec![Block::Verdict(headline(comparison), comparison.standing())];
    let [a, b] = &comparison.sides;
    let count = number::counted(comparison.seeds.len() as u64, "seed");
    let seeds = match comparison.seeds.as_slice() {
        [] => String::new(),
        [only] => format!(" ({only})"),
        [first, .., last] => format!(" ({first} to {last})"),
    };
    let left = [a, b].map(|side| side.seeds.len() - comparison.seeds.len());
    let left = match left {
        [0, 0] => String::new(),
        [a, b] => format!("; not compared: {a} that only A has, {b} that only B has"),
    };
    blocks.push(Block::Text(format!("A: {}", a.label)));
    blocks.push(Block::Text(format!("B: {}", b.label)));
    blocks.push(Block::Text(match comparison.pair {
        None => format!("The same {count}{seeds} on both sides{left}."),
        Some([a, b]) if a == b => format!("Seed {a} on both sides."),
        Some([a, b]) => format!(
            "Seed {a} of A with seed {b} of B: network, disks, processors and random faults draw \
             otherwise from the start. One pair proves nothing about A and B."
        ),
    }));
    if comparison.identical {
        blocks.push(Block::Text(
            "Every number, fingerprint and row that both sides have is the same.".to_owned(),
        ));
        return blocks;
    }
    metrics(&mut blocks, comparison);
    latency(&mut blocks, comparison);
    lines(&mut blocks, comparison);
    windows(&mut blocks, comparison);
    parting(&mut blocks, comparison);
    remarks(&mut blocks, comparison);
    blocks
}

/// Better or worse, by what, the gravest first.
fn headline(comparison: &Comparison) -> String {
    if comparison.identical {
        return "identical".to_owned();
    }
    let enough = exceptions(comparison.seeds.len()).is_some();
    let change = |name: &str| {
        let found = comparison.metrics.iter().find(|one| one.metric.name == name)?;
        found.change.as_ref().map(|change| (change.first, change.second))
    };
    // What is gone is told beside what is lost only where some of it had been read.
    let gone_too = change("success_gone") != change("success_lost");
    let of = |wanted: Standing| {
        let counts = |one: &&Changed| {
            one.standing == wanted
                && (gone_too || one.metric.name != "success_gone")
                && (wanted == Standing::Regression
                    || (is_telling(one.metric) && (!enough || one.is_proven())))
        };
        let mut changes: Vec<&Changed> = comparison.metrics.iter().filter(counts).collect();
        changes.sort_by_key(|one| one.weight());
        changes
    };
    let told = |changes: &[&Changed]| {
        let more = changes.len().saturating_sub(TOLD);
        let mut words: Vec<String> =
            changes.iter().take(TOLD).map(|one| from_to(one, fans_out(comparison))).collect();
        if more > 0 {
            words.push(format!("{more} more"));
        }
        words.join(", ")
    };
    let (worse, better) = (of(Standing::Worse), of(Standing::Better));
    let but = |word: &str, changes: &[&Changed]| match changes {
        [] => String::new(),
        changes => format!("; {word}: {}", told(changes)),
    };
    match comparison.standing() {
        Standing::Regression => {
            let regressions = told(&of(Standing::Regression));
            format!("B is worse than is tolerated: {regressions}{}", but("better", &better))
        }
        Standing::Undecided => {
            let open = comparison.metrics.iter().filter(|one| one.standing == Standing::Undecided);
            let open: Vec<&str> = open.map(|one| one.metric.name).collect();
            format!("undecided: {} was not measured on both sides in every seed", open.join(", "))
        }
        // What matters more comes first: fewer losses before slower answers.
        _ => match (worse.first(), better.first()) {
            (None, None) if enough => {
                "B differs, and is neither better nor worse by more than noise".to_owned()
            }
            (None, None) => "B differs, and is neither better nor worse".to_owned(),
            (Some(bad), Some(good)) if good.kind() < bad.kind() => {
                format!("B is better: {}{}", told(&better), but("worse", &worse))
            }
            (Some(_), _) => format!("B is worse: {}{}", told(&worse), but("better", &better)),
            (None, Some(_)) => format!("B is better: {}", told(&better)),
        },
    }
}

/// So many changes are in the headline.
const TOLD: usize = 2;

/// Whether a change of it belongs into a headline: losses, broken promises, outages, latency.
fn is_telling(metric: &Metric) -> bool {
    // Parts of others, or the same by another clock.
    const TOLD_BY_OTHERS: [&str; 6] = [
        "acked_lost",
        "accepted_lost",
        "ack_service_p50_us",
        "ack_service_p99_us",
        "write_unavailable_ms",
        "read_unavailable_ms",
    ];
    match metric.unit {
        _ if metric.better == Better::Neither || TOLD_BY_OTHERS.contains(&metric.name) => false,
        Unit::Lines => metric.better == Better::Less,
        Unit::Violations | Unit::Share | Unit::Milliseconds | Unit::Microseconds => true,
        _ => false,
    }
}

/// Whether a message is several lines on one of the sides; if not, lines are called messages.
fn fans_out(comparison: &Comparison) -> bool {
    let of = |name: &str| {
        let found = comparison.metrics.iter().find(|one| one.metric.name == name);
        found.and_then(|one| one.change.as_ref()).map(|change| (change.first, change.second))
    };
    of("lines") != of("attempted")
}

/// `success_lost 6,106 -> 0 messages`.
fn from_to(changed: &Changed, fans_out: bool) -> String {
    let (metric, unit) = (changed.metric, changed.metric.unit.told(fans_out));
    let Some(change) = &changed.change else { return metric.name.to_owned() };
    let word = match unit {
        Unit::Lines | Unit::Messages | Unit::Violations => format!(" {}", unit.name()),
        _ => String::new(),
    };
    let (first, second) = (shown(change.first, unit), shown(change.second, unit));
    format!("{} {first} -> {second}{word}", metric.name)
}

/// A number with as many digits as tell something: `10,714`, `12.5`, `0.125`.
fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        1_000.0.. => return number::grouped(value.abs().round() as u64),
        10.0.. => 1,
        _ => 3,
    };
    let text = format!("{:.decimals$}", value.abs());
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text.is_empty() { "0".to_owned() } else { text.to_owned() }
}

/// A number of a metric. Times have their unit behind them, the others beside their name.
fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{:.3} %", value * 100.0),
        Unit::Microseconds => number::latency(value.max(0.0).round() as u64),
        Unit::Milliseconds if value == 0.0 => "0 ms".to_owned(),
        Unit::Milliseconds => number::latency((value.max(0.0) * 1_000.0).round() as u64),
        _ => digits(value),
    }
}

/// The name of a metric, with the unit of its numbers if these have none.
fn named(metric: &Metric, fans_out: bool) -> String {
    match metric.unit.told(fans_out) {
        unit @ (Unit::Lines | Unit::Messages) if metric.unit.name() != metric.name => {
            format!("{}, {}", metric.name, unit.name())
        }
        _ => metric.name.to_owned(),
    }
}

/// A change, with its sign.
fn change(value: f64, unit: Unit) -> String {
    let sign = if value < 0.0 { "-" } else { "+" };
    let text = match unit {
        // Points of a share are not percent of it.
        Unit::Share => format!("{:.3} pt", value.abs() * 100.0),
        unit => shown(value.abs(), unit),
    };
    // What has no digit but 0 has no sign.
    let none = text.chars().all(|c| !c.is_ascii_digit() || c == '0');
    if none { text } else { format!("{sign}{text}") }
}

fn interval(interval: Option<Interval>, unit: Unit) -> String {
    let ends = |i: Interval| match (change(i.low, unit), change(i.high, unit)) {
        (low, high) if low == high => low,
        (low, high) => format!("{low} to {high}"),
    };
    interval.map_or("-".to_owned(), ends)
}

fn metrics(blocks: &mut Vec<Block>, comparison: &Comparison) {
    // Where lines are messages, both have one name.
    let twice = |one: &Changed| {
        one.metric.name == "lines" && one.tolerance.is_none() && !fans_out(comparison)
    };
    let differs = |one: &&Changed| one.standing != Standing::Same && !twice(one);
    let mut changes: Vec<&Changed> = comparison.metrics.iter().filter(differs).collect();
    changes.sort_by_key(|one| one.weight());
    let mut rows: Vec<Vec<String>> =
        changes.into_iter().map(|one| metric(one, fans_out(comparison))).collect();
    if rows.is_empty() {
        blocks.push(Block::Text("Every metric is the same in every seed.".to_owned()));
        return;
    }
    blocks.push(Block::Title("Metrics that changed".to_owned()));
    let header = ["metric", "A", "B", "B - A", "95 % interval", "+/-", ""];
    let mut header = header.map(str::to_owned).to_vec();
    let mut numbers = vec![1, 2, 3, 4, 5];
    const INTERVAL: usize = 4;
    if rows.iter().all(|row| row[INTERVAL] == "-") {
        header.remove(INTERVAL);
        rows.iter_mut().for_each(|row| drop(row.remove(INTERVAL)));
        numbers.pop();
    }
    blocks.push(Block::Table(header, numbers, rows));
    let few = comparison.seeds.len() < 6;
    let few =
        if few { " Fewer than 6 seeds prove nothing with 95 %: there is no interval." } else { "" };
    blocks.push(Block::Text(format!(
        "A and B are means over the seeds; B - A is the median of the differences, seed by seed, and \
         lies in its interval, which holds for any distribution; +/- is in how many seeds B has \
         more, and less. The worst comes first.{few}"
    )));
    let tolerated = comparison.metrics.iter().filter_map(|one| one.tolerance);
    let tolerated: Vec<String> =
        tolerated.map(|one| format!("{} {}", one.metric.name, one.text())).collect();
    if !tolerated.is_empty() {
        blocks.push(Block::Text(format!("Tolerated: {}.", tolerated.join(", "))));
    }
}

fn metric(changed: &Changed, fans_out: bool) -> Vec<String> {
    let Changed { metric, change: found, standing, .. } = changed;
    let mut row = vec![named(metric, fans_out)];
    match found {
        None => row.extend(["-", "-", "-", "-", "-"].map(str::to_owned)),
        Some(found) => row.extend([
            shown(found.first, metric.unit),
            shown(found.second, metric.unit),
            change(found.difference.median, metric.unit),
            interval(found.difference.interval, metric.unit),
            format!("{}/{}", found.higher, found.lower),
        ]),
    }
    let word = match standing {
        Standing::Differs if metric.better == Better::Neither => "",
        standing => standing.word(),
    };
    let noise = matches!(standing, Standing::Better | Standing::Worse)
        && found.as_ref().is_some_and(|found| found.difference.interval.is_some())
        && !changed.is_proven();
    row.push(if noise { format!("{word}, or noise") } else { word.to_owned() });
    row
}

fn latency(blocks: &mut Vec<Block>, comparison: &Comparison) {
    const SHOWN: [&str; 5] = ["50.000", "90.000", "99.000", "99.900", "100.000"];
    let shown_ones = comparison.latency.iter().filter(|p| SHOWN.contains(&p.percentile.as_str()));
    let row = |p: &super::Percentile| {
        let Change { first, second, difference, .. } = &p.change;
        let percentile = match p.percentile.as_str() {
            "100.000" => "max",
            other => other.trim_end_matches('0').trim_end_matches('.'),
        };
        vec![
            p.series.replace('_', " "),
            percentile.to_owned(),
            shown(*first, Unit::Microseconds),
            shown(*second, Unit::Microseconds),
            change(difference.mean, Unit::Microseconds),
        ]
    };
    let rows: Vec<Vec<String>> = shown_ones.map(row).collect();
    if rows.is_empty() {
        return;
    }
    blocks.push(Block::Title("Latency".to_owned()));
    let header = ["series", "%", "A", "B", "change"].map(str::to_owned).to_vec();
    blocks.push(Block::Table(header, vec![1, 2, 3, 4], rows));
}

fn lines(blocks: &mut Vec<Block>, comparison: &Comparison) {
    let lines = &comparison.lines;
    if lines.seeds == 0 {
        return;
    }
    let (title, word) = match fans_out(comparison) {
        true => ("Lines (a message at one of its destinations is a line)", "line"),
        false => ("Messages", "message"),
    };
    blocks.push(Block::Title(title.to_owned()));
    let count = |kind: Kind| number::counted(lines.of(kind), word);
    let mut said = format!(
        "Lost only in A: {}; only in B: {}; in both: {}.",
        count(Kind::LostOnlyInA),
        count(Kind::LostOnlyInB),
        count(Kind::LostInBoth)
    );
    if lines.complete {
        said += &format!(
            " Lost in neither, but with another fate: {}; with another outcome: {}. Alike: {}.",
            count(Kind::OtherFate),
            count(Kind::OtherOutcome),
            number::counted(lines.alike, word)
        );
    }
    if !lines.exact {
        said += " These are at most so many: rows of loss.csv have holes.";
    }
    if lines.seeds < comparison.seeds.len() {
        let of = number::counted(comparison.seeds.len() as u64, "seed");
        said += &format!(" This is of {} of {of}: the others have no details.", lines.seeds);
    }
    blocks.push(Block::Text(said));
    if lines.differences.is_empty() {
        return;
    }
    let row = |one: &Difference| {
        let end =
            |end: &Option<super::lines::End>| end.as_ref().map_or("-".to_owned(), |e| e.words());
        let (seed, producer, _, first, last) = &one.example;
        let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
        vec![
            number::grouped(one.lines),
            one.kind.words().to_owned(),
            end(&one.first),
            end(&one.second),
            format!("seed {seed}: {producer} {range}"),
        ]
    };
    let rows: Vec<Vec<String>> = lines.differences.iter().take(ROWS).map(row).collect();
    let counted = format!("{word}s");
    let header = [&counted, "", "in A", "in B", "such as"].map(str::to_owned).to_vec();
    blocks.push(Block::Table(header, vec![0], rows));
    and_more(blocks, lines.differences.len(), "way", "compare-lines.csv");
}

fn and_more(blocks: &mut Vec<Block>, count: usize, what: &str, file: &str) {
    if count > ROWS {
        let more = number::counted((count - ROWS) as u64, what);
        blocks.push(Block::Text(format!("And {more} more in {file}.")));
    }
}

fn windows(blocks: &mut Vec<Block>, comparison: &Comparison) {
    let differ: Vec<_> =
        comparison.windows.iter().filter(|pair| pair.first != pair.second).collect();
    if differ.is_empty() {
        return;
    }
    blocks.push(Block::Title("Unavailability windows that differ".to_owned()));
    let seconds = |ms: u64| format!("{}.{:03}", ms / 1_000, ms % 1_000);
    let window = |window: &Option<super::windows::Window>| {
        let text =
            |w: &super::windows::Window| format!("{} to {} s", seconds(w.start), seconds(w.end));
        window.as_ref().map_or("-".to_owned(), text)
    };
    let row = |pair: &&super::Pair| {
        let length = |w: &super::windows::Window| (w.end - w.start) as f64;
        let length = |w: &Option<super::windows::Window>| w.as_ref().map_or(0.0, length);
        let fault = pair.first.as_ref().or(pair.second.as_ref()).map_or("", |w| w.fault.as_str());
        vec![
            pair.seed.to_string(),
            pair.kind.replace('_', " "),
            pair.destination.clone(),
            window(&pair.first),
            window(&pair.second),
            change(length(&pair.second) - length(&pair.first), Unit::Milliseconds),
            shortened(fault),
        ]
    };
    let rows: Vec<Vec<String>> = differ.iter().take(ROWS).map(row).collect();
    let header = ["seed", "kind", "destination", "A", "B", "change", "fault"];
    let header = header.map(str::to_owned).to_vec();
    blocks.push(Block::Table(header, vec![0, 5], rows));
    and_more(blocks, differ.len(), "window", "compare-windows.csv");
}

/// The words of a fault, cut to what tells it from others.
fn shortened(fault: &str) -> String {
    const LONGEST: usize = 24;
    match fault.char_indices().nth(LONGEST) {
        None => fault.to_owned(),
        Some((at, _)) => format!("{}…", fault[..at].trim_end()),
    }
}

fn parting(blocks: &mut Vec<Block>, comparison: &Comparison) {
    let found = [(&comparison.parted, "report"), (&comparison.event, "row of events.csv")];
    let found = found.into_iter().filter_map(|(parted, what)| Some((parted.as_ref()?, what)));
    let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing more".to_owned());
    for (at, (parted, what)) in found.enumerate() {
        if at == 0 {
            blocks.push(Block::Title("Where the histories part".to_owned()));
        }
        let Parted { seed, same, first, second } = parted;
        let same = match what {
            "report" => number::counted(*same, what),
            what => format!("{} {}", number::grouped(*same), what.replacen("row", "rows", 1)),
        };
        let seed = match comparison.pair {
            Some([a, b]) if a != b => format!("Seed {a} of A and seed {b} of B"),
            _ => format!("Seed {seed}"),
        };
        blocks.push(Block::Text(format!("{seed}, after {same} that are the same:")));
        blocks.push(Block::Text(format!("A: {}", side(first))));
        blocks.push(Block::Text(format!("B: {}", side(second))));
    }
}

fn remarks(blocks: &mut Vec<Block>, comparison: &Comparison) {
    for (side, name) in comparison.sides.iter().zip(["A", "B"]) {
        let restless =
            side.seeds.iter().filter(|seed| seed.summary("verdict") == "undecided").count();
        if restless > 0 {
            let seeds = number::counted(restless as u64, "seed");
            blocks.push(Block::Text(format!(
                "{seeds} of {name} are undecided: if a run was not quiet at its end, its fates are \
                 not final."
            )));
        }
    }
}

/// The comparison in Markdown, for a pull request.
#[must_use]
pub fn markdown(comparison: &Comparison) -> String {
    let mut text = format!("{MARKDOWN}\n");
    for block in blocks(comparison) {
        match block {
            Block::Verdict(said, standing) => {
                let sign = match standing {
                    Standing::Regression => "❌",
                    Standing::Undecided => "❔",
                    _ => "✅",
                };
                text += &format!("## mqsim compare: {sign} {}\n\n", escaped(&said));
            }
            Block::Title(title) => text += &format!("### {}\n\n", escaped(&title)),
            Block::Text(said) => text += &format!("{}\n\n", escaped(&said)),
            Block::Table(mut header, numbers, mut rows) => {
                for cell in header.iter_mut().chain(rows.iter_mut().flatten()) {
                    *cell = escaped(cell);
                }
                text += &(table(&header, &numbers, &rows) + "\n");
            }
        }
    }
    text.trim_end().to_owned() + "\n"
}

/// With what the Markdown begins, so that it is known again.
pub const MARKDOWN: &str = "<!-- mqsim compare -->";
