//! Terminal, colours, progress. Whatever is printed goes through [`harmless`] here: no text of a
//! scenario, name or argument is obeyed by a terminal or by the log of a CI system.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::args::Color;
use crate::report::folder::plain_words;
use crate::run::Progress;
use crate::scenario::{harmless, has_hidden, shown};

/// Prints to stdout. A reader that has gone away (`| head`) is no error; what else goes wrong,
/// [`unwritten`] tells at the end.
pub(super) fn print(text: &str) {
    raw(&harmless(text, colors()));
}

/// Prints a JSON document, in which `\u` stands for what a terminal might obey.
pub(super) fn document(text: &str) {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        for character in line.replace("##", "\\u0023#").chars() {
            if has_hidden(character.encode_utf8(&mut [0; 4])) {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    out += &format!("\\u{unit:04x}");
                }
            } else {
                out.push(character);
            }
        }
        out += end;
    }
    raw(&out);
}

/// What could not be written to stdout: a sentence for people. Whoever waited for it got less than
/// all.
pub(super) fn unwritten() -> Option<String> {
    let error = UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    let (why, _) = plain_words(&error);
    let help = "make room, or send it elsewhere; report folders were written all the same";
    Some(format!("cannot write to stdout: {why}\n  = help: {help}"))
}

static UNWRITTEN: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints to stdout as it is.
fn raw(text: &str) {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Prints an error: one clear message. Whoever wrote it may have called it an error already.
pub(super) fn error(text: &str) {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let mut out = io::stderr().lock();
    let _ = writeln!(out, "mqsim: error: {}", harmless(text.trim_end(), false));
}

/// Says something on stderr that is no error.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "mqsim: {}", harmless(text, false));
}

/// Prints a workflow command of [`github_error`]: to stderr if a document has stdout to itself.
pub(super) fn command(text: &str, to_stderr: bool) {
    if to_stderr {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    } else {
        raw(text);
    }
}

/// The workflow command by which GitHub Actions marks an error in a file, as
/// <https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions> has it.
pub(super) fn github_error(file: &str, line: Option<usize>, title: &str, text: &str) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property =
        |text: &str| data(&harmless(&shown(text), false)).replace(':', "%3A").replace(',', "%2C");
    let line = line.map_or(String::new(), |line| format!(",line={line}"));
    let text = harmless(text.trim(), false);
    let (file, title, text) = (property(file), property(title), data(&text));
    format!("::error file={file}{line},title={title}::{text}\n")
}

/// A file as GitHub knows it: from the root of the repository on, without `./`, with `/` between
/// names. Of any other name it shows nothing in a pull request.
pub(super) fn github_file(file: &str) -> String {
    let path = std::path::Path::new(file);
    let workspace = std::env::var_os("GITHUB_WORKSPACE").map(std::path::PathBuf::from);
    let whole = |path: &std::path::Path| std::fs::canonicalize(path).ok();
    let below = workspace.and_then(|root| {
        let (root, path) = (whole(&root)?, whole(path)?);
        path.strip_prefix(root).ok().map(std::path::Path::to_owned)
    });
    let path = below.unwrap_or_else(|| path.to_owned());
    let names = path.components().filter(|one| *one != std::path::Component::CurDir);
    let names: Vec<_> = names.map(|name| name.as_os_str().to_string_lossy()).collect();
    names.join("/").replace("//", "/")
}

/// What `--color` says, as a number: it is asked for wherever something is printed.
static COLOR: AtomicU8 = AtomicU8::new(Color::Auto as u8);

/// What `--color` says counts from now on.
pub(super) fn choose(color: Color) {
    COLOR.store(color as u8, Ordering::Relaxed);
}

/// Whether stdout may have colours: as `--color` says, otherwise on a terminal without `NO_COLOR`
/// (<https://no-color.org>).
pub(super) fn colors() -> bool {
    let chosen = COLOR.load(Ordering::Relaxed);
    if chosen != Color::Auto as u8 {
        return chosen == Color::Always as u8;
    }
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    io::stdout().is_terminal() && !refused && !dumb
}

/// How wide a text that is wrapped may be: as wide as the terminal, or as `COLUMNS` says, but no
/// wider than one reads with ease, nor so narrow that every word would be a line.
pub(super) fn columns() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.trim().parse().ok());
    let terminal = || terminal_size::terminal_size_of(io::stdout()).map(|(wide, _)| wide.0.into());
    told.or_else(terminal).unwrap_or(READABLE).clamp(40, READABLE)
}

/// The width of a text that is read with ease.
const READABLE: usize = 100;

