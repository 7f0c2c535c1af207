//! The words in which machines report what happens, and nothing else: no logic lives here.
//!
//! A machine (a broker node, a producer, a consumer) tells an [`Observer`] what became of messages:
//! attempted, sent, stored, removed, delivered, answered. Observers fold these reports online; no
//! list of them is kept. Words of one broker family (why a copy was destroyed, which role a node
//! plays) are data here: small ids whose names stand in the run's [`Catalog`].

mod catalog;

pub use catalog::{
    Catalog, Cause, CauseKind, ConsumerInfo, DestinationInfo, EventWord, InvariantWord, NodeInfo,
    NodeKind, ProducerInfo, RoleRank, RoleWord, Sign, Situation,
};

use crate::engine::{Span, Time};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);
        impl $name {
            /// The id as an index into a dense table.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id!(
    /// A host with one process on it: a broker node, or the host of one client. Index into
    /// [`Catalog::nodes`].
    NodeId
);
id!(
    /// A producer. Index into [`Catalog::producers`].
    ProducerId
);
id!(
    /// A consumer, the auditors at the end of a run included. Index into [`Catalog::consumers`].
    ConsumerId
);
id!(
    /// A queue, or a partition as seen by one consumer group. Index into [`Catalog::destinations`].
    DestinationId
);
id!(
    /// Why a copy ceased to exist, or was never made. Index into [`Catalog::causes`].
    CauseId
);
id!(
    /// The condition that made a copy the last one. Index into [`Catalog::conditions`].
    BecauseId
);
id!(
    /// What a node is to a destination: `leader`, `mirror`. Index into
    /// [`Catalog::roles`].
    RoleId
);
id!(
    /// A kind of event in a family's own words ("Promoting mirror"). Index into
    /// [`Catalog::events`].
    EventId
);
id!(
    /// A fault of the run's schedule, or an action. Index into [`Catalog::faults`].
    FaultId
);
id!(
    /// What an operator does at a given time. Index into the family's list of them;
    /// [`Catalog::actions`] says where they are among the faults.
    ActionId
);

id!(
    /// Something that must be so at every moment of a run. Index into [`Catalog::invariants`].
    InvariantId
);

impl BecauseId {
    /// No particular condition: the first entry of every catalogue of conditions, `none`.
    pub const NONE: BecauseId = BecauseId(0);
}

/// Consecutive messages of one producer; a single message has `count` 1.
///
/// 16 bytes, so that it travels inline in events. Sequences start at 0 and are dense: every message
/// that the workload attempted has one, whether it was ever sent or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageRange {
    /// Whose messages.
    pub producer: ProducerId,
    /// Sequence number of the first.
    pub first: u32,
    /// How many, at least 1.
    pub count: u32,
    /// Payload bytes of each message.
    pub bytes: u32,
}

/// What a producer learned about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The broker's positive answer.
    Acked,
    /// The client call succeeded and no answer was asked for.
    Accepted,
    /// Came back as unroutable.
    Returned,
    /// An error that proves that it was not stored.
    Rejected,
    /// A negative answer that leaves open whether a copy exists; ends as unknown, and is counted.
    Nacked,
    /// Time-out or broken connection: the producer gave up on an answer.
    Unknown,
    /// The producer gave it up before any transmission (catch-up limit, buffer, end of run).
    Unsent,
}

/// Why a copy was destroyed, or why none was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    /// What destroyed the copy.
    pub cause: CauseId,
    /// The condition that made it matter; [`BecauseId::NONE`] if there is none to name.
    pub because: BecauseId,
}

impl Removal {
    /// For this cause, under this condition.
    #[must_use]
    pub const fn new(cause: CauseId, because: BecauseId) -> Removal {
        Removal { cause, because }
    }
}

/// Whether a node can work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeState {
    /// Process started, not yet serving.
    Booting,
    /// Serving.
    Up,
    /// Process gone by a kill.
    Killed,
    /// Host without power.
    PowerLost,
    /// Stopped gracefully, or has stopped itself.
    Stopped,
    /// Process or host frozen (SIGSTOP, GC, VM pause).
    Paused,
}

/// Whether a fault begins or ends. Of an action: whether its command is given, done or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultPhase {
    /// It was injected; the command was given.
    Begun,
    /// It was healed: its `for` is over, or the run's duration is. The command is done.
    Ended,
    /// Its selector matched nothing when it was due, so nothing was injected.
    Skipped,
    /// The command failed, in the broker's words.
    Failed(&'static str),
}

