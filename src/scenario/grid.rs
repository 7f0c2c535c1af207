//! Which values of which keys a sweep goes through.

use serde::{Deserialize, Serialize};

use super::near::clip;

/// At most this many cells: each is read, checked and planned before anything runs.
pub const MOST_CELLS: usize = 10_000;

/// A key and the values that it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// As `--set` takes it: `producer.p1.rate`.
    pub key: String,
    /// As written, at least two.
    pub values: Vec<String>,
}

/// The cells of a sweep: every combination of the axes' values, or the first of each, the second of
/// each and so on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// What varies, in the order of the command line; at least one.
    pub axes: Vec<Axis>,
    /// `KEY=VALUE` that is the same in every cell.
    pub fixed: Vec<String>,
    /// Whether values are taken side by side.
    pub paired: bool,
}

impl Grid {
    /// Reads arguments of `--set`: one with commas is an axis, `producer.p1.rate=1k/s,5k/s`, one
    /// without is the same for every cell. Commas in brackets, braces and quotes belong to a value.
    ///
    /// # Errors
    /// If nothing varies, a key is named twice, a value is missing or there twice, brackets or
    /// quotes stay open, axes to be paired differ in length, or there are more than [`MOST_CELLS`].
    pub fn parse(sets: &[String], paired: bool) -> Result<Grid, String> {
        let mut grid = Grid { axes: Vec::new(), fixed: Vec::new(), paired };
        let mut keys: Vec<&str> = Vec::new();
        for set in sets {
            let (key, values) = set.split_once('=').unwrap_or((set, ""));
            let key = key.trim();
            let shown = clip(set);
            let values = split(values).map_err(|open| {
                format!(
                    "--set {shown}: `{open}` is not closed\n  = help: close it, or quote the value"
                )
            })?;
            let again = keys.contains(&key);
            keys.push(key);
            if values.len() < 2 && !again {
                grid.fixed.push(set.clone());
                continue;
            }
            if again {
                return Err(format!(
                    "`{}` is set twice\n  = help: write all of its values into one --set, as in \
                     {}=a,b,c",
                    clip(key),
                    clip(key)
                ));
            }
            if let Some(at) = values.iter().position(|value| value.is_empty()) {
                return Err(format!(
                    "--set {shown}: value {} is empty\n  = help: remove a comma, or write \"\"",
                    at + 1
                ));
            }
            if let Some(twice) = repeated(&values) {
                return Err(format!(
                    "--set {shown}: `{}` is there twice\n  = help: name each value once; --seeds \
                     runs more seeds",
                    clip(twice)
                ));
            }
            let values = values.into_iter().map(str::to_owned).collect();
            grid.axes.push(Axis { key: key.to_owned(), values });
        }
        grid.check()?;
        Ok(grid)
    }

    /// What can be said of all axes together.
    fn check(&self) -> Result<(), String> {
        let [first, rest @ ..] = self.axes.as_slice() else {
            return Err("nothing varies\n  = help: give a key several values, as in --set \
                        producer.p1.rate=1k/s,5k/s; `mqsim run --seeds` varies the seed only"
                .to_owned());
        };
        for axis in &self.axes {
            if let Some(instead) = match axis.key.as_str() {
                "seed" | "seeds" => Some("--seeds A..=B varies the seed"),
                "name" => Some("it would change no result"),
                _ => None,
            } {
                return Err(format!("`{}` cannot vary\n  = help: {instead}", axis.key));
            }
        }
        let other = rest.iter().find(|axis| axis.values.len() != first.values.len());
        if let Some(other) = other.filter(|_| self.paired) {
            return Err(format!(
                "--paired takes values side by side, but `{}` has {} of them and `{}` has {}\n  = \
                 help: give both as many, or leave --paired out for every combination",
                clip(&first.key),
                first.values.len(),
                clip(&other.key),
                other.values.len()
            ));
        }
        let cells = self.axes.iter().try_fold(1_usize, |cells, axis| {
            let next = cells.checked_mul(axis.values.len())?;
            (next <= MOST_CELLS).then_some(next)
        });
        match cells {
            None if !self.paired => Err(format!(
                "these are more than {MOST_CELLS} cells\n  = help: sweep fewer values at a time"
            )),
            _ if first.values.len() > MOST_CELLS => Err(format!(
                "these are more than {MOST_CELLS} cells\n  = help: sweep fewer values at a time"
            )),
            _ => Ok(()),
        }
    }

    /// How many cells there are.
    #[must_use]
    pub fn cells(&self) -> usize {
        match self.paired {
            true => self.axes.first().map_or(0, |axis| axis.values.len()),
            false => self.axes.iter().map(|axis| axis.values.len()).product(),
        }
    }

    /// The value of each axis in a cell, from 0. The last axis varies fastest.
    #[must_use]
    pub fn values(&self, cell: usize) -> Vec<&str> {
        let mut left = cell;
        let mut values: Vec<&str> = Vec::new();
        for axis in self.axes.iter().rev() {
            let length = axis.values.len();
            let at = if self.paired { cell } else { left % length };
            values.push(&axis.values[at]);
            left /= length;
        }
        values.reverse();
        values
    }

