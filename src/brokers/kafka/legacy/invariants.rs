//! What must hold at every moment, looked at after every input.
//!
//! Brokers and consumers note what they have just done ([`Touch`]); the oracle remembers what was
//! true of a partition before. That every loss has its cause is the ledger's business
//! (`unexplained`).

use crate::brokers::kit::log::Piece;
use crate::brokers::kit::words::invariants;
use crate::observe::{InvariantId, NodeId, Violation};
use crate::world::ConnId;

use super::super::PartitionId;
use super::broker::PartitionLog;
use super::machine::LegacyMachine;

invariants! {
    FLUSHED_BYTES_ONLY = "flushed-bytes-only", [],
        "no fetch gets bytes at or behind the flushed end";
    COMMITTED_IS_FLUSHED = "committed-is-flushed", [],
        "no offset is committed behind the flushed end that the partition has had";
    VALID_PREFIX = "valid-prefix", [],
        "after a recovery a log ends with the last message that is all on the disk";
    ONE_BROKER = "one-broker", [],
        "the messages of a partition are on one broker";
    SEND_ORDER = "send-order", ["num.retries = 0"],
        "in a log what came on one connection is in the order in which it was sent, and nothing is \
         there twice";
}

/// What a machine has just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// A broker has appended messages that came on this connection.
    Appended(PartitionId, Piece, ConnId),
    /// A broker has answered a fetch with bytes up to here.
    Served(PartitionId, u64),
    /// A broker has marked a log as flushed up to here.
    Flushed(PartitionId, u64),
    /// A broker's disk has kept so many bytes of a log.
    Kept(PartitionId, u64),
    /// A broker has loaded a log.
    Loaded(PartitionId),
    /// A broker's disk is empty.
    Wiped(PartitionId),
    /// A consumer has committed an offset.
    Committed(PartitionId, u64),
}

/// What was true of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    holder: Option<NodeId>,
    /// The greatest flushed end since its disk was new, and of all times.
    flushed: u64,
    ever: u64,
    /// After a loss of power: where the log must end when it is loaded.
    prefix: Option<u64>,
}

/// What the checks know beside the machines.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    partitions: Vec<Known>,
    /// Of each stream the connections on which it came, with one more than the last sequence. What
    /// is under way on a connection that the producer has given up may arrive behind what it sends
    /// on the next one.
    streams: Vec<Vec<(ConnId, u32)>>,
}

fn entry<T: Clone + Default>(list: &mut Vec<T>, index: usize) -> &mut T {
    if list.len() <= index {
        list.resize(index + 1, T::default());
    }
    &mut list[index]
}

/// Where a log ends if only so many bytes of its file are there: behind the last whole message.
fn whole_messages(log: &PartitionLog, kept: u64) -> u64 {
    let mut end = log.log.start();
    for piece in log.log.pieces() {
        let width = u64::from(piece.width);
        let fit = kept.saturating_sub(piece.base) / width;
        if fit < u64::from(piece.messages.count) {
            return (piece.base + fit * width).max(end);
        }
        end = piece.end();
    }
    end
}

/// Compares what the machine on `node` has done with what must hold.
pub fn check(
    oracle: &mut Oracle,
    machines: &mut [LegacyMachine],
    node: NodeId,
    report: &mut dyn FnMut(Violation),
) {
    let touched = match &mut machines[node.index()] {
        LegacyMachine::Broker(broker) => broker.touched.take(),
        LegacyMachine::Consumer(consumer) => consumer.touched.take(),
        LegacyMachine::Zookeeper(_) | LegacyMachine::Producer(_) => return,
    };
    for touch in touched {
        let log = |partition| machines[node.index()].broker()?.log(partition);
        if let Some((invariant, detail)) = broken(oracle, touch, node, log) {
            report(Violation { invariant, node, destination: None, detail });
        }
    }
}

