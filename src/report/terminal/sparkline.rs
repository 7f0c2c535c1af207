//! The run on two lines: acknowledged per second, and the faults beneath.

use super::Page;
use crate::engine::Time;
use crate::report::{met, number};
use crate::verdict::Report;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const INDENT: &str = "  ";

/// Prints the sparkline, its faults and its axis.
pub(super) fn print(out: &mut Page, report: &Report) {
    let load = report.duration.as_nanos();
    let bucket = report.timeline.bucket.as_nanos();
    if load == 0 || bucket == 0 || report.timeline.buckets.is_empty() {
        return;
    }
    // The drain has no load: the line shows the time in which there was one.
    let buckets = (load.div_ceil(bucket) as usize).min(report.timeline.buckets.len());
    let width = (out.columns - INDENT.len()).min(80).min(buckets);
    let mut counts = vec![0_u64; width];
    let mut lengths = vec![0_u64; width];
    for (i, bucket) in report.timeline.buckets[..buckets].iter().enumerate() {
        counts[i * width / buckets] += bucket.acked + bucket.accepted;
        lengths[i * width / buckets] += 1;
    }
    let rates: Vec<u64> = counts
        .iter()
        .zip(&lengths)
        .map(|(n, buckets)| n * 1_000_000_000 / (buckets * bucket))
        .collect();
    let most = rates.iter().copied().max().unwrap_or(0);
    let answered = report.timeline.buckets.iter().any(|b| b.acked > 0);
    let what = if answered { "Acknowledged" } else { "Accepted" };
    let until = number::instant(Time::ZERO + report.duration);
    out.section(&format!("{what} per second, 0 s to {until}, up to {}/s", number::grouped(most)));
    out.line(&format!("{INDENT}{}", bars(&rates, most)));
    faults(out, report, width);
}

/// One character a rate; a blank where there was nothing at all.
fn bars(rates: &[u64], most: u64) -> String {
    let bar = |&rate: &u64| match rate {
        0 => ' ',
        _ => BARS[((rate * 8).div_ceil(most.max(1)) as usize).clamp(1, 8) - 1],
    };
    rates.iter().map(bar).collect()
}

/// A line with `├──┤` under each fault, lettered, and what the letters mean.
fn faults(out: &mut Page, report: &Report, width: usize) {
    let load = report.duration.as_nanos();
    let column = |at: Time| {
        let at = u128::from(at.as_nanos().min(load)) * width as u128 / u128::from(load);
        (at as usize).min(width - 1)
    };
    let shown = || report.faults.iter().filter(|f| f.begun.as_nanos() < load).zip('A'..='Z');
    let mut lines: Vec<Vec<char>> = Vec::new();
    for (fault, letter) in shown() {
        let from = column(fault.begun);
        let until = fault.ended.map_or(from, column);
        let free = |line: &Vec<char>| line[from..=until].iter().all(|&c| c == ' ');
        let line = lines.iter().position(free).unwrap_or_else(|| {
            lines.push(vec![' '; width]);
            lines.len() - 1
        });
        lines[line][from..=until].fill('─');
        lines[line][until] = '┤';
        lines[line][from] = letter;
    }
    for line in lines.iter().take(4) {
        out.line(&format!("{INDENT}{}", line.iter().collect::<String>()));
    }
    for (fault, letter) in shown().take(8) {
        let name = &report.catalog.faults[fault.fault.index()];
        let until = fault.ended.filter(|end| *end > fault.begun);
        let until = until.map_or(String::new(), |end| format!(" to {}", number::instant(end)));
        let when = format!("{}{until}", number::instant(fault.begun));
        let on = met(report, fault).map_or(String::new(), |nodes| format!(" (on {nodes})"));
        out.wrapped(&format!("{INDENT}{letter}  "), &format!("{when}: {name}{on}"));
    }
    let all = report.faults.len();
    let said = shown().take(8).count();
    if all > said {
        let more = number::counted((all - said) as u64, "more fault");
        out.line(&format!("{INDENT}   and {more}: see events.csv"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_tell_nothing_from_little() {
        assert_eq!(bars(&[0, 1, 50, 100], 100), " ▁▄█");
        assert_eq!(bars(&[0, 0], 0), "  ");
    }
}
