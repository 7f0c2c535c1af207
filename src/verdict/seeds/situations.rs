//! Situations: what a run can come into, by the words of its catalogue.

use crate::observe::{BecauseId, Catalog, CauseId, EventId, RoleId, Sign};
use crate::verdict::{EventRow, Report};

/// The names of all situations of a catalogue: the family's own, then events, roles, causes and
/// conditions, each once.
#[must_use]
pub fn named(catalog: &Catalog) -> Vec<&'static str> {
    let own = catalog.situations.iter().map(|situation| situation.name);
    let events = catalog.events.iter().map(|word| word.name);
    let roles = catalog.roles.iter().map(|word| word.name);
    let causes = catalog.causes.iter().map(|cause| cause.name);
    // The first condition is that there is none.
    let conditions = catalog.conditions.iter().skip(1).copied();
    let mut names: Vec<&str> = Vec::new();
    for name in own.chain(events).chain(roles).chain(causes).chain(conditions) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// By what a situation shows; empty if there is none of this name. A word may be both an event and
/// a condition: then either will do.
pub(in crate::verdict) fn signs(catalog: &Catalog, name: &str) -> Vec<Sign> {
    fn ids<'a>(names: impl Iterator<Item = &'a str>, name: &str) -> Vec<u32> {
        (0..).zip(names).filter(|(_, other)| *other == name).map(|(id, _)| id).collect()
    }
    let own = catalog.situations.iter().filter(|situation| situation.name == name);
    let mut signs: Vec<Sign> = own.map(|situation| situation.sign).collect();
    let events = ids(catalog.events.iter().map(|word| word.name), name);
    signs.extend(events.into_iter().map(|id| Sign::Event(EventId(id))));
    let roles = ids(catalog.roles.iter().map(|word| word.name), name);
    signs.extend(roles.into_iter().map(|id| Sign::Role(RoleId(id))));
    let causes = ids(catalog.causes.iter().map(|cause| cause.name), name);
    signs.extend(causes.into_iter().map(|id| Sign::Cause(CauseId(id))));
    let conditions = ids(catalog.conditions.iter().copied(), name);
    signs.extend(conditions.into_iter().map(|id| Sign::Condition(BecauseId(id))));
    signs
}

/// Whether a run shows this.
pub(in crate::verdict) fn shows(sign: Sign, report: &Report) -> bool {
    let catalog = &*report.catalog;
    let event = |id: EventId| catalog.events[id.index()].name;
    let role = |id: RoleId| catalog.roles[id.index()].name;
    let is = |row: &EventRow, kind: &str, what: &str| row.kind == kind && row.what == what;
    let mut rows = report.events.iter();
    match sign {
        Sign::Event(id) => rows.any(|row| is(row, "event", event(id))),
        Sign::EventWithCount(id, count) => {
            rows.any(|row| is(row, "event", event(id)) && row.count == count)
        }
        Sign::Role(id) => rows.any(|row| is(row, "role", role(id))),
        Sign::RoleAfter(before, after) => changed(&report.events, role(before), role(after)),
        Sign::Cause(id) => report.causes.get(id.index()).is_some_and(|lines| *lines > 0),
        Sign::Condition(id) => report.losses.iter().any(|loss| loss.because == id),
    }
}

/// Whether a node goes from one role straight to another for a destination.
fn changed(rows: &[EventRow], before: &str, after: &str) -> bool {
    let roles = || rows.iter().enumerate().filter(|(_, row)| row.kind == "role");
    roles().filter(|(_, row)| row.what == after).any(|(at, row)| {
        let same = |other: &&EventRow| {
            other.kind == "role" && other.node == row.node && other.destination == row.destination
        };
        rows[..at].iter().rev().find(same).is_some_and(|last| last.what == before)
    })
}
