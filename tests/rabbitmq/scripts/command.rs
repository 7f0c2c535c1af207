//! The commands of a script.
//!
//! | command | what it does |
//! | --- | --- |
//! | `cluster nodes=3 version=3.10 net-ticktime=60s net-setuptime=7s heartbeat=0s seed=1` | the brokers n1, n2, ...; the first command |
//! | `broker KEY=VALUE ...`, `rules NAME=false ...` | keys of the scenario's `[broker]` and `[rules]` |
//! | `queue orders on=n1 [transient] [mirrored] [ring=n1,n3,n2] [sync=automatic] [batch=N] [promote-on-failure=when-synced] [promote-on-shutdown=always] [KEY=VALUE ...]` | declares a queue before the run starts; other keys are those of `[[queue]]` |
//! | `policy KEY=VALUE ...` | keys of a `[[policy]]`; for all queues if no pattern is given |
//! | `exchange fan to=orders,audit` | a fanout exchange |
//! | `connect p1 n2` | the client p1 opens a connection and a channel |
//! | `publish p1 1..3 [to=orders] [persistent] [confirm] [mandatory] [expiration=1s] [every=1ms]` | publishes messages of 100 B |
//! | `consume c1 orders [prefetch=2] [priority=1] [exclusive] [auto-ack]` | `basic.consume` |
//! | `get c1 orders [auto-ack]` | `basic.get` |
//! | `cancel c1 orders` | `basic.cancel` by the client |
//! | `ack c1 1 [multiple]`, `ack c1 1..3` | `basic.ack` of the last delivery of each message |
//! | `requeue c1 1..3` | `basic.nack` with requeue |
//! | `reject c1 1..3` | `basic.reject` without requeue |
//! | `close p1` | closes the connection |
//! | `run 10ms` | lets time pass; prints what happens |
//! | `skip 10s` | lets time pass without a word |
//! | `kill n1`, `power-loss n1`, `stop n1`, `wipe n1`, `boot n1` | processes and hosts; `boot` undoes the others |
//! | `pause n1`, `resume n1` | SIGSTOP, SIGCONT |
//! | `partition n1 \| n2,n3 [reject] [clients=unaffected]`, `heal` | the network |
//! | `queue n2 [orders]` | the messages of this node's replica |
//! | `tables n2` | this node's tables, and whose Mnesia it shares |
//! | `agree` | whether synchronised mirrors hold what their leader holds, as each leader's tables have it |
//! | `pending p1` | what the client has published and had no answer for |

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