    /// The arguments of `--set` for a cell.
    #[must_use]
    pub fn sets(&self, cell: usize) -> Vec<String> {
        let of = self.axes.iter().zip(self.values(cell));
        let varied = of.map(|(axis, value)| format!("{}={value}", axis.key));
        self.fixed.iter().cloned().chain(varied).collect()
    }
}

/// The first value that was there before.
fn repeated<'a>(values: &[&'a str]) -> Option<&'a str> {
    let again = |(at, value): (usize, &&str)| values[..at].contains(value);
    values.iter().enumerate().find(|&found| again(found)).map(|(_, value)| *value)
}

/// Values between commas that stand in no brackets, braces or quotes, without the blanks around
/// them. The error is what stays open.
fn split(text: &str) -> Result<Vec<&str>, char> {
    let (mut values, mut start) = (Vec::new(), 0);
    let mut open: Vec<char> = Vec::new();
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if let Some(mark) = quote {
            match c {
                _ if escaped => escaped = false,
                '\\' if mark == '"' => escaped = true,
                _ if c == mark => quote = None,
                _ => {}
            }
            continue;
        }
        // In a bare word a quote is a character like any other.
        let begins = text[start..at].trim().is_empty() || !open.is_empty();
        match c {
            '"' | '\'' if begins => quote = Some(c),
            '[' | '{' if begins => open.push(c),
            ']' if open.last() == Some(&'[') => drop(open.pop()),
            '}' if open.last() == Some(&'{') => drop(open.pop()),
            ',' if open.is_empty() => {
                values.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    values.push(text[start..].trim());
    match quote.or(open.last().copied()) {
        Some(open) => Err(open),
        None => Ok(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(sets: &[&str], paired: bool) -> Result<Grid, String> {
        let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
        Grid::parse(&sets, paired)
    }

    #[test]
    fn commas_in_brackets_and_quotes_belong_to_the_value() {
        let cases: [(&str, &[&str]); 8] = [
            ("1, 2 ,3", &["1", "2", "3"]),
            (r#"["n1", "n2"],["n3"]"#, &[r#"["n1", "n2"]"#, r#"["n3"]"#]),
            (r#"{ a = "x,}", b = [1, 2] }, 5"#, &[r#"{ a = "x,}", b = [1, 2] }"#, "5"]),
            (r#""a,b",'c,d'"#, &[r#""a,b""#, "'c,d'"]),
            (r#""a\",b","c""#, &[r#""a\",b""#, r#""c""#]),
            ("it's,its", &["it's", "its"]),
            ("leader(orders/0)", &["leader(orders/0)"]),
            ("", &[""]),
        ];
        for (text, values) in cases {
            assert_eq!(split(text).unwrap(), values, "{text}");
        }
        assert_eq!(split("[1,2"), Err('['));
        assert_eq!(split("\"a,b"), Err('"'));
    }

    #[test]
    fn every_combination_the_last_axis_fastest() {
        let grid = grid(&["a=1,2", "c=9", "b=x,y,z"], false).unwrap();
        assert_eq!(grid.cells(), 6);
        let cells: Vec<String> = (0..6).map(|cell| grid.values(cell).concat()).collect();
        assert_eq!(cells, ["1x", "1y", "1z", "2x", "2y", "2z"]);
        assert_eq!(grid.sets(4), ["c=9", "a=2", "b=y"]);
    }

    #[test]
    fn paired_values_stand_side_by_side() {
        let grid = grid(&["a=1,2", "b=x,y"], true).unwrap();
        assert_eq!(grid.cells(), 2);
        assert_eq!(grid.sets(1), ["a=2", "b=y"]);
    }

    #[test]
    fn what_makes_no_grid_is_refused() {
        let many: Vec<String> = (0..=100).map(|n| n.to_string()).collect();
        let long = |key: &str| format!("{key}={}", many.join(","));
        let cases: [(&[&str], bool, &str); 10] = [
            (&["a=1"], false, "nothing varies"),
            (&[], false, "nothing varies"),
            (&["a=1,2", "a=3"], false, "`a` is set twice"),
            (&["a=3", "a=1,2"], false, "`a` is set twice"),
            (&["a=1,,2"], false, "value 2 is empty"),
            (&["a=1,2,1"], false, "`1` is there twice"),
            (&["a=[1,2"], false, "`[` is not closed"),
            (&["a=1,2", "b=1,2,3"], true, "`a` has 2 of them and `b` has 3"),
            (&["seed=1,2"], false, "`seed` cannot vary"),
            (&[&long("a"), &long("b")], false, "more than 10000 cells"),
        ];
        for (sets, paired, wanted) in cases {
            let error = grid(sets, paired).unwrap_err();
            assert!(error.contains(wanted) && error.contains("  = help: "), "{error}");
        }
        assert!(grid(&[&long("a"), &long("b")], true).is_ok());
    }
}
