//! `autoheal` (rabbit_autoheal.erl v3.10).
//!
//! A node that is at odds with another and sees all members asks the leader, the first member by
//! name, to heal. The leader asks all others what they see, forms the partitions and picks the
//! winner: the partition with most clients, of equals the one with most nodes. Its first node tells
//! all nodes of the others to stop RabbitMQ. When all have, it tells them that it is safe to start,
//! and they join it.

use crate::engine::Span;
use crate::observe::NodeId;
use crate::world::{Context, Lane};

use super::super::super::message::Message;
use super::super::super::message::monitor::{MonitorMessage, View, Word};
use super::super::super::rules::Rule;
use super::super::super::words::event;
use super::super::{Broker, Node, Process, Status};
use super::monitor::Outside;

/// A loser waits no longer for the winner's word (`autoheal_state_transition_timeout`).
const STATE_TRANSITION_TIMEOUT: Span = Span::from_secs(60);
/// A winner repeats its word to losers that have not stopped after so long
/// (rabbit_autoheal.erl: `wait_for_supervisors`).
const RENOTIFY: Span = Span::from_secs(60);

/// How far a healing has come at this node.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Healing {
    /// `not_healing`.
    #[default]
    Not,
    /// The leader asks the others what they see.
    Polling {
        /// Who has not answered.
        waiting: Vec<NodeId>,
        /// What those who have answered see.
        views: Vec<View>,
        /// Whether somebody could not be asked.
        bad: bool,
    },
    /// The leader waits for the winner's report.
    LeaderWaiting {
        /// Who won.
        winner: NodeId,
        /// Who lost.
        losers: Vec<NodeId>,
    },
    /// The winner waits for these to stop.
    WinnerWaiting {
        /// Who has not stopped.
        waits: Vec<NodeId>,
        /// Who is to be told that it is safe to start.
        notify: Vec<NodeId>,
    },
    /// A loser stops and starts.
    Restarting,
}

impl Node {
    fn say(&mut self, ctx: &mut Context<'_, Message>, to: NodeId, word: Word) {
        let message = MonitorMessage::Autoheal { from: self.me, word: Box::new(word) };
        self.send_node(ctx, to, message);
    }

    /// The first member by name.
    fn healing_leader(&self) -> NodeId {
        self.members().min().unwrap_or(self.me)
    }

    /// rabbit_node_monitor.erl `maybe_autoheal`: it begins once all members are connected.
    pub(crate) fn maybe_autoheal(&mut self, ctx: &mut Context<'_, Message>) {
        let at_odds = !self.monitor.partitions.is_empty();
        let settings = &self.config.settings;
        let enabled =
            settings.partition_handling.heals() && settings.rules.has(Rule::AutohealRestartsLosers);
        if at_odds && enabled && self.monitor.healing == Healing::Not && self.all_nodes_up() {
            self.say(ctx, self.healing_leader(), Word::RequestStart);
        }
    }

    /// rabbit_node_monitor.erl `status`: a call to all others, which connects to those that are not
    /// connected yet. What these see is what they see at the first moment of their heal: not yet
    /// that Mnesia has gone on there without the leader's.
    fn poll(&mut self, ctx: &mut Context<'_, Message>, own: View) {
        let others: Vec<NodeId> = self.peers.iter().map(|peer| peer.node).collect();
        for &node in &others {
            if self.sees(node) {
                self.say(ctx, node, Word::Status);
            } else {
                self.set_up(ctx, node);
            }
        }
        let down = self.down_peers();
        let waiting = others.into_iter().filter(|node| !down.contains(node)).collect();
        let (views, bad) = (vec![own], !down.is_empty());
        self.monitor.healing = Healing::Polling { waiting, views, bad };
    }

    fn polls(&self, node: NodeId) -> bool {
        matches!(&self.monitor.healing, Healing::Polling { waiting, .. } if waiting.contains(&node))
    }

    /// A node is connected: it is asked if it was to be.
    pub(crate) fn autoheal_connected(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        if self.polls(node) {
            self.say(ctx, node, Word::Status);
        }
    }

    /// A node cannot be connected.
    pub(crate) fn autoheal_unreachable(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        if self.polls(node) {
            self.autoheal_node_down(ctx, node);
        }
    }

