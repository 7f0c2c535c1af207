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
//! (KIP-966), which is told as that and as nothing else; and after the return of a broker whose
//! absence nobody could notice (ZooKeeper; KRaft before KIP-841 and KIP-903), which is told as
//! `unclean-exclusion`.
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

macro_rules! invariants {
    ($($name:ident = $word:literal, $meaning:literal;)*) => {
        /// An invariant: its place in [`WORDS`] is its id.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Invariant {
            $(#[doc = $meaning] $name,)*
        }

        const ALL: &[Invariant] = &[$(Invariant::$name,)*];

        /// All of them, as claimed by the latest version in its default configuration.
        pub const WORDS: &[InvariantWord] = &[
            $(InvariantWord { name: $word, meaning: $meaning, claimed: true },)*
        ];
    };
}

// HS: hachikuji/kafka-specification (TLA+). VT: Vanlightly/kafka-tlaplus, kraft/v3.5 and kip-966.
// RES: Kafka's own RaftEventSimulationTest.java.
invariants! {
    TypeOk = "type-ok",
        "Offsets and epochs of a replica are in their order: what is on the disk, the high \
         watermark and the epochs' beginnings lie within the log (TypeOk, ValidReplicaState).";
    WeakIsr = "weak-isr",
        "Whoever is in the ISR of a leader, as that leader knows it, has what is below the \
         leader's high watermark (HS WeakIsr).";
    StrongIsr = "strong-isr",
        "Whoever is in the ISR, as the controller has decided, has what is below the high \
         watermark of whoever believes to lead (HS StrongIsr).";
    LeaderInIsr = "leader-in-isr",
        "The leader of a partition is in its ISR (HS LeaderInIsr).";
    ValidHighWatermark = "valid-high-watermark",
        "The high watermark of the leader is not beyond the end of a member of the ISR (HS \
         AsyncIsr, ValidHighWatermark).";
    LeaderCandidateCompleteness = "leader-candidate-completeness",
        "Every member of the ISR and of the eligible leader replicas has all that is committed \
         (VT LeaderCandidateCompleteness).";
    LeaderCompleteness = "leader-completeness",
        "The elected leader has all that is committed (VT LeaderCompleteness).";
    LogMatching = "log-matching",
        "Below its high watermark a replica has the records that were committed (VT LogMatching).";
    ReplicationQuorumSuperset = "replication-quorum-superset",
        "The maximal ISR of the leader contains the ISR that the controller has decided, and the \
         eligible leader replicas (VT ReplicationQuorumSuperset).";
    ConsistentRead = "consistent-read",
        "What a leader once let consumers read, the leader of the newest epoch has at the same \
         offset (VT ConsistentRead).";
    NoCommittedRecordLostGlobally = "no-committed-record-lost-globally",
        "Some replica has all that is committed, if fewer than min.insync.replicas lost records \
         (VT NoCommittedRecordLostGlobally).";
    ValidControllerState = "valid-controller-state",
        "A fenced broker is in no ISR, but as the last one (VT ValidControllerState).";
    ValidControllerIsrAndElr = "valid-controller-isr-and-elr",
        "ISR and eligible leader replicas are replicas, no broker is both, and there are none of \
         the latter while the ISR is large enough (VT ValidControllerIsrAndElr).";
    UncleanExclusion = "unclean-exclusion",
        "A replica that came back with less than it had is no leader, no member of the ISR and no \
         eligible leader until it has caught up (VT kip-966).";
    LastReplicaStanding = "last-replica-standing",
        "The last member of an ISR comes back with all that was committed (KIP-966).";
    ValidFetcherState = "valid-fetcher-state",
        "A replica fetches from one leader at most, and from none while it leads (VT \
         ValidFetcherState).";
    AppliedHwMonotonic = "applied-hw-monotonic",
        "No leader answers where the end is, or lets a replica into the ISR, by a high watermark \
         below what was committed already (VT kip-966).";
    EpochMonotonic = "epoch-monotonic",
        "Leader epochs and partition epochs never decrease, at the controller and at a broker, and \
         in a log they ascend.";
    UniqueLeaderPerEpoch = "unique-leader-per-epoch",
        "One broker at most appends records in a leader epoch.";
    MetadataLogMatching = "metadata-log-matching",
        "What a broker has read of the metadata log is what is committed in it (VT \
         MetadataLogMatching).";
    MonotonicEpoch = "monotonic-epoch",
        "The epoch that a controller has written down never decreases, and is the one it is in \
         (RES MonotonicEpoch).";
    MonotonicHighWatermark = "monotonic-high-watermark",
        "The high watermark of the quorum's leader with the highest epoch never decreases (RES \
         MonotonicHighWatermark).";
    MajorityReachedHighWatermark = "majority-reached-high-watermark",
        "The logs of a majority of controllers reach to their leader's high watermark (RES \
         MajorityReachedHighWatermark).";
    SingleLeader = "single-leader",
        "Controllers that have written down a leader of the highest epoch have written down the \
         same (RES SingleLeader).";
    SnapshotAtLogStart = "snapshot-at-log-start",
        "A metadata log that does not start at 0 starts where a snapshot ends (RES \
         SnapshotAtLogStart).";
    LeaderNeverLoadSnapshot = "leader-never-load-snapshot",
        "A controller that leads loads no snapshot (RES LeaderNeverLoadSnapshot).";
    ConsistentCommittedData = "consistent-committed-data",
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

/// The invariants of a run, with those claimed that its version and configuration promise.
#[must_use]
pub fn words(config: &Config) -> Vec<InvariantWord> {
    let claims = Claims::new(config);
    let words = ALL.iter().zip(WORDS);
    words.map(|(which, word)| InvariantWord { claimed: claims.has(*which), ..*word }).collect()
}

/// What the rules that hold promise.
struct Claims<'a> {
    config: &'a Config,
    kraft: bool,
    /// Elections are clean, logs are cut where they part, and nobody joins an ISR too early.
    replicates: bool,
}

