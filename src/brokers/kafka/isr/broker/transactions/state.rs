//! A transactional id as its coordinator has it (TransactionMetadata.scala, TransactionCoordinator.scala).
//! It knows neither clock nor connection: it is told what was asked, and says what is to be done.

use std::collections::BTreeMap;

use crate::brokers::kafka::PartitionId;
use crate::engine::{Span, Time};

use super::super::super::message::Error;
use super::super::super::sequence::{Identity, LAST_EPOCH};
use super::super::super::transactions::{
    Marker, TransactionRecord, TxnId, TxnRequest, TxnResponse, TxnState,
};

/// What is to be done about a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// It is answered.
    Answer(TxnResponse),
    /// This is written first, and then it is answered so.
    Write(TransactionRecord, TxnResponse),
}

/// What the rules of a version say of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    /// Every transaction has an epoch of its own (KIP-890, part 2).
    pub(super) v2: bool,
    /// Whoever takes a transactional id over fences who had it.
    pub(super) fences: bool,
    /// `transaction.max.timeout.ms`.
    pub(super) max_timeout: Span,
}

/// A transactional id, as its coordinator has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction {
    /// What is written and replicated; none if nobody ever had the id.
    record: Option<TransactionRecord>,
    /// Something is being written (`pendingTransitionInProgress`).
    pending: bool,
    /// The partitions whose markers are not written, and whether one is on its way.
    markers: BTreeMap<PartitionId, bool>,
}

impl Transaction {
    /// A batch of its partition says this, or what it wrote is replicated.
    pub(super) fn take(&mut self, record: &TransactionRecord) {
        self.pending = false;
        self.markers.clear();
        if matches!(record.state, TxnState::Prepare { .. }) {
            self.markers.extend(record.partitions.iter().map(|partition| (*partition, false)));
        }
        self.record = Some(record.clone());
    }

    /// Nothing came of what it wrote.
    pub(super) const fn failed(&mut self) {
        self.pending = false;
    }

    /// A request; `fresh` is a producer id that nobody has.
    pub(super) fn asked(
        &mut self,
        (id, fresh): (TxnId, Identity),
        request: &TxnRequest,
        now: Time,
        dialect: Dialect,
    ) -> Step {
        let step = self.decide((id, fresh), request, now, dialect);
        self.pending |= matches!(step, Step::Write(..));
        step
    }

