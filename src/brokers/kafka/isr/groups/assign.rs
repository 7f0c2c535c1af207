//! Assignors: how a group's leader, or with KIP-848 the coordinator, shares partitions out.

use std::collections::BTreeMap;

use crate::brokers::kafka::PartitionId;

use super::MemberId;

/// A `partition.assignment.strategy`, or with KIP-848 a `group.consumer.assignors`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assignor {
    /// RangeAssignor: consecutive partitions of each topic.
    Range,
    /// RoundRobinAssignor: one after the other.
    RoundRobin,
    /// StickyAssignor: even, with as few moves as may be; everything is given up first.
    Sticky,
    /// CooperativeStickyAssignor: the same, and what stays is not given up (KIP-429).
    CooperativeSticky,
}

impl Assignor {
    /// Whether members keep what they have while they join (`RebalanceProtocol.COOPERATIVE`).
    #[must_use]
    pub const fn is_cooperative(self) -> bool {
        matches!(self, Assignor::CooperativeSticky)
    }

    /// Whether members tell what they have.
    #[must_use]
    pub const fn is_sticky(self) -> bool {
        matches!(self, Assignor::Sticky | Assignor::CooperativeSticky)
    }
}

/// A member as an assignor sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Who.
    pub member: MemberId,
    /// What it subscribes to.
    pub topic: u32,
    /// What it had in the latest generation that the group knows of.
    pub owned: Vec<PartitionId>,
}

/// Who gets which of the partitions of each topic, by member in the order of their ids.
#[must_use]
pub fn share_out(
    assignor: Assignor,
    members: &[Subscriber],
    partitions: impl Fn(u32) -> Vec<PartitionId>,
) -> BTreeMap<MemberId, Vec<PartitionId>> {
    let mut shares: BTreeMap<MemberId, Vec<PartitionId>> =
        members.iter().map(|member| (member.member, Vec::new())).collect();
    let mut topics: Vec<u32> = members.iter().map(|member| member.topic).collect();
    topics.sort_unstable();
    topics.dedup();
    for topic in topics {
        let mut readers: Vec<&Subscriber> =
            members.iter().filter(|member| member.topic == topic).collect();
        readers.sort_by_key(|reader| reader.member);
        let all = partitions(topic);
        match assignor {
            Assignor::Range => range(&readers, &all, &mut shares),
            Assignor::RoundRobin => {
                for (index, partition) in all.iter().enumerate() {
                    give(&mut shares, readers[index % readers.len()].member, *partition);
                }
            }
            Assignor::Sticky | Assignor::CooperativeSticky => sticky(&readers, &all, &mut shares),
        }
    }
    if assignor.is_cooperative() {
        hold_back(members, &mut shares);
    }
    shares
}

type Shares = BTreeMap<MemberId, Vec<PartitionId>>;

fn give(shares: &mut Shares, member: MemberId, partition: PartitionId) {
    shares.entry(member).or_default().push(partition);
}

/// RangeAssignor.java, `assign`: the first members get one more each.
fn range(readers: &[&Subscriber], all: &[PartitionId], shares: &mut Shares) {
    let (each, more) = (all.len() / readers.len(), all.len() % readers.len());
    let mut rest = all.iter();
    for (index, reader) in readers.iter().enumerate() {
        let count = each + usize::from(index < more);
        for partition in rest.by_ref().take(count) {
            give(shares, reader.member, *partition);
        }
    }
}