impl Claims<'_> {
    fn new(config: &Config) -> Claims<'_> {
        let kraft = config.metadata == Metadata::Kraft;
        let clean = !config.has(Rule::UncleanElectionAlways)
            && config.has(Rule::KeepLastIsrMember)
            && !config.topics.iter().any(|topic| topic.unclean);
        // KIP-101, KIP-279, KIP-320 and KAFKA-7128: the theorems of HS `Kip320` begin here. A
        // broker that is back before anybody has noticed is told from its former self by its epoch
        // (KIP-380; with KRaft it cannot register before).
        let logs = config.has(Rule::TruncateByEpoch)
            && config.has(Rule::EpochEndNamesEpoch)
            && config.has(Rule::FenceByLeaderEpoch)
            && config.has(Rule::JoinAtEpochStart);
        Claims { config, kraft, replicates: clean && logs && config.has(Rule::BrokerEpochs) }
    }

    fn has(&self, invariant: Invariant) -> bool {
        let has = |rule| self.config.has(rule);
        let elr = has(Rule::EligibleLeaderReplicas);
        match invariant {
            Invariant::TypeOk
            | Invariant::LeaderInIsr
            | Invariant::ValidFetcherState
            | Invariant::EpochMonotonic
            | Invariant::UniqueLeaderPerEpoch => true,
            Invariant::WeakIsr
            | Invariant::StrongIsr
            | Invariant::LeaderCandidateCompleteness
            | Invariant::LeaderCompleteness
            | Invariant::LogMatching
            | Invariant::ConsistentRead => self.replicates,
            // Before KAFKA-15583 the high watermark moves with one member of the ISR, whose loss is
            // that of all.
            Invariant::NoCommittedRecordLostGlobally => {
                self.replicates && has(Rule::FreezeHwBelowMinIsr)
            }
            Invariant::ValidHighWatermark => self.replicates && has(Rule::MaximalIsr),
            Invariant::ReplicationQuorumSuperset => self.kraft && has(Rule::MaximalIsr),
            // Before KIP-841 a leader lets a fenced broker in again.
            Invariant::ValidControllerState => self.kraft && has(Rule::JoinIfEligible),
            Invariant::ValidControllerIsrAndElr => elr,
            // With KRaft a broker registers only when its former self is fenced, and so in no ISR;
            // KIP-841 and KIP-903 keep leaders from bringing it back too early.
            Invariant::UncleanExclusion => {
                self.replicates
                    && self.kraft
                    && has(Rule::JoinIfEligible)
                    && has(Rule::JoinWithBrokerEpoch)
                    && (!elr || has(Rule::DetectUncleanShutdown))
            }
            Invariant::LastReplicaStanding => {
                elr && has(Rule::DetectUncleanShutdown) && has(Rule::FreezeHwBelowMinIsr)
            }
            Invariant::AppliedHwMonotonic => self.replicates && has(Rule::OffsetNotAvailable),
            Invariant::MetadataLogMatching
            | Invariant::MonotonicEpoch
            | Invariant::MonotonicHighWatermark
            | Invariant::MajorityReachedHighWatermark
            | Invariant::SingleLeader
            | Invariant::SnapshotAtLogStart
            | Invariant::LeaderNeverLoadSnapshot
            | Invariant::ConsistentCommittedData => self.kraft,
        }
    }
}
