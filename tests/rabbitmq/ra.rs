//! The Raft of quorum queues by itself: members without clocks or disks, messages that are late,
//! lost and doubled, members that die and come back with what was fsynced. Whatever happens, its
//! invariants hold; and each of them fails when a rule of the protocol is broken.

use std::collections::BTreeMap;

use mqsim::brokers::rabbitmq::broker::ra::log::Log;
use mqsim::brokers::rabbitmq::broker::ra::server::{Faulty, Meta, Out, Server};
use mqsim::brokers::rabbitmq::message::Pid;
use mqsim::brokers::rabbitmq::message::ra::{
    AppendReply, Command, Entry, Index, Position, Rpc, Term,
};
use mqsim::engine::Stream;
use mqsim::observe::NodeId;
use mqsim::world::Lane;

/// Who founds the group.
const MEMBERS: u32 = 5;
/// With those who may join it.
const NODES: u32 = 7;

fn pid(node: u32) -> Pid {
    Pid { node: NodeId(node), lane: Lane(1) }
}

/// A member: its server while it lives, and what its disk has.
struct Member {
    server: Option<Server>,
    /// Term and vote as they are durable; entries up to which index are.
    meta: Meta,
    log: Log,
    /// What it has said that rests on a term or vote that is not durable yet.
    waits: Vec<Out>,
    timer: bool,
    /// It was started to join the group.
    newcomer: bool,
}

impl Member {
    fn fresh(newcomer: bool) -> Member {
        let (meta, log, waits) = (Meta::default(), Log::new(), Vec::new());
        Member { server: None, meta, log, waits, timer: false, newcomer }
    }
}

/// A group, and what is on its way.
struct Group {
    draw: Stream,
    members: Vec<Member>,
    mail: Vec<(u32, Rpc)>,
    faulty: Faulty,
    /// Who has led in which term.
    leaders: BTreeMap<Term, u32>,
    /// The command that was committed at each place, and in which term it was appended.
    committed: BTreeMap<Index, Entry>,
    commands: u32,
    /// Whether members come and go, and how often one did.
    members_change: bool,
    changes: u32,
}

impl Group {
    fn new(seed: u64, faulty: Faulty, members_change: bool) -> Group {
        let mut group = Group {
            draw: Stream::fixed(seed, "ra"),
            members: (0..NODES).map(|node| Member::fresh(node >= MEMBERS)).collect(),
            mail: Vec::new(),
            faulty,
            leaders: BTreeMap::new(),
            committed: BTreeMap::new(),
            commands: 0,
            members_change,
            changes: 0,
        };
        (0..MEMBERS).for_each(|node| group.boot(node));
        group
    }

    /// Carries out what a member wants done, and looks whether anything is broken.
    fn act(&mut self, node: u32) {
        let member = &mut self.members[node as usize];
        let Some(server) = &mut member.server else { return };
        for out in server.take() {
            if !member.waits.is_empty() || matches!(out, Out::Persist) {
                member.waits.push(out);
                continue;
            }
            match out {
                Out::Send(to, message) => self.mail.push((to.0, message)),
                Out::Timer(_) | Out::TimerUnlessSet(_) => member.timer = true,
                Out::NoTimer => member.timer = false,
                _ => {}
            }
        }
        self.look(node);
    }

    /// Term and vote are durable: what waited for that is done.
    fn persist(&mut self, node: u32) {
        let member = &mut self.members[node as usize];
        let Some(server) = &member.server else { return };
        if !member.waits.is_empty() {
            member.meta = server.meta();
        }
        for out in std::mem::take(&mut member.waits) {
            match out {
                Out::Send(to, message) => self.mail.push((to.0, message)),
                Out::Timer(_) | Out::TimerUnlessSet(_) => member.timer = true,
                Out::NoTimer => member.timer = false,
                _ => {}
            }
        }
        self.act(node);
    }

    fn fsync(&mut self, node: u32) {
        let member = &mut self.members[node as usize];
        if !member.waits.is_empty() {
            return;
        }
        let Some(server) = &mut member.server else { return };
        let last = server.log.last();
        server.fsynced(last);
        member.log = server.log.clone();
        self.act(node);
    }

    /// The power goes: what was not fsynced is gone.
    fn die(&mut self, node: u32) {
        let member = &mut self.members[node as usize];
        (member.server, member.timer) = (None, false);
        member.waits.clear();
        for other in 0..NODES {
            let Some(server) = &mut self.members[other as usize].server else { continue };
            server.member_down(NodeId(node));
            server.leader_down(
                NodeId(node),
                mqsim::brokers::rabbitmq::broker::ra::server::Delay::Short,
            );
            self.act(other);
        }
    }

