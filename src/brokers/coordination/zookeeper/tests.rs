//! Tests of the pure parts.

use std::sync::Arc;

use crate::engine::{Span, Time};
use crate::world::ConnId;

use super::data::{Answer, Data, Error, Mode, Op, Path, SessionId, WatchKind, Xid, Zxid, parent};
use super::election::{Doing, Election, Found, Notification, Vote};
use super::log::{KEPT, Log, Snapshot};
use super::message::Message;
use super::tracker::Tracker;
use super::tree::{Change, Entry, Tree, Txn};
use super::watches::{Rewatch, Watches};

impl Data for u32 {
    fn bytes(&self) -> u32 {
        4
    }
}

const ONE: SessionId = SessionId(1);
const TWO: SessionId = SessionId(2);

fn path(text: &str) -> Path {
    Path::from(text)
}

fn create(text: &str, mode: Mode) -> Op<u32> {
    Op::Create { path: path(text), data: Some(1), mode }
}

fn set(text: &str, data: u32, version: Option<u32>) -> Op<u32> {
    Op::SetData { path: path(text), data: Some(data), version }
}

fn secs(secs: u64) -> Time {
    Time::ZERO + Span::from_secs(secs)
}

#[test]
fn messages_are_small() {
    assert!(size_of::<Message<[u64; 4]>>() <= 32, "{}", size_of::<Message<[u64; 4]>>());
}

#[test]
fn a_path_has_a_parent() {
    assert_eq!(parent("/a/b"), Some("/a"));
    assert_eq!(parent("/a"), Some("/"));
    assert_eq!(parent("/"), None);
}

#[test]
fn a_multi_that_fails_leaves_nothing() {
    let mut tree = Tree::new();
    tree.plant("/a/b", Some(7));
    tree.plant("/c", None);
    tree.propose(Zxid(1), ONE, &create("/c/e", Mode::EPHEMERAL));
    let before = tree.clone();
    let ops = vec![
        set("/a/b", 8, Some(0)),
        set("/a/b", 9, Some(1)),
        create("/a/b/d-", Mode::PERSISTENT_SEQUENTIAL),
        Op::Delete { path: path("/c/e"), version: None },
        Op::Delete { path: path("/c"), version: None },
        create("/c", Mode::EPHEMERAL),
        Op::Check { path: path("/a/b"), version: 1 },
    ];
    let failed = tree.propose(Zxid(2), TWO, &Op::Multi(ops.clone()));
    let mut errors = vec![Error::RolledBack; 7];
    errors[6] = Error::BadVersion;
    assert_eq!(failed, Txn::MultiFailed(errors));
    assert_eq!(tree, before);
    let done = tree.propose(Zxid(2), TWO, &Op::Multi(ops[..6].to_vec()));
    let mut other = before;
    other.apply(Zxid(2), TWO, &done, &mut Vec::new()).expect("it can be done");
    assert_eq!(tree, other, "what is proposed is what is done");
    assert_eq!(tree.get("/a/b").map(|node| (node.data, node.stat().version)), Some((Some(9), 2)));
    assert_eq!(tree.get("/c").and_then(|node| node.stat().ephemeral_owner), Some(TWO));
}

#[test]
fn ephemerals_go_with_their_session() {
    let mut tree = Tree::new();
    tree.propose(Zxid(1), ONE, &create("/a", Mode::EPHEMERAL));
    tree.propose(Zxid(2), ONE, &create("/b", Mode::PERSISTENT));
    tree.propose(Zxid(3), TWO, &create("/c", Mode::EPHEMERAL));
    tree.propose(Zxid(4), ONE, &create("/d", Mode::EPHEMERAL));
    tree.propose(Zxid(5), TWO, &Op::Delete { path: path("/d"), version: None });
    let mut changes = Vec::new();
    tree.apply(Zxid(6), ONE, &Txn::Close, &mut changes).expect("a session can end");
    assert_eq!(changes, [Change { path: path("/a"), kind: WatchKind::Deleted }]);
    let root = tree.read(&Op::GetChildren { path: path("/"), watch: false });
    let Ok(Answer::Children(names, stat)) = root else { panic!("the root has children") };
    assert_eq!((names, stat.cversion, stat.pzxid), (vec![path("b"), path("c")], 4, Zxid(6)));
}

