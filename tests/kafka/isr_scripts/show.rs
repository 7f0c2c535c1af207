//! What a script asks to see.

use mqsim::brokers::kafka::PartitionId;
use mqsim::brokers::kafka::isr::broker::Broker;
use mqsim::brokers::kafka::isr::groups::GroupId;
use mqsim::brokers::kafka::isr::machine::KafkaMachine;
use mqsim::brokers::kafka::isr::state::PartitionState;
use mqsim::brokers::kafka::isr::transactions::TxnId;

fn brokers(machines: &[KafkaMachine]) -> impl Iterator<Item = (usize, &Broker)> {
    machines.iter().enumerate().filter_map(|(index, machine)| match machine {
        KafkaMachine::Broker(broker) => Some((index, &**broker)),
        _ => None,
    })
}

fn state(state: &PartitionState) -> String {
    let leader = state.leader.map_or("nobody".to_owned(), |node| format!("n{}", node.0 + 1));
    let isr: Vec<_> = state.isr.iter().map(|node| format!("n{}", node.0 + 1)).collect();
    let isr = if isr.is_empty() { "nobody".to_owned() } else { isr.join(",") };
    format!("{leader} leads in epoch {}, ISR {isr} ({})", state.leader_epoch, state.partition_epoch)
}

/// A partition as each of its replicas has it.
pub(crate) fn partition(machines: &[KafkaMachine], partition: PartitionId) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, broker) in brokers(machines) {
        let Some((end, high_watermark)) = broker.offsets(partition) else { continue };
        let what = if broker.leads(partition) { "leads" } else { "follows" };
        let known = broker.state(partition).map_or("knows nothing".to_owned(), |s| state(&s));
        let what = if broker.state(partition).is_some() { what } else { "is idle" };
        lines.push(format!(
            "n{} {what}, end {end}, high watermark {high_watermark}: {known}",
            index + 1
        ));
    }
    lines
}

/// From where to where each replica has a partition.
pub(crate) fn log(machines: &[KafkaMachine], partition: PartitionId) -> Vec<String> {
    let own = |(index, broker): (usize, &Broker)| {
        let (start, (end, _)) = (broker.log_start(partition)?, broker.offsets(partition)?);
        Some(format!("n{} has {start} to {end}", index + 1))
    };
    brokers(machines).filter_map(own).collect()
}

/// The idempotent producers that each replica of a partition knows, with the sequences of the batches
/// that it remembers.
pub(crate) fn producers(machines: &[KafkaMachine], partition: PartitionId) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, broker) in brokers(machines) {
        for (by, batches) in broker.producers(partition) {
            let batch = |(first, last): &(u32, u32)| format!("{first}..{last}");
            let batches: Vec<String> = batches.iter().map(batch).collect();
            let (id, epoch) = (by.id, by.epoch);
            let batches = if batches.is_empty() { "none".to_owned() } else { batches.join(" ") };
            lines.push(format!("n{}: producer {id} epoch {epoch}: {batches}", index + 1));
        }
    }
    lines
}

/// All partitions, as the broker with the newest state knows them.
pub(crate) fn partitions(machines: &[KafkaMachine]) -> Vec<String> {
    let Some((_, first)) = brokers(machines).next() else { return Vec::new() };
    let config = first.config().clone();
    let own = |partition: &PartitionId| !config.streams.is_internal(*partition);
    let line = |partition: PartitionId| {
        let states = brokers(machines).filter_map(|(_, broker)| broker.state(partition));
        let newest = states.max_by_key(|state| (state.leader_epoch, state.partition_epoch));
        let known = newest.map_or("nobody knows it".to_owned(), |newest| state(&newest));
        format!("{}: {known}", config.streams.get(partition).name)
    };
    config.all_partitions().filter(own).map(line).collect()
}

/// A group as each broker has it that coordinates it.
pub(crate) fn group(machines: &[KafkaMachine], group: GroupId) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, broker) in brokers(machines) {
        let Some(what) = broker.group(group) else { continue };
        lines.push(format!("n{}: {what}", index + 1));
        let config = broker.config().clone();
        let committed = config.all_partitions().filter_map(|partition| {
            let offset = broker.committed(group, partition)?;
            Some(format!("{} {offset}", config.streams.get(partition).name))
        });
        let committed: Vec<String> = committed.collect();
        lines.push(format!("    committed: {}", committed.join(", ")));
    }
    if lines.is_empty() { vec!["nobody coordinates it".to_owned()] } else { lines }
}

/// What ZooKeeper holds.
pub(crate) fn znodes(machines: &[KafkaMachine], below: &str) -> Vec<String> {
    let server = machines.iter().find_map(|machine| match machine {
        KafkaMachine::ZooKeeper(server) if server.is_serving() => Some(server),
        _ => None,
    });
    let Some(server) = server else { return vec!["nobody serves".to_owned()] };
    let nodes = server.tree().iter().filter(|(path, _)| path.starts_with(below));
    let held = nodes.filter_map(|(path, node)| Some((path, node.data.as_ref()?, node.stat())));
    held.map(|(path, data, stat)| {
        use mqsim::brokers::kafka::isr::state::Znode;
        let data = match data {
            Znode::Broker(start) => format!("start {start}"),
            Znode::Controller(node) => format!("n{}", node.0 + 1),
            Znode::ControllerEpoch(epoch) => epoch.to_string(),
            Znode::Partition(known, epoch) => format!(
                "{}, by controller {epoch}",
                state(&PartitionState { partition_epoch: stat.version, ..*known })
            ),
            Znode::IsrChange(partitions) => format!("{partitions:?}"),
        };
        format!("{path}: {data}")
    })
    .collect()
}

/// A transactional id as each broker has it that coordinates it.
pub(crate) fn transaction(machines: &[KafkaMachine], id: TxnId) -> Vec<String> {
    let own = |(index, broker): (usize, &Broker)| {
        Some(format!("n{}: {}", index + 1, broker.transaction(id)?))
    };
    let lines: Vec<String> = brokers(machines).filter_map(own).collect();
    if lines.is_empty() { vec!["nobody coordinates it".to_owned()] } else { lines }
}

/// The transactions that are open in a partition, and its last stable offset.
pub(crate) fn open(machines: &[KafkaMachine], partition: PartitionId) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, broker) in brokers(machines) {
        let Some((_, high_watermark)) = broker.offsets(partition) else { continue };
        let open = broker.open_transactions(partition).into_iter();
        let open: Vec<String> = open.map(|(id, first)| format!("{id} from {first}")).collect();
        let open = if open.is_empty() { "nothing".to_owned() } else { open.join(", ") };
        let stable = broker.stable_upto(partition).map(|upto| format!(", stable up to {upto}"));
        let stable = stable.unwrap_or_default();
        lines.push(format!("n{}: open {open}, high watermark {high_watermark}{stable}", index + 1));
    }
    lines
}
