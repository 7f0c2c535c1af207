//! Tells a script of RabbitMQ. Its commands, beside those of every family:
//!
//! | command | what it does |
//! | --- | --- |
//! | `cluster nodes=3 version=3.10 net-ticktime=60s net-setuptime=7s heartbeat=0s seed=1` | the brokers n1, n2, ...; the first command |
//! | `broker KEY=VALUE ...`, `rules NAME=false ...` | keys of the scenario's `[broker]` and `[rules]` |
//! | `queue orders on=n1 [transient] [mirrored] [ring=n1,n3,n2] [sync=automatic] [batch=N] [promote-on-failure=when-synced] [promote-on-shutdown=always] [KEY=VALUE ...]` | declares a queue before the run starts; other keys are those of `[[queue]]` |
//! | `policy KEY=VALUE ...` | keys of a `[[policy]]`; for all queues if no pattern is given |
//! | `exchange fan to=orders,audit` | a fanout exchange |
//! | `connect p1 n2` | the client p1 opens a connection and a channel |
//! | `publish p1 1..3 [to=orders] [persistent] [confirm] [mandatory] [expiration=1s] [priority=9] [every=1ms]` | publishes messages of 100 B |
//! | `consume c1 orders [prefetch=2] [priority=1] [exclusive] [auto-ack]` | `basic.consume` |
//! | `get c1 orders [auto-ack]` | `basic.get` |
//! | `order add_member queue=orders node=n4 [on=n1]` | an operator gives a command; keys are those of `[[action]]` |
//! | `cancel c1 orders` | `basic.cancel` by the client |
//! | `ack c1 1 [multiple]`, `ack c1 1..3` | `basic.ack` of the last delivery of each message |
//! | `requeue c1 1..3 [as-reject]` | `basic.nack`, or `basic.reject`, with requeue |
//! | `reject c1 1..3` | `basic.reject` without requeue |
//! | `close p1` | closes the connection |
//! | `queue n2 [orders]` | the messages of this node's replica |
//! | `tables n2` | this node's tables, and whose Mnesia it shares |
//! | `agree` | whether synchronised mirrors hold what their leader holds, as each leader's tables have it |
//! | `pending p1` | what the client has published and had no answer for |

use mqsim::brokers::rabbitmq::letters::LetterId;
use mqsim::brokers::rabbitmq::message::amqp::Terms;
use mqsim::brokers::rabbitmq::message::{ExchangeId, Given, Properties, QueueId, RoutingKey};
use mqsim::engine::Span;
use mqsim::observe::{FaultId, NodeId};
use mqsim::world::fault::ClientSide;
use mqsim::world::{PlannedAction, Target};

use super::client::Action;
use super::cluster::{Actors, Plan};
use super::declare::declare;
use super::show;
use super::trace::{FIRST_ORDER, Trace};
use crate::golden::{self, Command, Run, Schedule, Script, Told, numbers, read};

/// The first reading.
struct Planner {
    plan: Plan,
    schedule: Schedule,
}

impl Planner {
    fn read(script: &Script) -> Told<Plan> {
        let schedule = Schedule::new(ClientSide::Follow);
        let mut planner = Planner { plan: declare(script)?, schedule };
        read(script, |command| planner.command(command))?;
        for (_, schedule) in &mut planner.plan.clients {
            schedule.sort_by_key(|(at, _)| *at);
        }
        planner.plan.faults = planner.schedule.faults;
        Ok(planner.plan)
    }

    fn command(&mut self, command: &Command<'_>) -> Told<()> {
        let plan = &self.plan;
        if self.schedule.note(command, |name| any_host(plan, name))? {
            return Ok(());
        }
        match command.name {
            // What `declare` has read.
            "cluster" | "broker" | "rules" | "policy" | "queue" | "exchange" => {}
            "connect" => {
                let node = broker(&self.plan, command.word(1)?)?;
                let name = command.word(0)?;
                if !self.plan.clients.iter().any(|(known, _)| known == name) {
                    self.plan.clients.push((name.to_owned(), Vec::new()));
                }
                self.act(command, Action::Connect(node))?;
            }
            "tables" | "pending" | "agree" => {}
            "order" => {
                let on = broker(&self.plan, command.value("on").unwrap_or("n1"))?;
                let (at, number) = (self.schedule.now, self.plan.orders.len() as u32);
                let (on, text) = (Target::nodes(&[on]), command.rest().to_owned());
                self.plan.orders.push(PlannedAction {
                    id: FaultId(FIRST_ORDER + number),
                    at,
                    on,
                    text,
                });
            }
            _ => self.client_command(command)?,
        }
        Ok(())
    }

