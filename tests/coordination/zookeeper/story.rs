//! Tells a script of ZooKeeper. Its commands, beside those of every family:
//!
//! | command | what it does |
//! | --- | --- |
//! | `cluster servers=3 [tick=2s] [forceSync=no] [seed=1]` | the servers zk1, zk2, ...; the first command |
//! | `connect c1 zk1,zk2 [timeout=6s]` | the client c1 begins a session |
//! | `create c1 /a [1] [ephemeral] [sequential]` | |
//! | `set c1 /a 2 [version=0]`, `delete c1 /a [version=0]` | |
//! | `exists c1 /a [watch]`, `get c1 /a [watch]`, `children c1 /a [watch]` | |
//! | `sync c1`, `close c1` | |
//! | `fill c1 /a 600` | so many `set` at once |
//! | `multi c1 check /a 0, set /a 2, delete /b` | all or none |
//! | `tree zk1` | what a server has committed |

use mqsim::brokers::coordination::zookeeper::{Mode, Op, Path, check};
use mqsim::engine::{Span, Time};
use mqsim::observe::{Event, NodeId, NodeState, Observer};
use mqsim::world::Simulation;
use mqsim::world::fault::ClientSide;

use super::family::{Action, Actor, Actors, Client, Plan, Value, WORDS};
use crate::golden::{self, Command, Schedule, Script, Told, became, clock, read, span};

/// Writes down what servers report and what happens to processes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diary(Vec<(Time, NodeId, String)>);

impl Observer for Diary {
    fn node(&mut self, at: Time, node: NodeId, state: NodeState) {
        if state != NodeState::Up {
            self.0.push((at, node, became(state).to_owned()));
        }
    }

    fn event(&mut self, at: Time, event: Event) {
        let word = WORDS[event.word.index()];
        let text = match (event.subject, event.count) {
            (Some(subject), _) => format!("{word} zk{}", subject.0 + 1),
            (None, 0) => word.to_owned(),
            (None, count) => format!("{word} ({count})"),
        };
        self.0.push((at, event.node, text));
    }
}

/// The first reading.
struct Planner {
    plan: Plan,
    schedules: Vec<(String, Vec<(Time, Action)>)>,
    /// Time and faults.
    world: Schedule,
}

impl Planner {
    fn read(script: &Script) -> Told<Plan> {
        let plan = Plan {
            clock: mqsim::world::By::Monotonic,
            servers: 1,
            tick: Span::from_secs(2),
            force_sync: true,
            fsync: Span::from_millis(5),
            seed: 1,
            planted: Vec::new(),
            clients: Vec::new(),
            faults: Vec::new(),
        };
        let world = Schedule::new(ClientSide::Unaffected);
        let mut planner = Planner { plan, schedules: Vec::new(), world };
        // All clients have hosts from the start.
        read(script, |command| {
            let name = command.word(0).unwrap_or("").to_owned();
            if command.name == "connect" && !planner.schedules.iter().any(|(one, _)| *one == name) {
                planner.schedules.push((name, Vec::new()));
            }
            Ok(())
        })?;
        read(script, |command| planner.command(command))?;
        planner.plan.faults = planner.world.faults;
        planner.plan.clients = planner
            .schedules
            .into_iter()
            .map(|(name, schedule)| (name, Client::new(schedule, false)))
            .collect();
        Ok(planner.plan)
    }

    fn command(&mut self, command: &Command<'_>) -> Told<()> {
        let (schedules, servers) = (&self.schedules, self.plan.servers);
        if self.world.note(command, |name| host(schedules, servers, name))? {
            return Ok(());
        }
        match command.name {
            "cluster" => {
                self.plan.servers = command.number("servers", 1)?;
                self.plan.tick = command.span("tick", Span::from_secs(2))?;
                self.plan.force_sync = command.value("forceSync") != Some("no");
                self.plan.seed = command.number("seed", 1)?.into();
            }
            "tree" => {}
            "fill" => {
                let path = Path::from(command.word(1)?);
                let count = command.word(2)?.parse().map_err(|_| "`fill` wants a number")?;
                for number in 1..=count {
                    let data = Some(Value(number));
                    let set = Op::SetData { path: path.clone(), data, version: None };
                    self.schedule(command, Action::Ask(set))?;
                }
            }
            _ => self.schedule(command, self.action(command)?)?,
        }
        Ok(())
    }

    fn schedule(&mut self, command: &Command<'_>, action: Action) -> Told<()> {
        let name = command.word(0)?;
        let client = self.schedules.iter_mut().find(|(known, _)| known == name);
        let (_, schedule) = client.ok_or_else(|| format!("`{name}` never connects"))?;
        schedule.push((self.world.now, action));
        Ok(())
    }

