//! Small runs, and what is looked at in them.

use mqsim::run::Prepared;
use mqsim::verdict::Report;

use crate::runs;

/// Clients that fail over.
pub(crate) const HA: &str = "ha = true\nreconnectAttempts = 'unlimited'\n";

/// A scenario of so many brokers and seconds.
pub(crate) fn prepared(mode: &str, nodes: u32, seconds: u32, rest: &str) -> Prepared {
    let text = format!(
        "format = 1\nname = 'run'\nmode = '{mode}'\nduration = '{seconds}s'\ndrain = '1000s'\n\
         [cluster]\nnodes = {nodes}\nboot-time = '1s'\n[[queue]]\nname = 'orders'\n{rest}"
    );
    runs::prepared(&text, &[])
}

pub(crate) fn producer(keys: &str) -> String {
    format!("[[producer]]\nname = 'p1'\nto = 'orders'\n{keys}\n")
}

pub(crate) fn consumer(keys: &str) -> String {
    format!("[[consumer]]\nname = 'c1'\nfrom = 'orders'\n{keys}\n")
}

pub(crate) fn fault(kind: &str, target: &str, at: &str, length: &str) -> String {
    format!("[[fault]]\nkind = '{kind}'\ntarget = '{target}'\nat = '{at}'\nfor = '{length}'\n")
}

/// The link between a primary and its backup, for clients and other brokers it is as before.
pub(crate) fn cut(how: &str, at: &str, length: &str) -> String {
    format!(
        "[[fault]]\nkind = 'partition'\nbetween = ['n1', 'n2']\nclients = 'unaffected'\nhow = '{how}'\nat = '{at}'\nfor = '{length}'\n"
    )
}

/// When something happened first, in ms; in whose words it is `what`.
pub(crate) fn first(report: &Report, what: &str) -> Option<u64> {
    let mut found = report.events.iter().filter(|event| event.what == what);
    found.next().map(|event| event.at.as_nanos() / 1_000_000)
}

pub(crate) fn count(report: &Report, what: &str) -> u64 {
    report.events.iter().filter(|event| event.what == what).count() as u64
}

/// How many seeds, and how many more if it is asked for.
pub(crate) fn seeds(default: u64) -> u64 {
    runs::number("MQSIM_SEEDS", default)
}
