//! What the TOML parser found wrong, with a remedy.

use std::sync::Arc;

use super::diagnostics::Diagnostics;
use super::source::{Place, Sources};

/// The first of the parser's errors as a diagnostic: later ones are mostly caused by it.
pub(crate) fn explain(
    errors: &[toml::de::Error],
    text: &str,
    sources: &Arc<Sources>,
) -> Diagnostics {
    let wrong = Diagnostics::of(sources);
    let start_of = |error: &&toml::de::Error| error.span().map_or(0, |span| span.start);
    let Some(error) = errors.iter().min_by_key(start_of) else { return wrong };
    let span = error.span().unwrap_or(0..0);
    let (start, end) = (floor(text, span.start), floor(text, span.end));
    let line = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    Diagnostics::at(
        Place::new(0, start..end.max(start)),
        format!("this is not TOML: {}", plainly(error.message(), &text[line..])),
        remedy(error.message(), text, start),
    )
    .with_sources(sources)
}

/// The parser's words, without what it says about its own alternatives.
fn plainly<'a>(message: &'a str, rest: &str) -> &'a str {
    let line = rest.lines().next().unwrap_or("");
    match message {
        _ if line.trim_end().ends_with('=') => "there is no value",
        "string values must be quoted, expected literal string" => "the value is no text in quotes",
        other => other.trim(),
    }
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
    if message.contains("invalid basic string") || message.contains("invalid literal string") {
        return "end the text with the quotation mark it begins with, in the same line".to_owned();
    }
    if message.contains("missing comma") {
        return "separate items by commas, and close each [ with ] and each { with }".to_owned();
    }
    if message.contains("unclosed array") || message.contains("unclosed inline table") {
        return "close each [ with ] and each { with }".to_owned();
    }
    if message.contains("recurse") {
        return "write lists and tables that are less deep".to_owned();
    }
    let behind_equals = text[start..at].contains('=');
    if let Some((key, value)) = line.split_once('=').filter(|_| behind_equals) {
        let (key, value) = (key.trim(), value.trim());
        let bare = |c: char| c.is_ascii_alphanumeric() || "._-/%".contains(c);
        if message.contains("quoted") && (1..=40).contains(&value.len()) && value.chars().all(bare)
        {
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