impl FaultPhase {
    /// A number for it, for fingerprints.
    #[must_use]
    pub const fn code(self) -> u64 {
        match self {
            FaultPhase::Begun => 0,
            FaultPhase::Ended => 1,
            FaultPhase::Skipped => 2,
            FaultPhase::Failed(_) => 3,
        }
    }
}

/// Something that a reader of `events.csv` wants to see: an election, a change of membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The family's word for it.
    pub word: EventId,
    /// Where it happened.
    pub node: NodeId,
    /// Which destination it concerns, if one.
    pub destination: Option<DestinationId>,
    /// Which other node it concerns, if one.
    pub subject: Option<NodeId>,
    /// A count that goes with it (messages requeued, say), or 0.
    pub count: u64,
}

impl Event {
    /// What happened where, and what it concerns.
    #[must_use]
    pub const fn new(
        word: EventId,
        node: NodeId,
        destination: Option<DestinationId>,
        subject: Option<NodeId>,
        count: u64,
    ) -> Event {
        Event { word, node, destination, subject, count }
    }
}

/// What a client's connection to a broker has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContactState {
    /// It can be used.
    Connected,
    /// It has ended, as the client sees it or its kernel.
    Lost,
    /// Another attempt to connect begins.
    Reconnecting,
    /// An attempt has failed, or the client goes on without it.
    GivenUp,
    /// The broker takes nothing from it for the time being, and has said so.
    Blocked,
}

/// A client tells what its connection to a broker has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The client's host.
    pub client: NodeId,
    /// The broker's.
    pub broker: NodeId,
    /// What it has come to.
    pub state: ContactState,
    /// Why, in the words of the client or its protocol; empty if there is nothing to say. Where it
    /// is followed by a length of time it leads up to it: `no heartbeat for`.
    pub why: &'static str,
    /// How long that took; zero if it has no length.
    pub lasted: Span,
}

/// An invariant is seen to be broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub invariant: InvariantId,
    /// The node whose state breaks it.
    pub node: NodeId,
    /// Which destination it concerns, if one.
    pub destination: Option<DestinationId>,
    /// The two states that disagree, in words for people: one line.
    pub detail: String,
}