    /// A node is lost (rabbit_autoheal.erl `node_down`), or RabbitMQ has stopped there.
    pub(crate) fn autoheal_node_down(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        match &mut self.monitor.healing {
            // A loser that restarts is RabbitMQ's affair, not the node monitor's, which ends.
            Healing::Not | Healing::Restarting => {}
            Healing::Polling { waiting, bad, .. } => {
                waiting.retain(|waits| *waits != node);
                *bad = true;
                self.decide(ctx);
            }
            Healing::LeaderWaiting { winner, .. } if *winner != node => {}
            Healing::LeaderWaiting { .. } => self.aborted(ctx, node),
            Healing::WinnerWaiting { waits, .. } => {
                waits.retain(|waits| *waits != node);
                self.aborted(ctx, node);
                self.finish_if_all_stopped(ctx);
            }
        }
    }

    fn aborted(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        let (now, event) = (ctx.now(), self.own_event(event::AUTOHEAL_ABORTED, Some(node)));
        ctx.observer().event(now, event);
        if matches!(self.monitor.healing, Healing::LeaderWaiting { .. }) {
            self.monitor.healing = Healing::Not;
        }
    }

    /// rabbit_autoheal.erl `rabbit_down`: RabbitMQ has stopped on a node.
    pub(crate) fn autoheal_rabbit_down(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        match &mut self.monitor.healing {
            Healing::WinnerWaiting { waits, .. } => {
                waits.retain(|waits| *waits != node);
                self.finish_if_all_stopped(ctx);
            }
            Healing::LeaderWaiting { winner, .. } if *winner == node => self.aborted(ctx, node),
            Healing::Polling { .. } => self.autoheal_node_down(ctx, node),
            _ => {}
        }
    }

    /// rabbit_autoheal.erl `winner_finish`.
    fn finish_if_all_stopped(&mut self, ctx: &mut Context<'_, Message>) {
        let Healing::WinnerWaiting { waits, notify } = &self.monitor.healing else { return };
        if !waits.is_empty() {
            return;
        }
        for node in notify.clone() {
            if self.sees(node) {
                self.say(ctx, node, Word::SafeToStart);
            }
        }
        self.monitor.healing = Healing::Not;
        self.say(ctx, self.healing_leader(), Word::Finished);
    }

    /// rabbit_autoheal.erl `stop_partition`: tells the losers, if all of them run.
    fn become_winner(&mut self, ctx: &mut Context<'_, Message>, losers: Vec<NodeId>) {
        let (now, event) = (ctx.now(), self.own_event(event::AUTOHEAL_WINNER, None));
        ctx.observer().event(now, event);
        let down = losers.iter().find(|node| !self.sees(**node) || !self.rabbit_runs(**node));
        let down = down.copied();
        let runs = |node: &NodeId| self.sees(*node) && self.rabbit_runs(*node);
        let waits: Vec<NodeId> = losers.iter().copied().filter(runs).collect();
        if let Some(down) = down {
            self.aborted(ctx, down);
        } else {
            for &loser in &losers {
                self.say(ctx, loser, Word::WinnerIs);
            }
        }
        self.monitor.healing = Healing::WinnerWaiting { waits, notify: losers };
        ctx.after(RENOTIFY, Lane::MAIN, MonitorMessage::AutohealRenotify.into());
        self.finish_if_all_stopped(ctx);
    }

    /// Whether this node has won and some losers have not stopped, so that it will tell them again.
    pub(crate) fn tells_losers_again(&self) -> bool {
        matches!(&self.monitor.healing, Healing::WinnerWaiting { waits, .. } if !waits.is_empty())
    }

    /// A minute later some losers have not stopped: they are told again.
    pub(crate) fn autoheal_renotify(&mut self, ctx: &mut Context<'_, Message>) {
        let Healing::WinnerWaiting { waits, .. } = &self.monitor.healing else { return };
        for loser in waits.clone() {
            self.say(ctx, loser, Word::WinnerIs);
        }
        ctx.after(RENOTIFY, Lane::MAIN, MonitorMessage::AutohealRenotify.into());
    }

    /// A loser that has stopped waits for the winner's word.
    pub(crate) fn await_safe_to_start(&self, ctx: &mut Context<'_, Message>) {
        let start = self.start;
        ctx.after(
            STATE_TRANSITION_TIMEOUT,
            Lane::MAIN,
            MonitorMessage::AutohealTimeout { start }.into(),
        );
    }

