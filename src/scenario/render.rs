//! The one renderer of diagnostics: `file:line:column`, the line, a caret, and the remedy.

use std::ops::Range;

use codespan_reporting::diagnostic::{Diagnostic as Report, Label};
use codespan_reporting::files::{Error, Files};
use codespan_reporting::term::{self, Config};

use super::diagnostics::{Diagnostic, Diagnostics};
use super::shown::shown;
use super::source::{Place, Sources};

impl Diagnostics {
    /// All diagnostics in the order of the file, each with its line and its remedy, with ANSI
    /// colours if asked for. Ends with a newline unless there are none.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let unknown = Sources::default();
        let sources = self.sources().unwrap_or(&unknown);
        let mut sorted: Vec<&Diagnostic> = self.iter().collect();
        sorted.sort_by_key(|one| (!one.place.is_somewhere(), one.place));
        let mut text = String::new();
        for one in &sorted {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&render_one(one, sources, colour));
        }
        let more = self.len() - sorted.len();
        if more > 0 {
            text.push_str(&format!(
                "\n... and {more} more like these; mend the first ones first\n"
            ));
        }
        text
    }
}

fn render_one(one: &Diagnostic, sources: &Sources, colour: bool) -> String {
    let Some(excerpt) = Excerpt::of(one.place, sources) else {
        let message = format!("{}: {}", shown(sources.file()), shown(&one.message));
        return emit(&Report::error().with_message(message), &one.help, &Excerpt::empty(), colour);
    };
    let label = Label::primary((), excerpt.marked.clone());
    let report = Report::error().with_message(shown(&one.message)).with_label(label);
    let text = emit(&report, &one.help, &excerpt, colour);
    if one.place.is_argument() {
        // A command-line argument has no lines.
        let place = format!("{}:{}:{}", excerpt.name, excerpt.line, excerpt.column);
        return text.replacen(&place, &excerpt.name, 1);
    }
    text
}

fn emit(report: &Report<()>, help: &str, excerpt: &Excerpt, colour: bool) -> String {
    let mut report = report.clone();
    if !help.is_empty() {
        report = report.with_note(format!("help: {}", shown(help)));
    }
    let config = Config::default();
    let written = if colour {
        let mut buffer = term::termcolor::Buffer::ansi();
        term::emit_to_write_style(&mut buffer, &config, excerpt, &report)
            .map(|()| String::from_utf8_lossy(buffer.as_slice()).into_owned())
    } else {
        term::emit_into_string(&config, excerpt, &report)
    };
    let text = written.unwrap_or_else(|_| format!("error: {}\nhelp: {help}", report.message));
    // No blanks at the ends of lines, one newline at the end.
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

/// A part of a line as it is shown; tabulators are blanks.
fn excerpt(part: &str) -> String {
    shown(&part.replace('\t', "    ")).into_owned()
}

/// How many characters of a long line are shown before and after the start of what is marked.
const AROUND: usize = 80;

/// The part of one line that is shown, with the numbers that it has in its file.
struct Excerpt {
    name: String,
    text: String,
    line: usize,
    /// The column of the marked text, from 1, in characters.
    column: usize,
    marked: Range<usize>,
}

impl Excerpt {
    fn empty() -> Excerpt {
        Excerpt { name: String::new(), text: String::new(), line: 1, column: 1, marked: 0..0 }
    }

    fn of(place: Place, sources: &Sources) -> Option<Excerpt> {
        let (name, whole) = sources.get(place)?;
        let (line, column) = sources.line_column(place)?;
        let start = place.start as usize;
        let line_start = whole[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = whole[start..].find(['\r', '\n']).map_or(whole.len(), |at| start + at);
        let back = |(at, _): (usize, char)| line_start + at;
        let first = whole[line_start..start].char_indices().rev().take(AROUND).last();
        let first = first.map_or(start, back);
        let last = whole[start..line_end].char_indices().nth(AROUND);
        let last = last.map_or(line_end, |(at, _)| start + at);
        let end = (place.end as usize).clamp(start, last);
        let mut text = if first > line_start { "..." } else { "" }.to_owned();
        text.push_str(&excerpt(&whole[first..start]));
        let from = text.len();
        text.push_str(&excerpt(&whole[start..end]));
        let marked = from..text.len();
        text.push_str(&excerpt(&whole[end..last]));
        if last < line_end {
            text.push_str("...");
        }
        Some(Excerpt { name: shown(name).into_owned(), text, line, column, marked })
    }
}

impl<'a> Files<'a> for Excerpt {
    type FileId = ();
    type Name = &'a str;
    type Source = &'a str;

    fn name(&'a self, (): ()) -> Result<&'a str, Error> {
        Ok(&self.name)
    }

    fn source(&'a self, (): ()) -> Result<&'a str, Error> {
        Ok(&self.text)
    }

    fn line_index(&'a self, (): (), _byte: usize) -> Result<usize, Error> {
        Ok(0)
    }

    fn line_number(&'a self, (): (), _index: usize) -> Result<usize, Error> {
        Ok(self.line)
    }

    fn column_number(&'a self, (): (), _index: usize, _byte: usize) -> Result<usize, Error> {
        Ok(self.column)
    }

    fn line_range(&'a self, (): (), _index: usize) -> Result<Range<usize>, Error> {
        Ok(0..self.text.len())
    }
}
