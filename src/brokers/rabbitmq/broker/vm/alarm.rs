//! Resource alarms (rabbit_alarm.erl, vm_memory_monitor.erl, rabbit_disk_monitor.erl,
//! rabbit_memory_monitor.erl, v3.10).
//!
//! Each node looks at its own memory and disk, and tells the others when one runs out. While there
//! is an alarm on any node, every node stops the connections that publish. Before it comes to that,
//! queues put messages out of their memory onto the disk.

use crate::engine::Span;
use crate::observe::{Event, NodeId};
use crate::world::{Context, FileId, Lane};

use super::super::super::message::channel::ChannelMessage;
use super::super::super::message::node::{NodeMessage, Resource};
use super::super::super::message::queue::QueueMessage;
use super::super::super::message::{Message, QueueId, QueueSeq};
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::super::disk::FILES;
use super::super::queue::base::Base;
use super::super::store::paging::{PagedOut, size};
use super::super::{Broker, Node, Process, Status};
use super::erlang::Link;

/// vm_memory_monitor.erl: `?DEFAULT_MEMORY_CHECK_INTERVAL`.
const MEMORY_CHECK: Span = Span::from_secs(1);
/// rabbit_disk_monitor.erl: `?DEFAULT_MIN_DISK_CHECK_INTERVAL`, `?DEFAULT_MAX_DISK_CHECK_INTERVAL`.
const DISK_CHECK: (Span, Span) = (Span::from_millis(100), Span::from_secs(10));
/// The disk may fill so fast, in bytes a ms (rabbit_disk_monitor.erl: `?FAST_RATE`).
const FAST_RATE: u64 = 250_000;
/// From 3.12 a queue keeps no more messages in memory (rabbit_variable_queue.erl v3.12.14).
const MOST_IN_MEMORY: usize = 2_048;

/// The alarms that a node knows of.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Alarms {
    alarmed: Vec<(NodeId, Resource)>,
    /// The connections of this node, which are told (`alertees`).
    readers: Vec<Lane>,
    /// `set_vm_memory_high_watermark`, until RabbitMQ starts anew.
    watermark: Option<Share>,
}

impl Alarms {
    fn has(&self, node: NodeId, resource: Resource) -> bool {
        self.alarmed.contains(&(node, resource))
    }

    pub(in super::super) fn register(&mut self, reader: Lane) {
        self.readers.push(reader);
    }

    pub(in super::super) fn forget(&mut self, reader: Lane) {
        self.readers.retain(|known| *known != reader);
    }
}

impl Node {
    /// Whether an alarm is in force on any member, as this node knows.
    pub(in super::super) fn is_alarmed(&self) -> bool {
        let everywhere = self.config.settings.rules.has(Rule::AlarmsReachAllNodes);
        self.alarms.alarmed.iter().any(|(node, _)| everywhere || *node == self.me)
    }

    /// Whether a member is short of memory, as this node knows.
    pub(in super::super) fn memory_alarm(&self) -> bool {
        self.alarms.alarmed.iter().any(|(_, resource)| *resource == Resource::Memory)
    }

    /// Starts to look at memory and disk.
    pub(in super::super) fn start_monitors(&self, ctx: &mut Context<'_, Message>) {
        if self.config.settings.rules.has(Rule::ResourceAlarms) {
            ctx.after(MEMORY_CHECK, Lane::MAIN, NodeMessage::MemoryCheck.into());
            ctx.after(DISK_CHECK.0, Lane::MAIN, NodeMessage::DiskCheck.into());
        }
    }

