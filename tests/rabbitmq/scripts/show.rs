//! What the machines hold, in words.

use mqsim::brokers::rabbitmq::broker::queue::replica::Role;
use mqsim::brokers::rabbitmq::broker::quorum::member::Member;
use mqsim::brokers::rabbitmq::broker::ra::server::Standing;
use mqsim::brokers::rabbitmq::broker::store::{Held, Record, State};
use mqsim::brokers::rabbitmq::message::{Pid, QueueId};
use mqsim::observe::NodeId;

use super::cluster::{Actor, Plan};

/// The log and the messages of a quorum queue's member.
fn quorum(member: Option<&Member>) -> Vec<String> {
    let Some(member) = member else { return vec!["no process".to_owned()] };
    let (server, (fifo, applied)) = (member.server(), member.state());
    let standing = match server.standing() {
        Standing::Leader => "leader",
        Standing::Follower => "follower",
        Standing::PreVote => "asks for pre-votes",
        Standing::Candidate => "candidate",
    };
    let mut lines = vec![format!(
        "{standing} in term {}; log up to {}, fsynced {}, committed {}, applied {applied}",
        server.meta().term,
        server.log.last().index,
        server.log.written(),
        server.commit()
    )];
    let mut waiting: Vec<u32> = fifo.waiting_in_order().map(|held| held.message.first).collect();
    let mut assigned: Vec<u32> = fifo.checked_out().map(|(_, held)| held.message.first).collect();
    for (what, numbers) in [("ready", &mut waiting), ("assigned", &mut assigned)] {
        if !numbers.is_empty() {
            let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
            lines.push(format!("  {} {what}", numbers.join(" ")));
        }
    }
    lines
}

/// Messages of one replica: numbers that are alike and consecutive share a line.
pub(crate) fn queue(actor: &Actor, queue: QueueId) -> Vec<String> {
    let Actor::Broker(broker) = actor else { return vec!["no broker".to_owned()] };
    if !broker.members_of(queue).is_empty() {
        return quorum(broker.member_of(queue));
    }
    let role = match broker.role_of(queue) {
        Some(Role::Leader) => "leader",
        Some(Role::Mirror) => "mirror",
        None => "no process",
    };
    let held: Vec<Held> = broker.messages_of(queue).map_or(Vec::new(), |bq| bq.held().collect());
    let mut lines = vec![format!("{role}{}", if held.is_empty() { ", empty" } else { "" })];
    let mut rest = held.as_slice();
    while let Some(first) = rest.first() {
        let follows = |(index, held): &(usize, &Held)| {
            held.message.first == first.message.first + *index as u32
                && describe(held) == describe(first)
        };
        let count = rest.iter().enumerate().take_while(follows).count();
        let first_number = first.message.first;
        let numbers = match count {
            1 => first_number.to_string(),
            _ => format!("{first_number}..{}", first_number + count as u32 - 1),
        };
        lines.push(format!("  {numbers} {}", describe(first)));
        rest = &rest[count..];
    }
    lines
}

fn describe(held: &Held) -> String {
    let state = match held.state {
        State::Ready => "ready",
        State::Unacked => "unacked",
        State::Gone => "settled",
    };
    let flag = match held.state {
        State::Ready if held.redelivered => ", redelivered",
        _ => "",
    };
    let record = match held.record {
        Record::None => "in memory only",
        Record::Buffered => "in the process's buffer",
        Record::Written | Record::Segment if held.durable => "on disk",
        Record::Written | Record::Segment => "in the page cache",
    };
    format!("{state}{flag}, {record}")
}

/// The tables of one node.
pub(crate) fn tables(actor: &Actor, plan: &Plan) -> Vec<String> {
    let Actor::Broker(broker) = actor else { return vec!["no broker".to_owned()] };
    let name = |node: NodeId| format!("n{}", node.0 + 1);
    let names = |pids: &[Pid]| match pids {
        [] => "none".to_owned(),
        pids => pids.iter().map(|pid| name(pid.node)).collect::<Vec<_>>().join(" "),
    };
    let peers: Vec<String> = broker.running_peers().into_iter().map(name).collect();
    let peers = if peers.is_empty() { "none".to_owned() } else { peers.join(" ") };
    let mut lines = vec![format!("runs with: {peers}")];
    for (index, declared) in plan.spec.queues.iter().enumerate() {
        let queue = QueueId(index as u32);
        let durable = broker.tables().durable[index];
        let durable = durable.map_or("none".to_owned(), |leader| name(leader.node));
        let record = broker.tables().queue(queue).map_or("no record".to_owned(), |record| {
            let policy = broker.tables().force.over(queue);
            if plan.spec.policies.mirroring(policy).is_none() {
                return format!("leader {}", name(record.leader.node));
            }
            let ring: Vec<Pid> = record.ring.iter().map(|member| member.replica).collect();
            format!(
                "leader {}, mirrors {}, synchronised {}, ring {}",
                name(record.leader.node),
                names(&record.mirrors),
                names(&record.synchronised),
                names(&ring),
            )
        });
        lines.push(format!("{}: {record}; on disk: leader {durable}", declared.name));
    }
    lines
}

/// What a client waits for.
pub(crate) fn pending(actor: &Actor) -> String {
    let Actor::Client(client) = actor else { return "no client".to_owned() };
    let pending = client.pending();
    match (pending.first(), pending.last()) {
        (Some(first), Some(last)) => {
            format!("{} without answer, from {first} to {last}", pending.len())
        }
        _ => "none without answer".to_owned(),
    }
}

/// Whether every synchronised mirror holds what its leader holds, in its order. What a consumer has
/// they may see apart: a new leader takes back what the old one had handed out, and tells nobody
/// (rabbit_mirror_queue_master.erl: `promote_backing_queue_state`).
pub(crate) fn agree(actors: &[Actor], plan: &Plan) -> Vec<String> {
    let broker = |node: NodeId| match &actors[node.index()] {
        Actor::Broker(broker) => broker,
        Actor::Client(_) => unreachable!("brokers come first"),
    };
    let contents = |node: NodeId, queue: QueueId| -> Vec<u32> {
        let bq = broker(node).messages_of(queue);
        let held = bq.into_iter().flat_map(|bq| bq.held());
        let alive = held.filter(|held| held.state != State::Gone);
        alive.map(|held| held.message.first).collect()
    };
    let mut lines = Vec::new();
    for queue in (0..plan.spec.queues.len() as u32).map(QueueId) {
        let leaders = (0..plan.brokers).map(NodeId).filter(|node| broker(*node).leads(queue));
        let mut any = false;
        for leader in leaders {
            any = true;
            let Some(record) = broker(leader).tables().queue(queue) else { continue };
            let all = contents(leader, queue);
            let mut numbers = all.clone();
            numbers.sort_unstable();
            numbers.dedup();
            if numbers.len() < all.len() {
                lines.push(format!("n{} holds a message twice: {all:?}", leader.0 + 1));
            }
            for mirror in record.synchronised.iter().map(|pid| pid.node) {
                let own = contents(mirror, queue);
                if own != all {
                    let (mirror, leader) = (mirror.0 + 1, leader.0 + 1);
                    lines.push(format!("n{mirror} {own:?} differs from n{leader} {all:?}"));
                }
            }
        }
        if !any {
            lines.push("nobody leads".to_owned());
        }
    }
    if lines.is_empty() {
        lines.push("all agree".to_owned());
    }
    lines
}
