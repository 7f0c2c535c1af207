//! Whom faults are aimed at, in the words of a mode.

use crate::scenario::{Call, Diagnostics, Located, Selector, nearest, suggest};

/// What selectors are translated by.
pub(super) struct Cast<'a> {
    /// All hosts of the portable cluster, and how many of them, from the first, have a broker.
    pub(super) hosts: &'a [String],
    pub(super) brokers: usize,
    /// The destinations.
    pub(super) destinations: Vec<&'a str>,
    /// The selector of whom a destination is written to; `{name}` is the destination.
    pub(super) leader: &'a str,
    /// That of the so manieth of those with a copy that it is not written to; empty if there is none.
    pub(super) follower: &'a str,
}

/// How portable selectors are written.
const WORDS: &[&str] = &[
    "leader", "follower", "node", "zone", "producer", "consumer", "link", "all", "random",
    "minority",
];

const ALL: &str = "a portable scenario has leader(DESTINATION), follower(DESTINATION, NUMBER), node(NUMBER), \
                   zone(ZONE), producer(NAME), consumer(NAME), link(NODE, NODE), all, random and minority";

impl Cast<'_> {
    /// The selector in the mode's words; `None` if no one is left that it means, since hosts that the mode
    /// has no use for are not there.
    ///
    /// # Errors
    /// If it names what is not there in the portable scenario either.
    pub(super) fn translate(
        &self,
        selector: &Located<Selector>,
    ) -> Result<Option<String>, Diagnostics> {
        let mut found = Vec::new();
        for call in &selector.value.calls {
            let call = self.call(call);
            let call =
                call.map_err(|(message, help)| Diagnostics::at(selector.place, message, help));
            found.extend(call?);
        }
        Ok(if found.is_empty() { None } else { Some(found.join(",")) })
    }

    fn call(&self, call: &Call) -> Result<Option<String>, (String, String)> {
        let host = |name: &str| self.hosts.iter().position(|host| host == name);
        let arguments: Vec<&str> = call.arguments.iter().map(String::as_str).collect();
        let whole = || Ok(Some(call.to_string()));
        match (call.name.as_str(), arguments.as_slice()) {
            ("leader" | "follower", [name, ..]) if !self.destinations.contains(name) => {
                let help = suggest(name, &self.destinations, "the destinations");
                Err((format!("there is no destination `{name}`"), help))
            }
            ("leader", [name]) => Ok(Some(self.leader.replace("{name}", name))),
            ("follower", [name]) => self.follower(name, "1"),
            ("follower", [name, number]) => self.follower(name, number),
            ("node", [number]) => match number.parse::<usize>() {
                Ok(at) if (1..=self.hosts.len()).contains(&at) => {
                    Ok((at <= self.brokers).then(|| self.hosts[at - 1].clone()))
                }
                _ => {
                    let help = format!("write node(1) to node({})", self.hosts.len());
                    Err((format!("there is no node({number})"), help))
                }
            },
            ("link", ends) => {
                let gone = |end: &&str| host(end).is_some_and(|at| at >= self.brokers);
                if ends.iter().any(gone) { Ok(None) } else { whole() }
            }
            ("zone" | "producer" | "consumer" | "all" | "random" | "minority", _) => whole(),
            (name, []) if host(name).is_some() => {
                Ok(host(name).filter(|at| *at < self.brokers).map(|at| self.hosts[at].clone()))
            }
            (name, _) => {
                let help = nearest(name, WORDS)
                    .map_or_else(|| ALL.to_owned(), |word| format!("did you mean `{word}`?"));
                Err((format!("`{name}` is no portable selector"), help))
            }
        }
    }

    /// The so manieth of a destination's others.
    fn follower(&self, name: &str, number: &str) -> Result<Option<String>, (String, String)> {
        if !number.parse::<usize>().is_ok_and(|number| number >= 1) {
            let message = format!("`{number}` does not say which follower");
            return Err((message, format!("write follower({name}, 1)")));
        }
        let selector = self.follower.replace("{name}", name).replace("{number}", number);
        Ok(if selector.is_empty() { None } else { Some(selector) })
    }
}
