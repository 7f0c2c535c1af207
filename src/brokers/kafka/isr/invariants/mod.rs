//! What must always be so, looked at after every event that can change it.
//!
//! | file | what it looks at |
//! | --- | --- |
//! | `oracle.rs` | what was touched, and whom that concerns |
//! | `data.rs`, `judge.rs` | logs, high watermarks and leaders of a partition |
//! | `control.rs` | what the controller has decided: the authority |
//! | `quorum.rs` | the controller quorum and the brokers' copies of its log |
//!
//! **What is committed** (True HW) no broker knows: the oracle does. It is what a leader was first
//! seen with below its high watermark, kept as a log by itself, the *truth*. Of each replica it
//! remembers up to where it was compared with the truth, so every record is compared once a
//! replica, however often it is looked at.
//!
//! **Whose word counts**: the state that is committed in the metadata log, or in ZooKeeper's tree,
//! as the first of their servers has it. A replica *runs* when its process does and has been told a
//! state since it started.
//!
//! **What is forgiven**: an unclean election that the topic allows, and the loss of so many
//! replicas' records that none may be left (`min.insync.replicas` of them at once). What the next
//! leader has is the truth then. The same after a last replica standing that came back with less
//! (KIP-966), which is told as that and as nothing else; and after the return of a broker that lost
//! records and whose absence nobody noticed (see `Replicated::unnoticed`), which is told as
//! `unclean-exclusion`: the specifications know no broker that comes back with less.
//!
//! **Cost**: see [`Oracle`].

mod control;
mod data;
mod judge;
mod oracle;
mod quorum;

use crate::observe::{InvariantId, InvariantWord};

use super::config::{Config, Metadata};
use super::rules::Rule;

pub use oracle::Oracle;

/// What an invariant rests on.
struct Need {
    /// The name under which people find it.
    name: &'static str,
    met: fn(&Config) -> bool,
}

macro_rules! needs {
    ($($need:ident = $name:literal, $met:expr;)*) => {
        $(const $need: Need = Need { name: $name, met: $met };)*
    };
}

needs! {
    // Nobody may lead but a member of the ISR, as long as there is one.
    CLEAN = "unclean.leader.election.enable = false", |config| {
        !config.has(Rule::UncleanElectionAlways)
            && config.has(Rule::KeepLastIsrMember)
            && !config.topics.iter().any(|topic| topic.unclean)
    };
    // Logs are cut where they part.
    KIP_101 = "KIP-101", |config| config.has(Rule::TruncateByEpoch);
    KIP_279 = "KIP-279", |config| config.has(Rule::EpochEndNamesEpoch);
    KIP_320 = "KIP-320", |config| config.has(Rule::FenceByLeaderEpoch);
    // Nobody joins an ISR without what an earlier leader committed.
    KAFKA_7128 = "KAFKA-7128", |config| config.has(Rule::JoinAtEpochStart);
    // A broker that is back before the controller has noticed is told from its former self.
    KIP_380 = "KIP-380", |config| config.has(Rule::BrokerEpochs);
    KIP_207 = "KIP-207", |config| config.has(Rule::OffsetNotAvailable);
    KIP_497 = "KIP-497", |config| config.has(Rule::MaximalIsr);
    // The controller quorum: a broker registers only when its former self is fenced.
    KIP_631 = "KIP-631", |config| config.metadata == Metadata::Kraft;
    KIP_595 = "KIP-595", |config| config.metadata == Metadata::Kraft;
    // Before, a leader lets a fenced broker in again, and one by what its former self fetched.
    KIP_841 = "KIP-841", |config| config.has(Rule::JoinIfEligible);
    KIP_903 = "KIP-903", |config| config.has(Rule::JoinWithBrokerEpoch);
    KIP_966 = "KIP-966", |config| config.has(Rule::EligibleLeaderReplicas);
    KAFKA_15583 = "KAFKA-15583", |config| config.has(Rule::FreezeHwBelowMinIsr);
    // Of no account without eligible leader replicas.
    KAFKA_15586 = "KAFKA-15586", |config| {
        config.has(Rule::DetectUncleanShutdown) || !config.has(Rule::EligibleLeaderReplicas)
    };
}