    fn client_command(&mut self, command: &Command<'_>) -> Told<()> {
        match command.name {
            "publish" => self.publish(command),
            "consume" => {
                let priority = command.value("priority").unwrap_or("0");
                let terms = Terms {
                    prefetch: command.number("prefetch", 0)?,
                    priority: priority.parse().map_err(|_| "`priority` is a number")?,
                    no_ack: command.has("auto-ack"),
                    exclusive: command.has("exclusive"),
                    cancel_on_ha_failover: command.has("cancel-on-ha-failover"),
                };
                let queue = queue(&self.plan, command.word(1)?)?;
                self.act(command, Action::Consume { queue, terms })
            }
            "get" => {
                let queue = queue(&self.plan, command.word(1)?)?;
                self.act(command, Action::Get { queue, no_ack: command.has("auto-ack") })
            }
            "cancel" => {
                let queue = queue(&self.plan, command.word(1)?)?;
                self.act(command, Action::Cancel { queue })
            }
            "ack" => numbers(command.word(1)?)?.try_for_each(|number| {
                self.act(command, Action::Ack { number, multiple: command.has("multiple") })
            }),
            "requeue" => numbers(command.word(1)?)?.try_for_each(|number| {
                let nack = !command.has("as-reject");
                self.act(command, Action::Requeue { number, nack })
            }),
            "reject" => numbers(command.word(1)?)?
                .try_for_each(|number| self.act(command, Action::Reject { number })),
            "close" => self.act(command, Action::Close),
            other => Err(format!("there is no command `{other}`")),
        }
    }

    fn act(&mut self, command: &Command<'_>, action: Action) -> Told<()> {
        let name = command.word(0)?;
        let client = self.plan.clients.iter_mut().find(|(known, _)| known == name);
        let (_, schedule) = client.ok_or_else(|| format!("`{name}` was never connected"))?;
        schedule.push((self.schedule.now, action));
        Ok(())
    }

    fn publish(&mut self, command: &Command<'_>) -> Told<()> {
        let to = command.value("to").unwrap_or(&self.plan.spec.queues[0].name).to_owned();
        let exchange = self.plan.exchanges.iter().position(|name| *name == to);
        let (exchange, key) = match exchange {
            Some(index) => (ExchangeId(index as u32 + 1), RoutingKey(0)),
            None if to == "nowhere" => {
                (ExchangeId::DEFAULT, RoutingKey(self.plan.spec.queues.len() as u32))
            }
            None => (ExchangeId::DEFAULT, RoutingKey(queue(&self.plan, &to)?.0)),
        };
        let expiration = command.span("expiration", Span::ZERO)?;
        let priority = command.number("priority", u32::from(Given::NO_PRIORITY))? as u8;
        let expiration = Some(expiration).filter(|of| !of.is_zero());
        self.plan.spec.given.push(Given { expiration, priority });
        let given = self.plan.spec.given.len() as u8 - 1;
        let properties = Properties {
            persistent: command.has("persistent"),
            mandatory: command.has("mandatory"),
            confirm: command.has("confirm"),
            given,
            letter: LetterId::NONE,
        };
        let (every, began) = (command.span("every", Span::ZERO)?, self.schedule.now);
        for number in numbers(command.word(1)?)? {
            self.act(command, Action::Publish { exchange, key, number, properties })?;
            self.schedule.now += every;
        }
        self.schedule.now = began;
        Ok(())
    }
}

/// A broker, or a client that is connected already: clients are numbered as they connect.
fn any_host(plan: &Plan, name: &str) -> Told<NodeId> {
    let client = plan.clients.iter().position(|(known, _)| known == name);
    match client {
        Some(index) => Ok(NodeId(plan.brokers + index as u32)),
        None => broker(plan, name),
    }
}

fn broker(plan: &Plan, name: &str) -> Told<NodeId> {
    let hosts = plan.hosts();
    let index = hosts[..plan.brokers as usize].iter().position(|host| host == name);
    index.map(|index| NodeId(index as u32)).ok_or_else(|| format!("there is no node `{name}`"))
}

fn queue(plan: &Plan, name: &str) -> Told<QueueId> {
    let index = plan.spec.queues.iter().position(|queue| queue.name == name);
    index.map(|index| QueueId(index as u32)).ok_or_else(|| format!("there is no queue `{name}`"))
}

/// The second reading: the run.
pub(crate) struct Story {
    plan: Plan,
    run: Run<Actors, Trace>,
}

impl golden::Story for Story {
    fn begin(script: &Script) -> Told<Story> {
        let plan = Planner::read(script)?;
        let queues = plan.spec.queues.iter().map(|queue| queue.name.clone()).collect();
        let orders = plan.orders.iter().map(|order| order.text.clone()).collect();
        let trace = Trace::new(plan.hosts(), plan.brokers, queues, orders);
        let run = Run::new(plan.setup(), trace)?;
        Ok(Story { plan, run })
    }

    fn step(&mut self, command: &Command<'_>) -> Told<Vec<String>> {
        if let Some(told) = self.run.pass(command)? {
            return Ok(told);
        }
        match command.name {
            "queue" if command.value("on").is_none() => {
                let node = broker(&self.plan, command.word(0)?)?;
                let name = command.word(1).unwrap_or(&self.plan.spec.queues[0].name);
                let queue = queue(&self.plan, name)?;
                Ok(show::queue(&self.run.machines()[node.index()], queue))
            }
            "tables" => {
                let node = broker(&self.plan, command.word(0)?)?;
                Ok(show::tables(&self.run.machines()[node.index()], &self.plan))
            }
            "agree" => Ok(show::agree(self.run.machines(), &self.plan)),
            "pending" => {
                let name = command.word(0)?;
                let index = self.plan.clients.iter().position(|(known, _)| known == name);
                let index = index.ok_or_else(|| format!("there is no client `{name}`"))?;
                let host = self.plan.brokers as usize + index;
                Ok(vec![show::pending(&self.run.machines()[host])])
            }
            _ => Ok(Vec::new()),
        }
    }
}
