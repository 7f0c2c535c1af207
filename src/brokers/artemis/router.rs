//! The router whose address stands in `network-check-list`: it answers pings, and does nothing else.

use crate::world::{Context, Input, Port, Signal, Wait};

use super::message::Message;

/// Where pings go.
pub const ECHO: Port = Port(7);

/// The router.
#[derive(Clone, Copy, Debug)]
pub struct Router;

impl Router {
    /// Handles one input: that it can be connected to is the answer.
    #[allow(clippy::unused_self, reason = "a machine is asked like every other")]
    pub fn handle(&mut self, input: Input<Message>, ctx: &mut Context<'_, Message>) {
        match input {
            Input::Boot(_) => ctx.listen(ECHO),
            Input::Signal(Signal::Stop) => ctx.exit(),
            _ => {}
        }
    }

    /// What it waits for.
    #[must_use]
    pub const fn waits_for(&self) -> Option<Wait> {
        None
    }
}
