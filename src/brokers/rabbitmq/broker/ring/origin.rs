//! What a ring member keeps of what another has broadcast, and what that comes to on the wire.

use std::collections::VecDeque;

use super::super::super::message::Pid;
use super::super::super::message::ring::{Activity, Instruction};

/// Bytes of ring traffic beside the payloads: view, origin, numbers.
const ACTIVITY_BYTES: u64 = 120;
/// Bytes of an instruction beside its payload.
const INSTRUCTION_BYTES: u64 = 60;
/// Bytes of the serialised message around a payload.
const ENVELOPE_BYTES: u64 = 160;

impl Instruction {
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Instruction::Publish { message, .. } => {
                let body = u64::from(message.bytes) * u64::from(message.count);
                INSTRUCTION_BYTES + ENVELOPE_BYTES + body
            }
            _ => INSTRUCTION_BYTES,
        }
    }
}

/// What so many instructions and a head come to on the wire; a message of the world has 4 GiB at
/// most.
pub(super) fn wire_bytes<'a>(instructions: impl Iterator<Item = &'a Instruction>) -> u32 {
    let bytes = ACTIVITY_BYTES + instructions.map(Instruction::bytes).sum::<u64>();
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// What a member keeps of one origin's broadcasts.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) origin: Pid,
    /// Number of the first entry of `log`; all below are acknowledged.
    pub(super) log_first: u64,
    pub(super) log: VecDeque<Instruction>,
    /// Arrived ahead of their turn, over another connection.
    pub(super) early: Vec<Activity>,
}

impl Origin {
    pub(super) fn next(&self) -> u64 {
        self.log_first + self.log.len() as u64
    }

    pub(super) fn forget_below(&mut self, acknowledged: u64) {
        while self.log_first < acknowledged && self.log.pop_front().is_some() {
            self.log_first += 1;
        }
    }
}
