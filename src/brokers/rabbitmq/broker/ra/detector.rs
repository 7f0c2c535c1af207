//! aten: which other nodes are silent (aten_detector.erl v0.6).
//!
//! Every node says something to every other ten times a second. Every few seconds a node looks how
//! long the others have been silent: one is down if 99 of 100 pauses between its heartbeats were
//! shorter than two thirds of that.

use std::collections::VecDeque;

use crate::engine::{Span, Time};
use crate::observe::NodeId;
use crate::world::{Context, Lane};

use super::super::super::message::Message;
use super::super::super::message::node::NodeMessage;
use super::super::super::message::ra::RaMessage;
use super::super::super::rules::Rule;
use super::super::{Broker, Node};

/// Pauses that are remembered (aten_detect.erl: `?MAX_SAMPLES`).
const SAMPLES: usize = 1_000;
/// Bytes of a heartbeat.
const BEAT_BYTES: u32 = 40;

/// What is known of another node.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    last: Option<Time>,
    pauses: VecDeque<Span>,
    down: bool,
}

impl Heard {
    fn beat(&mut self, now: Time) {
        if let Some(last) = self.last {
            if self.pauses.len() == SAMPLES {
                self.pauses.pop_front();
            }
            self.pauses.push_back(now.since(last));
        }
        self.last = Some(now);
    }

    /// aten_detect.erl `get_failure_probability`: the share of pauses that, scaled, were shorter
    /// than the present silence.
    fn is_silent(&self, now: Time) -> bool {
        let Some(last) = self.last else { return false };
        let silence = now.since(last);
        // `scaling_factor` 1.5, `detection_threshold` 0.99.
        let shorter = self.pauses.iter().filter(|pause| **pause * 3 / 2 <= silence).count();
        !self.pauses.is_empty() && shorter * 100 >= self.pauses.len() * 99
    }

    /// The connection is gone, and with it all that was known.
    pub(crate) fn forget(&mut self) {
        *self = Heard::default();
    }
}

impl Broker {
    /// aten starts with its node.
    pub(crate) fn start_detector(&mut self, ctx: &mut Context<'_, Message>) {
        let settings = &self.node.config.settings;
        let (beat, poll) = (settings.aten_heartbeat, settings.aten_poll);
        let first = ctx.first_round(beat);
        ctx.after(first, Lane::MAIN, NodeMessage::BeatTimer.into());
        let first = ctx.first_round(poll);
        ctx.after(first, Lane::MAIN, NodeMessage::AtenPoll.into());
    }
}

impl Node {
    /// A word to every node that is connected.
    pub(crate) fn beat(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(self.config.settings.aten_heartbeat, Lane::MAIN, NodeMessage::BeatTimer.into());
        let from = self.me;
        for node in self.connected() {
            self.send_to_main(ctx, node, NodeMessage::Beat { from }, BEAT_BYTES);
        }
    }

    /// A node is heard.
    pub(crate) fn heard(&mut self, ctx: &Context<'_, Message>, from: NodeId) {
        let now = ctx.monotonic();
        if let Some(peer) = self.peer(from) {
            peer.heard.beat(now);
        }
    }

    /// aten_detector.erl `handle_info(poll)`: tells the members what has changed.
    pub(crate) fn poll_detector(&mut self, ctx: &mut Context<'_, Message>) {
        ctx.after(self.config.settings.aten_poll, Lane::MAIN, NodeMessage::AtenPoll.into());
        let now = ctx.monotonic();
        let mut changed = Vec::new();
        for peer in &mut self.peers {
            let down = peer.heard.is_silent(now);
            if std::mem::replace(&mut peer.heard.down, down) != down {
                changed.push((peer.node, down));
            }
        }
        if !self.config.settings.rules.has(Rule::SuspectSilentNodes) {
            return;
        }
        for (node, down) in changed {
            self.tell_members(ctx, &RaMessage::Suspected { node, down });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_longer_than_the_pauses_before_is_noticed() {
        let at = |millis: u64| Time::ZERO + Span::from_millis(millis);
        let mut heard = Heard::default();
        assert!(!heard.is_silent(at(5_000)), "nobody was heard yet");
        for beat in 0..=50 {
            heard.beat(at(beat * 100));
        }
        assert!(!heard.is_silent(at(5_149)));
        assert!(heard.is_silent(at(5_150)));
        heard.beat(at(6_000));
        assert!(!heard.is_silent(at(7_400)), "one pause in fifty was of a second");
        assert!(heard.is_silent(at(7_500)));
    }
}