    fn decide(
        &self,
        (id, fresh): (TxnId, Identity),
        request: &TxnRequest,
        now: Time,
        dialect: Dialect,
    ) -> Step {
        let refuse = |error| Step::Answer(request.refused(error));
        let Some(record) = &self.record else {
            return match request {
                _ if self.pending => refuse(Error::ConcurrentTransactions),
                TxnRequest::Init { timeout, .. } => {
                    let state = TxnState::Empty;
                    let timeout = (*timeout).min(dialect.max_timeout);
                    let partitions = Vec::new();
                    let by = fresh;
                    let fresh =
                        TransactionRecord { id, by, state, partitions, started: now, timeout };
                    Step::Write(fresh, TxnResponse::Identity(Error::None, Some(by)))
                }
                _ => refuse(Error::InvalidProducerIdMapping),
            };
        };
        // Who asks is looked at first (TransactionCoordinator.scala, `handleAddPartitionsToTransaction`,
        // `endTransaction`).
        let by = match request {
            TxnRequest::Add { by, .. } | TxnRequest::End { by, .. } => Some(*by),
            TxnRequest::Init { expected, .. } => *expected,
            TxnRequest::Find => None,
        };
        let again = dialect.v2 && self.is_repeated(request, record);
        if let Some(by) = by {
            if by.id != record.by.id {
                return refuse(Error::InvalidProducerIdMapping);
            }
            if by.epoch != record.by.epoch && !again {
                return refuse(Error::ProducerFenced);
            }
        }
        if self.pending || matches!(record.state, TxnState::Prepare { .. }) {
            return refuse(Error::ConcurrentTransactions);
        }
        match request {
            TxnRequest::Find => refuse(Error::None),
            TxnRequest::Init { timeout, .. } => {
                let timeout = (*timeout).min(dialect.max_timeout);
                let fenced = self.fence(record, dialect, fresh);
                if record.state == TxnState::Ongoing {
                    // "abort the ongoing transaction and then return CONCURRENT_TRANSACTIONS".
                    let aborted = TransactionRecord {
                        by: fenced,
                        state: TxnState::Prepare { commit: false },
                        ..record.clone()
                    };
                    let later = request.refused(Error::ConcurrentTransactions);
                    return Step::Write(aborted, later);
                }
                let state = TxnState::Empty;
                let begun = TransactionRecord {
                    by: fenced,
                    state,
                    partitions: Vec::new(),
                    timeout,
                    ..record.clone()
                };
                Step::Write(begun, TxnResponse::Identity(Error::None, Some(fenced)))
            }
            TxnRequest::Add { partitions, verify, .. } => {
                let ongoing = record.state == TxnState::Ongoing;
                let has = |partition: &PartitionId| record.partitions.contains(partition);
                let all = ongoing && partitions.iter().all(has);
                if all {
                    return refuse(Error::None);
                }
                if *verify {
                    return refuse(Error::TransactionAbortable);
                }
                let mut own = if ongoing { record.partitions.clone() } else { Vec::new() };
                own.extend(partitions);
                own.sort_unstable();
                own.dedup();
                let started = if ongoing { record.started } else { now };
                let state = TxnState::Ongoing;
                let grown = TransactionRecord { state, partitions: own, started, ..record.clone() };
                Step::Write(grown, TxnResponse::Done(Error::None))
            }
            TxnRequest::End { commit, .. } => self.end(record, *commit, again, dialect),
        }
    }

    /// `EndTxn`.
    fn end(&self, record: &TransactionRecord, commit: bool, again: bool, dialect: Dialect) -> Step {
        let answer = |error, by| Step::Answer(TxnResponse::Identity(error, by));
        match record.state {
            TxnState::Complete { commit: was } if !dialect.v2 || again => match was == commit {
                // Up to TV1 whatever transaction it belonged to.
                true => answer(Error::None, Some(record.by)),
                false => answer(Error::InvalidTxnState, None),
            },
            TxnState::Ongoing => Step::Write(
                self.prepared(record, commit, dialect),
                TxnResponse::Identity(Error::None, Some(self.ended_as(record, dialect))),
            ),
            // TV2: an abort may end what no leader has told it of.
            TxnState::Empty | TxnState::Complete { .. } if dialect.v2 && !commit => {
                let nothing = TransactionRecord { partitions: Vec::new(), ..record.clone() };
                let response =
                    TxnResponse::Identity(Error::None, Some(self.ended_as(record, dialect)));
                Step::Write(self.prepared(&nothing, commit, dialect), response)
            }
            TxnState::Empty | TxnState::Complete { .. } => answer(Error::InvalidTxnState, None),
            TxnState::Prepare { .. } => answer(Error::ConcurrentTransactions, None),
        }
    }

    /// Who the producer is after its transaction.
    fn ended_as(&self, record: &TransactionRecord, dialect: Dialect) -> Identity {
        if dialect.v2 { record.by.next() } else { record.by }
    }

    fn prepared(
        &self,
        record: &TransactionRecord,
        commit: bool,
        dialect: Dialect,
    ) -> TransactionRecord {
        let (by, state) = (self.ended_as(record, dialect), TxnState::Prepare { commit });
        TransactionRecord { by, state, ..record.clone() }
    }

    /// TV2: an `EndTxn` whose answer was lost comes once more with the epoch before.
    fn is_repeated(&self, request: &TxnRequest, record: &TransactionRecord) -> bool {
        let ended = matches!(record.state, TxnState::Prepare { .. } | TxnState::Complete { .. });
        matches!(request, TxnRequest::End { by, .. } if by.epoch + 1 == record.by.epoch) && ended
    }

