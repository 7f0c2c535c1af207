//! What replicas say to each other and to themselves.

use std::sync::Arc;

use crate::observe::NodeId;

use super::log::{Batch, Epoch, Offset, OffsetAndEpoch, Snapshot};

/// What goes over connections and comes back from timers and disk. 16 bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Message<R> {
    /// To a voter.
    Request(u32, Box<Request>),
    /// Its answer.
    Response(u32, Box<Response<R>>),
    /// To itself: the process has booted.
    Start,
    /// To itself: something is due. Which of its timers it is.
    Tick(u32),
    /// To itself: something was asked for.
    Wake,
    /// To itself: an fsync is through.
    Synced,
}

/// A request (KIP-595, KIP-630).
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// `Vote`.
    Vote {
        /// The epoch in which it would lead.
        epoch: Epoch,
        /// Who wants to.
        candidate: NodeId,
        /// The end of its log.
        last: OffsetAndEpoch,
        /// Only whether it would get the vote, in the epoch in which it is (KIP-996).
        pre_vote: bool,
    },
    /// `BeginQuorumEpoch`.
    BeginQuorumEpoch {
        /// The epoch.
        epoch: Epoch,
        /// Who leads in it.
        leader: NodeId,
    },
    /// `EndQuorumEpoch`.
    EndQuorumEpoch {
        /// The epoch that ends.
        epoch: Epoch,
        /// Who led in it.
        leader: NodeId,
        /// Who should follow, best first.
        successors: Vec<NodeId>,
    },
    /// `Fetch`: asks for what is behind `offset`, and acknowledges what is before it.
    Fetch(Fetch),
    /// `FetchSnapshot`.
    FetchSnapshot {
        /// The epoch in which the replica is.
        epoch: Epoch,
        /// Who asks.
        replica: NodeId,
        /// Which snapshot.
        id: OffsetAndEpoch,
        /// From which byte on.
        position: u64,
    },
}

/// The body of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// `CurrentLeaderEpoch`.
    pub epoch: Epoch,
    /// Who asks.
    pub replica: NodeId,
    /// `FetchOffset`: the end of its log.
    pub offset: Offset,
    /// `LastFetchedEpoch`: of the last record in its log.
    pub last_epoch: Epoch,
    /// The high watermark that it knows (KIP-1166); 0 for none.
    pub high_watermark: Offset,
}

impl Request {
    /// Its size on the wire, framing and request header included.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        match self {
            Request::Vote { .. } | Request::FetchSnapshot { .. } => 160,
            Request::BeginQuorumEpoch { .. } | Request::Fetch(_) => 140,
            Request::EndQuorumEpoch { successors, .. } => 140 + 20 * successors.len() as u32,
        }
    }
}

/// Why a request was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The sender's epoch is older than the receiver's.
    FencedLeaderEpoch,
    /// The sender's epoch is newer than the receiver's.
    UnknownLeaderEpoch,
    /// The receiver does not lead.
    NotLeaderOrFollower,
    /// The receiver is about to stop.
    BrokerNotAvailable,
    /// There is no such snapshot.
    SnapshotNotFound,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Response<R> {
    /// The epoch in which the one who answers is.
    pub epoch: Epoch,
    /// Who leads in it, if it knows.
    pub leader: Option<NodeId>,
    /// Why it was not served.
    pub error: Option<Error>,
    /// What was asked for.
    pub answer: Answer<R>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer<R> {
    /// To `Vote`.
    Vote {
        /// Whether the candidate has the vote.
        granted: bool,
    },
    /// To `BeginQuorumEpoch`.
    BeginQuorumEpoch,
    /// To `EndQuorumEpoch`.
    EndQuorumEpoch,
    /// To `Fetch`.
    Fetch {
        /// What was found.
        found: Found<R>,
        /// The leader's high watermark, if it knows one.
        high_watermark: Option<Offset>,
    },
    /// To `FetchSnapshot`.
    FetchSnapshot {
        /// How many bytes this answer carries.
        bytes: u64,
        /// With its last bytes, the snapshot.
        last: Option<Arc<Snapshot<R>>>,
    },
}

/// What a fetch found.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<R> {
    /// Batches behind the offset; none if there are none.
    Batches(Vec<Arc<Batch<R>>>),
    /// `DivergingEpoch`.
    Diverging(OffsetAndEpoch),
    /// `SnapshotId`.
    Snapshot(OffsetAndEpoch),
}

impl<R> Response<R> {
    /// Its size on the wire, framing and response header included.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        match &self.answer {
            Answer::Fetch { found: Found::Batches(batches), .. } => {
                100 + batches.iter().map(|batch| batch.bytes).sum::<u32>()
            }
            Answer::FetchSnapshot { bytes, .. } => 100 + *bytes as u32,
            _ => 100,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_small() {
        assert!(size_of::<Message<[u64; 20]>>() <= 16);
    }
}
