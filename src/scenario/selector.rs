//! The syntax of selectors: `n2`, `n1,n2`, `all`, `leader(orders)`, `mirror(orders, 1)`.
//!
//! What they mean is the world's and the broker family's to say.

use std::fmt;

/// What a fault or query is aimed at: one or more calls, separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The calls; never empty.
    pub calls: Vec<Call>,
}

/// A word, or a word with arguments in parentheses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The word: `n2`, `leader`.
    pub name: String,
    /// The arguments, without blanks around them; empty for a word alone.
    pub arguments: Vec<String>,
}

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// Nothing, or nothing between two commas.
    #[error("a name is missing")]
    Missing,
    /// A character that cannot be part of a name.
    #[error("`{0}` cannot be part of a name")]
    Character(char),
    /// Parentheses that do not match, are nested or are followed by something.
    #[error("the parentheses do not match")]
    Parentheses,
    /// Nothing between the parentheses or between two commas there.
    #[error("an argument is missing between the parentheses")]
    Argument,
}

impl std::str::FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Selector, SelectorError> {
        let calls = split(text)?.into_iter().map(call).collect::<Result<Vec<_>, _>>()?;
        Ok(Selector { calls })
    }
}

/// Splits at the commas outside parentheses.
fn split(text: &str) -> Result<Vec<&str>, SelectorError> {
    let mut parts = Vec::new();
    let (mut start, mut inside) = (0, false);
    for (at, character) in text.char_indices() {
        match character {
            '(' if inside => return Err(SelectorError::Parentheses),
            ')' if !inside => return Err(SelectorError::Parentheses),
            '(' => inside = true,
            ')' => inside = false,
            ',' if !inside => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err(SelectorError::Parentheses);
    }
    parts.push(&text[start..]);
    Ok(parts)
}

fn call(text: &str) -> Result<Call, SelectorError> {
    let text = text.trim();
    let (name, arguments) = match text.split_once('(') {
        None => (text, Vec::new()),
        Some((name, rest)) => {
            let inner = rest.strip_suffix(')').ok_or(SelectorError::Parentheses)?;
            let arguments: Vec<String> =
                inner.split(',').map(|argument| argument.trim().to_owned()).collect();
            if arguments.iter().any(String::is_empty) {
                return Err(SelectorError::Argument);
            }
            (name.trim_end(), arguments)
        }
    };
    if name.is_empty() {
        return Err(SelectorError::Missing);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let in_argument = |c: char| allowed(c) || c == '/';
    let wrong = name
        .chars()
        .find(|&c| !allowed(c))
        .or_else(|| arguments.iter().flat_map(|a| a.chars()).find(|&c| !in_argument(c)));
    match wrong {
        Some(character) => Err(SelectorError::Character(character)),
        None => Ok(Call { name: name.to_owned(), arguments }),
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, call) in self.calls.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{call}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.arguments.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}({})", self.name, self.arguments.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_calls_and_lists_are_read() {
        let read = |text: &str| text.parse::<Selector>().map(|selector| selector.to_string());
        assert_eq!(read("n2"), Ok("n2".to_owned()));
        assert_eq!(read("n1, n2"), Ok("n1,n2".to_owned()));
        assert_eq!(read("mirror( orders,1 ),n2"), Ok("mirror(orders, 1),n2".to_owned()));
        assert_eq!(read("leader(orders/0)"), Ok("leader(orders/0)".to_owned()));
    }

    #[test]
    fn what_is_no_selector_says_why() {
        let wrong = |text: &str| text.parse::<Selector>().unwrap_err();
        assert_eq!(wrong(""), SelectorError::Missing);
        assert_eq!(wrong("n1,,n2"), SelectorError::Missing);
        assert_eq!(wrong("(orders)"), SelectorError::Missing);
        assert_eq!(wrong("leader()"), SelectorError::Argument);
        assert_eq!(wrong("leader(a,)"), SelectorError::Argument);
        for text in ["leader(a", "leader a)", "f(g(a))", "f(a)b"] {
            assert_eq!(wrong(text), SelectorError::Parentheses, "{text}");
        }
        assert_eq!(wrong("n 1"), SelectorError::Character(' '));
        assert_eq!(wrong("leader(a b)"), SelectorError::Character(' '));
    }
}
