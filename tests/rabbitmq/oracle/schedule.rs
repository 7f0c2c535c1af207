//! Random schedules of faults.

use mqsim::engine::Stream;

use super::table::Row;

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Faults {
    /// Broker processes are killed, one at a time.
    Kills,
    /// Hosts lose power, one at a time.
    PowerOfOne,
    /// All hosts lose power within a second.
    PowerOfAll,
    /// The network between brokers is cut.
    Partition,
}

impl Faults {
    /// The columns in the order of [`Row::claims`].
    pub(crate) const ALL: [Faults; 4] =
        [Faults::Kills, Faults::PowerOfOne, Faults::PowerOfAll, Faults::Partition];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Faults::Kills => "kills",
            Faults::PowerOfOne => "power of one",
            Faults::PowerOfAll => "power of all",
            Faults::Partition => "partition",
        }
    }
}

/// The `[[fault]]` sections of one seed.
pub(crate) fn draw(row: &Row, faults: Faults, seed: u64) -> String {
    let stream = &mut Stream::fixed(seed, faults.name());
    match faults {
        Faults::Kills => one_by_one(row, stream, "crash"),
        Faults::PowerOfOne => one_by_one(row, stream, "power-loss"),
        Faults::PowerOfAll => all(row, stream),
        Faults::Partition => partition(row, stream),
    }
}

fn fault(at_ms: u64, for_ms: u64, kind: &str, target: &str) -> String {
    format!(
        "[[fault]]\nat = \"{at_ms}ms\"\nfor = \"{for_ms}ms\"\nkind = \"{kind}\"\ntarget = \"{target}\"\n"
    )
}

/// Three faults, each when all have recovered from the one before, unless the row says otherwise.
fn one_by_one(row: &Row, stream: &mut Stream, kind: &str) -> String {
    if !row.each_in_turn && !row.pairs {
        return in_sync(kind);
    }
    let mut text = String::new();
    let mut at = stream.between(3_000, 5_000);
    let order = order(row, stream);
    for node in order {
        if row.pairs {
            // Two nodes after each other, faster than anything can be brought back in sync.
            for node in ["n2", "n1"] {
                text.push_str(&fault(at, 3_000, kind, node));
                at += stream.between(1, 800);
            }
        } else {
            let node = format!("n{node}");
            text.push_str(&fault(at, stream.between(500, 4_000), kind, &node));
        }
        at += stream.between(row.apart.0, row.apart.1);
    }
    text
}

/// Any node, and the next only when all are up and all copies in sync.
fn in_sync(kind: &str) -> String {
    format!(
        "[nemesis]\nfrom = \"3s\"\nuntil = \"42s\"\nwhen = \"in-sync\"\n\
         every = {{ distribution = \"uniform\", min = \"3s\", max = \"9s\" }}\n\
         [[nemesis.fault]]\nkind = \"{kind}\"\ntargets = [\"random\"]\n\
         for = {{ distribution = \"uniform\", min = \"500ms\", max = \"4s\" }}\n"
    )
}

/// The node that each of three faults hits: any, or each in its turn.
fn order(row: &Row, stream: &mut Stream) -> [u64; 3] {
    let nodes = u64::from(row.nodes);
    let mut order = [1, 2, 3];
    if row.each_in_turn {
        stream.shuffle(&mut order);
    } else {
        order = [0; 3].map(|_| stream.between(1, nodes));
    }
    order
}

fn all(row: &Row, stream: &mut Stream) -> String {
    let at = stream.between(5_000, 20_000);
    (1..=row.nodes)
        .map(|node| {
            let later = at + stream.between(0, 1_000);
            fault(later, stream.between(2_000, 8_000), "power-loss", &format!("n{node}"))
        })
        .collect()
}

/// Cuts that isolate one node, from a moment to well beyond the detection time; each when all have
/// recovered from the one before. With `ignore` an operator restarts that node some time after the
/// heal.
fn partition(row: &Row, stream: &mut Stream) -> String {
    let order = order(row, stream);
    let cuts = if row.each_in_turn { 3 } else { 1 };
    let mut at = stream.between(3_000, 5_000);
    let mut text = String::new();
    for alone in &order[..cuts] {
        let others: Vec<String> =
            (1..=u64::from(row.nodes)).filter(|n| n != alone).map(|n| format!("n{n}")).collect();
        let lasts = if cuts == 1 { stream.between(500, 15_000) } else { 7_000 };
        text.push_str(&format!(
            "[[fault]]\nat = \"{at}ms\"\nfor = \"{lasts}ms\"\nkind = \"partition\"\n\
             between = [\"n{alone}\", \"{}\"]\nclients = \"unaffected\"\n",
            others.join(",")
        ));
        if row.restarts_a_side {
            let restart = at + lasts + stream.between(1_000, 5_000);
            text.push_str(&fault(restart, 1_000, "stop", &format!("n{alone}")));
        }
        at += lasts + stream.between(6_000, 7_000);
    }
    text
}
