//! Resource alarms (rabbit_alarm.erl, vm_memory_monitor.erl, rabbit_disk_monitor.erl,
//! rabbit_memory_monitor.erl, v3.10).
//!
//! Each node looks at its own memory and disk, and tells the others when one runs out. While there
//! is an alarm on any node, every node stops the connections that publish. Before it comes to that,
//! queues put messages out of their memory onto the disk.

use crate::engine::Span;
use crate::observe::{Event, NodeId};
use crate::world::{Context, FileId, Lane};

use super::super::message::{Message, QueueId, QueueSeq};
use super::super::rules::Rule;
use super::super::words::event;
use super::erlang::Link;
use super::replica::Replica;
use super::store::{Record, State};
use super::{Broker, FILES, Node, Process, Status};

/// vm_memory_monitor.erl: `?DEFAULT_MEMORY_CHECK_INTERVAL`.
const MEMORY_CHECK: Span = Span::from_secs(1);
/// rabbit_disk_monitor.erl: `?DEFAULT_MIN_DISK_CHECK_INTERVAL`, `?DEFAULT_MAX_DISK_CHECK_INTERVAL`.
const DISK_CHECK: (Span, Span) = (Span::from_millis(100), Span::from_secs(10));
/// The disk may fill so fast, in bytes a ms (rabbit_disk_monitor.erl: `?FAST_RATE`).
const FAST_RATE: u64 = 250_000;
/// A message in memory has so much about it beside its body (rabbitmq.com/docs/memory-use: "at
/// least 720 bytes per message").
const MESSAGE_OVERHEAD: u64 = 720;
/// From 3.12 a queue keeps no more messages in memory (rabbit_variable_queue.erl v3.12.14).
const MOST_IN_MEMORY: u64 = 2_048;
/// What runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `vm_memory_high_watermark`.
    Memory,
    /// `disk_free_limit`.
    Disk,
}

/// The alarms that a node knows of.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarms {
    alarmed: Vec<(NodeId, Resource)>,
    /// The connections of this node, which are told (`alertees`).
    readers: Vec<Lane>,
}

impl Alarms {
    fn has(&self, node: NodeId, resource: Resource) -> bool {
        self.alarmed.contains(&(node, resource))
    }

    pub(super) fn register(&mut self, reader: Lane) {
        self.readers.push(reader);
    }

    pub(super) fn forget(&mut self, reader: Lane) {
        self.readers.retain(|known| *known != reader);
    }
}

/// Messages of a queue that are on the disk only.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Paged {
    from: QueueSeq,
    /// The first that is not.
    to: QueueSeq,
}

impl Node {
    /// Whether an alarm is in force on any member, as this node knows.
    pub(super) fn is_alarmed(&self) -> bool {
        let everywhere = self.config.settings.rules.has(Rule::AlarmsReachAllNodes);
        self.alarms.alarmed.iter().any(|(node, _)| everywhere || *node == self.me)
    }

    /// Whether a member is short of memory, as this node knows.
    pub(super) fn memory_alarm(&self) -> bool {
        self.alarms.alarmed.iter().any(|(_, resource)| *resource == Resource::Memory)
    }

    /// Starts to look at memory and disk.
    pub(super) fn start_monitors(&self, ctx: &mut Context<'_, Message>) {
        if self.config.settings.rules.has(Rule::ResourceAlarms) {
            ctx.after(MEMORY_CHECK, Lane::MAIN, Message::MemoryCheck);
            ctx.after(DISK_CHECK.0, Lane::MAIN, Message::DiskCheck);
        }
    }

    /// An alarm is set or cleared on a member (rabbit_alarm.erl: `maybe_alert`).
    pub(super) fn alarm(
        &mut self,
        ctx: &mut Context<'_, Message>,
        on: NodeId,
        resource: Resource,
        set: bool,
    ) {
        if self.alarms.has(on, resource) == set {
            return;
        }
        let before = self.is_alarmed();
        if set {
            self.alarms.alarmed.push((on, resource));
        } else {
            self.alarms.alarmed.retain(|known| *known != (on, resource));
        }
        if on == self.me {
            let word = if set { event::ALARM_SET } else { event::ALARM_CLEARED };
            let (now, node) = (ctx.now(), self.me);
            let event = Event { word, node, destination: None, subject: None, count: 0 };
            ctx.observer().event(now, event);
            for peer in self.connected() {
                self.send_node(ctx, peer, Message::Alarm { from: node, resource, set });
            }
        }
        let alarm = self.is_alarmed();
        if alarm != before {
            for &reader in &self.alarms.readers {
                ctx.tell(reader, Message::ConserveResources { alarm });
            }
        }
    }

    fn connected(&self) -> Vec<NodeId> {
        let up = |peer: &&super::erlang::Peer| matches!(peer.link, Link::Up(_));
        self.peers.iter().filter(up).map(|peer| peer.node).collect()
    }

    /// RabbitMQ runs on a member that this node is connected with: it wants to know of the alarms
    /// here (`on_node_up`, `register`).
    pub(super) fn tell_alarms(&mut self, ctx: &mut Context<'_, Message>, to: NodeId) {
        for resource in [Resource::Memory, Resource::Disk] {
            if self.alarms.has(self.me, resource) {
                let alarm = Message::Alarm { from: self.me, resource, set: true };
                self.send_node(ctx, to, alarm);
            }
        }
    }

