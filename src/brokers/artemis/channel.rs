//! A session's channel (`ChannelImpl`), one end of it: with a confirmation window it keeps what the other end has
//! not confirmed, and sends it again when the session is attached to another connection.

use std::collections::VecDeque;

use crate::world::{ConnId, Context};

use super::message::{Message, PACKET};

/// One end of a channel.
#[derive(Clone, Debug, Default)]
pub struct Channel {
    /// `confirmationWindowSize`; 0 for none.
    window: u32,
    /// What was sent and not confirmed (`resendCache`).
    kept: VecDeque<(Message, u32)>,
    /// How many packets were confirmed.
    confirmed: u32,
    /// How many packets have come.
    received: u32,
    /// Bytes of those that were not confirmed to the other end.
    unconfirmed: u64,
}

impl Channel {
    /// One that nothing was sent on.
    #[must_use]
    pub fn new(window: u32) -> Channel {
        Channel { window, ..Channel::default() }
    }

    /// Whether its session can be attached to another connection.
    #[must_use]
    pub const fn can_reattach(&self) -> bool {
        self.window > 0
    }

    /// How many packets have come.
    #[must_use]
    pub const fn received(&self) -> u32 {
        self.received
    }

    /// Sends a packet, now or with the next connection.
    pub fn send(
        &mut self,
        conn: Option<ConnId>,
        packet: Message,
        bytes: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        if self.can_reattach() {
            self.kept.push_back((packet.clone(), bytes));
        }
        if let Some(conn) = conn {
            ctx.send(conn, packet, bytes);
        }
    }

    /// A packet of so many bytes has come: it may be time to confirm.
    pub fn came(&mut self, conn: ConnId, bytes: u32, ctx: &mut Context<'_, Message>) {
        if !self.can_reattach() {
            return;
        }
        self.received += 1;
        self.unconfirmed += u64::from(bytes);
        if self.unconfirmed >= u64::from(self.window) {
            self.unconfirmed = 0;
            ctx.send(conn, Message::Confirmed(self.received), PACKET);
        }
    }

    /// The other end has had so many packets.
    pub fn confirm(&mut self, received: u32) {
        while self.confirmed < received && self.kept.pop_front().is_some() {
            self.confirmed += 1;
        }
    }

    /// The session goes on over this connection, of which the other end has had so many packets
    /// (`replayCommands`); how many are sent again.
    pub fn reattach(
        &mut self,
        conn: ConnId,
        received: u32,
        ctx: &mut Context<'_, Message>,
    ) -> usize {
        self.confirm(received);
        for (packet, bytes) in &self.kept {
            ctx.send(conn, packet.clone(), *bytes);
        }
        self.kept.len()
    }
}
