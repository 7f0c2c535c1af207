//! Random operations of several clients, while servers are killed, lose power, are paused and
//! parted: what was acknowledged stays, and every client sees one history.

use std::collections::BTreeMap;

use mqsim::brokers::coordination::zookeeper::{
    Answer, Mode, Op, Oracle, Path, Server, SessionId, Stat, Txn, Xid, Zxid, check,
};
use mqsim::engine::{Span, Time};
use mqsim::observe::{Blind, FaultId, NodeId, Violation};
use mqsim::world::fault::{ClientSide, Direction, FaultKind, Partition};
use mqsim::world::{Cluster, PlannedFault, RoleQuery, Simulation, Target, WorldView};
use proptest::prelude::*;

use super::family::{Action, Actor, Client, Plan, Record, Value};

const PATHS: [&str; 3] = ["/a", "/b", "/c"];
const CLIENTS: u32 = 3;
const SECONDS: u64 = 60;

/// One step of a client.
#[derive(Clone, Debug)]
enum Step {
    Set { path: usize, version: Option<u32> },
    Get { path: usize },
    Both { version: u32 },
    Ephemeral,
    Children,
    Sync,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..PATHS.len(), proptest::option::of(0..12_u32))
            .prop_map(|(path, version)| Step::Set { path, version }),
        4 => (0..PATHS.len()).prop_map(|path| Step::Get { path }),
        1 => (0..12_u32).prop_map(|version| Step::Both { version }),
        1 => Just(Step::Ephemeral),
        1 => Just(Step::Children),
        1 => Just(Step::Sync),
    ]
}

/// Something that goes wrong: when and for how long, in ms, and to whom.
#[derive(Clone, Debug)]
enum Wrong {
    /// Which servers, bit by bit; so for power.
    Crash(u32),
    Power(u32),
    Pause(u32),
    Disk(u32),
    /// Which servers and clients are on one side, bit by bit.
    Parted(u32),
}

fn wrong(servers: u32) -> impl Strategy<Value = (u64, u64, Wrong)> {
    let hosts = servers + CLIENTS;
    let what = prop_oneof![
        2 => (1..1_u32 << servers).prop_map(Wrong::Crash),
        2 => (1..1_u32 << servers).prop_map(Wrong::Power),
        1 => (0..hosts).prop_map(Wrong::Pause),
        1 => (0..servers).prop_map(Wrong::Disk),
        3 => (1..(1_u32 << hosts) - 1).prop_map(Wrong::Parted),
    ];
    (500..SECONDS * 1_000 - 10_000, 1..20_000_u64, what)
}

#[derive(Clone, Debug)]
struct Case {
    servers: u32,
    tick: u64,
    fsync: u64,
    seed: u64,
    steps: Vec<(u64, u32, Step)>,
    wrongs: Vec<(u64, u64, Wrong)>,
}

fn case() -> impl Strategy<Value = Case> {
    prop_oneof![1 => Just(1_u32), 4 => Just(3), 2 => Just(5)].prop_flat_map(|servers| {
        let steps = proptest::collection::vec((0..SECONDS * 1_000, 0..CLIENTS, step()), 1..120);
        let wrongs = proptest::collection::vec(wrong(servers), 0..8);
        let tick = prop_oneof![Just(200_u64), Just(2_000)];
        let fsync = prop_oneof![Just(5_u64), Just(200)];
        (Just(servers), tick, fsync, 0..1_000_u64, steps, wrongs).prop_map(
            |(servers, tick, fsync, seed, steps, wrongs)| Case {
                servers,
                tick,
                fsync,
                seed,
                steps,
                wrongs,
            },
        )
    })
}

fn operation(step: &Step, number: u32) -> Op<Value> {
    let path = |index: usize| Path::from(PATHS[index]);
    let set = |path, version| Op::SetData { path, data: Some(Value(number)), version };
    match *step {
        Step::Set { path: index, version } => set(path(index), version),
        Step::Get { path: index } => Op::GetData { path: path(index), watch: true },
        Step::Both { version } => Op::Multi(vec![
            set(path(0), None),
            Op::Check { path: path(1), version },
            set(path(2), None),
        ]),
        Step::Ephemeral => Op::Create {
            path: Path::from(format!("/e{number}")),
            data: Some(Value(number)),
            mode: Mode::EPHEMERAL,
        },
        Step::Children => Op::GetChildren { path: Path::from("/"), watch: true },
        Step::Sync => Op::Sync,
    }
}