    /// A member is down: its alarms do not count any more (`on_node_down`).
    pub(super) fn forget_alarms(&mut self, ctx: &mut Context<'_, Message>, gone: NodeId) {
        for resource in [Resource::Memory, Resource::Disk] {
            self.alarm(ctx, gone, resource, false);
        }
    }

    /// rabbit_disk_monitor.erl `internal_update`, `interval`: the nearer to the limit the more
    /// often.
    pub(super) fn check_disk(&mut self, ctx: &mut Context<'_, Message>) {
        let (free, limit) = (ctx.disk_free(), self.config.settings.disk_free_limit);
        let short = free < limit;
        self.alarm(ctx, self.me, Resource::Disk, short);
        let ideal = Span::from_millis(free.saturating_sub(limit) / (FAST_RATE / 2));
        let (least, most) = DISK_CHECK;
        let next = if short { most } else { ideal.clamp(least, most) };
        ctx.after(next, Lane::MAIN, Message::DiskCheck);
    }

    fn paging_file(queue: QueueId) -> FileId {
        FileId(FILES * queue.0 + 2)
    }
}

impl Broker {
    /// vm_memory_monitor.erl `internal_update`; and, more seldom, what rabbit_memory_monitor.erl
    /// does about it before 3.12.
    pub(super) fn check_memory(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(MEMORY_CHECK, Lane::MAIN, Message::MemoryCheck);
        if self.node.status != Status::Running {
            return;
        }
        let settings = &self.node.config.settings;
        let memory = settings.memory[self.node.me.index()];
        let limit = settings.vm_memory_high_watermark.of(memory);
        let page_from = settings.paging_ratio.of(limit);
        let pages = settings.rules.has(Rule::QueuesPageOut);
        let limited = settings.rules.has(Rule::FewMessagesInMemory);
        let mut in_queues = 0;
        for process in self.processes.iter().flatten() {
            if let Process::Replica(replica) = process {
                in_queues += replica.memory(limited);
            }
        }
        let used = settings.base_memory + in_queues + self.node.buffered(ctx);
        self.node.alarm(ctx, self.node.me, Resource::Memory, used > limit);
        self.node.memory_checks += 1;
        // memory_monitor_interval is 2.5 s: at every second or third look.
        if pages && used > page_from && self.node.memory_checks * 2 % 5 < 2 && in_queues > 0 {
            let keep = in_queues.saturating_sub(used - page_from);
            for process in self.processes.iter().flatten() {
                if let Process::Replica(replica) = process {
                    let share = u128::from(replica.memory(false)) * u128::from(keep);
                    let keep = (share / u128::from(in_queues)) as u64;
                    ctx.tell(replica.me.lane, Message::ReduceMemory { keep });
                }
            }
        }
    }
}

/// What a message takes in memory.
fn size(bytes: u32, count: u32) -> u64 {
    u64::from(bytes) * u64::from(count) + MESSAGE_OVERHEAD
}

impl Replica {
    /// What its messages take in memory; `limited` is a queue that keeps few there.
    fn memory(&self, limited: bool) -> u64 {
        let held = self.bq.held().filter(|held| held.state != State::Gone);
        let in_memory = held.filter(|held| held.id < self.paged.from || held.id >= self.paged.to);
        let most = if limited { MOST_IN_MEMORY } else { u64::MAX };
        let sizes = in_memory.map(|held| size(held.message.bytes, held.message.count));
        let waiting = self.senders.iter().flat_map(|sender| &sender.waiting);
        let waiting: u64 = waiting.map(|(_, message, _)| size(message.bytes, message.count)).sum();
        sizes.take(usize::try_from(most).unwrap_or(usize::MAX)).sum::<u64>() + waiting
    }

    /// rabbit_variable_queue.erl `reduce_memory_use`: the oldest messages stay, the others leave
    /// memory. Those that no journal has are written first.
    pub(super) fn reduce_memory(&mut self, node: &Node, ctx: &mut Context<'_, Message>, keep: u64) {
        let (mut kept, mut written, mut moved) = (0, 0, 0);
        let mut paged = Paged { from: QueueSeq::MAX, to: self.bq.next_id() };
        for held in self.bq.held().filter(|held| held.state != State::Gone) {
            let on_disk = held.id >= self.paged.from && held.id < self.paged.to;
            let size = size(held.message.bytes, held.message.count);
            if kept + size <= keep && paged.from == QueueSeq::MAX && !on_disk {
                kept += size;
                continue;
            }
            paged.from = paged.from.min(held.id);
            if !on_disk {
                moved += 1;
                if held.record == Record::None {
                    written += size;
                }
            }
        }
        if moved == 0 {
            return;
        }
        self.paged = paged;
        ctx.spend(node.config.costs.page_message * moved);
        if written > 0 && ctx.write(Node::paging_file(self.queue), written).is_err() {
            // A full disk has raised its own alarm; what cannot be written stays in memory.
            self.paged.to = self.paged.from;
        }
    }

    /// The next message may be on the disk only: it is read.
    pub(super) fn page_in(&mut self, node: &Node, ctx: &mut Context<'_, Message>, id: QueueSeq) {
        if id < self.paged.from || id >= self.paged.to {
            return;
        }
        ctx.spend(node.config.costs.page_message);
        self.paged.from = id + 1;
        if self.paged.from == self.paged.to {
            ctx.truncate(Node::paging_file(self.queue), 0);
        }
    }
}

/// A share of a whole, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(pub u32);

impl Share {
    /// So much of it.
    #[must_use]
    pub fn of(self, whole: u64) -> u64 {
        (u128::from(whole) * u128::from(self.0) / 1_000_000) as u64
    }
}
