//! What `mqsim compare` prints.

use comfy_table::{ColumnConstraint, Width};

use super::tables::{print, table};
use super::{Page, Tone};
use crate::report::compare::{Block, Comparison, Standing, blocks};

/// A comparison as text, in so many columns.
#[must_use]
pub fn compare(comparison: &Comparison, color: bool, columns: usize) -> String {
    let mut out = Page::within(columns, color);
    for block in blocks(comparison) {
        match block {
            Block::Verdict(said, standing) => {
                let tone = match standing {
                    Standing::Regression => Tone::Bad,
                    Standing::Undecided => Tone::Doubtful,
                    _ => Tone::Good,
                };
                let mut headline = Page::within(columns, false);
                headline.wrapped("", &said);
                for line in headline.text.lines() {
                    let line = out.toned(tone, line);
                    out.line(&line);
                }
            }
            Block::Title(title) => out.section(&title),
            Block::Text(text) => out.wrapped("  ", &text),
            Block::Table(header, numbers, rows) => {
                let names: Vec<&str> = header.iter().map(String::as_str).collect();
                let mut printed = table(&names, &numbers);
                rows.into_iter().for_each(|row| {
                    printed.add_row(row);
                });
                // What a row is about, and what it comes to, is not to be broken if it is short.
                let wide = printed.column_max_content_widths();
                let number = |column: usize| numbers.contains(&column) && wide[column] <= 12;
                let ends = |column: usize| column == 0 || column + 1 == wide.len();
                for column in 0..wide.len() {
                    let whole = number(column) || (ends(column) && wide[column] <= 30);
                    if let Some(found) = printed.column_mut(column)
                        && whole
                    {
                        let wide = Width::Fixed(wide[column] + 2);
                        found.set_constraint(ColumnConstraint::LowerBoundary(wide));
                    }
                }
                print(&mut out, printed);
            }
        }
    }
    out.text
}
