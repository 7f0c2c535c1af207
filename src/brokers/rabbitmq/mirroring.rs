//! How a policy mirrors a queue, and which nodes that comes to.

use crate::engine::Stream;
use crate::observe::NodeId;

/// `ha-mode` with its `ha-params`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HaMode {
    /// A replica on every node.
    All,
    /// So many replicas, the leader among them.
    Exactly(u32),
    /// Replicas on these nodes, in the order of the policy.
    Nodes(Vec<NodeId>),
}

/// What a policy says of a mirrored queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirroring {
    /// `ha-mode`.
    pub mode: HaMode,
    /// `ha-sync-mode = automatic`.
    pub automatic_sync: bool,
    /// `ha-sync-batch-size`.
    pub sync_batch_size: u32,
    /// `ha-promote-on-shutdown = always`.
    pub promote_on_shutdown_always: bool,
    /// `ha-promote-on-failure = always`.
    pub promote_on_failure_always: bool,
}

impl Mirroring {
    /// The nodes that should hold the queue, leader and mirrors, given where it is now and which
    /// nodes run (rabbit_mirror_queue_mode_{all,exactly,nodes}.erl v3.10:
    /// `suggested_queue_nodes`).
    pub fn suggested(
        &self,
        leader: NodeId,
        mirrors: &[NodeId],
        synchronised: &[NodeId],
        running: &[NodeId],
        stream: &mut Stream,
    ) -> (NodeId, Vec<NodeId>) {
        match &self.mode {
            HaMode::All => (leader, without(running, &[leader])),
            HaMode::Exactly(replicas) => {
                let count = (*replicas as usize).saturating_sub(1);
                let mut kept = mirrors.to_vec();
                if count > kept.len() {
                    let mut candidates = without(&without(running, &[leader]), mirrors);
                    stream.shuffle(&mut candidates);
                    kept.extend(candidates);
                }
                kept.truncate(count);
                (leader, kept)
            }
            HaMode::Nodes(listed) => suggested_of_listed(listed, leader, synchronised, running),
        }
    }

    /// The replicas of a queue that has just been declared on `home`: leader, then mirrors in the
    /// order of their joining.
    ///
    /// rabbit_mirror_queue_master.erl v3.10 `init_with_existing_bq`: mirrors are added one after
    /// the other, and an empty one is synchronised at once. A leader that the policy does not list
    /// goes then (`maybe_drop_master_after_sync`), and the oldest mirror takes over.
    pub fn at_declaration(
        &self,
        home: NodeId,
        running: &[NodeId],
        stream: &mut Stream,
    ) -> (NodeId, Vec<NodeId>) {
        let (_, mut mirrors) = self.suggested(home, &[], &[], running, stream);
        let Some(&first) = mirrors.first() else { return (home, mirrors) };
        let (desired, _) = self.suggested(home, &mirrors, &[first], running, stream);
        if desired == home { (home, mirrors) } else { (mirrors.remove(0), mirrors) }
    }

    /// The most replicas that the policy makes in a cluster of so many nodes.
    #[must_use]
    pub fn replicas(&self, nodes: u32) -> u32 {
        match &self.mode {
            HaMode::All => nodes,
            HaMode::Exactly(replicas) => nodes.min(*replicas),
            // With a leader that is not listed, until it has gone.
            HaMode::Nodes(listed) => nodes.min(listed.len() as u32 + 1),
        }
    }
}

/// `ha-mode = nodes`: a leader that is not listed stays while no mirror is synchronised, lest
/// messages be lost; once one is, it is to go.
fn suggested_of_listed(
    listed: &[NodeId],
    leader: NodeId,
    synchronised: &[NodeId],
    running: &[NodeId],
) -> (NodeId, Vec<NodeId>) {
    let mut wanted = listed.to_vec();
    if synchronised.is_empty() {
        wanted.push(leader);
        wanted.sort_unstable();
        wanted.dedup();
    }
    wanted.retain(|node| running.contains(node));
    if wanted.is_empty() {
        return (leader, Vec::new());
    }
    if wanted.contains(&leader) {
        let mirrors = without(&wanted, &[leader]);
        return (leader, mirrors);
    }
    let in_sync = wanted.iter().find(|node| synchronised.contains(node));
    let next = in_sync.or(synchronised.first()).copied().unwrap_or(leader);
    let mirrors = without(&wanted, &[next]);
    (next, mirrors)
}

