//! `docs/reports.md` has the definitions of all columns word for word.

use std::fmt::Write;

use super::{Column, MEASURES, TABLES};

/// Set to write the tables into the document instead of checking them.
const BLESS: &str = "MQSIM_BLESS";

fn rows(columns: &[Column]) -> String {
    let mut text = String::from("| Column | Unit | Meaning |\n| --- | --- | --- |\n");
    for Column { name, unit, meaning } in columns {
        let meaning = meaning.replace('|', "\\|");
        writeln!(text, "| `{name}` | {unit} | {meaning} |").unwrap();
    }
    text
}

/// The part of the document that is made from the tables.
fn generated() -> String {
    let mut text = String::from("### Every file\n\n");
    text += &rows(&MEASURES);
    for table in TABLES {
        write!(text, "\n### {}\n\n{}\n\n", table.file_name(), table.about()).unwrap();
        text += &rows(table.columns());
    }
    for sheet in crate::report::sheets() {
        write!(text, "\n### {}\n\n{}\n\n", sheet.file_name, sheet.about).unwrap();
        text += &rows(sheet.columns);
    }
    text
}

#[test]
fn every_column_is_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reports.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (begin, end) = ("<!-- columns -->\n", "<!-- end of columns -->");
    let (before, rest) = document.split_once(begin).unwrap();
    let (tables, after) = rest.split_once(end).unwrap();
    let wanted = format!("\n{}\n", generated());
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(path, format!("{before}{begin}{wanted}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(tables, wanted, "docs/reports.md is out of date: run this test with {BLESS}=1");
}

#[test]
fn columns_are_defined_once_and_fully() {
    for table in TABLES {
        let mut names: Vec<&str> =
            MEASURES.iter().chain(table.columns()).map(|column| column.name).collect();
        for column in table.columns() {
            assert!(!column.unit.is_empty() && column.meaning.ends_with('.'), "{}", column.name);
        }
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "{}", table.file_name());
    }
    for column in crate::report::sheets().flat_map(|sheet| sheet.columns) {
        assert!(!column.unit.is_empty() && column.meaning.ends_with('.'), "{}", column.name);
    }
}
