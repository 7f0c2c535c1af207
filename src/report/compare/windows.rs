//! Unavailability windows of the two sides, those that overlap beside each other.

use super::super::tables::TABLES;
use super::{SeedTables, place};

/// A window of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Milliseconds.
    pub start: u64,
    /// Milliseconds.
    pub end: u64,
    /// The fault that it answers to, in words.
    pub fault: String,
}

/// Windows of one destination and kind: one of either side that overlap, or one that has no fellow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The seed.
    pub seed: u64,
    /// As in `windows.csv`.
    pub destination: String,
    /// As in `windows.csv`.
    pub kind: String,
    /// In A.
    pub first: Option<Window>,
    /// In B.
    pub second: Option<Window>,
}

impl Pair {
    /// When the earlier of the two begins, for their order.
    fn start(&self) -> u64 {
        let starts = [&self.first, &self.second].into_iter().flatten().map(|window| window.start);
        starts.min().unwrap_or(0)
    }
}

/// The windows of a seed: destination, kind, window.
fn windows(tables: &SeedTables) -> Vec<(String, String, Window)> {
    let columns = TABLES[place("windows.csv")].columns();
    let column = |name: &str| columns.iter().position(|c| c.name == name).expect("it is a column");
    let [destination, kind, start, end, fault] =
        ["destination", "kind", "start_ms", "end_ms", "fault"].map(column);
    let number = |cell: &String| cell.parse().unwrap_or(0);
    let one = |row: &Vec<String>| {
        let (start, end) = (number(&row[start]), number(&row[end]));
        let window = Window { start, end, fault: row[fault].clone() };
        (row[destination].clone(), row[kind].clone(), window)
    };
    tables.table("windows.csv").into_iter().flatten().map(one).collect()
}

/// Puts windows of the same destination and kind that overlap beside each other, the first with the
/// first.
pub(super) fn align(pairs: &[(&SeedTables, &SeedTables)]) -> Vec<Pair> {
    let mut aligned = Vec::new();
    for (a, b) in pairs {
        if a.table("windows.csv").is_none() || b.table("windows.csv").is_none() {
            continue;
        }
        let mut others = windows(b);
        let mut here = Vec::new();
        for (destination, kind, first) in windows(a) {
            let meets = |(place, other_kind, other): &(String, String, Window)| {
                (place, other_kind) == (&destination, &kind)
                    && other.start < first.end
                    && first.start < other.end
            };
            let second = others.iter().position(meets).map(|at| others.remove(at).2);
            let first = Some(first);
            here.push(Pair { seed: a.seed, destination, kind, first, second });
        }
        here.extend(others.into_iter().map(|(destination, kind, second)| Pair {
            seed: a.seed,
            destination,
            kind,
            first: None,
            second: Some(second),
        }));
        here.sort_by_key(Pair::start);
        aligned.append(&mut here);
    }
    aligned
}
