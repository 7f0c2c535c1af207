//! Clients and their brokers: who was connected to whom, who lost whom and why, and which outages
//! went on because a client came back late.

use std::collections::BTreeMap;

use super::history::stretches;
use super::{EventRow, Lane, LaneState, Late};
use crate::engine::{Span, Time};
use crate::observe::{Catalog, Contact, ContactState, NodeId, NodeKind};

/// Changes that are kept at most.
const MOST_CHANGES: usize = 50_000;

/// What a client's connection to a broker came to.
#[derive(Clone, Copy, Debug)]
struct Change {
    at: Time,
    /// `None`: the client's process is gone.
    state: Option<ContactState>,
    why: &'static str,
    lasted: Span,
    /// Of a connection that came about, or did not: when the attempt began, and how long the client
    /// had waited before, for what.
    tried: Option<Tried>,
}

/// The beginning of an attempt to connect.
#[derive(Clone, Copy, Debug)]
struct Tried {
    at: Time,
    why: &'static str,
    waited: Span,
}

/// A client and a broker.
#[derive(Clone, Debug, Default)]
struct Pair {
    changes: Vec<Change>,
    /// The attempt that is under way, or was the last.
    tried: Option<Tried>,
}

/// What took longest between `free` and the time at which a client came `back`, of all that its
/// connections had come to by then: it had not noticed, it paused, or it tried. Nothing if all of that
/// was short.
fn why_late(
    changes: &[Change],
    back: &Change,
    (free, broker): (Time, &str),
    gap: Span,
) -> Option<String> {
    let lost = |change: &&Change| change.state == Some(ContactState::Lost) && change.at > free;
    let lost = changes.iter().rfind(lost);
    let noticed = lost.map_or(Span::ZERO, |lost| lost.at.since(free));
    let noticed_only = lost.map(|lost| match lost.lasted.is_zero() {
        true => format!("it had noticed nothing before {}: {}", seconds(lost.at), lost.why),
        false => reason(lost.why, lost.lasted),
    });
    let begun = lost.map_or(free, |lost| lost.at.max(free));
    let tried = back.tried.filter(|tried| tried.at <= back.at);
    let (paused, under_way) = tried.map_or((Span::ZERO, Span::ZERO), |tried| {
        (tried.at.since(begun.min(tried.at)), back.at.since(tried.at.max(free)))
    });
    let pause = tried.map(|tried| match paused > tried.waited * 2 {
        true => "its attempts to connect had failed before".to_owned(),
        false => reason(tried.why, tried.waited),
    });
    let attempt = tried.map(|tried| {
        format!("its attempt to connect to {broker} was under way since {}", seconds(tried.at))
    });
    let told = [(noticed, noticed_only), (paused, pause), (under_way, attempt)];
    let (longest, why) = told.into_iter().max_by_key(|(length, _)| *length)?;
    why.filter(|why| longest > gap && !why.is_empty())
}

/// `59.134 s`.
fn seconds(at: Time) -> String {
    let millis = at.as_millis();
    format!("{}.{:03} s", millis / 1_000, millis % 1_000)
}

/// Why, and for how long.
fn reason(why: &str, lasted: Span) -> String {
    if lasted.is_zero() {
        return why.to_owned();
    }
    // Apart from its unit, as people write it.
    let lasted = lasted.to_string();
    let digits = lasted.find(|c: char| !c.is_ascii_digit()).unwrap_or(lasted.len());
    let (number, unit) = lasted.split_at(digits);
    format!("{why} {number} {unit}")
}

impl Change {
    fn tells(&self, contact: &Contact) -> bool {
        self.state == Some(contact.state) && self.why == contact.why
    }

    fn words(&self) -> String {
        let state = self.state.map_or("gone", contact_state_name);
        match reason(self.why, self.lasted).as_str() {
            "" => state.to_owned(),
            why => format!("{state}: {why}"),
        }
    }
}

/// A state of a connection as `events.csv` and plots spell it.
#[must_use]
pub const fn contact_state_name(state: ContactState) -> &'static str {
    match state {
        ContactState::Connected => "connected",
        ContactState::Lost => "lost",
        ContactState::Reconnecting => "reconnecting",
        ContactState::GivenUp => "given up",
        ContactState::Blocked => "blocked",
    }
}

/// What came of the connections of all clients, by client and broker.
#[derive(Clone, Debug, Default)]
pub(super) struct Clients {
    pairs: BTreeMap<(NodeId, NodeId), Pair>,
    kept: usize,
}

