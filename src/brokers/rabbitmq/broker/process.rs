//! A process of a broker node, and what it takes out of its mailbox, in which order.

use crate::world::{Context, Input};

use super::super::message::Message;
use super::super::message::channel::{ChannelMail, ChannelMessage};
use super::super::message::queue::{LeaderMessage, QueueCall, QueueMail, QueueMessage};
use super::super::message::ra::RaMail;
use super::super::message::ring::RingMail;
use super::Node;
use super::channel::Channel;
use super::queue::replica::Replica;
use super::quorum::letters::Worker;
use super::quorum::member::Member;
use super::ra::wal::Wal;
use super::ring::gm::Group;
use super::store::shared::SharedStore;

/// A process of a broker node.
#[derive(Clone, Debug)]
pub enum Process {
    /// A client's connection and channel.
    Channel(Box<Channel>),
    /// A queue's leader or mirror.
    Replica(Box<Replica>),
    /// A ring member.
    Group(Box<Group>),
    /// The message store.
    Store(Box<SharedStore>),
    /// A quorum queue's member.
    Member(Box<Member>),
    /// The log of such members.
    Wal(Box<Wal>),
    /// The worker for a quorum queue's dead letters.
    Letters(Box<Worker>),
}

impl Process {
    /// Hands on an input of its lane.
    pub(super) fn handle(
        &mut self,
        node: &mut Node,
        ctx: &mut Context<'_, Message>,
        input: Input<Message>,
    ) {
        match (self, input) {
            (
                Process::Channel(channel),
                Input::Message { body: Message::FromClient(method), .. },
            ) => {
                channel.read_socket(node, ctx, method);
            }
            (Process::Channel(channel), Input::Closed { how, .. }) => {
                channel.connection_closed(node, ctx, how);
            }
            (Process::Channel(channel), Input::Writable { .. }) => channel.writable(node, ctx),
            (process, Input::Message { body, .. } | Input::Local { body }) => {
                process.take(node, ctx, body);
            }
            // The node's own, on its main lane.
            (
                _,
                Input::Boot(_)
                | Input::Signal(_)
                | Input::Accepted { .. }
                | Input::Connected { .. }
                | Input::Failed { .. }
                | Input::Closed { .. }
                | Input::Writable { .. }
                | Input::DiskFailed { .. },
            ) => {}
        }
    }

    /// gen_server2.erl puts what has come to a process into a queue with priorities. Those of
    /// leaders and mirrors, which a replica is in turn, do not contradict each other
    /// (rabbit_amqqueue_process.erl, rabbit_mirror_queue_slave.erl and rabbit_channel.erl v3.10,
    /// `prioritise_cast` and `prioritise_info`). `notify_sent` has the priority that it has while
    /// publishes come in and consumers are not twice as fast as they (`consumer_bias`).
    pub(super) fn urgency(&self, message: &Message) -> u8 {
        match (self, message) {
            (Process::Replica(_), Message::Queue(message)) => match message {
                QueueMessage::Leader(LeaderMessage::DropExpired) => 8,
                QueueMessage::BodiesWritten { .. } | QueueMessage::SyncTimer => 6,
                QueueMessage::GmDeath { .. } => 5,
                QueueMessage::Call(QueueCall::Settle { .. }) => 4,
                QueueMessage::Call(QueueCall::NotifySent { .. }) => 2,
                _ => 0,
            },
            (Process::Replica(_), Message::Instruction(_)) => 5,
            (
                Process::Channel(_),
                Message::Channel(
                    ChannelMessage::Confirm { .. }
                    | ChannelMessage::Refuse { .. }
                    | ChannelMessage::MandatoryReceived { .. },
                ),
            ) => 5,
            _ => 0,
        }
    }

    /// Takes a message out of its mailbox. Here alone it is seen whether it has come to a process of
    /// the kind that it is for; what the process takes is a type.
    fn take(&mut self, node: &mut Node, ctx: &mut Context<'_, Message>, message: Message) {
        let taken = match self {
            Process::Channel(channel) => {
                ChannelMail::try_from(message).map(|mail| channel.handle(node, ctx, mail))
            }
            Process::Replica(replica) => {
                QueueMail::try_from(message).map(|mail| replica.handle(node, ctx, mail))
            }
            Process::Group(group) => {
                RingMail::try_from(message).map(|mail| group.handle(node, ctx, mail))
            }
            Process::Store(store) => match message {
                Message::Store(message) => {
                    store.handle(node, ctx, message);
                    Ok(())
                }
                other => Err(other),
            },
            Process::Member(member) => {
                RaMail::try_from(message).map(|mail| member.handle(node, ctx, mail))
            }
            Process::Letters(worker) => match message {
                Message::Letter(message) => {
                    worker.letter(node, ctx, message);
                    Ok(())
                }
                Message::Channel(message) => {
                    worker.confirmed(node, ctx, message);
                    Ok(())
                }
                other => Err(other),
            },
            Process::Wal(wal) => match message {
                Message::Wal(message) => {
                    wal.handle(node, ctx, message);
                    Ok(())
                }
                other => Err(other),
            },
        };
        debug_assert!(taken.is_ok(), "sent to a process of another kind: {taken:?}");
    }
}