    fn action(&self, command: &Command<'_>) -> Told<Action> {
        Ok(match command.name {
            "connect" => {
                let servers: Told<Vec<NodeId>> =
                    command.word(1)?.split(',').map(|name| self.host(name)).collect();
                Action::Open(servers?, command.span("timeout", Span::from_secs(6))?)
            }
            "close" => Action::Close,
            "sync" => Action::Ask(Op::Sync),
            "multi" => {
                let text = command.rest();
                let (_, text) = text.split_once(' ').ok_or("`multi` wants operations")?;
                let ops: Told<Vec<Op<Value>>> = text
                    .split(", ")
                    .map(|text| {
                        let (name, rest) = text.split_once(' ').ok_or("an operation has a path")?;
                        op(&Command::parse(&format!("{name} - {rest}")))
                    })
                    .collect();
                Action::Ask(Op::Multi(ops?))
            }
            _ => Action::Ask(op(command)?),
        })
    }

    fn host(&self, name: &str) -> Told<NodeId> {
        host(&self.schedules, self.plan.servers, name)
    }
}

/// A server, or a client: these come after the servers, as they connect.
fn host(schedules: &[(String, Vec<(Time, Action)>)], servers: u32, name: &str) -> Told<NodeId> {
    let client = schedules.iter().position(|(known, _)| known == name);
    let server = (0..servers).find(|index| *name == format!("zk{}", index + 1)).map(NodeId);
    let client = client.map(|index| NodeId(servers + index as u32));
    server.or(client).ok_or_else(|| format!("there is no host `{name}`"))
}

fn op(command: &Command<'_>) -> Told<Op<Value>> {
    let path = Path::from(command.word(1)?);
    let watch = command.has("watch");
    let number = |text: &str| text.parse::<u32>().map_err(|_| format!("`{text}` is no number"));
    let version = command.value("version").map(number).transpose()?;
    let value = |text: &str| number(text).ok().map(Value);
    Ok(match command.name {
        "create" => Op::Create {
            path,
            data: command.word(2).ok().and_then(value),
            mode: Mode {
                ephemeral: command.has("ephemeral"),
                sequential: command.has("sequential"),
            },
        },
        "delete" => Op::Delete { path, version },
        "set" => Op::SetData { path, data: Some(Value(number(command.word(2)?)?)), version },
        "get" => Op::GetData { path, watch },
        "exists" => Op::Exists { path, watch },
        "children" => Op::GetChildren { path, watch },
        "check" => Op::Check { path, version: number(command.word(2)?)? },
        other => return Err(format!("there is no command `{other}`")),
    })
}

/// The second reading: the run.
pub(crate) struct Story {
    hosts: Vec<String>,
    plan: Plan,
    simulation: Simulation<Actors, Diary>,
    now: Time,
}

impl golden::Story for Story {
    fn begin(script: &Script) -> Told<Story> {
        let plan = Planner::read(script)?;
        let setup = plan.setup(Span::from_secs(1_000_000), Span::ZERO);
        let simulation = Simulation::<Actors, Diary>::new(setup, Diary::default());
        let simulation = simulation.map_err(|error| format!(" {error}"))?;
        Ok(Story { hosts: plan.hosts(), plan, simulation, now: Time::ZERO })
    }

    fn step(&mut self, command: &Command<'_>) -> Told<Vec<String>> {
        match command.name {
            "run" | "skip" => {
                let from = self.now;
                let until = from + span(command.word(0)?)?;
                while self.now < until {
                    self.now = until.min(self.now + Span::from_millis(1));
                    self.simulation.run_until(self.now).map_err(|error| error.to_string())?;
                    let servers: Vec<_> =
                        self.simulation.machines().iter().filter_map(Actor::server).collect();
                    check(&servers)?;
                }
                let lines = self.lines(from);
                Ok(if command.name == "run" { lines } else { Vec::new() })
            }
            "tree" => {
                let index = self.hosts.iter().position(|host| Ok(host.as_str()) == command.word(0));
                let machine = &self.simulation.machines()[index.ok_or("no such host")?];
                let server = machine.server().ok_or("no server")?;
                let line = |(path, node): (&Path, &_)| {
                    let node: &mqsim::brokers::coordination::zookeeper::Znode<Value> = node;
                    let data = node.data.map_or(String::new(), |Value(value)| format!(" {value}"));
                    format!("{path}{data}")
                };
                Ok(server.tree().iter().skip(1).map(line).collect())
            }
            _ => Ok(Vec::new()),
        }
    }
}

impl Story {
    fn lines(&self, from: Time) -> Vec<String> {
        let mut lines: Vec<(Time, usize, &str)> = Vec::new();
        let diary = &self.simulation.observer().0;
        lines.extend(diary.iter().map(|(at, node, text)| (*at, node.index(), text.as_str())));
        for (index, machine) in self.simulation.machines().iter().enumerate() {
            let trace = machine.client().map(|client| client.trace.as_slice()).unwrap_or_default();
            lines.extend(trace.iter().map(|(at, text)| (*at, index, text.as_str())));
        }
        // Clients need not be told to boot.
        lines.retain(|(at, host, text)| {
            (from..self.now).contains(at)
                && (*text != "boots" || *host < self.plan.servers as usize)
        });
        lines.sort_by_key(|(at, host, _)| (*at, *host));
        let line = |(at, host, text): &(Time, usize, &str)| {
            format!("{:>11}  {} {text}", clock(*at), self.hosts[*host])
        };
        lines.iter().map(line).collect()
    }
}