/// Who is told what happens. Every method has an empty default, so that an observer names only what
/// it folds. Reports arrive in the order of dispatch; `at` never decreases by more than the CPU
/// time of one input.
pub trait Observer {
    /// The workload wants these messages sent; `intended` is the time by which the first should
    /// have left. Sequences arrive in order, without gaps.
    fn attempted(&mut self, _at: Time, _intended: Time, _messages: MessageRange) {}
    /// A producer handed these messages to its connection; again at each retransmission.
    fn sent(&mut self, _at: Time, _messages: MessageRange) {}
    /// A producer learned what became of these messages. May be reported more than once for a
    /// message that is sent again; see the ledger for which outcome stands.
    fn outcome(&mut self, _at: Time, _messages: MessageRange, _outcome: Outcome) {}
    /// A producer's positive answer about these messages says that they are stored, but not as durably as
    /// its brokers are asked for: an application that looks at it may take it for a failure. Comes
    /// before their `outcome`.
    fn remarked(&mut self, _at: Time, _messages: MessageRange) {}
    /// `node` now holds a copy of these messages for `destination`.
    fn stored(
        &mut self,
        _at: Time,
        _node: NodeId,
        _destination: DestinationId,
        _messages: MessageRange,
    ) {
    }
    /// From now on the broker's rules allow these messages of `destination` to be read. Only
    /// families that say so at all (logs, which hold back what is not yet durable or replicated)
    /// need to; where none does, what is stored may be read.
    fn readable(&mut self, _at: Time, _destination: DestinationId, _messages: MessageRange) {}
    /// `node` now holds a copy of these messages in `target`, a destination to which `destination`
    /// has dead-lettered them. Like `stored` it is one more copy of the line of `destination`, and
    /// is removed as such.
    fn dead_lettered(
        &mut self,
        _at: Time,
        _node: NodeId,
        _destination: DestinationId,
        _target: DestinationId,
        _messages: MessageRange,
    ) {
    }
    /// `node` now holds a copy in `target` of messages that were sent to `destination`: stored if that is
    /// the same, dead-lettered if not.
    fn arrived(
        &mut self,
        at: Time,
        node: NodeId,
        (destination, target): (DestinationId, DestinationId),
        messages: MessageRange,
    ) {
        if destination == target {
            self.stored(at, node, target, messages);
        } else {
            self.dead_lettered(at, node, destination, target, messages);
        }
    }
    /// `node` no longer holds its copy.
    fn removed(
        &mut self,
        _at: Time,
        _node: NodeId,
        _destination: DestinationId,
        _messages: MessageRange,
        _removal: Removal,
    ) {
    }
    /// `node` handled these messages and made no copy (unroutable, rejected, thrown away).
    /// `destination` is `None` where it concerns every destination of the producer.
    fn dropped(
        &mut self,
        _at: Time,
        _node: NodeId,
        _destination: Option<DestinationId>,
        _messages: MessageRange,
        _removal: Removal,
    ) {
    }
    /// A consumer's application was handed these messages; `redelivered` is the broker's flag.
    fn delivered(
        &mut self,
        _at: Time,
        _consumer: ConsumerId,
        _destination: DestinationId,
        _messages: MessageRange,
        _redelivered: bool,
    ) {
    }
    /// A producer was told at which offset of its destination's log the first of these messages is;
    /// the others follow it. Comes before their `outcome`, of families whose offsets count messages.
    fn placed(&mut self, _at: Time, _messages: MessageRange, _offset: u64) {}
    /// A consumer's application is handed messages that are in the log from this offset on. Comes
    /// before `delivered`, of the same families.
    fn polled(
        &mut self,
        _at: Time,
        _consumer: ConsumerId,
        _destination: DestinationId,
        _messages: MessageRange,
        _offset: u64,
    ) {
    }
    /// What is in the log from this offset on, so many messages, was written in a transaction that is
    /// aborted: nobody is to read it. May be told more than once.
    fn aborted(&mut self, _at: Time, _destination: DestinationId, _offset: u64, _count: u64) {}
    /// A consumer's application finished with these messages.
    fn processed(
        &mut self,
        _at: Time,
        _consumer: ConsumerId,
        _destination: DestinationId,
        _messages: MessageRange,
    ) {
    }
    /// A consumer wants messages of `destination` and has room for one (`true`), or not (`false`).
    /// Reported on change only.
    fn wants(
        &mut self,
        _at: Time,
        _consumer: ConsumerId,
        _destination: DestinationId,
        _wants: bool,
    ) {
    }
    /// A consumer that had a position goes on elsewhere, since the log does not have that any more: what had
    /// expired before its group had processed it is lost to that.
    fn overtaken(&mut self, _at: Time, _destination: DestinationId) {}
    /// A consumer that has no position in a log, or one that the log does not have, goes on at its end:
    /// what can be read of `destination` now and nobody has processed, it does not ask for.
    /// `removal` says why, for the case that its group had read there before: what it skips is lost
    /// to that then.
    fn skipped(
        &mut self,
        _at: Time,
        _consumer: ConsumerId,
        _destination: DestinationId,
        _node: NodeId,
        _removal: Removal,
    ) {
    }
    /// A consumer is there, as a member of the group whose destinations the catalogue names for it
    /// (`true`), or is not any more. Reported on change only, and by members of groups only.
    fn subscribes(&mut self, _at: Time, _consumer: ConsumerId, _subscribes: bool) {}
    /// A member of a group reads `destination` from now on (`true`), or gives it up. While nobody does
    /// and there are members, a message of it that can be read waits for them.
    fn holds(
        &mut self,
        _at: Time,
        _consumer: ConsumerId,
        _destination: DestinationId,
        _holds: bool,
    ) {
    }
    /// A member of a group had these in hand and will not finish them, and has committed a position
    /// behind them: if the group goes on there, they are lost to it.
    fn abandoned(
        &mut self,
        _at: Time,
        _node: NodeId,
        _destination: DestinationId,
        _messages: MessageRange,
        _removal: Removal,
    ) {
    }
    /// `node` now has this role for `destination`; `None` when it has none.
    fn role(
        &mut self,
        _at: Time,
        _node: NodeId,
        _destination: DestinationId,
        _role: Option<RoleId>,
    ) {
    }
    /// A node changed state.
    fn node(&mut self, _at: Time, _node: NodeId, _state: NodeState) {}
    /// A fault of the schedule begins or ends; `targets` are the nodes it acts on. Of an action: the
    /// node on which the command is given.
    fn fault(&mut self, _at: Time, _fault: FaultId, _phase: FaultPhase, _targets: &[NodeId]) {}
    /// An event in the family's own words.
    fn event(&mut self, _at: Time, _event: Event) {}
    /// A client's connection to a broker has come to something. What is told again and again while
    /// nothing else comes of it need not be kept.
    fn contact(&mut self, _at: Time, _contact: Contact) {}
    /// An invariant of the family is broken: by what happened at `at`, and not reported before for
    /// the same states.
    fn violated(&mut self, _at: Time, _violation: Violation) {}
}