impl Clients {
    /// A client tells something. What it has told since the connection last came about or was lost
    /// is not kept again: it tries until it succeeds.
    pub(super) fn told(&mut self, at: Time, contact: Contact) {
        let Contact { client, broker, state, why, lasted } = contact;
        let Pair { changes, tried } = self.pairs.entry((client, broker)).or_default();
        let mut change = Change { at, state: Some(state), why, lasted, tried: None };
        match state {
            ContactState::Reconnecting => *tried = Some(Tried { at, why, waited: lasted }),
            _ => change.tried = tried.take(),
        }
        let turning = |change: &Change| {
            matches!(change.state, None | Some(ContactState::Connected | ContactState::Lost))
        };
        let spell = changes.iter().rposition(turning).unwrap_or(0);
        let known = changes[spell..].iter().any(|change| change.tells(&contact));
        let unblocks = state == ContactState::Connected
            && changes.last().is_some_and(|last| last.state == Some(ContactState::Blocked));
        if (!known || unblocks) && self.kept < MOST_CHANGES {
            changes.push(change);
            self.kept += 1;
        }
    }

    /// A host's process is gone, and its connections with it.
    pub(super) fn gone(&mut self, at: Time, client: NodeId) {
        for (_, pair) in self.pairs.range_mut((client, NodeId(0))..=(client, NodeId(u32::MAX))) {
            pair.tried = None;
            if pair.changes.last().is_some_and(|last| last.state.is_some()) {
                let (why, lasted) = ("", Span::ZERO);
                pair.changes.push(Change { at, state: None, why, lasted, tried: None });
            }
        }
    }

