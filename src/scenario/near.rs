//! The nearest right thing: what to suggest for a misspelt word.

use strsim::damerau_levenshtein;

use super::diagnostics::Diagnostics;
use super::shown::shown;
use super::source::Place;

/// How much of a text from the file is repeated in a message, in characters.
const LONGEST: usize = 60;

/// How many alternatives are listed before the list is cut, and how many characters of them.
const MOST: usize = 24;
const WIDEST: usize = 190;

/// The text in one line, cut to a length that fits into a message.
pub(crate) fn clip(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => shown(text).into_owned(),
        Some((at, _)) => format!("{}...", shown(&text[..at])),
    }
}

/// The word of `known` that is most like `word`, if one is like it at all.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // A longer word is like none of them, and comparing takes time.
    if word.len() > 200 {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace(['_', ' ', '.'], "-");
    let written = plain(word);
    let distance = |name: &&&str| damerau_levenshtein(&written, &plain(name));
    let best = known.iter().min_by_key(distance)?;
    // Of n1, n2 and n3 none is what n4 was meant to be.
    let close = damerau_levenshtein(&written, &plain(best)) <= written.chars().count() / 3;
    // The beginning or end of a word stands for the whole.
    let part = |name: &&&str| {
        let name = plain(name);
        written.len() >= 3 && (name.starts_with(&written) || name.ends_with(&written))
    };
    if close { Some(best) } else { known.iter().find(part).copied() }
}

/// What to do about the unknown `word`: the nearest of `known`, or all of them (`what` they are).
pub(crate) fn suggest(word: &str, known: &[&str], what: &str) -> String {
    if known.is_empty() {
        return "remove it".to_owned();
    }
    if let Some(best) = nearest(word, known) {
        return format!("did you mean `{best}`?");
    }
    let mut wide = 0;
    let fits = |word: &&&str| {
        wide += word.len() + 2;
        wide <= WIDEST
    };
    let listed: Vec<&str> = known.iter().take(MOST).take_while(fits).copied().collect();
    let more = known.len() - listed.len();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{what} are {}{rest}", listed.join(", "))
}

impl Diagnostics {
    /// The place of `name` among `known`, each of which is a `what`; told if there is none.
    pub(crate) fn find<'a>(
        &mut self,
        (name, place): (&str, Place),
        known: impl IntoIterator<Item = &'a str>,
        what: &str,
    ) -> Option<usize> {
        let known: Vec<&str> = known.into_iter().collect();
        let found = known.iter().position(|known| *known == name);
        if found.is_none() {
            let help = suggest(name, &known, &format!("the {what}s"));
            self.push(place, format!("there is no {what} `{name}`"), help);
        }
        found
    }
}

/// Words in quotes: `"a", "b" or "c"`.
pub(crate) fn quoted(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