    fn boot(&mut self, node: u32) {
        let faulty = self.faulty;
        let member = &mut self.members[node as usize];
        if member.server.is_none() {
            let mut log = member.log.clone();
            let written = log.written();
            log.truncate(written);
            let mut server = start((node, member.newcomer), member.meta, log, faulty);
            server.start();
            member.server = Some(server);
            self.act(node);
            for other in (0..NODES).filter(|other| *other != node) {
                if let Some(server) = &mut self.members[other as usize].server {
                    server.node_up(NodeId(node));
                }
                self.act(other);
            }
        }
    }

    /// An operator has somebody join or leave, by way of whoever leads. Who joins starts with nothing;
    /// who leaves is deleted at once, or when it joins again.
    fn change(&mut self) {
        let node = self.draw.below(u64::from(NODES)) as u32;
        let leads = |of: &Member| of.server.as_ref().is_some_and(Server::leads);
        let leaders: Vec<u32> =
            (0..NODES).filter(|node| leads(&self.members[*node as usize])).collect();
        let Some(&leader) = leaders.first() else { return };
        let of = &self.members[leader as usize].server;
        let is_member =
            of.as_ref().is_some_and(|of| of.cluster().members().contains(&NodeId(node)));
        let command = match is_member {
            true => Command::Leave { node: NodeId(node) },
            false => Command::Join { node: NodeId(node), votes: false },
        };
        if !is_member && node != leader {
            self.die(node);
            self.members[node as usize] = Member::fresh(true);
            self.boot(node);
        }
        let Some(server) = &mut self.members[leader as usize].server else { return };
        let appended = server.change(command).is_ok();
        server.replicate();
        self.changes += u32::from(appended);
        self.act(leader);
        if appended && is_member && node != leader && self.draw.below(2) == 0 {
            self.die(node);
            self.members[node as usize] = Member::fresh(true);
        }
    }

    fn step(&mut self) {
        let node = self.draw.below(u64::from(NODES)) as u32;
        match self.draw.below(100) {
            0..=49 => self.deliver(),
            50..=64 => self.fsync(node),
            65..=79 => self.persist(node),
            80..=87 => {
                // Now and then more than goes into one request.
                let burst = if self.draw.below(4) == 0 { 40 } else { 1 };
                self.commands += burst;
                let channel = pid(self.commands);
                if let Some(server) = &mut self.members[node as usize].server
                    && server.leads()
                {
                    for _ in 0..burst {
                        server.append(Command::Disconnected { channel });
                    }
                    server.replicate();
                    self.act(node);
                }
            }
            88..=93 => {
                let member = &mut self.members[node as usize];
                if let Some(server) = member.server.as_mut().filter(|_| member.timer) {
                    member.timer = false;
                    server.election_timeout();
                    self.act(node);
                }
            }
            94 => self.die(node),
            95 if self.members_change => self.change(),
            95..=97 if node < MEMBERS || !self.members[node as usize].log.is_empty() => {
                self.boot(node);
            }
            _ => {
                if let Some(server) = &mut self.members[node as usize].server {
                    server.tick();
                    self.act(node);
                }
            }
        }
    }

    /// One of the messages that are on their way arrives, or is lost; order is not kept.
    fn deliver(&mut self) {
        if self.mail.is_empty() {
            return;
        }
        let at = self.draw.below(self.mail.len().min(8) as u64) as usize;
        let (to, message) = self.mail.remove(at);
        if self.draw.below(12) == 0 {
            return;
        }
        if let Some(server) = &mut self.members[to as usize].server {
            server.receive(message);
            self.act(to);
        }
    }

    /// Invariants: one leader a term; what is committed stays, at every member the same.
    fn look(&mut self, node: u32) {
        let Some(server) = &self.members[node as usize].server else { return };
        if server.leads() {
            let first = *self.leaders.entry(server.meta().term).or_insert(node);
            assert_eq!(first, node, "two leaders in term {}", server.meta().term);
            let last = server.log.last().index;
            for (index, entry) in &self.committed {
                assert!(*index <= last, "a leader lacks entry {index}, which was committed");
                assert_eq!(server.log.get(*index), Some(entry), "a leader has another {index}");
            }
        }
        for index in 1..=server.commit().min(server.log.last().index) {
            let Some(entry) = server.log.get(index).copied() else { continue };
            let known = *self.committed.entry(index).or_insert(entry);
            assert_eq!(known, entry, "two commands are committed at {index}");
        }
        assert_eq!(server.breach(), None, "member {node}");
        let last = server.log.last();
        assert!(server.log.written() <= last.index, "{last:?}");
    }
}