/// Erlang's `--` on lists without duplicates.
pub fn without(nodes: &[NodeId], those: &[NodeId]) -> Vec<NodeId> {
    nodes.iter().copied().filter(|node| !those.contains(node)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(numbers: &[u32]) -> Vec<NodeId> {
        numbers.iter().copied().map(NodeId).collect()
    }

    fn policy(mode: HaMode) -> Mirroring {
        Mirroring {
            mode,
            automatic_sync: false,
            sync_batch_size: 4096,
            promote_on_shutdown_always: false,
            promote_on_failure_always: true,
        }
    }

    fn stream() -> Stream {
        Stream::fixed(1, "mirrors")
    }

    #[test]
    fn exactly_keeps_the_mirrors_it_has_and_adds_what_is_missing_at_random() {
        let policy = policy(HaMode::Exactly(3));
        let running = nodes(&[0, 1, 2, 3, 4]);
        let mut seen = Vec::new();
        let mut stream = stream();
        for _ in 0..100 {
            let (leader, mirrors) =
                policy.suggested(NodeId(0), &nodes(&[3]), &[], &running, &mut stream);
            assert_eq!((leader, mirrors[0], mirrors.len()), (NodeId(0), NodeId(3), 2));
            seen.push(mirrors[1]);
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, nodes(&[1, 2, 4]), "any other node, and no more");
    }

    #[test]
    fn exactly_does_not_take_back_a_node_that_was_replaced() {
        let policy = policy(HaMode::Exactly(2));
        let possible = nodes(&[0, 2, 1]);
        let (_, mirrors) = policy.suggested(NodeId(0), &nodes(&[2]), &[], &possible, &mut stream());
        assert_eq!(mirrors, nodes(&[2]));
    }

    #[test]
    fn exactly_makes_do_with_fewer_nodes() {
        let policy = policy(HaMode::Exactly(5));
        let (_, mirrors) = policy.suggested(NodeId(1), &[], &[], &nodes(&[0, 1]), &mut stream());
        assert_eq!((mirrors, policy.replicas(2)), (nodes(&[0]), 2));
    }

    #[test]
    fn a_leader_that_is_not_listed_stays_until_a_mirror_is_synchronised() {
        let policy = policy(HaMode::Nodes(nodes(&[2, 1])));
        let running = nodes(&[0, 1, 2]);
        let before = policy.suggested(NodeId(0), &nodes(&[1, 2]), &[], &running, &mut stream());
        assert_eq!(before, (NodeId(0), nodes(&[1, 2])));
        let (mirrors, synchronised) = (nodes(&[1, 2]), nodes(&[1]));
        let after = policy.suggested(NodeId(0), &mirrors, &synchronised, &running, &mut stream());
        assert_eq!(after, (NodeId(1), nodes(&[2])));
        let declared = policy.at_declaration(NodeId(0), &running, &mut stream());
        assert_eq!(declared, (NodeId(1), nodes(&[2])));
    }

    #[test]
    fn without_any_listed_node_the_leader_stays_alone() {
        let policy = policy(HaMode::Nodes(nodes(&[2])));
        let running = nodes(&[0, 1]);
        let declared = policy.at_declaration(NodeId(0), &running, &mut stream());
        assert_eq!(declared, (NodeId(0), Vec::new()));
    }

    #[test]
    fn all_is_every_node_that_runs() {
        let policy = policy(HaMode::All);
        let declared = policy.at_declaration(NodeId(1), &nodes(&[0, 1, 2]), &mut stream());
        assert_eq!(declared, (NodeId(1), nodes(&[0, 2])));
    }
}