fn plan(case: &Case) -> Plan {
    let servers: Vec<NodeId> = (0..case.servers).map(NodeId).collect();
    let ms = |millis| Time::ZERO + Span::from_millis(millis);
    let mut schedules = vec![Vec::new(); CLIENTS as usize];
    for schedule in &mut schedules {
        let timeout = Span::from_millis(3 * case.tick);
        schedule.push((ms(0), Action::Open(servers.clone(), timeout)));
    }
    for (number, (at, client, step)) in (1..).zip(&case.steps) {
        schedules[*client as usize].push((ms(*at), Action::Ask(operation(step, number))));
    }
    let faults = (0..).zip(&case.wrongs).map(|(id, (at, lasts, wrong))| {
        let one = |node: &u32| Target::nodes(&[NodeId(*node)]);
        let some = |nodes: &u32| {
            let those = (0..case.servers).filter(|node| nodes >> node & 1 == 1);
            Target::nodes(&those.map(NodeId).collect::<Vec<_>>())
        };
        let (kind, target) = match wrong {
            Wrong::Crash(node) => (FaultKind::Crash, some(node)),
            Wrong::Power(node) => (FaultKind::PowerLoss, some(node)),
            Wrong::Pause(node) => (FaultKind::Pause, one(node)),
            Wrong::Disk(node) => (FaultKind::DiskStall, one(node)),
            Wrong::Parted(sides) => {
                let side = |bit: u32| {
                    let on = |host: &u32| sides >> host & 1 == bit;
                    let nodes: Vec<NodeId> =
                        (0..case.servers + CLIENTS).filter(on).map(NodeId).collect();
                    Target::nodes(&nodes)
                };
                let partition = Partition {
                    between: vec![side(0), side(1)],
                    direction: Direction::Both,
                    clients: ClientSide::Unaffected,
                    rejects: false,
                };
                (FaultKind::Partition(partition), Target::default())
            }
        };
        PlannedFault {
            id: FaultId(id),
            at: ms(*at),
            lasts: Some(Span::from_millis(*lasts)),
            kind,
            target,
            text: String::new(),
            waits: None,
            after_recovery: false,
        }
    });
    Plan {
        clock: mqsim::world::By::Monotonic,
        servers: case.servers,
        tick: Span::from_millis(case.tick),
        force_sync: true,
        fsync: Span::from_millis(case.fsync.min(case.tick / 7)),
        seed: case.seed,
        planted: PATHS.iter().map(|path| (Path::from(*path), Value(0))).collect(),
        faults: faults.collect(),
        clients: (1..)
            .zip(schedules)
            .map(|(number, schedule)| (format!("c{number}"), Client::new(schedule, true)))
            .collect(),
    }
}

/// What is known of the servers beside their states, and the first thing that is wrong.
#[derive(Clone, Debug, Default)]
struct Looks {
    oracle: Oracle<Value>,
    states: Vec<(Zxid, Zxid, Option<u32>)>,
    /// What each server has served, by place.
    applied: Vec<Zxid>,
    wrong: Option<String>,
}

impl Looks {
    fn look(&mut self, machines: &[Actor]) -> Result<(), String> {
        let servers = servers(machines);
        let now: Vec<_> = servers
            .iter()
            .map(|server| (server.log().last(), server.applied(), server.leads()))
            .collect();
        if now == self.states {
            return Ok(());
        }
        self.states = now;
        check(&servers).map_err(|error| error.to_string())?;
        for (index, server) in (0..).zip(&servers) {
            self.oracle.look(index, server).map_err(|error| error.to_string())?;
        }
        self.applied.resize(servers.len(), Zxid::ZERO);
        for (server, before) in servers.iter().zip(&mut self.applied) {
            if server.is_serving() {
                // What a server has served it never takes back, whatever happens to it.
                if server.applied() < *before {
                    return Err("a server goes back".to_owned());
                }
                *before = server.applied();
            }
        }
        Ok(())
    }
}

/// An ensemble whose servers are checked against each other after every input.
#[derive(Clone, Copy, Debug)]
struct Watched;

impl Cluster for Watched {
    type Machine = Actor;
    type Oracle = Looks;

    const CHECKED: bool = true;

    fn resolve(_: &[Actor], _: &RoleQuery, _: &WorldView<'_>) -> Vec<NodeId> {
        Vec::new()
    }

    fn check(
        looks: &mut Looks,
        machines: &mut [Actor],
        _: NodeId,
        at: Time,
        _: &mut dyn FnMut(Violation),
    ) {
        if looks.wrong.is_none() {
            let wrong = looks.look(machines).err();
            looks.wrong = wrong.map(|error| format!("at {} ms {error}", at.as_millis()));
        }
    }
}

type Run = Simulation<Watched, Blind>;

fn servers(machines: &[Actor]) -> Vec<&Server<Value>> {
    machines.iter().filter_map(Actor::server).collect()
}

/// Runs a case, and checks the servers against each other all the time.
fn simulate(case: &Case) -> Result<Run, String> {
    let setup = plan(case).setup(Span::from_secs(SECONDS), Span::from_secs(400));
    let mut run = Run::new(setup, Blind).map_err(|error| error.to_string())?;
    run.run().map_err(|error| error.to_string())?;
    match &run.oracle().wrong {
        Some(wrong) => Err(wrong.clone()),
        None => Ok(run),
    }
}

