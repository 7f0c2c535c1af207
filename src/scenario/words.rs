//! Kinds in words: for messages and for `mqsim list`.

use super::spec::{Kind, LONGEST, Unit};
use super::units::{Bytes, Drift, Rate};
use crate::engine::Span;

/// The kind with its article: "a duration".
pub(crate) fn noun(kind: &Kind) -> String {
    match kind {
        Kind::Flag => "true or false".to_owned(),
        Kind::Integer { .. } | Kind::Signed { .. } => "a whole number".to_owned(),
        Kind::Duration { .. } => "a duration".to_owned(),
        Kind::Millis { .. } => "a duration or a whole number of milliseconds".to_owned(),
        Kind::Shift => "a duration that may be negative".to_owned(),
        Kind::Drift => "a share in ppm or percent that may be negative".to_owned(),
        Kind::Rate => "a rate".to_owned(),
        Kind::Size { .. } => "a size".to_owned(),
        Kind::Bandwidth => "a bandwidth".to_owned(),
        Kind::Chance => "a probability".to_owned(),
        Kind::Text => "a text".to_owned(),
        Kind::Name => "a name".to_owned(),
        Kind::Names => "a list of names".to_owned(),
        Kind::Choice(words) => super::near::quoted(words),
        Kind::Choices(_) => "a list of words".to_owned(),
        Kind::Distribution { unit: Unit::Duration, .. } => "a duration or distribution".to_owned(),
        Kind::Distribution { unit: Unit::Size, .. } => "a size or distribution".to_owned(),
        Kind::Selector => "a selector".to_owned(),
        Kind::SelectorList => "a list of selectors".to_owned(),
        Kind::Version => "a version".to_owned(),
        Kind::Seeds => "a range of seeds".to_owned(),
        Kind::Table(_) | Kind::Tagged(_) => "a table".to_owned(),
        Kind::Tables(_) => "a list of tables".to_owned(),
        Kind::Either(kinds) => kinds.iter().map(noun).collect::<Vec<_>>().join(" or "),
    }
}

/// An example of the kind, as TOML.
pub(crate) fn example(kind: &Kind) -> String {
    let fixed = match kind {
        Kind::Flag => "true",
        Kind::Integer { min, max } => return 1.clamp(*min, *max).to_string(),
        Kind::Signed { min, max } => return 1.clamp(*min, *max).to_string(),
        Kind::Duration { min, max } | Kind::Millis { min, max } => {
            return format!("\"{}\"", Span::from_secs(1).clamp(*min, *max));
        }
        Kind::Shift => "\"-5s\"",
        Kind::Drift => "\"200ppm\"",
        Kind::Rate => "\"500/s\"",
        Kind::Size { min, max } => return format!("\"{}\"", Bytes(1024.clamp(*min, *max))),
        Kind::Bandwidth => "\"125MB/s\"",
        Kind::Chance => "\"0.1%\"",
        Kind::Text => "\"..\"",
        Kind::Name => "\"orders\"",
        Kind::Names => "[\"n1\", \"n2\"]",
        Kind::Choice(words) => return format!("\"{}\"", words.first().unwrap_or(&"")),
        Kind::Choices(words) => {
            let shown: Vec<String> = words.iter().take(2).map(|w| format!("\"{w}\"")).collect();
            return format!("[{}]", shown.join(", "));
        }
        Kind::Distribution { unit: Unit::Duration, .. } => {
            "\"100us\" or { distribution = \"lognormal\", median = \"100us\", p99 = \"400us\" }"
        }
        Kind::Distribution { unit: Unit::Size, .. } => {
            "\"1KiB\" or { distribution = \"lognormal\", median = \"1KiB\", p99 = \"4KiB\" }"
        }
        Kind::Selector => "\"n1\"",
        Kind::SelectorList => "[\"n1\", \"n2,n3\"]",
        Kind::Version => "\"3.10\"",
        Kind::Seeds => "\"1..=20\"",
        Kind::Table(keys) => return format!("{{ {} }}", required(keys)),
        Kind::Tables(keys) => return format!("[{{ {} }}]", required(keys)),
        Kind::Tagged(tagged) => {
            let Some(first) = tagged.variants.first() else { return "{ .. }".to_owned() };
            return format!("{{ {} = \"{}\", .. }}", tagged.tag, first.name);
        }
        Kind::Either(kinds) => {
            return kinds.iter().map(example).collect::<Vec<_>>().join(" or ");
        }
    };
    fixed.to_owned()
}

