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
}

impl Change {
    fn tells(&self, contact: &Contact) -> bool {
        self.state == Some(contact.state) && self.why == contact.why
    }

    /// Why, and for how long.
    fn reason(&self) -> String {
        if self.lasted.is_zero() {
            return self.why.to_owned();
        }
        // Apart from its unit, as people write it.
        let lasted = self.lasted.to_string();
        let digits = lasted.find(|c: char| !c.is_ascii_digit()).unwrap_or(lasted.len());
        let (number, unit) = lasted.split_at(digits);
        format!("{} {number} {unit}", self.why)
    }

    fn words(&self) -> String {
        let state = self.state.map_or("gone", contact_state_name);
        match self.reason().as_str() {
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
    pairs: BTreeMap<(NodeId, NodeId), Vec<Change>>,
    kept: usize,
}

impl Clients {
    /// A client tells something. What it has told since the connection last came about or was lost
    /// is not kept again: it tries until it succeeds.
    pub(super) fn told(&mut self, at: Time, contact: Contact) {
        let pair = self.pairs.entry((contact.client, contact.broker)).or_default();
        let turning = |change: &Change| {
            matches!(change.state, None | Some(ContactState::Connected | ContactState::Lost))
        };
        let spell = pair.iter().rposition(turning).unwrap_or(0);
        let known = pair[spell..].iter().any(|change| change.tells(&contact));
        let unblocks = contact.state == ContactState::Connected
            && pair.last().is_some_and(|last| last.state == Some(ContactState::Blocked));
        if (!known || unblocks) && self.kept < MOST_CHANGES {
            let Contact { state, why, lasted, .. } = contact;
            pair.push(Change { at, state: Some(state), why, lasted });
            self.kept += 1;
        }
    }

    /// A host's process is gone, and its connections with it.
    pub(super) fn gone(&mut self, at: Time, client: NodeId) {
        for (_, pair) in self.pairs.range_mut((client, NodeId(0))..=(client, NodeId(u32::MAX))) {
            if pair.last().is_some_and(|last| last.state.is_some()) {
                pair.push(Change { at, state: None, why: "", lasted: Span::ZERO });
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
            if let Some(change) = pair.iter().find(trouble) {
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
            let worth = pair.iter().any(|change| trouble(&change) || connects(change));
            worth.then_some((client, broker, pair.as_slice()))
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
    ) -> Option<Late> {
        let late = clients.filter_map(|client| {
            let pairs = self.pairs.range((client, NodeId(0))..=(client, NodeId(u32::MAX)));
            let mut changes: Vec<&Change> =
                pairs.flat_map(|(_, pair)| pair).filter(|change| change.at <= end).collect();
            changes.sort_by_key(|change| change.at);
            // It came back: it was connected, or turned away from what it had waited for.
            let back = changes.iter().rposition(|change| {
                !matches!(
                    change.state,
                    None | Some(ContactState::Blocked | ContactState::Reconnecting)
                )
            })?;
            let at = changes[back].at;
            if at.since(free) <= gap || end.since(at) > gap {
                return None;
            }
            let long = |change: &&&Change| change.lasted > gap;
            let meanwhile = changes[..=back].iter().filter(|change| change.at > free);
            // An attempt that was told of before is not told again, but goes on as it did.
            let before = || {
                changes[..back]
                    .iter()
                    .rev()
                    .take_while(|change| change.state != Some(ContactState::Connected))
            };
            let waits = |change: &&&Change| change.state == Some(ContactState::Reconnecting);
            let why = meanwhile
                .filter(long)
                .max_by_key(|change| (change.lasted, change.at))
                .or_else(|| before().filter(waits).find(long))?;
            Some(Late { client, led: false, free, back: at, why: why.reason() })
        });
        late.max_by_key(|late| late.back)
    }

    pub(super) fn heap(&self) -> usize {
        self.pairs.values().map(|pair| 32 + pair.capacity() * size_of::<Change>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        pair.iter().map(|change| format!("{} {}", change.at.as_millis(), change.words())).collect()
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
        let late = |clients: &Clients, free, end| {
            let late = clients.late([P1].into_iter(), (at(free), at(end)), gap);
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
        assert_eq!(late(&clients, 13_000, 18_020).as_deref(), Some("18010 waited 3 s"));
        // It had waited as long before, and that was told then.
        assert_eq!(late(&clients, 16_000, 18_020).as_deref(), Some("18010 waited 3 s"));
        assert_eq!(late(&clients, 17_900, 18_020), None, "at once, but for the gap");
        assert_eq!(late(&clients, 3_000, 19_000), None, "it was back long before the end");
    }
}