/// Observes nothing: for benchmarks of the engine and for tests of machines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blind;

impl Observer for Blind {}

/// Whoever lends an observer goes on to own it.
impl<O: Observer + ?Sized> Observer for &mut O {
    fn attempted(&mut self, at: Time, intended: Time, messages: MessageRange) {
        (**self).attempted(at, intended, messages);
    }
    fn sent(&mut self, at: Time, messages: MessageRange) {
        (**self).sent(at, messages);
    }
    fn outcome(&mut self, at: Time, messages: MessageRange, outcome: Outcome) {
        (**self).outcome(at, messages, outcome);
    }
    fn remarked(&mut self, at: Time, messages: MessageRange) {
        (**self).remarked(at, messages);
    }
    fn stored(
        &mut self,
        at: Time,
        node: NodeId,
        destination: DestinationId,
        messages: MessageRange,
    ) {
        (**self).stored(at, node, destination, messages);
    }
    fn readable(&mut self, at: Time, destination: DestinationId, messages: MessageRange) {
        (**self).readable(at, destination, messages);
    }
    fn dead_lettered(
        &mut self,
        at: Time,
        node: NodeId,
        destination: DestinationId,
        target: DestinationId,
        messages: MessageRange,
    ) {
        (**self).dead_lettered(at, node, destination, target, messages);
    }
    fn removed(
        &mut self,
        at: Time,
        node: NodeId,
        destination: DestinationId,
        messages: MessageRange,
        removal: Removal,
    ) {
        (**self).removed(at, node, destination, messages, removal);
    }
    fn dropped(
        &mut self,
        at: Time,
        node: NodeId,
        destination: Option<DestinationId>,
        messages: MessageRange,
        removal: Removal,
    ) {
        (**self).dropped(at, node, destination, messages, removal);
    }
    fn delivered(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        destination: DestinationId,
        messages: MessageRange,
        redelivered: bool,
    ) {
        (**self).delivered(at, consumer, destination, messages, redelivered);
    }
    fn placed(&mut self, at: Time, messages: MessageRange, offset: u64) {
        (**self).placed(at, messages, offset);
    }
    fn polled(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        destination: DestinationId,
        messages: MessageRange,
        offset: u64,
    ) {
        (**self).polled(at, consumer, destination, messages, offset);
    }
    fn aborted(&mut self, at: Time, destination: DestinationId, offset: u64, count: u64) {
        (**self).aborted(at, destination, offset, count);
    }
    fn processed(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        destination: DestinationId,
        messages: MessageRange,
    ) {
        (**self).processed(at, consumer, destination, messages);
    }
    fn wants(&mut self, at: Time, consumer: ConsumerId, destination: DestinationId, wants: bool) {
        (**self).wants(at, consumer, destination, wants);
    }
    fn overtaken(&mut self, at: Time, destination: DestinationId) {
        (**self).overtaken(at, destination);
    }
    fn skipped(
        &mut self,
        at: Time,
        consumer: ConsumerId,
        destination: DestinationId,
        node: NodeId,
        removal: Removal,
    ) {
        (**self).skipped(at, consumer, destination, node, removal);
    }
    fn subscribes(&mut self, at: Time, consumer: ConsumerId, subscribes: bool) {
        (**self).subscribes(at, consumer, subscribes);
    }
    fn holds(&mut self, at: Time, consumer: ConsumerId, destination: DestinationId, holds: bool) {
        (**self).holds(at, consumer, destination, holds);
    }
    fn abandoned(
        &mut self,
        at: Time,
        node: NodeId,
        destination: DestinationId,
        messages: MessageRange,
        removal: Removal,
    ) {
        (**self).abandoned(at, node, destination, messages, removal);
    }
    fn role(&mut self, at: Time, node: NodeId, destination: DestinationId, role: Option<RoleId>) {
        (**self).role(at, node, destination, role);
    }
    fn node(&mut self, at: Time, node: NodeId, state: NodeState) {
        (**self).node(at, node, state);
    }
    fn fault(&mut self, at: Time, fault: FaultId, phase: FaultPhase, targets: &[NodeId]) {
        (**self).fault(at, fault, phase, targets);
    }
    fn event(&mut self, at: Time, event: Event) {
        (**self).event(at, event);
    }
    fn contact(&mut self, at: Time, contact: Contact) {
        (**self).contact(at, contact);
    }
    fn violated(&mut self, at: Time, violation: Violation) {
        (**self).violated(at, violation);
    }
}