fn required(keys: &[super::KeySpec]) -> String {
    let must = keys.iter().filter(|key| key.default == super::Preset::Required);
    let mut shown: Vec<String> =
        must.map(|key| format!("{} = {}", key.name, example(&key.kind))).collect();
    if shown.is_empty() {
        shown.extend(keys.first().map(|key| format!("{} = {}", key.name, example(&key.kind))));
    }
    shown.join(", ")
}

/// How a text of the kind is written, for the remedy of one that is not.
pub(crate) fn form(kind: &Kind) -> String {
    let form = match kind {
        Kind::Duration { .. } => "a number and one of ns, us, ms, s, min, h, with no blank",
        Kind::Millis { .. } => {
            "a whole number of milliseconds, or a number and one of ns, us, ms, s, min, h"
        }
        Kind::Shift => "a number and one of ns, us, ms, s, min, h, with a minus sign if wanted",
        Kind::Drift => "a number and ppm or %, with a minus sign if wanted",
        Kind::Rate => "a number, k, M or G if wanted, and /s, /min or /h",
        Kind::Size { .. } => "bytes, or a number and one of kB, MB, GB, TB, KiB, MiB, GiB, TiB",
        Kind::Bandwidth => {
            "a number and kB/s, MB/s, GB/s, KiB/s, MiB/s, GiB/s, kbit/s, Mbit/s or Gbit/s"
        }
        Kind::Chance => "a percentage from 0% to 100%, or a decimal number from 0 to 1",
        Kind::Name => "1 to 64 of A-Z a-z 0-9 . _ -, with no leading dot",
        Kind::Selector | Kind::SelectorList => {
            "names such as n1 or leader(orders), separated by commas"
        }
        Kind::Version => "numbers with dots, in quotes",
        Kind::Seeds => "the first and the last seed",
        _ => return format!("write {}: {}", noun(kind), example(kind)),
    };
    format!("write {form}, for example {}", example(kind))
}

/// The range of values of the kind, in words; empty if there is none.
pub(crate) fn range(kind: &Kind) -> String {
    match kind {
        Kind::Integer { min, max: u64::MAX } => format!("{min} or more"),
        Kind::Integer { min, max } if min == max => format!("only {min}"),
        Kind::Integer { min, max } => format!("{min} to {max}"),
        Kind::Signed { min, max } => format!("{min} to {max}"),
        Kind::Duration { min, max } | Kind::Millis { min, max } => durations(*min, *max),
        Kind::Shift => "-1000h to 1000h".to_owned(),
        Kind::Drift => format!("{} to {}", Drift(-Drift::MOST), Drift(Drift::MOST)),
        Kind::Rate => format!("0/s to {}", Rate::MOST),
        Kind::Size { min, max } => format!("{} to {}", Bytes(*min), Bytes(*max)),
        Kind::Chance => "0% to 100%".to_owned(),
        Kind::Distribution { unit: Unit::Duration, min, max } => {
            durations(Span::from_nanos(*min), Span::from_nanos(*max))
        }
        Kind::Distribution { unit: Unit::Size, min, max } => {
            format!("{} to {}", Bytes(*min), Bytes(*max))
        }
        Kind::Choices(words) => format!("of {}", words.join(", ")),
        Kind::Seeds => format!("at most {} seeds", super::units::MOST_SEEDS),
        Kind::Either(kinds) => {
            let ranges: Vec<String> = kinds.iter().map(range).filter(|r| !r.is_empty()).collect();
            ranges.join("; or ")
        }
        _ => String::new(),
    }
}

fn durations(min: Span, max: Span) -> String {
    let max = if max == LONGEST { "1000h".to_owned() } else { max.to_string() };
    format!("{min} to {max}")
}
