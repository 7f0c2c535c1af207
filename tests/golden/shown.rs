//! The story of a family whose scripts say before they begin what a scenario says, and then let time pass
//! and look at machines.

use mqsim::brokers::kit::machines::Holds;
use mqsim::brokers::kit::{Family, MachineOf};
use mqsim::observe::{DestinationId, NodeId, ProducerId};
use mqsim::world::fault::ClientSide;

use super::{Command, Manner, Run, Schedule, Script, Story, Told, Trace, host, read};

/// A family's own commands.
pub(crate) trait Shows: Family {
    /// How a script speaks of what is the family's own.
    const MANNER: Manner;
    /// Those that say what a scenario says.
    const SAYS: &'static [&'static str];
    /// Those that look at machines.
    const LOOKS: &'static [&'static str];

    /// What a script says before it begins.
    fn read(script: &Script) -> Told<Self>;

    /// Looks at machines by one of `LOOKS`.
    fn look(&self, machines: &[MachineOf<Self>], command: &Command<'_>) -> Told<Vec<String>>;

    /// What the machine of a host holds, if it is that.
    fn held<'a, T>(&self, machines: &'a [MachineOf<Self>], name: &str) -> Told<Option<&'a T>>
    where
        MachineOf<Self>: Holds<T>,
    {
        Ok(machines[host(self, name)?.index()].held())
    }
}

/// The run of a script.
pub(crate) struct Shown<F: Family> {
    spec: F,
    run: Run<F::Cluster, Trace>,
}

impl<F: Shows> Story for Shown<F> {
    fn begin(script: &Script) -> Told<Shown<F>> {
        let spec = F::read(script)?;
        let mut schedule = Schedule::new(ClientSide::Follow);
        read(script, |command| {
            let name = command.name;
            if schedule.note(command, |name| host(&spec, name))?
                || F::SAYS.contains(&name)
                || F::LOOKS.contains(&name)
            {
                return Ok(());
            }
            Err(format!("there is no command `{name}`"))
        })?;
        let run = Run::of(&spec, schedule.faults, F::MANNER)?;
        Ok(Shown { spec, run })
    }

    fn step(&mut self, command: &Command<'_>) -> Told<Vec<String>> {
        if let Some(told) = self.run.pass(command)? {
            return Ok(told);
        }
        match F::LOOKS.contains(&command.name) {
            true => self.spec.look(self.run.machines(), command),
            false => Ok(Vec::new()),
        }
    }
}

/// A message in a queue: its producer, and its number among that producer's.
type Sent = (u32, u32);

/// A line a queue: what waits in it, and who has what of it.
pub(crate) fn queues<F: Family>(
    spec: &F,
    contents: impl Fn(DestinationId) -> (Vec<Sent>, Vec<(NodeId, Sent)>),
) -> Vec<String> {
    let catalog = spec.catalog();
    let line = |(queue, name): (DestinationId, String)| {
        let (waiting, held) = contents(queue);
        let message =
            |(producer, number)| format!("{} {number}", catalog.producer(ProducerId(producer)));
        let mut parts: Vec<String> = waiting.into_iter().map(message).collect();
        parts.extend(held.into_iter().map(|(host, sent)| {
            let host = &catalog.nodes[host.index()].name;
            format!("{} at {host}", message(sent))
        }));
        format!("{name}: {}", parts.join(", ")).trim_end().to_owned()
    };
    (0..).map(DestinationId).zip(spec.destinations()).map(line).collect()
}