/// What an outcome tells of znodes: their state at the time.
fn seen(record: &Record) -> Vec<(Path, Option<u32>, Stat)> {
    match (&record.op, &record.outcome) {
        (Op::SetData { path, data, .. }, Ok(Answer::Stat(stat))) => {
            vec![(path.clone(), data.map(|Value(value)| value), *stat)]
        }
        (Op::GetData { path, .. }, Ok(Answer::Data(data, stat))) => {
            vec![(path.clone(), data.map(|Value(value)| value), *stat)]
        }
        (Op::Multi(ops), Ok(Answer::Multi(outcomes))) => {
            let done = ops.iter().zip(outcomes).filter_map(|(op, outcome)| match (op, outcome) {
                (Op::SetData { path, data, .. }, Ok(Answer::Stat(stat))) => {
                    Some((path.clone(), data.map(|Value(value)| value), *stat))
                }
                _ => None,
            });
            done.collect()
        }
        _ => Vec::new(),
    }
}

/// The states of each znode, in the order of the log.
fn history(server: &Server<Value>) -> Vec<(Path, u32, Stat)> {
    let log = server.log();
    let mut tree = log.base().tree.clone();
    let mut states = Vec::new();
    for entry in log.after(Zxid::ZERO) {
        let mut changes = Vec::new();
        tree.apply(entry.zxid, entry.session, &entry.txn, &mut changes).ok();
        for change in changes {
            if let Some(node) = tree.get(&change.path)
                && let Some(Value(value)) = node.data
            {
                states.push((change.path, value, node.stat()));
            }
        }
    }
    states
}

/// One client's records: every state that it saw is in the history, and it never goes back while
/// it has the same session.
fn one_client(records: &[Record], states: &[(Path, u32, Stat)]) -> Result<(), String> {
    let mut last: BTreeMap<(Option<SessionId>, Path), Zxid> = BTreeMap::new();
    for record in records {
        for (path, value, stat) in seen(record) {
            let is_planted = stat.version == 0 && PATHS.contains(&&*path);
            let is_it = |(one, state, then): &(Path, u32, Stat)| {
                (one, Some(*state), then.version, then.mzxid)
                    == (&path, value, stat.version, stat.mzxid)
            };
            if !is_planted && !states.iter().any(is_it) {
                return Err(format!("{path} never was {value:?} at {stat:?}: {record:?}"));
            }
            let before = last.entry((record.session, path)).or_default();
            if stat.mzxid < *before {
                return Err(format!("back from {before}: {record:?}"));
            }
            *before = stat.mzxid;
        }
    }
    Ok(())
}

/// A write that was acknowledged before another was asked for comes before it.
fn in_real_time(writes: &[(Time, Time, Zxid)]) -> Result<(), String> {
    for one in writes {
        for two in writes {
            if one.1 < two.0 && one.2 >= two.2 {
                return Err(format!("{one:?} was answered before {two:?} was asked for"));
            }
        }
    }
    Ok(())
}

fn judge(case: &Case) -> Result<(), String> {
    let run = simulate(case)?;
    let servers = servers(run.machines());
    check(&servers)?;
    if let Some(silent) = servers.iter().position(|server| !server.is_serving()) {
        return Err(format!(
            "server {silent} does not serve in the end, at {}",
            run.now().as_millis()
        ));
    }
    let first = servers[0];
    if servers.iter().any(|server| server.tree() != first.tree()) {
        return Err("the trees differ in the end".to_owned());
    }
    let states = history(first);
    let done = |session: SessionId, xid: Xid| {
        let is_it = |txn: &Txn<Value>| !matches!(txn, Txn::Failed(_) | Txn::MultiFailed(_));
        let log = first.log().after(Zxid::ZERO);
        log.filter(|entry| (entry.session, entry.xid) == (session, xid) && is_it(&entry.txn))
            .count()
    };
    let mut writes = Vec::new();
    for client in run.machines().iter().filter_map(Actor::client) {
        one_client(&client.records, &states)?;
        for record in client.records.iter().filter(|record| record.op.is_write()) {
            let stats = seen(record);
            writes.extend(
                stats.iter().map(|(_, _, stat)| (record.asked, record.answered, stat.mzxid)),
            );
        }
        // Who lives in the end is connected, and has its ephemerals.
        let session = client.session.as_ref().ok_or("a client never began")?;
        let id = session.id().ok_or("a client has no session in the end")?;
        if !session.is_connected() || first.tree().session(id).is_none() {
            return Err(format!("{id:?} is not connected in the end"));
        }
        if (1..1_000).any(|xid| done(id, Xid(xid)) > 1) {
            return Err("a request was done twice".to_owned());
        }
    }
    let owned = |(_, node): &(&Path, &mqsim::brokers::coordination::zookeeper::Znode<Value>)| {
        let owner = node.stat().ephemeral_owner;
        owner.is_none_or(|owner| first.tree().session(owner).is_some())
    };
    if !first.tree().iter().all(|node| owned(&node)) {
        return Err("an ephemeral has outlived its session".to_owned());
    }
    writes.sort_unstable_by_key(|(asked, ..)| *asked);
    in_real_time(&writes)
}

/// `PROPTEST_CASES`, or few.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn what_is_acknowledged_stays(case in case()) {
        if let Err(error) = judge(&case) {
            prop_assert!(false, "{error}");
        }
    }
}
