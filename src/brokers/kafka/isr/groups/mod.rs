//! Consumer groups: what brokers and consumers both know of them.
//!
//! | file | what it has |
//! | --- | --- |
//! | `mod.rs` | which groups there are, and where their coordinators are |
//! | `message.rs` | requests to a coordinator and its answers |
//! | `record.rs` | what a coordinator writes to `__consumer_offsets` |
//! | `assign.rs` | how the partitions are shared out |
//! | `settings.rs` | the brokers' keys |
//!
//! A coordinator is `broker/coordinator/`, a member `client/group/`.

mod assign;
mod message;
mod record;
mod settings;

use crate::brokers::kafka::PartitionId;
use crate::engine::Span;
use crate::observe::{ConsumerId, DestinationId};

pub use assign::{Assignor, Subscriber, share_out};
pub use message::{
    Beat, GroupRequest, GroupResponse, Identity, Join, Joined, Offered, Owned, Protocol,
};
pub use record::{MemberRecord, OffsetsRecord, Position};
pub use settings::{GROUP_KEYS, GroupSettings};

/// The topic in which coordinators keep what they know (Topic.java, GROUP_METADATA_TOPIC_NAME).
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// A group among those of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

impl GroupId {
    /// As an index into a dense table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// `member.id`: the client's id, and what makes it unique (a UUID in Kafka). Members sort by the
/// client first, as they do in Kafka with a `client.id` of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId {
    /// Which client.
    pub client: ConsumerId,
    /// Which of its ids.
    pub unique: u32,
}

/// A group of the scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `group.id`.
    pub name: String,
    /// The partition of [`OFFSETS_TOPIC`] that has its records.
    pub partition: PartitionId,
    /// Which protocol its members speak.
    pub protocol: Protocol,
    /// A destination that stands for it where people are told of it.
    pub told_of: Option<DestinationId>,
    /// Its members when the run starts, by client, and what each subscribes to.
    pub first: Vec<FirstMember>,
}

/// A member that has been there for long when the run starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstMember {
    /// Its id.
    pub id: MemberId,
    /// Whether it has a `group.instance.id`.
    pub instance: bool,
    /// What it subscribes to.
    pub topic: u32,
    /// Its session time-out.
    pub session: Span,
    /// Its rebalance time-out.
    pub rebalance: Span,
    /// Its assignors.
    pub assignors: Vec<Assignor>,
    /// It assigns partitions to itself, and is no member: it only commits.
    pub alone: bool,
    /// What is assigned to it.
    pub assignment: Vec<PartitionId>,
}

/// The groups of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// They.
    pub all: Vec<Group>,
    /// The topic that has their records, by place among the topics; none without groups.
    pub topic: Option<u32>,
}

impl Groups {
    /// What is known of a group.
    #[must_use]
    pub fn get(&self, group: GroupId) -> &Group {
        &self.all[group.index()]
    }

    /// Those whose records a partition has.
    pub fn of(&self, partition: PartitionId) -> impl Iterator<Item = (GroupId, &Group)> {
        let all = (0..).map(GroupId).zip(&self.all);
        all.filter(move |(_, group)| group.partition == partition)
    }
}

/// The place of a group's partition: `Utils.abs(group.hashCode) % count`
/// (GroupMetadataManager.scala, `partitionFor`; String.java, `hashCode`).
#[must_use]
pub fn partition_for(group: &str, count: u32) -> u32 {
    let hash = group.encode_utf16();
    let hash = hash.fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    (hash & i32::MAX) as u32 % count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_groups_partition_is_that_of_javas_hash() {
        // "group".hashCode() is 98629247, "test" 3556498, "console-consumer-1234" is negative.
        assert_eq!(partition_for("group", 50), 47);
        assert_eq!(partition_for("test", 50), 48);
        assert_eq!(partition_for("group", 1), 0);
    }
}
