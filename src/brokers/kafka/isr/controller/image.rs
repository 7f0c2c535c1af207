//! The metadata as its records make it (ClusterImage, TopicsImage).

use crate::brokers::kafka::PartitionId;
use crate::observe::NodeId;

use super::super::config::Config;
use super::super::nodes::NodeSet;
use super::super::state::{Led, PartitionState, Record, View};

/// A broker that has registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Its epoch: the offset of the record.
    pub epoch: u64,
    /// Which start of its process.
    pub incarnation: u32,
    /// It must not lead nor be in an ISR.
    pub fenced: bool,
    /// It is about to stop.
    pub shutting_down: bool,
}

/// All that the metadata log says.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// By broker.
    pub brokers: Vec<Option<Registration>>,
    partitions: Vec<Option<PartitionState>>,
}

impl Image {
    /// Nothing is known.
    #[must_use]
    pub fn new(config: &Config) -> Image {
        Image {
            brokers: vec![None; config.brokers as usize],
            partitions: vec![None; config.partitions.len()],
        }
    }

    /// What holds when the run starts: all brokers are registered, all topics are there.
    #[must_use]
    pub fn first(config: &Config) -> Image {
        let mut image = Image::new(config);
        for broker in config.all_brokers() {
            let epoch = 1 + u64::from(broker.0);
            let registration =
                Registration { epoch, incarnation: 0, fenced: false, shutting_down: false };
            image.brokers[broker.index()] = Some(registration);
        }
        for partition in config.all_partitions() {
            image.partitions[partition.index()] = Some(config.first_state(partition));
        }
        image
    }

    /// Nothing is known any more.
    pub fn clear(&mut self) {
        self.brokers.iter_mut().for_each(|broker| *broker = None);
        self.partitions.iter_mut().for_each(|partition| *partition = None);
    }

    /// Does what a record says; partitions that it changes are added to `changed`.
    pub fn apply(&mut self, record: &Record, changed: &mut Vec<PartitionId>) {
        match record {
            Record::Register { broker, incarnation, epoch } => {
                self.brokers[broker.index()] = Some(Registration {
                    epoch: *epoch,
                    incarnation: *incarnation,
                    fenced: true,
                    shutting_down: false,
                });
            }
            Record::Standing { broker, epoch, fenced, shutting_down } => {
                if let Some(registration) = &mut self.brokers[broker.index()]
                    && registration.epoch == *epoch
                {
                    registration.fenced = *fenced;
                    registration.shutting_down = *shutting_down;
                }
            }
            Record::Partition(partition, state) => {
                self.partitions[partition.index()] = Some(*state);
                changed.push(*partition);
            }
            Record::NoOp => {}
        }
    }

    /// The state of a partition.
    #[must_use]
    pub fn partition(&self, partition: PartitionId) -> Option<PartitionState> {
        self.partitions.get(partition.index()).copied().flatten()
    }

    /// Brokers that may lead and be in an ISR (`isActive`).
    #[must_use]
    pub fn active(&self) -> NodeSet {
        self.which(|broker| !broker.fenced && !broker.shutting_down)
    }

    /// Brokers that are not fenced.
    #[must_use]
    pub fn unfenced(&self) -> NodeSet {
        self.which(|broker| !broker.fenced)
    }

    fn which(&self, wanted: impl Fn(&Registration) -> bool) -> NodeSet {
        let brokers = self.brokers.iter().enumerate();
        brokers
            .filter(|(_, broker)| broker.as_ref().is_some_and(&wanted))
            .map(|(index, _)| NodeId(index as u32))
            .collect()
    }

    /// What brokers and clients make of it.
    #[must_use]
    pub fn view(&self, controller: Option<NodeId>) -> View {
        let led = |state: &PartitionState| Led {
            leader: state.leader,
            epoch: state.leader_epoch,
            isr: state.isr,
        };
        View {
            alive: self.active(),
            controller,
            partitions: self.partitions.iter().map(|p| p.as_ref().map(led)).collect(),
        }
    }

    /// Records that make this image.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for (index, registration) in self.brokers.iter().enumerate() {
            let Some(registration) = registration else { continue };
            let (broker, epoch) = (NodeId(index as u32), registration.epoch);
            let (incarnation, fenced) = (registration.incarnation, registration.fenced);
            let shutting_down = registration.shutting_down;
            records.push(Record::Register { broker, incarnation, epoch });
            records.push(Record::Standing { broker, epoch, fenced, shutting_down });
        }
        for (index, state) in self.partitions.iter().enumerate() {
            if let Some(state) = state {
                records.push(Record::Partition(PartitionId(index as u32), *state));
            }
        }
        records
    }
}