    fn fence(&self, record: &TransactionRecord, dialect: Dialect, fresh: Identity) -> Identity {
        match record.by.epoch {
            _ if !dialect.fences => record.by,
            LAST_EPOCH => fresh,
            _ => record.by.next(),
        }
    }

    /// A transaction that has taken too long is aborted, and its producer fenced
    /// (TransactionCoordinator.scala, `abortTimedOutTransactions`).
    pub(super) fn timed_out(&mut self, now: Time) -> Option<TransactionRecord> {
        let record = self.record.as_ref()?;
        let late = record.state == TxnState::Ongoing && record.started + record.timeout < now;
        if !late || self.pending || record.by.epoch == LAST_EPOCH {
            return None;
        }
        self.pending = true;
        let (by, state) = (record.by.next(), TxnState::Prepare { commit: false });
        Some(TransactionRecord { by, state, ..record.clone() })
    }

    /// The markers that are to be sent, which are on their way from now on.
    pub(super) fn markers_to_send(
        &mut self,
        coordinator: u32,
    ) -> Option<(Marker, Vec<PartitionId>)> {
        let record = self.record.as_ref()?;
        let TxnState::Prepare { commit } = record.state else { return None };
        let marker = Marker { by: record.by, commit, coordinator };
        let mut partitions = Vec::new();
        for (partition, on_its_way) in &mut self.markers {
            if !std::mem::replace(on_its_way, true) {
                partitions.push(*partition);
            }
        }
        Some((marker, partitions))
    }

    /// It is known what became of markers of this epoch.
    pub(super) fn marked(&mut self, epoch: u16, partition: PartitionId, written: bool) {
        if self.record.as_ref().is_none_or(|record| record.by.epoch != epoch) {
            return;
        }
        if written {
            self.markers.remove(&partition);
        } else if let Some(on_its_way) = self.markers.get_mut(&partition) {
            *on_its_way = false;
        }
    }

    /// Once every partition has its marker: what is written then.
    pub(super) fn completed(&mut self) -> Option<TransactionRecord> {
        let record = self.record.as_ref()?;
        let TxnState::Prepare { commit } = record.state else { return None };
        if self.pending || !self.markers.is_empty() {
            return None;
        }
        self.pending = true;
        let (state, partitions) = (TxnState::Complete { commit }, Vec::new());
        Some(TransactionRecord { state, partitions, ..record.clone() })
    }

