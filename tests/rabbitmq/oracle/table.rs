//! The table: configurations, and what they lose.

use std::fmt;

/// What is claimed of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// No acknowledged message is lost.
    NoLoss,
    /// Some seed loses acknowledged messages, by this cause.
    Loss(&'static str),
    /// The row does not speak of it.
    Skip,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Claim::NoLoss => f.write_str("no loss"),
            Claim::Loss(cause) => write!(f, "loss: {cause}"),
            Claim::Skip => f.write_str("-"),
        }
    }
}

use Claim::{Loss, NoLoss, Skip};

/// A configuration.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) version: &'static str,
    pub(crate) nodes: u32,
    /// The node of which each publisher is a client first, from 0.
    pub(crate) publishers: [u32; 2],
    /// Further keys of `[broker]`, `[[queue]]`, `[[producer]]`.
    pub(crate) broker: &'static str,
    pub(crate) queue: &'static str,
    pub(crate) producer: &'static str,
    /// Further sections.
    pub(crate) sections: &'static str,
    /// Milliseconds between two faults: more than it takes until all is in sync again, if the row
    /// presumes that.
    pub(crate) apart: (u64, u64),
    /// The three faults hit each node in its turn, in any order.
    pub(crate) each_in_turn: bool,
    /// Faults come in pairs, leader after mirror.
    pub(crate) pairs: bool,
    /// Someone restarts a side of a partition after the heal.
    pub(crate) restarts_a_side: bool,
    /// Causes that do not count: what was never stored, where the row speaks of what was.
    pub(crate) ignored: &'static [&'static str],
    /// Kills, power loss of one node, power loss of all, partition.
    pub(crate) claims: [Claim; 4],
}

const PATIENT: (u64, u64) = (12_000, 14_000);

const PLAIN: Row = Row {
    name: "",
    mode: "rabbitmq-cluster",
    version: "3.10",
    nodes: 3,
    publishers: [1, 2],
    broker: "",
    queue: "",
    producer: "",
    sections: "",
    apart: PATIENT,
    each_in_turn: false,
    pairs: false,
    restarts_a_side: false,
    ignored: &[],
    claims: [Skip; 4],
};

const MIRRORED: Row = Row {
    mode: "rabbitmq-mirrored",
    sections: "[[policy]]\npattern = \"orders\"\nha-mode = \"all\"\nha-sync-mode = \"automatic\"\n",
    publishers: [0, 1],
    ..PLAIN
};

const SINGLE: Row = Row { mode: "rabbitmq-single", nodes: 1, publishers: [0, 0], ..PLAIN };

const UNROUTABLE: Claim = Loss("unroutable-confirmed");

/// The table.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "single, index v1", claims: [NoLoss, NoLoss, Skip, Skip], ..SINGLE },
    Row {
        name: "single, index v2",
        version: "3.12",
        broker: "\"classic_queue.default_version\" = 2\n",
        claims: [NoLoss, Loss("page-cache-lost"), Skip, Skip],
        ..SINGLE
    },
    Row {
        name: "classic cluster, 3.10",
        claims: [UNROUTABLE, UNROUTABLE, Skip, UNROUTABLE],
        ..PLAIN
    },
    Row {
        name: "classic cluster, 3.10, what was stored",
        ignored: &["unroutable-confirmed"],
        claims: [NoLoss, NoLoss, NoLoss, Skip],
        ..PLAIN
    },
    Row {
        name: "classic cluster, 3.10, mandatory",
        producer: "mandatory = true\n",
        claims: [NoLoss, Skip, Skip, Skip],
        ..PLAIN
    },
    Row {
        name: "classic cluster, 3.12",
        version: "3.12",
        claims: [NoLoss, NoLoss, NoLoss, NoLoss],
        ..PLAIN
    },
    Row {
        name: "mirrored, in sync, pause_minority, 3.10",
        broker: "cluster_partition_handling = \"pause_minority\"\n",
        claims: [NoLoss, NoLoss, NoLoss, NoLoss],
        ..MIRRORED
    },
    Row {
        name: "mirrored, in sync, ignore, 3.10",
        restarts_a_side: true,
        claims: [NoLoss, NoLoss, NoLoss, Loss("wiped-on-rejoin")],
        ..MIRRORED
    },
    Row {
        name: "mirrored, in sync, autoheal, 3.10",
        broker: "cluster_partition_handling = \"autoheal\"\n",
        claims: [NoLoss, NoLoss, NoLoss, Loss("wiped-on-rejoin")],
        ..MIRRORED
    },
    Row {
        name: "mirrored, an unsynchronised mirror promoted",
        broker: "cluster_partition_handling = \"pause_minority\"\n",
        sections: "[[policy]]\npattern = \"orders\"\nha-mode = \"all\"\n",
        each_in_turn: true,
        claims: [Loss("wiped-on-rejoin"), Loss("wiped-on-rejoin"), Skip, Loss("wiped-on-rejoin")],
        ..MIRRORED
    },
    Row {
        name: "mirrored on n1 and n2, 3.7, both die",
        version: "3.7.28",
        sections: "[[policy]]\npattern = \"orders\"\nha-mode = \"nodes\"\nha-params = [\"n1\", \"n2\"]\n\
                   ha-sync-mode = \"automatic\"\nha-promote-on-failure = \"when-synced\"\n",
        publishers: [2, 2],
        pairs: true,
        claims: [Loss("queue-died-confirmed"), Skip, Skip, Skip],
        ..MIRRORED
    },
    Row {
        name: "the same, 3.10",
        sections: "[[policy]]\npattern = \"orders\"\nha-mode = \"nodes\"\nha-params = [\"n1\", \"n2\"]\n\
                   ha-sync-mode = \"automatic\"\nha-promote-on-failure = \"when-synced\"\n",
        publishers: [2, 2],
        pairs: true,
        claims: [NoLoss, Skip, Skip, Skip],
        ..MIRRORED
    },
    Row {
        name: "mirrored, faults before all are in sync again",
        broker: "cluster_partition_handling = \"pause_minority\"\n",
        sections: "[[policy]]\npattern = \"orders\"\nha-mode = \"all\"\n",
        apart: (2_000, 6_000),
        each_in_turn: true,
        claims: [Loss("wiped-on-rejoin"), Loss("wiped-on-rejoin"), Skip, Skip],
        ..MIRRORED
    },
];
