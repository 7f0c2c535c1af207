//! What the TOML parser found wrong, with a remedy.

use std::sync::Arc;

use super::diagnostics::Diagnostics;
use super::source::{Place, Sources};

/// How many errors of syntax are shown: later ones are often caused by the first.
const MOST: usize = 3;

/// The parser's errors as diagnostics.
pub(crate) fn explain(
    errors: &[toml::de::Error],
    text: &str,
    sources: &Arc<Sources>,
) -> Diagnostics {
    let mut wrong = Diagnostics::of(sources);
    for error in errors.iter().take(MOST) {
        let span = error.span().unwrap_or(0..0);
        let (start, end) = (floor(text, span.start), floor(text, span.end));
        let message = format!("this is not TOML: {}", error.message().trim());
        wrong.push(
            Place::new(0, start..end.max(start)),
            message,
            remedy(error.message(), text, start),
        );
    }
    wrong
}

/// The start of the character in which byte `at` is.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn remedy(message: &str, text: &str, at: usize) -> String {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or("").trim();
    if message.contains("duplicate key") {
        return "write each key and each [section] once; sections that may repeat are [[section]]"
            .to_owned();
    }
    if let Some((key, value)) = line.split_once('=') {
        let (key, value) = (key.trim(), value.trim());
        let bare = |c: char| c.is_ascii_alphanumeric() || "._-/%".contains(c);
        if !value.is_empty() && value.len() <= 40 && value.chars().all(bare) {
            return format!("a text needs quotes: {key} = \"{value}\"");
        }
        if value.is_empty() {
            return format!("write a value behind `{key} =`, or remove the line");
        }
    }
    if line.starts_with('[') {
        return "a section is written [name], or [[name]] where there may be several".to_owned();
    }
    "lines are key = value, [section] or # comment; texts are in \"quotes\"".to_owned()
}