    /// The pairs worth telling of: where a connection was lost, blocked or did not come about, and
    /// where that client connected to afterwards.
    fn troubled(
        &self,
        catalog: &Catalog,
    ) -> impl Iterator<Item = (NodeId, NodeId, &[Change])> + use<'_> {
        let trouble =
            |change: &&Change| !matches!(change.state, None | Some(ContactState::Connected));
        let mut first: BTreeMap<NodeId, Time> = BTreeMap::new();
        for ((client, _), pair) in &self.pairs {
            if let Some(change) = pair.changes.iter().find(trouble) {
                let known = first.entry(*client).or_insert(change.at);
                *known = (*known).min(change.at);
            }
        }
        first.retain(|client, _| {
            matches!(catalog.nodes[client.index()].kind, NodeKind::Producer | NodeKind::Consumer)
        });
        self.pairs.iter().filter_map(move |(&(client, broker), pair)| {
            let since = *first.get(&client)?;
            let connects = |change: &Change| {
                change.state == Some(ContactState::Connected) && change.at >= since
            };
            let worth = pair.changes.iter().any(|change| trouble(&change) || connects(change));
            worth.then_some((client, broker, pair.changes.as_slice()))
        })
    }

    /// Rows of `events.csv`.
    pub(super) fn rows(&self, catalog: &Catalog) -> Vec<EventRow> {
        let mut rows = Vec::new();
        for (client, broker, pair) in self.troubled(catalog) {
            rows.extend(pair.iter().filter(|change| change.state.is_some()).map(|change| {
                EventRow {
                    at: change.at,
                    kind: EventRow::CLIENT,
                    what: change.words(),
                    node: Some(client),
                    destination: None,
                    subject: Some(broker),
                    count: 0,
                }
            }));
        }
        rows
    }

    /// Lanes of the plot. Nothing is shown where nothing is under way: an attempt was given up.
    pub(super) fn lanes(&self, catalog: &Catalog, ended: Time) -> Vec<Lane> {
        let lane = |(node, broker, pair): (NodeId, NodeId, &[Change])| {
            let changes = pair.iter().map(|change| {
                let state = change.state.filter(|state| *state != ContactState::GivenUp);
                (change.at, state.map(LaneState::Contact))
            });
            let stretches = stretches(changes, ended);
            Lane { node, destination: None, broker: Some(broker), stretches }
        };
        self.troubled(catalog).map(lane).collect()
    }

    /// Why an outage that could have been over at `free` went on until `end`: which of these clients
    /// came back last before its end, if that was more than `gap` later.
    pub(super) fn late(
        &self,
        clients: impl Iterator<Item = NodeId>,
        (free, end): (Time, Time),
        gap: Span,
        catalog: &Catalog,
    ) -> Option<Late> {
        let late = clients.filter_map(|client| {
            let pairs = self.pairs.range((client, NodeId(0))..=(client, NodeId(u32::MAX)));
            let of = |(&(_, broker), pair): (&(NodeId, NodeId), &'_ Pair)| {
                pair.changes.iter().map(|change| (broker, *change)).collect::<Vec<_>>()
            };
            let mut changes: Vec<(NodeId, Change)> = pairs.flat_map(of).collect();
            changes.retain(|(_, change)| change.at <= end);
            changes.sort_by_key(|(_, change)| change.at);
            // It came back: it was connected, or turned away from what it had waited for.
            let (broker, back) = *changes.iter().rev().find(|(_, change)| {
                use ContactState::{Blocked, Reconnecting};
                !matches!(change.state, None | Some(Blocked | Reconnecting))
            })?;
            if back.at.since(free) <= gap || end.since(back.at) > gap {
                return None;
            }
            let changes: Vec<Change> = changes.into_iter().map(|(_, change)| change).collect();
            let why = why_late(&changes, &back, (free, catalog.node(broker)), gap)?;
            Some(Late { client, led: false, free, back: back.at, why })
        });
        late.max_by_key(|late| late.back)
    }

    pub(super) fn heap(&self) -> usize {
        let heap = |pair: &Pair| 80 + pair.changes.capacity() * size_of::<Change>();
        self.pairs.values().map(heap).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::NodeInfo;
    use ContactState::{Blocked, Connected, GivenUp, Lost, Reconnecting};

    const P1: NodeId = NodeId(7);

    fn at(millis: u64) -> Time {
        Time::ZERO + Span::from_millis(millis)
    }

    fn told(
        clients: &mut Clients,
        broker: u32,
        stories: &[(u64, ContactState, &'static str, u64)],
    ) {
        for &(when, state, why, seconds) in stories {
            let (broker, lasted) = (NodeId(broker), Span::from_secs(seconds));
            clients.told(at(when), Contact { client: P1, broker, state, why, lasted });
        }
    }

    fn kept(clients: &Clients, broker: u32) -> Vec<String> {
        let pair = &clients.pairs[&(P1, NodeId(broker))];
        let told = pair.changes.iter();
        told.map(|change| format!("{} {}", change.at.as_millis(), change.words())).collect()
    }

    #[test]
    fn what_is_told_again_and_again_is_kept_once() {
        let mut clients = Clients::default();
        told(
            &mut clients,
            1,
            &[
                (0, Connected, "", 0),
                (10, Connected, "", 0),
                (1_000, Lost, "reset", 0),
                (2_000, Reconnecting, "after", 1),
                (2_001, GivenUp, "refused", 0),
                (3_001, Reconnecting, "after", 1),
                (3_002, GivenUp, "refused", 0),
                (4_002, GivenUp, "no answer", 0),
                (5_000, Connected, "", 0),
                (6_000, Blocked, "alarm", 0),
                (7_000, Connected, "", 0),
                (8_000, Lost, "reset", 0),
            ],
        );
        clients.gone(at(9_000), P1);
        clients.gone(at(9_500), P1);
        assert_eq!(
            kept(&clients, 1),
            [
                "0 connected",
                "1000 lost: reset",
                "2000 reconnecting: after 1 s",
                "2001 given up: refused",
                "4002 given up: no answer",
                "5000 connected",
                "6000 blocked: alarm",
                "7000 connected",
                "8000 lost: reset",
                "9000 gone",
            ]
        );
    }

    #[test]
    fn who_comes_back_late_is_told_with_what_took_longest_since_it_could_have() {
        let gap = Span::from_millis(250);
        let node = |name: &str| NodeInfo { name: name.to_owned(), kind: NodeKind::Broker };
        let nodes = ["n0", "n1", "n2"].map(node).to_vec();
        let catalog = Catalog { nodes, ..Catalog::default() };
        let late = |clients: &Clients, free, end| {
            let late = clients.late([P1].into_iter(), (at(free), at(end)), gap, &catalog);
            late.map(|late| format!("{} {}", late.back.as_millis(), late.why))
        };
        let mut clients = Clients::default();
        told(&mut clients, 1, &[(0, Connected, "", 0), (12_000, Lost, "silent for", 10)]);
        told(
            &mut clients,
            2,
            &[
                (15_000, Reconnecting, "waited", 3),
                (15_001, GivenUp, "refused", 0),
                (18_001, Reconnecting, "waited", 3),
                (18_010, Connected, "", 0),
            ],
        );
        assert_eq!(late(&clients, 3_000, 18_020).as_deref(), Some("18010 silent for 10 s"));
        assert_eq!(late(&clients, 12_500, 18_020).as_deref(), Some("18010 waited 3 s"));
        let failed = "18010 its attempts to connect had failed before";
        assert_eq!(late(&clients, 11_000, 18_020).as_deref(), Some(failed), "two of them");
        assert_eq!(late(&clients, 16_000, 18_020).as_deref(), Some("18010 waited 3 s"));
        assert_eq!(late(&clients, 17_900, 18_020), None, "at once, but for the gap");
        told(&mut clients, 2, &[(20_000, Lost, "reset", 0), (23_000, Reconnecting, "waited", 3)]);
        told(&mut clients, 2, &[(54_000, Connected, "", 0)]);
        let said = "54000 its attempt to connect to n2 was under way since 23.000 s";
        assert_eq!(late(&clients, 40_000, 54_000).as_deref(), Some(said));
        assert_eq!(late(&clients, 3_000, 19_000), None, "it was back long before the end");
    }
}
