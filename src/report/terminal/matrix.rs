//! What `mqsim matrix` prints: a row a variant.

use super::sweep::in_parts;
use super::tables::{print, table};
use super::{PAGE, Page, Tone};
use crate::report::compare::Block;
use crate::report::matrix::Matrix;
use crate::report::number;

/// The matrix as text, in so many columns; 80 are enough. The folder is where its files are.
#[must_use]
pub fn matrix(matrix: &Matrix, folder: &str, color: bool, columns: usize) -> String {
    let mut out = Page::within(columns.min(PAGE), color);
    let name = out.toned(Tone::Strong, &matrix.sweep.scenario);
    let variants = number::counted(matrix.variants.len() as u64, "variant");
    let runs = number::counted(matrix.sweep.runs.len() as u64, "run");
    out.line(&format!("{name} · {variants} · {runs}"));
    out.line("");
    for block in matrix.blocks() {
        match block {
            Block::Table(header, numbers, mut rows) => {
                // The unit stands below what is counted.
                let header: Vec<String> =
                    header.iter().map(|name| name.replace(", ", "\n")).collect();
                let wide = |column: usize| {
                    let cells = rows.iter().map(|row| row[column].as_str());
                    let all = cells.chain(header[column].lines());
                    all.map(|cell| cell.chars().count() + 1).max().unwrap_or(0)
                };
                let rest: usize = (1..header.len()).map(wide).sum();
                let room = out.tables.saturating_sub(rest + 4).max(16);
                for row in &mut rows {
                    if row[0].chars().count() > room {
                        row[0] = in_parts(&row[0], room);
                    }
                }
                let names: Vec<&str> = header.iter().map(String::as_str).collect();
                let mut printed = table(&names, &numbers);
                for row in rows {
                    printed.add_row(row);
                }
                // One blank between columns leaves most room for names.
                for column in 1..names.len() {
                    if let Some(column) = printed.column_mut(column) {
                        column.set_padding((1, 0));
                    }
                }
                print(&mut out, printed);
                out.line("");
            }
            Block::Text(said) => out.wrapped("", &said),
            Block::Title(_) | Block::Verdict(..) => {}
        }
    }
    out.wrapped(
        "",
        &format!(
            "Each row can be run by itself: mqsim run {folder}/VARIANT.toml; matrix.csv names the worst \
             seed of each number."
        ),
    );
    out.text
}