#[test]
fn a_watch_tells_once() {
    let (one, two) = (ConnId(1), ConnId(2));
    let mut tree = Tree::new();
    tree.plant("/a/b", Some(1));
    let mut watches = Watches::default();
    let mut watch = |conn, op: Op<u32>| watches.register(conn, &op, &tree.read(&op));
    watch(one, Op::GetData { path: path("/a/b"), watch: true });
    watch(one, Op::GetChildren { path: path("/a/b"), watch: true });
    watch(two, Op::GetChildren { path: path("/a"), watch: true });
    watch(two, Op::GetData { path: path("/x"), watch: true });
    watch(two, Op::Exists { path: path("/y"), watch: true });
    watch(two, Op::Exists { path: path("/y"), watch: false });
    assert_eq!(watches.len(), 4, "what is not there can be watched by exists only");
    let mut trigger = |text: &str, kind| watches.trigger(&Change { path: path(text), kind });
    let deleted = trigger("/a/b", WatchKind::Deleted);
    let told =
        [(one, path("/a/b"), WatchKind::Deleted), (two, path("/a"), WatchKind::ChildrenChanged)];
    assert_eq!(deleted, told, "both watches of one tell once");
    assert!(trigger("/a/b", WatchKind::Created).is_empty());
    assert_eq!(trigger("/y", WatchKind::Created), [(two, path("/y"), WatchKind::Created)]);
    assert!(watches.is_empty());
}

#[test]
fn what_was_missed_is_told_at_once() {
    let mut tree: Tree<u32> = Tree::new();
    for text in ["/same", "/changed", "/parent", "/made"] {
        tree.propose(Zxid(1), ONE, &create(text, Mode::PERSISTENT));
    }
    tree.propose(Zxid(5), ONE, &set("/changed", 2, None));
    tree.propose(Zxid(6), ONE, &create("/parent/x", Mode::PERSISTENT));
    let mut watches = Watches::default();
    let rewatch = Rewatch {
        seen: Zxid(4),
        data: vec![path("/same"), path("/changed"), path("/gone")],
        exists: vec![path("/made"), path("/never")],
        child: vec![path("/same"), path("/parent")],
    };
    let missed = watches.set(ConnId(1), &tree, &rewatch);
    let told = [
        (path("/changed"), WatchKind::DataChanged),
        (path("/gone"), WatchKind::Deleted),
        (path("/made"), WatchKind::Created),
        (path("/parent"), WatchKind::ChildrenChanged),
    ];
    assert_eq!(missed, told);
    assert_eq!(watches.len(), 3, "the others are watched on");
    watches.forget(ConnId(1));
    assert!(watches.is_empty());
}

#[test]
fn sessions_expire_at_the_end_of_their_tick() {
    let mut tracker = Tracker::new(Span::from_secs(2), Span::ZERO);
    tracker.add(ONE, Span::from_secs(6), secs(1));
    assert_eq!(tracker.bucket(secs(7)), secs(8));
    assert_eq!(tracker.bucket(secs(8)), secs(10), "a grace of one tick");
    assert!(tracker.expire(secs(7)).is_empty());
    assert!(tracker.touch(ONE, Span::from_secs(6), secs(3)));
    assert!(tracker.touch(ONE, Span::from_secs(6), secs(1)), "an old report takes nothing back");
    assert!(tracker.expire(secs(8)).is_empty());
    assert_eq!(tracker.expire(secs(10)), [ONE]);
    assert!(!tracker.touch(ONE, Span::from_secs(6), secs(10)), "it cannot be saved any more");
    assert_eq!(tracker.check(ONE, 0), Err(Error::SessionExpired));
    tracker.remove(ONE);
    assert!(tracker.expire(secs(100)).is_empty());
}

#[test]
fn a_session_that_has_moved_is_served_elsewhere_only() {
    let mut tracker = Tracker::new(Span::from_secs(2), Span::ZERO);
    tracker.add(ONE, Span::from_secs(6), secs(0));
    assert_eq!(tracker.check(ONE, 1), Ok(()));
    tracker.set_owner(ONE, 2);
    assert_eq!(tracker.check(ONE, 1), Err(Error::SessionMoved));
    assert_eq!(tracker.check(ONE, 2), Ok(()));
    tracker.close(ONE);
    assert_eq!(tracker.check(ONE, 2), Err(Error::SessionExpired));
}

fn vote(leader: u32, epoch: u32, counter: u32) -> Vote {
    Vote { leader, zxid: Zxid::new(epoch, counter), epoch }
}

fn looking(vote: Vote, round: u64) -> Notification {
    Notification { vote, round, doing: Doing::Looking }
}

