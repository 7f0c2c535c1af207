//! Reads expectations over seeds.

use super::situations::{named, signs};
use super::{OverSeeds, Subject};
use crate::observe::Catalog;
use crate::scenario::{Diagnostics, Value, Values, suggest};
use crate::verdict::bounds::bound;
use crate::verdict::expect::NARROWING;
use crate::verdict::metrics::{METRICS, Metric, Unit, metric};

/// The keys that only expectations over seeds have.
const OWN: [&str; 2] = ["confidence", "assume-at-most"];

/// How sure a verdict is if nothing is said.
const ERROR: f64 = 0.05;

impl OverSeeds {
    /// Reads a section that is about many seeds; `None` if it is about each run by itself.
    pub(in crate::verdict) fn parse(
        section: &Values,
        catalog: &Catalog,
    ) -> Result<Option<OverSeeds>, Diagnostics> {
        if let Some(name) = section.get_text("sometimes") {
            return sometimes(section, catalog, name).map(Some);
        }
        let name = section.get_text("metric").unwrap_or("");
        let subject = match name {
            "lossy_seeds" => Subject::Lossy,
            "success_lost_per_million" => Subject::LostPerMillion,
            _ => match function(section, name)? {
                Some(subject) => subject,
                None => return alone(section).map(|()| None),
            },
        };
        let over = bounded(section, subject)?;
        Ok(Some(OverSeeds { fans_out: catalog.fans_out(), ..over }))
    }
}

/// What is judged of each run by itself has no confidence.
fn alone(section: &Values) -> Result<(), Diagnostics> {
    match OWN.into_iter().find(|key| section.has(key)) {
        None => Ok(()),
        Some(key) => Err(Diagnostics::at(
            section.span(key),
            format!("`{key}` belongs to an expectation over seeds, and this is judged of each run"),
            "remove it, or expect lossy_seeds, success_lost_per_million, p99(METRIC) or \
             mean(METRIC)",
        )),
    }
}

/// What is judged over seeds is of whole runs.
fn narrowed(section: &Values) -> Result<(), Diagnostics> {
    match NARROWING.into_iter().find(|key| section.has(key)) {
        None => Ok(()),
        Some(key) => Err(Diagnostics::at(
            section.span(key),
            format!("`{key}` narrows what is judged of each run, and this is judged over seeds"),
            "remove it",
        )),
    }
}

fn sometimes(section: &Values, catalog: &Catalog, name: &str) -> Result<OverSeeds, Diagnostics> {
    let others = ["metric", "cause", "invariant", "event", "never"];
    if let Some(other) = others.into_iter().find(|key| section.has(key)) {
        return Err(Diagnostics::at(
            section.span(other),
            format!("an expectation is about one of `sometimes` and `{other}`, not both"),
            "write two expectations",
        ));
    }
    narrowed(section)?;
    let bounds = ["min", "max", "equals"];
    if let Some(key) = bounds.into_iter().chain(OWN).find(|key| section.has(key)) {
        return Err(Diagnostics::at(
            section.span(key),
            format!("`sometimes` says that at least one seed gets there; it has no `{key}`"),
            "remove it",
        ));
    }
    let signs = signs(catalog, name);
    if signs.is_empty() {
        return Err(Diagnostics::at(
            section.span("sometimes"),
            format!("there is no situation `{name}` in this mode"),
            suggest(name, &named(catalog), "the situations"),
        ));
    }
    let subject = Subject::Sometimes(name.to_owned(), signs);
    let (min, max, most) = (None, None, 1.0);
    let line = section.line();
    Ok(OverSeeds { subject, min, max, error: ERROR, most, assumed: false, line, fans_out: false })
}

/// `p99(write_longest_ms)`, `mean(write_availability)`; `None` if it is no function of a metric.
fn function(section: &Values, text: &str) -> Result<Option<Subject>, Diagnostics> {
    let Some((word, rest)) = text.split_once('(') else { return Ok(None) };
    let at = |message: String, help: String| Diagnostics::at(section.span("metric"), message, help);
    let Some(name) = rest.strip_suffix(')') else {
        return Err(at(
            format!("`{text}` lacks its closing parenthesis"),
            format!("write {text})"),
        ));
    };
    let (word, name) = (word.trim(), name.trim());
    let found = metric(name).ok_or_else(|| {
        let known: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        at(format!("there is no metric `{name}`"), suggest(name, &known, "the metrics"))
    })?;
    if word == "mean" {
        return mean(found).map(Some).map_err(|(message, help)| at(message, help));
    }
    match percent(word) {
        Some(share) => Ok(Some(Subject::Quantile(word.to_owned(), share, found))),
        None => Err(at(
            format!("`{word}` is no function over seeds"),
            format!(
                "write p50({name}), p99({name}), p99.9({name}): a percentage above 0 and below 100; \
                 what every seed must keep is metric = \"{name}\" alone"
            ),
        )),
    }
}