    /// What it is at, for people.
    pub(super) fn describe(&self) -> String {
        let Some(record) = &self.record else { return "unknown".to_owned() };
        let what = match record.state {
            TxnState::Empty => "empty",
            TxnState::Ongoing => "ongoing",
            TxnState::Prepare { commit: true } => "prepare-commit",
            TxnState::Prepare { commit: false } => "prepare-abort",
            TxnState::Complete { commit: true } => "complete-commit",
            TxnState::Complete { commit: false } => "complete-abort",
        };
        let partitions = match record.partitions.len() {
            0 => String::new(),
            count => format!(" partitions={count}"),
        };
        format!("{what} id={} epoch={}{partitions}", record.by.id, record.by.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: TxnId = TxnId(0);
    const V1: Dialect = Dialect { v2: false, fences: true, max_timeout: Span::from_secs(900) };
    const V2: Dialect = Dialect { v2: true, ..V1 };

    fn who(epoch: u16) -> Identity {
        Identity { id: 7, epoch, transactional: true }
    }

    /// What becomes of a request whose writes all succeed: the answer, and the state.
    fn ask(own: &mut Transaction, request: &TxnRequest, dialect: Dialect) -> (TxnResponse, String) {
        let answer = match own.asked((ID, who(0)), request, Time::ZERO, dialect) {
            Step::Answer(answer) => answer,
            Step::Write(record, answer) => {
                own.take(&record);
                answer
            }
        };
        (answer, own.describe())
    }

    fn finish(own: &mut Transaction) {
        let (marker, partitions) = own.markers_to_send(1).expect("it is decided");
        for partition in partitions {
            own.marked(marker.by.epoch, partition, true);
        }
        let record = own.completed().expect("all have their markers");
        own.take(&record);
    }

    fn init() -> TxnRequest {
        TxnRequest::Init { timeout: Span::from_secs(60), expected: None }
    }

    fn add(epoch: u16) -> TxnRequest {
        TxnRequest::Add { by: who(epoch), partitions: vec![PartitionId(3)], verify: false }
    }

    fn end(epoch: u16, commit: bool) -> TxnRequest {
        TxnRequest::End { by: who(epoch), commit }
    }

    #[test]
    fn a_transaction_goes_its_way() {
        let mut own = Transaction::default();
        let (answer, state) = ask(&mut own, &init(), V1);
        assert_eq!(answer, TxnResponse::Identity(Error::None, Some(who(0))));
        assert_eq!(state, "empty id=7 epoch=0");
        assert_eq!(ask(&mut own, &add(0), V1).1, "ongoing id=7 epoch=0 partitions=1");
        let (answer, state) = ask(&mut own, &end(0, true), V1);
        assert_eq!(answer.error(), Error::None, "told before there are markers");
        assert_eq!(state, "prepare-commit id=7 epoch=0 partitions=1");
        assert_eq!(ask(&mut own, &add(0), V1).0.error(), Error::ConcurrentTransactions);
        finish(&mut own);
        assert_eq!(own.describe(), "complete-commit id=7 epoch=0");
        // TV1: the same end once more is told so, whatever transaction it belonged to.
        assert_eq!(ask(&mut own, &end(0, true), V1).0.error(), Error::None);
        assert_eq!(ask(&mut own, &end(0, false), V1).0.error(), Error::InvalidTxnState);
    }

    #[test]
    fn whoever_takes_over_fences_and_aborts() {
        let mut own = Transaction::default();
        ask(&mut own, &init(), V1);
        ask(&mut own, &add(0), V1);
        let (answer, state) = ask(&mut own, &init(), V1);
        assert_eq!(answer.error(), Error::ConcurrentTransactions);
        assert_eq!(state, "prepare-abort id=7 epoch=1 partitions=1");
        assert_eq!(ask(&mut own, &end(0, true), V1).0.error(), Error::ProducerFenced);
        finish(&mut own);
        let (answer, _) = ask(&mut own, &init(), V1);
        assert_eq!(answer, TxnResponse::Identity(Error::None, Some(who(2))));
    }

    #[test]
    fn with_v2_every_transaction_has_an_epoch() {
        let mut own = Transaction::default();
        ask(&mut own, &init(), V2);
        ask(&mut own, &add(0), V2);
        let (answer, _) = ask(&mut own, &end(0, true), V2);
        assert_eq!(answer, TxnResponse::Identity(Error::None, Some(who(1))));
        finish(&mut own);
        // The answer was lost: the end is told once more, and no other one is.
        assert_eq!(ask(&mut own, &end(0, true), V2).0.error(), Error::None);
        ask(&mut own, &add(1), V2);
        assert_eq!(ask(&mut own, &end(0, true), V2).0.error(), Error::ProducerFenced);
    }

    #[test]
    fn what_takes_too_long_is_aborted_in_another_epoch() {
        let mut own = Transaction::default();
        ask(&mut own, &init(), V1);
        ask(&mut own, &add(0), V1);
        assert_eq!(own.timed_out(Time::ZERO + Span::from_secs(60)), None);
        let record = own.timed_out(Time::ZERO + Span::from_secs(61)).expect("it is late");
        assert_eq!((record.by, record.state), (who(1), TxnState::Prepare { commit: false }));
    }

    #[test]
    fn a_leader_that_only_asks_adds_nothing() {
        let mut own = Transaction::default();
        ask(&mut own, &init(), V1);
        let verify = TxnRequest::Add { by: who(0), partitions: vec![PartitionId(3)], verify: true };
        assert_eq!(ask(&mut own, &verify, V1).0.error(), Error::TransactionAbortable);
        ask(&mut own, &add(0), V1);
        assert_eq!(ask(&mut own, &verify, V1).0.error(), Error::None);
    }
}