/// AbstractStickyAssignor.java, `constrainedAssign`: members keep what they had up to their quota,
/// which is one more for as many as the remainder; the rest fills up who has least.
fn sticky(readers: &[&Subscriber], all: &[PartitionId], shares: &mut Shares) {
    let (least, mut more) = (all.len() / readers.len(), all.len() % readers.len());
    let mut taken: Vec<PartitionId> = Vec::new();
    let mut own: Vec<Vec<PartitionId>> = Vec::new();
    for reader in readers {
        let had = |partition: &&PartitionId| {
            all.binary_search(partition).is_ok() && !taken.contains(partition)
        };
        let mut had: Vec<PartitionId> = reader.owned.iter().filter(had).copied().collect();
        let quota = if had.len() > least && more > 0 {
            more -= 1;
            least + 1
        } else {
            least
        };
        had.truncate(quota);
        taken.extend(&had);
        own.push(had);
    }
    taken.sort_unstable();
    let mut rest = all.iter().filter(|partition| taken.binary_search(partition).is_err());
    for own in &mut own {
        let short = least.saturating_sub(own.len());
        own.extend(rest.by_ref().take(short));
    }
    let extra = own.iter_mut().filter(|own| own.len() == least);
    for (own, partition) in extra.zip(rest) {
        own.push(*partition);
    }
    for (reader, mut own) in readers.iter().zip(own) {
        own.sort_unstable();
        shares.entry(reader.member).or_default().append(&mut own);
    }
}

/// CooperativeStickyAssignor.java, `adjustAssignment`: what moves is given to nobody before the one
/// who has it has given it up.
fn hold_back(members: &[Subscriber], shares: &mut Shares) {
    let mut owner: BTreeMap<PartitionId, MemberId> = BTreeMap::new();
    for member in members {
        for partition in &member.owned {
            owner.insert(*partition, member.member);
        }
    }
    for (member, own) in shares.iter_mut() {
        own.retain(|partition| owner.get(partition).is_none_or(|had| had == member));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::ConsumerId;

    fn id(client: u32) -> MemberId {
        MemberId { client: ConsumerId(client), unique: 0 }
    }

    /// Members 0, 1, ... with what they had, and seven partitions.
    fn shares(assignor: Assignor, had: &[&[u32]]) -> Vec<Vec<u32>> {
        let members: Vec<Subscriber> = had
            .iter()
            .enumerate()
            .map(|(client, owned)| Subscriber {
                member: id(client as u32),
                topic: 0,
                owned: owned.iter().map(|p| PartitionId(*p)).collect(),
            })
            .collect();
        let shares = share_out(assignor, &members, |_| (0..7).map(PartitionId).collect());
        shares.values().map(|own| own.iter().map(|p| p.0).collect()).collect()
    }

    #[test]
    fn range_gives_neighbours_and_round_robin_does_not() {
        assert_eq!(
            shares(Assignor::Range, &[&[], &[], &[]]),
            [vec![0, 1, 2], vec![3, 4], vec![5, 6]]
        );
        let round = shares(Assignor::RoundRobin, &[&[], &[], &[]]);
        assert_eq!(round, [vec![0, 3, 6], vec![1, 4], vec![2, 5]]);
    }

    #[test]
    fn sticky_moves_as_little_as_may_be() {
        let had: [&[u32]; 3] = [&[0, 1, 2, 3], &[4, 5, 6], &[]];
        let new = shares(Assignor::Sticky, &had);
        assert_eq!(new, [vec![0, 1, 2], vec![4, 5], vec![3, 6]]);
        let gone = shares(Assignor::Sticky, &[&[0, 1, 2], &[3, 4]]);
        // Who has less than all others comes first, then who had as many before (AbstractStickyAssignor.java,
        // `ConstrainedAssignmentBuilder.build`).
        assert_eq!(gone, [vec![0, 1, 2, 6], vec![3, 4, 5]]);
    }

    #[test]
    fn what_moves_is_given_up_first_where_members_cooperate() {
        let had: [&[u32]; 3] = [&[0, 1, 2, 3], &[4, 5, 6], &[]];
        let new = shares(Assignor::CooperativeSticky, &had);
        assert_eq!(new, [vec![0, 1, 2], vec![4, 5], vec![]]);
    }

    #[test]
    fn every_partition_goes_to_one_member() {
        for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky] {
            for had in [vec![&[][..]; 9], vec![&[0, 1][..], &[1, 2], &[6], &[6, 5]]] {
                let mut all: Vec<u32> = shares(assignor, &had).into_iter().flatten().collect();
                all.sort_unstable();
                assert_eq!(all, [0, 1, 2, 3, 4, 5, 6], "{assignor:?}");
            }
        }
    }
}