fn broken<'a>(
    oracle: &mut Oracle,
    touch: Touch,
    node: NodeId,
    log: impl Fn(PartitionId) -> Option<&'a PartitionLog>,
) -> Option<(InvariantId, String)> {
    let partition = match touch {
        Touch::Appended(partition, ..)
        | Touch::Served(partition, _)
        | Touch::Flushed(partition, _)
        | Touch::Kept(partition, _)
        | Touch::Loaded(partition)
        | Touch::Wiped(partition)
        | Touch::Committed(partition, _) => partition,
    };
    let known = entry(&mut oracle.partitions, partition.index());
    match touch {
        Touch::Appended(_, piece, conn) => {
            let holder = *known.holder.get_or_insert(node);
            if holder != node {
                let detail = format!("hosts {} and {} have messages of it", holder.0, node.0);
                return Some((invariant::ONE_BROKER, detail));
            }
            let messages = piece.messages;
            let came = entry(&mut oracle.streams, messages.producer.index());
            let place = came.iter().rposition(|(on, _)| *on == conn);
            let place = place.unwrap_or_else(|| {
                came.push((conn, 0));
                came.len() - 1
            });
            let expected = std::mem::replace(&mut came[place].1, messages.first + messages.count);
            (messages.first < expected).then(|| {
                let detail = format!("message {} comes behind {}", messages.first, expected - 1);
                (invariant::SEND_ORDER, detail)
            })
        }
        Touch::Served(_, end) => {
            let flushed = known.flushed;
            (end > flushed).then(|| {
                let detail = format!("bytes up to {end} were served, {flushed} are flushed");
                (invariant::FLUSHED_BYTES_ONLY, detail)
            })
        }
        Touch::Flushed(_, end) => {
            known.flushed = known.flushed.max(end);
            known.ever = known.ever.max(end);
            None
        }
        Touch::Kept(_, kept) => {
            known.prefix = log(partition).map(|log| whole_messages(log, kept));
            None
        }
        Touch::Loaded(_) => {
            let (prefix, end) = (known.prefix.take()?, log(partition)?.log.end());
            (prefix != end).then(|| {
                let detail = format!("it ends at {end}, the last whole message at {prefix}");
                (invariant::VALID_PREFIX, detail)
            })
        }
        Touch::Wiped(_) => {
            known.flushed = 0;
            known.prefix = None;
            None
        }
        Touch::Committed(_, offset) => {
            let flushed = known.ever;
            (offset > flushed).then(|| {
                let detail = format!("{offset} is committed, {flushed} were flushed");
                (invariant::COMMITTED_IS_FLUSHED, detail)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{MessageRange, ProducerId};

    fn appended(first: u32) -> Touch {
        let messages = MessageRange { producer: ProducerId(3), first, count: 2, bytes: 10 };
        let piece = Piece { base: 0, messages, epoch: 0, width: 20, bytes: 40, whole: false };
        Touch::Appended(PartitionId(1), piece, ConnId(7))
    }

    fn on(touch: Touch, conn: u32) -> Touch {
        match touch {
            Touch::Appended(partition, piece, _) => Touch::Appended(partition, piece, ConnId(conn)),
            other => other,
        }
    }

    fn names(touches: &[(Touch, u32)]) -> Vec<InvariantId> {
        let mut oracle = Oracle::default();
        let look = |(touch, node): &(Touch, u32)| {
            broken(&mut oracle, *touch, NodeId(*node), |_| None).map(|(id, _)| id)
        };
        touches.iter().filter_map(look).collect()
    }

    #[test]
    fn a_second_broker_with_messages_of_a_partition_is_told() {
        assert_eq!(names(&[(appended(0), 0), (appended(2), 0)]), []);
        assert_eq!(names(&[(appended(0), 0), (appended(2), 1)]), [invariant::ONE_BROKER]);
    }

    #[test]
    fn what_comes_twice_or_late_is_told() {
        assert_eq!(names(&[(appended(0), 0), (appended(1), 0)]), [invariant::SEND_ORDER]);
        assert_eq!(names(&[(appended(4), 0), (appended(0), 0)]), [invariant::SEND_ORDER]);
        assert_eq!(names(&[(on(appended(4), 8), 0), (appended(0), 0)]), []);
        let between = [(appended(4), 0), (on(appended(6), 8), 0), (appended(0), 0)];
        assert_eq!(names(&between), [invariant::SEND_ORDER]);
    }

    #[test]
    fn what_a_wiped_disk_had_flushed_is_not_served_any_more() {
        let partition = PartitionId(0);
        let flushed = (Touch::Flushed(partition, 100), 0);
        let served = (Touch::Served(partition, 100), 0);
        let committed = (Touch::Committed(partition, 100), 2);
        assert_eq!(names(&[flushed, served, committed]), []);
        let wiped = (Touch::Wiped(partition), 0);
        let told = [invariant::FLUSHED_BYTES_ONLY];
        assert_eq!(names(&[flushed, wiped, served, committed]), told);
        let beyond = (Touch::Committed(partition, 101), 2);
        assert_eq!(names(&[flushed, beyond]), [invariant::COMMITTED_IS_FLUSHED]);
    }
}