/// A heading: bold where colours are wanted.
pub(super) fn heading(text: &str) -> String {
    if colors() { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Words in so many columns: what leads them, then as many as fit; further lines begin with `then`
/// blanks. A word that is too long has a line of its own.
pub(super) fn wrapped(lead: &str, then: usize, words: &str, columns: usize) -> String {
    let (mut out, mut line, mut empty) = (String::new(), lead.to_owned(), true);
    for word in words.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > columns {
            out += line.trim_end();
            out.push('\n');
            line = " ".repeat(then);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line += word;
        empty = false;
    }
    out + line.trim_end() + "\n"
}

/// Progress on stderr, if that is a terminal; otherwise nothing at all.
pub(super) fn progress(name: &str, seeds: u64, wanted: bool) -> ProgressBar {
    if !wanted || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(seeds);
    let template = if seeds > 1 {
        "{msg} {wide_bar} {pos}/{len} seeds, {eta} left"
    } else {
        "{spinner} {msg} {elapsed}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(format!("simulating {name}"));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Shows how far a simulation has come: seeds, or the virtual time of the only one.
pub(super) fn advance(bar: &ProgressBar, told: Progress) {
    let Progress::Reached { at, load } = told else { return bar.inc(1) };
    let (reached, whole) = (at.as_nanos() / 1_000_000, load.as_nanos() / 1_000_000);
    if bar.length() == Some(1)
        && let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {prefix}")
    {
        bar.set_style(style);
        bar.set_length(whole.max(2));
    }
    bar.set_position(reached);
    bar.set_prefix(if reached >= whole {
        format!("{load} of load are over, until all is quiet")
    } else {
        format!("{}.{} s of {load}", reached / 1_000, reached % 1_000 / 100)
    });
}

/// The instant after which a call begins nothing more.
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// So long after now; never, if there is no budget, or one beyond what a clock can tell.
    #[expect(clippy::disallowed_methods, reason = "what is begun; no simulation sees it")]
    pub(super) fn after(budget: Option<Duration>) -> Deadline {
        Deadline(budget.and_then(|budget| Instant::now().checked_add(budget)))
    }

    /// Whether it has come.
    #[expect(clippy::disallowed_methods, reason = "what is begun; no simulation sees it")]
    pub(super) fn is_over(&self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }
}

/// Measures how long something takes.
#[expect(clippy::disallowed_methods, reason = "for the speed line; no simulation sees it")]
pub(super) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// A word as a POSIX shell takes it. What is hidden in it is written as octal numbers, in the quotes
/// that POSIX has for them since 2024 (`$'..'`), and that bash, zsh and ksh always had.
pub(super) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%_-+=:,./".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if !has_hidden(word) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut quoted = String::from("$'");
    for character in word.chars() {
        let mut bytes = [0; 4];
        let text = character.encode_utf8(&mut bytes);
        // So that nothing in the word is a workflow command (`##[error]`) to whoever reads a log.
        if has_hidden(text) || character == '#' {
            text.bytes().for_each(|byte| quoted += &format!("\\{byte:03o}"));
        } else {
            if matches!(character, '\'' | '\\') {
                quoted.push('\\');
            }
            quoted.push(character);
        }
    }
    quoted + "'"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Span, Time};

    #[test]
    fn workflow_commands_are_one_line() {
        let text =
            github_error("a,b.toml", Some(7), "mqsim: 50% x", "lost 5 %:\nagain, and again\n");
        let wanted = "::error file=a%2Cb.toml,line=7,title=mqsim%3A 50%25 x::lost 5 %25:%0Aagain, and again\n";
        assert_eq!(text, wanted);
        let text = github_error("a\n::b", None, "x\r::c", "found\n::stop-commands::d\u{1b}[2J");
        let wanted = "::error file=a\\n%3A%3Ab,title=x\\r%3A%3Ac::found%0A\\u{3a}:stop-commands::d\\u{1b}[2J\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn files_as_github_knows_them() {
        assert_eq!(github_file("./a/b.toml"), "a/b.toml");
        assert_eq!(github_file("/a/./b.toml"), "/a/b.toml");
    }

    #[test]
    fn progress_of_a_single_seed_is_in_virtual_time() {
        let bar = ProgressBar::hidden();
        bar.set_length(1);
        let load = Span::from_secs(60);
        advance(&bar, Progress::Reached { at: Time::from_nanos(12_300_000_000), load });
        assert_eq!((bar.position(), bar.length()), (12_300, Some(60_000)));
        assert_eq!(bar.prefix(), "12.3 s of 60s");
        advance(&bar, Progress::Reached { at: Time::from_nanos(60_000_000_000), load });
        assert_eq!(bar.prefix(), "60s of load are over, until all is quiet");
        let bar = ProgressBar::hidden();
        bar.set_length(7);
        advance(&bar, Progress::Seed);
        assert_eq!((bar.position(), bar.length()), (1, Some(7)));
    }

    #[test]
    fn words_for_a_shell() {
        assert_eq!(shell_word("producer.p1.rate=5k/s"), "producer.p1.rate=5k/s");
        assert_eq!(shell_word("a b"), "'a b'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("a=\"x\""), "'a=\"x\"'");
        assert_eq!(shell_word("it's\n\u{1b}[2J\u{9b}\\"), r"$'it\'s\012\033[2J\302\233\\'");
    }
}
