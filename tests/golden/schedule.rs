//! The commands that every family has: time that passes, and faults.

use mqsim::engine::Time;
use mqsim::observe::{FaultId, NodeId};
use mqsim::world::fault::{ClientSide, Direction, FaultKind, Partition};
use mqsim::world::{PlannedFault, Target};

use super::{Command, Told, span};

/// What the first reading has found so far.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) now: Time,
    pub(crate) faults: Vec<PlannedFault>,
    /// Where clients are in a partition that does not say so.
    clients: ClientSide,
}

/// The commands that begin a fault of a node.
fn kind(command: &str) -> Option<FaultKind> {
    Some(match command {
        "kill" => FaultKind::Crash,
        "power-loss" => FaultKind::PowerLoss,
        "stop" => FaultKind::Stop,
        "wipe" => FaultKind::WipeDisk,
        "pause" => FaultKind::Pause,
        "fill-disk" => FaultKind::DiskFull,
        "stall-disk" => FaultKind::DiskStall,
        _ => return None,
    })
}

/// The command that ends a fault.
const fn ended_by(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::Partition(_) => "heal",
        FaultKind::Pause => "resume",
        FaultKind::DiskFull => "empty-disk",
        FaultKind::DiskStall => "unstall-disk",
        _ => "boot",
    }
}

impl Schedule {
    pub(crate) const fn new(clients: ClientSide) -> Schedule {
        Schedule { now: Time::ZERO, faults: Vec::new(), clients }
    }

    /// Notes what a command does if it is one of those that every family has; `host` finds a host
    /// by its name. Returns whether it was one.
    pub(crate) fn note(
        &mut self,
        command: &Command<'_>,
        host: impl Fn(&str) -> Told<NodeId>,
    ) -> Told<bool> {
        match command.name {
            "run" | "skip" => self.now += span(command.word(0)?)?,
            "boot" | "resume" | "empty-disk" | "unstall-disk" => {
                let target = Target::nodes(&[host(command.word(0)?)?]);
                self.end(|fault| fault.target == target && ended_by(&fault.kind) == command.name);
            }
            "partition" => {
                let sides = command.rest();
                let sides = sides.split('|').map(|side| {
                    let names = side.split_whitespace().next().unwrap_or("").split(',');
                    let nodes: Told<Vec<NodeId>> = names.map(&host).collect();
                    Ok(Target::nodes(&nodes?))
                });
                let between = sides.collect::<Told<Vec<Target>>>()?;
                self.partition(between, command);
            }
            "heal" => self.end(|fault| ended_by(&fault.kind) == "heal"),
            name => {
                let Some(kind) = kind(name) else { return Ok(false) };
                let target = Target::nodes(&[host(command.word(0)?)?]);
                self.begin(kind, target, command.rest());
            }
        }
        Ok(true)
    }

    fn partition(&mut self, between: Vec<Target>, command: &Command<'_>) {
        let clients = match command.value("clients") {
            Some("unaffected") => ClientSide::Unaffected,
            _ => self.clients,
        };
        let (direction, rejects) = (Direction::Both, command.has("reject"));
        let kind = FaultKind::Partition(Partition { between, direction, clients, rejects });
        self.begin(kind, Target::default(), command.rest());
    }

    fn begin(&mut self, kind: FaultKind, target: Target, text: String) {
        let id = FaultId(self.faults.len() as u32);
        let (at, lasts, waits, after_recovery) = (self.now, None, None, false);
        let fault = PlannedFault { id, at, lasts, kind, target, text, waits, after_recovery };
        self.faults.push(fault);
    }

    /// Ends the faults that are in force and that are meant.
    fn end(&mut self, meant: impl Fn(&PlannedFault) -> bool) {
        let now = self.now;
        let open = self.faults.iter_mut().filter(|fault| fault.lasts.is_none());
        for fault in open.filter(|fault| meant(fault)) {
            fault.lasts = Some(now.since(fault.at));
        }
    }
}