fn start((node, newcomer): (u32, bool), meta: Meta, log: Log, faulty: Faulty) -> Server {
    let founders = ((0..MEMBERS).map(NodeId).collect(), newcomer);
    Server::new(pid(node), founders, meta, log, faulty)
}

/// Runs so many histories; how many commands were committed in all, and how often the members changed.
fn histories(seeds: std::ops::Range<u64>, faulty: Faulty, members_change: bool) -> (usize, u32) {
    let run = |seed| {
        let mut group = Group::new(seed, faulty, members_change);
        (0..1_500).for_each(|_| group.step());
        (group.committed.len(), group.changes)
    };
    seeds
        .map(run)
        .fold((0, 0), |(entries, changes), (more, times)| (entries + more, changes + times))
}

#[test]
fn whatever_happens_what_is_committed_stays() {
    let (committed, _) = histories(0..400, Faulty::default(), false);
    assert!(committed > 10_000, "{committed} entries: the group does too little");
}

#[test]
fn whoever_joins_and_leaves_what_is_committed_stays() {
    let (committed, changes) = histories(0..400, Faulty::default(), true);
    assert!(committed > 10_000, "{committed} entries: the group does too little");
    assert!(changes > 400, "{changes} changes of the members");
}

/// Without a rule of the protocol one of so many histories breaks an invariant.
fn is_noticed(faulty: Faulty, changes: bool) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let broken = (0..3_000).any(|seed| {
        std::panic::catch_unwind(|| histories(seed..seed + 1, faulty, changes)).is_err()
    });
    std::panic::set_hook(hook);
    assert!(broken, "{faulty:?} goes unnoticed");
}

#[test]
fn each_broken_rule_is_noticed() {
    let none = Faulty::default();
    is_noticed(Faulty { counts_unsynced: true, ..none }, false);
    is_noticed(Faulty { votes_for_any_log: true, ..none }, false);
    is_noticed(Faulty { ignores_gaps: true, ..none }, false);
    is_noticed(Faulty { changes_at_once: true, ..none }, true);
}

/// An entry of an earlier term that a majority has may still be overwritten (the Raft paper's
/// figure 8): it is committed only along with one of the leader's own term.
#[test]
fn entries_of_earlier_terms_are_committed_with_one_of_the_own() {
    let commit_with = |faulty| {
        let mut log = Log::new();
        for term in [1, 2] {
            let (at, command) = (mqsim::engine::Time::ZERO, Command::Noop);
            log.append(Entry { term, at, command });
        }
        log.recovered();
        let meta = Meta { term: 3, voted_for: None };
        let founders = ((0..3).map(NodeId).collect(), false);
        let mut leader = Server::new(pid(0), founders, meta, log, faulty);
        leader.election_timeout();
        let token = 1;
        leader.receive(Rpc::PreVoteResult { from: pid(1), term: 3, token, granted: true });
        leader.receive(Rpc::VoteResult { from: pid(1), term: 4, granted: true });
        assert!(leader.leads(), "one other vote is a majority");
        leader.fsynced(leader.log.last());
        let has = |written| AppendReply { term: 4, success: true, next: written + 1, written };
        let reply = |written| Rpc::AppendReply { from: pid(1), reply: Box::new(has(written)) };
        leader.receive(reply(2));
        let before = leader.commit();
        leader.receive(reply(3));
        (before, leader.commit())
    };
    assert_eq!(commit_with(Faulty::default()), (0, 3));
    assert_eq!(commit_with(Faulty { commits_old_terms: true, ..Faulty::default() }), (2, 3));
}

#[test]
fn a_follower_answers_for_what_it_has_fsynced() {
    let mut follower = start((1, false), Meta::default(), Log::new(), Faulty::default());
    let entries = vec![Entry { term: 1, at: mqsim::engine::Time::ZERO, command: Command::Noop }];
    let previous = Position::default();
    let rpc = mqsim::brokers::rabbitmq::message::ra::AppendEntries {
        term: 1,
        leader: pid(0),
        previous,
        commit: 0,
        entries,
    };
    follower.receive(Rpc::AppendEntries(Box::new(rpc)));
    let answers = |server: &mut Server| {
        let said = server.take().into_iter();
        said.filter(|out| matches!(out, Out::Send(_, Rpc::AppendReply { .. }))).count()
    };
    assert_eq!(answers(&mut follower), 0, "it is not on the disk yet");
    follower.fsynced(Position { term: 1, index: 1 });
    assert_eq!(answers(&mut follower), 1);
}