fn mean(metric: &'static Metric) -> Result<Subject, (String, String)> {
    if metric.unit == Unit::Share {
        return Ok(Subject::Mean(metric));
    }
    let name = metric.name;
    Err((
        format!(
            "no number of seeds bounds the mean of `{name}`: one rare run may be as bad as any"
        ),
        format!("expect a quantile: metric = \"p99({name})\"; shares have means"),
    ))
}

/// The share that `p99.9` means: 0.999.
fn percent(word: &str) -> Option<f64> {
    let digits = word.strip_prefix('p')?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = digits.parse::<f64>().ok().filter(|_| plain && digits.len() <= 7)?;
    (number > 0.0 && number < 100.0).then(|| number / 100.0)
}

fn bounded(section: &Values, subject: Subject) -> Result<OverSeeds, Diagnostics> {
    let at = |key: &str, message: &str, help: &str| {
        Err(Diagnostics::at(section.span(key), message, help))
    };
    narrowed(section)?;
    if section.has("equals") {
        let help = "write `min` and `max`";
        return at("equals", "no number of seeds proves that something is just so", help);
    }
    let (most, assumed) = most(section, &subject)?;
    let error = error(section)?;
    let line = section.line();
    let mut over =
        OverSeeds { subject, min: None, max: None, error, most, assumed, line, fans_out: false };
    over.min = bound(section, "min", over.unit())?;
    over.max = bound(section, "max", over.unit())?;
    if over.min.is_none() && over.max.is_none() {
        let help = "write `min` or `max`";
        return Err(Diagnostics::at(section.place(), "this expectation has no bound", help));
    }
    if let (Some(min), Some(max)) = (over.min, over.max)
        && min > max
    {
        let message = "nothing is at least `min` and at most `max`: `max` is less";
        return at("max", message, "swap them");
    }
    if matches!(over.subject, Subject::Quantile(..)) {
        return Ok(over);
    }
    // Of a mean from 0 to `most` the ends can be neither proven nor passed.
    if over.max == Some(0.0) {
        return at(
            "max",
            "no number of seeds proves that there is never any",
            "write a small share (max = \"1%\" takes 300 seeds without), or bound the metric \
             itself, which every seed must keep: metric = \"success_lost\", max = 0",
        );
    }
    if over.max.is_some_and(|max| max >= over.most) || over.min == Some(0.0) {
        let key = if over.min == Some(0.0) { "min" } else { "max" };
        return at(key, "this always holds", "write a bound that can be passed");
    }
    if over.min.is_some_and(|min| min >= over.most) {
        return at("min", "no number of seeds proves as much", "write a lesser bound");
    }
    Ok(over)
}

/// `assume-at-most`: the greatest value of one seed, and whether it is written.
fn most(section: &Values, subject: &Subject) -> Result<(f64, bool), Diagnostics> {
    let key = "assume-at-most";
    match (subject, bound(section, key, Unit::PerMillion)) {
        (Subject::LostPerMillion, Ok(None)) => Ok((1e6, false)),
        (Subject::LostPerMillion, Ok(Some(most))) if most > 0.0 && most <= 1e6 => Ok((most, true)),
        (Subject::LostPerMillion, _) => Err(Diagnostics::at(
            section.span(key),
            format!("`{key}` is what one seed loses at most, per million"),
            "write a number above 0 and up to 1000000",
        )),
        (_, Ok(None)) => Ok((1.0, false)),
        (_, _) => Err(Diagnostics::at(
            section.span(key),
            format!("`{key}` belongs to success_lost_per_million"),
            "remove it",
        )),
    }
}

/// The error that `confidence` leaves.
fn error(section: &Values) -> Result<f64, Diagnostics> {
    let Some(value) = section.value("confidence") else { return Ok(ERROR) };
    // In billionths, so that 95 % leaves 0.05 exactly.
    let billionths = match value {
        Value::Chance(chance) => chance.as_billionths(),
        _ => 0,
    };
    if !(500_000_000..=999_999_999).contains(&billionths) {
        return Err(Diagnostics::at(
            section.span("confidence"),
            "a verdict over seeds is right with a probability from 50 % to below 100 %",
            "write confidence = \"95%\", or \"99%\"",
        ));
    }
    Ok((1_000_000_000 - billionths) as f64 / 1e9)
}
