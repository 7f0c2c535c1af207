//! Foreign text on a terminal: what a file, a name or an argument says is shown, not obeyed.
//!
//! Two functions, for two places. [`shown`] makes one line of a piece of foreign text, where it is
//! put into a sentence. [`harmless`] is what every text goes through on its way to a terminal or a
//! log, where its own line breaks and colours are wanted: it is the last word, whatever the text
//! was put together from.
//!
//! What they do away with: control characters and with them escape sequences, those of C1
//! (U+0080 to U+009F) too; marks that turn the direction of writing around, so that a text reads
//! otherwise than it is (<https://trojansource.codes>); line breaks of Unicode; characters that
//! nobody sees. And words that a log obeys: [`harmless`] leaves no line that begins with `::`, and
//! no `##[` or `##name[` (GitHub's runner takes both forms for commands, the second anywhere in a
//! line, `ActionCommand.cs`; Azure's and TeamCity's do the same).

use std::borrow::Cow;
use std::path::Path;

/// Whether a character is not to be had by a terminal.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            // Directions of writing.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Line and paragraph separators.
            | '\u{2028}' | '\u{2029}'
            // What has no width: a space, a byte order mark, annotations, tags.
            | '\u{200b}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether there is anything in a text that is not to be had by a terminal.
#[must_use]
pub fn has_hidden(text: &str) -> bool {
    text.chars().any(is_hidden)
}

/// A piece of foreign text in one line: `\n`, `\u{1b}`, `\u{202e}` stand for what is hidden.
#[must_use]
pub fn shown(text: &str) -> Cow<'_, str> {
    if !has_hidden(text) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    text.chars().for_each(|character| push_shown(&mut line, character));
    Cow::Owned(line)
}

/// A path in one line.
#[must_use]
pub fn shown_path(path: &Path) -> String {
    shown(&path.to_string_lossy()).into_owned()
}

fn push_shown(line: &mut String, character: char) {
    match character {
        // `\n`, `\t`, `\r`.
        '\t' | '\n' | '\r' => line.extend(character.escape_default()),
        _ if is_hidden(character) => line.extend(character.escape_unicode()),
        _ => line.push(character),
    }
}

/// A whole text as it may go to a terminal or a log: its line breaks stay, and so do the colours
/// that mqsim itself writes if there are to be any.
#[must_use]
pub fn harmless(text: &str, colors: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        let begins = line.len() - line.trim_start().len();
        let (indent, rest) = line.split_at(begins);
        push_harmless(&mut out, indent, colors);
        // What a runner would obey begins with a blank less or more, and with two colons.
        let rest = match rest.strip_prefix("::") {
            Some(rest) => {
                out.push_str("\\u{3a}:");
                rest
            }
            None => rest,
        };
        push_harmless(&mut out, rest, colors);
        out.push_str(end);
    }
    out
}

fn push_harmless(out: &mut String, line: &str, colors: bool) {
    let mut rest = line;
    while let Some(character) = rest.chars().next() {
        let known = if colors { color(rest) } else { 0 };
        let length = known.max(character.len_utf8());
        match character {
            _ if known > 0 => out.push_str(&rest[..known]),
            '\t' => out.push('\t'),
            '#' if is_command(rest) => out.push_str("\\u{23}"),
            _ => push_shown(out, character),
        }
        rest = &rest[length..];
    }
}

/// Whether `##[` or `##name[` stands here.
fn is_command(text: &str) -> bool {
    let name = text.strip_prefix("##").map(|rest| rest.trim_start_matches(char::is_alphanumeric));
    name.is_some_and(|rest| rest.starts_with('['))
}

/// How many bytes the colour has with which the text begins: `ESC [ digits and semicolons m`.
fn color(text: &str) -> usize {
    let Some(codes) = text.strip_prefix("\u{1b}[") else { return 0 };
    let end = codes.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
    if end.starts_with('m') { text.len() - end.len() + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(shown("plain, ünd – 信号 👩‍🚀"), "plain, ünd – 信号 👩‍🚀");
        assert_eq!(shown("a\nb\tc\r"), r"a\nb\tc\r");
        assert_eq!(shown("\u{1b}[31m\u{7}\u{7f}"), r"\u{1b}[31m\u{7}\u{7f}");
        assert_eq!(shown("\u{9b}2J\u{85}"), r"\u{9b}2J\u{85}");
        assert_eq!(shown("\u{202e}txt.\u{2066}\u{feff}"), r"\u{202e}txt.\u{2066}\u{feff}");
        assert_eq!(shown_path(Path::new("a\nmqsim: error: b")), r"a\nmqsim: error: b");
    }

    #[test]
    fn own_lines_and_colours_stay() {
        let text = "\u{1b}[1mname\u{1b}[0m\n\tb\n";
        assert_eq!(harmless(text, true), text);
        assert_eq!(harmless(text, false), "\\u{1b}[1mname\\u{1b}[0m\n\tb\n");
        // Only colours: nothing that moves, wipes or renames.
        assert_eq!(harmless("\u{1b}[2J\u{1b}]0;x\u{7}", true), r"\u{1b}[2J\u{1b}]0;x\u{7}");
        assert_eq!(harmless("a :: b\n##x\n", false), "a :: b\n##x\n");
    }

    #[test]
    fn no_line_is_a_command() {
        assert_eq!(
            harmless("::error::x\n  ::set-env", false),
            "\\u{3a}:error::x\n  \\u{3a}:set-env"
        );
        assert_eq!(harmless("a ##[error]b", false), r"a \u{23}#[error]b");
        assert_eq!(harmless("##vso[task.x]", false), r"\u{23}#vso[task.x]");
        assert_eq!(harmless("\u{3000}::stop", false), "\u{3000}\\u{3a}:stop");
    }

    proptest! {
        #[test]
        fn nothing_gets_through(text in r"(::|##\[|##[a-z]|\n| |\x1b\[|\PC|[\x00-\x20\x7f-\u{9f}]|[\u{200b}-\u{206f}]){0,12}", colors: bool) {
            let out = harmless(&text, false);
            prop_assert!(out.chars().all(|c| matches!(c, '\n' | '\t') || !is_hidden(c)), "{out:?}");
            for line in out.lines() {
                prop_assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{out:?}");
            }
            prop_assert_eq!(harmless(&out, colors), out, "twice is once");
            prop_assert!(!has_hidden(&shown(&text)));
        }
    }
}