    /// All have told what they see, or could not be asked: who wins?
    fn decide(&mut self, ctx: &mut Context<'_, Message>) {
        let Healing::Polling { waiting, views, bad } = &mut self.monitor.healing else { return };
        if !waiting.is_empty() {
            return;
        }
        let (views, bad) = (std::mem::take(views), *bad);
        self.monitor.healing = Healing::Not;
        let members: Vec<NodeId> = self.members().collect();
        // The leader's own view is what it was before it asked: whom it sees by now is not looked at.
        let others = views.iter().filter(|view| view.node != self.me);
        let mut others = others.map(|view| &view.nodes);
        if bad || others.any(|nodes| members.iter().any(|node| !nodes.contains(node))) {
            let (now, event) = (ctx.now(), self.own_event(event::AUTOHEAL_DENIED, None));
            ctx.observer().event(now, event);
            return;
        }
        let (winner, losers) = decision(&members, &views);
        if losers.is_empty() {
            return;
        }
        if winner == self.me {
            self.become_winner(ctx, losers);
        } else {
            self.say(ctx, winner, Word::BecomeWinner(losers.clone()));
            self.monitor.healing = Healing::LeaderWaiting { winner, losers };
        }
    }

    fn view(&self, connections: u32) -> View {
        let connected = self.peers.iter().map(|peer| peer.node).filter(|node| self.sees(*node));
        View {
            node: self.me,
            partitions: self.monitor.partitions.clone(),
            nodes: std::iter::once(self.me).chain(connected).collect(),
            connections,
        }
    }
}

/// rabbit_autoheal.erl `all_partitions`: each node's view splits the partition that it is in.
/// `make_decision`: the greatest wins, by clients, then by nodes, then by the order of the list;
/// its first node is the winner, all nodes of the others are the losers.
fn decision(members: &[NodeId], views: &[View]) -> (NodeId, Vec<NodeId>) {
    let mut partitions = vec![members.to_vec()];
    for view in views {
        let Some(at) = partitions.iter().position(|nodes| nodes.contains(&view.node)) else {
            continue;
        };
        let (unseen, seen): (Vec<NodeId>, Vec<NodeId>) =
            partitions[at].iter().partition(|node| view.partitions.contains(node));
        if !seen.is_empty() && !unseen.is_empty() {
            partitions.remove(at);
            partitions.splice(0..0, [seen, unseen]);
        }
    }
    let clients = |nodes: &[NodeId]| -> u32 {
        let of = views.iter().filter(|view| nodes.contains(&view.node));
        of.map(|view| view.connections).sum()
    };
    partitions.sort_by_cached_key(|nodes| (clients(nodes), nodes.len(), nodes.clone()));
    let winners = partitions.pop().unwrap_or_default();
    let losers = partitions.into_iter().rev().flatten().collect();
    (winners.first().copied().unwrap_or(members[0]), losers)
}

impl Broker {
    /// A word of another node monitor, or of this one.
    pub(crate) fn autoheal(&mut self, ctx: &mut Context<'_, Message>, from: NodeId, word: Word) {
        if self.node.status != Status::Running {
            match word {
                Word::Status => self.node.say(ctx, from, Word::Seen(None)),
                Word::SafeToStart => self.safe_to_start(ctx, true),
                _ => {}
            }
            return;
        }
        let healing = self.node.monitor.healing.clone();
        match (word, healing) {
            (Word::Status, _) => {
                let view = self.node.view(self.connections());
                self.node.say(ctx, from, Word::Seen(Some(view)));
            }
            (Word::RequestStart, Healing::Not) => {
                let (now, event) = (ctx.now(), self.node.own_event(event::AUTOHEAL, Some(from)));
                ctx.observer().event(now, event);
                let own = self.node.view(self.connections());
                self.node.poll(ctx, own);
                self.node.decide(ctx);
            }
            (Word::Seen(view), Healing::Polling { mut waiting, mut views, bad })
                if waiting.contains(&from) =>
            {
                waiting.retain(|waits| *waits != from);
                let bad = bad || view.is_none();
                views.extend(view);
                self.node.monitor.healing = Healing::Polling { waiting, views, bad };
                self.node.decide(ctx);
            }
            (Word::BecomeWinner(losers), Healing::Not) => self.node.become_winner(ctx, losers),
            (Word::BecomeWinner(losers), Healing::WinnerWaiting { notify, .. })
                if losers == notify =>
            {
                self.node.become_winner(ctx, losers);
            }
            (Word::BecomeWinner(_), Healing::WinnerWaiting { .. }) => {}
            (Word::WinnerIs, Healing::Not | Healing::Polling { .. }) => {
                self.lose(ctx, from, Healing::Not);
            }
            (Word::WinnerIs, healing @ Healing::LeaderWaiting { .. }) => {
                if matches!(healing, Healing::LeaderWaiting { winner, .. } if winner == from) {
                    self.lose(ctx, from, healing);
                }
            }
            (Word::Report, Healing::Not) => self.node.say(ctx, from, Word::Finished),
            (Word::Finished, Healing::LeaderWaiting { winner, .. }) if winner == from => {
                self.node.monitor.healing = Healing::Not;
            }
            _ => {}
        }
    }

