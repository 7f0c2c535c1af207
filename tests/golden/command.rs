//! The words of a command.

use mqsim::engine::Span;

/// The words of a command: what it is called, what stands alone, what is given as `key=value`.
#[derive(Clone, Debug)]
pub(crate) struct Command<'a> {
    pub(crate) name: &'a str,
    words: Vec<&'a str>,
}

impl<'a> Command<'a> {
    pub(crate) fn parse(text: &'a str) -> Command<'a> {
        let mut words = text.split_whitespace();
        Command { name: words.next().unwrap_or(""), words: words.collect() }
    }

    /// The `nth` word that is no `key=value`.
    pub(crate) fn word(&self, nth: usize) -> Result<&'a str, String> {
        let mut plain = self.words.iter().filter(|word| !word.contains('='));
        let found = plain.nth(nth).copied();
        found.ok_or_else(|| format!("`{}` wants {} words after it", self.name, nth + 1))
    }

    /// Whether a word stands there.
    pub(crate) fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    /// Everything that is given as `key=value`.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.words.iter().filter_map(|word| word.split_once('='))
    }

    /// What is given as `key=value`.
    pub(crate) fn value(&self, key: &str) -> Option<&'a str> {
        self.words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    pub(crate) fn number(&self, key: &str, default: u32) -> Result<u32, String> {
        self.value(key).map_or(Ok(default), |value| {
            value.parse().map_err(|_| format!("`{key}={value}` is no number"))
        })
    }

    pub(crate) fn span(&self, key: &str, default: Span) -> Result<Span, String> {
        self.value(key).map_or(Ok(default), span)
    }

    pub(crate) fn rest(&self) -> String {
        self.words.join(" ")
    }
}

/// `10ms`, `0.5ms`, `7s`.
pub(crate) fn span(text: &str) -> Result<Span, String> {
    let wrong = || format!("`{text}` is no span such as 10ms or 7s");
    let (digits, nanos) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1_000_000),
        None => (text.strip_suffix('s').ok_or_else(wrong)?, 1_000_000_000),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let part = format!("{part:0<9}").get(..9).unwrap_or("").parse::<u64>().map_err(|_| wrong())?;
    Ok(Span::from_nanos(whole * nanos + part * nanos / 1_000_000_000))
}

/// `3` or `1..3`, both ends included.
pub(crate) fn numbers(text: &str) -> Result<std::ops::RangeInclusive<u32>, String> {
    let wrong = |_| format!("`{text}` is neither a number nor a range such as 1..3");
    match text.split_once("..") {
        Some((first, last)) => Ok(first.parse().map_err(wrong)?..=last.parse().map_err(wrong)?),
        None => text.parse().map(|only| only..=only).map_err(wrong),
    }
}