macro_rules! invariants {
    ($($name:ident = $word:literal, [$($need:ident),*], $meaning:literal;)*) => {
        /// An invariant: its place in [`WORDS`] is its id.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Invariant {
            $(#[doc = $meaning] $name,)*
        }

        /// All of them, as claimed by the latest version in its default configuration.
        pub const WORDS: &[InvariantWord] = &[
            $(InvariantWord {
                name: $word,
                meaning: $meaning,
                rests_on: &[$($need.name),*],
                lacks: Vec::new(),
            },)*
        ];

        /// What each of them rests on.
        const NEEDS: &[&[Need]] = &[$(&[$($need),*],)*];
    };
}

// HS: hachikuji/kafka-specification (TLA+). VT: Vanlightly/kafka-tlaplus, kraft/v3.5 and kip-966.
// RES: Kafka's own RaftEventSimulationTest.java.
invariants! {
    TypeOk = "type-ok", [],
        "Offsets and epochs of a replica are in their order: what is on the disk, the high \
         watermark and the epochs' beginnings lie within the log (TypeOk, ValidReplicaState).";
    WeakIsr = "weak-isr", [CLEAN, KIP_101, KIP_279, KIP_320, KAFKA_7128, KIP_380],
        "Whoever is in the ISR of a leader, as that leader knows it, has what is below the \
         leader's high watermark (HS WeakIsr).";
    StrongIsr = "strong-isr", [CLEAN, KIP_101, KIP_279, KIP_320, KAFKA_7128, KIP_380],
        "Whoever is in the ISR, as the controller has decided, has what is below the high \
         watermark of whoever believes to lead (HS StrongIsr).";
    LeaderInIsr = "leader-in-isr", [],
        "The leader of a partition is in its ISR (HS LeaderInIsr).";
    ValidHighWatermark = "valid-high-watermark", [CLEAN, KIP_101, KIP_279, KIP_320, KAFKA_7128, KIP_380, KIP_497],
        "The high watermark of the leader is not beyond the end of a member of the ISR (HS \
         AsyncIsr, ValidHighWatermark).";
    LeaderCandidateCompleteness = "leader-candidate-completeness", [CLEAN, KIP_101, KIP_279, KIP_320, KAFKA_7128, KIP_380],
        "Every member of the ISR and of the eligible leader replicas has all that is committed \
         (VT LeaderCandidateCompleteness).";
    LeaderCompleteness = "leader-completeness", [CLEAN, KIP_101, KIP_279, KIP_320, KAFKA_7128, KIP_380],
        "The elected leader has all that is committed (VT LeaderCompleteness).";
    LogMatching = "log-matching", [CLEAN, KIP_101, KIP_279, KIP_320, KAFKA_7128, KIP_380],
        "Below its high watermark a replica has the records that were committed, and the leader \
         epochs in its log ascend (VT LogMatching).";
    ReplicationQuorumSuperset = "replication-quorum-superset", [KIP_631, KIP_497],
        "The maximal ISR of the leader contains the ISR that the controller has decided, and the \
         eligible leader replicas (VT ReplicationQuorumSuperset).";
    ConsistentRead = "consistent-read", [CLEAN, KIP_101, KIP_279, KIP_320, KAFKA_7128, KIP_380],
        "What a leader once let consumers read, the leader of the newest epoch has at the same \
         offset (VT ConsistentRead).";
    NoCommittedRecordLostGlobally = "no-committed-record-lost-globally", [CLEAN, KIP_101, KIP_279, KIP_320, KAFKA_7128, KIP_380],
        "Some replica has all that was committed by min.insync.replicas members of the ISR, if fewer \
         lost records (VT NoCommittedRecordLostGlobally).";
    ValidControllerState = "valid-controller-state", [KIP_631, KIP_841],
        "A fenced broker is in no ISR, but as the last one (VT ValidControllerState).";
    ValidControllerIsrAndElr = "valid-controller-isr-and-elr", [KIP_966],
        "ISR and eligible leader replicas are replicas, no broker is both, and there are none of \
         the latter while the ISR is large enough (VT ValidControllerIsrAndElr).";
    UncleanExclusion = "unclean-exclusion", [CLEAN, KIP_101, KIP_279, KIP_320, KAFKA_7128, KIP_380, KIP_631, KIP_841, KIP_903, KAFKA_15586],
        "A replica that came back with less than it had is no leader, no member of the ISR and no \
         eligible leader until it has caught up (VT kip-966).";
    LastReplicaStanding = "last-replica-standing", [KAFKA_15583, KAFKA_15586, KIP_966],
        "The last member of an ISR comes back with all that was committed (KIP-966).";
    ValidFetcherState = "valid-fetcher-state", [],
        "A replica fetches from one leader at most, and from none while it leads (VT \
         ValidFetcherState).";
    AppliedHwMonotonic = "applied-hw-monotonic", [CLEAN, KIP_101, KIP_279, KIP_320, KAFKA_7128, KIP_380, KIP_207],
        "No leader answers where the end is, or lets a replica into the ISR, by a high watermark \
         below what was committed already (VT kip-966).";
    EpochMonotonic = "epoch-monotonic", [],
        "Leader epochs and partition epochs never decrease, at the controller and at a broker, and \
         ascend in what a broker notes of its log.";
    UniqueLeaderPerEpoch = "unique-leader-per-epoch", [],
        "One broker at most appends records in a leader epoch.";
    MetadataLogMatching = "metadata-log-matching", [KIP_595],
        "What a broker has read of the metadata log is what is committed in it (VT \
         MetadataLogMatching).";
    MonotonicEpoch = "monotonic-epoch", [KIP_595],
        "The epoch that a controller has written down never decreases, and is the one it is in \
         (RES MonotonicEpoch).";
    MonotonicHighWatermark = "monotonic-high-watermark", [KIP_595],
        "The high watermark of the quorum's leader with the highest epoch never decreases (RES \
         MonotonicHighWatermark).";
    MajorityReachedHighWatermark = "majority-reached-high-watermark", [KIP_595],
        "The logs of a majority of controllers reach to their leader's high watermark (RES \
         MajorityReachedHighWatermark).";
    SingleLeader = "single-leader", [KIP_595],
        "Controllers that have written down a leader of the highest epoch have written down the \
         same (RES SingleLeader).";
    SnapshotAtLogStart = "snapshot-at-log-start", [KIP_595],
        "A metadata log that does not start at 0 starts where a snapshot ends (RES \
         SnapshotAtLogStart).";
    LeaderNeverLoadSnapshot = "leader-never-load-snapshot", [KIP_595],
        "A controller that leads loads no snapshot (RES LeaderNeverLoadSnapshot).";
    ConsistentCommittedData = "consistent-committed-data", [KIP_595],
        "At each offset below a high watermark all controllers have the same record (RES \
         ConsistentCommittedData).";
}

impl Invariant {
    /// Its id.
    #[must_use]
    pub const fn id(self) -> InvariantId {
        InvariantId(self as u32)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        WORDS[self as usize].name
    }

    /// Its place among the bits of those that are broken at present.
    const fn bit(self) -> u64 {
        1 << self as u32
    }
}

/// The invariants of a run, with what its version and configuration lack for them.
#[must_use]
pub fn words(config: &Config) -> Vec<InvariantWord> {
    let lacks = |needs: &&[Need]| {
        needs.iter().filter(|need| !(need.met)(config)).map(|need| need.name).collect()
    };
    let words = WORDS.iter().zip(NEEDS);
    words.map(|(word, needs)| InvariantWord { lacks: lacks(needs), ..word.clone() }).collect()
}