    /// rabbit_autoheal.erl `restart_loser`.
    fn lose(&mut self, ctx: &mut Context<'_, Message>, winner: NodeId, keeps: Healing) {
        if self.node.monitor.outside.is_some() {
            return;
        }
        let (now, event) = (ctx.now(), self.node.own_event(event::AUTOHEAL_LOSER, Some(winner)));
        ctx.observer().event(now, event);
        self.node.monitor.outside = Some(Outside::Restart { winner, keeps });
        self.node.monitor.healing = Healing::Restarting;
        self.node.stop_rabbit_soon(ctx);
    }

    /// The winner's word has come (`safe`), or the winner has gone, or has not spoken in time.
    pub(crate) fn safe_to_start(&mut self, ctx: &mut Context<'_, Message>, safe: bool) {
        if self.node.status != Status::Paused {
            return;
        }
        if let Some(Outside::Restart { keeps, .. }) = self.node.monitor.outside.take() {
            self.node.monitor.healing = if safe { keeps } else { Healing::Not };
            self.start_rabbit_again(ctx);
        }
    }

    /// RabbitMQ is up again: a leader that has lost asks the winner how far it is
    /// (rabbit_autoheal.erl: `init`).
    pub(crate) fn autoheal_after_restart(&mut self, ctx: &mut Context<'_, Message>) {
        if let Healing::LeaderWaiting { winner, .. } = self.node.monitor.healing {
            self.node.say(ctx, winner, Word::Report);
        }
    }

    /// The winner is gone while this loser waits for its word.
    pub(crate) fn winner_gone(&mut self, ctx: &mut Context<'_, Message>, node: NodeId) {
        let waits = match self.node.monitor.outside {
            Some(Outside::Restart { winner, .. }) => winner == node,
            _ => false,
        };
        if waits && self.node.status == Status::Paused {
            self.safe_to_start(ctx, false);
        }
    }

    fn connections(&self) -> u32 {
        let channels = self.processes.iter().flatten();
        channels.filter(|process| matches!(process, Process::Channel(_))).count() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(node: u32, partitions: &[u32], connections: u32) -> View {
        let node = NodeId(node);
        let partitions = partitions.iter().copied().map(NodeId).collect();
        View { node, partitions, nodes: Vec::new(), connections }
    }

    fn nodes(ids: &[u32]) -> Vec<NodeId> {
        ids.iter().copied().map(NodeId).collect()
    }

    #[test]
    fn the_side_with_most_clients_wins_though_it_is_the_smaller_one() {
        let views = [view(0, &[1, 2], 3), view(1, &[0], 1), view(2, &[0], 1)];
        assert_eq!(decision(&nodes(&[0, 1, 2]), &views), (NodeId(0), nodes(&[1, 2])));
    }

    #[test]
    fn of_equal_clients_the_side_with_most_nodes_wins() {
        let views = [view(0, &[1, 2], 2), view(1, &[0], 1), view(2, &[0], 1)];
        assert_eq!(decision(&nodes(&[0, 1, 2]), &views), (NodeId(1), nodes(&[0])));
    }

    #[test]
    fn three_sides_have_one_winner() {
        let views = [view(0, &[1, 2], 0), view(1, &[0, 2], 5), view(2, &[0, 1], 1)];
        let (winner, losers) = decision(&nodes(&[0, 1, 2]), &views);
        assert_eq!((winner, losers), (NodeId(1), nodes(&[2, 0])));
    }

    #[test]
    fn of_equal_sides_the_last_in_order_wins() {
        let views = [view(0, &[1], 0), view(1, &[0], 0)];
        assert_eq!(decision(&nodes(&[0, 1]), &views), (NodeId(1), nodes(&[0])));
    }
}