#[test]
fn the_longest_history_is_elected() {
    assert!(vote(0, 2, 1).beats(vote(2, 1, 9)));
    assert!(vote(0, 1, 2).beats(vote(2, 1, 1)));
    assert!(vote(1, 1, 1).beats(vote(0, 1, 1)));
    let mut election = Election::new(3, 1, vote(0, 1, 5));
    let worse = election.hear(2, looking(vote(2, 1, 4), 1));
    assert_eq!((worse.tell_all, worse.found), (false, Found::Nothing));
    let better = election.hear(1, looking(vote(1, 1, 6), 1));
    assert_eq!((better.tell_all, better.found), (true, Found::Majority));
    assert_eq!(election.proposed(), vote(1, 1, 6));
    // A better one within the wait begins the count anew.
    let best = election.hear(2, looking(vote(2, 1, 7), 1));
    assert_eq!((best.tell_all, best.found), (true, Found::Majority));
    assert_eq!(election.proposed(), vote(2, 1, 7));
}

#[test]
fn a_later_round_counts_anew() {
    let mut election = Election::new(5, 1, vote(0, 1, 5));
    election.hear(1, looking(vote(0, 1, 5), 1));
    let later = election.hear(2, looking(vote(2, 1, 4), 3));
    assert!(later.tell_all);
    assert_eq!((election.round(), election.proposed()), (3, vote(0, 1, 5)));
    let earlier = election.hear(1, looking(vote(0, 1, 5), 1));
    assert_eq!((earlier.reply, earlier.found), (true, Found::Nothing));
    assert_eq!(election.hear(3, looking(vote(0, 1, 5), 3)).found, Found::Nothing);
    assert_eq!(election.hear(4, looking(vote(0, 1, 5), 3)).found, Found::Majority);
}

#[test]
fn a_leader_that_others_have_is_joined_if_it_says_so_itself() {
    let mut election = Election::new(3, 1, vote(2, 1, 9));
    let says = |doing| Notification { vote: vote(0, 1, 5), round: 7, doing };
    assert_eq!(election.hear(1, says(Doing::Following)).found, Found::Nothing);
    assert_eq!(election.hear(0, says(Doing::Leading)).found, Found::Leader(0));
    let mut election = Election::new(5, 1, vote(4, 1, 9));
    for follower in 1..4 {
        let found = election.hear(follower, says(Doing::Following)).found;
        assert_eq!(found, Found::Nothing, "a dead leader's followers say nothing of its life");
    }
}

fn log(entries: u32) -> Log<u32> {
    let mut base = Tree::new();
    base.plant("/a", Some(0));
    let mut log = Log::new(Snapshot { tree: base, zxid: Zxid::ZERO }, 0);
    for number in 1..=entries {
        let zxid = Zxid::new(1 + number / 10, number);
        let txn = Txn::SetData(path("/a"), Some(number));
        let entry = Entry { zxid, session: ONE, xid: Xid(number), txn };
        log.append(Arc::new(entry), u64::from(number) * 10);
    }
    log
}

#[test]
fn a_log_is_cut_by_number_and_by_length() {
    let mut log = log(20);
    assert_eq!(log.last_within(9), Zxid::ZERO);
    assert_eq!(log.last_within(95), Zxid::new(1, 9));
    assert_eq!(log.last_until(Zxid::new(1, 1_000)), Some(Zxid::new(1, 9)));
    assert_eq!(log.after(Zxid::new(1, 9)).count(), 11);
    log.trim(195);
    assert_eq!((log.last(), log.end()), (Zxid::new(2, 19), 190));
    assert!(log.truncate(Zxid::new(1, 50)));
    assert_eq!((log.last(), log.end()), (Zxid::new(1, 9), 90));
    assert_eq!(log.state(log.last()).get("/a").and_then(|node| node.data), Some(9));
}

#[test]
fn a_log_folds_what_is_committed_and_durable() {
    let count = KEPT as u32 + 30;
    let mut log = log(count);
    let whole = log.state(log.last());
    assert_eq!(log.fold(log.last(), 105), 100, "ten lie within what is durable");
    assert_eq!(log.fold(Zxid::new(1, 9), u64::MAX), 0, "later ones are not committed");
    assert_eq!(log.fold(log.last(), u64::MAX), 200);
    assert_eq!(log.len(), KEPT);
    assert_eq!(log.state(log.last()), whole);
    assert_eq!(log.last_until(Zxid::new(1, 9)), None, "it would have to get a snapshot");
    assert!(!log.truncate(Zxid::new(1, 9)));
}