    /// An alarm is set or cleared on a member (rabbit_alarm.erl: `maybe_alert`).
    pub(in super::super) fn alarm(
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
                self.send_node(ctx, peer, NodeMessage::Alarm { from: node, resource, set });
            }
        }
        let alarm = self.is_alarmed();
        if alarm != before {
            for &reader in &self.alarms.readers {
                ctx.tell(reader, ChannelMessage::ConserveResources { alarm }.into());
            }
        }
    }

    /// The members that are connected.
    pub(in super::super) fn connected(&self) -> Vec<NodeId> {
        let up = |peer: &&super::erlang::Peer| matches!(peer.link, Link::Up(_));
        self.peers.iter().filter(up).map(|peer| peer.node).collect()
    }

    /// RabbitMQ runs on a member that this node is connected with: it wants to know of the alarms
    /// here (`on_node_up`, `register`).
    pub(in super::super) fn tell_alarms(&mut self, ctx: &mut Context<'_, Message>, to: NodeId) {
        for resource in [Resource::Memory, Resource::Disk] {
            if self.alarms.has(self.me, resource) {
                let alarm = NodeMessage::Alarm { from: self.me, resource, set: true };
                self.send_node(ctx, to, alarm);
            }
        }
    }

    /// A member is down: its alarms do not count any more (`on_node_down`).
    pub(in super::super) fn forget_alarms(&mut self, ctx: &mut Context<'_, Message>, gone: NodeId) {
        for resource in [Resource::Memory, Resource::Disk] {
            self.alarm(ctx, gone, resource, false);
        }
    }

    /// rabbit_disk_monitor.erl `internal_update`, `interval`: the nearer to the limit the more
    /// often.
    pub(in super::super) fn check_disk(&mut self, ctx: &mut Context<'_, Message>) {
        let (free, limit) = (ctx.disk_free(), self.config.settings.disk_free_limit);
        let short = free < limit;
        self.alarm(ctx, self.me, Resource::Disk, short);
        let ideal = Span::from_millis(free.saturating_sub(limit) / (FAST_RATE / 2));
        let (least, most) = DISK_CHECK;
        let next = if short { most } else { ideal.clamp(least, most) };
        ctx.after(next, Lane::MAIN, NodeMessage::DiskCheck.into());
    }

    fn paging_file(queue: QueueId) -> FileId {
        FileId(FILES * queue.0 + 2)
    }
}

impl Broker {
    /// vm_memory_monitor.erl `internal_update`; and, more seldom, what rabbit_memory_monitor.erl
    /// does about it before 3.12.
    pub(in super::super) fn check_memory(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(MEMORY_CHECK, Lane::MAIN, NodeMessage::MemoryCheck.into());
        self.look_at_memory(ctx);
    }

    /// vm_memory_monitor.erl `set_mem_limits`: another watermark counts at once.
    pub(in super::super::super) fn set_watermark(
        &mut self,
        ctx: &mut Context<'_, Message>,
        watermark: Share,
    ) {
        self.node.alarms.watermark = Some(watermark);
        if self.node.config.settings.rules.has(Rule::ResourceAlarms) {
            self.look_at_memory(ctx);
        }
    }

    fn look_at_memory(&mut self, ctx: &mut Context<'_, Message>) {
        if self.node.status != Status::Running {
            return;
        }
        let settings = &self.node.config.settings;
        let memory = settings.memory[self.node.me.index()];
        let watermark = self.node.alarms.watermark.unwrap_or(settings.vm_memory_high_watermark);
        let limit = watermark.of(memory);
        let page_from = settings.paging_ratio.of(limit);
        let pages = settings.rules.has(Rule::QueuesPageOut);
        let limited = settings.rules.has(Rule::FewMessagesInMemory);
        let mut in_queues = 0;
        for process in self.processes.iter().flatten() {
            match process {
                Process::Replica(replica) => in_queues += replica.base.memory(limited),
                Process::Member(member) => in_queues += member.state().0.memory(),
                _ => {}
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
                    let share = u128::from(replica.base.memory(false)) * u128::from(keep);
                    let keep = (share / u128::from(in_queues)) as u64;
                    ctx.tell(replica.me().lane, QueueMessage::ReduceMemory { keep }.into());
                }
            }
        }
    }
}

impl Base {
    /// What its messages take in memory; `limited` is a queue that keeps few there.
    fn memory(&self, limited: bool) -> u64 {
        let held = match limited {
            true => self.bq.memory_of_first(MOST_IN_MEMORY),
            false => self.bq.memory(),
        };
        let waiting = self.senders.iter().flat_map(|sender| &sender.waiting);
        held + waiting.map(|(_, message, _)| size(*message)).sum::<u64>()
    }

    /// rabbit_variable_queue.erl `reduce_memory_use`: the oldest messages stay, the others leave
    /// memory. Those that no journal has are written first.
    pub(in super::super) fn reduce_memory(
        &mut self,
        node: &Node,
        ctx: &mut Context<'_, Message>,
        keep: u64,
    ) {
        let Some(PagedOut { moved, unwritten }) = self.bq.page_out(keep) else { return };
        ctx.spend(node.config.costs.page_message * moved);
        if unwritten > 0 && ctx.write(Node::paging_file(self.queue), unwritten).is_err() {
            // A full disk has raised its own alarm; what cannot be written stays in memory.
            self.bq.keep_in_memory();
        }
    }

    /// The next message may be on the disk only: it is read.
    pub(in super::super) fn page_in(
        &mut self,
        node: &Node,
        ctx: &mut Context<'_, Message>,
        id: QueueSeq,
    ) {
        let Some(last) = self.bq.page_in(id) else { return };
        ctx.spend(node.config.costs.page_message);
        if last {
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
